"""A lens in words, for a terminal: layers down, positions across."""

from collections.abc import Sequence

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from ..lens.lens import Guess, Layer, Lens, Position
from ..projection.map import Map
from ..tokens.vocabulary import display
from .shown import shown
from .table import line_of

_CELL = 19  # of the terminal, for a position
_LONGEST = 12  # characters of a token in it
_TEXTS = 15  # that were written, of many runs
_MARGIN = 8  # for the number of the layer
# From which probability a cell has which style.
_STYLES = ((0.5, "bold green"), (0.1, "green"), (0.02, "yellow"), (0.0, "dim"))


def lens_table(found: Lens, *, width: int = 100, tracked: bool = False) -> Group:
    """Draw a lens: what was read and written, then the first token of each layer.

    Parameters
    ----------
    found : Lens
        What is drawn.
    width : int
        Of the terminal, in cells. Of more positions than it has room for, the last are drawn.
    tracked : bool
        Say of each followed token where it is likeliest, and what becomes of it.

    Returns
    -------
    rich.console.Group
        For a console to print.

    Examples
    --------
    >>> import unembed
    >>> table = lens_table(unembed.open_head("demo").lens("The capital of France is"))
    >>> print(table.renderables[1])
    demo: 19 layers, each through the final norm (rms)
    """
    room = max((width - _MARGIN) // _CELL, 1)
    drawn = found.positions[-room:]
    lines = [] if found.prompt is None else [f"read: {shown_text(found.prompt)}"]
    lines.append(f"{found.source}: {len(drawn[0].layers)} layers, {how_read(found)}")
    if found.text is not None:
        lines.append(f"written: {shown_text(found.text)}")
    if len(drawn) < len(found.positions):
        lines.append(f"the last {len(drawn)} of {len(found.positions)} positions; --json has all")
    parts: list[RenderableType] = [line_of(line) for line in lines]
    parts.append(_layers(drawn))
    parts += [line_of(line) for position in drawn for line in _begun(position)]
    if found.runs:
        parts += _written(found)
    if found.map is not None:
        parts += _over(found.map, found.positions[-room:])
    if found.space is not None:
        parts += [part for position in drawn for part in _compared(found, position)]
    if tracked:
        parts += [line_of(line) for position in drawn for line in _followed(position)]
    return Group(*parts)


def shown_text(text: str) -> str:
    r"""Give a text on one line, its line breaks as signs.

    Examples
    --------
    >>> shown_text("a\nb")
    'a⏎b'
    """
    return text.replace("\r", "␍").replace("\n", "⏎").replace("\t", "⇥")


def how_read(found: Lens) -> str:
    """Say how logits are made of a residual.

    Examples
    --------
    >>> import unembed
    >>> how_read(unembed.open_head("demo").lens("The capital of France is"))
    'each through the final norm (rms)'
    """
    parts = ["without the final norm"]
    if found.norm is not None:
        parts = [f"each through the final norm ({found.norm})"]
    if found.scale != 1:
        parts.append(f"products times {found.scale:g}")
    if found.softcap is not None:
        parts.append(f"logits capped at {found.softcap:g}")
    if found.bias:
        parts.append("with the head's bias")
    return ", ".join(parts)


def heading(position: Position, *, longest: int = 24) -> str:
    """Name a position by its token, of which at most so many characters are written.

    Examples
    --------
    >>> heading(Position(3, 5442, "▁sea", " sea", False, ()))
    '3 read sea'
    """
    name = "?" if position.token is None else shown(position.token, position.text)
    return (
        f"{position.position} {'wrote' if position.written else 'read'} {shortened(name, longest)}"
    )


def shortened(form: str, longest: int) -> str:
    """Cut a text that is longer, and say so by an ellipsis.

    Examples
    --------
    >>> shortened("seahorse", 4)
    'sea…'
    """
    return form if len(form) <= longest else f"{form[: longest - 1]}…"


def _layers(positions: Sequence[Position]) -> Table:
    """Draw a row for each layer: the first token at each position, and its probability."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("layer", justify="right", no_wrap=True)
    for position in positions:
        table.add_column(Text(_head(position)), no_wrap=True, min_width=_CELL - 3)
    for layers in zip(*(position.layers for position in positions), strict=True):
        table.add_row(str(layers[0].layer), *(_cell(layer.top[0]) for layer in layers))
    return table


def _cell(guess: Guess) -> Text:
    """Write a token and its probability, the brighter the likelier."""
    style = next(style for least, style in _STYLES if guess.probability >= least)
    return Text(f"{_form(guess.token, guess.text)} {guess.probability:.2f}", style=style)


def _head(position: Position) -> str:
    """Name a position, short."""
    return heading(position, longest=_LONGEST)


def _form(token: str, text: str | None) -> str:
    """Give the visible form of a token, short."""
    return shortened(shown(token, text), _LONGEST)


def _written(found: Lens) -> list[RenderableType]:
    """Say how often the model wrote what."""
    lines = [f"written in {found.runs:,} runs:"]
    lines += [
        f"  {one.count / found.runs:6.3f}  {one.count:,}  {shown_text(one.text)!r}"
        for one in found.written[:_TEXTS]
    ]
    rest = found.written[_TEXTS:]
    if rest:
        count = sum(one.count for one in rest)
        lines.append(f"  {count / found.runs:6.3f}  {count:,}  {len(rest):,} other texts")
    return [line_of(line) for line in lines]


def _over(drawn: Map, positions: Sequence[Position]) -> list[RenderableType]:
    """Name the token of a map that each layer is nearest to."""
    texts, tokens = drawn.points.texts, drawn.points.tokens
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("layer", justify="right", no_wrap=True)
    for position in positions:
        table.add_column(Text(_head(position)), no_wrap=True, min_width=_CELL - 3)
    for layer, steps in enumerate(zip(*(path.steps for path in drawn.paths), strict=True)):
        cells = [
            f"{_form(tokens[step.near[0]], texts[step.near[0]])} {step.cosines[0]:.2f}"
            for step in steps[-len(positions) :]
        ]
        table.add_row(str(layer), *map(Text, cells))
    return [line_of(f"nearest of {display(drawn.title)} in the {drawn.space} space:"), table]


def _compared(found: Lens, position: Position) -> list[RenderableType]:
    """Draw what residuals are near to, and what they are sums of, layer by layer."""
    parts: list[RenderableType] = [
        line_of(f"{_head(position)}: in the {found.space} space, as what meets the rows")
    ]
    if found.concepts:
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
        table.add_column("layer", justify="right", no_wrap=True)
        for expression in found.concepts:
            table.add_column(Text(display(expression)), justify="right")
        for layer in position.layers:
            table.add_row(str(layer.layer), *(f"{cosine:.3f}" for cosine in layer.cosines))
        parts.append(table)
    if found.chance is not None:
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
        table.add_column("layer", justify="right", no_wrap=True)
        table.add_column("explained", justify="right", no_wrap=True)
        table.add_column("as a sum of rows")
        for layer in position.layers:
            share = f"{layer.parts[-1].explained:.2f}" if layer.parts else ""
            forms = [f"{part.weight:.2f} {_form(part.token, part.text)}" for part in layer.parts]
            table.add_row(str(layer.layer), share, Text(" + ".join(forms)))
        parts.append(table)
        parts.append(line_of(f"  explained by chance: {found.chance:.2f}"))
    return parts


def _begun(position: Position) -> list[str]:
    """Say what pieces of characters that come first somewhere are the start of."""
    begun = {
        layer.top[0].token: layer.top[0].becomes
        for layer in position.layers
        if layer.top[0].becomes
    }
    return [f"  {position.position}: {token} is {what}" for token, what in begun.items()]


def _followed(position: Position) -> list[str]:
    """Say of each followed token where it is likeliest, and what becomes of it."""
    lines = []
    for place, last in enumerate(position.layers[-1].tracked):
        best = max(position.layers, key=lambda layer: layer.tracked[place].probability)
        lines.append(f"  {_becomes(position, best, place, last)}")
    return lines


def _becomes(position: Position, best: Layer, place: int, last: Guess) -> str:
    """Say where a token is likeliest, and its rank at the end."""
    there = best.tracked[place]
    return (
        f"{position.position}: {_form(last.token, last.text)} likeliest after layer {best.layer}, "
        f"{there.probability:.2f} (rank {there.rank:,}); at the end {last.probability:.2g} "
        f"(rank {last.rank:,})"
    )
