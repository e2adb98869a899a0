"""The rows of a matrix, in the type that they are stored in."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import CheckpointError
from .tensors import Tensors

# V rows of width D; N of them chosen.

ROW_TYPES = ("BF16", "F16", "F32", "F64")
_WIDEST = 1 << 16  # no model comes near; float32 sums and a D x D matrix stay sound
_FEWEST_ROWS = 512  # of a block; with fewer, a product with a wide matrix waits for the matrix
_BLOCK_VALUES = 1 << 18  # 2 MiB of float64: a block stays in the cache
_SINGLE_VALUES = 1 << 20  # of float32, where many vectors meet a block


def norm(vectors: NDArray[np.float64]) -> NDArray[np.float64]:
    """Give Euclidean norms along the last axis, with the same bits on every machine.

    A BLAS norm, which numpy takes for a single vector, sums in an order that depends on the
    processor. No square overflows or is lost, however large or small the values are.

    Examples
    --------
    >>> norm(np.array([[3.0, 4.0], [0.0, 0.0], [3e200, 4e200]]))
    array([5.e+000, 0.e+000, 5.e+200])
    """
    with np.errstate(over="ignore"):
        norms = np.asarray(np.sqrt(np.square(vectors).sum(axis=-1)))
        extreme = ~((norms > 1e-140) & (norms < 1e150))
        if extreme.any():
            far_ND = vectors[extreme]
            # A power of two changes no digit.
            _, exponents_N = np.frexp(np.abs(far_ND).max(axis=-1))
            near_ND = np.ldexp(far_ND, -exponents_N[:, None])
            norms[extreme] = np.ldexp(np.sqrt(np.square(near_ND).sum(axis=-1)), exponents_N)
    return norms


def united(vectors: NDArray[np.float64]) -> NDArray[np.float64]:
    """Make vectors along the last axis unit vectors; one that is zero stays so.

    Examples
    --------
    >>> united(np.array([[3.0, 4.0], [0.0, 0.0]]))
    array([[0.6, 0.8],
           [0. , 0. ]])
    """
    lengths = norm(vectors)[..., None]
    return vectors / np.where(lengths > 0, lengths, 1.0)


def half_angles(vectors: NDArray[np.float64], others: NDArray[np.float64]) -> NDArray[np.float64]:
    """Give half the angles between vectors along the last axis, in radians.

    Of unit vectors u and v the half angle has the tangent ‖u - v‖ / ‖u + v‖ (Kahan, *How Futile are
    Mindless Assessments of Roundoff in Floating-Point Computation?*, 2006), which loses
    nothing where they nearly agree. A zero vector is at a right angle to all others.

    Examples
    --------
    >>> half_angles(np.array([[1.0, 0.0], [2.0, 0.0]]), np.array([[0.0, 3.0], [2.0, 0.0]]))
    array([0.78539816, 0.        ])
    """
    units, other_units = united(vectors), united(others)
    halves: NDArray[np.float64] = np.arctan2(norm(units - other_units), norm(units + other_units))
    return halves


def gaps(
    vectors: NDArray[np.float64], others: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Say what the angle between vectors takes from their product: |v||o| - v·o, and its degrees.

    Examples
    --------
    >>> lost, degrees = gaps(np.array([1.0, 0.0]), np.array([0.0, 3.0]))
    >>> lost.round(6).item(), degrees.item()
    (3.0, 90.0)
    """
    halves = half_angles(vectors, others)
    lost = 2 * norm(vectors) * norm(others) * np.sin(halves) ** 2
    return lost, np.degrees(2 * halves)


