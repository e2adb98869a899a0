"""Which tokens of two vocabularies are the same."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..tokens.kinds import NAMED
from ..tokens.vocabulary import Vocabulary

# N tokens that both have.


@dataclass(frozen=True, eq=False)
class Matched:
    """The tokens that two vocabularies have in common.

    Attributes
    ----------
    ids_N : ndarray of int64
        Those of the first, ascending.
    others_N : ndarray of int64
        Those of the second, in the same order.

    Examples
    --------
    >>> Matched(np.array([3]), np.array([7])).ids_N
    array([3])
    """

    ids_N: NDArray[np.int64]
    others_N: NDArray[np.int64]


def match(vocabulary: Vocabulary, other: Vocabulary) -> Matched:
    """Match tokens by the bytes that they write; special and unused ones by their strings.

    However two vocabularies spell a space, it is the same byte. Of several tokens that write the
    same, the first of each are matched, then the second, and so on: a whole token comes before a
    byte-fallback token, then the lower id.

    Examples
    --------
    >>> import unembed
    >>> one, other = (unembed.open_head(name).vocabulary for name in ("demo", "demo-bytes"))
    >>> found = match(one, other)
    >>> place = found.ids_N.tolist().index(one.id_of_token("▁sea"))
    >>> other.token(int(found.others_N[place]))
    'Ġsea'
    """
    mine, theirs = _gathered(vocabulary), _gathered(other)
    pairs = sorted(
        pair for key, ids in mine.items() for pair in zip(ids, theirs.get(key, ()), strict=False)
    )
    found_N2 = np.array(pairs, dtype=np.int64).reshape(len(pairs), 2)
    return Matched(found_N2[:, 0], found_N2[:, 1])


def _gathered(vocabulary: Vocabulary) -> dict[tuple[bool, bytes], list[int]]:
    """Give the ids of tokens by what they are matched by."""
    kinds = vocabulary.kinds_V.tolist()
    found: dict[tuple[bool, bytes], list[int]] = {}
    for id_ in vocabulary.by_bytes_V.tolist():
        named = kinds[id_] in NAMED
        key = (named, (vocabulary.strings if named else vocabulary.written)[id_])
        found.setdefault(key, []).append(id_)
    return found
