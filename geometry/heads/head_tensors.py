"""Which tensors of a checkpoint are the head, its bias and the norm before it."""

import fnmatch
import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ...errors import CheckpointError, UsageError
from ...indexes.progress import Progress
from ...indexes.rows import Rows
from .architecture import Architecture
from .checkpoint import Checkpoint
from .final_norm import FinalNorm
from .four_bits import KINDS
from .tensor_names import EMBEDDINGS, GAINS, HEADS, HEADS_BY_SHAPE, matches, norm_name, tower
from .unpacking import plain_rows

_log = logging.getLogger("unembed")

# V rows of width D.

_COMPARED, _PLACES = 16, 4  # rows, and where so many of them are compared


@dataclass(frozen=True, eq=False)
class HeadTensor:
    """The head's tensors, found and mapped.

    Attributes
    ----------
    path : Path
        The file that holds the rows: of the checkpoint, or where they are unpacked.
    directory : Path
        Of the file that they come from.
    name : str
        The rows' name there.
    tied : bool
        Whether they are the input embedding, used as the head too.
    rows : Rows
        V rows of width D, in place.
    bias_V : ndarray of float64 or None
        The head's bias, where it has one.
    final_norm : FinalNorm or None
        The norm before the head; None where none comes after the last layer (BART) or none is
        known.
    architecture : Architecture
        What the configuration says.

    Examples
    --------
    >>> from unembed.geometry.demos.demo import demo_directory
    >>> from unembed.indexes.store import cache_directory
    >>> found = find_head(demo_directory("demo", cache_directory()))
    >>> found.name, found.rows.count, found.bias_V, found.final_norm.kind
    ('model.embed_tokens.weight', 262144, None, 'rms')
    """

    path: Path
    directory: Path
    name: str
    tied: bool
    rows: Rows
    bias_V: NDArray[np.float64] | None
    final_norm: FinalNorm | None
    architecture: Architecture


def find_head(
    source: Path | Checkpoint, *, tensor: str | None = None, progress: Progress | None = None
) -> HeadTensor:
    """Find the head of a checkpoint, by its configuration and by names and shapes.

    A head of its own is taken where there is one, be the model tied or not: transformers does not
    tie over a head whose values differ, and a warning tells of it. Else it is the input embedding,
    unless the configuration says that the head is not tied. A decoder's is taken before an
    encoder's.

    Parameters
    ----------
    source : Path or Checkpoint
        A checkpoint directory or a safetensors file, or one that is open. Of a shard of a larger
        checkpoint, only a tensor that is named is taken: the head may be in another.
    tensor : str, optional
        The matrix to take, whatever its name; or a pattern with ``*``, whose matrices are joined in
        the order of the numbers in their names.
    progress : callable, optional
        Is told ``(step, done, total)`` while rows are unpacked.

    Raises
    ------
    UsageError
        `tensor` is not there; or it is not given, and several tensors could be meant or the file
        is one shard of several.
    CheckpointError
        A file is missing or damaged, no tensor is known as a head, or a tensor does not fit.

    Examples
    --------
    >>> from unembed.geometry.demos.demo import demo_directory
    >>> from unembed.indexes.store import cache_directory
    >>> head = find_head(demo_directory("demo-bytes", cache_directory()))
    >>> head.name, head.tied, head.final_norm.kind
    ('model.decoder.embed_tokens.weight', True, 'layer')
    """
    checkpoint = source if isinstance(source, Checkpoint) else Checkpoint.open(source)
    architecture = Architecture.of(checkpoint.config, checkpoint.config_path)
    names = [] if tensor is None else _named(checkpoint, tensor)
    if tensor is None:
        name, tied = _find(checkpoint, architecture)
    else:
        name, tied = names[0], _is_tied_by_name(checkpoint, architecture, names[0])
    transposed = not _fits(checkpoint, architecture, name) and _fits(
        checkpoint, architecture, name, transposed=True
    )
    path, rows = plain_rows(checkpoint, names or [name], transposed=transposed, progress=progress)
    norm = norm_name(checkpoint.files, name)
    if tensor is not None and norm and checkpoint.entry(norm).shape != (rows.width,):
        norm = None  # it stands before another matrix
    return HeadTensor(
        path=path,
        directory=checkpoint.file(name).path_of(name).parent,
        name=tensor or name,
        tied=tied,
        rows=rows,
        bias_V=None if len(names) > 1 else _bias(checkpoint, name, tied=tied, count=rows.count),
        final_norm=_final_norm(checkpoint, architecture, norm, rows.width),
        architecture=architecture,
    )


