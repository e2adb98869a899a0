"""A tiny head with enough named emoji to calibrate on, for the tests of the audit.

Imported relatively, like `helpers`.
"""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import emoji
import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from .scored import tokenizer_of

WIDTH = 24
PADDING = 3
# No emoji stands for them, but for 🐄 and the last one.
WORDS = ["king", "queen", "sea", "of", "and", "cow", "unicorns"]
LETTERS = "abcdefghijklmnopqrstuvwxyz"


@cache
def named(count: int = 64) -> Mapping[str, str]:
    """Emoji whose English name is one word, and that word: the first of the library."""
    whole = emoji.STATUS["fully_qualified"]
    found: dict[str, str] = {}
    for text, data in emoji.EMOJI_DATA.items():
        name = data["en"].strip(":")
        plain = data["status"] == whole and name.isascii() and name.isalpha() and name.islower()
        if plain and name not in found.values() and len(found) < count:
            found[text] = name
    return found


def write_named(
    directory: Path,
    *,
    count: int = 64,
    tensors: Mapping[str, torch.Tensor] | None = None,
    config: Mapping[str, Any] | None = None,
    zero: str | None = None,
    scale: float = 1.0,
) -> Path:
    """Write a checkpoint in which emoji stand where a map takes their names; some rows are padding.

    Other words are spelled by letters. The row of one token may be zero, and all of them longer.
    """
    emojis = named(count)
    words = dict.fromkeys([*WORDS, *emojis.values()])
    tokenizer = tokenizer_of([*emojis, " ", *(f" {word}" for word in words), *LETTERS])
    random = np.random.default_rng(1)
    rows_VD = random.standard_normal((tokenizer.get_vocab_size() + PADDING, WIDTH))
    turned_DD = np.linalg.qr(random.standard_normal((WIDTH, WIDTH)))[0]
    away_D = 2 * random.standard_normal(WIDTH)
    for text, name in emojis.items():
        of_name_D = rows_VD[tokenizer.token_to_id(f"▁{name}")]
        noise_D = 0.3 * random.standard_normal(WIDTH)
        rows_VD[tokenizer.token_to_id(text)] = of_name_D @ turned_DD + away_D + noise_D
    if zero is not None:
        rows_VD[tokenizer.token_to_id(zero)] = 0.0
    directory.mkdir()
    rows = torch.from_numpy((scale * rows_VD).astype(np.float32))
    all_tensors = {"model.embed_tokens.weight": rows} | dict(tensors or {})
    save_file(all_tensors, directory / "model.safetensors")
    written = {"tie_word_embeddings": True} | dict(config or {})
    (directory / "config.json").write_text(json.dumps(written))
    tokenizer.save(str(directory / "tokenizer.json"))
    return directory


@contextmanager
def cache_in(directory: Path) -> Iterator[None]:
    """Keep what is derived from a head in a directory: for heads that several tests share."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("XDG_CACHE_HOME", str(directory / "cache"))
        yield
