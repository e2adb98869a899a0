"""What config.json says of a head, in good faith and in bad."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from unembed.errors import CheckpointError
from unembed.geometry.heads.architecture import Architecture
from unembed.geometry.heads.final_norm import FinalNorm

PATH = Path("config.json")


def of(**config: Any) -> Architecture:
    return Architecture.of(config, PATH)


def test_an_empty_configuration_gives_defaults() -> None:
    assert of() == Architecture(
        name=None,
        tied=None,
        widths=(),
        vocabulary=None,
        scale=1.0,
        softcap=None,
        kind=None,
        gain_offset=0.0,
        weightless=False,
        rms_epsilon=1e-6,
        layer_epsilon=1e-5,
    )


@pytest.mark.parametrize(
    ("config", "scale"),
    [
        ({"model_type": "cohere", "logit_scale": 0.5}, 0.5),
        ({"model_type": "cohere"}, 0.0625),
        ({"model_type": "llama", "logit_scale": 0.5}, 1.0),
        ({"model_type": "granite", "logits_scaling": 8}, 0.125),
        ({"model_type": "hyperclovax", "logits_scaling": 8}, 8.0),
        ({"model_type": "falcon_h1", "lm_head_multiplier": 0.25}, 0.25),
        ({"model_type": "minicpm", "dim_model_base": 256, "hidden_size": 2304}, 256 / 2304),
        ({"model_type": "minicpm", "hidden_size": 2304}, 1.0),
        ({"model_type": "minicpm3", "hidden_size": 512}, 0.5),
        ({"model_type": "t5", "d_model": 64}, 0.125),
        ({"model_type": "t5", "d_model": 64, "tie_word_embeddings": False}, 1.0),
        ({"model_type": "t5", "d_model": 64, "scale_decoder_outputs": False}, 1.0),
        (
            {"model_type": "t5", "d_model": 64, "tie_word_embeddings": False}
            | {"scale_decoder_outputs": True},
            0.125,
        ),
        ({"model_type": "mt5", "d_model": 64}, 1.0),
        ({"model_type": "aya_vision", "text_config": {"model_type": "cohere2"}}, 0.0625),
    ],
)
def test_the_scale_is_the_models_own(config: dict[str, Any], scale: float) -> None:
    assert of(**config).scale == scale


@pytest.mark.parametrize(
    ("config", "softcap"),
    [
        ({"final_logit_softcapping": 30}, 30.0),
        ({"model_type": "gemma2"}, 30.0),
        ({"model_type": "gemma2", "final_logit_softcapping": None}, None),
        ({"model_type": "gemma3_text"}, None),
        ({"model_type": "recurrent_gemma", "logits_soft_cap": 20.0}, 20.0),
        ({"model_type": "paligemma", "text_config": {"model_type": "gemma2"}}, 30.0),
        ({"text_config": {"final_logit_softcapping": 5.0}}, 5.0),
    ],
)
def test_the_softcap_is_the_models_own(config: dict[str, Any], softcap: float | None) -> None:
    assert of(**config).softcap == softcap


@pytest.mark.parametrize(
    ("model", "offset"),
    [
        ("gemma", 1.0),
        ("gemma3_text", 1.0),
        ("qwen3_next", 1.0),
        ("nemotron", 1.0),
        ("gemma3n_text", 0.0),
        ("gemma4_text", 0.0),
        ("llama", 0.0),
        ("qwen3", 0.0),
    ],
)
def test_gemmas_gain_counts_from_one(model: str, offset: float) -> None:
    assert of(model_type=model).gain_offset == offset
    assert of(model_type="outer", text_config={"model_type": model}).gain_offset == offset


def test_the_section_of_the_text_is_heard_first() -> None:
    architecture = of(
        architectures=["Gemma3ForConditionalGeneration"],
        hidden_size=1,
        vocab_size=10,
        text_config={"hidden_size": 64, "rms_norm_eps": 1e-3, "tie_word_embeddings": True},
        vision_config={"hidden_size": 7},
    )
    assert architecture.widths == (64,)
    assert architecture.vocabulary == 10
    assert architecture.epsilon("rms") == 1e-3
    assert architecture.tied is True
    assert architecture.name == "Gemma3ForConditionalGeneration"


def test_an_epsilon_is_of_its_kind() -> None:
    both = of(rms_norm_eps=1e-3, layer_norm_eps=1e-4)
    assert (both.epsilon("rms"), both.epsilon("layer")) == (1e-3, 1e-4)
    assert of(layer_norm_epsilon=0).epsilon("layer") == 0.0
    assert of(model_type="distilbert", layer_norm_eps=1.0).epsilon("layer") == 1e-12


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"hidden_size": 0}, "hidden_size is 0; a whole number of at least 1"),
        ({"hidden_size": "640"}, "hidden_size is '640'"),
        ({"hidden_size": True}, "hidden_size is True"),
        ({"vocab_size": -5}, "vocab_size is -5"),
        ({"vocab_size": 2.0}, r"vocab_size is 2\.0"),
        ({"tie_word_embeddings": "yes"}, "tie_word_embeddings is 'yes'; true or false"),
        ({"tie_word_embeddings": 1}, "tie_word_embeddings is 1"),
        ({"architectures": "Llama"}, "architectures is 'Llama'; a list of class names"),
        ({"architectures": [1]}, r"architectures is \[1\]"),
        (
            {"final_logit_softcapping": 0},
            "final_logit_softcapping is 0; a number from 1e-30 to 1e\\+30",
        ),
        ({"final_logit_softcapping": float("inf")}, "is inf; a number from"),
        ({"final_logit_softcapping": float("nan")}, "is nan; a number from"),
        ({"final_logit_softcapping": 10**400}, r"is 10{99}…; a number from"),
        ({"model_type": "cohere", "logit_scale": "a\x1b[31m"}, r"logit_scale is 'a\\x1b\[31m'"),
        ({"model_type": "granite", "logits_scaling": 0}, "logits_scaling is 0"),
        ({"model_type": "granite", "logits_scaling": 5e-324}, "logits_scaling is 5e-324"),
        ({"model_type": "t5", "scale_decoder_outputs": 1}, "scale_decoder_outputs is 1"),
        ({"model_type": "t5", "d_model": -1}, "d_model is -1"),
        ({"rms_norm_eps": -1e-6}, "rms_norm_eps is -1e-06"),
        ({"text_config": {"rms_norm_eps": True}}, "rms_norm_eps is True"),
        ({"text_config": {"text_config": {"hidden_size": []}}}, r"hidden_size is \[\]"),
    ],
)
def test_what_cannot_be_is_refused_by_name(config: dict[str, Any], message: str) -> None:
    with pytest.raises(CheckpointError, match=rf"^config\.json: .*{message}"):
        of(**config)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
KEYS = [
    "architectures",
    "d_model",
    "decoder",
    "dim_model_base",
    "final_logit_softcapping",
    "hidden_size",
    "logit_scale",
    "logits_scaling",
    "rms_norm_eps",
    "scale_decoder_outputs",
    "text_config",
    "tie_word_embeddings",
    "vocab_size",
]
TYPES = ["cohere", "gemma2", "granite", "minicpm", "olmo", "t5"]


@given(st.dictionaries(st.sampled_from(KEYS), JSON), JSON | st.sampled_from(TYPES))
def test_any_json_is_read_or_refused(config: dict[str, Any], model: Any) -> None:
    try:
        architecture = Architecture.of(config | {"model_type": model}, PATH)
    except CheckpointError:
        return
    assert 0 < architecture.scale < np.inf
    assert architecture.softcap is None or 0 < architecture.softcap < np.inf
    assert all(0 <= architecture.epsilon(kind) < np.inf for kind in ("rms", "layer"))


@pytest.mark.parametrize("shape", [(8,), (3, 8), (2, 3, 8)])
def test_final_norms_follow_their_papers(shape: tuple[int, ...]) -> None:
    import torch

    rng = np.random.default_rng(0)
    residuals, weight_D, bias_D = rng.standard_normal(shape), *rng.standard_normal((2, 8))
    given_, weight, bias = map(torch.from_numpy, (residuals, weight_D, bias_D))
    np.testing.assert_allclose(
        FinalNorm("layer", weight_D, bias_D, 0.1)(residuals),
        torch.nn.functional.layer_norm(given_, (8,), weight, bias, 0.1).numpy(),
        rtol=1e-12,
    )
    np.testing.assert_allclose(
        FinalNorm("rms", weight_D, None, 0.1)(residuals),
        torch.nn.functional.rms_norm(given_, (8,), weight, 0.1).numpy(),
        rtol=1e-12,
    )
