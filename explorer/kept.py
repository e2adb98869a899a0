"""What the server holds for a while: pages that it made, files that it was given."""

import hashlib
import re
import tempfile
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from pathlib import Path
from shutil import rmtree
from typing import Generic, TypeVar
from weakref import finalize

from ..errors import UsageError

Value = TypeVar("Value")

MOST_BYTES = 256 << 20  # of pages, and of files
_FILE = re.compile(r"[0-9a-f]{64}\.[a-z]{3,11}")
ENDINGS = (".csv", ".tsv", ".jsonl", ".txt", ".parquet", ".npy", ".safetensors")


class Recent(Generic[Value]):
    """Values that were made or asked for last, up to a weight that all have together.

    Parameters
    ----------
    most : int
        The weight of all.
    weigh : callable
        Gives that of one.
    drop : callable
        Is told the key of a value that is held no more.

    Examples
    --------
    >>> recent = Recent(2)
    >>> for key in "abc":
    ...     recent.put(key, key.upper())
    >>> recent.get("a"), recent.get("c")
    (None, 'C')
    """

    def __init__(
        self,
        most: int,
        *,
        weigh: Callable[[Value], int] = lambda _: 1,
        drop: Callable[[Hashable], None] = lambda _: None,
    ) -> None:
        self._most, self._weigh, self._drop = most, weigh, drop
        self._values: OrderedDict[Hashable, Value] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: Hashable) -> Value | None:
        """Give a value, or None where it is held no more."""
        with self._lock:
            if key in self._values:
                self._values.move_to_end(key)
            return self._values.get(key)

    def put(self, key: Hashable, value: Value) -> None:
        """Hold a value; those that were asked for longest ago go, but never this one."""
        with self._lock:
            self._values[key] = value
            self._values.move_to_end(key)
            total = sum(map(self._weigh, self._values.values()))
            while total > self._most and len(self._values) > 1:
                old, dropped = self._values.popitem(last=False)
                total -= self._weigh(dropped)
                self._drop(old)


class Files:
    """Files that people gave, by their content, in a directory that goes with the server.

    Examples
    --------
    >>> files = Files()
    >>> name = files.put(b"sea", ".txt")
    >>> with files.reading(name) as path:
    ...     path.read_bytes(), name[-4:]
    (b'sea', '.txt')
    """

    def __init__(self) -> None:
        self._directory = Path(tempfile.mkdtemp(prefix="unembed-"))
        self.close = finalize(self, rmtree, self._directory, ignore_errors=True)
        self._sizes: Recent[int] = Recent(MOST_BYTES, weigh=int, drop=self._forget)

    def put(self, content: bytes, ending: str) -> str:
        """Keep a file; give what it is called.

        Raises
        ------
        UsageError
            Its ending is none of `ENDINGS`.
        """
        if ending not in ENDINGS:
            raise UsageError(f"a file ends in {', '.join(ENDINGS)}, not in {ending!r}")
        name = hashlib.sha256(content).hexdigest() + ending
        (self._directory / name).write_bytes(content)
        self._sizes.put(name, len(content))
        return name

    @contextmanager
    def reading(self, name: str) -> Iterator[Path]:
        """Give where a file is, while it is read; an error of its content tells no place.

        Raises
        ------
        UsageError
            It was never given, or is held no more; or what reads it says what is wrong with it.
        """
        if _FILE.fullmatch(name) is None or self._sizes.get(name) is None:
            raise UsageError("the file is held no more; give it again")
        path = self._directory / name
        try:
            yield path
        except UsageError as error:
            raise UsageError(str(error).replace(str(path), "the file")) from error

    def _forget(self, name: Hashable) -> None:
        """Remove one."""
        (self._directory / str(name)).unlink(missing_ok=True)
