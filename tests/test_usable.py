"""Pairs that others hand over: what a file or a mapping may hold, and what not."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from unembed import open_head
from unembed.errors import UsageError
from unembed.geometry.concepts.checks import name_fault
from unembed.geometry.concepts.pairs import Pair, PairSet, read_pairs
from unembed.geometry.concepts.usable import check_given

Make = Callable[..., Path]
GOOD = 'pairs = [["a", "b"], ["c", "d"], ["e", "f"], ["g", "h"]]'


@pytest.fixture
def read(tmp_path: Path) -> Callable[[str], dict[str, PairSet]]:
    """Give a function that writes a file of directions and reads it."""
    path = tmp_path / "my.toml"

    def written(content: str) -> dict[str, PairSet]:
        path.write_text(content)
        return dict(read_pairs(path))

    return written


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (["a", "b"], ["b", "a"]),
        (["Straße", "b"], ["B", "STRASSE"]),
        (["a", "A"], ["A", "a"]),
    ],
)
def test_pairs_that_are_turned_round_are_refused(
    read: Callable[..., dict[str, PairSet]], first: list[str], second: list[str]
) -> None:
    wrong = rf", line 4: p\.pairs\[3\] is {re.escape(repr(second))}, which turns "
    with pytest.raises(UsageError, match=wrong + re.escape(repr(first))):
        read(f'[p]\npairs = [{first},\n["x", "y"], ["y", "z"],\n{second}]')


def test_a_file_has_at_most_a_thousand_tables(read: Callable[..., dict[str, PairSet]]) -> None:
    text = "\n".join(f"[x{n}]\nregion = 'greek'" for n in range(1000))
    assert len(read(text)) == 1000
    with pytest.raises(UsageError, match="has 1,001 tables; it may have at most 1,000"):
        read(f"{text}\n[more]\nregion = 'greek'")


@pytest.mark.parametrize("name", ["list.txt", "list", "below/list.txt", "./below/../list.txt"])
def test_a_region_may_be_a_file_beside_the_directions(
    read: Callable[..., dict[str, PairSet]], tmp_path: Path, name: str
) -> None:
    (tmp_path / "below").mkdir()
    for each in ("list.txt", "list", "below/list.txt", "greek", "emoji"):
        (tmp_path / each).write_text("king\n")
    found = read(f"[a]\nregion = '{name}'\n[b]\nregion = 'greek'\n[c]\nregion = 'emoji'")
    assert found["a"].learned_from == (tmp_path / name).resolve()
    assert (found["b"].learned_from, found["c"].learned_from) == ("greek", "emoji")


@pytest.mark.parametrize("name", ["/etc/passwd", "{}/secret.txt", "../secret.txt", "link", "up/x"])
def test_a_region_is_no_file_elsewhere(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    for secret in ("secret.txt", "x"):
        (tmp_path / secret).write_text("root:x:0:0\n")
    (folder / "link").symlink_to(tmp_path / "secret.txt")
    (folder / "up").symlink_to(tmp_path)
    name = name.format(tmp_path)
    (folder / "my.toml").write_text(f"[a]\nregion = '{name}'")
    with pytest.raises(UsageError) as caught:
        read_pairs(folder / "my.toml")
    assert ", line 2: a.region is the path " in str(caught.value)
    assert "root:x" not in str(caught.value)


@pytest.mark.parametrize(
    ("key", "name"), [("x" * 200, "x" * 200), ("x" * 201, None), ("token", None), ("é", None)]
)
def test_the_names_of_directions_are_checked_in_one_way(
    read: Callable[..., dict[str, PairSet]], key: str, name: str | None
) -> None:
    if name is not None:
        assert list(read(f"['{key}']\n{GOOD}")) == [name]
        check_given({key: PairSet(key, "")})
        return
    with pytest.raises(UsageError) as one:
        read(f"['{key}']\n{GOOD}")
    with pytest.raises(UsageError) as other:
        check_given({key: PairSet("a", "")})
    fault = name_fault(key)
    assert fault is not None
    assert str(one.value).endswith(fault)
    assert str(other.value).endswith(fault)
    assert len(str(one.value)) < 400 + len(str(Path.cwd()))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (7, "directions are a file or a mapping of PairSet, not 7"),
        (["up"], "directions are a file or a mapping of PairSet, not ['up']"),
        ({"up": 7}, "the direction 'up' is unusable: it is 7, no PairSet"),
        ({"up": [("a", "b")]}, "it is [('a', 'b')], no PairSet"),
        ({7: PairSet("up", "")}, "the direction 7 is no name"),
        ({"up": PairSet("a b", "")}, "its name, 'a b', is no name"),
        ({"up": PairSet("up", 7)}, "its about is 7"),  # type: ignore[arg-type]
        ({"up": PairSet("up", "x" * 1001)}, "…, no text of at most 1,000 characters"),
        ({"up": PairSet("up", "", [Pair("a", "b")])}, "its pairs are no tuple"),  # type: ignore[arg-type]
        ({"up": PairSet("up", "", (Pair("a", "b"),) * 20_001)}, "at most 20,000"),
        ({"up": PairSet("up", "", (("a", "b"),))}, "the pair ('a', 'b') is not two"),  # type: ignore[arg-type]
        ({"up": PairSet("up", "", (Pair("a", ""),))}, "is not two texts of 1 to 200"),
        ({"up": PairSet("up", "", (Pair("a" * 201, "b"),))}, "is not two texts of 1 to 200"),
        ({"up": PairSet("up", "", (Pair("a", "b", -1),))}, "target_id=-1) is not two texts"),
        ({"up": PairSet("up", "", (Pair("a", "b", True),))}, "and a token's id or None"),
        ({"up": PairSet("up", "", (), 7)}, "its region is 7"),  # type: ignore[arg-type]
        ({"up": PairSet("up", "", learned_from=7)}, "it is learned from 7"),  # type: ignore[arg-type]
        ({"up": PairSet("up", "", learned_from="")}, "it is learned from ''"),
        ({"up": PairSet("up", "", (Pair("a", "b"),), learned_from="x")}, "both pairs and a region"),
        ({"up": PairSet("up", "", estimator="mean")}, "its estimator is 'mean'; they are offset"),
        ({"up": PairSet("up", "", estimator=[])}, "its estimator is []"),  # type: ignore[arg-type]
    ],
)
def test_what_python_hands_over_is_checked(
    make_checkpoint: Make, given: object, message: str
) -> None:
    with pytest.raises(UsageError) as caught:
        check_given(given)
    assert message in str(caught.value)
    assert len(str(caught.value)) < 400
    head: Any = open_head(make_checkpoint())
    for ask in (head.concept, head.nearest, head.direction):
        with pytest.raises(UsageError) as again:
            ask("sea", directions=given)
        assert str(again.value) == str(caught.value)
