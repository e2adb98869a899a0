"""The covariance of rows by its eigenvalues, how these are shrunk, and what whitens the rows."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..errors import UsageError
from .moments import Fold, Moments, moments
from .progress import Done
from .rows import Rows, norm
from .store import Arrays, Store, fits

# N rows of width D.

_NUMBER = re.compile(r"(\d+\.?\d*|\.\d+)(e[-+]?\d+)?", re.ASCII)
_FLOOR = "floor="
_ORTHONORMAL = 1e-9  # eigenvectors of 16,384 values are so to 1e-11


@dataclass(frozen=True, eq=False)
class Spectrum:
    """The covariance of a cloud of rows, as its eigenvalues and eigenvectors.

    Attributes
    ----------
    count : int
        N.
    mean_D : ndarray of float64
        The mean row.
    values_D : ndarray of float64
        The eigenvalues, ascending.
    vectors_DD : ndarray of float64
        The eigenvectors, as columns.
    fourth : float
        The mean of ‖x - mean‖⁴.

    Examples
    --------
    >>> Spectrum.of(Moments(4, np.zeros(2), np.diag([3.0, 1.0]), 20.0)).values_D
    array([1., 3.])
    """

    count: int
    mean_D: NDArray[np.float64]
    values_D: NDArray[np.float64]
    vectors_DD: NDArray[np.float64]
    fourth: float

    @classmethod
    def of(cls, found: Moments) -> "Spectrum":
        """Take the covariance of moments apart.

        Raises
        ------
        numpy.linalg.LinAlgError
            LAPACK finds no eigenvalues.
        """
        values_D, vectors_DD = np.linalg.eigh(found.covariance_DD)
        return cls(found.count, found.mean_D, values_D, vectors_DD, found.fourth)


def spectrum(
    rows: Rows, ids_N: NDArray[np.int64], fold: Fold, *, store: Store, key: str, done: Done
) -> Spectrum:
    """Give the spectrum of some rows, a norm folded in: taken once and kept.

    Parameters
    ----------
    rows, ids_N, fold, done
        As in `moments.moments`.
    store : Store
        Keeps the entry ``covariance``.
    key : str
        Tells these rows, ids and this fold from every other.

    Raises
    ------
    numpy.linalg.LinAlgError
        LAPACK finds no eigenvalues.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> rows = Rows(np.array([[1, 0], [-1, 0], [0, 2], [0, -2]], dtype=np.float32), "F32")
    >>> store = Store(Path(tempfile.mkdtemp()))
    >>> ids, done = np.arange(4), lambda done, total: None
    >>> found = spectrum(rows, ids, Fold(), store=store, key="four", done=done)
    >>> found.count, found.values_D.tolist()
    (4, [0.5, 2.0])
    """

    def build() -> Arrays:
        found = Spectrum.of(moments(rows, ids_N, fold, done=done))
        return {
            "fourth": np.array([found.fourth]),
            "mean": found.mean_D,
            "values": found.values_D,
            "vectors": found.vectors_DD,
        }

    kept = store.arrays("covariance", key, build, lambda kept: _fits(kept, rows.width))
    fourth = float(kept["fourth"][0])
    return Spectrum(len(ids_N), kept["mean"], kept["values"], kept["vectors"], fourth)


def _fits(kept: Arrays, width: int) -> bool:
    """Tell whether a kept entry can be the spectrum of rows of this width."""
    shapes = {"fourth": (1,), "mean": (width,), "values": (width,), "vectors": (width, width)}
    if not fits(kept, shapes) or kept["fourth"][0] < 0:
        return False
    values_D, vectors_DD = kept["values"], kept["vectors"]
    if np.any(values_D[1:] < values_D[:-1]) or vectors_DD.max() > 2 or vectors_DD.min() < -2:
        return False
    # To multiply all eigenvectors takes as long as to find them: one vector must come back.
    probe_D = np.cos(np.arange(width))
    back_D = vectors_DD.T @ (vectors_DD @ probe_D)
    return bool(norm(back_D - probe_D) <= _ORTHONORMAL * norm(probe_D))


def ledoit_wolf(found: Spectrum) -> float:
    """Give Ledoit and Wolf's estimate of how much of the identity to mix in, in [0, 1].

    Ledoit and Wolf 2004, *A well-conditioned estimator for large-dimensional covariance matrices*,
    section 3.2, with the mean taken away: with d² the squared distance of Σ to μI and b² the
    variance of Σ, both over D, it is min(b², d²) / d², and b² needs only the mean of ‖x - mean‖⁴.

    Examples
    --------
    >>> round(ledoit_wolf(Spectrum(4, np.zeros(2), np.array([0.5, 2.0]), np.eye(2), 8.5)), 3)
    0.944
    """
    width, square, trace = _sums(found)
    distance = (square - trace**2 / width) / width
    variance = (found.fourth - square) / (width * found.count)
    return min(max(variance, 0.0), distance) / distance if distance > 0 else 0.0


def oas(found: Spectrum) -> float:
    """Give the Oracle Approximating Shrinkage: how much of the identity to mix in, in [0, 1].

    Chen, Wiesel, Eldar and Hero 2010, *Shrinkage algorithms for MMSE covariance estimation*,
    equation 23, without its two terms in 2/D, as scikit-learn has it:
    (tr Σ² + tr² Σ) / ((N + 1)(tr Σ² - tr² Σ / D)), at most 1. It takes the rows for Gaussian.

    Examples
    --------
    >>> round(oas(Spectrum(40, np.zeros(2), np.array([0.5, 2.0]), np.eye(2), 8.5)), 3)
    0.228
    """
    width, square, trace = _sums(found)
    distance = (found.count + 1) * (square - trace**2 / width)
    return min((square + trace**2) / distance, 1.0) if distance > 0 else 1.0


def _sums(found: Spectrum) -> tuple[int, float, float]:
    """Give D, tr Σ² and tr Σ."""
    values_D = found.values_D
    return len(values_D), float(np.square(values_D).sum()), float(values_D.sum())


_ESTIMATES: Mapping[str, Callable[[Spectrum], float]] = {"": ledoit_wolf, "oas": oas}


@dataclass(frozen=True)
class Shrinkage:
    """How the eigenvalues of a covariance are brought nearer to their mean μ.

    Attributes
    ----------
    name : str
        Tells it from every other: nothing for Ledoit and Wolf's estimate of s, ``oas``, the number
        s itself, or ``floor=`` and a number f.
    share : float or None
        s or f, where the name gives it.

    Examples
    --------
    >>> found = Spectrum(9, np.zeros(2), np.array([0.0, 4.0]), np.eye(2), 16.0)
    >>> Shrinkage.read("0.1")(found), Shrinkage.read("floor=0.1")(found)
    (array([0.2, 3.8]), array([0.2, 4. ]))
    """

    name: str = ""
    share: float | None = None

    @classmethod
    def read(cls, text: str) -> "Shrinkage":
        """Take a shrinkage from what a user wrote: ``oas``, ``0.1`` or ``floor=0.01``.

        One number has one name, however it is written.

        Raises
        ------
        UsageError
            It is none of these, or the number is out of its limits.
        """
        if text == "oas":
            return cls(text)
        prefix = _FLOOR if text.startswith(_FLOOR) else ""
        number = text.removeprefix(prefix)
        share = float(number) if _NUMBER.fullmatch(number) else -1.0
        if not 0 <= share <= 1 or (prefix and share == 0):
            raise UsageError(
                f"unknown shrinkage {text!r}: it is oas, a number from 0 to 1 such as 0.1, or "
                f"{_FLOOR} and a number above 0 up to 1, such as {_FLOOR}0.01"
            )
        return cls(prefix + repr(share).removesuffix(".0"), share)

    def __call__(self, found: Spectrum) -> NDArray[np.float64]:
        """Give the shrunk eigenvalues, shape (D,), ascending.

        (1 - s) λ + s μ, which mixes s of μI into Σ (Ledoit and Wolf 2004, equation 14), or
        max(λ, f μ).
        """
        values_D, share = found.values_D, self.share
        mean = float(values_D.mean())
        if share is None:
            share = _ESTIMATES[self.name](found)
        elif self.name.startswith(_FLOOR):
            return np.maximum(values_D, share * mean)
        return np.asarray((1 - share) * values_D + share * mean)


def inverse_root(
    values_D: NDArray[np.float64], vectors_DD: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Give the symmetric inverse square root of a matrix of these eigenvalues and eigenvectors.

    Parameters
    ----------
    values_D : ndarray of float64
        Ascending.
    vectors_DD : ndarray of float64
        As columns.

    Raises
    ------
    numpy.linalg.LinAlgError
        The matrix is not positive definite, to rounding.

    Examples
    --------
    >>> inverse_root(np.array([4.0, 16.0]), np.eye(2))
    array([[0.5 , 0.  ],
           [0.  , 0.25]])
    """
    if not values_D[0] > values_D[-1] * len(values_D) * np.finfo(np.float64).eps:
        raise np.linalg.LinAlgError("the matrix is not positive definite")
    root_DD: NDArray[np.float64] = (vectors_DD / np.sqrt(values_D)) @ vectors_DD.T
    return 0.5 * (root_DD + root_DD.T)