def _find(checkpoint: Checkpoint, architecture: Architecture) -> tuple[str, bool]:
    """Give the head's name and whether it is tied."""
    if checkpoint.elsewhere:
        raise UsageError(
            f"{checkpoint.path}: a shard of a larger checkpoint: open its directory, or take a "
            "tensor of this file with --tensor NAME (tensor= in Python)"
        )
    packed = [name for kind in KINDS for name in matches(checkpoint.files, HEADS, kind)]
    if len(packed) == 1:
        return packed[0], False
    own = _pick(checkpoint, architecture, HEADS) or _pick(
        checkpoint, architecture, HEADS_BY_SHAPE, by_shape=True
    )
    if own is not None:
        return own, architecture.tied is True and _equals_embedding(checkpoint, architecture, own)
    embedding = None
    if architecture.tied is not False:
        embedding = _pick(checkpoint, architecture, EMBEDDINGS)
    if embedding is None:
        endings = HEADS if architecture.tied is False else (*HEADS, *EMBEDDINGS)
        said = f" ({checkpoint.config_path.name} says that it is not tied)"
        raise CheckpointError(
            f"{checkpoint.path}: none of its tensors is known as a head: "
            f"{', '.join(f'{ending}.weight' for ending in endings)}"
            f"{said if architecture.tied is False else ''}; {_matrices(checkpoint)}"
        )
    return embedding, True


def _pick(
    checkpoint: Checkpoint,
    architecture: Architecture,
    endings: Sequence[str],
    *,
    by_shape: bool = False,
) -> str | None:
    """Give the one weight of such a name that fits the configuration, or None without any."""
    best = _best(checkpoint, endings)
    fitting = _fitting(checkpoint, architecture, best, by_shape=by_shape)
    if best and not fitting and not by_shape:
        raise CheckpointError(
            f"{checkpoint.files[best[0]]}: tensor {best[0]!r} has shape "
            f"{checkpoint.entry(best[0]).shape}; {checkpoint.config_path} says that a head has "
            f"{_said(architecture)}: one of them is of another model, or --tensor NAME (tensor= "
            "in Python) names another tensor"
        )
    if len(fitting) > 1:
        shown = (f"{name!r} {checkpoint.entry(name).shape}" for name in fitting)
        raise UsageError(
            f"{checkpoint.path}: several tensors could be the head: {', '.join(shown)}; say which "
            "with --tensor NAME (tensor= in Python)"
        )
    return fitting[0] if fitting else None


def _best(checkpoint: Checkpoint, endings: Sequence[str]) -> list[str]:
    """Give the weights of such a name that are of the first standing."""
    named = matches(checkpoint.files, endings)
    return [name for name in named if tower(name) == tower(named[0])]


def _fitting(
    checkpoint: Checkpoint, architecture: Architecture, names: list[str], *, by_shape: bool = False
) -> list[str]:
    """Keep names whose shapes fit the configuration, or an embedding where it tells no rows."""
    fitting = [name for name in names if _fits(checkpoint, architecture, name)] or [
        name for name in names if _fits(checkpoint, architecture, name, transposed=True)
    ]
    if not (by_shape and fitting and architecture.vocabulary is None):
        return fitting
    shapes = {checkpoint.entry(name).shape for name in matches(checkpoint.files, EMBEDDINGS)}
    return [name for name in fitting if not shapes or checkpoint.entry(name).shape in shapes]


def _fits(
    checkpoint: Checkpoint, architecture: Architecture, name: str, *, transposed: bool = False
) -> bool:
    """Tell whether a tensor is a matrix of the width and the rows that the configuration says.

    Of one that says neither, none is taken for transposed.
    """
    shape = checkpoint.entry(name).shape
    if len(shape) != 2 or (transposed and not (architecture.widths and architecture.vocabulary)):
        return False
    rows, width = shape[::-1] if transposed else shape
    return (not architecture.widths or width in architecture.widths) and (
        architecture.vocabulary is None or rows >= architecture.vocabulary
    )


def _said(architecture: Architecture) -> str:
    """Put the shape that the configuration gives into words."""
    widths = " or ".join(map(str, dict.fromkeys(architecture.widths)))
    said = [f"width {widths}"] if widths else []
    if architecture.vocabulary is not None:
        said.append(f"at least {architecture.vocabulary} rows")
    return " and ".join(said) or "two axes"


def _matrices(checkpoint: Checkpoint) -> str:
    """List what could be named instead, by repr: names come from the file and may hold escapes."""
    names = [repr(name) for name in checkpoint.files if checkpoint.may_be_matrix(name)]
    return f"its matrices are {', '.join(names[:20]) or 'none'}"


