"""The story of the seahorse, on the demo model: what its layers hold, and what it writes."""

import pytest
import torch
import transformers
from unembed import Head, open_head
from unembed.errors import SourceError
from unembed.geometry.concepts.compose import composer_of
from unembed.geometry.evaluation.by_model import open_by_model
from unembed.geometry.lens.ask import residuals_of
from unembed.geometry.lens.lens import Lens
from unembed.geometry.model.language_model import Writing

pytestmark = pytest.mark.real
PROMPT = (
    "Here is a horse emoji: 🐴\nHere is a dog emoji: 🐶\nHere is a fish emoji: 🐟\n"
    "Here is a seahorse emoji:"
)


@pytest.fixture(scope="module")
def demo() -> Head:
    return open_head("demo")


@pytest.fixture(scope="module")
def found(demo: Head) -> Lens:
    return demo.lens(PROMPT, generate=2, track=["'ahorse'", "🐴"])


def test_the_middle_layers_hold_a_seahorse_and_the_text_does_not(found: Lens) -> None:
    before, space = found.positions[:2]
    assert before.layers[13].top[0].text == "ahorse"
    assert before.layers[13].top[0].probability > 0.8
    assert before.layers[-1].top[0].text == " "
    assert {space.layers[layer].top[0].token for layer in (13, 14, 15, 16)} == {"ahorse"}
    assert space.layers[-1].top[0].token in {"🐙", "🐢", "🦈", "🐍"}
    assert space.layers[-1].tracked[0].rank > 100


def test_the_last_layer_gives_what_transformers_gives(found: Lens) -> None:
    path = open_head("demo").path.parent
    tokenizer = transformers.AutoTokenizer.from_pretrained(path, local_files_only=True)
    model = transformers.AutoModelForCausalLM.from_pretrained(
        path, local_files_only=True, dtype=torch.float32
    ).eval()
    with torch.no_grad():
        chances_V = model(**tokenizer(PROMPT, return_tensors="pt")).logits[0, -1].softmax(dim=-1)
    for guess in found.positions[0].layers[-1].top:
        assert guess.probability == pytest.approx(chances_V[guess.id].item(), rel=1e-3)
    assert found.positions[0].layers[-1].top[0].id == int(chances_V.argmax())


def test_what_the_model_nearly_writes_are_no_unused_tokens(demo: Head) -> None:
    held = residuals_of(demo, PROMPT, positions=None, writing=Writing(20, temperature=1.0))
    report = demo.examine(residuals=held)
    assert report.reached is not None
    assert report.reached.positions == len(held.positions) > 50
    firsts = [place.layers[-1].top[0].id for place in demo.lens(held, top=1).positions]
    assert set(report.reached.ranks_V[firsts].tolist()) == {1}
    assert int((report.reached.ranks_V == 1).sum()) == len(set(firsts))
    assert report.kinds(report.distant_N)["unused"] == report.kinds()["unused"] == 6242


def test_the_model_builds_rare_words(demo: Head) -> None:
    """`seahorse` in pieces is horse racing; as the model builds it, an animal of the sea."""
    wet = {"🦈", "🐠", "🐢", "🐟", "🐳", "🐬", "🐙", "🧜", "🐡", "🦑"}
    found = demo.nearest('model("seahorse")', region="emoji", top=5)
    assert len({near.text for near in found.neighbours} & wet) >= 3
    pieces = demo.nearest("seahorse", region="emoji", top=5)
    assert len({near.text for near in pieces.neighbours} & wet) <= 1


def test_the_model_answers_where_pieces_do_not(demo: Head) -> None:
    names = ["kitty", "hedgehog", "lorry", "hot dog"]
    options = {"region": "emoji", "pieces": "model", "with_model": True}
    found = demo.audit(names, **options)  # type: ignore[arg-type]
    assert found.terms["model"]["layer"] >= 13
    for finding in found.findings:
        assert finding.believed is not None
        assert finding.believed > 0.5
    assert found.findings[0].written_text in {"🐱", "🐈", "😺", "😽", "😻", "😸"}


def test_layers_say_when_the_model_knows(demo: Head) -> None:
    composer = composer_of(demo)
    asked = open_by_model(composer, "emoji")
    early_L, late_L = asked.reciprocal_ranks_L[:12], asked.reciprocal_ranks_L[12:]
    assert early_L.max() < 0.4
    assert late_L.min() > 0.6


def test_a_decoder_without_its_layers_is_not_run() -> None:
    with pytest.raises(SourceError, match="weights of WhisperForCausalLM are not there"):
        open_head("demo-bytes").lens("sea")
