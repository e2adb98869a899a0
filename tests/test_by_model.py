"""A direction as a model takes it: prompts, the choice of a layer, audits that ask a model too."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from unembed import Head, open_head
from unembed.errors import MissingExtraError, UsageError
from unembed.geometry.audit.belief import beliefs
from unembed.geometry.concepts.compose import Composer, composer_of
from unembed.geometry.concepts.pairs import Pair, PairSet
from unembed.geometry.evaluation.by_model import ByModel, open_by_model, question_of
from unembed.geometry.evaluation.ranks import ranks_among
from unembed.geometry.evaluation.retrieval import joined, retrieve_targets
from unembed.geometry.method import Method
from unembed.geometry.model import asking
from unembed.geometry.model.asking import Question, answers
from unembed.geometry.model.language_model import model_of
from unembed.geometry.model.placing import placed

Saved = Callable[[str], Path]
PAIRS = [("king", "queen"), ("man", "woman"), ("sea", "fish"), ("dog", "cat"), ("horse", "pizza")]


@pytest.fixture
def head(saved_model: Saved) -> Head:
    return open_head(saved_model("llama"))


def composer(head: Head, pairs: list[tuple[str, str]]) -> Composer:
    made = PairSet("my_mate", "", tuple(Pair(base, target) for base, target in pairs))
    return composer_of(head, directions={"my_mate": made})


@pytest.fixture
def many(head: Head) -> Composer:
    """Give a composer whose direction has more pairs than a question has examples."""
    vocabulary = head.vocabulary
    words = [vocabulary.text(id_) for id_ in range(len(vocabulary))]
    known = [word for word in words if word and word.strip().isascii() and word.strip().isalpha()]
    names = list(dict.fromkeys(word.strip() for word in known))
    return composer(head, list(zip(names[::2], names[1::2], strict=False)))


def test_a_question_asks_in_the_way_of_its_examples(head: Head) -> None:
    question = Question("mate", (("king", "queen"), ("man", "woman")))
    assert question.text("sea") == "mate of king: queen\nmate of man: woman\nmate of sea:"
    model = model_of(head)
    (ids,) = question.tokens(model, ["sea"])
    assert model.tokenizer.decode(ids).endswith("mate of sea:")


def test_a_space_that_is_a_token_of_its_own_is_of_the_prompt(saved_model: Saved) -> None:
    head = open_head(saved_model("gemma"))
    model = model_of(head)
    for target in ("queen", "🐴"):
        (ids,) = Question("mate", (("king", target),)).tokens(model, ["sea"])
        whole = model.tokens_of(f"mate of king: {target}\nmate of sea: {target}")
        assert whole[: len(ids)] == ids


def test_answers_are_what_each_prompt_alone_gives(head: Head) -> None:
    question, names = Question("mate", (("king", "queen"),)), ["sea", "a horse", "dog"]
    held_NLD = answers(head, question, names, layers=(1, 2))
    model = model_of(head)
    for place, ids in enumerate(question.tokens(model, names)):
        alone_LD = model.run(ids).stack_LPD[1:, 0]
        np.testing.assert_allclose(held_NLD[place], alone_LD, atol=1e-5 * np.abs(alone_LD).max())
    assert answers(head, question, [], layers=(1,)).shape == (0, 1, head.rows.width)


def test_equal_and_single_names_leave_a_token_to_each(head: Head) -> None:
    question = Question("mate", (("king", "queen"),))
    (one_LD,) = answers(head, question, ["sea"], layers=(2,))
    first_LD, second_LD = answers(head, question, ["sea", "sea"], layers=(2,))
    np.testing.assert_allclose(first_LD, one_LD, atol=1e-5 * np.abs(one_LD).max())
    np.testing.assert_array_equal(first_LD, second_LD)


def test_answers_are_kept_by_text(head: Head, monkeypatch: pytest.MonkeyPatch) -> None:
    question = Question("mate", (("king", "queen"),))
    first = answers(head, question, ["sea"], layers=(2,))

    def never(_: object) -> None:
        raise AssertionError("the model was loaded again")

    monkeypatch.setattr(asking, "model_of", never)
    np.testing.assert_array_equal(answers(head, question, ["sea"], layers=(2,)), first)
    with pytest.raises(AssertionError, match="loaded again"):
        answers(head, question, ["dog"], layers=(2,))


def test_examples_are_left_out_of_the_pairs(many: Composer) -> None:
    sample = many.directions.sample("my_mate")
    question, rest = question_of("my_mate", sample)
    assert question.relation == "my mate"
    assert 1 <= len(question.examples) <= 8
    bases = [base for base, _ in question.examples]
    assert len(set(bases)) == len(bases)
    asked = {pair.target for pair in rest.used}
    assert not asked & {target for _, target in question.examples}
    assert len(rest.used) + len(question.examples) <= len(sample.used)
    assert rest.weights_N.sum() == pytest.approx(1.0)
    assert len(rest.bases_ND) == len(rest.targets_ND) == len(rest.base_ids) == len(rest.used)


def test_the_layer_is_the_one_that_answers_best(many: Composer) -> None:
    found = open_by_model(many, "my_mate")
    head, space, sample = many.head, many.space, found.sample
    _, firsts_Q = np.unique(sample.target_ids_N, return_index=True)
    names = [sample.used[place].base for place in firsts_Q]
    held_QLD = answers(head, found.question, names, layers=(1, 2))
    figures = []
    for place in range(2):
        placed_QD = placed(head, space, held_QLD[:, place])
        centred_QD = placed_QD - placed_QD.mean(axis=0)
        centred_QD /= np.linalg.norm(centred_QD, axis=1, keepdims=True)
        ranks_Q = ranks_among(centred_QD @ sample.targets_ND[firsts_Q].T)
        figures.append((1 / ranks_Q).mean())
    np.testing.assert_allclose(found.reciprocal_ranks_L, figures)
    assert found.layer == 1 + int(np.argmax(figures))
    answers_QD, outputs_QD = found(names)
    np.testing.assert_allclose(np.linalg.norm(answers_QD, axis=1), 1.0)
    assert head.final_norm is not None
    np.testing.assert_allclose(outputs_QD, head.final_norm(held_QLD[:, 1].astype(np.float64)))
    # Kept: the same once more.
    again = open_by_model(many, "my_mate")
    assert again.layer == found.layer
    np.testing.assert_array_equal(again.mean_D, found.mean_D)


def test_too_few_targets_are_refused(head: Head) -> None:
    with pytest.raises(UsageError, match="beside the examples that a model reads"):
        open_by_model(composer(head, PAIRS), "my_mate")


def test_answers_are_added_to_what_names_are_taken_to(many: Composer) -> None:
    found = open_by_model(many, "my_mate")
    _, firsts_Q = np.unique(found.sample.target_ids_N, return_index=True)
    names = [found.sample.used[place].base for place in firsts_Q]
    answers_QD, _ = found(names)
    for method in (Method(), Method(estimator="offset")):
        alone = retrieve_targets(many, found.sample, method)
        both = retrieve_targets(many, found.sample, method, answers_QD=answers_QD)
        assert np.abs(alone.scores_QC - both.scores_QC).max() > 1e-3
    plain = retrieve_targets(many, found.sample, Method(), answers_QD=answers_QD)
    bases_QD = joined(found.sample.bases_ND[firsts_Q], answers_QD)
    targets_CD = found.sample.targets_ND[firsts_Q]
    np.testing.assert_allclose(plain.scores_QC, bases_QD @ targets_CD.T, atol=1e-9)


def test_a_belief_is_the_softmax_of_the_output(head: Head) -> None:
    outputs_BD = 3 * np.random.default_rng(0).normal(size=(40, head.rows.width))
    region_N = np.array([3, 5, 200])
    logits_BV = head.logits(outputs_BD)
    chances_BV = np.exp(logits_BV - logits_BV.max(axis=1, keepdims=True))
    chances_BV /= chances_BV.sum(axis=1, keepdims=True)
    found = beliefs(head, outputs_BD, region_N)
    wanted_B = chances_BV[:, region_N].sum(axis=1)
    np.testing.assert_allclose([one.believed for one in found], wanted_B, rtol=1e-4)
    assert [one.written_id for one in found] == logits_BV.argmax(axis=1).tolist()
    assert found[0].written_token == head.vocabulary.token(found[0].written_id)


def test_an_audit_asks_the_model_too(many: Composer) -> None:
    head, own = many.head, {"my_mate": many.directions.given["my_mate"]}
    asked = {"region": "words", "direction": "my_mate", "directions": own}
    concepts = ["horse", "abab", "sea + horse", "sea +", "sea " * 200, "\ud800 sea"]
    alone = head.audit(concepts, **asked)  # type: ignore[arg-type]
    both = head.audit(concepts, with_model=True, **asked)  # type: ignore[arg-type]
    assert both.terms["model"]["prompt"].endswith("my mate of …:")
    assert alone.terms["model"] is None
    for one, other in zip(alone.findings, both.findings, strict=True):
        assert one.believed is None
        if other.verdict == "error":
            assert other.believed is None
            continue
        assert other.believed is not None
        assert 0 <= other.believed <= 1
        assert other.written_id is not None
        assert other.written_token == head.vocabulary.token(other.written_id)
        assert one.membership == other.membership
    scores = [[near.score for near in one.nearest] for one in (alone.findings[1], both.findings[1])]
    assert scores[0] != scores[1]
    # A token of the region is itself, whatever the model says.
    assert alone.findings[0].nearest == both.findings[0].nearest


def test_a_model_is_asked_for_a_region_by_examples(head: Head) -> None:
    with pytest.raises(UsageError, match="name the region too"):
        head.audit(["sea"], with_model=True)
    with pytest.raises(UsageError, match="none: name a direction with pairs"):
        head.audit(["sea"], region="words", with_model=True)


def test_without_transformers_an_extra_is_named(
    many: Composer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lacks(_: object) -> ByModel:
        raise MissingExtraError("running a model (transformers)", extra="lens")

    monkeypatch.setattr("unembed.geometry.evaluation.by_model.model_of", lacks)
    with pytest.raises(MissingExtraError, match="lens"):
        open_by_model(many, "my_mate")


def test_an_evaluation_goes_through_the_layers(head: Head) -> None:
    (found,) = head.evaluate(methods=["plain"], with_model=True)
    assert found.by_model is not None
    # This head has words, and too few emoji to ask for.
    assert (found.by_model.prompt, found.by_model.layer, found.by_model.emoji) == (None, None, {})
    assert [score.layer for score in found.by_model.layers] == [1, 2]
    for score in found.by_model.layers:
        assert score.emoji is None
        assert score.words is not None
        assert 0 < score.words.mrr <= 1
    rows = [row for row in found.figures() if row["part"] == "layer"]
    assert [row["of"] for row in rows] == ["words, layer 1", "words, layer 2"]
    assert found.to_dict()["by_model"]["layers"][0]["words"]["n"] == rows[0]["n"]
    (without,) = head.evaluate(methods=["plain"])
    assert without.by_model is None
    assert without.to_dict()["by_model"] is None


def test_a_prompt_is_text(head: Head) -> None:
    with pytest.raises(UsageError, match="bytes that are no text"):
        head.lens("sea \udcff horse")
