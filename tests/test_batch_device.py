"""Products on a device: refused where there is none, and the same answers where there is one."""

import numpy as np
import pytest
import torch
from unembed.errors import UsageError
from unembed.indexes import arithmetic, batch, bf16
from unembed.indexes.batch import nearest_each, ranks_each
from unembed.indexes.bf16 import Bf16Products
from unembed.indexes.exact import Measure
from unembed.indexes.rows import Rows

from .helpers import TORCH, rows_of


def told(done: int, total: int) -> None:
    assert 0 < done <= total


def given(dtype: str = "BF16") -> tuple[Rows, list[Measure]]:
    rng = np.random.default_rng(0)
    rows = rows_of(rng.standard_normal((500, 24)), dtype)
    return rows, [
        Measure(query_D, norms_V=rows.norms()) for query_D in rng.standard_normal((9, 24))
    ]


@pytest.mark.parametrize("device", ["tpu", "cuda:", "cuda:-1", "CUDA", "cuda:1234", "", "cpu:0"])
def test_a_device_of_no_such_kind_is_refused(device: str) -> None:
    rows, measures = given()
    with pytest.raises(UsageError, match="it can be 'cpu', 'cuda' or 'cuda:1'") as caught:
        nearest_each(rows, measures, 1, lengths_V=rows.norms(), done=told, device=device)
    assert repr(device) in str(caught.value)


def test_a_gpu_that_is_not_there_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    rows, measures = given()
    options = {"lengths_V": rows.norms(), "done": told}
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(UsageError, match="'cuda', but torch finds no GPU: leave it out"):
        nearest_each(rows, measures, 1, **options, device="cuda")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    with pytest.raises(UsageError, match="'cuda:2', but torch finds 2 GPUs: the last is 'cuda:1'"):
        ranks_each(rows, measures, np.zeros(9, dtype=int), **options, device="cuda:2")


class Elsewhere(Bf16Products):
    """Goes the way of a GPU, on the processor: blocks are kept, products are copied."""

    def __init__(self, rows: Rows, free: int) -> None:
        super().__init__(rows, None, rows.norms())
        self._on_gpu = True
        self.rows_at_once = 100
        self.free = free
        self.converted = 0

    def _free(self) -> int:
        return self.free

    def _converted(self, places: slice, share: object) -> torch.Tensor:
        self.converted += 1
        return super()._converted(places, share)  # type: ignore[arg-type]


@pytest.mark.parametrize(("free", "converted"), [(0, 6), (1 << 30, 2)])
def test_blocks_are_kept_for_the_next_queries_where_there_is_room(
    free: int, converted: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows, measures = given("F32")
    options = {"lengths_V": rows.norms(), "done": told}
    wanted = nearest_each(rows, measures, 5, **options)
    ranks_Q = ranks_each(rows, measures, wanted[1][:, 3], **options)
    elsewhere = Elsewhere(rows, free)
    monkeypatch.setattr(batch, "screening_products", lambda *_, **__: elsewhere)
    monkeypatch.setattr(batch, "float_products", lambda *_, **__: elsewhere)
    monkeypatch.setattr("unembed.indexes.sweep._LONGEST_TILE", 3)
    monkeypatch.setattr("unembed.indexes.sweep._LONGEST_BLOCK", 4)
    found = nearest_each(rows, measures, 5, **options, device="cuda")
    assert [part.tobytes() for part in found] == [part.tobytes() for part in wanted]
    assert elsewhere.converted == converted
    assert ranks_each(rows, measures, wanted[1][:, 3], **options).tolist() == ranks_Q.tolist()
    assert ranks_Q.tolist() == [4] * 9


def test_a_device_without_memory_is_told_of(monkeypatch: pytest.MonkeyPatch) -> None:
    rows, measures = given()
    switches = torch.backends.cuda.matmul
    own = switches.allow_bf16_reduced_precision_reduction

    def full(*_: object) -> None:
        assert not switches.allow_bf16_reduced_precision_reduction
        raise torch.cuda.OutOfMemoryError

    monkeypatch.setattr(Bf16Products, "multiply", full)
    monkeypatch.setattr(arithmetic, "processor", lambda: {"avx512_bf16"})
    with pytest.raises(UsageError, match="no memory left for 2,048 rows"):
        nearest_each(rows, measures, 1, lengths_V=rows.norms(), done=told)
    assert switches.allow_bf16_reduced_precision_reduction == own
    assert bf16._ROWS_AT_ONCE == 2048


@pytest.mark.skipif(not torch.cuda.is_available(), reason="torch finds no GPU")
@pytest.mark.parametrize("dtype", TORCH)
def test_a_gpu_gives_the_same_bytes(dtype: str) -> None:
    rng = np.random.default_rng(1)
    rows = rows_of(rng.standard_normal((70_000, 640)), dtype)
    measures = [Measure(query_D) for query_D in rng.standard_normal((700, 640))]
    options = {"lengths_V": rows.norms(), "done": told}
    wanted = nearest_each(rows, measures, 20, **options)
    found = nearest_each(rows, measures, 20, **options, device="cuda")
    assert [part.tobytes() for part in found] == [part.tobytes() for part in wanted]
    ranks_Q = ranks_each(rows, measures, wanted[1][:, 7], **options, device="cuda:0")
    assert ranks_Q.tolist() == [8] * 700
