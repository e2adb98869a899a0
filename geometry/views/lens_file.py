"""A lens as a file: a page or a table, by the file's ending."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import IO

from ...errors import UsageError
from ..lens.lens import Lens
from ..storage import LocalStorage, check_writable, reason_of
from .lens_page import lens_page

_ENDINGS = (".html", ".parquet", ".json")


def check_lens_path(path: Path) -> None:
    """Refuse a path that no lens can be written to, before long work.

    Raises
    ------
    UsageError
        The ending is unknown, or the place cannot be written to.

    Examples
    --------
    >>> check_lens_path(Path("seahorse.html"))
    """
    if path.suffix not in _ENDINGS:
        raise UsageError(f"{path}: a lens is written as {', '.join(_ENDINGS)}")
    check_writable(str(path))


def write_lens(found: Lens, path: str | Path) -> None:
    """Write a lens to a file; what was there is replaced once all is written.

    Parameters
    ----------
    found : Lens
        What is written.
    path : str or Path
        ``.html``: a page that needs nothing else; ``.parquet``: a row for each layer, position and
        token; ``.json``: all of it.

    Raises
    ------
    UsageError
        The ending is unknown, or the file cannot be written.

    Examples
    --------
    >>> import tempfile, unembed
    >>> path = Path(tempfile.mkdtemp(), "lens.json")
    >>> unembed.write_lens(unembed.open_head("demo").lens("The capital of France is"), path)
    >>> path.read_text()[:12]
    '{"schema": 1'
    """
    path = Path(path)
    check_lens_path(path)
    writers: dict[str, Callable[[IO[bytes]], object]] = {
        ".html": lambda file: file.write(lens_page(found)),
        ".parquet": lambda file: _write_parquet(found, file),
        ".json": lambda file: file.write(
            json.dumps(found.to_dict(), ensure_ascii=False).encode() + b"\n"
        ),
    }
    try:
        with LocalStorage().writing(str(path), beside=str(path.parent)) as file:
            writers[path.suffix](file)
    except OSError as error:
        raise UsageError(f"{path}: the lens cannot be written: {reason_of(error)}") from error


def _write_parquet(found: Lens, file: IO[bytes]) -> None:
    """Write the rows of guesses as Parquet."""
    from pyarrow import parquet

    parquet.write_table(found.to_arrow(), file, compression="zstd")
