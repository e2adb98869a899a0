"""Chunks of records on the workers of dask.distributed."""

import asyncio
import logging
import re
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from typing import TYPE_CHECKING, Any, Protocol

from ...errors import MissingExtraError, UnembedError, UsageError
from ..records.chunks import Chunk
from ..storage import reason_of, storage_of
from .shards import Auditing, Shards, digest_of

if TYPE_CHECKING:
    from distributed import Client, Future

_ADDRESS = re.compile(r"(tcp|tls|ws|wss)://\S+")
_PATIENCE = 5  # seconds that a scheduler may take to answer
_AHEAD = 2  # chunks for each thread of the workers: one is audited while the next is on its way
_one_at_a_time = threading.Lock()
_log = logging.getLogger("unembed")


class Spec(Protocol):
    """Says how a worker makes the auditor that the driver has: a value, pickled and hashable.

    Examples
    --------
    >>> from dataclasses import dataclass
    >>> @dataclass(frozen=True)
    ... class Fake:
    ...     terms: tuple = ()
    ...
    ...     def open(self):
    ...         return self
    >>> spec: Spec = Fake()
    """

    def open(self) -> Auditing:
        """Open a head and make ready what audits."""

    def __hash__(self) -> int:
        """Tell it apart from another."""


@dataclass(frozen=True)
class Cluster:
    """The workers of a scheduler, each with an auditor of its own.

    Attributes
    ----------
    address : str
        The scheduler's, such as ``tcp://host:8786``. It is trusted: dask's processes run what they
        are sent.
    spec : Spec
        Opened once in each worker.

    Examples
    --------
    >>> Cluster("host:8786", spec=None).check()
    Traceback (most recent call last):
    unembed.errors.UsageError: 'host:8786': a scheduler's address is such as tcp://host:8786
    """

    address: str
    spec: Spec

    def check(self) -> None:
        """Refuse a scheduler that does not answer: worth asking before a head is opened.

        Raises
        ------
        UsageError
            It does not answer within some seconds, or its address is none.
        MissingExtraError
            distributed is not installed.
        """
        _connected(self.address).close()

    def audited(self, chunks: Iterator[Chunk], *, output: str) -> Iterator[tuple[Chunk, str]]:
        """Let the workers audit chunks and write their shards, in whatever order.

        A worker that dies loses nothing: what it had is audited by another, and workers may join
        at any time. Few chunks are taken ahead, so memory does not grow with the list.

        Parameters
        ----------
        chunks : iterator of Chunk
        output : str
            The address of the output: the workers find the directory of its shards by it.

        Yields
        ------
        chunk : Chunk
        name : str
            Its shard's.

        Raises
        ------
        UsageError
            The scheduler does not answer, or a worker has another head or does not see the output.
        MissingExtraError
            distributed is not installed.
        UnembedError
            A chunk failed, or the scheduler is gone.
        """
        client = _connected(self.address)
        with _told_by_errors_alone():
            try:
                yield from _results(client, chunks, _Work(self.spec, output))
            finally:
                client.close()


@dataclass(frozen=True)
class _Work:
    """What a worker is to do with a chunk."""

    spec: Spec
    output: str

    def __call__(self, chunk: Chunk) -> str:
        """Audit a chunk and write its shard; give the shard's name."""
        storage, path = storage_of(self.output)
        with _one_at_a_time:  # a worker's threads share its auditor, which uses all cores itself
            auditor = _opened(self.spec)
            shards = Shards(storage, f"{path}.shards", digest_of(auditor.terms))
            shards.check()
            findings = auditor.audit(chunk.records)
        return shards.write(chunk, findings)


@lru_cache(maxsize=1)
def _opened(spec: Spec) -> Auditing:
    """Open an auditor, once in a process."""
    return spec.open()


def _connected(address: str) -> "Client":
    """Connect to a scheduler."""
    if not _ADDRESS.fullmatch(address):
        raise UsageError(f"{address!r}: a scheduler's address is such as tcp://host:8786")
    try:
        from distributed import Client
    except ImportError as error:
        raise MissingExtraError("a cluster (dask.distributed)", extra="cluster") from error
    try:
        # A loop may be running in this thread, as in a notebook.
        with ThreadPoolExecutor(1) as thread:
            thread.submit(lambda: asyncio.run(_ask(address))).result()
        return Client(address, timeout=_PATIENCE, set_as_default=False)
    except Exception as error:
        raise UsageError(
            f"{address}: no scheduler answers: {reason_of(error)}; start one with: dask scheduler"
        ) from error


async def _ask(address: str) -> None:
    """See whether a scheduler answers: a client itself waits for ever where something else does."""
    from distributed.comm import connect
    from distributed.security import Security

    async with asyncio.timeout(_PATIENCE):
        asked = await connect(address, _PATIENCE, **Security().get_connection_args("client"))
        await asked.close()


@contextmanager
def _told_by_errors_alone() -> Iterator[None]:
    """Keep a client from printing how it lost its scheduler: the error that follows says it."""
    logs = [logging.getLogger(f"distributed.{part}") for part in ("client", "batched")]
    for log in logs:
        log.addFilter(_nothing)
    try:
        yield
    finally:
        for log in logs:
            log.removeFilter(_nothing)


def _nothing(record: logging.LogRecord) -> bool:  # noqa: ARG001
    """Let no record through."""
    return False


def _results(client: "Client", chunks: Iterator[Chunk], work: _Work) -> Iterator[tuple[Chunk, str]]:
    """Keep the workers busy, and give the chunks as they are done."""
    from distributed import as_completed

    flying: dict[str, Chunk] = {}
    done = as_completed(loop=client.loop, raise_errors=False)
    if not _threads(client):
        _log.warning("the cluster has no workers yet; waiting for one")
    while True:
        room = _AHEAD * max(1, _threads(client)) - len(flying)
        for chunk in islice(chunks, max(0, room)):
            future = client.submit(work, chunk, pure=False)
            flying[future.key] = chunk
            done.add(future)
        if not flying:
            return
        future = next(done)
        yield flying.pop(future.key), _name(future)


def _threads(client: "Client") -> int:
    """Count the threads of the workers that there are now."""
    try:
        return sum(client.nthreads().values())
    except OSError as error:
        raise UnembedError(f"the scheduler is gone: {reason_of(error)}") from error


def _name(future: "Future[str]") -> str:
    """Give what a chunk came to, or say why it failed."""
    if future.status == "finished":
        name: str = future.result()
        return name
    if future.status != "error":
        raise UnembedError("the scheduler is gone, or has given up the work")
    error: Any = future.exception()
    kind = UsageError if isinstance(error, UsageError) else UnembedError
    raise kind(f"a worker failed: {reason_of(error)}") from error
