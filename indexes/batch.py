"""Many queries at once: exact answers at nearly the speed of their products alone.

See docs/batch.md for the proof.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..errors import UsageError
from .arithmetic import float_products, screening_products
from .exact import Measure
from .progress import Done
from .rows import Rows
from .sweep import Search, Tile

if TYPE_CHECKING:
    from .scoring import Judging

# Q queries; V rows of width D, N of them searched; B rows of a block; K best; P pairs of a query
# and a row; X excluded. A place is one among the N; an id is one among the V.

_ROOM = 1 << 9  # candidates of a query
_SAMPLE = 1 << 10  # queries that the arithmetic is chosen by


@dataclass(frozen=True, eq=False)
class Asked:
    """What is asked of each query: the k best by one measure.

    Attributes
    ----------
    measures : sequence of Measure
        What a score is, for each query; norms, biases and hubness are the same arrays for all.
    k : int
        How many; fewer come where fewer rows are searched.

    Examples
    --------
    >>> Asked([Measure(np.array([1.0, 3.0, 2.0]))], 2).k
    2
    """

    measures: Sequence[Measure]
    k: int


def nearest_each(
    rows: Rows,
    measures: Sequence[Measure],
    k: int,
    *,
    lengths_V: NDArray[np.float64],
    among_N: NDArray[np.int64] | None = None,
    done: Done,
    device: str = "cpu",
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Give the k best rows for each of many queries, exactly.

    The answers are those of `exact.nearest`, to the last bit, whatever the number of threads and
    the device.

    Parameters
    ----------
    rows : Rows
        V rows of width D.
    measures : sequence of Measure
        What a score is, for each query; norms, biases and hubness are the same arrays for all.
    k : int
        How many; fewer come where fewer rows are searched.
    lengths_V : ndarray of float64
        Every row's Euclidean norm, `Rows.norms`.
    among_N : ndarray of int64, optional
        The ids to search, without repeats; all where it is None.
    done : callable
        Is told how many blocks of rows were met by how many tiles of queries, of all.
    device : str
        Where products are taken: ``"cpu"``, ``"cuda"`` or ``"cuda:N"``.

    Returns
    -------
    scores_QK : ndarray of float64
        Descending.
    ids_QK : ndarray of int64
        Their rows; equal scores come by the lower id.

    Raises
    ------
    UsageError
        There is no such device, or it has no memory left.

    Examples
    --------
    >>> rows = Rows(np.eye(3, dtype=np.float32), "F32")
    >>> measures = [Measure(np.array([1.0, 3.0, 2.0])), Measure(np.array([0.0, 0.0, -1.0]))]
    >>> nearest_each(rows, measures, 2, lengths_V=rows.norms(), done=lambda done, total: None)
    (array([[3., 2.],
           [0., 0.]]), array([[1, 2],
           [0, 1]]))
    """
    asked = [Asked(measures, k)]
    (found,) = nearest_by_each(
        rows, asked, lengths_V=lengths_V, among_N=among_N, done=done, device=device
    )
    return found


