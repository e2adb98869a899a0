"""The rows of the tables on a vocabulary's page: odd tokens, fragments, blocks of Unicode."""

from collections.abc import Iterable, Mapping
from itertools import islice
from typing import Any

from ..examining.fragments import Fragment
from ..examining.health import Health
from ..examining.undertrained import WAYS
from ..tokens.kinds import KINDS
from ..tokens.scripts import SCRIPTS
from ..tokens.vocabulary import Vocabulary
from .page_parts import token_of
from .shown import shown

MOST_ROWS = 20_000  # of a table
_LONGEST = 200  # characters of a token
_DIGITS = 6  # of a norm and a distance


def oddities(found: Health) -> dict[str, list[int]]:
    """Give the tokens that are odd, by what is odd about them.

    Parameters
    ----------
    found : Health
        Where they are.

    Returns
    -------
    dict of str to list of int
        The ids of each oddity, each list in its own order: those most like the unused first among
        the suspected, group by group where rows or texts are the same.

    Examples
    --------
    >>> import unembed
    >>> found = oddities(unembed.open_head("demo-bytes").examine())
    >>> {what: len(ids) for what, ids in found.items() if ids}["unreachable"]
    1175
    """
    return {
        "unreachable": found.unreachable_N.tolist(),
        "same text": [id_ for group in found.same_text for id_ in group],
        "suspected": found.suspected_N.tolist(),
        "near-identical": found.alike_N.tolist(),
        "never written": found.unwritable_N.tolist(),
    }


def odd_tokens(found: Health) -> dict[str, Any]:
    """Give each token that is odd in any way, once, for a page's data.

    Parameters
    ----------
    found : Health
        Where they are.

    Returns
    -------
    dict
        ``oddities``, what they are called; ``total``, how many tokens are odd; ``way``, how their
        distance is measured, or None; ``rows``, of the first 20,000, those of the first oddity
        first: id, text as people read it, own string where that is another, kind, script, norm,
        distance, and what is odd: the places of oddities, with a token that it is like, or None.

    Examples
    --------
    >>> import unembed
    >>> found = odd_tokens(unembed.open_head("demo-bytes").examine())
    >>> found["way"], found["rows"][0][1:5]
    ('centred', ['▁t', 'Ġt', 'whole-word', 'Latin'])
    """
    named = oddities(found)
    whys: dict[int, list[int]] = {}
    for place, ids in enumerate(named.values()):
        for id_ in ids:
            whys.setdefault(id_, []).append(place)
    like = {"same text": _others(found.same_text), "near-identical": _others(found.alike)}
    places = [like.get(name, {}) for name in named]
    judged = found.undertrained
    return {
        "oddities": list(named),
        "total": len(whys),
        "way": None if judged is None else judged.best.replace("_", " "),
        "rows": [
            [
                *_token(id_, found.vocabulary),
                KINDS[found.vocabulary.kinds_V[id_]],
                SCRIPTS[found.scripts_V[id_]],
                round(float(found.norms_V[id_]), _DIGITS),
                _distance(found, id_),
                [[place, places[place].get(id_)] for place in why],
            ]
            for id_, why in islice(whys.items(), MOST_ROWS)
        ],
    }


def block_rows(found: Health) -> list[list[Any]]:
    """Give how the characters of each block are written, for a page's data.

    Examples
    --------
    >>> import unembed
    >>> block_rows(unembed.open_head("demo-bytes").examine())[0]
    ['Basic Latin', 128, 0, 0, 0]
    """
    return [[one.name, one.one, one.several, one.pieces, one.none] for one in found.blocks]


def fragment_rows(found: Health) -> dict[str, Any]:
    """Give what each token that is no whole text is a part of, for a page's data.

    Returns
    -------
    dict
        ``total``, how many there are; ``rows``, of the first 20,000: id, text, own string where
        that is another, kind, how many bytes it lacks (None where nothing makes it whole), how many
        characters it begins, completes and stands inside of, and the first of them.

    Examples
    --------
    >>> import unembed
    >>> found = fragment_rows(unembed.open_head("demo-bytes").examine())
    >>> found["total"], found["rows"][0][3:8]
    (1476, ['byte', 1, 0, 2725, 6746])
    """
    parts = found.fragments
    return {
        "total": len(parts),
        "rows": [_fragment(one, found.vocabulary) for one in parts[:MOST_ROWS]],
    }


def _fragment(one: Fragment, vocabulary: Vocabulary) -> list[Any]:
    """Give the row of a fragment."""
    return [
        *_token(one.id, vocabulary),
        vocabulary.kind(one.id),
        vocabulary.lacks(one.id),
        *(one.begins, one.completes, one.inside),
        [shown(char, char) for char in one.characters],
    ]


def _token(id_: int, vocabulary: Vocabulary) -> list[Any]:
    """Give a token's id, its text as people read it, its own string where that is another."""
    _, own, text = token_of(id_, vocabulary.token(id_), vocabulary)
    return [id_, _cut(text), None if own == text else _cut(own)]


def _cut(text: str) -> str:
    """Cut what is very long."""
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


def _distance(found: Health, id_: int) -> float | None:
    """Give how far a row is from the unused ones, the best way."""
    judged = found.undertrained
    if judged is None:
        return None
    return round(float(judged.distances_VW[id_, WAYS.index(judged.best)]), _DIGITS)


def _others(groups: Iterable[tuple[int, ...]]) -> Mapping[int, int]:
    """Give for each token of a group its first, and for the first the second."""
    return {id_: group[id_ == group[0]] for group in groups for id_ in group}
