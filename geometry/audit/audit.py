"""An audit in memory: the findings of a list, and what they come to."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Unpack

from ..answer import SCHEMA
from ..frames import pandas_of
from ..heads.unembedding import Unembedding
from ..records.chunks import chunks_of
from ..records.reading import concepts_of
from ..records.record import Record
from .finding import Finding
from .opening import open_auditor
from .settings import AuditOptions
from .summary import Summary, Tally
from .tables import table_of

if TYPE_CHECKING:
    import pandas
    import pyarrow


@dataclass(frozen=True, repr=False)
class Audit:
    """Which concepts of a list have a token.

    Attributes
    ----------
    findings : tuple of Finding
        One for each record, in their order.
    summary : Summary
        What they come to.
    terms : mapping
        What the audit was made with: settings, thresholds, calibration.

    Examples
    --------
    >>> import unembed
    >>> unembed.open_head("demo").audit(["octopus", "sea + horse"], region="emoji")
    Audit(2 records: 1 single_token, 1 phantom)
    """

    findings: tuple[Finding, ...]
    summary: Summary
    terms: Mapping[str, Any]

    def to_dict(self) -> dict[str, Any]:
        """Give all of it as an object of JSON."""
        return {
            "schema": SCHEMA,
            "terms": dict(self.terms),
            "findings": [asdict(finding) for finding in self.findings],
        }

    def to_arrow(self) -> "pyarrow.Table":
        """Give the findings as an Arrow table, a row each."""
        return table_of(self.findings)

    def to_pandas(self) -> "pandas.DataFrame":
        """Give the findings as a data frame, a row each.

        Raises
        ------
        MissingExtraError
            pandas is not installed.
        """
        return pandas_of([asdict(finding) for finding in self.findings])

    def __repr__(self) -> str:
        """Count the records and those of each verdict."""
        return f"Audit({repr(self.summary).removeprefix('Summary(')}"

    def _repr_html_(self) -> str:
        """Draw the summary for a notebook; every text is escaped."""
        return self.summary._repr_html_()


def audit(
    head: Unembedding,
    concepts: Iterable[str | Record | Mapping[str, object]],
    **options: Unpack[AuditOptions],
) -> Audit:
    """Say of each concept whether a head has a token for it, and if not, what becomes of it.

    Parameters
    ----------
    head : Unembedding
        Whose tokens.
    concepts : iterable of str, Record or mapping
        As `concepts_of` takes them.
    **options
        As in `AuditOptions`.

    Raises
    ------
    UsageError
        An option is wrong. What is wrong with one concept is its finding.

    Examples
    --------
    >>> import unembed
    >>> found = audit(unembed.open_head("demo"), ["octopus", "sea +"], region="emoji")
    >>> [finding.verdict for finding in found.findings]
    ['single_token', 'error']
    """
    records = concepts_of(concepts)
    auditor, tally, findings = open_auditor(head, **options), Tally(), []
    for chunk in chunks_of(records):
        for finding in auditor.audit(chunk.records):
            tally.add(finding)
            findings.append(finding)
    return Audit(tuple(findings), tally.summary(auditor.terms), auditor.terms)
