"""Records to vectors: what each concept is composed of."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...errors import ExpressionError
from ..concepts.checks import FUNCTIONS
from ..concepts.compose import Composer
from ..concepts.concept import unit_vector
from ..concepts.grammar import Name, parse
from ..concepts.pairs import Names
from ..concepts.phrase import Resolved, resolve, vectors_of
from .record import Record

# Vectors of width D; T terms.

_PLAIN = re.compile(r"[^\W\d_][^\W_]*(?:['’\- ][^\W_]+)*")  # words alone: no sign of an expression
_SIGNS = re.compile(r"(?:^|\s)[+\-*/](?:\s|$)")  # between spaces, where no phrase has them


@dataclass(frozen=True, eq=False)
class Composed:
    """A concept as it is asked for.

    Attributes
    ----------
    resolved : tuple of Resolved
        Its names and their tokens.
    vector_D : ndarray of float64
        Shape (D,): of norm 1 where the space composes unit vectors.
    terms_TD : ndarray of float64
        What a sum adds up, its negative terms left out; none of what is no sum of several.
    is_name : bool
        Whether it is a word or a phrase, and no expression.
    is_directed : bool
        Whether the expression applies a direction itself.

    Examples
    --------
    >>> import unembed
    >>> from unembed.geometry.concepts.compose import composer_of
    >>> (found,) = compose_each(composer_of(unembed.open_head("demo")), [Record("sea + horse")])
    >>> [name.text for name in found.resolved], len(found.terms_TD), found.is_directed
    (['sea', 'horse'], 2, False)
    """

    resolved: tuple[Resolved, ...]
    vector_D: NDArray[np.float64]
    terms_TD: NDArray[np.float64]
    is_name: bool
    is_directed: bool = False

    @property
    def token_ids(self) -> set[int]:
        """The tokens of all its names."""
        return {id_ for name in self.resolved for id_ in name.token_ids}


def compose_each(composer: Composer, records: Sequence[Record]) -> list[Composed | str]:
    """Compose the concepts of records; give in the place of one that is wrong what is wrong.

    A concept is an expression where it parses as one or has its signs, else a word or a phrase.

    Examples
    --------
    >>> import unembed
    >>> from unembed.geometry.concepts.compose import composer_of
    >>> composer = composer_of(unembed.open_head("demo"))
    >>> compose_each(composer, [Record("sea +")])[0].split(";")[0]
    'the end cannot stand here'
    """
    names: list[Name | str | None] = [_name(composer, record) for record in records]
    resolved: list[Resolved | str | None] = [
        _resolved(composer, name) if isinstance(name, Name) else name for name in names
    ]
    known = [found for found in resolved if isinstance(found, Resolved)]
    vectors = iter(
        vectors_of(composer.head, composer.space, known, pieces=composer.pieces) if known else ()
    )
    composed: list[Composed | str] = []
    for record, found in zip(records, resolved, strict=True):
        if isinstance(found, str):
            composed.append(found)
        elif found is None:
            composed.append(_expression(composer, record.concept))
        else:
            composed.append(_named(composer, found, *next(vectors)))
    return composed


def _name(composer: Composer, record: Record) -> Name | str | None:
    """Give the name that a concept is; None for an expression, or what is wrong with one."""
    text = record.concept
    phrase = Name("phrase", text, 1)
    if record.is_phrase or _PLAIN.fullmatch(text):
        return phrase
    try:
        node = parse(text, directions=Names(composer.directions.given))
    except ExpressionError as error:
        return error.message if _is_meant(composer, text) else phrase
    return node if isinstance(node, Name) else None


def _is_meant(composer: Composer, text: str) -> bool:
    """Tell whether a text that does not parse was meant as an expression."""
    called = re.match(r"(\w+)\(", text)
    functions = (*FUNCTIONS, *composer.directions.given)
    return bool(_SIGNS.search(text)) or (
        called is not None
        and (called[1] in functions or called[1] in Names(composer.directions.given))
    )


def _resolved(composer: Composer, name: Name) -> Resolved | str:
    """Find the tokens of a name, or say why there are none."""
    try:
        return resolve(name, composer.head.vocabulary, expression="", pieces=composer.pieces)
    except ExpressionError as error:
        return error.message


def _named(
    composer: Composer, found: Resolved, vector_D: NDArray[np.float64], terms_norm: float
) -> Composed | str:
    """Make a name's vector as names are composed."""
    if composer.space.kind.unit:
        try:
            vector_D = unit_vector(vector_D, terms_norm, found.text, 1)
        except ExpressionError as error:
            return error.message
    return Composed((found,), vector_D, np.empty((0, composer.space.width)), is_name=True)


def _expression(composer: Composer, text: str) -> Composed | str:
    """Compose an expression, or say what is wrong with it."""
    try:
        concept = composer.expression(text)
        vector_D = unit_vector(concept.vector_D, concept.terms_norm, text, 1)
        if not composer.space.kind.unit:
            vector_D = concept.vector_D
        return Composed(
            concept.resolved,
            vector_D,
            composer.terms(text),
            is_name=False,
            is_directed=concept.fit is not None,
        )
    except ExpressionError as error:
        return error.message
