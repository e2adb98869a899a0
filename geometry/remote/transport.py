"""Requests: redirects followed with care, answers bounded and checked, breaks made up for."""

import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import urljoin, urlsplit

from ...errors import RemoteError

if TYPE_CHECKING:
    import requests

_log = logging.getLogger("unembed")
Result = TypeVar("Result")

_CHUNK = 1 << 16
_REDIRECTS = 5
_ATTEMPTS = 5  # in a row without a byte more
_TIMEOUTS = (10.0, 30.0)  # seconds for a connection, and for each chunk
_FIRST_WAIT = 0.5  # seconds; doubled each time
_LONGEST_WAIT = 120.0
_PATIENCE = 30.0  # seconds, from which on an answer must come faster than this:
_SLOWEST = 1 << 10  # bytes a second
_AGAIN = {408, 429, 500, 502, 503, 504}


@dataclass(frozen=True)
class About:
    """What a host says of a file.

    Attributes
    ----------
    size : int or None
        Of the whole file, in bytes.
    etag : str or None
        Tells its content from any other.
    served : str or None
        The ETag of the host that the bytes come from, where requests are sent on to another.
    commit : str or None
        Of the hub's repository.

    Examples
    --------
    >>> About(12, '"a"', '"a"', None).size
    12
    """

    size: int | None
    etag: str | None
    served: str | None
    commit: str | None


class NotThere(RemoteError):
    """The host has no such file.

    Examples
    --------
    >>> issubclass(NotThere, RemoteError)
    True
    """


class Refused(RemoteError):
    """The host does not let it be read.

    Examples
    --------
    >>> issubclass(Refused, RemoteError)
    True
    """


class Unreachable(RemoteError):
    """The host did not answer, or broke off again and again.

    Examples
    --------
    >>> issubclass(Unreachable, RemoteError)
    True
    """


class _Break(Exception):
    """What may be better the next time, and how long to wait where the host says so."""

    def __init__(self, reason: str, wait: float | None = None) -> None:
        super().__init__(reason)
        self.wait = wait


class _TooSlow(_Break):
    """What comes, but so slowly that it is no progress."""


