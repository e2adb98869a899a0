"""Mikolov's analogies: how many a head completes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import UsageError
from ...indexes.progress import Progress
from ...indexes.tensors import is_file
from ..heads.unembedding import Unembedding
from ..space import Space
from .bootstrap import pairs_interval
from .offsets import MEASURES, answers

# N covered questions a : b = c : d.

_OF_GENSIM = ("test", "test_data", "questions-words.txt")
_FILE_LIMIT = 8 << 20
_MOST_QUESTIONS = 100_000
_WORDS = 4


@dataclass(frozen=True)
class Question:
    """An analogy: a is to b as c is to d.

    Attributes
    ----------
    section : str
        Where it stands.
    words : tuple of str
        a, b, c and d, as they are written.

    Examples
    --------
    >>> Question("family", ("king", "queen", "man", "woman")).words[3]
    'woman'
    """

    section: str
    words: tuple[str, ...]


@dataclass(frozen=True)
class Accuracy:
    """How many questions a measure answers.

    Attributes
    ----------
    accuracy : float
        The part that is right.
    ci95 : tuple of float
        Its interval, see `bootstrap.pairs_interval`: the pairs of a section are drawn, since the
        questions are all combinations of few pairs.

    Examples
    --------
    >>> right_N, pairs_N2 = np.array([True, False]), np.array([[0, 1], [1, 0]])
    >>> Accuracy.of(right_N, pairs_N2, np.array([0, 0]))
    Accuracy(accuracy=0.5, ci95=(0.5, 0.5))
    """

    accuracy: float
    ci95: tuple[float, float]

    @classmethod
    def of(
        cls,
        right_N: NDArray[np.bool_],
        pairs_N2: NDArray[np.int64],
        sections_P: NDArray[np.int64],
    ) -> "Accuracy":
        """Sum up which questions were answered right, at least one."""
        right = right_N.astype(np.float64)
        return cls(float(right_N.mean()), pairs_interval(right, pairs_N2, sections_P))

    def to_dict(self) -> dict[str, Any]:
        """Give it as the object that ``--json`` prints."""
        return {"accuracy": self.accuracy, "ci95": list(self.ci95)}


@dataclass(frozen=True)
class Section:
    """How many of a section's covered questions are answered.

    Attributes
    ----------
    n : int
        The covered questions, at least one.
    cosadd, cosmul : float
        The part that is right by each measure.

    Examples
    --------
    >>> Section(2, 1.0, 0.5).n
    2
    """

    n: int
    cosadd: float
    cosmul: float


@dataclass(frozen=True)
class Completion:
    """How many of the covered questions are answered, with some tokens left out.

    Attributes
    ----------
    cosadd, cosmul : Accuracy or None
        Over the covered questions; None where there are none.
    sections : mapping of str to Section
        Those with covered questions, in the order of the file.

    Examples
    --------
    >>> Completion().to_dict()
    {'cosadd': None, 'cosmul': None, 'sections': {}}
    """

    cosadd: Accuracy | None = None
    cosmul: Accuracy | None = None
    sections: Mapping[str, Section] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        right: Mapping[str, NDArray[np.bool_]],
        sections: Mapping[str, Sequence[int]],
        pairs_N2: NDArray[np.int64],
        sections_P: NDArray[np.int64],
    ) -> "Completion":
        """Sum up which questions were answered right by each measure; sections have places."""
        return cls(
            Accuracy.of(right["cosadd"], pairs_N2, sections_P),
            Accuracy.of(right["cosmul"], pairs_N2, sections_P),
            {
                section: Section(
                    len(places), *(float(right[name][places].mean()) for name in MEASURES)
                )
                for section, places in sections.items()
            },
        )

    def to_dict(self) -> dict[str, Any]:
        """Give it as the object that ``--json`` prints; a section's figures are accuracies."""
        return {
            "cosadd": None if self.cosadd is None else self.cosadd.to_dict(),
            "cosmul": None if self.cosmul is None else self.cosmul.to_dict(),
            "sections": {
                name: {
                    "n": section.n,
                    "cosadd": section.cosadd,
                    "cosmul": section.cosmul,
                }
                for name, section in self.sections.items()
            },
        }


@dataclass(frozen=True)
class Analogies:
    """How many analogies a head completes in a space.

    Attributes
    ----------
    covered : int
        The questions whose four words are one token each, with a leading space.
    total : int
        All questions.
    strict : Completion
        With the three tokens of each question left out.
    spellings_left_out : Completion
        With every other spelling of the three words left out as well.

    Examples
    --------
    >>> Analogies(0, 3, Completion(), Completion()).to_dict()["total"]
    3
    """

    covered: int
    total: int
    strict: Completion
    spellings_left_out: Completion

    def to_dict(self) -> dict[str, Any]:
        """Give it as the object that ``--json`` prints; the strict figures stand at its top."""
        return {
            "covered": self.covered,
            "total": self.total,
            **self.strict.to_dict(),
            "spellings_left_out": self.spellings_left_out.to_dict(),
        }


def read_questions(path: str | Path | None = None) -> tuple[Question, ...] | None:
    r"""Read analogies: lines of four words, in sections that a line ``: name`` begins.

    Parameters
    ----------
    path : str or Path, optional
        Such a file in UTF-8; where it is None, Mikolov's ``questions-words.txt`` as an installed
        gensim brings it, which is not imported for it.

    Returns
    -------
    tuple of Question or None
        None where no file was named and gensim is not installed, or lacks it.

    Raises
    ------
    UsageError
        The file cannot be read, is too large, has no question or too many, or a line is none (the
        message has its number).

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "questions.txt"
    >>> _ = path.write_text(": family\nking queen man woman\n")
    >>> read_questions(path)
    (Question(section='family', words=('king', 'queen', 'man', 'woman')),)
    """
    found = _of_gensim() if path is None else Path(path)
    return None if found is None else _parse(found, _read(found))


