"""Opening heads: which tensors, what is read, what is refused."""

import json
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from unembed.errors import CheckpointError, SourceError, UsageError, VocabularyError
from unembed.geometry.heads.unembedding import Unembedding

Make = Callable[..., Path]

EMBEDDING = "model.embed_tokens.weight"


def open_head(source: str | Path, **options: Any) -> Unembedding:
    return Unembedding.open(source, **options)


@pytest.mark.parametrize("dtype", ["BF16", "F16", "F32", "F64"])
def test_a_head_is_the_tensor_itself(make_checkpoint: Make, dtype: str) -> None:
    directory = make_checkpoint(dtype=dtype)
    head = open_head(directory)
    weights = load_file(directory / "model.safetensors")[EMBEDDING]
    assert (head.rows.dtype, head.tied, head.tensor) == (dtype, True, EMBEDDING)
    np.testing.assert_array_equal(head.rows.decode(slice(None)), weights.double().numpy())
    assert repr(head) == (
        f"Unembedding({str(directory)!r}, {EMBEDDING}, {len(weights)} x 16 {dtype}, tied)"
    )


def test_a_subclass_opens_as_itself(make_checkpoint: Make) -> None:
    class Head(Unembedding):
        pass

    head = Head.open(make_checkpoint())
    assert isinstance(head, Head)
    assert repr(head).startswith("Head(")


def matrix(value: float, rows: int = 300, width: int = 4) -> torch.Tensor:
    return torch.full((rows, width), value)


@pytest.mark.parametrize(
    ("names", "tie", "expected", "tied"),
    [
        # A head of its own, and the embedding.
        ([EMBEDDING, "lm_head.weight"], False, "lm_head.weight", False),
        ([EMBEDDING, "lm_head.weight"], None, "lm_head.weight", False),
        ([EMBEDDING, "lm_head.weight"], True, "lm_head.weight", False),
        (["lm_head.weight"], True, "lm_head.weight", True),
        (["lm_head.weight", "model.layers.9.lm_head.weight"], None, "lm_head.weight", False),
        (["lm_head.weight", "talker.lm_head.weight"], None, "lm_head.weight", False),
        (["lm_head.weight", "model.mtp.lm_head.weight"], None, "lm_head.weight", False),
        (["tok_embeddings.weight", "output.weight"], None, "output.weight", False),
        (["output.weight"], None, "output.weight", False),
        (["gpt_neox.embed_in.weight", "embed_out.weight"], False, "embed_out.weight", False),
        (["language_model.lm_head.weight"], None, "language_model.lm_head.weight", False),
        (["proj_out.weight"], False, "proj_out.weight", False),
        (
            ["transformer.embedding.word_embeddings.weight", "transformer.output_layer.weight"],
            False,
            "transformer.output_layer.weight",
            False,
        ),
        (
            ["model.transformer.wte.weight", "model.transformer.ff_out.weight"],
            None,
            "model.transformer.ff_out.weight",
            False,
        ),
        (["rwkv.embeddings.weight", "head.weight"], None, "head.weight", False),
        (["lm_head.decoder.weight"], False, "lm_head.decoder.weight", False),
        (
            ["bert.embeddings.word_embeddings.weight", "cls.predictions.decoder.weight"],
            None,
            "cls.predictions.decoder.weight",
            False,
        ),
        # Tied.
        ([EMBEDDING], None, EMBEDDING, True),
        ([EMBEDDING, "lm_head.dense.weight"], None, EMBEDDING, True),
        *(
            ([name], True, name, True)
            for name in (
                "model.language_model.embed_tokens.weight",
                "language_model.model.embed_tokens.weight",
                "model.text_model.embed_tokens.weight",
                "transformer.wte.weight",
                "wte.weight",
                "transformer.word_embeddings.weight",
                "backbone.embeddings.weight",
                "backbone.embedding.weight",
                "model.decoder.embed_tokens.weight",
                "shared.weight",
                "model.shared.weight",
                "transformer.tokens_embed.weight",
                "transformer.w.weight",
                "roberta.embeddings.word_embeddings.weight",
            )
        ),
        # A decoder's before what is shared, before an encoder's; layers and towers are not asked.
        (
            ["encoder.embed_tokens.weight", "shared.weight", "decoder.embed_tokens.weight"],
            True,
            "decoder.embed_tokens.weight",
            True,
        ),
        (["encoder.embed_tokens.weight", "shared.weight"], True, "shared.weight", True),
        (
            ["vision_tower.embeddings.weight", "audio_tower.embed_tokens.weight", EMBEDDING],
            True,
            EMBEDDING,
            True,
        ),
        ([EMBEDDING, "model.embed_tokens_per_layer.weight"], True, EMBEDDING, True),
        (["model.layers.0.embed_tokens.weight", EMBEDDING], True, EMBEDDING, True),
    ],
)
def test_which_tensor_is_the_head(
    make_checkpoint: Make, names: list[str], tie: bool | None, expected: str, tied: bool
) -> None:
    tensors = {name: matrix(float(place)) for place, name in enumerate(names)}
    directory = make_checkpoint(tensors=tensors, config={"tie_word_embeddings": tie})
    head = open_head(directory)
    assert (head.tensor, head.tied) == (expected, tied)
    assert set(head.rows.decode(np.array([0]))[0]) == {float(names.index(expected))}


