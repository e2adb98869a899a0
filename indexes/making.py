"""Directories that are whole or not there: made beside their place, under a lock, and renamed."""

import logging
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

_log = logging.getLogger("unembed")


def whole_directory(place: Path, make: Callable[[Path], None], *, space: int = 0) -> None:
    """Make a directory if it is not there.

    It appears under its name only when it is whole. What an interrupted run left is swept away by
    the next one; a second process waits for the first.

    Parameters
    ----------
    place : Path
        What it is called.
    make : callable
        Fills an empty directory beside the place; files of its own go into its parent, which is
        removed.
    space : int
        How many bytes that takes.

    Raises
    ------
    OSError
        It cannot be written, or so much is not free there.

    Examples
    --------
    >>> place = Path(tempfile.mkdtemp(), "made")
    >>> whole_directory(place, lambda made: (made / "a").touch())
    >>> [path.name for path in place.iterdir()]
    ['a']
    """
    if place.is_dir():
        return
    with _locked(place):
        if place.is_dir():
            return
        for stale in place.parent.glob(f".{place.name}.*"):
            shutil.rmtree(stale)
        free = shutil.disk_usage(place.parent).free
        if free < space:
            raise OSError(f"{free / 1e6:,.0f} MB are free and {space / 1e6:,.0f} MB are needed")
        with tempfile.TemporaryDirectory(dir=place.parent, prefix=f".{place.name}.") as scratch:
            made = Path(scratch, "made")
            made.mkdir()
            make(made)
            made.rename(place)


@contextmanager
def _locked(place: Path) -> Iterator[None]:
    """Hold the lock of one directory; say so when another process has it."""
    from filelock import FileLock, Timeout

    place.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(place.with_name(f"{place.name}.lock"))
    try:
        lock.acquire(timeout=0)
    except Timeout:
        _log.warning("another process is making %s: waiting for it", place)
        lock.acquire()
    try:
        yield
    finally:
        lock.release()
