"""A direction: what takes a concept to its emoji, its plural, its capital."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from ...errors import UsageError
from ...indexes.store import Arrays, fits
from ..heads.unembedding import Unembedding
from ..space import Space
from .estimators import ESTIMATORS, Fit
from .pairs import (
    EMOJI,
    FEWEST,
    Names,
    PairSet,
    built_in,
    find_pairs,
    library_version,
    own_estimator,
)
from .phrase import DEFAULT_PIECES
from .regional import ids_of
from .sample import Sample, sample_of, sample_of_region
from .saved import SavedDirection

# N pairs, vectors of width D; V tokens.

_VERSION = 2  # of what is kept


@dataclass(frozen=True, eq=False)
class Directions:
    """The directions that an expression may name, each learned when it is first asked for.

    Attributes
    ----------
    head : Unembedding
        Whose rows.
    space : Space
        Where they are learned.
    pieces : str
        How the names of pairs become vectors.
    estimator : str or None
        A key of `ESTIMATORS`; the direction's own where it is None.
    given : mapping of str to PairSet
        The user's own.
    saved : SavedDirection or None
        One that was learned before, here, and is in `given` too.

    Examples
    --------
    >>> import unembed
    >>> from unembed.geometry.space import open_space
    >>> head = unembed.open_head("demo")
    >>> "emoji" in Directions(head, open_space(head))
    True
    """

    head: Unembedding
    space: Space
    pieces: str = DEFAULT_PIECES
    estimator: str | None = None
    given: Mapping[str, PairSet] = field(default_factory=dict)
    saved: SavedDirection | None = None
    _fits: dict[str, Fit] = field(default_factory=dict, init=False, repr=False)

    def __post_init__(self) -> None:
        """Refuse an unknown estimator."""
        if self.estimator is not None and self.estimator not in ESTIMATORS:
            raise UsageError(
                f"unknown estimator {self.estimator!r}; they are {', '.join(ESTIMATORS)}"
            )

    def __contains__(self, name: object) -> bool:
        """Tell whether there is a direction of this name."""
        return name in Names(self.given)

    @property
    def names(self) -> tuple[str, ...]:
        """The names of all, the user's own first."""
        return tuple(Names(self.given))

    def pairs(self, name: str) -> PairSet:
        """Find what a direction is learned from."""
        return find_pairs(name, self.head.vocabulary, self.given)

    def estimator_of(self, name: str) -> str:
        """Give the estimator of a direction: the one that was asked for, else its own.

        Raises
        ------
        UsageError
            There is no such direction.
        """
        if self.saved is not None and name == self.saved.pairs.name:
            return self.saved.estimator
        return self.estimator or own_estimator(name, self.given)

    def sample(self, name: str) -> Sample:
        """Give the vectors of a direction's pairs.

        Raises
        ------
        UsageError
            There is no such direction, or this head has tokens for too few of its pairs.
        """
        pairs = self.pairs(name)
        if pairs.learned_from is not None:
            return sample_of_region(
                self.head, self.space, name, pairs.learned_from, self.estimator_of(name)
            )
        sample = sample_of(self.head, self.space, pairs, pieces=self.pieces)
        if len(sample.used) < FEWEST:
            first = sample.unused[0] if sample.unused else None
            all_of = f"the {len(pairs.pairs)} pairs" if pairs.pairs else "the pairs"
            raise UsageError(
                f"{self.head.source} has tokens for {len(sample.used)} of {all_of} of the "
                f"direction {name!r}; it takes at least {FEWEST}"
                + (f" (of {first.pair.base!r} {first.why})" if first else "")
            )
        return sample

    def fit(self, name: str) -> Fit:
        """Give the map of a direction, from the store where it was learned before.

        Raises
        ------
        UsageError
            As in `sample`.
        """
        if self.saved is not None and name == self.saved.pairs.name:
            return self.saved.fit
        if name not in self._fits:
            self._fits[name] = self._kept(name)
        return self._fits[name]

    def _kept(self, name: str) -> Fit:
        """Read a map from the store, which checks all of it, or learn it."""
        estimator, width = self.estimator_of(name), self.space.width
        shapes: dict[str, tuple[int, ...]] = {"base": (width,), "target": (width,), "gain": (1,)}
        if estimator in {"ridge", "procrustes"}:
            shapes["map"] = (width, width)

        def build() -> Arrays:
            found = self.sample(name).fit(estimator)
            arrays = {
                "base": found.base_D,
                "target": found.target_D,
                "gain": np.array([found.gain]),
            }
            if "map" in shapes:
                # Pairs that do not vary turn nothing.
                arrays["map"] = np.eye(width) if found.map_DD is None else found.map_DD
            return arrays

        key = (_VERSION, self.space.key, name, self.origin(name), estimator, self.pieces)
        label = "own" if name in self.given else name if name in built_in() else EMOJI
        kept = self.head.store.arrays(
            f"direction-{label}",
            repr(key),
            build,
            lambda kept: fits(kept, shapes),
        )
        return Fit(
            kept["base"], kept["target"], kept.get("map"), float(kept["gain"][0]), key=repr(key)
        )

    def learned(self, name: str) -> SavedDirection:
        """Give a direction as it is saved.

        Raises
        ------
        UsageError
            As in `sample`.
        """
        return SavedDirection(
            self.pairs(name), self.estimator_of(name), self.fit(name), pieces=self.pieces
        )

    def origin(self, name: str) -> str:
        """Tell what a direction is learned from apart from everything else."""
        pairs = self.given.get(name) or built_in().get(name)
        if pairs is None:
            return library_version()  # it names the emoji: no need to load it
        if pairs.learned_from is None:
            return pairs.digest
        ids_N = ids_of(self.head, pairs.learned_from)  # a region may be a file, which changes
        return hashlib.sha256(ids_N.tobytes()).hexdigest()
