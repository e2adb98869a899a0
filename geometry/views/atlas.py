"""A sprite atlas: many small pictures in one, for a page."""

import hashlib
import io
from dataclasses import dataclass

import numpy as np

from ...indexes.store import Arrays, store_of
from .glyphs import Glyphs

_ROW = 32  # pictures
_QUALITY = {"quality": 82, "alpha_quality": 90, "method": 4}
_LARGEST = 64 << 20  # bytes


@dataclass(frozen=True, eq=False)
class Atlas:
    """Pictures side by side, row by row.

    Attributes
    ----------
    webp : bytes
        The picture; empty where there is none.
    columns : int
        How many stand in a row.
    size : int
        Of each, in pixels.
    emoji : tuple of str
        Which they are, in their order.

    Examples
    --------
    >>> Atlas(b"", 32, 64, ()).columns
    32
    """

    webp: bytes
    columns: int
    size: int
    emoji: tuple[str, ...]


def atlas_of(glyphs: Glyphs) -> Atlas:
    """Put pictures together, in the order of their emoji; kept in the cache directory.

    Parameters
    ----------
    glyphs : Glyphs
        All of one size.

    Returns
    -------
    Atlas
        In WebP; the same bytes for the same pictures.

    Examples
    --------
    >>> from unembed.geometry.views.glyphs import glyphs_of
    >>> atlas = atlas_of(glyphs_of(["🐠", "🐴"], size=36))
    >>> atlas.emoji, atlas.webp[8:12]
    (('🐠', '🐴'), b'WEBP')
    """
    emoji = tuple(glyphs.images)
    if not emoji:
        return Atlas(b"", _ROW, glyphs.size, ())
    key = hashlib.sha256(repr((_QUALITY, glyphs.size, glyphs.artists, emoji)).encode()).hexdigest()
    kept = store_of("glyphs", "pictures of emoji").arrays(
        "atlas", key, lambda: {"webp": np.frombuffer(_packed(glyphs), dtype=np.uint8)}, _fits
    )
    return Atlas(kept["webp"].tobytes(), _ROW, glyphs.size, emoji)


def _fits(kept: Arrays) -> bool:
    """Tell whether kept arrays are a picture that is not too large."""
    webp = kept.get("webp")
    return (
        set(kept) == {"webp"}
        and webp is not None
        and webp.dtype == np.uint8
        and webp.ndim == 1
        and webp.size <= _LARGEST
    )


def _packed(glyphs: Glyphs) -> bytes:
    """Draw the sheet."""
    from PIL import Image

    emoji = tuple(glyphs.images)
    size, rows = glyphs.size, -(-len(emoji) // _ROW)
    sheet = np.zeros((rows * size, _ROW * size, 4), dtype=np.uint8)
    for place, image in enumerate(glyphs.images.values()):
        top, left = size * (place // _ROW), size * (place % _ROW)
        sheet[top : top + size, left : left + size] = image
    packed = io.BytesIO()
    Image.fromarray(sheet).save(packed, "WEBP", **_QUALITY)
    return packed.getvalue()
