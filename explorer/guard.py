"""Who may ask, and what a page that was served may do: checked before anything else."""

import secrets
from collections.abc import Collection
from http import HTTPStatus

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src 'self' data:; frame-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors {framers}"
)
# A page that was made for an answer has a policy of its own; it gets no origin, so that whatever
# a token does there, it can ask nothing of the API.
MADE_POLICY = "sandbox allow-scripts allow-downloads"
_HEADERS = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
}
# Where notebooks are shown: their own servers on this machine, and editors.
_NOTEBOOKS = "'self' http://localhost:* http://127.0.0.1:* https: vscode-webview:"


def new_token() -> str:
    """Make a token that nobody guesses.

    Examples
    --------
    >>> len(new_token())
    32
    """
    return secrets.token_urlsafe(24)


class Guard:
    """Lets through what this machine's own browser asks for, or who has the token.

    Without a token the server answers on this machine alone: then the host that was asked for must
    be one of `hosts`, so that no page of another name, bound to this machine's address, gets in
    (DNS rebinding). With one, it is the first part of every path. In either case what a page asks
    for must come from a page of the same origin.

    Parameters
    ----------
    app : ASGI application
        What is guarded.
    hosts : collection of str
        What the header Host may say, where there is no token.
    token : str or None
        What every path begins with.
    framed : bool
        Whether pages of notebooks may show this one.

    Examples
    --------
    >>> Guard(None, hosts=["localhost:8000"], token=None, framed=False).base
    '/'
    """

    def __init__(
        self, app: ASGIApp, *, hosts: Collection[str], token: str | None, framed: bool
    ) -> None:
        self._app = app
        self._hosts = frozenset(hosts)
        self._token = token
        self._policy = _POLICY.format(framers=_NOTEBOOKS if framed else "'self'")

    @property
    def base(self) -> str:
        """The path of the page."""
        return "/" if self._token is None else f"/{self._token}/"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse, or pass on with the headers that bound what a page may do."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers[name] = value
                headers.setdefault("content-security-policy", self._policy)
                headers.setdefault("cache-control", "no-store")
            await send(message)

        refused = self._refused(Headers(scope=scope), scope)
        if refused is not None:
            await PlainTextResponse(refused, HTTPStatus.FORBIDDEN)(scope, receive, guarded)
            return
        if self._token is not None:
            # Routes know nothing of the token.
            scope = {**scope, "path": scope["path"][len(self.base) - 1 :]}
        await self._app(scope, receive, guarded)

    def _refused(self, headers: Headers, scope: Scope) -> str | None:
        """Say why a request is refused; None where it is not."""
        host, origin = headers.get("host", ""), headers.get("origin")
        if self._token is None and host not in self._hosts:
            names = ", ".join(sorted(self._hosts))
            return f"this explorer answers on its own machine, as {names}\n"
        if self._token is not None and not _begins(scope["path"], self.base):
            return "the address of this explorer has a token: ask who started it for the whole\n"
        if origin is not None and origin not in (f"http://{host}", f"https://{host}"):
            return "only the explorer's own page may ask\n"
        site = headers.get("sec-fetch-site", "same-origin")
        if site not in ("same-origin", "none") and headers.get("sec-fetch-mode") != "navigate":
            return "only the explorer's own page may ask\n"
        return None


def _begins(path: str, base: str) -> bool:
    """Tell whether a path begins so, in a time that tells nothing of where it does not."""
    start = path[: len(base)].encode("utf-8", errors="replace")
    return secrets.compare_digest(start, base.encode())
