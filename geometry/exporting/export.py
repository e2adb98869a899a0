"""The question: rows or concepts to a file, whole or not at all."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from ...errors import UsageError
from ...indexes.progress import Progress
from ...indexes.tensors import is_file
from ..answer import SCHEMA
from ..concepts.compose import Composition, Given
from ..concepts.phrase import DEFAULT_PIECES
from ..endings import check_ending, write_by_ending
from ..heads.unembedding import Unembedding
from ..neighbours import Query, composed
from ..region import RegionLike, find_region
from ..space import DEFAULT_SPACE, check_space, open_space
from ..storage import check_writable
from .vectors import Vectors, check_count, concepts_of, rows_of
from .words import words_of
from .writers import write_array, write_binary, write_parquet, write_tensors, write_text

_ARRAY, _WORDS = ".npy", ".txt"
_WITH_WORDS = {_WORDS: write_text, ".vec": write_text, ".bin": write_binary}
_WITH_NAMES = {".safetensors": write_tensors, ".parquet": write_parquet}
_ENDINGS = (_ARRAY, *_WITH_NAMES, *_WITH_WORDS)
_WHAT = "file of vectors"
_log = logging.getLogger("unembed")


class ExportOptions(Composition, total=False):
    """What can be asked of an export, beside how concepts are composed.

    Attributes
    ----------
    region, exclude_region : str, sequence of int or None
        The tokens whose rows are written, as `find_region` takes them; None for all and nothing.
    unit : bool
        Make vectors of norm 1.
    residual : bool
        In place of concepts write the residuals of norm 1 that stand for them, as `Head.vector`.

    Examples
    --------
    >>> import tempfile, unembed
    >>> options: ExportOptions = {"region": "emoji", "space": "centred", "unit": True}
    >>> path = Path(tempfile.mkdtemp(), "emoji.parquet")
    >>> unembed.open_head("demo").export(path, **options).shape
    (990, 640)
    """

    region: RegionLike
    exclude_region: RegionLike
    unit: bool
    residual: bool


@dataclass(frozen=True)
class Exported:
    """What was written.

    Attributes
    ----------
    paths : tuple of Path
        The file, and the one with the words of an array.
    shape : (int, int)
        How many vectors, and how wide.
    respelled : int
        How many names are spelled otherwise, as in `words_of`.

    Examples
    --------
    >>> import tempfile, unembed
    >>> path = Path(tempfile.mkdtemp(), "sea.npy")
    >>> found = unembed.open_head("demo").export(path, ["sea", "sea + horse"])
    >>> [path.name for path in found.paths], found.shape, found.respelled
    (['sea.npy', 'sea.txt'], (2, 640), 1)
    """

    paths: tuple[Path, ...]
    shape: tuple[int, int]
    respelled: int


def check_export_path(path: Path) -> None:
    """Refuse a path that no vectors can be written to, before long work.

    Raises
    ------
    UsageError
        The ending is unknown, the place cannot be written to, where an array's words go lies
        another file, or there lie the words of another array.

    Examples
    --------
    >>> check_export_path(Path("sea.vec"))
    """
    check_ending(path, _ENDINGS, what=_WHAT)
    check_writable(str(path))
    array, words = path.with_suffix(_ARRAY), path.with_suffix(_WORDS)
    if path == words and words.exists() and array.exists():
        raise UsageError(f"{path}: holds the words of {array.name}; name another file")
    if path == array:
        if words.exists() and not array.exists():
            raise UsageError(
                f"{path}: its words go to {words.name}, which is there already; move that, or name "
                "another file"
            )
        check_writable(str(words))


def export(
    head: Unembedding,
    path: str | Path,
    queries: Sequence[Query] | None = None,
    *,
    region: RegionLike = None,
    exclude_region: RegionLike = None,
    space: str | None = None,
    unit: bool = False,
    residual: bool = False,
    pieces: str = DEFAULT_PIECES,
    directions: Given = None,
    estimator: str | None = None,
    fold_norm: bool = False,
    progress: Progress | None = None,
) -> Exported:
    """Write the rows of tokens, or what concepts come to, to a file.

    Values are float32: exact for rows of bfloat16, float16 and float32. What was there is replaced
    once all is written; the same vectors come as the same bytes.

    Parameters
    ----------
    head : Unembedding
        Whose tokens.
    path : str or Path
        ``.npy``: an array, its words in a ``.txt`` of the same name; ``.safetensors``;
        ``.parquet``; or word2vec's text, ``.txt`` and ``.vec``, and binary, ``.bin``.
    queries : sequence, optional
        As `nearest` takes them. The rows of a region where it is None.
    space : str or None
        Where it is None, rows are as they are stored, and concepts in the causal space.
    region, exclude_region, unit, residual, pieces, directions, estimator, fold_norm, progress
        As in `ExportOptions`.

    Raises
    ------
    UsageError
        An option or a query is wrong, or the file cannot be written.
    CheckpointError
        A row holds NaN, infinity or what is beyond float32.

    Examples
    --------
    >>> import tempfile, unembed
    >>> head, path = unembed.open_head("demo"), Path(tempfile.mkdtemp(), "sea.bin")
    >>> export(head, path, ["sea + horse"], residual=True).shape
    (1, 640)
    """
    path = Path(path)
    check_export_path(path)
    for own in (head.path, Path(head.source)):
        if is_file(own) and is_file(path) and own.samefile(path):
            raise UsageError(f"{path}: the head is read from it; name another file")
    about: dict[str, object] = {"schema": SCHEMA, "source": head.source, "tensor": head.tensor}
    if queries is None:
        _check_unasked(residual=residual, composed=(pieces, directions, estimator))
        space = None if space is None else check_space(space)
        chosen, geometry = find_region(head, region, exclude=exclude_region), None
        if space is not None or fold_norm:
            # In the logit space rows lie as they are.
            asked = "logit" if space is None else space
            geometry = open_space(head, asked, fold_norm=fold_norm, progress=progress)
        vectors = rows_of(head, chosen.ids_N, space=geometry, unit=unit, progress=progress)
        about |= {"region": chosen.name, "space": space}
    else:
        if region is not None or exclude_region is not None:
            raise UsageError("a region is of rows; leave it out, or the expressions")
        shape = (len(queries), head.rows.width)
        check_count(*shape)
        space = check_space(DEFAULT_SPACE if space is None else space)
        about["space"] = space
        concepts = composed(
            head,
            queries,
            space=space,
            pieces=pieces,
            directions=directions,
            estimator=estimator,
            fold_norm=fold_norm,
            progress=progress,
        )
        vectors = concepts_of(concepts, shape, unit=unit, residual=residual, progress=progress)
    about |= {"folded": fold_norm, "unit": unit, "residual": residual}
    return _written(path, vectors, about)


def _check_unasked(*, residual: bool, composed: tuple[object, ...]) -> None:
    """Refuse what only concepts have."""
    if residual:
        raise UsageError("residuals stand for concepts; give expressions, or leave it out")
    if composed != (DEFAULT_PIECES, None, None):
        raise UsageError(
            "pieces, directions and estimator say how expressions are composed; give some, or "
            "leave them out"
        )


def _written(path: Path, vectors: Vectors, about: dict[str, object]) -> Exported:
    """Write vectors with the writer of the ending."""
    if path.suffix in _WITH_NAMES:
        write = _WITH_NAMES[path.suffix]
        _write(path, lambda file: write(file, vectors, about))
        return Exported((path,), vectors.shape, 0)
    words, respelled = words_of(vectors.names, vectors.marks)
    if path.suffix in _WITH_WORDS:
        write_with = _WITH_WORDS[path.suffix]
        _write(path, lambda file: write_with(file, vectors, words))
        paths: tuple[Path, ...] = (path,)
    else:
        paths = (path, path.with_suffix(_WORDS))

        def both(file: IO[bytes]) -> None:
            """Write the array, then its words: they are renamed one after the other, at the end."""
            write_array(file, vectors)
            _write(paths[1], lambda other: other.write("".join(map("{}\n".format, words)).encode()))

        _write(path, both)
    if respelled:
        _log.warning(
            "%s: %s of %s names are spelled otherwise, as words have no white space and differ; "
            ".safetensors and .parquet hold them as they are",
            paths[-1],
            f"{respelled:,}",
            f"{len(words):,}",
        )
    return Exported(paths, vectors.shape, respelled)


def _write(path: Path, writer: Callable[[IO[bytes]], object]) -> None:
    """Write a file, whole or not at all."""
    write_by_ending(path, {path.suffix: writer}, what=_WHAT)
