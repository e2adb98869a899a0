"""The search against an oracle: every type, ties, duplicates, zero rows, regions."""

from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from numpy.typing import NDArray
from unembed.errors import CheckpointError
from unembed.indexes import exact
from unembed.indexes.faiss import MappedIndex
from unembed.indexes.rows import Rows

TORCH = {"BF16": torch.bfloat16, "F16": torch.float16, "F32": torch.float32}


def rows_of(values: NDArray[np.float64], dtype: str) -> Rows:
    """Round values to a type through torch, an independent way."""
    tensor = torch.from_numpy(np.ascontiguousarray(values)).to(TORCH[dtype])
    codes = tensor.view(torch.uint16).numpy() if dtype == "BF16" else tensor.numpy()
    return Rows(codes, dtype)


def oracle(
    rows: Rows, query_D: NDArray[np.float64], *, cosine: bool, among_N: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Score each row by itself in Python's exact sums, and sort."""
    import math

    decoded = torch.from_numpy(rows.codes_VD.copy())
    if rows.dtype == "BF16":
        decoded = decoded.view(torch.bfloat16)
    scores = []
    for row in decoded.double().numpy()[among_N]:
        score = math.fsum(row * query_D)
        if cosine:
            score /= (math.sqrt(math.fsum(row * row)) or 1.0) * math.sqrt(math.fsum(query_D**2))
        scores.append(score)
    order = sorted(range(len(among_N)), key=lambda place: (-scores[place], among_N[place]))
    return np.array(scores)[order], among_N[order]


def answer(
    rows: Rows, query_D: NDArray[np.float64], k: int, *, cosine: bool, among_N=None
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    return exact.nearest(
        MappedIndex(rows), rows, query_D, k, norms_V=rows.norms(), cosine=cosine, among_N=among_N
    )


# Few values, so that ties, zero rows and duplicates are common.
matrices = npst.arrays(
    np.float64,
    st.tuples(st.integers(1, 40), st.integers(1, 9)),
    elements=st.sampled_from([0.0, 1.0, -1.0, 0.5, 2.0, -3.0, 1e-3]),
)


@pytest.mark.parametrize("dtype", TORCH)
@pytest.mark.parametrize("cosine", [False, True])
@settings(max_examples=60, deadline=None)
@given(data=st.data(), values=matrices)
def test_equals_the_oracle_on_small_heads(
    dtype: str, cosine: bool, data: st.DataObject, values: NDArray[np.float64]
) -> None:
    rows = rows_of(values, dtype)
    query = data.draw(
        npst.arrays(np.float64, rows.width, elements=st.sampled_from([1.0, -2.0, 0.25, 0.0]))
    )
    query[0] = query[0] or 1.0
    k = data.draw(st.integers(1, rows.count + 3))
    among = data.draw(st.none() | st.sets(st.integers(0, rows.count - 1), min_size=1))
    among_N = np.array(sorted(among), dtype=np.int64) if among else np.arange(rows.count)
    scores_K, ids_K = answer(rows, query, k, cosine=cosine, among_N=among and among_N)
    expected_scores, expected_ids = oracle(rows, query, cosine=cosine, among_N=among_N)
    assert len(ids_K) == min(k, len(among_N))
    np.testing.assert_allclose(scores_K, expected_scores[:k], rtol=1e-12, atol=1e-12)
    # Where exact scores differ at all beyond rounding, the order is the oracle's.
    for place, id_ in enumerate(ids_K):
        near = np.abs(expected_scores - expected_scores[place]) < 1e-12
        assert id_ in expected_ids[near]
    for (score, id_), (next_score, next_id) in pairwise(zip(scores_K, ids_K, strict=True)):
        assert score > next_score or (score == next_score and id_ < next_id)


@pytest.mark.parametrize("dtype", TORCH)
@pytest.mark.parametrize("cosine", [False, True])
def test_many_equal_rows_come_by_the_lower_id(dtype: str, cosine: bool) -> None:
    """More duplicates than FAISS is asked for first: its own choice among them would be wrong."""
    values = np.random.default_rng(1).standard_normal((3000, 24))
    values[500:2500] = values[7]
    rows = rows_of(values, dtype)
    query = values[7] / np.linalg.norm(values[7])
    scores_K, ids_K = answer(rows, query, 20, cosine=cosine)
    best = scores_K == scores_K.max()
    np.testing.assert_array_equal(ids_K[best][:2], [7, 500])
    tied = ids_K[scores_K == scores_K[np.flatnonzero(ids_K == 7)[0]]]
    np.testing.assert_array_equal(tied, sorted(tied))


def test_norms_that_differ_by_orders_do_not_hide_a_cosine() -> None:
    """The row of the best cosine has the smallest product by far."""
    rng = np.random.default_rng(2)
    values = rng.standard_normal((20_000, 8)) * 100
    query = rng.standard_normal(8)
    values[19_999] = query * 1e-3
    _, ids_K = answer(rows_of(values, "F32"), query, 1, cosine=True)
    assert ids_K[0] == 19_999


def test_all_products_negative() -> None:
    values = -np.abs(np.random.default_rng(3).standard_normal((4000, 6))) - 0.1
    values *= np.linspace(0.01, 50, 4000)[:, None]
    rows = rows_of(values, "F32")
    query = np.ones(6)
    _, ids_K = answer(rows, query, 15, cosine=True)
    _, expected = oracle(rows, query, cosine=True, among_N=np.arange(4000))
    np.testing.assert_array_equal(ids_K, expected[:15])


@settings(max_examples=50, deadline=None)
@given(
    values=npst.arrays(np.float64, (30, 11), elements=st.floats(-100, 100)),
    ids=st.lists(st.integers(0, 29), min_size=1, max_size=30),
)
def test_a_score_does_not_depend_on_the_rows_beside_it(
    values: NDArray[np.float64], ids: list[int]
) -> None:
    rows = Rows(values.astype(np.float32), "F32")
    query = np.linspace(-1, 1, 11)
    together = exact.score(rows, query, np.array(ids))
    alone = [exact.score(rows, query, np.array([id_]))[0] for id_ in ids]
    assert together.tolist() == alone


@settings(max_examples=100, deadline=None)
@given(
    row=npst.arrays(np.float32, 33, elements=st.floats(-1e6, 1e6, width=32)),
    query=npst.arrays(np.float64, 33, elements=st.floats(-1e3, 1e3)),
)
def test_the_float32_bound_holds(row: NDArray[np.float32], query: NDArray[np.float64]) -> None:
    rows = Rows(row[None], "F32")
    products, _ = MappedIndex(rows).products(query, 1)
    true = exact.score(rows, query, np.array([0]))[0]
    norms = float(np.linalg.norm(query)), float(np.linalg.norm(row.astype(np.float64)))
    assert abs(float(products[0]) - true) <= exact.float32_error(33, *norms)


@pytest.mark.parametrize("dtype", ["BF16", "F16"])
def test_every_finite_code_is_decoded_as_torch_decodes_it(dtype: str) -> None:
    codes = np.arange(1 << 16, dtype=np.uint16)
    tensor = torch.from_numpy(codes.copy()).view(TORCH[dtype]).double()
    rows = Rows(codes[:, None] if dtype == "BF16" else codes.view(np.float16)[:, None], dtype)
    finite = torch.isfinite(tensor).numpy()
    np.testing.assert_array_equal(rows.decode(np.flatnonzero(finite))[:, 0], tensor.numpy()[finite])


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_rows_that_are_not_finite_are_refused(bad: float) -> None:
    values = np.ones((5, 4), dtype=np.float32)
    values[3, 1] = bad
    with pytest.raises(CheckpointError, match=r"1 rows of the head are NaN.* the first is row 3"):
        Rows(values, "F32").norms()


def test_faiss_searches_the_bytes_in_place() -> None:
    """A view, not a copy: a changed byte changes the product."""
    values = np.eye(3, dtype=np.float32)
    index = MappedIndex(Rows(values, "F32"))
    before, _ = index.products(np.array([1.0, 0.0, 0.0]), 1)
    values[0, 0] = 7.0
    after, _ = index.products(np.array([1.0, 0.0, 0.0]), 1)
    assert (before[0], after[0]) == (1.0, 7.0)
