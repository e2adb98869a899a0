"""A map inside a notebook: one small drawing, with the browser's own emoji."""

from html import escape
from typing import TYPE_CHECKING

import numpy as np

from ..tokens.vocabulary import display

if TYPE_CHECKING:
    from .map import Map

_WIDTH = 720.0  # pixels
_MARGIN = 24.0
_MOST = 3000  # tokens that are drawn; of more, so many at equal distances
_SHORT = 2  # characters that are written as they are: an emoji, a sign; others are dots


def inline_svg(found: "Map") -> str:
    """Draw a map as SVG: signs and emoji as text, other tokens as dots that say what they are.

    Every token is escaped. Three dimensions are seen from above.

    Examples
    --------
    >>> import unembed
    >>> inline_svg(unembed.open_head("demo").map(region="emoji"))[:4]
    '<svg'
    """
    points, drawn_N2 = found.points, found.points.drawn_NC[:, :2].astype(np.float64)
    marks_M2 = np.array([mark.drawn[:2] for mark in found.marks] or np.empty((0, 2)))
    all_X2 = np.concatenate([drawn_N2, marks_M2])
    low_2, high_2 = all_X2.min(axis=0), all_X2.max(axis=0)
    scale = (_WIDTH - 2 * _MARGIN) / max(float((high_2 - low_2)[0]), 1e-9)
    scale = min(scale, 1.5 * _WIDTH / max(float((high_2 - low_2)[1]), 1e-9))
    height = float((high_2 - low_2)[1]) * scale + 2 * _MARGIN

    def at(place: "np.ndarray[tuple[int], np.dtype[np.float64]]") -> tuple[str, str]:
        across, up = ((np.asarray(place)[:2] - low_2) * scale + _MARGIN).tolist()
        return f"{across:.1f}", f"{height - up:.1f}"

    places = some_of(len(points.ids_N))
    parts = [_token(found, place, *at(drawn_N2[place])) for place in places]
    for cluster in found.named.values():
        x, y = at(np.array(cluster.drawn))
        parts.append(
            f'<text x="{x}" y="{y}" font-size="9" text-anchor="middle" font-weight="bold" '
            f'fill="currentColor" opacity="0.8">{escape(display(cluster.name))}</text>'
        )
    for mark, place in zip(found.marks, marks_M2, strict=True):
        (x, y), (to_x, to_y) = at(place), at(drawn_N2[mark.snap])
        parts.append(
            f'<line x1="{x}" y1="{y}" x2="{to_x}" y2="{to_y}" stroke="#c1121f"/>'
            f'<circle cx="{x}" cy="{y}" r="7" fill="none" stroke="#c1121f" stroke-dasharray="3 2"/>'
            f'<text x="{x}" y="{y}" dy="18" font-size="10" text-anchor="middle" fill="#c1121f">'
            f"{escape(display(mark.name))}, {mark.gap_degrees:.0f}°</text>"
        )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH:.0f}" '
        f'viewBox="0 0 {_WIDTH:.0f} {height + 40:.1f}" font-family="sans-serif" role="img" '
        f'aria-label="{escape(_caption(found), quote=True)}">{"".join(parts)}'
        f'<text x="{_MARGIN}" y="{height + 12:.1f}" font-size="11" fill="currentColor">'
        f"{escape(_caption(found))}</text>"
        f'<text x="{_MARGIN}" y="{height + 28:.1f}" font-size="10" fill="currentColor" '
        f'opacity="0.7">{escape(_made(found, len(places)))}</text></svg>'
    )


def some_of(count: int) -> list[int]:
    """Choose which of so many tokens are drawn in a small place: all, or 3,000 evenly.

    Examples
    --------
    >>> some_of(3), len(some_of(10_000))
    ([0, 1, 2], 3000)
    """
    places: list[int] = np.linspace(0, count - 1, min(count, _MOST)).astype(int).tolist()
    return places


def _token(found: "Map", place: int, x: str, y: str) -> str:
    """Draw a token."""
    points = found.points
    form = display((points.texts[place] or points.tokens[place]).strip() or points.tokens[place])
    title = f"<title>{escape(form)} #{points.ids_N[place]}</title>"
    if len(form) <= _SHORT:
        at = f'x="{x}" y="{y}" font-size="11" text-anchor="middle"'
        return f"<text {at}>{escape(form)}{title}</text>"
    return f'<circle cx="{x}" cy="{y}" r="2" fill="#0072b2" opacity="0.6">{title}</circle>'


def _caption(found: "Map") -> str:
    """Say what is drawn."""
    return (
        f"{display(found.title)} · {found.source} · {found.space} · "
        f"{len(found.points.ids_N):,} tokens"
    )


def _made(found: "Map", drawn: int) -> str:
    """Say how it was made, how far it can be believed and what is left out."""
    trust = found.trust
    believed = "" if trust is None else f" · trustworthiness {trust.trustworthiness:.3f}"
    some = "" if drawn == len(found.points.ids_N) else f" · {drawn:,} of them are drawn"
    near = " · far islands are drawn nearer" if found.breaks else ""
    return f"UMAP: {found.layout}{believed}{near}{some}"
