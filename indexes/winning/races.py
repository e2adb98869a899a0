"""Vectors of the widest margin over the rows that one must beat, for many rows at once."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import faiss
import numpy as np
from numpy.typing import NDArray

from ..progress import Done, step_of
from ..rows import norm
from .field import Field
from .margin import mean_at_zero, widest

# Q rows that are decided; K that come first with a vector; S that a row must beat; U of all of
# them; E values of a whitened row.

_MORE = 128  # rows that come first, taken in each time
_ROUNDS = 12
_NOTHING = 1e-12  # of the longest step: the direction of what is shorter is rounding
_TOGETHER = 1 << 6  # rows of which those to beat are whitened together


@dataclass(eq=False)
class _Race:
    """A row against those that were before it with some vector.

    Attributes
    ----------
    id_ : int
        The row.
    own_E : ndarray of float64
        It, whitened: also what it has more than the mean.
    others_S : ndarray of int64
        The rows that hold it back.
    weights_S : ndarray of float64
        How much; before them, how much the mean does, and the sign of biases.
    wins : int
        1, 0 or -1, as far as it is known.
    """

    id_: int
    own_E: NDArray[np.float64]
    others_S: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, dtype=np.int64))
    weights_S: NDArray[np.float64] = field(default_factory=lambda: np.zeros(2))
    wins: int = -1


def by_margin(among: Field, ids_Q: NDArray[np.int64], done: Done) -> NDArray[np.int8]:
    """Try for each of some rows the vector of the widest margin over those that it must beat.

    These are at first the ones that come first with the whitened row; then those that come first
    with the vector, and so on, until the row itself does, or is a mean of the others.

    Parameters
    ----------
    among : Field
        All rows.
    ids_Q : ndarray of int64
        Which are decided.
    done : callable
        Is told how many are, of all.

    Returns
    -------
    ndarray of int8
        1 where a vector wins, 0 where the row is a mean of others, -1 where neither was found.

    Examples
    --------
    >>> from unembed.indexes.rows import Rows
    >>> rows = Rows(np.array([[1, 0], [0, 1], [-1, -1], [0.1, 0.1]], dtype=np.float32), "F32")
    >>> among = Field(rows, np.arange(4), lengths_V=rows.norms())
    >>> by_margin(among, np.arange(4), lambda done, total: None)
    array([1, 1, 1, 0], dtype=int8)
    """
    vectors_QE = among.whitened(ids_Q)
    races = [_Race(int(id_), own_E) for id_, own_E in zip(ids_Q, vectors_QE.copy(), strict=True)]
    left_Q = np.arange(len(ids_Q))
    with ThreadPoolExecutor(faiss.omp_get_max_threads()) as pool:
        for _ in range(_ROUNDS):
            won_Q, found_QK = among.tried(
                vectors_QE[left_Q], ids_Q[left_Q], _MORE + 1, done=step_of(None, "")
            )
            for q in left_Q[won_Q]:
                races[q].wins = 1
            left_Q, found_QK = left_Q[~won_Q], found_QK[~won_Q]
            runs_Q = np.zeros(len(left_Q), dtype=bool)
            for start in range(0, len(left_Q), _TOGETHER):
                some = slice(start, start + _TOGETHER)
                part = [races[q] for q in left_Q[some]]
                fresh = [
                    np.setdiff1d(found_K, [*race.others_S, race.id_])
                    for race, found_K in zip(part, found_QK[some], strict=True)
                ]
                ids_U = np.unique(np.concatenate([*fresh, *(race.others_S for race in part)]))
                rows_UE = among.whitened(ids_U)

                def turn(race: _Race, fresh_N: NDArray[np.int64]) -> NDArray[np.float64] | None:
                    return _turn(race, fresh_N, among, ids_U, rows_UE)  # noqa: B023

                for q, vector_E in enumerate(pool.map(turn, part, fresh), start):
                    if vector_E is not None:
                        vectors_QE[left_Q[q]], runs_Q[q] = vector_E, True
            left_Q = left_Q[runs_Q]
            done(len(ids_Q) - len(left_Q), len(ids_Q))
            if not len(left_Q):
                break
    return np.array([race.wins for race in races], dtype=np.int8)


def _turn(
    race: _Race,
    fresh_N: NDArray[np.int64],
    among: Field,
    ids_U: NDArray[np.int64],
    rows_UE: NDArray[np.float64],
) -> NDArray[np.float64] | None:
    """Take in the rows that came first; give the next vector, None where there is none to try.

    Rows that do not hold it back are left out again: where they come first once more, they return.
    """
    if not len(fresh_N):  # it beats them by less than rounding
        return None
    others_S = np.append(race.others_S, fresh_N)
    weights_S = np.append(race.weights_S, np.zeros(len(fresh_N)))
    asked_S = np.ones(len(weights_S))
    asked_S[1] = 0.0
    sign_E = np.zeros(len(race.own_E))
    if among.bias_V is not None:
        sign_E[-1] = 1.0
    steps_SE = np.vstack(
        [race.own_E, sign_E, race.own_E - rows_UE[np.searchsorted(ids_U, others_S)]]
    )
    vector_E, found = widest(steps_SE, asked_S, weights_S)
    if not found:
        mean_S = mean_at_zero(steps_SE, asked_S)
        if mean_S is not None:
            if among.is_mean(race.id_, others_S, np.delete(mean_S, 1)):
                race.wins = 0
                return None
            vector_E = mean_S @ steps_SE  # the vector of the widest margin, exactly
            if norm(vector_E) <= _NOTHING * norm(steps_SE).max():
                return None
            weights_S = mean_S / (vector_E @ vector_E)
    kept_S = weights_S[2:] > 0
    race.others_S = others_S[kept_S]
    race.weights_S = np.append(weights_S[:2], weights_S[2:][kept_S])
    return vector_E
