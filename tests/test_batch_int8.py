"""Products in eight bits: their bound at its worst, when they are taken, and when they are not."""

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from unembed.indexes import arithmetic, batch, exact, int8
from unembed.indexes.batch import nearest_each
from unembed.indexes.bf16 import Bf16Products
from unembed.indexes.exact import Measure
from unembed.indexes.int8 import Int8Products, Placement
from unembed.indexes.rounded import Float32Products, Share
from unembed.indexes.rows import Rows

from .helpers import TORCH, decoded, index_of, rows_of

FEW_LEFT = int8._MOST_LEFT
VNNI, BF16 = "avx512_vnni", "avx512_bf16"


@pytest.fixture(autouse=True)
def _has(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take the products in eight bits wherever they are right, also of narrow rows."""
    monkeypatch.setattr(arithmetic, "processor", lambda: {VNNI, BF16})
    monkeypatch.setattr(int8, "_NARROWEST", 16)
    monkeypatch.setattr(int8, "_MOST_LEFT", 1.0)


def told(done: int, total: int) -> None:
    assert 0 < done <= total


def taken(rows: Rows, queries_QD: NDArray[np.float64], k: int = 3) -> type:
    return type(arithmetic.screening_products(rows, None, rows.norms(), queries_QD, k))


def assert_exact(rows: Rows, queries_QD: NDArray[np.float64], k: int) -> None:
    """By the product and by the cosine, as one by one."""
    lengths_V, index = rows.norms(), index_of(rows)
    for norms_V in (None, np.where(lengths_V > 0, lengths_V, 1.0)):
        measures = [Measure(query_D, norms_V=norms_V, offset=0.5) for query_D in queries_QD]
        found = nearest_each(rows, measures, k, lengths_V=lengths_V, done=told)
        for measure, scores_K, ids_K in zip(measures, *found, strict=True):
            (proposal,) = exact.propose(index, [measure], k)
            expected = exact.nearest(index, rows, measure, proposal, k)
            np.testing.assert_array_equal(ids_K, expected[1])
            assert scores_K.tobytes() == expected[0].tobytes()


def outliers(rng: np.random.Generator, rows: int, width: int) -> NDArray[np.float64]:
    """Like those of language models: a mean, long columns, near copies and rows of zeros."""
    values = rng.standard_normal((rows, width)) * np.logspace(-2, 1, width) + 0.7
    values[:, 3] += 60
    values[rows // 2 :: 3] = values[7] + 1e-3 * rng.standard_normal(values[rows // 2 :: 3].shape)
    values[::50] = 0
    return values


@pytest.mark.parametrize("dtype", TORCH)
def test_outlying_columns_cost_no_answer(dtype: str) -> None:
    rng = np.random.default_rng(0)
    rows = rows_of(outliers(rng, 5000, 40), dtype)
    queries_QD = rng.standard_normal((80, 40))
    queries_QD[:20] = decoded(rows)[rng.integers(5000, size=20)]
    queries_QD[20] = 0
    assert taken(rows, queries_QD) is Int8Products
    assert_exact(rows, queries_QD, 12)


@pytest.mark.parametrize("size", [1e-44, 1e-36, 1e-4, 1e5, 1e30])
@pytest.mark.parametrize("length", [1e-300, 1e-20, 1.0, 1e40])
def test_no_size_of_rows_or_queries_costs_an_answer(size: float, length: float) -> None:
    rng = np.random.default_rng(1)
    rows = rows_of(size * rng.standard_normal((700, 20)), "F32")
    assert_exact(rows, length * rng.standard_normal((70, 20)), 9)


@pytest.mark.parametrize("dtype", ["F32", "F64"])
def test_rows_beyond_all_others_are_kept(dtype: str) -> None:
    """A row too long, or too short, for the sample's placement has no bound, or a wide one."""
    rng = np.random.default_rng(2)
    values = rng.standard_normal((3000, 16))
    values[1234] *= 1e36
    values[1500] *= 1e-36
    values[2000:2100] = 0
    rows = rows_of(values, dtype)
    queries_QD = rng.standard_normal((64, 16))
    products = Int8Products.where_good(rows, np.arange(3000), rows.norms(), queries_QD, 5)
    assert products is not None
    products.block(slice(0, 3000), lambda count, work: work(0, count))
    assert np.flatnonzero(np.isinf(products.margins_3N[1])).tolist() == [1234]
    assert_exact(rows, queries_QD, 5)


class Worst(Int8Products):
    """Rounds rows as badly as it says: some values up, where a row should be told too good."""

    signs_V: NDArray[np.int8]

    def block(self, places: slice, share: Share) -> torch.Tensor:
        block = super().block(places, share)
        off_BD = np.broadcast_to(self.signs_V[places, None], block.shape)
        moved = (block.numpy() + 4 * off_BD.astype(np.int64)).clip(-127, 127)
        lost_B = np.linalg.norm(moved - block.numpy(), axis=1)
        scales_B, errors_B, sizes_B = self.margins_3N[:, places]
        errors_B += scales_B * lost_B
        sizes_B[:] = scales_B * np.linalg.norm(moved, axis=1)
        return torch.from_numpy(moved.astype(np.int8))


def test_no_error_within_the_bound_changes_an_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(3)
    values = 5 * np.ones((2000, 20)) + 0.2 * rng.standard_normal((2000, 20))
    rows = rows_of(values, "F32")
    query_D = np.ones(20)
    products_N = values @ query_D
    Worst.signs_V = -np.sign(products_N - np.quantile(products_N, 0.9)).astype(np.int8)
    placement = Placement(np.full(20, 5, dtype=np.float32), np.ones(20, dtype=np.float32))
    worst = Worst(rows, np.arange(2000), rows.norms(), placement)
    monkeypatch.setattr(batch, "screening_products", lambda *_, **__: worst)
    assert_exact(rows, query_D + 1e-3 * rng.standard_normal((64, 20)), 200)


def test_no_rounding_of_a_query_changes_an_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """All of its values rounded against the best row, when the others are settled already."""
    monkeypatch.setattr(batch, "_ROOM", 16)
    query_D = np.concatenate([[127.0, 10.0], np.full(31, 10.49), np.full(31, 10.51)])
    best_D = np.concatenate([[1.0, 1.0], np.ones(31), -np.ones(31)])
    values = np.tile([1.0, -1.0] + [-1.0] * 31 + [1.0] * 31, (300, 1))
    values[299] = best_D
    rows = rows_of(127 * values, "F32")
    placement = Placement(np.zeros(64, dtype=np.float32), np.ones(64, dtype=np.float32))
    products = Int8Products(rows, np.arange(300), rows.norms(), placement)
    monkeypatch.setattr(batch, "screening_products", lambda *_, **__: products)
    assert values[299] @ query_D > values[0] @ query_D
    assert values[299] @ np.rint(query_D) < values[0] @ query_D
    assert_exact(rows, query_D[None], 1)


def test_it_is_taken_where_it_is_faster(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(4)
    monkeypatch.setattr(int8, "_MOST_LEFT", FEW_LEFT)
    rows = rows_of(rng.standard_normal((9000, 64)), "F32")
    queries_QD = rng.standard_normal((64, 64))
    assert taken(rows, queries_QD) is Int8Products
    assert taken(rows, queries_QD[:63]) is Bf16Products
    narrow = rows_of(rng.standard_normal((9000, 15)), "F32")
    assert taken(narrow, queries_QD[:, :15]) is Bf16Products
    alike = rows_of(np.ones((9000, 64)) + 1e-3 * rng.standard_normal((9000, 64)), "F32")
    assert taken(alike, queries_QD) is Int8Products  # minus their mean they are as good
    assert taken(rows, queries_QD, k=60) is Bf16Products
    assert taken(rows_of(np.ones((300, 64)), "F32"), queries_QD) is Bf16Products
    monkeypatch.setattr(arithmetic, "processor", lambda: {BF16})
    assert taken(rows, queries_QD) is Bf16Products
    monkeypatch.setattr(arithmetic, "processor", set)
    assert taken(rows, queries_QD) is Float32Products


def test_a_torch_without_it_or_with_a_wrong_one_does_without(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rng = np.random.default_rng(5)
    rows = rows_of(rng.standard_normal((3000, 64)), "F32")
    queries_QD = rng.standard_normal((64, 64))
    assert taken(rows, queries_QD) is Int8Products
    whole = torch._int_mm

    def wrong(one: torch.Tensor, other: torch.Tensor, out: torch.Tensor) -> None:
        whole(one, other, out=out)
        out[0, 0] += 1

    monkeypatch.setattr(torch, "_int_mm", wrong)
    assert taken(rows, queries_QD) is Bf16Products
    monkeypatch.delattr(torch, "_int_mm")
    assert taken(rows, queries_QD) is Bf16Products


def test_columns_of_little_spread_are_rounded_in_finer_units(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(int8, "_MOST_LEFT", FEW_LEFT)
    rng = np.random.default_rng(6)
    values = rng.standard_normal((3000, 32))
    values[:, 0] *= 1000
    rows = rows_of(values, "F32")
    queries_QD = rng.standard_normal((64, 32))
    queries_QD[:, 0] /= 1000
    plain = Placement(np.zeros(32, dtype=np.float32), np.ones(32, dtype=np.float32))
    fitted = Placement.fitted(values, queries_QD)
    given = rows, np.arange(3000), rows.norms()
    assert Int8Products(*given, fitted).tells_enough(queries_QD, 3)
    assert not Int8Products(*given, plain).tells_enough(queries_QD, 3)
