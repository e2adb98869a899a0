"""Records of CSV and TSV; a row that is wrong takes no other with it."""

import csv
import json
from collections import deque
from collections.abc import Iterator, Mapping

from ...errors import UsageError
from .lines import LONGEST_LINE, Lines
from .record import LONGEST, Record
from .values import Maker, chosen_columns, readable


def delimited_records(
    lines: Lines, *, delimiter: str, columns: Mapping[str, str], source: str, maker: Maker
) -> Iterator[Record]:
    r"""Read the header, and give the records of the rows below it.

    Cells are quoted as RFC 4180 says; blank lines are skipped. A row that is no CSV, or that has
    another number of cells than the header, is a record with a fault. Where a quote is not closed,
    the lines that it took in are read again, each as a row of its own.

    Parameters
    ----------
    lines : Lines
        From the header on.
    delimiter : str
        ``,`` or a tab.
    columns : mapping of str to str
        Which column holds which field.
    source : str
        What the caller calls the list, for errors.
    maker : Maker
        Makes the records.

    Raises
    ------
    UsageError
        There is no header, it is not UTF-8, or a column is not there.

    Examples
    --------
    >>> import io
    >>> from contextlib import ExitStack
    >>> from .streams import open_stream
    >>> table = io.BytesIO("concept,forms\ntropical fish,🐠\n".encode())
    >>> with ExitStack() as stack, Maker("-") as maker:
    ...     lines = Lines(open_stream("-", stdin=table, stack=stack))
    ...     (fish,) = delimited_records(lines, delimiter=",", columns={}, source="-", maker=maker)
    >>> fish.concept, fish.forms
    ('tropical fish', ('🐠',))
    """
    rows = _Rows(lines)
    reader = csv.reader(rows, delimiter=delimiter, strict=True)
    header = _header(rows, reader, source)
    chosen = chosen_columns(columns, header, source)
    places = {field: header.index(name) for field, name in chosen.items()}
    return _records(rows, reader, places, len(header), maker)


def _header(rows: "_Rows", reader: Iterator[list[str]], source: str) -> list[str]:
    """Read the names of the columns."""
    header: list[str] | None = []
    try:
        while header == []:  # a blank line
            rows.begin()
            header = next(reader, None)
    except csv.Error as error:
        raise UsageError(f"{source}: its header is no CSV: {_reason(error)}") from error
    if header is None:
        raise UsageError(f"{source}: it is empty; a header with the columns' names is expected")
    text = "".join(header)
    if readable(text) != text[:LONGEST]:
        raise UsageError(
            f"{source}: its header is not UTF-8; convert it: iconv -f ENCODING -t UTF-8"
        )
    return [name.strip() for name in header]


def _records(
    rows: "_Rows", reader: Iterator[list[str]], places: Mapping[str, int], width: int, maker: Maker
) -> Iterator[Record]:
    """Give the records of the rows below the header."""
    concept = places["concept"]
    id_, forms, expected = (places.get(field) for field in ("id", "forms", "expected"))
    while True:
        rows.begin()
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            line, text = rows.give_back()
            yield maker.faulty(text, f"no CSV: {_reason(error)}", line=line)
            continue
        if len(row) == width:
            yield maker.record(
                row[concept],
                None if id_ is None else row[id_],
                None if forms is None else _forms(row[forms]),
                None if expected is None else row[expected],
                line=rows.line,
            )
        elif row:
            text = row[concept] if concept < len(row) else ""
            cells = f"{len(row):,} cell{'s' * (len(row) != 1)}"
            wrong = f"it has {cells}; the header has {width:,}"
            yield maker.faulty(text, wrong, line=rows.line)


def _forms(cell: str) -> str | list[str]:
    """Give the forms of a cell: a JSON list of texts, or one."""
    if cell[:1] == "[":
        try:
            forms = json.loads(cell)
        except (ValueError, RecursionError):
            return cell
        if isinstance(forms, list) and all(isinstance(form, str) for form in forms):
            return forms
    return cell


def _reason(error: csv.Error) -> str:
    """Say in our words what the csv module means."""
    reason = str(error)
    if "unexpected end" in reason:
        return "a quote is not closed"
    if "field limit" in reason:
        return f"a cell has more than {csv.field_size_limit():,} characters, or is not closed"
    if "new-line" in reason:
        return "a carriage return stands in a cell without quotes"
    return reason


class _Rows:
    """The lines that a row is made of: they are bounded, and can be read again."""

    def __init__(self, lines: Lines) -> None:
        self._lines = lines
        self._fresh = iter(lines)
        # Each line, and whether it is too long.
        self._again: deque[tuple[str, bool]] = deque()
        self._taken: list[tuple[str, bool]] = []
        self._size = 0
        self._number = 0  # of the line that was taken last

    @property
    def line(self) -> int:
        """The number of the row's first line."""
        return self._number - len(self._taken) + 1

    def begin(self) -> None:
        """Begin a row."""
        self._taken.clear()
        self._size = 0

    def __iter__(self) -> Iterator[str]:
        """Give itself."""
        return self

    def __next__(self) -> str:
        """Give the row's next line, with its break."""
        if self._again:
            # Lines that an open quote took in stand alone, or each would take in the rest again.
            if self._taken:
                raise csv.Error("a quote is not closed")
            text, is_long = self._again.popleft()
        else:
            text = next(self._fresh)
            is_long = self._lines.is_long
        self._number += 1
        self._taken.append((text, is_long))
        self._size += len(text)
        if is_long or self._size > LONGEST_LINE:
            raise csv.Error(f"a row of more than {LONGEST_LINE:,} bytes")
        return f"{text}\n"

    def give_back(self) -> tuple[int, str]:
        """Give the first line of a row that is none, and its number; the others come again."""
        line, taken = self.line, self._taken
        self._again.extendleft(reversed(taken[1:]))
        self._number -= len(taken) - 1
        return line, taken[0][0]
