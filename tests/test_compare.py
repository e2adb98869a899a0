"""Two heads beside each other: controlled changes, of which the answer is known."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from pyarrow import parquet
from scipy.stats import mannwhitneyu
from unembed import Head, open_head
from unembed.cli import main
from unembed.errors import UsageError
from unembed.geometry.comparing.alignment import align
from unembed.geometry.comparing.matching import Matched, match
from unembed.geometry.comparing.moves import Moves, moves, region_moves
from unembed.geometry.comparing.overlap import overlap
from unembed.geometry.space import open_space
from unembed.geometry.views.compare_file import write_comparison
from unembed.geometry.views.compare_table import compare_table
from unembed.indexes.progress import step_of
from unembed.indexes.rows import Rows

Make = Callable[..., Path]
DONE = step_of(None, "")
WIDTH = 16


def rotation(seed: int, width: int = WIDTH) -> NDArray[np.float64]:
    turn_DD, signs_DD = np.linalg.qr(np.random.default_rng(seed).normal(size=(width, width)))
    return np.asarray(turn_DD * np.sign(np.diag(signs_DD)))


@pytest.fixture
def head(make_checkpoint: Make) -> Head:
    return open_head(make_checkpoint("sentencepiece", dtype="F32"))


@pytest.fixture
def with_rows(make_checkpoint: Make, tmp_path: Path) -> Callable[..., Head]:
    """Give a function that makes a head of other rows, or of another family."""

    def made(rows_VD: NDArray[np.float64], family: str = "sentencepiece") -> Head:
        tensors = {"model.embed_tokens.weight": torch.from_numpy(rows_VD.astype(np.float32))}
        place = make_checkpoint(family, dtype="F64", tensors=tensors)
        return open_head(place.rename(tmp_path / f"head-{len(list(tmp_path.iterdir()))}"))

    return made


def rows_of(head: Head) -> NDArray[np.float64]:
    return head.rows.decode(slice(None))


WithRows = Callable[..., Head]


def test_a_head_is_the_same_as_itself(head: Head) -> None:
    found = head.compare(head)
    count = int(head.vocabulary.known_V.sum())
    assert found.tokens == (count, count)
    assert found.matched.ids_N.tolist() == found.matched.others_N.tolist()
    assert (found.alignment.residual, found.alignment.cka) == pytest.approx((0.0, 1.0), abs=1e-6)
    assert found.alignment.turn_ED == pytest.approx(np.eye(WIDTH), abs=1e-6)
    assert (found.shared, found.biased) == pytest.approx((1.0, 1.0))
    assert found.moves.cosines_N == pytest.approx(np.ones(len(found.matched.ids_N)))
    assert not found.moves.deviations_N.any()


def test_a_turned_and_scaled_head_is_the_same(head: Head, with_rows: WithRows) -> None:
    turn_DD = rotation(1)
    found = head.compare(with_rows(3 * rows_of(head) @ turn_DD), space="cosine")
    assert found.alignment.residual == pytest.approx(0, abs=1e-6)
    assert found.alignment.cka == pytest.approx(1, abs=1e-6)
    assert found.alignment.turn_ED == pytest.approx(turn_DD.T, abs=1e-5)
    assert found.alignment.scale == pytest.approx(1 / 3, rel=1e-5)
    assert found.moves.aligned_N == pytest.approx(np.ones(len(found.matched.ids_N)))
    assert found.moves.ratios_N == pytest.approx(np.full(len(found.matched.ids_N), 3.0))
    assert found.shared == 1
    assert found.moves.cosines_N is not None
    assert np.median(np.abs(found.moves.cosines_N)) < 0.5


def test_swapped_rows_are_those_that_moved(head: Head, with_rows: WithRows) -> None:
    rows_VD = rows_of(head)
    pair = [head.vocabulary.id_of(f" {word}") or 0 for word in ("king", "pizza")]
    rows_VD[pair] = rows_VD[pair[::-1]]
    found = head.compare(with_rows(rows_VD), top=2)
    assert {one.id for one in found.moved} == set(pair)
    assert all(one.id == one.other_id and one.shared < 0.5 for one in found.moved)
    assert all(one.deviations > 2 for one in found.moved)


def test_what_moved_less_than_its_rounding_has_not_moved() -> None:
    rows_VD = np.random.default_rng(7).normal(size=(9000, 16)).astype(np.float32)
    other_VD = rows_VD.copy()
    other_VD[[1, 2]] = other_VD[[2, 1]]
    both = Matched(np.arange(9000), np.arange(9000))
    rows = Rows(rows_VD, "F32"), Rows(other_VD, "F32")
    found = moves(*rows, both, align(*rows, both, done=DONE), done=DONE)
    assert set(np.flatnonzero(found.deviations_N).tolist()) == {1, 2}
    assert found.deviations_N[[1, 2]].min() > 5


def test_few_tokens_in_common_are_warned_of(
    head: Head, with_rows: WithRows, caplog: pytest.LogCaptureFixture
) -> None:
    head.compare(head)
    assert caplog.messages == []
    wide = with_rows(np.random.default_rng(8).normal(size=(285, 300)))
    head.compare(wide)
    assert "have only 282 tokens in common, and rows of 300 values" in caplog.messages[-1]
    with pytest.raises(UsageError, match="is compared with a head, not with 'other'"):
        head.compare("other")  # type: ignore[arg-type]


def test_a_terminal_says_that_nothing_moved(head: Head) -> None:
    drawn = compare_table(head.compare(head), head.vocabulary)
    assert "of all tokens none moved more than others" in [str(one) for one in drawn.renderables]


def test_a_turned_region_is_the_one_that_moved(head: Head, with_rows: WithRows) -> None:
    rows_VD = rows_of(head)
    bytes_N = np.flatnonzero([head.vocabulary.kind(id_) == "byte" for id_ in range(len(rows_VD))])
    turned = bytes_N[:100]
    rows_VD[turned] = rows_VD[turned] @ rotation(2)
    found = head.compare(with_rows(rows_VD), region=turned.tolist(), top=5)
    assert found.region == "ids"
    assert {one.id for one in found.moved} <= set(turned.tolist())
    moved_N = found.moves.deviations_N
    is_turned_N = np.isin(found.matched.ids_N, turned)
    assert moved_N[is_turned_N].min() > np.median(moved_N[~is_turned_N])
    (kind,) = [one for one in found.regions if one.name == "byte"]
    assert (kind.tokens, kind.moved_more > 0.6) == (len(bytes_N), True)


@pytest.mark.parametrize("size", [0.1, 0.5])
def test_noise_of_known_size_is_measured_and_moves_no_region(size: float) -> None:
    rng = np.random.default_rng(3)
    lengths_N = rng.uniform(0.5, 4, size=(6000, 1))
    rows_ND = lengths_N * rng.normal(size=(6000, 24)) / 24**0.5
    noise_ND = size * rng.normal(size=rows_ND.shape) / 24**0.5
    one, other = (Rows(rows.astype(np.float32), "F32") for rows in (rows_ND, rows_ND + noise_ND))
    both = Matched(np.arange(6000), np.arange(6000))
    alignment = align(one, other, both, done=DONE)
    signal = float(np.square(rows_ND).sum())
    wanted = 1 - signal / (signal + size**2 * 6000)
    assert alignment.residual == pytest.approx(wanted, rel=0.1)
    found = moves(one, other, both, alignment, done=DONE)
    wanted_N = 1 / np.sqrt(1 + size**2 / np.square(lengths_N[:, 0]))
    assert np.abs(found.aligned_N - wanted_N).mean() < 0.02 + 0.1 * size**2
    short_N = lengths_N[:, 0] < 1
    (region,) = region_moves(found, {"short": short_N})
    assert abs(region.deviations) < 3
    assert region.aligned < np.median(found.aligned_N)
    assert np.median(found.moved_N) == pytest.approx(1.0, abs=0.1)


def test_a_narrower_head_is_turned_too(head: Head, with_rows: WithRows) -> None:
    turn_DE = rotation(4)[:, :12]
    found = head.compare(with_rows(rows_of(head) @ turn_DE), space="cosine")
    back = with_rows(rows_of(head) @ turn_DE).compare(head, space="cosine")
    assert (found.widths, found.moves.cosines_N) == ((16, 12), None)
    assert found.moved[0].cosine is None
    assert 0 < found.alignment.residual < 0.5
    assert back.alignment.residual == pytest.approx(found.alignment.residual, rel=1e-4)
    assert back.alignment.cka == pytest.approx(found.alignment.cka, rel=1e-4)
    assert np.median(found.moves.aligned_N) > 0.8
    assert 0.3 < found.shared < 1
    assert found.shared == pytest.approx(back.shared)


@given(st.integers(0, 10**6), st.integers(1, 6), st.integers(1, 6), st.integers(8, 40))
def test_the_alignment_is_the_best_of_all(seed: int, width: int, other: int, count: int) -> None:
    rng = np.random.default_rng(seed)
    one_ND, other_NE = rng.normal(size=(count, width)), rng.normal(size=(count, other))
    both = Matched(np.arange(count), np.arange(count))
    rows = [Rows(rows.astype(np.float32), "F32") for rows in (one_ND, other_NE)]
    found = align(*rows, both, done=DONE)
    one_ND, other_NE = one_ND - one_ND.mean(axis=0), other_NE - other_NE.mean(axis=0)
    # The narrower head has zeros in the dimensions that it lacks.
    wide = max(width, other)
    one_NW = np.pad(one_ND, ((0, 0), (0, wide - width)))
    other_NW = np.pad(other_NE, ((0, 0), (0, wide - other)))

    def left(turn_WW: NDArray[np.float64]) -> float:
        turned_NW = other_NW @ turn_WW
        scale = (turned_NW * one_NW).sum() / np.square(turned_NW).sum()
        return float(np.square(one_NW - scale * turned_NW).sum() / np.square(one_NW).sum())

    left_WW, _, right_WW = np.linalg.svd(other_NW.T @ one_NW)
    assert found.residual == pytest.approx(left(left_WW @ right_WW), abs=1e-4)
    assert found.residual <= left(rotation(seed, wide)) + 1e-4
    square = np.square(one_ND.T @ other_NE).sum()
    alike = np.sqrt(np.square(one_ND.T @ one_ND).sum() * np.square(other_NE.T @ other_NE).sum())
    assert found.cka == pytest.approx(square / alike, abs=1e-4)
    assert found(rows[1].decode(slice(None))) - found.mean_D == pytest.approx(
        found.scale * (other_NE @ found.turn_ED), abs=1e-4
    )


def test_regions_are_compared_as_mann_and_whitney_did() -> None:
    rng = np.random.default_rng(5)
    deviations_N = np.round(rng.normal(size=300), 1)  # with ties
    inside_N = rng.random(300) < 0.3
    moved = Moves(None, np.ones(300), np.ones(300), np.exp(deviations_N), deviations_N)
    (found,) = region_moves(moved, {"some": inside_N, "few": np.arange(300) < 19})
    wanted = mannwhitneyu(
        deviations_N[inside_N], deviations_N[~inside_N], use_continuity=False, method="asymptotic"
    )
    pairs = inside_N.sum() * (~inside_N).sum()
    assert found.moved_more == pytest.approx(wanted.statistic / pairs)
    from scipy.stats import norm

    assert 2 * norm.sf(abs(found.deviations)) == pytest.approx(wanted.pvalue)


def test_neighbours_are_those_of_the_oracle(head: Head, with_rows: WithRows) -> None:
    other = with_rows(rows_of(head) + 0.5 * np.random.default_rng(6).normal(size=(285, WIDTH)))
    both = match(head.vocabulary, other.vocabulary)
    spaces = open_space(head), open_space(other)
    places = np.array([3, 77, 200])
    found = overlap((head, other), spaces, both, places)
    lists = []
    for each, space, ids_N in ((head, spaces[0], both.ids_N), (other, spaces[1], both.others_N)):
        units_ND = space.place(each.rows.decode(ids_N))
        units_ND /= np.linalg.norm(units_ND, axis=1, keepdims=True)
        cosines_SN = units_ND[places] @ units_ND.T
        cosines_SN[np.arange(3), places] = -9
        lists.append(np.argsort(-cosines_SN, axis=1, kind="stable")[:, :10])
    assert found.near_SK.tolist() == lists[0].tolist()
    assert found.others_SK.tolist() == lists[1].tolist()
    for at in range(3):
        one, two = lists[0][at].tolist(), lists[1][at].tolist()
        agreed = [len({*one[:d]} & {*two[:d]}) / d for d in range(1, 11)]
        assert found.shared_S[at] == pytest.approx(agreed[-1])
        extrapolated = agreed[-1] * 0.9**10 + 0.1 / 0.9 * sum(
            share * 0.9**d for d, share in enumerate(agreed, start=1)
        )
        assert found.biased_S[at] == pytest.approx(extrapolated)


def test_tokens_are_matched_by_their_bytes(make_checkpoint: Make) -> None:
    one = open_head(make_checkpoint("sentencepiece")).vocabulary
    for family in ("byte_level", "unigram", "wordpiece"):
        other = open_head(make_checkpoint(family)).vocabulary
        found = match(one, other)
        pairs = list(zip(found.ids_N.tolist(), found.others_N.tolist(), strict=True))
        assert (one.id_of(" king"), other.id_of(" king")) in pairs
        assert all(one.written[id_] == other.written[id_of] for id_, id_of in pairs)
        assert len(dict(pairs)) == len({id_of for _, id_of in pairs}) == len(pairs)
        back = match(other, one)
        assert sorted(zip(back.others_N, back.ids_N, strict=True)) == sorted(pairs)


def test_heads_without_tokens_in_common(head: Head, make_checkpoint: Make) -> None:
    other = open_head(make_checkpoint("wordpiece"))
    with pytest.raises(
        UsageError, match=r"have [01] tokens in common, by what they write; it takes two"
    ):
        head.compare(_renamed(other))
    for top in (0, 1001):
        with pytest.raises(UsageError, match="it must be 1 to 1,000"):
            head.compare(head, top=top)


def _renamed(head: Head) -> Head:
    """Give a head none of whose tokens another has."""
    from dataclasses import replace

    from unembed.geometry.tokens.tokenizer import Packed

    count = len(head.vocabulary)
    odd = Packed.of([f"odd {place}".encode() for place in range(count)])
    vocabulary = replace(head.vocabulary, strings=odd, written=odd)
    return replace(head, vocabulary=vocabulary)


def test_the_command(
    head: Head,
    with_rows: WithRows,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    rows_VD = rows_of(head)
    rows_VD[272:278] *= -1
    other = with_rows(rows_VD)
    sources = [str(head.path.parent), str(other.path.parent)]

    def run(*arguments: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as ended:
            main(["compare", *sources, *arguments])
        output = capsys.readouterr()
        assert isinstance(ended.value.code, int)
        return ended.value.code, output.out, output.err

    table, drawn = tmp_path / "tokens.parquet", tmp_path / "emoji.json"
    code, out, err = run(
        *("--region", "words", "--top", "3", "-o", str(table), "--map", str(drawn))
    )
    assert code == 0, err
    assert "282 tokens in common, of 282 and 282" in out
    assert "moved most, of the region words:" in out
    held = parquet.read_table(table)
    assert held.num_rows == 282
    assert set(held["id"].to_pylist()[:6]) == set(range(272, 278))
    assert len(json.loads(drawn.read_text())["paths"]) == 3
    code, out, _ = run("--json")
    given = json.loads(out)
    assert (code, given["schema"], given["matched"]) == (0, 1, 282)
    assert {one["id"] for one in given["moved"][:6]} == set(range(272, 278))
    for arguments, says in (
        (("--map", str(drawn)), "--map draws a region: give --region"),
        (("-o", "tokens.txt"), "a table of tokens is written as .parquet, .csv"),
        (("--top", "0"), "top is 0"),
    ):
        code, _, err = run(*arguments)
        assert code == 2
        assert says in err


def test_a_comparison_is_a_value(head: Head, with_rows: WithRows, tmp_path: Path) -> None:
    rows_VD = rows_of(head)
    hostile = head.vocabulary.id_of_token("<script>alert(1)</script>") or 0
    rows_VD[hostile] *= -1
    other = with_rows(rows_VD)
    found = head.compare(other)
    assert found.moved[0].id == hostile
    assert found.to_dict() == head.compare(other).to_dict()
    assert "<script>" not in found._repr_html_()
    assert "&lt;script&gt;" in found._repr_html_()
    assert found.to_arrow().num_rows == len(found.to_pandas()) == len(found.matched.ids_N)
    write_comparison(found, tmp_path / "a.csv")
    write_comparison(found, tmp_path / "b.csv")
    assert (tmp_path / "a.csv").read_bytes() == (tmp_path / "b.csv").read_bytes()
    with pytest.raises(UsageError, match=r"is written as \.parquet, \.csv"):
        write_comparison(found, tmp_path / "a.txt")
