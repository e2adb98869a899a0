"""The page of a vocabulary: what it holds, and how it works in a real Chromium."""

import base64
import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pyarrow import csv, parquet
from unembed import write_vocab
from unembed.errors import UsageError
from unembed.geometry.examining.coverage import Coverage
from unembed.geometry.examining.fragments import fragments_of
from unembed.geometry.examining.health import Health
from unembed.geometry.examining.reached import Reached
from unembed.geometry.examining.round_trip import STATES
from unembed.geometry.examining.undertrained import WAYS, Judged, Undertrained
from unembed.geometry.tokens.vocabulary import Vocabulary, display
from unembed.geometry.views.vocab_file import check_vocab_path
from unembed.geometry.views.vocab_page import vocab_page
from unembed.indexes.winning.every import Winners

from .conftest import BYTES, HOSTILE, sentencepiece, wordpiece
from .opened import Page, needs_chromium

SOURCE = "</script><img src=x onerror=alert(1)>\u202e"
MOST_HOSTILE = [*HOSTILE, "</script><img src=x onerror=alert(1)>", "{{data}}", "<!--<script>"]
READY = "!document.getElementById('odd-tool').hidden"
WRITTEN = "<0x61>"  # writes what the token a does


@pytest.fixture(scope="module")
def pieces(tmp_path_factory: pytest.TempPathFactory, open_vocabulary: Any) -> Vocabulary:
    """Give a vocabulary with hostile tokens and bytes."""
    directory = tmp_path_factory.mktemp("pieces")
    tokenizer = sentencepiece()
    tokenizer.add_tokens(MOST_HOSTILE)
    tokenizer.save(str(directory / "tokenizer.json"))
    vocabulary: Vocabulary = open_vocabulary(directory)
    return vocabulary


def ids_of(vocabulary: Vocabulary, tokens: list[str]) -> list[int]:
    place = {vocabulary.token(id_): id_ for id_ in range(len(vocabulary.known_V))}
    return [place[token] for token in tokens]


@pytest.fixture(scope="module")
def found(pieces: Vocabulary) -> Health:
    """Give a report, by hand: each oddity, some tokens odd in several ways."""
    count = len(pieces.known_V)
    rng = np.random.default_rng(0)
    states_V = np.full(count, STATES.index("reachable"))
    states_V[~pieces.known_V] = STATES.index("padding")
    states_V[ids_of(pieces, [WRITTEN, *MOST_HOSTILE])] = STATES.index("unreachable")
    suspected_V = np.zeros(count, dtype=np.bool_)
    suspected_V[ids_of(pieces, ["▁pizza", "▁dog", WRITTEN])] = True
    distances_VW = rng.random((count, len(WAYS))) + 0.5
    distances_VW[ids_of(pieces, ["▁pizza", "▁dog", WRITTEN]), 1] = (0.02, 0.01, 0.03)
    wins_V = np.ones(count, dtype=np.int8)
    wins_V[ids_of(pieces, BYTES[128:])] = 0
    ranks_V = np.zeros(count, dtype=np.int64)
    ranks_V[ids_of(pieces, ["▁sea", "▁horse"])] = 1, 7
    return Health(
        source=SOURCE,
        vocabulary=pieces,
        scripts_V=np.arange(count) % 3,
        norms_V=rng.random(count),
        states_V=states_V,
        same_text=(tuple(ids_of(pieces, [WRITTEN, "a"])),),
        emoji=Coverage("emoji", 3, 4, 90, 0),
        blocks=(
            Coverage("Basic Latin", 128, 0, 0, 0),
            Coverage("Greek and Coptic", 10, 20, 30, 75),
            *(Coverage(f"Block {place}", 0, 0, place, 1) for place in range(1, 30)),
        ),
        fragments=fragments_of(pieces),
        alike=(
            tuple(ids_of(pieces, [*HOSTILE, "▁pizza"])),
            tuple(ids_of(pieces, ["▁king", "▁queen"])),
        ),
        undertrained=Undertrained(
            unused_U=np.arange(8),
            distances_VW=distances_VW,
            judged=tuple(Judged(way, 0.5, 0.4, 3) for way in WAYS),
            best="centred",
            suspected_V=suspected_V,
        ),
        winners=Winners(wins_V, np.full(count, 2, dtype=np.int8)),
        reached=Reached(12, ranks_V),
    )


