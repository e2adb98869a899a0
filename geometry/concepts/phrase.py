"""A word, phrase, emoji or token to its vector, and how it was found."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...errors import ExpressionError
from ..tokens.vocabulary import Vocabulary
from .grammar import Name

# N pieces, vectors of width D.

PIECES: Mapping[str, Callable[[NDArray[np.float64]], NDArray[np.float64]]] = {
    "mean": lambda vectors_ND: vectors_ND.mean(axis=0),
    "sum": lambda vectors_ND: vectors_ND.sum(axis=0),
    "first": lambda vectors_ND: vectors_ND[0],
    "last": lambda vectors_ND: vectors_ND[-1],
}
"""How the vectors of a word's pieces, shape (N, D), become the word's, shape (D,)."""


@dataclass(frozen=True)
class Resolved:
    """A name and the tokens that it was taken for.

    Attributes
    ----------
    text : str
        The name as it was meant: a word, a phrase without its quotes, ``#1234``, a token's string.
    token_ids : tuple of int
        Its tokens.
    tokens : tuple of str
        The same, as the vocabulary spells them.
    method : str
        ``leading_space``: the token that writes a space and the name; ``bare``: the token that
        writes the name alone; ``pieces_mean``, ``pieces_sum``, ``pieces_first``, ``pieces_last``:
        the tokens that the tokenizer splits it into, and what was made of them; ``id`` and
        ``token``: the token that was named by its id or by its own string.

    Examples
    --------
    >>> import unembed
    >>> (name,) = unembed.open_head("demo").concept("seahorse").resolved
    >>> name.token_ids, name.tokens, name.method
    ((636, 235510), ('▁se', 'ahorse'), 'pieces_mean')
    """

    text: str
    token_ids: tuple[int, ...]
    tokens: tuple[str, ...]
    method: str


def resolve(name: Name, vocabulary: Vocabulary, *, pieces: str, expression: str) -> Resolved:
    """Find the tokens of a name.

    A word, a phrase or an emoji is one token where the vocabulary has it: with a leading space
    first, as it stands inside a text, then bare. Else it is the pieces that the tokenizer splits it
    into, a word or phrase with its leading space.

    Parameters
    ----------
    name : Name
        The name, and where it stands.
    vocabulary : Vocabulary
        The tokens.
    pieces : str
        A key of `PIECES`; becomes part of the method.
    expression : str
        For the error.

    Raises
    ------
    ExpressionError
        The name is no token and cannot be split into known ones.

    Examples
    --------
    >>> import unembed
    >>> vocabulary = unembed.open_head("demo").vocabulary
    >>> resolve(Name("word", "sea", 1), vocabulary, pieces="mean", expression="sea")
    Resolved(text='sea', token_ids=(5442,), tokens=('▁sea',), method='leading_space')
    >>> resolve(Name("word", "seahorse", 1), vocabulary, pieces="mean", expression="").tokens
    ('▁se', 'ahorse')
    """
    ids, method = _find(name, vocabulary, pieces) if name.text else ((), "")
    if not ids:
        raise ExpressionError(_unknown(name, vocabulary), expression=expression, column=name.column)
    text = f"#{name.text}" if name.kind == "id" else name.text
    return Resolved(text, ids, tuple(vocabulary.token(id_) for id_ in ids), method)


def _find(name: Name, vocabulary: Vocabulary, pieces: str) -> tuple[tuple[int, ...], str]:
    """Give a name's tokens, none where it is unknown, and how they were found."""
    if name.kind == "id":
        number = int(name.text) if len(name.text) < 10 else -1
        known = 0 <= number < len(vocabulary) and bool(vocabulary.known_V[number])
        return (number,) if known else (), "id"
    if name.kind == "token":
        id_ = vocabulary.id_of_token(name.text)
        return () if id_ is None else (id_,), "token"
    for method, text in (("leading_space", f" {name.text}"), ("bare", name.text)):
        id_ = vocabulary.id_of(text)
        if id_ is not None:
            return (id_,), method
    split = vocabulary.split(name.text, leading_space=name.kind != "emoji")
    return split, f"pieces_{pieces}"


def _unknown(name: Name, vocabulary: Vocabulary) -> str:
    """Say that a name has no token, and what to write."""
    if not name.text:
        return "an empty text names nothing; write a word or a phrase"
    if name.kind == "id":
        return f"there is no token #{name.text}; the head has {len(vocabulary):,} rows"
    if name.kind == "token":
        return (
            f"the vocabulary has no token {name.text!r}; a token is written as the vocabulary "
            "spells it, its mark for a space included"
        )
    return f"{name.text!r} is not written with the tokens of this vocabulary"
