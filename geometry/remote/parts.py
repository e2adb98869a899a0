"""A range of a remote file written to a local one: in parallel parts, kept after a break."""

import os
from collections.abc import Callable
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from pathlib import Path
from threading import Lock

import numpy as np

from ...indexes.progress import Done
from .answers import About
from .transport import Transport

_PART = 32 << 20  # bytes
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
    >>> fetch(Transport(""), "", About(0, None, None), 0, 0, path, 0, done=print)
    """
    starts = range(start, stop, _PART)
    noted = file.with_name(f"{file.name}.noted")
    there = _there(noted, len(starts))
    sizes = np.array([min(at + _PART, stop) - at for at in starts], dtype=np.int64)
    came = int(sizes[there].sum())
    missing = [part for part in range(len(starts)) if not there[part]]

    counting = Lock()

    def one(part: int) -> None:
        at = starts[part]
        with file.open("r+b") as local:

            def write(at: int, data: bytes) -> None:
                nonlocal came
                local.seek(offset + at - start)
                local.write(data)
                with counting:
                    came += len(data)
                    done(came, stop - start)

            transport.part(url, at, at + int(sizes[part]), write, known)
            local.flush()
            os.fsync(local.fileno())  # before it is noted, or a crash would leave a hole for data
        with noted.open("r+b") as notes:
            notes.seek(part)
            notes.write(b"\1")

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
    if noted.is_file() and noted.stat().st_size == count:
        return [note == 1 for note in noted.read_bytes()]
    noted.write_bytes(b"\0" * count)
    return [False] * count
