"""Runs: cut, kept, gone on with; whatever happens in between, the output has the same bytes."""

import errno
import hashlib
import os
import re
import subprocess
import sys
import time
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest
from fsspec.implementations.memory import MemoryFileSystem
from unembed.errors import UnembedError, UsageError
from unembed.geometry.audit.finding import Finding
from unembed.geometry.records import chunks
from unembed.geometry.records.record import LONGEST, Record
from unembed.geometry.runs import shards
from unembed.geometry.runs.run import Written, check_output, findings_in_chunks, run
from unembed.geometry.runs.writing import ENDINGS
from unembed.geometry.views.bars import Bars

from .audited import Fake, finding_of, records_of

RECORDS = records_of(105)


@pytest.fixture(autouse=True)
def _short_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chunks, "CHUNK", 10)


@pytest.fixture
def undisturbed(tmp_path: Path) -> bytes:
    run(Fake(), RECORDS, str(tmp_path / "undisturbed.parquet"))
    return (tmp_path / "undisturbed.parquet").read_bytes()


def stopping(after: int, error: BaseException) -> Iterator[Record]:
    yield from RECORDS[:after]
    raise error


def stop(output: str, after: int = 55) -> Path:
    """Run until a record cannot be read; give the directory that is left."""
    with pytest.raises(UsageError):
        run(Fake(), stopping(after, UsageError("list.csv: damaged")), output)
    return Path(f"{output}.shards")


