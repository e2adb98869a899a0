"""What completes an analogy, by two measures, for many questions in one pass over the rows."""

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ...indexes.progress import Progress
from ..heads.unembedding import Unembedding
from ..space import Space
from .cosines import Block, Cosines

# Q questions a : b = c : ?, W tokens in them, rows in blocks of B; G questions with the same a, b.

MEASURES = ("cosadd", "cosmul")
EPSILON = 1e-6  # Levy and Goldberg's, and gensim's: keeps 3CosMul from dividing by zero
NOTHING = -1
_MOST_TOKENS = 1024  # at a time
_MOST_KEPT = 4096  # rows for a question
_GROUP = 64  # questions that share a buffer, which stays in the processor's cache


def answers(
    head: Unembedding,
    space: Space,
    questions_Q3: NDArray[np.int64],
    *,
    progress: Progress | None = None,
) -> dict[str, NDArray[np.int64]]:
    """Give the token that completes each analogy "a is to b as c is to ?".

    3CosAdd takes the row with the largest cos(x, b) - cos(x, a) + cos(x, c) (Mikolov, Yih and Zweig
    2013), 3CosMul the one with the largest p(b) p(c) / (p(a) + ε), with p(w) = (1 + cos(x, w)) / 2
    and ε = 1e-6 (Levy and Goldberg 2014, equation 5). Cosines are taken in the space, over all
    known rows but those of a, b and c. Float32 leaves a few rows for each question, with a bound of
    what it may be off by; these are scored in float64.

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
    dict of str to ndarray of int64
        For each of `MEASURES` the tokens, shape (Q,); of equal scores the lower id; `NOTHING` (-1)
        where no row is left.

    Examples
    --------
    >>> import unembed
    >>> from unembed.geometry.space import open_space
    >>> head = unembed.open_head("demo-bytes")
    >>> ids = [head.vocabulary.id_of(text) for text in (" walk", " walked", " jump")]
    >>> found = answers(head, open_space(head, "centred"), np.array([ids]))
    >>> [head.vocabulary.text(int(found[name][0])) for name in MEASURES]
    [' jumped', ' jumped']
    """
    found = {name: np.full(len(questions_Q3), NOTHING, dtype=np.int64) for name in MEASURES}
    for start, stop in _portions(questions_Q3):
        ids_W, places = np.unique(questions_Q3[start:stop], return_inverse=True)
        search = _Search(Cosines.of(head, space, ids_W), places.reshape(-1, 3))
        for name, best in search.run(progress).items():
            found[name][start:stop] = best
    return found


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


@dataclass(eq=False)
class _Kept:
    """The rows that may be a question's answer by one measure."""

    level: float = -np.inf  # a score that the answer reaches
    ids: list[NDArray[np.int64]] = field(default_factory=list)
    highs: list[NDArray[np.float32]] = field(default_factory=list)  # what their scores may be

    def rows(self) -> NDArray[np.int64]:
        """Give those that the level leaves, ascending."""
        if not self.ids:
            return np.empty(0, dtype=np.int64)
        return np.concatenate(self.ids)[np.concatenate(self.highs) >= self.level]


@dataclass(eq=False)
class _Tables:
    """What a block's rows have to do with each token: bounds of cosines, and of their parts."""

    block: Block
    p_WB: NDArray[np.float32]  # the largest that (1 + cos) / 2 may be
    inverse_WB: NDArray[np.float32]  # the largest that 1 / ((1 + cos) / 2 + ε) may be

    @classmethod
    def of(cls, block: Block) -> "_Tables":
        """Derive them."""
        p_WB = (1 + block.cosines_WB + block.error_B) / 2
        least_WB = np.maximum(p_WB - block.error_B, 0)
        inverse_WB = np.reciprocal(least_WB + np.float32(EPSILON))
        return cls(block, np.maximum(p_WB, 0), inverse_WB)

    def shared(self, name: str, a: int, b: int) -> NDArray[np.float32]:
        """Give the part of the largest scores that questions with the same a and b share."""
        if name == "cosmul":
            shared_B: NDArray[np.float32] = self.p_WB[b] * self.inverse_WB[a]
        else:
            shared_B = self.block.cosines_WB[b] - self.block.cosines_WB[a]
            shared_B += 3 * self.block.error_B
        return shared_B

    def highs(
        self, name: str, shared_B: NDArray[np.float32], c: int, out_B: NDArray[np.float32]
    ) -> None:
        """Write the largest that scores may be."""
        if name == "cosmul":
            np.multiply(shared_B, self.p_WB[c], out=out_B)
        else:
            np.add(shared_B, self.block.cosines_WB[c], out=out_B)

    def lowest(self, name: str, words_3: NDArray[np.int64], places_N: NDArray[np.int64]) -> float:
        """Give a score that the best of some of the block's rows reaches."""
        cosines_3N = self.block.cosines_WB[words_3[:, None], places_N].astype(np.float64)
        error_N = self.block.error_B[places_N]
        signs_31 = np.array([[-1.0], [1.0], [1.0]])
        return float(_score(name, cosines_3N - signs_31 * error_N).max())


