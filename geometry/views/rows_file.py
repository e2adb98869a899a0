"""An answer of a row a token as a file: a table, by the file's ending."""

from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from ..endings import check_ending, write_by_ending
from .files import check_path, write_csv, write_parquet

if TYPE_CHECKING:
    import pyarrow

_ENDINGS = (".parquet", ".csv")
_WHAT = "table of tokens"


class Tabled(Protocol):
    """What has a row for each token.

    Examples
    --------
    >>> import unembed
    >>> found: Tabled = unembed.open_head("demo-bytes").examine()
    """

    def to_arrow(self) -> "pyarrow.Table":
        """Give the rows as an Arrow table."""


def check_rows_path(path: Path) -> None:
    """Refuse a path that no table can be written to, before long work.

    Raises
    ------
    UsageError
        The ending is unknown, or the place cannot be written to.

    Examples
    --------
    >>> check_rows_path(Path("tokens.parquet"))
    """
    check_path(path, _ENDINGS, what=_WHAT)


def write_rows(found: Tabled, path: str | Path) -> None:
    """Write a comparison, or the health of a vocabulary, as a table: a row for each token.

    Parameters
    ----------
    found : Comparison or Health
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
    >>> path = Path(tempfile.mkdtemp(), "tokens.csv")
    >>> write_rows(unembed.open_head("demo-bytes").examine(), path)
    >>> path.read_text()[:18]
    'id,token,text,kind'
    """
    path = Path(path)
    check_ending(path, _ENDINGS, what=_WHAT)
    table = found.to_arrow()
    write_by_ending(
        path,
        {
            ".parquet": lambda file: write_parquet(table, file),
            ".csv": lambda file: write_csv(table, file),
        },
        what=_WHAT,
    )
