"""What moved most, over the map of a region."""

import numpy as np

from ...indexes.progress import Progress
from ..heads.unembedding import Unembedding
from ..projection.map import Map
from ..projection.project import project
from ..region import RegionLike
from ..space import open_space
from ..tokens.vocabulary import display
from .comparison import Comparison


def drawn_moves(
    head: Unembedding,
    other: Unembedding,
    found: Comparison,
    region: RegionLike,
    *,
    progress: Progress | None = None,
) -> Map:
    """Lay a region of the first head out, with paths from tokens that moved to their new rows.

    The end of a path is where the second head's row lies once it is turned onto the first head.

    Parameters
    ----------
    head, other : Unembedding
        The two.
    found : Comparison
        Of the two; its `moved` are drawn.
    region : str or sequence of int
        As `find_region` takes it.
    progress : callable, optional
        Is told ``(step, done, total)``.

    Raises
    ------
    UsageError
        The region has too few tokens for a map.

    Examples
    --------
    >>> import unembed
    >>> head = unembed.open_head("demo-bytes")
    >>> drawn = drawn_moves(head, head, head.compare(head, region="greek", top=3), "greek")
    >>> len(drawn.paths), len(drawn.paths[0].steps)
    (3, 2)
    """
    space = open_space(head, found.space, progress=progress)
    ids_S = np.array([one.id for one in found.moved], dtype=np.int64)
    others_S = np.array([one.other_id for one in found.moved], dtype=np.int64)
    ends = head.rows.decode(ids_S), found.alignment(other.rows.decode(others_S))
    starts_SD, stops_SD = (space.place(rows_SD) for rows_SD in ends)
    paths = {
        f"#{one.id} {display((one.text or one.token).strip())}".rstrip(): np.array(
            [space.residual(starts_SD[at]), space.residual(stops_SD[at])]
        )
        for at, one in enumerate(found.moved)
    }
    return project(head, region=region, paths=paths, space=space.name, progress=progress)
