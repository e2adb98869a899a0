"""An audit as one page of HTML that needs nothing but itself."""

from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import Any, BinaryIO

from ..audit.finding import Finding
from ..audit.summary import Summary
from ..tokens.vocabulary import Vocabulary, display
from .html import data_of, filled, framed
from .page_parts import FOOTER, table_tool, token_of
from .report_parts import (
    bar_of,
    calibration_of,
    cards_of,
    lede_of,
    lists_of,
    terms_of,
    title_of,
)

MOST_FINDINGS = 20_000
MOST_BYTES = 64 << 20  # of findings
# Fields that are shown as they are, where they are not None.
_PLAIN = (
    *("fragments", "shared", "snap_logit", "snap_probability", "gap_degrees", "gap_logit"),
    *("membership", "p_token"),
)
_TEXTS = ("concept", "id", "source", "verdict", "by", "message", "form")


def write_report(
    findings: Iterable[Finding],
    summary: Summary,
    terms: Mapping[str, Any],
    file: BinaryIO,
    *,
    vocabulary: Vocabulary,
) -> int:
    r"""Write a page that shows, searches, filters and sorts what an audit found.

    The page asks nothing of a network: its style and its one script stand in it, and a policy lets
    no other run. Texts are written so that they harm nothing: controls and marks of direction as
    escapes, and as text wherever they stand. The same audit gives the same bytes.

    Parameters
    ----------
    findings : iterable of Finding
        In the list's order. The first 20,000 are held, fewer where they fill 64 MiB, and the page
        says so; the others are not asked for.
    summary : Summary
        Of all findings.
    terms : mapping
        What the audit was made with, of values that JSON has.
    file : binary file
        Where the page goes, in UTF-8.
    vocabulary : Vocabulary
        Tells fragments, and writes pieces so that they can be read.

    Returns
    -------
    int
        How many findings it holds.

    Examples
    --------
    >>> import io
    >>> import unembed
    >>> from ..audit.summary import Tally
    >>> page, tally = io.BytesIO(), Tally()
    >>> found = Finding("</script>", verdict="multi_token")
    >>> tally.add(found)
    >>> vocabulary = unembed.open_head("demo").vocabulary
    >>> write_report([found], tally.summary({}), {}, page, vocabulary=vocabulary)
    1
    >>> page.getvalue().count(b"</script>")
    2
    """
    page, values = framed(
        "report.html",
        styles=("page.css", "report.css"),
        scripts=("dom.js", "table.js", "report.js"),
    )
    values |= {
        "footer": FOOTER,
        "title": title_of(terms),
        "table": table_tool(
            kind="findings",
            sought="concept, token, nearest",
            chips="Verdicts shown",
            caption="Concepts; the buttons at the heads of columns sort them, the button of a row "
            "shows all of it",
            choice="source",
        ),
        "lede": lede_of(summary),
        "bar": bar_of(summary),
        "cards": cards_of(summary),
        "lists": lists_of(summary),
        "calibration": calibration_of(summary.calibration),
        "terms": terms_of(terms),
    }
    before, after = page.split("{{data}}")
    file.write(filled(before, values))
    file.write(f'{{"records":{summary.records},"findings":['.encode())
    held = 0
    for held, line in enumerate(_held(findings, vocabulary), start=1):
        file.write(b",\n" * (held > 1) + line)
    file.write(b"]}")
    file.write(filled(after, values))
    return held


def _held(findings: Iterable[Finding], vocabulary: Vocabulary) -> Iterator[bytes]:
    """Give the JSON of the findings that a page has room for."""
    room = MOST_BYTES
    for finding in islice(findings, MOST_FINDINGS):
        escaped = data_of(_object(finding, vocabulary))
        room -= len(escaped)
        if room < 0:
            return
        yield escaped


def _object(finding: Finding, vocabulary: Vocabulary) -> dict[str, Any]:
    """Give what a page shows of a finding; what there is none of is left out."""
    found: dict[str, Any] = {}
    for name in _TEXTS:
        value = getattr(finding, name)
        if value is not None:
            found[name] = display(value)
    found |= {name: value for name in _PLAIN if (value := getattr(finding, name)) is not None}
    if finding.token_ids:
        found["pieces"] = [
            [*token_of(id_, token, vocabulary), int(vocabulary.text(id_) is not None)]
            for id_, token in zip(finding.token_ids, finding.tokens, strict=True)
        ]
    if finding.siblings:
        found["siblings"] = [display(one) for one in finding.siblings]
    if finding.nearest:
        found["nearest"] = [
            [*token_of(near.id, near.token, vocabulary), near.score] for near in finding.nearest
        ]
    if finding.snap_id is not None:
        found["snap"] = token_of(finding.snap_id, finding.snap_token or "", vocabulary)
    return found
