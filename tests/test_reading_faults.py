"""Lists of concepts: what is wrong with a source, and what is wrong with one record of it."""

import gzip
import json
import os
from pathlib import Path

import fsspec
import pyarrow as pa
import pytest
from pyarrow.parquet import write_table
from unembed.errors import UsageError
from unembed.geometry.records import delimited, lines, parquet, texts
from unembed.geometry.records.ids import SeenIds
from unembed.geometry.records.reading import read_records
from unembed.geometry.records.record import LONGEST, MOST_FORMS, Record

from .listed import faults, read, table

# What is wrong with a source


def test_sources_that_cannot_be_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "x.xlsx").write_bytes(b"PK")
    (tmp_path / "x.csv.gz").write_bytes(b"concept\n")
    (tmp_path / "x.zst").write_bytes(gzip.compress(b"sea"))
    (tmp_path / "empty.gz").write_bytes(b"")
    for name, message in {
        "nosuch.csv": "there is no such file",
        "\0": "there is no such file",
        "a" * 5000: "cannot be read: File name too long",
        ".": "a directory; name a file in it",
        "pipe": "no regular file; use -",
        "x.xlsx": r"\.xlsx is not read; the formats are csv, tsv, jsonl, parquet, lines",
        "x.csv.gz": "not gzip, although its name says so: it begins with b'conc'",
        "x.zst": "not zstd, although its name says so",
        "empty.gz": "not gzip, although its name says so: it begins with b''",
        "x.csv.gz/y": "no such file|Not a directory",
    }.items():
        with pytest.raises(UsageError, match=message):
            read_records(str(tmp_path / name))
    with pytest.raises(UsageError, match="unknown format 'xml'; the formats are csv, tsv"):
        read_records("-", file_format="xml")

    def refuse(*given: object) -> None:
        raise PermissionError(13, "Permission denied")

    (tmp_path / "x").write_text("sea")
    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(UsageError, match=r"x: cannot be read: Permission denied$"):
        read_records(str(tmp_path / "x"))


def test_remote_storage_that_cannot_be_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    fsspec.register_implementation("nolib", "no_such_module.Storage", clobber=True)
    for source, message in {
        "memory://nosuch.csv": "memory://nosuch.csv: cannot be read: ",
        "nosuch://x": "cannot be read: Protocol not known: nosuch",
        "nolib://x": "nolib:// needs a library that is not installed: ",
        "simplecache::memory://x": r"chains of storages \(::\) are not read",
    }.items():
        with pytest.raises(UsageError, match=message):
            read_records(source)


def test_columns_that_are_not_there(tmp_path: Path) -> None:
    for text, options, message in [
        (
            "Name,emoji\nsea,x\n",
            {},
            "no column 'concept'; it has 'Name', 'emoji'; name the concept",
        ),
        ("name;wish\nsea;x\n", {}, "no column .concept.; it has .name;wish.; only commas"),
        ("concept\nsea\n", {"columns": {"id": "ID"}}, "no column 'ID'; it has 'concept'$"),
        ("concept\nsea\n", {"columns": {"concept": "x"}}, "no column 'x'; it has 'concept'$"),
        ("concept,concept\n", {}, "the column 'concept' is there twice"),
        ("", {}, "it is empty; a header with the columns' names is expected"),
        ("\n\n", {}, "it is empty"),
        ('"concept\nsea\n', {}, "its header is no CSV: a quote is not closed"),
        ("concept\rsea\r", {}, "its header is no CSV: a carriage return"),
        ("concept\nsea".encode("utf-16"), {}, "the text is UTF-16.* iconv -f UTF-16 -t UTF-8"),
        ("concept\nsea".encode("utf-32"), {}, "the text is UTF-32"),
        ("concept\nsea".encode("utf-16-le"), {}, "its header is not UTF-8"),
        ("concept,größe\n".encode("latin-1"), {}, "its header is not UTF-8"),
        ("\n".join([",".join(map(str, range(25)))] * 2), {}, "'19' and 5 more; name the concept"),
    ]:
        with pytest.raises(UsageError, match=message):
            read(text, **({"file_format": "csv"} | options))
    with pytest.raises(UsageError, match="no column 'concept'; it has 'a', 'b'; name the conc"):
        read('{"a": 1}\n7\n{"b": "concept"}\n', file_format="jsonl")
    with pytest.raises(UsageError, match="plain lines have no columns"):
        read("sea", columns={"concept": "a"})
    with pytest.raises(UsageError, match="no field 'name'; the fields are concept, id, forms, exp"):
        read("sea", columns={"name": "a"})
    with pytest.raises(UsageError, match="the column of id is ''; it must be a name"):
        read("sea", columns={"id": ""})
    with pytest.raises(UsageError, match="no column 'concept'; it has 'Name', 'forms'"):
        read_records(table(tmp_path / "x.parquet", {"Name": ["sea"], "forms": ["x"]}))


