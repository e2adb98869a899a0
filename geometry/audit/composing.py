"""Records to vectors: what each concept is composed of."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...errors import ExpressionError, UsageError
from ..concepts.checks import FUNCTIONS
from ..concepts.compose import Composer
from ..concepts.concept import unit_vector
from ..concepts.grammar import Call, Name, Node, NodePair, Sum, parse, summands
from ..concepts.pairs import Names
from ..concepts.phrase import Resolved, resolve, vectors_of
from ..records.record import Record

# Vectors of width D; T terms.

_PLAIN = re.compile(r"[^\W\d_][^\W_]*(?:['’\- ][^\W_]+)*")  # words alone: no sign of an expression
_SIGNS = re.compile(r"\S\s[+-](?:\s|$)")  # after a space, where no phrase has them


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
    name : str or None
        The word or phrase that it is; None for an expression.
    token_id : int or None
        The token that an expression names itself, as ``#1234`` or ``token("▁sea")``.

    Examples
    --------
    >>> import unembed
    >>> from unembed.geometry.concepts.compose import composer_of
    >>> (found,) = compose_each(composer_of(unembed.open_head("demo")), [Record("sea + horse")])
    >>> [name.text for name in found.resolved], len(found.terms_TD), found.name
    (['sea', 'horse'], 2, None)
    """

    resolved: tuple[Resolved, ...]
    vector_D: NDArray[np.float64]
    terms_TD: NDArray[np.float64]
    name: str | None = None
    token_id: int | None = None

    @property
    def token_ids(self) -> set[int]:
        """The tokens of all its names."""
        return {id_ for name in self.resolved for id_ in name.token_ids}


def compose_each(
    composer: Composer, records: Sequence[Record], *, into: str | None = None
) -> list[Composed | str]:
    """Compose the concepts of records; give in the place of one that is wrong what is wrong.

    A concept is an expression where it parses as one or has its signs, else a word or a phrase.

    Parameters
    ----------
    composer : Composer
        In which space, and how.
    records : sequence of Record
        Their concepts.
    into : str or None
        A direction that is left off where an expression applies it to all of it: all concepts are
        taken along it later.

    Examples
    --------
    >>> import unembed
    >>> from unembed.geometry.concepts.compose import composer_of
    >>> composer = composer_of(unembed.open_head("demo"))
    >>> compose_each(composer, [Record("sea +")])[0].split(";")[0]
    'the end cannot stand here'
    """
    nodes = [_node(composer, record, into) for record in records]
    resolved = [_resolved(composer, node) if isinstance(node, Name) else node for node in nodes]
    known = [found for found in resolved if isinstance(found, Resolved)]
    vectors = iter(
        vectors_of(composer.head, composer.space, known, pieces=composer.pieces) if known else ()
    )
    composed: list[Composed | str] = []
    for record, node, found in zip(records, nodes, resolved, strict=True):
        if isinstance(found, str):
            composed.append(found)
        elif isinstance(node, Name) and isinstance(found, Resolved):
            composed.append(_named(composer, node, found, *next(vectors)))
        elif isinstance(node, Sum | Call):
            composed.append(_expression(composer, node, record.concept))
    return composed


def _node(composer: Composer, record: Record, into: str | None) -> Node | str:
    """Read a concept, or say what is wrong with an expression."""
    text = record.concept
    phrase = Name("phrase", text, 1)
    if record.is_phrase or _PLAIN.fullmatch(text):
        return phrase
    try:
        node = parse(text, directions=Names(composer.directions.given))
    except ExpressionError as error:
        return error.message if _is_meant(composer, text) else phrase
    return node if into is None else _without(node, into)


def _without(node: Node, direction: str) -> Node:
    """Leave a direction off that is applied to all of a node, but for its length."""
    inner = node
    while True:
        if isinstance(inner, Sum) and len(inner.terms) == 1 and inner.terms[0][0] > 0:
            inner = inner.terms[0][1]
        elif isinstance(inner, Call) and inner.function in {"mean", "unit", direction}:
            argument = inner.arguments[0]
            if len(inner.arguments) > 1 or isinstance(argument, NodePair):
                return node
            if inner.function == direction:
                return argument
            inner = argument
        else:
            return node


def _is_meant(composer: Composer, text: str) -> bool:
    """Tell whether a text that does not parse was meant as an expression."""
    called = re.match(r"(\w+)\(", text)
    return bool(_SIGNS.search(text)) or (
        called is not None
        and (called[1] in FUNCTIONS or called[1] in Names(composer.directions.given))
    )


def _resolved(composer: Composer, name: Name) -> Resolved | str:
    """Find the tokens of a name, or say why there are none."""
    try:
        return resolve(name, composer.head.vocabulary, expression="", pieces=composer.pieces)
    except ExpressionError as error:
        return error.message


def _named(
    composer: Composer,
    name: Name,
    found: Resolved,
    vector_D: NDArray[np.float64],
    terms_norm: float,
) -> Composed | str:
    """Make a name's vector as names are composed."""
    try:
        unit_D = unit_vector(vector_D, terms_norm, found.text, 1)
    except ExpressionError as error:
        return error.message
    names_token = name.kind in {"id", "token"}
    return Composed(
        (found,),
        unit_D if composer.space.kind.unit else vector_D,
        np.empty((0, composer.space.width)),
        name=None if names_token else name.text,
        token_id=found.token_ids[0] if names_token else None,
    )


def _expression(composer: Composer, node: Node, text: str) -> Composed | str:
    """Compose an expression, or say what is wrong with it."""
    try:
        concept = composer.node(node, text)
        unit_D = unit_vector(concept.vector_D, concept.terms_norm, text, 1)
    except ExpressionError as error:
        return error.message
    except UsageError as error:  # a direction that this head cannot learn
        return str(error)
    vector_D = unit_D if composer.space.kind.unit else concept.vector_D
    return Composed(concept.resolved, vector_D, _terms(composer, node, text))


def _terms(composer: Composer, node: Node, text: str) -> NDArray[np.float64]:
    """Give the vectors of what a sum of several adds up; one that comes out at zero is left out."""
    vectors = []
    for term in summands(node):
        try:
            concept = composer.node(term, text)
            unit_D = unit_vector(concept.vector_D, concept.terms_norm, text, 1)
        except ExpressionError:
            continue
        vectors.append(unit_D if composer.space.kind.unit else concept.vector_D)
    return np.array(vectors).reshape(len(vectors), composer.space.width)
