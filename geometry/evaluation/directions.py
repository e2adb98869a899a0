"""A direction judged: its pairs left out, beside no direction and one of random pairs."""

from dataclasses import asdict, dataclass, replace
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ...errors import UsageError
from ...indexes.progress import Done, Progress, step_of
from ..concepts.compose import Composer
from ..concepts.sample import Sample, Unused
from ..frames import arrow_of, pandas_of
from ..method import Method
from ..tokens.kinds import KINDS
from ..tokens.vocabulary import display
from .bootstrap import auroc, auroc_interval
from .held_out import cosines, folds, predictions, ranks
from .ranks import Ranks, ranks_among
from .retrieval import retrieve_targets

if TYPE_CHECKING:
    import pandas
    import pyarrow

# N pairs, vectors of width D.

_ROUNDING = 1e-20  # of a square beside those that it is the difference of

_FEWEST = 3  # targets: a map that has seen neither of two is learned from a third


@dataclass(frozen=True)
class PairScore:
    """How a direction does on a pair that it was not learned from.

    Attributes
    ----------
    base, target : str
        The pair.
    rank : int
        Of the target, from 1.
    cosine : float
        Of the target with where its base was taken.
    base_projection, target_projection : float
        Where they lie along the direction: 0 is the mean of the bases, 1 that of the targets.

    Examples
    --------
    >>> PairScore("cat", "cats", 1, 0.5, 0.1, 0.9).rank
    1
    """

    base: str
    target: str
    rank: int
    cosine: float
    base_projection: float
    target_projection: float


@dataclass(frozen=True, repr=False)
class DirectionScore:
    """How far a direction can be trusted on a head.

    Attributes
    ----------
    source, space, name, about, estimator : str
        What was judged.
    region : str or None
        What ranks were taken among; None for all tokens.
    used : int
        How many pairs, or tokens of a region, it is learned from.
    pairs : tuple of PairScore
        Those that were asked: the first of each target where ranks are among the targets. Empty for
        the direction of a region, and so below.
    unused : tuple of Unused
        The pairs that this head has no tokens for.
    ranks : Ranks or None
        Of targets, each left out of what was learned.
    cosine : float or None
        The mean of the pairs'.
    unmoved, unmoved_cosine : Ranks, float or None
        The same of the bases themselves, without a direction.
    control, control_cosine : Ranks, float or None
        The same along a direction that is learned in the same way from as many pairs of words drawn
        at random.
    auroc : float or None
        Of a region: how well the projection of tokens that were left out tells them from others.
    auroc_ci95 : tuple of float or None
        Its 95% bootstrap interval.
    control_auroc : float or None
        The same for as many tokens drawn at random.

    Examples
    --------
    >>> import unembed
    >>> score = unembed.open_head("demo").direction("plural")
    >>> score.ranks.top1 > score.control.top1
    True
    """

    source: str
    space: str
    name: str
    about: str
    estimator: str
    region: str | None
    used: int
    pairs: tuple[PairScore, ...] = ()
    unused: tuple[Unused, ...] = ()
    ranks: Ranks | None = None
    cosine: float | None = None
    unmoved: Ranks | None = None
    unmoved_cosine: float | None = None
    control: Ranks | None = None
    control_cosine: float | None = None
    auroc: float | None = None
    auroc_ci95: tuple[float, float] | None = None
    control_auroc: float | None = None

    def to_dict(self) -> dict[str, Any]:
        """Give the score as the object that ``--json`` prints."""
        return asdict(self)

    def to_arrow(self) -> "pyarrow.Table":
        """Give the pairs as an Arrow table, a row each."""
        return arrow_of([asdict(pair) for pair in self.pairs])

    def to_pandas(self) -> "pandas.DataFrame":
        """Give the pairs as a data frame, a row each.

        Raises
        ------
        MissingExtraError
            pandas is not installed.
        """
        return pandas_of([asdict(pair) for pair in self.pairs])

    def __repr__(self) -> str:
        """Name the direction and its figures."""
        figure = f"AUROC {self.auroc:.2f}" if self.auroc is not None else ""
        if self.ranks is not None:
            figure = f"{self.ranks.n} pairs, top-1 {self.ranks.top1:.2f}"
        return f"DirectionScore({self.name!r}, {self.source}, {self.space}: {figure})"

    def _repr_html_(self) -> str:
        """Draw a table for a notebook; every name is escaped."""
        rows = "".join(
            f"<tr><td>{escape(display(pair.base))}</td><td>{escape(display(pair.target))}</td>"
            f"<td>{pair.rank}</td><td>{pair.cosine:.4f}</td></tr>"
            for pair in self.pairs
        )
        return (
            f"<table><caption>{escape(repr(self))}</caption><tr><th>base</th><th>target</th>"
            f"<th>rank</th><th>cosine</th></tr>{rows}</table>"
        )


