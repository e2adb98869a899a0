"""The command audit: exact output, files of every kind, wrong calls."""

import csv
import gzip
import io
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from unembed import Head, open_head
from unembed.cli import main
from unembed.geometry.audit.auditor import Auditor
from unembed.geometry.audit.tables import findings_of

from .named import cache_in, named, write_named

GOLDEN = Path(__file__).parent / "golden"
FIRST, FIRST_NAME = next(iter(named().items()))
CONCEPTS = [
    *("king", FIRST_NAME, "sea + queen", "unicorn", "sea +", "cow", f"{FIRST_NAME} + of"),
    *("kingly", FIRST, "of", "emoji(sea)", "=cmd|' /C calc'!A0", "[bold red]x", "<b>sea</b>"),
]
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Give a checkpoint of which all that an audit needs has been derived once."""
    directory = tmp_path_factory.mktemp("cli")
    with cache_in(directory):
        write_named(directory / "head")
        open_head(directory / "head").audit(["king", "unicorn"], region="emoji")
        yield directory


@pytest.fixture
def head(directory: Path, monkeypatch: pytest.MonkeyPatch) -> Head:
    """Give the head, whose cache is that of the module, in the directory of the checkpoint."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(directory / "cache"))
    monkeypatch.setattr("unembed.geometry.views.bars._MOMENT", 1e9)
    some = [chr(code) for code in range(0x1F400, 0x1FA00)]  # all take a second for each auditor
    monkeypatch.setattr("unembed.geometry.audit.spelling._characters", lambda: iter(some))
    monkeypatch.chdir(directory)
    return open_head("./head")


@pytest.fixture
def run(head: Head, capsys: pytest.CaptureFixture[str]) -> Run:
    def run(*arguments: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as caught:
            main(["audit", *arguments])
        output = capsys.readouterr()
        assert isinstance(caught.value.code, int)
        return caught.value.code, output.out, output.err

    return run


@pytest.fixture
def concepts(tmp_path: Path) -> str:
    path = tmp_path / "concepts.txt"
    path.write_text("\n".join(CONCEPTS), encoding="utf-8")
    return str(path)


def text_of(content: bytes, compression: str) -> str:
    """Uncompress a file's content."""
    if compression == ".gz":
        content = gzip.decompress(content)
    elif compression == ".zst":
        content = pa.CompressedInputStream(pa.BufferReader(content), "zstd").read()
    return content.decode()


# What it prints.


@pytest.mark.parametrize(
    ("golden", "options"),
    [
        ("audit.txt", []),
        ("audit-region.txt", ["--region", "emoji"]),
        ("audit-options.txt", ["--region", "emoji", "--residual-norm", "4", "--min-p-token", "0"]),
        ("audit-category.txt", ["--region", "/^ ?[a-z]+$/", "--space", "centred", "--top", "2"]),
    ],
)
def test_output_is_golden(run: Run, concepts: str, golden: str, options: list[str]) -> None:
    code, out, err = run("./head", concepts, *options)
    assert (code, err) == (0, "")
    path = GOLDEN / golden
    if "UNEMBED_WRITE_GOLDEN" in os.environ:
        path.write_text(out, encoding="utf-8")
    assert out == path.read_text(encoding="utf-8")
    assert "\x1b" not in out


def test_help_is_golden(run: Run) -> None:
    code, out, _ = run("--help")
    path = GOLDEN / "help-audit.txt"
    if "UNEMBED_WRITE_GOLDEN" in os.environ:
        path.write_text(out, encoding="utf-8")
    assert (code, out) == (0, path.read_text(encoding="utf-8"))


def test_stdin_is_a_list(run: Run, concepts: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def given(content: str) -> None:
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(content.encode())))

    _, wanted, _ = run("./head", concepts, "--region", "emoji")
    given(Path(concepts).read_text(encoding="utf-8"))
    assert run("./head", "-", "--region", "emoji") == (0, wanted, "")
    given('{"concept": "king"}\n"queen"\n')
    code, out, err = run("./head", "-", "--format", "jsonl")
    assert (code, err) == (0, "")
    assert "2 records: 2 single_token" in out
    given("")
    assert run("./head", "-")[1].endswith("0 records\n")


