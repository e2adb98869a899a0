"""What hosts answer: judged, and what they say of a file."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urljoin, urlsplit

from ...errors import RemoteError

if TYPE_CHECKING:
    import requests

_NUMBER = re.compile(r"[0-9]{1,18}")
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
    commit : str or None
        Of the hub's repository.

    Examples
    --------
    >>> About(12, '"a"', None).size
    12
    """

    size: int | None
    etag: str | None
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


class Break(Exception):
    """What may be better the next time, and how long to wait where the host says so.

    Examples
    --------
    >>> Break("the host answers 429", wait=3.0).wait
    3.0
    """

    def __init__(self, reason: str, wait: float | None = None) -> None:
        super().__init__(reason)
        self.wait = wait


def judge(url: str, answer: "requests.Response") -> None:
    """Refuse an answer that is none.

    Raises
    ------
    Break
        It may be better later.
    NotThere, Refused, RemoteError
        It will not.

    Examples
    --------
    >>> import requests
    >>> answer = requests.Response()
    >>> answer.status_code = 404
    >>> judge("https://host/a", answer)
    Traceback (most recent call last):
    unembed.geometry.remote.answers.NotThere: https://host/a: the host has no such file (404)
    """
    status, code = answer.status_code, answer.headers.get("X-Error-Code", "")
    if status in {200, 206}:
        return
    if status in _AGAIN:
        raise Break(f"the host answers {status}", _asked_wait(answer))
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


def about_of(answer: "requests.Response", first: Mapping[str, str]) -> About:
    """Give what the hub said of the file first, else the host that has it.

    Parameters
    ----------
    answer : requests.Response
        The last answer.
    first : mapping of str to str
        The hub's own headers of the answers before it.

    Examples
    --------
    >>> import requests
    >>> answer = requests.Response()
    >>> answer.status_code, answer.headers["Content-Range"] = 206, "bytes 0-1/12"
    >>> about_of(answer, {"X-Linked-ETag": "a"})
    About(size=12, etag='a', commit=None)
    """
    whole = answer.headers.get("Content-Range", "").rpartition("/")[2]
    length = answer.headers.get("Content-Length") if answer.status_code == 200 else whole
    size = first.get("X-Linked-Size", length)
    return About(
        size=int(size) if size and _NUMBER.fullmatch(size) else None,
        etag=first.get("X-Linked-ETag", answer.headers.get("ETag")),
        commit=first.get("X-Repo-Commit"),
    )


def checked_range(
    url: str, answer: "requests.Response", about: About, start: int, stop: int
) -> int:
    """Give where the range that is served ends; it begins where it should.

    Raises
    ------
    RemoteError
        It is another, or the whole file.

    Examples
    --------
    >>> import requests
    >>> answer = requests.Response()
    >>> answer.status_code, answer.headers["Content-Range"] = 206, "bytes 0-1/12"
    >>> checked_range("https://host/a", answer, About(12, None, None), 0, 2)
    2
    """
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


def sent_on(here: str, location: str) -> str:
    """Give where a redirect goes: to http or https, and from https to https only.

    Raises
    ------
    RemoteError
        It goes elsewhere.

    Examples
    --------
    >>> sent_on("https://host/a", "/b")
    'https://host/b'
    """
    there = urljoin(here, location)
    schemes = {"https"} if urlsplit(here).scheme == "https" else {"http", "https"}
    if not location or urlsplit(there).scheme not in schemes or not urlsplit(there).hostname:
        raise RemoteError(f"{here}: it sends on to {location[:200]!r}, where nothing is read")
    return there


def origin_of(url: str) -> tuple[str, str | None, int | None]:
    """Give scheme, host and port.

    Examples
    --------
    >>> origin_of("https://host/a.safetensors")
    ('https', 'host', 443)
    """
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port or {"http": 80, "https": 443}.get(parts.scheme)


def _asked_wait(answer: "requests.Response") -> float | None:
    """Give how many seconds a host asks to wait."""
    asked = answer.headers.get("Retry-After", "")
    return float(asked) if _NUMBER.fullmatch(asked) else None
