"""Emoji by their names: ranks and margins by brute force, scores by a slow plain way, no leak."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from safetensors.numpy import load_file, save_file
from unembed import open_head
from unembed.geometry.concepts.compose import composer_of
from unembed.geometry.concepts.estimators import ESTIMATORS
from unembed.geometry.concepts.pairs import Pair, emoji_pairs
from unembed.geometry.concepts.sample import Sample, sample_of
from unembed.geometry.evaluation.held_out import folds
from unembed.geometry.evaluation.retrieval import (
    Presence,
    Retrieval,
    _twins,
    retrieve,
    retrieve_targets,
)
from unembed.geometry.head import Head
from unembed.geometry.hubness import NEAREST
from unembed.geometry.method import Method
from unembed.geometry.region import find_region

from .scored import EMOJI, write_head

METHODS = [Method(estimator=name, csls=csls) for name in (None, *ESTIMATORS) for csls in (0, 1)]
ids_of = [str(method) for method in METHODS]


@pytest.fixture
def head(tmp_path: Path) -> Head:
    return open_head(write_head(tmp_path / "head"))


def sample_in(head: Head, space: str) -> Sample:
    composer = composer_of(head, space=space)
    return sample_of(head, composer.space, emoji_pairs(head.vocabulary))


@st.composite
def retrievals(draw: st.DrawFn) -> Retrieval:
    count = draw(st.integers(2, 9))
    levels = draw(st.sampled_from([2, 5, 1000]))
    scores = st.lists(st.integers(0, levels), min_size=count, max_size=count)
    scores_QC = np.array([draw(scores) for _ in range(count)], dtype=np.float64) / 7
    marks = st.lists(st.booleans(), min_size=count, max_size=count)
    half_QC = np.triu([draw(marks) for _ in range(count)], 1)
    names = tuple(Pair(f"name {place}", "x") for place in range(count))
    return Retrieval(names, scores_QC, half_QC | half_QC.T)


@given(retrievals(), st.booleans())
def test_ranks_are_those_of_brute_force(found: Retrieval, twins: bool) -> None:
    for query, rank in enumerate(found.ranks(twins=twins).tolist()):
        right = float(found.scores_QC[query, query])
        before = [
            place
            for place, score in enumerate(found.scores_QC[query].tolist())
            if (twins or not found.twins_QC[query, place])
            and (score > right or (score == right and place < query))
        ]
        assert rank == 1 + len(before)


@given(retrievals(), st.booleans(), st.booleans())
def test_margins_are_those_of_brute_force(found: Retrieval, removed: bool, twins: bool) -> None:
    before_QC = found.scores_QC.copy()
    for query, margin in enumerate(found.margins(removed=removed, twins=twins).tolist()):
        left = sorted(
            (
                float(score)
                for place, score in enumerate(found.scores_QC[query])
                if not (removed and place == query) and (twins or not found.twins_QC[query, place])
            ),
            reverse=True,
        )
        best, after = left[:1], left[1:6]
        wanted = (best[0] if best else 0.0) - (sum(after) / len(after) if after else 0.0)
        assert margin == pytest.approx(wanted, abs=1e-12)
    np.testing.assert_array_equal(found.scores_QC, before_QC)


@pytest.mark.parametrize(
    ("one", "other", "as_well", "back"),
    [
        ("horse face", "horse", True, True),
        ("hot dog", "dog", False, True),  # an end is an end, whatever it means
        ("hot dog", "dog face", False, True),
        ("sea", "seahorse", False, False),
        ("dog house", "dog", False, False),  # not the end
        ("Tokyo tower", "tower", False, True),
        ("CAT", "cat", True, True),
        ("no entry", "entry", True, True),
        ("fish", "ship", False, False),
        ("face", "button", False, False),  # all frame: kept as they are
        ("face", "horse face", False, False),
        ("woman with veil", "woman", True, True),
        ("flag of the sea", "flag sea", False, False),
        ("on top", "top", False, True),  # nothing stands before: kept as it is
        ("jack-o-lantern", "lantern", False, True),
    ],
)
def test_a_name_describes_what_ends_like_it(
    one: str, other: str, as_well: bool, back: bool
) -> None:
    np.testing.assert_array_equal(_twins([one, other]), [[False, as_well], [back, False]])
    np.testing.assert_array_equal(_twins([other, one]), [[False, back], [as_well, False]])


def test_twins_of_a_head(head: Head) -> None:
    found = retrieve(head, "cosine", Method())
    assert found is not None
    assert [pair.target for pair in found.names] == EMOJI
    assert [pair.base for pair in found.names[:5]] == [
        *("horse face", "horse", "dog face", "dog", "hot dog"),
    ]
    twins = {
        EMOJI[one] + EMOJI[other] for one, other in zip(*np.nonzero(found.twins_QC), strict=True)
    }
    both_ways = ["🐴🐎", "🐶🐕", "🐱🐈", "🐯🐅"]
    assert twins == {*both_ways, *(pair[::-1] for pair in both_ways), "🐶🌭", "🐕🌭"}
    one_word = [pair.target for pair, one in zip(found.names, found.one_word_Q, strict=True) if one]
    assert one_word == ["🐎", "🐕", "🐟", "🍕", "🐈", "🐅", "🚢"]


def slow_scores(head: Head, space_name: str, method: Method) -> NDArray[np.float64]:
    """One score after the other: each by a map of its own."""
    space = composer_of(head, space=space_name).space
    sample = sample_in(head, space_name)
    folds_N = folds(sample)
    ids = sorted(set(sample.target_ids_N.tolist()))
    firsts = [sample.target_ids_N.tolist().index(id_) for id_ in ids]
    words_M = find_region(head, "words").ids_N
    words = [row / np.linalg.norm(row) for row in space.place(head.rows.decode(words_M))]
    scores = []
    for query in firsts:
        row = []
        for candidate in firsts:
            moved, hubs = sample.bases_ND[query], words
            if method.estimator is not None:
                hidden = {folds_N[query], folds_N[candidate]}
                if len(hidden) == 1:  # then the next fold too: all maps have seen equally much
                    hidden.add((folds_N[query] + 1) % (folds_N.max() + 1))
                seen = [place for place, fold in enumerate(folds_N) if fold not in hidden]
                weights = sample.weights_N[seen] / sum(sample.weights_N[seen])
                fit = ESTIMATORS[method.estimator](
                    sample.bases_ND[seen], sample.targets_ND[seen], weights
                )
                moved, hubs = fit(moved), [fit(word) for word in words]
            target = sample.targets_ND[candidate]
            unit = moved / np.linalg.norm(moved)
            if not method.csls:
                row.append(float(unit @ target))
                continue
            target = target / np.linalg.norm(target)
            near = sorted(float(hub @ target / np.linalg.norm(hub)) for hub in hubs)[-NEAREST:]
            row.append(2 * float(unit @ target) - sum(near) / len(near))
        scores.append(row)
    return np.array(scores)


@pytest.mark.parametrize("method", METHODS, ids=ids_of)
@pytest.mark.parametrize("space", ["causal", "logit"])
def test_scores_are_those_of_a_map_that_has_seen_neither(
    head: Head, space: str, method: Method
) -> None:
    found = retrieve(head, space, method)
    assert found is not None
    tolerance = 1e-5 if method.csls else 1e-8  # hubness is made of float32 products
    np.testing.assert_allclose(found.scores_QC, slow_scores(head, space, method), atol=tolerance)


@pytest.mark.parametrize("method", [each for each in METHODS if each.estimator], ids=str)
def test_no_map_has_seen_the_emoji_that_it_is_asked_for(
    head: Head, tmp_path: Path, method: Method
) -> None:
    """The row of one emoji becomes another: no score by a map without it may tell."""
    sample = sample_in(head, "cosine")
    ids_C = np.unique(sample.target_ids_N)
    fold_C = np.array([folds(sample)[sample.target_ids_N == id_][0] for id_ in ids_C])
    before = retrieve(head, "cosine", method)
    path = tmp_path / "head" / "model.safetensors"
    rows = load_file(path)
    for changed in (0, 5):
        rows_VD = rows["model.embed_tokens.weight"].copy()
        rows_VD[ids_C[changed]] = np.random.default_rng(changed).standard_normal(16) * 3
        other = tmp_path / f"other{changed}"
        write_head(other)
        save_file({"model.embed_tokens.weight": rows_VD}, other / "model.safetensors")
        after = retrieve(open_head(other), "cosine", method)
        assert before is not None
        assert after is not None
        same_QC = np.isclose(before.scores_QC, after.scores_QC, rtol=0, atol=1e-6)
        unseen_C = fold_C == fold_C[changed]
        held_QC = unseen_C[:, None] | unseen_C[None, :]
        held_QC[:, changed] = False  # its own column is scored with its own row
        assert same_QC[held_QC].all()
        assert not same_QC[~held_QC].all()  # the others are learned from it
        assert not same_QC[:, changed].all()


def test_no_map_has_seen_the_other_names_of_an_emoji(head: Head) -> None:
    composer = composer_of(head, space="cosine")
    sample = sample_in(head, "cosine")
    counts = {id_: (sample.target_ids_N == id_).sum() for id_ in sample.target_ids_N.tolist()}
    chosen = next(id_ for id_, count in counts.items() if count > 1)
    alias = int(np.flatnonzero(sample.target_ids_N == chosen)[1])
    bases_ND = sample.bases_ND.copy()
    bases_ND[alias] = np.random.default_rng(0).standard_normal(16)
    method = Method(estimator="offset")
    before, after = (
        retrieve_targets(composer, each, method).scores_QC
        for each in (sample, replace(sample, bases_ND=bases_ND))
    )
    asked = sorted(counts).index(chosen)
    np.testing.assert_allclose(after[asked], before[asked], atol=1e-12)
    np.testing.assert_allclose(after[:, asked], before[:, asked], atol=1e-12)
    assert not np.allclose(after, before)


@pytest.mark.parametrize("csls", [False, True])
@pytest.mark.parametrize("pieces", ["rarity", "mean"])
def test_without_a_direction_scores_are_those_of_a_search(
    head: Head, csls: bool, pieces: str
) -> None:
    found = retrieve(head, "causal", Method(pieces, csls=csls))
    assert found is not None
    for pair, scores_C in zip(found.names, found.scores_QC, strict=True):
        answer = head.nearest(
            [(pair.base, 1)],
            region="emoji",
            top=99,
            keep_inputs=True,
            pieces=pieces,
            score="csls" if csls else "cosine",
        )
        scores = {near.text: near.score for near in answer.neighbours}
        searched_C = np.array([scores[target] for target in EMOJI])
        # A search takes the query's own hubness away too, the same from all.
        apart_C = searched_C - scores_C
        np.testing.assert_allclose(apart_C, apart_C[0] if csls else 0.0, atol=1e-6)


@pytest.mark.parametrize("csls", [False, True])
def test_without_a_direction_no_score_depends_on_the_other_names(head: Head, csls: bool) -> None:
    composer = composer_of(head, space="causal")
    sample = sample_in(head, "causal")
    dropped = head.vocabulary.id_of(EMOJI[0])
    kept_N = sample.target_ids_N != dropped
    fewer = replace(
        sample,
        bases_ND=sample.bases_ND[kept_N],
        targets_ND=sample.targets_ND[kept_N],
        weights_N=sample.weights_N[kept_N] / sample.weights_N[kept_N].sum(),
        target_ids_N=sample.target_ids_N[kept_N],
        used=tuple(pair for pair, kept in zip(sample.used, kept_N, strict=True) if kept),
    )
    whole, less = (retrieve_targets(composer, each, Method(csls=csls)) for each in (sample, fewer))
    left = [place for place, pair in enumerate(whole.names) if pair.target != EMOJI[0]]
    assert len(left) == len(less.names) == len(EMOJI) - 1
    np.testing.assert_allclose(less.scores_QC, whole.scores_QC[np.ix_(left, left)], atol=1e-6)


@pytest.mark.parametrize("count", [0, 1, 3, 4])
def test_fewer_than_four_emoji_are_not_judged(tmp_path: Path, count: int) -> None:
    head = open_head(write_head(tmp_path / "few", emoji=EMOJI[:count]))
    for method in (Method(), Method(estimator="procrustes", csls=True)):
        found = retrieve(head, "cosine", method)
        assert (found is None) == (count < 4)


def test_without_words_there_is_no_csls(tmp_path: Path) -> None:
    head = open_head(write_head(tmp_path / "wordless", words=False))
    assert retrieve(head, "cosine", Method(csls=True)) is None
    assert retrieve(head, "cosine", Method(estimator="offset")) is not None


@pytest.mark.parametrize("space", ["logit", "cosine"])
@pytest.mark.parametrize("method", METHODS, ids=ids_of)
def test_a_row_of_zero_has_the_cosine_0(tmp_path: Path, space: str, method: Method) -> None:
    path = write_head(tmp_path / "zero") / "model.safetensors"
    rows = load_file(path)
    first = open_head(path.parent).vocabulary.id_of(EMOJI[3])
    rows["model.embed_tokens.weight"][first] = 0.0
    save_file(rows, path)
    found = retrieve(open_head(path.parent), space, method)
    assert found is not None
    assert np.isfinite(found.scores_QC).all()
    np.testing.assert_array_equal(found.scores_QC[:, 3], 0.0)


def test_progress_is_told_to_the_end(head: Head) -> None:
    told: list[tuple[int, int]] = []
    retrieve(
        head,
        "cosine",
        Method(estimator="offset"),
        progress=lambda _, done, total: told.append((done, total)),
    )
    assert told == [(done, 28) for done in range(1, 29)]


def test_presence_compares_pairs() -> None:
    found = Presence.of(np.array([3.0, 2.0, 1.0]), np.array([0.5, 2.5, 0.0]))
    assert found.n == 3
    assert found.auroc == pytest.approx(7 / 9)
    for name, value in (("auroc", found.auroc), ("average_precision", found.average_precision)):
        low, high = found.ci95[name]
        assert 0 <= low <= value <= high <= 1
