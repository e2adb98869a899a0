"""The same prompt many times: how often the model writes what."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from ...errors import UsageError
from ...indexes.progress import Progress, step_of
from .language_model import LanguageModel, Writing

MOST = 100_000
_TOGETHER = 50
_SEEDS = 1 << 32


@dataclass(frozen=True)
class Written:
    """What a model wrote in some of many runs.

    Attributes
    ----------
    text : str
        All that it wrote.
    count : int
        In how many runs.

    Examples
    --------
    >>> Written(" 🐙", 7).count
    7
    """

    text: str
    count: int


def repeated(
    model: LanguageModel,
    ids: Sequence[int],
    writing: Writing,
    runs: int,
    *,
    progress: Progress | None = None,
) -> tuple[Written, ...]:
    """Draw what a model writes after a prompt, many times.

    Parameters
    ----------
    model : LanguageModel
        Which.
    ids : sequence of int
        What it reads.
    writing : Writing
        How it goes on; at a temperature above 0.
    runs : int
        How often, 1 to 100,000.
    progress : callable, optional
        Is told ``(step, done, total)``.

    Returns
    -------
    tuple of Written
        The commonest first; of equal counts by their texts.

    Raises
    ------
    UsageError
        The number of runs is out of range, nothing is written, or nothing is drawn.

    Examples
    --------
    >>> import unembed
    >>> from unembed.geometry.model.language_model import model_of
    >>> model = model_of(unembed.open_head("demo"))
    >>> ids = model.tokens_of("Tokyo is in Japan, Paris is in")
    >>> repeated(model, ids, Writing(1, temperature=0.01), 3)
    (Written(text=' France', count=3),)
    """
    if not 1 <= runs <= MOST:
        raise UsageError(f"a prompt is repeated 1 to {MOST:,} times, not {runs}")
    if not writing.tokens or not writing.temperature:
        raise UsageError(
            "every run is the same unless tokens are written and drawn: give a number of tokens "
            "to generate, and a temperature above 0"
        )
    counts: Counter[str] = Counter()
    told = step_of(progress, "repeating the prompt")
    for start in range(0, runs, _TOGETHER):
        together = min(_TOGETHER, runs - start)
        drawn = Writing(writing.tokens, writing.temperature, (writing.seed + start) % _SEEDS)
        for new in model.write(ids, drawn, runs=together):
            counts[model.tokenizer.decode(new, skip_special_tokens=True)] += 1
        told(start + together, runs)
    found = sorted(counts.items(), key=lambda one: (-one[1], one[0]))
    return tuple(Written(text, count) for text, count in found)
