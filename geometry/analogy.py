"""3CosMul: names that multiply, so that no single likeness decides."""

from collections.abc import Iterable
from dataclasses import dataclass
from numbers import Real

import numpy as np
from numpy.typing import NDArray

from ..errors import UsageError
from ..indexes.exact import Measure
from ..indexes.faiss import MappedIndex
from ..indexes.rows import Rows, norm
from .concepts.compose import Composer
from .concepts.grammar import Name, Sum, parse, quoted

# N rows; K best.

_SMALL = 1e-6  # gensim's and the paper's: nothing is divided by zero


@dataclass(frozen=True, eq=False)
class Analogy:
    """What is near the added names and far from the subtracted ones, by 3CosMul.

    The score of a row y is ∏ s(y, a) / (∏ s(y, b) + 10⁻⁶) over the added names a and the subtracted
    ones b, with s = (1 + cos) / 2 in the space: equation 4 of Levy and Goldberg 2014, *Linguistic
    regularities in sparse and explicit word representations*, with any number of names, as
    gensim's ``most_similar_cosmul`` has it.

    Attributes
    ----------
    added, subtracted : tuple of Measure
        The cosine of rows with each name.

    Examples
    --------
    >>> rows = Rows(np.array([[1, 0], [0, 1], [1, 1]], dtype=np.float32), "F32")
    >>> one, other = (Measure(axis_D, norms_V=rows.norms()) for axis_D in np.eye(2))
    >>> Analogy((one,), (other,)).scores(rows, np.arange(3)).round(3).tolist()
    [2.0, 0.5, 1.0]
    """

    added: tuple[Measure, ...]
    subtracted: tuple[Measure, ...]

    def scores(self, rows: Rows, ids_N: NDArray[np.int64]) -> NDArray[np.float64]:
        """Give the exact scores of some rows, ``float64`` of shape (N,)."""
        over_N, under_N = np.ones(len(ids_N)), np.ones(len(ids_N))
        for measure in self.added:
            over_N *= _likeness(measure.scores(rows, ids_N))
        for measure in self.subtracted:
            under_N *= _likeness(measure.scores(rows, ids_N))
        return over_N / (under_N + _SMALL)

    def nearest(
        self, index: MappedIndex, rows: Rows, k: int, *, among_N: NDArray[np.int64]
    ) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """Give the k best of some rows, exactly; equal scores by the lower id.

        Every likeness lies in an interval about that of a float32 product, and the score rises or
        falls with each; rows whose highest score reaches the k-th lowest are scored in float64.

        Returns
        -------
        scores_K : ndarray of float64
            Descending.
        ids_K : ndarray of int64
            Their rows; fewer than k where fewer are searched.
        """
        k = min(k, len(among_N))
        if not k:
            return np.empty(0), np.empty(0, dtype=np.int64)
        lows_N, highs_N = self._bounds(index, among_N)
        kept_N = among_N[highs_N >= np.partition(lows_N, -k)[-k]]
        scores_N = self.scores(rows, kept_N)
        order_K = np.lexsort((kept_N, -scores_N))[:k]
        return scores_N[order_K], kept_N[order_K]

    def ranks(
        self,
        index: MappedIndex,
        rows: Rows,
        ids_N: NDArray[np.int64],
        *,
        among_N: NDArray[np.int64],
    ) -> NDArray[np.int64]:
        """Give the exact rank, from 1, that each row has or would have, as `exact.ranks` does."""
        lows_N, highs_N = self._bounds(index, among_N)
        ranks = []
        for id_, score in zip(ids_N, self.scores(rows, ids_N), strict=True):
            others_N = among_N != id_
            open_N = among_N[(lows_N <= score) & (highs_N >= score) & others_N]
            scores_N = self.scores(rows, open_N)
            before = np.count_nonzero((scores_N > score) | ((scores_N == score) & (open_N < id_)))
            ranks.append(1 + before + np.count_nonzero((lows_N > score) & others_N))
        return np.array(ranks, dtype=np.int64)

    def _bounds(
        self, index: MappedIndex, among_N: NDArray[np.int64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Give a score that each row reaches, and one that it does not exceed.

        They are computed as the score is, step by step, so that rounding keeps their order.
        """
        over_2N, under_2N = np.ones((2, len(among_N))), np.ones((2, len(among_N)))
        for measure in self.added:
            over_2N *= _bounded(measure, index, among_N)
        for measure in self.subtracted:
            under_2N *= _bounded(measure, index, among_N)
        lows_N, highs_N = over_2N / (under_2N[::-1] + _SMALL)
        return lows_N, highs_N


def terms_of(query: object) -> tuple[tuple[float, str], ...]:
    """Give the names of a query that is a sum of names, each added or subtracted as it is.

    Returns
    -------
    tuple of (float, str)
        1 or -1, and the name, written as an expression.

    Raises
    ------
    UsageError
        It is another query, or nothing is added.

    Examples
    --------
    >>> terms_of("king - man + woman"), terms_of([("hot dog", 1), (1234, -1)])
    (((1.0, 'king'), (-1.0, 'man'), (1.0, 'woman')), ((1.0, '"hot dog"'), (-1.0, '#1234')))
    """
    terms = _of_text(query) if isinstance(query, str) else _of_pairs(query)
    weights = {weight for weight, _ in terms}
    if not weights <= {1.0, -1.0} or 1.0 not in weights:
        raise UsageError(
            f"cosmul multiplies names that are added or subtracted as they are, at least one "
            f"added, as in king - man + woman; {query!r} is no such sum"
        )
    return terms


def open_analogy(composer: Composer, terms: Iterable[tuple[float, str]]) -> Analogy:
    """Give the analogy of some names in a space.

    Parameters
    ----------
    composer : Composer
        In which space cosines are taken, and how names become vectors.
    terms : iterable of (float, str)
        As `terms_of` gives them.

    Raises
    ------
    ExpressionError
        A name is unknown or its vector is zero.

    Examples
    --------
    >>> import unembed
    >>> from unembed.geometry.concepts.compose import composer_of
    >>> composer = composer_of(unembed.open_head("demo"), space="cosine")
    >>> analogy = open_analogy(composer, terms_of("king - man + woman"))
    >>> len(analogy.added), len(analogy.subtracted)
    (2, 1)
    """
    measures: dict[float, list[Measure]] = {1.0: [], -1.0: []}
    for weight, name in terms:
        unit_D = composer.expression(name).unit().vector_D
        measures[weight].append(composer.space.measure(unit_D, cosine=True))
    return Analogy(tuple(measures[1.0]), tuple(measures[-1.0]))


def _of_text(expression: str) -> tuple[tuple[float, str], ...]:
    """Give the weighted names of an expression, none where it has other parts."""
    node = parse(expression)
    parts = node.terms if isinstance(node, Sum) else ((1.0, node),)
    names = [(weight, part) for weight, part in parts if isinstance(part, Name)]
    whole = len(names) == len(parts)
    return tuple((weight, _written(name)) for weight, name in names) if whole else ()


def _of_pairs(query: object) -> tuple[tuple[float, str], ...]:
    """Give the weighted names of pairs, none where it is no such list or a key is a vector."""
    pairs = query if isinstance(query, list | tuple) else ()
    terms = []
    for pair in pairs:
        is_pair = isinstance(pair, list | tuple) and len(pair) == 2
        key, weight = pair if is_pair else (None, None)
        if not isinstance(key, str | int | np.integer) or not isinstance(weight, Real):
            return ()
        kind = "phrase" if isinstance(key, str) else "id"
        terms.append((float(weight), _written(Name(kind, str(key), 1))))
    return tuple(terms)


def _written(name: Name) -> str:
    """Write a name as an expression of the same kind."""
    if name.kind in {"word", "emoji"}:
        return name.text
    if name.kind == "id":
        return f"#{name.text}"
    phrase = quoted(name.text)
    return phrase if name.kind == "phrase" else f"token({phrase})"


def _bounded(
    measure: Measure, index: MappedIndex, among_N: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Give the least and the largest that a likeness can be for its float32 product, (2, N)."""
    (products_N,), (ids_N,) = index.products(measure.query_D[None], len(among_N), among_N=among_N)
    error = index.error(float(norm(measure.query_D))) + measure.slack()
    bounds_2V = np.empty((2, index.count))
    bounds_2V[0, ids_N] = measure.of_products(products_N - error, ids_N)
    bounds_2V[1, ids_N] = measure.of_products(products_N + error, ids_N)
    return _likeness(bounds_2V[:, among_N])


def _likeness(cosines: NDArray[np.float64]) -> NDArray[np.float64]:
    """Bring cosines to 0 to 1."""
    return np.clip((1 + cosines) / 2, 0.0, 1.0)
