"""Which rows can win, of all: cheap proofs for many at once, a linear programme for what is left.

See docs/winning.md for why each is one.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from ..faiss import MappedIndex
from ..moments import first_equals
from ..progress import Done, Progress, step_of
from ..rows import Rows
from ..store import Arrays, Store, fits
from .field import Field
from .one import decide
from .races import by_margin

# V rows of width D; N ids of a chunk.

STEPS = (
    "undecided",
    "equal row",
    "own row",
    "whitened row",
    "widest margin",
    "linear programme",
)
"""How a row can be decided; the place of one is its code."""

_EQUAL, _OWN, _WHITENED, _MARGIN, _PROGRAMME = range(1, len(STEPS))
_CHUNKS = {_OWN: 1 << 13, _WHITENED: 1 << 13, _MARGIN: 1 << 11, _PROGRAMME: 1}  # rows of each


@dataclass(frozen=True, eq=False)
class Winners:
    """Which rows have the largest product of all with some vector.

    Attributes
    ----------
    wins_V : ndarray of int8
        1 for those that do, 0 for those that do not, -1 where it could not be decided.
    by_V : ndarray of int8
        By what it was decided: a place in `STEPS`.

    Examples
    --------
    >>> Winners(np.array([1, 1, 0], np.int8), np.array([2, 5, 5], np.int8)).counts()
    {'own row': (1, 0), 'linear programme': (1, 1)}
    """

    wins_V: NDArray[np.int8]
    by_V: NDArray[np.int8]

    def counts(self) -> dict[str, tuple[int, int]]:
        """Count, for each step that decided any, the rows that win and those that do not."""
        found = {}
        for code, name in enumerate(STEPS[1:], 1):
            wins_N = self.wins_V[self.by_V == code]
            if len(wins_N):
                found[name] = (int((wins_N == 1).sum()), int((wins_N == 0).sum()))
        return found

    @property
    def undecided(self) -> int:
        """How many rows could not be decided."""
        return int((self.wins_V < 0).sum())


def decide_all(
    index: MappedIndex,
    rows: Rows,
    *,
    lengths_V: NDArray[np.float64],
    bias_V: NDArray[np.float64] | None = None,
    store: Store,
    key: str,
    progress: Progress | None = None,
) -> Winners:
    """Decide for every row whether it can win, as `one.decide` does for one.

    What is known is kept after every chunk of rows, so that a run that was broken off goes on where
    it stood.

    Parameters
    ----------
    index : MappedIndex
        Over `rows`.
    rows : Rows
        V rows of width D.
    lengths_V : ndarray of float64
        Every row's Euclidean norm, `Rows.norms`.
    bias_V : ndarray of float64, optional
        One a row.
    store : Store
        Keeps the entry ``argmax``.
    key : str
        Tells these rows and biases from all others.
    progress : callable, optional
        Is told ``(step, done, total)``.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> rows_VD = np.array([[1, 0], [0, 1], [-1, -1], [0.1, 0.1], [1, 0]], dtype=np.float32)
    >>> rows, store = Rows(rows_VD, "F32"), Store(Path(tempfile.mkdtemp()))
    >>> given = {"lengths_V": rows.norms(), "store": store, "key": "five"}
    >>> found = decide_all(MappedIndex(rows, longest=2.0), rows, **given)
    >>> found.wins_V, found.counts()
    (array([1, 1, 1, 0, 0], dtype=int8), {'equal row': (0, 1), 'own row': (3, 0), \
'widest margin': (0, 1)})
    """
    kept = store.get("argmax", key, lambda kept: _fits(kept, rows.count))
    if kept is None:
        state = _without_equals(rows, bias_V)
    else:
        state = {name: array.copy() for name, array in kept.items()}
    wins_V, by_V, tried_V = state["wins"], state["by"], state["tried"]
    if not ((wins_V < 0) & (tried_V < _PROGRAMME)).any():
        return Winners(wins_V, by_V)
    field = Field(rows, np.flatnonzero(by_V != _EQUAL), lengths_V=lengths_V, bias_V=bias_V)

    def programme(ids_N: NDArray[np.int64], done: Done) -> NDArray[np.int8]:
        verdicts = [
            decide(
                index,
                rows,
                int(id_),
                lengths_V=lengths_V,
                mean_D=field.mean_D,
                bias_V=bias_V,
                done=done,
            )
            for id_ in ids_N
        ]
        wins = [-1 if verdict.wins is None else int(verdict.wins) for verdict in verdicts]
        return np.array(wins, dtype=np.int8)

    steps: dict[int, Callable[[NDArray[np.int64], Done], NDArray[np.int8]]] = {
        _OWN: field.by_own,
        _WHITENED: field.by_whitened,
        _MARGIN: partial(by_margin, field),
        _PROGRAMME: programme,
    }
    for code, step in steps.items():
        left_N = field.order_N[(wins_V < 0)[field.order_N] & (tried_V < code)[field.order_N]]
        done = step_of(progress, f"deciding which tokens can be written: {STEPS[code]}")
        for ids_N, told in _chunks(left_N, _CHUNKS[code], done):
            found_N = step(ids_N, told)
            wins_V[ids_N], tried_V[ids_N] = found_N, code
            by_V[ids_N] = np.where(found_N < 0, 0, code)
            store.put("argmax", key, state)
    return Winners(wins_V, by_V)


def _without_equals(rows: Rows, bias_V: NDArray[np.float64] | None) -> dict[str, NDArray[np.int8]]:
    """Decide the rows that equal others: the one of the largest bias comes before them all.

    Of equal biases the lower id comes first.
    """
    first_V = first_equals(rows)
    ids_V = np.arange(rows.count)
    if bias_V is not None:
        order_V = np.lexsort((ids_V, -bias_V, first_V))
        _, starts_N = np.unique(first_V[order_V], return_index=True)
        best_V = np.zeros(rows.count, dtype=bool)
        best_V[order_V[starts_N]] = True
    else:
        best_V = first_V == ids_V
    return {
        "wins": np.where(best_V, -1, 0).astype(np.int8),
        "by": np.where(best_V, 0, _EQUAL).astype(np.int8),
        "tried": np.full(rows.count, _EQUAL, dtype=np.int8),
    }


def _chunks(
    ids_N: NDArray[np.int64], size: int, done: Done
) -> Iterator[tuple[NDArray[np.int64], Done]]:
    """Cut ids into chunks, each with what tells of it: of how much of its work is done."""
    for start in range(0, len(ids_N), size):
        chunk_N = ids_N[start : start + size]

        def told(part: int, parts: int) -> None:
            done(start + len(chunk_N) * part // parts, len(ids_N))  # noqa: B023

        yield chunk_N, told
        done(start + len(chunk_N), len(ids_N))


def _fits(kept: Arrays, count: int) -> bool:
    """Tell whether a kept entry can be of so many rows."""
    if not fits(kept, dict.fromkeys(("wins", "by", "tried"), (count,)), np.int8):
        return False
    wins_V, by_V, tried_V = kept["wins"], kept["by"], kept["tried"]
    return (
        bool(np.all((wins_V >= -1) & (wins_V <= 1)))
        and bool(np.all((tried_V >= _EQUAL) & (tried_V <= _PROGRAMME)))
        and bool(np.all(np.where(wins_V < 0, by_V == 0, (by_V >= _EQUAL) & (by_V <= tried_V))))
    )
