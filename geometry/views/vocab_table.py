"""The health of a vocabulary for a terminal."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from rich.console import Group

from ..examining.coverage import Coverage, whole
from ..examining.health import Health
from ..examining.reached import NEAR
from ..tokens.vocabulary import Vocabulary
from .shown import counted
from .table import line_of

_SHOWN = 8  # of each oddity
_SCRIPTS = 6
_GROUPS = 3  # of rows that are nearly the same
_MARGIN = 16  # of the names on the left


def vocab_table(found: Health) -> Group:
    """Draw a report: what the tokens are, then what is odd.

    Parameters
    ----------
    found : Health
        What is drawn.

    Returns
    -------
    rich.console.Group
        For a console to print: a line a fact.

    Examples
    --------
    >>> import unembed
    >>> print(vocab_table(unembed.open_head("demo-bytes").examine()).renderables[0])
    demo-bytes: 50,364 tokens
    """
    return Group(*map(line_of, _lines(found)))


def _lines(found: Health) -> Iterator[str]:
    """Say all of it, a line a fact."""
    vocabulary = found.vocabulary
    yield f"{found.source}: {found.tokens:,} tokens"
    yield _fact("kinds", _counted(found.kinds()))
    scripts = found.scripts()
    shown = dict(list(scripts.items())[:_SCRIPTS])
    rest = f", and {len(scripts) - len(shown)} others" if len(scripts) > len(shown) else ""
    yield _fact("scripts", _counted(shown) + rest)
    yield _fact("emoji", _covered(found.emoji))
    yield _fact("characters", _covered(whole(found.blocks)))
    yield _fact("blocks", _of_blocks(found.blocks))
    yield from _of_fragments(found)
    twice = sum(len(group) - 1 for group in found.same_text)
    yield _fact("same text", f"{twice:,} tokens write what another of a lower id writes")
    states = found.states()
    yield _fact(
        "round trip",
        f"{states['reachable']:,} come back, {states['unreachable']:,} do not, "
        f"{states['partial']:,} are no whole text, {states['special']:,} special or unused",
    )
    yield from _some("unreachable", found.unreachable_N, vocabulary)
    yield from _alike(found)
    yield from _untrained(found)
    yield from _written(found)
    yield from _reached(found)


def _covered(found: Coverage) -> str:
    """Say how texts are written."""
    none = f", {found.none:,} cannot be written" if found.none else ""
    return (
        f"of {found.total:,}, {found.one:,} are one token, {found.several:,} several, "
        f"{found.pieces:,} bytes or fragments{none}"
    )


def _of_blocks(blocks: Sequence[Coverage]) -> str:
    """Say of how many blocks all, some and none of the characters are tokens."""
    all_ = sum(block.one == block.total for block in blocks)
    some = sum(0 < block.one < block.total for block in blocks)
    return (
        f"of {len(blocks):,} in Unicode, a token for each character: {all_:,}, for some: {some:,}, "
        f"for none: {len(blocks) - all_ - some:,}"
    )


def _of_fragments(found: Health) -> Iterator[str]:
    """Say what the fragments are a part of."""
    if not found.fragments:
        return
    begin = sum(one.begins > 0 for one in found.fragments)
    complete = sum(one.completes > 0 for one in found.fragments)
    nothing = sum(not (one.begins or one.completes or one.inside) for one in found.fragments)
    never = f", {nothing:,} stand in no UTF-8" if nothing else ""
    yield _fact(
        "fragments",
        f"{len(found.fragments):,}: {begin:,} begin a character, {complete:,} complete one{never}",
    )


def _alike(found: Health) -> Iterator[str]:
    """Say which rows are nearly the same."""
    groups = found.alike
    sizes = f" in {counted(len(groups), 'group')}" if groups else ""
    yield _fact("near-identical", f"{len(found.alike_N):,} rows{sizes}")
    for group in groups[:_GROUPS]:
        yield from _some(f"  {len(group):,} rows", np.array(group), found.vocabulary)


def _untrained(found: Health) -> Iterator[str]:
    """Say which rows look untrained, and how well that is known."""
    judged = found.undertrained
    if judged is None:
        yield _fact("untrained", "too few tokens are known to be unused: nothing to compare with")
        return
    (best,) = [one for one in judged.judged if one.way == judged.best]
    yield _fact(
        "untrained",
        f"{len(found.suspected_N):,} suspected, beside {len(judged.unused_U):,} known to be "
        f"unused: cosine distance to these, {best.way.replace('_', ' ')}, below "
        f"{best.threshold:.3f}",
    )
    precisions = ", ".join(
        f"{one.way.replace('_', ' ')} {one.average_precision:.3f}" for one in judged.judged
    )
    yield _fact("", f"95% of held-out unused tokens lie there; average precision {precisions}")
    yield from _some("suspected", found.suspected_N, found.vocabulary)


def _written(found: Health) -> Iterator[str]:
    """Say which tokens no residual writes."""
    if found.winners is None:
        yield _fact("never written", "not asked: --writable")
        return
    steps = ", ".join(
        f"{name} {wins + loses:,}" for name, (wins, loses) in found.winners.counts().items()
    )
    open_ = f", {found.winners.undecided:,} undecided" if found.winners.undecided else ""
    tokens = counted(len(found.unwritable_N), "token")
    yield _fact("never written", f"{tokens}{open_}; decided by {steps}")
    yield from _some("", found.unwritable_N, found.vocabulary)


def _reached(found: Health) -> Iterator[str]:
    """Say which tokens are never near the top."""
    asked = found.reached
    if asked is None:
        yield _fact("near the top", "not asked: --residuals FILE")
        return
    never = len(found.distant_N)
    yield _fact(
        "near the top",
        f"{found.tokens - never:,} tokens are among the first {NEAR} with one of "
        f"{asked.positions:,} residuals, {never:,} never: {_counted(found.kinds(found.distant_N))}",
    )


def _some(name: str, ids_N: NDArray[np.int64], vocabulary: Vocabulary) -> Iterator[str]:
    """Name the first tokens of some."""
    if len(ids_N):
        shown = " ".join(vocabulary.display_text(id_) for id_ in ids_N[:_SHOWN].tolist())
        yield _fact(name, shown + (" …" if len(ids_N) > _SHOWN else ""))


def _counted(counts: Mapping[str, int]) -> str:
    """Say how many there are of each."""
    return ", ".join(f"{name} {count:,}" for name, count in counts.items())


def _fact(name: str, value: str) -> str:
    """Give a line."""
    return f"{name:<{_MARGIN}}{value}"
