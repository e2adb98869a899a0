"""Composing: an expression, weighted keys or a residual to a concept."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypedDict

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ...errors import ExpressionError, UsageError
from ...indexes.progress import Progress
from ...indexes.rows import norm
from ...indexes.vectors import as_vectors
from ..heads.unembedding import Unembedding
from ..space import DEFAULT_SPACE, Space, open_space
from .concept import LARGEST, SMALLEST, Concept, unit_vector
from .direction import Directions
from .estimators import Fit, offset
from .grammar import Argument, Call, Name, Node, NodePair, Sum, parse, spelled
from .pairs import Names, PairSet, read_pairs
from .phrase import DEFAULT_PIECES, WAYS, Resolved, resolve, vector_of
from .saved import is_saved, read
from .usable import check_given

# N pairs, vectors of width D.

Key = str | int | ArrayLike
Given = str | Path | Mapping[str, PairSet] | None


class Composition(TypedDict, total=False):
    """How concepts are composed.

    Attributes
    ----------
    space : str
        ``logit``, ``cosine``, ``centred`` or ``causal`` (the default), which takes a shrinkage
        after a colon: ``causal:oas``, ``causal:0.1``, ``causal:floor=0.01``; see `open_space`.
    pieces : str
        ``rarity`` (the default), ``mean``, ``sum``, ``first`` or ``last``: how the tokens of a word
        that is not one, and the words of a phrase, count; or ``model``: such a word is what the
        model makes of it (see `built`), and words count as by ``rarity``.
    directions : str, Path, mapping of str to PairSet, or None
        Directions of one's own, beside the built-in ones: a TOML file, as `read_pairs` reads it, or
        what it gives; or a ``.safetensors`` file with one that was saved, whose ``pieces`` and
        ``estimator`` are then taken.
    estimator : str or None
        ``offset``, ``category``, ``ridge`` or ``procrustes``: how directions are learned. Each in
        its own way where it is None.
    fold_norm : bool
        Multiply the final norm's gain into the rows.
    progress : callable or None
        Is told ``(step, done, total)`` while something is derived from the head for the first time.

    Examples
    --------
    >>> import unembed
    >>> options: Composition = {"space": "centred", "pieces": "first"}
    >>> unembed.open_head("demo").concept("seahorse", **options).resolved[0].method
    'pieces_first'
    """

    space: str
    pieces: str
    directions: Given
    estimator: str | None
    fold_norm: bool
    progress: Progress | None


@dataclass(frozen=True)
class Composer:
    """Composes concepts in a space.

    In every space but ``logit`` each name's vector is made a unit vector before its weight; there
    it is the row as it is.

    Attributes
    ----------
    head : Unembedding
        Whose rows.
    space : Space
        Where to compose.
    pieces : str
        One of `WAYS`.
    directions : Directions
        Those that an expression may apply, in the same space.

    Examples
    --------
    >>> import unembed
    >>> composer = composer_of(unembed.open_head("demo"), space="cosine")
    >>> concept = composer.expression("sea + horse")
    >>> [name.tokens for name in concept.resolved], concept.vector_D.shape
    ([('▁sea',), ('▁horse',)], (640,))
    """

    head: Unembedding
    space: Space
    pieces: str
    directions: Directions

    def expression(self, text: str) -> Concept:
        """Compose the vector of an expression.

        Raises
        ------
        ExpressionError
            The expression does not parse, a name or a direction is unknown, or what is made a unit
            vector is zero.
        """
        return self.node(parse(text, directions=Names(self.directions.given)), text)

    def node(self, node: Node, text: str) -> Concept:
        """Compose the vector of a part of an expression, as `expression` does of the whole."""
        walk = _Walk(self, text)
        vector_D, terms_norm = walk.vector(node)
        resolved, fit = tuple(walk.resolved), self._applied(node)
        return Concept(text, self.space, resolved, vector_D, terms_norm, fit=fit)

    def pairs(self, pairs: Sequence[tuple[Key, float]]) -> Concept:
        """Compose weighted keys, as gensim takes them: names, token ids, or vectors that meet rows.

        A string is a name, not parsed; an `int` a token id; an array a residual, shape (D,).

        Raises
        ------
        UsageError
            A key or a weight is none, or a name is unknown.
        """
        total: Concept | None = None
        for key, weight in map(_pair, pairs):
            term = self._of_key(key) * weight
            total = term if total is None else total + term
        if total is None:
            raise UsageError("there are no pairs; give at least one (key, weight)")
        return total

    def _applied(self, node: Argument) -> Fit | None:
        """Give the direction that was applied last, to all of a node but for its length."""
        if isinstance(node, Sum) and len(node.terms) == 1 and node.terms[0][0] > 0:
            return self._applied(node.terms[0][1])
        if not isinstance(node, Call):
            return None
        if node.function in {"unit", "mean"}:
            return self._applied(node.arguments[0]) if len(node.arguments) == 1 else None
        return self.directions.fit(node.function) if node.function in self.directions else None

    def _of_key(self, key: Key) -> Concept:
        """Make a concept of a name, a token id or a residual."""
        if isinstance(key, bool):
            raise UsageError(f"{key} is no key; a key is a name, a token id or a vector")
        if not isinstance(key, str | int | np.integer):
            term = of_residual(key, space=self.space, expression="vector")
            return replace(term.unit(), expression="vector") if self.space.kind.unit else term
        text = spelled(key) if isinstance(key, str) else f"#{key}"
        walk = _Walk(self, text)
        vector_D, terms_norm = walk.vector(
            Name("phrase" if isinstance(key, str) else "id", str(key), 1)
        )
        return Concept(text, self.space, tuple(walk.resolved), vector_D, terms_norm)


def composer_of(
    head: Unembedding,
    *,
    space: str = DEFAULT_SPACE,
    pieces: str = DEFAULT_PIECES,
    directions: Given = None,
    estimator: str | None = None,
    fold_norm: bool = False,
    progress: Progress | None = None,
) -> Composer:
    """Make what composes concepts on a head.

    Parameters
    ----------
    head : Unembedding
        Whose rows.
    space, pieces, directions, estimator, fold_norm, progress
        As in `Composition`.

    Raises
    ------
    UsageError
        An option is wrong.

    Examples
    --------
    >>> import unembed
    >>> composer_of(unembed.open_head("demo"), space="cosine").expression("emoji(dog)").expression
    'emoji(dog)'
    """
    if pieces not in WAYS:
        raise UsageError(f"unknown pieces {pieces!r}; they are {', '.join(WAYS)}")
    given, saved = read_given(directions), None
    geometry = open_space(head, space, fold_norm=fold_norm, progress=progress)
    if isinstance(given, Path):
        saved = read(given, geometry, pieces=pieces, estimator=estimator)
        pieces, given = saved.pieces, {saved.pairs.name: saved.pairs}
    known = Directions(head, geometry, pieces, estimator, given, saved)
    return Composer(head, geometry, pieces, known)


def read_given(directions: Given) -> Mapping[str, PairSet] | Path:
    """Read the pairs of one's own directions; the path of a saved one, which needs its space.

    Raises
    ------
    UsageError
        As in `read_pairs`, or a mapping holds what is no direction.

    Examples
    --------
    >>> read_given(None), read_given("colour.safetensors").name
    ({}, 'colour.safetensors')
    """
    if isinstance(directions, str | Path):
        path = Path(directions)
        return path if is_saved(path) else read_pairs(path)
    if directions is None:
        return {}
    check_given(directions)
    return directions


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


def _pair(pair: object) -> tuple[Any, Any]:
    """Refuse what is no pair."""
    if not isinstance(pair, tuple | list) or len(pair) != 2:
        raise UsageError(f"{pair!r} is no pair of a key and a weight, as in ('king', 1)")
    return pair[0], pair[1]


class _Walk:
    """The way through the tree of one expression; keeps the names that it meets."""

    def __init__(self, composer: Composer, expression: str) -> None:
        self._composer = composer
        self._expression = expression
        self.resolved: list[Resolved] = []

    def vector(self, node: Node) -> tuple[NDArray[np.float64], float]:
        """Give the vector of a node and the sum of the norms of what was added up in it."""
        if isinstance(node, Name):
            vector_D = self._named(node)
            return vector_D, float(norm(vector_D))
        if isinstance(node, Sum):
            return self._sum(node.terms)
        if node.function == "direction":
            return self._direction(node)
        arguments = [part for part in node.arguments if not isinstance(part, NodePair)]
        if node.function == "mean":
            return self._sum(tuple((1 / len(arguments), part) for part in arguments))
        if node.function == "unit":
            return unit_vector(*self.vector(arguments[0]), self._expression, node.column), 1.0
        # A direction is learned from vectors like those of names.
        base_D = self._end(arguments[0], node.column)
        moved_D = self._composer.directions.fit(node.function)(base_D)
        return self._like_a_name(moved_D, float(norm(moved_D)) + float(norm(base_D)), node.column)

    def _sum(self, terms: Sequence[tuple[float, Node]]) -> tuple[NDArray[np.float64], float]:
        """Add up nodes with their weights."""
        walked = [(weight, *self.vector(term)) for weight, term in terms]
        total_norm = sum(abs(weight) * terms_norm for weight, _, terms_norm in walked)
        if not total_norm <= LARGEST:
            raise ExpressionError(
                f"its weights come to more than {LARGEST:g}; make them smaller",
                expression=self._expression,
                column=1,
            )
        return np.sum([weight * vector_D for weight, vector_D, _ in walked], axis=0), total_norm

    def _named(self, name: Name) -> NDArray[np.float64]:
        """Give the vector of a name."""
        composer = self._composer
        found = resolve(
            name,
            composer.head.vocabulary,
            expression=self._expression,
            pieces=composer.pieces,
        )
        self.resolved.append(found)
        named = vector_of(composer.head, composer.space, found, pieces=composer.pieces)
        return self._like_a_name(*named, name.column)[0]

    def _direction(self, node: Call) -> tuple[NDArray[np.float64], float]:
        """Give what a direction adds: the mean of target less base."""
        first = node.arguments[0]
        if isinstance(first, Name):
            fit = self._composer.directions.fit(first.text)
        else:
            bases_ND, targets_ND = self._pairs(node)
            count = len(bases_ND)
            fit = offset(bases_ND, targets_ND, np.full(count, 1 / count))
        step_D = fit.target_D - fit.base_D
        terms_norm = float(norm(fit.target_D)) + float(norm(fit.base_D))
        unit_vector(step_D, terms_norm, self._expression, node.column)  # refuses one that is zero
        return step_D, terms_norm

    def _pairs(self, node: Call) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Give the vectors of a direction's bases and targets; refuse pairs that are at odds."""
        targets: dict[bytes, bytes] = {}
        vectors: list[tuple[NDArray[np.float64], NDArray[np.float64]]] = []
        for pair in node.arguments:
            if not isinstance(pair, NodePair):
                continue
            base_D, target_D = (self._end(end, pair.column) for end in (pair.base, pair.target))
            # Refuses a pair without a step.
            terms_norm = float(norm(base_D)) + float(norm(target_D))
            unit_vector(target_D - base_D, terms_norm, self._expression, pair.column)
            base, target = base_D.tobytes(), target_D.tobytes()
            wrong = None
            if base in targets:
                same = targets[base] == target
                wrong = "it is there before" if same else "its base has another target before"
            elif targets.get(target) == base:
                wrong = "it turns a pair before it round"
            if wrong is not None:
                raise ExpressionError(
                    f"{wrong}; leave one of the pairs out",
                    expression=self._expression,
                    column=pair.column,
                )
            targets[base] = target
            vectors.append((base_D, target_D))
        return np.array([base_D for base_D, _ in vectors]), np.array([end for _, end in vectors])

    def _end(self, node: Node, column: int) -> NDArray[np.float64]:
        """Give the vector of what a direction is learned from or applied to; refuse zero."""
        vector_D, terms_norm = self.vector(node)
        unit_D = unit_vector(vector_D, terms_norm, self._expression, column)
        return unit_D if self._composer.space.kind.unit else vector_D

    def _like_a_name(
        self, vector_D: NDArray[np.float64], terms_norm: float, column: int
    ) -> tuple[NDArray[np.float64], float]:
        """Make a unit vector where the space composes those."""
        if not self._composer.space.kind.unit:
            return vector_D, terms_norm
        return unit_vector(vector_D, terms_norm, self._expression, column), 1.0
