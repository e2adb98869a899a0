"""Products of rows with many queries at once, in the fastest arithmetic, and what they are off by.

See docs/batch.md for the bound.
"""

import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from .rows import Rows, norm

# Q queries; N rows that are searched, of width D; B rows of a block.

_BF16_UNIT = 2.0**-8  # half a unit in the last place, for each unit of the value
_SUM_UNIT = 2.0**-22  # of any sum of hardware's own order: float32 rounds to four times as near
_TINY = 2.0**-126  # what is below may count as zero
_BF16_LARGEST = float(2 - 2.0**-7) * 2.0**127
_FAST_BF16 = {"avx512_bf16", "amx_bf16"}  # as Linux calls them


Share = Callable[[int, Callable[[int, int], None]], None]
"""Does work on parts of a range, given by their ends, in several threads."""


class Products(Protocol):
    """How products are computed, in one arithmetic, by threads that each take some queries.

    Attributes
    ----------
    unit : float
        What the rounding of a product takes at most, for each unit of it.
    row_unit : float
        What the rounding of the rows takes at most, for each unit of a value.

    Examples
    --------
    >>> rows = Rows(np.eye(2, dtype=np.float32), "F32")
    >>> [Float32Products(rows, None).unit, Bf16Products(rows, None).row_unit == 2**-8]
    [0.0, True]
    """

    unit: float
    row_unit: float

    def round(self, queries_QD: NDArray[np.float64]) -> tuple[Any, NDArray[np.float64]]:
        """Round queries; give them as the product takes them, and as ``float64``."""

    def block(self, places: slice, share: Share) -> Any:
        """Give some of the rows as the product takes them."""

    def room(self, queries: int, rows: int) -> tuple[Any, NDArray[Any]]:
        """Give room for products, and the same room as bits; the next call takes it back."""

    def multiply(self, queries: Any, block: Any, into: Any) -> None:
        """Put products in their room."""

    def threads(self, count: int) -> AbstractContextManager[ThreadPoolExecutor]:
        """Give threads of which each computes alone."""


class Bf16Products:
    """Products by torch in bfloat16, of rows as they lie if they are of that type.

    Examples
    --------
    >>> products = Bf16Products(Rows(np.eye(3, dtype=np.float32), "F32"), None)
    >>> queries, rounded_QD = products.round(np.array([[1.0, 3.0, 2 + 2**-20]]))
    >>> rounded_QD
    array([[1., 3., 2.]])
    >>> into, bits_QB = products.room(1, 2)
    >>> block = products.block(slice(0, 2), lambda count, work: work(0, count))
    >>> products.multiply(queries, block, into)
    >>> (bits_QB.astype(np.int32) << 16).view(np.float32)
    array([[1., 3.]], dtype=float32)
    """

    unit = _BF16_UNIT

    def __init__(self, rows: Rows, ids_N: NDArray[np.int64] | None) -> None:
        import torch

        bf16 = rows.dtype == "BF16"
        self.row_unit = 0.0 if bf16 else _BF16_UNIT
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the mapping is read-only, and is only read
            codes_VD = torch.from_numpy(rows.codes_VD.view(np.int16) if bf16 else rows.codes_VD)
        self._codes_VD = codes_VD.view(torch.bfloat16) if bf16 else codes_VD
        self._ids_N = None if ids_N is None else torch.from_numpy(ids_N)
        self._room = torch.empty(0, dtype=torch.bfloat16)

    def round(self, queries_QD: NDArray[np.float64]) -> tuple[Any, NDArray[np.float64]]:
        """Round queries; give them as the product takes them, and as ``float64``."""
        import torch

        rounded_QD = torch.from_numpy(queries_QD).to(torch.bfloat16)
        return rounded_QD, rounded_QD.double().numpy()

    def block(self, places: slice, share: Share) -> Any:
        """Give some of the rows in bfloat16, without a copy where that can be."""
        import torch

        codes_VD, ids_N = self._codes_VD, self._ids_N
        if codes_VD.dtype == torch.bfloat16 and ids_N is None:
            return codes_VD[places]
        block_BD = torch.empty(places.stop - places.start, codes_VD.shape[1], dtype=torch.bfloat16)

        def convert(first: int, last: int) -> None:
            part = slice(places.start + first, places.start + last)
            codes_ND = codes_VD[part if ids_N is None else ids_N[part]]
            if codes_ND.dtype in {torch.float32, torch.float64}:  # may round to infinity
                codes_ND = codes_ND.clamp(-_BF16_LARGEST, _BF16_LARGEST)
            block_BD[first:last] = codes_ND

        share(len(block_BD), convert)
        return block_BD

    def room(self, queries: int, rows: int) -> tuple[Any, NDArray[np.int16]]:
        """Give room for products, and the same room as bits; the next call takes it back."""
        import torch

        if len(self._room) < queries * rows:
            self._room = torch.empty(queries * rows, dtype=torch.bfloat16)
        into_QB = self._room[: queries * rows].view(queries, rows)
        return into_QB, into_QB.view(torch.int16).numpy()

    def multiply(self, queries: Any, block: Any, into: Any) -> None:
        """Put products in their room."""
        import torch

        torch.mm(queries, block.T, out=into)

    @contextmanager
    def threads(self, count: int) -> Iterator[ThreadPoolExecutor]:
        """Give threads of which each computes alone.

        torch's own team would wait for the next product at full speed, in the way of what reads
        off this one. What is set in a thread holds for it, and for those that begin later.
        """
        import torch

        own = torch.get_num_threads()
        try:
            with ThreadPoolExecutor(
                count, initializer=torch.set_num_threads, initargs=(1,)
            ) as pool:
                yield pool
        finally:
            torch.set_num_threads(own)


