"""A lens as a file: a picture, a page or a table, by the file's ending."""

from pathlib import Path

from ..endings import check_ending, write_by_ending
from ..lens.lens import Lens
from .figure import METADATA
from .files import check_path, json_line, write_parquet
from .lens_figure import lens_figure
from .lens_page import lens_page

_ENDINGS = (*METADATA, ".html", ".parquet", ".json")


def check_lens_path(path: Path) -> None:
    """Refuse a path that no lens can be written to, before long work.

    Raises
    ------
    UsageError
        The ending is unknown, or the place cannot be written to.
    MissingExtraError
        It is a picture, and matplotlib is not installed.

    Examples
    --------
    >>> check_lens_path(Path("seahorse.html"))
    """
    check_path(path, _ENDINGS, what="lens")


def write_lens(found: Lens, path: str | Path) -> None:
    """Write a lens to a file; what was there is replaced once all is written.

    Parameters
    ----------
    found : Lens
        What is written.
    path : str or Path
        ``.png``, ``.svg``, ``.pdf``: a picture; ``.html``: a page that needs nothing else;
        ``.parquet``: a row for each layer, position and
        token; ``.json``: all of it.

    Raises
    ------
    UsageError
        The ending is unknown, or the file cannot be written.
    MissingExtraError
        It is a picture, and matplotlib is not installed.

    Examples
    --------
    >>> import tempfile, unembed
    >>> path = Path(tempfile.mkdtemp(), "lens.json")
    >>> unembed.write_lens(unembed.open_head("demo").lens("The capital of France is"), path)
    >>> path.read_text()[:12]
    '{"schema": 1'
    """
    path = Path(path)
    check_ending(path, _ENDINGS, what="lens")
    if path.suffix in METADATA:
        lens_figure(found, path)
        return
    write_by_ending(
        path,
        {
            ".html": lambda file: file.write(lens_page(found)),
            ".parquet": lambda file: write_parquet(found.to_arrow(), file),
            ".json": lambda file: file.write(json_line(found.to_dict())),
        },
        what="lens",
    )
