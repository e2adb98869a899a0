"""The decoder head of Whisper base: from a CTranslate2 file to a checkpoint."""

import json
import mmap
import shutil
import struct
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import ConversionError
from ...indexes.progress import Progress

_VERSION = 6
_FLOAT16 = 4

# CTranslate2's name of a variable, and the checkpoint's.
_NAMES = {
    "decoder/embeddings/weight": "model.decoder.embed_tokens.weight",
    "decoder/layer_norm/gamma": "model.decoder.layer_norm.weight",
    "decoder/layer_norm/beta": "model.decoder.layer_norm.bias",
}

_CONFIG = {
    "architectures": ["WhisperForConditionalGeneration"],
    "model_type": "whisper",
    "dtype": "float16",
    "d_model": 512,
    "decoder_layers": 6,
    "decoder_attention_heads": 8,
    "decoder_ffn_dim": 2048,
    "encoder_layers": 6,
    "encoder_attention_heads": 8,
    "encoder_ffn_dim": 2048,
    "tie_word_embeddings": True,
    "vocab_size": 51865,
}

_TOKENIZER_CONFIG = {"tokenizer_class": "PreTrainedTokenizerFast"}


def convert(pieces: Path, checkpoint: Path, progress: Progress) -> None:
    """Write the head, norm, configuration and tokenizer of ``pieces/model.bin``.

    Parameters
    ----------
    pieces : Path
        A directory with ``model.bin`` (CTranslate2, version 6) and ``tokenizer.json``.
    checkpoint : Path
        A directory to write in.
    progress : callable
        Is told ``(step, done, total)``.

    Raises
    ------
    ConversionError
        The head could not be written, or ``model.bin`` is of another version.

    Examples
    --------
    >>> import struct, tempfile
    >>> pieces = Path(tempfile.mkdtemp())
    >>> _ = (pieces / "model.bin").write_bytes(struct.pack("<I", 5))
    >>> convert(pieces, pieces, lambda step, done, total: None)
    Traceback (most recent call last):
    unembed.errors.ConversionError: model.bin is of CTranslate2 version 5, not 6
    """
    from safetensors import SafetensorError
    from safetensors.numpy import save_file

    progress("converting the head", 0, 1)
    with (
        (pieces / "model.bin").open("rb") as file,
        mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content,
    ):
        tensors = _variables(content)
    try:
        save_file(tensors, checkpoint / "model.safetensors", metadata={"format": "pt"})
    except SafetensorError as error:
        raise ConversionError(f"the head could not be written: {error}") from error
    shutil.copyfile(pieces / "tokenizer.json", checkpoint / "tokenizer.json")
    for name, value in (("config", _CONFIG), ("tokenizer_config", _TOKENIZER_CONFIG)):
        (checkpoint / f"{name}.json").write_text(json.dumps(value, indent=2) + "\n", "utf-8")
    progress("converting the head", 1, 1)


def _variables(content: mmap.mmap) -> dict[str, NDArray[np.float16]]:
    """Copy the wanted variables out of a CTranslate2 file, version 6.

    Little-endian: u32 version, the specification's name (u16 length, bytes), u32 revision, u32
    count; then for each variable its name, u8 rank, u32 dimensions, u8 type (4 is float16),
    u32 byte count and the data.
    """
    place = 0

    def take(layout: str) -> tuple[Any, ...]:
        nonlocal place
        values = struct.unpack_from(f"<{layout}", content, place)
        place += struct.calcsize(f"<{layout}")
        return values

    def take_name() -> str:
        (length,) = take("H")
        return bytes(take(f"{length}s")[0]).rstrip(b"\0").decode("ascii")

    (version,) = take("I")
    if version != _VERSION:
        raise ConversionError(f"model.bin is of CTranslate2 version {version}, not {_VERSION}")
    take_name()
    _, count = take("II")
    found = {}
    for _ in range(count):
        name = take_name()
        (rank,) = take("B")
        shape = take(f"{rank}I")
        kind, size = take("BI")
        if name in _NAMES and kind == _FLOAT16:
            data = content[place : place + size]
            found[_NAMES[name]] = np.frombuffer(data, dtype="<f2").reshape(shape)
        place += size
    return found
