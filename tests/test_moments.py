"""Moments of rows against numpy; norms under a map."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from numpy.typing import NDArray
from unembed.indexes import rows as rows_module
from unembed.indexes.moments import (
    Fold,
    first_equals,
    fit_norms,
    mapped_norms,
    mean,
    moments,
)
from unembed.indexes.rows import Rows, norm


class Told:
    """Remembers what it was told of the progress."""

    def __init__(self) -> None:
        self.calls: list[tuple[int, int]] = []

    def __call__(self, done: int, total: int) -> None:
        self.calls.append((done, total))


def clouds() -> dict[str, NDArray[np.float64]]:
    rng = np.random.default_rng(0)
    one_way = rng.standard_normal((300, 1)) @ rng.standard_normal((1, 8))
    return {
        "random": rng.standard_normal((200, 8)) + 5,
        "very correlated": 1e-3 * rng.standard_normal((300, 8)) + one_way + 3,
        "spread over orders": rng.standard_normal((250, 8)) * np.logspace(-4, 4, 8),
        "fewer than their width": rng.standard_normal((5, 8)),
        "heavy tails": rng.standard_cauchy((400, 8)),
    }


CLOUDS = clouds()


@pytest.fixture(params=[1, 7, 64, 1 << 20])
def block(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    """Decode so many rows of width 8 in a block, or all at once."""
    monkeypatch.setattr(rows_module, "_BLOCK_VALUES", 8 * request.param)
    monkeypatch.setattr(rows_module, "_FEWEST_ROWS", 1)
    return int(request.param)


@pytest.mark.parametrize("with_gain", [False, True])
@pytest.mark.parametrize("name", CLOUDS)
def test_moments_equal_those_of_numpy(name: str, with_gain: bool, block: int) -> None:
    values = np.vstack([CLOUDS[name], np.full((3, 8), 1e9)])  # three that are not asked for
    gain_D = np.linspace(-0.5, 2, 8) if with_gain else np.ones(8)
    ids_N = np.random.default_rng(1).permutation(len(values) - 3)
    told = Told()
    found = moments(Rows(values, "F64"), ids_N, Fold(gain_D), done=told)
    chosen_ND = CLOUDS[name] * gain_D
    scale = float(np.abs(chosen_ND).max())
    np.testing.assert_allclose(found.mean_D, chosen_ND.mean(axis=0), rtol=1e-12, atol=1e-12 * scale)
    expected_DD = np.cov(chosen_ND, rowvar=False, bias=True)
    largest = float(np.abs(expected_DD).max())
    np.testing.assert_allclose(found.covariance_DD, expected_DD, rtol=1e-10, atol=1e-12 * largest)
    np.testing.assert_array_equal(found.covariance_DD, found.covariance_DD.T)
    lengths_N = np.linalg.norm(chosen_ND - chosen_ND.mean(axis=0), axis=1)
    assert found.fourth == pytest.approx(np.mean(lengths_N**4), rel=1e-12)
    assert found.count == len(ids_N)
    steps = range(block, len(ids_N) + block, block)
    assert told.calls == [(min(step, len(ids_N)), len(ids_N)) for step in steps]


def test_bfloat16_rows_are_decoded_before_they_are_averaged() -> None:
    values = np.random.default_rng(2).integers(-8, 8, (90, 6)) / 4  # exact in bfloat16
    codes = (values.astype(np.float32).view(np.uint32) >> 16).astype(np.uint16)
    found = moments(Rows(codes, "BF16"), np.arange(90), Fold(), done=Told())
    expected_DD = np.cov(values, rowvar=False, bias=True)
    np.testing.assert_allclose(found.covariance_DD, expected_DD, rtol=1e-12, atol=1e-13)
    np.testing.assert_allclose(found.mean_D, values.mean(axis=0), rtol=1e-12, atol=1e-14)
    some_N = np.array([3, 3, 50])  # a mean is of the ids as they are given
    np.testing.assert_allclose(mean(Rows(codes, "BF16"), some_N), values[some_N].mean(axis=0))


def test_rows_without_a_cloud_have_no_moments() -> None:
    """One row, or equal ones."""
    rows = Rows(np.ones((4, 3), dtype=np.float32), "F32")
    for ids_N in np.arange(4), np.array([2]):
        found = moments(rows, ids_N, Fold(), done=Told())
        assert (found.count, np.abs(found.covariance_DD).max(), found.fourth) == (len(ids_N), 0, 0)


@pytest.mark.parametrize("mapped", [False, True])
def test_norms_under_a_map_equal_those_of_numpy(mapped: bool, block: int) -> None:
    rng = np.random.default_rng(4)
    values = rng.standard_normal((150, 8)).astype(np.float32)
    gain_D, mean_D, map_DD = (
        rng.uniform(-2, 2, 8),
        rng.standard_normal(8),
        rng.uniform(-1, 1, (8, 8)),
    )
    told = Told()
    found_V = mapped_norms(
        Rows(values, "F32"), Fold(gain_D), mean_D, map_DD if mapped else None, done=told
    )
    placed_VD = values.astype(np.float64) * gain_D - mean_D
    placed_VD = placed_VD @ map_DD if mapped else placed_VD
    np.testing.assert_allclose(found_V, np.linalg.norm(placed_VD, axis=1), rtol=1e-12)
    steps = range(block, 150 + block, block)
    assert told.calls == [(min(step, 150), 150) for step in steps]


def bits(values: NDArray[np.float64]) -> list[str]:
    return [float(value).hex() for value in values]


@pytest.mark.parametrize("dtype", ["BF16", "F32", "F64"])
def test_equal_rows_have_equal_norms_wherever_they_stand(dtype: str, block: int) -> None:
    """Also where they are spelled apart, with a zero of either sign."""
    rng = np.random.default_rng(5)
    values = rng.standard_normal((203, 37))
    values[:, 2] = 0.0
    equal = [0, 6, 7, 31, 100, 200, 201, 202]
    values[equal] = values[6]
    values[[7, 201], 2] = -0.0
    codes = values.astype(np.float64 if dtype == "F64" else np.float32)
    if dtype == "BF16":
        codes = (codes.view(np.uint32) >> 16).astype(np.uint16)
    rows = Rows(codes, dtype)
    for map_DD in (None, rng.standard_normal((37, 37))):
        norms_V = mapped_norms(
            rows, Fold(rng.uniform(1, 2, 37)), rng.standard_normal(37), map_DD, done=Told()
        )
        assert len(set(bits(norms_V[equal]))) == 1
        assert len(set(bits(norms_V))) == 203 - len(equal) + 1
    # The BLAS of this machine may give equal bits by itself; another does not.
    firsts_V = np.arange(203)
    firsts_V[equal] = 0
    np.testing.assert_array_equal(first_equals(rows), firsts_V)


@pytest.mark.parametrize("gain_D", [None, np.array([1.0, -2.0, 0.5])])
@pytest.mark.parametrize("centred", [False, True])
def test_a_fold_and_its_dual_give_one_product(
    gain_D: NDArray[np.float64] | None, centred: bool
) -> None:
    """And of a centred one rows' own means are of no effect."""
    rng = np.random.default_rng(2)
    rows_ND, residual_D = rng.standard_normal((5, 3)), rng.standard_normal(3)
    fold = Fold(gain_D, centred=centred)
    np.testing.assert_allclose(fold(rows_ND) @ residual_D, rows_ND @ fold.dual(residual_D))
    if centred:
        np.testing.assert_allclose(fold(rows_ND).mean(axis=1), 0, atol=1e-15)
        gain = np.ones(3) if gain_D is None else gain_D
        np.testing.assert_allclose(fold(rows_ND + 7 / gain), fold(rows_ND), atol=1e-14)


