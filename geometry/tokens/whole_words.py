"""Words that are one token, and what they would be split into if they were not."""

import unicodedata
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from .kinds import KINDS
from .vocabulary import Vocabulary

_LETTERS = 4  # at least, of a word


def drawn_apart(vocabulary: Vocabulary, count: int, *, seed: int) -> dict[int, tuple[int, ...]]:
    """Draw whole words by chance, and split them by force.

    Returns
    -------
    dict of int to tuple of int
        The token of each, ascending, and the tokens that stand for it; of `count` that are drawn
        (or all there are), those that can be split.

    Examples
    --------
    >>> import unembed
    >>> len(drawn_apart(unembed.open_head("demo").vocabulary, 10, seed=0))
    10
    """
    words_N = whole_words(vocabulary)
    drawn_N = np.random.default_rng(seed).choice(words_N, min(count, len(words_N)), replace=False)
    return split_by_force(vocabulary, np.sort(drawn_N).tolist())


def whole_words(vocabulary: Vocabulary) -> NDArray[np.int64]:
    """Give the tokens that are a whole word of at least four letters after a space, ascending.

    Letters may be of any script, with their marks.

    Examples
    --------
    >>> import unembed
    >>> vocabulary = unembed.open_head("demo-bytes").vocabulary
    >>> [vocabulary.text(int(id)) for id in whole_words(vocabulary)[:3]]
    [' that', ' this', ' have']
    """
    whole_N = np.flatnonzero(vocabulary.kinds_V == KINDS.index("whole-word"))
    chosen = [id_ for id_ in whole_N.tolist() if _is_word(vocabulary.text(id_) or "")]
    return np.array(chosen, dtype=np.int64)


def _is_word(text: str) -> bool:
    """Tell whether a text is a space and enough letters."""
    kinds = [unicodedata.category(char)[0] for char in text[1:]]
    return text[:1] == " " and kinds.count("L") >= _LETTERS and set(kinds) <= {"L", "M"}


def split_by_force(vocabulary: Vocabulary, ids: Sequence[int]) -> dict[int, tuple[int, ...]]:
    """Give the pieces of words that are one token, for those that can be split.

    Left out is a word that comes back whole, or whose pieces do not write it.

    Examples
    --------
    >>> import unembed
    >>> vocabulary = unembed.open_head("demo").vocabulary
    >>> split_by_force(vocabulary, [vocabulary.id_of(" ocean")])
    {12461: (512, 8157)}
    """
    forced = vocabulary.forced_apart(ids)
    found = {}
    for id_ in ids:
        text = vocabulary.text(id_)
        if text is None:
            continue
        pieces = forced.split(text.removeprefix(" "), leading_space=True)
        written = b"".join(map(vocabulary.written.__getitem__, pieces))
        if len(pieces) > 1 and id_ not in pieces and written == vocabulary.written[id_]:
            found[id_] = pieces
    return found


def other_form(vocabulary: Vocabulary, id_: int) -> int | None:
    """Give the token that writes the same word otherwise: in other capitals, or without its space.

    Examples
    --------
    >>> import unembed
    >>> vocabulary = unembed.open_head("demo").vocabulary
    >>> vocabulary.token(other_form(vocabulary, vocabulary.id_of(" ocean")))
    '▁Ocean'
    """
    word = (vocabulary.text(id_) or "").removeprefix(" ")
    forms = (f" {word.lower()}", f" {word.capitalize()}", f" {word.upper()}", word)
    found = (vocabulary.id_of(form) for form in forms)
    return next((other for other in found if other is not None and other != id_), None)
