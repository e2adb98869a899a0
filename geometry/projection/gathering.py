"""What is mapped: regions, the neighbourhood of a concept, all tokens."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...errors import UsageError
from ..heads.unembedding import Unembedding
from ..region import Region, RegionLike, find_region

# N tokens.

Regions = RegionLike | Sequence[str | Region]
ALL = "all tokens"


@dataclass(frozen=True, eq=False)
class Gathered:
    """The tokens of a map.

    Attributes
    ----------
    groups : tuple of str
        The regions that were asked for.
    ids_N : ndarray of int64
        Ascending.
    groups_N : ndarray of int64
        The first of the groups that has each.

    Examples
    --------
    >>> import unembed
    >>> found = gathered(unembed.open_head("demo"), ["emoji", "greek"])
    >>> found.groups, np.bincount(found.groups_N).tolist()
    (('emoji', 'greek'), [990, 1501])
    """

    groups: tuple[str, ...]
    ids_N: NDArray[np.int64]
    groups_N: NDArray[np.int64]


def gathered(head: Unembedding, region: Regions, *, exclude: RegionLike = None) -> Gathered:
    """Gather the tokens of a region, of several, or all.

    Parameters
    ----------
    head : Unembedding
        Whose tokens.
    region : str, sequence of int, Region, or sequence of str and Region, or None
        As `find_region` takes one, or several; None for all tokens.
    exclude : str, sequence of int or Region, optional
        What is left out of each.

    Raises
    ------
    UsageError
        A region is wrong, or there is none.

    Examples
    --------
    >>> import unembed
    >>> gathered(unembed.open_head("demo"), [9, 7, 7]).ids_N
    array([7, 9])
    """
    regions = [find_region(head, one, exclude=exclude) for one in _each(region)]
    ids_N = np.unique(np.concatenate([one.ids_N for one in regions]))
    groups_N = np.full(len(ids_N), -1)
    for group, one in enumerate(regions):
        places_M = np.searchsorted(ids_N, one.ids_N)
        groups_N[places_M[groups_N[places_M] < 0]] = group
    return Gathered(tuple(one.name or ALL for one in regions), ids_N, groups_N)


def _each(region: Regions) -> Sequence[RegionLike]:
    """Give the regions one by one."""
    if region is None or isinstance(region, str | Region):
        return [region]
    several = [one for one in region if isinstance(one, str | Region)]
    if not several:
        return [region]  # type: ignore[list-item]
    if len(several) < len(region):
        raise UsageError("a region is a text, several texts, or a list of token ids: not a mixture")
    return several
