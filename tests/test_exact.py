"""The search against an oracle: every type and measure, ties, near-ties, regions, parts."""

from dataclasses import dataclass, replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from numpy.typing import NDArray
from unembed.indexes import exact, faiss
from unembed.indexes.exact import Measure, NormFit, Proposal, nearest, products, propose, ranks
from unembed.indexes.faiss import MappedIndex
from unembed.indexes.rows import Rows, norm

from .helpers import TORCH, decoded, index_of, rows_of

MEASURES = ["product", "cosine", "fitted", "centred", "bias", "all", "hubs"]
Answer = tuple[NDArray[np.float64], NDArray[np.int64]]
# A test that turns a knob turns it the same way in each example.
LAWS = settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def measure_of(kind: str, rows: Rows, query_D: NDArray[np.float64], seed: int = 0) -> Measure:
    """Make a measure with the parts that its name says."""
    rng = np.random.default_rng(seed)
    mean_D = decoded(rows).mean(axis=0)
    centred_V = norm(decoded(rows) - mean_D)
    length = float(norm(query_D)) or 1.0
    parts: dict[str, object] = {}
    if kind in {"cosine", "fitted", "hubs"}:
        norms_V = rows.norms()
        parts = {"norms_V": np.where(norms_V > 0, norms_V, 1.0), "divisor": length}
    if kind in {"fitted", "hubs"}:  # by no good vector: it may not matter for the answer
        vector_D = rng.choice([0.5, 1.0, -1.0], rows.width) + query_D * rng.choice([0.0, 1.0])
        parts["fit"] = NormFit(vector_D, products(rows, vector_D, np.arange(rows.count)))
    if kind in {"centred", "all"}:
        parts = {
            "offset": -float(mean_D @ query_D),
            "norms_V": np.where(centred_V > 1e-9, centred_V, 1.0),
            "divisor": length,
        }
    if kind in {"bias", "all"}:
        parts["bias_V"] = rng.choice([-2.0, 0.0, 0.5, 3.0, 100.0], rows.count)
    if kind == "hubs":
        parts["hubness_V"] = rng.choice([-1.0, 0.0, 0.25, 0.3, 1.0], rows.count)
        parts["own_hubness"] = float(rng.choice([-0.1, 0.0, 0.7]))
    return Measure(query_D, **parts)  # type: ignore[arg-type]


def oracle(rows: Rows, measure: Measure, among_N: NDArray[np.int64] | None = None) -> Answer:
    """Score each row by itself in float64, sort in Python."""
    among_N = np.arange(rows.count) if among_N is None else among_N
    scores = {}
    for id_ in among_N.tolist():
        score = np.sum(decoded_row(rows, id_) * measure.query_D) + measure.offset
        score += 0.0 if measure.bias_V is None else measure.bias_V[id_]
        score /= 1.0 if measure.norms_V is None else measure.norms_V[id_]
        scores[id_] = score / measure.divisor
        if measure.hubness_V is not None:
            hubness = measure.hubness_V[id_] + measure.own_hubness
            scores[id_] = 2 * scores[id_] - hubness
    ids = sorted(scores, key=lambda id_: (-scores[id_], id_))
    return np.array([scores[id_] for id_ in ids]), np.array(ids, dtype=np.int64)


def decoded_row(rows: Rows, id_: int) -> NDArray[np.float64]:
    if rows.dtype != "BF16":
        return rows.codes_VD[id_].astype(np.float64)
    return (rows.codes_VD[id_].astype(np.uint32) << 16).view(np.float32).astype(np.float64)


def answer(
    rows: Rows,
    measure: Measure,
    k: int,
    *,
    among_N: NDArray[np.int64] | None = None,
    index: MappedIndex | None = None,
) -> Answer:
    index = index or index_of(rows)
    (proposal,) = propose(index, [measure], k, among_N=among_N)
    return nearest(index, rows, measure, proposal, k)


