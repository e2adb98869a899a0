"""How a picture makes room: nothing piles up, what is left out is known, labels do not meet."""

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from unembed.geometry.views import spread as spread_module
from unembed.geometry.views.labels import Named, placed
from unembed.geometry.views.map_scene import scene_of
from unembed.geometry.views.spread import spread

from .mapped import a_map


@given(st.integers(0, 1 << 30), st.integers(0, 120), st.floats(0, 60))
@example(0, 1, 0.0)
@settings(max_examples=40, deadline=None)
def test_what_is_kept_hardly_overlaps_and_stays_within_reach(
    seed: int, count: int, reach: float
) -> None:
    rng = np.random.default_rng(seed)
    places = rng.uniform(0, 300, (count, 2)).round(-1)  # many at one place
    sizes = rng.uniform(10, 30, (count, 2))
    standing = np.array([[150.0, 150.0, 40.0, 40.0]])
    found = spread(places, sizes, reach=reach, standing_M4=standing)
    away = np.linalg.norm(found.places_N2 - places, axis=1)
    assert (away <= reach + 1e-6).all()
    assert np.array_equal(found.places_N2[~found.kept_N], places[~found.kept_N])
    boxes = np.concatenate([standing, np.column_stack([found.places_N2, sizes])[found.kept_N]])
    between = np.abs(boxes[:, None, :2] - boxes[None, :, :2])
    room = (boxes[:, None, 2:] + boxes[None, :, 2:]) / 2
    overlap = (between < 0.879 * room).all(axis=2)
    np.fill_diagonal(overlap, False)
    assert not overlap.any()


def test_of_very_many_the_first_that_fit_stay_where_they_are(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(spread_module, "_MOST", 10)
    places = np.random.default_rng(0).uniform(0, 100, (300, 2))
    found = spread(places, np.full((300, 2), 10.0), reach=50.0)
    assert np.array_equal(found.places_N2, places)
    assert found.kept_N[0]
    assert 20 < found.kept_N.sum() < 150


def test_labels_lie_within_the_picture_and_on_no_other() -> None:
    rng = np.random.default_rng(0)
    wanted = [
        Named((float(x), float(y)), (40.0, 30.0), (90.0, 14.0))
        for x, y in rng.uniform(0, 400, (60, 2))
    ]
    found = [at for at in placed(wanted, np.empty((0, 4)), width=400, height=400) if at]
    assert len(found) > 20
    for place, (x, y) in enumerate(found):
        assert 45 <= x <= 355
        assert 7 <= y <= 393
        for other_x, other_y in found[:place]:
            assert abs(x - other_x) > 80 or abs(y - other_y) > 9


def test_an_emoji_without_a_picture_is_written() -> None:
    scene = scene_of(
        a_map(40),
        width=600,
        height=400,
        measure=lambda text, height: (height * len(text) / 2, height),
        pictured=lambda emoji: emoji == "🐶",
    )
    assert {one for one in scene.emoji if one is not None} == {"🐶"}
    assert scene.kept_N[8]
    assert scene.texts[8] == "🐴"


def test_a_scene_counts_what_has_no_room_and_leaves_the_hole_free() -> None:
    found = a_map(400)
    scene = scene_of(
        found,
        width=600,
        height=400,
        measure=lambda text, height: (height * len(text) / 2, height),
        pictured=lambda _: True,
    )
    assert 0 < (~scene.kept_N).sum() < 400
    kept = scene.places_N2[scene.kept_N]
    emoji = np.array([one is not None for one in scene.emoji])[scene.kept_N]
    hole = scene.marks_M2[0]
    assert np.abs(kept[emoji] - hole).max(axis=1).min() >= 0.87 * 1.25 * scene.size
    assert ((kept >= 0) & (kept <= [600, 400])).all()
