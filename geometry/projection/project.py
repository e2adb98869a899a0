"""Projecting: from a region and what is marked on it to a map."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ...errors import UsageError
from ...indexes.progress import Progress
from ...indexes.vectors import as_vectors
from ..concepts.compose import Composer, Composition, Given, composer_of, of_residual
from ..concepts.concept import Concept
from ..concepts.phrase import DEFAULT_PIECES
from ..heads.unembedding import Unembedding
from ..method import chosen_method
from ..neighbours import Query, as_concept, nearest
from ..region import RegionLike
from ..space import DEFAULT_SPACE, check_space
from ..tokens.scripts import scripts_of
from .clusters import described
from .columns import Columns
from .gathering import ALL, Gathered, Regions, gathered
from .kept import Kept
from .layout import Layout
from .map import Map, Points
from .marks import NEAREST, MapPath, Mark, Met, marks_of, met_by, placed

# N tokens on a map of C coordinates; S steps of a path, of width D.


class MapOptions(Composition, total=False):
    """What can be asked of a map, beside how concepts are composed.

    Attributes
    ----------
    region : str, sequence of str, sequence of int or None
        What is mapped, as `find_region` takes it; several regions as a sequence of str, each a
        group; None for all tokens.
    exclude_region : str, sequence of int or None
        What is left out.
    around : str, Concept, array_like, sequence of pairs or None
        Map only the tokens of the region that are nearest to this, and mark it.
    top : int
        How many those are; 500 by default.
    marks : sequence
        Concepts that are placed on the map: expressions, concepts, residuals.
    paths : mapping of str to array_like
        Sequences of residuals, shape (S, D), that are drawn as lines over the map.
    neighbors : int
        How many of the nearest hold a token, itself among them: 2 to 256, 15 by default; fewer
        tokens are held by as many as there are.
    min_dist : float
        How near two points may come, 0 to 1; 0.05 by default.
    densmap : bool
        Keep dense regions dense.
    dimensions : int
        2, the default, or 3.
    supervised : bool
        Draw tokens of one group together.
    seed : int
        Of all that is random; 0 by default.
    columns : Columns or None
        A table of one's own, to colour by.
    method : str or None
        Pieces and estimator in one, as in `nearest`; its score finds what is around a concept.

    Examples
    --------
    >>> import unembed
    >>> options: MapOptions = {"around": "sea", "top": 50}
    >>> unembed.open_head("demo").map(**options)
    Map('around sea', demo, causal: 50 tokens, 2 dimensions)
    """

    region: Regions
    exclude_region: RegionLike
    around: Query | None
    top: int
    marks: Sequence[Query]
    paths: Mapping[str, ArrayLike]
    neighbors: int
    min_dist: float
    densmap: bool
    dimensions: int
    supervised: bool
    seed: int
    columns: Columns | None
    method: str | None


def project(
    head: Unembedding,
    *,
    region: Regions = None,
    exclude_region: RegionLike = None,
    around: Query | None = None,
    top: int = 500,
    marks: Sequence[Query] = (),
    paths: Mapping[str, ArrayLike] | None = None,
    neighbors: int = Layout.neighbors,
    min_dist: float = Layout.min_dist,
    densmap: bool = False,
    dimensions: int = 2,
    supervised: bool = False,
    seed: int = 0,
    columns: Columns | None = None,
    method: str | None = None,
    space: str = DEFAULT_SPACE,
    pieces: str = DEFAULT_PIECES,
    directions: Given = None,
    estimator: str | None = None,
    fold_norm: bool = False,
    progress: Progress | None = None,
) -> Map:
    """Lay a neighbourhood of a head out by UMAP, from exact neighbours, and mark concepts on it.

    Parameters
    ----------
    head : Unembedding
        Whose tokens.
    region, exclude_region, around, top, marks, paths, neighbors, min_dist, densmap, dimensions, \
