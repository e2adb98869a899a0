"""Scores for a terminal: of a direction, of a head."""

from collections.abc import Sequence

import numpy as np
from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from ..evaluation.directions import DirectionScore, PairScore
from ..evaluation.evaluate import Evaluation, figures_once
from ..evaluation.held_out import ALONE
from ..evaluation.ranks import Ranks
from ..tokens.vocabulary import display
from .table import line_of

_SHOWN = 20  # pairs; of more the worst
_WORST = 10
_STRIP = (-0.5, 1.5)
_CELLS = 60
_BARS = " ▁▂▃▄▅▆▇█"


def direction_table(score: DirectionScore) -> Group:
    """Draw the score of a direction: its figures, where its pairs lie along it, each pair.

    Parameters
    ----------
    score : DirectionScore
        What is drawn.

    Returns
    -------
    rich.console.Group
        For a console to print.

    Examples
    --------
    >>> import unembed
    >>> table = direction_table(unembed.open_head("demo").direction("plural"))
    >>> print(table.renderables[0])
    plural: the plural of a noun; demo, causal space, learned as offset
    """
    about = f": {score.about}" if score.about else ""
    where = f"{score.source}, {score.space} space, learned as {score.estimator}"
    parts: list[RenderableType] = [line_of(f"{score.name}{about}; {where}")]
    if score.ranks is None or score.unmoved is None or score.control is None:
        low, high = score.auroc_ci95 or (0.0, 0.0)
        figure = f"{score.auroc:.3f} ({low:.3f} to {high:.3f})"
        parts += [
            line_of(f"  {score.used:,} tokens, held out by folds, against as many of the others"),
            line_of(f"  AUROC of their projection       {figure}"),
            line_of(f"  as many tokens drawn at random  {score.control_auroc:.3f}"),
        ]
        return Group(*parts)
    among = f"the targets in the region {score.region}" if score.region else "all tokens"
    of = f"{score.used:,} of {score.used + len(score.unused):,} pairs"
    asked = "" if len(score.pairs) == score.used else f", asked for {len(score.pairs):,} targets"
    alone = score.region is None and len(score.pairs) <= ALONE
    how = "each left out in turn" if alone else "held out by folds"
    parts += [
        line_of(f"  {of}{asked}, {how}; rank of the target among {among}"),
        line_of(f"  learned       {_figures(score.ranks)}, cosine {score.cosine:.3f}"),
        line_of(f"  no direction  {_figures(score.unmoved)}, cosine {score.unmoved_cosine:.3f}"),
        line_of(f"  random pairs  {_figures(score.control)}, cosine {score.control_cosine:.3f}"),
        Text(""),
        *_strips(score.pairs),
        Text(""),
        _pairs_table(score.pairs),
    ]
    if len(score.pairs) > _SHOWN:
        parts.append(line_of(f"the {_WORST} worst of {len(score.pairs)}"))
    if score.unused:
        were = "pair was" if len(score.unused) == 1 else "pairs were"
        parts.append(line_of(f"{len(score.unused)} {were} not used:"))
        shown = score.unused[:_WORST]
        parts += [line_of(f"  {one.pair.base} → {one.pair.target}: {one.why}") for one in shown]
        if len(score.unused) > len(shown):
            parts.append(line_of(f"  and {len(score.unused) - len(shown)} more"))
    return Group(*parts)


def evaluation_table(evaluations: Sequence[Evaluation]) -> Group:
    """Draw evaluations: a row a figure, a column for each space and method.

    Parameters
    ----------
    evaluations : sequence of Evaluation
        Of one head.

    Returns
    -------
    rich.console.Group
        For a console to print.

    Examples
    --------
    >>> import unembed
    >>> found = unembed.open_head("demo-bytes").evaluate(methods=["plain"])
    >>> print(evaluation_table(found).renderables[0])
    demo-bytes: how far answers can be trusted; 95% bootstrap intervals
    """
    rows: dict[tuple[str, str, str], dict[int, str]] = {}
    counts: dict[tuple[str, str, str], int] = {}
    for place, figures in enumerate(figures_once(evaluations)):
        for row in figures:
            key = (row["part"], display(row["of"]), row["figure"].replace("_", " "))
            cell = f"{row['value']:.3f} ({row['low']:.3f}–{row['high']:.3f})"
            rows.setdefault(key, {})[place] = cell
            counts[key] = row["n"]
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for at, column in enumerate(("", "of", "figure")):
        # As wide as it is: a narrow terminal breaks lines sooner than words.
        table.add_column(column, min_width=max((len(key[at]) for key in rows), default=0))
    table.add_column("n", justify="right")
    for found in evaluations:
        best = " *" if found.best else ""
        table.add_column(f"{found.space}\n{found.method}{best}", no_wrap=True)
    before = None
    parts = list(dict.fromkeys(part for part, _, _ in rows))
    for key, cells in sorted(rows.items(), key=lambda row: parts.index(row[0][0])):
        part, of, figure = key
        values = (cells.get(place, "") for place in range(len(evaluations)))
        shown = part if part != before else ""
        table.add_row(shown, Text(of), figure, f"{counts[key]:,}", *values)
        before = part
    source = evaluations[0].source if evaluations else ""
    return Group(
        line_of(f"{source}: how far answers can be trusted; 95% bootstrap intervals"),
        table,
        line_of("* the best method in its space, kept for --method best"),
    )


def _figures(ranks: Ranks) -> str:
    """Write ranks in a line."""
    low, high = ranks.ci95["top1"]
    return (
        f"first {ranks.top1:.3f} ({low:.3f} to {high:.3f}), in the first five {ranks.top5:.3f}, "
        f"mean 1/rank {ranks.mrr:.3f}"
    )


def _strips(pairs: Sequence[PairScore]) -> list[RenderableType]:
    """Draw where bases and targets lie along the direction, a strip each."""
    low, high = _STRIP
    parts: list[RenderableType] = []
    for name, values in (
        ("bases", [pair.base_projection for pair in pairs]),
        ("targets", [pair.target_projection for pair in pairs]),
    ):
        inside = np.clip(np.array(values), low, np.nextafter(high, low))
        counts, _ = np.histogram(inside, bins=_CELLS, range=_STRIP)
        levels = np.ceil(counts * (len(_BARS) - 1) / max(counts.max(), 1)).astype(int)
        parts.append(line_of(f"  {name:<8}│{''.join(_BARS[level] for level in levels)}│"))
    zero, one = (round((at - low) / (high - low) * _CELLS) for at in (0.0, 1.0))
    scale = [" "] * (_CELLS + 1)
    scale[zero], scale[one] = "0", "1"
    parts.append(line_of(f"  {'':<8} {''.join(scale)}".rstrip()))
    return parts


def _pairs_table(pairs: Sequence[PairScore]) -> Table:
    """Draw a row for each pair; of many the worst."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    table.add_column("base")
    table.add_column("target")
    table.add_column("rank", justify="right")
    table.add_column("cosine", justify="right")
    shown = list(pairs)
    if len(shown) > _SHOWN:
        shown = sorted(shown, key=lambda pair: -pair.rank)[:_WORST]
    for pair in shown:
        names = (Text(display(pair.base)), Text(display(pair.target)))
        table.add_row(*names, f"{pair.rank:,}", f"{pair.cosine:.3f}")
    return table
