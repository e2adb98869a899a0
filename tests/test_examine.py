"""The health of vocabularies: planted oddities, against formulas written out."""

import csv
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from pyarrow import parquet
from safetensors.torch import save_file
from sklearn.metrics import average_precision_score
from tokenizers import Tokenizer, decoders, models
from unembed import Head, open_head
from unembed.cli import main
from unembed.errors import UsageError
from unembed.geometry.examining.alike import NEAR, alike
from unembed.geometry.examining.coverage import block_coverage, emoji_coverage, whole
from unembed.geometry.examining.fragments import fragments_of
from unembed.geometry.examining.reached import reached
from unembed.geometry.examining.round_trip import STATES, round_trips
from unembed.geometry.examining.undertrained import WAYS, undertrained
from unembed.geometry.model.residuals import Residuals
from unembed.geometry.tokens.characters import characters
from unembed.geometry.tokens.whole_emoji import whole_emoji
from unembed.geometry.views.vocab_file import write_vocab

from .conftest import FAMILIES, sentencepiece

Make = Callable[..., Path]
UNUSED = 40


@pytest.fixture
def planted(tmp_path: Path) -> Head:
    """Give a head with unused tokens, and some whose rows look like theirs."""
    tokenizer = sentencepiece()
    tokenizer.add_tokens([f"<unused{place}>" for place in range(UNUSED)])
    count = tokenizer.get_vocab_size()
    rng = np.random.default_rng(0)
    rows_VD = rng.normal(size=(count, 16))
    start_D = rng.normal(size=16)
    untrained = [count - UNUSED + place for place in range(UNUSED)]
    untrained += [tokenizer.token_to_id(token) for token in ("▁pizza", "<0x41>")]
    rows_VD[untrained] = start_D + 0.2 * rng.normal(size=(len(untrained), 16))
    save_file(
        {"model.embed_tokens.weight": torch.from_numpy(rows_VD.astype(np.float32))},
        tmp_path / "model.safetensors",
    )
    (tmp_path / "config.json").write_text('{"tie_word_embeddings": true}')
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    return open_head(tmp_path)


@pytest.mark.parametrize("family", FAMILIES)
def test_what_comes_back_is_what_the_library_says(make_checkpoint: Make, family: str) -> None:
    head = open_head(make_checkpoint(family))
    tokenizer = Tokenizer.from_file(str(head.vocabulary.path))
    states_V = round_trips(head)
    assert len(states_V) == head.rows.count
    for id_, state in enumerate(states_V.tolist()):
        text = head.vocabulary.text(id_)
        if not head.vocabulary.known_V[id_]:
            assert STATES[state] == "padding"
        elif head.vocabulary.kind(id_) == "special":
            assert STATES[state] == "special"
        elif text is None:
            assert STATES[state] == "partial"
        else:
            alone, *behind = (
                tokenizer.encode(form, add_special_tokens=False).ids
                for form in (text, f"«{text}", f"king{text}")
            )
            unknown = head.vocabulary.unknown_id
            comes = alone == [id_] or any(
                ids[-1:] == [id_] and unknown not in ids for ids in behind
            )
            assert STATES[state] == ("reachable" if comes else "unreachable")


def test_a_token_whose_merge_lacks_is_unreachable(tmp_path: Path) -> None:
    vocab = {letter: place for place, letter in enumerate("abcde")} | {"ab": 5, "abc": 6, "de": 7}
    tokenizer = Tokenizer(models.BPE(vocab=vocab, merges=[("a", "b"), ("ab", "c")]))
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    save_file({"lm_head.weight": torch.randn(8, 4)}, tmp_path / "model.safetensors")
    (tmp_path / "config.json").write_text('{"tie_word_embeddings": false}')
    found = open_head(tmp_path).examine()
    assert found.unreachable_N.tolist() == [7]
    assert found.undertrained is None
    assert found.suspected_N.tolist() == []


