"""What is fed with bytes of any kind: by hypothesis in test_fuzz.py, by atheris in fuzz_longer.py.

Each target is given a directory of its own and bytes; it answers, or raises one of our errors.
"""

import io
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
from safetensors.numpy import save
from unembed.errors import UnembedError
from unembed.geometry.concepts.grammar import parse
from unembed.geometry.concepts.pairs import read_pairs
from unembed.geometry.formats.converting import convert
from unembed.geometry.heads.architecture import Architecture
from unembed.geometry.heads.checkpoint import Checkpoint
from unembed.geometry.heads.head_tensors import find_head
from unembed.geometry.model.residuals import read_residuals
from unembed.geometry.records.reading import read_all
from unembed.geometry.remote.answers import About
from unembed.geometry.remote.tensors import RemoteTensors
from unembed.geometry.tokens.other_files import as_tokenizer_json
from unembed.geometry.tokens.vocabulary import Vocabulary
from unembed.indexes.store import Store

ROWS = 300


def safetensors(directory: Path, data: bytes) -> None:
    path = directory / "model.safetensors"
    path.write_bytes(data)
    for name in Checkpoint.open(path).files:
        find_head(path, tensor=name)


def packed(directory: Path, data: bytes) -> None:
    (directory / "config.json").write_text('{"tie_word_embeddings": false}')
    (directory / "model.safetensors").write_bytes(data)
    find_head(directory)


def remote_header(directory: Path, data: bytes) -> None:
    size = int.from_bytes(data[:4], "little")
    RemoteTensors.of_header(data[4:], About(size, None, None), Path("a"), "a", directory, None)


def index(directory: Path, data: bytes) -> None:
    (directory / "config.json").write_text("{}")
    (directory / "model.safetensors.index.json").write_bytes(data)
    find_head(directory)


def configuration(directory: Path, data: bytes) -> None:
    (directory / "config.json").write_bytes(data)
    rows = {"lm_head.weight": np.ones((4, 2), np.float32), "model.norm.weight": np.ones(2)}
    (directory / "model.safetensors").write_bytes(save(rows))
    found = find_head(directory)
    assert isinstance(found.architecture, Architecture)


def tokenizer(directory: Path, data: bytes) -> None:
    (directory / "tokenizer.json").write_bytes(data)
    store = Store(directory / "store")
    vocabulary = Vocabulary.open(directory / "tokenizer.json", rows=ROWS, store=store)
    vocabulary.split("seahorse king", leading_space=True)


def other_tokenizer(name: str) -> Callable[[Path, bytes], None]:
    def target(directory: Path, data: bytes) -> None:
        (directory / "merges.txt").write_bytes(data[:50])
        (directory / name).write_bytes(data)
        made = as_tokenizer_json(directory / name)
        made.unlink()

    return target


def gguf(directory: Path, data: bytes) -> None:
    (directory / "model.gguf").write_bytes(data)
    convert(directory / "model.gguf", directory / "made")


def vectors(name: str) -> Callable[[Path, bytes], None]:
    def target(directory: Path, data: bytes) -> None:
        (directory / "a.txt").write_bytes(b"one\ntwo\n")
        (directory / name).write_bytes(data)
        convert(directory / name, directory / "made")

    return target


def cache_entry(directory: Path, data: bytes) -> None:
    store = Store(directory)
    store.put("norms", "key", {"norms": np.ones(3)})
    (entry,) = directory.glob("norms-*.safetensors")
    entry.write_bytes(data)
    kept = store.get("norms", "key", lambda arrays: set(arrays) == {"norms"})
    assert kept is None or kept["norms"].tolist() == [1, 1, 1]


def expression(_: Path, data: bytes) -> None:
    parse(data.decode("utf-8", errors="replace"))


def directions(directory: Path, data: bytes) -> None:
    (directory / "mine.toml").write_bytes(data)
    read_pairs(directory / "mine.toml")


