"""Which tokens a text can encode to: decoded, then encoded again."""

import numpy as np
from numpy.typing import NDArray

from ...indexes.progress import Progress, step_of
from ...indexes.store import Arrays, fits_codes
from ..heads.unembedding import Unembedding
from ..tokens.kinds import KINDS, NAMED
from ..tokens.vocabulary import Vocabulary

# V tokens.

STATES = "padding", "special", "partial", "reachable", "unreachable"

_QUOTE = "«"
_VERSION = 1  # of what is kept
_TOLD = 4096  # tokens, between two reports


def round_trips(head: Unembedding, *, progress: Progress | None = None) -> NDArray[np.int64]:
    """Say of every token whether what it writes encodes to it (Land and Bartolo 2024, section 3.1).

    Parameters
    ----------
    head : Unembedding
        Whose vocabulary.
    progress : callable, optional
        Is told ``(step, done, total)``.

    Returns
    -------
    ndarray of int64
        For each row a place in `STATES`: ``padding``, no token; ``special``, a special or an unused
        token, which no text is meant to encode to; ``partial``, a fragment or a byte, whose bytes
        are no text; ``reachable``, its text encodes to it, alone or after « or after the first
        whole word of the vocabulary (some tokenizers put a space before a text, some spell what
        goes on a word otherwise); ``unreachable``, it does not.

    Examples
    --------
    >>> import unembed
    >>> head = unembed.open_head("demo-bytes")
    >>> states_V = round_trips(head)
    >>> STATES[states_V[head.vocabulary.id_of(" sea")]]
    'reachable'
    """
    vocabulary, count = head.vocabulary, head.rows.count
    told = step_of(progress, "encoding every token again")
    before = _QUOTE, _first_word(vocabulary)

    def build() -> Arrays:
        states = []
        for id_ in range(count):
            states.append(STATES.index(_state(vocabulary, id_, before)))
            if id_ % _TOLD == 0:
                told(id_, count)
        told(count, count)
        return {"states": np.array(states, dtype=np.int64)}

    kept = head.store.arrays(
        "round-trips",
        repr((_VERSION, vocabulary.key)),
        build,
        lambda kept: fits_codes(kept, "states", count, below=len(STATES)),
    )
    return kept["states"]


def _state(vocabulary: Vocabulary, id_: int, before: tuple[str, ...]) -> str:
    """Say of one token whether what it writes encodes to it."""
    if not vocabulary.known_V[id_]:
        return "padding"
    if vocabulary.kinds_V[id_] in NAMED:
        return "special"
    text = vocabulary.text(id_)
    if text is None:
        return "partial"
    comes = vocabulary.split(text) == (id_,) or any(
        vocabulary.split(f"{prefix}{text}")[-1:] == (id_,) for prefix in before
    )
    return "reachable" if comes else "unreachable"


def _first_word(vocabulary: Vocabulary) -> str:
    """Give the first whole word of a vocabulary; a letter where it has none."""
    words = np.flatnonzero(vocabulary.kinds_V == KINDS.index("whole-word"))
    return (vocabulary.text(int(words[0])) or "").strip() if len(words) else "a"