class Float32Products:
    """Products by numpy in float32.

    Examples
    --------
    >>> products = Float32Products(Rows(np.eye(3, dtype=np.float32), "F32"), np.array([2, 1]))
    >>> queries, _ = products.round(np.array([[1.0, 3.0, 2.0]]))
    >>> into, bits_QB = products.room(1, 2)
    >>> block = products.block(slice(0, 2), lambda count, work: work(0, count))
    >>> products.multiply(queries, block, into)
    >>> bits_QB.view(np.float32)
    array([[2., 3.]], dtype=float32)
    """

    unit = 0.0  # the sum's own rounding is counted with it

    def __init__(self, rows: Rows, ids_N: NDArray[np.int64] | None) -> None:
        self.row_unit = 2.0**-24 if rows.dtype == "F64" else 0.0
        self._rows = rows
        self._ids_N = ids_N
        self._room = np.empty(0, dtype=np.float32)

    def round(self, queries_QD: NDArray[np.float64]) -> tuple[Any, NDArray[np.float64]]:
        """Round queries; give them as the product takes them, and as ``float64``."""
        rounded_QD = queries_QD.astype(np.float32)
        return rounded_QD, rounded_QD.astype(np.float64)

    def block(self, places: slice, share: Share) -> Any:
        """Give some of the rows in float32."""
        block_BD = np.empty((places.stop - places.start, self._rows.width), dtype=np.float32)

        def convert(first: int, last: int) -> None:
            part = slice(places.start + first, places.start + last)
            codes_ND = self._rows.codes_VD[part if self._ids_N is None else self._ids_N[part]]
            if self._rows.dtype == "BF16":
                codes_ND = (codes_ND.astype(np.uint32) << 16).view(np.float32)
            block_BD[first:last] = codes_ND

        share(len(block_BD), convert)
        return block_BD

    def room(self, queries: int, rows: int) -> tuple[Any, NDArray[np.int32]]:
        """Give room for products, and the same room as bits; the next call takes it back."""
        if len(self._room) < queries * rows:
            self._room = np.empty(queries * rows, dtype=np.float32)
        into_QB = self._room[: queries * rows].reshape(queries, rows)
        return into_QB, into_QB.view(np.int32)

    def multiply(self, queries: Any, block: Any, into: Any) -> None:
        """Put products in their room."""
        np.matmul(queries, block.T, out=into)

    def threads(self, count: int) -> ThreadPoolExecutor:
        """Give threads; BLAS has its own besides."""
        return ThreadPoolExecutor(count)


def products_of(rows: Rows, ids_N: NDArray[np.int64] | None) -> Products:
    """Take the arithmetic that is faster on this machine, for some rows, or for all of them.

    Examples
    --------
    >>> products_of(Rows(np.eye(3, dtype=np.float32), "F32"), None).row_unit in {0, 2**-8}
    True
    """
    return Bf16Products(rows, ids_N) if _has_bf16() else Float32Products(rows, ids_N)


def _has_bf16() -> bool:
    """Tell whether the processor multiplies bfloat16; without it, float32 is faster."""
    cpuinfo = Path("/proc/cpuinfo")  # Linux only; importing torch to ask it takes seconds
    return cpuinfo.exists() and bool(_FAST_BF16 & set(cpuinfo.read_text().split()))


@dataclass(frozen=True, eq=False)
class Rounded:
    """Queries as a product takes them, and a bound on what its results are off by.

    Attributes
    ----------
    queries : Any
        For `Products.multiply`.
    factors_Q : ndarray of float64
        What the products are to be multiplied by: powers of two.
    errors_Q : ndarray of float64
        What they are off by then, for each unit of a row's norm.
    besides_Q : ndarray of float64
        And what is to be added to that.

    Examples
    --------
    >>> rows = Rows(np.eye(3, dtype=np.float32), "F32")
    >>> rounded = Rounded.of(Float32Products(rows, None), np.array([[3.0, 0.0, 4.0]]))
    >>> rounded.factors_Q, bool(rounded.errors_Q[0] < 1e-5)
    (array([16.]), True)
    """

    queries: Any
    factors_Q: NDArray[np.float64]
    errors_Q: NDArray[np.float64]
    besides_Q: NDArray[np.float64]

    @classmethod
    def of(cls, products: Products, queries_QD: NDArray[np.float64]) -> "Rounded":
        """Bring queries below norm 1/2 by a power of two, round them and bound the errors."""
        width = queries_QD.shape[1]
        _, exponents_Q = np.frexp(norm(queries_QD))
        near_QD = np.ldexp(queries_QD, -(exponents_Q[:, None] + 1))
        queries, rounded_QD = products.round(near_QD)
        gamma = (width + 2) * _SUM_UNIT / (1 - (width + 2) * _SUM_UNIT)
        share = products.row_unit + gamma * (1 + products.row_unit)
        errors_Q = norm(near_QD - rounded_QD) + share * norm(rounded_QD)
        small = 8 * (width + 2) * _TINY
        with np.errstate(over="ignore"):  # an infinite bound keeps every row
            factors_Q = np.ldexp(1.0, exponents_Q + 1)
            besides_Q = factors_Q * small + width * float(np.finfo(np.float64).tiny)
            errors_Q = factors_Q * (errors_Q * (1 + 2.0**-20) + small)
        return cls(queries, factors_Q, errors_Q, besides_Q)
