"""What an audit finds in sum: counts, the surest phantoms, the most damaged concepts."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from heapq import heappush, heappushpop
from html import escape
from math import inf
from typing import TYPE_CHECKING, Any
from unicodedata import category

from ..answer import SCHEMA
from ..frames import pandas_of
from ..tokens.vocabulary import display
from .finding import BY, VERDICTS, Finding

if TYPE_CHECKING:
    import pandas

KEPT = 10  # phantoms, and damaged concepts
MOST_SOURCES = 1_000
_JOINER = "\u200d"  # that holds a family emoji together
_WITHOUT_TOKEN = ("phantom", "multi_token", "absent")


@dataclass(frozen=True, repr=False)
class Summary:
    """What the findings of an audit come to.

    Attributes
    ----------
    records : int
        How many there were.
    verdicts : mapping of str to int
        How many have each verdict, in the order of `VERDICTS`; 0 where none has.
    by : mapping of str to int
        What says that there is a token, in the order of `BY`.
    sources : mapping of str to mapping
        The verdicts of each source, in the order in which they came; none where findings have no
        source, and at most the first 1,000.
    phantoms : tuple of Finding
        The 10 surest, the surest first. A phantom is sure where surely no token is the concept and
        the concept surely lies in the region: first comes the lowest `p_token`, then the highest
        `membership`, then the earlier record. Those without a `p_token` come after those with one.
    damaged : tuple of Finding
        The 10 concepts without a token whose snap loses most, of those that have a snap: the
        largest `gap_degrees`, then the largest `gap_logit`, then the earlier record.
    calibration : mapping or None
        What the terms say of `p_token`; None where they say nothing. ``kind`` is ``isotonic``,
        ``logistic`` or None, and then ``reason`` says why; ``names`` counts what it was learned
        from; ``auroc``, ``brier`` and ``brier_chance`` judge it; ``curve`` lists ``p``, the
        ``observed`` share and ``n``.

    Examples
    --------
    >>> tally = Tally()
    >>> tally.add(Finding("sea", verdict="single_token", by="form"))
    >>> tally.add(Finding("sea + horse", verdict="phantom", p_token=0.1))
    >>> tally.summary({})
    Summary(2 records: 1 single_token, 1 phantom)
    """

    records: int
    verdicts: Mapping[str, int]
    by: Mapping[str, int]
    sources: Mapping[str, Mapping[str, int]]
    phantoms: tuple[Finding, ...]
    damaged: tuple[Finding, ...]
    calibration: Mapping[str, Any] | None

    def to_dict(self) -> dict[str, Any]:
        """Give the summary as an object of JSON."""
        return {"schema": SCHEMA, **asdict(self)}

    def to_pandas(self) -> "pandas.DataFrame":
        """Give the counts as a data frame: a row a verdict, of all, then of each source.

        Raises
        ------
        MissingExtraError
            pandas is not installed.
        """
        counts: list[tuple[str | None, Mapping[str, int]]] = [(None, self.verdicts)]
        counts += self.sources.items()
        return pandas_of(
            [
                {"source": source, "verdict": verdict, "records": records}
                for source, verdicts in counts
                for verdict, records in verdicts.items()
            ]
        )

    def __repr__(self) -> str:
        """Count the records and those of each verdict."""
        return f"Summary({counted(self.verdicts)})"

    def _repr_html_(self) -> str:
        """Draw tables for a notebook; every text is escaped."""
        counts = [
            (verdict, f"{records:,}", share(records, self.records))
            for verdict, records in self.verdicts.items()
        ]
        phantoms = [(one.concept, nearest_of(one), number(one.p_token)) for one in self.phantoms]
        damaged = [
            (one.concept, marked(one.snap_text, one.snap_token or ""), number(one.gap_degrees, 1))
            for one in self.damaged
        ]
        tables = [_html_table(f"{self.records:,} records", ("verdict", "records", ""), counts)]
        if phantoms:
            heads = ("concept", "nearest", "p_token")
            tables.append(_html_table("the surest phantoms", heads, phantoms))
        if damaged:
            heads = ("concept", "snap", "gap in degrees")
            tables.append(_html_table("the most damaged", heads, damaged))
        return "".join(tables)


class Tally:
    """Adds up findings as they come; memory does not grow with their number.

    Examples
    --------
    >>> tally = Tally()
    >>> for degrees in (40.0, 60.0):
    ...     tally.add(Finding("a b", verdict="multi_token", gap_degrees=degrees))
    >>> [one.gap_degrees for one in tally.summary({}).damaged]
    [60.0, 40.0]
    """

    def __init__(self) -> None:
        self._records = 0
        self._verdicts: Counter[str] = Counter()
        self._by: Counter[str] = Counter()
        self._sources: dict[str, Counter[str]] = {}
        self._phantoms = _Largest()
        self._damaged = _Largest()

    def add(self, finding: Finding) -> None:
        """Count a finding, the next of its list."""
        self._records += 1
        verdict, source = finding.verdict, finding.source
        self._verdicts[verdict] += 1
        if finding.by is not None:
            self._by[finding.by] += 1
        if source is not None:
            if source not in self._sources and len(self._sources) < MOST_SOURCES:
                self._sources[source] = Counter()
            if source in self._sources:
                self._sources[source][verdict] += 1
        if verdict == "phantom":
            unlikely = None if finding.p_token is None else -finding.p_token
            self._phantoms.add((_or_last(unlikely), _or_last(finding.membership)), finding)
        if verdict in _WITHOUT_TOKEN and finding.gap_degrees is not None:
            self._damaged.add((finding.gap_degrees, _or_last(finding.gap_logit)), finding)

    def summary(self, terms: Mapping[str, Any]) -> Summary:
        """Sum up what was added so far.

        Parameters
        ----------
        terms : mapping
            What the audit was made with; ``calibration`` is taken from it.
        """
        return Summary(
            records=self._records,
            verdicts=_in_order(self._verdicts, VERDICTS),
            by=_in_order(self._by, BY),
            sources={
                source: _in_order(counts, VERDICTS) for source, counts in self._sources.items()
            },
            phantoms=self._phantoms.found(),
            damaged=self._damaged.found(),
            calibration=terms.get("calibration"),
        )


class _Largest:
    """Keeps the findings of the largest keys; of equal keys the earlier."""

    def __init__(self) -> None:
        self._added = 0
        # The least of them first; no two have one place, so findings are never compared.
        self._heap: list[tuple[tuple[float, float], int, Finding]] = []

    def add(self, key: tuple[float, float], finding: Finding) -> None:
        """Keep a finding, and let go of the least where there are too many."""
        self._added += 1
        put = heappush if len(self._heap) < KEPT else heappushpop
        put(self._heap, (key, -self._added, finding))

    def found(self) -> tuple[Finding, ...]:
        """Give what was kept, the largest first."""
        return tuple(finding for *_, finding in sorted(self._heap, reverse=True))


def counted(verdicts: Mapping[str, int]) -> str:
    """Count records and those of each verdict in words.

    Examples
    --------
    >>> counted({"error": 0, "single_token": 1_200}), counted({})
    ('1,200 records: 1,200 single_token', '0 records')
    """
    records = sum(verdicts.values())
    of = "1 record" if records == 1 else f"{records:,} records"
    counts = ", ".join(f"{n:,} {verdict}" for verdict, n in verdicts.items() if n)
    return f"{of}: {counts}" if counts else of


def share(part: int, whole: int) -> str:
    """Write a part in percent of a whole; nothing where there is no whole.

    Examples
    --------
    >>> share(1, 3), share(0, 0)
    ('33.3%', '')
    """
    return f"{part / whole:.1%}" if whole else ""


def number(value: float | None, places: int = 3) -> str:
    """Write a number, or nothing where there is none.

    Examples
    --------
    >>> number(42.125, 1), number(None)
    ('42.1', '')
    """
    return "" if value is None else f"{value:.{places}f}"


def marked(text: str | None, other: str) -> str:
    r"""Give a token's text to be shown beside others: its spaces as ▁, made harmless.

    Marks that stand on no character, such as what makes a sign an emoji, are escaped.

    Parameters
    ----------
    text : str or None
        What the token writes.
    other : str
        Taken where it writes no whole characters, or nothing.

    Examples
    --------
    >>> marked(" sea", "Ġsea"), marked(None, "<0xF0>"), marked("\u202e", "")
    ('▁sea', '<0xF0>', '\\u202e')
    >>> print(marked("\ufe0f", ""))  # nothing by itself
    \ufe0f
    """
    if text and all(char == _JOINER or category(char) == "Mn" for char in text):
        return text.encode("unicode_escape").decode("ascii")
    return display(text.replace(" ", "▁") if text else other)


def nearest_of(finding: Finding, count: int = 3) -> str:
    """Name the first of a finding's nearest tokens in a line.

    Examples
    --------
    >>> from .finding import NearToken
    >>> nearest_of(Finding("sea", nearest=(NearToken(7, "▁Sea", " Sea", 0.8),)))
    '▁Sea'
    """
    return " ".join(marked(near.text, near.token) for near in finding.nearest[:count])


def _or_last(value: float | None) -> float:
    """Put what has no value after all that have one."""
    return -inf if value is None else value


def _in_order(counts: Counter[str], names: tuple[str, ...]) -> dict[str, int]:
    """Give counts in a fixed order, with their zeros."""
    return {name: counts[name] for name in names}


def _html_table(caption: str, heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Draw a table of HTML; every text is escaped."""

    def row(tag: str, cells: Sequence[str]) -> str:
        """Draw a row of cells."""
        return "".join(f"<{tag}>{escape(display(cell))}</{tag}>" for cell in cells)

    body = "".join(f"<tr>{row('td', cells)}</tr>" for cells in rows)
    return (
        f"<table><caption>{escape(display(caption))}</caption><tr>{row('th', heads)}</tr>"
        f"{body}</table>"
    )
