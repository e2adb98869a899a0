"""What is written, made, moved or removed while something runs, as Python itself reports it."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

# Of each event of the interpreter that changes a file: where its arguments have a path, and the
# open directory that the path is relative to.
_CHANGES = {
    "os.mkdir": ((0, 2),),
    "os.rename": ((0, 2), (1, 3)),
    "os.remove": ((0, 1),),
    "os.rmdir": ((0, 1),),
    "os.link": ((1, 3),),
    "os.symlink": ((1, 2),),
    "os.truncate": ((0, None),),
    "os.chmod": ((0, 2),),
    "os.utime": ((0, 3),),
}
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND

_watching: list[set[Path]] = []


def _hook(event: str, arguments: tuple[Any, ...]) -> None:
    if not _watching:
        return
    touched: tuple[tuple[int, int | None], ...] = _CHANGES.get(event, ())
    if event == "open" and arguments[2] & _WRITING:
        touched = ((0, None),)
    for path_at, directory_at in touched:
        if isinstance(arguments[path_at], int):
            continue  # a file that is open already
        path = Path(os.fsdecode(arguments[path_at]))
        if directory_at is not None and arguments[directory_at] >= 0:
            path = Path(f"/proc/self/fd/{arguments[directory_at]}", path)
        if path.parent.name != "__pycache__" and path.name != "__pycache__":
            _watching[-1].add(path.parent.resolve() / path.name)


sys.addaudithook(_hook)


@contextmanager
def watched(*places: Path) -> Iterator[set[Path]]:
    """Gather the paths that are changed meanwhile, and fail at one outside the places."""
    _watching.append(set())
    try:
        yield _watching[-1]
    finally:
        changed = _watching.pop()
    outside = [
        path
        for path in sorted(changed)
        if path != Path(os.devnull) and not any(path.is_relative_to(place) for place in places)
    ]
    assert not outside, outside
