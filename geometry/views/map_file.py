"""A map as a file: a picture, a page or a table, by the file's ending."""

from pathlib import Path

from ..endings import check_ending, write_by_ending
from ..projection.map import Map
from .figure import METADATA
from .files import check_path, json_line, table_writers
from .map_figure import map_figure
from .map_page import map_page

_ENDINGS = (*METADATA, ".html", ".parquet", ".csv", ".json")


def check_map_path(path: Path) -> None:
    """Refuse a path that no map can be written to, and a missing library, before long work.

    Raises
    ------
    UsageError
        The ending is unknown, or the place cannot be written to.
    MissingExtraError
        It is a picture, and matplotlib is not installed.

    Examples
    --------
    >>> check_map_path(Path("emoji.html"))
    """
    check_path(path, _ENDINGS, what="map")


def write_map(found: Map, path: str | Path, *, color_by: str = "cluster") -> None:
    """Write a map to a file; what was there is replaced once all is written.

    Parameters
    ----------
    found : Map
        What is written.
    path : str or Path
        ``.png``, ``.svg``, ``.pdf``: a picture; ``.html``: a page that needs nothing else;
        ``.parquet``, ``.csv``, ``.json``: everything drawn.
    color_by : str
        What the colours of a picture tell, and those that a page starts with: ``cluster``,
        ``kind``, ``script``, ``norm``, ``group``, or a column of the user's table.

    Raises
    ------
    UsageError
        The ending or the colour is unknown, or the file cannot be written.
    MissingExtraError
        It is a picture, and matplotlib is not installed.

    Examples
    --------
    >>> import tempfile, unembed
    >>> path = Path(tempfile.mkdtemp(), "emoji.csv")
    >>> unembed.write_map(unembed.open_head("demo").map(region="emoji"), path)
    >>> path.read_text()[:21]
    'part,name,id,token,te'
    """
    path = Path(path)
    check_ending(path, _ENDINGS, what="map")
    if path.suffix in METADATA:
        map_figure(found, path, color_by=color_by)
        return
    write_by_ending(
        path,
        {
            ".html": lambda file: file.write(map_page(found, color_by=color_by)),
            ".json": lambda file: file.write(json_line(found.to_dict())),
            **table_writers(found),
        },
        what="map",
    )
