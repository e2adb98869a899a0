"""Rows in eight bits, against torch and against what was packed."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from huggingface_hub import constants
from safetensors.torch import save_file
from unembed import open_head
from unembed.errors import CheckpointError, UsageError
from unembed.indexes.store import cache_directory

from .served import served

Make = Callable[..., Path]
COUNT, WIDTH = 300, 40
KINDS = {"F8_E4M3": torch.float8_e4m3fn, "F8_E5M2": torch.float8_e5m2}


def saved(make_checkpoint: Make, tensors: dict[str, torch.Tensor], **config: object) -> Path:
    directory = make_checkpoint(tensors={"other": torch.ones(1)})
    save_file(tensors, directory / "model.safetensors")
    about = {"tie_word_embeddings": False, "hidden_size": WIDTH, "vocab_size": COUNT}
    (directory / "config.json").write_text(json.dumps(about | config))
    return directory


def rows_of(seed: int = 0) -> torch.Tensor:
    return torch.randn(COUNT, WIDTH, generator=torch.Generator().manual_seed(seed))


def scales(shape: tuple[int, ...]) -> torch.Tensor:
    return 0.5 + torch.rand(shape, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shape", [None, (), (1,), (COUNT,), (COUNT, 1), (3, 1)])
def test_float8_is_torchs_times_its_scale(
    make_checkpoint: Make, kind: str, shape: tuple[int, ...] | None
) -> None:
    packed = rows_of().to(KINDS[kind])
    tensors = {"lm_head.weight": packed}
    wanted = packed.float()
    if shape is not None:
        scale = scales(shape)
        tensors["lm_head.weight_scale"] = scale
        column = scale.repeat_interleave(128, 0)[:COUNT] if shape == (3, 1) else scale
        wanted *= column.reshape(-1, 1)
    head = open_head(saved(make_checkpoint, tensors))
    np.testing.assert_array_equal(head.rows.decode(slice(None)), wanted.double().numpy())
    assert head.rows.dtype == "F32"
    assert head.path.is_relative_to(cache_directory())
    assert head.folder is not None


def test_tiles_are_as_large_as_the_configuration_says(make_checkpoint: Make) -> None:
    packed, scale = rows_of().to(torch.float8_e4m3fn), scales((COUNT // 100, 5))
    directory = saved(
        make_checkpoint,
        {"lm_head.weight": packed, "lm_head.weight_scale_inv": scale},
        quantization_config={"quant_method": "fp8", "weight_block_size": [100, 8]},
    )
    wanted = packed.float() * scale.repeat_interleave(100, 0).repeat_interleave(8, 1)
    head = open_head(directory)
    np.testing.assert_array_equal(head.rows.decode(slice(None)), wanted.double().numpy())


@pytest.mark.parametrize("name", ["SCB", "weight_scale"])
def test_integers_are_scaled_by_their_rows(make_checkpoint: Make, name: str) -> None:
    """As bitsandbytes (the largest of a row, of 127ths) and compressed-tensors have it."""
    rows = rows_of()
    largest = rows.abs().amax(1)
    packed = (rows / largest[:, None] * 127).round().to(torch.int8)
    scale = largest if name == "SCB" else (largest / 127)[:, None].to(torch.bfloat16)
    directory = saved(make_checkpoint, {"lm_head.weight": packed, f"lm_head.{name}": scale})
    found = open_head(directory).rows.decode(slice(None))
    assert np.abs(found - rows.numpy()).max() < 0.01 * float(largest.max())
    factor = largest / 127 if name == "SCB" else scale.float()[:, 0]
    np.testing.assert_allclose(found, packed.float() * factor[:, None], rtol=1e-6)


def test_it_is_unpacked_once_and_again_when_a_file_changes(make_checkpoint: Make) -> None:
    tensors = {"lm_head.weight": rows_of().to(torch.float8_e4m3fn)}
    directory = saved(make_checkpoint, tensors)
    kept = open_head(directory).path
    times = kept.stat().st_mtime_ns
    assert (open_head(directory).path, kept.stat().st_mtime_ns) == (kept, times)
    tensors["lm_head.weight_scale"] = torch.tensor(2.0)
    save_file(tensors, directory / "model.safetensors")
    assert open_head(directory).path != kept


def test_a_hubs_rows_are_unpacked_too(
    make_checkpoint: Make, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    packed, scale = rows_of().to(torch.float8_e4m3fn), scales((COUNT, 1))
    directory = saved(make_checkpoint, {"lm_head.weight": packed, "lm_head.weight_scale": scale})
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    with served(directory) as hub:
        monkeypatch.setattr(constants, "ENDPOINT", hub.hub)
        head = open_head("org/model")
    np.testing.assert_array_equal(
        head.rows.decode(slice(None)), (packed.float() * scale).double().numpy()
    )
    assert head.folder is None


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"lm_head.weight_scale": torch.ones(7)}, r"shape \(7,\); a number, \(300,\)"),
        ({"lm_head.weight_scale": torch.ones(1, dtype=torch.int64)}, "is I64"),
        ({"lm_head.weight_scale": torch.tensor(torch.nan)}, "holds NaN"),
        ({"lm_head.weight_zero_point": torch.ones(300)}, "packed with 'lm_head.weight_zero"),
        ({"lm_head.weight.absmax": torch.ones(300)}, "'lm_head.weight.absmax' is packed"),
        ({"lm_head.input_scale": torch.ones(1)}, None),
    ],
)
def test_what_does_not_fit_is_refused(
    make_checkpoint: Make, more: dict[str, torch.Tensor], said: str | None
) -> None:
    tensors = {"lm_head.weight": rows_of().to(torch.float8_e4m3fn)}
    directory = saved(make_checkpoint, tensors | more)
    if said is None:
        open_head(directory)
        return
    with pytest.raises(CheckpointError, match=said):
        open_head(directory)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float32])
def test_columns_are_made_rows_where_the_configuration_tells(
    make_checkpoint: Make, dtype: torch.dtype
) -> None:
    rows = rows_of().to(dtype)
    directory = saved(make_checkpoint, {"lm_head.weight": rows.T.contiguous()})
    head = open_head(directory)
    np.testing.assert_array_equal(head.rows.decode(slice(None)), rows.double().numpy())
    assert (head.tensor, head.rows.count, head.rows.width) == ("lm_head.weight", COUNT, WIDTH)
    assert open_head(directory).path == head.path


def test_parts_of_a_vocabulary_are_joined_in_their_order(make_checkpoint: Make) -> None:
    rows = rows_of()
    parts = {f"output.{n}.weight": part for n, part in enumerate(rows.split(25))}
    assert len(parts) == 12
    directory = saved(make_checkpoint, parts | {"output.1.other": torch.ones(3)})
    head = open_head(directory, tensor="output.*.weight")
    np.testing.assert_array_equal(head.rows.decode(slice(None)), rows.double().numpy())
    assert head.tensor == "output.*.weight"
    assert head.nearest("king", top=1).neighbours
    with pytest.raises(UsageError, match=r"no tensor 'none\.\*'; its matrices are"):
        open_head(directory, tensor="none.*")
    with pytest.raises(CheckpointError, match=r"a head is a matrix|one width and type"):
        open_head(directory, tensor="output.*")


def test_parts_of_several_widths_are_no_head(make_checkpoint: Make) -> None:
    tensors = {"a.0": torch.ones(300, 4), "a.1": torch.ones(300, 5)}
    with pytest.raises(CheckpointError, match=r"one width and type are expected: 'a\.0' F32"):
        open_head(saved(make_checkpoint, tensors), tensor="a.*")
