"""Vectors as sums of a few rows: orthogonal matching pursuit over all tokens."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...indexes.batch import nearest_each
from ...indexes.progress import Progress, step_of
from ...indexes.rows import united
from ..heads.unembedding import Unembedding
from ..space import Space

# N vectors of width D; K rows of each sum.

_SPARE = 24  # of the nearest that are looked at: forms of a word that is there are passed over
_STEM = 4  # letters that two forms of a word share
_EXACT = 1e-12  # of a vector that is left when nothing is
MOST = 16


@dataclass(frozen=True)
class Part:
    """A row in a sum.

    Attributes
    ----------
    id : int
        The token's.
    token : str
        Its string in the vocabulary.
    text : str or None
        What it writes.
    weight : float
        What the unit vector of its row counts; above 0.
    explained : float
        The share of the vector that is explained with it and those before: 1 less the square of
        what is left.

    Examples
    --------
    >>> Part(5455, "▁horse", " horse", 0.4, 0.16).text
    ' horse'
    """

    id: int
    token: str
    text: str | None
    weight: float
    explained: float


def sparse_sums(
    head: Unembedding,
    space: Space,
    vectors_ND: NDArray[np.float64],
    count: int,
    *,
    progress: Progress | None = None,
) -> list[tuple[Part, ...]]:
    """Write vectors as sums of a few rows (Pati, Rezaiifar and Krishnaprasad 1993).

    At each step the row is taken whose cosine with what is left is the highest of all known tokens,
    and all weights are fitted again by least squares. Rows enter where they add: with a positive
    cosine. A form of a word that is there (the same first four letters, capitals aside) is passed
    over.

    Parameters
    ----------
    head : Unembedding
        Whose rows.
    space : Space
        Where they are unit vectors.
    vectors_ND : ndarray of float64
        Of the space.
    count : int
        How many rows at most.
    progress : callable, optional
        Is told ``(step, done, total)``.

    Returns
    -------
    list of tuple of Part
        For each vector, in the order in which its rows were taken; none of a vector that is zero.

    Examples
    --------
    >>> import unembed
    >>> from unembed.geometry.space import open_space
    >>> head = unembed.open_head("demo")
    >>> sum_1D = head.concept("2*sea + horse").vector_D[None]
    >>> [[part.token for part in parts] for parts in sparse_sums(head, open_space(head), sum_1D, 2)]
    [['▁sea', '▁horse']]
    """
    sums = [_Sum(head, space, unit_D) for unit_D in united(vectors_ND)]
    going = [one for one in sums if one.unit_D.any()]
    known_N = np.flatnonzero(head.vocabulary.known_V)
    told = step_of(progress, "writing residuals as sums of rows")
    for step in range(count):
        if not going:
            break
        left_ND = np.array([one.left_D for one in going])
        scores_NK, ids_NK = nearest_each(
            head.rows,
            space.measures(left_ND, residual_norm=1.0, cosine=True),
            _SPARE,
            lengths_V=head.norms_V,
            among_N=known_N,
            done=step_of(None, ""),
        )
        near = [ids_K[scores_K > 0] for ids_K, scores_K in zip(ids_NK, scores_NK, strict=True)]
        going = [one for one, ids_K in zip(going, near, strict=True) if one.takes(ids_K.tolist())]
        told(step + 1, count)
    return [one.parts() for one in sums]


class _Sum:
    """A sum that is being made: what is in it, and what is left of the vector."""

    def __init__(self, head: Unembedding, space: Space, unit_D: NDArray[np.float64]) -> None:
        self._head, self._space = head, space
        self.unit_D = self.left_D = unit_D
        self._ids: list[int] = []
        self._weights: list[float] = []
        self._explained: list[float] = []

    def takes(self, near: list[int]) -> bool:
        """Take the first token that is no form of one that is there; tell whether to go on."""
        id_ = _new(self._head, near, self._ids)
        if id_ is None:
            return False
        ids = [*self._ids, id_]
        rows_KD = united(self._space.place(self._head.rows.decode(np.array(ids))))
        weights_K = np.linalg.lstsq(rows_KD.T, self.unit_D, rcond=None)[0]
        if weights_K.min() <= 0:  # what is there is not needed beside it
            return False
        self._ids, self._weights = ids, weights_K.tolist()
        self.left_D = self.unit_D - weights_K @ rows_KD
        self._explained.append(1.0 - float(np.square(self.left_D).sum()))
        return self._explained[-1] < 1 - _EXACT

    def parts(self) -> tuple[Part, ...]:
        """Give what is in it."""
        vocabulary = self._head.vocabulary
        return tuple(
            Part(id_, vocabulary.token(id_), vocabulary.text(id_), weight, share)
            for id_, weight, share in zip(self._ids, self._weights, self._explained, strict=True)
        )


def _new(head: Unembedding, ids: list[int], taken: list[int]) -> int | None:
    """Give the first token that is no form of one that is there."""
    stems = {_stem(head, id_) for id_ in taken}
    return next((id_ for id_ in ids if id_ not in taken and _stem(head, id_) not in stems), None)


def _stem(head: Unembedding, id_: int) -> str:
    """Give what two forms of a word have in common; a fragment has only itself."""
    text = head.vocabulary.text(id_)
    return f"#{id_}" if text is None else text.strip().casefold()[:_STEM] or f"#{id_}"
