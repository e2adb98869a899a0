"""How the rows of a head's tokens vary: their mean, and the directions in which they differ."""

import hashlib

import numpy as np

from ..indexes.moments import Fold
from ..indexes.progress import Progress, step_of
from ..indexes.shrinkage import Spectrum, spectrum
from .heads.unembedding import Unembedding


def spectrum_of(
    head: Unembedding, fold: Fold | None = None, *, progress: Progress | None = None
) -> Spectrum:
    """Give the spectrum of the rows of all known tokens: taken once, and kept in the head's store.

    Parameters
    ----------
    head : Unembedding
        Whose rows.
    fold : Fold, optional
        The norm that is folded in; none by default.
    progress : callable, optional
        Is told ``(step, done, total)``.

    Raises
    ------
    numpy.linalg.LinAlgError
        LAPACK finds no eigenvalues.

    Examples
    --------
    >>> import unembed
    >>> spectrum_of(unembed.open_head("demo")).values_D.shape
    (640,)
    """
    fold = Fold() if fold is None else fold
    return spectrum(
        head.rows,
        np.flatnonzero(head.vocabulary.known_V),
        fold,
        store=head.store,
        key=repr((head.key, head.vocabulary.key, *folded_key(fold))),
        done=step_of(progress, "taking the covariance of rows"),
    )


def folded_key(fold: Fold) -> tuple[str, bool]:
    """Tell a norm that is folded in from every other: it may lie in another file than the rows.

    Examples
    --------
    >>> folded_key(Fold())
    ('', False)
    """
    gain = b"" if fold.gain_D is None else fold.gain_D.tobytes()
    return hashlib.sha256(gain).hexdigest() if gain else "", fold.centred
