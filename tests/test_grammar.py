"""Expressions: what they mean, and where they are wrong."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from unembed.errors import ExpressionError
from unembed.geometry.concepts.grammar import parse


@pytest.mark.parametrize(
    ("expression", "terms"),
    [
        ("sea", [(1, "sea", 1)]),
        ("king - man + woman", [(1, "king", 1), (-1, "man", 8), (1, "woman", 14)]),
        ("-water + sea", [(-1, "water", 2), (1, "sea", 10)]),
        ("+ sea", [(1, "sea", 3)]),
        ("sea+horse", [(1, "sea", 1), (1, "horse", 5)]),
        ("merry-go-round - sea", [(1, "merry-go-round", 1), (-1, "sea", 18)]),
        ("l'eau - l’air", [(1, "l'eau", 1), (-1, "l’air", 9)]),
        (
            "Ĳssel + naïve + 東京 + हिन्दी",
            [(1, "Ĳssel", 1), (1, "naïve", 9), (1, "東京", 17), (1, "हिन्दी", 22)],
        ),
        ("🐴 + sea", [(1, "🐴", 1), (1, "sea", 5)]),
        ("❤️ - 👩‍🚀 + 🇧🇷 + 👍🏽", [(1, "❤️", 1), (-1, "👩‍🚀", 6), (1, "🇧🇷", 12), (1, "👍🏽", 17)]),
        ("1️⃣ + 🏴󠁧󠁢󠁥󠁮󠁧󠁿", [(1, "1️⃣", 1), (1, "🏴󠁧󠁢󠁥󠁮󠁧󠁿", 7)]),
        (" sea\n+\thorse ", [(1, "sea", 2), (1, "horse", 8)]),
    ],
)
def test_terms_and_their_columns(expression: str, terms: list[tuple[float, str, int]]) -> None:
    assert [(term.weight, term.name, term.column) for term in parse(expression)] == terms


@pytest.mark.parametrize(
    ("expression", "message", "column"),
    [
        ("", "the end cannot stand here; an emoji or + or - or a word could", 1),
        ("king -", "the end cannot stand here; an emoji or a word could", 7),
        ("king man", "'man' cannot stand here; + or - could", 6),
        ("king + + man", "'+' cannot stand here; an emoji or a word could", 8),
        ("🐴🐟", "'🐟' cannot stand here; + or - could", 2),
        ("sea & horse", "'&' cannot stand here", 5),
        ("12", "'1' cannot stand here", 1),
        ("sea + \ud800", "cannot stand here", 7),
    ],
)
def test_an_error_points_at_the_column(expression: str, message: str, column: int) -> None:
    with pytest.raises(ExpressionError) as caught:
        parse(expression)
    assert message in str(caught.value)
    assert caught.value.column == column
    assert caught.value.expression == expression


def test_the_caret_stands_under_a_wide_character() -> None:
    with pytest.raises(ExpressionError) as caught:
        parse("🐴🐟")
    assert str(caught.value).splitlines()[1:] == ["  🐴🐟", "    ^ column 2"]


@given(st.text())
@example("sea + \n(")
@example("\U000e0067")
def test_any_text_parses_or_is_one_of_our_errors(text: str) -> None:
    try:
        terms = parse(text)
    except ExpressionError as error:
        assert 1 <= error.column <= len(text) + 1  # noqa: PT017 - most texts raise
    else:
        for term in terms:
            assert text[term.column - 1 :].startswith(term.name)


@given(st.lists(st.sampled_from(["sea", "horse", "🐴", "a-b"]), min_size=1), st.data())
def test_a_written_sum_is_read_back(names: list[str], data: st.DataObject) -> None:
    signs = [data.draw(st.sampled_from("+-")) for _ in names]
    text = " ".join(f"{sign} {name}" for sign, name in zip(signs, names, strict=True))
    assert [(term.weight, term.name) for term in parse(text)] == [
        (1.0 if sign == "+" else -1.0, name) for sign, name in zip(signs, names, strict=True)
    ]
