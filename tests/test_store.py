"""The store: an entry is whole and ours, or is made again."""

import logging
import os
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file
from unembed.errors import CacheError
from unembed.indexes.store import (
    Arrays,
    Entry,
    Store,
    atomic_path,
    cache_directory,
    clear,
    derived,
    fits,
    store_of,
)
from unembed.indexes.tensors import TensorFile, fingerprint


class Counter:
    """Builds an entry, and counts how often."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self) -> Arrays:
        self.calls += 1
        return {"n": np.arange(5), "flags": np.array([True, False])}


def five(arrays: Arrays) -> bool:
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
        arrays = store.arrays("numbers", "key", build, five)
        np.testing.assert_array_equal(arrays["n"], np.arange(5))
        np.testing.assert_array_equal(arrays["flags"], [True, False])
    assert build.calls == 1
    store.arrays("numbers", "another key", build, five)
    assert build.calls == 2


def test_an_entry_copied_over_another_is_not_believed(
    store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    """Whole, of the right shapes, and of another key."""
    store.arrays("numbers", "one", lambda: {"n": np.arange(5)}, five)
    one = entry_of(store)
    store.arrays("numbers", "other", lambda: {"n": np.arange(5) + 7}, five)
    (other,) = set(store.directory.iterdir()) - {one}
    one.write_bytes(other.read_bytes())
    arrays = store.arrays("numbers", "one", lambda: {"n": np.arange(5)}, five)
    np.testing.assert_array_equal(arrays["n"], np.arange(5))
    assert "does not match its name" in caplog.text


@pytest.mark.parametrize("damage", ["flip", "cut", "empty", "rubbish", "foreign"])
def test_a_damaged_entry_is_made_again_with_a_warning(
    store: Store, damage: str, caplog: pytest.LogCaptureFixture
) -> None:
    build = Counter()
    store.arrays("numbers", "key", build, five)
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
        Store(store.directory / "other").arrays("numbers", "key", lambda: {"n": np.arange(9)}, five)
        entry_of(Store(store.directory / "other")).replace(entry)
    with caplog.at_level(logging.WARNING, "unembed"):
        arrays = store.arrays("numbers", "key", build, five)
    assert build.calls == 2
    assert "a cache entry is damaged and is made again" in caplog.text
    assert entry.name in caplog.text
    np.testing.assert_array_equal(arrays["n"], np.arange(5))
    store.arrays("numbers", "key", build, five)
    assert build.calls == 2


def test_an_entry_with_other_names_is_not_ours(store: Store) -> None:
    build = Counter()
    store.arrays("numbers", "key", build, five)
    save_file({"other": np.arange(5)}, entry_of(store))
    store.arrays("numbers", "key", build, five)
    assert build.calls == 2


def test_a_cache_that_cannot_be_written_costs_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("in the way")
    store = Store(tmp_path / "file" / "store")
    arrays = store.arrays("numbers", "key", Counter(), five)
    np.testing.assert_array_equal(arrays["n"], np.arange(5))
    assert "could not be kept" in caplog.text


def test_a_cache_that_cannot_be_read_costs_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    arrays = Store(tmp_path / ("a" * 300)).arrays("numbers", "key", Counter(), five)
    np.testing.assert_array_equal(arrays["n"], np.arange(5))
    assert "the cache cannot be read" in caplog.text or "could not be kept" in caplog.text


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


def keep(store: Store, name: str = "numbers", *, key: str = "key", size: int = 5) -> Path:
    """Keep an entry and give its path."""
    before = set(store.directory.iterdir()) if store.directory.exists() else set()
    store.arrays(name, key, lambda: {"n": np.zeros(size)}, lambda _: True)
    (path,) = set(store.directory.iterdir()) - before
    return path


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    """Give the cache directory of this test."""
    found = cache_directory()
    assert found.is_relative_to(tmp_path)
    return found


def test_a_store_has_a_directory_of_its_own(cache: Path) -> None:
    one, two = store_of("one", label="a"), store_of("two", label="a")
    assert one.directory.parent == two.directory.parent == cache / "derived"
    assert one.directory != two.directory
    assert store_of("one", label="another") == Store(one.directory, "another")
    assert not cache.exists()  # nothing is written before it is needed
    assert one.entries() == ()


def test_entries_say_what_they_are_of(cache: Path) -> None:
    demo, other = store_of("one", label="demo"), store_of("two", label="a checkpoint")
    paths = [keep(demo, "space-causal"), keep(demo, "norms"), keep(other, "norms", size=900)]
    assert demo.entries() == (
        Entry("demo", "norms", paths[1].stat().st_size, paths[1]),
        Entry("demo", "space-causal", paths[0].stat().st_size, paths[0]),
    )
    found = derived(cache)
    assert found == (
        Entry("a checkpoint", "norms", paths[2].stat().st_size, paths[2]),
        *demo.entries(),
    )
    assert found[0].to_dict() == {
        "source": "a checkpoint",
        "name": "norms",
        "bytes": paths[2].stat().st_size,
        "path": str(paths[2]),
    }
    assert found[0].bytes > 7200


def test_a_label_is_not_part_of_the_key(store: Store) -> None:
    """A head that is opened by another path has its entries already."""
    build = Counter()
    store.arrays("numbers", "key", build, five)
    Store(store.directory, "another label").arrays("numbers", "key", build, five)
    assert build.calls == 1
    assert TensorFile.open(entry_of(store)).metadata["source"] == ""


def test_a_label_that_is_not_text_is_kept_written_out(store: Store) -> None:
    """A path may hold bytes that are not UTF-8."""
    label = os.fsdecode(b"caf\xe9/\xf0\x9f\x90\xb4")
    keep(Store(store.directory, label))
    assert [entry.source for entry in store.entries()] == ["caf\\udce9/🐴"]


def test_a_damaged_entry_is_listed_without_a_source(cache: Path) -> None:
    path = keep(store_of("one", label="demo"))
    path.write_bytes(b"x" * 99)
    assert derived(cache) == (Entry("", "numbers", 99, path),)
    assert clear(cache) == (Entry("", "numbers", 99, path),)
    assert not path.exists()


def test_clearing_removes_all_entries_and_only_them(cache: Path) -> None:
    demo, other = store_of("one", label="demo"), store_of("two", label="other")
    keep(demo), keep(demo, "norms"), keep(other)
    kept = [
        cache / "demos" / "demo" / "model.safetensors",
        cache / "derived" / "model-00001-of-00002.safetensors",
        cache / "derived" / "models" / f"norms-{'0' * 32}.safetensors",
        other.directory / "model.safetensors",
        other.directory / f"norms-{'0' * 32}.safetensors.bak",
        other.directory / "deeper" / f"norms-{'0' * 32}.safetensors",
    ]
    for path in kept:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"mine")
    expected = derived(cache)
    assert len(expected) == 3
    assert clear(cache) == expected
    assert [path.read_bytes() for path in kept] == [b"mine"] * len(kept)
    assert not demo.directory.exists()
    assert derived(cache) == clear(cache) == ()
    build = Counter()
    demo.arrays("numbers", "key", build, five)
    assert build.calls == 1


def test_what_a_killed_process_left_goes_with_the_rest(cache: Path) -> None:
    demo = store_of("one", label="demo")
    left = demo.directory / f".{keep(demo).name}.x8_k2abc"
    left.write_bytes(b"half")
    assert [entry.name for entry in demo.entries()] == ["numbers"]
    assert [entry.name for entry in clear(cache)] == ["numbers"]
    assert not demo.directory.exists()
    left.parent.mkdir()
    left.write_bytes(b"half")
    assert clear(cache) == ()
    assert not left.exists()


def test_links_are_neither_followed_nor_removed(cache: Path, tmp_path: Path) -> None:
    """A link in the cache must not make someone's models into entries."""
    models = tmp_path / "models"
    models.mkdir()
    model = models / f"model-{'0' * 32}.safetensors"
    save_file({"n": np.zeros(3)}, model)
    demo = store_of("one", label="demo")
    entry = keep(demo)
    (cache / "derived" / ("a" * 24)).symlink_to(models, target_is_directory=True)
    link = demo.directory / f"linked-{'0' * 32}.safetensors"
    link.symlink_to(model)
    dangling = demo.directory / f"dangling-{'0' * 32}.safetensors"
    dangling.symlink_to(tmp_path / "nowhere")
    assert [found.path for found in derived(cache)] == [entry]
    assert [found.path for found in clear(cache)] == [entry]
    assert model.exists()
    assert link.is_symlink()
    assert dangling.is_symlink()
    assert (cache / "derived" / ("a" * 24)).is_symlink()


