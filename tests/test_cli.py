"""The command line: exact output, exit codes, one line for every error."""

import csv
import io
import json
import math
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from unembed import __version__, open_head
from unembed.cli import main

Make = Callable[..., Path]
GOLDEN = Path(__file__).parent / "golden"


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    def run(*arguments: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as caught:
            main(arguments)
        output = capsys.readouterr()
        assert isinstance(caught.value.code, int)
        return caught.value.code, output.out, output.err

    return run


Run = Callable[..., tuple[int, str, str]]


@pytest.mark.parametrize(
    ("golden", "family", "arguments"),
    [
        ("analogy.txt", "sentencepiece", ["king - man + woman", "--space", "logit", "--top", "5"]),
        ("emoji.txt", "sentencepiece", ["sea + horse", "--region", "emoji"]),
        ("leading-minus.txt", "byte_level", ["-king + sea", "--top", "3"]),
        (
            "whole.txt",
            "sentencepiece",
            ['0.5*mean(cat, dog) + "sea horse"', "king", "--track", "🐴", "--residual-norm", "4"],
        ),
        ("fragments.txt", "byte_level", ["🐴", "--region", "bytes", "--top", "4"]),
        ("hostile.txt", "sentencepiece", ["king", "--top", "285"]),
        ("csls.txt", "byte_level", ["king + sea", "--score", "csls", "--top", "4"]),
        ("cosmul.txt", "wordpiece", ["king - man + woman", "--score", "cosmul", "--top", "4"]),
    ],
)
def test_output_is_golden(
    run: Run,
    make_checkpoint: Make,
    monkeypatch: pytest.MonkeyPatch,
    golden: str,
    family: str,
    arguments: list[str],
) -> None:
    directory = make_checkpoint(family, dtype="F32")
    monkeypatch.chdir(directory.parent)
    code, out, err = run("near", f"./{directory.name}", *arguments)
    assert (code, err) == (0, "")
    path = GOLDEN / golden
    if "UNEMBED_WRITE_GOLDEN" in os.environ:
        path.write_text(out, encoding="utf-8")
    assert out == path.read_text(encoding="utf-8")


def test_a_lens_is_golden(
    run: Run, make_checkpoint: Make, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    directory = make_checkpoint("sentencepiece", dtype="F32")
    rows_VD = open_head(directory).rows.decode(slice(None))
    ids, steps = open_head(directory).vocabulary, np.linspace(0, 1, 4)[:, None, None]
    end_PD = rows_VD[[ids.id_of(f" {word}") or 0 for word in ("sea", "king")]]
    start_PD = rows_VD[[ids.id_of(f" {word}") or 0 for word in ("horse", "man")]]
    np.save(tmp_path / "run.npy", 2 * ((1 - steps) * start_PD + steps * end_PD))
    monkeypatch.chdir(tmp_path)
    asked = ["--residuals", "run.npy", "--track", "sea,🐴", "--concept", "king - man"]
    code, out, _ = run("lens", os.path.relpath(directory), *asked, "--decompose", "2")
    assert code == 0
    if "UNEMBED_WRITE_GOLDEN" in os.environ:
        (GOLDEN / "lens.txt").write_text(out, encoding="utf-8")
    assert out == (GOLDEN / "lens.txt").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("golden", "family", "arguments"),
    [
        ("explain.txt", "sentencepiece", ["🐴", "--from", "all", "--parts", "3"]),
        ("explain-fragment.txt", "byte_level", ["#200", "--parts", "2", "--signed"]),
        ("explain-sum.txt", "wordpiece", ["-king + sea", "--parts", "3", "--by", "lasso"]),
    ],
)
def test_an_explanation_is_golden(
    run: Run,
    make_checkpoint: Make,
    monkeypatch: pytest.MonkeyPatch,
    golden: str,
    family: str,
    arguments: list[str],
) -> None:
    directory = make_checkpoint(family, dtype="F32")
    monkeypatch.chdir(directory.parent)
    code, out, _ = run("explain", f"./{directory.name}", *arguments)
    assert code == 0
    if "UNEMBED_WRITE_GOLDEN" in os.environ:
        (GOLDEN / golden).write_text(out, encoding="utf-8")
    assert out == (GOLDEN / golden).read_text(encoding="utf-8")
    code, out, _ = run("explain", f"./{directory.name}", *arguments, "--json")
    assert (code, json.loads(out)["schema"]) == (0, 1)


@pytest.mark.parametrize(
    "page",
    [
        [],
        ["near"],
        ["explain"],
        ["compare"],
        ["similarity"],
        ["vocab"],
        ["export"],
        ["map"],
        ["lens"],
        ["serve"],
        ["direction"],
        ["evaluate"],
        ["info"],
        ["cache"],
    ],
)
def test_help_is_golden(run: Run, page: list[str]) -> None:
    code, out, _ = run(*page, "--help")
    path = GOLDEN / f"help{''.join(f'-{word}' for word in page)}.txt"
    if "UNEMBED_WRITE_GOLDEN" in os.environ:
        path.write_text(out, encoding="utf-8")
    assert (code, out) == (0, path.read_text(encoding="utf-8"))


def test_version(run: Run) -> None:
    assert run("--version") == (0, f"unembed {__version__}\n", "")


def test_the_json_object_is_golden(run: Run, make_checkpoint: Make) -> None:
    directory = make_checkpoint("byte_level", dtype="F32")
    arguments = ["king - man + woman", "--json", "--top", "2", "--space", "cosine"]
    _, out, _ = run("near", str(directory), *arguments)
    answer = json.loads(out)
    answer["source"] = "SOURCE"
    floats = {}
    for place, token in enumerate([*answer["neighbours"], answer["snap"]]):
        for name in ("score", "logit", "gap_logit", "gap_degrees"):
            if name in token:
                floats[f"{name}{place}"], token[name] = token[name], name
    assert json.dumps(answer, ensure_ascii=False) == (
        '{"schema": 1, "source": "SOURCE", "expression": "king - man + woman", '
        '"space": "cosine", "score": "cosine", "region": null, "index": "exact", "resolved": ['
        '{"text": "king", "token_ids": [259], "tokens": ["Ġking"], "method": "leading_space", '
        '"words": [{"text": "king", "token_ids": [259], "method": "leading_space"}]}, '
        '{"text": "man", "token_ids": [262], "tokens": ["Ġman"], "method": "leading_space", '
        '"words": [{"text": "man", "token_ids": [262], "method": "leading_space"}]}, '
        '{"text": "woman", "token_ids": [267], "tokens": ["Ġwoman"], "method": "leading_space", '
        '"words": [{"text": "woman", "token_ids": [267], "method": "leading_space"}]}], '
        '"neighbours": [{"rank": 1, "id": 272, "token": "Ġqueen", "text": " queen", '
        '"score": "score", "logit": "logit", "probability": null}, '
        '{"rank": 2, "id": 182, "token": "ú", "text": null, '
        '"score": "score", "logit": "logit", "probability": null}], '
        '"snap": {"id": 272, "token": "Ġqueen", "text": " queen", "logit": "logit", '
        '"probability": null, "gap_logit": "gap_logit", "gap_degrees": "gap_degrees"}, '
        '"tracked": []}'
    )
    assert floats["score0"] == pytest.approx(0.9977149622677468, rel=1e-12)
    assert floats["score1"] == pytest.approx(0.6536790103877861, rel=1e-12)
    cosine = floats["score0"]
    assert floats["gap_degrees2"] == pytest.approx(math.degrees(math.acos(cosine)), rel=1e-9)
    length = floats["logit2"] / cosine  # in this space the logit is the cosine times the norm
    assert floats["gap_logit2"] == pytest.approx(length * (1 - cosine), rel=1e-9)


def test_a_list_of_queries_is_a_stream_of_lines(
    run: Run, make_checkpoint: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory = str(make_checkpoint())
    head = open_head(directory)
    lines = ["king", "-sea + horse", "🐴"]
    wanted = [answer.to_dict() for answer in head.nearest_each(lines, top=3)]
    _, out, _ = run("near", directory, *lines, "--top", "3", "--json")
    assert [json.loads(line) for line in out.splitlines()] == json.loads(json.dumps(wanted))
    monkeypatch.setattr("sys.stdin", io.StringIO("king\n\n  -sea + horse"))
    _, piped, _ = run("near", directory, "-", "🐴", "--top", "3", "--json")
    assert piped == out


def test_csv_reads_back_in_full(run: Run, make_checkpoint: Make) -> None:
    directory = str(make_checkpoint())
    _, out, _ = run("near", directory, "king", 'sea + "horse"', "--csv", "--top", "300")
    rows = list(csv.DictReader(io.StringIO(out)))
    answers = open_head(directory).nearest_each(["king", 'sea + "horse"'], top=300)
    wanted = [(answer, near) for answer in answers for near in answer.neighbours]
    assert len(rows) == len(wanted)
    for row, (answer, near) in zip(rows, wanted, strict=True):
        assert (row["expression"], row["space"], row["region"]) == (answer.expression, "causal", "")
        assert (int(row["id"]), float(row["score"])) == (near.id, near.score)
        assert (row["token"], row["text"]) == (near.token, near.text or "")
        assert row["probability"] == ""


@pytest.mark.parametrize("suffix", ["npy", "safetensors"])
def test_residuals_come_from_a_file(
    run: Run, make_checkpoint: Make, tmp_path: Path, suffix: str
) -> None:
    from safetensors.numpy import save_file

    directory = str(make_checkpoint())
    head = open_head(directory)
    residuals_ND = np.array([head.vector("king"), 3 * head.vector("sea - horse")], np.float32)
    path = tmp_path / f"residuals.{suffix}"
    if suffix == "npy":
        np.save(path, residuals_ND)
    else:
        save_file({"residuals": residuals_ND}, path)
    code, out, err = run("near", directory, "--vector", str(path), "--json", "--top", "1")
    assert (code, err) == (0, "")
    first, second = (json.loads(line) for line in out.splitlines())
    assert [first["neighbours"][0]["token"], first["resolved"]] == ["▁king", []]
    assert second["neighbours"][0]["token"] == "▁sea"  # noqa: S105
    logits_V = head.logits(residuals_ND[1].astype(np.float64))
    assert second["snap"]["id"] == int(logits_V[: head.vocabulary.known_V.sum()].argmax())
    assert second["snap"]["probability"] == pytest.approx(
        math.exp(second["snap"]["logit"]) / np.exp(logits_V).sum(), rel=1e-9
    )


def test_info_says_what_was_found(run: Run, make_checkpoint: Make) -> None:
    directory = make_checkpoint(padding=3)
    run("near", str(directory), "king")
    code, out, err = run("info", str(directory), "--json")
    assert (code, err) == (0, "")
    found = json.loads(out)
    assert found["path"] == str(directory / "model.safetensors")
    assert (found["tensor"], found["dtype"], found["tied"]) == (
        "model.embed_tokens.weight",
        "BF16",
        True,
    )
    assert found["shape"] == [sum(found["vocabulary"].values()), 16]
    assert found["vocabulary"]["padding"] == 3
    assert found["vocabulary"]["byte"] == 256
    assert found["norm"] is None
    names = ["covariance", "norms", "space-causal", "vocabulary"]
    assert [entry["name"] for entry in found["cache"]] == names
    _, table, _ = run("info", str(directory))
    for said in (str(directory), "256 byte", "none found", "space-causal"):
        assert said in table


def test_the_cache_is_listed_and_cleared(run: Run, make_checkpoint: Make, tmp_path: Path) -> None:
    directory = str(make_checkpoint())
    first = run("near", directory, "king")
    _, out, _ = run("cache", "--json")
    kept = [json.loads(line) for line in out.splitlines()]
    assert [(entry["source"], entry["name"]) for entry in kept] == [
        (directory, "covariance"),
        (directory, "norms"),
        (directory, "space-causal"),
        (directory, "vocabulary"),
    ]
    assert all(Path(entry["path"]).stat().st_size == entry["bytes"] for entry in kept)
    _, table, _ = run("cache")
    assert "space-causal" in table
    assert "4 entries" in table
    code, out, _ = run("cache", "--clear", "--json")
    assert (code, [json.loads(line) for line in out.splitlines()]) == (0, kept)
    assert not any(Path(entry["path"]).exists() for entry in kept)
    assert run("cache", "--json") == (0, "", "")
    assert run("near", directory, "king")[:2] == first[:2]


def test_a_second_matrix_is_asked_for_by_name(run: Run, make_checkpoint: Make) -> None:
    two = {
        name: torch.randn(300, 16, generator=torch.Generator().manual_seed(place))
        for place, name in enumerate(("first.lm_head.weight", "second.lm_head.weight"))
    }
    directory = str(make_checkpoint(tensors=two, config={"tie_word_embeddings": False}))
    code, out, err = run("near", directory, "king")
    assert (code, out) == (2, "")
    assert "first.lm_head.weight" in err
    assert "--tensor" in err
    code, out, _ = run("info", directory, "--tensor", "second.lm_head.weight", "--json")
    assert (code, json.loads(out)["tensor"]) == (0, "second.lm_head.weight")


@pytest.mark.parametrize(
    ("arguments", "code", "line"),
    [
        (["king", "--space", "x"], 2, "unknown space 'x'; the spaces are logit, cosine, centred"),
        (["king", "--score", "x"], 2, "unembed: unknown score 'x'; the scores are cosine, dot"),
        (
            ["king", "--pieces", "x"],
            2,
            "unembed: unknown pieces 'x'; they are rarity, mean, sum, first",
        ),
        (["king", "--region", "x"], 2, "unembed: unknown region 'x'; the regions are emoji, words"),
        (["king", "--region", "[x"], 2, "unembed: the region '[x' is no regular expression"),
        (["king", "--top", "0"], 2, "unembed: top is 0; it must be at least 1"),
        (["king", "--top", "many"], 2, "Error: Invalid value for '--top'"),
        (["king", "--temperature", "2"], 2, "unembed: the temperature 2.0 is of no use here"),
        (["king", "--residual-norm", "-1"], 2, "unembed: the residual norm is -1.0; it must be"),
        (["king", "--track", "sea + king"], 2, "unembed: 'sea + king' is an expression"),
        (["king", "--fold-norm"], 2, "has no final norm that could be folded"),
        (["king", "--vector", "nowhere.npy"], 2, "unembed: nowhere.npy: there is no such file"),
        (["king", "--json", "--csv"], 2, "Error: --json and --csv cannot both be printed"),
        (["king +"], 2, "unembed: the end cannot stand here; a number, a word, an emoji"),
        (["king", "sea ="], 2, "  sea =\n      ^ column 5"),
        (["king", "--spice", "x"], 2, "Error: No such option '--spice'"),
        ([], 2, "Error: give an EXPRESSION, - for stdin, or --vector FILE"),
    ],
)
def test_a_wrong_call_exits_with_2(
    run: Run, make_checkpoint: Make, arguments: list[str], code: int, line: str
) -> None:
    got, out, err = run("near", str(make_checkpoint()), *arguments)
    assert (got, out) == (code, "")
    assert line in err
    assert "Traceback" not in err


def test_a_failure_exits_with_1(run: Run, tmp_path: Path, make_checkpoint: Make) -> None:
    code, out, err = run("near", str(tmp_path / "nowhere"), "king")
    assert (code, out) == (1, "")
    assert err.startswith(f"unembed: {tmp_path / 'nowhere'}: no such checkpoint directory")
    assert err.count("\n") == 1
    weights = make_checkpoint() / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1])
    code, _, err = run("near", str(weights.parent), "king")
    assert code == 1
    assert err.startswith(f"unembed: {weights}: not a readable safetensors file")


