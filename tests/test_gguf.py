"""Heads of GGUF files, as the gguf library writes and unpacks them; and files that lie."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import pytest
from gguf import GGMLQuantizationType as Packing
from gguf.quants import dequantize, quantize
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer
from unembed import open_head
from unembed.cli import main
from unembed.errors import (
    CheckpointError,
    ConversionError,
    SourceError,
    UsageError,
    VocabularyError,
)
from unembed.geometry.formats.converting import convert
from unembed.geometry.formats.gguf_file import GgufFile
from unembed.geometry.tokens.sentencepiece import read_pieces
from unembed.indexes.store import cache_directory

from .conftest import trained_byte_level
from .test_other_tokenizers import TEXTS, trained

WORDS = ["<unk>", "▁king", "▁queen", "▁sea", "▁horse", "<0x41>"]
WIDTH = 256  # of which every packing takes whole blocks
RNG = np.random.default_rng(0)


def written(
    path: Path,
    *,
    packing: Packing = Packing.F32,
    architecture: str = "llama",
    values: dict[str, float] | None = None,
    tensors: dict[str, np.ndarray] | None = None,
    tokens: list[str] | None = None,
    model: str | None = "llama",
    more: Callable[[gguf.GGUFWriter], None] | None = None,
) -> np.ndarray:
    """Write a GGUF file with a head of its own; give the rows as they come out."""
    writer = gguf.GGUFWriter(path, architecture)
    for key, value in (values or {"attention.layer_norm_rms_epsilon": 1e-5}).items():
        writer.add_float32(f"{architecture}.{key}", value)
    tokens = WORDS if tokens is None else tokens
    if model is not None:
        writer.add_tokenizer_model(model)
        writer.add_token_list(tokens)
        writer.add_token_scores([-float(id_) for id_ in range(len(tokens))])
    if more is not None:
        more(writer)
    rows_VD = RNG.standard_normal((len(tokens) + 2, WIDTH)).astype(np.float32)
    packed = quantize(rows_VD, packing)
    if tensors is None:
        writer.add_tensor("output.weight", packed, raw_dtype=packing)
        writer.add_tensor("output_norm.weight", 1 + RNG.random(WIDTH).astype(np.float32))
    for name, tensor in (tensors or {}).items():
        writer.add_tensor(name, tensor)
    for step in ("header_to_file", "kv_data_to_file", "tensors_to_file"):
        getattr(writer, f"write_{step}")()
    writer.close()
    return dequantize(packed, packing).reshape(rows_VD.shape)


@pytest.mark.parametrize("packing", ["F32", "F16", "BF16", "Q8_0", "Q4_0", "Q4_1", "Q5_0", "Q5_1"])
def test_rows_are_what_the_library_unpacks(tmp_path: Path, packing: str) -> None:
    rows_VD = written(tmp_path / "model.gguf", packing=Packing[packing])
    head = open_head(tmp_path / "model.gguf")
    np.testing.assert_array_equal(head.rows.decode(slice(None)), rows_VD)
    assert head.rows.dtype == (packing if packing in {"F32", "F16", "BF16"} else "F32")
    assert (head.tied, head.architecture) == (False, "llama (GGUF)")
    assert head.final_norm is not None
    assert (head.final_norm.kind, head.final_norm.epsilon) == ("rms", pytest.approx(1e-5))
    assert head.final_norm.weight_D.min() >= 1
    assert head.vocabulary.token(1) == "▁king"
    assert head.vocabulary.kind(len(WORDS)) == "padding"
    assert head.nearest("king", top=1).neighbours


def test_it_is_made_once(tmp_path: Path) -> None:
    written(tmp_path / "model.gguf")
    made = open_head(tmp_path / "model.gguf").path
    times = made.stat().st_mtime_ns
    again = open_head(str(tmp_path / "model.gguf"))
    assert (again.path, made.stat().st_mtime_ns) == (made, times)
    assert made.is_relative_to(cache_directory())
    written(tmp_path / "model.gguf", packing=Packing.Q8_0)
    assert open_head(tmp_path / "model.gguf").path != made


@pytest.mark.parametrize(
    ("architecture", "values", "scale", "softcap"),
    [
        ("llama", {}, 1.0, None),
        ("command-r", {"logit_scale": 0.0625}, 0.0625, None),
        ("granite", {"logit_scale": 8.0}, 0.125, None),
        ("gemma2", {"final_logit_softcapping": 20.0}, 1.0, 20.0),
        ("gemma2", {}, 1.0, 30.0),
    ],
)
def test_scale_and_cap_are_the_models_own(
    tmp_path: Path,
    architecture: str,
    values: dict[str, float],
    scale: float,
    softcap: float | None,
) -> None:
    written(tmp_path / "model.gguf", architecture=architecture, values=values or {"x": 1.0})
    head = open_head(tmp_path / "model.gguf")
    assert (head.scale, head.softcap) == (scale, softcap)


def test_a_norm_that_centres_is_told_by_its_epsilon(tmp_path: Path) -> None:
    written(tmp_path / "model.gguf", values={"attention.layer_norm_epsilon": 1e-3})
    norm = open_head(tmp_path / "model.gguf").final_norm
    assert norm is not None
    assert (norm.kind, norm.epsilon) == ("layer", pytest.approx(1e-3))
    assert norm.bias_D is not None
    assert not norm.bias_D.any()


def test_an_embedding_is_the_head_where_there_is_no_other(tmp_path: Path) -> None:
    rows_VD = RNG.standard_normal((8, WIDTH)).astype(np.float32)
    bias_V = RNG.standard_normal(8).astype(np.float32)
    written(tmp_path / "model.gguf", tensors={"token_embd.weight": rows_VD, "output.bias": bias_V})
    head = open_head(tmp_path / "model.gguf")
    assert (head.tied, head.final_norm) == (True, None)
    np.testing.assert_array_equal(head.rows.decode(slice(None)), rows_VD)
    assert head.bias_V is not None
    np.testing.assert_array_equal(head.bias_V, bias_V)


def tokenizer_of(path: Path) -> Tokenizer:
    return Tokenizer.from_file(str(open_head(path).vocabulary.path))


def test_byte_level_merges_split_alike(tmp_path: Path) -> None:
    theirs = trained_byte_level()
    about = json.loads(theirs.to_str())
    size = theirs.get_vocab_size()

    def more(writer: gguf.GGUFWriter) -> None:
        writer.add_token_merges([" ".join(pair) for pair in about["model"]["merges"]])
        special = {entry["id"] for entry in about["added_tokens"]}
        writer.add_token_types([3 if id_ in special else 1 for id_ in range(size)])

    tokens = [theirs.id_to_token(id_) for id_ in range(size)]
    written(tmp_path / "model.gguf", tokens=tokens, model="gpt2", more=more)
    ours = tokenizer_of(tmp_path / "model.gguf")
    for text in TEXTS:
        assert ours.encode(text).ids == theirs.encode(text).ids, text


@pytest.mark.parametrize("model", ["llama", "t5"])
def test_sentencepiece_splits_alike(tmp_path: Path, model: str) -> None:
    theirs = trained(
        tmp_path,
        model_type="bpe" if model == "llama" else "unigram",
        normalization_rule_name="identity",
        remove_extra_whitespaces=False,
    )
    pieces = read_pieces((tmp_path / "tokenizer.model").read_bytes())
    path = tmp_path / "model.gguf"
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_tokenizer_model(model)
    writer.add_token_list(list(pieces.strings))
    writer.add_token_scores(list(pieces.scores))
    writer.add_token_types([int(kind) for kind in pieces.kinds])
    writer.add_tensor("output.weight", np.ones((len(pieces.strings), WIDTH), np.float32))
    for step in ("header_to_file", "kv_data_to_file", "tensors_to_file"):
        getattr(writer, f"write_{step}")()
    writer.close()
    ours = tokenizer_of(path)
    for text in TEXTS:
        if "\x00" not in text:
            assert ours.encode(text, add_special_tokens=False).ids == theirs.encode(text), text


def test_word_pieces_are_told_by_the_mark(tmp_path: Path) -> None:
    tokens = ["[UNK]", "▁sea", "horse", "▁king"]
    written(tmp_path / "model.gguf", tokens=tokens, model="bert")
    ours = tokenizer_of(tmp_path / "model.gguf")
    assert ours.encode("seahorse king").ids == [1, 2, 3]
    head = open_head(tmp_path / "model.gguf")
    assert [head.vocabulary.text(id_) for id_ in (1, 2)] == [" sea", "horse"]


@pytest.mark.parametrize(
    ("options", "error", "said"),
    [
        ({"model": None}, VocabularyError, "no tokenizer"),
        ({"model": "rwkv"}, VocabularyError, "'rwkv'"),
        ({"tensors": {"other": np.ones(32, np.float32)}}, CheckpointError, "'other'"),
        ({"tensors": {"output.weight": np.ones(32, np.float32)}}, CheckpointError, "neither"),
        ({"packing": Packing.TQ1_0}, None, ""),
    ],
)
def test_what_cannot_be_a_head_is_refused(
    tmp_path: Path, options: dict[str, Any], error: type[Exception] | None, said: str
) -> None:
    written(tmp_path / "model.gguf", **options)
    if error is None:
        open_head(tmp_path / "model.gguf")
        return
    with pytest.raises(error, match=said):
        open_head(tmp_path / "model.gguf")
    assert not [path for path in (cache_directory() / "converted").iterdir() if path.is_dir()]


def test_the_command_line_converts(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def ran(*arguments: str) -> tuple[object, str]:
        with pytest.raises(SystemExit) as ended:
            main(arguments)
        told = capsys.readouterr()
        return ended.value.code, told.out + told.err

    monkeypatch.chdir(tmp_path)
    rows_VD = written(tmp_path / "model.gguf")
    code, out = ran("convert", "model.gguf", "made")
    assert (code, out.splitlines()[-1]) == (0, "written: made")
    np.testing.assert_array_equal(open_head(tmp_path / "made").rows.decode(slice(None)), rows_VD)
    assert {path.name for path in (tmp_path / "made").iterdir()} == {
        *("config.json", "model.safetensors", "tokenizer.json"),
    }
    for arguments, said in (
        (("model.gguf", "made"), "it is there already"),
        (("model.pt", "other"), ".npy is converted"),
    ):
        code, out = ran("convert", *arguments)
        assert code == 2
        assert said in out
    code, out = ran("convert", "none.gguf", "other")
    assert code == 1
    assert "missing" in out
    assert not (tmp_path / "other").exists()
    assert ran("near", "model.gguf", "king", "--top", "1")[0] == 0
    assert "converted" in ran("cache")[1]
    ran("cache", "--clear")
    assert not (cache_directory() / "converted").exists()


def test_a_place_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    written(tmp_path / "model.gguf")
    (tmp_path / "file").touch()
    with pytest.raises(ConversionError, match="cannot be written"):
        convert(tmp_path / "model.gguf", tmp_path / "file" / "made")
    with pytest.raises(UsageError):
        convert(tmp_path / "model.gguf", tmp_path)


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("gguf") / "model.gguf"
    written(path, packing=Packing.Q8_0)
    return path.read_bytes()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"GGUF",
        b"GGUF" + (9).to_bytes(4, "little") + bytes(16),
        b"GGUF" + (3).to_bytes(4, "little") + b"\xff" * 16,
        # One array of 2**60 texts, and one of 2**60 bytes.
        *(
            b"GGUF"
            + (3).to_bytes(4, "little")
            + bytes(8)
            + (1).to_bytes(8, "little")
            + (1).to_bytes(8, "little")
            + b"a"
            + (9).to_bytes(4, "little")
            + kind.to_bytes(4, "little")
            + (1 << 60).to_bytes(8, "little")
            + bytes(64)
            for kind in (8, 0)
        ),
        # Arrays in arrays in arrays.
        b"GGUF"
        + (3).to_bytes(4, "little")
        + bytes(8)
        + (1).to_bytes(8, "little")
        + (1).to_bytes(8, "little")
        + b"a"
        + (9).to_bytes(4, "little")
        + ((9).to_bytes(4, "little") + (1).to_bytes(8, "little")) * 2000,
    ],
)
def test_files_that_lie_are_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "model.gguf"
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match=r"model\.gguf"):
        open_head(path)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=300)
@given(st.data())
def test_damage_anywhere_is_an_error_or_another_head(
    tmp_path: Path, sound: bytes, data: st.DataObject
) -> None:
    """Bytes of the header changed, or the file cut: never a crash, never a hang."""
    changed = bytearray(sound)
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, min(len(changed), 900) - 1))
        changed[at : at + 1] = data.draw(st.binary(max_size=9))
    path = tmp_path / "model.gguf"
    path.write_bytes(changed[: data.draw(st.integers(0, len(changed)))])
    try:
        GgufFile.open(path)
        convert(path, tmp_path / "made")
    except SourceError:
        return
    shutil.rmtree(tmp_path / "made")
