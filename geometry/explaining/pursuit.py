"""Vectors as sums of a few others: orthogonal matching pursuit."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...indexes.batch import nearest_each
from ...indexes.exact import nearest, propose
from ...indexes.progress import Progress, step_of
from ...indexes.rows import united
from ..heads.unembedding import Unembedding
from ..space import Space
from .dictionary import Dictionary
from .forms import same_word, word_of

# N vectors of width D; K nearest rows, or parts of a sum; M vectors with names.

_SPARE = 24  # of the nearest that are looked at: forms of a word that is there are passed over
_FEW = 4  # vectors that are sooner searched one by one
_EXACT = 1e-12  # of a vector that is left when nothing is
MOST = 16


@dataclass(frozen=True)
class Part:
    """A row in a sum, or another vector that has a name.

    Attributes
    ----------
    id : int or None
        The token's; None where it is no token.
    token : str
        Its string in the vocabulary; or the name of the direction or the region.
    text : str or None
        What it writes.
    weight : float
        What its unit vector counts.
    explained : float
        The share of the vector that is explained with it and those before: 1 less the square of
        what is left.
    kind : str
        ``token``; ``direction``, the mean step of its pairs; ``region``, the mean of its rows.

    Examples
    --------
    >>> Part(5455, "▁horse", " horse", 0.4, 0.16).text
    ' horse'
    """

    id: int | None
    token: str
    text: str | None
    weight: float
    explained: float
    kind: str = "token"


def sparse_sums(
    head: Unembedding,
    space: Space,
    vectors_ND: NDArray[np.float64],
    count: int,
    *,
    dictionary: Dictionary,
    signed: bool = False,
    progress: Progress | None = None,
) -> list[tuple[Part, ...]]:
    """Write vectors as sums of a few others (Pati, Rezaiifar and Krishnaprasad 1993).

    At each step what has the highest cosine with what is left is taken, and all weights are fitted
    again by least squares. What would get a weight of 0 or less, or bring another there, is passed
    over, and so is a form of a word that is in the sum.

    Parameters
    ----------
    head : Unembedding
        Whose rows.
    space : Space
        Where all are unit vectors.
    vectors_ND : ndarray of float64
        Of the space.
    count : int
        How many of a sum at most.
    dictionary : Dictionary
        What sums are made of.
    signed : bool
        Whether weights may be below 0; then the cosine that is furthest from 0 is taken.
    progress : callable, optional
        Is told ``(step, done, total)``.

    Returns
    -------
    list of tuple of Part
        For each vector, in the order in which they were taken, equal cosines by the lower id; none
        of a vector that is zero.

    Examples
    --------
    >>> import unembed
    >>> from unembed.geometry.space import open_space
    >>> head = unembed.open_head("demo")
    >>> sum_1D, whole = head.concept("2*sea + horse").vector_D[None], Dictionary.whole(head)
    >>> (parts,) = sparse_sums(head, open_space(head), sum_1D, 2, dictionary=whole)
    >>> [part.token for part in parts]
    ['▁sea', '▁horse']
    """
    sums = [Sum(head, space, dictionary, unit_D) for unit_D in united(vectors_ND)]
    going = [one for one in sums if one.unit_D.any()]
    told = step_of(progress, "writing vectors as sums")
    for step in range(count):
        if not going:
            break
        left_ND = np.array([one.left_D for one in going])
        near = nearest_rows(head, space, dictionary, left_ND, signed=signed)
        going = [
            one for one, found in zip(going, near, strict=True) if one.takes(found, signed=signed)
        ]
        told(step + 1, count)
    return [one.parts() for one in sums]


def nearest_rows(
    head: Unembedding,
    space: Space,
    dictionary: Dictionary,
    left_ND: NDArray[np.float64],
    *,
    signed: bool,
    count: int = _SPARE,
) -> list[list[tuple[float, int]]]:
    """Give the nearest rows of a dictionary to each of some vectors: their cosines and ids.

    Descending, equal cosines by the lower id; none that is 0 or less. Where they are signed, the
    opposite of a vector is asked too, and cosines are of the one or the other.

    Examples
    --------
    >>> import unembed
    >>> from unembed.geometry.space import open_space
    >>> head = unembed.open_head("demo")
    >>> asked = head.concept("sea").vector_D[None], Dictionary.whole(head)
    >>> ((best, *_),) = nearest_rows(head, open_space(head), asked[1], asked[0], signed=False)
    >>> head.vocabulary.token(best[1])
    '▁sea'
    """
    asked_ND = np.concatenate([left_ND, -left_ND]) if signed else left_ND
    measures = space.measures(asked_ND, residual_norm=1.0, cosine=True)
    if len(measures) <= _FEW:
        proposals = propose(head.index, measures, count, among_N=dictionary.ids_N)
        found = [
            nearest(head.index, head.rows, measure, proposal, count)
            for measure, proposal in zip(measures, proposals, strict=True)
        ]
    else:
        found_NK = nearest_each(
            head.rows,
            measures,
            count,
            lengths_V=head.norms_V,
            among_N=dictionary.ids_N,
            done=step_of(None, ""),
        )
        found = list(zip(*found_NK, strict=True))
    pairs = [
        [(score, id_) for score, id_ in zip(scores_K.tolist(), ids_K.tolist(), strict=True)]
        for scores_K, ids_K in found
    ]
    pairs = [[pair for pair in near if pair[0] > 0] for near in pairs]
    if not signed:
        return pairs
    half = len(left_ND)
    both = zip(pairs[:half], pairs[half:], strict=True)
    return [sorted([*one, *other], key=lambda pair: (-pair[0], pair[1])) for one, other in both]


class Sum:
    """A sum that is being made: what is in it, and what is left of the vector.

    Parameters
    ----------
    head, space, dictionary
        As for `sparse_sums`.
    unit_D : ndarray of float64
        The vector, of norm 1.

    Examples
    --------
    >>> import unembed
    >>> from unembed.geometry.space import open_space
    >>> head = unembed.open_head("demo")
    >>> unit_D = head.concept("sea").unit().vector_D
    >>> one = Sum(head, open_space(head), Dictionary.whole(head), unit_D)
    >>> one.takes([(1.0, 5442)], signed=False), one.parts()[0].token  # nothing is left
    (False, '▁sea')
    """

    def __init__(
        self,
        head: Unembedding,
        space: Space,
        dictionary: Dictionary,
        unit_D: NDArray[np.float64],
    ) -> None:
        self._head, self._space, self._dictionary = head, space, dictionary
        self.unit_D = self.left_D = unit_D
        self._count = head.rows.count
        self._units: dict[int, NDArray[np.float64]] = {}  # by place, as they were asked for
        self._places: list[int] = []  # ids of tokens, and after them what has a name
        self._weights: list[float] = []
        self._explained: list[float] = []

    def takes(self, near: Sequence[tuple[float, int]], *, signed: bool) -> bool:
        """Take the first that adds something and is no form of what is there; tell if more may.

        Parameters
        ----------
        near : sequence of (float, int)
            Cosines of rows with what is left, descending, and their ids.
        signed : bool
            Whether weights may be below 0.
        """
        for place in self._candidates(near, signed=signed):
            if self._is_there(place):
                continue
            weights_K, left_D = self.fitted([*self._places, place])
            if signed or weights_K.min() > 0:
                self.keep([*self._places, place], weights_K, left_D)
                return self._explained[-1] < 1 - _EXACT
        return False

    def keep(
        self, places: list[int], weights_K: NDArray[np.float64], left_D: NDArray[np.float64]
    ) -> None:
        """Make the sum one of some places, the last of which is new."""
        self._places, self._weights, self.left_D = places, weights_K.tolist(), left_D
        self._explained.append(1.0 - float(np.square(left_D).sum()))

    def fitted(self, places: list[int]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Give the weights of a sum by least squares, and what it leaves."""
        units_KD = self.units(places)
        found_K = np.linalg.lstsq(units_KD.T, self.unit_D, rcond=None)[0]
        weights_K = np.asarray(found_K, dtype=np.float64)
        return weights_K, self.unit_D - weights_K @ units_KD

    def units(self, places: Sequence[int]) -> NDArray[np.float64]:
        """Give the unit vectors of some places, shape (K, D)."""
        fresh_K = np.array([place for place in places if place not in self._units], dtype=np.int64)
        rows_K = fresh_K[fresh_K < self._count]
        units_KD = united(self._space.place(self._head.rows.decode(rows_K)))
        self._units.update(zip(rows_K.tolist(), units_KD, strict=True))
        for place in fresh_K[fresh_K >= self._count].tolist():
            self._units[place] = self._dictionary.units_MD[place - self._count]
        return np.array([self._units[place] for place in places])

    def parts(self) -> tuple[Part, ...]:
        """Give what is in it."""
        shares = zip(self._places, self._weights, self._explained, strict=True)
        return tuple(self._part(place, weight, share) for place, weight, share in shares)

    def _part(self, place: int, weight: float, share: float) -> Part:
        """Describe what stands at a place."""
        if place >= self._count:
            at = place - self._count
            name, kind = self._dictionary.names[at], self._dictionary.kinds[at]
            return Part(None, name, None, weight, share, kind)
        vocabulary = self._head.vocabulary
        return Part(place, vocabulary.token(place), vocabulary.text(place), weight, share)

    def _candidates(self, near: Sequence[tuple[float, int]], *, signed: bool) -> Iterator[int]:
        """Give rows and vectors with names together, by their cosines with what is left."""
        cosines_M = self._dictionary.units_MD @ self.left_D
        if signed:
            cosines_M = np.abs(cosines_M)
        named = [
            (cosine, self._count + at) for at, cosine in enumerate(cosines_M.tolist()) if cosine > 0
        ]
        ordered = sorted([*near, *named], key=lambda pair: (-pair[0], pair[1]))
        return (place for _, place in ordered)

    def _is_there(self, place: int) -> bool:
        """Tell whether it, or a form of it, is in the sum."""
        if place in self._places or place >= self._count:
            return place in self._places
        words = [self._word(each) for each in self._places if each < self._count]
        word = self._word(place)
        return bool(word) and any(same_word(word, other) for other in words if other)

    def _word(self, id_: int) -> str:
        """Give the word of a token; a fragment has none."""
        return word_of(self._head.vocabulary.text(id_) or "")
