"""Saved directions: they answer the same, on their own head, and a hostile file is refused."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.numpy import save_file
from unembed import Head, open_head
from unembed.errors import UsageError
from unembed.geometry.concepts.compose import composer_of
from unembed.geometry.concepts.estimators import ESTIMATORS, Fit
from unembed.geometry.concepts.pairs import Pair, PairSet
from unembed.geometry.concepts.saved import SavedDirection, save
from unembed.geometry.space import open_space

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


def test_a_saved_direction_is_of_one_head_space_and_folding(
    head: Head, saved: Path, make_checkpoint: Make
) -> None:
    other = open_head(make_checkpoint("byte_level"))
    tries: list[tuple[Head, str, str]] = [
        (other, "causal", "on another head"),
        (other, "logit", "on another head and in the space 'causal', not logit"),
        *(
            (head, space, f"in the space 'causal', not {space}")
            for space in (*SPACES[:3], "causal:0.5")
        ),
    ]
    for who, space, message in tries:
        with pytest.raises(UsageError) as caught:
            who.concept("up(sea)", directions=saved, space=space)
        assert str(caught.value) == f"{saved}: the direction was learned {message}; learn it here"


@pytest.mark.parametrize("folded", [False, True])
def test_a_saved_direction_says_how_the_norm_was_folded(
    make_checkpoint: Make, tmp_path: Path, folded: bool
) -> None:
    rows = torch.from_numpy(np.random.default_rng(0).standard_normal((286, 16)))
    tensors = {"model.embed_tokens.weight": rows, "model.norm.weight": torch.arange(16.0) + 1}
    config = {"tie_word_embeddings": True, "model_type": "llama", "rms_norm_eps": 1e-6}
    head = open_head(make_checkpoint(tensors=tensors, config=config))
    path = tmp_path / "up.safetensors"
    head.save_direction("up", path, directions=GIVEN, fold_norm=folded)
    assert head.concept("up(sea)", directions=path, fold_norm=folded).fit is not None
    how = "folded" if folded else "not folded"
    wrong = f"the direction was learned with the final norm {how}; learn it here"
    with pytest.raises(UsageError, match=wrong):
        head.concept("up(sea)", directions=path, fold_norm=not folded)


def test_a_saved_direction_is_applied_with_its_own_pieces(head: Head, tmp_path: Path) -> None:
    options: dict[str, Any] = {"directions": GIVEN, "pieces": "first"}
    composer = composer_of(head, **options)
    path = tmp_path / "up.safetensors"
    save(path, composer.space, composer.directions.learned("up"))
    wanted = head.concept('up("dog cat") + aab', **options).vector_D
    assert not np.allclose(wanted, head.concept('up("dog cat") + aab', directions=GIVEN).vector_D)
    for asked in ({}, {"pieces": "first"}, {"estimator": "offset"}):
        found = head.concept('up("dog cat") + aab', directions=path, **asked)  # type: ignore[arg-type]
        np.testing.assert_array_equal(found.vector_D, wanted)
    kept = composer_of(head, directions=path)
    assert (kept.pieces, kept.directions.pieces) == ("first", "first")
    for what, asked, learned in (("pieces", "mean", "first"), ("estimator", "ridge", "offset")):
        for ask in (head.concept, head.nearest):
            with pytest.raises(UsageError) as caught:
                ask("up(sea)", directions=path, **{what: asked})  # type: ignore[arg-type]
            assert str(caught.value) == (
                f"{path}: the direction 'up' was learned with the {what} {learned}, not {asked}; "
                f"leave {what} out, or learn it again"
            )


def test_the_direction_of_a_region_is_saved_and_judged_again(head: Head, tmp_path: Path) -> None:
    path = tmp_path / "it.safetensors"
    given = {"it": PairSet("it", "", learned_from="emoji")}
    head.save_direction("it", path, directions=given)
    kept = composer_of(head, directions=path).directions
    assert (kept.pairs("it"), kept.estimator_of("it")) == (given["it"], "category")
    assert kept.sample("it").target_ids_N.size == 6


@pytest.mark.parametrize(
    ("pairs", "message"),
    [
        (PairSet("up", "x" * 1001, UP.pairs), "its about is 'xx"),
        (PairSet("up", "", (*UP.pairs, Pair("x" * 201, "queen"))), "is not two texts of 1 to 200"),
        (PairSet("up", "", learned_from=Path("list.txt")), "was learned from the file 'list.txt'"),
    ],
)
def test_what_would_not_be_read_again_is_not_saved(
    head: Head, tmp_path: Path, pairs: PairSet, message: str
) -> None:
    path = tmp_path / "up.safetensors"
    direction = SavedDirection(pairs, "offset", Fit(np.zeros(16), np.ones(16)))
    with pytest.raises(UsageError, match=message):
        save(path, open_space(head), direction)
    assert not path.exists()


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
NO_PAIRS = "its pairs are no list of a base, a target and an id or null each"
NO_TEXTS = "is not two texts of 1 to 200 characters and a token's id or None"
Changes = Mapping[str, Any]


@pytest.mark.parametrize(
    ("about", "arrays", "message"),
    [
        (
            {"kind": "unembed direction 1"},
            {},
            "this is no saved direction; unembed direction --save",
        ),
        ({"estimator": "mean"}, {}, "is damaged: "),
        ({"estimator": ""}, {}, "is damaged: "),
        ({"region": "nosuch"}, {}, "is damaged: Expecting value"),
        ({"region": "7"}, {}, "its region is 7, no text"),
        ({"region": f'"{"x" * 201}"'}, {}, "its region is 'xx"),
        ({"learned_from": "7"}, {}, "it is learned from 7"),
        ({"learned_from": '"greek"'}, {}, "both pairs and a region"),
        ({"learned_from": ""}, {}, "is damaged: Expecting value"),
        ({"pieces": "median"}, {}, "its pieces 'median'"),
        ({"estimator": "x" * 9000}, {}, "its estimator 'xxx"),
        ({"space": "x" * 9000}, {}, "in the space 'xxx"),
        ({"about": "x" * 9000}, {}, "its about is 'xxx"),
        ({"head": "0"}, {}, "the direction was learned on another head; learn it here"),
        ({"region": "[" * 100_000}, {}, "is damaged: maximum recursion depth"),
        ({"pairs": ""}, {}, "is damaged: Expecting value"),
        ({"pairs": "{}"}, {}, NO_PAIRS),
        ({"pairs": '[["a", "b"]]'}, {}, NO_PAIRS),
        ({"pairs": '[["a", 1, null]]'}, {}, NO_TEXTS),
        ({"pairs": '[["a", "b", true]]'}, {}, NO_TEXTS),
        ({"pairs": '[["a", "b", -1]]'}, {}, NO_TEXTS),
        ({"pairs": '[["a", "b", 1e3]]'}, {}, NO_TEXTS),
        ({"pairs": f'[["a", "b", 1{"0" * 30}]]'}, {}, NO_TEXTS),
        ({"pairs": f'[["a", "{"b" * 201}", null]]'}, {}, NO_TEXTS),
        ({"pairs": '[["", "b", null]]'}, {}, NO_TEXTS),
        ({"pairs": f'[["a", "b", 1{"0" * 5000}]]'}, {}, "is damaged: Exceeds the limit"),
        ({"pairs": json.dumps([["a", "b", None]] * 20_001)}, {}, "no tuple of at most 20,000"),
        ({"pairs": "[" * 100_000}, {}, "is damaged: maximum recursion depth"),
        ({"name": ""}, {}, "its name, '', is no name"),
        ({"name": "a + b"}, {}, "its name, 'a + b', is no name"),
        ({"name": "é"}, {}, "its name, 'é', is no name"),
        ({"name": "x" * 9000}, {}, "…, is no name; it has letters"),
        ({"name": "unit"}, {}, "its name, 'unit', is the name of a function"),
        ({}, {"x" * 9000: WIDE}, "is damaged: its arrays are {'"),
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
    assert len(str(caught.value)) < 400 + len(str(saved))


@pytest.mark.parametrize("region", ["/etc/passwd", "../secret", "secret.txt"])
def test_a_saved_direction_names_no_file(
    head: Head, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, region: str
) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    for name in ("../secret", "secret.txt"):
        Path(name).write_text("root:x\n")
    path = tmp_path / "it.safetensors"
    pairs = PairSet("it", "", learned_from=region)
    save(path, open_space(head), SavedDirection(pairs, "category", Fit(np.zeros(16), np.ones(16))))
    with pytest.raises(UsageError) as caught:
        head.direction("it", directions=path)
    assert f"the region {region!r} is a path" in str(caught.value)
    assert "root:x" not in str(caught.value)


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
