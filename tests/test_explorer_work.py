"""Work in threads: how much at once, for how long, and for whom."""

import json
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest
import requests
from unembed import Head, open_head
from unembed.errors import ExpressionError, UsageError
from unembed.explorer.api import Way
from unembed.explorer.near import near
from unembed.explorer.questions import Near, Vocab
from unembed.explorer.served import Served
from unembed.explorer.work import Telling, _Left

from .asked import JSON, Explorer, lines_of, running, until

Make = Callable[..., Path]


@pytest.fixture
def head(make_checkpoint: Make) -> Head:
    return open_head(make_checkpoint())


class Slow:
    """Work that goes on until it is let go, or should stop; a question's source is its name."""

    def __init__(self) -> None:
        self.go = threading.Event()
        self.begun: list[str] = []
        self.ended: list[str] = []
        self.most = 0

    def __call__(self, _: Served, asked: Any, telling: Telling) -> dict[str, Any]:
        self.begun.append(asked.source)
        self.most = max(self.most, len(self.begun) - len(self.ended))
        try:
            while not self.go.is_set():
                telling.progress("working", 1, 2)
                time.sleep(0.002)
        finally:
            self.ended.append(asked.source)
        return {"answer": asked.source}


def wrong(error: Exception) -> Callable[..., dict[str, Any]]:
    def work(served: Served, asked: Any, telling: Telling) -> dict[str, Any]:
        telling.line({"part": 1})
        raise error

    return work


