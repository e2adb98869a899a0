"""The health of a vocabulary for a terminal."""

from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import NDArray
from rich.console import Group

from ..examining.health import Health
from ..tokens.vocabulary import Vocabulary
from .table import line_of

_SHOWN = 8  # of each oddity
_SCRIPTS = 6
_MARGIN = 14  # of the names on the left


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
    yield f"{found.source}: {int(vocabulary.known_V.sum()):,} tokens"
    yield _fact("kinds", _counted(found.kinds()))
    scripts = found.scripts()
    shown = dict(list(scripts.items())[:_SCRIPTS])
    rest = f", and {len(scripts) - len(shown)} others" if len(scripts) > len(shown) else ""
    yield _fact("scripts", _counted(shown) + rest)
    emoji = found.emoji
    yield _fact(
        "emoji",
        f"{emoji.one:,} are one token, {emoji.several:,} several, {emoji.pieces:,} bytes or "
        f"fragments" + (f", {emoji.none:,} cannot be written" if emoji.none else ""),
    )
    twice = sum(len(group) - 1 for group in found.same_text)
    yield _fact("same text", f"{twice:,} tokens write what another of a lower id writes")
    states = found.states()
    yield _fact(
        "round trip",
        f"{states['reachable']:,} come back, {states['unreachable']:,} do not, "
        f"{states['partial']:,} are no whole text, {states['special']:,} special or unused",
    )
    yield from _some("unreachable", found.unreachable_N, vocabulary)
    yield from _untrained(found)
    yield from _written(found)


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
    yield _fact("never written", f"{len(found.unwritable_N):,} tokens{open_}; decided by {steps}")
    yield from _some("", found.unwritable_N, found.vocabulary)


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
