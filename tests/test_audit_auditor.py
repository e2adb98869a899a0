"""The verdicts: each for each of its reasons, every threshold, and bad records among good ones."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from unembed import Head, open_head
from unembed.geometry.audit.auditor import Auditor
from unembed.geometry.audit.finding import VERDICTS, Finding
from unembed.geometry.audit.opening import open_auditor
from unembed.geometry.audit.tables import table_of
from unembed.geometry.concepts.pairs import Pair, PairSet
from unembed.geometry.records.record import Record

from .conftest import Make
from .named import cache_in, named, write_named

FIRST, FIRST_NAME = next(iter(named().items()))  # 🧮, abacus
UNICORN = "🦄"  # no token of this head
TO_ZERO = "the direction of the region takes it to zero, which has no direction"
GIVEN = {
    "pictures": PairSet("pictures", "", learned_from="emoji"),
    "mine": PairSet("mine", "", tuple(Pair(name, text) for text, name in [*named().items()][:9])),
}


@pytest.fixture(scope="module")
def head(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Head]:
    directory = tmp_path_factory.mktemp("auditor")
    with cache_in(directory):
        yield open_head(write_named(directory / "head"))


@pytest.fixture(autouse=True)
def _few_characters(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look for siblings among some characters: all of them take a second for each auditor."""
    some = [chr(code) for code in range(0x1F400, 0x1FA00)]
    monkeypatch.setattr("unembed.geometry.audit.spelling._characters", lambda: iter(some))


@pytest.fixture(scope="module")
def emoji(head: Head) -> Auditor:
    return open_auditor(head, region="emoji")


@pytest.fixture(scope="module")
def everywhere(head: Head) -> Auditor:
    return open_auditor(head)


def one(auditor: Auditor, record: Record | str) -> Finding:
    (found,) = auditor.audit([Record(record) if isinstance(record, str) else record])
    return found


def reason(finding: Finding) -> tuple[str, str | None]:
    return finding.verdict, finding.by


# Each verdict, by each of its reasons.


def test_a_token_that_is_expected_is_one(emoji: Auditor, everywhere: Auditor) -> None:
    found = one(emoji, Record("sea + cow", expected=FIRST, forms=(UNICORN,)))
    assert (reason(found), found.form, found.tokens) == (
        ("single_token", "expected"),
        FIRST,
        (FIRST,),
    )
    assert (found.fragments, found.shared, found.siblings) == (0, None, ())
    assert reason(one(everywhere, Record("xyz", expected="▁king"))) == ("single_token", "expected")
    byte = one(everywhere, Record("xyz", expected="<0xF0>"))
    assert (reason(byte), byte.fragments) == (("single_token", "expected"), 1)


def test_a_form_that_is_a_token_is_one(emoji: Auditor, everywhere: Auditor) -> None:
    found = one(emoji, Record("king", forms=(UNICORN, FIRST)))
    assert (reason(found), found.form) == (("single_token", "form"), FIRST)
    assert reason(one(emoji, FIRST)) == ("single_token", "form")
    king = one(everywhere, "king")
    assert (reason(king), king.tokens, king.form) == (("single_token", "form"), ("▁king",), "king")


def test_a_name_that_has_a_token_is_one(emoji: Auditor, everywhere: Auditor) -> None:
    found = one(emoji, FIRST_NAME.upper())
    assert (reason(found), found.form, found.token_ids) == (
        ("single_token", "name"),
        FIRST,
        (emoji.vocabulary.id_of(FIRST),),
    )
    assert reason(one(everywhere, FIRST_NAME)) == ("single_token", "form")
    assert reason(one(everywhere, "airplane ")) == ("single_token", "form")  # without the space
    shouted = one(everywhere, FIRST_NAME.upper())  # which is spelled in many tokens
    assert (reason(shouted), shouted.form) == (("single_token", "name"), FIRST)


