"""The bytes of a list: a local file, remote storage or stdin, compressed or not."""

import gzip
import io
import sys
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

from ...errors import UnembedError, UsageError
from ...indexes.tensors import is_file
from ..storage import reaching, reason_of

STDIN = "-"
_BLOCK = 1 << 16  # bytes that are read at once
_ZSTD_BLOCK = 1 << 12  # of damaged zstd what was read of a block is lost
_LOCAL_ERRORS = (OSError, EOFError, ValueError, MemoryError, zlib.error)
_ENDINGS = {".gz": "gzip", ".zst": "zstd"}
_GZIP = b"\x1f\x8b"
_ZSTD = b"\x28\xb5\x2f\xfd"
_ZSTD_SKIPPED = b"\x2a\x4d\x18"  # after a byte of 0x50 to 0x5f: a frame without content


@dataclass(frozen=True, eq=False)
class Stream:
    """The bytes of a list, opened.

    Attributes
    ----------
    source : str
        What the caller calls it, for errors.
    raw : binary file
        As stored, compressed or not, from its first byte on.
    start : bytes
        The first four bytes.
    errors : tuple of exception types
        What can go wrong when it is read; all, where a driver of remote storage raises it.
    is_seekable : bool
        Whether it can be read at any place.

    Examples
    --------
    >>> stream = Stream("-", io.BytesIO(b"sea"), b"sea", (OSError,), is_seekable=False)
    >>> stream.compression is None
    True
    """

    source: str
    raw: BinaryIO
    start: bytes
    errors: tuple[type[Exception], ...]
    is_seekable: bool

    @property
    def compression(self) -> str | None:
        """``gzip`` or ``zstd``, as the first bytes tell; None for neither."""
        if self.start.startswith(_GZIP):
            return "gzip"
        is_skipped = self.start[1:] == _ZSTD_SKIPPED and self.start[0] & 0xF0 == 0x50
        return "zstd" if self.start == _ZSTD or is_skipped else None

    @contextmanager
    def telling(self, *, doing: str = "cannot be read") -> Iterator[None]:
        """Turn what goes wrong inside into a `UsageError` that names the source."""
        try:
            yield
        except UnembedError:
            raise
        except self.errors as error:
            raise UsageError(f"{self.source}: {doing}: {reason_of(error)}") from error

    def blocks(self) -> Callable[[], bytes]:
        """Give what reads the next bytes, decompressed; nothing at the end.

        Each call raises `UsageError` where the bytes are damaged or gone.
        """
        read = self._reader()

        def block() -> bytes:
            with self.telling():
                return read()

        return block

    def _reader(self) -> Callable[[], bytes]:
        """Give what reads the next bytes, with the errors of its own."""
        if self.compression == "gzip":
            # read1 hands over what comes before damage.
            unpacked = gzip.GzipFile(fileobj=self.raw)
            return lambda: unpacked.read1(_BLOCK)
        if self.compression == "zstd":
            import pyarrow

            frames = pyarrow.CompressedInputStream(pyarrow.PythonFile(self.raw, mode="r"), "zstd")
            return lambda: cast(bytes, frames.read(_ZSTD_BLOCK))
        read: Callable[[int], bytes] = getattr(self.raw, "read1", self.raw.read)
        return lambda: read(_BLOCK)


def ending_of(source: str) -> tuple[str, str | None]:
    """Tell the ending of a source, and the compression that its name promises.

    Examples
    --------
    >>> ending_of("emoji.CSV.gz"), ending_of("https://host/words.txt?raw=1"), ending_of("-")
    (('.csv', 'gzip'), ('.txt', None), ('', None))
    """
    name = Path(source.partition("?")[0] if "://" in source else source)
    compression = _ENDINGS.get(name.suffix.lower())
    return Path(name.stem if compression else name.name).suffix.lower(), compression


def open_stream(source: str, *, stdin: BinaryIO | None, stack: ExitStack) -> Stream:
    r"""Open a source of bytes.

    Parameters
    ----------
    source : str
        A path; ``-`` for stdin; what has ``://`` in it is opened by fsspec.
    stdin : binary file or None
        What ``-`` reads; None for the process's own.
    stack : ExitStack
        Closes what is opened; stdin stays open.

    Raises
    ------
    UsageError
        There is no such file, it is not a regular one, must not or cannot be read, or is not
        compressed as its name says.

    Examples
    --------
    >>> with ExitStack() as stack:
    ...     stream = open_stream("-", stdin=io.BytesIO(b"sea\n"), stack=stack)
    ...     stream.start, stream.blocks()()
    (b'sea\n', b'sea\n')
    """
    if source == STDIN:
        stream = _stdin(stdin)
    elif "://" in source:
        stream = _remote(source, stack)
    else:
        stream = _local(source, stack)
    promised = ending_of(source)[1]
    if promised is not None and stream.compression != promised:
        raise UsageError(
            f"{source}: not {promised}, although its name says so: it begins with "
            f"{stream.start!r}; rename it"
        )
    return stream


def _stdin(stdin: BinaryIO | None) -> Stream:
    """Open stdin, whose first bytes cannot be read twice."""
    if stdin is None and sys.stdin is None:
        raise UsageError("-: there is no standard input; name a file")
    given = sys.stdin.buffer if stdin is None else stdin
    with Stream("-", given, b"", _LOCAL_ERRORS, is_seekable=False).telling():
        start = given.read(4)
    rest = io.BufferedReader(_Rest(start, given), _BLOCK)
    return Stream("-", cast(BinaryIO, rest), start, _LOCAL_ERRORS, is_seekable=False)


def _local(source: str, stack: ExitStack) -> Stream:
    """Open a local file."""
    path = Path(source)
    try:
        if not is_file(path):
            other = "a directory; name a file in it" if path.is_dir() else "no regular file; use -"
            raise UsageError(f"{source}: {other if path.exists() else 'there is no such file'}")
        raw = stack.enter_context(path.open("rb"))
        start = raw.read(4)
        raw.seek(0)
    except (OSError, ValueError) as error:
        raise UsageError(f"{source}: cannot be read: {reason_of(error)}") from error
    return Stream(source, raw, start, _LOCAL_ERRORS, is_seekable=True)


def _remote(source: str, stack: ExitStack) -> Stream:
    """Open a file of remote storage, whose driver may raise anything."""
    with reaching(source, "read"):
        from fsspec.core import url_to_fs  # type: ignore[import-untyped]

        storage, path = url_to_fs(source)
        raw = stack.enter_context(storage.open(path, "rb"))
        start = raw.read(4)
        is_seekable = raw.seekable()
        if is_seekable:
            raw.seek(0)
    if not is_seekable:
        raw = io.BufferedReader(_Rest(start, raw), _BLOCK)
    return Stream(source, raw, start, (Exception,), is_seekable=is_seekable)


class _Rest(io.RawIOBase):
    """A stream whose first bytes were taken before."""

    def __init__(self, start: bytes, rest: BinaryIO) -> None:
        self._start = start
        self._read: Callable[[int], bytes] = getattr(rest, "read1", rest.read)

    def readable(self) -> bool:
        """Say that it can be read."""
        return True

    def readinto(self, buffer: "memoryview", /) -> int:  # type: ignore[override]
        """Fill a buffer, from the first bytes before the others."""
        taken = self._start[: len(buffer)] or self._read(len(buffer))
        self._start = self._start[len(buffer) :]
        buffer[: len(taken)] = taken
        return len(taken)
