"""Records by the thousand: what is worked on together, kept together and sent together."""

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields
from functools import cached_property
from operator import attrgetter

from .record import Record

CHUNK = 4096  # records
_MOST_CHARACTERS = 1 << 21  # of the texts of a chunk, but for its last record
_values = attrgetter(*(each.name for each in fields(Record)))


@dataclass(frozen=True, eq=False)
class Chunk:
    """Records that are audited together.

    Attributes
    ----------
    number : int
        From 0.
    records : tuple of Record

    Examples
    --------
    >>> len(Chunk(0, (Record("sea"),)).digest)
    64
    """

    number: int
    records: tuple[Record, ...]

    @cached_property
    def digest(self) -> str:
        """The SHA-256 of the records, in hexadecimal."""
        told = json.dumps(list(map(_values, self.records)))
        return hashlib.sha256(told.encode()).hexdigest()


def chunks_of(records: Iterable[Record]) -> Iterator[Chunk]:
    """Cut records into chunks: the same records at the same places.

    Parameters
    ----------
    records : iterable of Record
        A chunk has `CHUNK` of them, or fewer where their texts are long: it ends with the record
        that brings them to 2,097,152 characters.

    Examples
    --------
    >>> [len(chunk.records) for chunk in chunks_of([Record("sea")] * 5000)]
    [4096, 904]
    """
    number, taken, characters = 0, list[Record](), 0
    for record in records:
        taken.append(record)
        characters += len(record.concept) + len(record.expected or "")
        characters += sum(map(len, record.forms))
        if len(taken) == CHUNK or characters >= _MOST_CHARACTERS:
            yield Chunk(number, tuple(taken))
            number, taken, characters = number + 1, [], 0
    if taken:
        yield Chunk(number, tuple(taken))
