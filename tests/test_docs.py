"""The README and the docs as a new user would follow them: what is shown is what comes.

UNEMBED_WRITE_DOCS=1 pastes what comes instead.
"""

import doctest
import os
import re
import shlex
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest
from unembed import open_head
from unembed.cli import main
from unembed.geometry.demos.demo import DEMOS

pytestmark = pytest.mark.real
ROOT = Path(__file__).parent.parent
README = ROOT / "README.md"
PAGES = [README, *sorted((ROOT / "docs").glob("*.md"))]
BLOCK = re.compile(r"```console\n\$ (.+)\n((?:.*\n)*?)```")
BLOCKS = [
    (page, command, shown)
    for page in PAGES
    for command, shown in BLOCK.findall(page.read_text(encoding="utf-8"))
]
IN_README = {command for page, command, _ in BLOCKS if page == README}


@pytest.fixture(scope="module", autouse=True)
def _demos() -> None:
    """Make both demos and what the commands derive, so that none reports it."""
    for name in DEMOS:
        head = open_head(name)
        for space in ("logit", "cosine", "centred", "causal"):
            head.nearest("king", space=space)
        head.nearest("king", space="cosine", region="emoji", score="csls")
    open_head("demo").nearest("emoji(seahorse)")


@cache
def run(*command: str) -> str:
    """Run a command in a process of its own, once for all pages that show it."""
    binaries = str(Path(sys.executable).parent)
    environment = os.environ | {
        "PATH": binaries + os.pathsep + os.environ["PATH"],
        "COLUMNS": "100",
    }
    environment.pop("MAKEFLAGS", None)
    done = subprocess.run(
        command, capture_output=True, text=True, env=environment, cwd=ROOT, check=False
    )
    return printed_by(done.returncode, done.stdout, done.stderr)


def printed_by(code: object, out: str, err: str) -> str:
    """Give what a command prints, where its exit code is that of its reports."""
    reports = [line for line in err.splitlines() if "━" not in line]  # but for progress
    assert code == (2 if reports else 0), err
    printed = out + "\n".join(reports)
    return "\n".join(line.rstrip() for line in printed.rstrip().splitlines())


@pytest.mark.parametrize(
    ("page", "command", "shown"),
    BLOCKS,
    ids=[f"{page.stem}: {command}" for page, command, _ in BLOCKS],
)
def test_a_command_prints_what_is_shown(
    page: Path,
    command: str,
    shown: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Those of the README in processes of their own; others where all is loaded and compiled."""
    program, *arguments = shlex.split(command)
    if command in IN_README:
        printed = run(program, *arguments)
    else:
        assert program == "unembed"
        monkeypatch.chdir(ROOT)
        monkeypatch.setenv("COLUMNS", "100")
        with pytest.raises(SystemExit) as ended:
            main(arguments)
        printed = printed_by(ended.value.code, *capsys.readouterr())
    if "UNEMBED_WRITE_DOCS" in os.environ:
        text = page.read_text(encoding="utf-8")
        old, new = (f"```console\n$ {command}\n{out}```" for out in (shown, f"{printed}\n"))
        page.write_text(text.replace(old, new), encoding="utf-8")
        shown = printed
    assert printed == shown.rstrip()


def test_there_are_commands() -> None:
    assert len(BLOCKS) >= 12
    assert sum(page == README for page, _, _ in BLOCKS) >= 3


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_python_session_is_real(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    session = "\n".join(re.findall(r"```pycon\n(.*?)```", text, re.S))
    test = doctest.DocTestParser().get_doctest(session, {}, page.stem, str(page), 0)
    assert session.count(">>>") == len(test.examples)
    assert doctest.DocTestRunner().run(test).failed == 0


def test_links_between_pages_lead_somewhere() -> None:
    for page in PAGES:
        for link in re.findall(r"\]\(([^)#:]*)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
            assert not link or (page.parent / link).exists(), f"{page.name}: {link}"


@pytest.mark.skipif(Path(sys.prefix) != ROOT / ".venv", reason="make demo would make .venv first")
def test_make_demo_asks_the_two_questions() -> None:
    shown = {command: output for page, command, output in BLOCKS if page == README}
    output = run("make", "demo")
    for command in list(shown)[:2]:
        assert command in output
        assert shown[command].rstrip() in output
