"""Vocabularies of SentencePiece and of byte-level BPE, written as ``tokenizer.json``."""

import base64
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from .spelling import byte_alphabet

_LONGEST = 512  # characters of a token that merges are looked for of: the work grows as the square
# What cl100k splits a text into before it merges bytes (OpenAI's tiktoken; Llama 3 has the same).
WORDS_OF_TIKTOKEN = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)


class Kind(IntEnum):
    """What SentencePiece takes a piece for; GGUF counts alike.

    Examples
    --------
    >>> Kind(6).name
    'BYTE'
    """

    NORMAL = 1
    UNKNOWN = 2
    CONTROL = 3
    USER_DEFINED = 4
    UNUSED = 5
    BYTE = 6


@dataclass(frozen=True)
class Pieces:
    """A SentencePiece vocabulary (Kudo and Richardson 2018).

    Attributes
    ----------
    strings : sequence of str
        The pieces by their ids, the space as ``▁``.
    scores : sequence of float
        Log-probabilities, or for BPE minus the order of merging.
    kinds : sequence of Kind
        Of each.
    unigram : bool
        Whether it is a unigram model; else it merges pairs.
    dummy_prefix : bool
        Whether a text is read as if a space stood before it.
    single_spaces : bool
        Whether spaces at the ends are left out, and of several one is kept.
    charsmap : bytes
        How characters are normalised, as the tokenizers library takes it; empty for not at all.

    Examples
    --------
    >>> Pieces(["▁sea"], [0.0], [Kind.NORMAL], unigram=True).dummy_prefix
    True
    """

    strings: Sequence[str]
    scores: Sequence[float]
    kinds: Sequence[Kind]
    unigram: bool
    dummy_prefix: bool = True
    single_spaces: bool = False
    charsmap: bytes = b""


def of_pieces(pieces: Pieces) -> dict[str, Any]:
    """Write a SentencePiece vocabulary as the content of a ``tokenizer.json``.

    Parameters
    ----------
    pieces : Pieces
        The vocabulary.

    Returns
    -------
    dict
        As the tokenizers library reads it. Pairs are merged in the order of their scores, which
        SentencePiece does too.

    Examples
    --------
    >>> pieces = Pieces(["▁", "s", "▁s"], [0.0, 0.0, -1.0], [Kind.NORMAL] * 3, unigram=False)
    >>> of_pieces(pieces)["model"]["merges"]
    [['▁', 's']]
    """
    kinds = list(pieces.kinds)
    unknown = kinds.index(Kind.UNKNOWN) if Kind.UNKNOWN in kinds else None
    fallback = Kind.BYTE in kinds
    added = {
        id_: (string, kind != Kind.USER_DEFINED)
        for id_, (string, kind) in enumerate(zip(pieces.strings, kinds, strict=True))
        if kind in {Kind.CONTROL, Kind.UNKNOWN, Kind.USER_DEFINED}
    }
    normalizers: list[dict[str, Any]] = []
    if pieces.charsmap:
        packed = base64.b64encode(pieces.charsmap).decode("ascii")
        normalizers.append({"type": "Precompiled", "precompiled_charsmap": packed})
    if pieces.unigram:
        model: dict[str, Any] = {
            "type": "Unigram",
            "unk_id": unknown,
            "vocab": [list(pair) for pair in zip(pieces.strings, pieces.scores, strict=True)],
            "byte_fallback": fallback,
        }
    else:
        ids = {string: id_ for id_, string in enumerate(pieces.strings)}
        order = {
            string: (-score, id_)
            for id_, (string, score) in enumerate(zip(pieces.strings, pieces.scores, strict=True))
        }
        model = {
            "type": "BPE",
            "vocab": ids,
            "merges": merges_of(order, lambda left, right: (-len(left), -len(right))),
            "unk_token": None if unknown is None else pieces.strings[unknown],
            "fuse_unk": True,
            "byte_fallback": fallback,
        }
    if pieces.single_spaces:
        for pattern, content in ((" {2,}", " "), (r"\A | \z", "")):
            replacing = {"type": "Replace", "pattern": {"Regex": pattern}, "content": content}
            normalizers.append(replacing)
    if pieces.dummy_prefix:
        normalizers.append({"type": "Prepend", "prepend": "▁"})
    normalizers.append({"type": "Replace", "pattern": {"String": " "}, "content": "▁"})
    decoders: list[dict[str, Any]] = [
        {"type": "Replace", "pattern": {"String": "▁"}, "content": " "},
        {"type": "ByteFallback"},
        {"type": "Fuse"},
    ]
    if pieces.dummy_prefix:
        decoders.append({"type": "Strip", "content": " ", "start": 1, "stop": 0})
    return _content(
        model,
        added,
        normalizer={"type": "Sequence", "normalizers": normalizers},
        pre_tokenizer=None,
        decoder={"type": "Sequence", "decoders": decoders},
    )


def of_bytes(
    ids: Mapping[str, int],
    merges: Sequence[Sequence[str]],
    *,
    words: str | None = None,
) -> dict[str, Any]:
    """Write a byte-level BPE as the content of a ``tokenizer.json``.

    Parameters
    ----------
    ids : mapping of str to int
        Tokens in the byte alphabet.
    merges : sequence of (str, str)
        In their order.
    words : str, optional
        A pattern of what is never merged with what comes next; GPT-2's where it is None.

    Examples
    --------
    >>> of_bytes({"Ġ": 0, "s": 1, "Ġs": 2}, [("Ġ", "s")])["decoder"]["type"]
    'ByteLevel'
    """
    level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True}
    before: dict[str, Any] = level | {"use_regex": words is None}
    if words is not None:
        split = {"type": "Split", "pattern": {"Regex": words}, "behavior": "Isolated"}
        both = [split | {"invert": False}, before]
        before = {"type": "Sequence", "pretokenizers": both}
    model = {"type": "BPE", "vocab": dict(ids), "merges": [list(pair) for pair in merges]}
    decoder = level | {"use_regex": True}
    return _content(model, {}, normalizer=None, pre_tokenizer=before, decoder=decoder)