def test_the_configuration_tells_shapes_apart(make_checkpoint: Make) -> None:
    tensors = {
        "head.weight": matrix(0.0, rows=2),  # a classifier
        "decoder.weight": matrix(1.0, width=9),  # another width
        EMBEDDING: matrix(2.0),
    }
    directory = make_checkpoint(tensors=tensors, config={"hidden_size": 4, "vocab_size": 290})
    assert open_head(directory).tensor == EMBEDDING


def test_two_that_could_be_meant_are_listed(make_checkpoint: Make) -> None:
    tensors = {"lm_head.weight": matrix(0.0), "embed_out.weight": matrix(1.0, rows=301)}
    directory = make_checkpoint(tensors=tensors)
    with pytest.raises(
        UsageError,
        match=r"several tensors could be the head: 'embed_out\.weight' \(301, 4\), "
        r"'lm_head\.weight' \(300, 4\); say which with --tensor NAME \(tensor= in Python\)",
    ):
        open_head(directory)
    head = open_head(directory, tensor="embed_out.weight")
    assert (head.tensor, head.tied, head.rows.count) == ("embed_out.weight", False, 301)


def test_the_embedding_compared_is_the_one_that_fits(
    make_checkpoint: Make, caplog: pytest.LogCaptureFixture
) -> None:
    tensors = {
        "a.embeddings.weight": matrix(0.0, width=9),  # another thing of such a name
        EMBEDDING: matrix(1.0),
        "lm_head.weight": matrix(1.0),
    }
    config = {"hidden_size": 4, "tie_word_embeddings": True}
    head = open_head(make_checkpoint(tensors=tensors, config=config))
    assert (head.tensor, head.tied, caplog.messages) == ("lm_head.weight", True, [])


@pytest.mark.parametrize("equal", [True, False])
@pytest.mark.parametrize("tie", [True, False, None])
def test_a_head_that_should_be_tied_and_differs_is_told_of(
    make_checkpoint: Make, caplog: pytest.LogCaptureFixture, equal: bool, tie: bool | None
) -> None:
    tensors = {EMBEDDING: matrix(1.0), "lm_head.weight": matrix(1.0 if equal else 2.0)}
    directory = make_checkpoint(tensors=tensors, config={"tie_word_embeddings": tie})
    head = open_head(directory)
    assert (head.tensor, head.tied) == ("lm_head.weight", equal and tie is True)
    if equal or tie is not True:
        assert caplog.messages == []
        return
    (record,) = caplog.records
    assert (record.name, record.levelname) == ("unembed", "WARNING")
    assert record.getMessage() == (
        f"{directory / 'config.json'} ties the head to the embedding, but 'lm_head.weight' and "
        f"'{EMBEDDING}' differ: 'lm_head.weight' is taken, as transformers does; --tensor "
        f"'{EMBEDDING}' (tensor= in Python) takes the other"
    )
    caplog.clear()
    assert not open_head(directory, tensor=EMBEDDING).tied
    assert caplog.messages == []


