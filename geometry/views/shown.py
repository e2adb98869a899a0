"""Tokens as a picture shows them: one visible form each, and which of them are emoji."""

import re
import unicodedata
from functools import cache
from itertools import groupby

from ..tokens.vocabulary import display
from ..tokens.whole_emoji import whole_emoji

_LONGEST = 24  # characters
_SIGNS = {" ": "␣", "\n": "⏎", "\t": "⇥", "\r": "␍"}
_BREAKS = str.maketrans({char: sign for char, sign in _SIGNS.items() if char != " "})
_MOST_SIGNS = 3  # of a kind in a row; more are counted
_BASE = "◌"  # what a mark stands on that is alone
_NOTHING = "∅"
# What no font draws and `display` lets pass: joiners, selectors, fillers, the blank of Braille,
# places kept for more of them. Behind another character a selector does its work; a joiner that
# joins nothing does none.
_FAINT = (
    "\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200d\u2065\u2800\u3164"
    "\ufe00-\ufe0f\uffa0\ufff0-\ufff8\U000e0000-\U000e0fff"
)
_LOOSE = re.compile(rf"\A[{_FAINT}]+|\u200d+\Z")


def counted(count: int, noun: str) -> str:
    """Say how many there are of what has a regular plural.

    Examples
    --------
    >>> counted(1, "token"), counted(1000, "token")
    ('1 token', '1,000 tokens')
    """
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def shown(token: str, text: str | None) -> str:
    r"""Give the visible form of a token: short, harmless, never empty.

    It is the token's text without the space before a word. Other white space at its ends, and line
    breaks and tabs anywhere, are signs, counted where there are many; a mark alone stands on a
    dotted circle; what is invisible is escaped as in Python. A fragment, and a token that writes
    nothing, has the vocabulary's own string.

    Parameters
    ----------
    token : str
        The vocabulary's own string.
    text : str or None
        What it writes; None for a fragment of a character.

    Returns
    -------
    str
        1 to 24 characters; an ellipsis ends what was longer.

    Examples
    --------
    >>> shown("▁sea", " sea"), shown("<0xE2>", None), shown("▁▁", "  "), shown(";\n", ";\n")
    ('sea', '<0xE2>', '␣␣', ';⏎')
    >>> shown("\u0301", "\u0301"), shown("\u200b", "\u200b"), shown("\n" * 9, "\n" * 9)
    ('◌́', '\\u200b', '⏎×9')
    """
    form = text or token
    bare = form.removeprefix(" ")
    if bare and not bare[0].isspace():
        form = bare
    if not form.isascii() or not form.isprintable() or " " in {form[:1], form[-1:]}:
        form = form if form in _all_emoji() else _made_visible(form)
    if not form:
        return _NOTHING
    return form if len(form) <= _LONGEST else f"{form[: _LONGEST - 1]}…"


def emoji_in(text: str | None) -> str | None:
    """Give the one emoji that a token writes, with or without a space before it; None for others.

    Parameters
    ----------
    text : str or None
        What the token writes.

    Returns
    -------
    str or None
        One RGI emoji, fully qualified, as in the region ``emoji``.

    Examples
    --------
    >>> emoji_in(" 🐠"), emoji_in("🐠🐠"), emoji_in(None)
    ('🐠', None, None)
    """
    bare = (text or "").removeprefix(" ")
    return bare if bare in _all_emoji() else None


def runs_of(text: str) -> list[tuple[str, bool]]:
    """Split a text into its emoji and what is between them.

    Parameters
    ----------
    text : str
        Any.

    Returns
    -------
    list of (str, bool)
        The parts in their order, and whether each is one RGI emoji; of several that begin at one
        place, the longest.

    Examples
    --------
    >>> runs_of("a 🐴🐶")
    [('a ', False), ('🐴', True), ('🐶', True)]
    """
    parts, rest = [], 0
    for found in _emoji_pattern().finditer(text):
        if found.start() > rest:
            parts.append((text[rest : found.start()], False))
        parts.append((found[0], True))
        rest = found.end()
    return [*parts, (text[rest:], False)] if rest < len(text) else parts


def _made_visible(form: str) -> str:
    """Write signs and escapes for all that is not seen."""
    body = form.strip()
    start = form.index(body) if body else len(form)
    before, after = form[:start], form[start + len(body) :]
    body = _LOOSE.sub(lambda found: _escaped(found[0]), body.translate(_BREAKS))
    if body and unicodedata.category(body[0]).startswith("M"):
        body = _BASE + body
    form = _signs(before) + body + _signs(after)
    return form if form.isprintable() else display(form)


def _signs(blank: str) -> str:
    """Write white space by signs, and by its number where it has none."""
    parts = []
    for char, run in groupby(blank):
        count = sum(1 for _ in run)
        other = char if char.isascii() else _escaped(char)  # a control of ASCII is left to display
        sign = _SIGNS.get(char, other)
        parts.append(sign * count if count <= _MOST_SIGNS else f"{sign}×{count}")
    return "".join(parts)


def _escaped(chars: str) -> str:
    """Write characters by their numbers, as `display` does."""
    codes = map(ord, chars)
    return "".join(f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}" for code in codes)


@cache
def _all_emoji() -> frozenset[str]:
    """Give every emoji in its full form."""
    return frozenset(whole_emoji())


@cache
def _emoji_pattern() -> re.Pattern[str]:
    """Give what matches an emoji, the longest first."""
    return re.compile("|".join(map(re.escape, sorted(_all_emoji(), key=len, reverse=True))))
