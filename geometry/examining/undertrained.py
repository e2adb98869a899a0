"""Which rows look like those of tokens that were never trained."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...indexes.progress import Progress
from ...indexes.rows import norm
from ..covariance import spectrum_of
from ..heads.unembedding import Unembedding
from ..tokens.kinds import KINDS, NEVER

# V tokens, rows of width D; U tokens that are known to be unused.

WAYS = "plain", "centred", "without_first"
_RECALL = 0.95  # of held-out unused tokens, which the threshold keeps
_DIGITS = 9  # of a distance
_FEWEST = 8  # tokens that are known to be unused


@dataclass(frozen=True)
class Judged:
    """How well a distance tells tokens that are known to be unused, held out.

    Attributes
    ----------
    way : str
        One of `WAYS`.
    average_precision : float
        Of the held-out half among all other known tokens, nearest first. What is not known to be
        unused counts as wrong, though it may be untrained too: the true precision is higher.
    threshold : float
        Below it lie 95% of the held-out half.
    below : int
        How many other tokens do: those that are suspected.

    Examples
    --------
    >>> Judged("centred", 0.9, 0.4, 120).way
    'centred'
    """

    way: str
    average_precision: float
    threshold: float
    below: int


@dataclass(frozen=True, eq=False)
class Undertrained:
    """How far every row is from those of tokens that are known to be unused.

    Attributes
    ----------
    unused_U : ndarray of int64
        The tokens that are known to be unused: those of the kind ``unused``, or where these are
        fewer than 8 the bytes that stand in no UTF-8.
    distances_VW : ndarray of float64
        1 less the cosine of a row with the mean of the unused ones, shape (V, 3), in each of
        `WAYS`: as rows are; less the mean row; less the mean row and what lies along the first
        principal component of all known rows; to nine digits.
    judged : tuple of Judged
        Each of these, learned from one half of the unused tokens and tried on the other.
    best : str
        The way of the highest average precision; the first of equal ones.
    suspected_V : ndarray of bool
        Whether a token that is not known to be unused lies below the threshold of the best way.

    Examples
    --------
    >>> import unembed
    >>> found = undertrained(unembed.open_head("demo"))
    >>> len(found.unused_U), found.best
    (6242, 'centred')
    """

    unused_U: NDArray[np.int64]
    distances_VW: NDArray[np.float64]
    judged: tuple[Judged, ...]
    best: str
    suspected_V: NDArray[np.bool_]


def undertrained(head: Unembedding, *, progress: Progress | None = None) -> Undertrained | None:
    """Measure how far rows are from those of tokens that are known to be unused.

    The indicators of Land and Bartolo 2024 (arXiv 2405.05417, section 3.2): untrained rows stay
    where they began, so they have a direction in common.

    Parameters
    ----------
    head : Unembedding
        Whose rows.
    progress : callable, optional
        Is told ``(step, done, total)``.

    Returns
    -------
    Undertrained or None
        None where fewer than 8 tokens are known to be unused.

    Examples
    --------
    >>> import unembed
    >>> found = undertrained(unembed.open_head("demo-bytes"))  # thirteen bytes are no UTF-8
    >>> len(found.unused_U)
    13
    """
    unused_U = known_unused(head)
    if len(unused_U) < _FEWEST:
        return None
    known_N = np.flatnonzero(head.vocabulary.known_V)
    found = spectrum_of(head, progress=progress)
    first_D = found.vectors_DD[:, -1]
    drawn_U = np.random.default_rng(0).permutation(unused_U)
    half, other = drawn_U[: len(drawn_U) // 2], drawn_U[len(drawn_U) // 2 :]
    centres = [
        [
            _seen(way, head.rows.decode(ids), found.mean_D, first_D).mean(axis=0)
            for ids in (half, unused_U)
        ]
        for way in WAYS
    ]
    learned_VW = np.empty((head.rows.count, len(WAYS)))
    distances_VW = np.empty_like(learned_VW)
    for places, block_ND in head.rows.blocks(np.arange(head.rows.count)):
        for at, way in enumerate(WAYS):
            seen_ND = _seen(way, block_ND, found.mean_D, first_D)
            for distances, centre_D in zip((learned_VW, distances_VW), centres[at], strict=True):
                distances[places, at] = _distances(seen_ND, centre_D)
    tried_N = np.setdiff1d(known_N, half)
    is_unused_N, is_known_V = np.isin(tried_N, other), np.isin(np.arange(head.rows.count), unused_U)
    judged = []
    for at, way in enumerate(WAYS):
        threshold = float(np.quantile(learned_VW[other, at], _RECALL))
        below = int((learned_VW[tried_N[~is_unused_N], at] <= threshold).sum())
        judged.append(
            Judged(way, _precision(learned_VW[tried_N, at], is_unused_N), threshold, below)
        )
    best = max(judged, key=lambda one: one.average_precision)
    suspected_V = head.vocabulary.known_V & ~is_known_V
    suspected_V &= learned_VW[:, WAYS.index(best.way)] <= best.threshold
    return Undertrained(unused_U, distances_VW, tuple(judged), best.way, suspected_V)


def known_unused(head: Unembedding) -> NDArray[np.int64]:
    """Give the tokens that no text of any training has, by what they are.

    Examples
    --------
    >>> import unembed
    >>> len(known_unused(unembed.open_head("demo")))
    6242
    """
    vocabulary = head.vocabulary
    unused_U = np.flatnonzero(vocabulary.kinds_V == KINDS.index("unused"))
    if len(unused_U) >= _FEWEST:
        return unused_U
    is_byte_V = vocabulary.kinds_V == KINDS.index("byte")
    return np.flatnonzero(is_byte_V & (vocabulary.lacks_V == NEVER))


def _seen(
    way: str,
    rows_ND: NDArray[np.float64],
    mean_D: NDArray[np.float64],
    first_D: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Give rows as a distance sees them."""
    if way == "plain":
        return rows_ND
    centred_ND = rows_ND - mean_D
    if way == "centred":
        return centred_ND
    return centred_ND - (centred_ND @ first_D)[:, None] * first_D


def _distances(rows_ND: NDArray[np.float64], centre_D: NDArray[np.float64]) -> NDArray[np.float64]:
    """Give 1 less the cosines of rows with a vector; 1 for a row that is zero."""
    lengths_N = norm(rows_ND) * float(norm(centre_D))
    products_N = (rows_ND * centre_D).sum(axis=1)
    cosines_N = np.zeros(len(rows_ND))
    np.divide(products_N, lengths_N, out=cosines_N, where=lengths_N > 0)
    return np.round(1.0 - cosines_N, _DIGITS)  # equal rows are at the same distance anywhere


def _precision(distances_N: NDArray[np.float64], is_unused_N: NDArray[np.bool_]) -> float:
    """Give the average precision of the nearest first."""
    from sklearn.metrics import average_precision_score

    return float(average_precision_score(is_unused_N, -distances_N))
