"""Vectors as files: the same values in every format, whole or not at all, a block at a time."""

import io
import json
import os
import tracemalloc
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from gensim.models import KeyedVectors
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from safetensors.numpy import load_file
from unembed import Head, open_head
from unembed.cli import main
from unembed.errors import CheckpointError, ExpressionError, UsageError
from unembed.geometry.concepts.compose import Composition
from unembed.geometry.exporting import vectors as vectors_module
from unembed.geometry.exporting import writers
from unembed.geometry.exporting.export import ExportOptions, export
from unembed.geometry.exporting.vectors import Vectors
from unembed.geometry.exporting.words import words_of
from unembed.geometry.space import open_space

from .conftest import HOSTILE
from .helpers import decoded

Make = Callable[..., Path]
ENDINGS = [".npy", ".safetensors", ".parquet", ".txt", ".vec", ".bin"]
FAMILIES = ["byte_level", "sentencepiece", "unigram", "wordpiece"]
ODD = [
    "sea",
    " ",
    "\n",
    "a b",
    "\u3000",
    "",
    "\u2028x",
    "🐴",
    *HOSTILE,
    "\\u0020",
    "\r",
    "a\tb\x85",
]


def read(path: Path) -> tuple[list[str] | None, NDArray[np.float32]]:
    """Read the names or words and the vectors of a file by what other programs read it with."""
    if path.suffix == ".npy":
        words = path.with_suffix(".txt").read_text(encoding="utf-8").split("\n")
        assert words.pop() == ""
        return words, np.load(path)
    if path.suffix == ".safetensors":
        held = load_file(path)
        starts, packed = held["name_starts"], held["names"].tobytes()
        names = [packed[at:end].decode() for at, end in pairwise(starts)]
        return names, held["vectors"]
    if path.suffix == ".parquet":
        table = pq.read_table(path)
        names = table.column("token" if "token" in table.column_names else "expression")
        return names.to_pylist(), np.array(table.column("vector").to_pylist(), dtype=np.float32)
    found = KeyedVectors.load_word2vec_format(path, binary=path.suffix == ".bin")
    return found.index_to_key, found.vectors


def same(found: NDArray[np.float32], wanted: NDArray[Any]) -> None:
    """Compare values bit for bit."""
    assert found.dtype == np.float32
    assert found.tobytes() == wanted.astype(np.float32).tobytes()


# Rows.


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("dtype", ["BF16", "F16", "F32", "F64"])
def test_rows_are_those_of_the_file(
    make_checkpoint: Make, tmp_path: Path, dtype: str, ending: str
) -> None:
    head = open_head(make_checkpoint(dtype=dtype))
    path = tmp_path / f"rows{ending}"
    written = head.export(path)
    known = int(head.vocabulary.known_V.sum())
    assert (written.shape, written.paths[0]) == ((known, 16), path)
    names, found_ND = read(path)
    same(found_ND, decoded(head.rows)[:known])
    tokens = [head.vocabulary.token(id_) for id_ in range(known)]
    if ending in {".parquet", ".safetensors"}:
        assert (names, written.respelled) == (tokens, 0)
    else:
        assert names == words_of(tokens, range(known))[0]
        assert written.respelled == 1  # "[bold red]" has a space


@pytest.mark.parametrize("space", ["logit", "cosine", "centred", "causal", "causal:0.1"])
@pytest.mark.parametrize("unit", [False, True])
def test_rows_are_placed_in_a_space(
    make_checkpoint: Make, tmp_path: Path, space: str, unit: bool
) -> None:
    head = open_head(make_checkpoint())
    path = tmp_path / "rows.parquet"
    head.export(path, region="words", exclude_region="/king/", space=space, unit=unit)
    table = pq.read_table(path)
    ids = table.column("id").to_pylist()
    assert table.column("token").to_pylist() == [head.vocabulary.token(id_) for id_ in ids]
    assert table.column("text").to_pylist() == [head.vocabulary.text(id_) for id_ in ids]
    assert " king" not in table.column("text").to_pylist()
    placed_ND = open_space(head, space).place(decoded(head.rows)[ids])
    if unit:
        placed_ND /= np.linalg.norm(placed_ND, axis=1, keepdims=True)
    _, found_ND = read(path)
    np.testing.assert_allclose(found_ND, placed_ND, rtol=1e-6, atol=1e-12)
    about = json.loads(table.schema.metadata[b"unembed"])
    assert about == {
        "schema": 1,
        "source": head.source,
        "tensor": "model.embed_tokens.weight",
        "region": "words - /king/",
        "space": space,
        "folded": False,
        "unit": unit,
        "residual": False,
    }


