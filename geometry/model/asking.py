"""Asking a model for what stands to names as others do in examples: ``emoji of seahorse:``."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...indexes.progress import Progress
from ...indexes.store import Arrays, fits
from ..heads.unembedding import Unembedding
from .language_model import LanguageModel, model_of
from .many import after_each

# N names; L layers; D the width.

_VERSION = 1


@dataclass(frozen=True)
class Question:
    r"""What a model reads before a name: examples, a line each.

    Attributes
    ----------
    relation : str
        What is asked for: ``emoji``.
    examples : tuple of (str, str)
        Names, and what the relation leads to.

    Examples
    --------
    >>> question = Question("emoji", (("horse", "🐴"), ("dog", "🐶")))
    >>> question.text("seahorse")
    'emoji of horse: 🐴\nemoji of dog: 🐶\nemoji of seahorse:'
    """

    relation: str
    examples: tuple[tuple[str, str], ...]

    def text(self, name: str) -> str:
        """Give the prompt for a name."""
        before = (f"{self._asked(base)} {target}\n" for base, target in self.examples)
        return "".join(before) + self._asked(name)

    def tokens(self, model: LanguageModel, names: Sequence[str]) -> list[list[int]]:
        """Give the tokens of the prompts for names, up to where the answer's own token comes.

        Where the tokenizer writes the space before an answer by itself, it is of the prompt.
        """
        base, target = self.examples[0]
        spaced = model.tokens_of(f"{self._asked(base)} ")
        whole = model.tokens_of(f"{self._asked(base)} {target}")
        end = " " if whole[: len(spaced)] == spaced else ""
        return [model.tokens_of(self.text(name) + end) for name in names]

    def _asked(self, name: str) -> str:
        """Ask for one name."""
        return f"{self.relation} of {name}:"


def answers(
    head: Unembedding,
    question: Question,
    names: Sequence[str],
    *,
    layers: Sequence[int],
    progress: Progress | None = None,
) -> NDArray[np.float32]:
    """Give what layers of the model beside a head hold where it would answer, kept in the store.

    Parameters
    ----------
    head : Unembedding
        Whose model.
    question : Question
        What is asked.
    names : sequence of str
        Of each.
    layers : sequence of int
        As `after_each` takes them.
    progress : callable, optional
        Is told ``(step, done, total)``.

    Returns
    -------
    ndarray of float32
        Shape (N, L, D).

    Raises
    ------
    MissingExtraError, SourceError
        As `LanguageModel.open`.
    UsageError
        A name is too long.

    Examples
    --------
    >>> import unembed
    >>> question = Question("emoji", (("horse", "🐴"), ("dog", "🐶")))
    >>> answers(unembed.open_head("demo"), question, ["seahorse"], layers=[13]).shape
    (1, 1, 640)
    """
    wanted = (len(names), len(layers), head.rows.width)
    if not names:
        return np.empty(wanted, dtype=np.float32)

    def build() -> Arrays:
        model = model_of(head)
        prompts = question.tokens(model, names)
        alike = _alike(prompts)
        endings = [ids[alike:] for ids in prompts]
        beginning = prompts[0][:alike]
        return {"held": after_each(model, beginning, endings, layers=layers, progress=progress)}

    digest = hashlib.sha256(repr(list(names)).encode(errors="backslashreplace")).hexdigest()
    kept = head.store.arrays(
        "answers",
        repr((_VERSION, question, tuple(layers), digest)),
        build,
        lambda kept: fits(kept, {"held": wanted}, np.float32),
    )
    return np.asarray(kept["held"])


def _alike(prompts: Sequence[Sequence[int]]) -> int:
    """Count the tokens that all begin with, less the last of the shortest."""
    first, last = min(map(list, prompts)), max(map(list, prompts))
    most = min(map(len, prompts)) - 1
    return next((place for place in range(most) if first[place] != last[place]), most)
