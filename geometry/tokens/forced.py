"""A ``tokenizer.json`` as it would be if it had not some of its tokens."""

import json
from collections.abc import Mapping, Set
from pathlib import Path
from reprlib import repr as short
from typing import Any

from ...errors import VocabularyError
from ...indexes.jsonfile import member
from .tokenizer import read_tokenizer


def without(path: Path, tokens: Set[str]) -> str:
    """Give the content of a tokenizer that never writes some tokens.

    Ids stay as they are. Of byte pair encoding the merges that make such a token are left out, and
    words are no longer looked up whole; of the other models (WordPiece, Unigram) the token is
    renamed to what stands in no text. Added tokens are matched before the model and stay.

    Parameters
    ----------
    path : Path
        The file of the tokenizers library.
    tokens : set of str
        As the vocabulary spells them.

    Raises
    ------
    VocabularyError
        The file is missing or damaged, or a part of it is not as it should be.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "tokenizer.json"
    >>> _ = path.write_text(json.dumps({"model": {"vocab": {}, "merges": ["s e", "se a"]}}))
    >>> json.loads(without(path, {"sea"}))["model"]["merges"]
    ['s e']
    """
    content = read_tokenizer(path)
    try:
        model = member(content, "model", dict)
        changed = _merged(model, tokens) if "merges" in model else _renamed(model, tokens)
    except ValueError as error:
        raise VocabularyError(f"{path}: its words cannot be split by force: {error}") from error
    return json.dumps(content | {"model": model | changed})


def _merged(model: Mapping[str, Any], tokens: Set[str]) -> dict[str, Any]:
    """Leave out the merges that make a token."""
    prefix = model.get("continuing_subword_prefix") or ""
    if not isinstance(prefix, str):
        raise ValueError(f"model.continuing_subword_prefix is {short(prefix)}; it must be a string")
    merges = member(model, "merges", list, inside="model")
    kept = [merge for merge in merges if _joined(merge, prefix) not in tokens]
    return {"merges": kept, "ignore_merges": False}


def _joined(merge: object, prefix: str) -> str:
    """Give the token that a merge makes: ``"a b"`` or ``["a", "b"]``."""
    parts = merge.split(" ") if isinstance(merge, str) else merge
    if not isinstance(parts, list) or len(parts) != 2 or not all(isinstance(p, str) for p in parts):
        raise ValueError(f"model.merges holds {short(merge)}; each must be two tokens")
    return f"{parts[0]}{parts[1].removeprefix(prefix)}"


def _renamed(model: Mapping[str, Any], tokens: Set[str]) -> dict[str, Any]:
    """Rename tokens of a vocabulary, so that ids, scores and size stay."""
    vocabulary = model.get("vocab")
    if isinstance(vocabulary, dict):
        return {
            "vocab": {
                _unwritten(id_) if token in tokens else token: id_
                for token, id_ in vocabulary.items()
            }
        }
    pairs = member(model, "vocab", list, inside="model")
    for pair in pairs:
        if not isinstance(pair, list) or len(pair) != 2 or not isinstance(pair[0], str):
            raise ValueError(f"model.vocab holds {short(pair)}; each must be [token, score]")
    return {
        "vocab": [
            [_unwritten(id_) if token in tokens else token, score]
            for id_, (token, score) in enumerate(pairs)
        ]
    }


def _unwritten(id_: object) -> str:
    """Spell a token as no text is."""
    return f"\0{id_}\0"
