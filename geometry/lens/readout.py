"""What the head makes of residuals: the first tokens, how sure, and how far from the last layer."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..heads.unembedding import Unembedding

# L layers at one position, each a vector of width D; V tokens; K first of them; T followed.


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
    >>> import unembed
    >>> readout(unembed.open_head("demo-bytes"), np.zeros((1, 512)), top=2, followed=[7]).ids_LK
    array([[0, 1]])
    """

    ids_LK: NDArray[np.int64]
    logits_LK: NDArray[np.float64]
    totals_L: NDArray[np.float64]
    entropies_L: NDArray[np.float64]
    kl_L: NDArray[np.float64]
    followed_T: NDArray[np.int64]
    ranks_LT: NDArray[np.int64]
    followed_LT: NDArray[np.float64]


def readout(
    head: Unembedding, hidden_LD: NDArray[np.float64], *, top: int, followed: list[int] | None
) -> Readout:
    """Read one position: the head after each layer.

    Parameters
    ----------
    head : Unembedding
        The head.
    hidden_LD : ndarray of float64
        What meets its rows, layer by layer; after the final norm, where the lens has it.
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
    >>> import unembed
    >>> found = readout(unembed.open_head("demo-bytes"), np.zeros((2, 512)), top=1, followed=None)
    >>> found.entropies_L.round(3), found.kl_L
    (array([10.856, 10.856]), array([0., 0.]))
    """
    logits_LV = head.logits(hidden_LD)
    ids_LK = np.array([_first(logits_V, top) for logits_V in logits_LV])
    tokens_T = np.array(
        list(dict.fromkeys(ids_LK[:, 0].tolist())) if followed is None else followed, dtype=np.int64
    )
    totals_L, entropies_L, kl_L = (np.empty(len(logits_LV)) for _ in range(3))
    ranks_LT = np.empty((len(logits_LV), len(tokens_T)), dtype=np.int64)
    last_V, _ = _log_probabilities(logits_LV[-1])
    weights_V = np.exp(last_V)
    for layer, logits_V in enumerate(logits_LV):
        own_V, totals_L[layer] = _log_probabilities(logits_V)
        entropies_L[layer] = -(np.exp(own_V) @ own_V)
        kl_L[layer] = max(float(weights_V @ (last_V - own_V)), 0.0)  # rounding alone is below
        ranks_LT[layer] = [_rank(logits_V, token) for token in tokens_T.tolist()]
    return Readout(
        ids_LK=ids_LK,
        logits_LK=np.take_along_axis(logits_LV, ids_LK, axis=1),
        totals_L=totals_L,
        entropies_L=entropies_L,
        kl_L=kl_L,
        followed_T=tokens_T,
        ranks_LT=ranks_LT,
        followed_LT=logits_LV[:, tokens_T],
    )


def _first(logits_V: NDArray[np.float64], count: int) -> NDArray[np.int64]:
    """Give the ids of the largest logits, the largest first; of equal ones the lower id."""
    least = np.partition(logits_V, len(logits_V) - count)[len(logits_V) - count]
    ids_N = np.flatnonzero(logits_V >= least)
    first_K: NDArray[np.int64] = ids_N[np.argsort(-logits_V[ids_N], kind="stable")][:count]
    return first_K


def _log_probabilities(logits_V: NDArray[np.float64]) -> tuple[NDArray[np.float64], float]:
    """Give the logarithms of the softmax, and that of its denominator."""
    highest = float(logits_V.max())
    total = highest + float(np.log(np.exp(logits_V - highest).sum()))
    return logits_V - total, total


def _rank(logits_V: NDArray[np.float64], id_: int) -> int:
    """Give a token's rank, from 1; of equal logits the lower id comes first."""
    own = logits_V[id_]
    return 1 + int((logits_V > own).sum()) + int((logits_V[:id_] == own).sum())