def data_in(content: bytes) -> dict[str, Any]:
    (held,) = re.findall(rb'<script type="application/json" id="data">(.*?)</script>', content)
    data: dict[str, Any] = json.loads(held)
    return data


def plain(found: Health) -> Health:
    """Give a report of a vocabulary in which nothing is odd, and nothing was asked."""
    return replace(
        found,
        states_V=np.full(len(found.states_V), STATES.index("reachable")),
        same_text=(),
        fragments=(),
        alike=(),
        undertrained=None,
        winners=None,
        reached=None,
    )


# What it holds


def test_every_odd_token_is_counted_once(found: Health) -> None:
    odd = data_in(vocab_page(found))["odd"]
    named = {
        "unreachable": set(found.unreachable_N.tolist()),
        "same text": {id_ for group in found.same_text for id_ in group},
        "suspected": set(found.suspected_N.tolist()),
        "near-identical": set(found.alike_N.tolist()),
        "never written": set(found.unwritable_N.tolist()),
    }
    assert odd["oddities"] == list(named)
    ids = [row[0] for row in odd["rows"]]
    assert len(ids) == len(set(ids)) == odd["total"]
    assert set(ids) == set().union(*named.values())
    for row in odd["rows"]:
        whys = {odd["oddities"][place] for place, _ in row[7]}
        assert whys == {name for name, held in named.items() if row[0] in held}
    (byte,) = (row for row in odd["rows"] if row[2] == WRITTEN)
    assert byte[1] == "a"
    assert byte[7] == [[0, None], [1, found.same_text[0][1]], [2, None]]
    assert byte[5:7] == [round(float(found.norms_V[byte[0]]), 6), 0.03]


def test_fragments_and_blocks_are_those_of_the_report(found: Health) -> None:
    data = data_in(vocab_page(found))
    assert [sum(row[1:]) for row in data["blocks"]] == [block.total for block in found.blocks]
    assert [row[0] for row in data["fragments"]["rows"]] == [one.id for one in found.fragments]
    for row, one in zip(data["fragments"]["rows"], found.fragments, strict=True):
        assert row[5:8] == [one.begins, one.completes, one.inside]
        assert len(row[8]) == len(one.characters)


def test_the_page_of_a_vocabulary_says_the_facts(found: Health) -> None:
    content = vocab_page(found).decode()
    (lede,) = re.findall(r'<p class="lede">(.*)</p>', content)
    known = int(found.vocabulary.known_V.sum())
    assert re.sub("<.*?>", "", lede) == (
        f"Of {known} tokens, no text encodes to 8, 3 look untrained, the rows of 7 are nearly the "
        f"same as others’, no residual writes 128, and {known - 2} are never near the top with "
        "the residuals that were given."
    )
    assert "centred (best)" in content
    assert f"{known} tokens, 2 are among the first 100 with one of 12 residuals" in content
    assert "in 2 groups" in content


def test_the_page_of_a_plain_vocabulary_is_whole(found: Health) -> None:
    content = vocab_page(plain(found)).decode()
    assert "none is odd" in content
    assert "there is nothing to compare with" in content
    assert "There are none." in content
    assert 'id="fragments"' not in content
    assert "Never written" not in re.findall("<h2.*?>(.*?)</h2>", content)
    assert data_in(content.encode())["odd"]["rows"] == []


