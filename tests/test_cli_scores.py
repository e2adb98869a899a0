"""The commands direction and evaluate, and methods of near: exact output, exit codes, files."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from unembed import open_head
from unembed.cli import main

from .scored import EMOJI, write_head

GOLDEN = Path(__file__).parent / "golden"
Run = Callable[..., tuple[int, str, str]]
PAIRS = '["cat", "cats"], ["dog", "dogs"], ["house", "houses"], ["tree", "trees"], ["car", "cars"]'
MINE = f"""[many]
about = "more than one"
pairs = [{PAIRS}, ["sea", "seas of old"]]
"""
TWO = f"""{MINE}
[pictures]
region = "emoji"
"""


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    def run(*arguments: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as caught:
            main(arguments)
        output = capsys.readouterr()
        assert isinstance(caught.value.code, int)
        return caught.value.code, output.out, output.err

    return run


@pytest.fixture(autouse=True)
def _in_a_directory_with_a_head(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stand beside ./head, so that no path is in the output; bars never, gensim nowhere."""
    write_head(tmp_path / "head")
    (tmp_path / "mine.toml").write_text(MINE)
    (tmp_path / "two.toml").write_text(TWO)
    (tmp_path / "questions.txt").write_text(": plural\ncat cats dog dogs\ncat cats tree trees\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("unembed.geometry.views.bars._MOMENT", 1e9)
    monkeypatch.setattr("unembed.geometry.evaluation.analogies.find_spec", lambda _: None)


def is_golden(out: str, name: str) -> bool:
    path = GOLDEN / name
    if "UNEMBED_WRITE_GOLDEN" in os.environ:
        path.write_text(out, encoding="utf-8")
    return out == path.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("golden", "arguments"),
    [
        ("direction.txt", ["mine.toml"]),
        ("direction-emoji.txt", ["emoji", "--space", "cosine"]),
        ("direction-region.txt", ["pictures", "--directions", "two.toml", "--space", "centred"]),
        ("direction-two.txt", ["two.toml", "--estimator", "offset"]),
    ],
)
def test_a_direction_is_golden(run: Run, golden: str, arguments: list[str]) -> None:
    code, out, err = run("direction", "./head", *arguments)
    assert (code, err) == (0, "")
    assert is_golden(out, golden)


def test_the_json_of_directions_is_that_of_python(run: Run) -> None:
    code, out, err = run("direction", "./head", "two.toml", "--json", "--space", "cosine")
    assert (code, err) == (0, "")
    head = open_head("./head")
    wanted = [
        head.direction(name, directions="two.toml", space="cosine").to_dict()
        for name in ("many", "pictures")
    ]
    assert [json.loads(line) for line in out.splitlines()] == json.loads(json.dumps(wanted))
    first = json.loads(out.splitlines()[0])
    assert list(first) == [
        *("source", "space", "name", "about", "estimator", "region", "used", "pairs", "unused"),
        *("ranks", "cosine", "unmoved", "unmoved_cosine", "control", "control_cosine"),
        *("auroc", "auroc_ci95", "control_auroc"),
    ]
    assert [pair["base"] for pair in first["pairs"]] == ["cat", "dog", "house", "tree", "car"]
    assert first["unused"] == [
        {
            "pair": {"base": "sea", "target": "seas of old", "target_id": None},
            "why": first["unused"][0]["why"],
        }
    ]
    assert run("direction", "./head", "two.toml", "--json", "--space", "cosine") == (0, out, "")


def test_many_pairs_are_cut_to_the_worst(run: Run, tmp_path: Path) -> None:
    texts = [f"x{n:02}" for n in range(60)]
    write_head(tmp_path / "wide", others=[text for word in texts for text in (word, f"{word}s")])
    pairs = ", ".join(f'["{text}", "{text}s"]' for text in texts)
    Path("wide.toml").write_text(f"[many]\npairs = [{pairs}, ['a', 'b c'], ['d', 'e f']]\n")
    code, out, err = run("direction", "./wide", "wide.toml", "--space", "cosine")
    assert (code, err) == (0, "")
    (said,) = (line for line in out.splitlines() if line.startswith("the ") and "worst of" in line)
    shown = int(said.split()[1])
    assert said == f"the {shown} worst of 60"
    lines = out.splitlines()
    rows = lines[lines.index(said) - shown : lines.index(said)]
    worst = [int(row.split()[2].replace(",", "")) for row in rows]
    score = open_head("./wide").direction("many", directions="wide.toml", space="cosine")
    assert worst == sorted((pair.rank for pair in score.pairs), reverse=True)[:shown]
    assert "2 pairs were not used:" in lines


