"""SentencePiece's ``.model`` files, as far as a vocabulary needs them."""

import math
import struct
from collections.abc import Iterator

from .pieces import Kind, Pieces

# The file is a message of protocol buffers (sentencepiece_model.proto); numbers are of its fields.
_PIECES, _TRAINER, _NORMALIZER = 1, 2, 3
_STRING, _SCORE, _KIND = 1, 2, 3
_MODEL_TYPE, _UNIGRAM, _BPE = 3, 1, 2
_CHARSMAP, _DUMMY_PREFIX, _SINGLE_SPACES = 2, 3, 4
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5


def read_pieces(data: bytes) -> Pieces:
    r"""Read a ``.model`` file.

    Parameters
    ----------
    data : bytes
        All of it.

    Raises
    ------
    ValueError
        It is damaged, or of a kind that splits words or characters only.

    Examples
    --------
    >>> piece = b"\x0a\x04\xe2\x96\x81s\x15\x00\x00\x80\xbf"
    >>> read_pieces(b"\x0a" + bytes([len(piece)]) + piece).strings
    ['▁s']
    """
    strings, scores, kinds = [], [], []
    model, prefix, single, charsmap = _UNIGRAM, True, True, b""
    for field, value in _fields(data):
        if field == _PIECES:
            string, score, kind = _piece(_bytes(value))
            strings.append(string)
            scores.append(score)
            kinds.append(kind)
        elif field == _TRAINER:
            model = next(
                (_int(inner) for number, inner in _fields(_bytes(value)) if number == _MODEL_TYPE),
                model,
            )
        elif field == _NORMALIZER:
            for number, inner in _fields(_bytes(value)):
                if number == _CHARSMAP:
                    charsmap = _bytes(inner)
                elif number == _DUMMY_PREFIX:
                    prefix = bool(_int(inner))
                elif number == _SINGLE_SPACES:
                    single = bool(_int(inner))
    if not strings:
        raise ValueError("it has no pieces")
    if model not in {_UNIGRAM, _BPE}:
        raise ValueError(f"its model is of type {model}; unigram (1) and bpe (2) are known")
    return Pieces(strings, scores, kinds, model == _UNIGRAM, prefix, single, charsmap)


def _piece(data: bytes) -> tuple[str, float, Kind]:
    """Read a piece."""
    string, score, kind = "", 0.0, Kind.NORMAL
    for field, value in _fields(data):
        if field == _STRING:
            string = _bytes(value).decode("utf-8")
        elif field == _SCORE:
            score = _float(value)
        elif field == _KIND:
            kind = Kind(_int(value))
    return string, score, kind


def _fields(data: bytes) -> Iterator[tuple[int, bytes | int]]:
    """Give the fields of a message: numbers as int, all else as bytes."""
    at = 0
    while at < len(data):
        tag, at = _varint(data, at)
        field, wire = tag >> 3, tag & 7
        if wire == _VARINT:
            number, at = _varint(data, at)
            yield field, number
            continue
        if wire == _BYTES:
            size, at = _varint(data, at)
        elif wire in {_FIXED32, _FIXED64}:
            size = 4 if wire == _FIXED32 else 8
        else:
            raise ValueError(f"it is damaged: a field of the unknown type {wire}")
        if size > len(data) - at:
            raise ValueError(f"it is damaged: a field of {size} bytes, {len(data) - at} are left")
        yield field, data[at : at + size]
        at += size


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """Read a number of at most ten bytes of seven bits, and give where it ends."""
    value = 0
    for place in range(10):
        if at + place >= len(data):
            raise ValueError("it is damaged: it ends within a number")
        byte = data[at + place]
        value |= (byte & 0x7F) << (7 * place)
        if byte < 0x80:
            return value, at + place + 1
    raise ValueError("it is damaged: a number of more than ten bytes")


def _bytes(value: bytes | int) -> bytes:
    """Take a value for bytes."""
    if not isinstance(value, bytes):
        raise ValueError("it is damaged: a number where a text is expected")
    return value


def _float(value: bytes | int) -> float:
    """Take a value for a finite number of four bytes."""
    data = _bytes(value)
    number = struct.unpack("<f", data)[0] if len(data) == 4 else math.nan
    if not math.isfinite(number):
        raise ValueError(f"it is damaged: a score of the bytes {data[:8]!r}")
    return float(number)


def _int(value: bytes | int) -> int:
    """Take a value for a number."""
    if not isinstance(value, int):
        raise ValueError("it is damaged: a text where a number is expected")
    return value
