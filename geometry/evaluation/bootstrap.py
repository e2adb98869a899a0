"""What a figure may be off by: percentile bootstrap, over questions or pairs."""

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from ...errors import UsageError

# N questions or pairs; R draws of them, in blocks. counts_RN: how often each was drawn.

Statistic = Callable[[NDArray[np.float64]], NDArray[np.float64]]
"""Values, shape (R, N), to one number for each draw, shape (R,)."""

DRAWS = 1000
_BOUNDS = (0.025, 0.975)
_BLOCK_VALUES = 1 << 21


def mean(values_RN: NDArray[np.float64]) -> NDArray[np.float64]:
    """Give the mean of every draw.

    Examples
    --------
    >>> mean(np.array([[1.0, 2.0], [3.0, 5.0]]))
    array([1.5, 4. ])
    """
    means_R: NDArray[np.float64] = values_RN.mean(axis=-1)
    return means_R


def interval(
    values_N: NDArray[np.float64], statistic: Statistic = mean, *, seed: int = 0, draws: int = DRAWS
) -> tuple[float, float]:
    """Give a 95% percentile bootstrap interval of a statistic.

    Questions are drawn again, with replacement, as many as there are; the interval holds the middle
    95% of what the statistic is on the draws (Efron and Tibshirani 1993, *An Introduction to the
    Bootstrap*, chapter 13).

    Parameters
    ----------
    values_N : ndarray of float64
        One a question, shape (N,).
    statistic : callable
        Takes draws, shape (R, N), to shape (R,): `mean`, or for example a median over the last
        axis.
    seed : int
        The same seed gives the same interval.
    draws : int
        How many times.

    Returns
    -------
    low, high : float
        In the statistic's unit.

    Raises
    ------
    UsageError
        There are no values, or less than one draw is asked for.

    Examples
    --------
    >>> interval(np.array([0.0, 1.0, 1.0, 1.0]))
    (0.25, 1.0)
    """
    found = [statistic(values_N[drawn_RN]) for drawn_RN in _draws(len(values_N), seed, draws)]
    return _middle(np.concatenate(found))


