"""Products by torch in integers of eight bits, of rows that are rounded block by block.

See docs/batch.md for the bound, and for when they are taken.
"""

from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .bf16 import lone_threads
from .rounded import Room, Rounded, Share, near
from .rows import Rows, norm

# Q queries; V rows of width D, N of them searched; B rows of a block; S rows of a sample.

_LARGEST = 127  # of what is rounded to
_SAMPLE_ROWS = 1 << 10
_SAMPLE_VALUES = 1 << 20
_SAMPLE_QUERIES = 1 << 10
_LONG = 4.0  # times the median: what is longer tells nothing of the others
_TRIED = 32  # queries of which the products with the sample are looked at
_CHECKED = 16  # of them, and as many rows, are multiplied by numpy as well
_MOST_LEFT = 2.0**-7  # of the rows, within their errors of the best: beyond, bfloat16 is faster
_LEAST_SPREAD = 2.0**-10  # of a column, for each unit of the largest: weights stay within bounds
_FURTHEST = 2.0**100  # a weight, or its inverse
_NARROWEST = 128  # little is gained by less; and torch 2.13 multiplies rows of one value wrongly
_WIDEST = 1 << 16  # products stay below 2³¹


@dataclass(frozen=True, eq=False)
class Placement:
    """Where rows are placed before they are rounded: minus a centre, times weights.

    Attributes
    ----------
    centre_D : ndarray of float32
        The mean of some rows.
    weights_D : ndarray of float32
        Such that columns of little spread, or that queries are long in, are rounded in finer units.

    Examples
    --------
    >>> placement = Placement.fitted(np.array([[0.0, 5.0], [4.0, 5.5]]), np.ones((1, 2)))
    >>> placement.centre_D, placement.weights_D
    (array([2.  , 5.25], dtype=float32), array([0.5      , 1.4142135], dtype=float32))
    """

    centre_D: NDArray[np.float32]
    weights_D: NDArray[np.float32]

    @classmethod
    def fitted(cls, rows_SD: NDArray[np.float64], near_QD: NDArray[np.float64]) -> "Placement":
        """Fit a placement to some rows and queries.

        A row's unit follows its largest value, and what is lost of it meets the whole query: the
        product of both is least where every column of the rows has the same spread. The other way
        round, it is where every column of the queries has. The weights are the mean of the two.
        """
        centre_D = rows_SD.mean(axis=0).astype(np.float32)
        spreads_D = _bounded((rows_SD - centre_D).std(axis=0))
        weights_D = np.sqrt(_bounded(np.sqrt(np.square(near_QD).mean(axis=0))) / spreads_D)
        weights_D /= (weights_D * spreads_D).max()
        return cls(centre_D, weights_D.clip(1 / _FURTHEST, _FURTHEST).astype(np.float32))


def _bounded(spreads_D: NDArray[np.float64]) -> NDArray[np.float64]:
    """Raise what is near zero beside the largest; ones where all is zero."""
    largest = float(spreads_D.max())
    return np.maximum(spreads_D, _LEAST_SPREAD * largest) if largest else np.ones_like(spreads_D)


