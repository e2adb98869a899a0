"""An auditor that needs no head, for tests of what is around it; processes of their own import it.

Imported relatively by tests, by its name where this directory is on a process's path.
"""

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from unembed.geometry.audit.finding import VERDICTS, Finding, NearToken
from unembed.geometry.records.record import Record


@dataclass(frozen=True)
class Fake:
    """Finds what depends on each record and on how many are beside it; is a spec of itself."""

    head: str = "none"
    seconds: float = 0.0  # that a chunk takes
    gate: str = ""  # a directory: who audits what is told in it, and most waits for its file go
    audited: list[int] = field(default_factory=list, compare=False)

    @property
    def terms(self) -> dict[str, Any]:
        return {"head": self.head, "threshold": 0.05}

    def open(self) -> "Fake":
        return self

    def audit(self, records: Sequence[Record]) -> list[Finding]:
        time.sleep(self.seconds)
        if self.gate:
            gate = Path(self.gate)
            (gate / f"{os.getpid()}-{records[0].id}").touch()
            while int(records[0].id or 0) >= 200 and not (gate / "go").exists():
                time.sleep(0.01)
        self.audited.append(len(records))
        return [finding_of(record, len(records)) for record in records]


def finding_of(record: Record, beside: int) -> Finding:
    """Make up a finding with every field."""
    size = len(record.concept)
    verdict = VERDICTS[size % len(VERDICTS)]
    return Finding(
        record.concept,
        record.id,
        record.source,
        verdict,
        by="form" if verdict == "single_token" else None,
        message="no" if verdict == "error" else None,
        form=record.forms[0] if record.forms else None,
        token_ids=tuple(range(size % 4)),
        tokens=tuple("abc"[: size % 4]),
        fragments=size % 3,
        shared=None if size % 2 else 1,
        siblings=("🐠", "🐴"),
        nearest=tuple(NearToken(i, f"▁{i}", f" {i}" if i else None, 1 / (i + 3)) for i in range(3)),
        snap_id=size,
        snap_token="▁sea",  # noqa: S106
        snap_text=" sea",
        snap_logit=size / 7,
        snap_probability=None,
        gap_degrees=size / 3,
        gap_logit=beside / 3,
        membership=-size / 9,
        p_token=None if size % 2 else 1 / (size + 1),
    )


def records_of(count: int) -> list[Record]:
    """Make records that differ."""
    return [Record(f"concept {'x' * (i % 11)}", str(i), forms=("🐴",)) for i in range(count)]
