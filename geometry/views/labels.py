"""Labels: names beside what they name, where a picture has room for them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

# All in pixels of a picture of W x H.

_CELL = 4  # pixels of the picture to one of the plan
_ANGLES = 16
_RINGS = 5
_OTHER_LABEL = 30.0  # times as bad to lie on as a picture of a token
_FAR = 0.15  # as bad, for each pixel away, as a hundredth of the label's own area covered
_TOLERATED = 0.6  # of its own area that a label may cover of the pictures


@dataclass(frozen=True)
class Named:
    """What wants a label.

    Attributes
    ----------
    at : tuple of float
        The middle of what it names.
    around : tuple of float
        The width and height of what it names.
    size : tuple of float
        Of the label.

    Examples
    --------
    >>> Named((50.0, 50.0), (10.0, 10.0), (30.0, 8.0)).at
    (50.0, 50.0)
    """

    at: tuple[float, float]
    around: tuple[float, float]
    size: tuple[float, float]


def placed(
    wanted: Sequence[Named], taken_B4: NDArray[np.float64], *, width: float, height: float
) -> list[tuple[float, float] | None]:
    """Find a place for each label, the first first: near, and on as little as can be.

    Places on rings around what is named are tried. The best lies on little of the pictures, on no
    other label, and near.

    Parameters
    ----------
    wanted : sequence of Named
        The most important first.
    taken_B4 : ndarray of float64
        The boxes of the pictures, each its middle and its size, shape (B, 4).
    width, height : float
        Of the whole picture, from (0, 0).

    Returns
    -------
    list of (float, float) or None
        The middle of each label; None where there is no room for it.

    Examples
    --------
    >>> named = Named((50.0, 50.0), (10.0, 10.0), (30.0, 8.0))
    >>> free = placed([named], np.empty((0, 4)), width=100, height=100)[0]
    >>> abs(free[1] - 50) > 8
    True
    >>> placed([named], np.array([[50.0, 50.0, 100.0, 100.0]]), width=100, height=100)
    [None]
    """
    plan = np.zeros((int(height // _CELL) + 2, int(width // _CELL) + 2))
    for x, y, across, down in taken_B4.tolist():
        _fill(plan, x, y, across, down, 1.0)
    found: list[tuple[float, float] | None] = []
    for label in wanted:
        sums = np.pad(plan.cumsum(axis=0).cumsum(axis=1), ((1, 0), (1, 0)))
        best, least = None, _TOLERATED
        for x, y, away in _candidates(label):
            across, down = label.size
            if not (across / 2 <= x <= width - across / 2 and down / 2 <= y <= height - down / 2):
                continue
            cost = _covered(sums, x, y, across, down) + _FAR * away / 100
            if cost < least:
                best, least = (x, y), cost
        found.append(best)
        if best is not None:
            _fill(plan, *best, *label.size, _OTHER_LABEL)
    return found


def _candidates(label: Named) -> list[tuple[float, float, float]]:
    """Give places around what is named, and how far each is."""
    (x, y), (wide, high), (across, down) = label.at, label.around, label.size
    places = []
    for ring in range(_RINGS):
        for turn in range(_ANGLES):
            angle = np.pi / 2 + 2 * np.pi * turn / _ANGLES  # above it first
            room = ring * down * 0.8 + down * 0.3
            right = np.cos(angle) * ((wide + across) / 2 + room)
            up = np.sin(angle) * ((high + down) / 2 + room)
            places.append((float(x + right), float(y + up), float(np.hypot(right, up))))
    return places


def _span(middle: float, size: float, limit: int) -> tuple[int, int]:
    """Give the cells from a first to a last that a length covers."""
    first = int(np.clip(np.floor((middle - size / 2) / _CELL), 0, limit))
    last = int(np.clip(np.ceil((middle + size / 2) / _CELL), 0, limit))
    return first, last


def _fill(
    plan: NDArray[np.float64], x: float, y: float, across: float, down: float, weight: float
) -> None:
    """Take a box's place in the plan."""
    left, right = _span(x, across, plan.shape[1])
    low, high = _span(y, down, plan.shape[0])
    part = plan[low:high, left:right]
    np.maximum(part, weight, out=part)


def _covered(sums: NDArray[np.float64], x: float, y: float, across: float, down: float) -> float:
    """Give how much of a box is taken, as a share of its area."""
    left, right = _span(x, across, sums.shape[1] - 1)
    low, high = _span(y, down, sums.shape[0] - 1)
    total = sums[high, right] - sums[low, right] - sums[high, left] + sums[low, left]
    return float(total / max((right - left) * (high - low), 1))
