"""JSON files that others wrote: bounded, and their parts checked; a message names the part."""

import json
from collections.abc import Mapping
from pathlib import Path
from reprlib import repr as short
from stat import S_ISREG
from typing import Any

from ..errors import CheckpointError

_NAMES: Mapping[type, str] = {dict: "an object", list: "a list", str: "a string"}


def read_json(path: Path, *, limit: int) -> dict[str, Any]:
    """Read a JSON object of bounded size.

    Raises
    ------
    CheckpointError
        The file is missing, unreadable, larger than `limit` bytes or not a JSON object.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "config.json"
    >>> _ = path.write_text('{"model_type": "gemma3_text"}')
    >>> read_json(path, limit=1000)
    {'model_type': 'gemma3_text'}
    """
    try:
        status = path.stat()
        if not S_ISREG(status.st_mode):
            raise CheckpointError(f"{path}: not a file of its own; a JSON file is expected")
        if status.st_size > limit:
            raise CheckpointError(f"{path}: {status.st_size:,} bytes; at most {limit:,} are read")
        with path.open("rb") as file:
            content = file.read(status.st_size)
        value = json.loads(content)
    except FileNotFoundError as error:
        raise CheckpointError(f"{path}: missing") from error
    except (OSError, ValueError, RecursionError) as error:
        raise CheckpointError(f"{path}: not readable JSON: {error}") from error
    if not isinstance(value, dict):
        raise CheckpointError(f"{path}: a JSON object is expected, not {type(value).__name__}")
    return value


def member(part: Mapping[str, Any], name: str, kind: type, *, inside: str = "") -> Any:
    """Give a member of an object.

    Parameters
    ----------
    part : mapping
        The object.
    name : str
        The member.
    kind : type
        ``dict``, ``list`` or ``str``.
    inside : str
        Where the object stands in the file; empty for the whole file.

    Raises
    ------
    ValueError
        It is missing or of another type.

    Examples
    --------
    >>> member({"model": {"vocab": {}}}, "model", dict)
    {'vocab': {}}
    """
    place = f"{inside}.{name}" if inside else name
    if name not in part:
        raise ValueError(f"{place} is missing")
    value = part[name]
    if not isinstance(value, kind):
        raise ValueError(f"{place} is {short(value)}; it must be {_NAMES[kind]}")
    return value


def objects(part: Mapping[str, Any], name: str, *, inside: str = "") -> list[dict[str, Any]]:
    """Give a member that is a list of objects; where it is missing or null the list is empty.

    Raises
    ------
    ValueError
        It is no list, or holds something else.

    Examples
    --------
    >>> objects({"added_tokens": None}, "added_tokens")
    []
    """
    if part.get(name) is None:
        return []
    items: list[Any] = member(part, name, list, inside=inside)
    for item in items:
        if not isinstance(item, dict):
            place = f"{inside}.{name}" if inside else name
            raise ValueError(f"{place} holds {short(item)}; each must be an object")
    return items


def is_unicode(string: str) -> bool:
    r"""Tell whether UTF-8 can write a string: JSON can hold half of a surrogate pair.

    Examples
    --------
    >>> is_unicode("🐴"), is_unicode("\ud83d")
    (True, False)
    """
    try:
        string.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True
