"""Compiled loops of a search for many queries: what is read off the products of a block of rows.

Importing it imports numba. Products come as the bits of floating point: of a bfloat16 in an
``int16``, of a float32 in an ``int32``.
"""

from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

# Q queries; B rows of a block, N rows in all; S spans of rows; K best; C candidates; P pairs of a
# query and a row; D values of a row.
#
# numbers_Q6: a query's divisor, its offset, what its products are multiplied by, what they are off
# by then (for each unit of a row's norm, and besides), its own hubness.
# lines_4N: a row's α, β and bias, and its norm.
# spans_7S: of a span's rows the least α, the largest, the least β, the largest |β|, the largest
# bias, the largest |bias|, the largest norm.

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

SPAN = 128  # rows that are judged together, by the largest product
_ROUNDINGS = 2.0**-46  # of what is added to a product: a dozen roundings in float64, and room
_LARGEST = float(np.finfo(np.float64).max)
_PAIRWISE = 128  # values that numpy's pairwise sum adds without cutting them in two

_compiled = numba.njit(nogil=True, error_model="numpy")


@_compiled
def _value(bits: Any, shift: int) -> Any:
    """Give the number that bits stand for once they are shifted to those of a float32."""
    return np.float64(np.int32(np.int32(bits) << np.int32(shift)).view(np.float32))


@_compiled
def _largest(bits_B: NDArray[Any], shift: int) -> Any:
    """Give the largest product: as integers, the bits of negative ones stand the other way."""
    top, bottom = bits_B[0], bits_B[0]
    for j in range(len(bits_B)):
        top = max(top, bits_B[j])
        bottom = min(bottom, bits_B[j])
    return _value(top if top >= 0 else bottom, shift)


@_compiled
def _level(q: int, score: float, numbers_Q6: Floats) -> float:
    """Give what α is multiplied by; an infinite score is reached by what overflows."""
    return min(score, _LARGEST) + numbers_Q6[q, 5]


@_compiled
def _wanted(q: int, i: int, score: float, numbers_Q6: Floats, lines_4N: Floats) -> float:
    """Give the product that a row needs for a score."""
    level = _level(q, score, numbers_Q6)
    needed: float = numbers_Q6[q, 0] * (level * lines_4N[0, i] + lines_4N[1, i])
    return needed - numbers_Q6[q, 1] - lines_4N[2, i]


@_compiled
def _added(q: int, i: int, numbers_Q6: Floats, lines_4N: Floats) -> float:
    """Bound what is lost when float64 makes a row's product a score."""
    sizes: float = abs(lines_4N[1, i]) + lines_4N[0, i] * abs(numbers_Q6[q, 5])
    return _ROUNDINGS * (abs(numbers_Q6[q, 1]) + abs(lines_4N[2, i]) + numbers_Q6[q, 0] * sizes)


@_compiled
def _error(q: int, i: int, numbers_Q6: Floats, lines_4N: Floats) -> float:
    """Bound what a row's product is off by, but for the rounding of the bits."""
    error: float = numbers_Q6[q, 3] * lines_4N[3, i] + numbers_Q6[q, 4]
    return error + _added(q, i, numbers_Q6, lines_4N)


@_compiled
def _span_error(q: int, span: int, numbers_Q6: Floats, spans_7S: Floats) -> float:
    """Bound the error of a span's rows."""
    sizes = spans_7S[3, span] + spans_7S[1, span] * abs(numbers_Q6[q, 5])
    added = abs(numbers_Q6[q, 1]) + spans_7S[5, span] + numbers_Q6[q, 0] * sizes
    error: float = numbers_Q6[q, 3] * spans_7S[6, span] + numbers_Q6[q, 4] + _ROUNDINGS * added
    return error


