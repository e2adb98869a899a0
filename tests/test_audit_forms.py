"""Which token stands for a concept: the expected one, then its forms, then what has its name."""

from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

import emoji
import numpy as np
import pytest
from unembed.errors import UsageError
from unembed.geometry.audit.forms import Forms, Known, emoji_names
from unembed.geometry.audit.record import Record
from unembed.geometry.concepts.pairs import Pair
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


def inside(forms: Forms, *tokens: str) -> Forms:
    """Let only some tokens count."""
    return Forms(forms.vocabulary, forms.names, np.sort([id_of(forms, token) for token in tokens]))


def id_of(forms: Forms, token: str) -> int:
    id_ = forms.vocabulary.id_of_token(token)
    assert id_ is not None
    return id_


def test_what_is_expected_comes_before_a_form_and_a_form_before_a_name(forms: Forms) -> None:
    pictures = inside(forms, "🐴", "🐟", "🐶", "▁🐴")
    fish, dog = id_of(forms, "🐟"), id_of(forms, "🐶")
    everything = Record("dog face", forms=("🐠", "🐟"), expected="▁🐴")
    assert pictures.find(everything) == Known("▁🐴", id_of(forms, "▁🐴"), "expected")
    assert pictures.find(Record("dog face", forms=("🐠", "🐟"))) == Known("🐟", fish, "form")
    assert pictures.find(Record("dog face")) == Known("🐶", dog, "name")
    # An expected text that is no token leaves the others their turn.
    assert pictures.find(Record("dog face", expected="🐠")) == Known("🐶", dog, "name")
    found = pictures.find(Record("dog face", forms=("🐟",), expected="🐠"))
    assert found == Known("🐟", fish, "form")


def test_a_token_inside_a_text_comes_before_the_bare_one(forms: Forms) -> None:
    horse, bare = id_of(forms, "▁horse"), id_of(forms, "horse")
    assert horse != bare
    assert forms.find(Record("x", forms=("horse",))).token_id == horse
    assert forms.find(Record("x", expected="horse")) == Known("horse", bare, "expected")
    assert inside(forms, "horse").find(Record("x", forms=("horse",))).token_id == bare
    assert forms.find(Record("x", forms=("🐴",))).token_id == id_of(forms, "▁🐴")


@pytest.mark.parametrize(
    ("expected", "token"),
    [
        ("▁king", "▁king"),  # the vocabulary's own string
        ("king", "▁king"),  # its text, inside a text
        (" king", "▁king"),  # its text as it is
        ("❤️", "❤️"),
        ("<bos>", "<bos>"),
        ("<0xF0>", "<0xF0>"),
    ],
)
def test_what_is_expected_is_a_string_or_a_text(forms: Forms, expected: str, token: str) -> None:
    found = forms.find(Record("x", expected=expected))
    assert found == Known(expected, id_of(forms, token), "expected")


def test_what_is_expected_may_be_an_id(forms: Forms) -> None:
    last = int(np.flatnonzero(forms.vocabulary.known_V)[-1])
    for text, id_ in (("#0", 0), (f"#{last}", last), (f"#000{last}", last)):
        assert forms.find(Record("x", expected=text)) == Known(text, id_, "expected")
    padding = int(np.flatnonzero(~forms.vocabulary.known_V)[0])
    count = len(forms.vocabulary)
    for number in (padding, count - 1, count, 10**10, 10**30):
        message = rf"the expected token #{number} is none; the head has {count} rows$"
        with pytest.raises(UsageError, match=message):
            forms.find(Record("x", expected=f"#{number}"))
    # These are texts, the first that of a token.
    assert forms.find(Record("xyz", expected="#")).token_id == id_of(forms, "<0x23>")
    for text in ("#-1", "#1_0", "#٣", "#1 "):
        assert forms.find(Record("xyz", expected=text)).token_id is None


def test_only_tokens_of_the_region_count(forms: Forms) -> None:
    fish = inside(forms, "🐟")
    king = id_of(forms, "▁king")
    assert fish.find(Record("xyz", expected="▁king")) == Known("▁king")
    assert fish.find(Record("xyz", expected=f"#{king}")) == Known(f"#{king}")
    assert fish.find(Record("xyz", forms=("king", "🐟"))).form == "🐟"
    assert fish.find(Record("xyz", forms=("king", "🐴"))) == Known("king")
    assert fish.find(Record("horse")) == Known("🐎")  # neither of its emoji is in the region
    assert inside(forms, "🐴").find(Record("horse")) == Known("🐴", id_of(forms, "🐴"), "name")
    # The first and the last of the region, and what would stand after them.
    two = inside(forms, "▁🐴", "🐟")
    assert two.find(Record("x", forms=("🐟",))).token_id == id_of(forms, "🐟")
    assert two.find(Record("x", expected="▁🐴")).token_id == id_of(forms, "▁🐴")
    assert two.find(Record("x", forms=("[bold red]",))).token_id is None
    with pytest.raises(UsageError):  # an id that is none is wrong wherever one looks
        fish.find(Record("x", expected="#99999"))


