"""What rows are made of and what is known of tokens, against numbers made by hand."""

import json
import unicodedata
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn.linear_model import lars_path
from unembed import Head, open_head
from unembed.errors import ExpressionError, UsageError
from unembed.geometry.concepts.compose import composer_of
from unembed.geometry.explaining import belonging, lasso, pursuit
from unembed.geometry.explaining.along import along
from unembed.geometry.explaining.belonging import belonging_of
from unembed.geometry.explaining.characters import Character, characters_of
from unembed.geometry.explaining.dictionary import Dictionary
from unembed.geometry.explaining.forms import forms_of, same_word, word_of
from unembed.geometry.explaining.lasso import lasso_sums
from unembed.geometry.explaining.pursuit import nearest_rows, sparse_sums
from unembed.geometry.explaining.steps import steps_of
from unembed.geometry.region import find_region
from unembed.geometry.space import open_space
from unembed.geometry.tokens.beginning import ids_beginning

Make = Callable[..., Path]
OWN = """
[mine]
pairs = [["king", "queen"], ["man", "woman"], ["dog", "cat"], ["sea", "fish"], ["horse", "pizza"]]
"""


@pytest.fixture
def head(make_checkpoint: Make) -> Head:
    return open_head(make_checkpoint("sentencepiece"))


@pytest.fixture
def own(tmp_path: Path) -> Path:
    path = tmp_path / "own.toml"
    path.write_text(OWN)
    return path


def units(head: Head, space: str = "causal") -> NDArray[np.float64]:
    rows_VD = open_space(head, space).place(head.rows.decode(np.arange(head.rows.count)))
    return rows_VD / np.linalg.norm(rows_VD, axis=1, keepdims=True)


def test_queen_is_a_sum_of_what_was_planted(head: Head) -> None:
    found = head.explain("queen", parts=3, signed=True, space="logit", among="words")
    assert {part.token: round(part.weight) for part in found.parts}.keys() == {
        "▁king",
        "▁man",
        "▁woman",
    }
    weights = {part.text: part.weight for part in found.parts}
    assert weights[" man"] < 0 < weights[" king"]
    assert found.parts[-1].explained == pytest.approx(1.0, abs=1e-4)
    assert found.equation().count(" - ") == 1
    assert found.token is not None
    assert (found.token.token, found.token.kind) == ("▁queen", "whole-word")


@pytest.mark.parametrize("space", ["causal", "centred", "cosine", "logit"])
def test_tokens_of_the_query_and_their_forms_are_not_in_its_sum(head: Head, space: str) -> None:
    found = head.explain("king + horse", parts=8, among=None, space=space)
    tokens = {part.token for part in found.parts}
    assert not tokens & {"▁king", "▁horse", "horse"}
    assert found.token is None
    assert len(found.chance) == len(found.parts)
    assert list(found.chance) == sorted(found.chance)
    assert 0 < found.chance[0] < 1


@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize("first", [2, 512])
def test_the_path_is_that_of_the_whole_dictionary(
    head: Head, monkeypatch: pytest.MonkeyPatch, signed: bool, first: int
) -> None:
    monkeypatch.setattr(lasso, "_FIRST", first)
    monkeypatch.setattr(lasso, "_MORE", first)
    known = np.flatnonzero(head.vocabulary.known_V)
    rows_ND = units(head)[known]
    vectors_ND = np.random.default_rng(0).normal(size=(4, head.rows.width))
    found = lasso_sums(
        head,
        open_space(head),
        vectors_ND,
        4,
        dictionary=Dictionary.whole(head),
        signed=signed,
    )
    for vector_D, parts in zip(vectors_ND, found, strict=True):
        unit_D = vector_D / np.linalg.norm(vector_D)
        _, _, weights_NK = lars_path(rows_ND.T, unit_D, method="lasso", positive=not signed)
        at = np.flatnonzero((weights_NK != 0).sum(axis=0) >= 4)[0]
        chosen = known[np.flatnonzero(weights_NK[:, at])]
        assert {part.id for part in parts} == set(chosen.tolist())
        fitted_K = np.linalg.lstsq(units(head)[chosen].T, unit_D, rcond=None)[0]
        if (fitted_K > 0).all() or signed:
            by_id = dict(zip(chosen.tolist(), fitted_K, strict=True))
            assert [part.weight for part in parts] == pytest.approx(
                [by_id[part.id] for part in parts]
            )
        shares = [part.explained for part in parts]
        assert shares == sorted(shares)


def test_many_and_few_vectors_have_the_same_nearest_rows(
    head: Head, monkeypatch: pytest.MonkeyPatch
) -> None:
    vectors_ND = np.random.default_rng(3).normal(size=(3, head.rows.width))
    asked = head, open_space(head), Dictionary.whole(head), vectors_ND
    few = [nearest_rows(*asked, signed=signed) for signed in (False, True)]
    monkeypatch.setattr(pursuit, "_FEW", 0)
    assert [nearest_rows(*asked, signed=signed) for signed in (False, True)] == few


