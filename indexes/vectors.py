"""Vectors from a caller, checked, and from a file: .npy or safetensors, never pickled."""

import re
from collections.abc import Callable
from functools import partial
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import CheckpointError, UsageError
from .rows import ROW_TYPES, Rows
from .tensors import TensorFile, is_file

# N vectors of width D.

Check = Callable[[tuple[int, ...]], tuple[int, ...]]  # from the shape written to that wanted
_LIMIT = 1 << 30  # bytes of float64
_HEADER_LIMIT = 1 << 16  # bytes
_NPY_MAGIC = b"\x93NUMPY"
_FLOATS = {"f2": "F16", "f4": "F32", "f8": "F64"}
# The three keys of a .npy header, which is a Python dict's text and is not evaluated.
_NPY_TYPE = re.compile(r"""['"]descr['"]\s*:\s*['"]([<>=|]?)(\w{1,20})['"]""")
_NPY_ORDER = re.compile(r"""['"]fortran_order['"]\s*:\s*(True|False)\b""")
_NPY_SHAPE = re.compile(r"""['"]shape['"]\s*:\s*\(([0-9, ]{0,40})\)""")


def as_numbers(values: ArrayLike, *, what: str) -> NDArray[np.float64]:
    """Check an array of numbers that a caller gave.

    Parameters
    ----------
    values : array_like
        Of any shape, of integers or floating point, finite. A torch tensor must be one that numpy
        can read: on the CPU, without a gradient, not bfloat16.
    what : str
        What the values are, for errors: their subject.

    Returns
    -------
    ndarray of float64
        Of the same shape, in C order; a copy.

    Raises
    ------
    UsageError
        They are no array of such numbers (booleans, complex numbers and text are none), or hold
        NaN, infinity or what is beyond float64.

    Examples
    --------
    >>> as_numbers([3, 4], what="the residual")
    array([3., 4.])
    """
    try:
        given = np.asarray(values)
    except (TypeError, ValueError, RuntimeError) as error:  # the last where torch keeps a gradient
        raise UsageError(f"{what} is not an array of real numbers: {error}") from error
    if given.dtype.kind not in "iuf":
        raise UsageError(f"{what} is not an array of real numbers but of {given.dtype}")
    with np.errstate(invalid="ignore", over="ignore"):  # judged below
        numbers = np.array(given, dtype=np.float64, order="C")
    if not np.isfinite(numbers).all():
        raise UsageError(f"{what} holds NaN or infinity")
    return numbers


def as_vectors(values: ArrayLike, *, width: int, what: str) -> NDArray[np.float64]:
    """Check one vector or several that a caller gave.

    Parameters
    ----------
    values : array_like
        Shape (D,) or (N, D); of what `as_numbers` takes.
    width : int
        D.
    what : str
        What the vectors are, for errors: their subject.

    Returns
    -------
    ndarray of float64
        Shape (N, D), in C order; a copy. N may be 0.

    Raises
    ------
    UsageError
        They are of another shape, or `as_numbers` refuses them.

    Examples
    --------
    >>> as_vectors([3, 4], width=2, what="the residual")
    array([[3., 4.]])
    """
    vectors = as_numbers(values, what=what)
    if vectors.ndim not in {1, 2} or vectors.shape[-1] != width:
        raise UsageError(
            f"{what} has shape {vectors.shape}; the head takes ({width},) or (N, {width})"
        )
    return vectors.reshape(-1, width)


def read_vectors(path: Path, *, width: int) -> NDArray[np.float64]:
    """Read one vector or several from a file.

    Parameters
    ----------
    path : Path
        A ``.npy`` file, or a safetensors file with a single tensor or one called ``vectors``; of
        floating point, shape (D,) or (N, D).
    width : int
        D.

    Returns
    -------
    ndarray of float64
        Shape (N, D), in C order. NaN and infinity are given as they stand.

    Raises
    ------
    UsageError
        The file cannot be read, holds several tensors or something else than such vectors, or
        more than 1 GiB of them.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "two.npy"
    >>> np.save(path, np.eye(2))
    >>> read_vectors(path, width=2)
    array([[1., 0.],
           [0., 1.]])
    """
    return _read(path, partial(_as_vectors, path, width), "vectors")[0]


def read_stack(
    path: Path, *, width: int, tensor: str
) -> tuple[NDArray[np.float64], TensorFile | None]:
    """Read the vectors of several layers at several positions from a file.

    Parameters
    ----------
    path : Path
        As `read_vectors` takes it, of shape (L, P, D), or (L, D) for one position.
    width : int
        D.
    tensor : str
        The tensor of a safetensors file that holds several.

    Returns
    -------
    stack_LPD : ndarray of float64
        NaN and infinity are given as they stand.
    file : TensorFile or None
        What else a safetensors file holds.

    Raises
    ------
    UsageError
        As `read_vectors` does.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "stack.npy"
    >>> np.save(path, np.zeros((4, 3, 2), np.float32))
    >>> read_stack(path, width=2, tensor="residuals")[0].shape
    (4, 3, 2)
    """
    return _read(path, partial(_as_stack, path, width), tensor)


