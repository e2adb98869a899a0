"""Every token of both real heads: its kind by another definition, its bytes, its display."""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterator

import numpy as np
import pytest
from tokenizers import Tokenizer
from unembed import open_head
from unembed.geometry.demos.demo import demo_directory
from unembed.geometry.tokens.kinds import KINDS
from unembed.geometry.tokens.other_files import TOKENIZER
from unembed.geometry.tokens.vocabulary import Vocabulary
from unembed.indexes.store import Store, cache_directory

pytestmark = pytest.mark.real

ROWS = {"demo": 262_144, "demo-bytes": 51_865}
COUNTS = {
    "demo": {
        "whole-word": 135_934,
        "continuation": 86_030,
        "text": 33_675,
        "unused": 6_242,
        "byte": 256,
        "special": 7,
    },
    "demo-bytes": {
        "whole-word": 33_407,
        "continuation": 12_683,
        "text": 2_691,
        "padding": 1_501,
        "fragment": 1_348,
        "byte": 128,
        "special": 107,
    },
}
# What Unicode's names of letters begin with, in scripts that write no spaces between words.
SPACELESS = (
    "CJK UNIFIED",
    "CJK COMPATIBILITY",
    "HIRAGANA",
    "KATAKANA",
    "HALFWIDTH KATAKANA",
    "BOPOMOFO",
    "IDEOGRAPHIC",
    "VERTICAL IDEOGRAPHIC",
    "YI SYLLABLE",
    "THAI",
    "LAO",
    "KHMER",
    "MYANMAR",
    "TIBETAN",
    "JAVANESE",
    "BALINESE",
    "TAI LE",
    "NEW TAI LUE",
    "TAI THAM",
    "TAI VIET",
)


@pytest.fixture(scope="module", params=["demo", "demo-bytes"])
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def vocabulary(name: str, tmp_path_factory: pytest.TempPathFactory) -> Vocabulary:
    path = demo_directory(name, cache_directory()) / TOKENIZER
    return Vocabulary.open(path, rows=ROWS[name], store=Store(tmp_path_factory.mktemp("store")))


@pytest.fixture(scope="module")
def tokenizer(vocabulary: Vocabulary) -> Tokenizer:
    return Tokenizer.from_file(str(vocabulary.path))


def is_word(text: str) -> bool:
    """One word, by the categories and names of Python's own Unicode data."""
    parts = re.split("['’‐-]", re.sub("[\u200c\u200d]", "", text))
    return all(
        part
        and all(
            (char.isalpha() or unicodedata.category(char) in ("Mn", "Mc"))
            and not "\ufe00" <= char <= "\ufe0f"
            for char in part
        )
        for part in parts
    )


def kinds_of(vocabulary: Vocabulary, tokenizer: Tokenizer) -> Iterator[str]:
    """Say every row's kind from what the library tells of it."""
    added = tokenizer.get_added_tokens_decoder()
    for id_ in range(len(vocabulary)):
        token = tokenizer.id_to_token(id_)
        if token is None:
            yield "padding"
            continue
        text = tokenizer.decode([id_], skip_special_tokens=False)
        if token.startswith("<unused") and token.endswith(">"):
            yield "unused"
        elif id_ in added and added[id_].special:
            yield "special"
        elif re.fullmatch("<0x[0-9A-F]{2}>", token) or (
            len(token) == 1 and vocabulary.text(id_) is None
        ):
            yield "byte"
        elif vocabulary.text(id_) is None:
            assert "\ufffd" in text
            yield "fragment"
        elif text[:1] == " " and is_word(text[1:]) and text[1].isalpha():
            yield "whole-word"
        elif is_word(text) and not any(
            char.isalpha() and unicodedata.name(char).startswith(SPACELESS) for char in text
        ):
            yield "continuation"
        else:
            yield "text"


def test_every_token_is_of_its_kind(vocabulary: Vocabulary, tokenizer: Tokenizer) -> None:
    wrong = [
        (vocabulary.display_text(id_), vocabulary.kind(id_), wanted)
        for id_, wanted in enumerate(kinds_of(vocabulary, tokenizer))
        if vocabulary.kind(id_) != wanted
    ]
    assert not wrong


def test_the_kinds_are_those_that_were_counted(name: str, vocabulary: Vocabulary) -> None:
    assert Counter(KINDS[code] for code in vocabulary.kinds_V) == COUNTS[name]


def test_every_fragment_lacks_bytes(name: str, vocabulary: Vocabulary) -> None:
    for id_ in range(len(vocabulary)):
        kind, lacks = vocabulary.kind(id_), vocabulary.lacks(id_)
        if kind == "fragment":
            assert lacks is not None
            assert 1 <= lacks <= 4
        elif kind != "byte":
            assert lacks == 0
    never = [id_ for id_ in range(len(vocabulary)) if vocabulary.lacks(id_) is None]
    # C0, C1 and F5 to FF stand in no UTF-8.
    wanted = [bytes([byte]) for byte in (0xC0, 0xC1, *range(0xF5, 0x100))]
    assert sorted(vocabulary.written[id_] for id_ in never) == wanted


def test_every_display_form_is_harmless(vocabulary: Vocabulary) -> None:
    for id_ in np.flatnonzero(vocabulary.known_V).tolist():
        shown = vocabulary.display_text(id_)
        assert shown[0] == shown[-1] == '"'
        for char in shown:
            assert char == "\u200d" or unicodedata.category(char) not in (
                "Cc",
                "Cf",
                "Co",
                "Cs",
                "Zl",
                "Zp",
            )


def test_every_string_is_found(vocabulary: Vocabulary, tokenizer: Tokenizer) -> None:
    for id_ in np.flatnonzero(vocabulary.known_V).tolist():
        assert vocabulary.id_of_token(tokenizer.id_to_token(id_)) == id_


def test_a_word_is_split_as_the_library_splits_it(
    vocabulary: Vocabulary, tokenizer: Tokenizer
) -> None:
    for text in (
        " seahorse",
        "antidisestablishment",
        "Ĳ naïve 東京 हिन्दी 🐴\n\tend",
        "👩‍🚀",
        "\x00",
    ):
        ids = vocabulary.split(text)
        assert list(ids) == tokenizer.encode(text, add_special_tokens=False).ids
        assert b"".join(vocabulary.written[id_] for id_ in ids) == text.encode()
    assert vocabulary.split(" seahorse") == vocabulary.split("seahorse", leading_space=True)


def test_rows_that_are_nearly_the_same_are_those_that_were_never_trained() -> None:
    found = open_head("demo").examine()
    groups = [set(group) for group in found.alike]
    assert len(groups[0]) > 5_000
    assert found.undertrained is not None
    untrained = set(found.undertrained.unused_U.tolist()) | set(found.suspected_N.tolist())
    assert set().union(*groups) <= untrained
    (whisper,) = open_head("demo-bytes").examine().alike
    assert {0xC0, 0xC1, *range(0xF5, 0x100)} <= {
        byte for id_ in whisper for byte in open_head("demo-bytes").vocabulary.written[id_]
    }
