"""The panel of the explorer's page that audits a list, in a real Chromium."""

import csv
import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
import unembed
from unembed.explorer.serving import listen, server_of
from unembed.geometry.audit.finding import Finding

from .opened import needs_chromium

pytestmark = needs_chromium

CONCEPTS = ["king", "sea + horse", "sea +", "<script>alert(1)</script>", "\u202eabc"]
SHOWN = [*CONCEPTS[:4], "\\u202eabc"]
ROWS = "#audit-body tr"
ENDED = "section[aria-label=Audit]:not([aria-busy])"
DROP = """(zone, name) => {
    const given = new DataTransfer();
    given.items.add(new File(["concept\\nqueen\\n"], name));
    for (const kind of ["dragover", "drop"]) {
        const event = new DragEvent(kind, {bubbles: true, cancelable: true, dataTransfer: given});
        zone.querySelector(".audits").dispatchEvent(event);
    }
}"""


class Panel:
    """A page with the panel open, what went wrong on it, and the audits that it asked for."""

    def __init__(self, browser: Any, address: str, asked: str, **options: Any) -> None:
        self.tab = browser.new_page(**options)
        self.tab.set_default_timeout(15_000)
        self.faults: list[str] = []
        self.audits: list[dict[str, Any]] = []
        self.tab.on("pageerror", lambda error: self.faults.append(str(error)))
        self.tab.on("console", lambda message: self.faults.append(message.text))
        self.tab.on("dialog", self._dialog)
        self.tab.on("request", self._asked)
        self.tab.goto(f"{address}#audit{asked}")
        self.tab.wait_for_selector("html[data-started]")

    def _dialog(self, dialog: Any) -> None:
        self.faults.append("dialog")
        dialog.dismiss()

    def _asked(self, request: Any) -> None:
        if request.url.endswith("/api/audit"):
            self.audits.append(request.post_data_json)

    def put(self, name: str, value: str) -> None:
        self.tab.eval_on_selector(
            f"section[aria-label=Audit] [name={name}]",
            "(input, value) => { input.value = value;"
            " input.dispatchEvent(new Event('input', {bubbles: true})); }",
            value,
        )

    def go(self) -> None:
        self.tab.click("section[aria-label=Audit] .go")

    def end(self) -> None:
        self.tab.wait_for_selector(f"{ENDED} .sum p:not(:empty)")

    def texts(self, selector: str) -> list[str]:
        texts: list[str] = self.tab.locator(selector).all_text_contents()
        return texts

    def concepts(self) -> list[str]:
        return self.texts(f"{ROWS} th")


Open = Callable[..., Panel]


@pytest.fixture
def panel(browser: Any, make_checkpoint: Callable[..., Path]) -> Iterator[Open]:
    """Give a function that opens the panel on a tiny head."""
    head = unembed.open_head(str(make_checkpoint("sentencepiece")))
    made = server_of({"tiny": head}, listen(port=0))
    running = threading.Thread(target=made.run, daemon=True)
    running.start()
    opened: list[Panel] = []

    def open_panel(asked: str = "", **options: Any) -> Panel:
        opened.append(Panel(browser, made.address, asked, **options))
        return opened[-1]

    yield open_panel
    faults = [fault for one in opened for fault in one.faults]
    for one in opened:
        one.tab.close()
    made.server.should_exit = True
    running.join(20)
    assert faults == []


def test_each_concept_has_a_row_and_a_link_asks_for_them_again(panel: Open) -> None:
    page = panel()
    assert page.tab.input_value("#audit-region") == "emoji"
    page.put("concepts", "\n".join(["", *CONCEPTS, " "]))
    page.put("region", "words")
    page.go()
    page.end()
    assert page.concepts() == SHOWN
    verdicts = page.texts(f"{ROWS} .c-verdict")
    assert verdicts[0].startswith("single_token (")
    assert verdicts[2] == "error"
    assert "cannot stand here" in page.texts(f"{ROWS}.error td")[1]
    assert page.audits[0] == {"source": "tiny", "concepts": CONCEPTS, "region": "words"}
    assert page.texts(".sum p")[0] in page.texts("#said")[0]

    other = panel(page.tab.url.partition("#audit")[2], viewport={"width": 390, "height": 844})
    other.end()
    assert other.audits == page.audits
    assert other.concepts() == SHOWN
    assert other.tab.evaluate("document.documentElement.scrollWidth") <= 390


def test_chips_search_and_heads_choose_rows(panel: Open) -> None:
    page = panel("?concepts=sea%0Aking%0Asea+%2B%0Acat&region=words")
    page.end()
    page.tab.click("#audit-heads [data-key=concept] button")
    assert page.concepts() == ["cat", "king", "sea", "sea +"]
    page.tab.click("#audit-chips [data-value=error]")
    assert page.concepts() == ["sea +"]
    page.tab.click("#audit-chips [data-value=error]")
    page.tab.fill("#audit-search", "STAND cannot")
    page.tab.wait_for_selector("#audit-count:has-text('1 of 4 concepts')")
    assert page.concepts() == ["sea +"]


