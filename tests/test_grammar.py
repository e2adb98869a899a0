"""Expressions: what they mean, and where they are wrong."""

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from unembed.errors import ExpressionError
from unembed.geometry.concepts.grammar import (
    Call,
    Name,
    Node,
    NodePair,
    Sum,
    bracketed,
    parse,
    spelled,
)


def word(text: str, column: int) -> Name:
    return Name("word", text, column)


def linear(node: Node | NodePair, weight: float = 1.0) -> dict[tuple[str, str], float]:
    """The weight of each name; `unit` and directions are taken as names of their own."""
    if isinstance(node, NodePair):
        return {("pair", repr([rounded(node.base), rounded(node.target)])): weight}
    if isinstance(node, Name):
        return {(node.kind, node.text): weight}
    if isinstance(node, Call) and node.function != "mean":
        return {(node.function, repr([rounded(part) for part in node.arguments])): weight}
    if isinstance(node, Call):
        share = weight / len(node.arguments)
        parts = [linear(argument, share) for argument in node.arguments]
    else:
        parts = [linear(term, weight * factor) for factor, term in node.terms]
    total: dict[tuple[str, str], float] = {}
    for part in parts:
        for key, value in part.items():
            total[key] = total.get(key, 0.0) + value
    return total


def rounded(node: Node | NodePair) -> list[tuple[tuple[str, str], float]]:
    """The names of a node in order, their weights without their rounding."""
    return [(key, round(value, 9)) for key, value in sorted(linear(node).items())]


@pytest.mark.parametrize(
    ("expression", "node"),
    [
        ("sea", word("sea", 1)),
        ("(sea)", word("sea", 2)),
        ("+ sea", word("sea", 3)),
        (
            "king - man + woman",
            Sum(((1.0, word("king", 1)), (-1.0, word("man", 8)), (1.0, word("woman", 14)))),
        ),
        ("-water + sea", Sum(((-1.0, word("water", 2)), (1.0, word("sea", 10))))),
        ("0.5*sea + horse", Sum(((0.5, word("sea", 5)), (1.0, word("horse", 11))))),
        ("2 * 3 * sea * 4 / 8", Sum(((3.0, word("sea", 9)),))),
        ("-1e1*sea", Sum(((-10.0, word("sea", 6)),))),
        (".5*sea - horse/2", Sum(((0.5, word("sea", 4)), (-0.5, word("horse", 10))))),
        ("mean(cat, dog)", Call("mean", (word("cat", 6), word("dog", 11)), 1)),
        ("unit(cat)", Call("unit", (word("cat", 6),), 1)),
        ("mean + unit", Sum(((1.0, word("mean", 1)), (1.0, word("unit", 8))))),
        ("emoji + direction", Sum(((1.0, word("emoji", 1)), (1.0, word("direction", 9))))),
        ("emoji(seahorse)", Call("emoji", (word("seahorse", 7),), 1)),
        ("emoji (x)", Call("emoji", (word("x", 8),), 1)),
        ("naïve_2(x)", Call("naïve_2", (word("x", 9),), 1)),
        ("_mine(x)", Call("_mine", (word("x", 7),), 1)),
        ("up(down(x))", Call("up", (Call("down", (word("x", 9),), 4),), 1)),
        ("2*up(x - y)/4", Sum(((0.5, Call("up", (parse("     x - y"),), 3)),))),
        ("direction(plural)", Call("direction", (word("plural", 11),), 1)),
        ("direction((plural))", Call("direction", (word("plural", 12),), 1)),
        (
            "direction(man:woman, king : 'drag queen')",
            Call(
                "direction",
                (
                    NodePair(word("man", 11), word("woman", 15), 11),
                    NodePair(word("king", 22), Name("phrase", "drag queen", 29), 22),
                ),
                1,
            ),
        ),
        (
            "x - direction(2*a:up(b))",
            Sum(
                (
                    (1.0, word("x", 1)),
                    (
                        -1.0,
                        Call(
                            "direction",
                            (
                                NodePair(
                                    Sum(((2.0, word("a", 17)),)),
                                    Call("up", (word("b", 22),), 19),
                                    15,
                                ),
                            ),
                            5,
                        ),
                    ),
                )
            ),
        ),
        ("+direction(a:b)", Call("direction", (NodePair(word("a", 12), word("b", 14), 12),), 2)),
        ('"hot dog"', Name("phrase", "hot dog", 1)),
        ("'hot dog'", Name("phrase", "hot dog", 1)),
        (r'"a\"\\\n\x41\u202e\U0001f434"', Name("phrase", 'a"\\\nA\u202e🐴', 1)),
        ('"\u3000\ta\n"', Name("phrase", "\u3000\ta\n", 1)),
        ("#1234", Name("id", "1234", 1)),
        ('token("▁sea")', Name("token", "▁sea", 1)),
        ("merry-go-round - x", Sum(((1.0, word("merry-go-round", 1)), (-1.0, word("x", 18))))),
        ("l'eau - l’air", Sum(((1.0, word("l'eau", 1)), (-1.0, word("l’air", 9))))),
        ("हिन्दी + 東京", Sum(((1.0, word("हिन्दी", 1)), (1.0, word("東京", 10))))),
        (" sea\n+\thorse ", Sum(((1.0, word("sea", 2)), (1.0, word("horse", 8))))),
    ],
)
def test_what_is_written_is_read(expression: str, node: Node) -> None:
    assert parse(expression) == node


