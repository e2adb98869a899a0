"""Opening heads: which tensor, what is refused."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from unembed import Head, nearest, open_head
from unembed.errors import CheckpointError

Make = Callable[..., Path]


@pytest.mark.parametrize("dtype", ["BF16", "F16", "F32"])
def test_a_head_is_the_tensor_itself(make_checkpoint: Make, dtype: str) -> None:
    from safetensors.torch import load_file

    directory = make_checkpoint(dtype=dtype)
    head = open_head(directory)
    weights = load_file(directory / "model.safetensors")["model.embed_tokens.weight"]
    assert isinstance(head, Head)
    assert (head.rows.dtype, head.tied, head.tensor) == (dtype, True, "model.embed_tokens.weight")
    np.testing.assert_array_equal(head.rows.decode(slice(None)), weights.double().numpy())
    np.testing.assert_allclose(head.norms_V, weights.double().norm(dim=1).numpy(), rtol=1e-14)
    assert repr(head) == (
        f"Head({str(directory)!r}, model.embed_tokens.weight, {len(weights)} x 16 {dtype}, tied)"
    )


def matrix(value: float) -> torch.Tensor:
    return torch.full((300, 4), value)


@pytest.mark.parametrize(
    ("names", "tie", "expected", "tied"),
    [
        (["model.embed_tokens.weight", "lm_head.weight"], False, "lm_head.weight", False),
        (["model.embed_tokens.weight", "lm_head.weight"], True, "model.embed_tokens.weight", True),
        (["model.embed_tokens.weight"], None, "model.embed_tokens.weight", True),
        (
            ["language_model.model.embed_tokens.weight", "language_model.lm_head.weight"],
            False,
            "language_model.lm_head.weight",
            False,
        ),
        (["transformer.wte.weight"], True, "transformer.wte.weight", True),
        (["embed_out.weight", "other"], False, "embed_out.weight", False),
    ],
)
def test_which_tensor_is_the_head(
    make_checkpoint: Make, names: list[str], tie: bool | None, expected: str, tied: bool
) -> None:
    tensors = {name: matrix(float(place)) for place, name in enumerate(names)}
    directory = make_checkpoint(tensors=tensors, config={"tie_word_embeddings": tie})
    head = open_head(directory)
    assert (head.tensor, head.tied) == (expected, tied)


def test_a_checkpoint_without_a_head_lists_its_matrices(make_checkpoint: Make) -> None:
    directory = make_checkpoint(tensors={"strange": matrix(1.0), "norm": torch.zeros(4)})
    with pytest.raises(
        CheckpointError, match=r"none of its tensors .* its matrices are 'strange'$"
    ):
        open_head(directory)


def test_an_embedding_is_not_taken_for_a_head_that_is_not_tied(make_checkpoint: Make) -> None:
    directory = make_checkpoint(
        tensors={"model.embed_tokens.weight": matrix(1.0)}, config={"tie_word_embeddings": False}
    )
    with pytest.raises(CheckpointError, match=r"says that it is not tied"):
        open_head(directory)


def test_names_in_errors_hold_no_escapes(make_checkpoint: Make) -> None:
    directory = make_checkpoint(tensors={"a\x1b]0;x\x07\nunembed: b": matrix(1.0)})
    with pytest.raises(CheckpointError) as caught:
        open_head(directory)
    assert "\x1b" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_sharded_checkpoint_is_refused_by_name(make_checkpoint: Make) -> None:
    directory = make_checkpoint()
    (directory / "model.safetensors").rename(directory / "model-00001-of-00001.safetensors")
    (directory / "model.safetensors.index.json").write_text("{}")
    with pytest.raises(CheckpointError, match="its weights are in several files; save them as one"):
        open_head(directory)


def test_a_name_too_long_for_the_system_is_refused() -> None:
    with pytest.raises(CheckpointError, match=r"not readable: .*File name too long"):
        open_head("a" * 300)


def test_what_is_no_checkpoint_is_named(tmp_path: Path, make_checkpoint: Make) -> None:
    with pytest.raises(CheckpointError, match="nowhere: no such checkpoint directory"):
        open_head(tmp_path / "nowhere")
    with pytest.raises(CheckpointError, match=r"config\.json: not readable JSON"):
        open_head(tmp_path)
    directory = make_checkpoint()
    (directory / "config.json").write_text("[1]")
    with pytest.raises(CheckpointError, match="a JSON object is expected, not list"):
        open_head(directory)
    with (directory / "config.json").open("wb") as file:
        file.truncate(17 << 20)
    with pytest.raises(CheckpointError, match="17,825,792 bytes; at most 16,777,216 are read"):
        open_head(directory)


def test_kept_norms_follow_the_file(make_checkpoint: Make) -> None:
    from safetensors.torch import save_file

    directory = make_checkpoint(dtype="F32")
    before = open_head(directory).norms_V
    rows = torch.from_numpy(open_head(directory).rows.decode(slice(None))).float() * 2
    save_file({"model.embed_tokens.weight": rows}, directory / "model.safetensors")
    np.testing.assert_allclose(open_head(directory).norms_V, before * 2)


def test_nothing_but_the_head_is_read(make_checkpoint: Make) -> None:
    """Beside the head lies a tensor of 64 GiB, a hole in the file: reading it takes minutes."""
    import json
    import struct

    directory = make_checkpoint()
    weights = directory / "model.safetensors"
    rows = open_head(directory).rows.codes_VD
    end, rest = rows.nbytes, 64 << 30
    header = {
        "model.embed_tokens.weight": {
            "dtype": "BF16",
            "shape": list(rows.shape),
            "data_offsets": [0, end],
        },
        "layer": {"dtype": "U8", "shape": [rest], "data_offsets": [end, end + rest]},
    }
    text = json.dumps(header).encode()
    content = struct.pack("<Q", len(text)) + text + rows.tobytes()
    weights.unlink()
    with weights.open("wb") as file:
        file.write(content)
        file.truncate(len(content) + rest)
    assert len(nearest(open_head(directory), "king").neighbours) == 10
