"""Which rows are nearly the same: groups of tokens that no residual tells apart by much."""

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import KDTree

from ...indexes.progress import Progress, step_of
from ...indexes.rows import norm
from ...indexes.store import Arrays, fits
from ..covariance import spectrum_of
from ..heads.unembedding import Unembedding

# V tokens, N of them, rows of width D; K coordinates.

NEAR = 0.05  # of the spread of rows
_SEARCHED, _COMPARED = 8, 32  # coordinates: by a tree, and of those that it finds
_LEAF = 32
_ROUNDING = 1.000001
_TOGETHER = 256  # rows whose neighbours are asked at once: those of a large group are many
_VERSION = 1  # of what is kept


def alike(head: Unembedding, *, progress: Progress | None = None) -> tuple[tuple[int, ...], ...]:
    """Gather the known tokens whose rows are nearly the same.

    Two rows are nearly the same where their distance is at most a twentieth of the spread of rows,
    the root of the mean squared distance of a row from the mean row. The logits of two tokens
    differ by no more than the distance of their rows times the residual's norm.

    Parameters
    ----------
    head : Unembedding
        Whose rows.
    progress : callable, optional
        Is told ``(step, done, total)``.

    Returns
    -------
    tuple of tuple of int
        Groups, the largest first, equal ones by their first token; each is a token and all those
        near it that are in no group before, the groups being made by ascending ids. So no two of a
        group are farther apart than a tenth of the spread.

    Examples
    --------
    >>> import unembed
    >>> head = unembed.open_head("demo-bytes")
    >>> [len(group) for group in alike(head)]  # bytes that were never trained
    [67]
    """
    count = head.rows.count

    def build() -> Arrays:
        leaders_V = np.full(count, -1, dtype=np.int64)
        for leader, ids in _groups(head, progress):
            leaders_V[ids] = leader
        return {"leaders": leaders_V}

    kept = head.store.arrays(
        "alike",
        repr((_VERSION, head.key, head.vocabulary.key)),
        build,
        lambda kept: _is_leaders(kept, count),
    )
    groups: dict[int, list[int]] = {}
    for id_ in np.flatnonzero(kept["leaders"] >= 0).tolist():
        groups.setdefault(int(kept["leaders"][id_]), []).append(id_)
    return tuple(sorted(map(tuple, groups.values()), key=lambda ids: (-len(ids), ids)))


def _groups(head: Unembedding, progress: Progress | None) -> list[tuple[int, NDArray[np.int64]]]:
    """Give the first token of each group, and all of them.

    Rows that are near are near in a few coordinates too, those along the first principal
    components: a tree of 8 finds who may be, 32 rule most of these out, and whole rows decide.
    """
    told = step_of(progress, "comparing rows")
    known_N = np.flatnonzero(head.vocabulary.known_V)
    found = spectrum_of(head, progress=progress)
    near = NEAR * float(np.sqrt(found.values_D.sum()))
    first_DK = found.vectors_DD[:, : -_COMPARED - 1 : -1]
    places_NK = np.empty((len(known_N), first_DK.shape[1]))
    for places, block_ND in head.rows.blocks(known_N):
        places_NK[places] = (block_ND - found.mean_D) @ first_DK
    tree = KDTree(places_NK[:, :_SEARCHED], leafsize=_LEAF)
    groups: list[tuple[int, NDArray[np.int64]]] = []
    is_free_N = np.ones(len(known_N), dtype=np.bool_)
    for start in range(0, len(known_N), _TOGETHER):
        told(start, len(known_N))
        asked_Q = start + np.flatnonzero(is_free_N[start : start + _TOGETHER])
        answers = tree.query_ball_point(
            places_NK[asked_Q, :_SEARCHED], near * _ROUNDING, workers=-1, return_sorted=True
        )
        for place, within in zip(asked_Q.tolist(), answers, strict=True):
            if len(within) < 2 or not is_free_N[place]:
                continue
            near_N = np.array(within, dtype=np.int64)
            near_N = near_N[is_free_N[near_N]]
            near_N = near_N[norm(places_NK[near_N] - places_NK[place]) <= near * _ROUNDING]
            if len(near_N) < 2:
                continue
            own_D = head.rows.decode(known_N[place : place + 1])[0]
            near_N = near_N[norm(head.rows.decode(known_N[near_N]) - own_D) <= near]
            if len(near_N) > 1:
                is_free_N[near_N] = False
                groups.append((int(known_N[place]), known_N[near_N]))
    told(len(known_N), len(known_N))
    return groups


def _is_leaders(kept: Arrays, count: int) -> bool:
    """Tell whether a kept entry can name the first token of each one's group."""
    if not fits(kept, {"leaders": (count,)}, np.int64):
        return False
    leaders_V = kept["leaders"]
    in_V = leaders_V >= 0
    if np.any(leaders_V < -1) or np.any(leaders_V > np.arange(count)):
        return False
    return bool(np.all(leaders_V[leaders_V[in_V]] == leaders_V[in_V]))
