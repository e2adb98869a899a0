"""The store: an entry is whole and ours, or is made again."""

import logging
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file
from unembed.indexes.store import Arrays, Store, atomic_path
from unembed.indexes.tensors import fingerprint


class Counter:
    """Builds an entry, and counts how often."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self) -> Arrays:
        self.calls += 1
        return {"n": np.arange(5), "flags": np.array([True, False])}


def fits(arrays: Arrays) -> bool:
    return arrays["n"].shape == (5,)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


def entry_of(store: Store) -> Path:
    (entry,) = store.directory.iterdir()
    return entry


def test_an_entry_is_built_once(store: Store) -> None:
    build = Counter()
    for _ in range(3):
        arrays = store.arrays("numbers", "key", build, fits)
        np.testing.assert_array_equal(arrays["n"], np.arange(5))
        np.testing.assert_array_equal(arrays["flags"], [True, False])
    assert build.calls == 1
    store.arrays("numbers", "another key", build, fits)
    assert build.calls == 2


@pytest.mark.parametrize("damage", ["flip", "cut", "empty", "rubbish", "foreign"])
def test_a_damaged_entry_is_made_again_with_a_warning(
    store: Store, damage: str, caplog: pytest.LogCaptureFixture
) -> None:
    build = Counter()
    store.arrays("numbers", "key", build, fits)
    entry = entry_of(store)
    content = bytearray(entry.read_bytes())
    if damage == "flip":
        content[-1] ^= 1
    entry.write_bytes(
        {
            "flip": bytes(content),
            "cut": bytes(content[:-3]),
            "empty": b"",
            "rubbish": b"x" * 99,
        }.get(damage, b"")
    )
    if damage == "foreign":
        Store(store.directory / "other").arrays("numbers", "key", lambda: {"n": np.arange(9)}, fits)
        entry_of(Store(store.directory / "other")).replace(entry)
    with caplog.at_level(logging.WARNING, "unembed"):
        arrays = store.arrays("numbers", "key", build, fits)
    assert build.calls == 2
    assert "a cache entry is damaged and is made again" in caplog.text
    assert entry.name in caplog.text
    np.testing.assert_array_equal(arrays["n"], np.arange(5))
    store.arrays("numbers", "key", build, fits)
    assert build.calls == 2


def test_an_entry_with_other_names_is_not_ours(store: Store) -> None:
    build = Counter()
    store.arrays("numbers", "key", build, fits)
    save_file({"other": np.arange(5)}, entry_of(store))
    store.arrays("numbers", "key", build, fits)
    assert build.calls == 2


def test_a_cache_that_cannot_be_written_costs_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("in the way")
    store = Store(tmp_path / "file" / "store")
    arrays = store.arrays("numbers", "key", Counter(), fits)
    np.testing.assert_array_equal(arrays["n"], np.arange(5))
    assert "could not be kept" in caplog.text


def test_a_cache_that_cannot_be_read_costs_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    arrays = Store(tmp_path / ("a" * 300)).arrays("numbers", "key", Counter(), fits)
    np.testing.assert_array_equal(arrays["n"], np.arange(5))
    assert "the cache cannot be read" in caplog.text


def test_nothing_is_left_of_a_write_that_fails(tmp_path: Path) -> None:
    path = tmp_path / "whole"
    path.write_text("before")

    def write() -> None:
        with atomic_path(path) as temporary:
            temporary.write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write()
    assert [entry.name for entry in tmp_path.iterdir()] == ["whole"]
    assert path.read_text() == "before"


def test_a_fingerprint_changes_with_the_file(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"a" * (2 << 20))
    first = fingerprint(path)
    assert fingerprint(path) == first
    content = bytearray(path.read_bytes())
    content[5] = 0
    path.write_bytes(content)
    second = fingerprint(path)
    path.write_bytes(bytes(content) + b"x")
    assert len({first, second, fingerprint(path)}) == 3
