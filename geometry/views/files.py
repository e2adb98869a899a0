"""Answers as files: where they may go, and what is written."""

import json
from collections.abc import Callable, Collection
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Protocol

from ..endings import check_ending
from ..runs.writing import csv_cell
from ..storage import check_writable
from .figure import METADATA, check_figure

if TYPE_CHECKING:
    import pyarrow


class Tabled(Protocol):
    """What has rows.

    Examples
    --------
    >>> import unembed
    >>> found: Tabled = unembed.open_head("demo-bytes").examine()
    """

    def to_arrow(self) -> "pyarrow.Table":
        """Give the rows as an Arrow table."""


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


def write_csv(table: "pyarrow.Table", file: IO[bytes]) -> None:
    r"""Write a table as CSV, quoted as RFC 4180 says, lists as JSON.

    Examples
    --------
    >>> import io, pyarrow
    >>> file = io.BytesIO()
    >>> write_csv(pyarrow.table({"id": [1], "near": [[2, 3]]}), file)
    >>> file.getvalue().decode()
    'id,near\r\n1,"[2, 3]"\r\n'
    """
    import csv
    import io

    lines = io.TextIOWrapper(file, encoding="utf-8", newline="", write_through=True)
    writer = csv.writer(lines)
    writer.writerow(table.column_names)
    columns = [column.to_pylist() for column in table.columns]
    writer.writerows([csv_cell(value) for value in row] for row in zip(*columns, strict=True))
    lines.detach()


def table_writers(found: Tabled) -> dict[str, Callable[[IO[bytes]], None]]:
    """Give what writes the rows of an answer, by the endings of files of tables.

    Examples
    --------
    >>> import unembed
    >>> list(table_writers(unembed.open_head("demo-bytes").examine()))
    ['.parquet', '.csv']
    """
    return {
        ".parquet": lambda file: write_parquet(found.to_arrow(), file),
        ".csv": lambda file: write_csv(found.to_arrow(), file),
    }
