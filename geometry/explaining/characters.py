"""The characters that a fragment can begin or complete, and the tokens that do the rest."""

import unicodedata
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np

from ..tokens.becoming import unfinished
from ..tokens.characters import parts_of
from ..tokens.kinds import continuations
from ..tokens.vocabulary import Vocabulary

MOST = 4096  # characters that are named
_OTHERS = 3


@dataclass(frozen=True)
class Character:
    r"""A character that a fragment is a part of.

    Attributes
    ----------
    text : str
        The character.
    name : str
        Its name in Unicode, in small letters; empty where it has none.
    role : str
        What the fragment does: ``begins`` it, ``completes`` it, or stands ``inside``.
    before, after : str
        The bytes that lack, as hexadecimal digits.
    tokens : tuple of int
        The tokens that write all that lacks and nothing else; where both sides lack, those behind.
    others : tuple of int
        Without one, those that write more than it, the shortest first; at most three.

    Examples
    --------
    >>> Character("é", "latin small letter e with acute", "begins", "", "a9", (), ()).after
    'a9'
    """

    text: str
    name: str
    role: str
    before: str
    after: str
    tokens: tuple[int, ...]
    others: tuple[int, ...]


def characters_of(vocabulary: Vocabulary, id_: int) -> tuple[tuple[Character, ...], int]:
    r"""Give the characters that a fragment can be a part of, by their code points.

    Parameters
    ----------
    vocabulary : Vocabulary
        Of the head.
    id_ : int
        The token.

    Returns
    -------
    characters : tuple of Character
        The first 4,096 of them: those that it begins, then those that it completes, or, where it
        has neither a beginning nor an end of its own, those that it stands inside of.
    total : int
        How many there are; of a token that is whole UTF-8 none.

    Examples
    --------
    >>> import unembed
    >>> vocabulary = unembed.open_head("demo").vocabulary
    >>> found, total = characters_of(vocabulary, vocabulary.id_of_token("<0xC3>"))
    >>> total, found[0].text, found[0].role, [vocabulary.token(id) for id in found[0].tokens]
    (64, 'À', 'begins', ['<0x80>'])
    """
    found, rests = _cut(vocabulary.written[id_]), _Rests(vocabulary)
    characters = tuple(
        Character(
            text,
            unicodedata.name(text, "").lower(),
            role,
            before.hex(),
            after.hex(),
            *(rests.behind(after) if after else rests.before(before)),
        )
        for text, role, before, after in found[:MOST]
    )
    return characters, len(found)


def _cut(written: bytes) -> list[tuple[str, str, bytes, bytes]]:
    """Give the characters that bytes are a part of, what these do, and what lacks on each side."""
    tail, head, found = unfinished(written), continuations(written), []
    for role, texts in parts_of(written).items():
        own = tail if role == "begins" else head
        for text in texts:
            encoded = text.encode()
            if role == "inside":
                at = encoded.index(own, 1)
            else:
                at = 0 if role == "begins" else len(encoded) - len(own)
            found.append((text, role, encoded[:at], encoded[at + len(own) :]))
    return found


class _Rests:
    """The tokens that write what lacks of a character."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        known = [
            (id_, vocabulary.written[id_]) for id_ in np.flatnonzero(vocabulary.known_V).tolist()
        ]
        self._starting = _by(known, continuations)
        self._ending = _by(known, unfinished)

    def behind(self, after: bytes) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Give the tokens that write exactly these bytes, and some that go on after them."""
        return _split(self._starting.get(after, ()), len(after))

    def before(self, before: bytes) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Give the tokens that write exactly these bytes, and some that write more before them."""
        return _split(self._ending.get(before, ()), len(before))


def _by(
    known: Iterable[tuple[int, bytes]], part: Callable[[bytes], bytes]
) -> dict[bytes, list[tuple[int, int]]]:
    """Gather tokens by a part of their bytes: the lengths of all bytes, and the ids."""
    found: dict[bytes, list[tuple[int, int]]] = {}
    for id_, written in known:
        key = part(written)
        if key:
            found.setdefault(key, []).append((len(written), id_))
    return found


def _split(
    found: Iterable[tuple[int, int]], length: int
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Tell tokens of just so many bytes from longer ones; of these give the shortest."""
    exact = tuple(id_ for size, id_ in found if size == length)
    longer = sorted((size, id_) for size, id_ in found if size > length)
    return exact, () if exact else tuple(id_ for _, id_ in longer[:_OTHERS])
