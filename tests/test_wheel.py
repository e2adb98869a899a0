"""The wheel, built and run in an environment that has only what the wheel asks for."""

import os
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

pytestmark = pytest.mark.wheel
ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build from a copy, since a build leaves its folders in the tree."""
    import shutil

    source, built = (tmp_path_factory.mktemp(name) for name in ("source", "built"))
    ignored = shutil.ignore_patterns(".venv", ".git", "build", "*.egg-info", ".*_cache")
    shutil.copytree(ROOT, source, ignore=ignored, dirs_exist_ok=True)
    pip = [sys.executable, "-m", "pip", "--quiet", "wheel", "--no-deps", "--wheel-dir"]
    subprocess.run([*pip, built, source], check=True)
    (path,) = built.glob("*.whl")
    return path


def test_the_wheel_holds_the_package_and_nothing_else(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    package = {name for name in names if name.startswith("unembed/")}
    tree = {
        str(path.relative_to(ROOT))
        for top in ("geometry", "indexes", "commands", "explorer")
        for path in (ROOT / top).rglob("*.py")
    } | {
        *("__init__.py", "cli.py", "errors.py", "py.typed"),
        "geometry/concepts/directions.toml",
        *(f"geometry/views/page.{kind}" for kind in ("css", "html")),
        *(f"geometry/views/table.{kind}" for kind in ("html", "js")),
        *(f"geometry/views/report.{kind}" for kind in ("css", "html", "js")),
        *(f"geometry/views/vocab.{kind}" for kind in ("css", "html", "js")),
        *(f"geometry/views/map.{kind}" for kind in ("css", "html")),
        *(f"geometry/views/lens.{kind}" for kind in ("css", "html")),
        *(f"geometry/views/{name}.js" for name in ("dom", "lens_page")),
        *(
            str(path.relative_to(ROOT))
            for path in (ROOT / "explorer" / "static").iterdir()
            if path.suffix in {".css", ".html", ".js"}
        ),
        *(f"geometry/views/map_{part}.js" for part in ("data", "draw", "page", "talk")),
    }
    assert package == {f"unembed/{name}" for name in tree}
    rest = [name for name in names if name not in package]
    assert all(".dist-info/" in name for name in rest)
    assert any(name.endswith("licenses/LICENSE") for name in rest)


def test_the_wheel_runs_where_only_its_own_needs_are_installed(
    wheel: Path, tmp_path: Path, make_checkpoint: Callable[..., Path]
) -> None:
    venv = tmp_path / "venv"
    subprocess.run([sys.executable, "-m", "venv", venv], check=True)
    pip = [
        venv / "bin" / "python",
        "-m",
        "pip",
        "--quiet",
        "install",
        "-c",
        ROOT / "constraints.txt",
    ]
    subprocess.run([*pip, wheel], check=True)
    command = [venv / "bin" / "unembed"]
    environment = {"PATH": os.environ["PATH"], "XDG_CACHE_HOME": str(tmp_path / "cache")}

    def run(*arguments: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [*command, *arguments],
            capture_output=True,
            text=True,
            env=environment,
            cwd=tmp_path,
            check=False,
        )

    assert run("--version").stdout.startswith("unembed ")
    answer = run("near", str(make_checkpoint()), "king - man + woman", "--space", "logit")
    assert "▁queen" in answer.stdout
    assert answer.stderr == ""
    unserved = run("serve", str(tmp_path), "--port", "0")
    assert unserved.returncode == 1
    assert unserved.stderr == (
        "unembed: the explorer (starlette, uvicorn) needs an optional dependency: "
        "pip install 'unembed[web]'\n"
    )
    missing = run("near", "demo", "king")
    assert missing.returncode == 1
    assert missing.stderr == (
        "unembed: the model 'demo' needs an optional dependency: pip install 'unembed[demo]'\n"
    )
