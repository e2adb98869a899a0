"""Residuals from files, the head on each layer against an exact oracle, the lens in a terminal."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray
from rich.console import Console
from safetensors.numpy import save_file
from unembed import Head, open_head
from unembed.cli import main
from unembed.errors import UsageError
from unembed.geometry.lens.look import look
from unembed.geometry.lens.readout import readout
from unembed.geometry.model.residuals import Residuals, read_residuals, save_residuals
from unembed.geometry.tokens.becoming import becoming, unfinished
from unembed.geometry.tokens.whole_emoji import whole_emoji
from unembed.geometry.views.lens_table import lens_table

Make = Callable[..., Path]
RNG = np.random.default_rng


@pytest.fixture
def head(make_checkpoint: Make) -> Head:
    return open_head(make_checkpoint("sentencepiece"))


def stack(head: Head, layers: int = 4, positions: int = 3) -> np.ndarray:
    return RNG(0).normal(size=(layers, positions, head.rows.width))


def id_of(head: Head, token: str) -> int:
    found = head.vocabulary.id_of_token(token)
    assert found is not None
    return found


def read(head: Head, path: Path) -> Residuals:
    return read_residuals(path, width=head.rows.width, tokens=head.rows.count)


@pytest.mark.parametrize("top", [1, 3, 285])
def test_a_readout_is_that_of_the_softmax(head: Head, top: int) -> None:
    logits_LV = head.single_logits(RNG(1).normal(size=(5, head.rows.width)))
    found = readout(logits_LV, top=top, followed=[7, 3])
    logits_LV = logits_LV.astype(np.float64)
    chances_LV = np.exp(logits_LV) / np.exp(logits_LV).sum(axis=1, keepdims=True)
    assert np.array_equal(found.ids_LK, np.argsort(-logits_LV, axis=1, kind="stable")[:, :top])
    own_LK = np.take_along_axis(chances_LV, found.ids_LK, axis=1)
    np.testing.assert_allclose(np.exp(found.logits_LK - found.totals_L[:, None]), own_LK, rtol=1e-5)
    entropies_L = -(chances_LV * np.log(chances_LV)).sum(axis=1)
    np.testing.assert_allclose(found.entropies_L, entropies_L, rtol=1e-5)
    kl_L = (chances_LV[-1] * np.log(chances_LV[-1] / chances_LV)).sum(axis=1)
    np.testing.assert_allclose(found.kl_L, kl_L, atol=1e-5)
    ranks_LT = 1 + (logits_LV[:, :, None] > logits_LV[:, None, [7, 3]]).sum(axis=1)
    assert np.array_equal(found.ranks_LT, ranks_LT)


@given(
    hnp.arrays(
        np.float32,
        st.tuples(st.integers(1, 3), st.integers(1, 700)),
        elements=st.integers(-3, 3).map(float),
    ),
    st.integers(1, 9),
)
def test_the_first_of_many_equal_logits_are_those_of_a_sort(
    logits_LV: NDArray[np.float32], top: int
) -> None:
    top = min(top, logits_LV.shape[1])
    found = readout(logits_LV, top=top, followed=[logits_LV.shape[1] - 1])
    ids_LV = np.argsort(-logits_LV, axis=1, kind="stable")
    assert np.array_equal(found.ids_LK, ids_LV[:, :top])
    last_L1 = 1 + np.argwhere(ids_LV == logits_LV.shape[1] - 1)[:, 1:]
    assert np.array_equal(found.ranks_LT, last_L1)


def test_equal_logits_go_to_the_lower_id() -> None:
    found = readout(np.zeros((1, 600), np.float32), top=4, followed=[9, 0])
    assert found.ids_LK.tolist() == [[0, 1, 2, 3]]
    assert found.ranks_LT.tolist() == [[10, 1]]


@pytest.mark.parametrize("layers", [1, 2, 9])
def test_positions_are_read_alone_or_together(head: Head, layers: int) -> None:
    stack_LPD = RNG(2).normal(size=(layers, 5, head.rows.width))
    together = look(head, Residuals(stack_LPD, tuple(range(5))))
    for place, position in enumerate(together.positions):
        alone = look(head, Residuals(stack_LPD[:, [place]], (place,)))
        for one, other in zip(position.layers, alone.positions[0].layers, strict=True):
            assert [guess.id for guess in one.top] == [guess.id for guess in other.top]
            assert one.entropy == pytest.approx(other.entropy, abs=1e-5)


def test_what_was_ever_first_is_followed(head: Head) -> None:
    rows = head.rows.decode(np.array([id_of(head, f"▁{word}") for word in ("sea", "king", "sea")]))
    found = head.lens(Residuals(rows[:, None], (0,)), normed=False)
    tokens = [guess.token for guess in found.positions[0].layers[0].tracked]
    assert tokens == ["▁sea", "▁king"]
    ranks = [[guess.rank for guess in layer.tracked] for layer in found.positions[0].layers]
    assert ranks[0] == ranks[2]
    assert ranks[0][0] == ranks[1][1] == 1


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("order", ["C", "F"])
def test_a_npy_file_is_read(head: Head, tmp_path: Path, dtype: type, order: str) -> None:
    values = stack(head).astype(dtype)
    np.save(tmp_path / "a.npy", np.asarray(values, order=order))  # type: ignore[call-overload]
    held = read(head, tmp_path / "a.npy")
    assert np.array_equal(held.stack_LPD, values.astype(np.float64))
    assert (held.positions, held.token_ids, held.prompt) == ((0, 1, 2), None, None)
    np.save(tmp_path / "one.npy", values[:, 0])
    assert np.array_equal(read(head, tmp_path / "one.npy").stack_LPD, held.stack_LPD[:, :1])


def test_a_safetensors_file_of_another_program_is_read(head: Head, tmp_path: Path) -> None:
    values = stack(head).astype(np.float32)
    save_file({"blocks": values}, tmp_path / "a.safetensors")
    assert np.array_equal(read(head, tmp_path / "a.safetensors").stack_LPD, values)


def test_what_is_saved_is_read_again(head: Head, tmp_path: Path) -> None:
    held = Residuals(
        stack(head).astype(np.float32).astype(np.float64), (4, 5, 9), (1, 2, 3), 1, "a\nb", "🐙"
    )
    path = tmp_path / "a.safetensors"
    save_residuals(held, path)
    again = read(head, path)
    assert np.array_equal(again.stack_LPD, held.stack_LPD)
    for name in ("positions", "token_ids", "written", "prompt", "text"):
        assert getattr(again, name) == getattr(held, name), name
    first = path.read_bytes()
    save_residuals(held, path)
    assert path.read_bytes() == first


def hostile(head: Head, **changes: object) -> dict[str, np.ndarray]:
    tensors = {
        "residuals": stack(head).astype(np.float32),
        "positions": np.arange(3),
        "token_ids": np.arange(3),
    }
    return tensors | changes  # type: ignore[operator,return-value]


@pytest.mark.parametrize(
    ("changes", "about", "says"),
    [
        ({"residuals": np.zeros((4, 3, 7), np.float32)}, {}, r"of this head are \(layers, 16"),
        ({"residuals": np.zeros((4, 16, 3, 16), np.float32)}, {}, "its shape is"),
        ({"residuals": np.zeros((0, 3, 16), np.float32)}, {}, "its shape is"),
        ({"residuals": np.full((4, 3, 16), np.nan, np.float32)}, {}, "at position 0 holds NaN"),
        ({"residuals": np.zeros((4, 3, 16), np.int64)}, {}, "its values are I64"),
        ({"positions": np.arange(4)}, {}, r"positions are I64 of shape \(4,\)"),
        ({"positions": np.arange(3.0)}, {}, "positions are F64"),
        ({"token_ids": np.array([1, 2, 285])}, {}, "token_ids hold 285; they go from 0 to 284"),
        ({"token_ids": np.array([1, -2, 3])}, {}, "token_ids hold -2"),
        ({}, {"run": '{"written": "many"}'}, "written in its 'run' is 'many'"),
        ({}, {"run": '{"written": -1}'}, "written in its 'run' is -1"),
        ({}, {"run": '{"prompt": 7}'}, "the prompt of its 'run' is no text"),
        ({}, {"run": "[]"}, "is no JSON object"),
        ({}, {"run": "{"}, "is no JSON object"),
        ({}, {"run": "[" * 100_000}, "is no JSON object"),
        ({}, {"run": "x" * (1 << 21)}, "its 'run' has 2,097,152 characters"),
    ],
)  # fmt: skip
def test_files_that_are_refused(
    head: Head, tmp_path: Path, changes: dict[str, object], about: dict[str, str], says: str
) -> None:
    path = tmp_path / "a.safetensors"
    save_file(hostile(head, **changes), path, metadata=about)
    with pytest.raises(UsageError, match=says) as caught:
        read(head, path)
    assert str(path) in str(caught.value)


def test_a_file_with_none_is_refused(head: Head, tmp_path: Path) -> None:
    save_file({"a": np.zeros(3), "b": np.zeros(3)}, tmp_path / "a.safetensors")
    with pytest.raises(UsageError, match="or one called 'residuals'; it holds 'a', 'b'"):
        read(head, tmp_path / "a.safetensors")
    with pytest.raises(UsageError, match="there is no such file"):
        read(head, tmp_path / "none.npy")


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ((np.zeros((2, 16)), (0,)), r"the residuals have shape \(2, 16\)"),
        ((np.zeros((2, 0, 16)), ()), "none of them 0"),
        ((np.zeros((2, 3, 16)), (0, 1)), "there are 2 positions of residuals at 3 positions"),
        ((np.zeros((2, 1, 16)), (0,), (1, 2)), "there are 2 token_ids"),
        ((np.full((2, 1, 16), np.inf), (5,)), "layer 0 at position 5 holds NaN or infinity"),
    ],
)
def test_residuals_that_do_not_fit_together(given: tuple[Any, ...], says: str) -> None:
    with pytest.raises(UsageError, match=says):
        Residuals(*given)


def test_residuals_of_another_head(head: Head) -> None:
    with pytest.raises(UsageError, match="the residuals are 8 wide; the head takes 16"):
        head.lens(Residuals(np.zeros((2, 1, 8)), (0,)))


def test_a_path_that_residuals_are_not_saved_to(head: Head, tmp_path: Path) -> None:
    held = Residuals(stack(head), (0, 1, 2))
    with pytest.raises(UsageError, match=r"ends in \.safetensors"):
        save_residuals(held, tmp_path / "a.npy")
    with pytest.raises(UsageError, match="could not be saved"):
        save_residuals(held, tmp_path / "a.npy" / "\0.safetensors")


@given(st.text(max_size=6), st.integers(0, 3))
def test_a_text_cut_in_a_character_is_unfinished(text: str, cut: int) -> None:
    written = text.encode(errors="ignore")
    assert unfinished(written) == b""
    for char in text[-1:]:
        whole = char.encode(errors="ignore")
        part = whole[: min(cut, len(whole) - 1)] if whole else b""
        assert unfinished(b"sea " + part) == part
        assert (becoming(b"sea " + part) is None) == (not part)


def test_pieces_of_an_emoji_say_what_they_become(head: Head) -> None:
    bytes_ = "🦄".encode()
    read_ids = tuple(id_of(head, f"<0x{byte:02X}>") for byte in bytes_[:2])
    third = head.rows.decode(np.array([id_of(head, f"<0x{bytes_[2]:02X}>")]))
    values = np.concatenate([third, third])[None]
    found = head.lens(Residuals(values, (3, 4), read_ids), normed=False)
    first, after = (place.layers[0].top[0].becomes for place in found.positions)
    assert first == "the start of a character"  # F0 A6 begins no emoji
    count = sum(emoji.encode().startswith(bytes_[:3]) for emoji in whole_emoji())
    assert after == f"the start of {count} emoji"
    apart = head.lens(Residuals(values, (3, 9), read_ids), normed=False)
    assert apart.positions[1].layers[0].top[0].becomes is None  # 9F A6 begins nothing
    assert "A6> is the start of " in printed(found)


def printed(found: object, **options: object) -> str:
    console = Console(width=100, highlight=False)
    with console.capture() as captured:
        console.print(lens_table(found, **options))  # type: ignore[arg-type]
    return captured.get()


def test_a_table_has_the_last_positions_that_fit(head: Head) -> None:
    held = Residuals(stack(head, positions=7), tuple(range(7)), (1,) * 7, 2, "a\nb", "c\td")
    shown = printed(head.lens(held))
    assert "read: a⏎b" in shown
    assert "written: c⇥d" in shown
    assert "the last 4 of 7 positions; --json has all" in shown
    assert "3 read" in shown
    assert "6 wrote" in shown
    assert "2 read" not in shown


def test_a_hostile_token_harms_no_terminal(head: Head) -> None:
    ids = [id_of(head, token) for token in ("[bold red]", "\x1b[31m", "\u202e")]
    rows = head.rows.decode(np.array(ids))
    shown = printed(head.lens(Residuals(rows[:, None], (0,)), normed=False, track=["'[bold red]'"]))
    assert "\x1b" not in shown
    assert "\u202e" not in shown
    assert "[bold red]" in shown


def test_the_command_looks_at_a_file(
    make_checkpoint: Make, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    directory = make_checkpoint("sentencepiece")
    head = open_head(directory)
    path = tmp_path / "a.safetensors"
    save_residuals(Residuals(stack(head), (0, 1, 2), (1, 2, 3), prompt="sea"), path)
    arguments = ["lens", str(directory), "--residuals", str(path), "--track", "sea,king"]
    with pytest.raises(SystemExit) as ended:
        main([*arguments, "--json"])
    assert ended.value.code == 0
    found = json.loads(capsys.readouterr().out)
    assert found["prompt"] == "sea"
    assert found["schema"] == 1
    assert [place["token_id"] for place in found["positions"]] == [1, 2, 3]
    layer = found["positions"][0]["layers"][-1]
    assert list(layer["tracked"]) == ["▁sea", "▁king"]
    assert {"layer", "top", "entropy", "kl", "tracked", "cosines", "parts"} == set(layer)
    with pytest.raises(SystemExit):
        main([*arguments, "--no-norm"])
    shown = capsys.readouterr().out
    assert "without the final norm" in shown
    assert "sea likeliest after layer" in shown


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([], "give a prompt, or --residuals FILE"),
        (["sea", "--residuals", "a.npy"], "give a prompt, or --residuals FILE"),
        (["--residuals", "/no/a.npy"], "there is no such file"),
        (["sea", "--save", "a.npy"], "residuals are saved to a file that ends in .safetensors"),
        (["sea", "--generate", "-1"], "a model writes 0 to 4096 tokens"),
    ],
)
def test_what_the_command_refuses(
    make_checkpoint: Make,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    says: str,
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["lens", str(make_checkpoint()), *arguments])
    assert ended.value.code == 2
    assert says in capsys.readouterr().err


def test_a_lens_is_a_table(head: Head) -> None:
    found = head.lens(Residuals(stack(head), (0, 1, 2)), top=2, track=["sea"])
    rows = found.to_arrow().to_pylist()
    assert len(rows) == 3 * 4 * (2 + 1)
    assert len(found.to_pandas()) == len(rows)
    assert {row["part"] for row in rows} == {"top", "tracked"}


def test_a_notebook_shows_a_heat_map_that_harms_nobody(head: Head) -> None:
    id_ = next(
        id_ for id_ in range(head.rows.count) if "script" in (head.vocabulary.text(id_) or "")
    )
    rows = head.rows.decode(np.array([id_, id_of(head, "▁sea")]))
    found = head.lens(Residuals(50 * rows[:, None], (0,), prompt="<b>"), normed=False, top=2)
    html = found._repr_html_()
    assert "<script" not in html
    assert "&lt;b&gt;" in html
    assert "&lt;script&gt;" in html
    assert html.count("<tr>") == 3
    assert "rgba(46,160,67,1.00)" in html
    assert "entropy" in html
