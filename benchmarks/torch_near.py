"""What a user would write instead: the nearest tokens with torch and transformers, in any space."""

import json
import sys

import torch
from safetensors import safe_open
from transformers import AutoTokenizer

directory, tensor, space, *words = sys.argv[1:]  # words with their signs: +king -man +woman
tokenizer = AutoTokenizer.from_pretrained(directory)
with safe_open(f"{directory}/model.safetensors", "pt") as file:
    rows = file.get_tensor(tensor)[: len(tokenizer)].float()
ids = [tokenizer.encode(f" {word[1:]}", add_special_tokens=False)[0] for word in words]
if space in {"centred", "causal"}:
    rows -= rows.mean(dim=0)
if space == "causal":
    count, width = rows.shape
    covariance = rows.T @ rows / count
    fourth = rows.square().sum(dim=1).square().sum() / count
    trace, square = covariance.trace(), covariance.square().sum()
    shrinkage = (fourth - square) / (count * (square - trace**2 / width))  # Ledoit and Wolf 2004
    shrunk = (1 - shrinkage) * covariance + shrinkage * trace / width * torch.eye(width)
    values, vectors = torch.linalg.eigh(shrunk.double())
    rows = rows @ (vectors / values.sqrt() @ vectors.T).float()
if space != "logit":
    rows = torch.nn.functional.normalize(rows)
query = sum((1 if word[0] == "+" else -1) * rows[id_] for word, id_ in zip(words, ids, strict=True))
scores = rows @ torch.nn.functional.normalize(query, dim=0)
scores[ids] = -torch.inf
best = scores.topk(10)
print(json.dumps(list(zip(best.indices.tolist(), best.values.tolist(), strict=True))))
