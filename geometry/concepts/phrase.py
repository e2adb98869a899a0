"""A word, phrase, emoji or token to its tokens, and their rows to one vector."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ...errors import ExpressionError, UsageError
from ...indexes.rows import norm
from ..heads.unembedding import Unembedding
from ..model.words import built
from ..space import Space
from ..tokens.vocabulary import Vocabulary
from .grammar import Name, parse

if TYPE_CHECKING:
    import regex

# N tokens or words, vectors of width D.

Weighting = Callable[[NDArray[np.int64]], NDArray[np.float64]]

DEFAULT_PIECES = "rarity"
PIECES: Mapping[str, Weighting] = {
    "rarity": lambda ids_N: _shares(np.sqrt(np.sqrt(1.0 + ids_N))),
    "mean": lambda ids_N: _shares(np.ones(len(ids_N))),
    "sum": lambda ids_N: np.ones(len(ids_N)),
    "first": lambda ids_N: np.eye(len(ids_N))[0],
    "last": lambda ids_N: np.eye(len(ids_N))[-1],
}
"""How much each token of a word, and each word of a phrase, counts: ids to weights, shape (N,).

``rarity`` takes a vocabulary to be listed by frequency, as those of byte pair encoding are, and
frequencies to follow Zipf's law, p ∝ 1/(1 + id): a token counts as p^(-1/4).
"""


MODEL = "model"  # a word of several tokens is what the model makes of them
WAYS = (*PIECES, MODEL)
_BUILT = (MODEL, f"pieces_{MODEL}")  # methods


@dataclass(frozen=True)
class Word:
    """A word of a name and the tokens that it was taken for.

    Attributes
    ----------
    text : str
        As it was written.
    token_ids : tuple of int
        Its tokens.
    method : str
        As in `Resolved`.

    Examples
    --------
    >>> import unembed
    >>> (name,) = unembed.open_head("demo").concept('"tropical seahorse"').resolved
    >>> name.words[1]
    Word(text='seahorse', token_ids=(636, 235510), method='pieces_rarity')
    """

    text: str
    token_ids: tuple[int, ...]
    method: str


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
        writes the name alone; ``pieces_rarity``, ``pieces_mean``, …: the tokens that the tokenizer
        splits it into, and how they count, or ``pieces_model`` and ``model``: what the model makes
        of them; ``id`` and ``token``: the token that was named by its id
        or by its own string; ``words_rarity``, ``words_mean``, …: several words, and how they
        count.
    words : tuple of Word
        The words of the name, each with its own tokens and method.

    Examples
    --------
    >>> import unembed
    >>> (name,) = unembed.open_head("demo").concept("seahorse").resolved
    >>> name.token_ids, name.tokens, name.method
    ((636, 235510), ('▁se', 'ahorse'), 'pieces_rarity')
    """

    text: str
    token_ids: tuple[int, ...]
    tokens: tuple[str, ...]
    method: str
    words: tuple[Word, ...]


def resolve(
    name: Name, vocabulary: Vocabulary, *, expression: str, pieces: str = DEFAULT_PIECES
) -> Resolved:
    """Find the tokens of a name.

    A word, a phrase or an emoji is one token where the vocabulary has it: with a leading space
    first, as it stands inside a text, then bare. Else a phrase is its words, and a word the pieces
    that the tokenizer splits it into, with its leading space.

    Parameters
    ----------
    name : Name
        The name, and where it stands.
    vocabulary : Vocabulary
        The tokens.
    expression : str
        For the error.
    pieces : str
        One of `WAYS`; becomes part of the method.

    Raises
    ------
    ExpressionError
        The name is no token and cannot be split into known ones.

    Examples
    --------
    >>> import unembed
    >>> vocabulary = unembed.open_head("demo").vocabulary
    >>> sea, seahorse = Name("word", "sea", 1), Name("word", "seahorse", 1)
    >>> resolve(sea, vocabulary, expression="sea").tokens
    ('▁sea',)
    >>> resolve(seahorse, vocabulary, expression="seahorse").tokens
    ('▁se', 'ahorse')
    """
    words = _words(name, vocabulary, pieces) if name.text else ()
    ids = tuple(id_ for word in words for id_ in word.token_ids)
    if not ids:
        raise ExpressionError(_unknown(name, vocabulary), expression=expression, column=name.column)
    text = f"#{name.text}" if name.kind == "id" else name.text
    method = words[0].method if len(words) == 1 else f"words_{pieces}"
    return Resolved(text, ids, tuple(vocabulary.token(id_) for id_ in ids), method, words)


def one_token(text: str, vocabulary: Vocabulary) -> int:
    """Give the id of a name that is a single token, as what is followed must be.

    Raises
    ------
    UsageError
        It is an expression, or several tokens.
    ExpressionError
        It is no token.

    Examples
    --------
    >>> import unembed
    >>> one_token("sea", unembed.open_head("demo").vocabulary)
    5442
    """
    name = parse(text)
    if not isinstance(name, Name):
        raise UsageError(f"{text!r} is an expression; follow one token, by a name")
    ids = resolve(name, vocabulary, expression=text).token_ids
    if len(ids) > 1:
        raise UsageError(f"{text!r} is {len(ids)} tokens of this head; follow one of them")
    return ids[0]


