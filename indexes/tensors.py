"""The tensors of a safetensors file, mapped into memory and never copied."""

import hashlib
import json
import mmap
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path
from stat import S_ISREG
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open

from ..errors import CheckpointError

# numpy has no bfloat16 and no float8: their bits are carried in a uint16 and a uint8.
_NUMPY_TYPES: Mapping[str, str] = {
    "BF16": "<u2",
    "BOOL": "|b1",
    "F8_E4M3": "|u1",
    "F8_E5M2": "|u1",
    "F16": "<f2",
    "F32": "<f4",
    "F64": "<f8",
    "I8": "|i1",
    "I32": "<i4",
    "I64": "<i8",
    "U8": "|u1",
}
LENGTH_BYTES = 8
_SIZES = {"BF16": 2, "F16": 2, "F32": 4, "F64": 8}  # bytes of a value that is written


@dataclass(frozen=True)
class TensorEntry:
    """One tensor of a file: its type as the file names it, its shape, its place in bytes.

    Examples
    --------
    >>> entry = TensorEntry("BF16", (2, 3), begin=80, end=92)
    >>> entry.end - entry.begin
    12
    """

    dtype: str
    shape: tuple[int, ...]
    begin: int
    end: int


class Tensors(Protocol):
    """The tensors of a safetensors file, wherever it lies.

    Examples
    --------
    >>> import numpy as np, tempfile
    >>> from safetensors.numpy import save_file
    >>> path = Path(tempfile.mkdtemp()) / "two.safetensors"
    >>> save_file({"a": np.arange(3, dtype=np.float32)}, path)
    >>> file: Tensors = TensorFile.open(path)
    >>> file.path_of("a") == path
    True
    """

    @property
    def path(self) -> Path:
        """Name the file."""

    @property
    def entries(self) -> Mapping[str, TensorEntry]:
        """Give every tensor by its name."""

    def array(self, name: str) -> NDArray[Any]:
        """Give one tensor."""

    def rows(self, name: str, start: int, stop: int) -> bytes:
        """Give the bytes of some rows of a matrix."""

    def path_of(self, name: str) -> Path:
        """Give the local file that holds a tensor."""


@dataclass(frozen=True, eq=False)
class TensorFile:
    """A safetensors file, opened: its header is read, its tensors are mapped on demand.

    Attributes
    ----------
    path : Path
        The file.
    entries : mapping of str to TensorEntry
        Every tensor by its name, in the header's order.
    metadata : mapping of str to str
        The header's ``__metadata__``.

    Examples
    --------
    >>> import numpy as np, tempfile
    >>> from safetensors.numpy import save_file
    >>> path = Path(tempfile.mkdtemp()) / "two.safetensors"
    >>> save_file({"a": np.arange(3, dtype=np.float32)}, path)
    >>> TensorFile.open(path).array("a")
    array([0., 1., 2.], dtype=float32)
    """

    path: Path
    entries: Mapping[str, TensorEntry]
    metadata: Mapping[str, str]
    _mapping: mmap.mmap

    @classmethod
    def open(cls, path: Path) -> "TensorFile":
        """Check a file's header and map it.

        Raises
        ------
        CheckpointError
            The file is missing, unreadable, truncated or not safetensors; the header's offsets
            overlap, leave holes or point outside the file.
        """
        try:
            if path.exists() and not path.is_file():
                raise OSError("not a regular file")  # to open a pipe would wait for its writer
            # The safetensors library refuses every header that does not describe this very file.
            with safe_open(path, framework="np"):
                pass
            with path.open("rb") as file:
                mapping = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        except (SafetensorError, OSError, ValueError) as error:
            raise CheckpointError(f"{path}: not a readable safetensors file: {error}") from error
        start = LENGTH_BYTES + int.from_bytes(mapping[:LENGTH_BYTES], "little")
        entries, metadata = entries_of(mapping[LENGTH_BYTES:start], start, str(path))
        return cls(path, entries, metadata, mapping)

    def array(self, name: str) -> NDArray[Any]:
        """Give one tensor as a read-only view of the mapped file.

        Parameters
        ----------
        name : str
            A key of `entries`.

        Returns
        -------
        ndarray
            Of the tensor's shape; BF16 comes as its bits, in ``uint16``, F8 in ``uint8``.

        Raises
        ------
        CheckpointError
            The file has no such tensor, or its type is not one that numpy can hold.
        """
        entry = self.entries.get(name)
        if entry is None:
            held = ", ".join(map(repr, self.entries)) or "none"
            raise CheckpointError(f"{self.path}: no tensor {name!r}; it holds {held}")
        if entry.dtype not in _NUMPY_TYPES:
            raise CheckpointError(
                f"{self.path}: tensor {name!r} is {entry.dtype}; "
                f"the types that can be read are {', '.join(_NUMPY_TYPES)}"
            )
        flat = np.frombuffer(
            memoryview(self._mapping)[entry.begin : entry.end], dtype=_NUMPY_TYPES[entry.dtype]
        )
        try:
            return flat.reshape(entry.shape)
        except ValueError as error:  # an empty tensor may claim any size
            raise CheckpointError(
                f"{self.path}: tensor {name!r} has shape {entry.shape}: {error}"
            ) from error

    def path_of(self, name: str) -> Path:  # noqa: ARG002 - one file holds all; see RemoteTensors
        """Give the file that holds a tensor."""
        return self.path

    def rows(self, name: str, start: int, stop: int) -> bytes:
        """Give the bytes of some rows of a matrix."""
        return self.array(name)[start:stop].tobytes()


