"""Lists written and read, for the tests of reading them."""

import gzip
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyarrow.parquet import write_table
from unembed.geometry.records.reading import read_records
from unembed.geometry.records.record import Record

COMPRESS: dict[str, Callable[[bytes], bytes]] = {
    "": bytes,
    ".gz": gzip.compress,
    ".zst": lambda data: bytes(pa.compress(data, codec="zstd", asbytes=True)),
    ".GZ": gzip.compress,
}


def read(content: bytes | str, **options: Any) -> list[Record]:
    """Read what comes from stdin."""
    data = content.encode() if isinstance(content, str) else content
    return list(read_records("-", stdin=io.BytesIO(data), **options))


def faults(content: bytes | str, **options: Any) -> list[tuple[str, str | None]]:
    return [(record.concept, record.fault) for record in read(content, **options)]


def table(path: Path, columns: dict[str, Any], **options: Any) -> str:
    write_table(pa.table(columns), path, **options)
    return str(path)
