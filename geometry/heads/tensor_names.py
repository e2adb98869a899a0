"""Names of tensors in checkpoints: of heads, of embeddings, of the norms before them."""

from collections.abc import Collection, Iterable, Sequence

# Names end so, after any path of modules that is not one layer's or another tower's.
HEADS = (
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
HEADS_BY_SHAPE = (
    "output",
    "output_layer",
    "proj_out",
    "head",
    "decoder",
    "head.decoder",
    "mlm_score.decoder",
    "ff_out",
)
EMBEDDINGS = (
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
GAINS = {"weight": "bias", "gamma": "beta"}
_OTHER_TOWERS = ("audio", "code", "image", "mtp", "patcher", "speech", "talker", "token2wav", "vis")


def matches(names: Iterable[str], endings: Sequence[str], kind: str = "weight") -> list[str]:
    """Give names that end so, a decoder's first; those of layers and other towers are left out.

    Parameters
    ----------
    names : iterable of str
        The names of tensors.
    endings : sequence of str
        Of modules.
    kind : str
        What comes after the module.

    Returns
    -------
    list of str
        By `tower`; of one rank in the order in which they came.

    Examples
    --------
    >>> matches(["encoder.wte.weight", "h.0.wte.weight", "wte.weight", "wte.bias"], EMBEDDINGS)
    ['wte.weight', 'encoder.wte.weight']
    """
    tails = tuple(f".{ending}.{kind}" for ending in endings)
    found = [
        name
        for name in names
        if f".{name}".endswith(tails)
        and not any(
            module.isdigit() or module.startswith(_OTHER_TOWERS) for module in name.split(".")
        )
    ]
    return sorted(found, key=tower)


def tower(name: str) -> int:
    """Rank a decoder before what is shared before an encoder.

    Examples
    --------
    >>> [tower(f"{module}.weight") for module in ("decoder.wte", "shared", "encoder.wte")]
    [0, 1, 2]
    """
    modules = name.split(".")[:-2]
    if any(module.endswith("decoder") for module in modules):
        return 0
    return 2 if any(module.endswith("encoder") for module in modules) else 1


def norm_name(names: Collection[str], head: str) -> str | None:
    """Give the final norm's weight: the head's own, else that beside the embedding, else the one.

    Parameters
    ----------
    names : collection of str
        The names of the checkpoint's tensors.
    head : str
        The name of the head's rows.

    Returns
    -------
    str or None
        None where there is none, or several with nothing to tell them apart.

    Examples
    --------
    >>> norm_name(["wte.weight", "h.0.ln_f.weight", "ln_f.weight"], "wte.weight")
    'ln_f.weight'
    """
    known = set(names)
    of_head = [found for gain in GAINS for found in matches(known, _HEAD_NORMS, gain)]
    if of_head or _has_layers(head):
        return min(of_head, default=None)
    for embedding in dict.fromkeys([head, *matches(names, EMBEDDINGS)]):
        stack = embedding.split(".")[:-2]
        stack = stack[:-1] if stack[-1:] == ["embeddings"] else stack
        for place in ([*stack, "decoder"], [*stack, "text_decoder"], stack):
            for norm in _NORMS:
                weight = ".".join([*place, norm, "weight"])
                if weight in known:
                    return weight
    alone = [name for name in matches(known, _NORMS) if ".embeddings." not in f".{name}"]
    return alone[0] if len(alone) == 1 else None


def _has_layers(head: str) -> bool:
    """Tell whether a head is the last layer of a module of several, as in masked models."""
    return head.endswith(".decoder.weight")
