"""Residuals in a space: beside concepts, and as sums of rows."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ...errors import UsageError
from ...indexes.progress import Progress
from ..concepts.compose import composer_of
from ..explaining.chance import by_chance
from ..explaining.dictionary import Dictionary
from ..explaining.pursuit import MOST, Part, sparse_sums
from ..heads.unembedding import Unembedding
from ..model.placing import placed
from ..model.residuals import Residuals
from ..space import DEFAULT_SPACE
from .lens import Lens

# L layers, P positions, width D; C concepts; N residuals, L of each position.


def compared(
    found: Lens,
    head: Unembedding,
    residuals: Residuals,
    *,
    concepts: Sequence[str] = (),
    decompose: int = 0,
    space: str = DEFAULT_SPACE,
    progress: Progress | None = None,
) -> Lens:
    """Add to a lens the cosines of its residuals with concepts, and their sums of rows.

    Each residual passes the final norm and is mapped to the space in the dual way, as what meets
    the rows: there it lies where a vector of rows lies that meets them so.

    Parameters
    ----------
    found : Lens
        Of the residuals.
    head : Unembedding
        The head.
    residuals : Residuals
        What was looked at.
    concepts : sequence of str
        Expressions.
    decompose : int
        How many rows a sum has, at most 16; 0 for none.
    space : str
        As `open_space` takes it.
    progress : callable, optional
        Is told ``(step, done, total)``.

    Raises
    ------
    ExpressionError
        A concept is none, or comes out at zero.
    UsageError
        The space or the number of rows is none.

    Examples
    --------
    >>> import unembed
    >>> from unembed.geometry.lens.look import look
    >>> head = unembed.open_head("demo")
    >>> held = Residuals(head.rows.decode(np.array([5442]))[None], (0,))
    >>> lens = compared(look(head, held), head, held, concepts=["sea", "horse"])
    >>> (layer,) = lens.positions[0].layers
    >>> layer.cosines[0] > layer.cosines[1]
    True
    """
    if not 0 <= decompose <= MOST:
        raise UsageError(f"a residual is written as 0 to {MOST} rows, not {decompose}")
    composer = composer_of(head, space=space, progress=progress)
    units = [composer.expression(text).unit().vector_D for text in concepts]
    units_CD = np.array(units).reshape(len(units), composer.space.width)
    layers, _, width = residuals.stack_LPD.shape
    held_ND = residuals.stack_LPD.transpose(1, 0, 2).reshape(-1, width)
    placed_ND = placed(head, composer.space, held_ND)
    cosines_NC = placed_ND @ units_CD.T
    sums: list[tuple[Part, ...]] = [()] * len(placed_ND)
    chance = None
    if decompose:
        whole = Dictionary.whole(head)

        def write(vectors_ND: NDArray[np.float64], count: int) -> list[tuple[Part, ...]]:
            return sparse_sums(
                head, composer.space, vectors_ND, count, dictionary=whole, progress=progress
            )

        sums = write(placed_ND, decompose)
        chance_K = by_chance(
            head, composer.space, whole, "omp", lambda vectors_ND: write(vectors_ND, MOST)
        )
        chance = float(chance_K[decompose - 1])
    positions = tuple(
        replace(
            position,
            layers=tuple(
                replace(layer, cosines=tuple(cosines_NC[place].tolist()), parts=sums[place])
                for place, layer in enumerate(position.layers, start=at * layers)
            ),
        )
        for at, position in enumerate(found.positions)
    )
    return replace(
        found,
        positions=positions,
        space=composer.space.name,
        concepts=tuple(concepts),
        chance=chance,
    )
