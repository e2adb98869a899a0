"""Many queries at once: exact answers at nearly the speed of their products alone.

See docs/batch.md for the proof.
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any

import faiss
import numpy as np
from numpy.typing import NDArray

from .exact import Measure
from .progress import Done
from .rounded import Products, Rounded, products_of
from .rows import Rows

# Q queries; V rows of width D, N of them searched; B rows of a block; K best; C candidates; P pairs
# of a query and a row; X excluded. A place is one among the N; an id is one among the V.

_QUERIES = 1 << 9  # of a tile, for each thread; the rows are read once for each tile
_BLOCK_VALUES = 1 << 22  # of rows
_LONGEST_BLOCK = 1 << 12  # rows
_ROOM = 1 << 10  # candidates of a query
_ALL_ROOM = 1 << 21  # candidates of a tile


def nearest_each(
    rows: Rows,
    measures: Sequence[Measure],
    k: int,
    *,
    lengths_V: NDArray[np.float64],
    among_N: NDArray[np.int64] | None = None,
    done: Done,
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Give the k best rows for each of many queries, exactly.

    The answers are those of `exact.nearest`, to the last bit, whatever the number of threads.

    Parameters
    ----------
    rows : Rows
        V rows of width D.
    measures : sequence of Measure
        What a score is, for each query; norms, biases and hubness are the same arrays for all.
    k : int
        How many; fewer come where fewer rows are searched.
    lengths_V : ndarray of float64
        Every row's Euclidean norm, `Rows.norms`.
    among_N : ndarray of int64, optional
        The ids to search, without repeats; all where it is None.
    done : callable
        Is told how many blocks of rows were met by how many tiles of queries, of all.

    Returns
    -------
    scores_QK : ndarray of float64
        Descending.
    ids_QK : ndarray of int64
        Their rows; equal scores come by the lower id.

    Examples
    --------
    >>> rows = Rows(np.eye(3, dtype=np.float32), "F32")
    >>> measures = [Measure(np.array([1.0, 3.0, 2.0])), Measure(np.array([0.0, 0.0, -1.0]))]
    >>> nearest_each(rows, measures, 2, lengths_V=rows.norms(), done=lambda done, total: None)
    (array([[3., 2.],
           [0., 0.]]), array([[1, 2],
           [0, 1]]))
    """
    k = min(k, rows.count if among_N is None else len(among_N))
    if not k or not measures:
        return np.empty((len(measures), k)), np.empty((len(measures), k), dtype=np.int64)
    products = products_of(rows, among_N)
    with products.threads(faiss.omp_get_max_threads()) as pool:
        searched = _Searched.of(rows, measures[0], lengths_V, among_N, products, pool)
        tiles = searched.tiles(measures, max(_ROOM, 4 * k), done)
        found = [_nearest(tile, k) for tile in tiles]
    scores, ids = zip(*found, strict=True)
    return np.concatenate(scores), np.concatenate(ids)


