"""The file of a report: what it will show is held, and written at the end."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

from ...errors import UsageError
from ..audit.finding import Finding
from ..audit.summary import Summary
from ..storage import LocalStorage, check_writable, reason_of
from ..tokens.vocabulary import Vocabulary
from .report import MOST_BYTES, MOST_FINDINGS, write_report

_LEAST, _PIECE = 1000, 50  # bytes of a finding in the page, and of each of its pieces


class ReportFile:
    """A page that is written once all findings are known; it holds the first 20,000.

    Parameters
    ----------
    path : Path
        Where it goes; what is there is replaced.

    Examples
    --------
    >>> import tempfile
    >>> ReportFile.checked(f"{tempfile.mkdtemp()}/report.html").path.name
    'report.html'
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._findings: list[Finding] = []
        self._size = 0

    @classmethod
    def checked(cls, name: str) -> Self:
        """Refuse a file that cannot be written, before the work.

        Raises
        ------
        UsageError
            Its directory is not there or cannot be written, or it is no regular file.
        """
        check_writable(name)
        return cls(Path(name))

    def add(self, finding: Finding) -> None:
        """Hold a finding, the next of its list, if there is room for it and was for all before."""
        self._size += _LEAST + len(finding.concept) + _PIECE * len(finding.token_ids)
        if len(self._findings) < MOST_FINDINGS and self._size <= MOST_BYTES:
            self._findings.append(finding)

    def write(self, summary: Summary, terms: Mapping[str, Any], vocabulary: Vocabulary) -> None:
        """Write the page.

        Raises
        ------
        UsageError
            The disk is full, or the like.
        """
        storage = LocalStorage()
        try:
            with storage.writing(str(self.path), beside=str(self.path.parent)) as file:
                write_report(self._findings, summary, terms, file, vocabulary=vocabulary)
        except OSError as error:
            raise UsageError(f"{self.path}: cannot be written: {reason_of(error)}") from error