def test_what_is_stopped_keeps_the_rows_that_came_and_what_was_chosen(panel: Open) -> None:
    page = panel("?region=words")
    page.put("concepts", "\n".join(f"sea + {weight}*horse" for weight in range(30_000)))
    page.go()
    page.tab.wait_for_selector(ROWS)
    page.tab.click("#audit-heads [data-key=concept] button")
    page.tab.click("#audit-heads [data-key=concept] button")
    page.tab.wait_for_selector(".progress :text-matches('auditing .* of 30,000')")
    page.tab.click("section[aria-label=Audit] :text('Stop')")
    page.tab.wait_for_selector(f"{ENDED} .fault:has-text('stopped')")
    page.tab.wait_for_timeout(1_000)  # what came last is drawn
    assert page.tab.get_attribute("#audit-heads [data-key=concept]", "aria-sort") == "descending"
    weights = [int(concept[6:].partition("*")[0]) for concept in page.concepts()]
    assert weights == sorted(weights, reverse=True)
    with page.tab.expect_download() as saved:
        page.tab.click(":text('Save JSONL')")
    count = len(saved.value.path().read_text(encoding="utf-8").splitlines())
    assert weights[0] == count - 1 < 29_999


def test_a_list_that_is_too_long_is_in_no_link(panel: Open) -> None:
    page = panel("?region=words")
    concepts = "\n".join(["sea"] * 500)
    page.put("concepts", concepts)
    assert "500 concepts. A link holds the options" in page.texts(".audits")[0]
    page.go()
    page.end()
    kept = page.tab.url.partition("#audit")[2]
    assert "concepts" not in kept
    assert "region=words" in kept
    page.tab.click("#tabs [data-name=near]")
    page.tab.click("#tabs [data-name=audit]")
    assert page.tab.input_value("#audit-concepts") == concepts
    assert len(page.audits) == 1  # its answer is there
    other = panel(kept)
    assert "holds no list" in other.texts(".audits")[0]
    assert other.audits == []


def test_a_file_goes_before_a_list_and_a_list_before_concepts(panel: Open, tmp_path: Path) -> None:
    path = tmp_path / "my list.csv"
    path.write_text("name,concept\nx,dog\ny,pizza\n")
    page = panel("?region=words")
    page.put("concepts", "fish")
    page.put("list", "unicode:tibetan")
    page.tab.set_input_files(".panel:not([hidden]) input[type=file]", path)
    page.tab.wait_for_selector(".held:has-text('my list.csv')")
    page.go()
    page.end()
    assert page.concepts() == ["dog", "pizza"]
    page.tab.reload()
    page.end()
    assert page.concepts() == ["dog", "pizza"]
    page.tab.click(".held button")
    assert page.tab.evaluate("document.activeElement.type") == "file"
    page.go()
    page.tab.wait_for_selector(f"{ROWS}:has-text('TIBETAN')")
    page.put("list", "")
    page.go()
    page.tab.wait_for_selector(f"{ROWS}:has-text('fish')")
    page.tab.eval_on_selector("section[aria-label=Audit]", DROP, "dropped.txt")
    page.tab.wait_for_selector(".held:has-text('dropped.txt')")
    given = [
        [name for name in ("file", "list", "concepts") if audit.get(name)] for audit in page.audits
    ]
    assert given == [["file"], ["file"], ["list"], ["concepts"]]
    page.tab.eval_on_selector("section[aria-label=Audit]", DROP, "dropped.xlsx")
    page.tab.wait_for_selector(".fault:has-text('a file ends in .csv')")
    assert page.tab.is_hidden(".held")
    page.faults.clear()  # Chromium tells of a status of 422


def test_what_is_saved_holds_every_field(panel: Open) -> None:
    page = panel("?concepts=%3D1%2B1%0Asea&region=words")
    page.end()
    with page.tab.expect_download() as jsonl:
        page.tab.click(":text('Save JSONL')")
    with page.tab.expect_download() as table:
        page.tab.click(":text('Save CSV')")
    found = [json.loads(line) for line in jsonl.value.path().read_text().splitlines()]
    names = [field.name for field in fields(Finding)]
    assert list(found[1]) == [*names, "pieces", "nearest_forms", "snap_form"]
    assert [one["concept"] for one in found] == ["=1+1", "sea"]
    with table.value.path().open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["concept"] for row in rows] == ["'=1+1", "sea"]
    assert json.loads(rows[1]["nearest"]) == found[1]["nearest"]
