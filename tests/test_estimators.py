"""The laws of the maps that directions are."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn.covariance import ledoit_wolf
from unembed.geometry.concepts.estimators import (
    ESTIMATORS,
    Estimator,
    Fit,
    category,
    offset,
    procrustes,
    ridge,
)

Array = NDArray[np.float64]
Drawn = tuple[Array, Array, Array]

every = pytest.mark.parametrize("estimator", ESTIMATORS.values(), ids=ESTIMATORS)
laws = settings(deadline=None, max_examples=25)


@st.composite
def pairs(draw: st.DrawFn, fewest: int = 2, most: int = 12) -> Drawn:
    """Bases, targets that go with them in part, and weights that add up to 1."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    # At width 4 two pairs that turn round make AᵀB + λI singular: it has no one orthogonal factor.
    count, width = draw(st.integers(fewest, most)), draw(st.sampled_from([2, 3, 5, 6, 9]))
    bases, noise = rng.standard_normal((2, count, width))
    targets = bases @ rng.standard_normal((width, width)) + rng.standard_normal(width)
    weights = rng.uniform(0.1, 1.0, count)
    scale = draw(st.sampled_from([1e-6, 1.0, 1e6]))
    return scale * bases, scale * (targets + noise), weights / weights.sum()


def equal(count: int) -> Array:
    return np.full(count, 1 / count)


def assert_close(found: Array, wanted: Array) -> None:
    """To 1e-9 of the largest."""
    np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-9 * (np.abs(wanted).max() or 1.0))


def matrix(fit: Fit) -> Array:
    return np.eye(len(fit.base_D)) if fit.map_DD is None else fit.map_DD


def centred(bases: Array, targets: Array, weights: Array) -> Drawn:
    return bases - weights @ bases, targets - weights @ targets, np.diag(weights)


@every
@given(pairs())
@laws
def test_a_pair_twice_with_half_the_weight_is_the_same(estimator: Estimator, drawn: Drawn) -> None:
    bases, targets, weights = drawn
    twice = [np.concatenate([part, part[:1]]) for part in (bases, targets)]
    halves = np.concatenate([weights[:1] / 2, weights[1:], weights[:1] / 2])
    assert_close(estimator(*twice, halves)(bases), estimator(bases, targets, weights)(bases))


@every
@given(pairs(), st.integers(0, 2**32 - 1))
@laws
def test_the_order_of_pairs_is_no_matter(estimator: Estimator, drawn: Drawn, seed: int) -> None:
    bases, targets, weights = drawn
    order = np.random.default_rng(seed).permutation(len(weights))
    shuffled = estimator(bases[order], targets[order], weights[order])
    assert_close(shuffled(bases), estimator(bases, targets, weights)(bases))


@every
@given(pairs(), st.integers(0, 2**32 - 1))
@laws
def test_a_turned_space_has_the_same_direction_turned(
    estimator: Estimator, drawn: Drawn, seed: int
) -> None:
    bases, targets, weights = drawn
    width = bases.shape[1]
    turn, _ = np.linalg.qr(np.random.default_rng(seed).standard_normal((width, width)))
    turned = estimator(bases @ turn, targets @ turn, weights)
    assert_close(turned(bases @ turn), estimator(bases, targets, weights)(bases) @ turn)


@every
@given(pairs())
@laws
def test_a_scaled_space_has_the_same_direction_scaled(estimator: Estimator, drawn: Drawn) -> None:
    bases, targets, weights = drawn
    scaled = estimator(8 * bases, 8 * targets, weights)
    assert_close(scaled(8 * bases), 8 * estimator(bases, targets, weights)(bases))


@every
@given(pairs(fewest=1, most=1))
@laws
def test_one_pair_gives_what_there_is(estimator: Estimator, drawn: Drawn) -> None:
    bases, targets, weights = drawn
    fit = estimator(bases, targets, weights)
    assert np.isfinite(fit(bases)).all()
    if estimator is category:  # the target itself, for one row says nothing of its spread
        assert_close(fit.target_D - fit.base_D, targets[0])
    else:
        assert_close(fit(bases[0]), targets[0])
        assert_close(matrix(fit), np.eye(bases.shape[1]))


@every
@pytest.mark.parametrize("count", [2, 3, 5, 6, 7, 11])
@pytest.mark.parametrize("still", ["bases", "targets", "both"])
def test_what_does_not_vary_leaves_no_rounding_to_learn_from(
    estimator: Estimator, still: str, count: int
) -> None:
    rng = np.random.default_rng(count)
    bases, targets = rng.standard_normal((2, count, 5))
    same_base, same_target = np.tile(bases[0], (count, 1)), np.tile(targets[0], (count, 1))
    bases = bases if still == "targets" else same_base
    targets = targets if still == "bases" else same_target
    fit = estimator(bases, targets, equal(count))
    assert np.abs(fit(rng.standard_normal((9, 5)))).max() < 30
    if estimator is procrustes:
        assert (matrix(fit) == np.eye(5)).all()
    if estimator is category and still != "bases":
        assert_close(fit.target_D, targets[0])
    if estimator is ridge:
        moved = fit(bases[0] + np.eye(5)) - fit(bases[0])
        assert_close(moved, np.eye(5) if still != "targets" else np.zeros((5, 5)))


@given(pairs(fewest=1))
@laws
def test_the_offset_of_an_exact_translation_is_exact(drawn: Drawn) -> None:
    bases, targets, weights = drawn
    step = targets[0] - bases[0]
    assert_close(offset(bases, bases + step, weights)(targets), targets + step)


