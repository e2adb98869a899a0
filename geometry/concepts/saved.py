"""A learned direction in a file: safetensors, with what it was learned from."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import save_file

from ...errors import CheckpointError, UsageError
from ...indexes.store import atomic_path, fits
from ...indexes.tensors import TensorFile
from ..space import Space
from .estimators import ESTIMATORS, Fit
from .pairs import Pair, PairSet

_SUFFIX = ".safetensors"
_KIND = "unembed direction 1"
_MOST = 20_000  # pairs
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

    Examples
    --------
    >>> saved = SavedDirection(PairSet("up", "", ()), "offset", Fit(np.zeros(1), np.ones(1)))
    >>> saved.fit(np.array([2.0]))
    array([3.])
    """

    pairs: PairSet
    estimator: str
    fit: Fit


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
        The path does not end in ``.safetensors``, or cannot be written.

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
    arrays = {"base": fit.base_D, "target": fit.target_D, "gain": np.array([fit.gain])}
    if fit.map_DD is not None:
        arrays["map"] = np.ascontiguousarray(fit.map_DD)
    about = {
        "kind": _KIND,
        "space": space.name,
        "head": _digest(space),
        "name": pairs.name,
        "about": pairs.about,
        "estimator": direction.estimator,
        "region": json.dumps(pairs.region),
        "pairs": json.dumps([[pair.base, pair.target, pair.target_id] for pair in pairs.pairs]),
    }
    try:
        with atomic_path(path) as temporary:
            save_file(arrays, temporary, metadata=about)
    except (OSError, ValueError, SafetensorError) as error:  # a path or a text may be no text
        raise UsageError(f"{path}: the direction could not be saved: {error}") from error


def read(path: Path, space: Space) -> SavedDirection:
    """Read a direction, which must be of this head and space.

    Raises
    ------
    UsageError
        The file cannot be read, is no direction, or one of another head or space.

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
        raise UsageError(str(error)) from error
    about = file.metadata
    if about.get("kind") != _KIND:
        raise UsageError(f"{path}: this is no saved direction; unembed direction --save makes one")
    if about.get("space") != space.name or about.get("head") != _digest(space):
        raise UsageError(
            f"{path}: the direction was learned on another head, or in another space "
            f"({about.get('space', '')!r}) than {space.name}; learn it here"
        )
    estimator = about.get("estimator", "")
    width = space.width
    shapes: dict[str, tuple[int, ...]] = {"base": (width,), "target": (width,), "gain": (1,)}
    if "map" in file.entries:
        shapes["map"] = (width, width)
    found = {name: file.entries[name].shape for name in file.entries}
    if found != shapes or estimator not in ESTIMATORS:
        raise UsageError(f"{path}: the direction is damaged: {found}, {estimator!r}")
    arrays = {name: file.array(name) for name in file.entries}
    if not fits(arrays, shapes) or any(np.abs(a).max() > _LARGEST for a in arrays.values()):
        raise UsageError(
            f"{path}: the direction is damaged: it holds other than float64 up to {_LARGEST:g}"
        )
    key = hashlib.sha256(b"".join(arrays[name].tobytes() for name in sorted(arrays))).hexdigest()
    return SavedDirection(_pairs(path, about), estimator, _fit(arrays, key))


def _fit(arrays: Mapping[str, NDArray[np.float64]], key: str) -> Fit:
    """Make the map of its arrays."""
    fit = Fit(arrays["base"], arrays["target"], arrays.get("map"), key=key)
    return replace(fit, gain=float(arrays["gain"][0]))


def _digest(space: Space) -> str:
    """Tell a head and a space from every other."""
    return hashlib.sha256(space.key.encode()).hexdigest()


def _pairs(path: Path, about: Mapping[str, str]) -> PairSet:
    """Check the pairs that a direction was learned from."""
    try:
        region, pairs = json.loads(about.get("region", "")), json.loads(about.get("pairs", ""))
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{path}: the direction is damaged: {error}") from error
    usable = (
        isinstance(pairs, list)
        and len(pairs) <= _MOST
        and all(map(_is_pair, pairs))
        and (region is None or isinstance(region, str))
    )
    name = about.get("name", "")
    if not usable or not name.isidentifier():
        raise UsageError(f"{path}: the direction is damaged: its pairs or its name are none")
    return PairSet(name, about.get("about", ""), tuple(Pair(*pair) for pair in pairs), region)


def _is_pair(pair: Any) -> bool:
    """Tell whether a value is a base, a target and an id or None."""
    return (
        isinstance(pair, list)
        and len(pair) == 3
        and isinstance(pair[0], str)
        and isinstance(pair[1], str)
        and (pair[2] is None or (type(pair[2]) is int and 0 <= pair[2] < 1 << 40))
    )
