"""Tiny heads of three tokenizer families, made in memory; caches of their own."""

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from tokenizers import (
    AddedToken,
    Tokenizer,
    decoders,
    models,
    normalizers,
    pre_tokenizers,
    trainers,
)
from unembed.geometry.tokens.spelling import byte_alphabet
from unembed.geometry.tokens.vocabulary import Vocabulary
from unembed.indexes.store import Store, cache_directory

from .helpers import TORCH
from .opened import CHROMIUM

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
        rows = tiny_rows(tokenizer, padding).to(TORCH[dtype])
        save_file(
            tensors or {"model.embed_tokens.weight": rows, "other": torch.zeros(5)},
            directory / "model.safetensors",
        )
        (directory / "config.json").write_text(json.dumps(config or {"tie_word_embeddings": True}))
        tokenizer.save(str(directory / "tokenizer.json"))
        return directory

    return make


# What the trained vocabularies are trained on: many scripts, emoji, controls and bidi marks.
TEXT = [
    "the king and the queen went to the sea, and the horse did not; well-known, don't",
    "le roi et l'eau: naïve café déjà vu, De\u0301ja\u0300 vu, Ĳsselmeer",
    "東京は海です 海馬 こんにちは ラーメン 안녕하세요 세계 바다",
    "हिन्दी भाषा می\u200cروم שלום עולם ภาษาไทย море и море",
    '🐴 🐴 👩‍🚀 ❤️ 🏴‍☠️ 7 42 1984 <b>bold</b> [bold red] "quoted" back\\slash',
    "\x1b[31mred\x1b[0m \u202eabc\u2066 \x00 \x7f \x85 \xad \u2028 \ufeff \ue000 \u200b",
]
BYTES = [f"<0x{byte:02X}>" for byte in range(256)]


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Give a Chromium that runs while a file's tests do."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def saved_model(tmp_path: Path, make_checkpoint: Make) -> Callable[[str], Path]:
    """Give a function that saves a tiny model of an architecture, a tokenizer beside it."""
    from .modelled import CASES, save_model

    def save(name: str) -> Path:
        directory = tmp_path / name
        save_model(CASES[name], directory)
        tokenizer = make_checkpoint(CASES[name].family) / "tokenizer.json"
        shutil.copy(tokenizer, directory / "tokenizer.json")
        about = {"tokenizer_class": "PreTrainedTokenizerFast"}
        (directory / "tokenizer_config.json").write_text(json.dumps(about))
        return directory

    return save


def trained_byte_level() -> Tokenizer:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=500,
        special_tokens=["<|endoftext|>", "<|reserved_special_token_0|>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(TEXT * 3, trainer)
    return tokenizer


def with_bytes(tokenizer: Tokenizer, specials: list[str]) -> Tokenizer:
    """Make the tokens <0x00> to <0xFF> what the model falls back to, as SentencePiece does."""
    content = json.loads(tokenizer.to_str())
    content["model"]["byte_fallback"] = True
    content["added_tokens"] = [t for t in content["added_tokens"] if t["content"] in specials]
    return Tokenizer.from_str(json.dumps(content))


def trained_unigram() -> Tokenizer:
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Sequence([decoders.ByteFallback(), decoders.Metaspace()])
    trainer = trainers.UnigramTrainer(
        vocab_size=480,
        special_tokens=["<unk>", "<unused0>", *BYTES],
        unk_token="<unk>",  # noqa: S106
        show_progress=False,
    )
    tokenizer.train_from_iterator(TEXT * 3, trainer)
    return with_bytes(tokenizer, ["<unk>", "<unused0>"])


def trained_llama() -> Tokenizer:
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>", fuse_unk=True))  # noqa: S106
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")]
    )
    tokenizer.decoder = decoders.Sequence(
        [
            decoders.Replace("▁", " "),
            decoders.ByteFallback(),
            decoders.Fuse(),
            decoders.Strip(" ", 1, 0),
        ]
    )
    trainer = trainers.BpeTrainer(
        vocab_size=600, special_tokens=["<unk>", "<s>", *BYTES], show_progress=False
    )
    tokenizer.train_from_iterator([w for line in TEXT * 3 for w in line.split(" ")], trainer)
    return with_bytes(tokenizer, ["<unk>", "<s>"])


def trained_wordpiece() -> Tokenizer:
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))  # noqa: S106
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece(cleanup=False)
    trainer = trainers.WordPieceTrainer(
        vocab_size=300, special_tokens=["[UNK]", "[CLS]", "[unused0]"], show_progress=False
    )
    tokenizer.train_from_iterator(TEXT * 3, trainer)
    return tokenizer


TRAINED = {
    "trained_byte_level": trained_byte_level,
    "trained_unigram": trained_unigram,
    "trained_llama": trained_llama,
    "trained_wordpiece": trained_wordpiece,
}


@pytest.fixture(scope="session")
def open_vocabulary() -> Callable[[Path], Vocabulary]:
    """Give a function that opens a directory's tokenizer for a head with three rows of padding."""

    def opened(directory: Path) -> Vocabulary:
        path = directory / "tokenizer.json"
        rows = Tokenizer.from_file(str(path)).get_vocab_size() + 3
        return Vocabulary.open(path, rows=rows, store=Store(directory / "store"))

    return opened


@pytest.fixture(scope="session")
def trained(
    tmp_path_factory: pytest.TempPathFactory, open_vocabulary: Callable[[Path], Vocabulary]
) -> dict[str, Vocabulary]:
    """Give the trained vocabularies by their names."""
    vocabularies = {}
    for name, train in TRAINED.items():
        directory = tmp_path_factory.mktemp(name)
        train().save(str(directory / "tokenizer.json"))
        vocabularies[name] = open_vocabulary(directory)
    return vocabularies


@pytest.fixture(params=[*FAMILIES, *TRAINED])
def vocabulary(
    request: pytest.FixtureRequest,
    trained: dict[str, Vocabulary],
    open_vocabulary: Callable[[Path], Vocabulary],
    make_checkpoint: Make,
) -> Vocabulary:
    """Give every vocabulary, made by hand or trained, one after the other."""
    if request.param in trained:
        return trained[request.param]
    return open_vocabulary(make_checkpoint(request.param))
