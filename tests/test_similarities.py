"""How alike concepts are: each cosine that of two alone, in every space, and how it is given."""

import csv
import io
import json
import math
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from unembed import Head, open_head
from unembed.cli import main
from unembed.errors import ExpressionError, MissingExtraError, UsageError
from unembed.geometry import similarities as module
from unembed.geometry.similarities import MOST, Similarities

from .conftest import HOSTILE, WORDS

Make = Callable[..., Path]
SPACES = ["logit", "cosine", "centred", "causal", "causal:0.1"]
ASKED = ["king - man + woman", "queen", "sea", "-sea", "2*sea", '"sea horse"', "🐴", "#40", "sea"]
GOLDEN = Path(__file__).parent / "golden"


@pytest.fixture(scope="module")
def head(tmp_path_factory: pytest.TempPathFactory) -> Head:
    """Give a head on which spaces are derived once."""
    from .conftest import sentencepiece, tiny_rows
    from .helpers import TORCH

    directory = tmp_path_factory.mktemp("similarities")
    from safetensors.torch import save_file

    tokenizer = sentencepiece()
    rows = {"model.embed_tokens.weight": tiny_rows(tokenizer, 3).to(TORCH["BF16"])}
    save_file(rows, directory / "model.safetensors")
    (directory / "config.json").write_text('{"tie_word_embeddings": true}')
    tokenizer.save(str(directory / "tokenizer.json"))
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("XDG_CACHE_HOME", str(directory / "cache"))
        opened = open_head(directory)
        for space in SPACES:
            opened.concept("sea", space=space)
        return opened


@pytest.mark.parametrize("space", SPACES)
def test_each_is_the_similarity_of_two_to_the_last_bit(head: Head, space: str) -> None:
    queries: list[Any] = [*ASKED, np.arange(16.0), [("king", 1), (7, -2)]]
    found = head.similarities(queries, space=space)
    assert (found.source, found.space, found.measure) == (head.source, space, "cosine")
    for one, query in enumerate(queries):
        for other, against in enumerate(queries):
            wanted = head.similarity(query, against, space=space) if one != other else 1.0
            assert found.values_NN[one, other] == wanted
    places_ND = [head.concept(query, space=space).vector_D for query in queries]
    for one, place_D in enumerate(places_ND):
        for other, against_D in enumerate(places_ND):
            exact = math.fsum(place_D * against_D) / math.dist(place_D, np.zeros(16))
            assert found.values_NN[one, other] == pytest.approx(
                exact / math.dist(against_D, np.zeros(16)), abs=1e-14
            )


@given(data=st.data())
@settings(max_examples=40, deadline=None)
def test_laws(head: Head, data: st.DataObject) -> None:
    """It is symmetric, and no cosine depends on what is asked beside it or on how it is cut."""
    names = st.sampled_from(WORDS)
    expressions = st.tuples(names, st.sampled_from(["", " + sea", " - 0.5*cat"])).map("".join)
    asked = data.draw(st.lists(expressions, min_size=2, max_size=12))
    space = data.draw(st.sampled_from(SPACES))
    values_NN = head.similarities(asked, space=space).values_NN
    assert (values_NN == values_NN.T).all()
    assert (np.diag(values_NN) == 1).all()
    assert (np.abs(values_NN) <= 1).all()
    order = data.draw(st.permutations(range(len(asked))))[: data.draw(st.integers(2, len(asked)))]
    again = head.similarities([asked[place] for place in order], space=space)
    assert (again.values_NN == values_NN[np.ix_(order, order)]).all()
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(module, "_BLOCK_VALUES", data.draw(st.integers(1, 100)))
        assert (head.similarities(asked, space=space).values_NN == values_NN).all()


def test_the_options_are_those_of_similarity(head: Head) -> None:
    options: dict[str, Any] = {"space": "centred", "pieces": "first"}
    found = head.similarities(["abab", "sea"], **options)
    assert found.values_NN[0, 1] == head.similarity("abab", "sea", **options)
    assert found.resolved[0][0].method == "pieces_first"
    told: list[Any] = []
    head.similarities(["sea", "king", "man"], progress=lambda *step: told.append(step))
    assert told == [("comparing", 2, 3), ("comparing", 3, 3)]