def test_forms_are_instead_of_names(forms: Forms) -> None:
    assert forms.find(Record("dog face", forms=("🦄", "🐠"))) == Known("🦄")
    assert forms.find(Record("king", forms=("🦄",))) == Known("🦄")  # its own spelling too
    assert forms.find(Record("xyz", forms=("🦄",), expected="🐠")).form == "🦄"


def test_a_concept_is_its_own_form(forms: Forms) -> None:
    assert forms.find(Record("king")) == Known("king", id_of(forms, "▁king"), "form")
    assert forms.find(Record("🐟")) == Known("🐟", id_of(forms, "🐟"), "form")
    assert forms.find(Record("xyz")) == Known("xyz")
    assert forms.find(Record("horse")).by == "form"  # of all tokens its own comes first
    assert forms.find(Record("dog face")) == Known("🐶", id_of(forms, "🐶"), "name")


def test_in_a_region_a_concept_is_its_own_form_only_where_it_is_of_its_kind(forms: Forms) -> None:
    pictures = inside(forms, "🐴", "🐟")
    assert pictures.find(Record("king")) == Known()
    assert pictures.find(Record("🐟")) == Known("🐟", id_of(forms, "🐟"), "form")
    assert pictures.find(Record("🦄")) == Known("🦄")  # an emoji, if one without a token
    assert pictures.find(Record("seahorse")) == Known("🐠")
    words = inside(forms, "▁king", "▁sea")
    assert words.find(Record("king")) == Known("king", id_of(forms, "▁king"), "form")
    assert words.find(Record("queen")) == Known()


def test_an_expression_has_neither_form_nor_name(forms: Forms) -> None:
    assert forms.find(Record("king"), is_name=False) == Known()
    assert forms.find(Record("horse"), is_name=False) == Known()
    given = Record("sea + horse", forms=("🐟",))
    assert forms.find(given, is_name=False).by == "form"
    expected = Record("sea + horse", expected="▁king")
    assert forms.find(expected, is_name=False).by == "expected"
    assert forms.find(Record("a + b", expected="🦄"), is_name=False) == Known("🦄")


@pytest.mark.parametrize("concept", ["HORSE", " Horse ", "hOrSe", "horse\n"])
def test_names_are_compared_without_case_and_space(forms: Forms, concept: str) -> None:
    found = inside(forms, "🐴").find(Record(concept))
    assert (found.form, found.by) == ("🐴", "name")
    assert inside(forms, "🐶").find(Record("Dog \t FACE")).by == "name"


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
        found = emoji_names(language)
        assert {name: list(texts) for name, texts in found.items()} == {
            name: texts for name, texts in wanted.items() if texts
        }


def test_an_official_name_comes_before_an_alias() -> None:
    names = emoji_names("en")
    assert names["horse"][0] == "🐎"  # 🐴 is "horse face", and has the alias
    assert names["horse face"] == ("🐴",)
    assert all(isinstance(text, str) for texts in names.values() for text in texts)
    assert "" not in names
    assert "tropenfisch" not in names
    german = emoji_names("de")
    assert german["tropenfisch"] == ("🐠",)
    assert "horse face" not in german


def test_names_of_ones_own_come_last() -> None:
    pairs = [
        Pair("Sea  Horse", "🐡"),
        Pair("horse", "🦄"),
        Pair("horse", "🐎"),
        Pair("xyzzy", "y", 7),
    ]
    names, without = emoji_names("en", pairs), emoji_names("en")
    assert names["sea horse"] == ("🐡",)
    assert names["horse"] == (*without["horse"], "🦄")
    assert names["xyzzy"] == ("y",)
    assert {
        name: texts for name, texts in names.items() if name in without and name != "horse"
    } == {name: texts for name, texts in without.items() if name != "horse"}


@pytest.mark.xfail(strict=True, reason="what is named in quotes is looked up with its quotes")
@pytest.mark.parametrize("concept", ['"dog face"', "'dog face'"])
def test_quotes_are_no_part_of_a_name(forms: Forms, concept: str) -> None:
    assert inside(forms, "🐶").find(Record(concept)).by == "name"