@_compiled
def _lowest(q: int, span: int, score: float, numbers_Q6: Floats, spans_7S: Floats) -> float:
    """Give a product, rounded up, below which no row of a span reaches a score."""
    level = _level(q, score, numbers_Q6)
    alpha = spans_7S[0, span] if level >= 0 else spans_7S[1, span]
    wanted: float = numbers_Q6[q, 0] * (level * alpha + spans_7S[2, span])
    error = _span_error(q, span, numbers_Q6, spans_7S)
    return wanted - numbers_Q6[q, 1] - spans_7S[4, span] - error


@_compiled
def _in_reach(
    q: int, bits_B: NDArray[Any], start: int, score: float, unit: float,
    numbers_Q6: Floats, lines_4N: Floats, spans_7S: Floats, flags_B: NDArray[np.uint8],
) -> bool:  # fmt: skip
    """Flag the rows of a span that may reach a score; first judge by the largest product alone."""
    shift, divisor, factor = 32 - 8 * bits_B.itemsize, numbers_Q6[q, 0], numbers_Q6[q, 2]
    top = _largest(bits_B, shift) * factor
    if top + unit * abs(top) < _lowest(q, start // SPAN, score, numbers_Q6, spans_7S):
        return False
    room = numbers_Q6[q, 1] + _span_error(q, start // SPAN, numbers_Q6, spans_7S)
    level, stop = _level(q, score, numbers_Q6), start + len(bits_B)
    alpha_B, beta_B, bias_B = lines_4N[0], lines_4N[1], lines_4N[2]
    alpha_B, beta_B, bias_B = alpha_B[start:stop], beta_B[start:stop], bias_B[start:stop]
    flags_B[len(bits_B) :] = 0
    hits = 0
    for j in range(len(bits_B)):  # without a branch: several rows at a time
        product = _value(bits_B[j], shift) * factor
        wanted = divisor * (level * alpha_B[j] + beta_B[j]) - bias_B[j]
        hit = not product + unit * abs(product) + room < wanted
        flags_B[j] = hit
        hits += hit
    return hits > 0


@_compiled
def _push(heap_K: Floats, score: float) -> None:
    """Put a score in the place of the least of a heap, which stands first."""
    at = 0
    while 2 * at + 1 < len(heap_K):
        child = 2 * at + 1
        if child + 1 < len(heap_K) and heap_K[child + 1] < heap_K[child]:
            child += 1
        if not heap_K[child] < score:
            break
        heap_K[at] = heap_K[child]
        at = child
    heap_K[at] = score


@_compiled
def _narrow(
    q: int, score: float, unit: float, numbers_Q6: Floats, lines_4N: Floats,
    found_QC: Integers, products_QC: Floats, count: int,
) -> int:  # fmt: skip
    """Drop the candidates of a query that do not reach a score; give how many are left."""
    left = 0
    for c in range(count):
        i, product = found_QC[q, c], products_QC[q, c]
        high = product + unit * abs(product) + _error(q, i, numbers_Q6, lines_4N)
        if not high < _wanted(q, i, score, numbers_Q6, lines_4N):
            found_QC[q, left], products_QC[q, left] = i, product
            left += 1
    return left


@_compiled
def _score(q: int, i: int, product: float, numbers_Q6: Floats, lines_4N: Floats) -> float:
    """Give a row's score, as well as float64 can."""
    reached = (product + numbers_Q6[q, 1] + lines_4N[2, i]) / numbers_Q6[q, 0]
    level: float = (reached - lines_4N[1, i]) / lines_4N[0, i]
    return level - numbers_Q6[q, 5]


@_compiled
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
        return total
    half = count // 2
    half -= half % 8
    return _pairwise(values_D[:half]) + _pairwise(values_D[half:])


@_compiled
def decode(codes_D: NDArray[Any], into_D: Floats) -> None:
    """Give a row of float32 or float64 in float64."""
    for j in range(len(codes_D)):
        into_D[j] = codes_D[j]


@_compiled
def decode_bf16(codes_D: NDArray[np.uint16], into_D: Floats) -> None:
    """Give a row of bfloat16 in float64."""
    for j in range(len(codes_D)):
        into_D[j] = np.uint32(np.uint32(codes_D[j]) << np.uint32(16)).view(np.float32)


@_compiled
def decode_f16(codes_D: NDArray[np.uint16], into_D: Floats) -> None:
    """Give a row of finite float16 in float64: without arithmetic on numbers below its normal."""
    for j in range(len(codes_D)):
        bits = np.uint64(codes_D[j])
        rest, sign = bits & np.uint64(0x7FFF), (bits & np.uint64(0x8000)) << np.uint64(48)
        normal = np.uint64((rest << np.uint64(42)) + np.uint64(1008 << 52)).view(np.float64)
        size = normal if rest >= 0x400 else np.float64(rest) * 2.0**-24
        into_D[j] = -size if sign else size


@_compiled
def _product(
    id_: int, decoder: Any, codes_VD: NDArray[Any], query_D: Floats, values_D: Floats
) -> float:
    """Give a product with the bits that `exact.products` gives it."""
    decoder(codes_VD[id_], values_D)
    values_D *= query_D
    product: float = _pairwise(values_D)
    return product


@_compiled
def exact_products(
    first: int, last: int, decoder: Any, codes_VD: NDArray[Any], queries_QD: Floats,
    q_P: Integers, ids_P: Integers, products_P: Floats,
) -> None:  # fmt: skip
    """Give the exact products of some pairs of a query and a row."""
    values_D = np.empty(codes_VD.shape[1])
    for p in range(first, last):
        products_P[p] = _product(ids_P[p], decoder, codes_VD, queries_QD[q_P[p]], values_D)


@_compiled
def sift(
    first: int, last: int, bits_QB: NDArray[Any], start: int, unit: float,
    numbers_Q6: Floats, lines_4N: Floats, spans_7S: Floats, heaps_QK: Floats,
    found_QC: Integers, products_QC: Floats, counts_Q: Integers, next_Q: Integers,
) -> None:  # fmt: skip
    """Take from a block what may be among the K best rows of some queries.

    A query of which the candidates fill half of their room, when those that are ruled out by now
    have been dropped, stops at a span: `next_Q` says which.
    """
    shift = 32 - 8 * bits_QB.itemsize
    spans, room = -(-bits_QB.shape[1] // SPAN), found_QC.shape[1]
    flags_B = np.empty(SPAN, dtype=np.uint8)
    for q in range(first, last):
        factor = numbers_Q6[q, 2]
        for s in range(next_Q[q], spans):
            next_Q[q] = s
            low, stop = s * SPAN, min((s + 1) * SPAN, bits_QB.shape[1])
            if not _in_reach(
                q, bits_QB[q, low:stop], start + low, heaps_QK[q, 0], unit,
                numbers_Q6, lines_4N, spans_7S, flags_B,
            ):  # fmt: skip
                continue
            if counts_Q[q] + SPAN > room:
                counts_Q[q] = _narrow(
                    q,
                    heaps_QK[q, 0],
                    unit,
                    numbers_Q6,
                    lines_4N,
                    found_QC,
                    products_QC,
                    counts_Q[q],
                )
                if 2 * counts_Q[q] > room:
                    break
            for j in range(low, stop):
                if not flags_B[j - low]:
                    continue
                i, product = start + j, _value(bits_QB[q, j], shift) * factor
                rounding = unit * abs(product)
                error = _error(q, i, numbers_Q6, lines_4N) + rounding
                if product + error < _wanted(q, i, heaps_QK[q, 0], numbers_Q6, lines_4N):
                    continue
                found_QC[q, counts_Q[q]], products_QC[q, counts_Q[q]] = i, product
                counts_Q[q] += 1
                score = _score(q, i, product - error, numbers_Q6, lines_4N)
                if score > heaps_QK[q, 0]:
                    _push(heaps_QK[q], score)
        else:
            next_Q[q] = spans


@_compiled
def refine(
    first: int, last: int, chosen_N: Integers, decoder: Any, codes_VD: NDArray[Any],
    queries_QD: Floats, ids_N: Integers, unit: float, numbers_Q6: Floats, lines_4N: Floats,
    heaps_QK: Floats, found_QC: Integers, products_QC: Floats, counts_Q: Integers,
) -> None:  # fmt: skip
    """Give candidates their exact products, and drop those that are ruled out.

    The rows that are surely good come first: the others are held against their true scores.
    """
    values_D = np.empty(codes_VD.shape[1])
    for place in range(first, last):
        q = chosen_N[place]
        score = heaps_QK[q, 0]
        count = _narrow(q, score, unit, numbers_Q6, lines_4N, found_QC, products_QC, counts_Q[q])
        good = 0
        for c in range(count):
            i, product = found_QC[q, c], products_QC[q, c]
            low = product - unit * abs(product) - _error(q, i, numbers_Q6, lines_4N)
            if low >= _wanted(q, i, score, numbers_Q6, lines_4N):
                found_QC[q, c], products_QC[q, c] = found_QC[q, good], products_QC[q, good]
                found_QC[q, good], products_QC[q, good] = i, product
                good += 1
        heaps_QK[q] = -np.inf
        left = 0
        for c in range(count):
            i, product = found_QC[q, c], products_QC[q, c]
            high = product + unit * abs(product) + _error(q, i, numbers_Q6, lines_4N)
            if c >= good and high < _wanted(q, i, max(score, heaps_QK[q, 0]), numbers_Q6, lines_4N):
                continue
            product = _product(ids_N[i], decoder, codes_VD, queries_QD[q], values_D)
            found_QC[q, left], products_QC[q, left] = i, product
            left += 1
            error = _ROUNDINGS * abs(product) + _added(q, i, numbers_Q6, lines_4N)
            least = _score(q, i, product - error, numbers_Q6, lines_4N)
            if least > heaps_QK[q, 0]:
                _push(heaps_QK[q], least)
        counts_Q[q] = left


@_compiled
def tally(
    first: int, last: int, bits_QB: NDArray[Any], start: int, unit: float,
    numbers_Q6: Floats, lines_4N: Floats, spans_7S: Floats, scores_Q: Floats,
    found_QC: Integers, counts_Q: Integers, before_Q: Integers, next_Q: Integers,
) -> None:  # fmt: skip
    """Count the rows of a block that surely score above a score; note those that may reach it.

    A query of which the notes fill their room stops at a span: `next_Q` says which.
    """
    shift = 32 - 8 * bits_QB.itemsize
    spans, room = -(-bits_QB.shape[1] // SPAN), found_QC.shape[1]
    flags_B = np.empty(SPAN, dtype=np.uint8)
    for q in range(first, last):
        factor, score = numbers_Q6[q, 2], scores_Q[q]
        for s in range(next_Q[q], spans):
            next_Q[q] = s
            low, stop = s * SPAN, min((s + 1) * SPAN, bits_QB.shape[1])
            if not _in_reach(
                q, bits_QB[q, low:stop], start + low, score, unit,
                numbers_Q6, lines_4N, spans_7S, flags_B,
            ):  # fmt: skip
                continue
            if counts_Q[q] + SPAN > room:
                break
            for j in range(low, stop):
                if not flags_B[j - low]:
                    continue
                i, product = start + j, _value(bits_QB[q, j], shift) * factor
                rounding = unit * abs(product)
                error = _error(q, i, numbers_Q6, lines_4N) + rounding
                wanted = _wanted(q, i, score, numbers_Q6, lines_4N)
                if np.isfinite(score) and product - error > wanted:
                    before_Q[q] += 1
                elif not product + error < wanted:
                    found_QC[q, counts_Q[q]] = i
                    counts_Q[q] += 1
        else:
            next_Q[q] = spans
