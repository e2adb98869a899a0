"""An audit in memory, as a program asks for one."""

import json
from collections.abc import Iterator
from dataclasses import asdict, fields

import pytest
from unembed import Head, open_head
from unembed.errors import UsageError
from unembed.geometry.audit import audit as module
from unembed.geometry.audit.audit import audit
from unembed.geometry.audit.finding import Finding
from unembed.geometry.audit.opening import open_auditor
from unembed.geometry.records.record import Record

from .conftest import HOSTILE
from .named import cache_in, named, write_named

FIRST, FIRST_NAME = next(iter(named().items()))


@pytest.fixture(scope="module")
def head(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Head]:
    directory = tmp_path_factory.mktemp("memory")
    with cache_in(directory):
        yield open_head(write_named(directory / "head"))


def test_texts_mappings_and_records_are_audited(head: Head) -> None:
    concepts = [
        "king",
        {"concept": "sea + queen", "id": 7, "forms": ["🦄"]},
        Record("queen", "8", expected=FIRST),
        "sea +",
        {"concept": ""},
    ]
    found = head.audit(concepts, region="emoji")
    assert [(one.concept, one.id) for one in found.findings] == [
        ("king", None),
        ("sea + queen", "7"),
        ("queen", "8"),
        ("sea +", None),
        ("", None),
    ]
    assert found.findings[2].by == "expected"
    assert [one.verdict for one in found.findings][3:] == ["error", "error"]
    assert found.findings[4].message == "the concept is empty"
    assert found.terms == open_auditor(head, region="emoji").terms
    assert (found.summary.records, found.summary.verdicts["error"]) == (5, 2)


def test_it_is_the_function_of_the_head(head: Head) -> None:
    concepts = ["king", FIRST_NAME]
    assert audit(head, concepts, region="emoji").to_dict() == (
        head.audit(concepts, region="emoji").to_dict()
    )
    assert audit(head, iter(concepts)).findings == head.audit(concepts).findings


def test_nothing_is_audited(head: Head) -> None:
    found = head.audit([])
    assert (found.findings, found.summary.records) == ((), 0)
    assert repr(found) == "Audit(0 records)"
    assert found.to_arrow().num_rows == 0


@pytest.mark.parametrize("concepts", ["king", b"king", {"concept": "king"}, 7, None], ids=repr)
def test_what_is_no_list_is_refused(head: Head, concepts: object) -> None:
    with pytest.raises(UsageError, match="they must be a list of texts, mappings or records"):
        head.audit(concepts)  # type: ignore[arg-type]


def test_it_is_an_object_of_json(head: Head) -> None:
    found = head.audit(["king", "sea +", FIRST_NAME], region="emoji", residual_norm=1.0)
    said = found.to_dict()
    assert json.loads(json.dumps(said, allow_nan=False, default=list))["schema"] == 1
    assert said["terms"] == open_auditor(head, region="emoji", residual_norm=1.0).terms
    assert said["findings"] == [asdict(one) for one in found.findings]
    assert list(said["findings"][0]) == [each.name for each in fields(Finding)]


def test_it_is_a_table_and_a_data_frame(head: Head) -> None:
    found = head.audit(["king", "sea +", FIRST_NAME], region="emoji")
    table = found.to_arrow()
    assert table.column_names[0] == "concept"
    assert table.column("concept").to_pylist() == ["king", "sea +", FIRST_NAME]
    assert table.column("verdict").to_pylist() == [one.verdict for one in found.findings]
    assert table.column("p_token").to_pylist() == [one.p_token for one in found.findings]
    frame = found.to_pandas()
    assert list(frame["concept"]) == ["king", "sea +", FIRST_NAME]
    assert list(frame.columns) == [each.name for each in fields(Finding)]
    assert list(frame["token_ids"])[2] == found.findings[2].token_ids


def test_its_repr_counts_and_its_page_is_harmless(head: Head) -> None:
    found = head.audit([*HOSTILE, "king", "sea +"], region="emoji")
    assert repr(found).startswith(f"Audit({len(HOSTILE) + 2} records: ")
    assert "1 error" in repr(found)
    page = found._repr_html_()
    assert page == found.summary._repr_html_()
    assert not any(hostile in page for hostile in HOSTILE if "<" in hostile or hostile < " ")


def test_a_long_list_is_audited_in_parts(head: Head, monkeypatch: pytest.MonkeyPatch) -> None:
    concepts = [*named().values()]
    whole = head.audit(concepts, region="emoji")
    sizes: list[int] = []
    chunks_of = module.chunks_of

    def watched(records: Iterator[Record]) -> Iterator[object]:
        for chunk in chunks_of(records):
            sizes.append(len(chunk.records))
            yield chunk

    monkeypatch.setattr("unembed.geometry.records.chunks.CHUNK", 10)
    monkeypatch.setattr(module, "chunks_of", watched)
    parts = head.audit(iter(concepts), region="emoji")
    assert sizes == [10] * 6 + [4]
    assert [one.concept for one in parts.findings] == concepts
    assert [one.verdict for one in parts.findings] == [one.verdict for one in whole.findings]
    assert parts.summary.verdicts == whole.summary.verdicts
