"""The health of a vocabulary as a file: a row for each token."""

from pathlib import Path

from ..endings import check_ending, write_by_ending
from ..examining.health import Health
from .files import check_path, write_csv, write_parquet

_ENDINGS = (".parquet", ".csv")


def check_health_path(path: Path) -> None:
    """Refuse a path that no report can be written to, before long work.

    Raises
    ------
    UsageError
        The ending is unknown, or the place cannot be written to.

    Examples
    --------
    >>> check_health_path(Path("tokens.parquet"))
    """
    check_path(path, _ENDINGS, what="vocabulary")


def write_health(found: Health, path: str | Path) -> None:
    """Write a report to a file; what was there is replaced once all is written.

    Parameters
    ----------
    found : Health
        What is written.
    path : str or Path
        ``.parquet`` or ``.csv``: a row for each known token, by its id.

    Raises
    ------
    UsageError
        The ending is unknown, or the file cannot be written.

    Examples
    --------
    >>> import tempfile, unembed
    >>> path = Path(tempfile.mkdtemp(), "tokens.csv")
    >>> write_health(unembed.open_head("demo-bytes").examine(), path)
    >>> path.read_text()[:18]
    'id,token,text,kind'
    """
    path = Path(path)
    check_ending(path, _ENDINGS, what="vocabulary")
    table = found.to_arrow()
    write_by_ending(
        path,
        {
            ".parquet": lambda file: write_parquet(table, file),
            ".csv": lambda file: write_csv(table, file),
        },
        what="vocabulary",
    )
