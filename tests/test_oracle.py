"""near against an oracle in plain numpy: every space, score, region and norm, and the sampler."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.covariance import ledoit_wolf
from unembed import Head, open_head
from unembed.errors import UsageError
from unembed.geometry.heads.final_norm import FinalNorm
from unembed.indexes.rows import Rows

from .helpers import ids

Make = Callable[..., Path]
Array = NDArray[np.float64]
FAMILIES = ["byte_level", "sentencepiece", "unigram", "wordpiece"]
SPACES = ["logit", "cosine", "centred", "causal"]
GAIN = np.linspace(0.5, 2.0, 16)


@dataclass(frozen=True, eq=False)
class Oracle:
    """A space in plain numpy: the inner product is uᵀ M v, M the identity or Σ⁻¹."""

    rows_VD: Array
    places_VD: Array
    metric_DD: Array
    unit: bool
    bias_V: Array

    @classmethod
    def of(cls, head: Head, space: str, *, fold: bool) -> "Oracle":
        rows = head.rows.decode(slice(None))
        bias = np.zeros(len(rows)) if head.bias_V is None else head.bias_V
        if fold:
            assert head.final_norm is not None
            if head.final_norm.bias_D is not None:
                bias = bias + rows @ head.final_norm.bias_D
            rows = rows * head.final_norm.weight_D
            if head.final_norm.kind == "layer":  # its output has no mean to meet rows with
                rows = rows - rows.mean(axis=1, keepdims=True)
        known, metric, places = rows[head.vocabulary.known_V], np.eye(rows.shape[1]), rows
        if space in {"centred", "causal"}:
            places = rows - known.mean(axis=0)
        if space == "causal":
            metric = np.linalg.inv(ledoit_wolf(known)[0])
        return cls(rows, places, metric, space != "logit", bias)

    def length(self, vector: Array) -> Any:
        return np.sqrt(np.einsum("...i,ij,...j", vector, self.metric_DD, vector))

    def compose(self, weighted: list[tuple[float, int]]) -> Array:
        vectors = [(weight, self.places_VD[id_]) for weight, id_ in weighted]
        if self.unit:
            vectors = [(weight, vector / self.length(vector)) for weight, vector in vectors]
        return np.sum([weight * vector for weight, vector in vectors], axis=0)

    def scores(self, concept: Array, score: str) -> Array:
        products = self.places_VD @ self.metric_DD @ concept / self.length(concept)
        return products / self.length(self.places_VD) if score == "cosine" else products

    def csls(self, concept: Array, words: NDArray[np.int64], left: NDArray[np.int64]) -> Array:
        """Conneau et al. 2018, section 2.3: words of one head are both languages."""
        lengths = self.length(self.places_VD)
        cosines = self.places_VD @ self.metric_DD @ self.places_VD.T / np.outer(lengths, lengths)
        np.fill_diagonal(cosines, -np.inf)
        nearest = np.sort(cosines[:, words], axis=1)[:, -10:]
        hubness = [np.mean(row[np.isfinite(row)]) for row in nearest]
        own = self.scores(concept, "cosine")
        return 2 * own - np.sort(own[left])[-10:].mean() - np.array(hubness)

    def residual(self, concept: Array) -> Array:
        dual = self.metric_DD @ concept
        return dual / np.linalg.norm(dual)

    def logits(self, concept: Array, norm: float = 1.0) -> Array:
        return self.rows_VD @ self.residual(concept) * norm + self.bias_V


def softmax(logits: Array) -> Array:
    energies = np.exp(logits - logits.max())
    return energies / energies.sum()


def with_everything(head: Head) -> Head:
    """Give a head correlated rows, a bias, a scale, a softcap and a layer norm with a bias."""
    random = np.random.default_rng(5)
    mix = np.eye(16) + np.tril(np.random.default_rng(6).standard_normal((16, 16)), -1)
    rows = Rows((head.rows.decode(slice(None)) @ mix).astype(np.float32), "F32")
    return replace(
        head,
        rows=rows,
        key=f"{head.key} mixed",
        bias_V=random.standard_normal(head.rows.count),
        scale=0.5,
        softcap=2.0,
        final_norm=FinalNorm("layer", GAIN, random.standard_normal(16), 1e-5),
    )


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("space", SPACES)
def test_an_answer_is_the_sorted_scores_of_all_other_tokens(
    make_checkpoint: Make, family: str, space: str
) -> None:
    head = with_everything(open_head(make_checkpoint(family, padding=5)))
    known = np.flatnonzero(head.vocabulary.known_V)
    names = [head.vocabulary.id_of(f" {word}") or 0 for word in ("king", "man", "woman", "sea")]
    regions: list[tuple[object, NDArray[np.int64]]] = [
        (None, known),
        (list(range(3, 14)), np.arange(3, min(14, len(known)))),
        (r"[ks]", np.array([i for i in known if set(head.vocabulary.text(i) or "") & {"k", "s"}])),
    ]
    for fold in (False, True):
        oracle = Oracle.of(head, space, fold=fold)
        concept = oracle.compose([(1.0, names[0]), (-0.5, names[1]), (2.0, names[2])])
        logits = oracle.logits(concept)
        for score in ("cosine", "dot"):
            scores = oracle.scores(concept, score)
            for region, among in regions:
                answer = head.nearest(
                    "king - 0.5*man + 2*woman",
                    space=space,
                    score=score,
                    region=region,  # type: ignore[arg-type]
                    fold_norm=fold,
                    top=head.rows.count,
                    track=["sea", "king"],
                )
                left = among[~np.isin(among, names[:3])]
                wanted = left[np.lexsort((left, -scores[left]))]
                assert ids(answer) == wanted.tolist()
                assert [near.rank for near in answer.neighbours] == list(range(1, len(wanted) + 1))
                np.testing.assert_allclose(
                    [near.score for near in answer.neighbours], scores[wanted], atol=1e-11
                )
                np.testing.assert_allclose(
                    [near.logit for near in answer.neighbours], logits[wanted], atol=1e-11
                )
                assert {name.token_ids for name in answer.resolved} == {(i,) for i in names[:3]}
                assert answer.score == score
                assert (answer.region is None) == (region is None)
                snap = known[np.argmax(logits[known])]
                assert answer.snap.id == snap
                assert answer.snap.logit == pytest.approx(logits[snap])
                for tracked, id_ in zip(answer.tracked, (names[3], names[0]), strict=True):
                    assert tracked.id == id_
                    assert tracked.score == pytest.approx(scores[id_], abs=1e-11)
                    others = left[left != id_]
                    assert tracked.rank == 1 + np.count_nonzero(scores[others] > scores[id_])


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("space", SPACES)
@pytest.mark.parametrize("fold", [False, True])
def test_csls_is_that_of_the_paper(
    make_checkpoint: Make, family: str, space: str, fold: bool
) -> None:
    head = with_everything(open_head(make_checkpoint(family, padding=5)))
    known = np.flatnonzero(head.vocabulary.known_V)
    words = np.array([i for i in known if head.vocabulary.kind(int(i)) == "whole-word"])
    king, sea, man = (head.vocabulary.id_of(f" {word}") or 0 for word in ("king", "sea", "man"))
    oracle = Oracle.of(head, space, fold=fold)
    concept = oracle.compose([(1.0, king), (-0.5, sea)])
    regions: list[tuple[object, NDArray[np.int64]]] = [
        (None, known),
        ([*range(3, 12)], known[3:12]),
    ]
    for region, among in regions:
        left = among[~np.isin(among, [king, sea])]
        scores = oracle.csls(concept, words, left)
        options: dict[str, Any] = {"space": space, "fold_norm": fold, "region": region}
        answer = head.nearest(
            "king - 0.5*sea", score="csls", top=500, track=["king", "man"], **options
        )
        assert sorted(ids(answer)) == left.tolist()
        found = [near.score for near in answer.neighbours]
        np.testing.assert_allclose(found, scores[ids(answer)], atol=1e-5)  # float32 cosines
        assert found == sorted(found, reverse=True)
        best = head.nearest("king - 0.5*sea", score="csls", top=2, **options)
        assert best.neighbours == answer.neighbours[:2]
        for tracked, id_ in zip(answer.tracked, (king, man), strict=True):
            assert tracked.score == pytest.approx(scores[id_], abs=1e-5)
            others = [near.score for near in answer.neighbours if near.id != id_]
            assert tracked.rank == 1 + np.count_nonzero(np.array(others) > tracked.score)
        plain = head.nearest("king - 0.5*sea", score="cosine", top=500, **options)
        assert answer.snap == plain.snap
        assert {n.id: n.logit for n in answer.neighbours} == {
            n.id: n.logit for n in plain.neighbours
        }


@pytest.mark.parametrize("space", SPACES)
@pytest.mark.parametrize("fold", [False, True])
def test_the_gap_is_that_of_the_snap(make_checkpoint: Make, space: str, fold: bool) -> None:
    head = with_everything(open_head(make_checkpoint()))
    oracle = Oracle.of(head, space, fold=fold)
    king, sea = (head.vocabulary.id_of(f" {word}") or 0 for word in ("king", "sea"))
    concept = oracle.compose([(1.0, king), (1.0, sea)])
    for norm in (None, 7.0):
        snap = head.nearest("king + sea", space=space, fold_norm=fold, residual_norm=norm).snap
        scaled = concept / np.linalg.norm(oracle.metric_DD @ concept) * (norm or 1.0)
        row = oracle.places_VD[snap.id]
        product = float(scaled @ oracle.metric_DD @ row)
        lengths = float(oracle.length(scaled) * oracle.length(row))
        assert snap.gap_logit == pytest.approx(lengths - product)
        assert snap.gap_logit >= 0
        assert snap.gap_degrees == pytest.approx(np.degrees(np.arccos(product / lengths)))


@pytest.mark.parametrize("space", SPACES)
@pytest.mark.parametrize("fold", [False, True])
def test_probabilities_are_the_samplers(make_checkpoint: Make, space: str, fold: bool) -> None:
    head = with_everything(open_head(make_checkpoint(padding=20)))
    oracle = Oracle.of(head, space, fold=fold)
    (sea,) = (head.vocabulary.id_of(" sea") or 0,)
    concept = oracle.compose([(1.0, sea)])
    answer = head.nearest(
        "sea",
        space=space,
        fold_norm=fold,
        residual_norm=3.0,
        temperature=0.7,
        top=500,
        track=["sea"],
    )
    logits = oracle.logits(concept, 3.0)
    wanted = softmax(2.0 * np.tanh(0.5 * logits / 2.0) / 0.7)  # over padding too
    for near in (*answer.neighbours, answer.snap, *answer.tracked):
        assert near.logit == pytest.approx(logits[near.id])
        assert near.probability == pytest.approx(wanted[near.id])
    assert head.vocabulary.known_V[[*ids(answer), answer.snap.id]].all()
    if not fold:  # what the rows of a head are said to give, at what meets them
        emitted = head.logits(oracle.residual(concept) * 3.0) / 0.7
        np.testing.assert_allclose(softmax(emitted), wanted, rtol=1e-9)


def test_probabilities_need_a_scale(make_checkpoint: Make) -> None:
    head = open_head(make_checkpoint())
    answer = head.nearest("sea", track=["king"])
    all_of_it = (*answer.neighbours, answer.snap, *answer.tracked)
    assert {near.probability for near in all_of_it} == {None}
    residual = np.arange(1.0, 17.0)
    for space in SPACES:
        true = head.nearest(residual, space=space, top=500)
        wanted = softmax(head.rows.decode(slice(None)) @ residual)
        np.testing.assert_allclose(
            [near.probability for near in true.neighbours], wanted[ids(true)], rtol=1e-9
        )
        scaled = head.nearest(residual, space=space, residual_norm=1.0, top=500)
        assert scaled.snap.logit == pytest.approx(true.snap.logit / np.linalg.norm(residual))
    with pytest.raises(UsageError, match=r"temperature 0\.5 is of no use here.*no scale"):
        head.nearest("sea", temperature=0.5)


@pytest.mark.parametrize("space", SPACES)
@pytest.mark.parametrize("fold", [False, True])
@pytest.mark.parametrize("expression", ["king - man + woman", "sea", '-0.3*"seahorse" + 🐴'])
def test_asking_with_the_vector_is_asking_the_same(
    make_checkpoint: Make, space: str, fold: bool, expression: str
) -> None:
    head = with_everything(open_head(make_checkpoint("byte_level")))
    vector = head.vector(expression, space=space, fold_norm=fold)
    assert np.linalg.norm(vector) == pytest.approx(1.0)
    for score in ("cosine", "dot"):
        options: dict[str, Any] = {"space": space, "fold_norm": fold, "score": score, "top": 10**6}
        asked = head.nearest(expression, keep_inputs=True, **options)
        again = head.nearest(vector, **options)
        assert len(asked.neighbours) == int(head.vocabulary.known_V.sum())
        assert again.resolved == ()
        by_id = {near.id: near for near in again.neighbours}
        for near in asked.neighbours:
            assert by_id[near.id].score == pytest.approx(near.score, abs=1e-10)
            assert by_id[near.id].logit == pytest.approx(near.logit, abs=1e-10)
        assert again.snap.id == asked.snap.id


@pytest.mark.parametrize("space", SPACES)
def test_few_first_candidates_are_enough(
    make_checkpoint: Make, space: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    head = with_everything(open_head(make_checkpoint()))
    options: dict[str, Any] = {"space": space, "top": 20, "fold_norm": True}
    wanted = head.nearest_each(["king - man + woman", "sea + #40"], **options)
    monkeypatch.setattr("unembed.indexes.exact._FIRST_CANDIDATES", 1)
    assert head.nearest_each(["king - man + woman", "sea + #40"], **options) == wanted
    assert [len(answer.neighbours) for answer in wanted] == [20, 20]
    options["top"] = 1  # the only proposals could all be tokens that are left out
    assert (
        head.nearest('"king"', **options).neighbours == head.nearest("king", **options).neighbours
    )
    for first in head.nearest_each(["king", "king + man + woman + sea"], **options):
        assert len(first.neighbours) == 1