def judge(composer: Composer, name: str, *, progress: Progress | None = None) -> DirectionScore:
    """Judge a direction on a head.

    Raises
    ------
    UsageError
        There is no such direction, or the head has tokens for too few of its pairs or targets.

    Examples
    --------
    >>> import unembed
    >>> from unembed.geometry.concepts.compose import composer_of
    >>> judge(composer_of(unembed.open_head("demo")), "plural").name
    'plural'
    """
    directions = composer.directions
    pairs, estimator = directions.pairs(name), directions.estimator_of(name)
    sample = directions.sample(name)
    targets = len(set(sample.target_ids_N.tolist()))
    if targets < _FEWEST:
        raise UsageError(
            f"{composer.head.source} has tokens for {targets} of the targets of the direction "
            f"{name!r}; they are left out to judge it, and it takes at least {_FEWEST}"
        )
    score = DirectionScore(
        composer.head.source,
        composer.space.name,
        name,
        pairs.about,
        estimator,
        pairs.region,
        len(sample.target_ids_N),
        unused=sample.unused,
    )
    told = step_of(progress, f"judging {name}")
    if pairs.learned_from is not None:
        inside_N, outside_N = _separated(sample, estimator)
        return replace(
            score,
            auroc=auroc(inside_N, outside_N),
            auroc_ci95=auroc_interval(inside_N, outside_N),
            control_auroc=auroc(*_separated(_mixed(sample), estimator)),
        )
    asking = _Asking(composer, sample, pairs.region, told)
    learned = asking.learned(estimator)
    unmoved = asking.moved(sample.bases_ND)
    random = _random(composer, len(sample.used))
    control = asking.moved(random.fit(estimator)(sample.bases_ND))
    bases_ND, targets_ND = (ends[asking.places_N] for ends in (sample.bases_ND, sample.targets_ND))
    return replace(
        score,
        pairs=tuple(
            PairScore(sample.used[place].base, sample.used[place].target, *found)
            for place, *found in zip(
                asking.places_N.tolist(),
                learned.ranks_N.tolist(),
                learned.cosines_N.tolist(),
                _projections(sample, bases_ND).tolist(),
                _projections(sample, targets_ND).tolist(),
                strict=True,
            )
        ),
        ranks=Ranks.of(learned.ranks_N),
        cosine=float(learned.cosines_N.mean()),
        unmoved=Ranks.of(unmoved.ranks_N),
        unmoved_cosine=float(unmoved.cosines_N.mean()),
        control=Ranks.of(control.ranks_N),
        control_cosine=float(control.cosines_N.mean()),
    )


@dataclass(frozen=True, eq=False)
class _Answers:
    """What came of asking with every base."""

    ranks_N: NDArray[np.int64]
    cosines_N: NDArray[np.float64]


