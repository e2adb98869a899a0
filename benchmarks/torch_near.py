"""What a user would write instead: the nearest tokens with torch and transformers, cosine."""

import json
import sys

import torch
from safetensors import safe_open
from transformers import AutoTokenizer

directory, tensor, *words = sys.argv[1:]  # words with their signs: +king -man +woman
tokenizer = AutoTokenizer.from_pretrained(directory)
with safe_open(f"{directory}/model.safetensors", "pt") as file:
    rows = file.get_tensor(tensor)[: len(tokenizer)].float()
rows = torch.nn.functional.normalize(rows)
ids = [tokenizer.encode(f" {word[1:]}", add_special_tokens=False)[0] for word in words]
query = sum((1 if word[0] == "+" else -1) * rows[id_] for word, id_ in zip(words, ids, strict=True))
scores = rows @ torch.nn.functional.normalize(query, dim=0)
scores[ids] = -torch.inf
best = scores.topk(10)
print(json.dumps(list(zip(best.indices.tolist(), best.values.tolist(), strict=True))))
