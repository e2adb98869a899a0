"""Safetensors files: what is mapped, and what is refused."""

import json
import os
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from unembed.errors import CheckpointError
from unembed.indexes.rows import Rows
from unembed.indexes.tensors import TensorFile


def crafted(path: Path, header: object, data: bytes = b"", *, length: int | None = None) -> Path:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text) if length is None else length) + text + data)
    return path


def entry(dtype: str, shape: list[int], begin: int, end: int) -> dict[str, object]:
    return {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}


def test_tensors_are_read_only_views_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    values = torch.randn(7, 3)
    save_file({"b": values.bfloat16(), "h": values.half(), "f": values, "d": values.double()}, path)
    file = TensorFile.open(path)
    np.testing.assert_array_equal(file.array("f"), values.numpy())
    np.testing.assert_array_equal(
        Rows.of(file, "b").decode(np.arange(7)), values.bfloat16().double().numpy()
    )
    np.testing.assert_array_equal(
        Rows.of(file, "h").decode(np.arange(7)), values.half().double().numpy()
    )
    np.testing.assert_array_equal(Rows.of(file, "d").decode(slice(2, 4)), values.double()[2:4])
    with pytest.raises(ValueError, match="read-only"):
        file.array("f")[0, 0] = 1


def test_an_unaligned_file_is_searched_all_the_same(tmp_path: Path) -> None:
    from unembed.indexes.faiss import MappedIndex

    values = np.arange(12, dtype="<f2").reshape(4, 3)
    header = json.dumps({"w": entry("F16", [4, 3], 0, 24)}).encode()
    header += b" " * (1 - len(header) % 2)  # an odd length: data on an odd address
    rows = Rows.of(TensorFile.open(crafted(tmp_path / "x", header, values.tobytes())), "w")
    products, ids = MappedIndex(rows, longest=float(rows.norms().max())).products(
        np.array([[1.0, 0.0, 0.0]]), 2
    )
    assert (products.tolist(), ids.tolist()) == ([[9.0, 6.0]], [[3, 2]])


CRAFTED: dict[str, Callable[[Path], Path]] = {
    "empty": lambda path: crafted(path, b"", length=0),
    "no bytes": lambda path: (path.write_bytes(b""), path)[1],
    "header longer than the file": lambda path: crafted(path, b"{}", length=1 << 20),
    "header longer than memory": lambda path: crafted(path, b"{}", length=1 << 62),
    "not JSON": lambda path: crafted(path, b"{]"),
    "not UTF-8": lambda path: crafted(path, b"\xff\xfe"),
    "deep": lambda path: crafted(path, b"[" * 100_000),
    "a list": lambda path: crafted(path, []),
    "data cut off": lambda path: crafted(path, {"w": entry("F32", [4], 0, 16)}, b"\0" * 8),
    "data left over": lambda path: crafted(path, {"w": entry("F32", [2], 0, 8)}, b"\0" * 64),
    "overlap": lambda path: crafted(
        path, {"a": entry("F32", [2], 0, 8), "b": entry("F32", [2], 4, 12)}, b"\0" * 12
    ),
    "hole": lambda path: crafted(
        path, {"a": entry("F32", [1], 0, 4), "b": entry("F32", [1], 8, 12)}, b"\0" * 12
    ),
    "reversed": lambda path: crafted(path, {"w": entry("F32", [2], 8, 0)}, b"\0" * 8),
    "negative": lambda path: crafted(path, {"w": entry("F32", [2], -8, 0)}, b"\0" * 8),
    "shape and size differ": lambda path: crafted(path, {"w": entry("F32", [9], 0, 8)}, b"\0" * 8),
    "shape overflows": lambda path: crafted(
        path, {"w": entry("F32", [1 << 40, 1 << 40], 0, 8)}, b"\0" * 8
    ),
    "unknown type": lambda path: crafted(path, {"w": entry("F99", [2], 0, 8)}, b"\0" * 8),
    "no offsets": lambda path: crafted(path, {"w": {"dtype": "F32", "shape": [2]}}, b"\0" * 8),
    "an entry that is a list": lambda path: crafted(path, {"w": ["F32", [2], [0, 8]]}, b"\0" * 8),
    "overlap of all": lambda path: crafted(
        path, {"a": entry("F32", [2], 0, 8), "b": entry("F32", [2], 0, 8)}, b"\0" * 8
    ),
    "end beyond the file": lambda path: crafted(path, {"w": entry("F32", [2], 8, 16)}, b"\0" * 8),
    "start beyond memory": lambda path: crafted(
        path, {"w": entry("F32", [2], 1 << 62, (1 << 62) + 8)}, b"\0" * 8
    ),
    "another type's size": lambda path: crafted(path, {"w": entry("F16", [2], 0, 8)}, b"\0" * 8),
    "fractions": lambda path: crafted(
        path, {"w": {"dtype": "F32", "shape": [2.5], "data_offsets": [0, 10]}}, b"\0" * 10
    ),
    "a length and nothing else": lambda path: (path.write_bytes(struct.pack("<Q", 8)), path)[1],
    "a pickle": lambda path: (torch.save({"w": torch.zeros(2)}, path), path)[1],
    "a pipe": lambda path: (os.mkfifo(path), path)[1],
    "a name twice": lambda path: crafted(
        path,
        b'{"w":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},'
        b'"w":{"dtype":"F32","shape":[9],"data_offsets":[0,36]}}',
        b"\0" * 4,
    ),
    "a name too long": lambda path: path.with_name("a" * 300 + path.name),
    "a directory": lambda path: (path.mkdir(), path)[1],
    "missing": lambda path: path,
}


