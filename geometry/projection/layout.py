"""UMAP of neighbours that are known: where each row is drawn, and where a vector would be."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ...errors import UsageError
from ...indexes.progress import Done
from .fuzzy import fuzzy_graph, memberships

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

# N rows of width D on a map of C coordinates; K nearest.

_SPREAD = 1.0
_MOST_NEIGHBORS = 256
_LAST_SEED = (1 << 32) - 1
_PUSHES = {2_000: 15.0, 10_000: 10.0}  # for each pull, up to so many rows
_PUSHES_OF_MORE = 5.0  # as umap-learn has it for any number
_SPECTRAL = 20_000  # rows, up to which they start by the eigenvectors of their graph
_FAR = 5.0  # how far rows of two groups are, in widths: umap-learn's weight of ½ for groups
_DENSITY = {"lambda": 2.0, "frac": 0.3, "var_shift": 0.1}  # as umap-learn has them
_ADDED_EPOCHS = 100  # in which a new point finds its place, as umap-learn has it


@dataclass(frozen=True)
class Layout:
    """What UMAP is told.

    Attributes
    ----------
    neighbors : int
        How many of the nearest hold a token, itself among them.
    min_dist : float
        How near two points may come.
    densmap : bool
        Whether dense regions stay dense (Narayan, Berger and Cho 2021).
    dimensions : int
        2 or 3.
    supervised : bool
        Whether tokens of one group are drawn together.
    seed : int
        Of all that is random.

    Examples
    --------
    >>> Layout(neighbors=1)
    Traceback (most recent call last):
    unembed.errors.UsageError: neighbors is 1; it must be a whole number from 2 to 256
    """

    neighbors: int = 15
    min_dist: float = 0.05
    densmap: bool = False
    dimensions: int = 2
    supervised: bool = False
    seed: int = 0

    def __str__(self) -> str:
        """Say it in words."""
        parts = [f"{self.neighbors} neighbors", f"min_dist {self.min_dist:g}", f"seed {self.seed}"]
        parts += ["3 dimensions"] * (self.dimensions == 3)
        parts += ["densmap"] * self.densmap + ["supervised by region"] * self.supervised
        return ", ".join(parts)

    def __post_init__(self) -> None:
        """Refuse what is no number, or out of range."""
        numbers: tuple[tuple[str, object, float, float], ...] = (
            ("neighbors", self.neighbors, 2, _MOST_NEIGHBORS),
            ("min_dist", self.min_dist, 0, _SPREAD),
            ("dimensions", self.dimensions, 2, 3),
            ("seed", self.seed, 0, _LAST_SEED),
        )
        for name, value, least, most in numbers:
            kind = Real if name == "min_dist" else Integral
            if not isinstance(value, kind) or not least <= float(value) <= most:
                whole = "whole " if kind is Integral else ""
                raise UsageError(
                    f"{name} is {value!r}; it must be a {whole}number from {least:g} to {most:.10g}"
                )


def laid_out(
    units_ND: NDArray[np.float32],
    places_NK: NDArray[np.int64],
    distances_NK: NDArray[np.float64],
    groups_N: NDArray[np.int64],
    layout: Layout,
    *,
    done: Done,
) -> NDArray[np.float32]:
    """Lay rows out by their nearest neighbours (McInnes, Healy and Melville 2018, 1802.03426).

    Parameters
    ----------
    units_ND : ndarray of float32
        Unit vectors; parts of the map that no edge joins start where their means are.
    places_NK : ndarray of int64
        The nearest of each row, itself first; K is `Layout.neighbors`.
    distances_NK : ndarray of float64
        Theirs: angles.
    groups_N : ndarray of int64
        The group of each row, where the layout is supervised.
    layout : Layout
        What UMAP is told.
    done : callable
        Is told ``(done, total)``, in epochs.

    Returns
    -------
    ndarray of float32
        Shape (N, C), around 0, widest along the first axis. Rows too few or too much alike for
        UMAP lie along their principal axes.

    Examples
    --------
    >>> units_ND = np.eye(3, dtype=np.float32)
    >>> nearest = np.array([[0, 1], [1, 0], [2, 0]]), np.array([[0.0, 1.0]] * 3)
    >>> laid_out(units_ND, *nearest, np.zeros(3, np.int64), Layout(2), done=lambda *_: None).shape
    (3, 2)
    """
    if len(units_ND) <= 2 * layout.dimensions + 2 or not distances_NK.any():
        return _principal(units_ND.astype(np.float64), layout.dimensions)
    umap_ = _library()
    random_state = np.random.RandomState(layout.seed)
    graph: Any = fuzzy_graph(places_NK, distances_NK)
    if layout.supervised:
        graph = _supervised(graph, groups_N)
    with _let_go():
        mapped_NC, _ = umap_.simplicial_set_embedding(
            units_ND,
            graph,
            layout.dimensions,
            1.0,
            *_curve(layout.min_dist),
            1.0,
            _pushes(len(units_ND)),
            None,
            _first_places(units_ND, graph, layout.dimensions, random_state),
            random_state,
            "cosine",
            {},
            layout.densmap,
            _densities(places_NK, distances_NK) if layout.densmap else {},
            False,
            tqdm_kwds=_told(done),
        )
    return _turned(mapped_NC)


def added(
    mapped_NC: NDArray[np.float32],
    places_K: NDArray[np.int64],
    distances_K: NDArray[np.float64],
    layout: Layout,
) -> NDArray[np.float32]:
    """Place one vector on a map by its nearest rows there, as UMAP's transform does.

    It starts at their mean, weighted by how far each belongs to its neighbourhood, and is drawn to
    them and pushed from others, which stay where they are.

    Parameters
    ----------
    mapped_NC : ndarray of float32
        Where the rows are.
    places_K : ndarray of int64
        The nearest rows, the nearest first.
    distances_K : ndarray of float64
        Theirs: angles.
    layout : Layout
        What UMAP was told.

    Returns
    -------
    ndarray of float32
        Shape (C,).

    Examples
    --------
    >>> added(np.float32([[1, 2], [3, 4]]), np.array([1]), np.array([0.1]), Layout(2))
    array([3., 4.], dtype=float32)
    """
    if len(places_K) < 2:
        alone_C: NDArray[np.float32] = mapped_NC[places_K[0]]
        return alone_C
    umap_ = _library()
    strengths_K = memberships(distances_K[None], connected=False)[0]
    start_1C = (strengths_K / strengths_K.sum() @ mapped_NC[places_K])[None].astype(np.float32)
    kept_K = strengths_K >= strengths_K.max() / _ADDED_EPOCHS
    places_K, strengths_K = places_K[kept_K], strengths_K[kept_K]
    random_state = np.random.RandomState(layout.seed)
    found_1C: NDArray[np.float32] = umap_.optimize_layout_euclidean(
        start_1C,
        mapped_NC.copy(),
        np.zeros(len(places_K), dtype=np.int32),
        places_K.astype(np.int32),
        _ADDED_EPOCHS,
        len(mapped_NC),
        umap_.make_epochs_per_sample(strengths_K, _ADDED_EPOCHS),
        *_curve(layout.min_dist),
        random_state.randint(-(1 << 31), (1 << 31) - 1, 3).astype(np.int64),
        1.0,
        0.25,
        _pushes(len(mapped_NC)),
    )
    placed_C: NDArray[np.float32] = found_1C[0]
    return placed_C


@cache
def _library() -> Any:
    """Load umap-learn, and have what it compiles kept, as it keeps other functions of its own.

    It says at once that it could do more with TensorFlow.
    """
    with warnings.catch_warnings(action="ignore", category=ImportWarning):
        from umap import layouts, umap_
    epoch = getattr(layouts, "_nb_optimize_layout_euclidean_single_epoch", None)
    if epoch is not None:
        with suppress(AttributeError, RuntimeError):  # another numba, or no folder where it may
            epoch.enable_caching()
    return umap_


def _pushes(count: int) -> float:
    """Give how often a row is pushed away for each time that it is pulled: more where it is cheap.

    It makes a map more trustworthy, and takes the most of the time of laying it out.
    """
    return next((pushes for most, pushes in _PUSHES.items() if count <= most), _PUSHES_OF_MORE)


def _curve(min_dist: float) -> tuple[float, float]:
    """Give a and b of the curve 1/(1 + a·d^2b) that UMAP fits to a least distance."""
    a, b = _library().find_ab_params(_SPREAD, min_dist)
    return float(a), float(b)


def _turned(mapped_NC: NDArray[np.float32]) -> NDArray[np.float32]:
    """Turn a map, which has no direction of its own, so that it is widest from left to right."""
    centred_NC = mapped_NC.astype(np.float64) - mapped_NC.mean(axis=0, dtype=np.float64)
    _, axes_CC = np.linalg.eigh(centred_NC.T @ centred_NC)
    turned_NC: NDArray[np.float64] = centred_NC @ axes_CC[:, ::-1]
    turned_NC *= np.where((turned_NC**3).sum(axis=0) < 0, -1.0, 1.0)
    return turned_NC.astype(np.float32)


def _principal(units_ND: NDArray[np.floating], dimensions: int) -> NDArray[np.float32]:
    """Lay rows out along the axes in which they differ most; at one place where they do not."""
    from sklearn.decomposition import PCA

    if not np.ptp(units_ND, axis=0).any():
        return np.zeros((len(units_ND), dimensions), dtype=np.float32)
    known = min(dimensions, *units_ND.shape)
    found_NR = PCA(known, svd_solver="covariance_eigh").fit_transform(units_ND).round(6)
    return np.pad(found_NR, ((0, 0), (0, dimensions - known))).astype(np.float32)


def _first_places(
    units_ND: NDArray[np.float32],
    graph: "csr_matrix[np.float32]",
    dimensions: int,
    random_state: np.random.RandomState,
) -> NDArray[np.float32]:
    """Place rows by the eigenvectors of their graph, or of many rows along their principal axes.

    With a little noise, as umap-learn has it. Rounding keeps out the last bits, in which machines
    differ. For many rows the eigenvectors take a minute, and the map is as trustworthy without.
    """
    umap_ = _library()
    if len(units_ND) > _SPECTRAL:
        first_NC = _principal(units_ND, dimensions)
    else:
        with warnings.catch_warnings(action="ignore", category=UserWarning):  # it is then random
            first_NC = umap_.spectral_layout(
                units_ND, graph, dimensions, random_state, metric="cosine"
            )
    noisy_NC: NDArray[np.float32] = umap_.noisy_scale_coords(
        first_NC, random_state, max_coord=10, noise=0.0001
    )
    return noisy_NC.round(4)


def _supervised(graph: "csr_matrix[np.float32]", groups_N: NDArray[np.int64]) -> Any:
    """Draw rows of one group together, and others apart."""
    return _library().discrete_metric_simplicial_set_intersection(graph, groups_N, far_dist=_FAR)


def _densities(places_NK: NDArray[np.int64], distances_NK: NDArray[np.float64]) -> dict[str, Any]:
    """Give what densMAP needs: the distances of all edges."""
    from scipy.sparse import coo_matrix

    count, k = places_NK.shape
    rows = np.repeat(np.arange(count), k)
    shape = (count, count)
    one_way = coo_matrix((distances_NK.ravel(), (rows, places_NK.ravel())), shape=shape).tocsr()
    return _DENSITY | {"n_neighbors": k, "graph_dists": one_way.maximum(one_way.T).todok()}


def _told(done: Done) -> dict[str, Any]:
    """Make umap-learn's own progress tell ours."""
    return {"disable": False, "file": _Told(done), "bar_format": "{n_fmt}/{total_fmt}", "ncols": 30}


@contextmanager
def _let_go() -> Iterator[None]:
    """Release tqdm's lock, which it keeps where an interrupt comes, or who is told stops the work.

    Another thread would wait for it for ever.
    """
    from tqdm import tqdm

    try:
        yield
    finally:
        with suppress(AssertionError, RuntimeError):  # as a rule, it is not held any more
            tqdm.get_lock().release()


class _Told:
    """A file for umap-learn's progress bar, each of whose texts is a number of a total."""

    def __init__(self, done: Done) -> None:
        self._done = done

    def write(self, text: str) -> None:
        """Pass a count on."""
        now, _, total = text.strip().partition("/")
        if now.isdigit() and total.isdigit():
            self._done(int(now), int(total))

    def flush(self) -> None:
        """Have nothing to flush."""
