"""Tokenizers that are no ``tokenizer.json``: found, read, and kept as one."""

import base64
import binascii
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ...errors import CheckpointError, VocabularyError
from ...indexes.jsonfile import read_json
from ...indexes.store import atomic_path, cache_directory
from ...indexes.tensors import fingerprint
from .pieces import of_bytes, of_pieces, of_ranks, with_added
from .sentencepiece import read_pieces

TOKENIZER = "tokenizer.json"
OTHERS = ("tokenizer.model", "spiece.model", "sentencepiece.bpe.model", "vocab.json")
MERGES = "merges.txt"
CONFIG = "tokenizer_config.json"
PLACE = "tokenizers"  # in the cache directory
_FORMAT = 1  # of what is written: a change of how raises it
_LIMIT = 256 << 20  # bytes
_CONFIG_LIMIT = 16 << 20
_RANK = re.compile(rb"([A-Za-z0-9+/]+={0,2}) ([0-9]{1,8})")
_SUFFIXES = {".model", ".tiktoken"}


def tokenizer_beside(directory: Path) -> Path:
    """Give the tokenizer of a directory: ``tokenizer.json``, or the first other that is known.

    Where there is none, it is where ``tokenizer.json`` would be.

    Examples
    --------
    >>> import unembed
    >>> tokenizer_beside(unembed.open_head("demo").path.parent).name
    'tokenizer.json'
    """
    names = [TOKENIZER, *OTHERS]
    names += sorted(path.name for path in directory.glob("*.tiktoken"))
    found = (directory / name for name in names)
    return next((path for path in found if path.is_file()), directory / TOKENIZER)


def as_tokenizer_json(path: Path) -> Path:
    r"""Give a tokenizer as a ``tokenizer.json``: the file itself, or what is made of it, kept.

    Parameters
    ----------
    path : Path
        A ``tokenizer.json``; a SentencePiece ``.model``; a ``.tiktoken`` file, or a ``.model`` that
        is one; a ``vocab.json`` with ``merges.txt`` beside it. Of the last three, the tokens of
        ``added_tokens_decoder`` in a ``tokenizer_config.json`` beside them are added.

    Raises
    ------
    VocabularyError
        The file is missing, too large or damaged.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp(), "a.tiktoken")
    >>> _ = path.write_bytes(b"IA== 0\ncw== 1\nIHM= 2\n")
    >>> json.loads(as_tokenizer_json(path).read_text())["model"]["vocab"]
    {'Ġ': 0, 's': 1, 'Ġs': 2}
    """
    pairs = path.name == OTHERS[-1]
    if path.suffix not in _SUFFIXES and not pairs:
        return path
    beside = [path.parent / CONFIG, *([path.parent / MERGES] if pairs else [])]
    try:
        read = [path, *(other for other in beside if other.is_file())]
        key = "-".join([str(_FORMAT), *(fingerprint(other)[:16] for other in read)])
        made = cache_directory() / PLACE / f"{key}.json"
        if not made.is_file():
            content = with_added(_content(path), _added(path.parent / CONFIG))
            with atomic_path(made) as temporary:
                temporary.write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")
    except CheckpointError as error:
        raise VocabularyError(f"the head's tokenizer is needed: {error}") from error
    except (OSError, ValueError, RecursionError) as error:
        raise VocabularyError(f"{path}: not a tokenizer that can be read: {error}") from error
    return made


def _content(path: Path) -> dict[str, Any]:
    """Read a tokenizer as the content of a ``tokenizer.json``."""
    if path.name == OTHERS[-1]:
        ids = read_json(path, limit=_LIMIT)
        if not all(type(id_) is int for id_ in ids.values()):
            raise ValueError("an object from tokens to ids is expected")
        return of_bytes(ids, list(_merges(path.parent / MERGES)))
    data = _bytes(path)
    if _RANK.match(data):
        return of_ranks(dict(_ranks(data)))
    return of_pieces(read_pieces(data))


def _bytes(path: Path) -> bytes:
    """Read a file of bounded size."""
    size = path.stat().st_size
    if size > _LIMIT:
        raise ValueError(f"{size:,} bytes; at most {_LIMIT:,} are read")
    return path.read_bytes()


def _ranks(data: bytes) -> Iterator[tuple[bytes, int]]:
    """Read the lines of a tiktoken file: a token in base64 and its rank."""
    for number, line in enumerate(data.splitlines(), start=1):
        found = _RANK.fullmatch(line)
        if found is None and line:
            raise ValueError(f"line {number}: a token in base64 and its rank are expected")
        if found is not None:
            try:
                yield base64.b64decode(found[1], validate=True), int(found[2])
            except binascii.Error as error:
                raise ValueError(f"line {number}: {error}") from error


def _merges(path: Path) -> Iterator[list[str]]:
    """Read the lines of a merges.txt: two tokens each; the first may be a comment."""
    for number, line in enumerate(_bytes(path).decode("utf-8").split("\n"), start=1):
        if not line.strip() or (number == 1 and line.startswith("#version")):
            continue
        pair = line.rstrip("\r").split(" ")
        if len(pair) != 2:
            raise ValueError(f"{path.name}, line {number}: two tokens are expected")
        yield pair


def _added(path: Path) -> Iterator[tuple[int, str, bool]]:
    """Give the tokens that a configuration adds."""
    if not path.is_file():
        return
    entries = read_json(path, limit=_CONFIG_LIMIT).get("added_tokens_decoder", {})
    for id_, entry in (entries if isinstance(entries, dict) else {}).items():
        content = entry.get("content") if isinstance(entry, Mapping) else None
        if not id_.isascii() or not id_.isdigit() or len(id_) > 9 or not isinstance(content, str):
            raise ValueError(f"{path.name}: added_tokens_decoder has an entry that is no token")
        yield int(id_), content, entry.get("special") is True
