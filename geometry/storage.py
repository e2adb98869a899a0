"""Files read and written whole: on a local disk, or in remote storage that fsspec reaches."""

import os
import stat
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from secrets import token_hex
from typing import Any, BinaryIO, Protocol

from ..errors import UsageError

UNFINISHED = ".part"
_LARGEST = 1 << 30  # bytes of a file that is read whole


class Storage(Protocol):
    """What is asked of the place of an output; whatever fails there is an `OSError`.

    Examples
    --------
    >>> storage, path = storage_of("/tmp/found.csv")
    >>> storage.holds(path + "/no/such/file")
    """

    def holds(self, path: str) -> str | None:
        """Say what lies there: ``file``, ``directory``, ``other``; None for nothing."""

    def make_directory(self, path: str) -> None:
        """Make a directory in one that is there, or take the one that is there already."""

    def names(self, directory: str) -> list[str]:
        """List a directory, by name; one that is not there is empty."""

    def read(self, path: str) -> bytes:
        """Read a file whole, of at most 1 GiB."""

    def writing(self, path: str, *, beside: str) -> AbstractContextManager[BinaryIO]:
        """Write a file under a name of its own in the directory `beside`; rename it when whole."""

    def remove(self, path: str) -> None:
        """Remove a file, or nothing where there is none."""

    def remove_directory(self, path: str) -> None:
        """Remove a directory that is empty."""

    def locked(self, path: str) -> AbstractContextManager[None]:
        """Hold a lock; `BlockingIOError` where another process holds it."""


def storage_of(output: str) -> tuple[Storage, str]:
    """Tell a path from an address of remote storage.

    Parameters
    ----------
    output : str
        A path, or ``protocol://…``.

    Returns
    -------
    storage : Storage
    path : str
        The absolute path in it.

    Raises
    ------
    UsageError
        A chain of storages, a protocol that is not known or whose library is not installed, or a
        path that cannot be one.

    Examples
    --------
    >>> storage_of("/tmp/found.csv")
    (LocalStorage(), '/tmp/found.csv')
    """
    if "\0" in output:
        raise UsageError(f"{output!r}: a path has no NUL character")
    if "://" not in output:
        return LocalStorage(), str(Path(output).absolute())
    with reaching(output, "written"):
        from fsspec.core import url_to_fs  # type: ignore[import-untyped]

        driver, path = url_to_fs(output)
    return RemoteStorage(driver), str(path)


@contextmanager
def reaching(address: str, done: str) -> Iterator[None]:
    """Turn what a driver of remote storage raises, which may be anything, into our error.

    Parameters
    ----------
    address : str
        ``protocol://…``.
    done : str
        What is done there: ``read`` or ``written``.

    Raises
    ------
    UsageError
        It is a chain of storages, a library is not installed, or the driver failed.

    Examples
    --------
    >>> with reaching("a::b://c", "read"):
    ...     pass
    Traceback (most recent call last):
    unembed.errors.UsageError: a::b://c: chains of storages (::) are not read; name one
    """
    if "::" in address:
        raise UsageError(f"{address}: chains of storages (::) are not {done}; name one")
    try:
        yield
    except ImportError as error:
        protocol = address.partition("://")[0]
        raise UsageError(
            f"{address}: {protocol}:// needs a library that is not installed: {error}"
        ) from error
    except Exception as error:
        raise UsageError(f"{address}: cannot be {done}: {reason_of(error)}") from error


def check_writable(name: str) -> None:
    """Refuse a local file that cannot be written, before long work.

    Raises
    ------
    UsageError
        Its directory is not there or cannot be written, or it is no regular file.

    Examples
    --------
    >>> try:
    ...     check_writable("/")
    ... except UsageError as error:
    ...     str(error)
    '/: is no regular file; name another'
    """
    if "\0" in name:
        raise UsageError(f"{name!r}: a path has no NUL character")
    path = Path(name)
    try:
        if path.exists() and not path.is_file():
            raise UsageError(f"{name}: is no regular file; name another")
        probe = path.parent / f".{token_hex(16)}"
        with LocalStorage().writing(str(probe), beside=str(path.parent)):
            pass
        probe.unlink()
    except (OSError, ValueError) as error:
        raise UsageError(f"{name}: cannot be written: {reason_of(error)}") from error


def reason_of(error: BaseException) -> str:
    """Say on one line what went wrong, without the name of the file that an `OSError` repeats.

    Examples
    --------
    >>> reason_of(FileNotFoundError(2, "No such file or directory", "/tmp/found.csv"))
    'No such file or directory'
    """
    reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return " ".join((reason or type(error).__name__).split())[:500]


