"""Requests: redirects followed with care, answers bounded and checked, breaks made up for."""

import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import urlsplit

from ...errors import RemoteError
from .answers import (
    About,
    Break,
    Unreachable,
    about_of,
    checked_range,
    judge,
    origin_of,
    sent_on,
)

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


class _TooSlow(Break):
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
                    raise Break(f"{len(content):,} bytes came of {length}")
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
                end = checked_range(url, answer, about, reached, stop)
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
                    raise Break(f"{end - reached:,} bytes are missing")
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
            except Break as error:
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
        from urllib3.exceptions import NameResolutionError

        first: dict[str, str] = {}
        here = url
        try:
            for _ in range(_REDIRECTS + 1):
                asked = {"Accept-Encoding": "identity", "User-Agent": "unembed", **headers}
                if self._token is not None and origin_of(here) == origin_of(self.endpoint):
                    asked["Authorization"] = f"Bearer {self._token}"
                with self._session().get(
                    here, headers=asked, stream=True, allow_redirects=False, timeout=_TIMEOUTS
                ) as answer:
                    for name in ("X-Repo-Commit", "X-Linked-Size", "X-Linked-ETag"):
                        if name in answer.headers:
                            first.setdefault(name, answer.headers[name])
                    if answer.status_code not in {301, 302, 303, 307, 308}:
                        judge(url, answer)
                        yield answer, about_of(answer, first)
                        return
                    here = sent_on(here, answer.headers.get("Location", ""))
            raise RemoteError(f"{url}: sent on more than {_REDIRECTS} times")
        except (requests.ConnectionError, requests.Timeout) as error:
            if isinstance(_innermost(error), NameResolutionError):
                host = urlsplit(here).hostname
                raise Unreachable(f"{url}: no host {host} is known here, or no network") from error
            raise Break(f"the connection failed: {_short(error)}") from error
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
            raise Break(f"the connection broke: {_short(error)}") from error

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


def _short(error: Exception) -> str:
    """Give the innermost reason of an error, short."""
    inner = _innermost(error)
    return (str(inner) or type(inner).__name__)[:200]


def _innermost(error: BaseException) -> BaseException:
    """Give what an error came of: what it holds last, or calls its reason."""
    while True:
        inner = getattr(error, "reason", None) or (error.args[-1] if error.args else None)
        if not isinstance(inner, Exception):
            return error
        error = inner
