"""What an error says: what cannot stand in an expression, what could, which names there are."""

from collections.abc import Collection
from itertools import islice

from lark import Lark, UnexpectedCharacters, UnexpectedInput, UnexpectedToken

from ...errors import ExpressionError

_MOST = 40  # names in a message
_SPOKEN = {
    "SIGN": "+, -",
    "STAR": "*",
    "SLASH": "/",
    "NUMBER": "a number",
    "WORD": "a word",
    "EMOJI": "an emoji",
    "PHRASE": "a quoted phrase",
    "ID": "#id",
    "FUNCTION": "a function",
    "LPAR": "(",
    "RPAR": ")",
    "COMMA": "a comma",
    "COLON": ":",
    "$END": "the end",
}


def explain(error: UnexpectedInput, expression: str, parser: Lark) -> ExpressionError:
    """Say what stands where, and what could.

    Examples
    --------
    >>> import unembed
    >>> from unembed.geometry.concepts.grammar import parse
    >>> try:
    ...     parse("king man")
    ... except unembed.errors.ExpressionError as error:
    ...     error.column
    6
    """
    found, place = "the end", len(expression)
    if isinstance(error, UnexpectedCharacters):
        found, place = repr(error.char), error.pos_in_stream  # type: ignore[assignment]
    elif isinstance(error, UnexpectedToken) and error.token.type != "$END":
        found, place = repr(error.token.value), error.token.start_pos or 0
    # Asked of the text before: what the error itself expects is that of like places elsewhere.
    before = parser.parse_interactive(expression[:place])
    before.exhaust_lexer()
    expected: set[str] = before.accepts()  # type: ignore[no-untyped-call]
    spoken = [words for name, words in _SPOKEN.items() if name in expected]
    could = " or ".join([", ".join(spoken[:-1]), spoken[-1]] if len(spoken) > 1 else spoken)
    hint = ""
    if expression[place : place + 1] in {'"', "'"} and len(found) == 3:
        hint = "; its closing quote is missing"
    elif "SIGN" in expected and "STAR" in expected:
        hint = "; a phrase of several words stands in quotes"
    elif expected == {"STAR"}:
        hint = "; a number that is a name stands in quotes"
    return ExpressionError(
        f"{found} cannot stand here; {could} could{hint}", expression=expression, column=place + 1
    )


def listed(names: Collection[str]) -> str:
    """Write names in a message: the first 40, and how many more there are.

    Examples
    --------
    >>> listed(["up", "plural"]), listed([f"x{n}" for n in range(50)])[-20:]
    ('up, plural', 'x38, x39 and 10 more')
    """
    more = len(names) - _MOST
    return ", ".join(islice(names, _MOST)) + (f" and {more:,} more" if more > 0 else "")
