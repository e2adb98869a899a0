"""An audit as people see it: the table of a terminal, the page; whatever a token holds."""

import base64
import hashlib
import io
import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterable
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console
from unembed.geometry.audit.finding import Finding, NearToken
from unembed.geometry.audit.summary import Summary, Tally
from unembed.geometry.tokens.vocabulary import Vocabulary, display
from unembed.geometry.views.audit_table import audit_table, summary_table
from unembed.geometry.views.report import write_report
from unembed.geometry.views.report_parts import calibration_of

from .conftest import HOSTILE, byte_level, sentencepiece

GOLDEN = Path(__file__).parent / "golden"
TERMS = {
    "source": "./head",
    "region": "emoji",
    "thresholds": {"p_token": 0.5, "membership": 0.417},
    "shape": [281, 16],
    "direction": None,
    "calibration": {
        "kind": "isotonic",
        "reason": None,
        "names": 956,
        "brier": 0.164,
        "log_loss": 0.5,
        "auroc": 0.842,
        "curve": [
            {"p": 0.1, "observed": 0.05, "n": 100},
            {"p": 0.5, "observed": 0.55, "n": 400},
            {"p": 1.0, "observed": 1.0, "n": 25},
        ],
    },
}


def opened(tokenizer: Any, directory: Path, open_vocabulary: Any) -> Vocabulary:
    tokenizer.save(str(directory / "tokenizer.json"))
    vocabulary: Vocabulary = open_vocabulary(directory)
    return vocabulary


@pytest.fixture(scope="module")
def pieces(tmp_path_factory: pytest.TempPathFactory, open_vocabulary: Any) -> Vocabulary:
    """Give a vocabulary with hostile tokens and byte fallback."""
    return opened(sentencepiece(), tmp_path_factory.mktemp("pieces"), open_vocabulary)


@pytest.fixture(scope="module")
def letters(tmp_path_factory: pytest.TempPathFactory, open_vocabulary: Any) -> Vocabulary:
    """Give a vocabulary of bytes."""
    return opened(byte_level(), tmp_path_factory.mktemp("letters"), open_vocabulary)


def spelled(vocabulary: Vocabulary, form: str) -> dict[str, Any]:
    ids = vocabulary.split(form)
    tokens = tuple(vocabulary.token(id_) for id_ in ids)
    return {"form": form, "token_ids": ids, "tokens": tokens}


def near(vocabulary: Vocabulary, *texts: str) -> tuple[NearToken, ...]:
    found = []
    for place, text in enumerate(texts):
        id_ = vocabulary.id_of(text)
        assert id_ is not None
        found.append(NearToken(id_, vocabulary.token(id_), text, 0.5 - place / 8))
    return tuple(found)


def snapped(vocabulary: Vocabulary, text: str) -> dict[str, Any]:
    (one,) = near(vocabulary, text)
    return {
        "snap_id": one.id,
        "snap_token": one.token,
        "snap_text": text,
        "snap_logit": 0.75,
        "gap_degrees": 48.25,
        "gap_logit": 0.125,
    }


def findings_of(vocabulary: Vocabulary) -> list[Finding]:
    """Give a finding of each kind, by hand."""
    horse = snapped(vocabulary, " horse")
    animals = near(vocabulary, "🐴", "🐟", "🐶")
    zebra = spelled(vocabulary, "🦓")
    return [
        Finding(
            "horse face",
            id="U+1F434",
            source="emoji:all",
            verdict="single_token",
            by="form",
            **spelled(vocabulary, "🐴"),
            fragments=0,
            nearest=animals,
            **horse,
            membership=1.125,
            p_token=0.875,
        ),
        Finding(
            "sea + horse",
            source="mine.csv",
            verdict="phantom",
            nearest=animals,
            **{**horse, "gap_degrees": 42.125},
            snap_probability=0.0078125,
            membership=0.75,
            p_token=0.0625,
        ),
        Finding(
            "zebra",
            source="emoji:all",
            verdict="multi_token",
            **zebra,
            fragments=len(zebra["token_ids"]),
            shared=2,
            siblings=("🐟", "🐴"),
            nearest=animals[:2],
            **horse,
            membership=0.25,
            p_token=0.25,
        ),
        Finding("a robber who leaves without a word", source="mine.csv", verdict="absent"),
        Finding("sea +", source="mine.csv", message="column 6: a name is missing after +"),
    ]


