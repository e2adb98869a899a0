"""What is said of a source."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from unembed import open_head
from unembed.errors import CheckpointError
from unembed.geometry.heads.final_norm import FinalNorm
from unembed.geometry.info import Lengths, NormInfo
from unembed.geometry.tokens.kinds import KINDS
from unembed.indexes.rows import Rows

Make = Callable[..., Path]


@pytest.mark.parametrize("family", ["byte_level", "sentencepiece", "unigram", "wordpiece"])
def test_what_is_said_is_what_is_there(make_checkpoint: Make, family: str) -> None:
    directory = make_checkpoint(family, padding=4)
    head = open_head(directory)
    found = head.info()
    assert (found.source, found.path) == (str(directory), str(directory / "model.safetensors"))
    assert (found.tensor, found.tied, found.dtype) == ("model.embed_tokens.weight", True, "BF16")
    assert found.shape == (head.rows.count, 16)
    assert (found.bias, found.scale, found.softcap, found.norm) == (False, 1.0, None, None)
    assert found.architecture is None
    kinds = [head.vocabulary.kind(id_) for id_ in range(head.rows.count)]
    assert found.vocabulary == {kind: kinds.count(kind) for kind in KINDS}
    assert found.vocabulary["padding"] == 4
    norms = np.linalg.norm(head.rows.decode(slice(0, head.rows.count - 4)), axis=1)
    assert found.row_norms.least == pytest.approx(norms.min())
    assert found.row_norms.median == pytest.approx(np.median(norms))
    assert found.row_norms.largest == pytest.approx(norms.max())


def test_a_norm_a_bias_and_a_cap_are_said(make_checkpoint: Make) -> None:
    head = open_head(make_checkpoint())
    head = replace(
        head,
        bias_V=np.zeros(head.rows.count),
        scale=0.25,
        softcap=30.0,
        final_norm=FinalNorm("layer", np.ones(16), np.ones(16), 1e-5),
        architecture="TinyForCausalLM",
    )
    found = head.info()
    assert found.norm == NormInfo("layer", 1e-5, bias=True)
    assert (found.bias, found.scale, found.softcap) == (True, 0.25, 30.0)
    facts = dict(found.facts())
    assert facts["architecture"] == "TinyForCausalLM"
    assert facts["final norm"] == "layer, epsilon 1e-05, with a bias"
    assert (facts["bias"], facts["logit scale"], facts["softcap"]) == ("yes", "0.25", "30")
    bare = replace(head, bias_V=None, softcap=None, final_norm=None, architecture=None, tied=False)
    facts = dict(bare.info().facts())
    assert (facts["final norm"], facts["bias"], facts["softcap"]) == ("none found", "none", "none")
    assert facts["architecture"] == "not stated"
    assert facts["tensor"] == "model.embed_tokens.weight"


def test_padding_is_no_row_of_the_lengths(make_checkpoint: Make) -> None:
    head = open_head(make_checkpoint(padding=3))
    rows = np.ones((head.rows.count, 16), dtype=np.float32)
    rows[-1] = 100
    head = replace(head, rows=Rows(rows, "F32"), key="long padding")
    assert head.info().row_norms == Lengths(4.0, 4.0, 4.0)


def test_what_is_kept_is_listed(make_checkpoint: Make) -> None:
    head = open_head(make_checkpoint())
    head.nearest("king", region="emoji")
    found = head.info()
    assert {entry.name for entry in found.cache} == {
        *("vocabulary", "norms", "covariance", "space-causal", "region-emoji")
    }
    for entry in found.cache:
        assert entry.source == head.source
        assert entry.bytes == entry.path.stat().st_size


def test_it_is_json(make_checkpoint: Make) -> None:
    found = open_head(make_checkpoint()).info()
    content = json.loads(json.dumps(found.to_dict()))
    assert content["shape"] == list(found.shape)
    assert content["row_norms"]["least"] == found.row_norms.least
    assert [entry["name"] for entry in content["cache"]] == [entry.name for entry in found.cache]
    assert content["cache"][0]["path"].endswith(".safetensors")


def test_a_damaged_head_is_refused(make_checkpoint: Make) -> None:
    head = open_head(make_checkpoint())
    rows = np.full((head.rows.count, 16), np.inf, dtype=np.float32)
    with pytest.raises(CheckpointError, match="the first is row 0"):
        replace(head, rows=Rows(rows, "F32"), key="damaged").info()
