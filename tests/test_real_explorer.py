"""The explorer over the real heads, in a real Chromium: what a person does with it."""

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests
from unembed import open_head

from .opened import needs_chromium

pytestmark = [needs_chromium, pytest.mark.real]


@dataclass
class Running:
    process: "subprocess.Popen[str]"
    address: str

    def ask(self, name: str, **question: Any) -> Any:
        answer = requests.post(f"{self.address}api/{name}", json=question, timeout=120)
        answer.raise_for_status()
        return answer.json()

    def end(self) -> int:
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(30)


def serve(*sources: str, port: int = 0) -> Running:
    command = [sys.executable, "-c", "from unembed.cli import main; main()", "serve", *sources]
    process = subprocess.Popen(
        [*command, "--no-browser", "--port", str(port)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith("serving "):
            process.stdout.close()
            return Running(process, line.split()[1])
    raise AssertionError("it did not start")


@pytest.fixture(scope="module")
def running() -> Iterator[Running]:
    server = serve("demo", "demo-bytes")
    yield server
    server.end()


class Explored:
    """The page, and what went wrong on it."""

    def __init__(self, browser: Any, address: str, hash_: str = "", **options: Any) -> None:
        self.tab = browser.new_page(**({"viewport": {"width": 1400, "height": 950}} | options))
        self.faults: list[str] = []
        self.asked: set[str] = set()
        self.tab.on("pageerror", lambda error: self.faults.append(str(error)))
        self.tab.on("dialog", lambda dialog: (self.faults.append("dialog"), dialog.dismiss()))
        self.tab.on("request", lambda request: self.asked.add(request.url))
        self.address = address
        self.go(hash_)

    def go(self, hash_: str) -> None:
        self.tab.goto("about:blank")
        self.tab.goto(self.address + hash_)

    def near(self) -> list[str]:
        """Give the tokens that lie nearest, as they are read."""
        self.tab.wait_for_selector(".answer:not([aria-busy]) table.near")
        rows = self.tab.locator("table.near").first.locator("tbody .take")
        return [
            row.locator("img").get_attribute("alt")
            if row.locator("img").count()
            else row.locator("bdi").first.inner_text()
            for row in rows.all()
        ]


@pytest.fixture
def explored(browser: Any, running: Running) -> Iterator[Explored]:
    page = Explored(browser, running.address)
    yield page
    assert page.faults == []
    assert all(url.startswith((running.address, "about:", "blob:", "data:")) for url in page.asked)
    page.tab.close()


def test_the_seahorse_is_typed_and_the_horse_is_seen(explored: Explored) -> None:
    tab = explored.tab
    tab.fill("#box-near", "")
    tab.fill("input[name=region]", "emoji")
    tab.locator("#box-near").press_sequentially("emoji(seahorse)", delay=15)
    tab.wait_for_selector(".names >> text=seahorse")
    assert explored.near()[:2] == ["🐴", "🐎"]
    tab.wait_for_selector('.map[data-marked="emoji(seahorse)"]', timeout=120_000)
    (mark,) = tab.frames[1].evaluate("data.marks")
    assert mark["form"] == "🐴"
    assert len(tab.frames[1].evaluate("state.lit")) == 10
    assert "expression=emoji%28seahorse%29" in tab.url


def test_what_is_offered_is_taken_by_the_keyboard(explored: Explored) -> None:
    tab = explored.tab
    tab.fill("#box-near", "")
    tab.locator("#box-near").press_sequentially("sea + plur", delay=15)
    tab.wait_for_selector('#box-near-list [role=option] >> text="plural("')
    tab.keyboard.press("ArrowDown")
    assert tab.get_attribute("#box-near", "aria-activedescendant") == "box-near-list-0"
    tab.keyboard.press("Enter")
    assert tab.input_value("#box-near") == "sea + plural("
    tab.wait_for_selector(".fault:not([hidden]) mark")  # it stands where the bracket is open
    tab.locator("#box-near").press_sequentially("horse)", delay=15)
    tab.wait_for_selector(".near-form > .fault", state="hidden")


def test_list_and_map_light_each_other(explored: Explored) -> None:
    explored.go("#near?expression=fish&region=emoji")
    tab = explored.tab
    tab.wait_for_selector(".map[data-marked]", timeout=120_000)
    row = tab.locator("table.near tbody tr").nth(2)
    row.hover()
    drawn = tab.frames[1]
    tab.wait_for_timeout(200)
    assert drawn.evaluate("ids[state.focused]") == int(row.get_attribute("data-id") or 0)
    drawn.evaluate("focus(state.lit[0])")
    tab.wait_for_selector("table.near tr.looked")


def test_two_tokens_are_brought_together(explored: Explored) -> None:
    explored.go("#near?expression=fish&region=emoji")
    tab = explored.tab
    tab.wait_for_selector(".map[data-marked]", timeout=120_000)
    drawn = tab.frames[1]
    drawn.click("#pair")
    frame = tab.locator(".map iframe").bounding_box()
    places = drawn.evaluate("['🐴', '🐟'].map((form) => seenAt(data.forms.indexOf(form)))")
    (x, y), (to_x, to_y) = [(frame["x"] + at[0], frame["y"] + at[1]) for at in places]
    tab.mouse.move(x, y)
    tab.mouse.down()
    tab.mouse.move(to_x, to_y, steps=6)
    tab.mouse.up()
    tab.wait_for_selector('h2:has-text("Beside it: 🐴 - 🐟")')
    assert tab.input_value("#box-near") == "🐴 + 🐟"
    tab.wait_for_selector(".map[data-marked*='🐴 - 🐟']")
    assert tab.locator("table.near").count() == 2


def test_a_weight_is_slid(explored: Explored) -> None:
    explored.go("#near?expression=sea+%2B+horse")
    tab = explored.tab
    slider = tab.get_by_label("Weight of horse")
    slider.fill("0.25")
    tab.wait_for_selector(".answer:not([aria-busy])")
    assert tab.input_value("#box-near") == "sea + 0.25*horse"
    tab.click("summary >> text=More")
    tab.get_by_label("residual norm, as a slider").fill("1.5")
    tab.wait_for_selector("table.near th >> text=p")
    assert "residual_norm=31.6" in tab.url


def test_a_list_is_audited(explored: Explored, tmp_path: Path) -> None:
    explored.go("#audit")
    tab = explored.tab
    concepts = ["octopus", "seahorse", "sea +", "<b>x</b>"]
    tab.fill("textarea[name=concepts]", "\n".join(concepts))
    tab.fill(".panel:not([hidden]) input[name=region]", "emoji")
    tab.click(".panel:not([hidden]) .go")
    tab.wait_for_selector(".panel:not([hidden]) tbody tr.row >> nth=3", timeout=120_000)
    rows = tab.locator(".panel:not([hidden]) tbody tr.row").all_inner_texts()
    wanted = open_head("demo").audit(concepts, region="emoji").findings
    assert [row.split("\t")[1].split(" ")[0] for row in rows] == [one.verdict for one in wanted]
    with tab.expect_download() as download:
        tab.click("text=Save JSONL")
    download.value.save_as(tmp_path / "found.jsonl")
    lines = (tmp_path / "found.jsonl").read_text().splitlines()
    assert [json.loads(line)["concept"] for line in lines] == concepts


def test_a_link_gives_the_view_again(browser: Any, explored: Explored, running: Running) -> None:
    explored.go("#near")
    tab = explored.tab
    tab.select_option("#source", "demo-bytes")
    tab.fill("#box-near", "king - man + woman")
    tab.fill("input[name=space]", "logit")
    first = explored.near()
    second = Explored(browser, running.address, "#" + tab.url.partition("#")[2])
    assert second.near() == first
    assert second.tab.input_value("#source") == "demo-bytes"
    assert second.tab.input_value("input[name=space]") == "logit"
    second.tab.close()


def test_hostile_texts_are_texts(explored: Explored) -> None:
    hostile = '"<img src=x onerror=alert(1)>" + "\u202eevil" + "</script><script>alert(1)</script>"'
    explored.tab.fill("#box-near", hostile)
    assert explored.near()
    assert explored.tab.locator(".names img, .names script").count() == 0
    assert "\\u202eevil" in explored.tab.inner_text(".names")


def test_a_prompt_is_looked_at(explored: Explored) -> None:
    explored.go("#lens?prompt=Here+is+a+seahorse+emoji%3A&over=emoji")
    tab = explored.tab
    tab.wait_for_selector(".panel:not([hidden]) iframe.made", timeout=120_000)
    inside = tab.frame_locator(".panel:not([hidden]) iframe.made")
    inside.locator("#heat button").first.wait_for()
    assert inside.locator("#heat button").count() == 19
    inside.locator("#over svg").wait_for()


def test_a_row_is_explained(explored: Explored) -> None:
    explored.go("#explain?expression=queen&parts=2")
    explored.tab.wait_for_selector(".found >> text=king + female", timeout=120_000)
    explored.tab.click(".found a >> nth=0")
    explored.tab.wait_for_selector(".found .snap >> text=king ≈", timeout=120_000)


@pytest.mark.parametrize("width", [1400, 390])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_panels_are_for_everyone(browser: Any, running: Running, width: int, scheme: str) -> None:
    from axe_playwright_python.sync_playwright import Axe

    panels = {
        "near?expression=sea+%2B+horse&beside=sea+-+horse&track=fish": ".map[data-marked]",
        "audit?concepts=octopus%0Aseahorse%0Asea+%2B&region=emoji": "tbody tr",
        "lens?prompt=sea": "iframe",
        "explain?expression=queen": ".found table",
        "vocab": ".go",
    }
    viewport = {"width": width, "height": 900}
    options = {"viewport": viewport, "color_scheme": scheme, "bypass_csp": True}
    page = Explored(browser, running.address, **options)
    for hash_, ready in panels.items():
        page.go(f"#{hash_}")
        page.tab.wait_for_selector(f".panel:not([hidden]) {ready}, {ready}", timeout=120_000)
        found = Axe().run(page.tab)
        assert found.violations_count == 0, found.generate_report()
        assert page.tab.evaluate("document.documentElement.scrollWidth <= innerWidth + 1"), hash_
    page.tab.close()


def test_a_hundred_questions_at_once_are_answered(running: Running) -> None:
    expressions = [f"sea + {place / 50:g}*horse" for place in range(1, 101)]

    def ask(expression: str) -> Any:
        return running.ask("near", source="demo", expression=expression, top=3)["answer"]

    with ThreadPoolExecutor(100) as pool:
        found = list(pool.map(ask, expressions))
    wanted = open_head("demo").nearest_each(expressions, top=3)
    assert found == json.loads(json.dumps([one.to_dict() for one in wanted]))


def test_it_is_killed_and_started_again(browser: Any) -> None:
    server = serve("demo-bytes")
    port = int(server.address.rsplit(":", 1)[1].strip("/"))
    page = Explored(browser, server.address, "#near?expression=sea")
    first = page.near()
    server.process.kill()
    server.process.wait(30)
    page.tab.fill("#box-near", "horse")
    page.tab.wait_for_selector(".fault >> text=the server does not answer")
    again = serve("demo-bytes", port=port)
    page.tab.fill("#box-near", "sea")
    page.tab.wait_for_selector(".near-form > .fault", state="hidden")
    assert page.near() == first
    assert page.faults == []
    page.tab.close()
    assert again.end() == 130


def test_several_windows_and_sources_are_served_at_once(browser: Any, running: Running) -> None:
    windows = [
        Explored(browser, running.address, f"#near?expression=king&source={source}&space=logit")
        for source in ("demo", "demo-bytes", "demo")
    ]
    found = [window.near() for window in windows]
    assert found[0] == found[2] != found[1]
    for window in windows:
        assert window.faults == []
        window.tab.close()
