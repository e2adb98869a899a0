"""A map as a printed picture: PNG, SVG or PDF, with real colour emoji."""

from pathlib import Path
from typing import Any

import numpy as np

from ..projection.map import Map
from .colours import PALETTE, Colouring, coloured, darker
from .glyphs import Glyphs, glyphs_of
from .map_scene import Scene, aspect_of, mark_label, scene_of
from .pen import DPI, Pen, picture
from .shown import emoji_in, shown

_WIDTH = 2000.0  # pixels of the whole picture
_HEAD, _FOOT, _SIDE = 150.0, 136.0, 30.0  # pixels around the map
_SHARP = 2  # pixels of an emoji's picture to one of the page, in SVG and PDF
_INK, _FAINT, _MARK = "#1c1f26", "#6b7280", "#c1121f"


def map_figure(found: Map, path: Path, *, color_by: str = "cluster") -> None:
    """Draw a map: emoji as pictures, other tokens as text where it fits, all else as dots.

    Parameters
    ----------
    found : Map
        What is drawn.
    path : Path
        Where to: ``.png``, ``.svg`` or ``.pdf``; the same bytes for the same map.
    color_by : str
        As `coloured` takes it.

    Raises
    ------
    UsageError
        The path cannot be written to, or there is nothing of this name to colour by.
    MissingExtraError
        matplotlib is not installed.

    Examples
    --------
    >>> import tempfile, unembed
    >>> path = Path(tempfile.mkdtemp(), "greek.png")
    >>> map_figure(unembed.open_head("demo").map(region="greek"), path)
    >>> path.stat().st_size > 50_000
    True
    """
    colouring = coloured(found, color_by)
    high = (_WIDTH - 2 * _SIDE) * aspect_of(found)
    height = high + _HEAD + _FOOT
    with picture(path, width=_WIDTH, height=height, left=_SIDE, below=_FOOT) as pen:
        emoji = {one for one in map(emoji_in, found.points.texts) if one is not None}
        glyphs = glyphs_of(emoji, size=72)
        scene = scene_of(
            found,
            width=_WIDTH - 2 * _SIDE,
            height=high,
            measure=pen.measure,
            pictured=lambda one: one in glyphs.images,
        )
        sharp = 1 if path.suffix == ".png" else _SHARP
        _dots(pen.axes, scene, colouring)
        _pictures(pen.axes, scene, glyphs, (_WIDTH - 2 * _SIDE, high), sharp)
        _texts(pen, scene, colouring)
        _labels(pen, found, scene, colouring)
        _breaks(pen.axes, found, scene)
        _paths(pen, found, scene)
        _marks(pen, found, scene)
        _captions(pen, found, scene, glyphs, colouring, high)


def _dots(axes: Any, scene: Scene, colouring: Colouring) -> None:
    """Draw a soft disc under each picture, and a dot for what has no room."""
    colours = np.array(colouring.colours)
    kept_N = scene.kept_N & np.array([one is not None for one in scene.emoji], dtype=bool)
    given = {"linewidths": 0, "rasterized": True}
    disc = (scene.size * 1.12 * 72 / DPI) ** 2
    at_M2, dots_M2 = scene.places_N2[kept_N], scene.own_N2[~scene.kept_N]
    axes.scatter(*at_M2.T, s=disc, c=colours[kept_N], alpha=0.2, zorder=1, **given)
    dot = 9.0 if len(dots_M2) < 5000 else 1.2 if len(dots_M2) < 50_000 else 0.35
    axes.scatter(*dots_M2.T, s=dot, c=colours[~scene.kept_N], alpha=0.75, zorder=1, **given)


def _pictures(
    axes: Any, scene: Scene, glyphs: Glyphs, size: tuple[float, float], sharp: int
) -> None:
    """Draw all emoji as one picture."""
    if not glyphs.images:
        return
    from PIL import Image

    wide, high = (round(length * sharp) for length in size)
    sheet = Image.new("RGBA", (wide, high))
    side = round(scene.size * sharp)
    small: dict[str, Any] = {}
    for place in np.flatnonzero(scene.kept_N).tolist():
        one = scene.emoji[place]
        if one is None or one not in glyphs.images:
            continue
        if one not in small:
            picture = Image.fromarray(np.ascontiguousarray(glyphs.images[one]))
            small[one] = picture.resize((side, side), Image.Resampling.LANCZOS)
        x, y = (scene.places_N2[place] * sharp).tolist()
        sheet.alpha_composite(
            small[one], (max(round(x - side / 2), 0), max(round(high - y - side / 2), 0))
        )
    extent = (0, size[0], 0, size[1])
    axes.imshow(np.asarray(sheet), extent=extent, interpolation="none", aspect="auto", zorder=2)


def _texts(pen: Pen, scene: Scene, colouring: Colouring) -> None:
    """Write the tokens that are no picture."""
    for place in np.flatnonzero(scene.kept_N).tolist():
        if scene.emoji[place] is None:
            x, y = scene.places_N2[place].tolist()
            pen.write(
                scene.texts[place], (x, y), scene.size / 2, colouring.colours[place], zorder=3
            )


def _labels(pen: Pen, found: Map, scene: Scene, colouring: Colouring) -> None:
    """Write the names of clusters, each in its own colour where colours tell clusters."""
    for number, at in scene.labels.items():
        if at is not None:
            own = darker(PALETTE[number % len(PALETTE)]) if colouring.name == "cluster" else _INK
            pen.write(found.named[number].name, at, scene.label_height, own, weight="bold")


