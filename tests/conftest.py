"""Tiny heads of three tokenizer families, made in memory; caches of their own."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers
from unembed.geometry.heads.vocabulary import byte_alphabet
from unembed.indexes.store import cache_directory

WORDS = ["king", "man", "woman", "queen", "sea", "horse", "fish", "dog", "cat", "pizza"]
EMOJI = ["🐴", "🐟", "🐶", "❤️", "👩‍🚀"]
HOSTILE = ["<script>alert(1)</script>", "[bold red]", "\x1b[31m", "\u202e"]
WIDTH = 16


@pytest.fixture(autouse=True)
def _own_cache(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Give each test a cache of its own; those on the real heads share the user's."""
    monkeypatch.setenv("COLUMNS", "100")
    if "real" not in request.keywords:
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
        assert cache_directory().is_relative_to(tmp_path)


def byte_level() -> Tokenizer:
    """Byte-level BPE: every byte, then each word and emoji as one merge chain."""
    letters = {byte: char for char, byte in byte_alphabet().items()}
    texts = [*(f" {word}" for word in WORDS), *EMOJI[:3]]
    vocab, merges = {char: id_ for id_, char in enumerate(letters.values())}, []
    for text in texts:
        spelled = [letters[byte] for byte in text.encode()]
        left = spelled[0]
        for right in spelled[1:]:
            if left + right not in vocab:
                merges.append((left, right))
                vocab[left + right] = len(vocab)
            left += right
    tokenizer = Tokenizer(models.BPE(vocab=vocab, merges=merges))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken("<|endoftext|>")])
    tokenizer.add_tokens([AddedToken("café")])
    return tokenizer


def sentencepiece() -> Tokenizer:
    """Unigram-like BPE with a space mark and byte fallback, as Gemma and Llama have it."""
    tokens = ["<unk>", "<bos>", *(f"<0x{byte:02X}>" for byte in range(256)), "▁", "a", "b"]
    tokens += [*(f"▁{word}" for word in WORDS), "horse", *EMOJI, "▁🐴", *HOSTILE]
    vocab = {token: id_ for id_, token in enumerate(tokens)}
    tokenizer = Tokenizer(models.BPE(vocab=vocab, merges=[], unk_token="<unk>", byte_fallback=True))  # noqa: S106
    tokenizer.normalizer = normalizers.Replace(" ", "▁")
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()]
    )
    tokenizer.add_special_tokens(["<unk>", "<bos>"])
    return tokenizer


def unigram() -> Tokenizer:
    """Unigram with a Metaspace decoder, as T5 has it."""
    pieces = [("<unk>", 0.0), *((f"▁{word}", -1.0) for word in WORDS), ("🐴", -2.0), ("ing", -3.0)]
    tokenizer = Tokenizer(models.Unigram(pieces, unk_id=0))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Metaspace()
    return tokenizer


def wordpiece() -> Tokenizer:
    """WordPiece, as BERT has it."""
    tokens = ["[UNK]", "[CLS]", *WORDS, "##s", "##ing", "🐴"]
    vocab = {token: id_ for id_, token in enumerate(tokens)}
    tokenizer = Tokenizer(models.WordPiece(vocab=vocab, unk_token="[UNK]"))  # noqa: S106
    tokenizer.decoder = decoders.WordPiece()
    tokenizer.add_special_tokens(["[UNK]", "[CLS]"])
    return tokenizer


FAMILIES = {
    "byte_level": byte_level,
    "sentencepiece": sentencepiece,
    "unigram": unigram,
    "wordpiece": wordpiece,
}
TORCH_TYPES = {"BF16": torch.bfloat16, "F16": torch.float16, "F32": torch.float32}


def tiny_rows(tokenizer: Tokenizer, padding: int) -> torch.Tensor:
    """Random rows, with queen = king - man + woman planted."""
    count = tokenizer.get_vocab_size() + padding
    rows = torch.from_numpy(np.random.default_rng(0).standard_normal((count, WIDTH)))
    ids = {
        word: next(
            id_
            for form in (f"▁{word}", f"Ġ{word}", word)
            if (id_ := tokenizer.token_to_id(form)) is not None
        )
        for word in ("king", "man", "woman", "queen")
    }
    rows[ids["queen"]] = rows[ids["king"]] - rows[ids["man"]] + rows[ids["woman"]]
    return rows


Make = Callable[..., Path]


@pytest.fixture
def make_checkpoint(tmp_path: Path) -> Make:
    """Give a function that writes a tiny checkpoint and returns its directory."""

    def make(
        family: str = "sentencepiece",
        *,
        dtype: str = "BF16",
        padding: int = 3,
        tensors: dict[str, torch.Tensor] | None = None,
        config: dict[str, Any] | None = None,
    ) -> Path:
        tokenizer = FAMILIES[family]()
        directory = tmp_path / f"{family}-{dtype}"
        directory.mkdir()
        rows = tiny_rows(tokenizer, padding).to(TORCH_TYPES[dtype])
        save_file(
            tensors or {"model.embed_tokens.weight": rows, "other": torch.zeros(5)},
            directory / "model.safetensors",
        )
        (directory / "config.json").write_text(json.dumps(config or {"tie_word_embeddings": True}))
        tokenizer.save(str(directory / "tokenizer.json"))
        return directory

    return make
