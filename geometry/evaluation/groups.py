"""Groups of names: how high their right answers come, and whether these can be missed."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .ranks import Ranks
from .retrieval import Presence, Retrieval

# Q names.


@dataclass(frozen=True)
class Group:
    """Some emoji names: how high the right emoji comes, and whether it can be missed.

    Attributes
    ----------
    retrieval : Ranks
        Of the right emoji among all of the head.
    without_twins : Ranks
        The same with the twins of the right emoji left out, as 🐎 is one of 🐴.
    presence : Presence
        Of the margin that tells names with their emoji from names without.
    presence_without_twins : Presence
        The same with the twins left out.

    Examples
    --------
    >>> import unembed
    >>> (found,) = unembed.open_head("demo-bytes").evaluate(methods=["plain"])
    >>> found.emoji["all"].retrieval.n
    4
    """

    retrieval: Ranks
    without_twins: Ranks
    presence: Presence
    presence_without_twins: Presence

    def figures(self, name: str) -> list[dict[str, Any]]:
        """Give every figure, a row each, as in `Evaluation.figures`."""
        of = name.replace("_", " ")
        parts = (
            ("emoji", of, self.retrieval, ("top1", "top5", "mrr")),
            ("emoji", f"{of}, no twins", self.without_twins, ("top1", "top5", "mrr")),
            ("presence", of, self.presence, ("auroc", "average_precision")),
            (
                "presence",
                f"{of}, no twins",
                self.presence_without_twins,
                ("auroc", "average_precision"),
            ),
        )
        return [
            figure_of(part, whose, figure, found.n, getattr(found, figure), found.ci95[figure])
            for part, whose, found, figures in parts
            for figure in figures
        ]


def figure_of(
    part: str, of: str, figure: str, n: int, value: float, ci95: tuple[float, float]
) -> dict[str, Any]:
    """Make a row of figures.

    Examples
    --------
    >>> figure_of("emoji", "all", "top1", 4, 0.5, (0.2, 0.8))["low"]
    0.2
    """
    low, high = ci95
    return {
        "part": part,
        "of": of,
        "figure": figure,
        "n": n,
        "value": value,
        "low": low,
        "high": high,
    }


def groups_of(retrieval: Retrieval | None) -> dict[str, Group]:
    """Sum up all names, and those of one word; nothing of nothing.

    Examples
    --------
    >>> groups_of(None)
    {}
    """
    if retrieval is None:
        return {}
    groups, one_word_Q = {}, retrieval.one_word_Q
    for name, chosen_Q in (("all", one_word_Q | True), ("one_word", one_word_Q)):
        if not chosen_Q.any():
            continue
        groups[name] = Group(
            Ranks.of(retrieval.ranks()[chosen_Q]),
            Ranks.of(retrieval.ranks(twins=False)[chosen_Q]),
            _presence(retrieval, chosen_Q, twins=True),
            _presence(retrieval, chosen_Q, twins=False),
        )
    return groups


def _presence(retrieval: Retrieval, chosen_Q: NDArray[np.bool_], *, twins: bool) -> Presence:
    """Compare the margins of names with their emoji and without."""
    present_Q, absent_Q = (
        retrieval.margins(removed=removed, twins=twins)[chosen_Q] for removed in (False, True)
    )
    return Presence.of(present_Q, absent_Q)
