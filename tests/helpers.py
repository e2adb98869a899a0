"""What several tests need: rows rounded and decoded by torch, an edited tokenizer, an answer's ids.

Imported relatively (``from .helpers import ids``); what needs a directory is a fixture instead.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from unembed import Neighbours
from unembed.indexes.faiss import MappedIndex
from unembed.indexes.rows import Rows

TORCH = {
    "BF16": torch.bfloat16,
    "F16": torch.float16,
    "F32": torch.float32,
    "F64": torch.float64,
}


def rows_of(values: NDArray[np.float64], dtype: str) -> Rows:
    """Round values to a type through torch, an independent way."""
    tensor = torch.from_numpy(np.ascontiguousarray(values)).to(TORCH[dtype])
    codes = tensor.view(torch.uint16).numpy() if dtype == "BF16" else tensor.numpy()
    return Rows(codes, dtype)


def decoded(rows: Rows) -> NDArray[np.float64]:
    """Decode through torch, an independent way."""
    tensor = torch.from_numpy(rows.codes_VD.copy())
    tensor = tensor.view(torch.bfloat16) if rows.dtype == "BF16" else tensor
    return tensor.double().numpy()


def index_of(rows: Rows) -> MappedIndex:
    """Index rows as a head does: float64 rows by a copy that is rounded to float32."""
    longest = float(rows.norms().max())
    if rows.dtype != "F64":
        return MappedIndex(rows, longest=longest)
    return MappedIndex(Rows(rows.codes_VD.astype(np.float32), "F32"), longest=longest, rounded=True)


def edited(directory: Path, edit: Callable[[dict[str, Any]], Any]) -> Path:
    """Change the tokenizer.json of a checkpoint; give the checkpoint's directory."""
    path = directory / "tokenizer.json"
    content = json.loads(path.read_text())
    edit(content)
    path.write_text(json.dumps(content))
    return directory


def ids(answer: Neighbours) -> list[int]:
    """Give the ids of an answer's neighbours, in order."""
    return [near.id for near in answer.neighbours]
