"""Heads in four bits: what is packed here by the layouts' own rules comes out again."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from safetensors.numpy import save_file
from unembed import open_head
from unembed.errors import CheckpointError

Make = Callable[..., Path]
Tensors = dict[str, NDArray[Any]]
COUNT, WIDTH, GROUP = 296, 64, 32
GROUPS = WIDTH // GROUP
RNG = np.random.default_rng(0)
AWQ_ORDER = [0, 2, 4, 6, 1, 3, 5, 7]  # which of eight columns each place of a word holds
NF4 = np.linspace(-1, 1, 16).astype(np.float32)


def saved(
    make_checkpoint: Make, tensors: Tensors, quantization: object, tied: bool = False
) -> Path:
    directory = make_checkpoint(tensors={"other": torch.ones(1)})
    norm = {"model.norm.weight": np.ones(WIDTH, np.float32)}
    embedding = {"model.embed_tokens.weight": np.ones((COUNT, WIDTH), np.float16)}
    save_file(tensors | norm | embedding, directory / "model.safetensors")
    about = {"tie_word_embeddings": tied, "hidden_size": WIDTH, "vocab_size": COUNT}
    about["quantization_config"] = quantization
    (directory / "config.json").write_text(json.dumps(about))
    return directory


def words(values_RC: NDArray[Any], bits: int) -> NDArray[np.int32]:
    """Pack each row into words, the first value in the lowest bits; the last word is filled up."""
    each = 32 // bits
    padded = np.pad(values_RC, ((0, 0), (0, -values_RC.shape[1] % each))).astype(np.uint64)
    packed = np.zeros((len(padded), padded.shape[1] // each), np.uint64)
    for place in range(each):
        packed |= padded[:, place::each] << np.uint64(bits * place)
    return packed.astype(np.uint32).view(np.int32)


def some(bits: int, shape: tuple[int, ...]) -> NDArray[np.int64]:
    return RNG.integers(0, 1 << bits, shape)


def check(directory: Path, wanted_VD: NDArray[Any], tensor: str) -> None:
    head = open_head(directory)
    np.testing.assert_allclose(head.rows.decode(slice(None)), wanted_VD, rtol=1e-6, atol=1e-7)
    assert (head.tensor, head.tied, head.rows.dtype) == (tensor, False, "F32")
    assert head.final_norm is not None
    assert open_head(directory).path == head.path
    assert open_head(directory, tensor=tensor).path == head.path


def gptq(bits: int, *, groups_D: NDArray[np.int64], more: int) -> tuple[Tensors, NDArray[Any]]:
    q_DV, z_GV = some(bits, (WIDTH, COUNT)), some(bits, (GROUPS, COUNT))
    scales_GV = RNG.random((GROUPS, COUNT)).astype(np.float16)
    tensors: Tensors = {
        "lm_head.qweight": np.ascontiguousarray(words(q_DV.T, bits).T),
        "lm_head.qzeros": words(z_GV, bits),
        "lm_head.scales": scales_GV,
        "lm_head.g_idx": groups_D.astype(np.int32),
    }
    wanted_DV = scales_GV[groups_D].astype(float) * (q_DV - z_GV[groups_D] - more)
    return tensors, wanted_DV.T


@pytest.mark.parametrize("bits", [2, 4, 8])
@pytest.mark.parametrize("version", ["gptq", "gptq_v2"])
@pytest.mark.parametrize("order", ["plain", "acted", "absent"])
def test_gptq_packs_along_the_width(
    make_checkpoint: Make, bits: int, version: str, order: str
) -> None:
    groups_D = np.arange(WIDTH) // GROUP
    if order == "acted":
        groups_D = RNG.permutation(groups_D)
    tensors, wanted_VD = gptq(bits, groups_D=groups_D, more=version == "gptq")
    if order == "absent":
        del tensors["lm_head.g_idx"]
    about = {"quant_method": "gptq", "bits": bits, "checkpoint_format": version}
    check(saved(make_checkpoint, tensors, about), wanted_VD, "lm_head.qweight")


def test_awq_packs_along_the_rows_in_an_order_of_its_own(make_checkpoint: Make) -> None:
    q_DV, z_GV = some(4, (WIDTH, COUNT)), some(4, (GROUPS, COUNT))
    scales_GV = RNG.random((GROUPS, COUNT)).astype(np.float16)

    def packed(values_RV: NDArray[Any]) -> NDArray[np.int32]:
        ordered = values_RV.reshape(len(values_RV), -1, 8)[:, :, AWQ_ORDER]
        return words(ordered.reshape(values_RV.shape), 4)

    tensors: Tensors = {
        "lm_head.qweight": packed(q_DV),
        "lm_head.qzeros": packed(z_GV),
        "lm_head.scales": scales_GV,
    }
    groups_D = np.arange(WIDTH) // GROUP
    wanted_DV = scales_GV[groups_D].astype(float) * (q_DV - z_GV[groups_D])
    about = {"quant_method": "awq", "bits": 4, "group_size": GROUP, "version": "gemm"}
    check(saved(make_checkpoint, tensors, about), wanted_DV.T, "lm_head.qweight")


@pytest.mark.parametrize("bits", [4, 8])
@pytest.mark.parametrize("zeros", [False, True])
@pytest.mark.parametrize("groups", [1, GROUPS])
def test_compressed_tensors_packs_around_a_middle(
    make_checkpoint: Make, bits: int, zeros: bool, groups: int
) -> None:
    q_VD, middle = some(bits, (COUNT, WIDTH)), 1 << (bits - 1)
    scales_VG = RNG.random((COUNT, groups)).astype(np.float32)
    tensors: Tensors = {
        "lm_head.weight_packed": words(q_VD, bits),
        "lm_head.weight_scale": scales_VG,
        "lm_head.weight_shape": np.array([COUNT, WIDTH]),
    }
    shifted_VD = (q_VD - middle).astype(float)
    groups_D = np.arange(WIDTH) // (WIDTH // groups)
    if zeros:
        z_VG = some(bits, (COUNT, groups))
        tensors["lm_head.weight_zero_point"] = np.ascontiguousarray(words(z_VG.T, bits).T)
        shifted_VD -= (z_VG - middle)[:, groups_D]
    about = {"quant_method": "compressed-tensors", "format": "pack-quantized"}
    wanted_VD = scales_VG[:, groups_D] * shifted_VD
    check(saved(make_checkpoint, tensors, about), wanted_VD, "lm_head.weight_packed")


@pytest.mark.parametrize("nested", [False, True])
@pytest.mark.parametrize("block", [48, 64])
def test_bitsandbytes_chooses_among_sixteen_values(
    make_checkpoint: Make, nested: bool, block: int
) -> None:
    q_N = some(4, (COUNT * WIDTH,))
    blocks = -(-len(q_N) // block)
    state: dict[str, Any] = {"quant_type": "nf4", "blocksize": block, "dtype": "bfloat16"}
    state["shape"] = [COUNT, WIDTH]
    lengths = RNG.random(blocks).astype(np.float32)
    tensors: Tensors = {
        "lm_head.weight": (q_N[::2] << 4 | q_N[1::2]).astype(np.uint8)[:, None],
        "lm_head.weight.quant_map": NF4,
        "lm_head.weight.absmax": lengths,
    }
    if nested:
        state |= {"nested_blocksize": 16, "nested_dtype": "float32", "nested_offset": 0.25}
        codes = RNG.integers(0, 256, blocks).astype(np.uint8)
        outer = RNG.random(-(-blocks // 16)).astype(np.float32)
        table = np.linspace(-1, 1, 256).astype(np.float32)
        tensors |= {
            "lm_head.weight.absmax": codes,
            "lm_head.weight.nested_absmax": outer,
            "lm_head.weight.nested_quant_map": table,
        }
        lengths = table[codes] * outer[np.arange(blocks) // 16] + np.float32(0.25)
    tensors["lm_head.weight.quant_state.bitsandbytes__nf4"] = np.frombuffer(
        json.dumps(state).encode(), np.uint8
    )
    wanted_N = NF4[q_N] * lengths[np.arange(len(q_N)) // block]
    about = {"quant_method": "bitsandbytes", "load_in_4bit": True}
    check(
        saved(make_checkpoint, tensors, about),
        wanted_N.reshape(COUNT, WIDTH),
        "lm_head.weight.absmax",
    )


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"lm_head.qzeros": None}, "qzeros is missing"),
        ({"lm_head.scales": None}, "scales is missing"),
        ({"lm_head.qzeros": np.zeros((1, 1), np.int32)}, r"qzeros \(1, 1\)"),
        ({"lm_head.qzeros": np.zeros((1, 1), np.float32)}, "whole numbers are expected"),
        ({"lm_head.scales": np.ones((GROUPS, COUNT), np.int32)}, "floating point is expected"),
        ({"lm_head.scales": np.full((GROUPS, COUNT), np.nan, np.float32)}, "holds NaN"),
        ({"lm_head.scales": np.ones((0, COUNT), np.float32)}, "known"),
        ({"lm_head.g_idx": np.full(WIDTH, 99, np.int32)}, "not a group for each"),
        ({"lm_head.g_idx": np.zeros(3, np.int32)}, "not a group for each"),
        ({"lm_head.qweight": np.zeros((1, 1, 1), np.int32)}, "has shape"),
    ],
)
def test_what_does_not_fit_is_refused(
    make_checkpoint: Make, changed: dict[str, Any], said: str
) -> None:
    tensors, _ = gptq(4, groups_D=np.arange(WIDTH) // GROUP, more=1)
    tensors |= changed
    about = {"quant_method": "gptq", "bits": 4}
    kept = {name: tensor for name, tensor in tensors.items() if tensor is not None}
    with pytest.raises(CheckpointError, match=said):
        open_head(saved(make_checkpoint, kept, about))


def test_bits_that_are_not_known_are_refused(make_checkpoint: Make) -> None:
    tensors, _ = gptq(4, groups_D=np.arange(WIDTH) // GROUP, more=1)
    with pytest.raises(CheckpointError, match="3 bits; 2, 4 and 8 are known"):
        open_head(saved(make_checkpoint, tensors, {"quant_method": "gptq", "bits": 3}))


@pytest.mark.parametrize(
    "state",
    [
        b"[]",
        b"{}",
        b"\xff",
        b"[" * 60_000,
        b'{"shape": ["a", 1], "blocksize": 64}',
        b'{"shape": [4, 4], "blocksize": 0}',
        b'{"shape": [296, 64], "blocksize": 64, "nested_blocksize": 0, "nested_offset": 1}',
    ],
)
def test_a_state_that_lies_is_refused(make_checkpoint: Make, state: bytes) -> None:
    tensors: Tensors = {
        "lm_head.weight": np.zeros((COUNT * WIDTH // 2, 1), np.uint8),
        "lm_head.weight.quant_map": NF4,
        "lm_head.weight.absmax": np.ones(COUNT * WIDTH // 64, np.float32),
        "lm_head.weight.quant_state.bitsandbytes__nf4": np.frombuffer(state, np.uint8),
    }
    with pytest.raises(CheckpointError, match="packed in a way that is not known"):
        open_head(saved(make_checkpoint, tensors, {"quant_method": "bitsandbytes"}))
