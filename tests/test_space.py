"""The spaces: what they place where, what they keep, what they refuse."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.covariance import ledoit_wolf, oas, shrunk_covariance
from unembed import Head, open_head
from unembed.errors import CheckpointError, UsageError
from unembed.geometry.heads.final_norm import FinalNorm
from unembed.geometry.space import DEFAULT_SPACE, SPACES, open_space
from unembed.indexes.rows import Rows

Make = Callable[..., Path]
FOLDS = [False, True]
CAUSAL = ["causal", "causal:oas", "causal:0.1", "causal:floor=0.25"]
NAMES = ["logit", "cosine", "centred", *CAUSAL]


@pytest.fixture
def head(make_checkpoint: Make) -> Head:
    bias = np.linspace(-1.0, 1.0, 16)
    norm = FinalNorm("layer", np.linspace(0.5, 2.0, 16), bias, 1e-5)
    head = open_head(make_checkpoint(padding=7))
    mix = np.eye(16) + np.tril(np.random.default_rng(6).standard_normal((16, 16)), -1)
    rows = Rows((head.rows.decode(slice(None)) @ mix).astype(np.float32), "F32")
    return replace(head, rows=rows, key=f"{head.key} mixed", final_norm=norm)


def everything(head: Head, *, fold: bool) -> Any:
    rows = head.rows.decode(slice(None))
    if not (fold and head.final_norm):
        return rows
    rows = rows * head.final_norm.weight_D
    return rows - rows.mean(axis=1, keepdims=True)  # what the norm's output cannot meet


def test_there_are_four_and_the_causal_one_is_meant() -> None:
    assert list(SPACES) == ["logit", "cosine", "centred", "causal"]
    assert DEFAULT_SPACE == "causal"


@pytest.mark.parametrize("fold", FOLDS)
def test_rows_are_placed(head: Head, fold: bool) -> None:
    rows, known = everything(head, fold=fold), head.vocabulary.known_V
    mean = rows[known].mean(axis=0)
    for name in ("logit", "cosine"):
        space = open_space(head, name, fold_norm=fold)
        np.testing.assert_array_equal(space.place(head.rows.decode(slice(None))), rows)
    space = open_space(head, "centred", fold_norm=fold)
    np.testing.assert_allclose(space.place(head.rows.decode(slice(None))), rows - mean, atol=1e-13)
    np.testing.assert_allclose(space.norms_V, np.linalg.norm(rows - mean, axis=1))


def floored(rows: Any, share: float) -> Any:
    values, vectors = np.linalg.eigh(np.cov(rows, rowvar=False, bias=True))
    return (vectors * np.maximum(values, share * values.mean())) @ vectors.T


SHRUNK: dict[str, Callable[[Any], Any]] = {
    "causal": lambda rows: ledoit_wolf(rows)[0],
    "causal:oas": lambda rows: oas(rows)[0],
    "causal:0.1": lambda rows: shrunk_covariance(np.cov(rows, rowvar=False, bias=True)),
    "causal:floor=0.25": lambda rows: floored(rows, 0.25),
}


@pytest.mark.parametrize("name", CAUSAL)
@pytest.mark.parametrize("fold", FOLDS)
def test_the_causal_space_is_whitened_by_the_shrunk_covariance(
    head: Head, name: str, fold: bool
) -> None:
    rows, known = everything(head, fold=fold), head.vocabulary.known_V
    space = open_space(head, name, fold_norm=fold)
    covariance = SHRUNK[name](rows[known])
    assert not np.allclose(covariance, np.cov(rows[known], rowvar=False, bias=True))
    assert space.map_DD is not None
    np.testing.assert_allclose(space.map_DD @ covariance @ space.map_DD, np.eye(16), atol=1e-12)
    np.testing.assert_array_equal(space.map_DD, space.map_DD.T)
    placed = space.place(head.rows.decode(slice(None)))
    np.testing.assert_allclose(placed[known].mean(axis=0), 0, atol=1e-12)
    np.testing.assert_allclose(space.norms_V, np.linalg.norm(placed, axis=1))


def test_no_shrinkage_whitens_and_a_whole_one_only_centres(head: Head) -> None:
    rows = head.rows.decode(slice(None))
    placed = open_space(head, "causal:0").place(rows)[head.vocabulary.known_V]
    np.testing.assert_allclose(np.cov(placed, rowvar=False, bias=True), np.eye(16), atol=1e-10)
    whole, centred = open_space(head, "causal:1"), open_space(head, "centred")
    scale = whole.norms_V[0] / centred.norms_V[0]
    np.testing.assert_allclose(whole.place(rows), centred.place(rows) * scale, atol=1e-12)


def test_a_shrinkage_is_part_of_the_name(head: Head) -> None:
    space = open_space(head, "causal:0.10")
    assert (space.name, space.kind) == ("causal:0.1", SPACES["causal"])
    assert repr(space) == "Space('causal:0.1', 16 wide)"
    for name in ("causal:0.1", "causal:.1", "causal:1e-1"):
        assert open_space(head, name) is space
        assert open_space(replace(head), name).key == space.key
    answer = head.nearest("king", space="causal:0.10")
    assert answer.space == "causal:0.1"
    assert [near.score for near in answer.neighbours] != [
        near.score for near in head.nearest("king").neighbours
    ]


def test_all_shrinkages_share_one_covariance(head: Head) -> None:
    told: list[str] = []

    def tell(step: str, done: int, total: int) -> None:
        told.append(step)

    for name in CAUSAL:
        open_space(head, name, progress=tell)
    assert told == ["taking the covariance of rows", *["measuring rows"] * len(CAUSAL)]
    assert [entry.name for entry in head.store.entries()] == [
        *("covariance", "norms", "space-causal", "space-causal_0_1"),
        *("space-causal_floor_0_25", "space-causal_oas", "vocabulary"),
    ]
    open_space(head, "causal:0.2", fold_norm=True, progress=tell)  # of other rows
    assert told[-2:] == ["taking the covariance of rows", "measuring rows"]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("fold", FOLDS)
def test_a_residual_meets_the_vector_whose_residual_it_is(
    head: Head, name: str, fold: bool
) -> None:
    space = open_space(head, name, fold_norm=fold)
    # Where a LayerNorm is folded no residual has a mean.
    vector = space.fold.seen(np.random.default_rng(2).standard_normal(16))
    np.testing.assert_allclose(space.meet(space.residual(vector)), vector, atol=1e-10)
    np.testing.assert_allclose(space.residual(space.meet(vector)), vector, atol=1e-10)
    # The product with the residual is the product in the space, but for a constant.
    products = everything(head, fold=fold) @ space.residual(vector)
    inside = space.place(head.rows.decode(slice(None))) @ vector
    np.testing.assert_allclose(np.ptp(products - inside), 0, atol=1e-10)


@pytest.mark.parametrize("kind", ["rms", "layer"])
def test_a_folded_norm_gives_the_models_logits(head: Head, kind: Any) -> None:
    assert head.final_norm is not None
    bias = head.final_norm.bias_D if kind == "layer" else None
    head = replace(
        head,
        final_norm=replace(head.final_norm, kind=kind, bias_D=bias),
        bias_V=np.linspace(-2, 2, head.rows.count),
    )
    assert head.final_norm is not None
    residual = np.random.default_rng(3).standard_normal(16) * 5
    wanted = head.logits(head.final_norm(residual))
    before_gain = replace(head.final_norm, weight_D=np.ones(16), bias_D=None)(residual)
    answer = head.nearest(before_gain, space="logit", fold_norm=True, top=1000)
    assert len(answer.neighbours) == head.vocabulary.known_V.sum()
    for near in answer.neighbours:
        assert near.logit == pytest.approx(wanted[near.id])


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("fold", FOLDS)
def test_what_is_kept_is_what_was_made(
    head: Head, name: str, fold: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = open_space(head, name, fold_norm=fold)
    assert open_space(head, name, fold_norm=fold) is made

    def never(*given: object, **options: object) -> None:
        raise AssertionError("derived again")

    for function in ("spectrum_of", "mean", "mapped_norms"):
        monkeypatch.setattr(f"unembed.geometry.space.{function}", never)
    kept = open_space(replace(head), name, fold_norm=fold)
    assert kept is not made
    assert kept.key == made.key
    for field in ("mean_D", "map_DD", "norms_V", "bias_V"):
        np.testing.assert_array_equal(getattr(kept, field), getattr(made, field))
    np.testing.assert_array_equal(kept.fold.gain_D, made.fold.gain_D)


def test_keys_differ_where_vectors_do(head: Head) -> None:
    keys = {open_space(head, name, fold_norm=fold).key for name in NAMES for fold in FOLDS}
    assert len(keys) == 2 * len(NAMES)
    assert repr(open_space(head, "cosine", fold_norm=True)) == (
        "Space('cosine', 16 wide, norm folded)"
    )


def test_another_gain_is_another_space(head: Head) -> None:
    assert head.final_norm is not None
    other = replace(head, final_norm=replace(head.final_norm, weight_D=np.full(16, 3.0)))
    one, two = (open_space(h, "causal", fold_norm=True) for h in (head, other))
    assert not np.allclose(one.norms_V, two.norms_V)


def test_progress_is_told_once(head: Head) -> None:
    told: list[tuple[str, int, int]] = []
    open_space(head, "causal", progress=lambda *step: told.append(step))
    count, known = head.rows.count, int(head.vocabulary.known_V.sum())
    assert told == [
        ("taking the covariance of rows", known, known),
        ("measuring rows", count, count),
    ]
    open_space(replace(head), "causal", progress=lambda *step: told.append(step))
    assert len(told) == 2


def rows_as(make_checkpoint: Make, rows: torch.Tensor) -> Head:
    return open_head(make_checkpoint(tensors={"model.embed_tokens.weight": rows}))


def test_rows_that_do_not_vary_have_no_causal_space(make_checkpoint: Make) -> None:
    head = rows_as(make_checkpoint, torch.ones(290, 16))
    with pytest.raises(UsageError, match=r"its 282 rows do not vary in all 16 directions.*cosine"):
        head.nearest("king")
    assert head.nearest("king", space="cosine").neighbours[0].score == pytest.approx(1.0)
    with pytest.raises(UsageError, match="comes out at zero"):
        head.nearest("king", space="centred")


def test_rows_that_vary_in_few_directions_want_a_shrinkage(head: Head) -> None:
    """As all rows do where a LayerNorm is folded."""
    with pytest.raises(UsageError, match=r"so they have no causal:0 space.*larger.*causal:0\.1"):
        open_space(head, "causal:0", fold_norm=True)
    assert open_space(head, "causal:0.1", fold_norm=True).norms_V.all()


def test_a_row_at_the_origin_has_cosine_zero(make_checkpoint: Make) -> None:
    rows = torch.randn(290, 16, generator=torch.Generator().manual_seed(4))
    rows[7] = 0
    head = rows_as(make_checkpoint, rows)
    found = head.nearest("king", space="cosine", track=["#7"])
    assert found.tracked[0].score == 0.0
    with pytest.raises(UsageError, match="comes out at zero"):
        head.nearest("king + #7", space="cosine")
    assert head.nearest("king + #7", space="logit").neighbours


@pytest.mark.parametrize("name", NAMES)
def test_rows_that_are_not_finite_are_refused(make_checkpoint: Make, name: str) -> None:
    rows = torch.ones(290, 16)
    rows[9, 3] = float("nan")
    with pytest.raises(CheckpointError, match="the first is row 9"):
        rows_as(make_checkpoint, rows).nearest("king", space=name)


def test_what_is_unknown_says_what_is_known(make_checkpoint: Make) -> None:
    head = open_head(make_checkpoint())
    with pytest.raises(UsageError, match="unknown space 'l2'; the spaces are logit, cosine, centr"):
        open_space(head, "l2")
    with pytest.raises(UsageError, match=r"has no final norm that could be folded into its rows"):
        open_space(head, "causal", fold_norm=True)
    with pytest.raises(UsageError, match=r"unknown space 'l2:0\.1'; the spaces are logit, cosine"):
        open_space(head, "l2:0.1")
    for name in ("logit", "cosine", "centred"):
        match = f"unknown space '{name}:0.1': only causal .* as in causal:0.1; ask for {name}$"
        with pytest.raises(UsageError, match=match):
            open_space(head, f"{name}:0.1")
    for suffix in ("", "lw", "1.5", "floor=0", "0.1:0.1"):
        match = f"unknown shrinkage '{suffix}': it is oas, a number from 0 to 1 such as 0.1, or fl"
        with pytest.raises(UsageError, match=match):
            head.nearest("king", space=f"causal:{suffix}")
