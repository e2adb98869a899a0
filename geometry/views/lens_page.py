"""A lens as one page of HTML that needs nothing but itself."""

from html import escape
from typing import Any

from ..lens.lens import Guess, Layer, Lens, Position
from ..projection.inline import some_of
from ..projection.map import Map
from ..tokens.vocabulary import display
from .html import data_of, filled, framed
from .lens_table import heading, how_read
from .shown import shown

_RUNS = 40  # texts that were written
_NEAR = 5  # tokens of the map that are nearest to a step


def lens_page(found: Lens) -> bytes:
    """Make a page on which a lens is looked at: a heat map, what lies behind its cells, lines.

    It asks nothing of a network, and a policy lets no script run but its own; tokens are written as
    text wherever they stand. The same lens gives the same bytes.

    Parameters
    ----------
    found : Lens
        What is shown.

    Returns
    -------
    bytes
        The page, in UTF-8.

    Examples
    --------
    >>> import unembed
    >>> page = lens_page(unembed.open_head("demo").lens("The capital of France is"))
    >>> page[:15], page.count(b"</script>")
    (b'<!doctype html>', 2)
    """
    said = [("read", found.prompt), ("written", found.text)]
    page, values = framed("lens.html", styles=("lens.css",), scripts=("lens_page.js",))
    values |= {
        "title": escape(f"The layers of {display(found.source)}"),
        "made": escape(f"{len(found.positions[0].layers)} layers, {how_read(found)}."),
        "said": "".join(
            f"<dt>{name}</dt><dd>{escape(_lines(text))}</dd>" for name, text in said if text
        ),
        "runs": _runs(found),
        "data": data_of(_data(found)).decode("ascii"),
    }
    return filled(page, values)


def _lines(text: str) -> str:
    """Write a text so that it harms nothing, its lines as lines."""
    return "\n".join(map(display, text.split("\n")))


def _runs(found: Lens) -> str:
    """Draw what was written in many runs."""
    if not found.runs:
        return ""
    rows = "".join(
        f"<tr><td>{one.count / found.runs:.3f}</td><td>{one.count:,}</td>"
        f"<td>{escape(display(one.text))}</td></tr>"
        for one in found.written[:_RUNS]
    )
    more = len(found.written) - _RUNS
    rest = f'<p class="note">and {more:,} other texts</p>' if more > 0 else ""
    return (
        f'<section class="runs"><h2>Written in {found.runs:,} runs</h2>'
        f"<table>{rows}</table>{rest}</section>"
    )


def _data(found: Lens) -> dict[str, Any]:
    """Give what the page knows."""
    return {
        "positions": [_position(position) for position in found.positions],
        "space": found.space,
        "concepts": [display(concept) for concept in found.concepts],
        "chance": found.chance,
        "map": None if found.map is None else _map(found.map),
    }


def _map(found: Map) -> dict[str, Any]:
    """Give a map, and its path of each position."""
    points = found.points
    forms = list(map(shown, points.tokens, points.texts))
    some = some_of(len(forms))
    return {
        "title": f"{display(found.title)}, {found.space} space",
        "trust": str(found.trust or ""),
        "forms": [forms[place] for place in some],
        "places": points.drawn_NC[some].round(4).tolist(),
        "clusters": [
            {"name": display(cluster.name), "at": cluster.drawn} for cluster in found.named.values()
        ],
        "paths": [
            [
                {
                    "at": step.drawn,
                    "near": [forms[place] for place in step.near[:_NEAR]],
                    "cosines": step.cosines[:_NEAR],
                }
                for step in path.steps
            ]
            for path in found.paths
        ],
    }


def _position(position: Position) -> dict[str, Any]:
    """Give a position."""
    return {
        "head": heading(position),
        "layers": [_layer(layer) for layer in position.layers],
    }


def _layer(layer: Layer) -> dict[str, Any]:
    """Give a layer."""
    return {
        "top": [_guess(guess) for guess in layer.top],
        "entropy": layer.entropy,
        "kl": layer.kl,
        "tracked": [_guess(guess) for guess in layer.tracked],
        "cosines": layer.cosines,
        "parts": [
            {"form": shown(one.token, one.text), "weight": one.weight} for one in layer.parts
        ],
        "explained": layer.parts[-1].explained if layer.parts else 0.0,
    }


def _guess(guess: Guess) -> dict[str, Any]:
    """Give a guess."""
    return {
        "form": shown(guess.token, guess.text),
        "p": guess.probability,
        "rank": guess.rank,
        "becomes": guess.becomes,
    }
