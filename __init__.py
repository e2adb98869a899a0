"""Explore the geometry of a language model's last matrix, mostly without running the model.

Public names are loaded when they are first used, so that ``import unembed`` costs nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from . import errors
    from .geometry.answer import Neighbour, Neighbours
    from .geometry.concepts.concept import Concept
    from .geometry.head import Head
    from .geometry.lens.lens import Lens
    from .geometry.model.residuals import Residuals
    from .geometry.open_head import open_head
    from .geometry.projection.map import Map
    from .geometry.views.lens_file import write_lens
    from .geometry.views.map_file import write_map
    from .geometry.views.vocab_file import write_vocab

__version__ = "0.1.0"

__all__ = [
    "Concept",
    "Head",
    "Lens",
    "Map",
    "Neighbour",
    "Neighbours",
    "Residuals",
    "__version__",
    "errors",
    "open_head",
    "write_lens",
    "write_map",
    "write_vocab",
]

_HOME = {
    "Concept": ".geometry.concepts.concept",
    "Head": ".geometry.head",
    "Lens": ".geometry.lens.lens",
    "Map": ".geometry.projection.map",
    "open_head": ".geometry.open_head",
    "Residuals": ".geometry.model.residuals",
    "write_lens": ".geometry.views.lens_file",
    "write_map": ".geometry.views.map_file",
    "write_vocab": ".geometry.views.vocab_file",
    "Neighbour": ".geometry.answer",
    "Neighbours": ".geometry.answer",
}


def __getattr__(name: str) -> Any:
    """Load a public name from the file that defines it (PEP 562)."""
    if name == "errors":
        return import_module(".errors", __name__)
    if name in _HOME:
        return getattr(import_module(_HOME[name], __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    """List the public names, loaded or not."""
    return sorted(__all__)
