"""Residuals of layers to a space: through the final norm, the dual way."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ...indexes.rows import united
from ..heads.unembedding import Unembedding
from ..space import Space

# N residuals of width D.


def placed(head: Unembedding, space: Space, held_ND: NDArray[np.floating]) -> NDArray[np.float64]:
    """Give the unit vectors of a space that residuals meet once they have passed the final norm.

    Parameters
    ----------
    head : Unembedding
        Whose norm.
    space : Space
        Where to. Where the norm is folded into its rows, the norm's gain is left off.
    held_ND : ndarray
        What leaves a layer.

    Returns
    -------
    ndarray of float64
        Shape (N, D); one that is zero stays so.

    Examples
    --------
    >>> import unembed
    >>> from unembed.geometry.space import open_space
    >>> head = unembed.open_head("demo")
    >>> placed(head, open_space(head), np.ones((1, 640))).shape
    (1, 640)
    """
    return united(space.meet(normed(head, space, held_ND)))


def normed(head: Unembedding, space: Space, held_ND: NDArray[np.floating]) -> NDArray[np.float64]:
    """Give residuals as they meet the rows of a space: through the final norm.

    Parameters
    ----------
    head, space, held_ND
        As in `placed`.

    Returns
    -------
    ndarray of float64
        Shape (N, D).

    Examples
    --------
    >>> import unembed
    >>> from unembed.geometry.space import open_space
    >>> head = unembed.open_head("demo")
    >>> normed(head, open_space(head), np.ones((1, 640))).shape
    (1, 640)
    """
    final = head.final_norm
    residuals_ND = held_ND.astype(np.float64)
    if final is None:
        return residuals_ND
    if space.folded:
        final = replace(final, weight_D=np.ones(space.width), bias_D=None)
    return final(residuals_ND)