def test_parquet_that_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "x.parquet"
    for columns, message in [
        ({"concept": [1]}, "the column 'concept' is of 'int64'; it must be of texts"),
        ({"concept": [b"a"]}, "'concept' is of 'binary'; it must be of texts"),
        ({"concept": pa.nulls(1)}, "'concept' is of 'null'"),
        ({"concept": ["a"], "id": [True]}, "'id' is of 'bool'; it must be of texts or numbers"),
        (
            {"concept": ["a"], "forms": [[1]]},
            "'forms' is of .*; it must be of texts or lists of te",
        ),
        ({"concept": ["a"], "expected": [["a"]]}, "'expected' is of .*; it must be of texts$"),
        ({"concept": [{"concept": "a"}]}, "'concept' is of 'struct"),
    ]:
        with pytest.raises(UsageError, match=message):
            read_records(table(path, columns))
    twice = pa.Table.from_arrays([pa.array(["a"]), pa.array(["b"])], names=["concept", "concept"])
    write_table(twice, path)
    with pytest.raises(UsageError, match="the column 'concept' is there twice"):
        read_records(str(path))
    whole = Path(table(path, {"concept": ["a"]})).read_bytes()
    with pytest.raises(UsageError, match="-: Parquet is read from its end"):
        read(whole, file_format="parquet")
    (tmp_path / "x.parquet.gz").write_bytes(gzip.compress(whole))
    with pytest.raises(UsageError, match="gzip over Parquet is not read"):
        read_records(str(tmp_path / "x.parquet.gz"))
    for damaged in (b"", b"concept\n", b"PAR1", whole[:-6], whole[:-9] + b"\xff\xff\xff\x7fPAR1"):
        path.write_bytes(damaged)
        with pytest.raises(UsageError, match="no Parquet file"):
            read_records(str(path))
    path.write_bytes(whole)
    monkeypatch.setattr(parquet, "_LARGEST_GROUP", 10)
    with pytest.raises(UsageError, match=r"group 0 of its rows has .* bytes; at most 10 are read"):
        read_records(str(path))


# What is wrong with one record

FINE = "fine"


def test_faults_of_plain_lines() -> None:
    content = b"caf\xe9\nfine\n\x00x\n" + b"a" * (LONGEST + 1) + b"\n" + b"b" * LONGEST + b"\r\n"
    assert faults(content) == [
        ("caf\\xe9", "line 1: not UTF-8"),
        (FINE, None),
        ("\\x00x", "line 3: the concept has a NUL character"),
        ("a" * LONGEST, "line 4: the concept has 1,001 characters; at most 1,000 are read"),
        ("b" * LONGEST, None),
    ]


def test_faults_of_csv() -> None:
    content = (
        b"id,concept,forms,expected,note\n"
        b"1,caf\xe9,,,\n"  # 2
        b"2,fine,,,caf\xe9\n"
        b"3, ,,,\n"
        b"4,a,,\n"
        b"5,a,,,,\n"
        b"6\n"
        b'7,"a"b,,,\n'  # 8
        b"8,a\rb,,,\n"
        b"1,fine,,,\n"  # 10
        b"9,fine,caf\xe9,,\n"
        b"10,fine,,\x00,\n"
        b'11,"two\nlines",,,\n'
        b"11,fine,,,\n"  # 15
        b"caf\xe9,fine,,,\n"
        b'12,fine,"[1, 2]",,\n'
    )
    found = list(read(content, file_format="csv"))
    assert [(record.concept, record.fault) for record in found] == [
        ("caf\\xe9", "line 2: the concept is not UTF-8: \\xe9"),
        (FINE, None),
        (" ", "line 4: the concept is empty"),
        ("a", "line 5: it has 4 cells; the header has 5"),
        ("a", "line 6: it has 6 cells; the header has 5"),
        ("", "line 7: it has 1 cell; the header has 5"),
        ('7,"a"b,,,', "line 8: no CSV: ',' expected after '\"'"),
        ("8,a\rb,,,", "line 9: no CSV: a carriage return stands in a cell without quotes"),
        (FINE, "line 10: the id '1' is that of record 1 too"),
        (FINE, "line 11: a form is not UTF-8: \\xe9"),
        (FINE, "line 12: the expected token has a NUL character"),
        ("two\nlines", None),
        (FINE, "line 15: the id '11' is that of record 12 too"),
        (FINE, "line 16: the id is not UTF-8: \\xe9"),
        (FINE, None),
    ]
    assert found[0].id == found[8].id == "1"
    assert found[13].id is None
    assert found[-1].forms == ("[1, 2]",)


