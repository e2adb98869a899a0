"""Lists that are built in: all emoji by name, all characters of a script."""

import unicodedata
from collections.abc import Iterator

from ...errors import UsageError
from ..concepts.checks import shown
from ..concepts.pairs import spoken
from ..tokens.whole_emoji import whole_emoji
from .record import Record
from .values import readable

_BLOCK = 1 << 12  # characters that are looked through at once
_CHARACTERS = 0x110000


def built_in_list(source: str, *, name: str | None = None) -> Iterator[Record] | None:
    """Give the records of a list that is built in; None where the source is none.

    ``emoji:all`` and ``emoji:all:LANG`` have every fully-qualified emoji by its name in English or
    another language of the emoji library, in its order; ``unicode:SCRIPT`` every assigned
    character of a script by its Unicode name, by code point. What has no name has a fault; a
    character whose name only repeats its number is its own concept.

    Parameters
    ----------
    source : str
        What was asked for.
    name : str or None
        The `source` of the records.

    Raises
    ------
    UsageError
        There is no such list, language or script.

    Examples
    --------
    >>> next(built_in_list("unicode:greek")).concept
    'greek capital letter heta'
    >>> built_in_list("words.txt") is None
    True
    """
    kind, colon, rest = source.partition(":")
    if not colon or kind not in {"emoji", "unicode"}:
        return None
    return _emoji(source, rest, name) if kind == "emoji" else _script(source, rest, name)


def _emoji(source: str, rest: str, name: str | None) -> Iterator[Record]:
    """Give all emoji of the library."""
    import emoji

    which, _, language = rest.partition(":")
    if which != "all":
        raise UsageError(
            f"unknown list {shown(source)}; the lists are emoji:all, emoji:all:LANG and "
            "unicode:SCRIPT"
        )
    language = language if rest != "all" else "en"
    if language not in emoji.LANGUAGES:
        raise UsageError(
            f"unknown language {shown(language)} of emoji; the languages are "
            f"{', '.join(emoji.LANGUAGES)}"
        )
    emoji.config.load_language(language)
    return (
        _record(text, spoken(data.get(language, "")), f"in {language!r}", name)
        for text, data in whole_emoji().items()
    )


def _script(source: str, script: str, name: str | None) -> Iterator[Record]:
    """Give all characters of a script."""
    import regex

    # The library leaves out of a name what is not ASCII, and then finds a script.
    plain = script.replace("_", "").replace(" ", "")
    try:
        if not (script.isascii() and plain.isalpha()):
            raise regex.error(script)
        pattern = regex.compile(rf"(?!\p{{Cn}}|\p{{Cs}})\p{{Script={script}}}")
    except regex.error as error:
        raise UsageError(
            f"unknown list {shown(source)}; unicode: is followed by a script of Unicode, such as "
            "greek, cyrillic or han"
        ) from error
    return (
        _record(text, _named(text), f"in Unicode {unicodedata.unidata_version}", name)
        for start in range(0, _CHARACTERS, _BLOCK)
        for text in pattern.findall("".join(map(chr, range(start, start + _BLOCK))))
    )


def _named(text: str) -> str:
    """Give the name of a character in lower case; the character where the name is a number."""
    name = unicodedata.name(text, "")
    return text if name.endswith(f"-{ord(text):04X}") else name.lower()


def _record(text: str, concept: str, where: str, source: str | None) -> Record:
    """Make the record of an emoji or a character."""
    id_ = " ".join(f"U+{ord(char):04X}" for char in text)
    if not concept:
        fault = f"{id_} has no name {where}"
        return Record(readable(text), id_, source, is_phrase=True, fault=fault)
    return Record(concept, id_, source, (text,), is_phrase=True)
