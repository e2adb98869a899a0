"""Which token stands for a concept: the expected one, then its forms, then what has its name."""

from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

import emoji
import numpy as np
import pytest
from unembed.errors import UsageError
from unembed.geometry.audit.forms import Forms, Known, written_for
from unembed.geometry.concepts.pairs import Pair
from unembed.geometry.records.record import Record
from unembed.geometry.tokens.vocabulary import Vocabulary

from .conftest import Make

Open = Callable[[Path], Vocabulary]
NAMES = {"horse": ("🐎", "🐴"), "dog face": ("🐶",), "seahorse": ("🐠",)}


@pytest.fixture
def vocabulary(make_checkpoint: Make, open_vocabulary: Open) -> Vocabulary:
    return open_vocabulary(make_checkpoint("sentencepiece"))


@pytest.fixture
def forms(vocabulary: Vocabulary) -> Forms:
    return Forms(vocabulary, NAMES)


def inside(forms: Forms, *tokens: str, of_emoji: bool = False) -> Forms:
    """Let only some tokens count."""
    ids_N = np.sort([id_of(forms, token) for token in tokens])
    return Forms(forms.vocabulary, forms.names, ids_N, of_emoji)


def find(forms: Forms, record: Record | str) -> Known:
    """Look for a record whose concept is a word or a phrase."""
    record = Record(record) if isinstance(record, str) else record
    return forms.find(record, name=record.concept)


def id_of(forms: Forms, token: str) -> int:
    id_ = forms.vocabulary.id_of_token(token)
    assert id_ is not None
    return id_


def test_what_is_expected_comes_before_a_form_and_a_form_before_a_name(forms: Forms) -> None:
    pictures = inside(forms, "🐴", "🐟", "🐶", "▁🐴")
    fish, dog = id_of(forms, "🐟"), id_of(forms, "🐶")
    everything = Record("dog face", forms=("🐠", "🐟"), expected="▁🐴")
    assert find(pictures, everything) == Known("🐴", id_of(forms, "▁🐴"), "expected")
    assert find(pictures, Record("dog face", forms=("🐠", "🐟"))) == Known("🐟", fish, "form")
    assert find(pictures, "dog face") == Known("🐶", dog, "name")
    # An expected text that is no token leaves the others their turn.
    assert find(pictures, Record("dog face", expected="🐠")) == Known("🐶", dog, "name")
    found = find(pictures, Record("dog face", forms=("🐟",), expected="🐠"))
    assert found == Known("🐟", fish, "form")


def test_a_token_inside_a_text_comes_before_the_bare_one(forms: Forms) -> None:
    horse, bare = id_of(forms, "▁horse"), id_of(forms, "horse")
    assert horse != bare
    assert find(forms, Record("x", forms=("horse",))).token_id == horse
    assert find(forms, Record("x", expected="horse")) == Known("horse", bare, "expected")
    assert find(inside(forms, "horse"), Record("x", forms=("horse",))).token_id == bare
    assert find(forms, Record("x", forms=("🐴",))).token_id == id_of(forms, "▁🐴")


@pytest.mark.parametrize(
    ("expected", "token", "form"),
    [
        ("▁king", "▁king", "king"),  # the vocabulary's own string
        ("king", "▁king", "king"),  # its text, inside a text
        (" king", "▁king", "king"),  # its text as it is
        ("❤️", "❤️", "❤️"),
        ("<bos>", "<bos>", "<bos>"),
        ("<0xF0>", "<0xF0>", "<0xF0>"),
    ],
)
def test_what_is_expected_is_a_string_or_a_text(
    forms: Forms, expected: str, token: str, form: str
) -> None:
    """And its form is what it writes."""
    found = find(forms, Record("x", expected=expected))
    assert found == Known(form, id_of(forms, token), "expected")


