"""What a list holds of one concept, checked: whatever is wrong is a fault of the record."""

import re
from collections.abc import Mapping, Sequence
from numbers import Integral
from typing import Any, Self

from ...errors import UsageError
from ..concepts.checks import shown
from .ids import SeenIds
from .record import LONGEST, MOST_FORMS, Record

FIELDS = ("concept", "id", "forms", "expected")
_SHOWN_COLUMNS = 20
_ID_LIMIT = 10**100
_UNWRITABLE = re.compile("[\0\ud800-\udfff]")


class Maker:
    """Makes the records of one source: checks values, counts, and knows which ids there were.

    Attributes
    ----------
    count : int
        How many records were made.

    Examples
    --------
    >>> with Maker("list.csv") as maker:
    ...     fine, faulty = maker.record("sea", "1"), maker.record("", "2", line=7)
    >>> fine.fault, faulty.fault
    (None, 'line 7: the concept is empty')
    """

    def __init__(self, source: str, *, name: str | None = None) -> None:
        self.count = 0
        self._source = source
        self._name = name
        self._seen: SeenIds | None = None

    def __enter__(self) -> Self:
        """Give itself."""
        return self

    def __exit__(self, *given: object) -> None:
        """Forget the ids."""
        if self._seen is not None:
            self._seen.close()

    def record(
        self,
        concept: object,
        id_: object = None,
        forms: object = None,
        expected: object = None,
        *,
        line: int | None = None,
        is_phrase: bool = False,
    ) -> Record:
        """Make a record of a list's values.

        Parameters
        ----------
        concept : object
            A text of 1 to `LONGEST` characters that is not all white space.
        id_ : object
            A text or a number; None or an empty text where there is none.
        forms : object
            A text or up to `MOST_FORMS` of them; None or an empty text where there is none.
        expected : object
            A text; None or an empty one where there is none.
        line : int or None
            Where it stands, for the fault.
        is_phrase : bool
            As in a `Record`.

        Raises
        ------
        UsageError
            The ids cannot be kept on disk. All else that is wrong is the record's fault.
        """
        self.count += 1
        fault = _concept_fault(concept)
        name, wrong = (None, None) if id_ is None or id_ == "" else _id(id_)
        spelled, other = ((), None) if forms is None or forms == "" else _forms(forms)
        expected = None if expected == "" else expected
        fault = fault or wrong or other
        if fault is None and expected is not None:
            fault = _text_fault("the expected token", expected)
        if name is not None:
            earlier = self._earlier(name)
            if earlier is not None and fault is None:
                fault = f"the id {shown(name)} is that of record {earlier:,} too"
        if fault is None:
            # The checks say that these are texts.
            return Record(concept, name, self._name, spelled, expected, is_phrase)  # type: ignore[arg-type]
        return self._faulty(concept, fault, line=line, id_=name, is_phrase=is_phrase)

    def faulty(
        self, concept: object, fault: str, *, line: int | None = None, is_phrase: bool = False
    ) -> Record:
        """Make the record of what could not be read."""
        self.count += 1
        return self._faulty(concept, fault, line=line, is_phrase=is_phrase)

    def _faulty(
        self,
        concept: object,
        fault: str,
        *,
        line: int | None,
        is_phrase: bool,
        id_: str | None = None,
    ) -> Record:
        """Make a record with a fault."""
        place = "" if line is None else f"line {line:,}: "
        text = "" if concept is None else readable(concept)
        return Record(text, id_, self._name, is_phrase=is_phrase, fault=readable(f"{place}{fault}"))

    def _earlier(self, id_: str) -> int | None:
        """Give the number of the record that had an id before."""
        if self._seen is None:
            self._seen = SeenIds(self._source)
        return self._seen.earlier(id_, self.count)


def readable(value: object) -> str:
    r"""Write a value as far as it can be read: at most `LONGEST` characters, all of UTF-8.

    Examples
    --------
    >>> readable("caf\udce9"), readable("\ud83d"), readable(7)
    ('caf\\xe9', '\\ud83d', '7')
    """
    text = value[:LONGEST] if isinstance(value, str) else shown(value, longest=LONGEST)
    return _UNWRITABLE.sub(_escaped, text)[:LONGEST]


