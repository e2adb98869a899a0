"""A word or an emoji to its token, and how it was found."""

from dataclasses import dataclass

from ...errors import ExpressionError
from ..heads.vocabulary import Vocabulary
from .grammar import Term


@dataclass(frozen=True)
class Resolved:
    """A name and the token that it was taken for.

    Attributes
    ----------
    text : str
        The name as it was written.
    token_ids : tuple of int
        Its tokens.
    tokens : tuple of str
        The same, as the vocabulary spells them.
    method : str
        ``leading_space``: the token that writes a space and the name; ``bare``: the token that
        writes the name alone.
    """

    text: str
    token_ids: tuple[int, ...]
    tokens: tuple[str, ...]
    method: str


def resolve(term: Term, vocabulary: Vocabulary, *, expression: str) -> Resolved:
    """Find the single token of a name: with a leading space first, as it stands inside a text.

    Parameters
    ----------
    term : Term
        The name, and where it stands.
    vocabulary : Vocabulary
        The tokens.
    expression : str
        For the error.

    Raises
    ------
    ExpressionError
        No single token writes the name.

    Examples
    --------
    >>> import unembed
    >>> resolve(Term(1.0, "sea", 1), unembed.open_head("demo").vocabulary, expression="sea")
    Resolved(text='sea', token_ids=(5442,), tokens=('▁sea',), method='leading_space')
    """
    for method, text in (("leading_space", f" {term.name}"), ("bare", term.name)):
        id_ = vocabulary.id_of(text)
        if id_ is not None:
            return Resolved(term.name, (id_,), (vocabulary.token(id_),), method)
    raise ExpressionError(
        f"{term.name!r} is not one token of this head, with or without a leading space; write "
        "names that are, with spaces around each + and -, as in sea + horse",
        expression=expression,
        column=term.column,
    )