def test_what_is_expected_may_be_an_id(forms: Forms) -> None:
    last = int(np.flatnonzero(forms.vocabulary.known_V)[-1])
    written = (forms.vocabulary.text(last) or "").removeprefix(" ")
    assert written
    king = id_of(forms, "▁king")
    for text, id_, form in (
        ("#0", 0, "<unk>"),
        (f"#{king}", king, "king"),
        (f"#{last}", last, written),
        (f"#000{last}", last, written),
    ):
        assert find(forms, Record("x", expected=text)) == Known(form, id_, "expected")
    padding = int(np.flatnonzero(~forms.vocabulary.known_V)[0])
    count = len(forms.vocabulary)
    for number in (padding, count - 1, count, 10**10, 10**30):
        message = rf"the expected token #{number} is none; the head has {count} rows$"
        with pytest.raises(UsageError, match=message):
            find(forms, Record("x", expected=f"#{number}"))
    # These are texts, the first that of a token.
    assert find(forms, Record("xyz", expected="#")).token_id == id_of(forms, "<0x23>")
    for text in ("#-1", "#1_0", "#٣", "#1 "):
        assert find(forms, Record("xyz", expected=text)).token_id is None


def test_only_tokens_of_the_region_count(forms: Forms) -> None:
    fish = inside(forms, "🐟")
    king = id_of(forms, "▁king")
    assert find(fish, Record("xyz", expected="▁king")) == Known()
    assert find(fish, Record("xyz", expected=f"#{king}")) == Known()
    assert find(fish, Record("xyz", forms=("king", "🐟"))).form == "🐟"
    assert find(fish, Record("xyz", forms=("king", "🐴"))) == Known("king")
    assert find(fish, "horse") == Known("🐎")  # neither of its emoji is in the region
    assert find(inside(forms, "🐴"), "horse") == Known("🐴", id_of(forms, "🐴"), "name")
    # The first and the last of the region, and what would stand after them.
    two = inside(forms, "▁🐴", "🐟")
    assert find(two, Record("x", forms=("🐟",))).token_id == id_of(forms, "🐟")
    assert find(two, Record("x", expected="▁🐴")).token_id == id_of(forms, "▁🐴")
    assert find(two, Record("x", forms=("[bold red]",))).token_id is None
    with pytest.raises(UsageError):  # an id that is none is wrong wherever one looks
        find(fish, Record("x", expected="#99999"))


def test_forms_are_instead_of_names(forms: Forms) -> None:
    assert find(forms, Record("dog face", forms=("🦄", "🐠"))) == Known("🦄")
    assert find(forms, Record("king", forms=("🦄",))) == Known("🦄")  # its own spelling too
    assert find(forms, Record("xyz", forms=("🦄",), expected="🐠")).form == "🦄"


def test_a_concept_is_its_own_form(forms: Forms) -> None:
    assert find(forms, "king") == Known("king", id_of(forms, "▁king"), "form")
    assert find(forms, "🐟") == Known("🐟", id_of(forms, "🐟"), "form")
    assert find(forms, "xyz") == Known("xyz")
    assert find(forms, "horse").by == "form"  # of all tokens its own comes first
    assert find(forms, "dog face") == Known("🐶", id_of(forms, "🐶"), "name")


def test_in_a_region_a_concept_is_its_own_form_only_where_it_is_of_its_kind(forms: Forms) -> None:
    pictures = inside(forms, "🐴", "🐟", of_emoji=True)
    assert find(pictures, "king") == Known()
    assert find(pictures, "🐟") == Known("🐟", id_of(forms, "🐟"), "form")
    assert find(pictures, "🦄") == Known("🦄")  # an emoji, if one without a token
    assert find(pictures, "seahorse") == Known("🐠")
    others = inside(forms, "🐴", "🐟")  # where no emoji is asked for
    assert find(others, "🐟") == Known("🐟", id_of(forms, "🐟"), "form")
    assert find(others, "🦄") == Known()
    words = inside(forms, "▁king", "▁sea")
    assert find(words, "king") == Known("king", id_of(forms, "▁king"), "form")
    assert find(words, "queen") == Known()


def test_an_expression_has_neither_form_nor_name(forms: Forms) -> None:
    assert forms.find(Record("king")) == Known()
    assert forms.find(Record("horse")) == Known()
    given = Record("sea + horse", forms=("🐟",))
    assert forms.find(given).by == "form"
    expected = Record("sea + horse", expected="▁king")
    assert forms.find(expected).by == "expected"
    assert forms.find(Record("a + b", expected="🦄")) == Known()


