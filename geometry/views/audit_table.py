"""An audit for a terminal: a line a record, then what it comes to."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from ..audit.finding import Finding
from ..audit.summary import Summary, counted, marked, nearest_of, number
from ..tokens.vocabulary import Vocabulary, display
from .table import line_of

_NARROWEST = 100  # cells; a narrower terminal breaks lines
_WIDEST = 160
_GAP = "   "
_VERDICT = len("single_token (expected)")
_NUMBER = 5
_LONGEST = 32  # of a text in the summary
# How what is left is divided; the snap has the rest.
_SHARES = (0.36, 0.26, 0.22)
_HEADS = (
    "concept",
    "verdict",
    "tokens",
    "nearest",
    "snap",
    "gap°".rjust(_NUMBER),
    "p".rjust(_NUMBER),
)


def audit_table(
    findings: Iterable[Finding], vocabulary: Vocabulary, *, width: int = _NARROWEST
) -> Iterator[Group]:
    r"""Draw findings as they come: a header, then a line each, cut to columns of fixed width.

    A line holds the concept, the verdict and what says so, the tokens or pieces of its form, the
    three nearest tokens, the snap, the gap in degrees and `p_token`. Spaces in tokens are shown as
    ▁, bytes that are no whole characters as ``\xf0``. An error's message stands in full.

    Parameters
    ----------
    findings : iterable of Finding
        Taken one by one.
    vocabulary : Vocabulary
        Writes pieces so that they can be read, and harm no terminal.
    width : int
        Of the terminal, in cells; lines are 100 to 160 wide.

    Yields
    ------
    rich.console.Group
        One a finding, for a console to print, the first with the header.

    Examples
    --------
    >>> import unembed
    >>> head = unembed.open_head("demo")
    >>> wrong = Finding("", message="the concept is empty")
    >>> (lines,) = audit_table([wrong], head.vocabulary)
    >>> lines.renderables[-1].plain.split()
    ['error', 'the', 'concept', 'is', 'empty']
    """
    width = min(max(width, _NARROWEST), _WIDEST)
    room = width - _VERDICT - 2 * _NUMBER - len(_GAP) * (len(_HEADS) - 1)
    concept, tokens, nearest = (int(room * part) for part in _SHARES)
    snap = room - concept - tokens - nearest
    widths = (concept, _VERDICT, tokens, nearest, snap, _NUMBER, _NUMBER)
    head = [_line(_HEADS, widths), line_of("─" * width)]
    for finding in findings:
        yield Group(*head, _row(finding, vocabulary, widths))
        head = []


def _row(finding: Finding, vocabulary: Vocabulary, widths: Sequence[int]) -> Text:
    """Draw the line of a finding."""
    cells = [finding.concept, _verdict(finding)]
    if finding.verdict == "error":
        return _line([*cells, finding.message or ""], [*widths[:2], None])
    pieces = finding.token_ids[: widths[2]]  # there is no room for more
    snap = "" if finding.snap_id is None else _token(finding.snap_id, finding.snap_text, vocabulary)
    cells += [
        " ".join(_token(id_, vocabulary.text(id_), vocabulary) for id_ in pieces),
        " ".join(_token(near.id, near.text, vocabulary) for near in finding.nearest[:3]),
        snap,
        number(finding.gap_degrees, 1).rjust(_NUMBER),
        number(finding.p_token).rjust(_NUMBER),
    ]
    return _line(cells, widths)


def _line(cells: Sequence[str], widths: Sequence[int | None]) -> Text:
    """Draw a line: cells cut and filled to their widths; one without a width stands in full."""
    line = Text(no_wrap=True, overflow="ignore")
    for place, (cell, width) in enumerate(zip(cells, widths, strict=True)):
        # What is cut is not looked at; marks that take no room are few in what is not.
        shown = Text(display(cell if width is None else cell[: 4 * width]))
        if width is not None:
            shown.truncate(width, overflow="ellipsis", pad=True)
        line.append(_GAP * bool(place)).append_text(shown)
    line.rstrip()
    return line


def _verdict(finding: Finding) -> str:
    """Write a verdict and what says so."""
    return finding.verdict if finding.by is None else f"{finding.verdict} ({finding.by})"


def _token(id_: int, text: str | None, vocabulary: Vocabulary) -> str:
    """Write a token: its text with its spaces marked, or the bytes of a fragment."""
    return marked(text, vocabulary.display_text(id_)[1:-1])


def summary_table(summary: Summary) -> Group:
    """Draw what an audit comes to: counts, the surest phantoms, the most damaged, calibration.

    Parameters
    ----------
    summary : Summary
        What is drawn.

    Returns
    -------
    rich.console.Group
        For a console to print.

    Examples
    --------
    >>> from ..audit.summary import Tally
    >>> print(summary_table(Tally().summary({})).renderables[0])
    0 records
    """
    parts: list[RenderableType] = [line_of(counted(summary.verdicts))]
    for source, verdicts in summary.sources.items():
        parts.append(line_of(f"  {source}: {counted(verdicts)}"))
    said = ", ".join(f"{count:,} by {by}" for by, count in summary.by.items() if count)
    if said:
        parts.append(line_of(f"  single tokens: {said}"))
    if summary.calibration is not None:
        parts.append(line_of(f"  p_token: {calibrated(summary.calibration)}"))
    if summary.phantoms:
        parts += [Text(""), Text("the surest phantoms:"), _phantoms_table(summary.phantoms)]
    if summary.damaged:
        parts += [Text(""), Text("the most damaged:"), _damaged_table(summary.damaged)]
    return Group(*parts)


def calibrated(calibration: Mapping[str, Any]) -> str:
    """Say in a line how `p_token` was calibrated, and how good it is.

    Examples
    --------
    >>> calibrated({"kind": None, "reason": "only 12 names are known"})
    'none, only 12 names are known'
    >>> calibrated({"kind": "isotonic", "names": 956, "auroc": 0.84, "brier": 0.16,
    ...             "brier_chance": 0.25})
    'isotonic, from 956 names left out in turn; AUROC 0.840, Brier score 0.160 (0.250 by chance)'
    """
    if calibration["kind"] is None:
        return f"none, {calibration['reason']}"
    return (
        f"{calibration['kind']}, from {calibration['names']:,} names left out in turn; AUROC "
        f"{calibration['auroc']:.3f}, Brier score {calibration['brier']:.3f} "
        f"({calibration.get('brier_chance', 0.25):.3f} by chance)"
    )


def _table(*columns: str, numbers: Sequence[str]) -> Table:
    """Begin a table; its last columns hold numbers."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for column in columns:
        table.add_column(column, no_wrap=True, max_width=_LONGEST)
    for column in numbers:
        table.add_column(column, justify="right")
    return table


def _phantoms_table(phantoms: Sequence[Finding]) -> Table:
    """Draw a row for each phantom."""
    table = _table("concept", "nearest", numbers=["p", "membership"])
    for one in phantoms:
        numbers = (number(one.p_token), number(one.membership))
        table.add_row(Text(display(one.concept)), Text(nearest_of(one)), *numbers)
    return table


def _damaged_table(damaged: Sequence[Finding]) -> Table:
    """Draw a row for each concept, and what the head makes of it."""
    table = _table("concept", "verdict", "snap", numbers=["gap°", "logits"])
    for one in damaged:
        snap = Text(marked(one.snap_text, one.snap_token or ""))
        numbers = (number(one.gap_degrees, 1), number(one.gap_logit, 4))
        table.add_row(Text(display(one.concept)), one.verdict, snap, *numbers)
    return table