@pytest.mark.parametrize(
    "emoji", ["🐴", "❤️", "👩‍🚀", "🇧🇷", "👍🏽", "1️⃣", "#️⃣", "🏴󠁧󠁢󠁥󠁮󠁧󠁿", "🏴‍☠️", "👨‍👩‍👧‍👦", "©"]
)
def test_an_emoji_is_one_name(emoji: str) -> None:
    assert parse(emoji) == Name("emoji", emoji, 1)
    terms = parse(f"2*{emoji} - {emoji}")
    assert linear(terms) == {("emoji", emoji): 1.0}


@pytest.mark.parametrize(
    ("expression", "message", "column"),
    [
        ("", "the end cannot stand here; +, -, a number, a word, an emoji, a quoted phrase", 1),
        ("king -", "the end cannot stand here; a number, a word", 7),
        ("king man", "'man' cannot stand here; +, -, *, / or the end could; a phrase", 6),
        ("(king man", "'man' cannot stand here; +, -, *, / or ) could", 7),
        ("mean(king man", "'man' cannot stand here; +, -, *, /, ), a comma or : could", 11),
        ("king + + man", "'+' cannot stand here; a number", 8),
        ("2 king", "'king' cannot stand here; * could", 3),
        ("king * man", "'man' cannot stand here; a number could", 8),
        ("2*-sea", "'-' cannot stand here", 3),
        ("12", "the end cannot stand here; * could", 3),
        ("🐴🐟", "'🐟' cannot stand here", 2),
        ("sea\n& horse", "'&' cannot stand here", 5),
        ("sea + \ud800", "cannot stand here", 7),
        ("sea\u2212horse", "'−' cannot stand here", 4),
        ('"open', "its closing quote is missing", 1),
        ('sea + ""', "nothing between the quotes", 7),
        ("sea)", "')' cannot stand here", 4),
        ("mean()", "')' cannot stand here", 6),
        ("#x", "'#' cannot stand here", 1),
        ("unit(a, b)", "unit takes one argument, not 2", 1),
        ("x + emoji(a, b)", "emoji takes one argument, not 2", 5),
        ("x + emoji(a:b)", "a pair such as man:woman stands in direction(…)", 5),
        ("mean(a, a:b)", "a pair such as man:woman stands in direction(…)", 1),
        ("unit(a:b)", "a pair such as man:woman stands in direction(…)", 1),
        ("token(a:b)", "token takes one string in quotes", 1),
        ("x - direction(a:b, c)", "direction takes pairs, as in direction(man:woman, king:qu", 5),
        ("direction(a, b)", "or the name of one", 1),
        ("direction(a + b)", "direction takes pairs", 1),
        ("direction(2*a)", "direction takes pairs", 1),
        ("direction(up(a))", "direction takes pairs", 1),
        ('direction("a")', "direction takes pairs", 1),
        ("direction(#5)", "direction takes pairs", 1),
        ("direction()", "')' cannot stand here", 11),
        ("direction(a:b:c)", "':' cannot stand here; +, -, *, /, ) or a comma could", 14),
        ("direction(a:b,)", "')' cannot stand here", 15),
        ("direction(a:)", "')' cannot stand here", 13),
        ("direction(:b)", "':' cannot stand here", 11),
        ("a:b", "':' cannot stand here; +, -, *, / or the end could", 2),
        ("(a:b)", "':' cannot stand here; +, -, *, / or ) could", 3),
        ("up(a)(b)", "'(' cannot stand here", 6),
        ("up-down(a)", "'(' cannot stand here", 8),
        ("2(a)", "'(' cannot stand here; * could", 2),
        ("x - token(sea)", 'token takes one string in quotes, as in token("▁sea")', 5),
        ('token("a", "b")', "token takes one string", 1),
        ("sea/0", "'0' makes no weight", 5),
        ("1e999*sea", "'1e999' makes no weight", 1),
        ("1e300*1e300*sea", "'1e300' makes no weight", 7),
        ("sea/1e-300/1e-300", "'1e-300' makes no weight", 12),
        ("a" * 10_001, "10,001 characters; an expression has at most 10,000", 1),
        ("(" * 51 + "sea" + ")" * 51, "more than 50 brackets in one another", 52),
        ("up(" * 51 + "sea" + ")" * 51, "more than 50 brackets in one another", 154),
        ("direction(a:" * 51 + "b" + ")" * 51, "more than 50 brackets in one another", 611),
        ('"' + ")" * 3000 + '" + ' + "(" * 3000 + "a" + ")" * 3000, "more than 50 brackets", 3057),
    ],
)
def test_an_error_points_at_the_column(expression: str, message: str, column: int) -> None:
    with pytest.raises(ExpressionError) as caught:
        parse(expression)
    assert message in str(caught.value)
    assert caught.value.column == column


