"""Tables for a terminal."""

from collections.abc import Sequence

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from ...indexes.store import Entry
from ..answer import Neighbour, Neighbours
from ..concepts.phrase import MODEL, Resolved
from ..info import Info
from ..tokens.vocabulary import Vocabulary, display


def neighbours_table(answer: Neighbours, vocabulary: Vocabulary) -> Group:
    """Draw an answer: what was searched, how names were read, the snap, then a row a neighbour.

    Parameters
    ----------
    answer : Neighbours
        What is drawn.
    vocabulary : Vocabulary
        Writes texts so that they harm no terminal.

    Returns
    -------
    rich.console.Group
        For a console to print.

    Examples
    --------
    >>> import unembed
    >>> head = unembed.open_head("demo")
    >>> table = neighbours_table(head.nearest("sea", top=1), head.vocabulary)
    >>> print(table.renderables[0])
    sea: demo, all tokens, cosine in the causal space
    """
    where = f"the region {answer.region}" if answer.region else "all tokens"
    how = f"{answer.score} in the {answer.space} space"
    lines = [f"{answer.expression}: {answer.source}, {where}, {how}"]
    if answer.resolved:
        lines.append("  " + ", ".join(reading(name) for name in answer.resolved))
    lines.append(f"  {_snap(answer)}")
    parts: list[RenderableType] = [line_of(line) for line in lines]
    parts.append(_table(answer.neighbours, vocabulary))
    if answer.tracked:
        parts += [Text("tracked:"), _table(answer.tracked, vocabulary)]
    return Group(*parts)


def line_of(text: str) -> Text:
    """Give a line that is never broken, with nothing in it that harms a terminal.

    Examples
    --------
    >>> line_of("sea").no_wrap
    True
    """
    return Text(display(text), no_wrap=True, overflow="ignore")


def reading(name: Resolved) -> str:
    """Say which tokens a name was taken for.

    Examples
    --------
    >>> import unembed
    >>> reading(unembed.open_head("demo").concept("seahorse").resolved[0])
    'seahorse is ▁se ahorse, weighed by rarity'
    """
    how = name.method.partition("_")[2] if name.method.startswith(("pieces_", "words_")) else ""
    tokens = " ".join(name.tokens)
    if name.method in {MODEL, f"pieces_{MODEL}"}:
        return f"{name.text} is {tokens}, as the model builds it"
    if name.method == f"words_{MODEL}":
        return f"{name.text} is {tokens}, its words as the model builds them"
    if how == "rarity":
        return f"{name.text} is {tokens}, weighed by rarity"
    return f"{name.text} is {f'the {how} of ' if how else ''}{tokens}"


def _snap(answer: Neighbours) -> str:
    """Say what the head makes of the concept, and what is lost."""
    snap = answer.snap
    sure = "" if snap.probability is None else f", probability {snap.probability:.3g}"
    return (
        f"the head makes of it {snap.token}: logit {snap.logit:.4f}{sure}, "
        f"{snap.gap_degrees:.1f}° and {snap.gap_logit:.4f} logits off"
    )


def _table(neighbours: Sequence[Neighbour], vocabulary: Vocabulary) -> Table:
    """Draw a row for each token; probabilities where there are any."""
    sure = any(near.probability is not None for near in neighbours)
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for column in ("rank", "id"):
        table.add_column(column, justify="right")
    for column in ("token", "text"):
        table.add_column(column)
    for column in ("score", "logit"):
        table.add_column(column, justify="right")
    if sure:
        table.add_column("probability", justify="right")
    for near in neighbours:
        # Text, not markup: a token may hold brackets.
        words = (Text(display(near.token)), Text(vocabulary.display_text(near.id)))
        numbers = [f"{near.score:.4f}", f"{near.logit:.4f}"]
        if near.probability is not None:
            numbers.append(f"{near.probability:.3g}")
        table.add_row(f"{near.rank:,}", str(near.id), *words, *numbers)
    return table


def info_table(info: Info) -> Group:
    """Draw what was found in a source.

    Parameters
    ----------
    info : Info
        What is drawn.

    Returns
    -------
    rich.console.Group
        For a console to print: a line a fact, then what is kept on disk.

    Examples
    --------
    >>> import unembed
    >>> print(info_table(unembed.open_head("demo").info()).renderables[0])
    source        demo
    """
    lines = [line_of(f"{name:<14}{value}") for name, value in info.facts()]
    return Group(*lines, Text(""), entries_table(info.cache))


def entries_table(entries: Sequence[Entry]) -> RenderableType:
    """Draw what is kept on disk, a row an entry, and the sum.

    Parameters
    ----------
    entries : sequence of Entry
        What is drawn.

    Returns
    -------
    rich.table.Table
        For a console to print; sizes are in MB of 10^6 bytes.

    Examples
    --------
    >>> from pathlib import Path
    >>> table = entries_table([Entry("demo", "vocabulary", 2_500_000, Path("kept"))])
    >>> [column.footer for column in table.columns]
    ['1 entries', '2.5', '']
    """
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, show_footer=True)
    total = sum(entry.bytes for entry in entries)
    table.add_column("entry", footer=f"{len(entries)} entries")
    table.add_column("MB", justify="right", footer=f"{total / 1e6:,.1f}")
    table.add_column("of", footer="")
    for entry in entries:
        size = f"{entry.bytes / 1e6:,.1f}"
        table.add_row(Text(display(entry.name)), size, Text(display(entry.source)))
    return table