@dataclass(frozen=True)
class LocalStorage:
    """A disk: what is renamed was forced to it first; a lock holds among this machine's processes.

    Examples
    --------
    >>> import tempfile
    >>> storage, directory = LocalStorage(), tempfile.mkdtemp()
    >>> with storage.writing(f"{directory}/whole", beside=directory) as file:
    ...     _ = file.write(b"all of it")
    >>> storage.names(directory), storage.read(f"{directory}/whole")
    (['whole'], b'all of it')
    """

    def holds(self, path: str) -> str | None:
        """Say what lies there, as in `Storage`."""
        try:
            mode = os.stat(path).st_mode  # noqa: PTH116 - what Path asks, asked once
        except (FileNotFoundError, NotADirectoryError):
            return None
        if stat.S_ISREG(mode):
            return "file"
        return "directory" if stat.S_ISDIR(mode) else "other"

    def make_directory(self, path: str) -> None:
        """Make a directory, as in `Storage`; a link to one is not taken."""
        try:
            Path(path).mkdir()
        except FileExistsError:
            if Path(path).is_symlink() or not Path(path).is_dir():
                raise

    def names(self, directory: str) -> list[str]:
        """List a directory, as in `Storage`."""
        with suppress(FileNotFoundError):
            return sorted(os.listdir(directory))  # noqa: PTH208 - names, not paths
        return []

    def read(self, path: str) -> bytes:
        """Read a file whole, as in `Storage`."""
        with Path(path).open("rb") as file:
            return _whole(file)

    @contextmanager
    def writing(self, path: str, *, beside: str) -> Iterator[BinaryIO]:
        """Write a file and rename it when it is whole, as in `Storage`."""
        part = Path(_unfinished(path, beside))
        try:
            with part.open("xb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            part.replace(path)
        finally:
            with suppress(OSError):  # what went wrong before is what counts
                part.unlink(missing_ok=True)
        _force(Path(path).parent)

    def remove(self, path: str) -> None:
        """Remove a file, as in `Storage`."""
        Path(path).unlink(missing_ok=True)

    def remove_directory(self, path: str) -> None:
        """Remove an empty directory, as in `Storage`."""
        Path(path).rmdir()

    @contextmanager
    def locked(self, path: str) -> Iterator[None]:
        """Hold a lock, as in `Storage`."""
        from filelock import FileLock, Timeout

        lock = FileLock(path)
        try:
            lock.acquire(timeout=0)
        except Timeout as error:
            raise BlockingIOError(f"{path} is locked") from error
        try:
            yield
        finally:
            lock.release()


@dataclass(frozen=True, eq=False)
class RemoteStorage:
    """What fsspec reaches: a rename is the driver's own, and there is no lock.

    Parameters
    ----------
    driver : fsspec.AbstractFileSystem
        Whatever it raises becomes an `OSError`.

    Examples
    --------
    >>> storage, path = storage_of("memory://found/found.csv")
    >>> with storage.writing(path, beside="/found") as file:
    ...     _ = file.write(b"all of it")
    >>> storage.names("/found"), storage.read(path)
    (['found.csv'], b'all of it')
    """

    driver: Any

    def holds(self, path: str) -> str | None:
        """Say what lies there, as in `Storage`."""
        with _as_os_errors(), suppress(FileNotFoundError):
            kind = str(self.driver.info(path)["type"])
            return kind if kind in ("file", "directory") else "other"
        return None

    def make_directory(self, path: str) -> None:
        """Make a directory, as in `Storage`; never a bucket."""
        with _as_os_errors(), suppress(FileExistsError):
            self.driver.mkdir(path, create_parents=False)

    def names(self, directory: str) -> list[str]:
        """List a directory, as in `Storage`."""
        with _as_os_errors(), suppress(FileNotFoundError):
            self.driver.invalidate_cache(directory)
            found = self.driver.ls(directory, detail=False)
            return sorted(str(path).rstrip("/").rpartition("/")[2] for path in found)
        return []

    def read(self, path: str) -> bytes:
        """Read a file whole, as in `Storage`."""
        with _as_os_errors(), self.driver.open(path, "rb") as file:
            return _whole(file)

    @contextmanager
    def writing(self, path: str, *, beside: str) -> Iterator[BinaryIO]:
        """Write a file and rename it when it is whole, as in `Storage`."""
        part = _unfinished(path, beside)
        try:
            with _as_os_errors():
                file = self.driver.open(part, "wb")
            try:
                yield _Remote(file)  # type: ignore[misc]
            finally:
                with _as_os_errors():
                    file.close()
            with _as_os_errors():
                self.driver.mv(part, path)
        except BaseException:
            with suppress(OSError):
                self.remove(part)
            raise

    def remove(self, path: str) -> None:
        """Remove a file, as in `Storage`."""
        with _as_os_errors(), suppress(FileNotFoundError):
            self.driver.rm_file(path)

    def remove_directory(self, path: str) -> None:
        """Remove an empty directory, as in `Storage`: object storage has none."""
        with _as_os_errors(), suppress(FileNotFoundError):
            self.driver.rmdir(path)

    @contextmanager
    def locked(self, path: str) -> Iterator[None]:  # noqa: ARG002
        """Hold nothing: remote storage has no locks."""
        yield


class _Remote:
    """A remote file that is written: what its driver raises becomes an `OSError`."""

    closed = False

    def __init__(self, file: Any) -> None:
        self._file = file

    def write(self, content: bytes) -> int:
        """Write all of it."""
        with _as_os_errors():
            self._file.write(content)
        return len(content)

    def flush(self) -> None:
        """Leave it to the driver, which sends what is enough for a part."""

    def close(self) -> None:
        """Leave it to who opened it."""


@contextmanager
def _as_os_errors() -> Iterator[None]:
    """Turn whatever a driver raises into an `OSError`."""
    try:
        yield
    except OSError:
        raise
    except Exception as error:
        raise OSError(reason_of(error)) from error


def _unfinished(path: str, directory: str) -> str:
    """Name a file that is not whole yet: no two writers share one."""
    name = path.rpartition("/")[2][:100]
    return f"{directory}/.{name}.{token_hex(8)}{UNFINISHED}"


def _whole(file: BinaryIO) -> bytes:
    """Read a file that is not too large for it."""
    content = file.read(_LARGEST + 1)
    if len(content) > _LARGEST:
        raise OSError(f"it has more than {_LARGEST:,} bytes")
    return content


def _force(directory: Path) -> None:
    """Force a directory's new names to the disk."""
    with suppress(OSError):  # some file systems cannot, and keep names in order by themselves
        handle = os.open(directory, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