def complete(
    head: Unembedding,
    space: Space,
    questions: Sequence[Question],
    *,
    progress: Progress | None = None,
) -> Analogies:
    """Give how many analogies a head completes, by 3CosAdd and 3CosMul (see `offsets.answers`).

    An answer is right where it is the very token of d. Strictly, only the tokens of a, b and c are
    left out. But the nearest tokens to `` king`` may be ``king``, `` King`` and ``KING``, each one
    a wrong answer, so a second figure leaves out all spellings of the three words: tokens with the
    same text but for white space around it and for case. A d that is one of these, as `` Polish``
    is of `` polish``, is left out all the same, and the question is lost, as with gensim's
    ``evaluate_word_analogies``, which takes no account of case unless told to.

    Parameters
    ----------
    head : Unembedding
        Whose rows.
    space : Space
        Where the angles are taken.
    questions : sequence of Question
        As `read_questions` gives them.
    progress : callable, optional
        Is told ``(step, done, total)``.

    Examples
    --------
    >>> import unembed
    >>> from unembed.geometry.space import open_space
    >>> head = unembed.open_head("demo-bytes")
    >>> questions = [Question("past tense", ("walk", "walked", "jump", "jumped"))]
    >>> complete(head, open_space(head), questions).strict.cosadd
    Accuracy(accuracy=1.0, ci95=(1.0, 1.0))
    """
    ids_of = {
        word: head.vocabulary.id_of(f" {word}")
        for word in dict.fromkeys(word for question in questions for word in question.words)
    }
    tokens = [[ids_of[word] for word in question.words] for question in questions]
    covered = [place for place, ids in enumerate(tokens) if None not in ids]
    if not covered:
        return Analogies(0, len(questions), Completion(), Completion())
    ids_N4 = np.array([tokens[place] for place in covered], dtype=np.int64)
    found = answers(head, space, ids_N4[:, :3], progress=progress)
    sections: dict[str, list[int]] = {}
    for place, question in enumerate(covered):
        sections.setdefault(questions[question].section, []).append(place)
    pairs_N2, sections_P = _pairs(ids_N4, sections)
    strict, left_out = (
        Completion.of(
            {name: answered[name] == ids_N4[:, 3] for name in MEASURES},
            sections,
            pairs_N2,
            sections_P,
        )
        for answered in (found.strict, found.spellings_left_out)
    )
    return Analogies(len(covered), len(questions), strict, left_out)


def _pairs(
    ids_N4: NDArray[np.int64], sections: Mapping[str, Sequence[int]]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Give each question's two pairs by their numbers, and the section of each pair."""
    section_N = np.empty(len(ids_N4), dtype=np.int64)
    for number, places in enumerate(sections.values()):
        section_N[list(places)] = number
    both = np.concatenate([ids_N4[:, :2], ids_N4[:, 2:]])
    labelled = np.column_stack([np.tile(section_N, 2), both])
    pairs, numbers = np.unique(labelled, axis=0, return_inverse=True)
    return numbers.reshape(2, -1).T, pairs[:, 0]


def _of_gensim() -> Path | None:
    """Find the questions that gensim brings, without importing it."""
    try:
        spec = find_spec("gensim")
    except ValueError:  # a module of this name is loaded that was not found by an import
        return None
    roots = spec.submodule_search_locations if spec is not None else None
    paths = [Path(root).joinpath(*_OF_GENSIM) for root in roots or ()]
    return next((path for path in paths if is_file(path)), None)


def _read(path: Path) -> list[str]:
    """Read the lines of a file of bounded size."""
    if not is_file(path):
        raise UsageError(f"{path}: there is no such file of analogies")
    try:
        size = path.stat().st_size
        if size > _FILE_LIMIT:
            raise UsageError(f"{path}: {size:,} bytes; analogies have at most {_FILE_LIMIT:,}")
        return path.read_text(encoding="utf-8-sig").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: the analogies cannot be read: {error}") from error


def _parse(path: Path, lines: Sequence[str]) -> tuple[Question, ...]:
    """Read sections and questions."""
    section, questions = None, []
    for number, line in enumerate(lines, start=1):
        words = tuple(line.split())
        if not words:
            continue
        if words[0].startswith(":"):
            section = line.strip().removeprefix(":").strip()
            if not section:
                raise UsageError(f"{path}, line {number}: a section has no name; write ': family'")
            continue
        if section is None:
            raise UsageError(
                f"{path}, line {number}: a question stands before the first section; begin with "
                "a line such as ': family'"
            )
        if len(words) != _WORDS:
            raise UsageError(
                f"{path}, line {number}: {len(words)} words; an analogy has {_WORDS}, as in "
                "'king queen man woman'"
            )
        questions.append(Question(section, words))
        if len(questions) > _MOST_QUESTIONS:
            raise UsageError(
                f"{path}, line {number}: more than {_MOST_QUESTIONS:,} analogies; divide the file"
            )
    if not questions:
        raise UsageError(f"{path}: there is no analogy in it; write lines of four words")
    return tuple(questions)
