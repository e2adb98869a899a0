"""Which rows can win: planted ones, against a linear programme over all rows."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.optimize import linprog
from unembed.indexes.faiss import MappedIndex
from unembed.indexes.progress import step_of
from unembed.indexes.rows import Rows
from unembed.indexes.winning import one
from unembed.indexes.winning.one import Verdict, decide


def verdicts(
    rows_VD: NDArray[np.float32], bias_V: NDArray[np.float64] | None = None
) -> list[Verdict]:
    rows = Rows(rows_VD, "F32")
    lengths_V = rows.norms()
    index = MappedIndex(rows, longest=float(lengths_V.max()))
    return [
        decide(
            index,
            rows,
            id_,
            lengths_V=lengths_V,
            mean_D=rows_VD.mean(axis=0, dtype=np.float64),
            bias_V=bias_V,
            done=step_of(None, ""),
        )
        for id_ in range(len(rows_VD))
    ]


def test_a_whitened_row_is_tried_before_the_programme() -> None:
    stretched_D = np.array([1.0, 40.0])
    angles_V = 2 * np.pi * np.arange(0.1, 60) / 60  # even: what whitens them is known exactly
    rows_VD = (np.stack([np.cos(angles_V), np.sin(angles_V)], axis=1) * stretched_D).astype("f4")
    rows = Rows(rows_VD, "F32")
    lengths_V = rows.norms()
    mean_D = rows_VD.mean(axis=0, dtype=np.float64)
    covariance_DD = np.cov(rows_VD.T.astype(np.float64))
    found: dict[str, int] = {}
    for id_ in range(len(rows_VD)):
        verdict = decide(
            MappedIndex(rows, longest=float(lengths_V.max())),
            rows,
            id_,
            lengths_V=lengths_V,
            mean_D=mean_D,
            whitened_D=np.linalg.solve(covariance_DD, rows_VD[id_] - mean_D),
            done=step_of(None, ""),
        )
        assert verdict.wins
        assert verdict.vector_D is not None
        assert int((rows_VD.astype(np.float64) @ verdict.vector_D).argmax()) == id_
        found[verdict.by] = found.get(verdict.by, 0) + 1
    assert found.pop(one.OWN) < 10
    assert list(found) == [one.WHITENED]


def margin(rows_VD: NDArray[np.float64], id_: int) -> float:
    """The largest margin over all other rows within a box: above 0 where the row can win."""
    others_ND = np.delete(rows_VD, id_, axis=0)
    count, width = others_ND.shape
    found = linprog(
        [*[0.0] * width, -1.0],
        A_ub=np.hstack([others_ND - rows_VD[id_], np.ones((count, 1))]),
        b_ub=np.zeros(count),
        bounds=[*[(-1, 1)] * width, (None, None)],
    )
    return float(found.x[-1])


def test_rows_planted_in_the_hull_of_others_never_win() -> None:
    rng = np.random.default_rng(0)
    outer_ND = rng.normal(size=(400, 12)).astype(np.float32)
    outer_ND *= (3 / np.linalg.norm(outer_ND, axis=1, keepdims=True)).astype(np.float32)
    shares_NN = rng.dirichlet(np.ones(6), size=100)
    chosen_NK = np.array([rng.choice(400, 6, replace=False) for _ in range(100)])
    inner_ND = np.einsum("nk,nkd->nd", shares_NN, outer_ND[chosen_NK]).astype(np.float32)
    found = verdicts(np.concatenate([inner_ND, outer_ND]))
    assert [verdict.wins for verdict in found] == [False] * 100 + [True] * 400
    for verdict, row_D in zip(found[:100], inner_ND, strict=True):
        assert verdict.by == one.PROGRAMME
        rows_VD = np.concatenate([inner_ND, outer_ND])
        mean_D = verdict.weights_N @ rows_VD[verdict.others_N]
        assert mean_D == pytest.approx(row_D.astype(float), abs=1e-5)
        assert verdict.weights_N.sum() == pytest.approx(1.0)


@pytest.mark.parametrize("few", [2, 512])
def test_it_is_the_programme_over_all_rows(monkeypatch: pytest.MonkeyPatch, few: int) -> None:
    monkeypatch.setattr(one, "_FIRST", few)
    monkeypatch.setattr(one, "_MORE", few)
    rows_VD = np.random.default_rng(1).normal(size=(120, 4)).astype(np.float32)
    found = verdicts(rows_VD)
    for id_, verdict in enumerate(found):
        assert verdict.wins == (margin(rows_VD.astype(np.float64), id_) > 1e-9)
        if verdict.wins:
            assert verdict.vector_D is not None
            assert (rows_VD @ verdict.vector_D).argmax() == id_
    assert {verdict.by for verdict in found if verdict.wins} == {one.OWN, one.PROGRAMME}


def test_of_equal_rows_the_first_wins() -> None:
    rows_VD = np.array([[1, 0], [1, 0], [-1, 1], [-1, -1]], dtype=np.float32)
    found = verdicts(rows_VD)
    assert [verdict.wins for verdict in found] == [True, False, True, True]
    assert (found[1].by, found[1].others_N.tolist()) == (one.EQUAL, [0])
    # A bias tells them apart.
    biased = verdicts(rows_VD, np.array([0.0, 1.0, 0.0, 0.0]))
    assert [verdict.wins for verdict in biased] == [False, True, True, True]


def test_a_bias_lets_an_inner_row_win_and_keeps_another_from_it() -> None:
    rows_VD = np.array([[1, 0], [-1, 1], [-1, -1], [0, 0], [0.1, 0]], dtype=np.float32)
    assert [verdict.wins for verdict in verdicts(rows_VD)] == [True] * 3 + [False] * 2
    found = verdicts(rows_VD, np.array([0.0, 0.0, 0.0, 2.0, -9.0]))
    assert [verdict.wins for verdict in found] == [True] * 4 + [False]
    assert found[3].vector_D is not None
    logits_V = rows_VD @ found[3].vector_D + [0.0, 0.0, 0.0, 2.0, -9.0]
    assert logits_V.argmax() == 3


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 3), st.integers(2, 30), st.booleans())
def test_a_verdict_holds(seed: int, width: int, count: int, biased: bool) -> None:
    rng = np.random.default_rng(seed)
    rows_VD = rng.integers(-3, 4, size=(count, width)).astype(np.float32)
    bias_V = rng.integers(-2, 3, size=count).astype(np.float64) if biased else None
    added_V = np.zeros(count) if bias_V is None else bias_V
    for id_, verdict in enumerate(verdicts(rows_VD, bias_V)):
        if verdict.wins:
            assert verdict.vector_D is not None
            # A bias counts for nothing beside a vector that is long enough.
            scores = [
                rows_VD.astype(np.float64) @ (scale * verdict.vector_D) + added_V
                for scale in (1.0, 1e6)
            ]
            assert any(
                set(np.flatnonzero(scores_V >= scores_V[id_]).tolist())
                <= set(np.flatnonzero((rows_VD == rows_VD[id_]).all(axis=1)).tolist())
                for scores_V in scores
            )
        elif verdict.wins is False:
            mean_D = verdict.weights_N @ rows_VD[verdict.others_N]
            assert mean_D == pytest.approx(rows_VD[id_].astype(float), abs=1e-5)
            assert verdict.weights_N @ added_V[verdict.others_N] >= added_V[id_] - 1e-5
        else:
            pytest.fail(f"{rows_VD[id_]} is undecided")
