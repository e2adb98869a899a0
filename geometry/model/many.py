"""Many prompts at once: what a model holds at the end of each, when all begin alike."""

import copy
import inspect
import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ...errors import UsageError
from ...indexes.progress import Progress, step_of
from .language_model import LanguageModel

if TYPE_CHECKING:
    import torch

# N prompts, B of them in a batch, T tokens; L layers; D the width.

_TOGETHER = 32
_LONGEST = 512  # tokens of what is different


def after_each(
    model: LanguageModel,
    beginning: Sequence[int],
    endings: Sequence[Sequence[int]],
    *,
    layers: Sequence[int],
    progress: Progress | None = None,
) -> NDArray[np.float32]:
    """Give what layers hold at the last token of prompts that begin alike.

    The beginning is read once: its keys and values serve all (where the model keeps any). Shorter
    prompts of a batch are filled up on their right, where a causal model does not look.

    Parameters
    ----------
    model : LanguageModel
        Which.
    beginning : sequence of int
        The tokens that all have first; at least one.
    endings : sequence of sequence of int
        The other tokens of each; 1 to 512.
    layers : sequence of int
        Which are wanted: 0 is what leaves the embedding.
    progress : callable, optional
        Is told ``(step, done, total)``.

    Returns
    -------
    ndarray of float32
        Shape (N, L, D), of the layers in the order given.

    Raises
    ------
    UsageError
        An ending has no token, or too many.

    Examples
    --------
    >>> import unembed
    >>> from unembed.geometry.model.language_model import model_of
    >>> model = model_of(unembed.open_head("demo"))
    >>> after_each(model, [2], [[5442], [5442, 5455]], layers=[0, 13]).shape
    (2, 2, 640)
    """
    import torch

    for place, ending in enumerate(endings):
        if not 0 < len(ending) <= _LONGEST:
            raise UsageError(
                f"the prompt {place} ends with {len(ending)} tokens of its own; it must be 1 to "
                f"{_LONGEST}"
            )
    told = step_of(progress, "running the model")
    lengths_N = np.array([len(ending) for ending in endings])
    order_N = np.argsort(lengths_N, kind="stable")  # those of a batch are about as long
    found_NLD: NDArray[np.float32] | None = None
    with torch.inference_mode(), warnings.catch_warnings():
        cache = _cache_of(model, beginning)
        for start in range(0, len(endings), _TOGETHER):
            part_B = order_N[start : start + _TOGETHER]
            batch = [endings[place] for place in part_B.tolist()]
            held_BLD = _held(model, beginning, cache, batch, layers)
            if found_NLD is None:
                found_NLD = np.empty((len(endings), *held_BLD.shape[1:]), dtype=np.float32)
            found_NLD[part_B] = held_BLD
            told(start + len(part_B), len(endings))
    if found_NLD is None:
        return np.empty((0, len(layers), 0), dtype=np.float32)
    return found_NLD


def _cache_of(model: LanguageModel, beginning: Sequence[int]) -> Any:
    """Read the beginning once; None for a model without keys and values that can be copied."""
    import torch
    from transformers import DynamicCache
    from transformers.cache_utils import DynamicLayer

    ids = torch.tensor([list(beginning)], device=model.model.device)
    held = model.model.base_model(ids, use_cache=True)
    cache = next((held[name] for name in ("cache", "past_key_values") if name in held), None)
    copied = isinstance(cache, DynamicCache) and all(
        isinstance(layer, DynamicLayer) for layer in cache.layers
    )
    return cache if copied else None


def _held(
    model: LanguageModel,
    beginning: Sequence[int],
    cache: Any,
    endings: Sequence[Sequence[int]],
    layers: Sequence[int],
) -> NDArray[np.float32]:
    """Run one batch; give what the layers hold at its last tokens, shape (B, L, D)."""
    import torch

    base = model.model.base_model
    given: dict[str, Any] = {"use_cache": False}
    if cache is not None:
        own = copy.deepcopy(cache)
        own.batch_repeat_interleave(len(endings))
        named = "cache" if "cache" in inspect.signature(base.forward).parameters else None
        given = {named or "past_key_values": own, "use_cache": True}
    read = [[*([] if cache is not None else beginning), *ending] for ending in endings]
    longest = max(map(len, read))
    ids_BT = torch.tensor([[*ids, *([0] * (longest - len(ids)))] for ids in read])
    rows_B, last_B = torch.arange(len(read)), torch.tensor([len(ids) - 1 for ids in read])
    held: dict[int, Any] = {}

    def keep(layer: int, hidden_BTD: "torch.Tensor") -> None:
        if layer in layers:
            held[layer] = hidden_BTD[rows_B, last_B].float().cpu().numpy().copy()

    with model.watched(keep):
        base(ids_BT.to(model.model.device), **given)
    return np.stack([held[layer] for layer in layers], axis=1)
