"""The colours of a map's tokens, and what they mean."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ...errors import UsageError
from ..projection.columns import Value
from ..projection.map import Map
from ..tokens.vocabulary import display

# Okabe and Ito's and others between them, told apart by most eyes; the last is for the rest.
PALETTE = (
    *("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#8c6bb1", "#5c8a00"),
    *("#b15928", "#1b9e9e", "#c2185b"),
)
OTHER = "#8a8f98"
# Viridis at five places.
RAMP = ((68, 1, 84), (59, 82, 139), (33, 145, 140), (94, 201, 98), (253, 231, 37))
_DARK = (14, 12, 28)
_OWN = ("cluster", "kind", "script", "norm", "group")


@dataclass(frozen=True)
class Colouring:
    """A colour for each token.

    Attributes
    ----------
    name : str
        What the colours tell.
    colours : tuple of str
        As ``#rrggbb``, for each token.
    legend : tuple of (str, str)
        What each colour means: the eleven most frequent, and ``other``; the lowest and the highest
        of numbers; nothing for clusters, which have labels.
    numeric : bool
        Whether they tell a number.

    Examples
    --------
    >>> Colouring("norm", ("#440154",), (("0.5", "#440154"), ("0.9", "#fde725")), True).numeric
    True
    """

    name: str
    colours: tuple[str, ...]
    legend: tuple[tuple[str, str], ...]
    numeric: bool


def darker(colour: str) -> str:
    """Give a colour that can be read on white.

    Examples
    --------
    >>> darker("#e69f00")
    '#7e580d'
    """
    parts = (int(colour[place : place + 2], 16) for place in (1, 3, 5))
    return "#{:02x}{:02x}{:02x}".format(
        *(round(part * 0.52 + ink * 0.48) for part, ink in zip(parts, _DARK, strict=True))
    )


def check_colour(name: str, columns: Sequence[str]) -> None:
    """Refuse what no map can be coloured by.

    Raises
    ------
    UsageError
        There is no such property of a token, nor a column of this name.

    Examples
    --------
    >>> check_colour("kind", ())
    """
    if name not in _OWN and name not in columns:
        raise UsageError(
            f"unknown colour {name!r}; a map is coloured by {', '.join([*_OWN, *columns])}"
        )


def coloured(found: Map, by: str) -> Colouring:
    """Give each token of a map its colour.

    Parameters
    ----------
    found : Map
        Whose tokens.
    by : str
        ``cluster``, ``kind``, ``script``, ``norm``, ``group``, or a column of the user's table.

    Raises
    ------
    UsageError
        It is none of these.

    Examples
    --------
    >>> import unembed
    >>> colouring = coloured(unembed.open_head("demo").map(region="emoji"), "kind")
    >>> colouring.legend
    (('text', '#0072b2'),)
    """
    points = found.points
    check_colour(by, tuple(points.columns))
    if by == "cluster":
        colours = [
            OTHER if place < 0 else PALETTE[place % len(PALETTE)] for place in points.clusters_N
        ]
        return Colouring(by, tuple(colours), (), numeric=False)
    values: Sequence[Value] = {
        "kind": points.kinds,
        "script": points.scripts,
        "norm": tuple(points.norms_N.tolist()),
        "group": tuple(found.groups[place] for place in points.groups_N.tolist()),
    }.get(by) or points.columns[by]
    if any(isinstance(value, str) for value in values):
        return _of_kinds(by, values)
    return _of_numbers(by, values)


def _of_kinds(by: str, values: Sequence[Value]) -> Colouring:
    """Colour by what is one of several."""
    counts = Counter(str(value) for value in values if value is not None)
    order = sorted(counts, key=lambda value: (-counts[value], value))[: len(PALETTE)]
    colour_of = dict(zip(order, PALETTE, strict=False))
    colours = tuple(colour_of.get(str(value), OTHER) for value in values)
    legend = [(display(value), colour_of[value]) for value in order]
    if OTHER in colours:
        legend.append(("other", OTHER))
    return Colouring(by, colours, tuple(legend), numeric=False)


def _of_numbers(by: str, values: Sequence[Value]) -> Colouring:
    """Colour by a number, from the lowest to the highest."""
    numbers = np.array([np.nan if value is None else float(value) for value in values])
    known = numbers[np.isfinite(numbers)]
    if not len(known):
        return Colouring(by, (OTHER,) * len(values), (), numeric=True)
    low, high = float(known.min()), float(known.max())
    shares = np.nan_to_num((numbers - low) / ((high - low) or 1.0))
    ramp = np.array(RAMP, dtype=float)
    steps = np.linspace(0, 1, len(ramp))
    mixed = np.column_stack([np.interp(shares, steps, ramp[:, part]) for part in range(3)])
    colours = [
        "#{:02x}{:02x}{:02x}".format(*colour) if known else OTHER
        for colour, known in zip(
            mixed.round().astype(int).tolist(), np.isfinite(numbers), strict=True
        )
    ]
    ends = ("#{:02x}{:02x}{:02x}".format(*RAMP[place]) for place in (0, -1))
    legend = zip((f"{low:.4g}", f"{high:.4g}"), ends, strict=True)
    return Colouring(by, tuple(colours), tuple(legend), numeric=True)
