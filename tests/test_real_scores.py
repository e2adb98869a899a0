"""On the real heads: what directions and methods find, on what they have not seen."""

import pytest
from unembed import open_head
from unembed.geometry.evaluation.ranks import Ranks
from unembed.geometry.evaluation.retrieval import retrieve
from unembed.geometry.head import Head
from unembed.geometry.method import Method

pytestmark = pytest.mark.real


@pytest.fixture(scope="module")
def demo() -> Head:
    return open_head("demo")


def test_there_is_no_seahorse_but_what_is_like_one(demo: Head) -> None:
    found = demo.nearest("emoji(seahorse)", region="emoji", top=3)
    assert {near.text for near in found.neighbours} & {"🐴", "🐠", "🐟", "🐬", "🐎"}


@pytest.mark.parametrize("name", ["plural", "past", "capital"])
def test_directions_find_what_they_have_not_seen(demo: Head, name: str) -> None:
    score = demo.direction(name)
    assert score.ranks is not None
    assert score.ranks.n >= 40
    assert score.ranks.top1 > 0.85
    for without in (score.unmoved, score.control):
        assert without is not None
        assert score.ranks.ci95["top1"][0] > without.ci95["top1"][1]


def test_emoji_are_found_by_their_names(demo: Head) -> None:
    found = retrieve(demo, "causal", Method.parse("procrustes+csls"))
    assert found is not None
    every, one_word = (
        Ranks.of(found.ranks()[chosen_Q])
        for chosen_Q in (found.one_word_Q | True, found.one_word_Q)
    )
    assert (every.n, one_word.n) == (956, 344)
    assert every.top1 >= 0.58
    assert one_word.top1 >= 0.80
    plain = retrieve(demo, "causal", Method())
    assert plain is not None
    assert every.top1 > Ranks.of(plain.ranks()).ci95["top1"][1]  # beyond what chance explains
    assert Ranks.of(found.ranks(twins=False)).top1 > every.top1


def test_a_head_of_few_emoji_has_directions_all_the_same() -> None:
    head = open_head("demo-bytes")
    found = retrieve(head, "causal", Method(estimator="procrustes", csls=True))
    assert found is not None
    assert len(found.names) == 4
    score = head.direction("gerund")
    assert score.ranks is not None
    assert score.ranks.top1 > 0.9
