"""The parts of an audit that is under way: each is written at once, and checked before use."""

import hashlib
import json
import logging
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from ... import __version__
from ...errors import UnembedError, UsageError
from ..audit.finding import Finding
from ..audit.tables import SCHEMA, arrow_schema, table_of
from ..records.chunks import Chunk
from ..records.record import Record
from ..storage import UNFINISHED, Storage, reason_of

if TYPE_CHECKING:
    import pyarrow

_FORMAT = 1  # of a shard
_NAME = re.compile(r"(\d{8,12})-([0-9a-f]{32})\.parquet")
_MARK = "run.json"
_TOLD = ("calibration", "source")  # follow from the others, to the last bits of a sum
LOCK = "lock"
_log = logging.getLogger("unembed")


class Auditing(Protocol):
    """What audits the records of a chunk.

    Attributes
    ----------
    terms : mapping
        All that decides what is found, as JSON has it: the head, options, thresholds. It is the
        same on every machine.

    Examples
    --------
    >>> class Auditor:
    ...     terms = {"head": "none"}
    ...
    ...     def audit(self, records):
    ...         return [Finding(record.concept) for record in records]
    >>> auditor: Auditing = Auditor()
    """

    @property
    def terms(self) -> Mapping[str, Any]:
        """What the findings are made with."""

    def audit(self, records: Sequence[Record]) -> Sequence[Finding]:
        """Give a finding a record, in order; the same ones for the same records."""


def digest_of(terms: Mapping[str, Any]) -> str:
    """Tell apart what findings are made with, the version of unembed among it.

    Parameters
    ----------
    terms : mapping
        The auditor's own; as JSON has it.

    Returns
    -------
    str
        A SHA-256 in hexadecimal.

    Examples
    --------
    >>> digest_of({"head": "demo", "k": 5}) == digest_of({"k": 5, "head": "demo"})
    True
    """
    deciding = {name: value for name, value in terms.items() if name not in _TOLD}
    told = json.dumps([_FORMAT, SCHEMA, __version__, deciding], sort_keys=True)
    return hashlib.sha256(told.encode()).hexdigest()


def earlier_shards(storage: Storage, directory: str) -> dict[int, list[str]]:
    """List the shards in a directory, by the numbers of their chunks.

    Raises
    ------
    OSError
        It cannot be listed.

    Examples
    --------
    >>> from ..storage import LocalStorage
    >>> earlier_shards(LocalStorage(), "/no/such/directory")
    {}
    """
    earlier: dict[int, list[str]] = {}
    for name in storage.names(directory):
        found = _NAME.fullmatch(name)
        if found is not None:
            earlier.setdefault(int(found[1]), []).append(name)
    return earlier


