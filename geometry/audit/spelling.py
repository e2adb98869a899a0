"""How a text is spelled: its tokens, those that are no whole characters, and who shares them."""

import sys
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

from ..tokens.vocabulary import Vocabulary

_MOST_SIBLINGS = 64
_AS_EMOJI = "\ufe0f"  # shows a character as an emoji
_UNWRITTEN = ("Cn", "Co", "Cs")  # no characters, private ones, halves of pairs


@dataclass(frozen=True)
class Spelled:
    """A text as the tokenizer writes it.

    Attributes
    ----------
    form : str
        The text.
    token_ids : tuple of int
        Its tokens; of the splits inside a text, after a space, and at its start the shorter one.
    fragments : int
        How many of them are not whole characters.
    shared : int or None
        How many of the first ones other characters begin with too; None where none is a fragment.
    siblings : tuple of str
        These characters, by code point: the first 64.

    Examples
    --------
    >>> import unembed
    >>> Speller(unembed.open_head("demo-bytes").vocabulary).spell("🐠").fragments
    2
    """

    form: str
    token_ids: tuple[int, ...]
    fragments: int
    shared: int | None
    siblings: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Speller:
    """Spells texts with the tokens of a vocabulary.

    Attributes
    ----------
    vocabulary : Vocabulary
        The tokens.

    Examples
    --------
    >>> import unembed
    >>> spelled = Speller(unembed.open_head("demo-bytes").vocabulary).spell("🐠")
    >>> spelled.shared, {"🐟", "🐴"} <= set(spelled.siblings)
    (1, True)
    """

    vocabulary: Vocabulary

    def spell(self, form: str) -> Spelled | None:
        """Split a text; None where the tokenizer cannot write it."""
        splits = [
            (ids, leading_space)
            for leading_space in (True, False)
            if (ids := self.vocabulary.split(form, leading_space=leading_space))
        ]
        if not splits:
            return None
        ids, leading_space = min(splits, key=lambda split: len(split[0]))
        fragments = sum(self.vocabulary.lacks(id_) != 0 for id_ in ids)
        shared, siblings = self._siblings(form, ids, leading_space) if fragments else (None, ())
        return Spelled(form, ids, fragments, shared, siblings)

    def _siblings(
        self, form: str, ids: tuple[int, ...], leading_space: bool
    ) -> tuple[int | None, tuple[str, ...]]:
        """Give the longest start that another character has too, and whose start it is."""
        starts = self._starts_after_space if leading_space else self._starts
        for count in range(len(ids) - 1, 0, -1):
            itself = {form, form.removesuffix(_AS_EMOJI)}
            others = [text for text in starts.get(ids[:count], ()) if text not in itself]
            if others:
                return count, tuple(others[:_MOST_SIBLINGS])
        return 0, ()

    @cached_property
    def _starts(self) -> dict[tuple[int, ...], list[str]]:
        """Who begins with some tokens, at the start of a text."""
        return self._by_start(leading_space=False)

    @cached_property
    def _starts_after_space(self) -> dict[tuple[int, ...], list[str]]:
        """Who begins with some tokens, inside a text."""
        return self._by_start(leading_space=True)

    def _by_start(self, *, leading_space: bool) -> dict[tuple[int, ...], list[str]]:
        """List the characters that are spelled in fragments by what they begin with."""
        starts: dict[tuple[int, ...], list[str]] = {}
        for text in _characters():
            ids = self.vocabulary.split(text, leading_space=leading_space)
            if len(ids) > 1 and any(self.vocabulary.lacks_V[id_] for id_ in ids):
                for count in range(1, len(ids)):
                    known = starts.setdefault(ids[:count], [])
                    if len(known) <= _MOST_SIBLINGS:
                        known.append(text)
        return starts


def _characters() -> Iterable[str]:
    """Give every assigned character beyond ASCII; what is an emoji is among them."""
    for code in range(0x80, sys.maxunicode + 1):
        char = chr(code)
        if unicodedata.category(char) not in _UNWRITTEN:
            yield char
