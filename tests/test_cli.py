"""The command line: exact output, exit codes, one line for every error."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from unembed import __version__
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
        ("hostile.txt", "sentencepiece", ["king", "--top", "285"]),
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


@pytest.mark.parametrize("page", [[], ["near"]])
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
    _, out, _ = run("near", str(directory), "king - man + woman", "--json", "--top", "2")
    answer = json.loads(out)
    scores = [near.pop("score") for near in answer["neighbours"]]
    assert scores == pytest.approx([0.9977149622677468, 0.6536790103877861], rel=1e-12)
    answer["source"] = "SOURCE"
    assert json.dumps(answer, ensure_ascii=False) == (
        '{"schema": 1, "source": "SOURCE", "expression": "king - man + woman", '
        '"space": "cosine", "region": null, "resolved": ['
        '{"text": "king", "token_ids": [259], "tokens": ["Ġking"], "method": "leading_space"}, '
        '{"text": "man", "token_ids": [262], "tokens": ["Ġman"], "method": "leading_space"}, '
        '{"text": "woman", "token_ids": [267], "tokens": ["Ġwoman"], "method": "leading_space"}], '
        '"neighbours": [{"rank": 1, "id": 272, "token": "Ġqueen", "text": " queen"}, '
        '{"rank": 2, "id": 182, "token": "ú", "text": null}]}'
    )


def test_the_json_object_has_floats_in_full(run: Run, make_checkpoint: Make) -> None:
    from unembed import nearest, open_head

    directory = str(make_checkpoint())
    _, out, _ = run("near", directory, "sea + horse", "--json")
    assert out.endswith("}\n")
    assert out.count("\n") == 1
    assert json.loads(out) == json.loads(
        json.dumps(nearest(open_head(directory), "sea + horse").to_dict())
    )


@pytest.mark.parametrize(
    ("arguments", "code", "line"),
    [
        (["king", "--space", "x"], 2, "unembed: unknown space 'x'; the spaces are logit, cosine"),
        (["king", "--region", "x"], 2, "unembed: unknown region 'x'; the regions are emoji"),
        (["king", "--top", "0"], 2, "unembed: top is 0; it must be at least 1"),
        (["king", "--top", "many"], 2, "Error: Invalid value for '--top'"),
        (["king +"], 2, "unembed: the end cannot stand here; an emoji or a word could"),
        (["king", "--spice", "x"], 2, "Error: Got unexpected extra arguments (--spice x)"),
        ([], 2, "Error: Missing argument 'EXPRESSION'."),
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


def test_a_damaged_cache_is_reported_and_answered(
    run: Run, make_checkpoint: Make, tmp_path: Path
) -> None:
    directory = str(make_checkpoint())
    first = run("near", directory, "king", "--region", "emoji")
    entries = list((tmp_path / "cache" / "unembed" / "derived").iterdir())
    assert len(entries) == 3
    for entry in entries:
        entry.write_bytes(entry.read_bytes()[:-2])
    code, out, err = run("near", directory, "king", "--region", "emoji")
    assert (code, out) == first[:2]
    assert err.count("unembed: a cache entry is damaged and is made again: ") == 3


def test_a_missing_demo_is_one_line(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    from importlib.metadata import PackageNotFoundError

    def missing(name: str) -> None:
        raise PackageNotFoundError(name)

    monkeypatch.setattr("unembed.geometry.heads.demo.distribution", missing)
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
    """It arrives while the configuration, a pipe that never ends, is being read."""
    directory = make_checkpoint()
    (directory / "config.json").unlink()
    os.mkfifo(directory / "config.json")
    with subprocess.Popen(
        [sys.executable, "-c", COMMAND, "near", str(directory), "king"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as running:
        pipe = (directory / "config.json").open("wb")  # opens once the other end reads
        running.send_signal(signal.SIGINT)
        out, err = running.communicate(timeout=30)
        pipe.close()
    assert (running.returncode, out, err) == (130, b"", b"\n")  # the line of the ^C


def test_output_that_cannot_be_encoded_is_escaped(make_checkpoint: Make) -> None:
    done = subprocess.run(
        [sys.executable, "-c", COMMAND, "near", str(make_checkpoint()), "king", "--top", "3"],
        capture_output=True,
        env=os.environ | {"PYTHONIOENCODING": "ascii"},
        check=True,
    )
    assert b"\\u2581king" in done.stdout
    assert done.stderr == b""