@pytest.mark.parametrize("concept", ["HORSE", " Horse ", "hOrSe", "horse\n"])
def test_names_are_compared_without_case_and_space(forms: Forms, concept: str) -> None:
    found = find(inside(forms, "🐴"), concept)
    assert (found.form, found.by) == ("🐴", "name")
    assert find(inside(forms, "🐶"), "Dog \t FACE").by == "name"


def test_names_of_emoji_are_those_of_the_library() -> None:
    whole = emoji.STATUS["fully_qualified"]
    for language in ("en", "de", "ja"):
        emoji.config.load_language(language)
        wanted: dict[str, list[str]] = defaultdict(list)
        for alias in (False, True)[: 1 + (language == "en")]:
            for text, data in emoji.EMOJI_DATA.items():
                names = data.get("alias", []) if alias else [data.get(language, "")]
                for name in names if data["status"] == whole else ():
                    spoken = " ".join(name.strip(":").replace("_", " ").casefold().split())
                    if spoken and text not in wanted[spoken]:
                        wanted[spoken].append(text)
        found = written_for(language)
        assert {name: list(texts) for name, texts in found.items()} == {
            name: texts for name, texts in wanted.items() if texts
        }


def test_an_official_name_comes_before_an_alias() -> None:
    names = written_for("en")
    assert names["horse"][0] == "🐎"  # 🐴 is "horse face", and has the alias
    assert names["horse face"] == ("🐴",)
    assert all(isinstance(text, str) for texts in names.values() for text in texts)
    assert "" not in names
    assert "tropenfisch" not in names
    german = written_for("de")
    assert german["tropenfisch"] == ("🐠",)
    assert "horse face" not in german


def test_names_of_ones_own_come_last() -> None:
    pairs = [
        Pair("Sea  Horse", "🐡"),
        Pair("horse", "🦄"),
        Pair("horse", "🐎"),
        Pair("xyzzy", "y", 7),
    ]
    names, without = written_for("en", pairs), written_for("en")
    assert names["sea horse"] == ("🐡",)
    assert names["horse"] == (*without["horse"], "🦄")
    assert names["xyzzy"] == ("y",)
    assert {
        name: texts for name, texts in names.items() if name in without and name != "horse"
    } == {name: texts for name, texts in without.items() if name != "horse"}


def test_where_no_emoji_are_asked_for_only_names_of_ones_own_are_known() -> None:
    assert written_for(None) == {}
    pairs = [Pair("Sea  Horse", "🐡"), Pair("horse", "🦄"), Pair("horse", "🐎")]
    assert written_for(None, pairs) == {"sea horse": ("🐡",), "horse": ("🦄", "🐎")}


@pytest.mark.parametrize("concept", ['"dog face"', "'dog face'"])
def test_quotes_are_no_part_of_a_name(forms: Forms, concept: str) -> None:
    """The name is asked for, whatever the record says."""
    found = inside(forms, "🐶").find(Record(concept), name="dog face")
    assert found == Known("🐶", id_of(forms, "🐶"), "name")
    king = forms.find(Record('"king"'), name="king")
    assert king == Known("king", id_of(forms, "▁king"), "form")


def test_a_token_that_is_named_itself_is_that_token(forms: Forms) -> None:
    king, bare, byte = (id_of(forms, token) for token in ("▁king", "horse", "<0xF0>"))
    named = {king: "king", bare: "horse", byte: "<0xF0>"}  # a byte has no text of its own
    for id_, form in named.items():
        record = Record(f"#{id_}")
        assert forms.find(record, token_id=id_) == Known(form, id_, "form")
        assert inside(forms, "🐟").find(record, token_id=id_) == Known()
    record = Record(f"#{king}", forms=("🐟",))
    assert forms.find(record, token_id=king) == Known("king", king, "form")
    assert inside(forms, "🐟").find(record, token_id=king).form == "🐟"
    expected = Record(f"#{king}", expected="🐟")
    assert forms.find(expected, token_id=king) == Known("🐟", id_of(forms, "🐟"), "expected")
