"""Asking: from a prompt, or from residuals, to a lens."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TypedDict

from ...errors import UsageError
from ...indexes.progress import Progress
from ..heads.unembedding import Unembedding
from ..model.language_model import Writing, model_of
from ..model.repeating import repeated
from ..model.residuals import Residuals
from ..projection.gathering import Regions, gathered
from ..space import DEFAULT_SPACE
from .compared import compared
from .lens import Lens
from .look import look
from .over import drawn_over


class LensOptions(TypedDict, total=False):
    """What can be asked of a lens.

    Attributes
    ----------
    top : int
        How many tokens are given of each layer; 5 by default.
    track : sequence of str or None
        Names of single tokens to follow; None for those that are first in some layer.
    normed : bool
        Pass every layer through the final norm; True by default.
    concepts : sequence of str
        Expressions that each residual is compared with.
    decompose : int
        Write each residual as a sum of so many rows; 0 by default.
    over : str, sequence of str, sequence of int or None
        Draw the residuals as paths over the map of this region, as `project` takes it.
    space : str
        Where all three are done, as `open_space` takes it; causal by default.
    positions : sequence of int or None
        Which tokens of a prompt are looked at; negative ones count from the end, None is all, and
        -1, the last, is the default. Each token that is written is looked at too.
    generate : int
        How many tokens the model writes; 0 by default.
    temperature, seed
        As in `Writing`.
    repeat : int
        How often the prompt is repeated, to see how often the model writes what; 0 by default.
    chat : bool
        Put the prompt into the tokenizer's chat template.
    start : str
        The beginning of the answer.
    progress : callable or None
        Is told ``(step, done, total)``.

    Examples
    --------
    >>> import unembed
    >>> options: LensOptions = {"positions": [-2, -1], "top": 1}
    >>> unembed.open_head("demo").lens("sea horse", **options)
    Lens(demo: 19 layers, 2 positions)
    """

    top: int
    track: Sequence[str] | None
    normed: bool
    concepts: Sequence[str]
    decompose: int
    over: Regions
    space: str
    positions: Sequence[int] | None
    generate: int
    temperature: float
    seed: int
    repeat: int
    chat: bool
    start: str
    progress: Progress | None


def lens(
    head: Unembedding,
    prompt: str | Residuals,
    *,
    top: int = 5,
    track: Sequence[str] | None = None,
    normed: bool = True,
    concepts: Sequence[str] = (),
    decompose: int = 0,
    over: Regions = None,
    space: str = DEFAULT_SPACE,
    positions: Sequence[int] | None = (-1,),
    generate: int = 0,
    temperature: float = 0.0,
    seed: int = 0,
    repeat: int = 0,
    chat: bool = False,
    start: str = "",
    progress: Progress | None = None,
) -> Lens:
    """Say what each layer of a model would write, were it the last.

    Parameters
    ----------
    head : Unembedding
        The model's head; the model is the one beside it.
    prompt : str or Residuals
        What the model reads, or what it held.
    top, track, normed, concepts, decompose, over, space, positions, generate, temperature, \
seed, repeat, chat, start, progress
        As in `LensOptions`; from `positions` to `start` they are of a prompt alone.

    Raises
    ------
    UsageError, SourceError, MissingExtraError
        As `look` and `LanguageModel` do.

    Examples
    --------
    >>> import unembed
    >>> found = lens(unembed.open_head("demo"), "Tokyo is in Japan, Paris is in", top=1)
    >>> found.positions[0].layers[-1].top[0].token
    '▁France'
    """
    if repeat and not isinstance(prompt, str):
        raise UsageError("residuals cannot be repeated; give the prompt")
    if over is not None:
        gathered(head, over)  # a wrong one is refused before the model runs
    writing, held = Writing(generate, temperature, seed), prompt
    if isinstance(held, str):
        held = residuals_of(
            head, held, positions=positions, writing=writing, chat=chat, start=start
        )
    found = look(head, held, top=top, track=track, normed=normed, progress=progress)
    if concepts or decompose:
        found = compared(
            found,
            head,
            held,
            concepts=concepts,
            decompose=decompose,
            space=space,
            progress=progress,
        )
    if over is not None:
        found = drawn_over(found, head, held, over, space=space, progress=progress)
    if not repeat or not isinstance(prompt, str):
        return found
    return repeats_of(
        found, head, prompt, repeat, writing=writing, chat=chat, start=start, progress=progress
    )


def residuals_of(
    head: Unembedding,
    prompt: str,
    *,
    positions: Sequence[int] | None = (-1,),
    writing: Writing | None = None,
    chat: bool = False,
    start: str = "",
) -> Residuals:
    """Run the model beside a head, and keep what it holds after each layer.

    Parameters
    ----------
    head : Unembedding
        The model's head.
    prompt, positions, writing, chat, start
        As in `lens`.

    Raises
    ------
    UsageError, SourceError, MissingExtraError
        As `LanguageModel` does.

    Examples
    --------
    >>> import unembed
    >>> residuals_of(unembed.open_head("demo"), "sea horse", positions=[0, -1])
    Residuals(19 layers, 2 positions, 640)
    """
    ids = _tokens(head, prompt, chat=chat, start=start)
    return replace(model_of(head).run(ids, positions=positions, writing=writing), prompt=prompt)


def repeats_of(
    found: Lens,
    head: Unembedding,
    prompt: str,
    runs: int,
    *,
    writing: Writing,
    chat: bool = False,
    start: str = "",
    progress: Progress | None = None,
) -> Lens:
    """Add to a lens how often the model writes what after its prompt.

    Parameters
    ----------
    found : Lens
        Of the prompt.
    head, prompt, writing, chat, start, progress
        As in `residuals_of` and `lens`.
    runs : int
        How often the prompt is repeated.

    Raises
    ------
    UsageError, SourceError, MissingExtraError
        As `repeated` and `LanguageModel` do.

    Examples
    --------
    >>> import unembed
    >>> head, cold = unembed.open_head("demo"), Writing(1, temperature=0.01)
    >>> found = head.lens("Tokyo is in Japan, Paris is in")
    >>> repeats_of(found, head, "Tokyo is in Japan, Paris is in", 2, writing=cold).written
    (Written(text=' France', count=2),)
    """
    ids = _tokens(head, prompt, chat=chat, start=start)
    written = repeated(model_of(head), ids, writing, runs, progress=progress)
    return replace(found, runs=runs, written=written)


def _tokens(head: Unembedding, prompt: str, *, chat: bool, start: str) -> list[int]:
    """Make tokens of a prompt; refuse those that the head has no rows for."""
    ids = model_of(head).tokens_of(prompt, chat=chat, start=start)
    wrong = [id_ for id_ in ids if id_ >= head.rows.count]
    if wrong:
        raise UsageError(
            f"the prompt has the token {wrong[0]}; the head of {head.source} has {head.rows.count}"
        )
    return ids