DIRECTIONS = ("up", "plural", "emoji_de")


@pytest.mark.parametrize(
    "expression",
    [
        "up(a)",
        "direction(plural) + mean(unit(a), emoji_de(b))",
        "direction(up(a):b)",
        "foo + token",
    ],
)
def test_directions_that_there_are_may_be_named(expression: str) -> None:
    assert parse(expression, directions=DIRECTIONS) == parse(expression)


@pytest.mark.parametrize(
    ("expression", "name", "column"),
    [
        ("sea + foo(cat)", "foo", 7),
        ("foo(nosuch(cat))", "foo", 1),
        ("up(nosuch(cat))", "nosuch", 4),
        ("mean(a, unit(2*foo(b)))", "foo", 16),
        ("direction(a:b, c:d - foo(e))", "foo", 22),
        ("direction(foo(a):b)", "foo", 11),
        ("Up(a)", "Up", 1),
    ],
)
def test_an_unknown_function_is_pointed_at(expression: str, name: str, column: int) -> None:
    with pytest.raises(ExpressionError) as caught:
        parse(expression, directions=DIRECTIONS)
    assert caught.value.message == (
        f"{name!r} is neither a function (mean, unit, token, model, direction) nor a direction "
        "(up, plural, emoji_de); to add what is in brackets, write + before it"
    )
    assert caught.value.column == column
    assert isinstance(parse(expression), Call | Sum)  # where any direction is taken