@pytest.fixture
def serve(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Give a function that serves work, as the long question vocab and the quick one near."""

    @contextmanager
    def serve(work: Any, quick: Any = None) -> Iterator[Explorer]:
        ways = (
            Way("vocab", Vocab, work, long=True),
            Way("near", Near, quick or work, long=False),
        )
        monkeypatch.setattr("unembed.explorer.app.WAYS", ways)
        with running({}) as explorer:
            yield explorer

    return serve


Serve = Callable[..., Any]


@pytest.fixture
def slow() -> Iterator[Slow]:
    slow = Slow()
    yield slow
    slow.go.set()


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(100) as pool:
        yield pool


def asked_near(source: str) -> dict[str, str]:
    return {"source": source, "expression": "sea"}


def test_progress_is_told_now_and_then_and_at_the_end() -> None:
    lines: list[dict[str, Any]] = []
    telling = Telling(lines.append)
    for done in range(1, 100_001):
        telling.progress("counting", done, 100_000)
    assert lines[0] == {"step": "counting", "done": 1, "total": 100_000}
    assert lines[-1] == {"step": "counting", "done": 100_000, "total": 100_000}
    assert len(lines) < 100


def test_work_learns_where_it_tells_that_nobody_waits() -> None:
    telling = Telling()
    telling.progress("counting", 1, 3)
    telling.left.set()
    with pytest.raises(_Left):
        telling.progress("counting", 2, 3)
    with pytest.raises(_Left):
        telling.line({})


def test_who_leaves_ends_the_work(serve: Serve, slow: Slow) -> None:
    with serve(slow) as explorer:
        for name in ("first", "second"):
            connection = explorer.asking("vocab", source=name)
            until(lambda: slow.begun[-1:] == [name])  # noqa: B023
            connection.close()
            until(lambda: slow.ended[-1:] == [name])  # noqa: B023
        slow.go.set()
        assert explorer.ask("vocab", source="third") == {"answer": "third"}
    assert slow.most == 1


def test_who_leaves_ends_quick_work_too(serve: Serve, slow: Slow) -> None:
    with serve(slow) as explorer:
        connection = explorer.asking("near", **asked_near("first"))
        until(lambda: slow.begun)
        connection.close()
        until(lambda: slow.ended)
        slow.go.set()
        assert explorer.ask("near", **asked_near("second")) == {"answer": "second"}


@pytest.mark.parametrize(("way", "lanes"), [("vocab", 1), ("near", 3)])
def test_what_nobody_waits_for_is_never_begun(
    serve: Serve, slow: Slow, monkeypatch: pytest.MonkeyPatch, way: str, lanes: int
) -> None:
    monkeypatch.setattr("unembed.explorer.work.os.cpu_count", lambda: lanes)
    more = {} if way == "vocab" else {"expression": "sea"}
    with serve(slow) as explorer:
        first = [explorer.asking(way, source=str(lane), **more) for lane in range(lanes)]
        until(lambda: len(slow.begun) == lanes)
        waiting = [explorer.asking(way, source="never", **more) for _ in range(20)]
        time.sleep(0.1)
        for connection in waiting:
            connection.close()
        time.sleep(0.1)
        slow.go.set()
        assert explorer.ask(way, source="last", **more) == {"answer": "last"}
        for connection in first:
            assert connection.getresponse().status == 200
            connection.close()
    assert sorted(slow.begun) == [*map(str, range(lanes)), "last"]


def test_long_work_is_done_one_after_the_other(serve: Serve, slow: Slow) -> None:
    with serve(slow) as explorer:
        asked = [explorer.asking("vocab", source=str(number)) for number in range(8)]
        answers = [connection.getresponse() for connection in asked]
        first = [json.loads(answer.readline()) for answer in answers]
        assert len(slow.begun) == 1
        slow.go.set()
        last = [lines_of(answer.read())[-1] for answer in answers]
        for connection in asked:
            connection.close()
    waited = {"step": "waiting for other work", "done": 0, "total": 0}
    assert sorted(line == waited for line in first) == [False, *[True] * 7]
    assert last == [{"answer": str(number)} for number in range(8)]
    assert slow.most == 1
    assert len(slow.begun) == 8


def quick(served: Served, asked: Any, telling: Telling) -> dict[str, Any]:
    return {"answer": asked.expression}


def test_quick_questions_need_not_wait_for_long_work(serve: Serve, slow: Slow) -> None:
    with serve(slow, quick) as explorer:
        connection = explorer.asking("vocab", source="long")
        until(lambda: slow.begun)
        assert explorer.ask("near", **asked_near("any")) == {"answer": "sea"}
        assert slow.ended == []
        connection.close()


def test_more_than_will_be_answered_soon_is_refused(
    serve: Serve, slow: Slow, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("unembed.explorer.work.MOST_WAITING", 3)
    with serve(slow, quick) as explorer:
        asked = [explorer.asking("vocab", source="working")]
        until(lambda: slow.begun)
        asked += [explorer.asking("vocab", source="waiting") for _ in range(3)]
        for connection in asked[1:]:
            assert b"waiting for other work" in connection.getresponse().readline()
        until(lambda: explorer.post("near", **asked_near("one too many")).status_code == 503)
        refused = explorer.post("near", **asked_near("one too many")).json()
        assert explorer.lines("vocab", source="one too many")[-1] == refused
        told = "3 questions are waiting already; ask again in a moment"
        assert refused == {"error": {"message": told, "column": None}}
        for connection in asked:
            connection.close()
        slow.go.set()
        until(lambda: explorer.post("near", **asked_near("again")).status_code == 200)
    assert "one too many" not in slow.begun


def test_work_has_its_time(serve: Serve, slow: Slow, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("unembed.explorer.work.SECONDS", 0.3)
    with serve(slow) as explorer:
        quick = explorer.post("near", **asked_near("quick"))
        assert quick.status_code == 504
        assert quick.json()["error"]["message"].startswith("this took more than 0 s and was stop")
        *told, last = explorer.lines("vocab", source="long")
        assert last == quick.json()
        assert {line["step"] for line in told} == {"working"}
    assert slow.ended == ["quick", "long"]


def test_who_reads_nothing_holds_no_lane(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("unembed.explorer.work.SECONDS", 1.0)

    def work(served: Served, asked: Any, telling: Telling) -> dict[str, Any]:
        for _ in range(1_000 if asked.source == "much" else 1):
            telling.line({"findings": "x" * 100_000})
        return {"answer": asked.source}

    with serve(work) as explorer:
        connection = explorer.asking("vocab", source="much")
        started = time.monotonic()
        while explorer.lines("vocab", source="little")[-1] != {"answer": "little"}:
            assert time.monotonic() - started < 20
        connection.close()


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (UsageError("no such region"), {"message": "no such region", "column": None}),
        (
            ExpressionError("no such word", expression="sea + zzz", column=7),
            {"message": "no such word", "column": 7},
        ),
        (
            MemoryError(),
            {"message": "there is not enough memory for this; ask for less", "column": None},
        ),
    ],
)
def test_an_error_of_work_is_the_last_line(
    serve: Serve, error: Exception, told: dict[str, Any]
) -> None:
    with serve(wrong(error)) as explorer:
        long = explorer.post("vocab", source="any")
        assert long.status_code == 200
        assert [json.loads(line) for line in long.iter_lines()] == [{"part": 1}, {"error": told}]
        quick = explorer.post("near", **asked_near("any"))
        assert (quick.status_code, quick.json()) == (422, {"error": told})


def test_a_fault_of_the_server_leaves_the_lanes_free(
    serve: Serve, capfd: pytest.CaptureFixture[str]
) -> None:
    with serve(wrong(ZeroDivisionError())) as explorer:
        for _ in range(3):
            assert explorer.post("near", **asked_near("any")).status_code == 500
            with pytest.raises(requests.exceptions.ChunkedEncodingError):
                explorer.post("vocab", source="any")
    assert capfd.readouterr().err.count("ZeroDivisionError\n") > 0


def test_a_hundred_questions_at_once_are_all_answered(head: Head, pool: ThreadPoolExecutor) -> None:
    spaces = ["causal", "centred", "cosine", "logit"]
    asked = [
        {
            "source": "tiny",
            "expression": f"#{2 + number} + king - sea",
            "space": spaces[number % 4],
            "region": [None, "words", "bytes"][number % 3],
            "top": 1 + number % 20,
        }
        for number in range(100)
    ]
    wanted = [
        head.nearest(
            str(one["expression"]), **{name: one[name] for name in ("space", "region", "top")}
        )
        for one in asked
    ]
    with running({"tiny": open_head(head.source)}) as explorer:
        found = [*pool.map(lambda one: explorer.ask("near", **one), asked)]
    assert [one["answer"] for one in found] == [
        json.loads(json.dumps(answer.to_dict())) for answer in wanted
    ]


def test_a_server_that_stops_ends_its_work(serve: Serve, slow: Slow) -> None:
    before = threading.active_count()
    with serve(slow) as explorer:
        asked = [explorer.asking("vocab", source=name) for name in ("first", "second")]
        asked.append(explorer.asking("near", **asked_near("quick")))
        until(lambda: len(slow.begun) == 2)
        started = time.monotonic()
        explorer.stop()
        assert time.monotonic() - started < 2
        answers = [connection.getresponse() for connection in asked]
        stopped = {"message": "the explorer is being stopped; start it again", "column": None}
        assert [lines_of(one.read())[-1] for one in answers] == [{"error": stopped}] * 3
        assert answers[-1].status == 503
        for connection in asked:
            connection.close()
    until(lambda: threading.active_count() <= before)
    assert sorted(slow.ended) == sorted(slow.begun)


def test_work_that_tells_nothing_does_not_hold_a_server_that_stops(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("unembed.explorer.serving._GRACE", 1)
    go, left = threading.Event(), threading.Event()

    def silent(served: Served, asked: Any, telling: Telling) -> dict[str, Any]:
        go.wait(20)
        try:
            telling.progress("working", 1, 1)
        finally:
            left.set()
        return {}

    before = threading.active_count()
    with serve(silent) as explorer:
        connection = explorer.asking("vocab", source="any")
        assert connection.getresponse().status == 200
        started = time.monotonic()
        explorer.stop()
        assert time.monotonic() - started < 4
        connection.close()
    go.set()
    assert left.wait(20)
    until(lambda: threading.active_count() <= before)


def test_a_server_that_starts_again_answers_the_same(head: Head) -> None:
    asked = {"source": "tiny", "expression": "king - man + woman"}
    with running({"tiny": head}) as explorer:
        port, first = explorer.port, explorer.ask("near", **asked)
        idle = socket.create_connection(("127.0.0.1", port))
    with running({"tiny": open_head(head.source)}, port=port) as explorer:
        assert explorer.port == port
        assert explorer.ask("near", **asked) == first
    idle.close()
    assert first == json.loads(json.dumps(near(Served({"tiny": head}), Near(**asked), Telling())))


COMMAND = "import sys; from unembed.cli import main; main(sys.argv[1:])"


@pytest.mark.parametrize("asked", [None, "vocab"])
def test_an_interrupt_stops_the_command(make_checkpoint: Make, asked: str | None) -> None:
    """It arrives where nothing is asked, or in the midst of long work."""
    source = str(make_checkpoint())
    with subprocess.Popen(
        [sys.executable, "-c", COMMAND, "serve", source, "--port", "0", "--no-browser"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as command:
        assert command.stdout is not None
        told = [command.stdout.readline() for _ in range(3)]
        address = told[1].removeprefix("serving ").strip()
        port = int(address.rsplit(":", 1)[1].strip("/"))
        found = requests.post(
            f"{address}api/near", json={"source": source, "expression": "king"}, timeout=60
        )
        with closing(HTTPConnection("127.0.0.1", port, timeout=60)) as connection:
            if asked is not None:
                question = json.dumps({"source": source})
                connection.request("POST", f"/api/{asked}", question, JSON)
                assert connection.getresponse().status == 200
            started = time.monotonic()
            command.send_signal(signal.SIGINT)
            out, err = command.communicate(timeout=30)
    assert time.monotonic() - started < 8
    assert found.status_code == 200
    assert told[0] == f"{source}: 285 tokens, 16 wide\n"
    assert told[2] == "Ctrl-C stops it\n"
    assert "Traceback" not in err
    assert (command.returncode, out) == (130, "")
