"""The two real heads, whole: every row, every token, and transformers beside them."""

from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file
from tokenizers import Tokenizer
from unembed import Head, nearest, open_head
from unembed.geometry.region import region_ids
from unembed.indexes import exact

pytestmark = pytest.mark.real


@pytest.fixture(scope="module", params=["demo", "demo-bytes"])
def head(request: pytest.FixtureRequest) -> Head:
    return open_head(request.param)


@pytest.fixture(scope="module")
def rows_VD(head: Head) -> NDArray[np.float64]:
    """Every row in float64, read by safetensors and torch."""
    return load_file(head.path)[head.tensor].double().numpy()


def test_the_heads_are_those_that_were_measured() -> None:
    demo, whisper = open_head("demo"), open_head("demo-bytes")
    assert (demo.rows.count, demo.rows.width, demo.rows.dtype) == (262_144, 640, "BF16")
    assert demo.norms_V.min() == pytest.approx(1.028, abs=1e-3)
    assert demo.norms_V.max() == pytest.approx(1.035, abs=1e-3)
    assert demo.vocabulary.known_V.all()
    assert (whisper.rows.count, whisper.rows.width, whisper.rows.dtype) == (51_865, 512, "F16")
    assert whisper.norms_V.min() == pytest.approx(0.357, abs=1e-3)
    assert whisper.norms_V.max() == pytest.approx(0.849, abs=1e-3)
    # The tokenizer has no timestamps: their 1,501 rows are padding.
    assert np.flatnonzero(~whisper.vocabulary.known_V).tolist() == list(range(50_364, 51_865))


def query_of(head: Head, rows_VD: NDArray[np.float64], kind: str) -> NDArray[np.float64]:
    rng = np.random.default_rng(0)
    ids = [head.vocabulary.id_of(f" {word}") for word in ("king", "man", "woman", "sea")]
    return {
        "sum": lambda: rows_VD[ids[0]] - rows_VD[ids[1]] + rows_VD[ids[2]],
        "negative": lambda: -rows_VD.mean(axis=0),
        "mean": lambda: rows_VD.mean(axis=0),
        "random": lambda: rng.standard_normal(rows_VD.shape[1]),
        # On the demo one of 6,242 near-identical rows.
        "unused": lambda: rows_VD[head.vocabulary.id_of("<unused100>") or 50_300],
    }[kind]()


@pytest.mark.parametrize("kind", ["sum", "negative", "mean", "random", "unused"])
@pytest.mark.parametrize("cosine", [False, True])
@pytest.mark.parametrize("region", [False, True])
def test_every_answer_equals_brute_force_in_float64(
    head: Head, rows_VD: NDArray[np.float64], kind: str, cosine: bool, region: bool
) -> None:
    query = query_of(head, rows_VD, kind)
    among_N = region_ids(head, "emoji") if region else np.arange(head.rows.count)
    scores_N = rows_VD[among_N] @ query
    if cosine:
        scores_N /= np.linalg.norm(rows_VD[among_N], axis=1) * np.linalg.norm(query)
    order = np.lexsort((among_N, -scores_N))
    k = min(50, len(among_N))
    scores_K, ids_K = exact.nearest(
        head.index,
        head.rows,
        query,
        50,
        norms_V=head.norms_V,
        cosine=cosine,
        among_N=among_N if region else None,
    )
    np.testing.assert_array_equal(ids_K, among_N[order][:k])
    np.testing.assert_allclose(scores_K, scores_N[order][:k], rtol=1e-12)


@pytest.mark.parametrize("cosine", [False, True])
def test_duplicates_planted_far_apart_come_by_the_lower_id(
    rows_VD: NDArray[np.float64], cosine: bool
) -> None:
    from unembed.indexes.faiss import MappedIndex
    from unembed.indexes.rows import Rows

    planted = [9, 5_000, 20_001, 20_002, 50_000]
    values = torch.from_numpy(rows_VD[:51_000]).half()
    values[planted] = values[20_002].clone()
    rows = Rows(values.numpy(), "F16")
    query = values[9].double().numpy()
    scores_K, ids_K = exact.nearest(
        MappedIndex(rows), rows, query, rows.count, norms_V=rows.norms(), cosine=cosine
    )
    place = ids_K.tolist().index(9)
    assert ids_K[place : place + 5].tolist() == planted
    assert len(set(scores_K[place : place + 5])) == 1
    for (score, id_), (later, other) in pairwise(zip(scores_K, ids_K, strict=True)):
        assert score > later or (score == later and id_ < other)


def test_every_token_is_spelled_and_decoded_as_the_library_does(head: Head) -> None:
    tokenizer = Tokenizer.from_file(str(head.path.parent / "tokenizer.json"))
    vocabulary = head.vocabulary
    assert tokenizer.get_vocab_size() == vocabulary.known_V.sum()
    fragments = 0
    for id_ in np.flatnonzero(vocabulary.known_V).tolist():
        assert vocabulary.token(id_) == tokenizer.id_to_token(id_)
        text, decoded = vocabulary.text(id_), tokenizer.decode([id_], skip_special_tokens=False)
        if text is None:
            fragments += 1
            assert "\ufffd" in decoded
        else:
            assert text == decoded
            found = vocabulary.id_of(text)
            assert found is not None
            assert vocabulary.text(found) == text
    assert fragments > 100


def test_the_user_sees_the_measured_answers() -> None:
    demo, whisper = open_head("demo"), open_head("demo-bytes")
    assert nearest(demo, "king - man + woman", top=1).neighbours[0].token == "▁queen"  # noqa: S105
    tokens = [near.token for near in nearest(whisper, "king - man + woman", top=5).neighbours]
    assert "Ġqueen" in tokens
    texts = [near.text for near in nearest(demo, "sea + horse", region="emoji").neighbours]
    assert {"🐎", "🐴", "🐠"} <= set(texts)
    assert len(region_ids(demo, "emoji")) == 990


@pytest.fixture(scope="module")
def generate() -> Callable[[str, int], str]:
    """Greedy text of the converted checkpoint, run by transformers from the directory alone."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    directory = open_head("demo").path.parent
    model, report = AutoModelForCausalLM.from_pretrained(
        directory, dtype=torch.float32, output_loading_info=True, local_files_only=True
    )
    assert not any(report.values()), report
    tokenizer = AutoTokenizer.from_pretrained(directory, local_files_only=True)

    def generate(prompt: str, count: int) -> str:
        inputs = tokenizer(prompt, return_tensors="pt")
        output = model.eval().generate(**inputs, max_new_tokens=count, do_sample=False)
        return str(tokenizer.decode(output[0, inputs.input_ids.shape[1] :]))

    return generate


def test_transformers_runs_the_checkpoint(generate: Callable[[str, int], str]) -> None:
    assert generate("Paris is the capital of", 1) == " France"
    seahorse = (
        "Here is a horse emoji: 🐴\nHere is a dog emoji: 🐶\nHere is a fish emoji: 🐟\n"
        "Here is a seahorse emoji:"
    )
    assert generate(seahorse, 2) == " 🐙"


def test_the_checkpoint_holds_every_tensor_and_the_tokenizer() -> None:
    head = open_head("demo")
    assert len(load_file(head.path)) == 236
    tokenizer = Tokenizer.from_file(str(head.path.parent / "tokenizer.json"))
    assert tokenizer.encode(" seahorse", add_special_tokens=False).tokens == ["▁se", "ahorse"]
    assert tokenizer.encode("king").tokens == ["<bos>", "king"]
    text = "Ĳ naïve 東京 हिन्दी 🐴\n\tend"
    assert tokenizer.decode(tokenizer.encode(text).ids) == text
