"""Exact answers: float64 scores, proved complete, equal scores by the lower id."""

import numpy as np
from numpy.typing import NDArray

from .faiss import MappedIndex
from .rows import Rows, norm

# V rows of width D; N ids to score; C candidates; K best.

_FLOAT32_UNIT = 2.0**-24
_FIRST_CANDIDATES = 512  # FAISS gives these in the time of ten
_GROWTH = 16


def score(
    rows: Rows, query_D: NDArray[np.float64], ids_N: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Give the product of a query with some rows.

    Every row is summed by itself and in the same order, so that its score does not depend on the
    rows beside it and equal rows have equal scores to the last bit (a BLAS product promises
    neither).

    Returns
    -------
    ndarray of float64
        Shape (N,), in the order of `ids_N`.

    Examples
    --------
    >>> rows = Rows(np.eye(3, dtype=np.float32), "F32")
    >>> score(rows, np.array([1.0, 3.0, 2.0]), np.array([2, 0]))
    array([2., 1.])
    """
    scores_N = np.empty(len(ids_N))
    for places, block_ND in rows.blocks(ids_N):
        scores_N[places] = (block_ND * query_D).sum(axis=1)
    return scores_N


def float32_error(width: int, query_norm: float, row_norm: float) -> float:
    """Bound the error of a product of a float32 row with a query rounded to float32.

    With u = 2⁻²⁴ and γₙ = nu/(1 - nu), a sum of D products in any order, of values of which one
    was rounded before, is off by at most γ₍D+1₎ Σ|xᵢqᵢ| (Higham, *Accuracy and Stability of
    Numerical Algorithms*, 2nd ed., section 3.1), and Σ|xᵢqᵢ| ≤ ‖x‖‖q‖. The last term covers
    products below the normal range.

    Examples
    --------
    >>> float32_error(640, 1.0, 1.0) < 4e-5
    True
    """
    n = width + 1
    gamma = n * _FLOAT32_UNIT / (1 - n * _FLOAT32_UNIT)
    return gamma * query_norm * row_norm + n * float(np.finfo(np.float32).tiny)


def nearest(
    index: MappedIndex,
    rows: Rows,
    query_D: NDArray[np.float64],
    k: int,
    *,
    norms_V: NDArray[np.float64],
    cosine: bool,
    among_N: NDArray[np.int64] | None = None,
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Give the k best rows for a query, exactly.

    FAISS proposes the rows with the largest float32 products. In between two bounds, which
    `float32_error` gives, lies every true score; the proposal is enough once no row that was not
    proposed can reach the k-th score, else many more are asked for. For a cosine the
    product is divided by the row's norm, and a row that was not proposed by the smallest norm.
    What can be in the answer is then scored in float64.

    Parameters
    ----------
    index : MappedIndex
        Over `rows`.
    rows : Rows
        V rows of width D.
    query_D : ndarray of float64
        Shape (D,).
    k : int
        How many; fewer come where fewer rows are searched.
    norms_V : ndarray of float64
        The rows' norms.
    cosine : bool
        Whether a score is the cosine with the row, or the product. A row of norm zero has the
        cosine 0.
    among_N : ndarray of int64, optional
        The ids to search, without repeats; all where it is None.

    Returns
    -------
    scores_K : ndarray of float64
        Cosines or products, descending.
    ids_K : ndarray of int64
        Their rows; equal scores come by the lower id.

    Examples
    --------
    >>> rows = Rows(np.array([[9.0, 9.0], [0.0, 1.0]], dtype=np.float32), "F32")
    >>> nearest(MappedIndex(rows), rows, np.array([0.0, 1.0]), 1, norms_V=rows.norms(), cosine=True)
    (array([1.]), array([1]))
    """
    searched_norms_N = norms_V if among_N is None else norms_V[among_N]
    k = min(k, len(searched_norms_N))
    query_norm = float(norm(query_D))
    if k == 0:
        return np.empty(0), np.empty(0, dtype=np.int64)
    error = float32_error(rows.width, query_norm, float(searched_norms_N.max()))
    if cosine:
        lengths_N = searched_norms_N[searched_norms_N > 0]
        shortest, longest = (lengths_N.min(), lengths_N.max()) if lengths_N.size else (1.0, 1.0)
    count = min(max(2 * k, _FIRST_CANDIDATES), len(searched_norms_N))
    while True:
        float32_C, ids_C = index.products(query_D, count, among_N=among_N)
        products_C = float32_C.astype(np.float64)  # the bounds must not be rounded again
        lows_C, highs_C = products_C - error, products_C + error
        unseen_high = highs_C[-1]
        if cosine:
            divisors_C = _divisors(norms_V[ids_C], query_norm)
            lows_C, highs_C = lows_C / divisors_C, highs_C / divisors_C
            # Dividing by the smallest norm raises a positive bound most, by the largest a negative.
            unseen_high /= (shortest if unseen_high > 0 else longest) * query_norm
        kth_low = np.partition(lows_C, -k)[-k]
        if kth_low > unseen_high or count == len(searched_norms_N):
            break
        count = min(_GROWTH * count, len(searched_norms_N))
    kept_ids_N = ids_C[highs_C >= kth_low]
    scores_N = score(rows, query_D, kept_ids_N)
    if cosine:
        scores_N /= _divisors(norms_V[kept_ids_N], query_norm)
    order_K = np.lexsort((kept_ids_N, -scores_N))[:k]
    return scores_N[order_K], kept_ids_N[order_K]


def _divisors(norms_N: NDArray[np.float64], query_norm: float) -> NDArray[np.float64]:
    """Give what turns products into cosines; a zero row counts as one of norm 1."""
    return np.where(norms_N > 0, norms_N, 1.0) * query_norm
