"""Mean, covariance and norms of rows, block by block."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .progress import Done
from .rows import Rows, norm

# V rows of width D; N of them chosen.

_ROUNDING = 1e-12  # of the sum that a mean of a million rows is
_DRAWN = 4  # rows for each of their dimensions


@dataclass(frozen=True, eq=False)
class Fold:
    """What a norm before the rows does to them once it is multiplied into them: a linear map.

    Attributes
    ----------
    gain_D : ndarray of float64 or None
        The norm's gain; None for 1.
    centred : bool
        Whether the norm takes away the mean of what it is given, as LayerNorm does: then what
        rows have in common over their D values meets nothing, and is taken away too.

    Examples
    --------
    >>> Fold(np.array([1.0, 3.0]), centred=True)(np.array([[2.0, 2.0]]))
    array([[-2.,  2.]])
    """

    gain_D: NDArray[np.float64] | None = None
    centred: bool = False

    def __call__(self, rows_ND: NDArray[np.float64]) -> NDArray[np.float64]:
        """Give rows with the norm folded in, shape (N, D)."""
        folded_ND = rows_ND if self.gain_D is None else rows_ND * self.gain_D
        return folded_ND - folded_ND.mean(axis=-1, keepdims=True) if self.centred else folded_ND

    def seen(self, residual_D: NDArray[np.float64]) -> NDArray[np.float64]:
        """Give the part of a residual, or of each of several, that folded rows can meet."""
        if not self.centred:
            return residual_D
        centred: NDArray[np.float64] = residual_D - residual_D.mean(axis=-1, keepdims=True)
        return centred

    def dual(self, residual_D: NDArray[np.float64]) -> NDArray[np.float64]:
        """Give what has the product with a row that a residual has with the folded row."""
        seen_D = self.seen(residual_D)
        return seen_D if self.gain_D is None else seen_D * self.gain_D


@dataclass(frozen=True, eq=False)
class Moments:
    """What is known of the cloud of rows.

    Attributes
    ----------
    count : int
        N.
    mean_D : ndarray of float64
        The mean row.
    covariance_DD : ndarray of float64
        Of the rows, over N (not N - 1).
    fourth : float
        The mean of ‖x - mean‖⁴, which Ledoit and Wolf's shrinkage needs.

    Examples
    --------
    >>> Moments(4, np.zeros(2), np.diag([1.0, 3.0]), 20.0).count
    4
    """

    count: int
    mean_D: NDArray[np.float64]
    covariance_DD: NDArray[np.float64]
    fourth: float


def mean(rows: Rows, ids_N: NDArray[np.int64]) -> NDArray[np.float64]:
    """Give the mean of some rows, shape (D,).

    Examples
    --------
    >>> mean(Rows(np.eye(2, dtype=np.float32), "F32"), np.array([0, 1]))
    array([0.5, 0.5])
    """
    total_D = np.zeros(rows.width)
    for _, block_ND in rows.blocks(ids_N):
        total_D += block_ND.sum(axis=0)
    return total_D / len(ids_N)


def moments(rows: Rows, ids_N: NDArray[np.int64], fold: Fold, *, done: Done) -> Moments:
    """Take the moments of some rows, a norm folded in, without holding them all.

    Examples
    --------
    >>> rows = Rows(np.array([[1, 0], [-1, 0], [0, 2], [0, -2]], dtype=np.float32), "F32")
    >>> found = moments(rows, np.arange(4), Fold(), done=lambda done, total: None)
    >>> found.covariance_DD.tolist(), found.fourth
    ([[0.5, 0.0], [0.0, 2.0]], 8.5)
    """
    count, width = len(ids_N), rows.width
    mean_D = fold(mean(rows, ids_N))
    covariance_DD, fourth = np.zeros((width, width)), 0.0
    for places, block_ND in rows.blocks(ids_N):
        centred_ND = fold(block_ND) - mean_D
        covariance_DD += centred_ND.T @ centred_ND
        fourth += float(np.square(np.square(centred_ND).sum(axis=1)).sum())
        done(min(places.stop, count), count)
    covariance_DD /= count
    return Moments(count, mean_D, covariance_DD, fourth / count)


def mapped_norms(
    rows: Rows,
    fold: Fold,
    mean_D: NDArray[np.float64],
    map_DD: NDArray[np.float64] | None,
    *,
    done: Done,
) -> NDArray[np.float64]:
    """Give ‖(fold(x) - mean) map‖ for every row, ``float64`` of shape (V,).

    A row that is the mean to the rounding of the mean gets zero. Rows of equal values get equal
    norms to the last bit, which a BLAS product alone does not promise.

    Examples
    --------
    >>> rows = Rows(np.array([[3, 4], [1, 1]], dtype=np.float32), "F32")
    >>> mapped_norms(rows, Fold(), np.ones(2), None, done=lambda done, total: None)
    array([3.60555128, 0.        ])
    """
    norms_V = np.empty(rows.count)
    for places, block_ND in rows.blocks(np.arange(rows.count)):
        folded_ND = fold(block_ND)
        centred_ND = folded_ND - mean_D
        at_mean_N = norm(centred_ND) <= _ROUNDING * (norm(folded_ND) + norm(mean_D))
        norms_N = norm(centred_ND if map_DD is None else centred_ND @ map_DD)
        norms_V[places] = np.where(at_mean_N, 0.0, norms_N)
        done(min(places.stop, rows.count), rows.count)
    return norms_V if map_DD is None else norms_V[first_equals(rows)]


def fit_norms(
    rows: Rows, norms_V: NDArray[np.float64], ids_N: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Give the vector whose product with a row comes nearest to the row's norm, shape (D,).

    By least squares, with a constant that is left out, on rows that are drawn evenly from some.

    Examples
    --------
    >>> rows = Rows(np.array([[1, 0], [2, 0], [3, 0], [3, 1]], dtype=np.float32), "F32")
    >>> fit_norms(rows, np.array([1.0, 2.0, 3.0, 3.5]), np.arange(4)).round(3)
    array([1. , 0.5])
    """
    drawn_N = ids_N[:: max(1, len(ids_N) // (_DRAWN * rows.width))]
    centred_ND = rows.decode(drawn_N)
    centred_ND -= centred_ND.mean(axis=0)
    gram_DD = centred_ND.T @ centred_ND
    # Where rows do not vary any fit will do: keep it small.
    ridge_DD = np.eye(rows.width) * (1e-9 * np.trace(gram_DD) / rows.width + np.finfo(float).tiny)
    norms_N = norms_V[drawn_N] - norms_V[drawn_N].mean()
    return np.asarray(np.linalg.solve(gram_DD + ridge_DD, centred_ND.T @ norms_N))


def first_equals(rows: Rows) -> NDArray[np.int64]:
    """Give for every row the lowest id of a row of the same values.

    Examples
    --------
    >>> first_equals(Rows(np.array([[1, 0], [0, 1], [1, -0.0]], dtype=np.float32), "F32"))
    array([0, 1, 0])
    """
    firsts: dict[int, list[int]] = {}
    equal_V = np.arange(rows.count)
    for places, block_ND in rows.blocks(np.arange(rows.count)):
        # -0 and 0 are one value of two spellings: the sum has only 0.
        for id_, row_D in enumerate(block_ND + 0.0, places.start):
            same = firsts.setdefault(hash(row_D.tobytes()), [])
            equal = (i for i in same if np.array_equal(rows.decode(np.array([i]))[0], row_D))
            first = next(equal, None)
            if first is None:
                same.append(id_)
            else:
                equal_V[id_] = first
    return equal_V
