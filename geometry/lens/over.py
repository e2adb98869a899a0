"""Residuals over a map: where each layer's lies among the tokens of a region."""

from dataclasses import replace

from ...indexes.progress import Progress
from ..heads.unembedding import Unembedding
from ..model.placing import normed
from ..model.residuals import Residuals
from ..projection.gathering import Regions
from ..projection.project import project
from ..space import DEFAULT_SPACE, open_space
from .lens import Lens, Position

# L layers, P positions, width D.


def drawn_over(
    found: Lens,
    head: Unembedding,
    residuals: Residuals,
    region: Regions,
    *,
    space: str = DEFAULT_SPACE,
    progress: Progress | None = None,
) -> Lens:
    """Add to a lens the map of a region, with a path over it for each position.

    A step of a path is where UMAP's transform puts what the head meets after a layer, by the tokens
    of the region that are nearest to it. Where its cosines with all of them are small, the place
    says little.

    Parameters
    ----------
    found : Lens
        Of the residuals.
    head : Unembedding
        The head.
    residuals : Residuals
        What was looked at.
    region : str or sequence
        As `project` takes it.
    space : str
        As `open_space` takes it.
    progress : callable, optional
        Is told ``(step, done, total)``.

    Raises
    ------
    UsageError
        The region or the space is none, or a residual is zero.

    Examples
    --------
    >>> import unembed
    >>> head = unembed.open_head("demo")
    >>> found = head.lens("Here is a dog emoji:", over="emoji")
    >>> found.map, len(found.map.paths[0].steps)
    (Map('emoji', demo, causal: 990 tokens, 2 dimensions), 19)
    """
    opened = open_space(head, space, progress=progress)
    paths = {
        _name(position): normed(head, opened, residuals.stack_LPD[:, place])
        for place, position in enumerate(found.positions)
    }
    return replace(
        found, map=project(head, region=region, paths=paths, space=space, progress=progress)
    )


def _name(position: Position) -> str:
    """Name the path of a position."""
    return f"{position.position} {(position.text or position.token or '?').strip()}".rstrip()