def test_the_page_of_a_vocabulary_holds_the_first_and_says_so(
    found: Health, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("unembed.geometry.views.vocab_rows.MOST_ROWS", 3)
    data = data_in(vocab_page(found))
    assert [len(data[name]["rows"]) for name in ("odd", "fragments")] == [3, 3]
    assert data["odd"]["total"] == 8 + 1 + 2 + 2 + 128  # with a, ▁dog, ▁pizza, ▁king, ▁queen
    assert data["fragments"]["total"] == len(found.fragments)


def test_the_same_vocabulary_gives_the_same_bytes(found: Health) -> None:
    assert vocab_page(found) == vocab_page(found)
    assert b"\r" not in vocab_page(found)


def test_the_policy_of_a_vocabulary_lets_its_one_script_run(found: Health) -> None:
    content = vocab_page(found).decode()
    (script,) = re.findall(r"<script>(.*?)</script>", content, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    (policy,) = re.findall('Content-Security-Policy" content="(.*?)"', content)
    assert policy.startswith("default-src 'none'; ")
    assert f"script-src 'sha256-{digest}'" in policy
    assert not re.search(r"innerHTML|outerHTML|insertAdjacent|document\.write|\beval\b", script)
    assert not re.search(r"https?:|url\(|@import|<link|<img|<iframe| on\w+=\"", content)


def test_no_token_of_a_vocabulary_is_more_than_a_text(found: Health) -> None:
    content = vocab_page(found)
    assert content.count(b"</script>") == 2
    lines = "".join(content.decode().split("\n"))
    assert lines == display(lines)
    raw = content[content.index(b'id="data">') : content.index(b"<script>\n")]
    assert raw.isascii()
    assert raw.count(b"<") == 1  # what ends the script
    tokens = {row[2] or row[1] for row in data_in(content)["odd"]["rows"]}
    assert {display(token) for token in MOST_HOSTILE} <= tokens


# In a browser


class VocabPage(Page):
    """The page of a vocabulary."""

    def __init__(self, browser: Any, path: Path, **options: Any) -> None:
        super().__init__(browser, path, ready=READY, **options)

    def tokens(self, table: str = "odd") -> list[str]:
        """Say which tokens a table shows."""
        shown: list[str] = self.tab.locator(f"#{table}-body th bdi:first-child").all_inner_texts()
        return shown

    def counted(self, table: str = "odd") -> str:
        """Say how many it says there are."""
        said: str = self.tab.inner_text(f"#{table}-count")
        return said

    def search(self, words: str, table: str = "odd") -> None:
        """Search, and wait until that is done."""
        self.tab.fill(f"#{table}-search", words)
        self.tab.wait_for_function(
            "words => new URLSearchParams(location.hash.slice(1)).get(words[0]) === words[1]",
            arg=[f"{table}-q", words],
        )


@pytest.fixture
def page(browser: Any, tmp_path: Path, found: Health) -> Iterator[VocabPage]:
    path = tmp_path / "vocab.html"
    write_vocab(found, path)
    page = VocabPage(browser, path)
    yield page
    assert page.faults == []
    assert all(url.startswith("file://") for url in page.asked)
    page.tab.close()


@needs_chromium
def test_nothing_but_the_page_of_a_vocabulary_is_asked_for(page: VocabPage) -> None:
    page.tab.wait_for_timeout(200)
    assert len(page.asked) == 1
    assert page.tab.evaluate("document.querySelectorAll('script, img').length") == 2
    assert page.tab.title() == f"The vocabulary of {display(SOURCE)}"
    page.tab.select_option("#odd-size", "200")
    shown = page.tab.inner_text("#odd-body")
    assert all(display(token) in shown for token in MOST_HOSTILE)
    assert page.tab.locator("#odd-body bdi").count() >= 141


@needs_chromium
def test_oddities_are_chosen_by_their_buttons(page: VocabPage) -> None:
    buttons = page.tab.locator("#odd-chips button").all_inner_texts()
    assert buttons == [
        *("unreachable8", "same text2", "suspected3", "near-identical7", "never written128")
    ]
    assert page.counted() == "141 odd tokens, 1 to 50 shown"
    page.tab.click("#odd-chips button:nth-child(3)")
    assert page.counted() == "3 of 141 odd tokens"
    assert page.tokens() == ["a", "▁dog", "▁pizza"]  # those that are unreachable stand first
    page.tab.click("#odd-chips button:nth-child(2)")
    assert page.counted() == "4 of 141 odd tokens"
    row = page.tab.inner_text("#odd-body tr:first-child .c-why")
    assert re.sub(r"\d+", "N", row).split("\n") == ["unreachable", "same text as #N", "suspected"]
    page.tab.select_option("#odd-kind", "whole-word")
    assert page.tokens() == ["▁dog", "▁pizza"]
    page.tab.select_option("#odd-kind", "")
    page.tab.click("#odd-chips button:nth-child(3)")
    page.tab.click("#odd-chips button:nth-child(2)")
    assert page.counted().startswith("141 odd")


@needs_chromium
def test_odd_tokens_are_sorted_by_their_heads(page: VocabPage) -> None:
    page.tab.click("#odd-chips button:nth-child(3)")
    head = page.tab.locator("#odd-heads th[data-key=distance]")
    head.locator("button").click()
    assert page.tokens() == ["▁dog", "▁pizza", "a"]
    assert head.get_attribute("aria-sort") == "ascending"
    head.locator("button").click()
    assert page.tokens() == ["a", "▁pizza", "▁dog"]
    head.locator("button").click()
    assert head.get_attribute("aria-sort") == "none"
    assert page.tokens() == ["a", "▁dog", "▁pizza"]


@needs_chromium
def test_odd_tokens_are_found_by_text_token_and_id(page: VocabPage, found: Health) -> None:
    page.search("ALERT")
    assert page.counted() == "2 of 141 odd tokens"
    page.search("0x61")
    assert page.tokens() == ["a"]
    page.search(f"#{found.suspected_N[0]}")
    assert page.tokens() == ["▁dog"]
    page.search("no such token")
    assert page.tokens() == []
    assert page.counted() == "0 of 141 odd tokens"


@needs_chromium
def test_pages_are_turned(page: VocabPage) -> None:
    first = page.tokens()
    page.tab.click("#odd-after")
    assert page.counted() == "141 odd tokens, 51 to 100 shown"
    assert page.tab.evaluate("document.activeElement.id") == "odd"
    page.tab.click("#odd-after")
    assert page.tab.inner_text("#odd-page") == "Page 3 of 3"
    assert page.tab.is_disabled("#odd-after")
    assert len(page.tokens()) == 41
    page.tab.click("#odd-before")
    page.tab.click("#odd-before")
    assert page.tokens() == first
    page.tab.select_option("#odd-size", "200")
    assert len(page.tokens()) == 141
    assert page.tab.is_hidden("#odd-pages")


@needs_chromium
def test_blocks_and_fragments_are_tables_too(page: VocabPage, found: Health) -> None:
    assert page.counted("blocks") == "31 blocks, 1 to 20 shown"
    page.tab.click("#blocks-heads th[data-key=several] button")
    assert page.tokens("blocks")[0] == "Greek and Coptic"
    parts = page.tab.locator("#blocks-body tr:first-child .bar span")
    assert [part.get_attribute("class") for part in parts.all()] == [
        *("way-one", "way-several", "way-pieces", "way-none")
    ]
    page.tab.click("#blocks-chips button:first-child")
    assert page.tokens("blocks") == ["Basic Latin"]
    assert page.counted("fragments").startswith(f"{len(found.fragments)} fragments, 1 to 20")
    page.tab.click("#fragments-chips button:last-child")
    assert page.tab.inner_text("#fragments-chips button:last-child").startswith("nothing")
    assert page.tab.inner_text("#fragments-body tr:first-child .c-lacks") == "never whole"
    page.tab.click("#fragments-chips button:last-child")
    page.search("À", "fragments")
    assert "\\xc3" in page.tokens("fragments")


@needs_chromium
def test_the_address_keeps_what_is_chosen_in_each_table(page: VocabPage) -> None:
    page.tab.click("#odd-chips button:nth-child(5)")
    page.tab.click("#odd-heads th[data-key=norm] button")
    page.tab.click("#odd-after")
    page.search("block", "blocks")
    page.tab.select_option("#fragments-size", "100")
    kept = page.tab.evaluate("location.hash")
    assert kept == (
        "#odd-why=never+written&odd-sort=norm&odd-page=2&blocks-q=block&fragments-rows=100"
    )
    shown = [page.tokens(table) for table in ("odd", "blocks", "fragments")]
    page.tab.reload()
    page.tab.wait_for_function(READY)
    assert [page.tokens(table) for table in ("odd", "blocks", "fragments")] == shown
    assert page.tab.input_value("#blocks-search") == "block"
    assert page.tab.get_attribute("#odd-chips button:nth-child(5)", "aria-pressed") == "true"
    page.tab.evaluate("location.hash = 'odd'")  # the link that skips lets go of nothing
    page.tab.wait_for_timeout(50)
    assert page.tokens() == shown[0]
    page.tab.evaluate("location.hash = 'odd-why=x,suspected&odd-sort=y&odd-rows=7&odd-page=-3'")
    page.tab.wait_for_timeout(50)
    assert page.counted() == "3 of 141 odd tokens"
    assert page.counted("blocks") == "31 blocks, 1 to 20 shown"


@needs_chromium
def test_the_page_of_a_vocabulary_works_by_keyboard(page: VocabPage) -> None:
    page.tab.keyboard.press("Tab")
    assert page.tab.evaluate("document.activeElement.className") == "skip"
    page.tab.keyboard.press("Enter")
    assert page.tab.evaluate("document.activeElement.id") == "odd"
    page.tab.keyboard.press("Tab")
    assert page.tab.evaluate("document.activeElement.id") == "odd-search"
    for _ in range(5):  # kind, size, three buttons
        page.tab.keyboard.press("Tab")
    page.tab.keyboard.press("Space")
    assert page.tokens() == ["a", "▁dog", "▁pizza"]
    for _ in range(4):  # two buttons, two heads
        page.tab.keyboard.press("Tab")
    page.tab.keyboard.press("Enter")
    assert page.tab.get_attribute("#odd-heads th[data-key=id]", "aria-sort") == "ascending"
    unnamed = (
        "[...document.querySelectorAll('input, select')].filter((one) => !one.labels.length).length"
    )
    assert page.tab.evaluate(unnamed) == 0
    twice = (
        "((ids) => ids.length - new Set(ids).size)"
        "([...document.querySelectorAll('[id]')].map((one) => one.id))"
    )
    assert page.tab.evaluate(twice) == 0


@needs_chromium
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_of_a_vocabulary_fits_a_telephone(
    browser: Any, tmp_path: Path, found: Health, scheme: str
) -> None:
    path = tmp_path / "vocab.html"
    write_vocab(found, path)
    page = VocabPage(browser, path, color_scheme=scheme)
    page.tab.set_viewport_size({"width": 360, "height": 740})
    page.tab.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true })")
    assert page.tab.evaluate("document.documentElement.scrollWidth") <= 360
    wide = (
        "[...document.querySelectorAll('body *')].filter((one) => one.offsetWidth > 360)"
        ".map((one) => one.className)"
    )
    assert page.tab.evaluate(wide) == []
    colour = page.tab.evaluate("getComputedStyle(document.body).backgroundColor")
    assert sum(map(int, re.findall(r"\d+", colour))) > 384 or scheme == "dark"
    assert sum(map(int, re.findall(r"\d+", colour))) < 384 or scheme == "light"
    assert page.faults == []
    page.tab.close()


