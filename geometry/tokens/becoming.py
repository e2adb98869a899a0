"""Bytes that are no whole character yet: what they can still become."""

from codecs import getincrementaldecoder
from functools import cache

from .whole_emoji import whole_emoji


def unfinished(written: bytes) -> bytes:
    r"""Give the bytes at the end that begin a character and do not end it.

    Examples
    --------
    >>> unfinished("🐴".encode()[:3]), unfinished(b" \xf0"), unfinished(b"sea"), unfinished(b"\x9f")
    (b'\xf0\x9f\x90', b'\xf0', b'', b'')
    """
    decoder = getincrementaldecoder("utf-8")(errors="replace")
    decoder.decode(written)
    return decoder.getstate()[0]


def becoming(written: bytes) -> str | None:
    r"""Say what bytes that end within a character are the start of; None where they end with one.

    Parameters
    ----------
    written : bytes
        All that has been written so far, or the end of it.

    Returns
    -------
    str or None
        How many emoji begin so, of those that Unicode recommends; of none, that it is a character.

    Examples
    --------
    >>> becoming(b" \xf0\x9f\x90\xb4"), becoming("é".encode()[:1])
    (None, 'the start of a character')
    >>> becoming(b"\xf0\x9f\xab").startswith("the start of 1")
    True
    """
    tail = unfinished(written)
    if not tail:
        return None
    count = sum(emoji.startswith(tail) for emoji in _emoji_bytes())
    return f"the start of {count:,} emoji" if count else "the start of a character"


@cache
def _emoji_bytes() -> tuple[bytes, ...]:
    """Give the bytes of every emoji."""
    return tuple(emoji.encode() for emoji in whole_emoji())
