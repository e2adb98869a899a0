"""Many prompts at once: the same as each alone, on tiny models of many architectures."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from unembed.errors import UsageError
from unembed.geometry.model.language_model import LanguageModel
from unembed.geometry.model.many import after_each

from .modelled import CAUSAL

BEGINNING = [11, 5, 7]
ENDINGS = [[300, 2, 9], [4], [8, 8], [300, 2, 9, 12, 13, 14], *[[place, 3] for place in range(40)]]


@pytest.mark.parametrize("name", CAUSAL)
def test_a_batch_holds_what_each_prompt_does_alone(
    name: str, saved_model: Callable[[str], Path]
) -> None:
    model = LanguageModel.open(saved_model(name))
    layers = range(len(model.layers) + 1)
    together_NLD = after_each(model, BEGINNING, ENDINGS, layers=layers)
    for place in (0, 1, 2, 3, len(ENDINGS) - 1):
        alone_LPD = model.run([*BEGINNING, *ENDINGS[place]]).stack_LPD
        largest = np.abs(alone_LPD).max()
        np.testing.assert_allclose(together_NLD[place], alone_LPD[:, 0], atol=1e-5 * largest)


def test_layers_come_as_asked_and_progress_is_told(saved_model: Callable[[str], Path]) -> None:
    model, told = LanguageModel.open(saved_model("llama")), []
    both_NLD = after_each(
        model, BEGINNING, ENDINGS, layers=[2, 0], progress=lambda *given: told.append(given)
    )
    np.testing.assert_array_equal(
        both_NLD[:, ::-1], after_each(model, BEGINNING, ENDINGS, layers=[0, 2])
    )
    assert [done for _, done, _ in told][-1] == len(ENDINGS)
    assert after_each(model, BEGINNING, [], layers=[0]).shape[:2] == (0, 1)


@pytest.mark.parametrize("ending", [[], [1] * 513])
def test_an_ending_has_tokens_and_not_too_many(
    ending: list[int], saved_model: Callable[[str], Path]
) -> None:
    model = LanguageModel.open(saved_model("llama"))
    with pytest.raises(UsageError, match=rf"prompt 1 ends with {len(ending)} tokens"):
        after_each(model, BEGINNING, [[1], ending], layers=[0])
