"""How far the neighbourhoods of tokens are the same in two heads, of any widths."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...indexes.batch import nearest_each
from ...indexes.progress import Progress, step_of
from ..heads.unembedding import Unembedding
from ..space import Space
from .matching import Matched

# S tokens, K nearest.

NEAREST = 10
_PERSISTENCE = 0.9  # of the reader of a list: after each place he goes on so likely


@dataclass(frozen=True, eq=False)
class Overlap:
    """The nearest tokens of some tokens in two heads, and how far they are the same.

    Attributes
    ----------
    near_SK, others_SK : ndarray of int64
        Places in `Matched` of the ten nearest in the first and in the second head.
    shared_S : ndarray of float64
        The share of the ten that is in both lists.
    biased_S : ndarray of float64
        Rank-biased overlap: the higher places count more.

    Examples
    --------
    >>> Overlap(np.ones((1, 1)), np.ones((1, 1)), np.ones(1), np.ones(1)).shared_S
    array([1.])
    """

    near_SK: NDArray[np.int64]
    others_SK: NDArray[np.int64]
    shared_S: NDArray[np.float64]
    biased_S: NDArray[np.float64]


def overlap(
    heads: tuple[Unembedding, Unembedding],
    spaces: tuple[Space, Space],
    matched: Matched,
    places_S: NDArray[np.int64],
    *,
    progress: Progress | None = None,
) -> Overlap:
    """Find the nearest of some tokens in two heads, among the tokens that both have.

    Parameters
    ----------
    heads : tuple of Unembedding
        The two.
    spaces : tuple of Space
        One on each.
    matched : Matched
        The tokens that both have.
    places_S : ndarray of int64
        Which of them.
    progress : callable, optional
        Is told ``(step, done, total)``.

    Examples
    --------
    >>> import unembed
    >>> from unembed.geometry.comparing.matching import match
    >>> from unembed.geometry.space import open_space
    >>> head = unembed.open_head("demo-bytes")
    >>> both = match(head.vocabulary, head.vocabulary)
    >>> overlap((head, head), (open_space(head),) * 2, both, np.arange(3)).biased_S.round(9)
    array([1., 1., 1.])
    """
    near_SK, others_SK = (
        _nearest(head, space, ids_N, places_S, progress)
        for head, space, ids_N in zip(heads, spaces, (matched.ids_N, matched.others_N), strict=True)
    )
    shared_SK = np.array(
        [
            [len({*near[:depth]} & {*others[:depth]}) for depth in range(1, len(near) + 1)]
            for near, others in zip(near_SK.tolist(), others_SK.tolist(), strict=True)
        ],
        dtype=np.float64,
    ).reshape(near_SK.shape)
    return Overlap(near_SK, others_SK, shared_SK[:, -1] / near_SK.shape[1], _biased(shared_SK))


def _nearest(
    head: Unembedding,
    space: Space,
    ids_N: NDArray[np.int64],
    places_S: NDArray[np.int64],
    progress: Progress | None,
) -> NDArray[np.int64]:
    """Give the places of the tokens nearest to some tokens, which are left out themselves."""
    order_N = np.argsort(ids_N)
    vectors_SD = space.place(head.rows.decode(ids_N[places_S]))
    at_origin_S = ~vectors_SD.any(axis=1)
    vectors_SD[at_origin_S, 0] = 1.0  # it has no direction of its own: any will do
    count = min(NEAREST, len(ids_N) - 1)
    _, ids_SK = nearest_each(
        head.rows,
        space.measures(vectors_SD, residual_norm=1.0, cosine=True),
        count + 1,
        lengths_V=head.norms_V,
        among_N=ids_N[order_N],
        done=step_of(progress, f"finding the nearest tokens of {head.source}"),
    )
    near_SK = order_N[np.searchsorted(ids_N[order_N], ids_SK)]
    # Without the token itself; where an equal row comes before it, without the last.
    other_SK = near_SK != places_S[:, None]
    other_SK[other_SK.all(axis=1), -1] = False
    nearest_SK: NDArray[np.int64] = near_SK[other_SK].reshape(len(places_S), count)
    return nearest_SK


def _biased(shared_SK: NDArray[np.float64]) -> NDArray[np.float64]:
    """Extrapolate rank-biased overlap from the first places (Webber and others 2010, RBO_EXT).

    ``X_k/k pᵏ + (1-p)/p Σ_d X_d/d pᵈ``, where X_d tokens are in both lists down to place d.
    """
    depths_K = np.arange(1, shared_SK.shape[1] + 1)
    agreed_SK = shared_SK / depths_K
    weights_K = (1 - _PERSISTENCE) / _PERSISTENCE * _PERSISTENCE**depths_K
    biased_S: NDArray[np.float64] = (
        agreed_SK @ weights_K + agreed_SK[:, -1] * _PERSISTENCE ** depths_K[-1]
    )
    return biased_S
