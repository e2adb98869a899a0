"""The page of a map in a real Chromium: hover, search, lasso, export, themes, hostile tokens."""

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from unembed import write_map

from .mapped import HOSTILE, a_map
from .opened import Page, needs_chromium

pytestmark = needs_chromium

READY = "document.getElementById('scale').textContent.length > 0"


class MapPage(Page):
    """The page of a map."""

    def __init__(self, browser: Any, path: Path, **options: Any) -> None:
        super().__init__(browser, path, ready=READY, **options)

    def seen(self, place: int) -> tuple[float, float]:
        """Say where a token is seen."""
        x, y = self.tab.evaluate(f"seenAt({place})")
        return x, y


@pytest.fixture
def page(browser: Any, tmp_path: Path) -> Iterator[MapPage]:
    path = tmp_path / "map.html"
    write_map(a_map(), path)
    page = MapPage(browser, path)
    yield page
    assert page.faults == []
    assert all(url.startswith(("file://", "data:", "blob:")) for url in page.asked)
    page.tab.close()


def test_nothing_is_asked_for_but_the_page_itself(page: MapPage) -> None:
    page.tab.wait_for_timeout(300)
    assert [url for url in page.asked if not url.startswith("data:")] == page.asked[:1]
    policy = page.tab.get_attribute("meta[http-equiv=Content-Security-Policy]", "content")
    assert policy.startswith("default-src 'none'; img-src data:")


def test_a_hostile_token_is_text(page: MapPage) -> None:
    page.tab.fill("#search", "alert")
    assert page.tab.inner_text("#found") == "2 found"
    assert page.tab.inner_text("#hits li:first-child bdi") == HOSTILE[0][:23] + "…"
    page.tab.keyboard.press("Enter")
    page.tab.wait_for_timeout(500)
    assert page.tab.evaluate("document.querySelectorAll('img, script').length") == 2
    assert "</script>" in page.tab.inner_text("#facts")


def test_hover_tells_of_a_token(page: MapPage) -> None:
    x, y = page.seen(30)
    page.tab.mouse.move(x, y)
    page.tab.wait_for_selector("#hover:not([hidden])")
    text = page.tab.inner_text("#hover")
    assert "word30" in text
    assert "#210" in text
    assert "near" in text
    assert page.tab.get_attribute("#hover", "aria-live") == "polite"


def test_search_finds_text_and_ids(page: MapPage) -> None:
    page.tab.fill("#search", "#210")
    assert page.tab.inner_text("#found") == "1 found"
    page.tab.keyboard.press("Enter")
    page.tab.wait_for_timeout(500)
    assert "word30" in page.tab.inner_text("#token-title")
    assert page.tab.locator("#near li").count() == 10
    assert page.tab.evaluate("view.scale / view.fitted") > 2.5
    page.tab.fill("#search", "no such thing")
    assert page.tab.inner_text("#found") == "0 found"


def test_a_click_marks_neighbours_and_escape_lets_go(page: MapPage) -> None:
    page.tab.mouse.click(*page.seen(30))
    assert page.tab.evaluate("state.held") == 30
    page.tab.keyboard.press("Escape")
    assert page.tab.evaluate("state.held") == -1
    assert page.tab.is_hidden("#token-box")


def lassoed(page: MapPage) -> None:
    page.tab.click("#lasso")
    x, y = page.seen(30)
    corners = [(x - 60, y - 60), (x + 60, y - 60), (x + 60, y + 60), (x - 60, y + 60)]
    page.tab.mouse.move(*corners[0])
    page.tab.mouse.down()
    for corner in corners[1:]:
        page.tab.mouse.move(*corner, steps=4)
    page.tab.mouse.up()


def test_a_lasso_chooses_what_is_within_and_saves_it(page: MapPage, tmp_path: Path) -> None:
    inside = page.tab.evaluate(
        "((at) => ids.reduce((all, id, i) => { const [x, y] = seenAt(i);"
        " return Math.abs(x - at[0]) < 60 && Math.abs(y - at[1]) < 60 ? [...all, id] : all }, []))"
        "(seenAt(30))"
    )
    lassoed(page)
    assert page.tab.inner_text("#chosen-title") == f"{len(inside)} tokens chosen"
    with page.tab.expect_download() as download:
        page.tab.click("#json")
    download.value.save_as(tmp_path / "chosen.json")
    rows = json.loads((tmp_path / "chosen.json").read_text())
    assert [row["id"] for row in rows] == inside
    with page.tab.expect_download() as download:
        page.tab.click("#csv")
    download.value.save_as(tmp_path / "chosen.csv")
    with (tmp_path / "chosen.csv").open(newline="", encoding="utf-8") as file:
        assert [int(row["id"]) for row in csv.DictReader(file)] == inside
    page.tab.click("#clear")
    assert page.tab.is_hidden("#chosen-box")


