"""What sums are made of: rows of tokens, and vectors that have names."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..heads.unembedding import Unembedding

# Rows of width D, N of tokens; M vectors with names.


@dataclass(frozen=True, eq=False)
class Dictionary:
    """What sums are made of.

    Attributes
    ----------
    ids_N : ndarray of int64
        The tokens whose rows may enter, ascending.
    names : tuple of str
        What the vectors beside them are called.
    kinds : tuple of str
        What each is: ``direction`` or ``region``.
    units_MD : ndarray of float64
        These vectors in the space, of norm 1.

    Examples
    --------
    >>> import unembed
    >>> len(Dictionary.whole(unembed.open_head("demo")).ids_N)
    262144
    """

    ids_N: NDArray[np.int64]
    names: tuple[str, ...]
    kinds: tuple[str, ...]
    units_MD: NDArray[np.float64]

    @classmethod
    def whole(cls, head: Unembedding) -> "Dictionary":
        """Give all known tokens, and nothing beside them."""
        ids_N = np.flatnonzero(head.vocabulary.known_V)
        return cls(ids_N, (), (), np.empty((0, head.rows.width)))
