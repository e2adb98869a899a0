"""Analogies: gensim and plain numpy as oracles, the file's format, the two real heads."""

import importlib.util
import json
import sys
from collections.abc import Callable
from itertools import permutations, product
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from tokenizers import Tokenizer
from unembed import Head, open_head
from unembed.errors import UsageError
from unembed.geometry.evaluation.analogies import Question, complete, read_questions
from unembed.geometry.evaluation.cosines import Cosines
from unembed.geometry.evaluation.offsets import MEASURES, NOTHING, Answers, answers
from unembed.geometry.space import SPACES, Space, open_space

from .conftest import FAMILIES, WORDS, tiny_rows

Make = Callable[..., Path]


def place_of(head: Head, space: Space) -> NDArray[np.float64]:
    """Give unit vectors of all rows in a space; a row at the origin stays there."""
    placed_VD = space.place(head.rows.decode(np.arange(head.rows.count)))
    norms_V = np.linalg.norm(placed_VD, axis=1, keepdims=True)
    return placed_VD / np.where(norms_V > 1e-9, norms_V, 1)


def forms_of(head: Head) -> NDArray[np.str_]:
    """Give what each row writes, but for case and white space; a fragment is like no other."""
    texts = map(head.vocabulary.text, range(head.rows.count))
    return np.array(
        [f"fragment {id_}" if t is None else t.strip().casefold() for id_, t in enumerate(texts)]
    )


def oracle(
    head: Head, space: Space, questions_Q3: NDArray[np.int64], *, spellings: bool
) -> dict[str, list[int]]:
    """Answer questions by plain numpy."""
    units_VD, forms_V = place_of(head, space), forms_of(head)
    a_QV, b_QV, c_QV = (units_VD @ units_VD.T)[questions_Q3.T]
    scores = {
        "cosadd": b_QV - a_QV + c_QV,
        "cosmul": (1 + b_QV) / 2 * (1 + c_QV) / 2 / ((1 + a_QV) / 2 + 1e-6),
    }
    out_QV = (questions_Q3[:, :, None] == np.arange(head.rows.count)).any(axis=1)
    if spellings:
        out_QV |= (forms_V[questions_Q3][:, :, None] == forms_V).any(axis=1)
    out_QV |= ~head.vocabulary.known_V
    return {
        name: np.where(out_QV, -np.inf, scores_QV).argmax(axis=1).tolist()
        for name, scores_QV in scores.items()
    }


def check(head: Head, space: Space, questions_Q3: NDArray[np.int64]) -> Answers:
    """Compare answers with those of plain numpy."""
    found = answers(head, space, questions_Q3)
    for answered, spellings in ((found.strict, False), (found.spellings_left_out, True)):
        wanted = oracle(head, space, questions_Q3, spellings=spellings)
        assert {name: ids_Q.tolist() for name, ids_Q in answered.items()} == wanted
    return found


# Spellings, and the words whose rows are near theirs.
SPELLINGS = {"king": "king", "▁King": "king", "KING": "king", "man": "man", "▁MAN": "man"}
SPELLINGS |= {"▁STRASSE": "sea", "▁straße": "sea", "▁Queen": "queen", "▁▁queen": "queen"}


@pytest.fixture
def spelled_head(make_checkpoint: Make, monkeypatch: pytest.MonkeyPatch) -> Head:
    """Give a head with several spellings of a word, whose rows are near each other."""

    def tokenizer() -> Tokenizer:
        content = json.loads(FAMILIES["sentencepiece"]().to_str())
        vocab = content["model"]["vocab"]
        vocab |= {token: len(vocab) + place for place, token in enumerate(SPELLINGS)}
        return Tokenizer.from_str(json.dumps(content))

    monkeypatch.setitem(FAMILIES, "spelled", tokenizer)
    made, noise = tokenizer(), torch.Generator().manual_seed(0)
    rows = tiny_rows(made, 3)
    for token, word in SPELLINGS.items():
        near = rows[made.token_to_id(f"▁{word}")] + 0.3 * torch.randn(16, generator=noise)
        rows[made.token_to_id(token)] = near
    tensors = {"model.embed_tokens.weight": rows}
    return open_head(make_checkpoint("spelled", dtype="F64", tensors=tensors))


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
    check(head, open_space(head, space), all_questions(head))


