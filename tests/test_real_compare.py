"""On the real heads: what is known of them, and changes of which the answer is known."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from safetensors.torch import save_file
from unembed import Head, open_head
from unembed.geometry.region import find_region

pytestmark = pytest.mark.real


@pytest.fixture(scope="module")
def head() -> Head:
    return open_head("demo-bytes")


@pytest.fixture
def changed(head: Head, tmp_path: Path) -> Callable[[NDArray[np.float32]], Head]:
    """Give a function that makes a head of other rows and the same tokens."""

    def made(rows_VD: NDArray[np.float32]) -> Head:
        save_file(
            {"model.embed_tokens.weight": torch.from_numpy(rows_VD)},
            tmp_path / "model.safetensors",
        )
        (tmp_path / "config.json").write_text('{"tie_word_embeddings": true}')
        shutil.copy(head.vocabulary.path, tmp_path / "tokenizer.json")
        return open_head(tmp_path)

    return made


Changed = Callable[[NDArray[np.float32]], Head]


def rows_of(head: Head) -> NDArray[np.float32]:
    return head.rows.decode(slice(None)).astype(np.float32)


def test_a_turned_script_is_the_one_that_moved(head: Head, changed: Changed) -> None:
    rows_VD, greek = rows_of(head), find_region(head, "greek").ids_N
    turn_DD, _ = np.linalg.qr(np.random.default_rng(0).normal(size=(512, 512)))
    rows_VD[greek] = rows_VD[greek] @ turn_DD.astype(np.float32)
    found = head.compare(changed(rows_VD), top=20)
    assert (found.regions[0].name, found.regions[0].moved_more > 0.999) == ("greek", True)
    assert {one.id for one in found.moved} <= set(greek.tolist())
    assert found.alignment.residual < 0.1


def test_noise_moves_no_region_and_is_measured(head: Head, changed: Changed) -> None:
    rows_VD = rows_of(head)
    noise_VD = np.random.default_rng(1).standard_normal(rows_VD.shape, dtype=np.float32)
    size = 0.3 * float(rows_VD.std())
    found = head.compare(changed(rows_VD + size * noise_VD))
    assert all(abs(one.deviations) < 4 for one in found.regions)
    assert found.moves.cosines_N is not None
    squares_N = np.square(head.norms_V[found.matched.ids_N])
    wanted_N = 1 / np.sqrt(1 + size**2 * rows_VD.shape[1] / squares_N)
    assert np.abs(found.moves.cosines_N - wanted_N).mean() < 0.01


def test_two_models_that_share_nothing_but_words(head: Head) -> None:
    found = open_head("demo").compare(head, top=3)
    assert found.widths == (640, 512)
    assert len(found.matched.ids_N) > 45_000
    assert found.alignment.residual > 0.8
    assert 0.25 < found.shared < 0.6  # ten of 45,000 by chance: 0.0002
    assert len(found.moved) == 3


def test_a_row_is_emoji_and_fish() -> None:
    found = open_head("demo").explain("🐠", parts=3)
    assert [part.token for part in found.parts[:2]] == ["emoji", "▁fish"]
    assert found.parts[2].explained > 0.5 > 5 * found.chance[2]
    queen = open_head("demo").explain("queen", parts=2)
    assert [part.token for part in queen.parts] == ["▁king", "female"]
    assert queen.token is not None
    assert queen.token.writable
