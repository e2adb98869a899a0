"""What sums explain of vectors that mean nothing."""

import hashlib
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from ...indexes.store import fits
from ..heads.unembedding import Unembedding
from ..space import Space
from .dictionary import Dictionary
from .pursuit import MOST, Part

# N vectors of width D; K parts.

_RANDOM, _SEED = 16, 1993  # vectors


def by_chance(
    head: Unembedding,
    space: Space,
    dictionary: Dictionary,
    method: str,
    sums: Callable[[NDArray[np.float64]], list[tuple[Part, ...]]],
) -> NDArray[np.float64]:
    """Give the share that sums of 1 to 16 parts explain of random vectors, kept on disk.

    Parameters
    ----------
    head : Unembedding
        Whose store.
    space : Space
        Where the vectors are normal in all directions: they are of no length, as shares are.
    dictionary : Dictionary
        What sums are made of.
    method : str
        How: tells it apart from other ways.
    sums : callable
        Writes vectors as sums of 16 parts at most.

    Returns
    -------
    ndarray of float64
        Shape (16,): the mean over 16 vectors, always the same. A sum that ends sooner keeps its
        share.

    Examples
    --------
    >>> import unembed
    >>> from unembed.geometry.explaining.pursuit import sparse_sums
    >>> from unembed.geometry.space import open_space
    >>> head = unembed.open_head("demo-bytes")
    >>> space, whole = open_space(head), Dictionary.whole(head)
    >>> chance_K = by_chance(
    ...     head, space, whole, "omp", lambda v: sparse_sums(head, space, v, 16, dictionary=whole)
    ... )
    >>> bool(chance_K[0] < 0.1 < chance_K[15] < 0.5)
    True
    """
    digest = hashlib.sha256(dictionary.ids_N.tobytes() + dictionary.units_MD.tobytes())

    def build() -> dict[str, NDArray[np.float64]]:
        vectors_ND = np.random.default_rng(_SEED).normal(size=(_RANDOM, space.width))
        shares_NK = np.zeros((_RANDOM, MOST))
        for shares_K, parts in zip(shares_NK, sums(vectors_ND), strict=True):
            shares_K[: len(parts)] = [part.explained for part in parts]
        return {"shares": np.maximum.accumulate(shares_NK, axis=1).mean(axis=0)}

    return head.store.arrays(
        "chance",
        repr((_RANDOM, _SEED, space.key, digest.hexdigest(), method)),
        build,
        lambda kept: fits(kept, {"shares": (MOST,)}),
    )["shares"]
