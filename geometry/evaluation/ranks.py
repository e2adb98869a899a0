"""How high the right answers come."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .bootstrap import interval

# N questions; Q queries, C candidates.


@dataclass(frozen=True)
class Ranks:
    """How high the right answers come.

    Attributes
    ----------
    n : int
        How many were asked.
    top1, top5 : float
        The share that came first, and among the first five.
    mrr : float
        The mean of 1/rank.
    ci95 : dict
        The 95% bootstrap interval of each of the three.

    Examples
    --------
    >>> Ranks.of(np.array([1, 1, 2, 10])).top1
    0.5
    """

    n: int
    top1: float
    top5: float
    mrr: float
    ci95: dict[str, tuple[float, float]]

    @classmethod
    def of(cls, ranks_N: NDArray[np.int64]) -> "Ranks":
        """Sum up ranks, from 1, at least one."""
        values = {
            "top1": (ranks_N == 1).astype(np.float64),
            "top5": (ranks_N <= 5).astype(np.float64),
            "mrr": 1.0 / ranks_N,
        }
        means = {name: float(values_N.mean()) for name, values_N in values.items()}
        ci95 = {name: interval(values_N) for name, values_N in values.items()}
        return cls(n=len(ranks_N), ci95=ci95, **means)


def ranks_among(scores_QC: NDArray[np.float64]) -> NDArray[np.int64]:
    """Give the rank of each right candidate, which stands at the query's own place (Q = C).

    Candidates come by their ids: of equal scores the lower one comes first.

    Examples
    --------
    >>> ranks_among(np.array([[1.0, 1.0], [1.0, 1.0]]))
    array([1, 2])
    """
    right_Q1 = np.diag(scores_QC)[:, None]
    before_QC = np.tri(len(scores_QC), k=-1, dtype=bool)
    above_QC = (scores_QC > right_Q1) | ((scores_QC == right_Q1) & before_QC)
    ranks_Q: NDArray[np.int64] = 1 + above_QC.sum(axis=1)
    return ranks_Q