def ranks_each(
    rows: Rows,
    measures: Sequence[Measure],
    targets_Q: NDArray[np.int64],
    *,
    lengths_V: NDArray[np.float64],
    among_N: NDArray[np.int64] | None = None,
    excluded: Sequence[NDArray[np.int64]] | None = None,
    done: Done,
) -> NDArray[np.int64]:
    """Give the exact rank, from 1, of one row for each of many queries.

    It is one more than the number of other searched rows that come before it: those of a higher
    score, or of an equal one and a lower id. The row itself need not be searched.

    Parameters
    ----------
    rows : Rows
        V rows of width D.
    measures : sequence of Measure
        What a score is, for each query; norms, biases and hubness are the same arrays for all.
    targets_Q : ndarray of int64
        The ids of the rows.
    lengths_V : ndarray of float64
        Every row's Euclidean norm, `Rows.norms`.
    among_N : ndarray of int64, optional
        The ids to search, without repeats; all where it is None.
    excluded : sequence of ndarray of int64, optional
        For each query the few ids that are not searched.
    done : callable
        Is told how many blocks of rows were met by how many tiles of queries, of all.

    Returns
    -------
    ndarray of int64
        Shape (Q,).

    Examples
    --------
    >>> rows = Rows(np.eye(3, dtype=np.float32), "F32")
    >>> measures, told = [Measure(np.array([1.0, 3.0, 2.0]))] * 2, lambda done, total: None
    >>> given = {"lengths_V": rows.norms(), "done": told}
    >>> ranks_each(rows, measures, np.array([0, 1]), **given)
    array([3, 1])
    >>> ranks_each(rows, measures, np.array([0, 1]), excluded=[np.array([2])] * 2, **given)
    array([2, 1])
    """
    ranks_Q = np.ones(len(measures), dtype=np.int64)
    count = rows.count if among_N is None else len(among_N)
    if not count or not measures:
        return ranks_Q
    products = products_of(rows, among_N)
    with products.threads(faiss.omp_get_max_threads()) as pool:
        searched = _Searched.of(rows, measures[0], lengths_V, among_N, products, pool)
        start = 0
        for tile in searched.tiles(measures, _ROOM, done):
            queries = slice(start, start + len(tile.measures))
            passed = None if excluded is None else excluded[queries]
            ranks_Q[queries] += _before(tile, targets_Q[queries], passed)
            start = queries.stop
    return ranks_Q


