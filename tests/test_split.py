"""A text to the tokens that the tokenizer writes it in."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import tokenizers
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer
from unembed.errors import VocabularyError
from unembed.geometry.tokens.vocabulary import Vocabulary

Make = Callable[..., Path]
Open = Callable[[Path], Vocabulary]
WORDS = [
    "king",
    "seahorse",
    "don't",
    "naïve",
    "e\u0301te",
    "東京",
    "🐴",
    "👩‍🚀",
    "a b",
    "Ĳ",
    "7",
    "\n",
]


def joined(vocabulary: Vocabulary, ids: tuple[int, ...]) -> bytes:
    return b"".join(vocabulary.written[id_] for id_ in ids)


def test_a_split_is_the_librarys_own_or_none(vocabulary: Vocabulary) -> None:
    tokenizer = Tokenizer.from_file(str(vocabulary.path))
    unknown = vocabulary.unknown_id
    for word in WORDS:
        wanted = tokenizer.encode(word, add_special_tokens=False).ids
        assert vocabulary.split(word) == (() if unknown in wanted else tuple(wanted)), word


@given(text=st.text(max_size=12))
def test_the_bytes_of_a_split_join_to_the_text(trained: dict[str, Vocabulary], text: str) -> None:
    byte_level = trained["trained_byte_level"]
    assert joined(byte_level, byte_level.split(text)) == text.encode()
    ids = byte_level.split(text, leading_space=True)
    assert joined(byte_level, ids) == f" {text}".encode()


@pytest.mark.parametrize("name", ["trained_byte_level", "trained_llama", "trained_unigram"])
@pytest.mark.parametrize("word", [word for word in WORDS if word != "\n"])
def test_a_word_is_split_as_it_stands_after_a_space(
    trained: dict[str, Vocabulary], name: str, word: str
) -> None:
    """Llama's normaliser and Metaspace put a space before a text by themselves."""
    ids = trained[name].split(word, leading_space=True)
    assert joined(trained[name], ids) == f" {word}".encode()


def test_a_normalising_tokenizer_writes_what_it_makes_of_a_word(
    trained: dict[str, Vocabulary],
) -> None:
    vocabulary = trained["trained_wordpiece"]
    for word in ("King", "KING", "king", "ki\u0301ng", "kíng", "ki\u200bng"):
        for leading_space in (False, True):
            ids = vocabulary.split(word, leading_space=leading_space)
            assert joined(vocabulary, ids) == b" king", word


def test_what_is_unknown_has_no_tokens(
    make_checkpoint: Make, open_vocabulary: Open, trained: dict[str, Vocabulary]
) -> None:
    for vocabulary in (open_vocabulary(make_checkpoint("unigram")), trained["trained_wordpiece"]):
        for text in ("ζ", "king ζ", "ζ king"):
            assert vocabulary.split(text) == ()
            assert vocabulary.split(text, leading_space=True) == ()


def test_half_a_surrogate_pair_has_no_tokens(vocabulary: Vocabulary) -> None:
    for text in ("\ud800", "king\udc80"):
        assert vocabulary.split(text) == ()
        assert vocabulary.split(text, leading_space=True) == ()


def rewritten(directory: Path, **parts: Any) -> Path:
    path = directory / "tokenizer.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | parts))
    return directory


def test_a_tokenizer_that_leaves_out_what_it_cannot_write_is_found_out(
    tmp_path: Path, open_vocabulary: Open
) -> None:
    """It has no unknown token and not all bytes: it writes a🐴b as ab, and a part of 🐴."""
    content: dict[str, Any] = {
        "added_tokens": [],
        "pre_tokenizer": {
            "type": "ByteLevel",
            "add_prefix_space": False,
            "trim_offsets": True,
            "use_regex": True,
        },
        "decoder": {
            "type": "ByteLevel",
            "add_prefix_space": True,
            "trim_offsets": True,
            "use_regex": True,
        },
        "model": {"type": "BPE", "vocab": {"a": 0, "b": 1, "ð": 2}, "merges": []},
    }
    for number, normalizer in enumerate([None, {"type": "Lowercase"}]):
        directory = tmp_path / str(number)
        directory.mkdir()
        (directory / "tokenizer.json").write_text(json.dumps(content | {"normalizer": normalizer}))
        vocabulary = open_vocabulary(directory)
        assert vocabulary.split("ab") == (0, 1)
        assert vocabulary.split("a🐴b") == ()
        assert vocabulary.split("🐴") == ()
        assert vocabulary.split("<bos>") == ()
    assert vocabulary.split("AB") == (0, 1)


