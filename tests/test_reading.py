"""Lists of concepts: every format and compression, pipes and remote storage, what programs give."""

import io
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import fsspec
import pyarrow as pa
import pytest
from unembed.errors import UsageError
from unembed.geometry.records.reading import concepts_of, read_all, read_records
from unembed.geometry.records.record import Record

from .listed import COMPRESS, faults, read, table

RECORDS = [
    Record("tropical fish", "7", None, ("🐠",), "🐠"),
    Record('sea, "horse"', "b", None, ("🐎", "🐴"), None),
    Record("größe", None, None, (), "#12"),
]
CSV = (
    "id,note,concept,forms,expected\r\n"
    "7,x,tropical fish,🐠,🐠\r\n"
    'b,,"sea, ""horse""","[""🐎"", ""🐴""]",\r\n'
    "\r\n"
    ",,größe,,#12"
)
JSONL = "\n".join(
    [
        json.dumps(
            {"concept": "tropical fish", "id": 7, "forms": "🐠", "expected": "🐠", "x": [1]}
        ),
        json.dumps({"concept": 'sea, "horse"', "id": "b", "forms": ["🐎", "🐴"]}),
        " ",
        json.dumps({"concept": "größe", "id": None, "forms": [], "expected": "#12"}),
    ]
)
TEXTS = {
    "csv": (CSV, RECORDS),
    "tsv": ('concept\tid\ntropical fish\t7\n"a\tb"\tb\n', [("tropical fish", "7"), ("a\tb", "b")]),
    "jsonl": (JSONL, RECORDS),
    "ndjson": ('"sea"\n"horse"', [("sea", None), ("horse", None)]),
    "txt": ("sea\r\n\n  \n horse, 🐎 \n", [("sea", None), (" horse, 🐎 ", None)]),
    "list": ("sea", [("sea", None)]),
}

# Formats


@pytest.mark.parametrize("mark", ["", "\ufeff"])
@pytest.mark.parametrize("compression", COMPRESS)
@pytest.mark.parametrize("ending", TEXTS)
def test_every_format_and_compression(
    tmp_path: Path, ending: str, compression: str, mark: str
) -> None:
    text, expected = TEXTS[ending]
    path = tmp_path / f"list.{ending.upper() if mark else ending}{compression}"
    path.write_bytes(COMPRESS[compression]((mark + text).encode()))
    wanted = [each if isinstance(each, Record) else Record(*each) for each in expected]
    assert list(read_records(str(path))) == wanted
    piped = {"ndjson": "jsonl", "txt": "lines", "list": "lines"}.get(ending, ending)
    assert read(path.read_bytes(), file_format=piped) == wanted
    with fsspec.open(f"memory://lists/{path.name}", "wb") as file:
        file.write(path.read_bytes())
    assert list(read_records(f"memory://lists/{path.name}")) == wanted


@pytest.mark.parametrize("compression", ["none", "snappy", "zstd", "gzip"])
@pytest.mark.parametrize("kind", [pa.string(), pa.large_string(), pa.dictionary("int8", "utf8")])
def test_parquet_of_every_type_of_text(tmp_path: Path, kind: pa.DataType, compression: str) -> None:
    concepts = pa.array([record.concept for record in RECORDS]).cast(kind)
    ids = pa.array([record.id for record in RECORDS]).cast(kind)
    forms = pa.array([["🐠"], ["🐎", "🐴"], None], pa.list_(pa.string()))
    expected = pa.array(["🐠", None, "#12"]).cast(kind)
    columns = {"x": [1, 2, 3], "forms": forms, "id": ids, "concept": concepts, "expected": expected}
    path = table(tmp_path / "x.PARQUET", columns, row_group_size=2, compression=compression)
    assert list(read_records(path)) == RECORDS
    with fsspec.open("memory://lists/x.parquet", "wb") as file:
        file.write(Path(path).read_bytes())
    assert list(read_records("memory://lists/x.parquet")) == RECORDS


def test_parquet_of_other_types(tmp_path: Path) -> None:
    columns = {
        "concept": ["a", "b"],
        "id": pa.array([1, None], pa.int16()),
        "forms": pa.array([["x"], []], pa.large_list(pa.string())),
        "expected": pa.nulls(2),
    }
    path = table(tmp_path / "x.parquet", columns)
    assert list(read_records(path)) == [Record("a", "1", None, ("x",)), Record("b")]
    columns = {"concept": ["a", "b"], "id": [0.5, float("nan")], "forms": ["x", ""]}
    fine, faulty = read_records(table(tmp_path / "x", columns), file_format="parquet")
    assert fine == Record("a", "0.5", None, ("x",))
    assert faulty.fault == "the id is nan; it must be a text or a number"


def test_columns_are_mapped(tmp_path: Path) -> None:
    columns = {"concept": "Name", "forms": "emoji"}
    wanted = [Record("sea", "1", None, ("🌊",)), Record("horse", None, None, ("[🐎",))]
    text = " Name ,id,emoji,concept\nsea,1,🌊,x\nhorse,,[🐎,y\n"
    assert read(text, file_format="csv", columns=columns) == wanted
    rows = [
        {"Name": "sea", "id": "1", "emoji": ["🌊"], "concept": "x"},
        {"Name": "horse", "emoji": "[🐎", "concept": "y"},
    ]
    text = "\n".join(map(json.dumps, rows))
    assert read(text, file_format="jsonl", columns=columns) == wanted
    named = {"Name": ["sea", "horse"], "id": ["1", None], "emoji": ["🌊", "[🐎"], "concept": [1, 2]}
    assert list(read_records(table(tmp_path / "x.parquet", named), columns=columns)) == wanted


