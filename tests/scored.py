"""A tiny head on which something can be measured: emoji with names, words with plurals.

Imported relatively, like `helpers`.
"""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer, decoders, models, normalizers
from unembed.geometry.concepts.pairs import built_in

WIDTH = 16
# Their English names are "horse face", "horse", "dog face", "dog", "hot dog", "fish", "pizza", …
EMOJI = ["🐴", "🐎", "🐶", "🐕", "🌭", "🐟", "🍕", "🐱", "🐈", "🐯", "🐅", "🚢"]
NAMED = ["horse", "face", "dog", "hot", "fish", "pizza", "cat", "tiger", "ship"]
PLURALS = built_in()["plural"].pairs[:12]
HOSTILE = "<script>alert(1)</script>"


def tokenizer_of(texts: Sequence[str]) -> Tokenizer:
    """Make a tokenizer with a space mark and byte fallback that has texts as tokens."""
    tokens = ["<unk>", *(f"<0x{byte:02X}>" for byte in range(256))]
    tokens += [text.replace(" ", "▁") for text in texts]
    vocab = {token: id_ for id_, token in enumerate(tokens)}
    tokenizer = Tokenizer(models.BPE(vocab=vocab, merges=[], unk_token="<unk>", byte_fallback=True))  # noqa: S106
    tokenizer.normalizer = normalizers.Replace(" ", "▁")
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()]
    )
    tokenizer.add_special_tokens(["<unk>"])
    return tokenizer


def write_head(
    directory: Path,
    *,
    emoji: Sequence[str] = EMOJI,
    words: bool = True,
    others: Sequence[str] = (HOSTILE,),
) -> Path:
    """Write a checkpoint in which plurals and emoji stand near where their words lead."""
    spoken = sorted({*NAMED, *(text for pair in PLURALS for text in (pair.base, pair.target))})
    texts = [*emoji, *others, " ", *([f" {word}" for word in spoken] if words else ["7", "8"])]
    tokenizer = tokenizer_of(texts)
    random = np.random.default_rng(0)
    rows_VD = random.standard_normal((tokenizer.get_vocab_size(), WIDTH))
    ids = {text: tokenizer.token_to_id(text.replace(" ", "▁")) for text in texts}
    if words:
        plural_D, emoji_D, mark_D = random.standard_normal((3, WIDTH)) * 2
        for pair in PLURALS:
            noise_D = 0.4 * random.standard_normal(WIDTH)
            rows_VD[ids[f" {pair.target}"]] = rows_VD[ids[f" {pair.base}"]] + plural_D + noise_D
        for text, names in zip(EMOJI, _WORDS_OF, strict=True):
            if text in ids:
                named_D = sum(rows_VD[ids[f" {name}"]] for name in names)
                noise_D = 0.4 * random.standard_normal(WIDTH)
                rows_VD[ids[text]] = named_D + emoji_D + noise_D + mark_D * (len(names) > 1)
    directory.mkdir()
    rows = torch.from_numpy(rows_VD.astype(np.float32))
    save_file({"model.embed_tokens.weight": rows}, directory / "model.safetensors")
    (directory / "config.json").write_text(json.dumps({"tie_word_embeddings": True}))
    tokenizer.save(str(directory / "tokenizer.json"))
    return directory


_WORDS_OF: list[list[str]] = [
    ["horse", "face"],
    ["horse"],
    ["dog", "face"],
    ["dog"],
    ["hot", "dog"],
    ["fish"],
    ["pizza"],
    ["cat", "face"],
    ["cat"],
    ["tiger", "face"],
    ["tiger"],
    ["ship"],
]
