"""A server that says nothing of the work that its end cuts off."""

import logging
import socket

import uvicorn

LOG = "uvicorn.error"


class Quiet(uvicorn.Server):
    """What uvicorn serves with; quiet from when it is told to stop: its log is `LOG`.

    Work that is in the middle of a step is left to the end of the process then, which is no fault.

    Examples
    --------
    >>> Quiet(uvicorn.Config(None)).should_exit
    False
    """

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop."""
        logging.getLogger(LOG).setLevel(logging.CRITICAL)
        await super().shutdown(sockets)
