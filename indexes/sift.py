"""Compiled loops of a search for many queries: what is read off the products of a block of rows.

Importing it imports numba. Products come as numbers, or as the bits of bfloat16 in an ``int16``.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .scoring import Floats, Integers, compiled, exact_product, quick_product, score_of
from .screen import WORD, error_of, flagged, product_of, slack_of, wanted_by

# Q queries; B rows of a block, N rows in all; K best; C candidates; D values of a row. Place i is
# one among the N.

_FIRST = 128  # rows that are looked at before there is a score to reach


class Kept(NamedTuple):
    """What is kept of the rows met so far, for the K best of each query.

    Attributes
    ----------
    bounds_QK : ndarray of float64
        Scores that K rows surely have, each a row of its own: a heap, its least first.
    scores_QK, ids_QK : ndarray of float64 and int64
        Of the rows that are settled the K best: a heap, the one that comes last first.
    found_QC, products_QC : ndarray of int64 and float64
        The places that are noted since, and their products.
    counts_Q : ndarray of int64
        How many are noted.

    Examples
    --------
    >>> kept = empty(2, 3, 128)
    >>> kept.scores_QK.shape, kept.found_QC.shape, kept.counts_Q
    ((2, 3), (2, 128), array([0, 0]))
    """

    bounds_QK: Floats
    scores_QK: Floats
    ids_QK: Integers
    found_QC: Integers
    products_QC: Floats
    counts_Q: Integers


def empty(queries: int, k: int, room: int) -> Kept:
    """Give room for the K best of some queries, and for so many candidates of each.

    Examples
    --------
    >>> empty(1, 1, 128).bounds_QK
    array([[-inf]])
    """
    last = np.iinfo(np.int64).max
    return Kept(
        np.full((queries, k), -np.inf),
        np.full((queries, k), -np.inf),
        np.full((queries, k), last, dtype=np.int64),
        np.empty((queries, room), dtype=np.int64),
        np.empty((queries, room)),
        np.zeros(queries, dtype=np.int64),
    )


@compiled
def _push(heap_K: Floats, score: float) -> None:
    """Put a score in the place of the least of a heap, which stands first."""
    at = 0
    while 2 * at + 1 < len(heap_K):
        child = 2 * at + 1
        if child + 1 < len(heap_K) and heap_K[child + 1] < heap_K[child]:
            child += 1
        if not heap_K[child] < score:
            break
        heap_K[at] = heap_K[child]
        at = child
    heap_K[at] = score


@compiled
def _copy(from_K: Floats, into_K: Floats) -> None:
    """Copy a heap; assigned to a slice, numba compiles its messages for a second."""
    for at in range(len(from_K)):
        into_K[at] = from_K[at]


@compiled
def _after(score: float, id_: int, other: float, other_id: int) -> bool:
    """Tell whether a row comes after another: by its score, then by its id."""
    return score < other or (score == other and id_ > other_id)


@compiled
def _keep(scores_K: Floats, ids_K: Integers, score: float, id_: int) -> None:
    """Put a row in the place of the last of a heap, which stands first, if it comes before it."""
    if _after(score, id_, scores_K[0], ids_K[0]):
        return
    at = 0
    while 2 * at + 1 < len(scores_K):
        child = 2 * at + 1
        if child + 1 < len(scores_K) and _after(
            scores_K[child + 1], ids_K[child + 1], scores_K[child], ids_K[child]
        ):
            child += 1
        if not _after(scores_K[child], ids_K[child], score, id_):
            break
        scores_K[at], ids_K[at] = scores_K[child], ids_K[child]
        at = child
    scores_K[at], ids_K[at] = score, id_


@compiled
def settle(first: int, last: int, decoder: Any, exact: Any, judging: Any, kept: Any) -> None:
    """Give the candidates of some queries their exact scores, and keep the best.

    Those that surely reach the least of the bounds get quick products first: against these the
    others are held. What is left is little more than the best, and their near-ties.

    Parameters
    ----------
    first, last, decoder, exact, judging, kept
        As for `sift`. All K best rows are settled after the last block.
    """
    codes_VD, ids_N, lengths_N = exact.codes_VD, exact.ids_N, exact.lengths_N
    unit, times, lines_6N = judging.unit, judging.times, judging.lines_6N
    values_D = np.empty(codes_VD.shape[1])
    for q in range(first, last):
        bounds_K, scores_K, ids_K = kept.bounds_QK[q], kept.scores_QK[q], kept.ids_QK[q]
        found_C, products_C, query_D = kept.found_QC[q], kept.products_QC[q], exact.queries_QD[q]
        numbers_9, slack_2 = judging.numbers_Q9[q], exact.slack_Q2[q]
        least, good = bounds_K[0], 0
        for c in range(kept.counts_Q[q]):
            i, product = found_C[c], products_C[c]
            error = error_of(i, product, unit, numbers_9, lines_6N)
            if product - error >= wanted_by(i, least, numbers_9, lines_6N):
                found_C[c], products_C[c] = found_C[good], products_C[good]
                found_C[good], products_C[good] = i, product
                good += 1
        _copy(scores_K, bounds_K)  # a heap by scores and ids is one by scores
        count = 0
        for c in range(kept.counts_Q[q]):
            i, product = found_C[c], products_C[c]
            wanted = wanted_by(i, max(least, bounds_K[0]), numbers_9, lines_6N)
            if product + error_of(i, product, unit, numbers_9, lines_6N) < wanted:
                continue
            product = quick_product(decoder, codes_VD[ids_N[i]], query_D)
            found_C[count], products_C[count] = i, product
            count += 1
            low = product - slack_of(i, product, lengths_N[i], slack_2, numbers_9, lines_6N)
            score = score_of(i, low, times, numbers_9, lines_6N)
            if score > bounds_K[0]:
                _push(bounds_K, score)
        least = max(least, bounds_K[0])
        for c in range(count):
            i, product = found_C[c], products_C[c]
            slack = slack_of(i, product, lengths_N[i], slack_2, numbers_9, lines_6N)
            if product + slack < wanted_by(i, least, numbers_9, lines_6N):
                continue
            product = exact_product(decoder, codes_VD[ids_N[i]], query_D, values_D)
            _keep(scores_K, ids_K, score_of(i, product, times, numbers_9, lines_6N), ids_N[i])
        _copy(scores_K, bounds_K)
        kept.counts_Q[q] = 0


@compiled
def sift(
    first: int, last: int, values_QB: NDArray[Any], start: int,
    flags_B: NDArray[np.uint8], words: NDArray[np.uint64],
    decoder: Any, exact: Any, judging: Any, kept: Any,
) -> None:  # fmt: skip
    """Note the rows of a block that may be among the K best of some queries.

    Where the candidates of a query fill their room they are settled.

    Parameters
    ----------
    first, last : int
        The ends of the queries.
    values_QB : ndarray
        Their products, or the bits of them, with the rows of a block.
    start : int
        The place of the block's first row.
    flags_B, words : ndarray of uint8 and uint64
        Room for flags of the block's rows, by bytes and by eight of them: the same memory.
    decoder : callable
        Compiled: of a row's values.
    exact : Exact
        What exact products are taken of.
    judging : Judging
        How given products become scores.
    kept : Kept
        What is kept.

    Examples
    --------
    >>> from unembed.indexes.exact import Measure
    >>> from unembed.indexes.scoring import Exact, decode, judging_of
    >>> codes_VD, query_1D, ids_N = np.array([[2.0], [3.0]]), np.ones((1, 1)), np.arange(2)
    >>> exact = Exact(codes_VD, ids_N, codes_VD[:, 0], query_1D, np.zeros((1, 2)))
    >>> judging = judging_of([Measure(query_1D[0])], ids_N, codes_VD[:, 0])
    >>> judging.numbers_Q9[0, 0], flags_B, kept = 1.0, np.empty(8, np.uint8), empty(1, 1, 128)
    >>> given = np.array([[2, 3]], dtype=np.int32), 0, flags_B, flags_B.view(np.uint64)
    >>> sift(0, 1, *given, decode, exact, judging, kept)
    >>> settle(0, 1, decode, exact, judging, kept)
    >>> kept.scores_QK, kept.ids_QK
    (array([[3.]]), array([[1]]))
    """
    bits, count, room = values_QB.itemsize == 2, values_QB.shape[1], kept.found_QC.shape[1]
    weights_8 = np.empty(8, dtype=judging.coarse_6N.dtype)
    unit, times, lines_6N = judging.unit, judging.times, judging.lines_6N
    for q in range(first, last):
        bounds_K, numbers_9 = kept.bounds_QK[q], judging.numbers_Q9[q]
        found_C, products_C, held = kept.found_QC[q], kept.products_QC[q], kept.counts_Q[q]
        low = 0
        while low < count:
            stop = count if bounds_K[0] > -np.inf else min(low + _FIRST, count)
            values_B, score = values_QB[q - first, low:stop], bounds_K[0]
            for w in range(flagged(q, values_B, start + low, score, judging, weights_8, flags_B)):
                if not words[w]:
                    continue
                for j in range(low + w * WORD, low + (w + 1) * WORD):
                    if not flags_B[j - low]:
                        continue
                    i = start + j
                    product = product_of(values_QB[q - first, j], bits, i, numbers_9, lines_6N)
                    error = error_of(i, product, unit, numbers_9, lines_6N)
                    wanted = wanted_by(i, bounds_K[0], numbers_9, lines_6N)
                    if product + error < wanted:
                        continue
                    if held == room:
                        kept.counts_Q[q] = held
                        settle(q, q + 1, decoder, exact, judging, kept)
                        held = 0
                    found_C[held], products_C[held] = i, product
                    held += 1
                    if not product - error < wanted:
                        score = score_of(i, product - error, times, numbers_9, lines_6N)
                        if score > bounds_K[0]:
                            _push(bounds_K, score)
            low = stop
        kept.counts_Q[q] = held


@compiled
def tally(
    first: int, last: int, values_QB: NDArray[Any], start: int,
    flags_B: NDArray[np.uint8], words: NDArray[np.uint64],
    decoder: Any, exact: Any, judging: Any,
    targets_Q: Integers, scores_Q: Floats, before_Q: Integers,
) -> None:  # fmt: skip
    """Count the rows of a block that come before a row of a known score, for some queries.

    Those of which the product leaves it open get a quick one, and then the exact one.

    Parameters
    ----------
    first, last, values_QB, start, flags_B, words, decoder, exact, judging
        As for `sift`.
    targets_Q : ndarray of int64
        The row's id; it is not counted itself.
    scores_Q : ndarray of float64
        Its score.
    before_Q : ndarray of int64
        Where they are counted.
    """
    bits, count = values_QB.itemsize == 2, values_QB.shape[1]
    values_D = np.empty(exact.codes_VD.shape[1])
    weights_8 = np.empty(8, dtype=judging.coarse_6N.dtype)
    unit, times, lines_6N = judging.unit, judging.times, judging.lines_6N
    codes_VD, ids_N, lengths_N = exact.codes_VD, exact.ids_N, exact.lengths_N
    for q in range(first, last):
        slack_2 = exact.slack_Q2[q]
        score, query_D, numbers_9 = scores_Q[q], exact.queries_QD[q], judging.numbers_Q9[q]
        finite, before, values_B = np.isfinite(score), 0, values_QB[q - first]
        flagged(q, values_B, start, score, judging, weights_8, flags_B)
        for j in range(count):
            if not (words[j // WORD] and flags_B[j]):
                continue
            i = start + j
            product = product_of(values_B[j], bits, i, numbers_9, lines_6N)
            error = error_of(i, product, unit, numbers_9, lines_6N)
            wanted = wanted_by(i, score, numbers_9, lines_6N)
            if product + error < wanted:
                continue
            if finite and product - error > wanted:
                before += 1
                continue
            id_ = ids_N[i]
            codes_D = codes_VD[id_]
            product = quick_product(decoder, codes_D, query_D)
            if finite and abs(product - wanted) > slack_of(
                i, product, lengths_N[i], slack_2, numbers_9, lines_6N
            ):
                before += product > wanted
                continue
            own = score_of(
                i, exact_product(decoder, codes_D, query_D, values_D), times, numbers_9, lines_6N
            )
            before += _after(score, targets_Q[q], own, id_)
        before_Q[q] += before
