"""The API: which questions there are, and what answers them."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from .audits import audit
from .heads import comparison, explanation, health
from .lenses import lens_of
from .maps import map_of, place
from .near import complete, near
from .questions import (
    Audit,
    Compare,
    Complete,
    Explain,
    LensOf,
    MapOf,
    Near,
    Place,
    Question,
    Vocab,
)
from .served import Served
from .work import Telling

MOST_JSON = 8 << 20  # bytes of a question
MOST_FILE = 64 << 20  # bytes of a file


@dataclass(frozen=True)
class Way:
    """A question that can be asked.

    Attributes
    ----------
    name : str
        The end of its path.
    question : type
        Its words.
    answer : callable
        Finds the answer, in a thread.
    long : bool
        Whether the answer comes in lines, after its progress.

    Examples
    --------
    >>> [way.name for way in WAYS if not way.long]
    ['near', 'complete', 'place']
    """

    name: str
    question: type[Question]
    answer: Callable[[Served, Any, Telling], dict[str, Any]]
    long: bool


WAYS = (
    Way("near", Near, near, long=False),
    Way("complete", Complete, complete, long=False),
    Way("place", Place, place, long=False),
    Way("map", MapOf, map_of, long=True),
    Way("audit", Audit, audit, long=True),
    Way("lens", LensOf, lens_of, long=True),
    Way("explain", Explain, explanation, long=True),
    Way("compare", Compare, comparison, long=True),
    Way("vocab", Vocab, health, long=True),
)
