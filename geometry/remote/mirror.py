"""A remote checkpoint as it is needed: its small files here, its tensors where they are."""

import hashlib
import json
import logging
import re
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, Protocol
from urllib.parse import quote, urljoin, urlsplit

from ...errors import CheckpointError, RemoteError
from ...indexes.progress import Progress
from ...indexes.store import atomic_path, cache_directory
from ...indexes.tensors import TensorFile, Tensors
from .address import Address
from .answers import About, NotThere, Refused, Unreachable
from .tensors import RemoteTensors
from .transport import Transport, allowed

_log = logging.getLogger("unembed")

PLACE = "remote"  # in the cache directory
CONFIG, CONFIG_LIMIT = "config.json", 16 << 20  # bytes
_COMMIT = re.compile(r"[0-9a-f]{7,64}")
_WHOLE_COMMIT = re.compile(r"[0-9a-f]{40}")


class Host(Protocol):
    """What the files of a checkpoint are asked of.

    Examples
    --------
    >>> host: Host = Elsewhere("https://host/a.safetensors")
    >>> host.url("config.json")
    'https://host/config.json'
    """

    absent: ClassVar[tuple[type[RemoteError], ...]]
    """How the host says that it has no such file."""

    @property
    def commit(self) -> str | None:
        """Give what pins the files; None where nothing does."""

    def url(self, name: str) -> str:
        """Give the address of a file."""

    def local(self, name: str) -> Path | None:
        """Give a file that another program has put on this machine; None for none."""


@dataclass(frozen=True)
class Elsewhere:
    """A host that serves files: one of tensors, others beside it.

    Attributes
    ----------
    file : str
        The address of the tensors.

    Examples
    --------
    >>> Elsewhere("https://host/a.safetensors?key=1").url("a.safetensors")
    'https://host/a.safetensors?key=1'
    """

    # Stores that may not be listed answer so to what is not there.
    absent: ClassVar[tuple[type[RemoteError], ...]] = (NotThere, Refused)
    file: str
    commit: None = field(default=None, init=False, repr=False)

    def url(self, name: str) -> str:
        """Give the address of a file; what is asked of the host belongs to the tensors alone."""
        return (
            self.file if urlsplit(self.file).path.endswith(f"/{name}") else urljoin(self.file, name)
        )

    def local(self, name: str) -> Path | None:  # noqa: ARG002 - no other program keeps them
        """Give None."""
        return None


@dataclass(frozen=True)
class Hub:
    """A commit of a repository of a model hub.

    Attributes
    ----------
    repo, commit : str
        Which.
    endpoint : str
        The hub.

    Examples
    --------
    >>> Hub("org/model", "0123abc", "https://hub").url("config.json")
    'https://hub/org/model/resolve/0123abc/config.json'
    """

    absent: ClassVar[tuple[type[RemoteError], ...]] = (NotThere,)
    repo: str
    commit: str
    endpoint: str

    def url(self, name: str) -> str:
        """Give the address of a file."""
        return f"{self.endpoint}/{self.repo}/resolve/{quote(self.commit, safe='')}/{quote(name)}"

    def local(self, name: str) -> Path | None:
        """Give a file of the hub's own cache."""
        from huggingface_hub import try_to_load_from_cache

        found = try_to_load_from_cache(self.repo, name, revision=self.commit)
        return Path(found) if isinstance(found, str) else None


