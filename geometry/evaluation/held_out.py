"""Directions judged on what they have not seen."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ...indexes.batch import ranks_each
from ...indexes.progress import Done
from ...indexes.rows import norm
from ..concepts.estimators import Fit
from ..concepts.sample import Sample
from ..heads.unembedding import Unembedding
from ..space import Space

# N pairs, Q queries, C candidates; vectors of width D.

_FOLDS = 8
ALONE = 100  # targets: up to so many are left out one by one


@dataclass(frozen=True, eq=False)
class Crossing:
    """A map that has seen neither of two folds of targets.

    Attributes
    ----------
    fit : Fit
        Learned without either.
    turns : tuple of (ndarray of bool, ndarray of int64)
        The pairs whose bases may be asked, and the targets that may answer: the first fold the
        second, and the second the first; and each itself, where the other is the next.

    Examples
    --------
    >>> import unembed
    >>> from unembed.geometry.concepts.compose import composer_of
    >>> sample = composer_of(unembed.open_head("demo-bytes")).directions.sample("emoji")
    >>> [len(crossing.turns) for crossing in crossings(sample, "offset")][:2]
    [3, 2]
    """

    fit: Fit
    turns: tuple[tuple[NDArray[np.bool_], NDArray[np.int64]], ...]


def folds(sample: Sample, *, most: int = _FOLDS) -> NDArray[np.int64]:
    """Divide pairs into at most so many folds, by their target.

    Examples
    --------
    >>> import unembed
    >>> from unembed.geometry.concepts.compose import composer_of
    >>> sample = composer_of(unembed.open_head("demo")).directions.sample("plural")
    >>> sorted(set(folds(sample).tolist()))
    [0, 1, 2, 3, 4, 5, 6, 7]
    """
    ids, groups_N = np.unique(sample.target_ids_N, return_inverse=True)
    shuffled = np.random.default_rng(0).permutation(len(ids))
    return (shuffled % min(most, len(ids)))[groups_N]


def predictions(sample: Sample, estimator: str) -> NDArray[np.float64]:
    """Give where each base is taken by a map that has not seen its target, shape (N, D).

    Targets are left out one by one where there are at most 100, else in eight folds.

    Examples
    --------
    >>> import unembed
    >>> from unembed.geometry.concepts.compose import composer_of
    >>> sample = composer_of(unembed.open_head("demo")).directions.sample("plural")
    >>> predictions(sample, "offset").shape == sample.bases_ND.shape
    True
    """
    few = len(set(sample.target_ids_N.tolist())) <= ALONE
    folds_N = folds(sample, most=ALONE if few else _FOLDS)
    found_ND = np.empty_like(sample.bases_ND)
    for fold in range(int(folds_N.max()) + 1):
        asked_N = folds_N == fold
        found_ND[asked_N] = sample.fit(estimator, ~asked_N)(sample.bases_ND[asked_N])
    return found_ND


def crossings(sample: Sample, estimator: str) -> Iterator[Crossing]:
    """Give maps for every fold of bases and every fold of targets, that have seen neither.

    A map that has seen a target draws bases to it. Where the target of a base is held out and the
    other candidates are not, these have an advantage that they do not have in use, where all have
    been seen; so a candidate is scored by a map that has not seen it either. And all maps must
    have seen equally much: that for a fold of bases and its own targets is without the next fold
    too.

    Examples
    --------
    >>> import unembed
    >>> from unembed.geometry.concepts.compose import composer_of
    >>> sample = composer_of(unembed.open_head("demo-bytes")).directions.sample("emoji")
    >>> sum(len(crossing.turns) for crossing in crossings(sample, "offset"))
    16
    """
    folds_N = folds(sample)
    count = int(folds_N.max()) + 1
    for one in range(count):
        for other in range(one + 1, count):
            turns = [(one, other), (other, one)]
            turns += [
                (fold, fold)
                for fold, next_ in ((one, other), (other, one))
                if next_ == (fold + 1) % count
            ]
            yield Crossing(
                sample.fit(estimator, (folds_N != one) & (folds_N != other)),
                tuple(
                    (folds_N == asked, np.unique(sample.target_ids_N[folds_N == answering]))
                    for asked, answering in turns
                ),
            )


def crossings_of(sample: Sample) -> int:
    """Give how many `crossings` there are.

    Examples
    --------
    >>> import unembed
    >>> from unembed.geometry.concepts.compose import composer_of
    >>> crossings_of(composer_of(unembed.open_head("demo")).directions.sample("plural"))
    28
    """
    count = int(folds(sample).max()) + 1
    return count * (count - 1) // 2


def cosines(sample: Sample, predicted_ND: NDArray[np.float64]) -> NDArray[np.float64]:
    """Give the cosine of each target with where its base was taken, shape (N,); 0 of a zero.

    Examples
    --------
    >>> import unembed
    >>> from unembed.geometry.concepts.compose import composer_of
    >>> sample = composer_of(unembed.open_head("demo")).directions.sample("plural")
    >>> bool(np.allclose(cosines(sample, 2 * sample.targets_ND), 1))
    True
    """
    lengths_N = norm(predicted_ND) * norm(sample.targets_ND)
    products_N = np.einsum("nd,nd->n", predicted_ND, sample.targets_ND)
    return np.where(lengths_N > 0, products_N / np.where(lengths_N > 0, lengths_N, 1.0), 0.0)


def ranks(
    head: Unembedding,
    space: Space,
    sample: Sample,
    predicted_ND: NDArray[np.float64],
    *,
    among_N: NDArray[np.int64] | None = None,
    done: Done,
) -> NDArray[np.int64]:
    """Give the exact rank of each target, the tokens of its base left out, shape (N,).

    Examples
    --------
    >>> import unembed
    >>> from unembed.geometry.concepts.compose import composer_of
    >>> head = unembed.open_head("demo-bytes")
    >>> composer = composer_of(head)
    >>> sample = composer.directions.sample("plural")
    >>> told = lambda done, total: None
    >>> set(ranks(head, composer.space, sample, sample.targets_ND, done=told).tolist())
    {1}
    """
    known_N = np.flatnonzero(head.vocabulary.known_V)
    measures = [
        space.measure(vector_D / (norm(vector_D) or 1.0), cosine=space.kind.unit)
        for vector_D in predicted_ND
    ]
    return ranks_each(
        head.rows,
        [replace(each, divisor=each.divisor or 1.0) for each in measures],  # zero scores 0
        sample.target_ids_N,
        lengths_V=head.norms_V,
        among_N=known_N if among_N is None else among_N,
        excluded=[np.array(ids) for ids in sample.base_ids],
        done=done,
    )
