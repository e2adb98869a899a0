"""How far a map can be believed: which neighbours it keeps, and which it makes up."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...indexes.progress import Done

# N rows of width D on a map of C coordinates; Q of them looked at; K nearest; B rows of a block.

_LOOKED_AT = 2048  # rows; of more, so many at equal distances
_BLOCK = 1 << 7
_NEAREST = 10


@dataclass(frozen=True)
class Trust:
    """How far a map can be believed.

    Attributes
    ----------
    trustworthiness : float
        1 where the ten nearest on the map are the ten nearest in the space; less, the farther in
        the space those are that the map brings among them (Venna and Kaski 2001, *Neighborhood
        preservation in nonlinear projection methods*, equation 1).
    preservation : float
        The share of the ten nearest in the space that are among the ten nearest on the map.
    neighbors : int
        Ten, or fewer where the map has fewer than 22 tokens.
    tokens : int
        How many were looked at: all up to 2,048, else so many at equal distances.

    Examples
    --------
    >>> Trust(0.9413, 0.41, 10, 990)
    Trust(trustworthiness=0.9413, preservation=0.41, neighbors=10, tokens=990)
    """

    trustworthiness: float
    preservation: float
    neighbors: int
    tokens: int

    def __str__(self) -> str:
        """Say it in words."""
        return (
            f"trustworthiness {self.trustworthiness:.3f}; {self.preservation:.0%} of a token's "
            f"{self.neighbors} nearest stay among its {self.neighbors} nearest here"
        )


def trust_of(
    units_ND: NDArray[np.float32], mapped_NC: NDArray[np.float32], *, done: Done
) -> Trust | None:
    """Compare nearness on a map with nearness in its space; None for fewer than four rows.

    Parameters
    ----------
    units_ND : ndarray of float32
        Unit vectors of the space.
    mapped_NC : ndarray of float32
        Where they are on the map, as UMAP put them.
    done : callable
        Is told ``(done, total)``, in rows.

    Examples
    --------
    >>> turn_N = np.linspace(0, 3, 100)
    >>> units_N2 = np.column_stack([np.cos(turn_N), np.sin(turn_N)]).astype(np.float32)
    >>> trust_of(units_N2, units_N2, done=lambda *_: None).preservation > 0.99
    True
    """
    count = len(units_ND)
    k = min(_NEAREST, (count - 2) // 2)  # its worst is known only for k < N / 2
    if k < 1:
        return None
    from sklearn.neighbors import NearestNeighbors

    places_Q = np.unique(np.linspace(0, count - 1, min(count, _LOOKED_AT)).astype(np.int64))
    near = NearestNeighbors(n_neighbors=k + 1).fit(mapped_NC)
    drawn_QK = _others(near.kneighbors(mapped_NC[places_Q], return_distance=False), places_Q, k)
    strange, kept = 0, 0
    for start in range(0, len(places_Q), _BLOCK):
        block = slice(start, start + _BLOCK)
        cosines_BN = units_ND[places_Q[block]] @ units_ND.T
        cosines_BN[np.arange(len(cosines_BN)), places_Q[block]] = -np.inf
        drawn_BK = np.take_along_axis(cosines_BN, drawn_QK[block], axis=1)
        for cosines_N, drawn_K in zip(cosines_BN, drawn_BK, strict=True):
            ranks_K = 1 + (cosines_N > drawn_K[:, None]).sum(axis=1)
            strange += int(np.maximum(ranks_K - k, 0).sum())
            kept += int((ranks_K <= k).sum())
        done(min(start + _BLOCK, len(places_Q)), len(places_Q))
    looked_at = len(places_Q)
    worst = looked_at * k * (2 * count - 3 * k - 1) / 2
    return Trust(1 - strange / worst, kept / (looked_at * k), k, looked_at)


def _others(near_QK: NDArray[np.int64], places_Q: NDArray[np.int64], k: int) -> NDArray[np.int64]:
    """Leave each point out of its own neighbours; where it is not among them, the last."""
    order_QK = np.argsort(near_QK == places_Q[:, None], axis=1, kind="stable")
    others_QK: NDArray[np.int64] = np.take_along_axis(near_QK, order_QK[:, :k], axis=1)
    return others_QK
