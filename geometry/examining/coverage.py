"""How characters and emoji are written: as one token, as several, or in bytes."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import metadata

import numpy as np

from ...indexes.progress import Done, Progress, step_of
from ...indexes.store import fits_codes
from ..heads.unembedding import Unembedding
from ..tokens.characters import characters
from ..tokens.kinds import KINDS
from ..tokens.vocabulary import Vocabulary
from ..tokens.whole_emoji import whole_emoji

# C characters.

_WAYS = "one", "several", "pieces", "none"
_BYTES = {KINDS.index("byte"), KINDS.index("fragment")}
_TOLD = 4096  # texts, between two reports
_VERSION = 1  # of what is kept


@dataclass(frozen=True)
class Coverage:
    """How many texts of a kind a vocabulary writes in which way.

    Attributes
    ----------
    name : str
        What they are.
    one, several, pieces, none : int
        How many are one token; several tokens, each whole text; several of which some are bytes or
        fragments; or cannot be written.

    Examples
    --------
    >>> Coverage("Basic Latin", 1, 2, 3, 0).total
    6
    """

    name: str
    one: int
    several: int
    pieces: int
    none: int

    @property
    def total(self) -> int:
        """How many there are."""
        return self.one + self.several + self.pieces + self.none


def whole(parts: Sequence[Coverage]) -> Coverage:
    """Add up the coverage of parts.

    Examples
    --------
    >>> whole([Coverage("Basic Latin", 1, 2, 3, 0), Coverage("Greek and Coptic", 1, 0, 0, 0)]).one
    2
    """
    return Coverage("all", *(sum(getattr(part, way) for part in parts) for way in _WAYS))


def emoji_coverage(vocabulary: Vocabulary, *, progress: Progress | None = None) -> Coverage:
    """Count how the emoji that Unicode recommends are written.

    Examples
    --------
    >>> import unembed
    >>> found = emoji_coverage(unembed.open_head("demo").vocabulary)
    >>> found.one > 900, found.none
    (True, 0)
    """
    told = step_of(progress, "writing every emoji")
    return _coverage("emoji", _ways(vocabulary, tuple(whole_emoji()), told))


def block_coverage(head: Unembedding, *, progress: Progress | None = None) -> tuple[Coverage, ...]:
    """Count how the characters of each block of Unicode are written.

    Parameters
    ----------
    head : Unembedding
        Whose vocabulary; its store keeps how each character is written.
    progress : callable, optional
        Is told ``(step, done, total)``.

    Returns
    -------
    tuple of Coverage
        A block each, of those with characters that are assigned and not private, by code points.

    Examples
    --------
    >>> import unembed
    >>> block_coverage(unembed.open_head("demo"))[0]
    Coverage(name='Basic Latin', one=128, several=0, pieces=0, none=0)
    """
    from fontTools.unicodedata import block

    texts, told = characters(), step_of(progress, "writing every character")
    kept = head.store.arrays(
        "characters",
        repr((_VERSION, head.vocabulary.key, metadata.version("regex"))),
        lambda: {"ways": np.array(_ways(head.vocabulary, texts, told), dtype=np.int64)},
        lambda kept: fits_codes(kept, "ways", len(texts), below=len(_WAYS)),
    )
    found: dict[str, list[int]] = {}
    for text, way in zip(texts, kept["ways"].tolist(), strict=True):
        found.setdefault(block(text), []).append(way)
    return tuple(_coverage(name, ways) for name, ways in found.items())


def _ways(vocabulary: Vocabulary, texts: Sequence[str], told: Done) -> list[int]:
    """Say how texts are written: a place in `_WAYS` for each."""
    ways = []
    for place, text in enumerate(texts, start=1):
        ways.append(_WAYS.index(_way(vocabulary, text)))
        if place % _TOLD == 0 or place == len(texts):
            told(place, len(texts))
    return ways


def _way(vocabulary: Vocabulary, text: str) -> str:
    """Say how a text is written."""
    if vocabulary.id_of(text) is not None:
        return "one"
    ids = vocabulary.split(text)
    if not ids:
        return "none"
    return "pieces" if any(vocabulary.kinds_V[id_] in _BYTES for id_ in ids) else "several"


def _coverage(name: str, ways: Sequence[int]) -> Coverage:
    """Count ways."""
    counts = Counter(ways)
    return Coverage(name, *(counts[way] for way in range(len(_WAYS))))
