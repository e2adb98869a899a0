"""Products of rows with many queries at once, and what they are off by; by numpy in float32.

See docs/batch.md for the bound.
"""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from .rows import Rows, norm

# Q queries; N rows that are searched, of width D; B rows of a block.

_SUM_UNIT = 2.0**-22  # of any sum of hardware's own order: float32 rounds to four times as near
_TINY = 2.0**-126  # what is below may count as zero


Share = Callable[[int, Callable[[int, int], None]], None]
"""Does work on parts of a range, given by their ends, in several threads."""


@dataclass(frozen=True, eq=False)
class Rounded:
    """Queries as a product takes them, and what its results stand for.

    Attributes
    ----------
    queries : Any
        For `Products.multiply`.
    numbers_Q5 : ndarray of float64
        See `scoring.Judging`.

    Examples
    --------
    >>> rows = Rows(np.eye(3, dtype=np.float32), "F32")
    >>> rounded = Float32Products(rows, None, rows.norms()).round(np.array([[3.0, 0.0, 4.0]]))
    >>> rounded.numbers_Q5[0, 0], bool(rounded.numbers_Q5[0, 2] < 1e-5)
    (np.float64(16.0), True)
    """

    queries: Any
    numbers_Q5: NDArray[np.float64]


class Products(Protocol):
    """How products are computed, in one arithmetic, by threads that each take some queries.

    Attributes
    ----------
    unit : float
        What the rounding of a product takes at most, for each unit of it.
    margins_3N : ndarray of float64
        The scale, error and size of each searched row, once its block was given; see
        `scoring.Judging`.
    rows_at_once : int
        How many rows are best multiplied by a thread at once.

    Examples
    --------
    >>> products: Products = Float32Products(Rows(np.eye(2), "F64"), None, np.ones(2))
    >>> products.unit, products.margins_3N[:, 0]
    (0.0, array([1., 1., 0.]))
    """

    unit: float
    margins_3N: NDArray[np.float64]
    rows_at_once: int

    def round(self, queries_QD: NDArray[np.float64]) -> Rounded:
        """Round queries."""

    def block(self, places: slice, share: Share) -> Any:
        """Give some of the rows as the product takes them; the next call may take them back."""

    def multiply(self, queries: Any, block: Any) -> NDArray[Any]:
        """Give products, as `sift` takes them; the thread's next call takes them back."""

    def threads(self, count: int) -> AbstractContextManager[ThreadPoolExecutor]:
        """Give threads of which each computes alone."""


class Room:
    """Memory that each thread uses again.

    Parameters
    ----------
    make : callable
        Makes a flat array of a length.

    Examples
    --------
    >>> room = Room(np.empty)
    >>> room.of(2, 3).shape, room.of(2, 3).base is room.of(3, 2).base
    ((2, 3), True)
    """

    def __init__(self, make: Callable[[int], Any]) -> None:
        self._make = make
        self._local = threading.local()

    def of(self, queries: int, rows: int) -> Any:
        """Give a part of it in a shape, contiguous."""
        flat = getattr(self._local, "flat", None)
        if flat is None or len(flat) < queries * rows:
            flat = self._local.flat = self._make(queries * rows)
        return flat[: queries * rows].reshape(queries, rows)


def near(queries_QD: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[Any]]:
    """Bring queries below norm 1/2 by powers of two; give them and the exponents.

    Examples
    --------
    >>> near(np.array([[3.0, 4.0]]))
    (array([[0.1875, 0.25  ]]), array([4], dtype=int32))
    """
    _, exponents_Q = np.frexp(norm(queries_QD))
    exponents_Q = exponents_Q + 1
    return np.ldexp(queries_QD, -exponents_Q[:, None]), exponents_Q