@pytest.mark.parametrize(
    ("others", "tied"),
    [
        ({}, True),
        ({"output.weight": matrix(2.0)}, False),
        ({"output.weight": matrix(2.0, rows=2)}, True),  # a classifier, and no head
        ({"lm_head.weight": matrix(2.0)}, False),
        ({"lm_head.weight": matrix(2.0), "output.weight": matrix(3.0)}, False),
        ({"output.weight": matrix(2.0), "head.weight": matrix(3.0)}, False),
    ],
)
def test_a_named_embedding_is_tied_where_no_head_is(
    make_checkpoint: Make, others: dict[str, torch.Tensor], tied: bool
) -> None:
    tensors = {"tok_embeddings.weight": matrix(1.0), "output.bias": torch.ones(300), **others}
    head = open_head(make_checkpoint(tensors=tensors, config={}), tensor="tok_embeddings.weight")
    assert (head.tied, head.bias_V is not None) == (tied, tied)


def test_any_matrix_can_be_named(make_checkpoint: Make) -> None:
    tensors = {
        EMBEDDING: matrix(0.0),
        "lm_head.weight": matrix(1.0),
        "lm_head.bias": torch.ones(300),
        "model.norm.weight": torch.ones(4),
        "strange": matrix(2.0, width=5),
    }
    directory = make_checkpoint(tensors=tensors, config={"hidden_size": 4})
    assert open_head(directory).bias_V is not None
    strange = open_head(directory, tensor="strange")
    assert (strange.rows.width, strange.tied, strange.bias_V) == (5, False, None)
    assert strange.final_norm is None
    embedding = open_head(directory, tensor=EMBEDDING)
    assert (embedding.tied, embedding.bias_V) == (False, None)
    assert embedding.final_norm is not None
    with pytest.raises(UsageError, match=r"no tensor 'nothing'; its matrices are .*'strange'$"):
        open_head(directory, tensor="nothing")
    with pytest.raises(CheckpointError, match=r"'lm_head\.bias' has shape \(300,\); a head is"):
        open_head(directory, tensor="lm_head.bias")


def test_heads_of_one_file_are_kept_apart(make_checkpoint: Make) -> None:
    tensors = {EMBEDDING: matrix(0.0), "lm_head.weight": matrix(1.0)}
    directory = make_checkpoint(tensors=tensors)
    own, other = open_head(directory), open_head(directory, tensor=EMBEDDING)
    assert own.key != other.key
    assert own.store.directory != other.store.directory


def test_rows_beyond_the_tokenizer_are_padding(make_checkpoint: Make) -> None:
    head = open_head(make_checkpoint(padding=3))
    assert np.flatnonzero(~head.vocabulary.known_V).tolist() == [
        head.rows.count - n for n in (3, 2, 1)
    ]


# What stands beside the rows.


@pytest.mark.parametrize(
    ("names", "bias"),
    [
        ([EMBEDDING], None),
        ([EMBEDDING, "lm_head.bias"], "lm_head.bias"),
        (["lm_head.weight", "lm_head.bias"], "lm_head.bias"),
        (["lm_head.decoder.weight", "lm_head.bias"], "lm_head.bias"),
        (["shared.weight", "final_logits_bias"], "final_logits_bias"),
        (
            ["bert.embeddings.word_embeddings.weight", "cls.predictions.bias"],
            "cls.predictions.bias",
        ),
        (["embeddings.tok_embeddings.weight", "decoder.bias"], "decoder.bias"),
        (["lm_head.weight", "model.layers.0.lm_head.bias"], None),
    ],
)
def test_which_tensor_is_the_bias(
    make_checkpoint: Make, names: list[str], bias: str | None
) -> None:
    tensors = {
        name: torch.arange(300.0) if name.endswith("bias") else matrix(1.0) for name in names
    }
    head = open_head(make_checkpoint(tensors=tensors))
    if bias is None:
        assert head.bias_V is None
    else:
        np.testing.assert_array_equal(head.bias_V, np.arange(300.0))


