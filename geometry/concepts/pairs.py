"""What directions are learned from: pairs of names, or a region against the rest."""

import hashlib
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import metadata, resources
from pathlib import Path
from typing import Any

from ...errors import UsageError
from ...indexes.tensors import is_file
from ..tokens.vocabulary import Vocabulary

EMOJI = "emoji"
FEWEST = 4  # pairs or tokens that a direction is learned from
_FILE_LIMIT = 4 << 20  # bytes
_MOST = 10_000  # pairs or tokens
_LONGEST = 200  # characters of a name
_DOTS = 1000  # in a line
_SHOWN = 80  # characters of a value in a message
_KEYS = ("about", "pairs", "region")
_TOML = re.compile(  # of a text that is TOML: strings, comments, marks, line breaks, the rest
    r'"""(?:\\.|[^\\])*?"""(?!")|'
    r"'''.*?'''(?!')|"
    r'"(?:\\.|[^"\\\n])*"|'
    r"'[^'\n]*'|#[^\n]*|[\[\]{}=,\n]|[^\s\[\]{}=,#\"']+",
    re.DOTALL,
)


@dataclass(frozen=True)
class Pair:
    """Two names that differ by what a direction is.

    Attributes
    ----------
    base, target : str
        Words, phrases or emoji.
    target_id : int or None
        The target's token, where the name alone would be taken for another.

    Examples
    --------
    >>> built_in()["plural"].pairs[0]
    Pair(base='cat', target='cats', target_id=None)
    """

    base: str
    target: str
    target_id: int | None = None


@dataclass(frozen=True)
class PairSet:
    """What one direction is learned from.

    Attributes
    ----------
    name : str
        What it is called in an expression.
    about : str
        What it means, for people.
    pairs : tuple of Pair
        Empty where it is a region against the rest.
    region : str or None
        Where the targets lie: what ranks are taken among; None for all tokens.

    Examples
    --------
    >>> built_in()["plural"]
    PairSet('plural', 56 pairs)
    """

    name: str
    about: str
    pairs: tuple[Pair, ...]
    region: str | None = None

    @property
    def digest(self) -> str:
        """What tells it apart from every other."""
        return hashlib.sha256(repr((self.pairs, self.region)).encode()).hexdigest()

    def __repr__(self) -> str:
        """Name it and say of what it is."""
        of = f"{len(self.pairs)} pairs" if self.pairs else f"the region {self.region}"
        return f"PairSet({self.name!r}, {of})"


@cache
def built_in() -> Mapping[str, PairSet]:
    """Give the directions that come with the package, emoji aside, by name.

    Examples
    --------
    >>> "past" in built_in()
    True
    """
    text = resources.files(__package__).joinpath("directions.toml").read_text(encoding="utf-8")
    return _read(text, "directions.toml")


def names() -> tuple[str, ...]:
    """Give the names of all built-in directions.

    Examples
    --------
    >>> names()[:2]
    ('emoji', 'emoji_ar')
    """
    return (*_emoji_names(), *built_in())


def find_pairs(name: str, vocabulary: Vocabulary, given: Mapping[str, PairSet]) -> PairSet:
    """Find the pairs of a direction: the user's own first, then the built-in ones.

    Raises
    ------
    UsageError
        There is no such direction.

    Examples
    --------
    >>> import unembed
    >>> find_pairs("emoji", unembed.open_head("demo").vocabulary, {}).pairs[0]
    Pair(base='1st place medal', target='🥇', target_id=246750)
    """
    if name in given:
        return given[name]
    if name in built_in():
        return built_in()[name]
    if name in _emoji_names():
        return emoji_pairs(vocabulary, language=_emoji_names()[name])
    raise UsageError(
        f"unknown direction {name!r}; the directions are {', '.join((*given, *names()))}"
    )


def emoji_pairs(vocabulary: Vocabulary, *, language: str = "en") -> PairSet:
    """Pair the names of the emoji that are one token with them, in one language.

    The first pair of an emoji has its official short name; in English its aliases follow.

    Examples
    --------
    >>> import unembed
    >>> emoji_pairs(unembed.open_head("demo").vocabulary, language="de").pairs[0].base
    'goldmedaille'
    """
    import emoji

    if language != "en":
        emoji.config.load_language(language)
    pairs = []
    for text, data in emoji.EMOJI_DATA.items():
        id_ = _emoji_token(text, vocabulary)
        if data["status"] != emoji.STATUS["fully_qualified"] or id_ is None:
            continue
        codes = [data[language]] if language in data else []
        codes += data.get("alias", []) if language == "en" else []
        spoken = dict.fromkeys(_spoken(code) for code in codes)
        pairs += [Pair(base, text, id_) for base in spoken if base]
    name = EMOJI if language == "en" else f"{EMOJI}_{language}"
    return PairSet(name, f"the emoji of what is named ({language})", tuple(pairs), EMOJI)


def read_pairs(path: Path) -> Mapping[str, PairSet]:
    r"""Read directions from a TOML file: a table for each, with ``pairs`` or a ``region``.

    ::

        [colour]
        about = "the colour of a thing"          # may be left out
        pairs = [["sky", "blue"], ["grass", "green"], …]

        [greek]
        region = "greek"                         # against all other tokens

    Raises
    ------
    UsageError
        The file cannot be read, is no TOML, or holds something else: names the line and the key.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp(), "my.toml")
    >>> _ = path.write_text('[greek]\nregion = "greek"\n')
    >>> read_pairs(path)
    {'greek': PairSet('greek', the region greek)}
    """
    if not is_file(path):
        raise UsageError(f"{path}: there is no such file of directions")
    try:
        size = path.stat().st_size
        if size > _FILE_LIMIT:
            raise UsageError(f"{path}: {size:,} bytes; directions have at most {_FILE_LIMIT:,}")
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: the directions cannot be read: {error}") from error
    return _read(text, str(path))


