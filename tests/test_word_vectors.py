"""Word vectors as heads, against gensim's own reading of the same files."""

import struct
from pathlib import Path

import numpy as np
import pytest
from gensim.models import KeyedVectors
from unembed import Head, open_head
from unembed.errors import CheckpointError, ExpressionError, SourceError
from unembed.geometry.formats import word_vectors

WORDS = ["king", "man", "woman", "queen", "sea", "New_York", "##x", ". .", "été", "🐴"]
RNG = np.random.default_rng(0)
ROWS = RNG.standard_normal((len(WORDS), 6)).astype(np.float32)


def vectors() -> KeyedVectors:
    found = KeyedVectors(ROWS.shape[1])
    found.add_vectors(WORDS, ROWS)
    return found


def check(head: Head, words: list[str] | None = None) -> None:
    """Compare a head with the vectors: rows, words, and one more for what is unknown."""
    words = WORDS if words is None else words
    np.testing.assert_allclose(head.rows.decode(slice(None))[: len(words)], ROWS, rtol=1e-6)
    assert [head.vocabulary.token(id_) for id_ in range(len(words))] == words
    assert head.vocabulary.kind(len(words)) == "special"
    assert head.vocabulary.text(0) == " king"
    assert (head.architecture, head.final_norm, head.tied) == ("word vectors", None, False)
    ours = head.nearest("king - man + woman", space="cosine", top=5)
    theirs = vectors().most_similar(positive=["king", "woman"], negative=["man"], topn=5)
    found = [near.token for near in ours.neighbours if near.token != "<unk>"]  # noqa: S105
    assert found[:4] == [word for word, _ in theirs][: len(found[:4])]
    with pytest.raises(ExpressionError, match="horse"):
        head.nearest("horse")


@pytest.mark.parametrize("binary", [False, True])
def test_word2vec_is_read_as_gensim_reads_it(tmp_path: Path, binary: bool) -> None:
    words = [word for word in WORDS if " " not in word]
    path = tmp_path / ("a.bin" if binary else "a.vec")
    found = KeyedVectors(ROWS.shape[1])
    found.add_vectors(words, np.delete(ROWS, WORDS.index(". ."), axis=0))
    found.save_word2vec_format(path, binary=binary)
    head = open_head(path)
    theirs = KeyedVectors.load_word2vec_format(path, binary=binary)
    np.testing.assert_array_equal(head.rows.decode(slice(0, len(words))), theirs.vectors)
    assert [head.vocabulary.token(id_) for id_ in range(len(words))] == theirs.index_to_key


def test_glove_has_no_counts_and_words_with_spaces(tmp_path: Path) -> None:
    lines = [
        f"{word} {' '.join(map(repr, row.tolist()))}" for word, row in zip(WORDS, ROWS, strict=True)
    ]
    (tmp_path / "glove.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    check(open_head(tmp_path / "glove.txt"))


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", ">f4"])
def test_an_array_has_its_words_beside_it(tmp_path: Path, dtype: str) -> None:
    np.save(tmp_path / "a.npy", ROWS.astype(dtype))
    (tmp_path / "a.txt").write_text("".join(f"{word}\n" for word in WORDS), encoding="utf-8")
    head = open_head(tmp_path / "a.npy")
    np.testing.assert_array_equal(
        head.rows.decode(slice(0, len(WORDS))), ROWS.astype(dtype).astype(np.float64)
    )
    before = head.path
    (tmp_path / "a.txt").write_text("".join(f"{word}.\n" for word in WORDS), encoding="utf-8")
    again = open_head(tmp_path / "a.npy")
    assert (again.path == before, again.vocabulary.token(0)) == (False, "king.")


def test_the_first_row_of_a_word_is_kept_and_its_own_unknown_used(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("a 1 0\nb 0 1\na 2 2\nUNK 3 3\n")
    head = open_head(tmp_path / "a.txt")
    assert head.rows.decode(slice(None)).tolist() == [[1, 0], [0, 1], [3, 3]]
    assert [head.vocabulary.kind(id_) for id_ in range(3)][2] == "special"


def binary(*rows: bytes, counts: bytes = b"2 2\n") -> bytes:
    return counts + b"".join(rows)


ROW = struct.pack("<2f", 1, 2)


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.txt", b"", "no words"),
        ("a.txt", b"word\n", "0 numbers"),
        ("a.txt", b"a 1 2\nb 1\n", "numbers"),
        ("a.txt", b"a 1 2\nb 1 x\n", "could not convert"),
        ("a.txt", b"a 1 2\nb 1 " + b"1" * 40 + b"\n", "no word and 2 numbers"),
        ("a.txt", b"a 1 2\nb 1  2\n", "could not convert|no word and"),
        ("a.bin", b"\x80\x04pickled", "pickled weights"),
        ("a.bin", binary(b"a " + ROW), "more than the file holds"),
        ("a.vec", b"5 2\nking 1 2\nsea 3 4\n", "tells of 5 words of 2 numbers; 2 of 2 come"),
        ("a.txt", b"2 3\nking 1 2\nsea 3 4\n", "tells of 2 words of 3 numbers; 2 of 2 come"),
        ("a.bin", binary(b"a " + ROW, b"bbbbbbbbbb"), "does not end"),
        ("a.bin", binary(b"a " + ROW, counts=b"1 0\n"), "0 numbers"),
        ("a.npy", b"\x93NUMPY", "cut off"),
    ],
)
def test_what_is_damaged_is_refused(tmp_path: Path, name: str, content: bytes, said: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(CheckpointError, match=said):
        open_head(tmp_path / name)


def test_arrays_that_are_no_rows_are_refused(tmp_path: Path) -> None:
    for array, said in (
        (np.ones(3), "shape"),
        (np.ones((2, 3), np.int64), "floating point"),
        (np.ones((2, 3)), "a.txt, one a line"),
    ):
        np.save(tmp_path / "a.npy", array)
        with pytest.raises(CheckpointError, match=said):
            open_head(tmp_path / "a.npy")
    (tmp_path / "a.txt").write_text("one\none\n")
    with pytest.raises(CheckpointError, match=r"2 rows and a\.txt 1 words"):
        open_head(tmp_path / "a.npy")
    np.save(tmp_path / "b.npy", np.array([{}], dtype=object), allow_pickle=True)
    with pytest.raises(SourceError):
        open_head(tmp_path / "b.npy")


def test_a_line_of_any_length_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(word_vectors, "_LONGEST", 100)
    (tmp_path / "a.txt").write_bytes(b"a 1 2\n" + b"b" * 200)
    with pytest.raises(CheckpointError, match="more than 100 bytes"):
        open_head(tmp_path / "a.txt")
