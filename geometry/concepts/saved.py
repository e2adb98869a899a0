"""A learned direction in a file: safetensors, with what it was learned from."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import save_file

from ...errors import CheckpointError, UsageError
from ...indexes.store import atomic_path, fits
from ...indexes.tensors import TensorFile
from ..space import Space
from .checks import cut, shown
from .estimators import ESTIMATORS, Fit
from .pairs import Pair, PairSet
from .phrase import DEFAULT_PIECES, WAYS
from .usable import fault

_SUFFIX = ".safetensors"
_KIND = "unembed direction 2"
_SHOWN = 200  # characters of what is wrong with a file
_LARGEST = 1e40  # of numbers: what is made of three of them has a square within float64


@dataclass(frozen=True, eq=False)
class SavedDirection:
    """A direction that was read from a file.

    Attributes
    ----------
    pairs : PairSet
        What it was learned from.
    estimator : str
        A key of `ESTIMATORS`.
    fit : Fit
        What was learned.
    pieces : str
        One of `WAYS`: how the names of the pairs became vectors, and those that the direction
        is applied to do.

    Examples
    --------
    >>> saved = SavedDirection(PairSet("up", "", ()), "offset", Fit(np.zeros(1), np.ones(1)))
    >>> saved.fit(np.array([2.0]))
    array([3.])
    """

    pairs: PairSet
    estimator: str
    fit: Fit
    pieces: str = DEFAULT_PIECES


def is_saved(path: Path) -> bool:
    """Tell whether a path is that of a saved direction, by its suffix.

    Examples
    --------
    >>> is_saved(Path("plural.safetensors")), is_saved(Path("my.toml"))
    (True, False)
    """
    return path.suffix == _SUFFIX


def save(path: Path, space: Space, direction: SavedDirection) -> None:
    """Write a direction, whole or not at all.

    Raises
    ------
    UsageError
        The path does not end in ``.safetensors``, or cannot be written; what it was learned from
        is a file, or more or longer than is read again.

    Examples
    --------
    >>> import tempfile, unembed
    >>> from unembed.geometry.space import open_space
    >>> space = open_space(unembed.open_head("demo"), "cosine")
    >>> pairs = PairSet("up", "", (Pair("low", "high"),))
    >>> path = Path(tempfile.mkdtemp(), "up.safetensors")
    >>> save(path, space, SavedDirection(pairs, "offset", Fit(np.zeros(640), np.ones(640))))
    >>> read(path, space).pairs
    PairSet('up', 1 pairs)
    """
    if not is_saved(path):
        raise UsageError(f"{path}: a direction is saved to a file that ends in {_SUFFIX}")
    fit, pairs = direction.fit, direction.pairs
    if isinstance(pairs.learned_from, Path):
        raise UsageError(
            f"{path}: the direction {pairs.name!r} was learned from the file "
            f"{str(pairs.learned_from)!r}, and what is saved names no file; name a script or a "
            "pattern instead"
        )
    wrong = fault(pairs)
    if wrong is not None:
        raise UsageError(f"{path}: the direction could not be saved: {wrong}")
    arrays = {"base": fit.base_D, "target": fit.target_D, "gain": np.array([fit.gain])}
    if fit.map_DD is not None:
        arrays["map"] = np.ascontiguousarray(fit.map_DD)
    about = {
        "kind": _KIND,
        "space": space.name,
        "folded": json.dumps(space.folded),
        "head": _digest(space),
        "name": pairs.name,
        "about": pairs.about,
        "estimator": direction.estimator,
        "pieces": direction.pieces,
        "region": json.dumps(pairs.region),
        "learned_from": json.dumps(pairs.learned_from),
        "pairs": json.dumps([[pair.base, pair.target, pair.target_id] for pair in pairs.pairs]),
    }
    try:
        with atomic_path(path) as temporary:
            save_file(arrays, temporary, metadata=about)
    except (OSError, ValueError, SafetensorError) as error:  # a path or a text may be no text
        raise UsageError(f"{path}: the direction could not be saved: {error}") from error


def read(
    path: Path, space: Space, *, pieces: str = DEFAULT_PIECES, estimator: str | None = None
) -> SavedDirection:
    """Read a direction, which must be of this head and space.

    Parameters
    ----------
    path : Path
        The file.
    space : Space
        Where it was learned.
    pieces, estimator : str or None
        What is asked for; the default takes what the direction was learned with.

    Raises
    ------
    UsageError
        The file cannot be read, is no direction, or one of another head, space or folding: says
        which. It was learned with other ``pieces`` or another ``estimator`` than are asked for.

    Examples
    --------
    >>> import unembed
    >>> from unembed.geometry.space import open_space
    >>> try:
    ...     read(Path("/no/such.safetensors"), open_space(unembed.open_head("demo"), "cosine"))
    ... except UsageError as error:
    ...     str(error).partition(":")[0]
    '/no/such.safetensors'
    """
    try:
        file = TensorFile.open(path)
    except CheckpointError as error:
        raise UsageError(cut(str(error), longest=len(str(path)) + _SHOWN)) from error
    about = file.metadata
    if about.get("kind") != _KIND:
        raise UsageError(f"{path}: this is no saved direction; unembed direction --save makes one")
    _check_place(path, about, space)
    learned = about.get("estimator", ""), about.get("pieces", "")
    width = space.width
    shapes: dict[str, tuple[int, ...]] = {"base": (width,), "target": (width,), "gain": (1,)}
    if "map" in file.entries:
        shapes["map"] = (width, width)
    found = {name: file.entries[name].shape for name in file.entries}
    if found != shapes or learned[0] not in ESTIMATORS or learned[1] not in WAYS:
        raise UsageError(
            f"{path}: the direction is damaged: its arrays are {shown(found)}, its estimator "
            f"{shown(learned[0])}, its pieces {shown(learned[1])}"
        )
    arrays = {name: file.array(name) for name in file.entries}
    if not fits(arrays, shapes) or any(np.abs(a).max() > _LARGEST for a in arrays.values()):
        raise UsageError(
            f"{path}: the direction is damaged: it holds other than float64 up to {_LARGEST:g}"
        )
    key = hashlib.sha256(b"".join(arrays[name].tobytes() for name in sorted(arrays))).hexdigest()
    saved = SavedDirection(_pairs(path, about), learned[0], _fit(arrays, key), learned[1])
    _check_asked(path, saved, pieces, estimator)
    return saved


def _check_asked(path: Path, saved: SavedDirection, pieces: str, estimator: str | None) -> None:
    """Refuse to ask in another way with a direction than it was learned."""
    for what, asked, plain, with_it in (
        ("pieces", pieces, DEFAULT_PIECES, saved.pieces),
        ("estimator", estimator, None, saved.estimator),
    ):
        if asked not in {plain, with_it}:
            raise UsageError(
                f"{path}: the direction {saved.pairs.name!r} was learned with the {what} "
                f"{with_it}, not {asked}; leave {what} out, or learn it again"
            )


def _check_place(path: Path, about: Mapping[str, str], space: Space) -> None:
    """Refuse a direction of another head, space or folding, and say which it is."""
    wrong = []
    if about.get("head") != _digest(space):
        wrong.append("on another head")
    if about.get("space") != space.name:
        wrong.append(f"in the space {shown(about.get('space', ''))}, not {space.name}")
    if about.get("folded") != json.dumps(space.folded):
        wrong.append(f"with the final norm {'not ' if space.folded else ''}folded")
    if wrong:
        raise UsageError(f"{path}: the direction was learned {' and '.join(wrong)}; learn it here")


def _fit(arrays: Mapping[str, NDArray[np.float64]], key: str) -> Fit:
    """Make the map of its arrays."""
    fit = Fit(arrays["base"], arrays["target"], arrays.get("map"), key=key)
    return replace(fit, gain=float(arrays["gain"][0]))


def _digest(space: Space) -> str:
    """Tell a head from every other: what the space's key has before the space's name."""
    return hashlib.sha256(space.key.rpartition(f", {space.name!r}")[0].encode()).hexdigest()


def _pairs(path: Path, about: Mapping[str, str]) -> PairSet:
    """Check what a direction was learned from."""
    try:
        region, learned_from, pairs = (
            json.loads(about.get(key, "")) for key in ("region", "learned_from", "pairs")
        )
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{path}: the direction is damaged: {error}") from error
    wrong = "its pairs are no list of a base, a target and an id or null each"
    if isinstance(pairs, list) and all(isinstance(pair, list) and len(pair) == 3 for pair in pairs):
        members = tuple(Pair(*pair) for pair in pairs)
        found = PairSet(
            about.get("name", ""), about.get("about", ""), members, region, learned_from
        )
        wrong = fault(found) or ""
    if wrong:
        raise UsageError(f"{path}: the direction is damaged: {wrong}")
    return found
