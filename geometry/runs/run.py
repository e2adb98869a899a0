"""From records to a file of findings: chunk by chunk, and on from where an earlier run stopped."""

import gc
import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ...errors import UnembedError, UsageError
from ...indexes.progress import Done, Progress, step_of
from ..audit.finding import Finding
from ..audit.tables import findings_of
from ..records.chunks import Chunk, chunks_of
from ..records.record import Record
from ..storage import reason_of
from .shards import LOCK, Auditing, Shards, digest_of, earlier_shards
from .writing import Output, meta_of, output_of, writing_to

if TYPE_CHECKING:
    from .cluster import Cluster

_log = logging.getLogger("unembed")


@dataclass(frozen=True)
class Written:
    """What a run has written.

    Attributes
    ----------
    output : str
        Where the findings are, as the caller named it.
    records : int
        How many there are.
    resumed : int
        How many of them an earlier run had found.

    Examples
    --------
    >>> Written("found.parquet", 5000, 4096).resumed
    4096
    """

    output: str
    records: int
    resumed: int


def check_output(output: str, *, resume: bool = False) -> None:
    """Refuse an output that `run` would refuse: worth asking before a head is opened.

    Parameters
    ----------
    output : str
    resume : bool
        As in `run`.

    Raises
    ------
    UsageError
        As in `run`, before the work.

    Examples
    --------
    >>> check_output("/no/such/directory/found.csv")
    Traceback (most recent call last):
    unembed.errors.UsageError: /no/such/directory/found.csv: cannot be written: No such file or \
directory
    """
    with _opened(output_of(output), "", resume=resume):
        pass


def run(
    auditor: Auditing,
    records: Iterable[Record],
    output: str,
    *,
    resume: bool = False,
    cluster: "Cluster | None" = None,
    each: Callable[[Finding], object] | None = None,
    progress: Progress | None = None,
) -> Written:
    """Audit records into a file.

    The findings of each chunk are kept beside the output, in ``OUTPUT.shards``, until all are
    there; then the output appears, whole. Whenever a run is stopped, one with `resume` goes on
    after what is kept, and the output has the same bytes.

    Parameters
    ----------
    auditor : Auditing
        Audits a chunk of records.
    records : iterable of Record
        Taken a chunk at a time; with `resume` once more from the first.
    output : str
        A path or an address of remote storage; its ending is one of `ENDINGS` and says the form.
        A file that is there is replaced at the end.
    resume : bool
        Whether to take what an earlier run has kept; where there is nothing, it just runs.
    cluster : Cluster, optional
        Where the chunks are audited; by default here.
    each : callable, optional
        Is given every finding, in order, those of an earlier run too.
    progress : callable, optional
        Is told ``(step, done, total)`` in records; the total is 0 where it is not known yet.

    Returns
    -------
    Written

    Raises
    ------
    UsageError
        The output cannot be written, another run is writing it, or an earlier one has kept
        something and `resume` is not set; later what `records` and `auditor` raise.
    UnembedError
        The disk is full, or the like. What was kept stays.

    Examples
    --------
    >>> import tempfile
    >>> class Auditor:
    ...     terms = {"head": "none"}
    ...
    ...     def audit(self, records):
    ...         return [Finding(record.concept) for record in records]
    >>> output = f"{tempfile.mkdtemp()}/found.jsonl"
    >>> run(Auditor(), [Record("sea"), Record("horse")], output).records
    2
    >>> with open(output) as file:
    ...     file.readline()[:46]
    '{"concept": "sea", "id": null, "source": null,'
    """
    target = output_of(output)
    meta, terms = meta_of(auditor.terms), digest_of(auditor.terms)
    with _opened(target, terms, resume=resume) as shards, _telling(target, shards), _spared():
        kept = _Kept(shards, step_of(progress, "auditing"))
        faults: list[UnembedError] = []
        missing = kept.missing(chunks_of(_until(records, faults)))
        if cluster is None:
            made = _audited(auditor, missing, shards)
        else:
            made = cluster.audited(missing, output=target.address)
        for chunk, name in made:
            kept.take(chunk, name)
        if faults:
            raise faults[0]
        kept.done(kept.records, kept.records)
        _assemble(target, kept, meta, each=each, told=step_of(progress, "writing"))
        try:
            shards.remove()
        except OSError as error:
            _log.warning("%s: could not be removed: %s", shards.directory, reason_of(error))
    return Written(output, kept.records, kept.resumed)


def findings_in_chunks(
    auditor: Auditing, records: Iterable[Record], *, progress: Progress | None = None
) -> Iterator[Sequence[Finding]]:
    """Audit records where no file is written: give the findings of each chunk when they are there.

    Parameters
    ----------
    auditor, records, progress
        As in `run`.

    Raises
    ------
    UsageError
        The records are damaged somewhere; what came before is given first.

    Examples
    --------
    >>> class Auditor:
    ...     def audit(self, records):
    ...         return [Finding(record.concept) for record in records]
    >>> [len(findings) for findings in findings_in_chunks(Auditor(), [Record("sea")] * 5000)]
    [4096, 904]
    """
    told, done = step_of(progress, "auditing"), 0
    faults: list[UnembedError] = []
    for chunk in chunks_of(_until(records, faults)):
        findings = auditor.audit(chunk.records)
        done += len(findings)
        told(done, 0)
        yield findings
    if faults:
        raise faults[0]


