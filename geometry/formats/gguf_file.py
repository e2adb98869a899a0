"""The header of a GGUF file (llama.cpp): what it says of a model, and where its tensors are.

Every size is checked against the file before anything is read or allocated; the gguf library's own
reader believes the file, and a file that lies keeps it busy for ever.
"""

import mmap
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import CheckpointError
from ...indexes.tensors import is_file

_MAGIC = b"GGUF"
_VERSIONS = (2, 3)
_ALIGNMENT, _MOST_ALIGNED = 32, 1 << 20
_MOST_AXES = 4
_DEEPEST = 4  # arrays in arrays
_LONGEST_NAME = 1 << 16  # bytes


class _Type(IntEnum):
    """What a value of the header is."""

    UINT8 = 0
    INT8 = 1
    UINT16 = 2
    INT16 = 3
    UINT32 = 4
    INT32 = 5
    FLOAT32 = 6
    BOOL = 7
    STRING = 8
    ARRAY = 9
    UINT64 = 10
    INT64 = 11
    FLOAT64 = 12


_NUMBERS: Mapping[_Type, str] = {
    _Type.UINT8: "|u1",
    _Type.INT8: "|i1",
    _Type.UINT16: "<u2",
    _Type.INT16: "<i2",
    _Type.UINT32: "<u4",
    _Type.INT32: "<i4",
    _Type.FLOAT32: "<f4",
    _Type.BOOL: "|u1",
    _Type.UINT64: "<u8",
    _Type.INT64: "<i8",
    _Type.FLOAT64: "<f8",
}


@dataclass(frozen=True)
class GgufTensor:
    """A tensor of a GGUF file.

    Attributes
    ----------
    shape : tuple of int
        As numpy has it, the width last.
    kind : int
        How it is packed, as the gguf library numbers it.
    begin, end : int
        Where it is in the file, in bytes.

    Examples
    --------
    >>> GgufTensor((2, 3), 0, 64, 88).shape
    (2, 3)
    """

    shape: tuple[int, ...]
    kind: int
    begin: int
    end: int


@dataclass(frozen=True, eq=False)
class GgufFile:
    """A GGUF file, opened: its header is read and checked.

    Attributes
    ----------
    path : Path
        The file.
    values : mapping of str to Any
        What the header says: numbers, texts, lists of texts, arrays of numbers.
    tensors : mapping of str to GgufTensor
        Every tensor by its name.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp(), "model.gguf")
    >>> _ = path.write_bytes(b"GGUF" + (3).to_bytes(4, "little") + bytes(16))
    >>> GgufFile.open(path).values
    {}
    """

    path: Path
    values: Mapping[str, Any]
    tensors: Mapping[str, GgufTensor]
    _mapping: mmap.mmap

    @classmethod
    def open(cls, path: Path) -> "GgufFile":
        """Read a file's header.

        Raises
        ------
        CheckpointError
            The file is missing or damaged, or says what cannot be.
        """
        try:
            if not is_file(path):
                raise ValueError("missing, or not a file of its own")
            with path.open("rb") as file:
                mapping = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
            values, tensors = _header(_Reading(mapping))
        except (OSError, ValueError, OverflowError) as error:
            raise CheckpointError(f"{path}: not a readable GGUF file: {error}") from error
        return cls(path, values, tensors, mapping)

    def rows(self, tensor: GgufTensor, start: int, stop: int) -> NDArray[np.uint8]:
        """Give the packed bytes of some rows of a matrix, a row each."""
        count = tensor.shape[0]
        flat = np.frombuffer(self._mapping, np.uint8, tensor.end - tensor.begin, tensor.begin)
        packed: NDArray[np.uint8] = flat.reshape(count, -1)[start:stop]
        return packed


