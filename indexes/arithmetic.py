"""Which arithmetic multiplies rows with many queries: the fastest that the machine has.

See docs/batch.md.
"""

import re
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..errors import UsageError
from .bf16 import Bf16Products
from .int8 import Int8Products
from .rounded import Float32Products, Products
from .rows import Rows

# Q queries; V rows of width D, N of them searched.

_FAST_BF16 = {"avx512_bf16", "amx_bf16"}  # as Linux calls them
_FAST_INT8 = {"avx512_vnni", "avx_vnni", "amx_int8"}
_FEWEST_QUERIES = 64  # for fewer, rounding the rows takes as long as it saves


def float_products(
    rows: Rows,
    among_N: NDArray[np.int64] | None,
    lengths_N: NDArray[np.float64],
    *,
    device: str = "cpu",
) -> Products:
    """Take the floating point that is faster, for some rows, or for all of them.

    Parameters
    ----------
    rows : Rows
        V rows of width D.
    among_N : ndarray of int64, optional
        Which are searched; all where it is None.
    lengths_N : ndarray of float64
        The norms of those.
    device : str
        ``"cpu"``, ``"cuda"`` or ``"cuda:N"``.

    Raises
    ------
    UsageError
        There is no such device.

    Examples
    --------
    >>> rows = Rows(np.eye(3, dtype=np.float32), "F32")
    >>> float_products(rows, None, rows.norms()).unit in {0, 2**-8}
    True
    """
    check_device(device)
    if device != "cpu" or _FAST_BF16 & processor():
        return Bf16Products(rows, among_N, lengths_N, device)
    return Float32Products(rows, among_N, lengths_N)


def screening_products(
    rows: Rows,
    among_N: NDArray[np.int64] | None,
    lengths_N: NDArray[np.float64],
    queries_QD: NDArray[np.float64],
    k: int,
    *,
    device: str = "cpu",
) -> Products:
    """Take the arithmetic that is fastest where only the best few rows are wanted.

    Parameters
    ----------
    rows, among_N, lengths_N, device
        As for `float_products`.
    queries_QD : ndarray of float64
        The queries, or many of them.
    k : int
        How many rows are wanted.

    Raises
    ------
    UsageError
        There is no such device.

    Examples
    --------
    >>> rows = Rows(np.eye(3, dtype=np.float32), "F32")
    >>> screening_products(rows, None, rows.norms(), np.eye(3), 1).unit in {0, 2**-8}
    True
    """
    if device == "cpu" and len(queries_QD) >= _FEWEST_QUERIES and _multiplies_int8():
        ids_N = np.arange(rows.count) if among_N is None else among_N
        products = Int8Products.where_good(rows, ids_N, lengths_N, queries_QD, k)
        if products is not None:
            return products
    return float_products(rows, among_N, lengths_N, device=device)


def processor() -> set[str]:
    """Give what Linux tells of the processor; importing torch to ask it takes seconds.

    Examples
    --------
    >>> "nothing of the kind" in processor()
    False
    """
    cpuinfo = Path("/proc/cpuinfo")
    return set(cpuinfo.read_text().split()) if cpuinfo.exists() else set()


def _multiplies_int8() -> bool:
    """Tell whether the processor multiplies eight bits, and torch too, by a private function."""
    if not _FAST_INT8 & processor():
        return False
    import torch

    fast: bool = torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
    return fast and hasattr(torch, "_int_mm")


def check_device(device: str) -> None:
    """Refuse a device that is not there.

    Raises
    ------
    UsageError
        It is none, or torch does not find it.

    Examples
    --------
    >>> check_device("cpu")
    """
    if device == "cpu":
        return
    if not re.fullmatch(r"cuda(:\d{1,3})?", device):
        raise UsageError(f"device is {device!r}; it can be 'cpu', 'cuda' or 'cuda:1'")
    import torch

    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if not count:
        raise UsageError(
            f"device is {device!r}, but torch finds no GPU: leave it out, or install a torch that "
            "is built for it"
        )
    if int(device.partition(":")[2] or 0) >= count:
        raise UsageError(
            f"device is {device!r}, but torch finds {count} GPUs: the last is 'cuda:{count - 1}'"
        )
