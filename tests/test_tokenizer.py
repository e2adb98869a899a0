"""A tokenizer.json that is damaged or hostile, and the table that is kept of a good one."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from unembed import open_head
from unembed.errors import VocabularyError
from unembed.geometry.tokens.kinds import KINDS
from unembed.geometry.tokens.tokenizer import fits, make_table

from .helpers import edited

Make = Callable[..., Path]


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda c: c["model"]["vocab"].update(beyond=99_999), "token id 99,999 has no row"),
        (lambda c: c["model"]["vocab"].update(below=-1), "token id -1 has no row"),
        (lambda c: c["model"]["vocab"].update(text="7"), "a token is 'text' with the id '7'"),
        (lambda c: c["model"]["vocab"].update({"\ud800": 299}), "holds half of a surrogate pair"),
        (lambda c: c["model"]["vocab"].update(text=0.7), "a token is 'text' with the id 0.7"),
        (lambda c: c["model"]["vocab"].update(text=1e999), "a token is 'text' with the id inf"),
        (lambda c: c["model"]["vocab"].update(text=True), "a token is 'text' with the id True"),
        (lambda c: c["model"]["vocab"].update(a2=258), "in model.vocab .* have the same id, 258"),
        (lambda c: c["added_tokens"][0].update(content=None), "in added_tokens a token is None"),
        (lambda c: c["added_tokens"][0].update(id=1), "in added_tokens .* have the same id, 1"),
        (lambda c: c["added_tokens"][0].pop("id"), "is '<unk>' with the id None"),
        (
            lambda c: c.update(decoder={"type": "Metaspace", "replacement": ""}),
            "decoder replaces '' by ' '",
        ),
        (lambda c: c.update(decoder={"type": "Metaspace"}), "decoder.replacement is missing"),
        (
            lambda c: c.update(decoder={"type": "Replace", "pattern": {"Regex": "a"}}),
            "decoder.pattern.String is missing",
        ),
        (
            lambda c: c.update(
                decoder={"type": "Replace", "pattern": {"String": "a"}, "content": "\ud800"}
            ),
            r"decoder replaces 'a' by '\\ud800'",
        ),
        (
            lambda c: c.update(
                decoder={"type": "Replace", "pattern": {"String": "a"}, "content": "a" * 17}
            ),
            "make a token up to 17 times longer; at most 16",
        ),
        (lambda c: c.update(decoder={"type": "WordPiece"}), "decoder.prefix is missing"),
        (lambda c: c["model"].pop("vocab"), "model.vocab is missing"),
        (
            lambda c: (c["model"].update(vocab={}), c.update(added_tokens=[])),
            "it has no token: model.vocab and added_tokens are empty",
        ),
        (lambda c: c["model"].update(vocab=7), "model.vocab is 7; it must be an object or a list"),
        (lambda c: c["model"].update(vocab=[["a", 0], 7]), "model.vocab holds 7"),
        (lambda c: c["model"].update(vocab=[[]]), r"model.vocab holds \[\]"),
        (lambda c: c.pop("model"), "model is missing"),
        (lambda c: c.update(model=[]), r"model is \[\]; it must be an object"),
        (lambda c: c.update(decoder=None), "its decoder is None; known are ByteLevel"),
        (lambda c: c.update(decoder={"type": "CTC"}), "its decoder is 'CTC'; known are ByteLevel"),
        (lambda c: c.update(decoder=[1]), r"decoder is \[1\]; it must be an object"),
        (lambda c: c.update(decoder={"decoders": 7}), "decoder.decoders is 7; it must be a list"),
        (lambda c: c.update(decoder={"decoders": [7]}), "decoder.decoders holds 7"),
        (lambda c: c.update(added_tokens=[7]), "added_tokens holds 7; each must be an object"),
        (lambda c: c.update(added_tokens=7), "added_tokens is 7; it must be a list"),
    ],
)
def test_a_tokenizer_that_does_not_fit_is_refused(
    make_checkpoint: Make, edit: Callable[[dict[str, Any]], Any], message: str
) -> None:
    path = edited(make_checkpoint(), edit) / "tokenizer.json"
    with pytest.raises(VocabularyError, match=message) as caught:
        make_table(path, 300)
    assert str(path) in str(caught.value)


def test_a_message_shows_little_of_a_hostile_file_and_harmlessly(make_checkpoint: Make) -> None:
    path = edited(make_checkpoint(), lambda c: c.update(model="\x1b[2J" * 9999)) / "tokenizer.json"
    with pytest.raises(VocabularyError) as caught:
        make_table(path, 300)
    message = str(caught.value).removeprefix(str(path))
    assert len(message) < 200
    assert message.isprintable()


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff", b"[" * 200_000])
def test_a_tokenizer_that_is_not_an_object_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "tokenizer.json").write_bytes(content)
    with pytest.raises(VocabularyError, match=r"tokenizer\.json"):
        make_table(tmp_path / "tokenizer.json", 3)


def test_a_tokenizer_of_any_size_is_not_read(
    make_checkpoint: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("unembed.geometry.tokens.tokenizer.TOKENIZER_LIMIT", 99)
    with pytest.raises(VocabularyError, match="at most 99 are read"):
        make_table(make_checkpoint() / "tokenizer.json", 300)


def damage(name: str, place: int, value: int) -> Callable[[dict[str, Any]], None]:
    def edit(table: dict[str, Any]) -> None:
        table[name][place] = value

    return edit


@pytest.mark.parametrize(
    "edit",
    [
        damage("kinds", 0, 8),
        damage("kinds", 0, 7),
        damage("kinds", -1, 0),
        damage("known", 0, 0),
        lambda table: table.update(
            known=table["known"] & False,
            kinds=np.full_like(table["kinds"], KINDS.index("padding")),
            by_bytes=table["by_bytes"][:0],
            by_string=table["by_string"][:0],
        ),
        damage("lacks", 0, 5),
        damage("lacks", 0, 254),
        damage("by_bytes", 0, -1),
        damage("by_bytes", 0, 9999),
        lambda table: damage("by_bytes", 0, table["by_bytes"][1])(table),
        lambda table: damage("by_string", 0, table["by_string"][1])(table),
        damage("unknown", 0, -2),
        damage("unknown", 0, 9999),
        damage("written_starts", 3, 1 << 40),
        lambda table: table.pop("by_string"),
        lambda table: table.update(kinds=table["kinds"][:-1]),
        lambda table: table.update(unknown=table["unknown"][:0]),
        lambda table: table.update(kinds=table["kinds"].astype(np.int32)),
    ],
)
def test_a_kept_table_that_is_not_ours_does_not_fit(
    make_checkpoint: Make, edit: Callable[[dict[str, Any]], Any]
) -> None:
    path, rows = make_checkpoint() / "tokenizer.json", 300
    table = {name: array.copy() for name, array in make_table(path, rows).items()}
    assert fits(table, rows)
    assert not fits(table, rows + 1)
    edit(table)
    assert not fits(table, rows)


@pytest.mark.parametrize("where", ["pre_tokenizer", "normalizer"])
def test_a_tokenizer_with_a_catastrophic_pattern_is_stopped(
    make_checkpoint: Make, where: str
) -> None:
    directory = make_checkpoint("byte_level")
    path = directory / "tokenizer.json"
    content = json.loads(path.read_text())
    pattern = {"Regex": r"(\w*)*\d"}
    if where == "normalizer":
        content[where] = {"type": "Replace", "pattern": pattern, "content": "b"}
    else:
        split = {"type": "Split", "pattern": pattern, "behavior": "Isolated", "invert": False}
        content[where] = {"type": "Sequence", "pretokenizers": [split, content[where]]}
    path.write_text(json.dumps(content))
    vocabulary = open_head(directory).vocabulary
    with pytest.raises(VocabularyError, match="cannot split"):
        vocabulary.split("a" * 200 + "!", leading_space=True)


def test_added_tokens_beyond_the_rows_are_left_out_with_a_warning(
    make_checkpoint: Make, caplog: pytest.LogCaptureFixture
) -> None:
    """As where a padding token was added to a tokenizer, and the model was never made larger."""
    directory = make_checkpoint("byte_level", padding=0)
    path = directory / "tokenizer.json"
    content = json.loads(path.read_text())
    rows = open_head(directory).rows.count
    about = content["added_tokens"][0]
    content["added_tokens"] += [about | {"id": rows + n, "content": f"<pad{n}>"} for n in (0, 9)]
    path.write_text(json.dumps(content))
    caplog.clear()
    vocabulary = open_head(directory).vocabulary
    assert len(vocabulary) == rows
    (record,) = caplog.records
    assert "2 added tokens have no row, the first is '<pad0>'" in record.getMessage()
    content["model"]["vocab"]["beyond"] = rows
    path.write_text(json.dumps(content))
    with pytest.raises(VocabularyError, match="is this tokenizer of another model"):
        open_head(directory)
