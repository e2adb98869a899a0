"""On the real heads: which emoji are tokens, what is a phantom, how much a probability is worth."""

import csv
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from unembed import Head, open_head
from unembed.geometry.audit.auditor import Auditor
from unembed.geometry.audit.composing import Composed, compose_each
from unembed.geometry.audit.finding import Finding
from unembed.geometry.audit.opening import open_auditor
from unembed.geometry.concepts.concept import Concept
from unembed.geometry.records.reading import read_records
from unembed.geometry.records.record import Record

pytestmark = pytest.mark.real
DATA = Path(__file__).parent / "data"
SEA_OR_HORSE = set("🐴🐎🏇🎠🦄🦓🐟🐠🐡🐬🐳🐋🦈🐙🦑🦐🦞🦀🐚🪸🦭🐢🪼🌊")
CONCEPTS = [
    *("sea + horse", "octopus", "tropical fish", "seahorse", "robber", "king - man + woman"),
    *("hot dog", "of", "2*fire - water", "birthday party"),
]


@pytest.fixture(scope="module")
def demo() -> Head:
    return open_head("demo")


@pytest.fixture(scope="module")
def emoji(demo: Head) -> Auditor:
    return open_auditor(demo, region="emoji")


@pytest.fixture(scope="module")
def chances(emoji: Auditor) -> dict[str, NDArray[np.float64]]:
    """Give p_token of both lists."""
    found = {}
    for name in ("everyday", "wished"):
        with (DATA / f"{name}_emoji.csv").open(encoding="utf-8", newline="") as file:
            records = [Record(row["concept"], is_phrase=True) for row in csv.DictReader(file)]
        chances = [finding.p_token for finding in emoji.audit(records)]
        found[name] = np.array([p for p in chances if p is not None])
        assert len(found[name]) == len(records) >= 60
    return found


def one(auditor: Auditor, concept: str) -> Finding:
    (found,) = auditor.audit([Record(concept)])
    return found


@pytest.mark.parametrize(("name", "count"), [("demo", 956), ("demo-bytes", 4)])
def test_exactly_the_emoji_of_one_token_are_single_tokens(name: str, count: int) -> None:
    head = open_head(name)
    records = list(read_records("emoji:all"))
    assert len(records) == 3963
    findings = open_auditor(head, region="emoji").audit(records)
    tokens = {
        head.vocabulary.written[int(id_)].decode("utf-8", errors="replace").removeprefix(" ")
        for id_ in np.flatnonzero(head.vocabulary.known_V)
    }
    wanted = {record.forms[0] for record in records} & tokens
    found = {one.form for one in findings if one.verdict == "single_token"}
    assert found == wanted
    assert len(wanted) == count
    assert {one.by for one in findings if one.verdict == "single_token"} == {"form"}
    for finding in findings:
        assert finding.verdict != "error"
        if finding.form in wanted:
            assert len(finding.token_ids) == 1
        else:
            assert len(finding.token_ids) > 1
            assert (finding.shared is None) == (finding.fragments == 0)


def test_a_sea_horse_is_a_phantom(emoji: Auditor) -> None:
    found = one(emoji, "sea + horse")
    assert (found.verdict, found.by) == ("phantom", None)
    assert found.nearest[0].text in SEA_OR_HORSE
    assert found.membership is not None
    assert found.membership >= 0.05
    assert found.p_token is not None
    assert found.p_token < 0.5


@pytest.mark.parametrize(
    ("concept", "form"), [("octopus", "🐙"), ("horse", "🐎"), ("tropical fish", "🐠")]
)
def test_an_emoji_by_its_name_is_a_single_token(emoji: Auditor, concept: str, form: str) -> None:
    found = one(emoji, concept)
    assert (found.verdict, found.by, found.tokens) == ("single_token", "name", (form,))
    assert found.p_token is not None
    assert found.p_token > 0.45  # by maps that have not seen the name
    assert form in {near.text for near in found.nearest[:2]}


def test_a_rare_word_is_no_sure_answer(emoji: Auditor) -> None:
    """It has no good vector in the head alone."""
    found = one(emoji, "seahorse")
    assert found.verdict != "single_token"
    assert found.p_token is not None
    assert 0.2 < found.p_token < 0.5


def test_the_probability_tells_emoji_that_are_there_from_wishes(
    chances: dict[str, NDArray[np.float64]],
) -> None:
    """The right answer is "yes" for all of the first list, and "no" for all of the second."""
    there_P, wished_P = chances["everyday"][:, None], chances["wished"]
    auroc = float(((there_P > wished_P) + 0.5 * (there_P == wished_P)).mean())
    figure = f"AUROC of p_token: {auroc:.3f}; the aim from the head alone is 0.92"
    assert auroc >= 0.65, figure


