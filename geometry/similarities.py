"""How alike concepts are, each with each."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from html import escape
from typing import TYPE_CHECKING, Any, Unpack

import numpy as np
from numpy.typing import NDArray

from ..errors import UsageError
from ..indexes.progress import Done, step_of
from .answer import SCHEMA
from .concepts.compose import Composition
from .concepts.phrase import Resolved
from .frames import pandas_square_of
from .heads.unembedding import Unembedding
from .neighbours import Query, composed
from .tokens.vocabulary import display

if TYPE_CHECKING:
    import pandas
    import pyarrow

# N concepts, vectors of width D.

MOST = 2000
_BLOCK_VALUES = 1 << 18  # of products at once: they stay in the processor's cache


@dataclass(frozen=True, eq=False, repr=False)
class Similarities:
    """The cosine of each of some concepts with each other.

    Attributes
    ----------
    source, space : str
        Where they were asked.
    measure : str
        ``cosine``, of the angle between two concepts in the space.
    expressions : tuple of str
        The N concepts as they were asked for.
    resolved : tuple of tuple of Resolved
        For each, the tokens that its names were taken for.
    values_NN : ndarray of float64
        Symmetric, 1 on the diagonal; it cannot be written to.

    Examples
    --------
    >>> import unembed
    >>> found = unembed.open_head("demo").similarities(["sea", "ocean", "horse"])
    >>> found.values_NN.argsort()[0, ::-1].tolist()  # the sea's own, then the ocean's
    [0, 1, 2]
    """

    source: str
    space: str
    measure: str
    expressions: tuple[str, ...]
    resolved: tuple[tuple[Resolved, ...], ...]
    values_NN: NDArray[np.float64]

    def to_dict(self) -> dict[str, Any]:
        """Give all of it as the object that ``--json`` prints."""
        return {
            "schema": SCHEMA,
            "source": self.source,
            "space": self.space,
            "measure": self.measure,
            "expressions": list(self.expressions),
            "resolved": [[asdict(name) for name in names] for names in self.resolved],
            "values": self.values_NN.tolist(),
        }

    def to_arrow(self) -> "pyarrow.Table":
        """Give an Arrow table with a row for each two: ``one``, ``other``, ``cosine``."""
        import pyarrow

        names, count = pyarrow.array(self.expressions), len(self.expressions)
        places_N = np.arange(count)
        return pyarrow.table(
            {
                "one": names.take(pyarrow.array(np.repeat(places_N, count))),
                "other": names.take(pyarrow.array(np.tile(places_N, count))),
                self.measure: self.values_NN.ravel(),
            }
        )

    def to_pandas(self) -> "pandas.DataFrame":
        """Give a square data frame: the expressions are its index and its columns.

        Raises
        ------
        MissingExtraError
            pandas is not installed.
        """
        return pandas_square_of(self.expressions, self.values_NN)

    def __repr__(self) -> str:
        """Name the space, and count."""
        return f"Similarities({self.source}, {self.space}: {len(self.expressions):,} expressions)"

    def _repr_html_(self) -> str:
        """Draw a table for a notebook; every text is escaped."""
        names = [escape(display(expression)) for expression in self.expressions]
        heads = "".join(f"<th>{name}</th>" for name in names)
        rows = "".join(
            f"<tr><th>{name}</th>{''.join(f'<td>{value:.4f}</td>' for value in values)}</tr>"
            for name, values in zip(names, self.values_NN.tolist(), strict=True)
        )
        return (
            f"<table><caption>{escape(display(self.source))} · {escape(self.measure)} · "
            f"{escape(self.space)}</caption><tr><th></th>{heads}</tr>{rows}</table>"
        )


def similarities(
    head: Unembedding, queries: Sequence[Query], **options: Unpack[Composition]
) -> Similarities:
    """Give the cosine of each of some concepts with each other.

    Each is what `concept.similarity` gives, to the last bit; on the diagonal is 1.

    Parameters
    ----------
    head : Unembedding
        Whose tokens.
    queries : sequence
        2 to 2,000, as `nearest` takes them.
    **options
        Those of `Composition`.

    Raises
    ------
    UsageError
        They are too few or too many, a query or an option is wrong, or a concept is zero.

    Examples
    --------
    >>> import unembed
    >>> found = similarities(unembed.open_head("demo"), ["sea", "sea", "-sea"], space="cosine")
    >>> found.values_NN.round(9).tolist()
    [[1.0, 1.0, -1.0], [1.0, 1.0, -1.0], [-1.0, -1.0, 1.0]]
    """
    if not isinstance(queries, str) and not 2 <= len(queries) <= MOST:
        raise UsageError(
            f"{len(queries):,} given; 2 to {MOST:,} expressions are compared with each other"
            + ("; nearest finds what is near to one" if len(queries) == 1 else "")
        )
    concepts = list(composed(head, queries, **options))
    units_ND = np.array([concept.unit().vector_D for concept in concepts])
    values_NN = _cosines(units_ND, step_of(options.get("progress"), "comparing"))
    values_NN.flags.writeable = False
    return Similarities(
        source=head.source,
        space=concepts[0].space.name,
        measure="cosine",
        expressions=tuple(concept.expression for concept in concepts),
        resolved=tuple(concept.resolved for concept in concepts),
        values_NN=values_NN,
    )


def _cosines(units_ND: NDArray[np.float64], done: Done) -> NDArray[np.float64]:
    """Multiply unit vectors, each with those after it.

    Products are summed row by row, as for two vectors alone: a matrix product would sum them in an
    order of its own.
    """
    count, width = units_ND.shape
    values_NN = np.eye(count)
    step = max(1, _BLOCK_VALUES // width)
    for place in range(count - 1):
        for start in range(place + 1, count, step):
            others = slice(start, start + step)
            products_ND = units_ND[place] * units_ND[others]
            values_NN[place, others] = products_ND.sum(axis=1).clip(-1.0, 1.0)
        values_NN[place + 1 :, place] = values_NN[place, place + 1 :]
        done(place + 2, count)
    return values_NN
