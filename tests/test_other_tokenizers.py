"""Tokenizers that are no tokenizer.json, against the programs that they are of."""

import base64
import io
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import sentencepiece
import tiktoken
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer
from unembed import open_head
from unembed.errors import RemoteError, VocabularyError
from unembed.geometry.tokens import other_files
from unembed.geometry.tokens.other_files import as_tokenizer_json, tokenizer_beside
from unembed.geometry.tokens.pieces import WORDS_OF_TIKTOKEN, Kind
from unembed.geometry.tokens.sentencepiece import read_pieces
from unembed.geometry.tokens.spelling import byte_alphabet

from .conftest import TEXT, trained_byte_level
from .served import served

Make = Callable[..., Path]
TEXTS = [*TEXT, " king", "king", "  two  spaces ", "𝕬 ﬁ ①", "", "a" * 300, "\n\t x"]


def trained(directory: Path, **options: Any) -> sentencepiece.SentencePieceProcessor:
    """Train SentencePiece, and leave its model in a directory."""
    written = io.BytesIO()
    given = {"vocab_size": 420, "byte_fallback": True, "hard_vocab_limit": False}
    given |= {"character_coverage": 1.0, "user_defined_symbols": ["<user>"], "minloglevel": 9}
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(TEXT * 20), model_writer=written, **(given | options)
    )
    (directory / "tokenizer.model").write_bytes(written.getvalue())
    return sentencepiece.SentencePieceProcessor(model_proto=written.getvalue())


def opened(path: Path) -> Tokenizer:
    return Tokenizer.from_file(str(as_tokenizer_json(path)))


@pytest.mark.parametrize("model", ["bpe", "unigram"])
@pytest.mark.parametrize("prefix", [True, False])
@pytest.mark.parametrize("single", [True, False])
def test_sentencepiece_splits_alike(tmp_path: Path, model: str, prefix: bool, single: bool) -> None:
    theirs = trained(
        tmp_path,
        model_type=model,
        add_dummy_prefix=prefix,
        normalization_rule_name="identity",
        remove_extra_whitespaces=single,
    )
    ours = opened(tmp_path / "tokenizer.model")
    size = theirs.get_piece_size()
    assert [ours.id_to_token(id_) for id_ in range(size)] == [
        theirs.id_to_piece(id_) for id_ in range(size)
    ]
    for text in TEXTS:
        if "\x00" not in text:  # which ends a text of SentencePiece's
            assert ours.encode(text, add_special_tokens=False).ids == theirs.encode(text), text


def test_what_sentencepiece_normalises_is_normalised(tmp_path: Path) -> None:
    theirs = trained(tmp_path, model_type="unigram")
    ours = opened(tmp_path / "tokenizer.model")
    for text in ("𝕬 ﬁ ①", "Ｆｕｌｌ ｗｉｄｔｈ", "naïve café"):
        assert ours.encode(text, add_special_tokens=False).ids == theirs.encode(text), text


def test_kinds_are_sentencepieces_own(tmp_path: Path) -> None:
    theirs = trained(tmp_path, model_type="bpe")
    pieces = read_pieces((tmp_path / "tokenizer.model").read_bytes())
    for id_, (string, score, kind) in enumerate(
        zip(pieces.strings, pieces.scores, pieces.kinds, strict=True)
    ):
        assert (string, score) == (theirs.id_to_piece(id_), theirs.get_score(id_))
        assert (kind == Kind.BYTE) == theirs.is_byte(id_)
        assert (kind == Kind.CONTROL) == theirs.is_control(id_)
        assert (kind == Kind.UNKNOWN) == theirs.is_unknown(id_)
    assert (pieces.unigram, pieces.dummy_prefix) == (False, True)


def ranks_of(tokenizer: Tokenizer) -> dict[bytes, int]:
    """Give the tokens of a byte-level BPE as tiktoken has them: bytes first, then by merging."""
    alphabet = byte_alphabet()
    model = json.loads(tokenizer.to_str())["model"]
    tokens = [*sorted(alphabet), *("".join(pair) for pair in model["merges"])]
    unique = dict.fromkeys(bytes(alphabet[char] for char in token) for token in tokens)
    return {token: rank for rank, token in enumerate(unique)}


@pytest.mark.parametrize("name", ["a.tiktoken", "tokenizer.model"])
def test_tiktoken_splits_alike(tmp_path: Path, name: str) -> None:
    ranks = ranks_of(trained_byte_level())
    lines = [base64.b64encode(token) + f" {rank}\n".encode() for token, rank in ranks.items()]
    (tmp_path / name).write_bytes(b"".join(lines))
    about = {str(len(ranks)): {"content": "<|end|>", "special": True}}
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({"added_tokens_decoder": about}))
    theirs = tiktoken.Encoding(
        "ours",
        pat_str=WORDS_OF_TIKTOKEN,
        mergeable_ranks=ranks,
        special_tokens={"<|end|>": len(ranks)},
    )
    assert tokenizer_beside(tmp_path) == tmp_path / name
    ours = opened(tmp_path / name)
    for text in TEXTS:
        assert ours.encode(text).ids == theirs.encode(text), text
    assert ours.encode("sea<|end|>").ids == theirs.encode("sea<|end|>", allowed_special="all")


def test_a_vocabulary_and_its_merges_split_alike(tmp_path: Path) -> None:
    theirs = trained_byte_level()
    theirs.model.save(str(tmp_path))
    added = {
        id_: {"content": token.content, "special": token.special}
        for id_, token in theirs.get_added_tokens_decoder().items()
    }
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({"added_tokens_decoder": added}))
    ours = opened(tokenizer_beside(tmp_path))
    for text in TEXTS:
        assert ours.encode(text).ids == theirs.encode(text).ids, text
    assert ours.get_vocab() == theirs.get_vocab()