def test_a_formula_is_made_harmless_in_the_csv(page: MapPage, tmp_path: Path) -> None:
    page.tab.evaluate("choose([5])")
    with page.tab.expect_download() as download:
        page.tab.click("#csv")
    download.value.save_as(tmp_path / "chosen.csv")
    assert "'=1+1" in (tmp_path / "chosen.csv").read_text()


def test_colours_have_a_legend(page: MapPage) -> None:
    assert page.tab.locator("#colour option").all_inner_texts() == [
        *("cluster", "kind", "script", "norm", "group", "use", "note")
    ]
    page.tab.select_option("#colour", "script")
    assert page.tab.locator("#legend li").all_inner_texts() == ["Latin", "Common"]
    page.tab.select_option("#colour", "use")
    assert page.tab.inner_text("#legend li:last-child") == "0.5 to 99.5"


def test_marks_are_listed_and_gone_to(page: MapPage) -> None:
    entries = page.tab.locator("#marks button").all_inner_texts()
    assert len(entries) == 3
    assert entries[0].startswith("emoji(<b>seahorse</b>)")
    assert "70°" in entries[0]
    seen = (
        "(() => { const picture = document.querySelector('#marks canvas');"
        " const brush = picture.getContext('2d');"
        " const { data } = brush.getImageData(0, 0, picture.width, picture.height);"
        " return data.some((part) => part > 0); })()"
    )
    page.tab.wait_for_function(seen)
    page.tab.click("#marks button >> nth=0")
    page.tab.wait_for_timeout(500)
    assert page.tab.evaluate("[view.x, view.y]") == pytest.approx([0.5, 0.5], abs=1e-4)


def test_the_keyboard_moves_and_walks(page: MapPage) -> None:
    page.tab.focus("#map")
    before = page.tab.evaluate("[view.x, view.scale]")
    page.tab.keyboard.press("ArrowRight")
    page.tab.keyboard.press("+")
    after = page.tab.evaluate("[view.x, view.scale]")
    assert after[0] > before[0]
    assert after[1] > before[1]
    page.tab.keyboard.press("0")
    assert page.tab.evaluate("view.scale") == pytest.approx(before[1])
    page.tab.keyboard.press("n")
    page.tab.keyboard.press("n")
    page.tab.keyboard.press("Enter")
    assert page.tab.evaluate("state.held >= 0")
    page.tab.keyboard.press("/")
    assert page.tab.evaluate("document.activeElement.id") == "search"
    assert "arrows move the map" in page.tab.get_attribute("#map", "aria-label")


def test_dark_and_light(browser: Any, tmp_path: Path) -> None:
    path = tmp_path / "map.html"
    write_map(a_map(), path)
    page = MapPage(browser, path, color_scheme="dark")
    paper = "getComputedStyle(document.body).backgroundColor"
    assert page.tab.evaluate(paper) == "rgb(23, 22, 20)"
    page.tab.click("#theme")
    assert page.tab.evaluate(paper) == "rgb(251, 250, 247)"
    assert page.faults == []
    page.tab.close()


def test_what_has_no_room_is_counted(browser: Any, tmp_path: Path) -> None:
    path = tmp_path / "map.html"
    write_map(a_map(6000), path)
    page = MapPage(browser, path)
    counted = page.tab.inner_text("#scale")
    assert counted.startswith("6,000 of 6,000 tokens in view, ")
    dots = int(counted.split("view, ")[1].split(" are dots")[0].replace(",", ""))
    assert dots == 6000 - page.tab.evaluate("shown.places.length")
    box = page.tab.evaluate(
        "(() => { const boxes = shown.places.map((i) => [...seenAt(i), ...roomOf(i, shown.size)]);"
        " let worst = 0; boxes.forEach((a, n) => boxes.slice(0, n).forEach((b) => {"
        " const x = (a[2] + b[2]) / 2 - Math.abs(a[0] - b[0]);"
        " const y = (a[3] + b[3]) / 2 - Math.abs(a[1] - b[1]);"
        " worst = Math.max(worst, Math.min(x, y)); })); return worst; })()"
    )
    assert box < 1.5
    assert page.faults == []
    page.tab.close()


def test_three_dimensions_turn(browser: Any, tmp_path: Path) -> None:
    path = tmp_path / "map.html"
    write_map(a_map(150, dimensions=3), path)
    page = MapPage(browser, path)
    before = page.seen(20)
    page.tab.mouse.move(500, 400)
    page.tab.mouse.down()
    page.tab.mouse.move(640, 430, steps=5)
    page.tab.mouse.up()
    page.tab.wait_for_timeout(100)
    assert page.tab.evaluate("view.yaw") != pytest.approx(-0.6)
    assert page.seen(20) != before
    assert page.faults == []
    page.tab.close()
