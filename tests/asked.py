"""An explorer that runs in a thread of this process, and how it is asked.

Imported relatively (``from .asked import running``).
"""

import json
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlsplit

import requests
from unembed import Head
from unembed.explorer.serving import Server, listen, server_of

SECONDS = 60  # in which everything here is answered
JSON = {"Content-Type": "application/json"}


@dataclass(frozen=True)
class Answer:
    """An answer as it came, its headers by their names in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True)
class Explorer:
    """A server that runs."""

    server: Server
    thread: threading.Thread

    @property
    def host(self) -> str:
        return urlsplit(self.server.address).netloc

    @property
    def base(self) -> str:
        return urlsplit(self.server.address).path

    @property
    def port(self) -> int:
        found = self.server.listening.getsockname()[1]
        assert isinstance(found, int)
        return found

    def connection(self) -> HTTPConnection:
        return HTTPConnection(self.host, timeout=SECONDS)

    def send(
        self,
        path: str,
        body: bytes | Iterable[bytes] | None = None,
        *,
        method: str | None = None,
        **headers: str,
    ) -> Answer:
        """Ask for a path just as it is written; a name's _ is the - of a header."""
        said = {name.replace("_", "-"): value for name, value in headers.items()}
        with closing(self.connection()) as connection:
            asked = method or ("GET" if body is None else "POST")
            connection.request(asked, path, body, said)
            came = connection.getresponse()
            headers = {name.lower(): value for name, value in came.getheaders()}
            return Answer(came.status, headers, came.read())

    def post(self, way: str, **question: Any) -> requests.Response:
        address = f"{self.server.address}api/{way}"
        return requests.post(address, json=question, timeout=SECONDS)

    def lines(self, way: str, **question: Any) -> list[dict[str, Any]]:
        """Ask; give the lines of the answer, one where it comes in one piece."""
        return lines_of(self.post(way, **question).content)

    def ask(self, way: str, **question: Any) -> dict[str, Any]:
        """Ask what has an answer, and give it."""
        found = self.lines(way, **question)[-1]
        assert "error" not in found
        return found

    def give(self, content: bytes, ending: str) -> str:
        """Give a file; give what it is called."""
        address = f"{self.server.address}api/file?ending={ending}"
        name = requests.post(address, data=content, timeout=SECONDS).json()["file"]
        assert isinstance(name, str)
        return name

    def asking(self, way: str, **question: Any) -> HTTPConnection:
        """Ask, and leave the answer on its way; who closes the connection has left."""
        connection = self.connection()
        connection.request("POST", f"{self.base}api/{way}", json.dumps(question), JSON)
        return connection

    def stop(self) -> None:
        self.server.server.should_exit = True
        self.thread.join(SECONDS)
        assert not self.thread.is_alive()


def lines_of(content: bytes) -> list[dict[str, Any]]:
    return [json.loads(line) for line in content.splitlines()]


@contextmanager
def running(heads: Mapping[str, Head], *, port: int = 0, **options: Any) -> Iterator[Explorer]:
    """Serve heads on this machine for as long as a test needs them."""
    with closing(listen(port=port)) as listening:
        server = server_of(heads, listening, **options)
        explorer = Explorer(server, threading.Thread(target=server.run))
        explorer.thread.start()
        try:
            until(lambda: server.server.started)
            yield explorer
        finally:
            explorer.stop()


def until(true: Callable[[], object], seconds: float = 20.0) -> None:
    """Wait for what comes soon."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end
        time.sleep(0.005)
