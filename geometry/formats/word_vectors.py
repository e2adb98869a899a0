"""Word vectors as checkpoints: word2vec's and GloVe's files, and arrays with a list of words."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...errors import CheckpointError, UsageError
from ...indexes.progress import Progress, step_of
from ...indexes.tensors import Written, write_tensors
from ...indexes.vectors import map_npy
from ..tokens.pieces import of_word_list

TEXTS, BINARY, ARRAY = (".txt", ".vec"), ".bin", ".npy"
MODEL_TYPE = "vectors"
_COUNTS = re.compile(rb"([0-9]{1,9}) ([0-9]{1,5})\r?\n")
_UNKNOWN = ("<unk>", "<UNK>", "UNK", "[UNK]", "unk")
_WIDEST = 1 << 16
_LONGEST = 1 << 20  # bytes of a line
_LONGEST_WORD, _LONGEST_NUMBER = 1 << 10, 32  # bytes
_BLOCK = 1 << 12  # rows


@dataclass(frozen=True, eq=False)
class _Vectors:
    """Words, and their rows, some at a time."""

    words: list[str]
    width: int
    dtype: str
    blocks: Iterator[bytes]


def convert_vectors(path: Path, directory: Path, *, progress: Progress | None = None) -> None:
    r"""Write word vectors as a checkpoint.

    Of a word that comes twice the first row is kept. Where no row is for unknown words, one of
    zeros is added for them.

    Parameters
    ----------
    path : Path
        ``.txt`` or ``.vec``: a line for each word, then its numbers, as GloVe has it, with or
        without word2vec's line of counts before; ``.bin``: word2vec's binary; ``.npy``: an array of
        rows, with the words in a ``.txt`` of the same name, one a line.
    directory : Path
        Where to.
    progress : callable, optional
        Is told ``(step, done, total)``.

    Raises
    ------
    CheckpointError
        The file is damaged.

    Examples
    --------
    >>> import tempfile
    >>> path, made = Path(tempfile.mkdtemp(), "sea.txt"), Path(tempfile.mkdtemp())
    >>> _ = path.write_text("sea 1 0\nhorse 0 1\n")
    >>> convert_vectors(path, made)
    >>> sorted(file.name for file in made.iterdir())
    ['config.json', 'model.safetensors', 'tokenizer.json']
    """
    try:
        if path.suffix == ARRAY:
            vectors = _of_array(path)
        elif path.suffix == BINARY:
            vectors = _of_binary(path)
        else:
            vectors = _of_text(path)
        unknown = next((word for word in _UNKNOWN if word in vectors.words), None)
        words = [*vectors.words, *([] if unknown else [_UNKNOWN[0]])]
        shape = (len(words), vectors.width)
        rows = Written(vectors.dtype, shape, _with_unknown(vectors, shape, progress))
        write_tensors(directory / "model.safetensors", {"lm_head.weight": rows})
    except (ValueError, UsageError) as error:
        raise CheckpointError(f"{path}: not word vectors that can be read: {error}") from error
    config = {
        "model_type": MODEL_TYPE,
        "architectures": ["word vectors"],
        "hidden_size": vectors.width,
        "vocab_size": len(words),
        "tie_word_embeddings": False,
    }
    tokenizer = of_word_list(words, unknown=unknown or _UNKNOWN[0])
    for name, content in (("config", config), ("tokenizer", tokenizer)):
        text = json.dumps(content, ensure_ascii=False)
        (directory / f"{name}.json").write_text(text + "\n", encoding="utf-8")


def _with_unknown(
    vectors: _Vectors, shape: tuple[int, int], progress: Progress | None
) -> Iterator[bytes]:
    """Give the rows, and one of zeros where a word more is called for."""
    done, came = step_of(progress, "reading vectors"), 0
    for block in vectors.blocks:
        yield block
        came += _BLOCK
        done(min(came, shape[0]), shape[0])
    if shape[0] > len(vectors.words):
        yield bytes(shape[1] * int(vectors.dtype[1:]) // 8)


def _of_text(path: Path) -> _Vectors:
    """Read words and find the width; the numbers are read when they are written."""
    width, words, kept = 0, dict[str, None](), []
    for line in _lines(path):
        if not width:
            width = len(line.rstrip().split(b" ")) - 1
            _check_width(width)
        word = _parted(line, width)[0].decode("utf-8", errors="replace")
        kept.append(word not in words)
        words[word] = None
    if not words:
        raise ValueError("it has no words")
    told = _told(path)
    if told is not None and told != (len(kept), width):
        raise ValueError(
            f"its first line tells of {told[0]:,} words of {told[1]:,} numbers; {len(kept):,} of "
            f"{width:,} come"
        )
    return _Vectors(list(words), width, "F32", _parsed(path, width, kept))


def _told(path: Path) -> tuple[int, int] | None:
    """Give word2vec's counts, where the first line has them."""
    with path.open("rb") as file:
        found = _COUNTS.fullmatch(file.readline(64))
    return None if found is None else (int(found[1]), int(found[2]))