def entries_of(
    header: bytes, start: int, source: str
) -> tuple[dict[str, TensorEntry], dict[str, str]]:
    """Read the header of a safetensors file.

    Parameters
    ----------
    header : bytes
        Its JSON.
    start : int
        Where in the file the tensors begin.
    source : str
        The file, for messages.

    Returns
    -------
    entries : dict of str to TensorEntry
        In the header's order.
    metadata : dict of str to str

    Raises
    ------
    CheckpointError
        It is not of the form that a header has.

    Examples
    --------
    >>> header = b'{"a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}}'
    >>> entries_of(header, 80, "a.safetensors")[0]["a"]
    TensorEntry(dtype='F32', shape=(2,), begin=80, end=88)
    """
    try:
        read: dict[str, Any] = json.loads(header)
        about = read.pop("__metadata__", None)
        metadata: dict[str, str] = {} if about is None else dict(about)
        entries = {
            name: TensorEntry(
                dtype=value["dtype"],
                shape=tuple(value["shape"]),
                begin=start + value["data_offsets"][0],
                end=start + value["data_offsets"][1],
            )
            for name, value in read.items()
        }
    except (ValueError, RecursionError, TypeError, KeyError, AttributeError, IndexError) as error:
        raise CheckpointError(
            f"{source}: not a readable safetensors file: an entry of its header is no object"
        ) from error
    for name, entry in entries.items():
        numbers = (*entry.shape, entry.begin, entry.end)
        sound = [type(number) is int and 0 <= number < 1 << 64 for number in numbers]
        if type(entry.dtype) is not str or not all(sound):
            raise CheckpointError(
                f"{source}: not a readable safetensors file: tensor {name!r} is {entry!r}"
            )
    return entries, metadata


@dataclass(frozen=True)
class Written:
    """A tensor that is to be written.

    Attributes
    ----------
    dtype : str
        As safetensors names it.
    shape : tuple of int
        Its shape.
    data : iterator of bytes
        Its values, one part after another.

    Examples
    --------
    >>> Written("F32", (2,), iter([bytes(8)])).bytes
    8
    """

    dtype: str
    shape: tuple[int, ...]
    data: Iterator[bytes]

    @property
    def bytes(self) -> int:
        """Give how many bytes it takes."""
        return prod(self.shape) * _SIZES[self.dtype]


def write_tensors(path: Path, tensors: Mapping[str, Written]) -> None:
    """Write a safetensors file, of tensors larger than memory if need be.

    Raises
    ------
    ValueError
        A tensor has more or fewer bytes than its shape says.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "two.safetensors"
    >>> write_tensors(path, {"a": Written("F32", (2,), iter([bytes(4), bytes(4)]))})
    >>> TensorFile.open(path).array("a")
    array([0., 0.], dtype=float32)
    """
    sizes = {name: (one.dtype, one.shape, one.bytes) for name, one in tensors.items()}
    with path.open("wb") as file:
        file.write(header_of(sizes))
        for name, one in tensors.items():
            written = sum(file.write(part) for part in one.data)
            if written != one.bytes:
                raise ValueError(f"tensor {name!r} has {written:,} bytes, not {one.bytes:,}")


def header_of(
    tensors: Mapping[str, tuple[str, tuple[int, ...], int]],
    metadata: Mapping[str, str] | None = None,
) -> bytes:
    """Write the header of a safetensors file; what follows it lies at a multiple of 64.

    Parameters
    ----------
    tensors : mapping of str to (str, tuple of int, int)
        Type, shape and bytes of each, in the order in which they follow.
    metadata : mapping of str to str, optional
        What else it says.

    Examples
    --------
    >>> header = header_of({"a": ("F32", (2,), 8)})
    >>> len(header) % 64, header[8:20]
    (0, b'{"a": {"dtyp')
    """
    header: dict[str, Any] = {} if metadata is None else {"__metadata__": dict(metadata)}
    at = 0
    for name, (dtype, shape, size) in tensors.items():
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": (at, at + size)}
        at += size
    packed = json.dumps(header).encode()
    packed += b" " * (-(LENGTH_BYTES + len(packed)) % 64)
    return struct.pack("<Q", len(packed)) + packed


def is_file(path: Path) -> bool:
    """Tell whether there is such a regular file: to open a pipe would wait for its writer.

    Examples
    --------
    >>> is_file(Path("/dev/null")), is_file(Path("a" * 5000))
    (False, False)
    """
    try:
        return path.is_file()
    except (OSError, ValueError):  # its name is too long, or holds a null character
        return False


def fingerprint(path: Path) -> str:
    """Tell a file's content apart without reading all of it.

    Device, inode, size, times of change and the first MiB (a safetensors header, as a rule), as a
    SHA-256 in hexadecimal: what is derived from a file is kept under it.

    Raises
    ------
    CheckpointError
        The file is missing or unreadable.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "file"
    >>> _ = path.write_bytes(b"one")
    >>> before = fingerprint(path)
    >>> _ = path.write_bytes(b"three")
    >>> fingerprint(path) == before
    False
    """
    try:
        status = path.stat()
        if not S_ISREG(status.st_mode):  # to open a pipe would wait for its writer
            raise CheckpointError(f"{path}: not a file of its own")
        with path.open("rb") as file:
            head = file.read(1 << 20)
    except OSError as error:
        raise CheckpointError(f"{path}: not readable: {error}") from error
    times = (status.st_mtime_ns, status.st_ctime_ns)  # a copy may set the first back
    identity = (status.st_dev, status.st_ino, status.st_size, *times)
    return hashlib.sha256(repr(identity).encode() + head).hexdigest()
