"""Exact answers: float64 scores, proved complete, equal scores by the lower id."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from .faiss import MappedIndex
from .rows import Rows, norm

# V rows of width D; N ids to score; C candidates; K best; Q queries.

_FIRST_CANDIDATES = 1024  # FAISS gives these in little more than the time of ten
_FIRST_BY_PRODUCT = 128  # the order is nearly theirs already
_GROWTH = 4
_FEW = 64  # rows that are sooner scored than searched
_BLOCK = 1 << 14  # rows
_FLOAT64_SLACK = 2.0**-49  # of what is added to a product: eight roundings, in float64, and room


@dataclass(frozen=True, eq=False)
class NormFit:
    """A vector whose product with a row is nearly the row's norm.

    Attributes
    ----------
    vector_D : ndarray of float64
        u, shape (D,).
    products_V : ndarray of float64
        xᵢ·u for every row.

    Examples
    --------
    >>> NormFit(np.ones(2), np.array([1.0, -3.0])).largest
    3.0
    """

    vector_D: NDArray[np.float64]
    products_V: NDArray[np.float64]

    @cached_property
    def largest(self) -> float:
        """The largest product, its sign left out."""
        return float(np.abs(self.products_V).max())


@dataclass(frozen=True, eq=False)
class Measure:
    """How the product of a row with a query becomes the row's score.

    The score of row i is ``(xᵢ·q + offset + biasᵢ) / (normᵢ · divisor)``: an inner product, a
    logit, or the cosine in any space that is an affine map of the rows. Where hubs are corrected,
    it is ``2 cosine - (hubnessᵢ + own_hubness)``: CSLS.

    Attributes
    ----------
    query_D : ndarray of float64
        q, shape (D,).
    offset : float
        The same for every row.
    bias_V : ndarray of float64, optional
        One a row.
    norms_V : ndarray of float64, optional
        One a row, above zero.
    divisor : float
        The same for every row, above zero.
    fit : NormFit, optional
        Of the norms: makes a search with them fast, and changes no score.
    hubness_V : ndarray of float64, optional
        r(y), one a row.
    own_hubness : float
        r(x), the query's; of no meaning without `hubness_V`.

    Examples
    --------
    >>> rows = Rows(np.array([[9.0, 9.0], [0.0, 1.0]], dtype=np.float32), "F32")
    >>> Measure(np.array([0.0, 1.0]), norms_V=rows.norms()).scores(rows, np.array([1, 0]))
    array([1.        , 0.70710678])
    """

    query_D: NDArray[np.float64]
    offset: float = 0.0
    bias_V: NDArray[np.float64] | None = None
    norms_V: NDArray[np.float64] | None = None
    divisor: float = 1.0
    fit: NormFit | None = None
    hubness_V: NDArray[np.float64] | None = None
    own_hubness: float = 0.0

    def over_norms(
        self, products: float | NDArray[np.float64], ids_N: NDArray[np.int64] | slice
    ) -> NDArray[np.float64]:
        """Give what products of these rows come to over the norms of the rows alone."""
        sums_N = np.asarray(products + self.offset)
        if self.bias_V is not None:
            sums_N = sums_N + self.bias_V[ids_N]
        with np.errstate(over="ignore"):  # a bound over a tiny norm may be infinite
            return sums_N if self.norms_V is None else sums_N / self.norms_V[ids_N]

    def of_products(
        self, products: float | NDArray[np.float64], ids_N: NDArray[np.int64] | slice
    ) -> NDArray[np.float64]:
        """Give the scores that go with products of these rows.

        They rise with the products, as computed too: each step is the rounding of what rises.
        """
        with np.errstate(over="ignore"):
            scores_N = np.asarray(self.over_norms(products, ids_N) / self.divisor)
        if self.hubness_V is None:
            return scores_N
        return 2 * scores_N - (self.hubness_V[ids_N] + self.own_hubness)

    def scores(self, rows: Rows, ids_N: NDArray[np.int64]) -> NDArray[np.float64]:
        """Give the exact scores of some rows, ``float64`` of shape (N,)."""
        return self.of_products(products(rows, self.query_D, ids_N), ids_N)

    def within_reach(
        self, score: float, largest: float | NDArray[np.float64], places: slice
    ) -> NDArray[np.bool_]:
        """Tell of the rows at some places, each or all, whether such a product reaches a score."""
        return self.of_products(largest, places) >= score

    def slack(self) -> float:
        """Bound what is lost when offset and bias are added to a product in float64."""
        bias = 0.0 if self.bias_V is None else float(np.abs(self.bias_V).max())
        return _FLOAT64_SLACK * (abs(self.offset) + bias)


@dataclass(frozen=True, eq=False)
class Proposal:
    """The rows that FAISS gives for one query: those with the largest float32 products.

    What is searched is not q but q - level·u, with u of a `NormFit`. Where the score is a cosine,
    a row's product with it is the norm times what the score exceeds the level by, nearly, and no
    longer the norm times the score: so the rows come in the order of their scores, and not with
    the long ones first.

    Attributes
    ----------
    query_D : ndarray of float64
        q - level·u, shape (D,).
    products_C : ndarray of float64
        Of rows with it, as computed in float32, descending.
    ids_C : ndarray of int64
        Their rows.
    among_N : ndarray of int64, optional
        The ids that were searched, without repeats; all where it is None.
    level : float
        A guess at the cosine of the last row that is wanted, times the measure's divisor.
    fit : NormFit, optional
        None where the level is 0.

    Examples
    --------
    >>> index = MappedIndex(Rows(np.eye(3, dtype=np.float32), "F32"), longest=1.0)
    >>> (found,) = propose(index, [Measure(np.array([1.0, 3.0, 2.0]))], 1)
    >>> found.products_C, found.level
    (array([3., 2., 1.]), 0.0)
    """

    query_D: NDArray[np.float64]
    products_C: NDArray[np.float64]
    ids_C: NDArray[np.int64]
    among_N: NDArray[np.int64] | None
    level: float = 0.0
    fit: NormFit | None = None

    def lift(self, ids_N: NDArray[np.int64] | slice) -> float | NDArray[np.float64]:
        """Give what a product that was found lacks to the product with q."""
        return 0.0 if self.fit is None else self.level * self.fit.products_V[ids_N]

    def error(self, index: MappedIndex, measure: Measure) -> float:
        """Bound what a product is off by, the float64 additions after it included."""
        slack = measure.slack()
        if self.fit is not None:
            slack += _FLOAT64_SLACK * abs(self.level) * self.fit.largest
            # Two sums of D products in float64, of level·u and of what is lifted by, are off by at
            # most 2D 2⁻⁵³ |level| ‖u‖ max‖x‖ together: below 2⁻²⁸ of the error in float32.
            slack += 2.0**-28 * index.error(abs(self.level) * float(norm(self.fit.vector_D)))
        return index.error(float(norm(self.query_D))) + slack


def products(
    rows: Rows, query_D: NDArray[np.float64], ids_N: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Give the exact product of a query with some rows.

    Every row is summed by itself and in the same order, so that its product does not depend on the
    rows beside it and equal rows have equal products to the last bit (a BLAS product promises
    neither).

    Returns
    -------
    ndarray of float64
        Shape (N,), in the order of `ids_N`.

    Examples
    --------
    >>> rows = Rows(np.eye(3, dtype=np.float32), "F32")
    >>> products(rows, np.array([1.0, 3.0, 2.0]), np.array([2, 0]))
    array([2., 1.])
    """
    products_N = np.empty(len(ids_N))
    for places, block_ND in rows.blocks(ids_N):
        products_N[places] = (block_ND * query_D).sum(axis=1)
    return products_N


