"""Which geometry: how vectors are composed and what a score is."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..errors import UsageError
from ..indexes.rows import norm

# N vectors of width D.


@dataclass(frozen=True)
class Space:
    """A geometry on the rows of a head.

    Attributes
    ----------
    name : str
        ``logit``: rows as they are; a score is the product of a row with the concept's unit
        vector, in logits for a residual of norm 1, which is what the sampler sees. ``cosine``:
        unit rows; a score is the cosine of the angle between row and concept.
    cosine : bool
        Whether scores are cosines; then vectors are composed as unit vectors.

    Examples
    --------
    >>> SPACES["cosine"].place(np.array([[3.0, 4.0]]))
    array([[0.6, 0.8]])
    """

    name: str
    cosine: bool

    def place(self, rows_ND: NDArray[np.float64]) -> NDArray[np.float64]:
        """Give rows as they are composed in this space, shape (N, D); a zero row stays zero."""
        if not self.cosine:
            return rows_ND
        norms_N1 = norm(rows_ND)[:, None]
        return rows_ND / np.where(norms_N1 > 0, norms_N1, 1.0)


SPACES: Mapping[str, Space] = {
    space.name: space for space in (Space("logit", cosine=False), Space("cosine", cosine=True))
}


def get_space(name: str) -> Space:
    """Give a space by its name.

    Raises
    ------
    UsageError
        There is no such space.

    Examples
    --------
    >>> get_space("logit").cosine
    False
    """
    if name not in SPACES:
        raise UsageError(f"unknown space {name!r}; the spaces are {', '.join(SPACES)}")
    return SPACES[name]
