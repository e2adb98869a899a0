"""The explorer's API: each question has the library's own answer, and its recipes give it too."""

import ast
import io
import json
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import schemathesis
import unembed
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema_rs import Draft202012Validator, meta
from unembed import Head, open_head
from unembed.cli import main
from unembed.errors import UsageError
from unembed.explorer.api import WAYS
from unembed.explorer.app import app
from unembed.explorer.kept import ENDINGS, Files, Recent
from unembed.explorer.openapi import document
from unembed.explorer.recipes import Code, command, python
from unembed.geometry.concepts.phrase import one_token
from unembed.geometry.model.residuals import read_residuals
from unembed.geometry.records.reading import read_records
from unembed.geometry.records.record import Record
from unembed.geometry.views.lens_page import lens_page
from unembed.geometry.views.map_page import map_page
from unembed.geometry.views.vocab_page import vocab_page

from .asked import Explorer, running
from .conftest import HOSTILE

Make = Callable[..., Path]
LOGIT = {"space": "logit"}


@pytest.fixture
def head(make_checkpoint: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Head:
    """Give a head whose source is a path, so that recipes open it."""
    monkeypatch.chdir(tmp_path)
    return open_head(make_checkpoint())


@pytest.fixture
def explorer(head: Head) -> Iterator[Explorer]:
    with running({head.source: head}) as explorer:
        yield explorer


Run = Callable[[str], str]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """Give a function that runs a command as a shell would, and gives what it prints."""

    def run(line: str) -> str:
        before, piped, after = line.rpartition(" | ")
        if piped:
            name, form, *words = shlex.split(before)
            assert (name, form) == ("printf", r"%s\n")
            given = io.BytesIO("".join(f"{word}\n" for word in words).encode())
            monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(given))
        name, *arguments = shlex.split(after)
        assert name == "unembed"
        with pytest.raises(SystemExit) as caught:
            main(arguments)
        assert caught.value.code == 0
        return capsys.readouterr().out

    return run


def value_of(recipe: str) -> Any:
    """Run a recipe; give the value of its last line."""
    *before, last = ast.parse(recipe).body
    assert isinstance(last, ast.Expr)
    names: dict[str, Any] = {}
    exec(compile(ast.Module(before, []), "recipe", "exec"), names)  # noqa: S102
    return eval(compile(ast.Expression(last.value), "recipe", "eval"), names)  # noqa: S307


def plain(answer: Any) -> Any:
    """Give an answer as JSON has it."""
    return json.loads(json.dumps(answer.to_dict()))


