"""From pairs of vectors to an affine map that takes the first of a pair near the second."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...indexes.rows import norm

# N pairs, vectors of width D, S dimensions that pairs span.

_SHRINKAGE = 4.0  # of orthogonal and ridge maps towards the identity: docs/directions.md
_SLIVER = 1e-9
_SINGULAR = 1e-9  # of eigenvalues of a square
_ROUNDING = 1e-12  # what is this much smaller than what it was taken from is only its rounding
_EMPHASIS = 2.0  # what an orthogonal map multiplies the base by


@dataclass(frozen=True, eq=False)
class Fit:
    """An affine map, ``x ↦ gain (x - base) A + target``.

    Attributes
    ----------
    base_D, target_D : ndarray of float64
        Shape (D,): where the bases lie, and where the targets do.
    map_DD : ndarray of float64 or None
        A, shape (D, D); None for the identity.
    gain : float
        How much of the base is kept.
    key : str
        What it was learned from, where it is kept: tells it apart from every other.

    Examples
    --------
    >>> Fit(np.array([1.0, 0.0]), np.array([0.0, 1.0]))(np.array([3.0, 0.0]))
    array([2., 1.])
    """

    base_D: NDArray[np.float64]
    target_D: NDArray[np.float64]
    map_DD: NDArray[np.float64] | None = None
    gain: float = 1.0
    key: str = ""

    def __call__(self, vectors_ND: NDArray[np.float64]) -> NDArray[np.float64]:
        """Apply the map to vectors, shape (N, D) or (D,)."""
        moved_ND = vectors_ND - self.base_D
        if self.map_DD is not None:
            moved_ND = moved_ND @ self.map_DD
        return self.gain * moved_ND + self.target_D


def offset(
    bases_ND: NDArray[np.float64], targets_ND: NDArray[np.float64], weights_N: NDArray[np.float64]
) -> Fit:
    """Add the mean difference of target and base, at the length that differences have.

    The mean of differences that agree only in part is shorter than each of them, and too short a
    step to leave the base; so it is given their mean length (Mikolov, Yih and Zweig 2013, section
    4, but for the length).

    Examples
    --------
    >>> targets_ND = np.eye(2) + [[4.0, 3.0], [-4.0, 3.0]]
    >>> offset(np.eye(2), targets_ND, np.ones(2) / 2)(np.zeros(2))
    array([0., 5.])
    """
    base_D, steps_ND = weights_N @ bases_ND, targets_ND - bases_ND
    step_D = weights_N @ steps_ND
    length, wanted = float(norm(step_D)), float(weights_N @ norm(steps_ND))
    # Steps that cancel leave their rounding, which has no direction.
    step_D = step_D * (wanted / length if length > _ROUNDING * wanted else 0.0)
    return Fit(base_D, base_D + step_D)


def category(
    bases_ND: NDArray[np.float64],  # noqa: ARG001 - the signature of an estimator
    targets_ND: NDArray[np.float64],
    weights_N: NDArray[np.float64],
) -> Fit:
    """Add the vector ℓ of the targets' category (Park et al. 2024, arXiv 2406.01506, theorem 8).

    With μ the mean of the targets and C their covariance about the origin's μ, shrunk by Ledoit
    and Wolf's estimate, d ∝ C⁻¹ μ and ℓ = (μ·d) d for the unit vector d. Bases are not looked at.

    Examples
    --------
    >>> targets_ND = np.array([[2.0, 1.0], [2.0, -1.0]])
    >>> category(targets_ND, targets_ND, np.ones(2) / 2)(np.zeros(2)).round(6)
    array([2., 0.])
    """
    # A target that is there twice is one, of both weights.
    targets_ND, groups_N = np.unique(targets_ND, axis=0, return_inverse=True)
    weights_N = np.bincount(groups_N.ravel(), weights_N).astype(np.float64)
    mean_D = weights_N @ targets_ND
    centred_ND = _centred(targets_ND, mean_D)
    covariance_DD = _ledoit_wolf(centred_ND, weights_N)
    direction_D = np.linalg.solve(covariance_DD, mean_D).astype(np.float64)
    direction_D /= norm(direction_D) or 1.0
    return Fit(np.zeros_like(mean_D), (mean_D @ direction_D) * direction_D)


def ridge(
    bases_ND: NDArray[np.float64], targets_ND: NDArray[np.float64], weights_N: NDArray[np.float64]
) -> Fit:
    """Map by ridge regression, shrunk towards a multiple of the identity.

    With A and B the centred bases and targets, it minimizes ‖AM - B‖² + λ‖M - sI‖² (Hoerl and
    Kennard 1970): M = (AᵀA + λI)⁻¹ (AᵀB + λsI), with s = tr(AᵀB)/tr(AᵀA) and λ four times the
    mean eigenvalue of AᵀA.

    Examples
    --------
    >>> bases_ND = np.array([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0], [0.0, -1.0]])
    >>> ridge(bases_ND, 3 * bases_ND, np.ones(4) / 4)(np.array([1.0, 0.0]))
    array([3., 0.])
    """
    base_D, target_D = weights_N @ bases_ND, weights_N @ targets_ND
    centred_ND = _centred(bases_ND, base_D)
    weighed_ND = centred_ND * weights_N[:, None]
    gram_DD, cross_DD = centred_ND.T @ weighed_ND, weighed_ND.T @ _centred(targets_ND, target_D)
    width, spread = len(gram_DD), np.trace(gram_DD)
    if not spread > 0:
        return Fit(base_D, target_D)
    identity_DD, shrinkage = np.eye(width), _SHRINKAGE * spread / width
    map_DD = np.linalg.solve(
        gram_DD + shrinkage * identity_DD,
        cross_DD + shrinkage * (np.trace(cross_DD) / spread) * identity_DD,
    )
    return Fit(base_D, target_D, map_DD)


def procrustes(
    bases_ND: NDArray[np.float64], targets_ND: NDArray[np.float64], weights_N: NDArray[np.float64]
) -> Fit:
    """Turn by the rotation that takes bases to targets, shrunk towards none.

    With A and B the centred bases and targets, it is the orthogonal Q that maximizes
    tr(Qᵀ(AᵀB + λI)), the orthogonal factor of AᵀB + λI (Schönemann 1966; the term λI, four times
    the mean of the trace, is what holds it to the identity where pairs say nothing). What comes out
    is given twice its length, beside the targets' mean.

    Examples
    --------
    >>> bases_ND = np.array([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0], [0.0, -1.0]])
    >>> procrustes(bases_ND, bases_ND + [0.0, 5.0], np.ones(4) / 4)(np.array([1.0, 0.0])).round(6)
    array([2., 5.])
    """
    base_D, target_D = weights_N @ bases_ND, weights_N @ targets_ND
    moved_ND = _centred(bases_ND, base_D) * weights_N[:, None]
    aims_ND = _centred(targets_ND, target_D)
    width = bases_ND.shape[1]
    shrinkage = _SHRINKAGE * abs(float(np.vdot(moved_ND, aims_ND))) / width
    if not shrinkage > 0:
        return Fit(base_D, target_D, gain=_EMPHASIS)
    # Beyond what the pairs span, AᵀB + λI is λI, whose orthogonal factor is the identity.
    both_2ND = np.concatenate([moved_ND, aims_ND])
    span_DS = np.eye(width) if len(both_2ND) >= width else np.linalg.qr(both_2ND.T)[0]
    cross_SS = (moved_ND @ span_DS).T @ (aims_ND @ span_DS)
    identity_SS = np.eye(len(cross_SS))
    turned_SS = _orthogonal_factor(cross_SS + shrinkage * identity_SS) - identity_SS
    map_DD = np.eye(width) + span_DS @ turned_SS @ span_DS.T
    return Fit(base_D, target_D, map_DD, _EMPHASIS)


Estimator = Callable[[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]], Fit]
ESTIMATORS: Mapping[str, Estimator] = {
    "offset": offset,
    "category": category,
    "ridge": ridge,
    "procrustes": procrustes,
}
"""Of bases (N, D), targets (N, D) and weights (N,) that add up to 1."""


def _centred(vectors_ND: NDArray[np.float64], mean_D: NDArray[np.float64]) -> NDArray[np.float64]:
    """Take a mean away, and the rounding that it leaves of vectors that do not vary."""
    centred_ND = vectors_ND - mean_D
    centred_ND[np.abs(centred_ND) <= _ROUNDING * np.abs(vectors_ND).max()] = 0.0
    return centred_ND


def _orthogonal_factor(matrix_SS: NDArray[np.float64]) -> NDArray[np.float64]:
    """Give the orthogonal matrix nearest to one: U Vᵀ of its singular value decomposition.

    By the eigenvectors of MᵀM, which come several times sooner, and two steps of Newton and Schulz
    that take away what the square cost in accuracy; by the decomposition itself where M is nearly
    singular.
    """
    values_S, vectors_SS = np.linalg.eigh(matrix_SS.T @ matrix_SS)
    if not values_S[0] > _SINGULAR * values_S[-1]:
        left_SS, _, right_SS = np.linalg.svd(matrix_SS)
        return np.asarray(left_SS @ right_SS)
    factor_SS = matrix_SS @ (vectors_SS / np.sqrt(values_S)) @ vectors_SS.T
    for _ in range(2):
        factor_SS = factor_SS @ (1.5 * np.eye(len(factor_SS)) - 0.5 * factor_SS.T @ factor_SS)
    return np.asarray(factor_SS)


def _ledoit_wolf(
    centred_ND: NDArray[np.float64], weights_N: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Give the covariance of some rows, shrunk by Ledoit and Wolf's estimate (equation 14)."""
    width = centred_ND.shape[1]
    covariance_DD = (centred_ND * weights_N[:, None]).T @ centred_ND
    square, trace = float(np.square(covariance_DD).sum()), float(np.trace(covariance_DD))
    fourth = float(weights_N @ np.square(np.square(centred_ND).sum(axis=1)))
    distance = square - trace**2 / width
    variance = (fourth - square) * float(weights_N @ weights_N)
    shrinkage = min(max(variance / distance, 0.0), 1.0) if distance > 0 else 1.0
    mean = trace / width or 1.0  # of one row the covariance is zero: then it is the identity
    # A sliver of the identity is always there: rows may not vary in all directions.
    return (1 - shrinkage) * covariance_DD + max(shrinkage, _SLIVER) * mean * np.eye(width)