@pytest.mark.parametrize("limit", [lines.LONGEST_LINE, 1 << 10])
def test_a_quote_that_is_not_closed_costs_one_row(
    monkeypatch: pytest.MonkeyPatch, limit: int
) -> None:
    """Whichever limit comes first: that of a cell, that of a row, the end of the list."""
    for module in (lines, delimited):
        monkeypatch.setattr(module, "LONGEST_LINE", limit)
    for count in (3, 50_000):
        rows = [f"a{place}" for place in range(count)]
        content = "\n".join(["concept", "before", '"open', *rows, '"two', 'lines"', "after"])
        found = faults(content, file_format="csv")
        assert [concept for concept, fault in found if fault] == ['"open']
        fine = [concept for concept, fault in found if not fault]
        assert fine == ["before", *rows, "two\nlines", "after"]


def test_rows_that_all_leave_a_quote_open_take_no_longer_together() -> None:
    """Each line both opens a quote and closes the last one's."""
    found = faults("concept,id\n" + 'x","\n' * 20_000, file_format="csv")
    assert len(found) == 20_000
    assert all(fault for _, fault in found)


def test_faults_of_json_lines() -> None:
    deep, digits = "[" * 200_000, "9" * 5000
    rows: list[tuple[str, str, str | None]] = [
        ('{"concept": "fine"}', FINE, None),
        ("{concept}", "{concept}", "no JSON: Expecting property name enclosed in double quotes"),
        ("[1]", "[1]", "neither an object nor a text"),
        ("null", "null", "neither an object nor a text"),
        (deep, deep[:LONGEST], "no JSON: it is nested too deeply"),
        ('{"concept": NaN}', '{"concept": NaN}', "no JSON: NaN is no number of JSON"),
        (f'{{"x": {digits}}}', f'{{"x": {digits}'[:LONGEST], "no JSON: Exceeds the limit"),
        ('{"concept": 7}', "7", "the concept is 7; it must be a text"),
        ('{"x": 7}', "", "the concept is empty"),
        ('""', "", "the concept is empty"),
        (r'"a\ud83d"', r"a\ud83d", r"the concept is not UTF-8: \ud83d"),
        (r'"a\u0000"', r"a\x00", "the concept has a NUL character"),
        ('{"concept": "fine", "forms": 7}', FINE, "the forms are 7; they must be a text or a list"),
        ('{"concept": "fine", "forms": ["a", 7]}', FINE, "a form is 7; it must be a text"),
        ('{"concept": "fine", "forms": ["a", ""]}', FINE, "a form is empty"),
        (
            json.dumps({"concept": "fine", "forms": ["a"] * (MOST_FORMS + 1)}),
            FINE,
            "it has 101 forms; at most 100 are read",
        ),
        ('{"concept": "fine", "id": [1]}', FINE, "the id is [1]; it must be a text or a number"),
        ('{"concept": "fine", "id": true}', FINE, "the id is True; it must be"),
        ('{"concept": "fine", "id": 1e999}', FINE, "the id is inf; it must be"),
        ('{"concept": "fine", "id": %s}' % ("9" * 4000), FINE, "the id is 9999"),
        ('{"concept": "fine", "expected": 7}', FINE, "the expected token is 7; it must be a text"),
    ]
    found = faults("\n".join(row for row, _, _ in rows), file_format="jsonl")
    assert len(found) == len(rows)
    for line, ((concept, fault), (_, wanted, why)) in enumerate(zip(found, rows, strict=True), 1):
        assert concept == wanted
        assert fault is None if why is None else str(fault).startswith(f"line {line}: {why}")
    assert faults(b'"fine"\n"caf\xe9"', file_format="jsonl")[1] == (
        '"caf\\xe9"',
        "line 2: not UTF-8",
    )


