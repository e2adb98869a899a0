"""Lists of concepts as records: checked before the work, then read a little at a time."""

from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from typing import BinaryIO

from ...errors import UsageError
from ..concepts.checks import shown
from .delimited import delimited_records
from .lines import Lines
from .lists import built_in_list
from .parquet import parquet_records
from .record import Record
from .streams import STDIN, Stream, ending_of, open_stream
from .texts import json_records, plain_records
from .values import FIELDS, Maker

FORMATS = ("csv", "tsv", "jsonl", "parquet", "lines")
_ENDINGS = {
    ".csv": "csv",
    ".tsv": "tsv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".parquet": "parquet",
}
# Plain lines of these would be nonsense.
_NEVER_LINES = frozenset(
    (".7z", ".arrow", ".bz2", ".feather", ".json", ".pkl", ".xls", ".xlsx", ".xz", ".zip")
)
_OPENED = Record("")


def read_records(
    source: str,
    *,
    columns: Mapping[str, str] | None = None,
    file_format: str | None = None,
    stdin: BinaryIO | None = None,
) -> Generator[Record, None, None]:
    """Open a list of concepts and check it, at once; give its records, a little at a time.

    Parameters
    ----------
    source : str
        A file, ``-`` for stdin, remote storage (``protocol://…``, opened by fsspec), ``emoji:all``,
        ``emoji:all:LANG`` or ``unicode:SCRIPT``.
    columns : mapping of str to str, optional
        Which column holds ``concept``, ``id``, ``forms`` and ``expected``, where it is not the one
        of that name. Lists that are built in have none and take no notice.
    file_format : str, optional
        One of `FORMATS`; by default the ending tells, before which ``.gz`` and ``.zst`` may stand.
    stdin : binary file, optional
        What ``-`` reads; by default the process's own.

    Returns
    -------
    generator of Record
        In the list's order. What is wrong with one record is its ``fault``. It holds the file open
        until it comes to its end or is closed.

    Raises
    ------
    UsageError
        At once, where the source cannot be opened, or has no such format or column; later, where
        it is damaged or gone: it says how many records came before.

    Examples
    --------
    >>> import io
    >>> [record.concept for record in read_records("-", stdin=io.BytesIO(b"sea + horse"))]
    ['sea + horse']
    """
    return _opened(_reading(source, columns or {}, file_format, stdin, None))


def read_all(
    sources: Sequence[str],
    *,
    columns: Mapping[str, str] | None = None,
    file_format: str | None = None,
    stdin: BinaryIO | None = None,
) -> Iterator[Record]:
    """Open several lists, all at once, and give their records one list after the other.

    Parameters
    ----------
    sources : sequence of str
        Each as in `read_records`; where they are several, each record has its ``source``.
    columns, file_format, stdin
        As in `read_records`, for all of them.

    Raises
    ------
    UsageError
        There is none, two of them are stdin, or as in `read_records`.

    Examples
    --------
    >>> records = list(read_all(["emoji:all", "unicode:greek"]))
    >>> records[0].concept, records[-1].source
    ('1st place medal', 'unicode:greek')
    """
    if not sources:
        raise UsageError("no list of concepts; name a file, - or emoji:all")
    if sources.count(STDIN) > 1:
        raise UsageError("- is there twice, and stdin can be read once; leave one out")
    readings = [
        _opened(
            _reading(
                source, columns or {}, file_format, stdin, source if len(sources) > 1 else None
            )
        )
        for source in sources
    ]
    return (record for reading in readings for record in reading)


def concepts_of(
    values: Iterable[str | Record | Mapping[str, object]],
) -> Generator[Record, None, None]:
    """Make records of what a program hands over.

    Parameters
    ----------
    values : iterable of str, Record or mapping
        A concept; a record, checked once more where it has no fault; a mapping with ``concept``
        and, if wanted, ``id``, ``forms`` and ``expected``. They are taken one by one.

    Raises
    ------
    UsageError
        They are a single text or mapping, or nothing that can be gone through.

    Examples
    --------
    >>> [record.forms for record in concepts_of(["sea", {"concept": "horse", "forms": ["🐎"]}])]
    [(), ('🐎',)]
    """
    if isinstance(values, str | bytes | Mapping) or not isinstance(values, Iterable):
        raise UsageError(
            f"the concepts are {shown(values)}; they must be a list of texts, mappings or records"
        )
    return _opened(_handed_over(values))