def vector_of(
    head: Unembedding, space: Space, found: Resolved, *, pieces: str = DEFAULT_PIECES
) -> tuple[NDArray[np.float64], float]:
    """Give the vector of a name in a space, and the norm that its terms come to.

    In a space of unit vectors each token's is made one before it is weighted, and so is each
    word's; the vector that comes out is left as it is, so that the caller sees whether it is zero.

    Examples
    --------
    >>> import unembed
    >>> from unembed.geometry.space import open_space
    >>> head = unembed.open_head("demo")
    >>> sea = Name("word", "sea", 1)
    >>> found = resolve(sea, head.vocabulary, expression="sea")
    >>> vector_D, terms_norm = vector_of(head, open_space(head), found)
    >>> round(float(norm(vector_D)), 9), round(terms_norm, 9)
    (1.0, 1.0)
    """
    ((vector_D, terms_norm),) = vectors_of(head, space, [found], pieces=pieces)
    return vector_D, terms_norm


def vectors_of(
    head: Unembedding, space: Space, names: Sequence[Resolved], *, pieces: str = DEFAULT_PIECES
) -> list[tuple[NDArray[np.float64], float]]:
    """Give what `vector_of` gives of each of many names; a token of several is placed once.

    Examples
    --------
    >>> import unembed
    >>> from unembed.geometry.space import open_space
    >>> head = unembed.open_head("demo")
    >>> names = [resolve(Name("word", word, 1), head.vocabulary, expression=word)
    ...          for word in ("sea", "horse")]
    >>> len(vectors_of(head, open_space(head), names))
    2
    """
    ids_N = np.unique([id_ for found in names for id_ in found.token_ids]).astype(np.int64)
    placed_ND = space.named(space.place(head.rows.decode(ids_N)))
    places = {id_: place for place, id_ in enumerate(ids_N.tolist())}
    by_model = {word.token_ids for found in names for word in found.words if word.method in _BUILT}
    words = sorted(by_model)
    built_D = dict(zip(words, built(head, space, words), strict=True)) if words else {}
    weigh = PIECES[DEFAULT_PIECES if pieces == MODEL else pieces]
    vectors = []
    for found in names:
        words_ND, terms_norm = [], 0.0
        for word in found.words:
            if word.method in _BUILT:
                terms_ND = built_D[word.token_ids][None]
                words_ND.append(terms_ND[0])
            else:
                terms_ND = placed_ND[[places[id_] for id_ in word.token_ids]]
                words_ND.append(weigh(np.array(word.token_ids)) @ terms_ND)
            terms_norm += float(norm(terms_ND).sum())
        vectors.append((_added(space, found, np.array(words_ND), weigh), terms_norm))
    return vectors


def _added(
    space: Space, found: Resolved, words_ND: NDArray[np.float64], weigh: Weighting
) -> NDArray[np.float64]:
    """Add up the words of a name."""
    if len(words_ND) > 1:
        words_ND = space.named(words_ND)
    # A word is as rare as its rarest piece.
    weights_N = weigh(np.array([max(word.token_ids) for word in found.words]))
    vector_D: NDArray[np.float64] = weights_N @ words_ND
    return vector_D


def split_words(text: str) -> list[str]:
    """Divide a phrase into words: at spaces and punctuation, apostrophes aside.

    Examples
    --------
    >>> split_words("jack-o-lantern"), split_words("woman’s hat")
    (['jack', 'o', 'lantern'], ['woman’s', 'hat'])
    """
    words: list[str] = [word for word in _gap().split(text) if word]
    return words or [text]


@cache
def _gap() -> "regex.Pattern[str]":
    """Give the pattern of what stands between words, compiled once."""
    import regex

    # Before a variation selector or a keycap a sign is an emoji: ‼️, #️⃣.
    return regex.compile(r"(?V1)(?:\s|[\p{P}--['’_]](?![\uFE0F\u20E3]))+")


def _shares(weights_N: NDArray[np.float64]) -> NDArray[np.float64]:
    """Make weights add up to 1."""
    shares_N: NDArray[np.float64] = weights_N / weights_N.sum()
    return shares_N


def _words(name: Name, vocabulary: Vocabulary, pieces: str) -> tuple[Word, ...]:
    """Give the words of a name with their tokens; none where one of them is unknown."""
    if name.kind == "id":
        number = int(name.text) if len(name.text) < 10 else -1
        known = 0 <= number < len(vocabulary) and bool(vocabulary.known_V[number])
        return (Word(name.text, (number,), "id"),) if known else ()
    if name.kind == "token":
        id_ = vocabulary.id_of_token(name.text)
        return () if id_ is None else (Word(name.text, (id_,), "token"),)
    if name.kind == MODEL:
        split = vocabulary.split(name.text, leading_space=True)
        return (Word(name.text, split, MODEL),) if split else ()
    whole = _whole(name.text, vocabulary)
    if whole is not None:
        return (whole,)
    spaced = name.kind != "emoji"
    texts = split_words(name.text) if spaced else [name.text]
    words = [_word(text, vocabulary, pieces, leading_space=spaced) for text in texts]
    return tuple(words) if all(word.token_ids for word in words) else ()


def _word(text: str, vocabulary: Vocabulary, pieces: str, *, leading_space: bool) -> Word:
    """Give the tokens of one word."""
    whole = _whole(text, vocabulary)
    if whole is not None:
        return whole
    split = vocabulary.split(text, leading_space=leading_space)
    return Word(text, split, f"pieces_{pieces}")


def _whole(text: str, vocabulary: Vocabulary) -> Word | None:
    """Give the one token of a text; None where there is none."""
    for method, written in (("leading_space", f" {text}"), ("bare", text)):
        id_ = vocabulary.id_of(written)
        if id_ is not None:
            return Word(text, (id_,), method)
    return None


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
