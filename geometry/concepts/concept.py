"""A concept: a composed vector with its recipe, and its algebra."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ...errors import ExpressionError, UsageError
from ...indexes.rows import norm
from ..heads.unembedding import Unembedding
from ..heads.vocabulary import display
from ..space import Space
from .grammar import Call, Name, Node, Sum, bracketed, parse, spelled
from .phrase import PIECES, Resolved, resolve

# Vectors of width D.

_ROUNDING = 1e-12  # a sum this much shorter than its terms is only their rounding
_SMALLEST, _LARGEST = 1e-100, 1e100  # of lengths: their squares stay within float64

Key = str | int | ArrayLike


@dataclass(frozen=True, eq=False, repr=False)
class Concept:
    """A vector composed in a space, and what it was composed of.

    Concepts of one space are added, subtracted, and multiplied and divided by numbers; `unit` gives
    one of norm 1. A concept is asked about by its direction alone.

    Attributes
    ----------
    expression : str
        As it was written.
    space : Space
        Where it was composed.
    resolved : tuple of Resolved
        Each name and its tokens.
    vector_D : ndarray of float64
        Shape (D,), in the space.
    terms_norm : float
        The sum of the norms of what was added up: a vector far below it is rounding only.
    residual_norm : float or None
        The norm of the residual that it came from, where it came from one.

    Examples
    --------
    >>> import unembed
    >>> head = unembed.open_head("demo")
    >>> head.concept("king") - head.concept("man") + 2 * head.concept("woman")
    Concept('king - man + 2.0*woman', Space('causal', 640 wide))
    """

    __array_ufunc__ = None  # an array times a concept is no array of concepts: numpy refuses

    expression: str
    space: Space
    resolved: tuple[Resolved, ...]
    vector_D: NDArray[np.float64]
    terms_norm: float
    residual_norm: float | None = None

    def __add__(self, other: "Concept") -> "Concept":
        """Add two concepts of one space."""
        return self._joined(other, "+", self.vector_D + self._of_same_space(other).vector_D)

    def __sub__(self, other: "Concept") -> "Concept":
        """Subtract a concept of the same space."""
        return self._joined(other, "-", self.vector_D - self._of_same_space(other).vector_D)

    def __mul__(self, weight: float) -> "Concept":
        """Multiply by a number."""
        number = _number(weight)
        terms_norm = self.terms_norm * abs(number)
        if terms_norm > _LARGEST:
            raise UsageError(f"{self!r} times {number} is longer than {_LARGEST:g}")
        return Concept(
            f"{number}*{bracketed(self.expression)}",
            self.space,
            self.resolved,
            self.vector_D * number,
            terms_norm,
        )

    __rmul__ = __mul__

    def __truediv__(self, divisor: float) -> "Concept":
        """Divide by a number other than zero."""
        number = _number(divisor)
        if number == 0:
            raise UsageError(f"{self!r} cannot be divided by {number}")
        sign = "-" if number < 0 else ""
        expression = f"{sign}{bracketed(self.expression)}/{abs(number)}"
        return replace(self * (1 / number), expression=expression)

    def __neg__(self) -> "Concept":
        """Turn the direction round."""
        return replace(self * -1.0, expression=f"-{bracketed(self.expression)}")

    def unit(self) -> "Concept":
        """Give the concept at norm 1.

        Raises
        ------
        ExpressionError
            It comes out at zero, which has no direction.
        """
        vector_D = _unit(self.vector_D, self.terms_norm, self.expression, 1)
        return Concept(f"unit({self.expression})", self.space, self.resolved, vector_D, 1.0)

    def residual(self) -> NDArray[np.float64]:
        """Give the residual of norm 1 that meets the concept, shape (D,).

        Raises
        ------
        ExpressionError
            The concept comes out at zero.
        """
        residual_D = self.space.residual(self.unit().vector_D)
        return residual_D / norm(residual_D)

    def _of_same_space(self, other: object) -> "Concept":
        """Refuse what is no concept, or one of another head or space."""
        if not isinstance(other, Concept):
            raise UsageError(f"{other!r} is no concept; make one of it with head.concept")
        if other.space.key != self.space.key:
            raise UsageError(f"{self!r} and {other!r} are of different spaces or heads")
        return other

    def _joined(self, other: "Concept", sign: str, vector_D: NDArray[np.float64]) -> "Concept":
        """Make a concept of two."""
        signed = other.expression.lstrip()[:1] in {"+", "-"}
        alone = sign == "+" and not signed
        right = other.expression if alone else bracketed(other.expression)
        return Concept(
            f"{self.expression} {sign} {right}",
            self.space,
            self.resolved + other.resolved,
            vector_D,
            self.terms_norm + other.terms_norm,
        )

    def __repr__(self) -> str:
        """Name the expression and the space."""
        return f"Concept({display(self.expression)!r}, {self.space!r})"


def _number(value: object) -> float:
    """Refuse what is no finite number."""
    if not isinstance(value, Real) or not math.isfinite(value):
        raise UsageError(f"{value!r} is no finite number; concepts are weighted by one")
    return float(value)


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


def similarity(one: Concept, other: Concept) -> float:
    """Give the cosine of the angle between two concepts of one space.

    Raises
    ------
    UsageError
        They are of different spaces or heads.
    ExpressionError
        A concept comes out at zero.

    Examples
    --------
    >>> import unembed
    >>> sea = unembed.open_head("demo").concept("sea")
    >>> round(similarity(sea, -2 * sea), 9)
    -1.0
    """
    cosine = float((one.unit().vector_D * one._of_same_space(other).unit().vector_D).sum())
    return min(max(cosine, -1.0), 1.0)


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
    try:
        residual_D = np.asarray(residual, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise UsageError(f"{expression} is no vector of numbers: {error}") from error
    width = len(space.gain_D)
    if residual_D.shape != (width,):
        raise UsageError(f"{expression} has shape {residual_D.shape}; the head's is ({width},)")
    if not np.isfinite(residual_D).all() or not residual_D.any():
        raise UsageError(f"{expression} holds NaN or infinity, or is zero")
    if not _SMALLEST <= np.abs(residual_D).max() <= _LARGEST:
        raise UsageError(
            f"{expression} has a value of {np.abs(residual_D).max():g}; the largest of a vector "
            f"lies between {_SMALLEST:g} and {_LARGEST:g}: scale it"
        )
    vector_D = space.meet(residual_D)
    length = float(norm(vector_D))
    return Concept(expression, space, (), vector_D, length, float(norm(residual_D)))


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
    return _unit(vector_D, float(norm(places_ND).sum()), expression, column)


def _walk(
    node: Node, vector_of: Callable[[Name], NDArray[np.float64]], expression: str
) -> tuple[NDArray[np.float64], float]:
    """Give the vector of a node and the sum of the norms of what was added up in it."""
    if isinstance(node, Name):
        vector_D = vector_of(node)
        return vector_D, float(norm(vector_D))
    if isinstance(node, Call) and node.function == "unit":
        vector_D, terms_norm = _walk(node.arguments[0], vector_of, expression)
        return _unit(vector_D, terms_norm, expression, node.column), 1.0
    if isinstance(node, Call):
        terms = tuple((1 / len(node.arguments), argument) for argument in node.arguments)
        return _walk(Sum(terms), vector_of, expression)
    walked = [(weight, *_walk(term, vector_of, expression)) for weight, term in node.terms]
    total_norm = sum(abs(weight) * terms_norm for weight, _, terms_norm in walked)
    if not total_norm <= _LARGEST:
        raise ExpressionError(
            f"its weights come to more than {_LARGEST:g}; make them smaller",
            expression=expression,
            column=1,
        )
    return np.sum([weight * vector_D for weight, vector_D, _ in walked], axis=0), total_norm


def _unit(
    vector_D: NDArray[np.float64], terms_norm: float, expression: str, column: int
) -> NDArray[np.float64]:
    """Make a unit vector; refuse one that is zero to rounding."""
    length = float(norm(vector_D))
    if length <= max(_ROUNDING * terms_norm, _SMALLEST):
        raise ExpressionError(
            "it comes out at zero, which has no direction; change its names",
            expression=expression,
            column=column,
        )
    return vector_D / length