def test_a_fragment_has_no_text(make_checkpoint: Make, tmp_path: Path) -> None:
    head = open_head(make_checkpoint("byte_level"))
    head.export(tmp_path / "bytes.parquet", region="bytes")
    texts = pq.read_table(tmp_path / "bytes.parquet").column("text").to_pylist()
    ids = pq.read_table(tmp_path / "bytes.parquet").column("id").to_pylist()
    assert texts == [head.vocabulary.text(id_) for id_ in ids]
    assert texts.count(None) > 100


def test_the_norm_is_folded_in(saved_model: Callable[[str], Path], tmp_path: Path) -> None:
    head = open_head(saved_model("gemma"))
    assert head.final_norm is not None
    head.export(tmp_path / "folded.npy", fold_norm=True)
    head.export(tmp_path / "placed.npy", fold_norm=True, space="logit")
    (_, folded_ND), (_, placed_ND) = (read(tmp_path / f"{_}.npy") for _ in ("folded", "placed"))
    known_N = np.flatnonzero(head.vocabulary.known_V)
    same(folded_ND, head.rows.decode(known_N) * head.final_norm.weight_D)
    same(placed_ND, folded_ND)


def test_a_row_at_zero_stays_there(make_checkpoint: Make, tmp_path: Path) -> None:
    rows = torch.randn(290, 16, generator=torch.Generator().manual_seed(1))
    rows[7] = 0
    head = open_head(make_checkpoint(tensors={"model.embed_tokens.weight": rows}))
    head.export(tmp_path / "rows.npy", region=[6, 7], unit=True)
    _, found_ND = read(tmp_path / "rows.npy")
    assert np.linalg.norm(found_ND, axis=1).round(6).tolist() == [1, 0]


# Concepts.


@pytest.mark.parametrize("ending", ENDINGS)
def test_concepts_are_written_as_they_are_composed(
    make_checkpoint: Make, tmp_path: Path, ending: str
) -> None:
    head, path = open_head(make_checkpoint()), tmp_path / f"concepts{ending}"
    asked = ["sea + horse", "king", "-2*king", '"[bold red]"']
    for options in ({}, {"space": "logit"}, {"space": "centred", "pieces": "sum"}):
        composition: Composition = options  # type: ignore[assignment]
        concepts = [head.concept(query, **composition) for query in asked]
        written = head.export(path, asked, **composition)
        names, found_ND = read(path)
        same(found_ND, np.array([concept.vector_D for concept in concepts]))
        assert written.shape == (4, 16)
        head.export(path, asked, unit=True, **composition)
        same(read(path)[1], np.array([concept.unit().vector_D for concept in concepts]))
        head.export(path, asked, residual=True, **composition)
        same(read(path)[1], np.array([head.vector(query, **composition) for query in asked]))
    if ending in {".parquet", ".safetensors"}:
        assert names == asked
    else:
        assert names == ["sea\\u0020+\\u0020horse", "king", "-2*king", '"[bold\\u0020red]"']


@pytest.mark.parametrize("ending", [".npy", ".safetensors"])
def test_residuals_ask_the_same(make_checkpoint: Make, tmp_path: Path, ending: str) -> None:
    from unembed.indexes.vectors import read_vectors

    head, path = open_head(make_checkpoint()), tmp_path / f"asked{ending}"
    asked = ["sea + 0.5*horse", "king - man"]
    head.export(path, asked, residual=True)
    for query, residual_D in zip(asked, read_vectors(path, width=16), strict=True):
        (wanted, found) = (head.nearest(given, keep_inputs=True) for given in (query, residual_D))
        assert [near.id for near in found.neighbours] == [near.id for near in wanted.neighbours]


def test_queries_of_every_form_are_named(make_checkpoint: Make, tmp_path: Path) -> None:
    head, path = open_head(make_checkpoint()), tmp_path / "all.safetensors"
    queries: list[Any] = [np.ones(16), [("king", 1), (7, -2)], head.concept("sea") * 2, "sea"]
    head.export(path, queries)
    names, found_ND = read(path)
    assert names == ["vector 1", "1.0*king + (-2.0*#7)", "2.0*sea", "sea"]
    same(found_ND[2:3], 2 * head.concept("sea").vector_D[None])
    about = json.loads(json.loads(_header(path))["__metadata__"]["unembed"])
    assert about["space"] == "causal"
    assert "region" not in about


