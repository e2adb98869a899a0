"""The rows of a search meet its queries: block by block, in threads.

See docs/batch.md.
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import faiss
import numpy as np
from numpy.typing import NDArray

from .exact import Measure
from .progress import Done
from .rounded import Products
from .rows import Rows, norm

if TYPE_CHECKING:
    from .scoring import Judging

# Q queries; V rows of width D, N of them searched; B rows of a block; P pairs of a query and a row.
# A place is one among the N; an id is one among the V.

_PART = 1 << 8  # queries that a thread takes at once
_LONGEST_TILE = 1 << 12  # queries that meet a block before the next
_TILE_BYTES = 1 << 26  # for what is kept of them
_BLOCK_VALUES = 1 << 22  # of rows
_LONGEST_BLOCK = 2  # times what is multiplied at once

Scan = Callable[..., None]
"""Reads products off: `sift.sift` or `sift.tally`."""


@dataclass(frozen=True, eq=False)
class Search:
    """The rows that are searched, how they are multiplied, and who works on them.

    Attributes
    ----------
    rows : Rows
        V rows of width D.
    ids_N : ndarray of int64
        Which are searched.
    lengths_N : ndarray of float64
        The norms of those.
    products : Products
        How they are multiplied.
    pool : ThreadPoolExecutor
        Who works.

    Examples
    --------
    >>> from unembed.indexes.rounded import Float32Products
    >>> rows = Rows(np.eye(3, dtype=np.float32), "F32")
    >>> products = Float32Products(rows, None, rows.norms())
    >>> with Search.over(rows, None, rows.norms(), products) as search:
    ...     search.blocks()
    [slice(0, 3, None)]
    """

    rows: Rows
    ids_N: NDArray[np.int64]
    lengths_N: NDArray[np.float64]
    products: Products
    pool: ThreadPoolExecutor

    @classmethod
    @contextmanager
    def over(
        cls,
        rows: Rows,
        among_N: NDArray[np.int64] | None,
        lengths_N: NDArray[np.float64],
        products: Products,
    ) -> Iterator["Search"]:
        """Search some rows, or all where it is None, for as long as the block runs."""
        ids_N = np.arange(rows.count) if among_N is None else among_N
        with products.threads(faiss.omp_get_max_threads()) as pool:
            yield cls(rows, ids_N, lengths_N, products, pool)

    def blocks(self) -> list[slice]:
        """Cut the places into blocks."""
        longest = _LONGEST_BLOCK * self.products.rows_at_once
        step = max(1, min(_BLOCK_VALUES // self.rows.width, longest))
        starts = range(0, len(self.ids_N), step)
        return [slice(start, min(start + step, len(self.ids_N))) for start in starts]

    def tiles(self, measures: Sequence[Measure], size: int, done: Done) -> Iterator["Tile"]:
        """Cut the queries into tiles, of each of which so many bytes are kept."""
        tiles = -(-len(measures) // max(1, min(_LONGEST_TILE, _TILE_BYTES // size)))
        step = -(-len(measures) // tiles)
        starts = range(0, len(measures), step)
        total = len(starts) * len(self.blocks())
        for turn, start in enumerate(starts):
            queries = slice(start, min(start + step, len(measures)))
            before = turn * len(self.blocks())
            yield Tile(self, queries, measures[queries], partial(_tell, done, before, total))

    def share(self, count: int, work: Callable[[int, int], None], *, most: int = 1 << 62) -> None:
        """Do work on parts of a range, given by their ends, in all threads."""
        threads = faiss.omp_get_max_threads()
        rounds = max(1, -(-count // (threads * most)))
        step = max(1, -(-count // (threads * rounds)))
        list(
            self.pool.map(
                lambda start: work(start, min(start + step, count)), range(0, count, step)
            )
        )


def _tell(done: Done, before: int, total: int, block: int) -> None:
    """Tell of a tile's block."""
    done(before + block, total)


