"""Maps of the real heads: what lies together, where the seahorse would be, the page as it is."""

import numpy as np
import pytest
from unembed import Map, open_head
from unembed.geometry.views.map_page import map_page

pytestmark = pytest.mark.real


@pytest.fixture(scope="module")
def found() -> Map:
    return open_head("demo").map(region="emoji", marks=["emoji(seahorse)"])


def places(found: Map, emoji: str) -> list[int]:
    return [found.points.texts.index(one) for one in emoji]


def test_the_map_of_the_emoji_can_be_believed(found: Map) -> None:
    assert found.trust is not None
    assert found.trust.trustworthiness > 0.94
    assert found.trust.preservation > 0.48


def test_fruit_lies_with_fruit_and_faces_with_faces(found: Map) -> None:
    drawn = found.points.drawn_NC
    lands = [
        places(found, land) for land in ("🍎🍇🍓🍌🍒", "🐟🐠🐡🦈🐙", "⚽🏀🎾🏈⚾", "🚗🚕🚌🚙🚒")
    ]
    middles = [np.median(drawn[land], axis=0) for land in lands]
    for land, own in zip(lands, middles, strict=True):
        spread = np.median(np.linalg.norm(drawn[land] - own, axis=1))
        others = [np.linalg.norm(own - other) for other in middles if other is not own]
        assert min(others) > 3 * spread


def test_clusters_are_called_by_what_lies_there(found: Map) -> None:
    names = " ".join(cluster.name for cluster in found.clusters)
    for word in ("fruit", "clock", "tennis", "fashion"):
        assert word in names
    assert 20 <= len(found.clusters) <= 70


def test_the_seahorse_snaps_to_a_horse_among_animals(found: Map) -> None:
    (mark,) = found.marks
    points = found.points
    assert points.texts[mark.snap] == "🐴"
    assert [points.texts[place] for place in mark.near[:4]] == ["🐴", "🐎", "🐪", "🏇"]
    assert mark.gap_degrees == pytest.approx(69.935, abs=0.01)
    near = np.argsort(np.linalg.norm(points.drawn_NC - mark.drawn, axis=1))[:12]
    animals = set(
        "🐴🐎🐪🐏🦒🦈🐢🐫🐄🐂🐃🐐🐑🦌🐘🦏🐊🦎🐍🐉🐲🦓🐖🐗🦘🐶🐕🐩🐺🦊🦝🐱🐈🦁🐯🐅🐆🦍🐒🐵"
        "🦙🦛🐷🐮🐭🐹🐰🐇🐿🦔🦇🐻🐨🐼🦥🦦🦨🦡🐾🦃🐔🐓🦑🦐🦞🦀🐙🐬🐳🐋🐟🐠🐡🌊🐚"
    )
    assert sum((points.texts[place] or "").strip() in animals for place in near) >= 6


def test_a_page_has_a_picture_of_nearly_every_emoji(found: Map) -> None:
    page = map_page(found)
    assert 500_000 < len(page) < 3_000_000
    assert b"OpenMoji" in page


def test_the_other_head_is_mapped_too() -> None:
    found = open_head("demo-bytes").map(around="sea", top=200, space="cosine")
    assert found.trust is not None
    assert len(found.points.ids_N) == 200
    assert found.points.texts[found.marks[0].near[0]] == " sea"
