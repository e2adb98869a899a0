"""Compiled loops for exact scores: a row decoded, its product with a query, its score.

Importing it imports numba.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, TypeVar, cast

import numba
import numpy as np
from numpy.typing import NDArray

from .exact import Measure
from .rows import Rows

# Q queries; V rows of width D, N of them searched; P pairs of a query and a row.

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

ROUNDINGS = 2.0**-46  # of what is added to a product: a dozen roundings in float64, and room
COARSE = 2.0**-20  # of what is multiplied or added in float32: a dozen of its roundings, and room
WIDE = 2.0**30  # rows' numbers below it are judged in float32
_PAIRWISE = 128  # values that numpy's pairwise sum adds without cutting them in two

Function = TypeVar("Function", bound=Callable[..., Any])


def compiled(function: Function) -> Function:
    """Compile a function when it is first called; other threads run beside it.

    Examples
    --------
    >>> compiled(lambda a, b: a / b)(1.0, 0.0)
    inf
    """
    return cast("Function", numba.njit(nogil=True, error_model="numpy")(function))


def in_any_order(function: Function) -> Function:
    """Compile a function of which the sums may be taken in any order.

    Examples
    --------
    >>> in_any_order(lambda values_D: values_D.sum())(np.ones(3))
    3.0
    """
    switches = {"reassoc", "contract", "nsz"}
    wrap = numba.njit(nogil=True, error_model="numpy", fastmath=switches)
    return cast("Function", wrap(function))


class Exact(NamedTuple):
    """What exact products are taken of, and what a quick one is off by.

    Attributes
    ----------
    codes_VD : ndarray
        The rows, as they are stored.
    ids_N : ndarray of int64
        Which of them are searched.
    lengths_N : ndarray of float64
        Their norms.
    queries_QD : ndarray of float64
        The queries.
    slack_Q2 : ndarray of float64
        What a query's quick product and its exact one differ by at most: for each unit of a row's
        norm, and besides.

    Examples
    --------
    >>> one = np.ones((1, 1))
    >>> Exact(one, np.zeros(1, int), one[0], one, np.zeros((1, 2))).lengths_N
    array([1.])
    """

    codes_VD: NDArray[Any]
    ids_N: Integers
    lengths_N: Floats
    queries_QD: Floats
    slack_Q2: Floats


class Judging(NamedTuple):
    """How given products of some queries become scores by one measure, and what they are off by.

    A given product v stands for ``v · scale · factor + shift``, and is off by ``unit`` of that
    (where it is not 0 the shift is) and by ``error · by_error + size · by_size + besides``. A
    product p has the score ``times · (p + offset + bias) / norm / divisor - (hubness + own)``; what
    a measure has not is there with the value that changes no bit.

    Attributes
    ----------
    unit : float
        For the rounding of given products.
    times : float
        2 where hubs are corrected, else 1.
    numbers_Q9 : ndarray of float64
        A query's factor, shift, by_error, by_size, besides; divisor, offset, own hubness,
        and the divisor over `times`.
    lines_6N : ndarray of float64
        A searched row's scale, error, size; norm, bias, hubness.
    coarse_6N : ndarray of float32
        The same, with biases moved up and hubness down; float64 where float32 is too narrow.
    plain : bool
        Whether the measure has neither biases nor hubness.

    Examples
    --------
    >>> judging = judging_of([Measure(np.ones(1), divisor=2.0)], np.arange(3), np.ones(3))
    >>> judging.times, judging.lines_6N[3:, 0]
    (1.0, array([ 1., -0.,  0.]))
    """

    unit: float
    times: float
    numbers_Q9: Floats
    lines_6N: Floats
    coarse_6N: NDArray[Any]
    plain: bool


def judging_of(
    measures: Sequence[Measure], ids_N: Integers, lengths_N: Floats, unit: float = 0.0
) -> Judging:
    """Lay out how products of some rows become scores; the products' own numbers are left open.

    Parameters
    ----------
    measures : sequence of Measure
        One a query; norms, biases and hubness are the same arrays for all.
    ids_N : ndarray of int64
        The rows.
    lengths_N : ndarray of float64
        Their Euclidean norms.
    unit : float
        Of the products.

    Examples
    --------
    >>> judging_of([Measure(np.ones(1), divisor=2.0)], np.arange(3), np.ones(3)).numbers_Q9[0, 5:]
    array([2., 0., 0., 2.])
    """
    first = measures[0]
    hubs = first.hubness_V is not None
    numbers_Q9 = np.zeros((len(measures), 9))
    numbers_Q9[:, 5] = [measure.divisor for measure in measures]
    numbers_Q9[:, 6] = [measure.offset for measure in measures]
    numbers_Q9[:, 7] = [measure.own_hubness if hubs else 0.0 for measure in measures]
    numbers_Q9[:, 8] = numbers_Q9[:, 5] / (2.0 if hubs else 1.0)
    lines_6N = np.ones((6, len(ids_N)))
    parts = ((first.norms_V, 1.0), (first.bias_V, -0.0), (first.hubness_V, 0.0))
    for line_N, (values_V, otherwise) in zip(lines_6N[3:], parts, strict=True):
        line_N[:] = otherwise if values_V is None else values_V[ids_N]
    widest = max(float(np.abs(lines_6N).max()), float(lengths_N.max()))
    coarse_6N = lines_6N.astype(np.float32 if widest < WIDE else np.float64)
    coarse_6N[4] += COARSE * np.abs(coarse_6N[4])
    coarse_6N[5] -= COARSE * np.abs(coarse_6N[5])
    plain = first.bias_V is None and not hubs
    return Judging(unit, 2.0 if hubs else 1.0, numbers_Q9, lines_6N, coarse_6N, plain)


@compiled
def score_of(i: int, product: float, times: float, numbers_9: Floats, lines_6N: Floats) -> float:
    """Give the score of the row at place i, with the bits of `Measure.of_products`.

    Examples
    --------
    >>> judging = judging_of([Measure(np.ones(1), divisor=2.0)], np.arange(3), np.ones(3))
    >>> score_of(2, 4.0, judging.times, judging.numbers_Q9[0], judging.lines_6N)
    2.0
    """
    score = (product + numbers_9[6] + lines_6N[4, i]) / lines_6N[3, i] / numbers_9[5]
    level: float = times * score - (lines_6N[5, i] + numbers_9[7])
    return level


@compiled
def decode(code: Any) -> Any:
    """Give a float32 or float64 as it is.

    Examples
    --------
    >>> decode(np.float32(1.5))
    1.5
    """
    return code


@compiled
def decode_bf16(code: Any) -> Any:
    """Give the float32 of a bfloat16's bits.

    Examples
    --------
    >>> decode_bf16(np.uint16(0x3FC0))
    1.5
    """
    return np.uint32(np.uint32(code) << np.uint32(16)).view(np.float32)


@compiled
def decode_f16(code: Any) -> Any:
    """Give the float32 of a finite float16's bits: without arithmetic on what is below its normal.

    Examples
    --------
    >>> decode_f16(np.uint16(0x3E00)), decode_f16(np.uint16(0x8001)) == -(2**-24)
    (1.5, True)
    """
    bits = np.uint32(code)
    rest, sign = np.uint32(bits & np.uint32(0x7FFF)), np.uint32(bits & np.uint32(0x8000))
    normal = np.uint32(np.uint32(rest << np.uint32(13)) + np.uint32(112 << 23)).view(np.float32)
    size = normal if rest >= np.uint32(0x400) else np.float32(rest) * np.float32(2.0**-24)
    return -size if sign else size


@compiled
def _pairwise(values_D: Floats) -> float:
    """Sum as numpy does, in its order."""
    count = len(values_D)
    if count < 8:
        total = -0.0
        for j in range(count):
            total += values_D[j]
        return total
    if count <= _PAIRWISE:
        r0, r1, r2, r3 = values_D[0], values_D[1], values_D[2], values_D[3]
        r4, r5, r6, r7 = values_D[4], values_D[5], values_D[6], values_D[7]
        whole = count - count % 8
        for j in range(8, whole, 8):
            r0 += values_D[j]
            r1 += values_D[j + 1]
            r2 += values_D[j + 2]
            r3 += values_D[j + 3]
            r4 += values_D[j + 4]
            r5 += values_D[j + 5]
            r6 += values_D[j + 6]
            r7 += values_D[j + 7]
        total = ((r0 + r1) + (r2 + r3)) + ((r4 + r5) + (r6 + r7))
        for j in range(whole, count):
            total += values_D[j]
        summed: float = total
        return summed
    half = count // 2
    half -= half % 8
    return _pairwise(values_D[:half]) + _pairwise(values_D[half:])


@compiled
def exact_product(decoder: Any, codes_D: NDArray[Any], query_D: Floats, values_D: Floats) -> float:
    """Give a product with the bits that `exact.products` gives it; `values_D` is room for it.

    Examples
    --------
    >>> exact_product(decode, np.ones(2), np.array([1.0, 2.0]), np.empty(2))
    3.0
    """
    for j in range(len(codes_D)):
        values_D[j] = np.float64(decoder(codes_D[j])) * query_D[j]
    product: float = _pairwise(values_D)
    return product


@in_any_order
def quick_product(decoder: Any, codes_D: NDArray[Any], query_D: Floats) -> float:
    """Give a product in float64, summed in the order that is fastest.

    Examples
    --------
    >>> quick_product(decode, np.ones(2), np.array([1.0, 2.0]))
    3.0
    """
    total = 0.0
    for j in range(len(codes_D)):
        total += np.float64(decoder(codes_D[j])) * query_D[j]
    product: float = total
    return product


@compiled
def exact_products(
    first: int, last: int, decoder: Any, codes_VD: NDArray[Any], queries_QD: Floats,
    q_P: Integers, ids_P: Integers, products_P: Floats,
) -> None:  # fmt: skip
    """Give the exact products of some pairs of a query and a row.

    Examples
    --------
    >>> products_P, pairs = np.empty(1), (np.array([0]), np.array([1]))
    >>> exact_products(0, 1, decode, np.eye(2), np.array([[3.0, 4.0]]), *pairs, products_P)
    >>> products_P
    array([4.])
    """
    values_D = np.empty(codes_VD.shape[1])
    for p in range(first, last):
        products_P[p] = exact_product(decoder, codes_VD[ids_P[p]], queries_QD[q_P[p]], values_D)


def decoder_of(rows: Rows) -> tuple[Any, NDArray[Any]]:
    """Give the compiled function that decodes a value of some rows, and the codes that it takes.

    Examples
    --------
    >>> decoder, codes_VD = decoder_of(Rows(np.ones((1, 2), dtype=np.float16), "F16"))
    >>> decoder(codes_VD[0, 1])
    1.0
    """
    codes_VD = rows.codes_VD.view(np.uint16) if rows.dtype == "F16" else rows.codes_VD.view()
    codes_VD.flags.writeable = False  # mapped or not, one type for the compiler
    return {"BF16": decode_bf16, "F16": decode_f16}.get(rows.dtype, decode), codes_VD
