"""Figures as pictures."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ...errors import MissingExtraError, UsageError
from ...indexes.store import atomic_path
from ..evaluation.evaluate import Evaluation, figures_once
from ..storage import check_writable
from ..tokens.vocabulary import display

# By suffix, what a file would say of the day or the library.
METADATA = {".png": {"Software": None}, ".svg": {"Date": None}, ".pdf": {"CreationDate": None}}
_PARTS = {
    "emoji": "emoji by their names",
    "presence": "is the emoji there?",
    "analogies": "word analogies",
    "pieces": "words from their pieces",
    "direction": "directions",
    "with model": "emoji by their names, the model asked too",
    "layer": "the model alone, layer by layer",
}


def check_figure(path: Path) -> None:
    """Refuse a path that no figure can be written to, and a missing library, before long work.

    Raises
    ------
    UsageError
        The suffix is unknown.
    MissingExtraError
        matplotlib is not installed.

    Examples
    --------
    >>> check_figure(Path("scores.png"))
    """
    if path.suffix not in METADATA:
        raise UsageError(f"{path}: a figure is written as {', '.join(METADATA)}")
    check_writable(str(path))
    try:
        import matplotlib  # noqa: F401
    except ImportError as error:
        raise MissingExtraError("a figure (matplotlib)", extra="figures") from error


def evaluation_figure(evaluations: Sequence[Evaluation], path: Path) -> None:
    """Draw evaluations: a point with its interval for each figure, a colour for each method.

    Parameters
    ----------
    evaluations : sequence of Evaluation
        Of one head.
    path : Path
        Where to: ``.png``, ``.svg`` or ``.pdf``.

    Raises
    ------
    UsageError
        The path cannot be written to, or there is nothing to draw.
    MissingExtraError
        matplotlib is not installed.

    Examples
    --------
    >>> import tempfile, unembed
    >>> path = Path(tempfile.mkdtemp(), "scores.png")
    >>> evaluation_figure(unembed.open_head("demo-bytes").evaluate(methods=["plain"]), path)
    >>> path.stat().st_size > 10_000
    True
    """
    check_figure(path)
    import matplotlib as mpl
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figures = figures_once(evaluations)
    parts: dict[str, list[str]] = {row["part"]: [] for rows in figures for row in rows}
    for rows in figures:
        for row in rows:
            label = _label(row)
            if label not in parts[row["part"]]:
                parts[row["part"]].append(label)
    if not parts:
        raise UsageError(f"{path}: nothing could be measured, so there is no figure to draw")
    heights = [len(labels) + 1 for labels in parts.values()]
    # What is random or of today in a file would make it another each time.
    with mpl.rc_context({"svg.hashsalt": "unembed", "font.size": 9}):
        drawn = Figure(figsize=(8, 0.21 * sum(heights) + 1.2), layout="constrained")
        FigureCanvasAgg(drawn)
        grid = drawn.subplots(len(parts), 1, sharex=True, height_ratios=heights, squeeze=False)
        for (part, labels), axes in zip(parts.items(), grid[:, 0], strict=True):
            _draw(axes, part, labels, evaluations, figures)
        handles, names = grid[0, 0].get_legend_handles_labels()
        source = _plain(evaluations[0].source)
        # The title is the legend's: one of the figure's own would lie across it.
        drawn.legend(
            handles,
            names,
            loc="outside upper center",
            ncols=min(len(names), 3),
            frameon=False,
            title=f"{source}: how far answers can be trusted (95% intervals)",
            title_fontsize=10,
        )
        # The layout's solver may be off in the last bit, and ids in an SVG are made of places.
        drawn.draw_without_rendering()
        drawn.set_layout_engine("none")
        for axes in grid[:, 0]:
            axes.set_position([round(part, 6) for part in axes.get_position().bounds])
        save_figure(drawn, path, dpi=150)


def save_figure(figure: Any, path: Path, *, dpi: int) -> None:
    """Write a figure of matplotlib's; what was there is replaced once all is written.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
        What is written.
    path : Path
        Where to: ``.png``, ``.svg`` or ``.pdf``.
    dpi : int
        Pixels an inch.

    Raises
    ------
    UsageError
        It cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> from matplotlib.figure import Figure
    >>> path = Path(tempfile.mkdtemp(), "empty.png")
    >>> save_figure(Figure(), path, dpi=100)
    >>> path.read_bytes()[1:4]
    b'PNG'
    """
    try:
        with atomic_path(path) as temporary:
            about = METADATA[path.suffix]
            figure.savefig(temporary, format=path.suffix[1:], dpi=dpi, metadata=about)
    except OSError as error:
        raise UsageError(f"{path}: the figure could not be written: {error}") from error


def _plain(text: str) -> str:
    """Write a text so that matplotlib draws it as it is: no mathematics, only what its font has."""
    return display(text).encode("ascii", errors="backslashreplace").decode().replace("$", r"\$")


def _label(row: dict[str, Any]) -> str:
    """Name a figure."""
    return _plain(f"{row['of']}: {row['figure'].replace('_', ' ')}")


def _draw(
    axes: Any,
    part: str,
    labels: Sequence[str],
    evaluations: Sequence[Evaluation],
    figures: Sequence[Sequence[dict[str, Any]]],
) -> None:
    """Draw the figures of one part, from the top down."""
    for place, (found, rows) in enumerate(zip(evaluations, figures, strict=True)):
        shift = (place - (len(evaluations) - 1) / 2) * 0.6 / len(evaluations)
        mine = [row for row in rows if row["part"] == part]
        heights = [labels.index(_label(row)) + shift for row in mine]
        values = [row["value"] for row in mine]
        errors = [
            [row["value"] - row["low"] for row in mine],
            [row["high"] - row["value"] for row in mine],
        ]
        name = _plain(f"{found.space}, {found.method}{' (best)' if found.best else ''}")
        axes.errorbar(values, heights, xerr=errors, fmt="o", markersize=3, lw=1, label=name)
    axes.set_yticks(range(len(labels)), labels)
    axes.set_ylim(len(labels) - 0.5, -0.5)
    axes.set_xlim(-0.02, 1.02)  # a point at either end is whole
    axes.set_title(_PARTS[part], loc="left", fontsize=9)
    axes.grid(axis="x", lw=0.4)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
