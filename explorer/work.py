"""Work in threads: so much at once, for so long, and no longer than someone waits for it."""

import math
import os
import threading
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import anyio
import anyio.from_thread
import anyio.to_thread
from starlette.types import Receive

from ..errors import ExpressionError, UnembedError, UsageError

Line = dict[str, Any]
"""An answer, a part of one, or an error: an object of JSON."""

Call = Callable[["Telling"], Line]
"""Finds an answer, in a thread."""

MOST_WAITING = 500  # questions
SECONDS = 900.0  # of one answer
_TOLD_EACH = 0.1  # seconds between two lines of progress
_AHEAD = 4  # lines that work is ahead of who reads them


class Busy(UnembedError):
    """More is waiting than will be answered soon.

    Examples
    --------
    >>> issubclass(Busy, UnembedError)
    True
    """


class NotHeld(UnembedError):
    """What a question is about is held no more: ask for it again.

    Examples
    --------
    >>> issubclass(NotHeld, UnembedError)
    True
    """


class TakesTooLong(UnembedError):
    """An answer was not found in its time.

    Examples
    --------
    >>> issubclass(TakesTooLong, UnembedError)
    True
    """


class _Left(Exception):
    """Nobody waits for the answer any more."""


@dataclass
class Telling:
    """How work tells how far it is, and learns that it should stop: where it next tells something.

    Attributes
    ----------
    send : callable or None
        Takes a line that who waits is to read.
    until : float
        When it has taken too long, on the monotonic clock; set when it begins.
    left : Event
        Set once nobody waits.
    stopping : callable
        Tells whether the server stops.

    Examples
    --------
    >>> lines = []
    >>> Telling(lines.append).progress("laying out", 2, 2)
    >>> lines
    [{'step': 'laying out', 'done': 2, 'total': 2}]
    """

    send: Callable[[Line], None] | None = None
    until: float = math.inf
    left: threading.Event = field(default_factory=threading.Event)
    stopping: Callable[[], bool] = lambda: False
    _told: float = 0.0

    def progress(self, step: str, done: int, total: int) -> None:
        """Tell how far a step is: a `Progress` of the library."""
        now = time.monotonic()
        if now - self._told >= _TOLD_EACH or done == total:
            self._told = now
            self.line({"step": step, "done": done, "total": total})
        else:
            self._check()

    def line(self, line: Line) -> None:
        """Give a part of the answer."""
        self._check()
        if self.send is not None:
            self.send(line)

    def _check(self) -> None:
        """Stop where nobody waits, or the time is over."""
        if self.left.is_set():
            raise _Left
        if self.stopping():
            raise Busy("the explorer is being stopped; start it again")
        if time.monotonic() > self.until:
            raise TakesTooLong(
                f"this took more than {SECONDS:,.0f} s and was stopped; ask for less, or on the "
                "command line"
            )


class Work:
    """Two lanes: questions that take milliseconds, one for each core; and long work, one at a time.

    Long work uses all cores by itself.

    Parameters
    ----------
    stopping : callable
        Tells whether the server stops: then so does work, where it next tells something.

    Examples
    --------
    >>> async def asked():
    ...     return Work().waiting
    >>> anyio.run(asked)
    0
    """

    def __init__(self, stopping: Callable[[], bool] = lambda: False) -> None:
        self._stopping = stopping
        self._quick = anyio.CapacityLimiter(max(2, os.cpu_count() or 2))
        self._long = anyio.CapacityLimiter(1)
        self.waiting = 0

    async def quick(self, receive: Receive, call: Call) -> tuple[int, Line] | None:
        """Give the status and the answer; None where who asked has left."""
        telling, found = Telling(stopping=self._stopping), None
        async with anyio.create_task_group() as group:
            group.start_soon(_watch, receive, telling, group.cancel_scope)
            found = await self._run(self._quick, call, telling)
            group.cancel_scope.cancel()
        return found

    async def long(
        self, receive: Receive, call: Call, write: Callable[[Line], Awaitable[None]]
    ) -> None:
        """Write lines as they come; the last is the answer or an error."""
        sent, received = anyio.create_memory_object_stream[Line](_AHEAD)

        async def sending(line: Line) -> None:
            # Who reads nothing holds the lane no longer than the answer may take.
            with anyio.move_on_after(telling.until - time.monotonic()):
                await sent.send(line)

        def send(line: Line) -> None:
            try:
                anyio.from_thread.run(sending, line)
            except anyio.BrokenResourceError as error:
                raise _Left from error

        telling = Telling(send, stopping=self._stopping)

        async def working() -> None:
            async with sent:
                if not self._long.available_tokens:
                    await sent.send({"step": "waiting for other work", "done": 0, "total": 0})
                _, line = await self._run(self._long, call, telling)
                await sent.send(line)

        async with anyio.create_task_group() as group:
            group.start_soon(_watch, receive, telling, group.cancel_scope)
            group.start_soon(working)
            async with received:
                async for line in received:
                    await write(line)
            group.cancel_scope.cancel()

    async def _run(
        self, lane: anyio.CapacityLimiter, call: Call, telling: Telling
    ) -> tuple[int, Line]:
        """Wait for the lane, which who leaves need not; then work, which is seen to its end."""
        if self.waiting >= MOST_WAITING:
            busy = f"{MOST_WAITING:,} questions are waiting already; ask again in a moment"
            return failed(Busy(busy))
        self.waiting += 1
        try:
            await lane.acquire()
        finally:
            self.waiting -= 1
        telling.until = time.monotonic() + SECONDS
        try:
            with anyio.CancelScope(shield=True):
                found = await anyio.to_thread.run_sync(_outcome, call, telling)
        finally:
            telling.left.set()  # where the server stops, the work does too
            lane.release()
        return found


async def _watch(receive: Receive, telling: Telling, scope: anyio.CancelScope) -> None:
    """Stop work that nobody waits for."""
    while (await receive())["type"] != "http.disconnect":
        pass
    telling.left.set()
    scope.cancel()


def _outcome(call: Call, telling: Telling) -> tuple[int, Line]:
    """Give the status and the answer of a call, or what is wrong."""
    try:
        return 200, call(telling)
    except _Left:
        return 499, {}
    except UnembedError as error:
        return failed(error)
    except MemoryError:
        return failed(UsageError("there is not enough memory for this; ask for less"))


def failed(error: UnembedError) -> tuple[int, Line]:
    """Give the status and the object of an error.

    Examples
    --------
    >>> failed(ExpressionError("no such word", expression="sea + zzz", column=7))
    (422, {'error': {'message': 'no such word', 'column': 7}})
    """
    status = {NotHeld: 409, Busy: 503, TakesTooLong: 504}.get(type(error), 422)
    if isinstance(error, ExpressionError):
        return status, {"error": {"message": error.message, "column": error.column}}
    return status, {"error": {"message": str(error), "column": None}}
