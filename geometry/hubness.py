"""Hubs: how near a row is to everything, which CSLS takes away from its cosines."""

import hashlib

import numpy as np
from numpy.typing import NDArray

from ..indexes.progress import Done, Progress, step_of
from ..indexes.rows import Rows
from ..indexes.store import Arrays
from .concepts.estimators import Fit
from .heads.unembedding import Unembedding
from .region import find_region
from .space import Space
from .tokens.kinds import KINDS

# N rows of width D; M words; K nearest; B rows of a block.

NEAREST = 10  # Conneau et al. 2018 found the number to matter little
_WORDS = 20_000  # the first, the frequent ones: more tell no better and take longer
_BLOCK = 512  # rows
_STACK = 50  # words, of which the nearest comes first
_ROUNDING = 1e-3  # a cosine in float32 may be above 1 by far less


def has_words(head: Unembedding) -> bool:
    """Tell whether a head has the words that hubness is measured by.

    Examples
    --------
    >>> import unembed
    >>> has_words(unembed.open_head("demo-bytes"))
    True
    """
    return bool(np.any(head.vocabulary.kinds_V == KINDS.index("whole-word")))


def hubness(
    head: Unembedding,
    space: Space,
    ids_N: NDArray[np.int64],
    *,
    fit: Fit | None = None,
    progress: Progress | None = None,
) -> NDArray[np.float64]:
    """Give r(y) of rows: how near each is to the words nearest to it; derived once and kept.

    It is the second term of CSLS (Conneau et al. 2018, arXiv 1710.04087, section 2.3), with words
    of this head for both languages: the mean cosine in the space of the row and its ten nearest
    of the first 20,000 whole-word tokens, the row itself left out. It depends on no query.

    Parameters
    ----------
    head : Unembedding
        Whose rows.
    space : Space
        Where cosines are taken.
    ids_N : ndarray of int64
        The rows.
    fit : Fit, optional
        A direction that the queries were taken along: then so are the words, and none is left out.
    progress : callable, optional
        Is told ``(step, done, total)`` while it is derived.

    Returns
    -------
    ndarray of float64
        Shape (N,), within [-1, 1] to rounding.

    Raises
    ------
    UsageError
        No token of the head is a whole word.

    Notes
    -----
    The cosines are float32 products, so another machine may differ in the last of seven digits;
    what is kept is what every later answer is scored by.

    Examples
    --------
    >>> import unembed
    >>> from unembed.geometry.space import open_space
    >>> head = unembed.open_head("demo-bytes")
    >>> ids_N = find_region(head, "emoji").ids_N
    >>> hubness(head, open_space(head, "causal"), ids_N).shape == ids_N.shape
    True
    """
    words_M = _words(head)

    told = step_of(progress, "measuring hubs")

    def build() -> Arrays:
        words_MD = unit_rows(space, head.rows, words_M)
        if fit is not None:
            words_MD = _units(fit(words_MD.astype(np.float64)))
        own_M = words_M if fit is None else None
        found_N = hubness_of(space, head.rows, ids_N, words_MD, words_M=own_M, done=told)
        return {"hubness": found_N}

    digest = hashlib.sha256(words_M.tobytes() + ids_N.tobytes()).hexdigest()
    kept = head.store.arrays(
        "hubness",
        repr((space.key, len(words_M), digest, "" if fit is None else fit.key)),
        build,
        lambda kept: _fits(kept, len(ids_N)),
    )
    return kept["hubness"]


def hubness_of(
    space: Space,
    rows: Rows,
    ids_N: NDArray[np.int64],
    words_MD: NDArray[np.float32],
    *,
    done: Done,
    words_M: NDArray[np.int64] | None = None,
) -> NDArray[np.float64]:
    """Give the mean cosine of each row with the ten of some vectors that are nearest to it.

    Rows of equal values get equal means to the last bit.

    Parameters
    ----------
    space : Space
        Where cosines are taken.
    rows : Rows
        All rows of the head.
    ids_N : ndarray of int64
        Those that are measured.
    words_MD : ndarray of float32
        Shape (M, D): unit vectors of the space.
    done : callable
        Is told ``(done, total)``, in rows.
    words_M : ndarray of int64, optional
        Ascending: the rows that stand at these vectors. Each is left out of its own mean. None
        where they stand at no row.

    Returns
    -------
    ndarray of float64
        Shape (N,); the mean of fewer where there are fewer, 0 where there is none.

    Examples
    --------
    >>> import unembed
    >>> from unembed.geometry.space import open_space
    >>> head = unembed.open_head("demo")
    >>> space, ids_N = open_space(head, "cosine"), np.array([5442, 11149])
    >>> words_MD = unit_rows(space, head.rows, ids_N)
    >>> alone = hubness_of(space, head.rows, ids_N, words_MD, words_M=ids_N, done=print)
    2 2
    >>> both = hubness_of(space, head.rows, ids_N, words_MD, done=lambda done, total: None)
    >>> alone.round(4), both.round(4)
    (array([0.5061, 0.5061]), array([0.753, 0.753]))
    """
    hubness_N = np.zeros(len(ids_N))
    for start in range(0, len(ids_N) if len(words_MD) else 0, _BLOCK):
        ids_B = ids_N[start : start + _BLOCK]
        cosines_BM = unit_rows(space, rows, ids_B) @ words_MD.T
        if words_M is not None:
            places_B = np.searchsorted(words_M[:-1], ids_B)
            own = np.flatnonzero(words_M[places_B] == ids_B)
            cosines_BM[own, places_B[own]] = -np.inf
        hubness_N[start : start + _BLOCK] = _means(cosines_BM)
        done(start + len(ids_B), len(ids_N))
    return hubness_N[_first_equals(rows, ids_N, space.norms_V[ids_N])]


