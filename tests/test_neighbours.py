"""near: who is in the answer, its values, its edges."""

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import unembed
from gensim.models import KeyedVectors
from unembed import open_head
from unembed.errors import ExpressionError, UsageError

from .helpers import ids

Make = Callable[..., Path]
FAMILIES = ["byte_level", "sentencepiece", "unigram", "wordpiece"]
SPACES = ["logit", "cosine", "centred", "causal"]


@pytest.mark.parametrize("family", FAMILIES)
def test_the_planted_analogy_is_found(make_checkpoint: Make, family: str) -> None:
    head = open_head(make_checkpoint(family))
    answer = head.nearest("king - man + woman", space="logit")
    assert answer.neighbours[0].text == " queen"


def test_equal_scores_come_by_the_lower_id(make_checkpoint: Make) -> None:
    rows = torch.randn(290, 16, generator=torch.Generator().manual_seed(1)).bfloat16()
    rows[100:120] = rows[50]
    head = open_head(make_checkpoint(tensors={"model.embed_tokens.weight": rows}))
    for space in SPACES:
        answer = head.nearest("#50", space=space, keep_inputs=True, track=["#119", "#50"])
        first = [near.id for near in answer.neighbours[:10]]
        if space != "logit":
            assert first == [50, *range(100, 109)]
            assert [near.rank for near in answer.tracked] == [21, 1]
        equal = {near.score for near in answer.neighbours if near.id in {50, *range(100, 120)}}
        assert len(equal) == 1


@pytest.mark.parametrize("region", [None, "emoji", r".", [40, 41, 42]])
def test_what_is_left_out_is_what_was_resolved(make_checkpoint: Make, region: object) -> None:
    head = open_head(make_checkpoint("byte_level"))
    asked = '🐴 + sea - "seahorse" + #41'
    options: dict[str, Any] = {"region": region, "top": 10**6}
    found, kept = head.nearest(asked, **options), head.nearest(asked, keep_inputs=True, **options)
    named = {id_ for name in found.resolved for id_ in name.token_ids}
    assert len(named) > 5
    assert set(ids(kept)) - set(ids(found)) == named & set(ids(kept))
    assert not named & set(ids(found))


def test_a_region_may_hold_only_what_is_left_out(make_checkpoint: Make) -> None:
    head = open_head(make_checkpoint())
    answer = head.nearest("#270 + #271", region=[270, 271], track=["king", "#270"])
    assert answer.neighbours == ()
    assert [near.rank for near in answer.tracked] == [1, 1]


def test_padding_never_comes(make_checkpoint: Make) -> None:
    head = open_head(make_checkpoint(padding=50))
    beyond = head.rows.decode(np.array([head.rows.count - 1]))[0]
    for space in SPACES:
        answer = head.nearest(beyond, space=space, top=10**9)
        assert len(answer.neighbours) == head.rows.count - 50
        assert head.vocabulary.known_V[[*ids(answer), answer.snap.id]].all()
    padding = f"#{head.rows.count - 1}"
    with pytest.raises(ExpressionError, match=f"there is no token {padding}"):
        head.nearest(padding)
    with pytest.raises(ExpressionError, match=f"there is no token {padding}"):
        head.nearest("king", track=[padding])
    assert head.nearest("king", region=[0, head.rows.count - 1], top=5).neighbours[0].id == 0


def test_several_queries_are_answered_as_one_each(make_checkpoint: Make) -> None:
    head = open_head(make_checkpoint())
    queries = ["sea", "king - man", head.concept("🐴"), np.ones(16), [("sea", 1), (7, -2)]]
    together = head.nearest_each(queries * 60, top=3)  # type: ignore[operator]
    assert len(together) == 300
    assert [answer.expression for answer in together[:3]] == ["sea", "king - man", "🐴"]
    for place, query in enumerate(queries):
        alone = head.nearest(query, top=3)  # type: ignore[arg-type]
        assert replace(together[place], expression="") == replace(alone, expression="")
    assert head.nearest_each([]) == []


