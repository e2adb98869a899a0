"""A region that a direction is learned from: what a file of others may name, and what not."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...errors import UsageError
from ...indexes.tensors import is_file
from ..heads.unembedding import Unembedding
from ..region import find_region
from .checks import shown

# N tokens.

_NAMES = ("emoji", "words", "bytes")


def file_beside(region: str, path: Path) -> Path | None:
    r"""Give the file that a region of a TOML file names; None where it names none.

    Raises
    ------
    UsageError
        There is such a file, but neither beside the TOML file nor below it.

    Examples
    --------
    >>> file_beside("greek", Path("my.toml")), file_beside(r"\d{3}", Path("my.toml"))
    (None, None)
    """
    listed = path.parent / region
    if _is_named(region) or not is_file(listed):
        return None
    listed, folder = listed.resolve(), path.parent.resolve()
    if Path(region).is_absolute() or not listed.is_relative_to(folder):
        raise UsageError(
            f"is the path {shown(region)}; a file of tokens lies beside the file of directions or "
            "below it, and is written relative to that"
        )
    return listed


def ids_of(head: Unembedding, region: str | Path) -> NDArray[np.int64]:
    """Give the tokens of a region, ascending: a text is no path, a file is a `Path`.

    Raises
    ------
    UsageError
        As in `find_region`, or the text would be taken for a file.

    Examples
    --------
    >>> import unembed
    >>> len(ids_of(unembed.open_head("demo"), "greek"))
    1501
    """
    if isinstance(region, Path):
        if not is_file(region):
            raise UsageError(f"{region}: there is no such file of a region")
        return find_region(head, str(region.absolute())).ids_N
    if not _is_named(region) and is_file(Path(region)):
        raise UsageError(
            f"the region {region!r} is a path; the region of a direction is a name, a script or a "
            "pattern, or in TOML a file beside it: write a pattern in another way"
        )
    return find_region(head, region).ids_N


def _is_named(region: str) -> bool:
    """Tell whether a region is a name or a script, which come before a file."""
    import regex

    if region in _NAMES:
        return True
    if not (region.isascii() and region.replace("_", "").replace(" ", "").isalpha()):
        return False
    try:
        regex.compile(rf"\p{{Script={region}}}")
    except regex.error:
        return False
    return True
