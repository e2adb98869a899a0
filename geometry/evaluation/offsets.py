"""What completes an analogy, by two measures, for many questions in one pass over the rows."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from ...indexes.progress import Progress, step_of
from ..heads.unembedding import Unembedding
from ..space import Space
from ..tokens.vocabulary import Vocabulary
from .cosines import Block, Cosines

# Q questions a : b = c : ?, P pairs a, b, W tokens in them; V rows in blocks of B, these in S runs
# of R; N of the questions, their runs or their rows.

MEASURES = ("cosadd", "cosmul")
EPSILON = 1e-6  # Levy and Goldberg's, and gensim's: keeps 3CosMul from dividing by zero
NOTHING = -1
_MOST_TOKENS = 1024  # at a time
_MOST_KEPT = 1 << 20  # rows of all questions
_RUN = 32  # rows that one bound stands for: it rules nearly all of them out
_MOST_QUESTIONS = 2048  # whose bounds are taken at once
_MOST_RUNS = 8192  # whose rows are scored at once


@dataclass(frozen=True, eq=False)
class Answers:
    """The tokens that complete analogies.

    Attributes
    ----------
    strict : dict of str to ndarray of int64
        For each of `MEASURES` the best of all tokens but a, b and c, shape (Q,).
    spellings_left_out : dict of str to ndarray of int64
        The same with every other spelling of a, b and c left out too.

    Examples
    --------
    >>> Answers({"cosadd": np.array([5])}, {"cosadd": np.array([NOTHING])}).strict["cosadd"]
    array([5])
    """

    strict: dict[str, NDArray[np.int64]]
    spellings_left_out: dict[str, NDArray[np.int64]]


def answers(
    head: Unembedding,
    space: Space,
    questions_Q3: NDArray[np.int64],
    *,
    progress: Progress | None = None,
) -> Answers:
    """Give the token that completes each analogy "a is to b as c is to ?".

    3CosAdd takes the row with the largest cos(x, b) - cos(x, a) + cos(x, c) (Mikolov, Yih and Zweig
    2013), 3CosMul the one with the largest p(b) p(c) / (p(a) + ε), with p(w) = (1 + cos(x, w)) / 2
    and ε = 1e-6 (Levy and Goldberg 2014, equation 5). Cosines are taken in the space, over all
    known rows but those of a, b and c; once more without those of their other spellings. These are
    all tokens whose text is the same but for white space around it and for case
    (``text.strip().casefold()``). Float32 leaves a few rows for each question, with a bound of what
    it may be off by; these are scored in float64.

    Parameters
    ----------
    head : Unembedding
        Whose rows.
    space : Space
        Where the angles are taken.
    questions_Q3 : ndarray of int64
        The known tokens a, b and c of each question, shape (Q, 3).
    progress : callable, optional
        Is told ``(step, done, total)``.

    Returns
    -------
    Answers
        Of equal scores the lower id; `NOTHING` (-1) where no row is left.

    Examples
    --------
    >>> import unembed
    >>> from unembed.geometry.space import open_space
    >>> head = unembed.open_head("demo-bytes")
    >>> ids = [head.vocabulary.id_of(text) for text in (" man", " woman", " uncle")]
    >>> found = answers(head, open_space(head), np.array([ids]))
    >>> head.vocabulary.text(int(found.strict["cosadd"][0]))
    ' Uncle'
    >>> head.vocabulary.text(int(found.spellings_left_out["cosadd"][0]))
    ' aunt'
    """
    strict, left_out = (
        {name: np.full(len(questions_Q3), NOTHING, dtype=np.int64) for name in MEASURES}
        for _ in range(2)
    )
    forms_V = _forms(head.vocabulary, np.unique(questions_Q3))
    for start, stop in _portions(questions_Q3):
        ids_Q3 = questions_Q3[start:stop]
        search = _Search(Cosines.of(head, space, np.unique(ids_Q3)), ids_Q3, forms_V)
        search.run(progress)
        for name in MEASURES:
            strict[name][start:stop], left_out[name][start:stop] = search.best(name)
    return Answers(strict, left_out)


def _forms(vocabulary: Vocabulary, ids_W: NDArray[np.int64]) -> NDArray[np.int64]:
    """Give every row the number of the word that it spells: of those asked for, else -1."""
    forms_V = np.full(len(vocabulary), -1, dtype=np.int64)
    numbers: dict[str, int] = {}
    for id_ in ids_W.tolist():
        if (text := vocabulary.text(id_)) is not None:
            numbers.setdefault(text.strip().casefold(), len(numbers))
    for id_ in np.flatnonzero(vocabulary.known_V).tolist():
        if (text := vocabulary.text(id_)) is not None:
            forms_V[id_] = numbers.get(text.strip().casefold(), -1)
    return forms_V


def _portions(questions_Q3: NDArray[np.int64]) -> Iterator[tuple[int, int]]:
    """Divide questions so that each portion has no more than so many tokens."""
    start, seen = 0, set[int]()
    for place, tokens in enumerate(questions_Q3.tolist()):
        if len(seen.union(tokens)) > _MOST_TOKENS:
            yield start, place
            start, seen = place, set()
        seen.update(tokens)
    if start < len(questions_Q3):
        yield start, len(questions_Q3)


@dataclass(frozen=True, eq=False)
class _Rows:
    """Rows that may be answers."""

    questions_N: NDArray[np.int64]
    ids_N: NDArray[np.int64]
    highs_N: NDArray[np.float32]  # what their scores may be
    spelled_N: NDArray[np.bool_]  # whether they are another spelling of a question's word

    @classmethod
    def joined(cls, parts: Sequence[Self]) -> Self:
        """Put rows together."""
        return cls(
            np.concatenate([np.empty(0, dtype=np.int64), *(each.questions_N for each in parts)]),
            np.concatenate([np.empty(0, dtype=np.int64), *(each.ids_N for each in parts)]),
            np.concatenate([np.empty(0, dtype=np.float32), *(each.highs_N for each in parts)]),
            np.concatenate([np.empty(0, dtype=np.bool_), *(each.spelled_N for each in parts)]),
        )

    def __getitem__(self, chosen_N: NDArray[np.bool_] | NDArray[np.int64]) -> "_Rows":
        """Choose some."""
        return _Rows(
            self.questions_N[chosen_N],
            self.ids_N[chosen_N],
            self.highs_N[chosen_N],
            self.spelled_N[chosen_N],
        )


@dataclass(frozen=True, eq=False)
class _Tables:
    """What a block's rows gain and lose by each token: at most, for one measure.

    The parts of a score are added or multiplied. It rises with each of them, in float32 too, so the
    largest parts of a run of rows bound the scores of all its rows.
    """

    name: str
    block: Block
    gains_WB: NDArray[np.float32]  # by b and c
    losses_WB: NDArray[np.float32]  # by a

    @classmethod
    def of(cls, name: str, block: Block) -> Self:
        """Derive them."""
        if name == "cosadd":
            gains_WB, losses_WB = block.cosines_WB + block.error_B, block.error_B - block.cosines_WB
        else:
            gains_WB = (1 + block.cosines_WB + block.error_B) / 2
            losses_WB = np.reciprocal(np.maximum(gains_WB - block.error_B, 0) + np.float32(EPSILON))
            np.maximum(gains_WB, 0, out=gains_WB)
        return cls(name, block, gains_WB, losses_WB)

    @property
    def joined(self) -> np.ufunc:
        """How parts make a score."""
        return np.add if self.name == "cosadd" else np.multiply

    def bounds(
        self, pairs_P2: NDArray[np.int64], pair_Q: NDArray[np.int64], c_Q: NDArray[np.int64]
    ) -> Iterator[NDArray[np.float32]]:
        """Bound the scores in each run, for so many questions at a time: shape (N, S)."""
        # Runs of one pair's rows at a time stay in the processor's cache.
        pairs_PS = np.array(
            [_runs(self.joined(self.gains_WB[b], self.losses_WB[a])) for a, b in pairs_P2.tolist()]
        )
        gains_WS = _runs(self.gains_WB)
        for start in range(0, len(c_Q), _MOST_QUESTIONS):
            chosen = slice(start, start + _MOST_QUESTIONS)
            yield self.joined(pairs_PS[pair_Q[chosen]], gains_WS[c_Q[chosen]])

    def highs(
        self, words_N3: NDArray[np.int64], columns_NR: NDArray[np.int64]
    ) -> NDArray[np.float32]:
        """Bound the scores of rows, R for each of N questions."""
        a_N1, b_N1, c_N1 = words_N3.T[:, :, None]
        pair_NR = self.joined(self.gains_WB[b_N1, columns_NR], self.losses_WB[a_N1, columns_NR])
        highs_NR: NDArray[np.float32] = self.joined(pair_NR, self.gains_WB[c_N1, columns_NR])
        return highs_NR

    def lows(
        self, words_N3: NDArray[np.int64], columns_N: NDArray[np.int64]
    ) -> NDArray[np.float64]:
        """Give scores that rows reach, one for each of N questions."""
        cosines_3N = self.block.cosines_WB[words_N3.T, columns_N].astype(np.float64)
        signs_31 = np.array([[-1.0], [1.0], [1.0]])
        return _score(self.name, cosines_3N - signs_31 * self.block.error_B[columns_N])


def _runs(parts_XB: NDArray[np.float32]) -> NDArray[np.float32]:
    """Give the largest of each run of columns: every S-th one."""
    count = parts_XB.shape[-1]
    runs = -(-count // _RUN)
    whole = count - count % runs
    largest_XS: NDArray[np.float32] = (
        parts_XB[..., :whole].reshape(*parts_XB.shape[:-1], -1, runs).max(axis=-2)
    )
    rest_XS = largest_XS[..., : count - whole]
    np.maximum(rest_XS, parts_XB[..., whole:], out=rest_XS)
    return largest_XS


def _true(flags_NX: NDArray[np.bool_]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Give where flags are set, as numpy's nonzero, which takes ten times as long for a few."""
    places_N, columns_N = np.divmod(np.flatnonzero(flags_NX), flags_NX.shape[1])
    return places_N, columns_N