class _Asking:
    """Asks with the bases of pairs for their targets, among all tokens or among the targets."""

    def __init__(self, composer: Composer, sample: Sample, region: str | None, done: Done) -> None:
        self._composer = composer
        self._sample = sample
        self._among_targets = region is not None
        self._done = done
        self.places_N = np.arange(len(sample.used))
        if self._among_targets:  # each with the first of its bases
            _, self.places_N = np.unique(sample.target_ids_N, return_index=True)

    def learned(self, estimator: str) -> _Answers:
        """Ask along a direction, by maps that have not seen the target."""
        predicted_ND = predictions(self._sample, estimator)
        if not self._among_targets:
            return self.moved(predicted_ND)
        method = Method(self._composer.pieces, estimator)
        found = retrieve_targets(
            self._composer,
            self._sample,
            method,
            progress=lambda _, done, total: self._done(done, total),
        )
        return _Answers(found.ranks(), cosines(self._sample, predicted_ND)[self.places_N])

    def moved(self, moved_ND: NDArray[np.float64]) -> _Answers:
        """Ask with vectors, one for each base."""
        sample, composer = self._sample, self._composer
        cosines_N = cosines(sample, moved_ND)[self.places_N]
        if self._among_targets:
            moved_ND, targets_ND = moved_ND[self.places_N], sample.targets_ND[self.places_N]
            scores_NN = composer.space.named(moved_ND) @ targets_ND.T
            return _Answers(ranks_among(scores_NN), cosines_N)
        ranks_N = ranks(composer.head, composer.space, sample, moved_ND, done=self._done)
        return _Answers(ranks_N, cosines_N)


def _random(composer: Composer, count: int) -> Sample:
    """Draw pairs of words at random: what is learned from them is no direction of anything."""
    vocabulary = composer.head.vocabulary
    words_N = np.flatnonzero(vocabulary.kinds_V == KINDS.index("whole-word"))
    from_N = words_N if len(words_N) else np.flatnonzero(vocabulary.known_V)
    ids_N = np.random.default_rng(0).choice(from_N, 2 * count)
    places_ND = composer.space.named(composer.space.place(composer.head.rows.decode(ids_N)))
    return Sample(
        places_ND[:count],
        places_ND[count:],
        np.full(count, 1 / count),
        tuple((int(id_),) for id_ in ids_N[:count]),
        ids_N[count:],
        (),
        (),
    )


def _mixed(sample: Sample) -> Sample:
    """Divide the tokens inside and outside at random, as many of each."""
    both_2ND = np.concatenate([sample.bases_ND, sample.targets_ND])
    order = np.random.default_rng(0).permutation(len(both_2ND))
    half = len(both_2ND) // 2
    return replace(sample, bases_ND=both_2ND[order[:half]], targets_ND=both_2ND[order[half:]])


def _projections(sample: Sample, vectors_ND: NDArray[np.float64]) -> NDArray[np.float64]:
    """Give where vectors lie between the mean of the bases, 0, and that of the targets, 1."""
    base_D, target_D = sample.weights_N @ sample.bases_ND, sample.weights_N @ sample.targets_ND
    step_D = target_D - base_D
    square = float(step_D @ step_D)
    if square <= _ROUNDING * float(base_D @ base_D + target_D @ target_D):
        return np.zeros(len(vectors_ND))
    found_N: NDArray[np.float64] = (vectors_ND - base_D) @ step_D / square
    return found_N


def _separated(sample: Sample, estimator: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Give the projections of targets that were left out, and of as many tokens outside."""
    folds_N = folds(sample)
    inside_N, outside_N = np.empty(len(folds_N)), np.empty(len(folds_N))
    for fold in range(int(folds_N.max()) + 1):
        asked_N = folds_N == fold
        fit = sample.fit(estimator, ~asked_N)
        step_D = fit.target_D - fit.base_D
        inside_N[asked_N] = sample.targets_ND[asked_N] @ step_D
        outside_N[asked_N] = sample.bases_ND[asked_N] @ step_D
    return inside_N, outside_N
