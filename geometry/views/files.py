"""Answers as files: the ending says what is written; what was there stays where writing fails."""

import json
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from ...errors import UsageError
from ..storage import LocalStorage, check_writable, reason_of
from .figure import METADATA, check_figure

if TYPE_CHECKING:
    import pyarrow


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


def check_path(path: Path, endings: Collection[str], *, what: str) -> None:
    """Refuse a path that nothing can be written to, and a missing library, before long work.

    Raises
    ------
    UsageError
        The ending is none of them, or the place cannot be written to.
    MissingExtraError
        It is a picture, and matplotlib is not installed.

    Examples
    --------
    >>> check_path(Path("emoji.html"), (".html", ".json"), what="map")
    """
    check_ending(path, endings, what=what)
    if path.suffix in METADATA:
        check_figure(path)
    else:
        check_writable(str(path))


def write_by_ending(
    path: Path, writers: Mapping[str, Callable[[IO[bytes]], object]], *, what: str
) -> None:
    r"""Write a file with the writer of its ending; what was there is replaced once all is written.

    Raises
    ------
    UsageError
        The file cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp(), "sea.json")
    >>> write_by_ending(path, {".json": lambda file: file.write(json_line("sea"))}, what="word")
    >>> path.read_text()
    '"sea"\n'
    """
    try:
        with LocalStorage().writing(str(path), beside=str(path.parent)) as file:
            writers[path.suffix](file)
    except OSError as error:
        raise UsageError(f"{path}: the {what} cannot be written: {reason_of(error)}") from error


def json_line(value: Any) -> bytes:
    r"""Give a value as a line of JSON, in UTF-8.

    Examples
    --------
    >>> json_line({"text": "🐴"}).decode()
    '{"text": "🐴"}\n'
    """
    return (json.dumps(value, ensure_ascii=False) + "\n").encode()


def write_parquet(table: "pyarrow.Table", file: IO[bytes]) -> None:
    """Write a table as Parquet.

    Examples
    --------
    >>> import io, pyarrow
    >>> file = io.BytesIO()
    >>> write_parquet(pyarrow.table({"id": [1]}), file)
    >>> file.getvalue()[:4]
    b'PAR1'
    """
    from pyarrow import parquet

    parquet.write_table(table, file, compression="zstd")
