"""Clusters of a map: tokens that lie together, named by the words nearest to their centre."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..heads.unembedding import Unembedding
from ..hubness import unit_rows
from ..space import Space
from ..tokens.kinds import KINDS
from ..tokens.scripts import scripts_of
from ..tokens.vocabulary import Vocabulary

# N rows of width D on a map of C coordinates; L clusters; M words; S rows of a sample.

_SAMPLED = 20_000  # rows; of more, so many at equal distances, and the others join the nearest
_SHARE = 120  # of the rows make a cluster
_FEWEST = 5
_WORDS = 20_000  # the first, the frequent ones
_CORE = 5  # rows around one that tell how dense it lies there
_NAMES = 2  # words that name a cluster
_SHORTEST = 3  # letters of such a word
_STEM = 4  # letters that two forms of a word share


@dataclass(frozen=True)
class Cluster:
    """Tokens that lie together on a map.

    Attributes
    ----------
    name : str
        Its words with commas between them; ``cluster 1`` and so on where the head has no words.
    words : tuple of str
        The words of the head nearest to its centre, less what all clusters share.
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

    A cluster has a 120th of the rows or more, and five or more.

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
    found_S = HDBSCAN(min_cluster_size=least, min_samples=_CORE, copy=True).fit_predict(sampled_SC)
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


def words_of(
    head: Unembedding, space: Space, units_ND: NDArray[np.float32], clusters_N: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Find the two words nearest to the centre of each cluster, less what all clusters share.

    Of the first 20,000 whole words of the head, those in the script that most of them are in. A
    word's score is its cosine with the centre, seen from the mean of the map, less the mean of its
    cosines with all centres. Each word names one cluster at most, and a form of a word that is
    taken is passed over.

    Parameters
    ----------
    head : Unembedding
        Whose words.
    space : Space
        Where cosines are taken.
    units_ND : ndarray of float32
        The unit vectors of the map.
    clusters_N : ndarray of int64
        Which cluster each is of; -1 for none.

    Returns
    -------
    ndarray of int64
        The words' ids, shape (L, 2); -1 where the head has no word left.

    Examples
    --------
    >>> import unembed
    >>> from unembed.geometry.region import find_region
    >>> from unembed.geometry.space import open_space
    >>> head = unembed.open_head("demo")
    >>> space, ids_N = open_space(head), find_region(head, "/^[🍎🍇🍓🐶🐱🐴]$/").ids_N
    >>> fruit_N = np.array([head.vocabulary.text(id) in "🍎🍇🍓" for id in ids_N])
    >>> words_L2 = words_of(head, space, unit_rows(space, head.rows, ids_N), fruit_N.astype(int))
    >>> [head.vocabulary.text(word) for word in words_L2[:, 0]]
    [' dogs', ' fruit']
    """
    count = int(clusters_N.max(initial=-1)) + 1
    words_L2 = np.full((count, _NAMES), -1)
    words_M, texts = _words(head.vocabulary)
    if not count or not texts:
        return words_L2
    centres_LD = np.array([units_ND[clusters_N == place].mean(axis=0) for place in range(count)])
    centres_LD -= units_ND.mean(axis=0)
    lengths_L1 = np.linalg.norm(centres_LD, axis=1, keepdims=True)
    centres_LD /= np.where(lengths_L1 > 0, lengths_L1, 1.0)
    words_MD = unit_rows(space, head.rows, words_M)
    cosines_LM = centres_LD @ (words_MD - words_MD.mean(axis=0)).T
    if count > 1:
        cosines_LM -= cosines_LM.mean(axis=0)
    nearest_LM = _each_once(cosines_LM)
    for place, scores_M in enumerate(nearest_LM):
        nearest = _nearest(texts, scores_M)
        words_L2[place, : len(nearest)] = words_M[nearest]
    return words_L2


def _each_once(scores_LM: NDArray[np.float32]) -> NDArray[np.float32]:
    """Leave each word to the cluster that it is nearest to."""
    return np.where(scores_LM < scores_LM.max(axis=0), -np.inf, scores_LM)


def _words(vocabulary: Vocabulary) -> tuple[NDArray[np.int64], list[str]]:
    """Give the words that can name a cluster: in the first script of the head, not too short."""
    words_M = np.flatnonzero(vocabulary.kinds_V == KINDS.index("whole-word"))[:_WORDS]
    texts = [(vocabulary.text(int(id_)) or "").strip() for id_ in words_M]
    scripts = scripts_of(texts)
    most = max(sorted(set(scripts)), key=scripts.count, default=None)
    kept = [
        place
        for place, (text, script) in enumerate(zip(texts, scripts, strict=True))
        if script == most and text.isalpha() and len(text) >= _SHORTEST
    ]
    return words_M[kept], [texts[place].lower() for place in kept]


def _nearest(texts: list[str], scores_M: NDArray[np.float32]) -> list[int]:
    """Give the places of the best words, but for forms of one that is there."""
    chosen: list[int] = []
    for place in np.argsort(-scores_M, kind="stable").tolist():
        if not np.isfinite(scores_M[place]):
            break
        if not any(texts[place][:_STEM] == texts[other][:_STEM] for other in chosen):
            chosen.append(place)
        if len(chosen) == _NAMES:
            break
    return chosen


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
