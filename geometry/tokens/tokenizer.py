"""A ``tokenizer.json`` to a flat table of strings, bytes, kinds and orders."""

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from reprlib import repr as short
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import CheckpointError, VocabularyError
from ...indexes.jsonfile import is_unicode, member, objects, read_json
from ...indexes.store import Arrays
from .kinds import KINDS, MOST_LACKED, NEVER, kind_of, lacks_of
from .spelling import Spelling

# V tokens.

_log = logging.getLogger("unembed")

TOKENIZER_LIMIT = 512 << 20
_PADDING = KINDS.index("padding")
_TABLE_TYPES = {
    "strings": ("|u1", 1),
    "string_starts": ("<i8", 1),
    "written": ("|u1", 1),
    "written_starts": ("<i8", 1),
    "known": ("|b1", 1),
    "kinds": ("|u1", 1),
    "lacks": ("|u1", 1),  # int8, seen as bytes
    "by_bytes": ("<i4", 1),
    "by_string": ("<i4", 1),
    "unknown": ("<i4", 1),
}


@dataclass(frozen=True, eq=False)
class Packed:
    """V byte strings end to end, so that opening a vocabulary makes no Python objects.

    Attributes
    ----------
    data : ndarray of uint8
        All bytes.
    starts : ndarray of int64
        Shape (V + 1,): where each string begins, and the end of the last.

    Examples
    --------
    >>> list(Packed.of([b"sea", b"", b"horse"]))
    [b'sea', b'', b'horse']
    """

    data: NDArray[np.uint8]
    starts: NDArray[np.int64]

    @classmethod
    def of(cls, strings: Sequence[bytes]) -> "Packed":
        """Pack strings."""
        starts = np.zeros(len(strings) + 1, dtype=np.int64)
        np.cumsum([len(string) for string in strings], out=starts[1:])
        return cls(np.frombuffer(b"".join(strings), dtype=np.uint8), starts)

    def __len__(self) -> int:
        """Count the strings."""
        return len(self.starts) - 1

    def __getitem__(self, place: int) -> bytes:
        """Give one string."""
        return self.data[self.starts[place] : self.starts[place + 1]].tobytes()


def read_tokenizer(path: Path) -> dict[str, Any]:
    """Read a ``tokenizer.json`` of bounded size.

    Raises
    ------
    VocabularyError
        The file is missing, unreadable, too large or not a JSON object.

    Examples
    --------
    >>> import unembed
    >>> sorted(read_tokenizer(unembed.open_head("demo").vocabulary.path)["model"])[:2]
    ['byte_fallback', 'continuing_subword_prefix']
    """
    try:
        return read_json(path, limit=TOKENIZER_LIMIT)
    except CheckpointError as error:
        raise VocabularyError(str(error)) from error


def make_table(path: Path, rows: int) -> Arrays:
    """Make the flat table of a ``tokenizer.json``.

    Parameters
    ----------
    path : Path
        The file of the tokenizers library.
    rows : int
        V, the number of the head's rows.

    Returns
    -------
    mapping of str to ndarray
        ``strings`` with ``string_starts`` and ``written`` with ``written_starts`` (as in
        `Packed`); ``known`` (bool), ``kinds`` (uint8) and ``lacks`` (int8, seen as uint8) of shape
        (V,); the known ids (int32) in two orders, ``by_bytes`` and ``by_string``; ``unknown``
        (int32, shape (1,)), the id of the model's unknown token or -1.

    Raises
    ------
    VocabularyError
        The file is missing or damaged, a part of it is not as it should be (the message names the
        part), its decoder is not known, or it has no token or ids beyond the rows.

    Examples
    --------
    >>> import json, tempfile
    >>> path = Path(tempfile.mkdtemp()) / "tokenizer.json"
    >>> content = {"model": {"vocab": {"Ġsea": 0}}, "decoder": {"type": "ByteLevel"}}
    >>> _ = path.write_text(json.dumps(content))
    >>> make_table(path, 2)["written"].tobytes()
    b' sea'
    """
    content = read_tokenizer(path)
    try:
        model = member(content, "model", dict)
        own = _distinct(_model_tokens(model), "model.vocab")
        entries = objects(content, "added_tokens")
        pairs = ((entry.get("id"), entry.get("content")) for entry in entries)
        added = _distinct(pairs, "added_tokens")
        beyond = {id_ for id_ in added if id_ >= rows and id_ not in own}
        strings = own | {id_: string for id_, string in added.items() if id_ not in beyond}
        unknown = _unknown(model, strings)
        special = {entry["id"] for entry in entries if entry.get("special") is True}
        spelling = Spelling.of(content, literal=set(added.values()))
    except ValueError as error:
        raise VocabularyError(
            f"{path}: not a tokenizer of a kind that is known: {error}"
        ) from error
    if beyond:
        _log.warning(
            "%s: %d added tokens have no row, the first is %s: they are left out",
            *(path, len(beyond), short(added[min(beyond)])),
        )
    if not strings:
        raise VocabularyError(
            f"{path}: it has no token: model.vocab and added_tokens are empty; a head's tokenizer "
            "has at least one"
        )
    for id_ in (min(strings), max(strings)):
        if not 0 <= id_ < rows:
            raise VocabularyError(
                f"{path}: token id {id_:,} has no row: the head has {rows:,} rows; "
                "is this tokenizer of another model?"
            )
    table = _flat(strings, spelling, special | {unknown}, rows)
    return {**table, "unknown": np.array([unknown], dtype=np.int32)}


