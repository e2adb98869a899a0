"""Records to vectors: what is a phrase, what an expression, and what is wrong with neither."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from unembed import Head, open_head
from unembed.geometry.audit.composing import Composed, compose_each
from unembed.geometry.audit.record import Record
from unembed.geometry.concepts.compose import Composer, composer_of
from unembed.geometry.concepts.grammar import quoted
from unembed.geometry.concepts.pairs import Pair, PairSet
from unembed.geometry.space import SPACES

from .conftest import FAMILIES, Make
from .named import cache_in, named, write_named

OWN = {"mine": PairSet("mine", "", tuple(Pair(name, text) for text, name in named().items()))}


@pytest.fixture(scope="module")
def head(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Head]:
    directory = tmp_path_factory.mktemp("composing")
    with cache_in(directory):
        yield open_head(write_named(directory / "head"))


@pytest.fixture(scope="module")
def composer(head: Head) -> Composer:
    return composer_of(head, directions=OWN)


def composed(composer: Composer, concept: str | Record) -> Composed:
    """Compose one concept with which nothing is wrong."""
    record = concept if isinstance(concept, Record) else Record(concept)
    (found,) = compose_each(composer, [record])
    assert isinstance(found, Composed), found
    return found


def wrong(composer: Composer, concept: str | Record) -> str:
    """Say what is wrong with one concept."""
    record = concept if isinstance(concept, Record) else Record(concept)
    (found,) = compose_each(composer, [record])
    assert isinstance(found, str), found
    return found


@pytest.mark.parametrize(
    "text",
    [
        "king",
        "sea king",
        "Sea-king",
        "queen’s sea",
        "king,queen",
        "king, queen and sea",
        "sea-of-queen",
        "king/queen",
        "c++",
        "(king",
        "king)",
        "*king*",
        "2 cow",
        "cow 2",
        "nosuch(king)",
        "mining(king)",
        "sea & king",
        "sea: king",
        '"king',
        "🐄 cow",
        "#king",
        "'",
    ],
)
def test_a_phrase_is_composed_as_one_in_quotes_is(composer: Composer, text: str) -> None:
    found = composed(composer, text)
    wanted = composer.expression(quoted(text))
    assert (found.is_name, found.is_directed, len(found.terms_TD)) == (True, False, 0)
    assert found.resolved == wanted.resolved
    np.testing.assert_allclose(found.vector_D, wanted.vector_D, atol=1e-12)


@pytest.mark.parametrize(
    ("text", "terms", "is_directed"),
    [
        ("sea + cow", 2, False),
        ("sea+cow", 2, False),
        ("-king + sea", 1, False),
        ("king - cow", 1, False),
        ("king - cow + queen", 2, False),
        ("2*king", 0, False),
        ("sea / 2", 0, False),
        ("(sea + cow)*2", 2, False),
        ("mean(sea, cow, king)", 3, False),
        ("unit(sea + cow)", 2, False),
        ("unit(sea)", 0, False),
        ("mine(sea)", 0, True),
        ("mine(sea + cow)", 2, True),
        ("2*mine(sea)", 0, True),
        ("-mine(sea)", 0, False),
        ("mine(sea) + mine(cow)", 2, False),
        ("direction(mine)", 0, False),
        ("king + queen - sea + 0*cow", 2, False),
        ("sea\n+ cow", 2, False),
    ],
)
def test_an_expression_is_composed_as_one(
    composer: Composer, text: str, terms: int, *, is_directed: bool
) -> None:
    found, wanted = composed(composer, text), composer.expression(text)
    assert (found.is_name, found.is_directed) == (False, is_directed)
    assert found.resolved == wanted.resolved
    assert found.token_ids == {id_ for name in wanted.resolved for id_ in name.token_ids}
    np.testing.assert_allclose(found.vector_D, wanted.unit().vector_D, atol=1e-12)
    assert found.terms_TD.shape == (terms, composer.space.width)
    np.testing.assert_array_equal(found.terms_TD, composer.terms(text))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("sea +", "the end cannot stand here"),
        ("+ - sea", "'-' cannot stand here"),
        ("king * queen", "cannot stand here"),
        ("2 - 1", "cannot stand here"),
        ("mean(king", "the end cannot stand here"),
        ("mine(king", "the end cannot stand here"),
        ("emoji_de(king", "the end cannot stand here"),
        ("unit()", "cannot stand here"),
        ("mine(king, queen)", "mine takes one argument, not 2"),
        ("sea - sea", "it comes out at zero"),
        ("0*sea", "it comes out at zero"),
        ("1e200*sea", "more than 1e\\+100"),
        ("king + #999999", "there is no token #999999; the head has"),
        ("#999999", "there is no token #999999"),
        ('token("nosuch")', "the vocabulary has no token 'nosuch'"),
        ("", "an empty text names nothing"),
        ("\ud800", "'\\\\ud800' is not written with the tokens"),
    ],
)
def test_what_is_wrong_is_said(composer: Composer, text: str, message: str) -> None:
    assert re.search(message, wrong(composer, text))


def test_signs_mean_nothing_in_what_is_a_phrase(composer: Composer) -> None:
    found = composed(composer, Record("sea + cow", is_phrase=True))
    assert found.is_name
    assert [name.text for name in found.resolved] == ["sea + cow"]
    wanted_D = composer.expression('"sea + cow"').vector_D
    np.testing.assert_allclose(found.vector_D, wanted_D, atol=1e-12)
    assert composed(composer, Record("sea +", is_phrase=True)).is_name


def test_a_name_in_its_own_notation_is_that_name(composer: Composer) -> None:
    plain = composed(composer, "sea cow")
    for text in ('"sea cow"', "'sea cow'"):
        found = composed(composer, text)
        assert found.is_name
        np.testing.assert_array_equal(found.vector_D, plain.vector_D)
    sea = composed(composer, "sea")
    (id_,) = sea.token_ids
    for text in (f"#{id_}", 'token("▁sea")', " sea "):
        np.testing.assert_array_equal(composed(composer, text).vector_D, sea.vector_D)


def test_an_emoji_is_split_as_it_stands(composer: Composer) -> None:
    for text in ("🐄", "*️⃣"):
        found, wanted = composed(composer, text), composer.expression(text)
        assert (found.is_name, found.resolved) == (True, wanted.resolved)
        assert found.resolved != composer.expression(quoted(text)).resolved
        np.testing.assert_allclose(found.vector_D, wanted.vector_D, atol=1e-12)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("space", SPACES)
def test_vectors_are_those_of_the_composer(make_checkpoint: Make, family: str, space: str) -> None:
    own = {"kin": PairSet("kin", "", tuple(map(Pair, *zip(*PAIRS, strict=True))))}
    composer = composer_of(open_head(make_checkpoint(family)), space=space, directions=own)
    texts = ["king", "sea horse", "king - man + woman", "kin(king)", "mean(dog, cat)", "2*fish"]
    found = compose_each(composer, [Record(text) for text in texts])
    for text, one in zip(texts, found, strict=True):
        assert isinstance(one, Composed)
        concept = composer.expression(quoted(text) if one.is_name else text)
        wanted_D = concept.unit().vector_D if composer.space.kind.unit else concept.vector_D
        np.testing.assert_allclose(one.vector_D, wanted_D, rtol=1e-12, atol=1e-12)


PAIRS = [("king", "queen"), ("man", "woman"), ("sea", "fish"), ("dog", "cat"), ("horse", "pizza")]


@pytest.mark.parametrize("space", ["causal", "logit"])
def test_each_is_what_it_is_alone(head: Head, space: str) -> None:
    composer = composer_of(head, space=space, directions=OWN)
    texts = ["king", "sea +", "sea cow", "sea + cow", "", "mine(sea + cow)", "king", "unicornlike"]
    records = [Record(text) for text in texts]
    together = compose_each(composer, records)
    for record, found in zip(records, together, strict=True):
        (alone,) = compose_each(composer, [record])
        if isinstance(found, str):
            assert alone == found
            continue
        assert isinstance(alone, Composed)
        assert (alone.resolved, alone.is_name) == (found.resolved, found.is_name)
        np.testing.assert_allclose(alone.vector_D, found.vector_D, rtol=1e-12, atol=1e-12)
        np.testing.assert_allclose(alone.terms_TD, found.terms_TD, rtol=1e-12, atol=1e-12)
    assert compose_each(composer, []) == []


def test_a_zero_row_has_no_direction(tmp_path: Path) -> None:
    head = open_head(write_named(tmp_path / "head", zero="▁cow"))
    cosine = composer_of(head, space="cosine")
    assert wrong(cosine, "cow").startswith("it comes out at zero")
    assert wrong(cosine, "cow + cow").startswith("it comes out at zero")
    sea_D = composed(cosine, "sea").vector_D
    np.testing.assert_allclose(composed(cosine, "sea cow").vector_D, sea_D, atol=1e-12)


FRAGMENTS = [
    *(
        "king",
        "sea",
        "🐄",
        "❤️",
        "️",
        "‍",
        "mine(",
        "mean(",
        "unit(",
        "direction(",
        "token(",
        "emoji(",
    ),
    *("emoji_de(", "(", ")", " + ", " - ", "*", "/", ",", ":", '"', "'", "#1", "#", "\\", "1e9"),
    *("\ud83d", "\x00", "\n", " ", "é", "’", "·", "_"),
]
TEXTS = st.one_of(
    st.text(max_size=12),
    st.text(st.characters(categories=["Cs", "Cc", "Cf", "P", "S", "L"]), max_size=8),
    st.lists(st.sampled_from(FRAGMENTS), max_size=7).map("".join),
)


@given(texts=st.lists(TEXTS, max_size=5))
@example(texts=["(" * 9000, ")" * 3, "(" * 60 + "king" + ")" * 60, "king + " * 1400])
@settings(max_examples=150, deadline=None)
def test_no_text_ends_it(composer: Composer, texts: Sequence[str]) -> None:
    records = [Record(text) for text in texts]
    records += [replace(record, is_phrase=True) for record in records]
    for found in compose_each(composer, records):
        if isinstance(found, str):
            assert found
        else:
            assert np.isfinite(found.vector_D).all()
            assert np.linalg.norm(found.vector_D) == pytest.approx(1, abs=1e-9)


@pytest.mark.xfail(strict=True, reason="an unlearnable direction raises out of compose_each")
def test_a_direction_that_this_head_cannot_learn_is_the_fault_of_its_record(
    composer: Composer,
) -> None:
    assert "plural" in wrong(composer, "plural(king)")


@pytest.mark.xfail(strict=True, reason="a part that cancels makes a sum an error: near answers it")
def test_a_part_that_cancels_is_no_term(composer: Composer) -> None:
    concept = composer.expression("mine((sea - sea) + cow)")
    found = composed(composer, "mine((sea - sea) + cow)")
    np.testing.assert_allclose(found.vector_D, concept.unit().vector_D, atol=1e-12)


@pytest.mark.xfail(strict=True, reason="a name's vector may be zero in the space logit")
def test_a_zero_row_has_no_direction_among_logits_either(tmp_path: Path) -> None:
    head = open_head(write_named(tmp_path / "head", zero="▁cow"))
    assert wrong(composer_of(head, space="logit"), "cow").startswith("it comes out at zero")
