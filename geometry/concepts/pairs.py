"""What directions are learned from: pairs of names, or a region against the rest."""

import hashlib
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import metadata, resources
from pathlib import Path

from ...errors import UsageError
from ...indexes.tensors import is_file
from ..tokens.vocabulary import Vocabulary
from ..tokens.whole_emoji import whole_emoji
from .checks import shown
from .explain import listed
from .toml_pairs import read_tables

EMOJI = "emoji"
_EMOJI_ESTIMATOR = "procrustes"  # many pairs: docs/directions.md has the figures
FEWEST = 4  # pairs or tokens that a direction is learned from
_FILE_LIMIT = 4 << 20  # bytes


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
    """What one direction is learned from: pairs, or a region against the rest.

    Attributes
    ----------
    name : str
        What it is called in an expression.
    about : str
        What it means, for people.
    pairs : tuple of Pair
        None of them where it is a region against the rest, or no emoji is one token.
    region : str or None
        Where the targets of pairs lie: what ranks are taken among; None for all tokens.
    learned_from : str, Path or None
        The region that is learned against all other tokens: its name, a script or a pattern as a
        text, a file of tokens as a `Path`; None where it is learned from pairs.
    estimator : str or None
        A key of `ESTIMATORS`: how it is learned where nothing else is asked for. Where it is None,
        `own_estimator` tells.

    Examples
    --------
    >>> built_in()["plural"]
    PairSet('plural', 56 pairs)
    """

    name: str
    about: str
    pairs: tuple[Pair, ...] = ()
    region: str | None = None
    learned_from: str | Path | None = None
    estimator: str | None = None

    @property
    def own_estimator(self) -> str:
        """How it is learned where nothing else is asked for.

        A region is learned as a category, and few pairs as a mean difference: docs/directions.md
        has the figures.
        """
        return self.estimator or ("offset" if self.learned_from is None else "category")

    @property
    def digest(self) -> str:
        """What tells it apart from every other."""
        learned = (self.pairs, self.region, self.learned_from)
        return hashlib.sha256(repr(learned).encode()).hexdigest()

    def __repr__(self) -> str:
        """Name it and say of what it is."""
        regional = self.learned_from is not None
        of = f"the region {self.learned_from}" if regional else f"{len(self.pairs)} pairs"
        return f"PairSet({self.name!r}, {of})"


class Names(Collection[str]):
    """The names of one's own directions and of the built-in ones; languages are loaded last.

    Whether a name is among them is told without the library that names emoji, but for those that
    begin with ``emoji_``.

    Examples
    --------
    >>> "plural" in Names({}), "nosuch" in Names({}), list(Names({}))[:2]
    (True, False, ['emoji', 'emoji_ar'])
    """

    def __init__(self, own: Mapping[str, PairSet]) -> None:
        self._own = own

    def __contains__(self, name: object) -> bool:
        """Tell whether there is a direction of this name."""
        return name in self._own or name in built_in() or _language(name) is not None

    def __iter__(self) -> Iterator[str]:
        """Give one's own first."""
        yield from dict.fromkeys((*self._own, *names()))

    def __len__(self) -> int:
        """Count them."""
        return len({*self._own, *names()})


@cache
def built_in() -> Mapping[str, PairSet]:
    """Give the directions that come with the package, emoji aside, by name.

    Examples
    --------
    >>> "past" in built_in()
    True
    """
    text = resources.files(__package__).joinpath("directions.toml").read_text(encoding="utf-8")
    return _pair_sets(text, Path("directions.toml"))


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
    language = _language(name)
    if language is not None:
        return emoji_pairs(vocabulary, language=language)
    raise _unknown(name, given)


def own_estimator(name: str, given: Mapping[str, PairSet]) -> str:
    """Give the estimator of a direction, without what it is learned from.

    Raises
    ------
    UsageError
        There is no such direction.

    Examples
    --------
    >>> own_estimator("emoji_de", {}), own_estimator("plural", {})
    ('procrustes', 'offset')
    """
    found = given.get(name) or built_in().get(name)
    if found is not None:
        return found.own_estimator
    if _language(name) is None:
        raise _unknown(name, given)
    return _EMOJI_ESTIMATOR


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
    for text, data in whole_emoji().items():
        id_ = _emoji_token(text, vocabulary)
        if id_ is None:
            continue
        codes = [data[language]] if language in data else []
        codes += data.get("alias", []) if language == "en" else []
        bases = dict.fromkeys(spoken(code) for code in codes)
        pairs += [Pair(base, text, id_) for base in bases if base]
    name = EMOJI if language == "en" else f"{EMOJI}_{language}"
    about = f"the emoji of what is named ({language})"
    return PairSet(name, about, tuple(pairs), EMOJI, estimator=_EMOJI_ESTIMATOR)


def read_pairs(path: Path) -> Mapping[str, PairSet]:
    r"""Read directions from a TOML file: a table for each, with ``pairs`` or a ``region``.

    ::

        [colour]
        about = "the colour of a thing"          # may be left out
        pairs = [["sky", "blue"], ["grass", "green"], …]

        [greek]
        region = "greek"                         # against all other tokens

    A region is a name, a script, a pattern, or a file of tokens that lies beside this file or
    below it.

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
    return _pair_sets(text, path)


def _unknown(name: str, given: Mapping[str, PairSet]) -> UsageError:
    """Say that there is no such direction, and which there are."""
    return UsageError(f"unknown direction {shown(name)}; the directions are {listed(Names(given))}")


def _pair_sets(text: str, path: Path) -> dict[str, PairSet]:
    """Make the pairs of a TOML file's text."""
    return {
        name: PairSet(
            name,
            table.about,
            tuple(Pair(base, target) for base, target in table.pairs),
            learned_from=table.region,
        )
        for name, table in read_tables(text, path, fewest=FEWEST).items()
    }


def _language(name: object) -> str | None:
    """Give the language of a direction to emoji; the library is asked for that of others alone."""
    if name == EMOJI:
        return "en"
    is_other = isinstance(name, str) and name.startswith(f"{EMOJI}_")
    return _emoji_names().get(str(name)) if is_other else None


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


def spoken(code: str) -> str:
    """Give the words of a name such as ``:horse_face:``.

    Examples
    --------
    >>> spoken(":horse_face:")
    'horse face'
    """
    return code.strip(":").replace("_", " ").strip()


def library_version() -> str:
    """Give the version of the library that names emoji, without loading it.

    Examples
    --------
    >>> library_version().count(".")
    2
    """
    return metadata.version("emoji")
