"""A direction: what takes a concept to its emoji, its plural, its capital."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...errors import ExpressionError, UsageError
from ...indexes.store import Arrays, fits
from ..heads.unembedding import Unembedding
from ..region import find_region
from ..space import Space
from ..tokens.vocabulary import Vocabulary
from .concept import unit_vector
from .estimators import ESTIMATORS, Fit
from .grammar import Name
from .pairs import (
    EMOJI,
    FEWEST,
    Names,
    Pair,
    PairSet,
    built_in,
    find_pairs,
    library_version,
    own_estimator,
)
from .phrase import DEFAULT_PIECES, resolve, vector_of
from .regional import ids_of
from .saved import SavedDirection

# N pairs, vectors of width D; V tokens.

_REGIONAL = ("category", "offset")  # the estimators that need no pairs
_LONGEST = 64  # tokens of a base
_DRAWN = 20_000  # tokens that stand for those outside a region
_VERSION = 2  # of what is kept


@dataclass(frozen=True)
class Unused:
    """A pair that a direction was not learned from, and why.

    Examples
    --------
    >>> Unused(Pair("sea", "seahorse"), "the target is 2 tokens")
    Unused(pair=Pair(base='sea', target='seahorse', target_id=None), why='the target is 2 tokens')
    """

    pair: Pair
    why: str


@dataclass(frozen=True, eq=False)
class Sample:
    """The vectors that a direction is learned from.

    Attributes
    ----------
    bases_ND, targets_ND : ndarray of float64
        Shape (N, D).
    weights_N : ndarray of float64
        They add up to 1; each target counts once, however many bases it has.
    base_ids : tuple of tuple of int
        The tokens of each base.
    target_ids_N : ndarray of int64
        The token of each target.
    used : tuple of Pair
        The pairs.
    unused : tuple of Unused
        The pairs that this head has no tokens for, or whose tokens teach nothing more.

    Examples
    --------
    >>> import unembed
    >>> from unembed.geometry.concepts.pairs import built_in
    >>> from unembed.geometry.space import open_space
    >>> head = unembed.open_head("demo")
    >>> sample_of(head, open_space(head), built_in()["plural"]).bases_ND.shape[1]
    640
    """

    bases_ND: NDArray[np.float64]
    targets_ND: NDArray[np.float64]
    weights_N: NDArray[np.float64]
    base_ids: tuple[tuple[int, ...], ...]
    target_ids_N: NDArray[np.int64]
    used: tuple[Pair, ...]
    unused: tuple[Unused, ...]

    def fit(self, estimator: str, chosen_N: NDArray[np.bool_] | None = None) -> Fit:
        """Learn from all pairs, or from those chosen."""
        if chosen_N is None:
            return ESTIMATORS[estimator](self.bases_ND, self.targets_ND, self.weights_N)
        weights_N = self.weights_N[chosen_N]
        return ESTIMATORS[estimator](
            self.bases_ND[chosen_N], self.targets_ND[chosen_N], weights_N / weights_N.sum()
        )


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
            return _sample_of_region(
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

        key = (_VERSION, self.space.key, name, self._origin(name), estimator, self.pieces)
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

    def _origin(self, name: str) -> str:
        """Tell what a direction is learned from apart from everything else."""
        pairs = self.given.get(name) or built_in().get(name)
        if pairs is None:
            return library_version()  # it names the emoji: no need to load it
        if pairs.learned_from is None:
            return pairs.digest
        ids_N = ids_of(self.head, pairs.learned_from)  # a region may be a file, which changes
        return hashlib.sha256(ids_N.tobytes()).hexdigest()


def sample_of(
    head: Unembedding, space: Space, pairs: PairSet, *, pieces: str = DEFAULT_PIECES
) -> Sample:
    """Give the vectors of pairs in a space, of those that this head has tokens for.

    A base may be a phrase; a target is one token. A pair without a step, one of the same tokens as
    a pair before it, and one that turns such a pair round are not used either.

    Examples
    --------
    >>> import unembed
    >>> from unembed.geometry.concepts.pairs import built_in
    >>> from unembed.geometry.space import open_space
    >>> head = unembed.open_head("demo-bytes")
    >>> found = sample_of(head, open_space(head), built_in()["plural"])
    >>> len(found.used) + len(found.unused) == len(built_in()["plural"].pairs)
    True
    """
    bases, used, unused = [], [], []
    taken: dict[tuple[tuple[int, ...], int], Pair] = {}  # by the tokens of base and target
    for pair in pairs.pairs:
        found = _vector(head, space, pair, pieces)
        why = found if isinstance(found, str) else _of_no_use(found[1], found[2], taken)
        if isinstance(found, str) or why is not None:
            unused.append(Unused(pair, str(why)))
            continue
        base_D, ids, target_id = found
        bases.append(base_D)
        taken[ids, target_id] = pair
        used.append(pair)
    base_ids = tuple(ids for ids, _ in taken)
    target_ids = [target_id for _, target_id in taken]
    target_ids_N = np.array(target_ids, dtype=np.int64)
    targets_ND = space.named(space.place(head.rows.decode(target_ids_N)))
    _, groups_N, counts = np.unique(target_ids_N, return_inverse=True, return_counts=True)
    weights_N = 1.0 / counts[groups_N]
    return Sample(
        np.array(bases).reshape(len(used), space.width),
        targets_ND,
        weights_N / max(weights_N.sum(), 1.0),
        base_ids,
        target_ids_N,
        tuple(used),
        tuple(unused),
    )


def _vector(
    head: Unembedding, space: Space, pair: Pair, pieces: str
) -> tuple[NDArray[np.float64], tuple[int, ...], int] | str:
    """Give a base's vector and tokens and the target's token, or why there are none."""
    vocabulary = head.vocabulary
    try:
        base = resolve(Name("phrase", pair.base, 1), vocabulary, expression="", pieces=pieces)
        target_id = _target(pair, vocabulary)
        if isinstance(target_id, str):
            return target_id
        if len(base.token_ids) > _LONGEST:
            return f"the base is {len(base.token_ids)} tokens, more than {_LONGEST}"
        vector_D, terms_norm = vector_of(head, space, base, pieces=pieces)
        unit_D = unit_vector(vector_D, terms_norm, pair.base, 1)  # refuses one that is zero
    except ExpressionError as error:
        return error.message
    return unit_D if space.kind.unit else vector_D, base.token_ids, target_id


def _target(pair: Pair, vocabulary: Vocabulary) -> int | str:
    """Give a target's token, or why there is none."""
    if pair.target_id is None:
        ids = resolve(Name("phrase", pair.target, 1), vocabulary, expression="").token_ids
        return ids[0] if len(ids) == 1 else f"the target {pair.target!r} is {len(ids)} tokens"
    if 0 <= pair.target_id < len(vocabulary) and vocabulary.known_V[pair.target_id]:
        return pair.target_id
    return f"there is no token #{pair.target_id}; the head has {len(vocabulary):,} rows"


