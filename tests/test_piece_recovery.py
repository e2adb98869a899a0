"""Words of one token, split by force, and the rank of their token by their pieces."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tokenizers
import torch
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers
from unembed import Head, open_head
from unembed.errors import UsageError, VocabularyError
from unembed.geometry.evaluation.pieces import (
    WEIGHTINGS,
    Recovery,
    ranks_of,
    recover,
)
from unembed.geometry.space import SPACES, open_space
from unembed.geometry.tokens.vocabulary import Vocabulary
from unembed.geometry.tokens.whole_words import split_by_force, whole_words

from .conftest import FAMILIES, WORDS
from .helpers import edited

Make = Callable[..., Path]
Open = Callable[[Path], Vocabulary]
LETTERS = list("abcdefghijklmnopqrstuvwxyz")
LONG = ["king", "woman", "queen", "horse", "fish", "pizza"]


def merging() -> Tokenizer:
    """SentencePiece as Gemma has it, with merges: each word from its letters, from the left."""
    vocab = {token: id_ for id_, token in enumerate(["<unk>", "▁", *LETTERS])}
    merges = []
    for word in WORDS:
        left = "▁"
        for right in word:
            if left + right not in vocab:
                merges.append((left, right))
                vocab[left + right] = len(vocab)
            left += right
    tokenizer = Tokenizer(models.BPE(vocab=vocab, merges=merges, unk_token="<unk>"))  # noqa: S106
    tokenizer.normalizer = normalizers.Replace(" ", "▁")
    tokenizer.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.Fuse()])
    return tokenizer


def unigram() -> Tokenizer:
    scores = [("<unk>", 0.0), *((f"▁{word}", -1.0) for word in WORDS)]
    scores += [("▁", -3.0), *((letter, -4.0) for letter in LETTERS), ("▁qu", -5.0), ("een", -5.0)]
    tokenizer = Tokenizer(models.Unigram(scores, unk_id=0))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Metaspace()
    return tokenizer


def wordpiece() -> Tokenizer:
    tokens = ["[UNK]", *WORDS, "qu", *LETTERS, *(f"##{letter}" for letter in LETTERS), "##een"]
    vocab = {token: id_ for id_, token in enumerate(tokens)}
    tokenizer = Tokenizer(models.WordPiece(vocab=vocab, unk_token="[UNK]"))  # noqa: S106
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.decoder = decoders.WordPiece(cleanup=False)
    tokenizer.add_special_tokens(["[UNK]"])
    return tokenizer


SPLITTING = {"bpe": merging, "unigram_letters": unigram, "wordpiece_letters": wordpiece}
# The longest token that is left stands first, of BPE and WordPiece; unigram takes the likeliest.
QUEEN = {
    "byte_level": ["Ġquee", "n"],
    "bpe": ["▁quee", "n"],
    "unigram_letters": ["▁qu", "een"],
    "wordpiece_letters": ["qu", "##een"],
}


@pytest.fixture(autouse=True)
def _splitting(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, make in SPLITTING.items():
        monkeypatch.setitem(FAMILIES, name, make)


def split_of(vocabulary: Vocabulary, word: str) -> list[str]:
    pieces = vocabulary.split(word, leading_space=True)
    return [vocabulary.token(id_) for id_ in pieces]


def id_of(vocabulary: Vocabulary, word: str) -> int:
    id_ = vocabulary.id_of(f" {word}")
    assert id_ is not None
    return id_


@pytest.mark.parametrize("family", QUEEN)
def test_a_word_is_split_without_its_token(
    family: str, make_checkpoint: Make, open_vocabulary: Open
) -> None:
    vocabulary = open_vocabulary(make_checkpoint(family))
    queen, sea = id_of(vocabulary, "queen"), id_of(vocabulary, "sea")
    forced = vocabulary.forced_apart([queen, sea])
    assert split_of(forced, "queen") == QUEEN[family]
    assert len(split_of(forced, "sea")) > 1
    # Others stay whole, and so does the vocabulary that it was taken from.
    assert (
        split_of(forced, "king")
        == split_of(vocabulary, "king")
        == [vocabulary.token(id_of(vocabulary, "king"))]
    )
    assert vocabulary.split("queen", leading_space=True) == (queen,)
    assert vocabulary.forced_apart([]).split("queen", leading_space=True) == (queen,)
    assert split_by_force(vocabulary, [queen]) == {queen: forced.split("queen", leading_space=True)}


def merges_as_strings(content: dict[str, Any]) -> None:
    content["model"]["merges"] = [" ".join(merge) for merge in content["model"]["merges"]]


def whole_words_looked_up(content: dict[str, Any]) -> None:
    content["model"]["ignore_merges"] = True


def merges_with_a_prefix(content: dict[str, Any]) -> None:
    """As old BPE has it: what continues a word is marked, and a merge takes the mark away."""
    model = content["model"]
    model["continuing_subword_prefix"] = "##"
    for letter in LETTERS:
        model["vocab"][f"##{letter}"] = len(model["vocab"])
    model["merges"] = [[left, f"##{right}"] for left, right in model["merges"]]


@pytest.mark.parametrize("edit", [merges_as_strings, whole_words_looked_up, merges_with_a_prefix])
def test_merges_of_every_kind(
    edit: Callable[[dict[str, Any]], None], make_checkpoint: Make, open_vocabulary: Open
) -> None:
    vocabulary = open_vocabulary(edited(make_checkpoint("bpe"), edit))
    queen = id_of(vocabulary, "queen")
    assert vocabulary.split("queen", leading_space=True) == (queen,)
    pieces = split_of(vocabulary.forced_apart([queen]), "queen")
    assert pieces in (["▁quee", "n"], ["▁quee", "##n"])


def test_an_added_token_comes_back_whole_and_is_left_out(
    make_checkpoint: Make, open_vocabulary: Open
) -> None:
    def add(content: dict[str, Any]) -> None:
        added = dict.fromkeys(("single_word", "lstrip", "rstrip", "normalized", "special"), False)
        content["added_tokens"].append(
            {"id": len(content["model"]["vocab"]), "content": " zebra"} | added
        )

    vocabulary = open_vocabulary(edited(make_checkpoint("bpe"), add))
    zebra, queen = id_of(vocabulary, "zebra"), id_of(vocabulary, "queen")
    assert vocabulary.forced_apart([zebra]).split(" zebra") == (zebra,)
    assert list(split_by_force(vocabulary, [zebra, queen])) == [queen]


def test_what_cannot_be_split_is_left_out(make_checkpoint: Make, open_vocabulary: Open) -> None:
    """These have no letters that the words could be split into."""
    for family in ("unigram", "wordpiece"):
        vocabulary = open_vocabulary(make_checkpoint(family))
        ids = [id_of(vocabulary, word) for word in WORDS]
        assert split_by_force(vocabulary, ids) == {}
    head = open_head(make_checkpoint("unigram", dtype="F32"))
    assert recover(head, open_space(head, "cosine")) is None


@pytest.mark.parametrize(
    ("part", "value"),
    [
        ("merges", None),
        ("merges", ["a b c"]),
        ("merges", [["a", 1]]),
        ("merges", [7]),
        ("merges", [["▁", "none"]]),
        ("continuing_subword_prefix", 7),
    ],
)
def test_damage_is_refused(
    part: str, value: object, make_checkpoint: Make, open_vocabulary: Open
) -> None:
    def damage(content: dict[str, Any]) -> None:
        content["model"][part] = value

    directory = make_checkpoint("bpe")
    vocabulary = open_vocabulary(directory)
    edited(directory, damage)
    with pytest.raises(VocabularyError, match=str(vocabulary.path)):
        vocabulary.forced_apart([id_of(vocabulary, "queen")]).split("queen")


@pytest.mark.parametrize("value", [None, [["a"]], [[1, 2.0]], ["a"]])
def test_a_damaged_unigram_is_refused(
    value: object, make_checkpoint: Make, open_vocabulary: Open
) -> None:
    directory = make_checkpoint("unigram")
    vocabulary = open_vocabulary(directory)
    edited(directory, lambda content: content["model"].update(vocab=value))
    with pytest.raises(VocabularyError, match=r"cannot be split by force: model\.vocab"):
        vocabulary.forced_apart([id_of(vocabulary, "queen")]).split("queen")


def test_an_unknown_id_is_refused(make_checkpoint: Make, open_vocabulary: Open) -> None:
    vocabulary = open_vocabulary(make_checkpoint("bpe"))
    with pytest.raises(UsageError, match="no token has the id 9,999"):
        vocabulary.forced_apart([9999])


def test_a_panic_of_the_library_is_our_error(
    make_checkpoint: Make, open_vocabulary: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Broken:
        @staticmethod
        def from_str(content: str) -> None:
            raise Exception(f"{len(json.loads(content)['model']['merges'])} merges")

    vocabulary = open_vocabulary(make_checkpoint("bpe"))
    monkeypatch.setattr(tokenizers, "Tokenizer", Broken)
    with pytest.raises(VocabularyError, match="refuses it: "):
        vocabulary.forced_apart([id_of(vocabulary, "queen")]).split("queen")


def test_words_are_drawn_of_four_letters_of_any_script(
    make_checkpoint: Make, open_vocabulary: Open
) -> None:
    def add(content: dict[str, Any]) -> None:
        vocab = content["model"]["vocab"]
        for text in (
            "▁море",
            "▁мор",
            "▁नमस्कार",
            "▁हिन्दी",
            "▁abc1",
            "море",
            "▁can't",
            "▁SEAS",
            "▁ab cd",
        ):
            vocab[text] = len(vocab)

    vocabulary = open_vocabulary(edited(make_checkpoint("bpe"), add))
    texts = [vocabulary.text(id_) for id_ in whole_words(vocabulary).tolist()]
    wanted = {f" {word[:end]}" for word in WORDS for end in range(4, len(word) + 1)}
    # The first Hindi word has five letters and two marks, the other three of each.
    assert set(texts) == wanted | {" море", " नमस्कार", " SEAS"}
    assert list(whole_words(vocabulary)) == sorted(whole_words(vocabulary))


def weights_of(name: str, ids_P: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """The weightings by themselves."""
    return {
        "mean": np.ones(len(ids_P)),
        "first": np.arange(len(ids_P)) == 0,
        "last": np.arange(len(ids_P)) == len(ids_P) - 1,
        "rarity": (1.0 + ids_P) ** 0.25,
    }[name]


def wanted_rank(head: Head, space: str, target: int, pieces: tuple[int, ...], name: str) -> int:
    """Rank one token by plain numpy."""
    placed_VD = open_space(head, space).place(head.rows.decode(np.arange(head.rows.count)))
    if SPACES[space].unit:
        placed_VD = placed_VD / np.linalg.norm(placed_VD, axis=1, keepdims=True)
    ids_P = np.array(pieces)
    scores_V = placed_VD @ (weights_of(name, ids_P) @ placed_VD[ids_P])
    scores_V[~head.vocabulary.known_V] = scores_V[ids_P] = -np.inf
    return 1 + int((scores_V > scores_V[target]).sum())


@pytest.mark.parametrize("space", SPACES)
def test_ranks_are_those_of_numpy(space: str, make_checkpoint: Make) -> None:
    head = open_head(make_checkpoint("bpe"))
    pieces = split_by_force(head.vocabulary, whole_words(head.vocabulary).tolist())
    assert len(pieces) == 10
    found = ranks_of(head, open_space(head, space), pieces)
    assert set(WEIGHTINGS) == set(found) == {"mean", "first", "last", "rarity"}
    for name, ranks_N in found.items():
        wanted = [wanted_rank(head, space, id_, each, name) for id_, each in pieces.items()]
        assert ranks_N.tolist() == wanted


@pytest.mark.parametrize("name", WEIGHTINGS)
def test_a_word_that_is_its_pieces_comes_first(name: str, make_checkpoint: Make) -> None:
    head = open_head(make_checkpoint("bpe", dtype="F64"))
    queen = id_of(head.vocabulary, "queen")
    pieces = split_by_force(head.vocabulary, [queen])
    before = ranks_of(head, open_space(head, "cosine"), pieces)[name]
    ids_P = np.array(pieces[queen])
    rows_VD = head.rows.decode(np.arange(head.rows.count))
    units_VD = rows_VD / np.linalg.norm(rows_VD, axis=1, keepdims=True)
    rows_VD[queen] = 3 * weights_of(name, ids_P) @ units_VD[ids_P]
    tensors = {"model.embed_tokens.weight": torch.from_numpy(rows_VD).float()}
    planted = open_head(make_checkpoint("bpe", dtype="F32", tensors=tensors))
    after = ranks_of(planted, open_space(planted, "cosine"), pieces)[name]
    assert after.tolist() == [1] < before.tolist()


def test_pieces_that_cancel_have_a_rank(make_checkpoint: Make) -> None:
    """Their mean is zero, so every row has the score 0 and the lower ids come before."""
    rows = torch.from_numpy(np.random.default_rng(0).standard_normal((100, 16))).float()
    rows[3] = -rows[2]
    tensors = {"model.embed_tokens.weight": rows}
    head = open_head(make_checkpoint("bpe", dtype="F32", tensors=tensors))
    found = ranks_of(head, open_space(head, "cosine"), {10: (2, 3)})
    assert found["mean"].tolist() == [9]  # ids 0 to 9 but the pieces


def test_figures_are_summed_up() -> None:
    found = Recovery.of(np.array([1, 2, 5, 100, 101, 1000]))
    assert (found.top1, found.top5, found.top100) == (1 / 6, 3 / 6, 4 / 6)
    assert found.mrr == pytest.approx(sum(1 / rank for rank in (1, 2, 5, 100, 101, 1000)) / 6)
    assert found.median == 52.5
    assert found.ci95[0] < found.mrr < found.ci95[1]


def test_the_whole_of_it(make_checkpoint: Make) -> None:
    head = open_head(make_checkpoint("bpe"))
    space = open_space(head, "centred")
    told = []
    found = recover(head, space, progress=lambda *step: told.append(step))
    assert found is not None
    assert found.n == len(split_by_force(head.vocabulary, whole_words(head.vocabulary).tolist()))
    assert {step for step, _, _ in told} == {
        f"ranking words by the {name} of their pieces" for name in WEIGHTINGS
    }
    as_dict = found.to_dict()
    assert list(as_dict) == ["n", *WEIGHTINGS]
    assert set(as_dict["mean"]) == {"top1", "top5", "top100", "mrr", "median", "ci95"}
    json.dumps(as_dict)
    few = [recover(head, space, words=5, seed=seed) for seed in (1, 1, 2)]
    assert few[0] == few[1] != few[2]
    assert few[0] is not None
    assert few[0].n == 5


@pytest.mark.real
@pytest.mark.parametrize(
    ("source", "pieces"), [("demo", ["▁o", "cean"]), ("demo-bytes", ["Ġo", "cean"])]
)
def test_the_real_heads(source: str, pieces: list[str]) -> None:
    head = open_head(source)
    ocean = id_of(head.vocabulary, "ocean")
    assert split_of(head.vocabulary.forced_apart([ocean]), "ocean") == pieces
    found = recover(head, open_space(head), words=200)
    assert found is not None
    assert found.n == 200
    mrr = {name: each.mrr for name, each in found.weightings.items()}
    assert mrr["rarity"] > mrr["mean"] > mrr["last"]
