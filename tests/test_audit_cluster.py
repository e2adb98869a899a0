"""A scheduler and workers in processes of their own: the same bytes, whoever dies or joins."""

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from unembed.errors import MissingExtraError, UsageError
from unembed.geometry.runs.cluster import Cluster

from .audited import Fake

TESTS = str(Path(__file__).parent)
DASK = (sys.executable, "-m", "dask")
DRIVE = """
import sys
from audited import Fake, records_of
from unembed.errors import UnembedError
from unembed.geometry.records import chunks
from unembed.geometry.runs import shards
from unembed.geometry.runs.cluster import Cluster
from unembed.geometry.runs.run import run

output, address, head, gate = sys.argv[1:]
chunks.CHUNK = 25
auditor = Fake(gate=gate)
cluster = Cluster(address, Fake(head, gate=gate)) if address else None
try:
    print(run(auditor, records_of(790), output, cluster=cluster, resume=True))
except UnembedError as error:
    sys.exit(f"{type(error).__name__}: {error}")
"""


class Processes:
    """Starts processes, and ends those that are left."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.started: list[subprocess.Popen[str]] = []
        self.environment = os.environ | {"PYTHONPATH": TESTS, "PYTHONUNBUFFERED": "1"}

    def start(self, *command: object) -> "subprocess.Popen[str]":
        with (self.directory / f"{len(self.started)}.log").open("w") as log:
            process = subprocess.Popen(
                [str(part) for part in command],
                stdout=log,
                stderr=log,
                text=True,
                env=self.environment,
                cwd=self.directory,
            )
        self.started.append(process)
        return process

    def said(self, process: "subprocess.Popen[str]") -> str:
        return (self.directory / f"{self.started.index(process)}.log").read_text()

    def wait(self, process: "subprocess.Popen[str]", is_so: Callable[[], object]) -> None:
        """Wait until something is so, while a process is running."""
        end = time.monotonic() + 30
        while not is_so():
            assert process.poll() is None, self.said(process)
            assert time.monotonic() < end, self.said(process)
            time.sleep(0.02)

    def worker(self, address: str) -> "subprocess.Popen[str]":
        return self.start(
            *(*DASK, "worker", address, "--no-nanny", "--nthreads", 1, "--no-dashboard"),
            *("--local-directory", self.directory),
        )

    def drive(
        self, output: Path, address: str = "", *, head: str = "none", gate: str = ""
    ) -> "subprocess.Popen[str]":
        return self.start(sys.executable, "-c", DRIVE, output, address, head, gate)


@pytest.fixture(scope="module")
def processes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Processes]:
    made = Processes(tmp_path_factory.mktemp("processes"))
    yield made
    for process in made.started:
        process.kill()
        process.wait()


@pytest.fixture(scope="module")
def address(processes: Processes) -> str:
    file = processes.directory / "scheduler.json"
    scheduler = processes.start(
        *(*DASK, "scheduler", "--host", "127.0.0.1", "--port", 0, "--no-dashboard"),
        *("--scheduler-file", file),
    )
    processes.wait(scheduler, lambda: file.exists() and file.read_text().endswith("}"))
    return str(json.loads(file.read_text())["address"])


def test_a_worker_dies_and_another_joins(
    processes: Processes, address: str, tmp_path: Path
) -> None:
    first, second = processes.worker(address), processes.worker(address)
    clean = processes.drive(tmp_path / "clean.parquet")
    gate = tmp_path / "gate"
    gate.mkdir()
    for worker in (first, second):
        processes.wait(worker, lambda worker=worker: "Registered to" in processes.said(worker))
    driver = processes.drive(tmp_path / "found.parquet", address, gate=str(gate))
    # Both are in the middle of a chunk: what begins at record 200 or later waits for the gate.
    for worker in (first, second):
        processes.wait(driver, lambda worker=worker: waiting(worker, gate))
    first.kill()
    third = processes.worker(address)
    processes.wait(third, lambda: "Registered to" in processes.said(third))
    (gate / "go").touch()
    assert driver.wait(30) == 0, processes.said(driver)
    assert "records=790, resumed=0)" in processes.said(driver)
    assert waiting(third, gate)
    assert clean.wait(30) == 0, processes.said(clean)
    assert (tmp_path / "found.parquet").read_bytes() == (tmp_path / "clean.parquet").read_bytes()
    assert sorted(path.name for path in tmp_path.glob("found*")) == ["found.parquet"]


def waiting(worker: "subprocess.Popen[str]", gate: Path) -> bool:
    """Tell whether a worker has begun a chunk that waits for the gate."""
    begun = [path.name for path in gate.glob(f"{worker.pid}-*")]
    return any(int(name.partition("-")[2]) >= 200 for name in begun)


def test_a_worker_with_another_head_or_no_sight_of_the_output_is_refused(
    processes: Processes, address: str, tmp_path: Path
) -> None:
    processes.worker(address)
    other = processes.drive(tmp_path / "found.parquet", address, head="another")
    apart = processes.start(
        *(sys.executable, "-c", DRIVE, "memory://apart/found.parquet", address, "none", "")
    )
    assert other.wait(30) == 1
    assert "UsageError: a worker failed: its head, its options" in processes.said(other)
    assert apart.wait(30) == 1
    assert "must lie on storage that all workers share" in processes.said(apart)
    assert sorted(path.name for path in tmp_path.iterdir()) == []


def test_a_scheduler_that_goes_is_one_error(processes: Processes, tmp_path: Path) -> None:
    file = tmp_path / "scheduler.json"
    scheduler = processes.start(
        *(*DASK, "scheduler", "--host", "127.0.0.1", "--port", 0, "--no-dashboard"),
        *("--scheduler-file", file),
    )
    processes.wait(scheduler, lambda: file.exists() and file.read_text().endswith("}"))
    driver = processes.drive(tmp_path / "found.csv", json.loads(file.read_text())["address"])
    processes.wait(driver, lambda: "has no workers yet; waiting for one" in processes.said(driver))
    scheduler.kill()
    assert driver.wait(30) == 1
    assert "UnembedError: the scheduler is gone" in processes.said(driver)
    assert "Traceback" not in processes.said(driver)


def test_a_scheduler_that_is_not_there_is_refused(processes: Processes, tmp_path: Path) -> None:
    driver = processes.drive(tmp_path / "found.csv", "tcp://127.0.0.1:1")
    assert driver.wait(30) == 1
    assert "UsageError: tcp://127.0.0.1:1: no scheduler answers" in processes.said(driver)
    assert "Traceback" not in processes.said(driver)


@pytest.mark.parametrize("address", ["", "host:8786", "inproc://x", "tcp://", "tcp://host:1 x"])
def test_an_address_that_is_none_is_refused(address: str) -> None:
    with pytest.raises(UsageError, match=re.escape(f"{address!r}: a scheduler's address is")):
        Cluster(address, Fake()).check()


def test_a_missing_library_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'unembed\[cluster\]'"):
        Cluster("tcp://127.0.0.1:8786", Fake()).check()