def summed(findings: Iterable[Finding], terms: dict[str, Any] = TERMS) -> Summary:
    tally = Tally()
    for finding in findings:
        tally.add(finding)
    return tally.summary(terms)


# The table


def printed(*parts: Any, width: int = 100) -> str:
    file = io.StringIO()
    console = Console(file=file, width=width, highlight=False, color_system=None)
    for part in parts:
        console.print(part, crop=False)
    return file.getvalue()


@pytest.mark.parametrize("name", ["pieces", "letters"])
def test_a_table_is_golden(name: str, request: pytest.FixtureRequest) -> None:
    vocabulary = request.getfixturevalue(name)
    findings = findings_of(vocabulary)
    out = printed(*audit_table(findings, vocabulary), summary_table(summed(findings)))
    path = GOLDEN / f"audit-{name}.txt"
    if "UNEMBED_WRITE_GOLDEN" in os.environ:
        path.write_text(out, encoding="utf-8")
    assert out == path.read_text(encoding="utf-8")


def test_a_table_of_nothing_is_nothing(pieces: Vocabulary) -> None:
    assert list(audit_table([], pieces)) == []
    assert printed(summary_table(summed([], {}))) == "0 records\n"


def test_lines_come_as_findings_do(pieces: Vocabulary) -> None:
    taken = []

    def come() -> Iterable[Finding]:
        for place in range(3):
            taken.append(place)
            yield Finding("x", verdict="absent")

    lines = iter(audit_table(come(), pieces))
    assert len(printed(next(lines)).splitlines()) == 3  # with the header
    assert taken == [0]
    assert printed(next(lines)).splitlines() == ["x".ljust(20) + "absent"]
    assert taken == [0, 1]


ANY = st.text(st.characters(), max_size=40) | st.sampled_from(HOSTILE) | st.text("é́‍🐴️日 \u202e")


@settings(deadline=None, max_examples=150)
@given(text=ANY, width=st.integers(10, 200))
def test_a_line_keeps_its_width_and_harms_no_terminal(
    pieces: Vocabulary, text: str, width: int
) -> None:
    finding = Finding(text, verdict="multi_token", snap_id=3, snap_text=text, gap_degrees=1.5)
    *_, line = printed(*audit_table([finding], pieces, width=width), width=400).splitlines()
    assert cell_len(line) <= min(max(width, 100), 160)
    assert line == display(line)
    wrong = replace(finding, verdict="error", message=text)
    *_, line = printed(*audit_table([wrong], pieces, width=width), width=4000).splitlines()
    assert line.endswith(display(text).rstrip()) or not display(text).strip()
    assert line == display(line)


def test_columns_stand_where_they_stood(pieces: Vocabulary) -> None:
    horse = findings_of(pieces)[0]
    wide = replace(horse, concept="日本語" * 40, form="👩‍🚀" * 9)
    lines = printed(*audit_table([horse, wide], pieces, width=120), width=120).splitlines()
    heads, _, first, second = lines
    at = heads.index("verdict")
    assert first[at:].startswith("single_token (form)")
    cut = second[: second.index("single_token")]
    assert cell_len(cut) == at
    assert "…" in cut


# The page


class Page(HTMLParser):
    """What a browser would make of a page: its tags, its scripts, its texts."""

    def __init__(self, page: bytes) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: dict[str, list[str]] = {}
        self._open: list[str] = []
        self.feed(page.decode("utf-8"))
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in {"meta", "input", "path", "circle", "polyline"}:
            self._open.append(tag)
            self.texts.setdefault(tag, []).append("")

    def handle_endtag(self, tag: str) -> None:
        if self._open and self._open[-1] == tag:
            self._open.pop()
        else:
            assert tag in {"path", "circle", "polyline"}, f"{tag} closes {self._open}"

    def handle_data(self, data: str) -> None:
        for tag in set(self._open):
            self.texts[tag][-1] += data

    def named(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]

    @property
    def data(self) -> dict[str, Any]:
        content: dict[str, Any] = json.loads(self.texts["script"][0])
        return content

    @property
    def is_closed(self) -> bool:
        return not self._open


