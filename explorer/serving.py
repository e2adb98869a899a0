"""The explorer's server: bound, running, stopped."""

import logging
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from typing import TYPE_CHECKING

from .. import __version__
from ..errors import MissingExtraError, UsageError
from ..geometry.heads.unembedding import Unembedding

if TYPE_CHECKING:
    import uvicorn

HOST, PORT = "127.0.0.1", 8765
_HEADER_BYTES = 1 << 16
_HTTP = 80
_GRACE = 3  # seconds that answers have when the server stops


@dataclass(frozen=True, eq=False)
class Server:
    """A server that has its address, and runs when it is told to.

    Attributes
    ----------
    address : str
        Of the page, its token included.
    server : uvicorn.Server
        What runs it.
    listening : socket
        Where.

    Examples
    --------
    >>> import unembed
    >>> made = server_of({"demo-bytes": unembed.open_head("demo-bytes")}, listen(port=0))
    >>> made.address[:17]
    'http://127.0.0.1:'
    >>> made.listening.close()
    """

    address: str
    server: "uvicorn.Server"
    listening: socket.socket

    def run(self) -> None:
        """Serve until it is interrupted."""
        from .stopping import LOG

        try:
            self.server.run(sockets=[self.listening])
        finally:
            logging.getLogger(LOG).setLevel(logging.WARNING)  # another may be served after it


def listen(host: str = HOST, port: int = PORT) -> socket.socket:
    """Take an address: worth asking before heads are opened.

    Parameters
    ----------
    host : str
        Where to listen.
    port : int
        0 for any that is free.

    Raises
    ------
    MissingExtraError
        What serves is not installed.
    UsageError
        The address cannot be had.

    Examples
    --------
    >>> listening = listen(port=0)
    >>> listening.getsockname()[0]
    '127.0.0.1'
    >>> listening.close()
    """
    try:
        import pydantic  # noqa: F401 - asked for before long work
        import starlette  # noqa: F401
        import uvicorn  # noqa: F401
    except ModuleNotFoundError as error:
        raise MissingExtraError("the explorer (starlette, uvicorn)", extra="web") from error
    listening = None
    try:
        family, kind, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listening = socket.socket(family, kind)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((address[0], port, *address[2:]))  # the resolver's own port has wrapped
        listening.listen()  # else another may bind it too
    except (OSError, OverflowError, UnicodeError) as error:
        if listening is not None:
            listening.close()
        reason = str(getattr(error, "strerror", None) or error).rstrip(".")
        raise UsageError(
            f"cannot listen on {host}, port {port}: {reason}; choose another --host or --port, 0 "
            "for any port that is free"
        ) from error
    return listening


def server_of(
    heads: Mapping[str, Unembedding], listening: socket.socket, *, framed: bool = False
) -> Server:
    """Make the server of an address.

    Parameters
    ----------
    heads : mapping of str to Unembedding
        What is served, by the names of the sources.
    listening : socket
        From `listen`. Where others than this machine reach it, every path begins with a token.
    framed : bool
        Whether a notebook shows the page; then there is a token too.

    Examples
    --------
    >>> import unembed
    >>> head = unembed.open_head("demo-bytes")
    >>> made = server_of({"demo-bytes": head}, listen(port=0), framed=True)
    >>> len(made.address.split("/")[3])
    32
    >>> made.listening.close()
    """
    import uvicorn

    from .app import app
    from .guard import Guard, new_token
    from .stopping import Quiet

    host, port = listening.getsockname()[:2]
    token = None if ip_address(host).is_loopback and not framed else new_token()
    names = [f"{name}:{port}" for name in ("127.0.0.1", "localhost", "[::1]", host)]
    if port == _HTTP:  # a browser leaves it out
        names += [name.rpartition(":")[0] for name in names]
    served = app(heads, version=__version__, stopping=lambda: server.should_exit)
    guard = Guard(served, hosts=names, token=token, framed=framed)
    config = uvicorn.Config(
        guard,
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        h11_max_incomplete_event_size=_HEADER_BYTES,
        timeout_graceful_shutdown=_GRACE,
        ws="none",
    )
    server = Quiet(config)
    if ip_address(host).is_unspecified:
        host = socket.gethostname()  # all of the machine's addresses: others know its name
    shown = f"[{host}]" if ":" in host else host
    return Server(f"http://{shown}:{port}{guard.base}", server, listening)
