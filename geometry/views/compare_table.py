"""A comparison for a terminal: how alike, then what moved most."""

from collections.abc import Iterator, Sequence

import numpy as np
from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from ..comparing.comparison import Comparison, Moved
from ..comparing.moves import RegionMove
from ..tokens.vocabulary import Vocabulary, display
from .lens_table import shortened
from .table import line_of

_REGIONS = 8  # that are shown
_NEAR = 2  # of the nearest
_LONGEST, _SHORT = 16, 9  # characters of a token, and of one that is near


def compare_table(found: Comparison, vocabulary: Vocabulary) -> Group:
    """Draw a comparison: how alike the two are, the tokens, then the regions that moved most.

    Parameters
    ----------
    found : Comparison
        What is drawn.
    vocabulary : Vocabulary
        Of the first head: writes texts so that they harm no terminal.

    Returns
    -------
    rich.console.Group
        For a console to print.

    Examples
    --------
    >>> import unembed
    >>> head = unembed.open_head("demo-bytes")
    >>> print(compare_table(head.compare(head), head.vocabulary).renderables[0])
    demo-bytes and demo-bytes: 50,364 tokens in common, of 50,364 and 50,364
    """
    where = f"the region {found.region}" if found.region else "all tokens"
    return Group(
        *map(line_of, _lines(found)),
        Text(""),
        *_moved(found, where, vocabulary),
        Text(""),
        line_of("regions and kinds, beside random tokens:"),
        _regions(found.regions),
    )


def _moved(found: Comparison, where: str, vocabulary: Vocabulary) -> Iterator[RenderableType]:
    """Draw the tokens that moved more than others; say so where none did."""
    moved = [one for one in found.moved if one.deviations > 0]
    if not moved:
        yield line_of(f"of {where} none moved more than others")
        return
    yield line_of(f"moved most, of {where}:")
    yield _tokens(moved, vocabulary)


def _lines(found: Comparison) -> Iterator[str]:
    """Say how alike the two are."""
    one, other = found.tokens
    yield (
        f"{found.source} and {found.other}: {len(found.matched.ids_N):,} tokens in common, "
        f"of {one:,} and {other:,}"
    )
    how = found.alignment
    yield (
        f"as wholes   Procrustes residual {how.residual:.4f}, linear CKA {how.cka:.4f} (rows of "
        f"{found.widths[0]} and {found.widths[1]})"
    )
    cosines_N = found.moves.cosines_N
    raw = "" if cosines_N is None else f"; as they are {np.median(cosines_N):.4f}"
    yield f"median      cosine {np.median(found.moves.aligned_N):.4f} once turned{raw}"
    yield (
        f"nearest 10  {found.shared:.1%} the same in the {found.space} space, rank-biased "
        f"{found.biased:.3f} (mean of {found.sampled:,} tokens)"
    )


def _tokens(moved: Sequence[Moved], vocabulary: Vocabulary) -> Table:
    """Draw a row for each token."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    table.add_column("token", no_wrap=True)
    for column in ("cosine", "turned", "norm", "deviations", "same"):
        table.add_column(column, justify="right", min_width=max(len(column), 5))
    for column in ("near before", "near after"):
        table.add_column(column, no_wrap=True)
    for one in moved:
        table.add_row(
            Text(shortened(vocabulary.display_text(one.id), _LONGEST)),
            "" if one.cosine is None else f"{one.cosine:.3f}",
            f"{one.aligned:.3f}",
            "" if one.ratio is None else f"×{one.ratio:.2f}",
            f"{one.deviations:.1f}",
            f"{one.shared:.0%}",
            _names(one.near),
            _names(one.other_near),
        )
    return table


def _names(texts: Sequence[str]) -> Text:
    """Write the nearest tokens shortly."""
    return Text(" ".join(shortened(display(text.strip()), _SHORT) for text in texts[:_NEAR]))


def _regions(regions: Sequence[RegionMove]) -> Table:
    """Draw a row for each region: those that moved most, and those that moved least."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    table.add_column("region")
    for column in ("tokens", "median turned", "moved more", "deviations"):
        table.add_column(column, justify="right")
    half = _REGIONS // 2
    shown = regions if len(regions) <= _REGIONS else (*regions[:half], *regions[-half:])
    for one in shown:
        table.add_row(
            one.name,
            f"{one.tokens:,}",
            f"{one.aligned:.3f}",
            f"{one.moved_more:.1%}",
            f"{one.deviations:+.1f}",
        )
    return table
