"""A comparison as a file of a row a token: a table, by the file's ending."""

from pathlib import Path

from ..comparing.comparison import Comparison
from ..endings import check_ending, write_by_ending
from .files import check_path, table_writers

_ENDINGS = (".parquet", ".csv")
_WHAT = "table of tokens"


def check_compare_path(path: Path) -> None:
    """Refuse a path that no table can be written to, before long work.

    Raises
    ------
    UsageError
        The ending is unknown, or the place cannot be written to.

    Examples
    --------
    >>> check_compare_path(Path("tokens.parquet"))
    """
    check_path(path, _ENDINGS, what=_WHAT)


def write_comparison(found: Comparison, path: str | Path) -> None:
    """Write a comparison as a table: a row for each token.

    Parameters
    ----------
    found : Comparison
        What is written.
    path : str or Path
        ``.parquet`` or ``.csv``; what was there is replaced once all is written.

    Raises
    ------
    UsageError
        The ending is unknown, or the file cannot be written.

    Examples
    --------
    >>> import tempfile, unembed
    >>> head = unembed.open_head("demo-bytes")
    >>> path = Path(tempfile.mkdtemp(), "tokens.csv")
    >>> write_comparison(head.compare(head), path)
    >>> path.read_text()[:10]
    'id,other_i'
    """
    path = Path(path)
    check_ending(path, _ENDINGS, what=_WHAT)
    write_by_ending(path, table_writers(found), what=_WHAT)
