"""Findings as tables and files: every field, every text, the same bytes each time."""

import csv
import gzip
import io
import json
import math
from dataclasses import fields, replace
from typing import Any

import pyarrow
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyarrow.parquet import ParquetFile
from unembed.errors import UsageError
from unembed.geometry.audit.finding import BY, VERDICTS, Finding, NearToken
from unembed.geometry.audit.tables import arrow_schema, findings_of, rows_of, table_of
from unembed.geometry.runs.writing import ENDINGS, meta_of, output_of, writing_to

from .audited import finding_of, records_of

NAMES = [field.name for field in fields(Finding)]
FINDINGS = [finding_of(record, 9) for record in records_of(50)]
# csv takes what comes after a NUL for what it is.
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=6) | st.sampled_from(
    ["=1+1", "@x", "-5", "\r\n", "\u2028", "\x85", '"', ",", "🐴", "\0"]
)
IDS = st.integers(0, 2**31 - 1)
NUMBERS = st.floats(allow_nan=False, allow_infinity=False)
NEAR = st.builds(NearToken, id=IDS, token=TEXT, text=st.none() | TEXT, score=NUMBERS)
FINDING = st.builds(
    Finding,
    concept=TEXT,
    id=st.none() | TEXT,
    source=st.none() | TEXT,
    verdict=st.sampled_from(VERDICTS),
    by=st.none() | st.sampled_from(BY),
    message=st.none() | TEXT,
    form=st.none() | TEXT,
    token_ids=st.lists(IDS, max_size=3).map(tuple),
    tokens=st.lists(TEXT, max_size=3).map(tuple),
    fragments=st.none() | st.integers(0, 9),
    shared=st.none() | st.integers(0, 9),
    siblings=st.lists(TEXT, max_size=3).map(tuple),
    nearest=st.lists(NEAR, max_size=3).map(tuple),
    snap_id=st.none() | IDS,
    snap_token=st.none() | TEXT,
    snap_text=st.none() | TEXT,
    snap_logit=st.none() | NUMBERS,
    snap_probability=st.none() | NUMBERS,
    gap_degrees=st.none() | NUMBERS,
    gap_logit=st.none() | NUMBERS,
    membership=st.none() | NUMBERS,
    p_token=st.none() | NUMBERS,
)


def written(ending: str, *tables: list[Finding]) -> bytes:
    file = io.BytesIO()
    with writing_to(file, ending=ending, meta=meta_of({"head": "demo"})) as write:
        for findings in tables:
            write(table_of(findings))
    return file.getvalue()


def plain(ending: str, content: bytes) -> bytes:
    if ending.endswith(".gz"):
        return gzip.decompress(content)
    if ending.endswith(".zst"):
        return pyarrow.CompressedInputStream(pyarrow.BufferReader(content), "zstd").read()  # type: ignore[no-any-return]
    return content


def test_the_columns_are_the_fields() -> None:
    assert arrow_schema().names == NAMES
    assert arrow_schema().field("nearest").type.value_type.names == [
        field.name for field in fields(NearToken)
    ]


@given(st.lists(FINDING, max_size=4))
def test_a_table_holds_findings_as_they_are(findings: list[Finding]) -> None:
    table = table_of(findings)
    table.validate(full=True)
    assert list(findings_of(table)) == findings
    assert list(rows_of(table)) == table.to_pylist()
    halves = pyarrow.concat_tables([table.slice(0, 1), table.slice(1)])
    assert list(findings_of(halves)) == findings


def test_a_number_that_is_none_and_half_a_character_are_written_as_what_they_are() -> None:
    near = NearToken(1, "\ud800", "a", math.inf)
    finding = Finding("caf\udce9", gap_logit=math.nan, snap_logit=-math.inf, nearest=(near,))
    (found,) = findings_of(table_of([finding]))
    assert found.concept == "caf\\udce9"
    assert found.gap_logit is None
    assert found.snap_logit is None
    assert found.nearest == (NearToken(1, "\\ud800", "a", None),)  # type: ignore[arg-type]
    assert b"NaN" not in written(".jsonl", [finding])


