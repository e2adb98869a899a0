"""Token ids, the vocabulary's own strings, and the bytes that they write."""

import re
import unicodedata
from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import CheckpointError, VocabularyError
from ...indexes.store import Arrays, Store
from ...indexes.tensors import fingerprint
from .checkpoint import read_json

# V tokens.

TOKENIZER = "tokenizer.json"
_TOKENIZER_LIMIT = 512 << 20
_FORMAT = 1
_TABLE_KINDS = {
    "strings": ("|u1", 1),
    "string_starts": ("<i8", 1),
    "written": ("|u1", 1),
    "written_starts": ("<i8", 1),
    "known": ("|b1", 1),
    "by_bytes": ("<i4", 1),
}
_BYTE_TOKEN = re.compile(r"<0x([0-9A-Fa-f]{2})>")
_UNSEEN = ("Cc", "Cf", "Co", "Cs", "Zl", "Zp")  # controls, marks, private use, line separators
_ZERO_WIDTH_JOINER = "\u200d"  # unseen too, but what holds a family emoji together


@dataclass(frozen=True, eq=False)
class Packed:
    """V byte strings end to end, so that opening a vocabulary makes no Python objects.

    Examples
    --------
    >>> list(Packed.of([b"sea", b"", b"horse"]))
    [b'sea', b'', b'horse']
    """

    data: NDArray[np.uint8]
    starts: NDArray[np.int64]  # V + 1 of them

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


@dataclass(frozen=True, eq=False)
class Vocabulary:
    """The tokens of a head.

    Attributes
    ----------
    strings : Packed
        The vocabulary's own strings (``▁sea``, ``Ġsea``) in UTF-8, never normalised; empty for a
        row that has no token.
    written : Packed
        The bytes that each token writes (`` sea``).
    known_V : ndarray of bool
        Which rows have a token at all: a head may be padded beyond its vocabulary.
    by_bytes_V : ndarray of int32
        The known ids in the order of the bytes they write, so that a lookup needs no dictionary;
        of equals, whole tokens come before byte-fallback tokens, then the lower id first.
    key : str
        What the table was made from; the key of all that is derived from it.

    Examples
    --------
    >>> import unembed
    >>> vocabulary = unembed.open_head("demo").vocabulary
    >>> id = vocabulary.id_of(" sea")
    >>> vocabulary.token(id), vocabulary.text(id)
    ('▁sea', ' sea')
    """

    strings: Packed
    written: Packed
    known_V: NDArray[np.bool_]
    by_bytes_V: NDArray[np.int32]
    key: str

    @classmethod
    def open(cls, path: Path, *, rows: int, store: Store) -> "Vocabulary":
        """Read a ``tokenizer.json``, or the table made of it before.

        Parameters
        ----------
        path : Path
            The file of the tokenizers library.
        rows : int
            V, the number of the head's rows. Ids without a token are padding.
        store : Store
            Keeps the table.

        Raises
        ------
        VocabularyError
            The file is missing or damaged, its kind is not known, or it has ids beyond the rows.
        """
        try:
            key = repr((_FORMAT, fingerprint(path), rows))
        except CheckpointError as error:
            raise VocabularyError(f"the head's tokenizer is needed: {error}") from error
        table = store.arrays(
            "vocabulary", key, lambda: _table(path, rows), lambda table: _fits(table, rows)
        )
        return cls(
            strings=Packed(table["strings"], table["string_starts"]),
            written=Packed(table["written"], table["written_starts"]),
            known_V=table["known"],
            by_bytes_V=table["by_bytes"],
            key=key,
        )

    def __len__(self) -> int:
        """Count the rows, padding included."""
        return len(self.strings)

    def token(self, id_: int) -> str:
        """Give a token as the vocabulary spells it."""
        return self.strings[id_].decode("utf-8")

    def text(self, id_: int) -> str | None:
        """Give the text that a token writes, or None for a fragment of a character."""
        try:
            return self.written[id_].decode("utf-8")
        except UnicodeDecodeError:
            return None

    def id_of(self, text: str) -> int | None:
        """Give the token that writes exactly this text, or None.

        Of several, a whole token comes before a byte-fallback token, then the lower id.
        """
        wanted = text.encode("utf-8")
        place = bisect_left(self.by_bytes_V, wanted, key=self.written.__getitem__)
        if place == len(self.by_bytes_V):
            return None
        found = int(self.by_bytes_V[place])
        return found if self.written[found] == wanted else None


def display(text: str) -> str:
    r"""Make a text harmless to show: controls, bidi marks and lone format characters escaped.

    Examples
    --------
    >>> display("a\x1b[31m\u202e"), display("🏴‍☠️") == "🏴‍☠️"
    ('a\\x1b[31m\\u202e', True)
    """
    return "".join(
        char.encode("unicode_escape").decode("ascii")
        if unicodedata.category(char) in _UNSEEN and char != _ZERO_WIDTH_JOINER
        else char
        for char in text
    )


def byte_alphabet() -> dict[str, int]:
    """Give the 256 characters that byte-level BPE writes bytes with (Radford et al. 2019).

    Printable Latin-1 characters stand for themselves, the others for U+0100 and up, in order.

    Examples
    --------
    >>> byte_alphabet()["Ġ"] == ord(" ")
    True
    """
    themselves = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = sorted(set(range(256)) - set(themselves))
    alphabet = {chr(byte): byte for byte in themselves}
    return alphabet | {chr(0x100 + place): byte for place, byte in enumerate(others)}


