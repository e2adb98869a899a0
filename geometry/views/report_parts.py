"""The parts of an audit's page that need no script: counts, lists, the curve, the terms."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ..audit.summary import Summary, marked, nearest_of, number, share
from .audit_table import calibrated
from .page_parts import cards_with, harmless, listed, shares, table_of
from .shown import counted

_ORDER = ("single_token", "phantom", "multi_token", "absent", "error")
_SAID = {"single_token": "with a token", "phantom": "phantoms"}
# The curve's square, in units of its drawing.
_LEFT, _TOP, _SIDE = 42, 12, 240
_DOT = (2.5, 6.0)


def title_of(terms: Mapping[str, Any]) -> str:
    """Name the head that was asked, where the terms do, as HTML.

    Examples
    --------
    >>> title_of({"source": "demo", "region": "emoji"}), title_of({})
    ('Which concepts have a token in demo, region emoji', 'Which concepts have a token')
    """
    title = "Which concepts have a token"
    if isinstance(terms.get("source"), str):
        title += f" in {terms['source']}"
    if isinstance(terms.get("region"), str):
        title += f", region {terms['region']}"
    return harmless(title)


def lede_of(summary: Summary) -> str:
    """Say in a sentence what was found, as HTML.

    Examples
    --------
    >>> from ..audit.summary import Tally
    >>> lede_of(Tally().summary({}))
    'No concept was asked.'
    """
    if not summary.records:
        return "No concept was asked."
    of = counted(summary.records, "concept")
    single = summary.verdicts["single_token"]
    phantoms = summary.verdicts["phantom"]
    said = f"Of <b>{of}</b>, <b>{single:,}</b> can be written in one token."
    if phantoms:
        said += (
            f" <b>{phantoms:,}</b> {'is a phantom' if phantoms == 1 else 'are phantoms'}: the head "
            "has a place for such a thing, and no token there."
        )
    return said


def bar_of(summary: Summary) -> str:
    """Draw the shares of the verdicts as one bar, with a legend, as HTML.

    Examples
    --------
    >>> from ..audit.summary import Tally
    >>> bar_of(Tally().summary({}))
    ''
    """
    return shares([(name, name, summary.verdicts[name]) for name in _ORDER])


def cards_of(summary: Summary) -> str:
    """Draw the figures that tell most, as HTML.

    Examples
    --------
    >>> from ..audit.summary import Tally
    >>> cards_of(Tally().summary({})).count("<dt>")
    1
    """
    cards = [("", "concepts", f"{summary.records:,}", "")]
    for name, said in _SAID.items():
        count = summary.verdicts[name]
        if count:
            cards.append((name, said, f"{count:,}", share(count, summary.records)))
    found = summary.calibration
    if found is not None and found["kind"] is not None:
        chance = f"{found.get('brier_chance', 0.25):.2f} by chance"
        cards += [
            ("", "AUROC of p_token", number(found["auroc"]), "0.50 by chance"),
            ("", "Brier score", number(found["brier"]), chance),
        ]
    return cards_with(cards)


def lists_of(summary: Summary) -> str:
    """Draw the surest phantoms, the most damaged concepts and the sources, as HTML.

    Examples
    --------
    >>> from ..audit.summary import Tally
    >>> lists_of(Tally().summary({}))
    ''
    """
    found = []
    if summary.phantoms:
        rows = [
            (one.concept, nearest_of(one), number(one.p_token), number(one.membership))
            for one in summary.phantoms
        ]
        said = "Surely in the region, and surely no token is it."
        heads = ("concept", "nearest", "p", "membership")
        found.append(listed("The surest phantoms", said, heads, rows, texts=2))
    if summary.damaged:
        rows = [
            (
                one.concept,
                marked(one.snap_text, one.snap_token or ""),
                number(one.gap_degrees, 1),
                number(one.gap_logit, 4),
            )
            for one in summary.damaged
        ]
        said = "No token of their own; how far off the token is that the head makes of them."
        heads = ("concept", "snap", "gap°", "logits")
        found.append(listed("The most damaged", said, heads, rows, texts=2))
    if summary.sources:
        found.append(_sources(summary))
    return f'<div class="pair">{"".join(found)}</div>' if found else ""


def calibration_of(calibration: Mapping[str, Any] | None) -> str:
    """Draw how far `p_token` can be trusted: in a line, as a curve, as its numbers; as HTML.

    Examples
    --------
    >>> calibration_of(None)
    ''
    >>> "only 3 names" in calibration_of({"kind": None, "reason": "only 3 names"})
    True
    """
    if calibration is None:
        return ""
    head = '<section aria-labelledby="trust"><h2 id="trust">How far p_token can be trusted</h2>'
    said = f'<p class="note">Calibration: {harmless(calibrated(calibration))}.</p>'
    if calibration["kind"] is None:
        return f"{head}{said}</section>"
    curve = calibration["curve"]
    rows = [(number(one["p"]), number(one["observed"]), f"{one['n']:,}") for one in curve]
    table = table_of(("p_token", "observed", "n"), rows, texts=0)
    return (
        f'{head}<div class="curve">{_curve(curve)}<div>{said}<p class="note">Each dot is a group '
        "of names: how likely a token was said to be, and how often there was one. Dots on the "
        "dashed line are right.</p><details><summary>The numbers</summary>"
        f"{table}</details></div></div></section>"
    )


def terms_of(terms: Mapping[str, Any]) -> str:
    """List what the audit was made with, as HTML; the calibration is told of elsewhere.

    Examples
    --------
    >>> "limits.p_token" in terms_of({"limits": {"p_token": 0.5}})
    True
    >>> terms_of({})
    ''
    """
    rows = list(_flat({name: terms[name] for name in terms if name != "calibration"}))
    if not rows:
        return ""
    facts = "".join(f"<dt>{harmless(name)}</dt><dd>{harmless(said)}</dd>" for name, said in rows)
    return (
        '<section aria-labelledby="terms"><h2 id="terms">What it was made with</h2>'
        f'<dl class="facts">{facts}</dl></section>'
    )


def _flat(value: Any, name: str = "") -> Iterator[tuple[str, str]]:
    """Give the leaves of nested mappings, named by their path."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _flat(inner, f"{name}.{key}" if name else str(key))
    elif isinstance(value, list | tuple):
        yield name, ", ".join(map(str, value))
    elif value is not None:
        yield name, str(value)