def fits(table: Arrays, rows: int) -> bool:
    """Tell whether a kept table is one that `make_table` could have made for this many rows.

    Examples
    --------
    >>> fits({"known": np.ones(3, dtype=bool)}, 3)
    False
    """
    types = {name: (array.dtype.str, array.ndim) for name, array in table.items()}
    if types != _TABLE_TYPES or len(table["known"]) != rows:
        return False
    kinds_V, unknown = table["kinds"], table["unknown"]
    lacks_V = table["lacks"].view(np.int8)
    return (
        _ascending(table["string_starts"], rows, table["strings"].size)
        and _ascending(table["written_starts"], rows, table["written"].size)
        and len(kinds_V) == len(lacks_V) == rows
        and bool(np.all(kinds_V < len(KINDS)))
        and bool(np.any(table["known"]))
        and bool(np.all((kinds_V != _PADDING) == table["known"]))
        and bool(np.all((lacks_V >= NEVER) & (lacks_V <= MOST_LACKED)))
        and len(unknown) == 1
        and -1 <= int(unknown[0]) < rows
        and all(_orders(table[name], table["known"]) for name in ("by_bytes", "by_string"))
    )


def _ascending(starts: NDArray[np.int64], strings: int, size: int) -> bool:
    """Tell whether starts cut `size` bytes into so many strings."""
    return (
        len(starts) == strings + 1
        and int(starts[0]) == 0
        and int(starts[-1]) == size
        and bool(np.all(np.diff(starts) >= 0))
    )


def _orders(ids: NDArray[np.int32], known_V: NDArray[np.bool_]) -> bool:
    """Tell whether ids are the known ones, each once."""
    if len(ids) != np.count_nonzero(known_V) or not np.all((ids >= 0) & (ids < len(known_V))):
        return False
    seen_V = np.zeros(len(known_V), dtype=np.bool_)
    seen_V[ids] = True
    return bool(np.all(seen_V == known_V))


def _flat(strings: Mapping[int, str], spelling: Spelling, special: set[int], rows: int) -> Arrays:
    """Lay the tokens out in arrays."""
    spelled, written = [b""] * rows, [b""] * rows
    kinds, lacks = [_PADDING] * rows, [0] * rows
    fallback = set()
    for id_, string in strings.items():
        spelled[id_] = string.encode("utf-8")
        written[id_] = data = spelling.write(string)
        byte = spelling.is_byte(string)
        if byte:
            fallback.add(id_)
        lacks[id_] = lacks_of(data)
        kinds[id_] = kind_of(
            string,
            data,
            special=id_ in special,
            byte_fallback=byte,
            continues=spelling.continues(string),
        )
    ids = sorted(strings)
    known_V = np.zeros(rows, dtype=np.bool_)
    known_V[ids] = True
    # Sorts are stable: of equals the lower id comes first, of their bytes a fallback last.
    by_bytes = sorted(
        [*(id_ for id_ in ids if id_ not in fallback), *sorted(fallback)], key=written.__getitem__
    )
    by_string = sorted(ids, key=spelled.__getitem__)
    packed_strings, packed_written = Packed.of(spelled), Packed.of(written)
    return {
        "strings": packed_strings.data,
        "string_starts": packed_strings.starts,
        "written": packed_written.data,
        "written_starts": packed_written.starts,
        "known": known_V,
        "kinds": np.array(kinds, dtype=np.uint8),
        "lacks": np.array(lacks, dtype=np.int8).view(np.uint8),
        "by_bytes": np.array(by_bytes, dtype=np.int32),
        "by_string": np.array(by_string, dtype=np.int32),
    }


def _model_tokens(model: Mapping[str, Any]) -> Iterator[tuple[object, object]]:
    """Give the pairs of id and string of the model's vocabulary."""
    vocabulary = model.get("vocab")
    if isinstance(vocabulary, dict):
        yield from ((id_, string) for string, id_ in vocabulary.items())
    elif isinstance(vocabulary, list):  # Unigram: pairs of a token and its log-probability
        for id_, pair in enumerate(vocabulary):
            if not isinstance(pair, list) or not pair:
                raise ValueError(f"model.vocab holds {short(pair)}; each must be [token, score]")
            yield id_, pair[0]
    else:
        raise ValueError(
            "model.vocab is missing"
            if vocabulary is None
            else f"model.vocab is {short(vocabulary)}; it must be an object or a list"
        )


def _distinct(pairs: Iterable[tuple[object, object]], place: str) -> dict[int, str]:
    """Check ids and strings; no id has two strings."""
    strings: dict[int, str] = {}
    for id_, string in pairs:
        if type(id_) is not int or not isinstance(string, str):
            raise ValueError(f"in {place} a token is {short(string)} with the id {short(id_)}")
        if strings.setdefault(id_, string) != string:
            raise ValueError(
                f"in {place} {short(strings[id_])} and {short(string)} have the same id, {id_}"
            )
    if not is_unicode("".join(strings.values())):
        broken = next(string for string in strings.values() if not is_unicode(string))
        raise ValueError(f"in {place} the token {short(broken)} holds half of a surrogate pair")
    return strings


def _unknown(model: Mapping[str, Any], strings: Mapping[int, str]) -> int:
    """Give the id that the model writes for what it does not know, or -1."""
    id_ = model.get("unk_id")  # Unigram's; the other models name the string
    if type(id_) is int:
        return id_ if id_ in strings else -1
    token = model.get("unk_token")
    return min((id_ for id_, string in strings.items() if string == token), default=-1)
