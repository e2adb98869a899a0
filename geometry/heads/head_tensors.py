"""Which tensors of a checkpoint are the head, its bias and the norm before it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ...errors import CheckpointError, UsageError
from ...indexes.rows import Rows
from .architecture import Architecture
from .checkpoint import Checkpoint
from .final_norm import FinalNorm

# V rows of width D.

# Names end so, after any path of modules that is not one layer's or another tower's.
_HEADS = (
    "lm_head",
    "lm_head.decoder",
    "lm_head.out_proj",
    "predictions.decoder",
    "generator_lm_head",
    "vocab_projector",
    "embed_out",
    "unembed",
    "output_projection",
    "lm_loss",
    "pred_layer.proj",
)
# Other things have these names too: they must have as many rows as the model has tokens.
_HEADS_BY_SHAPE = (
    "output",
    "output_layer",
    "proj_out",
    "head",
    "decoder",
    "head.decoder",
    "mlm_score.decoder",
    "ff_out",
)
_EMBEDDINGS = (
    "embed_tokens",
    "wte",
    "embed_in",
    "word_embeddings",
    "word_embedding",
    "tok_embeddings",
    "tokens_embed",
    "embeddings",
    "embedding",
    "shared",
    "w",
)
# The norm of a head that has a layer of its own.
_HEAD_NORMS = (
    "cls.predictions.transform.LayerNorm",
    "lm_head.layer_norm",
    "lm_head.norm",
    "generator_predictions.LayerNorm",
    "vocab_layer_norm",
    "predictions.LayerNorm",
    "lm_predictions.lm_head.LayerNorm",
    "projection_head.norm",
    "head.norm",
)
# The last norm of a stack, beside its embedding.
_NORMS = (
    "norm",
    "ln_f",
    "final_layer_norm",
    "final_layernorm",
    "norm_f",
    "final_norm",
    "layer_norm",
    "layernorm",
    "ln_out",
    "embedding_norm",
)
# A gain's name and its bias's; the second are TensorFlow's, in the oldest checkpoints of BERT.
_GAINS = {"weight": "bias", "gamma": "beta"}
_COMPARED = 64  # rows
_OTHER_TOWERS = ("audio", "code", "image", "mtp", "patcher", "speech", "talker", "token2wav", "vis")


@dataclass(frozen=True, eq=False)
class HeadTensor:
    """The head's tensors, found and mapped.

    Attributes
    ----------
    path : Path
        The file that holds the rows.
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
    """

    path: Path
    name: str
    tied: bool
    rows: Rows
    bias_V: NDArray[np.float64] | None
    final_norm: FinalNorm | None
    architecture: Architecture


def find_head(source: Path, *, tensor: str | None = None) -> HeadTensor:
    """Find the head of a checkpoint, by its configuration and by names and shapes.

    A head of its own is taken where there is one, be the model tied or not: transformers does not
    tie over a head whose values differ. Else it is the input embedding, unless the configuration
    says that the head is not tied. A decoder's is taken before an encoder's.

    Parameters
    ----------
    source : Path
        A checkpoint directory or a safetensors file.
    tensor : str, optional
        The matrix to take, whatever its name.

    Raises
    ------
    UsageError
        `tensor` is not there, or several tensors could be meant and it is not given.
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
    checkpoint = Checkpoint.open(source)
    architecture = Architecture.of(checkpoint.config, checkpoint.config_path)
    if tensor is None:
        name, tied = _find(checkpoint, architecture)
    else:
        name, tied = tensor, _is_tied_by_name(checkpoint, architecture, tensor)
    _refuse_scaled(checkpoint, name)
    rows = Rows.of(checkpoint.file(name), name)
    norm = _norm_name(checkpoint.files, name)
    if tensor is not None and norm and checkpoint.entry(norm).shape != (rows.width,):
        norm = None  # it stands before another matrix
    return HeadTensor(
        path=checkpoint.files[name],
        name=name,
        tied=tied,
        rows=rows,
        bias_V=_bias(checkpoint, name, tied=tied, count=rows.count),
        final_norm=_final_norm(checkpoint, architecture, norm, rows.width),
        architecture=architecture,
    )


def _find(checkpoint: Checkpoint, architecture: Architecture) -> tuple[str, bool]:
    """Give the head's name and whether it is tied."""
    own = _pick(checkpoint, architecture, _HEADS) or _pick(
        checkpoint, architecture, _HEADS_BY_SHAPE, by_shape=True
    )
    if own is not None:
        return own, architecture.tied is True and _equals_embedding(checkpoint, own)
    embedding = None
    if architecture.tied is not False:
        embedding = _pick(checkpoint, architecture, _EMBEDDINGS)
    if embedding is None:
        endings = _HEADS if architecture.tied is False else (*_HEADS, *_EMBEDDINGS)
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
    named = _matches(checkpoint.files, endings)
    best = [name for name in named if _tower(name) == _tower(named[0])]
    fitting = [name for name in best if _fits(checkpoint, architecture, name)]
    if by_shape and fitting and architecture.vocabulary is None:
        shapes = {checkpoint.entry(name).shape for name in _matches(checkpoint.files, _EMBEDDINGS)}
        fitting = [name for name in fitting if not shapes or checkpoint.entry(name).shape in shapes]
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


