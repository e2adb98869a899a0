"""Findings as Arrow tables, and back."""

from collections.abc import Callable, Iterator, Sequence
from functools import cache
from itertools import accumulate, chain, pairwise
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from .finding import Finding, NearToken

if TYPE_CHECKING:
    import pyarrow

SCHEMA = 1  # of the fields of an output; a change of one raises it


@cache
def arrow_schema() -> "pyarrow.Schema":
    """Give the columns of a table of findings: the fields of a `Finding`, in its order.

    Examples
    --------
    >>> arrow_schema().field("nearest").type.value_type.names
    ['id', 'token', 'text', 'score']
    """
    import pyarrow

    text, id_, number = pyarrow.string(), pyarrow.int32(), pyarrow.float64()
    near = pyarrow.struct([("id", id_), ("token", text), ("text", text), ("score", number)])
    return pyarrow.schema(
        [
            pyarrow.field("concept", text, nullable=False),
            ("id", text),
            ("source", text),
            pyarrow.field("verdict", text, nullable=False),
            ("by", text),
            ("message", text),
            ("form", text),
            ("token_ids", pyarrow.list_(id_)),
            ("tokens", pyarrow.list_(text)),
            ("fragments", id_),
            ("shared", id_),
            ("siblings", pyarrow.list_(text)),
            ("nearest", pyarrow.list_(near)),
            ("snap_id", id_),
            ("snap_token", text),
            ("snap_text", text),
            ("snap_logit", number),
            ("snap_probability", number),
            ("gap_degrees", number),
            ("gap_logit", number),
            ("membership", number),
            ("p_token", number),
            ("believed", number),
            ("written_id", id_),
            ("written_token", text),
            ("written_text", text),
        ]
    )


def table_of(findings: Sequence[Finding]) -> "pyarrow.Table":
    r"""Make a table of findings.

    Parameters
    ----------
    findings : sequence of Finding
        A row each. A number that is not finite becomes null; a lone surrogate, which UTF-8 cannot
        hold, is written out: ``\ud800``.

    Examples
    --------
    >>> table = table_of([Finding("sea", verdict="single_token", by="form", token_ids=(5442,))])
    >>> table.column("token_ids").to_pylist()
    [[5442]]
    """
    import pyarrow

    columns = [
        _column(field.type, list(map(attrgetter(field.name), findings))) for field in arrow_schema()
    ]
    return pyarrow.Table.from_arrays(columns, schema=arrow_schema())


def rows_of(table: "pyarrow.Table") -> Iterator[dict[str, Any]]:
    """Give the rows of a table of findings as JSON has them: lists, dicts, None.

    Parameters
    ----------
    table : pyarrow.Table
        Of the columns of `arrow_schema`.

    Examples
    --------
    >>> (row,) = rows_of(table_of([Finding("sea", nearest=(NearToken(1, "a", None, 0.5),))]))
    >>> row["nearest"]
    [{'id': 1, 'token': 'a', 'text': None, 'score': 0.5}]
    """
    names = table.column_names
    return (dict(zip(names, row, strict=True)) for row in _rows(table, list, _near))


def findings_of(table: "pyarrow.Table") -> Iterator[Finding]:
    """Give the findings that a table was made of.

    Parameters
    ----------
    table : pyarrow.Table
        Of the columns of `arrow_schema`.

    Examples
    --------
    >>> finding = Finding("sea + horse", verdict="phantom", nearest=(NearToken(1, "a", None, 0.5),))
    >>> list(findings_of(table_of([finding]))) == [finding]
    True
    """
    return (Finding(*row) for row in _rows(table, tuple, NearToken))


def _column(kind: "pyarrow.DataType", values: Sequence[Any]) -> "pyarrow.Array":
    """Make a column of values, or of tuples of them."""
    import pyarrow
    from pyarrow import compute, types

    if types.is_list(kind):
        ends = pyarrow.array(accumulate(map(len, values), initial=0), pyarrow.int32())
        elements = _column(kind.value_type, list(chain.from_iterable(values)))
        return pyarrow.ListArray.from_arrays(ends, elements, type=kind)
    if types.is_struct(kind):
        parts = [
            _column(field.type, list(map(attrgetter(field.name), values))) for field in kind.fields
        ]
        return pyarrow.StructArray.from_arrays(parts, fields=list(kind.fields))
    if types.is_string(kind):
        return _texts(values)
    column = pyarrow.array(values, kind)
    if types.is_floating(kind):
        return compute.if_else(compute.is_finite(column), column, pyarrow.scalar(None, kind))
    return column


def _texts(values: Sequence[str | None]) -> "pyarrow.Array":
    """Make a column of texts; lone surrogates, which are rare, are written out."""
    import pyarrow

    try:
        return pyarrow.array(values, pyarrow.string())
    except UnicodeEncodeError:
        safe = [value and value.encode("utf-8", "backslashreplace").decode() for value in values]
        return pyarrow.array(safe, pyarrow.string())


def _rows(
    table: "pyarrow.Table", several: Callable[[list[Any]], Any], near: Callable[..., Any]
) -> Iterator[tuple[Any, ...]]:
    """Give the rows of a table, their lists and nearest tokens made by what is given."""
    # A table of no rows has no chunks to put together.
    columns = [column.combine_chunks() for column in table.columns if len(column)]
    return zip(*(_values(column, several, near) for column in columns), strict=True)


def _near(id_: int, token: str, text: str | None, score: float) -> dict[str, Any]:
    """Give a near token as JSON has it."""
    return {"id": id_, "token": token, "text": text, "score": score}


def _values(
    column: "pyarrow.Array", several: Callable[[list[Any]], Any], near: Callable[..., Any]
) -> list[Any]:
    """Give the values of a column: what to_pylist gives, many times sooner."""
    from pyarrow import types

    if types.is_list(column.type):
        elements = _values(column.values, several, near)
        ends = column.offsets.to_numpy().tolist()
        return [several(elements[start:end]) for start, end in pairwise(ends)]
    if types.is_struct(column.type):
        names = [field.name for field in column.type.fields]
        return list(map(near, *(_values(column.field(name), several, near) for name in names)))
    if types.is_string(column.type):
        texts: list[Any] = column.to_numpy(zero_copy_only=False).tolist()
        return texts
    values: list[Any] = column.fill_null(0).to_numpy().tolist()
    if column.null_count == 0:
        return values
    is_there = column.is_valid().to_numpy(zero_copy_only=False).tolist()
    return [value if there else None for value, there in zip(values, is_there, strict=True)]
