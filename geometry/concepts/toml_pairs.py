"""Directions in TOML, checked: what is wrong is named with its line and key."""

import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...errors import UsageError
from .checks import ABOUT, LONGEST, SHOWN, cut, is_plain, is_text, name_fault, shown
from .regional import file_beside
from .toml_lines import lines_of

_MOST = 10_000  # pairs
_TABLES = 1000
_DOTS = 1000  # in a line
_KEYS = ("about", "pairs", "region")


@dataclass(frozen=True)
class Table:
    """A direction of a TOML file, checked.

    Attributes
    ----------
    about : str
        What it means.
    pairs : tuple of (str, str)
        Bases and targets; none of them where there is a region.
    region : str, Path or None
        What is learned against the rest: a name, a script or a pattern, or a file of tokens.

    Examples
    --------
    >>> Table("", (("cat", "cats"),), None).pairs[0]
    ('cat', 'cats')
    """

    about: str
    pairs: tuple[tuple[str, str], ...]
    region: str | Path | None


def read_tables(text: str, path: Path, *, fewest: int) -> dict[str, Table]:
    r"""Read the text of a TOML file of directions.

    Parameters
    ----------
    text : str
        Of the file.
    path : Path
        The file, for errors and for the files of regions beside it.
    fewest : int
        How many pairs a direction has at least.

    Raises
    ------
    UsageError
        It is no TOML, or holds something else: names the line and the key.

    Examples
    --------
    >>> read_tables("[greek]\nregion = 'greek'", Path("my.toml"), fewest=4)
    {'greek': Table(about='', pairs=(), region='greek')}
    """
    try:
        # A key of many parts would take tomllib a time that grows with their square.
        if any(line.count(".") > _DOTS for line in text.split("\n")):
            raise UsageError(f"{path}: a line has more than {_DOTS:,} dots; break it")
        tables = tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # a number may be too long for Python
        why = cut(str(error), longest=2 * SHOWN)  # it may name a key
        raise UsageError(f"{path} is no TOML: {why}") from error
    if len(tables) > _TABLES:
        raise UsageError(f"{path} has {len(tables):,} tables; it may have at most {_TABLES:,}")
    if not tables:
        raise UsageError(f"{path} has no direction; a direction is a table such as [colour]")
    return {name: _Reader(path, text, name, fewest).table(table) for name, table in tables.items()}


@dataclass(frozen=True)
class _Reader:
    """Reads a table of a TOML file; its errors name the line and the key."""

    path: Path
    text: str
    name: str
    fewest: int

    def table(self, table: object) -> Table:
        """Check a table."""
        if not isinstance(table, dict):
            raise self.wrong("is no table; a direction is a table such as [colour]")
        named = name_fault(self.name)
        if named is not None:
            raise self.wrong(named)
        for key in table:
            if key not in _KEYS:
                raise self.wrong(f"is unknown; the keys are {', '.join(_KEYS)}", key)
        about, region, pairs = table.get("about", ""), table.get("region"), table.get("pairs")
        if not isinstance(about, str) or len(about) > ABOUT:
            raise self.wrong(
                f"is {shown(about)}; it must be a text of at most {ABOUT:,} characters", "about"
            )
        if region is not None and not is_text(region):
            raise self.wrong(
                f"is {shown(region)}; it must be a text of 1 to {LONGEST} characters", "region"
            )
        if (region is None) == (pairs is None):
            raise self.wrong("must have either pairs or a region")
        if region is not None:
            return Table(about, (), self._region(region))
        if not isinstance(pairs, list) or not self.fewest <= len(pairs) <= _MOST:
            found = f"{len(pairs):,} pairs" if isinstance(pairs, list) else shown(pairs)
            raise self.wrong(f"is {found}; it must be {self.fewest} to {_MOST:,} pairs", "pairs")
        return Table(about, tuple(self._pairs(pairs)), None)

    def _region(self, region: str) -> str | Path:
        """Tell a file of tokens, which must lie beside this file or below it, from a name."""
        try:
            return file_beside(region, self.path) or region
        except UsageError as error:
            raise self.wrong(str(error), "region") from error

    def _pairs(self, pairs: list[Any]) -> Iterator[tuple[str, str]]:
        """Check pairs one by one."""
        targets: dict[str, str] = {}
        reversals: dict[tuple[str, str], list[str]] = {}
        for place, pair in enumerate(pairs):
            if not (isinstance(pair, list) and len(pair) == 2 and all(map(is_text, pair))):
                raise self.wrong(
                    f"is {shown(pair)}; a pair is two texts of 1 to {LONGEST} characters, as in "
                    '["cat", "cats"]',
                    "pairs",
                    place,
                )
            base, target = pair
            found = f"is {shown(pair)}"
            if base == target:
                raise self.wrong(f"{found}, which is twice the same", "pairs", place)
            if base in targets:
                before = targets[base]
                how = "is there before" if before == target else f"has {shown(before)} before"
                raise self.wrong(f"{found}, but {shown(base)} {how}; leave one out", "pairs", place)
            if _folded(base, target) in reversals:
                turned = shown(reversals[_folded(base, target)])
                raise self.wrong(
                    f"{found}, which turns {turned} round; leave one out", "pairs", place
                )
            targets[base] = target
            reversals[_folded(base, target)[::-1]] = pair
            yield base, target

    def wrong(self, message: str, key: str | None = None, member: int | None = None) -> UsageError:
        """Say what is wrong, where: in the table, at its key, at a member of that."""
        lines, place = lines_of(self.text), (self.name, key, member)
        named = [self.name] if key is None else [self.name, key]
        line = next(lines[place[:n]] for n in (3, 2, 1, 0) if place[:n] in lines)
        names = [name if is_plain(name) else shown(name) for name in named]
        number = "" if member is None else f"[{member}]"
        return UsageError(f"{self.path}, line {line}: {'.'.join(names)}{number} {message}")


def _folded(base: str, target: str) -> tuple[str, str]:
    """Give a pair without its case, where it is not the case in which the two differ."""
    folded = base.casefold(), target.casefold()
    return (base, target) if folded[0] == folded[1] else folded