def propose(
    index: MappedIndex,
    measures: Sequence[Measure],
    k: int,
    *,
    among_N: NDArray[np.int64] | None = None,
) -> list[Proposal]:
    """Ask FAISS for the first candidates of every query, all queries in one pass.

    The levels of queries whose norms are fitted come from the index's sample of the rows.

    Examples
    --------
    >>> index = MappedIndex(Rows(np.eye(3, dtype=np.float32), "F32"), longest=1.0)
    >>> propose(index, [Measure(np.array([1.0, 3.0, 2.0]))], 1)[0].ids_C
    array([1, 2, 0])
    """
    searched = index.count if among_N is None else len(among_N)
    by_product = all(measure.norms_V is None for measure in measures)
    count = min(max(2 * k, _FIRST_BY_PRODUCT if by_product else _FIRST_CANDIDATES), searched)
    levels = _levels(index, measures, k, count, among_N)
    fits = [measure.fit for measure in measures]
    queries_QD = np.array([measure.query_D for measure in measures])
    for place, (fit, level) in enumerate(zip(fits, levels, strict=True)):
        if fit is not None and level:
            queries_QD[place] -= level * fit.vector_D
    found_QC = index.products(queries_QD, count, among_N=among_N)
    return [
        Proposal(query_D, found_C, ids_C, among_N, level, fit if level else None)
        for query_D, found_C, ids_C, level, fit in zip(
            queries_QD, *found_QC, levels, fits, strict=True
        )
    ]


