r"""Expression text to a tree, with the place of every error.

::

    sum      ["+" | "-"] product (("+" | "-") product)*
    product  (number "*")* factor (("*" | "/") number)*
    factor   a word: letters, then letters, digits, marks, apostrophes; hyphens inside
             an emoji
             "a phrase"       in double or single quotes
             #1234            a token by its id
             token("▁sea")    a token by the vocabulary's own string
             model("a word")  a word or phrase as the model itself builds it
             mean(sum, ...) | unit(sum) | (sum)
             name(sum)        a direction, applied
             direction(sum:sum, ...) | direction(name)
                              what a direction adds

A hyphenated word is one word; a sign that adds or subtracts stands between spaces.
"""

import math
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cache
from typing import cast

from lark import Lark, Token, Tree, UnexpectedInput

from ...errors import ExpressionError
from .checks import FUNCTIONS
from .explain import explain, listed

_LONGEST = 10_000  # characters
_DEEPEST = 50  # brackets in brackets

_GRAMMAR = r"""
sum: SIGN? product (SIGN product)*
product: (NUMBER STAR)* _factor ((STAR | SLASH) NUMBER)*
_factor: name | call | "(" sum ")"
name: WORD | EMOJI | PHRASE | ID
call: FUNCTION "(" _argument ("," _argument)* ")"
_argument: sum | pair
pair: sum ":" sum

SIGN: "+" | "-"
STAR: "*"
SLASH: "/"
NUMBER: /[0-9]+(\.[0-9]*)?([eE][+-]?[0-9]+)?|\.[0-9]+([eE][+-]?[0-9]+)?/
FUNCTION.2: /[\p{L}_][\p{L}\p{M}\p{N}_]*(?=\s*\()/
WORD: /\p{L}[\p{L}\p{M}\p{N}_'’·\u200C\u200D]*(-[\p{L}\p{M}\p{N}_'’·\u200C\u200D]+)*/
ID: /\#[0-9]+/
PHRASE: /"([^"\\]|\\.)*"|'([^'\\]|\\.)*'/
EMOJI.3: /\p{RI}\p{RI}|[0-9#*]\uFE0F?\u20E3|\U0001F3F4[\U000E0020-\U000E007F]+/
       | /\p{ExtPict}(\uFE0F|\p{EMod})?(\u200D\p{ExtPict}(\uFE0F|\p{EMod})?)*/

%ignore /\s+/
"""

_ESCAPE = re.compile(r"\\(x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|.)", re.DOTALL)
_CONTROLS = {"n": "\n", "r": "\r", "t": "\t"}


@dataclass(frozen=True)
class Name:
    """What stands for one vector.

    Attributes
    ----------
    kind : str
        ``word``, ``emoji``, ``phrase``, ``id``, ``token`` or ``model``.
    text : str
        The word, the emoji, the phrase without its quotes, the digits, the vocabulary's string,
        what the model reads.
    column : int
        Where it starts, counted from 1.

    Examples
    --------
    >>> parse('"hot dog"')
    Name(kind='phrase', text='hot dog', column=1)
    """

    kind: str
    text: str
    column: int


@dataclass(frozen=True)
class Sum:
    """Nodes, each with its weight.

    Examples
    --------
    >>> [weight for weight, _ in parse("2*king - man/4").terms]
    [2.0, -0.25]
    """

    terms: tuple[tuple[float, "Node"], ...]


@dataclass(frozen=True)
class Call:
    """A function of nodes: ``mean`` of one or more, ``unit`` or a direction of one.

    ``direction`` itself has pairs, or the name of one.

    Examples
    --------
    >>> parse("unit(sea)")
    Call(function='unit', arguments=(Name(kind='word', text='sea', column=6),), column=1)
    """

    function: str
    arguments: tuple["Argument", ...]
    column: int


@dataclass(frozen=True)
class NodePair:
    """Two nodes that a direction is learned from, and the column where they start.

    Examples
    --------
    >>> pair = parse("direction(man:woman)").arguments[0]
    >>> pair.base.text, pair.target.text, pair.column
    ('man', 'woman', 11)
    """

    base: "Node"
    target: "Node"
    column: int


Node = Name | Sum | Call
Argument = Node | NodePair