def page_of(
    findings: list[Finding], vocabulary: Vocabulary, terms: dict[str, Any] = TERMS
) -> tuple[bytes, int]:
    file = io.BytesIO()
    held = write_report(findings, summed(findings, terms), terms, file, vocabulary=vocabulary)
    return file.getvalue(), held


def test_a_page_holds_its_findings(letters: Vocabulary) -> None:
    findings = findings_of(letters)
    content, held = page_of(findings, letters)
    data = Page(content).data
    assert data["records"] == held == len(findings) == len(data["findings"])
    plain = ("concept", "id", "source", "verdict", "by", "message", "form", "fragments", "shared")
    plain += ("snap_logit", "snap_probability", "gap_degrees", "gap_logit", "membership", "p_token")
    for one, finding in zip(data["findings"], findings, strict=True):
        assert {name: one.get(name) for name in plain} == {
            name: getattr(finding, name) for name in plain
        }
        assert tuple(one.get("siblings", ())) == finding.siblings
        assert tuple(piece[0] for piece in one.get("pieces", ())) == finding.token_ids
        assert tuple(piece[1] for piece in one.get("pieces", ())) == finding.tokens
        assert [[*token[:2], token[3]] for token in one.get("nearest", ())] == [
            [token.id, token.token, token.score] for token in finding.nearest
        ]
        assert one.get("snap", [None])[0] == finding.snap_id
    zebra = data["findings"][2]["pieces"]
    assert [piece[2:] for piece in zebra] == [[r"\xf0\x9f", 0], [r"\xa6", 0], [r"\x93", 0]]
    horse = data["findings"][0]
    assert horse["pieces"][0][2:] == ["🐴", 1]
    assert horse["snap"] == [findings[0].snap_id, "Ġhorse", "▁horse"]


def test_a_page_asks_nothing_of_a_network(pieces: Vocabulary) -> None:
    content, _ = page_of(findings_of(pieces), pieces)
    page = Page(content)
    assert page.is_closed
    assert not {"link", "img", "iframe", "object", "embed", "base"} & {tag for tag, _ in page.tags}
    outward = {"src", "href", "action", "srcset", "data"}
    named = [(tag, name, at[name]) for tag, at in page.tags for name in at if name in outward]
    assert named == [("a", "href", "#findings")]
    assert not [name for _, at in page.tags for name in at if name.startswith("on")]
    assert b"http:" not in content
    assert b"https:" not in content
    assert "url(" not in page.texts["style"][0]
    assert "@import" not in page.texts["style"][0]


def test_the_policy_lets_the_one_script_run(pieces: Vocabulary) -> None:
    page = Page(page_of(findings_of(pieces), pieces)[0])
    (policy,) = (
        at["content"]
        for at in page.named("meta")
        if at.get("http-equiv") == "Content-Security-Policy"
    )
    assert policy is not None
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    _, script = page.texts["script"]
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert rules["script-src"] == f"'sha256-{digest}'"
    assert (rules["default-src"], rules["style-src"]) == ("'none'", "'unsafe-inline'")
    # Texts become text nodes.
    assert not re.search(r"innerHTML|outerHTML|insertAdjacent|document\.write|\beval\b", script)


def test_the_same_audit_gives_the_same_bytes(pieces: Vocabulary) -> None:
    findings = findings_of(pieces)
    assert page_of(findings, pieces) == page_of(findings, pieces)
    assert b"\r" not in page_of(findings, pieces)[0]


