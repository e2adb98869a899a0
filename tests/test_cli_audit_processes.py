"""The command audit in processes of its own: a full disk, a reader that goes away, an interrupt."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from unembed import open_head
from unembed.cli import main
from unembed.geometry.records import chunks

from .named import cache_in, named, write_named

CHUNK = 1024  # records that are kept together
COMMAND = f"""
from unembed.cli import main
from unembed.geometry.records import chunks

chunks.CHUNK = {CHUNK}
main()
"""


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Give a checkpoint of which all that an audit needs has been derived once."""
    directory = tmp_path_factory.mktemp("processes")
    with cache_in(directory):
        write_named(directory / "head")
        open_head(directory / "head").audit(["king"], region="emoji")
        yield directory


def started(directory: Path, *arguments: str, **options: Any) -> "subprocess.Popen[bytes]":
    environment = os.environ | {"XDG_CACHE_HOME": str(directory / "cache"), "COLUMNS": "100"}
    return subprocess.Popen(
        [sys.executable, "-c", COMMAND, "audit", "./head", *arguments],
        cwd=directory,
        env=environment,
        stderr=subprocess.PIPE,
        **options,
    )


def ended(directory: Path, *arguments: str) -> None:
    """Let a run in a process of its own come to its end."""
    with started(directory, *arguments, stdout=subprocess.PIPE) as running:
        out, err = running.communicate(timeout=120)
    assert running.returncode == 0, err
    assert b"records: " in out


def long_list(path: Path, count: int) -> str:
    words = [*named().values(), "king", "sea + queen", "sea +", "kingly"]
    lines = (f"{words[place % len(words)]}{place % 7 or ''}\n" for place in range(count))
    path.write_text("".join(lines), encoding="utf-8")
    return str(path)


def test_a_full_disk_behind_stdout_is_one_line(directory: Path, tmp_path: Path) -> None:
    listed = long_list(tmp_path / "short.txt", 9)
    with (
        Path("/dev/full").open("wb") as full,
        started(directory, listed, "--region", "emoji", stdout=full) as running,
    ):
        _, err = running.communicate(timeout=120)
    assert running.returncode == 1
    assert err.startswith(b"unembed: [Errno 28] No space left on device")
    assert b"Traceback" not in err


def test_a_reader_that_goes_away_is_no_error(directory: Path, tmp_path: Path) -> None:
    listed = tmp_path / "long.txt"
    listed.write_text("king\n" * (CHUNK + 900), encoding="utf-8")
    with started(directory, str(listed), stdout=subprocess.PIPE) as running:
        assert running.stdout is not None
        assert running.stderr is not None
        assert running.stdout.readline().startswith(b"concept")
        running.stdout.close()
        err = running.stderr.read()
    assert b"Traceback" not in err
    assert b"unembed:" not in err  # what progress there was may be there


def ended_here(directory: Path, *arguments: str) -> None:
    """Let a run in this process, where its loops are compiled already, come to its end."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(chunks, "CHUNK", CHUNK)
        patched.setenv("XDG_CACHE_HOME", str(directory / "cache"))
        patched.chdir(directory)
        with pytest.raises(SystemExit) as end:
            main(["audit", "./head", *arguments])
    assert end.value.code == 0


def test_an_interrupted_run_goes_on_to_the_same_bytes(directory: Path, tmp_path: Path) -> None:
    listed = long_list(tmp_path / "long.txt", 2 * CHUNK + 300)
    whole, path, shards = (
        tmp_path / name for name in ("whole.csv", "found.csv", "found.csv.shards")
    )
    options = [listed, "--region", "emoji", "-o"]
    ended_here(directory, *options, str(whole))
    with started(directory, *options, str(path), stdout=subprocess.DEVNULL) as running:
        while running.poll() is None and not list(shards.glob("*.parquet")):
            time.sleep(0.01)
        running.send_signal(signal.SIGINT)
        assert running.stderr is not None
        err = running.stderr.read()
    assert (running.returncode, b"Traceback" in err) == (130, False)
    assert not path.exists()
    assert 1 <= len(list(shards.glob("*.parquet"))) <= 2
    ended(directory, *options, str(path), "--resume")
    assert path.read_bytes() == whole.read_bytes()
    beside = [Path(f"{one}.meta.json").read_bytes() for one in (whole, path)]
    assert beside[0] == beside[1]
    assert not shards.exists()