def test_what_an_error_quotes_does_no_harm(run: Run, make_checkpoint: Make) -> None:
    code, _, err = run("near", str(make_checkpoint()), "king \x1b[31m")
    assert code == 2
    assert "\x1b" not in err


def test_a_full_disk_behind_stdout_is_one_line(make_checkpoint: Make) -> None:
    arguments = ["near", str(make_checkpoint()), "king", "--json"]
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [sys.executable, "-c", COMMAND, *arguments],
            stdout=full,
            stderr=subprocess.PIPE,
            check=False,
        )
    assert done.returncode == 1
    assert done.stderr.startswith(b"unembed: [Errno 28] No space left on device")
    assert b"Traceback" not in done.stderr


def test_what_is_wrong_is_said_before_long_work(
    run: Run, make_checkpoint: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*given: object, **options: object) -> None:
        raise AssertionError("derived first")

    monkeypatch.setattr("unembed.geometry.concepts.compose.open_space", never)
    directory = str(make_checkpoint())
    for wrong in (["king +"], ["king", "--region", "x"], ["king", "--track", "a + b"]):
        code, _, err = run("near", directory, *wrong)
        assert (code, err[:9]) == (2, "unembed: ")


@pytest.mark.parametrize("name", ["config.json", "tokenizer.json", "model.safetensors"])
def test_a_pipe_in_a_checkpoint_is_refused_at_once(
    run: Run, make_checkpoint: Make, name: str
) -> None:
    directory = make_checkpoint()
    (directory / name).unlink()
    os.mkfifo(directory / name)
    code, out, err = run("near", str(directory), "king")
    assert (code, out) == (1, "")
    assert err.startswith("unembed: ")


