"""Every error that unembed raises on purpose.

::

    UnembedError
    ├── UsageError               the call is wrong: change it
    │   └── ExpressionError      an expression that does not parse, or that names no token
    ├── SourceError              the source cannot be opened as a head
    │   ├── CheckpointError      its files, its tensors
    │   ├── RemoteError          its host: what is refused, missing or broken off
    │   └── VocabularyError      its tokenizer
    ├── ConversionError          a demo model could not be made
    ├── CacheError               what is kept on disk could not be removed
    └── MissingExtraError        an optional dependency is not installed

A message names the value that was refused, the limit that it broke and the way out. The command
line exits with 2 for a `UsageError` and with 1 for every other one.
"""

from unicodedata import east_asian_width

__all__ = [
    "CacheError",
    "CheckpointError",
    "ConversionError",
    "ExpressionError",
    "MissingExtraError",
    "RemoteError",
    "SourceError",
    "UnembedError",
    "UsageError",
    "VocabularyError",
]


class UnembedError(Exception):
    """The root of the hierarchy: catch it to catch all that unembed raises on purpose.

    Examples
    --------
    >>> import unembed
    >>> try:
    ...     unembed.open_head("demo").nearest("sea +")
    ... except UnembedError as error:
    ...     type(error).__name__
    'ExpressionError'
    """


class UsageError(UnembedError):
    """The call is wrong: an unknown space or region, a count out of range.

    Examples
    --------
    >>> import unembed
    >>> unembed.open_head("demo").nearest("sea", top=0)
    Traceback (most recent call last):
    unembed.errors.UsageError: top is 0; it must be at least 1
    """


class ExpressionError(UsageError):
    """An expression that does not parse, names no token, or comes out at zero.

    Parameters
    ----------
    message : str
        What is wrong and what to write instead.
    expression : str
        The whole expression.
    column : int
        Where in it, counted from 1.

    Examples
    --------
    >>> print(ExpressionError("no such word", expression="sea + zzz", column=7))
    no such word
      sea + zzz
            ^ column 7
    """

    def __init__(self, message: str, *, expression: str, column: int) -> None:
        self.message = message
        self.expression = expression
        self.column = column
        # The caret stands under the column: a line break is shown as a space, an emoji is two wide.
        shown = "".join(" " if char.isspace() else char for char in expression)
        wide = sum(east_asian_width(char) in "WF" for char in shown[: column - 1])
        caret = " " * (column - 1 + wide)
        super().__init__(f"{message}\n  {shown}\n  {caret}^ column {column}")


class SourceError(UnembedError):
    """The source cannot be opened as a head.

    Examples
    --------
    >>> import unembed
    >>> try:
    ...     unembed.open_head("/no/such/model")
    ... except SourceError as error:
    ...     type(error).__name__
    'CheckpointError'
    """


class CheckpointError(SourceError):
    """A checkpoint's files are missing, damaged or hostile, or hold no head.

    Examples
    --------
    >>> from pathlib import Path
    >>> from unembed.indexes.tensors import TensorFile
    >>> TensorFile.open(Path("/"))
    Traceback (most recent call last):
    unembed.errors.CheckpointError: /: not a readable safetensors file: not a regular file
    """


class RemoteError(SourceError):
    """What another host was asked for did not come: refused, missing, changed or broken off.

    Examples
    --------
    >>> issubclass(RemoteError, SourceError)
    True
    """


class VocabularyError(SourceError):
    """A tokenizer is missing, damaged or of a kind that is not known, or does not fit the head.

    Examples
    --------
    >>> import unembed
    >>> try:
    ...     unembed.open_head("demo", tokenizer="/no/such/tokenizer.json")
    ... except VocabularyError as error:
    ...     str(error).partition(":")[0]
    "the head's tokenizer is needed"
    """


class ConversionError(UnembedError):
    """A demo model could not be converted: damaged pieces, a full disk, no permission.

    Examples
    --------
    >>> issubclass(ConversionError, UnembedError), issubclass(ConversionError, UsageError)
    (True, False)
    """


class CacheError(UnembedError):
    """What is kept on disk could not be removed: no permission, a disk that is read-only.

    Examples
    --------
    >>> issubclass(CacheError, UnembedError), issubclass(CacheError, UsageError)
    (True, False)
    """


class MissingExtraError(UnembedError):
    """An optional dependency is not installed.

    Parameters
    ----------
    what : str
        What needs it.
    extra : str
        The extra that brings it.

    Examples
    --------
    >>> print(MissingExtraError("a data frame (pandas)", extra="tables"))
    a data frame (pandas) needs an optional dependency: pip install 'unembed[tables]'
    """

    def __init__(self, what: str, *, extra: str) -> None:
        super().__init__(f"{what} needs an optional dependency: pip install 'unembed[{extra}]'")
