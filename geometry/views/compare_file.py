"""A comparison as a file: a row for each token that both heads have."""

from pathlib import Path

from ..comparing.comparison import Comparison
from ..endings import check_ending, write_by_ending
from .files import check_path, write_csv, write_parquet

_ENDINGS = (".parquet", ".csv")


def check_comparison_path(path: Path) -> None:
    """Refuse a path that no comparison can be written to, before long work.

    Raises
    ------
    UsageError
        The ending is unknown, or the place cannot be written to.

    Examples
    --------
    >>> check_comparison_path(Path("tokens.parquet"))
    """
    check_path(path, _ENDINGS, what="comparison")


def write_comparison(found: Comparison, path: str | Path) -> None:
    """Write a comparison to a file; what was there is replaced once all is written.

    Parameters
    ----------
    found : Comparison
        What is written.
    path : str or Path
        ``.parquet`` or ``.csv``: a row for each token that both have, those that moved most first.

    Raises
    ------
    UsageError
        The ending is unknown, or the file cannot be written.

    Examples
    --------
    >>> import tempfile, unembed
    >>> head, path = unembed.open_head("demo-bytes"), Path(tempfile.mkdtemp(), "tokens.csv")
    >>> write_comparison(head.compare(head), path)
    >>> path.read_text()[:23]
    'id,other_id,token,text,'
    """
    path = Path(path)
    check_ending(path, _ENDINGS, what="comparison")
    write_by_ending(
        path,
        {
            ".parquet": lambda file: write_parquet(found.to_arrow(), file),
            ".csv": lambda file: write_csv(found.to_arrow(), file),
        },
        what="comparison",
    )
