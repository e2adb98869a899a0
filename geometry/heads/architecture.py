"""What ``config.json`` says of a head: whether it is tied, and what is done around its rows."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from ...errors import CheckpointError

# What transformers does around the rows, by `model_type`. Each value can be checked against the
# model's own code; tests do so on tiny random models.

# The section of a composite model that describes the part with the head, the first that is there.
_SECTIONS = ("thinker_config", "text_config", "language_config", "llm_config", "decoder")
_WIDTHS = (
    "hidden_size",
    "d_model",
    "n_embd",
    "dim",
    "emb_dim",
    "embedding_size",
    "output_embedding_size",
    "word_embed_proj_dim",
)
_VOCABULARIES = ("decoder_vocab_size", "vocab_size")

# Logits are multiplied by the value of a key; the default is the model's own.
_MULTIPLIED = {
    "cohere": ("logit_scale", 0.0625),
    "cohere2": ("logit_scale", 0.0625),
    "cohere2_moe": ("logit_scale", 1.0),
    "cohere_compass": ("logit_scale", 1.0),
    "cohere_compass_text": ("logit_scale", 1.0),
    "falcon_h1": ("lm_head_multiplier", 1.0),
    "gguf": ("logit_scale", 1.0),  # a head of a GGUF file, made into a checkpoint
    "hyperclovax": ("logits_scaling", 1.0),
    "muse_glimmer_text": ("output_multiplier", 1.0),
    "muse_spark_text": ("output_multiplier", 1.0),
}
# They are divided by it.
_DIVIDED = {
    "granite": ("logits_scaling", 1.0),
    "granite_swa": ("logits_scaling", 1.0),
    "granitemoe": ("logits_scaling", 1.0),
    "granitemoe_swa": ("logits_scaling", 1.0),
    "granitemoehybrid": ("logits_scaling", 1.0),
    "granitemoeshared": ("logits_scaling", 1.0),
    "inkling_mm_model": ("logits_mup_width_multiplier", 1.0),
    "inkling_text": ("logits_mup_width_multiplier", 1.0),
}
# A tied head takes its vectors divided by √D (Raffel et al. 2020, as Mesh TensorFlow has it).
_ROOT_SCALED = {"longt5", "pop2piano", "switch_transformers", "t5", "udop", "umt5"}
# Yang et al. 2022: the vectors are multiplied by the base width over the width.
_BASE_WIDTH = {"minicpm", "minicpm3"}

_SOFTCAPS = ("final_logit_softcapping", "logits_soft_cap", "output_logit_soft_cap")
_SOFTCAP_DEFAULTS = {
    "gemma2": 30.0,
    "gemma3n": 30.0,
    "gemma3n_text": 30.0,
    "nanochat": 15.0,
    "recurrent_gemma": 30.0,
    "vaultgemma": 30.0,
    "xlstm": 30.0,
}

# Their checkpoints hold the norm's weight minus 1.
_GAIN_FROM_ONE = {
    "gemma",
    "gemma2",
    "gemma3",
    "gemma3_text",
    "minimax_m3_vl",
    "minimax_m3_vl_text",
    "nemotron",
    "paligemma",
    "qwen3_5",
    "qwen3_5_moe",
    "qwen3_5_moe_text",
    "qwen3_5_text",
    "qwen3_next",
    "qwen4_exp",
    "qwen4_exp_text",
    "recurrent_gemma",
    "shieldgemma2",
    "step3p7",
    "t5_gemma_module",
    "t5gemma",
    "t5gemma2",
    "t5gemma2_decoder",
    "vaultgemma",
}
# A norm with a bias centres its vectors; these centre them without one.
_CENTRED = {
    "cohere",
    "cohere2",
    "cohere2_moe",
    "cohere_compass",
    "cohere_compass_text",
    "dbrx",
    "modernbert",
    "modernbert-decoder",
    "moonshine",
    "moonshine_streaming",
    "mpt",
    "olmo",
}
# Their norm has no weight either.
_WEIGHTLESS = {"nanochat", "olmo"}
_EPSILONS: Mapping[str, tuple[str, ...]] = {
    "rms": ("rms_norm_eps", "layer_norm_epsilon", "layer_norm_eps", "norm_eps", "norm_epsilon"),
    "layer": ("layer_norm_eps", "layer_norm_epsilon", "norm_eps", "norm_epsilon", "rms_norm_eps"),
}
_SMALLEST, _LARGEST = 1e-30, 1e30
_EPSILON_DEFAULTS = {"rms": 1e-6, "layer": 1e-5}
# What the model's code says, whatever its configuration holds.
_EPSILONS_FIXED = {"biogpt": 1e-5, "distilbert": 1e-12, "olmo": 1e-5}


@dataclass(frozen=True)
class Architecture:
    """What a configuration says of the head.

    Attributes
    ----------
    name : str or None
        The model's class, as ``architectures`` names it.
    tied : bool or None
        Whether the head is the input embedding; None where the configuration does not say.
    widths : tuple of int
        The widths that a head can have; none where the configuration does not say.
    vocabulary : int or None
        How many tokens the model has; the head has as many rows or more.
    scale : float
        What logits are multiplied by.
    softcap : float or None
        c of c · tanh(x / c) on the logits.
    kind : {"rms", "layer"} or None
        The final norm's kind; None where its tensors tell.
    gain_offset : float
        What is added to the norm's weight as the checkpoint holds it.
    weightless : bool
        Whether the final norm has no weight at all.
    rms_epsilon, layer_epsilon : float
        The norm's epsilon, if it is of that kind.

    Examples
    --------
    >>> gemma = Architecture.of({"model_type": "gemma2", "hidden_size": 2304}, Path("config.json"))
    >>> gemma.widths, gemma.softcap, gemma.gain_offset
    ((2304,), 30.0, 1.0)
    """

    name: str | None
    tied: bool | None
    widths: tuple[int, ...]
    vocabulary: int | None
    scale: float
    softcap: float | None
    kind: Literal["rms", "layer"] | None
    gain_offset: float
    weightless: bool
    rms_epsilon: float
    layer_epsilon: float

    @classmethod
    def of(cls, config: Mapping[str, Any], path: Path) -> "Architecture":
        """Read a configuration; one that says nothing gives the defaults of most models.

        Parameters
        ----------
        config : mapping
            The content of ``config.json``.
        path : Path
            Its name, for errors.

        Raises
        ------
        CheckpointError
            A value is not of its type or not in its range.
        """
        reading = _Reading(config, path)
        types = reading.types
        centred = any(kind in _CENTRED for kind in types)
        weightless = any(kind in _WEIGHTLESS for kind in types)
        return cls(
            name=reading.name(),
            tied=reading.tied(),
            widths=tuple(width for key in _WIDTHS if (width := reading.count(key)) is not None),
            vocabulary=next(
                (size for key in _VOCABULARIES if (size := reading.count(key)) is not None), None
            ),
            scale=_scale(reading),
            softcap=_softcap(reading),
            kind="layer" if centred else "rms" if weightless else None,
            gain_offset=1.0 if any(kind in _GAIN_FROM_ONE for kind in types) else 0.0,
            weightless=weightless,
            rms_epsilon=_epsilon(reading, "rms"),
            layer_epsilon=_epsilon(reading, "layer"),
        )

    def epsilon(self, kind: str) -> float:
        """Give the epsilon of a norm of this kind."""
        return self.rms_epsilon if kind == "rms" else self.layer_epsilon


class _Reading:
    """Values of a configuration, checked; the innermost section that has a key is heard."""

    def __init__(self, config: Mapping[str, Any], path: Path) -> None:
        self._path = path
        self._sections: Sequence[Mapping[str, Any]] = [config]
        while inner := next(
            (self._sections[0][key] for key in _SECTIONS if _is_section(self._sections[0], key)),
            None,
        ):
            self._sections = [inner, *self._sections]
        found = [section.get("model_type") for section in self._sections]
        self.types = [kind for kind in found if isinstance(kind, str)]

    def value(self, key: str) -> Any:
        """Give a value that is not null, or None."""
        found = (section.get(key) for section in self._sections)
        return next((value for value in found if value is not None), None)

    def names(self, key: str) -> bool:
        """Tell whether a section has a key, be it null."""
        return any(key in section for section in self._sections)

    def name(self) -> str | None:
        """Give the model's class."""
        names = self._sections[-1].get("architectures")
        if names is None or names == []:
            return None
        if not isinstance(names, list) or not isinstance(names[0], str):
            raise self.error("architectures", names, "a list of class names")
        return names[0]

    def tied(self) -> bool | None:
        """Tell whether any section ties the head."""
        found = [section.get("tie_word_embeddings") for section in self._sections]
        said = [value for value in found if value is not None]
        for value in said:
            if not isinstance(value, bool):
                raise self.error("tie_word_embeddings", value, "true or false")
        return any(said) if said else None

    def count(self, key: str) -> int | None:
        """Give a count of at least 1."""
        value = self.value(key)
        if value is not None and (type(value) is not int or value < 1):
            raise self.error(key, value, "a whole number of at least 1")
        return value

    def number(self, key: str, default: float, *, zero: bool = False) -> float:
        """Give a number of a size that can be reckoned with; 0 too where `zero` says so."""
        value = self.value(key)
        if value is None:
            return default
        in_range = type(value) in {int, float} and _SMALLEST <= value <= _LARGEST
        if not in_range and not (zero and value == 0 and not isinstance(value, bool)):
            raise self.error(key, value, f"a number from {_SMALLEST:g} to {_LARGEST:g}")
        return float(value)

    def error(self, key: str, value: object, expected: str) -> CheckpointError:
        """Name a key and the value that it must not have."""
        shown = repr(value)
        shown = shown if len(shown) <= 100 else f"{shown[:100]}…"
        return CheckpointError(f"{self._path}: {key} is {shown}; {expected} is expected")