@pytest.mark.parametrize(
    ("head", "norms", "expected"),
    [
        ("model.embed_tokens", ["model.norm", "model.layers.0.norm", "visual.norm"], 0),
        ("transformer.wte", ["transformer.ln_f"], 0),
        ("gpt_neox.embed_in", ["gpt_neox.final_layer_norm"], 0),
        ("backbone.embeddings", ["backbone.norm_f"], 0),
        ("model.shared", ["model.encoder.layer_norm", "model.decoder.layer_norm"], 1),
        ("shared", ["encoder.final_layer_norm", "decoder.final_layer_norm"], 1),
        ("model.language_model.embed_tokens", ["model.norm", "model.language_model.norm"], 1),
        ("roberta.embeddings.word_embeddings", ["lm_head.layer_norm"], 0),
        ("bert.embeddings.word_embeddings", ["bert.embeddings.LayerNorm"], None),
        ("funnel.embeddings.word_embeddings", ["funnel.embeddings.layer_norm"], None),
        ("lm_head", ["model.norm"], 0),
        ("lm_head", ["one.norm", "two.norm"], None),
        ("head.decoder", ["model.norm"], None),
    ],
)
def test_which_tensor_is_the_final_norm(
    make_checkpoint: Make, head: str, norms: list[str], expected: int | None
) -> None:
    tensors = {f"{head}.weight": matrix(1.0)}
    tensors |= {f"{norm}.weight": torch.full((4,), float(n)) for n, norm in enumerate(norms)}
    norm = open_head(make_checkpoint(tensors=tensors)).final_norm
    assert (None if norm is None else norm.weight_D.tolist()) == (
        None if expected is None else [float(expected)] * 4
    )


def test_the_oldest_names_of_a_norm_are_known(make_checkpoint: Make) -> None:
    norm = "cls.predictions.transform.LayerNorm"
    tensors = {
        "bert.embeddings.word_embeddings.weight": matrix(1.0),
        "bert.embeddings.LayerNorm.gamma": torch.full((4,), 9.0),
        f"{norm}.gamma": torch.full((4,), 2.0),
        f"{norm}.beta": torch.full((4,), 3.0),
    }
    found = open_head(make_checkpoint(tensors=tensors)).final_norm
    assert found is not None
    assert found.bias_D is not None
    assert (found.kind, found.weight_D[0], found.bias_D[0]) == ("layer", 2.0, 3.0)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float32, torch.float64])
def test_norms_and_biases_are_exact_in_every_type(
    make_checkpoint: Make, dtype: torch.dtype
) -> None:
    values = torch.randn(300).to(dtype)
    tensors = {
        EMBEDDING: matrix(1.0),
        "lm_head.bias": values,
        "model.norm.weight": values[:4].clone(),
        "model.norm.bias": values[4:8].clone(),
    }
    head = open_head(make_checkpoint(tensors=tensors, config={"layer_norm_eps": 1e-3}))
    assert head.bias_V is not None
    assert head.final_norm is not None
    assert head.final_norm.bias_D is not None
    np.testing.assert_array_equal(head.bias_V, values.double().numpy())
    np.testing.assert_array_equal(head.final_norm.weight_D, values[:4].double().numpy())
    np.testing.assert_array_equal(head.final_norm.bias_D, values[4:8].double().numpy())
    assert (head.final_norm.kind, head.final_norm.epsilon) == ("layer", 1e-3)


@pytest.mark.parametrize(
    ("tensors", "message"),
    [
        ({"model.norm.weight": torch.ones(5)}, r"is F32 of shape \(5,\); \(4,\) is expected"),
        ({"model.norm.weight": torch.ones(4, 1)}, r"is F32 of shape \(4, 1\)"),
        ({"model.norm.weight": torch.ones(4, dtype=torch.int64)}, r"is I64 of shape \(4,\)"),
        ({"model.norm.weight": torch.tensor([1, 1, torch.nan, 1])}, "holds NaN or infinity"),
        ({"lm_head.bias": torch.ones(299)}, r"'lm_head\.bias' is F32 of shape \(299,\)"),
        ({"lm_head.bias": torch.full((300,), torch.inf)}, "'lm_head.bias' holds NaN or infinity"),
    ],
)
def test_a_norm_or_bias_that_does_not_fit_is_refused(
    make_checkpoint: Make, tensors: dict[str, torch.Tensor], message: str
) -> None:
    directory = make_checkpoint(tensors={EMBEDDING: matrix(1.0), **tensors})
    with pytest.raises(CheckpointError, match=message):
        open_head(directory)


