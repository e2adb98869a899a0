"""Pairs, or a region, to the vectors that a direction is learned from."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...errors import ExpressionError, UsageError
from ..heads.unembedding import Unembedding
from ..region import find_region
from ..space import Space
from ..tokens.vocabulary import Vocabulary
from .concept import SMALLEST, unit_vector
from .estimators import ESTIMATORS, Fit
from .grammar import Name
from .pairs import FEWEST, Pair, PairSet
from .phrase import DEFAULT_PIECES, Resolved, resolve, vectors_of
from .regional import ids_of

# N pairs, vectors of width D.

_REGIONAL = ("category", "offset")  # the estimators that need no pairs
_LONGEST = 64  # tokens of a base
_DRAWN = 20_000  # tokens that stand for those outside a region


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

    @property
    def firsts_Q(self) -> NDArray[np.intp]:
        """The place of the first pair of each target, by the targets' ids."""
        return np.unique(self.target_ids_N, return_index=True)[1]

    def fit(self, estimator: str, chosen_N: NDArray[np.bool_] | None = None) -> Fit:
        """Learn from all pairs, or from those chosen."""
        if chosen_N is None:
            return ESTIMATORS[estimator](self.bases_ND, self.targets_ND, self.weights_N)
        weights_N = self.weights_N[chosen_N]
        return ESTIMATORS[estimator](
            self.bases_ND[chosen_N], self.targets_ND[chosen_N], weights_N / weights_N.sum()
        )

    def without(self, target_ids: Collection[int]) -> "Sample":
        """Leave out all pairs of some targets."""
        kept_N = ~np.isin(self.target_ids_N, list(target_ids))
        places = np.flatnonzero(kept_N).tolist()
        weights_N = self.weights_N[kept_N]
        return Sample(
            self.bases_ND[kept_N],
            self.targets_ND[kept_N],
            weights_N / max(float(weights_N.sum()), SMALLEST),
            tuple(self.base_ids[place] for place in places),
            self.target_ids_N[kept_N],
            tuple(self.used[place] for place in places),
            self.unused,
        )


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
    resolved = [_resolved(head.vocabulary, pair, pieces) for pair in pairs.pairs]
    known = [found[0] for found in resolved if not isinstance(found, str)]
    vectors = iter(vectors_of(head, space, known, pieces=pieces) if known else ())
    bases, used, unused = [], [], []
    taken: dict[tuple[tuple[int, ...], int], Pair] = {}  # by the tokens of base and target
    for pair, found in zip(pairs.pairs, resolved, strict=True):
        if isinstance(found, str):
            unused.append(Unused(pair, found))
            continue
        base, target_id = found
        base_D = _base(space, pair, *next(vectors))
        if isinstance(base_D, str):
            unused.append(Unused(pair, base_D))
            continue
        why = _of_no_use(base.token_ids, target_id, taken)
        if why is not None:
            unused.append(Unused(pair, why))
            continue
        bases.append(base_D)
        taken[base.token_ids, target_id] = pair
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


def _resolved(vocabulary: Vocabulary, pair: Pair, pieces: str) -> tuple[Resolved, int] | str:
    """Find a base's tokens and the target's, or say why there are none."""
    try:
        base = resolve(Name("phrase", pair.base, 1), vocabulary, expression="", pieces=pieces)
        target_id = _target(pair, vocabulary)
    except ExpressionError as error:
        return error.message
    if isinstance(target_id, str):
        return target_id
    if len(base.token_ids) > _LONGEST:
        return f"the base is {len(base.token_ids)} tokens, more than {_LONGEST}"
    return base, target_id


def _base(
    space: Space, pair: Pair, vector_D: NDArray[np.float64], terms_norm: float
) -> NDArray[np.float64] | str:
    """Give a base's vector as names are composed; say so where it is zero."""
    try:
        unit_D = unit_vector(vector_D, terms_norm, pair.base, 1)
    except ExpressionError as error:
        return error.message
    return unit_D if space.kind.unit else vector_D


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


def sample_of_region(
    head: Unembedding, space: Space, name: str, region: str | Path, estimator: str
) -> Sample:
    """Give the tokens of a region as targets, and tokens outside it as bases.

    Raises
    ------
    UsageError
        The estimator takes pairs, or the region or what is outside it has too few tokens.

    Examples
    --------
    >>> import unembed
    >>> from unembed.geometry.space import open_space
    >>> head = unembed.open_head("demo")
    >>> found = sample_of_region(head, open_space(head), "letters", "greek", "offset")
    >>> len(found.bases_ND) == len(found.targets_ND)
    True
    """
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
