"""Tables for a terminal."""

from rich import box
from rich.console import Group
from rich.table import Table
from rich.text import Text

from ..heads.vocabulary import display
from ..neighbours import Neighbours, shown_text


def neighbours_table(answer: Neighbours) -> Group:
    """Draw an answer: what was searched, the token of each name, then a row a neighbour."""
    names = ", ".join(f"{name.text} is {' '.join(name.tokens)}" for name in answer.resolved)
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for column in ("rank", "score", "id"):
        table.add_column(column, justify="right")
    for column in ("token", "text"):
        table.add_column(column)
    for near in answer.neighbours:
        # Text, not markup: a token may hold brackets.
        cells = (str(near.rank), f"{near.score:.4f}", str(near.id))
        table.add_row(*cells, Text(display(near.token)), Text(shown_text(near)))
    where = f"the region {answer.region}" if answer.region else "all tokens"
    head = f"{answer.source}, {where}, {answer.space} space ({names})"
    return Group(Text(display(head)), table)
