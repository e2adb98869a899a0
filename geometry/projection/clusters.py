"""Clusters of a map: tokens that lie together."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..tokens.vocabulary import Vocabulary

# N rows on a map of C coordinates; L clusters; S rows of a sample.

_SAMPLED = 20_000  # rows; of more, so many at equal distances, and the others join the nearest
_SHARE = 120  # of the rows make a cluster
_FEWEST, _LARGEST = 5, 500
_CORE = 5  # rows around one that tell how dense it lies there


@dataclass(frozen=True)
class Cluster:
    """Tokens that lie together on a map.

    Attributes
    ----------
    name : str
        Its words with commas between them; ``cluster 1`` and so on where it has none.
    words : tuple of str
        Up to two words of the head that name it, as `words_of` finds them.
    size : int
        How many tokens it has.
    drawn : tuple of float
        Where its label stands: at the token that is nearest to the middle of it.

    Examples
    --------
    >>> Cluster("fruit, apple", ("fruit", "apple"), 21, (1.0, 2.0)).size
    21
    """

    name: str
    words: tuple[str, ...]
    size: int
    drawn: tuple[float, ...]


def clustered(mapped_NC: NDArray[np.float32]) -> NDArray[np.int64]:
    """Find the clusters of a map by HDBSCAN (Campello, Moulavi and Sander 2013).

    A cluster has a 120th of the rows or more, and five or more; and half of them at most, or 500
    where that is more.

    Parameters
    ----------
    mapped_NC : ndarray of float32
        Where rows are. Of more than 20,000 so many are clustered, and the others are of the
        cluster of the nearest of them.

    Returns
    -------
    ndarray of int64
        The cluster of each row, from 0 in the order of size; -1 for none.

    Examples
    --------
    >>> two_N2 = np.repeat(np.float32([[0, 0], [9, 9]]), 40, axis=0)
    >>> two_N2 += np.random.default_rng(0).normal(size=two_N2.shape).astype(np.float32)
    >>> np.bincount(clustered(two_N2) + 1).tolist()
    [0, 40, 40]
    """
    count = len(mapped_NC)
    places_S = np.unique(np.linspace(0, count - 1, min(count, _SAMPLED)).astype(np.int64))
    least = max(_FEWEST, -(-len(places_S) // _SHARE))
    if count < 2 * least or not np.ptp(mapped_NC, axis=0).any():
        return np.full(count, -1)
    from sklearn.cluster import HDBSCAN
    from sklearn.neighbors import NearestNeighbors

    sampled_SC = mapped_NC[places_S].astype(np.float64)
    most = max(len(places_S) // 2, _LARGEST)
    found_S = HDBSCAN(
        min_cluster_size=least, max_cluster_size=most, min_samples=_CORE, copy=True
    ).fit_predict(sampled_SC)
    if len(places_S) == count:
        return _by_size(found_S)
    near = NearestNeighbors(n_neighbors=1).fit(sampled_SC)
    return _by_size(found_S[near.kneighbors(mapped_NC, return_distance=False)[:, 0]])


def _by_size(clusters_N: NDArray[np.int64]) -> NDArray[np.int64]:
    """Let clusters be numbered by their size."""
    order_L = np.argsort(-np.bincount(clusters_N[clusters_N >= 0]), kind="stable")
    numbers_L = np.empty(len(order_L) + 1, dtype=np.int64)
    numbers_L[order_L] = np.arange(len(order_L))
    numbers_L[-1] = -1
    return numbers_L[clusters_N]


def described(
    vocabulary: Vocabulary,
    words_L2: NDArray[np.int64],
    clusters_N: NDArray[np.int64],
    drawn_NC: NDArray[np.float32],
) -> tuple[Cluster, ...]:
    """Say of each cluster what it is called, how large it is and where its label stands.

    Examples
    --------
    >>> import unembed
    >>> vocabulary = unembed.open_head("demo").vocabulary
    >>> row_N2 = np.float32([[0, 0], [1, 0], [9, 0]])
    >>> described(vocabulary, np.array([[5442, -1]]), np.zeros(3, np.int64), row_N2)
    (Cluster(name='sea', words=('sea',), size=3, drawn=(1.0, 0.0)),)
    """
    found = []
    for place, words in enumerate(words_L2.tolist()):
        own = tuple((vocabulary.text(id_) or "").strip().lower() for id_ in words if id_ >= 0)
        drawn_MC = drawn_NC[clusters_N == place]
        distances_M = np.linalg.norm(drawn_MC - np.median(drawn_MC, axis=0), axis=1)
        middle = tuple(drawn_MC[int(np.argmin(distances_M))].tolist())
        found.append(Cluster(", ".join(own) or f"cluster {place + 1}", own, len(drawn_MC), middle))
    return tuple(found)