def float_numbers(
    near_QD: NDArray[np.float64],
    rounded_QD: NDArray[np.float64],
    exponents_Q: NDArray[Any],
    *,
    row_unit: float,
    sum_unit: float = _SUM_UNIT,
) -> NDArray[np.float64]:
    """Bound the errors of products in floating point, for rows of which the error is their norm.

    Parameters
    ----------
    near_QD, exponents_Q : ndarray
        Queries, by `near`.
    rounded_QD : ndarray of float64
        As the product takes them.
    row_unit : float
        What the rounding of the rows takes at most, for each unit of a value.
    sum_unit : float
        What an operation takes at most, for each unit of what goes in.

    Returns
    -------
    ndarray of float64
        Shape (Q, 5), see `scoring.Judging`.

    Examples
    --------
    >>> query_1D, exponents = near(np.array([[3.0, 4.0]]))
    >>> float_numbers(query_1D, query_1D, exponents, row_unit=0.0)[0, :2]
    array([16.,  0.])
    """
    width = near_QD.shape[1]
    gamma = (width + 2) * sum_unit / (1 - (width + 2) * sum_unit)
    share = row_unit + gamma * (1 + row_unit)
    errors_Q = norm(near_QD - rounded_QD) + share * norm(rounded_QD)
    small = 8 * (width + 2) * _TINY
    numbers_Q5 = np.zeros((len(near_QD), 5))
    with np.errstate(over="ignore"):  # an infinite bound keeps every row
        factors_Q = np.ldexp(1.0, exponents_Q)
        numbers_Q5[:, 0] = factors_Q
        numbers_Q5[:, 2] = factors_Q * (errors_Q * (1 + 2.0**-20) + small)
        numbers_Q5[:, 4] = factors_Q * small + width * float(np.finfo(np.float64).tiny)
    return numbers_Q5


def float_margins(lengths_N: NDArray[np.float64]) -> NDArray[np.float64]:
    """Give the margins of rows in floating point: a scale of 1, their norm for an error.

    Examples
    --------
    >>> float_margins(np.array([2.0]))
    array([[1.],
           [2.],
           [0.]])
    """
    return np.stack([np.ones_like(lengths_N), lengths_N, np.zeros_like(lengths_N)])


class Float32Products:
    """Products by numpy in float32.

    Parameters
    ----------
    rows : Rows
        V rows of width D.
    among_N : ndarray of int64, optional
        Which are searched; all where it is None.
    lengths_N : ndarray of float64
        The norms of those.

    Examples
    --------
    >>> rows = Rows(np.eye(3, dtype=np.float32), "F32")
    >>> products = Float32Products(rows, np.array([2, 1]), np.ones(2))
    >>> rounded = products.round(np.array([[1.0, 3.0, 2.0]]))
    >>> block = products.block(slice(0, 2), lambda count, work: work(0, count))
    >>> products.multiply(rounded.queries, block) * rounded.numbers_Q5[0, 0]
    array([[2., 3.]])
    """

    unit = 0.0  # the sum's own rounding is counted with it
    rows_at_once = 1 << 12

    def __init__(
        self, rows: Rows, among_N: NDArray[np.int64] | None, lengths_N: NDArray[np.float64]
    ) -> None:
        self.margins_3N = float_margins(lengths_N)
        self._rows = rows
        self._among_N = among_N
        self._room = Room(lambda count: np.empty(count, dtype=np.float32))

    def round(self, queries_QD: NDArray[np.float64]) -> Rounded:
        """Round queries."""
        near_QD, exponents_Q = near(queries_QD)
        rounded_QD = near_QD.astype(np.float32)
        unit = 2.0**-24 if self._rows.dtype == "F64" else 0.0
        numbers_Q5 = float_numbers(
            near_QD, rounded_QD.astype(np.float64), exponents_Q, row_unit=unit
        )
        return Rounded(rounded_QD, numbers_Q5)

    def block(self, places: slice, share: Share) -> Any:
        """Give some of the rows in float32."""
        block_BD = np.empty((places.stop - places.start, self._rows.width), dtype=np.float32)

        def convert(first: int, last: int) -> None:
            part = slice(places.start + first, places.start + last)
            codes_ND = self._rows.codes_VD[part if self._among_N is None else self._among_N[part]]
            if self._rows.dtype == "BF16":
                codes_ND = (codes_ND.astype(np.uint32) << 16).view(np.float32)
            block_BD[first:last] = codes_ND

        share(len(block_BD), convert)
        return block_BD

    def multiply(self, queries: Any, block: Any) -> NDArray[np.float32]:
        """Give products; the thread's next call takes them back."""
        into_QB: NDArray[np.float32] = self._room.of(len(queries), len(block))
        return np.matmul(queries, block.T, out=into_QB)

    def threads(self, count: int) -> ThreadPoolExecutor:
        """Give threads; BLAS has its own besides."""
        return ThreadPoolExecutor(count)