def _table(path: Path, rows: int) -> Arrays:
    """Make the flat table of a ``tokenizer.json``."""
    try:
        content = read_json(path, limit=_TOKENIZER_LIMIT)
    except CheckpointError as error:
        raise VocabularyError(str(error)) from error
    try:
        strings = _strings(content)
        write = _writer(content)
        highest = max(strings, default=-1)
        if highest >= rows or min(strings, default=0) < 0:
            raise VocabularyError(
                f"{path}: token id {highest:,} has no row: the head has {rows:,} rows; "
                "is this tokenizer of another model?"
            )
        written = {id_: write(string) for id_, string in strings.items()}
        spelled = {id_: string.encode("utf-8") for id_, string in strings.items()}
    except (KeyError, TypeError, AttributeError, IndexError, ValueError) as error:
        raise VocabularyError(
            f"{path}: not a tokenizer of a kind that is known: {error!r}"
        ) from error
    known = np.zeros(rows, dtype=np.bool_)
    known[list(strings)] = True
    fallback = {id_ for id_, string in strings.items() if _BYTE_TOKEN.fullmatch(string)}
    order = sorted(strings, key=lambda id_: (written[id_], id_ in fallback, id_))
    packed_strings = Packed.of([spelled.get(id_, b"") for id_ in range(rows)])
    packed_written = Packed.of([written.get(id_, b"") for id_ in range(rows)])
    return {
        "strings": packed_strings.data,
        "string_starts": packed_strings.starts,
        "written": packed_written.data,
        "written_starts": packed_written.starts,
        "known": known,
        "by_bytes": np.array(order, dtype=np.int32),
    }


def _fits(table: Arrays, rows: int) -> bool:
    """Tell whether a kept table is one that `_table` could have made for this many rows."""
    kinds = {name: (array.dtype.str, array.ndim) for name, array in table.items()}
    if kinds != _TABLE_KINDS or len(table["known"]) != rows:
        return False
    ids = table["by_bytes"]
    return (
        _ascending(table["string_starts"], rows, table["strings"].size)
        and _ascending(table["written_starts"], rows, table["written"].size)
        and len(ids) == np.count_nonzero(table["known"])
        and bool(np.all((ids >= 0) & (ids < rows)))
    )


def _ascending(starts: NDArray[np.int64], strings: int, size: int) -> bool:
    """Tell whether starts cut `size` bytes into so many strings."""
    return (
        len(starts) == strings + 1
        and int(starts[0]) == 0
        and int(starts[-1]) == size
        and bool(np.all(np.diff(starts) >= 0))
    )


def _strings(content: Mapping[str, Any]) -> dict[int, str]:
    """Give every id's string: the model's vocabulary, then the added tokens over it."""
    vocabulary = content["model"]["vocab"]
    if isinstance(vocabulary, list):  # Unigram: pairs of a token and its log-probability
        pairs = [(id_, pair[0]) for id_, pair in enumerate(vocabulary)]
    else:
        pairs = [(id_, string) for string, id_ in vocabulary.items()]
    pairs += [(token["id"], token["content"]) for token in content.get("added_tokens") or ()]
    for id_, string in pairs:
        if type(id_) is not int or not isinstance(string, str):
            raise ValueError(f"a token is {string!r} with the id {id_!r}")
    return dict(pairs)


def _writer(content: Mapping[str, Any]) -> Callable[[str], bytes]:
    """Give the function from a token's string to its bytes, by the tokenizer's decoder."""
    decoder = content.get("decoder") or {}
    steps = decoder.get("decoders") or [decoder]
    by_type = {step.get("type"): step for step in steps}
    literal = {str(token["content"]) for token in content.get("added_tokens") or ()}
    if "ByteLevel" in by_type:
        return _byte_level(literal)
    if "WordPiece" in by_type:
        return _word_piece(str(by_type["WordPiece"]["prefix"]), literal)
    replacements = [
        (step["replacement"], " ")
        if step.get("type") == "Metaspace"
        else (step["pattern"]["String"], step["content"])
        for step in steps
        if step.get("type") in {"Metaspace", "Replace"}
    ]
    if replacements and all(replacements[0]):
        return _sentence_piece(replacements, "ByteFallback" in by_type)
    raise ValueError(
        f"its decoder is {decoder.get('type')}; known are ByteLevel (byte-level BPE), Metaspace "
        "and Replace (SentencePiece) and WordPiece"
    )


def _byte_level(literal: set[str]) -> Callable[[str], bytes]:
    """Write characters of the byte alphabet as bytes; added tokens are text as they stand."""
    alphabet = byte_alphabet()

    def write(string: str) -> bytes:
        if string in literal or any(char not in alphabet for char in string):
            return string.encode("utf-8")
        return bytes(alphabet[char] for char in string)

    return write


def _word_piece(prefix: str, literal: set[str]) -> Callable[[str], bytes]:
    """Write a continuation without its prefix, any other token as a word with its space."""

    def write(string: str) -> bytes:
        if string in literal:
            return string.encode("utf-8")
        word = string.removeprefix(prefix) if string.startswith(prefix) else f" {string}"
        return word.encode("utf-8")

    return write


def _sentence_piece(
    replacements: Sequence[tuple[str, str]], byte_fallback: bool
) -> Callable[[str], bytes]:
    """Replace marks in their order, the space's above all, and write a byte token as its byte."""

    def write(string: str) -> bytes:
        byte = _BYTE_TOKEN.fullmatch(string) if byte_fallback else None
        if byte:
            return bytes([int(byte[1], 16)])
        for mark, text in replacements:
            string = string.replace(mark, text)
        return string.encode("utf-8")

    return write
