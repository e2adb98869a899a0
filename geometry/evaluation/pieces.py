"""Whether a word's pieces lead back to its token: words of one token, split by force."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...indexes.batch import ranks_each
from ...indexes.exact import Measure
from ...indexes.progress import Progress, step_of
from ..concepts.phrase import PIECES
from ..heads.unembedding import Unembedding
from ..space import Space
from ..tokens.whole_words import drawn_apart
from .bootstrap import interval

# N words, P pieces of one, vectors of width D.

WEIGHTINGS = tuple(name for name in PIECES if name != "sum")  # which points where the mean does
WORDS = 1500


@dataclass(frozen=True)
class Recovery:
    """How near one weighting of the pieces comes to the token of the whole word.

    Attributes
    ----------
    top1, top5, top100 : float
        The part of the words whose token is the nearest, or among the nearest 5 or 100.
    mrr : float
        The mean of 1 over the token's rank.
    median : float
        The median rank, from 1.
    ci95 : tuple of float
        Of `mrr`, see `bootstrap.interval`.

    Examples
    --------
    >>> Recovery.of(np.array([1, 2, 4, 200])).top5
    0.75
    """

    top1: float
    top5: float
    top100: float
    mrr: float
    median: float
    ci95: tuple[float, float]

    @classmethod
    def of(cls, ranks_N: NDArray[np.int64], *, seed: int = 0) -> "Recovery":
        """Sum up ranks, at least one, from 1."""
        return cls(
            top1=float((ranks_N <= 1).mean()),
            top5=float((ranks_N <= 5).mean()),
            top100=float((ranks_N <= 100).mean()),
            mrr=float((1 / ranks_N).mean()),
            median=float(np.median(ranks_N)),
            ci95=interval(1 / ranks_N, seed=seed),
        )

    def to_dict(self) -> dict[str, Any]:
        """Give it as the object that ``--json`` prints."""
        return {
            "top1": self.top1,
            "top5": self.top5,
            "top100": self.top100,
            "mrr": self.mrr,
            "median": self.median,
            "ci95": list(self.ci95),
        }


@dataclass(frozen=True)
class PieceRecovery:
    """How well each weighting of a word's pieces finds the word.

    Attributes
    ----------
    n : int
        How many words were split.
    weightings : mapping of str to Recovery
        One for each of `WEIGHTINGS`.

    Examples
    --------
    >>> found = Recovery.of(np.array([1, 2]))
    >>> list(PieceRecovery(2, {"mean": found}).to_dict())
    ['n', 'mean']
    """

    n: int
    weightings: Mapping[str, Recovery]

    def to_dict(self) -> dict[str, Any]:
        """Give it as the object that ``--json`` prints."""
        return {"n": self.n} | {name: each.to_dict() for name, each in self.weightings.items()}


def recover(
    head: Unembedding,
    space: Space,
    *,
    words: int = WORDS,
    seed: int = 0,
    progress: Progress | None = None,
) -> PieceRecovery | None:
    """Split words that are one token by force, compose their pieces, and rank their tokens.

    Words are drawn by chance of those that `whole_words` gives, and split as the tokenizer would if
    it had none of their tokens (`Vocabulary.forced_apart`). Each weighting of `PIECES` makes one
    vector of a word's pieces, as it does for a name; the word's own token is ranked by its score
    with it among all known rows but the pieces. The score is the cosine, in ``logit`` the product.

    Parameters
    ----------
    head : Unembedding
        Whose tokens.
    space : Space
        Where pieces are composed.
    words : int
        How many are drawn, at most.
    seed : int
        The same seed gives the same words and the same intervals.
    progress : callable, optional
        Is told ``(step, done, total)``.

    Returns
    -------
    PieceRecovery or None
        None where no word can be split.

    Raises
    ------
    VocabularyError
        The tokenizers library refuses the tokenizer without these tokens.

    Examples
    --------
    >>> import unembed
    >>> from unembed.geometry.space import open_space
    >>> head = unembed.open_head("demo-bytes")
    >>> recover(head, open_space(head), words=20).n
    20
    """
    pieces = drawn_apart(head.vocabulary, words, seed=seed)
    if not pieces:
        return None
    ranks = ranks_of(head, space, pieces, progress=progress)
    return PieceRecovery(
        len(pieces), {name: Recovery.of(ranks_N, seed=seed) for name, ranks_N in ranks.items()}
    )


def ranks_of(
    head: Unembedding,
    space: Space,
    pieces: Mapping[int, tuple[int, ...]],
    *,
    progress: Progress | None = None,
) -> dict[str, NDArray[np.int64]]:
    """Give the exact rank of each word's token by what each weighting makes of its pieces.

    Parameters
    ----------
    head : Unembedding
        Whose rows.
    space : Space
        Where pieces are composed.
    pieces : mapping of int to tuple of int
        Tokens, and the tokens that stand for each.
    progress : callable, optional
        Is told ``(step, done, total)``.

    Returns
    -------
    dict of str to ndarray of int64
        For each of `WEIGHTINGS` the ranks, from 1, shape (N,), in the order of `pieces`: one more
        than the known rows, without the pieces, that have a higher score than the token, or an
        equal one and a lower id.

    Examples
    --------
    >>> import unembed
    >>> from unembed.geometry.space import open_space
    >>> head = unembed.open_head("demo-bytes")
    >>> whole, *parts = (head.vocabulary.id_of(text) for text in (" kings", " king", "s"))
    >>> ranks_of(head, open_space(head), {whole: tuple(parts)})["first"]
    array([2])
    """
    return {
        name: ranks_each(
            head.rows,
            [_measure(head, space, ids, name) for ids in pieces.values()],
            np.array(list(pieces)),
            lengths_V=head.norms_V,
            among_N=np.flatnonzero(head.vocabulary.known_V),
            excluded=[np.array(ids) for ids in pieces.values()],
            done=step_of(progress, f"ranking words by the {name} of their pieces"),
        )
        for name in WEIGHTINGS
    }


def _measure(head: Unembedding, space: Space, ids: tuple[int, ...], weighting: str) -> Measure:
    """Compose pieces as a name's are, and measure by them; a vector of zero has the score 0."""
    ids_P = np.array(ids)
    placed_PD = space.named(space.place(head.rows.decode(ids_P)))
    vector_D = (PIECES[weighting](ids_P)[:, None] * placed_PD).sum(axis=0)
    measure = space.measure(vector_D, cosine=space.kind.unit)
    return replace(measure, divisor=measure.divisor or 1.0)
