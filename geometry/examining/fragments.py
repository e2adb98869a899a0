"""Fragments: tokens that write a part of a character, and which characters these are."""

from dataclasses import dataclass

import numpy as np

from ...indexes.progress import Progress, step_of
from ..tokens.characters import parts_of
from ..tokens.vocabulary import Vocabulary

_SHOWN = 8  # characters of each
_TOLD = 64  # fragments, between two reports


@dataclass(frozen=True)
class Fragment:
    r"""A token that is no whole text, and what it is a part of.

    Attributes
    ----------
    id : int
        The token.
    begins, completes, inside : int
        How many characters it begins, completes, or stands inside of: as many as Unicode has
        assigned. All are 0 for bytes that stand in no UTF-8.
    characters : tuple of str
        The first eight of them: those that it begins, completes, stands inside of, by code points.

    Examples
    --------
    >>> Fragment(7, 64, 0, 0, ("À", "Á")).begins
    64
    """

    id: int
    begins: int
    completes: int
    inside: int
    characters: tuple[str, ...]


def fragments_of(
    vocabulary: Vocabulary, *, progress: Progress | None = None
) -> tuple[Fragment, ...]:
    r"""Say of every token that is no whole text what it is a part of, by the ids.

    Examples
    --------
    >>> import unembed
    >>> found = fragments_of(unembed.open_head("demo").vocabulary)
    >>> len(found), [one.characters[0] for one in found if one.begins == 64][:2]
    (128, ['\x80', 'À'])
    """
    told = step_of(progress, "completing fragments")
    ids = np.flatnonzero(vocabulary.known_V & (vocabulary.lacks_V != 0)).tolist()
    found = []
    for place, id_ in enumerate(ids, start=1):
        found.append(_fragment(id_, vocabulary.written[id_]))
        if place % _TOLD == 0 or place == len(ids):
            told(place, len(ids))
    return tuple(found)


def _fragment(id_: int, written: bytes) -> Fragment:
    """Say of one what it is a part of."""
    found = parts_of(written)
    counts = {role: len(texts) for role, texts in found.items()}
    first = [text for texts in found.values() for text in texts[:_SHOWN]]
    return Fragment(id_, **counts, characters=tuple(first[:_SHOWN]))
