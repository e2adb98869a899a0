"""Which token stands for a concept, where that is known: by its forms, not by geometry."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ...errors import UsageError
from ..concepts.pairs import Pair, spoken
from ..records.record import Record
from ..region import holds
from ..tokens.vocabulary import Vocabulary
from ..tokens.whole_emoji import whole_emoji

# N tokens.


@dataclass(frozen=True)
class Known:
    """What is known of how a concept is written.

    Attributes
    ----------
    form : str or None
        The form that is one token, else the first; None where none is known.
    token_id : int or None
        The token.
    by : str or None
        What says so: ``expected``, ``form`` or ``name``.

    Examples
    --------
    >>> Known("🐠", 249073, "name").token_id
    249073
    """

    form: str | None = None
    token_id: int | None = None
    by: str | None = None


@dataclass(frozen=True, eq=False)
class Forms:
    """Finds the token of a concept by its forms.

    Attributes
    ----------
    vocabulary : Vocabulary
        The tokens.
    names : mapping of str to tuple of str
        What is written for a name, the name in lower case.
    region_N : ndarray of int64 or None
        The tokens that count, ascending; None for all.
    of_emoji : bool
        Whether what is asked for is an emoji: then an emoji is a form, whether it is one token or
        not.

    Examples
    --------
    >>> import unembed
    >>> forms = Forms(unembed.open_head("demo").vocabulary, {"tropical fish": ("🐠",)})
    >>> forms.find(Record("Tropical fish"), name="Tropical fish")
    Known(form='🐠', token_id=249073, by='name')
    """

    vocabulary: Vocabulary
    names: Mapping[str, tuple[str, ...]]
    region_N: NDArray[np.int64] | None = None
    of_emoji: bool = False

    def find(
        self, record: Record, *, name: str | None = None, token_id: int | None = None
    ) -> Known:
        """Look at the expected token, then at the forms, then at what has the concept's name.

        Parameters
        ----------
        record : Record
            Its expected token and forms.
        name : str or None
            The word or phrase that the concept is; an expression has no form and no name.
        token_id : int or None
            The token that the concept names itself.

        Raises
        ------
        UsageError
            The expected token is an id that the head does not have.
        """
        if record.expected is not None:
            id_ = self._expected(record.expected)
            if id_ is not None:
                return self._known(id_, "expected")
        if token_id is not None and self._counts(token_id):
            return self._known(token_id, "form")
        forms = [(form, "form") for form in record.forms]
        if name is not None and not forms:
            forms = [(name, "form")] if self._is_own_form(name) else []
            forms += [(form, "name") for form in self.names.get(plain(name), ())]
        for form, by in forms:
            id_ = self._token(form)
            if id_ is not None:
                return Known(form, id_, by)
        return Known(next((form for form, _ in forms), None))

    def _known(self, id_: int, by: str) -> Known:
        """Give a token with the text that it writes, or as the vocabulary spells a fragment."""
        text = self.vocabulary.text(id_) or self.vocabulary.token(id_)
        return Known(text.removeprefix(" ") or text, id_, by)

    def _expected(self, text: str) -> int | None:
        """Give the token that is expected, or None where the text is none."""
        vocabulary = self.vocabulary
        if text[:1] == "#" and text[1:].isascii() and text[1:].isdigit():
            id_ = int(text[1:]) if len(text) < 12 else len(vocabulary)
            if id_ >= len(vocabulary) or not vocabulary.known_V[id_]:
                raise UsageError(
                    f"the expected token {text} is none; the head has {len(vocabulary):,} rows"
                )
            return id_ if self._counts(id_) else None
        id_as_spelled = vocabulary.id_of_token(text)
        if id_as_spelled is not None and self._counts(id_as_spelled):
            return id_as_spelled
        return self._token(text)

    def _token(self, form: str) -> int | None:
        """Give the one token of a form, as it stands inside a text before the bare one."""
        for written in (f" {form}", form):
            id_ = self.vocabulary.id_of(written)
            if id_ is not None and self._counts(id_):
                return id_
        return None

    def _is_own_form(self, concept: str) -> bool:
        """Tell whether a concept is written as it stands: in a region only if it is of its kind."""
        if self.region_N is None or self._token(concept) is not None:
            return True
        return self.of_emoji and concept in self._emoji

    def _counts(self, id_: int) -> bool:
        """Tell whether a token is in the region."""
        return self.region_N is None or holds(self.region_N, id_)

    @cached_property
    def _emoji(self) -> frozenset[str]:
        """All emoji."""
        import emoji

        return frozenset(emoji.EMOJI_DATA)


def written_for(language: str | None, pairs: Iterable[Pair] = ()) -> dict[str, tuple[str, ...]]:
    """Give what is written for names: the emoji of the library, then the targets of pairs.

    Parameters
    ----------
    language : str or None
        Of the emoji's names, in English with their aliases; None for no emoji.
    pairs : iterable of Pair
        Names of a direction.

    Examples
    --------
    >>> written_for("en")["horse"], written_for("de")["tropenfisch"]
    (('🐎', '🐴'), ('🐠',))
    """
    names: dict[str, dict[str, None]] = {}
    for name, text in () if language is None else _emoji_names(language):
        names.setdefault(plain(name), {})[text] = None
    for pair in pairs:
        names.setdefault(plain(pair.base), {})[pair.target] = None
    names.pop("", None)
    return {name: tuple(forms) for name, forms in names.items()}


def _emoji_names(language: str) -> Iterator[tuple[str, str]]:
    """Give the names of all emoji: the official ones, then the English aliases."""
    import emoji

    if language != "en":
        emoji.config.load_language(language)
    data = whole_emoji()
    for text, of in data.items():
        yield spoken(of.get(language, "")), text
    for text, of in data.items() if language == "en" else ():
        for alias in of.get("alias", ()):
            yield spoken(alias), text


def plain(name: str) -> str:
    """Bring a name to the form in which names are compared.

    Examples
    --------
    >>> plain("Tropical  Fish")
    'tropical fish'
    """
    return " ".join(name.casefold().split())
