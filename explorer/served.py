"""The heads that are served, each opened once, and what is held of their answers."""

import hashlib
from collections.abc import Mapping
from importlib.util import find_spec

from ..errors import ExpressionError, UsageError
from ..geometry.concepts.grammar import Name, spelled
from ..geometry.concepts.phrase import resolve
from ..geometry.heads.unembedding import Unembedding
from ..geometry.projection.map import Map
from ..geometry.region import Region, find_region
from ..geometry.tokens.vocabulary import Vocabulary
from ..geometry.views.shown import shown
from .kept import MOST_BYTES, Files, Recent

_MAPS = 16


class Served:
    """What all questions are asked of.

    Parameters
    ----------
    heads : mapping of str to Unembedding
        Each by the name of its source.

    Examples
    --------
    >>> import unembed
    >>> served = Served({"demo-bytes": unembed.open_head("demo-bytes")})
    >>> served.head("demo-bytes").source
    'demo-bytes'
    """

    def __init__(self, heads: Mapping[str, Unembedding]) -> None:
        self.heads = dict(heads)
        self.files = Files()
        self.maps: Recent[Map] = Recent(_MAPS)
        self._pages: Recent[bytes] = Recent(MOST_BYTES, weigh=len)

    def head(self, source: str) -> Unembedding:
        """Give a head.

        Raises
        ------
        UsageError
            It is not served.
        """
        if source not in self.heads:
            raise UsageError(
                f"{source!r} is not served; the sources are {', '.join(map(repr, self.heads))}"
            )
        return self.heads[source]

    def keep_page(self, page: bytes) -> str:
        """Hold a page; give its name, which is told by what it holds."""
        name = hashlib.sha256(page).hexdigest()[:32]
        self._pages.put(name, page)
        return name

    def page(self, name: str) -> bytes | None:
        """Give a page, or None where it is held no more."""
        return self._pages.get(name)


def region_of(head: Unembedding, region: str | None) -> Region | None:
    """Find a region that a request names: never a file, whatever its name.

    Raises
    ------
    UsageError
        There is no such region.

    Examples
    --------
    >>> import unembed
    >>> region_of(unembed.open_head("demo"), "emoji").name
    'emoji'
    """
    return None if region is None else find_region(head, region, files=False)


def form_of(id_: int, vocabulary: Vocabulary) -> str:
    """Give the visible form of a token.

    Examples
    --------
    >>> import unembed
    >>> form_of(5442, unembed.open_head("demo").vocabulary)
    'sea'
    """
    return shown(vocabulary.token(id_), vocabulary.text(id_))


def name_of(id_: int, vocabulary: Vocabulary) -> str:
    """Name a token in an expression: by its text where that names just this one, else by its id.

    Examples
    --------
    >>> import unembed
    >>> vocabulary = unembed.open_head("demo").vocabulary
    >>> name_of(5442, vocabulary), name_of(108, vocabulary)
    ('sea', '#108')
    """
    text = (vocabulary.text(id_) or "").removeprefix(" ")
    if text and text.isprintable():
        try:
            named = resolve(Name("phrase", text, 1), vocabulary, expression=text)
        except ExpressionError:  # it names none
            return f"#{id_}"
        if named.token_ids == (id_,):
            return spelled(text)
    return f"#{id_}"


def can_run_models() -> bool:
    """Tell whether what runs a model is installed.

    Examples
    --------
    >>> can_run_models()
    True
    """
    return find_spec("transformers") is not None
