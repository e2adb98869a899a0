"""Rows that are stored in eight bits: unpacked once, in the cache."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import CheckpointError
from ...indexes.progress import Progress, step_of
from ...indexes.rows import ROW_TYPES, Rows
from ...indexes.store import atomic_path, cache_directory
from ...indexes.tensors import TensorFile, Written, fingerprint, write_tensors
from ..formats.converting import PLACE
from .checkpoint import Checkpoint

# V rows of width D, B of them in a block.

_FORMAT = 1  # of what is written: a change of how raises it
_BLOCK = 1 << 12
_EIGHT_BITS = ("F8_E4M3", "F8_E5M2", "I8")
# What a weight is multiplied by, by what follows its module's name; bitsandbytes' of 127 ths.
_SCALES = {"weight_scale": 1.0, "weight_scale_inv": 1.0, "SCB": 1 / 127}
_OF_ACTIVATIONS = ("input_scale", "output_scale", "input_global_scale")  # not of the weight
_ODD = ("scale", "absmax", "zero_point", "quant_state", "SCB")  # part of names that tell of packing


@dataclass(frozen=True)
class _Scale:
    """What rows are multiplied by: a number, one for each row, or one for each tile."""

    name: str
    factor: float
    tile: tuple[int, int]


def plain_rows(
    checkpoint: Checkpoint, name: str, *, progress: Progress | None = None
) -> tuple[Path, Rows]:
    """Give the rows of a matrix in floating point, and the file that holds them.

    Rows in F8 or I8 are unpacked to float32 in the cache: each value times its scale, where a scale
    is beside it. It is one number; one for each row, as compressed-tensors and bitsandbytes
    (``SCB``, of 127ths) have it; or one for each tile of ``weight_block_size``, as DeepSeek has it.

    Parameters
    ----------
    checkpoint : Checkpoint
        Where.
    name : str
        The matrix.
    progress : callable, optional
        Is told ``(step, done, total)``.

    Raises
    ------
    CheckpointError
        They are packed in another way, or a scale does not fit.

    Examples
    --------
    >>> import tempfile
    >>> from safetensors.numpy import save_file
    >>> path = Path(tempfile.mkdtemp()) / "head.safetensors"
    >>> scale = np.array([[0.5], [2.0]], np.float32)
    >>> save_file({"w.weight": np.int8([[2, 4], [1, 3]]), "w.weight_scale": scale}, path)
    >>> plain_rows(Checkpoint.open(path), "w.weight")[1].decode(slice(None))
    array([[1., 2.],
           [2., 6.]])
    """
    file, entry = checkpoint.file(name), checkpoint.entry(name)
    scale = _scale(checkpoint, name)
    if entry.dtype not in _EIGHT_BITS or len(entry.shape) != 2:
        if scale is not None:
            raise CheckpointError(
                f"{file.path}: the rows of {name!r} are scaled by {scale.name!r}: save the "
                "checkpoint with its head in bfloat16, float16 or float32"
            )
        return file.path_of(name), Rows.of(file, name)
    files = [file.path_of(name)]
    scale_NM = np.ones((1, 1), np.float32)
    if scale is not None:
        files.append(checkpoint.file(scale.name).path_of(scale.name))
        scale_NM = _tiles(checkpoint, scale, entry.shape)
    identity = (_FORMAT, [fingerprint(path) for path in files], name, scale)
    digest = hashlib.sha256(repr(identity).encode()).hexdigest()[:32]
    kept = cache_directory() / PLACE / f"{digest}.safetensors"
    try:
        if not kept.is_file():
            codes_VD = file.array(name)
            tile = (1, 1) if scale is None else scale.tile
            done = step_of(progress, f"unpacking {name}")
            parts = _parts(codes_VD, entry.dtype, scale_NM, tile, done)
            with atomic_path(kept) as temporary:
                write_tensors(temporary, {name: Written("F32", entry.shape, parts)})
        return kept, Rows.of(TensorFile.open(kept), name)
    except OSError as error:
        raise CheckpointError(f"{kept}: cannot be written: {error}") from error


def _scale(checkpoint: Checkpoint, name: str) -> _Scale | None:
    """Find what the rows are multiplied by; refuse what else tells that they are packed."""
    # All that is in the module of a weight; of a name that is no module's, what continues it.
    module = name.removesuffix("weight")
    beside = (module,) if "." in name else (f"{name}.", f"{name}_")
    names = [other for other in checkpoint.files if other.startswith(beside) and other != name]
    found = None
    for other in names:
        ending = other.removeprefix(module) if "." in name else other
        if ending in _SCALES:
            found = _Scale(other, _SCALES[ending], _tile(checkpoint))
        elif ending not in _OF_ACTIVATIONS and any(odd in ending for odd in _ODD):
            raise CheckpointError(
                f"{checkpoint.files[name]}: the rows of {name!r} are packed with {other!r}: save "
                "the checkpoint with its head in bfloat16, float16 or float32"
            )
    return found


def _tile(checkpoint: Checkpoint) -> tuple[int, int]:
    """Give the size of tiles that the configuration says, else that of one number for all."""
    quantization = checkpoint.config.get("quantization_config")
    size = quantization.get("weight_block_size") if isinstance(quantization, dict) else None
    if isinstance(size, list) and len(size) == 2 and all(type(n) is int and n > 0 for n in size):
        return size[0], size[1]
    return 128, 128


def _tiles(checkpoint: Checkpoint, scale: _Scale, shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Read scales as a matrix: of one number, of a column, or of a number for each tile."""
    file, entry = checkpoint.file(scale.name), checkpoint.entry(scale.name)
    tiles = tuple(ceil(size / tile) for size, tile in zip(shape, scale.tile, strict=True))
    shapes: dict[tuple[int, ...], tuple[int, ...]] = {
        (): (1, 1),
        (1,): (1, 1),
        (1, 1): (1, 1),
        (shape[0],): (shape[0], 1),
    }
    shapes |= {(shape[0], 1): (shape[0], 1), tiles: tiles}
    if entry.shape not in shapes or entry.dtype not in ROW_TYPES:
        raise CheckpointError(
            f"{file.path}: {scale.name!r} is {entry.dtype} of shape {entry.shape}; a number, "
            f"({shape[0]},), ({shape[0]}, 1) or {tiles} is expected, of floating point"
        )
    codes = file.array(scale.name).reshape(shapes[entry.shape])
    values_NM = Rows(codes, entry.dtype).decode(slice(None)) * scale.factor
    if not np.isfinite(values_NM).all():
        raise CheckpointError(f"{file.path}: {scale.name!r} holds NaN or infinity")
    return values_NM.astype(np.float32)


