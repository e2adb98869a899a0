"""The numbers of a map, against independent ways: neighbours, graph, layout, trust, islands."""

from dataclasses import replace

import numpy as np
import pytest
import sklearn.manifold
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from unembed import Head, open_head
from unembed.errors import UsageError
from unembed.geometry.hubness import unit_rows
from unembed.geometry.projection import closest as closest_module
from unembed.geometry.projection import names as names_module
from unembed.geometry.projection import trust as trust_module
from unembed.geometry.projection.closest import closest
from unembed.geometry.projection.clusters import clustered, described
from unembed.geometry.projection.fuzzy import fuzzy_graph, memberships
from unembed.geometry.projection.islands import brought_near
from unembed.geometry.projection.layout import Layout, added, laid_out
from unembed.geometry.projection.marks import met_by
from unembed.geometry.projection.names import words_of
from unembed.geometry.projection.trust import trust_of
from unembed.geometry.space import open_space

from .conftest import Make

RNG = np.random.default_rng


def silent(done: int, total: int) -> None:
    assert 0 <= done <= total


def units(count: int = 150, width: int = 12, seed: int = 0) -> NDArray[np.float32]:
    rows = RNG(seed).normal(size=(count, width)) + 4 * RNG(seed).integers(0, 4, (count, 1))
    rows[:, 0] -= 8 * (np.arange(count) % 3)
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def neighbours(
    units_ND: NDArray[np.float32], k: int
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Give the k nearest, itself first, and their angles."""
    cosines = units_ND.astype(np.float64) @ units_ND.T.astype(np.float64)
    np.fill_diagonal(cosines, 2)
    order = np.argsort(-cosines, axis=1, kind="stable")[:, :k]
    return order, np.arccos(np.clip(np.take_along_axis(cosines, order, axis=1), -1, 1))


@pytest.fixture
def head(make_checkpoint: Make) -> Head:
    return open_head(make_checkpoint("sentencepiece"))


@pytest.mark.parametrize("space", ["causal:0.5", "cosine", "logit", "centred"])
@pytest.mark.parametrize("few", [1 << 13, 0])
def test_neighbours_are_those_of_all_products(
    head: Head, monkeypatch: pytest.MonkeyPatch, space: str, few: int
) -> None:
    monkeypatch.setattr(closest_module, "_FEW", few)
    monkeypatch.setattr(closest_module, "_QUERIES", 50)
    geometry, ids_N = open_space(head, space), np.arange(3, 200, 2)
    found, cosines = closest(head, geometry, ids_N, 7, done=silent)
    placed = geometry.place(head.rows.decode(ids_N))
    placed /= np.linalg.norm(placed, axis=1, keepdims=True)
    exact = placed @ placed.T
    np.fill_diagonal(exact, -2)
    best = -np.sort(-exact, axis=1)[:, :7]
    assert np.abs(cosines - best).max() < 1e-6
    assert np.abs(np.take_along_axis(exact, found, axis=1) - best).max() < 1e-6
    assert not (found == np.arange(len(ids_N))[:, None]).any()


def test_a_row_at_the_origin_is_near_to_none_and_has_neighbours_all_the_same(
    make_checkpoint: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    rows = torch.randn(300, 16, generator=torch.Generator().manual_seed(0))
    rows[5] = 0
    head = open_head(make_checkpoint("sentencepiece", tensors={"lm_head.weight": rows}))
    for few in (1 << 13, 0):
        monkeypatch.setattr(closest_module, "_FEW", few)
        places, cosines = closest(head, open_space(head, "cosine"), np.arange(40), 6, done=silent)
        assert places[5].tolist() == [0, 1, 2, 3, 4, 6]
        assert cosines[5].tolist() == [0.0] * 6


@pytest.mark.parametrize("k", [2, 5, 15])
def test_the_graph_is_that_of_umap_learn(k: int) -> None:
    from unembed.geometry.projection.layout import _library

    library = _library()
    units_ND = units()
    units_ND[7] = units_ND[6] = units_ND[5]
    order, angles = neighbours(units_ND, k)
    theirs, _, _ = library.fuzzy_simplicial_set(
        units_ND,
        k,
        np.random.RandomState(0),
        "cosine",
        knn_indices=order.astype(np.int32),
        knn_dists=angles.astype(np.float32),
    )
    assert abs(fuzzy_graph(order, angles) - theirs).max() < 1e-4
    sigmas, rhos = library.smooth_knn_dist(
        angles.astype(np.float32), float(k), local_connectivity=0.0
    )
    _, _, strengths, _ = library.compute_membership_strengths(
        order.astype(np.int32), angles.astype(np.float32), sigmas, rhos, bipartite=True
    )
    ours = memberships(angles, connected=False).ravel()
    assert np.abs(ours - strengths).max() < 1e-4


@given(st.integers(0, 1 << 30), st.integers(2, 30))
@settings(max_examples=30, deadline=None)
def test_memberships_add_up_to_the_logarithm_of_their_number(seed: int, k: int) -> None:
    distances = np.sort(RNG(seed).uniform(0.1, 2.0, (20, k)), axis=1)
    strengths = memberships(distances, connected=False)
    assert ((strengths > 0) & (strengths <= 1)).all()
    assert (np.diff(strengths, axis=1) <= 1e-7).all()
    if k > 2:
        assert np.abs(strengths[:, 1:].sum(axis=1) - np.log2(k)).max() < 1e-3


@pytest.mark.parametrize("dimensions", [2, 3])
@pytest.mark.parametrize("densmap", [False, True])
def test_a_layout_is_the_same_each_time_and_keeps_neighbours(
    dimensions: int, densmap: bool
) -> None:
    units_ND, layout = units(), Layout(dimensions=dimensions, densmap=densmap)
    order, angles = neighbours(units_ND, 15)
    groups = np.arange(150) % 2
    told: list[int] = []
    one, other = (
        laid_out(units_ND, order, angles, groups, layout, done=lambda done, _: told.append(done))
        for _ in range(2)
    )
    assert one.shape == (150, dimensions)
    assert one.dtype == np.float32
    assert np.array_equal(one, other)
    assert max(told) >= 500
    assert one.std(axis=0)[0] == one.std(axis=0).max()
    found = trust_of(units_ND, one, done=silent)
    assert found is not None
    assert found.trustworthiness > 0.8


def test_groups_are_drawn_apart_where_that_is_asked_for() -> None:
    units_ND = units()
    order, angles = neighbours(units_ND, 15)
    groups = np.arange(150) % 2

    def between(supervised: bool) -> float:
        layout = Layout(supervised=supervised)
        mapped = laid_out(units_ND, order, angles, groups, layout, done=silent)
        middles = [mapped[groups == group].mean(axis=0) for group in (0, 1)]
        return float(np.linalg.norm(middles[0] - middles[1]) / mapped.std())

    assert between(True) > 2 * between(False)


@pytest.mark.parametrize("count", [1, 2, 3, 5, 6])
def test_a_few_rows_lie_along_their_axes(count: int) -> None:
    units_ND = units(count)
    order, angles = neighbours(units_ND, count)
    mapped = laid_out(units_ND, order, angles, np.zeros(count, int), Layout(count + 1), done=silent)
    assert mapped.shape == (count, 2)
    assert np.isfinite(mapped).all()
    assert trust_of(units_ND, mapped, done=silent) is None or count >= 4


def test_rows_that_are_all_the_same_lie_at_one_place() -> None:
    units_ND = np.tile(units(1), (40, 1))
    order, angles = neighbours(units_ND, 15)
    mapped = laid_out(units_ND, order, 0 * angles, np.zeros(40, int), Layout(), done=silent)
    assert np.abs(mapped).max() == 0
    assert (clustered(mapped) == -1).all()


def test_a_vector_is_placed_where_umap_learn_places_it() -> None:
    """With the same map, neighbours and strengths, its transform comes to the same place."""
    units_ND, layout = units(300), Layout()
    order, angles = neighbours(units_ND, 15)
    mapped = laid_out(units_ND, order, angles, np.zeros(300, int), layout, done=silent)
    for place in (0, 10, 77):
        new = added(mapped, order[place], angles[place], layout)
        own = mapped[order[place][:5]].mean(axis=0)
        assert np.linalg.norm(new - own) < 1.5
        assert np.array_equal(new, added(mapped, order[place], angles[place], layout))


def test_trust_is_scikit_learns() -> None:
    units_ND = units(80)
    mapped = RNG(1).normal(size=(80, 2)).astype(np.float32)
    found = trust_of(units_ND, mapped, done=silent)
    assert found is not None
    theirs = sklearn.manifold.trustworthiness(units_ND, mapped, n_neighbors=10, metric="cosine")
    assert found.trustworthiness == pytest.approx(theirs, abs=1e-6)
    order, _ = neighbours(units_ND, 11)
    distances = np.linalg.norm(mapped[:, None] - mapped[None], axis=2)
    near = np.argsort(distances, axis=1)[:, 1:11]
    kept = [len(set(one) & set(other)) for one, other in zip(near, order[:, 1:], strict=True)]
    assert found.preservation == pytest.approx(sum(kept) / 800)


def test_trust_of_many_looks_at_some(monkeypatch: pytest.MonkeyPatch) -> None:
    units_ND = units(400)
    mapped = units_ND[:, :2]
    whole = trust_of(units_ND, mapped, done=silent)
    monkeypatch.setattr(trust_module, "_LOOKED_AT", 100)
    some = trust_of(units_ND, mapped, done=silent)
    assert whole is not None
    assert some is not None
    assert (whole.tokens, some.tokens) == (400, 100)
    assert some.trustworthiness == pytest.approx(whole.trustworthiness, abs=0.03)


@given(st.integers(0, 1 << 30), st.integers(1, 4), st.floats(0, 60), st.integers(2, 3))
@settings(max_examples=40, deadline=None)
def test_islands_move_as_a_whole_and_never_onto_others(
    seed: int, count: int, away: float, dimensions: int
) -> None:
    rng = RNG(seed)
    bulk = rng.normal(size=(120, dimensions))
    parts = [bulk]
    for _ in range(count):
        turn = rng.normal(size=dimensions)
        parts.append(rng.normal(size=(8, dimensions)) * 0.1 + away * turn / np.linalg.norm(turn))
    mapped = np.concatenate(parts).astype(np.float32)
    drawn, breaks = brought_near(mapped)
    moved = np.zeros(len(mapped), dtype=bool)
    for island in breaks:
        places = list(island.points)
        assert not moved[places].any()
        moved[places] = True
        shift = drawn[places] - mapped[places]
        assert np.abs(shift - np.array(island.shift)).max() < 1e-4
        gap = np.linalg.norm(np.array(island.end) - np.array(island.start))
        others = np.setdiff1d(np.arange(len(mapped)), places)
        apart = np.linalg.norm(drawn[places][:, None] - drawn[others][None], axis=2).min()
        assert apart <= gap + 1e-4
        assert apart > 0
    assert np.array_equal(drawn[~moved], mapped[~moved])
    assert np.linalg.norm(np.ptp(drawn, axis=0)) <= np.linalg.norm(np.ptp(mapped, axis=0)) + 1e-4


def test_a_far_island_is_brought_near_and_a_near_one_stays() -> None:
    bulk = RNG(0).normal(size=(300, 2))
    far = np.concatenate([bulk, RNG(1).normal(size=(12, 2)) * 0.1 + [40, 0]]).astype(np.float32)
    drawn, breaks = brought_near(far)
    assert [len(island.points) for island in breaks] == [12]
    assert drawn[300:, 0].max() < 12
    even = RNG(0).uniform(size=(300, 2)).astype(np.float32)
    assert brought_near(even)[1] == ()


def test_clusters_come_by_size() -> None:
    mapped = np.concatenate([RNG(0).normal(size=(60, 2)), RNG(1).normal(size=(40, 2)) + 30])
    found = clustered(mapped.astype(np.float32))
    assert np.bincount(found[found >= 0]).tolist() == sorted(np.bincount(found[found >= 0]))[::-1]
    assert set(found[:60]) - {-1} != set(found[60:]) - {-1}


def test_clusters_are_called_by_words_that_stand_out_at_their_centres(head: Head) -> None:
    space, words = open_space(head, "cosine"), names_module._words(head.vocabulary)
    assert {"king", "sea"} <= set(words)
    called = [("king",), ("sea",), ("horse",), ("woman",)]
    centres = [head.vocabulary.id_of(f" {word}") for (word,) in called]
    clusters_N, drawn_N2 = np.arange(60) % 5 - 1, RNG(0).normal(size=(60, 2)).astype(np.float32)
    units_ND = RNG(1).normal(size=(60, head.rows.width)).astype(np.float32) / 20
    for cluster, id_ in enumerate(centres):
        units_ND[clusters_N == cluster] += unit_rows(space, head.rows, np.array([id_]))
    found = described(
        head.vocabulary, words_of(head, space, units_ND, clusters_N), clusters_N, drawn_N2
    )
    assert [cluster.words[:1] for cluster in found] == called
    noise_ND = RNG(2).normal(size=(60, head.rows.width)).astype(np.float32)
    words_L2 = words_of(head, space, noise_ND, clusters_N)
    unnamed = described(head.vocabulary, words_L2, clusters_N, drawn_N2)
    assert [one.name for one in unnamed][1:2] == ["cluster 2"]


def test_many_rows_are_clustered_by_a_sample(monkeypatch: pytest.MonkeyPatch) -> None:
    from unembed.geometry.projection import clusters

    mapped = np.concatenate([RNG(0).normal(size=(600, 2)), RNG(1).normal(size=(600, 2)) + 40])
    monkeypatch.setattr(clusters, "_SAMPLED", 200)
    found = clustered(mapped.astype(np.float32))
    sides = [set(found[:600].tolist()) - {-1}, set(found[600:].tolist()) - {-1}]
    assert sides[0].isdisjoint(sides[1])
    assert all(sides)


def test_a_concept_meets_the_tokens_of_the_map(head: Head) -> None:
    ids_N = np.arange(40, 120)
    for space in ("causal:0.5", "logit"):
        concept = head.concept("king + sea", space=space)
        (met,) = met_by(head, [concept], ids_N, k=5)
        placed = concept.space.place(head.rows.decode(ids_N))
        unit = concept.unit().vector_D
        cosines = placed @ unit / np.linalg.norm(placed, axis=1)
        assert met.places_K.tolist() == np.argsort(-cosines, kind="stable")[:5].tolist()
        assert met.cosines_K == pytest.approx(np.sort(cosines)[::-1][:5])
        residual = concept.space.residual(unit)
        logits = head.rows.decode(ids_N) @ residual
        assert met.snap == int(np.argmax(logits))
        assert met.gap_degrees == pytest.approx(np.degrees(np.arccos(cosines[met.snap])))


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"neighbors": 1}, "neighbors is 1; it must be a whole number from 2 to 256"),
        ({"neighbors": 10**9}, "whole number from 2 to 256"),
        ({"min_dist": 1.5}, "min_dist is 1.5; it must be a number from 0 to 1"),
        ({"min_dist": float("nan")}, "min_dist is nan"),
        ({"dimensions": 4}, "dimensions is 4; it must be a whole number from 2 to 3"),
        ({"seed": -1}, "seed is -1; it must be a whole number from 0 to 4294967295"),
        ({"seed": 1.5}, "seed is 1.5"),
    ],
)
def test_a_wrong_number_is_refused(wrong: dict[str, float], says: str) -> None:
    with pytest.raises(UsageError, match=says):
        replace(Layout(), **wrong)