class Int8Products:
    """Products by torch in integers, exact for rows and queries that are rounded to eight bits.

    Parameters
    ----------
    rows : Rows
        V rows of width D.
    ids_N : ndarray of int64
        Which are searched.
    lengths_N : ndarray of float64
        The norms of those.
    placement : Placement
        Where they are placed.

    Examples
    --------
    >>> rows = Rows(np.eye(3, dtype=np.float32), "F32")
    >>> products = Int8Products(
    ...     rows, np.arange(3), np.ones(3), Placement(np.zeros(3, "f4"), np.ones(3, "f4"))
    ... )
    >>> rounded = products.round(np.array([[1.0, 3.0, 2.0]]))
    >>> block = products.block(slice(0, 2), lambda count, work: work(0, count))
    >>> products.multiply(rounded.queries, block)
    array([[ 5334, 16129]], dtype=int32)
    >>> products.margins_3N[0, :2] * 16129 * rounded.numbers_Q5[0, 0]
    array([3., 3.])
    """

    unit = 0.0
    rows_at_once = 1 << 11  # so that products stay in the cache until they are sifted

    def __init__(
        self,
        rows: Rows,
        ids_N: NDArray[np.int64],
        lengths_N: NDArray[np.float64],
        placement: Placement,
    ) -> None:
        import torch

        from .scoring import decoder_of

        self.margins_3N = np.empty((3, len(ids_N)))
        self.placement = placement
        self._decoder, self._codes_VD = decoder_of(rows)
        self._ids_N, self._lengths_N = ids_N, lengths_N
        self._block = Room(lambda count: np.empty(count, dtype=np.int8))
        self._room = Room(lambda count: torch.empty(count, dtype=torch.int32))

    @classmethod
    def where_good(
        cls,
        rows: Rows,
        ids_N: NDArray[np.int64],
        lengths_N: NDArray[np.float64],
        queries_QD: NDArray[np.float64],
        k: int,
    ) -> "Int8Products | None":
        """Fit a placement to a sample of the rows; None where it tells too little, or is wrong.

        Parameters
        ----------
        rows, ids_N, lengths_N
            As above.
        queries_QD : ndarray of float64
            Some of the queries.
        k : int
            How many rows are wanted.
        """
        if not _NARROWEST <= rows.width <= _WIDEST:
            return None
        size = min(_SAMPLE_ROWS, _SAMPLE_VALUES // rows.width, len(ids_N))
        places_S = np.linspace(0, len(ids_N) - 1, size).astype(np.int64)
        lengths_S = lengths_N[places_S]
        places_S = places_S[lengths_S <= _LONG * np.median(lengths_S)]
        near_QD, _ = near(queries_QD[:: -(-len(queries_QD) // _SAMPLE_QUERIES)])
        placement = Placement.fitted(rows.decode(ids_N[places_S]), near_QD)
        tried = cls(rows, ids_N[places_S], lengths_N[places_S], placement)
        with tried.threads(1) as pool:
            given = near_QD[:: -(-len(near_QD) // _TRIED)]
            best = -(-k * len(places_S) // len(ids_N))
            good = pool.submit(tried.tells_enough, given, best).result()
        return cls(rows, ids_N, lengths_N, placement) if good else None

    def tells_enough(self, queries_QD: NDArray[np.float64], best: int) -> bool:
        """Tell whether few rows may be among so many best, and products are right."""
        rounded = self.round(queries_QD)
        block = self.block(slice(0, len(self._ids_N)), lambda count, work: work(0, count))
        given_QS = self.multiply(rounded.queries, block)
        some_QD, some_SD = rounded.queries.numpy()[:_CHECKED], block.numpy()[:_CHECKED]
        whole_QS = some_QD.astype(np.int32) @ some_SD.astype(np.int32).T
        if not np.array_equal(given_QS[:_CHECKED, :_CHECKED], whole_QS):
            return False
        scales_S, errors_S, sizes_S = self.margins_3N
        factors_Q1, _, by_error_Q1, by_size_Q1, _ = rounded.numbers_Q5.T[:, :, None]
        with np.errstate(over="ignore", invalid="ignore"):  # queries too long, rows without a bound
            products_QS = factors_Q1 * given_QS * scales_S
            kth_Q = np.partition(products_QS, -best)[:, -best]
            highs_QS = products_QS + by_error_Q1 * errors_S + by_size_Q1 * sizes_S
        left_Q = np.mean(highs_QS >= kth_Q[:, None], axis=1)
        return bool(np.median(left_Q) <= _MOST_LEFT)

    def round(self, queries_QD: NDArray[np.float64]) -> Rounded:
        """Round queries, each in the unit that fits it."""
        import torch

        near_QD, exponents_Q = near(queries_QD)
        centre_D = self.placement.centre_D.astype(np.float64)
        placed_QD = near_QD / self.placement.weights_D
        tops_Q = np.abs(placed_QD).max(axis=1)
        units_Q = np.where(tops_Q > 0, tops_Q, 1.0) / _LARGEST
        whole_QD = np.rint(placed_QD / units_Q[:, None])
        lost_Q = norm(placed_QD - whole_QD * units_Q[:, None])
        norms_Q, shifts_Q = norm(placed_QD), (near_QD * centre_D).sum(axis=1)
        width = queries_QD.shape[1]
        off_Q = self._sum_unit * norm(near_QD) * norm(centre_D) + 2.0**-46 * np.abs(shifts_Q)
        with np.errstate(over="ignore"):  # an infinite bound keeps every row
            numbers_Q5 = np.ldexp(1.0, exponents_Q)[:, None] * np.column_stack(
                [
                    units_Q,
                    shifts_Q,
                    norms_Q * (1 + 2.0**-20),
                    (lost_Q + 2.0**-46 * norms_Q) * (1 + 2.0**-20),
                    off_Q,
                ]
            )
        numbers_Q5[:, 4] += width * float(np.finfo(np.float64).tiny)
        return Rounded(torch.from_numpy(whole_QD.astype(np.int8)), numbers_Q5)

    def block(self, places: slice, share: Share) -> Any:
        """Give some of the rows in eight bits, and their margins."""
        import torch

        from .quantise import quantise

        ids_B = self._ids_N[places]
        into_BD = self._block.of(len(ids_B), self._codes_VD.shape[1])
        margins_3B = self.margins_3N[:, places]
        placement = self.placement.centre_D, self.placement.weights_D

        def convert(first: int, last: int) -> None:
            quantise(
                first, last, self._decoder, self._codes_VD, ids_B, *placement, into_BD, *margins_3B
            )

        share(len(ids_B), convert)
        largest = float(self.placement.weights_D.max())
        margins_3B[1] += self._sum_unit * largest * self._lengths_N[places]  # the float64 sum's own
        return torch.from_numpy(into_BD)

    def multiply(self, queries: Any, block: Any) -> NDArray[np.int32]:
        """Give products; the thread's next call takes them back."""
        import torch

        into_QB = self._room.of(len(queries), len(block))
        torch._int_mm(queries, block.T, out=into_QB)
        values_QB: NDArray[np.int32] = into_QB.numpy()
        return values_QB

    def threads(self, count: int) -> AbstractContextManager[ThreadPoolExecutor]:
        """Give threads of which each computes alone."""
        return lone_threads(count)

    @cached_property
    def _sum_unit(self) -> float:
        """Bound what a sum of D products in float64 is off by, for each unit of both norms."""
        return float((self._codes_VD.shape[1] + 2) * 2.0**-50)
