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
from unembed.geometry.concepts.compose import Composer, composer_of
from unembed.geometry.concepts.grammar import quoted
from unembed.geometry.concepts.pairs import Pair, PairSet
from unembed.geometry.records.record import Record
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


def composed(composer: Composer, concept: str | Record, *, into: str | None = None) -> Composed:
    """Compose one concept with which nothing is wrong."""
    record = concept if isinstance(concept, Record) else Record(concept)
    (found,) = compose_each(composer, [record], into=into)
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
        "king * queen",
        "king / queen",
        "*+ sea",
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
    assert (found.name, found.token_id, len(found.terms_TD)) == (text, None, 0)
    assert found.resolved == wanted.resolved
    np.testing.assert_allclose(found.vector_D, wanted.vector_D, atol=1e-12)


@pytest.mark.parametrize(
    ("text", "terms"),
    [
        ("sea + cow", ["sea", "cow"]),
        ("sea+cow", ["sea", "cow"]),
        ("-king + sea", ["sea"]),
        ("king - cow", ["king"]),
        ("king - cow + queen", ["king", "queen"]),
        ("2*king", []),
        ("sea / 2", []),
        ("(sea + cow)*2", ["sea", "cow"]),
        ("mean(sea, cow, king)", ["sea", "cow", "king"]),
        ("unit(sea + cow)", ["sea", "cow"]),
        ("unit(sea)", []),
        ("mine(sea)", []),
        ("mine(sea + cow)", []),
        ("2*mine(sea)", []),
        ("-mine(sea)", []),
        ("mine(sea) + mine(cow)", ["mine(sea)", "mine(cow)"]),
        ("(king + queen) + 3*cow", ["king + queen", "cow"]),
        ("direction(mine)", []),
        ("king + queen - sea + 0*cow", ["king", "queen"]),
        ("sea\n+ cow", ["sea", "cow"]),
    ],
)
def test_an_expression_is_composed_as_one(composer: Composer, text: str, terms: list[str]) -> None:
    found, wanted = composed(composer, text), composer.expression(text)
    assert (found.name, found.token_id) == (None, None)
    assert found.resolved == wanted.resolved
    assert found.token_ids == {id_ for name in wanted.resolved for id_ in name.token_ids}
    np.testing.assert_allclose(found.vector_D, wanted.unit().vector_D, atol=1e-12)
    assert found.terms_TD.shape == (len(terms), composer.space.width)
    for found_D, term in zip(found.terms_TD, terms, strict=True):
        wanted_D = composer.expression(term).unit().vector_D
        np.testing.assert_allclose(found_D, wanted_D, atol=1e-12)


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("mine(sea)", "sea"),
        ('mine("sea cow")', "sea cow"),
        ("mine(sea + cow)", "sea + cow"),
        ("mine(king - cow + queen)", "king - cow + queen"),
        ("2*mine(sea + cow)", "sea + cow"),
        ("mine(sea + cow) / 2", "sea + cow"),
        ("unit(mine(sea + cow))", "sea + cow"),
        ("3*unit(2*mine(sea + cow))", "sea + cow"),
        ('mine("sea + cow")', '"sea + cow"'),
        ("mine(mine(sea))", "mine(sea)"),
        ('mine(token("▁sea"))', 'token("▁sea")'),
        ("mine(mean(sea, cow))", "mean(sea, cow)"),
    ],
)
@pytest.mark.parametrize("space", ["causal", "logit"])
def test_a_direction_of_all_of_an_expression_is_left_off(
    head: Head, space: str, text: str, plain: str
) -> None:
    composer = composer_of(head, space=space, directions=OWN)
    found, wanted = composed(composer, text, into="mine"), composed(composer, plain)
    assert (found.name, found.token_id) == (wanted.name, wanted.token_id)
    assert [name.text for name in found.resolved] == [name.text for name in wanted.resolved]
    np.testing.assert_array_equal(found.vector_D, wanted.vector_D)
    np.testing.assert_array_equal(found.terms_TD, wanted.terms_TD)


