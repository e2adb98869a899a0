"""Products by torch in bfloat16, on the processor or on a GPU.

See docs/batch.md for the bound.
"""

import warnings
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import UsageError
from .rounded import Room, Rounded, Share, float_margins, float_numbers, near
from .rows import Rows

# Q queries; V rows of width D, N of them searched; B rows of a block.

_UNIT = 2.0**-8  # half a unit in the last place, for each unit of the value
_ROWS_AT_ONCE = 1 << 11
_GPU_ROWS_AT_ONCE = 1 << 14
_LARGEST = float(2 - 2.0**-7) * 2.0**127
_DEVICE_SUM_UNIT = 2.0**-20  # a GPU's sums are cut, not rounded, and its makers promise little


@contextmanager
def lone_threads(count: int) -> Iterator[ThreadPoolExecutor]:
    """Give threads of which each computes alone.

    torch's own team would wait for the next product at full speed, in the way of what reads off
    this one. What is set in a thread holds for it, and for those that begin later.

    Examples
    --------
    >>> import torch
    >>> with lone_threads(2) as pool:
    ...     pool.submit(torch.get_num_threads).result()
    1
    """
    import torch

    own = torch.get_num_threads()
    try:
        with ThreadPoolExecutor(count, initializer=torch.set_num_threads, initargs=(1,)) as pool:
            yield pool
    finally:
        torch.set_num_threads(own)


class Bf16Products:
    """Products by torch in bfloat16, of rows as they lie if they are of that type.

    Parameters
    ----------
    rows : Rows
        V rows of width D.
    among_N : ndarray of int64, optional
        Which are searched; all where it is None.
    lengths_N : ndarray of float64
        The norms of those.
    device : str
        Where they are multiplied, as torch names it. A GPU keeps the rows for the next queries, as
        far as its memory has room.

    Examples
    --------
    >>> rows = Rows(np.eye(3, dtype=np.float32), "F32")
    >>> products = Bf16Products(rows, None, rows.norms())
    >>> rounded = products.round(np.array([[1.0, 3.0, 2 + 2**-20]]))
    >>> block = products.block(slice(0, 2), lambda count, work: work(0, count))
    >>> bits_QB = products.multiply(rounded.queries, block)
    >>> (bits_QB.astype(np.int32) << 16).view(np.float32) * rounded.numbers_Q5[0, 0]
    array([[1., 3.]])
    """

    unit = _UNIT

    def __init__(
        self,
        rows: Rows,
        among_N: NDArray[np.int64] | None,
        lengths_N: NDArray[np.float64],
        device: str = "cpu",
    ) -> None:
        import torch

        bf16 = rows.dtype == "BF16"
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the mapping is read-only, and is only read
            codes_VD = torch.from_numpy(rows.codes_VD.view(np.int16) if bf16 else rows.codes_VD)
        self.margins_3N = float_margins(lengths_N)
        self._codes_VD = codes_VD.view(torch.bfloat16) if bf16 else codes_VD
        self._row_unit = 0.0 if bf16 else _UNIT
        self._among_N = None if among_N is None else torch.from_numpy(among_N)
        self._device = torch.device(device)
        self._on_gpu = pinned = self._device.type == "cuda"
        self.rows_at_once = _GPU_ROWS_AT_ONCE if self._on_gpu else _ROWS_AT_ONCE
        self._blocks: dict[int, Any] = {}
        self._room = Room(lambda count: torch.empty(count, dtype=torch.bfloat16, pin_memory=pinned))

    def round(self, queries_QD: NDArray[np.float64]) -> Rounded:
        """Round queries."""
        import torch

        near_QD, exponents_Q = near(queries_QD)
        rounded_QD = torch.from_numpy(near_QD).to(torch.bfloat16)
        units = {"sum_unit": _DEVICE_SUM_UNIT} if self._on_gpu else {}
        numbers_Q5 = float_numbers(
            near_QD, rounded_QD.double().numpy(), exponents_Q, row_unit=self._row_unit, **units
        )
        return Rounded(rounded_QD.to(self._device), numbers_Q5)

    def block(self, places: slice, share: Share) -> Any:
        """Give some of the rows in bfloat16, without a copy where that can be."""
        if places.start in self._blocks:
            return self._blocks[places.start]
        block_BD = self._converted(places, share).to(self._device)
        if self._free() > 4 * block_BD.nbytes:
            self._blocks[places.start] = block_BD
        return block_BD

    def multiply(self, queries: Any, block: Any) -> NDArray[np.int16]:
        """Give products as bits; the thread's next call takes them back."""
        import torch

        into_QB = self._room.of(len(queries), len(block))
        if self._on_gpu:
            into_QB.copy_(torch.mm(queries, block.T))
        else:
            torch.mm(queries, block.T, out=into_QB)
        bits_QB: NDArray[np.int16] = into_QB.view(torch.int16).numpy()
        return bits_QB

    @contextmanager
    def threads(self, count: int) -> Iterator[ThreadPoolExecutor]:
        """Give threads of which each computes alone, and let a GPU round no sum to bfloat16."""
        import torch

        switches = torch.backends.cuda.matmul
        own = switches.allow_bf16_reduced_precision_reduction
        switches.allow_bf16_reduced_precision_reduction = False
        try:
            with lone_threads(count) as pool:
                yield pool
        except torch.cuda.OutOfMemoryError as error:
            raise UsageError(
                f"device {str(self._device)!r} has no memory left for {self.rows_at_once:,} rows "
                "and their products: free some of it, or leave the device out"
            ) from error
        finally:
            switches.allow_bf16_reduced_precision_reduction = own

    def _converted(self, places: slice, share: Share) -> Any:
        """Give some of the rows in bfloat16 in this machine's memory."""
        import torch

        codes_VD, among_N = self._codes_VD, self._among_N
        if codes_VD.dtype == torch.bfloat16 and among_N is None:
            return codes_VD[places]
        block_BD = torch.empty(places.stop - places.start, codes_VD.shape[1], dtype=torch.bfloat16)

        def convert(first: int, last: int) -> None:
            part = slice(places.start + first, places.start + last)
            codes_ND = codes_VD[part if among_N is None else among_N[part]]
            if codes_ND.dtype in {torch.float32, torch.float64}:  # may round to infinity
                codes_ND = codes_ND.clamp(-_LARGEST, _LARGEST)
            block_BD[first:last] = codes_ND

        share(len(block_BD), convert)
        return block_BD

    def _free(self) -> int:
        """Give the bytes that a GPU has free."""
        import torch

        return int(torch.cuda.mem_get_info(self._device)[0]) if self._on_gpu else 0
