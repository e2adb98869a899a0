"""Spreading: what overlaps at a picture's scale moves apart, within a stated distance."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

# N boxes in the plane, M that stand fast; P pairs that overlap.

_ROUNDS = 80
_MOST = 4000  # boxes that move apart; of more, the first that fit stay where they are
_ALLOWED = 0.12  # of the smaller box, by which two that are both drawn may overlap
_TURN = 2.399963  # radians, the golden angle: boxes at one place leave it in all directions


@dataclass(frozen=True, eq=False)
class Spread:
    """Where boxes are drawn.

    Attributes
    ----------
    places_N2 : ndarray of float64
        Their middles.
    kept_N : ndarray of bool
        Which have room; the others are where they were.

    Examples
    --------
    >>> Spread(np.zeros((1, 2)), np.ones(1, bool)).kept_N
    array([ True])
    """

    places_N2: NDArray[np.float64]
    kept_N: NDArray[np.bool_]


def spread(
    places_N2: NDArray[np.float64],
    sizes_N2: NDArray[np.float64],
    *,
    reach: float,
    standing_M4: NDArray[np.float64] | None = None,
    room_2: tuple[float, float] = (np.inf, np.inf),
) -> Spread:
    """Move boxes apart until they do not overlap, and leave out those that have no room.

    Each two that overlap move apart along the axis on which they do so least, in 80 rounds, and
    none farther than its reach from its own place. Then the first of those that still overlap by
    more than an eighth are kept. Of more than 4,000 boxes none moves.

    Parameters
    ----------
    places_N2 : ndarray of float64
        The middles of boxes, the most wanted first.
    sizes_N2 : ndarray of float64
        Their widths and heights.
    reach : float
        How far a box may move.
    standing_M4 : ndarray of float64, optional
        Boxes that stand fast, each its middle and its size.
    room_2 : (float, float)
        The width and height of the picture: a box whose place is too near to its edge is moved as
        far as it must be, before all else.

    Examples
    --------
    >>> two = spread(np.zeros((2, 2)), np.ones((2, 2)), reach=2.0)
    >>> np.abs(two.places_N2[0] - two.places_N2[1]).max() > 0.88, two.kept_N
    (np.True_, array([ True,  True]))
    >>> spread(np.zeros((2, 2)), np.ones((2, 2)), reach=0.1).kept_N
    array([ True, False])
    """
    standing_M4 = np.empty((0, 4)) if standing_M4 is None else standing_M4
    within_N2 = _inside(places_N2, sizes_N2, room_2)
    moved_N2 = within_N2
    if 0 < len(places_N2) <= _MOST:
        sizes_X2 = np.concatenate([sizes_N2, standing_M4[:, 2:]])
        moved_N2 = _apart(within_N2, standing_M4[:, :2], sizes_X2, reach, room_2)
    kept_N = _with_room(moved_N2, sizes_N2, standing_M4)
    return Spread(np.where(kept_N[:, None], moved_N2, places_N2), kept_N)


def _inside(
    places_N2: NDArray[np.float64], sizes_N2: NDArray[np.float64], room_2: tuple[float, float]
) -> NDArray[np.float64]:
    """Bring boxes inside the picture; the middle is for those that are larger than it."""
    half_N2 = np.minimum(sizes_N2, room_2) / 2
    inside_N2: NDArray[np.float64] = np.clip(
        places_N2, np.where(np.isinf(room_2), -np.inf, half_N2), room_2 - half_N2
    )
    return inside_N2


def _apart(
    own_N2: NDArray[np.float64],
    standing_M2: NDArray[np.float64],
    sizes_X2: NDArray[np.float64],
    reach: float,
    room_2: tuple[float, float],
) -> NDArray[np.float64]:
    """Push boxes apart, round by round."""
    count = len(own_N2)
    turns_N = np.arange(count) * _TURN
    nudges_N2 = np.column_stack([np.cos(turns_N), np.sin(turns_N)]) * sizes_X2[:count] * 1e-3
    moved_N2 = _inside(own_N2 + _within(nudges_N2, reach), sizes_X2[:count], room_2)
    for _ in range(_ROUNDS):
        at_X2 = np.concatenate([moved_N2, standing_M2])
        one_P, other_P = _near(at_X2, sizes_X2)
        between_P2 = at_X2[one_P] - at_X2[other_P]
        overlap_P2 = (sizes_X2[one_P] + sizes_X2[other_P]) / 2 - np.abs(between_P2)
        hit_P = (overlap_P2 > 0).all(axis=1) & ((one_P < count) | (other_P < count))
        if not hit_P.any():
            break
        one_P, other_P = one_P[hit_P], other_P[hit_P]
        between_P2, overlap_P2 = between_P2[hit_P], overlap_P2[hit_P]
        axis_P1 = overlap_P2.argmin(axis=1)[:, None]
        least_P1 = np.take_along_axis(overlap_P2, axis_P1, axis=1)
        signs_P1 = np.where(np.take_along_axis(between_P2, axis_P1, axis=1) < 0, -1.0, 1.0)
        push_P2 = np.zeros_like(between_P2)
        np.put_along_axis(push_P2, axis_P1, signs_P1 * least_P1 / 2, axis=1)
        pushes_X2 = np.zeros_like(at_X2)
        np.add.at(pushes_X2, one_P, push_P2)
        np.add.at(pushes_X2, other_P, -push_P2)
        away_N2 = moved_N2 + 0.7 * pushes_X2[:count] - own_N2
        moved_N2 = _inside(own_N2 + _within(away_N2, reach), sizes_X2[:count], room_2)
    return moved_N2


def _within(away_N2: NDArray[np.float64], reach: float) -> NDArray[np.float64]:
    """Shorten moves that are longer than the reach."""
    far_N1 = np.linalg.norm(away_N2, axis=1, keepdims=True)
    within_N2: NDArray[np.float64] = away_N2 * np.minimum(1.0, reach / np.maximum(far_N1, 1e-12))
    return within_N2


def _near(
    at_X2: NDArray[np.float64], sizes_X2: NDArray[np.float64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Give the pairs of boxes that could overlap, the lower place first, in order."""
    from scipy.spatial import KDTree

    scale_2 = sizes_X2.max(axis=0)
    pairs_P2 = KDTree(at_X2 / scale_2).query_pairs(1.0, p=np.inf, output_type="ndarray")
    pairs_P2 = pairs_P2[np.lexsort((pairs_P2[:, 1], pairs_P2[:, 0]))]
    return pairs_P2[:, 0], pairs_P2[:, 1]