def _matches(names: Iterable[str], endings: Sequence[str], kind: str = "weight") -> list[str]:
    """Give names that end so, a decoder's first; those of layers and other towers are left out."""
    tails = tuple(f".{ending}.{kind}" for ending in endings)
    found = [
        name
        for name in names
        if f".{name}".endswith(tails)
        and not any(
            module.isdigit() or module.startswith(_OTHER_TOWERS) for module in name.split(".")
        )
    ]
    return sorted(found, key=_tower)


def _tower(name: str) -> int:
    """Rank a decoder before what is shared before an encoder."""
    modules = name.split(".")[:-2]
    if any(module.endswith("decoder") for module in modules):
        return 0
    return 2 if any(module.endswith("encoder") for module in modules) else 1


def _fits(checkpoint: Checkpoint, architecture: Architecture, name: str) -> bool:
    """Tell whether a tensor is a matrix of the width and the rows that the configuration says."""
    shape = checkpoint.entry(name).shape
    return (
        len(shape) == 2
        and (not architecture.widths or shape[1] in architecture.widths)
        and (architecture.vocabulary is None or shape[0] >= architecture.vocabulary)
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


def _equals_embedding(checkpoint: Checkpoint, own: str) -> bool:
    """Tell whether a head that should be tied has the embedding's values, by some of its rows."""
    embedding = next(iter(_matches(checkpoint.files, _EMBEDDINGS)), None)
    if embedding is None:
        return True
    one, other = checkpoint.entry(own), checkpoint.entry(embedding)
    if (one.dtype, one.shape) != (other.dtype, other.shape):
        return False
    ids = np.linspace(0, one.shape[0] - 1, _COMPARED, dtype=np.int64)
    codes = [Rows.of(checkpoint.file(name), name).codes_VD[ids] for name in (own, embedding)]
    return codes[0].tobytes() == codes[1].tobytes()


def _is_tied_by_name(checkpoint: Checkpoint, architecture: Architecture, tensor: str) -> bool:
    """Check that a tensor that the user names is there, and tell whether it is a tied embedding."""
    if tensor not in checkpoint.files:
        raise UsageError(f"{checkpoint.path}: no tensor {tensor!r}; {_matrices(checkpoint)}")
    return (
        architecture.tied is not False
        and tensor in _matches(checkpoint.files, _EMBEDDINGS)
        and not _matches(checkpoint.files, _HEADS)
    )


def _refuse_scaled(checkpoint: Checkpoint, name: str) -> None:
    """Refuse rows that are not themselves: a quantised head's, with their scales beside them."""
    beside = name.removesuffix("weight")
    for other in checkpoint.files:
        if other.startswith(beside) and ("scale" in other or "absmax" in other):
            raise CheckpointError(
                f"{checkpoint.files[name]}: the rows of {name!r} are scaled by {other!r}: save the "
                "checkpoint with its head in bfloat16, float16 or float32"
            )


def _bias(
    checkpoint: Checkpoint, name: str, *, tied: bool, count: int
) -> NDArray[np.float64] | None:
    """Give the head's bias; that of a tied head has the name of the head that it would be."""
    module = name.removesuffix(".weight")
    names = [f"{module}.bias", f"{module.removesuffix('.decoder')}.bias"]
    found = [bias for bias in names if bias in checkpoint.files]
    if tied:
        parents = [ending.removesuffix(".decoder") for ending in _HEADS]
        found += _matches(checkpoint.files, [*_HEADS, *parents], "bias")
        for bias in _matches(checkpoint.files, _HEADS_BY_SHAPE, "bias"):
            found += [bias] if checkpoint.entry(bias).shape == (count,) else []
    found += [name for name in checkpoint.files if f".{name}".endswith(".final_logits_bias")]
    return checkpoint.vector(found[0], count) if found else None


def _norm_name(names: Iterable[str], head: str) -> str | None:
    """Give the final norm's weight: the head's own, else that beside the embedding, else the one.

    None where there is none, or several with nothing to tell them apart.
    """
    known = set(names)
    of_head = [found for gain in _GAINS for found in _matches(known, _HEAD_NORMS, gain)]
    if of_head or _has_layers(head):
        return min(of_head, default=None)
    for embedding in dict.fromkeys([head, *_matches(names, _EMBEDDINGS)]):
        stack = embedding.split(".")[:-2]
        stack = stack[:-1] if stack[-1:] == ["embeddings"] else stack
        for place in ([*stack, "decoder"], [*stack, "text_decoder"], stack):
            for norm in _NORMS:
                weight = ".".join([*place, norm, "weight"])
                if weight in known:
                    return weight
    alone = [name for name in _matches(known, _NORMS) if ".embeddings." not in f".{name}"]
    return alone[0] if len(alone) == 1 else None


def _has_layers(head: str) -> bool:
    """Tell whether a head is the last layer of a module of several, as in masked models."""
    return head.endswith(".decoder.weight")


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
    bias = f"{module}.{_GAINS[gain]}"
    bias_D = checkpoint.vector(bias, width) if bias in checkpoint.files else None
    kind = architecture.kind or ("rms" if bias_D is None else "layer")
    return FinalNorm(kind, weight_D, bias_D, architecture.epsilon(kind))
