"""Where things stand in a TOML text, which `tomllib` does not tell."""

import re
import tomllib
from typing import Any

_TOML = re.compile(  # of a text that is TOML: strings, comments, marks, line breaks, the rest
    r'"""(?:\\.|[^\\])*?"""(?!")|'
    r"'''.*?'''(?!')|"
    r'"(?:\\.|[^"\\\n])*"|'
    r"'[^'\n]*'|#[^\n]*|[\[\]{}=,\n]|[^\s\[\]{}=,#\"']+",
    re.DOTALL,
)


def lines_of(text: str) -> dict[tuple[str | int | None, ...], int]:
    r"""Give the line of each table, of each of its keys and of each member of a key's list.

    Parameters
    ----------
    text : str
        What `tomllib` has read without an error.

    Examples
    --------
    >>> lines_of('[a]\nb = [1,\n2]')["a", "b", 1]
    3
    """
    lines: dict[tuple[str | int | None, ...], int] = {}
    table: tuple[str, ...] = ()
    path: tuple[str, ...] = ()  # of the value that is being read; empty between values
    named: tuple[str, ...] = ()  # by the table or key that was read last
    line, start, depth, member = 1, 0, 0, 0
    for found in _TOML.finditer(text + "\n"):
        part = found[0]
        header = "" if path else text[start : found.start()].strip()
        if path:
            depth -= part in {"]", "}"}
            if depth == 1 and part not in {",", "]", "}", "\n"} and part[0] != "#":
                lines.setdefault((*path, member), line)
            member += depth == 1 and part == ","
            depth += part in {"[", "{"}
            if depth == 0 and part == "\n":
                path, start = (), found.end()
        elif part == "=":
            path, member = (table + _key(header))[:2], 0
            named = path
        elif part == "\n" or part[0] == "#":
            start = found.end()
            named = table = _key(header.strip("[]")) if header else table
        lines.setdefault(named[:1], line)
        lines.setdefault(named, line)
        line += part.count("\n")
    return lines


def _key(text: str) -> tuple[str, ...]:
    """Read the first parts of a key such as ``a."b.c"``."""
    node: Any = tomllib.loads(f"{text} = 0")
    parts: tuple[str, ...] = ()
    while isinstance(node, dict) and len(parts) < 2:
        ((part, node),) = node.items()
        parts += (part,)
    return parts
