"""Vocabularies of every family, made by hand and trained, against the tokenizers library."""

import json
import re
import sys
import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tokenizers import Tokenizer, decoders
from unembed.errors import UsageError, VocabularyError
from unembed.geometry.tokens.kinds import KINDS
from unembed.geometry.tokens.spelling import byte_alphabet
from unembed.geometry.tokens.vocabulary import Vocabulary, display
from unembed.indexes.store import Store

from .helpers import edited

Make = Callable[..., Path]
Open = Callable[[Path], Vocabulary]
PADDING = 3  # rows beyond the vocabulary, in each


def library(vocabulary: Vocabulary) -> Tokenizer:
    """The tokenizers library's own reading; it tidies no space before punctuation."""
    tokenizer = Tokenizer.from_file(str(vocabulary.path))
    if "WordPiece" in repr(tokenizer.decoder):
        tokenizer.decoder = decoders.WordPiece(cleanup=False)
    return tokenizer


def test_every_token_is_spelled_as_the_library_spells_it(vocabulary: Vocabulary) -> None:
    tokenizer = library(vocabulary)
    size = tokenizer.get_vocab_size()
    assert len(vocabulary) == size + PADDING
    assert np.flatnonzero(vocabulary.known_V).tolist() == list(range(size))
    for id_ in range(size):
        assert vocabulary.token(id_) == tokenizer.id_to_token(id_)
        assert vocabulary.id_of_token(vocabulary.token(id_)) == id_
    for id_ in range(size, size + PADDING):
        assert vocabulary.token(id_) == ""
        assert vocabulary.text(id_) == ""
        assert vocabulary.kind(id_) == "padding"
        assert vocabulary.display_text(id_) == ""
        assert vocabulary.lacks(id_) == 0
    for string in ("", "zebra", "\ud800", "\U0010ffff"):
        assert vocabulary.id_of_token(string) is None


def test_every_tokens_bytes_are_what_the_library_decodes(vocabulary: Vocabulary) -> None:
    tokenizer = library(vocabulary)
    letters = [id_ for id_ in range(len(vocabulary)) if vocabulary.kind(id_) == "continuation"]
    anchor = letters[0]  # what a decoder leaves out, it leaves out at the start of a text
    before = tokenizer.decode([anchor], skip_special_tokens=False)
    literal = tokenizer.get_added_tokens_decoder()
    for id_ in np.flatnonzero(vocabulary.known_V).tolist():
        text = vocabulary.token(id_)
        if id_ in literal and ("é" in text or "WordPiece" in repr(tokenizer.decoder)):
            continue  # the library takes an added é for a byte, and an added [CLS] for a word
        decoded = tokenizer.decode([anchor, id_], skip_special_tokens=False)
        written = vocabulary.written[id_]
        assert decoded.removeprefix(before) == written.decode(errors="replace"), text


def test_a_lookup_finds_each_text_and_nothing_else(vocabulary: Vocabulary) -> None:
    for id_ in np.flatnonzero(vocabulary.known_V).tolist():
        text = vocabulary.text(id_)
        assert (text is None) == (vocabulary.lacks(id_) != 0)
        if text is not None:
            found = vocabulary.id_of(text)
            assert found is not None
            assert vocabulary.text(found) == text
    for text in ("", "zebra", " zebra", "\U0010ffff", "\0\0", "\udc80"):
        assert vocabulary.id_of(text) is None


def test_every_kind_is_what_its_bytes_say(vocabulary: Vocabulary) -> None:
    special = {
        id_
        for id_, token in library(vocabulary).get_added_tokens_decoder().items()
        if token.special
    }
    for id_ in np.flatnonzero(vocabulary.known_V).tolist():
        kind, text, written = vocabulary.kind(id_), vocabulary.text(id_), vocabulary.written[id_]
        token = vocabulary.token(id_)
        assert kind in KINDS
        assert (kind == "unused") == ("unused" in token or "reserved" in token)
        assert (kind == "special") == (
            (id_ in special or token == "<unk>") and kind != "unused"  # noqa: S105
        )
        if kind == "whole-word":
            assert text is not None
            assert text[0] == " "
            assert text[1:].replace("\u200c", "").split() == [text[1:].replace("\u200c", "")]
            assert text[1].isalpha()
        elif kind == "continuation":
            assert text is not None
            assert token.startswith("##") or (text[0] != " " and " " not in text)
        elif kind == "byte":
            assert len(written) == 1
        elif kind == "fragment":
            assert text is None
            assert len(written) > 1
    kinds = {vocabulary.kind(id_) for id_ in range(len(vocabulary))}
    assert {"text", "whole-word", "continuation", "special", "padding"} <= kinds


