"""FAISS over rows where they lie: no copy, no build, no index file."""

import faiss
import numpy as np
from numpy.typing import NDArray

from .rows import Rows

# K best of V rows of width D.


class MappedIndex:
    """An inner-product index whose codes are the rows' own bytes.

    A scalar quantizer of type bf16 or fp16 stores a row as exactly the bytes that a checkpoint
    holds, so FAISS can be handed a view of the mapped file; float32 rows are a flat index. The
    products are of exact rows, in float32.

    Parameters
    ----------
    rows : Rows
        What to search. Kept alive as long as the index, since FAISS holds only its address.

    Examples
    --------
    >>> rows = Rows(np.eye(3, dtype=np.float32), "F32")
    >>> MappedIndex(rows).products(np.array([1.0, 3.0, 2.0]), 2)
    (array([3., 2.], dtype=float32), array([1, 2]))
    """

    def __init__(self, rows: Rows) -> None:
        self._rows = rows
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
        self._index = index

    def products(
        self, query_D: NDArray[np.float64], k: int, *, among_N: NDArray[np.int64] | None = None
    ) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """Give the k largest products of a query with the rows.

        Parameters
        ----------
        query_D : ndarray
            Shape (D,); rounded to float32.
        k : int
            How many, at most the number of rows searched.
        among_N : ndarray of int64, optional
            The ids to search; all where it is None.

        Returns
        -------
        products_K : ndarray of float32
            Descending. Which of several equal products come, and in what order, is FAISS's choice.
        ids_K : ndarray of int64
            Their rows.
        """
        parameters = None
        if among_N is not None:
            chosen_V = np.zeros(self._rows.count, dtype=bool)
            chosen_V[among_N] = True
            bits = np.packbits(chosen_V, bitorder="little")
            parameters = faiss.SearchParameters(sel=faiss.IDSelectorBitmap(bits))
        query_1D = np.ascontiguousarray(query_D[None], dtype=np.float32)
        products_1K, ids_1K = self._index.search(query_1D, k, params=parameters)
        return products_1K[0], ids_1K[0]