def _parts(
    codes_VD: NDArray[Any],
    dtype: str,
    scale_NM: NDArray[np.float32],
    tile: tuple[int, int],
    done: Any,
) -> Iterator[bytes]:
    """Give the values of the rows, a block after another."""
    count, width = codes_VD.shape
    values_C = _values(dtype)
    wide = scale_NM.shape[1] > 1
    for start in range(0, count, _BLOCK):
        rows_B = np.arange(start, min(start + _BLOCK, count))
        if scale_NM.shape[0] == 1:
            places_B = np.zeros_like(rows_B)
        else:
            places_B = rows_B if scale_NM.shape[0] == count else rows_B // tile[0]
        scales_BD = scale_NM[places_B]
        if wide:
            scales_BD = scales_BD[:, np.arange(width) // tile[1]]
        block_BD = values_C[codes_VD[rows_B].view(np.uint8)] * scales_BD
        yield block_BD.astype("<f4").tobytes()
        done(int(rows_B[-1]) + 1, count)


def _values(dtype: str) -> NDArray[np.float32]:
    """Give the value of each of the 256 codes."""
    codes_C = np.arange(256, dtype=np.uint8)
    if dtype == "I8":
        return codes_C.view(np.int8).astype(np.float32)
    import torch

    kind = torch.float8_e4m3fn if dtype == "F8_E4M3" else torch.float8_e5m2
    values: NDArray[np.float32] = torch.from_numpy(codes_C).view(kind).float().numpy()
    return values