def test_faults_of_parquet(tmp_path: Path) -> None:
    bad = pa.array([b"caf\xe9", b"fine"]).view(pa.string())
    columns = {
        "concept": pa.chunked_array([pa.array(["fine", None, "a" * 20_000, "", "fine"]), bad]),
        "forms": [["x"], [], [], [], ["a", None], [], None],
        "id": [1, 2, 3, 4, 5, 6, 1],
    }
    found = list(read_records(table(tmp_path / "x.parquet", columns)))
    assert [(record.concept, record.fault) for record in found] == [
        (FINE, None),
        ("", "the concept is empty"),
        ("a" * LONGEST, "the concept has 20,000 characters; at most 1,000 are read"),
        ("", "the concept is empty"),
        (FINE, "a form is None; it must be a text"),
        ("caf\\xe9", "the concept is not UTF-8: \\xe9"),
        (FINE, "the id '1' is that of record 1 too"),
    ]
    for forms in (
        pa.ListArray.from_arrays(pa.array([0, 1, 2], pa.int32()), bad),
        pa.DictionaryArray.from_arrays(pa.array([0, 1], pa.int32()), bad),
    ):
        path = table(tmp_path / "x.parquet", {"concept": ["a", "b"], "forms": forms})
        assert [(record.forms, record.fault) for record in read_records(path)] == [
            ((), "a form is not UTF-8: \\xe9"),
            (("fine",), None),
        ]


def test_a_concept_of_a_million_characters() -> None:
    text = json.dumps({"concept": "é" * 1_000_000, "id": "x"}) + '\n"fine"'
    (faulty, fine) = read(text, file_format="jsonl")
    assert (faulty.concept, faulty.id) == ("é" * LONGEST, "x")
    assert faulty.fault == ("line 1: the concept has 1,000,000 characters; at most 1,000 are read")
    assert fine == Record("fine")


@pytest.mark.parametrize("file_format", ["lines", "csv", "jsonl"])
@pytest.mark.parametrize("end", [b"", b"\n", b"\nfine", b'\nfine\n"fine"'])
def test_a_line_that_is_too_long_is_skipped(
    monkeypatch: pytest.MonkeyPatch, file_format: str, end: bytes
) -> None:
    for module in (lines, delimited, texts):
        monkeypatch.setattr(module, "LONGEST_LINE", 100_000)
    start = b"concept\n" if file_format == "csv" else b'"fine"\n'
    for length in (100_000, 100_001, 300_000):
        content = start + b"a" * length + end
        found = read(content, file_format=file_format)
        number = next(place for place, record in enumerate(found) if record.concept[:1] == "a")
        is_long = length > 100_000
        assert ("100,000 bytes" in str(found[number].fault)) == is_long
        assert found[number].concept == "a" * LONGEST
        assert len(found) == number + 1 + len(end.split())
        if end.endswith(b'"fine"'):
            assert found[-1].fault is None


def test_a_long_line_after_a_quote_that_is_not_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (lines, delimited):
        monkeypatch.setattr(module, "LONGEST_LINE", 1000)
    content = 'concept\n"open\nx\ny\n' + "a" * 2000 + "\nz"
    assert [fault is None for _, fault in faults(content, file_format="csv")] == [
        False,
        True,
        True,
        False,
        True,
    ]


# Ids


def test_ids_are_told_apart() -> None:
    ids = [
        "1",
        "01",
        "1.0",
        "0",
        "00",
        "-1",
        "x",
        "X",
        "é",
        "x" * 999,
        "9" * 18,
        "9" * 19,
        "٣",
        "3",
    ]
    seen = SeenIds("x")
    assert [seen.earlier(id_, place) for place, id_ in enumerate(ids)] == [None] * len(ids)
    assert [seen.earlier(id_, 99) for id_ in ids] == list(range(len(ids)))
    seen.close()


def test_ids_that_the_disk_does_not_hold() -> None:
    seen = SeenIds("x.csv")
    seen._database.execute("PRAGMA max_page_count = 10")
    with pytest.raises(UsageError, match=r"x\.csv: its ids cannot be kept on disk: .*full; make r"):
        list(map(seen.earlier, map(str, range(100_000)), range(100_000)))
    seen.close()
