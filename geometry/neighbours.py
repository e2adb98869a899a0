"""The nearest tokens to a concept, and what the head would make of it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypedDict, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import UsageError
from ..indexes import exact
from ..indexes.rows import norm
from .answer import Neighbour, Neighbours, Snap
from .concepts.compose import Key, compose, of_pairs, of_residual
from .concepts.concept import Concept
from .concepts.grammar import Name, parse
from .concepts.phrase import resolve
from .heads.demo import Progress
from .heads.unembedding import Unembedding
from .region import Region, find_region
from .space import DEFAULT_SPACE, SCORES, Space, open_space

# V tokens, rows of width D; Q queries; K answers.

Query = str | Concept | ArrayLike | Sequence[tuple[Key, float]]
_LARGEST_PRODUCT = 1e30
_TOGETHER = 256  # queries in one pass
_SMALLEST, _LARGEST = 1e-30, 1e30  # of norms and temperatures: their squares are finite
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
    geometry = open_space(head, space, fold_norm=fold_norm, progress=progress)
    cosine = _is_cosine(score, geometry)
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
    search = _Search(
        head=head,
        space=geometry,
        cosine=cosine,
        region=find_region(head, region, exclude=exclude_region),
        top=top,
        keep_inputs=keep_inputs,
        temperature=temperature,
        tracked=[_single(head, name) for name in track],
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
    if isinstance(query, list | tuple) and query and isinstance(query[0], tuple):
        return of_pairs(head, query, space=space, pieces=pieces)
    return of_residual(cast(ArrayLike, query), space=space, expression=name)


@dataclass(frozen=True, eq=False)
class _Search:
    """What is the same for all queries of a call."""

    head: Unembedding
    space: Space
    cosine: bool
    region: Region
    top: int
    keep_inputs: bool
    temperature: float
    tracked: Sequence[int]

    def answers(
        self, concepts: Sequence[Concept], norms: Sequence[float | None]
    ) -> list[Neighbours]:
        """Answer some queries in one pass over the rows, or two where a region is searched."""
        index, known_V = self.head.index, self.head.vocabulary.known_V
        vectors = [
            _scaled(concept, known_norm or 1.0)
            for concept, known_norm in zip(concepts, norms, strict=True)
        ]
        measures = [self.space.measure(vector_D, cosine=self.cosine) for vector_D in vectors]
        longest = max(float(norm(measure.query_D)) for measure in measures)
        if longest * float(self.head.norms_V.max()) > _LARGEST_PRODUCT:
            raise UsageError(
                f"a residual of norm {longest:.3g} has products with rows above "
                f"{_LARGEST_PRODUCT:g}, near the end of float32; give a smaller norm"
            )
        inputs = [self._inputs(concept) for concept in concepts]
        wanted = self.top + max(map(len, inputs))
        all_N = None if known_V.all() else np.flatnonzero(known_V)
        within_N = all_N if self.region.name is None else self.region.ids_N
        near = exact.propose(index, measures, wanted, among_N=within_N)
        everywhere = near
        if self.region.name is not None:
            logits = [self.space.logits(vector_D) for vector_D in vectors]
            everywhere = exact.propose(index, logits, 1, among_N=all_N)
        return [
            self._answer(*parts)
            for parts in zip(
                concepts, vectors, norms, inputs, measures, near, everywhere, strict=True
            )
        ]

    def _inputs(self, concept: Concept) -> list[int]:
        """Give the tokens that are left out of a concept's answer."""
        named = {id_ for name in concept.resolved for id_ in name.token_ids}
        return [] if self.keep_inputs else sorted(named)

    def _answer(
        self,
        concept: Concept,
        vector_D: NDArray[np.float64],
        known_norm: float | None,
        inputs: list[int],
        measure: exact.Measure,
        near: exact.Proposal,
        everywhere: exact.Proposal,
    ) -> Neighbours:
        """Answer one query from the rows that FAISS proposed."""
        head, rows, index = self.head, self.head.rows, self.head.index
        logits = self.space.logits(vector_D)
        scores_K, ids_K = exact.nearest(index, rows, measure, near, self.top + len(inputs))
        kept_K = ~np.isin(ids_K, inputs)
        scores_K, ids_K = scores_K[kept_K][: self.top], ids_K[kept_K][: self.top]
        (snap_logit,), (snap_id,) = exact.nearest(index, rows, logits, everywhere, 1)
        tracked_N = np.array(self.tracked, dtype=np.int64)
        probability: Callable[[float], float | None] = lambda _: None  # noqa: E731
        if known_norm is not None:
            probability = _sampler(head, logits, self.temperature)

        def described(
            ranks_N: NDArray[np.int64], ids_N: NDArray[np.int64], scores_N: NDArray[np.float64]
        ) -> tuple[Neighbour, ...]:
            logits_N = logits.scores(rows, ids_N)
            return tuple(
                Neighbour(
                    rank=int(rank),
                    id=int(id_),
                    token=head.vocabulary.token(int(id_)),
                    text=head.vocabulary.text(int(id_)),
                    score=float(score),
                    logit=float(logit),
                    probability=probability(float(logit)),
                )
                for rank, id_, score, logit in zip(ranks_N, ids_N, scores_N, logits_N, strict=True)
            )

        return Neighbours(
            source=head.source,
            expression=concept.expression,
            space=self.space.name,
            score="cosine" if self.cosine else "dot",
            region=self.region.name,
            index="exact",
            resolved=concept.resolved,
            neighbours=described(np.arange(1, len(ids_K) + 1), ids_K, scores_K),
            snap=Snap(
                id=int(snap_id),
                token=head.vocabulary.token(int(snap_id)),
                text=head.vocabulary.text(int(snap_id)),
                logit=float(snap_logit),
                probability=probability(float(snap_logit)),
                **self._gap(vector_D, int(snap_id)),
            ),
            tracked=described(
                self._ranks(measure, tracked_N, inputs), tracked_N, measure.scores(rows, tracked_N)
            ),
        )

    def _gap(self, vector_D: NDArray[np.float64], snap_id: int) -> dict[str, float]:
        """Give what is lost in the snap, in logits and in degrees."""
        row_D = self.space.place(self.head.rows.decode(np.array([snap_id])))[0]
        lengths = float(norm(vector_D)) * float(norm(row_D))
        # Of two unit vectors the half angle has the tangent |u - v| / |u + v| (Kahan 2006), which
        # loses nothing where they nearly agree.
        unit_D, row_unit_D = vector_D / norm(vector_D), row_D / (norm(row_D) or 1.0)
        half = np.arctan2(norm(unit_D - row_unit_D), norm(unit_D + row_unit_D))
        return {
            "gap_logit": 2 * lengths * float(np.sin(half)) ** 2,  # that is, |c||g| - c·g
            "gap_degrees": float(np.degrees(2 * half)),
        }

    def _ranks(
        self, measure: exact.Measure, ids_N: NDArray[np.int64], inputs: list[int]
    ) -> NDArray[np.int64]:
        """Give the ranks of tracked tokens among those that are searched."""
        if not len(ids_N):
            return ids_N
        among_N = np.setdiff1d(self.region.ids_N, inputs, assume_unique=True)
        return exact.ranks(self.head.index, self.head.rows, measure, ids_N, among_N=among_N)


def _sampler(
    head: Unembedding, logits: exact.Measure, temperature: float
) -> Callable[[float], float]:
    """Give the probability that goes with a logit: the softmax over every row, padding included."""
    energies_V = head.emitted(logits.scores(head.rows, np.arange(head.rows.count))) / temperature
    highest = energies_V.max()
    total = np.exp(energies_V - highest).sum()
    return lambda logit: float(
        np.exp(head.emitted(np.array(logit)) / temperature - highest) / total
    )


def _scaled(concept: Concept, residual_norm: float) -> NDArray[np.float64]:
    """Give a concept's vector at the length at which its residual has this norm."""
    unit = concept.unit()
    return unit.vector_D * (residual_norm / norm(concept.space.residual(unit.vector_D)))


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
