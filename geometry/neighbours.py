"""The nearest tokens to a concept, and what the head would make of it."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Unpack, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import UsageError
from ..indexes.progress import Progress
from .analogy import open_analogy, terms_of
from .answer import Neighbours
from .concepts.compose import (
    Composer,
    Composition,
    Given,
    Key,
    composer_of,
    of_residual,
    read_given,
)
from .concepts.concept import Concept
from .concepts.grammar import parse
from .concepts.pairs import Names, PairSet
from .concepts.phrase import DEFAULT_PIECES, one_token
from .heads.unembedding import Unembedding
from .hubness import hubness
from .method import chosen_method
from .region import Region, RegionLike, find_region
from .search import Search
from .space import DEFAULT_SPACE, SCORES, Space, check_space

# Residuals of width D.

Query = str | Concept | ArrayLike | Sequence[tuple[Key, float]]
_TOGETHER = 256  # queries in one pass
_SMALLEST, _LARGEST = 1e-3, 1e9  # of norms and temperatures: beyond, a softmax is rounding
_CANDIDATES = 1 << 22  # of them all: they stay small


class Options(Composition, total=False):
    """What can be asked of a search, beside how concepts are composed.

    Attributes
    ----------
    score : str or None
        ``cosine``, in the space; ``dot``, the product with the concept's unit vector in the space;
        ``csls``, twice the cosine less what concept and row have with their ten nearest (Conneau
        et al. 2018), which takes hubs back; or ``cosmul``, for a sum of names: likenesses multiply
        instead of adding up (3CosMul, Levy and Goldberg 2014). The natural one where it is None:
        ``dot`` in ``logit``, else ``cosine``.
    region, exclude_region : str, sequence of int or None
        What to search and what to leave out, as `find_region` takes them; None for all and nothing.
    top : int
        How many neighbours, at least 1, 10 by default; fewer come where there are fewer.
    keep_inputs : bool
        Let the tokens that a query names into its answer.
    residual_norm : float or None
        The norm of the residual that stands for a concept. Where it is None, it is 1, as a concept
        has no scale, and there are no probabilities; a residual keeps its own.
    temperature : float
        Divides the logits before they become probabilities.
    track : sequence of str
        Names of single tokens whose rank and score are wanted, wherever they are.
    method : str or None
        ``pieces``, ``estimator`` and ``score`` in one, as `Method.parse` takes it:
        ``procrustes+csls``; or ``best``, what an evaluation found best on this head in this space.

    Examples
    --------
    >>> import unembed
    >>> options: Options = {"region": "emoji", "top": 2}
    >>> answer = unembed.open_head("demo").nearest("sea + horse", **options)
    >>> [near.text for near in answer.neighbours]
    ['🐎', '🐴']
    """

    score: str | None
    region: RegionLike
    exclude_region: RegionLike
    top: int
    keep_inputs: bool
    residual_norm: float | None
    temperature: float
    track: Sequence[str]
    method: str | None


def nearest(
    head: Unembedding,
    queries: Sequence[Query],
    *,
    space: str = DEFAULT_SPACE,
    score: str | None = None,
    region: RegionLike = None,
    exclude_region: RegionLike = None,
    top: int = 10,
    keep_inputs: bool = False,
    pieces: str = DEFAULT_PIECES,
    directions: Given = None,
    estimator: str | None = None,
    fold_norm: bool = False,
    residual_norm: float | None = None,
    temperature: float = 1.0,
    track: Sequence[str] = (),
    method: str | None = None,
    progress: Progress | None = None,
) -> list[Neighbours]:
    """Find the tokens that lie closest to each of some concepts. The answers are exact.

    The tokens that a query names are left out of its answer, and so are rows that have no token.

    Parameters
    ----------
    head : Unembedding
        Where to look.
    queries : sequence
        Of expressions (`str`), of `Concept` values of this space, of residuals (array_like, shape
        (D,)), and of sequences of (key, weight) pairs, as `Composer.pairs` takes them.
    space, score, region, exclude_region, top, keep_inputs, pieces, directions, estimator, \
