"""A direction judged: its pairs left out in turn, beside the same words paired at random."""

from dataclasses import asdict, dataclass, replace
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ...errors import MissingExtraError, UsageError
from ...indexes.progress import Done, Progress
from ..concepts.compose import Composer
from ..concepts.direction import Sample, Unused
from ..method import Method
from ..tokens.vocabulary import display
from .bootstrap import auroc
from .held_out import cosines, folds, predictions, ranks
from .ranks import Ranks
from .retrieval import retrieve_targets

if TYPE_CHECKING:
    import pandas
    import pyarrow

# N pairs, vectors of width D.

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
        Of the step from base to target with the step that was predicted.
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
    pairs : tuple of PairScore
        Empty for the direction of a region, and so below.
    unused : tuple of Unused
        The pairs that this head has no tokens for.
    ranks : Ranks or None
        Of targets, each left out of what was learned.
    cosine : float or None
        The mean of the pairs'.
    control : Ranks or None
        The same with the same bases and targets paired at random.
    control_cosine : float or None
        The same.
    auroc : float or None
        Of a region: how well the projection of tokens that were left out tells them from others.
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
    pairs: tuple[PairScore, ...] = ()
    unused: tuple[Unused, ...] = ()
    ranks: Ranks | None = None
    cosine: float | None = None
    control: Ranks | None = None
    control_cosine: float | None = None
    auroc: float | None = None
    control_auroc: float | None = None

    def to_dict(self) -> dict[str, Any]:
        """Give the score as the object that ``--json`` prints."""
        return asdict(self)

    def to_arrow(self) -> "pyarrow.Table":
        """Give the pairs as an Arrow table, a row each.

        Raises
        ------
        MissingExtraError
            pyarrow is not installed.
        """
        try:
            import pyarrow
        except ImportError as error:
            raise MissingExtraError("an Arrow table (pyarrow)", extra="tables") from error
        return pyarrow.Table.from_pylist([asdict(pair) for pair in self.pairs])

    def to_pandas(self) -> "pandas.DataFrame":
        """Give the pairs as a data frame, a row each.

        Raises
        ------
        MissingExtraError
            pandas is not installed.
        """
        try:
            import pandas
        except ImportError as error:
            raise MissingExtraError("a data frame (pandas)", extra="tables") from error
        return pandas.DataFrame([asdict(pair) for pair in self.pairs])

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
        composer.head.source, composer.space.name, name, pairs.about, estimator, pairs.region
    )

    def told(done: int, total: int) -> None:
        if progress is not None:
            progress(f"judging {name}", done, total)

    if not pairs.pairs:
        return replace(
            score,
            auroc=_separation(sample, estimator),
            control_auroc=_separation(_mixed(sample), estimator),
        )
    asked = _ranked(composer, sample, estimator, pairs.region, told)
    paired = _ranked(composer, _shuffled(sample), estimator, pairs.region, told)
    return replace(
        score,
        pairs=tuple(
            PairScore(sample.used[place].base, sample.used[place].target, *found)
            for place, *found in zip(
                asked.places_N.tolist(),
                asked.ranks_N.tolist(),
                asked.cosines_N.tolist(),
                _projections(sample, sample.bases_ND[asked.places_N]).tolist(),
                _projections(sample, sample.targets_ND[asked.places_N]).tolist(),
                strict=True,
            )
        ),
        unused=sample.unused,
        ranks=Ranks.of(asked.ranks_N),
        cosine=float(asked.cosines_N.mean()),
        control=Ranks.of(paired.ranks_N),
        control_cosine=float(paired.cosines_N.mean()),
    )


@dataclass(frozen=True, eq=False)
class _Asked:
    """The pairs that were asked, by their places, and what came of it."""

    places_N: NDArray[np.int64]
    ranks_N: NDArray[np.int64]
    cosines_N: NDArray[np.float64]


def _ranked(
    composer: Composer, sample: Sample, estimator: str, region: str | None, done: Done
) -> _Asked:
    """Ask with each base, by maps that have not seen its target."""
    predicted_ND = predictions(sample, estimator)
    cosines_N = cosines(sample, predicted_ND, composer.space)
    if region is None:
        places_N = np.arange(len(sample.used))
        ranks_N = ranks(composer.head, composer.space, sample, predicted_ND, done=done)
    else:  # among the targets, each with the first of its bases
        method = Method(composer.pieces, estimator)
        _, places_N = np.unique(sample.target_ids_N, return_index=True)
        ranks_N = retrieve_targets(
            composer, sample, method, progress=lambda _, at, total: done(at, total)
        ).ranks()
    return _Asked(places_N, ranks_N, cosines_N[places_N])


def _shuffled(sample: Sample) -> Sample:
    """Pair bases and targets at random: none keeps its own, where that can be."""
    order_N = np.random.default_rng(0).permutation(len(sample.target_ids_N))
    _, firsts, groups_N, counts = np.unique(
        sample.target_ids_N[order_N], return_index=True, return_inverse=True, return_counts=True
    )
    # One long ring, the pairs of a target side by side: it is turned by as many as one can have.
    order_N = order_N[np.argsort(firsts[groups_N], kind="stable")]
    moved_N = np.empty_like(order_N)
    moved_N[order_N] = np.roll(order_N, counts.max())
    return replace(
        sample,
        targets_ND=sample.targets_ND[moved_N],
        target_ids_N=sample.target_ids_N[moved_N],
        weights_N=sample.weights_N[moved_N],
    )


def _projections(sample: Sample, vectors_ND: NDArray[np.float64]) -> NDArray[np.float64]:
    """Give where vectors lie between the mean of the bases, 0, and that of the targets, 1."""
    base_D = sample.weights_N @ sample.bases_ND
    step_D = sample.weights_N @ sample.targets_ND - base_D
    found_N: NDArray[np.float64] = (vectors_ND - base_D) @ step_D / (step_D @ step_D or 1.0)
    return found_N


def _separation(sample: Sample, estimator: str) -> float:
    """Give the AUROC of projections of targets that were left out, and of the tokens outside."""
    folds_N = folds(sample)
    inside_N, outside_N = np.empty(len(folds_N)), np.empty(len(folds_N))
    for fold in range(int(folds_N.max()) + 1):
        asked_N = folds_N == fold
        fit = sample.fit(estimator, ~asked_N)
        step_D = fit.target_D - fit.base_D
        inside_N[asked_N] = sample.targets_ND[asked_N] @ step_D
        outside_N[asked_N] = sample.bases_ND[asked_N] @ step_D
    return auroc(inside_N, outside_N)


def _mixed(sample: Sample) -> Sample:
    """Divide the tokens inside and outside at random, as many of each."""
    both_2ND = np.concatenate([sample.targets_ND, sample.bases_ND])
    order = np.random.default_rng(0).permutation(len(both_2ND))
    half = len(both_2ND) // 2
    return replace(sample, targets_ND=both_2ND[order[:half]], bases_ND=both_2ND[order[half:]])