def test_special_tokens_padding_truncation_and_chance_are_left_out(
    make_checkpoint: Make, open_vocabulary: Open
) -> None:
    directory = make_checkpoint("byte_level")
    wanted = open_vocabulary(directory).split("king queen sea horse")
    model = json.loads((directory / "tokenizer.json").read_text())["model"]
    rewritten(
        directory,
        model=model | {"dropout": 0.5},
        post_processor={
            "type": "TemplateProcessing",
            "single": [
                {"SpecialToken": {"id": "end", "type_id": 0}},
                {"Sequence": {"id": "A", "type_id": 0}},
            ],
            "pair": [{"Sequence": {"id": "A", "type_id": 0}}],
            "special_tokens": {"end": {"id": "end", "ids": [0], "tokens": ["!"]}},
        },
        truncation={
            "direction": "Right",
            "max_length": 2,
            "strategy": "LongestFirst",
            "stride": 0,
        },
        padding={
            "strategy": {"Fixed": 99},
            "direction": "Right",
            "pad_to_multiple_of": None,
            "pad_id": 0,
            "pad_type_id": 0,
            "pad_token": "a",
        },
    )
    vocabulary = open_vocabulary(directory)
    assert len(wanted) < 10
    assert {vocabulary.split("king queen sea horse") for _ in range(20)} == {wanted}


def test_ids_beyond_the_rows_have_no_token(make_checkpoint: Make, open_vocabulary: Open) -> None:
    """The file became another one after the head was opened."""
    directory = make_checkpoint("wordpiece")
    vocabulary = open_vocabulary(directory)
    content = json.loads((directory / "tokenizer.json").read_text())
    content["model"]["vocab"] |= {"king": len(vocabulary) - 1, "man": len(vocabulary)}
    rewritten(directory, **content)
    assert vocabulary.split("king") == ()  # a row of padding
    assert vocabulary.split("man") == ()
    assert vocabulary.split("woman") != ()


def test_only_a_split_loads_the_library(make_checkpoint: Make, open_vocabulary: Open) -> None:
    vocabulary = open_vocabulary(make_checkpoint())
    vocabulary.id_of(" king"), vocabulary.id_of_token("▁king"), vocabulary.kind(5)
    assert "_tokenizer" not in vars(vocabulary)
    vocabulary.split("king")
    loaded = vars(vocabulary)["_tokenizer"]
    vocabulary.split("queen")
    assert vars(vocabulary)["_tokenizer"] is loaded


def test_a_file_that_only_the_library_refuses(make_checkpoint: Make, open_vocabulary: Open) -> None:
    directory = make_checkpoint("byte_level")
    vocabulary = open_vocabulary(directory)
    rewritten(directory, pre_tokenizer={"type": "Nonsense"})
    with pytest.raises(
        VocabularyError, match=r"tokenizer\.json: the tokenizers library refuses it"
    ):
        vocabulary.split("king")


def test_a_text_that_only_the_library_refuses(tmp_path: Path, open_vocabulary: Open) -> None:
    """A Unigram model without an unknown token."""
    content = {
        "decoder": {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always"},
        "model": {"type": "Unigram", "unk_id": None, "vocab": [["a", 0.0]], "byte_fallback": False},
    }
    (tmp_path / "tokenizer.json").write_text(json.dumps(content))
    vocabulary = open_vocabulary(tmp_path)
    assert vocabulary.split("a") == (0,)
    with pytest.raises(VocabularyError, match=r"the tokenizers library cannot split 'ab\\x1b': "):
        vocabulary.split("ab\x1b")


class PanicException(BaseException):
    """Named as the one that Rust code raises, which no module exports."""


@pytest.mark.parametrize(
    ("raised", "wanted"),
    [
        (PanicException("index out of bounds"), VocabularyError),
        (Exception("of the library"), VocabularyError),
        (KeyboardInterrupt(), KeyboardInterrupt),
        (MemoryError(), MemoryError),
    ],
)
def test_a_panic_of_the_library_is_refused_and_a_stop_is_not(
    make_checkpoint: Make,
    open_vocabulary: Open,
    monkeypatch: pytest.MonkeyPatch,
    raised: BaseException,
    wanted: type[BaseException],
) -> None:
    vocabulary = open_vocabulary(make_checkpoint())

    class Broken:
        @staticmethod
        def from_file(*_: object) -> None:
            raise raised

    monkeypatch.setattr(tokenizers, "Tokenizer", Broken)
    with pytest.raises(wanted):
        vocabulary.split("king")
