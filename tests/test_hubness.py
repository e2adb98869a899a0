"""Hubness against plain numpy; what is kept of it."""

import logging
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from safetensors.numpy import load_file, save_file
from unembed import open_head
from unembed.errors import UsageError
from unembed.geometry import hubness as hubness_module
from unembed.geometry.head import Head
from unembed.geometry.hubness import hubness, hubness_of, mean_cosine, reference_words, unit_rows
from unembed.geometry.region import find_region
from unembed.geometry.space import Space, open_space
from unembed.indexes.rows import Rows, norm
from unembed.indexes.store import Store

from .helpers import edited

Make = Callable[..., Path]
FAMILIES = ["byte_level", "sentencepiece", "unigram", "wordpiece"]


@pytest.fixture
def cosine_space(make_checkpoint: Make) -> Callable[[Rows], Space]:
    """Give a function that makes the cosine space of any rows of width 16."""
    space = open_space(open_head(make_checkpoint()), "cosine")

    def made(rows: Rows) -> Space:
        norms_V = rows.norms()
        return replace(space, norms_V=np.where(norms_V > 0, norms_V, 1e150))

    return made


def brute(
    units_VD: NDArray[np.float64], words_MD: NDArray[np.float64], own: list[int | None]
) -> list[float]:
    """Row by row, in Python: the ten best cosines, without that with itself."""
    found = []
    for unit_D, place in zip(units_VD, own, strict=True):
        cosines = [float(word_D @ unit_D) for i, word_D in enumerate(words_MD) if i != place]
        best = sorted(cosines)[-10:]
        found.append(sum(best) / len(best) if best else 0.0)
    return found


def silent(done: int, total: int) -> None:
    pass


@pytest.mark.parametrize("words", [0, 1, 2, 10, 11, 300, 2500, 2749])
def test_it_is_the_mean_of_the_ten_best_cosines(
    cosine_space: Callable[[Rows], Space], words: int
) -> None:
    """Of few words and of so many that they are looked through in stacks, some rows words."""
    values = np.random.default_rng(words).standard_normal((2800, 16)).astype(np.float32)
    values[7] = 0.0
    rows = Rows(values, "F32")
    space, words_M = cosine_space(rows), np.arange(10, 10 + words)
    ids_N = np.array([3, 7, 10, 11, 12, 400, 2509, 2758, 2799])
    units_ND = values / np.maximum(norm(values.astype(np.float64)), 1e-9)[:, None]
    words_MD = unit_rows(space, rows, words_M)
    told: list[tuple[int, int]] = []
    found = hubness_of(
        space, rows, ids_N, words_MD, words_M=words_M, done=lambda *done: told.append(done)
    )
    own = [int(i) - 10 if 10 <= i < 10 + words else None for i in ids_N]
    wanted = brute(units_ND[ids_N], units_ND[words_M], own)
    np.testing.assert_allclose(found, wanted, atol=1e-6)
    assert told == ([(9, 9)] if words else [])
    if words > 1:  # vectors that stand at no row are all counted
        every = hubness_of(space, rows, ids_N, words_MD, done=silent)
        wanted = brute(units_ND[ids_N], units_ND[words_M], [None] * 9)
        np.testing.assert_allclose(every, wanted, atol=1e-6)
        assert every[3] > found[3]
        again = mean_cosine(3.0 * values[ids_N].astype(np.float64), 0.5 * words_MD)
        np.testing.assert_allclose(again, wanted, atol=1e-6)


@settings(max_examples=30, deadline=None)
@given(data=st.data())
def test_the_largest_are_the_largest(data: st.DataObject) -> None:
    """Many ties and few values, about the number at which stacks begin."""
    count = data.draw(st.sampled_from([10, 49, 2499, 2500, 2501, 2549, 2550, 5000]))
    random = np.random.default_rng(data.draw(st.integers(0, 10**6)))
    kinds = data.draw(st.sampled_from([2, 5, 10**6]))
    values = (random.integers(0, kinds, (3, count)) / kinds).astype(np.float32)
    values[1, random.integers(0, count, 5)] = -np.inf
    k = data.draw(st.integers(1, 10))
    found = np.sort(hubness_module._largest(values, k), axis=1)
    np.testing.assert_array_equal(found, np.sort(values, axis=1)[:, -k:])


def test_blocks_change_nothing_and_equal_rows_are_equal(
    cosine_space: Callable[[Rows], Space], monkeypatch: pytest.MonkeyPatch
) -> None:
    values = np.random.default_rng(3).standard_normal((900, 16)).astype(np.float32)
    values[500:700] = values[4]
    values[701], values[702] = 0.0, -0.0
    values[703] = values[705][::-1]  # as long, and another
    rows = Rows(values, "F32")
    space, words_M, ids_N = cosine_space(rows), np.arange(600), np.arange(900)
    words_MD = unit_rows(space, rows, words_M)
    whole = hubness_of(space, rows, ids_N, words_MD, words_M=words_M, done=silent)
    assert len({whole[4], *whole[500:700]}) == 1
    assert whole[701] == whole[702] == 0.0
    assert whole[703] != whole[705]
    monkeypatch.setattr(hubness_module, "_BLOCK", 7)
    small = hubness_of(space, rows, ids_N, words_MD, words_M=words_M, done=silent)
    np.testing.assert_allclose(small, whole, atol=1e-6)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("fold", [False, True])
