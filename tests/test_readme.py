"""The README as a new user would follow it: each command gives the output that is shown."""

import doctest
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from unembed import open_head
from unembed.geometry.heads.demo import DEMOS

pytestmark = pytest.mark.real
ROOT = Path(__file__).parent.parent
README = ROOT / "README.md"
BLOCKS = re.findall(r"```console\n\$ (.+)\n((?:.*\n)*?)```", README.read_text(encoding="utf-8"))


@pytest.fixture(scope="module", autouse=True)
def _demos() -> None:
    """Make both demos, so that no command reports the making."""
    for name in DEMOS:
        open_head(name)


def run(command: list[str]) -> str:
    binaries = str(Path(sys.executable).parent)
    environment = os.environ | {
        "PATH": binaries + os.pathsep + os.environ["PATH"],
        "COLUMNS": "100",
    }
    environment.pop("MAKEFLAGS", None)
    done = subprocess.run(
        command, capture_output=True, text=True, env=environment, cwd=ROOT, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    return "\n".join(line.rstrip() for line in done.stdout.rstrip().splitlines())


@pytest.mark.parametrize(("command", "shown"), BLOCKS, ids=[block[0] for block in BLOCKS])
def test_a_command_prints_what_is_shown(command: str, shown: str) -> None:
    assert run(shlex.split(command)) == shown.rstrip()


def test_there_are_commands() -> None:
    assert len(BLOCKS) >= 4


def test_the_python_session_is_real() -> None:
    session = "\n".join(re.findall(r"```pycon\n(.*?)```", README.read_text(encoding="utf-8"), re.S))
    test = doctest.DocTestParser().get_doctest(session, {}, "README", str(README), 0)
    assert len(test.examples) >= 5
    assert doctest.DocTestRunner().run(test).failed == 0


@pytest.mark.skipif(Path(sys.prefix) != ROOT / ".venv", reason="make demo would make .venv first")
def test_make_demo_asks_the_two_questions() -> None:
    shown = dict(BLOCKS)
    output = run(["make", "demo"])
    for command in list(shown)[:2]:
        assert command in output
        assert shown[command].rstrip() in output
