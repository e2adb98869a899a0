"""The nearest tokens to a concept."""

from dataclasses import asdict, dataclass
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..errors import MissingExtraError, UsageError
from ..indexes import exact
from .concepts.concept import compose
from .concepts.phrase import Resolved
from .heads.head import Head
from .heads.vocabulary import display
from .region import region_ids
from .space import get_space

if TYPE_CHECKING:
    import pandas
    import pyarrow

_SCHEMA = 1


@dataclass(frozen=True)
class Neighbour:
    """A token and how near it is.

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
        A cosine in the ``cosine`` space; in ``logit`` the logit that a residual of norm 1 in the
        concept's direction gives the token.
    """

    rank: int
    id: int
    token: str
    text: str | None
    score: float


@dataclass(frozen=True, repr=False)
class Neighbours:
    """The answer to "which tokens lie closest to this concept".

    Attributes
    ----------
    source, expression, space : str
        What was asked.
    region : str or None
        Where it was searched; None for all tokens.
    resolved : tuple of Resolved
        The token that each name was taken for; these tokens are left out of the answer.
    neighbours : tuple of Neighbour
        By descending score.

    Examples
    --------
    >>> import unembed
    >>> unembed.nearest(unembed.open_head("demo"), "king - man + woman", top=1)
    Neighbours('king - man + woman', demo, cosine: ▁queen)
    """

    source: str
    expression: str
    space: str
    region: str | None
    resolved: tuple[Resolved, ...]
    neighbours: tuple[Neighbour, ...]

    def to_dict(self) -> dict[str, Any]:
        """Give the answer as the object that ``--json`` prints."""
        return {"schema": _SCHEMA, **asdict(self)}

    def to_arrow(self) -> "pyarrow.Table":
        """Give the neighbours as an Arrow table, a row each.

        Raises
        ------
        MissingExtraError
            pyarrow is not installed.
        """
        try:
            import pyarrow
        except ImportError as error:
            raise MissingExtraError("an Arrow table (pyarrow)", extra="tables") from error
        return pyarrow.Table.from_pylist([asdict(near) for near in self.neighbours])

    def to_pandas(self) -> "pandas.DataFrame":
        """Give the neighbours as a data frame, a row each.

        Raises
        ------
        MissingExtraError
            pandas is not installed.
        """
        try:
            import pandas
        except ImportError as error:
            raise MissingExtraError("a data frame (pandas)", extra="tables") from error
        return pandas.DataFrame([asdict(near) for near in self.neighbours])

    def __repr__(self) -> str:
        """Name the question and its first answers."""
        tokens = " ".join(display(near.token) for near in self.neighbours[:5])
        return f"Neighbours({self.expression!r}, {self.source}, {self.space}: {tokens})"

    def _repr_html_(self) -> str:
        """Draw a table for a notebook; every token is escaped."""
        rows = "".join(
            f"<tr><td>{near.rank}</td><td>{near.score:.4f}</td><td>{near.id}</td>"
            f"<td>{escape(display(near.token))}</td><td>{escape(shown_text(near))}</td></tr>"
            for near in self.neighbours
        )
        return (
            f"<table><caption>{escape(display(self.expression))} · {escape(self.space)} · "
            f"{escape(self.region or 'all tokens')}</caption><tr><th>rank</th><th>score</th>"
            f"<th>id</th><th>token</th><th>text</th></tr>{rows}</table>"
        )


def shown_text(near: Neighbour) -> str:
    """Give a token's text, quoted and harmless, as people are shown it; empty for a fragment.

    Examples
    --------
    >>> shown_text(Neighbour(rank=1, id=0, token="▁sea", text=" sea", score=1.0))
    '" sea"'
    """
    return "" if near.text is None else f'"{display(near.text)}"'


def nearest(
    head: Head,
    expression: str,
    *,
    space: str = "cosine",
    region: str | None = None,
    top: int = 10,
) -> Neighbours:
    """Find the tokens that lie closest to a concept. The answer is exact.

    The tokens that the expression names are left out of the answer, and so are rows that have no
    token.

    Parameters
    ----------
    head : Head
        Where to look.
    expression : str
        A sum of words and emoji that are single tokens, as in ``king - man + woman``.
    space : str
        ``cosine`` or ``logit``.
    region : str, optional
        ``emoji``, or None for all tokens.
    top : int
        How many neighbours, at least 1; fewer come where there are fewer.

    Returns
    -------
    Neighbours
        By descending score, equal scores by ascending id.

    Raises
    ------
    UsageError
        An unknown space or region, `top` out of range, or an expression that is wrong.

    Examples
    --------
    >>> import unembed
    >>> answer = unembed.nearest(unembed.open_head("demo"), "sea + horse", region="emoji", top=3)
    >>> [near.text for near in answer.neighbours]
    ['🐎', '🚚', '🐈']
    """
    if top < 1:
        raise UsageError(f"top is {top:,}; it must be at least 1")
    geometry = get_space(space)
    concept = compose(head, expression, space=geometry)
    among_N = _searched(head, region)
    named = [id_ for name in concept.resolved for id_ in name.token_ids]
    scores_K, ids_K = exact.nearest(
        head.index,
        head.rows,
        concept.vector_D,
        top + len(named),
        norms_V=head.norms_V,
        cosine=geometry.cosine,
        among_N=among_N,
    )
    vocabulary = head.vocabulary
    found = [
        (int(id_), float(score))
        for id_, score in zip(ids_K, scores_K, strict=True)
        if id_ not in named
    ]
    return Neighbours(
        source=head.source,
        expression=expression,
        space=space,
        region=region,
        resolved=concept.resolved,
        neighbours=tuple(
            Neighbour(rank, id_, vocabulary.token(id_), vocabulary.text(id_), score)
            for rank, (id_, score) in enumerate(found[:top], start=1)
        ),
    )


def _searched(head: Head, region: str | None) -> NDArray[np.int64] | None:
    """Give the ids to search: the region's, all known ones, or None where every row is known."""
    if region is not None:
        return region_ids(head, region)
    known_V = head.vocabulary.known_V
    return None if known_V.all() else np.flatnonzero(known_V)
