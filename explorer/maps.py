"""The map of a region, and concepts that are placed on it as they are written."""

import logging
from typing import Any

from ..errors import UsageError
from ..geometry.concepts.compose import composer_of
from ..geometry.heads.unembedding import Unembedding
from ..geometry.neighbours import nearest
from ..geometry.projection.map import Map
from ..geometry.projection.marks import Mark
from ..geometry.projection.project import marked, project
from ..geometry.region import find_region
from ..geometry.tokens.kinds import KINDS
from ..geometry.views.map_page import map_page
from ..geometry.views.shown import shown
from ..indexes.progress import Progress
from . import recipes
from .questions import MapOf, Place
from .served import Served, form_of, name_of, region_of
from .work import NotHeld, Telling

_log = logging.getLogger("unembed")
_FEWEST = 50  # emoji that a map begins with; of others as many words as are soon laid out
_MOST_WORDS = 5_000
_MOST_TOKENS = 300_000  # that a page of a browser draws


def first_view(head: Unembedding) -> tuple[str, str]:
    """Say which expression and map a page begins with: the seahorse where a head has emoji.

    Examples
    --------
    >>> import unembed
    >>> first_view(unembed.open_head("demo")), first_view(unembed.open_head("demo-bytes"))
    (('emoji(seahorse)', 'emoji'), ('sea + horse', 'around sea'))
    """
    try:
        if len(find_region(head, "emoji").ids_N) >= _FEWEST:
            return "emoji(seahorse)", "emoji"
    except UsageError:  # it has none
        pass
    words = int((head.vocabulary.kinds_V == KINDS.index("whole-word")).sum())
    return "sea + horse", "words" if 0 < words <= _MOST_WORDS else "around sea"


def warm(head: Unembedding, *, progress: Progress | None = None) -> None:
    """Derive of a head what a page begins with, so that none has to wait for it.

    Examples
    --------
    >>> import unembed
    >>> warm(unembed.open_head("demo-bytes"))
    """
    expression, _ = first_view(head)
    try:
        nearest(head, [expression], top=1, progress=progress)
    except UsageError as error:  # its words are none here: the page says so
        _log.info("%s: %s", head.source, error)


def map_of(served: Served, asked: MapOf, telling: Telling) -> dict[str, Any]:
    """Lay a region out; the page that draws it is held.

    Examples
    --------
    >>> import unembed
    >>> served = Served({"demo": unembed.open_head("demo")})
    >>> found = map_of(served, MapOf(source="demo"), Telling())
    >>> found["tokens"], served.page(found["page"])[:15]
    (990, b'<!doctype html>')
    """
    found = _made(served, asked, telling)
    head = served.head(asked.source)
    # What places a concept is compiled now, and not when the first one is written.
    marked(head, found, [_composer(head, asked, telling).expression(f"#{found.points.ids_N[0]}")])
    regions = {} if None in asked.regions else {"region": asked.regions}
    options = regions | asked.options("source", "regions")
    without_colour = {name: value for name, value in options.items() if name != "color_by"}
    return {
        "page": served.keep_page(map_page(found, color_by=asked.color_by)),
        "title": found.title,
        "tokens": len(found.points.ids_N),
        "trust": None if found.trust is None else str(found.trust),
        "command": recipes.command("map", [asked.source], options | {"output": "map.html"}),
        "python": recipes.python(asked.source, "map", **without_colour),
    }


def place(served: Served, asked: Place, telling: Telling) -> dict[str, Any]:
    """Place concepts on a map that is held.

    Raises
    ------
    NotHeld
        It is not: to lay it out is long work, see `map_of`.

    Examples
    --------
    >>> import unembed
    >>> served = Served({"demo": unembed.open_head("demo")})
    >>> asked = Place(map=MapOf(source="demo"), expressions=("emoji(seahorse)",))
    >>> _ = map_of(served, asked.map, Telling())
    >>> (mark,) = place(served, asked, Telling())["marks"]
    >>> mark["form"], mark["gap"]
    ('🐴', 70)
    """
    head = served.head(asked.map.source)
    found = served.maps.get(_key(asked.map))
    if found is None:
        raise NotHeld("the map is held no more; ask for it again")
    composer = _composer(head, asked.map, telling)
    concepts = [composer.expression(one) for one in asked.expressions]
    return {"marks": [_mark(head, found, mark) for mark in marked(head, found, concepts)]}


def _mark(head: Unembedding, found: Map, mark: Mark) -> dict[str, Any]:
    """Give a mark as a page draws it."""
    ids_N, snap = found.points.ids_N, int(found.points.ids_N[mark.snap])
    return {
        "name": shown(mark.name, mark.name),
        "at": mark.drawn,
        "snap": mark.snap,
        "id": snap,
        "form": form_of(snap, head.vocabulary),
        "expression": name_of(snap, head.vocabulary),
        "gap": round(mark.gap_degrees),
        "near": ids_N[list(mark.near)].tolist(),
    }


def _key(asked: MapOf) -> str:
    """Name a map, whatever its colours."""
    return asked.model_copy(update={"color_by": "cluster"}).model_dump_json()


def _made(served: Served, asked: MapOf, telling: Telling) -> Map:
    """Give a map, laid out where it is held no more."""
    found = served.maps.get(_key(asked))
    if found is not None:
        return found
    head = served.head(asked.source)
    regions = [region_of(head, region) for region in asked.regions if region is not None]
    if len(regions) < len(asked.regions) > 1:
        raise UsageError("all tokens are no region beside others")
    if head.rows.count > _MOST_TOKENS and not regions and asked.around is None:
        raise UsageError(
            f"{head.rows.count:,} tokens are more than the {_MOST_TOKENS:,} that a page draws; "
            "choose a region, or what lies around an expression"
        )
    found = project(
        head,
        region=[region for region in regions if region is not None] or None,
        exclude_region=region_of(head, asked.exclude_region),
        around=asked.around,
        top=asked.top,
        **asked.composition(telling.progress),
    )
    served.maps.put(_key(asked), found)
    return found


def _composer(head: Unembedding, asked: MapOf, telling: Telling) -> Any:
    """Give what composes in the space of a map."""
    return composer_of(
        head,
        **asked.composition(telling.progress),
    )
