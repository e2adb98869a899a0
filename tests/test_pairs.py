"""What directions are learned from: the built-in pairs, those of emoji."""

import re
from collections.abc import Callable
from pathlib import Path

import emoji
import pytest
from unembed import open_head
from unembed.errors import UsageError
from unembed.geometry.concepts.pairs import (
    Names,
    Pair,
    PairSet,
    built_in,
    emoji_pairs,
    find_pairs,
    library_version,
    names,
)
from unembed.geometry.tokens.vocabulary import Vocabulary

Make = Callable[..., Path]
Open = Callable[[Path], Vocabulary]


def test_the_built_in_sets_have_names_and_meanings() -> None:
    assert {"plural", "past", "female", "capital", "opposite"} <= set(built_in())
    for name, pairs in built_in().items():
        assert pairs.name == name
        assert re.fullmatch("[a-z_]+", name)
        assert not name.startswith("emoji")
        assert pairs.about.strip() == pairs.about != ""
        assert len(pairs.pairs) >= 20
        assert pairs.region is None
        assert repr(pairs) == f"PairSet({name!r}, {len(pairs.pairs)} pairs)"
    assert len({pairs.digest for pairs in built_in().values()}) == len(built_in())
    assert len({pairs.about for pairs in built_in().values()}) == len(built_in())


@pytest.mark.parametrize("name", built_in())
def test_the_built_in_pairs_are_sound(name: str) -> None:
    pairs = built_in()[name].pairs
    assert len({pair.base for pair in pairs}) == len(pairs)
    for pair in pairs:
        assert pair.base != pair.target
        assert pair.target_id is None
        for text in (pair.base, pair.target):
            assert re.fullmatch(r"[^\W\d_]+( [^\W\d_]+)*", text)
    assert not {(pair.base, pair.target) for pair in pairs} & {
        (pair.target, pair.base) for pair in pairs
    }


def test_the_names_are_emoji_of_every_language_and_the_built_in_ones() -> None:
    languages = [f"emoji_{code}" for code in sorted(emoji.LANGUAGES) if code != "en"]
    assert names() == ("emoji", *languages, *built_in())
    assert library_version() == emoji.__version__


@pytest.mark.parametrize(
    ("family", "count"), [("sentencepiece", 5), ("byte_level", 3), ("unigram", 1), ("wordpiece", 1)]
)
def test_emoji_are_paired_with_their_names(
    make_checkpoint: Make, open_vocabulary: Open, family: str, count: int
) -> None:
    vocabulary = open_vocabulary(make_checkpoint(family))
    for language in emoji.LANGUAGES if family == "sentencepiece" else ("en", "de"):
        name = "emoji" if language == "en" else f"emoji_{language}"
        pairs = find_pairs(name, vocabulary, {})
        assert (pairs.name, pairs.region) == (name, "emoji")
        assert language in pairs.about
        assert len({pair.target for pair in pairs.pairs}) == count
        assert len(set(pairs.pairs)) == len(pairs.pairs)
        assert language == "en" or len(pairs.pairs) == count  # aliases are English
        for pair in pairs.pairs:
            assert pair.target_id is not None
            assert vocabulary.text(pair.target_id) in {pair.target, f" {pair.target}"}
            assert pair.base.strip(":_ ") == pair.base != ""
        for target, base in {pair.target: pair.base for pair in reversed(pairs.pairs)}.items():
            official = emoji.demojize(target, language=language).strip(":").replace("_", " ")
            assert base == official
    english = emoji_pairs(vocabulary).pairs
    assert english == find_pairs("emoji", vocabulary, {}).pairs
    bare, spaced = vocabulary.id_of("🐴"), vocabulary.id_of(" 🐴")
    assert Pair("horse face", "🐴", spaced if bare is None else bare) in english
    hearts = [pair.base for pair in english if pair.target == "❤️"]
    assert hearts == (["red heart", "heart"] if family == "sentencepiece" else [])


def test_ones_own_direction_comes_before_a_built_in_one(make_checkpoint: Make) -> None:
    vocabulary = open_head(make_checkpoint()).vocabulary
    own = PairSet("plural", "", (Pair("a", "b"),))
    assert find_pairs("plural", vocabulary, {"plural": own}) is own
    assert find_pairs("plural", vocabulary, {}) is built_in()["plural"]
    many = Names({"plural": own} | {f"mine{n}": own for n in range(3)})
    assert list(many) == [
        "plural",
        "mine0",
        "mine1",
        "mine2",
        *(n for n in names() if n != "plural"),
    ]
    assert len(many) == len(list(many))
    wrong = "unknown direction 'nosuch'; the directions are mine, emoji, emoji_ar, .*, plural, "
    with pytest.raises(UsageError, match=wrong):
        find_pairs("nosuch", vocabulary, {"mine": own})
    with pytest.raises(UsageError, match=r"mine38, mine39 and [0-9]+ more$"):
        find_pairs("nosuch", vocabulary, {f"mine{n}": own for n in range(90)})


def test_a_digest_is_of_the_pairs_and_the_region_alone() -> None:
    one = PairSet("a", "x", (Pair("a", "b"),))
    assert one.digest == PairSet("b", "y", (Pair("a", "b"),)).digest
    others = [
        PairSet("a", "x", (Pair("b", "a"),)),
        PairSet("a", "x", (Pair("a", "b", 7),)),
        PairSet("a", "x", (Pair("a", "b"),), "emoji"),
        PairSet("a", "x"),
        PairSet("a", "x", learned_from="emoji"),
        PairSet("a", "x", learned_from=Path("emoji")),
    ]
    assert len({one.digest, *(other.digest for other in others)}) == 7