def _opened(records: Generator[Record, None, None]) -> Generator[Record, None, None]:
    """Let a source be opened and checked; a generator that has begun closes what it opened."""
    next(records)
    return records


def _reading(
    source: str,
    columns: Mapping[str, str],
    file_format: str | None,
    stdin: BinaryIO | None,
    name: str | None,
) -> Generator[Record, None, None]:
    """Open a source, give one record that is none, then its records."""
    _check_columns(columns)
    if file_format is not None and file_format not in FORMATS:
        raise UsageError(
            f"unknown format {shown(file_format)}; the formats are {', '.join(FORMATS)}"
        )
    records = built_in_list(source, name=name)
    if records is not None:
        yield _OPENED
        yield from records
        return
    file_format = file_format or _format_of(source)
    with ExitStack() as stack:
        stream = open_stream(source, stdin=stdin, stack=stack)
        maker = stack.enter_context(Maker(source, name=name))
        records = _records(stream, file_format, columns, maker)
        yield _OPENED
        try:
            yield from records
        except UsageError as error:
            count = f"{maker.count:,} record{'s' * (maker.count != 1)}"
            raise UsageError(f"{error}; {count} came before") from error


def _check_columns(columns: Mapping[str, object]) -> None:
    """Refuse names of fields that a record has not."""
    for field, column in columns.items():
        if field not in FIELDS:
            raise UsageError(
                f"a record has no field {shown(field)}; the fields are {', '.join(FIELDS)}"
            )
        if not isinstance(column, str) or not column:
            raise UsageError(f"the column of {field} is {shown(column)}; it must be a name")


def _format_of(source: str) -> str:
    """Tell the format by the ending."""
    ending = ending_of(source)[0]
    if ending in _NEVER_LINES:
        raise UsageError(
            f"{source}: {ending} is not read; the formats are {', '.join(FORMATS)}, and --format "
            "says that it is one of them"
        )
    return _ENDINGS.get(ending, "lines")


def _records(
    stream: Stream, file_format: str, columns: Mapping[str, str], maker: Maker
) -> Iterator[Record]:
    """Check what can be known before the work, and give the records."""
    source = stream.source
    if file_format == "parquet":
        return parquet_records(stream, columns=columns, maker=maker)
    if file_format == "lines" and columns:
        raise UsageError(f"{source}: plain lines have no columns; --format says what it is")
    lines = Lines(stream)
    if file_format == "lines":
        return plain_records(lines, maker=maker)
    if file_format == "jsonl":
        return json_records(lines, columns=columns, source=source, maker=maker)
    delimiter = "," if file_format == "csv" else "\t"
    return delimited_records(
        lines, delimiter=delimiter, columns=columns, source=source, maker=maker
    )


def _handed_over(
    values: Iterable[str | Record | Mapping[str, object]],
) -> Generator[Record, None, None]:
    """Give one record that is none, then those of the values."""
    makers: dict[str | None, Maker] = {}
    with ExitStack() as stack:
        yield _OPENED
        for value in values:
            source = value.source if isinstance(value, Record) else None
            if source not in makers:
                maker = Maker(source or "the concepts", name=source)
                makers[source] = stack.enter_context(maker)
            yield _record(value, makers[source])


def _record(value: object, maker: Maker) -> Record:
    """Make the record of one value."""
    if isinstance(value, Record) and value.fault is not None:
        maker.count += 1
        return value
    if isinstance(value, Record):
        return maker.record(
            value.concept, value.id, value.forms, value.expected, is_phrase=value.is_phrase
        )
    if isinstance(value, Mapping):
        return maker.record(*(value.get(field) for field in FIELDS))
    if isinstance(value, str):
        return maker.record(value)
    return maker.faulty(value, f"it is {shown(value)}; it must be a text, a mapping or a record")
