"""Heads that quantisers have packed: as GPTQ, AWQ, compressed-tensors and bitsandbytes do."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import ceil
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import CheckpointError
from ...indexes.rows import ROW_TYPES, Rows
from .checkpoint import Checkpoint

# V rows of width D, B of them in a block, G groups of values with one scale each.

KINDS = ("qweight", "weight_packed", "weight.absmax")  # what comes after a module's name
_WORD = 32  # bits
_AWQ_PLACES = np.array([0, 4, 1, 5, 2, 6, 3, 7])  # where in a word each of eight columns is
_WIDEST, _LONGEST = 1 << 16, 1 << 28  # of a row; of a vocabulary
_STATE_LIMIT = 1 << 16  # bytes


@dataclass(frozen=True, eq=False)
class Packed:
    """A head in a few bits.

    Attributes
    ----------
    names : tuple of str
        The tensors that it is made of.
    shape : tuple of int
        Rows and width, as they are meant.
    rows : callable
        Gives the rows from the first number to before the second, ``float32`` of shape (B, D).

    Examples
    --------
    >>> Packed((), (2, 3), lambda start, stop: np.zeros((stop - start, 3), np.float32)).shape
    (2, 3)
    """

    names: tuple[str, ...]
    shape: tuple[int, int]
    rows: Callable[[int, int], NDArray[np.float32]]


def open_packed(checkpoint: Checkpoint, name: str) -> Packed:
    """Open a packed head.

    Parameters
    ----------
    checkpoint : Checkpoint
        Where.
    name : str
        One of its tensors: a module's name and one of `KINDS`.

    Raises
    ------
    CheckpointError
        A part of it is missing, or does not fit the others.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from safetensors.numpy import save_file
    >>> path = Path(tempfile.mkdtemp()) / "head.safetensors"
    >>> parts = {"qweight": np.full((1, 8), 3, np.int32), "qzeros": np.zeros((1, 1), np.int32)}
    >>> parts["scales"] = np.ones((1, 8), np.float32)
    >>> save_file({f"h.{part}": array for part, array in parts.items()}, path)
    >>> open_packed(Checkpoint.open(path), "h.qweight").rows(0, 1)
    array([[ 2., -1., -1., -1., -1., -1., -1., -1.]], dtype=float32)
    """
    kind = next(kind for kind in KINDS if name.endswith(f".{kind}"))
    reading = _Reading(checkpoint, name.removesuffix(kind))
    opened = {
        "qweight": _gptq_or_awq,
        "weight_packed": _compressed,
        "weight.absmax": _normal_floats,
    }
    try:
        return opened[kind](reading)
    except (ValueError, RecursionError) as error:
        raise CheckpointError(
            f"{checkpoint.files[name]}: {name!r} is packed in a way that is not known: {error}; "
            "save the checkpoint with its head in bfloat16, float16 or float32"
        ) from error


class _Reading:
    """The tensors of a module."""

    def __init__(self, checkpoint: Checkpoint, module: str) -> None:
        self._checkpoint, self._module = checkpoint, module
        self.names: list[str] = []
        said = checkpoint.config.get("quantization_config")
        self.said: Mapping[str, Any] = said if isinstance(said, dict) else {}

    def has(self, part: str) -> bool:
        """Tell whether there is a part."""
        return f"{self._module}{part}" in self._checkpoint.files

    def codes(self, part: str, axes: int) -> NDArray[Any]:
        """Give whole numbers of so many axes."""
        array = self._array(part, axes)
        if array.dtype.kind not in "iu":
            raise ValueError(f"{part} is {array.dtype}; whole numbers are expected")
        return array

    def numbers(self, part: str, axes: int) -> NDArray[np.float32]:
        """Give finite numbers of so many axes."""
        name = f"{self._module}{part}"
        array = self._array(part, axes)
        dtype = self._checkpoint.entry(name).dtype
        if dtype not in ROW_TYPES:
            raise ValueError(f"{part} is {dtype}; floating point is expected")
        flat = Rows(array.reshape(1, -1), dtype).decode(slice(None))
        if not np.isfinite(flat).all():
            raise ValueError(f"{part} holds NaN or infinity")
        return np.asarray(flat.reshape(array.shape), dtype=np.float32)

    def state(self) -> Mapping[str, Any]:
        """Give what bitsandbytes says in JSON."""
        start = f"{self._module}weight.quant_state."
        name = next((name for name in self._checkpoint.files if name.startswith(start)), None)
        if name is None:
            raise ValueError("it has no quant_state")
        data = self._array(name.removeprefix(self._module), 1)
        if data.dtype != np.uint8 or data.size > _STATE_LIMIT:
            raise ValueError("its quant_state is no short text")
        state = json.loads(data.tobytes())
        if not isinstance(state, dict):
            raise ValueError("its quant_state is no object")
        return state

    def _array(self, part: str, axes: int) -> NDArray[Any]:
        """Give a part, and remember that it was used."""
        name = f"{self._module}{part}"
        if name not in self._checkpoint.files:
            raise ValueError(f"{part} is missing")
        array = self._checkpoint.file(name).array(name)
        if array.ndim != axes:
            raise ValueError(f"{part} has shape {array.shape}")
        self.names.append(name)
        return array


def _gptq_or_awq(reading: _Reading) -> Packed:
    """Tell the two apart: GPTQ packs along the width, AWQ along the rows."""
    qweight, qzeros = reading.codes("qweight", 2), reading.codes("qzeros", 2)
    scales_GV = reading.numbers("scales", 2)
    groups, count = scales_GV.shape
    if qweight.shape[1] * 8 == count and reading.said.get("quant_method") != "gptq":
        return _awq(reading, qweight, qzeros, scales_GV)
    bits = reading.said.get("bits", 4)
    if bits not in {2, 4, 8}:
        raise ValueError(f"it has {bits!r} bits; 2, 4 and 8 are known")
    each = _WORD // bits
    width = _checked(count, qweight.shape[0] * each)
    if qweight.shape[1] != count or qzeros.shape != (groups, ceil(count / each)):
        raise ValueError(
            f"qweight {qweight.shape}, qzeros {qzeros.shape}, scales {scales_GV.shape}"
        )
    groups_D = _groups(reading, "g_idx", width, groups)
    more = 0 if reading.said.get("checkpoint_format") == "gptq_v2" else 1

    def rows(start: int, stop: int) -> NDArray[np.float32]:
        q_DB = _unpacked(np.asarray(qweight[:, start:stop]).T, bits).T
        z_GB = _picked(qzeros, np.arange(start, stop), bits, np.arange(each)) + more
        values_DB = scales_GV[groups_D, start:stop] * (q_DB - z_GB[groups_D])
        return np.ascontiguousarray(values_DB.T, dtype=np.float32)

    return Packed(tuple(reading.names), (count, width), rows)


def _awq(
    reading: _Reading,
    qweight: NDArray[Any],
    qzeros: NDArray[Any],
    scales_GV: NDArray[np.float32],
) -> Packed:
    """Open AWQ's layout: four bits, eight columns to a word in an order of its own."""
    groups, count = scales_GV.shape
    width = _checked(count, qweight.shape[0])
    if qzeros.shape != (groups, count // 8) or reading.said.get("version", "gemm") != "gemm":
        raise ValueError(f"qzeros {qzeros.shape}, scales {scales_GV.shape}")
    groups_D = _groups(reading, None, width, groups)

    def rows(start: int, stop: int) -> NDArray[np.float32]:
        places_B = np.arange(start, stop)
        q_DB = _picked(qweight, places_B, 4, _AWQ_PLACES)
        z_GB = _picked(qzeros, places_B, 4, _AWQ_PLACES)
        values_DB = scales_GV[groups_D, start:stop] * (q_DB - z_GB[groups_D])
        return np.ascontiguousarray(values_DB.T, dtype=np.float32)

    return Packed(tuple(reading.names), (count, width), rows)


def _compressed(reading: _Reading) -> Packed:
    """Open compressed-tensors' layout: each row packed along its width, around a middle."""
    packed = reading.codes("weight_packed", 2)
    count, width = (int(size) for size in reading.codes("weight_shape", 1)[:2])
    _checked(count, width)
    bits = next((b for b in (4, 8) if ceil(width * b / _WORD) == packed.shape[1]), None)
    if bits is None or packed.shape[0] != count:
        raise ValueError(f"weight_packed {packed.shape} of rows {count} x {width}")
    scales_VG = reading.numbers("weight_scale", 2)
    groups = scales_VG.shape[1]
    if scales_VG.shape[0] != count:
        raise ValueError(f"weight_scale {scales_VG.shape} of {count} rows")
    groups_D = _groups(reading, "weight_g_idx", width, groups)
    middle, each = 1 << (bits - 1), _WORD // bits
    zeros = reading.codes("weight_zero_point", 2) if reading.has("weight_zero_point") else None
    if zeros is not None and zeros.shape != (ceil(count / each), groups):
        raise ValueError(f"weight_zero_point {zeros.shape}")

    def rows(start: int, stop: int) -> NDArray[np.float32]:
        q_BD = _unpacked(np.asarray(packed[start:stop]), bits)[:, :width] - middle
        if zeros is not None:
            z_GB = _picked(zeros.T, np.arange(start, stop), bits, np.arange(each)) - middle
            q_BD = q_BD - z_GB.T[:, groups_D]
        return np.asarray(scales_VG[start:stop][:, groups_D] * q_BD, dtype=np.float32)

    return Packed(tuple(reading.names), (count, width), rows)


def _normal_floats(reading: _Reading) -> Packed:
    """Open bitsandbytes' layout: 16 values to choose from, one length for each block of values."""
    state = reading.state()
    sizes = state.get("shape"), state.get("blocksize")
    if not isinstance(sizes[0], list) or len(sizes[0]) != 2 or type(sizes[1]) is not int:
        raise ValueError(f"its quant_state says {sizes}")
    (count, width), block = sizes[0], sizes[1]
    _checked(count, width)
    codes = reading.codes("weight", 2).reshape(-1)
    values_C = reading.numbers("weight.quant_map", 1)
    nested = "nested_blocksize" in state
    lengths = _nested(reading, state) if nested else reading.numbers("weight.absmax", 1)
    total = count * width
    if len(values_C) != 16 or codes.dtype != np.uint8 or len(codes) != ceil(total / 2):
        raise ValueError(f"{len(codes):,} bytes of {count} rows x {width}")
    if block < 1 or len(lengths) != ceil(total / block):
        raise ValueError(f"{len(lengths):,} blocks of {block} values")

    def rows(start: int, stop: int) -> NDArray[np.float32]:
        first, last = start * width, stop * width
        bytes_N = np.asarray(codes[first // 2 : ceil(last / 2)])
        both_N2 = np.column_stack([bytes_N >> 4, bytes_N & 15])
        own_N = both_N2.reshape(-1)[first % 2 :][: last - first]
        values_N = values_C[own_N] * lengths[np.arange(first, last) // block]
        return np.asarray(values_N.reshape(-1, width), dtype=np.float32)

    return Packed(tuple(reading.names), (count, width), rows)


def _nested(reading: _Reading, state: Mapping[str, Any]) -> NDArray[np.float32]:
    """Give lengths that are themselves in eight bits."""
    block, offset = state["nested_blocksize"], state.get("nested_offset")
    codes = reading.codes("weight.absmax", 1)
    values_C = reading.numbers("weight.nested_quant_map", 1)
    lengths = reading.numbers("weight.nested_absmax", 1)
    if type(block) is not int or block < 1 or not isinstance(offset, float):
        raise ValueError(f"its quant_state says {block!r}, {offset!r}")
    if codes.dtype != np.uint8 or len(values_C) != 256 or len(lengths) != ceil(len(codes) / block):
        raise ValueError(f"nested_absmax has {len(lengths):,} values")
    found = values_C[codes] * lengths[np.arange(len(codes)) // block] + np.float32(offset)
    return np.asarray(found, dtype=np.float32)


def _checked(count: int, width: int) -> int:
    """Refuse sizes that no head has."""
    if type(count) is not int or type(width) is not int:
        raise ValueError(f"{count!r} rows of {width!r}")
    if not 0 < count <= _LONGEST or not 0 < width <= _WIDEST:
        raise ValueError(f"{count:,} rows of {width:,}")
    return width


def _groups(reading: _Reading, part: str | None, width: int, groups: int) -> NDArray[np.int64]:
    """Give the group of each value of a row."""
    if not groups:
        raise ValueError("it has no scales")
    if part is None or not reading.has(part):
        return np.arange(width) // ceil(width / groups)
    groups_D = reading.codes(part, 1).astype(np.int64)
    if len(groups_D) != width or groups_D.min() < 0 or groups_D.max() >= groups:
        raise ValueError(f"{part} is not a group for each of {width} values")
    return groups_D


def _unpacked(words_BW: NDArray[Any], bits: int) -> NDArray[np.int64]:
    """Take words of 32 bits apart, the lowest bits first."""
    shifts = np.arange(_WORD // bits, dtype=np.uint32) * bits
    parts = (words_BW.astype(np.int64)[..., None] >> shifts) & ((1 << bits) - 1)
    return np.asarray(parts.reshape(len(words_BW), -1), dtype=np.int64)


def _picked(
    words_NW: NDArray[Any], columns_B: NDArray[np.int64], bits: int, places: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Take some columns out of rows of words."""
    each = _WORD // bits
    shifts_B = places[columns_B % each] * bits
    words_NB = np.asarray(words_NW[:, columns_B // each]).astype(np.int64)
    return np.asarray((words_NB >> shifts_B) & ((1 << bits) - 1), dtype=np.int64)
