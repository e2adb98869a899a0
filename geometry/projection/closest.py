"""The rows nearest to each of some rows, among them: what a map keeps together."""

import hashlib

import numpy as np
from numpy.typing import NDArray

from ...indexes.batch import nearest_each
from ...indexes.progress import Done
from ...indexes.store import Arrays, fits
from ..heads.unembedding import Unembedding
from ..hubness import unit_rows
from ..space import Space

# V rows of width D, N of them mapped; K nearest; B rows of a block. A place is one among the N.

_FEW = 1 << 13  # rows, up to which their products are taken whole: that compiles nothing
_BLOCK = 1 << 9  # of them
_QUERIES = 1 << 13  # that are searched together
_ORIGIN = 1e100  # what is longer in a space is a row at its origin, said so by `Space.norms_V`


def closest(
    head: Unembedding, space: Space, ids_N: NDArray[np.int64], k: int, *, done: Done
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Give the k rows nearest to each of some rows, among them, exactly; itself left out.

    They are kept: how they are laid out can be tried again and again.

    Parameters
    ----------
    head : Unembedding
        Whose rows.
    space : Space
        Where cosines are taken; a row at its origin has a cosine of 0 with all others.
    ids_N : ndarray of int64
        Those that are mapped, ascending.
    k : int
        How many, fewer than N.
    done : callable
        Is told ``(done, total)``, in rows.

    Returns
    -------
    places_NK : ndarray of int64
        The nearest first; of equal ones the lower place.
    cosines_NK : ndarray of float64
        Theirs; at most 1.

    Examples
    --------
    >>> import unembed
    >>> from unembed.geometry.space import open_space
    >>> head = unembed.open_head("demo")
    >>> ids_N = np.array([5442, 5455, 9178])
    >>> places_NK, _ = closest(head, open_space(head), ids_N, 1, done=lambda done, total: None)
    >>> places_NK.shape
    (3, 1)
    """

    def build() -> Arrays:
        if len(ids_N) <= _FEW:
            units_ND = unit_rows(space, head.rows, ids_N).astype(np.float64)
            places_NK, cosines_NK = _among_few(units_ND, k, done)
        else:
            places_NK, cosines_NK = _among_many(head, space, ids_N, k, done)
        return {"places": places_NK.astype(np.int32), "cosines": np.clip(cosines_NK, -1.0, 1.0)}

    key = repr((space.key, hashlib.sha256(ids_N.tobytes()).hexdigest(), k))
    shape = (len(ids_N), k)
    kept = head.store.arrays("closest", key, build, lambda kept: _fits(kept, shape))
    return kept["places"].astype(np.int64), kept["cosines"]


def _fits(kept: Arrays, shape: tuple[int, int]) -> bool:
    """Tell whether arrays from disk are neighbours."""
    return (
        set(kept) == {"places", "cosines"}
        and kept["places"].dtype == np.int32
        and kept["places"].shape == shape
        and bool(np.all((kept["places"] >= 0) & (kept["places"] < shape[0])))
        and fits({"cosines": kept["cosines"]}, {"cosines": shape})
        and bool(np.all(np.abs(kept["cosines"]) <= 1))
    )


def _among_few(
    units_ND: NDArray[np.float64], k: int, done: Done
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Take all products."""
    count = len(units_ND)
    places_NK, cosines_NK = np.empty((count, k), dtype=np.int64), np.empty((count, k))
    for start in range(0, count, _BLOCK):
        cosines_BN = units_ND[start : start + _BLOCK] @ units_ND.T
        own_B = np.arange(len(cosines_BN))
        cosines_BN[own_B, start + own_B] = -np.inf
        kth_B = -np.partition(-cosines_BN, k - 1, axis=1)[:, k - 1]
        for own, cosines_N in enumerate(cosines_BN, start):
            near = np.flatnonzero(cosines_N >= kth_B[own - start])
            places_NK[own] = near[np.argsort(-cosines_N[near], kind="stable")[:k]]
            cosines_NK[own] = cosines_N[places_NK[own]]
        done(min(start + _BLOCK, count), count)
    return places_NK, cosines_NK


def _among_many(
    head: Unembedding, space: Space, ids_N: NDArray[np.int64], k: int, done: Done
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Search for tiles of rows in turn; rows at the origin are near to none and left out."""
    count = len(ids_N)
    # What has no neighbours by its angle has the first rows for them.
    places_NK = np.arange(k)[None] + (np.arange(k)[None] >= np.arange(count)[:, None])
    cosines_NK = np.zeros((count, k))
    placed_N = np.flatnonzero(space.norms_V[ids_N] < _ORIGIN)
    among_M = ids_N[placed_N]
    for start in range(0, len(placed_N), _QUERIES):
        places_B = placed_N[start : start + _QUERIES]
        vectors_BD = space.place(head.rows.decode(ids_N[places_B]))
        measures = space.measures(vectors_BD, residual_norm=1.0, cosine=True)
        scores_BK, ids_BK = nearest_each(
            head.rows,
            measures,
            k + 1,
            lengths_V=head.norms_V,
            among_N=among_M,
            done=lambda *_: None,
        )
        others_BK = _first(ids_BK != ids_N[places_B, None], min(k, ids_BK.shape[1] - 1))
        found = others_BK.shape[1]
        ids_BK = np.take_along_axis(ids_BK, others_BK, axis=1)
        places_NK[places_B, :found] = np.searchsorted(ids_N, ids_BK)
        cosines_NK[places_B, :found] = np.take_along_axis(scores_BK, others_BK, axis=1)
        done(min(start + _QUERIES, len(placed_N)), len(placed_N))
    return places_NK, cosines_NK


def _first(kept_BK: NDArray[np.bool_], k: int) -> NDArray[np.int64]:
    """Give the places of the first k that are kept in each row, of which there are k or more."""
    return np.argsort(~kept_BK, axis=1, kind="stable")[:, :k]
