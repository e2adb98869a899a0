"""What is derived from a file, kept on disk under the file's fingerprint."""

import hashlib
import logging
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import platformdirs
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import save_file

from ..errors import CheckpointError
from .tensors import TensorFile

_FORMAT = 1
_log = logging.getLogger("unembed")

Arrays = Mapping[str, NDArray[Any]]


def cache_directory() -> Path:
    """Name the directory for all that unembed keeps: the platform's own cache directory.

    On Linux it follows ``XDG_CACHE_HOME``.

    Examples
    --------
    >>> cache_directory().name
    'unembed'
    """
    return platformdirs.user_cache_path("unembed")


@dataclass(frozen=True)
class Store:
    """Derived arrays on disk: an entry is whole and checked, or is made again.

    Parameters
    ----------
    directory : Path
        Where the entries lie; made when the first one is written.

    Examples
    --------
    >>> store = Store(Path(tempfile.mkdtemp()))
    >>> store.arrays("squares", "key", lambda: {"n": np.arange(3) ** 2}, lambda a: len(a["n"]) == 3)
    {'n': array([0, 1, 4])}
    """

    directory: Path

    def arrays(
        self, name: str, key: str, build: Callable[[], Arrays], fits: Callable[[Arrays], bool]
    ) -> Arrays:
        """Give an entry, mapped from disk; build and keep it where it is missing or damaged.

        Parameters
        ----------
        name : str
            What the arrays are; part of the file's name.
        key : str
            All that they were derived from: fingerprints, versions, options.
        build : callable
            Makes the arrays; called only where they are not on disk.
        fits : callable
            Tells whether arrays from disk are of the shapes and types that `build` would make,
            since an entry can be whole and yet not ours.

        Notes
        -----
        A directory that cannot be written costs a warning and the time of the next build, never
        the answer.
        """
        digest = hashlib.sha256(repr((_FORMAT, name, key)).encode()).hexdigest()
        path = self.directory / f"{name}-{digest[:32]}.safetensors"
        try:
            if path.exists():
                return _load(path, fits)
        except OSError as error:
            _log.warning("the cache cannot be read: %s", error)
        except CheckpointError as error:
            _log.warning("a cache entry is damaged and is made again: %s", error)
        arrays = {key: np.ascontiguousarray(value) for key, value in build().items()}
        try:
            with atomic_path(path) as temporary:
                save_file(arrays, temporary, metadata={"sha256": _digest(arrays)})
        except (OSError, SafetensorError) as error:
            _log.warning("%s could not be kept and will be made again: %s", path, error)
        return arrays


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Write a file beside its place and rename it when it is whole.

    Yields the temporary path; if the body raises, nothing is left.

    Examples
    --------
    >>> path = Path(tempfile.mkdtemp()) / "whole"
    >>> with atomic_path(path) as temporary:
    ...     _ = temporary.write_text("all of it")
    >>> path.read_text()
    'all of it'
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def _load(path: Path, fits: Callable[[Arrays], bool]) -> Arrays:
    """Map an entry and check it."""
    file = TensorFile.open(path)
    arrays = {name: file.array(name) for name in file.entries}
    if file.metadata.get("sha256") != _digest(arrays):
        raise CheckpointError(f"{path}: its content does not match its SHA-256")
    if not fits(arrays):
        raise CheckpointError(f"{path}: its arrays are not those of an entry of this kind")
    return arrays


def _digest(arrays: Arrays) -> str:
    """Hash names, types, shapes and values."""
    sha256 = hashlib.sha256()
    for name in sorted(arrays):
        array = arrays[name]
        sha256.update(repr((name, array.dtype.str, array.shape)).encode())
        sha256.update(np.ascontiguousarray(array).data)
    return sha256.hexdigest()
