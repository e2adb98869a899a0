"""Vectors from files: what is read, and what is refused without a traceback."""

import json
import os
import pickle
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from safetensors.torch import save_file
from unembed.errors import UsageError
from unembed.indexes import vectors
from unembed.indexes.vectors import read_vectors

WIDTH = 6
VALUES = np.random.default_rng(0).integers(-64, 64, (4, WIDTH)) / 8  # exact in every type


def saved(path: Path, values: NDArray[np.generic]) -> Path:
    np.save(path, values)
    return path


def assert_read(path: Path, expected_ND: NDArray[np.float64]) -> None:
    found_ND = read_vectors(path, width=WIDTH)
    np.testing.assert_array_equal(found_ND, expected_ND)
    assert (found_ND.dtype, found_ND.flags.c_contiguous) == (np.float64, True)
    found_ND[0, 0] = 1.0  # its own copy


@pytest.mark.parametrize("dtype", ["<f2", "<f4", "<f8", ">f2", ">f4", ">f8"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_npy_of_every_type_and_order(tmp_path: Path, dtype: str, order: str) -> None:
    array = np.asarray(VALUES, dtype=dtype, order=order)  # type: ignore[call-overload]
    assert_read(saved(tmp_path / "x.npy", array), VALUES)
    assert_read(saved(tmp_path / "one.npy", array[2]), VALUES[2:3])
    assert_read(saved(tmp_path / "row.npy", array[2:3]), VALUES[2:3])


@pytest.mark.parametrize("version", [(1, 0), (2, 0), (3, 0)])
def test_npy_of_every_version(tmp_path: Path, version: tuple[int, int]) -> None:
    with (tmp_path / "x.npy").open("wb") as file:
        np.lib.format.write_array(file, VALUES, version=version)
    assert_read(tmp_path / "x.npy", VALUES)


def npy(path: Path, header: bytes, data: bytes = b"", *, length: int | None = None) -> Path:
    length = len(header) if length is None else length
    path.write_bytes(b"\x93NUMPY\x01\x00" + struct.pack("<H", length) + header + data)
    return path


def test_npy_headers_of_other_writers(tmp_path: Path) -> None:
    """Keys in any order, either quote, no padding: the data may start anywhere."""
    data = VALUES.astype("<f4").tobytes()
    for header in (
        b"{'shape': (4, 6), 'fortran_order': False, 'descr': '<f4'}",
        b'{"descr":"<f4","fortran_order":False,"shape":(4,6)}\n',
        b"{'descr' : '<f4' , 'fortran_order' : False , 'shape' : ( 4 , 6 , ) , }   \n",
    ):
        assert_read(npy(tmp_path / "x.npy", header, data), VALUES)


@pytest.mark.parametrize("kind", [torch.bfloat16, torch.float16, torch.float32, torch.float64])
def test_safetensors_of_every_type(tmp_path: Path, kind: torch.dtype) -> None:
    tensor = torch.from_numpy(VALUES).to(kind)
    save_file({"steering": tensor}, tmp_path / "x.safetensors")
    assert_read(tmp_path / "x.safetensors", VALUES)
    save_file({"steering": tensor[1].clone()}, tmp_path / "x")
    assert_read(tmp_path / "x", VALUES[1:2])


@pytest.mark.parametrize("kind", ["npy", "safetensors"])
def test_nan_is_read_as_it_stands(tmp_path: Path, kind: str) -> None:
    """Whoever takes the vectors refuses it; a signalling one gives no warning either."""
    codes = np.zeros(WIDTH, dtype=np.uint32)
    codes[[1, 2]] = 0x7F800001, 0x7F800000
    path = tmp_path / f"x.{kind}"
    if kind == "npy":
        np.save(path, codes.view(np.float32))
    else:
        save_file({"x": torch.from_numpy(codes.view(np.float32))}, path)
    found = read_vectors(path, width=WIDTH)[0]
    assert np.isnan(found).tolist() == [False, True, *[False] * 4]
    assert found[2] == np.inf


class Trap:
    """Betrays that it was unpickled."""

    def __reduce__(self) -> tuple[object, ...]:
        return (os.mkdir, ("sprung",))


def archive(path: Path) -> Path:
    with path.open("wb") as file:
        np.savez(file, VALUES)
    return path


def cut(path: Path, by: int) -> Path:
    path.write_bytes(path.read_bytes()[:-by])
    return path


def pipe(path: Path) -> Path:
    os.mkfifo(path)
    return path


def head(kind: str, shape: str, order: str = "False") -> bytes:
    return f"{{'descr': '{kind}', 'fortran_order': {order}, 'shape': {shape}, }}".encode()


DATA = b"\0" * 192
BAD_SHAPE = r"its shape is .*; vectors of this head are \(6,\) or \(N, 6\)"
NO_FLOATS = r"not a .npy file of floating point \(f2, f4, f8\): its header is"
NO_NPY = "not a .npy file, or cut off in its header"
NPY: dict[str, tuple[Callable[[Path], Path], str]] = {
    "objects": (lambda path: saved(path, np.array([Trap(), None], dtype=object)), NO_FLOATS),
    "a pickle": (lambda path: (path.write_bytes(pickle.dumps(Trap())), path)[1], NO_NPY),
    "an archive": (archive, NO_NPY),
    "integers": (lambda path: saved(path, VALUES.astype(int)), NO_FLOATS),
    "booleans": (lambda path: saved(path, VALUES > 0), NO_FLOATS),
    "complex": (lambda path: saved(path, VALUES + 0j), NO_FLOATS),
    "long floats": (lambda path: saved(path, VALUES.astype(np.longdouble)), NO_FLOATS),
    "text": (lambda path: saved(path, np.array(["a", "b"])), NO_FLOATS),
    "records": (lambda path: saved(path, np.zeros(6, dtype=[("a", "<f4")])), NO_FLOATS),
    "another width": (lambda path: saved(path, np.zeros((4, 5))), BAD_SHAPE),
    "transposed": (lambda path: saved(path, VALUES.T), BAD_SHAPE),
    "one long vector": (lambda path: saved(path, np.zeros(24)), BAD_SHAPE),
    "three axes": (lambda path: saved(path, np.zeros((1, 4, 6))), BAD_SHAPE),
    "a scalar": (lambda path: saved(path, np.array(1.0)), BAD_SHAPE),
    "no vectors": (lambda path: saved(path, np.zeros((0, 6))), BAD_SHAPE),
    "no values": (lambda path: saved(path, np.zeros((6, 0))), BAD_SHAPE),
    "data cut off": (
        lambda path: cut(saved(path, VALUES), 1),
        r"cut off: .* 192 bytes.* holds 191",
    ),
    "header cut off": (lambda path: cut(saved(path, VALUES), 200), NO_NPY),
    "magic cut off": (lambda path: (path.write_bytes(b"\x93NUM"), path)[1], NO_NPY),
    "no bytes": (lambda path: (path.write_bytes(b""), path)[1], NO_NPY),
    "header of any length": (lambda path: npy(path, head("<f8", "(4, 6)"), length=65535), NO_NPY),
    "huge": (
        lambda path: npy(path, head("<f8", f"({1 << 40}, 6)"), DATA),
        "1,099,511,627,776 vectors; at most 22,369,621 are",
    ),
    "huge in all": (
        lambda path: npy(path, head("<f8", f"({1 << 63}, {1 << 63})"), DATA),
        BAD_SHAPE,
    ),
    "long digits": (lambda path: npy(path, head("<f8", f"({'9' * 5000}, 6)"), DATA), NO_FLOATS),
    "negative": (lambda path: npy(path, head("<f8", "(-4, 6)"), DATA), NO_FLOATS),
    "a formula": (lambda path: npy(path, head("<f8", "(2**2, 6)"), DATA), NO_FLOATS),
    "no order": (lambda path: npy(path, head("<f8", "(4, 6)", "0"), DATA), NO_FLOATS),
    "open brackets": (lambda path: npy(path, b"(" * 9000, DATA), NO_FLOATS),
    "a call": (lambda path: npy(path, b"__import__('os').mkdir('sprung')", DATA), NO_FLOATS),
    "terminal codes": (lambda path: npy(path, b"\x1b[31m", DATA), rf"{NO_FLOATS} '\\x1b\[31m'"),
    "a directory": (lambda path: (path.mkdir(), path)[1], "there is no such file"),
    "a pipe": (pipe, "there is no such file"),
    "missing": (lambda path: path, "there is no such file"),
    "a name too long": (lambda path: path.with_name("a" * 300 + ".npy"), "there is no such file"),
}


@pytest.mark.parametrize(("make", "message"), NPY.values(), ids=NPY)
def test_npy_files_that_are_refused(
    tmp_path: Path,
    make: Callable[[Path], Path],
    message: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    path = make(tmp_path / "x.npy")
    with pytest.raises(UsageError, match=rf"\.npy: {message}"):
        read_vectors(path, width=WIDTH)
    assert not Path("sprung").exists()


def tensors(path: Path, **held: torch.Tensor) -> Path:
    save_file(held, path)
    return path


def claimed(path: Path, shape: list[int]) -> Path:
    entry = {"dtype": "F32", "shape": shape, "data_offsets": [0, 0]}
    header = json.dumps({"x": entry}).encode()
    path.write_bytes(struct.pack("<Q", len(header)) + header)
    return path


NO_SAFETENSORS = "not a readable safetensors file: .*; vectors are read from .npy and safetensors"
SAFETENSORS: dict[str, tuple[Callable[[Path], Path], str]] = {
    "several": (
        lambda path: tensors(path, a=torch.zeros(6), b=torch.zeros(6)),
        "vectors are a single tensor, or one called 'vectors'; it holds 'a', 'b'",
    ),
    "none": (tensors, "vectors are a single tensor, or one called 'vectors'; it holds none"),
    "integers": (lambda path: tensors(path, a=torch.zeros(6).long()), "its values are I64"),
    "float8": (
        lambda path: tensors(path, a=torch.zeros(6).to(torch.float8_e4m3fn)),
        "its values are F8_E4M3",
    ),
    "another width": (lambda path: tensors(path, a=torch.zeros(4, 5)), BAD_SHAPE),
    "three axes": (lambda path: tensors(path, a=torch.zeros(1, 4, 6)), BAD_SHAPE),
    "a scalar": (lambda path: tensors(path, a=torch.tensor(1.0)), BAD_SHAPE),
    "no vectors": (lambda path: tensors(path, a=torch.zeros(0, 6)), BAD_SHAPE),
    "an empty one of any size": (lambda path: claimed(path, [0, 10**19]), BAD_SHAPE),
    "huge": (lambda path: claimed(path, [1 << 40, 6]), NO_SAFETENSORS),
    "cut off": (lambda path: cut(tensors(path, a=torch.zeros(6)), 1), NO_SAFETENSORS),
    "a pickle": (lambda path: (torch.save(VALUES, path), path)[1], NO_SAFETENSORS),
    "no bytes": (lambda path: (path.write_bytes(b""), path)[1], NO_SAFETENSORS),
    "a directory": (lambda path: (path.mkdir(), path)[1], "there is no such file"),
    "a pipe": (pipe, "there is no such file"),
    "missing": (lambda path: path, "there is no such file"),
}


@pytest.mark.parametrize(("make", "message"), SAFETENSORS.values(), ids=SAFETENSORS)
def test_safetensors_that_are_refused(
    tmp_path: Path, make: Callable[[Path], Path], message: str
) -> None:
    with pytest.raises(UsageError, match=rf"x\.safetensors: {message}"):
        read_vectors(make(tmp_path / "x.safetensors"), width=WIDTH)


@pytest.mark.parametrize("name", ["x.npy", "x.safetensors"])
def test_more_vectors_than_are_read_at_once(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / name
    np.save(path, VALUES) if path.suffix == ".npy" else tensors(path, a=torch.from_numpy(VALUES))
    monkeypatch.setattr(vectors, "_LIMIT", 4 * WIDTH * 8)
    assert len(read_vectors(path, width=WIDTH)) == 4
    monkeypatch.setattr(vectors, "_LIMIT", 4 * WIDTH * 8 - 1)
    with pytest.raises(UsageError, match=r"4 vectors; at most 3 are read at once"):
        read_vectors(path, width=WIDTH)
