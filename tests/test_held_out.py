"""Directions judged on what they have not seen: folds, leaks, controls, exact ranks."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from unembed import open_head
from unembed.errors import UsageError
from unembed.geometry.concepts.compose import composer_of
from unembed.geometry.concepts.estimators import ESTIMATORS
from unembed.geometry.concepts.pairs import Pair, PairSet
from unembed.geometry.concepts.sample import Sample
from unembed.geometry.evaluation.bootstrap import auroc
from unembed.geometry.evaluation.directions import _mixed, _random, judge
from unembed.geometry.evaluation.held_out import (
    cosines,
    crossings,
    crossings_of,
    folds,
    predictions,
    ranks,
)
from unembed.geometry.evaluation.ranks import Ranks
from unembed.geometry.evaluation.retrieval import retrieve_targets
from unembed.geometry.head import Head
from unembed.geometry.method import Method
from unembed.indexes import exact

from .scored import EMOJI, HOSTILE, PLURALS, write_head


@pytest.fixture
def head(tmp_path: Path) -> Head:
    return open_head(write_head(tmp_path / "head"))


def silent(done: int, total: int) -> None:
    pass


def sample_with(target_ids: list[int], width: int = 6) -> Sample:
    """A sample of random vectors; pairs of one target share its vector."""
    random, count = np.random.default_rng(len(target_ids)), len(target_ids)
    ids, groups_N, counts = np.unique(target_ids, return_inverse=True, return_counts=True)
    weights_N = 1.0 / counts[groups_N]
    return Sample(
        random.standard_normal((count, width)),
        random.standard_normal((len(ids), width))[groups_N],
        weights_N / weights_N.sum(),
        tuple((place,) for place in range(count)),
        np.array(target_ids),
        tuple(Pair(f"base {place}", f"target {id_}") for place, id_ in enumerate(target_ids)),
        (),
    )


TARGETS = st.lists(st.integers(0, 30), min_size=3, max_size=60)


@given(TARGETS, st.integers(2, 8))
def test_folds_never_part_a_target_and_are_even(targets: list[int], most: int) -> None:
    folds_N = folds(sample_with(targets), most=most)
    count = len(set(targets))
    fold_of: dict[int, int] = {}
    for target, fold in zip(targets, folds_N.tolist(), strict=True):
        assert fold_of.setdefault(target, fold) == fold
    sizes = np.bincount(list(fold_of.values()))
    assert len(sizes) == min(most, count)
    assert sizes.max() - sizes.min() <= 1
    np.testing.assert_array_equal(folds(sample_with(targets), most=most), folds_N)


def disturbed(sample: Sample, target: int) -> Sample:
    """The same with all that is known of a target another, but its first base."""
    mine_N = sample.target_ids_N == target
    random = np.random.default_rng(1)
    targets_ND, bases_ND = sample.targets_ND.copy(), sample.bases_ND.copy()
    targets_ND[mine_N] = 9 * random.standard_normal(targets_ND.shape[1])
    others_N = np.flatnonzero(mine_N)[1:]
    bases_ND[others_N] = 9 * random.standard_normal((len(others_N), bases_ND.shape[1]))
    return replace(sample, targets_ND=targets_ND, bases_ND=bases_ND)


# One by one, with several bases a target; and more than a hundred targets, in folds.
SAMPLES = {"few": [*range(9), 3, 3, 5, 8], "many": [*range(120), 3, 3, 5, 8]}


@pytest.mark.parametrize("targets", SAMPLES.values(), ids=SAMPLES)
@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_no_prediction_has_seen_its_target(estimator: str, targets: list[int]) -> None:
    sample = sample_with(targets)
    before_ND = predictions(sample, estimator)
    for target in (0, 3):
        after_ND = predictions(disturbed(sample, target), estimator)
        first = targets.index(target)
        np.testing.assert_allclose(after_ND[first], before_ND[first], rtol=0, atol=1e-12)
        changed_N = ~np.isclose(after_ND, before_ND, rtol=0, atol=1e-9).all(axis=1)
        assert changed_N.any()  # others are learned from it


@pytest.mark.parametrize("targets", SAMPLES.values(), ids=SAMPLES)
def test_predictions_are_learned_from_all_that_may_be_seen(targets: list[int]) -> None:
    sample = sample_with(targets)
    predicted_ND = predictions(sample, "offset")
    folds_N = folds(sample, most=100 if len(set(targets)) <= 100 else 8)
    for place in (0, 3, len(targets) - 1):
        seen_N = folds_N != folds_N[place]
        assert seen_N.sum() >= (len(targets) - 3 if len(targets) < 100 else 0.75 * len(targets))
        wanted_D = sample.fit("offset", seen_N)(sample.bases_ND[place])
        np.testing.assert_allclose(predicted_ND[place], wanted_D, atol=1e-12)


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_crossings_ask_every_pair_for_every_target_once(estimator: str) -> None:
    sample = sample_with(SAMPLES["few"])
    asked = np.zeros((len(sample.target_ids_N), 9), dtype=int)
    folds_N = folds(sample)
    every = list(crossings(sample, estimator))
    for crossing in every:
        for asking_N, answering in crossing.turns:
            asked[np.ix_(np.flatnonzero(asking_N), answering)] += 1
            answering_N = np.isin(sample.target_ids_N, answering)
            hidden = {*folds_N[asking_N].tolist(), *folds_N[answering_N].tolist()}
            if len(hidden) == 1:  # then the next fold too: all maps have seen equally much
                hidden.add((hidden.copy().pop() + 1) % 8)
            assert len(hidden) == 2
            wanted = sample.fit(estimator, ~np.isin(folds_N, list(hidden)))
            point_D = np.arange(6.0)
            np.testing.assert_allclose(crossing.fit(point_D), wanted(point_D), atol=1e-12)
    np.testing.assert_array_equal(asked, 1)
    assert len(every) == crossings_of(sample) == 28


@given(TARGETS)
def test_random_pairs_are_of_the_same_words(targets: list[int]) -> None:
    sample = sample_with(targets)
    found = _mixed(sample)
    assert found.bases_ND.shape == found.targets_ND.shape == sample.bases_ND.shape
    before, after = (
        sorted(np.concatenate([each.bases_ND, each.targets_ND]).tolist())
        for each in (sample, found)
    )
    assert before == after
    assert _mixed(sample).bases_ND.tolist() == found.bases_ND.tolist()


def test_random_pairs_have_no_direction() -> None:
    """Of pairs with one step the mean is that step; of random ones nearly nothing is left."""
    sample = sample_with(list(range(2000)))
    step_D = np.full(6, 10.0)
    sample = replace(sample, targets_ND=sample.bases_ND + step_D)
    mixed = _mixed(sample)
    own, mixed_up = (each.weights_N @ (each.targets_ND - each.bases_ND) for each in (sample, mixed))
    np.testing.assert_allclose(own, step_D)
    assert np.abs(mixed_up).max() < 1
    kept = (sample.bases_ND[:, None] == mixed.bases_ND[None]).all(axis=2).any(axis=0)
    assert 0.4 < kept.mean() < 0.6


@pytest.mark.parametrize("space", ["logit", "cosine", "causal"])
@pytest.mark.parametrize("among", [False, True])
def test_ranks_are_exact(head: Head, space: str, among: bool) -> None:
    composer = composer_of(head, space=space)
    sample = composer.directions.sample("plural")
    predicted_ND = predictions(sample, "offset")
    known_N = np.flatnonzero(head.vocabulary.known_V)
    among_N = np.unique(sample.target_ids_N) if among else None
    told: list[tuple[int, int]] = []
    found_N = ranks(
        head,
        composer.space,
        sample,
        predicted_ND,
        among_N=among_N,
        done=lambda done, total: told.append((done, total)),
    )
    assert told[-1][0] == told[-1][1]
    rows_VD = composer.space.place(head.rows.decode(slice(None)))
    for place, predicted_D in enumerate(predicted_ND):
        measure = composer.space.measure(predicted_D, cosine=space != "logit")
        allowed_N = known_N if among_N is None else among_N
        allowed_N = np.setdiff1d(allowed_N, sample.base_ids[place])
        target = np.array([sample.target_ids_N[place]])
        (wanted,) = exact.ranks(head.index, head.rows, measure, target, among_N=allowed_N)
        assert found_N[place] == wanted
        scores_V = rows_VD @ predicted_D
        if space != "logit":
            scores_V = scores_V / np.linalg.norm(rows_VD, axis=1)
        assert found_N[place] == 1 + (scores_V[allowed_N] > scores_V[target] + 1e-9).sum()


def test_a_prediction_of_zero_ranks_by_ids(head: Head) -> None:
    composer = composer_of(head, space="logit")
    sample = composer.directions.sample("plural")
    nothing_ND = np.zeros_like(sample.bases_ND)
    found_N = ranks(head, composer.space, sample, nothing_ND, done=silent)
    before = [
        sum(id_ not in bases for id_ in range(target))
        for target, bases in zip(sample.target_ids_N.tolist(), sample.base_ids, strict=True)
    ]
    assert found_N.tolist() == [1 + count for count in before]


def test_cosines_are_those_of_targets() -> None:
    sample = replace(sample_with([0, 1, 2, 3]), targets_ND=np.eye(4, 6))
    aims_ND = np.array([5.0, 1.0, -2.0, 0.0])[:, None] * np.eye(4, 6)[[0, 0, 2, 3]]
    np.testing.assert_allclose(cosines(sample, aims_ND), [1.0, 0.0, -1.0, 0.0], atol=1e-12)


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_a_direction_is_judged_by_predictions(head: Head, estimator: str) -> None:
    composer = composer_of(head, space="cosine", estimator=estimator)
    sample = composer.directions.sample("plural")
    score = judge(composer, "plural")
    predicted_ND = predictions(sample, estimator)
    wanted_N = ranks(head, composer.space, sample, predicted_ND, done=silent)
    assert [pair.rank for pair in score.pairs] == wanted_N.tolist()
    assert [pair.base for pair in score.pairs] == [pair.base for pair in PLURALS]
    cosines_N = cosines(sample, predicted_ND)
    assert [pair.cosine for pair in score.pairs] == cosines_N.tolist()
    assert score.ranks == Ranks.of(wanted_N)
    assert score.cosine == pytest.approx(cosines_N.mean())
    random = _random(composer, len(sample.used))
    assert random.bases_ND.shape == sample.bases_ND.shape
    for moved_ND, found, cosine in (
        (sample.bases_ND, score.unmoved, score.unmoved_cosine),
        (random.fit(estimator)(sample.bases_ND), score.control, score.control_cosine),
    ):
        assert found == Ranks.of(ranks(head, composer.space, sample, moved_ND, done=silent))
        assert cosine == pytest.approx(cosines(sample, moved_ND).mean())
    assert (score.estimator, score.region, score.auroc) == (estimator, None, None)
    assert score.used == len(score.pairs) == len(PLURALS)
    bases, targets = (
        np.array([getattr(pair, f"{end}_projection") for pair in score.pairs])
        for end in ("base", "target")
    )
    assert sample.weights_N @ bases == pytest.approx(0, abs=1e-12)
    assert sample.weights_N @ targets == pytest.approx(1)


def test_what_is_planted_is_found_and_its_control_is_not(head: Head) -> None:
    score = head.direction("plural", space="causal")
    assert score.ranks is not None
    assert score.unmoved is not None
    assert score.control is not None
    assert score.ranks.top1 > 0.9
    assert score.ranks.top1 > max(score.unmoved.top1, score.control.top1) + 0.2
    assert score.cosine > max(score.unmoved_cosine, score.control_cosine)


def test_the_direction_of_emoji_is_judged_among_them(head: Head) -> None:
    composer = composer_of(head, space="causal")
    score = judge(composer, "emoji")
    sample = composer.directions.sample("emoji")
    found = retrieve_targets(composer, sample, Method(estimator="procrustes"))
    assert [pair.target for pair in score.pairs] == EMOJI
    assert [pair.rank for pair in score.pairs] == found.ranks().tolist()
    assert score.region == "emoji"
    assert score.ranks.n == score.unmoved.n == score.control.n == len(EMOJI)
    assert score.used == len(sample.used) > len(EMOJI)
    assert max(pair.rank for pair in score.pairs) <= len(EMOJI)


@pytest.mark.parametrize("estimator", ["category", "offset"])
def test_a_region_is_judged_by_what_was_left_out(
    head: Head, tmp_path: Path, estimator: str
) -> None:
    path = tmp_path / "pictures.toml"
    path.write_text('[pictures]\nregion = "emoji"\n')
    composer = composer_of(head, space="cosine", directions=path, estimator=estimator)
    score = judge(composer, "pictures")
    sample = composer.directions.sample("pictures")
    folds_N, inside, outside = folds(sample), {}, {}
    for place, fold in enumerate(folds_N.tolist()):
        fit = sample.fit(estimator, folds_N != fold)
        step_D = fit.target_D - fit.base_D
        inside[place] = float(sample.targets_ND[place] @ step_D)
        outside[place] = float(sample.bases_ND[place] @ step_D)
    wanted = auroc(np.array(list(inside.values())), np.array(list(outside.values())))
    assert score.auroc == pytest.approx(wanted)
    assert score.control_auroc is not None
    assert score.auroc > score.control_auroc
    assert score.auroc_ci95[0] <= score.auroc <= score.auroc_ci95[1]
    assert score.used == len(EMOJI)
    assert (score.pairs, score.ranks, score.control, score.cosine) == ((), None, None, None)


@pytest.mark.parametrize("targets", [1, 2, 3])
def test_too_few_targets_are_not_judged(head: Head, targets: int) -> None:
    pairs = tuple(Pair(PLURALS[n].base, PLURALS[n % targets].target) for n in range(6))
    composer = composer_of(head, directions={"mine": PairSet("mine", "", pairs)}, space="cosine")
    if targets == 3:
        assert judge(composer, "mine").ranks.n == 6
        return
    wrong = f"tokens for {targets} of the targets of the direction 'mine'; .* at least 3"
    with pytest.raises(UsageError, match=wrong):
        judge(composer, "mine")


@pytest.mark.parametrize("count", [2, 3])
def test_few_emoji_with_many_names_are_no_crash(tmp_path: Path, count: int) -> None:
    head = open_head(write_head(tmp_path / "few", emoji=EMOJI[:count]))
    assert len(head.concept("emoji(dog)", space="cosine").vector_D) == 16
    if count < 3:
        with pytest.raises(
            UsageError, match="tokens for 2 of the targets of the direction 'emoji'"
        ):
            head.direction("emoji", space="cosine")
    else:
        assert head.direction("emoji", space="cosine").ranks.n == count


def test_a_score_gives_itself_away(head: Head) -> None:
    pairs = (*PLURALS[:5], Pair("nosuchword", HOSTILE), Pair("cat", "two words"))
    composer = composer_of(head, directions={"mine": PairSet("mine", "<b>", pairs)}, space="cosine")
    score = judge(composer, "mine")
    found = score.to_dict()
    assert len(found["pairs"]) == len(score.pairs) >= 5
    assert found["ranks"]["ci95"]["mrr"] == score.ranks.ci95["mrr"]
    assert found["auroc"] is None
    assert [one["pair"]["target"] for one in found["unused"]] == ["two words"]
    assert "2 tokens" in found["unused"][0]["why"] or "tokens" in found["unused"][0]["why"]
    html = score._repr_html_()
    assert "<script>" not in html
    assert "&lt;script&gt;" in html
    assert score.to_pandas()["rank"].tolist() == [pair.rank for pair in score.pairs]
    assert score.to_arrow().to_pylist() == [dict(pair) for pair in found["pairs"]]
    assert "mine" in repr(score)


def test_ranks_are_summed_up() -> None:
    found = Ranks.of(np.array([1, 1, 2, 6, 10]))
    assert (found.n, found.top1, found.top5) == (5, 0.4, 0.6)
    assert found.mrr == pytest.approx((1 + 1 + 1 / 2 + 1 / 6 + 1 / 10) / 5)
    for name in ("top1", "top5", "mrr"):
        low, high = found.ci95[name]
        assert 0 <= low <= getattr(found, name) <= high <= 1


def test_the_same_twice(head: Head) -> None:
    one, other = (head.direction("emoji", space="cosine").to_dict() for _ in range(2))
    assert one == other