def _header(path: Path) -> bytes:
    content = path.read_bytes()
    return content[8 : 8 + int.from_bytes(content[:8], "little")]


# Words.


def test_words_have_no_white_space_and_differ() -> None:
    words, respelled = words_of(ODD, range(len(ODD)))
    assert len(set(words)) == len(ODD)
    assert not any(char.isspace() for word in words for char in word)
    kept = {"sea", "🐴", "<script>alert(1)</script>", "\x1b[31m", "\u202e", "\\u0020"}
    assert {word for word, name in zip(words, ODD, strict=True) if word == name} == kept
    assert respelled == len(ODD) - len(kept)
    assert words[ODD.index("\\u0020")] == "\\u0020"  # what is a word already comes first
    assert words[ODD.index(" ")] == "\\u0020#1"
    assert words[ODD.index("")] == f"#{ODD.index('')}"


@given(names=st.lists(st.text(max_size=6) | st.sampled_from([*ODD, "x" * 2000, "\ud800"])))
def test_words_are_one_each_whatever_the_names(names: list[str]) -> None:
    words, respelled = words_of(names, range(5, 5 + len(names)))
    assert len(words) == len(names) == len(set(words))
    assert respelled == sum(word != name for word, name in zip(words, names, strict=True))
    for word in words:
        assert word
        assert not any(char.isspace() for char in word)
        assert len(word.encode()) < 1024
    assert words_of(words, range(len(words))) == (words, 0)


def test_adversaries_of_uniqueness_lose() -> None:
    names = ["a", "a", "a#1", "a#1#1", "x" * 1001, "x" * 2000, "x" * 900]
    words, respelled = words_of(names, [0, 1, 2, 3, 4, 5, 6])
    assert words[:4] == ["a", "a#1#1#1", "a#1", "a#1#1"]
    assert words[4:] == ["x" * 900 + "#4", "x" * 900 + "#5", "x" * 900]
    assert respelled == 3