# Several files, one file.


def save_sharded(directory: Path, shards: dict[str, dict[str, torch.Tensor]]) -> None:
    """Write the tensors of a checkpoint as shards with an index, as transformers does."""
    (directory / "model.safetensors").unlink()
    weight_map = {}
    for shard, tensors in shards.items():
        save_file(tensors, directory / shard, metadata={"format": "pt"})
        weight_map |= dict.fromkeys(tensors, shard)
    write_index(directory, weight_map)


def write_index(directory: Path, weight_map: Any) -> None:
    (directory / "model.safetensors.index.json").write_text(
        json.dumps({"metadata": {"total_size": 1}, "weight_map": weight_map})
    )


def test_a_sharded_head_is_found_in_its_shard(make_checkpoint: Make) -> None:
    directory = make_checkpoint(config={"tie_word_embeddings": False})
    save_sharded(
        directory,
        {
            "model-00001-of-00002.safetensors": {EMBEDDING: matrix(0.0)},
            "model-00002-of-00002.safetensors": {
                "lm_head.weight": matrix(1.0),
                "model.norm.weight": torch.ones(4),
            },
        },
    )
    head = open_head(directory)
    assert head.path == directory / "model-00002-of-00002.safetensors"
    assert (head.tensor, head.tied) == ("lm_head.weight", False)
    assert head.final_norm is not None


SHARD = "model-00001-of-00002.safetensors"


@pytest.mark.parametrize("own", ["lm_head.weight", "output.weight"])
def test_a_shard_is_no_checkpoint(make_checkpoint: Make, own: str) -> None:
    """Its embedding is not the head: that is in a shard which need not be there."""
    directory = make_checkpoint(config={})
    other = "model-00002-of-00002.safetensors"
    save_sharded(directory, {SHARD: {EMBEDDING: matrix(0.0)}, other: {own: matrix(1.0)}})
    assert open_head(directory).tensor == own
    (directory / other).unlink()
    with pytest.raises(
        UsageError,
        match=rf"{SHARD}: a shard of a larger checkpoint: open its directory, or .* --tensor NAME",
    ):
        open_head(directory / SHARD)
    head = open_head(directory / SHARD, tensor=EMBEDDING)
    assert (head.tensor, head.tied) == (EMBEDDING, False)


@pytest.mark.parametrize(
    "weight_map", [{"lm_head.weight": "two.safetensors"}, {EMBEDDING: SHARD, "other": SHARD}]
)
def test_a_file_that_holds_all_is_no_shard(
    make_checkpoint: Make, weight_map: dict[str, str]
) -> None:
    """The index beside it is of other files, or of this one alone."""
    directory = make_checkpoint()
    (directory / "model.safetensors").rename(directory / SHARD)
    write_index(directory, weight_map)
    assert open_head(directory / SHARD).tied


def test_a_file_beside_a_damaged_index_is_refused(make_checkpoint: Make) -> None:
    directory = make_checkpoint()
    (directory / "model.safetensors.index.json").write_text("{")
    with pytest.raises(CheckpointError, match=r"index\.json: not readable JSON"):
        open_head(directory / "model.safetensors")
    assert open_head(directory).tied  # whole, as transformers takes it