def summands(node: Node) -> tuple[Node, ...]:
    """Give what a sum or a mean of several adds up, what has a weight below zero left out.

    Examples
    --------
    >>> [name.text for name in summands(parse("(king - man + woman)/2"))]
    ['king', 'woman']
    >>> summands(parse("king"))
    ()
    """
    if isinstance(node, Sum) and len(node.terms) > 1:
        return tuple(term for weight, term in node.terms if weight > 0)
    if isinstance(node, Sum):
        return summands(node.terms[0][1])
    if isinstance(node, Call) and node.function in {"mean", "unit"}:
        parts = tuple(part for part in node.arguments if not isinstance(part, NodePair))
        return parts if len(parts) > 1 else summands(parts[0])
    return ()


def parse(expression: str, *, directions: Collection[str] | None = None) -> Node:
    """Read an expression.

    Parameters
    ----------
    expression : str
        What was written.
    directions : collection of str, optional
        The names of directions: another function is refused. Any is taken where it is None.

    Raises
    ------
    ExpressionError
        It does not parse: names the column and what could stand there. It is longer than 10,000
        characters or has more than 50 brackets in one another. There is no such direction.

    Examples
    --------
    >>> parse("king - 0.5*man")
    Sum(terms=((1.0, Name(kind='word', text='king', column=1)), (-0.5, Name(kind='word', \
text='man', column=12))))
    """
    if len(expression) > _LONGEST:
        raise ExpressionError(
            f"{len(expression):,} characters; an expression has at most {_LONGEST:,}",
            expression=expression[:40] + "…",
            column=1,
        )
    try:
        tree = parser().parse(expression)
    except UnexpectedInput as error:
        raise explain(error, expression, parser()) from error
    node = cast(Node, _node(tree, expression))
    if directions is not None:
        _check_directions(node, directions, expression)
    return node


def bracketed(expression: str) -> str:
    """Put brackets round an expression that is more than one name or function.

    Examples
    --------
    >>> bracketed("sea"), bracketed("sea+horse")
    ('sea', '(sea+horse)')
    """
    try:
        alone = not isinstance(parse(expression), Sum)
    except ExpressionError:  # what a residual is called, or longer than is read
        alone = False
    return expression if alone else f"({expression})"


def spelled(text: str) -> str:
    """Write a name as an expression: in quotes where it is not one word or emoji.

    Examples
    --------
    >>> spelled("sea"), spelled("hot dog")
    ('sea', '"hot dog"')
    """
    try:
        node: Node | None = parse(text)
    except ExpressionError:
        node = None
    if isinstance(node, Name) and node.text == text:
        return text
    return quoted(text)


def quoted(text: str) -> str:
    """Write a phrase as an expression: in quotes, its own quotes escaped.

    Examples
    --------
    >>> quoted("hot dog")
    '"hot dog"'
    """
    return '"' + text.replace("\\", r"\\").replace('"', r"\"") + '"'


@cache
def parser() -> Lark:
    """Compile the grammar once."""
    return Lark(_GRAMMAR, parser="lalr", start="sum", regex=True, propagate_positions=True)


def _check_directions(node: Argument, directions: Collection[str], expression: str) -> None:
    """Refuse functions and directions that do not exist."""
    if isinstance(node, NodePair):
        parts: Sequence[Argument] = (node.base, node.target)
    elif isinstance(node, Sum):
        parts = [part for _, part in node.terms]
    else:
        parts = node.arguments if isinstance(node, Call) else ()
    if isinstance(node, Call) and node.function == "direction" and isinstance(parts[0], Name):
        name = parts[0].text
        if name not in directions:
            raise ExpressionError(
                f"{name!r} is no direction; the directions are {listed(directions)}",
                expression=expression,
                column=parts[0].column,
            )
        return
    if isinstance(node, Call) and node.function not in FUNCTIONS:
        name = node.function
        if name not in directions:
            raise ExpressionError(
                f"{name!r} is neither a function ({', '.join(FUNCTIONS)}) nor a direction "
                f"({listed(directions)}); to add what is in brackets, write + before it",
                expression=expression,
                column=node.column,
            )
    for part in parts:
        _check_directions(part, directions, expression)