def _with_room(
    at_N2: NDArray[np.float64], sizes_N2: NDArray[np.float64], standing_M4: NDArray[np.float64]
) -> NDArray[np.bool_]:
    """Keep each box that overlaps none that is kept before it by more than a little."""
    kept_N = np.zeros(len(at_N2), dtype=bool)
    if not len(at_N2):
        return kept_N
    boxes = np.concatenate([standing_M4, np.column_stack([at_N2, sizes_N2])])
    width, height = np.maximum(boxes[:, 2:].max(axis=0), 1e-9).tolist()
    cells: dict[tuple[int, int], list[tuple[float, float, float, float]]] = {}
    for place, box in enumerate(map(tuple, boxes.tolist()), start=-len(standing_M4)):
        column, row = int(box[0] // width), int(box[1] // height)
        beside = (
            other
            for across in (column - 1, column, column + 1)
            for down in (row - 1, row, row + 1)
            for other in cells.get((across, down), ())
        )
        if place < 0 or not any(_overlap(box, other) for other in beside):
            cells.setdefault((column, row), []).append(box)
            if place >= 0:
                kept_N[place] = True
    return kept_N


def _overlap(box: tuple[float, ...], other: tuple[float, ...]) -> bool:
    """Tell whether two boxes overlap by more than a little."""
    allowed = 1 - _ALLOWED
    return (
        abs(box[0] - other[0]) < allowed * (box[2] + other[2]) / 2
        and abs(box[1] - other[1]) < allowed * (box[3] + other[3]) / 2
    )