def _lines(path: Path) -> Iterator[bytes]:
    """Give the lines of a file of vectors but for word2vec's first, of a bounded length."""
    with path.open("rb") as file:
        first = True
        while line := file.readline(_LONGEST + 1):
            if len(line) > _LONGEST:
                raise ValueError(f"a line has more than {_LONGEST:,} bytes")
            if line.strip() and not (first and _COUNTS.fullmatch(line)):
                yield line
            first = False


def _parted(line: bytes, width: int) -> list[bytes]:
    """Part a line into a word, which may hold spaces, and its numbers."""
    parts = line.rstrip().rsplit(b" ", width)
    if len(parts) != width + 1:
        raise ValueError(f"a line has {len(parts) - 1} numbers, the first line has {width}")
    return parts


def _parsed(path: Path, width: int, kept: list[bool]) -> Iterator[bytes]:
    """Read the numbers of the lines that are kept."""
    block: list[bytes] = []
    for keep, line in zip(kept, _lines(path), strict=True):
        if keep:
            block.append(b" ".join(_parted(line, width)[1:]))
        if len(block) == _BLOCK:
            yield _numbers(block, width)
            block = []
    if block:
        yield _numbers(block, width)


def _numbers(block: list[bytes], width: int) -> bytes:
    """Make numbers of the texts of some rows."""
    parts = b" ".join(block).split(b" ")
    if len(parts) != len(block) * width or max(map(len, parts)) > _LONGEST_NUMBER:
        raise ValueError(f"a line is no word and {width} numbers with a space before each")
    return np.array(parts).astype("<f4").tobytes()


def _of_binary(path: Path) -> _Vectors:
    """Read word2vec's binary file: counts, then each word, a space, and its numbers."""
    with path.open("rb") as file:
        told = _told(path)
        file.readline(64)
        if told is None:
            raise ValueError(
                "it does not begin with word2vec's counts; pickled weights can run code and are "
                "never read"
            )
        count, width = told
        _check_width(width)
        if count * (4 * width + 2) > path.stat().st_size:
            raise ValueError(f"{count:,} words of {width} numbers are more than the file holds")
        places, at = dict[str, int](), file.tell()
        for _ in range(count):
            file.seek(at)
            word, space, _ = file.read(_LONGEST_WORD).partition(b" ")
            place = at + len(word) + 1
            at = place + 4 * width
            if not space or at > path.stat().st_size:
                raise ValueError("it is damaged: a word or its row does not end")
            places.setdefault(word.lstrip(b"\n").decode("utf-8", errors="replace"), place)
    return _Vectors(list(places), width, "F32", _picked(path, list(places.values()), width))


def _picked(path: Path, places: list[int], width: int) -> Iterator[bytes]:
    """Give the rows at some places of a file."""
    with path.open("rb") as file:
        for start in range(0, len(places), _BLOCK):
            rows = []
            for place in places[start : start + _BLOCK]:
                file.seek(place)
                rows.append(file.read(4 * width))
            yield b"".join(rows)


def _of_array(path: Path) -> _Vectors:
    """Map an array, and read the words beside it."""
    rows_VD, dtype = map_npy(path, _as_rows)
    beside = path.with_suffix(TEXTS[0])
    if not beside.is_file():
        raise ValueError(f"its words are expected in {beside.name}, one a line")
    words = [line.rstrip(b"\r\n").decode("utf-8") for line in _lines(beside)]
    if len(words) != len(rows_VD) or len(set(words)) != len(words):
        raise ValueError(
            f"it has {len(rows_VD):,} rows and {beside.name} {len(set(words)):,} words"
        )
    return _Vectors(words, rows_VD.shape[1], dtype, _blocks(rows_VD))


def _as_rows(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Refuse a shape that is not of rows."""
    if len(shape) != 2 or not shape[0]:
        raise ValueError(f"its shape is {shape}; rows are expected")
    _check_width(shape[1])
    return shape


def _blocks(rows_VD: NDArray[np.floating]) -> Iterator[bytes]:
    """Give the rows of an array."""
    little = rows_VD.dtype.newbyteorder("<")
    for start in range(0, len(rows_VD), _BLOCK):
        yield np.ascontiguousarray(rows_VD[start : start + _BLOCK], dtype=little).tobytes()


def _check_width(width: int) -> None:
    """Refuse rows of no numbers, or of too many."""
    if not 1 <= width <= _WIDEST:
        raise ValueError(f"its rows have {width} numbers; 1 to {_WIDEST:,} are read")
