"""A record of a list: a concept, and what is known of it."""

from dataclasses import dataclass

LONGEST = 1_000  # characters of a text of a record
MOST_FORMS = 100


@dataclass(frozen=True)
class Record:
    """A concept that is asked for.

    Attributes
    ----------
    concept : str
        A word, a phrase or an expression.
    id : str or None
        What the list calls it; unique in its source.
    source : str or None
        The list that it comes from, where there are several.
    forms : tuple of str
        How it is written: its emoji, its spellings.
    expected : str or None
        The token that is expected to stand for it: ``#1234``, the vocabulary's own string, or its
        text.
    is_phrase : bool
        Whether the concept is a word or a phrase whatever signs stand in it; else it is an
        expression where it is written as one.
    fault : str or None
        Why the record cannot be audited, where that was seen when it was read.

    Examples
    --------
    >>> Record("tropical fish", forms=("🐠",)).id is None
    True
    """

    concept: str
    id: str | None = None
    source: str | None = None
    forms: tuple[str, ...] = ()
    expected: str | None = None
    is_phrase: bool = False
    fault: str | None = None