class _Search:
    """One pass over the rows for questions of few enough tokens."""

    def __init__(self, cosines: Cosines, words_Q3: NDArray[np.int64]) -> None:
        """Group the questions by their first two words."""
        self._cosines, self._words_Q3 = cosines, words_Q3
        self._kept = {name: [_Kept() for _ in words_Q3] for name in MEASURES}
        pairs: dict[tuple[int, int], list[int]] = {}
        for question, (a, b, _) in enumerate(words_Q3.tolist()):
            pairs.setdefault((a, b), []).append(question)
        self._groups = [
            (a, b, group[start : start + _GROUP])
            for (a, b), group in pairs.items()
            for start in range(0, len(group), _GROUP)
        ]

    def run(self, progress: Progress | None) -> dict[str, NDArray[np.int64]]:
        """Give the answers by each measure."""

        def told(done: int, total: int) -> None:
            if progress is not None:
                progress("completing analogies", done, total)

        count = os.cpu_count() or 1
        shares = [self._groups[start::count] for start in range(count)]
        with ThreadPoolExecutor(count) as threads:
            for block in self._cosines.blocks(done=told):
                tables = _Tables.of(block)
                # A question is in one share, so no two threads keep rows for it.
                list(threads.map(self._scan, [tables] * count, shares))
        return {
            name: np.array([self._best(name, question) for question in range(len(self._words_Q3))])
            for name in MEASURES
        }

    def _scan(self, tables: _Tables, groups: Sequence[tuple[int, int, list[int]]]) -> None:
        """Keep the rows of a block that may be answers."""
        ids_B = tables.block.ids_B
        ids_W = self._cosines.ids_W
        columns_W = np.searchsorted(ids_B, ids_W)
        inside_W = (ids_W >= ids_B[0]) & (ids_W <= ids_B[-1])
        buffer = np.empty((_GROUP, len(ids_B)), dtype=np.float32)
        for a, b, group in groups:
            words_G3 = self._words_Q3[group]
            for name in MEASURES:
                highs_GB, shared_B = buffer[: len(group)], tables.shared(name, a, b)
                for place, c in enumerate(words_G3[:, 2].tolist()):
                    tables.highs(name, shared_B, c, highs_GB[place])
                own_G, own_3 = np.nonzero(inside_W[words_G3])
                highs_GB[own_G, columns_W[words_G3[own_G, own_3]]] = -np.inf
                for place, highest in enumerate(highs_GB.max(axis=1).tolist()):
                    kept = self._kept[name][group[place]]
                    if highest >= kept.level and highest > -np.inf:
                        self._keep(tables, name, group[place], highs_GB[place])

    def _keep(
        self, tables: _Tables, name: str, question: int, highs_B: NDArray[np.float32]
    ) -> None:
        """Keep the rows of a block that may reach the level, which the best of them raises."""
        kept, words_3 = self._kept[name][question], self._words_Q3[question]
        first_1 = np.array([np.argmax(highs_B)])
        kept.level = max(kept.level, tables.lowest(name, words_3, first_1))
        places_N = np.flatnonzero(highs_B >= kept.level)
        if not len(places_N):
            return
        kept.level = max(kept.level, tables.lowest(name, words_3, places_N))
        kept.ids.append(tables.block.ids_B[places_N])
        kept.highs.append(highs_B[places_N])
        if sum(map(len, kept.ids)) > _MOST_KEPT:  # only where very many rows are alike
            best = self._best(name, question)
            kept.ids, kept.highs = [np.array([best])], [np.array([np.inf], dtype=np.float32)]

    def _best(self, name: str, question: int) -> int:
        """Score what was kept; of equal scores the lower id comes first."""
        kept = self._kept[name][question]
        ids_N = kept.rows()
        if len(ids_N) < 2:
            return int(ids_N[0]) if len(ids_N) else NOTHING
        scores_N = _score(name, self._cosines.exact(self._words_Q3[question], ids_N))
        best = int(np.argmax(scores_N))
        kept.level = float(scores_N[best])
        return int(ids_N[best])


def _score(name: str, cosines_3N: NDArray[np.float64]) -> NDArray[np.float64]:
    """Give the scores of rows with the cosines to a, b and c."""
    if name == "cosadd":
        added_N: NDArray[np.float64] = cosines_3N[1] - cosines_3N[0] + cosines_3N[2]
        return added_N
    p_3N = np.clip((1 + cosines_3N) / 2, 0, 1)
    multiplied_N: NDArray[np.float64] = p_3N[1] * p_3N[2] / (p_3N[0] + EPSILON)
    return multiplied_N