@pytest.mark.parametrize("least", [0.6, 0.7, 0.8, 0.9])
def test_the_probability_is_worth_its_name(
    chances: dict[str, NDArray[np.float64]], least: float
) -> None:
    """Of names with at least this p, both lists weighing equally, as many have their emoji."""
    there, wished = (float((chances[name] >= least).mean()) for name in ("everyday", "wished"))
    share = there / (there + wished)
    figure = f"of names with p_token >= {least}, {share:.3f} have their emoji"
    slack = 0.05 if least > 0.7 else 0.0  # a few names are left
    assert share >= least - slack, figure


def test_the_calibration_is_said_and_better_than_chance(emoji: Auditor) -> None:
    said = emoji.terms["calibration"]
    assert (said["names"], said["reason"]) == (956, None)
    assert said["brier"] < 0.22 < said["brier_chance"]
    assert said["auroc"] > 0.65
    assert sum(bin_["n"] for bin_ in said["curve"]) == 2 * 956
    for bin_ in said["curve"]:
        assert abs(bin_["p"] - bin_["observed"]) < 4 * np.sqrt(0.25 / bin_["n"])


def test_a_head_of_few_emoji_is_too_small_to_calibrate() -> None:
    auditor = open_auditor(open_head("demo-bytes"), region="emoji")
    assert auditor.terms["calibration"]["reason"] == (
        "the names of 4 tokens are known, of at least 50 that a calibration takes"
    )
    found = one(auditor, "octopus")
    assert (found.p_token, found.by) == (None, None)
    assert (found.form, len(found.token_ids), found.shared) == ("🐙", 2, 1)
    assert {"🐟", "🐠", "🐴"} <= {*found.siblings}


@pytest.mark.parametrize("name", ["demo", "demo-bytes"])
def test_the_nearest_are_those_of_a_search(name: str) -> None:
    head = open_head(name)
    for finding in head.audit(CONCEPTS, region="emoji").findings:
        plain = set(finding.concept) & set("+-*") or " " not in finding.concept
        quoted = finding.concept if plain else f'"{finding.concept}"'
        options = {"region": "emoji", "top": 5}
        answer = head.nearest(f"emoji({quoted})", method="procrustes+csls", **options)
        assert [near.id for near in finding.nearest] == [near.id for near in answer.neighbours]
        for near, wanted in zip(finding.nearest, answer.neighbours, strict=True):
            assert near.score == pytest.approx(wanted.score, abs=1e-9)


@pytest.mark.parametrize("region", [None, "emoji"])
def test_snaps_are_those_of_a_search(demo: Head, region: str | None) -> None:
    auditor = open_auditor(demo, region=region, residual_norm=20.0)
    records = [Record(concept, forms=("x",)) for concept in CONCEPTS]
    composed = compose_each(auditor.composer, records)
    for found, finding in zip(composed, auditor.audit(records), strict=True):
        assert isinstance(found, Composed)
        vector_D = found.vector_D
        if auditor.inside is not None:
            vector_D = auditor.inside.carried(vector_D[None])[1][0]
        concept = Concept("it", auditor.composer.space, (), vector_D, 1.0)
        snap = demo.nearest(concept, residual_norm=20.0, top=1).snap
        assert (finding.snap_id, finding.snap_text) == (snap.id, snap.text)
        assert finding.snap_logit == pytest.approx(snap.logit, rel=1e-9)
        assert finding.snap_probability == pytest.approx(snap.probability, rel=1e-9)
        assert finding.gap_logit == pytest.approx(snap.gap_logit, rel=1e-9)
        assert finding.gap_degrees == pytest.approx(snap.gap_degrees, abs=1e-9)


def test_a_region_of_its_own_rows_is_a_twentieth_below_its_fifth_percentile(
    emoji: Auditor,
) -> None:
    """Its rows lie as deep as float64 says, one by one."""
    inside = emoji.inside
    assert inside is not None
    units_ND = inside.guides_GD.astype(np.float64)
    cosines_NN = units_ND @ units_ND.T
    np.fill_diagonal(cosines_NN, -np.inf)
    depths_N = np.sort(cosines_NN, axis=1)[:, -10:].mean(axis=1)
    np.testing.assert_allclose(inside.depths_G, np.sort(depths_N), atol=1e-6)
    assert len(depths_N) == 990
    shares_N = (depths_N[None] <= depths_N[:, None]).mean(axis=1)
    assert (shares_N >= 0.05).mean() == pytest.approx(0.95, abs=0.002)


def test_the_same_list_gives_the_same_findings(emoji: Auditor) -> None:
    records = [Record(concept) for concept in CONCEPTS]
    first = emoji.audit(records)
    assert emoji.audit(records) == first
    assert open_auditor(open_head("demo"), region="emoji").audit(records) == first


def test_an_emoji_is_no_form_in_greek(demo: Head) -> None:
    found = one(open_auditor(demo, region="greek"), "octopus")
    assert (found.form, found.verdict) == (None, "absent")
