"""The characters of Unicode, and those that some bytes are a part of."""

from bisect import bisect_right
from collections.abc import Sequence
from functools import cache

from .becoming import unfinished
from .kinds import continuations

_LAST = 0x10FFFF
_ASSIGNED = r"[^\p{Unassigned}\p{Surrogate}\p{Private_Use}]"


@cache
def characters() -> tuple[str, ...]:
    """Give every character that Unicode has assigned, by its code point, as regex knows them.

    Examples
    --------
    >>> found = characters()
    >>> found.index("A"), len(found) > 150_000
    (65, True)
    """
    import regex

    return tuple(regex.findall(_ASSIGNED, "".join(map(chr, range(_LAST + 1)))))


def parts_of(written: bytes) -> dict[str, Sequence[str]]:
    r"""Give the characters that bytes are a part of, by what they do.

    Parameters
    ----------
    written : bytes
        Of a token.

    Returns
    -------
    dict
        ``begins``: those that the last bytes begin and do not end; ``completes``: those that the
        first bytes end, and others begin; ``inside``: those that have all of them inside, neither
        first nor last. Each by code points.

    Examples
    --------
    >>> {role: len(found) for role, found in parts_of(b"\xf0\x9f\x90").items()}
    {'begins': 64, 'completes': 0, 'inside': 0}
    >>> parts_of(b"\x9f\x90\xb4")["completes"], len(parts_of(b"\x9f\x90")["inside"])
    (['🐴'], 64)
    """
    tail, head = unfinished(written), continuations(written)
    return {
        "begins": _begun_by(tail) if tail else (),
        "completes": _completed_by(head) if head else (),
        "inside": _inside().get(head, ()) if len(head) == len(written) else (),
    }


def _begun_by(tail: bytes) -> Sequence[str]:
    """Give the characters whose bytes begin so and go on."""
    every = _encoded()  # the order of code points is that of the bytes
    first = bisect_right(every, tail)
    after = bisect_right(every, tail, lo=first, key=lambda one: one[: len(tail)])
    return [one.decode() for one in every[first:after]]


def _completed_by(head: bytes) -> Sequence[str]:
    """Give the characters whose bytes end so, with others before."""
    every, back = _backwards(), head[::-1]
    first = bisect_right(every, back)
    after = bisect_right(every, back, lo=first, key=lambda one: one[: len(back)])
    return sorted(one[::-1].decode() for one in every[first:after])


@cache
def _encoded() -> tuple[bytes, ...]:
    """Give the bytes of the characters that have several, in their order."""
    return tuple(text.encode() for text in characters() if not text.isascii())


@cache
def _backwards() -> tuple[bytes, ...]:
    """Give these from the last to the first byte, in their order."""
    return tuple(sorted(one[::-1] for one in _encoded()))


@cache
def _inside() -> dict[bytes, list[str]]:
    """Gather the characters by what stands inside them."""
    found: dict[bytes, list[str]] = {}
    for one in _encoded():
        last, text = len(one) - 1, one.decode()
        for middle in {one[i:j] for i in range(1, last) for j in range(i + 1, last + 1)}:
            found.setdefault(middle, []).append(text)
    return found