def assert_equal(found: Answer, expected: Answer, k: int) -> None:
    np.testing.assert_array_equal(found[1], expected[1][:k])
    np.testing.assert_array_equal(found[0], expected[0][:k])


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let FAISS propose so few that the search must grow, and cut the rows into small parts."""
    monkeypatch.setattr(exact, "_FIRST_CANDIDATES", 1)
    monkeypatch.setattr(exact, "_GROWTH", 2)
    monkeypatch.setattr(exact, "_FEW", 0)
    monkeypatch.setattr("unembed.indexes.faiss._SAMPLED", 2)
    monkeypatch.setattr(faiss, "_SMALLEST_PART", 3)


# Few values, so that ties, zero rows and duplicates are common; or any, with near-ties.
coarse = st.sampled_from([0.0, 1.0, -1.0, 0.5, 2.0, -3.0, 1e-3])
close = st.sampled_from([1.0, 1.0 + 2.0**-7, 1.0 + 2.0**-23, 1.0 + 2.0**-52, -1.0])
wide = st.floats(-1e4, 1e4)
shapes = st.tuples(st.integers(1, 30), st.integers(1, 9))
matrices = st.sampled_from([coarse, close, wide]).flatmap(
    lambda elements: npst.arrays(np.float64, shapes, elements=elements)
)


@dataclass(frozen=True)
class Case:
    rows: Rows
    measure: Measure
    among_N: NDArray[np.int64] | None


@st.composite
def cases(draw: st.DrawFn, kind: str) -> Case:
    rows = rows_of(draw(matrices), draw(st.sampled_from(list(TORCH))))
    elements = st.sampled_from([1.0, -2.0, 0.25, 0.0, 1 / 3])
    query_D = draw(npst.arrays(np.float64, rows.width, elements=elements))
    among = draw(st.none() | st.sets(st.integers(0, rows.count - 1)))
    among_N = None if among is None else np.array(sorted(among), dtype=np.int64)
    return Case(rows, measure_of(kind, rows, query_D, draw(st.integers(0, 9))), among_N)


@pytest.mark.parametrize("kind", MEASURES)
@LAWS
@given(data=st.data())
def test_equals_the_oracle(few: None, kind: str, data: st.DataObject) -> None:
    case = data.draw(cases(kind))
    k = data.draw(st.integers(1, case.rows.count + 3))
    found = answer(case.rows, case.measure, k, among_N=case.among_N)
    assert_equal(found, oracle(case.rows, case.measure, case.among_N), k)


@pytest.mark.parametrize("kind", MEASURES)
@LAWS
@given(data=st.data())
def test_ranks_equal_the_oracle(few: None, kind: str, data: st.DataObject) -> None:
    """A row has a rank wherever it is, also outside of what is searched."""
    case = data.draw(cases(kind))
    ids_N = np.arange(case.rows.count)
    found = ranks(index_of(case.rows), case.rows, case.measure, ids_N, among_N=case.among_N)
    searched = ids_N if case.among_N is None else case.among_N
    for id_, rank in enumerate(found.tolist()):
        _, order = oracle(case.rows, case.measure, np.union1d(searched, [id_]))
        assert rank == 1 + order.tolist().index(id_)


@pytest.mark.parametrize("dtype", TORCH)
@pytest.mark.parametrize("kind", MEASURES)
def test_every_count_of_answers(few: None, kind: str, dtype: str) -> None:
    """k = 1..V over one head, with duplicates, a zero row and norms far apart."""
    rng = np.random.default_rng(5)
    values = rng.standard_normal((41, 7)) * np.logspace(-3, 3, 41)[:, None]
    values[[3, 17, 40]] = values[20]
    values[[5, 30]] = 0.0
    rows = rows_of(values, dtype)
    measure = measure_of(kind, rows, rng.standard_normal(7))
    expected, index = oracle(rows, measure), index_of(rows)
    for k in range(1, rows.count + 2):
        assert_equal(answer(rows, measure, k, index=index), expected, k)


@pytest.mark.parametrize("dtype", TORCH)
@pytest.mark.parametrize("cosine", [False, True])
def test_many_equal_rows_come_by_the_lower_id(dtype: str, cosine: bool) -> None:
    """More duplicates than FAISS is asked for first: its own choice among them would be wrong."""
    values = np.random.default_rng(1).standard_normal((3000, 24))
    values[500:2500] = values[7]
    rows = rows_of(values, dtype)
    measure = Measure(values[7] / norm(values[7]), norms_V=rows.norms() if cosine else None)
    scores_K, ids_K = answer(rows, measure, 20)
    first = ids_K.tolist().index(7)
    tied = 20 - first
    np.testing.assert_array_equal(ids_K[first:], [7, *range(500, 499 + tied)])
    assert len(set(scores_K[first:])) == 1
    assert ranks(index_of(rows), rows, measure, np.array([7, 500, 2499])).tolist() == [
        first + 1,
        first + 2,
        first + 2001,
    ]


@pytest.mark.parametrize("step", [2.0**-52, 2.0**-45, 2.0**-30])
def test_ties_of_float32_are_told_apart_in_float64(few: None, step: float) -> None:
    """Scores rise with the id by less than float32 can see: its order among them is arbitrary."""
    values = np.ones((300, 5))
    values[:, 2] = 1 + step * np.arange(300)
    rows, measure = Rows(values, "F64"), Measure(np.full(5, 1 / 4))
    scores_K, ids_K = answer(rows, measure, 300)
    assert_equal((scores_K, ids_K), oracle(rows, measure), 300)
    assert len(set(scores_K)) > 50
    assert ids_K[0] >= 296


def test_the_query_alone_can_hold_the_difference(few: None) -> None:
    """Two rows that change places once the query is rounded to float32."""
    query_D = np.array([1.0, 1.0 + 2.0**-40, 1.0 - 2.0**-40])
    rows = Rows(np.eye(3, dtype=np.float32), "F32")
    assert len(set(query_D.astype(np.float32))) == 1
    assert answer(rows, Measure(query_D), 2)[1].tolist() == [1, 0]


def test_a_wrong_order_of_float32_is_put_right(few: None) -> None:
    """Cancellation: of 1e8 + 1 - 1e8 float32 sees 0, and it proposes the row of 0.5 first."""
    values = np.zeros((40, 3), dtype=np.float32)
    values[:, 1] = np.linspace(-0.5, 0.5, 40)
    values[23] = [2.0**27, 1.0, -(2.0**27)]
    rows = Rows(values, "F32")
    measure = Measure(np.ones(3))
    (first,) = propose(index_of(rows), [measure], 1)
    assert first.ids_C[0] != 23  # else this test shows nothing
    assert answer(rows, measure, 1)[1].tolist() == [23]
    assert ranks(index_of(rows), rows, measure, np.array([23, 39])).tolist() == [1, 2]


@pytest.mark.parametrize("few_first", [True, False])
def test_norms_that_differ_by_a_million_do_not_hide_a_cosine(
    few_first: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rows of the best cosines have the smallest products by far."""
    if few_first:
        monkeypatch.setattr(exact, "_FIRST_CANDIDATES", 2)
    rng = np.random.default_rng(2)
    values = rng.standard_normal((6000, 8)) * 1e3
    query_D = rng.standard_normal(8)
    values[5990:] = 1e-3 * (query_D + 1e-2 * rng.standard_normal((10, 8)))
    rows = rows_of(values, "F32")
    measure = Measure(query_D, norms_V=rows.norms(), divisor=float(norm(query_D)))
    found = answer(rows, measure, 12)
    assert_equal(found, oracle(rows, measure), 12)
    assert set(found[1][:10].tolist()) == set(range(5990, 6000))