def pairs_interval(
    values_N: NDArray[np.float64],
    pairs_N2: NDArray[np.int64],
    groups_P: NDArray[np.int64],
    *,
    seed: int = 0,
    draws: int = DRAWS,
) -> tuple[float, float]:
    """Give a 95% bootstrap interval of the mean over questions that are made of two pairs each.

    Questions that share a pair are not independent, so pairs are drawn, with replacement, as many
    of each group as it has; a question counts as often as its two pairs were drawn together.

    Parameters
    ----------
    values_N : ndarray of float64
        One a question, shape (N,).
    pairs_N2 : ndarray of int64
        The two pairs of each question, from 0 to P - 1.
    groups_P : ndarray of int64
        The group of each pair.
    seed, draws : int
        As in `interval`.

    Examples
    --------
    >>> pairs_N2 = np.array([[0, 1], [1, 0]])
    >>> pairs_interval(np.array([0.0, 1.0]), pairs_N2, np.array([0, 0]))
    (0.5, 0.5)
    """
    rng = np.random.default_rng(seed)
    sizes = np.bincount(groups_P)
    places = [np.flatnonzero(groups_P == group) for group in np.flatnonzero(sizes)]
    found, step = [], max(1, _BLOCK_VALUES // max(len(values_N), len(groups_P)))
    for start in range(0, draws, step):
        count = min(step, draws - start)
        counts_RP = np.zeros((count, len(groups_P)))
        for chosen in places:
            even = np.full(len(chosen), 1 / len(chosen))
            counts_RP[:, chosen] = rng.multinomial(len(chosen), even, size=count)
        weights_RN = counts_RP[:, pairs_N2[:, 0]] * counts_RP[:, pairs_N2[:, 1]]
        totals_R = weights_RN.sum(axis=1)
        drawn_R = totals_R > 0  # of very few pairs none may be drawn together
        found.append((weights_RN @ values_N)[drawn_R] / totals_R[drawn_R])
    means = np.concatenate(found)
    return _middle(means if len(means) else np.array([values_N.mean()]))


def auroc(present_N: NDArray[np.float64], absent_N: NDArray[np.float64]) -> float:
    """Give the area under the ROC curve: how often a present one scores above an absent one.

    Equal scores count half (Mann and Whitney's U over N²).

    Parameters
    ----------
    present_N, absent_N : ndarray of float64
        Scores in pairs, shape (N,).

    Returns
    -------
    float
        Between 0 and 1; 0.5 where scores tell nothing.

    Raises
    ------
    UsageError
        There are no pairs, or not as many of the one as of the other.

    Examples
    --------
    >>> auroc(np.array([3.0, 1.0]), np.array([1.0, 0.0]))
    0.875
    """
    return float(_aurocs(present_N, absent_N, _once(present_N, absent_N))[0])


def auroc_interval(
    present_N: NDArray[np.float64],
    absent_N: NDArray[np.float64],
    *,
    seed: int = 0,
    draws: int = DRAWS,
) -> tuple[float, float]:
    """Give a 95% percentile bootstrap interval of `auroc`: pairs are drawn, not scores.

    Parameters and errors are those of `auroc` and `interval`.

    Examples
    --------
    >>> auroc_interval(np.array([3.0, 1.0]), np.array([1.0, 0.0]))
    (0.875, 1.0)
    """
    counts = _counts(present_N, absent_N, seed, draws)
    return _middle(np.concatenate([_aurocs(present_N, absent_N, block) for block in counts]))


def average_precision(present_N: NDArray[np.float64], absent_N: NDArray[np.float64]) -> float:
    """Give the average precision: Σₙ (Rₙ - Rₙ₋₁) Pₙ over the thresholds n, as scikit-learn does.

    Rₙ is the part of the present ones that score at least as high as the threshold, Pₙ the part
    that is present of all that do; each score is a threshold once, from the highest down.

    Parameters
    ----------
    present_N, absent_N : ndarray of float64
        Scores in pairs, shape (N,).

    Returns
    -------
    float
        Between 0 and 1; near 0.5 where scores tell nothing.

    Raises
    ------
    UsageError
        There are no pairs, or not as many of the one as of the other.

    Examples
    --------
    >>> round(average_precision(np.array([3.0, 1.0]), np.array([1.0, 0.0])), 4)
    0.8333
    """
    return float(_average_precisions(present_N, absent_N, _once(present_N, absent_N))[0])


def average_precision_interval(
    present_N: NDArray[np.float64],
    absent_N: NDArray[np.float64],
    *,
    seed: int = 0,
    draws: int = DRAWS,
) -> tuple[float, float]:
    """Give a 95% percentile bootstrap interval of `average_precision`: pairs are drawn.

    Parameters and errors are those of `average_precision` and `interval`.

    Examples
    --------
    >>> average_precision_interval(np.array([3.0, 2.0]), np.array([1.0, 0.0]))
    (1.0, 1.0)
    """
    counts = _counts(present_N, absent_N, seed, draws)
    found = [_average_precisions(present_N, absent_N, block_RN) for block_RN in counts]
    return _middle(np.concatenate(found))


def _draws(count: int, seed: int, draws: int) -> Iterator[NDArray[np.int64]]:
    """Draw questions by their places, in blocks of draws, shape (R, N)."""
    if not count:
        raise UsageError("there are no values to draw from; an interval needs at least one")
    if draws < 1:
        raise UsageError(f"draws is {draws}; it must be at least 1")
    rng = np.random.default_rng(seed)
    step = max(1, _BLOCK_VALUES // count)
    for start in range(0, draws, step):
        yield rng.integers(count, size=(min(step, draws - start), count))


def _once(present_N: NDArray[np.float64], absent_N: NDArray[np.float64]) -> NDArray[np.float64]:
    """Take each pair once, shape (1, N)."""
    if len(present_N) != len(absent_N) or not len(present_N):
        raise UsageError(
            f"{len(present_N)} scores of what is present and {len(absent_N)} of what is absent; "
            "they come in pairs, at least one"
        )
    return np.ones((1, len(present_N)))


def _counts(
    present_N: NDArray[np.float64], absent_N: NDArray[np.float64], seed: int, draws: int
) -> Iterator[NDArray[np.float64]]:
    """Draw pairs; give how often each was drawn, in blocks of draws."""
    _once(present_N, absent_N)
    count = len(present_N)
    for drawn_RN in _draws(count, seed, draws):
        rows = len(drawn_RN)
        places = drawn_RN + count * np.arange(rows)[:, None]
        flat = np.bincount(places.ravel(), minlength=rows * count)
        yield flat.reshape(rows, count).astype(np.float64)


def _aurocs(
    present_N: NDArray[np.float64], absent_N: NDArray[np.float64], counts_RN: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Give the area of every draw: absent ones below a present one, and half of its equals."""
    order_N = np.argsort(absent_N, kind="stable")
    sorted_N = absent_N[order_N]
    below_RM = np.pad(np.cumsum(counts_RN[:, order_N], axis=1), ((0, 0), (1, 0)))
    lows_N = np.searchsorted(sorted_N, present_N, side="left")
    highs_N = np.searchsorted(sorted_N, present_N, side="right")
    passed_RN = (below_RM[:, lows_N] + below_RM[:, highs_N]) / 2
    areas_R: NDArray[np.float64] = (counts_RN * passed_RN).sum(axis=1) / len(present_N) ** 2
    return areas_R


def _average_precisions(
    present_N: NDArray[np.float64], absent_N: NDArray[np.float64], counts_RN: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Give the average precision of every draw; a threshold that was not drawn adds nothing."""
    count = len(present_N)
    scores = np.concatenate([present_N, absent_N])
    order = np.argsort(-scores, kind="stable")
    ends = np.flatnonzero(np.append(np.diff(scores[order]) != 0, True))
    none_RN = np.zeros_like(counts_RN)
    drawn = np.concatenate([counts_RN, counts_RN], axis=1)[:, order]
    hits = np.concatenate([counts_RN, none_RN], axis=1)[:, order]
    reached, found = np.cumsum(drawn, axis=1)[:, ends], np.cumsum(hits, axis=1)[:, ends]
    precisions = found / np.maximum(reached, 1)  # where nothing is reached nothing is found
    gained = np.diff(found, axis=1, prepend=0) / count
    averages_R: NDArray[np.float64] = (gained * precisions).sum(axis=1)
    return averages_R


def _middle(statistics: NDArray[np.float64]) -> tuple[float, float]:
    """Give the middle 95%."""
    low, high = np.quantile(statistics, _BOUNDS)
    return float(low), float(high)