def sparse(path: Path, first: int, tensors: dict[str, torch.Tensor], rest: int) -> None:
    """Write tensors between two holes of a file: the holes take no disk, but reading them does."""
    header: dict[str, Any] = {
        "before": {"dtype": "U8", "shape": [first], "data_offsets": [0, first]}
    }
    place = first
    for name, tensor in tensors.items():
        end = place + tensor.nbytes
        header[name] = {"dtype": "F32", "shape": [*tensor.shape], "data_offsets": [place, end]}
        place = end
    header["after"] = {"dtype": "U8", "shape": [rest], "data_offsets": [place, place + rest]}
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with path.open("wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        file.seek(first, 1)
        for tensor in tensors.values():
            file.write(tensor.numpy().tobytes())
        file.truncate(8 + len(text) + place + rest)


def resident(directory: Path) -> int:
    """Count the bytes of a directory's files that this process has touched in its mappings."""
    total, ours = 0, False
    for line in Path("/proc/self/smaps").read_text().splitlines():
        if "-" in line.split(" ", 1)[0]:
            ours = str(directory) in line
        elif ours and line.startswith("Rss:"):
            total += int(line.split()[1]) * 1024
    return total


def test_only_the_heads_bytes_are_touched(make_checkpoint: Make) -> None:
    """The head lies between two holes of 4 GiB; of the other shards there is no file at all."""
    directory = make_checkpoint(config={"tie_word_embeddings": False})
    (directory / "model.safetensors").unlink()
    rows = torch.randn(40_000, 64)
    tensors = {"lm_head.weight": rows, "model.norm.weight": torch.ones(64)}
    sparse(directory / "model-00003-of-00003.safetensors", 4 << 30, tensors, 4 << 30)
    write_index(
        directory,
        {
            EMBEDDING: "model-00001-of-00003.safetensors",
            "model.layers.0.mlp.weight": "model-00002-of-00003.safetensors",
        }
        | dict.fromkeys(["before", *tensors, "after"], "model-00003-of-00003.safetensors"),
    )
    before = resident(directory)
    head = open_head(directory)
    slack = 512 << 10  # the header, the norm and what the system reads ahead
    assert before == 0
    assert resident(directory) <= slack
    logits_V = head.logits(np.ones(64))
    head.index  # noqa: B018 - reads every norm
    np.testing.assert_allclose(logits_V, rows.double().sum(dim=1).numpy(), rtol=1e-9)
    assert rows.nbytes <= resident(directory) <= rows.nbytes + slack


@pytest.mark.parametrize(
    "shard", ["../model.safetensors", "/etc/passwd", "a/b", "a\\b", "..", ".", "", "c:d", "a\0b", 7]
)
def test_an_index_names_only_files_beside_it(make_checkpoint: Make, shard: object) -> None:
    directory = make_checkpoint()
    (directory / "model.safetensors").rename(directory.parent / "model.safetensors")
    write_index(directory, {EMBEDDING: shard})
    with pytest.raises(
        CheckpointError, match="the name of a file in the same directory is expected"
    ):
        open_head(directory)


@pytest.mark.parametrize("weight_map", [None, [], {}, "model.safetensors"])
def test_an_index_without_a_map_is_refused(make_checkpoint: Make, weight_map: object) -> None:
    directory = make_checkpoint()
    (directory / "model.safetensors").unlink()
    write_index(directory, weight_map)
    with pytest.raises(CheckpointError, match="it has no weight_map from tensors to files"):
        open_head(directory)


def test_a_shard_must_hold_what_the_index_says(make_checkpoint: Make) -> None:
    directory = make_checkpoint()
    (directory / "model.safetensors").rename(directory / "one.safetensors")
    write_index(directory, {"lm_head.weight": "one.safetensors"})
    with pytest.raises(
        CheckpointError,
        match=r"one\.safetensors: no tensor 'lm_head\.weight', which model\.safetensors\.index",
    ):
        open_head(directory)
    write_index(directory, {EMBEDDING: "two.safetensors"})
    with pytest.raises(CheckpointError, match=r"two\.safetensors: not a readable safetensors file"):
        open_head(directory)


def test_one_file_is_a_source(make_checkpoint: Make, tmp_path: Path) -> None:
    directory = make_checkpoint()
    (directory / "model.safetensors").rename(directory / "head.safetensors")
    file = directory / "head.safetensors"
    assert open_head(file).tensor == EMBEDDING
    assert open_head(str(file)).source == str(file)
    (directory / "config.json").write_text('{"tie_word_embeddings": false}')
    with pytest.raises(CheckpointError, match=r"config\.json says that it is not tied"):
        open_head(file)
    (directory / "config.json").unlink()
    head = open_head(file)
    assert (head.tied, head.architecture, head.scale, head.softcap) == (True, None, 1.0, None)
    (directory / "tokenizer.json").rename(tmp_path / "words.json")
    with pytest.raises(VocabularyError, match=r"tokenizer\.json"):
        open_head(file)
    named = open_head(file, tokenizer=tmp_path / "words.json")
    assert named.vocabulary.id_of(" king") == head.vocabulary.id_of(" king")


# What is no head.


def test_a_checkpoint_without_a_head_lists_its_matrices(make_checkpoint: Make) -> None:
    directory = make_checkpoint(tensors={"strange": matrix(1.0), "norm": torch.zeros(4)})
    with pytest.raises(
        CheckpointError, match=r"none of its tensors .* its matrices are 'strange'$"
    ):
        open_head(directory)


def test_an_embedding_is_not_taken_for_a_head_that_is_not_tied(make_checkpoint: Make) -> None:
    directory = make_checkpoint(
        tensors={EMBEDDING: matrix(1.0)}, config={"tie_word_embeddings": False}
    )
    with pytest.raises(CheckpointError, match=r"says that it is not tied"):
        open_head(directory)


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"hidden_size": 5}, "width 5"),
        ({"vocab_size": 301}, "at least 301 rows"),
        ({"d_model": 8, "vocab_size": 301}, "width 8 and at least 301 rows"),
    ],
)
def test_a_head_must_fit_its_configuration(
    make_checkpoint: Make, config: dict[str, int], said: str
) -> None:
    directory = make_checkpoint(tensors={EMBEDDING: matrix(1.0)}, config=config)
    with pytest.raises(CheckpointError, match=rf"shape \(300, 4\); .* a head has {said}: one of"):
        open_head(directory)
    assert open_head(directory, tensor=EMBEDDING).rows.width == 4


