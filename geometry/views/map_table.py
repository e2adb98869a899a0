"""A map in words, for a terminal."""

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table

from ..projection.map import Map
from .shown import shown
from .table import line_of

_CLUSTERS = 20  # that are listed
_TOKENS = 12  # of each


def map_table(found: Map) -> Group:
    """Describe a map: how far it can be believed, its marks, its largest clusters.

    Parameters
    ----------
    found : Map
        What is described.

    Returns
    -------
    rich.console.Group
        For a console to print.

    Examples
    --------
    >>> import unembed
    >>> table = map_table(unembed.open_head("demo").map(region="emoji"))
    >>> print(table.renderables[0])
    emoji: demo, 990 tokens, causal space, 15 neighbors, min_dist 0.05, seed 0
    """
    trust, points = found.trust, found.points
    made = (
        f"{found.title}: {found.source}, {len(points.ids_N):,} tokens, {found.space} space, "
        f"{found.layout}"
    )
    lines = [made]
    if trust is not None:
        lines.append(
            f"  trustworthiness {trust.trustworthiness:.3f}, {trust.preservation:.0%} of the "
            f"{trust.neighbors} nearest kept"
        )
    lines += [
        f"  {mark.name} snaps to {_form(found, mark.snap)}, {mark.gap_degrees:.1f}° and "
        f"{mark.gap_logit:.4f} logits off; nearest: "
        f"{' '.join(_form(found, place) for place in mark.near)}"
        for mark in found.marks
    ]
    lines += [
        f"  {path.name}: {' → '.join(_form(found, step.snap) for step in path.steps)}"
        for path in found.paths
    ]
    parts: list[RenderableType] = [line_of(line) for line in lines]
    if found.clusters:
        parts.append(_clusters(found))
    left = len(found.clusters) - _CLUSTERS
    if left > 0:
        parts.append(line_of(f"and {left} smaller clusters"))
    return Group(*parts)


def _form(found: Map, place: int) -> str:
    """Give the visible form of a token."""
    return shown(found.points.tokens[place], found.points.texts[place])


def _clusters(found: Map) -> Table:
    """List the largest clusters, each with its first tokens."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, expand=True)
    table.add_column("tokens", justify="right", no_wrap=True)
    table.add_column("cluster", no_wrap=True)
    table.add_column("first tokens", no_wrap=True, overflow="ellipsis", ratio=1)
    for number, cluster in enumerate(found.clusters[:_CLUSTERS]):
        places = (found.points.clusters_N == number).nonzero()[0][:_TOKENS].tolist()
        forms = " ".join(_form(found, place) for place in places)
        table.add_row(f"{cluster.size:,}", line_of(cluster.name), line_of(forms))
    return table