@dataclass(frozen=True)
class Mirror:
    """A directory for the small files of a remote checkpoint; they are fetched when asked for.

    Attributes
    ----------
    directory : Path
        Where they lie.
    host : Host
        Where they come from.
    kept : Path
        Where tensors are kept.
    transport : Transport or None
        What reads; None offline.
    progress : callable or None
        Is told ``(step, done, total)``.

    Examples
    --------
    >>> import tempfile
    >>> directory = Path(tempfile.mkdtemp())
    >>> host = Elsewhere("https://host/a.safetensors")
    >>> Mirror(directory, host, directory, None).small("config.json", limit=100)
    Traceback (most recent call last):
    unembed.errors.RemoteError: https://host/config.json is not here, and HF_HUB_OFFLINE forbids ...
    """

    directory: Path
    host: Host
    kept: Path
    transport: Transport | None = field(repr=False)
    progress: Progress | None = field(default=None, repr=False)
    opened: RemoteTensors | None = field(default=None, repr=False)

    def here(self, name: str) -> Path | None:
        """Give a file that is here, in this mirror or in the hub's cache; None without asking."""
        path = self.directory / name
        return path if path.is_file() else self.host.local(name)

    def small(self, name: str, *, limit: int) -> Path | None:
        """Give a file whole, of at most `limit` bytes; None where the host has none.

        Raises
        ------
        RemoteError
            It cannot be read, or is larger.
        """
        path = self.directory / name
        absent = path.with_name(f"{name}.absent")
        try:
            found = self.here(name)
            if found is not None:
                return found
            if absent.exists():
                return None
            try:
                url = self.host.url(name)
                content, _ = allowed(self.transport, url).whole(url, limit=limit)
            except self.host.absent:
                with atomic_path(absent):
                    return None
            with atomic_path(path) as temporary:
                temporary.write_bytes(content)
        except OSError as error:
            raise RemoteError(f"{path}: cannot be written: {error}") from error
        return path

    def needed(self, name: str, *, limit: int, instead: str) -> Path:
        """Give a file as `small` does; say what can be given instead where there is none."""
        path = self.small(name, limit=limit)
        if path is None:
            raise RemoteError(f"{self.host.url(name)}: the host has no such file; give {instead}")
        return path

    def open_tensors(self, path: Path) -> Tensors:
        """Open a file of tensors by the path that it would have here.

        Raises
        ------
        RemoteError, CheckpointError
            As `RemoteTensors.open`.
        """
        found = self.host.local(path.name)
        if found is not None:
            return TensorFile.open(found)
        if self.opened is not None:
            return self.opened
        url, header = self.host.url(path.name), path.with_name(f"{path.name}.header")
        known = _read_header(header)
        if known is not None:
            with suppress(CheckpointError):  # damaged: read again
                return RemoteTensors.of_header(
                    *known, path, url, self.kept, self.transport, progress=self.progress
                )
        reading = allowed(self.transport, url)
        tensors = RemoteTensors.open(path, url, self.kept, reading, progress=self.progress)
        _keep_header(header, tensors)
        return tensors


def _keep_header(path: Path, tensors: RemoteTensors) -> None:
    """Keep the header of a file of a commit, which does not change."""
    about = json.dumps({"size": tensors.about.size, "etag": tensors.about.etag}).encode()
    _keep(path, about + b"\n" + tensors.header)


def _keep(path: Path, content: bytes) -> None:
    """Keep what was read; a directory that cannot be written costs a warning."""
    try:
        with atomic_path(path) as temporary:
            temporary.write_bytes(content)
    except OSError as error:
        _log.warning("%s could not be kept: %s", path, error)