@pytest.mark.parametrize(
    ("name", "other", "scaled"),
    [
        ("lm_head.weight", "lm_head.weight_scale", True),
        ("lm_head.weight", "lm_head.scales", True),
        ("lm_head.weight", "lm_head.weight.absmax", True),
        ("lm_head.weight", "model.scale", False),
        ("weight", "weight_scale", True),
        ("weight", "weight.absmax", True),
        ("weight", "logit_scale", False),
        ("w", "w_scale", True),
        ("w", "wide.scale", False),
    ],
)
def test_rows_that_another_tensor_scales_are_refused(
    make_checkpoint: Make, name: str, other: str, scaled: bool
) -> None:
    directory = make_checkpoint(tensors={name: matrix(1.0), other: torch.ones(300)})
    if not scaled:
        assert open_head(directory, tensor=name).tensor == name
        return
    said = f"the rows of '{name}' are (scaled by|packed with) '{other}'"
    with pytest.raises(CheckpointError, match=said):
        open_head(directory, tensor=name)


@pytest.mark.parametrize(
    ("tensor", "message"),
    [
        (torch.ones(0, 4), r"has shape \(0, 4\); a head is a matrix of at least one row"),
        (torch.ones(300, 0), r"has shape \(300, 0\)"),
        (torch.ones(300), r"has shape \(300,\)"),
        (torch.ones(300, 4, dtype=torch.int64), "is I64; rows can be BF16, F16, F32"),
        (torch.ones(300, 4, dtype=torch.uint8), "is U8"),
    ],
)
def test_a_tensor_that_is_no_head_is_refused(
    make_checkpoint: Make, tensor: torch.Tensor, message: str
) -> None:
    with pytest.raises(CheckpointError, match=message):
        open_head(make_checkpoint(tensors={"lm_head.weight": tensor}))


def test_a_tokenizer_of_another_model_is_refused(make_checkpoint: Make) -> None:
    with pytest.raises(VocabularyError, match="has no row: the head has 3 rows"):
        open_head(make_checkpoint(tensors={EMBEDDING: matrix(1.0, rows=3)}))


def test_names_in_errors_hold_no_escapes(make_checkpoint: Make) -> None:
    directory = make_checkpoint(tensors={"a\x1b]0;x\x07\nunembed: b": matrix(1.0)})
    with pytest.raises(CheckpointError) as caught:
        open_head(directory)
    assert "\x1b" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_name_too_long_for_the_system_is_refused() -> None:
    with pytest.raises(CheckpointError, match=r"not readable: .*File name too long"):
        open_head("a" * 300)


