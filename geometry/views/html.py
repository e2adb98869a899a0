"""Pages that need nothing but themselves: their parts, their policy, their data."""

import base64
import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from importlib import resources
from typing import Any

# What could end the script that holds the data; all that is not ASCII is escaped as well.
_ESCAPES = str.maketrans({char: f"\\u{ord(char):04x}" for char in "<>&"})
_MODULE = re.compile(r"^export |^import .*\n", re.MULTILINE)  # modules stand in one script here
_PLACE = re.compile(r"\{\{(\w+)\}\}")


def part(name: str) -> str:
    """Read a part of a page that lies beside this file; a checkout may have other line ends.

    Examples
    --------
    >>> part("page.css")[:5]
    ':root'
    """
    text = resources.files(__package__).joinpath(name).read_text(encoding="utf-8")
    return text.replace("\r\n", "\n")


def digest_of(script: str) -> str:
    """Give the SHA-256 by which a page's policy lets its script run, in base64.

    The script's text begins with the line end after its tag.

    Examples
    --------
    >>> len(digest_of("start();"))
    44
    """
    return base64.b64encode(hashlib.sha256(f"\n{script}".encode()).digest()).decode("ascii")


def framed(
    body: str, *, styles: Sequence[str], scripts: Sequence[str], images: bool = False
) -> tuple[str, dict[str, str]]:
    """Give a page around a body, with places for values, and the values of its style and script.

    Its policy lets it ask nothing of a network, and run no script but this one.

    Parameters
    ----------
    body : str
        The name of the part that stands in the page.
    styles, scripts : sequence of str
        The names of the parts that make its style, and its one script.
    images : bool
        Whether it may show images that stand in it.

    Examples
    --------
    >>> page, values = framed("report.html", styles=["page.css"], scripts=["table.js"])
    >>> page.count("{{title}}"), sorted(values)
    (2, ['hash', 'images', 'script', 'style'])
    """
    script = "\n".join(_MODULE.sub("", part(name)) for name in scripts)
    values = {
        "hash": digest_of(script),
        "images": "img-src data:; " if images else "",
        "style": "\n".join(map(part, styles)),
        "script": script,
    }
    return part("page.html").replace("{{body}}", part(body)), values


def filled(page: str, values: Mapping[str, str]) -> bytes:
    """Put values in their places, once: what they hold is not looked at.

    Examples
    --------
    >>> filled("<p>{{one}}</p>", {"one": "{{two}}"})
    b'<p>{{two}}</p>'
    """
    return _PLACE.sub(lambda place: values[place[1]], page).encode()


def data_of(value: Any) -> bytes:
    r"""Write data as JSON that harms no page: no sign that could end its script.

    Examples
    --------
    >>> data_of("</script>")
    b'"\\u003c/script\\u003e"'
    """
    return json.dumps(value, separators=(",", ":")).translate(_ESCAPES).encode("ascii")
