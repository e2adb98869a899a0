"""The lens on tiny random models of many architectures: its last layer is the model's own."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from unembed import Head, open_head
from unembed.cli import main
from unembed.errors import SourceError, UsageError
from unembed.geometry.lens.ask import residuals_of
from unembed.geometry.model.language_model import LanguageModel, Writing
from unembed.geometry.model.residuals import read_residuals, save_residuals

from .modelled import CAUSAL, VOCABULARY

Make = Callable[..., Path]

IDS = [11, 5, 7, 300, 2, 9]


def close(ours: Any, theirs: Any) -> None:
    wanted = np.asarray(theirs, dtype=np.float64)
    np.testing.assert_allclose(ours, wanted, rtol=0, atol=2e-5 * np.abs(wanted).max())


@pytest.mark.parametrize("name", CAUSAL)
def test_the_last_layer_gives_the_models_own_logits(
    name: str, saved_model: Callable[[str], Path]
) -> None:
    directory = saved_model(name)
    head, model = open_head(directory), LanguageModel.open(directory)
    held = model.run(IDS, positions=[0, -2, -1], writing=Writing(3))
    assert held.token_ids is not None
    written = list(held.token_ids[3:])
    assert held.positions == (0, 4, 5, *range(6, 6 + len(written)))
    assert held.written == len(written)
    with torch.no_grad():
        out = model.model(torch.tensor([[*IDS, *written]]), output_hidden_states=True)
    logits_PV = out.logits[0, list(held.positions)].numpy()
    last_PD = held.stack_LPD[-1]
    close(head.logits(last_PD if head.final_norm is None else head.final_norm(last_PD)), logits_PV)
    # Of Mamba transformers gives what leaves each layer, and not what enters the first.
    for layer, hidden in enumerate(out.hidden_states[:-1], start=name == "mamba"):
        close(held.stack_LPD[layer], hidden[0, list(held.positions)].numpy())
    greedy = logits_PV.argmax(axis=1)[2:].tolist()
    assert written == greedy[: len(written)]
    assert len(written) == 3 or greedy[len(written)] == model.model.generation_config.eos_token_id


def test_a_lens_says_what_the_model_gives(saved_model: Callable[[str], Path]) -> None:
    head = open_head(saved_model("gemma2"))
    found = head.lens("king and sea", positions=[-2, -1], generate=2, top=4, track=["horse"])
    model = LanguageModel.open(head.path.parent)
    ids = model.tokens_of("king and sea")
    read = [ids[-2], ids[-1], *[place.token_id for place in found.positions[2:]]]
    assert [place.token_id for place in found.positions] == read
    assert [place.written for place in found.positions] == [False, False, True, True]
    assert (found.norm, found.softcap, found.scale, found.bias) == ("rms", 2.0, 1.0, False)
    with torch.no_grad():
        logits_TV = model.model(torch.tensor([[*ids, *read[2:]]])).logits[0].double()
    for place in found.positions:
        own_V = logits_TV[place.position]
        chances_V = torch.softmax(own_V, dim=0)
        last = place.layers[-1]
        order = torch.sort(own_V, descending=True, stable=True).indices[:4].tolist()
        assert [guess.id for guess in last.top] == order
        assert [guess.logit for guess in last.top] == pytest.approx(own_V[order].tolist(), abs=1e-5)
        assert [guess.probability for guess in last.top] == pytest.approx(
            chances_V[order].tolist(), rel=1e-4
        )
        assert last.entropy == pytest.approx(-(chances_V * chances_V.log()).sum().item(), rel=1e-5)
        assert last.kl == 0
        (followed,) = last.tracked
        assert followed.rank == 1 + int((own_V > own_V[followed.id]).sum())


def test_kl_is_from_the_last_layer(saved_model: Callable[[str], Path]) -> None:
    head = open_head(saved_model("llama"))
    (place,) = head.lens("sea", top=VOCABULARY).positions
    chances_LV = np.array(
        [
            [guess.probability for guess in sorted(layer.top, key=lambda guess: guess.id)]
            for layer in place.layers
        ]
    )
    kl_L = (chances_LV[-1] * np.log(chances_LV[-1] / chances_LV)).sum(axis=1)
    assert [layer.kl for layer in place.layers] == pytest.approx(kl_L.tolist(), abs=1e-5)


def test_what_is_drawn_depends_on_the_seed_alone(saved_model: Callable[[str], Path]) -> None:
    model = LanguageModel.open(saved_model("llama"))
    torch.manual_seed(7)
    state = torch.random.get_rng_state()
    drawn = [
        model.run(IDS, writing=Writing(8, temperature=3.0, seed=seed)).token_ids
        for seed in (1, 1, 2, 3)
    ]
    assert drawn[0] == drawn[1]
    assert len({*drawn}) > 1
    assert torch.equal(torch.random.get_rng_state(), state)


def test_residuals_of_a_run_are_saved_and_looked_at(
    saved_model: Callable[[str], Path], tmp_path: Path
) -> None:
    head: Head = open_head(saved_model("gpt2"))
    held = residuals_of(head, "sea horse", positions=[0, 1], writing=Writing(2))
    save_residuals(held, tmp_path / "run.safetensors")
    again = read_residuals(
        tmp_path / "run.safetensors", width=head.rows.width, tokens=head.rows.count
    )
    assert head.lens(again) == head.lens(held)
    assert again.prompt == "sea horse"


def test_all_positions_are_saved_by_the_command(
    saved_model: Callable[[str], Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    head, path = open_head(saved_model("gpt2")), tmp_path / "run.safetensors"
    arguments = ["lens", str(head.path.parent), "sea horse", "--generate", "2", "--position"]
    for given in (["all"], ["0", "--position", "all"]):
        with pytest.raises(SystemExit) as ended:
            main([*arguments, *given, "--save", str(path)])
        assert ended.value.code == 0
        found = read_residuals(path, width=head.rows.width, tokens=head.rows.count)
        read = len(LanguageModel.open(head.path.parent).tokens_of("sea horse"))
        assert found.positions == tuple(range(read + found.written))
        each = residuals_of(head, "sea horse", positions=range(read), writing=Writing(2))
        assert np.array_equal(found.stack_LPD, each.stack_LPD)
    capsys.readouterr()
    with pytest.raises(SystemExit) as ended:
        main([*arguments, "some"])
    assert ended.value.code == 2
    assert "'some' is not a valid integer" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"prompt": ""}, "the prompt is empty"),
        ({"prompt": "sea", "positions": [9]}, "the position 9 is not in the prompt; it has"),
        ({"prompt": "sea", "positions": [-9]}, "the position -9 is not in the prompt"),
        ({"prompt": "sea", "generate": -1}, "a model writes 0 to 4096 tokens here, not -1"),
        ({"prompt": "sea", "temperature": -1}, "the temperature is -1; it must be 0 to 100"),
        ({"prompt": "sea", "seed": -1}, "the seed is -1"),
        ({"prompt": "sea", "chat": True}, "the tokenizer has no chat template"),
        ({"prompt": "sea", "top": 0}, "top is 0; it must be 1 to 400"),
        ({"prompt": "sea", "track": ["'sea fish'"]}, "is 2 tokens of this head; follow one"),
        ({"prompt": "sea", "track": ["sea + fish"]}, "'sea .+ fish' is an expression"),
        ({"prompt": "sea " * 3000}, "the model reads 2,048"),
    ],
)
def test_what_cannot_be_asked(
    given: dict[str, Any], says: str, saved_model: Callable[[str], Path]
) -> None:
    head = open_head(saved_model("llama"))
    with pytest.raises(UsageError, match=says):
        head.lens(given.pop("prompt"), **given)


def test_a_folder_that_is_no_model(make_checkpoint: Make) -> None:
    with pytest.raises(SourceError, match="cannot run this model"):
        open_head(make_checkpoint()).lens("sea")


def test_layers_that_cannot_be_found(saved_model: Callable[[str], Path]) -> None:
    from unembed.geometry.model.language_model import _layers_of

    directory = saved_model("llama")
    model = LanguageModel.open(directory).model
    model.config.num_hidden_layers = 7
    with pytest.raises(
        SourceError,
        match=r"the 7 layers of LlamaForCausalLM cannot be found.*"
        r"model\.layers \(2\)",
    ):
        _layers_of(directory, model)


def test_a_model_that_is_not_all_there_is_not_run(saved_model: Callable[[str], Path]) -> None:
    directory = saved_model("llama")
    tensors = load_file(directory / "model.safetensors")
    del tensors["model.layers.1.mlp.up_proj.weight"]
    save_file(tensors, directory / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(SourceError, match=r"1 weights of Llama.* first is 'model.layers.1.mlp.up"):
        LanguageModel.open(directory)
