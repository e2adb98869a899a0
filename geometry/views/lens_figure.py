"""A lens as a printed picture: a heat map of its layers, and lines through them."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..lens.lens import Layer, Lens, Position
from .glyphs import Glyphs, glyphs_of
from .lens_table import heading, how_read, shortened, shown_text
from .pen import DPI, Pen, picture
from .shown import runs_of, shown

_MOST = 8  # positions that are drawn: the last
_FOLLOWED = 8  # tokens that have a line
_LONGEST = 14  # characters of a token
_TITLE = 90  # of the prompt, its end
_WIDE, _HIGH = 300.0, 46.0  # pixels of a cell
_LEFT, _RIGHT, _HEAD, _FOOT = 110.0, 40.0, 190.0, 70.0  # pixels around the heat map
_CHART, _BETWEEN = 420.0, 110.0  # pixels of the height of the lines, and above them
_NUMBER = 80.0  # pixels of a cell that are not for its token
_KEY = 290.0  # pixels of the names of lines
_LEAST = 1500.0  # pixels of the width
_LETTERS = 22.0
_INK, _FAINT = "#22211f", "#66625a"
_BARE = {"path_effects": ()}  # without the pale edge of texts on a map
_HEAT, _PAPER = (26, 127, 75), (255, 255, 255)  # of a probability of 1, and of 0
_LINES = "#1a7f4b", "#c1121f", "#1f5fbf", "#b7791f", "#7b3fa0", "#0f8a8a", "#a0522d", "#66625a"


def lens_figure(found: Lens, path: Path) -> None:
    """Draw a lens: the first token of each layer at each position, and followed tokens as lines.

    Lines are of the first position that is drawn; of more positions than 8 the last are. Emoji are
    pictures where there are some.

    Parameters
    ----------
    found : Lens
        What is drawn.
    path : Path
        Where to: ``.png``, ``.svg`` or ``.pdf``; the same bytes for the same lens.

    Raises
    ------
    UsageError
        The path cannot be written to.
    MissingExtraError
        matplotlib is not installed.

    Examples
    --------
    >>> import tempfile, unembed
    >>> path = Path(tempfile.mkdtemp(), "capital.png")
    >>> lens_figure(unembed.open_head("demo").lens("The capital of France is"), path)
    >>> path.stat().st_size > 50_000
    True
    """
    positions = found.positions[-_MOST:]
    layers = len(positions[0].layers)
    width = max(_LEFT + _WIDE * len(positions) + _RIGHT, _LEAST)
    lines = _FOOT + _CHART + _BETWEEN
    height = lines + _HIGH * layers + _HEAD
    written = [layer.top[0].text or "" for each in positions for layer in each.layers]
    written += [guess.text or "" for guess in positions[0].layers[-1].tracked]
    written += [found.prompt or "", found.text or "", *map(heading, positions)]
    emoji = {one for text in written for one, pictured in runs_of(text) if pictured}
    glyphs = glyphs_of(emoji, size=72)
    with picture(path, width=width, height=height) as pen:
        _titles(pen, found, glyphs, height)
        wide = (width - _LEFT - _RIGHT) / len(positions)
        for across, position in enumerate(positions):
            x = _LEFT + wide * across
            top = lines + _HIGH * layers
            above = (x + 10, top + 22)
            _write(pen, heading(position), glyphs, above, _LETTERS, _FAINT, most=wide - 20)
            for layer in position.layers:
                _cell(pen, layer, glyphs, (x, top - _HIGH * (layer.layer + 1)), wide)
        for layer in positions[0].layers:
            at = (_LEFT - 16, lines + _HIGH * (layers - layer.layer - 0.5))
            pen.write(str(layer.layer), at, _LETTERS, _FAINT, ha="right")
        _charts(pen, positions[0], glyphs, width, height)
        credit = ", ".join(f"Emoji: {artist}" for artist in glyphs.artists if glyphs.images)
        pen.write(credit, (width - _RIGHT, 16), 14.0, _FAINT, ha="right")


def _titles(pen: Pen, found: Lens, glyphs: Glyphs, height: float) -> None:
    """Write what was read and written, and how logits are made."""
    read = shown_text(found.prompt or "")
    read = read if len(read) <= _TITLE else f"…{read[-_TITLE:]}"
    for text, up, letters, colour in (
        (f"The layers of {found.source}, {how_read(found)}", 40, 30.0, _INK),
        (f"read: {read}" if read else "", 84, _LETTERS, _FAINT),
        (f"written: {shown_text(found.text)}" if found.text else "", 118, _LETTERS, _FAINT),
    ):
        _write(pen, text, glyphs, (24.0, height - up), letters, colour)


def _cell(pen: Pen, layer: Layer, glyphs: Glyphs, corner: tuple[float, float], wide: float) -> None:
    """Draw the first token of a layer, the greener the likelier."""
    from matplotlib.patches import Rectangle

    guess, (x, y) = layer.top[0], corner
    share = 0.75 * guess.probability
    colour = [
        (paper + (heat - paper) * share) / 255 for paper, heat in zip(_PAPER, _HEAT, strict=True)
    ]
    pen.axes.add_patch(Rectangle((x + 2, y + 2), wide - 4, _HIGH - 4, color=colour, lw=0))
    middle = y + _HIGH / 2
    form = shortened(shown(guess.token, guess.text), _LONGEST)
    _write(pen, form, glyphs, (x + 12, middle), _LETTERS, _INK, most=wide - _NUMBER)
    numbers = (x + wide - 12, middle)
    pen.write(f"{guess.probability:.2f}", numbers, 0.85 * _LETTERS, _INK, **_BARE, ha="right")


def _write(
    pen: Pen,
    text: str,
    glyphs: Glyphs,
    at: tuple[float, float],
    letters: float,
    colour: str,
    *,
    most: float = math.inf,
) -> None:
    """Write a text to the right of a place, its emoji as pictures; smaller if it were too wide."""
    parts = [
        (part, glyphs.images.get(part) if pictured else None) for part, pictured in runs_of(text)
    ]
    wide = sum(
        (pen.measure(pen.spelt(part), letters) or (0.0,))[0] if image is None else 1.4 * letters
        for part, image in parts
    )
    letters *= min(1.0, most / max(wide, 1.0))
    x, y = at
    size = 1.4 * letters
    for part, image in parts:
        if image is None:
            x += pen.write(part, (x, y), letters, colour, **_BARE, ha="left")
            continue
        limits = pen.axes.get_xlim(), pen.axes.get_ylim()
        extent = (x, x + size, y - size / 2, y + size / 2)
        pen.axes.imshow(image, extent=extent, aspect="auto", zorder=4)
        pen.axes.set(xlim=limits[0], ylim=limits[1])  # which a picture changes
        x += size


def _charts(pen: Pen, position: Position, glyphs: Glyphs, width: float, height: float) -> None:
    """Draw followed tokens, and entropy and KL, through the layers of a position."""
    layers, middle = position.layers, (_LEFT + width) / 2
    followed = sorted(
        range(len(layers[-1].tracked)),
        key=lambda place: (
            -max((layer.tracked[place].probability for layer in layers[1:]), default=0)
        ),
    )[:_FOLLOWED]
    probabilities = [[layer.tracked[place].probability for layer in layers] for place in followed]
    nats = [[layer.entropy for layer in layers], [layer.kl for layer in layers]]
    # The embedding is so far from the output that nothing else would be seen beside it.
    most = max(1.0, *(max(values[1:] or values) for values in nats))
    tracked = [layers[-1].tracked[place] for place in followed]
    forms = [shortened(shown(one.token, one.text), _LONGEST) for one in tracked]
    for start, title, names, lines, high in (
        (_LEFT, "probability", forms, probabilities, 1.0),
        (middle, "entropy and KL from the last layer, in nats", ["entropy", "KL"], nats, most),
    ):
        wide = middle - _LEFT - _KEY
        bounds = (start / width, _FOOT / height, wide / width, _CHART / height)
        _chart(pen.axes.figure.add_axes([round(part, 6) for part in bounds]), lines, high)
        above = (start, _FOOT + _CHART + 30)
        named = f"{title}, {heading(position)}"
        _write(pen, named, glyphs, above, _LETTERS, _FAINT, most=width - middle - 20)
        for row, colour in enumerate(_LINES[: len(lines)]):
            x, y = start + wide + 16, _FOOT + _CHART - 24 - 44 * row
            pen.axes.plot([x, x + 24], [y, y], color=colour, lw=1.6)
            _write(pen, names[row], glyphs, (x + 34, y), _LETTERS, _INK, most=_KEY - 70)


def _chart(axes: Any, lines: Sequence[Sequence[float]], most: float) -> None:
    """Draw lines through the layers."""
    for colour, values in zip(_LINES, lines, strict=False):
        axes.plot(values, color=colour, lw=1.2)
    axes.set_ylim(0, 1.04 * most)
    axes.margins(x=0.02)
    axes.tick_params(labelsize=0.75 * _LETTERS * 72 / DPI, colors=_FAINT, length=2)
    axes.grid(lw=0.3)
    axes.xaxis.get_major_locator().set_params(integer=True)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
