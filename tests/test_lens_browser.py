"""The page of a lens in a real Chromium: heat map, cells, keys, lines, hostile tokens."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from unembed import Head, Residuals, open_head, write_lens

from .opened import Page, needs_chromium

pytestmark = needs_chromium
READY = "document.querySelectorAll('#charts figure').length > 0"
LAYERS, POSITIONS = 6, 3


def hostile(head: Head) -> list[int]:
    """Give the tokens of the head that would do harm."""
    return [
        id_
        for id_ in range(head.rows.count)
        if any(sign in (head.vocabulary.text(id_) or "") for sign in ("<script", "\x1b", "\u202e"))
    ]


@pytest.fixture
def page(browser: Any, tmp_path: Path, make_checkpoint: Callable[..., Path]) -> Iterator[Page]:
    head = open_head(make_checkpoint("sentencepiece"))
    rng = np.random.default_rng(0)
    stack_LPD = rng.normal(size=(LAYERS, POSITIONS, head.rows.width))
    bad = hostile(head)
    stack_LPD[1, : len(bad)] = 40 * head.rows.decode(np.array(bad[:POSITIONS]))
    residuals = Residuals(
        stack_LPD,
        tuple(range(POSITIONS)),
        (bad[0], 20, 21),
        written=1,
        prompt="<b>sea</b>\nhorse",
        text="\u202efish",
    )
    found = head.lens(
        residuals,
        normed=False,
        concepts=["sea", '"<i>"+king'],
        decompose=2,
        track=["sea", "king"],
        over=[*range(head.rows.count)],
    )
    path = tmp_path / "lens.html"
    write_lens(found, path)
    page = Page(browser, path, ready=READY)
    yield page
    assert page.faults == []
    assert all(url.startswith(("file://", "data:")) for url in page.asked)
    page.tab.close()


def test_a_cell_stands_for_each_layer_and_position(page: Page) -> None:
    assert page.tab.locator("#heat button").count() == LAYERS * POSITIONS
    assert page.tab.locator("#heat thead th").count() == POSITIONS + 1
    assert page.tab.locator("b, i:not(.key i)").count() == 0  # what is written is text
    assert page.tab.locator("dd").first.inner_text() == "<b>sea</b>\nhorse"
    assert "\\u202efish" in page.tab.locator("dd").last.inner_text()
    assert page.tab.locator("script").count() == 2


def test_pointing_at_a_cell_shows_what_lies_behind_it(page: Page) -> None:
    page.tab.hover('#heat button[data-position="1"][data-layer="1"]')
    detail = page.tab.locator("#detail")
    assert "Layer 1, 1 read" in detail.inner_text()
    assert detail.locator("ol li").count() == 5
    for said in ("entropy", "KL from the last layer", "rank", "Cosines in the causal space"):
        assert said in detail.inner_text()
    assert "by chance" in detail.inner_text()
    first = float(detail.locator("meter").first.get_attribute("value") or 0)
    assert 0 < first <= 1


def test_arrows_go_from_cell_to_cell(page: Page) -> None:
    page.tab.focus('#heat button[data-position="0"][data-layer="0"]')
    for key in ("ArrowDown", "ArrowRight", "ArrowDown", "ArrowLeft", "ArrowUp", "ArrowLeft"):
        page.tab.keyboard.press(key)
    pressed = page.tab.locator('#heat button[aria-pressed="true"]')
    assert pressed.count() == 1
    assert pressed.get_attribute("data-position") == "0"
    assert pressed.get_attribute("data-layer") == "1"
    assert page.tab.locator("figcaption").first.inner_text().endswith("0 read " + _head(page))


def _head(page: Page) -> str:
    """Give the token that the first position reads."""
    return page.tab.locator("#heat thead th").nth(1).inner_text().removeprefix("0 read ")


def test_a_colour_can_tell_something_else(page: Page) -> None:
    cell = page.tab.locator('#heat button[data-position="0"][data-layer="5"]')
    shares = {}
    for place, option in enumerate(page.tab.locator("#colour option").all_inner_texts()):
        page.tab.select_option("#colour", str(place))
        shares[option] = cell.evaluate("button => button.style.getPropertyValue('--share')")
        assert 0 <= float(shares[option]) <= 1
    assert len(shares) == 6
    assert shares["KL from the last layer"] == "0.000"  # it is the last


def test_lines_follow_tokens_entropy_and_cosines(page: Page) -> None:
    figures = page.tab.locator("#charts figure")
    assert figures.count() == 3
    assert figures.first.locator("polyline").count() == 2
    assert figures.nth(1).locator("polyline").count() == 2
    points = figures.nth(1).locator("polyline").first.get_attribute("points") or ""
    assert len(points.split()) == LAYERS


def test_a_path_goes_over_the_map_from_layer_to_layer(page: Page) -> None:
    page.tab.hover('#heat button[data-position="1"][data-layer="3"]')
    drawing = page.tab.locator("#map")
    assert drawing.locator("#path circle:not(.at)").count() == LAYERS
    assert drawing.locator("#path line").count() == LAYERS
    assert drawing.locator("text.at").text_content() == "layer 3"
    assert "1 read" in (drawing.get_attribute("aria-label") or "")
    ring = drawing.locator("circle.at")
    dot = drawing.locator("#path circle:not(.at)").nth(3)
    assert ring.get_attribute("cx") == dot.get_attribute("cx")
    assert "Nearest on the map" in page.tab.locator("#detail").inner_text()
    dot.dispatch_event("mouseenter")
    page.tab.hover('#heat button[data-position="2"][data-layer="5"]')
    assert drawing.locator("text.at").text_content() == "layer 5"
    assert drawing.locator("script, img, b").count() == 0


def test_a_lens_without_a_map_has_no_empty_place_for_one(
    browser: Any, tmp_path: Path, make_checkpoint: Callable[..., Path]
) -> None:
    head = open_head(make_checkpoint("sentencepiece"))
    held = Residuals(np.ones((2, 1, head.rows.width)), (0,))
    write_lens(head.lens(held), tmp_path / "lens.html")
    page = Page(browser, tmp_path / "lens.html", ready=READY)
    assert not page.tab.locator("#over").is_visible()
    assert page.faults == []
    page.tab.close()