def _of_no_use(
    ids: tuple[int, ...], target_id: int, taken: Mapping[tuple[tuple[int, ...], int], Pair]
) -> str | None:
    """Say why nothing more is learned from the tokens of a pair; None where something is."""
    if ids == (target_id,):
        return "its base and its target are the same token"
    if (ids, target_id) in taken:
        before = taken[ids, target_id]
        return f"its tokens are those of {before.base!r} and {before.target!r} before"
    if len(ids) == 1 and ((target_id,), ids[0]) in taken:
        before = taken[(target_id,), ids[0]]
        return f"it turns {before.base!r} and {before.target!r} round"
    return None


def _sample_of_region(
    head: Unembedding, space: Space, name: str, region: str | Path, estimator: str
) -> Sample:
    """Give the tokens of a region as targets, and tokens outside it as bases."""
    if estimator not in _REGIONAL:
        raise UsageError(
            f"the direction {name!r} is that of a region, which {estimator} cannot learn: it "
            f"takes pairs; use {' or '.join(_REGIONAL)}"
        )
    inside_N = ids_of(head, region)
    outside_N = np.setdiff1d(find_region(head).ids_N, inside_N, assume_unique=True)
    if min(len(inside_N), len(outside_N)) < FEWEST:
        raise UsageError(
            f"the region {str(region)!r} of {head.source} has {len(inside_N):,} tokens and leaves "
            f"{len(outside_N):,}; a direction takes at least {FEWEST} of each"
        )
    count = min(len(inside_N), _DRAWN)
    target_ids_N = inside_N[np.arange(count) * len(inside_N) // count]
    # As many bases as targets: their mean is what counts.
    base_ids_N = outside_N[np.arange(count) * len(outside_N) // count]
    targets_ND, bases_ND = (
        space.named(space.place(head.rows.decode(ids_N))) for ids_N in (target_ids_N, base_ids_N)
    )
    return Sample(
        bases_ND,
        targets_ND,
        np.full(count, 1 / count),
        tuple((int(id_),) for id_ in base_ids_N),
        target_ids_N,
        (),
        (),
    )
