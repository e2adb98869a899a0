"""Residuals beside concepts and as sums of rows, against numbers made by hand."""

import itertools
import json
from collections.abc import Callable
from io import StringIO
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from pyarrow import parquet
from rich.console import Console
from unembed import Head, open_head, write_lens
from unembed.cli import main
from unembed.errors import ExpressionError, UsageError
from unembed.geometry.explaining.dictionary import Dictionary
from unembed.geometry.explaining.forms import same_word, word_of
from unembed.geometry.explaining.pursuit import Part, sparse_sums
from unembed.geometry.model.residuals import Residuals
from unembed.geometry.space import open_space
from unembed.geometry.views.lens_table import lens_table

Make = Callable[..., Path]


@pytest.fixture
def head(make_checkpoint: Make) -> Head:
    return open_head(make_checkpoint("sentencepiece"))


def sums(head: Head, vectors_ND: NDArray[np.float64], count: int) -> list[tuple[Part, ...]]:
    return sparse_sums(head, open_space(head), vectors_ND, count, dictionary=Dictionary.whole(head))


def held(head: Head, layers: int = 3, positions: int = 2) -> Residuals:
    stack_LPD = np.random.default_rng(0).normal(size=(layers, positions, head.rows.width))
    return Residuals(stack_LPD, tuple(range(positions)))


@pytest.mark.parametrize("name", ["causal", "centred", "cosine", "logit"])
def test_cosines_are_those_of_what_meets_the_rows(head: Head, name: str) -> None:
    residuals = held(head)
    found = head.lens(residuals, concepts=["sea", "king - man"], space=name)
    assert (found.space, found.concepts, found.chance) == (name, ("sea", "king - man"), None)
    space = open_space(head, name)
    for place, position in enumerate(found.positions):
        for layer in position.layers:
            residual_D = residuals.stack_LPD[layer.layer, place]
            if head.final_norm is not None:
                residual_D = head.final_norm(residual_D)
            met_D = space.meet(residual_D)
            for text, cosine in zip(found.concepts, layer.cosines, strict=True):
                vector_D = head.concept(text, space=name).vector_D
                wanted = met_D @ vector_D / np.linalg.norm(met_D) / np.linalg.norm(vector_D)
                assert cosine == pytest.approx(wanted, abs=1e-9)
            assert layer.parts == ()


def test_a_sum_of_rows_is_found_again(head: Head) -> None:
    space = open_space(head)
    ids = [head.vocabulary.id_of(f" {word}") or 0 for word in ("sea", "king", "dog")]
    rows_KD = space.place(head.rows.decode(np.array(ids)))
    rows_KD /= np.linalg.norm(rows_KD, axis=1, keepdims=True)
    vector_D = np.array([3.0, 2.0, 1.0]) @ rows_KD
    (parts,) = sums(head, vector_D[None], 3)
    assert {part.id for part in parts} == set(ids)
    assert parts[-1].explained == pytest.approx(1.0)
    shares = [part.explained for part in parts]
    assert shares == sorted(shares)
    weights = {part.id: part.weight * np.linalg.norm(vector_D) for part in parts}
    assert [weights[id_] for id_ in ids] == pytest.approx([3.0, 2.0, 1.0])
    # What is explained is not added to.
    (more,) = sums(head, vector_D[None], 9)
    assert len(more) == 3


def test_each_step_takes_the_nearest_and_fits_again(head: Head) -> None:
    space = open_space(head)
    vectors_ND = np.random.default_rng(1).normal(size=(5, head.rows.width))
    rows_VD = space.place(head.rows.decode(np.arange(head.rows.count)))
    units_VD = rows_VD / np.linalg.norm(rows_VD, axis=1, keepdims=True)
    for vector_D, parts in zip(vectors_ND, sums(head, vectors_ND, 4), strict=True):
        unit_D = vector_D / np.linalg.norm(vector_D)
        assert all(part.weight > 0 for part in parts)
        chosen = [part.id for part in parts]
        assert parts[0].explained == pytest.approx(float(units_VD[chosen[0]] @ unit_D) ** 2)
        known = np.flatnonzero(head.vocabulary.known_V)
        assert chosen[0] == known[(units_VD[known] @ unit_D).argmax()]
        fitted_K = np.linalg.lstsq(units_VD[chosen].T, unit_D, rcond=None)[0]
        assert [part.weight for part in parts] == pytest.approx(fitted_K.tolist())
        left = np.square(unit_D - fitted_K @ units_VD[chosen]).sum()
        assert parts[-1].explained == pytest.approx(1 - left)


def test_forms_of_a_word_are_passed_over_and_zero_has_no_sum(head: Head) -> None:
    vectors_ND = np.random.default_rng(2).normal(size=(8, head.rows.width))
    for parts in sums(head, vectors_ND, 5):
        words = [word_of(part.text) for part in parts if part.text is not None]
        pairs = itertools.combinations([word for word in words if word], 2)
        assert not any(same_word(*pair) for pair in pairs)
    assert sums(head, np.zeros((1, head.rows.width)), 2) == [()]


def test_a_decomposition_says_what_chance_explains(head: Head) -> None:
    found = head.lens(held(head), decompose=2)
    assert found.chance is not None
    assert 0 < found.chance < 1
    assert all(layer.parts for position in found.positions for layer in position.layers)
    layer = found.to_dict()["positions"][0]["layers"][0]
    assert set(layer["parts"][0]) == {"id", "token", "text", "weight", "explained", "kind"}
    assert found == head.lens(held(head), decompose=2)


