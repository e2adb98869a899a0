"""What the head makes of residuals: the first tokens, how sure, and how far from the last layer."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

# L layers at one position, each a vector of width D; V tokens; K first of them; T followed.

_BLOCK = 256


@dataclass(frozen=True, eq=False)
class Readout:
    """The head's answer to each layer at one position.

    Attributes
    ----------
    ids_LK : ndarray of int64
        The first K tokens, by descending logit; of equal ones the lower id.
    logits_LK : ndarray of float64
        Theirs, as the sampler gets them: scaled and capped as the model has it.
    totals_L : ndarray of float64
        The logarithm of what the softmax divides by: a probability is exp(logit - total).
    entropies_L : ndarray of float64
        In nats: 0 where one token is certain.
    kl_L : ndarray of float64
        How many nats the last layer's distribution loses if this one is taken for it, KL(last ‖
        this) (Kullback and Leibler 1951); 0 for the last layer.
    followed_T : ndarray of int64
        The tokens that are followed.
    ranks_LT : ndarray of int64
        Their ranks, from 1.
    followed_LT : ndarray of float64
        Their logits.

    Examples
    --------
    >>> readout(np.array([[1.0, 3.0, 2.0]], np.float32), top=2, followed=[0]).ids_LK
    array([[1, 2]])
    """

    ids_LK: NDArray[np.int64]
    logits_LK: NDArray[np.float64]
    totals_L: NDArray[np.float64]
    entropies_L: NDArray[np.float64]
    kl_L: NDArray[np.float64]
    followed_T: NDArray[np.int64]
    ranks_LT: NDArray[np.int64]
    followed_LT: NDArray[np.float64]


def readout(logits_LV: NDArray[np.float32], *, top: int, followed: list[int] | None) -> Readout:
    """Read one position: what the head makes of each layer.

    Parameters
    ----------
    logits_LV : ndarray of float32
        The logits of each layer, as the sampler would get them.
    top : int
        K, at most V.
    followed : list of int or None
        Tokens whose rank and logit are wanted in every layer; None for those that are first in
        some layer.

    Returns
    -------
    Readout
        Its ``followed_T`` are `followed`, or the first tokens in the order in which they appear.

    Examples
    --------
    >>> found = readout(np.zeros((2, 4), np.float32), top=1, followed=None)
    >>> found.entropies_L.round(3), found.kl_L, found.followed_T
    (array([1.386, 1.386]), array([0., 0.]), array([0]))
    """
    ids_LK = np.array([first_tokens(logits_V, top) for logits_V in logits_LV])
    tokens_T = np.array(
        list(dict.fromkeys(ids_LK[:, 0].tolist())) if followed is None else followed, dtype=np.int64
    )
    layers = len(logits_LV)
    totals_L, entropies_L, kl_L = (np.empty(layers) for _ in range(3))
    ranks_LT = np.empty((layers, len(tokens_T)), dtype=np.int64)
    last_V = logits_LV[-1] - logits_LV[-1].max()
    weights_V = np.exp(last_V)
    last_sum = float(weights_V.sum())
    for layer, logits_V in enumerate(logits_LV):
        highest = logits_V.max()
        below_V = logits_V - highest  # what is near 0 keeps its digits
        shares_V = np.exp(below_V)
        own_sum = float(shares_V.sum())
        totals_L[layer] = float(highest) + np.log(own_sum)
        entropies_L[layer] = np.log(own_sum) - float((shares_V * below_V).sum()) / own_sum
        loss = float((weights_V * (last_V - below_V)).sum()) / last_sum + np.log(own_sum / last_sum)
        kl_L[layer] = max(loss, 0.0)  # rounding alone is below
        ranks_LT[layer] = [_rank(logits_V, token) for token in tokens_T.tolist()]
    return Readout(
        ids_LK=ids_LK,
        logits_LK=np.take_along_axis(logits_LV, ids_LK, axis=1).astype(np.float64),
        totals_L=totals_L,
        entropies_L=entropies_L,
        kl_L=kl_L,
        followed_T=tokens_T,
        ranks_LT=ranks_LT,
        followed_LT=logits_LV[:, tokens_T].astype(np.float64),
    )


def first_tokens(logits_V: NDArray[np.float32], count: int) -> NDArray[np.int64]:
    """Give the ids of the largest logits, the largest first; of equal ones the lower id.

    They lie in the blocks with the largest maxima, so most of the logits are never sorted.

    Examples
    --------
    >>> first_tokens(np.array([1.0, 3.0, 2.0, 3.0], np.float32), 2)
    array([1, 3])
    """
    starts_B = np.arange(0, len(logits_V), _BLOCK)
    highest_B = np.maximum.reduceat(logits_V, starts_B)
    blocks = min(count, len(highest_B))
    least = np.partition(highest_B, len(highest_B) - blocks)[len(highest_B) - blocks]
    starts_N = starts_B[highest_B >= least]
    ids_N = (starts_N[:, None] + np.arange(_BLOCK)).ravel()
    ids_N = ids_N[ids_N < len(logits_V)]
    first_K: NDArray[np.int64] = ids_N[np.argsort(-logits_V[ids_N], kind="stable")][:count]
    return first_K


def _rank(logits_V: NDArray[np.float32], id_: int) -> int:
    """Give a token's rank, from 1; of equal logits the lower id comes first."""
    own = logits_V[id_]
    before = np.count_nonzero(logits_V > own) + np.count_nonzero(logits_V[:id_] == own)
    return 1 + int(before)
