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
_ROUNDING = 1e-5  # of a row's square: what moved less has not, as bfloat16 rounds by 4e-6
_DIGITS = 3  # of a logarithm: what is smaller is rounding
_NARROW = 0.01  # a spread below which all moved alike
_BINS = 64  # of tokens by their lengths, of which each has a median
_FEWEST = 20  # tokens of a region that says something


@dataclass(frozen=True, eq=False)
class Moves:
    """How far each token has moved, in the order of `Matched`.

    Attributes
    ----------
    cosines_N : ndarray of float64 or None
        Between the two rows as they are; None where their widths differ.
    aligned_N : ndarray of float64
        Between the first row and the second, both centred, the second turned onto the first head.
    ratios_N : ndarray of float64
        The length of the second row by that of the first; NaN where that is zero.
    moved_N : ndarray of float64
        The square of the distance between the two rows, turned and scaled, by the square that is
        expected of a row so long: 1 for a token that moved as others do. Both are at least 1e-5 of
        the row's own square: what moved less has not moved.
    deviations_N : ndarray of float64
        The logarithm of `moved_N`, less its median, by its spread: 1.4826 times the median
        distance from the median, which stands for a standard deviation and does not mind the few
        that moved far. Where most moved alike there is no spread, and it is the logarithm itself.

    Examples
    --------
    >>> Moves(None, np.ones(1), np.ones(1), np.ones(1), np.zeros(1)).cosines_N is None
    True
    """

    cosines_N: NDArray[np.float64] | None
    aligned_N: NDArray[np.float64]
    ratios_N: NDArray[np.float64]
    moved_N: NDArray[np.float64]
    deviations_N: NDArray[np.float64]

    def order(self) -> NDArray[np.int64]:
        """Give the places of tokens, those that moved most first, equal ones as they come."""
        return np.argsort(-self.deviations_N, kind="stable")


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
    """Measure how far tokens have moved, beside what is expected of rows of their lengths.

    Noise that is the same for all rows moves each by the same square; what changes rows in
    proportion moves each by a share of its own. So the square that is expected of a centred row of
    length r is ``α + β r²``, with α and β not below 0, fitted to the medians of 64 groups of rows
    of about the same length.

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
    >>> same = Alignment(np.zeros(2), np.zeros(2), np.eye(2), 1.0, 0.0, 1.0)
    >>> moves(rows, rows, both, same, done=lambda done, total: None).aligned_N
    array([1., 1., 1.])
    """
    count = len(matched.ids_N)
    cosines_N = np.empty(count) if rows.width == others.width else None
    aligned_N, ratios_N, lengths_N, distances_N = np.empty((4, count))
    for places in blocks(matched, max(rows.width, others.width)):
        one_ND = rows.decode(matched.ids_N[places])
        other_NE = others.decode(matched.others_N[places])
        with np.errstate(divide="ignore", invalid="ignore"):
            ratios_N[places] = norm(other_NE) / norm(one_ND)
        if cosines_N is not None:
            cosines_N[places] = _cosines(one_ND, other_NE)
        one_ND, turned_ND = one_ND - alignment.mean_D, alignment(other_NE) - alignment.mean_D
        aligned_N[places] = _cosines(one_ND, turned_ND)
        lengths_N[places], distances_N[places] = norm(one_ND), norm(one_ND - turned_ND)
        done(min(places.stop, count), count)
    ratios_N[~np.isfinite(ratios_N)] = np.nan
    squares_N = np.square(lengths_N)
    floors_N = _ROUNDING * np.maximum(squares_N, _ROUNDING * float(squares_N.mean()) or 1.0)
    distant_N = np.maximum(np.square(distances_N), floors_N)
    moved_N = distant_N / np.maximum(_expected(squares_N, distant_N), floors_N)
    logarithms_N = np.log(moved_N)
    logarithms_N = np.round(logarithms_N - np.median(logarithms_N), _DIGITS)
    spread = _TO_DEVIATIONS * float(np.median(np.abs(logarithms_N)))
    deviations_N = logarithms_N / (spread if spread > _NARROW else 1.0)
    return Moves(cosines_N, aligned_N, ratios_N, moved_N, deviations_N)


def _expected(
    squares_N: NDArray[np.float64], distant_N: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Give the square of the way that is expected of rows, by the squares of their lengths."""
    from scipy.optimize import nnls

    groups = np.array_split(np.argsort(squares_N, kind="stable"), min(_BINS, len(squares_N)))
    medians_G2 = np.array(
        [(np.median(squares_N[group]), np.median(distant_N[group])) for group in groups]
    )
    # What is expected differs by orders of magnitude: each group counts by its own.
    weighed_G2 = np.column_stack([np.ones(len(groups)), medians_G2[:, 0]]) / medians_G2[:, 1:]
    (base, share), _ = nnls(weighed_G2, np.ones(len(groups)))
    return np.asarray(base + share * squares_N, dtype=np.float64)


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
    >>> moved = Moves(None, np.ones(60), np.ones(60), np.arange(60.0), np.arange(60.0))
    >>> (found,) = region_moves(moved, {"last": np.arange(60) >= 30})
    >>> found.moved_more, found.deviations > 6
    (1.0, True)
    """
    from scipy.stats import rankdata

    count = len(moved.deviations_N)
    ranks_N = rankdata(moved.deviations_N)
    _, ties = np.unique(moved.deviations_N, return_counts=True)
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
    return tuple(sorted(found, key=lambda one: (-one.moved_more, one.name)))


def _cosines(one_ND: NDArray[np.float64], other_ND: NDArray[np.float64]) -> NDArray[np.float64]:
    """Give the cosines of vectors two by two; 0 where one is zero."""
    lengths_N = norm(one_ND) * norm(other_ND)
    products_N = (one_ND * other_ND).sum(axis=1)
    cosines_N: NDArray[np.float64] = np.divide(
        products_N, lengths_N, out=np.zeros(len(one_ND)), where=lengths_N > 0
    )
    return cosines_N
