"""Which of all rows can win: planted ones, against one decision for each; what is kept of it."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from unembed import open_head
from unembed.geometry.examining.writable import writable_all
from unembed.indexes.progress import Progress, step_of
from unembed.indexes.rows import Rows
from unembed.indexes.store import Store
from unembed.indexes.winning import every, margin, races
from unembed.indexes.winning.every import STEPS, Winners, decide_all
from unembed.indexes.winning.field import Field
from unembed.indexes.winning.one import decide

from .helpers import decoded, index_of, rows_of

EQUAL, OWN, WHITENED, MARGIN, PROGRAMME = range(1, 6)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "kept")


def all_of(
    rows: Rows,
    store: Store,
    bias_V: NDArray[np.float64] | None = None,
    *,
    progress: Progress | None = None,
) -> Winners:
    return decide_all(
        index_of(rows),
        rows,
        lengths_V=rows.norms(),
        bias_V=bias_V,
        store=store,
        key=repr(None if bias_V is None else bias_V.tobytes()),
        progress=progress,
    )


def one_by_one(rows: Rows, bias_V: NDArray[np.float64] | None = None) -> list[bool | None]:
    given = {"lengths_V": rows.norms(), "mean_D": decoded(rows).mean(axis=0), "bias_V": bias_V}
    index, done = index_of(rows), step_of(None, "")
    return [decide(index, rows, id_, done=done, **given).wins for id_ in range(rows.count)]


def sphere(rng: np.random.Generator, count: int, width: int) -> NDArray[np.float64]:
    outer_ND = rng.normal(size=(count, width))
    return 3 * outer_ND / np.linalg.norm(outer_ND, axis=1, keepdims=True)


@pytest.mark.parametrize("dtype", ["F32", "BF16", "F16", "F64"])
@pytest.mark.parametrize("width", [12, 130])  # eight bits are taken from 128 on
def test_rows_planted_in_the_hull_of_others_are_found_and_none_else(
    dtype: str, width: int, store: Store
) -> None:
    rng = np.random.default_rng(0)
    outer_ND = sphere(rng, 600, width)
    inner = 60 if width == 12 else 20  # each takes longer
    # Means of many others lie so deep that no rounding brings them out.
    inner_ND = np.array(
        [rng.dirichlet(np.ones(4 * width)) @ rng.permutation(outer_ND)[: 4 * width]
         for _ in range(inner)]
    )  # fmt: skip
    rows = rows_of(np.concatenate([inner_ND, outer_ND]), dtype)
    found = all_of(rows, store)
    assert np.flatnonzero(found.wins_V == 0).tolist() == list(range(inner))
    assert found.undecided == 0
    assert set(found.by_V[:inner]) <= {MARGIN, PROGRAMME}
    assert sum(map(sum, found.counts().values())) == inner + 600


def test_rows_planted_on_a_face_are_found(store: Store) -> None:
    """Their weights are powers of two, so that they lie in the hull of few, to the last bit."""
    rng = np.random.default_rng(1)
    outer_ND = np.round(64 * sphere(rng, 300, 20)) / 64
    chosen_NK = np.array([rng.choice(300, 3, replace=False) for _ in range(40)])
    inner_ND = np.einsum("k,nkd->nd", [0.5, 0.25, 0.25], outer_ND[chosen_NK])
    rows = rows_of(np.concatenate([outer_ND, inner_ND]), "F32")
    assert (decoded(rows)[300:] == inner_ND).all()
    found = all_of(rows, store)
    assert found.wins_V.tolist() == [1] * 300 + [0] * 40


def test_of_equal_rows_one_can_win(store: Store) -> None:
    rows_VD = np.array([[1, 0], [1, -0.0], [-1, 1], [-1, -1], [1, 0]], dtype=np.float32)
    rows = Rows(rows_VD, "F32")
    found = all_of(rows, store)
    assert found.wins_V.tolist() == [1, 0, 1, 1, 0]
    assert found.by_V.tolist() == [OWN, EQUAL, OWN, OWN, EQUAL]
    assert found.counts() == {"equal row": (0, 2), "own row": (3, 0)}
    # The largest bias comes first, then the lower id.
    for biases, first in (([0, 1, 0, 0, 1], 1), ([0, 0, 0, 0, 9], 4), ([2, 2, 2, 2, 2], 0)):
        found = all_of(rows, store, np.array(biases, dtype=np.float64))
        assert found.wins_V.tolist() == [int(id_ in {first, 2, 3}) for id_ in range(5)]


@pytest.mark.parametrize("count", [1, 2])
def test_a_head_of_one_row_or_of_equal_rows(count: int, store: Store) -> None:
    found = all_of(Rows(np.ones((count, 3), dtype=np.float32), "F32"), store)
    assert found.wins_V.tolist() == [1, 0][:count]
    assert found.undecided == 0


def test_a_bias_lets_an_inner_row_win_and_keeps_another_from_it(store: Store) -> None:
    rows_VD = np.array([[1, 0], [-1, 1], [-1, -1], [0, 0], [0.1, 0]], dtype=np.float32)
    rows = Rows(rows_VD, "F32")
    assert all_of(rows, store).wins_V.tolist() == [1, 1, 1, 0, 0]
    found = all_of(rows, store, np.array([0.0, 0.0, 0.0, 2.0, -9.0]))
    assert found.wins_V.tolist() == [1, 1, 1, 1, 0]
    assert found.by_V[3] in {WHITENED, MARGIN}


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 6), st.integers(2, 60), st.booleans(), st.booleans())
def test_it_is_the_decision_of_each_row(
    tmp_path_factory: pytest.TempPathFactory,
    seed: int,
    width: int,
    count: int,
    whole: bool,
    biased: bool,
) -> None:
    rng = np.random.default_rng(seed)
    rows_VD = rng.integers(-3, 4, size=(count, width)) if whole else rng.normal(size=(count, width))
    rows = rows_of(rows_VD.astype(np.float64), "F32")
    bias_V = rng.integers(-2, 3, size=count) * (1.0 if whole else 0.37) if biased else None
    found = all_of(rows, Store(tmp_path_factory.mktemp("kept")), bias_V)
    expected = one_by_one(rows, bias_V)
    assert [None if wins < 0 else bool(wins) for wins in found.wins_V] == expected
    assert ((found.by_V > 0) == (found.wins_V >= 0)).all()


def alike(rng: np.random.Generator) -> Rows:
    """Rows far apart, short ones, a bundle of nearly equal ones, and some that never win."""
    far_ND = rng.normal(size=(200, 12)) * np.linspace(0.2, 2, 12)
    bundle_ND = far_ND[:1] + 1e-2 * rng.normal(size=(120, 12))
    inner_ND = np.array([rng.dirichlet(np.ones(100)) @ far_ND[rng.permutation(200)[:100]]
                         for _ in range(10)])  # fmt: skip
    return rows_of(np.concatenate([far_ND, bundle_ND, inner_ND, far_ND[:3]]), "F32")


def test_every_step_decides_some_and_none_decides_otherwise(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    rows = alike(np.random.default_rng(2))
    expected = [int(bool(wins)) for wins in one_by_one(rows)]
    found = all_of(rows, Store(tmp_path / "usual"))
    assert found.wins_V.tolist() == expected
    assert {EQUAL, OWN, WHITENED, MARGIN} <= set(found.by_V)
    # With too few rows at a time, the margins leave some to the linear programme.
    monkeypatch.setattr(races, "_MORE", 2)
    monkeypatch.setattr(races, "_ROUNDS", 3)
    monkeypatch.setattr(races, "_TOGETHER", 5)
    monkeypatch.setattr(every, "_CHUNKS", {OWN: 100, WHITENED: 30, MARGIN: 7, PROGRAMME: 1})
    found = all_of(rows, Store(tmp_path / "small"))
    assert found.wins_V.tolist() == expected
    assert set(found.by_V) == {EQUAL, OWN, WHITENED, MARGIN, PROGRAMME}
    assert list(found.counts()) == list(STEPS[1:])


@pytest.mark.parametrize(
    ("of", "name", "gives"), [(races, "mean_at_zero", None), (Field, "is_mean", False)]
)
def test_a_row_without_margin_is_left_to_the_programme(
    monkeypatch: pytest.MonkeyPatch, store: Store, of: object, name: str, gives: object
) -> None:
    monkeypatch.setattr(of, name, lambda *_: gives)
    rows = Rows(np.array([[1, 0], [0, 1], [-1, -1], [0.1, 0.1]], dtype=np.float32), "F32")
    found = all_of(rows, store)
    assert (found.wins_V.tolist(), found.by_V[3]) == ([1, 1, 1, 0], PROGRAMME)


def test_what_the_programme_leaves_open_stays_so_and_is_not_tried_again(
    monkeypatch: pytest.MonkeyPatch, store: Store
) -> None:
    monkeypatch.setattr(races, "mean_at_zero", lambda *_: None)
    monkeypatch.setattr("unembed.indexes.winning.one._ROUNDS", 0)
    rows = Rows(np.array([[1, 0], [0, 1], [-1, -1], [0.1, 0.1]], dtype=np.float32), "F32")
    for _ in range(2):
        found = all_of(rows, store)
        assert (found.wins_V.tolist(), found.by_V.tolist()) == ([1, 1, 1, -1], [OWN] * 3 + [0])
        assert (found.undecided, found.counts()) == (1, {"own row": (3, 0)})
        monkeypatch.setattr(every, "Field", None)


def test_own_rows_meet_only_those_further_from_the_mean() -> None:
    rng = np.random.default_rng(3)
    rows = rows_of(rng.normal(size=(400, 5)) * rng.uniform(0.5, 2, size=(400, 1)), "F32")
    field = Field(rows, np.arange(400), lengths_V=rows.norms())
    centred_VD = decoded(rows) - field.mean_D
    products_VV = centred_VD @ centred_VD.T
    np.fill_diagonal(products_VV, -np.inf)
    wins_V = np.square(centred_VD).sum(axis=1) > products_VV.max(axis=1)
    assert 20 < wins_V.sum() < 380
    for start in range(0, 400, 40):
        ids_Q = field.order_N[start : start + 40]
        found_Q = field.by_own(ids_Q, step_of(None, ""))
        assert (found_Q == 1).tolist() == wins_V[ids_Q].tolist()


def test_rows_of_any_size_and_of_too_few_directions(store: Store) -> None:
    rng = np.random.default_rng(4)
    for scale in (1e-30, 1e30):
        flat_VD = rng.normal(size=(40, 2)) @ rng.normal(size=(2, 6))
        rows = rows_of(scale * np.concatenate([flat_VD, flat_VD.mean(axis=0)[None]]), "F64")
        expected = one_by_one(rows_of(decoded(rows) / scale, "F64"))
        found = all_of(rows, Store(store.directory / str(scale)))
        # The last is their mean but for rounding, which brings it out of their plane.
        assert found.wins_V[:40].tolist() == [int(bool(wins)) for wins in expected[:40]]


def kept_in(store: Store) -> dict[str, bytes]:
    kept = store.get("argmax", "None", lambda _: True)
    assert kept is not None
    return {name: array.tobytes() for name, array in kept.items()}


@pytest.mark.parametrize("breaks", [1, 3, 6, 10])
def test_a_run_that_is_broken_off_goes_on(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, breaks: int
) -> None:
    monkeypatch.setattr(races, "_MORE", 16)
    monkeypatch.setattr(every, "_CHUNKS", {OWN: 100, WHITENED: 40, MARGIN: 20, PROGRAMME: 1})
    rows = alike(np.random.default_rng(5))
    all_of(rows, Store(tmp_path / "at once"))
    store, kept = Store(tmp_path / "broken"), 0
    put = Store.put

    def broken(self: Store, name: str, key: str, arrays: dict[str, NDArray[np.int8]]) -> None:
        nonlocal kept
        put(self, name, key, arrays)
        kept += 1
        if kept == breaks:
            raise KeyboardInterrupt

    monkeypatch.setattr(Store, "put", broken)
    with pytest.raises(KeyboardInterrupt):
        all_of(rows, store)
    told: list[tuple[str, int, int]] = []
    all_of(rows, store, progress=lambda *step: told.append(step))
    assert kept_in(store) == kept_in(Store(tmp_path / "at once"))
    left = 333 - 3 - 100 * breaks
    if left > 0:  # it stood among the own rows
        assert told[0][2] == left
    else:
        assert "own row" not in {step.rpartition(": ")[2] for step, _, _ in told}


def test_progress_rises_to_the_end_of_each_step(store: Store) -> None:
    told: dict[str, list[tuple[int, int]]] = {}
    all_of(
        alike(np.random.default_rng(6)),
        store,
        progress=lambda step, done, total: told.setdefault(step, []).append((done, total)),
    )
    assert len(told) >= 3
    for counts in told.values():
        assert counts == sorted(counts)
        assert counts[-1][0] == counts[-1][1]


def test_what_is_kept_is_used_and_what_is_damaged_is_made_again(
    monkeypatch: pytest.MonkeyPatch, store: Store
) -> None:
    rows = alike(np.random.default_rng(7))
    found, whole = all_of(rows, store), kept_in(store)
    with monkeypatch.context() as patched:
        patched.setattr(every, "Field", None)
        again = all_of(rows, store)
    assert (again.wins_V == found.wins_V).all()
    assert (again.by_V == found.by_V).all()
    (entry,) = store.entries()
    content = entry.path.read_bytes()
    entry.path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    assert (all_of(rows, store).wins_V == found.wins_V).all()
    assert kept_in(store) == whole


@pytest.fixture(scope="module")
def verdicts(tmp_path_factory: pytest.TempPathFactory) -> tuple[Rows, Winners, Store]:
    """Give rows, what is found of them, and where it is kept."""
    rows, store = alike(np.random.default_rng(8)), Store(tmp_path_factory.mktemp("verdicts"))
    return rows, all_of(rows, store), store


@pytest.mark.parametrize(
    "spoilt",
    [
        lambda state: state.pop("tried"),
        lambda state: state.update(wins=state["wins"][:-1]),
        lambda state: state.update(wins=state["wins"].astype(np.int64)),
        lambda state: state["wins"].__setitem__(0, 2),
        lambda state: state["wins"].__setitem__(0, -1),
        lambda state: state["by"].__setitem__(0, 6),
        lambda state: state["by"].__setitem__(0, 0),
        lambda state: state["tried"].__setitem__(0, 0),
        lambda state: state["tried"].__setitem__(0, 6),
    ],
)
def test_what_is_kept_must_be_verdicts(
    store: Store,
    verdicts: tuple[Rows, Winners, Store],
    spoilt: Callable[[dict[str, NDArray[np.int8]]], object],
) -> None:
    rows, found, sound = verdicts
    kept = sound.get("argmax", "None", lambda _: True)
    assert kept is not None
    state = {name: array.copy() for name, array in kept.items()}
    spoilt(state)
    store.put("argmax", "None", state)
    assert (all_of(rows, store).wins_V == found.wins_V).all()


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 8), st.integers(1, 40))
def test_the_widest_margin_is_that_of_the_nearest_mean(seed: int, width: int, count: int) -> None:
    rng = np.random.default_rng(seed)
    steps_SE = rng.normal(size=(count, width)) + rng.normal(size=width)
    asked_S, weights_S = np.ones(count), np.zeros(count)
    vector_E, found = margin.widest(steps_SE, asked_S, weights_S)
    mean_S = margin.mean_at_zero(steps_SE, asked_S)
    assert mean_S is not None
    assert (weights_S >= 0).all()
    assert vector_E == pytest.approx(weights_S @ steps_SE)
    nearest_E = mean_S @ steps_SE / mean_S.sum()
    if found:
        assert (steps_SE @ vector_E >= 0.94).all()
        # The shortest vector of margin 1 is the nearest mean over its own square.
        assert (steps_SE @ nearest_E).min() == pytest.approx(nearest_E @ nearest_E)
        assert vector_E == pytest.approx(nearest_E / (nearest_E @ nearest_E), rel=0.3, abs=0.3)
    else:
        assert float(nearest_E @ nearest_E) < 1e-2


def test_where_least_squares_go_round_too_often_there_is_no_mean(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert margin.mean_at_zero(np.zeros((2, 3)), np.ones(2)) is None

    def too_often(*_: object, **__: object) -> None:
        raise RuntimeError("Maximum number of iterations reached.")

    monkeypatch.setattr("scipy.optimize.nnls", too_often)
    assert margin.mean_at_zero(np.eye(3), np.ones(3)) is None


def test_a_head_is_decided_once(make_checkpoint: Callable[..., Path]) -> None:
    head = open_head(make_checkpoint())
    found = writable_all(head)
    assert found.undecided == 0
    assert [bool(wins) for wins in found.wins_V] == one_by_one(head.rows, head.bias_V)
    assert "argmax" in {entry.name for entry in head.store.entries()}
    assert (writable_all(head).by_V == found.by_V).all()


@pytest.mark.real
def test_every_token_of_a_real_head_can_be_written_but_equals(tmp_path: Path) -> None:
    head = open_head("demo-bytes")
    found = decide_all(
        head.index, head.rows, lengths_V=head.norms_V, store=Store(tmp_path), key="its own"
    )
    assert found.undecided == 0
    (lost,) = np.flatnonzero(found.wins_V == 0)
    assert found.by_V[lost] == EQUAL
    assert (head.rows.codes_VD[:lost] == head.rows.codes_VD[lost]).all(axis=1).sum() == 1
