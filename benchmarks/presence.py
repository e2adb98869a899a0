"""How well p_token tells everyday names of emoji from things that are no emoji.

python benchmarks/presence.py [SOURCE] [pieces=model] [with_model]
"""

import csv
import sys
from pathlib import Path

import numpy as np
import unembed
from sklearn.metrics import roc_auc_score
from unembed.geometry.records.record import Record

DATA = Path(__file__).parent.parent / "tests" / "data"


def listed(name: str) -> list[dict[str, str]]:
    with (DATA / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def interval(there_N: np.ndarray, missing_N: np.ndarray) -> tuple[float, float]:
    """Draw both lists again, each from itself."""
    rng, found = np.random.default_rng(0), []
    labels_N = np.repeat([1, 0], [len(there_N), len(missing_N)])
    for _ in range(2000):
        drawn = [rng.choice(values_N, len(values_N)) for values_N in (there_N, missing_N)]
        found.append(roc_auc_score(labels_N, np.concatenate(drawn)))
    low, high = np.percentile(found, [2.5, 97.5])
    return float(low), float(high)


def main() -> None:
    asked = {"pieces=model", "with_model"}.intersection(sys.argv[1:])
    source = next((given for given in sys.argv[1:] if given not in asked), "demo")
    head = unembed.open_head(source)
    everyday, wished = listed("everyday_emoji.csv"), listed("wished_emoji.csv")
    records = [Record(row["concept"], is_phrase=True) for row in everyday + wished]
    audit = head.audit(
        records,
        region="emoji",
        top=5,
        pieces="model" if "pieces=model" in asked else "rarity",
        with_model="with_model" in asked,
    )
    findings, there = audit.findings, len(everyday)
    texts = [[near.text for near in finding.nearest] for finding in findings[:there]]
    wanted = [row["emoji"] for row in everyday]
    first = np.mean([near[0] == emoji for near, emoji in zip(texts, wanted, strict=True)])
    five = np.mean([emoji in near for near, emoji in zip(texts, wanted, strict=True)])
    print(f"{head.source}: {there} everyday names, {len(wished)} things that are no emoji")
    print(f"the emoji is first for {first:.3f}, among the first five for {five:.3f}")
    calibration = audit.terms["calibration"]
    if calibration["kind"] is None:
        print(f"no p_token: {calibration['reason']}")
        return
    p_N = np.array([finding.p_token for finding in findings], dtype=np.float64)
    labels_N = np.arange(len(p_N)) < there
    member_N = np.array([finding.membership for finding in findings], dtype=np.float64)
    print(
        f"members: {(member_N[:there] >= 0.05).mean():.3f}, {(member_N[there:] >= 0.05).mean():.3f}"
    )
    if "with_model" in asked:
        believed_N = np.array([finding.believed for finding in findings], dtype=np.float64)
        print(f"AUROC of believed {roc_auc_score(labels_N, believed_N):.3f}")
        written = [finding.written_text for finding in findings[:there]]
        wrote = np.mean([text == emoji for text, emoji in zip(written, wanted, strict=True)])
        print(f"the model itself writes the emoji for {wrote:.3f}")
    low, high = interval(p_N[:there], p_N[there:])
    print(f"AUROC of p_token {roc_auc_score(labels_N, p_N):.3f} (95%: {low:.3f} to {high:.3f})")
    weights_N = np.where(labels_N, 0.5 / there, 0.5 / len(wished))  # both lists count alike
    brier = float((weights_N * np.square(p_N - labels_N)).sum())
    print(f"Brier score {brier:.3f}, of an even chance 0.250")
    for low, high in ((0.0, 0.35), (0.35, 0.5), (0.5, 0.7), (0.7, 0.9), (0.9, 1.01)):
        in_N = (p_N >= low) & (p_N < high)
        if in_N.any():
            mean, share = (
                np.average(values_N[in_N], weights=weights_N[in_N]) for values_N in (p_N, labels_N)
            )
            print(f"  p_token {mean:.2f}: an emoji for {share:.2f} of {in_N.sum()}")


if __name__ == "__main__":
    main()
