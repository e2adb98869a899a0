"""A range of a remote file written to a local one: in parallel parts, kept after a break."""

import os
from collections.abc import Callable
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from pathlib import Path

import numpy as np

from ...indexes.progress import Done
from .transport import About, Transport

_PART = 8 << 20  # bytes
_CONNECTIONS = 8


def fetch(
    transport: Transport,
    url: str,
    known: About,
    start: int,
    stop: int,
    file: Path,
    offset: int,
    *,
    done: Done,
) -> None:
    """Write a range of a remote file into a local file, several parts at a time.

    Which parts are there is noted beside it, in a file that is removed once all are; what an
    earlier call has fetched is not fetched again.

    Parameters
    ----------
    transport : Transport
        What reads.
    url : str
        Of the remote file.
    known : About
        What its host has said of it; a file that has changed since is refused.
    start, stop : int
        The range.
    file : Path
        The local file, which is there; it is of this one range only.
    offset : int
        Where in it the range begins.
    done : callable
        Is told ``(done, total)``, in bytes.

    Raises
    ------
    RemoteError
        As `Transport.part`.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp(), "nothing")
    >>> path.touch()
    >>> fetch(Transport(""), "", About(0, None, None, None), 0, 0, path, 0, done=print)
    """
    starts = range(start, stop, _PART)
    noted = file.with_name(f"{file.name}.noted")
    there = _there(noted, len(starts))
    sizes = np.array([min(at + _PART, stop) - at for at in starts], dtype=np.int64)
    came = int(sizes[there].sum())
    missing = [part for part in range(len(starts)) if not there[part]]

    with file.open("r+b") as local, noted.open("r+b") as notes:

        def write(at: int, data: bytes) -> None:
            nonlocal came
            _write_at(local.fileno(), data, offset + at - start)
            came += len(data)
            done(came, stop - start)

        def one(part: int) -> None:
            at = starts[part]
            transport.part(url, at, at + int(sizes[part]), write, known)
            _write_at(notes.fileno(), b"\1", part)

        _in_parallel(transport, one, missing)
    noted.unlink()


def _in_parallel(transport: Transport, one: Callable[[int], None], parts: list[int]) -> None:
    """Fetch parts at once; when one fails, or the user breaks off, the others stop."""
    with ThreadPoolExecutor(min(_CONNECTIONS, max(len(parts), 1))) as pool:
        futures = [pool.submit(one, part) for part in parts]
        try:
            ended, _ = wait(futures, return_when=FIRST_EXCEPTION)
            for future in futures:
                if future in ended:
                    future.result()
        finally:
            unfinished = any(not future.done() for future in futures)
            if unfinished:
                transport.stopped.set()
                pool.shutdown(cancel_futures=True)
                transport.stopped.clear()


def _there(noted: Path, count: int) -> list[bool]:
    """Give which parts are there; start the notes anew where they are not of so many parts."""
    try:
        notes = noted.read_bytes() if noted.stat().st_size == count else b""
    except FileNotFoundError:
        notes = b""
    if len(notes) != count:
        noted.write_bytes(b"\0" * count)
        return [False] * count
    return [note == 1 for note in notes]


def _write_at(descriptor: int, data: bytes, at: int) -> None:
    """Write all of some bytes at a place."""
    while data:
        written = os.pwrite(descriptor, data, at)
        data, at = data[written:], at + written
