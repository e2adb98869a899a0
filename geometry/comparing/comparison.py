"""A comparison: how alike two heads are, and what has moved between them."""

from dataclasses import asdict, dataclass
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np

from ..answer import SCHEMA
from ..frames import pandas_of
from ..tokens.vocabulary import Vocabulary, display
from .alignment import Alignment
from .matching import Matched
from .moves import Moves, RegionMove

if TYPE_CHECKING:
    import pandas
    import pyarrow


@dataclass(frozen=True)
class Moved:
    """A token that moved far.

    Attributes
    ----------
    id, other_id : int
        The token's, in the first and in the second head.
    token : str
        Its string in the first vocabulary.
    text : str or None
        What it writes.
    cosine : float or None
        Between its two rows as they are; None where their widths differ.
    aligned : float
        Between its two rows, centred, the second turned onto the first head.
    ratio : float or None
        The length of the second row by that of the first; None where that is zero.
    moved, deviations : float
        As in `Moves`.
    shared : float
        The share of its ten nearest tokens that are the same.
    biased : float
        The same, higher places counting more: rank-biased overlap.
    near, other_near : tuple of str
        The texts of its nearest tokens in the first and in the second head; the string of one that
        writes no text.

    Examples
    --------
    >>> import unembed
    >>> head = unembed.open_head("demo-bytes")
    >>> moved = head.compare(head, top=1).moved[0]
    >>> round(moved.aligned, 6), moved.shared, moved.near == moved.other_near
    (1.0, 1.0, True)
    """

    id: int
    other_id: int
    token: str
    text: str | None
    cosine: float | None
    aligned: float
    ratio: float | None
    moved: float
    deviations: float
    shared: float
    biased: float
    near: tuple[str, ...]
    other_near: tuple[str, ...]


@dataclass(frozen=True, eq=False, repr=False)
class Comparison:
    """How alike two heads are, and what has moved between them.

    Attributes
    ----------
    source, other : str
        The two.
    space : str
        Where nearest tokens were found.
    widths : tuple of int
        Of their rows.
    tokens : tuple of int
        How many tokens each has.
    matched : Matched
        Those that both have.
    alignment : Alignment
        How the second was turned onto the first, what that leaves, and linear CKA.
    moves : Moves
        How far each token has moved.
    region : str or None
        Where `moved` was looked for; None for all tokens.
    moved : tuple of Moved
        The tokens that moved most, equal ones by the lower id.
    regions : tuple of RegionMove
        The regions and kinds of tokens that moved most first.
    sampled : int
        How many tokens, drawn evenly, the next two are the means of.
    shared, biased : float
        The share of the ten nearest tokens that are the same, and rank-biased overlap.
    vocabulary : Vocabulary
        Of the first head: spells tokens.

    Examples
    --------
    >>> import unembed
    >>> head = unembed.open_head("demo-bytes")
    >>> head.compare(head)
    Comparison(demo-bytes, demo-bytes: 50,364 tokens, residual 0.000, CKA 1.000)
    """

    source: str
    other: str
    space: str
    widths: tuple[int, int]
    tokens: tuple[int, int]
    matched: Matched
    alignment: Alignment
    moves: Moves
    region: str | None
    moved: tuple[Moved, ...]
    regions: tuple[RegionMove, ...]
    sampled: int
    shared: float
    biased: float
    vocabulary: Vocabulary

    def to_dict(self) -> dict[str, Any]:
        """Give the comparison as the object that ``--json`` prints: without a row a token."""
        moves, matched = self.moves, len(self.matched.ids_N)
        cosines_N = moves.cosines_N
        return {
            "schema": SCHEMA,
            "source": self.source,
            "other": self.other,
            "space": self.space,
            "widths": list(self.widths),
            "tokens": list(self.tokens),
            "matched": matched,
            "residual": self.alignment.residual,
            "cka": self.alignment.cka,
            "median_cosine": None if cosines_N is None else float(np.median(cosines_N)),
            "median_aligned": float(np.median(moves.aligned_N)),
            "sampled": self.sampled,
            "shared": self.shared,
            "biased": self.biased,
            "region": self.region,
            "moved": [asdict(one) for one in self.moved],
            "regions": [asdict(one) for one in self.regions],
        }

    def to_arrow(self) -> "pyarrow.Table":
        """Give a row for each token that both have, those that moved most first."""
        import pyarrow

        return pyarrow.table(self._columns())

    def to_pandas(self) -> "pandas.DataFrame":
        """Give a row for each token that both have, those that moved most first.

        Raises
        ------
        MissingExtraError
            pandas is not installed.
        """
        return pandas_of(self.to_arrow().to_pylist())

    def _columns(self) -> dict[str, Any]:
        """Give what is known of every token, as columns, those that moved most first."""
        moves, order_N = self.moves, self.moves.order()
        cosines_N = moves.cosines_N
        ids = self.matched.ids_N[order_N].tolist()
        return {
            "id": ids,
            "other_id": self.matched.others_N[order_N],
            "token": [self.vocabulary.token(id_) for id_ in ids],
            "text": [self.vocabulary.text(id_) for id_ in ids],
            "cosine": [None] * len(ids) if cosines_N is None else cosines_N[order_N],
            "aligned": moves.aligned_N[order_N],
            "ratio": moves.ratios_N[order_N],
            "moved": moves.moved_N[order_N],
            "deviations": moves.deviations_N[order_N],
        }

    def __repr__(self) -> str:
        """Name the two and how alike they are."""
        return (
            f"Comparison({self.source}, {self.other}: {len(self.matched.ids_N):,} tokens, "
            f"residual {self.alignment.residual:.3f}, CKA {self.alignment.cka:.3f})"
        )

    def _repr_html_(self) -> str:
        """Draw what moved most as a table for a notebook; every token is escaped."""
        rows = "".join(
            f"<tr><td>{escape(display(one.token))}</td><td>{one.aligned:.3f}</td>"
            f"<td>{one.deviations:.1f}</td><td>{escape(display(' '.join(one.near)))}</td>"
            f"<td>{escape(display(' '.join(one.other_near)))}</td></tr>"
            for one in self.moved
        )
        return (
            f"<table><caption>{escape(display(repr(self)))}</caption><tr><th>token</th>"
            f"<th>aligned cosine</th><th>deviations</th><th>near before</th><th>near after</th>"
            f"</tr>{rows}</table>"
        )
