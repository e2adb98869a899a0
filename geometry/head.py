"""The head as users hold it: an unembedding and the questions that it answers."""

from collections.abc import Sequence
from pathlib import Path
from typing import Unpack

import numpy as np
from numpy.typing import NDArray

from ..indexes.progress import Progress
from .answer import Neighbours
from .concepts.concept import Concept, similarity
from .heads.unembedding import Unembedding
from .info import Info, describe
from .neighbours import Options, Query, as_concept, nearest
from .space import DEFAULT_SPACE, open_space

# Rows of width D.


class Head(Unembedding):
    """A model's last matrix and the questions that can be asked of it.

    Examples
    --------
    >>> import unembed
    >>> head = unembed.open_head("demo")
    >>> head
    Head('demo', model.embed_tokens.weight, 262,144 x 640 BF16, tied)
    >>> head.nearest("king - man + woman", top=1).neighbours[0].text
    ' queen'
    """

    def nearest(self, query: Query, **options: Unpack[Options]) -> Neighbours:
        """Find the tokens that lie closest to a concept, exactly.

        Parameters
        ----------
        query : str, Concept, array_like or sequence of (key, weight)
            An expression; a concept; a residual of shape (D,), which is what meets the rows, after
            the final norm; or weighted keys as gensim takes them, each a name, a token id or a
            residual.
        **options
            Those of `Options`: ``space``, ``score``, ``region``, ``exclude_region``, ``top``,
            ``keep_inputs``, ``pieces``, ``fold_norm``, ``residual_norm``, ``temperature``,
            ``track``, ``progress``.

        Returns
        -------
        Neighbours
            By descending score, equal scores by ascending id; without the tokens that the query
            names.

        Raises
        ------
        UsageError
            The query or an option is wrong.

        Examples
        --------
        >>> import unembed
        >>> head = unembed.open_head("demo")
        >>> [near.text for near in head.nearest("sea + horse", region="emoji", top=3).neighbours]
        ['🐎', '🐴', '🏇']
        """
        return nearest(self, [query], **options)[0]

    def nearest_each(
        self, queries: Sequence[Query], **options: Unpack[Options]
    ) -> list[Neighbours]:
        """Answer several queries in one pass, as `nearest` answers one.

        Examples
        --------
        >>> import unembed
        >>> head = unembed.open_head("demo")
        >>> [near.snap.token for near in head.nearest_each(["sea", "horse"])]
        ['▁sea', '▁horse']
        """
        return nearest(self, queries, **options)

    def concept(
        self,
        query: Query,
        *,
        space: str = DEFAULT_SPACE,
        pieces: str = "mean",
        fold_norm: bool = False,
    ) -> Concept:
        """Compose a concept, which can be added to others and asked about.

        Parameters
        ----------
        query : str, Concept, array_like or sequence of (key, weight)
            As in `nearest`.
        space, pieces, fold_norm
            As in `nearest`.

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
        geometry = open_space(self, space, fold_norm=fold_norm)
        return as_concept(self, query, geometry, pieces=pieces)

    def vector(
        self,
        query: Query,
        *,
        space: str = DEFAULT_SPACE,
        pieces: str = "mean",
        fold_norm: bool = False,
    ) -> NDArray[np.float64]:
        """Give the residual of norm 1 that stands for a concept: asking with it asks the same.

        In the causal space it is Σ⁻¹v/‖Σ⁻¹v‖ for a concept at v from the mean row; in the others
        v/‖v‖.

        Parameters
        ----------
        query, space, pieces, fold_norm
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
        concept = self.concept(query, space=space, pieces=pieces, fold_norm=fold_norm)
        return concept.residual()

    def similarity(
        self,
        one: Query,
        other: Query,
        *,
        space: str = DEFAULT_SPACE,
        pieces: str = "mean",
        fold_norm: bool = False,
    ) -> float:
        """Give the cosine of the angle between two concepts in a space.

        Parameters
        ----------
        one, other : str, Concept, array_like or sequence of (key, weight)
            As in `nearest`.
        space, pieces, fold_norm
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
        geometry = open_space(self, space, fold_norm=fold_norm)
        first = as_concept(self, one, geometry, pieces=pieces)
        return similarity(first, as_concept(self, other, geometry, pieces=pieces))

    def info(self) -> Info:
        """Say what was found in the source.

        Examples
        --------
        >>> import unembed
        >>> unembed.open_head("demo").info().shape
        (262144, 640)
        """
        return describe(self)


def open_head(
    source: str | Path,
    *,
    tensor: str | None = None,
    tokenizer: str | Path | None = None,
    revision: str | None = None,
    progress: Progress | None = None,
) -> Head:
    """Open the head of a checkpoint. Its rows are mapped; nothing else of the model is read.

    Parameters
    ----------
    source : str or Path
        A checkpoint directory, with ``config.json``, ``tokenizer.json`` and its weights in one
        ``model.safetensors`` or in several with their index; a ``.safetensors`` file; or, as a
        `str`, a demo: ``demo`` (Gemma 3 270M) or ``demo-bytes`` (the decoder of Whisper base),
        which are converted on first use from packages of the ``[demo]`` extra. A directory of such
        a name is given as ``./demo``.
    tensor : str, optional
        The matrix to open, where the head cannot be told from the names or another is wanted.
    tokenizer : str or Path, optional
        The ``tokenizer.json``; the one beside the weights where it is None.
    revision : str, optional
        Revisions are of a model hub; a local source refuses one.
    progress : callable, optional
        Is told ``(step, done, total)`` while a demo is converted.

    Returns
    -------
    Head

    Raises
    ------
    UsageError
        Several tensors could be the head, or a local source was asked for a revision.
    SourceError
        The checkpoint or its tokenizer is missing or damaged, or holds no head.
    MissingExtraError
        A demo was asked for and its packages are not installed.
    ConversionError
        A demo could not be converted: the disk is full, the pieces are damaged.

    Examples
    --------
    >>> import unembed
    >>> unembed.open_head("demo-bytes")
    Head('demo-bytes', model.decoder.embed_tokens.weight, 51,865 x 512 F16, tied)
    """
    return Head.open(
        source, tensor=tensor, tokenizer=tokenizer, revision=revision, progress=progress
    )
