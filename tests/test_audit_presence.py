"""The probability of a token: margins, their calibration, and what of a sum does not count."""

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression
from unembed import Head, open_head
from unembed.geometry.audit import presence as module
from unembed.geometry.audit.forms import plain
from unembed.geometry.audit.presence import (
    FEWEST_NAMES,
    Calibration,
    Presence,
    calibrate,
    not_calibrated,
    open_calibration,
)
from unembed.geometry.concepts.compose import Composer, composer_of
from unembed.geometry.evaluation.retrieval import retrieve_targets
from unembed.geometry.method import Method

from .named import cache_in, named, write_named
from .scored import write_head

Margins = NDArray[np.float64]


@pytest.fixture(scope="module")
def head(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Head]:
    directory = tmp_path_factory.mktemp("presence")
    with cache_in(directory):
        yield open_head(write_named(directory / "head"))


@pytest.fixture(scope="module")
def composer(head: Head) -> Composer:
    return composer_of(head)


def drawn(shift: float, *, count: int = 200, seed: int = 0) -> tuple[Margins, Margins]:
    """Draw margins that lie so far apart, in standard deviations."""
    random = np.random.default_rng(seed)
    return random.standard_normal(count) + shift, random.standard_normal(count)


# The calibration.


@pytest.mark.parametrize("shift", [0.0, 0.7, 2.0, 50.0])
def test_a_calibration_rises_and_stays_a_probability(shift: float) -> None:
    found = calibrate(*drawn(shift))
    asked_B = np.linspace(-100, 100, 4001)
    p_B = found(asked_B)
    assert ((p_B > 0) & (p_B < 1)).all()
    assert (np.diff(p_B) >= 0).all() or shift == 0.0  # where nothing is told it may fall
    assert np.abs(np.diff(p_B)).max() < 1
    assert found(np.array([-np.inf, np.inf])).tolist() == [p_B[0], p_B[-1]]
    assert (np.diff(found.knots_K) > 0).all()
    assert found.names == 200
    assert found(np.empty(0)).shape == (0,)


@given(
    present=st.lists(st.floats(-9, 9), min_size=FEWEST_NAMES, max_size=70),
    shift=st.floats(-5, 5),
)
@example(present=[0.0] * 50, shift=0.0)
@example(present=[0.0, 1.0] * 25, shift=1.0)
@settings(max_examples=25, deadline=None)
def test_any_margins_give_probabilities(present: list[float], shift: float) -> None:
    present_Q = np.array(present)
    found = calibrate(present_Q, present_Q[::-1] - shift)
    p_B = found(np.concatenate([present_Q, np.linspace(-30, 30, 99)]))
    assert ((p_B >= 0) & (p_B <= 1)).all()
    assert found.brier is not None
    assert found.log_loss is not None
    assert 0 <= found.brier <= 1
    assert sum(bin_.n for bin_ in found.curve) == 2 * len(present)


def test_a_calibration_beats_chance_where_there_is_something_to_know() -> None:
    for shift, brier in ((0.7, 0.24), (2.0, 0.14), (50.0, 0.001)):
        found = calibrate(*drawn(shift))
        assert found.brier is not None
        assert found.brier < brier
        assert found.log_loss is not None
        assert found.log_loss < np.log(2)
    nothing = calibrate(*drawn(0.0))
    assert nothing.brier == pytest.approx(0.25, abs=0.01)
    assert nothing.log_loss == pytest.approx(np.log(2), abs=0.02)
    assert nothing.to_dict()["brier_chance"] == 0.25


def test_it_is_true_to_what_comes_of_it() -> None:
    """Of normal margins d apart, the probability is a logistic function of d times the margin."""
    found = calibrate(*drawn(1.5, count=3000))
    asked_B = np.linspace(-1, 2.5, 50)
    np.testing.assert_allclose(found(asked_B), 1 / (1 + np.exp(1.125 - 1.5 * asked_B)), atol=0.05)
    for bin_ in found.curve:
        assert abs(bin_.p - bin_.observed) < 4 * np.sqrt(0.25 / bin_.n)


