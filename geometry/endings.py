"""Files whose ending says what is written; what was there stays where writing fails."""

from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import IO

from ..errors import UsageError
from .storage import LocalStorage, reason_of


def check_ending(path: Path, endings: Collection[str], *, what: str) -> None:
    """Refuse an ending that tells of no kind of file.

    Raises
    ------
    UsageError
        It is none of them.

    Examples
    --------
    >>> check_ending(Path("emoji.html"), (".html", ".json"), what="map")
    """
    if path.suffix not in endings:
        raise UsageError(f"{path}: a {what} is written as {', '.join(endings)}")


def write_by_ending(
    path: Path, writers: Mapping[str, Callable[[IO[bytes]], object]], *, what: str
) -> None:
    """Write a file with the writer of its ending; what was there is replaced once all is written.

    Raises
    ------
    UsageError
        The file cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp(), "sea.json")
    >>> write_by_ending(path, {".json": lambda file: file.write(b"sea")}, what="word")
    >>> path.read_text()
    'sea'
    """
    try:
        with LocalStorage().writing(str(path), beside=str(path.parent)) as file:
            writers[path.suffix](file)
    except OSError as error:
        raise UsageError(f"{path}: the {what} cannot be written: {reason_of(error)}") from error
