"""Cosines of concepts with each other, for a terminal."""

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from ..similarities import Similarities
from ..tokens.vocabulary import display
from .table import line_of, reading

_MOST = 40  # expressions that are shown
_NUMBER, _GAP = len("-0.123"), 2  # cells
_LEAST, _LONGEST = 20, 40  # cells of an expression, with its number


def similarity_table(found: Similarities, *, width: int = 100) -> Group:
    """Draw cosines as a square; what is too wide is cut into several tables.

    Columns are numbered, and above stands how the names of each expression were read.

    Parameters
    ----------
    found : Similarities
        What is drawn; of more than 40 expressions the first 40.
    width : int
        Of the terminal, in cells.

    Returns
    -------
    rich.console.Group
        For a console to print.

    Examples
    --------
    >>> import unembed
    >>> found = unembed.open_head("demo").similarities(["sea", "king - man"])
    >>> for line in similarity_table(found).renderables[:3]:
    ...     print(line)
    demo: cosine in the causal space
      1  sea is ▁sea
      2  king - man: king is ▁king, man is ▁man
    """
    count = min(len(found.expressions), _MOST)
    digits = len(str(count))
    parts: list[RenderableType] = [
        line_of(f"{found.source}: {found.measure} in the {found.space} space"),
        *(line_of(f"  {place + 1:>{digits}}  {_read(found, place)}") for place in range(count)),
    ]
    if count < len(found.expressions):
        parts.append(
            line_of(
                f"the first {count} of {len(found.expressions):,} expressions; --csv and --json "
                "give all"
            )
        )
    across = max(1, (width - _LEAST) // (_NUMBER + _GAP))
    room = min(width - min(across, count) * (_NUMBER + _GAP), _LONGEST)
    for start in range(0, count, across):
        parts += [Text("")] * bool(start)
        parts.append(_band(found, count, range(start, min(start + across, count)), room))
    return Group(*parts)


def _read(found: Similarities, place: int) -> str:
    """Say how the names of an expression were read; one that is a name is not said twice."""
    expression, names = found.expressions[place], found.resolved[place]
    said = ", ".join(map(reading, names))
    if [name.text for name in names] == [expression]:
        return said
    return f"{expression}: {said}" if names else expression


def _band(found: Similarities, count: int, places: range, room: int) -> Table:
    """Draw all rows of some columns."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, padding=(0, 1, 0, 0))
    table.add_column("", no_wrap=True, overflow="ellipsis", max_width=room)
    for place in places:
        table.add_column(str(place + 1), justify="right", min_width=_NUMBER, no_wrap=True)
    digits = len(str(count))
    for row, expression in enumerate(found.expressions[:count]):
        numbers = [f"{found.values_NN[row, place]:.3f}" for place in places]
        # Text, not markup: an expression may hold brackets.
        table.add_row(Text(f"{row + 1:>{digits}}  {display(expression)}"), *numbers)
    return table