def of_words(strings: Sequence[str]) -> dict[str, Any]:
    """Write a WordPiece vocabulary whose words begin with ``▁`` as a ``tokenizer.json``.

    Parameters
    ----------
    strings : sequence of str
        By their ids; what is in square brackets is neither the one nor the other.

    Examples
    --------
    >>> list(of_words(["[UNK]", "▁sea", "horse"])["model"]["vocab"])
    ['[UNK]', 'sea', '##horse']
    """
    ids = {}
    for id_, string in enumerate(strings):
        bare = string.startswith("[") and string.endswith("]")
        word = string.removeprefix("▁")
        ids[string if bare else word if word != string else f"##{string}"] = id_
    prefix = "##"
    model: dict[str, Any] = {"type": "WordPiece", "vocab": ids, "unk_token": "[UNK]"}
    model |= {"continuing_subword_prefix": prefix, "max_input_chars_per_word": 100}
    return _content(
        model,
        {},
        normalizer={"type": "BertNormalizer", "clean_text": True, "handle_chinese_chars": True}
        | {"strip_accents": None, "lowercase": not any(word != word.lower() for word in ids)},
        pre_tokenizer={"type": "BertPreTokenizer"},
        decoder={"type": "WordPiece", "prefix": prefix, "cleanup": True},
    )


def of_word_list(words: Sequence[str], *, unknown: str) -> dict[str, Any]:
    """Write a list of whole words as the content of a ``tokenizer.json``.

    Parameters
    ----------
    words : sequence of str
        By their ids.
    unknown : str
        The one that stands for words that are none of them.

    Examples
    --------
    >>> of_word_list(["sea", "<unk>"], unknown="<unk>")["model"]["vocab"]
    {'sea': 0, '<unk>': 1}
    """
    ids = {word: id_ for id_, word in enumerate(words)}
    return _content(
        {"type": "WordLevel", "vocab": ids, "unk_token": unknown},
        {},
        normalizer=None,
        pre_tokenizer={"type": "WhitespaceSplit"},
        # No word continues another: none begins with a character of nobody's.
        decoder={"type": "WordPiece", "prefix": "\ue000", "cleanup": False},
    )


def of_ranks(ranks: Mapping[bytes, int]) -> dict[str, Any]:
    """Write what tiktoken merges by as the content of a ``tokenizer.json``.

    Parameters
    ----------
    ranks : mapping of bytes to int
        Each token's id, which is the order of merging too.

    Examples
    --------
    >>> of_ranks({b" ": 0, b"s": 1, b" s": 2})["model"]["merges"]
    [['Ġ', 's']]
    """
    letters = {byte: char for char, byte in byte_alphabet().items()}
    ids = {"".join(map(letters.__getitem__, token)): id_ for token, id_ in ranks.items()}
    merges = merges_of(ids, lambda left, right: (ids[left], ids[right]))
    return of_bytes(ids, merges, words=WORDS_OF_TIKTOKEN)


def with_added(content: dict[str, Any], added: Iterable[tuple[int, str, bool]]) -> dict[str, Any]:
    """Add tokens that a configuration names beside a vocabulary.

    Parameters
    ----------
    content : dict
        Of a ``tokenizer.json``.
    added : iterable of (int, str, bool)
        Ids, strings, and whether they are special; one that is there already is left as it is.

    Examples
    --------
    >>> content = with_added(of_bytes({"s": 0}, []), [(1, "<|end|>", True)])
    >>> content["added_tokens"][0]["content"]
    '<|end|>'
    """
    known = {entry["id"] for entry in content["added_tokens"]}
    new = {id_: (string, special) for id_, string, special in added if id_ not in known}
    entries = [*content["added_tokens"], *_added(new)]
    return content | {"added_tokens": sorted(entries, key=lambda entry: entry["id"])}


def merges_of(order: Mapping[str, Any], within: Callable[[str, str], Any]) -> list[list[str]]:
    """Find the pairs that are merged into each token, in the order in which that is done.

    Parameters
    ----------
    order : mapping of str to comparable
        Of each token; the smaller is merged first.
    within : callable
        The order of the pairs that make the same token.

    Returns
    -------
    list of [str, str]
        A token of more than 512 characters is left out.

    Examples
    --------
    >>> merges_of({"a": 0, "b": 1, "ab": 2, "aba": 3, "ba": 4}, lambda left, right: left)
    [['a', 'b'], ['a', 'ba'], ['ab', 'a'], ['b', 'a']]
    """
    merges = []
    for token in sorted(order, key=order.__getitem__):
        if len(token) <= _LONGEST:
            cuts = ((token[:at], token[at:]) for at in range(1, len(token)))
            pairs = [pair for pair in cuts if pair[0] in order and pair[1] in order]
            merges += sorted(pairs, key=lambda pair: within(*pair))
    return [list(pair) for pair in merges]


def _content(
    model: dict[str, Any], added: Mapping[int, tuple[str, bool]], **parts: Any
) -> dict[str, Any]:
    """Put a ``tokenizer.json`` together."""
    return {"version": "1.0", "added_tokens": _added(added), "model": model} | parts


def _added(added: Mapping[int, tuple[str, bool]]) -> list[dict[str, Any]]:
    """Write added tokens."""
    plain = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False}
    return [
        {"id": id_, "content": string, "special": special} | plain
        for id_, (string, special) in sorted(added.items())
    ]
