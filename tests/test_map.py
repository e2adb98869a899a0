"""A map as a whole: what is gathered, kept and marked; tables, pages, pictures; the command."""

import csv
import json
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from safetensors.numpy import save_file
from unembed import Head, Map, open_head, write_map
from unembed.cli import main
from unembed.errors import UsageError
from unembed.geometry.projection.columns import read_columns
from unembed.geometry.projection.inline import inline_svg
from unembed.geometry.projection.project import marked
from unembed.geometry.views.colours import coloured
from unembed.geometry.views.map_page import map_page

from .conftest import Make
from .mapped import HOSTILE, a_map


@pytest.fixture
def head(make_checkpoint: Make) -> Head:
    return open_head(make_checkpoint("sentencepiece"))


def the_same(one: Map, other: Map) -> bool:
    return json.dumps(one.to_dict()) == json.dumps(other.to_dict())


def test_a_map_is_the_same_each_time_and_is_kept(
    head: Head, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = {"space": "cosine", "marks": ["king + sea"], "paths": {"steps": np.eye(16)[:3]}}
    first = head.map(**options)
    monkeypatch.setattr("unembed.geometry.projection.closest._among_few", None)
    monkeypatch.setattr("unembed.geometry.projection.kept.laid_out", None)
    monkeypatch.setattr("unembed.geometry.projection.marks.added", None)
    assert the_same(first, head.map(**options))
    assert [step.name for step in first.paths[0].steps] == ["steps 1", "steps 2", "steps 3"]


def test_a_damaged_entry_is_made_again(head: Head, caplog: pytest.LogCaptureFixture) -> None:
    first = head.map(space="cosine")
    (path,) = head.store.directory.glob("map-*.safetensors")
    content = bytearray(path.read_bytes())
    content[-9] ^= 255
    path.write_bytes(content)
    assert the_same(first, head.map(space="cosine"))
    assert "damaged and is made again" in caplog.text


def test_an_entry_of_another_shape_is_made_again(head: Head) -> None:
    first = head.map(space="cosine")
    store, (path,) = head.store, head.store.directory.glob("map-*.safetensors")
    for name, value in (
        ("clusters", np.full(len(first.points.ids_N), 99, dtype=np.int32)),
        ("words", np.full((0, 2), 7, dtype=np.int32)),
        ("mapped", np.full(first.points.mapped_NC.shape, np.nan, dtype=np.float32)),
    ):
        from unembed.geometry.projection.gathering import gathered
        from unembed.geometry.projection.kept import Kept
        from unembed.geometry.projection.layout import Layout
        from unembed.geometry.space import open_space

        kept = Kept(head, open_space(head, "cosine"), gathered(head, None), Layout(), None)
        store.put("map", kept._key, dict(kept.arrays) | {name: value})
        assert the_same(first, head.map(space="cosine")), name
        assert path.is_file()


@pytest.mark.parametrize("count", [1, 2, 3, 4, 7, 20])
@pytest.mark.parametrize("dimensions", [2, 3])
def test_small_maps_are_sensible(head: Head, tmp_path: Path, count: int, dimensions: int) -> None:
    found = head.map(
        region=list(range(240, 240 + count)),
        space="cosine",
        dimensions=dimensions,
        marks=["sea"],
    )
    count = len(found.points.ids_N)
    assert found.layout.neighbors == max(2, min(15, count))
    assert found.points.mapped_NC.shape == (count, dimensions)
    assert (found.trust is None) == (count < 4)
    for ending in (".png", ".html", ".csv", ".parquet", ".json"):
        write_map(found, tmp_path / f"small{ending}")
        assert (tmp_path / f"small{ending}").stat().st_size > 100


def test_several_regions_are_groups(head: Head) -> None:
    found = head.map(region=["emoji", "/sea|🐴/"], space="cosine")
    groups = [found.groups[group] for group in found.points.groups_N]
    texts = dict(zip(found.points.texts, groups, strict=True))
    assert found.title == "emoji and /sea|🐴/"
    assert texts["🐴"] == "emoji"
    assert texts[" sea"] == "/sea|🐴/"
    assert len(coloured(found, "group").legend) == 2


def test_what_is_around_a_concept_is_what_is_nearest(head: Head) -> None:
    found = head.map(around="king", top=30, space="cosine", exclude_region="bytes")
    near = head.nearest(
        "king", top=30, space="cosine", exclude_region="bytes", keep_inputs=True
    ).neighbours
    assert found.points.ids_N.tolist() == sorted(one.id for one in near)
    assert found.title == "around king in all - bytes" or found.title.startswith("around king")
    assert found.marks[0].name == "king"
    assert found.points.texts[found.marks[0].near[0]] == " king"


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"region": "/nothing here/"}, "no token of"),
        ({"region": []}, "no token of"),
        ({"region": ["emoji", 7]}, "not a mixture"),
        ({"marks": "sea"}, "give a list"),
        ({"marks": ["sea +"]}, "sea"),
        ({"supervised": True, "region": "emoji"}, "two regions or more"),
        ({"method": "csls", "pieces": "first"}, "leave out pieces and estimator"),
        ({"paths": {"layers": np.ones(3)}}, "the path 'layers'"),
        ({"around": "sea", "top": 0}, "top is 0"),
    ],
)
def test_bad_input_is_one_of_our_errors(head: Head, options: dict[str, object], says: str) -> None:
    with pytest.raises(UsageError, match=re.escape(says)):
        head.map(space="cosine", **options)  # type: ignore[arg-type]


