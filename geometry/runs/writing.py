"""An audit's output as a file: Parquet, CSV, JSON lines."""

import csv
import gzip
import io
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, BinaryIO

from ...errors import UsageError
from ..audit.tables import SCHEMA, arrow_schema, rows_of
from ..storage import Storage, storage_of

if TYPE_CHECKING:
    import pyarrow

ENDINGS = (".parquet", ".csv", ".csv.gz", ".csv.zst", ".jsonl", ".jsonl.gz", ".jsonl.zst")
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
# JSON may hold them, but many programs that read lines end one there.
_LINE_ENDS = "\x85\u2028\u2029"
_json = json.JSONEncoder(ensure_ascii=False, allow_nan=False).encode

Write = Callable[["pyarrow.Table"], None]


@dataclass(frozen=True)
class Output:
    """Where an audit's findings go, and in which form.

    Attributes
    ----------
    name : str
        What the caller calls it.
    storage : Storage
    path : str
        Its place there.
    ending : str
        One of `ENDINGS`.

    Examples
    --------
    >>> output = output_of("/tmp/found.csv.gz")
    >>> output.ending, output.meta, output.address
    ('.csv.gz', '/tmp/found.csv.gz.meta.json', '/tmp/found.csv.gz')
    """

    name: str
    storage: Storage
    path: str
    ending: str

    @property
    def address(self) -> str:
        """What names it from any working directory."""
        return self.name if "://" in self.name else self.path

    @property
    def meta(self) -> str | None:
        """The path of the file beside it that says what it was made with; None for Parquet."""
        return None if self.ending == ".parquet" else f"{self.path}.meta.json"


def output_of(name: str) -> Output:
    """Tell the form of an output by its ending.

    Parameters
    ----------
    name : str
        A path, or an address of remote storage.

    Raises
    ------
    UsageError
        The ending is none of `ENDINGS`, or the storage cannot be reached.

    Examples
    --------
    >>> output_of("found.xlsx")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    unembed.errors.UsageError: found.xlsx: an output ends in .parquet, .csv, .csv.gz, ...
    """
    ending = next((ending for ending in ENDINGS if name.lower().endswith(ending)), None)
    if ending is None:
        raise UsageError(f"{name}: an output ends in {', '.join(ENDINGS)}")
    storage, path = storage_of(name)
    return Output(name, storage, path, ending)


def meta_of(terms: Mapping[str, Any]) -> str:
    """Write as JSON what an output was made with.

    Parameters
    ----------
    terms : mapping
        The auditor's own.

    Examples
    --------
    >>> meta_of({"head": "demo"})
    '{"schema": 1, "head": "demo"}'
    """
    return json.dumps({"schema": SCHEMA, **terms}, allow_nan=False)


@contextmanager
def writing_to(file: BinaryIO, *, ending: str, meta: str) -> Iterator[Write]:
    r"""Write tables of findings into a file, one after the other; the same ones as the same bytes.

    Parameters
    ----------
    file : binary file
        It stays open.
    ending : str
        One of `ENDINGS`.
    meta : str
        What the findings were made with, as JSON; only Parquet holds it inside.

    Yields
    ------
    callable
        Takes a table.

    Examples
    --------
    >>> from ..audit.finding import Finding
    >>> from ..audit.tables import table_of
    >>> file = io.BytesIO()
    >>> with writing_to(file, ending=".csv", meta="{}") as write:
    ...     write(table_of([Finding("=cmd", message="no, never")]))
    >>> file.getvalue().splitlines()[1]
    b'\'=cmd,,,error,,"no, never",,[],[],,,[],[],,,,,,,,,,,,,'
    """
    if ending == ".parquet":
        with _parquet(file, meta) as write:
            yield write
        return
    with _compressing(file, ending) as sink:
        if ending.startswith(".csv"):
            sink.write(_csv([arrow_schema().names]))
            yield lambda table: _put(sink, _csv(_cells(table)))
        else:
            yield lambda table: _put(sink, _json_lines(table))


def _put(sink: Any, content: bytes) -> None:
    """Write content, whatever the sink says of it."""
    sink.write(content)


@contextmanager
def _parquet(file: BinaryIO, meta: str) -> Iterator[Write]:
    """Write a group of rows a table."""
    from pyarrow.parquet import ParquetWriter

    schema = arrow_schema().with_metadata({"unembed": meta})
    writer = ParquetWriter(file, schema, compression="zstd")
    try:
        yield writer.write_table
    except BaseException:
        with suppress(OSError):  # it would end the file that failed
            writer.close()
        raise
    writer.close()


@contextmanager
def _compressing(file: BinaryIO, ending: str) -> Iterator[Any]:
    """Compress what is written, as the ending says."""
    if ending.endswith(".gz"):
        # A name or a time inside would make the file another each time.
        with gzip.GzipFile(filename="", mode="wb", fileobj=file, mtime=0) as sink:
            yield sink
    elif ending.endswith(".zst"):
        import pyarrow

        with pyarrow.CompressedOutputStream(_Kept(file), "zstd") as sink:
            yield sink
    else:
        yield file


class _Kept(io.RawIOBase):
    """A file that stays open when what writes to it is closed."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def writable(self) -> bool:
        """Say that it can be written."""
        return True

    def write(self, content: Any, /) -> int:
        """Write content."""
        return self._file.write(content)


def _csv(rows: Any) -> bytes:
    """Quote rows as RFC 4180 says."""
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue().encode()


def _cells(table: "pyarrow.Table") -> Iterator[list[object]]:
    """Give the cells of rows."""
    return ([csv_cell(value) for value in row.values()] for row in rows_of(table))


def csv_cell(value: object) -> object:
    """Write a list as JSON; make a text harmless that a spreadsheet would take for a formula.

    Examples
    --------
    >>> csv_cell("=1+1"), csv_cell([1, 2])
    ("'=1+1", '[1, 2]')
    """
    if isinstance(value, str):
        return f"'{value}" if value.startswith(_FORMULA) else value
    return _json(value) if isinstance(value, list | dict) else value


def _json_lines(table: "pyarrow.Table") -> bytes:
    """Write an object a line."""
    text = "".join(f"{_json(row)}\n" for row in rows_of(table))
    for end in _LINE_ENDS:
        text = text.replace(end, f"\\u{ord(end):04x}")
    return text.encode()
