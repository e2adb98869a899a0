"""What is exported: names and vectors, a block at a time."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...errors import CheckpointError, UsageError
from ...indexes.progress import Progress, step_of
from ...indexes.rows import united
from ..concepts.concept import Concept
from ..heads.unembedding import Unembedding
from ..space import Space

# N vectors of width D.

Block = tuple[slice, NDArray[np.float32]]
_LIMIT = 1 << 30  # bytes of concepts, which are held until they are written
_BLOCK_ROWS = 512


@dataclass(frozen=True, eq=False)
class Vectors:
    """N named vectors, which can be taken once.

    Attributes
    ----------
    names : sequence of str
        Tokens as the vocabulary spells them, or expressions.
    width : int
        D.
    blocks : iterator of (slice, ndarray of float32)
        The places of some vectors, and these, in order.
    ids_N : ndarray of int64 or None
        Of tokens; None for concepts.
    texts : sequence of str or None
        What the tokens write, each None for a fragment of a character; None for concepts.

    Examples
    --------
    >>> vectors = Vectors(["sea"], 2, iter([(slice(0, 1), np.ones((1, 2), np.float32))]))
    >>> vectors.shape, vectors.marks
    ((1, 2), [1])
    """

    names: Sequence[str]
    width: int
    blocks: Iterator[Block]
    ids_N: NDArray[np.int64] | None = None
    texts: Sequence[str | None] | None = None

    @property
    def shape(self) -> tuple[int, int]:
        """N and D."""
        return len(self.names), self.width

    @property
    def marks(self) -> list[int]:
        """What tells vectors apart: ids of tokens, else places from 1."""
        return list(range(1, len(self.names) + 1)) if self.ids_N is None else self.ids_N.tolist()


def rows_of(
    head: Unembedding,
    ids_N: NDArray[np.int64],
    *,
    space: Space | None = None,
    unit: bool = False,
    progress: Progress | None = None,
) -> Vectors:
    """Give the rows of tokens.

    Parameters
    ----------
    head : Unembedding
        Whose tokens.
    ids_N : ndarray of int64
        Which.
    space : Space or None
        Where rows are placed; as they are stored where it is None.
    unit : bool
        Make them of norm 1; one that is zero stays so.
    progress : callable, optional
        Is told ``(step, done, total)``.

    Raises
    ------
    CheckpointError
        As they are taken: a row holds NaN, infinity or what is beyond float32.

    Examples
    --------
    >>> import unembed
    >>> vectors = rows_of(unembed.open_head("demo"), np.array([5442]), unit=True)
    >>> vectors.names, [places for places, _ in vectors.blocks]
    (['▁sea'], [slice(0, 1, None)])
    """
    done = step_of(progress, "writing rows")

    def blocks() -> Iterator[Block]:
        for places, block_ND in head.rows.blocks(ids_N):
            placed_ND = block_ND if space is None else space.place(block_ND)
            single_ND, bad = _single(united(placed_ND) if unit else placed_ND)
            if bad is not None:
                raise CheckpointError(
                    f"row {ids_N[places][bad]} of the head is NaN, infinite or beyond float32: the "
                    "checkpoint is damaged"
                )
            at = places.start
            yield slice(at, at + len(single_ND)), single_ND
            done(at + len(single_ND), len(ids_N))

    ids = ids_N.tolist()
    return Vectors(
        names=[head.vocabulary.token(id_) for id_ in ids],
        width=head.rows.width,
        blocks=blocks(),
        ids_N=ids_N,
        texts=[head.vocabulary.text(id_) for id_ in ids],
    )


def check_count(count: int, width: int) -> None:
    """Refuse no concepts, or more than are held at once: 1 GiB of float32.

    Raises
    ------
    UsageError
        They are too few or too many.

    Examples
    --------
    >>> check_count(400_000, 640)
    """
    most = _LIMIT // (4 * width)
    if not 1 <= count <= most:
        raise UsageError(
            f"{count:,} given; 1 to {most:,} expressions of width {width:,} are written to one file"
        )


def concepts_of(
    concepts: Iterator[Concept],
    shape: tuple[int, int],
    *,
    unit: bool = False,
    residual: bool = False,
    progress: Progress | None = None,
) -> Vectors:
    """Give the vectors of concepts, which are all composed first.

    Parameters
    ----------
    concepts : iterator of Concept
        N of them.
    shape : (int, int)
        N and D.
    unit : bool
        Make them of norm 1.
    residual : bool
        Give the residuals of norm 1 that stand for them.
    progress : callable, optional
        Is told ``(step, done, total)``.

    Raises
    ------
    UsageError
        One cannot be composed, is longer than float32 holds, or is zero and asked for at norm 1.

    Examples
    --------
    >>> import unembed
    >>> concept = unembed.open_head("demo").concept("sea + horse")
    >>> concepts_of(iter([concept]), (1, 640)).names
    ['sea + horse']
    """
    count, width = shape
    done = step_of(progress, "composing")
    names, vectors_ND = [], np.empty(shape, dtype=np.float32)
    for place, concept in enumerate(concepts):
        vector_D = (
            concept.residual() if residual else (concept.unit() if unit else concept).vector_D
        )
        vectors_ND[place : place + 1], bad = _single(vector_D[None])
        if bad is not None:
            raise UsageError(
                f"{concept!r} is longer than float32 holds; divide it, or make it of norm 1 by unit"
            )
        names.append(concept.expression)
        done(place + 1, count)
    starts = range(0, count, _BLOCK_ROWS)
    blocks = ((slice(at, at + _BLOCK_ROWS), vectors_ND[at : at + _BLOCK_ROWS]) for at in starts)
    return Vectors(names, width, blocks)


def _single(vectors_ND: NDArray[np.float64]) -> tuple[NDArray[np.float32], int | None]:
    """Round to float32; give the place of the first that is then not finite."""
    with np.errstate(invalid="ignore", over="ignore"):  # judged here
        single_ND = vectors_ND.astype(np.float32)
    if np.isfinite(single_ND).all():
        return single_ND, None
    return single_ND, int(np.flatnonzero(~np.isfinite(single_ND).all(axis=1))[0])