@pytest.mark.parametrize("name", ["foo", "unit", "mean", "token", "direction", "Up"])
def test_an_unknown_direction_is_pointed_at(name: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        parse(f"sea - up(direction({name}))", directions=DIRECTIONS)
    assert (
        caught.value.message
        == f"{name!r} is no direction; the directions are {', '.join(DIRECTIONS)}"
    )
    assert caught.value.column == 20


def test_of_many_directions_forty_are_named() -> None:
    many = [f"x{n}" for n in range(1000)]
    assert parse("x999(a)", directions=many) == parse("x999(a)")
    for expression in ("foo(a)", "direction(foo)"):
        with pytest.raises(ExpressionError) as caught:
            parse(expression, directions=many)
        assert "x38, x39 and 960 more" in caught.value.message
        assert "x40" not in caught.value.message


@pytest.mark.parametrize(
    ("expression", "alone"),
    [
        ("sea", True),
        ("up(sea)", True),
        ("direction(a:b)", True),
        ("(a)", True),
        ("a + b", False),
        ("-a", False),
        ("2*a", False),
        ("a residual", False),
        ("a" * 10_001, False),
    ],
)
def test_brackets_stand_round_what_is_more_than_one(expression: str, alone: bool) -> None:
    assert bracketed(expression) == (expression if alone else f"({expression})")


def test_fifty_brackets_and_ten_thousand_characters_are_read() -> None:
    assert parse("(" * 50 + "sea" + ")" * 50) == word("sea", 51)
    assert parse("a" * 10_000) == word("a" * 10_000, 1)


def test_the_caret_stands_under_a_wide_character() -> None:
    with pytest.raises(ExpressionError) as caught:
        parse("🐴🐟")
    assert str(caught.value).splitlines()[1:] == ["  🐴🐟", "    ^ column 2"]


PIECES = st.sampled_from(
    [
        *("sea", "a-b", "🐴", "❤️", "mean", "unit", "token", "direction", "up(", "12", "0", "e9"),
        *"\"'\\()+-*/,#.e:_",
        *(" ", "\n", "\u3000", "\x00", "\x1c", "\u202e", "\ud800"),
    ]
)


@settings(deadline=None)
@given(st.one_of(st.text(), st.lists(PIECES, max_size=12).map("".join)))
@example("sea + \n(")
@example("\U000e0067")
def test_any_text_parses_or_is_one_of_our_errors(text: str) -> None:
    try:
        parse(text, directions=DIRECTIONS)
    except ExpressionError as error:
        assert 1 <= error.column <= len(text) + 1  # noqa: PT017 - most texts raise


@given(st.text(min_size=1))
def test_a_quoted_text_is_that_text(text: str) -> None:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    assert parse(f'"{escaped}"') == Name("phrase", text, 1)
    named = parse(spelled(text))
    assert isinstance(named, Name)
    assert named.text == text


NAMES = st.sampled_from(
    [
        ("sea", ("word", "sea")),
        ("well-known", ("word", "well-known")),
        ("l'eau", ("word", "l'eau")),
        ("🐴", ("emoji", "🐴")),
        ('"hot dog"', ("phrase", "hot dog")),
        ("#12", ("id", "12")),
        ('token("▁sea")', ("token", "▁sea")),
    ]
)
NUMBERS = st.sampled_from(["2", "0.5", ".25", "1e-1", "3.", "0"])
Tree = tuple[str, dict[tuple[str, str], float]]


def added(parts: list[tuple[float, Tree]]) -> dict[tuple[str, str], float]:
    total: dict[tuple[str, str], float] = {}
    for weight, (_, weights) in parts:
        for key, value in weights.items():
            total[key] = total.get(key, 0.0) + weight * value
    return total


def inside(weights: dict[tuple[str, str], float]) -> list[tuple[tuple[str, str], float]]:
    return [(key, round(value, 9)) for key, value in sorted(weights.items())]


@st.composite
def larger(draw: st.DrawFn, smaller: st.SearchStrategy[Tree]) -> Tree:
    """A text and the weights that it must have, made of smaller ones."""
    parts = draw(st.lists(smaller, min_size=1, max_size=3))
    shape = draw(st.sampled_from(["sum", "mean", "times", "over", "unit", "up", "direction"]))
    space = draw(st.sampled_from([" ", "  ", "\n"]))
    if shape == "mean":
        written = f"mean({f',{space}'.join(text for text, _ in parts)})"
        return written, added([(1 / len(parts), part) for part in parts])
    if shape in {"unit", "up"}:
        text, weights = parts[0]
        return f"{shape}({text})", {(shape, repr([inside(weights)])): 1.0}
    if shape == "direction":
        (base, first), (target, second) = parts[0], parts[-1]
        pair = ("pair", repr([inside(first), inside(second)]))
        return f"direction({base}{space}:{target})", {("direction", repr([[(pair, 1.0)]])): 1.0}
    if shape == "times":
        number = draw(NUMBERS)
        return f"{number}{space}*({parts[0][0]})", added([(float(number), parts[0])])
    if shape == "over":
        number = draw(NUMBERS.filter(lambda text: text != "0"))
        return f"({parts[0][0]})/{number}", added([(1 / float(number), parts[0])])
    signs = [draw(st.sampled_from("+-")) for _ in parts]
    written = space.join(
        f"{sign}{space}({text})" for sign, (text, _) in zip(signs, parts, strict=True)
    )
    return written, added([(float(f"{s}1"), part) for s, part in zip(signs, parts, strict=True)])


TREES = st.recursive(NAMES.map(lambda name: (name[0], {name[1]: 1.0})), larger, max_leaves=8)


@settings(deadline=None)
@given(TREES)
def test_a_written_tree_is_the_same_combination(tree: Tree) -> None:
    text, weights = tree
    assert linear(parse(text)) == pytest.approx(weights)
