"""Tokens as a picture shows them: one visible form each, and which of them are emoji."""

import unicodedata
from functools import cache

from ..tokens.vocabulary import display

_LONGEST = 24  # characters
_BLANKS = {" ": "␣", "\n": "⏎", "\t": "⇥", "\r": "␍", "▁": "␣"}
_BASE = "◌"  # what a mark stands on that is alone


def shown(token: str, text: str | None) -> str:
    r"""Give the visible form of a token: short, harmless, never empty.

    Its text without the space before a word; spaces alone, line breaks and tabs as signs; a mark
    alone on a dotted circle; what is invisible by its escape; a fragment by the vocabulary's own
    string.

    Parameters
    ----------
    token : str
        The vocabulary's own string.
    text : str or None
        What it writes; None for a fragment of a character.

    Examples
    --------
    >>> shown("▁sea", " sea"), shown("<0xE2>", None), shown("▁▁", "  "), shown("x", "\u200b")
    ('sea', '<0xE2>', '␣␣', '\\u200b')
    """
    form = token if text is None else text
    bare = form.strip()
    if not bare or set(bare) <= set(_BLANKS):
        form = "".join(_BLANKS.get(char, char) for char in form)
    else:
        form = bare.replace("\n", "⏎").replace("\t", "⇥").replace("\r", "␍")
    if form and unicodedata.category(form[0]) in {"Mn", "Me"}:
        form = _BASE + form
    form = display(form) or display(token) or "∅"
    return form if len(form) <= _LONGEST else f"{form[: _LONGEST - 1]}…"


def emoji_in(text: str | None) -> str | None:
    """Give the one emoji that a token writes, with or without a space before it; None for others.

    Examples
    --------
    >>> emoji_in(" 🐠"), emoji_in("🐠🐠"), emoji_in(None)
    ('🐠', None, None)
    """
    if text is None:
        return None
    bare = text.removeprefix(" ")
    return bare if bare in _all_emoji() else None


@cache
def _all_emoji() -> frozenset[str]:
    """Give every emoji in its full form."""
    import emoji

    whole = emoji.STATUS["fully_qualified"]
    return frozenset(text for text, data in emoji.EMOJI_DATA.items() if data["status"] == whole)
