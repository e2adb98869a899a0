"""A user's own table: what it says of each token, to colour a map by."""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ...errors import UsageError
from ..heads.unembedding import Unembedding
from ..tokens.vocabulary import Vocabulary, display

if TYPE_CHECKING:
    import pyarrow

# N tokens of a map.

Value = str | float | None
RESERVED = frozenset(
    {
        *("part", "name", "id", "token", "text", "kind", "script", "norm", "group", "cluster"),
        *("label", "x", "y", "z", "x_drawn", "y_drawn", "z_drawn", "neighbors"),
        *("snap", "gap_degrees", "gap_logit"),
    }
)
_BY = ("id", "token", "text")  # what can say which token a row is of, the first that is there
_LIMIT = 256 << 20  # bytes, of a file and of what it holds
_MOST = 100  # columns
_LONGEST = 200  # characters of a text that is kept
_log = logging.getLogger("unembed")


@dataclass(frozen=True, eq=False)
class Columns:
    """What a table says of tokens.

    Attributes
    ----------
    values : mapping of str to (mapping of int to value)
        For each column, by the token's id.

    Examples
    --------
    >>> Columns({"use": {7: 0.5}}).of(np.array([5, 7]))
    {'use': (None, 0.5)}
    """

    values: Mapping[str, Mapping[int, Value]]

    def of(self, ids_N: NDArray[np.int64]) -> dict[str, tuple[Value, ...]]:
        """Give each column for some tokens; None where the table says nothing."""
        ids = ids_N.tolist()
        return {name: tuple(map(by_id.get, ids)) for name, by_id in self.values.items()}


def read_columns(path: Path, head: Unembedding) -> Columns:
    r"""Read a table of tokens: CSV, TSV, JSON lines or Parquet, by the file's ending.

    Parameters
    ----------
    path : Path
        ``.csv``, ``.tsv``, ``.jsonl`` or ``.parquet``, with a column ``id``, or ``token`` (the
        vocabulary's own string), or ``text`` (what the token writes). Its other columns are taken:
        numbers as numbers, all else as text.
    head : Unembedding
        Whose tokens. Rows that name none of them are counted in a warning.

    Raises
    ------
    UsageError
        The file cannot be read, is too large, has no such column or no other one, names a token
        twice or none at all, or has a column of a name that a map's own table has.

    Examples
    --------
    >>> import tempfile, unembed
    >>> path = Path(tempfile.mkdtemp(), "use.csv")
    >>> _ = path.write_text("text,use\nsea,0.5\n horse,2\n")
    >>> read_columns(path, unembed.open_head("demo")).values
    {'use': {15457: 0.5, 11149: 2.0}}
    """
    table = _read(path)
    by = next((name for name in _BY if name in table.column_names), None)
    if by is None:
        raise UsageError(f"{path}: no column says which token a row is of: {', '.join(_BY)}")
    names = [name for name in table.column_names if name not in _BY]
    taken = sorted(RESERVED.intersection(names))
    if taken:
        raise UsageError(f"{path}: a map has columns {', '.join(taken)} of its own; rename them")
    if not 0 < len(names) <= _MOST or len(set(names)) < len(names):
        raise UsageError(
            f"{path}: it has {len(names):,} columns beside {by}; give 1 to {_MOST} of as many names"
        )
    ids = _ids(path, by, table.column(by).to_pylist(), head.vocabulary)
    kept = [place for place, id_ in enumerate(ids) if id_ is not None]
    if len(kept) < len(ids):
        _log.warning(
            "%s: %s of %s rows name no token of %s",
            path,
            f"{len(ids) - len(kept):,}",
            f"{len(ids):,}",
            head.source,
        )
    return Columns(
        {
            name: {
                int(ids[place] or 0): values[place] for place in kept if values[place] is not None
            }
            for name in names
            for values in [_values(table.column(name))]
        }
    )


def _read(path: Path) -> "pyarrow.Table":
    """Read a file as an Arrow table."""
    import pyarrow
    from pyarrow import csv, json, parquet

    def delimited(sign: str) -> Callable[[Path], pyarrow.Table]:
        options = csv.ParseOptions(delimiter=sign, newlines_in_values=True)
        return lambda file: csv.read_csv(file, parse_options=options)

    def packed(file: Path) -> pyarrow.Table:
        about = parquet.read_metadata(file)
        groups = [about.row_group(place) for place in range(about.num_row_groups)]
        size = sum(group.total_byte_size for group in groups)
        if size > _LIMIT:
            raise UsageError(f"{path}: it holds {size:,} bytes; a table has at most {_LIMIT:,}")
        return parquet.read_table(file, memory_map=True)

    readers: dict[str, Callable[[Path], pyarrow.Table]] = {
        ".csv": delimited(","),
        ".tsv": delimited("\t"),
        ".jsonl": json.read_json,
        ".parquet": packed,
    }
    if path.suffix not in readers:
        raise UsageError(f"{path}: a table is read from {', '.join(readers)}")
    try:
        size = path.stat().st_size
        if size > _LIMIT:
            raise UsageError(f"{path}: {size:,} bytes; a table has at most {_LIMIT:,}")
        return readers[path.suffix](path)
    except (OSError, pyarrow.ArrowException) as error:
        raise UsageError(f"{path}: the table cannot be read: {error}") from error


def _ids(path: Path, by: str, values: Sequence[Any], vocabulary: Vocabulary) -> list[int | None]:
    """Find the token of each row; None where there is none."""
    find: dict[str, Callable[[Any], int | None]] = {
        "id": lambda value: value if 0 <= value < len(vocabulary) else None,
        "token": vocabulary.id_of_token,
        "text": vocabulary.id_of,
    }
    kind = int if by == "id" else str
    ids: list[int | None] = []
    seen: set[int] = set()
    for row, value in enumerate(values, start=1):
        if not isinstance(value, kind) or isinstance(value, bool):
            raise UsageError(
                f"{path}, row {row:,}: {by} is {value!r}; it must be "
                f"{'a whole number' if by == 'id' else 'a text'}"
            )
        id_ = find[by](value)
        if id_ in seen:
            raise UsageError(f"{path}, row {row:,}: {by} {display(str(value))!r} is there twice")
        ids.append(id_)
        if id_ is not None:
            seen.add(id_)
    if not seen:
        raise UsageError(f"{path}: no row names a token of this head by its {by}")
    return ids


def _values(column: "pyarrow.ChunkedArray") -> list[Value]:
    """Give a column as numbers, or else as text that is not too long."""
    from pyarrow import types

    values = column.to_pylist()
    if types.is_integer(column.type) or types.is_floating(column.type):
        return [None if value is None or not isfinite(value) else float(value) for value in values]
    if types.is_boolean(column.type):
        return [None if value is None else str(value).lower() for value in values]
    return [None if value is None else str(value)[:_LONGEST] for value in values]