def test_odd_things_of_an_entrys_name_are_passed_over(cache: Path) -> None:
    """A directory; a pipe, which would wait for its writer."""
    demo = store_of("one", label="demo")
    entry = keep(demo)
    entry.unlink()
    os.mkfifo(entry)
    directory = demo.directory / f"norms-{'0' * 32}.safetensors"
    directory.mkdir()
    assert derived(cache) == clear(cache) == ()
    assert entry.is_fifo()
    assert directory.is_dir()
    keep_again = Counter()
    demo.arrays("numbers", "key", keep_again, five)  # in the pipe's place
    assert (keep_again.calls, entry.is_file()) == (1, True)


def test_a_directory_in_an_entrys_place_costs_a_warning(
    store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    entry = keep(store)
    entry.unlink()
    entry.mkdir()
    assert len(store.arrays("numbers", "key", Counter(), five)["n"]) == 5
    assert "could not be kept" in caplog.text
    assert list(store.directory.iterdir()) == [entry]


def test_a_cache_that_cannot_be_listed_or_cleared_says_so(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = keep(store_of("one", label="demo"))

    def refuse(self: Path, missing_ok: bool = False) -> None:
        raise PermissionError(13, "Permission denied", str(self))

    with monkeypatch.context() as patched:
        patched.setattr(Path, "unlink", refuse)
        with pytest.raises(CacheError, match=rf"could not be cleared.*{entry.name}"):
            clear(cache)
    clear(cache)
    (cache / "derived").rmdir()
    (cache / "derived").write_text("in the way")
    for ask in (derived, clear):
        with pytest.raises(CacheError, match="could not be listed"):
            ask(cache)


@pytest.mark.parametrize(
    ("arrays", "fit"),
    [
        ({"a": np.zeros(3), "b": np.ones((2, 2))}, True),
        ({"a": np.zeros(3)}, False),
        ({"a": np.zeros(3), "b": np.ones((2, 2)), "c": np.zeros(1)}, False),
        ({"a": np.zeros(3), "c": np.ones((2, 2))}, False),
        ({"a": np.zeros(4), "b": np.ones((2, 2))}, False),
        ({"a": np.zeros((3, 1)), "b": np.ones((2, 2))}, False),
        ({"a": np.zeros(3, dtype=np.float32), "b": np.ones((2, 2))}, False),
        ({"a": np.zeros(3, dtype=int), "b": np.ones((2, 2))}, False),
        ({"a": np.array([0, np.nan, 0]), "b": np.ones((2, 2))}, False),
        ({"a": np.zeros(3), "b": np.full((2, 2), np.inf)}, False),
        ({}, False),
    ],
)
def test_arrays_fit_by_name_shape_type_and_value(arrays: Arrays, fit: bool) -> None:
    assert fits(arrays, {"a": (3,), "b": (2, 2)}) is fit
    single = {name: array.astype(np.float32) for name, array in arrays.items()}
    assert fits(single, {"a": (3,), "b": (2, 2)}) is False
    same = [array.dtype for array in arrays.values()].count(np.dtype(np.float64)) == len(arrays)
    if same:
        assert fits(single, {"a": (3,), "b": (2, 2)}, np.float32) is fit