def test_a_zero_vector_and_an_empty_dictionary_have_no_sum(head: Head) -> None:
    space, whole = open_space(head), Dictionary.whole(head)
    zero_1D = np.zeros((1, head.rows.width))
    nothing = Dictionary(np.empty(0, dtype=np.int64), (), (), np.empty((0, head.rows.width)))
    for sums in (sparse_sums, lasso_sums):
        assert sums(head, space, zero_1D, 2, dictionary=whole) == [()]
        assert sums(head, space, zero_1D + 1, 2, dictionary=nothing) == [()]


def test_directions_are_parts_without_the_pairs_of_the_query(head: Head, own: Path) -> None:
    composer = composer_of(head, directions=own)
    steps = steps_of(composer)
    assert steps.names[:2] == ("mine", "emoji")
    whole, without = steps.without([]), steps.without([head.vocabulary.id_of(" king") or 0])
    assert whole.names[0] == without.names[0] == "mine"
    assert "plural" not in whole.names  # this head has tokens for too few of its pairs
    unit_VD = units(head)
    pairs = [("king", "queen"), ("man", "woman"), ("dog", "cat"), ("sea", "fish")]
    pairs += [("horse", "pizza")]
    steps_PD = np.array(
        [
            unit_VD[head.vocabulary.id_of(f" {target}")]
            - unit_VD[head.vocabulary.id_of(f" {base}")]
            for base, target in pairs
        ]
    )
    for found, chosen in ((whole, slice(None)), (without, slice(1, None))):
        mean_D = steps_PD[chosen].mean(axis=0)
        assert found.units_MD[0] == pytest.approx(mean_D / np.linalg.norm(mean_D))
    # Fewer than four pairs teach nothing.
    ids = [head.vocabulary.id_of(f" {word}") or 0 for word in ("king", "sea")]
    assert "mine" not in steps.without(ids).names
    explained = head.explain("fish", directions=own, parts=4)
    assert "mine" in [one.name for one in explained.directions]


def test_how_far_along_is_told_by_all_rows(head: Head, own: Path) -> None:
    composer = composer_of(head, directions=own)
    steps = steps_of(composer).without([])
    steps = replace(steps, names=steps.names[:1], units_MD=steps.units_MD[:1])
    known_N = np.flatnonzero(head.vocabulary.known_V)
    cosines_N = units(head)[known_N] @ steps.units_MD[0]
    for id_ in known_N[::20].tolist():
        (found,) = along(composer, units(head)[id_], steps, among=steps)
        assert found.cosine == pytest.approx(float(units(head)[id_] @ steps.units_MD[0]))
        assert found.above == pytest.approx(float((cosines_N < found.cosine).mean()), abs=0.005)


def test_regions_are_parts_without_the_token_itself(
    head: Head, make_checkpoint: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(belonging, "_FEWEST", 4)
    rows_VD = head.rows.decode(slice(None))
    rows_VD[find_region(head, "emoji").ids_N] += 2  # what they have in common
    rows = torch.from_numpy(rows_VD.astype(np.float32))
    head = open_head(
        make_checkpoint("sentencepiece", dtype="F32", tensors={"model.embed_tokens.weight": rows})
    )
    found = belonging_of(head)
    assert found.names == ("emoji", "latin")
    taken = 0
    for id_ in found.emoji_N.tolist():
        assert [found.names[at] for at in found.of(id_)] == ["emoji"]
        emoji = found.emoji_N[found.emoji_N != id_]
        mean_D = open_space(head).place(head.rows.decode(emoji)).mean(axis=0)
        cosine = float(mean_D @ units(head)[id_]) / float(np.linalg.norm(mean_D))
        for part in head.explain(f"#{id_}", parts=1, among=[5]).parts:
            if (part.token, part.kind) == ("emoji", "region"):
                taken += 1
                assert part.weight == pytest.approx(cosine)
                assert part.explained == pytest.approx(cosine**2)
            else:
                assert max(cosine, 0.0) <= part.weight
    assert taken >= 4


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("horse", "horses", True),
        ("city", "cities", True),
        ("walk", "walking", True),
        ("лошадь", "лошади", True),
        ("pferd", "pferde", True),
        ("sea", "search", False),
        ("sea", "season", False),
        ("horse", "horror", False),
        ("go", "went", False),
    ],
)
def test_forms_of_a_word(one: str, other: str, same: bool) -> None:
    assert same_word(one, other) is same_word(other, one) is same


@given(st.text(max_size=8), st.text(max_size=8))
def test_a_word_is_a_form_of_itself_and_forms_are_mutual(one: str, other: str) -> None:
    assert same_word(one, one)
    assert same_word(one, other) == same_word(other, one)
    assert word_of(f" {one} ") == word_of(one)


