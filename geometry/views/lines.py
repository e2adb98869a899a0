"""Answers for programs: JSON lines and CSV."""

import csv
import io
import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, fields

from ..answer import Neighbour, Neighbours


def json_lines(answers: Iterable[Neighbours]) -> Iterator[str]:
    """Give an object a query, on a line each; floats in full."""
    for answer in answers:
        yield json.dumps(answer.to_dict(), ensure_ascii=False)


def csv_lines(answers: Iterable[Neighbours]) -> Iterator[str]:
    """Give a header, then a row a neighbour, led by its query; floats in full, null empty."""
    names = [field.name for field in fields(Neighbour)]
    yield _row(["source", "expression", "space", "score_kind", "region", *names])
    for answer in answers:
        asked = [answer.source, answer.expression, answer.space, answer.score, answer.region]
        for near in answer.neighbours:
            yield _row([*asked, *asdict(near).values()])


def _row(values: list[object]) -> str:
    """Quote a row as RFC 4180 says, without its line end."""
    line = io.StringIO()
    csv.writer(line).writerow(values)
    return line.getvalue().removesuffix("\r\n")
