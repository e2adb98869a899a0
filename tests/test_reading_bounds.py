"""Lists of concepts that are damaged, endless or hostile: what came stands, memory stays."""

import gc
import io
import random
import tracemalloc
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import fsspec
import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from unembed.errors import UsageError
from unembed.geometry.records.reading import FORMATS, read_all, read_records
from unembed.geometry.records.record import LONGEST, Record

from .listed import COMPRESS, table

# Damage, memory, closing


def hash_of(place: int) -> str:
    """Give a text that does not compress."""
    return sha256(str(place).encode()).hexdigest()


def until_the_error(records: Iterator[Record]) -> tuple[list[str], str]:
    """Give the concepts that came before an error, and the error."""
    came: list[str] = []
    with pytest.raises(UsageError) as caught:
        came.extend(record.concept for record in records)  # keeps what came
    return came, str(caught.value)


@pytest.mark.parametrize("ending", [".gz", ".zst"])
def test_what_came_before_damage_stands(tmp_path: Path, ending: str) -> None:
    rows = [f"concept {hash_of(place)}" for place in range(20_000)]
    packed = COMPRESS[ending]("\n".join(rows).encode())
    path = tmp_path / f"x.txt{ending}"
    for damaged, least in [
        (packed[: len(packed) // 2], 8_000),
        (packed[:-3], 19_000),
        (packed + packed[:4] + b"garbage", 19_000),
    ]:
        path.write_bytes(damaged)
        came, error = until_the_error(read_records(str(path)))
        assert came == rows[: len(came)]
        assert least < len(came) < len(rows)
        assert error.startswith(f"{path}: cannot be read: ")
        assert error.endswith(f"; {len(came):,} records came before")


def test_storage_that_vanishes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A driver raises what it likes."""
    lost: list[bool] = []
    for name in ("read", "read1"):
        own = getattr(io.BytesIO, name)

        def read_or_fail(file: io.BytesIO, size: int = -1, own: Any = own) -> Any:
            if lost:
                raise RuntimeError("the connection was lost")
            return own(file, size)

        monkeypatch.setattr(f"fsspec.implementations.memory.MemoryFile.{name}", read_or_fail)
    concepts = [f"concept {hash_of(place)}" for place in range(20_000)]
    path = tmp_path / "x.parquet"
    table(path, {"concept": concepts}, row_group_size=1000)
    for name, content in {
        "x.txt": "\n".join(concepts).encode(),
        "x.parquet": path.read_bytes(),
    }.items():
        lost.clear()
        with fsspec.open(f"memory://lists/{name}", "wb") as file:
            file.write(content)
        records = read_records(f"memory://lists/{name}")
        next(records)
        lost.append(True)
        came, error = until_the_error(records)
        assert 500 < len(came) + 1 < 20_000
        assert error == (
            f"memory://lists/{name}: cannot be read: the connection was lost; "
            f"{len(came) + 1:,} records came before"
        )


class Endless(io.RawIOBase):
    """A stream of rows that are made as they are read."""

    def __init__(self, start: bytes, row: bytes, size: int) -> None:
        self._start, self._rows, self._left = start, row * (8192 // len(row)), size

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        if self._start:
            taken, self._start = self._start[:size], self._start[size:]
            return taken
        self._left -= len(self._rows)
        return self._rows if self._left > 0 else b""


@pytest.mark.parametrize(
    ("file_format", "start", "row"),
    [
        ("csv", b"concept,id\n", b"tropical fish,\n"),
        ("csv", b'concept,id\n"open,\n', b"tropical fish,\n"),
        ("csv", b"concept,id\n", b"\n"),
        ("jsonl", b'"sea"\n', b'{"concept": "sea"}\n'),
        ("lines", b"sea\n", b"caf\xe9\n"),
    ],
)
def test_memory_does_not_grow_with_the_list(file_format: str, start: bytes, row: bytes) -> None:
    peaks = []
    for size in (1 << 17, 1 << 19):
        tracemalloc.start()
        stdin: Any = Endless(start, row, size)
        for _ in read_records("-", stdin=stdin, file_format=file_format):
            pass
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < peaks[0] + 200_000
    assert peaks[1] < 8 << 20


def test_memory_does_not_grow_with_a_line() -> None:
    tracemalloc.start()
    stdin: Any = Endless(b"", b"a", 256 << 20)
    (record,) = read_records("-", stdin=stdin)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert record.fault == "line 1: a line of more than 16,777,216 bytes"
    assert record.concept == "a" * LONGEST
    assert peak < 64 << 20


def test_a_long_text_of_a_dictionary_is_not_written_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A megabyte that stands in 2,000 rows would be two gigabytes."""
    texts = pa.array(["x" * (1 << 20)] * 3 + ["y"] * 2000).dictionary_encode()
    offsets = pa.array(range(2004), pa.int32())
    forms = pa.ListArray.from_arrays(offsets, texts.dictionary_decode())
    asked: list[int] = []
    batches = pa.parquet.ParquetFile.iter_batches

    def noted(self: object, rows: int, **options: Any) -> Any:
        asked.append(rows)
        return batches(self, rows, **options)

    monkeypatch.setattr(pa.parquet.ParquetFile, "iter_batches", noted)
    for columns in ({"concept": texts}, {"concept": ["a"] * 2003, "forms": forms}):
        path = table(tmp_path / "x.parquet", columns)
        found = [record.fault is None for record in read_records(path)]
        assert found == [False] * 3 + [True] * 2000
    assert asked == [1, 64, 1, 64]


def test_a_list_that_is_not_read_to_its_end_is_closed(tmp_path: Path) -> None:
    """Else Python would warn, which is an error here."""
    path = tmp_path / "x.csv"
    path.write_text("concept,id\nsea,1\nhorse,2\n")
    read_records(str(path))
    next(read_records(str(path)))
    read_all([str(path), str(path)])
    with pytest.raises(UsageError):
        read_all([str(path), "nosuch.csv"])
    gc.collect()


# Whatever the bytes


def check(records: Iterator[Record]) -> None:
    """Take records to the end, or to a `UsageError`."""
    try:
        for record in records:
            record.concept.encode()
            assert len(record.concept) <= LONGEST
            assert record.fault is not None or record.concept.strip()
            assert "\0" not in f"{record.concept}{record.id}{record.forms}{record.fault}"
    except UsageError as error:
        str(error).encode()


PIECES = st.sampled_from(
    [
        *(b'"', b",", b"\n", b"\r\n", b"\t", b"concept", b"id", b"\x00", b"\xff", b"[", b"{", b"}"),
        *(
            b":",
            b"NaN",
            b"1e999",
            b"\\ud800",
            "🐠".encode(),
            b"\xef\xbb\xbf",
            b"sea",
            b" ",
            b"PAR1",
        ),
    ]
)


@pytest.mark.parametrize("file_format", FORMATS)
@given(data=st.one_of(st.binary(max_size=300), st.lists(PIECES, max_size=60).map(b"".join)))
@example(data=b"PAR1PAR1PAR1")
@settings(max_examples=150, deadline=None)
def test_hostile_bytes_are_records_or_a_usage_error(file_format: str, data: bytes) -> None:
    starts = {"csv": b"concept,id\n", "tsv": b"concept\tid\n", "jsonl": b'"sea"\n'}
    for content in (data, starts.get(file_format, b"") + data):
        for packed in (content, COMPRESS[".gz"](content), COMPRESS[".zst"](content)):
            try:
                records = read_records("-", stdin=io.BytesIO(packed), file_format=file_format)
            except UsageError:
                continue
            check(records)


@pytest.mark.parametrize("ending", ["csv.gz", "jsonl.zst", "parquet"])
def test_damage_anywhere_is_told(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"x.{ending}"
    if ending == "parquet":
        columns = {"concept": ["sea", "é"] * 40, "id": list(range(80)), "forms": [["a"], []] * 40}
        table(path, columns, row_group_size=20)
    else:
        text = b"concept,id\n" * ("csv" in ending) + b'"sea, ""horse""",7\n\n"caf\xc3\xa9",8\n' * 9
        path.write_bytes(COMPRESS[path.suffix](text))
    whole = path.read_bytes()
    chance = random.Random(7)  # noqa: S311
    for _ in range(150):
        damaged = bytearray(whole)
        for _ in range(chance.choice([1, 2, 5])):
            damaged[chance.randrange(len(whole))] = chance.randrange(256)
        path.write_bytes(damaged[: chance.choice([len(whole), chance.randrange(len(whole))])])
        try:
            records = read_records(str(path))
        except UsageError:
            continue
        check(records)
