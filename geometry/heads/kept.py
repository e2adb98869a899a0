"""What was fetched of other hosts and made of other files, as the cache lists it."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from ...errors import CacheError, CheckpointError
from ...indexes.store import Entry
from ...indexes.tensors import TensorFile
from ..formats import converting
from ..remote import mirror
from ..tokens import other_files

_PLACES = (mirror.PLACE, other_files.PLACE, converting.PLACE)
_NOTES = {".absent", ".header", ".lock", ".noted"}  # of a few bytes


def held(cache: Path) -> tuple[Entry, ...]:
    """List what was fetched or converted: tensors by the address of their file, and small files.

    Links are not followed.

    Parameters
    ----------
    cache : Path
        The cache directory.

    Raises
    ------
    CacheError
        It cannot be listed.

    Examples
    --------
    >>> import tempfile
    >>> held(Path(tempfile.mkdtemp()))
    ()
    """
    try:
        found = [entry for place in _PLACES for entry in _entries(cache / place)]
    except OSError as error:
        raise CacheError(f"the cache could not be listed: {error}") from error
    return tuple(sorted(found, key=lambda one: (one.source, one.name, str(one.path))))


def clear_held(cache: Path) -> tuple[Entry, ...]:
    """Remove it, and give what was; it is fetched or made again where it is needed.

    Raises
    ------
    CacheError
        It cannot be listed, or not be removed.

    Examples
    --------
    >>> import tempfile
    >>> clear_held(Path(tempfile.mkdtemp()))
    ()
    """
    entries = held(cache)
    for place in (cache / name for name in _PLACES):
        if place.is_dir() and not place.is_symlink():
            try:
                shutil.rmtree(place)
            except OSError as error:
                raise CacheError(f"the cache could not be cleared: {error}") from error
    return entries


def _entries(place: Path) -> Iterator[Entry]:
    """List the files of the place, but for notes."""
    if place.is_symlink():
        return
    for folder, folders, names in os.walk(place):
        folders[:] = sorted(name for name in folders if name != "refs")
        for name in names:
            path = Path(folder, name)
            if path.suffix in _NOTES or path.is_symlink() or not path.is_file():
                continue
            yield _entry(path, path.parent.relative_to(place.parent))


def _entry(path: Path, folder: Path) -> Entry:
    """Describe a file; a tensor's own says where it came from."""
    source, name = str(folder), path.name
    if path.suffix == ".safetensors":
        try:
            file = TensorFile.open(path)
        except CheckpointError:
            name = "damaged"
        else:
            source = file.metadata.get("source", source)
            name = ", ".join(file.entries)
    elif path.suffix == ".part":
        name = "unfinished"
    return Entry(source, name, path.stat().st_size, path)