class WorstIndex(MappedIndex):
    """Is off by as much as the bound allows, up or down, row by row."""

    def __init__(self, rows: Rows, measure: Measure, signs_V: NDArray[np.float64]) -> None:
        super().__init__(rows, longest=float(rows.norms().max()))
        room = super().error(float(norm(measure.query_D))) * (1 - 2.0**-20)
        self._products_V = products(rows, measure.query_D, np.arange(rows.count)) + room * signs_V

    def products(
        self,
        queries_QD: NDArray[np.float64],  # noqa: ARG002
        k: int,
        *,
        among_N: NDArray[np.int64] | None = None,
    ) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        ids_N = np.arange(self.count) if among_N is None else among_N
        order_K = np.argsort(-self._products_V[ids_N], kind="stable")[:k]
        return self._products_V[ids_N[order_K]][None], ids_N[order_K][None]


@pytest.mark.parametrize("kind", MEASURES)
@LAWS
@given(data=st.data())
def test_no_error_within_the_bound_changes_an_answer(
    few: None, kind: str, data: st.DataObject
) -> None:
    """Scores some tenths of the bound apart, and products that are off by all of it."""
    count = data.draw(st.integers(2, 12))
    steps = npst.arrays(np.int64, count, elements=st.integers(-12, 12))
    values = np.ones((count, 2), dtype=np.float32)
    values[:, 1] = 2.0**-24 * data.draw(steps)
    rows = Rows(values, "F32")
    measure = measure_of(kind, rows, np.array([1.0, 1.0]))
    if measure.norms_V is not None:
        measure = replace(measure, norms_V=np.ones(count))
    if measure.bias_V is not None:
        measure = replace(measure, bias_V=2.0**-24 * data.draw(steps))
    if measure.hubness_V is not None:
        measure = replace(measure, hubness_V=2.0**-24 * data.draw(steps))
    signs_V = data.draw(npst.arrays(np.float64, count, elements=st.sampled_from([-1.0, 1.0, 0.0])))
    index, k = WorstIndex(rows, measure, signs_V), data.draw(st.integers(1, count))
    (products_C,), (ids_C,) = index.products(
        measure.query_D[None], data.draw(st.integers(k, count))
    )
    first = Proposal(measure.query_D, products_C, ids_C, None)
    expected = oracle(rows, measure)
    assert_equal(nearest(index, rows, measure, first, k), expected, k)
    assert ranks(index, rows, measure, expected[1]).tolist() == [*range(1, count + 1)]