class _Reading:
    """A place in a file, from which nothing is read beyond its end."""

    def __init__(self, data: mmap.mmap) -> None:
        self.data, self.at = data, 0

    def bytes(self, size: int) -> bytes:
        """Read so many bytes."""
        if size > len(self.data) - self.at:
            raise ValueError(
                f"{size:,} bytes are said to be at {self.at:,}; {len(self.data):,} are there"
            )
        self.at += size
        return self.data[self.at - size : self.at]

    def number(self, layout: str) -> int:
        """Read a number."""
        (value,) = struct.unpack(f"<{layout}", self.bytes(struct.calcsize(f"<{layout}")))
        return int(value)

    def count(self, least: int) -> int:
        """Read how many things come that take so many bytes at least."""
        count, left = self.number("Q"), len(self.data) - self.at
        if count > left // least:
            raise ValueError(f"{count:,} things are said to come at {self.at:,}, in {left:,} bytes")
        return count

    def text(self) -> str:
        """Read a text."""
        return self.bytes(self.count(1)).decode("utf-8")

    def value(self, kind: _Type, depth: int = 0) -> Any:
        """Read a value."""
        if kind == _Type.STRING:
            return self.text()
        if kind != _Type.ARRAY:
            dtype = np.dtype(_NUMBERS[kind])
            return np.frombuffer(self.bytes(dtype.itemsize), dtype)[0].item()
        inner = _Type(self.number("I"))
        if inner in _NUMBERS:
            dtype = np.dtype(_NUMBERS[inner])
            count = self.count(dtype.itemsize)
            return np.frombuffer(self.bytes(count * dtype.itemsize), dtype)
        if depth == _DEEPEST:
            raise ValueError(f"arrays are more than {_DEEPEST} deep")
        return [self.value(inner, depth + 1) for _ in range(self.count(8))]


def _header(reading: _Reading) -> tuple[dict[str, Any], dict[str, GgufTensor]]:
    """Read what a file says, and where its tensors are."""
    if reading.bytes(4) != _MAGIC:
        raise ValueError("it does not begin with GGUF")
    version = reading.number("I")
    if version not in _VERSIONS:
        raise ValueError(f"it is of version {version}; {_VERSIONS} are known, in little-endian")
    count, pairs = reading.count(24), reading.count(13)
    values: dict[str, Any] = {}
    for _ in range(pairs):
        name = _name(reading)
        values[name] = reading.value(_Type(reading.number("I")))
    told = [_told(reading) for _ in range(count)]
    alignment = values.get("general.alignment", _ALIGNMENT)
    if type(alignment) is not int or not 0 < alignment <= _MOST_ALIGNED:
        raise ValueError(f"general.alignment is {alignment!r}")
    start = -(-reading.at // alignment) * alignment
    size = len(reading.data)
    placed = {
        name: _placed(name, shape, kind, start + offset, size) for name, shape, kind, offset in told
    }
    return values, placed


def _name(reading: _Reading) -> str:
    """Read a name, which is not long."""
    name = reading.text()
    if len(name) > _LONGEST_NAME:
        raise ValueError(f"a name of {len(name):,} characters")
    return name


def _told(reading: _Reading) -> tuple[str, tuple[int, ...], int, int]:
    """Read what the header says of a tensor: name, shape, kind, place."""
    name, axes = _name(reading), reading.number("I")
    if axes > _MOST_AXES:
        raise ValueError(f"tensor {name!r} has {axes} axes; at most {_MOST_AXES} are known")
    shape = tuple(reading.number("Q") for _ in range(axes))[::-1]
    return name, shape, reading.number("I"), reading.number("Q")


def _placed(name: str, shape: tuple[int, ...], kind: int, begin: int, size: int) -> GgufTensor:
    """Find a tensor in the file; one of a packing that the library does not know is empty."""
    end = begin + (packed_size(shape, kind) or 0)
    if end > size:
        raise ValueError(f"tensor {name!r} is said to end at {end:,}; the file ends at {size:,}")
    return GgufTensor(shape, kind, begin, end)


def packed_size(shape: tuple[int, ...], kind: int) -> int | None:
    """Give how many bytes a tensor takes; None for a packing that is not known, or no whole rows.

    Examples
    --------
    >>> packed_size((2, 64), 8)  # Q8_0: 32 values in 34 bytes
    136
    """
    from gguf.constants import GGML_QUANT_SIZES, GGMLQuantizationType

    try:
        values, packed = GGML_QUANT_SIZES[GGMLQuantizationType(kind)]
    except (KeyError, ValueError):
        return None
    if not shape or shape[-1] % values:
        return None
    return prod(shape) // values * packed