def test_a_mark_of_another_space_is_refused(head: Head) -> None:
    mark = head.concept("sea", space="logit")
    with pytest.raises(UsageError, match="is not of this head's"):
        head.map(region="emoji", space="cosine", marks=[mark])


def test_a_table_has_everything_drawn() -> None:
    found = a_map()
    table = found.to_arrow()
    parts = table["part"].to_pylist()
    assert {part: parts.count(part) for part in sorted(set(parts))} == {
        "label": 2,
        "mark": 1,
        "step": 2,
        "token": 200,
    }
    rows = table.to_pylist()
    assert rows[3]["text"] == "\x00"
    assert rows[3]["neighbors"]["ids"] == [7 * place for place in range(4, 14)]
    assert rows[3]["neighbors"]["distances"] == [0.75] * 10
    mark = rows[parts.index("mark")]
    assert (mark["snap"], mark["gap_degrees"], mark["x"]) == (56, 69.93, 0.5)
    assert rows[-1]["label"] == "dogs"
    assert rows[-1]["neighbors"] is None
    assert len(found.to_pandas()) == len(rows)


def test_json_names_tokens_by_their_ids() -> None:
    found = json.loads(json.dumps(a_map().to_dict()))
    assert found["points"][3]["near"][:2] == [28, 35]
    assert found["marks"][0]["snap"] == 56
    assert found["breaks"][0]["points"] == [0]
    assert found["points"][1]["columns"] == {"use": 0.5, "note": "</script>"}


def test_files_hold_the_map(tmp_path: Path) -> None:
    found = a_map()
    for ending in (".csv", ".parquet", ".json"):
        write_map(found, tmp_path / f"map{ending}")
    assert pq.read_table(tmp_path / "map.parquet").equals(found.to_arrow())
    assert json.loads((tmp_path / "map.json").read_text()) == json.loads(
        json.dumps(found.to_dict())
    )
    with (tmp_path / "map.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 205
    assert rows[5]["text"] == "'=1+1"
    assert json.loads(rows[3]["neighbors"])["ids"][0] == 28


@pytest.mark.parametrize("ending", [".png", ".svg", ".pdf", ".html"])
@pytest.mark.parametrize("dimensions", [2, 3])
def test_pictures_and_pages_are_the_same_each_time(
    tmp_path: Path, ending: str, dimensions: int
) -> None:
    found = a_map(40, dimensions=dimensions)  # some of each kind
    for color_by in ("cluster", "use", "note"):
        one, other = tmp_path / f"one{ending}", tmp_path / f"other{ending}"
        write_map(found, one, color_by=color_by)
        write_map(found, other, color_by=color_by)
        assert one.read_bytes() == other.read_bytes()


def test_a_page_lets_no_token_out() -> None:
    page = map_page(a_map()).decode()
    assert page.count("<script") == 2
    assert page.count("</script>") == 2
    assert "<img src=x" not in page
    assert "\u202e" not in page
    assert "\x00" not in page
    assert not re.search(r"https?://", page.split('id="data"')[0])
    data = json.loads(re.search(r'id="data">(.*?)</script>', page, re.DOTALL)[1])  # type: ignore[index]
    assert data["forms"][0] == HOSTILE[0][:23] + "…"


def test_a_drawing_for_a_notebook_is_escaped() -> None:
    drawn = a_map()._repr_html_()
    assert "<script" not in drawn
    assert "<b>" not in drawn
    assert "\u202e" not in drawn
    assert "far islands are drawn nearer" in drawn
    assert inline_svg(a_map(4000)).count("<circle") < 3100


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("a.txt", "id,use\n1,2\n", "a table is read from .csv, .tsv, .jsonl, .parquet"),
        ("a.csv", "name,use\n1,2\n", "no column says which token a row is of"),
        ("a.csv", "id\n1\n", "0 columns beside id"),
        ("a.csv", "id,use\n1,2\n1,3\n", "row 2: id '1' is there twice"),
        ("a.csv", "id,use\nx,2\n", "row 1: id is 'x'; it must be a whole number"),
        ("a.csv", "id,use\n99999,2\n", "no row names a token of this head by its id"),
        ("a.csv", "id,norm\n1,2\n", "a map has columns norm of its own; rename them"),
        ("a.csv", "", "the table cannot be read"),
        ("a.parquet", "no parquet", "the table cannot be read"),
        ("a.jsonl", "{", "the table cannot be read"),
        ("missing.csv", None, "the table cannot be read"),
    ],
)
def test_a_wrong_table_is_refused(
    head: Head, tmp_path: Path, name: str, content: str | None, says: str
) -> None:
    if content is not None:
        (tmp_path / name).write_text(content)
    with pytest.raises(UsageError, match=re.escape(says)):
        read_columns(tmp_path / name, head)


