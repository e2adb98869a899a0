"""The health of a vocabulary as a file: a page or a table, by the file's ending."""

from pathlib import Path

from ..endings import check_ending, write_by_ending
from ..examining.health import Health
from .files import check_path, json_line, table_writers
from .vocab_page import vocab_page

_ENDINGS = (".html", ".parquet", ".csv", ".json")
_WHAT = "vocabulary's report"


def check_vocab_path(path: Path) -> None:
    """Refuse a path that no report can be written to, before long work.

    Raises
    ------
    UsageError
        The ending is unknown, or the place cannot be written to.

    Examples
    --------
    >>> check_vocab_path(Path("demo.html"))
    """
    check_path(path, _ENDINGS, what=_WHAT)


def write_vocab(found: Health, path: str | Path) -> None:
    """Write the health of a vocabulary to a file; what was there is replaced once all is written.

    Parameters
    ----------
    found : Health
        What is written.
    path : str or Path
        ``.html``: a page that needs nothing else; ``.parquet``, ``.csv``: a row for each token;
        ``.json``: the report without these rows.

    Raises
    ------
    UsageError
        The ending is unknown, or the file cannot be written.

    Examples
    --------
    >>> import tempfile, unembed
    >>> path = Path(tempfile.mkdtemp(), "tokens.csv")
    >>> unembed.write_vocab(unembed.open_head("demo-bytes").examine(), path)
    >>> path.read_text()[:18]
    'id,token,text,kind'
    """
    path = Path(path)
    check_ending(path, _ENDINGS, what=_WHAT)
    write_by_ending(
        path,
        {
            ".html": lambda file: file.write(vocab_page(found)),
            ".json": lambda file: file.write(json_line(found.to_dict())),
            **table_writers(found),
        },
        what=_WHAT,
    )
