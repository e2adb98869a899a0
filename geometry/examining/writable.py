"""Which tokens a head can write at all: those that some residual gives the largest logit."""

import hashlib

from ...indexes.progress import Progress
from ...indexes.winning.every import Winners, decide_all
from ..heads.unembedding import Unembedding


def writable_all(head: Unembedding, *, progress: Progress | None = None) -> Winners:
    """Decide for every row whether any residual gives it the largest logit, padding included.

    It is decided once and kept in the head's store, part by part: what was broken off goes on.

    Parameters
    ----------
    head : Unembedding
        Its head.
    progress : callable, optional
        Is told ``(step, done, total)``.

    Returns
    -------
    Winners
        A verdict for each row, and how it was found; of equal rows the first can win, or the one
        of the largest bias.

    Examples
    --------
    >>> import unembed
    >>> found = writable_all(unembed.open_head("demo-bytes"))
    >>> found.wins_V.min(), found.undecided, found.counts()["equal row"]
    (np.int8(0), 0, (0, 1))
    """
    biases = b"" if head.bias_V is None else head.bias_V.tobytes()
    return decide_all(
        head.index,
        head.rows,
        lengths_V=head.norms_V,
        bias_V=head.bias_V,
        store=head.store,
        key=repr((head.key, hashlib.sha256(biases).hexdigest())),
        progress=progress,
    )
