"""An audit whose findings are told as they come."""

import re
import shlex
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict
from itertools import islice
from pathlib import Path
from typing import Any

from ..errors import UsageError
from ..geometry.audit.finding import Finding
from ..geometry.audit.opening import default_direction, open_auditor
from ..geometry.audit.summary import Tally
from ..geometry.concepts.pairs import EMOJI
from ..geometry.records.reading import concepts_of, read_records
from ..geometry.records.record import Record
from ..geometry.tokens.vocabulary import Vocabulary
from . import recipes
from .questions import MOST_CONCEPTS, Audit
from .served import Served, form_of, region_of
from .work import Telling

_BUILT_IN = re.compile(r"emoji:all(:[a-z]{2,3})?|unicode:[A-Za-z_]{1,40}")
_FIRST, _LARGEST = 16, 512  # records that are audited together: few at first, to show something


def audit(served: Served, asked: Audit, telling: Telling) -> dict[str, Any]:
    """Say of each concept of a list whether the head has a token for it.

    Examples
    --------
    >>> import unembed
    >>> served, lines = Served({"demo": unembed.open_head("demo")}), []
    >>> asked = Audit(source="demo", concepts=("octopus", "sea + horse"), region="emoji")
    >>> found = audit(served, asked, Telling(lines.append))
    >>> [one["verdict"] for line in lines for one in line.get("findings", [])]
    ['single_token', 'phantom']
    >>> found["summary"]["records"]
    2
    """
    head = served.head(asked.source)
    records, words = _records(served, asked)
    options = asked.options("source", "concepts", "list", "file", "column")
    direction = asked.direction
    if direction is None and asked.list is not None:
        direction = default_direction(asked.region, [asked.list])
    # The command line finds it by the list's name too; Python sees records alone.
    built_in = {} if direction in (None, EMOJI) else {"direction": direction}
    telling.progress("learning the region", 0, 0)
    auditor = open_auditor(
        head,
        region=region_of(head, asked.region),
        direction=direction,
        top=asked.top,
        residual_norm=asked.residual_norm,
        min_membership=asked.min_membership,
        min_p_token=asked.min_p_token,
        **asked.composition(telling.progress),
    )
    tally, size, count, records = Tally(), _FIRST, 0, iter(records)
    while some := tuple(islice(records, size)):
        count += len(some)
        if count > MOST_CONCEPTS:
            raise UsageError(
                f"a list has more than {MOST_CONCEPTS:,} concepts; audit it on the command line"
            )
        found = auditor.audit(some)
        for finding in found:
            tally.add(finding)
        telling.line({"findings": [_told(finding, auditor.vocabulary) for finding in found]})
        telling.progress("auditing", count, len(asked.concepts))
        size = min(2 * size, _LARGEST)
    summary = tally.summary(auditor.terms)
    column = {"column": f"concept={asked.column}"} if asked.column is not None else {}
    command = recipes.command("audit", [asked.source, words], options | column)
    given = asked.concepts or words
    if asked.concepts:
        command = f"printf '%s\\n' {shlex.join(asked.concepts)} | {command}"
    return {
        "summary": {"records": summary.records, "verdicts": dict(summary.verdicts)},
        "command": command,
        "python": _python(asked, given, options | built_in),
    }


def _records(served: Served, asked: Audit) -> tuple[Iterable[Record], str]:
    """Give the records, and what the command line calls their list."""
    given = [asked.concepts or None, asked.list, asked.file]
    if sum(one is not None for one in given) != 1:
        raise UsageError("give concepts, or a list that is built in, or a file: one of them")
    if asked.list is not None:
        if not _BUILT_IN.fullmatch(asked.list):  # it would name a file
            raise UsageError(
                f"no list is called {asked.list!r}; the lists are emoji:all, emoji:all:LANGUAGE "
                "and unicode:SCRIPT"
            )
        return read_records(asked.list), asked.list
    if asked.file is not None:
        return _of_file(served, asked.file, _columns(asked)), f"list{Path(asked.file).suffix}"
    return concepts_of(asked.concepts), "-"


def _of_file(served: Served, file: str, columns: Mapping[str, str]) -> Iterator[Record]:
    """Read a file that was given."""
    with served.files.reading(file) as path:
        yield from read_records(str(path), columns=columns)


def _columns(asked: Audit) -> dict[str, str]:
    """Say which column of a file has the concepts, where it is not the one of that name."""
    return {} if asked.column is None else {"concept": asked.column}


def _python(asked: Audit, given: object, options: dict[str, Any]) -> str:
    """Write the call; a list in a file, or one that is built in, is read first."""
    if asked.concepts:
        return recipes.python(asked.source, "audit", asked.concepts, **options)
    read = "from unembed.geometry.records.reading import read_records\n\n"
    columns = f", columns={_columns(asked)!r}" if asked.column is not None else ""
    records = recipes.Code(f"read_records({given!r}{columns})")
    return read + recipes.python(asked.source, "audit", records, **options)


def _told(finding: Finding, vocabulary: Vocabulary) -> dict[str, Any]:
    """Give a finding as an object, its tokens in their visible forms too."""
    return asdict(finding) | {
        "pieces": [form_of(id_, vocabulary) for id_ in finding.token_ids],
        "nearest_forms": [form_of(near.id, vocabulary) for near in finding.nearest],
        "snap_form": None if finding.snap_id is None else form_of(finding.snap_id, vocabulary),
    }
