"""Analogies: gensim and plain numpy as oracles, the file's format, the two real heads."""

import importlib.util
import sys
from collections.abc import Callable
from itertools import permutations, product
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from unembed import Head, open_head
from unembed.errors import UsageError
from unembed.geometry.evaluation.analogies import Question, complete, read_questions
from unembed.geometry.evaluation.cosines import Cosines
from unembed.geometry.evaluation.offsets import MEASURES, NOTHING, answers
from unembed.geometry.space import SPACES, Space, open_space

from .conftest import FAMILIES, WORDS, tiny_rows

Make = Callable[..., Path]


def place_of(head: Head, space: Space) -> NDArray[np.float64]:
    """Give unit vectors of all rows in a space; a row at the origin stays there."""
    placed_VD = space.place(head.rows.decode(np.arange(head.rows.count)))
    norms_V = np.linalg.norm(placed_VD, axis=1, keepdims=True)
    return placed_VD / np.where(norms_V > 1e-9, norms_V, 1)


def oracle(
    units_VD: NDArray[np.float64], known_V: NDArray[np.bool_], ids: list[int]
) -> dict[str, int]:
    """Answer one question by plain numpy."""
    a_V, b_V, c_V = (units_VD @ units_VD[id_] for id_ in ids)
    scores = {
        "cosadd": b_V - a_V + c_V,
        "cosmul": (1 + b_V) / 2 * (1 + c_V) / 2 / ((1 + a_V) / 2 + 1e-6),
    }
    allowed_V = known_V.copy()
    allowed_V[ids] = False
    return {
        name: int(np.argmax(np.where(allowed_V, scores_V, -np.inf)))
        for name, scores_V in scores.items()
    }


def all_questions(head: Head) -> NDArray[np.int64]:
    ids = [id_ for word in WORDS if (id_ := head.vocabulary.id_of(f" {word}")) is not None]
    questions_Q3 = np.array(list(permutations(ids, 3)))
    assert len(questions_Q3) == 720
    return questions_Q3


# The causal space needs rows that vary in all directions; two of the heads have too few.
FEW = [(family, "causal") for family in ("unigram", "wordpiece")]


@pytest.mark.parametrize(
    ("family", "space"), [each for each in product(FAMILIES, SPACES) if each not in FEW]
)
def test_answers_are_those_of_numpy(family: str, space: str, make_checkpoint: Make) -> None:
    head = open_head(make_checkpoint(family))
    opened = open_space(head, space)
    questions_Q3 = all_questions(head)
    found = answers(head, opened, questions_Q3)
    units_VD = place_of(head, opened)
    for place, ids in enumerate(questions_Q3.tolist()):
        wanted = oracle(units_VD, head.vocabulary.known_V, ids)
        assert {name: found[name][place] for name in MEASURES} == wanted