def reference_words(head: Unembedding, space: Space) -> NDArray[np.float32]:
    """Give the words that hubness is measured by as unit vectors of a space, shape (M, D).

    Raises
    ------
    UsageError
        No token of the head is a whole word.

    Examples
    --------
    >>> import unembed
    >>> from unembed.geometry.space import open_space
    >>> head = unembed.open_head("demo-bytes")
    >>> reference_words(head, open_space(head, "cosine")).shape
    (20000, 512)
    """
    return unit_rows(space, head.rows, _words(head))


def mean_cosine(
    vectors_ND: NDArray[np.float64], words_MD: NDArray[np.float32]
) -> NDArray[np.float64]:
    """Give the mean cosine of each vector with the ten words that are nearest to it.

    Parameters
    ----------
    vectors_ND : ndarray of float64
        Shape (N, D), of any length; one that is zero has the cosine 0 with all.
    words_MD : ndarray of float32
        Shape (M, D), of any length: as `reference_words` gives them, or moved.

    Returns
    -------
    ndarray of float64
        Shape (N,), of float32 products; the mean of fewer where there are fewer, 0 of none.

    Examples
    --------
    >>> mean_cosine(np.array([[2.0, 0.0]]), np.array([[1.0, 0.0], [0.0, 3.0]], dtype=np.float32))
    array([0.5])
    """
    means_N, units_MD = np.zeros(len(vectors_ND)), _units(words_MD)
    for start in range(0, len(vectors_ND) if len(words_MD) else 0, _BLOCK):
        block = slice(start, start + _BLOCK)
        means_N[block] = _means(_units(vectors_ND[block]) @ units_MD.T)
    return means_N


def unit_rows(space: Space, rows: Rows, ids_N: NDArray[np.int64]) -> NDArray[np.float32]:
    """Give rows as unit vectors of a space, ``float32`` of shape (N, D); zero at the origin.

    Examples
    --------
    >>> import unembed
    >>> from unembed.geometry.space import open_space
    >>> head = unembed.open_head("demo")
    >>> sea_1D = unit_rows(open_space(head, "causal"), head.rows, np.array([5442]))
    >>> sea_1D.shape, round(float((sea_1D**2).sum()), 5)
    ((1, 640), 1.0)
    """
    units_ND = np.empty((len(ids_N), space.width), dtype=np.float32)
    for places, block_BD in rows.blocks(ids_N):
        units_ND[places] = space.place(block_BD) / space.norms_V[ids_N[places], None]
    return units_ND


def _words(head: Unembedding) -> NDArray[np.int64]:
    """Give the words that hubness is measured by, ascending."""
    return find_region(head, "words").ids_N[:_WORDS]


def _units(vectors_ND: NDArray[np.floating]) -> NDArray[np.float32]:
    """Bring vectors to norm 1, in float32; zero stays zero."""
    lengths_N = np.sqrt(np.einsum("nd,nd->n", vectors_ND, vectors_ND))
    return (vectors_ND / np.where(lengths_N > 0, lengths_N, 1.0)[:, None]).astype(np.float32)


def _means(cosines_BM: NDArray[np.float32]) -> NDArray[np.float64]:
    """Give the mean of the ten largest of each row; what is -infinity does not count."""
    k = min(NEAREST, cosines_BM.shape[1])
    nearest_BK = np.sort(_largest(cosines_BM, k), axis=1).astype(np.float64)
    counted_BK = np.isfinite(nearest_BK)
    totals_B = np.where(counted_BK, nearest_BK, 0.0).sum(axis=1)
    return np.asarray(totals_B / np.maximum(counted_BK.sum(axis=1), 1))


def _largest(values_BM: NDArray[np.float32], k: int) -> NDArray[np.float32]:
    """Give the k largest of each row, in no order.

    Of many they are looked for in the k stacks with the largest tops: the others hold none.
    """
    stacks = values_BM.shape[1] // _STACK
    if stacks < _STACK:
        return np.partition(values_BM, -k, axis=1)[:, -k:]
    stacked_BSC = values_BM[:, : stacks * _STACK].reshape(len(values_BM), _STACK, stacks)
    highest_BK = np.argpartition(stacked_BSC.max(axis=1), -k, axis=1)[:, -k:]
    left_BSK = np.take_along_axis(stacked_BSC, highest_BK[:, None], axis=2)
    rest_BM = values_BM[:, stacks * _STACK :]
    left_BM = np.concatenate([left_BSK.reshape(len(values_BM), -1), rest_BM], axis=1)
    return np.partition(left_BM, -k, axis=1)[:, -k:]


def _first_equals(
    rows: Rows, ids_N: NDArray[np.int64], norms_N: NDArray[np.float64]
) -> NDArray[np.int64]:
    """Give for every row the first place of a row of the same values; such have equal norms."""
    firsts: dict[bytes, int] = {}
    equal_N = np.arange(len(ids_N))
    _, norm_N, counts = np.unique(norms_N, return_inverse=True, return_counts=True)
    for place in np.flatnonzero(counts[norm_N] > 1).tolist():
        values_1D = rows.decode(ids_N[place : place + 1]) + 0.0  # -0 and 0 are one value
        digest = hashlib.sha256(values_1D.tobytes()).digest()
        equal_N[place] = firsts.setdefault(digest, place)
    return equal_N


def _fits(kept: Arrays, count: int) -> bool:
    """Tell whether kept arrays are mean cosines of so many rows."""
    found = kept.get("hubness")
    return (
        set(kept) == {"hubness"}
        and found is not None
        and found.dtype == np.float64
        and found.shape == (count,)
        and bool(np.all(np.abs(found) <= 1 + _ROUNDING))
    )
