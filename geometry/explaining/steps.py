"""What directions are, as one step each: the mean difference of their pairs."""

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...errors import UsageError
from ...indexes.progress import Progress, step_of
from ...indexes.rows import united
from ...indexes.store import Arrays
from ..concepts.compose import Composer
from ..concepts.direction import Directions
from ..concepts.pairs import EMOJI, FEWEST

# P pairs of all directions, M directions, width D.

_VERSION = 2  # of what is kept


@dataclass(frozen=True, eq=False)
class Units:
    """Directions as vectors.

    Attributes
    ----------
    names : tuple of str
        What they are called.
    units_MD : ndarray of float64
        Of norm 1.

    Examples
    --------
    >>> Units(("plural",), np.eye(1)).names
    ('plural',)
    """

    names: tuple[str, ...]
    units_MD: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Steps:
    """The steps of directions, which are taken again without some tokens.

    Attributes
    ----------
    names : tuple of str
        Of the directions that this head has tokens for.
    steps_PD : ndarray of float64
        What each pair adds, by its weight.
    owners_P : ndarray of int64
        The direction of each pair, a place in `names`.
    tokens_PT : ndarray of int64
        The tokens of each pair, padded with -1.
    sums_MD : ndarray of float64
        What all pairs of a direction add.

    Examples
    --------
    >>> import unembed
    >>> from unembed.geometry.concepts.compose import composer_of
    >>> steps = steps_of(composer_of(unembed.open_head("demo")))
    >>> units = steps.without([5455])  # horse
    >>> "plural" in units.names, units.units_MD.shape[1]
    (True, 640)
    """

    names: tuple[str, ...]
    steps_PD: NDArray[np.float64]
    owners_P: NDArray[np.int64]
    tokens_PT: NDArray[np.int64]
    sums_MD: NDArray[np.float64]

    def without(self, ids: Collection[int]) -> Units:
        """Give the directions and their steps, of norm 1, without the pairs that have some tokens.

        A direction of which fewer than 4 pairs are left, or whose steps cancel, is left out.
        """
        dropped_N = np.flatnonzero(np.isin(self.tokens_PT, list(ids)).any(axis=1))
        owners_N = self.owners_P[dropped_N]
        counts_M = np.bincount(self.owners_P, minlength=len(self.names))
        counts_M -= np.bincount(owners_N, minlength=len(self.names))
        sums_MD = self.sums_MD.copy()
        np.subtract.at(sums_MD, owners_N, self.steps_PD[dropped_N])
        kept = np.flatnonzero((counts_M >= FEWEST) & sums_MD.any(axis=1))
        return Units(tuple(self.names[at] for at in kept), united(sums_MD[kept]))


def steps_of(composer: Composer, *, progress: Progress | None = None) -> Steps:
    """Give the steps of all directions that an expression may name, kept on disk.

    Examples
    --------
    >>> import unembed
    >>> from unembed.geometry.concepts.compose import composer_of
    >>> steps_of(composer_of(unembed.open_head("demo"))).names[0]
    'emoji'
    """
    directions, head = composer.directions, composer.head
    # Of the emoji by their names in other languages the step is nearly the same.
    names = tuple(name for name in directions.names if not name.startswith(f"{EMOJI}_"))
    width = composer.space.width
    told = step_of(progress, "taking the steps of directions")

    def build() -> Arrays:
        pairs = []
        for at, name in enumerate(names):
            told(at, len(names))
            pairs += _pairs(directions, at, name)
        longest = max((len(ids) for _, _, ids in pairs), default=0)
        steps_PD = np.array([step_D for step_D, _, _ in pairs]).reshape(len(pairs), width)
        owners_P = np.array([owner for _, owner, _ in pairs], dtype=np.int64)
        sums_MD = np.zeros((len(names), width))
        np.add.at(sums_MD, owners_P, steps_PD)
        padded = [[*ids, *[-1] * (longest - len(ids))] for _, _, ids in pairs]
        return {
            "steps": steps_PD,
            "sums": sums_MD,
            "owners": owners_P,
            "tokens": np.array(padded, dtype=np.int64).reshape(len(pairs), longest),
        }

    def fits(kept: Arrays) -> bool:
        shapes = {name: array.shape for name, array in kept.items()}
        return (
            shapes.keys() == {"steps", "sums", "owners", "tokens"}
            and kept["steps"].dtype == kept["sums"].dtype == np.float64
            and shapes["steps"][1:] == (width,)
            and shapes["sums"] == (len(names), width)
            and kept["owners"].dtype == kept["tokens"].dtype == np.int64
            and shapes["owners"] == shapes["steps"][:1] == shapes["tokens"][:1]
            and len(shapes["tokens"]) == 2
            and bool(np.all((kept["owners"] >= 0) & (kept["owners"] < len(names))))
        )

    origins = [(name, directions.origin(name)) for name in names]
    kept = head.store.arrays(
        "steps", repr((_VERSION, composer.space.key, composer.pieces, origins)), build, fits
    )
    return Steps(names, kept["steps"], kept["owners"], kept["tokens"], kept["sums"])


def _pairs(
    directions: Directions, at: int, name: str
) -> list[tuple[NDArray[np.float64], int, list[int]]]:
    """Give what each pair of a direction adds, the direction's place and the pair's tokens.

    None of one that is learned from a region: it has no pairs.
    """
    if directions.pairs(name).learned_from is not None:
        return []
    try:
        sample = directions.sample(name)
    except UsageError:  # this head has tokens for too few of its pairs
        return []
    steps_ND = (sample.targets_ND - sample.bases_ND) * sample.weights_N[:, None]
    tokens = zip(sample.base_ids, sample.target_ids_N.tolist(), strict=True)
    return [
        (step_D, at, [*base, target])
        for step_D, (base, target) in zip(steps_ND, tokens, strict=True)
    ]
