"""The parts of a vocabulary's page that need no script: counts, coverage, rows that are odd."""

from collections.abc import Iterator, Mapping, Sequence

from ...indexes.winning.every import Winners
from ..audit.summary import share
from ..examining.coverage import Coverage, whole
from ..examining.health import Health
from ..examining.reached import NEAR
from ..tokens.vocabulary import Vocabulary
from .page_parts import cards_with, harmless, listed, shares, table_of, token_of
from .shown import counted

_SCRIPTS = 10
_GROUPS, _TOKENS = 12, 12  # of rows that are nearly the same, and of each
_WAYS = {
    "one": "one token",
    "several": "several tokens",
    "pieces": "bytes or fragments",
    "none": "cannot be written",
}


def lede_of(found: Health) -> str:
    """Say in a sentence what is odd, as HTML.

    Examples
    --------
    >>> import unembed
    >>> lede_of(unembed.open_head("demo-bytes").examine())[:66]
    'Of <b>50,364 tokens</b>, no text encodes to <b>1,175</b>, <b>32</b'
    """
    said = [one for one in _facts(found) if one]
    tokens = f"<b>{found.tokens:,} tokens</b>"
    if not said:
        return f"Of {tokens}, none is odd."
    *before, last = said
    first = ", ".join(before) + ", and " if before else ""
    return f"Of {tokens}, {first}{last}."


def kinds_of(kinds: Mapping[str, int]) -> str:
    """Draw how many tokens are of each kind as one bar, with a legend, as HTML.

    Examples
    --------
    >>> kinds_of({"whole-word": 3})[:52]
    '<div class="bar" aria-hidden="true"><span class="kin'
    """
    return shares((f"kind-{kind}", kind, count) for kind, count in kinds.items())


def cards_of(found: Health) -> str:
    """Draw the figures that tell most, as HTML.

    Examples
    --------
    >>> import unembed
    >>> cards_of(unembed.open_head("demo-bytes").examine()).count("<dt>")
    5
    """
    known, judged = found.tokens, found.undertrained
    cards = [
        ("", "tokens", f"{known:,}", f"of {len(found.scripts()):,} scripts"),
        _card("unreachable", len(found.unreachable_N), "no text encodes to them"),
        _card(
            "suspected",
            len(found.suspected_N) if judged else None,
            f"beside {len(judged.unused_U):,} unused" if judged else "nothing to compare with",
        ),
        _card("near-identical", len(found.alike_N), _groups(found.alike)),
        _card("same text", sum(map(len, found.same_text)), _groups(found.same_text)),
    ]
    if found.winners is not None:
        count = len(found.unwritable_N)
        cards.append(_card("never written", count, share(count, known)))
    if found.reached is not None:
        count = len(found.distant_N)
        cards.append(("", "never near the top", f"{count:,}", share(count, known)))
    return cards_with(cards)


def scripts_of(scripts: Mapping[str, int]) -> str:
    """Draw how many tokens are of each script, the most frequent first, as HTML.

    Examples
    --------
    >>> scripts_of({"Latin": 3, "Han": 1}).count("<tr>")
    3
    """
    first, rest = list(scripts.items())[:_SCRIPTS], list(scripts.items())[_SCRIPTS:]
    total = sum(scripts.values())
    more = ""
    if rest:
        others = f"{len(rest):,} others, {sum(count for _, count in rest):,} tokens"
        more = f"<details><summary>{others}</summary>{_scripts(rest, scripts, total)}</details>"
    return f"<section><h2>Scripts</h2>{_scripts(first, scripts, total)}{more}</section>"


def coverage_of(found: Health) -> str:
    """Draw how emoji and characters are written, a bar each, as HTML.

    Examples
    --------
    >>> import unembed
    >>> coverage_of(unembed.open_head("demo-bytes").examine()).count('class="bar"')
    2
    """
    drawn = "".join(
        f"<h3>{of.total:,} {what}</h3>{_covered(of)}"
        for what, of in (
            ("emoji that Unicode recommends", found.emoji),
            ("characters that Unicode assigns", whole(found.blocks)),
        )
        if of.total
    )
    return f"<section><h2>How emoji and characters are written</h2>{drawn}</section>"


def untrained_of(found: Health) -> str:
    """Draw how well untrained rows are told, three ways, as HTML.

    Examples
    --------
    >>> import unembed
    >>> untrained_of(unembed.open_head("demo-bytes").examine()).count("<tr>")
    4
    """
    title, judged = "Rows that look untrained", found.undertrained
    if judged is None:
        said = "Too few tokens are known to be unused: there is nothing to compare with."
        return f'<section><h2>{title}</h2><p class="note">{said}</p></section>'
    said = (
        "Rows that were never trained stay near where they began, so they have a direction in "
        "common. The distance is 1 less the cosine with the mean of the "
        f"{len(judged.unused_U):,} rows known to be unused: of rows as they are, less the mean "
        "row, less the first principal component too. Each way is learned from one half of these "
        "and tried on the other: 95% of it lie below the threshold, and so do so many other "
        "tokens. Those of the best way are suspected."
    )
    rows = [
        (
            one.way.replace("_", " ") + (" (best)" if one.way == judged.best else ""),
            *(f"{one.average_precision:.3f}", f"{one.threshold:.3f}", f"{one.below:,}"),
        )
        for one in judged.judged
    ]
    heads = ("distance", "average precision", "threshold", "below")
    return listed(title, said, heads, rows, texts=1)