def test_the_words_are_the_first_of_the_head(
    make_checkpoint: Make, family: str, fold: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    from unembed.geometry.heads.final_norm import FinalNorm

    norm_of = FinalNorm("rms", np.linspace(0.5, 2, 16), None, 1e-6)
    head = replace(open_head(make_checkpoint(family)), final_norm=norm_of)
    monkeypatch.setattr(hubness_module, "_WORDS", 5)
    words_M = find_region(head, "words").ids_N[:5]
    assert len(words_M) == 5
    space, ids_N = open_space(head, "causal", fold_norm=fold), np.arange(head.rows.count - 3)
    places_VD = space.place(head.rows.decode(slice(None)))
    units_VD = places_VD / norm(places_VD)[:, None]
    own = [int(np.flatnonzero(words_M == i)[0]) if i in words_M else None for i in ids_N]
    steps: list[str] = []
    found = hubness(head, space, ids_N, progress=lambda step, *_: steps.append(step))
    np.testing.assert_allclose(found, brute(units_VD[ids_N], units_VD[words_M], own), atol=1e-6)
    assert set(steps) == {"measuring hubs"}
    words_MD = reference_words(head, space)
    np.testing.assert_allclose(words_MD, units_VD[words_M], atol=1e-6)
    others_N = np.setdiff1d(ids_N, words_M)
    again = mean_cosine(places_VD[others_N], words_MD)
    np.testing.assert_allclose(again, found[others_N], atol=1e-6)
    assert mean_cosine(places_VD, words_MD[:0]).tolist() == [0.0] * head.rows.count


def kept_of(head: Head) -> Path:
    (entry,) = (entry for entry in head.store.entries() if entry.name == "hubness")
    return entry.path


@pytest.mark.parametrize("damage", ["cut", "foreign", "size", "shape", "name", "type"])
def test_what_is_kept_is_checked_and_made_again(
    make_checkpoint: Make,
    damage: str,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    directory = make_checkpoint()
    head = open_head(directory)
    wanted = head.nearest("king", score="csls", region=[40, 41, 42, 43])
    path, space, ids_N = kept_of(head), open_space(head, "causal"), np.arange(40, 44)
    first = hubness(head, space, ids_N).copy()
    if damage == "cut":
        path.write_bytes(path.read_bytes()[:-3])
    elif damage == "foreign":  # whole, and not what was derived from this
        save_file({"hubness": first + 0.1}, path, metadata={"sha256": "0" * 64})
    else:
        wrong = {
            "size": {"hubness": first + 2.0},
            "shape": {"hubness": first[:2]},
            "name": {"hubs": first},
            "type": {"hubness": first.astype(np.float32)},
        }[damage]
        path.unlink()  # as another program would have written it, its digest right
        with monkeypatch.context() as patch:
            patch.setattr(Store, "arrays", swapped(Store.arrays, wrong))
            hubness(head, space, ids_N)
        assert set(load_file(path)) == set(wrong)
    with caplog.at_level(logging.WARNING, "unembed"):
        assert open_head(directory).nearest("king", score="csls", region=[40, 41, 42, 43]) == wanted
    assert caplog.text.count("is damaged and is made again") == 1
    np.testing.assert_array_equal(load_file(path)["hubness"], first)


def swapped(true: Callable[..., object], wrong: object) -> Callable[..., object]:
    """Give a `Store.arrays` that keeps something else under the right key."""

    def arrays(store: Store, name: str, key: str, build: Any, fits: object) -> object:
        true(store, name, key, lambda: wrong, fits)
        return build()

    return arrays


def test_what_is_kept_is_used(make_checkpoint: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    directory = make_checkpoint()
    wanted = open_head(directory).nearest("king", score="csls", track=["sea"])

    def never(*given: object, **options: object) -> None:
        raise AssertionError("it was measured again")

    monkeypatch.setattr(hubness_module, "hubness_of", never)
    head = open_head(directory)
    assert head.nearest("king", score="csls", track=["sea"]) == wanted
    with pytest.raises(AssertionError, match="measured again"):
        head.nearest("king", score="csls", space="cosine")
    with pytest.raises(AssertionError, match="measured again"):
        head.nearest("king", score="csls", region=[1, 2])


def test_a_head_without_words_says_so(make_checkpoint: Make) -> None:
    def without_words(content: dict[str, object]) -> None:
        vocab = content["model"]["vocab"]  # type: ignore[index]
        for number, token in enumerate(list(vocab)):
            if token.startswith("▁") and len(token) > 1:
                vocab[f"ab{number}"] = vocab.pop(token)

    head = open_head(edited(make_checkpoint(), without_words))
    with pytest.raises(UsageError, match=r"no token of .* is in the region 'words'"):
        head.nearest("#40", score="csls")