def _read(text: str, path: str) -> dict[str, PairSet]:
    """Read the text of a TOML file of directions."""
    try:
        # A key of many parts would take tomllib a time that grows with their square.
        if any(line.count(".") > _DOTS for line in text.split("\n")):
            raise UsageError(f"{path}: a line has more than {_DOTS:,} dots; break it")
        tables = tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # a number may be too long for Python
        raise UsageError(f"{path} is no TOML: {error}") from error
    if not tables:
        raise UsageError(f"{path} has no direction; a direction is a table such as [colour]")
    return {name: _Table(path, text, name).pair_set(table) for name, table in tables.items()}


@dataclass(frozen=True)
class _Table:
    """A table of a TOML file, for errors that name the line and the key."""

    path: str
    text: str
    name: str

    def pair_set(self, table: object) -> PairSet:
        """Check a table and make its pairs."""
        if not isinstance(table, dict):
            raise self.wrong("is no table; a direction is a table such as [colour]")
        if not _is_plain(self.name):
            raise self.wrong("is no name; it has letters, digits and _, as in [my_colour]")
        if self.name in {"mean", "unit", "token", "direction"}:
            raise self.wrong("is the name of a function of expressions; choose another")
        for key in table:
            if key not in _KEYS:
                raise self.wrong(f"is unknown; the keys are {', '.join(_KEYS)}", key)
        about, region, pairs = table.get("about", ""), table.get("region"), table.get("pairs")
        if not isinstance(about, str):
            raise self.wrong(f"is {_shown(about)}; it must be a text", "about")
        if region is not None and not _is_name(region):
            raise self.wrong(
                f"is {_shown(region)}; it must be a text of 1 to {_LONGEST} characters", "region"
            )
        if (region is None) == (pairs is None):
            raise self.wrong("must have either pairs or a region")
        if pairs is None:
            return PairSet(self.name, about, (), region)
        if not isinstance(pairs, list) or not FEWEST <= len(pairs) <= _MOST:
            found = f"{len(pairs):,} pairs" if isinstance(pairs, list) else _shown(pairs)
            raise self.wrong(f"is {found}; it must be {FEWEST} to {_MOST:,} pairs", "pairs")
        return PairSet(self.name, about, tuple(self._pairs(pairs)))

    def _pairs(self, pairs: list[Any]) -> Iterator[Pair]:
        """Check pairs one by one."""
        targets: dict[str, str] = {}
        for place, pair in enumerate(pairs):
            if not (isinstance(pair, list) and len(pair) == 2 and all(map(_is_name, pair))):
                raise self.wrong(
                    f"is {_shown(pair)}; a pair is two texts of 1 to {_LONGEST} characters, as in "
                    '["cat", "cats"]',
                    "pairs",
                    place,
                )
            base, target = pair
            if base == target:
                raise self.wrong(f"is {pair!r}, which is twice the same", "pairs", place)
            if base in targets:
                before = targets[base]
                how = "is there before" if before == target else f"has the target {before!r} before"
                raise self.wrong(f"is {pair!r}, but {base!r} {how}; leave one out", "pairs", place)
            targets[base] = target
            yield Pair(base, target)

    def wrong(self, message: str, key: str | None = None, member: int | None = None) -> UsageError:
        """Say what is wrong, where: in the table, at its key, at a member of that."""
        lines, place = _lines(self.text), (self.name, key, member)
        named = [self.name] if key is None else [self.name, key]
        line = next(lines[place[:n]] for n in (3, 2, 1, 0) if place[:n] in lines)
        names = [name if _is_plain(name) else _shown(name) for name in named]
        number = "" if member is None else f"[{member}]"
        return UsageError(f"{self.path}, line {line}: {'.'.join(names)}{number} {message}")


def _lines(text: str) -> dict[tuple[str | int | None, ...], int]:
    """Give the line of each table, of each of its keys and of each member of a key's list."""
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


def _shown(value: object) -> str:
    """Write a value of a file in a message, cut where it is long."""
    try:
        text = repr(value)
    except (ValueError, RecursionError):  # a number of many digits, tables in tables
        return f"a {type(value).__name__} too large to show"
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


def _is_plain(name: str) -> bool:
    """Tell whether a name is one that an expression can call."""
    return name.isidentifier() and name.isascii()


def _is_name(value: object) -> bool:
    """Tell whether a value can be a name of a pair."""
    return isinstance(value, str) and value.strip() != "" and len(value) <= _LONGEST


@cache
def _emoji_names() -> Mapping[str, str]:
    """Give the languages in which the emoji library names, by the name of their direction."""
    import emoji

    languages = sorted(emoji.LANGUAGES)
    return {EMOJI: "en"} | {f"{EMOJI}_{code}": code for code in languages if code != "en"}


def _emoji_token(text: str, vocabulary: Vocabulary) -> int | None:
    """Give the one token of an emoji, bare before with a leading space."""
    bare = vocabulary.id_of(text)
    return vocabulary.id_of(f" {text}") if bare is None else bare


def _spoken(code: str) -> str:
    """Give the words of a name such as ``:horse_face:``."""
    return code.strip(":").replace("_", " ").strip()


def library_version() -> str:
    """Give the version of the library that names emoji, without loading it.

    Examples
    --------
    >>> library_version().count(".")
    2
    """
    return metadata.version("emoji")