def nearest_by_each(
    rows: Rows,
    asked: Sequence[Asked],
    *,
    lengths_V: NDArray[np.float64],
    among_N: NDArray[np.int64] | None = None,
    done: Done,
    device: str = "cpu",
) -> list[tuple[NDArray[np.float64], NDArray[np.int64]]]:
    """Give the best rows for each of many queries by each of some measures, exactly.

    A row's product with a query is taken once for all of its measures.

    Parameters
    ----------
    rows, lengths_V, among_N, done, device
        As for `nearest_each`.
    asked : sequence of Asked
        What is asked; the measures of a query have the same `query_D`.

    Returns
    -------
    list of tuple
        For each that is asked what `nearest_each` gives.

    Raises
    ------
    UsageError
        The measures of a query differ in `query_D`, there is no such device, or it has no memory
        left.

    Examples
    --------
    >>> rows = Rows(np.array([[2.0, 0.0], [0.6, 0.8]], dtype=np.float32), "F32")
    >>> query_D = np.array([1.0, 1.0])
    >>> asked = [Asked([Measure(query_D)], 1), Asked([Measure(query_D, norms_V=rows.norms())], 1)]
    >>> found = nearest_by_each(
    ...     rows, asked, lengths_V=rows.norms(), done=lambda done, total: None
    ... )
    >>> [ids_QK.tolist() for _, ids_QK in found]
    [[[0]], [[1]]]
    """
    measures = _checked(asked)
    count = rows.count if among_N is None else len(among_N)
    ks = [min(ask.k, count) for ask in asked]
    found = [(np.empty((len(measures), k)), np.empty((len(measures), k), np.int64)) for k in ks]
    if not len(measures) or not all(ks):
        return found
    lengths_N = lengths_V if among_N is None else lengths_V[among_N]
    sample = measures[:: -(-len(measures) // _SAMPLE)]
    products = screening_products(
        *(rows, among_N, lengths_N, np.array([measure.query_D for measure in sample]), max(ks)),
        device=device,
    )
    from .scoring import judging_of

    with Search.over(rows, among_N, lengths_N, products) as search:
        given = (search.ids_N, lengths_N, products.unit)
        judgings = [judging_of(ask.measures, *given) for ask in asked]
        for tile in search.tiles(measures, sum(16 * _ROOM + 24 * k for k in ks), done):
            into = [(scores_QK[tile.queries], ids_QK[tile.queries]) for scores_QK, ids_QK in found]
            _nearest(tile, judgings, into)
    return found


def ranks_each(
    rows: Rows,
    measures: Sequence[Measure],
    targets_Q: NDArray[np.int64],
    *,
    lengths_V: NDArray[np.float64],
    among_N: NDArray[np.int64] | None = None,
    excluded: Sequence[NDArray[np.int64]] | None = None,
    done: Done,
    device: str = "cpu",
) -> NDArray[np.int64]:
    """Give the exact rank, from 1, of one row for each of many queries.

    It is one more than the number of other searched rows that come before it: those of a higher
    score, or of an equal one and a lower id. The row itself need not be searched.

    Parameters
    ----------
    rows : Rows
        V rows of width D.
    measures : sequence of Measure
        What a score is, for each query; norms, biases and hubness are the same arrays for all.
    targets_Q : ndarray of int64
        The ids of the rows.
    lengths_V : ndarray of float64
        Every row's Euclidean norm, `Rows.norms`.
    among_N : ndarray of int64, optional
        The ids to search, without repeats; all where it is None.
    excluded : sequence of ndarray of int64, optional
        For each query the few ids that are not searched.
    done : callable
        Is told how many blocks of rows were met by how many tiles of queries, of all.
    device : str
        Where products are taken: ``"cpu"``, ``"cuda"`` or ``"cuda:N"``.

    Returns
    -------
    ndarray of int64
        Shape (Q,).

    Raises
    ------
    UsageError
        There is no such device, or it has no memory left.

    Examples
    --------
    >>> rows = Rows(np.eye(3, dtype=np.float32), "F32")
    >>> measures, told = [Measure(np.array([1.0, 3.0, 2.0]))] * 2, lambda done, total: None
    >>> given = {"lengths_V": rows.norms(), "done": told}
    >>> ranks_each(rows, measures, np.array([0, 1]), **given)
    array([3, 1])
    >>> ranks_each(rows, measures, np.array([0, 1]), excluded=[np.array([2])] * 2, **given)
    array([2, 1])
    """
    from .scoring import judging_of
    from .sift import tally

    before_Q = np.zeros(len(measures), dtype=np.int64)
    count = rows.count if among_N is None else len(among_N)
    if not count or not len(measures):
        return before_Q + 1
    lengths_N = lengths_V if among_N is None else lengths_V[among_N]
    products = float_products(rows, among_N, lengths_N, device=device)
    with Search.over(rows, among_N, lengths_N, products) as search:
        whole = judging_of(measures, search.ids_N, lengths_N, products.unit)
        for tile in search.tiles(measures, rows.width * 8, done):
            queries = tile.queries
            scores_Q = tile.scores(np.arange(len(tile.measures)), targets_Q[queries])
            known = (targets_Q[queries], scores_Q, before_Q[queries])
            tile.sweep([(tally, tile.judging(whole), known)])
            if excluded is not None:
                before_Q[queries] -= _before(tile, targets_Q[queries], scores_Q, excluded[queries])
    return before_Q + 1


def _checked(asked: Sequence[Asked]) -> Sequence[Measure]:
    """Give the measures of the first that is asked; refuse others that have other queries."""
    measures = asked[0].measures if asked else []
    for ask in asked:
        if ask.k < 1:
            raise UsageError(f"k is {ask.k}; it must be at least 1")
        if len(ask.measures) != len(measures):
            raise UsageError(
                f"{len(measures)} and {len(ask.measures)} measures are asked for together; give "
                "one for each query"
            )
        for place, (one, other) in enumerate(zip(measures, ask.measures, strict=True)):
            if one.query_D is not other.query_D and not np.array_equal(one.query_D, other.query_D):
                raise UsageError(
                    f"the measures of query {place} differ in query_D; ask for them one by one"
                )
    return measures


def _nearest(
    tile: Tile,
    judgings: Sequence["Judging"],
    into: Sequence[tuple[NDArray[np.float64], NDArray[np.int64]]],
) -> None:
    """Put the best rows of a tile's queries in their places, by each judging."""
    from .sift import empty, settle, sift

    count = len(tile.measures)
    states = [
        (tile.judging(whole), empty(count, scores_QK.shape[1], _ROOM))
        for whole, (scores_QK, _) in zip(judgings, into, strict=True)
    ]
    tile.sweep([(sift, judging, (kept,)) for judging, kept in states])
    for (judging, kept), (scores_QK, ids_QK) in zip(states, into, strict=True):

        def finish(first: int, last: int) -> None:
            settle(first, last, tile.decoder, tile.exact, judging, kept)  # noqa: B023

        tile.search.share(count, finish)
        order_QK = np.lexsort((kept.ids_QK, -kept.scores_QK))
        scores_QK[:] = np.take_along_axis(kept.scores_QK, order_QK, axis=1)
        ids_QK[:] = np.take_along_axis(kept.ids_QK, order_QK, axis=1)


def _before(
    tile: Tile,
    targets_Q: NDArray[np.int64],
    scores_Q: NDArray[np.float64],
    excluded: Sequence[NDArray[np.int64]],
) -> NDArray[np.int64]:
    """Count for each query of a tile the excluded rows that are searched and come before."""
    searched_V = np.zeros(tile.search.rows.count, dtype=bool)
    searched_V[tile.search.ids_N] = True
    unique = [np.unique(ids_X[searched_V[ids_X]]) for ids_X in excluded]
    q_P = np.repeat(np.arange(len(unique)), [len(ids_X) for ids_X in unique])
    ids_P = np.concatenate(unique)
    scores_P = tile.scores(q_P, ids_P)
    ties_P = (scores_P == scores_Q[q_P]) & (ids_P < targets_Q[q_P])
    return np.bincount(q_P[(scores_P > scores_Q[q_P]) | ties_P], minlength=len(unique))
