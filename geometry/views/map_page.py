"""A map as one page of HTML that needs nothing but itself."""

import base64
from collections.abc import Sequence
from html import escape
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..projection.columns import Value
from ..projection.map import Map
from ..projection.marks import Mark
from ..tokens.vocabulary import display
from .atlas import Atlas, atlas_of
from .colours import OTHER, PALETTE, RAMP, check_colour
from .glyphs import Glyphs, glyphs_of
from .html import data_of, filled, framed
from .shown import emoji_in, shown

# N tokens; K nearest.

_SPRITE = 72  # pixels of an emoji in the atlas
_SCRIPTS = ("dom.js", "map_data.js", "map_draw.js", "map_page.js", "map_talk.js")
_MOST_LABELS = 32_000  # of a property: its codes have 16 bits
_LONGEST = 200  # characters of a token's own string
_EXPLAINED = (
    "Trustworthiness is 1 where the tokens nearest on the map are the nearest in the space, and "
    "less the farther away those are in the space that the map brings near (Venna and Kaski 2001). "
    "A map of many dimensions in two is never wholly right."
)


def map_page(found: Map, *, color_by: str = "cluster") -> bytes:
    """Make a page on which a map is looked at, searched and chosen from.

    It asks nothing of a network, and a policy lets no script run but its own. Tokens are written
    so that they harm nothing: controls and marks of direction as escapes, and as text wherever they
    stand. The same map gives the same bytes.

    Parameters
    ----------
    found : Map
        What is shown.
    color_by : str
        What colours tell at first.

    Raises
    ------
    UsageError
        There is nothing of this name to colour by.

    Examples
    --------
    >>> import unembed
    >>> page = map_page(unembed.open_head("demo").map(region="emoji"))
    >>> page[:15], page.count(b"</script>")
    (b'<!doctype html>', 2)
    """
    check_colour(color_by, tuple(found.points.columns))
    emoji = [emoji_in(text) for text in found.points.texts]
    glyphs = glyphs_of({one for one in emoji if one is not None}, size=_SPRITE)
    page, values = framed("map.html", styles=("map.css",), scripts=_SCRIPTS, images=True)
    values |= {
        "title": escape(f"{display(found.title)} in the head of {found.source}"),
        "made": escape(_made(found)),
        "trust": escape(_trust(found)),
        "explained": escape(_EXPLAINED),
        "notes": escape(_notes(found, glyphs)),
        "data": data_of(_data(found, atlas_of(glyphs), emoji, color_by)).decode("ascii"),
    }
    return filled(page, values)


def _made(found: Map) -> str:
    """Say how the map was made."""
    return f"{len(found.points.ids_N):,} tokens, {found.space} space. UMAP: {found.layout}."


def _trust(found: Map) -> str:
    """Say how far the map can be believed."""
    trust = found.trust
    if trust is None:
        return "Too few tokens to say how far it can be believed."
    return f"{str(trust).capitalize()}."


def _notes(found: Map, glyphs: Glyphs) -> str:
    """Say what signs mean, and whose the pictures are."""
    return " ".join(
        [
            "Names of clusters are the words of the head nearest to their centre."
            if found.named
            else "",
            "// marks an island that is drawn nearer than it is." if found.breaks else "",
            "A dashed ring is where a concept lies that was composed; its arrow goes to the token "
            "that the head makes of it, of those here."
            if found.marks
            else "",
            *(f"Emoji: {artist}." for artist in glyphs.artists),
        ]
    ).strip()


def _data(found: Map, atlas: Atlas, emoji: Sequence[str | None], color_by: str) -> dict[str, Any]:
    """Give what the page knows: numbers in base64, texts harmless."""
    points = found.points
    place_of = {one: place for place, one in enumerate(atlas.emoji)}
    sprites_N = np.array([place_of.get(one or "", -1) for one in emoji], dtype="<i2")
    forms = [shown(*pair) for pair in zip(points.tokens, points.texts, strict=True)]
    tokens = [display(token[:_LONGEST]) for token in points.tokens]
    cosines_NK = np.rint((points.cosines_NK.clip(-1, 1) + 1) / 2 * 65535)
    return {
        "dimensions": found.layout.dimensions,
        "k": points.near_NK.shape[1],
        "places": _packed(points.drawn_NC, "<f4"),
        "ids": _packed(points.ids_N, "<i4"),
        "near": _packed(points.near_NK, "<i4"),
        "cosines": _packed(cosines_NK, "<u2"),
        "sprites": _packed(sprites_N, "<i2"),
        "forms": forms,
        "tokens": [
            None if token == form else token for token, form in zip(tokens, forms, strict=True)
        ],
        "properties": _properties(found),
        "color_by": color_by,
        "palette": PALETTE,
        "other": OTHER,
        "ramp": RAMP,
        "clusters": [
            {
                "name": display(cluster.name),
                "size": cluster.size,
                "at": cluster.drawn,
                "colour": PALETTE[number % len(PALETTE)],
            }
            for number, cluster in found.named.items()
        ],
        "marks": [_mark(mark) for mark in found.marks],
        "paths": [
            {"name": display(path.name), "steps": [_mark(step) for step in path.steps]}
            for path in found.paths
        ],
        "breaks": [{"start": island.start, "end": island.end} for island in found.breaks],
        "atlas": {
            "webp": base64.b64encode(atlas.webp).decode("ascii"),
            "columns": atlas.columns,
            "size": atlas.size,
        },
    }


def _packed(values: NDArray[Any], kind: str) -> str:
    """Write numbers as base64 of their bytes."""
    return base64.b64encode(np.ascontiguousarray(values, dtype=kind).tobytes()).decode("ascii")


def _properties(found: Map) -> list[dict[str, Any]]:
    """Give what tokens can be coloured by: labels with codes, or numbers."""
    points = found.points
    names = [display(cluster.name) for cluster in found.clusters]
    clusters = {"name": "cluster", "labels": names, "codes": _packed(points.clusters_N, "<i2")}
    return [
        clusters,
        _of_kinds("kind", points.kinds),
        _of_kinds("script", points.scripts),
        {"name": "norm", "labels": None, "codes": _packed(points.norms_N, "<f4")},
        {
            "name": "group",
            "labels": [display(group) for group in found.groups],
            "codes": _packed(points.groups_N, "<i2"),
        },
        *(_of_column(name, values) for name, values in points.columns.items()),
    ]


def _of_column(name: str, values: Sequence[Value]) -> dict[str, Any]:
    """Give a column of the user's table."""
    if any(isinstance(value, str) for value in values):
        return _of_kinds(display(name), values)
    numbers = np.array([np.nan if value is None else float(value) for value in values])
    return {"name": display(name), "labels": None, "codes": _packed(numbers, "<f4")}


def _of_kinds(name: str, values: Sequence[Value]) -> dict[str, Any]:
    """Give what is one of several, the most frequent first."""
    known = [str(value) for value in values if value is not None]
    labels, counts = np.unique(np.array(known, dtype=object), return_counts=True)
    order = np.lexsort((labels.astype(str), -counts))[:_MOST_LABELS]
    code_of = {labels[place]: code for code, place in enumerate(order.tolist())}
    codes = [-1 if value is None else code_of.get(str(value), -1) for value in values]
    return {
        "name": name,
        "labels": [display(label) for label in code_of],
        "codes": _packed(np.array(codes), "<i2"),
    }


def _mark(mark: Mark) -> dict[str, Any]:
    """Give a mark."""
    return {
        "name": shown(mark.name, mark.name),
        "at": mark.drawn,
        "snap": mark.snap,
        "gap": round(mark.gap_degrees),
    }
