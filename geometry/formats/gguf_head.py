"""The head of a GGUF file as a checkpoint: its rows, its norm, its tokenizer."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import CheckpointError, MissingExtraError, VocabularyError
from ...indexes.progress import Progress, step_of
from ...indexes.tensors import Written, write_tensors
from ..tokens.pieces import Kind, Pieces, of_bytes, of_pieces, of_words, with_added
from .gguf_file import GgufFile, GgufTensor, packed_size

MODEL_TYPE = "gguf"
SUFFIX = ".gguf"
_HEADS = ("output.weight", "token_embd.weight")  # the first that is there
_NORMS = ("output_norm.weight", "dec.output_norm.weight")
_ROWS = 4096  # that are unpacked at once
_PLAIN: Mapping[int, str] = {0: "F32", 1: "F16", 30: "BF16"}  # as the gguf library numbers them
_EPSILONS = {
    "attention.layer_norm_rms_epsilon": "rms_norm_eps",
    "attention.layer_norm_epsilon": "layer_norm_eps",
}
_SOFTCAP = "final_logit_softcapping"
_SOFTCAP_DEFAULTS = {"gemma2": 30.0}  # of files that are older than the key
_DIVIDES = ("granite", "minicpm")  # whose logits are divided by their logit_scale
_SPACES = "tokenizer.ggml.remove_extra_whitespaces"


def convert_gguf(path: Path, directory: Path, *, progress: Progress | None = None) -> None:
    """Write the head of a GGUF file as a checkpoint.

    Rows that are plain stay as they are; packed ones are unpacked to float32, which holds them
    exactly. The norm has its whole gain, as GGUF has it.

    Parameters
    ----------
    path : Path
        The file.
    directory : Path
        Where to; ``config.json``, ``model.safetensors`` and ``tokenizer.json`` are written.
    progress : callable, optional
        Is told ``(step, done, total)``.

    Raises
    ------
    MissingExtraError
        gguf is not installed.
    CheckpointError
        The file is damaged, or has no head that can be read.
    VocabularyError
        Its tokenizer is not known.

    Examples
    --------
    >>> import tempfile
    >>> convert_gguf(Path("no.gguf"), Path(tempfile.mkdtemp()))
    Traceback (most recent call last):
    unembed.errors.CheckpointError: no.gguf: not a readable GGUF file: missing, or not a file ...
    """
    try:
        import gguf  # noqa: F401
    except ImportError as error:
        raise MissingExtraError("reading GGUF", extra="gguf") from error
    file = GgufFile.open(path)
    head = next((name for name in _HEADS if _is_matrix(file, name)), None)
    if head is None:
        raise CheckpointError(
            f"{path}: neither {' nor '.join(_HEADS)} is a matrix that can be read; its tensors are "
            f"{', '.join(map(repr, list(file.tensors)[:20])) or 'none'}"
        )
    names = {"lm_head.weight" if head == _HEADS[0] else "model.embed_tokens.weight": head}
    names |= {"lm_head.bias": "output.bias"}
    norm = next((name for name in _NORMS if name in file.tensors), "")
    names |= {"model.norm.weight": norm, "model.norm.bias": norm.replace(".weight", ".bias")}
    written = {
        name: _written(file, old, progress) for name, old in names.items() if old in file.tensors
    }
    if _is_layer_norm(file) and "model.norm.weight" in written:
        zeros = written["model.norm.weight"].shape
        written.setdefault(
            "model.norm.bias", Written("F32", zeros, iter([bytes(4 * int(np.prod(zeros)))]))
        )
    config = _config(file, file.tensors[head], tied=head != _HEADS[0])
    tokenizer = _tokenizer(file)
    write_tensors(directory / "model.safetensors", written)
    for name, content in (("config", config), ("tokenizer", tokenizer)):
        text = json.dumps(content, ensure_ascii=False)
        (directory / f"{name}.json").write_text(text + "\n", encoding="utf-8")


def _is_matrix(file: GgufFile, name: str) -> bool:
    """Tell whether a tensor is a matrix whose packing is known."""
    tensor = file.tensors.get(name)
    return (
        tensor is not None
        and len(tensor.shape) == 2
        and packed_size(tensor.shape, tensor.kind) not in {None, 0}
    )


def _written(file: GgufFile, name: str, progress: Progress | None) -> Written:
    """Give a tensor as it is to be written."""
    tensor = file.tensors[name]
    if len(tensor.shape) not in {1, 2} or packed_size(tensor.shape, tensor.kind) is None:
        raise CheckpointError(f"{file.path}: tensor {name!r} is packed in a way that is not known")
    dtype = _PLAIN.get(tensor.kind, "F32")
    return Written(dtype, tensor.shape, _unpacked(file, name, tensor, progress))


def _unpacked(
    file: GgufFile, name: str, tensor: GgufTensor, progress: Progress | None
) -> Iterator[bytes]:
    """Give the values of a tensor, some rows at a time."""
    from gguf.constants import GGMLQuantizationType
    from gguf.quants import dequantize

    count = tensor.shape[0]
    rows = tensor if len(tensor.shape) == 2 else GgufTensor((1, count), *_rest(tensor))
    total, done = rows.shape[0], step_of(progress, f"unpacking {name}")
    for start in range(0, total, _ROWS):
        packed = file.rows(rows, start, min(start + _ROWS, total))
        if tensor.kind in _PLAIN:
            yield packed.tobytes()
        else:
            try:
                values = dequantize(packed, GGMLQuantizationType(tensor.kind))
            except NotImplementedError as error:
                raise CheckpointError(
                    f"{file.path}: tensor {name!r} is packed as "
                    f"{GGMLQuantizationType(tensor.kind).name}, which gguf cannot unpack"
                ) from error
            yield np.ascontiguousarray(values, dtype="<f4").tobytes()
        done(min(start + _ROWS, total), total)


def _rest(tensor: GgufTensor) -> tuple[int, int, int]:
    """Give all of a tensor but its shape."""
    return tensor.kind, tensor.begin, tensor.end


def _is_layer_norm(file: GgufFile) -> bool:
    """Tell whether the file gives the epsilon of a norm that centres."""
    name = file.values.get("general.architecture")
    return f"{name}.attention.layer_norm_epsilon" in file.values


def _config(file: GgufFile, head: GgufTensor, *, tied: bool) -> dict[str, Any]:
    """Write what the file says of its model as a configuration."""
    values, name = file.values, file.values.get("general.architecture")
    if not isinstance(name, str):
        raise CheckpointError(f"{file.path}: general.architecture is {name!r}; a name is expected")
    config: dict[str, Any] = {
        "architectures": [f"{name} (GGUF)"],
        "model_type": MODEL_TYPE,
        "vocab_size": head.shape[0],
        "hidden_size": head.shape[1],
        "tie_word_embeddings": tied,
    }
    for key, own in _EPSILONS.items():
        if f"{name}.{key}" in values:
            config[own] = values[f"{name}.{key}"]
    softcap = values.get(f"{name}.{_SOFTCAP}", _SOFTCAP_DEFAULTS.get(name))
    if softcap:
        config[_SOFTCAP] = softcap
    scale = values.get(f"{name}.logit_scale")
    if isinstance(scale, float) and scale > 0:
        config["logit_scale"] = 1 / scale if name.startswith(_DIVIDES) else scale
    return config


def _tokenizer(file: GgufFile) -> dict[str, Any]:
    """Write the file's tokenizer as a ``tokenizer.json``."""
    values = file.values
    model, strings = (values.get(f"tokenizer.ggml.{key}") for key in ("model", "tokens"))
    if not isinstance(strings, list) or not all(isinstance(one, str) for one in strings):
        raise VocabularyError(f"{file.path}: it has no tokenizer (tokenizer.ggml.tokens)")
    kinds = _kinds(values.get("tokenizer.ggml.token_type"), len(strings))
    special = {Kind.CONTROL, Kind.UNKNOWN}
    added = [
        (id_, string, kind in special)
        for id_, (string, kind) in enumerate(zip(strings, kinds, strict=True))
        if kind in special | {Kind.USER_DEFINED}
    ]
    if model == "gpt2":
        merges = values.get("tokenizer.ggml.merges")
        pairs = [str(one).split(" ") for one in merges] if isinstance(merges, list) else []
        whole = [pair for pair in pairs if len(pair) == 2]
        ids = {string: id_ for id_, string in enumerate(strings)}
        return with_added(of_bytes(ids, whole), added)
    if model == "bert":
        return with_added(of_words(strings), added)
    if model not in {"llama", "t5"}:
        raise VocabularyError(
            f"{file.path}: its tokenizer is {model!r}; llama, t5, gpt2 and bert are known"
        )
    scores = np.asarray(values.get("tokenizer.ggml.scores", np.zeros(len(strings))), np.float64)
    if scores.shape != (len(strings),) or not np.isfinite(scores).all():
        raise VocabularyError(f"{file.path}: its tokens have {scores.size:,} scores")
    charsmap = values.get("tokenizer.ggml.precompiled_charsmap")
    return of_pieces(
        Pieces(
            strings,
            scores.tolist(),
            kinds,
            unigram=model == "t5",
            dummy_prefix=bool(values.get("tokenizer.ggml.add_space_prefix", True)),
            single_spaces=bool(values.get(_SPACES, False)),
            charsmap=charsmap.tobytes() if isinstance(charsmap, np.ndarray) else b"",
        )
    )


def _kinds(types: NDArray[Any] | None, count: int) -> list[Kind]:
    """Give the kinds of tokens; all are normal where the file does not say."""
    if not isinstance(types, np.ndarray) or len(types) != count:
        return [Kind.NORMAL] * count
    known = {kind.value: kind for kind in Kind}
    return [known.get(kind, Kind.NORMAL) for kind in types.tolist()]