def _sources(summary: Summary) -> str:
    """Draw how many records of each source have each verdict."""
    verdicts = [name for name in _ORDER if summary.verdicts[name]]
    rows = [
        (source, *(f"{n:,}" for n in (sum(counts.values()), *map(counts.__getitem__, verdicts))))
        for source, counts in summary.sources.items()
    ]
    return listed("Sources", "", ("source", "concepts", *verdicts), rows, texts=1)


def _curve(curve: Sequence[Mapping[str, Any]]) -> str:
    """Draw a reliability curve as SVG."""
    most = max((one["n"] for one in curve), default=1)
    points = [
        (_LEFT + _SIDE * one["p"], _TOP + _SIDE * (1 - one["observed"]), one) for one in curve
    ]
    lines = []
    for step in range(5):
        at = step / 4
        x, y = _LEFT + _SIDE * at, _TOP + _SIDE * (1 - at)
        lines += [
            f'<path class="grid" d="M{x:.1f} {_TOP}V{_TOP + _SIDE}M{_LEFT} {y:.1f}h{_SIDE}"/>',
            f'<text x="{x:.1f}" y="{_TOP + _SIDE + 16}" text-anchor="middle">{at:g}</text>',
            f'<text x="{_LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{at:g}</text>',
        ]
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y, _ in points)
    dots = "".join(_dot(x, y, one, most) for x, y, one in points)
    across, down = _LEFT + _SIDE // 2, _TOP + _SIDE // 2
    return (
        f'<svg viewBox="0 0 {_LEFT + _SIDE + 14} {_TOP + _SIDE + 42}" role="img" '
        'aria-labelledby="curve-title"><title id="curve-title">Reliability: p_token against the '
        f"share that has a token</title>{''.join(lines)}"
        f'<path class="even" d="M{_LEFT} {_TOP + _SIDE}l{_SIDE} {-_SIDE}"/>'
        f'<polyline class="path" points="{path}"/>{dots}'
        f'<text x="{across}" y="{_TOP + _SIDE + 36}" text-anchor="middle">p_token</text>'
        f'<text transform="translate(11 {down}) rotate(-90)" text-anchor="middle">observed</text>'
        "</svg>"
    )


def _dot(x: float, y: float, group: Mapping[str, Any], most: int) -> str:
    """Draw a group of names; its area grows with their number."""
    small, large = _DOT
    radius = small + (large - small) * (group["n"] / most) ** 0.5
    said = f"said {group['p']:.3f}, observed {group['observed']:.3f}, n {group['n']:,}"
    return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius:.1f}"><title>{said}</title></circle>'
