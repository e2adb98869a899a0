"""What is derived from a file, kept on disk under the file's fingerprint."""

import hashlib
import logging
import re
import secrets
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import platformdirs
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import save_file

from ..errors import CacheError, CheckpointError
from .tensors import TensorFile

_FORMAT = 5  # of whatever is kept: a change of how anything is derived raises it
_DERIVED = "derived"
_STORE_NAME = re.compile(r"[0-9a-f]{24}")
_ENTRY_NAME = re.compile(r"([a-z0-9_-]+)-[0-9a-f]{32}\.safetensors")
_UNFINISHED_NAME = re.compile(rf"\.{_ENTRY_NAME.pattern}\.\w+")  # left by a process that was killed
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


def store_of(key: str, label: str) -> "Store":
    """Give the store of what is derived from one thing, in the cache directory.

    Parameters
    ----------
    key : str
        Tells it apart from every other.
    label : str
        Names it for people.

    Returns
    -------
    Store
        In a directory of its own; nothing is written yet.

    Examples
    --------
    >>> store_of("a fingerprint", "demo").directory.parent.name
    'derived'
    """
    digest = hashlib.sha256(key.encode()).hexdigest()[:24]
    return Store(cache_directory() / _DERIVED / digest, label)


@dataclass(frozen=True)
class Store:
    """Derived arrays on disk: an entry is whole and checked, or is made again.

    Parameters
    ----------
    directory : Path
        Where the entries lie; made when the first one is written.
    label : str
        What the entries are derived from, for people who look at the cache.

    Examples
    --------
    >>> import tempfile
    >>> store = Store(Path(tempfile.mkdtemp()))
    >>> store.arrays("squares", "key", lambda: {"n": np.arange(3) ** 2}, lambda a: len(a["n"]) == 3)
    {'n': array([0, 1, 4])}
    """

    directory: Path
    label: str = ""

    def arrays(
        self, name: str, key: str, build: Callable[[], Arrays], fits: Callable[[Arrays], bool]
    ) -> Arrays:
        """Give an entry, mapped from disk; build and keep it where it is missing or damaged.

        Parameters
        ----------
        name : str
            What the arrays are; part of the file's name: of ``a-z``, ``0-9``, ``-`` and ``_``.
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
        kept = self.get(name, key, fits)
        if kept is not None:
            return kept
        arrays = {part: np.ascontiguousarray(array) for part, array in build().items()}
        self.put(name, key, arrays)
        return arrays

    def get(self, name: str, key: str, fits: Callable[[Arrays], bool]) -> Arrays | None:
        """Give an entry as `arrays` does; None where it is missing or damaged."""
        path, digest = self._place(name, key)
        try:
            if path.is_file():
                return _load(path, digest, fits)
        except OSError as error:
            _log.warning("the cache cannot be read: %s", error)
        except CheckpointError as error:
            _log.warning("a cache entry is damaged and is made again: %s", error)
        return None

    def put(self, name: str, key: str, arrays: Arrays) -> None:
        """Keep an entry; a directory that cannot be written costs a warning."""
        path, digest = self._place(name, key)
        try:
            with atomic_path(path) as temporary:
                # A path may hold what is not text.
                source = self.label.encode(errors="backslashreplace").decode()
                about = {"sha256": _digest(digest, arrays), "source": source}
                save_file(dict(arrays), temporary, metadata=about)
        except (OSError, SafetensorError) as error:
            _log.warning("%s could not be kept and will be made again: %s", path, error)

    def _place(self, name: str, key: str) -> tuple[Path, str]:
        """Give the path of an entry, and what tells it apart."""
        digest = hashlib.sha256(repr((_FORMAT, name, key)).encode()).hexdigest()
        return self.directory / f"{name}-{digest[:32]}.safetensors", digest

    def entries(self) -> tuple["Entry", ...]:
        """List what is kept here, by name."""
        return _entries(self.directory)


@dataclass(frozen=True)
class Entry:
    """One kept file.

    Attributes
    ----------
    source : str
        What it was derived from, as the user named it.
    name : str
        What it is.
    bytes : int
        Its size on disk.
    path : Path
        Where it lies.

    Examples
    --------
    >>> Entry("demo", "norms", 8, Path("kept")).to_dict()
    {'source': 'demo', 'name': 'norms', 'bytes': 8, 'path': 'kept'}
    """

    source: str
    name: str
    bytes: int
    path: Path

    def to_dict(self) -> dict[str, Any]:
        """Give it with its path as text."""
        return asdict(self) | {"path": str(self.path)}


def derived(cache: Path) -> tuple[Entry, ...]:
    """List every entry of every store under a cache directory, by source and name.

    Links are not followed, and files that are not of the store's own kind of name are passed over.

    Raises
    ------
    CacheError
        The directory is there and cannot be listed.

    Examples
    --------
    >>> import tempfile
    >>> derived(Path(tempfile.mkdtemp()))
    ()
    """
    found = [entry for directory in _directories(cache) for entry in _entries(directory)]
    return tuple(sorted(found, key=lambda entry: (entry.source, entry.name, str(entry.path))))


def clear(cache: Path) -> tuple[Entry, ...]:
    """Remove every entry, and give what was removed; it is made again where it is needed.

    Only files of the store's own kind of name are touched, in the store's own place. What a process
    that was killed has left half written goes too.

    Raises
    ------
    CacheError
        The directory cannot be listed, or an entry could not be removed.

    Examples
    --------
    >>> import tempfile
    >>> clear(Path(tempfile.mkdtemp()))
    ()
    """
    entries = derived(cache)
    try:
        for entry in entries:
            entry.path.unlink(missing_ok=True)
        for directory in _directories(cache):
            for path in _files(directory, _UNFINISHED_NAME):
                path.unlink(missing_ok=True)
            with suppress(OSError):  # it holds something else
                directory.rmdir()
    except OSError as error:
        raise CacheError(f"the cache could not be cleared: {error}") from error
    return entries


def fits(arrays: Arrays, shapes: Mapping[str, tuple[int, ...]], dtype: type = np.float64) -> bool:
    """Tell whether arrays are exactly those of these names and shapes, finite and of one type.

    Examples
    --------
    >>> fits({"n": np.zeros(3)}, {"n": (3,)}), fits({"n": np.zeros(3)}, {"n": (4,)})
    (True, False)
    """
    return {name: array.shape for name, array in arrays.items()} == dict(shapes) and all(
        array.dtype == dtype and bool(np.isfinite(array).all()) for array in arrays.values()
    )


def fits_codes(arrays: Arrays, name: str, count: int, *, below: int) -> bool:
    """Tell whether arrays are one of this name, of so many whole numbers from 0 to below a limit.

    Examples
    --------
    >>> codes = {"kinds": np.array([0, 2])}
    >>> fits_codes(codes, "kinds", 2, below=3), fits_codes(codes, "kinds", 2, below=2)
    (True, False)
    """
    if not fits(arrays, {name: (count,)}, np.int64):
        return False
    return bool(np.all((arrays[name] >= 0) & (arrays[name] < below)))


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Write a file beside its place and rename it when it is whole.

    Yields the temporary path; if the body raises, nothing is left. The file may be read by those
    who may read what the user makes.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "whole"
    >>> with atomic_path(path) as temporary:
    ...     _ = temporary.write_text("all of it")
    >>> path.read_text()
    'all of it'
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    temporary.touch(exist_ok=False)
    try:
        yield temporary
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def _entries(directory: Path) -> tuple[Entry, ...]:
    """List the entries of one store; what cannot be read as one is listed without a source."""
    found = []
    for path in _files(directory, _ENTRY_NAME):
        try:
            source = TensorFile.open(path).metadata.get("source", "")
        except CheckpointError:
            source = ""
        with suppress(OSError):  # another process has just cleared it
            found.append(Entry(source, path.name.rpartition("-")[0], path.stat().st_size, path))
    return tuple(found)


def _directories(cache: Path) -> list[Path]:
    """List the directories of stores: real ones, of the name that `store_of` gives."""
    try:
        return sorted(
            path
            for path in (cache / _DERIVED).iterdir()
            if _STORE_NAME.fullmatch(path.name) and path.is_dir() and not path.is_symlink()
        )
    except FileNotFoundError:  # nothing was ever kept
        return []
    except OSError as error:
        raise CacheError(f"the cache could not be listed: {error}") from error


def _files(directory: Path, name: re.Pattern[str]) -> list[Path]:
    """List the files of a directory, if it is one, whose whole name fits; no links."""
    try:
        return sorted(
            path
            for path in directory.iterdir()
            if name.fullmatch(path.name) and path.is_file() and not path.is_symlink()
        )
    except OSError:
        return []


def _load(path: Path, key: str, fits: Callable[[Arrays], bool]) -> Arrays:
    """Map an entry and check it: whole, and the one that was asked for."""
    file = TensorFile.open(path)
    arrays = {name: file.array(name) for name in file.entries}
    if file.metadata.get("sha256") != _digest(key, arrays):
        raise CheckpointError(f"{path}: its content does not match its name and SHA-256")
    if not fits(arrays):
        raise CheckpointError(f"{path}: its arrays are not those of an entry of this kind")
    return arrays


def _digest(key: str, arrays: Arrays) -> str:
    """Hash the key, names, types, shapes and values."""
    sha256 = hashlib.sha256(key.encode())
    for name in sorted(arrays):
        array = arrays[name]
        sha256.update(repr((name, array.dtype.str, array.shape)).encode())
        sha256.update(np.ascontiguousarray(array).data)
    return sha256.hexdigest()