def _is_section(config: Mapping[str, Any], key: str) -> bool:
    """Tell whether a key of a configuration holds a section."""
    return isinstance(config.get(key), dict) and bool(config[key])


def _scale(reading: _Reading) -> float:
    """Give what the logits are multiplied by."""
    for kind in reading.types:
        if kind in _MULTIPLIED:
            return reading.number(*_MULTIPLIED[kind])
        if kind in _DIVIDED:
            return 1 / reading.number(*_DIVIDED[kind])
        if kind in _BASE_WIDTH:
            width = reading.number("hidden_size", 1.0)
            default = 256.0 if kind == "minicpm3" else width
            return reading.number("dim_model_base", default) / width
        if kind in _ROOT_SCALED and _is_root_scaled(reading):
            return float(reading.number("d_model", 1.0) ** -0.5)
    return 1.0


def _is_root_scaled(reading: _Reading) -> bool:
    """Tell whether a model of T5's family scales: as it says, or where it is not untied."""
    said = reading.value("scale_decoder_outputs")
    if said is not None and not isinstance(said, bool):
        raise reading.error("scale_decoder_outputs", said, "true or false")
    return said if said is not None else reading.tied() is not False


def _softcap(reading: _Reading) -> float | None:
    """Give the bound of the logits; a configuration that says null has none."""
    for key in _SOFTCAPS:
        if reading.value(key) is not None:
            return reading.number(key, math.inf)
        if reading.names(key):
            return None
    return next(
        (_SOFTCAP_DEFAULTS[kind] for kind in reading.types if kind in _SOFTCAP_DEFAULTS), None
    )


def _epsilon(reading: _Reading, kind: str) -> float:
    """Give the epsilon of a final norm of this kind."""
    for model in reading.types:
        if model in _EPSILONS_FIXED:
            return _EPSILONS_FIXED[model]
    for key in _EPSILONS[kind]:
        if reading.value(key) is not None:
            return reading.number(key, 0.0, zero=True)
    return _EPSILON_DEFAULTS[kind]