def findings_of(lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [one for line in lines for one in line.get("findings", [])]


def made(explorer: Explorer, found: dict[str, Any]) -> bytes:
    answer = explorer.send(f"/made/{found['page']}.html")
    assert answer.status == 200
    return answer.body


@pytest.mark.parametrize(
    "asked",
    [
        {"expression": "king - man + woman"},
        {"expression": "king - man + woman", "space": "logit", "top": 3, "keep_inputs": True},
        {"expression": "-king + 2*sea", "score": "csls", "pieces": "mean"},
        {"expression": '"it\'s" + #40', "region": r"^ ?[a-z]+'?$", "exclude_region": "words"},
        {"expression": "sea", "region": "emoji", "track": ['"horse"', "🐴"], "residual_norm": 4.0},
        {"expression": "sea", "space": "causal:0.25", "temperature": 0.5, "residual_norm": 2.0},
        {"expression": "king + sea", "score": "cosmul", "fold_norm": False},
    ],
)
def test_near_is_that_of_the_library(
    explorer: Explorer, head: Head, run: Run, asked: dict[str, Any]
) -> None:
    found = explorer.ask("near", source=head.source, **asked)
    options = {name: value for name, value in asked.items() if name != "expression"}
    wanted = plain(head.nearest(asked["expression"], **options))
    assert found["answer"] == wanted
    assert plain(value_of(found["python"])) == wanted
    assert json.loads(run(found["command"].replace(" near ", " near --json ", 1))) == wanted
    shown = {str(one["id"]) for one in (*wanted["neighbours"], *wanted["tracked"], wanted["snap"])}
    assert shown <= set(found["forms"]) == set(found["names"])


def test_terms_are_an_expressions_own(explorer: Explorer, head: Head) -> None:
    found = explorer.ask("near", source=head.source, expression="king - 0.5*(man + sea)", **LOGIT)
    assert [(term["weight"], term["text"]) for term in found["terms"]] == [
        (1.0, "king"),
        (-0.5, "(man + sea)"),
    ]


def test_an_error_says_where_it_is(explorer: Explorer, head: Head) -> None:
    answer = explorer.post("near", source=head.source, expression="sea + + king")
    assert answer.status_code == 422
    assert answer.json()["error"]["column"] == 7


@pytest.mark.parametrize(
    ("expression", "place", "start", "options"),
    [
        ("sea + hor", 9, 6, [("horse", "token")]),
        ("se", 2, 0, [("sea", "token")]),
        ("sea + hor", 2, 0, [("sea", "token")]),
        ("sea\n", 4, 4, []),
        ("🐴 + ki", 6, 4, [("king", "token")]),
        ("plu", 3, 0, [("plural(", "direction")]),
        ("mea", 3, 0, [("mean(", "function")]),
        ("#265", 4, 0, [("#265", "sea")]),
        ("#284", 4, 0, []),
        ("#99999999999999999999", 21, 0, []),
        ("#", 1, 0, []),
        ("", 0, 0, []),
        ("sea", 2_000, 0, [("sea", "token")]),
        ("SEA", 3, 0, []),
    ],
)
def test_a_word_is_completed(
    explorer: Explorer,
    head: Head,
    expression: str,
    place: int,
    start: int,
    options: list[tuple[str, str]],
) -> None:
    asked = {"source": head.source, "expression": expression, "place": place}
    found = explorer.ask("complete", **asked)
    assert [(one["text"], one["what"]) for one in found["options"]] == options
    assert (found["start"], found["end"]) == (start, min(place, len(expression)))


@pytest.mark.parametrize(
    "asked",
    [
        {"regions": ["emoji"]},
        {"regions": ["emoji", "words"], "color_by": "group"},
        {"regions": [None], "around": "king - man", "top": 30},
        {"regions": [None], "exclude_region": "bytes", "color_by": "norm"},
    ],
)
def test_a_map_is_that_of_the_library(
    explorer: Explorer, head: Head, run: Run, asked: dict[str, Any]
) -> None:
    found = explorer.ask("map", source=head.source, **LOGIT, **asked)
    options = {"color_by": "cluster"} | asked | LOGIT
    regions, color_by = options.pop("regions"), options.pop("color_by")
    wanted = head.map(region=None if regions == [None] else regions, **options)
    page = made(explorer, found)
    assert page == map_page(wanted, color_by=color_by)
    assert (found["title"], found["tokens"]) == (wanted.title, len(wanted.points.ids_N))
    assert plain(value_of(found["python"])) == plain(wanted)
    run(found["command"])
    assert Path("map.html").read_bytes() == page


def test_concepts_are_placed_as_marks_of_a_map_are(explorer: Explorer, head: Head) -> None:
    expressions = ["sea + horse", "🐴", "king - man"]
    asked = {"source": head.source, "regions": ["emoji", "words"], **LOGIT}
    assert explorer.post("place", map=asked, expressions=expressions).status_code == 409
    explorer.ask("map", **asked)
    found = explorer.ask("place", map=asked, expressions=expressions)["marks"]
    wanted = head.map(region=["emoji", "words"], marks=expressions, **LOGIT)
    ids_N = wanted.points.ids_N
    assert [mark["name"] for mark in found] == expressions
    for mark, own in zip(found, wanted.marks, strict=True):
        assert mark["at"] == list(own.drawn)
        assert (mark["snap"], mark["gap"]) == (own.snap, round(own.gap_degrees))
        assert mark["id"] == ids_N[own.snap]
        assert mark["near"] == ids_N[list(own.near)].tolist()
        assert one_token(mark["expression"], head.vocabulary) == mark["id"]


def test_a_map_has_regions_or_all_tokens(explorer: Explorer, head: Head) -> None:
    last = explorer.lines("map", source=head.source, regions=["emoji", None], **LOGIT)[-1]
    assert last["error"]["message"] == "all tokens are no region beside others"


@pytest.mark.parametrize("options", [{}, {"region": "emoji", "top": 2, "min_p_token": 0.25}])
def test_an_audit_is_that_of_the_library(
    explorer: Explorer, head: Head, run: Run, options: dict[str, Any]
) -> None:
    concepts = ["sea", "king + sea", "-horse", "it's", "no such ("] * 8
    lines = explorer.lines("audit", source=head.source, concepts=concepts, **LOGIT, **options)
    wanted = head.audit(concepts, **LOGIT, **options)
    told = findings_of(lines)
    own = [json.loads(json.dumps(asdict(finding))) for finding in wanted.findings]
    assert [{name: one[name] for name in own[0]} for one in told] == own
    assert [len(line["findings"]) for line in lines if "findings" in line] == [16, 24]
    assert lines[-1]["summary"]["records"] == 40
    assert lines[-1]["summary"]["verdicts"] == dict(wanted.summary.verdicts)
    assert value_of(lines[-1]["python"]).findings == wanted.findings
    run(f"{lines[-1]['command']} -o found.jsonl")
    written = [json.loads(line) for line in Path("found.jsonl").read_text().splitlines()]
    assert [one["verdict"] for one in written] == [one["verdict"] for one in own]


@pytest.mark.parametrize("name", ["emoji:all:de", "unicode:greek"])
def test_an_audit_of_a_list_is_that_of_the_library(
    explorer: Explorer, head: Head, run: Run, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    def first(source: str, **options: Any) -> list[Record]:
        return list(islice(read_records(source, **options), 40))

    monkeypatch.setattr("unembed.explorer.audits.read_records", first)
    monkeypatch.setattr("unembed.geometry.records.reading.read_records", first)
    asked = {"list": name, "region": "emoji", **LOGIT}
    lines = explorer.lines("audit", source=head.source, **asked)
    own = value_of(lines[-1]["python"])
    names = asdict(own.findings[0])
    told = [{name: one[name] for name in names} for one in findings_of(lines)]
    assert told == [json.loads(json.dumps(asdict(one))) for one in own.findings]
    assert lines[-1]["summary"]["verdicts"] == dict(own.summary.verdicts)
    assert lines[-1]["command"].startswith(f"unembed audit {head.source} {name} ")


def test_an_audit_of_a_file_is_that_of_the_library(
    explorer: Explorer, head: Head, run: Run
) -> None:
    content = 'concept,forms\nsea,\n"king, queen",\nhorse,🐴\n'.encode()
    name = explorer.give(content, ".csv")
    lines = explorer.lines("audit", source=head.source, file=name, **LOGIT)
    Path("list.csv").write_bytes(content)
    own = value_of(lines[-1]["python"])
    assert [one["verdict"] for one in findings_of(lines)] == [one.verdict for one in own.findings]
    run(f"{lines[-1]['command']} -o found.jsonl")
    assert len(Path("found.jsonl").read_text().splitlines()) == len(own.findings) == 3


@pytest.mark.parametrize(
    "asked",
    [{}, {"concepts": ["sea"], "list": "emoji:all"}, {"list": "emoji:all", "file": f"{0:064}.csv"}],
)
def test_an_audit_has_one_list(explorer: Explorer, head: Head, asked: dict[str, Any]) -> None:
    last = explorer.lines("audit", source=head.source, **asked)[-1]
    assert last["error"]["message"].startswith("give concepts, or a list")


@pytest.mark.parametrize("name", ["emoji:al", "/etc/passwd", "-", "unicode:../x", "https://a.b/c"])
def test_a_list_that_is_not_built_in_is_never_read(
    explorer: Explorer, head: Head, name: str
) -> None:
    last = explorer.lines("audit", source=head.source, list=name)[-1]
    assert last["error"]["message"].startswith(f"no list is called {name!r}; the lists are")


def test_an_error_of_a_file_tells_no_place_of_the_server(explorer: Explorer, head: Head) -> None:
    asked = {"source": head.source, "file": explorer.give(b"a,b\nking,2\n", ".csv")}
    message = explorer.lines("audit", **asked)[-1]["error"]["message"]
    assert message.startswith("the file: no column 'concept'; it has 'a', 'b'")
    found = explorer.ask("audit", **asked, column="a")
    assert found["command"].endswith("--column concept=a")
    assert "columns={'concept': 'a'}" in found["python"]
    assert found["summary"]["records"] == 1


def test_a_lens_of_residuals_is_that_of_the_library(
    explorer: Explorer, head: Head, run: Run
) -> None:
    stack = np.random.default_rng(0).normal(size=(4, 2, head.rows.width)).astype(np.float32)
    np.save("residuals.npy", stack)
    name = explorer.give(Path("residuals.npy").read_bytes(), ".npy")
    options: dict[str, Any] = {
        "track": ["sea", "🐴"],
        "concepts": ["king - man"],
        "decompose": 2,
        "top": 3,
        **LOGIT,
    }
    found = explorer.ask("lens", source=head.source, residuals=name, **options)
    own = read_residuals("residuals.npy", width=head.rows.width, tokens=head.rows.count)
    wanted = head.lens(own, **options)
    assert (found["layers"], found["positions"]) == (4, 2)
    assert made(explorer, found) == lens_page(wanted)
    assert plain(value_of(found["python"])) == plain(wanted)
    assert json.loads(run(f"{found['command']} --json")) == plain(wanted)


def test_a_lens_needs_a_prompt_or_residuals(explorer: Explorer, head: Head) -> None:
    for asked in ({}, {"prompt": "sea", "residuals": f"{0:064}.npy"}):
        last = explorer.lines("lens", source=head.source, **asked)[-1]
        assert last["error"]["message"] == "give a prompt, or a file of residuals"


@pytest.mark.parametrize(
    "options",
    [
        {"parts": 2, "signed": True},
        {"parts": 2, "among": None, "top": 3},
        {"method": "lasso", "among": "emoji", "parts": 2, "pieces": "sum"},
    ],
)
def test_an_explanation_is_that_of_the_library(
    explorer: Explorer, head: Head, run: Run, options: dict[str, Any]
) -> None:
    found = explorer.ask("explain", source=head.source, expression="queen", **options)
    wanted = head.explain("queen", **options)
    assert found["answer"] == plain(wanted)
    assert found["equation"] == wanted.equation()
    assert plain(value_of(found["python"])) == plain(wanted)
    assert json.loads(run(f"{found['command']} --json")) == plain(wanted)


def test_a_comparison_is_that_of_the_library(make_checkpoint: Make, run: Run) -> None:
    paths = [make_checkpoint(family) for family in ("sentencepiece", "byte_level")]
    heads = {str(path): open_head(path) for path in paths}
    one, other = heads
    with running(heads) as explorer:
        asked = {"source": one, "other": other, "top": 3, "region": "words", "space": "cosine"}
        found = explorer.ask("compare", **asked)
    wanted = heads[one].compare(heads[other], top=3, region="words", space="cosine")
    assert found["answer"] == plain(wanted)
    assert len(found["moved"]) == len(wanted.moved)
    assert plain(value_of(found["python"])) == plain(wanted)
    assert json.loads(run(f"{found['command']} --json")) == plain(wanted)


def test_the_health_of_a_vocabulary_is_that_of_the_library(
    explorer: Explorer, head: Head, run: Run
) -> None:
    found = explorer.ask("vocab", source=head.source)
    wanted = head.examine()
    assert (found["tokens"], found["kinds"]) == (wanted.tokens, wanted.kinds())
    assert made(explorer, found) == vocab_page(wanted)
    assert plain(value_of(found["python"])) == plain(wanted)
    run(found["command"])
    assert Path("tokens.html").read_bytes() == vocab_page(wanted)


def test_what_is_served_is_told(explorer: Explorer, head: Head) -> None:
    found = json.loads(explorer.send("/api/sources").body)
    (source,) = found["sources"]
    assert {"source": head.source, "tokens": 285, "width": 16}.items() <= source.items()
    assert found["version"] == unembed.__version__
    for region in found["regions"]:
        answer = explorer.post("near", source=head.source, expression="sea", region=region, **LOGIT)
        assert answer.status_code == 200 or "no token of" in answer.json()["error"]["message"]
    for space in found["spaces"]:
        explorer.ask("near", source=head.source, expression="sea", space=space)


def test_hostile_tokens_are_texts_in_harmless_forms(explorer: Explorer, head: Head) -> None:
    asked = {"source": head.source, "expression": "king", "top": 285, "keep_inputs": True}
    answer = explorer.send(
        "/api/near",
        json.dumps(asked | LOGIT).encode(),
        Content_Type="application/json",
    )
    assert answer.headers["content-type"] == "application/json"
    found = json.loads(answer.body)
    ids = {token: str(head.vocabulary.id_of_token(token)) for token in HOSTILE}
    assert [found["forms"][ids[token]] for token in HOSTILE] == [
        "<script>alert(1)</scrip…",
        "[bold red]",
        r"\x1b[31m",
        r"\u202e",
    ]
    texts = {str(one["id"]): one["text"] for one in found["answer"]["neighbours"]}
    assert [texts[ids[token]] for token in HOSTILE] == HOSTILE
    assert len(found["forms"]) == 282
    assert [
        form for form in found["forms"].values() if not form.replace("\u200d", "").isprintable()
    ] == []


def test_every_name_names_its_token(explorer: Explorer, head: Head) -> None:
    asked = {"source": head.source, "expression": "king", "top": 285, "keep_inputs": True}
    found = explorer.ask("near", **asked, **LOGIT)
    for id_, name in found["names"].items():
        assert one_token(name, head.vocabulary) == int(id_)
        again = explorer.ask("near", source=head.source, expression=name, top=1, **LOGIT)
        assert again["answer"]["resolved"][0]["token_ids"] == [int(id_)]
    assert sum(not name.startswith("#") for name in found["names"].values()) > 100


def test_hostile_tokens_are_texts_on_pages(explorer: Explorer, head: Head) -> None:
    found = explorer.ask("map", source=head.source, regions=[None], **LOGIT)
    page = made(explorer, found)
    assert b"<script>alert(1)" not in page
    assert "\u202e" not in page.decode()


def test_the_document_is_valid() -> None:
    found = document("1.0")
    schemas = found["components"]["schemas"]
    assert set(found["paths"]) == {f"/api/{way.name}" for way in WAYS} | {
        "/api/sources",
        "/api/file",
    }
    for name, schema in schemas.items():
        meta.validate(schema)
        Draft202012Validator({"$ref": f"#/components/schemas/{name}", **found})
    named = {
        word.rpartition("/")[2] for word in json.dumps(found).split('"') if word.startswith("#/")
    }
    assert named <= set(schemas)


def test_defaults_of_the_document_are_those_of_the_library() -> None:
    schemas = document("1.0")["components"]["schemas"]
    near, audit = schemas["Near"]["properties"], schemas["Audit"]["properties"]
    assert (near["space"]["default"], near["top"]["default"]) == ("causal", 10)
    assert audit["min_membership"]["default"] == 0.05


MODELS = {f"/api/{way.name}": way.question for way in WAYS}
# Words that a question may have, beside any that fit its form: then some have an answer.
USUAL = {
    "source": ["tiny"],
    "other": ["tiny"],
    "space": ["logit", "cosine"],
    "expression": ["king - man", "#5", "sea +"],
    "expressions": [["king - man", "#5"], ["sea +"]],
    "around": [None, "king"],
    "region": [None, "bytes"],
    "regions": [["emoji"], ["words"]],
    "exclude_region": [None, "no such"],
    "residuals": [f"{0:064}.npy"],
    "direction": [None],
    "estimator": [None],
}


def described(head: Head) -> Any:
    """Give what the document says of an explorer of one head."""
    served = app({"tiny": head}, version="1.0")
    return schemathesis.openapi.from_asgi("/openapi.json", served)


def with_usual_words(version: str) -> dict[str, Any]:
    found = document(version)
    for model in MODELS.values():
        words = found["components"]["schemas"][model.__name__]["properties"]
        words.update({name: {"enum": USUAL[name]} for name in USUAL.keys() & words.keys()})
    return found


def asked(described: Any, method: str, path: str, mode: str, examples: int) -> list[int]:
    """Ask what fits a description, or does not; check each answer, and give their statuses."""
    # What fits it may still name no token.
    (accepted,) = (
        check
        for check in schemathesis.checks.CHECKS.get_all()
        if check.__name__ == "positive_data_acceptance"
    )
    statuses = []
    modes = schemathesis.GenerationMode

    @settings(
        max_examples=examples,
        derandomize=True,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(case=described[path][method].as_strategy(generation_mode=modes(mode)))
    def check(case: schemathesis.Case) -> None:
        answer = case.call_and_validate(excluded_checks=[accepted])
        statuses.append(answer.status_code)
        if mode == "positive" and path in MODELS:
            assert MODELS[path].model_validate_json(json.dumps(case.body))

    check()
    return statuses


@pytest.mark.parametrize("path", ["/api/sources", "/api/file", *MODELS])
def test_what_is_documented_is_so(head: Head, monkeypatch: pytest.MonkeyPatch, path: str) -> None:
    monkeypatch.setattr("unembed.explorer.app.document", with_usual_words)
    method = "GET" if path == "/api/sources" else "POST"
    found = asked(described(head), method, path, "positive", 1 if path == "/api/vocab" else 15)
    held = 409 if path == "/api/place" else 200  # no map is held that was not asked for
    assert held in found
    assert set(found) <= {held, 422}


@pytest.mark.parametrize("path", MODELS)
def test_what_is_not_documented_is_refused(head: Head, path: str) -> None:
    found = asked(described(head), "POST", path, "negative", 15)
    assert set(found) <= {400, 405, 415, 422}


def texts() -> st.SearchStrategy[str]:
    return st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)


@given(
    words=st.lists(texts(), min_size=1, max_size=3),
    region=texts() | st.none(),
    tracked=st.lists(texts(), max_size=3),
    top=st.integers(),
    flag=st.booleans(),
)
def test_a_command_gives_its_words_back(
    words: list[str], region: str | None, tracked: list[str], top: int, flag: bool
) -> None:
    options = {"region": region, "track": tuple(tracked), "top_k": top}
    line = command("near", words, options | ({"keep_inputs": True} if flag else {}))
    name, near, *rest = shlex.split(line)
    assert (name, near) == ("unembed", "near")
    flags = [] if region is None else ["--region", region]
    flags += [word for one in tracked for word in ("--track", one)]
    flags += ["--top-k", str(top)]
    flags += ["--keep-inputs"] if flag else []
    assert rest in ([*words, *flags], [*flags, "--", *words])
    assert "--" in rest or not any(word[:1] == "-" != word for word in words)


def test_a_shell_reads_a_command_as_it_was_meant() -> None:
    words = ["$(echo no)", "`no`", "a'b\"c", "*", "~", "a\nb", "\\n", "!x", "#5", "a;b&c|d", ""]
    line = command("near", words, {})
    done = subprocess.run(
        ["sh", "-c", f"unembed() {{ printf '%s\\0' \"$@\"; }}; {line}"],
        capture_output=True,
        check=True,
    )
    assert done.stdout.decode().split("\0")[:-1] == ["near", *words]


VALUES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | texts()
)


@given(
    source=st.text(max_size=20),
    given_=st.lists(VALUES, max_size=2),
    options=st.dictionaries(
        st.sampled_from(["region", "track", "top"]),
        VALUES | st.lists(texts(), max_size=3).map(tuple),
    ),
)
def test_a_recipe_in_python_has_its_values(
    source: str, given_: list[Any], options: dict[str, Any]
) -> None:
    recipe = python(source, "nearest", *given_, **options)
    opened, call = ast.parse(recipe).body[1:]
    assert isinstance(opened, ast.Assign)
    assert isinstance(opened.value, ast.Call)
    assert isinstance(call, ast.Expr)
    assert isinstance(call.value, ast.Call)
    assert [ast.literal_eval(one) for one in opened.value.args] == [source]
    assert [ast.literal_eval(one) for one in call.value.args] == given_
    found = {word.arg: ast.literal_eval(word.value) for word in call.value.keywords}
    assert found == {
        name: list(value) if isinstance(value, tuple) else value for name, value in options.items()
    }


def test_code_stands_in_a_recipe_as_it_is() -> None:
    recipe = python("OTHER", "compare", Code("open_head('LIST')"), region="OTHER")
    assert recipe.endswith("head.compare(open_head('LIST'), region='OTHER')")


def test_a_comparison_may_name_anything(head: Head) -> None:
    with running({"OTHER": head, "LIST": head}) as explorer:
        asked = {"source": "OTHER", "other": "LIST", "region": "'OTHER'|sea", "space": "logit"}
        found = explorer.ask("compare", **asked)
    assert "open_head('OTHER')\n" in found["python"]
    assert """region="'OTHER'|sea\"""" in found["python"]


def test_what_was_asked_for_last_is_held() -> None:
    dropped: list[Any] = []
    recent: Recent[str] = Recent(6, weigh=len, drop=dropped.append)
    recent.put("a", "xx")
    recent.put("b", "xx")
    recent.put("c", "xx")
    assert recent.get("a") == "xx"
    recent.put("d", "xxx")
    assert dropped == ["b", "c"]
    assert [recent.get(key) for key in "abcd"] == ["xx", None, None, "xxx"]
    recent.put("a", "xxx")
    assert dropped == ["b", "c"]
    recent.put("e", "x" * 100)
    assert dropped == ["b", "c", "d", "a"]
    assert recent.get("e") == "x" * 100
    recent.put("f", "x")
    assert [recent.get(key) for key in "ef"] == [None, "x"]


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 9)), max_size=30))
def test_what_is_held_has_its_bound(puts: list[tuple[int, int]]) -> None:
    held: dict[Any, int] = {}
    recent: Recent[int] = Recent(12, weigh=int, drop=held.__delitem__)
    for key, weight in puts:
        held[key] = weight
        recent.put(key, weight)
        assert sum(held.values()) <= 12
        assert {key: recent.get(key) for key in held} == held


