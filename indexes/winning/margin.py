"""The vector that has the widest margin between one row and some others, and the proof of none.

Importing it imports numba.
"""

import numpy as np

from ..scoring import Floats, compiled

# S steps from other rows to one, of width E.

_ENOUGH = 0.95  # of the margin that is asked: what is found is tried on all rows anyway
_TURNS = 60
_INNER = 20  # rounds over the steps that hold the vector, for each over all
_PIVOTS = 10  # for each step, of the exact solution


def widest(steps_SE: Floats, asked_S: Floats, weights_S: Floats) -> tuple[Floats, bool]:
    """Look for the shortest vector that has a product of at least what is asked with each step.

    It is the sum of the steps by weights of zero or more, which are its multipliers: those of a
    support vector machine without an intercept, found by coordinate descent (Hsieh, Chang, Lin,
    Keerthi and Sundararajan 2008, *A dual coordinate descent method for large-scale linear SVM*).

    Parameters
    ----------
    steps_SE : ndarray of float64
        What the row has more than each of the others.
    asked_S : ndarray of float64
        The products that are asked: 1, or 0 where a product may be zero.
    weights_S : ndarray of float64
        Where to start; it is given the weights that were found.

    Returns
    -------
    vector_E : ndarray of float64
        The best so far.
    found : bool
        Whether it has most of each product that is asked.

    Examples
    --------
    >>> weights_S = np.zeros(3)
    >>> widest(np.array([[2.0, 0.0], [1.0, 1.0], [4.0, 0.0]]), np.ones(3), weights_S)[1]
    True
    >>> weights_S.round(2)
    array([0. , 0.5, 0. ])
    """
    gram_SS = steps_SE @ steps_SE.T
    found: bool = _descend(gram_SS, asked_S, weights_S, gram_SS @ weights_S)
    return weights_S @ steps_SE, found


def mean_at_zero(steps_SE: Floats, asked_S: Floats) -> Floats | None:
    """Give weights by which a mean of steps comes nearest to zero; None where they are not found.

    They are those of the non-negative least squares of Lawson and Hanson (*Solving Least Squares
    Problems*, 1974, chapter 23). How near the mean comes is for the caller to see.

    Parameters
    ----------
    steps_SE, asked_S
        As for `widest`: steps of which nothing is asked may be added, and do not count as any.

    Examples
    --------
    >>> mean_at_zero(np.array([[1.0, 0.0], [-1.0, 0.0], [5.0, 5.0]]), np.ones(3)).round(6)
    array([0.5, 0.5, 0. ])
    """
    from scipy.optimize import nnls

    size = float(np.abs(steps_SE).max())
    if not size:
        return None
    sums_ES = np.vstack([steps_SE.T / size, asked_S])
    wanted_E = np.zeros(len(sums_ES))
    wanted_E[-1] = 1.0
    try:
        weights_S, _ = nnls(sums_ES, wanted_E, maxiter=_PIVOTS * len(steps_SE))
    except RuntimeError:  # it has gone round too often
        return None
    return np.asarray(weights_S, dtype=np.float64)


@compiled
def _descend(gram_SS: Floats, asked_S: Floats, weights_S: Floats, products_S: Floats) -> bool:
    """Move one weight after another to its best; tell whether the products are large enough."""
    count = len(weights_S)
    for _ in range(_TURNS):
        for turn in range(_INNER + 1):
            for i in range(count):
                if gram_SS[i, i] <= 0 or (turn and weights_S[i] == 0):
                    continue
                lacks = asked_S[i] - products_S[i]
                weight = max(0.0, weights_S[i] + lacks / gram_SS[i, i])
                moved = weight - weights_S[i]
                if moved == 0:
                    continue
                weights_S[i] = weight
                for j in range(count):
                    products_S[j] += moved * gram_SS[i, j]
        enough = True
        for i in range(count):
            if products_S[i] < asked_S[i] - (1 - _ENOUGH):
                enough = False
                break
        if enough:
            return True
    return False
