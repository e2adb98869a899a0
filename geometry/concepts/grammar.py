r"""Expression text to terms, with the place of every error.

::

    sum   ["+" | "-"] name (("+" | "-") name)*
    name  a word: letters, then letters, digits, marks, apostrophes; hyphens inside
          an emoji

A hyphenated word is one word; a sign that adds or subtracts stands between spaces.
"""

from dataclasses import dataclass
from functools import cache

from lark import Lark, Token, UnexpectedCharacters, UnexpectedInput, UnexpectedToken

from ...errors import ExpressionError

_GRAMMAR = r"""
sum: SIGN? _name (SIGN _name)*
_name: WORD | EMOJI

SIGN: "+" | "-"
WORD: /\p{L}[\p{L}\p{M}\p{N}_'’]*(-[\p{L}\p{M}\p{N}_'’]+)*/
EMOJI: /\p{RI}\p{RI}|[0-9#*]\uFE0F?\u20E3|\U0001F3F4[\U000E0020-\U000E007F]+/
     | /\p{ExtPict}(\uFE0F|\p{EMod})?(\u200D\p{ExtPict}(\uFE0F|\p{EMod})?)*/

%ignore /\s+/
"""

_SPOKEN = {"SIGN": "+ or -", "WORD": "a word", "EMOJI": "an emoji", "$END": "the end"}


@dataclass(frozen=True)
class Term:
    """A name with its sign.

    Attributes
    ----------
    weight : float
        1 or -1.
    name : str
        A word or an emoji, as it was written.
    column : int
        Where the name starts, counted from 1.
    """

    weight: float
    name: str
    column: int


def parse(expression: str) -> tuple[Term, ...]:
    """Read an expression.

    Raises
    ------
    ExpressionError
        It does not parse: names the column and what could stand there.

    Examples
    --------
    >>> [(term.weight, term.name) for term in parse("king - man + woman")]
    [(1.0, 'king'), (-1.0, 'man'), (1.0, 'woman')]
    """
    line = "".join(" " if char.isspace() else char for char in expression)  # columns, not lines
    try:
        tokens = _parser().parse(line).children
    except UnexpectedInput as error:
        raise _explain(error, expression) from error
    terms, weight = [], 1.0
    for token in tokens:
        if not isinstance(token, Token):
            continue
        if token.type == "SIGN":
            weight = -1.0 if token.value == "-" else 1.0
        else:
            terms.append(Term(weight, str(token), int(token.column or 1)))
    return tuple(terms)


@cache
def _parser() -> Lark:
    """Compile the grammar once."""
    return Lark(_GRAMMAR, parser="lalr", start="sum", regex=True, propagate_positions=True)


def _explain(error: UnexpectedInput, expression: str) -> ExpressionError:
    """Say what stands where, and what could."""
    found, place = "the end", len(expression)
    if isinstance(error, UnexpectedCharacters):
        found, place, expected = repr(error.char), error.column - 1, error.allowed
    elif isinstance(error, UnexpectedToken):
        expected = error.expected
        if error.token.type != "$END":
            found, place = repr(error.token.value), error.column - 1
    else:
        raise error
    could = " or ".join(_SPOKEN[name] for name in sorted(expected) if name in _SPOKEN)
    return ExpressionError(
        f"{found} cannot stand here; {could} could", expression=expression, column=place + 1
    )