def test_the_page_of_nothing_is_whole(pieces: Vocabulary) -> None:
    content, held = page_of([], pieces, {})
    page = Page(content)
    assert page.is_closed
    assert page.data == {"records": 0, "findings": []}
    assert held == 0
    assert page.texts["title"] == ["Which concepts have a token"]
    assert "No concept was asked." in page.texts["p"]


def test_a_page_is_read_without_a_pointer_or_eyes(pieces: Vocabulary) -> None:
    page = Page(page_of(findings_of(pieces), pieces)[0])
    assert page.named("html") == [{"lang": "en"}]
    ids = {at["id"]: tag for tag, at in page.tags if "id" in at}
    assert len(ids) == sum("id" in at for _, at in page.tags)
    for _, at in page.tags:
        if "aria-labelledby" in at:
            assert at["aria-labelledby"] in ids
    assert {at.get("aria-live") for tag, at in page.tags if at.get("id") == "count"} == {"polite"}
    # Each control stands in its label.
    text = page_of([], pieces)[0].decode()
    for control in ("search", "source", "size"):
        assert re.search(rf'<label[^>]*>\s*<span>[^<]+</span>\s*<\w+ id="{control}"', text)
    assert all(at.get("scope") for at in page.named("th"))


def test_a_page_holds_the_first_and_says_so(
    pieces: Vocabulary, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("unembed.geometry.views.report.MOST_FINDINGS", 3)
    findings = [Finding(f"c{place}", verdict="absent") for place in range(5)]
    left = iter(findings)
    file = io.BytesIO()
    assert write_report(left, summed(findings), TERMS, file, vocabulary=pieces) == 3
    data = Page(file.getvalue()).data
    assert data["records"] == 5
    assert [one["concept"] for one in data["findings"]] == ["c0", "c1", "c2"]
    assert next(left).concept == "c3"  # was not asked for
    monkeypatch.setattr("unembed.geometry.views.report.MOST_BYTES", 80)
    assert page_of(findings, pieces)[1] == 2
    monkeypatch.setattr("unembed.geometry.views.report.MOST_BYTES", 0)
    assert Page(page_of(findings, pieces)[0]).data["findings"] == []


MOST_HOSTILE = [
    *HOSTILE,
    "</script><script>alert(1)</script>",
    "<!--<script>",
    "]]>",
    "{{data}}{{script}}",
    "\0\x7f\x85\u2028\u2029\ufeff\u2066\ud800",
    "\"'&amp;\\",
]


@settings(deadline=None, max_examples=60)
@given(text=st.sampled_from(MOST_HOSTILE) | ANY)
def test_no_text_is_more_than_a_text(pieces: Vocabulary, text: str) -> None:
    ids = tuple(id_ for one in HOSTILE if (id_ := pieces.id_of(one)) is not None)
    assert len(ids) == len(HOSTILE)
    tokens = tuple(pieces.token(id_) for id_ in ids)
    finding = Finding(
        text,
        id=text,
        source=text,
        verdict="phantom",
        message=text,
        form=text,
        token_ids=ids,
        tokens=tokens,
        siblings=(text,),
        nearest=(NearToken(ids[0], text, text, 0.5),),
        snap_id=ids[1],
        snap_token=text,
        snap_text=text,
        gap_degrees=1.0,
    )
    terms = {**TERMS, "source": text, text: {text: [text]}}
    content, _ = page_of([finding], pieces, terms)
    page, plain = Page(content), Page(page_of([replace(finding, concept="x")], pieces, terms)[0])
    assert page.tags == plain.tags
    assert page.is_closed
    assert len(page.texts["script"]) == 2
    assert [at["type"] for at in page.named("script") if at] == ["application/json"]
    (one,) = page.data["findings"]
    assert one["concept"] == one["id"] == one["form"] == one["siblings"][0] == display(text)
    assert [piece[1] for piece in one["pieces"]] == [display(token) for token in tokens]
    # Spaces and line ends are those of the template.
    assert "".join(content.decode().split("\n")) == display("".join(content.decode().split("\n")))
    raw = content[content.index(b'id="data">') : content.index(b"<script>\n")]
    assert raw.isascii()
    assert raw.count(b"<") == 1  # what ends the script


def test_the_curve_is_where_it_should_be() -> None:
    html = calibration_of(TERMS["calibration"])  # type: ignore[arg-type]
    svg = ET.fromstring(html[html.index("<svg") : html.index("</svg>") + 6])  # noqa: S314 - ours
    _, _, width, height = (float(part) for part in svg.attrib["viewBox"].split())
    dots = [
        tuple(float(dot.attrib[name]) for name in ("cx", "cy", "r")) for dot in svg.iter("circle")
    ]
    (even,) = (path.attrib["d"] for path in svg.iter("path") if path.attrib["class"] == "even")
    left, bottom, side, up = map(float, re.findall(r"-?[\d.]+", even))
    assert side == -up
    curve = TERMS["calibration"]["curve"]  # type: ignore[index]
    for (x, y, radius), group in zip(dots, curve, strict=True):
        assert x == pytest.approx(left + side * group["p"], abs=0.05)
        assert y == pytest.approx(bottom - side * group["observed"], abs=0.05)
        assert radius <= x <= width - radius
        assert radius <= y <= height - radius
    small, large, smallest = (dot[2] for dot in dots)
    assert smallest < small < large
    (line,) = (path.attrib["points"] for path in svg.iter("polyline"))
    points = [tuple(map(float, point.split(","))) for point in line.split()]
    assert points == [dot[:2] for dot in dots]


def test_what_could_not_be_calibrated_says_why(pieces: Vocabulary) -> None:
    terms = {"calibration": {"kind": None, "reason": "only 3 <names>", "names": 3, "curve": []}}
    content, _ = page_of(findings_of(pieces), pieces, terms)
    assert b"only 3 &lt;names&gt;" in content
    assert b"<svg" not in content
    assert "only 3 <names>" in printed(summary_table(summed([], terms)))


def test_terms_are_listed_by_their_paths(pieces: Vocabulary) -> None:
    page = Page(page_of([], pieces)[0])
    said = dict(zip(page.texts["dt"], page.texts["dd"], strict=True))
    assert said["thresholds.membership"] == "0.417"
    assert said["shape"] == "281, 16"
    assert "direction" not in said
    assert not [name for name in said if name.startswith("calibration")]


EVERY = ["horse face", "sea + horse", "zebra", "</script>\\u202e", "sea +"]
CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")


@pytest.mark.skipif(CHROMIUM is None, reason="no browser")
@pytest.mark.parametrize(
    ("kept", "concepts", "count"),
    [
        ("", EVERY, "5 concepts"),
        ("verdict=phantom,error", ["sea + horse", "sea +"], "2 of 5 concepts"),
        ("q=SEA+missing", ["sea +"], "1 of 5 concepts"),
        ("sort=-gap", [EVERY[0], EVERY[2], EVERY[1], *EVERY[3:]], "5 concepts"),
        ("sort=p&source=emoji%3Aall", ["zebra", "horse face"], "2 of 5 concepts"),
        ("rows=500&page=9&verdict=none&sort=x", EVERY, "5 concepts"),
    ],
)
def test_a_browser_shows_what_is_asked_for(
    letters: Vocabulary, tmp_path: Path, kept: str, concepts: list[str], count: str
) -> None:
    findings = findings_of(letters)
    findings[3] = replace(findings[3], concept="</script>\u202e")
    path = tmp_path / "page.html"
    path.write_bytes(page_of(findings, letters)[0])
    options = ["--headless", "--no-sandbox", "--disable-gpu", "--dump-dom"]
    options.append(f"--user-data-dir={tmp_path / 'profile'}")
    done = subprocess.run(
        [str(CHROMIUM), *options, f"{path.as_uri()}#{kept}"],
        capture_output=True,
        check=True,
        timeout=60,
    )
    page = Page(done.stdout)
    every = {display(finding.concept) for finding in findings}
    assert [text for text in page.texts["button"] if text in every] == concepts
    assert any(text.startswith(count) for text in page.texts["p"])
