"""Lines of a stream of bytes: UTF-8, of bounded length, counted."""

import codecs
from collections.abc import Iterator

from ...errors import UsageError
from .streams import Stream

LONGEST_LINE = 16 << 20  # bytes
_KEPT = 1 << 16  # bytes of a longer line, to show
_OTHERS = {
    codecs.BOM_UTF32_LE: "UTF-32",  # before UTF-16, whose mark it begins with
    codecs.BOM_UTF32_BE: "UTF-32",
    codecs.BOM_UTF16_LE: "UTF-16",
    codecs.BOM_UTF16_BE: "UTF-16",
}


class Lines:
    r"""The lines of a text, without their breaks; each is told of by what stands here then.

    Only ``\n`` ends a line, and a ``\r`` before it goes with it. A byte order mark at the start is
    dropped.

    Attributes
    ----------
    number : int
        Of the line that came last, from 1.
    is_long : bool
        Whether it is longer than `LONGEST_LINE` bytes; what came is its beginning.
    is_utf8 : bool
        Whether its bytes are UTF-8; each that is not came as a lone surrogate (``surrogateescape``
        of Python).

    Raises
    ------
    UsageError
        The stream cannot be read, or begins with the mark of UTF-16 or UTF-32.

    Examples
    --------
    >>> import io
    >>> from contextlib import ExitStack
    >>> from .streams import open_stream
    >>> with ExitStack() as stack:
    ...     lines = Lines(open_stream("-", stdin=io.BytesIO(b"sea\r\nhorse"), stack=stack))
    ...     list(lines), lines.number
    (['sea', 'horse'], 2)
    """

    def __init__(self, stream: Stream) -> None:
        self.number = 0
        self.is_long = False
        self.is_utf8 = True
        self._read = stream.blocks()
        start = b""
        while len(start) < 4 and (block := self._read()):
            start += block
        for mark, encoding in _OTHERS.items():
            if start.startswith(mark):
                raise UsageError(
                    f"{stream.source}: the text is {encoding}, and UTF-8 is read; convert it: "
                    f"iconv -f {encoding} -t UTF-8"
                )
        self._start = start.removeprefix(codecs.BOM_UTF8)
        self._lines = self._decoded()

    def __iter__(self) -> Iterator[str]:
        """Give the lines that are left."""
        return self._lines

    def _decoded(self) -> Iterator[str]:
        """Decode what came of the lines that are whole, together where that can be."""
        for whole in self._whole():
            texts = _text(whole) if len(whole) <= LONGEST_LINE else None
            if texts is None:
                yield from self._one_by_one(whole)
                continue
            for text in texts.split("\n"):
                self.number += 1
                yield text[:-1] if text[-1:] == "\r" else text

    def _one_by_one(self, whole: bytes) -> Iterator[str]:
        """Decode lines of which one is not UTF-8 or too long."""
        for line in whole.split(b"\n"):
            self.number += 1
            self.is_long = len(line) > LONGEST_LINE
            kept = line[:_KEPT] if self.is_long else line.removesuffix(b"\r")
            text = _text(kept)
            self.is_utf8 = text is not None
            yield kept.decode("utf-8", "surrogateescape") if text is None else text
        self.is_long, self.is_utf8 = False, True

    def _whole(self) -> Iterator[bytes]:
        """Give the bytes of one or more whole lines, without the last one's break."""
        held, is_skipping, block = bytearray(), False, self._start
        while block:
            if is_skipping:
                _, newline, block = block.partition(b"\n")
                is_skipping = not newline
            whole, newline, rest = block.rpartition(b"\n")
            if newline:
                yield bytes(held) + whole
                held = bytearray()
            held += rest
            if len(held) > LONGEST_LINE:
                yield bytes(held[: LONGEST_LINE + 1])
                held, is_skipping = bytearray(), True
            block = self._read()
        if held:
            yield bytes(held)


def _text(line: bytes) -> str | None:
    """Decode UTF-8; None where it is not."""
    try:
        return line.decode()
    except UnicodeDecodeError:
        return None