def _read(path: Path, check: Check, tensor: str) -> tuple[NDArray[np.float64], TensorFile | None]:
    """Read the numbers of a file, once their shape is checked."""
    if not is_file(path):
        raise UsageError(f"{path}: there is no such file; vectors are read from .npy, safetensors")
    if path.suffix == ".npy":
        codes, dtype, file = *map_npy(path, check), None
    else:
        codes, dtype, file = _safetensors(path, check, tensor)
    with np.errstate(invalid="ignore"):  # a signalling NaN
        numbers = Rows(codes.reshape(-1, codes.shape[-1]), dtype).decode(slice(None))
    return np.ascontiguousarray(numbers).reshape(codes.shape), file


def map_npy(path: Path, check: Check) -> tuple[NDArray[Any], str]:
    """Map a .npy file; its header, a text of Python, is not evaluated.

    Parameters
    ----------
    path : Path
        The file.
    check : callable
        Takes the shape that the file says, and gives that of the array; refuses it by an error.

    Returns
    -------
    array : ndarray
        Of floating point, in the file's own order of bytes.
    dtype : str
        As safetensors names it.

    Raises
    ------
    UsageError
        It is damaged, cut off, or of another type.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "rows.npy"
    >>> np.save(path, np.zeros((3, 2), np.float32))
    >>> map_npy(path, lambda shape: shape)[1]
    'F32'
    """
    header, start = _npy_header(path)
    kind, order, sizes = (_.search(header) for _ in (_NPY_TYPE, _NPY_ORDER, _NPY_SHAPE))
    if kind is None or order is None or sizes is None or kind[2] not in _FLOATS:
        raise UsageError(
            f"{path}: not a .npy file of floating point ({', '.join(_FLOATS)}): its header is "
            f"{header[:200]!r}"
        )
    written = tuple(int(size) for size in re.findall("[0-9]+", sizes[1]))
    shape = check(written)
    dtype = np.dtype(kind[1] + kind[2])
    held = path.stat().st_size - start
    if held < prod(shape) * dtype.itemsize:
        raise UsageError(
            f"{path}: cut off: its shape is {shape}, {prod(shape) * dtype.itemsize:,} bytes, and "
            f"it holds {held:,}"
        )
    codes = np.memmap(path, dtype, "r", start, shape, "F" if order[1] == "True" else "C")
    return codes, _FLOATS[kind[2]]


def _npy_header(path: Path) -> tuple[str, int]:
    """Give the header's text, and where the values start."""
    try:
        with path.open("rb") as file:
            head = file.read(_HEADER_LIMIT)
    except OSError as error:
        raise UsageError(f"{path}: not readable: {error}") from error
    # Version 1 has a length of two bytes, the later ones of four.
    begin = 10 if head[6:7] == b"\1" else 12
    end = begin + int.from_bytes(head[8:begin], "little")
    if not head.startswith(_NPY_MAGIC) or len(head) < end:
        raise UsageError(
            f"{path}: not a .npy file, or cut off in its header; numpy.save writes one"
        )
    return head[begin:end].decode("latin-1"), end


def _safetensors(path: Path, check: Check, tensor: str) -> tuple[NDArray[Any], str, TensorFile]:
    """Map the only tensor of a safetensors file, or the one that is named."""
    try:
        file = TensorFile.open(path)
    except CheckpointError as error:
        raise UsageError(f"{error}; vectors are read from .npy and safetensors") from error
    if len(file.entries) == 1:
        (tensor,) = file.entries
    if tensor not in file.entries:
        held = ", ".join(map(repr, list(file.entries)[:20])) or "none"
        raise UsageError(
            f"{path}: vectors are a single tensor, or one called {tensor!r}; it holds {held}"
        )
    entry = file.entries[tensor]
    if entry.dtype not in ROW_TYPES:
        raise UsageError(f"{path}: its values are {entry.dtype}; vectors are of floating point")
    shape = check(entry.shape)
    return file.array(tensor).reshape(shape), entry.dtype, file


def _as_stack(path: Path, width: int, shape: tuple[int, ...]) -> tuple[int, ...]:
    """Give a shape as (L, P, D), if it is one of vectors by layer and they are not too many."""
    stack = (shape[0], 1, shape[1]) if len(shape) == 2 else shape
    if len(stack) != 3 or 0 in stack or stack[-1] != width:
        raise UsageError(
            f"{path}: its shape is {shape}; residuals of this head are (layers, {width}) or "
            f"(layers, positions, {width})"
        )
    _as_vectors(path, width, (stack[0] * stack[1], width))
    return stack


def _as_vectors(path: Path, width: int, shape: tuple[int, ...]) -> tuple[int, ...]:
    """Give a shape as (N, D), if it is one of vectors and they are not too many."""
    count = 1 if len(shape) == 1 else shape[0] if len(shape) == 2 else 0
    if not count or shape[-1] != width:
        raise UsageError(
            f"{path}: its shape is {shape}; vectors of this head are ({width},) or (N, {width})"
        )
    if count * width * 8 > _LIMIT:
        raise UsageError(
            f"{path}: {count:,} vectors; at most {_LIMIT // (width * 8):,} are read at once"
        )
    return count, width