supervised, seed, columns, method, space, pieces, directions, estimator, fold_norm, progress
        As in `MapOptions` and `Composition`.

    Returns
    -------
    Map
        The same for the same input, kept in the cache.

    Raises
    ------
    UsageError
        An option or an expression is wrong.

    Examples
    --------
    >>> import unembed
    >>> project(unembed.open_head("demo"), region="emoji").trust.trustworthiness > 0.93
    True
    """
    if isinstance(marks, str):
        raise UsageError(f"marks is the one text {marks!r}; give a list: [{marks!r}]")
    layout, score = Layout(neighbors, min_dist, densmap, dimensions, supervised, seed), None
    if method is not None:
        if (pieces, estimator) != (DEFAULT_PIECES, None):
            raise UsageError(
                f"the method {method!r} says how pieces count and how directions are learned; "
                "leave out pieces and estimator"
            )
        chosen = chosen_method(head, method, check_space(space), fold_norm=fold_norm)
        pieces, estimator = chosen.pieces, chosen.estimator
        score = "csls" if chosen.csls else None
    composer = composer_of(
        head,
        space=space,
        pieces=pieces,
        directions=directions,
        estimator=estimator,
        fold_norm=fold_norm,
        progress=progress,
    )
    tokens = gathered(head, region, exclude=exclude_region)
    centre = None if around is None else as_concept(composer, around, name="a vector")
    concepts = [
        as_concept(composer, mark, name=f"vector {place}") for place, mark in enumerate(marks, 1)
    ]
    trails = _trails(composer, paths or {})
    title = " and ".join(tokens.groups)
    if centre is not None:
        tokens = _around(head, composer, centre, tokens, top, score, progress)
        title = f"around {centre.expression}" + ("" if title == ALL else f" in {title}")
        if centre.expression not in {concept.expression for concept in concepts}:
            concepts.insert(0, centre)
    if supervised and len(tokens.groups) < 2:
        raise UsageError("a supervised map draws groups apart; give two regions or more")
    layout = replace(layout, neighbors=max(2, min(layout.neighbors, len(tokens.ids_N))))
    kept = Kept(head, composer.space, tokens, layout, progress)
    return _drawn(kept, title, concepts, trails, columns)


def marked(head: Unembedding, found: Map, concepts: Sequence[Concept]) -> tuple[Mark, ...]:
    """Place more concepts on a map that is there, where `project` would have put them.

    Parameters
    ----------
    head : Unembedding
        Whose map it is.
    found : Map
        The map.
    concepts : sequence of Concept
        Of the space of the map.

    Raises
    ------
    UsageError
        A concept comes out at zero.

    Examples
    --------
    >>> import unembed
    >>> head = unembed.open_head("demo")
    >>> found = head.map(region="emoji")
    >>> (mark,) = marked(head, found, [head.concept("emoji(seahorse)")])
    >>> found.points.texts[mark.snap]
    '🐴'
    """
    points = found.points
    met = _met(head, found.layout, concepts, points.ids_N)
    placed_MC = [placed(points.mapped_NC, one, found.layout) for one in met]
    return marks_of(concepts, met, placed_MC, points.mapped_NC, points.drawn_NC)


def _trails(composer: Composer, paths: Mapping[str, ArrayLike]) -> dict[str, list[Concept]]:
    """Make concepts of the residuals of paths."""
    space = composer.space
    return {
        name: [
            of_residual(step_D, space=space, expression=f"{name} {place}")
            for place, step_D in enumerate(
                as_vectors(steps, width=space.width, what=f"the path {name!r}"), start=1
            )
        ]
        for name, steps in paths.items()
    }


def _around(
    head: Unembedding,
    composer: Composer,
    centre: Concept,
    tokens: Gathered,
    top: int,
    score: str | None,
    progress: Progress | None,
) -> Gathered:
    """Keep the tokens nearest to a concept."""
    (found,) = nearest(
        head,
        [centre],
        space=composer.space.name,
        fold_norm=composer.space.folded,
        region=tokens.ids_N.tolist(),
        top=top,
        score=score,
        keep_inputs=True,
        progress=progress,
    )
    ids_N = np.sort(np.array([near.id for near in found.neighbours]))
    return replace(tokens, ids_N=ids_N, groups_N=tokens.groups_N[np.isin(tokens.ids_N, ids_N)])


def _drawn(
    kept: Kept,
    title: str,
    concepts: Sequence[Concept],
    trails: Mapping[str, Sequence[Concept]],
    columns: Columns | None,
) -> Map:
    """Put a map together."""
    head, ids_N, arrays = kept.head, kept.tokens.ids_N, kept.arrays
    near_NK, cosines_NK = kept.near
    drawn_NC = arrays["drawn"]
    clusters_N = arrays["clusters"].astype(np.int64)
    vocabulary = head.vocabulary
    ids = ids_N.tolist()
    texts = tuple(vocabulary.text(id_) for id_ in ids)
    points = Points(
        ids_N=ids_N,
        tokens=tuple(vocabulary.token(id_) for id_ in ids),
        texts=texts,
        kinds=tuple(vocabulary.kind(id_) for id_ in ids),
        scripts=scripts_of(texts),
        norms_N=head.norms_V[ids_N],
        groups_N=kept.tokens.groups_N,
        clusters_N=clusters_N,
        mapped_NC=arrays["mapped"],
        drawn_NC=drawn_NC,
        near_NK=near_NK[:, :NEAREST],
        cosines_NK=cosines_NK[:, :NEAREST].astype(np.float32),
        columns={} if columns is None else columns.of(ids_N),
    )
    return Map(
        source=head.source,
        space=kept.space.name,
        title=title,
        groups=kept.tokens.groups,
        layout=kept.layout,
        trust=kept.trust,
        points=points,
        clusters=described(vocabulary, arrays["words"], clusters_N, drawn_NC),
        marks=_marked(kept, drawn_NC, concepts),
        paths=tuple(
            MapPath(name, _marked(kept, drawn_NC, steps)) for name, steps in trails.items()
        ),
        breaks=kept.breaks,
    )


def _marked(
    kept: Kept, drawn_NC: NDArray[np.float32], concepts: Sequence[Concept]
) -> tuple[Mark, ...]:
    """Place concepts on a map that is being made."""
    met = _met(kept.head, kept.layout, concepts, kept.tokens.ids_N)
    placed_MC = [kept.place(*pair) for pair in zip(concepts, met, strict=True)]
    return marks_of(concepts, met, placed_MC, kept.arrays["mapped"], drawn_NC)


def _met(
    head: Unembedding, layout: Layout, concepts: Sequence[Concept], ids_N: NDArray[np.int64]
) -> list[Met]:
    """Find the tokens of a map nearest to concepts."""
    return met_by(head, concepts, ids_N, k=max(layout.neighbors, NEAREST))
