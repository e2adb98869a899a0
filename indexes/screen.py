"""Compiled loops that tell which rows may reach a score, by products that are somewhat off.

Importing it imports numba. Products come as numbers, or as the bits of bfloat16 in an ``int16``.
See docs/batch.md for the bound.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .scoring import COARSE, ROUNDINGS, WIDE, Floats, compiled

# B rows of a block, N rows in all. Place i is one among the N. numbers_9 and lines_6N are those of
# scoring.Judging, the first of one query; slack_2 is that of scoring.Exact.

WORD = 8  # flags that are looked at together
_FLUSHED = 2.0**-90  # more than what comes to nothing in float32
_LARGEST = float(np.finfo(np.float64).max)


@compiled
def _value(given: Any, bits: bool) -> Any:
    """Give a product as it came, or the one that its bits stand for."""
    if bits:
        return np.int32(np.int32(given) << np.int32(16)).view(np.float32)
    return np.float32(given)


@compiled
def product_of(given: Any, bits: bool, i: int, numbers_9: Floats, lines_6N: Floats) -> float:
    """Give the product that a given one stands for.

    Examples
    --------
    >>> from unembed.indexes.exact import Measure
    >>> from unembed.indexes.scoring import judging_of
    >>> judging = judging_of([Measure(np.ones(1), offset=1.0)], np.arange(3), np.ones(3))
    >>> judging.numbers_Q9[0, :2] = 2.0, 0.5
    >>> product_of(np.int32(3), False, 0, judging.numbers_Q9[0], judging.lines_6N)
    6.5
    """
    value = np.float64(_value(given, True)) if bits else np.float64(given)
    product: float = value * lines_6N[0, i] * numbers_9[0] + numbers_9[1]
    return product


@compiled
def wanted_by(i: int, score: float, numbers_9: Floats, lines_6N: Floats) -> float:
    """Give the product that a row needs for a score; an infinite one is reached by an overflow.

    Examples
    --------
    >>> from unembed.indexes.exact import Measure
    >>> from unembed.indexes.scoring import judging_of
    >>> judging = judging_of([Measure(np.ones(1), offset=1.0)], np.arange(3), np.ones(3))
    >>> wanted_by(0, 3.0, judging.numbers_Q9[0], judging.lines_6N)
    2.0
    """
    level = min(score, _LARGEST) + numbers_9[7] + lines_6N[5, i]
    needed: float = numbers_9[8] * lines_6N[3, i] * level - numbers_9[6] - lines_6N[4, i]
    return needed


@compiled
def _added(i: int, numbers_9: Floats, lines_6N: Floats) -> float:
    """Bound what is lost when float64 makes a row's product a score."""
    hubness = numbers_9[8] * lines_6N[3, i]
    hubness *= abs(lines_6N[5, i]) + abs(numbers_9[7])
    lost: float = ROUNDINGS * (abs(numbers_9[6]) + abs(lines_6N[4, i]) + hubness)
    return lost


@compiled
def error_of(i: int, product: float, unit: float, numbers_9: Floats, lines_6N: Floats) -> float:
    """Bound what the product that a given one stands for is off by.

    Examples
    --------
    >>> from unembed.indexes.exact import Measure
    >>> from unembed.indexes.scoring import judging_of
    >>> judging = judging_of([Measure(np.ones(1), offset=1.0)], np.arange(3), np.ones(3))
    >>> bool(0.25 < error_of(0, 4.0, 2.0**-4, judging.numbers_Q9[0], judging.lines_6N) < 0.26)
    True
    """
    error: float = unit * abs(product) + numbers_9[4] + _added(i, numbers_9, lines_6N)
    error += numbers_9[2] * lines_6N[1, i] + numbers_9[3] * lines_6N[2, i]
    return error


@compiled
def slack_of(
    i: int, product: float, length: float, slack_2: Floats,
    numbers_9: Floats, lines_6N: Floats,
) -> float:  # fmt: skip
    """Bound what a quick product and the exact one differ by; infinite where it has overflowed.

    Examples
    --------
    >>> from unembed.indexes.exact import Measure
    >>> from unembed.indexes.scoring import judging_of
    >>> judging = judging_of([Measure(np.ones(1), offset=1.0)], np.arange(3), np.ones(3))
    >>> slack_of(0, np.inf, 1.0, np.zeros(2), judging.numbers_Q9[0], judging.lines_6N)
    inf
    """
    if not np.isfinite(product):
        return np.inf
    lost: float = slack_2[0] * length + slack_2[1]
    return lost + ROUNDINGS * abs(product) + _added(i, numbers_9, lines_6N)


