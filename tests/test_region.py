"""Regions: which tokens are in them, and what is wrong with the others."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import emoji
import numpy as np
import pytest
import unembed.geometry.region as region_module
from tokenizers import Tokenizer
from unembed import Head, open_head
from unembed.errors import UsageError
from unembed.geometry.region import find_region

Make = Callable[..., Path]
WHOLE = {text for text, data in emoji.EMOJI_DATA.items() if data["status"] == 2}


@pytest.fixture
def head(make_checkpoint: Make) -> Head:
    return open_head(make_checkpoint())


def texts(head: Head, region: Any, **options: Any) -> list[str | None]:
    found = find_region(head, region, **options).ids_N.tolist()
    assert found == sorted(set(found))
    assert all(head.vocabulary.known_V[id_] for id_ in found)
    return [head.vocabulary.text(id_) for id_ in found]


def test_none_is_all_tokens_and_no_padding(head: Head) -> None:
    found = find_region(head)
    assert found.name is None
    assert found.ids_N.tolist() == np.flatnonzero(head.vocabulary.known_V).tolist()


@pytest.mark.parametrize("family", ["byte_level", "sentencepiece", "unigram", "wordpiece"])
def test_emoji_are_whole_emoji_with_or_without_a_space(make_checkpoint: Make, family: str) -> None:
    head = open_head(make_checkpoint(family))
    known = np.flatnonzero(head.vocabulary.known_V).tolist()
    wanted = [t for i in known if (t := head.vocabulary.text(i) or "").removeprefix(" ") in WHOLE]
    assert "🐴" in [text.strip() for text in wanted]
    assert texts(head, "emoji") == wanted
    assert texts(head, "emoji") == wanted  # from the store


def test_each_of_two_tokens_of_one_emoji_is_in(make_checkpoint: Make) -> None:
    directory = make_checkpoint()
    tokenizer = Tokenizer.from_file(str(directory / "tokenizer.json"))
    tokenizer.add_tokens([" 🐴"])  # writes what ▁🐴 writes
    tokenizer.save(str(directory / "tokenizer.json"))
    assert texts(open_head(directory), "emoji").count(" 🐴") == 2


def test_what_only_resembles_an_emoji_is_none(make_checkpoint: Make) -> None:
    directory = make_checkpoint(padding=12)
    tokenizer = Tokenizer.from_file(str(directory / "tokenizer.json"))
    # Without its selector, two, a keycap's base, a component, a flag's half, with other text.
    tokenizer.add_tokens(["❤", "🐴🐴", "#", "🏻", "🇧", "🐴!", "  🐴", "🇧🇷"])
    tokenizer.save(str(directory / "tokenizer.json"))
    found = texts(open_head(directory), "emoji")
    assert found == ["🐴", "🐟", "🐶", "❤️", "👩‍🚀", " 🐴", "🇧🇷"]


def test_words_and_bytes_are_told_by_their_kind(make_checkpoint: Make) -> None:
    head = open_head(make_checkpoint("byte_level"))
    kinds = [head.vocabulary.kind(id_) for id_ in range(head.rows.count)]
    words, bytes_ = (find_region(head, name).ids_N.tolist() for name in ("words", "bytes"))
    assert words == [id_ for id_, kind in enumerate(kinds) if kind == "whole-word"]
    assert bytes_ == [id_ for id_, kind in enumerate(kinds) if kind in {"byte", "fragment"}]
    assert len(words) >= 10
    assert len(bytes_) >= 128


@pytest.mark.parametrize("name", ["greek", "Greek", "grek"])
def test_a_script_is_its_letters_and_no_others(make_checkpoint: Make, name: str) -> None:
    directory = make_checkpoint(padding=12)
    tokenizer = Tokenizer.from_file(str(directory / "tokenizer.json"))
    added = ["λόγος", " λ", "aλ", "λa", "λ1", "τ'", "Я", "1", "ά"]
    tokenizer.add_tokens(added)
    tokenizer.save(str(directory / "tokenizer.json"))
    head = open_head(directory)
    assert set(texts(head, name)) == {"λόγος", " λ", "λ1", "τ'", "ά"}
    assert texts(head, name) == texts(head, name)
    assert set(texts(head, "cyrillic")) == {"Я"}


def test_a_pattern_is_found_in_the_text(head: Head) -> None:
    assert texts(head, r"^ [km]") == [" king", " man"]
    assert texts(head, "/horse/") == [" horse", "horse"]
    assert texts(head, r"(?i)HORSE$") == [" horse", "horse"]
    assert texts(head, r"(?s)^.\Z", exclude="bytes")[:2] == [" ", "a"]


def test_ids_are_taken_as_they_are(head: Head) -> None:
    padding = head.rows.count - 1
    for ids in ([7, 3, 7, padding], (3, 7), np.array([3, 7], dtype=np.uint8)):
        found = find_region(head, ids)  # type: ignore[arg-type]
        assert (found.name, found.ids_N.tolist()) == ("ids", [3, 7])


def test_a_region_is_left_out(head: Head) -> None:
    found = find_region(head, exclude="emoji")
    whole = set(find_region(head).ids_N.tolist())
    assert set(found.ids_N.tolist()) == whole - set(find_region(head, "emoji").ids_N.tolist())
    assert found.name == "all - emoji"
    assert texts(head, "horse$", exclude=r"^ ") == ["horse"]
    assert find_region(head, [3, 4], exclude=[4]).name == "ids - ids"
    answer = head.nearest("sea", exclude_region="words", top=500)
    assert answer.region == "all - words"
    assert "whole-word" not in {head.vocabulary.kind(near.id) for near in answer.neighbours}


@pytest.mark.parametrize(
    ("content", "wanted"),
    [
        ("3\n260\n\n3\n", [3, 260]),
        ("3\r\n4\r\n", [3, 4]),
        ("\ufeff3\n4", [3, 4]),
        ("▁king\nking\n king\n🐴\n<unk>\n", ["<unk>", "▁king", "🐴"]),
        ("<0x0A>\nhorse", ["<0x0A>", "horse"]),
    ],
)
def test_a_file_lists_ids_or_tokens(
    head: Head, tmp_path: Path, content: str, wanted: list[int | str]
) -> None:
    path = tmp_path / "some.txt"
    path.write_bytes(content.encode())
    found = find_region(head, str(path))
    assert found.name == str(path)
    ids = found.ids_N.tolist()
    assert (ids if wanted[0] == 3 else [head.vocabulary.token(id_) for id_ in ids]) == wanted


def test_a_token_of_a_file_may_hold_other_line_breaks(
    make_checkpoint: Make, tmp_path: Path
) -> None:
    directory = make_checkpoint()
    tokenizer = Tokenizer.from_file(str(directory / "tokenizer.json"))
    tokenizer.add_tokens(["a\u2028b\x0bc"])
    tokenizer.save(str(directory / "tokenizer.json"))
    (tmp_path / "some").write_text("a\u2028b\x0bc\n", encoding="utf-8")
    assert texts(open_head(directory), str(tmp_path / "some")) == ["a\u2028b\x0bc"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"king\nxyzzy\n", "line 2: 'xyzzy' is no token of this head"),
        (b"3\n99999\n", "line 2: there is no token #99999; the head's are #0 to #284"),
        (b"3\n-4\n", "line 2: '-4' is no token of this head|line 1: '3' is no token"),
        (b"king\n\x1b[2J\n", r"line 2: '\\x1b\[2J' is no token"),
        (b"\xff\xfe", "the region cannot be read"),
        (b"", "no token of .* is in the region"),
        (b"284\n", "no token of .* is in the region"),  # padding
    ],
)
def test_a_bad_line_is_named(head: Head, tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "some.txt"
    path.write_bytes(content)
    with pytest.raises(UsageError, match=message) as caught:
        find_region(head, str(path))
    assert "some.txt" in str(caught.value)
    assert "\x1b" not in str(caught.value)


def test_a_file_may_not_be_too_large(
    head: Head, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "some").write_text("3\n" * 600)
    monkeypatch.setattr(region_module, "_FILE_LIMIT", 1000)
    with pytest.raises(UsageError, match="1,200 bytes; a region has at most 1,000"):
        find_region(head, str(tmp_path / "some"))


@pytest.mark.parametrize(
    ("region", "message"),
    [
        ("moon", "unknown region 'moon'; the regions are emoji, words, bytes, a script such as gr"),
        ("moon", r"or a regular expression: /moon/"),
        ("", "unknown region ''"),
        ("Ελλάς", "unknown region 'Ελλάς'"),
        ("[", r"the region '\[' is no regular expression: unterminated"),
        ("a{99999999999999999999}", "repeats too much"),
        ("a{1000000000}", "repeats too much"),
        ("(?:(?:a{1000}){1000}){1000}", "multiply to more than 10,000"),
        ("missing.txt", "no token of .* is in the region 'missing.txt'; what is neither a name"),
        ("x\x00y.", "no token of .* is in the region"),
        ([-1, 4], "a region has the ids -1 to 4; the head's are 0 to 284"),
        ([4, 285], "a region has the ids 4 to 285"),
        ([2**63], "a region has the ids 9223372036854775808 to"),
        ([2**70], "or a list of whole token ids"),
        ([1.5], "or a list of whole token ids"),
        ([True, False], "or a list of whole token ids"),
        (["king"], "or a list of whole token ids"),
        ([[1], [2, 3]], "or a list of whole token ids"),
        ([[1, 2]], "or a list of whole token ids"),
        (7, "or a list of whole token ids"),
        ([], "no token of .* is in the region 'ids'"),
        ([284], "no token of .* is in the region 'ids'"),
    ],
)
def test_a_wrong_region_says_what_is_wrong(head: Head, region: Any, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        find_region(head, region)


def test_a_pattern_that_python_would_warn_about_is_read(head: Head) -> None:
    assert "a" in texts(head, "[[a]")


def test_a_pattern_that_backtracks_for_ever_is_stopped(
    make_checkpoint: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory = make_checkpoint()
    tokenizer = Tokenizer.from_file(str(directory / "tokenizer.json"))
    tokenizer.add_tokens(["ab" * 100])
    tokenizer.save(str(directory / "tokenizer.json"))
    head = open_head(directory)
    monkeypatch.setattr(region_module, "_PATTERN_SECONDS", 0.2)
    start = time.monotonic()
    with pytest.raises(UsageError, match=r"takes more than 0\.2 s .* at the token #282; write a"):
        find_region(head, "^(?:(?:a|b|ab)+)+$(?<!b)")
    assert time.monotonic() - start < 3


def test_a_slow_pattern_is_stopped_over_all_tokens(
    head: Head, monkeypatch: pytest.MonkeyPatch
) -> None:
    ticks = iter(range(10_000))
    monkeypatch.setattr(time, "monotonic", lambda: float(next(ticks)))
    with pytest.raises(UsageError, match=r"takes more than 10 s or too much memory"):
        find_region(head, "k.ng")


def test_a_head_without_emoji_says_so(make_checkpoint: Make) -> None:
    directory = make_checkpoint("unigram")
    path = directory / "tokenizer.json"
    path.write_text(path.read_text().replace("🐴", "hh"))
    with pytest.raises(UsageError, match=r"no token of .* is in the region 'emoji'"):
        open_head(directory).nearest("king", region="emoji")
    with pytest.raises(UsageError, match=r"is left in the region 'words - words'"):
        open_head(directory).nearest("king", region="words", exclude_region="words")


def test_a_pattern_that_excludes_nothing_is_refused(head: Head) -> None:
    with pytest.raises(UsageError, match=r"in the region 'nofile\.txt'; what is neither a name"):
        find_region(head, exclude="nofile.txt")


def test_a_region_that_was_found_is_one(head: Head) -> None:
    found = find_region(head, "words")
    assert find_region(head, found).ids_N.tolist() == found.ids_N.tolist()
    assert find_region(head, found).name == "words"
    named = head.nearest("king", space="cosine", region="words")
    assert head.nearest("king", space="cosine", region=found) == named


def test_where_files_may_not_be_named_a_text_is_a_pattern(head: Head, tmp_path: Path) -> None:
    path = tmp_path / "r+.txt"
    path.write_text("262\n")
    assert find_region(head, str(path)).ids_N.tolist() == [262]
    with pytest.raises(UsageError, match=r"no token of .* is in the region"):
        find_region(head, str(path), files=False)
    assert find_region(head, "king$", files=False).ids_N.size == 1
