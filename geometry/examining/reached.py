"""Which tokens come near the top with residuals that a model had, and which never do."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...errors import UsageError
from ...indexes.progress import Progress, step_of
from ..heads.unembedding import Unembedding
from ..lens.readout import first_tokens
from ..model.residuals import Residuals

# V tokens; P positions of width D.

NEAR = 100  # the first of each position
_TOGETHER = 64  # positions whose logits are held at once


@dataclass(frozen=True, eq=False)
class Reached:
    """How near the top each token came.

    Attributes
    ----------
    positions : int
        How many residuals were asked.
    ranks_V : ndarray of int64
        The best rank of each token with any of them, from 1 to 100; 0 where it was never among the
        first 100.

    Examples
    --------
    >>> Reached(2, np.array([1, 0, 3])).ranks_V
    array([1, 0, 3])
    """

    positions: int
    ranks_V: NDArray[np.int64]


def reached(
    head: Unembedding, residuals: Residuals, *, progress: Progress | None = None
) -> Reached:
    """Say how near the top each token comes with the residuals of a model's last layer.

    Parameters
    ----------
    head : Unembedding
        The model's head.
    residuals : Residuals
        Of its last layer are asked, at every position, through the final norm.
    progress : callable, optional
        Is told ``(step, done, total)``.

    Raises
    ------
    UsageError
        They are of another width than the rows.

    Examples
    --------
    >>> import unembed
    >>> head = unembed.open_head("demo")
    >>> sea = head.vocabulary.id_of(" sea")
    >>> residuals = Residuals(head.rows.decode(np.array([sea]))[None], (0,))
    >>> int(reached(head, residuals).ranks_V[sea])
    1
    """
    last_PD = residuals.stack_LPD[-1]
    count, width = last_PD.shape
    if width != head.rows.width:
        raise UsageError(f"the residuals are {width} wide; the head takes {head.rows.width}")
    told = step_of(progress, "asking residuals")
    near = min(NEAR, head.rows.count)
    ranks_V = np.full(head.rows.count, near + 1, dtype=np.int64)
    ranks_K = np.arange(1, near + 1)
    for start in range(0, count, _TOGETHER):
        part_ND = last_PD[start : start + _TOGETHER]
        if head.final_norm is not None:
            part_ND = head.final_norm(part_ND)
        for logits_V in head.single_logits(part_ND):
            ids_K = first_tokens(logits_V, near)
            ranks_V[ids_K] = np.minimum(ranks_V[ids_K], ranks_K)
        told(min(start + _TOGETHER, count), count)
    return Reached(count, np.where(ranks_V > near, 0, ranks_V))
