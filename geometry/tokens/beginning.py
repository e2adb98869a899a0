"""The tokens that begin alike."""

from bisect import bisect_left, bisect_right

import numpy as np
from numpy.typing import NDArray

from .vocabulary import Vocabulary


def ids_beginning(vocabulary: Vocabulary, beginning: bytes) -> NDArray[np.int64]:
    """Give the known tokens whose bytes begin so, by these bytes.

    Parameters
    ----------
    vocabulary : Vocabulary
        Of the tokens.
    beginning : bytes
        At least one.

    Examples
    --------
    >>> import unembed
    >>> vocabulary = unembed.open_head("demo").vocabulary
    >>> [vocabulary.text(id) for id in ids_beginning(vocabulary, b" Seah").tolist()]
    [' Seah', ' Seahawks']
    """
    order, size = vocabulary.by_bytes_V, len(beginning)
    first, after = (
        bisect(order, beginning, key=lambda id_: vocabulary.written[id_][:size])
        for bisect in (bisect_left, bisect_right)
    )
    return order[first:after].astype(np.int64)