@needs_chromium
def test_a_plain_vocabulary_and_a_part_of_one_are_shown(
    browser: Any, tmp_path: Path, found: Health, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "vocab.html"
    write_vocab(plain(found), path)
    page = VocabPage(browser, path)
    assert page.counted() == "0 odd tokens"
    monkeypatch.setattr("unembed.geometry.views.vocab_rows.MOST_ROWS", 3)
    write_vocab(found, path)
    page.tab.reload()
    page.tab.wait_for_function(READY)
    assert page.tab.inner_text("#odd-held") == (
        "This file holds the first 3 of 141 odd tokens; what stands above counts all."
    )
    assert page.counted() == "3 odd tokens"
    assert page.faults == []
    page.tab.close()


# Files


def test_a_report_is_written_by_its_ending(found: Health, tmp_path: Path) -> None:
    for ending in ("html", "json", "parquet", "csv"):
        check_vocab_path(tmp_path / f"vocab.{ending}")
        write_vocab(found, tmp_path / f"vocab.{ending}")
    assert (tmp_path / "vocab.html").read_bytes() == vocab_page(found)
    assert json.loads((tmp_path / "vocab.json").read_text()) == found.to_dict()
    table = found.to_arrow()
    assert parquet.read_table(tmp_path / "vocab.parquet").equals(table)
    assert csv.read_csv(
        tmp_path / "vocab.csv", parse_options=csv.ParseOptions(newlines_in_values=True)
    ).column_names == (table.column_names)
    said = r"a vocabulary's report is written as \.html, \.parquet, \.csv, \.json"
    with pytest.raises(UsageError, match=said):
        write_vocab(found, tmp_path / "vocab.txt")
    with pytest.raises(UsageError, match=said):
        check_vocab_path(tmp_path / "vocab.txt")
    with pytest.raises(UsageError):
        check_vocab_path(tmp_path / "nowhere" / "vocab.html")


def test_a_vocabulary_without_bytes_has_no_fragments(
    found: Health, tmp_path: Path, open_vocabulary: Any
) -> None:
    tokenizer = wordpiece()
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    vocabulary = open_vocabulary(tmp_path)
    count = len(vocabulary.known_V)
    small = replace(
        plain(found),
        vocabulary=vocabulary,
        states_V=np.zeros(count, dtype=np.int64),
        scripts_V=np.zeros(count, dtype=np.int64),
        norms_V=np.ones(count),
        fragments=fragments_of(vocabulary),
    )
    assert data_in(vocab_page(small))["fragments"] == {"total": 0, "rows": []}
