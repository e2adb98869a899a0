"""Pages in a real Chromium: opened, and watched for what goes wrong on them."""

import shutil
from pathlib import Path
from typing import Any

import pytest

CHROMIUM = (
    shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
)
needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed here")


class Page:
    """A page that was opened, and what went wrong on it."""

    def __init__(self, browser: Any, path: Path, *, ready: str, **options: Any) -> None:
        self.tab = browser.new_page(viewport={"width": 1200, "height": 800}, **options)
        self.faults: list[str] = []
        self.asked: list[str] = []
        self.tab.on("pageerror", lambda error: self.faults.append(str(error)))
        self.tab.on("console", lambda message: self.faults.append(message.text))
        self.tab.on("dialog", lambda dialog: (self.faults.append("dialog"), dialog.dismiss()))
        self.tab.on("request", lambda request: self.asked.append(request.url))
        self.tab.goto(path.as_uri())
        self.tab.wait_for_function(ready)
