"""A region as an audit asks in it: its direction, and how deep concepts and its own rows lie."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file
from unembed import Head, open_head
from unembed.errors import UsageError
from unembed.geometry.audit import inside as module
from unembed.geometry.audit.composing import Composed, compose_each
from unembed.geometry.audit.inside import Inside, open_inside
from unembed.geometry.audit.opening import open_auditor
from unembed.geometry.concepts.compose import Composer, composer_of
from unembed.geometry.concepts.estimators import category
from unembed.geometry.concepts.pairs import Pair, PairSet
from unembed.geometry.records.record import Record
from unembed.geometry.region import find_region
from unembed.geometry.space import SPACES

from .named import WIDTH, cache_in, named, write_named

OWN = {
    "mine": PairSet("mine", "", tuple(Pair(name, text) for text, name in list(named().items())[:9]))
}
Vectors = NDArray[np.float64]


@pytest.fixture(scope="module")
def head(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Head]:
    directory = tmp_path_factory.mktemp("inside")
    with cache_in(directory):
        yield open_head(write_named(directory / "head"))


def opened(composer: Composer, region: str | list[int], direction: str | None = None) -> Inside:
    return open_inside(composer, find_region(composer.head, region), direction=direction)


def units_of(composer: Composer, ids_N: NDArray[np.int64]) -> Vectors:
    """Place rows and make them unit vectors, in float64."""
    placed_ND = composer.space.place(composer.head.rows.decode(ids_N))
    lengths_N = np.linalg.norm(placed_ND, axis=1)
    return placed_ND / np.where(lengths_N > 0, lengths_N, 1)[:, None]


def depth(vector_D: Vectors, others_ND: Vectors) -> float:
    """Give the mean of the ten largest cosines, one by one."""
    cosines = sorted((float(vector_D @ other_D) for other_D in others_ND), reverse=True)
    return sum(cosines[:10]) / len(cosines[:10])


def own_depths(units_ND: Vectors) -> Vectors:
    """Give how deep each row lies among the others."""
    found = [depth(units_ND[i], np.delete(units_ND, i, axis=0)) for i in range(len(units_ND))]
    return np.array(found)


@pytest.mark.parametrize("space", SPACES)
@pytest.mark.parametrize(
    "region", ["emoji", "bytes", "words", [3, 70, 71, 90, 200], [5, 6, 7, 8]], ids=str
)
def test_depths_and_membership_are_those_of_the_oracle(
    head: Head, space: str, region: str | list[int]
) -> None:
    composer = composer_of(head, space=space)
    inside = opened(composer, region)
    units_ND = units_of(composer, inside.region.ids_N)
    depths_N = own_depths(units_ND)
    np.testing.assert_allclose(inside.depths_G, np.sort(depths_N), atol=1e-6)
    asked_BD = np.random.default_rng(0).standard_normal((40, units_ND.shape[1])) * 3
    asked_BD[20:] = asked_BD[20:] / 9 + units_ND[:1] + units_ND[1:2]
    found_B = inside.membership(asked_BD)
    for vector_D, found in zip(asked_BD, found_B, strict=True):
        own = depth(vector_D / np.linalg.norm(vector_D), units_ND)
        least, most = ((depths_N <= own + slack).mean() for slack in (-1e-6, 1e-6))
        assert least <= found <= most
    assert found_B.min() < found_B.max()  # it tells something
    # Each alone, and however long; a float32 product may differ in its last bit.
    for length in (1, 7):
        alone_B = [inside.membership(length * vector_D[None])[0] for vector_D in asked_BD]
        np.testing.assert_allclose(alone_B, found_B, atol=1.01 / len(units_ND))


@pytest.mark.parametrize("region", ["emoji", "bytes"])
def test_one_in_twenty_of_a_regions_own_rows_lies_below_the_fifth_percentile(
    head: Head, region: str
) -> None:
    composer = composer_of(head)
    inside = opened(composer, region)
    guides_GD = inside.guides_GD.astype(np.float64)
    count = len(guides_GD)
    # Each is asked for among the others.
    shares = [
        replace(inside, guides_GD=np.delete(inside.guides_GD, i, axis=0)).membership(row_1D)[0]
        for i, row_1D in enumerate(guides_GD[:, None])
    ]
    assert np.mean(np.array(shares) >= 0.05) == pytest.approx(0.95, abs=1.01 / count)
    np.testing.assert_allclose(np.sort(shares), np.arange(1, count + 1) / count, atol=2.01 / count)


def test_a_concept_far_away_is_in_no_part_of_it(head: Head) -> None:
    composer = composer_of(head)
    inside = opened(composer, "emoji")
    mean_1D = inside.guides_GD.astype(np.float64).mean(axis=0)[None]
    assert inside.membership(mean_1D) == 1.0
    assert inside.membership(-mean_1D) == 0.0
    assert np.isfinite(inside.membership(0 * mean_1D)).all()
    assert inside.membership(np.empty((0, mean_1D.shape[1]))).shape == (0,)


def test_rows_that_are_the_same_are_as_deep_as_one_can_be(tmp_path: Path) -> None:
    directory = write_named(tmp_path / "head")
    tensors = load_file(directory / "model.safetensors")
    tensors["model.embed_tokens.weight"][100:112] = tensors["model.embed_tokens.weight"][100]
    save_file(tensors, directory / "model.safetensors")
    composer = composer_of(open_head(directory))
    inside = opened(composer, [*range(90, 112)])
    np.testing.assert_allclose(inside.depths_G[-12:], 1.0, atol=1e-6)
    assert inside.depths_G[-13] < 0.9
    assert inside.membership(units_of(composer, np.array([105]))) >= 10 / 22


def test_a_region_of_one_row_many_times_is_one_place(tmp_path: Path) -> None:
    directory = write_named(tmp_path / "head")
    tensors = load_file(directory / "model.safetensors")
    tensors["model.embed_tokens.weight"][100:106] = tensors["model.embed_tokens.weight"][100]
    save_file(tensors, directory / "model.safetensors")
    composer = composer_of(open_head(directory))
    inside = opened(composer, [*range(100, 106)])
    moved_BD, placed_BD = inside.carried(np.eye(composer.space.width)[:3])
    assert np.isfinite(moved_BD).all()
    memberships_B = inside.membership(placed_BD)
    assert ((memberships_B >= 0) & (memberships_B <= 1)).all()


def test_as_deep_as_a_row_is_no_shallower(head: Head) -> None:
    inside = opened(composer_of(head), "emoji")
    first_GD = np.zeros((5, WIDTH), dtype=np.float32)
    first_GD[:, 0] = 1
    same = replace(inside, guides_GD=first_GD, depths_G=np.array([0.25, 1.0, 1.0, 1.0, 2.0]))
    asked_BD = np.zeros((2, WIDTH))
    asked_BD[0, 0] = asked_BD[1, 1] = 3
    assert same.membership(asked_BD).tolist() == [0.8, 0.0]


@pytest.mark.parametrize(("ids", "count"), [([7], 1), ([7, 8, 9], 3)])
def test_a_region_of_too_few_tokens_is_refused(head: Head, ids: list[int], count: int) -> None:
    message = rf"has {count} tokens in the region 'ids'; an audit takes at least 4: leave the "
    with pytest.raises(UsageError, match=message):
        opened(composer_of(head), ids)


def test_a_large_region_is_judged_by_rows_drawn_from_all_of_it(
    head: Head, monkeypatch: pytest.MonkeyPatch
) -> None:
    composer = composer_of(head)
    everything = opened(composer, "bytes")
    monkeypatch.setattr(module, "_GUIDES", 16)
    drawn = opened(composer, "bytes")
    ids_N = find_region(head, "bytes").ids_N
    assert len(ids_N) > 16
    wanted_N = ids_N[[i * len(ids_N) // 16 for i in range(16)]]
    np.testing.assert_allclose(drawn.guides_GD, units_of(composer, wanted_N), atol=1e-6)
    assert drawn.guides_GD.dtype == np.float32
    assert len(everything.guides_GD) == len(ids_N)
    np.testing.assert_allclose(drawn.depths_G, np.sort(own_depths(drawn.guides_GD)), atol=1e-6)
    monkeypatch.setattr(module, "_GUIDES", len(ids_N))
    np.testing.assert_array_equal(opened(composer, "bytes").guides_GD, everything.guides_GD)


@pytest.mark.parametrize("space", SPACES)
def test_without_a_direction_the_vector_of_the_category_is_added(head: Head, space: str) -> None:
    composer = composer_of(head, space=space)
    inside = opened(composer, "emoji")
    ids_N = inside.region.ids_N
    targets_ND = composer.space.named(composer.space.place(head.rows.decode(ids_N)))
    wanted = category(targets_ND, targets_ND, np.full(len(ids_N), 1 / len(ids_N)))
    vectors_BD = np.random.default_rng(0).standard_normal((5, composer.space.width))
    moved_BD, placed_BD = inside.carried(vectors_BD)
    np.testing.assert_allclose(moved_BD, vectors_BD + wanted.target_D, atol=1e-12)
    np.testing.assert_array_equal(moved_BD, placed_BD)
    assert inside.fit.map_DD is None


def test_what_a_region_adds_has_a_key_of_its_own(head: Head) -> None:
    """Hubness is kept by it."""
    regions: list[str | list[int]] = ["emoji", "bytes", [5, 6, 7, 8]]
    keys = [
        opened(composer_of(head, space=space), region).fit.key
        for space in SPACES
        for region in regions
    ]
    assert len(set(keys)) == len(SPACES) * len(regions)
    assert opened(composer_of(head, space="cosine"), "emoji").fit.key in keys


@pytest.mark.parametrize("space", SPACES)
@pytest.mark.parametrize("estimator", ["procrustes", "ridge", "offset", "category"])
def test_a_direction_takes_concepts_there_and_its_emphasis_is_left_out_of_their_place(
    head: Head, space: str, estimator: str
) -> None:
    composer = composer_of(head, space=space, estimator=estimator, directions=OWN)
    inside = opened(composer, "emoji", "mine")
    fit = composer.directions.fit("mine")
    assert (fit.gain > 1) == (estimator == "procrustes")
    vectors_BD = np.random.default_rng(0).standard_normal((5, composer.space.width))
    moved_BD, placed_BD = inside.carried(vectors_BD)
    np.testing.assert_allclose(moved_BD, fit(vectors_BD), atol=1e-12)
    np.testing.assert_allclose(placed_BD, replace(fit, gain=1.0)(vectors_BD), atol=1e-12)
    weak = replace(inside, fit=replace(fit, gain=0.5))  # what is kept of less than all stays so
    for found_BD in weak.carried(vectors_BD):
        np.testing.assert_allclose(found_BD, replace(fit, gain=0.5)(vectors_BD), atol=1e-12)
    assert inside.carried(np.empty((0, composer.space.width)))[0].shape == (0, composer.space.width)


def test_it_holds_what_names_one_of_its_tokens(head: Head) -> None:
    composer = composer_of(head, directions=OWN)
    text, name = next(iter(named().items()))
    id_ = head.vocabulary.id_of(text)
    texts = {
        **dict.fromkeys((text, f"#{id_}", f'token("{text}")', f'"{text}"'), True),
        **dict.fromkeys((name, f"2*{text}", f"{text} + {text}", f"mine({text})", "sea"), False),
        f"{text}{text}": False,  # two tokens
    }
    found = compose_each(composer, [Record(text) for text in texts])
    for direction in (None, "mine"):
        inside = opened(composer, "emoji", direction)
        assert inside.direction == direction
        for one, holds in zip(found, texts.values(), strict=True):
            assert isinstance(one, Composed)
            assert inside.holds(one) == holds
    others = opened(composer, "/^ ?[a-z]+$/")
    held = [others.holds(one) for one in found if isinstance(one, Composed)]
    assert held == [text in {name, "sea"} for text in texts]


def test_a_direction_that_cannot_be_learned_is_refused(head: Head) -> None:
    with pytest.raises(UsageError, match=r"has tokens for \d of the 56 pairs of the .* 'plural'"):
        opened(composer_of(head), "emoji", "plural")
    with pytest.raises(UsageError, match="unknown direction 'nosuch'"):
        opened(composer_of(head), "emoji", "nosuch")


def test_a_zero_row_is_a_guide_without_a_direction(tmp_path: Path) -> None:
    text = next(iter(named()))
    composer = composer_of(open_head(write_named(tmp_path / "head", zero=text)), space="cosine")
    inside = opened(composer, "emoji")
    assert torch.isfinite(torch.from_numpy(inside.depths_G)).all()
    units_ND = units_of(composer, inside.region.ids_N)
    np.testing.assert_allclose(inside.depths_G, np.sort(own_depths(units_ND)), atol=1e-6)


# As an auditor asks in it.


def test_another_direction_is_a_part_of_the_concept(head: Head) -> None:
    auditor = open_auditor(head, region="emoji", directions=OWN)
    plain, other = auditor.audit([Record("sea"), Record("mine(sea)")])
    assert [near.score for near in other.nearest] != [near.score for near in plain.nearest]
    assert auditor.inside is not None
    taken_D = auditor.composer.expression("mine(sea)").unit().vector_D
    _, placed_1D = auditor.inside.carried(taken_D[None])
    assert other.membership == auditor.inside.membership(placed_1D)[0]


@pytest.mark.parametrize("region", ["emoji", "/^[^a-z]+$/"])
def test_a_token_of_the_region_is_where_it_is(head: Head, region: str) -> None:
    auditor = open_auditor(head, region=region)
    inside = auditor.inside
    assert inside is not None
    token = next(iter(named()))
    id_ = head.vocabulary.id_of(token)
    vector_1D = auditor.composer.expression(token).unit().vector_D[None]
    for text in (token, f"#{id_}", f'token("{token}")', f'"{token}"'):
        (found,) = auditor.audit([Record(text)])
        assert (found.verdict, found.by, found.tokens) == ("single_token", "form", (token,))
        assert (found.snap_id, found.gap_degrees) == (id_, pytest.approx(0, abs=1e-5))
        assert found.membership == inside.membership(vector_1D)[0] > 0.05
    # What is no name of it is taken along, and so is the name of another token.
    for text in (f"2*{token}", "king"):
        (found,) = auditor.audit([Record(text)])
        own_1D = auditor.composer.expression(text).unit().vector_D[None]
        assert found.membership == inside.membership(inside.carried(own_1D)[1])[0]
        assert found.gap_degrees != pytest.approx(0, abs=1)
