"""Addresses of checkpoints on other hosts: a model of a hub, or a file."""

import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, urlsplit

from ...errors import UsageError

SUFFIX = ".safetensors"
_SCHEME = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]*://")
_REPO = re.compile(r"[\w-][\w.-]{0,95}(?:/[\w-][\w.-]{0,95})?", re.ASCII)
_REVISION = re.compile(r"[\w-][\w./+-]{0,249}", re.ASCII)
_FILE = re.compile(r"[\w-][\w.-]*\.safetensors", re.ASCII)
_MAIN = "main"


@dataclass(frozen=True)
class Address:
    """Where a checkpoint lies.

    Attributes
    ----------
    repo : str or None
        ``organisation/model`` of a hub; None for a file elsewhere.
    revision : str
        A branch, tag or commit of the hub.
    file : str or None
        The one file that is named; None where the model's own names are looked for.
    url : str or None
        Of a file elsewhere.

    Examples
    --------
    >>> address_of("google/gemma-3-270m")
    Address(repo='google/gemma-3-270m', revision='main', file=None, url=None)
    """

    repo: str | None
    revision: str = _MAIN
    file: str | None = None
    url: str | None = None


def address_of(source: str, revision: str | None = None, *, directory: str = "") -> Address | None:
    """Tell an address from what lies on this machine.

    Parameters
    ----------
    source : str
        ``organisation/model``, where nothing of that name is here; ``hf://organisation/model``,
        with ``@revision`` or ``/file.safetensors`` if wanted; ``https://…/file.safetensors``.
    revision : str, optional
        Of a hub; ``main`` by default.
    directory : str
        Where relative paths begin.

    Returns
    -------
    Address or None
        None for a path.

    Raises
    ------
    UsageError
        An address that names no checkpoint, or a revision that there cannot be.

    Examples
    --------
    >>> address_of("hf://org/model@v1.0/head.safetensors").file
    'head.safetensors'
    >>> address_of("./org/model") is None
    True
    """
    of_hub, of_url = source.startswith("hf://"), _SCHEME.match(source) is not None
    named = "/" in source and _REPO.fullmatch(source) and not Path(directory, source).exists()
    if not (of_hub or of_url or named):
        return None
    if revision is not None and not _REVISION.fullmatch(revision):
        raise UsageError(f"revision {revision!r}: a branch, a tag or a commit is expected")
    if named:
        return Address(source, revision or _MAIN)
    return _of_hub(source, revision) if of_hub else _of_url(source, revision)


def _of_hub(source: str, revision: str | None) -> Address:
    """Read an address of a hub."""
    path, _, rest = source.removeprefix("hf://").partition("@")
    within = ""
    if rest:
        at, _, within = rest.partition("/")
    elif path.endswith(SUFFIX):
        path, _, within = path.rpartition("/")
        at = ""
    else:
        at = ""
    known = _REPO.fullmatch(path) and (not within or _FILE.fullmatch(within))
    if not known or (at and not _REVISION.fullmatch(at)):
        raise UsageError(
            f"{source!r}: hf://organisation/model is expected, with @revision and "
            f"/file{SUFFIX} if wanted"
        )
    if at and revision is not None and at != revision:
        raise UsageError(f"{source!r} and the revision {revision!r}: say one of them")
    return Address(path, revision or at or _MAIN, within or None)


def _of_url(source: str, revision: str | None) -> Address:
    """Read an address of a file."""
    parts = urlsplit(source)
    name = parts.path.rpartition("/")[2]
    if parts.scheme not in {"http", "https"} or not parts.hostname or not name.endswith(SUFFIX):
        raise UsageError(
            f"{source!r}: https://…/file{SUFFIX} is expected, or hf://organisation/model"
        )
    if parts.username is not None or parts.password is not None:
        raise UsageError(f"{parts.hostname}: an address with a password in it is not read")
    if revision is not None:
        raise UsageError(
            f"revision {revision!r}: revisions are of a model hub; {source!r} has none"
        )
    plain = quote(name, safe="").replace("%", "_")
    return Address(None, file=plain, url=source)