@dataclass(eq=False)
class _Kept:
    """The shards that are there, of this run and of earlier ones."""

    shards: Shards
    done: Done
    names: dict[int, str] = field(default_factory=dict)
    records: int = 0
    resumed: int = 0

    def missing(self, chunks: Iterable[Chunk]) -> Iterator[Chunk]:
        """Take the shards that an earlier run has left, and give the other chunks."""
        for chunk in chunks:
            name = self.shards.find(chunk)
            if name is None:
                yield chunk
            else:
                self.resumed += len(chunk.records)
                self.take(chunk, name)

    def take(self, chunk: Chunk, name: str) -> None:
        """Take the shard of a chunk."""
        self.names[chunk.number] = name
        self.records += len(chunk.records)
        self.done(self.records, 0)


def _audited(
    auditor: Auditing, chunks: Iterable[Chunk], shards: Shards
) -> Iterator[tuple[Chunk, str]]:
    """Audit chunks here, one after the other, and name their shards."""
    for chunk in chunks:
        yield chunk, shards.write(chunk, auditor.audit(chunk.records))


def _assemble(
    output: Output, kept: _Kept, meta: str, *, each: Callable[[Finding], object] | None, told: Done
) -> None:
    """Write the output from the shards, and beside it what it was made with."""
    shards, storage, done = kept.shards, output.storage, 0
    if output.meta is not None:
        with storage.writing(output.meta, beside=shards.directory) as file:
            file.write(f"{meta}\n".encode())
    with (
        storage.writing(output.path, beside=shards.directory) as file,
        writing_to(file, ending=output.ending, meta=meta) as write,
    ):
        for number in range(len(kept.names)):
            table = shards.table(kept.names[number])
            write(table)
            if each is not None:
                for finding in findings_of(table):
                    each(finding)
            done += len(table)
            told(done, kept.records)


@contextmanager
def _opened(output: Output, terms: str, *, resume: bool) -> Iterator[Shards]:
    """Hold the directory of an output's shards; it goes when no shard is left in it."""
    storage, directory = output.storage, f"{output.path}.shards"
    with ExitStack() as stack:
        try:
            if storage.holds(output.path) not in (None, "file"):
                raise UsageError(f"{output.name}: is no regular file; name another")
            storage.make_directory(directory)
            stack.enter_context(storage.locked(f"{directory}/{LOCK}"))
            shards = Shards(storage, directory, terms, earlier_shards(storage, directory))
            stack.callback(_leave, shards)
            if shards.earlier and not resume:
                raise UsageError(
                    f"{directory}: holds what an earlier run has found; --resume goes on from "
                    "there, or remove it"
                )
            shards.tidy()
            shards.mark()
        except BlockingIOError as error:
            raise UsageError(
                f"{output.name}: another run is writing it; wait for it or name another"
            ) from error
        except (OSError, ValueError) as error:
            raise UsageError(f"{output.name}: cannot be written: {reason_of(error)}") from error
        yield shards


def _leave(shards: Shards) -> None:
    """Remove the directory of shards, if it can be."""
    with suppress(OSError):  # it holds what is not ours, or the disk is gone
        shards.leave()


@contextmanager
def _spared() -> Iterator[None]:
    """Spare Python's collector what is there already: a head's vocabulary is many objects."""
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


@contextmanager
def _telling(output: Output, shards: Shards) -> Iterator[None]:
    """Say in an error what is kept and how to go on."""
    try:
        yield
    except UsageError as error:
        raise UsageError(f"{error}{_way_out(shards)}") from error
    except UnembedError as error:
        raise UnembedError(f"{error}{_way_out(shards)}") from error
    except OSError as error:
        reason = f"{output.name}: cannot be written: {reason_of(error)}"
        raise UnembedError(f"{reason}{_way_out(shards)}") from error
    except (MemoryError, RuntimeError) as error:  # those of a device are of the second kind
        raise UnembedError(f"the audit failed: {reason_of(error)}{_way_out(shards)}") from error


def _way_out(shards: Shards) -> str:
    """Say how to go on, where something is kept."""
    with suppress(OSError):
        if earlier_shards(shards.storage, shards.directory):
            return (
                f"; what was found is kept in {shards.directory}, and --resume goes on from there"
            )
    return ""


def _until(records: Iterable[Record], faults: list[UnembedError]) -> Iterator[Record]:
    """Give records until one cannot be read."""
    try:
        yield from records
    except UnembedError as error:
        faults.append(error)
