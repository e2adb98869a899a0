"""Gemma 3 270M: from GGUF to a checkpoint that transformers can run."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ...errors import ConversionError, MissingExtraError
from ...indexes.progress import Progress

if TYPE_CHECKING:
    import torch

_LAYERS = 18
_FULL_ATTENTION_EVERY = 6  # every sixth layer attends to all positions, the others to a window

_CONFIG = {
    "architectures": ["Gemma3ForCausalLM"],
    "model_type": "gemma3_text",
    "dtype": "bfloat16",
    "attention_bias": False,
    "bos_token_id": 2,
    "eos_token_id": 1,
    "head_dim": 256,
    "hidden_activation": "gelu_pytorch_tanh",
    "hidden_size": 640,
    "intermediate_size": 2048,
    "layer_types": [
        "sliding_attention" if (layer + 1) % _FULL_ATTENTION_EVERY else "full_attention"
        for layer in range(_LAYERS)
    ],
    "max_position_embeddings": 32768,
    "num_attention_heads": 4,
    "num_hidden_layers": _LAYERS,
    "num_key_value_heads": 1,
    "pad_token_id": 0,
    "query_pre_attn_scalar": 256,
    "rms_norm_eps": 1e-6,
    "rope_local_base_freq": 10000.0,
    "rope_theta": 1000000.0,
    "sliding_window": 512,
    "tie_word_embeddings": True,
    "vocab_size": 262144,
}

_TOKENIZER_CONFIG = {
    "bos_token": "<bos>",
    "eos_token": "<eos>",
    "pad_token": "<pad>",
    "tokenizer_class": "PreTrainedTokenizerFast",
    "unk_token": "<unk>",
}

# GGUF's name of a tensor in a layer, and the checkpoint's.
_LAYER_NAMES = {
    "attn_k": "self_attn.k_proj",
    "attn_k_norm": "self_attn.k_norm",
    "attn_norm": "input_layernorm",
    "attn_output": "self_attn.o_proj",
    "attn_q": "self_attn.q_proj",
    "attn_q_norm": "self_attn.q_norm",
    "attn_v": "self_attn.v_proj",
    "ffn_down": "mlp.down_proj",
    "ffn_gate": "mlp.gate_proj",
    "ffn_norm": "pre_feedforward_layernorm",
    "ffn_up": "mlp.up_proj",
    "post_attention_norm": "post_attention_layernorm",
    "post_ffw_norm": "post_feedforward_layernorm",
}
_OTHER_NAMES = {
    "output_norm.weight": "model.norm.weight",
    "token_embd.weight": "model.embed_tokens.weight",
}


def checkpoint_name(name: str) -> str:
    """Give the checkpoint's name of a GGUF tensor.

    Examples
    --------
    >>> checkpoint_name("blk.3.attn_q.weight")
    'model.layers.3.self_attn.q_proj.weight'
    """
    if name in _OTHER_NAMES:
        return _OTHER_NAMES[name]
    _, layer, short = name.removesuffix(".weight").split(".")
    return f"model.layers.{layer}.{_LAYER_NAMES[short]}.weight"


def convert(pieces: Path, checkpoint: Path, progress: Progress) -> None:
    """Write the checkpoint of ``pieces/model.gguf``.

    Parameters
    ----------
    pieces : Path
        A directory with ``model.gguf``.
    checkpoint : Path
        A directory to write in.
    progress : callable
        Is told ``(step, done, total)``.

    Raises
    ------
    MissingExtraError
        gguf or transformers is not installed.
    ConversionError
        The weights could not be written.

    Examples
    --------
    The conversion takes half a minute, once; this is what it leaves.

    >>> from unembed.geometry.demos.demo import demo_directory
    >>> from unembed.indexes.store import cache_directory
    >>> made = demo_directory("demo", cache_directory())
    >>> sorted(path.name for path in made.iterdir())
    ['config.json', 'model.safetensors', 'tokenizer.json', 'tokenizer_config.json']
    """
    try:
        from transformers import AutoTokenizer
    except ImportError as error:
        raise MissingExtraError("the model 'demo'", extra="demo") from error
    from safetensors import SafetensorError
    from safetensors.torch import save_file

    tensors = _tensors(pieces / "model.gguf", progress)
    progress("writing the weights", 0, 1)
    try:
        save_file(tensors, checkpoint / "model.safetensors", metadata={"format": "pt"})
    except SafetensorError as error:
        raise ConversionError(f"the weights could not be written: {error}") from error
    tensors.clear()
    progress("writing the weights", 1, 1)
    progress("converting the tokenizer (about 20 seconds)", 0, 1)
    tokenizer = AutoTokenizer.from_pretrained(str(pieces), gguf_file="model.gguf")
    (checkpoint / "tokenizer.json").write_text(tokenizer.backend_tokenizer.to_str(), "utf-8")
    for name, content in (("config", _CONFIG), ("tokenizer_config", _TOKENIZER_CONFIG)):
        (checkpoint / f"{name}.json").write_text(json.dumps(content, indent=2) + "\n", "utf-8")
    progress("converting the tokenizer (about 20 seconds)", 1, 1)


def _tensors(path: Path, progress: Progress) -> dict[str, "torch.Tensor"]:
    """Dequantise every tensor to bfloat16, under the checkpoint's names."""
    try:
        from gguf import GGUFReader
        from gguf.quants import dequantize
    except ImportError as error:
        raise MissingExtraError("the model 'demo'", extra="demo") from error
    import torch

    progress("reading the GGUF file (about 10 seconds)", 0, 1)
    stored = GGUFReader(path).tensors
    progress("reading the GGUF file (about 10 seconds)", 1, 1)
    tensors = {}
    for done, tensor in enumerate(stored, start=1):
        name = checkpoint_name(tensor.name)
        values = np.asarray(dequantize(tensor.data, tensor.tensor_type), dtype=np.float32)
        if "norm" in name:
            values = values - 1  # GGUF stores the whole gain, Gemma's checkpoints gain - 1
        tensors[name] = torch.from_numpy(values).to(torch.bfloat16)
        progress("converting the tensors", done, len(stored))
    return tensors