class Tile:
    """Some of the queries, as all rows meet them.

    Parameters
    ----------
    search : Search
        The rows.
    queries : slice
        Which queries.
    measures : sequence of Measure
        Theirs.
    told : callable
        Is told how many blocks were met.

    Examples
    --------
    >>> from unembed.indexes.rounded import Float32Products
    >>> rows = Rows(np.eye(3, dtype=np.float32), "F32")
    >>> products, measures = Float32Products(rows, None, np.ones(3)), [Measure(np.arange(3.0))]
    >>> with Search.over(rows, None, np.ones(3), products) as search:
    ...     tile = Tile(search, slice(0, 1), measures, lambda block: None)
    ...     tile.scores(np.zeros(2, int), np.array([1, 2]))
    array([1., 2.])
    """

    def __init__(
        self,
        search: Search,
        queries: slice,
        measures: Sequence[Measure],
        told: Callable[[int], None],
    ) -> None:
        from .scoring import Exact, decoder_of

        self.search = search
        self.queries = queries
        self.measures = measures
        self._told = told
        queries_QD = np.array([measure.query_D for measure in measures])
        width = search.rows.width
        with np.errstate(over="ignore"):  # an infinite bound keeps every row
            slack_Q = (width + 2) * 2.0**-50 * norm(queries_QD)
        besides_Q = np.full(len(measures), width * float(np.finfo(np.float64).tiny))
        self.decoder, codes_VD = decoder_of(search.rows)
        self.exact = Exact(
            *(codes_VD, search.ids_N, search.lengths_N, queries_QD),
            np.column_stack([slack_Q, besides_Q]),
        )
        self._rounded = search.products.round(queries_QD)

    def judging(self, whole: "Judging") -> "Judging":
        """Give the part of a judging of all queries that is for those of the tile."""
        numbers_Q9 = whole.numbers_Q9[self.queries]
        numbers_Q9[:, :5] = self._rounded.numbers_Q5
        return whole._replace(numbers_Q9=numbers_Q9)

    def sweep(self, scans: Sequence[tuple[Scan, "Judging", tuple[Any, ...]]]) -> None:
        """Multiply all queries with all rows, and let each scan read all products.

        Parameters
        ----------
        scans : sequence of tuple
            What is called, the judging that it needs, and what it is given besides.
        """
        from .screen import WORD

        search, products, queries = self.search, self.search.products, self._rounded.queries
        for turn, places in enumerate(search.blocks()):
            block = products.block(places, search.share)
            for _, judging, _ in scans:
                judging.lines_6N[:3, places] = products.margins_3N[:, places]
                judging.coarse_6N[:3, places] = products.margins_3N[:, places]

            def work(first: int, last: int) -> None:
                flags_B = np.empty(-(-products.rows_at_once // WORD) * WORD, dtype=np.uint8)
                flags = (flags_B, flags_B.view(np.uint64))
                for low in range(0, len(block), products.rows_at_once):  # noqa: B023
                    part = block[low : low + products.rows_at_once]  # noqa: B023
                    values_QB = products.multiply(queries[first:last], part)
                    given = (first, last, values_QB, places.start + low)  # noqa: B023
                    for scan, judging, besides in scans:
                        scan(*given, *flags, self.decoder, self.exact, judging, *besides)

            search.share(len(self.measures), work, most=_PART)
            self._told(turn + 1)

    def scores(self, q_P: NDArray[np.int64], ids_P: NDArray[np.int64]) -> NDArray[np.float64]:
        """Give the exact scores of pairs that are sorted by query."""
        from .scoring import exact_products

        products_P = np.empty(len(ids_P))
        given = (self.decoder, self.exact.codes_VD, self.exact.queries_QD, q_P, ids_P, products_P)
        self.search.share(len(ids_P), lambda first, last: exact_products(first, last, *given))
        scores_P = np.empty(len(ids_P))
        ends_Q = np.searchsorted(q_P, np.arange(len(self.measures) + 1))
        for measure, first, last in zip(self.measures, ends_Q[:-1], ends_Q[1:], strict=True):
            scores_P[first:last] = measure.of_products(products_P[first:last], ids_P[first:last])
        return scores_P
