"""The same prompt many times: counts of what is drawn."""

from collections.abc import Callable
from io import StringIO
from pathlib import Path

import numpy as np
import pytest
import torch
from rich.console import Console
from unembed import open_head
from unembed.cli import main
from unembed.errors import UsageError
from unembed.geometry.model.language_model import LanguageModel, Writing
from unembed.geometry.model.repeating import Written, repeated
from unembed.geometry.model.residuals import Residuals
from unembed.geometry.views.lens_table import lens_table

Saved = Callable[[str], Path]
IDS = [11, 5, 7]


def test_counts_are_those_of_the_softmax(saved_model: Saved) -> None:
    model = LanguageModel.open(saved_model("llama"))
    found = repeated(model, IDS, Writing(1, temperature=0.5), 3000)
    assert sum(one.count for one in found) == 3000
    counts = [one.count for one in found]
    assert counts == sorted(counts, reverse=True)
    with torch.no_grad():
        logits_V = model.model(torch.tensor([IDS])).logits[0, -1]
    chances_V = torch.softmax(logits_V / 0.5, dim=-1)
    likely: dict[str, float] = {}
    for id_, chance in enumerate(chances_V.tolist()):
        text = model.tokenizer.decode([id_], skip_special_tokens=True)
        likely[text] = likely.get(text, 0.0) + chance
    for one in found[:5]:
        sigma = (likely[one.text] * (1 - likely[one.text]) / 3000) ** 0.5
        assert one.count / 3000 == pytest.approx(likely[one.text], abs=5 * sigma)


def test_a_seed_gives_the_same_counts(saved_model: Saved) -> None:
    model = LanguageModel.open(saved_model("llama"))
    state = torch.random.get_rng_state()
    first, again, other = (
        repeated(model, IDS, Writing(3, temperature=2.0, seed=seed), 60) for seed in (1, 1, 2)
    )
    assert first == again != other
    assert torch.equal(torch.random.get_rng_state(), state)


def test_a_run_ends_where_it_says_so(saved_model: Saved) -> None:
    model = LanguageModel.open(saved_model("llama"))
    model.model.generation_config.eos_token_id = list(range(100))
    runs = model.write(IDS, Writing(6, temperature=5.0), runs=40)
    assert {len(run) for run in runs} > {1}
    for run in runs:
        assert all(id_ >= 100 for id_ in run[:-1])
        assert len(run) == 6 or run[-1] < 100


@pytest.mark.parametrize(
    ("writing", "runs", "said"),
    [
        (Writing(1, temperature=1.0), 0, "1 to 100,000 times, not 0"),
        (Writing(1, temperature=1.0), 100_001, "1 to 100,000 times"),
        (Writing(1), 5, "a temperature above 0"),
        (Writing(0, temperature=1.0), 5, "a number of tokens"),
    ],
)
def test_what_cannot_be_counted_is_refused(
    writing: Writing, runs: int, said: str, saved_model: Saved
) -> None:
    model = LanguageModel.open(saved_model("llama"))
    with pytest.raises(UsageError, match=said):
        repeated(model, IDS, writing, runs)


def test_a_lens_counts_and_shows(saved_model: Saved, capsys: pytest.CaptureFixture[str]) -> None:
    directory = saved_model("llama")
    head = open_head(directory)
    found = head.lens("sea horse", generate=1, temperature=9.0, repeat=120)
    assert found.runs == sum(one.count for one in found.written) == 120
    assert isinstance(found.written[0], Written)
    assert found.to_dict()["written"][0]["count"] == found.written[0].count
    console = Console(width=100, record=True, file=StringIO())
    console.print(lens_table(found, width=100))
    text = console.export_text()
    assert "written in 120 runs:" in text
    assert "other texts" in text
    with pytest.raises(UsageError, match="residuals cannot be repeated"):
        head.lens(Residuals(np.ones((3, 1, head.rows.width)), (0,)), repeat=2)
    arguments = ["lens", str(directory), "sea", "--generate", "1", "--repeat", "3"]
    with pytest.raises(SystemExit) as ended:
        main([*arguments, "--temperature", "1"])
    assert ended.value.code == 0
    assert "written in 3 runs:" in capsys.readouterr().out
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    assert "temperature above 0" in capsys.readouterr().err