def _read_header(path: Path) -> tuple[bytes, About] | None:
    """Give a header that was kept, and what the host said of its file."""
    try:
        about, _, header = path.read_bytes().partition(b"\n")
        said = json.loads(about)
        size, etag = said["size"], said["etag"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None
    if type(size) is not int or not isinstance(etag, str | None):
        return None
    return header, About(size, etag, None)


def mirror_of(address: Address, *, progress: Progress | None = None) -> Mirror:
    """Find out which commit an address means, and make a place for its files.

    Of ``huggingface_hub`` come the endpoint (``HF_ENDPOINT``), the token (``HF_TOKEN``, or where
    ``hf auth login`` puts it), whether it may be asked at all (``HF_HUB_OFFLINE``), and the cache
    (``HF_HOME``), in which files are looked for first. Where the hub cannot be reached, the commit
    that the revision was the last time is taken, with a warning.

    Raises
    ------
    RemoteError
        The model, or its revision, is not there or may not be read.

    Examples
    --------
    >>> mirror_of(Address(None, file="a.safetensors", url="ftp://127.0.0.1/a.safetensors"))
    Traceback (most recent call last):
    unembed.errors.RemoteError: ftp://127.0.0.1/a.safetensors: No connection adapters were found ...
    """
    from huggingface_hub import constants, get_token

    offline = bool(constants.HF_HUB_OFFLINE)
    transport = Transport(constants.ENDPOINT, get_token())
    place = cache_directory() / PLACE
    reading, kept = None if offline else transport, place / "tensors"
    if address.repo is None:
        url = address.url or ""
        opened = RemoteTensors.open(
            Path(address.file or ""), url, kept, allowed(reading, url), progress=progress
        )
        directory = place / "files" / opened.key
        return Mirror(directory, Elsewhere(url), kept, reading, progress, opened)
    home = place / "hub" / _plain(transport.endpoint) / address.repo.replace("/", "--")
    commit = _commit(address, address.repo, home, reading, transport.endpoint)
    host = Hub(address.repo, commit, transport.endpoint)
    return Mirror(home / commit, host, kept, reading, progress)


def _commit(
    address: Address, repo: str, home: Path, transport: Transport | None, endpoint: str
) -> str:
    """Give the commit that a revision is: as the hub says, or as it was the last time."""
    revision = address.revision
    if _WHOLE_COMMIT.fullmatch(revision):
        return revision
    noted = home / "refs" / hashlib.sha256(revision.encode()).hexdigest()[:24]
    reason = "HF_HUB_OFFLINE forbids to ask"
    not_here = "" if Path(repo).exists() else f"there is no directory {repo}, and "
    if transport is not None:
        try:
            commit = _asked(address, Hub(repo, revision, endpoint), home, transport)
        except Unreachable as error:
            reason = str(error)
        except Refused as error:
            raise Refused(f"{not_here}{error}") from error
        else:
            _keep(noted, commit.encode())
            return commit
    known = _noted(noted) or _in_cache_of_hub(repo, revision)
    if known is None:
        raise RemoteError(f"{not_here}{repo} at {revision} was never opened: {reason}")
    _log.warning("%s at %s is taken to be %s, as the last time: %s", repo, revision, known, reason)
    return known


def _asked(address: Address, host: Hub, home: Path, transport: Transport) -> str:
    """Ask a hub which commit a revision is, by the configuration, and keep that with the commit.

    Where there is none, the file that is named tells too.
    """
    url, config = host.url(CONFIG), None
    try:
        config, about = transport.whole(url, limit=CONFIG_LIMIT)
    except NotThere:
        if address.file is None:
            raise
        url = host.url(address.file)
        _, about = transport.some(url, 0, 8, None)
    commit = about.commit or ""
    if not _COMMIT.fullmatch(commit):
        raise RemoteError(
            f"{url}: the host does not say which commit this is (X-Repo-Commit), as a "
            "model hub does: HF_ENDPOINT names another, or give the address of a file"
        )
    if config is not None and not (home / commit / CONFIG).is_file():
        _keep(home / commit / CONFIG, config)
    return commit


def _noted(path: Path) -> str | None:
    """Give a noted commit."""
    try:
        text = path.read_bytes()[:65].decode("ascii", errors="replace")
    except OSError:
        return None
    return text if _COMMIT.fullmatch(text) else None


def _in_cache_of_hub(repo: str, revision: str) -> str | None:
    """Give the commit that the hub's own cache has of a revision."""
    from huggingface_hub import try_to_load_from_cache

    found = try_to_load_from_cache(repo, CONFIG, revision=revision)
    commit = Path(found).parent.name if isinstance(found, str) else ""
    return commit if _COMMIT.fullmatch(commit) else None


def _plain(endpoint: str) -> str:
    """Name a host as a directory."""
    return re.sub(r"[^\w.-]", "_", urlsplit(endpoint).netloc, flags=re.ASCII) or "_"
