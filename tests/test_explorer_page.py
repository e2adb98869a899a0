"""The explorer's panels over a tiny head, in a real Chromium."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from unembed import Head, open_head

from .asked import Explorer, running
from .conftest import HOSTILE, WIDTH, Make
from .opened import needs_chromium

pytestmark = needs_chromium
PANEL = ".panel:not([hidden])"


@pytest.fixture
def head(make_checkpoint: Make) -> Head:
    return open_head(make_checkpoint("sentencepiece"))


@pytest.fixture
def explorer(head: Head) -> Iterator[Explorer]:
    with running({"one": head, "other": head}) as explorer:
        yield explorer


@pytest.fixture
def tab(browser: Any, explorer: Explorer) -> Iterator[Any]:
    tab = browser.new_page(viewport={"width": 1200, "height": 900})
    tab.set_default_timeout(20_000)
    faults: list[str] = []
    tab.on("pageerror", lambda error: faults.append(str(error)))
    tab.on("dialog", lambda dialog: (faults.append("dialog"), dialog.dismiss()))
    yield tab
    assert faults == []
    tab.close()


def go(tab: Any, explorer: Explorer, hash_: str) -> None:
    tab.goto("about:blank")
    tab.goto(f"{explorer.server.address}#{hash_}")
    tab.wait_for_selector(PANEL)


def test_an_error_stands_at_its_column(tab: Any, explorer: Explorer) -> None:
    go(tab, explorer, "near?expression=king+%2B+nosuchdirection(sea)&space=cosine")
    fault = tab.locator(".near-form > .fault")
    fault.locator("mark").wait_for()
    assert "is neither a function" in fault.inner_text()
    assert fault.locator("mark").inner_text() == "n"
    before = fault.locator("bdi").evaluate("bdi => bdi.firstChild.data")
    assert before == "king + "


def test_what_is_asked_is_kept_in_the_address(tab: Any, explorer: Explorer) -> None:
    go(tab, explorer, "near?expression=king&space=cosine")
    tab.wait_for_selector("table.near")
    tab.fill("input[name=region]", "words")
    tab.wait_for_selector(".answer:not([aria-busy])")
    assert "region=words" in tab.url
    tab.click("#tabs >> text=Explain")
    tab.go_back()
    tab.wait_for_selector("#box-near")
    assert tab.input_value("#box-near") == "king"
    tab.select_option("#source", "other")
    assert "source=other" in tab.url
    tab.go_back()
    assert tab.input_value("#source") == "one"


def test_signs_beside_a_token_add_it_and_take_it_away(tab: Any, explorer: Explorer) -> None:
    go(tab, explorer, "near?expression=king&space=cosine&region=words&top=2")
    first = tab.locator("table.near tr.row").first
    name = first.get_by_label("Add").get_attribute("title").removeprefix("Add ")
    first.get_by_label("Add").click()
    assert tab.input_value("#box-near") == f"king + {name}"
    tab.wait_for_selector(".answer:not([aria-busy])")
    tab.locator("table.near tr.row").first.get_by_label("Subtract").click()
    assert tab.input_value("#box-near").startswith(f"king + {name} - ")


def test_hostile_tokens_are_texts(tab: Any, explorer: Explorer, head: Head) -> None:
    ids = [head.vocabulary.id_of(text) for text in HOSTILE]
    expression = " + ".join(f"#{id_}" for id_ in ids)
    go(
        tab,
        explorer,
        f"near?expression={expression.replace('#', '%23').replace('+', '%2B')}"
        "&space=cosine&keep_inputs=1&top=20",
    )
    tab.wait_for_selector("table.near")
    shown = tab.inner_text(".answer")
    assert "<script>alert(1)</script>"[:23] in shown
    assert "\\x1b[31m" in shown
    assert "\\u202e" in shown
    assert tab.locator(".answer script").count() == 0


def test_without_a_model_residuals_are_looked_at(
    tab: Any, explorer: Explorer, tmp_path: Path
) -> None:
    def without(route: Any) -> None:
        about = json.loads(explorer.send("/api/sources").body)
        route.fulfill(json=about | {"models": False})

    tab.route("**/api/sources", without)
    go(tab, explorer, "lens?space=cosine")
    assert tab.locator(f"{PANEL} textarea[name=prompt]").is_hidden()
    assert "pip install 'unembed[lens]'" in tab.inner_text(PANEL)
    path = tmp_path / "run.npy"
    np.save(path, np.random.default_rng(0).normal(size=(4, 2, WIDTH)))
    tab.evaluate(
        """numbers => {
          const file = new File([new Uint8Array(numbers)], "run.npy");
          const data = new DataTransfer();
          data.items.add(file);
          const how = { bubbles: true, cancelable: true, dataTransfer: data };
          document.querySelector(".panel:not([hidden])").dispatchEvent(new DragEvent("drop", how));
        }""",
        list(path.read_bytes()),
    )
    tab.wait_for_selector(f"{PANEL} .held:not([hidden])")
    tab.click(f"{PANEL} .go")
    heat = tab.frame_locator(f"{PANEL} iframe.made").locator("#heat button")
    heat.first.wait_for()
    assert heat.count() == 8


def test_two_heads_are_compared(tab: Any, explorer: Explorer) -> None:
    go(tab, explorer, "compare?other=other&space=cosine&top=3")
    tab.wait_for_selector(f"{PANEL} .card")
    assert "linear CKA\n1.000" in tab.inner_text(f"{PANEL} .cards")
    assert tab.locator(f"{PANEL} table").first.locator("tbody tr").count() == 3


def test_a_vocabulary_is_examined(tab: Any, explorer: Explorer) -> None:
    go(tab, explorer, "vocab")
    tab.click(f"{PANEL} .go")
    tab.frame_locator(f"{PANEL} iframe.made").locator("h1").wait_for()
    assert tab.url.endswith("#vocab?run=1")
    with tab.expect_download() as download:
        tab.click(f"{PANEL} >> text=save")
    assert download.value.suggested_filename == "tokens.html"


def test_a_map_follows_its_region_and_is_stopped(tab: Any, explorer: Explorer) -> None:
    go(tab, explorer, "near?expression=king&space=cosine&map=words")
    tab.wait_for_selector(".map[data-marked=king]")
    tab.fill("input[name=map]", "no such region")
    tab.wait_for_selector(".map .fault:not([hidden])")
    assert "unknown region 'no such region'" in tab.inner_text(".map .fault")
    assert "a file" not in tab.inner_text(".map .fault")
    tab.fill("input[name=map]", "all")
    tab.wait_for_selector(".map .fault", state="hidden")
    tab.wait_for_selector(".map iframe")


def test_a_mark_stays_with_the_map_that_it_was_placed_on(tab: Any, explorer: Explorer) -> None:
    go(tab, explorer, "near?expression=king&space=cosine&map=words")
    tab.wait_for_selector(".map[data-marked=king]")
    tab.fill("#box-near", "king -")
    tab.wait_for_selector(".near-form > .fault:not([hidden])")
    tab.wait_for_selector(".answer.old")
    assert tab.is_hidden(".near-panel .actions")  # they would be of the answer before
    first = tab.get_attribute(".map iframe", "src")
    tab.fill("input[name=map]", "all")
    tab.wait_for_selector(f".map iframe:not([src='{first}'])")
    drawn = tab.frame_locator(".map iframe")
    drawn.locator("#pair:visible").wait_for()  # it has been spoken to
    assert drawn.locator("body").evaluate("() => data.marks") == []
    tab.fill("#box-near", "sea")
    tab.wait_for_selector(".map[data-marked=sea]")
    assert tab.locator(".answer.old").count() == 0


def test_nothing_that_was_said_is_no_question(tab: Any, explorer: Explorer) -> None:
    go(tab, explorer, "explain")
    tab.click(f"{PANEL} .go")
    assert "nothing to ask yet" in tab.inner_text(f"{PANEL} .fault:not([hidden])")
