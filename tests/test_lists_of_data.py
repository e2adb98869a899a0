"""The two lists of tests/data: what is wished for is no emoji, what is everyday is one."""

import csv
from pathlib import Path

import emoji
import pytest
import unembed

DATA = Path(__file__).parent / "data"
FULLY_QUALIFIED = emoji.STATUS["fully_qualified"]


def rows(name: str) -> list[dict[str, str]]:
    """Read a list."""
    with (DATA / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, strict=True))


def plain(name: str) -> str:
    """Write a name as words: no colons, no underscores, no capitals."""
    return name.strip(":").replace("_", " ").casefold()


WISHED = rows("wished_emoji.csv")
EVERYDAY = rows("everyday_emoji.csv")
NAMES = {
    plain(name)
    for data in emoji.EMOJI_DATA.values()
    for name in (data["en"], *data.get("alias", []))
}


def test_what_counts_as_a_name() -> None:
    assert {"dog face", "dog", "cop", "mage", "1st place medal"} <= NAMES


@pytest.mark.parametrize(
    ("listed", "columns", "least"),
    [
        (WISHED, ["concept", "note", "source"], 80),
        (EVERYDAY, ["concept", "emoji", "source"], 100),
    ],
    ids=["wished", "everyday"],
)
def test_a_list_is_whole(listed: list[dict[str, str]], columns: list[str], least: int) -> None:
    assert len(listed) >= least
    for row in listed:
        assert list(row) == columns
        assert all(row[column] and row[column] == row[column].strip() for column in columns)
        assert row["concept"] == plain(row["concept"])
    assert len({row["concept"] for row in listed}) == len(listed)


@pytest.mark.parametrize("listed", [WISHED, EVERYDAY], ids=["wished", "everyday"])
def test_no_concept_is_a_name_of_an_emoji(listed: list[dict[str, str]]) -> None:
    assert NAMES.isdisjoint(row["concept"] for row in listed)


def test_the_lists_share_no_concept() -> None:
    assert {row["concept"] for row in WISHED}.isdisjoint(row["concept"] for row in EVERYDAY)


def test_everyday_emoji_are_fully_qualified_and_given_once() -> None:
    given = [row["emoji"] for row in EVERYDAY]
    assert [char for char in given if not emoji.is_emoji(char)] == []
    assert {emoji.EMOJI_DATA[char]["status"] for char in given} == {FULLY_QUALIFIED}
    assert len(set(given)) == len(given)


@pytest.mark.real
def test_each_everyday_emoji_is_one_token_of_demo() -> None:
    vocabulary = unembed.open_head("demo").vocabulary
    split = [
        row["emoji"]
        for row in EVERYDAY
        if vocabulary.id_of(row["emoji"]) is None and vocabulary.id_of(f" {row['emoji']}") is None
    ]
    assert split == []
