"""FAISS over rows in place, its parts and the bound on its error; rows decoded and measured."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from numpy.typing import NDArray
from unembed.errors import CheckpointError
from unembed.indexes import faiss
from unembed.indexes.exact import products
from unembed.indexes.faiss import MappedIndex
from unembed.indexes.rows import Rows, norm

from .helpers import TORCH, decoded, index_of, rows_of


@pytest.mark.parametrize("dtype", ["BF16", "F16", "F32"])
@pytest.mark.parametrize("part", [1, 2, 7, 64])
@pytest.mark.parametrize("threads", [1, 3, 8])
def test_many_parts_give_what_one_gives(
    dtype: str, part: int, threads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where parts are smaller than k, and where the region leaves some of them empty."""
    monkeypatch.setattr("faiss.omp_get_max_threads", lambda: threads)
    monkeypatch.setattr(faiss, "_SMALLEST_PART", part)
    rng = np.random.default_rng(8)
    rows = rows_of(rng.standard_normal((33, 5)), dtype)
    index, queries_QD = index_of(rows), rng.standard_normal((4, 5))
    if part < 33 // threads:
        assert len(index._parts) == -(-33 // -(-33 // threads))
    true_QV = queries_QD @ decoded(rows).T
    some = np.sort(rng.choice(33, 9, replace=False))
    for among_N in (None, np.arange(33), some, some[:1], np.arange(30, 33), np.array([0, 32])):
        ids_N = np.arange(33) if among_N is None else among_N
        for k in {1, len(ids_N) // 2, len(ids_N)} - {0}:
            products_QK, ids_QK = index.products(queries_QD, k, among_N=among_N)
            order_QK = ids_N[np.argsort(-true_QV[:, ids_N], axis=1)[:, :k]]
            np.testing.assert_array_equal(ids_QK, order_QK)
            true_QK = np.take_along_axis(true_QV, ids_QK, axis=1)
            np.testing.assert_allclose(products_QK, true_QK, atol=1e-5)
        _, ids_QK = index.products(queries_QD, len(ids_N), among_N=among_N)
        np.testing.assert_array_equal(np.sort(ids_QK, axis=1), np.tile(ids_N, (4, 1)))


def assert_bounded(rows: Rows, query_D: NDArray[np.float64]) -> None:
    index = index_of(rows)
    found, ids = index.products(query_D[None], rows.count)
    true = products(rows, query_D, ids[0])
    assert np.abs(found[0] - true).max() <= index.error(float(norm(query_D)))


@pytest.mark.parametrize("dtype", TORCH)
@settings(max_examples=40, deadline=None)
@given(
    row_D=npst.arrays(np.float64, 33, elements=st.floats(-6e4, 6e4)),
    query_D=npst.arrays(np.float64, 33, elements=st.floats(-1e3, 1e3)),
)
def test_the_bound_on_the_error_holds(
    dtype: str, row_D: NDArray[np.float64], query_D: NDArray[np.float64]
) -> None:
    assert_bounded(rows_of(row_D[None], dtype), query_D)


@pytest.mark.parametrize("dtype", TORCH)
@pytest.mark.parametrize("width", [1, 3, 64, 4096])
def test_the_bound_holds_where_errors_add_up(dtype: str, width: int) -> None:
    """All terms of one sign, each rounded the same way; and below the normal range."""
    up = 1 + 2.0**-24 * (1 - 2.0**-20)  # float32 rounds it to 1, down by nearly half a unit
    ones = np.full((1, width), up)
    assert_bounded(rows_of(ones, dtype), np.full(width, up))
    assert_bounded(rows_of(ones / 3, dtype), np.full(width, -1 / 7))
    assert_bounded(rows_of(np.full((1, width), 1e-4), dtype), np.full(width, 1.1e-41))
    if dtype in {"F32", "F64"}:
        assert_bounded(rows_of(np.full((1, width), 1.1e-44), dtype), np.full(width, 1e-3))
        assert_bounded(rows_of(np.full((1, width), 1e36), dtype), np.full(width, 1.1e-43))


def test_the_bound_is_no_wider_than_it_must_be() -> None:
    """A bound that holds for all would prove nothing: it is some units of float32's last place."""
    rows = rows_of(np.random.default_rng(9).standard_normal((8, 640)), "BF16")
    longest = float(rows.norms().max())
    assert MappedIndex(rows, longest=longest).error(2.0) < 650 * 2.0**-24 * 2 * longest
    narrow = MappedIndex(rows, longest=longest).error(1.0)
    assert MappedIndex(rows, longest=longest, rounded=True).error(1.0) > narrow


@pytest.mark.parametrize("dtype", ["BF16", "F16"])
def test_every_finite_code_is_decoded_as_torch_decodes_it(dtype: str) -> None:
    codes = np.arange(1 << 16, dtype=np.uint16)
    tensor = torch.from_numpy(codes.copy()).view(TORCH[dtype]).double()
    rows = Rows(codes[:, None] if dtype == "BF16" else codes.view(np.float16)[:, None], dtype)
    finite = torch.isfinite(tensor).numpy()
    np.testing.assert_array_equal(rows.decode(np.flatnonzero(finite))[:, 0], tensor.numpy()[finite])


@pytest.mark.parametrize("dtype", TORCH)
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_rows_that_are_not_finite_are_refused(dtype: str, bad: float) -> None:
    values = np.ones((5, 4))
    values[3, 1] = bad
    with pytest.raises(CheckpointError, match=r"1 rows of the head are NaN.* the first is row 3"):
        rows_of(values, dtype).norms()


@pytest.mark.parametrize(
    "rows",
    [
        Rows(np.full((2, 3), 1e200), "F64"),
        Rows(np.full((2, 3), 2e38), "F64"),
        Rows(np.full((2, 3), 3e38, dtype=np.float32), "F32"),
        Rows(np.full((2, 3), 0x7F81, dtype=np.uint16), "BF16"),
        Rows(np.full((2, 3), 0x7C01, dtype=np.uint16).view(np.float16), "F16"),
        Rows(np.full((2, 3), 0x7F800001, dtype=np.uint32).view(np.float32), "F32"),
    ],
    ids=["overflow", "F64", "F32", "signalling BF16", "signalling F16", "signalling F32"],
)
def test_rows_too_long_for_float32_are_refused_without_a_warning(rows: Rows) -> None:
    with pytest.raises(CheckpointError, match="2 rows of the head are NaN, infinite or longer"):
        rows.norms()


def test_faiss_searches_the_bytes_in_place() -> None:
    """A view, not a copy: a changed byte changes the product."""
    values = np.eye(3, dtype=np.float32)
    index = MappedIndex(Rows(values, "F32"), longest=7.0)
    before, _ = index.products(np.array([[1.0, 0.0, 0.0]]), 1)
    values[0, 0] = 7.0
    after, _ = index.products(np.array([[1.0, 0.0, 0.0]]), 1)
    assert (before[0, 0], after[0, 0]) == (1.0, 7.0)


@pytest.mark.parametrize("width", [1, 2, 11, 130, 9001])
def test_a_score_does_not_depend_on_the_rows_beside_it(
    width: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(7)
    rows = Rows(rng.standard_normal((40, width)).astype(np.float32), "F32")
    query_D = rng.standard_normal(width)
    ids_N = rng.integers(0, 40, 100)
    together = products(rows, query_D, ids_N)
    alone = [products(rows, query_D, np.array([id_]))[0] for id_ in ids_N]
    assert together.tolist() == alone
    monkeypatch.setattr("unembed.indexes.rows._BLOCK_VALUES", 3 * width)
    monkeypatch.setattr("unembed.indexes.rows._FEWEST_ROWS", 1)
    assert products(rows, query_D, ids_N).tolist() == alone
    exactly = [math.fsum(row) for row in decoded(rows)[ids_N] * query_D]
    np.testing.assert_allclose(together, exactly, rtol=1e-12, atol=1e-12)
