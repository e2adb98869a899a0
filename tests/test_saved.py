"""Saved directions: they answer the same, on their own head, and a hostile file is refused."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import save_file
from unembed import Head, open_head
from unembed.errors import UsageError
from unembed.geometry.concepts.compose import composer_of
from unembed.geometry.concepts.estimators import ESTIMATORS
from unembed.geometry.concepts.pairs import Pair, PairSet

Make = Callable[..., Path]
SPACES = ["logit", "cosine", "centred", "causal"]
UP = PairSet(
    "up",
    "what is above",
    (Pair("king", "queen"), Pair("man", "queen"), Pair("sea", "fish"), Pair("dog cat", "🐶", 275)),
)
GIVEN = {"up": UP}


@pytest.fixture
def head(make_checkpoint: Make) -> Head:
    return open_head(make_checkpoint())


@pytest.fixture
def saved(head: Head, tmp_path: Path) -> Path:
    path = tmp_path / "up.safetensors"
    head.save_direction("up", path, directions=GIVEN, estimator="ridge")
    return path


@pytest.mark.parametrize("estimator", ESTIMATORS)
@pytest.mark.parametrize("space", SPACES)
def test_a_saved_direction_answers_the_same(
    head: Head, tmp_path: Path, space: str, estimator: str
) -> None:
    options: dict[str, Any] = {"directions": GIVEN, "space": space, "estimator": estimator}
    path = tmp_path / "new" / "up.safetensors"
    head.save_direction("up", path, **options)
    again = open_head(head.source)
    for expression in ("up(sea)", "horse - up(sea + king)", "direction(up)"):
        wanted = head.concept(expression, **options)
        found = again.concept(expression, directions=path, space=space)
        np.testing.assert_array_equal(found.vector_D, wanted.vector_D)
        assert (
            again.concept(expression, directions=str(path), space=space).resolved == wanted.resolved
        )
    assert again.direction_names(directions=path, space=space) == ("up",)
    kept = composer_of(again, directions=path, space=space).directions
    assert (kept.pairs("up"), kept.estimator_of("up")) == (UP, estimator)
    assert kept.estimator_of("plural") == "offset"
    with pytest.raises(UsageError, match="is no direction"):
        head.concept("direction(up)")


def test_a_saved_direction_is_of_one_head_and_space(
    head: Head, saved: Path, make_checkpoint: Make
) -> None:
    other = open_head(make_checkpoint("byte_level"))
    tries = [(other, "causal"), *((head, space) for space in (*SPACES[:3], "causal:0.5"))]
    for who, space in tries:
        with pytest.raises(UsageError) as caught:
            who.concept("up(sea)", directions=saved, space=space)
        assert str(caught.value) == (
            f"{saved}: the direction was learned on another head, or in another space ('causal') "
            f"than {space}; learn it here"
        )


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("up.toml", "a direction is saved to a file that ends in .safetensors"),
        ("up", "a direction is saved to a file that ends in .safetensors"),
        ("file/up.safetensors", "the direction could not be saved: "),
        ("folder.safetensors", "the direction could not be saved: "),
        ("a\0b.safetensors", "the direction could not be saved: embedded null byte"),
    ],
)
def test_a_direction_is_saved_only_where_it_can_be(
    head: Head, tmp_path: Path, name: str, message: str
) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "folder.safetensors").mkdir()
    before = sorted(tmp_path.iterdir())
    with pytest.raises(UsageError) as caught:
        head.save_direction("up", tmp_path / name, directions=GIVEN)
    assert str(caught.value).startswith(f"{tmp_path / name}: {message}")
    assert set(tmp_path.iterdir()) - set(before) <= {tmp_path / "cache"}


WIDE = np.ones(16)
Changes = Mapping[str, Any]


@pytest.mark.parametrize(
    ("about", "arrays", "message"),
    [
        (
            {"kind": "unembed direction 2"},
            {},
            "this is no saved direction; unembed direction --save",
        ),
        ({"estimator": "mean"}, {}, "is damaged: "),
        ({"estimator": ""}, {}, "is damaged: "),
        ({"region": "nosuch"}, {}, "is damaged: Expecting value"),
        ({"region": "7"}, {}, "its pairs or its name are none"),
        ({"region": "[" * 100_000}, {}, "is damaged: maximum recursion depth"),
        ({"pairs": ""}, {}, "is damaged: Expecting value"),
        ({"pairs": "{}"}, {}, "its pairs or its name are none"),
        ({"pairs": '[["a", "b"]]'}, {}, "its pairs or its name are none"),
        ({"pairs": '[["a", 1, null]]'}, {}, "its pairs or its name are none"),
        ({"pairs": '[["a", "b", true]]'}, {}, "its pairs or its name are none"),
        ({"pairs": '[["a", "b", -1]]'}, {}, "its pairs or its name are none"),
        ({"pairs": '[["a", "b", 1e3]]'}, {}, "its pairs or its name are none"),
        ({"pairs": f'[["a", "b", 1{"0" * 30}]]'}, {}, "its pairs or its name are none"),
        ({"pairs": f'[["a", "b", 1{"0" * 5000}]]'}, {}, "is damaged: Exceeds the limit"),
        ({"pairs": json.dumps([["a", "b", None]] * 20_001)}, {}, "its pairs or its name are none"),
        ({"pairs": "[" * 100_000}, {}, "is damaged: maximum recursion depth"),
        ({"name": ""}, {}, "its pairs or its name are none"),
        ({"name": "a + b"}, {}, "its pairs or its name are none"),
        ({}, {"base": WIDE[:3]}, "is damaged: "),
        ({}, {"base": np.ones((16, 1))}, "is damaged: "),
        ({}, {"map": np.ones((3, 3))}, "is damaged: "),
        ({}, {"gain": np.ones(2)}, "is damaged: "),
        ({}, {"gain": np.ones(0)}, "is damaged: "),
        ({}, {"more": WIDE}, "is damaged: "),
        ({}, {"target": None}, "is damaged: "),
        ({}, {"target": WIDE.astype(np.float32)}, "it holds other than float64 up to 1e+40"),
        ({}, {"base": WIDE * np.nan}, "it holds other than float64 up to 1e+40"),
        ({}, {"map": np.full((16, 16), np.inf)}, "it holds other than float64 up to 1e+40"),
        ({}, {"target": -2e40 * WIDE}, "it holds other than float64 up to 1e+40"),
    ],
)
def test_a_hostile_file_is_refused(
    head: Head, saved: Path, about: Changes, arrays: Changes, message: str
) -> None:
    with safe_open(saved, "np") as file:
        metadata = file.metadata() | about
        held = {name: file.get_tensor(name) for name in file.keys()} | arrays  # noqa: SIM118
    save_file({k: v for k, v in held.items() if v is not None}, saved, metadata=metadata)
    with pytest.raises(UsageError) as caught:
        head.concept("up(sea)", directions=saved)
    assert str(caught.value).startswith(f"{saved}: ")
    assert message in str(caught.value)


@pytest.mark.parametrize("space", ["logit", "causal"])
def test_the_largest_numbers_of_a_file_can_be_asked_with(
    head: Head, tmp_path: Path, space: str
) -> None:
    path = tmp_path / "up.safetensors"
    head.save_direction("up", path, directions=GIVEN, estimator="ridge", space=space)
    with safe_open(path, "np") as file:
        metadata = file.metadata()
        held = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    save_file({name: np.full_like(v, 1e40) for name, v in held.items()}, path, metadata=metadata)
    answer = head.nearest("up(sea)", directions=path, space=space, score="cosine", top=3)
    assert np.isfinite([near.score for near in answer.neighbours]).all()


@pytest.mark.parametrize("cut", [0, 4, 100, -1])
def test_a_truncated_file_is_refused(head: Head, saved: Path, cut: int) -> None:
    saved.write_bytes(saved.read_bytes()[:cut])
    with pytest.raises(UsageError, match="not a readable safetensors file"):
        head.concept("up(sea)", directions=saved)


def test_a_foreign_file_is_refused(head: Head, tmp_path: Path) -> None:
    empty = {"base": {"dtype": "F64", "shape": [0, 1 << 60], "data_offsets": [0, 0]}}
    header = json.dumps(empty).encode()
    claim = tmp_path / "claim.safetensors"
    claim.write_bytes(len(header).to_bytes(8, "little") + header)
    for path, message in (
        (Path(head.source, "model.safetensors"), "this is no saved direction"),
        (claim, "this is no saved direction"),
        (tmp_path / "nosuch.safetensors", "not a readable safetensors file"),
        (tmp_path / "nosuch.toml", "there is no such file of directions"),
        (Path(head.source, "config.json"), "is no TOML"),
    ):
        with pytest.raises(UsageError) as caught:
            head.concept("up(sea)", directions=path)
        assert message in str(caught.value)
