"""Which geometry: how vectors are composed, what a score is, how residuals enter."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from ..errors import UsageError
from ..indexes import exact
from ..indexes.moments import Fold, fit_norms, mapped_norms, mean
from ..indexes.progress import Progress, step_of
from ..indexes.rows import norm, united
from ..indexes.shrinkage import Shrinkage, inverse_root
from ..indexes.store import Arrays, fits
from .covariance import folded_key, spectrum_of
from .heads.unembedding import Unembedding

# V tokens, rows of width D; N vectors.

DEFAULT_SPACE = "causal"


@dataclass(frozen=True)
class Kind:
    """What makes a space, whatever the head.

    Attributes
    ----------
    unit : bool
        Whether named vectors are made unit vectors before they are weighted; then the natural
        score is a cosine, else the product.
    centred : bool
        Whether the mean row is subtracted.
    whitened : bool
        Whether the covariance of the rows, shrunk, is made the identity.

    Examples
    --------
    >>> SPACES["centred"]
    Kind(unit=True, centred=True, whitened=False)
    """

    unit: bool
    centred: bool
    whitened: bool


SPACES: Mapping[str, Kind] = {
    "logit": Kind(unit=False, centred=False, whitened=False),
    "cosine": Kind(unit=True, centred=False, whitened=False),
    "centred": Kind(unit=True, centred=True, whitened=False),
    "causal": Kind(unit=True, centred=True, whitened=True),
}
_IMMENSE = 1e150
_WIDEST = 16_384  # of a causal space, whose matrices have 8 bytes times its square
SCORES = ("cosine", "dot", "csls", "cosmul")
_OPENED: "WeakKeyDictionary[Unembedding, dict[tuple[str, bool], Space]]" = WeakKeyDictionary()


@dataclass(frozen=True, eq=False, repr=False)
class Space:
    """A geometry on the rows of one head: an affine map of rows, and its dual for residuals.

    A row γ is placed at ``g = (γ∘w - m) A``: w is the final norm's gain where it is folded, else 1
    (a folded LayerNorm also takes away each row's mean over D, which no residual meets); m the mean
    row of the centred spaces, else 0; A the inverse square root of the rows' shrunk covariance
    in the causal space (Park, Choe and Veitch 2023, arXiv 2311.03658, section 3), else the
    identity. A vector c of the space is met by the residual ``c A``, for g·c is then the product of
    the row and the residual, less a constant. So one set of rows serves every space.

    Attributes
    ----------
    key : str
        The head, the space and its options: vectors are added only under the same key.
    name : str
        ``logit``, ``cosine``, ``centred`` or ``causal``; after the last one its shrinkage, where
        another was asked for: ``causal:0.1``.
    folded : bool
        Whether the final norm's gain is multiplied into the rows.
    kind : Kind
        What makes the space.
    fold : Fold
        w.
    mean_D : ndarray of float64
        m.
    map_DD : ndarray of float64 or None
        A; None for the identity.
    norms_V : ndarray of float64
        ‖g‖ for every row; immense for a row at the origin, so that its cosine is 0.
    fit : NormFit or None
        Of these norms, where cosines are the space's own score: it makes their search fast.
    bias_V : ndarray of float64 or None
        What is added to a row's product for its logit.

    Examples
    --------
    >>> import unembed
    >>> open_space(unembed.open_head("demo"), "causal")
    Space('causal', 640 wide)
    """

    key: str
    name: str
    folded: bool
    kind: Kind
    fold: Fold
    mean_D: NDArray[np.float64]
    map_DD: NDArray[np.float64] | None
    norms_V: NDArray[np.float64]
    fit: exact.NormFit | None
    bias_V: NDArray[np.float64] | None

    @property
    def width(self) -> int:
        """D."""
        return len(self.mean_D)

    def place(self, rows_ND: NDArray[np.float64]) -> NDArray[np.float64]:
        """Give the place of rows in the space, shape (N, D)."""
        centred_ND = self.fold(rows_ND) - self.mean_D
        return centred_ND if self.map_DD is None else centred_ND @ self.map_DD

    def named(self, vectors_ND: NDArray[np.float64]) -> NDArray[np.float64]:
        """Give vectors as names are composed: of norm 1, or as they are in ``logit``.

        One that is zero stays so.
        """
        if not self.kind.unit:
            return vectors_ND
        return united(vectors_ND)

    def residual(self, vector_D: NDArray[np.float64]) -> NDArray[np.float64]:
        """Give the residual that meets a vector of the space, shape (D,): the dual way."""
        return vector_D if self.map_DD is None else self.map_DD @ vector_D

    def meet(self, residual_D: NDArray[np.float64]) -> NDArray[np.float64]:
        """Give the vector of the space that a residual meets: `residual`, undone.

        Of several, shape (N, D), it gives each its own.
        """
        seen_D = self.fold.seen(residual_D)
        if self.map_DD is None:
            return seen_D
        return np.asarray(np.linalg.solve(self.map_DD, seen_D.T).T, dtype=np.float64)

    def measure(self, vector_D: NDArray[np.float64], *, cosine: bool) -> exact.Measure:
        """Give the score of rows with a vector of the space.

        Parameters
        ----------
        vector_D : ndarray of float64
            Shape (D,), not zero; its length changes no score.
        cosine : bool
            Whether the score is the cosine in the space, or the product with the unit vector.
        """
        residual_D = self.residual(vector_D)
        return exact.Measure(
            query_D=self.fold.dual(residual_D),
            offset=-float((self.mean_D * residual_D).sum()),
            norms_V=self.norms_V if cosine else None,
            divisor=float(norm(vector_D)),
            fit=self.fit if cosine else None,
        )

    def measures(
        self, vectors_ND: NDArray[np.float64], *, residual_norm: float, cosine: bool
    ) -> list[exact.Measure]:
        """Give the scores of rows with many vectors, at the length that their residuals have."""
        residuals_ND = vectors_ND if self.map_DD is None else vectors_ND @ self.map_DD.T
        factors_N = residual_norm / norm(residuals_ND)
        residuals_ND = residuals_ND * factors_N[:, None]
        offsets_N = -(residuals_ND * self.mean_D).sum(axis=1)
        divisors_N = norm(vectors_ND) * factors_N
        norms_V, fit = (self.norms_V, self.fit) if cosine else (None, None)
        return [
            exact.Measure(self.fold.dual(residual_D), offset, None, norms_V, divisor, fit)
            for residual_D, offset, divisor in zip(
                residuals_ND, offsets_N.tolist(), divisors_N.tolist(), strict=True
            )
        ]

    def logits(self, measure: exact.Measure) -> exact.Measure:
        """Give the logits of the residual whose products a measure of this space takes."""
        return exact.Measure(query_D=measure.query_D, bias_V=self.bias_V)

    def __repr__(self) -> str:
        """Name the space."""
        folded = ", norm folded" if self.folded else ""
        return f"Space({self.name!r}, {self.width} wide{folded})"


def open_space(
    head: Unembedding,
    name: str = DEFAULT_SPACE,
    *,
    fold_norm: bool = False,
    progress: Progress | None = None,
) -> Space:
    """Give a space on a head; what it needs to know of the rows is derived once and kept.

    Parameters
    ----------
    head : Unembedding
        Whose rows.
    name : str
        ``logit``: rows as they are, and their products, which is what the sampler sees;
        ``cosine``: the cosine with rows as they are; ``centred``: after the mean row is subtracted;
        ``causal``: centred and whitened by the rows' covariance, shrunk by Ledoit and Wolf's
        estimate. Another shrinkage follows a colon: ``causal:oas``, Chen and others' estimate;
        ``causal:0.1``, that share of the identity, from 0 (none) to 1; ``causal:floor=0.01``,
        eigenvalues raised to that share of their mean, above 0 up to 1.
    fold_norm : bool
        Multiply the final norm's gain into the rows, and its bias into the head's.
    progress : callable, optional
        Is told ``(step, done, total)`` while something is derived.

    Raises
    ------
    UsageError
        There is no such space or shrinkage; the head has no final norm to fold; its rows do not
        vary.
    CheckpointError
        A row holds NaN or infinity.

    Examples
    --------
    >>> import unembed
    >>> space = open_space(unembed.open_head("demo"), "centred")
    >>> round(float(space.norms_V.min()), 2), round(float(space.norms_V.max()), 2)
    (0.7, 1.22)
    """
    asked = _read(name)
    opened = _OPENED.setdefault(head, {})
    if (asked.name, fold_norm) not in opened:
        opened[asked.name, fold_norm] = _open(head, asked, fold_norm, progress)
    return opened[asked.name, fold_norm]


def check_space(name: str) -> str:
    """Give the one name of a space, however its shrinkage was written; refuse an unknown one.

    Raises
    ------
    UsageError
        There is no such space or shrinkage.

    Examples
    --------
    >>> check_space("causal:0.10")
    'causal:0.1'
    """
    return _read(name).name


@dataclass(frozen=True)
class _Asked:
    """What a name asks for: a shrinkage has one name, however its number was written."""

    name: str
    kind: Kind
    shrinkage: Shrinkage


def _read(name: str) -> _Asked:
    """Take the name of a space apart."""
    plain, colon, suffix = name.partition(":")
    if plain not in SPACES:
        raise UsageError(f"unknown space {name!r}; the spaces are {', '.join(SPACES)}")
    kind = SPACES[plain]
    if not colon:
        return _Asked(name, kind, Shrinkage())
    if not kind.whitened:
        raise UsageError(
            f"unknown space {name!r}: only causal takes a shrinkage, as in causal:0.1; ask for "
            f"{plain}"
        )
    shrinkage = Shrinkage.read(suffix)
    return _Asked(f"{plain}:{shrinkage.name}", kind, shrinkage)


def _open(head: Unembedding, asked: _Asked, fold_norm: bool, progress: Progress | None) -> Space:
    """Put a space together."""
    if asked.kind.whitened and head.rows.width > _WIDEST:
        raise UsageError(
            f"the rows of {head.source} are {head.rows.width:,} wide; the causal space takes at "
            f"most {_WIDEST:,}: use centred, cosine or logit"
        )
    norms_V = head.norms_V  # refuses rows that are not finite
    fold, bias_V = Fold(), head.bias_V
    if fold_norm:
        if head.final_norm is None:
            raise UsageError(f"{head.source} has no final norm that could be folded into its rows")
        fold = Fold(head.final_norm.weight_D, centred=head.final_norm.kind == "layer")
        bias_V = _folded_bias(head)
    mean_D, map_DD, fit = np.zeros(head.rows.width), None, None
    if asked.kind.unit or fold_norm:
        derived = _derived(head, asked, fold, progress)
        mean_D, map_DD, norms_V = derived["mean"], derived.get("map"), derived["norms"]
        fit = exact.NormFit(derived["fit"], derived["fitted"])
    return Space(
        key=repr((head.key, head.vocabulary.key, asked.name, *folded_key(fold))),
        name=asked.name,
        folded=fold_norm,
        kind=asked.kind,
        fold=fold,
        mean_D=mean_D,
        map_DD=map_DD,
        norms_V=np.where(norms_V > 0, norms_V, _IMMENSE),
        fit=fit,
        bias_V=bias_V,
    )


def _derived(head: Unembedding, asked: _Asked, fold: Fold, progress: Progress | None) -> Arrays:
    """Give mean, map and norms of a space, and the fit of these, from the store."""
    kind, count, width = asked.kind, head.rows.count, head.rows.width
    of = (head.key, head.vocabulary.key, *folded_key(fold))
    shapes: dict[str, tuple[int, ...]] = {
        "mean": (width,),
        "norms": (count,),
        "fit": (width,),
        "fitted": (count,),
    }
    if kind.whitened:
        shapes["map"] = (width, width)

    def build() -> Arrays:
        known_N = np.flatnonzero(head.vocabulary.known_V)
        arrays = {"mean": np.zeros(width)}
        if kind.whitened:
            arrays["mean"], arrays["map"] = _whitening(head, asked, fold, progress)
        elif kind.centred:
            arrays["mean"] = fold(mean(head.rows, known_N))
        arrays["norms"] = mapped_norms(
            head.rows,
            fold,
            arrays["mean"],
            arrays.get("map"),
            done=step_of(progress, "measuring rows"),
        )
        arrays["fit"] = fit_norms(head.rows, arrays["norms"], known_N)
        arrays["fitted"] = exact.products(head.rows, arrays["fit"], np.arange(count))
        return arrays

    return head.store.arrays(
        f"space-{re.sub('[^a-z0-9-]', '_', asked.name)}",
        repr((*of, asked.name)),
        build,
        lambda kept: fits(kept, shapes) and bool(np.all(kept["norms"] >= 0)),
    )


def _whitening(
    head: Unembedding, asked: _Asked, fold: Fold, progress: Progress | None
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Give mean and map of a causal space; all of one head and fold share the spectrum."""
    try:
        found = spectrum_of(head, fold, progress=progress)
        return found.mean_D, inverse_root(asked.shrinkage(found), found.vectors_DD)
    except np.linalg.LinAlgError as error:
        raise UsageError(
            f"{head.source}: its {int(head.vocabulary.known_V.sum()):,} rows do not vary in all "
            f"{head.rows.width:,} directions, so they have no {asked.name} space; use cosine, "
            "centred or logit, or a larger shrinkage, as in causal:0.1"
        ) from error


def _folded_bias(head: Unembedding) -> NDArray[np.float64] | None:
    """Give what each row adds to its logit once the norm's bias is folded too: γ·b + bias."""
    final_norm = head.final_norm
    if final_norm is None or final_norm.bias_D is None:
        return head.bias_V
    bias_D = final_norm.bias_D
    kept = head.store.arrays(
        "folded-bias",
        repr((head.key, bias_D.tobytes())),
        lambda: {"bias": exact.products(head.rows, bias_D, np.arange(head.rows.count))},
        lambda kept: fits(kept, {"bias": (head.rows.count,)}),
    )
    return kept["bias"] if head.bias_V is None else kept["bias"] + head.bias_V