class _Search:
    """One pass over the rows for questions of few enough tokens."""

    def __init__(
        self, cosines: Cosines, ids_Q3: NDArray[np.int64], forms_V: NDArray[np.int64]
    ) -> None:
        """Look up the questions' words, and which have the first two in common."""
        self._cosines, self._ids_Q3, self._forms_V = cosines, ids_Q3, forms_V
        self._words_Q3 = np.searchsorted(cosines.ids_W, ids_Q3)
        self._pairs_P2, pair_Q = np.unique(self._words_Q3[:, :2], axis=0, return_inverse=True)
        self._pair_Q = pair_Q.reshape(-1)
        # A score that the answer reaches; other spellings do not raise it.
        self._levels = {name: np.full(len(ids_Q3), -np.inf) for name in MEASURES}
        self._kept: dict[str, list[_Rows]] = {name: [] for name in MEASURES}
        self._sizes = dict.fromkeys(MEASURES, 0)

    def run(self, progress: Progress | None) -> None:
        """Keep the rows that may be answers."""
        told = step_of(progress, "completing analogies")
        for block in self._cosines.blocks(done=told):
            for name in MEASURES:
                self._scan(_Tables.of(name, block))

    def best(self, name: str) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Give the answers by a measure, and those without other spellings."""
        rows, _ = self._judge(name)
        found_2Q = np.full((2, len(self._ids_Q3)), NOTHING)
        # The best that is no other spelling comes last, where there are two.
        found_2Q[0, rows.questions_N[::-1]] = rows.ids_N[::-1]
        unspelled = rows[~rows.spelled_N]
        found_2Q[1, unspelled.questions_N] = unspelled.ids_N
        return found_2Q[0], found_2Q[1]

    def _scan(self, tables: _Tables) -> None:
        """Score the rows of a block in all runs that may hold an answer."""
        levels_Q, start = self._levels[tables.name], 0
        for bounds_NS in tables.bounds(self._pairs_P2, self._pair_Q, self._words_Q3[:, 2]):
            levels_N = levels_Q[start : start + len(bounds_NS)]
            # The likeliest run first: it raises the level.
            first_N = bounds_NS.argmax(axis=1)
            places_N = np.flatnonzero(bounds_NS.max(axis=1) >= levels_N)
            self._keep(tables, places_N + start, first_N[places_N])
            left_NS = bounds_NS >= levels_N[:, None]
            left_NS[places_N, first_N[places_N]] = False
            places_N, runs_N = _true(left_NS)
            self._keep(tables, places_N + start, runs_N)
            start += len(bounds_NS)

    def _keep(
        self, tables: _Tables, questions_N: NDArray[np.int64], runs_N: NDArray[np.int64]
    ) -> None:
        """Keep the rows of runs that may reach their question's level."""
        count = len(tables.block.ids_B)
        runs = -(-count // _RUN)
        for start in range(0, len(runs_N), _MOST_RUNS):
            chosen_N = questions_N[start : start + _MOST_RUNS]
            columns_NR = runs_N[start : start + _MOST_RUNS, None] + np.arange(0, count, runs)
            # A shorter run has the block's last row once more, which changes no answer.
            np.minimum(columns_NR, count - 1, out=columns_NR)
            highs_NR = tables.highs(self._words_Q3[chosen_N], columns_NR)
            reach_NR = highs_NR >= self._levels[tables.name][chosen_N, None]
            places_N, within_N = _true(reach_NR)
            self._keep_columns(
                tables,
                chosen_N[places_N],
                columns_NR[places_N, within_N],
                highs_NR[places_N, within_N],
            )

    def _keep_columns(
        self,
        tables: _Tables,
        questions_N: NDArray[np.int64],
        columns_N: NDArray[np.int64],
        highs_N: NDArray[np.float32],
    ) -> None:
        """Keep rows of a block, but for a question's own, and raise the level by them."""
        levels_Q, ids_N = self._levels[tables.name], tables.block.ids_B[columns_N]
        ids_N3, forms_N = self._ids_Q3[questions_N], self._forms_V[ids_N]
        allowed_N = (ids_N3 != ids_N[:, None]).all(axis=1)
        spelled_N = (self._forms_V[ids_N3] == forms_N[:, None]).any(axis=1) & (forms_N >= 0)
        raising_N = np.flatnonzero(allowed_N & ~spelled_N)
        lows_N = tables.lows(self._words_Q3[questions_N[raising_N]], columns_N[raising_N])
        np.maximum.at(levels_Q, questions_N[raising_N], lows_N)
        kept_N = allowed_N & (highs_N >= levels_Q[questions_N])
        self._kept[tables.name].append(_Rows(questions_N, ids_N, highs_N, spelled_N)[kept_N])
        self._sizes[tables.name] += int(kept_N.sum())
        if self._sizes[tables.name] > _MOST_KEPT:
            self._shorten(tables.name)

    def _judge(self, name: str) -> tuple[_Rows, NDArray[np.float64]]:
        """Give the best row of each question and the best that is no other spelling, by score."""
        rows = _Rows.joined(self._kept[name])
        rows = rows[rows.highs_N >= self._levels[name][rows.questions_N]]
        words_3N = self._words_Q3[rows.questions_N].T
        scores_N = _score(name, self._cosines.exact(words_3N, rows.ids_N))
        order_N = np.lexsort((rows.ids_N, -scores_N, rows.questions_N))
        best_N = np.zeros(len(order_N), dtype=np.bool_)
        for candidates_N in (order_N, order_N[~rows.spelled_N[order_N]]):
            _, first_N = np.unique(rows.questions_N[candidates_N], return_index=True)
            best_N[candidates_N[first_N]] = True
        order_N = order_N[best_N[order_N]]
        return rows[order_N], scores_N[order_N]

    def _shorten(self, name: str) -> None:
        """Keep only the best of what was found so far."""
        rows, scores_N = self._judge(name)
        unspelled_N = ~rows.spelled_N
        self._levels[name][rows.questions_N[unspelled_N]] = scores_N[unspelled_N]
        highs_N = np.full(len(rows.ids_N), np.inf, dtype=np.float32)
        self._kept[name] = [_Rows(rows.questions_N, rows.ids_N, highs_N, rows.spelled_N)]
        self._sizes[name] = len(highs_N)


def _score(name: str, cosines_3N: NDArray[np.float64]) -> NDArray[np.float64]:
    """Give the scores of rows with the cosines to a, b and c."""
    if name == "cosadd":
        added_N: NDArray[np.float64] = cosines_3N[1] - cosines_3N[0] + cosines_3N[2]
        return added_N
    p_3N = np.clip((1 + cosines_3N) / 2, 0, 1)
    multiplied_N: NDArray[np.float64] = p_3N[1] * p_3N[2] / (p_3N[0] + EPSILON)
    return multiplied_N
