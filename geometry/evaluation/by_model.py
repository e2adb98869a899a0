"""A direction as the model itself takes it: what it holds where it would answer with a target."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...errors import UsageError
from ...indexes.progress import Progress
from ...indexes.rows import united
from ...indexes.store import Arrays, fits
from ..concepts.compose import Composer
from ..concepts.pairs import EMOJI, FEWEST, Pair
from ..concepts.sample import Sample
from ..heads.unembedding import Unembedding
from ..model.asking import Question, answers
from ..model.language_model import model_of
from ..model.placing import placed
from ..space import Space
from .ranks import ranks_among

# N names, Q of them of targets; L layers; vectors of width D.

_VERSION = 1
_EXAMPLES = 8
_LETTERS = 4  # of a base that makes an example, at least


@dataclass(frozen=True, eq=False)
class ByModel:
    """What the model beside a head answers where a direction is asked for.

    Attributes
    ----------
    head : Unembedding
        Whose model.
    space : Space
        Where answers are placed.
    question : Question
        What the model reads before each name.
    sample : Sample
        The pairs of the direction without the question's examples.
    layer : int
        Whose residual is the answer: the one at which the names of the direction's targets come
        first most often, by their mean reciprocal rank; from 1.
    mean_D : ndarray of float64
        What the answers to these names have in common, shape (D,).
    reciprocal_ranks_L : ndarray of float64
        The mean reciprocal rank of each layer, the first first.

    Examples
    --------
    >>> import unembed
    >>> from unembed.geometry.concepts.compose import composer_of
    >>> asked = open_by_model(composer_of(unembed.open_head("demo")), "emoji")
    >>> asked.question.text("seahorse").splitlines()[-2:]
    ['emoji of family: 👪', 'emoji of seahorse:']
    """

    head: Unembedding
    space: Space
    question: Question
    sample: Sample
    layer: int
    mean_D: NDArray[np.float64]
    reciprocal_ranks_L: NDArray[np.float64]

    @property
    def names(self) -> list[str]:
        """The first name of each target, by the targets' ids."""
        return _names(self.sample)

    @property
    def key(self) -> str:
        """Tell what is asked apart from all else."""
        return repr((_VERSION, self.question, self.layer))

    def __call__(
        self, names: Sequence[str], *, progress: Progress | None = None
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Ask for names.

        Returns
        -------
        answers_ND : ndarray of float64
            Unit vectors of the space, less what all answers have in common.
        outputs_ND : ndarray of float64
            What meets the head at the end: the model's own output.
        """
        last = len(self.reciprocal_ranks_L)
        held_NLD = answers(
            self.head, self.question, names, layers=(self.layer, last), progress=progress
        )
        final, outputs_ND = self.head.final_norm, held_NLD[:, 1].astype(np.float64)
        outputs_ND = outputs_ND if final is None else final(outputs_ND)
        placed_ND = placed(self.head, self.space, held_NLD[:, 0])
        return united(placed_ND - self.mean_D), outputs_ND


def open_by_model(
    composer: Composer, direction: str, *, progress: Progress | None = None
) -> ByModel:
    """Choose the layer of a model that answers best to the names of a direction's targets.

    Parameters
    ----------
    composer : Composer
        Its head, space and directions.
    direction : str
        Which.
    progress : callable, optional
        Is told ``(step, done, total)``.

    Raises
    ------
    UsageError
        The direction has no pairs that are tokens here, or too few.
    MissingExtraError, SourceError
        As `LanguageModel.open`.

    Examples
    --------
    >>> import unembed
    >>> from unembed.geometry.concepts.compose import composer_of
    >>> open_by_model(composer_of(unembed.open_head("demo")), "emoji").layer >= 13
    True
    """
    head, space = composer.head, composer.space
    question, sample = question_of(direction, composer.directions.sample(direction))
    names = _names(sample)
    if len(names) < FEWEST:
        raise UsageError(
            f"{head.source} has tokens for {len(names)} targets of the direction {direction!r} "
            f"beside the examples that a model reads; asking it takes at least {FEWEST}"
        )

    def build() -> Arrays:
        ranks_LQ, means_LD = answer_ranks(head, space, question, sample, progress=progress)
        figures_L = (1.0 / ranks_LQ).mean(axis=1)
        best = int(figures_L.argmax())
        return {"layer": np.array([best + 1]), "mean": means_LD[best], "mrr": figures_L}

    kept = head.store.arrays(
        "by-model",
        repr((_VERSION, space.key, question, names)),
        build,
        lambda kept: _fits(kept, space.width),
    )
    layer, mean_D = int(kept["layer"][0]), np.asarray(kept["mean"])
    return ByModel(head, space, question, sample, layer, mean_D, np.asarray(kept["mrr"]))


def answer_ranks(
    head: Unembedding,
    space: Space,
    question: Question,
    sample: Sample,
    *,
    progress: Progress | None = None,
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Give the rank of each target among all by what each layer answers to its name.

    Parameters
    ----------
    head, space, question, sample
        As in `ByModel`.
    progress : callable, optional
        Is told ``(step, done, total)``.

    Returns
    -------
    ranks_LQ : ndarray of int64
        From layer 1 to the last: the rank, from 1; of equal scores the lower id comes first.
    means_LD : ndarray of float64
        What the answers of each layer have in common.

    Examples
    --------
    >>> import unembed
    >>> from unembed.geometry.concepts.compose import composer_of
    >>> composer = composer_of(unembed.open_head("demo"))
    >>> asked = question_of("capital", composer.directions.sample("capital"))
    >>> len(answer_ranks(composer.head, composer.space, *asked)[0])
    18
    """
    layers = tuple(range(1, len(model_of(head).layers) + 1))
    held_QLD = answers(head, question, _names(sample), layers=layers, progress=progress)
    targets_QD = united(sample.targets_ND[sample.firsts_Q])
    ranks, means = [], []
    for place in range(len(layers)):
        placed_QD = placed(head, space, held_QLD[:, place])
        means.append(placed_QD.mean(axis=0))
        ranks.append(ranks_among(united(placed_QD - means[-1]) @ targets_QD.T))
    return np.array(ranks), np.array(means)


def question_of(direction: str, sample: Sample) -> tuple[Question, Sample]:
    """Make the question of a direction, and leave its examples out of the pairs.

    The examples are the eight pairs of the commonest bases that are one whole word: of the lowest
    ids.

    Raises
    ------
    UsageError
        There are no pairs.

    Examples
    --------
    >>> import unembed
    >>> from unembed.geometry.concepts.compose import composer_of
    >>> composer = composer_of(unembed.open_head("demo"))
    >>> question_of("plural", composer.directions.sample("plural"))[0].examples[0]
    ('child', 'children')
    """
    by_base = sorted((ids, place) for place, ids in enumerate(sample.base_ids[: len(sample.used)]))
    if not by_base:
        raise UsageError(
            f"the direction {direction!r} is that of a region, without pairs that a model could "
            "read as examples"
        )
    wordlike = [
        place
        for ids, place in by_base
        if len(ids) == 1 and len(sample.used[place].base) >= _LETTERS
    ]
    chosen: dict[int, Pair] = {}
    for place in wordlike or [place for _, place in by_base]:
        pair = sample.used[place]
        if len(chosen) < _EXAMPLES and pair.base not in {one.base for one in chosen.values()}:
            chosen.setdefault(int(sample.target_ids_N[place]), pair)
    relation = EMOJI if direction.startswith(EMOJI) else direction.replace("_", " ")
    examples = tuple((pair.base, pair.target) for pair in chosen.values())
    return Question(relation, examples), sample.without(chosen)


def _names(sample: Sample) -> list[str]:
    """Give the first name of each target, by the targets' ids."""
    return [sample.used[place].base for place in sample.firsts_Q]


def _fits(kept: Arrays, width: int) -> bool:
    """Tell whether arrays from the store are a choice of layer."""
    if kept.keys() != {"layer", "mean", "mrr"} or kept["mrr"].ndim != 1:
        return False
    shapes = {"mean": (width,), "mrr": kept["mrr"].shape}
    return (
        fits({name: kept[name] for name in shapes}, shapes)
        and fits({"layer": kept["layer"]}, {"layer": (1,)}, np.int64)
        and 1 <= int(kept["layer"][0]) <= len(kept["mrr"])
    )