def test_a_saved_direction_answers_as_what_it_was_learned_from(run: Run) -> None:
    code, out, err = run("direction", "./head", "mine.toml", "--save", "many.safetensors")
    assert (code, err) == (0, "")
    assert run("direction", "./head", "mine.toml") == (0, out, "")
    asked = ["many(river)", "--top", "5", "--json"]
    saved = run("near", "./head", *asked, "--directions", "many.safetensors")
    assert saved == run("near", "./head", *asked, "--directions", "mine.toml")
    assert " rivers" in {near["text"] for near in json.loads(saved[1])["neighbours"]}
    assert run("direction", "./head", "many.safetensors") == (0, out, "")
    run("direction", "./head", "many.safetensors", "--save", "again.safetensors")
    assert saved == run("near", "./head", *asked, "--directions", "again.safetensors")
    code, _, err = run("near", "./head", "many(sea)", "--directions", "many.safetensors", "--space",
                       "cosine")  # fmt: skip
    assert code == 2
    assert "'causal'" in err


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["nosuch"], "unembed: unknown direction 'nosuch'; the directions are emoji, "),
        (["past"], "unembed: ./head has tokens for 0 of the 55 pairs of the direction 'past'"),
        (["nowhere.toml"], "unembed: nowhere.toml: there is no such file of directions"),
        (["nowhere.safetensors"], "unembed: nowhere.safetensors: "),
        (["wrong.toml"], "unembed: wrong.toml, line 4: many.pairs[2] is ['c']; a pair is two"),
        (["key.toml"], "unembed: key.toml, line 2: many.pear is unknown; the keys are about, pai"),
        (["plural", "--directions", "no.toml"], "unembed: no.toml is no TOML: "),
        (["head/model.safetensors"], "this is no saved direction"),
        (["plural", "--estimator", "x"], "unembed: unknown estimator 'x'; they are offset, cate"),
        (["plural", "--space", "x"], "unembed: unknown space 'x'; the spaces are logit"),
        (["plural", "--pieces", "x"], "unembed: unknown pieces 'x'; they are rarity, mean"),
        (["plural", "--fold-norm"], "has no final norm that could be folded"),
        (["two.toml", "--save", "x.safetensors"], "two.toml has 2 directions; --save writes one"),
        (["plural", "--save", "plural.toml"], "plural.toml: a direction is saved to a file that e"),
        (["plural", "--save", "no.toml/x.safetensors"], "no.toml/x.safetensors: the direction co"),
        (["mine.toml", "--directions", "two.toml"], "mine.toml is a file of directions; leave out"),
        (["one.toml"], "unembed: ./head has tokens for 1 of the targets of the direction 'many'"),
        ([], "Error: Missing argument 'NAME|FILE'"),
    ],
)
def test_a_wrong_direction_exits_with_2(run: Run, arguments: list[str], line: str) -> None:
    Path("wrong.toml").write_text('[many]\npairs = [\n["a", "b"], ["d", "e"],\n["c"], ["f", "g"]]')
    Path("key.toml").write_text(f"[many]\npear = 1\npairs = [{PAIRS}]")
    Path("no.toml").write_text("[many")
    ones = ", ".join(f'["{word}", "cats"]' for word in ("dog", "tree", "fish", "ship"))
    Path("one.toml").write_text(f"[many]\npairs = [{ones}]")
    code, out, err = run("direction", "./head", *arguments)
    assert (code, out) == (2, "")
    assert line in err
    assert "Traceback" not in err
    assert not list(Path().glob("x.safetensors"))


def test_what_is_wrong_with_a_direction_is_said_before_long_work(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*given: object, **options: object) -> None:
        raise AssertionError("opened first")

    monkeypatch.setattr("unembed.geometry.open_head.open_head", never)
    for wrong in (["--save", "x.txt"], ["--directions", "two.toml"]):
        assert run("direction", "./head", "mine.toml", *wrong)[0] == 2
    assert run("evaluate", "./head", "--figure", "x.gif")[0] == 2


SHORT = ["--spaces", "cosine", "--methods", "plain,procrustes+csls", "--questions", "questions.txt"]


def test_an_evaluation_is_golden(run: Run) -> None:
    code, out, err = run("evaluate", "./head", *SHORT)
    assert (code, err) == (0, "")
    assert is_golden(out, "evaluate.txt")


def test_the_json_of_evaluations_is_that_of_python(run: Run) -> None:
    code, out, err = run("evaluate", "./head", "--spaces", "cosine,logit", *SHORT[2:], "--json")
    assert (code, err) == (0, "")
    wanted = open_head("./head").evaluate(
        spaces=["cosine", "logit"], methods=["plain", "procrustes+csls"], questions="questions.txt"
    )
    texts = [json.dumps(found.to_dict(), ensure_ascii=False) for found in wanted]
    assert out.splitlines() == texts
    assert len(texts) == 4