def test_norms_are_fitted_by_least_squares() -> None:
    rng = np.random.default_rng(4)
    rows = Rows(rng.standard_normal((500, 6)).astype(np.float32), "F32")
    norms_V = 3 + rows.decode(slice(None)) @ np.arange(6) + 0.1 * rng.standard_normal(500)
    drawn = np.arange(0, 500, 500 // 24)
    with_constant = np.column_stack([rows.decode(drawn), np.ones(len(drawn))])
    wanted, *_ = np.linalg.lstsq(with_constant, norms_V[drawn], rcond=None)
    fitted_D = fit_norms(rows, norms_V, np.arange(500))
    np.testing.assert_allclose(fitted_D, wanted[:6], rtol=1e-6)
    alike = Rows(np.ones((9, 6), dtype=np.float32), "F32")
    assert np.isfinite(fit_norms(alike, np.ones(9), np.arange(9))).all()


@pytest.mark.parametrize("mapped", [False, True])
def test_a_row_at_the_mean_has_the_norm_zero(mapped: bool) -> None:
    """At the mean to rounding: a norm of 1e-16 would make its cosine a coin's toss."""
    rng = np.random.default_rng(6)
    values = rng.standard_normal((50, 8))
    gain_D = rng.uniform(0.5, 2, 8)
    mean_D = (values * gain_D).mean(axis=0)
    values[[4, 40]] = mean_D / gain_D * (1 + 2.0**-52)
    values[9] = mean_D / gain_D * (1 + 1e-9)
    map_DD = rng.standard_normal((8, 8)) if mapped else None
    norms_V = mapped_norms(Rows(values, "F64"), Fold(gain_D), mean_D, map_DD, done=Told())
    assert np.flatnonzero(norms_V == 0).tolist() == [4, 40]
    assert 0 < norms_V[9] < 1e-6
    zeros = Rows(np.zeros((2, 8), dtype=np.float32), "F32")
    norms_V = mapped_norms(zeros, Fold(gain_D), np.zeros(8), map_DD, done=Told())
    assert norms_V.tolist() == [0.0, 0.0]


@settings(max_examples=60, deadline=None)
@given(
    values=npst.arrays(np.float64, (4, 5), elements=st.floats(-1e3, 1e3)),
    exponent=st.integers(-1040, 900),
)
def test_a_norm_is_right_at_any_length(values: NDArray[np.float64], exponent: int) -> None:
    values[np.abs(values) < 1e-3] = 0.0
    far = np.ldexp(values, exponent)
    expected = [np.linalg.norm(row) for row in np.ldexp(far, -exponent)]
    found = np.ldexp(norm(far), -exponent)
    np.testing.assert_allclose(
        found, expected, rtol=1e-14, atol=float(np.ldexp(1.0, -1070 - exponent))
    )
    assert bits(norm(far)) == [float(norm(row)).hex() for row in far]