def test_a_large_bias_lifts_a_row_that_faiss_puts_last(few: None) -> None:
    values = np.linspace(1, 2, 500)[:, None].astype(np.float32)
    bias_V = np.zeros(500)
    bias_V[[0, 250]] = 1.0 + 1e-12, 0.75
    measure = Measure(np.ones(1), bias_V=bias_V)
    rows = Rows(values, "F32")
    assert_equal(answer(rows, measure, 5), oracle(rows, measure), 5)
    assert answer(rows, measure, 2)[1].tolist() == [250, 0]


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_rows_all_on_one_side(few: None, sign: float) -> None:
    """All products of one sign: the row of the smallest norm is best, or the last."""
    values = np.abs(np.random.default_rng(3).standard_normal((900, 6))) + 0.1
    values *= sign * np.linspace(0.01, 50, 900)[:, None]
    rows = rows_of(values, "F32")
    measure = Measure(np.ones(6), norms_V=rows.norms())
    assert_equal(answer(rows, measure, 15), oracle(rows, measure), 15)
    plain = Measure(np.ones(6))
    found = answer(rows, plain, 15)
    assert_equal(found, oracle(rows, plain), 15)
    assert np.sign(found[0]).tolist() == [sign] * 15


@pytest.mark.parametrize("length", [1e-300, 1e-42, 1e-30, 1.0, 1e30, 1e60])
@pytest.mark.parametrize("size", [1e-37, 1.0, 1e37])
def test_the_length_of_a_query_or_of_the_rows_hides_nothing(
    few: None, length: float, size: float
) -> None:
    """Far beyond what a product can be in float32, on both sides."""
    rng = np.random.default_rng(4)
    values = size * rng.uniform(-1, 1, (60, 6))
    for rows in rows_of(values, "F32"), rows_of(values, "F64"):
        measure = Measure(length * rng.standard_normal(6))
        assert_equal(answer(rows, measure, 60), oracle(rows, measure), 60)
        index = index_of(rows)
        assert ranks(index, rows, measure, oracle(rows, measure)[1]).tolist() == [*range(1, 61)]


@pytest.mark.parametrize("dtype", TORCH)
def test_zero_rows_and_a_zero_query_tie_at_zero(few: None, dtype: str) -> None:
    rows = rows_of(np.zeros((9, 3)), dtype)
    scores_K, ids_K = answer(rows, Measure(np.ones(3), norms_V=np.ones(9)), 4)
    assert (scores_K.tolist(), ids_K.tolist()) == ([0.0] * 4, [0, 1, 2, 3])
    rows = rows_of(np.random.default_rng(0).standard_normal((9, 3)), dtype)
    assert answer(rows, Measure(np.zeros(3)), 4)[1].tolist() == [0, 1, 2, 3]