def content_of(files: Files, name: str) -> bytes:
    with files.reading(name) as path:
        return path.read_bytes()


def test_files_are_kept_by_their_content(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("unembed.explorer.kept.MOST_BYTES", 10)
    files = Files()
    first = files.put(b"seas", ".txt")
    assert files.put(b"seas", ".txt") == first
    assert files.put(b"seas", ".csv") != first
    assert content_of(files, first) == b"seas"
    with files.reading(first) as path:
        directory = path.parent
    assert directory.stat().st_mode & 0o077 == 0
    files.put(b"horses", ".txt")
    assert content_of(files, first) == b"seas"
    assert len(list(directory.iterdir())) == 2
    for name in ("", "..", "/etc/passwd", f"../{first}", first + "\n", first.upper()):
        with pytest.raises(UsageError, match="held no more"):
            content_of(files, name)
    with pytest.raises(UsageError, match="a file ends in"):
        files.put(b"", ".py")
    files.close()
    assert not directory.exists()


def test_every_ending_can_be_asked_for(explorer: Explorer, head: Head) -> None:
    for ending in ENDINGS:
        name = explorer.give(ending.encode(), ending)
        assert name.endswith(ending)
        for way, word in (("audit", "file"), ("lens", "residuals")):
            last = explorer.lines(way, source=head.source, **{word: name})[-1]
            assert "held no more" not in last.get("error", {}).get("message", "")
