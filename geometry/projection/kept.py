"""What is derived of a map, kept in the head's store: places, clusters and names, trust."""

import hashlib
from collections.abc import Callable
from dataclasses import astuple, dataclass
from functools import cached_property
from importlib import metadata

import numpy as np
from numpy.typing import NDArray

from ...indexes.progress import Progress, step_of
from ...indexes.store import Arrays, fits
from ..concepts.concept import Concept
from ..heads.unembedding import Unembedding
from ..hubness import unit_rows
from ..space import Space
from .closest import closest
from .clusters import clustered
from .gathering import Gathered
from .islands import Break, brought_near
from .layout import Layout, laid_out
from .marks import NEAREST, Met, angles, placed
from .names import words_of
from .trust import Trust, trust_of

# N tokens on a map of C coordinates; K nearest; L clusters.

_LIBRARIES = ("umap-learn", "scikit-learn", "numba")


@dataclass(frozen=True)
class Kept:
    """A map's numbers, derived once.

    Attributes
    ----------
    head : Unembedding
        Whose rows.
    space : Space
        Where cosines are taken.
    tokens : Gathered
        What is mapped.
    layout : Layout
        What UMAP is told; as many neighbours as there are tokens at most.
    progress : callable or None
        Is told ``(step, done, total)``.

    Examples
    --------
    >>> import unembed
    >>> from unembed.geometry.projection.gathering import gathered
    >>> from unembed.geometry.space import open_space
    >>> head = unembed.open_head("demo")
    >>> kept = Kept(head, open_space(head), gathered(head, "emoji"), Layout(), None)
    >>> kept.arrays["mapped"].shape
    (990, 2)
    """

    head: Unembedding
    space: Space
    tokens: Gathered
    layout: Layout
    progress: Progress | None

    @cached_property
    def arrays(self) -> Arrays:
        """Give what is kept of the map; see `_derived`."""
        return self.head.store.arrays("map", self._key, self._derived, self._fits)

    @cached_property
    def near(self) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Give the places of the nearest tokens of each, and their cosines; see `closest`."""
        count = len(self.tokens.ids_N)
        k = min(max(self.layout.neighbors - 1, NEAREST), count - 1)
        if not k:
            return np.zeros((count, 0), np.int64), np.zeros((count, 0))
        done = self._step("finding neighbors")
        return closest(self.head, self.space, self.tokens.ids_N, k, done=done)

    @property
    def trust(self) -> Trust | None:
        """How far the map can be believed."""
        kept = self.arrays["trust"].tolist()
        return Trust(kept[0], kept[1], int(kept[2]), int(kept[3])) if kept else None

    @property
    def breaks(self) -> tuple[Break, ...]:
        """The islands that are drawn nearer than they are."""
        islands_N, found = self.arrays["islands"], []
        for place, gap_3C in enumerate(self.arrays["gaps"].tolist()):
            points = tuple(np.flatnonzero(islands_N == place).tolist())
            found.append(Break(points, *map(tuple, gap_3C)))
        return tuple(found)

    def place(self, concept: Concept, met: Met) -> NDArray[np.float32]:
        """Give where a concept is put, ``float32`` of shape (C,); see `placed`."""

        def build() -> Arrays:
            return {"place": placed(self.arrays["mapped"], met, self.layout)}

        vector = hashlib.sha256(concept.unit().vector_D.tobytes()).hexdigest()
        shapes = {"place": (self.layout.dimensions,)}
        kept = self.head.store.arrays(
            "map-mark",
            repr((self._key, vector)),
            build,
            lambda kept: fits(kept, shapes, np.float32),
        )
        return kept["place"]

    @cached_property
    def _key(self) -> str:
        """Name all that the numbers are derived from."""
        ids = hashlib.sha256(self.tokens.ids_N.tobytes()).hexdigest()
        groups = self.tokens.groups_N.tobytes() if self.layout.supervised else b""
        versions = [metadata.version(library) for library in _LIBRARIES]
        return repr(
            (
                self.space.key,
                self.head.vocabulary.key,
                ids,
                hashlib.sha256(groups).hexdigest(),
                astuple(self.layout),
                versions,
            )
        )

    def _derived(self) -> Arrays:
        """Derive all."""
        ids_N = self.tokens.ids_N
        count = len(ids_N)
        near_NK, cosines_NK = self.near
        units_ND = unit_rows(self.space, self.head.rows, ids_N)
        held = self.layout.neighbors - 1
        mapped_NC = laid_out(
            units_ND,
            np.column_stack([np.arange(count), near_NK[:, :held]]),
            np.column_stack([np.zeros(count), angles(cosines_NK[:, :held])]),
            self.tokens.groups_N,
            self.layout,
            done=self._step("laying out"),
        )
        clusters_N = clustered(mapped_NC)
        drawn_NC, breaks = brought_near(mapped_NC)
        islands_N = np.full(count, -1, dtype=np.int32)
        for place, island in enumerate(breaks):
            islands_N[list(island.points)] = place
        gaps_B3C = [[island.shift, island.start, island.end] for island in breaks]
        trust = trust_of(units_ND, mapped_NC, done=self._step("judging the map"))
        return {
            "mapped": mapped_NC,
            "drawn": drawn_NC,
            "islands": islands_N,
            "gaps": np.array(gaps_B3C, dtype=np.float64).reshape(-1, 3, self.layout.dimensions),
            "clusters": clusters_N.astype(np.int32),
            "words": words_of(self.head, self.space, units_ND, clusters_N).astype(np.int32),
            "trust": np.array([] if trust is None else astuple(trust)),
        }

    def _step(self, name: str) -> Callable[[int, int], None]:
        """Tell of a step."""
        return step_of(self.progress, name)

    def _fits(self, kept: Arrays) -> bool:
        """Tell whether arrays from disk are a map of these tokens."""
        count, known = len(self.tokens.ids_N), len(self.head.vocabulary)
        if not {"words", "gaps"} <= set(kept) or kept["words"].ndim != 2 or kept["gaps"].ndim != 3:
            return False
        clusters, breaks = len(kept["words"]), len(kept["gaps"])
        dimensions = self.layout.dimensions
        shapes = {
            "mapped": ((count, dimensions), np.float32, -np.inf, np.inf),
            "drawn": ((count, dimensions), np.float32, -np.inf, np.inf),
            "islands": ((count,), np.int32, -1, breaks - 1),
            "gaps": ((breaks, 3, dimensions), np.float64, -np.inf, np.inf),
            "clusters": ((count,), np.int32, -1, clusters - 1),
            "words": ((clusters, 2), np.int32, -1, known - 1),
            "trust": ((4 if count >= 4 else 0,), np.float64, 0.0, float(count)),
        }
        return (
            set(kept) == set(shapes)
            and max(clusters, breaks) <= count
            and all(
                kept[name].shape == shape
                and kept[name].dtype == dtype
                and bool(np.all(np.isfinite(kept[name])))
                and bool(np.all((kept[name] >= least) & (kept[name] <= most)))
                for name, (shape, dtype, least, most) in shapes.items()
            )
        )
