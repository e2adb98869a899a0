"""The nearest tokens to a concept, and what the head would make of it."""

from collections.abc import Sequence
from typing import TypedDict, cast

from numpy.typing import ArrayLike

from ..errors import UsageError
from ..indexes.progress import Progress
from .answer import Neighbours
from .concepts.compose import Key, compose, of_pairs, of_residual
from .concepts.concept import Concept
from .concepts.grammar import Name, parse
from .concepts.phrase import resolve
from .heads.unembedding import Unembedding
from .region import find_region
from .search import Search
from .space import DEFAULT_SPACE, SCORES, Space, open_space

# Residuals of width D.

Query = str | Concept | ArrayLike | Sequence[tuple[Key, float]]
_TOGETHER = 256  # queries in one pass
_SMALLEST, _LARGEST = 1e-3, 1e9  # of norms and temperatures: beyond, a softmax is rounding
_CANDIDATES = 1 << 22  # of them all: they stay small


class Options(TypedDict, total=False):
    """What can be asked of a search.

    Attributes
    ----------
    space : str
        ``causal`` (the default), ``centred``, ``cosine`` or ``logit``.
    score : str or None
        ``cosine``, in the space; or ``dot``, the product with the concept's unit vector in the
        space. The natural one where it is None: ``dot`` in ``logit``, else ``cosine``.
    region, exclude_region : str, sequence of int or None
        What to search and what to leave out, as `find_region` takes them; None for all and nothing.
    top : int
        How many neighbours, at least 1, 10 by default; fewer come where there are fewer.
    keep_inputs : bool
        Let the tokens that a query names into its answer.
    pieces : str
        ``mean`` (the default), ``sum``, ``first`` or ``last``: what the pieces of a name become.
    fold_norm : bool
        Multiply the final norm's gain into the rows.
    residual_norm : float or None
        The norm of the residual that stands for a concept. Where it is None, it is 1, as a concept
        has no scale, and there are no probabilities; a residual keeps its own.
    temperature : float
        Divides the logits before they become probabilities.
    track : sequence of str
        Names of single tokens whose rank and score are wanted, wherever they are.
    progress : callable or None
        Is told ``(step, done, total)`` while something is derived from the head for the first time.

    Examples
    --------
    >>> import unembed
    >>> options: Options = {"region": "emoji", "top": 2}
    >>> answer = unembed.open_head("demo").nearest("sea + horse", **options)
    >>> [near.text for near in answer.neighbours]
    ['🐎', '🐴']
    """

    space: str
    score: str | None
    region: str | Sequence[int] | None
    exclude_region: str | Sequence[int] | None
    top: int
    keep_inputs: bool
    pieces: str
    fold_norm: bool
    residual_norm: float | None
    temperature: float
    track: Sequence[str]
    progress: Progress | None


def nearest(
    head: Unembedding,
    queries: Sequence[Query],
    *,
    space: str = DEFAULT_SPACE,
    score: str | None = None,
    region: str | Sequence[int] | None = None,
    exclude_region: str | Sequence[int] | None = None,
    top: int = 10,
    keep_inputs: bool = False,
    pieces: str = "mean",
    fold_norm: bool = False,
    residual_norm: float | None = None,
    temperature: float = 1.0,
    track: Sequence[str] = (),
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
        (D,)), and of sequences of (key, weight) pairs, as `of_pairs` takes them.
    space, score, region, exclude_region, top, keep_inputs, pieces, fold_norm, residual_norm, \
temperature, track, progress
        As in `Options`.

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
    for name, given in (("queries", queries), ("track", track)):
        if isinstance(given, str):
            raise UsageError(f"{name} is the one text {given!r}; give a list: [{given!r}]")
    for name, value in (("residual norm", residual_norm), ("temperature", temperature)):
        if value is not None and not _SMALLEST <= value <= _LARGEST:
            raise UsageError(
                f"the {name} is {value}; it must be above zero: {_SMALLEST:g} to {_LARGEST:g}"
            )
    for query in queries:
        if isinstance(query, str):
            parse(query)  # what is wrong is said before long work
    tracked = [_single(head, name) for name in track]
    searched = find_region(head, region, exclude=exclude_region)
    geometry = open_space(head, space, fold_norm=fold_norm, progress=progress)
    cosine = _is_cosine(score, geometry)
    concepts = [
        as_concept(head, query, geometry, pieces=pieces, name=f"vector {place}")
        for place, query in enumerate(queries, start=1)
    ]
    norms = [residual_norm or concept.residual_norm for concept in concepts]
    if temperature != 1 and None in norms:
        raise UsageError(
            f"the temperature {temperature} is of no use here: a concept has no scale and so no "
            "probabilities; give the norm of its residual too"
        )
    search = Search(
        head=head,
        space=geometry,
        cosine=cosine,
        region=searched,
        top=top,
        keep_inputs=keep_inputs,
        temperature=temperature,
        tracked=tracked,
    )
    answers = []
    step = max(1, min(_TOGETHER, _CANDIDATES // min(2 * top, head.rows.count)))
    for start in range(0, len(concepts), step):
        together = slice(start, start + step)
        answers += search.answers(concepts[together], norms[together])
    return answers


def as_concept(
    head: Unembedding, query: Query, space: Space, *, pieces: str = "mean", name: str = "vector"
) -> Concept:
    """Compose a query in a space, whatever its form.

    Parameters
    ----------
    head : Unembedding
        Whose rows.
    query : str, Concept, array_like or sequence of pairs
        As in `nearest`.
    space : Space
        Where.
    pieces : str
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
    >>> head = unembed.open_head("demo")
    >>> as_concept(head, [("sea", 1), ("horse", 2)], open_space(head, "cosine"))
    Concept('1.0*sea + 2.0*horse', Space('cosine', 640 wide))
    """
    if isinstance(query, str):
        return compose(head, query, space=space, pieces=pieces)
    if isinstance(query, Concept):
        if query.space.key != space.key:
            raise UsageError(f"{query!r} is not of this head's {space!r}")
        return query
    if isinstance(query, list | tuple) and query and _is_pair(query[0]):
        return of_pairs(head, query, space=space, pieces=pieces)
    return of_residual(cast(ArrayLike, query), space=space, expression=name)


def _is_pair(part: object) -> bool:
    """Tell whether a part of a query is a pair of a key and a weight, not a row of numbers."""
    is_list_of_two = isinstance(part, list) and len(part) == 2 and isinstance(part[0], str)
    return isinstance(part, tuple) or is_list_of_two


def _is_cosine(score: str | None, space: Space) -> bool:
    """Tell whether scores are cosines."""
    if score is None:
        return space.kind.unit
    if score not in SCORES:
        raise UsageError(f"unknown score {score!r}; the scores are {', '.join(SCORES)}")
    return score == "cosine"


def _single(head: Unembedding, text: str) -> int:
    """Give the one token of a name that is followed."""
    name = parse(text)
    if not isinstance(name, Name):
        raise UsageError(f"{text!r} is an expression; follow one token, by a name")
    ids = resolve(name, head.vocabulary, pieces="mean", expression=text).token_ids
    if len(ids) > 1:
        raise UsageError(f"{text!r} is {len(ids)} tokens of this head; follow one of them")
    return ids[0]