def test_answers_do_not_depend_on_blocks_and_portions(
    make_checkpoint: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    head = open_head(make_checkpoint())
    space, questions_Q3 = open_space(head), all_questions(head)
    wanted = answers(head, space, questions_Q3)
    monkeypatch.setattr("unembed.geometry.evaluation.cosines._LARGEST_BLOCK", 7)
    monkeypatch.setattr("unembed.geometry.evaluation.offsets._MOST_TOKENS", 4)
    monkeypatch.setattr("unembed.geometry.evaluation.offsets._GROUP", 3)
    monkeypatch.setattr("unembed.geometry.evaluation.offsets._MOST_KEPT", 1)
    found = answers(head, space, questions_Q3)
    for name in MEASURES:
        np.testing.assert_array_equal(found[name], wanted[name])


def test_equal_rows_come_by_the_lower_id(
    make_checkpoint: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Float32 cannot tell rows that differ in the last bit of float64 or not at all."""
    rows = tiny_rows(FAMILIES["sentencepiece"](), 3)
    queen = 258 + 3 + WORDS.index("queen")
    rows[40] = rows[90] = rows[queen]
    rows[90, 0] *= 1 + 2.0**-40
    tensors = {"model.embed_tokens.weight": rows}
    head = open_head(make_checkpoint(dtype="F64", tensors=tensors))
    space = open_space(head, "cosine")
    ids = [head.vocabulary.id_of(f" {word}") for word in ("man", "king", "woman")]
    cosines = Cosines.of(head, space, np.array(ids))
    scores = dict(
        zip(
            (40, 90, queen),
            np.array([-1, 1, 1]) @ cosines.exact(np.arange(3), np.array([40, 90, queen])),
            strict=True,
        )
    )
    assert scores[40] == scores[queen] != scores[90]
    wanted = max(scores, key=lambda id_: (scores[id_], -id_))
    for kept in (4096, 1):
        monkeypatch.setattr("unembed.geometry.evaluation.offsets._MOST_KEPT", kept)
        assert answers(head, space, np.array([ids]))["cosadd"][0] == wanted


def test_rows_that_float32_cannot_place_are_scored_in_float64(make_checkpoint: Make) -> None:
    """All rows lie so near their mean that a float32 cosine in the centred space tells nothing."""
    rows = tiny_rows(FAMILIES["sentencepiece"](), 3) * 1e-9 + 1
    tensors = {"model.embed_tokens.weight": rows}
    head = open_head(make_checkpoint(dtype="F64", tensors=tensors))
    space = open_space(head, "centred")
    questions_Q3 = all_questions(head)[::10]
    block = next(Cosines.of(head, space, questions_Q3[0]).blocks())
    assert (block.error_B >= 1).all()
    assert not block.cosines_WB.any()
    found = answers(head, space, questions_Q3)
    units_VD = place_of(head, space)
    for place, ids in enumerate(questions_Q3.tolist()):
        wanted = oracle(units_VD, head.vocabulary.known_V, ids)
        assert {name: found[name][place] for name in MEASURES} == wanted


def test_a_bound_holds(make_checkpoint: Make) -> None:
    head = open_head(make_checkpoint())
    for name in SPACES:
        space = open_space(head, name)
        units_VD = place_of(head, space)
        ids_W = np.arange(250, 275)
        for block in Cosines.of(head, space, ids_W).blocks():
            true_WB = units_VD[ids_W] @ units_VD[block.ids_B].T
            assert (np.abs(block.cosines_WB - true_WB) <= block.error_B).all()
            assert (block.error_B < 1e-4).all()


def test_a_token_at_the_origin_and_no_row_left(make_checkpoint: Make) -> None:
    rows = torch.zeros(16, 16, dtype=torch.float64)
    rows[1:4] = torch.eye(16, dtype=torch.float64)[:3]
    head = open_head(
        make_checkpoint("unigram", dtype="F64", tensors={"model.embed_tokens.weight": rows})
    )
    found = answers(head, open_space(head, "cosine"), np.array([[0, 1, 2], [1, 1, 1]]))
    # To the first all rows but 1 and 2 have the cosine 0; the lowest id beside the question's is 3.
    assert found["cosadd"].tolist() == [3, 0]
    known = int(head.vocabulary.known_V.sum())
    assert known == 13
    known_N = np.flatnonzero(head.vocabulary.known_V)
    head.vocabulary.known_V[known_N[3:]] = False
    assert answers(head, open_space(head, "cosine"), known_N[None, :3])["cosmul"][0] == NOTHING


@pytest.mark.skipif(importlib.util.find_spec("gensim") is None, reason="gensim is not installed")
@pytest.mark.filterwarnings("ignore")
def test_accuracy_is_that_of_gensim(make_checkpoint: Make, tmp_path: Path) -> None:
    from gensim.models import KeyedVectors

    head = open_head(make_checkpoint())
    space = open_space(head, "cosine")
    vocabulary = head.vocabulary
    known_N = np.flatnonzero(vocabulary.known_V)
    theirs = KeyedVectors(head.rows.width)
    theirs.add_vectors([str(id_) for id_ in known_N], head.rows.decode(known_N).astype(np.float32))
    rng = np.random.default_rng(0)
    quadruples = [
        ("man", "king", "woman", "queen"),
        *(rng.permutation(WORDS)[:4] for _ in range(60)),
    ]
    questions = [Question("all", tuple(map(str, words))) for words in quadruples]
    ids = [[str(vocabulary.id_of(f" {word}")) for word in each.words] for each in questions]
    path = tmp_path / "ids.txt"
    path.write_text(": all\n" + "\n".join(" ".join(each) for each in ids) + "\n")
    accuracies = {}
    for name, asked in (("cosadd", theirs.most_similar), ("cosmul", theirs.most_similar_cosmul)):
        accuracies[name], _ = theirs.evaluate_word_analogies(
            str(path),
            case_insensitive=False,
            similarity_function=asked.__name__,
        )
    found = complete(head, space, questions)
    assert found.cosadd is not None
    assert found.cosmul is not None
    assert accuracies == {
        "cosadd": pytest.approx(found.cosadd.accuracy),
        "cosmul": pytest.approx(found.cosmul.accuracy),
    }
    assert 0 < found.cosadd.accuracy < 0.5
    answered = answers(head, space, np.array(ids, dtype=np.int64)[:, :3])
    for (a, b, c, _), add, mul in zip(ids, answered["cosadd"], answered["cosmul"], strict=True):
        assert theirs.most_similar(positive=[b, c], negative=[a], topn=1)[0][0] == str(add)
        assert theirs.most_similar_cosmul(positive=[b, c], negative=[a], topn=1)[0][0] == str(mul)


def test_what_is_covered_and_the_sections(make_checkpoint: Make) -> None:
    head = open_head(make_checkpoint())
    questions = [
        Question("family", ("man", "king", "woman", "queen")),
        Question("family", ("king", "man", "queen", "seahorse")),  # no token
        Question("fish", ("man", "king", "woman", "pizza")),
        Question("none", ("Man", "king", "woman", "queen")),  # words as they are written
    ]
    found = complete(head, open_space(head, "cosine"), questions)
    assert (found.covered, found.total) == (2, 4)
    as_dict = found.to_dict()
    assert as_dict["cosadd"] == {"accuracy": 0.5, "ci95": [0.0, 1.0]}
    assert as_dict["sections"] == {
        "family": {"n": 1, "cosadd": 1.0, "cosmul": 1.0},
        "fish": {"n": 1, "cosadd": 0.0, "cosmul": 0.0},
    }
    assert found.sections["family"].cosadd.ci95 == (1.0, 1.0)


def test_nothing_is_covered(make_checkpoint: Make) -> None:
    head = open_head(make_checkpoint())
    found = complete(head, open_space(head), [Question("s", ("no", "such", "words", "here"))])
    assert found.to_dict() == {
        "covered": 0,
        "total": 1,
        "cosadd": None,
        "cosmul": None,
        "sections": {},
    }


def test_progress_is_told(make_checkpoint: Make) -> None:
    head, told = open_head(make_checkpoint()), []
    complete(
        head,
        open_space(head, "cosine"),
        [Question("family", ("man", "king", "woman", "queen"))],
        progress=lambda *step: told.append(step),
    )
    known = int(head.vocabulary.known_V.sum())
    assert told == [("completing analogies", known, known)]


def test_a_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "questions.txt"
    path.write_bytes(
        "\ufeff: capital common\r\n\r\nÅbo Finland Paris France\r\n:b\na b c d".encode()
    )
    assert read_questions(str(path)) == (
        Question("capital common", ("Åbo", "Finland", "Paris", "France")),
        Question("b", ("a", "b", "c", "d")),
    )


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b": a\n\none two three\n", r"line 3: 3 words; an analogy has 4"),
        (b": a\n1 2 3 4 5\n", r"line 2: 5 words"),
        (b"1 2 3 4\n", r"line 1: a question stands before the first section"),
        (b": a\n1 2 3 4\n: \n", r"line 3: a section has no name"),
        (b"", r"there is no analogy in it"),
        (b": a\n", r"there is no analogy in it"),
        (b": a\n\xff\xfe b c d\n", r"cannot be read: 'utf-8' codec"),
        (b": a\n" + b"1 2 3 4\n" * 4, r"line 5: more than 3 analogies"),
        (b": a\n" + b"1 2 3 4\n" * 20, r"164 bytes; analogies have at most 100"),
    ],
)
def test_what_is_no_file_of_analogies_is_refused(
    content: bytes, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("unembed.geometry.evaluation.analogies._MOST_QUESTIONS", 3)
    monkeypatch.setattr("unembed.geometry.evaluation.analogies._FILE_LIMIT", 100)
    path = tmp_path / "questions.txt"
    path.write_bytes(content)
    with pytest.raises(UsageError, match=message):
        read_questions(path)


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "none", "a\0b", "/dev/null"):
        with pytest.raises(UsageError, match="there is no such file of analogies"):
            read_questions(path)


def test_questions_come_from_an_installed_gensim(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "gensim"
    data = package / "test" / "test_data"
    data.mkdir(parents=True)
    (package / "__init__.py").write_text("raise RuntimeError('imported')")
    for name in [name for name in sys.modules if name.partition(".")[0] == "gensim"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.syspath_prepend(str(tmp_path))
    assert read_questions() is None  # it lacks them
    (data / "questions-words.txt").write_text(": a\n1 2 3 4\n")
    assert read_questions() == (Question("a", ("1", "2", "3", "4")),)
    assert "gensim" not in sys.modules


def test_without_gensim_there_are_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("unembed.geometry.evaluation.analogies.find_spec", {}.get)
    assert read_questions() is None

    def lost(name: str) -> None:
        raise ValueError("gensim.__spec__ is None")

    monkeypatch.setattr("unembed.geometry.evaluation.analogies.find_spec", lost)
    assert read_questions() is None


@pytest.mark.real
@pytest.mark.skipif(importlib.util.find_spec("gensim") is None, reason="gensim is not installed")
@pytest.mark.parametrize(
    ("source", "space", "covered", "cosadd", "cosmul"),
    [
        ("demo", "cosine", 14_648, 0.769, 0.793),
        ("demo-bytes", "causal", 8_721, 0.658, 0.704),
    ],
)
def test_the_real_heads(
    source: str, space: str, covered: int, cosadd: float, cosmul: float
) -> None:
    head = open_head(source)
    questions = read_questions()
    assert questions is not None
    found = complete(head, open_space(head, space), questions)
    assert (found.covered, found.total) == (covered, 19_544)
    assert found.cosadd is not None
    assert found.cosmul is not None
    assert found.cosadd.accuracy == pytest.approx(cosadd, abs=1e-3)
    assert found.cosmul.accuracy == pytest.approx(cosmul, abs=1e-3)
    assert found.cosadd.ci95[0] < found.cosadd.accuracy < found.cosadd.ci95[1]
    assert sum(section.n for section in found.sections.values()) == covered