@dataclass(frozen=True, eq=False)
class Rows:
    """V rows of width D, as the bytes that the checkpoint holds.

    Attributes
    ----------
    codes_VD : ndarray
        Shape (V, D): ``float16``, ``float32`` or ``float64`` values, or the bits of bfloat16 in
        ``uint16``. Usually a view of a mapped file.
    dtype : str
        ``"BF16"``, ``"F16"``, ``"F32"`` or ``"F64"``, as safetensors names them.

    Examples
    --------
    >>> rows = Rows(np.array([[3.0, 4.0]], dtype=np.float32), "F32")
    >>> rows.decode(np.array([0])), rows.norms()
    (array([[3., 4.]]), array([5.]))
    """

    codes_VD: NDArray[Any]
    dtype: str

    @classmethod
    def of(cls, file: Tensors, name: str) -> "Rows":
        """Take a matrix of a safetensors file, in place.

        Raises
        ------
        CheckpointError
            The tensor is not a matrix, is empty or too wide, or is of a type that is not read.
        """
        codes = file.array(name)
        dtype = file.entries[name].dtype
        if codes.ndim != 2 or not codes.size:
            raise CheckpointError(
                f"{file.path}: tensor {name!r} has shape {codes.shape}; a head is a matrix of "
                "at least one row"
            )
        if codes.shape[1] > _WIDEST:
            raise CheckpointError(
                f"{file.path}: tensor {name!r} has rows of {codes.shape[1]:,} values; a head's have"
                f" at most {_WIDEST:,}: is this another matrix, or a transposed one?"
            )
        if dtype not in ROW_TYPES:
            raise CheckpointError(
                f"{file.path}: tensor {name!r} is {dtype}; rows can be {', '.join(ROW_TYPES)}: "
                "save the checkpoint in one of these"
            )
        return cls(codes, dtype)

    @property
    def count(self) -> int:
        """V, the number of rows."""
        return int(self.codes_VD.shape[0])

    @property
    def width(self) -> int:
        """D, the number of values in a row."""
        return int(self.codes_VD.shape[1])

    def decode(self, ids_N: NDArray[np.int64] | slice) -> NDArray[np.float64]:
        """Give rows as ``float64``, shape (N, D): exact for every type."""
        codes_ND = self.codes_VD[ids_N]
        if self.dtype == "BF16":
            codes_ND = (codes_ND.astype(np.uint32) << 16).view(np.float32)
        return codes_ND.astype(np.float64)

    def blocks(self, ids_N: NDArray[np.int64]) -> Iterator[tuple[slice, NDArray[np.float64]]]:
        """Decode rows block by block, so that no copy of many rows is ever held.

        Yields
        ------
        slice, ndarray
            The places in `ids_N`, and their rows, ``float64`` of shape (block, D).
        """
        step = max(_FEWEST_ROWS, _BLOCK_VALUES // self.width)
        for start in range(0, len(ids_N), step):
            places = slice(start, start + step)
            yield places, self.decode(ids_N[places])

    def single_blocks(self) -> Iterator[tuple[slice, NDArray[np.float32]]]:
        """Decode all rows as ``float32``, block by block: half the memory, twice the speed."""
        step = max(_FEWEST_ROWS, _SINGLE_VALUES // self.width)
        for start in range(0, self.count, step):
            codes_ND = self.codes_VD[start : start + step]
            if self.dtype == "BF16":
                codes_ND = np.left_shift(codes_ND, 16, dtype=np.uint32).view(np.float32)
            yield slice(start, start + step), codes_ND.astype(np.float32, copy=False)

    def norms(self) -> NDArray[np.float64]:
        """Give every row's Euclidean norm, ``float64`` of shape (V,).

        Raises
        ------
        CheckpointError
            A row holds NaN or infinity, or is too long for a float32 product.
        """
        norms_V = np.empty(self.count)
        with np.errstate(invalid="ignore", over="ignore"):  # judged below
            for places, block_ND in self.blocks(np.arange(self.count)):
                norms_V[places] = norm(block_ND)
        # Partial sums of a product with a unit vector stay below the norm (Cauchy-Schwarz).
        bad_ids = np.flatnonzero(~(norms_V < np.finfo(np.float32).max))
        if bad_ids.size:
            raise CheckpointError(
                f"{bad_ids.size} rows of the head are NaN, infinite or longer than float32 holds, "
                f"the first is row {bad_ids[0]}: the checkpoint is damaged"
            )
        return norms_V
