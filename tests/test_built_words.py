"""Words as a model builds them: by hand on tiny models, kept in the store, and in expressions."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from unembed import Head, open_head
from unembed.errors import ExpressionError, UsageError
from unembed.geometry.concepts.grammar import Name, parse
from unembed.geometry.model import words as words_module
from unembed.geometry.model.language_model import model_of
from unembed.geometry.model.words import builder_of, built, layer_ranks
from unembed.geometry.space import open_space
from unembed.geometry.tokens.whole_words import drawn_apart, other_form, whole_words
from unembed.geometry.views.table import neighbours_table

Saved = Callable[[str], Path]


@pytest.fixture
def head(saved_model: Saved) -> Head:
    return open_head(saved_model("llama"))


def pieces_of(head: Head, text: str) -> tuple[int, ...]:
    return head.vocabulary.split(text, leading_space=True)


@pytest.mark.parametrize("space_name", ["causal", "cosine", "centred", "logit"])
@pytest.mark.parametrize("fold_norm", [False, True])
def test_a_built_word_is_the_models_residual_through_norm_and_space(
    head: Head, space_name: str, fold_norm: bool
) -> None:
    space = open_space(head, space_name, fold_norm=fold_norm)
    builder, ids = builder_of(head, space), pieces_of(head, "abab")
    (found_D,) = built(head, space, [ids])

    vocabulary, model = head.vocabulary, model_of(head)
    examples = [vocabulary.text(int(id_)) or "" for id_ in whole_words(vocabulary)[:5]]
    prompt = "".join(f"{text.strip()}:{text}\n" for text in examples)
    held = model.run([*model.tokens_of(prompt), *ids, *vocabulary.split(":")])
    residual_D = held.stack_LPD[builder.layer, 0]
    assert head.final_norm is not None
    normed_D = head.final_norm(residual_D)
    if fold_norm:
        normed_D = normed_D / head.final_norm.weight_D
    met_D = space.meet(normed_D)
    wanted_D = met_D / np.linalg.norm(met_D) - builder.mean_D
    wanted_D /= np.linalg.norm(wanted_D)
    if space_name == "logit":
        wanted_D *= head.norms_V.mean()
    np.testing.assert_allclose(found_D, wanted_D, atol=1e-4 * np.abs(wanted_D).max())


def test_the_layer_is_the_one_whose_mean_reciprocal_rank_is_highest(head: Head) -> None:
    space, pieces = open_space(head), drawn_apart(head.vocabulary, 512, seed=0)
    assert not any(other_form(head.vocabulary, id_) for id_ in pieces)  # so the own token counts
    ranks_LN, means_LD = layer_ranks(
        head,
        space,
        list(pieces.values()),
        np.array(list(pieces)),
        excluded=[np.array(ids) for ids in pieces.values()],
    )
    builder = builder_of(head, space)
    assert builder.layer == 1 + int((1 / ranks_LN).mean(axis=1).argmax())
    np.testing.assert_array_equal(builder.mean_D, means_LD[builder.layer - 1])
    assert ranks_LN.min() >= 1
    assert ranks_LN.max() <= len(whole_words(head.vocabulary))


def test_what_was_built_is_kept(head: Head, monkeypatch: pytest.MonkeyPatch) -> None:
    space, ids = open_space(head), pieces_of(head, "abab")
    first_ND = built(head, space, [ids])

    def never(*_: object, **__: object) -> None:
        raise AssertionError("the model ran again")

    monkeypatch.setattr(words_module, "after_each", never)
    np.testing.assert_array_equal(built(head, space, [ids]), first_ND)
    with pytest.raises(AssertionError, match="ran again"):
        built(head, space, [ids, ids])


def test_in_expressions_words_of_several_tokens_are_built(head: Head) -> None:
    by_pieces = head.concept("abab", pieces="model")
    assert by_pieces.resolved[0].method == "pieces_model"
    called = head.concept('model("abab")')
    assert called.resolved[0].method == "model"
    assert called.resolved[0].token_ids == pieces_of(head, "abab")
    np.testing.assert_array_equal(by_pieces.vector_D, called.vector_D)
    (built_D,) = built(head, called.space, [pieces_of(head, "abab")])
    np.testing.assert_allclose(called.vector_D, built_D)
    assert np.abs(head.concept("abab").vector_D - built_D).max() > 0.01


def test_a_word_of_one_token_is_built_only_where_it_is_called(head: Head) -> None:
    plain_D = head.concept("king").vector_D
    np.testing.assert_array_equal(head.concept("king", pieces="model").vector_D, plain_D)
    assert np.abs(head.concept("model(king)").vector_D - plain_D).max() > 0.01


def test_a_phrase_is_weighed_by_rarity(head: Head) -> None:
    phrase = head.concept('"king abab"', pieces="model")
    assert phrase.resolved[0].method == "words_model"
    king_D, abab_D = (head.concept(word, pieces="model").vector_D for word in ("king", "abab"))
    rarest = np.array([max(word.token_ids) for word in phrase.resolved[0].words])
    weights = (1.0 + rarest) ** 0.25
    wanted_D = weights @ np.array([king_D, abab_D])
    np.testing.assert_allclose(phrase.vector_D, wanted_D / np.linalg.norm(wanted_D), atol=1e-9)


def test_directions_are_learned_from_built_words(head: Head) -> None:
    pairs = "direction(abab:king, woman:queen, fish:dog)"
    assert head.concept(pairs, pieces="model").vector_D.shape == (head.rows.width,)


@pytest.mark.parametrize("text", ["model(king + queen)", "model(#3)", 'model("a", "b")'])
def test_model_takes_one_name(text: str) -> None:
    with pytest.raises(ExpressionError, match="model takes one word or phrase") as caught:
        parse(text)
    assert caught.value.column == 1


def test_model_reads_a_name_as_it_is() -> None:
    assert parse('model("hot dog")') == Name("model", "hot dog", 1)
    assert parse("model(🐴)") == Name("model", "🐴", 1)


def test_without_words_no_layer_can_be_chosen(head: Head, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(words_module, "drawn_apart", lambda *_, **__: {})
    with pytest.raises(UsageError, match="no words of one token that can be split"):
        builder_of(head, open_space(head))


def test_a_table_says_what_the_model_built(head: Head) -> None:
    for expression, pieces, said in (
        ('model("abab")', "rarity", "as the model builds it"),
        ("abab", "model", "as the model builds it"),
        ('"king abab"', "model", "its words as the model builds them"),
    ):
        table = neighbours_table(head.nearest(expression, pieces=pieces), head.vocabulary)
        assert said in str(table.renderables[1])


def test_of_a_long_word_the_beginning_is_read(head: Head) -> None:
    space, ids = open_space(head), pieces_of(head, "abab") * 300
    long_ND = built(head, space, [ids, ids[:256]])
    np.testing.assert_allclose(long_ND[0], long_ND[1], atol=1e-6)
