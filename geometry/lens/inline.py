"""A lens inside a notebook: a heat map, layers down and positions across."""

from html import escape
from typing import TYPE_CHECKING

from ..tokens.vocabulary import display

if TYPE_CHECKING:
    from .lens import Guess, Layer, Lens, Position

_MOST = 12  # positions that are drawn: the last
_LONGEST = 14  # characters of a token


def inline_table(found: "Lens") -> str:
    """Draw a lens as an HTML table: the first token of each layer, the greener the likelier.

    What else is known of a layer comes up where the pointer rests. Every token is escaped.

    Examples
    --------
    >>> import unembed
    >>> inline_table(unembed.open_head("demo").lens("The capital of France is"))[:7]
    '<table>'
    """
    drawn = found.positions[-_MOST:]
    read = "" if found.prompt is None else f": {escape(display(found.prompt))}"
    wrote = "" if found.text is None else f" → {escape(display(found.text))}"
    heads = "".join(f"<th>{_head(position)}</th>" for position in drawn)
    rows = "".join(
        f"<tr><th>{layers[0].layer}</th>{''.join(map(_cell, layers))}</tr>"
        for layers in zip(*(position.layers for position in drawn), strict=True)
    )
    return (
        f"<table><caption>{escape(repr(found))}{read}{wrote}</caption>"
        f"<thead><tr><th>layer</th>{heads}</tr></thead><tbody>{rows}</tbody></table>"
    )


def _head(position: "Position") -> str:
    """Name a position by its token."""
    verb = "wrote" if position.written else "read"
    token = "?" if position.token is None else _form(position.token, position.text)
    return f"{position.position} {verb} {token}"


def _cell(layer: "Layer") -> str:
    """Draw the first token of a layer."""
    first = layer.top[0]
    lines = [_line(guess) for guess in layer.top]
    lines.append(f"entropy {layer.entropy:.2f}, KL {layer.kl:.2f} nats")
    return (
        f'<td title="{escape(chr(10).join(lines))}" '
        f'style="background:rgba(46,160,67,{first.probability:.2f})">'
        f"{_form(first.token, first.text)} {first.probability:.2f}</td>"
    )


def _line(guess: "Guess") -> str:
    """Write a guess in words."""
    becomes = f" ({guess.becomes})" if guess.becomes else ""
    return f"{guess.rank} {display(guess.text or guess.token)} {guess.probability:.3f}{becomes}"


def _form(token: str, text: str | None) -> str:
    """Give a token's text, or its string in the vocabulary, short and escaped."""
    form = display((text or token).strip() or token)
    return escape(form if len(form) <= _LONGEST else f"{form[: _LONGEST - 1]}…")
