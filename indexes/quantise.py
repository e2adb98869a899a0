"""Compiled loops that round rows to eight bits, each by a unit of its own.

Importing it imports numba. See docs/batch.md for what they are off by then.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .scoring import compiled, in_any_order

# B rows of a block, of width D.

LARGEST = 127  # of what is rounded to
_USUAL = 2.0**30  # sizes of a row's largest value beyond it, or below its inverse, are not rounded
_FLOAT32 = 2.0**-22  # more than three roundings in float32, of each value
_SUM = 2.0**-23  # more than a float32 sum loses with each of its terms


@compiled
def _place(
    decoder: Any, codes_D: NDArray[Any], centre_D: NDArray[np.float32],
    weights_D: NDArray[np.float32], placed_D: NDArray[np.float32],
) -> float:  # fmt: skip
    """Place a row, and give its largest size: the bits of sizes rise with them."""
    for j in range(len(codes_D)):
        placed_D[j] = (decoder(codes_D[j]) - centre_D[j]) * weights_D[j]
    bits_D, top = placed_D.view(np.int32), np.int32(0)
    for j in range(len(bits_D)):
        top = max(top, bits_D[j] & np.int32(0x7FFFFFFF))
    return np.float64(np.int32(top).view(np.float32))


@in_any_order
def _round(
    placed_D: NDArray[np.float32], inverse: Any, into_D: NDArray[np.int8]
) -> tuple[float, float]:
    """Round a row; give in its unit the sum of its squares and that of the squares lost."""
    lost, squares = np.float32(0), np.int32(0)
    for j in range(len(placed_D)):
        value = placed_D[j] * inverse
        nearest = np.rint(value)
        left = value - nearest
        lost += left * left
        whole = np.int32(nearest)
        squares += whole * whole
        into_D[j] = whole
    return np.float64(squares), np.float64(lost)


@compiled
def quantise(
    first: int, last: int, decoder: Any, codes_VD: NDArray[Any], ids_B: NDArray[np.int64],
    centre_D: NDArray[np.float32], weights_D: NDArray[np.float32], into_BD: NDArray[np.int8],
    scales_B: NDArray[np.float64], errors_B: NDArray[np.float64], sizes_B: NDArray[np.float64],
) -> None:  # fmt: skip
    """Round some rows of a block: minus a centre, times weights, in the unit that fits each.

    Parameters
    ----------
    first, last : int
        The ends of the part.
    decoder : callable
        Compiled: of a row's values.
    codes_VD : ndarray
        All rows, as they are stored.
    ids_B : ndarray of int64
        The block's.
    centre_D, weights_D : ndarray of float32
        Where rows are placed.
    into_BD : ndarray of int8
        Is given the rows.
    scales_B, errors_B, sizes_B : ndarray of float64
        Are given their units; what bounds the norm of what is lost of a placed row; the norm of
        what is left. An infinite error is one that was not bounded.

    Examples
    --------
    >>> from unembed.indexes.scoring import decode
    >>> into_BD, margins_3B = np.empty((1, 2), np.int8), np.empty((3, 1))
    >>> given = np.array([[3, 254]], dtype=np.float32), np.array([0])
    >>> plain = np.zeros(2, np.float32), np.ones(2, np.float32)
    >>> quantise(0, 1, decode, *given, *plain, into_BD, *margins_3B)
    >>> into_BD, margins_3B[0], bool(1 < margins_3B[1][0] < 1.001)
    (array([[  2, 127]], dtype=int8), array([2.]), True)
    """
    width = codes_VD.shape[1]
    placed_D = np.empty(width, dtype=np.float32)
    for b in range(first, last):
        top = _place(decoder, codes_VD[ids_B[b]], centre_D, weights_D, placed_D)
        if not 1 / _USUAL < top < _USUAL:
            into_BD[b] = 0
            scales_B[b], sizes_B[b] = 0.0, 0.0
            errors_B[b] = 2 * np.sqrt(width) * (top + 2.0**-149) if top < 1 else np.inf
            continue
        inverse = np.float32(LARGEST / top)
        squares, lost = _round(placed_D, inverse, into_BD[b])
        unit = 1 / np.float64(inverse)
        off = np.sqrt(lost * (1 + 2 * width * _SUM)) + np.sqrt(width) * LARGEST * _FLOAT32
        scales_B[b], errors_B[b], sizes_B[b] = unit, unit * off, unit * np.sqrt(squares)
