"""What can be asked of an audit, beside how concepts are composed."""

from dataclasses import dataclass
from numbers import Integral, Real

from ...errors import UsageError
from ..concepts.compose import Composition
from ..region import RegionLike

MOST_NEAREST = 100
_SMALLEST, _LARGEST = 1e-3, 1e6


class AuditOptions(Composition, total=False):
    """What can be asked of an audit.

    Attributes
    ----------
    region : str, sequence of int or None
        Where a token is asked for, as `find_region` takes it; None for all tokens.
    direction : str or None
        What takes a concept to what stands for it in the region: a direction, built-in or one of
        ``directions``. Where it is None, it is ``emoji`` for the region emoji, and for others the
        region's own category vector.
    top : int
        How many nearest tokens, 1 to 100; 5 by default.
    residual_norm : float or None
        The norm of the residual that stands for a concept; gives the snap a probability, which
        takes a softmax over all rows for each concept.
    min_membership : float
        The share of the region's own rows that lie no deeper in it than a phantom, at least; 0.05
        by default.
    min_p_token : float
        The probability from which on a concept without a known form has a token; 0.5 by default.
    device : str
        What multiplies: ``cpu``, the default, or ``cuda``. The answers are the same.
    with_model : bool
        Ask the model beside the head too: its answer to each concept, after examples of the
        direction's own pairs, is added to the composed vector. Needs a region and a direction with
        pairs, and takes far longer.

    Examples
    --------
    >>> import unembed
    >>> options: AuditOptions = {"region": "emoji", "top": 1}
    >>> unembed.open_head("demo").audit(["octopus"], **options).findings[0].verdict
    'single_token'
    """

    region: RegionLike
    direction: str | None
    top: int
    residual_norm: float | None
    min_membership: float
    min_p_token: float
    device: str
    with_model: bool


@dataclass(frozen=True)
class Settings:
    """The numbers of an audit, checked.

    Attributes
    ----------
    top, residual_norm, min_membership, min_p_token, device, with_model
        As in `AuditOptions`.

    Examples
    --------
    >>> Settings(top=0)
    Traceback (most recent call last):
    unembed.errors.UsageError: top is 0; it must be a whole number, at least 1 and at most 100
    """

    top: int = 5
    residual_norm: float | None = None
    min_membership: float = 0.05
    min_p_token: float = 0.5
    device: str = "cpu"
    with_model: bool = False

    def __post_init__(self) -> None:
        """Refuse what is no number, or out of range."""
        numbers: tuple[tuple[str, object, float, float], ...] = (
            ("top", self.top, 1, MOST_NEAREST),
            ("the residual norm", self.residual_norm, _SMALLEST, _LARGEST),
            ("the membership of a phantom", self.min_membership, 0, 1),
            ("the p_token of a token", self.min_p_token, 0, 1),
        )
        for name, value, least, most in numbers:
            kind = Integral if name == "top" else Real
            if value is None and name == "the residual norm":
                continue
            if not isinstance(value, kind) or not least <= float(value) <= most:
                whole = "a whole number, " if kind is Integral else ""
                raise UsageError(
                    f"{name} is {value!r}; it must be {whole}at least {least:g} and at most "
                    f"{most:g}"
                )
