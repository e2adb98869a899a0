"""What an audit comes to: counts, the surest phantoms, the most damaged; harmless in a notebook."""

import json
from html.parser import HTMLParser
from math import inf

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from unembed.geometry.audit.finding import BY, VERDICTS, Finding, NearToken
from unembed.geometry.audit.summary import KEPT, Summary, Tally, marked, nearest_of

from .conftest import HOSTILE


def summed(findings: list[Finding]) -> Summary:
    tally = Tally()
    for finding in findings:
        tally.add(finding)
    return tally.summary({})


def test_counts_stand_in_a_fixed_order_with_their_zeros() -> None:
    summary = summed(
        [
            Finding("a", verdict="multi_token", source="two.csv"),
            Finding("b", verdict="single_token", by="name", source="one.csv"),
            Finding("c", verdict="single_token", by="form", source="two.csv"),
            Finding("d", message="empty"),
        ]
    )
    assert summary.records == 4
    assert list(summary.verdicts.items()) == [
        ("error", 1),
        ("single_token", 2),
        ("phantom", 0),
        ("multi_token", 1),
        ("absent", 0),
    ]
    assert list(summary.by) == list(BY)
    assert (summary.by["form"], summary.by["name"], summary.by["geometry"]) == (1, 1, 0)
    assert list(summary.sources) == ["two.csv", "one.csv"]
    assert list(summary.sources["two.csv"]) == list(VERDICTS)
    assert summary.sources["two.csv"]["multi_token"] == 1
    assert sum(summary.sources["one.csv"].values()) == 1
    assert repr(summary) == "Summary(4 records: 1 error, 2 single_token, 1 multi_token)"


def test_the_sum_of_nothing_is_whole() -> None:
    summary = summed([])
    assert repr(summary) == "Summary(0 records)"
    assert set(summary.verdicts.values()) == {0}
    assert (summary.phantoms, summary.damaged, summary.sources) == ((), (), {})
    assert "0 records" in summary._repr_html_()


def test_sources_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("unembed.geometry.audit.summary.MOST_SOURCES", 2)
    summary = summed([Finding("x", source=source) for source in "abcab"])
    assert {source: counts["error"] for source, counts in summary.sources.items()} == {
        "a": 2,
        "b": 2,
    }
    assert summary.records == 5


# Few values, so that there are ties.
NUMBERS = st.sampled_from([None, 0.0, 0.1, 0.5, 0.9, -0.2, 1.3])
FINDINGS = st.lists(
    st.builds(
        Finding,
        st.just("x"),
        verdict=st.sampled_from(VERDICTS),
        p_token=NUMBERS,
        membership=NUMBERS,
        gap_degrees=NUMBERS,
        gap_logit=NUMBERS,
    ),
    max_size=60,
)


def last(value: float | None) -> float:
    return inf if value is None else value


@settings(deadline=None, max_examples=200)
@given(FINDINGS)
def test_the_surest_and_the_most_damaged_are_those_of_a_whole_sort(found: list[Finding]) -> None:
    findings = [Finding(**{**vars(one), "id": str(place)}) for place, one in enumerate(found)]
    summary = summed(findings)
    phantoms = sorted(
        (one for one in findings if one.verdict == "phantom"),
        key=lambda one: (last(one.p_token), -(-inf if one.membership is None else one.membership)),
    )
    assert summary.phantoms == tuple(phantoms[:KEPT])
    damaged = sorted(
        (
            one
            for one in findings
            if one.verdict in {"phantom", "multi_token", "absent"} and one.gap_degrees is not None
        ),
        key=lambda one: (
            -last(one.gap_degrees),
            -(-inf if one.gap_logit is None else one.gap_logit),
        ),
    )
    assert summary.damaged == tuple(damaged[:KEPT])


def test_a_summary_goes_on_after_it_was_asked() -> None:
    tally = Tally()
    tally.add(Finding("a", verdict="phantom", p_token=0.5))
    before = tally.summary({})
    tally.add(Finding("b", verdict="phantom", p_token=0.1))
    assert [one.concept for one in before.phantoms] == ["a"]
    assert before.verdicts["phantom"] == 1
    assert [one.concept for one in tally.summary({}).phantoms] == ["b", "a"]


def test_the_calibration_is_that_of_the_terms() -> None:
    calibration = {"kind": None, "reason": "only 12 names are known"}
    assert Tally().summary({"calibration": calibration}).calibration == calibration
    assert Tally().summary({"source": "demo"}).calibration is None


def test_a_summary_is_given_away() -> None:
    summary = summed(
        [
            Finding("a", verdict="phantom", source="one", p_token=0.25, gap_degrees=50.0),
            Finding("b", verdict="single_token", source="two"),
        ]
    )
    content = json.loads(json.dumps(summary.to_dict()))
    assert content["schema"] == 1
    assert content["verdicts"]["phantom"] == 1
    assert content["phantoms"][0]["p_token"] == 0.25
    assert content["damaged"][0]["concept"] == "a"
    frame = summary.to_pandas()
    assert list(frame.columns) == ["source", "verdict", "records"]
    assert len(frame) == 3 * len(VERDICTS)
    assert frame[frame.source == "two"].records.sum() == 1
    assert frame[frame.source.isna()].records.sum() == 2


class Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.text = ""

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.tags.add(tag)
        assert not attrs

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.mark.parametrize("text", [*HOSTILE, "</table><img src=x onerror=alert(1)>", "a\0b"])
def test_a_notebook_is_shown_nothing_that_harms(text: str) -> None:
    near = (NearToken(1, text, text, 0.5),)
    finding = Finding(
        text, verdict="phantom", nearest=near, snap_token=text, snap_text=text, gap_degrees=1.0
    )
    html = summed([finding])._repr_html_()
    parsed = Tags()
    parsed.feed(html)
    assert parsed.tags == {"table", "caption", "tr", "th", "td"}
    assert html.isprintable()
    assert marked(text, "") in parsed.text


def test_marks_that_stand_alone_are_written_out() -> None:
    assert marked("❤️", "") == "❤️"
    assert marked("\ufe0f\u200d", "") == r"\ufe0f\u200d"
    assert marked("", "<unused>") == "<unused>"
    near = (NearToken(1, "x", " x", 0.5), NearToken(2, "<0xF0>", None, 0.4))
    assert nearest_of(Finding("y", nearest=near)) == "▁x <0xF0>"
