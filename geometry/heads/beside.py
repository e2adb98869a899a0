"""The tokenizer that goes with a head."""

from pathlib import Path

from ...errors import RemoteError
from ..remote.mirror import Mirror
from ..tokens.other_files import (
    CONFIG,
    MERGES,
    OTHERS,
    TOKENIZER,
    as_tokenizer_json,
    tokenizer_beside,
)
from ..tokens.tokenizer import TOKENIZER_LIMIT


def tokenizer_of(place: Path | Mirror) -> Path:
    """Find the tokenizer in a directory or a mirror, and give it as a ``tokenizer.json``.

    Parameters
    ----------
    place : Path or Mirror
        A directory, or what gives the files of a remote checkpoint.

    Returns
    -------
    Path
        Where a directory has none, that of the ``tokenizer.json`` that it lacks.

    Raises
    ------
    RemoteError
        The host has none, or it cannot be read.
    VocabularyError
        It is of another kind, and damaged.

    Examples
    --------
    >>> import unembed
    >>> tokenizer_of(unembed.open_head("demo").path.parent).name
    'tokenizer.json'
    """
    if isinstance(place, Path):
        return as_tokenizer_json(tokenizer_beside(place))
    for name in (TOKENIZER, *OTHERS):
        path = place.small(name, limit=TOKENIZER_LIMIT)
        if path is not None:
            for other in () if name == TOKENIZER else (CONFIG, MERGES):
                place.small(other, limit=TOKENIZER_LIMIT)
            return as_tokenizer_json(path)
    raise RemoteError(
        f"{place.host.url(TOKENIZER)}: the host has no such file, nor {', '.join(OTHERS)}; give "
        "--tokenizer FILE"
    )
