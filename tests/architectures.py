"""More tiny models: of how many architectures a head is known to be read as transformers has it."""

from .modelled import BERT, EMBEDDING, GPT2, LLAMA, OWN, PLAIN, SEQ2SEQ, T5, TIED, Case

_EXPERTS = LLAMA | {
    "num_experts": 4,
    "num_experts_per_tok": 2,
    "moe_intermediate_size": 16,
    "num_local_experts": 4,
    "shared_expert_intermediate_size": 16,
}
_MAMBA = {"hidden_size": 32, "num_hidden_layers": 2, "state_size": 4}
_HEAD, _SHARED, _STACK = "lm_head.weight", "model.shared.weight", "model.decoder.layer_norm"


def _own(model: str, norm: str = "model.norm", **expected: object) -> Case:
    """Give a model with a head of its own, of Llama's sizes."""
    return Case(model, norm, _HEAD, config=LLAMA, expected=OWN | expected)


def _tied(model: str, norm: str = "model.norm", **expected: object) -> Case:
    """Give one whose head is the embedding."""
    return Case(model, norm, EMBEDDING, config=LLAMA, expected=TIED | expected)


def _experts(model: str) -> Case:
    """Give a mixture of experts."""
    return Case(model, "model.norm", _HEAD, config=_EXPERTS, expected=OWN)


