"""A set of tokens to search in."""

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from ..errors import UsageError
from ..indexes.store import Arrays
from .heads.head import Head
from .heads.vocabulary import Vocabulary

# N tokens of the region, of V.


def region_ids(head: Head, name: str) -> NDArray[np.int64]:
    """Give the tokens of a region, ascending; kept in the head's store.

    Parameters
    ----------
    head : Head
        Whose tokens.
    name : str
        ``emoji``: tokens whose text, with or without a leading space, is exactly one RGI emoji
        (fully qualified, Unicode Technical Standard 51).

    Returns
    -------
    ndarray of int64
        Shape (N,).

    Raises
    ------
    UsageError
        There is no such region, or the head has no token in it.

    Examples
    --------
    >>> import unembed
    >>> len(region_ids(unembed.open_head("demo"), "emoji"))
    990
    """
    if name not in _REGIONS:
        raise UsageError(f"unknown region {name!r}; the regions are {', '.join(_REGIONS)}")
    version, find = _REGIONS[name]
    vocabulary = head.vocabulary
    key = repr((vocabulary.key, version()))
    kept = head.store.arrays(
        f"region-{name}",
        key,
        lambda: {"ids": find(vocabulary)},
        lambda kept: _fits(kept, len(vocabulary)),
    )
    if not kept["ids"].size:
        raise UsageError(f"no token of {head.source} is in the region {name!r}")
    return kept["ids"]


def _emoji_version() -> str:
    """Give the version of the library that names the emoji."""
    import emoji

    return emoji.__version__


def _emoji(vocabulary: Vocabulary) -> NDArray[np.int64]:
    """Find the emoji that are one token."""
    import emoji

    whole = emoji.STATUS["fully_qualified"]
    texts = [text for text, data in emoji.EMOJI_DATA.items() if data["status"] == whole]
    found = {vocabulary.id_of(form) for text in texts for form in (text, f" {text}")}
    return np.array(sorted(id_ for id_ in found if id_ is not None), dtype=np.int64)


def _fits(kept: Arrays, count: int) -> bool:
    """Tell whether kept ids are ascending ids of this vocabulary."""
    ids = kept.get("ids")
    return (
        ids is not None
        and ids.dtype == np.int64
        and ids.ndim == 1
        and bool(np.all(np.diff(ids) > 0))
        and (not ids.size or (int(ids[0]) >= 0 and int(ids[-1]) < count))
    )


_REGIONS: Mapping[str, tuple[Callable[[], str], Callable[[Vocabulary], NDArray[np.int64]]]] = {
    "emoji": (_emoji_version, _emoji)
}