@given(pairs())
@laws
def test_the_offset_has_the_direction_of_the_mean_step_and_the_length_of_steps(
    drawn: Drawn,
) -> None:
    bases, targets, weights = drawn
    fit = offset(bases, targets, weights)
    step, mean = fit.target_D - fit.base_D, weights @ (targets - bases)
    assert_close(step / np.linalg.norm(step), mean / np.linalg.norm(mean))
    length = weights @ np.linalg.norm(targets - bases, axis=1)
    assert np.linalg.norm(step) == pytest.approx(length, rel=1e-9)
    assert_close(fit(bases) - bases, np.tile(step, (len(bases), 1)))


@given(pairs(fewest=1))
@laws
def test_steps_that_cancel_have_no_direction(drawn: Drawn) -> None:
    bases, targets, weights = drawn
    there, back = np.concatenate([bases, targets]), np.concatenate([targets, bases])
    fit = offset(there, back, np.concatenate([weights, weights]) / 2)
    assert (fit.target_D == fit.base_D).all()
    cycle = np.eye(3)  # a to b, b to c, c to a
    around = offset(cycle * 0.1, np.roll(cycle * 0.1, 1, axis=0), equal(3))
    assert (around.target_D == around.base_D).all()


@given(pairs(fewest=3, most=30))
@laws
def test_the_category_is_that_of_park_by_sklearn(drawn: Drawn) -> None:
    bases, targets, _ = drawn
    covariance, shrinkage = ledoit_wolf(targets, assume_centered=False)
    if shrinkage < 1e-6:  # where ours holds on to a sliver
        return
    mean = targets.mean(axis=0)
    found = np.linalg.solve(covariance, mean)
    found /= np.linalg.norm(found)
    fit = category(bases, targets, equal(len(targets)))
    assert_close(fit.target_D, (mean @ found) * found)
    assert not fit.base_D.any()
    assert fit.map_DD is None
    np.testing.assert_array_equal(
        fit.target_D, category(targets, targets, equal(len(bases))).target_D
    )


@given(pairs(), st.sampled_from([-3.0, -1.0, 0.25, 1.0, 7.0]))
@laws
def test_ridge_gives_back_a_multiple_of_the_identity(drawn: Drawn, scale: float) -> None:
    bases, targets, weights = drawn
    shift = targets[0]
    fit = ridge(bases, scale * bases + shift, weights)
    assert_close(matrix(fit), scale * np.eye(bases.shape[1]))
    assert_close(fit(targets), scale * targets + shift)


@given(pairs())
@laws
def test_ridge_minimizes_what_it_is_said_to(drawn: Drawn) -> None:
    bases, targets, weights = drawn
    fit, width = ridge(bases, targets, weights), bases.shape[1]
    a, b, w = centred(bases, targets, weights)
    gram, cross = a.T @ w @ a, a.T @ w @ b
    shrinkage, scale = 4 * np.trace(gram) / width, np.trace(cross) / np.trace(gram)
    # Least squares, with rows that hold it to the multiple of the identity.
    rows = np.concatenate([np.sqrt(w) @ a, np.sqrt(shrinkage) * np.eye(width)])
    aims = np.concatenate([np.sqrt(w) @ b, np.sqrt(shrinkage) * scale * np.eye(width)])
    assert_close(matrix(fit), np.linalg.lstsq(rows, aims, rcond=None)[0])
    assert_close(fit(weights @ bases), weights @ targets)
    assert fit.gain == 1.0


@given(pairs(fewest=1, most=20))
@laws
def test_procrustes_turns_by_the_orthogonal_factor(drawn: Drawn) -> None:
    bases, targets, weights = drawn
    fit, width = procrustes(bases, targets, weights), bases.shape[1]
    turn = matrix(fit)
    np.testing.assert_allclose(turn.T @ turn, np.eye(width), atol=1e-9)
    a, b, w = centred(bases, targets, weights)
    cross = a.T @ w @ b
    shrunk = cross + 4 * abs(np.trace(cross)) / width * np.eye(width)
    left, _, right = np.linalg.svd(shrunk)
    if len(bases) > 1 and np.linalg.cond(shrunk) < 1e5:  # else rounding has a say
        np.testing.assert_allclose(turn, left @ right, atol=1e-9)
    if len(bases) > 1:  # it is the best of all turns: none near it is better
        assert np.vdot(turn, shrunk) >= np.vdot(left @ right, shrunk) * (1 - 1e-9)
    assert fit.gain == 2.0
    assert_close(fit(fit.base_D), weights @ targets)


@given(pairs(fewest=8, most=12), st.integers(0, 2**32 - 1))
@laws
def test_procrustes_finds_a_rotation_nearly(drawn: Drawn, seed: int) -> None:
    bases, _, weights = drawn
    width, rng = bases.shape[1], np.random.default_rng(seed)
    skew = np.triu(rng.uniform(-0.3, 0.3, (width, width)), 1)
    turn, _ = np.linalg.qr(np.eye(width) + skew - skew.T)
    turn *= np.sign(np.diag(turn))
    found = matrix(procrustes(bases, bases @ turn, weights))
    assert np.linalg.norm(found - turn) <= np.linalg.norm(np.eye(width) - turn) + 1e-9


def test_a_map_is_applied_to_one_vector_as_to_many() -> None:
    rng = np.random.default_rng(0)
    fit = Fit(rng.standard_normal(4), rng.standard_normal(4), rng.standard_normal((4, 4)), 3.0)
    vectors = rng.standard_normal((5, 4))
    wanted = 3.0 * (vectors - fit.base_D) @ matrix(fit) + fit.target_D
    np.testing.assert_allclose(fit(vectors), wanted, atol=1e-12)
    np.testing.assert_allclose([fit(vector) for vector in vectors], wanted, atol=1e-12)
    assert (Fit(fit.base_D, fit.base_D)(vectors) == vectors - fit.base_D + fit.base_D).all()
