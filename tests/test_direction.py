"""Directions: what they are learned from, how they are applied, kept and refused."""

import logging
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from unembed import Head, open_head
from unembed.errors import ExpressionError, UsageError
from unembed.geometry.concepts.compose import composer_of
from unembed.geometry.concepts.direction import Directions
from unembed.geometry.concepts.estimators import ESTIMATORS
from unembed.geometry.concepts.pairs import Pair, PairSet, built_in, names
from unembed.geometry.concepts.sample import Unused, sample_of
from unembed.geometry.space import open_space

from .scored import PLURALS, write_head

Make = Callable[..., Path]
SPACES = ["logit", "cosine", "centred", "causal"]
SHARED = Pair("man", "queen")  # its target is there twice
UP = PairSet(
    "up",
    "",
    (Pair("king", "queen"), SHARED, Pair("sea", "fish"), Pair("dog cat", "🐶"), Pair("🐴", "#")),
)
GIVEN = {"up": UP}


@pytest.fixture
def head(make_checkpoint: Make) -> Head:
    return open_head(make_checkpoint())


def known(head: Head, **options: Any) -> Directions:
    return composer_of(head, **({"directions": GIVEN} | options)).directions


def unit(vector: Any) -> Any:
    return vector / np.linalg.norm(vector)


@pytest.mark.parametrize("pieces", ["rarity", "first"])
@pytest.mark.parametrize("space", SPACES)
def test_a_sample_has_the_vectors_of_names_and_of_tokens(
    head: Head, space: str, pieces: str
) -> None:
    geometry = open_space(head, space)
    sample = sample_of(head, geometry, UP, pieces=pieces)
    assert (sample.used, sample.unused) == (UP.pairs, ())
    for base, ids, pair in zip(sample.bases_ND, sample.base_ids, UP.pairs, strict=True):
        concept = head.concept(f'"{pair.base}"', space=space, pieces=pieces)
        np.testing.assert_allclose(base, concept.vector_D, atol=1e-12)
        assert ids == concept.resolved[0].token_ids
    targets = [head.vocabulary.text(int(id_)) for id_ in sample.target_ids_N]
    assert targets == [" queen", " queen", " fish", "🐶", "#"]
    places = geometry.place(head.rows.decode(sample.target_ids_N))
    wanted = places if space == "logit" else np.array([unit(place) for place in places])
    np.testing.assert_allclose(sample.targets_ND, wanted, atol=1e-12)


def test_each_target_counts_once(head: Head) -> None:
    sample = sample_of(head, open_space(head), UP)
    np.testing.assert_allclose(sample.weights_N, [1 / 8, 1 / 8, 1 / 4, 1 / 4, 1 / 4], atol=1e-15)
    chosen = np.array([False, True, True, True, True])
    weights = sample.weights_N[chosen] / sample.weights_N[chosen].sum()
    wanted = ESTIMATORS["ridge"](sample.bases_ND[chosen], sample.targets_ND[chosen], weights)
    found = sample.fit("ridge", chosen)
    assert found.map_DD is not None
    np.testing.assert_array_equal(found.map_DD, wanted.map_DD)
    np.testing.assert_array_equal(found.target_D, wanted.target_D)


def test_pairs_without_tokens_are_left_out_and_say_why(make_checkpoint: Make) -> None:
    head = open_head(make_checkpoint())
    wrong = [
        (Pair("sea", "seahorse"), "the target 'seahorse' is 9 tokens"),
        (Pair("x" * 64, "queen"), "the base is 65 tokens, more than 64"),
        (Pair("\ud800", "queen"), r"'\ud800' is not written with the tokens of this vocabulary"),
    ]
    pairs = (*(pair for pair, _ in wrong), *UP.pairs, Pair("x" * 63, "cat"))
    sample = sample_of(head, open_space(head), PairSet("up", "", pairs))
    assert sample.unused == tuple(Unused(*each) for each in wrong)
    assert sample.used == pairs[3:]
    assert len(sample.base_ids[-1]) == 64
    other = open_head(make_checkpoint("unigram"))
    pairs = (Pair("東京", "queen"), Pair("queen", "東京"), Pair("sea", "fish"), Pair("...", "cat"))
    found = sample_of(other, open_space(other), PairSet("up", "", pairs))
    assert [unused.pair for unused in found.unused] == [pairs[0], pairs[1], pairs[3]]
    assert {unused.why.partition("' ")[2] for unused in found.unused} == {
        "is not written with the tokens of this vocabulary"
    }
    none = sample_of(other, open_space(other), PairSet("up", "", pairs[:2]))
    assert (none.bases_ND.shape, none.targets_ND.shape) == ((0, 16), (0, 16))


