"""The command and the Python that give the same answer."""

import shlex
from collections.abc import Mapping, Sequence
from typing import Any


class Code(str):
    """What stands in a call as it is written.

    Examples
    --------
    >>> python("demo", "compare", Code("other"))[-19:]
    'head.compare(other)'
    """

    __slots__ = ()


def command(name: str, words: Sequence[str], options: Mapping[str, Any]) -> str:
    """Write a command for a shell.

    Parameters
    ----------
    name : str
        Of the command.
    words : sequence of str
        Its arguments.
    options : mapping
        Those that are no default, by their names; what is None is left out, several are repeated.

    Examples
    --------
    >>> command("near", ["demo", "sea + horse"], {"keep_inputs": True, "region": "emoji"})
    "unembed near demo 'sea + horse' --keep-inputs --region emoji"
    >>> command("near", ["demo", "-sea"], {"top": 3})
    'unembed near --top 3 -- demo -sea'
    """
    flags = []
    for option, value in options.items():
        flag = f"--{option.replace('_', '-')}"
        for one in value if isinstance(value, tuple) else [value]:
            flags += [flag] if one is True else [] if one is None else [flag, str(one)]
    signed = any(word[:1] == "-" != word for word in words)
    parts = [*flags, "--", *words] if signed else [*words, *flags]
    return shlex.join(["unembed", name, *parts])


def renamed(options: Mapping[str, Any], **names: str) -> dict[str, Any]:
    """Give options by other names.

    Examples
    --------
    >>> renamed({"regions": ("emoji",), "top": 3}, regions="region")
    {'region': ('emoji',), 'top': 3}
    """
    return {names.get(option, option): value for option, value in options.items()}


def python(source: str, call: str, *given: object, **options: Any) -> str:
    """Write a call of a head in Python.

    Parameters
    ----------
    source : str
        What `open_head` opens.
    call : str
        The method's name.
    *given, **options
        What it is given; the options that are no default.

    Examples
    --------
    >>> print(python("demo", "nearest", "sea + horse", region="emoji"))
    import unembed
    <BLANKLINE>
    head = unembed.open_head('demo')
    head.nearest('sea + horse', region='emoji')
    """
    words = [
        *map(_written, given),
        *(f"{name}={_written(value)}" for name, value in options.items()),
    ]
    return (
        f"import unembed\n\nhead = unembed.open_head({source!r})\nhead.{call}({', '.join(words)})"
    )


def _written(value: object) -> str:
    """Write a value, several as a list."""
    if isinstance(value, Code):
        return str(value)
    return repr(list(value) if isinstance(value, tuple) else value)