@pytest.mark.parametrize("ending", ENDINGS)
def test_the_same_findings_are_the_same_bytes(ending: str) -> None:
    content = written(ending, FINDINGS[:20], FINDINGS[20:])
    assert content == written(ending, FINDINGS[:20], FINDINGS[20:])
    whole = written(ending, FINDINGS)
    if ending == ".parquet":
        tables = [ParquetFile(io.BytesIO(each)).read() for each in (content, whole)]
        assert tables[0].equals(tables[1])
    else:
        assert plain(ending, content) == plain(ending, whole)
        assert plain(ending, content) == written(f".{ending.split('.')[1]}", FINDINGS)


def test_parquet_says_what_it_was_made_with() -> None:
    file = ParquetFile(io.BytesIO(written(".parquet", FINDINGS[:20], FINDINGS[20:])))
    assert file.schema_arrow.equals(arrow_schema(), check_metadata=False)
    assert json.loads(file.schema_arrow.metadata[b"unembed"]) == {"schema": 1, "head": "demo"}
    assert file.num_row_groups == 2
    assert file.metadata.row_group(0).column(0).compression == "ZSTD"
    assert list(findings_of(file.read())) == FINDINGS


@given(st.lists(FINDING, max_size=4))
def test_json_lines_are_a_line_each(findings: list[Finding]) -> None:
    lines = written(".jsonl", findings).decode().splitlines()
    assert [json.loads(line) for line in lines] == list(rows_of(table_of(findings)))


@given(st.lists(FINDING, max_size=4))
def test_csv_is_what_a_reader_takes_for_it(findings: list[Finding]) -> None:
    text = written(".csv", findings).decode()
    header, *rows = csv.reader(io.StringIO(text, newline=""))
    assert header == NAMES
    assert rows == [[cell(value) for value in row.values()] for row in rows_of(table_of(findings))]
    assert text.endswith("\r\n")


def cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, list):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t", "\r"):
        return f"'{value}"
    return str(value)


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r"])
def test_no_text_is_a_formula_and_every_number_is_one(start: str) -> None:
    finding = replace(FINDINGS[0], concept=f"{start}cmd|' /C calc'!A0", gap_logit=-0.25)
    (row,) = csv.DictReader(io.StringIO(written(".csv", [finding]).decode(), newline=""))
    assert row["concept"] == f"'{start}cmd|' /C calc'!A0"
    assert row["gap_logit"] == "-0.25"


@pytest.mark.parametrize("ending", ENDINGS)
def test_nothing_found_is_a_file_too(ending: str) -> None:
    content = plain(ending, written(ending))
    if ending == ".parquet":
        assert ParquetFile(io.BytesIO(content)).read().schema.names == NAMES
    else:
        assert content.decode() == (",".join(NAMES) + "\r\n" if "csv" in ending else "")


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_full_disk_is_said_while_it_is_written(ending: str) -> None:
    class Full(io.BytesIO):
        def write(self, *_: Any) -> int:
            raise OSError(28, "No space left on device")

    with (
        pytest.raises(OSError, match="No space left"),
        writing_to(Full(), ending=ending, meta="{}") as write,
    ):
        write(table_of(FINDINGS))


@pytest.mark.parametrize("name", ["found", "found.xlsx", "found.parquet.gz", "csv", "-", ""])
def test_an_unknown_ending_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match=r"ends in \.parquet, \.csv, .*\.jsonl\.zst"):
        output_of(name)


def test_an_ending_in_capitals_is_known() -> None:
    assert output_of("FOUND.CSV.GZ").ending == ".csv.gz"


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("memory://a::b.csv", "chains of storages"),
        ("nosuch://host/found.csv", "Protocol not known: nosuch"),
        ("a\0b.csv", "no NUL character"),
    ],
)
def test_an_address_that_is_none_is_refused(name: str, reason: str) -> None:
    with pytest.raises(UsageError, match=reason):
        output_of(name)