def test_a_target_may_be_given_by_its_id(head: Head) -> None:
    fish = head.vocabulary.id_of(" fish") or 0
    pairs = PairSet("up", "", (Pair("sea", "no such token", fish),))
    assert sample_of(head, open_space(head), pairs).target_ids_N.tolist() == [fish]


def test_too_few_pairs_are_refused(head: Head) -> None:
    few = PairSet("few", "", (Pair("king", "no token"), *UP.pairs[:3]))
    none = PairSet("none", "", UP.pairs[:1])
    for pairs, message in (
        (
            few,
            "tokens for 3 of the 4 pairs of the direction 'few'; it takes at least 4 (of 'king' ",
        ),
        (none, "has tokens for 1 of the 1 pairs of the direction 'none'; it takes at least 4"),
        (built_in()["plural"], f"{head.source} has tokens for 0 of the 56 pairs of the direction"),
    ):
        with pytest.raises(UsageError) as caught:
            head.concept(f"{pairs.name}(sea)", directions={pairs.name: pairs})
        assert message in str(caught.value)


@pytest.mark.parametrize("name", ["emoji", "emoji_de"])
def test_a_head_without_emoji_says_so(tmp_path: Path, name: str) -> None:
    head = open_head(write_head(tmp_path / "none", emoji=()))
    wrong = f"has tokens for 0 of the pairs of the direction '{name}'; it takes at least 4"
    for ask, asked in ((head.concept, f"{name}(sea)"), (head.direction, name)):
        with pytest.raises(UsageError, match=wrong):
            ask(asked)  # type: ignore[operator]


def test_a_target_that_is_no_token_is_not_used(head: Head) -> None:
    last = head.rows.count - 1  # padding
    ids = (head.rows.count, 1 << 39, last, -1)
    pairs = tuple(Pair("sea", "fish", id_) for id_ in ids)
    sample = sample_of(head, open_space(head), PairSet("up", "", pairs))
    assert [unused.why for unused in sample.unused] == [
        f"there is no token #{id_}; the head has {head.rows.count:,} rows" for id_ in ids
    ]
    assert sample.used == ()


@pytest.mark.parametrize("space", SPACES)
def test_pairs_that_teach_nothing_are_not_used(head: Head, space: str) -> None:
    cat = head.vocabulary.id_of(" cat")
    pairs = (
        *UP.pairs,
        Pair("dog, cat", "🐶"),  # the tokens of a pair before it
        Pair("king", "x", head.vocabulary.id_of(" queen")),
        Pair("cat", "x", cat),
        Pair("queen", "king"),
        Pair("queen", "man"),
        Pair("🐶", "cat"),  # its base is two tokens there
        Pair("fish", "horse"),
    )
    sample = sample_of(head, open_space(head, space), PairSet("up", "", pairs))
    assert [(unused.pair, unused.why) for unused in sample.unused] == [
        (pairs[5], "its tokens are those of 'dog cat' and '🐶' before"),
        (pairs[6], "its tokens are those of 'king' and 'queen' before"),
        (pairs[7], "its base and its target are the same token"),
        (pairs[8], "it turns 'king' and 'queen' round"),
        (pairs[9], "it turns 'man' and 'queen' round"),
    ]
    assert sample.used == (*UP.pairs, *pairs[10:])
    assert len(sample.base_ids) == len(sample.target_ids_N) == len(sample.bases_ND) == 7


def test_the_names_of_directions(head: Head) -> None:
    directions = known(head)
    assert directions.names == ("up", *names())
    for name in ("up", "emoji", "emoji_de", "plural"):
        assert name in directions
        assert directions.pairs(name).name == name
    for name in ("unit", "nosuch", "Up", None, 7):
        assert name not in directions
    with pytest.raises(UsageError, match="unknown direction 'nosuch'"):
        directions.fit("nosuch")
    assert head.direction_names(directions=GIVEN) == ("up",)
    assert head.direction_names() == names()


def test_the_estimator_is_that_of_the_direction_or_the_one_asked_for(head: Head) -> None:
    given = GIVEN | {"greek": PairSet("greek", "", learned_from="greek"), "emoji_mine": UP}
    directions = known(head, directions=given)
    wanted = {
        "emoji": "procrustes",
        "emoji_de": "procrustes",
        "plural": "offset",
        "up": "offset",
        "emoji_mine": "offset",
        "greek": "category",
    }
    assert {name: directions.estimator_of(name) for name in wanted} == wanted
    asked = known(head, directions=given, estimator="ridge")
    assert {asked.estimator_of(name) for name in wanted} == {"ridge"}
    message = "unknown estimator 'mean'; they are offset, category, ridge, procrustes"
    for ask in (head.concept, head.nearest):
        with pytest.raises(UsageError, match=message):
            ask("sea", estimator="mean")


