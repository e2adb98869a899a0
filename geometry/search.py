"""From vectors to answers: one pass over the rows for many questions."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ..indexes import exact
from ..indexes.rows import gaps, norm
from .analogy import Analogy
from .answer import Neighbour, Neighbours, Snap
from .concepts.concept import Concept
from .heads.unembedding import Unembedding
from .hubness import NEAREST
from .region import Region
from .sampler import check_products, energies, log_totals
from .space import Space

# V tokens, rows of width D; K answers; N tokens.


@dataclass(frozen=True, eq=False)
class _Question:
    """One concept as it is searched.

    Its vector has the length at which its residual has the norm that is known, else 1; then the
    product that is searched is the logit too, but for the bias.
    """

    concept: Concept
    vector_D: NDArray[np.float64]
    inputs: list[int]  # the tokens that are left out
    measure: exact.Measure
    logits: exact.Measure
    analogy: Analogy | None  # what scores in the measure's place


@dataclass(frozen=True, eq=False)
class Search:
    """What is the same for all questions of a call.

    Attributes
    ----------
    head : Unembedding
        Where to look.
    space : Space
        What is near.
    score : str
        One of `SCORES`.
    region : Region
        What is searched.
    top : int
        How many neighbours.
    keep_inputs : bool
        Whether the tokens that a concept names may be among them.
    temperature : float
        Of the probabilities.
    tracked : sequence of int
        Tokens whose rank and score are wanted.
    hubness : callable, optional
        Gives r(y) of what is searched and tracked for a concept, shape (V,), for ``csls``.

    Examples
    --------
    >>> import unembed
    >>> from unembed.geometry.region import find_region
    >>> head = unembed.open_head("demo")
    >>> sea = head.concept("sea")
    >>> search = Search(head, sea.space, "cosine", find_region(head, "emoji"), 1, False, 1.0, ())
    >>> [answer.neighbours[0].text for answer in search.answers([sea], [None], [None])]
    ['🌊']
    """

    head: Unembedding
    space: Space
    score: str
    region: Region
    top: int
    keep_inputs: bool
    temperature: float
    tracked: Sequence[int]
    hubness: Callable[[Concept], NDArray[np.float64]] | None = None

    def answers(
        self,
        concepts: Sequence[Concept],
        norms: Sequence[float | None],
        analogies: Sequence[Analogy | None],
    ) -> list[Neighbours]:
        """Answer questions in one pass over the rows, or two where a region is searched.

        Parameters
        ----------
        concepts : sequence of Concept
            Of this space.
        norms : sequence of float or None
            The norm of each concept's residual, where it is known: then there are probabilities.
        analogies : sequence of Analogy or None
            What scores in each concept's place, for ``cosmul``.

        Raises
        ------
        UsageError
            A concept comes out at zero, or a residual is too long for a softmax.
        """
        index, known_V = self.head.index, self.head.vocabulary.known_V
        questions = [
            self._question(concept, known or 1.0, analogy)
            for concept, known, analogy in zip(concepts, norms, analogies, strict=True)
        ]
        least = self.top if self.hubness is None else max(self.top, NEAREST)
        wanted = least + max(len(question.inputs) for question in questions)
        all_N = None if known_V.all() else np.flatnonzero(known_V)
        within_N = all_N if self.region.name is None else self.region.ids_N
        measures = [question.measure for question in questions]
        near = exact.propose(index, measures, wanted, among_N=within_N)
        if self.hubness is not None:
            questions = [
                self._less_hubs(*parts, self.hubness(parts[0].concept))
                for parts in zip(questions, near, strict=True)
            ]
        everywhere = near
        if self.region.name is not None:
            logits = [question.logits for question in questions]
            everywhere = exact.propose(index, logits, 1, among_N=all_N)
        totals = self._log_totals(questions, norms)
        return [
            self._answer(*parts) for parts in zip(questions, near, everywhere, totals, strict=True)
        ]

    def _question(
        self, concept: Concept, residual_norm: float, analogy: Analogy | None
    ) -> _Question:
        """Bring a concept to the length at which its residual has this norm."""
        vector_D = concept.reaching(residual_norm)
        measure = self.space.measure(vector_D, cosine=self.score != "dot")
        named = {id_ for name in concept.resolved for id_ in name.token_ids}
        return _Question(
            concept=concept,
            vector_D=vector_D,
            inputs=[] if self.keep_inputs else sorted(named),
            measure=measure,
            logits=self.space.logits(measure),
            analogy=analogy,
        )

    def _less_hubs(
        self, question: _Question, near: exact.Proposal, hubness_V: NDArray[np.float64]
    ) -> _Question:
        """Let hubness count in a question's scores; its own is r(x), by what is nearest to it."""
        cosines_K, _ = self._best(question, near, NEAREST)
        own = float(cosines_K.mean()) if len(cosines_K) else 0.0
        measure = replace(question.measure, hubness_V=hubness_V, own_hubness=own)
        return replace(question, measure=measure)

    def _log_totals(
        self, questions: Sequence[_Question], norms: Sequence[float | None]
    ) -> list[float | None]:
        """Give what probabilities divide by, for the questions whose residual has a known norm."""
        known = [place for place, norm_ in enumerate(norms) if norm_ is not None]
        totals: list[float | None] = [None] * len(questions)
        if known:
            logits = [questions[place].logits for place in known]
            check_products(self.head, max(float(norm(measure.query_D)) for measure in logits))
            found = log_totals(self.head, logits, temperature=self.temperature)
            for place, total in zip(known, found.tolist(), strict=True):
                totals[place] = total
        return totals

    def _answer(
        self,
        question: _Question,
        near: exact.Proposal,
        everywhere: exact.Proposal,
        log_total: float | None,
    ) -> Neighbours:
        """Answer one question from the rows that FAISS proposed."""
        rows, index = self.head.rows, self.head.index
        scores_K, ids_K = self._best(question, near, self.top)
        _, (snap_id,) = exact.nearest(index, rows, question.logits, everywhere, 1)
        tracked_N = np.array(self.tracked, dtype=np.int64)
        return Neighbours(
            source=self.head.source,
            expression=question.concept.expression,
            space=self.space.name,
            score=self.score,
            region=self.region.name,
            index="exact",
            resolved=question.concept.resolved,
            neighbours=self._described(
                question, ids_K, np.arange(1, len(ids_K) + 1), scores_K, log_total
            ),
            snap=self._snap(question, int(snap_id), log_total),
            tracked=self._described(
                question,
                tracked_N,
                self._ranks(question, tracked_N),
                (question.analogy or question.measure).scores(rows, tracked_N),
                log_total,
            ),
        )

    def _best(
        self, question: _Question, near: exact.Proposal, count: int
    ) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """Give the scores and ids of the best tokens, without those that are left out."""
        rows, index, inputs = self.head.rows, self.head.index, question.inputs
        if question.analogy is not None:
            return question.analogy.nearest(index, rows, count, among_N=self._searched(question))
        scores_K, ids_K = exact.nearest(index, rows, question.measure, near, count + len(inputs))
        kept_K = ~np.isin(ids_K, inputs)
        return scores_K[kept_K][:count], ids_K[kept_K][:count]

    def _described(
        self,
        question: _Question,
        ids_N: NDArray[np.int64],
        ranks_N: NDArray[np.int64],
        scores_N: NDArray[np.float64],
        log_total: float | None,
    ) -> tuple[Neighbour, ...]:
        """Say of tokens what is to be said."""
        vocabulary = self.head.vocabulary
        logits_N = question.logits.scores(self.head.rows, ids_N)
        found = zip(
            *(array_N.tolist() for array_N in (ranks_N, ids_N, scores_N, logits_N)), strict=True
        )
        return tuple(
            Neighbour(
                rank=rank,
                id=id_,
                token=vocabulary.token(id_),
                text=vocabulary.text(id_),
                score=score,
                logit=logit,
                probability=self._probability(logit, log_total),
            )
            for rank, id_, score, logit in found
        )

    def _probability(self, logit: float, log_total: float | None) -> float | None:
        """Give the probability of a logit, where there is one."""
        if log_total is None:
            return None
        energy = float(energies(self.head, np.array(logit), temperature=self.temperature))
        return float(np.exp(min(energy - log_total, 0.0)))  # above 0 it is rounding

    def _snap(self, question: _Question, id_: int, log_total: float | None) -> Snap:
        """Say what the head makes of a concept, and what is lost."""
        ids_1 = np.array([id_])
        logit = float(question.logits.scores(self.head.rows, ids_1)[0])
        row_D = self.space.place(self.head.rows.decode(ids_1))[0]
        gap_logit, gap_degrees = gaps(question.vector_D, row_D)
        return Snap(
            id=id_,
            token=self.head.vocabulary.token(id_),
            text=self.head.vocabulary.text(id_),
            logit=logit,
            probability=self._probability(logit, log_total),
            gap_logit=float(gap_logit),
            gap_degrees=float(gap_degrees),
        )

    def _ranks(self, question: _Question, ids_N: NDArray[np.int64]) -> NDArray[np.int64]:
        """Give the ranks of tracked tokens among those that are searched."""
        if not len(ids_N):
            return ids_N
        index, rows, among_N = self.head.index, self.head.rows, self._searched(question)
        if question.analogy is not None:
            return question.analogy.ranks(index, rows, ids_N, among_N=among_N)
        return exact.ranks(index, rows, question.measure, ids_N, among_N=among_N)

    def _searched(self, question: _Question) -> NDArray[np.int64]:
        """Give the tokens that are searched, without those that are left out."""
        return np.setdiff1d(self.region.ids_N, question.inputs, assume_unique=True)
