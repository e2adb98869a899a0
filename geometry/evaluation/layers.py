"""What the model beside a head answers, layer by layer, alone and together with the geometry."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from ...errors import UsageError
from ...indexes.progress import Progress
from ..concepts.compose import composer_of
from ..concepts.pairs import EMOJI
from ..heads.unembedding import Unembedding
from ..method import Method
from ..model.words import layer_ranks
from ..space import Space
from ..tokens.whole_words import drawn_apart
from .by_model import ByModel, answer_ranks, open_by_model, question_of
from .groups import Group, figure_of, groups_of
from .ranks import Ranks
from .retrieval import retrieve_targets

# Q names, L layers; vectors of width D.

_WORDS = 300


@dataclass(frozen=True)
class LayerScore:
    """How well one layer of a model answers, by itself.

    Attributes
    ----------
    layer : int
        From 1; the last is the model's output.
    emoji : Ranks or None
        Of the right emoji among all of the head, by the residual after ``emoji of NAME:``; None
        where the head has too few emoji.
    words : Ranks or None
        Of the tokens of words that were split by force, among the head's whole words, by the
        residual where the model would say the word again; None where it has none.

    Examples
    --------
    >>> LayerScore(13, Ranks.of(np.array([1, 2])), None).emoji.mrr
    0.75
    """

    layer: int
    emoji: Ranks | None
    words: Ranks | None


@dataclass(frozen=True)
class ModelScore:
    """What a model adds.

    Attributes
    ----------
    prompt : str or None
        What the model reads; … stands for the name.
    layer : int or None
        The layer whose answers are added to what is composed.
    emoji : dict of str to Group
        As in `Evaluation`, with the answers added; without the names of the examples.
    layers : tuple of LayerScore
        Each layer by itself.

    Examples
    --------
    >>> ModelScore(None, None, {}, ()).figures()
    []
    """

    prompt: str | None
    layer: int | None
    emoji: dict[str, Group]
    layers: tuple[LayerScore, ...]

    def to_dict(self) -> dict[str, Any]:
        """Give it as the object that ``--json`` prints."""
        return asdict(self)

    def figures(self) -> list[dict[str, Any]]:
        """Give every figure, a row each, as in `Evaluation.figures`."""
        found = [
            row | {"part": "with model"}
            for name, group in self.emoji.items()
            for row in group.figures(name)
        ]
        for what in ("emoji", "words"):
            for score in self.layers:
                ranks = getattr(score, what)
                if ranks is not None:
                    of = f"{what}, layer {score.layer}"
                    found.append(
                        figure_of("layer", of, "mrr", ranks.n, ranks.mrr, ranks.ci95["mrr"])
                    )
        return found


def score_model(
    head: Unembedding, space: str, methods: Sequence[Method], *, progress: Progress | None = None
) -> Iterator[ModelScore]:
    """Ask the model beside a head, and score it by each method.

    Yields
    ------
    ModelScore
        One for each method.

    Raises
    ------
    MissingExtraError, SourceError
        As `LanguageModel.open`.

    Examples
    --------
    >>> import unembed
    >>> (score,) = score_model(unembed.open_head("demo"), "causal", [Method()])
    >>> score.layers[15].words.mrr > 0.4, score.layer >= 13
    (True, True)
    """
    composer = composer_of(head, space=space, progress=progress)
    try:
        asked = open_by_model(composer, EMOJI, progress=progress)
    except UsageError:  # too few emoji are tokens here
        asked = None
    layers = _layers(head, composer.space, asked, progress)
    answers_QD = None if asked is None else asked(asked.names, progress=progress)[0]
    for method in methods:
        groups: dict[str, Group] = {}
        if asked is not None:
            own = composer_of(head, space=space, pieces=method.pieces)
            _, sample = question_of(EMOJI, own.directions.sample(EMOJI))
            groups = groups_of(
                retrieve_targets(own, sample, method, answers_QD=answers_QD, progress=progress)
            )
        yield ModelScore(
            None if asked is None else asked.question.text("…"),
            None if asked is None else asked.layer,
            groups,
            layers,
        )


def _layers(
    head: Unembedding, space: Space, asked: ByModel | None, progress: Progress | None
) -> tuple[LayerScore, ...]:
    """Score each layer by itself."""
    words, emoji = _of_words(head, space, progress), _of_emoji(asked, progress)
    nothing: list[Ranks | None] = [None] * max(len(words), len(emoji))
    both = zip(emoji or nothing, words or nothing, strict=True)
    return tuple(LayerScore(layer, *scores) for layer, scores in enumerate(both, start=1))


def _of_words(head: Unembedding, space: Space, progress: Progress | None) -> list[Ranks | None]:
    """Rank the tokens of words that were split by force, by each layer; none without words."""
    pieces = drawn_apart(head.vocabulary, _WORDS, seed=0)
    if not pieces:
        return []
    ranks_LN, _ = layer_ranks(
        head,
        space,
        list(pieces.values()),
        np.array(list(pieces)),
        excluded=[np.array(ids) for ids in pieces.values()],
        progress=progress,
    )
    return [Ranks.of(ranks_N) for ranks_N in ranks_LN]


def _of_emoji(asked: ByModel | None, progress: Progress | None) -> list[Ranks | None]:
    """Rank the right emoji by each layer's answers alone; none without a question."""
    if asked is None:
        return []
    ranks_LQ, _ = answer_ranks(
        asked.head, asked.space, asked.question, asked.sample, progress=progress
    )
    return [Ranks.of(ranks_Q) for ranks_Q in ranks_LQ]
