"""A map at the scale of one picture: what is drawn where, what has room, what is left out."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..projection.map import Map
from .labels import Named, placed
from .shown import emoji_in, shown
from .spread import spread

# N tokens, in pixels from the lower left.

_FILL = 0.3  # of the picture's area that pictures of emoji may take
_SMALLEST, _LARGEST = 22.0, 110.0  # pixels of one
_REACH = 3.0  # of its size that a token may be moved
_TEXTS = 1500  # that are written at most
_TALLEST = 34.0  # pixels of a name's letters
_LETTER = 0.15  # of a picture's area that a letter takes
_MARGIN = 0.045  # of the picture around the tokens
_TILT, _TURN = np.radians(22.0), np.radians(-35.0)  # from where three dimensions are seen
_RING = 1.5  # of a token's size is a mark's ring

Measure = Callable[[str, float], tuple[float, float] | None]
"""Gives the size of a text at a height, or None where it cannot be written."""


@dataclass(frozen=True, eq=False)
class Scene:
    """What a picture of a map has where.

    Attributes
    ----------
    size : float
        Of an emoji, in pixels; texts are half as high.
    own_N2 : ndarray of float64
        Where each token is.
    places_N2 : ndarray of float64
        Where it is drawn.
    kept_N : ndarray of bool
        Which are drawn as what they are; the others are dots.
    emoji : tuple of str or None
        The emoji whose picture each is; None for what is written.
    texts : tuple of str
        The visible form of each.
    marks_M2 : ndarray of float64
        Where the marks are.
    labels : mapping of int to ((float, float) or None)
        Where the name of each cluster that has one stands, by its number; None where there is no
        room.
    mark_labels : tuple of ((float, float) or None)
        Likewise of each mark.
    at : callable
        Takes places of the map to places of the picture.

    Examples
    --------
    >>> import unembed
    >>> found = unembed.open_head("demo").map(region="emoji")
    >>> write = lambda text, height: (height * len(text) / 2, height)
    >>> scene_of(found, width=1900, height=1800, measure=write, pictured=lambda emoji: True).size
    32.0
    """

    size: float
    own_N2: NDArray[np.float64]
    places_N2: NDArray[np.float64]
    kept_N: NDArray[np.bool_]
    emoji: tuple[str | None, ...]
    texts: tuple[str, ...]
    marks_M2: NDArray[np.float64]
    labels: Mapping[int, tuple[float, float] | None]
    mark_labels: tuple[tuple[float, float] | None, ...]
    at: Callable[[NDArray[np.floating]], NDArray[np.float64]]

    @property
    def label_height(self) -> float:
        """Give how high the letters of names are."""
        return _label_height(self.size)


def aspect_of(found: Map) -> float:
    """Give the height of a map for each unit of its width, within a half and double.

    Examples
    --------
    >>> import unembed
    >>> 0.5 <= aspect_of(unembed.open_head("demo").map(region="greek")) <= 2
    True
    """
    wide, high = np.ptp(_flat(found.points.drawn_NC), axis=0).tolist()
    return float(np.clip(high / wide if wide > 0 else 1.0, 0.5, 2.0))


def scene_of(
    found: Map,
    *,
    width: float,
    height: float,
    measure: Measure,
    pictured: Callable[[str], bool],
) -> Scene:
    """Lay a map out in a picture.

    Parameters
    ----------
    found : Map
        What is drawn.
    width, height : float
        Of the picture, in pixels.
    measure : callable
        Gives the size of a text.
    pictured : callable
        Tells whether there is a picture of an emoji.

    Examples
    --------
    >>> import unembed
    >>> found = unembed.open_head("demo").map(region="emoji")
    >>> room = {"measure": lambda text, height: None, "pictured": lambda emoji: True}
    >>> scene_of(found, width=1900, height=1800, **room).kept_N.sum() > 800
    np.True_
    """
    points = found.points
    found_emoji = map(emoji_in, points.texts)
    emoji = tuple(one if one is not None and pictured(one) else None for one in found_emoji)
    forms = tuple(map(shown, points.tokens, points.texts))
    at = _fitting(found, width, height)
    own_N2 = at(points.drawn_NC)
    marks_M2 = at(np.array([mark.drawn for mark in found.marks] or np.empty((0, 2))))
    size = float(np.sqrt(width * height * _FILL / max(_amount(emoji, forms), 1)))
    size = float(np.clip(size, _SMALLEST, _LARGEST).round())
    sizes_N2 = np.full((len(own_N2), 2), np.nan)
    written = 0
    for place, (one, form) in enumerate(zip(emoji, forms, strict=True)):
        if one is not None:
            sizes_N2[place] = size, size
        elif written < _TEXTS:
            room = measure(form, size / 2)
            if room is not None:
                sizes_N2[place], written = room, written + 1
    drawable_M = np.flatnonzero(np.isfinite(sizes_N2[:, 0]))
    rings_M4 = np.column_stack([marks_M2, np.full((len(marks_M2), 2), _RING * size)])
    moved = spread(
        own_N2[drawable_M],
        sizes_N2[drawable_M],
        reach=_REACH * size,
        standing_M4=rings_M4,
        room_2=(width, height),
    )
    places_N2, kept_N = own_N2.copy(), np.zeros(len(own_N2), dtype=bool)
    places_N2[drawable_M], kept_N[drawable_M] = moved.places_N2, moved.kept_N
    boxes_B4 = np.concatenate([np.column_stack([places_N2, sizes_N2])[kept_N], rings_M4])
    named = [
        *_marks_named(found, marks_M2, size, measure),
        *_clusters_named(found, places_N2, size, measure),
    ]
    labels = placed(named, boxes_B4, width=width, height=height)
    return Scene(
        size=size,
        own_N2=own_N2,
        places_N2=places_N2,
        kept_N=kept_N,
        emoji=emoji,
        texts=forms,
        marks_M2=marks_M2,
        labels=dict(zip(found.named, labels[len(found.marks) :], strict=True)),
        mark_labels=tuple(labels[: len(found.marks)]),
        at=at,
    )


def _label_height(size: float) -> float:
    """Give how high the letters of names are, beside pictures of this size."""
    return min(0.62 * size, _TALLEST)


def _amount(emoji: Sequence[str | None], forms: Sequence[str]) -> float:
    """Give how many pictures there are, and texts as so many of them as take their room."""
    texts = [form for one, form in zip(emoji, forms, strict=True) if one is None][:_TEXTS]
    return len(emoji) - emoji.count(None) + _LETTER * sum(map(len, texts))


def mark_label(found: Map, place: int) -> str:
    """Give what is written beside a mark: its name, what it snaps to and the gap.

    Examples
    --------
    >>> import unembed
    >>> found = unembed.open_head("demo").map(region="emoji", marks=["emoji(seahorse)"])
    >>> mark_label(found, 0)
    'emoji(seahorse), 70° off'
    """
    mark = found.marks[place]
    return f"{shown(mark.name, mark.name)}, {mark.gap_degrees:.0f}° off"


def _marks_named(
    found: Map, marks_M2: NDArray[np.float64], size: float, measure: Measure
) -> list[Named]:
    """Give what the labels of marks stand beside."""
    height, ring = _label_height(size), _RING * size
    return [
        Named((at[0], at[1]), (ring, ring), measure(mark_label(found, place), height) or (0, 0))
        for place, at in enumerate(marks_M2.tolist())
    ]


def _clusters_named(
    found: Map, places_N2: NDArray[np.float64], size: float, measure: Measure
) -> list[Named]:
    """Give what the labels of clusters stand beside: the middle three quarters of each."""
    named, height = [], _label_height(size)
    for number, cluster in found.named.items():
        mine_M2 = places_N2[found.points.clusters_N == number]
        low_2, high_2 = np.quantile(mine_M2, [0.08, 0.92], axis=0)
        (x, y), (wide, high) = ((low_2 + high_2) / 2).tolist(), (high_2 - low_2 + size).tolist()
        named.append(Named((x, y), (wide, high), measure(cluster.name, height) or (0, 0)))
    return named


def _fitting(
    found: Map, width: float, height: float
) -> Callable[[NDArray[np.floating]], NDArray[np.float64]]:
    """Give what takes places of the map to the picture: one scale, in the middle, with a margin."""
    own_N2 = _flat(found.points.drawn_NC)
    marks = [_flat(np.array([mark.drawn])) for mark in found.marks]
    steps = [_flat(np.array([s.drawn])) for path in found.paths for s in path.steps]
    all_X2 = np.concatenate([own_N2, *marks, *steps])
    low_2, high_2 = all_X2.min(axis=0), all_X2.max(axis=0)
    room_2 = np.array([width, height]) * (1 - 2 * _MARGIN)
    spans_2 = np.where(high_2 > low_2, high_2 - low_2, 1e-9)
    scale = float((room_2 / spans_2).min()) if (high_2 > low_2).any() else 1.0
    middle_2 = (low_2 + high_2) / 2
    return lambda places_XC: (_flat(places_XC) - middle_2) * scale + np.array([width, height]) / 2


def _flat(places_NC: NDArray[np.floating]) -> NDArray[np.float64]:
    """See places of three dimensions from a little above and aside; two stay as they are."""
    wide_NC: NDArray[np.float64] = places_NC.astype(np.float64)
    if wide_NC.shape[1] == 2:
        return wide_NC
    x_N, y_N, z_N = wide_NC.T
    across_N = np.cos(_TURN) * x_N - np.sin(_TURN) * y_N
    away_N = np.sin(_TURN) * x_N + np.cos(_TURN) * y_N
    return np.column_stack([across_N, np.cos(_TILT) * z_N + np.sin(_TILT) * away_N])
