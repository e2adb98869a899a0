"""Opening: from what a user names to a head that answers questions."""

from pathlib import Path

from ..indexes.progress import Progress
from .head import Head


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
        ``model.safetensors`` or in several with their index; a ``.safetensors`` file; a ``.gguf``
        file (the extra ``gguf``) or word vectors, of which a checkpoint is made in the cache; or,
        as a `str`, a demo: ``demo`` (Gemma 3 270M) or ``demo-bytes`` (the decoder of Whisper
        base), which are converted on first use from packages of the ``[demo]`` extra; or what
        another host has: ``organisation/model`` of a hub, ``hf://organisation/model``,
        ``https://…/model.safetensors``, of which only the head is fetched. A directory of such a
        name is given as ``./demo``.
    tensor : str, optional
        The matrix to open, where the head cannot be told from the names or another is wanted;
        or a pattern with ``*`` of several that are joined.
    tokenizer : str or Path, optional
        A ``tokenizer.json``, SentencePiece ``.model``, ``.tiktoken`` or ``vocab.json`` with
        ``merges.txt``; the one beside the weights where it is None.
    revision : str, optional
        A branch, tag or commit of a model of a hub; a local source refuses one.
    progress : callable, optional
        Is told ``(step, done, total)`` while a demo is converted or a head is fetched.

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
    RemoteError
        A host does not give what is asked of it.

    Examples
    --------
    >>> import unembed
    >>> unembed.open_head("demo-bytes")
    Head('demo-bytes', model.decoder.embed_tokens.weight, 51,865 x 512 F16, tied)
    """
    return Head.open(
        source, tensor=tensor, tokenizer=tokenizer, revision=revision, progress=progress
    )