@pytest.mark.parametrize("make", CRAFTED.values(), ids=CRAFTED)
def test_hostile_files_are_refused_by_name(tmp_path: Path, make: Callable[[Path], Path]) -> None:
    path = make(tmp_path / "x.safetensors")
    with pytest.raises(CheckpointError, match=r"x\.safetensors: not a readable safetensors file"):
        TensorFile.open(path)


@pytest.mark.parametrize(
    ("tensor", "message"),
    [
        (torch.zeros(4), r"has shape \(4,\); a head is a matrix"),
        (torch.zeros(0, 4), r"has shape \(0, 4\); a head is a matrix"),
        (torch.zeros(2, 2, dtype=torch.int64), "is I64; rows can be BF16, F16, F32, F64"),
        (torch.zeros(2, 0), r"has shape \(2, 0\); a head is a matrix of at least one row"),
        (torch.zeros(1, 2, 3), r"has shape \(1, 2, 3\); a head is a matrix"),
        (torch.tensor(1.0), r"has shape \(\); a head is a matrix"),
        (torch.zeros(1, 65_537), "rows of 65,537 values; a head's have at most 65,536"),
        (torch.zeros(2, 2, dtype=torch.bool), "is BOOL; rows can be BF16, F16, F32, F64"),
        (torch.zeros(2, 2).to(torch.float8_e4m3fnuz), "is F8_E4M3FNUZ; the types that can be read"),
        (torch.zeros(2, 2).to(torch.float8_e4m3fn), "is F8_E4M3; rows can be"),
    ],
)
def test_a_tensor_that_is_no_head_is_refused(
    tmp_path: Path, tensor: torch.Tensor, message: str
) -> None:
    save_file({"w": tensor}, tmp_path / "x")
    with pytest.raises(CheckpointError, match=message):
        Rows.of(TensorFile.open(tmp_path / "x"), "w")


def test_an_empty_tensor_of_a_size_beyond_memory_is_refused(tmp_path: Path) -> None:
    file = TensorFile.open(crafted(tmp_path / "x", {"w": entry("F32", [0, 10**19], 0, 0)}))
    with pytest.raises(CheckpointError, match="tensor 'w' has shape"):
        file.array("w")


def test_a_missing_tensor_is_named(tmp_path: Path) -> None:
    save_file({"w": torch.zeros(2)}, tmp_path / "x")
    with pytest.raises(CheckpointError, match="no tensor 'v'; it holds 'w'"):
        TensorFile.open(tmp_path / "x").array("v")


def test_metadata_that_is_null_is_none(tmp_path: Path) -> None:
    header = {"__metadata__": None, "w": entry("F32", [1], 0, 4)}
    assert TensorFile.open(crafted(tmp_path / "x", header, b"\0" * 4)).metadata == {}


def test_a_file_without_tensors_holds_none(tmp_path: Path) -> None:
    file = TensorFile.open(crafted(tmp_path / "x", {}))
    assert file.entries == {}
    with pytest.raises(CheckpointError, match="no tensor 'w'; it holds none"):
        file.array("w")
