"""Whether what others hand over as pairs, in Python or in a saved file, is usable."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ...errors import UsageError
from .checks import ABOUT, LONGEST, is_text, name_fault, shown
from .estimators import ESTIMATORS
from .pairs import Pair, PairSet

_MOST = 20_000  # pairs
_ID_BOUND = 1 << 40


def check_given(given: object) -> None:
    """Refuse what is no mapping of names to usable pairs.

    Raises
    ------
    UsageError
        It is none: names the direction and what is wrong.

    Examples
    --------
    >>> try:
    ...     check_given({"mean": PairSet("mean", "")})
    ... except UsageError as error:
    ...     str(error)
    "the direction 'mean' is the name of a function of expressions; choose another"
    """
    if not isinstance(given, Mapping):
        raise UsageError(f"directions are a file or a mapping of PairSet, not {shown(given)}")
    for name, pairs in given.items():
        named = name_fault(name)
        if named is not None:
            raise UsageError(f"the direction {shown(name)} {named}")
        wrong = fault(pairs)
        if wrong is not None:
            raise UsageError(f"the direction {shown(name)} is unusable: {wrong}")


def fault(pairs: object) -> str | None:
    """Say what makes pairs unusable; None where nothing does.

    Examples
    --------
    >>> fault(PairSet("up", "", (Pair("low", ""),)))
    "the pair Pair(base='low', target='', target_id=None) is not two texts of 1 to 200 characters \
and a token's id or None"
    """
    if not isinstance(pairs, PairSet):
        return f"it is {shown(pairs)}, no PairSet"
    return next(_faults(pairs), None)


def _faults(pairs: PairSet) -> Iterator[str]:
    """Say what is wrong with pairs, one after the other; the types of their parts may be wrong."""
    about: Any = pairs.about
    members: Any = pairs.pairs
    named = name_fault(pairs.name)
    if named is not None:
        yield f"its name, {shown(pairs.name)}, {named}"
    if not isinstance(about, str) or len(about) > ABOUT:
        yield f"its about is {shown(about)}, no text of at most {ABOUT:,} characters"
    if not (pairs.region is None or is_text(pairs.region)):
        yield f"its region is {shown(pairs.region)}, no text of 1 to {LONGEST} characters"
    if not (pairs.learned_from is None or isinstance(pairs.learned_from, Path)) and not is_text(
        pairs.learned_from
    ):
        yield (
            f"it is learned from {shown(pairs.learned_from)}, no text of 1 to {LONGEST} characters "
            "and no Path"
        )
    if not isinstance(members, tuple) or len(members) > _MOST:
        yield f"its pairs are no tuple of at most {_MOST:,}"
    for pair in members:
        if not _is_pair(pair):
            yield (
                f"the pair {shown(pair)} is not two texts of 1 to {LONGEST} characters and a "
                "token's id or None"
            )
    if pairs.learned_from is not None and members:
        yield "it has both pairs and a region that it is learned from"
    if pairs.estimator not in (None, *ESTIMATORS):
        yield f"its estimator is {shown(pairs.estimator)}; they are {', '.join(ESTIMATORS)}"


def _is_pair(pair: object) -> bool:
    """Tell whether a pair has two names and a token's id or None."""
    if not (isinstance(pair, Pair) and is_text(pair.base) and is_text(pair.target)):
        return False
    id_ = pair.target_id
    return id_ is None or (type(id_) is int and 0 <= id_ < _ID_BOUND)
