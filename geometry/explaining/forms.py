"""The forms of a word: capitals and inflections."""

from functools import cache
from typing import TYPE_CHECKING

from ..tokens.beginning import ids_beginning
from ..tokens.vocabulary import Vocabulary

if TYPE_CHECKING:
    from snowballstemmer.basestemmer import BaseStemmer

# Those of most tokens; a stemmer leaves words of other alphabets as they are.
_LANGUAGES = "english", "french", "german", "spanish", "portuguese", "italian", "russian"
_SHORTEST = 3  # letters of a stem that tells a word
_ALIKE = 3  # letters that forms of a word begin with


def word_of(text: str) -> str:
    """Give the word of a text, without capitals and the spaces around it.

    Examples
    --------
    >>> word_of(" Horse")
    'horse'
    """
    return text.strip().casefold()


def same_word(one: str, other: str) -> bool:
    """Tell whether two words are forms of one: equal, or with a stem in common.

    Stems are those of Snowball (Porter 2001) for English, French, German, Spanish, Portuguese,
    Italian and Russian; what is irregular, as *went* of *go*, is not seen.

    Examples
    --------
    >>> same_word("horse", "horses"), same_word("city", "cities"), same_word("sea", "search")
    (True, True, False)
    """
    return one == other or (one[:_ALIKE] == other[:_ALIKE] and bool(_stems(one) & _stems(other)))


def forms_of(text: str, vocabulary: Vocabulary) -> list[int]:
    """Give the tokens that write a form of a word, with a space before it or without.

    Parameters
    ----------
    text : str
        The word.
    vocabulary : Vocabulary
        Of the tokens.

    Returns
    -------
    list of int
        Ascending. Of capitals within a word none are seen but those of all its letters.

    Examples
    --------
    >>> import unembed
    >>> vocabulary = unembed.open_head("demo").vocabulary
    >>> found = [vocabulary.token(id) for id in forms_of("horse", vocabulary)]
    >>> {"▁horse", "▁Horses", "horses"} <= set(found), "▁horseback" in found
    (True, False)
    """
    word = word_of(text)
    if not word:
        return []
    start = word[:_ALIKE]
    near = {
        id_
        for form in (start, start.capitalize(), start.upper())
        for space in ("", " ")
        for id_ in ids_beginning(
            vocabulary, f"{space}{form}".encode(errors="surrogatepass")
        ).tolist()
    }
    return sorted(id_ for id_ in near if same_word(word, word_of(vocabulary.text(id_) or "")))


@cache
def _stemmers() -> tuple["BaseStemmer", ...]:
    """Open the stemmers."""
    import snowballstemmer

    return tuple(snowballstemmer.stemmer(language) for language in _LANGUAGES)


@cache
def _stems(word: str) -> frozenset[str]:
    """Give the stems that a word may have."""
    stems = {stemmer.stemWord(word) for stemmer in _stemmers()}
    return frozenset(stem for stem in stems if len(stem) >= _SHORTEST)