def residuals(name: str) -> Callable[[Path, bytes], None]:
    def target(directory: Path, data: bytes) -> None:
        (directory / name).write_bytes(data)
        read_residuals(str(directory / name), width=2, tokens=ROWS)

    return target


def concepts(name: str) -> Callable[[Path, bytes], None]:
    def target(directory: Path, data: bytes) -> None:
        (directory / name).write_bytes(data)
        for _ in read_all([str(directory / name)]):
            pass

    return target


def _text(**content: object) -> bytes:
    return json.dumps(content).encode()


# What each is fed with to begin from: sound content, which chance then changes.
_ROWS = save({"lm_head.weight": np.ones((4, 2), np.float32)})
_ARRAY = io.BytesIO()
np.save(_ARRAY, np.ones((2, 3), np.float32))
_LEVEL = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True}
_BPE = {"type": "BPE", "vocab": {"Ġ": 0, "s": 1, "Ġs": 2}, "merges": [["Ġ", "s"]]}
TARGETS: dict[str, tuple[Callable[[Path, bytes], None], bytes]] = {
    "safetensors": (safetensors, _ROWS),
    "packed": (
        packed,
        save(
            {
                "lm_head.qweight": np.ones((1, 8), np.int32),
                "lm_head.qzeros": np.ones((1, 1), np.int32),
                "lm_head.scales": np.ones((1, 8), np.float32),
            }
        ),
    ),
    "remote header": (remote_header, len(_ROWS).to_bytes(4, "little") + _ROWS[8:-32]),
    "index": (index, _text(weight_map={"lm_head.weight": "a.safetensors"})),
    "configuration": (
        configuration,
        _text(model_type="gemma2", hidden_size=2, vocab_size=4, rms_norm_eps=1e-5, text_config={}),
    ),
    "tokenizer.json": (
        tokenizer,
        _text(model=_BPE, decoder=_LEVEL, pre_tokenizer=_LEVEL, added_tokens=[]),
    ),
    "tokenizer.model": (
        other_tokenizer("tokenizer.model"),
        b"\n\x0b\n\x04\xe2\x96\x81s\x15\0\0\0\0",
    ),
    "a.tiktoken": (other_tokenizer("a.tiktoken"), b"IA== 0\ncw== 1\nIHM= 2\n"),
    "vocab.json": (other_tokenizer("vocab.json"), _text(a=0, b=1, ab=2)),
    "gguf": (
        gguf,
        b"GGUF\3\0\0\0" + bytes(8) + b"\1" + bytes(7) + b"\x14" + bytes(7)
        + b"general.architecture" + b"\x08\0\0\0" + b"\5" + bytes(7) + b"llama" + bytes(64),
    ),
    "vectors.txt": (vectors("b.txt"), b"sea 1 0.5\nhorse 0 -2e3\n"),
    "vectors.bin": (vectors("b.bin"), b"2 1\nsea \0\0\0\0\nb \0\0\0\0\n"),
    "vectors.npy": (vectors("a.npy"), _ARRAY.getvalue()),
    "cache entry": (cache_entry, _ROWS),
    "expression": (expression, 'king - 0.5*mean(cat, "hot dog") + 🐴'.encode()),
    "directions": (directions, b'[mine]\npairs = [["hot", "cold"], ["big", "small"]]\n'),
    "residuals.npy": (residuals("a.npy"), _ARRAY.getvalue()),
    "residuals.safetensors": (
        residuals("a.safetensors"),
        save({"residuals": np.ones((2, 3, 2), np.float32)}),
    ),
    "list.csv": (concepts("a.csv"), b"concept,group\nsea horse,animals\n"),
    "list.jsonl": (concepts("a.jsonl"), b'{"concept": "sea"}\n'),
    "list.parquet": (concepts("a.parquet"), b"PAR1\x15\0PAR1"),
}  # fmt: skip


def feed(name: str, directory: Path, data: bytes) -> None:
    """Give a target bytes; whatever is not one of our errors goes on to the caller."""
    target, _ = TARGETS[name]
    place = directory / "fed"
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)
    try:
        target(place, data)
    except UnembedError:
        return
