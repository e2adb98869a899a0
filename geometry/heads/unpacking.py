"""Rows that are not stored as rows of floating point: made so once, in the cache."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import ceil
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...errors import CheckpointError
from ...indexes.progress import Progress, step_of
from ...indexes.rows import ROW_TYPES, Rows
from ...indexes.store import atomic_path, cache_directory
from ...indexes.tensors import TensorFile, Tensors, Written, fingerprint, write_tensors
from ..formats.converting import PLACE
from .checkpoint import Checkpoint
from .four_bits import KINDS, Packed, open_packed

# V rows of width D, B of them in a block.

_FORMAT = 1  # of what is written: a change of how raises it
_BLOCK = 1 << 12
_NAME = "lm_head.weight"
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


@dataclass(frozen=True, eq=False)
class _Stored:
    """A matrix as a checkpoint holds it."""

    file: Tensors
    name: str
    transposed: bool
    scale: _Scale | None

    @property
    def dtype(self) -> str:
        """Name the type that it is stored in."""
        return self.file.entries[self.name].dtype

    @property
    def shape(self) -> tuple[int, int]:
        """Give its rows and their width, as they are meant."""
        rows, width = self.file.entries[self.name].shape
        return (width, rows) if self.transposed else (rows, width)


def plain_rows(
    checkpoint: Checkpoint,
    names: Sequence[str],
    *,
    transposed: bool = False,
    progress: Progress | None = None,
) -> tuple[Path, Rows]:
    """Give the rows of a head in floating point, one after another, and the file that holds them.

    What is one matrix of them is taken in place. Else a file of them is made in the cache:
    several matrices are joined, columns are made rows, and F8 or I8 is unpacked to float32: each
    value times its scale, where a scale is beside it. It is one number; one for each row, as
    compressed-tensors and bitsandbytes (``SCB``, of 127ths) have it; or one for each tile of
    ``weight_block_size``, as DeepSeek has it.

    Parameters
    ----------
    checkpoint : Checkpoint
        Where.
    names : sequence of str
        The matrices, in the order of their rows.
    transposed : bool
        Whether a row of the head is a column of theirs.
    progress : callable, optional
        Is told ``(step, done, total)``.

    Raises
    ------
    CheckpointError
        They are packed in another way, are of several widths or types, or a scale does not fit.

    Examples
    --------
    >>> import tempfile
    >>> from safetensors.numpy import save_file
    >>> path = Path(tempfile.mkdtemp()) / "head.safetensors"
    >>> scale = np.array([[0.5], [2.0]], np.float32)
    >>> save_file({"w.weight": np.int8([[2, 4], [1, 3]]), "w.weight_scale": scale}, path)
    >>> plain_rows(Checkpoint.open(path), ["w.weight"])[1].decode(slice(None))
    array([[1., 2.],
           [2., 6.]])
    """
    if names[0].endswith(tuple(f".{kind}" for kind in KINDS)):
        return _of_packed(checkpoint, open_packed(checkpoint, names[0]), progress)
    stored = [_stored(checkpoint, name, transposed=transposed) for name in names]
    first = stored[0]
    if len(names) == 1 and not transposed and first.dtype not in _EIGHT_BITS:
        return first.file.path_of(first.name), Rows.of(first.file, first.name)
    if len({(one.shape[1], one.dtype) for one in stored}) > 1:
        said = ", ".join(f"{one.name!r} {one.dtype} {one.shape}" for one in stored[:20])
        raise CheckpointError(f"{checkpoint.path}: rows of one width and type are expected: {said}")
    shape = (sum(one.shape[0] for one in stored), first.shape[1])
    dtype = "F32" if first.dtype in _EIGHT_BITS else first.dtype
    parts = (part for one in stored for part in _parts(checkpoint, one, progress))
    scales = [one.scale.name for one in stored if one.scale is not None]
    made = Written(dtype, shape, parts)
    return _kept(checkpoint, [*names, *scales], made, how=str(transposed))


def _of_packed(
    checkpoint: Checkpoint, packed: Packed, progress: Progress | None
) -> tuple[Path, Rows]:
    """Unpack a head of a few bits."""
    count, done = packed.shape[0], step_of(progress, f"unpacking {packed.names[0]}")

    def parts() -> Iterator[bytes]:
        for start in range(0, count, _BLOCK):
            stop = min(start + _BLOCK, count)
            yield packed.rows(start, stop).astype("<f4").tobytes()
            done(stop, count)

    how = repr(checkpoint.config.get("quantization_config"))
    return _kept(checkpoint, packed.names, Written("F32", packed.shape, parts()), how=how)


def _kept(
    checkpoint: Checkpoint, names: Sequence[str], made: Written, *, how: str
) -> tuple[Path, Rows]:
    """Keep rows in the cache, by the files that they are made of, and how."""
    files = [fingerprint(checkpoint.file(name).path_of(name)) for name in names]
    identity = (_FORMAT, files, list(names), how)
    digest = hashlib.sha256(repr(identity).encode()).hexdigest()[:32]
    kept = cache_directory() / PLACE / f"{digest}.safetensors"
    try:
        if not kept.is_file():
            with atomic_path(kept) as temporary:
                write_tensors(temporary, {_NAME: made})
        return kept, Rows.of(TensorFile.open(kept), _NAME)
    except OSError as error:
        raise CheckpointError(f"{kept}: cannot be written: {error}") from error


def _stored(checkpoint: Checkpoint, name: str, *, transposed: bool) -> _Stored:
    """Find out how a matrix is stored; refuse one that is packed in a way that is not known."""
    file, entry = checkpoint.file(name), checkpoint.entry(name)
    scale = _scale(checkpoint, name)
    packed = entry.dtype in _EIGHT_BITS
    if scale is not None and (transposed or not packed):
        raise CheckpointError(
            f"{file.path}: the rows of {name!r} are scaled by {scale.name!r}: save the "
            "checkpoint with its head in bfloat16, float16 or float32"
        )
    if len(entry.shape) != 2 or not (packed or entry.dtype in ROW_TYPES):
        Rows.of(file, name)  # says what is wrong
    return _Stored(file, name, transposed, scale)


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


def _parts(checkpoint: Checkpoint, stored: _Stored, progress: Progress | None) -> Iterator[bytes]:
    """Give the values of the rows of a matrix, a block after another."""
    codes = stored.file.array(stored.name)
    codes_VD = codes.T if stored.transposed else codes
    count, width = stored.shape
    done = step_of(progress, f"unpacking {stored.name}")
    scale_NM, tile = np.ones((1, 1), np.float32), (1, 1)
    if stored.scale is not None:
        scale_NM, tile = _tiles(checkpoint, stored.scale, stored.shape), stored.scale.tile
    values_C = _values(stored.dtype) if stored.dtype in _EIGHT_BITS else None
    for start in range(0, count, _BLOCK):
        stop = min(start + _BLOCK, count)
        block_BD = np.ascontiguousarray(codes_VD[start:stop])
        if values_C is not None:
            scales_BD = _of_rows(scale_NM, np.arange(start, stop), count, width, tile)
            block_BD = (values_C[block_BD.view(np.uint8)] * scales_BD).astype("<f4")
        yield block_BD.tobytes()
        done(stop, count)


def _of_rows(
    scale_NM: NDArray[np.float32],
    rows_B: NDArray[np.int64],
    count: int,
    width: int,
    tile: tuple[int, int],
) -> NDArray[np.float32]:
    """Give the scales of some rows: one for all of a row, or one for each value."""
    if scale_NM.shape[0] == 1:
        places_B = np.zeros_like(rows_B)
    else:
        places_B = rows_B if scale_NM.shape[0] == count else rows_B // tile[0]
    scales_BM = scale_NM[places_B]
    return scales_BM if scale_NM.shape[1] == 1 else scales_BM[:, np.arange(width) // tile[1]]


def _values(dtype: str) -> NDArray[np.float32]:
    """Give the value of each of the 256 codes."""
    codes_C = np.arange(256, dtype=np.uint8)
    if dtype == "I8":
        return codes_C.view(np.int8).astype(np.float32)
    import torch

    kind = torch.float8_e4m3fn if dtype == "F8_E4M3" else torch.float8_e5m2
    values: NDArray[np.float32] = torch.from_numpy(codes_C).view(kind).float().numpy()
    return values
