"""The head: the last matrix of a language model, opened where it lies."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...indexes.faiss import MappedIndex
from ...indexes.rows import Rows
from ...indexes.store import Arrays, Store, cache_directory
from ...indexes.tensors import fingerprint
from .checkpoint import find_head
from .demo import DEMOS, Progress, demo_directory
from .vocabulary import TOKENIZER, Vocabulary

# V tokens, rows of width D.


@dataclass(frozen=True, eq=False, repr=False)
class Head:
    """The unembedding of one model: a row for each token, memory-mapped.

    Attributes
    ----------
    source : str
        What the user named.
    path : Path
        The safetensors file.
    tensor : str
        The tensor's name in it.
    tied : bool
        Whether the tensor is the input embedding, used as the head too.
    rows : Rows
        V rows of width D, in the checkpoint's own type.
    vocabulary : Vocabulary
        The V tokens.
    store : Store
        Where what is derived from the head is kept.

    Examples
    --------
    >>> import unembed
    >>> unembed.open_head("demo")
    Head('demo', model.embed_tokens.weight, 262,144 x 640 BF16, tied)
    """

    source: str
    path: Path
    tensor: str
    tied: bool
    rows: Rows
    vocabulary: Vocabulary
    store: Store

    @cached_property
    def norms_V(self) -> NDArray[np.float64]:
        """The Euclidean norm of every row, ``float64`` of shape (V,); kept in the store."""
        key = repr((fingerprint(self.path), self.tensor))
        kept = self.store.arrays(
            "norms", key, lambda: {"norms": self.rows.norms()}, lambda kept: _fits(kept, self.rows)
        )
        return kept["norms"]

    @cached_property
    def index(self) -> MappedIndex:
        """FAISS over the rows in place."""
        return MappedIndex(self.rows)

    def __repr__(self) -> str:
        """Name the tensor, its shape and type."""
        shape = f"{self.rows.count:,} x {self.rows.width:,} {self.rows.dtype}"
        tied = ", tied" if self.tied else ""
        return f"Head({self.source!r}, {self.tensor}, {shape}{tied})"


def open_head(source: str | Path, *, progress: Progress | None = None) -> Head:
    """Open the head of a checkpoint. Its rows are mapped; nothing else of the model is read.

    Parameters
    ----------
    source : str or Path
        A checkpoint directory with ``config.json``, ``tokenizer.json`` and one
        ``model.safetensors``; or ``demo`` (Gemma 3 270M) or ``demo-bytes`` (the decoder of
        Whisper base), which are converted on first use from packages of the ``[demo]`` extra.
        A directory of such a name is given as ``./demo``.
    progress : callable, optional
        Is told ``(step, done, total)`` while a demo is converted.

    Returns
    -------
    Head

    Raises
    ------
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
    name = str(source)
    cache = cache_directory()
    directory = demo_directory(name, cache, progress=progress) if name in DEMOS else Path(source)
    found = find_head(directory)
    store = Store(cache / "derived")
    return Head(
        source=name,
        path=found.path,
        tensor=found.name,
        tied=found.tied,
        rows=found.rows,
        vocabulary=Vocabulary.open(directory / TOKENIZER, rows=found.rows.count, store=store),
        store=store,
    )


def _fits(kept: Arrays, rows: Rows) -> bool:
    """Tell whether kept norms are one finite number a row."""
    norms = kept.get("norms")
    return (
        norms is not None
        and norms.dtype == np.float64
        and norms.shape == (rows.count,)
        and bool(np.all(np.isfinite(norms) & (norms >= 0)))
    )