def test_trained_vocabularies_have_all_the_kinds(trained: dict[str, Vocabulary]) -> None:
    kinds = {
        name: {KINDS[code] for code in vocabulary.kinds_V} for name, vocabulary in trained.items()
    }
    assert kinds["trained_byte_level"] == set(KINDS)
    assert kinds["trained_unigram"] == set(KINDS) - {"fragment"}
    assert kinds["trained_llama"] == set(KINDS) - {"fragment", "unused"}
    assert kinds["trained_wordpiece"] == set(KINDS) - {"fragment", "byte"}


def unescaped(shown: str) -> bytes:
    """Read the display form back."""
    assert shown[0] == shown[-1] == '"'

    def read(match: re.Match[str]) -> str:
        name = match[1]
        if name[0] == "x":
            value = int(name[1:], 16)
            return chr(value if value < 0x80 else 0xDC00 + value)
        if name[0] in "uU":
            return chr(int(name[1:], 16))
        return {"n": "\n", "r": "\r", "t": "\t"}.get(name, name)

    pattern = r'\\(x[0-9a-f]{2}|u[0-9a-f]{4}|U[0-9a-f]{8}|[nrt"\\])'
    return re.sub(pattern, read, shown[1:-1]).encode("utf-8", errors="surrogateescape")


def test_every_display_form_is_harmless_and_tells_the_bytes(vocabulary: Vocabulary) -> None:
    for id_ in np.flatnonzero(vocabulary.known_V).tolist():
        shown = vocabulary.display_text(id_)
        assert unescaped(shown) == vocabulary.written[id_]
        for char in shown + display(vocabulary.token(id_)):
            assert unicodedata.category(char)[0] not in "C" or char == "\u200d"
            assert unicodedata.category(char) not in ("Zl", "Zp")


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        (" sea", '" sea"'),
        ("\x1b[31m", r'"\x1b[31m"'),
        ("\u202e\x85\xad", r'"\u202e\u0085\u00ad"'),
        ('say "\\x"', r'"say \"\\x\""'),
    ],
)
def test_what_people_are_shown(
    open_vocabulary: Open, tmp_path: Path, written: str, shown: str
) -> None:
    vocabulary = open_vocabulary(bare(tmp_path, {written.replace(" ", "▁"): 0}))
    assert vocabulary.display_text(0) == shown


