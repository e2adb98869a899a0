"""Names of clusters: the words of the head itself that lie nearest to their centres."""

import numpy as np
from numpy.typing import NDArray

from ..heads.unembedding import Unembedding
from ..hubness import unit_rows
from ..space import Space
from ..tokens.kinds import KINDS
from ..tokens.scripts import scripts_of
from ..tokens.vocabulary import Vocabulary

# N rows of width D on a map; L clusters; M words; F forms of them.

_WORDS = 8_000
_SPARE = 2  # times as many, to find the commonest script and leave out others
_NAMES = 2  # words that name a cluster
_NORMAL = 1.4826  # standard deviations of normal numbers to their median from 0
_SHORTEST = 3  # letters of such a word
_STEM = 4  # letters that two forms of a word share


def words_of(
    head: Unembedding, space: Space, units_ND: NDArray[np.float32], clusters_N: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Find the two words nearest to the centre of each cluster, less what all clusters share.

    The words are the 8,000 that have the most tokens, by letters large and small and by a space in
    front: `` Sea``, ``sea``, `` SEA``; a piece of a word has few. They are of one script, the
    commonest. The score of a word is the mean of its whole-word tokens' cosines with the centre,
    seen from the mean of the map, less the mean of its scores with all centres.
    Each word names one cluster at most; what names one stands out from what so many words would
    score by chance, at √(2 ln M) standard deviations; and a form of a word that is taken is passed
    over.

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
        The id of each word's first token, shape (L, 2); -1 where no word is left.

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
    [' dog', ' fruit']
    """
    count = int(clusters_N.max(initial=-1)) + 1
    words_L2 = np.full((count, _NAMES), -1)
    words = _words(head.vocabulary)
    if not count or not words:
        return words_L2
    centres_LD = np.array([units_ND[clusters_N == place].mean(axis=0) for place in range(count)])
    centres_LD -= units_ND.mean(axis=0)
    lengths_L1 = np.linalg.norm(centres_LD, axis=1, keepdims=True)
    centres_LD /= np.where(lengths_L1 > 0, lengths_L1, 1.0)
    ids_F = np.concatenate(list(words.values()))
    counts_M = np.array([len(ids) for ids in words.values()])
    first_M = np.cumsum(counts_M) - counts_M
    scores_LF = centres_LD @ unit_rows(space, head.rows, ids_F).T
    scores_LM = np.add.reduceat(scores_LF, first_M, axis=1) / counts_M  # with a word's mean form
    scores_LM -= scores_LM.mean(axis=1, keepdims=True)  # seen from the mean of all words
    if count > 1:
        scores_LM -= scores_LM.mean(axis=0)
    spread_L1 = _NORMAL * np.median(np.abs(scores_LM), axis=1, keepdims=True)
    chance_L1 = np.sqrt(2 * np.log(len(words))) * spread_L1
    naming_LM = (scores_LM == scores_LM.max(axis=0)) & (scores_LM > chance_L1)
    texts = list(words)
    for place, scores_M in enumerate(np.where(naming_LM, scores_LM, -np.inf)):
        nearest = _nearest(texts, scores_M)
        words_L2[place, : len(nearest)] = ids_F[first_M[nearest]]
    return words_L2


def _words(vocabulary: Vocabulary) -> dict[str, list[int]]:
    """Give the words that can name a cluster, and the ids of the whole-word tokens of each."""
    whole = KINDS.index("whole-word")
    forms: dict[str, int] = {}
    words: dict[str, list[int]] = {}
    for id_, kind in enumerate(vocabulary.kinds_V.tolist()):
        word = (vocabulary.text(id_) or "").strip().lower()
        if len(word) >= _SHORTEST and word.isalpha():
            forms[word] = forms.get(word, 0) + 1
            if kind == whole:
                words.setdefault(word, []).append(id_)
    most_forms = sorted(words, key=lambda word: -forms[word])[: _SPARE * _WORDS]
    scripts = scripts_of(most_forms)
    own = max(sorted(set(scripts)), key=scripts.count, default=None)
    named = [word for word, script in zip(most_forms, scripts, strict=True) if script == own]
    return {word: words[word] for word in named[:_WORDS]}


def _nearest(texts: list[str], scores_M: NDArray[np.floating]) -> list[int]:
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