def test_distances_are_those_of_the_formulas(planted: Head) -> None:
    found = undertrained(planted)
    assert found is not None
    rows_VD = planted.rows.decode(slice(None))
    unused = [id_ for id_ in range(len(rows_VD)) if planted.vocabulary.kind(id_) == "unused"]
    assert found.unused_U.tolist() == unused
    assert len(unused) == UNUSED
    mean_D = rows_VD.mean(axis=0)
    _, vectors_DD = np.linalg.eigh(np.cov((rows_VD - mean_D).T))
    first_D = vectors_DD[:, -1]
    centred_VD = rows_VD - mean_D
    forms = (rows_VD, centred_VD, centred_VD - np.outer(centred_VD @ first_D, first_D))
    for at, form_VD in enumerate(forms):
        unused_D = form_VD[unused].mean(axis=0)
        cosines_V = form_VD @ unused_D / np.linalg.norm(form_VD, axis=1) / np.linalg.norm(unused_D)
        assert found.distances_VW[:, at] == pytest.approx(1 - cosines_V, abs=1e-9)


def test_planted_untrained_tokens_are_suspected(planted: Head) -> None:
    found = planted.examine()
    tokens = {planted.vocabulary.token(id_) for id_ in found.suspected_N.tolist()}
    assert tokens == {"▁pizza", "<0x41>"}
    judged = found.undertrained
    assert judged is not None
    drawn = np.random.default_rng(0).permutation(judged.unused_U)
    half, other = drawn[: UNUSED // 2], drawn[UNUSED // 2 :]
    rows_VD = planted.rows.decode(slice(None))
    unused_D = rows_VD[half].mean(axis=0)
    cosines_V = rows_VD @ unused_D / np.linalg.norm(rows_VD, axis=1) / np.linalg.norm(unused_D)
    tried = np.setdiff1d(np.arange(len(rows_VD)), half)
    wanted = average_precision_score(np.isin(tried, other), cosines_V[tried])
    plain = judged.judged[WAYS.index("plain")]
    assert plain.average_precision == pytest.approx(wanted)
    assert plain.threshold == pytest.approx(float(np.quantile(1 - cosines_V[other], 0.95)))
    assert max(one.average_precision for one in judged.judged) > 0.9


@pytest.mark.parametrize("family", FAMILIES)
def test_every_emoji_is_counted_once(make_checkpoint: Make, family: str) -> None:
    vocabulary = open_head(make_checkpoint(family)).vocabulary
    found = emoji_coverage(vocabulary)
    assert found.one + found.several + found.pieces + found.none == len(whole_emoji())
    assert found.one == sum(vocabulary.id_of(text) is not None for text in whole_emoji())
    assert bool(found.none) == (family in {"unigram", "wordpiece"})


@pytest.mark.parametrize("family", FAMILIES)
def test_every_character_is_counted_in_one_block(make_checkpoint: Make, family: str) -> None:
    head = open_head(make_checkpoint(family))
    found = {block.name: block for block in block_coverage(head)}
    assert whole(tuple(found.values())).total == len(characters())
    letters = [chr(code) for code in range(128)]
    assert found["Basic Latin"].total == len(letters)
    assert found["Basic Latin"].one == sum(
        head.vocabulary.id_of(letter) is not None for letter in letters
    )
    assert found["Hangul Syllables"].total == 11_172
    assert bool(found["Hangul Syllables"].none) == (family in {"unigram", "wordpiece"})
    assert block_coverage(open_head(head.path.parent)) == tuple(found.values())  # kept


@pytest.mark.parametrize("family", ["byte_level", "sentencepiece"])
def test_fragments_are_parts_of_the_characters_that_have_them(
    make_checkpoint: Make, family: str
) -> None:
    vocabulary = open_head(make_checkpoint(family)).vocabulary
    encoded = [text.encode() for text in characters()]
    found = {one.id: one for one in fragments_of(vocabulary)}
    assert sorted(found) == [
        id_
        for id_ in range(len(vocabulary))
        if vocabulary.known_V[id_] and vocabulary.text(id_) is None
    ]
    for id_ in sorted(found)[:: max(len(found) // 12, 1)]:
        written = vocabulary.written[id_]
        begins = [one for one in encoded if _cut_at_end(written, one)]
        head = written[: len(written) - len(written.lstrip(bytes(range(0x80, 0xC0))))]
        completes = [one for one in encoded if head and one != head and one.endswith(head)]
        inside = [one for one in encoded if head and head == written and one[1:-1].find(head) >= 0]
        one = found[id_]
        assert (one.begins, one.completes, one.inside) == tuple(
            map(len, (begins, completes, inside))
        )
        shown = [part.decode() for part in (*begins, *completes, *inside)]
        assert list(one.characters) == shown[:8]


def _cut_at_end(written: bytes, character: bytes) -> bool:
    """Tell whether bytes end with a beginning of a character, and not all of it."""
    return any(written.endswith(character[:size]) for size in range(1, len(character)))


def a_head(tmp_path: Path, rows_VD: np.ndarray) -> Head:
    """Make a head with these rows, whose tokens are numbers."""
    vocab = {str(place): place for place in range(len(rows_VD))}
    tokenizer = Tokenizer(models.BPE(vocab=vocab, merges=[]))
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    rows = torch.from_numpy(rows_VD.astype(np.float32))
    save_file({"lm_head.weight": rows}, tmp_path / "model.safetensors")
    (tmp_path / "config.json").write_text('{"tie_word_embeddings": false}')
    return open_head(tmp_path)


@pytest.mark.parametrize("seed", range(5))
def test_rows_that_are_alike_are_those_near_the_first(tmp_path: Path, seed: int) -> None:
    rng = np.random.default_rng(seed)
    rows_VD = rng.normal(size=(60, 40))
    spread = float(np.sqrt(40))
    for place in range(60, 300):  # some near, some not, some near to two that are not
        step_D = rng.normal(size=40)
        step_D *= spread * rng.choice([0, 0.3, 0.9, 1.1, 2]) * NEAR / np.linalg.norm(step_D)
        rows_VD = np.vstack([rows_VD, rows_VD[rng.integers(0, place)] + step_D])
    head = a_head(tmp_path, rows_VD)
    rows_VD = head.rows.decode(slice(None))
    near = NEAR * np.sqrt(((rows_VD - rows_VD.mean(axis=0)) ** 2).sum(axis=1).mean())
    free, wanted = list(range(len(rows_VD))), []
    while free:
        own = rows_VD[free[0]]
        group = [id_ for id_ in free if np.linalg.norm(rows_VD[id_] - own) <= near]
        free = [id_ for id_ in free if id_ not in group]
        if len(group) > 1:
            wanted.append(tuple(group))
    assert len(wanted) > 10
    found = alike(head)
    assert found == tuple(sorted(wanted, key=lambda ids: (-len(ids), ids)))
    assert alike(open_head(tmp_path)) == found  # kept


def test_rows_that_differ_are_not_alike(tmp_path: Path) -> None:
    assert alike(a_head(tmp_path, np.random.default_rng(0).normal(size=(50, 4)))) == ()


def test_a_head_of_equal_rows_is_one_group(tmp_path: Path) -> None:
    assert alike(a_head(tmp_path, np.ones((7, 3)))) == (tuple(range(7)),)


def test_ranks_are_those_of_the_logits(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    rows_VD = rng.integers(-2, 3, size=(400, 6)).astype(np.float64)  # many logits are equal
    head = a_head(tmp_path, rows_VD)
    held_LPD = rng.integers(-2, 3, size=(3, 130, 6)).astype(np.float64)
    found = reached(head, Residuals(held_LPD, tuple(range(130))))
    order_PV = np.argsort(-(held_LPD[-1] @ rows_VD.T), axis=1, kind="stable")
    best_V = (np.argsort(order_PV, axis=1) + 1).min(axis=0)
    assert found.positions == 130
    assert found.ranks_V.tolist() == np.where(best_V <= 100, best_V, 0).tolist()
    report = head.examine(residuals=Residuals(held_LPD[:, :1], (0,)))
    assert report.reached is not None
    assert len(report.distant_N) == 300
    assert sum(report.to_dict()["reached"]["never_kinds"].values()) == 300
    assert report.to_arrow()["best_rank"].null_count == 300
    with pytest.raises(UsageError, match="the residuals are 5 wide; the head takes 6"):
        reached(head, Residuals(held_LPD[..., :5], tuple(range(130))))


def test_tokens_that_write_the_same(planted: Head) -> None:
    found = planted.examine()
    texts = [{planted.vocabulary.written[id_] for id_ in group} for group in found.same_text]
    assert [len(text) for text in texts] == [1] * len(texts)
    assert {text.pop() for text in texts} == {b"a", b"b", b" "}


def test_which_tokens_some_residual_writes(planted: Head) -> None:
    assert planted.examine().winners is None
    found = planted.examine(writable=True)
    assert found.winners is not None
    assert found.winners.undecided == 0
    rows_VD = planted.rows.decode(slice(None))
    written = {int((rows_VD @ row_D).argmax()) for row_D in rows_VD}
    assert not written & set(found.unwritable_N.tolist())


def test_a_report_is_a_value(planted: Head, tmp_path: Path) -> None:
    found = planted.examine(writable=True)
    given = json.loads(json.dumps(found.to_dict()))
    count = int(planted.vocabulary.known_V.sum())
    assert (given["schema"], given["tokens"]) == (1, count)
    assert sum(given["kinds"].values()) == sum(given["scripts"].values()) == count
    assert sum(given["states"].values()) == count
    assert given == planted.examine(writable=True).to_dict()
    table = found.to_arrow()
    assert table.num_rows == len(found.to_pandas()) == count
    assert table.column_names == [
        *("id", "token", "text", "kind", "script", "norm", "state", "begins", "completes"),
        *("inside", "alike", "distance_plain", "distance_centred", "distance_without_first"),
        *("suspected", "writable", "writable_by"),
    ]
    write_vocab(found, tmp_path / "tokens.parquet")
    assert parquet.read_table(tmp_path / "tokens.parquet").equals(table)
    write_vocab(found, tmp_path / "tokens.csv")
    with (tmp_path / "tokens.csv").open(newline="", encoding="utf-8") as file:
        assert len(list(csv.reader(file))) == count + 1
    with pytest.raises(UsageError, match=r"written as \.html, \.parquet, \.csv, \.json"):
        write_vocab(found, tmp_path / "tokens.txt")
    assert "<unused" not in found._repr_html_()


def test_the_command(planted: Head, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = str(planted.path.parent)

    def run(*arguments: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as ended:
            main(["vocab", source, *arguments])
        output = capsys.readouterr()
        assert isinstance(ended.value.code, int)
        return ended.value.code, output.out, output.err

    code, out, err = run("-o", str(tmp_path / "tokens.csv"))
    assert code == 0, err
    assert "2 suspected, beside 40 known to be unused" in out
    assert "never written   not asked: --writable" in out
    assert out.endswith(f"written: {tmp_path / 'tokens.csv'}\n")
    code, out, _ = run("--writable", "--json")
    given = json.loads(out)
    assert (code, given["unwritable"]["undecided"]) == (0, 0)
    assert [one["token"] for one in given["undertrained"]["suspected"]] == ["▁pizza", "<0x41>"] or {
        one["token"] for one in given["undertrained"]["suspected"]
    } == {"▁pizza", "<0x41>"}
    np.save(tmp_path / "run.npy", planted.rows.decode(slice(0, 2))[None])
    code, out, _ = run("--residuals", str(tmp_path / "run.npy"))
    assert code == 0
    assert "tokens are among the first 100 with one of 2 residuals" in out
    code, _, err = run("--residuals", str(tmp_path / "none.npy"))
    assert (code, "none.npy" in err) == (2, True)
    code, _, err = run("-o", str(tmp_path / "tokens.txt"))
    assert (code, "is written as .html, .parquet, .csv" in err) == (2, True)