def alike_of(found: Health) -> str:
    """Draw the groups of rows that are nearly the same, the largest first, as HTML.

    Examples
    --------
    >>> import unembed
    >>> "67" in alike_of(unembed.open_head("demo-bytes").examine())
    True
    """
    title = "Rows that are nearly the same"
    if not found.alike:
        return f'<section><h2>{title}</h2><p class="note">There are none.</p></section>'
    said = (
        "No residual tells the tokens of a group apart by much: their distance is at most a "
        "twentieth of the spread of all rows."
    )
    if len(found.alike) > _GROUPS:
        said += f" Of {len(found.alike):,} groups the largest {_GROUPS}:"
    rows = [(_first(group, found.vocabulary), f"{len(group):,}") for group in found.alike[:_GROUPS]]
    return listed(title, said, ("tokens", "rows"), rows, texts=1)


def asked_of(found: Health) -> str:
    """Draw what was asked besides: tokens that no residual writes, or none of some; as HTML.

    Examples
    --------
    >>> import unembed
    >>> asked_of(unembed.open_head("demo-bytes").examine())
    ''
    """
    parts = [_written(found), _reached(found)]
    return f'<div class="pair">{"".join(parts)}</div>' if any(parts) else ""


def fragments_of(found: Health, tool: str) -> str:
    """Give the place of the fragments' table, where there are any, as HTML.

    Examples
    --------
    >>> import unembed
    >>> fragments_of(unembed.open_head("demo-bytes").examine(), "")[:22]
    '<section id="fragments'
    """
    if not found.fragments:
        return ""
    return (
        '<section id="fragments" aria-labelledby="fragments-title" tabindex="-1">'
        '<h2 id="fragments-title">Fragments</h2><p class="note">Tokens that are no whole text, '
        "and how many characters each begins, completes or stands inside of. It lacks so many "
        "bytes to be whole; where nothing makes it whole it stands in no UTF-8.</p>\n"
        f"{tool}</section>"
    )


def _facts(found: Health) -> Iterator[str]:
    """Say what is odd, a fact each; nothing of what there is none of."""
    for count, said in (
        (len(found.unreachable_N), "no text encodes to {}"),
        (len(found.suspected_N), "{} look untrained"),
        (len(found.alike_N), "the rows of {} are nearly the same as others’"),
        (len(found.unwritable_N), "no residual writes {}"),
        (len(found.distant_N), "{} are never near the top with the residuals that were given"),
    ):
        if count:
            yield said.format(f"<b>{count:,}</b>")


def _card(oddity: str, count: int | None, small: str) -> tuple[str, str, str, str]:
    """Give the card of an oddity; it has a colour where there is any."""
    kind = f"odd-{oddity.replace(' ', '-')}" if count else ""
    return kind, oddity, "–" if count is None else f"{count:,}", small


def _groups(groups: Sequence[Sequence[int]]) -> str:
    """Say how many groups there are."""
    return f"in {counted(len(groups), 'group')}" if groups else ""


def _scripts(rows: Sequence[tuple[str, int]], scripts: Mapping[str, int], total: int) -> str:
    """Draw some scripts as a table with bars, as long as they are beside the first."""
    most = max(scripts.values())
    body = "".join(
        f'<tr><th scope="row">{harmless(name.replace("_", " "))}</th>'
        f'<td class="number">{count:,}</td><td class="number small">{share(count, total)}</td>'
        f'<td aria-hidden="true"><span class="track"><span style="width:{count / most:.1%}">'
        "</span></span></td></tr>"
        for name, count in rows
    )
    heads = (
        '<th scope="col">script</th><th scope="col" class="number">tokens</th>'
        '<th scope="col" class="number">share</th><td aria-hidden="true"></td>'
    )
    return f'<table class="bars"><thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table>'


def _covered(of: Coverage) -> str:
    """Draw how texts are written."""
    return shares((f"way-{way}", said, getattr(of, way)) for way, said in _WAYS.items())


def _first(ids: Sequence[int], vocabulary: Vocabulary) -> str:
    """Write the first tokens of some."""
    forms = [token_of(id_, vocabulary.token(id_), vocabulary)[2] for id_ in ids[:_TOKENS]]
    said = " ".join(forms)
    return said + (" …" if len(ids) > _TOKENS else "")


def _written(found: Health) -> str:
    """Say which tokens no residual writes, and how that was decided."""
    if found.winners is None:
        return ""
    tokens = counted(len(found.unwritable_N), "token")
    said = f"No residual whatever gives the largest logit to {tokens}."
    if found.winners.undecided:
        said += f" {found.winners.undecided:,} are undecided."
    heads = ("decided by", "some residual writes it", "none does")
    return listed("Never written", said, heads, _steps(found.winners), texts=1)


def _steps(winners: Winners) -> list[tuple[str, str, str]]:
    """Count what each step decided."""
    return [(name, f"{wins:,}", f"{loses:,}") for name, (wins, loses) in winners.counts().items()]


def _reached(found: Health) -> str:
    """Say which tokens came near the top with the residuals that were given."""
    asked = found.reached
    if asked is None:
        return ""
    never = len(found.distant_N)
    said = (
        f"Of {found.tokens:,} tokens, {found.tokens - never:,} are among the first {NEAR} with "
        f"one of {asked.positions:,} residuals, {never:,} never."
    )
    rows = [(kind, f"{count:,}") for kind, count in found.kinds(found.distant_N).items()]
    drawn = table_of(("never near the top", "tokens"), rows, texts=1) if rows else ""
    return f'<section><h2>Near the top</h2><p class="note">{said}</p>{drawn}</section>'
