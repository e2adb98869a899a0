"""How far the answers on a head can be trusted."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

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
from .groups import Group, figure_of, groups_of
from .layers import ModelScore, score_model
from .offsets import MEASURES
from .pieces import PieceRecovery, recover
from .retrieval import Retrieval, retrieve

if TYPE_CHECKING:
    import pandas
    import pyarrow

# Parts that differ by method; the others are of a space.
OF_METHODS = ("emoji", "presence", "with model")
_ENOUGH = 30  # emoji that a choice of method may rest on
_MOST = 100  # spaces times methods
SCHEMA = 1
_OF_DIRECTION = (
    *("estimator", "region", "used", "ranks", "cosine", "unmoved", "unmoved_cosine"),
    *("control", "control_cosine"),
)


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
    by_model : ModelScore or None
        What the model beside the head answers, where it was asked.
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
    by_model: ModelScore | None
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
            "by_model": None if self.by_model is None else self.by_model.to_dict(),
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
                    figure_of("analogies", of, name, n, accuracy.accuracy, accuracy.ci95)
                    for name in MEASURES
                    if (accuracy := getattr(completion, name)) is not None
                ]
        if self.pieces is not None:
            n = self.pieces.n
            found += [
                figure_of("pieces", name, "mrr", n, recovery.mrr, recovery.ci95)
                for name, recovery in self.pieces.weightings.items()
            ]
        if self.by_model is not None:
            found += self.by_model.figures()
        for name, score in self.directions.items():
            for ranks, of in (
                (score.ranks, name),
                (score.unmoved, f"{name}: no direction"),
                (score.control, f"{name}: random pairs"),
            ):
                if ranks is not None:
                    found.append(
                        figure_of("direction", of, "mrr", ranks.n, ranks.mrr, ranks.ci95["mrr"])
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
    with_model: bool = False,
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
    with_model : bool
        Ask the model beside the head too: for emoji by their names, and for words, layer by layer.
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
        by_model: list[ModelScore | None] = [None] * len(chosen)
        if with_model:
            by_model = list(score_model(head, name, chosen, progress=progress))
        found += [
            Evaluation(
                head.source,
                space.name,
                str(method),
                place == best,
                groups_of(retrieval),
                analogies,
                pieces,
                score,
                directions,
                skipped,
            )
            for place, (method, retrieval, score) in enumerate(
                zip(chosen, retrieved, by_model, strict=True)
            )
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
