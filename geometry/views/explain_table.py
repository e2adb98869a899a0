"""An explanation for a terminal: the sum, then what lies near and what is known."""

from collections.abc import Iterator

from rich import box
from rich.console import Group
from rich.table import Table
from rich.text import Text

from ..explaining.characters import Character
from ..explaining.explanation import Explanation, Token
from ..tokens.vocabulary import Vocabulary, display
from .table import line_of, reading

_MEASURES = {"omp": "orthogonal matching pursuit", "lasso": "the Lasso"}
_ALONG = 3  # directions
_ENDS = 8  # characters that are shown


def explain_table(found: Explanation, vocabulary: Vocabulary) -> Group:
    """Draw an explanation: the sum step by step, neighbours, directions, and the token's facts.

    Parameters
    ----------
    found : Explanation
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
    >>> table = explain_table(head.explain("queen", parts=2), head.vocabulary)
    >>> print(table.renderables[2])
      queen = ▁king + female
    """
    of = f"{found.dictionary}, directions and regions"
    how = f"{_MEASURES[found.method]}{', signed' if found.signed else ''}"
    lines = [
        f"{found.expression}: {found.source}, a sum of {of} in the {found.space} space, by {how}",
        "  " + ", ".join(reading(name) for name in found.resolved),
        f"  {found.expression} = {found.equation() or 'nothing of these'}",
    ]
    return Group(
        *[line_of(line) for line in lines],
        _sum(found, vocabulary),
        *[line_of(line) for line in _facts(found, vocabulary)],
    )


def _sum(found: Explanation, vocabulary: Vocabulary) -> Table:
    """Draw a row for each part of the sum."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for column in ("part", "text", "kind"):
        table.add_column(column)
    for column in ("weight", "explained", "of a random vector"):
        table.add_column(column, justify="right")
    for part, chance in zip(found.parts, found.chance, strict=True):
        text = "" if part.id is None else vocabulary.display_text(part.id)
        table.add_row(
            Text(display(part.token)),
            Text(text),
            part.kind,
            f"{part.weight:.3f}",
            f"{part.explained:.1%}",
            f"{chance:.1%}",
        )
    return table


def _facts(found: Explanation, vocabulary: Vocabulary) -> Iterator[str]:
    """Say what lies near, how far it points along directions, and what is known of the token."""
    near = ", ".join(f"{near.token} {near.score:.3f}" for near in found.neighbours)
    yield f"nearest     {near}"
    if found.directions:
        along = ", ".join(
            f"{one.name} {one.cosine:.2f} (more than {one.above:.1%} of rows)"
            for one in found.directions[:_ALONG]
        )
        yield f"directions  {along}"
    if found.token is None:
        yield f"snaps to    {found.snap.token}, {found.snap.gap_degrees:.1f}° off"
        return
    token = found.token
    kinds = [token.kind, *token.regions]
    yield f"token       #{token.id} {vocabulary.display_text(token.id)}: {', '.join(kinds)}"
    yield f"norm        {token.norm:.4f}, rank {token.norm_rank:,} of {token.tokens:,}"
    yield f"written     {_writable(token)}"
    yield from _characters(token, vocabulary)


def _writable(token: Token) -> str:
    """Say whether any residual writes a token."""
    if token.writable is None:
        return "undecided: no residual that writes it was found, and no proof that none does"
    if token.writable_by == "own row":
        return "it can be: a residual that points along its own row writes it"
    if token.writable_by == "whitened row":
        return "it can be: a residual that points along its whitened row writes it, its own row not"
    if token.writable:
        return "it can be: not along its own row, but a linear programme found a residual"
    if token.writable_by == "equal row":
        return "never: an equal row of a lower id comes before it"
    return "never: its row is a mean of others (linear programme)"


def _characters(token: Token, vocabulary: Vocabulary) -> Iterator[str]:
    """Say what a fragment can be a part of, and which tokens do the rest."""
    if not token.characters_total:
        return
    roles = dict.fromkeys(character.role for character in token.characters)
    for role in roles:
        chosen = [character for character in token.characters if character.role == role]
        chosen.sort(key=lambda character: not character.tokens)  # those that are soon there first
        done = sum(bool(character.tokens) for character in chosen)
        count = f"{token.characters_total:,}" if len(roles) == 1 else f"{len(chosen):,}"
        cut = len(token.characters) < token.characters_total
        more = f", of the first {len(chosen):,}" if cut else ""
        yield (
            f"{role:<11} {count} characters; one token writes what lacks of {done:,}{more}: "
            + ", ".join(_with(character, vocabulary) for character in chosen[:_ENDS])
            + (" …" if len(chosen) > _ENDS else "")
        )


def _with(character: Character, vocabulary: Vocabulary) -> str:
    """Name a character and the token that does the rest."""
    ids = character.tokens or character.others
    return f"{character.text} {vocabulary.token(ids[0])}" if ids else character.text