def steps(count: int = 300) -> tuple[Margins, Margins]:
    """Draw margins of which the high are surely present, the low are not, and others are even."""
    random = np.random.default_rng(0)
    present_Q, absent_Q = random.integers(0, 3, (2, count)) + 0.0
    present_Q[: count // 2] += random.uniform(3, 60, count // 2)
    absent_Q[: count // 4] -= random.uniform(0, 60, count // 4)
    return present_Q, absent_Q


def logs_of(present_Q: Margins, absent_Q: Margins) -> dict[str, float]:
    """Cross-validate both kinds with scikit-learn alone, over the same folds of names."""
    count = len(present_Q)
    folds_Q = np.random.default_rng(0).permutation(count) % 5
    losses: dict[str, list[float]] = {"logistic": [], "isotonic": []}
    for fold in range(5):
        seen_Q = folds_Q != fold
        train = np.concatenate([present_Q[seen_Q], absent_Q[seen_Q]])
        test = np.concatenate([present_Q[~seen_Q], absent_Q[~seen_Q]])
        labels = np.repeat([1, 0], seen_Q.sum())
        truth = np.repeat([1, 0], (~seen_Q).sum())
        scale = train.std()
        line = LogisticRegression(C=1e3).fit(train[:, None] / scale, labels)
        edge = 0.5 / len(train)
        curve = IsotonicRegression(y_min=edge, y_max=1 - edge, out_of_bounds="clip")
        for kind, p in (
            ("logistic", line.predict_proba(test[:, None] / scale)[:, 1]),
            ("isotonic", curve.fit(train, labels).predict(test)),
        ):
            losses[kind] += (-np.log(np.where(truth == 1, p, 1 - p))).tolist()
    return {kind: float(np.mean(of)) for kind, of in losses.items()}


@pytest.mark.parametrize(
    ("margins", "kind"),
    [(drawn(1.0), "logistic"), (steps(), "isotonic")],
    ids=["normal", "steps"],
)
def test_the_kind_that_does_better_on_unseen_names_is_taken(
    margins: tuple[Margins, Margins], kind: str
) -> None:
    losses = logs_of(*margins)
    assert min(losses, key=losses.__getitem__) == kind
    found = calibrate(*margins)
    assert (found.kind, found.reason) == (kind, None)
    assert found.log_loss == pytest.approx(losses[kind], abs=1e-4)  # its curve is a line of knots


def test_what_is_fitted_in_the_end_is_scikit_learns() -> None:
    present_Q, absent_Q = drawn(1.0)
    margins_N, labels_N = np.concatenate([present_Q, absent_Q]), np.repeat([1, 0], 200)
    scale = margins_N.std()
    line = LogisticRegression(C=1e3).fit(margins_N[:, None] / scale, labels_N)
    asked_B = np.linspace(-2, 3, 100)
    wanted_B = line.predict_proba(asked_B[:, None] / scale)[:, 1]
    np.testing.assert_allclose(calibrate(present_Q, absent_Q)(asked_B), wanted_B, atol=1e-4)
    present_Q, absent_Q = steps()
    edge = 0.5 / 600
    curve = IsotonicRegression(y_min=edge, y_max=1 - edge, out_of_bounds="clip")
    curve.fit(np.concatenate([present_Q, absent_Q]), np.repeat([1, 0], 300))
    asked_B = np.linspace(-70, 70, 200)
    np.testing.assert_allclose(
        calibrate(present_Q, absent_Q)(asked_B), curve.predict(asked_B), atol=1e-9
    )


def test_both_questions_of_a_name_are_in_one_fold(monkeypatch: pytest.MonkeyPatch) -> None:
    present_Q, absent_Q = np.arange(60) + 0.5, np.arange(60) + 0.25  # whose floor is the name
    seen: list[tuple[str, set[float]]] = []
    fit = module._fit

    def watched(kind: str, margins_N: Margins, labels_N: Margins) -> tuple[Margins, Margins]:
        seen.append((kind, set(margins_N.tolist())))
        return fit(kind, margins_N, labels_N)

    monkeypatch.setattr(module, "_fit", watched)
    calibrate(present_Q, absent_Q)
    folds = seen[:-1]
    assert [kind for kind, _ in folds] == ["logistic"] * 5 + ["isotonic"] * 5
    for kind in range(2):
        unseen = []
        for _, margins in folds[5 * kind : 5 * kind + 5]:
            assert {int(margin) + 0.5 for margin in margins} <= margins
            assert {int(margin) + 0.25 for margin in margins} <= margins
            unseen += sorted({*range(60)} - {int(margin) for margin in margins})
        assert sorted(unseen) == list(range(60))  # each name is unseen once
    assert len(seen[-1][1]) == 120  # in the end all are seen


def test_the_curve_says_what_came_of_how_many() -> None:
    present_Q, absent_Q = drawn(1.0, count=53)
    found = calibrate(present_Q, absent_Q)
    assert len(found.curve) == 10
    assert [bin_.n for bin_ in found.curve] == [11] * 6 + [10] * 4
    assert sum(bin_.observed * bin_.n for bin_ in found.curve) == pytest.approx(53)
    assert [bin_.p for bin_ in found.curve] == sorted(bin_.p for bin_ in found.curve)
    assert all(0 <= bin_.observed <= 1 for bin_ in found.curve)
    pairs = [(p > a) + 0.5 * (p == a) for p in present_Q for a in absent_Q]
    assert found.auroc == pytest.approx(np.mean(pairs))
    said = found.to_dict()
    assert json.loads(json.dumps(said)) == said
    assert said["curve"][0] == {
        "p": found.curve[0].p,
        "observed": found.curve[0].observed,
        "n": 11,
    }


def test_too_few_names_are_not_calibrated() -> None:
    present_Q, absent_Q = drawn(1.0, count=FEWEST_NAMES)
    assert calibrate(present_Q, absent_Q).kind is not None
    found = calibrate(present_Q[1:], absent_Q[1:])
    assert (
        found.reason == "the names of 49 tokens are known, of at least 50 that a calibration takes"
    )
    assert (found.kind, found.brier, found.auroc, found.log_loss) == (None, None, None, None)
    assert found.to_dict()["brier_chance"] is None
    assert json.loads(json.dumps(found.to_dict()))["curve"] == []
    assert not_calibrated("so").to_dict()["reason"] == "so"


# A head's own names.


@pytest.mark.parametrize("csls", [False, True])
def test_a_head_is_calibrated_on_its_own_names(composer: Composer, *, csls: bool) -> None:
    sample, method = composer.directions.sample("emoji"), Method(estimator="procrustes", csls=csls)
    found, held_out = open_calibration(composer, sample, method, name="emoji")
    retrieval = retrieve_targets(composer, sample, method)
    scores_QC, twins_QC = retrieval.scores_QC, retrieval.twins_QC
    present, absent = [], []
    for place, scores_C in enumerate(scores_QC):
        present.append(margin(scores_C))
        others_C = scores_C[~twins_QC[place] & (np.arange(len(scores_C)) != place)]
        absent.append(margin(others_C))
    wanted = calibrate(np.array(present), np.array(absent))
    assert found.names == len(named()) == len(scores_QC)
    of_names = dict(zip([plain(pair.base) for pair in retrieval.names], present, strict=True))
    assert held_out == pytest.approx(of_names, abs=1e-12)
    assert (found.kind, found.curve) == (wanted.kind, wanted.curve)
    assert found.auroc is not None
    assert found.auroc > 0.75  # the emoji stand where a map takes their names
    np.testing.assert_allclose(found.values_K, wanted.values_K)


def test_the_twins_of_what_is_taken_away_are_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of "horse face" 🐎 is one."""
    monkeypatch.setattr(module, "FEWEST_NAMES", 5)
    composer = composer_of(open_head(write_head(tmp_path / "head")))
    sample, method = composer.directions.sample("emoji"), Method(csls=True)
    retrieval = retrieve_targets(composer, sample, method)
    assert retrieval.twins_QC.any()
    given: list[Margins] = []

    def watched(present_Q: Margins, absent_Q: Margins) -> Calibration:
        given.extend([present_Q, absent_Q])
        return not_calibrated("so")

    monkeypatch.setattr(module, "calibrate", watched)
    assert open_calibration(composer, sample, method, name="emoji")[0].reason == "so"
    gone_QC = retrieval.twins_QC | np.eye(len(retrieval.names), dtype=bool)
    rows = list(zip(retrieval.scores_QC, gone_QC, strict=True))
    np.testing.assert_allclose(given[0], [margin(scores_C) for scores_C, _ in rows])
    np.testing.assert_allclose(given[1], [margin(scores_C[~gone_C]) for scores_C, gone_C in rows])


def margin(scores_C: Margins) -> float:
    """Give how far the best stands above the mean of the next five."""
    best = sorted(scores_C.tolist(), reverse=True)[:6]
    return best[0] - sum(best[1:]) / max(len(best) - 1, 1)


def test_margins_are_kept(composer: Composer, monkeypatch: pytest.MonkeyPatch) -> None:
    sample, method = composer.directions.sample("emoji"), Method(estimator="procrustes", csls=True)
    first, held_out = open_calibration(composer, sample, method, name="emoji")

    def never(*given: object, **options: object) -> None:
        raise AssertionError("asked again")

    monkeypatch.setattr(module, "retrieve_targets", never)
    again, held_out_again = open_calibration(composer, sample, method, name="emoji")
    assert (again.to_dict(), held_out_again) == (first.to_dict(), held_out)
    np.testing.assert_array_equal(again.values_K, first.values_K)
    with pytest.raises(AssertionError, match="asked again"):  # another method, other margins
        open_calibration(composer, sample, Method(estimator="offset", csls=True), name="emoji")


def test_a_head_of_few_names_says_so(tmp_path: Path) -> None:
    for count in (FEWEST_NAMES - 1, FEWEST_NAMES):
        composer = composer_of(open_head(write_named(tmp_path / str(count), count=count)))
        sample = composer.directions.sample("emoji")
        found, held_out = open_calibration(composer, sample, Method(), name="emoji")
        assert (found.kind is None) == (not held_out) == (count < FEWEST_NAMES)
    assert found.names == FEWEST_NAMES


# What is asked.


def asked(count: int = 30, hubness: float = 0.0) -> tuple[Presence, Calibration]:
    random = np.random.default_rng(0)
    targets_CD = random.standard_normal((count, 8))
    targets_CD /= np.linalg.norm(targets_CD, axis=1, keepdims=True)
    calibration = calibrate(*drawn(1.0))
    hubness_C = hubness * random.uniform(-1, 1, count)
    cosines = 2.0 if hubness else 1.0
    float32_CD, held_out = targets_CD.astype(np.float32), {"sea horse": 0.75}
    return Presence(float32_CD, hubness_C, cosines, calibration, held_out), calibration


def unnamed(presence: Presence, vectors_BD: Margins, terms: dict[int, Margins]) -> Margins:
    return presence(vectors_BD, terms, [None] * len(vectors_BD))


@pytest.mark.parametrize("count", [1, 2, 5, 6, 7, 30])
@pytest.mark.parametrize("hubness", [0.0, 0.5])
def test_a_probability_is_that_of_the_margin(count: int, hubness: float) -> None:
    presence, calibration = asked(count, hubness)
    moved_BD = 5 * np.random.default_rng(1).standard_normal((20, 8))
    wanted = []
    for vector_D in moved_BD:
        cosines_C = presence.targets_CD.astype(np.float64) @ vector_D / np.linalg.norm(vector_D)
        wanted.append(margin(presence.cosines * cosines_C - presence.hubness_C))
    found_B = unnamed(presence, moved_BD, {})
    np.testing.assert_allclose(found_B, calibration(np.array(wanted)), atol=1e-5)
    alone_B = [unnamed(presence, vector_D[None], {})[0] for vector_D in 3 * moved_BD]
    np.testing.assert_allclose(found_B, alone_B, atol=1e-5)


@pytest.mark.parametrize("hubness", [0.0, 0.5])
def test_the_token_of_a_term_is_not_that_of_the_sum(hubness: float) -> None:
    presence, calibration = asked(30, hubness)
    terms_TD = presence.targets_CD[[3, 7]].astype(np.float64)  # whose tokens are there
    sum_D, other_D = terms_TD.sum(axis=0), np.ones(8)

    def scores(vector_D: Margins) -> Margins:
        cosines_C = presence.targets_CD.astype(np.float64) @ vector_D / np.linalg.norm(vector_D)
        scores_C: Margins = presence.cosines * cosines_C - presence.hubness_C
        return scores_C

    of_sum_C = scores(sum_D)
    of_terms_C = np.maximum(scores(terms_TD[0]), scores(terms_TD[1]))
    counted_C = of_sum_C[of_terms_C < of_sum_C]
    assert 0 < len(counted_C) < 30
    assert not {of_sum_C[3], of_sum_C[7]} & set(counted_C.tolist())
    with_terms, without = unnamed(presence, np.array([sum_D, other_D]), {0: terms_TD})
    assert with_terms == pytest.approx(calibration(np.array([margin(counted_C)]))[0], abs=1e-5)
    assert without == pytest.approx(unnamed(presence, other_D[None], {})[0], abs=1e-6)
    assert with_terms != pytest.approx(unnamed(presence, sum_D[None], {})[0], abs=1e-3)
    turned_B = unnamed(presence, np.array([other_D, sum_D]), {1: terms_TD})
    np.testing.assert_allclose(turned_B, [without, with_terms], atol=1e-6)


def test_a_sum_of_nothing_but_its_terms_tokens_has_none_of_its_own() -> None:
    presence, calibration = asked(2)
    terms_TD = presence.targets_CD.astype(np.float64)
    assert unnamed(presence, terms_TD.sum(axis=0)[None], {0: terms_TD}) == calibration(np.zeros(1))


@pytest.mark.parametrize("lengths", [[1], [1, 1], [2, 0.5, 1]])
def test_a_sum_of_one_thing_is_that_thing(lengths: list[float]) -> None:
    presence = asked()[0]
    one_1D = presence.targets_CD[:1].astype(np.float64)
    terms_TD = np.array(lengths)[:, None] * one_1D
    assert unnamed(presence, one_1D, {0: terms_TD}) == unnamed(presence, one_1D, {})
    # Beside another it counts once.
    other_1D = presence.targets_CD[1:2].astype(np.float64)
    once, both = (
        unnamed(presence, one_1D + other_1D, {0: np.concatenate([each_TD, other_1D])})
        for each_TD in (one_1D, terms_TD)
    )
    np.testing.assert_allclose(both, once, atol=1e-12)


def test_a_name_that_was_learned_from_gets_what_was_held_out() -> None:
    presence, calibration = asked()
    vectors_BD = np.random.default_rng(1).standard_normal((5, 8))
    plain_B = unnamed(presence, vectors_BD, {})
    found_B = presence(vectors_BD, {}, ["Sea  HORSE", None, "sea", "seahorse", "sea horse"])
    assert (of_name := calibration(np.array([0.75]))[0]) not in plain_B
    assert found_B.tolist() == [of_name, *plain_B[1:4], of_name]


def test_a_presence_rises_with_what_stands_out() -> None:
    presence, _ = asked()
    own_D, none_D = presence.targets_CD[4].astype(np.float64), presence.targets_CD.mean(axis=0)
    shares_B1 = np.linspace(0, 1, 9)[:, None]
    chances_B = unnamed(presence, shares_B1 * own_D + (1 - shares_B1) * none_D, {})
    assert (np.diff(chances_B) > -1e-3).all()
    assert chances_B[-1] > chances_B[0] + 0.05
