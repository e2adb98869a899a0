"""How far vectors point along directions, beside all rows."""

import hashlib

import numpy as np
from numpy.typing import NDArray

from ...indexes.progress import Progress, step_of
from ...indexes.rows import united
from ...indexes.store import fits
from ..concepts.compose import Composer
from .explanation import Along
from .steps import Units

# V tokens, rows of width D; M directions.

_PARTS = 1000  # of the rows, by their cosines


def along(
    composer: Composer,
    vector_D: NDArray[np.float64],
    steps: Units,
    *,
    among: Units,
    progress: Progress | None = None,
) -> tuple[Along, ...]:
    """Give how far a vector points along each direction, and how many rows point less far.

    Parameters
    ----------
    composer : Composer
        Whose head and space.
    vector_D : ndarray of float64
        Of the space.
    steps : Units
        The directions, without the pairs that the vector itself is in.
    among : Units
        The directions with all their pairs, along which the rows are measured.
    progress : callable, optional
        Is told ``(step, done, total)``.

    Examples
    --------
    >>> import unembed
    >>> from unembed.geometry.concepts.compose import composer_of
    >>> from unembed.geometry.explaining.steps import steps_of
    >>> composer = composer_of(unembed.open_head("demo"))
    >>> concept = composer.expression("queens")
    >>> units = steps_of(composer).without([])
    >>> found = along(composer, concept.vector_D, units, among=units)
    >>> sorted(one.name for one in found[:2])
    ['female', 'plural']
    """
    if not steps.names:
        return ()
    levels = dict(zip(among.names, _levels(composer, among.units_MD, progress), strict=True))
    cosines_M = steps.units_MD @ united(vector_D[None])[0]
    found = [
        Along(name, cosine, max(int(np.searchsorted(levels[name], cosine)) - 1, 0) / _PARTS)
        for name, cosine in zip(steps.names, cosines_M.tolist(), strict=True)
    ]
    return tuple(sorted(found, key=lambda one: (-one.cosine, one.name)))


def _levels(
    composer: Composer,
    units_MD: NDArray[np.float64],
    progress: Progress | None,
) -> NDArray[np.float64]:
    """Give a thousand cosines of known rows with each step, evenly by rank; kept on disk."""
    head, space = composer.head, composer.space
    told = step_of(progress, "measuring rows along directions")

    def build() -> dict[str, NDArray[np.float64]]:
        cosines_MV = np.empty((len(units_MD), head.rows.count))
        measures = space.measures(units_MD, residual_norm=1.0, cosine=True)
        queries_DM = np.array([measure.query_D for measure in measures], dtype=np.float32).T
        for places, block_ND in head.rows.single_blocks():
            products_NM = (block_ND @ queries_DM).astype(np.float64)
            for cosines_V, measure, products_N in zip(
                cosines_MV, measures, products_NM.T, strict=True
            ):
                cosines_V[places] = measure.of_products(products_N, places)
            told(min(places.stop, head.rows.count), head.rows.count)
        known_MV = np.sort(cosines_MV[:, head.vocabulary.known_V], axis=1)
        places_L = np.arange(_PARTS) * known_MV.shape[1] // _PARTS
        return {"levels": known_MV[:, places_L]}

    return head.store.arrays(
        "along",
        repr((space.key, hashlib.sha256(units_MD.tobytes()).hexdigest())),
        build,
        lambda kept: fits(kept, {"levels": (len(units_MD), _PARTS)}),
    )["levels"]
