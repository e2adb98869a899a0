"""How far each token has moved, and which regions have."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...indexes.progress import Done
from ...indexes.rows import Rows, norm
from .alignment import Alignment, blocks
from .matching import Matched

# N tokens that both have, rows of width D in the first head and E in the second.

_TO_DEVIATIONS = 1.4826  # the median distance from the median of a normal distribution, inverted
_DIGITS, _ROUNDING = 6, 1e-6  # of aligned cosines: what is smaller is rounding
_FEWEST = 20  # tokens of a region that says something


@dataclass(frozen=True, eq=False)
class Moves:
    """How far each token has moved, in the order of `Matched`.

    Attributes
    ----------
    cosines_N : ndarray of float64 or None
        Between the two rows as they are; None where their widths differ.
    aligned_N : ndarray of float64
        Between the first row and the second, both centred, the second turned onto the first head;
        to six digits.
    ratios_N : ndarray of float64
        The length of the second row by that of the first; NaN where that is zero.
    deviations_N : ndarray of float64
        How much less aligned than the median token, in units of the spread of all: 1.4826 times
        the median distance from the median, which stands for a standard deviation and does not
        mind the few that moved far; at least 1e-6.

    Examples
    --------
    >>> Moves(None, np.ones(1), np.ones(1), np.zeros(1)).cosines_N is None
    True
    """

    cosines_N: NDArray[np.float64] | None
    aligned_N: NDArray[np.float64]
    ratios_N: NDArray[np.float64]
    deviations_N: NDArray[np.float64]

    def order(self) -> NDArray[np.int64]:
        """Give the places of tokens, the least aligned first, equal ones as they come."""
        return np.argsort(self.aligned_N, kind="stable")


@dataclass(frozen=True)
class RegionMove:
    """How far a region has moved, beside all other tokens.

    Attributes
    ----------
    name : str
        The region, or the kind of token.
    tokens : int
        Of those that both heads have.
    aligned : float
        The median aligned cosine of its tokens.
    moved_more : float
        The share of pairs of a token of the region and one outside in which the first moved more:
        0.5 where there is no difference (Mann and Whitney 1947).
    deviations : float
        How far that is from 0.5, in standard deviations of what random tokens give.

    Examples
    --------
    >>> RegionMove("emoji", 990, 0.9, 0.5, 0.0).name
    'emoji'
    """

    name: str
    tokens: int
    aligned: float
    moved_more: float
    deviations: float


def moves(rows: Rows, others: Rows, matched: Matched, alignment: Alignment, *, done: Done) -> Moves:
    """Measure how far tokens have moved.

    Parameters
    ----------
    rows, others : Rows
        Of the first and of the second head.
    matched : Matched
        The tokens that both have.
    alignment : Alignment
        Of the two.
    done : callable
        Is told how many were measured, of all.

    Examples
    --------
    >>> rows = Rows(np.array([[1, 0], [0, 2], [-1, -2]], dtype=np.float32), "F32")
    >>> both = Matched(np.arange(3), np.arange(3))
    >>> same = Alignment(np.zeros(2), np.zeros(2), np.eye(2), 0.0, 1.0)
    >>> moves(rows, rows, both, same, done=lambda done, total: None).aligned_N
    array([1., 1., 1.])
    """
    count = len(matched.ids_N)
    cosines_N = np.empty(count) if rows.width == others.width else None
    aligned_N, ratios_N = np.empty(count), np.empty(count)
    for places in blocks(matched, max(rows.width, others.width)):
        one_ND = rows.decode(matched.ids_N[places])
        other_NE = others.decode(matched.others_N[places])
        with np.errstate(divide="ignore", invalid="ignore"):
            ratios_N[places] = norm(other_NE) / norm(one_ND)
        if cosines_N is not None:
            cosines_N[places] = _cosines(one_ND, other_NE)
        # Six digits of a cosine are enough, and float32 turns in half the time.
        turned_ND = (other_NE - alignment.mean_E).astype(np.float32) @ alignment.turn_ED.astype(
            np.float32
        )
        aligned_N[places] = _cosines(one_ND - alignment.mean_D, turned_ND.astype(np.float64))
        done(min(places.stop, count), count)
    aligned_N = np.round(aligned_N, _DIGITS)
    ratios_N[~np.isfinite(ratios_N)] = np.nan
    distances_N = np.median(aligned_N) - aligned_N
    spread = _TO_DEVIATIONS * float(np.median(np.abs(distances_N)))
    deviations_N = distances_N / max(spread, _ROUNDING)
    return Moves(cosines_N, aligned_N, ratios_N, deviations_N)


def region_moves(moved: Moves, members: Mapping[str, NDArray[np.bool_]]) -> tuple[RegionMove, ...]:
    """Say which regions have moved more than random tokens would.

    Parameters
    ----------
    moved : Moves
        How far each token has.
    members : mapping of str to ndarray of bool
        For each region, whether each token is in it. One of fewer than 20 tokens, or of all but
        fewer than 20, is left out.

    Returns
    -------
    tuple of RegionMove
        Those that moved most first, equal ones by their names.

    Examples
    --------
    >>> moved = Moves(None, np.linspace(1, 0, 60), np.ones(60), np.zeros(60))
    >>> (found,) = region_moves(moved, {"last": np.arange(60) >= 30})
    >>> found.moved_more, found.deviations > 6
    (1.0, True)
    """
    from scipy.stats import rankdata

    count = len(moved.aligned_N)
    ranks_N = rankdata(-moved.aligned_N)
    _, ties = np.unique(moved.aligned_N, return_counts=True)
    tied = float((ties.astype(np.float64) ** 3 - ties).sum())
    found = []
    for name, inside_N in members.items():
        size = int(inside_N.sum())
        pairs = float(size) * (count - size)
        if min(size, count - size) < _FEWEST:
            continue
        won = float(ranks_N[inside_N].sum()) - size * (size + 1) / 2
        variance = pairs / 12 * (count + 1 - tied / (count * (count - 1)))
        found.append(
            RegionMove(
                name=name,
                tokens=size,
                aligned=float(np.median(moved.aligned_N[inside_N])),
                moved_more=won / pairs,
                deviations=(won - pairs / 2) / variance**0.5 if variance > 0 else 0.0,
            )
        )
    return tuple(sorted(found, key=lambda one: (-one.deviations, one.name)))


def _cosines(one_ND: NDArray[np.float64], other_ND: NDArray[np.float64]) -> NDArray[np.float64]:
    """Give the cosines of vectors two by two; 0 where one is zero."""
    lengths_N = norm(one_ND) * norm(other_ND)
    products_N = (one_ND * other_ND).sum(axis=1)
    cosines_N: NDArray[np.float64] = np.divide(
        products_N, lengths_N, out=np.zeros(len(one_ND)), where=lengths_N > 0
    )
    return cosines_N
