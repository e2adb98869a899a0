"""Rows of an answer as a data frame or an Arrow table."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ..errors import MissingExtraError

if TYPE_CHECKING:
    import pandas
    import pyarrow


def arrow_of(rows: Sequence[Mapping[str, Any]]) -> "pyarrow.Table":
    """Make an Arrow table.

    Examples
    --------
    >>> arrow_of([{"rank": 1}]).num_rows
    1
    """
    import pyarrow

    return pyarrow.Table.from_pylist(rows)


def pandas_of(rows: Sequence[Mapping[str, Any]]) -> "pandas.DataFrame":
    """Make a data frame.

    Raises
    ------
    MissingExtraError
        pandas is not installed.

    Examples
    --------
    >>> len(pandas_of([{"rank": 1}]))
    1
    """
    try:
        import pandas
    except ImportError as error:
        raise MissingExtraError("a data frame (pandas)", extra="tables") from error
    return pandas.DataFrame(rows)
