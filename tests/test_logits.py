"""Logits and final norms, as transformers computes them on tiny random models and on the demo.

transformers computes in float32 and unembed in float64, so they differ by float32's rounding of a
sum of D products, here at most 64 (640 on the demo): within 1e-5 of the largest value.
"""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from numpy.typing import NDArray
from unembed.errors import CheckpointError, UsageError
from unembed.geometry.heads.final_norm import FinalNorm
from unembed.geometry.heads.unembedding import Unembedding
from unembed.indexes.vectors import as_vectors

from .architectures import BIASED, MORE
from .modelled import CASES, EMBEDDING, LLAMA, VOCABULARY, Case, load_model, save_model

Make = Callable[..., Path]

ALL = CASES | MORE
DOCUMENT = Path(__file__).parent.parent / "docs" / "architectures.md"
TOLERANCE = 1e-5  # of the largest value
IDS = torch.tensor([[11, 5, 7, 300, 2, 9]])


def run(model: Any, norm: str | None, inputs: dict[str, Any]) -> dict[str, NDArray[np.float64]]:
    """Run a model; keep its logits, what meets the head, what enters and leaves the final norm."""
    seen: dict[str, NDArray[np.float64]] = {}

    def keep(name: str, value: torch.Tensor) -> None:
        seen[name] = value.detach().clone().double().flatten(0, -2).numpy()

    def at_head(_: Any, given: tuple[torch.Tensor]) -> None:
        keep("met", given[0])

    def at_norm(_: Any, given: tuple[torch.Tensor], left: torch.Tensor) -> None:
        keep("entered", given[0])
        keep("left", left)

    hooks = [model.get_output_embeddings().register_forward_pre_hook(at_head)]
    if norm is not None:
        hooks.append(model.get_submodule(norm).register_forward_hook(at_norm))
    with torch.no_grad():
        keep("logits", model(**inputs).logits)
    for hook in hooks:
        hook.remove()
    return seen


def inputs_of(model: Any) -> dict[str, Any]:
    if model.config.model_type == "whisper":
        return {"input_features": torch.randn(1, 4, 8), "decoder_input_ids": IDS}
    return {"input_ids": IDS} | (
        {"decoder_input_ids": IDS} if model.config.is_encoder_decoder else {}
    )


def assert_close(ours: NDArray[np.float64], theirs: NDArray[np.float64]) -> None:
    assert ours.dtype == np.float64
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=TOLERANCE * np.abs(theirs).max())


def check(head: Unembedding, seen: dict[str, NDArray[np.float64]]) -> None:
    """Compare a head with a run: the norm, the logits, and both in a row."""
    assert_close(head.logits(seen.get("left", seen["met"])), seen["logits"])
    if "left" in seen:
        assert head.final_norm is not None
        assert_close(head.final_norm(seen["entered"]), seen["left"])
        assert_close(head.logits(head.final_norm(seen["entered"])), seen["logits"])
    else:
        assert head.final_norm is None


@pytest.mark.parametrize("name", ALL)
def test_logits_and_norm_are_those_of_transformers(
    name: str, tmp_path: Path, make_checkpoint: Make
) -> None:
    case = ALL[name]
    save_model(case, tmp_path / name)
    head = Unembedding.open(
        tmp_path / name, tokenizer=make_checkpoint(case.family) / "tokenizer.json"
    )
    model = load_model(case, tmp_path / name)
    check(head, run(model, case.norm, inputs_of(model)))
    assert head.tensor == case.tensor
    assert (head.bias_V is not None) == (name in BIASED)
    assert head.architecture == case.model
    assert {key: getattr(head, key) for key in case.expected} == case.expected
    assert documented(name, line_of(name, head))


def line_of(name: str, head: Unembedding) -> str:
    """Write what a head is as a line of the table in the docs."""
    norm = head.final_norm
    said = [
        f"`{name}`",
        f"`{head.architecture}`",
        f"`{head.tensor}`",
        "tied" if head.tied else "own",
        "none" if norm is None else norm.kind + (", bias" if norm.bias_D is not None else ""),
        "" if head.scale == 1 else f"{head.scale:.3g}",
        "" if head.softcap is None else f"{head.softcap:g}",
        "yes" if head.bias_V is not None else "",
    ]
    return f"| {' | '.join(said)} |"


def documented(name: str, line: str) -> bool:
    """Tell whether the docs have a line, and write it there where that is asked for."""
    lines = DOCUMENT.read_text().splitlines()
    if "UNEMBED_WRITE_DOCS" in os.environ and line not in lines:
        lines = [other for other in lines if not other.startswith(f"| `{name}` |")]
        start = next(place for place, other in enumerate(lines) if other.startswith("|---")) + 1
        rows = sorted([*lines[start:], line])
        DOCUMENT.write_text("\n".join([*lines[:start], *rows]) + "\n")
    return line in DOCUMENT.read_text().splitlines()


