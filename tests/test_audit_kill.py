"""Killed at any instant, a run that is begun again ends with the bytes of an undisturbed one."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

SCRIPT = Path(__file__).parent / "killed.py"


def killed(how: str, directory: Path, ending: str) -> Any:
    done = subprocess.run(
        [sys.executable, SCRIPT, how, directory, ending],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("ending", [".parquet", ".csv.gz"])
def test_killed_at_every_call_that_changes_the_disk(tmp_path: Path, ending: str) -> None:
    found = killed("everywhere", tmp_path, ending)
    assert found["killed"] > 40
    assert found["same"] == found["ended"] == found["killed"]
    assert_nothing_else_is_left(found["left"], ending)


def test_killed_fifty_times_at_random_moments(tmp_path: Path) -> None:
    found = killed("randomly", tmp_path, ".parquet")
    assert found["killed"] >= 50
    assert found["same"] == found["ended"] > 0
    assert_nothing_else_is_left(found["left"], ".parquet")


def assert_nothing_else_is_left(left: list[str], ending: str) -> None:
    endings = [ending] if ending == ".parquet" else [ending, f"{ending}.meta.json"]
    assert left == [f"{name}{ending}" for name in ("clean", "found") for ending in endings]
