"""The command audit."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .options import composes, console_of, opens_a_head, show

if TYPE_CHECKING:
    from ..geometry.audit.auditor import Auditor
    from ..geometry.audit.finding import Finding
    from ..geometry.audit.opening import AuditorSpec
    from ..geometry.records.record import Record
    from ..geometry.views.bars import Bars
    from ..geometry.views.report_file import ReportFile


class _Column(click.ParamType[tuple[str, str]]):
    """FIELD=NAME."""

    name = "FIELD=NAME"

    def convert(
        self, value: str, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, str]:
        """Divide at the first sign."""
        field, sign, column = value.partition("=")
        if not (field and sign and column):
            self.fail(f"{value!r} is not FIELD=NAME, as in concept=Name", param, ctx)
        return field, column


@click.command()
@opens_a_head
@click.argument("concepts", nargs=-1, required=True, metavar="CONCEPTS...")
@click.option(
    "-o",
    "--output",
    metavar="FILE",
    help="Write the findings to .parquet, .csv or .jsonl, the last two with .gz or .zst too.  "
    "[default: print a table]",
)
@click.option("--html", metavar="FILE", help="Write a report to search in a browser too.")
@click.option(
    "--region",
    metavar="WHAT",
    help="Ask for a token among these: emoji, words, a script, a file, a pattern.  "
    "[default: all tokens]",
)
@click.option(
    "--direction",
    metavar="NAME",
    help="What takes a concept into the region.  [default: emoji for emoji, else the region's own]",
)
@click.option(
    "--column",
    "columns",
    type=_Column(),
    multiple=True,
    help="Which column holds concept, id, forms or expected.  [default: those of these names]",
)
@click.option(
    "--format",
    "file_format",
    metavar="NAME",
    help="Of the lists: csv, tsv, jsonl, parquet or lines.  [default: by the ending]",
)
@click.option("--top", default=5, show_default=True, metavar="K", help="How many nearest tokens.")
@click.option(
    "--min-membership",
    type=float,
    default=0.05,
    show_default=True,
    metavar="SHARE",
    help="How deep in the region a phantom lies: as the row at this percentile.",
)
@click.option(
    "--min-p-token",
    type=float,
    default=0.5,
    show_default=True,
    metavar="P",
    help="From which p_token on a concept without a known form has a token.",
)
@click.option(
    "--residual-norm",
    metavar="N",
    type=float,
    help="The norm of a concept's residual: gives snaps a probability, and takes far longer.",
)
@click.option(
    "--with-model",
    is_flag=True,
    help="Ask the model beside the head for each concept too; takes far longer.",
)
@click.option("--resume", is_flag=True, help="Go on where an earlier run into FILE stopped.")
@click.option(
    "--device",
    default="cpu",
    show_default=True,
    metavar="NAME",
    help="What multiplies: cpu or cuda; the answers are the same.",
)
@click.option(
    "--cluster", metavar="ADDRESS", help="Run on the workers of a dask scheduler: tcp://HOST:PORT."
)
@composes
def audit(
    source: str,
    where: dict[str, Any],
    concepts: tuple[str, ...],
    output: str | None,
    html: str | None,
    columns: tuple[tuple[str, str], ...],
    file_format: str | None,
    resume: bool,
    cluster: str | None,
    **options: Any,
) -> None:
    """Say of each concept of a list whether the head has a token for it.

    CONCEPTS are files (CSV, TSV, JSONL, Parquet, or plain lines, gzip or zstd), - for stdin,
    emoji:all, emoji:all:LANGUAGE or unicode:SCRIPT. A concept is a word, a phrase or an expression.

    \b
    unembed audit demo emoji:all --region emoji -o emoji.parquet --html emoji.html
    unembed audit demo wishes.csv --column concept=Name --region emoji
    """  # noqa: D301 - click's mark for lines that are not wrapped
    if output is None and (resume or cluster is not None):
        raise click.UsageError("--resume and --cluster take a FILE: name it with -o")
    from ..geometry.audit.opening import AuditorSpec, default_direction
    from ..geometry.records.reading import read_all
    from ..geometry.views.bars import Bars
    from ..geometry.views.report_file import ReportFile

    if options["region"] is not None and options["direction"] is None:
        options["direction"] = default_direction(options["region"], concepts)
    spec = AuditorSpec(source, **where, options=tuple(options.items()))
    written = [name for name in (output, output and f"{output}.meta.json", html) if name]
    read = [*concepts, source, where["tokenizer"], options["directions"], options["region"]]
    _keep_apart(written, [name for name in read if name])
    records = read_all(concepts, columns=dict(columns), file_format=file_format)
    report = None if html is None else ReportFile.checked(html)
    with Bars() as bars:
        if output is None:
            _print(spec, records, report, bars)
        else:
            _write(spec, records, output, report, bars, resume=resume, cluster=cluster)


def _keep_apart(written: Sequence[str], read: Sequence[str]) -> None:
    """Refuse to write over what is read, or one file over another."""
    places: dict[Path, str] = {}
    for name in written:
        place = _place(name)
        over = places.get(place) or next((other for other in read if _place(other) == place), None)
        if over is not None:
            raise click.UsageError(f"{name} would be written over {over}; name another file")
        places[place] = name


def _place(name: str) -> Path:
    """Give the place of a file, whatever it is called."""
    try:
        return Path(name.removeprefix("file://")).resolve()
    except (OSError, ValueError, RuntimeError):  # no path, or links in a circle
        return Path(name)


def _print(
    spec: "AuditorSpec", records: "Iterable[Record]", report: "ReportFile | None", bars: "Bars"
) -> None:
    """Audit and print a line a record, and what they come to."""
    from ..geometry.runs.run import findings_in_chunks
    from ..geometry.views.audit_table import audit_table

    auditor, console = spec.open(progress=bars), console_of()
    counted = _Counted(auditor, report)

    def told() -> "Iterator[Finding]":
        for findings in findings_in_chunks(auditor, records, progress=bars):
            for finding in findings:
                counted.add(finding)
                yield finding

    for lines in audit_table(told(), auditor.vocabulary, width=console.width):
        console.print(lines, crop=False)
    console.print()
    counted.show()


def _write(
    spec: "AuditorSpec",
    records: "Iterable[Record]",
    output: str,
    report: "ReportFile | None",
    bars: "Bars",
    *,
    resume: bool,
    cluster: str | None,
) -> None:
    """Audit into a file, and print what the findings come to."""
    from ..geometry.runs.cluster import Cluster
    from ..geometry.runs.run import check_output, run

    # Workers may stand in another directory.
    elsewhere = replace(spec, directory=str(Path.cwd()))
    workers = None if cluster is None else Cluster(cluster, elsewhere)
    if workers is not None:
        workers.check()
    check_output(output, resume=resume)
    auditor = spec.open(progress=bars)
    counted = _Counted(auditor, report)
    run(auditor, records, output, resume=resume, cluster=workers, each=counted.add, progress=bars)
    counted.show()


class _Counted:
    """What the findings of an audit come to, and the report of them, if one is wanted."""

    def __init__(self, auditor: "Auditor", report: "ReportFile | None") -> None:
        from ..geometry.audit.summary import Tally

        self._auditor = auditor
        self._report = report
        self._tally = Tally()

    def add(self, finding: "Finding") -> None:
        """Count a finding, the next of its list."""
        self._tally.add(finding)
        if self._report is not None:
            self._report.add(finding)

    def show(self) -> None:
        """Print the summary, and write the report."""
        from ..geometry.views.audit_table import summary_table

        summary = self._tally.summary(self._auditor.terms)
        show(summary_table(summary))
        if self._report is not None:
            self._report.write(summary, self._auditor.terms, self._auditor.vocabulary)
