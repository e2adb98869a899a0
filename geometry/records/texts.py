"""Records of JSON lines and of plain lines."""

import json
from collections.abc import Iterator, Mapping
from itertools import chain
from typing import NamedTuple

from .lines import LONGEST_LINE, Lines
from .record import Record
from .values import FIELDS, Maker, no_column, readable

_LOOKED_AT = 100  # lines that tell whether the concept's field is there
_LOOKED_AT_CHARACTERS = 1 << 20


def plain_records(lines: Lines, *, maker: Maker) -> Iterator[Record]:
    r"""Give the records of plain lines: each that is not blank is a concept.

    Examples
    --------
    >>> import io
    >>> from contextlib import ExitStack
    >>> from .streams import open_stream
    >>> with ExitStack() as stack, Maker("-") as maker:
    ...     lines = Lines(open_stream("-", stdin=io.BytesIO(b"sea\n\nhorse\n"), stack=stack))
    ...     [record.concept for record in plain_records(lines, maker=maker)]
    ['sea', 'horse']
    """
    for text in lines:
        if lines.is_long or not lines.is_utf8:
            yield maker.faulty(text, _line_fault(lines), line=lines.number)
        elif text and not text.isspace():
            yield maker.record(text, line=lines.number)


def json_records(
    lines: Lines, *, columns: Mapping[str, str], source: str, maker: Maker
) -> Iterator[Record]:
    r"""Give the records of JSON lines: an object or a text on each; blank lines are skipped.

    Parameters
    ----------
    lines : Lines
        The first of them are looked at at once.
    columns : mapping of str to str
        Which field of an object holds which of a record, where it is not the one of its name.
    source : str
        What the caller calls the list, for errors.
    maker : Maker
        Makes the records.

    Raises
    ------
    UsageError
        The first lines are objects, and none has the concept's field.

    Examples
    --------
    >>> import io
    >>> from contextlib import ExitStack
    >>> from .streams import open_stream
    >>> text = io.BytesIO(b'{"concept": "sea", "id": 7}\n"horse"\n')
    >>> with ExitStack() as stack, Maker("-") as maker:
    ...     lines = Lines(open_stream("-", stdin=text, stack=stack))
    ...     records = json_records(lines, columns={}, source="-", maker=maker)
    ...     [(record.concept, record.id) for record in records]
    [('sea', '7'), ('horse', None)]
    """
    names = [columns.get(field, field) for field in FIELDS]
    parsed = _parsed(lines)
    first = _looked_at(parsed, names[0], source)
    return (_record(item, names, maker) for item in chain(first, parsed))


class _Parsed(NamedTuple):
    """A line of JSON: its value, or what is wrong with it."""

    number: int
    text: str
    value: object = None
    fault: str | None = None


def _parsed(lines: Lines) -> Iterator[_Parsed]:
    """Parse lines that are not blank."""
    decode = json.JSONDecoder(parse_constant=_no_constant).decode
    for text in lines:
        number = lines.number
        if lines.is_long or not lines.is_utf8:
            yield _Parsed(number, text, fault=_line_fault(lines))
        elif text and not text.isspace():
            try:
                yield _Parsed(number, text, decode(text))
            except RecursionError:
                yield _Parsed(number, text, fault="no JSON: it is nested too deeply")
            except ValueError as error:  # a number may be too long for Python
                reason = str(error).partition(";")[0]
                yield _Parsed(number, text, fault=f"no JSON: {reason}")


def _looked_at(parsed: Iterator[_Parsed], concept: str, source: str) -> list[_Parsed]:
    """Take lines until one has a concept; refuse a list of objects whose first have none."""
    taken: list[_Parsed] = []
    found: dict[str, None] = {}
    characters = 0
    for item in parsed:
        taken.append(item)
        if isinstance(item.value, str) or (isinstance(item.value, dict) and concept in item.value):
            return taken
        if isinstance(item.value, dict):
            found |= dict.fromkeys(item.value)
        characters += len(item.text)
        if len(taken) == _LOOKED_AT or characters > _LOOKED_AT_CHARACTERS:
            break
    if found:
        raise no_column(concept, list(found), source, hint=concept == FIELDS[0])
    return taken


def _record(item: _Parsed, names: list[str], maker: Maker) -> Record:
    """Make the record of a line."""
    number, text, value, fault = item
    if isinstance(value, dict):
        concept, id_, forms, expected = map(value.get, names)
        return maker.record(concept, id_, forms, expected, line=number)
    if isinstance(value, str):
        return maker.record(value, line=number)
    return maker.faulty(text, fault or "neither an object nor a text", line=number)


def _line_fault(lines: Lines) -> str:
    """Say why a line cannot be read."""
    if lines.is_long:
        return f"a line of more than {LONGEST_LINE:,} bytes"
    return "not UTF-8"


def _no_constant(name: str) -> object:
    """Refuse NaN and infinity, which JSON does not have."""
    raise ValueError(f"{readable(name)} is no number of JSON")
