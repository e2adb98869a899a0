"""The demo's own GGUF file, read as any other: against the demo, which transformers' code made."""

from importlib.metadata import distribution
from pathlib import Path

import numpy as np
import pytest
from tokenizers import Tokenizer
from unembed import Head, open_head
from unembed.geometry.demos.demo import DEMOS

pytestmark = pytest.mark.real


@pytest.fixture(scope="module")
def packed(tmp_path_factory: pytest.TempPathFactory) -> Head:
    path = tmp_path_factory.mktemp("gguf") / "gemma.gguf"
    (file,) = DEMOS["demo"].files
    with path.open("wb") as joined:
        for package, name in file.parts:
            place = f"{package.replace('-', '_')}/data/{name}"
            joined.write(Path(str(distribution(package).locate_file(place))).read_bytes())
    return open_head(path)


def test_the_head_is_the_demos_before_it_was_rounded(packed: Head) -> None:
    demo = open_head("demo")
    for start in range(0, demo.rows.count, 1 << 14):
        places = slice(start, start + (1 << 14))
        rounded, exact = demo.rows.decode(places), packed.rows.decode(places)
        assert np.abs(rounded - exact).max() <= 2.0**-8 * np.abs(exact).max()
    assert packed.final_norm is not None
    assert demo.final_norm is not None
    np.testing.assert_allclose(packed.final_norm.weight_D, demo.final_norm.weight_D, rtol=2.0**-7)
    assert (packed.tied, packed.softcap, packed.scale) == (True, None, 1.0)


def test_the_tokens_are_the_demos(packed: Head) -> None:
    """But for runs of spaces, which the file has as they are and transformers writes as marks."""
    demo = open_head("demo").vocabulary
    for id_ in range(len(demo)):
        assert packed.vocabulary.text(id_) == demo.text(id_)
        assert packed.vocabulary.kind(id_) == demo.kind(id_)
        string = packed.vocabulary.token(id_)
        assert string.replace(" ", "▁") == demo.token(id_)


def test_names_are_split_alike_and_answers_are_the_same(packed: Head) -> None:
    demo = open_head("demo")
    ours, theirs = (Tokenizer.from_file(str(head.vocabulary.path)) for head in (packed, demo))
    wishes = (Path(__file__).parent.parent / "docs" / "wishes.txt").read_text().splitlines()
    for text in [*wishes, *(f" {wish}" for wish in wishes)]:
        one, other = (
            tokenizer.encode(text, add_special_tokens=False).ids for tokenizer in (ours, theirs)
        )
        assert one == other, text
    for expression in ("sea + horse", "emoji(seahorse)"):
        found = [
            [near.id for near in head.nearest(expression, region="emoji", top=3).neighbours]
            for head in (packed, demo)
        ]
        assert found[0] == found[1]
