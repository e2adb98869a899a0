"""The ids that a list has had, kept on disk."""

from hashlib import blake2b
from struct import Struct

from ...errors import UsageError

_CACHE_KIB = 16 << 10
_INTEGER_DIGITS = 18  # that 64 bits hold
_TWO_INTEGERS = Struct("<qq")


class SeenIds:
    """Tells which record of a list had an id before; memory does not grow with the list.

    The ids lie in a temporary database that vanishes with this object: 128 bits of BLAKE2b, or the
    number itself, which comes in order as a rule.

    Examples
    --------
    >>> seen = SeenIds("list.csv")
    >>> seen.earlier("a", 1), seen.earlier("b", 2), seen.earlier("a", 3)
    (None, None, 1)
    >>> seen.close()
    """

    def __init__(self, source: str) -> None:
        import sqlite3

        self._source = source
        self._error = sqlite3.Error
        try:
            # Nothing is kept after a crash, so nothing is written for one.
            self._database = sqlite3.connect("", isolation_level=None, check_same_thread=False)
            for pragma in (
                "journal_mode = OFF",
                "synchronous = OFF",
                f"cache_size = -{_CACHE_KIB}",
            ):
                self._database.execute(f"PRAGMA {pragma}")
            self._database.execute(
                "CREATE TABLE seen (high INTEGER, low INTEGER, record INTEGER,"
                " PRIMARY KEY (high, low)) WITHOUT ROWID"
            )
            self._database.execute("BEGIN")
            self._cursor = self._database.cursor()
        except sqlite3.Error as error:
            raise self._unkept(error) from error

    def earlier(self, id_: str, record: int) -> int | None:
        """Give the number of the record that had this id, or None and keep it.

        Raises
        ------
        UsageError
            The disk has no room for it.
        """
        key = _key(id_)
        try:
            self._cursor.execute("INSERT OR IGNORE INTO seen VALUES (?, ?, ?)", (*key, record))
            if self._cursor.rowcount:
                return None
            found = self._cursor.execute(
                "SELECT record FROM seen WHERE high = ? AND low = ?", key
            ).fetchone()
        except self._error as error:
            raise self._unkept(error) from error
        return int(found[0])

    def close(self) -> None:
        """Let go of the disk."""
        self._database.close()

    def _unkept(self, error: Exception) -> UsageError:
        """Say that the disk does not do."""
        return UsageError(
            f"{self._source}: its ids cannot be kept on disk: {error}; make room, or name another "
            "place with TMPDIR"
        )


def _key(id_: str) -> tuple[int, int]:
    """Give two numbers of 64 bits that no other id has."""
    if id_.isdecimal() and id_.isascii() and len(id_) <= _INTEGER_DIGITS and id_[0] != "0":
        return int(id_), 0
    return _TWO_INTEGERS.unpack(blake2b(id_.encode(), digest_size=16).digest())
