"""Residuals: what a model holds after each layer at some positions, from a run or from a file."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import save_file

from ...errors import UsageError
from ...indexes.store import atomic_path
from ...indexes.tensors import TensorFile
from ...indexes.vectors import read_stack

# L layers, the embedding's output among them; P positions; D the width.

_SUFFIX = ".safetensors"
_KIND = "residuals"
_ABOUT = "run"  # one entry: safetensors writes several in any order
_LAST_POSITION = 1 << 40
_LONGEST = 1 << 20  # characters of a prompt or a text in a file


@dataclass(frozen=True, eq=False, repr=False)
class Residuals:
    """The residual stream of a model at some positions, after each of its layers.

    Attributes
    ----------
    stack_LPD : ndarray of float64
        What leaves the embedding, then each layer, the last one too before the final norm.
    positions : tuple of int
        Where each is in the sequence, from 0.
    token_ids : tuple of int or None
        The token that each position reads; None where it is not known.
    written : int
        How many of the last positions read a token that the model wrote itself.
    prompt, text : str or None
        What the model read, and what it wrote then.

    Examples
    --------
    >>> Residuals(np.zeros((19, 2, 640)), (3, 4))
    Residuals(19 layers, 2 positions, 640)
    """

    stack_LPD: NDArray[np.float64]
    positions: tuple[int, ...]
    token_ids: tuple[int, ...] | None = None
    written: int = 0
    prompt: str | None = None
    text: str | None = None

    def __post_init__(self) -> None:
        """Refuse what does not fit together."""
        if self.stack_LPD.ndim != 3 or 0 in self.stack_LPD.shape:
            raise UsageError(
                f"the residuals have shape {self.stack_LPD.shape}; it must be (layers, positions, "
                "width), and none of them 0"
            )
        count = self.stack_LPD.shape[1]
        for name in ("positions", "token_ids"):
            given = getattr(self, name)
            if given is not None and len(given) != count:
                raise UsageError(f"there are {len(given)} {name} of residuals at {count} positions")
        bad = np.argwhere(~np.isfinite(self.stack_LPD))
        if bad.size:
            layer, place, _ = bad[0].tolist()
            raise UsageError(
                f"the residual of layer {layer} at position {self.positions[place]} holds NaN or "
                "infinity"
            )

    def __repr__(self) -> str:
        """Name the sizes."""
        layers, count, width = self.stack_LPD.shape
        return f"Residuals({layers} layers, {count} positions, {width})"


def read_residuals(path: str | Path, *, width: int, tokens: int) -> Residuals:
    """Read residuals that `save_residuals` or another program wrote.

    Parameters
    ----------
    path : str or Path
        A ``.npy`` file of shape (L, P, D) or (L, D); or a safetensors file with such a tensor, its
        only one or called ``residuals``. It may have ``positions`` and ``token_ids`` too, ``int64``
        of shape (P,), and in its metadata ``run``, a JSON object with ``prompt``, ``text`` and
        ``written``. The first layer is the embedding's output, and none has passed the final norm.
    width : int
        D of the head.
    tokens : int
        How many tokens its vocabulary has.

    Raises
    ------
    UsageError
        The file cannot be read; its residuals are of another width or shape, more than 1 GiB, or
        hold NaN or infinity; its positions or tokens are none.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "run.npy"
    >>> np.save(path, np.zeros((19, 2, 640), np.float16))
    >>> read_residuals(path, width=640, tokens=262144)
    Residuals(19 layers, 2 positions, 640)
    """
    path = Path(path)
    stack_LPD, file = read_stack(path, width=width, tensor=_KIND)
    count = stack_LPD.shape[1]
    positions, token_ids, about = None, None, {}
    if file is not None:
        positions = _whole_numbers(path, file, "positions", count, _LAST_POSITION)
        token_ids = _whole_numbers(path, file, "token_ids", count, tokens)
        about = _about(path, file)
    try:
        return Residuals(stack_LPD, positions or tuple(range(count)), token_ids, **about)
    except UsageError as error:
        raise UsageError(f"{path}: {error}") from error


def _whole_numbers(
    path: Path, file: TensorFile, name: str, count: int, limit: int
) -> tuple[int, ...] | None:
    """Read a whole number for each position; None where the file has none."""
    entry = file.entries.get(name)
    if entry is None:
        return None
    if entry.dtype != "I64" or entry.shape != (count,):
        raise UsageError(
            f"{path}: {name} are {entry.dtype} of shape {entry.shape}; here they are I64 of shape "
            f"({count},)"
        )
    numbers = file.array(name)
    wrong = numbers[(numbers < 0) | (numbers >= limit)]
    if len(wrong):
        raise UsageError(f"{path}: {name} hold {wrong[0]}; they go from 0 to {limit - 1:,}")
    return tuple(numbers.tolist())


def _about(path: Path, file: TensorFile) -> dict[str, Any]:
    """Read what the metadata says of the run."""
    written = file.metadata.get(_ABOUT, "{}")
    if len(written) > _LONGEST:
        raise UsageError(
            f"{path}: its {_ABOUT!r} has {len(written):,} characters; {_LONGEST:,} are read"
        )
    try:
        about = json.loads(written)
        found = {name: about.get(name) for name in ("prompt", "text")}
        count = about.get("written", 0)
    except (ValueError, RecursionError, AttributeError) as error:
        raise UsageError(f"{path}: its {_ABOUT!r} is no JSON object: {error}") from error
    for name, text in found.items():
        if not isinstance(text, str | None):
            raise UsageError(f"{path}: the {name} of its {_ABOUT!r} is no text")
    if type(count) is not int or not 0 <= count <= _LAST_POSITION:
        raise UsageError(
            f"{path}: written in its {_ABOUT!r} is {count!r:.40}; it is how many tokens the model "
            "wrote"
        )
    return found | {"written": count}


def save_residuals(residuals: Residuals, path: str | Path) -> None:
    """Write residuals to a safetensors file, as float32, whole or not at all.

    Raises
    ------
    UsageError
        The path does not end in ``.safetensors``, or cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp(), "run.safetensors")
    >>> save_residuals(Residuals(np.zeros((19, 2, 640)), (3, 4), prompt="sea"), path)
    >>> read_residuals(path, width=640, tokens=262144).prompt
    'sea'
    """
    path = Path(path)
    check_residuals_path(path)
    arrays: dict[str, NDArray[Any]] = {
        _KIND: residuals.stack_LPD.astype(np.float32),
        "positions": np.array(residuals.positions, dtype=np.int64),
    }
    if residuals.token_ids is not None:
        arrays["token_ids"] = np.array(residuals.token_ids, dtype=np.int64)
    about = {name: getattr(residuals, name) for name in ("prompt", "text", "written")}
    try:
        with atomic_path(path) as temporary:
            save_file(arrays, temporary, metadata={_ABOUT: json.dumps(about)})
    except (OSError, ValueError, SafetensorError) as error:  # a path or a text may be no text
        raise UsageError(f"{path}: the residuals could not be saved: {error}") from error


def check_residuals_path(path: Path) -> None:
    """Refuse a path that residuals are not saved to.

    Raises
    ------
    UsageError
        It does not end in ``.safetensors``.

    Examples
    --------
    >>> check_residuals_path(Path("run.safetensors"))
    """
    if path.suffix != _SUFFIX:
        raise UsageError(f"{path}: residuals are saved to a file that ends in {_SUFFIX}")