# What it writes.


@pytest.mark.parametrize(
    "ending", [".parquet", ".csv", ".csv.gz", ".csv.zst", ".jsonl", ".jsonl.gz", ".jsonl.zst"]
)
def test_every_kind_of_file_holds_the_findings(
    run: Run, head: Head, concepts: str, tmp_path: Path, ending: str
) -> None:
    path = tmp_path / f"found{ending}"
    code, out, err = run("./head", concepts, "--region", "emoji", "-o", str(path))
    assert (code, err) == (0, "")
    assert f"{len(CONCEPTS)} records: " in out
    assert "the surest phantoms" in out
    wanted = head.audit(CONCEPTS, region="emoji").findings
    if ending == ".parquet":
        table = pq.read_table(path)
        assert table.column_names[0] == "concept"
        assert list(findings_of(table)) == list(wanted)
        (terms,) = (
            json.loads(value) for value in (table.schema.metadata or {}).values() if b"{" in value
        )
        text = json.dumps(terms)
    else:
        form, _, compression = ending[1:].partition(".")
        text = text_of(path.read_bytes(), f".{compression}" if compression else "")
        found = (
            list(csv.DictReader(io.StringIO(text, newline="")))
            if form == "csv"
            else [json.loads(line) for line in text.splitlines()]
        )
        assert [next(iter(row)) for row in found] == ["concept"] * len(CONCEPTS)
        assert [row["verdict"] for row in found] == [one.verdict for one in wanted]
        numbers = [row["p_token"] or None for row in found]
        assert [None if p is None else float(p) for p in numbers] == [one.p_token for one in wanted]
        if form == "jsonl":
            assert [row["concept"] for row in found] == CONCEPTS
        beside = [other for other in tmp_path.iterdir() if other.suffix == ".json"]
        (text,) = (other.read_text(encoding="utf-8") for other in beside)
    for said in ('"min_membership": 0.05', '"min_p_token": 0.5', '"calibration": {'):
        assert said in text
    left = {other.name for other in tmp_path.iterdir()} - {path.name, "concepts.txt"}
    assert all(name.endswith(".json") for name in left)


def test_a_formula_is_no_formula_in_csv(run: Run, tmp_path: Path) -> None:
    """A cell that a spreadsheet would run is written as a text; a list with one reads back."""
    risky = ["=cmd|' /C calc'!A0", "+1+1", "-2+3", "@SUM(A1)", "\t=1", "=1+1"]
    listed, path = tmp_path / "risky.jsonl", tmp_path / "found.csv"
    listed.write_text("\n".join(map(json.dumps, [*risky, "king"])), encoding="utf-8")
    code, _, err = run("./head", str(listed), "--region", "emoji", "-o", str(path))
    assert (code, err) == (0, "")
    rows = list(csv.reader(io.StringIO(path.read_text(encoding="utf-8"), newline="")))
    assert [row[0].lstrip("'") for row in rows[1:]] == [*risky, "king"]
    for row in rows:
        for cell in row:
            number = cell.replace(".", "").replace("-", "").replace("e", "").isdigit()
            assert number or cell[:1] not in ("=", "+", "-", "@", "\t", "\r"), cell


def test_columns_are_named(run: Run, tmp_path: Path) -> None:
    listed, path = tmp_path / "list.csv", tmp_path / "found.jsonl"
    listed.write_text(
        f'Name,Nr,Sign,Is\nking,7,,\n"sea + queen",8,🦄,\nqueen,9,"[""🦄"", ""{FIRST}""]",\n'
        f"xyz,10,,▁sea\n",
        encoding="utf-8",
    )
    columns = [
        word
        for pair in ("concept=Name", "id=Nr", "forms=Sign", "expected=Is")
        for word in ("--column", pair)
    ]
    code, _, err = run("./head", str(listed), *columns, "-o", str(path))
    assert (code, err) == (0, "")
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    assert [(row["concept"], row["id"], row["verdict"], row["by"]) for row in rows] == [
        ("king", "7", "single_token", "form"),
        ("sea + queen", "8", "multi_token", None),
        ("queen", "9", "single_token", "form"),
        ("xyz", "10", "single_token", "expected"),
    ]
    assert rows[2]["form"] == FIRST
    assert {row["source"] for row in rows} == {None}


