"""Answers for programs: JSON lines and CSV."""

import csv
import io
import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, fields

from ..answer import Neighbour, Neighbours
from ..similarities import Similarities


def json_lines(answers: Iterable[Neighbours]) -> Iterator[str]:
    """Give an object a query, on a line each; floats in full.

    Parameters
    ----------
    answers : iterable of Neighbours
        One a query.

    Yields
    ------
    str
        JSON, without its line end.

    Examples
    --------
    >>> import unembed
    >>> (line,) = json_lines([unembed.open_head("demo").nearest("sea", top=1)])
    >>> line[:50]
    '{"schema": 1, "source": "demo", "expression": "sea'
    """
    for answer in answers:
        yield json.dumps(answer.to_dict(), ensure_ascii=False)


def csv_lines(answers: Iterable[Neighbours]) -> Iterator[str]:
    """Give a header, then a row a neighbour, led by its query; floats in full, null empty.

    Parameters
    ----------
    answers : iterable of Neighbours
        One a query.

    Yields
    ------
    str
        A row as RFC 4180 has it, without its line end.

    Examples
    --------
    >>> import unembed
    >>> header, row = csv_lines([unembed.open_head("demo").nearest("sea", top=1)])
    >>> row.split(",")[:9]
    ['demo', 'sea', 'causal', 'cosine', '', 'neighbours', '1', '12991', '▁Sea']
    """
    names = [field.name for field in fields(Neighbour)]
    yield _row(["source", "expression", "space", "score_kind", "region", "list", *names])
    for answer in answers:
        asked = [answer.source, answer.expression, answer.space, answer.score, answer.region]
        for name in ("neighbours", "tracked"):
            for near in getattr(answer, name):
                yield _row([*asked, name, *asdict(near).values()])


def square_lines(found: Similarities) -> Iterator[str]:
    """Give a square as CSV: a header with the expressions, then a row for each, led by it.

    Parameters
    ----------
    found : Similarities
        What is given.

    Yields
    ------
    str
        A row as RFC 4180 has it, without its line end; floats in full.

    Examples
    --------
    >>> import unembed
    >>> found = unembed.open_head("demo").similarities(["sea", "horse"])
    >>> next(square_lines(found))
    'expression,sea,horse'
    """
    yield _row(["expression", *found.expressions])
    for expression, values in zip(found.expressions, found.values_NN.tolist(), strict=True):
        yield _row([expression, *values])


def _row(values: list[object]) -> str:
    """Quote a row as RFC 4180 says, without its line end."""
    line = io.StringIO()
    csv.writer(line).writerow(values)
    return line.getvalue().removesuffix("\r\n")