def test_geometry_says_so_where_no_form_is_known(head: Head, emoji: Auditor) -> None:
    texts = ["sea", "queen", "cow", "sea + queen", "of", f"2*{FIRST_NAME}", f"{FIRST_NAME} - of"]
    findings = emoji.audit([Record(text) for text in texts])
    chances = sorted(found.p_token for found in findings if found.p_token is not None)
    assert len(chances) == len(texts)
    assert {found.form for found in findings} == {None, "🐄"}
    least = chances[len(chances) // 2]
    strict = open_auditor(head, region="emoji", min_p_token=least)
    for found in strict.audit([Record(text) for text in texts]):
        assert found.p_token is not None
        sure = found.p_token >= least and found.form is None  # of a known form it says nothing
        assert (found.by == "geometry") == sure
        assert (found.verdict == "single_token") == sure
        if sure:
            assert (found.token_ids, found.tokens, found.fragments) == ((), (), None)


def test_a_known_form_is_stronger_than_geometry(head: Head) -> None:
    sure = open_auditor(head, region="emoji", min_p_token=0)
    assert reason(one(sure, "sea")) == ("single_token", "geometry")
    for record in (Record("sea", forms=(UNICORN,)), Record("unicorn"), Record("cow")):
        found = one(sure, record)
        assert found.verdict in {"phantom", "multi_token"}
        assert found.p_token is not None
        assert found.form in {UNICORN, "🐄"}


def test_what_lies_in_the_region_and_has_no_token_is_a_phantom(head: Head, emoji: Auditor) -> None:
    found = one(emoji, "sea + queen")
    assert found.membership is not None
    assert found.membership >= 0.05
    assert (reason(found), found.token_ids, found.form) == (("phantom", None), (), None)
    spelled = one(emoji, Record("sea + queen", forms=(UNICORN,)))
    assert reason(spelled) == ("phantom", None)
    assert (spelled.form, spelled.fragments) == (UNICORN, 4)
    assert spelled.membership == found.membership
    assert found.membership < 1
    for least, verdict in ((found.membership, "phantom"), (found.membership + 1e-9, "absent")):
        auditor = open_auditor(head, region="emoji", min_membership=least)
        assert one(auditor, "sea + queen").verdict == verdict


def test_what_lies_outside_is_spelled_in_tokens_or_absent(head: Head) -> None:
    auditor = open_auditor(head, region="emoji", min_membership=1, min_p_token=1)
    known = one(auditor, "unicorn")  # its emoji is no token
    assert (reason(known), known.form) == (("multi_token", None), UNICORN)
    assert (len(known.token_ids), known.fragments) == (4, 4)
    assert known.tokens == tuple(f"<0x{byte:02X}>" for byte in UNICORN.encode())
    assert known.shared == 3
    assert "🦁" in known.siblings
    for text in ("king", "sea + queen"):
        found = one(auditor, text)
        assert (reason(found), found.form, found.fragments) == (("absent", None), None, None)


def test_without_a_region_what_is_no_token_is_several(everywhere: Auditor) -> None:
    found = one(everywhere, "kingly")
    assert (reason(found), found.tokens) == (("multi_token", None), tuple("kingly"))
    assert (found.fragments, found.membership, found.p_token) == (0, None, None)
    form = one(everywhere, Record("sea + queen", forms=(UNICORN,)))
    assert (reason(form), form.fragments) == (("multi_token", None), 4)


def test_without_a_region_an_expression_needs_a_form(everywhere: Auditor) -> None:
    found = one(everywhere, "sea + queen")
    assert found.verdict == "error"
    assert found.message == (
        "an expression has no spelling of its own; give it a form, or ask in a region, where its "
        "geometry tells"
    )
    named_one = one(everywhere, Record("sea + queen", expected="▁king"))
    assert reason(named_one) == ("single_token", "expected")
    assert one(everywhere, Record("sea + queen", is_phrase=True)).verdict == "multi_token"


def test_a_form_that_cannot_be_written_is_an_error_or_absent(make_checkpoint: Make) -> None:
    head = open_head(make_checkpoint("wordpiece"))
    record = Record("king", forms=("東",))
    found = one(open_auditor(head), record)
    assert found.verdict == "error"
    assert found.message == "'東' is not written with the tokens of this vocabulary"
    ids = list(range(4, 12))
    inside = one(open_auditor(head, region=ids, min_membership=1), record)
    assert reason(inside) in {("absent", None), ("phantom", None)}
    assert (inside.form, inside.token_ids, inside.fragments) == ("東", (), None)


# Errors of records.


def test_one_bad_record_is_its_own_error(emoji: Auditor) -> None:
    records = [
        Record("king", "1", "a.csv"),
        Record("", "2", "a.csv", fault="the concept is empty"),
        Record("sea +", "3", "b.csv"),
        Record("queen", "4", expected="#99999"),
        Record("sea - sea", "5"),
        Record("\ud83d", "6"),
        Record("king", "7", "b.csv"),
    ]
    findings = emoji.audit(records)
    assert [(found.concept, found.id, found.source) for found in findings] == [
        (record.concept, record.id, record.source) for record in records
    ]
    assert [found.verdict == "error" for found in findings] == [False, *[True] * 5, False]
    assert findings[1].message == "the concept is empty"
    assert findings[3].message == "the expected token #99999 is none; the head has 422 rows"
    for found in findings[1:6]:
        blank = replace(found, id=None, source=None, concept="", message=None)
        assert blank == Finding("")
        assert found.message
    assert findings[0].snap_id is not None
    assert replace(findings[6], id="1", source="a.csv") == findings[0]


def test_a_fault_is_the_finding_whatever_the_concept_is(emoji: Auditor) -> None:
    found = one(emoji, Record(FIRST_NAME, fault="line 7: not UTF-8"))
    assert (found.verdict, found.message, found.p_token) == ("error", "line 7: not UTF-8", None)


def test_nothing_and_only_errors_are_audited(emoji: Auditor) -> None:
    assert emoji.audit([]) == []
    faulty = [Record("x", fault="so"), Record("sea +")]
    assert [found.verdict for found in emoji.audit(faulty)] == ["error"] * 2


# Order, and the same again.


def test_findings_are_in_order_and_the_same_each_time(head: Head, emoji: Auditor) -> None:
    records = [Record(name, str(place)) for place, name in enumerate(named().values())]
    records += [Record(f"{name} + of", f"x{name}") for name in list(named().values())[:9]]
    first, again = emoji.audit(records), emoji.audit(records)
    assert [found.id for found in first] == [record.id for record in records]
    assert [asdict(found) for found in first] == [asdict(found) for found in again]
    other = open_auditor(open_head(head.path.parent), region="emoji")
    assert table_of(other.audit(records)).equals(table_of(first))
    backwards = emoji.audit(records[::-1])[::-1]
    for found, turned in zip(first, backwards, strict=True):
        assert (found.verdict, found.by, found.token_ids) == (
            turned.verdict,
            turned.by,
            turned.token_ids,
        )
        assert [near.id for near in found.nearest] == [near.id for near in turned.nearest]
        assert found.p_token == pytest.approx(turned.p_token, abs=1e-5)


@pytest.mark.parametrize("together", [1, 5, 64])
def test_parts_that_are_searched_together_change_nothing(
    emoji: Auditor, monkeypatch: pytest.MonkeyPatch, together: int
) -> None:
    texts = [*list(named().values())[:20], "sea +", "", "sea + queen", "king", FIRST]
    records = [Record(text, str(place)) for place, text in enumerate(texts)]
    whole = emoji.audit(records)
    monkeypatch.setattr("unembed.geometry.audit.auditor._TOGETHER", together)
    parts = emoji.audit(records)
    assert [one.id for one in parts] == [str(place) for place in range(len(texts))]
    for found, other in zip(whole, parts, strict=True):
        assert (found.concept, found.verdict, found.by, found.message, found.snap_id) == (
            other.concept,
            other.verdict,
            other.by,
            other.message,
            other.snap_id,
        )
        assert [near.id for near in found.nearest] == [near.id for near in other.nearest]
        assert (found.p_token is None) == (other.p_token is None) == (found.verdict == "error")


@pytest.mark.parametrize("options", [{}, {"region": "emoji"}, {"space": "logit"}], ids=str)
def test_every_field_keeps_what_it_says(head: Head, options: dict[str, Any]) -> None:
    auditor = open_auditor(head, residual_norm=2.0, top=3, **options)
    texts = ["king", "unicorn", "sea cow", FIRST, FIRST_NAME, "kingly"]
    for found in auditor.audit([Record(text) for text in texts]):
        assert found.verdict in VERDICTS
        assert (found.by is None) == (found.verdict != "single_token")
        assert len(found.nearest) == 3
        scores = [near.score for near in found.nearest]
        assert scores == sorted(scores, reverse=True)
        for near in found.nearest:
            assert near.token == head.vocabulary.token(near.id)
            assert near.text == head.vocabulary.text(near.id)
        assert found.snap_id is not None
        assert found.snap_token == head.vocabulary.token(found.snap_id)
        assert found.snap_probability is not None
        assert 0 < found.snap_probability <= 1
        assert found.gap_degrees is not None
        assert 0 <= found.gap_degrees <= 180
        assert found.gap_logit is not None
        assert found.gap_logit >= 0
        assert (found.membership is None) == (found.p_token is None) == ("region" not in options)
        assert found.tokens == tuple(map(head.vocabulary.token, found.token_ids))


@given(
    texts=st.lists(
        st.one_of(
            st.text(max_size=8),
            st.text("kingsea +-*/()#0123456789,\"'🧮🦄", max_size=14),
            st.sampled_from(["king", "sea + cow", "emoji(sea)", "mean(sea, cow)", "pictures(sea)"]),
        ),
        max_size=6,
    )
)
@settings(max_examples=60, deadline=None)
def test_any_texts_are_audited(emoji: Auditor, everywhere: Auditor, texts: Sequence[str]) -> None:
    records = [Record(text, forms=(text,)[: len(text) % 2]) for text in texts]
    for auditor in (emoji, everywhere):
        findings = auditor.audit(records)
        assert [found.concept for found in findings] == list(texts)
        for found in findings:
            assert (found.message is None) == (found.verdict != "error")
            if found.p_token is not None:
                assert 0 <= found.p_token <= 1
            for number in (found.membership, found.gap_degrees, found.gap_logit, found.snap_logit):
                assert number is None or np.isfinite(number)


# Expressions that apply a direction, and what is in quotes.


@pytest.mark.parametrize("text", ["sea", "sea + queen", FIRST_NAME, "unicorn", FIRST])
def test_what_an_expression_took_there_itself_is_not_taken_again(emoji: Auditor, text: str) -> None:
    plain = one(emoji, text)
    for taken in (f"emoji({text})", f"2*emoji({text})", f"unit(emoji({text}))"):
        assert replace(one(emoji, taken), concept=text) == plain


@pytest.mark.parametrize("quote", ["'", '"'])
def test_what_is_in_quotes_has_the_name_without_them(emoji: Auditor, quote: str) -> None:
    found = one(emoji, f"{quote}{FIRST_NAME.upper()}{quote}")
    assert (reason(found), found.tokens) == (("single_token", "name"), (FIRST,))
    assert one(emoji, f"{quote}unicorn{quote}").form == UNICORN


# What ends a run, and must not.


@pytest.mark.parametrize("region", [None, "emoji"])
def test_a_direction_that_cannot_be_learned_ends_no_run(head: Head, region: str | None) -> None:
    first, second = open_auditor(head, region=region).audit(
        [Record("plural(king)", forms=("x",)), Record("king")]
    )
    assert (first.verdict, second.verdict == "error") == ("error", False)


@pytest.mark.parametrize("direction", ["pictures", "mine"])
def test_a_concept_that_comes_out_at_zero_in_the_region_ends_no_run(
    head: Head, direction: str
) -> None:
    auditor = open_auditor(
        head, region="emoji", direction=direction, directions=GIVEN, space="logit"
    )
    zero = Record(f"-direction({direction})", "7", "a.csv")
    records = [zero, Record("king"), Record("sea +"), zero, Record("queen + sea")]
    first, king, wrong, again, last = auditor.audit(records)
    assert first == again == Finding(zero.concept, "7", "a.csv", "error", message=TO_ZERO)
    assert (wrong.verdict, wrong.message == TO_ZERO) == ("error", False)
    for found, text in ((king, "king"), (last, "queen + sea")):
        alone = one(auditor, text)
        assert (reason(found), found.concept) == (reason(alone), text)
        assert [near.id for near in found.nearest] == [near.id for near in alone.nearest]
        assert found.membership == pytest.approx(alone.membership, abs=0.02)
        assert found.snap_id == alone.snap_id
        assert found.verdict != "error"
    assert [found.message for found in auditor.audit([zero, zero])] == [TO_ZERO] * 2


def test_a_zero_row_ends_no_run_in_a_region(tmp_path: Path) -> None:
    head = open_head(write_named(tmp_path / "head", zero="▁cow"))
    for space in ("logit", "cosine"):
        auditor = open_auditor(head, space=space, region="/^ ?[a-z]+$/")
        first, second = auditor.audit([Record("cow"), Record("king")])
        assert first.verdict == "error"
        assert second.verdict == "single_token"


def test_a_zero_row_ends_no_run(tmp_path: Path) -> None:
    head = open_head(write_named(tmp_path / "head", zero="▁cow"))
    first, second = open_auditor(head, space="logit").audit([Record("cow"), Record("king")])
    assert (first.verdict, second.verdict) == ("error", "single_token")


@pytest.mark.parametrize("concept", ['token("▁king")', '"king"', "'king'"])
def test_a_name_in_its_own_notation_is_the_token_it_names(
    everywhere: Auditor, concept: str
) -> None:
    found = one(everywhere, concept)
    assert (reason(found), found.tokens) == (("single_token", "form"), ("▁king",))


def test_what_is_one_token_outside_the_region_is_not_several(head: Head) -> None:
    for least, verdict in ((1, "absent"), (0, "phantom")):
        auditor = open_auditor(head, region="/^ ?[a-z]$/", min_membership=least)
        for record in (Record(FIRST), Record("sea", forms=(FIRST,))):
            assert reason(one(auditor, record)) == (verdict, None)
        several = one(auditor, Record("sea", forms=("kingly",)))
        assert several.verdict == ("multi_token" if least else "phantom")
