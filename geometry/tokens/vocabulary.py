"""Token ids, the vocabulary's own strings, and the bytes that they write."""

import unicodedata
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ...errors import CheckpointError, UsageError, VocabularyError
from ...indexes.store import Store
from ...indexes.tensors import fingerprint
from .forced import without
from .kinds import KINDS, NEVER, unicode_versions
from .tokenizer import Packed, fits, make_table

if TYPE_CHECKING:
    from tokenizers import Tokenizer

# V tokens.

_FORMAT = 2
_UNSEEN = ("Cc", "Cf", "Co", "Cs", "Zl", "Zp")  # controls, marks, private use, line separators
_ZERO_WIDTH_JOINER = "\u200d"  # unseen too, but what holds a family emoji together


@dataclass(frozen=True, eq=False)
class Vocabulary:
    """The tokens of a head.

    Attributes
    ----------
    path : Path
        The ``tokenizer.json``.
    strings : Packed
        The vocabulary's own strings (``▁sea``, ``Ġsea``) in UTF-8, never normalised; empty for a
        row that has no token.
    written : Packed
        The bytes that each token writes inside a text (`` sea``), exactly; of WordPiece, a token
        that starts a word writes its space.
    known_V : ndarray of bool
        Which rows have a token at all: a head may be padded beyond its vocabulary.
    kinds_V : ndarray of uint8
        The kind of every row, as its place in `KINDS` (see `kinds.kind_of`).
    lacks_V : ndarray of int8
        The least number of bytes that make what a token writes whole UTF-8: 0 where it is whole
        and for padding, -1 where no bytes can.
    by_bytes_V : ndarray of int32
        The known ids in the order of the bytes they write, so that a lookup needs no dictionary;
        of equals, whole tokens come before byte-fallback tokens, then the lower id first.
    by_string_V : ndarray of int32
        The known ids in the order of their strings' bytes; of equals, the lower id first.
    unknown_id : int or None
        The token that the model writes for what it does not know.
    key : str
        What the table was made from; the key of all that is derived from it.
    unused : frozenset of str
        The tokens that a split may not use, as the vocabulary spells them (see `forced_apart`).

    Examples
    --------
    >>> import unembed
    >>> vocabulary = unembed.open_head("demo").vocabulary
    >>> id = vocabulary.id_of(" sea")
    >>> vocabulary.token(id), vocabulary.text(id), vocabulary.kind(id)
    ('▁sea', ' sea', 'whole-word')
    """

    path: Path
    strings: Packed
    written: Packed
    known_V: NDArray[np.bool_]
    kinds_V: NDArray[np.uint8]
    lacks_V: NDArray[np.int8]
    by_bytes_V: NDArray[np.int32]
    by_string_V: NDArray[np.int32]
    unknown_id: int | None
    key: str
    unused: frozenset[str] = frozenset()

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
            The file is missing or damaged, its kind is not known, or it has no token or ids
            beyond the rows.
        """
        try:
            key = repr((_FORMAT, fingerprint(path), rows, unicode_versions()))
        except CheckpointError as error:
            raise VocabularyError(f"the head's tokenizer is needed: {error}") from error
        table = store.arrays(
            "vocabulary", key, lambda: make_table(path, rows), lambda table: fits(table, rows)
        )
        unknown = int(table["unknown"][0])
        return cls(
            path=path,
            strings=Packed(table["strings"], table["string_starts"]),
            written=Packed(table["written"], table["written_starts"]),
            known_V=table["known"],
            kinds_V=table["kinds"],
            lacks_V=table["lacks"].view(np.int8),
            by_bytes_V=table["by_bytes"],
            by_string_V=table["by_string"],
            unknown_id=None if unknown < 0 else unknown,
            key=key,
        )

    def __len__(self) -> int:
        """Count the rows, padding included."""
        return len(self.strings)

    def token(self, id_: int) -> str:
        """Give a token as the vocabulary spells it; empty for padding."""
        return self.strings[self._row(id_)].decode("utf-8")

    def text(self, id_: int) -> str | None:
        """Give the text that a token writes, or None where its bytes are not whole UTF-8."""
        try:
            return self.written[self._row(id_)].decode("utf-8")
        except UnicodeDecodeError:
            return None

    def display_text(self, id_: int) -> str:
        r"""Give a token's text as people are shown it: quoted, harmless, to be pasted.

        Controls, bidi marks, quotes and backslashes are escaped as in Python. The bytes of a
        fragment that are no character are written ``\x80`` to ``\xff``, as nothing else is, so
        that the form tells the bytes. Padding gives an empty string.

        Examples
        --------
        >>> import unembed
        >>> print(unembed.open_head("demo-bytes").vocabulary.display_text(36683))
        " 완\xeb"
        """
        if not self.known_V[self._row(id_)]:
            return ""
        quoted = self.written[id_].replace(b"\\", rb"\\").replace(b'"', rb"\"")
        return f'"{display(quoted.decode("utf-8", errors="backslashreplace"))}"'

    def kind(self, id_: int) -> str:
        """Give a token's kind, one of `KINDS`; what they mean stands at `kinds.kind_of`.

        Examples
        --------
        >>> import unembed
        >>> unembed.open_head("demo").vocabulary.kind(0)
        'special'
        """
        return KINDS[self.kinds_V[self._row(id_)]]

    def lacks(self, id_: int) -> int | None:
        """Give the least number of bytes, in front and behind, that make a token whole UTF-8.

        Returns
        -------
        int or None
            0 where nothing lacks, 1 to 4 for a fragment, None where no bytes can make it whole
            (C0 and FF stand in no UTF-8).

        Examples
        --------
        >>> import unembed
        >>> unembed.open_head("demo-bytes").vocabulary.lacks(36683)
        2
        """
        lacks = int(self.lacks_V[self._row(id_)])
        return None if lacks == NEVER else lacks

    def id_of(self, text: str) -> int | None:
        """Give the token that writes exactly this text, or None.

        Of several, a whole token comes before a byte-fallback token, then the lower id.
        """
        held = self.__dict__.get("_ids_by_bytes")
        if held is None:
            return _find(self.by_bytes_V, self.written, text)
        found: int | None = held.get(text.encode("utf-8", errors="surrogatepass"))
        return found

    def hold(self) -> None:
        """Hold in memory what `id_of` needs: made once, it is worth it for thousands of texts.

        Examples
        --------
        >>> import unembed
        >>> vocabulary = unembed.open_head("demo-bytes").vocabulary
        >>> before = vocabulary.id_of(" sea")
        >>> vocabulary.hold()
        >>> vocabulary.id_of(" sea") == before
        True
        """
        _ = self._ids_by_bytes

    def id_of_token(self, string: str) -> int | None:
        """Give the token that the vocabulary spells exactly so, or None; of several the lower id.

        Examples
        --------
        >>> import unembed
        >>> unembed.open_head("demo").vocabulary.id_of_token("▁sea")
        5442
        """
        return _find(self.by_string_V, self.strings, string)

    def split(self, text: str, *, leading_space: bool = False) -> tuple[int, ...]:
        """Give the tokens that the tokenizer writes a text in, without special ones around it.

        The first call loads the tokenizers library and parses the tokenizer.

        Parameters
        ----------
        text : str
            A word, as a rule.
        leading_space : bool
            Split the word as it stands inside a text, after a space. A tokenizer may add that
            space itself, so the word is tried with a space and without; the first split that
            writes exactly a space and the word counts. Where neither does (a tokenizer that
            writes all in lower case), it is the split with the space.

        Returns
        -------
        tuple of int
            As ``Tokenizer.encode`` gives them. Empty where the tokenizer cannot write the text: a
            part of it is unknown to it or is left out, or an id has no token here.

        Raises
        ------
        VocabularyError
            The tokenizers library refuses the file, or cannot split this text by it.

        Examples
        --------
        >>> import unembed
        >>> vocabulary = unembed.open_head("demo").vocabulary
        >>> [vocabulary.token(id) for id in vocabulary.split("seahorse", leading_space=True)]
        ['▁se', 'ahorse']
        """
        if not leading_space:
            return self._encode(text)
        wanted = f" {text}".encode("utf-8", errors="surrogatepass")
        splits = [self._encode(f" {text}"), self._encode(text)]
        for ids in splits:
            if b"".join(map(self.written.__getitem__, ids)) == wanted:
                return ids
        return splits[0]

    def forced_apart(self, ids: Iterable[int]) -> "Vocabulary":
        """Give this vocabulary with a `split` that does without some tokens.

        It splits as its tokenizer would if it had no such tokens (see `forced.without`), all at
        once. A token that is matched before the model, as added ones are, still comes whole.

        Parameters
        ----------
        ids : iterable of int
            The tokens.

        Raises
        ------
        UsageError
            No token has such an id.

        Examples
        --------
        >>> import unembed
        >>> vocabulary = unembed.open_head("demo").vocabulary
        >>> forced = vocabulary.forced_apart([vocabulary.id_of(" ocean")])
        >>> [vocabulary.token(id) for id in forced.split("ocean", leading_space=True)]
        ['▁o', 'cean']
        """
        return replace(self, unused=frozenset(map(self.token, ids)))

    @cached_property
    def _ids_by_bytes(self) -> dict[bytes, int]:
        """The known ids by what they write; of equals the first, so it is put in last."""
        return {self.written[id_]: id_ for id_ in reversed(self.by_bytes_V.tolist())}

    @cached_property
    def _tokenizer(self) -> "Tokenizer":
        """The tokenizer itself, made to give the same answer each time and nothing around it."""
        from tokenizers import Tokenizer
        from tokenizers.models import BPE

        content = without(self.path, self.unused) if self.unused else None
        with _refusals(f"{self.path}: the tokenizers library refuses it"):
            if content is None:
                tokenizer = Tokenizer.from_file(str(self.path))
            else:
                tokenizer = Tokenizer.from_str(content)
            tokenizer.no_padding()
            tokenizer.no_truncation()
            if isinstance(tokenizer.model, BPE):
                tokenizer.model.dropout = None  # which would leave out merges by chance
            return tokenizer

    def _encode(self, text: str) -> tuple[int, ...]:
        """Split a text; empty where a part of it is not written."""
        if not text.isascii() and any(unicodedata.category(char) == "Cs" for char in text):
            return ()
        with _refusals(f"{self.path}: the tokenizers library cannot split {text!r}"):
            encoding = self._tokenizer.encode(text, add_special_tokens=False)
        ids = tuple(encoding.ids)
        if any(id_ >= len(self) or not self.known_V[id_] or id_ == self.unknown_id for id_ in ids):
            return ()
        return ids if self.unknown_id is not None or self._writes_all(text, ids) else ()

    def _writes_all(self, text: str, ids: tuple[int, ...]) -> bool:
        """Tell whether tokens write a text, as it is or normalised; spaces do not count.

        A model that has neither an unknown token nor all bytes leaves out what it cannot write.
        """
        normalizer = self._tokenizer.normalizer
        written = b"".join(map(self.written.__getitem__, ids)).decode("utf-8", errors="replace")
        forms = (text, text if normalizer is None else normalizer.normalize_str(text))
        return _solid(written) in map(_solid, forms)

    def _row(self, id_: int) -> int:
        """Check an id."""
        if not 0 <= id_ < len(self):
            raise UsageError(f"no token has the id {id_:,}; the ids are 0 to {len(self) - 1:,}")
        return id_


def display(text: str) -> str:
    r"""Make a text harmless to show: controls, bidi marks and lone format characters escaped.

    The escapes are Python's; ``\x`` stands only for ASCII, ``\u`` for all above.

    Examples
    --------
    >>> display("a\x1b[31m\u202e"), display("🏴‍☠️") == "🏴‍☠️"
    ('a\\x1b[31m\\u202e', True)
    """
    return "".join(
        _escape(char)
        if unicodedata.category(char) in _UNSEEN and char != _ZERO_WIDTH_JOINER
        else char
        for char in text
    )


def _escape(char: str) -> str:
    """Write a character by its number."""
    latin = "\x80" <= char <= "\xff"
    return f"\\u{ord(char):04x}" if latin else char.encode("unicode_escape").decode("ascii")


def _solid(text: str) -> str:
    """Take spaces and their marks away."""
    return "".join(text.replace("▁", " ").split())


def _find(order: NDArray[np.int32], strings: Packed, text: str) -> int | None:
    """Find a string by bisection in the order of the strings' bytes; of equals the first."""
    wanted = text.encode("utf-8", errors="surrogatepass")  # half a pair is in no vocabulary
    place = bisect_left(order, wanted, key=strings.__getitem__)
    if place == len(order):
        return None
    found = int(order[place])
    return found if strings[found] == wanted else None


@contextmanager
def _refusals(doing: str) -> Iterator[None]:
    """Turn what the tokenizers library raises into our error.

    Its errors are of the class Exception itself and, where its Rust code panics, of a class that
    it does not export, beside Exception. All others are not its own and pass.
    """
    try:
        yield
    except BaseException as error:
        if type(error) is not Exception and type(error).__name__ != "PanicException":
            raise
        raise VocabularyError(f"{doing}: {error}") from error
