"""How texts are spelled in pieces, and who shares their first ones: against brute force."""

import unicodedata
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer
from unembed import open_head
from unembed.geometry.audit import spelling
from unembed.geometry.audit.spelling import Spelled, Speller
from unembed.geometry.tokens.vocabulary import Vocabulary

from .conftest import Make

Open = Callable[[Path], Vocabulary]
# Of two, three and four bytes; some are tokens, some are not.
SOME = [*map(chr, range(0xE0, 0x180)), *map(chr, range(0x4E00, 0x4E60))]
SOME += [*map(chr, range(0x1F400, 0x1F43F)), *map(chr, range(0x1F920, 0x1F950))]


@pytest.fixture(autouse=True)
def _few_characters(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Look for siblings among some characters: all of them take seconds for each vocabulary."""
    if "every" not in request.node.name:
        monkeypatch.setattr(spelling, "_characters", lambda: iter(SOME))


def brute(vocabulary: Vocabulary, form: str, characters: Iterable[str]) -> Spelled | None:
    """Compare a text with every character, one by one."""
    splits = [(vocabulary.split(form, leading_space=spaced), spaced) for spaced in (True, False)]
    splits = [(ids, spaced) for ids, spaced in splits if ids]
    if not splits:
        return None
    shortest = min(len(ids) for ids, _ in splits)
    ids, spaced = next(split for split in splits if len(split[0]) == shortest)
    fragments = sum(not whole(vocabulary, id_) for id_ in ids)
    if not fragments:
        return Spelled(form, ids, 0, None, ())
    shared: dict[str, int] = {}
    for other in characters:
        theirs = vocabulary.split(other, leading_space=spaced)
        if other == form or all(whole(vocabulary, id_) for id_ in theirs):
            continue
        count = 0
        for own, their in zip(ids[:-1], theirs[:-1], strict=False):
            if own != their:
                break
            count += 1
        if count:
            shared[other] = count
    most = max(shared.values(), default=0)
    return Spelled(form, ids, fragments, most, siblings_of(shared, most))


def siblings_of(shared: dict[str, int], most: int) -> tuple[str, ...]:
    return tuple(sorted(other for other, count in shared.items() if count == most)[:64])


def whole(vocabulary: Vocabulary, id_: int) -> bool:
    """Tell whether what a token writes is UTF-8 for itself."""
    try:
        vocabulary.written[id_].decode()
    except UnicodeDecodeError:
        return False
    return True


def test_it_is_what_brute_force_finds(vocabulary: Vocabulary) -> None:
    speller = Speller(vocabulary)
    texts = [*SOME[::9], "🐴", "🐠", "🐙", "🦄", "❤️", "👩‍🚀", "🐠🐠", "seahorse", "🐠 sea", "é"]
    for text in texts:
        assert speller.spell(text) == brute(vocabulary, text, SOME), text


def test_pieces_of_bytes_are_shared(make_checkpoint: Make, open_vocabulary: Open) -> None:
    vocabulary = open_vocabulary(make_checkpoint("byte_level"))
    spelled = Speller(vocabulary).spell("🐠")
    assert spelled is not None
    # 🐴 is a token of F0 9F 90 B4 here, and its first three bytes are one.
    assert [vocabulary.written[id_] for id_ in spelled.token_ids] == [b"\xf0\x9f\x90", b"\xa0"]
    assert (spelled.fragments, spelled.shared) == (2, 1)
    wanted = [chr(code) for code in range(0x1F400, 0x1F43F) if code != 0x1F420]
    assert list(spelled.siblings) == [text for text in wanted if text not in "🐴🐟🐶"]


def test_the_first_siblings_are_listed(make_checkpoint: Make, open_vocabulary: Open) -> None:
    vocabulary = open_vocabulary(make_checkpoint("sentencepiece"))
    spelled = Speller(vocabulary).spell("🦄")
    assert spelled is not None
    assert (len(spelled.token_ids), spelled.fragments, spelled.shared) == (4, 4, 2)
    # Of one with many siblings the 64 with the lowest code points; it is not one of them itself.
    first = Speller(vocabulary).spell("丐")
    assert first is not None
    assert first.siblings == tuple(chr(code) for code in range(0x4E00, 0x4E40) if code != 0x4E10)
    assert len(first.siblings) == 63
    accents = Speller(vocabulary).spell("ᐁ")  # E1 90 81
    assert accents is not None
    assert (accents.shared, accents.siblings) == (0, ())


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("king", ["Ġking"]),  # inside a text it is one, at the start of one four
        ("🐴", ["ðŁĲ´"]),  # here it would be two after a space
        ("kink", ["Ġkin", "k"]),
        ("café", ["café"]),
        ("fishking", ["Ġfish", *"king"]),
    ],
)
def test_the_shorter_split_is_taken(
    make_checkpoint: Make, open_vocabulary: Open, text: str, tokens: list[str]
) -> None:
    vocabulary = open_vocabulary(make_checkpoint("byte_level"))
    spelled = Speller(vocabulary).spell(text)
    assert spelled is not None
    assert list(map(vocabulary.token, spelled.token_ids)) == tokens
    assert spelled == Spelled(text, spelled.token_ids, 0, None, ())


@pytest.mark.parametrize(
    ("family", "texts"),
    [
        ("wordpiece", ["🐠", "seahorse", "東"]),
        ("unigram", ["🐠", "東"]),
        ("sentencepiece", ["\ud83d"]),
        ("byte_level", ["\ud83d"]),
    ],
)
def test_what_cannot_be_written_is_not_spelled(
    make_checkpoint: Make, open_vocabulary: Open, family: str, texts: Sequence[str]
) -> None:
    speller = Speller(open_vocabulary(make_checkpoint(family)))
    assert [speller.spell(text) for text in texts] == [None] * len(texts)
    assert speller.spell("king") is not None


@given(text=st.text(st.characters(), max_size=6))
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_any_text_is_spelled_or_not(trained: dict[str, Vocabulary], text: str) -> None:
    for vocabulary in trained.values():
        spelled = Speller(vocabulary).spell(text)
        if spelled is not None:
            assert spelled.token_ids
            assert 0 <= spelled.fragments <= len(spelled.token_ids)
            assert (spelled.shared is None) == (spelled.fragments == 0)
            assert text not in spelled.siblings


def test_every_assigned_character_beyond_ascii_is_looked_at() -> None:
    found = list(spelling._characters())
    assert found == sorted(found)
    assert (found[0], "🐠" in found, "\ud83d" in found, "\ue000" in found, "a" in found) == (
        "\x80",
        True,
        False,
        False,
        False,
    )
    kinds = {unicodedata.category(chr(code)) for code in range(0x80, 0x110000)}
    assert {unicodedata.category(text) for text in found} == kinds - {"Cn", "Co", "Cs"}
    assert len(found) == sum(
        unicodedata.category(chr(code)) not in ("Cn", "Co", "Cs") for code in range(0x80, 0x110000)
    )


@pytest.mark.real
def test_every_character_is_compared_on_a_real_head() -> None:
    """By the tokenizers library alone, all at once."""
    head = open_head("demo-bytes")
    tokenizer = Tokenizer.from_file(str(head.path.parent / "tokenizer.json"))
    spelled = Speller(head.vocabulary).spell("🐠")
    assert spelled is not None
    characters = list(spelling._characters())
    # A space takes part in the first piece here: "Ġ" and the first bytes of an emoji are one.
    texts = [f" {text}" for text in characters]
    splits = [tuple(split.ids) for split in tokenizer.encode_batch(texts, add_special_tokens=False)]
    own = splits[characters.index("🐠")]
    assert spelled.token_ids == own
    shared = {}
    for text, ids in zip(characters, splits, strict=True):
        count = next((place for place in range(len(own) - 1) if own[place] != ids[place]), 1)
        if text != "🐠" and count == 1 and len(ids) > 1:
            shared[text] = 1
    assert (len(own), spelled.shared, spelled.fragments) == (2, 1, 2)
    assert spelled.siblings == siblings_of(shared, 1)
    assert {"🐟", "🐴"} <= set(spelled.siblings)