def test_a_terminal_shows_cosines_and_sums(
    head: Head, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = head.lens(held(head), concepts=["sea", "king + queen"], decompose=2)
    console = Console(width=100, record=True, file=StringIO())
    console.print(lens_table(found, width=100))
    text = console.export_text()
    assert "in the causal space, as what meets the rows" in text
    assert "king + queen" in text
    assert f"explained by chance: {found.chance:.2f}" in text
    np.save(tmp_path / "run.npy", held(head).stack_LPD)
    arguments = ["lens", str(head.path.parent), "--residuals", str(tmp_path / "run.npy"), "--json"]
    with pytest.raises(SystemExit) as ended:
        main([*arguments, "--concept", "sea", "--decompose", "1", "--space", "cosine"])
    assert ended.value.code == 0
    given = json.loads(capsys.readouterr().out)
    assert given["space"] == "cosine"
    assert list(given["positions"][0]["layers"][0]["cosines"]) == ["sea"]


def test_what_is_wrong_is_said(head: Head) -> None:
    with pytest.raises(UsageError, match="0 to 16 rows, not 17"):
        head.lens(held(head), decompose=17)
    with pytest.raises(ExpressionError, match="cannot stand here"):
        head.lens(held(head), concepts=["sea +"])
    with pytest.raises(ExpressionError, match="comes out at zero"):
        head.lens(held(head), concepts=["sea - sea"])
    with pytest.raises(UsageError, match="unknown space"):
        head.lens(held(head), concepts=["sea"], space="nosuch")


@pytest.mark.parametrize("ending", [".html", ".parquet", ".json"])
def test_a_lens_is_written_the_same_each_time(head: Head, tmp_path: Path, ending: str) -> None:
    found = head.lens(held(head), concepts=["sea"], decompose=2)
    one, other = tmp_path / f"one{ending}", tmp_path / f"other{ending}"
    write_lens(found, one)
    write_lens(head.lens(held(head), concepts=["sea"], decompose=2), other)
    assert one.read_bytes() == other.read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir() if path.suffix == ending) == [
        f"one{ending}",
        f"other{ending}",
    ]
    if ending == ".json":
        assert json.loads(one.read_text()) == json.loads(json.dumps(found.to_dict()))
    if ending == ".parquet":
        assert parquet.read_table(one).equals(found.to_arrow())


def test_a_lens_is_written_where_it_can_be(
    head: Head, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    np.save(tmp_path / "run.npy", held(head).stack_LPD)
    arguments = ["lens", str(head.path.parent), "--residuals", str(tmp_path / "run.npy"), "-o"]
    for name, said in (("a.txt", "a lens is written as .png"), ("no/a.html", "cannot be written")):
        with pytest.raises(SystemExit) as ended:
            main([*arguments, str(tmp_path / name)])
        assert ended.value.code == 2
        assert said in capsys.readouterr().err
    with pytest.raises(SystemExit) as ended:
        main([*arguments, str(tmp_path / "a.html"), "-o", str(tmp_path / "a.json")])
    assert ended.value.code == 0
    assert f"written: {tmp_path / 'a.html'}" in capsys.readouterr().out.replace("\n", "")
    assert (tmp_path / "a.json").exists()


def test_residuals_go_over_a_map_as_they_meet_the_rows(head: Head) -> None:
    residuals = held(head)
    region = list(range(head.rows.count))
    found = head.lens(residuals, over=region)
    assert found.map is not None
    assert [len(path.steps) for path in found.map.paths] == [3, 3]
    for place, path in enumerate(found.map.paths):
        for layer, step in enumerate(path.steps):
            residual_D = residuals.stack_LPD[layer, place]
            if head.final_norm is not None:
                residual_D = head.final_norm(residual_D)
            near = head.nearest(np.ravel(residual_D), region=region, top=1)
            assert found.map.points.ids_N[step.near[0]] == near.neighbours[0].id
            assert step.cosines[0] == pytest.approx(near.neighbours[0].score, abs=1e-6)
    given = json.loads(json.dumps(found.to_dict()))
    assert given["map"] == json.loads(json.dumps(found.map.to_dict()))
    assert head.lens(residuals).to_dict()["map"] is None


def test_the_table_names_what_is_nearest_on_the_map(head: Head) -> None:
    found = head.lens(held(head), over="latin")
    assert found.map is not None
    console = Console(file=StringIO(), width=100)
    console.print(lens_table(found))
    assert isinstance(console.file, StringIO)
    text = console.file.getvalue()
    assert "nearest of latin in the causal space:" in text
    nearest = found.map.points.texts[found.map.paths[1].steps[2].near[0]] or ""
    assert nearest.strip() in text.splitlines()[-2]


def test_a_wrong_region_is_refused_before_the_work(head: Head) -> None:
    with pytest.raises(UsageError, match="nowhere"):
        head.lens(held(head), over="nowhere")


@pytest.mark.parametrize("ending", [".png", ".svg", ".pdf"])
def test_a_lens_is_a_picture_the_same_each_time(head: Head, tmp_path: Path, ending: str) -> None:
    found = head.lens(held(head, layers=4, positions=11), track=["sea", "king"])
    pictures = [tmp_path / f"{name}{ending}" for name in ("one", "other")]
    for path in pictures:
        write_lens(found, path)
    one, other = (path.read_bytes() for path in pictures)
    assert len(one) > 5_000
    assert one == other


def test_a_picture_that_cannot_be_written_is_refused(head: Head, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="nowhere"):
        write_lens(head.lens(held(head)), tmp_path / "nowhere" / "lens.png")
