"""A region as an audit asks in it: where a concept lies once it is taken there, and how deep."""

import hashlib
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ...errors import UsageError
from ...indexes.progress import step_of
from ..concepts.compose import Composer
from ..concepts.estimators import Fit, category
from ..concepts.pairs import FEWEST
from ..hubness import hubness_of, mean_cosine, unit_rows
from ..region import Region, holds
from ..space import Space
from .composing import Composed

# N rows of a region, G of them guides; B concepts; vectors of width D.

_GUIDES = 4096  # of a large region are drawn


@dataclass(frozen=True, eq=False)
class Inside:
    """A region, the direction into it, and the depths of its own rows.

    Attributes
    ----------
    region : Region
        Its tokens.
    space : Space
        Where it lies.
    direction : str or None
        The name of what takes concepts there; None for the region's own category vector.
    fit : Fit
        What takes a concept to what stands for it in the region.
    guides_GD : ndarray of float32
        Rows of the region as unit vectors: all, or 4,096 drawn at equal distances.
    depths_G : ndarray of float64
        Ascending: how near each guide is to its ten nearest others.

    Examples
    --------
    >>> import unembed
    >>> from unembed.geometry.concepts.compose import composer_of
    >>> from unembed.geometry.region import find_region
    >>> head = unembed.open_head("demo")
    >>> composer = composer_of(head)
    >>> inside = open_inside(composer, find_region(head, "emoji"), direction="emoji")
    >>> names = [composer.expression(name).vector_D for name in ("sea + horse", "the")]
    >>> _, placed_BD = inside.carried(np.array(names))
    >>> deep, shallow = inside.membership(placed_BD)
    >>> bool(deep > 0.05 > shallow)
    True
    """

    region: Region
    space: Space
    direction: str | None
    fit: Fit
    guides_GD: NDArray[np.float32]
    depths_G: NDArray[np.float64]

    def carried(
        self, vectors_BD: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Take concepts into the region.

        Returns
        -------
        moved_BD : ndarray of float64
            By the direction as it is: what is searched with. A map of many pairs makes more of what
            is particular to a concept, which finds the right token more often.
        placed_BD : ndarray of float64
            Without that emphasis, so among the region's rows: what membership, snap and gap are
            measured from.
        """
        turned_BD = replace(self.fit, target_D=np.zeros(self.space.width), gain=1.0)(vectors_BD)
        gain = self.fit.gain
        return gain * turned_BD + self.fit.target_D, min(gain, 1.0) * turned_BD + self.fit.target_D

    def holds(self, concept: Composed) -> bool:
        """Tell whether a concept is a token of the region itself, and no name to be taken there."""
        if concept.name is None and concept.token_id is None:
            return False
        ids = concept.resolved[0].token_ids
        return len(ids) == 1 and holds(self.region.ids_N, ids[0])

    def membership(self, placed_BD: NDArray[np.float64]) -> NDArray[np.float64]:
        """Give the share of the region's own rows that lie no deeper in it, each held out.

        How deep a vector lies is the mean cosine with the ten rows of the region nearest to it; a
        row of the region is not counted to itself. So 0.05 is as deep as the row at the fifth
        percentile.

        Returns
        -------
        ndarray of float64
            Shape (B,), from 0 to 1.
        """
        depths_B = mean_cosine(placed_BD, self.guides_GD)
        return np.searchsorted(self.depths_G, depths_B, side="right") / len(self.depths_G)


def open_inside(composer: Composer, region: Region, *, direction: str | None) -> Inside:
    """Learn what an audit needs to know of a region.

    Parameters
    ----------
    composer : Composer
        Gives the direction.
    region : Region
        Where tokens are asked for.
    direction : str or None
        What takes concepts there; where it is None, the vector of the region as a category is added
        (Park et al. 2024, arXiv 2406.01506, theorem 8).

    Raises
    ------
    UsageError
        The region has too few tokens, or the direction cannot be learned.

    Examples
    --------
    >>> import unembed
    >>> from unembed.geometry.concepts.compose import composer_of
    >>> from unembed.geometry.region import find_region
    >>> head = unembed.open_head("demo-bytes")
    >>> open_inside(composer_of(head), find_region(head, "greek"), direction=None).fit.map_DD
    """
    head, space = composer.head, composer.space
    count = len(region.ids_N)
    if count < FEWEST:
        raise UsageError(
            f"{head.source} has {count} tokens in the region {region.name!r}; an audit takes at "
            f"least {FEWEST}: leave the region out, or take a larger one"
        )
    drawn = min(count, _GUIDES)
    ids_G = region.ids_N[np.arange(drawn) * count // drawn]
    guides_GD = unit_rows(space, head.rows, ids_G)
    if direction is not None:
        fit = composer.directions.fit(direction)
    else:
        targets_GD = space.named(space.place(head.rows.decode(ids_G)))
        learned = category(targets_GD, targets_GD, np.full(drawn, 1 / drawn))
        digest = hashlib.sha256(region.ids_N.tobytes()).hexdigest()
        fit = replace(learned, key=repr((space.key, "region", digest)))
    depths_G = hubness_of(space, head.rows, ids_G, guides_GD, words_M=ids_G, done=step_of(None, ""))
    return Inside(region, space, direction, fit, guides_GD, np.sort(depths_G))