@pytest.mark.parametrize("estimator", ESTIMATORS)
@pytest.mark.parametrize("space", SPACES)
def test_a_direction_is_applied_as_it_was_learned(head: Head, space: str, estimator: str) -> None:
    options: dict[str, Any] = {"space": space, "directions": GIVEN, "estimator": estimator}
    sample = sample_of(head, open_space(head, space), UP)
    fit = ESTIMATORS[estimator](sample.bases_ND, sample.targets_ND, sample.weights_N)
    scaled = (lambda vector: vector) if space == "logit" else unit

    def applied(vector: Any) -> Any:
        return scaled(fit(scaled(vector)))

    def same(expression: str, wanted: Any) -> None:
        found = head.concept(expression, **options)
        np.testing.assert_allclose(found.vector_D, wanted, atol=1e-11)
        ids = {head.vocabulary.token(id_) for name in found.resolved for id_ in name.token_ids}
        assert ids <= {"▁sea", "▁horse"}  # no pair of the direction is left out of an answer

    sea, horse = (head.concept(word, space=space).vector_D for word in ("sea", "horse"))
    same("up(sea)", applied(sea))
    same("up(sea + 2*horse)", applied(sea + 2 * horse))
    same("horse - up(sea)/2", horse - applied(sea) / 2)
    same("up(up(sea))", applied(applied(sea)))
    same("unit(up(horse))", unit(applied(horse)))
    same("direction(up)", fit.target_D - fit.base_D)
    if space == "logit":
        assert abs(np.linalg.norm(applied(sea)) - 1) > 1e-3


@pytest.mark.parametrize("space", SPACES)
def test_pairs_in_an_expression_are_a_direction(head: Head, space: str) -> None:
    king, queen, man, woman = (
        head.concept(word, space=space).vector_D for word in ("king", "queen", "man", "woman")
    )

    def step(expression: str) -> Any:
        return head.concept(expression, space=space).vector_D

    np.testing.assert_allclose(step("direction(man:woman)"), woman - man, atol=1e-12)
    mean = (woman - man + queen - king) / 2
    length = (np.linalg.norm(woman - man) + np.linalg.norm(queen - king)) / 2
    both = step("direction(man:woman, king:queen)")
    np.testing.assert_allclose(both, unit(mean) * length, atol=1e-12)
    sea = step("sea")
    np.testing.assert_allclose(step("sea + direction(man:woman)"), sea + woman - man, atol=1e-12)
    scaled = man - king if space == "logit" else unit(man - king)
    np.testing.assert_allclose(step("direction(king:(man - king))"), scaled - king, atol=1e-12)
    found = head.concept("direction(man:woman, king:queen)", space=space).resolved
    assert [name.text for name in found] == ["man", "woman", "king", "queen"]


@pytest.mark.parametrize(
    ("expression", "message", "column"),
    [
        (
            "sea + foo(cat)",
            "'foo' is neither a function (mean, unit, token, model, direction) nor a direction (",
            7,
        ),
        ("sea + direction(foo)", "'foo' is no direction; the directions are up, emoji, ", 17),
        ("sea - direction(unit)", "'unit' is no direction; the directions are up, emoji, ", 17),
        ("sea - direction(man:woman, king)", "direction takes pairs, as in direction(man:wom", 7),
        ("sea + emoji(sea, horse)", "emoji takes one argument, not 2", 7),
        ("sea + mean(sea:horse)", "a pair such as man:woman stands in direction(…)", 7),
        ("sea + up(man - man)", "it comes out at zero, which has no direction", 7),
        ("x + direction(man:man)", "it comes out at zero, which has no direction", 15),
        ("direction(a:b, man : (man))", "it comes out at zero, which has no direction", 16),
        ("x - direction(a:b, b:sea, sea:a)", "it comes out at zero, which has no direction", 5),
        ("x + direction(man:(sea - sea))", "it comes out at zero, which has no direction", 15),
        ("x + direction(a:b, (sea - sea):a)", "it comes out at zero, which has no direction", 20),
        ("direction(man:woman, woman:man)", "it turns a pair before it round; leave one of", 22),
        ("direction(man:woman, sea:x, man:woman)", "it is there before; leave one of the pai", 29),
        ("direction(man:woman, man:king)", "its base has another target before; leave one", 22),
    ],
)
@pytest.mark.parametrize("space", ["logit", "causal"])
def test_misuse_is_pointed_at(
    head: Head, space: str, expression: str, message: str, column: int
) -> None:
    with pytest.raises(ExpressionError) as caught:
        head.concept(expression, directions=GIVEN, space=space)
    assert caught.value.message.startswith(message)
    assert caught.value.column == column


def entries(head: Head) -> dict[str, Path]:
    return {entry.name: entry.path for entry in head.store.entries()}


