"""Whether a row can win: the largest product of all with some vector, whatever the vector."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ..exact import Measure, nearest, propose
from ..faiss import MappedIndex
from ..progress import Done
from ..rows import Rows, norm

# V rows of width D; N ids; S rows that the row must beat, of all V.

OWN, WHITENED, PROGRAMME = "own row", "whitened row", "linear programme"
EQUAL, OPEN = "equal row", "undecided"

_FIRST = 512  # rows that stand for all at first
_MORE = 256  # of those that beat the row, taken in each time
_ROUNDS = 60
MARGIN = 1e-9  # of the longest row: below it a margin is rounding
_HULL = 1e-6  # of the longest row: how near a mean of others comes to a row in their hull


@dataclass(frozen=True, eq=False)
class Verdict:
    """Whether some vector has its largest product with a row.

    Attributes
    ----------
    wins : bool or None
        None where it could not be decided.
    by : str
        How it was decided: by the row itself, by the whitened row, by a linear programme, or by an
        equal row of a lower id, which comes first; or ``undecided``.
    vector_D : ndarray of float64 or None
        With which it wins. Where rows have biases, a multiple of it that is large enough.
    others_N : ndarray of int64
        The rows whose mean it is, where it never wins: it lies in their hull.
    weights_N : ndarray of float64
        Of that mean; they add up to 1.

    Examples
    --------
    >>> Verdict(True, OWN, np.ones(2)).wins
    True
    """

    wins: bool | None
    by: str
    vector_D: NDArray[np.float64] | None = None
    others_N: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, dtype=np.int64))
    weights_N: NDArray[np.float64] = field(default_factory=lambda: np.empty(0))


def decide(
    index: MappedIndex,
    rows: Rows,
    id_: int,
    *,
    lengths_V: NDArray[np.float64],
    mean_D: NDArray[np.float64],
    whitened_D: NDArray[np.float64] | None = None,
    bias_V: NDArray[np.float64] | None = None,
    done: Done,
) -> Verdict:
    """Decide whether a row can win, by a linear programme over all rows.

    Row i wins for some h if ``(xᵢ-xⱼ)·h + bᵢ - bⱼ > 0`` for all other rows j (Demeter, Kimmel and
    Downey 2020; Grivas, Bogoychev and Lopez 2022, arXiv 2203.06462). First the row itself is tried,
    less the mean of all, and the whitened row where it is given. Then the margin is maximised
    within a box, over the rows that beat it so far, until none does, or until there is no margin:
    then the row is a mean of those rows. A win is checked against all rows exactly; equal products
    win by the lower id.

    Parameters
    ----------
    index : MappedIndex
        Over `rows`.
    rows : Rows
        V rows of width D.
    id_ : int
        Which row.
    lengths_V : ndarray of float64
        Every row's Euclidean norm, `Rows.norms`.
    mean_D : ndarray of float64
        Of the rows, or of most of them.
    whitened_D : ndarray of float64, optional
        The row less the mean, by the inverse covariance of rows: of all vectors with which the row
        has a given product more than the mean, the products of all rows vary least with this.
    bias_V : ndarray of float64, optional
        One a row.
    done : callable
        Is told how many rounds were run, of at most 60.

    Examples
    --------
    >>> rows = Rows(np.array([[1, 0], [0, 1], [-1, -1], [0.1, 0.1]], dtype=np.float32), "F32")
    >>> index, lengths_V = MappedIndex(rows, longest=2.0), rows.norms()
    >>> told = {"lengths_V": lengths_V, "mean_D": np.zeros(2), "done": lambda done, total: None}
    >>> [decide(index, rows, id_, **told).wins for id_ in range(4)]
    [True, True, True, False]
    """
    race = _Race(index, rows, id_, lengths_V, bias_V)
    if race.equal_N[0] != id_:
        return Verdict(False, EQUAL, None, race.equal_N[:1], np.ones(1))
    beaten_N = np.empty(0, dtype=np.int64)
    for by, tried_D in ((OWN, race.row_D - mean_D), (WHITENED, whitened_D)):
        if tried_D is not None:
            ahead_N = race.ahead(tried_D, 0.0, _FIRST)
            if not len(ahead_N):
                return Verdict(True, by, tried_D)
            beaten_N = np.union1d(beaten_N, ahead_N)
    for round_ in range(_ROUNDS):
        done(round_, _ROUNDS)
        vector_D, scale, margin, weights_S = race.programme(beaten_N)
        if margin <= MARGIN * race.longest:
            kept_S = weights_S > 0
            if not race.is_mean(beaten_N[kept_S], weights_S[kept_S]):
                break
            return Verdict(False, PROGRAMME, None, beaten_N[kept_S], weights_S[kept_S])
        ahead_N = race.ahead(vector_D, scale, _MORE)
        if not len(ahead_N):
            return Verdict(True, PROGRAMME, vector_D / scale if scale > 0 else vector_D)
        more_N = np.setdiff1d(ahead_N, beaten_N)
        if not len(more_N):  # it beats them by less than rounding
            break
        beaten_N = np.append(beaten_N, more_N)
    return Verdict(None, OPEN)


class _Race:
    """A row against all others."""

    def __init__(
        self,
        index: MappedIndex,
        rows: Rows,
        id_: int,
        lengths_V: NDArray[np.float64],
        bias_V: NDArray[np.float64] | None,
    ) -> None:
        self._index, self._rows, self._bias_V = index, rows, bias_V
        largest_bias = 0.0 if bias_V is None else float(np.abs(bias_V).max())
        self.longest = max(float(lengths_V.max()), largest_bias)
        self.row_D = rows.decode(np.array([id_]))[0]
        self._own_bias = 0.0 if bias_V is None else float(bias_V[id_])
        alike_N = np.flatnonzero(lengths_V == lengths_V[id_])
        if bias_V is not None:
            alike_N = alike_N[bias_V[alike_N] == self._own_bias]
        self.equal_N = alike_N[(rows.decode(alike_N) == self.row_D).all(axis=1)]

    def ahead(self, vector_D: NDArray[np.float64], scale: float, most: int) -> NDArray[np.int64]:
        """Give the rows that are not beaten, the furthest ahead first; equal rows aside.

        Biases count `scale` times.
        """
        bias_V = None if self._bias_V is None else scale * self._bias_V
        measure = Measure(vector_D, bias_V=bias_V)
        k = most + len(self.equal_N)
        (proposal,) = propose(self._index, [measure], k)
        scores_K, ids_K = nearest(self._index, self._rows, measure, proposal, k)
        own = float(measure.scores(self._rows, self.equal_N[:1])[0])
        return ids_K[(scores_K >= own) & ~np.isin(ids_K, self.equal_N)]

    def programme(
        self, others_S: NDArray[np.int64]
    ) -> tuple[NDArray[np.float64], float, float, NDArray[np.float64]]:
        """Maximise the margin over some rows: give the vector, the biases' scale, the margin.

        And what each row counts in the bound on it.
        """
        from scipy.optimize import linprog

        steps_SD = self._steps(others_S)
        count, width = steps_SD.shape
        # What is sought: h in the box, how much biases count, the margin, which is maximised.
        sought = np.zeros(width + 1)
        sought[-1] = -1.0
        limits = [(-1.0, 1.0)] * len(self.row_D)
        if self._bias_V is not None:
            limits.append((0.0, 1.0))
        found = linprog(
            sought,
            A_ub=np.hstack([-steps_SD, np.ones((count, 1))]),
            b_ub=np.zeros(count),
            bounds=[*limits, (None, None)],
            method="highs",
        )
        vector_D = found.x[: len(self.row_D)]
        scale = float(found.x[-2]) if self._bias_V is not None else 0.0
        weights_S = np.maximum(-found.ineqlin.marginals, 0.0)
        return vector_D, scale, float(found.x[-1]), weights_S / max(weights_S.sum(), 1e-300)

    def is_mean(self, others_S: NDArray[np.int64], weights_S: NDArray[np.float64]) -> bool:
        """Check that the row is a mean of others, whose mean bias is no less than its own."""
        off_D = weights_S @ self._steps(others_S)
        near = float(norm(off_D[: len(self.row_D)])) <= _HULL * self.longest
        return near and (self._bias_V is None or float(off_D[-1]) <= _HULL * self.longest)

    def _steps(self, others_S: NDArray[np.int64]) -> NDArray[np.float64]:
        """Give what the row has more than others: of products, and of biases where there are."""
        steps_SD: NDArray[np.float64] = self.row_D - self._rows.decode(others_S)
        if self._bias_V is None:
            return steps_SD
        return np.column_stack([steps_SD, self._own_bias - self._bias_V[others_S]])
