"""All rows of which each may win, and vectors that are tried for many of them at once.

See docs/winning.md for the proofs.
"""

from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ..batch import nearest_each
from ..exact import Measure
from ..moments import Fold, mean, moments
from ..progress import Done, step_of
from ..rows import Rows, norm, united
from .one import MARGIN

# V rows of width D; N of them in the field; Q rows that are tried; K that come first; S others; E
# values of a whitened row: D, and one for its bias where there are biases.

_AROUND = 2.0**-30  # of a distance from the mean: more than its rounding
_FLATTEST = 2.0**-40  # of the largest variance: below it a direction is rounding
_SUM = 2.0**-49  # twice what a product in float64 is off by, for each of its terms
_FAINT = 2.0**-20  # of the products: biases that count for less are left out


class Field:
    """Distinct rows, of which each is held against all others.

    Parameters
    ----------
    rows : Rows
        V rows of width D.
    ids_N : ndarray of int64
        Those that do not equal another.
    lengths_V : ndarray of float64
        Every row's Euclidean norm, `Rows.norms`.
    bias_V : ndarray of float64, optional
        One a row.

    Examples
    --------
    >>> rows = Rows(np.array([[1, 0], [0, 1], [-1, -1], [0.1, 0.1]], dtype=np.float32), "F32")
    >>> field = Field(rows, np.arange(4), lengths_V=rows.norms())
    >>> field.by_own(np.arange(4), lambda done, total: None)
    array([ 1,  1,  1, -1], dtype=int8)
    """

    def __init__(
        self,
        rows: Rows,
        ids_N: NDArray[np.int64],
        *,
        lengths_V: NDArray[np.float64],
        bias_V: NDArray[np.float64] | None = None,
    ) -> None:
        self.rows, self.bias_V = rows, bias_V
        self.mean_D = mean(rows, ids_N)
        self._ids_N, self._lengths_V = ids_N, lengths_V
        self._longest = float(lengths_V.max())
        self._largest_bias = 0.0 if bias_V is None else float(np.abs(bias_V).max())
        self._largest = max(self._longest, self._largest_bias)

    @cached_property
    def order_N(self) -> NDArray[np.int64]:
        """The ids, those furthest from the mean first."""
        return self._ids_N[np.lexsort((self._ids_N, -self._distances_V[self._ids_N]))]

    def by_own(self, ids_Q: NDArray[np.int64], done: Done) -> NDArray[np.int8]:
        """Try rows less the mean: 1 where that proves a win, else -1.

        With it a row is beaten by none that lies nearer to the mean (Cauchy and Schwarz), so it
        meets the others only.
        """
        order_N, nearest = self.order_N, float(self._distances_V[ids_Q].min())
        further = np.searchsorted(
            -self._distances_V[order_N], -nearest * (1 - _AROUND), side="right"
        )
        queries_QD = self.rows.decode(ids_Q) - self.mean_D
        won_Q, _ = self._first(queries_QD, ids_Q, 2, among_N=order_N[:further], done=done)
        return np.where(won_Q, 1, -1).astype(np.int8)

    def by_whitened(self, ids_Q: NDArray[np.int64], done: Done) -> NDArray[np.int8]:
        """Try whitened rows, with which the products of all vary least: 1 where one wins."""
        won_Q, _ = self.tried(self.whitened(ids_Q), ids_Q, 2, done=done)
        return np.where(won_Q, 1, -1).astype(np.int8)

    def whitened(self, ids_N: NDArray[np.int64]) -> NDArray[np.float64]:
        """Give rows less the mean, in coordinates in which all rows vary alike, shape (N, E)."""
        whitened_ND = (self.rows.decode(ids_N) - self.mean_D) @ self._map_DD
        if self.bias_V is None:
            return whitened_ND
        biases_N = (self.bias_V[ids_N] - self._mean_bias) / self._bias_spread
        return np.column_stack([whitened_ND, biases_N])

    def tried(
        self, vectors_QE: NDArray[np.float64], ids_Q: NDArray[np.int64], k: int, *, done: Done
    ) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
        """Try a vector of these coordinates for each of some rows.

        Its last value is how much biases count, where there are biases: below zero they do not.

        Returns
        -------
        won_Q : ndarray of bool
            Whether the row comes first, before all others.
        ids_QK : ndarray of int64
            The rows that come first.
        """
        queries_QD = vectors_QE[:, : self.rows.width] @ self._map_DD.T
        if self.bias_V is None:
            return self._first(united(queries_QD), ids_Q, k, done=done)
        scales_Q = vectors_QE[:, -1] / self._bias_spread
        counts_Q = scales_Q * self._largest_bias > _FAINT * norm(queries_QD) * self._longest
        won_Q = np.zeros(len(ids_Q), dtype=bool)
        found_QK = np.empty((len(ids_Q), min(k, len(self._ids_N))), dtype=np.int64)
        for counts in (False, True):
            some_Q = np.flatnonzero(counts_Q == counts)
            if len(some_Q):
                some_QD = united(queries_QD[some_Q])
                if counts:  # by as much as they do in logits
                    some_QD = queries_QD[some_Q] / scales_Q[some_Q, None]
                won_Q[some_Q], found_QK[some_Q] = self._first(
                    some_QD, ids_Q[some_Q], k, bias_V=self.bias_V if counts else None, done=done
                )
        return won_Q, found_QK

    def is_mean(
        self, id_: int, others_S: NDArray[np.int64], weights_S: NDArray[np.float64]
    ) -> bool:
        """Check that a row is a mean of others, whose mean bias is no less than its own.

        It is one so nearly that the linear programme, too, would find no margin.

        Parameters
        ----------
        id_ : int
            The row.
        others_S : ndarray of int64
            The others.
        weights_S : ndarray of float64
            How much the mean of all counts, which is one of the others but for the row's own share;
            then how much each other does.
        """
        total = float(weights_S.sum())
        if not total > 0:
            return False
        row_D, near = self.rows.decode(np.array([id_]))[0], MARGIN * self._largest / 2
        steps_SD = row_D - np.vstack([self.mean_D, self.rows.decode(others_S)])
        off_D = weights_S @ steps_SD / total
        if not float(norm(off_D)) * np.sqrt(len(off_D)) <= near:
            return False
        if self.bias_V is None:
            return True
        biases_S = np.append(self._mean_bias, self.bias_V[others_S])
        return bool(weights_S @ (self.bias_V[id_] - biases_S) / total <= near)

    def _first(
        self,
        queries_QD: NDArray[np.float64],
        ids_Q: NDArray[np.int64],
        k: int,
        *,
        among_N: NDArray[np.int64] | None = None,
        bias_V: NDArray[np.float64] | None = None,
        done: Done,
    ) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
        """Give the rows that come first with each query, and whether the row itself surely does."""
        scores_QK, found_QK = nearest_each(
            self.rows,
            [Measure(query_D, bias_V=bias_V) for query_D in queries_QD],
            k,
            lengths_V=self._lengths_V,
            among_N=self._ids_N if among_N is None else among_N,
            done=done,
        )
        won_Q = found_QK[:, 0] == ids_Q
        if scores_QK.shape[1] > 1:
            width, biases = self.rows.width, 0.0 if bias_V is None else self._largest_bias
            slack_Q = (width + 4) * _SUM * (norm(queries_QD) * self._longest + biases)
            slack_Q += width * float(np.finfo(np.float64).tiny)
            won_Q &= scores_QK[:, 0] - scores_QK[:, 1] > slack_Q
        return won_Q, found_QK

    @cached_property
    def _distances_V(self) -> NDArray[np.float64]:
        """How far each row lies from the mean."""
        distances_V = np.empty(self.rows.count)
        for places, block_ND in self.rows.blocks(np.arange(self.rows.count)):
            distances_V[places] = norm(block_ND - self.mean_D)
        return distances_V

    @cached_property
    def _map_DD(self) -> NDArray[np.float64]:
        """What whitens the rows, and takes vectors back."""
        found = moments(self.rows, self._ids_N, Fold(), done=step_of(None, ""))
        values_D, vectors_DD = np.linalg.eigh(found.covariance_DD)
        flattest = max(_FLATTEST * float(values_D[-1]), float(np.finfo(np.float64).tiny))
        return np.asarray(vectors_DD / np.sqrt(np.maximum(values_D, flattest)))

    @cached_property
    def _mean_bias(self) -> float:
        """Of the rows that are held against each other."""
        return 0.0 if self.bias_V is None else float(self.bias_V[self._ids_N].mean())

    @cached_property
    def _bias_spread(self) -> float:
        """The standard deviation of biases; 1 where there is none."""
        return 1.0 if self.bias_V is None else float(self.bias_V[self._ids_N].std()) or 1.0
