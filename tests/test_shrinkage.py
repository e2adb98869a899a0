"""Shrunk covariances against scikit-learn; whitening; what is kept of a covariance."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from numpy.typing import NDArray
from sklearn.covariance import ledoit_wolf as sklearn_ledoit_wolf
from sklearn.covariance import oas as sklearn_oas
from sklearn.covariance import shrunk_covariance
from unembed.errors import UsageError
from unembed.indexes import shrinkage as shrinkage_module
from unembed.indexes.moments import Fold, Moments, moments
from unembed.indexes.rows import Rows
from unembed.indexes.shrinkage import (
    Shrinkage,
    Spectrum,
    inverse_root,
    ledoit_wolf,
    oas,
    spectrum,
)
from unembed.indexes.store import Store


def clouds() -> dict[str, NDArray[np.float64]]:
    rng = np.random.default_rng(0)
    one_way = rng.standard_normal((300, 1)) @ rng.standard_normal((1, 8))
    return {
        "random": rng.standard_normal((200, 8)) + 5,
        "very correlated": 1e-3 * rng.standard_normal((300, 8)) + one_way + 3,
        "spread over orders": rng.standard_normal((250, 8)) * np.logspace(-4, 4, 8),
        "fewer than their width": rng.standard_normal((5, 8)),
        "heavy tails": rng.standard_cauchy((400, 8)),
        "alike in all directions": np.vstack([np.eye(8), -np.eye(8)]) * np.linspace(1, 1.01, 8),
        "one wide": rng.standard_normal((9, 1)),
    }


CLOUDS = clouds()


def silent(done: int, total: int) -> None: ...


def spectrum_of(values_ND: NDArray[np.float64]) -> Spectrum:
    rows = Rows(values_ND, "F64")
    return Spectrum.of(moments(rows, np.arange(rows.count), Fold(), done=silent))


def matrix(values_D: NDArray[np.float64], found: Spectrum) -> NDArray[np.float64]:
    return np.asarray((found.vectors_DD * values_D) @ found.vectors_DD.T)


@pytest.mark.parametrize("name", CLOUDS)
def test_the_estimates_are_those_of_scikit_learn(name: str) -> None:
    cloud_ND, found = CLOUDS[name], spectrum_of(CLOUDS[name])
    wide = found.vectors_DD.shape[0] > 1  # a single value is what it is, however it is shrunk
    for text, ours, theirs in (("", ledoit_wolf, sklearn_ledoit_wolf), ("oas", oas, sklearn_oas)):
        expected_DD, share = theirs(cloud_ND)
        if wide:
            assert ours(found) == pytest.approx(share, rel=1e-9)
            assert 0 < share <= 1
        shrunk_DD = matrix(Shrinkage(text)(found), found)
        scale = float(np.abs(expected_DD).max())
        np.testing.assert_allclose(shrunk_DD, expected_DD, rtol=1e-10, atol=1e-12 * scale)


def test_the_estimates_go_as_far_as_all() -> None:
    """So the limit is one of the cases above, for both."""
    found = spectrum_of(CLOUDS["alike in all directions"])
    assert (ledoit_wolf(found), oas(found)) == (1, 1)
    assert oas(spectrum_of(CLOUDS["random"])) < 1


@pytest.mark.parametrize("share", [0.0, 0.03, 1.0])
@pytest.mark.parametrize("name", CLOUDS)
def test_a_share_is_mixed_in_as_scikit_learn_does(name: str, share: float) -> None:
    found = spectrum_of(CLOUDS[name])
    covariance_DD = np.atleast_2d(np.cov(CLOUDS[name], rowvar=False, bias=True))
    expected_DD = shrunk_covariance(covariance_DD, shrinkage=share)
    scale = float(np.abs(expected_DD).max())
    shrunk_DD = matrix(Shrinkage.read(repr(share))(found), found)
    np.testing.assert_allclose(shrunk_DD, expected_DD, rtol=1e-10, atol=1e-12 * scale)


def test_a_floor_raises_what_lies_below_it() -> None:
    found = Spectrum(9, np.zeros(4), np.array([-1e-18, 0.5, 1.0, 6.5]), np.eye(4), 1.0)
    assert Shrinkage.read("floor=0.25")(found).tolist() == [0.5, 0.5, 1.0, 6.5]
    assert Shrinkage.read("floor=0.4")(found).tolist() == [0.8, 0.8, 1.0, 6.5]
    assert Shrinkage.read("floor=1")(found).tolist() == [2.0, 2.0, 2.0, 6.5]


@settings(max_examples=80, deadline=None)
@given(
    values_D=npst.arrays(np.float64, 6, elements=st.floats(0, 1e6)).map(np.sort),
    share=st.floats(0, 1),
    floored=st.booleans(),
    fourth=st.floats(0, 1e12),
    count=st.integers(1, 1000),
)
def test_a_shrinkage_keeps_order_and_brings_values_together(
    values_D: NDArray[np.float64], share: float, floored: bool, fourth: float, count: int
) -> None:
    found = Spectrum(count, np.zeros(6), values_D, np.eye(6), fourth)
    given_share = Shrinkage.read(f"floor={share!r}" if floored and share else repr(share))
    for shrinkage in (given_share, Shrinkage(), Shrinkage.read("oas")):
        shrunk_D = shrinkage(found)
        slack = 1e-12 * float(values_D[-1])
        assert np.all(np.diff(shrunk_D) >= -slack)
        assert shrunk_D[0] >= values_D[0] - slack
        assert shrunk_D[-1] <= values_D[-1] + slack
    for estimate in (ledoit_wolf, oas):
        assert 0 <= estimate(found) <= 1


def test_rows_without_a_cloud_are_shrunk_to_nothing() -> None:
    """One row, or equal ones: the covariance is zero, and so is what would be divided by."""
    for count in (1, 4):
        found = spectrum_of(np.ones((count, 3)))
        for text in ("", "oas"):
            np.testing.assert_array_equal(Shrinkage(text)(found), np.zeros(3))
    # All of one length in each direction: rounding must not take a share below 0.
    assert oas(Spectrum(5, np.zeros(3), np.full(3, 0.1), np.eye(3), 1.0)) == 1.0


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("0.1", ["0.1", "0.10", ".1", "00.1", "1e-1", "10e-2", "0.1000000000000000000001"]),
        ("0", ["0", "0.0", "0.", ".0", "0e5", "1e-999"]),
        ("1", ["1", "1.0", "1e0", "0.1e+1"]),
        ("0.30000000000000004", ["0.30000000000000004"]),
        ("floor=0.01", ["floor=0.01", "floor=1e-2"]),
        ("floor=1", ["floor=1", "floor=1.00"]),
        ("oas", ["oas"]),
    ],
)
def test_one_shrinkage_has_one_name(name: str, written: list[str]) -> None:
    assert {Shrinkage.read(text) for text in written} == {Shrinkage.read(name)}
    assert Shrinkage.read(name).name == name


@given(share=st.floats(0, 1), other=st.floats(0, 1))
def test_two_shares_have_two_names(share: float, other: float) -> None:
    one, two = Shrinkage.read(repr(share)), Shrinkage.read(repr(other))
    assert (one.name == two.name) == (share == other)
    assert one.share == share
    assert Shrinkage.read(one.name) == one


@pytest.mark.parametrize(
    "text",
    [
        *("", " ", "OAS", "oas ", " 0.1", "0.1 ", "-0.1", "-0", "+0.1", "1.1", "1e9", "1e999"),
        *("nan", "inf", "1_0", "٠", "0x1", "0,1", ".", "e5", "1e", "0.1\n", "10%", "power=0.5"),
        *("floor", "floor=", "floor=0", "floor=0.0", "floor=1.01", "floor=-1", "floor=nan"),
        *("floor=floor=0.1", "floor=oas", "Floor=0.1", "oas=0.1", "oas:0.1", "lw", "ledoit-wolf"),
    ],
)
def test_what_is_no_shrinkage_is_refused(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        Shrinkage.read(text)
    assert str(caught.value) == (
        f"unknown shrinkage {text!r}: it is oas, a number from 0 to 1 such as 0.1, or floor= and "
        "a number above 0 up to 1, such as floor=0.01"
    )


def test_whitened_rows_have_the_identity_for_covariance() -> None:
    values = CLOUDS["very correlated"]
    found = spectrum_of(values)
    root_DD = inverse_root(found.values_D, found.vectors_DD)
    whitened_DD = np.cov((values - found.mean_D) @ root_DD, rowvar=False, bias=True)
    np.testing.assert_allclose(whitened_DD, np.eye(8), atol=1e-7)


@pytest.mark.parametrize("condition", [1.0, 1e3, 1e8])
def test_the_inverse_root_undoes_the_matrix(condition: float) -> None:
    rng = np.random.default_rng(3)
    vectors_DD, _ = np.linalg.qr(rng.standard_normal((20, 20)))
    values_D = np.geomspace(1 / condition, 1, 20)
    covariance_DD = (vectors_DD * values_D) @ vectors_DD.T
    root_DD = inverse_root(values_D, vectors_DD)
    np.testing.assert_array_equal(root_DD, root_DD.T)
    assert np.linalg.eigvalsh(root_DD)[0] > 0
    atol = 1e-13 * condition
    np.testing.assert_allclose(root_DD @ covariance_DD @ root_DD, np.eye(20), atol=atol)


@pytest.mark.parametrize(
    "matrix",
    [
        np.zeros((3, 3)),
        np.diag([1.0, 1.0, 0.0]),
        np.diag([1.0, 1e-17, 1.0]),
        np.diag([1.0, -1.0, 1.0]),
        np.diag([-1.0, -2.0, -3.0]),
        np.ones((3, 3)),
        np.full((3, 3), np.nan),
    ],
    ids=["zero", "flat", "nearly flat", "indefinite", "negative", "one direction", "nan"],
)
def test_a_matrix_without_an_inverse_root_is_refused(matrix: NDArray[np.float64]) -> None:
    def root() -> NDArray[np.float64]:
        found = Spectrum.of(Moments(5, np.zeros(3), matrix, 1.0))
        return inverse_root(found.values_D, found.vectors_DD)

    with pytest.raises(np.linalg.LinAlgError):
        root()


def test_rows_fewer_than_their_width_have_a_root_once_they_are_shrunk() -> None:
    found = spectrum_of(CLOUDS["fewer than their width"])
    with pytest.raises(np.linalg.LinAlgError):
        inverse_root(Shrinkage.read("0")(found), found.vectors_DD)
    for shrinkage in (Shrinkage(), *map(Shrinkage.read, ("oas", "0.01", "floor=1e-6"))):
        root_DD = inverse_root(shrinkage(found), found.vectors_DD)
        shrunk_DD = matrix(shrinkage(found), found)
        np.testing.assert_allclose(root_DD @ shrunk_DD @ root_DD, np.eye(8), atol=1e-9)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path)


def kept_spectrum(store: Store) -> Spectrum:
    rows = Rows(CLOUDS["random"], "F64")
    return spectrum(rows, np.arange(150), Fold(), store=store, key="random", done=silent)


def never(*given: object, **options: object) -> None:
    raise AssertionError("taken again")


def test_a_spectrum_is_taken_once_and_kept(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    made = kept_spectrum(store)
    wanted = spectrum_of(CLOUDS["random"][:150])
    monkeypatch.setattr(shrinkage_module, "moments", never)
    for found in (made, kept_spectrum(store)):
        assert (found.count, found.fourth) == (150, wanted.fourth)
        for field in ("mean_D", "values_D", "vectors_DD"):
            np.testing.assert_array_equal(getattr(found, field), getattr(wanted, field))
    assert [entry.name for entry in store.entries()] == ["covariance"]


@pytest.mark.parametrize(
    ("part", "change"),
    [
        ("vectors", lambda array: array * 1.0001),
        ("vectors", lambda array: array * 1e300),
        ("vectors", lambda array: array[:, [0, 0, 2, 3, 4, 5, 6, 7]]),
        ("vectors", lambda array: array[:7]),
        ("vectors", lambda array: np.where(array == array[0, 0], np.nan, array)),
        ("values", lambda array: array[::-1]),
        ("values", lambda array: array.astype(np.float32)),
        ("mean", lambda array: array[:7]),
        ("fourth", lambda array: -array),
        ("fourth", lambda array: array * np.inf),
        ("more", lambda array: array),
    ],
    ids=[
        *("longer", "immense", "one twice", "too few", "not a number", "descending", "float32"),
        *("short mean", "negative", "infinite", "another part"),
    ],
)
def test_an_entry_that_is_no_spectrum_is_taken_again(
    store: Store, caplog: pytest.LogCaptureFixture, part: str, change: Callable[[Any], Any]
) -> None:
    wanted = kept_spectrum(store)
    (path,) = store.directory.iterdir()
    arrays = {
        "fourth": np.array([wanted.fourth]),
        "mean": wanted.mean_D,
        "values": wanted.values_D,
        "vectors": wanted.vectors_DD,
    }
    path.unlink()
    arrays[part] = change(arrays.get(part, wanted.mean_D))
    store.arrays("covariance", "random", lambda: arrays, bool)
    found = kept_spectrum(store)
    assert "its arrays are not those of an entry of this kind" in caplog.text
    np.testing.assert_array_equal(found.vectors_DD, wanted.vectors_DD)
