"""The tensors of a remote safetensors file: its header is read, and of its tensors what is used."""

import hashlib
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from math import prod
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from ...errors import CheckpointError, RemoteError
from ...indexes.progress import FETCHING, Progress, step_of
from ...indexes.tensors import LENGTH_BYTES, TensorEntry, TensorFile, entries_of, header_of
from .answers import About, origin_of
from .parts import fetch
from .transport import Transport, allowed

_FIRST = 1 << 14  # bytes that are read of a file at first: most headers are not longer
_LARGEST_HEADER = 100_000_000  # as the safetensors library has it
_BITS: Mapping[str, int] = {
    **dict.fromkeys(("F64", "I64", "U64", "C64"), 64),
    **dict.fromkeys(("F32", "I32", "U32"), 32),
    **dict.fromkeys(("F16", "BF16", "I16", "U16"), 16),
    **dict.fromkeys(("BOOL", "U8", "I8", "F8_E4M3", "F8_E5M2", "F8_E8M0"), 8),
    **dict.fromkeys(("F8_E4M3FNUZ", "F8_E5M2FNUZ"), 8),
    **dict.fromkeys(("F6_E2M3", "F6_E3M2"), 6),
    "F4": 4,
}


@dataclass(frozen=True, eq=False)
class RemoteTensors:
    """A safetensors file of another host.

    Attributes
    ----------
    path : Path
        What the file is called, for messages; nothing lies there.
    entries : mapping of str to TensorEntry
        Every tensor by its name.
    metadata : mapping of str to str
        The header's ``__metadata__``.
    url : str
        Where it is.
    about : About
        What its host says of it.
    kept : Path
        The directory where fetched tensors lie, each in a file of its own.
    header : bytes
        As it was read.

    Examples
    --------
    >>> import tempfile
    >>> about, kept = About(8, None, None), Path(tempfile.mkdtemp())
    >>> file = RemoteTensors(Path("a"), {}, {}, "", about, kept, b"", None)
    >>> file.array("wte")
    Traceback (most recent call last):
    unembed.errors.CheckpointError: a: no tensor 'wte'; it holds none
    """

    path: Path
    entries: Mapping[str, TensorEntry]
    metadata: Mapping[str, str]
    url: str
    about: About
    kept: Path
    header: bytes = field(repr=False)
    _transport: Transport | None = field(repr=False)
    _progress: Progress | None = field(default=None, repr=False)

    @classmethod
    def open(
        cls,
        path: Path,
        url: str,
        kept: Path,
        transport: Transport,
        *,
        progress: Progress | None = None,
    ) -> "RemoteTensors":
        """Read a file's header, and check it.

        Raises
        ------
        RemoteError
            It cannot be read.
        CheckpointError
            It is no safetensors file, or its header does not describe just this file.
        """
        first, about = transport.some(url, 0, _FIRST, None)
        size = int.from_bytes(first[:LENGTH_BYTES], "little")
        start = LENGTH_BYTES + size
        if len(first) < LENGTH_BYTES or size > min(_LARGEST_HEADER, about.size or 0):
            raise CheckpointError(f"{url}: not a safetensors file: its header has {size:,} bytes")
        if start > len(first):
            first += transport.some(url, len(first), start, about)[0]
        header = first[LENGTH_BYTES:start]
        return cls.of_header(header, about, path, url, kept, transport, progress=progress)

    @classmethod
    def of_header(
        cls,
        header: bytes,
        about: About,
        path: Path,
        url: str,
        kept: Path,
        transport: Transport | None,
        *,
        progress: Progress | None = None,
    ) -> "RemoteTensors":
        """Take a header that was read before.

        Raises
        ------
        CheckpointError
            It is none, or does not describe just this file.
        """
        start = LENGTH_BYTES + len(header)
        entries, metadata = entries_of(header, start, url)
        _check_layout(entries, start, about.size or 0, url)
        return cls(path, entries, metadata, url, about, kept, header, transport, progress)

    def array(self, name: str) -> NDArray[Any]:
        """Give one tensor, as `TensorFile.array` does; it is fetched the first time.

        Raises
        ------
        CheckpointError
            The file has no such tensor, or its type is not one that numpy can hold.
        RemoteError
            It cannot be fetched.
        """
        return TensorFile.open(self.path_of(name)).array(name)

    def rows(self, name: str, start: int, stop: int) -> bytes:
        """Give the bytes of some rows of a matrix, which are fetched each time."""
        entry = self._entry(name)
        stride = (entry.end - entry.begin) // max(entry.shape[0], 1)
        first, last = entry.begin + start * stride, entry.begin + stop * stride
        return self._reading().some(self.url, first, last, self.about)[0]

    @property
    def key(self) -> str:
        """Tell the file's content from any other's; a host has a say on its own files alone."""
        host = origin_of(self.url)
        identity = (host, self.about.etag or self.url, self.about.size, self.header)
        return hashlib.sha256(repr(identity).encode()).hexdigest()[:32]

    def path_of(self, name: str) -> Path:
        """Give the local file that holds a tensor, and fetch it if it is not there."""
        from filelock import FileLock

        entry = self._entry(name)
        digest = hashlib.sha256(repr((self.key, name)).encode()).hexdigest()[:32]
        path = self.kept / f"{digest}.safetensors"
        if self._is_whole(path, name):
            return path
        try:
            self.kept.mkdir(parents=True, exist_ok=True)
            with FileLock(path.with_suffix(".lock")):
                if not self._is_whole(path, name):
                    self._fetch(entry, name, path)
        except OSError as error:
            raise RemoteError(f"{path}: cannot be written: {error}") from error
        return path

    def _reading(self) -> Transport:
        """Give what reads; refuse to where that is forbidden."""
        return allowed(self._transport, self.url)

    def _entry(self, name: str) -> TensorEntry:
        """Find a tensor."""
        if name not in self.entries:
            held = ", ".join(map(repr, self.entries)) or "none"
            raise CheckpointError(f"{self.path}: no tensor {name!r}; it holds {held}")
        return self.entries[name]

    def _fetch(self, entry: TensorEntry, name: str, path: Path) -> None:
        """Make a file of one tensor; what there is of it from an earlier time is used."""
        source = self.url.partition("?")[0]  # what is asked of a host may be a secret
        tensor = (entry.dtype, entry.shape, entry.end - entry.begin)
        header = header_of({name: tensor}, {"source": source})
        unfinished = path.with_suffix(".part")
        size = len(header) + entry.end - entry.begin
        if not unfinished.exists() or unfinished.stat().st_size != size:
            with suppress(FileNotFoundError):
                unfinished.with_name(f"{unfinished.name}.noted").unlink()
            with unfinished.open("wb") as file:
                file.truncate(size)
        with unfinished.open("r+b") as file:
            file.write(header)
        fetch(
            self._reading(),
            self.url,
            self.about,
            entry.begin,
            entry.end,
            unfinished,
            len(header),
            done=step_of(self._progress, f"{FETCHING} {name}"),
        )
        unfinished.replace(path)

    def _is_whole(self, path: Path, name: str) -> bool:
        """Tell whether a file is the one that holds a tensor."""
        if not path.is_file():
            return False
        wanted = self.entries[name]
        try:
            found = TensorFile.open(path).entries
        except CheckpointError:
            return False
        return set(found) == {name} and (found[name].dtype, found[name].shape) == (
            wanted.dtype,
            wanted.shape,
        )


def _check_layout(entries: Mapping[str, TensorEntry], start: int, size: int, url: str) -> None:
    """Refuse a header whose tensors overlap, leave holes, or are not of their sizes."""
    at = start
    for name, entry in sorted(entries.items(), key=lambda pair: (pair[1].begin, pair[1].end)):
        bits = _BITS.get(entry.dtype)
        whole = bits is None or prod(entry.shape) * bits == 8 * (entry.end - entry.begin)
        if entry.begin != at or entry.end < at or not whole:
            raise CheckpointError(
                f"{url}: not a safetensors file: tensor {name!r} is said to be {entry.dtype} of "
                f"shape {entry.shape} in bytes {entry.begin:,} to {entry.end:,}"
            )
        at = entry.end
    if at != size:
        raise CheckpointError(
            f"{url}: not a whole safetensors file: {size:,} bytes, its tensors end at {at:,}"
        )
