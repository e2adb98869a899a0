"""FAISS over rows where they lie: no copy, no build, no index file."""

from concurrent.futures import ThreadPoolExecutor
from functools import cached_property, partial
from typing import Any

import faiss
import numpy as np
from numpy.typing import NDArray

from .rows import Rows, norm

# K best of V rows of width D, for Q queries; N ids to search.

_SMALLEST_PART = 4096  # rows; below, a thread costs more than it saves
_SAMPLED = 32
_FLOAT32_UNIT = 2.0**-24


class MappedIndex:
    """An inner-product index whose codes are the rows' own bytes.

    A scalar quantizer of type bf16 or fp16 stores a row as exactly the bytes that a checkpoint
    holds, so FAISS can be handed a view of the mapped file; float32 rows are a flat index. The
    products are of exact rows, in float32. A single query is searched by FAISS in one thread, so
    the rows are cut into a part for each thread.

    Parameters
    ----------
    rows : Rows
        What to search: bf16, fp16 or float32. Kept alive as long as the index, since FAISS holds
        only its address.
    longest : float
        The largest norm of a row, for the bound on the error.
    rounded : bool
        Whether `rows` are the exact ones rounded to float32.

    Examples
    --------
    >>> index = MappedIndex(Rows(np.eye(3, dtype=np.float32), "F32"), longest=1.0)
    >>> index.products(np.array([[1.0, 3.0, 2.0]]), 2)
    (array([[3., 2.]]), array([[1, 2]]))
    """

    def __init__(self, rows: Rows, *, longest: float, rounded: bool = False) -> None:
        self._rows = rows
        self._longest = longest
        self._rounded = rounded
        threads = faiss.omp_get_max_threads()
        size = max(_SMALLEST_PART, -(-rows.count // threads))
        self._starts = range(0, rows.count, size)
        self._parts = [_view(Rows(rows.codes_VD[s : s + size], rows.dtype)) for s in self._starts]
        # A part is searched by its own thread; a team of FAISS's own below it would only wait.
        self._threads = ThreadPoolExecutor(
            threads, initializer=faiss.omp_set_num_threads, initargs=(1,)
        )

    @property
    def count(self) -> int:
        """V, the number of rows."""
        return self._rows.count

    @cached_property
    def sample(self) -> "MappedIndex":
        """An index over the first 1/32 of the rows, with the same ids.

        The frequent tokens of most vocabularies stand there.
        """
        first = Rows(self._rows.codes_VD[: -(-self.count // _SAMPLED)], self._rows.dtype)
        return MappedIndex(first, longest=self._longest, rounded=self._rounded)

    def error(self, query_norm: float) -> float:
        """Bound the error of a product, for a query of this norm.

        With u = 2⁻²⁴ and γₙ = nu/(1 - nu), a sum of D products in any order, of values of which one
        was rounded before, is off by at most γ₍D+1₎ Σ|xᵢqᵢ| (Higham, *Accuracy and Stability of
        Numerical Algorithms*, 2nd ed., section 3.1), and Σ|xᵢqᵢ| ≤ ‖x‖‖q‖. One rounding more covers
        the float64 sum that it is compared with, and one more rows that were rounded too. The other
        terms cover what is below the normal range: in float32, of a query of a norm below a half
        its values, those of rounded rows, and their products; in float64 the products.

        Examples
        --------
        >>> MappedIndex(Rows(np.eye(3, dtype=np.float32), "F32"), longest=1.0).error(1.0) < 3e-7
        True
        """
        n = self._rows.width + 2 + self._rounded
        gamma = n * _FLOAT32_UNIT / (1 - n * _FLOAT32_UNIT)
        small = 8 * n * float(np.finfo(np.float32).tiny) * (self._longest + 2)
        smallest = n * float(np.finfo(np.float64).tiny)
        return query_norm * (gamma * self._longest + small) + smallest

    def products(
        self, queries_QD: NDArray[np.float64], k: int, *, among_N: NDArray[np.int64] | None = None
    ) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """Give the k largest products of each query with the rows, computed in float32.

        Each query is brought to a norm below a half by a power of two, and its products are brought
        back, so that no sum can overflow, whatever the query's length.

        Parameters
        ----------
        queries_QD : ndarray
            Shape (Q, D), finite; rounded to float32.
        k : int
            How many, at most the number of rows searched; may be zero.
        among_N : ndarray of int64, optional
            The ids to search, without repeats; all where it is None.

        Returns
        -------
        products_QK : ndarray of float64
            Shape (Q, K), descending. Which of several equal products come, and in what order, is
            FAISS's choice.
        ids_QK : ndarray of int64
            Their rows.
        """
        if not k:
            return np.empty((len(queries_QD), 0)), np.empty((len(queries_QD), 0), dtype=np.int64)
        chosen_V = None
        if among_N is not None:
            chosen_V = np.zeros(self.count, dtype=bool)
            chosen_V[among_N] = True
        _, exponents_Q = np.frexp(norm(queries_QD))
        exponents_Q1 = exponents_Q[:, None] + 1
        queries = np.ascontiguousarray(np.ldexp(queries_QD, -exponents_Q1), dtype=np.float32)

        search = partial(self._search, queries, k, chosen_V)
        found = list(self._threads.map(search, range(len(self._parts))))
        products_QC = np.concatenate([products for products, _ in found], axis=1)
        ids_QC = np.concatenate([ids for _, ids in found], axis=1)
        order_QK = np.argsort(-products_QC, axis=1, kind="stable")[:, :k]
        return (
            np.ldexp(
                np.take_along_axis(products_QC, order_QK, axis=1), exponents_Q1, dtype=np.float64
            ),
            np.take_along_axis(ids_QC, order_QK, axis=1),
        )

    def _search(
        self,
        queries_QD: NDArray[np.float32],
        k: int,
        chosen_V: NDArray[np.bool_] | None,
        place: int,
    ) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """Search one part, in a thread.

        It is a method so that the rows live as long as the thread: after Ctrl-C nobody waits.
        """
        start, part = self._starts[place], self._parts[place]
        parameters = None
        chosen = chosen_V is None or chosen_V[start : start + part.ntotal]
        if not np.all(chosen):
            bits = np.packbits(chosen, bitorder="little")
            parameters = faiss.SearchParameters(sel=faiss.IDSelectorBitmap(bits))
        products, ids = part.search(queries_QD, min(k, part.ntotal), params=parameters)
        ids[ids >= 0] += start
        # Where a part holds fewer, the last have the lowest product and the id -1.
        return products, ids


def _view(rows: Rows) -> Any:
    """Make a FAISS index of a view of rows."""
    if rows.dtype == "F32":
        index = faiss.IndexFlatIP(rows.width)
    else:
        quantizer = faiss.ScalarQuantizer
        kind = {"BF16": quantizer.QT_bf16, "F16": quantizer.QT_fp16}[rows.dtype]
        index = faiss.IndexScalarQuantizer(rows.width, kind, faiss.METRIC_INNER_PRODUCT)
    nobody = faiss.MaybeOwnedVectorUInt8().owner  # an empty shared_ptr: FAISS frees nothing
    index.codes = faiss.MaybeOwnedVectorUInt8.create_view(
        faiss.swig_ptr(rows.codes_VD.view(np.uint8)), rows.codes_VD.nbytes, nobody
    )
    index.ntotal = rows.count
    index.is_trained = True
    return index