def test_the_candidates_of_many_queries_stay_few(
    make_checkpoint: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    from unembed.geometry import neighbours, search

    passes, propose = [], search.exact.propose

    def spied(index: Any, queries: Any, k: int, **options: Any) -> Any:
        passes.append(len(queries))
        return propose(index, queries, k, **options)

    monkeypatch.setattr(search.exact, "propose", spied)
    head = open_head(make_checkpoint())
    wanted = head.nearest_each(["sea", "king"] * 150, top=20)
    assert passes == [256, 44]
    monkeypatch.setattr(neighbours, "_CANDIDATES", 4000)
    passes.clear()
    assert head.nearest_each(["sea", "king"] * 150, top=20) == wanted
    assert passes == [100, 100, 100]


@pytest.mark.parametrize("family", FAMILIES)
def test_the_answer_is_gensims(make_checkpoint: Make, family: str) -> None:
    head = open_head(make_checkpoint(family, dtype="F32", padding=0))
    vectors = KeyedVectors(16)
    keys = [f"#{id_}" for id_ in range(head.rows.count)]
    vectors.add_vectors(keys, head.rows.decode(slice(None)).astype(np.float32))
    name = {word: head.vocabulary.id_of(f" {word}") for word in ("king", "man", "sea")}
    positive = [(f"#{name['king']}", 1.0), (f"#{name['sea']}", 0.5)]
    wanted = vectors.most_similar(positive=positive, negative=[f"#{name['man']}"], topn=10)
    found = head.nearest([("king", 1.0), ("sea", 0.5), ("man", -1.0)], space="cosine")
    assert [f"#{near.id}" for near in found.neighbours] == [key for key, _ in wanted]
    np.testing.assert_allclose(
        [near.score for near in found.neighbours], [score for _, score in wanted], atol=1e-5
    )


@pytest.mark.parametrize("score", ["csls", "cosmul"])
def test_a_score_does_not_depend_on_what_is_asked_beside_it(
    make_checkpoint: Make, score: str
) -> None:
    head = open_head(make_checkpoint())
    queries = ["sea", "king - man", "king + woman - #40"]
    together = head.nearest_each(queries, top=7, score=score, track=["sea", "#270"])
    for query, answer in zip(queries, together, strict=True):
        assert answer.score == score
        assert head.nearest(query, top=7, score=score, track=["sea", "#270"]) == answer
    assert head.nearest("king", region=[270], score=score, top=3).neighbours[0].id == 270
    nothing = head.nearest("#270 + #271", region=[270, 271], score=score, track=["king"])
    assert (nothing.neighbours, nothing.tracked[0].rank) == ((), 1)


@pytest.mark.parametrize(
    ("query", "options", "message"),
    [
        ("king - king", {}, "it comes out at zero, which has no direction"),
        ("king + sea - king - sea", {"space": "logit"}, "it comes out at zero"),
        ("0*king", {}, "it comes out at zero"),
        ("king", {"space": "round"}, "unknown space 'round'; the spaces are logit, cosine"),
        ("king", {"score": "l2"}, "unknown score 'l2'; the scores are cosine, dot, csls"),
        ("king", {"pieces": "max"}, "unknown pieces 'max'; they are rarity, mean, sum, first"),
        ([("king", 1)], {"pieces": "max"}, "unknown pieces 'max'"),
        ("king", {"top": 0}, "top is 0; it must be at least 1"),
        ("king", {"top": -5000}, "top is -5,000; it must be at least 1"),
        ("king", {"fold_norm": True}, "has no final norm that could be folded"),
        ("king", {"residual_norm": 0.0}, r"the residual norm is 0\.0; it must be above zero"),
        ("king", {"residual_norm": float("nan")}, "the residual norm is nan"),
        ("king", {"residual_norm": 1e300}, r"residual norm is 1e\+300; .* 0.001 to 1e\+09"),
        ("king", {"residual_norm": 1.0, "temperature": 0.0}, r"the temperature is 0\.0"),
        ("king", {"track": "sea"}, r"track is the one text 'sea'; give a list: \['sea'\]"),
        ("king", {"track": ["sea + king"]}, "'sea \\+ king' is an expression; follow one token"),
        ("king", {"track": ['"abab"']}, "is 5 tokens of this head; follow one of them"),
        (np.ones(15), {}, r"vector 1 has shape \(15,\); the head takes \(16,\)"),
        (np.ones((2, 16)), {}, "vector 1 is 2 vectors; ask with each of them"),
        (np.full(16, np.nan), {}, "vector 1 holds NaN or infinity"),
        (np.zeros(16), {}, "vector 1 is zero, which has no direction"),
        (np.full(16, 1e200), {}, r"vector 1 has a value of 1e\+200"),
        (np.full(16, 1e-200), {}, "vector 1 has a value of 1e-200"),
        (np.full(16, 1e60), {}, "those of a softmax may come to"),
        (["king", "man"], {}, "vector 1 is not an array of real numbers"),
        ({"king": 1}, {}, "vector 1 is not an array of real numbers"),
        (None, {}, "vector 1"),
    ],
)
def test_a_wrong_call_says_what_is_wrong(
    make_checkpoint: Make, query: Any, options: dict[str, Any], message: str
) -> None:
    head = open_head(make_checkpoint())
    with pytest.raises(UsageError, match=message):
        head.nearest(query, **options)


def test_one_text_is_not_several_queries(make_checkpoint: Make) -> None:
    with pytest.raises(UsageError, match=r"queries is the one text 'sea'; give a list: \['sea'\]"):
        open_head(make_checkpoint()).nearest_each("sea")


def test_long_and_short_residuals_find_the_same(make_checkpoint: Make) -> None:
    head, residual = open_head(make_checkpoint()), np.arange(1.0, 17.0)
    for space in SPACES:
        wanted = ids(head.nearest(residual, space=space))
        for scale in (1e-80, 1e-30, 1e5):
            assert ids(head.nearest(residual * scale, space=space)) == wanted


def test_values_convert(make_checkpoint: Make) -> None:
    answer = open_head(make_checkpoint()).nearest("king - man", top=4, track=["sea"])
    content = json.loads(json.dumps(answer.to_dict()))
    assert content["schema"] == 1
    assert list(content) == [
        *("schema", "source", "expression", "space", "score", "region", "index"),
        *("resolved", "neighbours", "snap", "tracked"),
    ]
    columns = ["rank", "id", "token", "text", "score", "logit", "probability"]
    frame, table = answer.to_pandas(), answer.to_arrow()
    assert list(frame.columns) == table.column_names == columns
    assert (
        frame.score.tolist() == table["score"].to_pylist() == [n.score for n in answer.neighbours]
    )
    with pytest.raises(AttributeError):
        answer.space = "logit"  # type: ignore[misc]


def test_html_escapes_every_token(make_checkpoint: Make) -> None:
    head = open_head(make_checkpoint("sentencepiece"))
    page = head.nearest("king", top=head.rows.count, region="(?s).")._repr_html_()
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "<script>" not in page
    assert "\x1b" not in page
    assert "\u202e" not in page


def test_the_same_question_has_the_same_bytes(make_checkpoint: Make) -> None:
    directory = make_checkpoint("byte_level")
    code = (
        "import json, sys, unembed\n"
        "head = unembed.open_head(sys.argv[1])\n"
        "for space in ('logit', 'cosine', 'centred', 'causal'):\n"
        "    answer = head.nearest('sea + seahorse', space=space, top=300, residual_norm=2.0)\n"
        "    print(json.dumps(answer.to_dict()))\n"
    )
    cold, warm = (
        subprocess.run([sys.executable, "-c", code, directory], capture_output=True, check=True)
        for _ in range(2)
    )
    assert cold.stdout == warm.stdout
    assert cold.stdout.count(b"\n") == 4


def test_a_missing_library_is_one_line(
    make_checkpoint: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = open_head(make_checkpoint()).nearest("king")
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(unembed.errors.MissingExtraError, match=r"pip install 'unembed\[tables\]'"):
        answer.to_pandas()
