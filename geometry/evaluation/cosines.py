"""The cosines of some tokens with all rows: float32 with a bound for all, float64 for a few."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Self

import numpy as np
from numpy.typing import NDArray

from ...indexes.exact import Measure
from ...indexes.progress import Done
from ...indexes.rows import norm
from ..heads.unembedding import Unembedding
from ..space import Space

# W tokens that are composed, rows of width D in blocks of B; N pairs of a token and a row.

_BLOCK_VALUES = 1 << 22
_LARGEST_BLOCK = 4096  # rows: the cosines of a thousand tokens with them fit in 16 MiB
_SMALLEST_BLOCK = 512
_FLOAT32_UNIT = 2.0**-24
# What a few float32 operations on numbers up to 3 lose, and whatever is lost in float64.
_SLACK = 2e-6


@dataclass(frozen=True, eq=False)
class Block:
    """Cosines with a block of rows.

    Attributes
    ----------
    ids_B : ndarray of int64
        The rows, ascending.
    cosines_WB : ndarray of float32
        Of each token with each row.
    error_B : ndarray of float32
        What the cosines with a row may be off by, with room for the roundings of a few sums and
        products of them in float32.

    Examples
    --------
    >>> Block(np.array([5]), np.ones((1, 1), np.float32), np.zeros(1, np.float32)).ids_B
    array([5])
    """

    ids_B: NDArray[np.int64]
    cosines_WB: NDArray[np.float32]
    error_B: NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Cosines:
    """The cosines of W tokens with all known rows in a space.

    Attributes
    ----------
    head : Unembedding
        Whose rows.
    ids_W : ndarray of int64
        The tokens.
    norms_V : ndarray of float64
        Of every row in the space, above zero.
    measures : tuple of Measure
        What the cosine is, for each.

    Examples
    --------
    >>> import unembed
    >>> from unembed.geometry.space import open_space
    >>> head = unembed.open_head("demo")
    >>> cosines = Cosines.of(head, open_space(head, "cosine"), np.array([5442, 12991]))
    >>> cosines.exact(np.array([0, 1]), np.array([12991])).round(3)
    array([0.838, 1.   ])
    """

    head: Unembedding
    ids_W: NDArray[np.int64]
    norms_V: NDArray[np.float64]
    measures: tuple[Measure, ...]

    @classmethod
    def of(cls, head: Unembedding, space: Space, ids_W: NDArray[np.int64]) -> Self:
        """Take tokens of a head.

        Parameters
        ----------
        head : Unembedding
            Whose rows.
        space : Space
            Where the angles are taken.
        ids_W : ndarray of int64
            The tokens.
        """
        measures = [
            space.measure(place_D, cosine=True) for place_D in space.place(head.rows.decode(ids_W))
        ]
        # A token at the origin has the cosine 0 with every row.
        return cls(
            head,
            ids_W,
            space.norms_V,
            tuple(replace(each, divisor=each.divisor or 1.0, fit=None) for each in measures),
        )

    def exact(self, places_X: NDArray[np.int64], ids_X: NDArray[np.int64]) -> NDArray[np.float64]:
        """Give the exact cosines of pairs of a token and a row; one that comes again is free.

        Parameters
        ----------
        places_X : ndarray of int64
            Which of the W tokens.
        ids_X : ndarray of int64
            The rows; both are broadcast to one shape X.
        """
        count = self.head.rows.count
        pairs_X = places_X * count + ids_X
        pairs_N, found_X = np.unique(pairs_X, return_inverse=True)
        places_N, ids_N = np.divmod(pairs_N, count)
        cosines_N = np.empty(len(pairs_N))
        starts_W = np.searchsorted(places_N, np.arange(len(self.measures) + 1))
        for measure, start, stop in zip(self.measures, starts_W[:-1], starts_W[1:], strict=True):
            if start < stop:
                cosines_N[start:stop] = measure.scores(self.head.rows, ids_N[start:stop])
        cosines_X: NDArray[np.float64] = cosines_N[found_X.reshape(pairs_X.shape)]
        return cosines_X

    def blocks(self, *, done: Done | None = None) -> Iterator[Block]:
        """Give the cosines with all known rows, ascending, block by block.

        The product of a row of norm r with a vector of norm s in float32, both rounded before, is
        off by at most γ₍D+2₎ r s, with γₙ = nu/(1 - nu) and u = 2⁻²⁴ (Higham, *Accuracy and
        Stability of Numerical Algorithms*, 2nd ed., section 3.1); vector and row have one value
        more here, which adds the offset. Where this is 1 or more, the error is 1 and the cosine 0.

        Parameters
        ----------
        done : callable, optional
            Is told how many rows of how many are done.
        """
        rows = self.head.rows
        known_N = np.flatnonzero(self.head.vocabulary.known_V)
        queries_WE, scale = self._queries
        roundings = (rows.width + 4) * _FLOAT32_UNIT
        gamma = roundings / (1 - roundings)
        step = min(max(_BLOCK_VALUES // rows.width, _SMALLEST_BLOCK), _LARGEST_BLOCK)
        for start in range(0, len(known_N), step):
            ids_B = known_N[start : start + step]
            with np.errstate(over="ignore", invalid="ignore"):  # judged below
                rows_BE = np.column_stack([rows.decode(ids_B), np.ones(len(ids_B))])
                rows_BE *= (scale / self.norms_V[ids_B])[:, None]
                error_B = gamma * norm(rows_BE)
                vague_B = ~(error_B < 1)
                rows_BE[vague_B], error_B[vague_B] = 0.0, 1.0
            cosines_WB = queries_WE @ rows_BE.astype(np.float32).T
            yield Block(ids_B, cosines_WB, (error_B + _SLACK).astype(np.float32))
            if done is not None:
                done(min(start + step, len(known_N)), len(known_N))

    @cached_property
    def _queries(self) -> tuple[NDArray[np.float32], float]:
        """Queries over their divisors, with their offsets, and the scale that was taken off."""
        queries_WE = np.array(
            [np.append(each.query_D, each.offset) / each.divisor for each in self.measures]
        )
        scale = float(norm(queries_WE).max()) or 1.0
        return (queries_WE / scale).astype(np.float32), scale
