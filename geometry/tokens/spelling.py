"""What tokens write, by the tokenizer's own decoder."""

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from reprlib import repr as short
from typing import Any

from ...indexes.jsonfile import is_unicode, member, objects

_GROWTH_LIMIT = 16  # what the decoder's replacements may make of a character
_BYTE_TOKEN = re.compile(r"<0x[0-9A-Fa-f]{2}>")


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


@dataclass(frozen=True)
class Spelling:
    """From a token's string to what it writes.

    Attributes
    ----------
    write : callable
        Gives the bytes of a token.
    is_byte : callable
        Tells whether a token is a fallback for a single byte, ``<0x41>``.
    continues : callable
        Tells whether a token carries WordPiece's prefix.

    Examples
    --------
    >>> Spelling.of({"decoder": {"type": "ByteLevel"}}, literal=set()).write("Ġsea")
    b' sea'
    """

    write: Callable[[str], bytes]
    is_byte: Callable[[str], bool] = lambda _: False
    continues: Callable[[str], bool] = lambda _: False

    @classmethod
    def of(cls, content: Mapping[str, Any], *, literal: set[str]) -> "Spelling":
        """Read the tokenizer's own decoder.

        Parameters
        ----------
        content : mapping
            The ``tokenizer.json``.
        literal : set of str
            The added tokens: byte-level BPE and WordPiece write them as they stand.

        Raises
        ------
        ValueError
            The decoder is not known, a part of it is not as it should be, or its replacements
            could make a token more than 16 times longer.
        """
        decoder = {} if content.get("decoder") is None else member(content, "decoder", dict)
        steps = objects(decoder, "decoders", inside="decoder") or [decoder]
        types = [step.get("type") for step in steps]
        if "ByteLevel" in types:
            return _byte_level(literal)
        if "WordPiece" in types:
            step = steps[types.index("WordPiece")]
            return _word_piece(member(step, "prefix", str, inside="decoder"), literal)
        replacements = [
            _replacement(step) for step in steps if step.get("type") in ("Metaspace", "Replace")
        ]
        if not replacements:
            raise ValueError(
                f"its decoder is {short(decoder.get('type'))}; known are ByteLevel (byte-level "
                "BPE), Metaspace and Replace (SentencePiece) and WordPiece"
            )
        growth = math.prod(max(1, len(text) / len(mark)) for mark, text in replacements)
        if growth > _GROWTH_LIMIT:
            raise ValueError(
                f"decoder's replacements make a token up to {growth:.0f} times longer; "
                f"at most {_GROWTH_LIMIT} times is read"
            )
        return _sentence_piece(replacements, byte_fallback="ByteFallback" in types)


def _replacement(step: Mapping[str, Any]) -> tuple[str, str]:
    """Give what a step of the decoder replaces, and by what."""
    if step["type"] == "Metaspace":
        mark, text = member(step, "replacement", str, inside="decoder"), " "
    else:
        pattern = member(step, "pattern", dict, inside="decoder")
        mark = member(pattern, "String", str, inside="decoder.pattern")
        text = member(step, "content", str, inside="decoder")
    if not mark or not is_unicode(text):
        raise ValueError(f"decoder replaces {short(mark)} by {short(text)}")
    return mark, text


def _byte_level(literal: set[str]) -> Spelling:
    """Write characters of the byte alphabet as bytes; added tokens are text as they stand."""
    alphabet = byte_alphabet()

    def write(string: str) -> bytes:
        if string in literal or any(char not in alphabet for char in string):
            return string.encode("utf-8")
        return bytes(alphabet[char] for char in string)

    return Spelling(write)


def _word_piece(prefix: str, literal: set[str]) -> Spelling:
    """Write a continuation without its prefix, any other token as a word with its space."""

    def continues(string: str) -> bool:
        return string not in literal and string.startswith(prefix)

    def write(string: str) -> bytes:
        if string in literal:
            return string.encode("utf-8")
        word = string.removeprefix(prefix) if continues(string) else f" {string}"
        return word.encode("utf-8")

    return Spelling(write, continues=continues)


def _sentence_piece(replacements: Sequence[tuple[str, str]], *, byte_fallback: bool) -> Spelling:
    """Replace marks in their order, the space's above all, and write a byte token as its byte."""

    def is_byte(string: str) -> bool:
        return byte_fallback and string[:1] == "<" and bool(_BYTE_TOKEN.fullmatch(string))

    def write(string: str) -> bytes:
        if is_byte(string):
            return bytes.fromhex(string[3:5])
        for mark, text in replacements:
            string = string.replace(mark, text)
        return string.encode("utf-8")

    return Spelling(write, is_byte=is_byte)