def bare(directory: Path, vocab: dict[str, Any], **parts: Any) -> Path:
    """Write a tokenizer of a few tokens."""
    content = {
        "model": {"type": "BPE", "vocab": vocab, "merges": []},
        "decoder": {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always"},
        **parts,
    }
    (directory / "tokenizer.json").write_text(json.dumps(content))
    return directory


@pytest.mark.parametrize("id_", [-1, 287, 10**9])
def test_an_id_without_a_row_is_refused(
    open_vocabulary: Open, make_checkpoint: Make, id_: int
) -> None:
    vocabulary = open_vocabulary(make_checkpoint("byte_level"))
    id_ = len(vocabulary) if id_ == 287 else id_
    for ask in (vocabulary.token, vocabulary.text, vocabulary.kind, vocabulary.lacks):
        with pytest.raises(UsageError, match=r"no token has the id .*; the ids are 0 to \d+"):
            ask(id_)
    with pytest.raises(UsageError, match="no token has the id"):
        vocabulary.display_text(id_)


def test_a_whole_token_comes_before_a_byte_token(
    open_vocabulary: Open, make_checkpoint: Make
) -> None:
    vocabulary = open_vocabulary(make_checkpoint("sentencepiece"))
    for text, token in (("a", "a"), ("b", "b"), (" ", "▁")):
        found = vocabulary.id_of(text)
        assert found is not None
        assert vocabulary.token(found) == token
    only_byte = vocabulary.id_of("z")
    assert only_byte is not None
    assert vocabulary.token(only_byte) == "<0x7A>"


def test_word_pieces_are_words_with_a_space_and_continuations_without(
    open_vocabulary: Open,
    make_checkpoint: Make,
) -> None:
    vocabulary = open_vocabulary(make_checkpoint("wordpiece"))
    texts = {vocabulary.token(id_): vocabulary.text(id_) for id_ in range(len(vocabulary))}
    assert (texts["king"], texts["##ing"], texts["[CLS]"]) == (" king", "ing", "[CLS]")


def test_an_added_token_of_a_byte_vocabulary_is_text(
    open_vocabulary: Open, make_checkpoint: Make
) -> None:
    """Its é is no byte E9."""
    vocabulary = open_vocabulary(make_checkpoint("byte_level"))
    found = vocabulary.id_of("café")
    assert found is not None
    assert vocabulary.text(found) == "café"


def test_the_byte_alphabet_is_a_bijection_without_normalisation() -> None:
    alphabet = byte_alphabet()
    assert sorted(alphabet.values()) == list(range(256))
    assert alphabet["Ĳ"] == 0x90  # U+0132, which NFKC would break in two


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[31mred", r"\x1b[31mred"),
        ("a\nb\tc\x7f", r"a\nb\tc\x7f"),
        ("\u202eabc\u2066", r"\u202eabc\u2066"),
        ("\u2028\ue000\ufeff", r"\u2028\ue000\ufeff"),
        ("\x85\xad", r"\u0085\u00ad"),
        ("👩‍🚀 ❤️ é ▁ <b>", "👩‍🚀 ❤️ é ▁ <b>"),
    ],
)
def test_what_is_displayed_does_no_harm(text: str, shown: str) -> None:
    assert display(text) == shown


def test_an_added_token_may_take_the_place_of_another(make_checkpoint: Make) -> None:
    def edit(content: dict[str, Any]) -> None:
        content["added_tokens"].append({"id": 5, "content": "<mine>", "special": True})

    path = edited(make_checkpoint(), edit) / "tokenizer.json"
    vocabulary = Vocabulary.open(path, rows=300, store=Store(path.parent / "store"))
    assert (vocabulary.token(5), vocabulary.kind(5)) == ("<mine>", "special")
    assert vocabulary.id_of_token("<0x03>") is None


def test_an_added_token_of_word_pieces_is_text_as_it_stands(make_checkpoint: Make) -> None:
    def edit(content: dict[str, Any]) -> None:
        content["added_tokens"].append({"id": 2, "content": "##7", "special": False})

    path = edited(make_checkpoint("wordpiece"), edit) / "tokenizer.json"
    vocabulary = Vocabulary.open(path, rows=300, store=Store(path.parent / "store"))
    assert (vocabulary.text(2), vocabulary.kind(2)) == ("##7", "text")


def test_every_replacement_of_a_decoder_counts(
    open_vocabulary: Open, make_checkpoint: Make
) -> None:
    def edit(content: dict[str, Any]) -> None:
        step = {"type": "Replace", "pattern": {"String": "ueen"}, "content": "@"}
        content["decoder"]["decoders"].append(step)

    vocabulary = open_vocabulary(edited(make_checkpoint(), edit))
    assert vocabulary.id_of(" q@") is not None


def test_a_missing_tokenizer_is_named(tmp_path: Path) -> None:
    with pytest.raises(VocabularyError, match=r"the head's tokenizer is needed: .*tokenizer\.json"):
        Vocabulary.open(tmp_path / "tokenizer.json", rows=3, store=Store(tmp_path / "store"))


@pytest.mark.parametrize("changed", ["importlib.metadata.version", "unicodedata.unidata_version"])
def test_kinds_are_made_again_of_another_unicode(
    open_vocabulary: Open, make_checkpoint: Make, monkeypatch: pytest.MonkeyPatch, changed: str
) -> None:
    directory = make_checkpoint()
    before = open_vocabulary(directory)
    monkeypatch.setitem(sys.modules, "regex", None)  # its version is told without loading it
    other = "0.0" if "unidata" in changed else lambda name: f"{name} 0.0"
    monkeypatch.setattr(changed, other)
    after = open_vocabulary(directory)
    assert before.key != after.key
    assert len(list((directory / "store").glob("vocabulary-*"))) == 2


def test_a_second_opening_does_not_parse_the_tokenizer(
    open_vocabulary: Open, make_checkpoint: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory = make_checkpoint()
    first = open_vocabulary(directory)
    monkeypatch.setattr("unembed.geometry.tokens.vocabulary.make_table", None)
    second = open_vocabulary(directory)
    for name, value in vars(first).items():
        if isinstance(value, np.ndarray):
            np.testing.assert_array_equal(value, getattr(second, name))
    assert list(first.strings) == list(second.strings)
    assert list(first.written) == list(second.written)
    assert (first.unknown_id, first.key) == (second.unknown_id, second.key)
