"""Directions of a region: learned against the rest, and from no file that was not meant."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from unembed import Head, open_head
from unembed.errors import UsageError
from unembed.geometry.concepts.compose import composer_of
from unembed.geometry.concepts.direction import Directions
from unembed.geometry.concepts.pairs import PairSet
from unembed.geometry.space import open_space

Make = Callable[..., Path]
SPACES = ["logit", "cosine", "centred", "causal"]


@pytest.fixture
def head(make_checkpoint: Make) -> Head:
    return open_head(make_checkpoint())


def known(head: Head, **options: Any) -> Directions:
    return composer_of(head, **options).directions


@pytest.mark.parametrize("space", SPACES)
def test_the_direction_of_a_region_is_learned_against_the_rest(head: Head, space: str) -> None:
    given = {"pictures": PairSet("pictures", "", learned_from="emoji")}
    sample = known(head, directions=given, space=space).sample("pictures")
    inside = {head.vocabulary.text(int(id_)) for id_ in sample.target_ids_N}
    assert inside == {"🐴", " 🐴", "🐟", "🐶", "❤️", "👩‍🚀"}
    assert len(sample.base_ids) == len(sample.target_ids_N) == 6
    outside = {id_ for (id_,) in sample.base_ids}
    assert len(outside) == 6
    assert not outside & set(sample.target_ids_N.tolist())
    geometry = open_space(head, space)
    for ids, vectors in (
        (sample.target_ids_N, sample.targets_ND),
        (sorted(outside), sample.bases_ND),
    ):
        rows = head.rows.decode(np.array(ids))
        np.testing.assert_allclose(vectors, geometry.named(geometry.place(rows)), atol=1e-14)
    for estimator in ("category", "offset", None):
        fit = sample.fit(estimator or "category")
        found = head.concept(
            "direction(pictures)", directions=given, space=space, estimator=estimator
        )
        np.testing.assert_allclose(found.vector_D, fit.target_D - fit.base_D, atol=1e-12)


@pytest.mark.parametrize(
    ("region", "estimator", "message"),
    [
        (
            "emoji",
            "ridge",
            "direction 'it' is that of a region, which ridge cannot learn: it takes",
        ),
        ("emoji", "procrustes", "use category or offset"),
        ("🐟|🐶|❤️", None, "has 3 tokens and leaves 279; a direction takes at least 4 of each"),
        ("nosuch", None, "unknown region 'nosuch'"),
    ],
)
def test_a_region_that_makes_no_direction_is_refused(
    head: Head, region: str, estimator: str | None, message: str
) -> None:
    given = {"it": PairSet("it", "", learned_from=region)}
    with pytest.raises(UsageError) as caught:
        head.concept("it(sea)", directions=given, estimator=estimator)
    assert message in str(caught.value)


def test_a_region_that_is_a_file_is_learned_again_when_it_changes(
    head: Head, tmp_path: Path
) -> None:
    path = tmp_path / "list.txt"
    given = {"it": PairSet("it", "", learned_from=path)}
    path.write_text("king\nman\nwoman\nqueen\n")
    first = head.concept("it(sea)", directions=given).vector_D
    path.write_text("dog\ncat\nfish\nhorse\n")
    second = head.concept("it(sea)", directions=given).vector_D
    assert not np.allclose(first, second)
    np.testing.assert_array_equal(head.concept("it(sea)", directions=given).vector_D, second)
    path.unlink()
    with pytest.raises(UsageError, match=r"list\.txt: there is no such file of a region"):
        head.concept("it(sea)", directions=given)


def test_a_text_is_no_path_of_a_region(
    head: Head, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("list.txt", "list", "emoji"):
        Path(name).write_text("root:x\n")
    for region in ("list.txt", "list", str(tmp_path / "list"), "../" + tmp_path.name + "/list"):
        given = {"it": PairSet("it", "", learned_from=region)}
        for ask in (head.concept, head.direction):
            name = "it(sea)" if ask == head.concept else "it"
            with pytest.raises(UsageError) as caught:
                ask(name, directions=given)  # type: ignore[operator]
            assert f"the region {region!r} is a path" in str(caught.value)
            assert "root:x" not in str(caught.value)
    given = {"it": PairSet("it", "", learned_from="emoji")}  # a name comes before a file
    assert known(head, directions=given).sample("it").target_ids_N.size == 6


def test_a_region_beside_a_file_of_directions_is_learned_from(head: Head, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "list.txt").write_text("king\nman\nwoman\nqueen\n")
    path = tmp_path / "mine" / "my.toml"
    path.write_text('[it]\nregion = "list.txt"')
    sample = known(head, directions=path).sample("it")
    texts = {head.vocabulary.text(int(id_)) for id_ in sample.target_ids_N}
    assert texts == {" king", " man", " woman", " queen"}
