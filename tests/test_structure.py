"""The house: who may import whom, what is public, what a warm path loads."""

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest
import unembed

ROOT = Path(__file__).parent.parent
# One chain: a file may import what stands on its own level or before it.
LEVELS = [
    ("errors",),
    ("geometry.storage", "geometry.endings"),
    ("indexes",),
    ("geometry.remote",),
    ("geometry.demos", "geometry.tokens"),
    ("geometry.formats",),
    ("geometry.heads",),
    ("geometry.covariance",),
    ("geometry.space", "geometry.region"),
    ("geometry.model",),
    ("geometry.concepts",),
    ("geometry.records",),
    ("geometry.frames",),
    ("geometry.answer", "geometry.sampler", "geometry.info", "geometry.hubness", "geometry.method"),
    ("geometry.analogy",),
    ("geometry.search",),
    ("geometry.neighbours",),
    ("geometry.similarities", "geometry.exporting"),
    ("geometry.evaluation",),
    ("geometry.audit",),
    ("geometry.runs",),
    ("geometry.projection",),
    ("geometry.explaining",),
    ("geometry.comparing",),
    ("geometry.lens",),
    ("geometry.examining",),
    ("geometry.views",),
    ("explorer",),
    ("geometry.head_vectors",),
    ("geometry.head",),
    ("geometry.open_head",),
    ("commands",),
    ("cli",),
]
SOURCES = [
    ROOT / "cli.py",
    ROOT / "errors.py",
    *(
        path
        for top in ("geometry", "indexes", "commands", "explorer")
        for path in sorted((ROOT / top).rglob("*.py"))
        if path.name != "__init__.py"
    ),
]


def module_of(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts)


def level_of(module: str) -> int:
    return next(
        level
        for level, rooms in enumerate(LEVELS)
        if any(module == room or module.startswith(f"{room}.") for room in rooms)
    )


def imports_of(path: Path) -> set[str]:
    """Every module of ours that a file imports, at its top or inside a function."""
    package = list(path.relative_to(ROOT).parent.parts)
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.level:
            base = package[: len(package) - node.level + 1]
            if node.module:
                found.add(".".join([*base, node.module]))
            else:
                found.update(".".join([*base, alias.name]) for alias in node.names)
        elif isinstance(node, ast.ImportFrom | ast.Import):
            names = (
                [node.module] if isinstance(node, ast.ImportFrom) else [a.name for a in node.names]
            )
            assert not any(str(name).startswith("unembed") for name in names), path
    return found - {"__version__"}


def test_there_are_sources() -> None:
    assert len(SOURCES) > 15
    assert "indexes.progress" in imports_of(ROOT / "geometry/demos/gemma.py")


@pytest.mark.parametrize("path", SOURCES, ids=module_of)
def test_imports_follow_the_chain(path: Path) -> None:
    own = level_of(module_of(path))
    for module in imports_of(path):
        assert level_of(module) <= own, f"{module_of(path)} imports {module}"
        assert module != "cli"


@pytest.mark.parametrize("path", SOURCES, ids=module_of)
def test_a_file_fits_in_the_head(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= 400


def test_only_the_command_line_exits_or_knows_click() -> None:
    for path in SOURCES:
        text = path.read_text()
        assert path.name == "cli.py" or "sys.exit" not in text
        if path.name != "cli.py" and path.parent.name != "commands":
            assert "import click" not in text


def test_packages_are_all_listed() -> None:
    setuptools = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
    tree = {
        ".".join(["unembed", *path.parent.relative_to(ROOT).parts])
        for top in ("geometry", "indexes", "commands", "explorer")
        for path in (ROOT / top).rglob("__init__.py")
    }
    assert set(setuptools["packages"]) == tree | {"unembed"}


def test_public_names_are_pinned_and_load() -> None:
    assert unembed.__all__ == [
        "Concept",
        "Head",
        "Lens",
        "Map",
        "Neighbour",
        "Neighbours",
        "Residuals",
        "__version__",
        "errors",
        "open_head",
        "write_lens",
        "write_map",
        "write_vocab",
    ]
    assert dir(unembed) == sorted(unembed.__all__)
    for name in unembed.__all__:
        assert getattr(unembed, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        unembed.nothing  # noqa: B018


def test_public_names_have_an_example() -> None:
    for name in ("Concept", "Head", "Neighbours", "open_head"):
        assert ">>>" in (getattr(unembed, name).__doc__ or ""), name


HEAVY = {"torch", "sklearn", "umap", "transformers", "numba", "tokenizers", "pandas", "scipy"}


def modules_loaded_by(*arguments: str) -> set[str]:
    code = (
        "import sys\n"
        "from unembed.cli import main\n"
        "try:\n"
        "    main(sys.argv[1:])\n"
        "finally:\n"
        "    print('\\n'.join(sys.modules), file=sys.stderr)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=True
    )
    return {name.partition(".")[0] for name in done.stderr.split()}


def test_help_loads_nothing_heavy() -> None:
    loaded = modules_loaded_by("near", "--help")
    assert "click" in loaded
    assert not loaded & (HEAVY | {"faiss", "numpy", "rich", "lark", "emoji", "safetensors"})


def test_a_warm_query_loads_no_model_library(make_checkpoint: Callable[..., Path]) -> None:
    directory = str(make_checkpoint())
    arguments = ("near", directory, "king - man + woman", "--region", "emoji")
    modules_loaded_by(*arguments)
    loaded = modules_loaded_by(*arguments)
    assert {"faiss", "numpy"} <= loaded
    assert not loaded & HEAVY
    loaded = modules_loaded_by("near", directory, "king + abab")
    assert loaded & HEAVY == {"tokenizers"}  # a word was split


def test_a_warm_query_parses_no_tokenizer(
    make_checkpoint: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    directory = make_checkpoint()
    wanted = unembed.open_head(directory).nearest("king - man + #5", region="emoji", track=["sea"])

    def never(*given: object) -> None:
        raise AssertionError("the tokenizer was parsed again")

    monkeypatch.setattr("unembed.geometry.tokens.vocabulary.make_table", never)
    head = unembed.open_head(directory)
    assert head.nearest("king - man + #5", region="emoji", track=["sea"]) == wanted
    assert "_tokenizer" not in vars(head.vocabulary)
    head.concept("abab")
    assert "_tokenizer" in vars(head.vocabulary)


def test_each_promise_has_its_tests() -> None:
    """SECURITY.md names tests that are there."""
    written = {
        node.name
        for path in (ROOT / "tests").glob("test_*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef)
    }
    named = re.findall(r"`(test_\w+)`", (ROOT / "SECURITY.md").read_text())
    assert len(named) > 20
    assert [name for name in named if name not in written] == []
