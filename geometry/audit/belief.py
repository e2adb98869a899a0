"""What a model would write next for each concept, and how sure it is to write into a region."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..heads.unembedding import Unembedding

# B concepts, vectors of width D; V tokens, N of them of a region.

_TOGETHER = 32  # whose logits are held at a time


@dataclass(frozen=True)
class Belief:
    """What a model makes of a concept where it would answer with a token of a region.

    Attributes
    ----------
    believed : float
        The probability that the next token is one of the region.
    written_id : int
        The token that it writes: the likeliest of all, of equal ones the lower id.
    written_token : str
        Its string in the vocabulary.
    written_text : str or None
        What it writes; None for a fragment of a character.

    Examples
    --------
    >>> Belief(0.97, 246955, "🐟", "🐟").written_text
    '🐟'
    """

    believed: float
    written_id: int
    written_token: str
    written_text: str | None


def beliefs(
    head: Unembedding,
    outputs_BD: NDArray[np.float64],
    region_N: NDArray[np.int64],
) -> list[Belief]:
    """Read a model's outputs.

    Parameters
    ----------
    head : Unembedding
        The model's.
    outputs_BD : ndarray of float64
        What meets its rows, after the final norm.
    region_N : ndarray of int64
        The tokens of the region.

    Examples
    --------
    >>> import unembed
    >>> head = unembed.open_head("demo")
    >>> sea_1D = 20 * head.rows.decode(np.array([5442]))
    >>> (found,) = beliefs(head, sea_1D, np.array([5442, 5455]))
    >>> found.written_token, found.believed > 0.9
    ('▁sea', True)
    """
    vocabulary, found = head.vocabulary, []
    for start in range(0, len(outputs_BD), _TOGETHER):
        for logits_V in head.single_logits(outputs_BD[start : start + _TOGETHER]):
            chances_V = np.exp(logits_V - logits_V.max())
            believed = float(chances_V[region_N].sum() / chances_V.sum())
            id_ = int(logits_V.argmax())
            found.append(Belief(believed, id_, vocabulary.token(id_), vocabulary.text(id_)))
    return found
