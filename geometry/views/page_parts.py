"""What pages have in common: texts and tokens made harmless, bars, cards, tables."""

from collections.abc import Iterable, Sequence
from html import escape
from typing import Any

from ..audit.summary import marked, share
from ..tokens.vocabulary import Vocabulary, display
from .html import filled, part

FOOTER = (
    "<footer><p>Spaces in tokens are shown as ▁; bytes that are no whole character, controls and "
    "marks of direction as escapes.</p></footer>\n"
)
"""How texts of tokens are to be read, as HTML."""


def harmless(text: str) -> str:
    r"""Give a text to stand in HTML, its controls and marks of direction written out.

    Examples
    --------
    >>> harmless("<b>\u202e")
    '&lt;b&gt;\\u202e'
    """
    return escape(display(text))


def token_of(id_: int, token: str, vocabulary: Vocabulary) -> list[Any]:
    r"""Give a token's id, its own string, and its text as people read it, for a page's data.

    What writes nothing is read by its own string.

    Examples
    --------
    >>> import unembed
    >>> vocabulary = unembed.open_head("demo-bytes").vocabulary
    >>> print(*token_of(36683, vocabulary.token(36683), vocabulary))
    36683 ĠìĻĦë ▁완\xeb
    """
    own, bare = display(token), vocabulary.display_text(id_)[1:-1].replace(" ", "▁")
    return [id_, own, marked(vocabulary.text(id_), bare) or own]


def shares(counts: Iterable[tuple[str, str, int]]) -> str:
    """Draw counts as the parts of one bar, with a legend, as HTML; those of 0 are left out.

    Parameters
    ----------
    counts : iterable of (str, str, int)
        The class that colours each, what it is, how many it is.

    Examples
    --------
    >>> shares([("one", "one token", 3), ("none", "no token", 1)])[:60]
    '<div class="bar" aria-hidden="true"><span class="one" style='
    >>> shares([])
    ''
    """
    drawn = [one for one in counts if one[2]]
    if not drawn:
        return ""
    total = sum(n for _, _, n in drawn)
    parts = "".join(f'<span class="{kind}" style="flex-grow:{n}"></span>' for kind, _, n in drawn)
    legend = "".join(
        f'<li class="dot {kind}">{said} <b>{n:,}</b> {share(n, total)}</li>'
        for kind, said, n in drawn
    )
    return f'<div class="bar" aria-hidden="true">{parts}</div>\n<ul class="legend">{legend}</ul>'


def cards_with(cards: Iterable[tuple[str, str, str, str]]) -> str:
    """Draw figures as cards, as HTML.

    Parameters
    ----------
    cards : iterable of (str, str, str, str)
        The class that colours each, its label, its figure, a small note.

    Examples
    --------
    >>> cards_with([("", "tokens", "7", "")]).count("<dt>")
    1
    """
    drawn = "".join(
        f'<div class="card {kind}"><dt>{label}</dt><dd>{value}<small>{small}</small></dd></div>'
        for kind, label, value, small in cards
    )
    return f'<dl class="cards">{drawn}</dl>'


def listed(
    title: str, said: str, heads: Sequence[str], rows: Sequence[Sequence[str]], *, texts: int
) -> str:
    """Draw a table under its title, as HTML.

    Examples
    --------
    >>> listed("Sources", "", ("source", "n"), [("a", "1")], texts=1)[:29]
    '<section><h2>Sources</h2><tab'
    """
    note = f'<p class="note">{said}</p>' if said else ""
    return f"<section><h2>{title}</h2>{note}{table_of(heads, rows, texts=texts)}</section>"


def table_of(heads: Sequence[str], rows: Sequence[Sequence[str]], *, texts: int) -> str:
    """Draw a table, as HTML: first so many columns of text, then numbers.

    Examples
    --------
    >>> table_of(("p", "n"), [("0.5", "<1")], texts=0).count('class="number"')
    4
    """

    def cell(tag: str, place: int, text: str) -> str:
        """Draw a cell; one of text keeps its direction to itself."""
        if place == 1 < texts:
            return f'<{tag} class="tight"><bdi>{harmless(text)}</bdi></{tag.partition(" ")[0]}>'
        if place < texts:
            return f'<{tag}><bdi class="line">{harmless(text)}</bdi></{tag.partition(" ")[0]}>'
        return f'<{tag} class="number">{harmless(text)}</{tag.partition(" ")[0]}>'

    head = "".join(cell('th scope="col"', place, text) for place, text in enumerate(heads))
    body = "".join(
        f"<tr>{''.join(cell('td', place, text) for place, text in enumerate(row))}</tr>"
        for row in rows
    )
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def table_tool(
    *,
    kind: str,
    sought: str,
    chips: str,
    caption: str,
    at: str = "",
    choice: str | None = None,
) -> str:
    """Give the place of a table that is searched, filtered, sorted and paged, as HTML.

    Parameters
    ----------
    kind : str
        The class of the table.
    sought : str
        What a search looks at.
    chips : str
        What the buttons above it choose.
    caption : str
        What it is, and how it is used, for who does not see it.
    at : str
        What the ids of its parts begin with.
    choice : str, optional
        What one is chosen by from a list.

    Examples
    --------
    >>> tool = table_tool(kind="odd", sought="token", chips="Shown", caption="Tokens", at="odd-")
    >>> 'id="odd-search"' in tool
    True
    """
    box = ""
    if choice is not None:
        box = (
            f'<label id="{at}{choice}-box" hidden><span>{choice.capitalize()}</span>'
            f'<select id="{at}{choice}"><option value="">all</option></select></label>\n'
        )
    values = {"kind": kind, "sought": sought, "chips": chips, "caption": caption, "at": at}
    return filled(part("table.html"), values | {"choice": box}).decode()