fold_norm, residual_norm, temperature, track, method, progress
        As in `Options` and `Composition`.

    Returns
    -------
    list of Neighbours
        One for each query; by descending score, equal scores by ascending id.

    Raises
    ------
    UsageError
        An option or an expression is wrong.

    Examples
    --------
    >>> import unembed
    >>> answers = nearest(unembed.open_head("demo"), ["king - man + woman", "sea + horse"], top=1)
    >>> [answer.neighbours[0].text for answer in answers]
    [' queen', ' Sea']
    """
    if top < 1:
        raise UsageError(f"top is {top:,}; it must be at least 1")
    _check_list("track", track)
    for name, value in (("residual norm", residual_norm), ("temperature", temperature)):
        if value is not None and not _SMALLEST <= value <= _LARGEST:
            raise UsageError(
                f"the {name} is {value}; it must be above zero: {_SMALLEST:g} to {_LARGEST:g}"
            )
    own = _parsed(queries, directions)
    if score is not None and score not in SCORES:
        raise UsageError(f"unknown score {score!r}; the scores are {', '.join(SCORES)}")
    analogies = [terms_of(query) if score == "cosmul" else None for query in queries]
    if method is not None:
        if (pieces, estimator, score) != (DEFAULT_PIECES, None, None):
            raise UsageError(
                f"the method {method!r} says how pieces count, how directions are learned and what "
                "the score is; leave out pieces, estimator and score"
            )
        chosen = chosen_method(head, method, check_space(space), fold_norm=fold_norm)
        pieces, estimator = chosen.pieces, chosen.estimator
        score = "csls" if chosen.csls else None
    tracked = [one_token(name, head.vocabulary) for name in track]
    searched = find_region(head, region, exclude=exclude_region)
    composer = composer_of(
        head,
        space=space,
        pieces=pieces,
        directions=own,
        estimator=estimator,
        fold_norm=fold_norm,
        progress=progress,
    )
    geometry = composer.space
    concepts = list(_each(composer, queries))
    norms = [residual_norm or concept.residual_norm for concept in concepts]
    if temperature != 1 and None in norms:
        raise UsageError(
            f"the temperature {temperature} is of no use here: a concept has no scale and so no "
            "probabilities; give the norm of its residual too"
        )
    search = Search(
        head=head,
        space=geometry,
        score=score or ("cosine" if geometry.kind.unit else "dot"),
        region=searched,
        top=top,
        keep_inputs=keep_inputs,
        temperature=temperature,
        tracked=tracked,
        hubness=_Hubness(head, geometry, searched, tracked, progress) if score == "csls" else None,
    )
    answers = []
    step = max(1, min(_TOGETHER, _CANDIDATES // min(2 * top, head.rows.count)))
    for start in range(0, len(concepts), step):
        together = slice(start, start + step)
        multiplied = [
            None if terms is None else open_analogy(composer, terms)
            for terms in analogies[together]
        ]
        answers += search.answers(concepts[together], norms[together], multiplied)
    return answers


def composed(
    head: Unembedding, queries: Sequence[Query], **options: Unpack[Composition]
) -> Iterator[Concept]:
    """Compose several queries, one after the other; all are parsed before the first.

    Parameters
    ----------
    head : Unembedding
        Whose tokens.
    queries : sequence
        As in `nearest`.
    **options
        Those of `Composition`.

    Raises
    ------
    UsageError
        A query or an option is wrong.

    Examples
    --------
    >>> import unembed
    >>> [concept.expression for concept in composed(unembed.open_head("demo"), ["sea", "horse"])]
    ['sea', 'horse']
    """
    options["directions"] = _parsed(queries, options.get("directions"))
    return _each(composer_of(head, **options), queries)


def _each(composer: Composer, queries: Sequence[Query]) -> Iterator[Concept]:
    """Compose queries; a residual is named by its place."""
    for place, query in enumerate(queries, start=1):
        yield as_concept(composer, query, name=f"vector {place}")


def _parsed(queries: Sequence[Query], directions: Given) -> Mapping[str, PairSet] | Path:
    """Refuse expressions that do not parse, before long work; give the directions as read."""
    _check_list("queries", queries)
    own = read_given(directions)
    known = None if isinstance(own, Path) else Names(own)
    for query in queries:
        if isinstance(query, str):
            parse(query, directions=known)
    return own


def as_concept(composer: Composer, query: Query, *, name: str = "vector") -> Concept:
    """Compose a query, whatever its form.

    Parameters
    ----------
    composer : Composer
        In which space, and how.
    query : str, Concept, array_like or sequence of pairs
        As in `nearest`.
    name : str
        What a residual is called in the answer.

    Raises
    ------
    UsageError
        The query is wrong, or a concept of another space.

    Examples
    --------
    >>> import unembed
    >>> composer = composer_of(unembed.open_head("demo"), space="cosine")
    >>> as_concept(composer, [("sea", 1), ("horse", 2)])
    Concept('1.0*sea + 2.0*horse', Space('cosine', 640 wide))
    """
    if isinstance(query, str):
        return composer.expression(query)
    if isinstance(query, Concept):
        if query.space.key != composer.space.key:
            raise UsageError(f"{query!r} is not of this head's {composer.space!r}")
        return query
    if isinstance(query, list | tuple) and query and _is_pair(query[0]):
        return composer.pairs(query)
    return of_residual(cast(ArrayLike, query), space=composer.space, expression=name)


def _check_list(name: str, given: object) -> None:
    """Refuse one text where a list of them is meant."""
    if isinstance(given, str):
        raise UsageError(f"{name} is the one text {given!r}; give a list: [{given!r}]")


def _is_pair(part: object) -> bool:
    """Tell whether a part of a query is a pair of a key and a weight, not a row of numbers."""
    is_list_of_two = isinstance(part, list) and len(part) == 2 and isinstance(part[0], str)
    return isinstance(part, tuple) or is_list_of_two


class _Hubness:
    """The hubness of all that gets a score, for concepts as they were composed last."""

    def __init__(
        self,
        head: Unembedding,
        space: Space,
        searched: Region,
        tracked: Sequence[int],
        progress: Progress | None,
    ) -> None:
        self._head = head
        self._space = space
        tracked_N = np.unique(np.array(tracked, dtype=np.int64))
        others_N = np.setdiff1d(tracked_N, searched.ids_N, assume_unique=True)
        self._scored = [ids_N for ids_N in (searched.ids_N, others_N) if len(ids_N)]
        self._progress = progress
        self._found: dict[str, NDArray[np.float64]] = {}

    def __call__(self, concept: Concept) -> NDArray[np.float64]:
        """Give hubness in the places of all V rows; 0 for those that get no score."""
        key = "" if concept.fit is None else concept.fit.key
        if key not in self._found:
            hubness_V = np.zeros(self._head.rows.count)
            for ids_N in self._scored:
                hubness_V[ids_N] = hubness(
                    self._head, self._space, ids_N, fit=concept.fit, progress=self._progress
                )
            self._found[key] = hubness_V
        return self._found[key]