def test_forms_are_found_among_tokens(head: Head) -> None:
    found = [head.vocabulary.token(id_) for id_ in forms_of(" Horses", head.vocabulary)]
    assert found == ["▁horse", "horse"]
    assert forms_of(" ", head.vocabulary) == []


@pytest.mark.parametrize("family", ["byte_level", "sentencepiece", "unigram", "wordpiece"])
def test_tokens_that_begin_alike(make_checkpoint: Make, family: str) -> None:
    vocabulary = open_head(make_checkpoint(family)).vocabulary
    for beginning in (b" ", b" k", b"\xf0", b"\xff", b" king and more"):
        wanted = {
            id_
            for id_ in np.flatnonzero(vocabulary.known_V).tolist()
            if vocabulary.written[id_].startswith(beginning)
        }
        assert set(ids_beginning(vocabulary, beginning).tolist()) == wanted


@pytest.mark.parametrize("family", ["byte_level", "sentencepiece"])
def test_the_characters_of_a_fragment(make_checkpoint: Make, family: str) -> None:
    vocabulary = open_head(make_checkpoint(family)).vocabulary
    fragments = [
        id_
        for id_ in np.flatnonzero(vocabulary.known_V).tolist()
        if vocabulary.lacks(id_) and vocabulary.written[id_] not in {b"\x80"}
    ]
    assert len(fragments) > 100
    for id_ in fragments[::9]:
        found, total = characters_of(vocabulary, id_)
        written = vocabulary.written[id_]
        assert total >= len(found)
        for character in found[::37]:
            _holds(vocabulary.written, written, character)


def _holds(written: object, fragment: bytes, character: Character) -> None:
    """Put the bytes together again."""
    before, after = bytes.fromhex(character.before), bytes.fromhex(character.after)
    encoded = character.text.encode()
    if character.role == "inside":
        assert before + fragment + after == encoded
    elif character.role == "begins":
        assert before == b""
        assert fragment.endswith(encoded[: -len(after)])
        assert encoded.endswith(after)
    else:
        assert after == b""
        assert fragment.startswith(encoded[len(before) :])
    assert character.name == unicodedata.name(character.text, "").lower()
    for id_ in character.tokens:
        assert written[id_] == (after or before)  # type: ignore[index]
    for id_ in character.others:
        longer = written[id_]  # type: ignore[index]
        assert longer.startswith(after) if after else longer.endswith(before)


def test_all_characters_of_a_first_byte(head: Head) -> None:
    id_ = head.vocabulary.id_of_token("<0xC3>") or 0
    found, total = characters_of(head.vocabulary, id_)
    assert "".join(character.text for character in found) == "".join(map(chr, range(0xC0, 0x100)))
    assert total == 64
    assert {len(character.tokens) for character in found} == {1}
    assert characters_of(head.vocabulary, head.vocabulary.id_of(" sea") or 0) == ((), 0)


def test_the_facts_of_a_token(head: Head) -> None:
    found = head.explain("sea").token
    assert found is not None
    norms = head.norms_V[head.vocabulary.known_V]
    assert found.norm == pytest.approx(float(head.norms_V[found.id]))
    assert found.norm_rank == 1 + int((norms > found.norm).sum())
    assert (found.tokens, found.script) == (len(norms), "Latin")
    # It is about the row of one token, not about what it is the opposite of.
    assert head.explain("-sea").token is None
    assert head.explain("2*sea").token == found


def test_what_is_wrong_is_said(head: Head) -> None:
    for options, says in (
        ({"parts": 0}, "parts is 0; a sum has 1 to 16"),
        ({"parts": 17}, "parts is 17"),
        ({"method": "svd"}, "unknown method 'svd'; they are omp, lasso"),
        ({"among": "nosuch"}, "unknown region 'nosuch'"),
        ({"top": 0}, "top is 0"),
    ):
        with pytest.raises(UsageError, match=says):
            head.explain("sea", **options)  # type: ignore[arg-type]
    with pytest.raises(ExpressionError, match="comes out at zero"):
        head.explain("sea - sea")


def test_an_explanation_is_a_value(head: Head) -> None:
    found = head.explain("#280", parts=2, among=None)
    assert found == head.explain("#280", parts=2, among=None)
    assert json.loads(json.dumps(found.to_dict()))["schema"] == 1
    frame = found.to_pandas()
    assert list(frame.columns) == [
        *("id", "token", "text", "weight", "explained", "kind", "chance"),
    ]
    assert found.to_arrow().num_rows == len(frame) == len(found.parts)
    hostile = head.vocabulary.id_of_token("<script>alert(1)</script>") or 0
    near = units(head)[hostile]
    vector_D = open_space(head).residual(near)
    drawn = head.explain(vector_D, parts=1, among=None)._repr_html_()
    assert "&lt;script&gt;" in drawn
    assert "<script>" not in drawn
