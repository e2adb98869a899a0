"""Heads that quantisers pack, beside the quantisers' own unpacking: no test, and run by hand.

pip install bitsandbytes compressed-tensors; python benchmarks/quantisers.py
"""

import json
import tempfile
from pathlib import Path

import bitsandbytes.functional
import numpy as np
import torch
from compressed_tensors.compressors.pack_quantized import PackedQuantizationCompressor
from compressed_tensors.quantization import QuantizationArgs, QuantizationScheme
from safetensors.torch import save_file
from unembed.geometry.heads.head_tensors import find_head

COUNT, WIDTH, GROUP = 300, 128, 32


def rows_of(tensors: dict[str, torch.Tensor]) -> torch.Tensor:
    """Give the rows of a head that is made of tensors."""
    directory = Path(tempfile.mkdtemp())
    save_file(
        {f"lm_head.{name}": one.contiguous() for name, one in tensors.items()},
        directory / "model.safetensors",
    )
    config = {"tie_word_embeddings": False, "hidden_size": WIDTH, "vocab_size": COUNT}
    (directory / "config.json").write_text(json.dumps(config))
    return torch.from_numpy(find_head(directory).rows.decode(slice(None))).float()


def told(name: str, ours: torch.Tensor, theirs: torch.Tensor) -> None:
    """Say how far rows are from the quantiser's, once they have its type."""
    off = (ours.to(theirs.dtype).float() - theirs.float()).abs().max().item()
    print(f"{name}: off by {off:g} at most, of {theirs.abs().max().item():.2f}")


def main() -> None:
    weight = torch.randn(COUNT, WIDTH, generator=torch.Generator().manual_seed(0))
    for kind in ("nf4", "fp4"):
        for nested in (False, True):
            packed, state = bitsandbytes.functional.quantize_4bit(
                weight.bfloat16(), blocksize=64, compress_statistics=nested, quant_type=kind
            )
            about = {f"weight.{name}": one for name, one in state.as_dict(packed=True).items()}
            theirs = bitsandbytes.functional.dequantize_4bit(packed, state)
            ours = rows_of({"weight": packed} | about)
            told(f"bitsandbytes {kind}{', nested' if nested else ''}", ours, theirs)
    packed, largest, _ = bitsandbytes.functional.int8_vectorwise_quant(weight.half())
    theirs = bitsandbytes.functional.int8_vectorwise_dequant(packed, largest)
    told("bitsandbytes int8", rows_of({"weight": packed, "SCB": largest}), theirs)
    for bits in (4, 8):
        for symmetric in (True, False):
            for groups in (1, WIDTH // GROUP):
                scheme = QuantizationScheme(
                    targets=["Linear"],
                    weights=QuantizationArgs(
                        num_bits=bits,
                        symmetric=symmetric,
                        strategy="channel" if groups == 1 else "group",
                        group_size=None if groups == 1 else GROUP,
                    ),
                )
                scale = weight.reshape(COUNT, groups, -1).abs().amax(-1) / (2 ** (bits - 1) - 1)
                zeros = np.random.default_rng(0).integers(-4, 4, (COUNT, groups)) * (not symmetric)
                given = {"weight": weight.clone(), "weight_scale": scale}
                given["weight_zero_point"] = torch.from_numpy(zeros.astype(np.int8))
                packed = PackedQuantizationCompressor.compress(given, scheme)
                theirs = PackedQuantizationCompressor.decompress(dict(packed), scheme)["weight"]
                name = f"compressed-tensors {bits} bits, {groups} groups, symmetric {symmetric}"
                told(name, rows_of(packed), theirs)


if __name__ == "__main__":
    main()