def names(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


def shard(directory: Path, number: int) -> Path:
    (found,) = directory.glob(f"{number:08}-*.parquet")
    return found


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_run_leaves_its_output_and_nothing_else(tmp_path: Path, ending: str) -> None:
    output = f"{tmp_path}/found{ending}"
    auditor, found = Fake(), list[Finding]()
    assert run(auditor, RECORDS, output, each=found.append) == Written(output, 105, 0)
    assert auditor.audited == [10] * 10 + [5]
    assert found == [finding_of(r, 5 if i >= 100 else 10) for i, r in enumerate(RECORDS)]
    meta = [] if ending == ".parquet" else [f"found{ending}.meta.json"]
    assert names(tmp_path) == [f"found{ending}", *meta]
    assert not Path(output).stat().st_mode & 0o111
    before = Path(output).read_bytes()
    run(Fake(), iter(RECORDS), output)  # what is there is replaced
    assert Path(output).read_bytes() == before


def test_an_empty_list_is_an_empty_output(tmp_path: Path) -> None:
    assert run(Fake(), [], f"{tmp_path}/found.csv") == Written(f"{tmp_path}/found.csv", 0, 0)
    assert (tmp_path / "found.csv").read_text().count("\n") == 1


def test_chunks_are_short_where_texts_are_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    long = Record("x" * LONGEST, forms=("y" * LONGEST,), expected="z" * LONGEST)
    sizes = [len(chunk.records) for chunk in chunks.chunks_of([long] * 1000 + records_of(5000))]
    assert sizes == [700, 4096, 1204]
    assert sum(sizes) == 6000


def test_a_stopped_run_is_gone_on_with(tmp_path: Path, undisturbed: bytes) -> None:
    output = f"{tmp_path}/found.parquet"
    stop(output)
    assert not Path(output).exists()
    auditor, found = Fake(), list[Finding]()
    assert run(auditor, RECORDS, output, resume=True, each=found.append) == Written(output, 105, 50)
    assert auditor.audited == [10] * 5 + [5]
    assert len(found) == 105
    assert Path(output).read_bytes() == undisturbed
    assert not Path(f"{output}.shards").exists()


def test_resume_where_nothing_is_kept_just_runs(tmp_path: Path, undisturbed: bytes) -> None:
    output = f"{tmp_path}/found.parquet"
    assert run(Fake(), RECORDS, output, resume=True).resumed == 0
    assert Path(output).read_bytes() == undisturbed


def test_what_an_earlier_run_has_kept_is_not_overwritten(tmp_path: Path) -> None:
    output = f"{tmp_path}/found.parquet"
    directory = stop(output)
    kept = sorted(path.name for path in directory.glob("*.parquet"))
    auditor = Fake()
    for refused in (lambda: run(auditor, RECORDS, output), lambda: check_output(output)):
        with pytest.raises(UsageError, match=r"holds what an earlier run has found; --resume goes"):
            refused()
    assert auditor.audited == []
    check_output(output, resume=True)
    assert sorted(path.name for path in directory.glob("*.parquet")) == kept


@pytest.mark.parametrize("damage", ["flip", "cut", "empty", "rubbish", "gone"])
def test_a_damaged_shard_is_made_again(
    tmp_path: Path, undisturbed: bytes, damage: str, caplog: pytest.LogCaptureFixture
) -> None:
    output = f"{tmp_path}/found.parquet"
    path = shard(stop(output), 2)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    kinds = {"flip": bytes(content), "cut": bytes(content[:-9]), "empty": b"", "rubbish": b"x" * 99}
    path.unlink()
    if damage in kinds:
        path.write_bytes(kinds[damage])
    auditor = Fake()
    assert run(auditor, RECORDS, output, resume=True).resumed == 40
    assert auditor.audited == [10] * 6 + [5]
    assert ("a shard is made again" in caplog.text) == (damage != "gone")
    assert Path(output).read_bytes() == undisturbed
    assert not Path(f"{output}.shards").exists()


def test_a_shard_of_the_right_name_that_is_no_table_of_findings_is_made_again(
    tmp_path: Path, undisturbed: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    output = f"{tmp_path}/found.parquet"
    directory = stop(output)
    shard(directory, 0).unlink()
    for content in (b"PAR1 and no more", b""):
        digest = hashlib.sha256(content).hexdigest()[:32]
        (directory / f"00000000-{digest}.parquet").write_bytes(content)
    assert run(Fake(), RECORDS, output, resume=True).resumed == 40
    assert "cannot be read" in caplog.text
    assert Path(output).read_bytes() == undisturbed


def test_a_shard_at_another_place_is_not_taken(
    tmp_path: Path, undisturbed: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    output = f"{tmp_path}/found.parquet"
    directory = stop(output)
    moved = shard(directory, 1)
    moved.rename(directory / moved.name.replace("00000001", "00000003"))
    auditor = Fake()
    assert run(auditor, RECORDS, output, resume=True).resumed == 40
    assert "chunk 3" not in caplog.text
    assert "00000003" not in caplog.text
    assert Path(output).read_bytes() == undisturbed


@pytest.mark.parametrize("other", ["records", "head", "version"])
def test_shards_of_another_audit_are_not_taken(
    tmp_path: Path, other: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    output, clean = f"{tmp_path}/found.parquet", f"{tmp_path}/clean.parquet"
    stop(output)
    records, auditor = RECORDS, Fake()
    if other == "records":
        records = [Record("first"), *RECORDS]
    elif other == "head":
        auditor = Fake("another")
    else:
        monkeypatch.setattr(shards, "__version__", "9.9")
    run(Fake(auditor.head), records, clean)
    assert run(auditor, records, output, resume=True).resumed == 0
    assert caplog.text.count("are of other records, another head or other options") == 1
    assert Path(output).read_bytes() == Path(clean).read_bytes()
    assert not Path(f"{output}.shards").exists()


def test_a_list_that_became_shorter_leaves_nothing_behind(tmp_path: Path) -> None:
    output, clean = f"{tmp_path}/found.jsonl", f"{tmp_path}/clean.jsonl"
    stop(output)
    run(Fake(), RECORDS[:20], clean)
    assert run(Fake(), RECORDS[:20], output, resume=True) == Written(output, 20, 20)
    assert Path(output).read_bytes() == Path(clean).read_bytes()
    assert not Path(f"{output}.shards").exists()


ERRORS = [
    (UsageError("list.csv: damaged"), UsageError, "list.csv: damaged"),
    (UnembedError("no room"), UnembedError, "no room"),
    (OSError(errno.ENOSPC, "No space left on device"), UnembedError, "No space left on device"),
    (MemoryError(), UnembedError, "the audit failed: MemoryError"),
    (RuntimeError("CUDA out of memory"), UnembedError, "the audit failed: CUDA out of memory"),
]


@pytest.mark.parametrize(("error", "kind", "message"), ERRORS)
@pytest.mark.parametrize("where", ["records", "auditor", "writing"])
def test_an_error_says_how_to_go_on(
    tmp_path: Path,
    undisturbed: bytes,
    where: str,
    error: Exception,
    kind: type[Exception],
    message: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    output, calls = f"{tmp_path}/found.parquet", 0

    def failing(*given: object) -> None:
        nonlocal calls
        calls += 1
        if calls > 5:
            raise error

    class Failing(Fake):
        def audit(self, records):  # type: ignore[no-untyped-def]
            failing()
            return super().audit(records)

    auditor = Failing() if where == "auditor" else Fake()
    records = stopping(55, error) if where == "records" else iter(RECORDS)
    with monkeypatch.context() as patched:
        if where == "writing":
            patched.setattr(os, "fsync", failing)
        with pytest.raises(kind, match=message) as raised:
            run(auditor, records, output)
    assert type(raised.value) is kind
    assert f"kept in {output}.shards, and --resume goes on" in str(raised.value)
    assert not list(tmp_path.rglob("*.part"))
    assert run(Fake(), RECORDS, output, resume=True).resumed > 0
    assert Path(output).read_bytes() == undisturbed


def test_a_disk_that_is_full_at_the_end_loses_nothing(
    tmp_path: Path, undisturbed: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    output = f"{tmp_path}/found.parquet"

    def full(source: object, target: object) -> None:
        if str(target) == output:
            raise OSError(errno.ENOSPC, "No space left on device")
        rename(source, target)  # type: ignore[arg-type]

    rename = os.replace
    with monkeypatch.context() as patched:
        patched.setattr(os, "replace", full)
        with pytest.raises(UnembedError, match=r"No space left on device.*--resume goes on"):
            run(Fake(), RECORDS, output)
    assert not Path(output).exists()
    auditor = Fake()
    assert run(auditor, RECORDS, output, resume=True).resumed == 105
    assert auditor.audited == []
    assert Path(output).read_bytes() == undisturbed


def test_an_error_before_any_record_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"^list\.csv: damaged$"):
        run(Fake(), stopping(0, UsageError("list.csv: damaged")), f"{tmp_path}/found.csv")
    assert names(tmp_path) == []


def test_what_was_read_before_damage_is_kept(tmp_path: Path, undisturbed: bytes) -> None:
    output, auditor = f"{tmp_path}/found.parquet", Fake()
    with pytest.raises(UsageError, match=r"^list\.csv: damaged; what was found is kept in "):
        run(auditor, stopping(5, UsageError("list.csv: damaged")), output)
    assert auditor.audited == [5]
    assert run(Fake(), RECORDS, output, resume=True).records == len(RECORDS)
    assert Path(output).read_bytes() == undisturbed


def test_an_interrupt_passes_and_keeps_what_there_is(tmp_path: Path, undisturbed: bytes) -> None:
    output = f"{tmp_path}/found.parquet"
    with pytest.raises(KeyboardInterrupt):
        run(Fake(), stopping(55, KeyboardInterrupt()), output)
    assert run(Fake(), RECORDS, output, resume=True).resumed == 50
    assert Path(output).read_bytes() == undisturbed


def test_an_output_that_cannot_be_written_is_refused_before_the_work(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "directory.csv").mkdir()
    (tmp_path / "taken.csv.shards").touch()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "linked.csv.shards").symlink_to(tmp_path / "elsewhere")
    for name in (
        *("no/such.csv", "file/found.csv", "directory.csv", "taken.csv", "linked.csv"),
        f"{'x' * 250}.csv",
    ):
        for refused in (
            lambda name=name: run(Fake(), stopping(0, AssertionError()), f"{tmp_path}/{name}"),
            lambda name=name: check_output(f"{tmp_path}/{name}"),
        ):
            with pytest.raises(UsageError, match=re.escape(name)):
                refused()
    assert names(tmp_path / "elsewhere") == []


def test_a_check_leaves_nothing(tmp_path: Path) -> None:
    check_output(f"{tmp_path}/found.csv")
    assert names(tmp_path) == []


HOLD = """
import sys, time
from pathlib import Path
from audited import Fake, records_of
from unembed.geometry.runs.run import run

def records():
    yield from records_of(5)
    Path(sys.argv[1], "ready").touch()
    while not Path(sys.argv[1], "go").exists():
        time.sleep(0.01)

run(Fake(), records(), sys.argv[1] + "/found.csv")
"""


def test_a_second_run_into_one_output_is_refused(tmp_path: Path) -> None:
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parent)}
    with subprocess.Popen([sys.executable, "-c", HOLD, tmp_path], env=environment) as process:
        while not (tmp_path / "ready").exists() and process.poll() is None:
            time.sleep(0.01)
        for resume in (False, True):
            with pytest.raises(UsageError, match="another run is writing it"):
                run(Fake(), RECORDS, f"{tmp_path}/found.csv", resume=resume)
        (tmp_path / "go").touch()
    assert process.returncode == 0
    assert names(tmp_path) == ["found.csv", "found.csv.meta.json", "go", "ready"]


def test_foreign_files_among_the_shards_stay(tmp_path: Path) -> None:
    output = f"{tmp_path}/found.parquet"
    directory = stop(output)
    (directory / "notes.txt").write_text("mine")
    run(Fake(), RECORDS, output, resume=True)
    assert names(directory) == ["notes.txt"]


@pytest.mark.parametrize("ending", ENDINGS)
def test_remote_storage_gets_the_same_bytes(tmp_path: Path, ending: str) -> None:
    output, remote = f"{tmp_path}/found{ending}", f"memory://audits/found{ending}"
    run(Fake(), RECORDS, output)
    stop(remote)
    assert run(Fake(), RECORDS, remote, resume=True).resumed == 50
    storage = MemoryFileSystem()
    assert storage.cat(f"/audits/found{ending}") == Path(output).read_bytes()
    assert all(f"found{ending}" in path.split("/")[-1] for path in storage.find("/audits"))
    storage.rm("/audits", recursive=True)


def test_a_file_by_its_address_gets_the_same_bytes(tmp_path: Path, undisturbed: bytes) -> None:
    remote = f"file://{tmp_path}/remote/found.parquet"
    with pytest.raises(UsageError, match="cannot be written: No such file"):
        run(Fake(), RECORDS, remote)
    (tmp_path / "remote").mkdir()
    stop(remote)
    assert run(Fake(), RECORDS, remote, resume=True).resumed == 50
    assert (tmp_path / "remote" / "found.parquet").read_bytes() == undisturbed
    assert names(tmp_path / "remote") == ["found.parquet"]


def test_remote_storage_that_fails_is_one_error(monkeypatch: pytest.MonkeyPatch) -> None:
    class Denied(Exception):
        """As drivers have their own."""

    def denied(*given: object, **options: object) -> None:
        raise Denied("no such key,\nno such right")

    monkeypatch.setattr(MemoryFileSystem, "open", denied)
    with pytest.raises(UsageError, match="cannot be written: no such key, no such right"):
        check_output("memory://audits/found.csv")


def test_progress_is_told_in_records(tmp_path: Path) -> None:
    told: list[tuple[str, int, int]] = []
    run(Fake(), RECORDS, f"{tmp_path}/found.csv", progress=lambda *given: told.append(given))
    assert told[:2] == [("auditing", 10, 0), ("auditing", 20, 0)]
    assert told[10:13] == [("auditing", 105, 0), ("auditing", 105, 105), ("writing", 10, 105)]
    assert told[-1] == ("writing", 105, 105)


def test_a_bar_counts_where_the_total_is_not_known(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("unembed.geometry.views.bars._MOMENT", 0)
    with Bars() as bars:
        bars("auditing", 4096, 0)
    assert capsys.readouterr().err.startswith("auditing 4,096 ")
    with Bars() as bars:
        bars("auditing", 4096, 0)
        bars("auditing", 8192, 8192)
    assert "100%" in capsys.readouterr().err


def test_terms_that_json_cannot_hold_are_refused_before_the_work(tmp_path: Path) -> None:
    class Bad(Fake):
        @property
        def terms(self) -> dict[str, object]:
            return {"threshold": float("nan")}

    with pytest.raises(ValueError, match="JSON"):
        run(Bad(), stopping(0, AssertionError()), f"{tmp_path}/found.csv")
    assert names(tmp_path) == []


def test_memory_does_not_grow_with_the_list(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chunks, "CHUNK", 200)

    def peak(count: int) -> int:
        records = (Record(f"concept {i}", str(i)) for i in range(count))
        tracemalloc.start()
        try:
            run(Fake(), records, f"{tmp_path}/found.csv", each=str)
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    peak(200)  # what is imported and kept once
    assert peak(8000) < 1.3 * peak(1000) + 100_000


def test_without_an_output_findings_come_chunk_by_chunk() -> None:
    told: list[tuple[str, int, int]] = []
    chunks = findings_in_chunks(Fake(), iter(RECORDS), progress=lambda *given: told.append(given))
    assert [len(findings) for findings in chunks] == [10] * 10 + [5]
    assert told[-1] == ("auditing", 105, 0)


def test_what_came_before_damage_is_given_first() -> None:
    chunks = findings_in_chunks(Fake(), stopping(25, UsageError("list.csv: damaged")))
    assert [len(next(chunks)) for _ in range(3)] == [10, 10, 5]
    with pytest.raises(UsageError, match=r"^list\.csv: damaged$"):
        next(chunks)
