"""A concept: a composed vector with its recipe, and its algebra."""

import math
from dataclasses import dataclass, replace
from numbers import Real

import numpy as np
from numpy.typing import NDArray

from ...errors import ExpressionError, UsageError
from ...indexes.rows import norm
from ..space import Space
from ..tokens.vocabulary import display
from .estimators import Fit
from .grammar import bracketed
from .phrase import Resolved

# Vectors of width D.

_ROUNDING = 1e-12  # a sum this much shorter than its terms is only their rounding
SMALLEST, LARGEST = 1e-100, 1e100  # of lengths: their squares stay within float64


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
    fit : Fit or None
        The direction that was applied last, to all of it; a factor above zero changes nothing.

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
    fit: Fit | None = None

    def __add__(self, other: "Concept") -> "Concept":
        """Add two concepts of one space."""
        return self._joined(other, "+", self.vector_D + self._of_same_space(other).vector_D)

    def __radd__(self, other: int) -> "Concept":
        """Be the first of a sum: `sum` starts with 0."""
        return self if other == 0 else NotImplemented

    def __sub__(self, other: "Concept") -> "Concept":
        """Subtract a concept of the same space."""
        return self._joined(other, "-", self.vector_D - self._of_same_space(other).vector_D)

    def __mul__(self, weight: float) -> "Concept":
        """Multiply by a number."""
        number = _number(weight)
        terms_norm = self.terms_norm * abs(number)
        if terms_norm > LARGEST:
            raise UsageError(f"{self!r} times {number} is longer than {LARGEST:g}")
        return Concept(
            f"{number}*{bracketed(self.expression)}",
            self.space,
            self.resolved,
            self.vector_D * number,
            terms_norm,
            fit=self.fit if number > 0 else None,
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
        vector_D = unit_vector(self.vector_D, self.terms_norm, self.expression, 1)
        return Concept(
            f"unit({self.expression})", self.space, self.resolved, vector_D, 1.0, fit=self.fit
        )

    def reaching(self, residual_norm: float) -> NDArray[np.float64]:
        """Give the vector at the length at which its residual has this norm, shape (D,).

        Raises
        ------
        ExpressionError
            The concept comes out at zero.
        """
        unit_D = self.unit().vector_D
        return unit_D * (residual_norm / float(norm(self.space.residual(unit_D))))

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


def unit_vector(
    vector_D: NDArray[np.float64], terms_norm: float, expression: str, column: int
) -> NDArray[np.float64]:
    """Make a unit vector; refuse one that is zero to the rounding of what was added up.

    Raises
    ------
    ExpressionError
        It is zero.

    Examples
    --------
    >>> unit_vector(np.array([3.0, 4.0]), 7.0, "a + b", 1)
    array([0.6, 0.8])
    """
    length = float(norm(vector_D))
    if length <= max(_ROUNDING * terms_norm, SMALLEST):
        raise ExpressionError(
            "it comes out at zero, which has no direction; change its names or weights",
            expression=expression,
            column=column,
        )
    return vector_D / length
