"""Records of Parquet, some rows at a time."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from ...errors import UsageError
from ..concepts.checks import shown
from .record import Record
from .streams import Stream
from .values import FIELDS, Maker, chosen_columns

_MAGIC = b"PAR1"
_MOST_ROWS = 4096  # that are read at once
_MOST_BYTES = 64 << 20  # of these rows, as far as can be known
_LARGEST_GROUP = 2 << 30  # bytes of a group of rows
_BUFFER = 1 << 20


def parquet_records(
    stream: Stream, *, columns: Mapping[str, str], maker: Maker
) -> Iterator[Record]:
    """Check the columns of a Parquet file, and give the records of its rows.

    Parameters
    ----------
    stream : Stream
        Of a file that can be read at any place.
    columns : mapping of str to str
        Which column holds which field.
    maker : Maker
        Makes the records.

    Raises
    ------
    UsageError
        It is no Parquet, damaged, or compressed once more; a column is not there, of another type,
        or too large to be read a part at a time.

    Examples
    --------
    >>> import tempfile
    >>> from contextlib import ExitStack
    >>> from pathlib import Path
    >>> import pyarrow
    >>> from pyarrow.parquet import write_table
    >>> from .streams import open_stream
    >>> path = str(Path(tempfile.mkdtemp(), "list.parquet"))
    >>> write_table(pyarrow.table({"concept": ["sea"], "id": [7]}), path)
    >>> with ExitStack() as stack, Maker(path) as maker:
    ...     stream = open_stream(path, stdin=None, stack=stack)
    ...     [(each.concept, each.id) for each in parquet_records(stream, columns={}, maker=maker)]
    [('sea', '7')]
    """
    source = stream.source
    if not stream.is_seekable:
        raise UsageError(f"{source}: Parquet is read from its end; name a file of its own")
    if stream.compression is not None:
        raise UsageError(f"{source}: {stream.compression} over Parquet is not read; decompress it")
    if stream.start != _MAGIC:
        raise UsageError(f"{source}: no Parquet file: it begins with {stream.start!r}")
    import pyarrow
    from pyarrow.parquet import ParquetFile

    stream = replace(stream, errors=(*stream.errors, pyarrow.ArrowException))
    with stream.telling(doing="no Parquet file that can be read"):
        file = ParquetFile(stream.raw, buffer_size=_BUFFER)
        schema = file.schema_arrow
    chosen = chosen_columns(columns, schema.names, source)
    for field, name in chosen.items():
        _check_type(field, name, schema.field(name).type, source)
    with stream.telling(doing="no Parquet file that can be read"):
        _check_groups(file, source)
        # Their dictionaries can be looked at alone, before each value is written out.
        leaves = [file.schema.column(place).path for place in range(len(file.schema))]
        probe = ParquetFile(stream.raw, read_dictionary=leaves, buffer_size=_BUFFER)
    return _records(stream, file, probe, chosen, maker)


def _check_type(field: str, name: str, kind: Any, source: str) -> None:
    """Refuse a column of a type that the field is not read from."""
    from pyarrow import types

    def is_text(kind: Any) -> bool:
        if types.is_dictionary(kind):
            kind = kind.value_type
        texts = (types.is_string, types.is_large_string, types.is_string_view)
        return any(is_(kind) for is_ in texts)

    def is_list(kind: Any) -> bool:
        lists = (types.is_list, types.is_large_list, types.is_fixed_size_list)
        return any(is_(kind) for is_ in lists) and is_text(kind.value_type)

    also: dict[str, Callable[[Any], bool]] = {
        "id": lambda kind: types.is_integer(kind) or types.is_floating(kind) or types.is_null(kind),
        "forms": lambda kind: is_list(kind) or types.is_null(kind),
        "expected": types.is_null,
    }
    if not (is_text(kind) or (field in also and also[field](kind))):
        wanted = {"id": "texts or numbers", "forms": "texts or lists of texts"}.get(field, "texts")
        raise UsageError(
            f"{source}: the column {shown(name)} is of {shown(str(kind))}; it must be of {wanted}"
        )


def _check_groups(file: Any, source: str) -> None:
    """Refuse groups of rows that are too large."""
    for place in range(file.metadata.num_row_groups):
        # Not its columns' sizes: pyarrow ends the process where those are damaged.
        size = file.metadata.row_group(place).total_byte_size
        if size > _LARGEST_GROUP:
            raise UsageError(
                f"{source}: group {place} of its rows has {size:,} bytes; at most "
                f"{_LARGEST_GROUP:,} are read: write it with smaller row groups"
            )


def _records(
    stream: Stream, file: Any, probe: Any, chosen: Mapping[str, str], maker: Maker
) -> Iterator[Record]:
    """Give the records of all rows."""
    names = list(chosen.values())
    for group in range(file.metadata.num_row_groups):
        with stream.telling():
            rows = _rows_at_once(probe, group, names)
            batches = file.iter_batches(rows, row_groups=[group], columns=names, use_threads=False)
        while True:
            with stream.telling():
                batch = next(batches, None)
                if batch is None:
                    break
                values = {field: _values(batch.column(name)) for field, name in chosen.items()}
            nothing = [None] * batch.num_rows
            fields = (values.get(field, nothing) for field in FIELDS)
            for given in zip(*fields, strict=True):
                yield maker.record(*given)


def _rows_at_once(probe: Any, place: int, names: list[str]) -> int:
    """Tell how many rows are read at once: a long text of a dictionary can stand in every row."""
    import pyarrow
    from pyarrow import compute

    group = probe.metadata.row_group(place)
    longest = group.total_byte_size // max(1, group.num_rows)
    batch = next(probe.iter_batches(1, row_groups=[place], columns=names, use_threads=False), None)
    for column in [] if batch is None else batch.columns:
        values = column if isinstance(column, pyarrow.DictionaryArray) else _elements(column)
        if isinstance(values, pyarrow.DictionaryArray):
            length = compute.max(compute.binary_length(values.dictionary)).as_py()
            longest = max(longest, length or 0)
    return int(max(1, min(_MOST_ROWS, _MOST_BYTES // max(1, longest))))


def _elements(column: Any) -> Any:
    """Give the elements of lists, or a column that has none as it is."""
    return column.values if hasattr(column, "values") else column


def _values(column: Any) -> list[Any]:
    """Give the values of a column; bytes that are not UTF-8 as lone surrogates."""
    try:
        values: list[Any] = column.to_pylist()
    except UnicodeDecodeError:
        return [_decoded(value) for value in _bytes(column)]
    return values


def _bytes(column: Any) -> list[Any]:
    """Give the bytes of texts, or of lists of them."""
    import pyarrow

    if isinstance(column, pyarrow.DictionaryArray):
        return list(column.dictionary.cast(pyarrow.binary()).take(column.indices).to_pylist())
    is_list = hasattr(column, "values")
    kind = pyarrow.list_(pyarrow.binary()) if is_list else pyarrow.binary()
    values: list[Any] = column.cast(kind).to_pylist()
    return values


def _decoded(value: Any) -> Any:
    """Decode bytes, or each of a list."""
    if isinstance(value, list):
        return [_decoded(element) for element in value]
    return value.decode("utf-8", "surrogateescape") if isinstance(value, bytes) else value
