"""Names as words of word-vector files, where white space ends a word."""

import re
from collections.abc import Sequence

_BREAKING = re.compile(r"[\s\ud800-\udfff]")  # white space, and halves of pairs, which are no UTF-8
_LONGEST, _CUT = 1000, 900  # bytes of a word; readers take 1,024


def words_of(names: Sequence[str], marks: Sequence[int]) -> tuple[list[str], int]:
    r"""Spell names as words that differ, without white space.

    White space is written by its number, ``\u0020``. A word longer than 1,000 bytes is cut to 900.
    One that is empty, cut, or spelled as another has ``#`` and its mark behind it; a name that is a
    word already has its spelling before all that would come to the same.

    Parameters
    ----------
    names : sequence of str
        Tokens or expressions.
    marks : sequence of int
        What tells equal ones apart: ids or places.

    Returns
    -------
    words : list of str
        One for each name.
    respelled : int
        How many are not the name itself.

    Examples
    --------
    >>> words_of(["sea", "\n", "sea + horse", "sea", ""], [5, 6, 7, 8, 9])
    (['sea', '\\u000a', 'sea\\u0020+\\u0020horse', 'sea#8', '#9'], 4)
    """
    words = [_word(name, mark) for name, mark in zip(names, marks, strict=True)]
    taken, others = set(), []
    for place, word in enumerate(words):
        if word == names[place] and word not in taken:
            taken.add(word)
        else:
            others.append(place)
    for place in others:
        while words[place] in taken:
            words[place] += f"#{marks[place]}"
        taken.add(words[place])
    return words, sum(word != name for word, name in zip(words, names, strict=True))


def _word(name: str, mark: int) -> str:
    """Spell one name, whatever the others are."""
    word = _BREAKING.sub(lambda found: f"\\u{ord(found[0]):04x}", name)
    encoded = word.encode()
    if len(encoded) > _LONGEST:
        return f"{encoded[:_CUT].decode(errors='ignore')}#{mark}"
    return word or f"#{mark}"
