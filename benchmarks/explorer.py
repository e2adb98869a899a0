"""The explorer: time to the first view, from a key to its answer for one and for twenty, memory.

python benchmarks/explorer.py 20

The argument is how many words each person types. Beside it stands what a notebook has in its place:
a cell of torch, its rows at norm 1 in memory, asked in turns with the server; answers equal.
"""

import asyncio
import json
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from statistics import median, quantiles

import requests
import torch
from playwright.sync_api import sync_playwright
from unembed import open_head

BETWEEN = 0.25  # seconds between two keys: four a second, as a fast typist's
WORDS = ["mountain", "seahorse", "electric", "thursday", "astronaut", "pineapple", "kangaroo"]
CHROMIUM = "/usr/bin/chromium"
WATCH = """() => {
  window.times = [];
  let pressed = 0;
  const box = document.getElementById('box-near');
  box.addEventListener('input', () => { pressed = performance.now(); }, true);
  new MutationObserver(() => { if (pressed) times.push(performance.now() - pressed); pressed = 0; })
    .observe(document.querySelector('.answer'), { childList: true });
}"""


@contextmanager
def served(source):
    started = time.perf_counter()
    command = [sys.executable, "-c", "from unembed.cli import main; main()", "serve", source]
    process = subprocess.Popen(
        [*command, "--no-browser", "--port", "0"], stdout=subprocess.PIPE, text=True
    )
    address = next(line.split()[1] for line in process.stdout if line.startswith("serving"))
    try:
        yield process, address, time.perf_counter() - started
    finally:
        process.terminate()
        process.wait()


def spread(times):
    ninety_nine = quantiles(times, n=100)[98]
    return f"{1e3 * median(times):.0f} ms, {1e3 * ninety_nine:.0f} ms ({len(times)})"


def memory(process):
    rollup = Path(f"/proc/{process.pid}/smaps_rollup").read_text().splitlines()
    kilobytes = {line.split(":")[0]: int(line.split()[1]) for line in rollup[1:]}
    own, all_ = (kilobytes[name] * 1.024e-3 for name in ("Anonymous", "Rss"))
    return f"{own:,.0f} MB private, {all_:,.0f} MB resident, mapped rows included"


def first_view(browser, address):
    page = browser.new_page()
    started = time.perf_counter()
    page.goto(address + "#near?expression=seahorse")
    page.wait_for_selector("table.near")
    answered = time.perf_counter() - started
    page.wait_for_selector(".map[data-marked]", timeout=600_000)
    drawn = time.perf_counter() - started
    page.close()
    return answered, drawn


def one_person(browser, address, count):
    page = browser.new_page()
    page.goto(address + "#near?expression=seahorse")
    page.wait_for_selector(".map[data-marked]", timeout=600_000)
    page.evaluate(WATCH)
    for place in range(count):
        page.fill("#box-near", "")
        page.locator("#box-near").press_sequentially(WORDS[place % len(WORDS)], delay=1e3 * BETWEEN)
        page.wait_for_timeout(1e3 * BETWEEN)
    times = page.evaluate("times")
    page.close()
    return [one / 1e3 for one in times if one]


async def asked(host, port, question):
    reader, writer = await asyncio.open_connection(host, port)
    try:
        body = json.dumps(question).encode()
        head = f"POST /api/near HTTP/1.1\r\nHost: {host}:{port}\r\nConnection: close\r\n"
        head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        writer.write(head.encode() + body)
        answer = await reader.read()
        if b" 200 " not in answer[:20]:
            sys.exit(f"no answer: {answer[:200]!r}")
    finally:
        writer.close()


async def person(host, port, source, place, count, times):
    """Type; a key calls back what the one before it asked, as the page does."""
    loop, running = asyncio.get_running_loop(), None
    await asyncio.sleep(BETWEEN * place / 20)

    async def key(text):
        started = loop.time()
        await asked(host, port, {"source": source, "expression": text})
        times.append(loop.time() - started)

    for at in range(count):
        word = WORDS[(place + at) % len(WORDS)]
        for end in range(1, len(word) + 1):
            if running is not None:
                running.cancel()
            running = asyncio.ensure_future(key(word[:end]))
            await asyncio.sleep(BETWEEN)
    await running


async def people(address, source, number, count):
    host, _, port = address.removeprefix("http://").strip("/").partition(":")
    times = []
    typing = (person(host, int(port), source, place, count, times) for place in range(number))
    await asyncio.gather(*typing)
    keys = sum(
        len(WORDS[(place + at) % len(WORDS)]) for place in range(number) for at in range(count)
    )
    return times, keys


def beside_torch(address, source, turns):
    """A cell of a notebook and the server in turns: how long each takes, answers equal."""
    head = open_head(source)
    rows = torch.from_numpy(head.rows.decode(range(head.rows.count))).float()
    rows = torch.nn.functional.normalize(rows)
    rows[~torch.from_numpy(head.vocabulary.known_V.copy())] = 0
    asked = [("king - man + woman", (1, -1, 1)), ("sea + horse", (1, 1)), ("cat - dog", (1, -1))]
    ids = [[name.token_ids[0] for name in head.concept(text).resolved] for text, _ in asked]
    ours, theirs = [], []
    for turn in range(turns):
        place = turn % len(asked)
        text, signs = asked[place]
        started = time.perf_counter()
        question = {"source": source, "expression": text, "space": "cosine"}
        answer = requests.post(f"{address}api/near", json=question, timeout=60).json()["answer"]
        ours.append(time.perf_counter() - started)
        started = time.perf_counter()
        query = torch.tensor(signs).float() @ rows[ids[place]]
        scores = rows @ torch.nn.functional.normalize(query, dim=0)
        scores[ids[place]] = -torch.inf
        best = scores.topk(10).indices.tolist()
        theirs.append(time.perf_counter() - started)
        if best != [one["id"] for one in answer["neighbours"]]:
            sys.exit(f"another answer to {text}")
    return median(ours[6:]), median(theirs[6:])


def measured(source, browser, thread, count):
    with served(source) as (process, address, started):
        print(f"{source}: served after {started:.2f} s; {memory(process)}")
        first, *views = [first_view(browser, address) for _ in range(6)]
        answered, drawn = (median(each) for each in zip(*views, strict=True))
        print(f"  the very first view: answer {first[0]:.2f} s, map {first[1]:.2f} s")
        print(f"  a view: answer {answered:.2f} s, map {drawn:.2f} s")
        print(f"  key to drawn answer: {spread(one_person(browser, address, count))}")
        for number in (1, 20):
            typing = thread.submit(asyncio.run, people(address, source, number, count))
            times, keys = typing.result()
            print(f"  {number} typing, key to answer: {spread(times)} of {keys} keys")
        ours, theirs = beside_torch(address, source, 48)
        times = f"{1e3 * ours:.1f} ms, torch in a notebook {1e3 * theirs:.1f} ms"
        print(f"  a question {times}: {theirs / ours:.2f} x")
        print(f"  {memory(process)}", flush=True)


def main():
    with sync_playwright() as playwright, ThreadPoolExecutor(1) as thread:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        for source in ("demo", "demo-bytes"):
            measured(source, browser, thread, int(sys.argv[1]))
        browser.close()


if __name__ == "__main__":
    main()
