"""Composing: an expression, weighted keys or a residual to a concept."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ...errors import ExpressionError, UsageError
from ...indexes.rows import norm
from ...indexes.vectors import as_vectors
from ..heads.unembedding import Unembedding
from ..space import Space
from .concept import LARGEST, SMALLEST, Concept, unit_vector
from .grammar import Call, Name, Node, Sum, parse, spelled
from .phrase import PIECES, Resolved, resolve

# Vectors of width D.

Key = str | int | ArrayLike


def compose(head: Unembedding, expression: str, *, space: Space, pieces: str = "mean") -> Concept:
    """Compose the vector of an expression in a space.

    In every space but ``logit`` each name's vector is made a unit vector before its weight; there
    it is the row as it is.

    Parameters
    ----------
    head : Unembedding
        Whose rows.
    expression : str
        As `parse` reads it.
    space : Space
        Where to compose.
    pieces : str
        What the pieces of a name that is not one token become: their ``mean`` or ``sum`` in the
        space, the ``first`` or the ``last``.

    Raises
    ------
    ExpressionError
        The expression does not parse, a name is unknown, or what is made a unit vector is zero.
    UsageError
        `pieces` is unknown.

    Examples
    --------
    >>> import unembed
    >>> from unembed.geometry.space import open_space
    >>> head = unembed.open_head("demo")
    >>> concept = compose(head, "sea + horse", space=open_space(head, "cosine"))
    >>> [name.tokens for name in concept.resolved], concept.vector_D.shape
    ([('▁sea',), ('▁horse',)], (640,))
    """
    _check_pieces(pieces)
    resolved: list[Resolved] = []

    def vector_of(name: Name) -> NDArray[np.float64]:
        found = resolve(name, head.vocabulary, pieces=pieces, expression=expression)
        resolved.append(found)
        return _named(head, space, found, pieces, expression, name.column)

    vector_D, terms_norm = _walk(parse(expression), vector_of, expression)
    return Concept(expression, space, tuple(resolved), vector_D, terms_norm)


def of_pairs(
    head: Unembedding, pairs: Sequence[tuple[Key, float]], *, space: Space, pieces: str = "mean"
) -> Concept:
    """Compose weighted keys, as gensim takes them: names, token ids, or vectors that meet rows.

    Parameters
    ----------
    head : Unembedding
        Whose rows.
    pairs : sequence of (str or int or array_like, float)
        A string is a name, not parsed; an `int` a token id; an array a residual, shape (D,).
    space : Space
        Where to compose.
    pieces : str
        As in `compose`.

    Raises
    ------
    UsageError
        A key or a weight is none, or a name is unknown.

    Examples
    --------
    >>> import unembed
    >>> from unembed.geometry.space import open_space
    >>> head = unembed.open_head("demo")
    >>> of_pairs(head, [("king", 1), ("man", -1)], space=open_space(head, "logit")).expression
    '1.0*king + (-1.0*man)'
    """
    _check_pieces(pieces)
    total: Concept | None = None
    for key, weight in map(_pair, pairs):
        term = _of_key(head, key, space, pieces) * weight
        total = term if total is None else total + term
    if total is None:
        raise UsageError("there are no pairs; give at least one (key, weight)")
    return total


def _pair(pair: object) -> tuple[Any, Any]:
    """Refuse what is no pair."""
    if not isinstance(pair, tuple | list) or len(pair) != 2:
        raise UsageError(f"{pair!r} is no pair of a key and a weight, as in ('king', 1)")
    return pair[0], pair[1]


def _of_key(head: Unembedding, key: Key, space: Space, pieces: str) -> Concept:
    """Make a concept of a name, a token id or a residual."""
    if isinstance(key, bool):
        raise UsageError(f"{key} is no key; a key is a name, a token id or a vector")
    if not isinstance(key, str | int | np.integer):
        term = of_residual(key, space=space, expression="vector")
        return replace(term.unit(), expression="vector") if space.kind.unit else term
    text = spelled(key) if isinstance(key, str) else f"#{key}"
    name = Name("phrase" if isinstance(key, str) else "id", str(key), 1)
    found = resolve(name, head.vocabulary, pieces=pieces, expression=text)
    vector_D = _named(head, space, found, pieces, text, 1)
    return Concept(text, space, (found,), vector_D, float(norm(vector_D)))


def of_residual(residual: ArrayLike, *, space: Space, expression: str) -> Concept:
    """Make a concept of a residual: what meets the rows, of the head's width.

    Parameters
    ----------
    residual : array_like
        Shape (D,): after the final norm, or, where the norm is folded into the rows, before its
        gain.
    space : Space
        Where to.
    expression : str
        What to call it.

    Raises
    ------
    UsageError
        It is of another width, holds NaN or infinity, or is zero.

    Examples
    --------
    >>> import unembed
    >>> from unembed.geometry.space import open_space
    >>> space = open_space(unembed.open_head("demo"), "logit")
    >>> of_residual(2 * np.ones(640), space=space, expression="ones").residual_norm
    50.59644256269407
    """
    residuals_ND = as_vectors(residual, width=space.width, what=expression)
    if np.ndim(residual) != 1:
        raise UsageError(f"{expression} is {len(residuals_ND)} vectors; ask with each of them")
    residual_D = residuals_ND[0]
    if not residual_D.any():
        raise UsageError(f"{expression} is zero, which has no direction")
    if not SMALLEST <= np.abs(residual_D).max() <= LARGEST:
        raise UsageError(
            f"{expression} has a value of {np.abs(residual_D).max():g}; the largest of a vector "
            f"lies between {SMALLEST:g} and {LARGEST:g}: scale it"
        )
    vector_D, seen_D = space.meet(residual_D), space.fold.seen(residual_D)
    length = float(norm(vector_D))
    return Concept(expression, space, (), vector_D, length, float(norm(seen_D)))


def _check_pieces(pieces: str) -> None:
    """Refuse an unknown way to join pieces."""
    if pieces not in PIECES:
        raise UsageError(f"unknown pieces {pieces!r}; they are {', '.join(PIECES)}")


def _named(
    head: Unembedding, space: Space, found: Resolved, pieces: str, expression: str, column: int
) -> NDArray[np.float64]:
    """Give the vector of a name: that of its pieces, a unit vector where the space says so."""
    places_ND = space.place(head.rows.decode(np.array(found.token_ids)))
    vector_D = PIECES[pieces](places_ND)
    if not space.kind.unit:
        return vector_D
    return unit_vector(vector_D, float(norm(places_ND).sum()), expression, column)


def _walk(
    node: Node, vector_of: Callable[[Name], NDArray[np.float64]], expression: str
) -> tuple[NDArray[np.float64], float]:
    """Give the vector of a node and the sum of the norms of what was added up in it."""
    if isinstance(node, Name):
        vector_D = vector_of(node)
        return vector_D, float(norm(vector_D))
    if isinstance(node, Call) and node.function == "unit":
        vector_D, terms_norm = _walk(node.arguments[0], vector_of, expression)
        return unit_vector(vector_D, terms_norm, expression, node.column), 1.0
    if isinstance(node, Call):
        terms = tuple((1 / len(node.arguments), argument) for argument in node.arguments)
        return _walk(Sum(terms), vector_of, expression)
    walked = [(weight, *_walk(term, vector_of, expression)) for weight, term in node.terms]
    total_norm = sum(abs(weight) * terms_norm for weight, _, terms_norm in walked)
    if not total_norm <= LARGEST:
        raise ExpressionError(
            f"its weights come to more than {LARGEST:g}; make them smaller",
            expression=expression,
            column=1,
        )
    return np.sum([weight * vector_D for weight, vector_D, _ in walked], axis=0), total_norm
