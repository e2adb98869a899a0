"""The weighted graph that UMAP lays out, made of neighbours that are known.

umap-learn makes the same one, but compiles for four seconds first.
"""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

# N rows, each with its K nearest; the first of them is not counted: a row is its own nearest.

_STEPS = 64
_ENOUGH = 1e-5  # of the total of memberships
_LEAST = 1e-3  # of the mean distance: a width is never less


def memberships(distances_NK: NDArray[np.float64], *, connected: bool) -> NDArray[np.float32]:
    """Say how far each of the nearest belongs to the neighbourhood of a row.

    They are exp(-(d - ρ)/σ) of a distance d, with σ such that those after the first add up to
    log₂ K (McInnes, Healy and Melville 2018, arXiv 1802.03426, algorithm 3).

    Parameters
    ----------
    distances_NK : ndarray of float64
        The least first.
    connected : bool
        Let each row's nearest belong to it wholly: ρ is the least distance above zero; else ρ
        is 0, as for points that are added to a map.

    Returns
    -------
    ndarray of float32
        Shape (N, K), from 0 to 1.

    Examples
    --------
    >>> memberships(np.array([[0.0, 0.5, 0.8, 1.0]]), connected=True).round(2)
    array([[1.  , 1.  , 0.59, 0.41]], dtype=float32)
    """
    rho_N = np.zeros(len(distances_NK))
    if connected:
        above_NK = np.where(distances_NK > 0, distances_NK, np.inf)
        rho_N = np.where(np.isfinite(above_NK[:, 0]), above_NK[:, 0], above_NK.min(axis=1))
        rho_N = np.where(np.isfinite(rho_N), rho_N, 0.0)
    beyond_NK = np.maximum(distances_NK - rho_N[:, None], 0.0)
    sigma_N = _widths(beyond_NK[:, 1:], np.log2(distances_NK.shape[1]))
    means_N = np.where(rho_N > 0, distances_NK.mean(axis=1), distances_NK.mean())
    sigma_N = np.maximum(sigma_N, _LEAST * means_N)
    widths_N1 = np.where(sigma_N > 0, sigma_N, 1.0)[:, None]
    return np.exp(-beyond_NK / widths_N1).astype(np.float32)


def _widths(beyond_NJ: NDArray[np.float64], total: float) -> NDArray[np.float64]:
    """Find the width of each row by bisection."""
    low_N, high_N = np.zeros(len(beyond_NJ)), np.full(len(beyond_NJ), np.inf)
    sigma_N = np.ones(len(beyond_NJ))
    open_N = np.arange(len(beyond_NJ))
    for _ in range(_STEPS):
        sums_N = np.exp(-beyond_NJ[open_N] / sigma_N[open_N, None]).sum(axis=1)
        going = np.abs(sums_N - total) >= _ENOUGH
        open_N, sums_N = open_N[going], sums_N[going]
        wide, narrow = open_N[sums_N > total], open_N[sums_N <= total]
        high_N[wide], low_N[narrow] = sigma_N[wide], sigma_N[narrow]
        middle_N = (low_N + high_N) / 2
        sigma_N[open_N] = np.where(np.isinf(high_N), 2 * sigma_N, middle_N)[open_N]
    return sigma_N


def fuzzy_graph(
    places_NK: NDArray[np.int64], distances_NK: NDArray[np.float64]
) -> "csr_matrix[np.float32]":
    """Join the neighbourhoods of all rows: two rows are as near as either says.

    Parameters
    ----------
    places_NK : ndarray of int64
        The nearest of each row, itself first.
    distances_NK : ndarray of float64
        Theirs.

    Returns
    -------
    csr_matrix of float32
        N x N, symmetric: a + b - ab of the memberships a and b (the same paper, section 3.1).

    Examples
    --------
    >>> places_NK = np.array([[0, 1], [1, 0], [2, 1]])
    >>> distances_NK = np.array([[0.0, 1.0], [0.0, 1.0], [0.0, 3.0]])
    >>> fuzzy_graph(places_NK, distances_NK).toarray()
    array([[0., 1., 0.],
           [1., 0., 1.],
           [0., 1., 0.]], dtype=float32)
    """
    from scipy.sparse import csr_matrix

    count, k = places_NK.shape
    one_NK = memberships(distances_NK, connected=True)
    one_NK[places_NK == np.arange(count)[:, None]] = 0.0
    rows = np.repeat(np.arange(count), k)
    one_way = csr_matrix((one_NK.ravel(), (rows, places_NK.ravel())), shape=(count, count))
    one_way.eliminate_zeros()
    other_way = one_way.T.tocsr()
    graph = one_way + other_way - one_way.multiply(other_way)
    graph.eliminate_zeros()
    return csr_matrix(graph)
