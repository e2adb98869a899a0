"""Vectors as sums of a few others: the Lasso's path."""

import warnings

import numpy as np
from numpy.typing import NDArray

from ...indexes.progress import Progress, step_of
from ...indexes.rows import norm, united
from ..heads.unembedding import Unembedding
from ..space import Space
from .dictionary import Dictionary
from .pursuit import Part, Sum, nearest_rows

# N vectors of width D; W places of a working set; K knots of a path, or parts of a sum.

_FIRST = 512  # rows that stand for all at first
_MORE = 128  # of those that would enter, taken in each time
_ROUNDS = 50
_TIE = 1e-9  # of a correlation


def lasso_sums(
    head: Unembedding,
    space: Space,
    vectors_ND: NDArray[np.float64],
    count: int,
    *,
    dictionary: Dictionary,
    signed: bool = False,
    progress: Progress | None = None,
) -> list[tuple[Part, ...]]:
    """Write vectors as sums of those that the Lasso takes first (Tibshirani 1996).

    The penalty of ``½‖v - Σ wⱼuⱼ‖² + α Σ|wⱼ|`` falls from where nothing enters (Efron and others
    2004, scikit-learn's `lars_path`) to where `count` have, and all weights are then fitted by
    least squares, since the penalty makes them too small (Meinshausen 2007). The path is that of
    the whole dictionary: it is taken over some rows, and those that would enter it are added until
    none would.

    Parameters
    ----------
    head, space, vectors_ND, count, dictionary, signed, progress
        As for `sparse_sums`.

    Returns
    -------
    list of tuple of Part
        For each vector, in the order in which they entered. Forms of a word are not passed over.

    Examples
    --------
    >>> import unembed
    >>> from unembed.geometry.space import open_space
    >>> head = unembed.open_head("demo")
    >>> sum_1D, whole = head.concept("2*sea + horse").vector_D[None], Dictionary.whole(head)
    >>> (parts,) = lasso_sums(head, open_space(head), sum_1D, 2, dictionary=whole)
    >>> [part.token for part in parts]
    ['▁sea', '▁horse']
    """
    told = step_of(progress, "following the path of the Lasso")
    sums = []
    for place, unit_D in enumerate(united(vectors_ND)):
        told(place, len(vectors_ND))
        sums.append(_sum(head, space, dictionary, unit_D, count, signed))
    return sums


def _sum(
    head: Unembedding,
    space: Space,
    dictionary: Dictionary,
    unit_D: NDArray[np.float64],
    count: int,
    signed: bool,
) -> tuple[Part, ...]:
    """Write one vector as a sum."""
    if not unit_D.any():
        return ()
    sum_ = Sum(head, space, dictionary, unit_D)
    named = list(range(head.rows.count, head.rows.count + len(dictionary.names)))
    (near,) = nearest_rows(head, space, dictionary, unit_D[None], signed=signed, count=_FIRST)
    rows = {id_ for _, id_ in near}
    for _ in range(_ROUNDS):
        places = [*sorted(rows), *named]
        if not places:
            return ()
        units_WD = sum_.units(places)
        alphas_K, weights_KW = _path(units_WD, unit_D, count, signed=signed)
        left_KD = unit_D - weights_KW @ units_WD
        nearest = nearest_rows(head, space, dictionary, left_KD, signed=signed, count=_MORE)
        entering = {
            id_
            for found, length, alpha in zip(nearest, norm(left_KD), alphas_K, strict=True)
            for cosine, id_ in found
            if cosine * length > alpha + _TIE
        }
        if entering <= rows:
            break
        rows |= entering
    for kept in _entered(weights_KW):
        chosen = [places[at] for at in kept]
        sum_.keep(chosen, *_refitted(sum_, chosen, signed=signed))
    return sum_.parts()


def _path(
    units_WD: NDArray[np.float64], unit_D: NDArray[np.float64], count: int, *, signed: bool
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Give the knots of a path, penalties and weights, up to the first of `count` weights."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import lars_path

    with warnings.catch_warnings(action="ignore", category=ConvergenceWarning):  # of equal rows
        alphas_K, _, weights_WK = lars_path(
            units_WD.T, unit_D, method="lasso", positive=not signed, max_iter=4 * count
        )
    weights_KW = weights_WK.T
    full_K = np.flatnonzero((weights_KW != 0).sum(axis=1) >= count)
    knots = int(full_K[0]) + 1 if len(full_K) else len(weights_KW)
    # scikit-learn divides the square by the number of dimensions.
    return alphas_K[:knots] * len(unit_D), weights_KW[:knots]


def _entered(weights_KW: NDArray[np.float64]) -> list[list[int]]:
    """Give what is in the sum at the end in the order in which it entered, one more each time."""
    last = np.flatnonzero(weights_KW[-1])
    since = [int(np.flatnonzero(weights_KW[:, at] == 0)[-1]) for at in last]
    order = [int(at) for _, at in sorted(zip(since, last, strict=True))]
    return [order[: size + 1] for size in range(len(order))]


def _refitted(
    sum_: Sum, places: list[int], *, signed: bool
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Give the weights of a sum by least squares, and what it leaves."""
    if signed:
        return sum_.fitted(places)
    from scipy.optimize import nnls

    units_KD = sum_.units(places)
    weights_K, _ = nnls(units_KD.T, sum_.unit_D)
    return weights_K, sum_.unit_D - weights_K @ units_KD
