"""A head as a source of vectors: composed, compared, given away as files."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Unpack

import numpy as np
from numpy.typing import NDArray

from .concepts.compose import Composition, composer_of
from .concepts.concept import Concept, similarity
from .heads.unembedding import Unembedding
from .neighbours import Query, as_concept

if TYPE_CHECKING:
    from .exporting.export import Exported, ExportOptions
    from .similarities import Similarities

# Rows of width D.


class HeadVectors(Unembedding):
    """What concepts are on a head, as vectors.

    Examples
    --------
    >>> import unembed
    >>> unembed.open_head("demo").vector("sea").shape
    (640,)
    """

    def concept(
        self,
        query: Query,
        **options: Unpack[Composition],
    ) -> Concept:
        """Compose a concept, which can be added to others and asked about.

        Parameters
        ----------
        query : str, Concept, array_like or sequence of (key, weight)
            As in `nearest`.
        **options
            Those of `Composition`: ``space``, ``pieces``, ``directions``, ``estimator``,
            ``fold_norm``, ``progress``.

        Raises
        ------
        UsageError
            The query or an option is wrong.

        Examples
        --------
        >>> import unembed
        >>> head = unembed.open_head("demo")
        >>> head.nearest(head.concept("sea") + head.concept("horse")).expression
        'sea + horse'
        """
        return as_concept(composer_of(self, **options), query)

    def vector(
        self,
        query: Query,
        **options: Unpack[Composition],
    ) -> NDArray[np.float64]:
        """Give the residual of norm 1 that stands for a concept: asking with it asks the same.

        In the causal space it is Σ⁻¹v/‖Σ⁻¹v‖ for a concept at v from the mean row; in the others
        v/‖v‖.

        Parameters
        ----------
        query, **options
            As in `concept`.

        Returns
        -------
        ndarray of float64
            Shape (D,).

        Raises
        ------
        UsageError
            The query or an option is wrong, or the concept is zero.

        Examples
        --------
        >>> import unembed
        >>> head = unembed.open_head("demo")
        >>> vector_D = head.vector("sea + horse")
        >>> head.nearest(vector_D, top=2).neighbours[0].text  # it names no token: none is left out
        ' sea'
        """
        return self.concept(query, **options).residual()

    def similarity(
        self,
        one: Query,
        other: Query,
        **options: Unpack[Composition],
    ) -> float:
        """Give the cosine of the angle between two concepts in a space.

        Parameters
        ----------
        one, other : str, Concept, array_like or sequence of (key, weight)
            As in `nearest`.
        **options
            As in `concept`.

        Raises
        ------
        UsageError
            A query or an option is wrong, or a concept is zero.

        Examples
        --------
        >>> import unembed
        >>> head = unembed.open_head("demo")
        >>> head.similarity("sea", "ocean") > head.similarity("sea", "horse")
        True
        """
        composer = composer_of(self, **options)
        return similarity(as_concept(composer, one), as_concept(composer, other))

    def similarities(
        self, queries: Sequence[Query], **options: Unpack[Composition]
    ) -> "Similarities":
        """Give the cosine of each of some concepts with each other, as `similarity` gives one.

        Parameters
        ----------
        queries : sequence
            2 to 2,000, each as in `nearest`.
        **options
            As in `concept`.

        Raises
        ------
        UsageError
            As in `similarity`, or they are too few or too many.

        Examples
        --------
        >>> import unembed
        >>> unembed.open_head("demo").similarities(["sea", "ocean", "horse"])
        Similarities(demo, causal: 3 expressions)
        """
        from .similarities import similarities  # a query needs none of it

        return similarities(self, queries, **options)

    def export(
        self,
        path: str | Path,
        queries: Sequence[Query] | None = None,
        **options: "Unpack[ExportOptions]",
    ) -> "Exported":
        """Write vectors to a file: the rows of tokens, or what expressions come to.

        Parameters
        ----------
        path : str or Path
            ``.npy``, ``.safetensors``, ``.parquet``; or word2vec's text, ``.txt`` and ``.vec``, and
            binary, ``.bin``. What was there is replaced once all is written.
        queries : sequence, optional
            Each as in `nearest`. The rows of a region where it is None.
        **options
            Those of `ExportOptions`: ``region``, ``exclude_region``, ``unit``, ``residual``; and
            of `Composition`. Without a ``space`` rows are written as they are stored, and
            concepts as they are composed in the causal one.

        Raises
        ------
        UsageError
            An option or an expression is wrong, or the file cannot be written.
        CheckpointError
            A row holds NaN or infinity.

        Examples
        --------
        >>> import tempfile, unembed
        >>> path = Path(tempfile.mkdtemp(), "emoji.vec")
        >>> unembed.open_head("demo").export(path, region="emoji").shape
        (990, 640)
        """
        from .exporting.export import export  # a query needs none of it

        return export(self, path, queries, **options)
