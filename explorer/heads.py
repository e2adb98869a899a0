"""What a row is made of; two heads beside each other; the health of a vocabulary."""

from typing import Any

from ..geometry.comparing.compare import compare
from ..geometry.examining.examine import examine
from ..geometry.explaining.explain import explain
from ..geometry.views.shown import shown
from ..geometry.views.vocab_page import vocab_page
from . import recipes
from .near import named
from .questions import Compare, Explain, Vocab
from .served import Served, form_of, region_of
from .work import Telling


def explanation(served: Served, asked: Explain, telling: Telling) -> dict[str, Any]:
    """Say what a row, or a composed vector, is made of.

    Examples
    --------
    >>> import unembed
    >>> served = Served({"demo": unembed.open_head("demo")})
    >>> found = explanation(served, Explain(source="demo", expression="queen", parts=2), Telling())
    >>> found["equation"]
    '▁king + female'
    """
    head = served.head(asked.source)
    found = explain(
        head,
        asked.expression,
        **asked.composition(telling.progress),
        parts=asked.parts,
        among=region_of(head, asked.among),
        method=asked.method,
        signed=asked.signed,
        top=asked.top,
    )
    options = asked.options("source", "expression")
    everywhere = {"among": "all"} if asked.among is None else {}
    ids = {one.id for one in found.neighbours} | {found.snap.id}
    ids |= {part.id for part in found.parts if part.id is not None}
    return {
        "answer": found.to_dict(),
        "equation": found.equation(),
        **named(head, ids),
        "command": recipes.command(
            "explain",
            [asked.source, asked.expression],
            recipes.renamed(options | everywhere, among="from", method="by"),
        ),
        "python": recipes.python(asked.source, "explain", asked.expression, **options),
    }


def comparison(served: Served, asked: Compare, telling: Telling) -> dict[str, Any]:
    """Say how alike two heads are, and what has moved between them.

    Examples
    --------
    >>> import unembed
    >>> served = Served({"demo-bytes": unembed.open_head("demo-bytes")})
    >>> asked = Compare(source="demo-bytes", other="demo-bytes")
    >>> round(comparison(served, asked, Telling())["answer"]["cka"], 3)
    1.0
    """
    head, other = served.head(asked.source), served.head(asked.other)
    found = compare(
        head,
        other,
        region=region_of(head, asked.region),
        top=asked.top,
        space=asked.space,
        progress=telling.progress,
    )
    options = asked.options("source", "other")
    held = recipes.Code(f"unembed.open_head({asked.other!r})")
    return {
        "answer": found.to_dict(),
        "moved": [
            {
                "form": form_of(one.id, head.vocabulary),
                "near": [shown(text, text) for text in one.near],
                "other_near": [shown(text, text) for text in one.other_near],
            }
            for one in found.moved
        ],
        "command": recipes.command("compare", [asked.source, asked.other], options),
        "python": recipes.python(asked.source, "compare", held, **options),
    }


def health(served: Served, asked: Vocab, telling: Telling) -> dict[str, Any]:
    """Say what the tokens of a vocabulary are; the page that shows it is held.

    Examples
    --------
    >>> import unembed
    >>> served = Served({"demo-bytes": unembed.open_head("demo-bytes")})
    >>> found = health(served, Vocab(source="demo-bytes"), Telling())
    >>> found["kinds"]["byte"]
    128
    """
    telling.progress("reading the vocabulary", 0, 0)
    found = examine(served.head(asked.source), progress=telling.progress)
    telling.progress("drawing", 0, 1)
    return {
        "page": served.keep_page(vocab_page(found)),
        "tokens": found.tokens,
        "kinds": found.kinds(),
        "command": recipes.command("vocab", [asked.source], {"output": "tokens.html"}),
        "python": recipes.python(asked.source, "examine"),
    }