def test_several_lists_are_one_table_with_their_sources(
    run: Run, head: Head, tmp_path: Path
) -> None:
    one, two, path = tmp_path / "one.txt", tmp_path / "two.csv", tmp_path / "found.parquet"
    one.write_text("king\nsea +\n", encoding="utf-8")
    two.write_text("concept\nqueen\n", encoding="utf-8")
    lists = [str(one), "unicode:ogham", str(two)]
    code, out, err = run("./head", *lists, "--region", "emoji", "-o", str(path))
    assert (code, err) == (0, "")
    findings = list(findings_of(pq.read_table(path)))
    assert [found.source for found in findings[:2]] == [str(one)] * 2
    assert {found.source for found in findings[2:-1]} == {"unicode:ogham"}
    assert (findings[-1].source, findings[-1].concept) == (str(two), "queen")
    assert len(findings) == 3 + 29
    assert f"  {one}: 2 records: 1 error, " in out
    for source in lists:
        assert f"  {source}: " in out


def test_a_list_of_emoji_in_a_language_takes_its_direction(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "found.jsonl"
    code, out, err = run("./head", "emoji:all:de", "--region", "emoji", "-o", str(path))
    assert (code, err) == (0, "")
    (beside,) = (other for other in tmp_path.iterdir() if other.suffix == ".json")
    assert '"direction": "emoji_de"' in beside.read_text(encoding="utf-8")
    assert f"{len(named())} single_token" in out  # exactly those of which each is a token
    assert f"{len(named())} by form" in out
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    assert len(rows) == 3963
    assert {row["form"] for row in rows if row["verdict"] == "single_token"} == set(named())


def test_a_page_is_written_beside_a_table_or_a_file(
    run: Run, concepts: str, tmp_path: Path
) -> None:
    pages = []
    for name, options in (("a", []), ("b", ["-o", str(tmp_path / "found.csv")])):
        page = tmp_path / f"{name}.html"
        code, out, err = run("./head", concepts, "--region", "emoji", "--html", str(page), *options)
        assert (code, err) == (0, "")
        assert f"{len(CONCEPTS)} records" in out
        pages.append(page.read_text(encoding="utf-8"))
    assert pages[0] == pages[1]
    assert "unicorn" in pages[0]
    assert "<b>sea</b>" not in pages[0]
    assert not list(tmp_path.glob("*.check"))


def test_what_is_wrong_with_a_record_is_no_failure(run: Run, tmp_path: Path) -> None:
    listed = tmp_path / "list.jsonl"
    listed.write_bytes(
        b'"king"\n{"concept": ""}\nno json\n"caf\xe9"\n7\n"' + b"x" * 20_000 + b'"\n"queen"\n'
    )
    code, out, err = run("./head", str(listed))
    assert (code, err) == (0, "")
    assert "7 records: 5 error, 2 single_token" in out


# Wrong calls.


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "Missing argument 'CONCEPTS...'"),
        (["nowhere.csv"], "unembed: nowhere.csv: "),
        (["LIST", "--column", "Name"], "'Name' is not FIELD=NAME, as in concept=Name"),
        (["LIST", "--column", "concept="], "'concept=' is not FIELD=NAME"),
        (["CSV", "--column", "concept=Nosuch"], "'Nosuch'"),
        (["CSV", "--column", "colour=Name"], "a record has no field 'colour'"),
        (["LIST", "--format", "xml"], "unknown format 'xml'; the formats are csv"),
        (["LIST", "--region", "nosuch"], "unknown region 'nosuch'"),
        (["LIST", "--direction", "emoji"], "name the region too"),
        (["LIST", "--region", "emoji", "--direction", "nosuch"], "unknown direction 'nosuch'"),
        (["LIST", "--top", "0"], "top is 0; it must be a whole number, at least 1 and at most 100"),
        (["LIST", "--top", "many"], "Invalid value for '--top'"),
        (["LIST", "--min-membership", "2"], "the membership of a phantom is 2.0"),
        (["LIST", "--min-p-token", "nan"], "the p_token of a token is nan"),
        (["LIST", "--residual-norm", "0"], "the residual norm is 0.0"),
        (["LIST", "--space", "nosuch"], "unknown space 'nosuch'"),
        (["LIST", "--device", "tpu"], "'tpu'"),
        (["LIST", "--resume"], "--resume and --cluster take a FILE: name it with -o"),
        (["LIST", "--cluster", "tcp://x:1"], "--resume and --cluster take a FILE"),
        (["LIST", "-o", "found.xlsx"], "found.xlsx"),
        (["LIST", "-o", "nowhere/found.csv"], "nowhere/found.csv: cannot be written"),
        (["LIST", "-o", "head"], "head would be written over ./head; name another file"),
        (["CSV", "-o", "CSV"], "would be written over"),
        (["LIST", "-o", "x.csv", "--html", "./x.csv"], "./x.csv would be written over x.csv"),
        (["LIST", "-o", "x", "--html", "x.meta.json"], "x.meta.json would be written over"),
        (["LIST", "--html", "LIST"], "would be written over"),
        (["LIST", "--html", "nowhere/page.html"], "nowhere/page.html: cannot be written"),
        (["LIST", "--html", "head"], "head would be written over ./head; name another file"),
        (["LIST", "--html", "."], ".: is no regular file"),
        (["emoji:some"], "unknown list 'emoji:some'"),
        (["emoji:all:xx"], "unknown language 'xx'"),
        (["unicode:nosuch"], "unknown list 'unicode:nosuch'"),
        (["-", "-"], "- is there twice"),
        (["LIST", "--spice", "x"], "No such option '--spice'"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_wrong_call_exits_with_2(
    run: Run, concepts: str, tmp_path: Path, arguments: list[str], message: str
) -> None:
    table = tmp_path / "table.csv"
    table.write_text("Name\nking\n", encoding="utf-8")
    files = {"LIST": concepts, "CSV": str(table)}
    code, out, err = run("./head", *(files.get(word, word) for word in arguments))
    assert (code, message in err) == (2, True), err
    assert "Traceback" not in err
    assert out == ""


def test_a_wrong_call_is_refused_before_the_head_is_opened(
    run: Run, concepts: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*given: object, **options: object) -> None:
        raise AssertionError("opened first")

    monkeypatch.setattr("unembed.geometry.audit.opening.Unembedding.open", never)
    for wrong in (
        ["nowhere.csv"],
        [concepts, "-o", "nowhere/found.csv"],
        [concepts, "--html", "nowhere/page.html"],
        [concepts, "--column", "colour=x"],
    ):
        assert run("./head", *wrong)[0] == 2


def test_a_head_that_is_not_there_exits_with_1(run: Run, concepts: str) -> None:
    code, out, err = run("./nowhere", concepts)
    assert (code, out) == (1, "")
    assert err.startswith("unembed: ")
    assert "nowhere: no such checkpoint directory" in err
    assert err.count("\n") == 1


def test_an_output_that_is_not_finished_is_resumed_only_when_asked(
    run: Run, concepts: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("unembed.geometry.records.chunks.CHUNK", 4)
    path, whole = tmp_path / "found.csv", tmp_path / "whole.csv"
    assert run("./head", concepts, "--region", "emoji", "-o", str(whole))[0] == 0
    audit, calls = Auditor.audit, []

    def failing(self: Auditor, records: Any) -> Any:
        calls.append(len(records))
        if len(calls) == 3:
            raise MemoryError
        return audit(self, records)

    with monkeypatch.context() as patched:
        patched.setattr(Auditor, "audit", failing)
        code, _, err = run("./head", concepts, "--region", "emoji", "-o", str(path))
    assert code == 1
    assert "--resume goes on from there" in err
    assert not path.exists()
    code, _, err = run("./head", concepts, "--region", "emoji", "-o", str(path))
    assert code == 2
    assert "--resume goes on from there" in err
    options = ["--region", "emoji", "-o", str(path), "--resume"]
    assert run("./head", concepts, *options)[0] == 0
    assert path.read_bytes() == whole.read_bytes()
