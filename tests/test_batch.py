"""Many queries at once against an oracle and against one by one: both arithmetics, every type."""

import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from numpy.typing import NDArray
from unembed.errors import UsageError
from unembed.indexes import arithmetic as arithmetics
from unembed.indexes import batch, bf16, exact, rounded, sweep
from unembed.indexes.batch import Asked, nearest_by_each, nearest_each, ranks_each
from unembed.indexes.exact import Measure
from unembed.indexes.int8 import Int8Products
from unembed.indexes.rounded import Float32Products
from unembed.indexes.rows import Rows, norm

from .helpers import TORCH, decoded, index_of, rows_of

LAWS = settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
KINDS = ["product", "cosine", "bias", "all", "hubs"]
Ids = NDArray[np.int64]


HAVE = {"int8": {"avx512_vnni", "avx512_bf16"}, "bf16": {"avx512_bf16"}, "float32": set()}


@pytest.fixture(autouse=True, params=HAVE)
def _arithmetic(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Take each arithmetic, whatever the machine has and however well it does."""
    monkeypatch.setattr("unembed.indexes.arithmetic.processor", lambda: HAVE[request.param])
    monkeypatch.setattr("unembed.indexes.arithmetic._FEWEST_QUERIES", 1)
    monkeypatch.setattr("unembed.indexes.int8._NARROWEST", 2)
    monkeypatch.setattr(Int8Products, "tells_enough", lambda *_: True)


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make tiles, blocks and the room for candidates so small that all of them are many."""
    monkeypatch.setattr("faiss.omp_get_max_threads", lambda: 1)
    monkeypatch.setattr(sweep, "_PART", 2)
    monkeypatch.setattr(sweep, "_LONGEST_TILE", 3)
    monkeypatch.setattr(Int8Products, "rows_at_once", 50)
    monkeypatch.setattr(Float32Products, "rows_at_once", 50)
    monkeypatch.setattr(bf16, "_ROWS_AT_ONCE", 50)
    monkeypatch.setattr(batch, "_ROOM", 5)


def told(done: int, total: int) -> None:
    assert 0 < done <= total


def measures_of(kind: str, rows: Rows, queries_QD: NDArray[np.float64]) -> list[Measure]:
    """Make measures with the parts that their name says, norms and biases shared."""
    rng = np.random.default_rng(0)
    norms_V = bias_V = hubness_V = None
    if kind == "hubs":
        hubness_V = rng.choice([0.0, 0.25, -0.5, 1 / 3], rows.count)
    if kind in {"cosine", "all", "hubs"}:
        norms_V = np.where(rows.norms() > 0, rows.norms() * rng.choice([1, 2], rows.count), 1e150)
    if kind in {"bias", "all"}:
        bias_V = rng.choice([-2.0, 0.0, -0.0, 0.5, 3.0, 100.0], rows.count)
    return [
        Measure(
            query_D,
            offset=float(place % 3) if kind == "all" else 0.0,
            bias_V=bias_V,
            norms_V=norms_V,
            divisor=float(norm(query_D)) or 1.0,
            hubness_V=hubness_V,
            own_hubness=[0.3, -2.0][place % 2] if kind == "hubs" else 0.0,
        )
        for place, query_D in enumerate(queries_QD)
    ]


def oracle(rows: Rows, measure: Measure, among_N: Ids | None) -> tuple[NDArray[np.float64], Ids]:
    """Score every row with numpy alone, in float64, and sort in Python."""
    with np.errstate(over="ignore"):  # over a tiny norm
        return _oracle(rows, measure, np.arange(rows.count) if among_N is None else among_N)


def _oracle(rows: Rows, measure: Measure, ids: Ids) -> tuple[NDArray[np.float64], Ids]:
    scores_N = (decoded(rows)[ids] * measure.query_D).sum(axis=1) + measure.offset
    if measure.bias_V is not None:
        scores_N += measure.bias_V[ids]
    if measure.norms_V is not None:
        scores_N /= measure.norms_V[ids]
    scores_N /= measure.divisor
    if measure.hubness_V is not None:
        scores_N = 2 * scores_N - (measure.hubness_V[ids] + measure.own_hubness)
    order = sorted(range(len(ids)), key=lambda place: (-scores_N[place], ids[place]))
    return scores_N[order], ids[order]


def assert_exact(
    rows: Rows, measures: Sequence[Measure], k: int, among_N: Ids | None = None
) -> None:
    """Both functions equal the oracle, to the last bit."""
    lengths_V = rows.norms()
    scores_QK, ids_QK = nearest_each(
        rows, measures, k, lengths_V=lengths_V, among_N=among_N, done=told
    )
    expected = [oracle(rows, measure, among_N) for measure in measures]
    for scores_K, ids_K, (scores_N, ids_N) in zip(scores_QK, ids_QK, expected, strict=True):
        np.testing.assert_array_equal(ids_K, ids_N[:k])
        assert scores_K.tobytes() == scores_N[:k].tobytes()
    if not expected or not len(expected[0][1]):
        return
    rng = np.random.default_rng(len(measures))
    places_Q = rng.integers(len(expected[0][1]), size=len(measures))
    targets_Q = np.array([ids_N[at] for (_, ids_N), at in zip(expected, places_Q, strict=True)])
    given = {"lengths_V": lengths_V, "among_N": among_N, "done": told}
    np.testing.assert_array_equal(ranks_each(rows, measures, targets_Q, **given), places_Q + 1)
    excluded = [rng.integers(rows.count, size=4) for _ in measures]
    left = [
        1 + np.count_nonzero(~np.isin(ids_N[:at], out_X))
        for (_, ids_N), at, out_X in zip(expected, places_Q, excluded, strict=True)
    ]
    found_Q = ranks_each(rows, measures, targets_Q, excluded=excluded, **given)
    np.testing.assert_array_equal(found_Q, left)


# Few values, so that ties, zero rows and duplicates are common; or any, with near-ties.
coarse = st.sampled_from([0.0, -0.0, 1.0, -1.0, 0.5, 2.0, -3.0, 1e-3, 6e-8])
close = st.sampled_from([1.0, 1.0 + 2.0**-7, 1.0 + 2.0**-23, 1.0 + 2.0**-52, -1.0])
wide = st.floats(-1e4, 1e4)
shapes = st.tuples(st.integers(1, 300), st.integers(1, 20))
matrices = st.sampled_from([coarse, close, wide]).flatmap(
    lambda elements: npst.arrays(np.float64, shapes, elements=elements, fill=elements)
)


@pytest.mark.parametrize("kind", KINDS)
@LAWS
@given(data=st.data())
def test_equals_the_oracle(small: None, kind: str, data: st.DataObject) -> None:
    rows = rows_of(data.draw(matrices), data.draw(st.sampled_from(list(TORCH))))
    shape = (data.draw(st.integers(1, 5)), rows.width)
    elements = st.sampled_from([1.0, -2.0, 0.25, 0.0, 1 / 3, 1e-30, 1e20])
    queries_QD = data.draw(npst.arrays(np.float64, shape, elements=elements))
    among = data.draw(st.none() | st.sets(st.integers(0, rows.count - 1)))
    among_N = None if among is None else np.array(sorted(among), dtype=np.int64)
    k = data.draw(st.integers(1, rows.count + 3))
    assert_exact(rows, measures_of(kind, rows, queries_QD), k, among_N)


@LAWS
@given(data=st.data())
def test_several_measures_of_one_product_equal_each_alone(small: None, data: st.DataObject) -> None:
    rows = rows_of(data.draw(matrices), data.draw(st.sampled_from(list(TORCH))))
    shape = (data.draw(st.integers(1, 5)), rows.width)
    queries_QD = data.draw(npst.arrays(np.float64, shape, elements=st.floats(-3, 3)))
    kinds = data.draw(st.lists(st.sampled_from(KINDS), min_size=1, max_size=3))
    asked = [
        Asked(measures_of(kind, rows, queries_QD.copy()), data.draw(st.integers(1, 9)))
        for kind in kinds
    ]
    given = {"lengths_V": rows.norms(), "done": told}
    found = nearest_by_each(rows, asked, **given)
    for ask, (scores_QK, ids_QK) in zip(asked, found, strict=True):
        for measure, scores_K, ids_K in zip(ask.measures, scores_QK, ids_QK, strict=True):
            scores_N, ids_N = oracle(rows, measure, None)
            np.testing.assert_array_equal(ids_K, ids_N[: ask.k])
            assert scores_K.tobytes() == scores_N[: ask.k].tobytes()


def test_measures_of_other_queries_are_refused() -> None:
    rows = rows_of(np.eye(3), "F32")
    one, other = measures_of("product", rows, np.eye(3)), measures_of("product", rows, -np.eye(3))
    given = {"lengths_V": rows.norms(), "done": told}
    with pytest.raises(UsageError, match="of query 0 differ in query_D; ask for them one by one"):
        nearest_by_each(rows, [Asked(one, 1), Asked(other, 1)], **given)
    with pytest.raises(UsageError, match="3 and 2 measures are asked for together"):
        nearest_by_each(rows, [Asked(one, 1), Asked(one[:2], 1)], **given)
    with pytest.raises(UsageError, match="k is 0; it must be at least 1"):
        nearest_each(rows, one, 0, **given)
    assert nearest_by_each(rows, [], **given) == []


@pytest.mark.parametrize("dtype", TORCH)
@pytest.mark.parametrize("kind", KINDS)
def test_equals_one_by_one(dtype: str, kind: str) -> None:
    rng = np.random.default_rng(1)
    rows = rows_of(rng.standard_normal((3000, 24)) * rng.uniform(0.1, 3, (3000, 1)), dtype)
    queries_QD = np.concatenate([rng.standard_normal((20, 24)), decoded(rows)[:20]])
    measures = measures_of(kind, rows, queries_QD)
    index = index_of(rows)
    found = nearest_each(rows, measures, 7, lengths_V=rows.norms(), done=told)
    for measure, scores_K, ids_K in zip(measures, *found, strict=True):
        (proposal,) = exact.propose(index, [measure], 7)
        expected = exact.nearest(index, rows, measure, proposal, 7)
        np.testing.assert_array_equal(ids_K, expected[1])
        assert scores_K.tobytes() == expected[0].tobytes()


@pytest.mark.parametrize("dtype", TORCH)
@pytest.mark.parametrize("step", [0.0, 2.0**-52, 2.0**-12])
def test_more_near_equal_rows_than_there_is_room_for(small: None, dtype: str, step: float) -> None:
    """The bound tells none of them apart, and all of them are candidates."""
    rng = np.random.default_rng(2)
    values = np.ones((2000, 1)) * rng.standard_normal(16)
    values[:, 3] *= 1 + step * rng.integers(0, 9, 2000)
    values[::7] = rng.standard_normal((286, 16))
    rows = rows_of(values, dtype)
    assert_exact(rows, measures_of("cosine", rows, values[[1, 5, 7]]), 20)
    assert_exact(rows, measures_of("product", rows, -values[[1, 5, 7, 9]]), 2000)


@pytest.mark.parametrize("length", [1e-300, 1e-42, 1.0, 1e60])
@pytest.mark.parametrize("size", [1e-44, 1e-37, 1.0, 3.4e37])
@pytest.mark.parametrize("dtype", ["F32", "F64", "BF16"])
def test_no_length_of_rows_or_queries_hides_anything(
    length: float, size: float, dtype: str
) -> None:
    """Also where all is below the normal range of bfloat16."""
    rng = np.random.default_rng(3)
    rows = rows_of(size * rng.uniform(-1, 1, (300, 6)), dtype)
    assert_exact(rows, measures_of("product", rows, length * rng.standard_normal((4, 6))), 9)


@pytest.mark.parametrize("dtype", ["F32", "F64"])
@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_what_bfloat16_cannot_hold_is_not_infinite(dtype: str, sign: float) -> None:
    """The last row is best; rounded to infinity it would be ruled out."""
    values = np.full((300, 2), [-3.35e38, 0.0])
    values[200:] = [-3.385e38, -1.3e37]
    values[-1] = [-3.4e38, 1.3e37]
    rows = rows_of(sign * values, dtype)
    measures = measures_of("product", rows, sign * np.array([[1.0, 20.0]]))
    assert oracle(rows, measures[0], None)[1][0] == 299
    assert_exact(rows, measures, 1)


def test_subnormal_float16_counts() -> None:
    values = np.zeros((300, 4))
    values[:, 0] = 2.0**-24 * np.arange(300)
    rows = rows_of(values, "F16")
    assert_exact(rows, measures_of("product", rows, np.eye(4)), 5)


@pytest.mark.parametrize("dtype", TORCH)
def test_one_row_no_row_and_no_query(dtype: str) -> None:
    rows = rows_of(np.ones((1, 3)), dtype)
    measures = measures_of("product", rows, np.eye(3))
    assert_exact(rows, measures, 5)
    nothing = np.empty(0, dtype=np.int64)
    given = {"lengths_V": rows.norms(), "done": told}
    scores_QK, ids_QK = nearest_each(rows, measures, 5, among_N=nothing, **given)
    assert scores_QK.shape == ids_QK.shape == (3, 0)
    assert (
        ranks_each(rows, measures, np.zeros(3, int), among_N=nothing, **given).tolist() == [1] * 3
    )
    assert nearest_each(rows, [], 5, **given)[1].shape == (0, 1)


def test_a_target_outside_of_what_is_searched_has_the_rank_it_would_have() -> None:
    rows = Rows(np.array([[3.0], [2.0], [2.0], [1.0]], dtype=np.float32), "F32")
    measures = [Measure(np.ones(1))] * 3
    given = {"lengths_V": rows.norms(), "done": told}
    found_Q = ranks_each(
        rows, measures, np.array([0, 2, 3]), among_N=np.array([3, 1]),
        excluded=[np.array([1]), np.array([2, 0]), np.array([3, 1, 1])], **given,
    )  # fmt: skip
    assert found_Q.tolist() == [1, 2, 1]


@pytest.mark.parametrize("dtype", TORCH)
@LAWS
@given(data=st.data())
def test_the_bound_on_the_error_holds(dtype: str, data: st.DataObject) -> None:
    width = data.draw(st.sampled_from([1, 3, 33, 300]))
    elements = st.floats(-6e4, 6e4) | st.sampled_from([1 + 2.0**-9, 1 + 2.0**-8, 1.1e-41, 6e-8])
    rows = rows_of(data.draw(npst.arrays(np.float64, (3, width), elements=elements)), dtype)
    queries_QD = data.draw(npst.arrays(np.float64, (2, width), elements=elements))
    assert_bounded(rows, queries_QD)


@pytest.mark.parametrize("dtype", TORCH)
def test_the_bound_holds_where_errors_add_up(dtype: str) -> None:
    """All terms rounded the same way, by nearly half a unit; many rows, as torch likes them."""
    near_half = 1 + 2.0**-8 * (1 - 2.0**-9)
    for width in (64, 2048):
        rows = rows_of(np.full((256, width), near_half), dtype)
        for sign in (1.0, -1.0):
            queries_QD = np.full((32, width), sign * near_half) * np.logspace(-6, 0, 32)[:, None]
            assert_bounded(rows, queries_QD, tight=True)


def assert_bounded(rows: Rows, queries_QD: NDArray[np.float64], *, tight: bool = False) -> None:
    given = rows, None, rows.norms()
    arithmetic = arithmetics.screening_products(*given, queries_QD, 1)
    asked = arithmetic.round(queries_QD)
    block = arithmetic.block(slice(0, rows.count), lambda count, work: work(0, count))
    values_QB = arithmetic.multiply(asked.queries, block)
    if values_QB.dtype == np.int16:
        values_QB = (values_QB.astype(np.int32) << 16).view(np.float32)
    factors_Q1, shifts_Q1, by_error_Q1, by_size_Q1, besides_Q1 = asked.numbers_Q5.T[:, :, None]
    scales_N, errors_N, sizes_N = arithmetic.margins_3N
    found_QB = values_QB * scales_N * factors_Q1
    true_QB = np.array([exact.products(rows, q_D, np.arange(rows.count)) for q_D in queries_QD])
    with np.errstate(invalid="ignore"):  # an infinite error, of a row that meets zeros
        errors_QB = by_error_Q1 * errors_N + by_size_Q1 * sizes_N + besides_Q1
    errors_QB = errors_QB + arithmetic.unit * np.abs(found_QB)
    assert np.all(~(np.abs(found_QB + shifts_Q1 - true_QB) > errors_QB))
    lengths_QB = np.outer(norm(queries_QD), rows.norms())
    assert not tight or np.all(errors_QB < 0.02 * lengths_QB)


class WorstProducts(Float32Products):
    """Are off by all that the bound allows, up or down, row by row."""

    def __init__(self, rows: Rows, ids_N: Ids | None, signs_V: NDArray[np.float64]) -> None:
        super().__init__(rows, ids_N, rows.norms())
        self._off_VD = decoded(rows) * (1 + 2.0**-9 * signs_V[:, None])

    def round(self, queries_QD: NDArray[np.float64]) -> rounded.Rounded:
        near_QD, exponents_Q = rounded.near(queries_QD)
        numbers_Q5 = rounded.float_numbers(near_QD, near_QD, exponents_Q, row_unit=2.0**-9)
        return rounded.Rounded(near_QD.astype(np.float32), numbers_Q5)

    def block(self, places: slice, share: rounded.Share) -> NDArray[np.float32]:  # noqa: ARG002
        return self._off_VD[places].astype(np.float32)


@pytest.mark.parametrize("kind", KINDS)
def test_no_error_within_the_bound_changes_an_answer(
    small: None, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Scores some tenths of the bound apart, and the best of them told to be the worst."""
    rng = np.random.default_rng(4)
    values = np.ones((900, 2))
    values[:, 1] += 2.0**-11 * rng.integers(-12, 12, 900)
    rows = rows_of(values, "F64")
    signs_V = -np.sign(values[:, 1] - 1)
    worst = WorstProducts(rows, None, signs_V)
    monkeypatch.setattr(batch, "screening_products", lambda *_, **__: worst)
    monkeypatch.setattr(batch, "float_products", lambda *_, **__: worst)
    measures = measures_of(kind, rows, np.array([[1.0, 1.0], [-1.0, 2.0], [1.0, -1.0]]))
    assert_exact(rows, measures, 20)
    assert_exact(rows, [replace(measure, divisor=1e-3) for measure in measures], 900)


@pytest.mark.parametrize("dtype", TORCH)
@pytest.mark.parametrize("width", [1, 7, 8, 9, 127, 128, 129, 130, 255, 640, 1000, 1033, 4096])
def test_compiled_products_have_numpys_bits(dtype: str, width: int) -> None:
    rng = np.random.default_rng(width)
    values = rng.standard_normal((30, width)) * np.logspace(-9, 3, 30)[:, None]
    values[0] = -0.0
    rows, query_D = rows_of(values, dtype), rng.standard_normal(width)
    assert_exact(rows, [Measure(query_D), Measure(np.abs(query_D))], 30)


@pytest.mark.parametrize("threads", [1, 3, 50])
def test_threads_change_no_byte(threads: int, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(5)
    rows = rows_of(rng.standard_normal((700, 9)), "BF16")
    measures = measures_of("cosine", rows, rng.standard_normal((40, 9)))
    expected = nearest_each(rows, measures, 6, lengths_V=rows.norms(), done=told)
    monkeypatch.setattr("faiss.omp_get_max_threads", lambda: threads)
    own = torch.get_num_threads()
    found = nearest_each(rows, measures, 6, lengths_V=rows.norms(), done=told)
    assert torch.get_num_threads() == own
    assert [part.tobytes() for part in found] == [part.tobytes() for part in expected]


def test_progress_is_told_and_may_stop_it(small: None) -> None:
    rows = rows_of(np.random.default_rng(6).standard_normal((300, 3)), "F32")
    measures = measures_of("product", rows, np.random.default_rng(7).standard_normal((7, 3)))
    steps: list[tuple[int, int]] = []
    nearest_each(rows, measures, 2, lengths_V=rows.norms(), done=lambda *step: steps.append(step))
    assert steps == [(step, 9) for step in range(1, 10)]

    def stop(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        nearest_each(rows, measures, 2, lengths_V=rows.norms(), done=stop)


def test_importing_it_loads_neither_torch_nor_numba() -> None:
    code = "import sys, unembed.indexes.batch; print({'torch', 'numba'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"