def _breaks(axes: Any, found: Map, scene: Scene) -> None:
    """Draw the sign of a cut axis across the way to each island that was brought near."""
    for island in found.breaks:
        start_2, end_2 = scene.at(np.array([island.start, island.end]))
        along_2 = (end_2 - start_2) / max(float(np.linalg.norm(end_2 - start_2)), 1e-9)
        across_2 = np.array([-along_2[1], along_2[0]]) * 0.55 + along_2 * 0.25
        middle_2 = (start_2 + end_2) / 2
        axes.plot(*np.array([start_2, end_2]).T, color=_FAINT, lw=0.7, ls=(0, (1, 3)), zorder=4)
        for side in (-0.16, 0.16):
            stroke = [
                middle_2 + scene.size * (side * along_2 + up * across_2) for up in (-0.6, 0.6)
            ]
            axes.plot(*np.array(stroke).T, color=_FAINT, lw=1.4, zorder=4)


def _paths(pen: Pen, found: Map, scene: Scene) -> None:
    """Draw each path as a line with numbered steps."""
    for place, path in enumerate(found.paths):
        if not path.steps:
            continue
        colour = (_MARK, "#0b6e4f", "#3a3a9f", "#8a5a00")[place % 4]
        at_S2 = scene.at(np.array([step.drawn for step in path.steps]))
        pen.axes.plot(*at_S2.T, color=colour, lw=1.2, marker="o", ms=2.5, zorder=6)
        for number, at in enumerate(at_S2.tolist(), start=1):
            above = (at[0], at[1] + 0.45 * scene.size)
            pen.write(str(number), above, 0.42 * scene.size, colour, zorder=7)
        last = at_S2[-1].tolist()
        below = (last[0], last[1] - 0.7 * scene.size)
        pen.write(shown(path.name, path.name), below, 0.55 * scene.size, colour, zorder=7)


def _marks(pen: Pen, found: Map, scene: Scene) -> None:
    """Draw each mark as a ring where no token is, with an arrow to the token it snaps to."""
    from matplotlib.patches import Circle

    ring = 0.75 * scene.size
    for place, (mark, at_2) in enumerate(zip(found.marks, scene.marks_M2, strict=True)):
        circle = Circle(
            at_2.tolist(), ring, fill=True, fc="#ffffffb0", ec=_MARK, lw=1.6, ls=(0, (3, 2))
        )
        pen.axes.add_patch(circle).set_zorder(6)
        to_2 = scene.places_N2[mark.snap] if scene.kept_N[mark.snap] else scene.own_N2[mark.snap]
        away = float(np.linalg.norm(to_2 - at_2))
        if away > ring:
            near_2 = at_2 + (to_2 - at_2) * ring / away
            pen.axes.annotate(
                "",
                xy=to_2.tolist(),
                xytext=near_2.tolist(),
                arrowprops={
                    "arrowstyle": "-|>",
                    "color": _MARK,
                    "lw": 1.4,
                    "shrinkA": 0,
                    "shrinkB": scene.size * 0.5 * 72 / DPI,
                    "connectionstyle": "arc3,rad=0.15",
                },
                zorder=7,
            )
        at = scene.mark_labels[place] or (float(at_2[0]), float(at_2[1] + 1.3 * ring))
        pen.write(mark_label(found, place), at, scene.label_height, _MARK, weight="bold", zorder=8)


def _captions(
    pen: Pen, found: Map, scene: Scene, glyphs: Glyphs, colouring: Colouring, high: float
) -> None:
    """Write the title, how the map was made, how far it can be believed, and what is left out."""
    made = f"{len(scene.texts):,} tokens, {found.space} space · UMAP: {found.layout}"
    believed = "" if found.trust is None else str(found.trust)
    for text, up, height, colour, weight in (
        (f"{found.title} in the head of {found.source}", 104, 44.0, _INK, "bold"),
        (made, 52, 23.0, _FAINT, "normal"),
        (believed, 20, 23.0, _FAINT, "normal"),
    ):
        pen.write(text, (0.0, high + up), height, colour, ha="left", va="baseline", weight=weight)
    dots = int((~scene.kept_N).sum())
    unnamed = sum(at is None for at in scene.labels.values())
    moved = np.linalg.norm(scene.places_N2 - scene.own_N2, axis=1).max(initial=0.0) / scene.size
    notes = [
        f"Tokens stand within {moved:.1f} of their width from their place"
        if scene.kept_N.any()
        else "",
        f"without room at this scale, dots: {dots:,}" if dots else "",
        f"names without room: {unnamed}" if unnamed else "",
        "// far islands are drawn nearer than they are" if found.breaks else "",
        "dashed ring: where a concept without a token lies" if found.marks else "",
    ]
    pen.write(" · ".join(filter(None, notes[:3])), (0.0, -40.0), 20.0, _FAINT, ha="left")
    pen.write(" · ".join(filter(None, notes[3:])), (0.0, -74.0), 20.0, _FAINT, ha="left")
    drawn_by = ", ".join(f"Emoji: {artist}" for artist in glyphs.artists)
    names = "Names of clusters: the words of the head nearest to their centre"
    credit = " · ".join(filter(None, (names if found.named else "", drawn_by)))
    pen.write(credit, (0.0, -108.0), 20.0, _FAINT, ha="left")
    _legend(pen, colouring, high)


def _legend(pen: Pen, colouring: Colouring, high: float) -> None:
    """Write what the colours mean, from the right."""
    right = _WIDTH - 2 * _SIDE
    for place, (label, colour) in enumerate(colouring.legend):
        up = high + _HEAD - 30 - 22 * (place % 6)
        x = right - 240 * (place // 6)
        pen.axes.scatter([x], [up], s=24, c=[colour], linewidths=0, zorder=5)
        pen.write(label, (x - 14, up), 18.0, _INK, ha="right")
