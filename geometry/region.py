"""A set of tokens to search in."""

import math
import re
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..errors import UsageError
from ..indexes.store import Arrays
from ..indexes.tensors import is_file
from .heads.unembedding import Unembedding
from .tokens.kinds import KINDS
from .tokens.vocabulary import Vocabulary
from .tokens.whole_emoji import whole_emoji

if TYPE_CHECKING:
    import regex

# N tokens of the region, of V.

_OF_KINDS = {"words": ("whole-word",), "bytes": ("byte", "fragment")}
_FILE_LIMIT = 64 << 20
_PATTERN_SECONDS = 10.0  # for all tokens; a catastrophic pattern takes for ever
_PATTERN_REPEATS = 10_000
_COUNTS = re.compile(r"[{,]\s*([0-9]+)")
_META = frozenset(r"\^$.|?*+()[]{}")


@dataclass(frozen=True, eq=False)
class Region:
    """The tokens that are searched.

    Attributes
    ----------
    name : str or None
        As it was asked for; None for all tokens.
    ids_N : ndarray of int64
        Ascending, all known tokens.

    Examples
    --------
    >>> import unembed
    >>> find_region(unembed.open_head("demo"), [7, 5]).ids_N
    array([5, 7])
    """

    name: str | None
    ids_N: NDArray[np.int64]


RegionLike = str | Sequence[int] | Region | None
"""What names a region, as `find_region` takes it; None for all tokens."""


def holds(ids_N: NDArray[np.int64], id_: int) -> bool:
    """Tell whether a token is among some that ascend.

    Examples
    --------
    >>> holds(np.array([5, 7]), 7), holds(np.array([5, 7]), 8)
    (True, False)
    """
    place = int(np.searchsorted(ids_N, id_))
    return place < len(ids_N) and int(ids_N[place]) == id_


def find_region(
    head: Unembedding,
    region: RegionLike = None,
    *,
    exclude: RegionLike = None,
    files: bool = True,
) -> Region:
    r"""Give the tokens of a region, less those of another.

    Parameters
    ----------
    head : Unembedding
        Whose tokens.
    region : str, sequence of int or Region, optional
        All tokens where it is None; token ids; one that was found; or, the first that fits:

        - ``emoji``: tokens whose text, with or without a leading space, is exactly one RGI emoji
          (fully qualified, Unicode Technical Standard 51);
        - ``words``: tokens that are a whole word, ``bytes``: those that stand for one byte or are
          a fragment of a character (`Vocabulary.kind`);
        - a script of Unicode, such as ``greek``: text with letters of that script and no other;
        - a file with a token on each line, as its id, its text or the vocabulary's own string;
          ids where every line is a number;
        - a regular expression (of the `regex` library) that is found in the token's text; between
          slashes, ``/sea/``, where it has no character that tells it from a name.
    exclude : str, sequence of int or Region, optional
        The same, for the tokens that are left out.
    files : bool
        Whether a text may name a file; else it is a regular expression where it is no name.

    Returns
    -------
    Region
        Padding is in no region.

    Raises
    ------
    UsageError
        There is no such region, a file cannot be read or names no token, a pattern is wrong or
        takes too long, or nothing is left to search.

    Examples
    --------
    >>> import unembed
    >>> head = unembed.open_head("demo")
    >>> len(find_region(head, "emoji").ids_N), len(find_region(head, "greek").ids_N)
    (990, 1501)
    >>> found = find_region(head, r"^ ?sea\w*$", exclude="words")
    >>> [head.vocabulary.text(int(id)) for id in found.ids_N][:3]
    ['search', 'sea', 'season']
    """
    name, ids_N = _chosen(head, region, files=files)
    if exclude is not None:
        left_out, excluded_N = _chosen(head, exclude, files=files)
        name = f"{name or 'all'} - {left_out}"
        ids_N = np.setdiff1d(ids_N, excluded_N, assume_unique=True)
        if not len(ids_N):
            raise UsageError(f"no token of {head.source} is left in the region {name!r}")
    return Region(name, ids_N)


def _chosen(
    head: Unembedding, region: RegionLike, *, files: bool
) -> tuple[str | None, NDArray[np.int64]]:
    """Give a region's name and its ids."""
    if region is None:
        return None, np.flatnonzero(head.vocabulary.known_V)
    if isinstance(region, Region):
        return region.name, region.ids_N
    if isinstance(region, str):
        name, ids_N = region, _named(head, region, files=files)
    else:
        name, ids_N = "ids", _given(region, head.vocabulary)
    if not len(ids_N):
        hint = "; what is neither a name nor a file is read as a regular expression"
        pattern = isinstance(region, str) and _META & set(region) and not _is_file(region, files)
        raise UsageError(
            f"no token of {head.source} is in the region {name!r}{hint if pattern else ''}"
        )
    return name, ids_N


def _named(head: Unembedding, region: str, *, files: bool) -> NDArray[np.int64]:
    """Give the ids of a region by the first meaning of its name that there is."""
    vocabulary = head.vocabulary
    if region in _OF_KINDS:
        kinds = [KINDS.index(kind) for kind in _OF_KINDS[region]]
        return np.flatnonzero(np.isin(vocabulary.kinds_V, kinds))
    if region == "emoji":
        return _kept(head, region, _library_version("emoji"), lambda: _emoji(vocabulary))
    script = _script(region)
    if script is not None:
        name, version = region.lower().replace(" ", "_"), _library_version("regex")
        return _kept(head, name, version, lambda: _matching(vocabulary, script, region))
    if _is_file(region, files):
        return _listed(Path(region), vocabulary)
    return _matching(vocabulary, _pattern(region, files=files), region)


def _is_file(region: str, files: bool) -> bool:
    """Tell whether a text names a file, and may."""
    return files and is_file(Path(region))


