"""An answer: the nearest tokens, what the head makes of the concept, how names were read."""

from dataclasses import asdict, dataclass
from html import escape
from typing import TYPE_CHECKING, Any

from .concepts.phrase import Resolved
from .frames import arrow_of, pandas_of
from .tokens.vocabulary import display

if TYPE_CHECKING:
    import pandas
    import pyarrow

SCHEMA = 1


@dataclass(frozen=True)
class Neighbour:
    """A token, how near it is, and what the head gives it.

    Attributes
    ----------
    rank : int
        From 1.
    id : int
        The token's id; of equal scores the lower id comes first.
    token : str
        The vocabulary's own string.
    text : str or None
        What the token writes; None for a fragment of a character.
    score : float
        A cosine in the space, the product with the concept's unit vector there, or what CSLS and
        3CosMul make of cosines.
    logit : float
        The product of the row with the concept's residual, and the bias.
    probability : float or None
        Of the token being written, where the residual's norm is known.

    Examples
    --------
    >>> import unembed
    >>> near = unembed.open_head("demo").nearest("sea", top=1).neighbours[0]
    >>> near.rank, near.id, near.token, near.text, round(near.score, 3), near.probability
    (1, 12991, '▁Sea', ' Sea', 0.794, None)
    """

    rank: int
    id: int
    token: str
    text: str | None
    score: float
    logit: float
    probability: float | None


@dataclass(frozen=True)
class Snap:
    """The token that the head makes of a concept: the largest logit of all.

    Attributes
    ----------
    id, token, text, logit, probability
        As in `Neighbour`; of equal logits the lower id.
    gap_logit : float
        How much more logit a row of the snap's length would get that points at the concept.
    gap_degrees : float
        The angle between the concept and the snap's row in the space.

    Examples
    --------
    >>> import unembed
    >>> snap = unembed.open_head("demo").nearest("sea + horse", region="emoji").snap
    >>> snap.text, round(snap.gap_degrees, 1)
    (' sea', 42.1)
    """

    id: int
    token: str
    text: str | None
    logit: float
    probability: float | None
    gap_logit: float
    gap_degrees: float


@dataclass(frozen=True, repr=False)
class Neighbours:
    """The answer to "which tokens lie closest to this concept".

    Attributes
    ----------
    source, expression, space, score : str
        What was asked.
    region : str or None
        Where it was searched; None for all tokens.
    index : str
        How: ``exact``.
    resolved : tuple of Resolved
        The tokens that each name was taken for; they are left out of the answer.
    neighbours : tuple of Neighbour
        By descending score.
    snap : Snap
        What the head makes of the concept, of all tokens, those of its names included.
    tracked : tuple of Neighbour
        The tokens that were followed, in the order in which they were named. Their rank is the one
        that they have, or would have, among the tokens searched.

    Examples
    --------
    >>> import unembed
    >>> unembed.open_head("demo").nearest("king - man + woman", top=1)
    Neighbours('king - man + woman', demo, causal: ▁queen)
    """

    source: str
    expression: str
    space: str
    score: str
    region: str | None
    index: str
    resolved: tuple[Resolved, ...]
    neighbours: tuple[Neighbour, ...]
    snap: Snap
    tracked: tuple[Neighbour, ...]

    def to_dict(self) -> dict[str, Any]:
        """Give the answer as the object that ``--json`` prints."""
        return {"schema": SCHEMA, **asdict(self)}

    def to_arrow(self) -> "pyarrow.Table":
        """Give the neighbours as an Arrow table, a row each."""
        return arrow_of([asdict(near) for near in self.neighbours])

    def to_pandas(self) -> "pandas.DataFrame":
        """Give the neighbours as a data frame, a row each.

        Raises
        ------
        MissingExtraError
            pandas is not installed.
        """
        return pandas_of([asdict(near) for near in self.neighbours])

    def __repr__(self) -> str:
        """Name the question and its first answers."""
        tokens = " ".join(display(near.token) for near in self.neighbours[:5])
        return f"Neighbours({display(self.expression)!r}, {self.source}, {self.space}: {tokens})"

    def _repr_html_(self) -> str:
        """Draw a table for a notebook; every token is escaped."""
        rows = "".join(
            f"<tr><td>{near.rank}</td><td>{near.id}</td><td>{escape(display(near.token))}</td>"
            f"<td>{escape(display(near.text or ''))}</td><td>{near.score:.4f}</td>"
            f"<td>{near.logit:.4f}</td></tr>"
            for near in self.neighbours
        )
        return (
            f"<table><caption>{escape(display(self.expression))} · {escape(self.space)} · "
            f"{escape(display(self.region or 'all tokens'))} · snaps to "
            f"{escape(display(self.snap.token))}</caption><tr><th>rank</th><th>id</th>"
            f"<th>token</th><th>text</th><th>{escape(self.score)}</th><th>logit</th></tr>{rows}"
            "</table>"
        )
