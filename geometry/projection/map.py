"""A map: where tokens lie on it, what they are called together, and what is marked on it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..frames import pandas_of
from ..tokens.vocabulary import display
from .clusters import Cluster
from .columns import Value
from .inline import inline_svg
from .islands import Break
from .layout import Layout
from .marks import MapPath, Mark
from .tables import dict_of, table_of
from .trust import Trust

if TYPE_CHECKING:
    import pandas
    import pyarrow

# N points on a map of C coordinates (2 or 3); K nearest; S steps of a path.


@dataclass(frozen=True, eq=False)
class Points:
    """The tokens of a map, in the order of their ids.

    Attributes
    ----------
    ids_N : ndarray of int64
        Ascending.
    tokens : tuple of str
        The vocabulary's own strings.
    texts : tuple of str or None
        What each writes; None for a fragment of a character.
    kinds, scripts : tuple of str
        `Vocabulary.kind` of each; the script of Unicode that all its letters are of, ``Common``
        where it has none, ``Mixed`` where they are of several.
    norms_N : ndarray of float64
        Of the rows as they are in the checkpoint.
    groups_N : ndarray of int64
        Which of `Map.groups` has the token: the first that does.
    clusters_N : ndarray of int64
        Which of `Map.clusters` has the token; -1 for none.
    mapped_NC : ndarray of float32
        Where UMAP put it.
    drawn_NC : ndarray of float32
        Where it is drawn: there, or nearer with the rest of its island (see `Break`).
    near_NK : ndarray of int64
        The places (0 to N - 1) of the tokens of the map that are nearest to it in the space, the
        nearest first, of equal ones the lower; K is 10, or fewer where there are fewer.
    cosines_NK : ndarray of float32
        Their cosines in the space.
    columns : mapping of str to tuple of str, float or None
        What the user's own table says of each token; None where it says nothing.

    Examples
    --------
    >>> import unembed
    >>> points = unembed.open_head("demo").map(region="emoji").points
    >>> len(points.ids_N), points.mapped_NC.shape, points.near_NK.shape
    (990, (990, 2), (990, 10))
    """

    ids_N: NDArray[np.int64]
    tokens: tuple[str, ...]
    texts: tuple[str | None, ...]
    kinds: tuple[str, ...]
    scripts: tuple[str, ...]
    norms_N: NDArray[np.float64]
    groups_N: NDArray[np.int64]
    clusters_N: NDArray[np.int64]
    mapped_NC: NDArray[np.float32]
    drawn_NC: NDArray[np.float32]
    near_NK: NDArray[np.int64]
    cosines_NK: NDArray[np.float32]
    columns: Mapping[str, tuple[Value, ...]] = field(default_factory=dict)


@dataclass(frozen=True, eq=False, repr=False)
class Map:
    """A neighbourhood of a head, laid out by UMAP.

    Attributes
    ----------
    source, space : str
        What was asked.
    title : str
        What is mapped, in words: ``emoji``, ``around emoji(seahorse)``, ``all tokens``.
    groups : tuple of str
        The regions that were asked for.
    layout : Layout
        What UMAP was told.
    trust : Trust or None
        How far it can be believed; None for fewer than four tokens.
    points : Points
        Its tokens.
    clusters : tuple of Cluster
        The largest first.
    marks : tuple of Mark
        In the order in which they were asked for.
    paths : tuple of MapPath
        Likewise.
    breaks : tuple of Break
        The islands that are drawn nearer than they are.

    Examples
    --------
    >>> import unembed
    >>> unembed.open_head("demo").map(region="greek")
    Map('greek', demo, causal: 1,501 tokens, 2 dimensions)
    """

    source: str
    space: str
    title: str
    groups: tuple[str, ...]
    layout: Layout
    trust: Trust | None
    points: Points
    clusters: tuple[Cluster, ...]
    marks: tuple[Mark, ...] = ()
    paths: tuple[MapPath, ...] = ()
    breaks: tuple[Break, ...] = ()

    @property
    def named(self) -> dict[int, Cluster]:
        """Give the clusters that words of the head name, by their numbers."""
        return {number: each for number, each in enumerate(self.clusters) if each.words}

    def to_dict(self) -> dict[str, Any]:
        """Give all of it as an object of JSON."""
        return dict_of(self)

    def to_arrow(self) -> "pyarrow.Table":
        """Give everything drawn as an Arrow table (see `table_of`)."""
        return table_of(self)

    def to_pandas(self) -> "pandas.DataFrame":
        """Give everything drawn as a data frame.

        Raises
        ------
        MissingExtraError
            pandas is not installed.
        """
        return pandas_of(self.to_arrow().to_pylist())

    def _repr_html_(self) -> str:
        """Draw it for a notebook; every token is escaped."""
        return inline_svg(self)

    def __repr__(self) -> str:
        """Name what is mapped, and how much of it."""
        return (
            f"Map({display(self.title)!r}, {self.source}, {self.space}: "
            f"{len(self.points.ids_N):,} tokens, {self.layout.dimensions} dimensions)"
        )
