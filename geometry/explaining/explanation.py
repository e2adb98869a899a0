"""An explanation: what a vector is a sum of, what lies near it, what is known of its token."""

from dataclasses import asdict, dataclass
from html import escape
from typing import TYPE_CHECKING, Any

from ..answer import SCHEMA, Neighbour, Snap
from ..concepts.phrase import Resolved
from ..frames import arrow_of, pandas_of
from ..tokens.vocabulary import display
from .characters import Character
from .pursuit import Part

if TYPE_CHECKING:
    import pandas
    import pyarrow


@dataclass(frozen=True)
class Along:
    """How far a vector points along a direction.

    Attributes
    ----------
    name : str
        The direction.
    cosine : float
        Between the vector and the mean step of the direction's pairs.
    above : float
        The share of all known tokens whose rows point less far along it, to a thousandth.

    Examples
    --------
    >>> Along("plural", 0.31, 0.998).above
    0.998
    """

    name: str
    cosine: float
    above: float


@dataclass(frozen=True)
class Token:
    """What is known of a token.

    Attributes
    ----------
    id : int
        The token's.
    token : str
        Its string in the vocabulary.
    text : str or None
        What it writes; None for a fragment.
    kind : str
        As `kind_of` gives it.
    script : str
        As `scripts_of` gives it.
    regions : tuple of str
        Of the emoji and the scripts of at least 50 tokens, those that it is in.
    norm : float
        The length of its row, as it is stored.
    norm_rank : int
        From 1, the longest, among the known tokens; equal lengths by the lower id.
    tokens : int
        How many are known.
    writable : bool or None
        Whether some residual gives it the largest logit of all; None where it is undecided.
    writable_by : str
        How that was decided, as in `Verdict`.
    characters : tuple of Character
        Of a fragment: what it can be a part of, at most 4,096.
    characters_total : int
        How many there are.

    Examples
    --------
    >>> import unembed
    >>> token = unembed.open_head("demo").explain("🐠").token
    >>> token.kind, token.regions, token.writable, token.writable_by
    ('text', ('emoji',), True, 'own row')
    """

    id: int
    token: str
    text: str | None
    kind: str
    script: str
    regions: tuple[str, ...]
    norm: float
    norm_rank: int
    tokens: int
    writable: bool | None
    writable_by: str
    characters: tuple[Character, ...]
    characters_total: int


@dataclass(frozen=True, repr=False)
class Explanation:
    """What a row, or a composed vector, is made of.

    Attributes
    ----------
    source, expression, space : str
        What was asked.
    method : str
        ``omp`` or ``lasso``.
    signed : bool
        Whether weights may be below 0.
    dictionary : str
        The region whose rows the sum is made of, beside directions and regions.
    resolved : tuple of Resolved
        The tokens that each name was taken for; they and their forms are not in the sum.
    parts : tuple of Part
        In the order in which they were taken.
    chance : tuple of float
        What as many parts explain of a random vector, in the mean of 16: for each part.
    neighbours : tuple of Neighbour
        The nearest tokens, by descending score.
    snap : Snap
        What the head makes of it.
    directions : tuple of Along
        By descending cosine, equal ones by their names.
    token : Token or None
        Where it is the row of one token.

    Examples
    --------
    >>> import unembed
    >>> unembed.open_head("demo").explain("🐠", parts=3)
    Explanation('🐠', demo, causal: emoji + ▁fish + ▁Aquarium, 52%)
    """

    source: str
    expression: str
    space: str
    method: str
    signed: bool
    dictionary: str
    resolved: tuple[Resolved, ...]
    parts: tuple[Part, ...]
    chance: tuple[float, ...]
    neighbours: tuple[Neighbour, ...]
    snap: Snap
    directions: tuple[Along, ...]
    token: Token | None

    def to_dict(self) -> dict[str, Any]:
        """Give the explanation as the object that ``--json`` prints."""
        return {"schema": SCHEMA, **asdict(self)}

    def to_arrow(self) -> "pyarrow.Table":
        """Give the parts of the sum as an Arrow table, a row each."""
        return arrow_of(self._rows())

    def to_pandas(self) -> "pandas.DataFrame":
        """Give the parts of the sum as a data frame, a row each.

        Raises
        ------
        MissingExtraError
            pandas is not installed.
        """
        return pandas_of(self._rows())

    def _rows(self) -> list[dict[str, Any]]:
        """Give the parts of the sum, and what chance explains."""
        pairs = zip(self.parts, self.chance, strict=True)
        return [asdict(part) | {"chance": chance} for part, chance in pairs]

    def equation(self) -> str:
        """Give the sum as a line.

        Examples
        --------
        >>> import unembed
        >>> unembed.open_head("demo").explain("queen", parts=2).equation()
        '▁king + female'
        """
        signs = ["-" if part.weight < 0 else "+" for part in self.parts]
        terms = (f"{sign} {part.token}" for sign, part in zip(signs, self.parts, strict=True))
        return " ".join(terms).removeprefix("+ ")

    def __repr__(self) -> str:
        """Name what was asked, the sum and what it explains."""
        share = self.parts[-1].explained if self.parts else 0.0
        sum_ = display(self.equation()) or "nothing"
        named = display(self.expression)
        return f"Explanation({named!r}, {self.source}, {self.space}: {sum_}, {share:.0%})"

    def _repr_html_(self) -> str:
        """Draw the sum as a table for a notebook; every token is escaped."""
        rows = "".join(
            f"<tr><td>{escape(display(part.token))}</td><td>{part.kind}</td>"
            f"<td>{part.weight:.3f}</td><td>{part.explained:.1%}</td><td>{chance:.1%}</td></tr>"
            for part, chance in zip(self.parts, self.chance, strict=True)
        )
        return (
            f"<table><caption>{escape(display(self.expression))} · {escape(self.space)} · "
            f"{escape(self.source)}</caption><tr><th>part</th><th>kind</th><th>weight</th>"
            f"<th>explained</th><th>of a random vector</th></tr>{rows}</table>"
        )
