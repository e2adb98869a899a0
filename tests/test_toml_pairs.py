"""Directions in TOML: what is read, and where what is wrong stands."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from unembed.errors import UsageError
from unembed.geometry.concepts.pairs import FEWEST, Pair, PairSet, read_pairs
from unembed.geometry.concepts.usable import fault

FOUR = '["a", "b"], ["c", "d"], ["e", "f"], ["g", "h"]'
GOOD = f"pairs = [{FOUR}]"


@pytest.fixture
def read(tmp_path: Path) -> Callable[[str | bytes], dict[str, PairSet]]:
    """Give a function that writes a file of directions and reads it."""
    path = tmp_path / "my.toml"

    def written(content: str | bytes) -> dict[str, PairSet]:
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return dict(read_pairs(path))

    return written


def test_a_file_of_directions_is_read(read: Callable[..., dict[str, PairSet]]) -> None:
    text = f"""# mine
[colour]
about = "the colour of a thing"
pairs = [
    ["sky", "blue"], ["the grass", "green"],  # and so on
    ["blood", "red"],
    ["snow", "white"],
]
[greek]
region = "greek"
[ "quoted" ]
{GOOD}
"""
    found = read(text)
    assert list(found) == ["colour", "greek", "quoted"]
    assert found["colour"] == PairSet(
        "colour",
        "the colour of a thing",
        (
            Pair("sky", "blue"),
            Pair("the grass", "green"),
            Pair("blood", "red"),
            Pair("snow", "white"),
        ),
    )
    assert found["greek"] == PairSet("greek", "", learned_from="greek")
    assert {name: pairs.own_estimator for name, pairs in found.items()} == {
        "colour": "offset",
        "greek": "category",
        "quoted": "offset",
    }
    assert repr(found["greek"]) == "PairSet('greek', the region greek)"
    for same in (text.replace("\n", "\r\n"), b"\xef\xbb\xbf" + text.encode()):
        assert read(same) == found
    assert read(f"a = {{{GOOD}}}\nb.region = 'x'") == {
        "a": PairSet("a", "", found["quoted"].pairs),
        "b": PairSet("b", "", learned_from="x"),
    }


def test_bases_may_be_targets_and_targets_may_be_many_times(
    read: Callable[..., dict[str, PairSet]],
) -> None:
    pairs = '["a", "b"], ["b", "c"], ["c", "a"], ["d", "a"], ["A", "a"], [" a", "a"], ["b ", "B"]'
    assert len(read(f"[a]\npairs = [{pairs}]")["a"].pairs) == 7


def test_the_bounds_are_those_that_are_named(read: Callable[..., dict[str, PairSet]]) -> None:
    def many(count: int) -> str:
        return "[a]\npairs = [" + ",".join(f'["x{n}", "y"]' for n in range(count)) + "]"

    assert len(read(many(FEWEST))["a"].pairs) == FEWEST
    assert len(read(many(10_000))["a"].pairs) == 10_000
    for count in (0, FEWEST - 1, 10_001):
        wrong = f"line 2: a.pairs is {count:,} pairs; it must be 4 to 10,000 pairs"
        with pytest.raises(UsageError, match=wrong):
            read(many(count))
    long = "x" * 200
    assert read(f'[a]\npairs = [{FOUR}, ["{long}", "y"]]')["a"].pairs[-1].base == long
    with pytest.raises(UsageError, match=r"line 2: a\.pairs\[4\] is .* 1 to 200 characters"):
        read(f'[a]\npairs = [{FOUR}, ["{long}x", "y"]]')


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("x = 1", 1, "x is no table; a direction is a table such as [colour]"),
        (f"[a]\n{GOOD}\n[[b]]\n{GOOD}", 3, "b is no table"),
        (f"\n['a.b']\n{GOOD}", 2, "'a.b' is no name; it has letters, digits and _"),
        (f"[a.b]\n{GOOD}", 1, "a.b is unknown; the keys are about, pairs, region"),
        (f"[a]\n{GOOD}\n[b]\n{GOOD}\n[ b . c ]\n", 5, "b.c is unknown"),
        (f"['']\n{GOOD}", 1, "'' is no name"),
        (f"[a]\n{GOOD}\n['é']\n{GOOD}", 3, "'é' is no name"),
        (f"[2nd]\n{GOOD}", 1, "'2nd' is no name"),
        (f"[a-b]\n{GOOD}", 1, "'a-b' is no name"),
        (f'["\\u001b[31m"]\n{GOOD}', 1, r"'\x1b[31m' is no name"),
        (f"[unit]\n{GOOD}", 1, "unit is the name of a function of expressions; choose another"),
        (f"[direction]\n{GOOD}", 1, "direction is the name of a function"),
        (f"[a]\n{GOOD}\npair = 1", 3, "a.pair is unknown; the keys are about, pairs, region"),
        (f'[a]\n{GOOD}\n"" = 1', 3, "a.'' is unknown"),
        (f'[a]\n{GOOD}\n"x\\ny" = 1', 3, r"a.'x\ny' is unknown"),
        (f"[a]\n{GOOD}\nx.y = 1", 3, "a.x is unknown"),
        (f"[a]\nabout = 1\n{GOOD}", 2, "a.about is 1; it must be a text"),
        (f"[a]\nabout = '{'x' * 1001}'\n{GOOD}", 2, f"a.about is '{'x' * 79}…; it must be a text"),
        (f"[{'x' * 201}]\n{GOOD}", 1, f"'{'x' * 79}… is no name; it has letters, digits and _"),
        ("b = {region = 'x'}\n[a]\nabout = 1", 3, "a.about is 1; it must be a text"),
        (f"[a]\n{GOOD}\nabout = []", 3, "a.about is []; it must be a text"),
        ("[a]\nregion = true", 2, "a.region is True; it must be a text of 1 to 200 characters"),
        ("[a]\nregion = ''", 2, "a.region is ''; it must be a text"),
        (f"[a]\nregion = '{'x' * 201}'", 2, f"a.region is '{'x' * 79}…; it must be a text"),
        ("[a]\nregion = 1979-05-27", 2, "a.region is datetime.date(1979, 5, 27); it must"),
        ("[a]\nregion.x = 1", 2, "a.region is {'x': 1}; it must be a text"),
        ("[a]", 1, "a must have either pairs or a region"),
        (f"[b]\n{GOOD}\n[a]\nabout = 'x'", 3, "a must have either pairs or a region"),
        (f"[a]\n{GOOD}\nregion = 'x'", 1, "a must have either pairs or a region"),
        ("[a]\npairs = 'a'", 2, "a.pairs is 'a'; it must be 4 to 10,000 pairs"),
        ("[a]\npairs = {}", 2, "a.pairs is {}; it must be 4 to 10,000 pairs"),
        ("[a]\npairs = []", 2, "a.pairs is 0 pairs; it must be 4 to 10,000 pairs"),
        (f"[a]\npairs = [{FOUR}, 7]", 2, "a.pairs[4] is 7; a pair is two texts of 1 to 200"),
        (f"[a]\npairs = [{FOUR}, 'ab']", 2, "a.pairs[4] is 'ab'; a pair is two texts"),
        (f"[a]\npairs = [{FOUR},\n[]]", 3, "a.pairs[4] is []; a pair is two texts"),
        (f"[a]\npairs = [{FOUR},\n['x']]", 3, "a.pairs[4] is ['x']; a pair is two texts"),
        (f"[a]\npairs = [{FOUR},\n['x', 'y', 'z']]", 3, "a.pairs[4] is ['x', 'y', 'z']"),
        (f"[a]\npairs = [{FOUR},\n['x', 5]]", 3, "a.pairs[4] is ['x', 5]"),
        (f"[a]\npairs = [{FOUR},\n['x', ['y']]]", 3, "a.pairs[4] is ['x', ['y']]"),
        (f"[a]\npairs = [{FOUR},\n['x', '']]", 3, "a.pairs[4] is ['x', '']"),
        (f"[a]\npairs = [{FOUR},\n['\t', 'x']]", 3, r"a.pairs[4] is ['\t', 'x']"),
        (f"[a]\npairs = [{FOUR},\n{{x = 1}}]", 3, "a.pairs[4] is {'x': 1}"),
        (f"[a]\npairs = [{FOUR}, ['x', 'x']]", 2, "a.pairs[4] is ['x', 'x'], which is twice"),
        (
            f"[a]\npairs = [{FOUR}, ['a', 'b']]",
            2,
            "a.pairs[4] is ['a', 'b'], but 'a' is there before; leave one out",
        ),
        (
            f"[a]\npairs = [{FOUR}, ['a', 'x']]",
            2,
            "a.pairs[4] is ['a', 'x'], but 'a' has 'b' before; leave one out",
        ),
    ],
)
def test_what_is_wrong_is_named_with_its_line_and_key(
    read: Callable[..., dict[str, PairSet]], tmp_path: Path, text: str, line: int, message: str
) -> None:
    with pytest.raises(UsageError) as caught:
        read(text)
    assert str(caught.value).startswith(f"{tmp_path / 'my.toml'}, line {line}: {message}")


TWICE = [
    # One pair a line, and what looks like the pair before and after it.
    (
        '[z]\npairs = [["a", "x"],\n["b", "a"], ["d", "x"], ["c", "x"]]\n'
        '[a]\npairs = [\n  ["a", "b"],\n  ["c", "d"],\n  ["e", "f"],\n  ["a", "b"],  # here\n'
        '  ["ab", "abba"],\n  ["b", "a"],\n]\n[y]\npairs = [["a", "b"]]'
    ),
    # Many on a line.
    '[a]\npairs = [["a", "b"], ["c", "d"],\n["e", "f"], ["a", "b"], ["g", "h"],  # here\n]',
    # Over several lines, with comments, escapes and texts that look like TOML.
    (
        '[a]\nabout = """\n[a]\npairs = [["a", "b"]]"""\npairs = [ # ["a", "b"],\n["a", \'b\'],\n'
        '["]", "["],["#", "=,"],\n[  # here\n"\\u0061", """\nb"""\n],["x", "y"]]'
    ),
    # The keys of a table in one of their other spellings.
    '"\\u0061" . pairs = [["a", "b"], ["c", "d"], ["e", "f"],\n["a", "b"]]  # here',
    # A line separator that is no end of a line.
    (
        '[a]\nabout = "\u2028\u0085"\npairs = [["a", "b"], ["c", "d"],\n["e", "f"],\n'
        '["a", "b"]]  # here'
    ),
    (
        "[a]\nabout = ''''x'\n'y''''\npairs = [['a', 'b'], ['c', 'd'], ['e', 'f'],\n"
        "['a', 'b']]  # here"
    ),
    (
        '[a]\nabout = """"x\\"""\n""y"""""\npairs = [["a", "b"], ["c", "d"], ["e", "f"],\n'
        '["a", "b"]]  # here'
    ),
]


@pytest.mark.parametrize("text", TWICE)
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_the_line_is_that_of_the_second_of_a_pair_that_is_there_twice(
    read: Callable[..., dict[str, PairSet]], text: str, end: str
) -> None:
    line = 1 + next(n for n, written in enumerate(text.split("\n")) if "# here" in written)
    with pytest.raises(UsageError) as caught:
        read(text.replace("\n", end))
    assert f", line {line}: a.pairs[" in str(caught.value)
    assert "is ['a', 'b'], but 'a' is there before" in str(caught.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "has no direction; a direction is a table such as [colour]"),
        (b"# nothing", "has no direction"),
        (b"[a\n", "is no TOML: Expected ']' at the end of a table declaration (at line 1"),
        (b"a = 1\na = 2\n", "is no TOML: Cannot overwrite a value (at line 2"),
        (b'[a]\npairs = [["a", "\\ud800"]]', "is no TOML: Escaped character is not a Unicode"),
        (b"[a]\nabout = '\xff'", "the directions cannot be read: 'utf-8' codec can't decode"),
        ("[a]".encode("utf-16"), "the directions cannot be read: 'utf-8' codec"),
        (b"\x00", "is no TOML: "),
        (b"[" + b"x" * 9000 + b"]\n[" + b"x" * 9000 + b"]", "is no TOML: Cannot declare ('xxx"),
        (b"[a]\npairs = [['" + b"x" * 200 + b"', '" + b"x" * 200 + b"']]", "is 1 pairs; it must"),
        (
            f"[a]\npairs = [{FOUR}, ['{'x' * 200}', '{'x' * 200}']]".encode(),
            f"a.pairs[4] is ['{'x' * 78}…, which is twice the same",
        ),
        (
            f"[a]\npairs = [{FOUR}, ['{'x' * 200}', 'a'], ['{'x' * 200}', 'b']]".encode(),
            f"…, but '{'x' * 79}… has 'a' before; leave one out",
        ),
        (b"x = " + b"[" * 100_000, "is no TOML: maximum recursion depth exceeded"),
        (b"x = " + b"9" * 5000, "is no TOML: Exceeds the limit (4300 digits)"),
        (b"[a]\n" + b".".join([b"x"] * 50_000) + b" = 1", "more than 1,000 dots; break it"),
        (b"[" + b".".join([b'"x"'] * 50_000) + b"]", "more than 1,000 dots; break it"),
        (b"[a]\nregion = 0x" + b"f" * 9000, "line 2: a.region is a int too large to show; it"),
        (b"[a]\npairs = 0x" + b"f" * 9000, "line 2: a.pairs is a int too large to show; it"),
        (b"[a]\nregion" + b".x" * 1000 + b" = 1", "line 2: a.region is a dict too large to show"),
        (b"[a]\npairs = " + b"[" * 300 + b"]" * 300, "line 2: a.pairs is 1 pairs; it must be 4"),
        (b"[a]\nabout = '" + b"x" * (4 << 20) + b"'", "4,194,318 bytes; directions have at most"),
    ],
)
def test_what_is_no_such_file_is_refused(
    read: Callable[..., dict[str, PairSet]], tmp_path: Path, content: bytes, message: str
) -> None:
    with pytest.raises(UsageError) as caught:
        read(content)
    assert str(caught.value).startswith(str(tmp_path / "my.toml"))
    assert message in str(caught.value)
    assert len(str(caught.value)) < 400 + len(str(tmp_path))


@pytest.mark.parametrize("name", ["nosuch.toml", "folder", "pipe", "x" * 300, "a\0b", "/dev/zero"])
def test_what_is_no_file_is_not_read(tmp_path: Path, name: str) -> None:
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(UsageError, match="there is no such file of directions"):
        read_pairs(tmp_path / name)


VALUES = st.recursive(
    st.sampled_from(["1", "true", "'x'", '"y"', '"""\nz"""', "''", "1.5", "07:32:00"]),
    lambda inside: st.lists(inside, max_size=5).map(lambda parts: f"[{', '.join(parts)}]"),
    max_leaves=12,
)
KEYS = st.sampled_from(["pairs", "region", "about", "x", "a.b", '"c.d"', "unit", "''"])
LINES = st.one_of(
    st.tuples(KEYS, VALUES).map(" = ".join),
    KEYS.map("[{}]".format),
    st.sampled_from(["# x", "[[a]]", GOOD, "[a]", "[b] # ]", "\t", "pairs = [", FOUR, "]", "'"]),
)


@settings(
    deadline=None, max_examples=120, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.one_of(st.binary(), st.text().map(str.encode), st.lists(LINES).map("\n".join)))
@example(f"[a]\n{GOOD}")
@example("[a]\nregion = 'greek'\n[b]\nregion = 'x'")
def test_any_file_is_directions_or_one_of_our_errors(
    read: Callable[..., dict[str, PairSet]], content: str | bytes
) -> None:
    try:
        found = read(content)
    except UsageError as error:
        assert "my.toml" in str(error)  # noqa: PT017 - most files raise
        return
    assert found
    for name, pairs in found.items():
        assert pairs.name == name
        assert name.isidentifier()
        assert len(pairs.pairs) >= FEWEST or (pairs.learned_from is not None and not pairs.pairs)
        assert fault(pairs) is None


WORDS = st.text(
    st.characters(exclude_categories=["Cs", "Cc"], exclude_characters='"\\'), min_size=1, max_size=9
).filter(str.strip)


@settings(
    deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    st.dictionaries(WORDS, WORDS, min_size=FEWEST).filter(
        lambda pairs: (
            len({frozenset((base.casefold(), target.casefold())) for base, target in pairs.items()})
            == len(pairs)
            and all(base != target for base, target in pairs.items())
        )
    ),
    st.data(),
)
def test_what_is_written_is_read_and_the_line_of_a_pair_is_found(
    read: Callable[..., dict[str, PairSet]], pairs: dict[str, str], data: st.DataObject
) -> None:
    rows = [f'["{base}", "{target}"]' for base, target in pairs.items()]
    breaks = st.sampled_from([", ", ",\n", ",  # [x]\n\n", ',\n  # "\n'])
    gaps = data.draw(st.lists(breaks, min_size=len(rows), max_size=len(rows)))
    text = "[a]\npairs = [" + "".join(map("".join, zip(rows, gaps, strict=True)))
    found = read(f"{text}]")["a"].pairs
    assert {pair.base: pair.target for pair in found} == pairs
    again = data.draw(st.sampled_from(rows))
    with pytest.raises(UsageError) as caught:
        read(f"{text}{again}]\n[b]\npairs = [{again}]")
    line = 1 + text.count("\n")
    assert f", line {line}: a.pairs[{len(rows)}] is [" in str(caught.value)