def test_what_is_learned_is_kept(head: Head, monkeypatch: pytest.MonkeyPatch) -> None:
    first = head.concept("up(sea)", directions=GIVEN)
    head.concept("emoji(sea)")
    assert {"direction-own", "direction-emoji"} <= set(entries(head))
    again = open_head(head.source)
    with monkeypatch.context() as patched:
        patched.delattr(Directions, "sample")  # nothing is learned again
        found = again.concept("up(sea)", directions=GIVEN)
        np.testing.assert_array_equal(found.vector_D, first.vector_D)
        assert again.concept("emoji(sea)").fit is not None
        for options in ({"estimator": "ridge"}, {"pieces": "first"}, {"space": "cosine"}):
            with pytest.raises(AttributeError):
                again.concept("up(sea)", directions=GIVEN, **options)  # type: ignore[arg-type]
        other = {"up": PairSet("up", "", UP.pairs[1:])}
        with pytest.raises(AttributeError):
            again.concept("up(sea)", directions=other)
    assert found.fit is not None
    assert first.fit is not None
    assert found.fit.key == first.fit.key


@pytest.mark.parametrize(
    "expression",
    ["2*up(sea)", "unit(up(sea))", "(up(sea))/3", "mean(2*(up(sea)))", "3*unit(0.5*up(sea))*1e-3"],
)
def test_a_factor_leaves_the_direction_that_was_applied(head: Head, expression: str) -> None:
    options: Any = {"directions": GIVEN, "score": "csls", "top": 20}
    applied = head.concept("up(sea)", directions=GIVEN)
    concepts = [
        head.concept(expression, directions=GIVEN),
        applied * 2.0,
        applied / 3,
        0.1 * applied.unit(),
        sum([applied]),
    ]
    wanted = head.nearest("up(sea)", **options).neighbours
    for query in (expression, *concepts):
        found = head.nearest(query, **options).neighbours  # type: ignore[arg-type]
        assert [near.id for near in found] == [near.id for near in wanted]
        scores = [near.score for near in found]
        np.testing.assert_allclose(scores, [near.score for near in wanted], atol=1e-12)


def test_a_sum_or_a_turn_drops_the_direction_that_was_applied(head: Head) -> None:
    applied = head.concept("up(sea)", directions=GIVEN)
    assert applied.fit is not None
    for concept in (-applied, applied * -2, applied / -2, applied * 0, applied + applied):
        assert concept.fit is None
    for text in ("-up(sea)", "up(sea) + sea", "0*up(sea)", "mean(up(sea), up(sea))", "unit(sea)"):
        assert head.concept(text, directions=GIVEN).fit is None


NO_EMOJI = """
import sys
from unembed import open_head
head = open_head(sys.argv[1])
for _ in range(2):
    head.nearest("many(dog)", directions=sys.argv[2])
    head.concept("plural(dog)")
    head.concept("emoji(dog)")
    print("emoji" in sys.modules)
"""


def test_a_direction_without_emoji_loads_no_library_of_emoji(tmp_path: Path) -> None:
    """Those of the second line are kept, the emoji of the first were paired."""
    head = write_head(tmp_path / "head")
    pairs = ", ".join(f'["{pair.base}", "{pair.target}"]' for pair in PLURALS)
    (tmp_path / "my.toml").write_text(f"[many]\npairs = [{pairs}]")
    for code, wanted in ((NO_EMOJI.replace('    head.concept("emoji(dog)")\n', ""), "False"),
                         (NO_EMOJI, "True"), (NO_EMOJI, "False")):  # fmt: skip
        done = subprocess.run(
            [sys.executable, "-c", code, str(head), str(tmp_path / "my.toml")],
            capture_output=True,
            text=True,
            check=True,
        )
        assert done.stdout.split() == [wanted] * 2


@pytest.mark.real
def test_a_built_in_direction_loads_no_library_of_emoji() -> None:
    code = (
        "import sys\nfrom unembed.cli import main\n"
        "try:\n    main(['near', 'demo', 'plural(cat)', '--top', '1'])\n"
        "finally:\n    print('emoji' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split()[-1] == "False"


@pytest.mark.parametrize("damage", ["truncated", "junk", "other values"])
def test_a_damaged_entry_is_made_again(
    head: Head, caplog: pytest.LogCaptureFixture, damage: str
) -> None:
    first = head.concept("up(sea)", directions=GIVEN).vector_D
    path = entries(head)["direction-own"]
    whole = path.read_bytes()
    changed = whole[:-1] + bytes([whole[-1] ^ 1])
    path.write_bytes({"truncated": whole[:-8], "junk": b"junk", "other values": changed}[damage])
    with caplog.at_level(logging.WARNING, "unembed"):
        again = open_head(head.source).concept("up(sea)", directions=GIVEN).vector_D
        assert "a cache entry is damaged and is made again" in caplog.text
        np.testing.assert_array_equal(again, first)
        caplog.clear()
        head.concept("up(sea)", directions=GIVEN)
    assert not caplog.text
    assert path.stat().st_size == len(whole)
