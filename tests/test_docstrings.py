"""Every public name has a docstring with an example; what is said twice is said the same."""

import importlib
import inspect
import pkgutil
from functools import cached_property
from types import FunctionType, ModuleType
from typing import Any, get_type_hints

import click
import pytest
import unembed
from unembed import cli
from unembed.geometry.neighbours import Options, nearest

MODULES = [
    importlib.import_module(found.name)
    for found in pkgutil.walk_packages(unembed.__path__, "unembed.")
]


def public_names(module: ModuleType) -> dict[str, Any]:
    """Give the classes and functions that a module defines for others."""
    return {
        name: value
        for name, value in vars(module).items()
        if not name.startswith("_")
        and (inspect.isclass(value) or inspect.isfunction(value))
        and value.__module__ == module.__name__
    }


def public_methods(kind: type) -> dict[str, str | None]:
    """Give the docstrings of a class's own methods and properties; a field's default is neither."""
    fields = getattr(kind, "__dataclass_fields__", {})
    return {
        name: getattr(value, "__func__", value).__doc__
        for name, value in vars(kind).items()
        if not name.startswith("_")
        and name not in fields
        and isinstance(
            value, FunctionType | classmethod | staticmethod | property | cached_property
        )
    }


def lacking(module: ModuleType) -> list[str]:
    """Name what has no docstring, or as a class or function no example."""
    found = []
    for name, value in public_names(module).items():
        if ">>>" not in (value.__doc__ or ""):
            found.append(name)
        if inspect.isclass(value):
            found += [f"{name}.{part}" for part, doc in public_methods(value).items() if not doc]
    return found


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.__name__)
def test_every_public_name_has_an_example(module: ModuleType) -> None:
    assert module.__doc__
    assert lacking(module) == []


def test_what_lacks_an_example_is_named() -> None:
    """The test above can fail."""

    class Bare:
        @property
        def size(self) -> int:
            return 0

        def method(self) -> None: ...

        @classmethod
        def made(cls) -> None: ...

        def _own(self) -> None: ...

    class Told(Bare):
        """Say something.

        >>> True
        True
        """

    class Heir(Told): ...  # a docstring is not inherited

    module = ModuleType("made")
    for kind in (Bare, Told, Heir):
        kind.__module__ = "made"
        setattr(module, kind.__name__, kind)
    assert lacking(module) == ["Bare", "Bare.size", "Bare.method", "Bare.made", "Heir"]


def test_the_walk_finds_what_is_public() -> None:
    named = {f"{module.__name__}.{name}" for module in MODULES for name in public_names(module)}
    assert {
        "unembed.cli.main",
        "unembed.errors.UsageError",
        "unembed.geometry.open_head.open_head",
        "unembed.geometry.neighbours.Options",
        "unembed.geometry.tokens.vocabulary.Vocabulary",
        "unembed.indexes.faiss.MappedIndex",
    } <= named
    assert "unembed.geometry.info.Entry" not in named  # imported there


def keywords_of(function: Any) -> dict[str, Any]:
    """Give the keyword-only parameters of a function and their defaults."""
    return {
        name: parameter.default
        for name, parameter in inspect.signature(function).parameters.items()
        if parameter.kind is parameter.KEYWORD_ONLY
    }


def test_options_are_the_keywords_of_nearest() -> None:
    assert set(get_type_hints(Options)) == set(keywords_of(nearest))


def test_the_command_lines_defaults_are_the_librarys() -> None:
    """Each option is a keyword of the same name, and each keyword but progress an option."""
    keywords = keywords_of(nearest)
    own = {
        "tensor",
        "tokenizer",
        "revision",
        "vector",
        "as_json",
        "as_csv",
    }  # of the source and the output
    given = cli.near.make_context("near", ["demo", "sea"]).params
    names = {option.name for option in cli.near.params if isinstance(option, click.Option)} - own
    assert names == set(keywords) - {"progress"}
    assert {name: given[name] for name in names} == {name: keywords[name] for name in names}
