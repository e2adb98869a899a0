"""A concept: a composed vector with its recipe."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...errors import ExpressionError
from ...indexes.rows import norm
from ..heads.head import Head
from ..space import Space
from .grammar import parse
from .phrase import Resolved, resolve

# N terms, vectors of width D.

_ROUNDING = 1e-12  # a sum this much shorter than its terms is only their rounding


@dataclass(frozen=True, eq=False)
class Concept:
    """A vector composed of rows, and what it was composed of.

    Attributes
    ----------
    expression : str
        As it was written.
    space : Space
        Where it was composed.
    resolved : tuple of Resolved
        Each name and its token.
    vector_D : ndarray of float64
        Shape (D,), of norm 1: a concept is a direction, only true residuals have a scale.
    """

    expression: str
    space: Space
    resolved: tuple[Resolved, ...]
    vector_D: NDArray[np.float64]


def compose(head: Head, expression: str, *, space: Space) -> Concept:
    """Compose the vector of an expression: the weighted sum of its names' rows in the space.

    Raises
    ------
    ExpressionError
        The expression does not parse, a name is not one token, or the sum is zero.

    Examples
    --------
    >>> import unembed
    >>> from unembed.geometry.space import get_space
    >>> concept = compose(unembed.open_head("demo"), "sea + horse", space=get_space("cosine"))
    >>> [name.tokens for name in concept.resolved], concept.vector_D.shape
    ([('▁sea',), ('▁horse',)], (640,))
    """
    terms = parse(expression)
    resolved = tuple(resolve(term, head.vocabulary, expression=expression) for term in terms)
    rows_ND = head.rows.decode(np.array([name.token_ids[0] for name in resolved]))
    terms_ND = np.array([[term.weight] for term in terms]) * space.place(rows_ND)
    vector_D = terms_ND.sum(axis=0)
    if norm(vector_D) <= _ROUNDING * norm(terms_ND).sum():
        raise ExpressionError(
            "the sum comes out at zero, which has no direction; change its names",
            expression=expression,
            column=1,
        )
    return Concept(expression, space, resolved, vector_D / norm(vector_D))
