"""How far the answers on a head can be trusted."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ...errors import UsageError
from ...indexes.progress import Progress
from ..concepts.compose import composer_of
from ..concepts.pairs import EMOJI, built_in
from ..frames import arrow_of, pandas_of
from ..heads.unembedding import Unembedding
from ..method import METHODS, Method, keep_best
from ..space import DEFAULT_SPACE, check_space
from .analogies import Analogies, complete, read_questions
from .directions import DirectionScore, judge
from .offsets import MEASURES
from .pieces import PieceRecovery, recover
from .ranks import Ranks
from .retrieval import Presence, Retrieval, retrieve

if TYPE_CHECKING:
    import pandas
    import pyarrow

OF_METHODS = ("emoji", "presence")  # parts that differ by method; the others are of a space
_ENOUGH = 30  # emoji that a choice of method may rest on
_MOST = 100  # spaces times methods
SCHEMA = 1
_OF_DIRECTION = (
    *("estimator", "region", "used", "ranks", "cosine", "unmoved", "unmoved_cosine"),
    *("control", "control_cosine"),
)


@dataclass(frozen=True)
class Group:
    """Some emoji names: how high the right emoji comes, and whether it can be missed.

    Attributes
    ----------
    retrieval : Ranks
        Of the right emoji among all of the head.
    without_twins : Ranks
        The same with the twins of the right emoji left out, as 🐎 is one of 🐴.
    presence : Presence
        Of the margin that tells names with their emoji from names without.
    presence_without_twins : Presence
        The same with the twins left out.

    Examples
    --------
    >>> import unembed
    >>> (found,) = unembed.open_head("demo-bytes").evaluate(methods=["plain"])
    >>> found.emoji["all"].retrieval.n
    4
    """

    retrieval: Ranks
    without_twins: Ranks
    presence: Presence
    presence_without_twins: Presence

    def figures(self, name: str) -> list[dict[str, Any]]:
        """Give every figure, a row each, as in `Evaluation.figures`."""
        of = name.replace("_", " ")
        parts = (
            ("emoji", of, self.retrieval, ("top1", "top5", "mrr")),
            ("emoji", f"{of}, no twins", self.without_twins, ("top1", "top5", "mrr")),
            ("presence", of, self.presence, ("auroc", "average_precision")),
            (
                "presence",
                f"{of}, no twins",
                self.presence_without_twins,
                ("auroc", "average_precision"),
            ),
        )
        return [
            _figure(part, whose, figure, found.n, getattr(found, figure), found.ci95[figure])
            for part, whose, found, figures in parts
            for figure in figures
        ]


@dataclass(frozen=True, repr=False)
class Evaluation:
    """What was measured of a head, in a space, by a method.

    Attributes
    ----------
    source, space, method : str
        What was evaluated.
    best : bool
        Whether the method was the best of those evaluated in this space.
    emoji : dict of str to Group
        ``all`` and ``one_word`` names, where there are some.
    analogies : Analogies or None
        None where no questions were given and gensim is not installed.
    pieces : PieceRecovery or None
        None where the head has no words to split.
    directions : dict of str to DirectionScore
        The built-in ones that the head has tokens for.
    skipped : dict of str to str
        The others, and why.

    Examples
    --------
    >>> import unembed
    >>> unembed.open_head("demo-bytes").evaluate(methods=["plain"])
    [Evaluation(demo-bytes, causal, plain)]
    """

    source: str
    space: str
    method: str
    best: bool
    emoji: dict[str, Group]
    analogies: Analogies | None
    pieces: PieceRecovery | None
    directions: dict[str, DirectionScore]
    skipped: dict[str, str]

    def to_dict(self) -> dict[str, Any]:
        """Give the evaluation as the object that ``--json`` prints."""
        retrieval, presence = {}, {}
        for name, group in self.emoji.items():
            retrieval[name] = {
                **asdict(group.retrieval),
                "without_twins": asdict(group.without_twins),
            }
            presence[name] = {
                **asdict(group.presence),
                "without_twins": asdict(group.presence_without_twins),
            }
        return {
            "schema": SCHEMA,
            "source": self.source,
            "space": self.space,
            "method": self.method,
            "best": self.best,
            "emoji_retrieval": retrieval,
            "token_presence": presence,
            "analogies": None if self.analogies is None else self.analogies.to_dict(),
            "pieces": None if self.pieces is None else self.pieces.to_dict(),
            "directions": {name: _direction(score) for name, score in self.directions.items()},
            "skipped": self.skipped,
        }

    def figures(self) -> list[dict[str, Any]]:
        """Give every figure with its interval, a row each: what the table and the chart show.

        A row has the keys ``part``, ``of``, ``figure``, ``n``, ``value``, ``low`` and ``high``.
        """
        found = [row for name, group in self.emoji.items() for row in group.figures(name)]
        if self.analogies is not None:
            n = self.analogies.covered
            for of, completion in (
                ("all", self.analogies.strict),
                ("spellings left out", self.analogies.spellings_left_out),
            ):
                found += [
                    _figure("analogies", of, name, n, accuracy.accuracy, accuracy.ci95)
                    for name in MEASURES
                    if (accuracy := getattr(completion, name)) is not None
                ]
        if self.pieces is not None:
            n = self.pieces.n
            found += [
                _figure("pieces", name, "mrr", n, recovery.mrr, recovery.ci95)
                for name, recovery in self.pieces.weightings.items()
            ]
        for name, score in self.directions.items():
            for ranks, of in (
                (score.ranks, name),
                (score.unmoved, f"{name}: no direction"),
                (score.control, f"{name}: random pairs"),
            ):
                if ranks is not None:
                    found.append(
                        _figure("direction", of, "mrr", ranks.n, ranks.mrr, ranks.ci95["mrr"])
                    )
        return found

    def to_arrow(self) -> "pyarrow.Table":
        """Give the figures as an Arrow table, a row each."""
        return arrow_of(self.figures())

    def to_pandas(self) -> "pandas.DataFrame":
        """Give the figures as a data frame, a row each.

        Raises
        ------
        MissingExtraError
            pandas is not installed.
        """
        return pandas_of(self.figures())

    def __repr__(self) -> str:
        """Name what was evaluated."""
        return f"Evaluation({self.source}, {self.space}, {self.method})"

    def _repr_html_(self) -> str:
        """Draw a table for a notebook."""
        rows = "".join(
            f"<tr><td>{escape(row['part'])}</td><td>{escape(row['of'])}</td>"
            f"<td>{escape(row['figure'])}</td><td>{row['n']}</td><td>{row['value']:.3f}</td></tr>"
            for row in self.figures()
        )
        return (
            f"<table><caption>{escape(repr(self))}</caption><tr><th>part</th><th>of</th>"
            f"<th>figure</th><th>n</th><th>value</th></tr>{rows}</table>"
        )


def evaluate(
    head: Unembedding,
    *,
    spaces: Sequence[str] = (DEFAULT_SPACE,),
    methods: Sequence[str] = METHODS,
    questions: str | Path | None = None,
    progress: Progress | None = None,
) -> list[Evaluation]:
    """Measure how far answers on a head can be trusted, in each space by each method.

    Every figure is of what was left out of what was learned, with a 95% bootstrap interval. What is
    best of two methods or more in a space is kept for ``method="best"``: by the mean reciprocal
    rank of emoji where the head has 30 or more, else by that of words made of their pieces.

    Parameters
    ----------
    head : Unembedding
        Which.
    spaces, methods : sequence of str
        As `open_space` and `Method.parse` take them.
    questions : str or Path, optional
        A file of analogies, as `read_questions` takes it.
    progress : callable, optional
        Is told ``(step, done, total)``.

    Raises
    ------
    UsageError
        A space or a method is unknown, there are none or too many, or a file cannot be read.

    Examples
    --------
    >>> import unembed
    >>> (found,) = evaluate(unembed.open_head("demo-bytes"), methods=["plain"])
    >>> found.best  # there is nothing to choose from
    False
    """
    if not 0 < len(spaces) * len(methods) <= _MOST:
        raise UsageError(
            f"{len(spaces)} spaces and {len(methods)} methods; give 1 to {_MOST} of both together"
        )
    for what, given in (("spaces", spaces), ("methods", methods)):
        if isinstance(given, str):
            raise UsageError(f"{what} is the one text {given!r}; give a list: [{given!r}]")
    chosen = [Method.parse(method) for method in methods]
    asked = read_questions(questions)
    for name in spaces:
        check_space(name)
    found = []
    for name in spaces:
        composer = composer_of(head, space=name, progress=progress)
        space = composer.space
        analogies = complete(head, space, asked, progress=progress) if asked else None
        pieces = recover(head, space, progress=progress)
        directions, skipped = {}, {}
        for direction in (EMOJI, *built_in()):
            try:
                directions[direction] = judge(composer, direction, progress=progress)
            except UsageError as error:  # too few of its pairs are tokens here
                skipped[direction] = str(error)
        retrieved = [retrieve(head, name, method, progress=progress) for method in chosen]
        best = _best(chosen, retrieved, pieces)
        if best is not None:
            keep_best(head, space.name, chosen[best])
        found += [
            Evaluation(
                head.source,
                space.name,
                str(method),
                place == best,
                _groups(retrieval),
                analogies,
                pieces,
                directions,
                skipped,
            )
            for place, (method, retrieval) in enumerate(zip(chosen, retrieved, strict=True))
        ]
    return found


def figures_once(evaluations: Sequence[Evaluation]) -> list[list[dict[str, Any]]]:
    """Give the figures of each evaluation, what belongs to a space with its first one alone.

    Examples
    --------
    >>> import unembed
    >>> one, other = unembed.open_head("demo-bytes").evaluate(methods=["plain", "csls"])
    >>> len(figures_once([one, other])[1]) < len(other.figures())
    True
    """
    found, spaces = [], set()
    for evaluation in evaluations:
        rows = evaluation.figures()
        if evaluation.space in spaces:
            rows = [row for row in rows if row["part"] in OF_METHODS]
        spaces.add(evaluation.space)
        found.append(rows)
    return found


def _figure(
    part: str, of: str, figure: str, n: int, value: float, ci95: tuple[float, float]
) -> dict[str, Any]:
    """Make a row of figures."""
    low, high = ci95
    return {
        "part": part,
        "of": of,
        "figure": figure,
        "n": n,
        "value": value,
        "low": low,
        "high": high,
    }


def _groups(retrieval: Retrieval | None) -> dict[str, Group]:
    """Sum up all names, and those of one word."""
    if retrieval is None:
        return {}
    groups, one_word_Q = {}, retrieval.one_word_Q
    for name, chosen_Q in (("all", one_word_Q | True), ("one_word", one_word_Q)):
        if not chosen_Q.any():
            continue
        groups[name] = Group(
            Ranks.of(retrieval.ranks()[chosen_Q]),
            Ranks.of(retrieval.ranks(twins=False)[chosen_Q]),
            _presence(retrieval, chosen_Q, twins=True),
            _presence(retrieval, chosen_Q, twins=False),
        )
    return groups


def _presence(retrieval: Retrieval, chosen_Q: NDArray[np.bool_], *, twins: bool) -> Presence:
    """Compare the margins of names with their emoji and without."""
    present_Q, absent_Q = (
        retrieval.margins(removed=removed, twins=twins)[chosen_Q] for removed in (False, True)
    )
    return Presence.of(present_Q, absent_Q)


def _best(
    methods: Sequence[Method],
    retrieved: Sequence[Retrieval | None],
    pieces: PieceRecovery | None,
) -> int | None:
    """Tell which of two methods or more did best, the first of equals; None of fewer."""
    figures: dict[int, float] = {}
    for place, (method, retrieval) in enumerate(zip(methods, retrieved, strict=True)):
        if retrieval is not None and len(retrieval.names) >= _ENOUGH:
            figures[place] = float((1.0 / retrieval.ranks()).mean())
        elif pieces is not None and method.pieces in pieces.weightings:
            figures[place] = pieces.weightings[method.pieces].mrr
    return max(figures, key=figures.__getitem__) if len(figures) > 1 else None


def _direction(score: DirectionScore) -> dict[str, Any]:
    """Give what an evaluation says of a direction: all but its pairs."""
    found = score.to_dict()
    return {name: found[name] for name in _OF_DIRECTION} | {"unused": len(score.unused)}