def _levels(
    index: MappedIndex,
    measures: Sequence[Measure],
    k: int,
    count: int,
    among_N: NDArray[np.int64] | None,
) -> list[float]:
    """Guess the k-th row's cosine, times the divisor, of each query with a fit; 0 for others."""
    levels = [0.0] * len(measures)
    fitted = [place for place, measure in enumerate(measures) if measure.fit is not None]
    if not fitted:
        return levels
    sampled_N = among_N if among_N is None else among_N[among_N < index.sample.count]
    if not 0 < count <= (index.sample.count if sampled_N is None else len(sampled_N)):
        return levels
    queries_QD = np.array([measures[place].query_D for place in fitted])
    found_QC = index.sample.products(queries_QD, count, among_N=sampled_N)
    kth = min(k, count)
    for place, products_C, ids_C in zip(fitted, *found_QC, strict=True):
        measure = measures[place]
        at = np.argpartition(measure.of_products(products_C, ids_C), -kth)[-kth]
        levels[place] = float(measure.over_norms(products_C, ids_C)[at])
    return levels


def nearest(
    index: MappedIndex, rows: Rows, measure: Measure, proposal: Proposal, k: int
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Give the k best rows, exactly.

    Every true product lies within `Proposal.error` of the one that FAISS gives, so every score
    lies in an interval. Of the rows that were not proposed none has a product above the last one
    proposed; those that could still reach the k-th score with it, for their norm is small or
    their bias large, are searched in turn, until there are few. What was ruled out stays so, for
    the k-th score only rises. What can be in the answer is then scored in float64.

    Parameters
    ----------
    index : MappedIndex
        Over `rows`.
    rows : Rows
        V rows of width D.
    measure : Measure
        What a score is.
    proposal : Proposal
        The first candidates for the measure's query, by `propose`, with room for k.
    k : int
        How many; fewer come where fewer rows are searched.

    Returns
    -------
    scores_K : ndarray of float64
        Descending.
    ids_K : ndarray of int64
        Their rows; equal scores come by the lower id.

    Examples
    --------
    >>> rows = Rows(np.array([[9.0, 9.0], [0.0, 1.0]], dtype=np.float32), "F32")
    >>> index = MappedIndex(rows, longest=13.0)
    >>> measure = Measure(np.array([0.0, 1.0]), norms_V=rows.norms())
    >>> nearest(index, rows, measure, propose(index, [measure], 1)[0], 1)
    (array([1.]), array([1]))
    """
    if not len(proposal.ids_C):
        return np.empty(0), np.empty(0, dtype=np.int64)
    k = min(k, len(proposal.ids_C))
    error = proposal.error(index, measure)
    products_C, ids_C = proposal.products_C, proposal.ids_C
    unseen_V = _searched(index, proposal.among_N)
    while True:
        lifted_C = products_C + proposal.lift(ids_C)
        kth_low = np.partition(measure.of_products(lifted_C - error, ids_C), -k)[-k]
        unseen_V[ids_C] = False
        unseen_N = _in_reach(measure, proposal, unseen_V, kth_low, float(products_C[-1]) + error)
        if len(unseen_N) <= _FEW:
            break
        count = min(_GROWTH * len(ids_C), len(unseen_N))
        (more_C,), (more_N,) = index.products(proposal.query_D[None], count, among_N=unseen_N)
        products_C, ids_C = np.append(products_C, more_C), np.append(ids_C, more_N)
    kept_N = ids_C[measure.of_products(lifted_C + error, ids_C) >= kth_low]
    kept_N = np.append(kept_N, unseen_N)
    scores_N = measure.scores(rows, kept_N)
    order_K = np.lexsort((kept_N, -scores_N))[:k]
    return scores_N[order_K], kept_N[order_K]


def ranks(
    index: MappedIndex,
    rows: Rows,
    measure: Measure,
    ids_N: NDArray[np.int64],
    *,
    among_N: NDArray[np.int64] | None = None,
) -> NDArray[np.int64]:
    """Give the exact rank, from 1, that each row has or would have among the searched ones.

    It is one more than the number of other searched rows that come before it: those of a higher
    score, or of an equal one and a lower id.

    Examples
    --------
    >>> rows = Rows(np.eye(3, dtype=np.float32), "F32")
    >>> measure = Measure(np.array([1.0, 3.0, 2.0]))
    >>> ranks(MappedIndex(rows, longest=1.0), rows, measure, np.array([0, 1]))
    array([3, 1])
    """
    searched = index.count if among_N is None else len(among_N)
    (products_C,), (ids_C,) = index.products(measure.query_D[None], searched, among_N=among_N)
    error = index.error(float(norm(measure.query_D))) + measure.slack()
    lows_C = measure.of_products(products_C - error, ids_C)
    highs_C = measure.of_products(products_C + error, ids_C)
    ranks_N = np.empty(len(ids_N), dtype=np.int64)
    for place, (id_, score) in enumerate(zip(ids_N, measure.scores(rows, ids_N), strict=True)):
        open_C = ids_C[(lows_C <= score) & (highs_C >= score) & (ids_C != id_)]
        scores_C = measure.scores(rows, open_C)
        before = np.count_nonzero((scores_C > score) | ((scores_C == score) & (open_C < id_)))
        ranks_N[place] = 1 + np.count_nonzero((lows_C > score) & (ids_C != id_)) + before
    return ranks_N


def _in_reach(
    measure: Measure, proposal: Proposal, unseen_V: NDArray[np.bool_], score: float, last: float
) -> NDArray[np.int64]:
    """Give the unseen rows that a product found of at most `last` can bring to a score."""
    found = []
    for start in range(0, len(unseen_V), _BLOCK):  # blocks that stay in the processor's cache
        rows = slice(start, start + _BLOCK)
        reached = measure.within_reach(score, last + proposal.lift(rows), rows)
        found.append(start + np.flatnonzero(unseen_V[rows] & reached))
    return np.concatenate(found)


def _searched(index: MappedIndex, among_N: NDArray[np.int64] | None) -> NDArray[np.bool_]:
    """Mark the rows that are searched."""
    if among_N is None:
        return np.ones(index.count, dtype=bool)
    searched_V = np.zeros(index.count, dtype=bool)
    searched_V[among_N] = True
    return searched_V