@pytest.mark.parametrize(
    "text",
    [
        "-mine(sea)",
        "-2*mine(sea)",
        "mine(sea) + cow",
        "mine(sea) + mine(cow)",
        "mean(mine(sea), mine(cow))",
        "direction(mine)",
        "unit(sea)",
        "2*sea",
        "other(sea)",
        "other(mine(sea))",
        "unit(other(sea + cow))",
        "sea",
    ],
)
def test_another_direction_and_that_of_a_part_stay(head: Head, text: str) -> None:
    composer = composer_of(head, directions=OWN | {"other": replace(OWN["mine"], name="other")})
    found, wanted = composed(composer, text, into="mine"), composed(composer, text)
    assert (found.name, found.resolved) == (wanted.name, wanted.resolved)
    np.testing.assert_array_equal(found.vector_D, wanted.vector_D)
    np.testing.assert_array_equal(found.terms_TD, wanted.terms_TD)
    np.testing.assert_allclose(
        found.vector_D, composer.expression(text).unit().vector_D, atol=1e-12
    )


def test_what_is_wrong_with_an_expression_stays_wrong(composer: Composer) -> None:
    for text in ("0*mine(sea)", "mine(sea - sea)", "mine(sea +", "mine(king, queen)"):
        (found,) = compose_each(composer, [Record(text)], into="mine")
        assert found == wrong(composer, text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("sea +", "the end cannot stand here"),
        ("sea -", "the end cannot stand here"),
        ("sea + * queen", "'\\*' cannot stand here"),
        ("+ - sea", "'-' cannot stand here"),
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
    assert found.name == "sea + cow"
    assert [name.text for name in found.resolved] == ["sea + cow"]
    wanted_D = composer.expression('"sea + cow"').vector_D
    np.testing.assert_allclose(found.vector_D, wanted_D, atol=1e-12)
    assert composed(composer, Record("sea +", is_phrase=True)).name == "sea +"
    phrase = composed(composer, Record("mine(sea)", is_phrase=True), into="mine")
    assert phrase.name == "mine(sea)"


def test_a_name_in_its_own_notation_is_that_name(composer: Composer) -> None:
    plain = composed(composer, "sea cow")
    for text in ('"sea cow"', "'sea cow'"):
        found = composed(composer, text)
        assert (found.name, found.token_id) == ("sea cow", None)
        np.testing.assert_array_equal(found.vector_D, plain.vector_D)
    sea = composed(composer, "sea")
    (id_,) = sea.token_ids
    assert (sea.name, sea.token_id) == ("sea", None)
    for text, known in ((f"#{id_}", (None, id_)), ('token("▁sea")', (None, id_))):
        found = composed(composer, text)
        assert (found.name, found.token_id) == known
        np.testing.assert_array_equal(found.vector_D, sea.vector_D)
    spaced = composed(composer, " sea ")
    assert (spaced.name, spaced.token_id) == ("sea", None)
    np.testing.assert_array_equal(spaced.vector_D, sea.vector_D)


def test_an_emoji_is_split_as_it_stands(composer: Composer) -> None:
    for text in ("🐄", "*️⃣"):
        found, wanted = composed(composer, text), composer.expression(text)
        assert (found.name, found.token_id, found.resolved) == (text, None, wanted.resolved)
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
        concept = composer.expression(text if one.name is None else quoted(text))
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
        assert (alone.resolved, alone.name) == (found.resolved, found.name)
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


def test_a_direction_that_this_head_cannot_learn_is_the_fault_of_its_record(
    composer: Composer,
) -> None:
    assert "plural" in wrong(composer, "plural(king)")


def test_a_part_that_cancels_is_no_term(composer: Composer) -> None:
    cow_D = composed(composer, "cow").vector_D
    for text in ("mine((sea - sea) + cow)", "(sea - sea) + cow"):
        concept = composer.expression(text)
        found = composed(composer, text)
        np.testing.assert_allclose(found.vector_D, concept.unit().vector_D, atol=1e-12)
        found = composed(composer, text, into="mine")
        np.testing.assert_allclose(found.vector_D, cow_D, atol=1e-12)
        np.testing.assert_allclose(found.terms_TD, cow_D[None], atol=1e-12)


def test_a_zero_row_has_no_direction_among_logits_either(tmp_path: Path) -> None:
    head = open_head(write_named(tmp_path / "head", zero="▁cow"))
    logit = composer_of(head, space="logit")
    for text in ("cow", "cow + cow", '"cow"', 'token("▁cow")'):
        assert wrong(logit, text).startswith("it comes out at zero")
    found, sea = composed(logit, "sea + cow"), composed(logit, "sea")
    np.testing.assert_allclose(found.vector_D, sea.vector_D, atol=1e-12)
    np.testing.assert_allclose(found.terms_TD, sea.vector_D[None], atol=1e-12)