@pytest.mark.parametrize("space", SPACES)
def test_spellings_are_left_out(space: str, spelled_head: Head) -> None:
    head, questions_Q3 = spelled_head, all_questions(spelled_head)
    found = check(head, open_space(head, space), questions_Q3)
    for name in MEASURES:
        assert (found.strict[name] != found.spellings_left_out[name]).sum() > 50


def test_any_tokens_may_be_asked_for(spelled_head: Head) -> None:
    """Two fragments have no text and are no spellings of each other; straße is one of STRASSE."""
    known_N = np.flatnonzero(spelled_head.vocabulary.known_V)
    ids = [spelled_head.vocabulary.id_of_token(token) for token in ("<0x80>", "▁straße", "▁")]
    questions_Q3 = np.random.default_rng(0).choice(known_N, (300, 3))
    questions_Q3[:100, 0], questions_Q3[100:150] = ids[1], ids
    check(spelled_head, open_space(spelled_head, "cosine"), questions_Q3)


@pytest.mark.parametrize("lower", [True, False])
def test_a_spelling_with_the_score_of_another_word_comes_by_the_lower_id(
    lower: bool, make_checkpoint: Make
) -> None:
    """The token <0x61> is a spelling of the token "a"; it gets the row of another."""
    rows = tiny_rows(FAMILIES["sentencepiece"](), 3)
    spelling, other = 2 + ord("a"), 2 + ord("a") + (1 if lower else -1)
    a = 2 + 256 + 1
    ids = [2 + 5, 2 + 6, a]
    rows[spelling] = rows[other] = rows[ids[1]] - rows[ids[0]] + rows[a]
    head = open_head(make_checkpoint(dtype="F64", tensors={"model.embed_tokens.weight": rows}))
    assert np.flatnonzero(forms_of(head) == "a").tolist() == [2 + ord("A"), spelling, a]
    found = answers(head, open_space(head, "cosine"), np.array([ids]))
    for name in MEASURES:
        assert found.strict[name].tolist() == [min(spelling, other)]
        assert found.spellings_left_out[name].tolist() == [other]


@pytest.mark.parametrize("kept", [1 << 20, 1])
def test_answers_do_not_depend_on_blocks_and_portions(
    kept: int, spelled_head: Head, monkeypatch: pytest.MonkeyPatch
) -> None:
    space, questions_Q3 = open_space(spelled_head), all_questions(spelled_head)[::7]
    wanted = answers(spelled_head, space, questions_Q3)
    monkeypatch.setattr("unembed.geometry.evaluation.cosines._LARGEST_BLOCK", 7)
    small = {"_MOST_TOKENS": 6, "_RUN": 3, "_MOST_QUESTIONS": 2, "_MOST_RUNS": 2}
    for name, value in (small | {"_MOST_KEPT": kept}).items():
        monkeypatch.setattr(f"unembed.geometry.evaluation.offsets.{name}", value)
    found = answers(spelled_head, space, questions_Q3)
    for name in MEASURES:
        assert (found.strict[name] == wanted.strict[name]).all()
        assert (found.spellings_left_out[name] == wanted.spellings_left_out[name]).all()


