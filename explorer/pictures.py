"""Pictures of emoji, so that a page shows those that the map has."""

from functools import cache, lru_cache

from ..geometry.tokens.whole_emoji import whole_emoji
from ..geometry.views.atlas import atlas_of
from ..geometry.views.glyphs import glyphs_of

_SIZE = 72  # pixels


@lru_cache(maxsize=4096)
def picture(name: str) -> bytes | None:
    """Give the picture of an emoji as WebP, or None where there is none.

    Parameters
    ----------
    name : str
        Its code points as hexadecimal digits, with hyphens between them.

    Examples
    --------
    >>> picture("1f434")[8:12], picture("41")
    (b'WEBP', None)
    """
    try:
        emoji = "".join(chr(int(code, 16)) for code in name.split("-")[:16])
    except (ValueError, OverflowError):
        return None
    if emoji not in whole_emoji():
        return None
    return atlas_of(glyphs_of([emoji], size=_SIZE)).webp or None


@cache
def artists() -> tuple[str, ...]:
    """Say whose the pictures are; nobody's where there are none.

    Examples
    --------
    >>> artists()[0].partition(" ")[0]
    'OpenMoji'
    """
    found = glyphs_of(["\N{GRINNING FACE}"], size=_SIZE)
    return tuple(map(str, found.artists)) if found.images else ()
