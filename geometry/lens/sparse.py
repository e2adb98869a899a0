"""Vectors as sums of a few rows: orthogonal matching pursuit over all tokens."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...indexes.batch import nearest_each
from ...indexes.progress import Progress, step_of
from ...indexes.rows import norm, united
from ..heads.unembedding import Unembedding
from ..space import Space

# N vectors of width D; K rows of each sum.

_SPARE = (
    24  # of the nearest that are looked at, since forms of a word that is there are passed over
)
_STEM = 4  # letters that two forms of a word share
_EXACT = 1e-12  # of a vector that is left when nothing is
MOST = 16


@dataclass(frozen=True)
class Part:
    """A row in a sum.

    Attributes
    ----------
    id : int
        The token's.
    token : str
        Its string in the vocabulary.
    text : str or None
        What it writes.
    weight : float
        What the unit vector of its row counts; above 0.
    explained : float
        The share of the vector that is explained with it and those before: 1 less the square of
        what is left.

    Examples
    --------
    >>> Part(5455, "▁horse", " horse", 0.4, 0.16).text
    ' horse'
    """

    id: int
    token: str
    text: str | None
    weight: float
    explained: float


def sparse_sums(
    head: Unembedding,
    space: Space,
    vectors_ND: NDArray[np.float64],
    count: int,
    *,
    progress: Progress | None = None,
) -> list[tuple[Part, ...]]:
    """Write vectors as sums of a few rows (Pati, Rezaiifar and Krishnaprasad 1993).

    At each step the row is taken whose cosine with what is left is the highest of all known tokens,
    and all weights are fitted again by least squares. Rows enter where they add: with a positive
    cosine. A form of a word that is there (the same first four letters, capitals aside) is passed
    over.

    Parameters
    ----------
    head : Unembedding
        Whose rows.
    space : Space
        Where they are unit vectors.
    vectors_ND : ndarray of float64
        Of the space.
    count : int
        How many rows at most.
    progress : callable, optional
        Is told ``(step, done, total)``.

    Returns
    -------
    list of tuple of Part
        For each vector, in the order in which its rows were taken; none of a vector that is zero.

    Examples
    --------
    >>> import unembed
    >>> from unembed.geometry.space import open_space
    >>> head = unembed.open_head("demo")
    >>> sum_1D = head.concept("sea + horse").vector_D[None]
    >>> [[part.token for part in parts] for parts in sparse_sums(head, open_space(head), sum_1D, 2)]
    [['▁sea', '▁horse']]
    """
    units_ND = united(vectors_ND)
    left_ND = units_ND.copy()
    chosen: list[list[int]] = [[] for _ in units_ND]
    explained: list[list[float]] = [[] for _ in units_ND]
    weights: list[NDArray[np.float64]] = [np.empty(0) for _ in units_ND]
    going = np.flatnonzero(norm(units_ND) > 0).tolist()
    known_N = np.flatnonzero(head.vocabulary.known_V)
    told = step_of(progress, "writing residuals as sums of rows")
    for step in range(count):
        if not going:
            break
        scores_NK, ids_NK = nearest_each(
            head.rows,
            space.measures(left_ND[going], residual_norm=1.0, cosine=True),
            _SPARE,
            lengths_V=head.norms_V,
            among_N=known_N,
            done=step_of(None, ""),
        )
        still = []
        for place, scores_K, ids_K in zip(going, scores_NK, ids_NK.tolist(), strict=True):
            near = ids_K[: int((scores_K > 0).sum())]
            id_ = _new(head, near, chosen[place])
            if id_ is None:
                continue
            rows_KD = _unit_rows(head, space, [*chosen[place], id_])
            fitted_K = np.linalg.lstsq(rows_KD.T, units_ND[place], rcond=None)[0]
            if fitted_K.min() <= 0:  # what is there is not needed beside it
                continue
            chosen[place].append(id_)
            weights[place] = fitted_K
            left_ND[place] = units_ND[place] - fitted_K @ rows_KD
            explained[place].append(1.0 - float(np.square(left_ND[place]).sum()))
            if explained[place][-1] < 1 - _EXACT:
                still.append(place)
        going = still
        told(step + 1, count)
    return [
        tuple(
            Part(id_, head.vocabulary.token(id_), head.vocabulary.text(id_), weight, share)
            for id_, weight, share in zip(*parts, strict=True)
        )
        for parts in zip(chosen, map(np.ndarray.tolist, weights), explained, strict=True)
    ]


def _new(head: Unembedding, ids: list[int], taken: list[int]) -> int | None:
    """Give the first token that is no form of one that is there."""
    stems = {_stem(head, id_) for id_ in taken}
    return next((id_ for id_ in ids if id_ not in taken and _stem(head, id_) not in stems), None)


def _stem(head: Unembedding, id_: int) -> str:
    """Give what two forms of a word have in common; a fragment has only itself."""
    text = head.vocabulary.text(id_)
    return f"#{id_}" if text is None else text.strip().casefold()[:_STEM] or f"#{id_}"


def _unit_rows(head: Unembedding, space: Space, ids: list[int]) -> NDArray[np.float64]:
    """Give the unit vectors of rows."""
    return united(space.place(head.rows.decode(np.array(ids))))
