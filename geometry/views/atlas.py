"""A sprite atlas: many small pictures in one, for a page."""

import hashlib
import io
import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...indexes.store import Arrays, store_of
from .glyphs import STORE, WORTH_KEEPING, Glyphs

# A sheet of H x W pixels, each of 4 channels.


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
    >>> Atlas(b"", 0, 64, ()).emoji
    ()
    """

    webp: bytes
    columns: int
    size: int
    emoji: tuple[str, ...]


def atlas_of(glyphs: Glyphs) -> Atlas:
    """Put pictures together, in the order of their emoji.

    Parameters
    ----------
    glyphs : Glyphs
        All of one size.

    Returns
    -------
    Atlas
        As nearly square as it can be; in WebP, every pixel as it was; the same bytes for the same
        pictures. That of many is kept in the cache directory.

    Examples
    --------
    >>> from unembed.geometry.views.glyphs import glyphs_of
    >>> atlas = atlas_of(glyphs_of(["🐠", "🐴"], size=36))
    >>> atlas.emoji, atlas.columns, atlas.webp[8:12]
    (('🐠', '🐴'), 2, b'WEBP')
    """
    emoji = tuple(glyphs.images)
    if not emoji:
        return Atlas(b"", 0, glyphs.size, ())
    # Square, since WebP has at most 16,383 pixels a side: room for every emoji at 256.
    columns = math.ceil(math.sqrt(len(emoji)))
    size, rows = glyphs.size, math.ceil(len(emoji) / columns)
    sheet_HW4 = np.zeros((rows * size, columns * size, 4), dtype=np.uint8)
    for place, image in enumerate(glyphs.images.values()):
        top, left = size * (place // columns), size * (place % columns)
        sheet_HW4[top : top + size, left : left + size] = image
    packed = _packed(sheet_HW4) if len(emoji) < WORTH_KEEPING else _kept(sheet_HW4)
    return Atlas(packed, columns, size, emoji)


def _packed(sheet_HW4: NDArray[np.uint8]) -> bytes:
    """Write a sheet as WebP."""
    from PIL import Image

    packed = io.BytesIO()
    # Of flat colours: a quarter smaller without loss than at quality 82, and sooner packed.
    Image.fromarray(sheet_HW4).save(packed, "WEBP", lossless=True, quality=60, method=4)
    return packed.getvalue()


def _kept(sheet_HW4: NDArray[np.uint8]) -> bytes:
    """Write a sheet as WebP, or take what was written of the very same one."""
    import PIL

    kept = store_of(*STORE).arrays(
        "atlas",
        repr((PIL.__version__, sheet_HW4.shape, hashlib.sha256(sheet_HW4.tobytes()).hexdigest())),
        lambda: {"webp": np.frombuffer(_packed(sheet_HW4), dtype=np.uint8)},
        _fits,
    )
    return kept["webp"].tobytes()


def _fits(kept: Arrays) -> bool:
    """Tell whether a kept array is a whole WebP file."""
    webp = kept.get("webp")
    if webp is None or webp.dtype != np.uint8 or webp.ndim != 1:
        return False
    head = webp[:12].tobytes()
    length = int.from_bytes(head[4:8], "little")
    return head[:4] == b"RIFF" and head[8:] == b"WEBP" and length == len(webp) - 8
