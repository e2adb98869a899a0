"""The explorer inside a notebook."""

import threading
import time
from collections.abc import Sequence
from html import escape

from ..errors import UnembedError, UsageError
from ..geometry.heads.unembedding import Unembedding
from .serving import Server, listen, server_of

_PATIENCE = 30.0  # seconds that a server has to start, and to stop
_HEIGHTS = (200, 5000)  # pixels


class Explorer:
    """A page of the explorer that is served while the process runs, or until it is stopped.

    It answers on this machine alone, and its address has a token: keep it to yourself.

    Attributes
    ----------
    address : str
        Of the page, to be opened in a browser too.

    Examples
    --------
    >>> import unembed
    >>> with unembed.open_head("demo-bytes").explore() as explorer:
    ...     explorer.address[:17]
    'http://127.0.0.1:'
    """

    def __init__(self, server: Server, *, height: int) -> None:
        self.address = server.address
        self._server = server.server
        self._height = height
        self._thread = threading.Thread(target=server.run, name="unembed explorer", daemon=True)
        self._thread.start()
        end = time.monotonic() + _PATIENCE
        while not self._server.started:
            if not self._thread.is_alive() or time.monotonic() > end:
                raise UnembedError("the explorer's server did not start")
            time.sleep(0.01)

    def stop(self) -> None:
        """Stop serving; what was made for the page is let go."""
        self._server.should_exit = True
        self._thread.join(_PATIENCE)

    def __enter__(self) -> "Explorer":
        """Serve."""
        return self

    def __exit__(self, *_: object) -> None:
        """Stop."""
        self.stop()

    def __repr__(self) -> str:
        """Tell the address."""
        return f"Explorer({self.address})"

    def _repr_html_(self) -> str:
        """Show the page in a frame."""
        return (
            f'<iframe src="{escape(self.address)}" title="unembed explorer" width="100%" '
            f'height="{self._height}" style="border:0" allow="clipboard-write"></iframe>'
        )


def explore(heads: Sequence[Unembedding], *, height: int = 800) -> Explorer:
    """Serve a page over some heads, in a thread of its own.

    Parameters
    ----------
    heads : sequence of Unembedding
        Each of another source.
    height : int
        Of the page in a notebook, 200 to 5,000 pixels.

    Raises
    ------
    UsageError
        Two are of one source, or the height is out of range.
    MissingExtraError
        What serves is not installed.

    Examples
    --------
    >>> import unembed
    >>> with explore([unembed.open_head("demo-bytes")]) as explorer:
    ...     explorer.address[:17]
    'http://127.0.0.1:'
    """
    if not _HEIGHTS[0] <= height <= _HEIGHTS[1]:
        raise UsageError(f"height is {height}; it must be {_HEIGHTS[0]} to {_HEIGHTS[1]:,} pixels")
    named = {head.source: head for head in heads}
    if len(named) < len(heads):
        raise UsageError("two of the heads are of one source; name each once")
    listening = listen(port=0)
    from .maps import warm  # needs what serves, which is asked for by now

    for head in heads:
        warm(head)
    return Explorer(server_of(named, listening, framed=True), height=height)