class Transport:
    """Reads files of hosts.

    Parameters
    ----------
    endpoint : str
        The hub; the token goes to it, and to no other host.
    token : str, optional
        What opens gated models.

    Examples
    --------
    >>> Transport("https://huggingface.co").endpoint
    'https://huggingface.co'
    """

    def __init__(self, endpoint: str, token: str | None = None) -> None:
        self.endpoint = endpoint
        self._token = token
        self._local = threading.local()
        self.stopped = threading.Event()

    def whole(self, url: str, *, limit: int) -> tuple[bytes, About]:
        """Read a file of at most `limit` bytes.

        Raises
        ------
        NotThere
            The host has none.
        RemoteError
            It is larger, is refused, or does not come whole.
        """

        def attempt() -> tuple[bytes, About]:
            with self._answer(url, {}) as (answer, about):
                if about.size is not None and about.size > limit:
                    raise RemoteError(f"{url}: {about.size:,} bytes; at most {limit:,} are read")
                content = b"".join(self._chunks(answer, limit, url))
                length = answer.headers.get("Content-Length")
                if length is not None and length != str(len(content)):
                    raise _Break(f"{len(content):,} bytes came of {length}")
                return content, about

        return self._tried(url, attempt)

    def part(
        self,
        url: str,
        start: int,
        stop: int,
        write: Callable[[int, bytes], None],
        known: About | None,
    ) -> About:
        """Read the bytes from `start` to before `stop`, fewer where the file ends.

        Parameters
        ----------
        url : str
            Of the file.
        start, stop : int
            Which.
        write : callable
            Takes a place in the file and the bytes from there on; after a break it goes on where
            it was.
        known : About or None
            What was said of the file before; None the first time.

        Returns
        -------
        About
            What the host says of it now.

        Raises
        ------
        RemoteError
            The host serves no ranges, serves others than it says, has changed the file meanwhile,
            or breaks off again and again.
        """
        reached = start
        found = known

        def attempt() -> About:
            nonlocal reached, found
            wanted = {"Range": f"bytes={reached}-{stop - 1}"}
            with self._answer(url, wanted) as (answer, about):
                end = _checked_range(url, answer, about, reached, stop)
                if found is not None and (about.size, about.etag) != (found.size, found.etag):
                    raise RemoteError(
                        f"{url}: the file has changed while it was read "
                        f"({found.etag}, {found.size} bytes; now {about.etag}, {about.size} "
                        "bytes): open it again"
                    )
                found = about
                for chunk in self._chunks(answer, end - reached, url):
                    write(reached, chunk)
                    reached += len(chunk)
                if reached < end:
                    raise _Break(f"{end - reached:,} bytes are missing")
                return about

        return self._tried(url, attempt, reached=lambda: reached)

    def some(self, url: str, start: int, stop: int, known: About | None) -> tuple[bytes, About]:
        """Read a few bytes, as `part` does, and give them."""
        room = bytearray()
        about = self.part(url, start, stop, lambda _, data: room.extend(data), known)
        return bytes(room), about

    def _tried(
        self, url: str, attempt: Callable[[], Result], *, reached: Callable[[], int] = lambda: 0
    ) -> Result:
        """Try again after a break, with longer and longer waits, as long as it gets anywhere."""
        failed, before = 0, reached()
        while True:
            try:
                return attempt()
            except _Break as error:
                further = reached() > before and not isinstance(error, _TooSlow)
                failed = 1 if further else failed + 1
                before = reached()
                wait = error.wait if error.wait is not None else _FIRST_WAIT * 2 ** (failed - 1)
                if failed >= _ATTEMPTS or wait > _LONGEST_WAIT:
                    asked = f"; it asks to wait {wait:.0f} s" if error.wait is not None else ""
                    raise Unreachable(
                        f"{url}: {error}{asked}; tried {failed} times: try again later, what has "
                        "come is kept"
                    ) from error
                _log.info("%s: %s; trying again in %.1f s", url, error, wait)
                if self.stopped.wait(wait):
                    raise RemoteError(f"{url}: stopped") from error

    @contextmanager
    def _answer(
        self, url: str, headers: Mapping[str, str]
    ) -> "Iterator[tuple[requests.Response, About]]":
        """Send a request, follow where it is sent on to, and judge the answer."""
        import requests

        first: dict[str, str] = {}
        here = url
        try:
            for _ in range(_REDIRECTS + 1):
                asked = {"Accept-Encoding": "identity", "User-Agent": "unembed", **headers}
                if self._token is not None and _origin(here) == _origin(self.endpoint):
                    asked["Authorization"] = f"Bearer {self._token}"
                with self._session().get(
                    here, headers=asked, stream=True, allow_redirects=False, timeout=_TIMEOUTS
                ) as answer:
                    for name in ("X-Repo-Commit", "X-Linked-Size", "X-Linked-ETag"):
                        if name in answer.headers:
                            first.setdefault(name, answer.headers[name])
                    if answer.status_code not in {301, 302, 303, 307, 308}:
                        _judge(url, answer)
                        yield answer, _about(answer, first)
                        return
                    here = _sent_on(here, answer.headers.get("Location", ""))
            raise RemoteError(f"{url}: sent on more than {_REDIRECTS} times")
        except (requests.ConnectionError, requests.Timeout) as error:
            raise _Break(f"the connection failed: {_short(error)}") from error
        except requests.RequestException as error:
            raise RemoteError(f"{url}: {_short(error)}") from error

    def _chunks(self, answer: "requests.Response", most: int, url: str) -> Iterator[bytes]:
        """Give what comes, at most so many bytes and not too slowly."""
        from urllib3.exceptions import HTTPError

        began, came = time.monotonic(), 0
        try:
            while chunk := answer.raw.read1(_CHUNK, decode_content=False):
                came += len(chunk)
                if came > most:
                    raise RemoteError(f"{url}: more comes than the {most:,} bytes that are read")
                yield chunk
                if self.stopped.is_set():
                    raise RemoteError(f"{url}: stopped")
                elapsed = time.monotonic() - began
                if elapsed > _PATIENCE and came < _SLOWEST * elapsed:
                    raise _TooSlow(f"{came:,} bytes came in {elapsed:.0f} s")
        except (HTTPError, OSError) as error:
            raise _Break(f"the connection broke: {_short(error)}") from error

    def _session(self) -> "requests.Session":
        """Give this thread's connections."""
        import requests

        if not hasattr(self._local, "session"):
            self._local.session = requests.Session()
            # Without one, passwords of a .netrc would go to whatever host is asked.
            self._local.session.auth = lambda request: request
        session: requests.Session = self._local.session
        return session


