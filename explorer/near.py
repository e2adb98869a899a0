"""The expression box: what lies near, and what could be written next."""

from typing import Any

import regex

from ..geometry.concepts.checks import FUNCTIONS
from ..geometry.concepts.grammar import spelled
from ..geometry.concepts.pairs import names
from ..geometry.concepts.weights import terms_of
from ..geometry.heads.unembedding import Unembedding
from ..geometry.neighbours import nearest
from ..geometry.tokens.beginning import ids_beginning
from ..geometry.tokens.vocabulary import Vocabulary
from . import recipes
from .questions import Complete, Near
from .served import Served, form_of, name_of, region_of
from .work import Telling

_WORD = regex.compile(r"[\p{L}_][\p{L}\p{M}\p{N}_'’·-]*\Z|#\d*\Z")
_MOST = 12  # completions
_SOUGHT = 2_000  # tokens that are looked at for them


def near(served: Served, asked: Near, telling: Telling) -> dict[str, Any]:
    """Find the tokens that lie closest to a concept; say how its names and weights were read.

    Examples
    --------
    >>> import unembed
    >>> served = Served({"demo": unembed.open_head("demo")})
    >>> asked = Near(source="demo", expression="sea + horse", region="emoji")
    >>> found = near(served, asked, Telling())
    >>> [found["forms"][str(one["id"])] for one in found["answer"]["neighbours"]][:2]
    ['🐎', '🐴']
    >>> found["command"]
    "unembed near demo 'sea + horse' --region emoji"
    """
    head = served.head(asked.source)
    (answer,) = nearest(
        head,
        [asked.expression],
        **asked.composition(telling.progress),
        score=asked.score,
        region=region_of(head, asked.region),
        exclude_region=region_of(head, asked.exclude_region),
        top=asked.top,
        keep_inputs=asked.keep_inputs,
        residual_norm=asked.residual_norm,
        temperature=asked.temperature,
        track=asked.track,
    )
    options = asked.options("source", "expression")
    tokens = {answer.snap.id, *(one.id for one in (*answer.neighbours, *answer.tracked))}
    tokens |= {id_ for name in answer.resolved for id_ in name.token_ids}
    return {
        "answer": answer.to_dict(),
        "terms": [{"weight": one.weight, "text": one.text} for one in terms_of(asked.expression)],
        **named(head, tokens),
        "command": recipes.command("near", [asked.source, asked.expression], options),
        "python": recipes.python(asked.source, "nearest", asked.expression, **options),
    }


def named(head: Unembedding, ids: set[int]) -> dict[str, Any]:
    """Give the visible form of each token, and what names it in an expression.

    Examples
    --------
    >>> import unembed
    >>> named(unembed.open_head("demo"), {5442})
    {'forms': {'5442': 'sea'}, 'names': {'5442': 'sea'}}
    """
    vocabulary, ordered = head.vocabulary, sorted(ids)
    return {
        "forms": {str(id_): form_of(id_, vocabulary) for id_ in ordered},
        "names": {str(id_): name_of(id_, vocabulary) for id_ in ordered},
    }


def complete(served: Served, asked: Complete, telling: Telling) -> dict[str, Any]:  # noqa: ARG001
    """Give what could be written in the place of the word that a cursor stands behind.

    Functions and directions come first, then the tokens that begin so, the lowest ids first.

    Examples
    --------
    >>> import unembed
    >>> served = Served({"demo": unembed.open_head("demo")})
    >>> asked = Complete(source="demo", expression="sea + plu", place=9)
    >>> found = complete(served, asked, Telling())
    >>> found["start"], found["options"][0]
    (6, {'text': 'plural(', 'what': 'direction'})
    """
    head = served.head(asked.source)
    before = asked.expression[: asked.place]
    word = _WORD.search(before)
    written = "" if word is None else word[0]
    options = []
    if written and not written.startswith("#"):
        calls = dict.fromkeys(FUNCTIONS, "function") | dict.fromkeys(names(), "direction")
        options = [
            {"text": f"{name}(", "what": what}
            for name, what in calls.items()
            if name.startswith(written.lower())
        ]
        options += [
            {"text": name, "what": "token"} for name in _beginning(written, head.vocabulary)
        ]
    elif written[1:]:
        id_ = int(written[1:10])
        if id_ < len(head.vocabulary) and head.vocabulary.known_V[id_]:
            options = [{"text": f"#{id_}", "what": form_of(id_, head.vocabulary)}]
    return {"start": len(before) - len(written), "end": len(before), "options": options[:_MOST]}


def _beginning(written: str, vocabulary: Vocabulary) -> list[str]:
    """Name the first tokens that begin so, with a space before them or without."""
    ids = {
        id_
        for text in (f" {written}", written)
        for id_ in sorted(ids_beginning(vocabulary, text.encode()).tolist())[:_SOUGHT]
    }
    found: dict[str, None] = {}
    for id_ in sorted(ids):
        text = vocabulary.text(id_)
        if text is not None and text.strip().isprintable() and " " not in text.strip():
            found.setdefault(spelled(text.strip()))
        if len(found) == _MOST:
            break
    return list(found)
