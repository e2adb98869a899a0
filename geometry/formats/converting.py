"""Files of other programs as checkpoints: in the cache, or where the user says."""

from pathlib import Path

from ...errors import ConversionError, UsageError
from ...indexes.making import whole_directory
from ...indexes.progress import Progress
from ...indexes.store import cache_directory
from ...indexes.tensors import fingerprint
from .gguf_head import SUFFIX, convert_gguf
from .word_vectors import ARRAY, BINARY, TEXTS, convert_vectors

PLACE = "converted"  # in the cache directory
_FORMAT = 1  # of what is written: a change of how raises it
_CONVERTERS = {SUFFIX: convert_gguf, **dict.fromkeys((*TEXTS, BINARY, ARRAY), convert_vectors)}


def is_foreign(path: Path) -> bool:
    """Tell whether a source is a file that has to be converted.

    Examples
    --------
    >>> is_foreign(Path("model.gguf")), is_foreign(Path("model.safetensors"))
    (True, False)
    """
    return path.suffix in _CONVERTERS


def converted(path: Path, *, progress: Progress | None = None) -> Path:
    """Give the checkpoint of a file, made in the cache the first time.

    Raises
    ------
    MissingExtraError, CheckpointError, VocabularyError
        As `convert_gguf` and `convert_vectors`.
    ConversionError
        The cache cannot be written.

    Examples
    --------
    >>> converted(Path("no.gguf"))
    Traceback (most recent call last):
    unembed.errors.CheckpointError: no.gguf: not readable: [Errno 2] No such file or directory: ...
    """
    key = fingerprint(path)[:24]
    words = path.with_suffix(TEXTS[0])
    if path.suffix == ARRAY and words.is_file():
        key = f"{key}-{fingerprint(words)[:24]}"
    place = cache_directory() / PLACE / f"{key}-{_FORMAT}"
    _make(path, place, progress)
    return place


def convert(path: Path, directory: Path, *, progress: Progress | None = None) -> None:
    """Make a checkpoint of a file; the directory must not be there.

    Parameters
    ----------
    path : Path
        A GGUF file, or word vectors as `convert_vectors` reads them.
    directory : Path
        Where to.
    progress : callable, optional
        Is told ``(step, done, total)``.

    Raises
    ------
    UsageError
        The file is of no kind that is known, or the directory is there already.
    MissingExtraError, CheckpointError, VocabularyError
        As `convert_gguf` and `convert_vectors`.
    ConversionError
        The directory cannot be written.

    Examples
    --------
    >>> convert(Path("model.pt"), Path("made"))
    Traceback (most recent call last):
    unembed.errors.UsageError: model.pt: .gguf, .txt, .vec, .bin or .npy is converted
    """
    if not is_foreign(path):
        *others, last = _CONVERTERS
        raise UsageError(f"{path}: {', '.join(others)} or {last} is converted")
    if directory.exists():
        raise UsageError(f"{directory}: it is there already; name a directory that is not")
    _make(path, directory, progress)


def _make(path: Path, directory: Path, progress: Progress | None) -> None:
    """Make a checkpoint; it is whole or not there."""
    try:
        whole_directory(
            directory, lambda made: _CONVERTERS[path.suffix](path, made, progress=progress)
        )
    except OSError as error:
        raise ConversionError(f"{directory}: cannot be written: {error}") from error
