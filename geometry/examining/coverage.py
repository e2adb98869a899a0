"""How emoji are written: as one token, as several, or in bytes."""

from dataclasses import dataclass

from ...indexes.progress import Progress, step_of
from ..tokens.kinds import KINDS
from ..tokens.vocabulary import Vocabulary
from ..tokens.whole_emoji import whole_emoji

_BYTES = {KINDS.index("byte"), KINDS.index("fragment")}


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
    >>> Coverage("emoji", 1, 2, 3, 0).one
    1
    """

    name: str
    one: int
    several: int
    pieces: int
    none: int


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
    counts = {"one": 0, "several": 0, "pieces": 0, "none": 0}
    emoji = list(whole_emoji())
    for place, text in enumerate(emoji, start=1):
        counts[_way(vocabulary, text)] += 1
        told(place, len(emoji))
    return Coverage("emoji", **counts)


def _way(vocabulary: Vocabulary, text: str) -> str:
    """Say how a text is written."""
    if vocabulary.id_of(text) is not None:
        return "one"
    ids = vocabulary.split(text)
    if not ids:
        return "none"
    return "pieces" if any(vocabulary.kinds_V[id_] in _BYTES for id_ in ids) else "several"