MORE = {
    "mistral": _own("MistralForCausalLM"),
    "ministral": _own("MinistralForCausalLM"),
    "qwen3": _own("Qwen3ForCausalLM"),
    "qwen2_moe": _experts("Qwen2MoeForCausalLM"),
    "qwen3_moe": _experts("Qwen3MoeForCausalLM"),
    "phi3": _own("Phi3ForCausalLM"),
    "stablelm": _own("StableLmForCausalLM"),
    "starcoder2": _tied("Starcoder2ForCausalLM"),
    "cohere2": _tied("Cohere2ForCausalLM", scale=0.0625),
    "granitemoe": Case(
        "GraniteMoeForCausalLM",
        "model.norm",
        _HEAD,
        config=_EXPERTS | {"logits_scaling": 4.0},
        expected=OWN | {"scale": 0.25},
    ),
    "olmo2": _own("Olmo2ForCausalLM"),
    "olmo3": _own("Olmo3ForCausalLM"),
    "olmoe": _experts("OlmoeForCausalLM"),
    "flex_olmo": _experts("FlexOlmoForCausalLM"),
    "glm": _own("GlmForCausalLM"),
    "glm4": _own("Glm4ForCausalLM"),
    "smollm3": _tied("SmolLM3ForCausalLM"),
    "ernie4_5": _tied("Ernie4_5ForCausalLM"),
    "exaone4": _own("Exaone4ForCausalLM"),
    "helium": _own("HeliumForCausalLM"),
    "persimmon": _own("PersimmonForCausalLM", "model.final_layernorm"),
    "arcee": _own("ArceeForCausalLM"),
    "bitnet": _own("BitNetForCausalLM"),
    "seed_oss": _own("SeedOssForCausalLM"),
    "hunyuan_v1_dense": _own("HunYuanDenseV1ForCausalLM"),
    "gpt_oss": _experts("GptOssForCausalLM"),
    "lfm2": _tied("Lfm2ForCausalLM", "model.embedding_norm"),
    "apertus": _own("ApertusForCausalLM"),
    "nanochat": _own("NanoChatForCausalLM", softcap=15.0),
    "vaultgemma": _tied("VaultGemmaForCausalLM", softcap=30.0),
    "diffllama": _own("DiffLlamaForCausalLM"),
    "jetmoe": Case("JetMoeForCausalLM", "model.norm", EMBEDDING, config=_EXPERTS, expected=TIED),
    "minimax": _experts("MiniMaxForCausalLM"),
    "falcon_h1": Case(
        "FalconH1ForCausalLM",
        "model.final_layernorm",
        _HEAD,
        config=LLAMA
        | {"lm_head_multiplier": 0.25, "mamba_d_ssm": 32, "mamba_n_heads": 4}
        | {"mamba_d_head": 8, "mamba_d_state": 4},
        expected=OWN | {"scale": 0.25},
    ),
    "mamba2": Case(
        "Mamba2ForCausalLM",
        "backbone.norm_f",
        _HEAD,
        config=_MAMBA | {"num_heads": 8, "head_dim": 8, "n_groups": 1},
        expected=OWN,
    ),
    "falcon_mamba": Case(
        "FalconMambaForCausalLM",
        "backbone.norm_f",
        "backbone.embeddings.weight",
        config=_MAMBA,
        expected=TIED,
    ),
    "rwkv": Case("RwkvForCausalLM", "rwkv.ln_out", "head.weight", config=PLAIN, expected=OWN),
    "codegen": Case(
        "CodeGenForCausalLM", "transformer.ln_f", _HEAD, config=GPT2 | {"rotary_dim": 4}
    ),
    "gpt_bigcode": Case(
        "GPTBigCodeForCausalLM", "transformer.ln_f", "transformer.wte.weight", config=GPT2
    ),
    "gpt_neo": Case(
        "GPTNeoForCausalLM",
        "transformer.ln_f",
        "transformer.wte.weight",
        config={"hidden_size": 32, "num_layers": 2, "num_heads": 4}
        | {"attention_types": [[["global", "local"], 1]]},
        expected=TIED,
    ),
    "openai-gpt": Case(
        "OpenAIGPTLMHeadModel", None, "transformer.tokens_embed.weight", config=GPT2, expected=TIED
    ),
    "ctrl": Case(
        "CTRLLMHeadModel",
        "transformer.layernorm",
        "transformer.w.weight",
        config=GPT2 | {"dff": 48},
        expected=TIED,
    ),
    "xlm": Case(
        "XLMWithLMHeadModel",
        None,
        "transformer.embeddings.weight",
        config={"emb_dim": 32, "n_layers": 2, "n_heads": 4},
        expected=TIED,
    ),
    "xglm": Case(
        "XGLMForCausalLM",
        "model.layer_norm",
        EMBEDDING,
        config={"d_model": 32, "num_layers": 2, "attention_heads": 4, "ffn_dim": 48},
        expected=TIED,
    ),
    "electra": Case(
        "ElectraForMaskedLM",
        "generator_predictions.LayerNorm",
        "electra.embeddings.word_embeddings.weight",
        config=BERT | {"embedding_size": 32},
        expected=TIED,
    ),
    "xlm-roberta": Case(
        "XLMRobertaForMaskedLM",
        "lm_head.layer_norm",
        "roberta.embeddings.word_embeddings.weight",
        config=BERT,
        expected=TIED,
    ),
    "albert": Case(
        "AlbertForMaskedLM",
        "predictions.LayerNorm",
        "albert.embeddings.word_embeddings.weight",
        config=BERT | {"embedding_size": 16},
        expected=TIED,
    ),
    "deberta-v2": Case(
        "DebertaV2ForMaskedLM",
        "cls.predictions.transform.LayerNorm",
        "deberta.embeddings.word_embeddings.weight",
        config=BERT,
        expected=TIED,
    ),
    "pegasus": Case("PegasusForConditionalGeneration", _STACK, _SHARED, config=SEQ2SEQ),
    "marian": Case("MarianMTModel", None, _SHARED, config=SEQ2SEQ, expected=TIED),
    "m2m_100": Case("M2M100ForConditionalGeneration", _STACK, _SHARED, config=SEQ2SEQ),
    "blenderbot": Case("BlenderbotForConditionalGeneration", _STACK, _SHARED, config=SEQ2SEQ),
    **{
        name: Case(
            model,
            "decoder.final_layer_norm",
            "shared.weight",
            config=T5 | {"num_experts": 2},
            expected=TIED | {"scale": 32**-0.5},
        )
        for name, model in {
            "umt5": "UMT5ForConditionalGeneration",
            "longt5": "LongT5ForConditionalGeneration",
            "switch_transformers": "SwitchTransformersForConditionalGeneration",
        }.items()
    },
}
BIASED = {
    *("albert", "bart", "bert", "blenderbot", "codegen", "ctrl", "deberta-v2", "distilbert"),
    *("electra", "gptj", "marian", "mbart", "modernbert", "pegasus", "phi", "roberta", "xlm"),
    "xlm-roberta",
}
