"""Words as a model builds them: what it holds where it is about to say a word again."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...errors import UsageError
from ...indexes.batch import ranks_each
from ...indexes.progress import Progress, step_of
from ...indexes.rows import norm
from ...indexes.store import Arrays, fits
from ..heads.unembedding import Unembedding
from ..space import Space
from ..tokens.whole_words import drawn_apart, other_form, whole_words
from .language_model import model_of
from .many import after_each
from .placing import placed

# N words, M among which they are ranked; L layers; vectors of width D.

_VERSION = 1
_EXAMPLES = 5
_READ = 256  # tokens of a word, the first
_DRAWN = 512  # words that a layer is chosen by
_AMONG = 1 << 14  # words that they are told from


@dataclass(frozen=True, eq=False)
class Builder:
    """The layer of a model that builds words best, and what all words have in common there.

    Attributes
    ----------
    layer : int
        From 1; the last is the model's output.
    mean_D : ndarray of float64
        Shape (D,): the mean of words' unit vectors in the space.

    Examples
    --------
    >>> import unembed
    >>> from unembed.geometry.space import open_space
    >>> head = unembed.open_head("demo")
    >>> builder_of(head, open_space(head)).layer >= 13
    True
    """

    layer: int
    mean_D: NDArray[np.float64]


def built(
    head: Unembedding,
    space: Space,
    words: Sequence[tuple[int, ...]],
    *,
    progress: Progress | None = None,
) -> NDArray[np.float64]:
    """Give the vectors of words as the model beside a head builds them.

    The model reads a few words, each said twice (``that: that``), then the word's tokens and a
    colon. What it holds there, at the layer of `builder_of`, passes the final norm and is mapped
    to the space in the dual way, as what meets the rows; the mean of other words is subtracted.

    Parameters
    ----------
    head : Unembedding
        Whose model.
    space : Space
        Where to.
    words : sequence of tuple of int
        The tokens of each, of which the first 256 are read.
    progress : callable, optional
        Is told ``(step, done, total)``.

    Returns
    -------
    ndarray of float64
        Shape (N, D): of norm 1; in ``logit`` of the mean norm of the rows.

    Raises
    ------
    MissingExtraError, SourceError
        As `LanguageModel.open`.
    UsageError
        The head has no whole words.

    Examples
    --------
    >>> import unembed
    >>> from unembed.geometry.space import open_space
    >>> head = unembed.open_head("demo")
    >>> vectors_ND = built(head, open_space(head), [head.vocabulary.split(" seahorse")])
    >>> vectors_ND.shape
    (1, 640)
    """
    builder = builder_of(head, space, progress=progress)

    def build() -> Arrays:
        held_N1D = _held(head, words, [builder.layer], progress)
        return {"held": held_N1D[:, 0]}

    digest = hashlib.sha256(repr(words).encode()).hexdigest()
    kept = head.store.arrays(
        "built-words",
        repr((_VERSION, builder.layer, digest)),
        build,
        lambda kept: fits(kept, {"held": (len(words), space.width)}, np.float32),
    )
    vectors_ND = space.named(placed(head, space, kept["held"]) - builder.mean_D)
    if not space.kind.unit:
        vectors_ND = vectors_ND / norm(vectors_ND)[:, None] * float(head.norms_V.mean())
    return vectors_ND


def builder_of(head: Unembedding, space: Space, *, progress: Progress | None = None) -> Builder:
    """Choose the layer at which the pieces of words come to mean the words.

    Of 512 words that are one token, split by force, it has the highest mean reciprocal rank of
    another form of the word (``▁Ocean`` for ``▁ocean``), the word's own token left out: the last
    layers turn to the token that is about to be written, and words in use have none. Where no word
    has another form its own token counts. Of equal layers the first is taken.

    Examples
    --------
    >>> import unembed
    >>> from unembed.geometry.space import open_space
    >>> head = unembed.open_head("demo")
    >>> builder_of(head, open_space(head, "cosine")).mean_D.shape
    (640,)
    """

    def build() -> Arrays:
        pieces = drawn_apart(head.vocabulary, _DRAWN, seed=0)
        forms = {id_: other_form(head.vocabulary, id_) for id_ in pieces}
        asked = {id_: form for id_, form in forms.items() if form not in {None, *pieces[id_]}}
        if not pieces:
            raise UsageError(
                f"{head.source} has no words of one token that can be split, so no layer can be "
                "chosen that builds words"
            )
        if not asked:  # a script without capitals
            asked = {id_: id_ for id_ in pieces}
        ranks_LN, means_LD = layer_ranks(
            head,
            space,
            [pieces[id_] for id_ in asked],
            np.array(list(asked.values()), dtype=np.int64),
            excluded=[np.array([*{id_, *pieces[id_]} - {form}]) for id_, form in asked.items()],
            progress=progress,
        )
        best = int((1.0 / ranks_LN).mean(axis=1).argmax())
        return {"layer": np.array([best + 1]), "mean": means_LD[best]}

    kept = head.store.arrays(
        "word-builder",
        repr((_VERSION, space.key)),
        build,
        lambda kept: (
            kept.keys() == {"layer", "mean"}
            and fits({"mean": kept["mean"]}, {"mean": (space.width,)})
            and fits({"layer": kept["layer"]}, {"layer": (1,)}, np.int64)
        ),
    )
    return Builder(int(kept["layer"][0]), np.asarray(kept["mean"]))


def layer_ranks(
    head: Unembedding,
    space: Space,
    words: Sequence[tuple[int, ...]],
    targets_N: NDArray[np.int64],
    *,
    excluded: Sequence[NDArray[np.int64]],
    progress: Progress | None = None,
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Give the rank of a token for each word, by what each layer makes of the word's pieces.

    Parameters
    ----------
    head, space, words, progress
        As in `built`.
    targets_N : ndarray of int64
        The tokens.
    excluded : sequence of ndarray of int64
        Of each word, tokens that do not count.

    Returns
    -------
    ranks_LN : ndarray of int64
        From layer 1 to the last: the rank, from 1, among whole words, 16,384 of them at most.
    means_LD : ndarray of float64
        The mean of the words' unit vectors in each layer.

    Examples
    --------
    >>> import unembed
    >>> from unembed.geometry.space import open_space
    >>> head = unembed.open_head("demo")
    >>> ocean, sea_N = head.vocabulary.id_of(" ocean"), np.array([5442])
    >>> ranks_LN, _ = layer_ranks(
    ...     head, open_space(head), [(512, 8157), (5442,)], np.array([ocean, 5442]),
    ...     excluded=[sea_N, sea_N])
    >>> ranks_LN.shape
    (18, 2)
    """
    layers = range(1, len(model_of(head).layers) + 1)
    held_NLD = _held(head, words, layers, progress)
    words_M = whole_words(head.vocabulary)
    count = min(len(words_M), _AMONG)
    among_M = words_M[np.arange(count) * len(words_M) // count]
    ranks, means = [], []
    told = step_of(progress, "reading words in every layer")
    for place in range(len(layers)):
        placed_ND = placed(head, space, held_NLD[:, place])
        means.append(placed_ND.mean(axis=0))
        ranks.append(
            ranks_each(
                head.rows,
                space.measures(
                    space.named(placed_ND - means[-1]), residual_norm=1.0, cosine=space.kind.unit
                ),
                targets_N,
                lengths_V=head.norms_V,
                among_N=among_M,
                excluded=excluded,
                done=step_of(None, ""),
            )
        )
        told(place + 1, len(layers))
    return np.array(ranks), np.array(means)


def _held(
    head: Unembedding,
    words: Sequence[tuple[int, ...]],
    layers: Sequence[int],
    progress: Progress | None,
) -> NDArray[np.float32]:
    """Have the model read words where it would say each again, shape (N, L, D)."""
    model, vocabulary = model_of(head), head.vocabulary
    examples = [vocabulary.text(int(id_)) or "" for id_ in whole_words(vocabulary)[:_EXAMPLES]]
    beginning = model.tokens_of("".join(f"{word.strip()}:{word}\n" for word in examples))
    colon = vocabulary.split(":")
    endings = [(*ids[:_READ], *colon) for ids in words]
    return after_each(model, beginning, endings, layers=layers, progress=progress)
