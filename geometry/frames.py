"""Rows of an answer as a data frame or an Arrow table."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

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
    return _pandas().DataFrame(rows)


def pandas_square_of(names: Sequence[str], values_NN: NDArray[np.float64]) -> "pandas.DataFrame":
    """Make a data frame of what each of some names has with each other.

    Raises
    ------
    MissingExtraError
        pandas is not installed.

    Examples
    --------
    >>> pandas_square_of(["sea", "horse"], np.eye(2)).loc["sea"].tolist()
    [1.0, 0.0]
    """
    return _pandas().DataFrame(values_NN, index=list(names), columns=list(names))


def _pandas() -> Any:
    """Load pandas, where it is installed."""
    try:
        import pandas
    except ImportError as error:
        raise MissingExtraError("a data frame (pandas)", extra="tables") from error
    return pandas