def test_a_table_colours_tokens(
    head: Head, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "use.tsv"
    path.write_text("text\tuse\tsort\n sea\t0.5\tplace\n🐴\t2\tanimal\nnowhere\t1\tx\n")
    columns = read_columns(path, head)
    assert "1 of 3 rows name no token" in caplog.text
    found = head.map(region=["emoji", "/sea/"], space="cosine", columns=columns)
    values = dict(zip(found.points.texts, found.points.columns["use"], strict=True))
    assert (values[" sea"], values["🐴"], values["🐶"]) == (0.5, 2.0, None)
    assert [label for label, _ in coloured(found, "use").legend] == ["0.5", "2"]
    assert [label for label, _ in coloured(found, "sort").legend] == ["animal", "place", "other"]


Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(
    make_checkpoint: Make, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Run:
    directory = make_checkpoint("sentencepiece")
    monkeypatch.setattr("unembed.geometry.views.bars._MOMENT", 1e9)
    monkeypatch.chdir(directory)

    def run(*arguments: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as caught:
            main(["map", ".", "--space", "cosine", *arguments])
        output = capsys.readouterr()
        assert isinstance(caught.value.code, int)
        return caught.value.code, output.out, output.err

    return run


def test_the_command_writes_what_it_is_asked_for(run: Run) -> None:
    save_file({"layers": np.eye(16, dtype=np.float32)[:4]}, "layers.safetensors")
    code, out, err = run(
        *("--region", "emoji", "--region", "words", "--mark", "king + sea"),
        *("--path", "layers.safetensors", "-o", "a.html", "-o", "a.csv", "-o", "a.png"),
    )
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert lines[0].startswith("emoji and words: ., 16 tokens, cosine space, 15 neighbors")
    assert any(line.startswith("  king + sea snaps to ") for line in lines)
    assert any(line.startswith("  layers: ") and line.count("→") == 3 for line in lines)
    assert lines[-3:] == ["written: a.html", "written: a.csv", "written: a.png"]
    assert {path.suffix for path in Path().glob("a.*")} == {".html", ".csv", ".png"}


def test_the_command_prints_json(run: Run) -> None:
    code, out, _ = run("--region", "emoji", "--json")
    assert code == 0
    assert json.loads(out)["title"] == "emoji"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["-o", "map.gif"], "map.gif: a map is written as .png, .svg, .pdf, .html"),
        (["-o", "nowhere/map.html"], "nowhere/map.html: cannot be written"),
        (["-o", "nowhere/map.png"], "nowhere/map.png: cannot be written"),
        (["--color-by", "taste"], "unknown colour 'taste'; a map is coloured by cluster, kind"),
        (["--neighbors", "1"], "neighbors is 1"),
        (["--dimensions", "4"], "dimensions is 4"),
        (["--region", "nope"], "unknown region 'nope'"),
        (["--mark", "sea +"], "sea +"),
        (["--table", "nope.csv"], "nope.csv: the table cannot be read"),
        (["--path", "nope.npy"], "nope.npy"),
    ],
)
def test_a_wrong_call_is_one_line(run: Run, arguments: list[str], says: str) -> None:
    code, out, err = run(*arguments)
    assert (code, out) == (2, "")
    assert says in err
    assert "Traceback" not in err


def test_marks_are_placed_on_a_map_as_when_it_was_made(head: Head) -> None:
    made = head.map(space="cosine", marks=["king + sea", "fish - dog"])
    concepts = [head.concept(one, space="cosine") for one in ("king + sea", "fish - dog")]
    assert marked(head, head.map(space="cosine"), concepts) == made.marks


def test_work_that_is_stopped_keeps_no_other_from_being_done(head: Head) -> None:
    def stopping(step: str, done: int, total: int) -> None:
        if step == "laying out":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        head.map(space="cosine", progress=stopping)
    with ThreadPoolExecutor(1) as other:  # it would wait for a lock of tqdm's
        assert other.submit(head.map, space="cosine").result(60).points.ids_N.size > 20
