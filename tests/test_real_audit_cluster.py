"""The command line on a cluster, with a real head: the same bytes as here."""

import subprocess
import sys
from pathlib import Path

import pytest

from .test_audit_cluster import Processes, address, processes  # noqa: F401 - fixtures

pytestmark = pytest.mark.real
LISTS = ("emoji:all", "unicode:latin")  # two chunks
UNEMBED = (sys.executable, "-c", "from unembed.cli import main; main()")


def audit(directory: Path, output: str, *options: str) -> str:
    command = [*UNEMBED, "audit", "demo-bytes", *LISTS, "-o", output, *options]
    done = subprocess.run(command, capture_output=True, text=True, cwd=directory, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_cluster_gives_the_same_bytes(
    processes: Processes,  # noqa: F811
    address: str,  # noqa: F811
    tmp_path: Path,
) -> None:
    workers = [processes.worker(address) for _ in range(2)]
    for worker in workers:
        processes.wait(worker, lambda worker=worker: "Registered to" in processes.said(worker))
    here = audit(tmp_path, "here.parquet")
    there = audit(tmp_path, "there.parquet", "--cluster", address)
    assert here == there
    assert (tmp_path / "here.parquet").read_bytes() == (tmp_path / "there.parquet").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["here.parquet", "there.parquet"]
