"""How probable it is that a region has a token for a concept, calibrated on its own names."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...indexes.progress import Progress
from ...indexes.rows import norm
from ...indexes.store import Arrays, fits
from ..concepts.compose import Composer
from ..concepts.sample import Sample
from ..evaluation.bootstrap import auroc
from ..evaluation.by_model import ByModel
from ..evaluation.retrieval import margins_of, retrieve_targets
from ..method import Method
from .forms import plain

# Q names; B concepts; K knots of a calibration; N questions.

FEWEST_NAMES = 50  # with fewer a probability is not worth its name
_FOLDS = 5
_BINS = 10
_KINDS = ("logistic", "isotonic")
_CLIP = 1e-6
_ALIKE = 1e-9  # of a cosine below 1
_CHANCE = 0.25  # the Brier score of an even chance


@dataclass(frozen=True)
class Bin:
    """What came of some of the names that a calibration had not seen.

    Attributes
    ----------
    p : float
        The mean probability that they were given.
    observed : float
        The share that had their token.
    n : int
        How many.

    Examples
    --------
    >>> Bin(0.5, 0.48, 190).n
    190
    """

    p: float
    observed: float
    n: int


@dataclass(frozen=True, eq=False)
class Calibration:
    """A probability for each margin, and how good it is on names that it has not seen.

    Attributes
    ----------
    kind : str or None
        ``logistic`` or ``isotonic``, the one whose log loss was lower over five folds of names;
        None where nothing could be calibrated.
    reason : str or None
        Why not.
    names : int
        Each asked with its token in place and with it, and its near-twins, taken away.
    brier : float or None
        The mean square of what the probability is off by, over the folds; 0.25 says nothing.
    log_loss : float or None
        Over the folds, in nats; 0.693 says nothing.
    auroc : float or None
        Of the margin.
    curve : tuple of Bin
        Reliability, over the folds, in ten bins of equally many.
    knots_K, values_K : ndarray of float64
        Margins, ascending, and their probabilities; between knots it is a line.

    Examples
    --------
    >>> margins_Q = np.linspace(0.1, 1, 60)
    >>> found = calibrate(margins_Q, margins_Q - 0.5)
    >>> found.kind, bool(found(np.array([2.0]))[0] > 0.9)
    ('isotonic', True)
    """

    kind: str | None
    reason: str | None
    names: int
    brier: float | None
    log_loss: float | None
    auroc: float | None
    curve: tuple[Bin, ...]
    knots_K: NDArray[np.float64]
    values_K: NDArray[np.float64]

    def __call__(self, margins_B: NDArray[np.float64]) -> NDArray[np.float64]:
        """Give the probabilities of margins, shape (B,)."""
        return np.interp(margins_B, self.knots_K, self.values_K)

    def to_dict(self) -> dict[str, Any]:
        """Give what is said of it in an output."""
        return {
            "kind": self.kind,
            "reason": self.reason,
            "names": self.names,
            "brier": self.brier,
            "brier_chance": None if self.kind is None else _CHANCE,
            "log_loss": self.log_loss,
            "auroc": self.auroc,
            "curve": [{"p": bin_.p, "observed": bin_.observed, "n": bin_.n} for bin_ in self.curve],
        }


@dataclass(frozen=True, eq=False)
class Presence:
    """Gives the probability that a concept has its token among those whose names are known.

    Attributes
    ----------
    targets_CD : ndarray of float32
        Their rows as unit vectors.
    hubness_C : ndarray of float64
        r(y) of CSLS, or 0.
    cosines : float
        What a cosine counts in the score: 2 in CSLS, else 1.
    calibration : Calibration
        From margins to probabilities.
    held_out : mapping of str to float
        The margins of the names that the direction was learned from, by maps that have not seen
        them; the names as `plain` gives them.

    Examples
    --------
    >>> calibration = calibrate(np.linspace(0.1, 1, 60), np.linspace(0, 0.2, 60))
    >>> presence = Presence(np.eye(3, dtype=np.float32), np.zeros(3), 1.0, calibration, {})
    >>> horse_1D, neither_1D = np.array([[0.0, 1.0, 0.0]]), np.array([[1.0, 1.0, 1.0]])
    >>> presence(horse_1D, {}, ["horse"]) > presence(neither_1D, {}, ["neither"])
    array([ True])
    """

    targets_CD: NDArray[np.float32]
    hubness_C: NDArray[np.float64]
    cosines: float
    calibration: Calibration
    held_out: Mapping[str, float]

    def __call__(
        self,
        moved_BD: NDArray[np.float64],
        terms: Mapping[int, NDArray[np.float64]],
        names: Sequence[str | None],
    ) -> NDArray[np.float64]:
        """Give the probabilities of concepts, shape (B,).

        Parameters
        ----------
        moved_BD : ndarray of float64
            Taken into the region.
        terms : mapping of int to ndarray of float64
            For the place of a concept, shape (T, D), what it is the sum of, taken into the region
            too: a token that lies nearer to one of the terms than to their sum is that term's
            token, and does not count.
        names : sequence of str or None
            The word or phrase that each concept is. One that the direction was learned from is
            judged by what was held out.
        """
        scores_BC = self._scores(moved_BD)
        for place, terms_TD in terms.items():
            apart_TD = _apart(terms_TD, moved_BD[place])
            if len(apart_TD):
                of_terms_C = self._scores(apart_TD).max(axis=0)
                scores_BC[place, of_terms_C >= scores_BC[place]] = -np.inf
        margins_B = margins_of(scores_BC)
        for place, name in enumerate(names):
            if name is not None:
                margins_B[place] = self.held_out.get(plain(name), margins_B[place])
        return self.calibration(margins_B)

    def _scores(self, vectors_ND: NDArray[np.float64]) -> NDArray[np.float64]:
        """Score vectors with every token."""
        units_ND = (vectors_ND / norm(vectors_ND)[:, None]).astype(np.float32)
        return self.cosines * (units_ND @ self.targets_CD.T).astype(np.float64) - self.hubness_C


def _apart(terms_TD: NDArray[np.float64], sum_D: NDArray[np.float64]) -> NDArray[np.float64]:
    """Leave out the terms that point where their sum does, as in ``horse + horse``."""
    cosines_T = (terms_TD @ sum_D) / (norm(terms_TD) * norm(sum_D))
    return terms_TD[cosines_T < 1 - _ALIKE]


def open_calibration(
    composer: Composer,
    sample: Sample,
    method: Method,
    *,
    name: str,
    by_model: ByModel | None = None,
    progress: Progress | None = None,
) -> tuple[Calibration, dict[str, float]]:
    """Calibrate on the names of a direction's targets; the margins are derived once and kept.

    Each name is asked by a map that has seen neither it nor the candidate that is scored, and of
    the model too where it is given: its answers are added, and its examples left out.

    Returns
    -------
    calibration : Calibration
    held_out : dict of str to float
        The margin of each name, as `plain` gives it, with its token in place.

    Examples
    --------
    >>> import unembed
    >>> from unembed.geometry.concepts.compose import composer_of
    >>> composer = composer_of(unembed.open_head("demo-bytes"))
    >>> found, _ = open_calibration(
    ...     composer, composer.directions.sample("emoji"), Method(), name="emoji")
    >>> found.reason
    'the names of 4 tokens are known, of at least 50 that a calibration takes'
    """
    sample = sample if by_model is None else by_model.sample
    firsts_Q = sample.firsts_Q
    count = len(firsts_Q)
    if count < FEWEST_NAMES:
        return _too_few(count), {}

    def build() -> Arrays:
        answers_QD = None if by_model is None else by_model(by_model.names, progress=progress)[0]
        found = retrieve_targets(composer, sample, method, answers_QD=answers_QD, progress=progress)
        return {
            "present": found.margins(removed=False),
            "absent": found.margins(removed=True, twins=False),
        }

    head, fit = composer.head, composer.directions.fit(name)
    kept = head.store.arrays(
        "presence",
        repr((composer.space.key, fit.key, str(method), by_model and by_model.key)),
        build,
        lambda kept: fits(kept, {"present": (count,), "absent": (count,)}),
    )
    names = [plain(sample.used[place].base) for place in firsts_Q]
    held_out = dict(zip(names, kept["present"].tolist(), strict=True))
    return calibrate(kept["present"], kept["absent"]), held_out


def calibrate(present_Q: NDArray[np.float64], absent_Q: NDArray[np.float64]) -> Calibration:
    """Fit a probability to margins of names with and without their token, by cross-validation.

    Examples
    --------
    >>> calibrate(np.array([0.5]), np.array([0.1])).reason
    'the names of 1 tokens are known, of at least 50 that a calibration takes'
    """
    count = len(present_Q)
    if count < FEWEST_NAMES:
        return _too_few(count)
    margins_N = np.concatenate([present_Q, absent_Q])
    labels_N = np.repeat([1.0, 0.0], count)
    # A name's two questions share a fold.
    folds_N = np.tile(np.random.default_rng(0).permutation(count) % _FOLDS, 2)
    unseen = {}
    for kind in _KINDS:
        p_N = np.empty(2 * count)
        for fold in range(_FOLDS):
            held_N = folds_N == fold
            knots_K, values_K = _fit(kind, margins_N[~held_N], labels_N[~held_N])
            p_N[held_N] = np.interp(margins_N[held_N], knots_K, values_K)
        unseen[kind] = p_N
    losses = {kind: _log_loss(p_N, labels_N) for kind, p_N in unseen.items()}
    kind = min(_KINDS, key=losses.__getitem__)
    p_N = unseen[kind]
    return Calibration(
        kind=kind,
        reason=None,
        names=count,
        brier=float(np.square(p_N - labels_N).mean()),
        log_loss=losses[kind],
        auroc=auroc(present_Q, absent_Q),
        curve=_curve(p_N, labels_N),
        **dict(zip(("knots_K", "values_K"), _fit(kind, margins_N, labels_N), strict=True)),
    )


def _fit(
    kind: str, margins_N: NDArray[np.float64], labels_N: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Fit one kind of curve; give it as knots."""
    from sklearn.isotonic import IsotonicRegression
    from sklearn.linear_model import LogisticRegression

    if kind == "isotonic":
        # A step of all or nothing is never certain: half a name is added to either end.
        edge = 0.5 / len(margins_N)
        isotonic = IsotonicRegression(y_min=edge, y_max=1 - edge).fit(margins_N, labels_N)
        return isotonic.X_thresholds_, isotonic.y_thresholds_
    scale = float(margins_N.std()) or 1.0
    logistic = LogisticRegression(C=1e3).fit(margins_N[:, None] / scale, labels_N)
    knots_K = np.linspace(margins_N.min() - scale, margins_N.max() + scale, 1001)
    return knots_K, logistic.predict_proba(knots_K[:, None] / scale)[:, 1]


def _log_loss(p_N: NDArray[np.float64], labels_N: NDArray[np.float64]) -> float:
    """Give the mean surprise, in nats."""
    p_N = np.clip(np.where(labels_N == 1, p_N, 1 - p_N), _CLIP, 1.0)
    return float(-np.log(p_N).mean())


def _curve(p_N: NDArray[np.float64], labels_N: NDArray[np.float64]) -> tuple[Bin, ...]:
    """Divide probabilities into bins of equally many, equal ones in one order."""
    order_N = np.argsort(p_N, kind="stable")
    return tuple(
        Bin(float(p_N[part].mean()), float(labels_N[part].mean()), len(part))
        for part in np.array_split(order_N, _BINS)
    )


def not_calibrated(reason: str) -> Calibration:
    """Give no calibration.

    Examples
    --------
    >>> not_calibrated("no names are known").names
    0
    """
    nothing = np.empty(0)
    return Calibration(None, reason, 0, None, None, None, (), nothing, nothing)


def _too_few(count: int) -> Calibration:
    """Give no calibration for want of names."""
    return not_calibrated(
        f"the names of {count} tokens are known, of at least {FEWEST_NAMES} that a calibration "
        "takes"
    )
