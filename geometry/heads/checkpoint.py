"""Which tensor of a checkpoint is the head."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...errors import CheckpointError
from ...indexes.rows import Rows
from ...indexes.tensors import TensorFile

WEIGHTS = "model.safetensors"
CONFIG = "config.json"
_CONFIG_LIMIT = 16 << 20

# A head of its own comes before the embedding that it would be tied to.
_HEADS = (
    "lm_head.weight",
    "language_model.lm_head.weight",
    "output.weight",
    "embed_out.weight",
    "proj_out.weight",
)
_EMBEDDINGS = (
    "model.embed_tokens.weight",
    "model.decoder.embed_tokens.weight",
    "model.language_model.embed_tokens.weight",
    "language_model.model.embed_tokens.weight",
    "transformer.wte.weight",
    "wte.weight",
)


@dataclass(frozen=True, eq=False)
class HeadTensor:
    """The head's tensor, found and mapped.

    Attributes
    ----------
    path : Path
        The file that holds it.
    name : str
        Its name there.
    tied : bool
        Whether it is the input embedding, used as the head too.
    rows : Rows
        Its rows, in place.
    """

    path: Path
    name: str
    tied: bool
    rows: Rows


def read_json(path: Path, *, limit: int) -> dict[str, Any]:
    """Read a JSON object of bounded size.

    Raises
    ------
    CheckpointError
        The file is missing, unreadable, larger than `limit` bytes or not a JSON object.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "config.json"
    >>> _ = path.write_text('{"model_type": "gemma3_text"}')
    >>> read_json(path, limit=1000)
    {'model_type': 'gemma3_text'}
    """
    try:
        size = path.stat().st_size
        if size > limit:
            raise CheckpointError(f"{path}: {size:,} bytes; at most {limit:,} are read")
        content = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise CheckpointError(f"{path}: not readable JSON: {error}") from error
    if not isinstance(content, dict):
        raise CheckpointError(f"{path}: a JSON object is expected, not {type(content).__name__}")
    return content


def find_head(directory: Path) -> HeadTensor:
    """Find the head of a checkpoint directory that has one safetensors file.

    Parameters
    ----------
    directory : Path
        With ``model.safetensors`` and ``config.json``, as transformers saves them.

    Returns
    -------
    HeadTensor
        ``lm_head.weight`` or its like where the file has one and the configuration does not tie
        it, else the input embedding that the head is tied to.

    Raises
    ------
    CheckpointError
        A file is missing or damaged, or no tensor is known as a head.
    """
    try:
        is_directory = directory.is_dir()
    except OSError as error:
        raise CheckpointError(f"{directory}: not readable: {error}") from error
    if not is_directory:
        raise CheckpointError(
            f"{directory}: no such checkpoint directory; give a directory with {CONFIG}, {WEIGHTS} "
            "and tokenizer.json, or one of the demos: demo, demo-bytes"
        )
    config = read_json(directory / CONFIG, limit=_CONFIG_LIMIT)
    if (directory / f"{WEIGHTS}.index.json").exists() and not (directory / WEIGHTS).exists():
        raise CheckpointError(
            f"{directory}: its weights are in several files; save them as one {WEIGHTS}"
        )
    file = TensorFile.open(directory / WEIGHTS)
    own = [name for name in _HEADS if name in file.entries]
    shared = [name for name in _EMBEDDINGS if name in file.entries]
    tie = config.get("tie_word_embeddings")
    names = [*shared, *own] if tie is True else own if tie is False else [*own, *shared]
    if not names:
        known = _HEADS if tie is False else _HEADS + _EMBEDDINGS
        # Names are shown by repr: they come from the file and may hold terminal escapes.
        matrices = [repr(name) for name, entry in file.entries.items() if len(entry.shape) == 2]
        raise CheckpointError(
            f"{file.path}: none of its tensors is known as a head: {', '.join(known)}"
            f"{' (config.json says that it is not tied)' if tie is False else ''}; "
            f"its matrices are {', '.join(matrices[:20]) or 'none'}"
        )
    return HeadTensor(file.path, names[0], names[0] in shared, Rows.of(file, names[0]))