def test_an_empty_region_has_no_answer_and_all_ranks_are_first() -> None:
    rows, nothing = Rows(np.eye(3, dtype=np.float32), "F32"), np.empty(0, dtype=np.int64)
    scores_K, ids_K = answer(rows, Measure(np.ones(3)), 2, among_N=nothing)
    assert (scores_K.tolist(), ids_K.tolist()) == ([], [])
    found = ranks(index_of(rows), rows, Measure(np.ones(3)), np.arange(3), among_N=nothing)
    assert found.tolist() == [1, 1, 1]
    assert ranks(index_of(rows), rows, Measure(np.ones(3)), nothing).tolist() == []


def test_queries_asked_together_are_answered_as_alone(few: None) -> None:
    rng = np.random.default_rng(6)
    rows, queries_QD = rows_of(rng.standard_normal((70, 5)), "F16"), rng.standard_normal((30, 5))
    queries_QD *= np.logspace(-20, 20, 30)[:, None]
    index = index_of(rows)
    kinds = [*MEASURES, *MEASURES[1:]] * 4
    measures = [measure_of(*each) for each in zip(kinds, [rows] * 30, queries_QD, strict=False)]
    for region in (None, np.arange(0, 70, 3)):
        proposals = propose(index, measures, 4, among_N=region)
        for measure, proposal in zip(measures, proposals, strict=True):
            found = nearest(index, rows, measure, proposal, 4)
            assert_equal(found, oracle(rows, measure, region), 4)


@LAWS
@given(case=cases("all") | cases("hubs"))
def test_a_row_within_reach_is_never_passed_over(case: Case) -> None:
    """Whatever score a row has, its own product (with the room that is kept) reaches it."""
    ids_N = np.arange(case.rows.count)
    true_N = products(case.rows, case.measure.query_D, ids_N)
    scores_N = case.measure.of_products(true_N, ids_N)
    error = index_of(case.rows).error(float(norm(case.measure.query_D))) + case.measure.slack()
    for id_ in ids_N:
        reach_V = case.measure.within_reach(scores_N[id_], true_N[id_] + error, slice(None))
        assert np.broadcast_to(reach_V, case.rows.count)[id_]
    assert case.measure.within_reach(1e250, 1.0, slice(None)).sum() == 0  # a norm may be 1e-38


def test_a_hub_gives_way_to_a_row_of_a_lower_cosine(few: None) -> None:
    """The best cosine is no first score, and the best score has one of the lowest cosines."""
    angles = np.linspace(0.1, 1.5, 600)
    rows = rows_of(np.stack([np.cos(angles), np.sin(angles)], axis=1), "F32")
    hubness_V = np.full(600, 0.95)
    hubness_V[[0, 590]] = 1.0, -1.0
    norms_V, axis_D = rows.norms(), np.array([1.0, 0.0])
    measure = Measure(axis_D, norms_V=norms_V, hubness_V=hubness_V, own_hubness=0.25)
    assert_equal(answer(rows, measure, 9), oracle(rows, measure), 9)
    assert answer(rows, measure, 3)[1].tolist() == [590, 1, 2]
    assert answer(rows, Measure(axis_D, norms_V=norms_V), 2)[1].tolist() == [0, 1]


def test_a_row_at_the_origin_has_the_hubness_alone(few: None) -> None:
    """Its norm is given as immense: what it scores must not be lost in rounding times that."""
    values = np.array([[0.0, 0.0], [-1.0, 0.0], [0.0, 0.0], [1.0, 1e-3]])
    rows = rows_of(values, "F32")
    norms_V = np.where(rows.norms() > 0, rows.norms(), 1e150)
    hubness_V = np.array([1 / 3, 0.1, 1 / 3, 0.9])
    measure = Measure(np.array([1.0, 0.0]), norms_V=norms_V, hubness_V=hubness_V, own_hubness=0.1)
    for k in range(1, 5):
        assert_equal(answer(rows, measure, k), oracle(rows, measure), k)
    assert answer(rows, measure, 3)[1].tolist() == [3, 0, 2]
