"""The explorer in a notebook: served from a thread, shown in a page of another origin."""

import threading
from functools import partial
from http.server import HTTPServer, SimpleHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest
import requests
from unembed import Head, open_head
from unembed.errors import UsageError

from .conftest import Make
from .opened import needs_chromium


class Quiet(SimpleHTTPRequestHandler):
    """What serves a notebook's page, and says nothing."""

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def head(make_checkpoint: Make) -> Head:
    return open_head(make_checkpoint("sentencepiece"))


def test_it_is_served_until_it_is_stopped(head: Head) -> None:
    with head.explore() as explorer:
        about = requests.get(f"{explorer.address}api/sources", timeout=30).json()
        assert [one["source"] for one in about["sources"]] == [head.source]
        assert requests.get(explorer.address.rsplit("/", 2)[0] + "/", timeout=30).status_code == 403
        assert repr(explorer) == f"Explorer({explorer.address})"
    with pytest.raises(requests.ConnectionError):
        requests.get(explorer.address, timeout=30)


def test_several_heads_are_explored_together(head: Head, make_checkpoint: Make) -> None:
    other = open_head(make_checkpoint("unigram"))
    with head.explore(other) as explorer:
        about = requests.get(f"{explorer.address}api/sources", timeout=30).json()
    assert [one["source"] for one in about["sources"]] == [head.source, other.source]
    with pytest.raises(UsageError, match="two of the heads are of one source"):
        head.explore(head)


@pytest.mark.parametrize("height", [199, 5001])
def test_a_height_has_bounds(head: Head, height: int) -> None:
    with pytest.raises(UsageError, match=f"height is {height}; it must be 200 to 5,000 pixels"):
        head.explore(height=height)


@needs_chromium
def test_a_notebook_shows_it(browser: Any, head: Head, tmp_path: Path) -> None:
    with head.explore() as explorer:
        (tmp_path / "notebook.html").write_text(f"<h1>cell</h1>{explorer._repr_html_()}")
        notebook = HTTPServer(("127.0.0.1", 0), partial(Quiet, directory=tmp_path))
        thread = threading.Thread(target=notebook.serve_forever)
        thread.start()
        page = browser.new_page(viewport={"width": 1200, "height": 900})
        faults: list[str] = []
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.goto(f"http://localhost:{notebook.server_port}/notebook.html")
        shown = page.frame_locator("iframe")
        shown.locator("#box-near").fill("king - man + woman")
        shown.locator("table.near tr.row >> nth=0 >> text=queen").wait_for()
        shown.locator(".map iframe").wait_for(timeout=120_000)
        assert shown.frame_locator(".map iframe").locator("#scale").inner_text()
        assert faults == []
        page.close()
        notebook.shutdown()
        thread.join()
        notebook.server_close()