def test_stdin_is_lines_and_stays_open(monkeypatch: pytest.MonkeyPatch) -> None:
    stdin = io.BytesIO(b"sea\nhorse")
    assert [record.concept for record in read_records("-", stdin=stdin)] == ["sea", "horse"]
    assert not stdin.closed
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"sea")))
    assert list(read_records("-")) == [Record("sea")]
    monkeypatch.setattr("sys.stdin", None)
    with pytest.raises(UsageError, match="no standard input"):
        read_records("-")


def test_a_pipe_gives_what_it_has() -> None:
    out, into = os.pipe()
    with os.fdopen(out, "rb") as stdin, os.fdopen(into, "wb", buffering=0) as writer:
        writer.write(b"sea\nhor")
        records = read_records("-", stdin=stdin)
        assert next(records).concept == "sea"
        writer.write(b"se\n")
        assert next(records).concept == "horse"
        records.close()


def test_storage_that_gives_its_bytes_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "fsspec.implementations.memory.MemoryFile.seekable", lambda _: False, raising=False
    )
    for name, content in {"x": b"sea\nhorse", "x.gz": COMPRESS[".gz"](b"sea\nhorse")}.items():
        with fsspec.open(f"memory://lists/{name}", "wb") as file:
            file.write(content)
        records = read_records(f"memory://lists/{name}")
        assert [record.concept for record in records] == ["sea", "horse"]
    with pytest.raises(UsageError, match="Parquet is read from its end"):
        read_records("memory://lists/x", file_format="parquet")


SKIPPED = b"\x50\x2a\x4d\x18\x04\x00\x00\x00abcd"  # a zstd frame without content


@pytest.mark.parametrize("packed", [COMPRESS[".gz"], COMPRESS[".zst"]])
def test_compressed_files_put_one_after_the_other(packed: Callable[[bytes], bytes]) -> None:
    assert faults(packed(b"sea\nho") + packed(b"rse\n")) == [("sea", None), ("horse", None)]


def test_zstd_frames_without_content() -> None:
    frame = COMPRESS[".zst"](b"sea\n")
    assert faults(SKIPPED + frame + SKIPPED) == [("sea", None)]


# Several lists, and what a program hands over


def test_several_lists_have_their_source(tmp_path: Path) -> None:
    one, two = tmp_path / "one.txt", tmp_path / "two.csv"
    one.write_text("sea\nhorse\n")
    two.write_text("concept,id\nsea,1\n,1\n")
    assert list(read_all([str(one)])) == [Record("sea"), Record("horse")]
    records = list(read_all([str(two), "-", "emoji:all"], stdin=io.BytesIO(b"fish")))
    assert [(record.concept, record.source) for record in records[:4]] == [
        ("sea", str(two)),
        ("", str(two)),
        ("fish", "-"),
        ("1st place medal", "emoji:all"),
    ]
    assert records[1].fault == "line 3: the concept is empty"
    # An id is unique in its own source.
    assert [record.fault for record in read_all([str(two)] * 2)][::2] == [None, None]
    with pytest.raises(UsageError, match="no list of concepts; name a file, - or emoji:all"):
        read_all([])
    with pytest.raises(UsageError, match="- is there twice"):
        read_all(["-", str(one), "-"])
    with pytest.raises(UsageError, match=r"nosuch\.csv: there is no such file"):
        read_all([str(one), str(tmp_path / "nosuch.csv")])


def test_what_a_program_hands_over() -> None:
    faulty = Record("x", fault="own")
    given_: list[Any] = [
        "sea",
        {"concept": "horse", "id": 7, "forms": ["🐎"], "expected": "#5", "more": 1},
        Record("a+b", "8", "list", ("x",), "y", is_phrase=True),
        faulty,
        {"concept": "sea", "id": "7"},
        "",
        7,
        None,
        {},
        Record("c", "8", "other"),
        Record("d", "8", "other"),
    ]
    records = list(concepts_of(iter(given_)))
    assert records[:4] == [
        Record("sea"),
        Record("horse", "7", None, ("🐎",), "#5"),
        Record("a+b", "8", "list", ("x",), "y", is_phrase=True),
        faulty,
    ]
    assert [(record.concept, record.fault) for record in records[4:]] == [
        ("sea", "the id '7' is that of record 2 too"),
        ("", "the concept is empty"),
        ("7", "it is 7; it must be a text, a mapping or a record"),
        ("", "it is None; it must be a text, a mapping or a record"),
        ("", "the concept is empty"),
        ("c", None),
        ("d", "the id '8' is that of record 1 too"),
    ]
    for wrong in ("sea", {"concept": "sea"}, 7, None):
        with pytest.raises(UsageError, match="they must be a list of texts, mappings or records"):
            concepts_of(wrong)  # type: ignore[arg-type]
