"""What kind of thing a token is, and how many bytes it lacks to be text."""

import re
import unicodedata
from functools import cache
from importlib import metadata
from typing import Any

# A token's code is the place of its kind here.
KINDS = (
    "text",
    "whole-word",
    "continuation",
    "byte",
    "fragment",
    "special",
    "unused",
    "padding",
)
NEVER = -1  # what a token lacks where no bytes at all can make it whole
MOST_LACKED = 4  # a first byte in front and three continuation bytes behind

_CLOSING = (">", "]")
_UNUSED = re.compile(
    r"▁?[<\[][|｜]?(?:unused|reserved|place[_▁]?holder)[a-z_▁]*\d+[|｜]?[>\]]", re.IGNORECASE
)
# Scripts that write no spaces between words (or none that tell words apart), as regex names them.
_SPACELESS = (
    "Han",
    "Hiragana",
    "Katakana",
    "Bopomofo",
    "Yi",
    "Thai",
    "Lao",
    "Khmer",
    "Myanmar",
    "Tibetan",
    "Javanese",
    "Balinese",
    "Tai_Le",
    "New_Tai_Lue",
    "Tai_Tham",
    "Tai_Viet",
)
# Those that are known by their strings: they write nothing of their own.
NAMED = frozenset({KINDS.index("special"), KINDS.index("unused")})
_FIRST_CONTINUATION, _LAST_CONTINUATION = 0x80, 0xBF
_MOST_CONTINUATIONS = 3


def continuations(written: bytes) -> bytes:
    r"""Give the bytes at the beginning that go on a character before.

    Examples
    --------
    >>> continuations(b"\x84\xb1 sea"), continuations(b"sea")
    (b'\x84\xb1', b'')
    """
    count = 0
    while count < len(written) and _FIRST_CONTINUATION <= written[count] <= _LAST_CONTINUATION:
        count += 1
    return written[:count]


def lacks_of(written: bytes) -> int:
    r"""Give the least number of bytes, in front and behind, that make bytes whole UTF-8.

    Parameters
    ----------
    written : bytes
        What a token writes.

    Returns
    -------
    int
        0 where the bytes are whole, at most 4, and `NEVER` (-1) where no bytes can: C0 and FF
        stand in no UTF-8, nor do the surrogates (RFC 3629, section 4).

    Examples
    --------
    >>> [lacks_of(written) for written in (b"sea", b" \xeb", b"\x84\xb1", b"\xc0")]
    [0, 2, 1, -1]
    """
    if written.isascii():
        return 0
    # One first byte in front is enough for up to three continuation bytes: C2, E1 or F1.
    start = len(continuations(written))
    if start > _MOST_CONTINUATIONS:
        return NEVER
    front, rest = min(start, 1), written[start:]
    try:
        rest.decode("utf-8")
    except UnicodeDecodeError as error:
        if error.reason != "unexpected end of data":
            return NEVER
        cut = rest[error.start :]
        length = 2 if cut[0] < 0xE0 else 3 if cut[0] < 0xF0 else 4
        return front + length - len(cut)
    return front


def unicode_versions() -> tuple[str, str]:
    """Give the versions of what kinds depend on beside the token, for a cache's key.

    Returns
    -------
    tuple of str
        That of the regex library, which is not loaded for it, and of Python's Unicode.

    Examples
    --------
    >>> unicode_versions() == unicode_versions()
    True
    """
    return metadata.version("regex"), unicodedata.unidata_version


def kind_of(
    string: str, written: bytes, *, special: bool, byte_fallback: bool, continues: bool
) -> int:
    """Give the code of a token's kind; the first that fits of the following.

    - ``padding``: a row without a token (never given here);
    - ``unused``: a place kept for later, in brackets and numbered: ``<unused12>``, ``[unused12]``,
      ``<|reserved_special_token_3|>``, ``<|placeholder1|>``;
    - ``special``: an added token that is marked special, or the model's unknown token;
    - ``byte``: stands for a single byte: the fallback tokens of SentencePiece, ``<0x41>``, or a
      token that writes one byte from 80 up;
    - ``fragment``: its bytes are not whole UTF-8;
    - ``continuation``: of WordPiece, every token with the prefix ``##``;
    - ``whole-word``: one space, then one word: a letter, then letters, marks and joiners, with
      single apostrophes and hyphens inside;
    - ``continuation``: the same without the space, and it may begin with a mark, in scripts that
      write spaces between words: what goes on a word, or begins one after a bracket;
    - ``text``: all else: punctuation, digits, emoji, white space, several words, words of scripts
      that write no spaces.

    Parameters
    ----------
    string : str
        The vocabulary's own string.
    written : bytes
        What the token writes.
    special : bool
        Whether the tokenizer marks it special, or writes it for what it does not know.
    byte_fallback : bool
        Whether it is a fallback token.
    continues : bool
        Whether it carries WordPiece's prefix.

    Returns
    -------
    int
        A place in `KINDS`.

    Examples
    --------
    >>> def kind(text):
    ...     code = kind_of(text, text.encode(), special=False, byte_fallback=False, continues=False)
    ...     return KINDS[code]
    >>> [kind(text) for text in (" sea", "horse", "海", " well-known", " 7", "[unused7]")]
    ['whole-word', 'continuation', 'text', 'whole-word', 'text', 'unused']
    """
    if string[-1:] in _CLOSING and _UNUSED.fullmatch(string):
        return KINDS.index("unused")
    if special:
        return KINDS.index("special")
    if byte_fallback or (len(written) == 1 and written[0] >= _FIRST_CONTINUATION):
        return KINDS.index("byte")
    try:
        text = written.decode("utf-8")
    except UnicodeDecodeError:
        return KINDS.index("fragment")
    if continues:
        return KINDS.index("continuation")
    return KINDS.index(_kind_of_text(text))


def _kind_of_text(text: str) -> str:
    """Tell words and what continues them from other text."""
    words, spaceless = _patterns()
    spaced = text[:1] == " "
    word = text[1:] if spaced else text
    if not word.isalpha() and not words.fullmatch(word):  # most words are letters alone
        return "text"
    if spaced:
        return "whole-word" if word[0].isalpha() else "text"
    return "continuation" if word.isascii() or not spaceless.search(word) else "text"


@cache
def _patterns() -> tuple[Any, Any]:
    """Compile the patterns of one word, and of a letter of a script without spaces."""
    import regex  # a warm query makes no kinds and needs no patterns

    # Variation selectors are marks, but of emoji; joiners belong to words of Persian and Hindi.
    unit = r"(?![\uFE00-\uFE0F])[\p{L}\p{Mn}\p{Mc}]"
    run = rf"[\u200C\u200D]*{unit}(?:{unit}|[\u200C\u200D])*"
    # By Script_Extensions: the long vowel mark ー belongs to both kana and to no script alone;
    # tone marks such as ˊ belong to Bopomofo, and to Latin too.
    scripts = "".join(rf"\p{{scx={script}}}" for script in _SPACELESS)
    spaceless = rf"(?=\p{{L}})(?!\p{{scx=Latin}})[{scripts}]"
    return regex.compile(rf"{run}(?:['’‐-]{run})*"), regex.compile(spaceless)