@dataclass(frozen=True, eq=False)
class _Searched:
    """The rows that are searched, with what scores take from them, and who works on them."""

    rows: Rows
    ids_N: NDArray[np.int64]
    products: Products
    lines_4N: NDArray[np.float64]
    spans_7S: NDArray[np.float64]
    pool: ThreadPoolExecutor

    @classmethod
    def of(
        cls,
        rows: Rows,
        measure: Measure,
        lengths_V: NDArray[np.float64],
        among_N: NDArray[np.int64] | None,
        products: Products,
        pool: ThreadPoolExecutor,
    ) -> "_Searched":
        """Lay out what a measure and its fellows take from each row, and from spans of them."""
        from .sift import SPAN

        ids_N = np.arange(rows.count) if among_N is None else among_N
        lines_4N = np.empty((4, len(ids_N)))
        alpha_V, beta_V = measure.line()
        parts = ((alpha_V, 1.0), (beta_V, 0.0), (measure.bias_V, 0.0), (lengths_V, 0.0))
        for line_N, (values_V, otherwise) in zip(lines_4N, parts, strict=True):
            line_N[:] = otherwise if values_V is None else values_V[ids_N]
        alpha_N, beta_N, bias_N, lengths_N = lines_4N
        starts_S = np.arange(0, lines_4N.shape[1], SPAN)
        spans_7S = np.array(
            [
                np.minimum.reduceat(alpha_N, starts_S),
                np.maximum.reduceat(alpha_N, starts_S),
                np.minimum.reduceat(beta_N, starts_S),
                np.maximum.reduceat(np.abs(beta_N), starts_S),
                np.maximum.reduceat(bias_N, starts_S),
                np.maximum.reduceat(np.abs(bias_N), starts_S),
                np.maximum.reduceat(lengths_N, starts_S),
            ]
        )
        return cls(rows, ids_N, products, lines_4N, spans_7S, pool)

    def blocks(self) -> list[slice]:
        """Cut the places into blocks of whole spans."""
        from .sift import SPAN

        rows = min(_BLOCK_VALUES // self.rows.width, _LONGEST_BLOCK)
        step = max(rows // SPAN, 1) * SPAN
        starts = range(0, len(self.ids_N), step)
        return [slice(start, min(start + step, len(self.ids_N))) for start in starts]

    def tiles(self, measures: Sequence[Measure], room: int, done: Done) -> Iterator["_Tile"]:
        """Cut the queries into tiles, each with room for so many candidates of a query."""
        step = min(_QUERIES * faiss.omp_get_max_threads(), max(1, _ALL_ROOM // room))
        blocks = self.blocks()
        total = len(blocks) * -(-len(measures) // step)
        for turn, start in enumerate(range(0, len(measures), step)):
            told = partial(_tell, done, turn * len(blocks), total)
            yield _Tile(self, measures[start : start + step], room, told)

    def share(self, count: int, work: Callable[[int, int], None]) -> None:
        """Do work on parts of a range, given by their ends, in all threads."""
        step = max(1, -(-count // faiss.omp_get_max_threads()))
        starts = range(0, count, step)
        list(self.pool.map(lambda start: work(start, min(start + step, count)), starts))


def _tell(done: Done, before: int, total: int, block: int) -> None:
    """Tell of a tile's block."""
    done(before + block, total)


class _Tile:
    """Some of the queries, and the rows that are noted for each."""

    def __init__(
        self,
        searched: _Searched,
        measures: Sequence[Measure],
        room: int,
        told: Callable[[int], None],
    ) -> None:
        self.searched = searched
        self.measures = measures
        self.queries_QD = np.array([measure.query_D for measure in measures])
        self._rounded = Rounded.of(searched.products, self.queries_QD)
        self._told = told
        self.numbers_Q6 = np.column_stack(
            [
                [measure.divisor for measure in measures],
                [measure.offset for measure in measures],
                self._rounded.factors_Q,
                self._rounded.errors_Q,
                self._rounded.besides_Q,
                [measure.own_hubness for measure in measures],
            ]
        )
        self.found_QC = np.empty((len(measures), room), dtype=np.int64)
        self.counts_Q = np.zeros(len(measures), dtype=np.int64)
        self.next_Q = np.zeros(len(measures), dtype=np.int64)

    def sweep(self, scan: Callable[..., None], settle: Callable[[NDArray[np.int64]], None]) -> None:
        """Scan the products with every block, and settle what was noted where there is no room.

        Parameters
        ----------
        scan : callable
            Of the ends of a part of the queries, bits of products and the place of the first row.
        settle : callable
            Of queries: judges what was noted for them, and makes room.
        """
        from .sift import SPAN

        count, products, share = len(self.measures), self.searched.products, self.searched.share
        for turn, places in enumerate(self.searched.blocks()):
            block = products.block(places, share)
            into, bits_QB = products.room(count, places.stop - places.start)
            self.next_Q[:] = 0

            def work(first: int, last: int) -> None:
                queries = self._rounded.queries[first:last]
                products.multiply(queries, block, into[first:last])  # noqa: B023
                scan(first, last, bits_QB, places.start)  # noqa: B023

            share(count, work)
            while True:
                full_N = np.flatnonzero(self.next_Q < -(-bits_QB.shape[1] // SPAN))
                if not len(full_N):
                    break
                settle(full_N)
                share(count, lambda first, last: scan(first, last, bits_QB, places.start))  # noqa: B023
            self._told(turn + 1)
        settle(np.arange(count))

    def codes(self) -> tuple[Any, NDArray[Any]]:
        """Give the compiled function that decodes a row, and the codes that it takes."""
        from . import sift

        rows = self.searched.rows
        codes_VD = rows.codes_VD.view(np.uint16) if rows.dtype == "F16" else rows.codes_VD.view()
        codes_VD.flags.writeable = False  # mapped or not, one type for the compiler
        decoders = {"BF16": sift.decode_bf16, "F16": sift.decode_f16}
        return decoders.get(rows.dtype, sift.decode), codes_VD

    def noted(self, chosen_N: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Give pairs of some queries and the ids noted for them."""
        counts_N = self.counts_Q[chosen_N]
        used_NC = np.arange(self.found_QC.shape[1]) < counts_N[:, None]
        places_P = self.found_QC[chosen_N][used_NC]
        return np.repeat(chosen_N, counts_N), self.searched.ids_N[places_P]

    def scores(self, q_P: NDArray[np.int64], ids_P: NDArray[np.int64]) -> NDArray[np.float64]:
        """Give the exact scores of pairs that are sorted by query."""
        from . import sift

        products_P = np.empty(len(ids_P))
        self.searched.share(
            len(ids_P),
            lambda first, last: sift.exact_products(
                first, last, *self.codes(), self.queries_QD, q_P, ids_P, products_P
            ),
        )
        scores_P = np.empty(len(ids_P))
        ends_Q = np.searchsorted(q_P, np.arange(len(self.measures) + 1))
        for measure, first, last in zip(self.measures, ends_Q[:-1], ends_Q[1:], strict=True):
            scores_P[first:last] = measure.of_products(products_P[first:last], ids_P[first:last])
        return scores_P


def _nearest(tile: _Tile, k: int) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Give the k best rows for each query of a tile.

    A heap holds for each query k scores that rows of its own reach surely: its least is one that
    the answer reaches. Settled rows are the k best so far, with their true scores.
    """
    from . import sift

    searched, unit = tile.searched, tile.searched.products.unit
    found_QC, counts_Q = tile.found_QC, tile.counts_Q
    products_QC = np.empty(found_QC.shape)
    heaps_QK = np.full((len(counts_Q), k), -np.inf)

    def scan(first: int, last: int, bits_QB: NDArray[Any], start: int) -> None:
        sift.sift(
            *(first, last, bits_QB, start, unit, tile.numbers_Q6, searched.lines_4N),
            *(searched.spans_7S, heaps_QK, found_QC, products_QC, counts_Q, tile.next_Q),
        )

    def settle(chosen_N: NDArray[np.int64]) -> None:
        searched.share(
            len(chosen_N),
            lambda first, last: sift.refine(
                *(first, last, chosen_N, *tile.codes(), tile.queries_QD, searched.ids_N, unit),
                *(tile.numbers_Q6, searched.lines_4N, heaps_QK, found_QC, products_QC, counts_Q),
            ),
        )
        for q in chosen_N.tolist():
            places_C, products_C = found_QC[q, : counts_Q[q]], products_QC[q, : counts_Q[q]]
            ids_C = searched.ids_N[places_C]
            scores_C = tile.measures[q].of_products(products_C, ids_C)
            order_K = np.lexsort((ids_C, -scores_C))[:k]
            counts_Q[q] = len(order_K)
            found_QC[q, : len(order_K)] = places_C[order_K]
            products_QC[q, : len(order_K)] = products_C[order_K]
            heaps_QK[q] = -np.inf
            heaps_QK[q, k - len(order_K) :] = scores_C[order_K][::-1]  # ascending: a heap

    tile.sweep(scan, settle)
    return heaps_QK[:, ::-1], searched.ids_N[found_QC[:, :k]]


def _before(
    tile: _Tile, targets_Q: NDArray[np.int64], excluded: Sequence[NDArray[np.int64]] | None
) -> NDArray[np.int64]:
    """Count for each query of a tile the searched rows that come before its target."""
    from . import sift

    searched, counts_Q = tile.searched, tile.counts_Q
    every_Q = np.arange(len(counts_Q))
    scores_Q = tile.scores(every_Q, targets_Q)
    before_Q = np.zeros(len(counts_Q), dtype=np.int64)

    def scan(first: int, last: int, bits_QB: NDArray[Any], start: int) -> None:
        sift.tally(
            *(first, last, bits_QB, start, searched.products.unit, tile.numbers_Q6),
            *(searched.lines_4N, searched.spans_7S, scores_Q),
            *(tile.found_QC, counts_Q, before_Q, tile.next_Q),
        )

    def count(q_P: NDArray[np.int64], ids_P: NDArray[np.int64]) -> NDArray[np.int64]:
        scores_P = tile.scores(q_P, ids_P)
        ties_P = (scores_P == scores_Q[q_P]) & (ids_P < targets_Q[q_P])
        return np.bincount(q_P[(scores_P > scores_Q[q_P]) | ties_P], minlength=len(counts_Q))

    def settle(chosen_N: NDArray[np.int64]) -> None:
        before_Q[:] += count(*tile.noted(chosen_N))
        counts_Q[chosen_N] = 0

    tile.sweep(scan, settle)
    if excluded is not None:
        searched_V = np.zeros(searched.rows.count, dtype=bool)
        searched_V[searched.ids_N] = True
        unique = [np.unique(ids_X[searched_V[ids_X]]) for ids_X in excluded]
        q_P = np.repeat(every_Q, [len(ids_X) for ids_X in unique])
        before_Q -= count(q_P, np.concatenate(unique))
    return before_Q
