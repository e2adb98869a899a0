"""Opening an auditor: what is refused, what it says it was made with, and the spec of one."""

import json
import pickle
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from unembed import Head, open_head
from unembed.errors import CheckpointError, UsageError
from unembed.geometry.audit.opening import AuditorSpec, default_direction, open_auditor
from unembed.geometry.audit.settings import Settings
from unembed.geometry.concepts.pairs import Pair, PairSet
from unembed.geometry.records.record import Record
from unembed.geometry.region import find_region

from .conftest import Make
from .named import cache_in, named, write_named

PAIRS = tuple(Pair(name, text) for text, name in named().items())
GIVEN = {"mine": PairSet("mine", "", PAIRS)}


@pytest.fixture(scope="module")
def head(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Head]:
    directory = tmp_path_factory.mktemp("opening")
    with cache_in(directory):
        yield open_head(write_named(directory / "head"))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"top": 0}, "^top is 0; it must be a whole number, at least 1 and at most 100$"),
        ({"top": 101}, "^top is 101; it must be a whole number, at least 1 and at most 100$"),
        (
            {"residual_norm": 0.0},
            r"^the residual norm is 0.0; it must be at least 0.001 and at most 1e\+06$",
        ),
        ({"residual_norm": -1.0}, "the residual norm is -1.0"),
        ({"residual_norm": 1.1e6}, "the residual norm is 1100000.0; .* and at most 1e"),
        ({"residual_norm": float("nan")}, "the residual norm is nan"),
        ({"residual_norm": float("inf")}, "the residual norm is inf"),
        (
            {"min_membership": -0.1},
            "^the membership of a phantom is -0.1; it must be at least 0 and at most 1$",
        ),
        ({"min_membership": 1.01}, "the membership of a phantom is 1.01"),
        ({"min_membership": float("nan")}, "the membership of a phantom is nan"),
        (
            {"min_p_token": 1.5},
            "^the p_token of a token is 1.5; it must be at least 0 and at most 1$",
        ),
        ({"min_p_token": float("-inf")}, "the p_token of a token is -inf"),
        ({"direction": "emoji"}, "the direction 'emoji' leads into a region; name the region too"),
        ({"region": "emoji", "direction": "nosuch"}, "unknown direction 'nosuch'"),
        ({"region": "emoji", "direction": ""}, "unknown direction ''"),
        ({"region": "emoji", "direction": "plural"}, "tokens for 1 of the 56 pairs .* 'plural'"),
        ({"region": "nosuch"}, "unknown region 'nosuch'; the regions are emoji"),
        ({"region": "greek"}, "no token of .* is in the region 'greek'"),
        ({"region": [1, 2, 3]}, "3 tokens in the region 'ids'; an audit takes at least 4"),
        ({"region": [10**9]}, "a region has the ids 1000000000 to 1000000000; the head's are"),
        ({"region": 7}, "a region is a text"),
        ({"space": "nosuch"}, "unknown space 'nosuch'"),
        ({"pieces": "nosuch"}, "unknown pieces 'nosuch'"),
        ({"estimator": "nosuch"}, "unknown estimator 'nosuch'"),
        ({"directions": "nowhere.toml"}, "nowhere.toml"),
        ({"fold_norm": True}, "has no final norm that could be folded"),
    ],
    ids=str,
)
def test_a_wrong_option_is_refused(head: Head, options: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        open_auditor(head, **options)
    with pytest.raises(UsageError, match=message):  # before the concepts are looked at
        head.audit(iter([]), **options)


def test_the_limits_themselves_are_taken() -> None:
    for options in (
        {"top": 1},
        {"top": 100},
        {"residual_norm": 1e-3},
        {"residual_norm": 1e6},
        {"min_membership": 0},
        {"min_membership": 1},
        {"min_p_token": 0.0},
        {"min_p_token": 1.0},
    ):
        settings = Settings(**options)  # type: ignore[arg-type]
        ((name, value),) = options.items()
        assert getattr(settings, name) == value


@pytest.mark.parametrize(
    "options",
    [{"top": "5"}, {"top": 2.5}, {"top": None}, {"min_p_token": "x"}, {"min_membership": None}],
    ids=str,
)
def test_a_number_of_a_wrong_type_is_refused(head: Head, options: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        head.audit(["king"], **options)


def test_an_unknown_device_is_refused(head: Head) -> None:
    with pytest.raises(UsageError, match="'tpu'"):
        head.audit(["king"], device="tpu")


def test_an_unknown_device_is_refused_before_anything_is_learned(head: Head) -> None:
    with pytest.raises(UsageError, match="'tpu'"):
        open_auditor(head, device="tpu")


@pytest.mark.parametrize(
    ("region", "lists", "direction"),
    [
        ("emoji", [], "emoji"),
        ("emoji", ["emoji:all"], "emoji"),
        ("emoji", ["my.csv"], "emoji"),
        ("emoji", ["emoji:all:de"], "emoji_de"),
        ("emoji", ["emoji:all:en"], "emoji"),
        ("emoji", ["emoji:all:de", "emoji:all:de"], "emoji"),
        ("emoji", ["emoji:all:de", "emoji:all:fr"], "emoji"),
        ("emoji", ["emoji:all:de", "my.csv"], "emoji"),
        ("words", ["emoji:all:de"], None),
        (None, ["emoji:all:de"], None),
    ],
)
def test_the_direction_follows_the_language_of_the_list(
    region: str | None, lists: list[str], direction: str | None
) -> None:
    assert default_direction(region, lists) == direction


# What it says it was made with.


def test_terms_are_json_and_the_same_for_each_opening(head: Head) -> None:
    for options in ({}, {"region": "emoji"}, {"region": "/^ ?[a-z]$/"}, {"space": "logit"}):
        terms = open_auditor(head, **options).terms
        text = json.dumps(terms, allow_nan=False)
        assert json.loads(text) == terms
        again = open_auditor(open_head(head.path.parent), **options).terms
        assert json.dumps(again) == text


def test_terms_say_what_decides(head: Head) -> None:
    terms = open_auditor(head, region="emoji", residual_norm=2, min_p_token=0.7, top=9).terms
    assert terms["score"] == "csls"
    assert (terms["region"], terms["region_tokens"]) == ("emoji", len(named()))
    assert (terms["direction"], terms["direction_estimator"]) == ("emoji", "procrustes")
    assert terms["estimator"] is None  # none was asked for
    asked = open_auditor(head, region="emoji", estimator="offset").terms
    assert (asked["direction_estimator"], asked["estimator"]) == ("offset", "offset")
    category = open_auditor(head, region="/^ ?[a-z]$/", estimator="offset").terms
    assert (category["direction_estimator"], category["estimator"]) == ("category", "offset")
    assert (terms["top"], terms["residual_norm"], terms["min_p_token"]) == (9, 2, 0.7)
    assert terms["min_membership"] == 0.05
    assert terms["shape"] == [422, 24]
    assert terms["calibration"]["names"] == len(named())
    assert terms["calibration"]["kind"] in {"logistic", "isotonic"}
    assert "device" not in terms  # it changes no answer
    everywhere = open_auditor(head).terms
    assert everywhere["region"] is None
    assert everywhere["score"] == "cosine"
    assert open_auditor(head, space="logit").terms["score"] == "dot"


@pytest.mark.parametrize(
    "options",
    [
        {"top": 6},
        {"residual_norm": 1.0},
        {"min_membership": 0.06},
        {"min_p_token": 0.6},
        {"space": "cosine"},
        {"space": "causal:0.1"},
        {"pieces": "mean"},
        {"region": None},
        {"region": [*range(300, 330)]},
        {"direction": "mine", "directions": GIVEN},
        {"estimator": "offset"},
    ],
    ids=str,
)
def test_terms_tell_apart_what_differs(head: Head, options: dict[str, Any]) -> None:
    plain = open_auditor(head, region="emoji").terms
    other = open_auditor(head, **({"region": "emoji"} | options)).terms
    assert json.dumps(other) != json.dumps(plain)


def test_terms_tell_heads_apart(head: Head, tmp_path: Path, make_checkpoint: Make) -> None:
    terms = {
        open_auditor(other).terms["head_digest"]
        for other in (
            head,
            open_head(write_named(tmp_path / "long", scale=2.0)),
            open_head(write_named(tmp_path / "few", count=60)),
            open_head(make_checkpoint()),
        )
    }
    assert len(terms) == 4
    copied = open_auditor(open_head(write_named(tmp_path / "same"))).terms
    assert copied["head_digest"] in terms  # the same head elsewhere


def test_terms_tell_own_directions_apart(head: Head) -> None:
    """Else a run goes on with --resume after an earlier one that found something else."""
    differ(
        [{"directions": {"mine": PairSet("mine", "", pairs)}} for pairs in (PAIRS, PAIRS[:9])], head
    )


def test_terms_tell_estimators_apart(head: Head) -> None:
    differ([{"directions": GIVEN, "estimator": one} for one in ("offset", "ridge")], head)


def differ(options: list[dict[str, Any]], head: Head) -> None:
    """See that what is found differs, and what is said to decide it too."""
    record = Record("mine(sea)", forms=("x",))
    first, second = (open_auditor(head, **each) for each in options)
    assert first.audit([record])[0].nearest != second.audit([record])[0].nearest
    assert json.dumps(first.terms) != json.dumps(second.terms)


def test_a_head_too_small_to_calibrate_says_so(tmp_path: Path) -> None:
    head = open_head(write_named(tmp_path / "head", count=20))
    auditor = open_auditor(head, region="emoji")
    assert auditor.presence is None
    assert auditor.terms["calibration"]["kind"] is None
    assert auditor.terms["calibration"]["reason"] == (
        "the names of 20 tokens are known, of at least 50 that a calibration takes"
    )
    (found,) = auditor.audit([Record("king")])
    assert found.p_token is None
    assert found.by != "geometry"
    assert found.membership is not None


def test_a_region_of_no_names_is_not_calibrated(head: Head) -> None:
    auditor = open_auditor(head, region="/^ ?[a-z]$/")
    reason = "no names are known of the tokens of this region"
    assert auditor.terms["calibration"]["reason"] == reason
    other = open_auditor(head, region="/^ ?[a-z]$/", direction="emoji")
    reason = "no target of the direction 'emoji' is in the region"
    assert other.terms["calibration"]["reason"] == reason
    for one in (auditor, other):
        (found,) = one.audit([Record("king")])
        assert (found.p_token, found.membership is None) == (None, False)


def test_names_are_those_of_the_direction(head: Head) -> None:
    text = next(iter(named()))
    own = {"mine": PairSet("mine", "", (*PAIRS, Pair("thingummy", text)))}
    for options in ({}, {"direction": "mine", "directions": own}):
        (found,) = open_auditor(head, region="emoji", **options).audit([Record("thingummy")])
        assert (found.form == text) == bool(options)
    german = open_auditor(head, region="emoji", direction="emoji_de")
    (found,) = german.audit([Record("akkordeon")])
    assert (found.by, found.form) == ("name", "🪗")


@pytest.mark.parametrize(
    ("options", "are_known"),
    [
        ({}, True),
        ({"region": "emoji"}, True),
        ({"region": "emoji", "direction": "mine"}, True),
        ({"region": "/[^a-z]/", "direction": "emoji"}, True),
        ({"region": "/[^a-z]/", "direction": "pictures"}, False),
        ({"region": "/[^a-z]/"}, False),
    ],
    ids=str,
)
def test_emoji_have_names_only_where_emoji_are_asked_for(
    head: Head, options: dict[str, Any], *, are_known: bool
) -> None:
    own = {"mine": PairSet("mine", "", PAIRS[:9])}
    own["pictures"] = PairSet("pictures", "", learned_from="emoji")
    text, name = [*named().items()][20]  # none of the names of "mine"
    (found,) = open_auditor(head, directions=own, **options).audit([Record(name.upper())])
    known = ("single_token", "name", text)
    assert ((found.verdict, found.by, found.form) == known) == are_known
    assert found.form == (text if are_known else None)


# A spec.


def test_a_spec_is_sent_and_opens_the_same(head: Head) -> None:
    options: tuple[tuple[str, Any], ...] = (("region", "emoji"), ("top", 2), ("space", "cosine"))
    spec = AuditorSpec(head.source, options=options)
    sent = pickle.loads(pickle.dumps(spec))  # noqa: S301 - our own bytes
    assert sent == spec
    assert hash(sent) == hash(spec)
    assert spec != AuditorSpec(head.source, options=options[:2])
    assert len({spec, sent, AuditorSpec(head.source)}) == 2
    records = [Record("king"), Record("sea + queen"), Record("sea +")]
    first, second = spec.open(), sent.open()
    assert json.dumps(first.terms) == json.dumps(second.terms)
    assert first.audit(records) == second.audit(records)
    direct = open_auditor(head, region="emoji", top=2, space="cosine")
    assert direct.terms == first.terms
    assert direct.audit(records) == first.audit(records)


def test_a_spec_opens_what_is_there(head: Head, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="no such checkpoint directory"):
        AuditorSpec(str(tmp_path / "nowhere")).open()
    with pytest.raises(UsageError, match="top is 0"):
        AuditorSpec(head.source, options=(("top", 0),)).open()
    told: list[str] = []

    def tell(step: str, done: int, total: int) -> None:
        assert 0 <= done <= total
        told.append(step)

    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("XDG_CACHE_HOME", str(tmp_path / "empty"))
        AuditorSpec(head.source, options=(("region", "emoji"),)).open(progress=tell)
    assert "measuring hubs" in told
    moved = head.path.parent / "tokenizer.json"
    spec = AuditorSpec(str(head.path), head.tensor, str(moved))
    assert spec.open().terms["tensor"] == head.tensor


def test_a_worker_finds_what_the_user_named(
    head: Head, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Relative paths begin in a directory that it does not stand in; terms are the same."""
    user = tmp_path / "user"
    user.mkdir()
    write_named(user / "head")
    ids = find_region(head, "emoji").ids_N[:30]
    (user / "some.txt").write_text("".join(f"{id_}\n" for id_ in ids), encoding="utf-8")
    monkeypatch.chdir(user)
    options: tuple[tuple[str, Any], ...] = (("region", "some.txt"), ("direction", "emoji"))
    driver = AuditorSpec("head", tokenizer="head/tokenizer.json", options=options)
    wanted = driver.open()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(CheckpointError):
        driver.open()
    found = replace(driver, directory=str(user)).open()
    assert json.dumps(found.terms) == json.dumps(wanted.terms)
    assert (found.terms["source"], found.terms["region"]) == ("head", "some.txt")
    assert found.terms["region_tokens"] == 30
    assert found.audit([Record("king"), Record("sea + queen")]) == wanted.audit(
        [Record("king"), Record("sea + queen")]
    )
