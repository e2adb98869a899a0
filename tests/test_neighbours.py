"""near: the answer, its values, its edges."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import unembed
from unembed import nearest, open_head
from unembed.errors import ExpressionError, UsageError
from unembed.geometry.region import region_ids

Make = Callable[..., Path]
FAMILIES = ["byte_level", "sentencepiece", "unigram", "wordpiece"]


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("space", ["logit", "cosine"])
def test_an_answer_is_the_sorted_scores_of_all_other_tokens(
    make_checkpoint: Make, family: str, space: str
) -> None:
    head = open_head(make_checkpoint(family))
    rows = head.rows.decode(slice(None))
    ids = [head.vocabulary.id_of(f" {word}") for word in ("king", "man", "woman")]
    if space == "cosine":
        rows = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    vector = rows[ids[0]] - rows[ids[1]] + rows[ids[2]]
    scores = rows @ (vector / np.linalg.norm(vector))
    wanted = [id_ for id_ in np.argsort(-scores) if id_ not in ids and head.vocabulary.known_V[id_]]
    answer = nearest(head, "king - man + woman", space=space, top=head.rows.count)
    assert [near.id for near in answer.neighbours] == wanted
    assert [near.rank for near in answer.neighbours] == list(range(1, len(wanted) + 1))
    np.testing.assert_allclose(
        [near.score for near in answer.neighbours], scores[wanted], rtol=1e-10, atol=1e-12
    )
    assert [name.token_ids for name in answer.resolved] == [(id_,) for id_ in ids]


@pytest.mark.parametrize("family", FAMILIES)
def test_the_planted_analogy_is_found(make_checkpoint: Make, family: str) -> None:
    answer = nearest(open_head(make_checkpoint(family)), "king - man + woman", space="logit")
    assert answer.neighbours[0].text == " queen"


def test_the_emoji_region_is_whole_emoji_with_or_without_a_space(make_checkpoint: Make) -> None:
    head = open_head(make_checkpoint("sentencepiece"))
    texts = [head.vocabulary.text(int(id_)) for id_ in region_ids(head, "emoji")]
    assert texts == ["🐴", "🐟", "🐶", "❤️", "👩‍🚀", " 🐴"]
    answer = nearest(head, "sea + horse", region="emoji", top=100)
    assert {near.text for near in answer.neighbours} == set(texts)


def test_names_of_the_question_are_left_out_in_a_region_too(make_checkpoint: Make) -> None:
    head = open_head(make_checkpoint("sentencepiece"))
    answer = nearest(head, "🐟 + sea", region="emoji", top=100)
    assert "🐟" not in [near.text for near in answer.neighbours]
    assert len(answer.neighbours) == 5


def test_a_leading_space_comes_first_then_the_bare_form(make_checkpoint: Make) -> None:
    head = open_head(make_checkpoint("sentencepiece"))
    answer = nearest(head, "horse + 🐴 + 🐟")
    assert [(name.tokens, name.method) for name in answer.resolved] == [
        (("▁horse",), "leading_space"),
        (("▁🐴",), "leading_space"),
        (("🐟",), "bare"),
    ]


@pytest.mark.parametrize(
    ("expression", "options", "message"),
    [
        ("king - seahorse", {}, "'seahorse' is not one token of this head"),
        ("king - king", {}, "the sum comes out at zero"),
        ("king + sea - king - sea", {"space": "logit"}, "the sum comes out at zero"),
        ("king", {"space": "round"}, "unknown space 'round'; the spaces are logit, cosine"),
        ("king", {"region": "moon"}, "unknown region 'moon'; the regions are emoji"),
        ("king", {"top": 0}, "top is 0; it must be at least 1"),
        ("king", {"top": -5}, "top is -5; it must be at least 1"),
    ],
)
def test_a_wrong_call_says_what_is_wrong(
    make_checkpoint: Make, expression: str, options: dict[str, object], message: str
) -> None:
    head = open_head(make_checkpoint())
    with pytest.raises(UsageError, match=message):
        nearest(head, expression, **options)  # type: ignore[arg-type]


def test_an_unknown_name_is_pointed_at(make_checkpoint: Make) -> None:
    with pytest.raises(ExpressionError) as caught:
        nearest(open_head(make_checkpoint()), "king - seahorse")
    assert caught.value.column == 8


def test_a_head_without_emoji_says_so(make_checkpoint: Make) -> None:
    directory = make_checkpoint("unigram")
    path = directory / "tokenizer.json"
    path.write_text(path.read_text().replace("🐴", "hh"))
    with pytest.raises(UsageError, match=r"no token of .* is in the region 'emoji'"):
        nearest(open_head(directory), "king", region="emoji")


def test_rows_without_a_token_never_come(make_checkpoint: Make) -> None:
    head = open_head(make_checkpoint(padding=50))
    answer = nearest(head, "king", top=10**9)
    assert len(answer.neighbours) == head.rows.count - 50 - 1
    assert all(head.vocabulary.known_V[near.id] for near in answer.neighbours)


def test_values_convert(make_checkpoint: Make) -> None:
    answer = nearest(open_head(make_checkpoint()), "king - man", top=4)
    assert json.loads(json.dumps(answer.to_dict()))["schema"] == 1
    assert list(answer.to_dict()) == [
        "schema",
        "source",
        "expression",
        "space",
        "region",
        "resolved",
        "neighbours",
    ]
    frame, table = answer.to_pandas(), answer.to_arrow()
    assert list(frame.columns) == table.column_names == ["rank", "id", "token", "text", "score"]
    assert (
        frame.score.tolist() == table["score"].to_pylist() == [n.score for n in answer.neighbours]
    )
    with pytest.raises(AttributeError):
        answer.space = "logit"  # type: ignore[misc]


def test_html_escapes_every_token(make_checkpoint: Make) -> None:
    head = open_head(make_checkpoint("sentencepiece"))
    page = nearest(head, "king", top=head.rows.count // 2 + 140)._repr_html_()
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "<script>" not in page
    assert "\x1b" not in page
    assert "\u202e" not in page


def test_the_same_question_has_the_same_bytes(make_checkpoint: Make) -> None:
    directory = make_checkpoint()
    first, second = (
        json.dumps(nearest(open_head(directory), "sea + horse").to_dict()) for _ in range(2)
    )
    assert first == second


@pytest.mark.parametrize("library", ["pandas", "pyarrow"])
def test_a_missing_library_is_one_line(
    make_checkpoint: Make, library: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    import sys

    answer = nearest(open_head(make_checkpoint()), "king")
    monkeypatch.setitem(sys.modules, library, None)
    convert = answer.to_pandas if library == "pandas" else answer.to_arrow
    with pytest.raises(unembed.errors.MissingExtraError, match=r"pip install 'unembed\[tables\]'"):
        convert()
