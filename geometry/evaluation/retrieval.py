"""Emoji by their names: which comes first, and whether the right one can be missed."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import takewhile

import numpy as np
from numpy.typing import NDArray

from ...indexes.progress import Progress, step_of
from ...indexes.rows import united
from ..concepts.compose import Composer, composer_of
from ..concepts.estimators import Fit
from ..concepts.pairs import FEWEST, Pair, emoji_pairs
from ..concepts.phrase import split_words
from ..concepts.sample import Sample, sample_of
from ..heads.unembedding import Unembedding
from ..hubness import has_words, mean_cosine, reference_words
from ..method import Method
from .bootstrap import (
    auroc,
    auroc_interval,
    average_precision,
    average_precision_interval,
)
from .held_out import crossings, crossings_of
from .ranks import ranks_among

# Q names, C emoji, M words; vectors of width D.

_RUNNERS_UP = 5
_WITH = frozenset(("with", "of", "on", "in", "for"))
_FRAME = frozenset(("a", "button", "face", "no", "sign", "symbol", "the"))


@dataclass(frozen=True)
class Presence:
    """How well a score tells names whose emoji is there from names whose emoji was taken away.

    Attributes
    ----------
    n : int
        How many names, each asked with its emoji and without.
    auroc, average_precision : float
        Of the score; 0.5 is chance.
    ci95 : dict
        The 95% bootstrap interval of both.

    Examples
    --------
    >>> Presence.of(np.array([3.0, 2.0]), np.array([1.0, 2.5])).auroc
    0.75
    """

    n: int
    auroc: float
    average_precision: float
    ci95: dict[str, tuple[float, float]]

    @classmethod
    def of(cls, present_N: NDArray[np.float64], absent_N: NDArray[np.float64]) -> "Presence":
        """Compare scores, of at least one name."""
        return cls(
            n=len(present_N),
            auroc=auroc(present_N, absent_N),
            average_precision=average_precision(present_N, absent_N),
            ci95={
                "auroc": auroc_interval(present_N, absent_N),
                "average_precision": average_precision_interval(present_N, absent_N),
            },
        )


@dataclass(frozen=True, eq=False)
class Retrieval:
    """The scores of names with emoji, and which are right.

    Attributes
    ----------
    names : tuple of Pair
        Each name that was asked and its emoji.
    scores_QC : ndarray of float64
        Shape (Q, C); the right emoji of a name stands at its own place.
    twins_QC : ndarray of bool
        The other emoji that a name describes as well: of "horse face", 🐴, also 🐎.

    Examples
    --------
    >>> import unembed
    >>> found = retrieve(unembed.open_head("demo-bytes"), "causal", Method())
    >>> found.scores_QC.shape
    (4, 4)
    """

    names: tuple[Pair, ...]
    scores_QC: NDArray[np.float64] = field(repr=False)
    twins_QC: NDArray[np.bool_] = field(repr=False)

    @property
    def one_word_Q(self) -> NDArray[np.bool_]:
        """The names that are one word."""
        return np.array([len(split_words(pair.base)) == 1 for pair in self.names], dtype=bool)

    def ranks(self, *, twins: bool = True) -> NDArray[np.int64]:
        """Give the rank of the right emoji among all, equal scores by the lower id.

        Without ``twins`` the twins of the right emoji are left out.
        """
        scores_QC = self.scores_QC if twins else np.where(self.twins_QC, -np.inf, self.scores_QC)
        return ranks_among(scores_QC)

    def margins(self, *, removed: bool, twins: bool = True) -> NDArray[np.float64]:
        """Give how far the best emoji stands above the mean of the next five.

        This is the score that tells whether the right emoji is there. What a name's scores have in
        common is lost in it. With ``removed`` the right emoji is taken away, without ``twins`` its
        twins are.
        """
        scores_QC = self.scores_QC.copy()
        if removed:
            np.fill_diagonal(scores_QC, -np.inf)
        if not twins:
            scores_QC[self.twins_QC] = -np.inf
        return margins_of(scores_QC)


def margins_of(scores_QC: NDArray[np.float64]) -> NDArray[np.float64]:
    """Give how far the best of each row of scores stands above the mean of the next five.

    What is -infinity is not there; where nothing is, the margin is 0.

    Examples
    --------
    >>> margins_of(np.array([[0.9, 0.2, 0.4], [-np.inf, 0.2, 0.4]])).round(6)
    array([0.6, 0.2])
    """
    most = min(_RUNNERS_UP + 1, scores_QC.shape[1])
    best_QK = -np.sort(-np.partition(scores_QC, -most, axis=1)[:, -most:], axis=1)
    there_QK = np.isfinite(best_QK)
    best_QK[~there_QK] = 0.0
    followers_Q = np.maximum(there_QK.sum(axis=1) - 1, 1)
    margins_Q: NDArray[np.float64] = best_QK[:, 0] - best_QK[:, 1:].sum(axis=1) / followers_Q
    return margins_Q


def retrieve(
    head: Unembedding, space: str, method: Method, *, progress: Progress | None = None
) -> "Retrieval | None":
    """Ask for every emoji that is one token with its English short name.

    The candidates are those emoji. What a method learns, it learns without the emoji of the name
    that is asked, its aliases included, and each candidate is scored by a map that has not seen it.

    Returns
    -------
    Retrieval or None
        None where fewer than four emoji of the head can be asked for, and for CSLS where it has no
        words.

    Examples
    --------
    >>> import unembed
    >>> len(retrieve(unembed.open_head("demo-bytes"), "cosine", Method(csls=True)).names)
    4
    """
    if method.csls and not has_words(head):
        return None
    composer = composer_of(head, space=space, pieces=method.pieces)
    pairs = emoji_pairs(head.vocabulary)
    sample = sample_of(head, composer.space, pairs, pieces=composer.pieces)
    if len(set(sample.target_ids_N.tolist())) < FEWEST:
        return None
    return retrieve_targets(composer, sample, method, progress=progress)


def retrieve_targets(
    composer: Composer,
    sample: Sample,
    method: Method,
    *,
    answers_QD: NDArray[np.float64] | None = None,
    progress: Progress | None = None,
) -> Retrieval:
    """Ask for every target with the first of its bases; the candidates are the targets.

    Where a model's answers to the same bases are given, as unit vectors, each is added to what its
    base is taken to.

    Examples
    --------
    >>> import unembed
    >>> composer = composer_of(unembed.open_head("demo-bytes"))
    >>> sample = composer.directions.sample("emoji_de")
    >>> retrieve_targets(composer, sample, Method()).names[0].base
    'musiknote'
    """
    # The official name comes first of an emoji's.
    firsts_Q = sample.firsts_Q
    target_ids_C = sample.target_ids_N[firsts_Q]
    named = tuple(sample.used[place] for place in firsts_Q)
    scores_QC = _scores(sample, firsts_Q, target_ids_C, composer, method, answers_QD, progress)
    return Retrieval(named, scores_QC, _twins([pair.base for pair in named]))


def _scores(
    sample: Sample,
    firsts_Q: NDArray[np.int64],
    ids_C: NDArray[np.int64],
    composer: Composer,
    method: Method,
    answers_QD: NDArray[np.float64] | None,
    progress: Progress | None,
) -> NDArray[np.float64]:
    """Score every name with every emoji, shape (Q, C)."""
    space, bases_QD = composer.space, sample.bases_ND[firsts_Q]
    targets_CD = sample.targets_ND[firsts_Q]
    nothing = np.empty((0, space.width), dtype=np.float32)
    words_MD = reference_words(composer.head, space) if method.csls else nothing
    if method.estimator is None:
        bases_QD = bases_QD if answers_QD is None else joined(bases_QD, answers_QD)
        return _nearness(bases_QD, targets_CD, words_MD, csls=method.csls)
    scores_QC = np.empty((len(bases_QD), len(ids_C)))
    count, told = crossings_of(sample), step_of(progress, f"asking for emoji: {method}")
    for place, crossing in enumerate(crossings(sample, method.estimator), start=1):
        moved_MD = _moved(crossing.fit, words_MD) if method.csls else words_MD
        for pairs_N, targets in crossing.turns:
            asked_Q, answering_C = pairs_N[firsts_Q], np.isin(ids_C, targets)
            queries_QD = crossing.fit(bases_QD[asked_Q])
            if answers_QD is not None:
                queries_QD = joined(queries_QD, answers_QD[asked_Q])
            scores_QC[np.ix_(asked_Q, answering_C)] = _nearness(
                queries_QD,
                targets_CD[answering_C],
                moved_MD,
                csls=method.csls,
            )
        told(place, count)
    return scores_QC


def joined(moved_ND: NDArray[np.float64], answers_ND: NDArray[np.float64]) -> NDArray[np.float64]:
    """Give unit vectors half-way between composed ones and a model's answers, unit vectors too.

    Examples
    --------
    >>> joined(np.array([[0.0, 2.0]]), np.array([[1.0, 0.0]])).round(3)
    array([[0.707, 0.707]])
    """
    return united(united(moved_ND) + answers_ND)


def _moved(fit: Fit, words_MD: NDArray[np.float32]) -> NDArray[np.float32]:
    """Take the words along a direction, in the float32 that hubness is measured in."""
    moved_MD = words_MD - fit.base_D.astype(np.float32)
    if fit.map_DD is not None:
        moved_MD @= fit.map_DD.astype(np.float32)
    return np.float32(fit.gain) * moved_MD + fit.target_D.astype(np.float32)


def _nearness(
    queries_QD: NDArray[np.float64],
    targets_CD: NDArray[np.float64],
    words_MD: NDArray[np.float32],
    *,
    csls: bool,
) -> NDArray[np.float64]:
    """Give the space's own score, or what CSLS has of a query and a row: 2 cos - r(y)."""
    units_QD = united(queries_QD)
    if not csls:
        return units_QD @ targets_CD.T
    units_CD = united(targets_CD)
    return 2 * units_QD @ units_CD.T - mean_cosine(units_CD, words_MD)


def _twins(names: Sequence[str]) -> NDArray[np.bool_]:
    """Tell which other emoji each name describes as well: those whose names say it at their end.

    What a name says is its words before "with", "of" and the like, its frame left out.
    """
    said = [_said(name) for name in names]
    ends: dict[tuple[str, ...], list[int]] = {}
    for place, words in enumerate(said):
        for start in range(len(words)):
            ends.setdefault(words[start:], []).append(place)
    twins_QC = np.zeros((len(names), len(names)), dtype=bool)
    for place, words in enumerate(said):
        twins_QC[place, ends.get(words, [])] = True
    np.fill_diagonal(twins_QC, val=False)
    return twins_QC


def _said(name: str) -> tuple[str, ...]:
    """Give the words of a name that say what it is."""
    words = tuple(word.lower() for word in split_words(name))
    head = tuple(takewhile(lambda word: word not in _WITH, words)) or words
    return tuple(word for word in head if word not in _FRAME) or words
