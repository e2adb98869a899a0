"""What is written lies in the cache, or where the user said."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from unembed.cli import main
from unembed.indexes.store import cache_directory

from .watched import watched

Make = Callable[..., Path]


def test_the_watch_sees_what_is_outside(tmp_path: Path) -> None:
    with watched(tmp_path) as changed:
        (tmp_path / "a").mkdir()
        np.save(tmp_path / "a" / "b.npy", np.ones(3))
    assert {tmp_path / "a", tmp_path / "a" / "b.npy"} <= changed
    for act in (
        lambda: (tmp_path / "c").write_text("c"),
        lambda: (tmp_path / "a" / "b.npy").rename(tmp_path / "d"),
        (tmp_path / "a").rmdir,
    ):
        with pytest.raises(AssertionError, match="PosixPath"), watched(tmp_path / "elsewhere"):
            act()


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (["near", "MODEL", "king"], None),
        (["near", "MODEL", "king", "--space", "causal"], None),
        (["similarity", "MODEL", "king", "sea"], None),
        (["export", "MODEL", "-o", "OUT.npy"], "OUT.npy"),
        (["export", "MODEL", "king", "sea + horse", "-o", "OUT.parquet"], "OUT.parquet"),
        (["info", "MODEL"], None),
        (["audit", "MODEL", "LIST", "-o", "OUT.csv"], "OUT.csv"),
        (["map", "MODEL", "--region", "words", "-o", "OUT.html"], "OUT.html"),
        (["lens", "MODEL", "--residuals", "RESIDUALS", "-o", "OUT.svg"], "OUT.svg"),
        (["cache"], None),
        (["cache", "--clear"], None),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_commands_write_in_the_cache_and_where_they_are_told(
    command: list[str],
    said: str | None,
    make_checkpoint: Make,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model = make_checkpoint()
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.chdir(home)
    concepts = tmp_path / "list.txt"
    concepts.write_text("king\nsea horse\n")
    residuals = tmp_path / "residuals.npy"
    np.save(residuals, np.ones((2, 3, 16), np.float32))
    names = {"MODEL": model, "LIST": concepts, "RESIDUALS": residuals}
    before = {path: path.stat().st_mtime_ns for path in model.iterdir()}
    allowed = [cache_directory().parent]
    if said is not None:
        out = tmp_path / "out"
        out.mkdir()
        names[said] = out / said
        # Matplotlib keeps the fonts that it has found.
        allowed += [out, home / ".config"]
    with watched(*allowed) as changed, pytest.raises(SystemExit) as stopped:
        main([str(names.get(word, word)) for word in command])
    assert stopped.value.code in {0, None}, stopped.value
    assert changed or command[0] == "cache"
    assert {path.name for path in home.iterdir()} <= {".config"}
    assert {path: path.stat().st_mtime_ns for path in model.iterdir()} == before
