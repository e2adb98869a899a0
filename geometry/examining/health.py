"""The health of a vocabulary: what each token is, and what is odd about some."""

from collections import Counter
from dataclasses import asdict, dataclass
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ...indexes.winning.every import STEPS, Winners
from ..answer import SCHEMA
from ..frames import pandas_of
from ..tokens.kinds import KINDS
from ..tokens.scripts import SCRIPTS
from ..tokens.vocabulary import Vocabulary, display
from .coverage import Coverage
from .fragments import Fragment
from .reached import NEAR, Reached
from .round_trip import STATES
from .undertrained import WAYS, Undertrained

if TYPE_CHECKING:
    import pandas
    import pyarrow

# V tokens.

_SHOWN = 20  # of each oddity


@dataclass(frozen=True, eq=False, repr=False)
class Health:
    """What is found of a vocabulary and of the rows of its tokens.

    Attributes
    ----------
    source : str
        The head.
    vocabulary : Vocabulary
        Its tokens.
    scripts_V : ndarray of int64
        The script of each, a place in `SCRIPTS`.
    norms_V : ndarray of float64
        The length of each row.
    states_V : ndarray of int64
        Whether a text encodes to each, a place in `STATES`.
    same_text : tuple of tuple of int
        The tokens that write the same as others, group by group.
    emoji : Coverage
        How the emoji are written.
    blocks : tuple of Coverage
        How the characters of each block of Unicode are.
    fragments : tuple of Fragment
        What the tokens that are no whole text are a part of.
    alike : tuple of tuple of int
        The tokens whose rows are nearly the same, group by group, the largest first.
    undertrained : Undertrained or None
        How far rows are from those known to be unused; None where too few are.
    winners : Winners or None
        Which tokens some residual writes; None where that was not asked.
    reached : Reached or None
        How near the top each came with residuals; None where none were given.

    Examples
    --------
    >>> import unembed
    >>> unembed.open_head("demo-bytes").examine()
    Health(demo-bytes: 50,364 tokens, 1,175 unreachable, 32 suspected to be untrained)
    """

    source: str
    vocabulary: Vocabulary
    scripts_V: NDArray[np.int64]
    norms_V: NDArray[np.float64]
    states_V: NDArray[np.int64]
    same_text: tuple[tuple[int, ...], ...]
    emoji: Coverage
    blocks: tuple[Coverage, ...]
    fragments: tuple[Fragment, ...]
    alike: tuple[tuple[int, ...], ...]
    undertrained: Undertrained | None
    winners: Winners | None
    reached: Reached | None

    @property
    def tokens(self) -> int:
        """How many tokens there are: rows without one are not counted."""
        return int(self.vocabulary.known_V.sum())

    @property
    def unreachable_N(self) -> NDArray[np.int64]:
        """The tokens that no text encodes to, ascending."""
        return np.flatnonzero(self.states_V == STATES.index("unreachable"))

    @property
    def suspected_N(self) -> NDArray[np.int64]:
        """The tokens suspected to be untrained, those most like the unused first."""
        if self.undertrained is None:
            return np.empty(0, dtype=np.int64)
        found_N = np.flatnonzero(self.undertrained.suspected_V)
        distances_V = self.undertrained.distances_VW[:, WAYS.index(self.undertrained.best)]
        return found_N[np.argsort(distances_V[found_N], kind="stable")]

    @property
    def alike_N(self) -> NDArray[np.int64]:
        """The tokens whose rows are nearly the same as others', group by group."""
        return np.array([id_ for group in self.alike for id_ in group], dtype=np.int64)

    @property
    def unwritable_N(self) -> NDArray[np.int64]:
        """The known tokens that no residual writes, ascending; none where that was not asked."""
        if self.winners is None:
            return np.empty(0, dtype=np.int64)
        return np.flatnonzero((self.winners.wins_V == 0) & self.vocabulary.known_V)

    @property
    def distant_N(self) -> NDArray[np.int64]:
        """The known tokens never among the first 100, ascending; none where nothing was asked."""
        if self.reached is None:
            return np.empty(0, dtype=np.int64)
        return np.flatnonzero((self.reached.ranks_V == 0) & self.vocabulary.known_V)

    def kinds(self, ids_N: NDArray[np.int64] | None = None) -> dict[str, int]:
        """Count the tokens of each kind, of all rows or of some, in the order of `KINDS`."""
        kinds_N = self.vocabulary.kinds_V[slice(None) if ids_N is None else ids_N]
        counts = np.bincount(kinds_N, minlength=len(KINDS)).tolist()
        return {kind: count for kind, count in zip(KINDS, counts, strict=True) if count}

    def scripts(self) -> dict[str, int]:
        """Count the tokens of each script, most first, equal ones by their names."""
        counts = Counter(self.scripts_V[self.vocabulary.known_V].tolist())
        named = ((SCRIPTS[place], count) for place, count in counts.items())
        return dict(sorted(named, key=lambda pair: (-pair[1], pair[0])))

    def states(self) -> dict[str, int]:
        """Count the tokens of each state of the round trip."""
        counts = np.bincount(self.states_V, minlength=len(STATES)).tolist()
        return dict(zip(STATES, counts, strict=True))

    def to_dict(self) -> dict[str, Any]:
        """Give the report as the object that ``--json`` prints: without a row a token."""
        found = self.undertrained
        return {
            "schema": SCHEMA,
            "source": self.source,
            "tokens": self.tokens,
            "kinds": self.kinds(),
            "scripts": self.scripts(),
            "states": self.states(),
            "unreachable": self._named(self.unreachable_N),
            "same_text": [list(group) for group in self.same_text],
            "emoji": asdict(self.emoji),
            "blocks": [asdict(block) for block in self.blocks],
            "fragments": [
                asdict(one) | {"characters": list(one.characters)} | self._names(one.id)
                for one in self.fragments
            ],
            "alike": [self._named(np.array(group)) for group in self.alike],
            "undertrained": None
            if found is None
            else {
                "known_unused": len(found.unused_U),
                "ways": [asdict(one) for one in found.judged],
                "best": found.best,
                "suspected": self._named(self.suspected_N),
            },
            "unwritable": None
            if self.winners is None
            else {
                "tokens": self._named(self.unwritable_N),
                "undecided": self.winners.undecided,
                "steps": {name: list(pair) for name, pair in self.winners.counts().items()},
            },
            "reached": None
            if self.reached is None
            else {
                "positions": self.reached.positions,
                "first": NEAR,
                "tokens": self.tokens - len(self.distant_N),
                "never": len(self.distant_N),
                "never_kinds": self.kinds(self.distant_N),
            },
        }

    def to_arrow(self) -> "pyarrow.Table":
        """Give a row for each known token, by its id."""
        import pyarrow

        known_N = np.flatnonzero(self.vocabulary.known_V)
        ids = known_N.tolist()
        columns: dict[str, Any] = {
            "id": ids,
            "token": [self.vocabulary.token(id_) for id_ in ids],
            "text": [self.vocabulary.text(id_) for id_ in ids],
            "kind": [KINDS[kind] for kind in self.vocabulary.kinds_V[known_N].tolist()],
            "script": [SCRIPTS[place] for place in self.scripts_V[known_N].tolist()],
            "norm": self.norms_V[known_N],
            "state": [STATES[state] for state in self.states_V[known_N].tolist()],
        }
        parts = {one.id: one for one in self.fragments}
        for role in ("begins", "completes", "inside"):
            columns[role] = [getattr(parts[id_], role) if id_ in parts else 0 for id_ in ids]
        leaders = {id_: group[0] for group in self.alike for id_ in group}
        columns["alike"] = [leaders.get(id_) for id_ in ids]
        if self.undertrained is not None:
            for at, way in enumerate(WAYS):
                columns[f"distance_{way}"] = self.undertrained.distances_VW[known_N, at]
            columns["suspected"] = self.undertrained.suspected_V[known_N]
        if self.winners is not None:
            wins = self.winners.wins_V[known_N].tolist()
            columns["writable"] = [None if one < 0 else bool(one) for one in wins]
            steps = self.winners.by_V[known_N].tolist()
            columns["writable_by"] = [STEPS[step] for step in steps]
        if self.reached is not None:
            ranks = self.reached.ranks_V[known_N].tolist()
            columns["best_rank"] = [rank or None for rank in ranks]
        return pyarrow.table(columns)

    def to_pandas(self) -> "pandas.DataFrame":
        """Give a row for each known token, by its id.

        Raises
        ------
        MissingExtraError
            pandas is not installed.
        """
        return pandas_of(self.to_arrow().to_pylist())

    def _named(self, ids_N: NDArray[np.int64]) -> list[dict[str, Any]]:
        """Name tokens."""
        return [self._names(id_) for id_ in ids_N.tolist()]

    def _names(self, id_: int) -> dict[str, Any]:
        """Name a token."""
        vocabulary = self.vocabulary
        return {"id": id_, "token": vocabulary.token(id_), "text": vocabulary.text(id_)}

    def _first(self, ids_N: NDArray[np.int64]) -> str:
        """Write the first of some tokens."""
        return " ".join(self.vocabulary.display_text(id_) for id_ in ids_N[:_SHOWN].tolist())

    def __repr__(self) -> str:
        """Count what is odd."""
        counts = f"{self.tokens:,} tokens, {len(self.unreachable_N):,} "
        suspected = f"{len(self.suspected_N):,} suspected to be untrained"
        return f"Health({self.source}: {counts}unreachable, {suspected})"

    def _repr_html_(self) -> str:
        """Draw what is odd as a table for a notebook; every token is escaped."""
        rows = "".join(
            f"<tr><td>{what}</td><td>{len(ids_N):,}</td><td>{escape(self._first(ids_N))}</td></tr>"
            for what, ids_N in (
                ("unreachable", self.unreachable_N),
                ("suspected to be untrained", self.suspected_N),
                ("with rows nearly the same", self.alike_N),
                ("never written", self.unwritable_N),
            )
        )
        return (
            f"<table><caption>{escape(display(repr(self)))}</caption><tr><th></th><th>tokens</th>"
            f"<th>the first</th></tr>{rows}</table>"
        )