def _equals_embedding(checkpoint: Checkpoint, architecture: Architecture, own: str) -> bool:
    """Tell whether a head that should be tied is the embedding; warn of one that is not."""
    embeddings = _fitting(checkpoint, architecture, _best(checkpoint, EMBEDDINGS))
    if not embeddings or any(_are_equal(checkpoint, own, other) for other in embeddings):
        return True
    _log.warning(
        "%s ties the head to the embedding, but %r and %r differ: %r is taken, as transformers "
        "does; --tensor %r (tensor= in Python) takes the other",
        *(checkpoint.config_path, own, embeddings[0], own, embeddings[0]),
    )
    return False


def _are_equal(checkpoint: Checkpoint, own: str, other: str) -> bool:
    """Tell whether two matrices are the same, by some of their rows."""
    entries = [checkpoint.entry(name) for name in (own, other)]
    if entries[0].dtype != entries[1].dtype or entries[0].shape != entries[1].shape:
        return False
    count = entries[0].shape[0]
    starts = np.linspace(0, max(count - _COMPARED, 0), _PLACES, dtype=np.int64).tolist()
    return all(
        checkpoint.file(own).rows(own, start, min(start + _COMPARED, count))
        == checkpoint.file(other).rows(other, start, min(start + _COMPARED, count))
        for start in dict.fromkeys(starts)
    )


def _named(checkpoint: Checkpoint, tensor: str) -> list[str]:
    """Give the tensors that a name or a pattern means, in the order of the numbers in them."""
    names = [tensor] if "*" not in tensor else fnmatch.filter(checkpoint.files, tensor)
    if not names or names[0] not in checkpoint.files:
        raise UsageError(f"{checkpoint.path}: no tensor {tensor!r}; {_matrices(checkpoint)}")
    return sorted(names, key=_natural)


def _natural(name: str) -> list[tuple[str, int]]:
    """Put the numbers in a name in the order of numbers."""
    parts = re.findall(r"([^0-9]*)([0-9]{0,18})", name)
    return [(text, int(number or -1)) for text, number in parts]


def _is_tied_by_name(checkpoint: Checkpoint, architecture: Architecture, tensor: str) -> bool:
    """Tell whether a tensor that the user names is a tied embedding."""
    return (
        architecture.tied is not False
        and tensor in matches(checkpoint.files, EMBEDDINGS)
        and not matches(checkpoint.files, HEADS)
        and not matches(checkpoint.elsewhere, [*HEADS, *HEADS_BY_SHAPE])
        and not _fitting(checkpoint, architecture, _best(checkpoint, HEADS_BY_SHAPE), by_shape=True)
    )


def _bias(
    checkpoint: Checkpoint, name: str, *, tied: bool, count: int
) -> NDArray[np.float64] | None:
    """Give the head's bias; that of a tied head has the name of the head that it would be."""
    module = next(
        (name.removesuffix(f".{kind}") for kind in KINDS if name.endswith(f".{kind}")),
        name.removesuffix(".weight"),
    )
    names = [f"{module}.bias", f"{module.removesuffix('.decoder')}.bias"]
    found = [bias for bias in names if bias in checkpoint.files]
    if tied:
        parents = [ending.removesuffix(".decoder") for ending in HEADS]
        found += matches(checkpoint.files, [*HEADS, *parents], "bias")
        for bias in matches(checkpoint.files, HEADS_BY_SHAPE, "bias"):
            found += [bias] if checkpoint.entry(bias).shape == (count,) else []
    found += [name for name in checkpoint.files if f".{name}".endswith(".final_logits_bias")]
    return checkpoint.vector(found[0], count) if found else None


def _final_norm(
    checkpoint: Checkpoint, architecture: Architecture, name: str | None, width: int
) -> FinalNorm | None:
    """Read the final norm."""
    if name is None:
        if not architecture.weightless:
            return None
        kind: Literal["rms", "layer"] = architecture.kind or "rms"
        return FinalNorm(kind, np.ones(width), None, architecture.epsilon(kind))
    weight_D = checkpoint.vector(name, width) + architecture.gain_offset
    module, _, gain = name.rpartition(".")
    bias = f"{module}.{GAINS[gain]}"
    bias_D = checkpoint.vector(bias, width) if bias in checkpoint.files else None
    kind = architecture.kind or ("rms" if bias_D is None else "layer")
    return FinalNorm(kind, weight_D, bias_D, architecture.epsilon(kind))
