"""The weights of a sum as they are written, so that they can be written anew."""

from dataclasses import dataclass

from lark import Token, Tree

from .grammar import parse, parser


@dataclass(frozen=True)
class Term:
    """A term of a sum.

    Attributes
    ----------
    weight : float
        With its sign.
    text : str
        What it weighs, as it is written: it stands alone, or behind a number and a star.

    Examples
    --------
    >>> Term(0.5, "horse").weight
    0.5
    """

    weight: float
    text: str


def terms_of(expression: str) -> tuple[Term, ...]:
    """Give the terms of a sum; an expression that is no sum is the one term of its own.

    Raises
    ------
    ExpressionError
        It does not parse.

    Examples
    --------
    >>> terms_of('sea - 2*mean(cat, "hot dog")/4')
    (Term(weight=1.0, text='sea'), Term(weight=-0.5, text='mean(cat, "hot dog")'))
    """
    parse(expression)  # says what is wrong; then lark's own tree knows what stands where
    tree = parser().parse(expression)
    found, sign = [], 1.0
    for part in tree.children:
        if isinstance(part, Token):
            sign = -1.0 if part == "-" else 1.0
        else:
            found.append(_term(part, expression, sign))
    return tuple(found)


def _term(product: Tree[Token], expression: str, sign: float) -> Term:
    """Divide a product into its numbers and the one factor that is none."""
    start, end = product.meta.start_pos, product.meta.end_pos
    weight, inverse, behind = sign, False, False
    for part in product.children:
        if not isinstance(part, Token):
            behind = True
        elif part.type == "NUMBER":
            weight = weight / float(part) if inverse else weight * float(part)
        else:
            inverse = part.type == "SLASH"
            if behind:
                end = min(end, part.start_pos or 0)
            else:
                start = part.end_pos or 0
    return Term(weight, expression[start:end].strip())
