"""The regions that tokens belong to, emoji and scripts, and the mean row of each."""

import hashlib
from dataclasses import dataclass
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from ...errors import UsageError
from ...indexes.moments import mean
from ...indexes.store import Arrays, fits, fits_codes
from ..heads.unembedding import Unembedding
from ..region import find_region
from ..tokens.kinds import unicode_versions
from ..tokens.scripts import SCRIPTS, scripts_of

# V tokens, rows of width D; M regions.

_FEWEST = 50  # tokens of a region whose mean says something
_NONE = frozenset({"common", "mixed", "other"})
_LOWERED = [script.lower() for script in SCRIPTS]


@dataclass(frozen=True, eq=False)
class Belonging:
    """Which regions there are on a head, and which token is in which.

    Attributes
    ----------
    names : tuple of str
        ``emoji`` and the scripts of at least 50 tokens, as `find_region` takes them.
    means_MD : ndarray of float64
        The mean of the rows of each.
    counts_M : ndarray of int64
        How many they are.
    scripts_V : ndarray of int64
        The script of each token, a place in `SCRIPTS`.
    emoji_N : ndarray of int64
        The emoji, ascending.

    Examples
    --------
    >>> import unembed
    >>> belonging = belonging_of(unembed.open_head("demo"))
    >>> belonging.names[:3], [belonging.names[at] for at in belonging.of(5442)]
    (('emoji', 'latin', 'cyrillic'), ['latin'])
    """

    names: tuple[str, ...]
    means_MD: NDArray[np.float64]
    counts_M: NDArray[np.int64]
    scripts_V: NDArray[np.int64]
    emoji_N: NDArray[np.int64]

    def inside(self, name: str, ids_N: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Tell of each of some tokens whether it is in a region."""
        if name == "emoji":
            return np.isin(ids_N, self.emoji_N)
        inside_N: NDArray[np.bool_] = self.scripts_V[ids_N] == _LOWERED.index(name)
        return inside_N

    def of(self, id_: int) -> tuple[int, ...]:
        """Give the places of the regions that a token is in."""
        ids_1 = np.array([id_])
        return tuple(at for at, name in enumerate(self.names) if self.inside(name, ids_1)[0])


def scripts_by_row(head: Unembedding) -> NDArray[np.int64]:
    """Give the script of each row's token, a place in `SCRIPTS`, from the store if it was kept.

    Examples
    --------
    >>> import unembed
    >>> scripts_V = scripts_by_row(unembed.open_head("demo"))
    >>> SCRIPTS[scripts_V[5442]]
    'Latin'
    """
    vocabulary, count = head.vocabulary, head.rows.count

    def build() -> Arrays:
        texts = [vocabulary.text(id_) for id_ in range(count)]
        return {"scripts": np.array([SCRIPTS.index(name) for name in scripts_of(texts)])}

    return head.store.arrays(
        "scripts",
        _known(head),
        build,
        lambda kept: fits_codes(kept, "scripts", count, below=len(SCRIPTS)),
    )["scripts"]


_FOUND: "WeakKeyDictionary[Unembedding, Belonging]" = WeakKeyDictionary()


def belonging_of(head: Unembedding) -> Belonging:
    """Find the regions of a head and their means, once; from the store where they were kept before.

    Examples
    --------
    >>> import unembed
    >>> belonging_of(unembed.open_head("demo-bytes")).names[:3]  # it has four emoji
    ('latin', 'cyrillic', 'greek')
    """
    if head not in _FOUND:
        _FOUND[head] = _find(head)
    return _FOUND[head]


def _find(head: Unembedding) -> Belonging:
    """Find them."""
    vocabulary, width = head.vocabulary, head.rows.width
    emoji_N, scripts_V = _emoji(head), scripts_by_row(head)
    members = {"emoji": emoji_N} | {
        name: np.flatnonzero((scripts_V == at) & vocabulary.known_V)
        for at, name in enumerate(_LOWERED)
        if name not in _NONE
    }
    members = {name: ids_N for name, ids_N in members.items() if len(ids_N) >= _FEWEST}
    means_MD = head.store.arrays(
        "region-means",
        repr((head.key, _known(head), hashlib.sha256(emoji_N.tobytes()).hexdigest())),
        lambda: {
            "means": np.array([mean(head.rows, ids_N) for ids_N in members.values()]).reshape(
                len(members), width
            )
        },
        lambda kept: fits(kept, {"means": (len(members), width)}),
    )["means"]
    counts_M = np.array([len(ids_N) for ids_N in members.values()], dtype=np.int64)
    return Belonging(tuple(members), means_MD, counts_M, scripts_V, emoji_N)


def _known(head: Unembedding) -> str:
    """Tell what scripts depend on."""
    return repr((head.vocabulary.key, unicode_versions()))


def _emoji(head: Unembedding) -> NDArray[np.int64]:
    """Give the emoji of a head, which may have none."""
    try:
        return find_region(head, "emoji").ids_N
    except UsageError:
        return np.empty(0, dtype=np.int64)