def llama(tmp_path: Path, **config: Any) -> Path:
    case = CASES["llama"]
    directory = tmp_path / "llama"
    save_model(Case(case.model, case.norm, case.tensor, config=LLAMA | config), directory)
    return directory


def test_the_last_hidden_state_of_transformers_meets_the_rows(
    tmp_path: Path, make_checkpoint: Make
) -> None:
    directory = llama(tmp_path)
    model = load_model(CASES["llama"], directory)
    with torch.no_grad():
        out = model(input_ids=IDS, output_hidden_states=True)
    head = Unembedding.open(directory, tokenizer=make_checkpoint() / "tokenizer.json")
    assert_close(head.logits(out.hidden_states[-1][0]), out.logits[0].double().numpy())


def test_shards_hold_the_same_head(tmp_path: Path, make_checkpoint: Make) -> None:
    case = CASES["llama"]
    save_model(case, tmp_path / "sharded", max_shard_size="60KB")
    assert len(list((tmp_path / "sharded").glob("model-*.safetensors"))) > 1
    head = Unembedding.open(tmp_path / "sharded", tokenizer=make_checkpoint() / "tokenizer.json")
    model = load_model(case, tmp_path / "sharded")
    check(head, run(model, case.norm, inputs_of(model)))


@pytest.mark.parametrize("equal", [False, True])
def test_a_head_said_to_be_tied_and_saved_beside_the_embedding(
    equal: bool, tmp_path: Path, make_checkpoint: Make
) -> None:
    """transformers ties over a saved head only where the values are equal."""
    from safetensors.torch import load_file, save_file

    directory = llama(tmp_path)
    config = json.loads((directory / "config.json").read_text())
    (directory / "config.json").write_text(json.dumps(config | {"tie_word_embeddings": True}))
    tensors = load_file(directory / "model.safetensors")
    if equal:
        tensors["lm_head.weight"] = tensors[EMBEDDING].clone()
    save_file(tensors, directory / "model.safetensors", metadata={"format": "pt"})
    head = Unembedding.open(directory, tokenizer=make_checkpoint() / "tokenizer.json")
    model = load_model(CASES["llama"], directory)
    check(head, run(model, "model.norm", inputs_of(model)))
    assert (head.tensor, head.tied) == ("lm_head.weight", equal)
    assert (model.lm_head.weight is model.model.embed_tokens.weight) == equal


def test_one_vector_gives_one_row_of_logits(tmp_path: Path, make_checkpoint: Make) -> None:
    directory = llama(tmp_path)
    head = Unembedding.open(directory, tokenizer=make_checkpoint() / "tokenizer.json")
    hidden_ND = np.random.default_rng(0).standard_normal((3, 32))
    logits_NV = head.logits(hidden_ND)
    assert logits_NV.shape == (3, VOCABULARY)
    np.testing.assert_allclose(head.logits(hidden_ND[1]), logits_NV[1], rtol=1e-12)
    assert head.logits(hidden_ND[:0]).shape == (0, VOCABULARY)


@pytest.mark.parametrize(
    ("hidden", "message"),
    [
        (np.zeros(31), r"shape \(31,\); the head takes \(32,\) or \(N, 32\)"),
        (np.zeros((1, 2, 32)), r"shape \(1, 2, 32\)"),
        (np.array(1.0), r"shape \(\)"),
        (np.full(32, np.nan), "holds NaN or infinity"),
        (np.full((2, 32), np.inf), "holds NaN or infinity"),
        (["a"] * 32, "not an array of real numbers"),
    ],
)
def test_what_cannot_meet_the_rows_is_refused(
    hidden: Any, message: str, tmp_path: Path, make_checkpoint: Make
) -> None:
    head = Unembedding.open(llama(tmp_path), tokenizer=make_checkpoint() / "tokenizer.json")
    with pytest.raises(UsageError, match=message):
        head.logits(hidden)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (["1", "2"], "is not an array of real numbers but of <U1"),
        ([b"1", b"2"], r"is not an array of real numbers but of \|S1"),
        ([True, False], "is not an array of real numbers but of bool"),
        ([1j, 2], "is not an array of real numbers but of complex128"),
        ([None, 1], "is not an array of real numbers but of object"),
        ([10**400, 1], "is not an array of real numbers but of object"),
        ({"a": 1}, "is not an array of real numbers but of object"),
        (np.array(["2020-01-01", "2020-01-02"], dtype="M8[D]"), "is not an array .* of datetime64"),
        ([[1.0], [1.0, 2.0]], "is not an array of real numbers: "),
        (torch.ones(2, requires_grad=True), "is not an array of real numbers: .*requires grad"),
        (torch.ones(2, dtype=torch.bfloat16), "is not an array of real numbers: .*BFloat16"),
        (torch.ones(2).to_sparse(), "is not an array of real numbers: "),
        (torch.ones(2, device="meta"), "is not an array of real numbers: "),
        (3.0, r"has shape \(\); the head takes \(2,\) or \(N, 2\)"),
        ([], r"has shape \(0,\)"),
        ([[1.0, 2.0, 3.0]], r"has shape \(1, 3\)"),
        ([[[1.0, 2.0]]], r"has shape \(1, 1, 2\)"),
        ([1.0, np.nan], "holds NaN or infinity"),
        ([[1.0, 2.0], [-np.inf, 1.0]], "holds NaN or infinity"),
        (np.array([0x7FA00000, 0], "u4").view("f4"), "holds NaN or infinity"),  # it signals
        (np.array([np.finfo(np.longdouble).max, 0]), "holds NaN or infinity"),
    ],
    ids=str,
)
def test_what_is_no_vector_is_refused(values: Any, message: str) -> None:
    with pytest.raises(UsageError, match=f"^the thing {message}"):
        as_vectors(values, width=2, what="the thing")