def test_equal_rows_come_by_the_lower_id(
    make_checkpoint: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Float32 cannot tell rows that differ in the last bit of float64 or not at all."""
    rows = tiny_rows(FAMILIES["sentencepiece"](), 3)
    queen = 258 + 3 + WORDS.index("queen")
    rows[40] = rows[90] = rows[queen]
    rows[90, 0] *= 1 + 2.0**-40
    head = open_head(make_checkpoint(dtype="F64", tensors={"model.embed_tokens.weight": rows}))
    space = open_space(head, "cosine")
    ids = [head.vocabulary.id_of(f" {word}") for word in ("man", "king", "woman")]
    cosines = Cosines.of(head, space, np.array(ids))
    exact_33 = cosines.exact(np.arange(3)[:, None], np.array([40, 90, queen]))
    scores = dict(zip((40, 90, queen), np.array([-1, 1, 1]) @ exact_33, strict=True))
    assert scores[40] == scores[queen] != scores[90]
    wanted = max(scores, key=lambda id_: (scores[id_], -id_))
    for kept in (4096, 1):
        monkeypatch.setattr("unembed.geometry.evaluation.offsets._MOST_KEPT", kept)
        assert answers(head, space, np.array([ids])).strict["cosadd"][0] == wanted


def test_rows_that_float32_cannot_place_are_scored_in_float64(make_checkpoint: Make) -> None:
    """All rows lie so near their mean that a float32 cosine in the centred space tells nothing."""
    rows = tiny_rows(FAMILIES["sentencepiece"](), 3) * 1e-9 + 1
    head = open_head(make_checkpoint(dtype="F64", tensors={"model.embed_tokens.weight": rows}))
    space = open_space(head, "centred")
    questions_Q3 = all_questions(head)[::10]
    block = next(Cosines.of(head, space, questions_Q3[0]).blocks())
    assert (block.error_B >= 1).all()
    assert not block.cosines_WB.any()
    check(head, space, questions_Q3)


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
    assert found.strict["cosadd"].tolist() == [3, 0]
    known_N = np.flatnonzero(head.vocabulary.known_V)
    assert len(known_N) == 13
    head.vocabulary.known_V[known_N[3:]] = False
    found = answers(head, open_space(head, "cosine"), known_N[None, :3])
    assert found.strict["cosmul"][0] == found.spellings_left_out["cosadd"][0] == NOTHING


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
    drawn = [tuple(map(str, rng.permutation(WORDS)[:4])) for _ in range(60)]
    questions = [Question("all", words) for words in (("man", "king", "woman", "queen"), *drawn)]
    ids = [[str(vocabulary.id_of(f" {word}")) for word in each.words] for each in questions]
    path = tmp_path / "ids.txt"
    path.write_text(": all\n" + "\n".join(" ".join(each) for each in ids) + "\n")
    accuracies = {}
    for name, asked in (("cosadd", theirs.most_similar), ("cosmul", theirs.most_similar_cosmul)):
        accuracies[name], _ = theirs.evaluate_word_analogies(
            str(path), case_insensitive=False, similarity_function=asked.__name__
        )
    found = complete(head, space, questions).to_dict()
    assert accuracies == {name: pytest.approx(found[name]["accuracy"]) for name in MEASURES}
    assert 0 < accuracies["cosadd"] < 0.5
    answered = answers(head, space, np.array(ids, dtype=np.int64)[:, :3]).strict
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
    # None of this head's words has another spelling.
    assert as_dict["spellings_left_out"].items() <= as_dict.items()


def test_an_answer_that_is_a_spelling_of_a_question_word_is_left_out(spelled_head: Head) -> None:
    head, space = spelled_head, open_space(spelled_head, "cosine")
    questions_Q3, king = all_questions(head), head.vocabulary.id_of(" King")
    asked_Q = answers(head, space, questions_Q3).strict["cosadd"] == king
    ids = questions_Q3[asked_Q][0].tolist()
    words = [str(head.vocabulary.text(id_)).strip() for id_ in [*ids, king]]
    assert "king" in words[:3]
    done = complete(head, space, [Question("case", tuple(words))])
    assert done.to_dict()["cosadd"]["accuracy"] == 1.0
    (section,) = done.spellings_left_out.to_dict()["sections"].values()
    assert section == {"n": 1, "cosadd": 0.0, "cosmul": 0.0}


def test_nothing_is_covered(make_checkpoint: Make) -> None:
    head = open_head(make_checkpoint())
    found = complete(head, open_space(head), [Question("s", ("no", "such", "words", "here"))])
    none = {"cosadd": None, "cosmul": None, "sections": {}}
    assert found.to_dict() == {"covered": 0, "total": 1, **none, "spellings_left_out": none}


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
    ("source", "space", "covered", "strict", "left_out"),
    [
        ("demo", "cosine", 14_648, (0.769, 0.793), (0.811, 0.821)),
        ("demo", "causal", 14_648, (0.6235, 0.756), (0.8205, 0.849)),
        ("demo-bytes", "causal", 8_721, (0.658, 0.704), (0.708, 0.741)),
    ],
)
def test_the_real_heads(
    source: str, space: str, covered: int, strict: tuple[float, ...], left_out: tuple[float, ...]
) -> None:
    head, questions = open_head(source), read_questions()
    assert questions is not None
    found = complete(head, open_space(head, space), questions).to_dict()
    assert (found["covered"], found["total"]) == (covered, 19_544)
    for figures, wanted in ((found, strict), (found["spellings_left_out"], left_out)):
        assert [figures[name]["accuracy"] for name in MEASURES] == pytest.approx(wanted, abs=1e-3)
        assert figures["cosadd"]["ci95"][0] < wanted[0] < figures["cosadd"]["ci95"][1]
        assert sum(section["n"] for section in figures["sections"].values()) == covered