@dataclass(frozen=True, eq=False)
class Shards:
    """The directory that holds the findings of each chunk until all are there.

    A shard's name has the digest of its bytes, and inside stands what it was made of and with, so
    that one that is damaged or of another audit is never taken for this one's.

    Attributes
    ----------
    storage : Storage
    directory : str
    terms : str
        What `digest_of` gives.
    earlier : mapping of int to sequence of str
        The shards that an earlier run has left, by the chunk's number.

    Examples
    --------
    >>> import tempfile
    >>> from ..storage import LocalStorage
    >>> shards = Shards(LocalStorage(), tempfile.mkdtemp(), digest_of({}))
    >>> chunk = Chunk(0, (Record("sea"),))
    >>> name = shards.write(chunk, [Finding("sea", verdict="multi_token")])
    >>> earlier = earlier_shards(shards.storage, shards.directory)
    >>> Shards(shards.storage, shards.directory, digest_of({}), earlier).find(chunk) == name
    True
    >>> shards.table(name).num_rows
    1
    """

    storage: Storage
    directory: str
    terms: str
    earlier: Mapping[int, Sequence[str]] = field(default_factory=dict)
    _told: set[str] = field(default_factory=set, init=False)

    def write(self, chunk: Chunk, findings: Sequence[Finding]) -> str:
        """Write the shard of a chunk, whole or not at all.

        Parameters
        ----------
        chunk : Chunk
        findings : sequence of Finding
            One a record.

        Returns
        -------
        str
            Its name.

        Raises
        ------
        OSError
            It cannot be written.
        """
        import pyarrow
        from pyarrow.parquet import write_table

        if len(findings) != len(chunk.records):
            raise UnembedError(f"{len(findings)} findings of {len(chunk.records)} records")
        table = table_of(findings).replace_schema_metadata({"unembed": self._about(chunk)})
        sink = pyarrow.BufferOutputStream()
        write_table(table, sink, compression="zstd")
        content = sink.getvalue()
        name = f"{chunk.number:08}-{_content_digest(content)}.parquet"
        with self.storage.writing(self._path(name), beside=self.directory) as file:
            file.write(content)
        return name

    def find(self, chunk: Chunk) -> str | None:
        """Name the shard of a chunk that an earlier run has left; None where it has to be made.

        One that is damaged, or of other records, another head or other options, costs a warning.
        """
        wanted, faults = self._about(chunk), []
        for name in self.earlier.get(chunk.number, ()):
            try:
                table = self.table(name)
            except UnembedError as error:
                faults.append(str(error))
                continue
            about = (table.schema.metadata or {}).get(b"unembed")
            if about == wanted and len(table) == len(chunk.records):
                return name
            faults.append("")
        for fault in faults:
            self._warn(fault)
        return None

    def table(self, name: str) -> "pyarrow.Table":
        """Read a shard whole.

        Raises
        ------
        UnembedError
            It is damaged, or not there.
        """
        import pyarrow
        from pyarrow.parquet import read_table

        path = self._path(name)
        try:
            content = self.storage.read(path)
            if _content_digest(content) != _digest_in(name):
                raise UnembedError(f"{path}: damaged: its content does not match its name")
            table = read_table(pyarrow.BufferReader(content), use_threads=False)
            table.validate()
        except (OSError, pyarrow.ArrowException) as error:
            raise UnembedError(f"{path}: cannot be read: {reason_of(error)}") from error
        if not table.schema.equals(arrow_schema(), check_metadata=False):
            raise UnembedError(f"{path}: its columns are not those of findings")
        return table

    def mark(self) -> None:
        """Say in the directory which audit is under way: workers look for it.

        Raises
        ------
        OSError
            Nothing can be written there.
        """
        with self.storage.writing(self._path(_MARK), beside=self.directory) as file:
            file.write(json.dumps({"terms": self.terms}).encode())

    def check(self) -> None:
        """Check that this is the directory of the audit under way.

        Raises
        ------
        UsageError
            There is none here, as where the storage is not shared; or what it audits with differs.
        """
        try:
            mark = self.storage.read(self._path(_MARK))
        except OSError as error:
            raise UsageError(
                f"{self.directory}: cannot be read: {reason_of(error)}; the output must lie on "
                "storage that all workers share, under the same name"
            ) from error
        if mark != json.dumps({"terms": self.terms}).encode():
            raise UsageError(
                "its head, its options or its unembed is another than that of the process that "
                "reads the list; give both the same files and versions"
            )

    def tidy(self) -> None:
        """Remove what a process that was killed had not finished.

        Raises
        ------
        OSError
            It cannot be removed.
        """
        for name in self.storage.names(self.directory):
            if name.startswith(".") and name.endswith(UNFINISHED):
                self.storage.remove(self._path(name))

    def remove(self) -> None:
        """Remove all shards.

        Raises
        ------
        OSError
            One cannot be removed.
        """
        for name in self.storage.names(self.directory):
            if _NAME.fullmatch(name):
                self.storage.remove(self._path(name))

    def leave(self) -> None:
        """Remove the directory, where no shard is left in it.

        Raises
        ------
        OSError
            Something in it is not ours, or cannot be removed.
        """
        if not earlier_shards(self.storage, self.directory):
            self.tidy()
            for name in (_MARK, LOCK):
                self.storage.remove(self._path(name))
            self.storage.remove_directory(self.directory)

    def _path(self, name: str) -> str:
        """Give the path of a file in the directory."""
        return f"{self.directory}/{name}"

    def _about(self, chunk: Chunk) -> bytes:
        """Say what the shard of a chunk is made of and with."""
        about = {"chunk": chunk.number, "records": chunk.digest, "terms": self.terms}
        return json.dumps(about).encode()

    def _warn(self, fault: str) -> None:
        """Warn of a damaged shard; once of those that are foreign, which all may be."""
        if fault:
            _log.warning("a shard is made again: %s", fault)
        elif "foreign" not in self._told:
            self._told.add("foreign")
            _log.warning(
                "shards in %s are of other records, another head or other options, and are made "
                "again",
                self.directory,
            )


def _content_digest(content: Any) -> str:
    """Hash bytes, for a name."""
    return hashlib.sha256(content).hexdigest()[:32]


def _digest_in(name: str) -> str:
    """Give the digest that a shard's name has."""
    return name.partition("-")[2].partition(".")[0]
