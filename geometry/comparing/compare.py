"""The question: what is another in a second head."""

import logging
from typing import TypedDict

import numpy as np
from numpy.typing import NDArray

from ...errors import UsageError
from ...indexes.progress import Progress, step_of
from ..explaining.belonging import belonging_of
from ..heads.unembedding import Unembedding
from ..region import RegionLike, find_region
from ..space import DEFAULT_SPACE, open_space
from ..tokens.kinds import KINDS
from ..tokens.vocabulary import Vocabulary
from .alignment import align
from .comparison import Comparison, Moved
from .matching import Matched, match
from .moves import Moves, moves, region_moves
from .overlap import Overlap, overlap

# N tokens that both have, S of them looked at.

_SAMPLED = 1000  # tokens whose neighbourhoods stand for all
_SHOWN = 3  # of the nearest
_LARGEST = 1000  # of `top`
_log = logging.getLogger("unembed")


class CompareOptions(TypedDict, total=False):
    """What can be asked of a comparison.

    Attributes
    ----------
    region : str, sequence of int or None
        Where to look for the tokens that moved most, a region of the first head as `find_region`
        takes it; None for all.
    top : int
        How many of them, 10 by default.
    space : str
        Where nearest tokens are found, as `open_space` takes it.
    progress : callable or None
        Is told ``(step, done, total)``.

    Examples
    --------
    >>> import unembed
    >>> options: CompareOptions = {"top": 2, "space": "cosine"}
    >>> head = unembed.open_head("demo-bytes")
    >>> len(head.compare(head, **options).moved)
    2
    """

    region: RegionLike
    top: int
    space: str
    progress: Progress | None


def compare(
    head: Unembedding,
    other: Unembedding,
    *,
    region: RegionLike = None,
    top: int = 10,
    space: str = DEFAULT_SPACE,
    progress: Progress | None = None,
) -> Comparison:
    """Say how alike two heads are, and which tokens and regions have moved most between them.

    Tokens are matched by the bytes that they write. The second head is turned onto the first by
    orthogonal Procrustes over all of them, whatever the widths; a token has moved as far as its
    rows then lie apart, beside what is expected of rows so long.

    Parameters
    ----------
    head, other : Unembedding
        The two.
    region, top, space, progress
        As in `CompareOptions`.

    Raises
    ------
    UsageError
        An option is wrong, or the two have fewer than two tokens in common.

    Examples
    --------
    >>> import unembed
    >>> found = compare(unembed.open_head("demo"), unembed.open_head("demo-bytes"), top=1)
    >>> found.widths, len(found.matched.ids_N) > 20_000, found.shared > 0.05
    ((640, 512), True, True)
    """
    if not 1 <= top <= _LARGEST:
        raise UsageError(f"top is {top:,}; it must be 1 to {_LARGEST:,}")
    if not isinstance(other, Unembedding):
        raise UsageError(f"a head is compared with a head, not with {other!r}: open_head gives one")
    searched = find_region(head, region)
    matched = match(head.vocabulary, other.vocabulary)
    count = len(matched.ids_N)
    if count < 2:
        raise UsageError(
            f"{head.source} and {other.source} have {count} tokens in common, by what they write; "
            "it takes two"
        )
    widest = max(head.rows.width, other.rows.width)
    if count <= widest:
        _log.warning(
            "%s and %s have only %s tokens in common, and rows of %s values: so few can always be "
            "turned onto each other",
            head.source,
            other.source,
            f"{count:,}",
            f"{widest:,}",
        )
    opened = tuple(open_space(each, space, progress=progress) for each in (head, other))
    alignment = align(
        head.rows,
        other.rows,
        matched,
        done=step_of(progress, "turning one head onto the other"),
    )
    moved = moves(
        head.rows, other.rows, matched, alignment, done=step_of(progress, "measuring tokens")
    )
    order_N = moved.order()
    most_S = order_N[np.isin(matched.ids_N[order_N], searched.ids_N)][:top]
    drawn_S = np.random.default_rng(0).permutation(count)[:_SAMPLED]
    found = overlap(
        (head, other),
        (opened[0], opened[1]),
        matched,
        np.concatenate([most_S, drawn_S]),
        progress=progress,
    )
    return Comparison(
        source=head.source,
        other=other.source,
        space=opened[0].name,
        widths=(head.rows.width, other.rows.width),
        tokens=(int(head.vocabulary.known_V.sum()), int(other.vocabulary.known_V.sum())),
        matched=matched,
        alignment=alignment,
        moves=moved,
        region=searched.name,
        moved=_described(head.vocabulary, matched, moved, found, most_S),
        regions=region_moves(moved, _members(head, matched.ids_N)),
        sampled=len(drawn_S),
        shared=float(found.shared_S[len(most_S) :].mean()),
        biased=float(found.biased_S[len(most_S) :].mean()),
        vocabulary=head.vocabulary,
    )


def _described(
    vocabulary: Vocabulary,
    matched: Matched,
    moved: Moves,
    found: Overlap,
    places_S: NDArray[np.int64],
) -> tuple[Moved, ...]:
    """Describe the tokens that moved most."""

    def form(place: int) -> str:
        id_ = int(matched.ids_N[place])
        return vocabulary.text(id_) or vocabulary.token(id_)

    return tuple(
        Moved(
            id=int(matched.ids_N[place]),
            other_id=int(matched.others_N[place]),
            token=vocabulary.token(int(matched.ids_N[place])),
            text=vocabulary.text(int(matched.ids_N[place])),
            cosine=None if moved.cosines_N is None else float(moved.cosines_N[place]),
            aligned=float(moved.aligned_N[place]),
            ratio=None if np.isnan(moved.ratios_N[place]) else float(moved.ratios_N[place]),
            moved=float(moved.moved_N[place]),
            deviations=float(moved.deviations_N[place]),
            shared=float(found.shared_S[at]),
            biased=float(found.biased_S[at]),
            near=tuple(map(form, found.near_SK[at, :_SHOWN].tolist())),
            other_near=tuple(map(form, found.others_SK[at, :_SHOWN].tolist())),
        )
        for at, place in enumerate(places_S.tolist())
    )


def _members(head: Unembedding, ids_N: NDArray[np.int64]) -> dict[str, NDArray[np.bool_]]:
    """Give the tokens of the regions and of the kinds, as places."""
    belonging, kinds_N = belonging_of(head), head.vocabulary.kinds_V[ids_N]
    members = {kind: kinds_N == code for code, kind in enumerate(KINDS)}
    return members | {name: belonging.inside(name, ids_N) for name in belonging.names}