def chosen_columns(columns: Mapping[str, str], found: Sequence[str], source: str) -> dict[str, str]:
    """Tell which column holds each field: the one that was named, or the one of its own name.

    Parameters
    ----------
    columns : mapping of str to str
        The names that the caller gave, by field.
    found : sequence of str
        The columns that there are.
    source : str
        What the caller calls the list, for errors.

    Raises
    ------
    UsageError
        A named column is not there, no column holds the concept, or one is there twice.

    Examples
    --------
    >>> chosen_columns({"concept": "Name"}, ["Name", "id", "note"], "list.csv")
    {'concept': 'Name', 'id': 'id'}
    """
    chosen = {field: columns.get(field, field) for field in FIELDS}
    chosen = {
        field: name
        for field, name in chosen.items()
        if name in found or field in columns or field == "concept"
    }
    for field, name in chosen.items():
        if name not in found:
            hint = field == "concept" and field not in columns
            raise no_column(name, found, source, hint=hint)
        if list(found).count(name) > 1:
            raise UsageError(f"{source}: the column {shown(name)} is there twice; rename one")
    return chosen


def no_column(name: str, found: Sequence[str], source: str, *, hint: bool) -> UsageError:
    """Say that a column is not there, and which are.

    Examples
    --------
    >>> str(no_column("concept", ["Name"], "list.csv", hint=False))
    "list.csv: no column 'concept'; it has 'Name'"
    """
    listed = ", ".join(map(shown, found[:_SHOWN_COLUMNS])) or "none"
    more = f" and {len(found) - _SHOWN_COLUMNS:,} more" if len(found) > _SHOWN_COLUMNS else ""
    way = "; name the concept's: --column concept=NAME" if hint else ""
    if len(found) == 1 and any(mark in found[0] for mark in ";\t|"):
        way = "; only commas (.csv, --format csv) and tabs (.tsv, --format tsv) part columns"
    return UsageError(readable(f"{source}: no column {shown(name)}; it has {listed}{more}{way}"))


def _text_fault(what: str, value: object) -> str | None:
    """Say what keeps a value from being a text of a record; None where nothing does."""
    if not isinstance(value, str):
        return f"{what} is {shown(value)}; it must be a text"
    if not value:
        return f"{what} is empty"
    if len(value) > LONGEST:
        return f"{what} has {len(value):,} characters; at most {LONGEST:,} are read"
    bad = None if value.isprintable() else _UNWRITABLE.search(value)
    if bad is None:
        return None
    is_nul = bad[0] == "\0"
    return f"{what} has a NUL character" if is_nul else f"{what} is not UTF-8: {_escaped(bad)}"


def _concept_fault(value: object) -> str | None:
    """Say what keeps a value from being a concept; None where nothing does."""
    if value is None or (isinstance(value, str) and value.isspace()):
        return "the concept is empty"
    return _text_fault("the concept", value)


def _id(value: object) -> tuple[str | None, str | None]:
    """Give an id as a text, or what is wrong with it."""
    if isinstance(value, str):
        fault = _text_fault("the id", value)
        return (value, None) if fault is None else (None, fault)
    if _is_number(value):
        return str(value), None
    return None, f"the id is {shown(value)}; it must be a text or a number"


def _is_number(value: Any) -> bool:
    """Tell a number from what is none: true, NaN, one too long to be written."""
    is_number = isinstance(value, Integral | float) and not isinstance(value, bool)
    return is_number and -_ID_LIMIT < value < _ID_LIMIT


def _forms(value: object) -> tuple[tuple[str, ...], str | None]:
    """Give forms, or what is wrong with them."""
    forms = (value,) if isinstance(value, str) else value
    if not isinstance(forms, list | tuple):
        return (), f"the forms are {shown(value)}; they must be a text or a list of texts"
    if len(forms) > MOST_FORMS:
        return (), f"it has {len(forms):,} forms; at most {MOST_FORMS} are read"
    for form in forms:
        fault = _text_fault("a form", form)
        if fault is not None:
            return (), fault
    return tuple(forms), None


def _escaped(found: re.Match[str]) -> str:
    r"""Write a character that output cannot hold; bytes that were no UTF-8 come as U+DC80 on."""
    code = ord(found[0])
    if code < 0x100 or 0xDC80 <= code <= 0xDCFF:
        return f"\\x{code & 0xFF:02x}"
    return f"\\u{code:04x}"
