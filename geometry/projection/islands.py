"""Islands: parts of a map so far out that they would squeeze the rest are brought near."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

# N points on a map of C coordinates.

_SIDE = 0.2  # of the points' standard deviation: parts this far apart are islands
_GAP = 2.0  # sides that are left between an island and the rest
_FAR = 4.0  # sides: an island that is nearer stays where it is
_TRIES = 8  # of shorter ways, where the whole way would bring it over others


@dataclass(frozen=True)
class Break:
    """An island that is drawn nearer than UMAP put it.

    Attributes
    ----------
    points : tuple of int
        The places of its tokens.
    shift : tuple of float
        How far it is moved: drawn coordinates less those of UMAP.
    start, end : tuple of float
        The gap that is left, in drawn coordinates, from the token of the rest to that of the
        island: a view draws its sign of a break across the middle of it.

    Examples
    --------
    >>> Break((7,), (-3.0, 0.0), (0.0, 0.0), (1.0, 0.0)).shift
    (-3.0, 0.0)
    """

    points: tuple[int, ...]
    shift: tuple[float, ...]
    start: tuple[float, ...]
    end: tuple[float, ...]


def brought_near(mapped_NC: NDArray[np.float32]) -> tuple[NDArray[np.float32], tuple[Break, ...]]:
    """Move islands towards the rest, each as a whole and along the shortest way.

    Points are of one island where squares of a fifth of the points' standard deviation that hold
    them touch. The largest stays; of the others the nearest is taken first, and one that is more
    than four squares from all that stands is brought to two squares from it.

    Parameters
    ----------
    mapped_NC : ndarray of float32
        Where UMAP put them.

    Returns
    -------
    drawn_NC : ndarray of float32
        Where they are drawn.
    breaks : tuple of Break
        The islands that were moved.

    Examples
    --------
    >>> row_N2 = np.zeros((41, 2), dtype=np.float32)
    >>> row_N2[:, 0] = [*np.linspace(0, 1, 40), 9]
    >>> drawn_N2, (island,) = brought_near(row_N2)
    >>> island.points, round(drawn_N2[40, 0].item(), 2)
    ((40,), 1.27)
    """
    drawn_NC = mapped_NC.astype(np.float64)
    side = _SIDE * float(drawn_NC.std(axis=0).mean())
    if not side > 0:
        return mapped_NC, ()
    islands = _islands(drawn_NC, side)
    breaks = []
    for island_M, rest_M, gap in _from_the_middle(drawn_NC, islands):
        far = gap > _FAR * side
        moved = _moved(drawn_NC[island_M], drawn_NC[rest_M], side) if far else None
        if moved is not None:
            shift_C, start_C, end_C = moved
            drawn_NC[island_M] += shift_C
            points = tuple(island_M.tolist())
            breaks.append(Break(points, *(tuple(at.tolist()) for at in (shift_C, start_C, end_C))))
    return drawn_NC.astype(np.float32), tuple(breaks)


def _islands(places_NC: NDArray[np.float64], side: float) -> list[NDArray[np.int64]]:
    """Part points by the squares that hold them; the largest island first."""
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components
    from scipy.spatial import KDTree

    squares_NC = np.floor((places_NC - places_NC.min(axis=0)) / side).astype(np.int64)
    squares_SC, square_N = np.unique(squares_NC, axis=0, return_inverse=True)
    touching = KDTree(squares_SC).query_pairs(1.0, p=np.inf, output_type="ndarray")
    count = len(squares_SC)
    edges = (np.ones(len(touching)), (touching[:, 0], touching[:, 1]))
    _, island_S = connected_components(coo_matrix(edges, shape=(count, count)), directed=False)
    island_N = island_S[square_N.ravel()]
    sizes = np.bincount(island_N)
    return [np.flatnonzero(island_N == island) for island in np.argsort(-sizes, kind="stable")]


def _from_the_middle(
    places_NC: NDArray[np.float64], islands: list[NDArray[np.int64]]
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64], float]]:
    """Give each island but the largest, the nearest first, all that stands by then, and the gap."""
    from scipy.spatial import KDTree

    last_M, standing_M, waiting = islands[0], islands[0], islands[1:]
    gaps_I = np.full(len(waiting), np.inf)
    while waiting:
        tree = KDTree(places_NC[last_M])
        nearer_I = [float(tree.query(places_NC[island])[0].min()) for island in waiting]
        gaps_I = np.minimum(gaps_I, nearer_I)
        nearest = int(np.argmin(gaps_I))
        last_M, gap = waiting.pop(nearest), float(gaps_I[nearest])
        gaps_I = np.delete(gaps_I, nearest)
        yield last_M, standing_M, gap
        standing_M = np.concatenate([standing_M, last_M])


def _moved(
    island_MC: NDArray[np.float64], rest_MC: NDArray[np.float64], side: float
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]] | None:
    """Give how far an island moves, and the gap that is left; None where it has no way."""
    from scipy.spatial import KDTree

    tree = KDTree(rest_MC)
    gaps_M, nearest_M = tree.query(island_MC)
    own = int(np.argmin(gaps_M))
    whole_C = (rest_MC[nearest_M[own]] - island_MC[own]) * (1 - _GAP * side / gaps_M[own])
    for share in np.linspace(1.0, 0.0, _TRIES, endpoint=False):
        shift_C = share * whole_C
        if tree.query(island_MC + shift_C)[0].min() >= 0.9 * _GAP * side:
            gaps_M, nearest_M = tree.query(island_MC + shift_C)
            end = int(np.argmin(gaps_M))
            return shift_C, rest_MC[nearest_M[end]], island_MC[end] + shift_C
    return None
