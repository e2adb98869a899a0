"""Many concepts at once: the nearest tokens of each, and what the head makes of it."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ...indexes.batch import Asked, nearest_by_each
from ...indexes.exact import Measure
from ...indexes.progress import step_of
from ...indexes.rows import half_angles, norm
from ..answer import Snap
from ..heads.unembedding import Unembedding
from ..hubness import NEAREST
from ..sampler import energies, log_totals
from ..space import Space
from .finding import NearToken

# B concepts; V tokens; K nearest; N rows; vectors of width D.


@dataclass(frozen=True, eq=False)
class Searching:
    """Searches for a batch of concepts with one product of each with the rows.

    Attributes
    ----------
    head : Unembedding
        Where to look.
    space : Space
        What is near.
    region_N : ndarray of int64 or None
        The tokens among which the nearest are looked for, ascending; None for all.
    cosine : bool
        Whether the score is a cosine, or the product with the unit vector.
    hubness_V : ndarray of float64 or None
        What makes it CSLS: r(y) in the places of all rows.
    top : int
        How many are nearest.
    residual_norm : float or None
        Of what stands for a concept; None for 1 and no probabilities.
    device : str
        What multiplies: ``cpu`` or ``cuda``.

    Examples
    --------
    >>> import unembed
    >>> from unembed.geometry.space import open_space
    >>> head = unembed.open_head("demo")
    >>> search = Searching(head, open_space(head), None, True, None, 1, None, "cpu")
    >>> sea_1D = head.concept("sea").vector_D[None]
    >>> (nearest,), (snap,) = search(sea_1D, sea_1D, [{5442}])
    >>> nearest[0].text, snap.text
    (' Sea', ' sea')
    """

    head: Unembedding
    space: Space
    region_N: NDArray[np.int64] | None
    cosine: bool
    hubness_V: NDArray[np.float64] | None
    top: int
    residual_norm: float | None
    device: str

    def __call__(
        self,
        moved_BD: NDArray[np.float64],
        placed_BD: NDArray[np.float64],
        inputs: Sequence[Collection[int]],
    ) -> tuple[list[tuple[NearToken, ...]], list[Snap]]:
        """Search with the first vectors, and see what the head makes of the second.

        Parameters
        ----------
        moved_BD, placed_BD : ndarray of float64
            The first is not looked at where there is no region: then one product of each concept
            with the rows serves its scores and its logits.
        inputs : sequence of collections of int
            The tokens that are left out of the nearest of each.
        """
        if not len(placed_BD):
            return [], []
        head, length = self.head, self.residual_norm or 1.0
        placed = self.space.measures(placed_BD, residual_norm=length, cosine=self.cosine)
        logits = [self.space.logits(measure) for measure in placed]
        known_N = None if head.vocabulary.known_V.all() else np.flatnonzero(head.vocabulary.known_V)
        left_out = [self._in_region(ids) for ids in inputs]
        spare = max(map(len, left_out))
        if self.region_N is None:
            asked = [Asked(placed, self.top + spare), Asked(logits, 1)]
            near, snapped = self._found(asked, known_N)
        else:
            moved = self.space.measures(moved_BD, residual_norm=length, cosine=self.cosine)
            near = self._near_in_region(moved, left_out, spare)
            (snapped,) = self._found([Asked(logits, 1)], known_N)
        nearest = [
            self._described(scores_K, ids_K, ids)
            for scores_K, ids_K, ids in zip(*near, left_out, strict=True)
        ]
        lengths_B = np.array([measure.divisor for measure in placed])
        return nearest, self._snaps(placed_BD, lengths_B, logits, *snapped)

    def _in_region(self, ids: Collection[int]) -> Collection[int]:
        """Give those of some tokens that are searched."""
        return ids if self._region is None else self._region.intersection(ids)

    @cached_property
    def _region(self) -> frozenset[int] | None:
        """The tokens of the region."""
        return None if self.region_N is None else frozenset(self.region_N.tolist())

    def _near_in_region(
        self, measures: Sequence[Measure], left_out: Sequence[Collection[int]], spare: int
    ) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """Search the region; r(x) of CSLS is the mean cosine with the ten nearest there."""
        if self.hubness_V is None:
            return self._found([Asked(measures, self.top + spare)], self.region_N)[0]
        less_hubs = [replace(measure, hubness_V=self.hubness_V) for measure in measures]
        asked = [Asked(less_hubs, self.top + spare), Asked(measures, NEAREST + spare)]
        (scores_BK, ids_BK), (cosines_BK, near_BK) = self._found(asked, self.region_N)
        kept_BK = np.ones(near_BK.shape, dtype=bool)
        for place, ids in enumerate(left_out):
            if ids:
                kept_BK[place] = ~np.isin(near_BK[place], list(ids))
        kept_BK &= np.cumsum(kept_BK, axis=1) <= NEAREST
        own_B = np.where(kept_BK, cosines_BK, 0.0).sum(axis=1) / np.maximum(kept_BK.sum(axis=1), 1)
        return scores_BK - own_B[:, None], ids_BK

    def _found(
        self, asked: Sequence[Asked], among_N: NDArray[np.int64] | None
    ) -> list[tuple[NDArray[np.float64], NDArray[np.int64]]]:
        """Search by some measures of the same queries."""
        return nearest_by_each(
            self.head.rows,
            asked,
            lengths_V=self.head.norms_V,
            among_N=among_N,
            device=self.device,
            done=step_of(None, ""),
        )

    def _described(
        self, scores_K: NDArray[np.float64], ids_K: NDArray[np.int64], left_out: Collection[int]
    ) -> tuple[NearToken, ...]:
        """Say of the nearest tokens what is to be said."""
        vocabulary = self.head.vocabulary
        kept = [
            (id_, score)
            for id_, score in zip(ids_K.tolist(), scores_K.tolist(), strict=True)
            if id_ not in left_out
        ]
        return tuple(
            NearToken(id_, vocabulary.token(id_), vocabulary.text(id_), score)
            for id_, score in kept[: self.top]
        )

    def _snaps(
        self,
        placed_BD: NDArray[np.float64],
        lengths_B: NDArray[np.float64],
        logits: Sequence[Measure],
        logits_B1: NDArray[np.float64],
        ids_B1: NDArray[np.int64],
    ) -> list[Snap]:
        """Say what the head makes of concepts of some lengths, and what is lost (see `Snap`)."""
        vocabulary, ids_B = self.head.vocabulary, ids_B1[:, 0]
        ids_N, which_B = np.unique(ids_B, return_inverse=True)
        rows_ND = self.space.place(self.head.rows.decode(ids_N))
        halves_B = half_angles(placed_BD, rows_ND[which_B])
        gaps_B = 2 * lengths_B * norm(rows_ND)[which_B] * np.sin(halves_B) ** 2
        found = zip(
            ids_B.tolist(),
            logits_B1[:, 0].tolist(),
            self._probabilities(logits, logits_B1[:, 0]),
            gaps_B.tolist(),
            np.degrees(2 * halves_B).tolist(),
            strict=True,
        )
        return [
            Snap(id_, vocabulary.token(id_), vocabulary.text(id_), logit, probability, gap, angle)
            for id_, logit, probability, gap, angle in found
        ]

    def _probabilities(
        self, logits: Sequence[Measure], logits_B: NDArray[np.float64]
    ) -> Sequence[float | None]:
        """Give the probability of each snap, where residuals have a norm."""
        if self.residual_norm is None:
            return [None] * len(logits)
        totals_B = log_totals(self.head, logits, temperature=1.0)
        energies_B = energies(self.head, logits_B, temperature=1.0)
        chances_B: list[float] = np.exp(np.minimum(energies_B - totals_B, 0.0)).tolist()
        return chances_B
