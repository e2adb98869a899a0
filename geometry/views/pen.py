"""Pictures measured in pixels: texts whose size is known, in the fonts that are here."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from .figure import check_figure, save_figure

DPI = 200

_FONTS = (
    *("DejaVu Sans", "Noto Sans", "Noto Sans CJK SC", "Noto Sans CJK JP", "Noto Sans Arabic"),
    *("Noto Sans Hebrew", "Noto Sans Devanagari", "Noto Sans Thai", "Arial Unicode MS"),
)


@contextmanager
def picture(
    path: Path, *, width: float, height: float, left: float = 0.0, below: float = 0.0
) -> "Iterator[Pen]":
    """Open a picture to draw on; it is written once all is drawn, the same bytes for the same.

    Parameters
    ----------
    path : Path
        Where to: ``.png``, ``.svg`` or ``.pdf``.
    width, height : float
        In pixels.
    left, below : float
        How far its lower left corner is from the origin of what is drawn.

    Raises
    ------
    UsageError
        The path cannot be written to.
    MissingExtraError
        matplotlib is not installed.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp(), "sea.png")
    >>> with picture(path, width=400, height=100) as pen:
    ...     pen.write("sea", (200, 50), 40, "#1c1f26") > 50
    True
    >>> path.stat().st_size > 1_000
    True
    """
    check_figure(path)
    import matplotlib as mpl
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    fonts = _fonts()
    # What is random or of today in a file would make it another each time.
    with mpl.rc_context(
        {"svg.hashsalt": "unembed", "font.family": fonts, "text.parse_math": False}
    ):
        figure = Figure(figsize=(width / DPI, height / DPI), dpi=DPI)
        canvas = FigureCanvasAgg(figure)
        axes = figure.add_axes((0, 0, 1, 1))
        axes.set_axis_off()
        axes.set_xlim(-left, width - left)
        axes.set_ylim(-below, height - below)
        yield Pen(axes, canvas, fonts)
        save_figure(figure, path, dpi=DPI)


class Pen:
    """Writes texts on the axes, and knows how large they come out.

    Attributes
    ----------
    axes : matplotlib.axes.Axes
        In pixels.

    Examples
    --------
    >>> import tempfile
    >>> with picture(Path(tempfile.mkdtemp(), "sea.png"), width=400, height=100) as pen:
    ...     pen.measure("sea", 40)[1]
    40
    """

    def __init__(self, axes: Any, canvas: Any, fonts: list[str]) -> None:
        from matplotlib.font_manager import FontProperties, findfont, get_font

        self.axes = axes
        self._renderer = canvas.get_renderer()
        self._plain = FontProperties(family=fonts)
        self._fonts = [get_font(findfont(FontProperties(family=[name]))) for name in fonts]

    def measure(self, text: str, height: float) -> tuple[float, float] | None:
        """Give the size of a text in pixels; None where no font has all of it."""
        if not text or not all(
            any(font.get_char_index(ord(c)) for font in self._fonts) for c in text
        ):
            return None
        if not any(ord(c) > 126 for c in text):  # many of them: by the first font alone
            font = self._fonts[0]
            font.set_size(height * 72 / DPI, DPI)
            font.set_text(text, 0.0)
            return font.get_width_height()[0] / 64, height
        props = self._plain.copy()
        props.set_size(height * 72 / DPI)
        wide, _, _ = self._renderer.get_text_width_height_descent(text, props, ismath=False)
        return float(wide), height

    def spelt(self, text: str) -> str:
        """Give a text as it is written: by the numbers of its characters where a font lacks one."""
        known = not text or self.measure(text, 1.0) is not None
        return text if known else text.encode("ascii", errors="backslashreplace").decode()

    def write(
        self, text: str, at: tuple[float, float], height: float, colour: str, **options: Any
    ) -> float:
        """Write a text whose letters are this many pixels high, and give its width.

        It has a pale edge, unless `options`, which are matplotlib's, say otherwise.
        """
        from matplotlib.patheffects import withStroke

        text = self.spelt(text)
        edge = [withStroke(linewidth=height / 8, foreground="white")]
        given = {"ha": "center", "va": "center", "zorder": 5, "path_effects": edge} | options
        self.axes.text(*at, text, fontsize=height * 72 / DPI, color=colour, **given)
        return (self.measure(text, height) or (0.0, height))[0]


def _fonts() -> list[str]:
    """Give the fonts that are here, of those that are used."""
    from matplotlib.font_manager import fontManager

    here = set(fontManager.get_font_names())
    return [name for name in _FONTS if name in here]
