"""Tiny random models of many architectures, as transformers makes and saves them."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
import transformers

VOCABULARY = 400


@dataclass(frozen=True)
class Case:
    """A model: its class, its configuration, its final norm and what its head must come out as."""

    model: str
    norm: str | None
    tensor: str
    family: str = "byte_level"
    config: dict[str, Any] = field(default_factory=dict)
    expected: dict[str, Any] = field(default_factory=dict)


LLAMA = {
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 8,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
}
PLAIN = {k: LLAMA[k] for k in ("hidden_size", "num_hidden_layers", "num_attention_heads")}
BERT = PLAIN | {"intermediate_size": 48, "pad_token_id": 0}
GPT2 = {"n_embd": 32, "n_layer": 2, "n_head": 4}
SEQ2SEQ = {
    "d_model": 32,
    "encoder_layers": 1,
    "decoder_layers": 1,
    "encoder_attention_heads": 4,
    "decoder_attention_heads": 4,
    "encoder_ffn_dim": 48,
    "decoder_ffn_dim": 48,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "decoder_start_token_id": 1,
}
T5 = {"d_model": 32, "d_kv": 8, "d_ff": 48, "num_layers": 1, "num_heads": 4}
EMBEDDING = "model.embed_tokens.weight"
TIED = {"tied": True}
OWN = {"tied": False}

CASES = {
    "llama": Case("LlamaForCausalLM", "model.norm", "lm_head.weight", config=LLAMA, expected=OWN),
    "qwen2": Case(
        "Qwen2ForCausalLM",
        "model.norm",
        EMBEDDING,
        config=LLAMA | {"tie_word_embeddings": True},
        expected=TIED,
    ),
    "mixtral": Case(
        "MixtralForCausalLM",
        "model.norm",
        "lm_head.weight",
        "sentencepiece",
        LLAMA | {"num_local_experts": 2},
        OWN,
    ),
    "gemma": Case("GemmaForCausalLM", "model.norm", EMBEDDING, "sentencepiece", LLAMA, TIED),
    "gemma2": Case(
        "Gemma2ForCausalLM",
        "model.norm",
        EMBEDDING,
        "sentencepiece",
        LLAMA | {"final_logit_softcapping": 2.0},
        TIED | {"softcap": 2.0},
    ),
    "gemma3": Case("Gemma3ForCausalLM", "model.norm", EMBEDDING, "sentencepiece", LLAMA, TIED),
    "qwen3_next": Case(
        "Qwen3NextForCausalLM",
        "model.norm",
        "lm_head.weight",
        config=LLAMA
        | {
            "num_experts": 4,
            "num_experts_per_tok": 2,
            "moe_intermediate_size": 16,
            "shared_expert_intermediate_size": 16,
            "linear_num_key_heads": 2,
            "linear_num_value_heads": 4,
            "linear_key_head_dim": 8,
            "linear_value_head_dim": 8,
            "layer_types": ["linear_attention", "full_attention"],
        },
    ),
    "cohere": Case(
        "CohereForCausalLM", "model.norm", EMBEDDING, config=LLAMA, expected={"scale": 0.0625}
    ),
    "granite": Case(
        "GraniteForCausalLM",
        "model.norm",
        "lm_head.weight",
        config=LLAMA | {"logits_scaling": 8.0},
        expected={"scale": 0.125},
    ),
    "minicpm3": Case(
        "MiniCPM3ForCausalLM",
        "model.norm",
        EMBEDDING,
        config={k: v for k, v in LLAMA.items() if k not in {"head_dim", "num_key_value_heads"}}
        | {
            "num_key_value_heads": 4,
            "q_lora_rank": 16,
            "kv_lora_rank": 16,
            "qk_nope_head_dim": 8,
            "qk_rope_head_dim": 8,
            "v_head_dim": 8,
            "dim_model_base": 16,
        },
        expected={"scale": 0.5},
    ),
    "nemotron": Case("NemotronForCausalLM", "model.norm", "lm_head.weight", config=LLAMA),
    "olmo": Case("OlmoForCausalLM", "model.norm", "lm_head.weight", config=LLAMA),
    "phi": Case("PhiForCausalLM", "model.final_layernorm", "lm_head.weight", config=LLAMA),
    "gpt2": Case("GPT2LMHeadModel", "transformer.ln_f", "transformer.wte.weight", config=GPT2),
    "gptj": Case(
        "GPTJForCausalLM",
        "transformer.ln_f",
        "lm_head.weight",
        config=GPT2 | {"rotary_dim": 4},
    ),
    "gpt_neox": Case(
        "GPTNeoXForCausalLM",
        "gpt_neox.final_layer_norm",
        "embed_out.weight",
        config=PLAIN | {"intermediate_size": 48},
        expected=OWN,
    ),
    "opt": Case(
        "OPTForCausalLM",
        "model.decoder.final_layer_norm",
        "model.decoder.embed_tokens.weight",
        config=PLAIN | {"ffn_dim": 48, "word_embed_proj_dim": 32},
        expected=TIED,
    ),
    "bloom": Case(
        "BloomForCausalLM",
        "transformer.ln_f",
        "transformer.word_embeddings.weight",
        config={"hidden_size": 32, "n_layer": 2, "n_head": 4},
    ),
    "falcon": Case(
        "FalconForCausalLM",
        "transformer.ln_f",
        "transformer.word_embeddings.weight",
        config=PLAIN,
    ),
    "mpt": Case(
        "MptForCausalLM",
        "transformer.norm_f",
        "transformer.wte.weight",
        config={"d_model": 32, "n_layers": 2, "n_heads": 4},
    ),
    "biogpt": Case(
        "BioGptForCausalLM",
        "biogpt.layer_norm",
        "biogpt.embed_tokens.weight",
        config=BERT,
    ),
    "mamba": Case(
        "MambaForCausalLM",
        "backbone.norm_f",
        "backbone.embeddings.weight",
        config={"hidden_size": 32, "num_hidden_layers": 2, "state_size": 4},
        expected=TIED,
    ),
    "t5": Case(
        "T5ForConditionalGeneration",
        "decoder.final_layer_norm",
        "shared.weight",
        "unigram",
        T5,
        TIED | {"scale": 32**-0.5},
    ),
    "mt5": Case(
        "MT5ForConditionalGeneration",
        "decoder.final_layer_norm",
        "shared.weight",
        "unigram",
        T5,
        {"scale": 1.0},
    ),
    "bart": Case(
        "BartForConditionalGeneration", None, "model.shared.weight", config=SEQ2SEQ, expected=TIED
    ),
    "mbart": Case(
        "MBartForConditionalGeneration",
        "model.decoder.layer_norm",
        "model.shared.weight",
        config=SEQ2SEQ,
    ),
    "whisper": Case(
        "WhisperForConditionalGeneration",
        "model.decoder.layer_norm",
        "model.decoder.embed_tokens.weight",
        config=SEQ2SEQ | {"max_source_positions": 4, "num_mel_bins": 4},
        expected=TIED,
    ),
    "bert": Case(
        "BertForMaskedLM",
        "cls.predictions.transform.LayerNorm",
        "bert.embeddings.word_embeddings.weight",
        "wordpiece",
        BERT,
        TIED,
    ),
    "distilbert": Case(
        "DistilBertForMaskedLM",
        "vocab_layer_norm",
        "distilbert.embeddings.word_embeddings.weight",
        "wordpiece",
        {"dim": 32, "n_layers": 1, "n_heads": 4, "hidden_dim": 48},
        TIED,
    ),
    "roberta": Case(
        "RobertaForMaskedLM",
        "lm_head.layer_norm",
        "roberta.embeddings.word_embeddings.weight",
        config=BERT,
        expected=TIED,
    ),
    "modernbert": Case(
        "ModernBertForMaskedLM",
        "head.norm",
        "model.embeddings.tok_embeddings.weight",
        config=BERT | {"cls_token_id": 1, "sep_token_id": 2, "bos_token_id": 1, "eos_token_id": 2},
        expected=TIED,
    ),
}

# What a lens can be held to: causal language models.
CAUSAL = [
    *("llama", "qwen2", "mixtral", "gemma", "gemma2", "gemma3", "cohere", "granite", "nemotron"),
    *("olmo", "phi", "gpt2", "gptj", "gpt_neox", "opt", "bloom", "falcon", "mpt", "mamba"),
]


def save_model(case: Case, directory: Path, **saving: Any) -> None:
    """Save a model whose every vector is random, so that no bias and no weight is 0 or 1."""
    torch.manual_seed(0)
    kind = getattr(transformers, case.model)
    model = kind(kind.config_class(vocab_size=VOCABULARY, **case.config))
    with torch.no_grad():
        for vector in [*model.parameters(), *model.buffers()]:
            if vector.is_floating_point() and (vector.ndim == 1 or vector.shape[:1] == (1,)):
                vector.add_(torch.randn_like(vector) * 0.2)
        model.get_output_embeddings().weight.normal_()
    model.save_pretrained(directory, **saving)


def load_model(case: Case, directory: Path) -> Any:
    kind = getattr(transformers, case.model)
    return kind.from_pretrained(directory, local_files_only=True, dtype=torch.float32).eval()
