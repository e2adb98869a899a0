"""How smoothly a map's page pans and zooms in Chromium.

    python benchmarks/frames.py [SOURCE] [COUNT ...]

A map of the first 20,000 known tokens and one of all, each as a page; Chromium, without a screen
or a graphics card, drags it and turns the wheel over it sixty times each. A frame is the time
from one picture to the next while the hand moves. Needs the extra ``dev``.
"""

import shutil
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import unembed
from playwright.sync_api import sync_playwright

STEPS = 60
CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
RECORD = """
window.frames_ = [];
(function next(last) {
  requestAnimationFrame((now) => { if (last) window.frames_.push(now - last); next(now); });
})(0);
"""


def measured(tab: Any, move: Any) -> str:
    """Give the frames of a movement in words."""
    tab.evaluate("window.frames_.length = 0")
    for step in range(STEPS):
        move(step)
    frames = sorted(tab.evaluate("window.frames_"))
    return (
        f"median {statistics.median(frames):5.0f} ms, worst of 20 {frames[-len(frames) // 20]:5.0f}"
    )


def look(browser: Any, path: Path) -> str:
    """Open a page, drag it and turn the wheel."""
    tab = browser.new_page(viewport={"width": 1500, "height": 1000})
    start = time.perf_counter()
    tab.goto(path.as_uri())
    tab.wait_for_function("document.querySelector('#scale').textContent")
    opened = time.perf_counter() - start
    tab.evaluate(RECORD)
    tab.mouse.move(500, 500)
    tab.mouse.down()
    pan = measured(tab, lambda step: tab.mouse.move(500 + 5 * step, 500 + 3 * step))
    tab.mouse.up()
    zoom = measured(tab, lambda step: tab.mouse.wheel(0, -60 if step < STEPS / 2 else 60))
    tab.close()
    size = path.stat().st_size / 1e6
    return f"{size:.1f} MB, opens in {opened:.1f} s\n  pan  {pan}\n  zoom {zoom}"


def main(source: str, counts: list[int]) -> None:
    head = unembed.open_head(source)
    known = np.flatnonzero(head.vocabulary.known_V)
    with sync_playwright() as library, tempfile.TemporaryDirectory() as folder:
        browser = library.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        for count in counts or [20_000, len(known)]:
            path = Path(folder, f"{count}.html")
            region = None if count >= len(known) else known[:count].tolist()
            unembed.write_map(head.map(region=region), path)
            print(f"{count:,} tokens, {look(browser, path)}", flush=True)


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "demo", [int(one) for one in sys.argv[2:]])
