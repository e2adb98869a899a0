"""A method: how names are read, directions learned and nearness scored, in one word."""

from dataclasses import dataclass

import numpy as np

from ..errors import UsageError
from ..indexes.store import Arrays
from .concepts.estimators import ESTIMATORS
from .concepts.phrase import DEFAULT_PIECES, WAYS
from .heads.unembedding import Unembedding

BEST = "best"
METHODS = ("plain", "procrustes+csls")  # that an evaluation compares
_PLAIN = "plain"
_NAME = "best-method"
_LONGEST = 100  # bytes of a method that is kept


@dataclass(frozen=True)
class Method:
    """What can be chosen of a query beside its space.

    It is written as its parts with ``+`` between them, as in ``procrustes+csls``; ``plain`` has
    none.

    Attributes
    ----------
    pieces : str
        One of `WAYS`.
    estimator : str or None
        A key of `ESTIMATORS`: how directions are learned. In an evaluation of retrieval, None asks
        with the name itself, without a direction.
    csls : bool
        Whether scores are CSLS or the space's own.

    Examples
    --------
    >>> Method.parse("csls+procrustes"), str(Method())
    (Method('procrustes+csls'), 'plain')
    """

    pieces: str = DEFAULT_PIECES
    estimator: str | None = None
    csls: bool = False

    @classmethod
    def parse(cls, text: str) -> "Method":
        """Read a method.

        Raises
        ------
        UsageError
            A part is unknown, or there are two of a kind.
        """
        parts = [] if text == _PLAIN else text.split("+")
        pieces = [part for part in parts if part in WAYS]
        estimators = [part for part in parts if part in ESTIMATORS]
        rest = [part for part in parts if part not in WAYS and part not in ESTIMATORS]
        if len(pieces) > 1 or len(estimators) > 1 or rest not in ([], ["csls"]):
            raise UsageError(
                f"unknown method {text!r}; a method is {_PLAIN}, or parts with + between them: one "
                f"of {', '.join(WAYS)}, one of {', '.join(ESTIMATORS)}, csls"
            )
        return cls(
            pieces[0] if pieces else DEFAULT_PIECES,
            estimators[0] if estimators else None,
            "csls" in rest,
        )

    def __str__(self) -> str:
        """Write it."""
        parts = [
            "" if self.pieces == DEFAULT_PIECES else self.pieces,
            self.estimator or "",
            "csls" if self.csls else "",
        ]
        return "+".join(filter(None, parts)) or _PLAIN

    def __repr__(self) -> str:
        """Name it."""
        return f"Method({str(self)!r})"


def keep_best(head: Unembedding, space: str, method: Method) -> None:
    """Keep the method that an evaluation found best on a head, in a space.

    Examples
    --------
    >>> import tempfile, unembed
    >>> from dataclasses import replace
    >>> from pathlib import Path
    >>> from ..indexes.store import Store
    >>> head = replace(unembed.open_head("demo-bytes"), store=Store(Path(tempfile.mkdtemp())))
    >>> keep_best(head, "cosine", Method(csls=True))
    >>> best_method(head, "cosine")
    Method('csls')
    """
    text = str(method).encode()
    head.store.put(_NAME, _key(head, space), {"method": np.frombuffer(text, dtype=np.uint8)})


def best_method(head: Unembedding, space: str) -> Method:
    """Give the method that an evaluation found best on a head, in a space.

    Raises
    ------
    UsageError
        The head has not been evaluated in this space.

    Examples
    --------
    >>> import unembed
    >>> try:
    ...     best_method(unembed.open_head("demo-bytes"), "causal:0.77")
    ... except UsageError as error:
    ...     str(error)
    'demo-bytes has not been evaluated in the space causal:0.77, so none is best there; run: \
unembed evaluate demo-bytes --spaces causal:0.77'
    """
    kept = head.store.get(_NAME, _key(head, space), _fits)
    if kept is None:
        raise UsageError(
            f"{head.source} has not been evaluated in the space {space}, so none is best there; "
            f"run: unembed evaluate {head.source} --spaces {space}"
        )
    return Method.parse(kept["method"].tobytes().decode())


def chosen_method(head: Unembedding, method: str, space: str, *, fold_norm: bool) -> Method:
    """Read a method, or give the one that an evaluation found best.

    Raises
    ------
    UsageError
        It is unknown, or none is best: no evaluation folds the norm.

    Examples
    --------
    >>> import unembed
    >>> chosen_method(unembed.open_head("demo"), "procrustes+csls", "causal", fold_norm=True)
    Method('procrustes+csls')
    """
    if method == BEST and fold_norm:
        raise UsageError("no evaluation folds the norm, so no method is best there; name one")
    return best_method(head, space) if method == BEST else Method.parse(method)


def _key(head: Unembedding, space: str) -> str:
    """Give what a best method belongs to."""
    return repr((head.key, head.vocabulary.key, space))


def _fits(kept: Arrays) -> bool:
    """Tell whether a kept method is one."""
    text = kept.get("method")
    if text is None or text.dtype != np.uint8 or text.ndim != 1 or text.size > _LONGEST:
        return False
    try:
        Method.parse(text.tobytes().decode())
    except (UnicodeDecodeError, UsageError):
        return False
    return True