@compiled
def _weigh(q: int, score: float, judging: Any, weights_8: NDArray[Any]) -> bool:
    """Put what `_flag` multiplies rows by in its place; tell whether its type is wide enough.

    All is scaled so that errors are those of the rows, and moved by more than the roundings that
    this and what follows have.
    """
    numbers_9 = judging.numbers_Q9[q]
    factor, shift, by_error = numbers_9[0], numbers_9[1], numbers_9[2]
    by_size, besides = numbers_9[3], numbers_9[4]
    divisor, offset, own = numbers_9[8], numbers_9[6], numbers_9[7]
    score = min(score, _LARGEST)
    scale = 1 / by_error if 0 < by_error < np.inf else 1.0
    level = divisor * (score + own) - COARSE * divisor * (abs(score) + abs(own))
    constant = shift + besides + offset + COARSE * (abs(shift) + besides + abs(offset))
    weights_8[0] = scale * factor
    weights_8[1] = judging.unit + COARSE
    weights_8[2] = scale * by_error * (1 + COARSE)
    weights_8[3] = scale * by_size * (1 + COARSE)
    weights_8[4] = scale * constant + _FLUSHED
    weights_8[5] = scale
    weights_8[6] = scale * level
    weights_8[7] = scale * divisor
    largest = max(scale, scale * factor, scale * by_size, scale * abs(constant), scale * divisor)
    return weights_8.itemsize == 8 or (largest < WIDE and scale * level < WIDE)


@compiled
def _flag(
    values_B: NDArray[Any], start: int, coarse_6N: NDArray[Any], plain: bool,
    weights_8: NDArray[Any], flags_B: NDArray[np.uint8],
) -> None:  # fmt: skip
    """Flag the rows of which the score may be reached: without a branch, several at a time."""
    factor, unit, by_error, by_size = weights_8[0], weights_8[1], weights_8[2], weights_8[3]
    constant, by_bias, level, by_hubness = weights_8[4], weights_8[5], weights_8[6], weights_8[7]
    bits, stop = values_B.itemsize == 2, start + len(values_B)
    scales_B, errors_B = coarse_6N[0, start:stop], coarse_6N[1, start:stop]
    sizes_B, norms_B = coarse_6N[2, start:stop], coarse_6N[3, start:stop]
    biases_B, hubness_B = coarse_6N[4, start:stop], coarse_6N[5, start:stop]
    if plain:  # two lines less to read for each product
        for j in range(len(values_B)):
            product = _value(values_B[j], bits) * scales_B[j] * factor
            high = product + unit * abs(product) + by_error * errors_B[j] + by_size * sizes_B[j]
            flags_B[j] = not high + constant < norms_B[j] * level
        return
    for j in range(len(values_B)):
        product = _value(values_B[j], bits) * scales_B[j] * factor
        high = product + unit * abs(product) + by_error * errors_B[j] + by_size * sizes_B[j]
        wanted = norms_B[j] * (level + by_hubness * hubness_B[j])
        flags_B[j] = not high + (constant + by_bias * biases_B[j]) < wanted


@compiled
def flagged(
    q: int, values_B: NDArray[Any], start: int, score: float, judging: Any,
    weights_8: NDArray[Any], flags_B: NDArray[np.uint8],
) -> int:  # fmt: skip
    """Flag the rows that may reach a score; give how many words the flags are.

    Parameters
    ----------
    q : int
        The query.
    values_B : ndarray
        Its products with some rows, or the bits of them.
    start : int
        The place of the first row.
    score : float
        What is to be reached.
    judging : Judging
        How given products become scores.
    weights_8 : ndarray
        Room, of the type of `Judging.coarse_6N`.
    flags_B : ndarray of uint8
        Is given the flags, and zeros up to a whole word.

    Examples
    --------
    >>> from unembed.indexes.exact import Measure
    >>> from unembed.indexes.scoring import judging_of
    >>> judging = judging_of([Measure(np.ones(1), offset=1.0)], np.arange(3), np.ones(3))
    >>> judging.numbers_Q9[0, :5] = 1.0, 0.0, 0.5, 0.0, 0.0
    >>> judging.coarse_6N[:3] = [[1.0], [1.0], [0.0]]
    >>> flags_B, given = np.ones(8, np.uint8), np.array([0, 2, 3], dtype=np.int32)
    >>> flagged(0, given, 0, 3.25, judging, np.empty(8, np.float32), flags_B), flags_B
    (1, array([0, 1, 1, 0, 0, 0, 0, 0], dtype=uint8))
    """
    words = -(-len(values_B) // WORD)
    if _weigh(q, score, judging, weights_8):
        flags_B[words * WORD - WORD : words * WORD] = 0
        _flag(values_B, start, judging.coarse_6N, judging.plain, weights_8, flags_B)
    else:
        flags_B[: len(values_B)] = 1
        flags_B[len(values_B) : words * WORD] = 0
    return words
