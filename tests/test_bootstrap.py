"""Intervals by resampling, and what scikit-learn says of the same scores."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score, roc_auc_score
from unembed.errors import UsageError
from unembed.geometry.evaluation.bootstrap import (
    auroc,
    auroc_interval,
    average_precision,
    average_precision_interval,
    interval,
    pairs_interval,
)


def theirs(
    function: object, present_N: NDArray[np.float64], absent_N: NDArray[np.float64]
) -> float:
    labels = np.repeat([1, 0], [len(present_N), len(absent_N)])
    return float(function(labels, np.concatenate([present_N, absent_N])))  # type: ignore[operator]


@given(
    pairs=st.lists(
        st.tuples(st.integers(-3, 3), st.integers(-3, 3)), min_size=1, max_size=20
    )  # few values: many ties
)
def test_areas_are_those_of_scikit_learn(pairs: list[tuple[int, int]]) -> None:
    present_N, absent_N = np.array(pairs, dtype=np.float64).T
    assert auroc(present_N, absent_N) == pytest.approx(theirs(roc_auc_score, present_N, absent_N))
    assert average_precision(present_N, absent_N) == pytest.approx(
        theirs(average_precision_score, present_N, absent_N)
    )


@pytest.mark.parametrize(
    ("bound", "function"),
    [(auroc_interval, roc_auc_score), (average_precision_interval, average_precision_score)],
)
def test_pairs_are_drawn_together(bound: object, function: object) -> None:
    """Each draw is what scikit-learn says of the pairs drawn, repeats and all."""
    rng = np.random.default_rng(1)
    present_N, absent_N = rng.normal(0.4, 1, 60).round(1), rng.normal(0, 1, 60).round(1)
    drawn_RN = np.random.default_rng(7).integers(60, size=(200, 60))
    wanted = [theirs(function, present_N[drawn_N], absent_N[drawn_N]) for drawn_N in drawn_RN]
    found = bound(present_N, absent_N, seed=7, draws=200)  # type: ignore[operator]
    assert found == pytest.approx(np.quantile(wanted, [0.025, 0.975]))


def test_an_interval_of_a_mean_is_near_the_normal_one() -> None:
    values_N = np.random.default_rng(0).normal(5, 2, 2000)
    low, high = interval(values_N)
    error = 1.96 * values_N.std() / np.sqrt(2000)
    assert low == pytest.approx(values_N.mean() - error, abs=error / 5)
    assert high == pytest.approx(values_N.mean() + error, abs=error / 5)


def test_the_same_seed_gives_the_same_interval() -> None:
    values_N = np.arange(30.0) ** 2
    assert interval(values_N, seed=3) == interval(values_N, seed=3)
    assert interval(values_N, seed=3) != interval(values_N, seed=4)


def test_any_statistic_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    values_N = np.arange(31.0)
    values_N[0] = 1e9

    def median(values_RN: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(np.median(values_RN, axis=-1))

    low, high = interval(values_N, median)
    assert 8 < low < 17 < high < 25
    # Draws come in blocks, which change nothing.
    monkeypatch.setattr("unembed.geometry.evaluation.bootstrap._BLOCK_VALUES", 100)
    assert interval(values_N, median) == (low, high)


def test_one_value_has_an_interval_of_one_point() -> None:
    assert interval(np.array([2.0])) == (2.0, 2.0)


def test_nothing_has_no_interval() -> None:
    none, one, two = np.empty(0), np.ones(1), np.ones(2)
    with pytest.raises(UsageError, match="at least one"):
        interval(none)
    with pytest.raises(UsageError, match="draws is 0; it must be at least 1"):
        interval(one, draws=0)
    for function in (auroc, average_precision, auroc_interval, average_precision_interval):
        for present_N, absent_N in ((none, none), (one, two)):
            with pytest.raises(UsageError, match="they come in pairs"):
                function(present_N, absent_N)


def test_pairs_are_drawn_and_not_questions() -> None:
    """All questions of a pair are right or wrong together: they tell as much as one."""
    rng = np.random.default_rng(0)
    pairs_N2 = np.array([(one, other) for one in range(20) for other in range(20) if one != other])
    right_P = rng.random(20) < 0.5
    values_N = right_P[pairs_N2[:, 0]].astype(np.float64)
    low, high = pairs_interval(values_N, pairs_N2, np.zeros(20, dtype=np.int64))
    plain = interval(values_N)
    assert low < values_N.mean() < high
    assert high - low > 3 * (plain[1] - plain[0])
    assert pairs_interval(values_N, pairs_N2, np.zeros(20, dtype=np.int64)) == (low, high)


def test_pairs_that_are_never_drawn_together_leave_the_mean() -> None:
    found = pairs_interval(np.array([1.0]), np.array([[0, 1]]), np.array([0, 1]))
    assert found == (1.0, 1.0)