def _node(tree: Tree[Token], expression: str, depth: int = 0) -> Argument:
    """Make the node of a part of lark's tree, which stands in so many brackets."""
    if depth > _DEEPEST:
        raise ExpressionError(
            f"more than {_DEEPEST} brackets in one another",
            expression=expression,
            column=tree.meta.start_pos + 1,
        )
    parts = [
        part
        if isinstance(part, Token)
        else _node(part, expression, depth + (part.data == "sum"))  # a sum inside is in brackets
        for part in tree.children
    ]
    tokens = [part for part in parts if isinstance(part, Token)]
    nodes = tuple(part for part in parts if not isinstance(part, Token))
    if tree.data == "name":
        return _name(tokens[0], expression)
    if tree.data == "call":
        return _call(tokens[0], nodes, expression)
    if tree.data == "pair":
        base, target = cast(tuple[Node, Node], nodes)
        return NodePair(base, target, tree.meta.start_pos + 1)
    if tree.data == "product":
        return _product(cast(list[Token | Node], parts), expression)
    return _sum(cast(list[Token | Node], parts))


def _name(token: Token, expression: str) -> Name:
    """Take a name out of its quotes or marks."""
    text = str(token)
    if token.type == "ID":
        text = text[1:]
    elif token.type == "PHRASE":
        text = _ESCAPE.sub(_unescape, text[1:-1])
    if not text:
        raise ExpressionError(
            "there is nothing between the quotes; write a word or a phrase there",
            expression=expression,
            column=_column(token),
        )
    return Name(token.type.lower(), text, _column(token))


def _column(token: Token) -> int:
    """Give the place of a token in the whole expression, from 1: line breaks are characters."""
    return (token.start_pos or 0) + 1


def _unescape(escape: re.Match[str]) -> str:
    r"""Give the character of an escape that tokens are displayed with: \u202e, \x1b, \n."""
    code = escape[1]
    if len(code) > 1:
        return chr(int(code[1:], 16)) if int(code[1:], 16) < 0x110000 else "\ufffd"
    return _CONTROLS.get(code, code)


def _call(function: Token, arguments: tuple[Argument, ...], expression: str) -> Node:
    """Check a function and what it is given."""
    column = _column(function)

    def wrong(message: str) -> ExpressionError:
        return ExpressionError(message, expression=expression, column=column)

    first, pairs = arguments[0], [part for part in arguments if isinstance(part, NodePair)]
    if function == "token":
        if len(arguments) > 1 or not isinstance(first, Name) or first.kind != "phrase":
            raise wrong('token takes one string in quotes, as in token("▁sea")')
        return Name("token", first.text, column)
    if function == "model":
        named = isinstance(first, Name) and first.kind in {"word", "phrase", "emoji"}
        if len(arguments) > 1 or not isinstance(first, Name) or not named:
            raise wrong('model takes one word or phrase, as in model("sea horse")')
        return Name("model", first.text, column)
    if function == "direction":
        named = len(arguments) == 1 and isinstance(first, Name) and first.kind == "word"
        if not named and len(pairs) < len(arguments):
            raise wrong(
                "direction takes pairs, as in direction(man:woman, king:queen), or the name of one"
            )
    elif pairs:
        raise wrong("a pair such as man:woman stands in direction(…)")
    elif function != "mean" and len(arguments) > 1:
        raise wrong(f"{function} takes one argument, not {len(arguments)}")
    return Call(str(function), arguments, column)


def _product(parts: Sequence[Token | Node], expression: str) -> Sum:
    """Multiply the numbers of a product into one weight."""
    weight, inverse = 1.0, False
    (node,) = (part for part in parts if not isinstance(part, Token))
    for part in parts:
        if not isinstance(part, Token):
            continue
        if part.type == "NUMBER":
            number = float(part)
            usable = not (inverse and number == 0)
            weight = weight / (number or 1.0) if inverse else weight * number
            if not usable or not math.isfinite(weight):
                raise ExpressionError(
                    f"{str(part)!r} makes no weight that can be used: it is too large, or a "
                    "division by zero",
                    expression=expression,
                    column=_column(part),
                )
        else:
            inverse = part.type == "SLASH"
    return Sum(((weight, node),))


def _sum(parts: Sequence[Token | Node]) -> Node:
    """Give each term its sign."""
    terms, sign = [], 1.0
    for part in parts:
        if isinstance(part, Token):
            sign = -1.0 if part == "-" else 1.0
        elif isinstance(part, Sum) and len(part.terms) == 1:  # a product
            terms.append((sign * part.terms[0][0], part.terms[0][1]))
        else:
            terms.append((sign, part))
    return terms[0][1] if len(terms) == 1 and terms[0][0] == 1.0 else Sum(tuple(terms))
