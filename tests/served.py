"""A model hub and the host of its large files, as real servers on this machine; and faults."""

import hashlib
import json
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import parse_qs, urlsplit

COMMIT = "0123456789abcdef0123456789abcdef01234567"
TOKEN = "hf_secret"  # noqa: S105 - opens nothing but the server below
_BLOCK = 1 << 20


@dataclass
class Asked:
    """A request that came."""

    host: str
    method: str
    path: str
    headers: dict[str, str]
    sent: int = 0  # bytes of the body


@dataclass
class World:
    """A hub of one model, the host of its large files, and what was asked of both."""

    files: Path
    repo: str = "org/model"
    commit: str = COMMIT
    gated: bool = False
    asked: list[Asked] = field(default_factory=list)
    # What goes wrong: takes a request of a large file and how often that file was asked for, and
    # answers itself, or leaves it by giving False.
    fault: Callable[["_Handler", Path, int], bool] | None = None
    hub: str = ""
    large: str = ""
    counts: dict[str, int] = field(default_factory=dict)

    def sent(self) -> int:
        """Count the bytes of all bodies."""
        return sum(one.sent for one in self.asked)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    world: ClassVar[World]
    role: ClassVar[str]

    def do_HEAD(self) -> None:
        self.answer(body=False)

    def do_GET(self) -> None:
        self.answer(body=True)

    def answer(self, *, body: bool) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.asked = Asked(self.role, self.command, self.path, headers)
        self.world.asked.append(self.asked)
        try:
            (self.from_hub if self.role == "hub" else self.from_large)(body)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    def from_hub(self, body: bool) -> None:
        path = urlsplit(self.path).path
        cached = re.fullmatch(r"/api/resolve-cache/models/([^/]+/[^/]+)/([^/]+)/(.+)", path)
        if cached:
            self.file(self.world.files / cached[3], body, {"X-Repo-Commit": self.world.commit})
            return
        asked = re.fullmatch(r"/([^/]+/[^/]+)/resolve/([^/]+)/(.+)", path)
        if not asked or asked[1] != self.world.repo:
            self.say(401, {"X-Error-Code": "RepoNotFound"})
            return
        if self.world.gated and self.headers.get("Authorization") != f"Bearer {TOKEN}":
            self.say(
                401 if "Authorization" not in self.headers else 403, {"X-Error-Code": "GatedRepo"}
            )
            return
        if asked[2] not in {"main", "v1", self.world.commit}:
            self.say(404, {"X-Error-Code": "RevisionNotFound"})
            return
        about = {"X-Repo-Commit": self.world.commit}
        found = self.world.files / asked[3]
        if not found.is_file():
            self.say(404, {"X-Error-Code": "EntryNotFound", **about})
        elif found.suffix == ".safetensors":
            about |= {"X-Linked-Size": str(found.stat().st_size), "X-Linked-ETag": etag(found)}
            self.say(302, about | {"Location": f"{self.world.large}/{found.name}?sign=yes"})
        else:
            place = f"/api/resolve-cache/models/{asked[1]}/{COMMIT}/{asked[3]}"
            self.say(307, about | {"Location": place})

    def from_large(self, body: bool) -> None:
        parts = urlsplit(self.path)
        found = self.world.files / parts.path.strip("/")
        if "Authorization" in self.headers:
            self.say(400, {})  # as a store of signed addresses does
            return
        if parse_qs(parts.query).get("sign") != ["yes"] or not found.is_file():
            self.say(403, {})
            return
        count = self.world.counts[found.name] = self.world.counts.get(found.name, 0) + 1
        if self.world.fault is None or not self.world.fault(self, found, count):
            self.file(found, body)

    def file(self, path: Path, body: bool, also: dict[str, str] | None = None) -> None:
        """Serve a file, or the range of it that is asked for."""
        if not path.is_file():
            self.say(404, {})
            return
        size = path.stat().st_size
        start, stop, status = 0, size, 200
        about = {"ETag": etag(path), "Accept-Ranges": "bytes"} | (also or {})
        wanted = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        if wanted:
            start = int(wanted[1])
            stop = min(int(wanted[2] or size - 1) + 1, size)
            if start >= size:
                self.say(416, {"Content-Range": f"bytes */{size}"})
                return
            status, about["Content-Range"] = 206, f"bytes {start}-{stop - 1}/{size}"
        self.begin(status, about | {"Content-Length": str(stop - start)})
        if body:
            with path.open("rb") as file:
                file.seek(start)
                while start < stop:
                    block = file.read(min(_BLOCK, stop - start))
                    self.send(block)
                    start += len(block)

    def range(self) -> tuple[int, int]:
        """Give the range that is asked for."""
        wanted = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("Range", ""))
        assert wanted is not None
        return int(wanted[1]), int(wanted[2]) + 1

    def begin(self, status: int, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()

    def send(self, data: bytes) -> None:
        self.wfile.write(data)
        self.asked.sent += len(data)

    def say(self, status: int, headers: dict[str, str]) -> None:
        """Answer without a body."""
        self.begin(status, headers | {"Content-Length": "0"})

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


def etag(path: Path) -> str:
    """Give what tells a file's content, as far as a test has any, from another."""
    about = path.stat()
    return '"' + hashlib.sha256(f"{about.st_size} {about.st_mtime_ns}".encode()).hexdigest() + '"'


@contextmanager
def served(files: Path, **options: Any) -> Iterator[World]:
    """Serve a directory as a model of a hub."""
    world = World(files, **options)
    servers = []
    for role in ("large", "hub"):
        handler = type(role, (_Handler,), {"world": world, "role": role})
        server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        setattr(world, role, f"http://127.0.0.1:{server.server_address[1]}")
        servers.append(server)
    try:
        yield world
    finally:
        for server in servers:
            server.shutdown()
            server.server_close()


# What can go wrong with a large file.


def serves_no_ranges(handler: _Handler, path: Path, _: int) -> bool:
    content = path.read_bytes()
    handler.begin(200, {"ETag": etag(path), "Content-Length": str(len(content))})
    handler.send(content)
    return True


def lies_about_the_range(handler: _Handler, path: Path, count: int) -> bool:
    if count == 1:
        return False
    start, stop = handler.range()
    size = path.stat().st_size
    about = {"ETag": etag(path), "Content-Range": f"bytes {start + 1}-{stop}/{size}"}
    handler.begin(206, about | {"Content-Length": str(stop - start)})
    handler.send(b"\0" * (stop - start))
    return True


def lies_about_the_size(handler: _Handler, path: Path, count: int) -> bool:
    if count == 1:
        return False
    start, stop = handler.range()
    about = {"ETag": etag(path), "Content-Range": f"bytes {start}-{stop - 1}/{1 << 40}"}
    handler.begin(206, about | {"Content-Length": str(stop - start)})
    handler.send(b"\0" * (stop - start))
    return True


def changes_half_way(handler: _Handler, path: Path, count: int) -> bool:
    if count == 3:
        path.touch()  # another time, and so another ETag
    return False


def cuts_each_answer(handler: _Handler, path: Path, _: int) -> bool:
    """Send half of what is asked for, and hang up; what is asked for again comes further."""
    start, stop = handler.range()
    size = path.stat().st_size
    stop = min(stop, size)
    half = max((stop - start) // 2, min(stop - start, 64))
    about = {"ETag": etag(path), "Content-Range": f"bytes {start}-{stop - 1}/{size}"}
    handler.begin(206, about | {"Content-Length": str(stop - start)})
    with path.open("rb") as file:
        file.seek(start)
        handler.send(file.read(half))
    handler.close_connection = half < stop - start
    return True


def always_hangs_up(handler: _Handler, *_: Any) -> bool:
    handler.close_connection = True
    return True


def drips(handler: _Handler, path: Path, count: int) -> bool:
    """Send a byte now and then, for ever."""
    if count == 1:
        return False
    start, stop = handler.range()
    about = {"ETag": etag(path), "Content-Range": f"bytes {start}-{stop - 1}/{path.stat().st_size}"}
    handler.begin(206, about | {"Content-Length": str(stop - start)})
    for _ in range(stop - start):
        handler.send(b"\0")
        handler.wfile.flush()
        time.sleep(0.05)
    return True


def never_ends(handler: _Handler, path: Path, count: int) -> bool:
    """Say a range, and send more and more in chunks."""
    if count == 1:
        return False
    start, stop = handler.range()
    about = {"ETag": etag(path), "Content-Range": f"bytes {start}-{stop - 1}/{path.stat().st_size}"}
    handler.begin(206, about | {"Transfer-Encoding": "chunked"})
    for _ in range(100_000):
        handler.send(b"10000\r\n" + b"\0" * 0x10000 + b"\r\n")
    return True


def sends_on(place: str) -> Callable[..., bool]:
    """Give a fault that sends on to another place."""

    def fault(handler: _Handler, *_: Any) -> bool:
        handler.say(302, {"Location": place})
        return True

    return fault


def busy(times: int, status: int = 429, wait: str | None = "0") -> Callable[..., bool]:
    """Give a fault that answers so the first times."""

    def fault(handler: _Handler, _: Path, count: int) -> bool:
        if count > times:
            return False
        handler.say(status, {} if wait is None else {"Retry-After": wait})
        return True

    return fault


def sharded(directory: Path, shards: dict[str, list[str]]) -> None:
    """Split the model of a directory: the names of tensors by file."""
    from safetensors.torch import load_file, save_file

    tensors = load_file(directory / "model.safetensors")
    (directory / "model.safetensors").unlink()
    for file, names in shards.items():
        save_file({name: tensors[name] for name in names}, directory / file)
    index = {"weight_map": {name: file for file, names in shards.items() for name in names}}
    (directory / "model.safetensors.index.json").write_text(json.dumps(index))
