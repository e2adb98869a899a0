"""Names become tokens, expressions become vectors, and concepts have an algebra."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from unembed import Concept, Head, open_head
from unembed.errors import ExpressionError, UsageError
from unembed.geometry.concepts.phrase import Word, split_words

Make = Callable[..., Path]
SPACES = ["logit", "cosine", "centred", "causal"]


@pytest.fixture
def head(make_checkpoint: Make) -> Head:
    return open_head(make_checkpoint())


def rows_of(head: Head, *ids: int) -> Any:
    return head.rows.decode(np.array(ids))


def unit(vector: Any) -> Any:
    return vector / np.linalg.norm(vector)


def test_a_name_is_the_token_with_a_space_then_the_bare_one_then_pieces(head: Head) -> None:
    resolved = head.concept('horse + 🐴 + 🐟 + "b" + #5 + token("horse") + "aab"').resolved
    assert [(name.text, name.tokens, name.method) for name in resolved] == [
        ("horse", ("▁horse",), "leading_space"),
        ("🐴", ("▁🐴",), "leading_space"),
        ("🐟", ("🐟",), "bare"),
        ("b", ("b",), "bare"),
        ("#5", ("<0x03>",), "id"),
        ("horse", ("horse",), "token"),
        ("aab", ("▁", "a", "a", "b"), "pieces_rarity"),
    ]
    for name in resolved:
        assert [head.vocabulary.token(id_) for id_ in name.token_ids] == list(name.tokens)
        assert name.words == (Word(name.text.removeprefix("#"), name.token_ids, name.method),)


def test_a_hyphenated_word_is_one_name_of_its_words(make_checkpoint: Make) -> None:
    head = open_head(make_checkpoint("byte_level"))
    one, two = head.concept("sea-horse").resolved, head.concept("sea - horse").resolved
    assert [name.text for name in one] == ["sea-horse"]
    assert [word.text for word in one[0].words] == ["sea", "horse"]
    assert [name.text for name in two] == ["sea", "horse"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("hot dog", ["hot", "dog"]),
        ("jack-o-lantern", ["jack", "o", "lantern"]),
        ("hot – dog—cat", ["hot", "dog", "cat"]),
        ("don't stop", ["don't", "stop"]),
        ("woman’s hat", ["woman’s", "hat"]),
        ("l'eau, l’air", ["l'eau", "l’air"]),
        ("snake_case name", ["snake_case", "name"]),
        ("one/two (three); «four»!", ["one", "two", "three", "four"]),
        ("¿qué? ¡sí!", ["qué", "sí"]),
        ("\ttabs\nand\u3000spaces\u00a0too ", ["tabs", "and", "spaces", "too"]),
        ("东京、大阪。", ["东京", "大阪"]),
        ("東京", ["東京"]),
        ("ภาษาไทย ง่าย", ["ภาษาไทย", "ง่าย"]),
        ("हिन्दी भाषा", ["हिन्दी", "भाषा"]),
        ("می\u200cروم خانه", ["می\u200cروم", "خانه"]),
        ("De\u0301ja\u0300 vu", ["De\u0301ja\u0300", "vu"]),
        ("sea 🐴 👩‍🚀", ["sea", "🐴", "👩‍🚀"]),
        ("🐴-❤️", ["🐴", "❤️"]),
        ("‼️ go #️⃣ *⃣ up #5", ["‼️", "go", "#️⃣", "*⃣", "up", "5"]),
        ("c++ $5 a=b", ["c++", "$5", "a=b"]),
        ("...", ["..."]),
        ("?! -", ["?! -"]),
        (" ", [" "]),
        ("'", ["'"]),
    ],
)
def test_a_phrase_is_divided_into_words(text: str, words: list[str]) -> None:
    assert split_words(text) == words


@given(st.text(min_size=1))
def test_words_are_what_was_written(text: str) -> None:
    words = split_words(text)
    assert all(words)
    rest = iter(text)
    assert all(char in rest for char in "".join(words))  # in their order
    if words != [text]:
        assert [split_words(word) for word in words] == [[word] for word in words]


@pytest.mark.parametrize(
    ("expression", "words"),
    [
        ('"sea horse"', [("sea", 1, "leading_space"), ("horse", 1, "leading_space")]),
        ('"king\'s sea"', [("king's", 3, "pieces_rarity"), ("sea", 1, "leading_space")]),
        ('"sea, 🐴!"', [("sea", 1, "leading_space"), ("🐴", 1, "bare")]),
        ('"🐶 🐴"', [("🐶", 1, "bare"), ("🐴", 1, "bare")]),
        ('"🐶🐴"', [("🐶🐴", 3, "pieces_rarity")]),
        ('"..."', [("...", 4, "pieces_rarity")]),
        ('"-"', [("-", 1, "bare")]),
        ('" "', [(" ", 1, "bare")]),
        ('"  sea  "', [("sea", 1, "leading_space")]),
        ("東京", [("東京", 7, "pieces_rarity")]),
        ('"sea 東京"', [("sea", 1, "leading_space"), ("東京", 7, "pieces_rarity")]),
        ("👩‍🚀", [("👩‍🚀", 9, "pieces_rarity")]),
    ],
)
def test_the_words_of_a_name_have_tokens_of_their_own(
    make_checkpoint: Make, expression: str, words: list[tuple[str, int, str]]
) -> None:
    (name,) = open_head(make_checkpoint("byte_level")).concept(expression).resolved
    assert [(word.text, len(word.token_ids), word.method) for word in name.words] == words
    assert name.token_ids == tuple(id_ for word in name.words for id_ in word.token_ids)
    assert name.method == ("words_rarity" if len(words) > 1 else words[0][2])


def test_a_phrase_that_is_one_token_is_not_divided(make_checkpoint: Make) -> None:
    head = open_head(make_checkpoint())
    text = "<script>alert(1)</script>"
    (name,) = head.concept(f'"{text}"').resolved
    assert (name.tokens, name.words) == ((text,), (Word(text, name.token_ids, "bare"),))


def weights_of(pieces: str, ids: Sequence[int]) -> Any:
    """What each token or word counts, again."""
    count = len(ids)
    shares = np.array([(1.0 + id_) ** 0.25 for id_ in ids])
    return {
        "rarity": shares / shares.sum(),
        "mean": np.full(count, 1 / count),
        "sum": np.ones(count),
        "first": np.arange(count) == 0,
        "last": np.arange(count) == count - 1,
    }[pieces]


@pytest.mark.parametrize("pieces", ["rarity", "mean", "sum", "first", "last"])
@pytest.mark.parametrize("space", SPACES)
def test_pieces_and_words_count_as_asked(make_checkpoint: Make, space: str, pieces: str) -> None:
    head = open_head(make_checkpoint("byte_level"))
    scaled = (lambda vector: vector) if space == "logit" else unit
    word = head.concept('"seahorse"', space=space, pieces=pieces)
    ids = word.resolved[0].token_ids
    assert b"".join(head.vocabulary.written[id_] for id_ in ids) == b" seahorse"
    assert word.resolved[0].method == f"pieces_{pieces}"
    places = np.array([scaled(place) for place in word.space.place(rows_of(head, *ids))])
    vector = weights_of(pieces, ids) @ places
    np.testing.assert_allclose(word.vector_D, scaled(vector), atol=1e-12)
    phrase = head.concept('"seahorse 🐴"', space=space, pieces=pieces)
    assert phrase.resolved[0].method == f"words_{pieces}"
    horse = head.vocabulary.id_of("🐴") or 0
    words = np.array([scaled(vector), scaled(phrase.space.place(rows_of(head, horse))[0])])
    wanted = scaled(weights_of(pieces, (max(ids), horse)) @ words)
    np.testing.assert_allclose(phrase.vector_D, wanted, atol=1e-12)


def test_an_unknown_word_of_a_phrase_is_an_unknown_phrase(make_checkpoint: Make) -> None:
    head = open_head(make_checkpoint("unigram"))
    assert len(head.concept('"sea horse"').resolved[0].words) == 2
    with pytest.raises(
        ExpressionError, match="'sea 東京' is not written with the tokens"
    ) as caught:
        head.concept('king + "sea 東京"')
    assert caught.value.column == 8


def test_names_are_unit_vectors_but_in_logit(head: Head) -> None:
    sea, horse = (head.vocabulary.id_of(f" {word}") or 0 for word in ("sea", "horse"))
    first, second = rows_of(head, sea, horse)
    cosine = head.concept("2*sea - horse/4", space="cosine").vector_D
    np.testing.assert_allclose(cosine, 2 * unit(first) - unit(second) / 4, atol=1e-14)
    logit = head.concept("2*sea - horse/4", space="logit").vector_D
    np.testing.assert_allclose(logit, 2 * first - second / 4, atol=1e-14)
    whole = head.concept("unit(sea - horse) + mean(sea, horse)", space="logit").vector_D
    np.testing.assert_allclose(whole, unit(first - second) + (first + second) / 2, atol=1e-14)


@pytest.mark.parametrize(
    ("expression", "message", "column"),
    [
        ("sea + #9999", "there is no token #9999; the head has 285 rows", 7),
        ("sea + #99999999999999999999", "there is no token #9999", 7),
        ('sea + token("sea")', "the vocabulary has no token 'sea'; a token is written as the", 7),
        ('token("")', "nothing between the quotes", 7),
        ("sea + (horse - horse)*2 - sea", "it comes out at zero", 1),
        ("sea + unit(horse - horse)", "it comes out at zero", 7),
        ("1e-200*sea", "it comes out at zero", 1),
        ("1e99*(1e99*sea)", r"its weights come to more than 1e\+100", 1),
        ("1e200*sea", r"its weights come to more than 1e\+100", 1),
    ],
)
def test_what_has_no_vector_is_pointed_at(
    head: Head, expression: str, message: str, column: int
) -> None:
    with pytest.raises(ExpressionError, match=message) as caught:
        head.vector(expression)
    assert caught.value.column == column
    assert caught.value.expression == expression


@pytest.mark.parametrize("family", ["unigram", "wordpiece"])
def test_an_unknown_word_is_pointed_at(make_checkpoint: Make, family: str) -> None:
    head = open_head(make_checkpoint(family))
    with pytest.raises(ExpressionError, match="'東京' is not written with the tokens of") as caught:
        head.concept("king - 東京")
    assert caught.value.column == 8


@pytest.mark.parametrize("space", SPACES)
def test_large_and_small_weights_are_no_matter(head: Head, space: str) -> None:
    wanted = head.vector("sea + horse", space=space)
    for text in ("1e60*sea + 1e60*horse", "1e-60*(sea + horse)", "1e90*(1e-180*(sea + horse))"):
        np.testing.assert_allclose(head.vector(text, space=space), wanted, atol=1e-12)


@pytest.mark.parametrize("space", SPACES)
def test_the_algebra_is_that_of_expressions(head: Head, space: str) -> None:
    king, man, woman = (head.concept(word, space=space) for word in ("king", "man", "woman"))
    pairs = [
        (king - man + woman, "king - man + woman"),
        (king - (man + woman), "king - (man + woman)"),
        (king + -man, "king - man"),
        (king - -man, "king + man"),
        (2 * (king - man), "2*king - 2*man"),
        ((king + man) / 2, "mean(king, man)"),
        (king / -4 + woman, "woman - 0.25*king"),
        ((king - 0.5 * man).unit() + woman, "unit(king - 0.5*man) + woman"),
        (np.float64(3) * king - np.int64(2) * man, "3*king - 2*man"),
        (2 * head.concept("king+man", space=space), "2*king + 2*man"),
        (king - head.concept("-man+woman", space=space), "king + man - woman"),
        (2 * (king / 2) / 2, "king/2"),
    ]
    for concept, expression in pairs:
        wanted = head.concept(expression, space=space)
        np.testing.assert_allclose(concept.vector_D, wanted.vector_D, atol=1e-12)
        again = head.concept(concept.expression, space=space)  # the recipe can be asked again
        np.testing.assert_allclose(again.vector_D, concept.vector_D, atol=1e-12)
        assert again.resolved == concept.resolved


def test_a_concept_names_its_recipe(head: Head) -> None:
    king, man = head.concept("king"), head.concept("man")
    assert (king - man + 2 * head.concept("woman")).expression == "king - man + 2.0*woman"
    assert (king - (king + man)).expression == "king - (king + man)"
    assert (-(king + man) / 2).expression == "(-(king + man))/2.0"
    assert repr(king) == "Concept('king', Space('causal', 16 wide))"


WEIGHTS = st.floats(-4, 4).filter(lambda weight: abs(weight) > 1e-3)
NAMES = st.sampled_from(["king", "man", "sea", "🐴", '"aab"', "#7"])


@settings(
    deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    st.sampled_from(SPACES),
    st.lists(st.tuples(WEIGHTS, NAMES), min_size=1, max_size=4),
    st.lists(st.tuples(WEIGHTS, NAMES), min_size=1, max_size=4),
)
def test_the_laws_of_the_algebra(
    head: Head, space: str, first: list[tuple[float, str]], second: list[tuple[float, str]]
) -> None:
    def made(terms: list[tuple[float, str]]) -> Concept:
        parts = [weight * head.concept(name, space=space) for weight, name in terms]
        total = parts[0]
        for part in parts[1:]:
            total = total + part
        return total

    def same(one: Concept, other: Concept) -> None:
        np.testing.assert_allclose(one.vector_D, other.vector_D, atol=1e-9)

    a, b = made(first), made(second)
    same(a + b, b + a)
    same((a + b) + a, a + (b + a))
    same(2 * a, a + a)
    same(a * 2, 2 * a)
    turned = -a
    same(-turned, a)
    same(a - b, -(b - a))
    same((a + b) / 2, 0.5 * a + 0.5 * b)
    same(head.concept(a.expression, space=space), a)
    same(head.concept(f"mean({a.expression}, {b.expression})", space=space), (a + b) / 2)
    assert not (a - a).vector_D.any()
    with pytest.raises(ExpressionError, match="it comes out at zero"):
        (a - a).unit()
    with pytest.raises(ExpressionError, match="it comes out at zero"):
        head.nearest(a + b - b - a, space=space)


def test_different_spaces_and_heads_do_not_mix(make_checkpoint: Make, head: Head) -> None:
    other = open_head(make_checkpoint("byte_level"))
    sea = head.concept("sea")
    strangers = [head.concept("sea", space=space) for space in ("logit", "cosine", "centred")]
    strangers.append(other.concept("sea"))
    for stranger in strangers:
        for mix in (sea.__add__, sea.__sub__):
            with pytest.raises(UsageError, match="are of different spaces or heads"):
                mix(stranger)
        with pytest.raises(UsageError, match="is not of this head's Space"):
            head.nearest(stranger)
        with pytest.raises(UsageError, match="is not of this head's Space"):
            head.similarity("sea", stranger)
    again = open_head(head.source)  # the same file, opened twice, is one head
    assert (sea + again.concept("king")).expression == "sea + king"


@pytest.mark.parametrize("weight", [float("nan"), float("inf"), "2", None, 1j, np.ones(2), [1]])
def test_a_weight_is_a_finite_number(head: Head, weight: Any) -> None:
    sea = head.concept("sea")
    for act in (
        lambda: sea * weight,
        lambda: weight * sea,
        lambda: sea / weight,
        lambda: head.concept([("sea", weight)]),
    ):
        with pytest.raises(UsageError, match="is no finite number; concepts are weighted by one"):
            act()


def test_a_wrong_operand_says_what_is_wrong(head: Head) -> None:
    sea = head.concept("sea")
    with pytest.raises(UsageError, match=r"cannot be divided by 0\.0"):
        sea / 0
    with pytest.raises(UsageError, match=r"times 1e\+300 is longer than 1e\+100"):
        sea * 1e300
    with pytest.raises(UsageError, match="inf is no finite number"):
        sea / 1e-320
    with pytest.raises(UsageError, match="'sea' is no concept; make one of it"):
        sea + "sea"  # type: ignore[operator]
    with pytest.raises(UsageError, match="1 is no concept"):
        sea - 1  # type: ignore[operator]


@pytest.mark.parametrize("space", SPACES)
def test_weighted_keys_are_the_same_as_their_expression(head: Head, space: str) -> None:
    king = head.vocabulary.id_of(" king") or 0
    pairs = [("sea", 1), (king, -0.5), (np.int64(king), 1.0), ("aab", 2)]
    concept = head.concept(pairs, space=space)
    wanted = head.concept(f'sea + 0.5*#{king} + 2*"aab"', space=space)
    np.testing.assert_allclose(concept.vector_D, wanted.vector_D, atol=1e-12)
    assert concept.expression == f"1.0*sea + (-0.5*#{king}) + 1.0*#{king} + 2.0*aab"
    again = head.concept(concept.expression, space=space)
    np.testing.assert_allclose(again.vector_D, concept.vector_D, atol=1e-12)
    residual = np.arange(1.0, 17.0)
    mixed = head.concept([("sea", 1), (residual, 3)], space=space)
    place = mixed.space.meet(residual)
    expected = head.concept("sea", space=space).vector_D
    expected = expected + 3 * (place if space == "logit" else unit(place))
    np.testing.assert_allclose(mixed.vector_D, expected, atol=1e-9)
    assert mixed.expression == "1.0*sea + 3.0*vector"


def test_a_key_is_a_name_and_no_expression(make_checkpoint: Make) -> None:
    head = open_head(make_checkpoint("byte_level"))
    concept = head.concept([("sea + horse", 1), ('say "a\\b"', 2)])
    assert [name.text for name in concept.resolved] == ["sea + horse", 'say "a\\b"']
    again = head.concept(concept.expression)
    assert again.resolved == concept.resolved
    np.testing.assert_allclose(again.vector_D, concept.vector_D, atol=1e-12)


@pytest.mark.parametrize(
    ("pairs", "message"),
    [
        ([("sea",)], r"\('sea',\) is no pair of a key and a weight"),
        ([("sea", 1, 2)], r"\('sea', 1, 2\) is no pair"),
        ([("sea", 1), "horse"], "'horse' is no pair"),
        ([("sea", 1), 5], "5 is no pair"),
        ([(True, 1)], "True is no key"),
        ([(-1, 1)], "there is no token #-1"),
        ([(9999, 1)], "there is no token #9999; the head has 285 rows"),
        ([("", 1)], "names nothing"),
        ([(None, 1)], "vector"),
        ([(np.ones(3), 1)], r"vector has shape \(3,\)"),
        ([("sea", 1), ("sea", -1)], "it comes out at zero"),
    ],
)
def test_a_wrong_pair_says_what_is_wrong(head: Head, pairs: Any, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        head.vector(pairs)


def test_similarity_is_the_cosine_in_the_space(head: Head) -> None:
    for space in SPACES:
        answer = head.nearest("sea", space=space, score="cosine", track=["king"])
        assert head.similarity("sea", "king", space=space) == pytest.approx(answer.tracked[0].score)
        assert head.similarity("2*sea", "-sea", space=space) == pytest.approx(-1.0)
        assert -1.0 <= head.similarity("sea", "7*sea", space=space) <= 1.0
    residual = head.vector("sea + king")
    assert head.similarity(residual, "sea + king") == pytest.approx(1.0)
