"""The two real heads, whole: every row, every token, and transformers beside them."""

from collections.abc import Callable
from functools import cache, lru_cache
from itertools import pairwise

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file
from tokenizers import Tokenizer
from unembed import Head, open_head
from unembed.geometry.region import find_region
from unembed.geometry.space import open_space
from unembed.indexes import exact
from unembed.indexes.faiss import MappedIndex
from unembed.indexes.moments import Fold, moments
from unembed.indexes.rows import Rows
from unembed.indexes.shrinkage import Spectrum, ledoit_wolf

pytestmark = pytest.mark.real
Asked = Callable[[str], tuple[NDArray[np.float64], int, float]]
Placed = Callable[[str], tuple[NDArray[np.float64], NDArray[np.float64]]]


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


@pytest.fixture(scope="module")
def asked(head: Head, rows_VD: NDArray[np.float64]) -> Asked:
    """Give a query of a kind, the token of the largest logit by numpy alone, and that logit."""
    known_N = np.flatnonzero(head.vocabulary.known_V)

    @cache
    def ask(kind: str) -> tuple[NDArray[np.float64], int, float]:
        residual_D = query_of(head, rows_VD, kind)
        logits_N = (rows_VD @ residual_D)[known_N]
        return residual_D, int(known_N[logits_N.argmax()]), float(logits_N.max())

    return ask


@pytest.fixture(scope="module")
def placed(head: Head, rows_VD: NDArray[np.float64]) -> Placed:
    """Give every row's place in a space and its norm, by numpy alone; one space is held."""
    known_N = np.flatnonzero(head.vocabulary.known_V)

    def place(space: str) -> NDArray[np.float64]:
        if space in {"logit", "cosine"}:
            return rows_VD
        centred_VD = rows_VD - rows_VD[known_N].mean(axis=0)
        if space == "centred":
            return centred_VD
        covariance_DD = np.cov(rows_VD[known_N], rowvar=False, bias=True)
        width = len(covariance_DD)
        identity_DD = np.eye(width) * np.trace(covariance_DD) / width
        shrinkage = SHRINKAGE[head.source]
        shrunk_DD = (1 - shrinkage) * covariance_DD + shrinkage * identity_DD
        values_D, vectors_DD = np.linalg.eigh(shrunk_DD)
        return np.asarray(centred_VD @ (vectors_DD / np.sqrt(values_D)) @ vectors_DD.T)

    @lru_cache(maxsize=1)
    def measured(space: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        places_VD = place(space)
        return places_VD, np.linalg.norm(places_VD, axis=1)

    return measured


# Of sklearn.covariance.ledoit_wolf_shrinkage, on the rows that have a token.
SHRINKAGE = {"demo": 0.000554339756, "demo-bytes": 0.00104888820361}


def test_the_shrinkage_is_that_of_scikit_learn(head: Head, rows_VD: NDArray[np.float64]) -> None:
    from sklearn.covariance import ledoit_wolf_shrinkage

    known_N = np.flatnonzero(head.vocabulary.known_V)
    theirs = ledoit_wolf_shrinkage(rows_VD[known_N])
    ours = moments(head.rows, known_N, Fold(), done=lambda *_: None)
    assert ledoit_wolf(Spectrum.of(ours)) == pytest.approx(theirs, rel=1e-9)
    assert SHRINKAGE[head.source] == pytest.approx(theirs, rel=1e-8)


@pytest.mark.parametrize("score", ["cosine", "dot"])
@pytest.mark.parametrize("region", [None, "emoji"])
@pytest.mark.parametrize("space", ["logit", "cosine", "centred", "causal"])  # the slowest to vary
def test_every_answer_equals_brute_force_in_float64(
    head: Head,
    asked: Asked,
    placed: Placed,
    space: str,
    score: str,
    region: str | None,
) -> None:
    """Ids and order; where float64 itself cannot tell two scores apart, either order is right."""
    places_VD, norms_V = placed(space)
    among_N = find_region(head, region).ids_N
    for kind in ("sum", "negative", "mean", "random", "unused"):
        residual_D, snap, logit = asked(kind)
        answer = head.nearest(residual_D, space=space, score=score, region=region, top=50)
        vector_D = open_space(head, space).meet(residual_D)
        scores_N = (places_VD @ (vector_D / np.linalg.norm(vector_D)))[among_N]
        if score == "cosine":
            scores_N /= norms_V[among_N]
        order = np.lexsort((among_N, -scores_N))[:50]
        ids = [near.id for near in answer.neighbours]
        scores = [near.score for near in answer.neighbours]
        np.testing.assert_allclose(scores, scores_N[order], rtol=1e-9, atol=1e-12)
        for id_, wanted, value in zip(ids, among_N[order], scores_N[order], strict=True):
            own = scores_N[np.searchsorted(among_N, id_)]
            assert id_ == wanted or abs(own - value) < 1e-12 * max(1.0, abs(value))
        assert answer.snap.id == snap
        assert answer.snap.logit == pytest.approx(logit, rel=1e-9)


@pytest.mark.parametrize("cosine", [False, True])
def test_duplicates_planted_far_apart_come_by_the_lower_id(
    rows_VD: NDArray[np.float64], cosine: bool
) -> None:
    planted = [9, 5_000, 20_001, 20_002, 50_000]
    values = torch.from_numpy(rows_VD[:51_000]).half()
    values[planted] = values[20_002].clone()
    rows = Rows(values.numpy(), "F16")
    norms_V = rows.norms()
    query = values[9].double().numpy()
    scores_K, ids_K = search(rows, query, norms_V if cosine else None)
    place = ids_K.tolist().index(9)
    assert ids_K[place : place + 5].tolist() == planted
    assert len(set(scores_K[place : place + 5])) == 1
    for (score, id_), (later, other) in pairwise(zip(scores_K, ids_K, strict=True)):
        assert score > later or (score == later and id_ < other)


def search(
    rows: Rows, query: NDArray[np.float64], norms_V: NDArray[np.float64] | None
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    index = MappedIndex(rows, longest=float(rows.norms().max()))
    measure = exact.Measure(query, norms_V=norms_V)
    (proposal,) = exact.propose(index, [measure], rows.count)
    return exact.nearest(index, rows, measure, proposal, rows.count)


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
    for head, queen in ((demo, "▁queen"), (whisper, "Ġqueen")):
        answer = head.nearest("king - man + woman", top=5)
        assert queen in [near.token for near in answer.neighbours]
    texts = [near.text for near in demo.nearest("sea + horse", region="emoji").neighbours]
    assert texts[:2] == ["🐎", "🐴"]
    raw = demo.nearest("sea + horse", region="emoji", space="cosine", top=3)
    assert [near.text for near in raw.neighbours] == ["🐎", "🚚", "🐈"]
    assert len(find_region(demo, "emoji").ids_N) == 990
    split = demo.nearest("seahorse").resolved[0]
    assert (split.tokens, split.method) == (("▁se", "ahorse"), "pieces_rarity")


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
