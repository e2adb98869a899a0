"""Looking: the head applied to residuals, layer by layer."""

from collections.abc import Sequence
from functools import partial

import numpy as np

from ...errors import UsageError
from ...indexes.progress import Progress, step_of
from ..concepts.phrase import one_token
from ..heads.unembedding import Unembedding
from ..model.residuals import Residuals
from ..tokens.becoming import becoming, unfinished
from .lens import Guess, Layer, Lens, Position
from .readout import Readout, readout

# L layers, P positions, width D.

_LONGEST = 3  # tokens that can have begun one character


def look(
    head: Unembedding,
    residuals: Residuals,
    *,
    top: int = 5,
    track: Sequence[str] | None = None,
    normed: bool = True,
    progress: Progress | None = None,
) -> Lens:
    """Apply a head to residuals: to every layer at every position.

    Parameters
    ----------
    head : Unembedding
        The head.
    residuals : Residuals
        Before the final norm, the last layer's too.
    top : int
        How many tokens are given of each layer.
    track : sequence of str, optional
        Names of tokens to follow through all layers; each is one token. By default those that are
        first in some layer of the same position.
    normed : bool
        Pass every layer through the model's final norm, as its last layer passes it.
    progress : callable, optional
        Is told ``(step, done, total)``.

    Returns
    -------
    Lens
        The last layer's logits are the model's own.

    Raises
    ------
    UsageError
        `top` is out of range, a followed name is no single token, or the residuals are of another
        width.

    Examples
    --------
    >>> import unembed
    >>> head = unembed.open_head("demo")
    >>> rows_PD = head.rows.decode(np.array([5442, head.vocabulary.id_of(" horse")]))
    >>> found = look(head, Residuals(rows_PD[None], (0, 1)), normed=False)
    >>> [place.layers[0].top[0].token for place in found.positions]
    ['▁sea', '▁horse']
    """
    _, count, width = residuals.stack_LPD.shape
    if width != head.rows.width:
        raise UsageError(f"the residuals are {width} wide; the head takes {head.rows.width}")
    if not 1 <= top <= head.rows.count:
        raise UsageError(f"top is {top}; it must be 1 to {head.rows.count:,}, the tokens there are")
    followed = None
    if track is not None:
        followed = [one_token(name, head.vocabulary) for name in track]
    norm = head.final_norm if normed else None
    layers = len(residuals.stack_LPD)
    # Their logits take half the room of a head of 16 bits, or that of one position.
    together = max(width // (4 * layers), 1)
    places, done = [], step_of(progress, "reading layers")
    for start in range(0, count, together):
        part_PLD = residuals.stack_LPD[:, start : start + together].transpose(1, 0, 2)
        hidden_ND = part_PLD.reshape(-1, width)
        logits_NV = head.single_logits(hidden_ND if norm is None else norm(hidden_ND))
        for place, logits_LV in enumerate(np.split(logits_NV, len(part_PLD)), start=start):
            found = readout(logits_LV, top=top, followed=followed)
            places.append(_position(head, residuals, place, found))
            done(place + 1, count)
    return Lens(
        source=head.source,
        prompt=residuals.prompt,
        text=residuals.text,
        norm=None if norm is None else norm.kind,
        softcap=head.softcap,
        scale=head.scale,
        bias=head.bias_V is not None,
        positions=tuple(places),
    )


def _position(head: Unembedding, residuals: Residuals, place: int, found: Readout) -> Position:
    """Say what was found at one position."""
    vocabulary = head.vocabulary
    id_ = None if residuals.token_ids is None else residuals.token_ids[place]
    before = _before(head, residuals, place)
    return Position(
        position=residuals.positions[place],
        token_id=id_,
        token=None if id_ is None else vocabulary.token(id_),
        text=None if id_ is None else vocabulary.text(id_),
        written=place >= len(residuals.positions) - residuals.written,
        layers=tuple(_layer(head, found, layer, before) for layer in range(len(found.ids_LK))),
    )


def _before(head: Unembedding, residuals: Residuals, place: int) -> bytes:
    """Give the bytes of a character that what was read up to a position has begun."""
    written = b""
    if residuals.token_ids is not None:
        first = max(place - _LONGEST, 0)
        # Of positions in a row alone: what stands between others is not known.
        while residuals.positions[place] - residuals.positions[first] > place - first:
            first += 1
        read = residuals.token_ids[first : place + 1]
        written = b"".join(head.vocabulary.written[id_] for id_ in read)
    return unfinished(written)


def _layer(head: Unembedding, found: Readout, layer: int, before: bytes) -> Layer:
    """Say what was found in one layer."""
    first = zip(found.ids_LK[layer].tolist(), found.logits_LK[layer].tolist(), strict=True)
    followed = zip(
        found.ranks_LT[layer].tolist(),
        found.followed_T.tolist(),
        found.followed_LT[layer].tolist(),
        strict=True,
    )
    guess = partial(_guess, head, before, float(found.totals_L[layer]))
    return Layer(
        layer=layer,
        top=tuple(guess(rank, *given) for rank, given in enumerate(first, start=1)),
        entropy=float(found.entropies_L[layer]),
        kl=float(found.kl_L[layer]),
        tracked=tuple(guess(*given) for given in followed),
    )


def _guess(
    head: Unembedding, before: bytes, total: float, rank: int, id_: int, logit: float
) -> Guess:
    """Make a guess of a token's numbers."""
    vocabulary = head.vocabulary
    return Guess(
        rank=rank,
        id=id_,
        token=vocabulary.token(id_),
        text=vocabulary.text(id_),
        logit=logit,
        probability=float(np.exp(logit - total)),
        becomes=becoming(before + vocabulary.written[id_]),
    )