def allowed(transport: Transport | None, url: str) -> Transport:
    """Give what reads; refuse to where there is none, since nothing may be fetched.

    Raises
    ------
    RemoteError
        There is none.

    Examples
    --------
    >>> allowed(None, "https://host/config.json")
    Traceback (most recent call last):
    unembed.errors.RemoteError: https://host/config.json is not here, and HF_HUB_OFFLINE forbids ...
    """
    if transport is None:
        raise RemoteError(
            f"{url} is not here, and HF_HUB_OFFLINE forbids to fetch it: unset it, or open what "
            "was opened before"
        )
    return transport


def _judge(url: str, answer: "requests.Response") -> None:
    """Refuse an answer that is none."""
    status, code = answer.status_code, answer.headers.get("X-Error-Code", "")
    if status in {200, 206}:
        return
    if status in _AGAIN:
        raise _Break(f"the host answers {status}", _asked_wait(answer))
    if status == 404 and code == "RevisionNotFound":
        raise RemoteError(f"{url}: the hub knows the model, and no such revision")
    if status in {401, 403} or code in {"GatedRepo", "RepoNotFound"}:
        what = "it is gated" if code == "GatedRepo" else "it is not there, is private or is gated"
        raise Refused(
            f"{url}: the host answers {status}: {what}: look at its name, accept its terms on its "
            "page, and give a token that may read it in HF_TOKEN, or by hf auth login"
        )
    if status in {404, 410}:
        raise NotThere(f"{url}: the host has no such file ({status})")
    if status == 416:
        raise RemoteError(f"{url}: the host answers 416: the file ends before what is asked of it")
    raise RemoteError(f"{url}: the host answers {status}")


def _about(answer: "requests.Response", first: Mapping[str, str]) -> About:
    """Give what the hub said of the file first, else the host that has it."""
    served = answer.headers.get("ETag")
    whole = answer.headers.get("Content-Range", "").rpartition("/")[2]
    length = answer.headers.get("Content-Length") if answer.status_code == 200 else whole
    size = first.get("X-Linked-Size", length)
    return About(
        size=int(size) if size and size.isascii() and size.isdigit() else None,
        etag=first.get("X-Linked-ETag", served),
        served=served,
        commit=first.get("X-Repo-Commit"),
    )


def _checked_range(
    url: str, answer: "requests.Response", about: About, start: int, stop: int
) -> int:
    """Give where the range that is served ends; it begins where it should."""
    if answer.status_code != 206:
        raise RemoteError(
            f"{url}: the host serves no parts of files (Range): download the file and open it from "
            "disk"
        )
    size = about.size
    said = answer.headers.get("Content-Range", "")
    if size is None:
        raise RemoteError(f"{url}: the host does not say how large the file is ({said!r})")
    end = min(stop, size)
    if said != f"bytes {start}-{end - 1}/{size}":
        raise RemoteError(
            f"{url}: bytes {start}-{end - 1} of {size} were asked for, and the host says that it "
            f"gives {said!r}"
        )
    return end


def _sent_on(here: str, location: str) -> str:
    """Give where a redirect goes: to http or https, and from https to https only."""
    there = urljoin(here, location)
    schemes = {"https"} if urlsplit(here).scheme == "https" else {"http", "https"}
    if not location or urlsplit(there).scheme not in schemes or not urlsplit(there).hostname:
        raise RemoteError(f"{here}: it sends on to {location[:200]!r}, where nothing is read")
    return there


def _origin(url: str) -> tuple[str, str | None, int | None]:
    """Give scheme, host and port."""
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port or {"http": 80, "https": 443}.get(parts.scheme)


def _asked_wait(answer: "requests.Response") -> float | None:
    """Give how many seconds a host asks to wait."""
    asked = answer.headers.get("Retry-After", "")
    return float(asked) if asked.isascii() and asked.isdigit() and len(asked) < 10 else None


def _short(error: Exception) -> str:
    """Give the innermost reason of an error, short."""
    while error.args and isinstance(error.args[-1], Exception):
        error = error.args[-1]
    return (str(error) or type(error).__name__)[:200]