def test_a_concept_of_another_space_is_refused(head: Head) -> None:
    with pytest.raises(UsageError, match="is not of this head's"):
        head.similarities([head.concept("sea", space="cosine"), "king"])


@pytest.mark.parametrize(
    ("queries", "options", "error", "message"),
    [
        ([], {}, UsageError, "0 given; 2 to 2,000 expressions are compared"),
        (
            ["sea"],
            {},
            UsageError,
            "1 given; 2 to 2,000 .*; nearest finds what is near to one",
        ),
        (["sea"] * (MOST + 1), {}, UsageError, "2,001 given; 2 to 2,000"),
        ("sea", {}, UsageError, r"queries is the one text 'sea'; give a list: \['sea'\]"),
        (["sea", "king - king"], {}, ExpressionError, "it comes out at zero"),
        (["sea", "king +"], {}, ExpressionError, "the end cannot stand here"),
        (["sea", "king"], {"space": "x"}, UsageError, "unknown space 'x'"),
        (["sea", np.ones(15)], {}, UsageError, r"vector 2 has shape \(15,\)"),
    ],
)
def test_a_wrong_call_says_what_is_wrong(
    head: Head, queries: Any, options: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        head.similarities(queries, **options)


def test_what_is_wrong_is_said_before_long_work(
    make_checkpoint: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*given: object, **options: object) -> None:
        raise AssertionError("derived first")

    monkeypatch.setattr("unembed.geometry.concepts.compose.open_space", never)
    head = open_head(make_checkpoint())
    for wrong in (["sea", "king +"], ["sea"]):
        with pytest.raises(UsageError):
            head.similarities(wrong)


def test_it_is_given_away(head: Head, monkeypatch: pytest.MonkeyPatch) -> None:
    found = head.similarities(["sea", "king - man", "sea"], space="cosine")
    said = found.to_dict()
    assert list(said) == [
        *("schema", "source", "space", "measure", "expressions", "resolved", "values")
    ]
    assert said["values"] == found.values_NN.tolist()
    assert [name["text"] for name in said["resolved"][1]] == ["king", "man"]
    assert json.loads(json.dumps(said))["values"] == said["values"]
    frame = found.to_pandas()
    assert list(frame.index) == list(frame.columns) == ["sea", "king - man", "sea"]
    assert (frame.to_numpy() == found.values_NN).all()
    rows = found.to_arrow().to_pylist()
    assert len(rows) == 9
    assert rows[1] == {"one": "sea", "other": "king - man", "cosine": found.values_NN[0, 1]}
    assert [row["cosine"] for row in rows] == found.values_NN.ravel().tolist()
    assert repr(found).endswith("cosine: 3 expressions)")
    with pytest.raises(ValueError, match="read-only"):
        found.values_NN[0, 0] = 2
    monkeypatch.setitem(__import__("sys").modules, "pandas", None)
    with pytest.raises(MissingExtraError, match="pandas"):
        found.to_pandas()


def test_a_notebook_escapes_every_text() -> None:
    names = ("<script>alert(1)</script>", "\x1b[31m\u202e")
    page = Similarities("<b>", "causal", "cosine", names, ((), ()), np.eye(2))._repr_html_()
    assert "<script" not in page
    assert "<b>" not in page
    assert "\x1b" not in page
    assert page.count("&lt;script&gt;") == 2
    assert page.count("<td>") == 4


# The command.


@pytest.fixture
def run(
    make_checkpoint: Make, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Callable[..., tuple[int, str, str]]:
    directory = make_checkpoint(dtype="F32")
    monkeypatch.chdir(directory.parent)

    def run(*arguments: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as caught:
            main(["similarity", f"./{directory.name}", *arguments])
        output = capsys.readouterr()
        assert isinstance(caught.value.code, int)
        return caught.value.code, output.out, output.err

    return run


Run = Callable[..., tuple[int, str, str]]


@pytest.mark.parametrize(
    ("golden", "arguments"),
    [
        ("similarity.txt", ["king - man + woman", "queen", "-sea", '"[bold red]"', "🐴"]),
        ("similarity-wide.txt", [*WORDS, "a - 0.25*mean(king, queen, man, woman, sea)", "b"]),
    ],
)
def test_output_is_golden(run: Run, golden: str, arguments: list[str]) -> None:
    code, out, err = run(*arguments)
    assert (code, err) == (0, "")
    if "UNEMBED_WRITE_GOLDEN" in os.environ:
        (GOLDEN / golden).write_text(out, encoding="utf-8")
    wanted = (GOLDEN / golden).read_text(encoding="utf-8")
    assert out == wanted
    assert max(len(line) for line in out.splitlines() if ":" not in line) <= 100


def test_csv_is_a_square_that_pandas_reads(run: Run) -> None:
    asked = ["king - man", "sea", '"hot, dog"', "🐴"]
    _, out, _ = run(*asked, "--csv")
    frame = pandas.read_csv(io.StringIO(out), index_col=0)
    (directory,) = [path for path in Path.cwd().iterdir() if path.name.startswith("sentence")]
    values_NN = open_head(directory).similarities(asked).values_NN
    assert list(frame.index) == list(frame.columns) == asked
    rows = list(csv.reader(io.StringIO(out)))
    assert [[float(value) for value in row[1:]] for row in rows[1:]] == values_NN.tolist()
    _, out, _ = run(*asked, "--json")
    assert json.loads(out)["values"] == values_NN.tolist()


def test_expressions_come_from_stdin(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    _, wanted, _ = run("king", "-sea + horse", "🐴", "--csv")
    monkeypatch.setattr("sys.stdin", io.StringIO("king\n\n  -sea + horse"))
    assert run("-", "🐴", "--csv") == (0, wanted, "")


def test_of_many_the_first_are_shown(run: Run) -> None:
    _, out, _ = run(*(f"#{place}" for place in range(50)))
    assert "the first 40 of 50 expressions; --csv and --json give all" in out
    assert "#39" in out
    assert "#40" not in out


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["king"], "unembed: 1 given; 2 to 2,000"),
        ([], "Error: give EXPRESSIONs, or - for stdin"),
        (["king", "sea +"], "unembed: the end cannot stand here"),
        (["king", "sea", "--space", "x"], "unembed: unknown space 'x'"),
        (["king", "sea", "--json", "--csv"], "Error: --json and --csv cannot both be printed"),
        (["king", "sea", "--spice"], "Error: No such option '--spice'"),
    ],
)
def test_a_wrong_call_exits_with_2(run: Run, arguments: list[str], line: str) -> None:
    code, out, err = run(*arguments)
    assert (code, out) == (2, "")
    assert line in err
    assert "Traceback" not in err


def test_hostile_texts_harm_no_terminal(run: Run) -> None:
    code, out, _ = run(*(f'token("{text}")' for text in HOSTILE))
    assert code == 0
    assert "\\x1b[31m" in out
    assert "\x1b" not in out
    assert "\u202e" not in out


@pytest.mark.real
@pytest.mark.parametrize("name", ["demo", "demo-bytes"])
@pytest.mark.parametrize("space", SPACES[:4])
def test_real_concepts_have_the_similarity_of_two(name: str, space: str) -> None:
    head = open_head(name)
    asked = ["sea", "ocean", "horse", "king - man + woman", "queen", "seahorse", "🐴"]
    values_NN = head.similarities(asked, space=space).values_NN
    for one, query in enumerate(asked):
        for other in range(one):
            assert values_NN[one, other] == head.similarity(query, asked[other], space=space)
    assert values_NN[0, 1] > values_NN[0, 2]
    assert values_NN[3].argsort()[-2] == 4