def test_a_name_with_a_zero_byte_is_refused() -> None:
    with pytest.raises(CheckpointError, match="no such checkpoint directory"):
        open_head("a\0b")


@pytest.mark.parametrize("revision", ["main", ""])
@pytest.mark.parametrize("source", ["demo", "./here"])
def test_a_local_source_has_no_revisions(source: str, revision: str) -> None:
    with pytest.raises(UsageError, match=r"revisions are of a model hub"):
        open_head(source, revision=revision)


def test_a_path_is_never_a_demo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(CheckpointError, match="no such checkpoint directory"):
        open_head(Path("demo"))


def test_what_is_no_checkpoint_is_named(tmp_path: Path, make_checkpoint: Make) -> None:
    with pytest.raises(CheckpointError, match="nowhere: no such checkpoint directory"):
        open_head(tmp_path / "nowhere")
    with pytest.raises(
        CheckpointError, match=r"neither model\.safetensors nor .*index\.json is there"
    ):
        open_head(tmp_path)
    (tmp_path / "pytorch_model.bin").write_bytes(b"")
    with pytest.raises(CheckpointError, match=r"pytorch_model\.bin: .* pickled weights .* never"):
        open_head(tmp_path / "pytorch_model.bin")
    (tmp_path / "model.pt").write_bytes(b"")
    with pytest.raises(CheckpointError, match=r"model\.pt: not a \.safetensors file; give"):
        open_head(tmp_path / "model.pt")
    with pytest.raises(CheckpointError, match=r"is never read; .*save_pretrained"):
        open_head(tmp_path)
    directory = make_checkpoint()
    config = directory / "config.json"
    config.write_text("[1]")
    with pytest.raises(CheckpointError, match="a JSON object is expected, not list"):
        open_head(directory)
    with config.open("wb") as file:
        file.truncate(17 << 20)
    with pytest.raises(CheckpointError, match="17,825,792 bytes; at most 16,777,216 are read"):
        open_head(directory)
    config.write_bytes(b"\xff{")
    with pytest.raises(CheckpointError, match=r"config\.json: not readable JSON"):
        open_head(directory)
    config.unlink()
    with pytest.raises(CheckpointError, match=r"config\.json: missing$"):
        open_head(directory)
    config.mkdir()
    with pytest.raises(CheckpointError, match=r"config\.json: not a file of its own"):
        open_head(directory)


@pytest.mark.parametrize("damage", ["cut", "grown", "length", "empty", "overlap", "beyond"])
@pytest.mark.parametrize("sharded", [False, True])
def test_damaged_weights_are_refused(make_checkpoint: Make, damage: str, sharded: bool) -> None:
    directory = make_checkpoint()
    weights = directory / "model.safetensors"
    content = weights.read_bytes()
    start = 8 + int.from_bytes(content[:8], "little")
    header = json.loads(content[8:start])
    if damage in {"overlap", "beyond"}:
        shift = -2 if damage == "overlap" else len(content)
        offsets = header["other"]["data_offsets"]
        header["other"]["data_offsets"] = [place + shift for place in offsets]
    text = json.dumps(header).encode()
    rewritten = struct.pack("<Q", len(text)) + text + content[start:]
    weights.write_bytes(
        {
            "cut": content[:-1],
            "grown": content + b"\0",
            "length": struct.pack("<Q", len(content)) + content[8:],
            "empty": b"",
        }.get(damage, rewritten)
    )
    if sharded:
        weights.rename(directory / "one.safetensors")
        write_index(directory, {EMBEDDING: "one.safetensors"})
    with pytest.raises(CheckpointError, match="not a readable safetensors file"):
        open_head(directory)


def test_an_unreadable_directory_is_an_error(
    make_checkpoint: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory = make_checkpoint()

    def refuse(_: Path) -> bool:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "exists", refuse)
    with pytest.raises(SourceError, match=r"not readable: .*Permission denied"):
        open_head(directory)
