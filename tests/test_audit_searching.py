"""Many concepts at once against one by one: nearest tokens, snaps, gaps, probabilities."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file
from unembed import Head, Neighbours, open_head
from unembed.errors import UsageError
from unembed.geometry.audit.auditor import Auditor
from unembed.geometry.audit.composing import Composed, compose_each
from unembed.geometry.audit.finding import Finding
from unembed.geometry.audit.opening import open_auditor
from unembed.geometry.audit.searching import Searching
from unembed.geometry.concepts.concept import Concept
from unembed.geometry.records.record import Record
from unembed.geometry.space import SPACES, Space, open_space

from .conftest import FAMILIES, Make
from .named import PADDING, WIDTH, cache_in, named, write_named

TEXTS = ["king", "sea cow", "sea + cow", "king - cow + queen", "anchor", "2*sea - 0.5*queen"]
Vectors = NDArray[np.float64]
GENERATOR = torch.Generator().manual_seed(0)
BIASED = {
    "lm_head.bias": 3 * torch.randn(422, generator=GENERATOR),
    "model.norm.weight": torch.rand(WIDTH, generator=GENERATOR) + 0.5,
}
CAPPED = {"final_logit_softcapping": 2.0, "logit_scale": 0.5}


@pytest.fixture(scope="module", params=["plain", "biased"])
def head(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Head]:
    """Give a head as it is, and one with all that a head may have beside its rows."""
    directory = tmp_path_factory.mktemp("searching")
    with cache_in(directory):
        beside: Mapping[str, Any] = {"tensors": BIASED, "config": CAPPED}
        yield open_head(
            write_named(directory / "head", **(beside if request.param == "biased" else {}))
        )


def audited(head: Head, texts: Sequence[str], **options: Any) -> list[Finding]:
    findings = head.audit(texts, **options).findings
    assert all(finding.message is None for finding in findings), findings
    return list(findings)


def found_by(auditor: Auditor, texts: Sequence[str]) -> list[Finding]:
    """Audit by an auditor that is open, as `audited` does by one of its own."""
    findings = auditor.audit([Record(text) for text in texts])
    assert all(finding.message is None for finding in findings), findings
    return findings


def assert_nearest(finding: Finding, answer: Neighbours, *, atol: float = 1e-9) -> None:
    """Compare the nearest tokens of both."""
    assert [near.id for near in finding.nearest] == [near.id for near in answer.neighbours]
    for found, wanted in zip(finding.nearest, answer.neighbours, strict=True):
        assert (found.token, found.text) == (wanted.token, wanted.text)
        assert found.score == pytest.approx(wanted.score, abs=atol)


def assert_snap(finding: Finding, answer: Neighbours) -> None:
    """Compare what the head makes of both."""
    snap = answer.snap
    assert (finding.snap_id, finding.snap_token, finding.snap_text) == (
        snap.id,
        snap.token,
        snap.text,
    )
    assert finding.snap_logit == pytest.approx(snap.logit, rel=1e-9, abs=1e-9)
    assert finding.gap_logit == pytest.approx(snap.gap_logit, rel=1e-6, abs=1e-9)
    assert finding.gap_degrees == pytest.approx(snap.gap_degrees, abs=1e-6)
    if snap.probability is None:
        assert finding.snap_probability is None
    else:
        assert finding.snap_probability == pytest.approx(snap.probability, rel=1e-9)


def places(space: Space, vector_D: Vectors) -> Concept:
    """Make a concept of a vector of a space."""
    return Concept("it", space, (), vector_D, float(np.linalg.norm(vector_D)))


@pytest.mark.parametrize("space", SPACES)
@pytest.mark.parametrize("fold_norm", [False, True])
@pytest.mark.parametrize("residual_norm", [None, 7.0])
def test_among_all_tokens_it_is_what_a_search_finds(
    head: Head, space: str, residual_norm: float | None, *, fold_norm: bool
) -> None:
    options: Any = {
        "space": space,
        "fold_norm": fold_norm,
        "residual_norm": residual_norm,
        "top": 4,
    }
    if fold_norm and head.final_norm is None:
        with pytest.raises(UsageError, match="has no final norm that could be folded"):
            head.audit(TEXTS, **options)
        return
    records = [Record(text, forms=("x",)) for text in TEXTS]
    findings = head.audit(records, **options).findings
    for text, finding in zip(TEXTS, findings, strict=True):
        query = text if set(text) & set("+-*") or " " not in text else f'"{text}"'
        answer = head.nearest(query, **options)
        assert_nearest(finding, answer)
        assert_snap(finding, answer)
        assert (finding.snap_probability is None) == (residual_norm is None)
        assert not {near.id for near in finding.nearest} & {
            id_ for name in answer.resolved for id_ in name.token_ids
        }


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("space", SPACES)
def test_every_family_is_searched_alike(make_checkpoint: Make, family: str, space: str) -> None:
    """With rows of padding, which are never found; fewer tokens than are asked for are all."""
    head = open_head(make_checkpoint(family))
    texts = ["king", "sea + horse", "king - man + woman", "dog"]
    options: Any = {"space": space, "top": 100, "residual_norm": 3.0}
    findings = head.audit([Record(text, forms=("king",)) for text in texts], **options).findings
    for text, finding in zip(texts, findings, strict=True):
        answer = head.nearest(text, **options)
        assert_nearest(finding, answer)
        assert_snap(finding, answer)
    padding = np.flatnonzero(~head.vocabulary.known_V)
    assert len(padding)
    assert not {near.id for finding in findings for near in finding.nearest} & {*padding.tolist()}


@pytest.mark.parametrize("space", SPACES)
@pytest.mark.parametrize("score", ["csls", "cosine"])
def test_in_a_region_the_nearest_are_those_of_the_same_question(
    head: Head, space: str, score: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if score == "cosine":  # as on a head without words
        kinds = (*["x"] * 99, "whole-word")
        monkeypatch.setattr("unembed.geometry.hubness.KINDS", kinds)
    options: Any = {"space": space, "region": "emoji", "top": 6}
    auditor = open_auditor(head, **options)
    assert auditor.terms["score"] == score
    findings = auditor.audit([Record(text) for text in TEXTS])
    for text, finding in zip(TEXTS, findings, strict=True):
        quoted = text if set(text) & set("+-*") or " " not in text else f'"{text}"'
        answer = head.nearest(f"emoji({quoted})", score=score, **options)
        assert_nearest(finding, answer)


@pytest.mark.parametrize("space", SPACES)
@pytest.mark.parametrize("residual_norm", [None, 0.5])
def test_the_snap_is_that_of_the_place_in_the_region(
    head: Head, space: str, residual_norm: float | None
) -> None:
    options: Any = {"region": "emoji", "residual_norm": residual_norm, "space": space}
    auditor = open_auditor(head, **options)
    assert auditor.inside is not None
    composed = compose_each(auditor.composer, [Record(text) for text in TEXTS])
    for found, finding in zip(composed, found_by(auditor, TEXTS), strict=True):
        assert isinstance(found, Composed)
        _, placed_1D = auditor.inside.carried(found.vector_D[None])
        concept = places(auditor.composer.space, placed_1D[0])
        assert_snap(finding, head.nearest(concept, residual_norm=residual_norm, space=space))


def test_a_region_without_a_direction_is_searched_from_its_category(head: Head) -> None:
    options: Any = {"region": "/^ ?[a-z]$/", "top": 9}
    auditor = open_auditor(head, **options)
    assert (auditor.inside is not None, auditor.terms["direction"]) == (True, None)
    assert auditor.inside is not None
    for text, finding in zip(TEXTS, found_by(auditor, TEXTS), strict=True):
        (found,) = compose_each(auditor.composer, [Record(text)])
        assert isinstance(found, Composed)
        moved_1D, _ = auditor.inside.carried(found.vector_D[None])
        concept = places(auditor.composer.space, moved_1D[0])
        answer = head.nearest(concept, region=options["region"], top=9, score="cosine")
        assert_snap(finding, head.nearest(concept))
        # 2 cosine less what a row has with the words taken there, and the concept with the region.
        hubness_V = auditor.searching.hubness_V
        assert hubness_V is not None
        every = head.nearest(concept, region=options["region"], top=10**6, score="cosine")
        own = np.mean([near.score for near in every.neighbours[:10]])
        wanted = {near.id: 2 * near.score - hubness_V[near.id] - own for near in every.neighbours}
        best = sorted(wanted, key=lambda id_: (-wanted[id_], id_))[: len(answer.neighbours)]
        assert [near.id for near in finding.nearest] == best
        for near in finding.nearest:
            assert near.score == pytest.approx(wanted[near.id], abs=1e-9)


@pytest.mark.parametrize("space", SPACES)
def test_a_token_of_the_region_is_searched_from_where_it_is(
    head: Head, space: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("unembed.geometry.hubness.KINDS", (*["x"] * 99, "whole-word"))
    options: Any = {"space": space, "region": "emoji", "top": 6}
    for text, finding in zip(named(), audited(head, [*named()], **options), strict=True):
        answer = head.nearest(text, score="cosine", **options)
        assert_nearest(finding, answer)
        assert_snap(finding, answer)


def test_what_a_concept_names_is_left_out(head: Head) -> None:
    text = next(iter(named()))
    (finding,) = audited(head, [text], region="emoji", top=100)
    own = head.vocabulary.id_of(text)
    assert len(finding.nearest) == len(named()) - 1
    assert own not in {near.id for near in finding.nearest}
    (everywhere,) = audited(head, ["king"], top=3)
    assert everywhere.snap_text == " king" or head.bias_V is not None  # it is no near token
    assert " king" not in {near.text for near in everywhere.nearest}


@pytest.mark.parametrize("region", [None, "emoji"])
def test_padding_is_never_found(tmp_path: Path, region: str | None) -> None:
    """Though its logits are the largest by far."""
    directory = write_named(tmp_path / "head")
    tensors = load_file(directory / "model.safetensors")
    tensors["model.embed_tokens.weight"][-PADDING:] *= 1e3
    save_file(tensors, directory / "model.safetensors")
    head = open_head(directory)
    padding = set(range(len(head.vocabulary) - PADDING, len(head.vocabulary)))
    texts = [*named().values()]
    for finding in head.audit(texts, region=region, top=100).findings:
        assert finding.snap_id not in padding
        assert not {near.id for near in finding.nearest} & padding
    assert int(head.logits(head.vector(texts[0])).argmax()) in padding


def test_no_concepts_are_no_search(head: Head) -> None:
    searching = Searching(head, open_space(head), None, True, None, 1, None, "cpu")
    nothing_BD = np.empty((0, WIDTH))
    assert searching(nothing_BD, nothing_BD, []) == ([], [])


@given(
    seed=st.integers(0, 2**32 - 1),
    space=st.sampled_from(list(SPACES)),
    count=st.integers(1, 9),
    top=st.integers(1, 30),
)
@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_vectors_together_are_vectors_alone(
    head: Head, seed: int, space: str, count: int, top: int
) -> None:
    random = np.random.default_rng(seed)
    geometry = open_space(head, space)
    vectors_BD = random.standard_normal((count, WIDTH)) * 10.0 ** random.integers(-6, 6, (count, 1))
    inputs = [set(random.integers(0, 400, place % 3).tolist()) for place in range(count)]
    searching = Searching(head, geometry, None, space != "logit", None, top, 2.0, "cpu")
    together = searching(vectors_BD, vectors_BD, inputs)
    for place, vector_D in enumerate(vectors_BD):
        alone_1D = vector_D[None]
        (nearest,), (snap,) = searching(alone_1D, alone_1D, inputs[place : place + 1])
        assert [near.id for near in nearest] == [near.id for near in together[0][place]]
        assert snap.id == together[1][place].id
        assert snap.probability == pytest.approx(together[1][place].probability, rel=1e-9)
        assert len(nearest) == top
        assert not {near.id for near in nearest} & inputs[place]
        wanted = head.nearest(
            places(geometry, vector_D), space=space, top=top + len(inputs[place]), residual_norm=2.0
        )
        kept = [near for near in wanted.neighbours if near.id not in inputs[place]][:top]
        assert [near.id for near in nearest] == [near.id for near in kept]
        for near, other in zip(nearest, kept, strict=True):
            assert near.score == pytest.approx(other.score, rel=1e-9, abs=1e-9)


def test_what_the_tiles_are_changes_nothing(head: Head, monkeypatch: pytest.MonkeyPatch) -> None:
    words = [*named().values()][:20]
    auditor = open_auditor(head, region="emoji", residual_norm=1.0)
    whole = found_by(auditor, words)
    for place, word in enumerate(words):
        (alone,) = found_by(auditor, [word])
        assert [near.id for near in alone.nearest] == [near.id for near in whole[place].nearest]
        assert alone.snap_id == whole[place].snap_id
        assert alone.snap_logit == pytest.approx(whole[place].snap_logit, abs=1e-9)
        assert alone.p_token == pytest.approx(whole[place].p_token, abs=1e-5)


def test_the_hubness_of_what_names_a_token_of_the_region_is_the_same(head: Head) -> None:
    options: Any = {"region": "emoji", "top": 10, "score": "csls"}
    for text in named():
        every = head.nearest(f"emoji(2*{text})", keep_inputs=True, **options)
        if text in {near.text for near in every.neighbours}:
            break
    else:
        pytest.fail("no emoji is near itself")
    # Beside others, which name fewer of its tokens and more of them.
    texts = [f"2*{text}", "king", f"{text} + {' + '.join(list(named())[:5])}"]
    for asked, finding in zip(texts, audited(head, texts, region="emoji", top=10), strict=True):
        assert_nearest(finding, head.nearest(f"emoji({asked})", **options))


def test_a_residual_too_long_for_a_softmax_is_refused(tmp_path: Path) -> None:
    head = open_head(write_named(tmp_path / "head", scale=1e4))
    with pytest.raises(UsageError, match="those of a softmax may come to 1e"):
        head.nearest("king", residual_norm=1e6)
    with pytest.raises(UsageError, match="those of a softmax may come to 1e"):
        head.audit(["king"], residual_norm=1e6)
    with pytest.raises(UsageError, match="those of a softmax may come to 1e"):
        open_auditor(head, residual_norm=1e6)  # before any concept is looked at
