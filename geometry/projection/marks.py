"""Marks of a map: composed concepts and paths, where UMAP's transform puts them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...indexes import exact
from ...indexes.rows import gaps
from ..concepts.concept import Concept
from ..heads.unembedding import Unembedding
from .layout import Layout, added

# N points on a map of C coordinates; K nearest of a concept; M concepts.

NEAREST = 10  # that are kept of each token, and of each mark


@dataclass(frozen=True)
class Mark:
    """A composed concept, or a step of a path, on a map.

    Attributes
    ----------
    name : str
        The expression, or what the step is called.
    mapped, drawn : tuple of float
        Where UMAP's transform puts it, and where it is drawn, as in `Points`.
    near : tuple of int
        The places of the tokens of the map that are nearest to it in the space, the nearest first.
    cosines : tuple of float
        Theirs.
    snap : int
        The place of the token that the head makes of it, of those on the map: the largest logit;
        of equal ones the lower id.
    gap_degrees : float
        The angle between it and the snap's row in the space.
    gap_logit : float
        How much more logit a row of the snap's length would get that points at it.

    Examples
    --------
    >>> import unembed
    >>> found = unembed.open_head("demo").map(region="emoji", marks=["emoji(seahorse)"])
    >>> found.points.texts[found.marks[0].snap]
    '🐴'
    """

    name: str
    mapped: tuple[float, ...]
    drawn: tuple[float, ...]
    near: tuple[int, ...]
    cosines: tuple[float, ...]
    snap: int
    gap_degrees: float
    gap_logit: float


@dataclass(frozen=True)
class MapPath:
    """A sequence of vectors over a map, such as a residual after each layer.

    Attributes
    ----------
    name : str
        What it is called.
    steps : tuple of Mark
        In their order.

    Examples
    --------
    >>> MapPath("seahorse", ()).steps
    ()
    """

    name: str
    steps: tuple[Mark, ...]


@dataclass(frozen=True, eq=False)
class Met:
    """A concept among the tokens of a map.

    Attributes
    ----------
    places_K : ndarray of int64
        Those nearest to it in the space, the nearest first; of equal ones the lower.
    cosines_K : ndarray of float64
        Theirs.
    snap : int
        The place of the one that the head makes of it.
    gap_degrees, gap_logit : float
        As in `Mark`.

    Examples
    --------
    >>> import unembed
    >>> head = unembed.open_head("demo")
    >>> (met,) = met_by(head, [head.concept("sea")], np.array([5442, 12991]), k=2)
    >>> met.places_K.tolist(), met.snap, round(met.gap_degrees)
    ([0, 1], 0, 0)
    """

    places_K: NDArray[np.int64]
    cosines_K: NDArray[np.float64]
    snap: int
    gap_degrees: float
    gap_logit: float


def met_by(
    head: Unembedding, concepts: Sequence[Concept], ids_N: NDArray[np.int64], *, k: int
) -> list[Met]:
    """Find the tokens of a map nearest to concepts, and what the head makes of them there.

    Parameters
    ----------
    head : Unembedding
        Whose rows.
    concepts : sequence of Concept
        Of one space; each counts at the length at which its residual has norm 1.
    ids_N : ndarray of int64
        The tokens of the map, ascending.
    k : int
        How many; fewer come where there are fewer.

    Raises
    ------
    UsageError
        A concept comes out at zero.

    Examples
    --------
    >>> import unembed
    >>> head = unembed.open_head("demo")
    >>> met_by(head, [], np.array([5442]), k=1)
    []
    """
    if not concepts:
        return []
    space, index = concepts[0].space, head.index
    vectors = [concept.reaching(1.0) for concept in concepts]
    measures = [space.measure(vector_D, cosine=True) for vector_D in vectors]
    logits = [space.logits(measure) for measure in measures]
    near = exact.propose(index, measures, k, among_N=ids_N)
    most = exact.propose(index, logits, 1, among_N=ids_N)
    found = []
    for vector_D, measure, logit, *proposals in zip(
        vectors, measures, logits, near, most, strict=True
    ):
        cosines_K, ids_K = exact.nearest(index, head.rows, measure, proposals[0], k)
        _, snap_1 = exact.nearest(index, head.rows, logit, proposals[1], 1)
        lost, degrees = gaps(vector_D, space.place(head.rows.decode(snap_1))[0])
        places_K, (snap,) = np.searchsorted(ids_N, ids_K), np.searchsorted(ids_N, snap_1)
        found.append(Met(places_K, cosines_K, int(snap), float(degrees), float(lost)))
    return found


def placed(mapped_NC: NDArray[np.float32], met: Met, layout: Layout) -> NDArray[np.float32]:
    """Put a concept on a map by the tokens nearest to it; see `added`.

    Parameters
    ----------
    mapped_NC : ndarray of float32
        Where the tokens are.
    met : Met
        The concept among them; as many count as hold a token.
    layout : Layout
        What UMAP was told.

    Returns
    -------
    ndarray of float32
        Shape (C,).

    Examples
    --------
    >>> met = Met(np.array([1]), np.array([0.9]), snap=1, gap_degrees=26.0, gap_logit=0.1)
    >>> placed(np.float32([[1, 2], [3, 4]]), met, Layout(2))
    array([3., 4.], dtype=float32)
    """
    k = layout.neighbors
    return added(mapped_NC, met.places_K[:k], angles(met.cosines_K[:k]), layout)


def marks_of(
    concepts: Sequence[Concept],
    met: Sequence[Met],
    placed_MC: Sequence[NDArray[np.float32]],
    mapped_NC: NDArray[np.float32],
    drawn_NC: NDArray[np.float32],
) -> tuple[Mark, ...]:
    """Make marks of concepts; each is moved as the token of the map that it lies nearest to.

    Parameters
    ----------
    concepts : sequence of Concept
        What is marked.
    met : sequence of Met
        Each among the tokens of the map.
    placed_MC : sequence of ndarray of float32
        Where each was put.
    mapped_NC, drawn_NC : ndarray of float32
        As in `Points`.

    Examples
    --------
    >>> import unembed
    >>> concept, at_NC = unembed.open_head("demo").concept("sea"), np.float32([[1, 2], [3, 4]])
    >>> met = Met(np.array([1]), np.array([0.9]), snap=1, gap_degrees=26.0, gap_logit=0.1)
    >>> marks_of([concept], [met], [at_NC[1]], at_NC, at_NC + 1)[0].drawn
    (4.0, 5.0)
    """
    marks = []
    for concept, found, placed_C in zip(concepts, met, placed_MC, strict=True):
        beside = int(np.argmin(((mapped_NC - placed_C) ** 2).sum(axis=1)))
        drawn_C = placed_C + (drawn_NC[beside] - mapped_NC[beside])
        marks.append(
            Mark(
                name=concept.expression,
                mapped=tuple(placed_C.tolist()),
                drawn=tuple(drawn_C.tolist()),
                near=tuple(found.places_K[:NEAREST].tolist()),
                cosines=tuple(found.cosines_K[:NEAREST].tolist()),
                snap=found.snap,
                gap_degrees=found.gap_degrees,
                gap_logit=found.gap_logit,
            )
        )
    return tuple(marks)


def angles(cosines: NDArray[np.float64]) -> NDArray[np.float64]:
    """Give the angles that UMAP takes for distances: of the near ones they tell more apart.

    Examples
    --------
    >>> angles(np.array([1.0, 0.0])).round(2)
    array([0.  , 1.57])
    """
    found: NDArray[np.float64] = np.arccos(np.clip(cosines, -1.0, 1.0))
    return found
