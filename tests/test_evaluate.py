"""The evaluation of a head: its contract, the best method that it keeps, what it refuses."""

import json
import math
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file
from unembed import open_head
from unembed.errors import MissingExtraError, UsageError
from unembed.geometry.concepts.pairs import built_in
from unembed.geometry.evaluation import evaluate as evaluate_module
from unembed.geometry.evaluation.evaluate import Evaluation
from unembed.geometry.evaluation.pieces import WEIGHTINGS
from unembed.geometry.evaluation.retrieval import retrieve
from unembed.geometry.head import Head
from unembed.geometry.method import Method, best_method

from .scored import EMOJI, HOSTILE, write_head

PLAIN = ["plain"]
RANKS = {"n": int, "top1": float, "top5": float, "mrr": float, "ci95": dict}
PRESENCE = {"n": int, "auroc": float, "average_precision": float, "ci95": dict}


@pytest.fixture
def head(tmp_path: Path) -> Head:
    return open_head(write_head(tmp_path / "head"))


@pytest.fixture(autouse=True)
def _without_gensim(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its thousands of questions would take most of the time, to no end on a tiny head."""
    monkeypatch.setattr("unembed.geometry.evaluation.analogies.find_spec", lambda _: None)


def write_questions(directory: Path) -> Path:
    path = directory / "questions.txt"
    lines = [": plural", "cat cats dog dogs", "dog dogs cat cats", ": none", "a b c d"]
    path.write_text("\n".join(lines))
    return path


@pytest.fixture
def questions(tmp_path: Path) -> Path:
    return write_questions(tmp_path)


@pytest.fixture(scope="module")
def evaluations(tmp_path_factory: pytest.TempPathFactory) -> list[Evaluation]:
    """Evaluate once for all who only look."""
    directory = tmp_path_factory.mktemp("evaluations")
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("XDG_CACHE_HOME", str(directory / "cache"))
        head = open_head(write_head(directory / "head"))
        methods = ["plain", "procrustes+csls"]
        return head.evaluate(methods=methods, questions=write_questions(directory))


def has(found: dict[str, Any], kinds: dict[str, Any]) -> bool:
    """Tell whether an object has exactly these keys, in this order, of these kinds."""
    return list(found) == list(kinds) and all(
        isinstance(found[key], kind) for key, kind in kinds.items()
    )


def numbers(value: Any) -> Iterator[float]:
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list | tuple):
        for part in value:
            yield from numbers(part)
    elif isinstance(value, float):
        yield value


def is_interval(ci95: dict[str, Any], figures: dict[str, Any]) -> bool:
    return all(
        0 <= low <= figures[name] + 1e-12 and figures[name] - 1e-12 <= high <= 1
        for name, (low, high) in ci95.items()
    )


def test_the_object_is_as_documented(evaluations: list[Evaluation]) -> None:
    for evaluation in evaluations:
        found = evaluation.to_dict()
        assert list(found) == [
            *("schema", "source", "space", "method", "best", "emoji_retrieval", "token_presence"),
            *("analogies", "pieces", "by_model", "directions", "skipped"),
        ]
        assert (found["schema"], found["source"], found["space"]) == (
            *(1, evaluation.source, "causal"),
        )
        for name, count in (("all", 12), ("one_word", 7)):
            retrieval, presence = found["emoji_retrieval"][name], found["token_presence"][name]
            assert has(retrieval, {**RANKS, "without_twins": dict})
            assert has(presence, {**PRESENCE, "without_twins": dict})
            assert has(retrieval["without_twins"], RANKS)
            assert has(presence["without_twins"], PRESENCE)
            for part in (retrieval, presence, *(p["without_twins"] for p in (retrieval, presence))):
                assert part["n"] == count
                assert list(part["ci95"]) == list(part)[1 : list(part).index("ci95")]
                assert is_interval(part["ci95"], part)
        assert (
            list(found["emoji_retrieval"])
            == list(found["token_presence"])
            == [
                *("all", "one_word"),
            ]
        )
        analogies = found["analogies"]
        assert {"covered", "total", "cosadd", "cosmul", "sections"} <= set(analogies)
        assert (analogies["covered"], analogies["total"]) == (2, 3)
        assert list(analogies["sections"]) == ["plural"]
        assert list(found["pieces"]) == ["n", *WEIGHTINGS]
        for name in WEIGHTINGS:
            assert has(
                found["pieces"][name],
                dict.fromkeys(("top1", "top5", "top100", "mrr", "median"), float) | {"ci95": list},
            )
        assert list(found["directions"]) == ["emoji", "plural"]
        for direction in found["directions"].values():
            assert list(direction) == [
                *("estimator", "region", "used", "ranks", "cosine", "unmoved", "unmoved_cosine"),
                *("control", "control_cosine", "unused"),
            ]
            for name in ("ranks", "unmoved", "control"):
                assert has(direction[name], RANKS)
                assert is_interval(direction[name]["ci95"], direction[name])
        assert found["directions"]["plural"]["used"] == 12
        assert found["directions"]["plural"]["unused"] == 44
        assert {*found["directions"], *found["skipped"]} == {"emoji", *built_in()}
        assert not set(found["directions"]) & set(found["skipped"])
        assert "0 of the 55 pairs of the direction 'past'" in found["skipped"]["past"]
        text = json.dumps(found, allow_nan=False, ensure_ascii=False)
        again = json.loads(text)
        assert json.dumps(again, ensure_ascii=False) == text
        assert all(math.isfinite(number) for number in numbers(again))
    assert [found.method for found in evaluations] == ["plain", "procrustes+csls"]
    assert sum(found.best for found in evaluations) == 1


def test_the_groups_are_of_the_retrieval(head: Head) -> None:
    (found,) = head.evaluate(methods=["offset"], spaces=["cosine"])
    retrieval = retrieve(head, "cosine", Method(estimator="offset"))
    assert retrieval is not None
    for name, chosen_Q in (
        ("all", retrieval.one_word_Q | True),
        ("one_word", retrieval.one_word_Q),
    ):
        group = found.emoji[name]
        for twins, ranks, presence in (
            (True, group.retrieval, group.presence),
            (False, group.without_twins, group.presence_without_twins),
        ):
            ranks_Q = retrieval.ranks(twins=twins)[chosen_Q]
            assert ranks.top1 == (ranks_Q == 1).mean()
            assert ranks.mrr == pytest.approx((1 / ranks_Q).mean())
            present, absent = (
                retrieval.margins(removed=removed, twins=twins)[chosen_Q]
                for removed in (False, True)
            )
            higher = [
                (1.0 if one > other else 0.5 if one == other else 0.0)
                for one in present
                for other in absent
            ]
            assert presence.auroc == pytest.approx(sum(higher) / len(higher))


def test_every_figure_is_a_row(evaluations: list[Evaluation]) -> None:
    found = evaluations[0]
    rows, wanted = found.figures(), found.to_dict()
    for row in rows:
        assert list(row) == ["part", "of", "figure", "n", "value", "low", "high"]
        assert row["low"] <= row["value"] + 1e-12
        assert row["value"] <= row["high"] + 1e-12
        assert row["n"] > 0
    keys = [(row["part"], row["of"], row["figure"]) for row in rows]
    assert len(set(keys)) == len(keys)
    assert {row["part"] for row in rows} == {
        *("emoji", "presence", "analogies", "pieces", "direction"),
    }
    values = {key: row["value"] for key, row in zip(keys, rows, strict=True)}
    retrieval = wanted["emoji_retrieval"]
    assert values["emoji", "all", "mrr"] == retrieval["all"]["mrr"]
    assert (
        values["emoji", "one word, no twins", "top1"]
        == (retrieval["one_word"]["without_twins"]["top1"])
    )
    assert values["presence", "one word", "auroc"] == wanted["token_presence"]["one_word"]["auroc"]
    assert values["analogies", "all", "cosadd"] == wanted["analogies"]["cosadd"]["accuracy"]
    assert values["pieces", "rarity", "mrr"] == wanted["pieces"]["rarity"]["mrr"]
    assert values["direction", "plural", "mrr"] == wanted["directions"]["plural"]["ranks"]["mrr"]
    for of, name in (("no direction", "unmoved"), ("random pairs", "control")):
        figure = wanted["directions"]["plural"][name]["mrr"]
        assert values["direction", f"plural: {of}", "mrr"] == figure


def test_figures_are_tables_too(evaluations: list[Evaluation]) -> None:
    found = evaluations[0]
    frame, table = found.to_pandas(), found.to_arrow()
    assert frame.to_dict("records") == found.figures() == table.to_pylist()
    assert repr(found) == f"Evaluation({found.source}, causal, plain)"


def test_a_missing_library_is_one_line(
    evaluations: list[Evaluation], monkeypatch: pytest.MonkeyPatch
) -> None:
    found = evaluations[0]
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'unembed\[tables\]'"):
        found.to_pandas()


def test_a_notebook_is_shown_no_script(evaluations: list[Evaluation]) -> None:
    found = evaluations[0]
    hostile = replace(found, source=HOSTILE, directions={HOSTILE: found.directions["plural"]})
    html = hostile._repr_html_()
    assert "<script" not in html
    assert html.count("&lt;script&gt;") >= 3
    assert html.count("<tr>") == 1 + len(hostile.figures())


def test_the_best_is_kept_and_used(head: Head, monkeypatch: pytest.MonkeyPatch) -> None:
    query = "hot dog"
    with pytest.raises(UsageError, match="not been evaluated in the space causal"):
        head.nearest("dog", method="best")
    monkeypatch.setattr(evaluate_module, "_best", lambda *_: 1)
    found = head.evaluate(methods=["plain", "mean+csls"])
    assert [each.best for each in found] == [False, True]
    assert best_method(head, "causal") == Method("mean", csls=True)
    answer = head.nearest([(query, 1)], method="best")
    assert answer.score == "csls"
    assert answer == head.nearest([(query, 1)], pieces="mean", score="csls")
    assert open_head(Path(head.source)).nearest([(query, 1)], method="best") == answer
    with pytest.raises(UsageError, match=r"in the space cosine, .* --spaces cosine"):
        head.nearest("dog", space="cosine", method="best")


def test_the_best_is_that_with_the_highest_figure(
    head: Head, monkeypatch: pytest.MonkeyPatch
) -> None:
    methods = ["last", "plain", "mean", "procrustes+csls"]
    few = head.evaluate(methods=methods)
    pieces = few[0].pieces
    assert pieces is not None  # twelve emoji are too few to choose by
    figures = [pieces.weightings[Method.parse(method).pieces].mrr for method in methods]
    assert [found.best for found in few].index(True) == figures.index(max(figures))
    monkeypatch.setattr(evaluate_module, "_ENOUGH", 12)
    many = head.evaluate(methods=methods)
    figures = [found.emoji["all"].retrieval.mrr for found in many]
    assert [found.best for found in many].index(True) == figures.index(max(figures))
    chosen = methods[figures.index(max(figures))]
    assert best_method(head, "causal") == Method.parse(chosen)


def test_of_one_method_none_is_best(head: Head) -> None:
    (found,) = head.evaluate(methods=["csls"])
    assert not found.best
    with pytest.raises(UsageError, match="has not been evaluated in the space causal"):
        head.nearest("dog", method="best")


BOTH = ["csls", "last+ridge"]  # what is made of the last piece is far from the word


def test_spaces_keep_their_own(head: Head, monkeypatch: pytest.MonkeyPatch) -> None:
    head.evaluate(spaces=["cosine", "centred"], methods=BOTH)
    monkeypatch.setattr(evaluate_module, "_best", lambda *_: 1)
    head.evaluate(spaces=["centred"], methods=BOTH)
    assert best_method(head, "cosine") == Method(csls=True)
    assert best_method(head, "centred") == Method("last", "ridge")
    with pytest.raises(UsageError, match="has not been evaluated in the space causal"):
        best_method(head, "causal")


@pytest.mark.parametrize("written", ["causal:0.10", "causal:1e-1", "causal:0.1"])
def test_a_shrinkage_may_be_written_in_several_ways(head: Head, written: str) -> None:
    found = head.evaluate(spaces=[written], methods=BOTH)
    assert found[0].space == "causal:0.1"
    for space in (written, "causal:0.100"):
        assert head.nearest("dog", space=space, method="best").score == "csls"


def test_a_damaged_best_asks_for_another_evaluation(head: Head, tmp_path: Path) -> None:
    head.evaluate(methods=BOTH)
    (entry,) = (tmp_path / "cache" / "unembed" / "derived").glob("*/best-method*")
    entry.write_bytes(entry.read_bytes()[:-3])
    with pytest.raises(UsageError, match="run: unembed evaluate"):
        head.nearest("dog", method="best")
    head.evaluate(methods=BOTH)
    assert head.nearest("dog", method="best").score == "csls"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"spaces": []}, "0 spaces and 2 methods; give 1 to 100 of both together"),
        ({"methods": []}, "1 spaces and 0 methods"),
        ({"methods": PLAIN * 101}, "1 spaces and 101 methods"),
        ({"spaces": ["cosine"] * 26, "methods": PLAIN * 4}, "26 spaces and 4 methods"),
        ({"methods": ["plain", "best"]}, "unknown method 'best'"),
        ({"methods": ["plain", ""]}, "unknown method ''"),
        ({"spaces": ["cosine", "round"]}, "unknown space 'round'; the spaces are logit"),
        ({"spaces": ["cosine", "cosine:0.1"]}, "only causal takes a shrinkage"),
        ({"spaces": "cosine"}, r"spaces is the one text 'cosine'; give a list: \['cosine'\]"),
        ({"methods": "csls"}, r"methods is the one text 'csls'; give a list: \['csls'\]"),
        ({"questions": "nowhere.txt"}, "nowhere.txt: there is no such file of analogies"),
    ],
)
def test_what_is_wrong_is_said_before_long_work(
    head: Head, options: dict[str, Any], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*given: object, **options: object) -> None:
        raise AssertionError("measured first")

    for name in ("complete", "recover", "judge", "retrieve", "keep_best"):
        monkeypatch.setattr(evaluate_module, name, never)
    with pytest.raises(UsageError, match=message):
        head.evaluate(**options)


def test_the_same_twice(tmp_path: Path, questions: Path) -> None:
    directory = write_head(tmp_path / "head")
    one, other = (
        [
            json.dumps(found.to_dict())
            for found in open_head(directory).evaluate(
                spaces=["causal", "logit"], methods=["ridge+csls", "category"], questions=questions
            )
        ]
        for _ in range(2)
    )
    assert one == other
    assert len(one) == 4


@pytest.mark.parametrize(
    ("emoji", "words", "directions"),
    [
        ([], True, ["plural"]),
        (EMOJI[:2], True, ["plural"]),
        (EMOJI, False, ["emoji"]),
        ([], False, []),
    ],
    ids=["no emoji", "two emoji", "no words", "nothing"],
)
def test_what_a_head_lacks_is_left_out(
    tmp_path: Path, questions: Path, emoji: list[str], words: bool, directions: list[str]
) -> None:
    head = open_head(write_head(tmp_path / "head", emoji=emoji, words=words))
    plain, turned = head.evaluate(methods=["plain", "procrustes+csls"], questions=questions)
    assert set(plain.emoji) == ({"all", "one_word"} if len(emoji) > 3 else set())
    assert set(turned.emoji) == ({"all", "one_word"} if len(emoji) > 3 and words else set())
    assert (plain.pieces is not None) == words
    assert plain.analogies is not None
    assert plain.analogies.covered == 2 * words
    assert list(plain.directions) == directions
    for found in (plain, turned):
        json.dumps(found.to_dict(), allow_nan=False)
        assert found.to_pandas().shape[0] == len(found.figures())
        assert found._repr_html_().count("<table>") == 1
    assert (plain.best or turned.best) == words  # without words there is nothing to choose by


def test_without_questions_there_are_no_analogies(head: Head) -> None:
    (found,) = head.evaluate(methods=PLAIN)
    assert found.analogies is None
    assert found.to_dict()["analogies"] is None
    assert "analogies" not in {row["part"] for row in found.figures()}


@pytest.mark.parametrize("space", ["logit", "cosine", "centred", "causal"])
@pytest.mark.parametrize("what", ["an emoji of zero", "a word of zero", "equal emoji"])
def test_odd_rows_are_no_crash(tmp_path: Path, space: str, what: str) -> None:
    path = write_head(tmp_path / "odd") / "model.safetensors"
    vocabulary = open_head(path.parent).vocabulary
    rows = load_file(path)
    rows_VD = rows["model.embed_tokens.weight"]
    emoji = [vocabulary.id_of(text) for text in EMOJI]
    if what == "equal emoji":
        rows_VD[emoji] = rows_VD[emoji[0]]
    else:
        rows_VD[vocabulary.id_of(EMOJI[3] if "emoji" in what else " cat")] = 0.0
    save_file(rows, path)
    methods = ["plain", "category+csls", "procrustes+csls"]
    evaluations = open_head(path.parent).evaluate(spaces=[space], methods=methods)
    for found in evaluations:
        json.dumps(found.to_dict(), allow_nan=False)
    if what == "equal emoji":  # by the lower id
        mean = sum(1 / rank for rank in range(1, len(EMOJI) + 1)) / len(EMOJI)
        assert evaluations[0].emoji["all"].retrieval.mrr == pytest.approx(mean)


def test_progress_is_told(head: Head) -> None:
    steps: list[str] = []

    def told(step: str, done: int, total: int) -> None:
        assert 0 <= done <= total
        steps.append(step)

    head.evaluate(methods=["offset"], progress=told)
    assert {"judging plural", "judging emoji", "asking for emoji: offset"} <= set(steps)
    assert np.isin("ranking words by the rarity of their pieces", steps)