@pytest.mark.parametrize("where", ["beside", "named", "hub"])
def test_a_head_is_opened_with_it(
    tmp_path: Path, make_checkpoint: Make, where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch
    from huggingface_hub import constants

    size = trained(tmp_path, model_type="bpe").get_piece_size()
    rows = torch.randn(size, 16, generator=torch.Generator().manual_seed(0))
    directory = make_checkpoint(tensors={"lm_head.weight": rows})
    (directory / "tokenizer.json").unlink()
    if where == "named":
        head = open_head(directory, tokenizer=tmp_path / "tokenizer.model")
    else:
        shutil.copy(tmp_path / "tokenizer.model", directory / "tokenizer.model")
        if where == "beside":
            head = open_head(directory)
        else:
            monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
            with served(directory) as hub:
                monkeypatch.setattr(constants, "ENDPOINT", hub.hub)
                head = open_head("org/model")
                asked = len(hub.asked)
                open_head("org/model")
                assert len(hub.asked) == asked + 2
    found = head.nearest("king + queen", top=3)
    assert len(found.neighbours) == 3
    assert head.vocabulary.text(0) is not None


def test_a_hub_without_any_is_told(
    tmp_path: Path, make_checkpoint: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    from huggingface_hub import constants

    directory = make_checkpoint()
    (directory / "tokenizer.json").unlink()
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    with served(directory) as hub:
        monkeypatch.setattr(constants, "ENDPOINT", hub.hub)
        with pytest.raises(RemoteError, match=r"nor tokenizer\.model.* --tokenizer FILE"):
            open_head("org/model")


def test_it_is_made_once_and_again_when_a_file_changes(tmp_path: Path) -> None:
    trained_byte_level().model.save(str(tmp_path))
    path = tmp_path / "vocab.json"
    made = as_tokenizer_json(path)
    times = made.stat().st_mtime_ns
    assert (as_tokenizer_json(path), made.stat().st_mtime_ns) == (made, times)
    merges = tmp_path / "merges.txt"
    merges.write_text("".join(merges.read_text().splitlines(keepends=True)[:5]))
    again = as_tokenizer_json(path)
    assert again != made
    assert len(json.loads(again.read_text())["model"]["merges"]) == 4


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.model", b"", "no pieces"),
        ("a.model", b"\x0a\xff\xff\xff\xff\x0f", "are left"),
        ("a.model", b"\x0a" + b"\x80" * 12, "more than ten bytes"),
        ("a.model", b"\x0a\x80", "ends within"),
        ("a.model", b"\x0b", "unknown type 3"),
        ("a.model", b"\x08\x01", "a text is expected"),
        ("a.model", b"\x0a\x02\x08\x01", "a text is expected"),
        ("a.model", b"\x0a\x03\x0a\x01\xff", "decode"),
        ("a.model", b"\x0a\x02\x18\x09", "9 is not a valid Kind"),
        ("a.model", b"\x0a\x03\x0a\x01a\x12\x02\x18\x03", "of type 3"),
        ("a.model", b"\x0a\x03\x12\x01a", "a score of the bytes"),
        ("a.model", b"\x0a\x06\x12\x04\x00\x00\xc0\x7f", "a score of the bytes"),
        ("a.tiktoken", b"IA== 0\nnonsense\n", "line 2"),
        ("a.tiktoken", b"IA== 0\nIA= 1\n", "line 2"),
        ("vocab.json", b"[]", "JSON object"),
        ("vocab.json", b'{"a": "b"}', "from tokens to ids"),
        ("vocab.json", b'{"a": 0}', "merges.txt"),
    ],
)
def test_what_is_damaged_is_refused(tmp_path: Path, name: str, content: bytes, said: str) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(VocabularyError, match=said) as caught:
        as_tokenizer_json(path)
    assert str(path.parent) in str(caught.value)


@pytest.mark.parametrize(
    "entries", [{"x": {"content": "a"}}, {"1": "a"}, {"1": {"content": 1}}, {"9" * 20: {}}]
)
def test_added_tokens_that_are_none_are_refused(tmp_path: Path, entries: dict[str, Any]) -> None:
    trained_byte_level().model.save(str(tmp_path))
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({"added_tokens_decoder": entries}))
    with pytest.raises(VocabularyError, match="an entry that is no token"):
        as_tokenizer_json(tmp_path / "vocab.json")


def test_a_file_of_any_size_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(other_files, "_LIMIT", 1000)
    for name in ("a.model", "a.tiktoken", "vocab.json"):
        path = tmp_path / name
        path.touch()
        os.truncate(path, 1001)
        with pytest.raises(VocabularyError, match="at most 1,000"):
            as_tokenizer_json(path)


def test_a_long_token_takes_no_longer(tmp_path: Path) -> None:
    token = base64.b64encode(b"a" * 5_000_000)
    (tmp_path / "a.tiktoken").write_bytes(b"YQ== 0\n" + token + b" 1\n")
    assert (
        json.loads(as_tokenizer_json(tmp_path / "a.tiktoken").read_text())["model"]["merges"] == []
    )


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200)
@given(st.binary(max_size=200), st.sampled_from(["a.model", "a.tiktoken", "vocab.json"]))
def test_hostile_bytes_are_a_tokenizer_or_an_error(tmp_path: Path, data: bytes, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(data)
    try:
        made = as_tokenizer_json(path)
    except VocabularyError:
        return
    assert json.loads(made.read_text())["model"]