def test_what_is_respelled_is_counted_aloud(
    make_checkpoint: Make, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    head = open_head(make_checkpoint())
    head.export(tmp_path / "a.parquet")
    head.export(tmp_path / "a.vec", region="words")
    assert caplog.messages == []
    head.export(tmp_path / "a.npy")
    assert caplog.messages == [
        (
            f"{tmp_path / 'a.txt'}: 1 of 282 names are spelled otherwise, as words have no white "
            "space and differ; .safetensors and .parquet hold them as they are"
        )
    ]


# Every format holds any values under any names.


@given(data=st.data())
@settings(max_examples=60, deadline=None)
def test_values_and_names_come_back(tmp_path_factory: pytest.TempPathFactory, data: Any) -> None:
    ending = data.draw(st.sampled_from(ENDINGS))
    width = data.draw(st.integers(1, 5))
    names = data.draw(st.lists(st.text(max_size=5) | st.sampled_from(ODD), min_size=1, max_size=9))
    floats = st.floats(width=32, allow_nan=False, allow_infinity=False)
    values = data.draw(
        st.lists(st.lists(floats, min_size=width, max_size=width), min_size=len(names))
    )[: len(names)]
    values_ND = np.array(values, dtype=np.float32)
    step = data.draw(st.integers(1, 10))
    path = tmp_path_factory.mktemp("any") / f"any{ending}"
    from unembed.geometry.exporting import export as module

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(writers, "_GROUP_VALUES", data.draw(st.integers(1, 20)))
        module._written(path, Vectors(names, width, _cut(values_ND, step)), {})
    found, found_ND = read(path)
    same(found_ND, values_ND)
    plain = ending in {".parquet", ".safetensors"}
    assert found == (names if plain else words_of(names, range(1, 1 + len(names)))[0])
    if not plain:  # our own reader takes it too
        again = open_head(path)
        assert [again.vocabulary.token(place) for place in range(len(names))] == found
        same(again.rows.decode(slice(len(names))).astype(np.float32), values_ND)


def _cut(values_ND: NDArray[np.float32], step: int) -> Iterator[tuple[slice, NDArray[np.float32]]]:
    for start in range(0, len(values_ND), step):
        yield slice(start, start + step), values_ND[start : start + step]


@pytest.mark.parametrize("ending", [".npy", ".vec", ".bin"])
@pytest.mark.parametrize("family", FAMILIES)
def test_a_written_head_is_a_source(
    make_checkpoint: Make, tmp_path: Path, family: str, ending: str
) -> None:
    head, path = open_head(make_checkpoint(family)), tmp_path / f"again{ending}"
    head.export(path)
    again = open_head(path)
    queen = head.nearest("king - man + woman", space="cosine", top=1).neighbours[0]
    names = [head.vocabulary.token(head.vocabulary.id_of(f" {_}") or 0) for _ in ("king", "man")]
    woman = head.vocabulary.token(head.vocabulary.id_of(" woman") or 0)
    asked = f'token("{names[0]}") - token("{names[1]}") + token("{woman}")'
    found = again.nearest(asked, space="cosine", top=1).neighbours[0]
    assert (found.token, found.score) == (queen.token, queen.score)


@pytest.mark.parametrize("ending", [".vec", ".bin"])
@pytest.mark.parametrize("family", FAMILIES)
def test_gensim_finds_the_same(
    make_checkpoint: Make, tmp_path: Path, family: str, ending: str
) -> None:
    head, path = open_head(make_checkpoint(family)), tmp_path / f"rows{ending}"
    head.export(path)
    vectors = KeyedVectors.load_word2vec_format(path, binary=ending == ".bin")
    for word in ("king", "sea", "pizza"):
        id_ = head.vocabulary.id_of(f" {word}")
        assert id_ is not None
        theirs = vectors.most_similar(vectors.index_to_key[id_], topn=20)
        ours = head.nearest(f"#{id_}", space="cosine", top=20).neighbours
        assert [vectors.index_to_key[near.id] for near in ours] == [name for name, _ in theirs]


# Files.


@pytest.mark.parametrize("ending", ENDINGS)
def test_the_same_vectors_are_the_same_bytes(
    make_checkpoint: Make, tmp_path: Path, ending: str
) -> None:
    head, path = open_head(make_checkpoint()), tmp_path / f"same{ending}"
    files = []
    for _ in range(2):
        written = head.export(path, space="causal", unit=True)
        files.append([each.read_bytes() for each in written.paths])
    assert files[0] == files[1]


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("stop", [KeyboardInterrupt, OSError(28, "No space left on device")])
def test_what_is_not_whole_is_not_there(
    make_checkpoint: Make, tmp_path: Path, ending: str, stop: Any
) -> None:
    head = open_head(make_checkpoint())
    out = tmp_path / "out"
    out.mkdir()
    path = out / f"rows{ending}"
    wanted = UsageError if isinstance(stop, OSError) else KeyboardInterrupt

    def stopped(step: str, done: int, total: int) -> None:
        raise stop

    with pytest.raises(wanted) as caught:
        head.export(path, progress=stopped)
    assert wanted is KeyboardInterrupt or "written: No space left on device" in str(caught.value)
    assert list(out.iterdir()) == []
    before = [each.read_bytes() for each in head.export(path).paths]
    with pytest.raises(wanted):
        head.export(path, region="words", progress=stopped)
    assert [each.read_bytes() for each in sorted(out.iterdir())] == before


def test_words_that_cannot_be_written_leave_nothing(
    make_checkpoint: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    head, out = open_head(make_checkpoint()), tmp_path / "out"
    out.mkdir()
    from unembed.geometry.exporting import export as module

    write = module._write

    def failing(path: Path, writer: Any) -> None:
        if path.suffix == ".txt":
            raise UsageError("full")
        write(path, writer)

    monkeypatch.setattr(module, "_write", failing)
    with pytest.raises(UsageError, match="full"):
        head.export(out / "a.npy")
    assert list(out.iterdir()) == []


def test_the_words_of_an_array_replace_no_other_file(make_checkpoint: Make, tmp_path: Path) -> None:
    head = open_head(make_checkpoint())
    mine = tmp_path / "mine.txt"
    mine.write_text("king\nsea\n")
    with pytest.raises(UsageError, match=r"mine\.npy: its words go to mine\.txt, which is there"):
        head.export(tmp_path / "mine.npy", region=str(mine))
    assert mine.read_text() == "king\nsea\n"
    head.export(tmp_path / "other.npy", region=str(mine))
    head.export(tmp_path / "other.npy", region="words")  # its own words are replaced
    assert len(read(tmp_path / "other.npy")[0] or []) == len(np.load(tmp_path / "other.npy"))
    with pytest.raises(UsageError, match=r"other\.txt: holds the words of other\.npy"):
        head.export(tmp_path / "other.txt")


def test_the_head_is_not_written_over(make_checkpoint: Make, tmp_path: Path) -> None:
    directory = make_checkpoint()
    weights = directory / "model.safetensors"
    before = weights.read_bytes()
    for source in (directory, weights):
        with pytest.raises(UsageError, match="the head is read from it; name another file"):
            open_head(source).export(weights, ["king"])
    assert weights.read_bytes() == before
    open_head(directory).export(tmp_path / "a.vec")
    with pytest.raises(UsageError, match="the head is read from it"):
        open_head(tmp_path / "a.vec").export(tmp_path / "a.vec")


def test_rows_are_read_a_block_at_a_time(
    make_checkpoint: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Memory is that of some blocks, and of the names, whatever the format."""
    rows = torch.randn(288, 4096, generator=torch.Generator().manual_seed(1)).bfloat16()
    head = open_head(make_checkpoint(tensors={"model.embed_tokens.weight": rows}))
    monkeypatch.setattr("unembed.indexes.rows._FEWEST_ROWS", 4)
    monkeypatch.setattr("unembed.indexes.rows._BLOCK_VALUES", 1 << 14)
    monkeypatch.setattr(writers, "_GROUP_VALUES", 1 << 14)
    for ending in ENDINGS:  # what is loaded first is no block
        head.export(tmp_path / f"warm{ending[1:]}{ending}", region=[1])
    told: list[int] = []
    for ending in ENDINGS:
        told.clear()
        tracemalloc.start()
        path = tmp_path / f"{ending[1:]}{ending}"
        head.export(path, progress=lambda *step: told.append(step[1]))
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert told == [*range(4, 282, 4), 282]
        assert peak < 288 * 4096 * 4 / 3  # all of them in float32 take 4.7 MB
    assert pq.ParquetFile(tmp_path / "parquet.parquet").num_row_groups == 71


# What is refused.


@pytest.mark.parametrize(
    ("name", "queries", "options", "error", "message"),
    [
        ("a.xlsx", None, {}, UsageError, "a file of vectors is written as .npy, .safetensors"),
        ("no/a.vec", None, {}, UsageError, "cannot be written: No such file or directory"),
        ("a\0.vec", None, {}, UsageError, "a path has no NUL character"),
        ("a.vec", [], {}, UsageError, "0 given; 1 to 16,777,216 expressions of width 16"),
        ("a.vec", "sea", {}, UsageError, r"queries is the one text 'sea'; give a list: \['sea'\]"),
        ("a.vec", ["sea +"], {}, ExpressionError, "the end cannot stand here"),
        ("a.vec", ["sea"], {"region": "emoji"}, UsageError, "a region is of rows"),
        ("a.vec", ["sea"], {"exclude_region": "emoji"}, UsageError, "a region is of rows"),
        ("a.vec", ["sea"], {"space": "x"}, UsageError, "unknown space 'x'"),
        ("a.vec", ["sea"], {"space": ""}, UsageError, "unknown space ''"),
        ("a.vec", None, {"space": ""}, UsageError, "unknown space ''"),
        ("a.vec", None, {"region": "x"}, UsageError, "unknown region 'x'"),
        ("a.vec", None, {"residual": True}, UsageError, "residuals stand for concepts; give"),
        ("a.vec", None, {"pieces": "first"}, UsageError, "say how expressions are composed"),
        ("a.vec", None, {"estimator": "ridge"}, UsageError, "say how expressions are composed"),
        ("a.vec", None, {"fold_norm": True}, UsageError, "has no final norm that could be folded"),
        ("a.vec", ["sea - sea"], {"unit": True}, ExpressionError, "it comes out at zero"),
        ("a.vec", ["sea - sea"], {"residual": True}, ExpressionError, "it comes out at zero"),
        ("a.vec", ["sea", "1e60*sea"], {}, UsageError, "is longer than float32 holds; divide it"),
    ],
)
def test_a_wrong_call_says_what_is_wrong(
    make_checkpoint: Make,
    tmp_path: Path,
    name: str,
    queries: Any,
    options: dict[str, Any],
    error: type[Exception],
    message: str,
) -> None:
    head, out = open_head(make_checkpoint()), tmp_path / "out"
    out.mkdir()
    with pytest.raises(error, match=message):
        head.export(out / name, queries, **options)
    assert list(out.iterdir()) == []


def test_concepts_are_held_up_to_a_limit(
    make_checkpoint: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vectors_module, "_LIMIT", 3 * 4 * 16)
    head = open_head(make_checkpoint())
    assert head.export(tmp_path / "a.vec", ["sea"] * 3).respelled == 2
    with pytest.raises(UsageError, match="4 given; 1 to 3 expressions of width 16"):
        head.export(tmp_path / "a.vec", ["sea"] * 4)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 1e300])
def test_damaged_rows_are_named(make_checkpoint: Make, tmp_path: Path, value: float) -> None:
    rows = torch.randn(290, 16, dtype=torch.float64)
    rows[41, 3] = value
    head = open_head(make_checkpoint(tensors={"model.embed_tokens.weight": rows}))
    with pytest.raises(CheckpointError, match="row 41 of the head is NaN, infinite or beyond"):
        head.export(tmp_path / "a.vec")
    assert not (tmp_path / "a.vec").exists()
    assert head.export(tmp_path / "a.vec", region=[40, 42]).shape == (2, 16)


def test_what_is_wrong_is_said_before_long_work(
    make_checkpoint: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*given: object, **options: object) -> None:
        raise AssertionError("derived first")

    monkeypatch.setattr("unembed.geometry.concepts.compose.open_space", never)
    monkeypatch.setattr("unembed.geometry.exporting.export.open_space", never)
    head = open_head(make_checkpoint())
    wrong: list[tuple[str, Any, dict[str, Any]]] = [
        ("a.x", ["sea"], {}),
        ("no/a.vec", None, {"space": "causal"}),
        ("a.vec", ["sea +"], {}),
        ("a.vec", None, {"space": "causal", "region": "x"}),
        ("a.vec", [], {}),
    ]
    for name, queries, options in wrong:
        with pytest.raises(UsageError):
            head.export(tmp_path / name, queries, **options)


# The command.


@pytest.fixture
def run(
    make_checkpoint: Make, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Callable[..., tuple[int, str, str]]:
    directory = make_checkpoint(dtype="F32")
    monkeypatch.chdir(directory.parent)
    directory.rename("head")

    def run(*arguments: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as caught:
            main(["export", "./head", *arguments])
        output = capsys.readouterr()
        assert isinstance(caught.value.code, int)
        return caught.value.code, output.out, output.err

    return run


Run = Callable[..., tuple[int, str, str]]


def test_the_command_writes_what_the_method_does(run: Run, tmp_path: Path) -> None:
    head = open_head("./head")
    calls: list[tuple[list[str], Any, ExportOptions]] = [
        (["--region", "words"], None, {"region": "words"}),
        (["--space", "centred", "--unit"], None, {"space": "centred", "unit": True}),
        (["--exclude-region", "bytes"], None, {"exclude_region": "bytes"}),
        (["sea", "king - man"], ["sea", "king - man"], {}),
        (["sea", "--residual", "--space", "logit"], ["sea"], {"residual": True, "space": "logit"}),
        (["--", "-king + sea"], ["-king + sea"], {}),
    ]
    for ending in ENDINGS:
        for place, (arguments, queries, options) in enumerate(calls):
            mine, theirs = f"mine{place}{ending}", f"theirs{place}{ending}"
            if ending == ".txt":  # .npy has taken those
                mine, theirs = f"text-{mine}", f"text-{theirs}"
            code, out, _ = run("-o", mine, *arguments)
            assert code == 0
            written = head.export(theirs, queries, **options)
            assert out.splitlines()[0] == f"{written.shape[0]:,} vectors of 16 values"
            assert out.count("written: ") == len(written.paths)
            assert Path(mine).read_bytes() == Path(theirs).read_bytes()


def test_output_is_exact(run: Run) -> None:
    assert run("--region", "emoji", "-o", "emoji.npy") == (
        0,
        "6 vectors of 16 values\nwritten: emoji.npy\nwritten: emoji.txt\n",
        "",
    )
    assert Path("emoji.txt").read_text() == "🐴\n🐟\n🐶\n❤️\n👩‍🚀\n▁🐴\n"
    code, out, err = run("sea", "sea + horse", "sea", "-o", "a.vec", "--space", "logit")
    assert (code, out) == (0, "3 vectors of 16 values\nwritten: a.vec\n")
    assert err.startswith("unembed: a.vec: 2 of 3 names are spelled otherwise")
    words = [line.partition(" ")[0] for line in Path("a.vec").read_text().splitlines()]
    assert words == ["3", "sea", "sea\\u0020+\\u0020horse", "sea#3"]
    rows_ND = open_head("./head").rows.decode(slice(None))
    numbers = Path("a.vec").read_text().splitlines()[1].split(" ")[1:]
    sea = open_head("./head").vocabulary.id_of(" sea")
    assert [float(number) for number in numbers] == pytest.approx(rows_ND[sea].tolist(), rel=1e-7)


def test_expressions_come_from_stdin(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("king\n\n  -sea + horse"))
    assert run("-", "🐴", "-o", "a.parquet")[0] == 0
    found = pq.read_table("a.parquet").column("expression").to_pylist()
    assert found == ["king", "-sea + horse", "🐴"]


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["sea"], "Error: Missing option '-o' / '--output'"),
        (["-o", "a.x"], "unembed: a.x: a file of vectors is written as .npy"),
        (["-ocean + sea", "-o", "a.vec"], "Error: -o is given more than once; one FILE is written"),
        (["-king", "-o", "a.vec"], "Error: No such option '-k'"),
        (["--spice", "-o", "a.vec"], "Error: No such option '--spice'"),
        (["sea +", "-o", "a.vec"], "unembed: the end cannot stand here"),
        (["sea", "--region", "emoji", "-o", "a.vec"], "unembed: a region is of rows"),
        (["--residual", "-o", "a.vec"], "unembed: residuals stand for concepts"),
        (["-o", "."], "unembed: .: a file of vectors is written as"),
    ],
)
def test_a_wrong_call_exits_with_2(run: Run, arguments: list[str], line: str) -> None:
    code, out, err = run(*arguments)
    assert (code, out) == (2, "")
    assert line in err
    assert "Traceback" not in err
    assert os.listdir() == ["head"] or set(os.listdir()) == {"head", "cache"}  # noqa: PTH208


def test_the_options_are_the_librarys() -> None:
    import click
    from unembed.cli import unembed

    from .test_docstrings import keywords_of

    command = unembed.commands["export"]
    own = {"tensor", "tokenizer", "revision", "outputs"}
    options = {each.name for each in command.params if isinstance(each, click.Option)} - own
    defaults = keywords_of(export)
    assert options == set(defaults) - {"progress"}
    given = command.make_context("export", ["demo", "-o", "a.vec"]).params
    assert {name: given[name] for name in options} == {name: defaults[name] for name in options}


# The real heads.


@pytest.mark.real
@pytest.mark.parametrize("name", ["demo", "demo-bytes"])
def test_real_rows_are_what_gensim_reads(name: str, tmp_path: Path) -> None:
    head: Head = open_head(name)
    path = tmp_path / "rows.bin"
    written = head.export(path)
    known_N = np.flatnonzero(head.vocabulary.known_V)
    assert written.shape == (len(known_N), head.rows.width)
    vectors = KeyedVectors.load_word2vec_format(path, binary=True)
    same(vectors.vectors, head.rows.decode(known_N))
    id_ = head.vocabulary.id_of(" sea")
    assert id_ is not None
    theirs = vectors.most_similar(head.vocabulary.token(id_), topn=10)
    ours = head.nearest("sea", space="cosine").neighbours
    assert [near.token for near in ours] == [name for name, _ in theirs]


@pytest.mark.real
def test_real_emoji_are_placed(tmp_path: Path) -> None:
    head, path = open_head("demo"), tmp_path / "emoji.safetensors"
    head.export(path, region="emoji", space="causal", unit=True)
    held = load_file(path)
    assert held["vectors"].shape == (990, 640)
    places = {head.vocabulary.text(id_): place for place, id_ in enumerate(held["ids"].tolist())}
    cosines_N = held["vectors"] @ held["vectors"][places["🐴"]]
    near = head.nearest("🐴", region="emoji", top=5).neighbours
    order = np.argsort(-cosines_N)[1:6]
    assert held["ids"][order].tolist() == [each.id for each in near]