@pytest.mark.parametrize(
    ("suffix", "start"), [("png", b"\x89PNG"), ("svg", b"<?xml"), ("pdf", b"%PDF")]
)
def test_a_figure_is_written_the_same_twice(run: Run, suffix: str, start: bytes) -> None:
    tables = [run("evaluate", "./head", *SHORT, "--figure", f"{name}.{suffix}") for name in "ab"]
    assert tables[0] == tables[1] == run("evaluate", "./head", *SHORT)
    one, other = (Path(f"{name}.{suffix}").read_bytes() for name in "ab")
    assert one.startswith(start)
    assert one == other
    if suffix == "svg":
        assert one.count(b"<use") > 20


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["--figure", "x.gif"], "unembed: x.gif: a figure is written as .png, .svg, .pdf"),
        (["--figure", "png"], "unembed: png: a figure is written as"),
        (["--figure", "no/such/x.png"], "unembed: no/such/x.png: cannot be written: No such file"),
        (["--figure", "two.toml/x.png"], "unembed: two.toml/x.png: cannot be written: Not a dir"),
        (["--figure", "folder.png"], "unembed: folder.png: is no regular file; name another"),
        (["--methods", "plain,best"], "unembed: unknown method 'best'; a method is plain, or par"),
        (["--methods", ""], "unembed: unknown method ''"),
        (["--spaces", "cosine,x"], "unembed: unknown space 'x'; the spaces are logit, cosine"),
        (["--spaces", ""], "unembed: unknown space ''"),
        (["--questions", "nowhere.txt"], "unembed: nowhere.txt: there is no such file of analogi"),
        (["--questions", "two.toml"], "unembed: two.toml, line 1: a question stands before the f"),
        (["--method", "plain"], "Error: No such option '--method'"),
    ],
)
def test_a_wrong_evaluation_exits_with_2(run: Run, arguments: list[str], line: str) -> None:
    Path("folder.png").mkdir()
    code, out, err = run("evaluate", "./head", *arguments)
    assert (code, out) == (2, "")
    assert line in err
    assert not list(Path().glob("x.*"))


def test_where_nothing_can_be_measured_there_is_no_figure(run: Run, tmp_path: Path) -> None:
    write_head(tmp_path / "bare", emoji=[], words=False)
    asked = ["evaluate", "./bare", "--spaces", "cosine"]
    code, table, err = run(*asked)
    assert (code, err) == (0, "")
    assert "./bare: how far answers can be trusted" in table
    wrong = "unembed: x.svg: nothing could be measured, so there is no figure to draw\n"
    assert run(*asked, "--figure", "x.svg") == (2, table, wrong)
    assert not Path("x.svg").exists()


def test_the_best_method_is_there_once_it_was_found(run: Run) -> None:
    asked = ["near", "./head", '"hot dog"', "--space", "cosine", "--json"]
    code, out, err = run(*asked, "--method", "best")
    assert (code, out) == (2, "")
    assert err == (
        "unembed: ./head has not been evaluated in the space cosine, so none is best there; run: "
        "unembed evaluate ./head --spaces cosine\n"
    )
    # What is made of the last piece is far from the word.
    code, _, _ = run("evaluate", "./head", "--spaces", "cosine", "--methods", "last,mean+csls")
    assert code == 0
    best = run(*asked, "--method", "best")
    assert best == run(*asked, "--method", "mean+csls")
    assert best == run(*asked, "--pieces", "mean", "--score", "csls")
    assert best[1] != run(*asked)[1]
    kept = [json.loads(line)["name"] for line in run("cache", "--json")[1].splitlines()]
    assert "best-method" in kept


@pytest.mark.parametrize(
    "option", [("--score", "csls"), ("--pieces", "mean"), ("--estimator", "ridge")]
)
def test_a_method_says_it_all(run: Run, option: tuple[str, str]) -> None:
    code, out, err = run("near", "./head", "dog", "--method", "procrustes+csls", *option)
    assert (code, out) == (2, "")
    assert err.startswith("unembed: the method 'procrustes+csls' says how pieces count")
    assert err.endswith("leave out pieces, estimator and score\n")


def test_a_method_of_a_direction_is_its_estimator(run: Run) -> None:
    asked = ["near", "./head", "emoji(dog)", "--json", "--region", "emoji"]
    code, out, err = run(*asked, "--method", "ridge+csls")
    assert (code, err) == (0, "")
    assert out == run(*asked, "--estimator", "ridge", "--score", "csls")[1]
    assert {near["text"] for near in json.loads(out)["neighbours"]} <= set(EMOJI)
    code, _, err = run(*asked, "--method", "nonsense")
    assert code == 2
    assert "unknown method 'nonsense'" in err


@pytest.mark.parametrize("command", [["evaluate", *SHORT], ["direction", "plural"]])
def test_progress_is_shown_on_stderr(
    run: Run, command: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = [command[0], "./head", *command[1:]]
    _, quiet, nothing = run(*arguments)
    assert nothing == ""
    monkeypatch.setattr("unembed.geometry.views.bars._MOMENT", 0)
    code, out, bars = run(*arguments)
    assert (code, out) == (0, quiet)
    assert "judging plural" in bars
    assert "100%" in bars