def _given(ids: Sequence[int], vocabulary: Vocabulary) -> NDArray[np.int64]:
    """Check ids that were handed over."""
    try:
        ids_N = np.asarray(ids)
        whole = ids_N.ndim == 1 and (not ids_N.size or ids_N.dtype.kind in "iu")
    except ValueError:
        whole = False
    if not whole:
        raise UsageError(
            "a region is a text (a name, a path, a pattern) or a list of whole token ids"
        )
    ids_N = np.unique(ids_N)
    if ids_N.size and not 0 <= ids_N[0] <= ids_N[-1] < len(vocabulary):
        raise UsageError(
            f"a region has the ids {ids_N[0]} to {ids_N[-1]}; the head's are 0 to "
            f"{len(vocabulary) - 1}"
        )
    given_N: NDArray[np.int64] = ids_N.astype(np.int64)
    return given_N[vocabulary.known_V[given_N]]


def _kept(
    head: Unembedding, name: str, version: str, find: Callable[[], NDArray[np.int64]]
) -> NDArray[np.int64]:
    """Give the ids of a region that is kept in the store."""
    vocabulary = head.vocabulary
    kept = head.store.arrays(
        f"region-{name}",
        repr((vocabulary.key, version)),
        lambda: {"ids": find()},
        lambda kept: _fits(kept, len(vocabulary)),
    )
    return kept["ids"]


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


def _library_version(name: str) -> str:
    """Give the version of the library that a region's tokens are told by, without loading it."""
    return metadata.version(name)


def _emoji(vocabulary: Vocabulary) -> NDArray[np.int64]:
    """Find the emoji that are one token."""
    forms = {form.encode() for text in whole_emoji() for form in (text, f" {text}")}
    known_N = np.flatnonzero(vocabulary.known_V)
    found = [id_ for id_ in known_N.tolist() if vocabulary.written[id_] in forms]
    return np.array(found, dtype=np.int64)


def _script(name: str) -> "regex.Pattern[str] | None":
    """Give the pattern of text in one script, or None where there is no script of this name."""
    import regex

    # The library leaves out of a name what is not ASCII, and then finds a script.
    if not (name.isascii() and name.replace("_", "").replace(" ", "").isalpha()):
        return None
    common = r"\p{Script=Common}\p{Script=Inherited}"
    try:
        own = rf"\p{{Script={name}}}"
        return regex.compile(rf"^[{common}]*{own}[{own}{common}]*$")
    except regex.error:
        return None


def _pattern(text: str, *, files: bool) -> "regex.Pattern[str]":
    """Compile a regular expression; refuse a name that is none of ours."""
    import regex

    if len(text) > 2 and text[0] == text[-1] == "/":
        text = text[1:-1]
    elif not _META & set(text):
        raise UsageError(
            f"unknown region {text!r}; the regions are emoji, {', '.join(_OF_KINDS)}, a script "
            f"such as greek, {'a file of ids or tokens, ' * files}or a regular expression: /{text}/"
        )
    counts = [int("0" + count[:9]) for count in _COUNTS.findall(text)]
    if math.prod(count for count in counts if count) > _PATTERN_REPEATS:
        raise UsageError(
            f"the region {text!r} repeats too much: the counts in its braces multiply to more than "
            f"{_PATTERN_REPEATS:,}, which the library would write out"
        )
    try:
        with warnings.catch_warnings(action="ignore", category=FutureWarning):
            return regex.compile(text)
    except regex.error as error:
        raise UsageError(f"the region {text!r} is no regular expression: {error}") from error


def _matching(
    vocabulary: Vocabulary, pattern: "regex.Pattern[str]", name: str
) -> NDArray[np.int64]:
    """Find the tokens in whose text a pattern is found."""
    ids, end = [], time.monotonic() + _PATTERN_SECONDS
    try:
        for id_ in np.flatnonzero(vocabulary.known_V).tolist():
            text = vocabulary.text(id_)
            # A timeout below zero is none at all.
            left = max(end - time.monotonic(), 0.0)
            if text is not None and pattern.search(text, timeout=left):
                ids.append(id_)
    except (TimeoutError, MemoryError) as error:
        raise UsageError(
            f"the region {name!r} takes more than {_PATTERN_SECONDS:g} s or too much memory, at "
            f"the token #{id_}; write a pattern that backtracks less"
        ) from error
    return np.array(ids, dtype=np.int64)


def _listed(path: Path, vocabulary: Vocabulary) -> NDArray[np.int64]:
    """Read a file of tokens or ids."""
    try:
        size = path.stat().st_size
        if size > _FILE_LIMIT:
            raise UsageError(f"{path}: {size:,} bytes; a region has at most {_FILE_LIMIT:,}")
        lines = path.read_text(encoding="utf-8-sig").split("\n")  # tokens may hold other breaks
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: the region cannot be read: {error}") from error
    numbered = [(number, line) for number, line in enumerate(lines, start=1) if line]
    if all(line.isascii() and line.isdigit() and len(line) < 10 for _, line in numbered):
        for number, line in numbered:
            if int(line) >= len(vocabulary):
                raise UsageError(
                    f"{path}, line {number}: there is no token #{line}; the head's are #0 to "
                    f"#{len(vocabulary) - 1}"
                )
        return _given([int(line) for _, line in numbered], vocabulary)
    ids = set()
    for number, line in numbered:
        found = [vocabulary.id_of_token(line), vocabulary.id_of(line), vocabulary.id_of(f" {line}")]
        known: list[Any] = [id_ for id_ in found if id_ is not None]
        if not known:
            raise UsageError(f"{path}, line {number}: {line!r} is no token of this head")
        ids.add(known[0])
    return np.array(sorted(ids), dtype=np.int64)
