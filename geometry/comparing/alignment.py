"""One head turned onto another: Procrustes, and how alike they are as wholes."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...indexes.moments import mean
from ...indexes.progress import Done
from ...indexes.rows import Rows, norm
from .matching import Matched

# N tokens that both have, rows of width D in the first head and E in the second.

_BLOCK = 1 << 22  # values of rows that are met at once


@dataclass(frozen=True, eq=False)
class Alignment:
    """How the rows of the second head are brought onto those of the first.

    Attributes
    ----------
    mean_D, mean_E : ndarray of float64
        The mean rows of the tokens that both have.
    turn_ED : ndarray of float64
        The orthogonal map, of as many dimensions as both have.
    scale : float
        What turned rows are multiplied by.
    residual : float
        What no orthogonal map and no scale explains: the least ``‖A - s B R‖² / ‖A‖²`` of the
        centred rows, 0 to 1, where the narrower head has zeros in the dimensions that it lacks. It
        is the same both ways.
    cka : float
        Linear centred kernel alignment, 0 to 1.

    Examples
    --------
    >>> Alignment(np.zeros(1), np.zeros(1), np.eye(1), 1.0, 0.0, 1.0).cka
    1.0
    """

    mean_D: NDArray[np.float64]
    mean_E: NDArray[np.float64]
    turn_ED: NDArray[np.float64]
    scale: float
    residual: float
    cka: float

    def __call__(self, others_NE: NDArray[np.float64]) -> NDArray[np.float64]:
        """Bring rows of the second head to where they lie among the rows of the first."""
        return self.mean_D + self.scale * ((others_NE - self.mean_E) @ self.turn_ED)


def align(rows: Rows, others: Rows, matched: Matched, *, done: Done) -> Alignment:
    """Turn the rows of one head onto those of another, by the tokens that both have.

    Orthogonal Procrustes: ``R = V Uᵀ`` of the singular vectors of the rows' cross-covariance
    ``Aᵀ B = U S Vᵀ`` (Schönemann 1966), and the residual ``1 - (Σ S)² / (‖A‖² ‖B‖²)``. Linear CKA
    is ``‖Aᵀ B‖² / (‖Aᵀ A‖ ‖Bᵀ B‖)`` (Kornblith and others 2019, arXiv 1905.00414, equation 5).
    Rows are centred.

    Parameters
    ----------
    rows, others : Rows
        Of the first and of the second head.
    matched : Matched
        The tokens that both have.
    done : callable
        Is told how many were met, of all.

    Examples
    --------
    >>> rows = Rows(np.array([[1, 0], [0, 2], [-1, -2]], dtype=np.float32), "F32")
    >>> turned = Rows(np.array([[0, 3], [-6, 0], [6, -3]], dtype=np.float32), "F32")
    >>> both = Matched(np.arange(3), np.arange(3))
    >>> found = align(rows, turned, both, done=lambda done, total: None)
    >>> found.turn_ED.round(6).tolist(), round(found.cka, 6), abs(found.residual) < 1e-6
    ([[0.0, -1.0], [1.0, 0.0]], 1.0, True)
    """
    mean_D, mean_E = mean(rows, matched.ids_N), mean(others, matched.others_N)
    own_DD = np.zeros((rows.width, rows.width))
    other_EE = np.zeros((others.width, others.width))
    cross_DE = np.zeros((rows.width, others.width))
    for places in blocks(matched, max(rows.width, others.width)):
        # The sums of a block lose little in float32, and take half the time.
        one_ND = (rows.decode(matched.ids_N[places]) - mean_D).astype(np.float32)
        other_NE = (others.decode(matched.others_N[places]) - mean_E).astype(np.float32)
        own_DD += one_ND.T @ one_ND
        other_EE += other_NE.T @ other_NE
        cross_DE += one_ND.T @ other_NE
        done(min(places.stop, len(matched.ids_N)), len(matched.ids_N))
    left_DK, values_K, right_KE = np.linalg.svd(cross_DE, full_matrices=False)
    own, theirs, shared = float(np.trace(own_DD)), float(np.trace(other_EE)), float(values_K.sum())
    alike = float(norm(own_DD.ravel()) * norm(other_EE.ravel()))
    return Alignment(
        mean_D=mean_D,
        mean_E=mean_E,
        turn_ED=right_KE.T @ left_DK.T,
        scale=shared / theirs if theirs else 0.0,
        residual=max(1.0 - shared**2 / (own * theirs), 0.0) if own * theirs else 1.0,
        cka=float(np.square(cross_DE).sum()) / alike if alike else 0.0,
    )


def blocks(matched: Matched, width: int) -> Iterator[slice]:
    """Give places of tokens, block by block.

    Examples
    --------
    >>> list(blocks(Matched(np.arange(5), np.arange(5)), 1 << 21))
    [slice(0, 2, None), slice(2, 4, None), slice(4, 6, None)]
    """
    step = max(_BLOCK // width, 1)
    for start in range(0, len(matched.ids_N), step):
        yield slice(start, start + step)