@pytest.mark.parametrize(
    "values",
    [
        [1, 2],
        (1.0, 2.0),
        [[1, 2], [1, 2]],
        np.array([1, 2], dtype=np.uint8),
        np.array([[1, 2]], dtype=np.float16, order="F"),
        np.array([1, 2], dtype=">f4"),
        torch.tensor([1, 2]),
        torch.tensor([[1.0, 2.0]], dtype=torch.float16),
    ],
    ids=str,
)
def test_every_array_of_numbers_is_taken(values: Any) -> None:
    vectors_ND = as_vectors(values, width=2, what="the thing")
    assert (vectors_ND.dtype, vectors_ND.flags.c_contiguous) == (np.float64, True)
    assert vectors_ND.tolist() == [[1.0, 2.0]] * (len(values) if np.ndim(values) == 2 else 1)


def test_vectors_are_a_copy() -> None:
    given_ND = np.ones((1, 2))
    as_vectors(given_ND, width=2, what="the thing")[:] = 7
    assert (given_ND == 1).all()


@pytest.mark.parametrize("kind", ["rms", "layer"])
@pytest.mark.parametrize(
    ("residual", "message"),
    [
        (np.ones(1), r"the residual has shape \(1,\); the norm takes \(\.\.\., 4\)"),
        (np.ones((4, 1)), r"shape \(4, 1\)"),
        (1.0, r"shape \(\)"),
        (["a"] * 4, "the residual is not an array of real numbers"),
        ([np.inf] * 4, "the residual holds NaN or infinity"),
    ],
)
def test_what_a_norm_cannot_take_is_refused(kind: Any, residual: Any, message: str) -> None:
    norm = FinalNorm(kind, np.ones(4), None, 1e-6)
    with pytest.raises(UsageError, match=message):
        norm(residual)


def test_a_norm_keeps_the_shape_of_what_it_takes() -> None:
    norm = FinalNorm("layer", np.ones(4), np.ones(4), 1e-6)
    for shape in ((4,), (1, 4), (3, 4), (0, 4), (2, 3, 4)):
        assert norm(np.ones(shape)).shape == shape
    assert norm([1, 2, 3, 4]).shape == (4,)


@pytest.mark.parametrize("value", [torch.nan, torch.inf])
@pytest.mark.parametrize("config", [{}, {"final_logit_softcapping": 30.0}])
def test_a_row_that_is_not_finite_gives_no_logits(
    value: float, config: dict[str, float], make_checkpoint: Make
) -> None:
    rows = torch.randn(300, 16)
    rows[7, 3] = value
    directory = make_checkpoint(dtype="F32", tensors={EMBEDDING: rows}, config=config)
    with pytest.raises(
        CheckpointError, match=r"the logit of row 7 of 'model\.embed_tokens\.weight'"
    ):
        Unembedding.open(directory).logits(np.ones(16))


@pytest.mark.real
def test_the_demo_gives_the_logits_that_transformers_gives() -> None:
    head = Unembedding.open("demo")
    directory = head.path.parent
    model = transformers.AutoModelForCausalLM.from_pretrained(
        directory, local_files_only=True, dtype=torch.float32
    ).eval()
    tokenizer = transformers.AutoTokenizer.from_pretrained(directory, local_files_only=True)
    seen = run(model, "model.norm", tokenizer("Paris is the capital of", return_tensors="pt"))
    check(head, seen)
    assert head.vocabulary.text(int(seen["logits"][-1].argmax())) == " France"