def test_a_damaged_cache_is_reported_and_answered(
    run: Run, make_checkpoint: Make, tmp_path: Path
) -> None:
    directory = str(make_checkpoint())
    first = run("near", directory, "king", "--region", "emoji")
    entries = list((tmp_path / "cache" / "unembed" / "derived").glob("*/*"))
    assert len(entries) == 5
    for entry in entries:
        entry.write_bytes(entry.read_bytes()[:-2])
    code, out, err = run("near", directory, "king", "--region", "emoji")
    assert (code, out) == first[:2]
    assert err.count("unembed: a cache entry is damaged and is made again: ") == 5


def test_a_missing_demo_is_one_line(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    from importlib.metadata import PackageNotFoundError

    def missing(name: str) -> None:
        raise PackageNotFoundError(name)

    monkeypatch.setattr("unembed.geometry.demos.demo.distribution", missing)
    code, _, err = run("near", "demo", "king")
    assert code == 1
    assert err == (
        "unembed: the model 'demo' needs an optional dependency: pip install 'unembed[demo]'\n"
    )


COMMAND = "from unembed.cli import main; main()"


def test_a_reader_that_goes_away_is_no_error(make_checkpoint: Make) -> None:
    directory = str(make_checkpoint(padding=0))
    for extra in ([], ["--json"]):
        with subprocess.Popen(
            [sys.executable, "-c", COMMAND, "near", directory, "king", "--top", "280", *extra],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        ) as running:
            assert running.stdout is not None
            assert running.stderr is not None
            running.stdout.close()
            assert running.stderr.read() == b""


def test_an_interrupt_is_quiet(make_checkpoint: Make) -> None:
    """It arrives while stdin, a pipe that is never closed, is being read."""
    with subprocess.Popen(
        [sys.executable, "-c", COMMAND, "near", str(make_checkpoint()), "-"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as running:
        assert running.stdin is not None
        # More than a pipe holds: once it is written, it is being read.
        running.stdin.write(b"king\n" * 100_000)
        running.stdin.flush()
        running.send_signal(signal.SIGINT)
        out, err = running.communicate(timeout=30)
    assert (running.returncode, out, err) == (130, b"", b"\n")  # the line of the ^C


def test_an_interrupted_search_is_quiet(make_checkpoint: Make) -> None:
    """It arrives at any moment of a long search: FAISS's threads are waited for."""
    command = [sys.executable, "-c", COMMAND, "near", str(make_checkpoint()), "-", "--json"]
    for delay in (0.0, 0.05, 0.1, 0.2, 0.4):
        with subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        ) as running:
            assert running.stdin is not None
            assert running.stdout is not None
            running.stdin.write(b"king - man + woman\n" * 20_000)
            running.stdin.close()
            time.sleep(1.0 + delay)
            running.send_signal(signal.SIGINT)
            _, err = running.stdout.read(), running.stderr.read() if running.stderr else b""
            assert running.wait(timeout=30) == 130
            assert b"Traceback" not in err


def test_output_that_cannot_be_encoded_is_escaped(make_checkpoint: Make) -> None:
    done = subprocess.run(
        [sys.executable, "-c", COMMAND, "near", str(make_checkpoint()), "king", "--top", "3"],
        capture_output=True,
        env=os.environ | {"PYTHONIOENCODING": "ascii"},
        check=True,
    )
    assert b"\\u2581king" in done.stdout
    assert done.stderr == b""


def test_a_closed_stdout_is_said(make_checkpoint: Make) -> None:
    command = f'exec {sys.executable} -c "{COMMAND}" near {make_checkpoint()} king >&-'
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr == "unembed: stdout is closed: there is nowhere to print the answer\n"


def test_progress_is_shown_on_stderr_where_it_takes_time(
    run: Run, make_checkpoint: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory = str(make_checkpoint())
    with monkeypatch.context() as patched:
        patched.setattr("unembed.geometry.views.bars._MOMENT", 0)
        _, first, bars = run("near", directory, "king")
    assert "measuring rows" in bars
    assert "100%" in bars
    assert run("near", directory, "king") == (0, first, "")
    run("cache", "--clear")
    assert run("near", directory, "king") == (0, first, "")
