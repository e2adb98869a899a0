"""Which space: the same questions asked in each, on both demo heads.

    python benchmarks/spaces.py

Plurals and capitals are analogies made of the vocabulary itself: for two lower-case words a, b of
which both plurals (capitalised forms) are whole words too, is the nearest token to
"plural of a - a + b" the plural of b? Every pair is drawn with a fixed seed. Emoji: of the emoji
that are one token and have a one-word English name, is it the first (among the first five) of the
region for its name?
"""

import sys

import emoji
import numpy as np
import unembed
from unembed.geometry.region import find_region
from unembed.geometry.space import SPACES, open_space
from unembed.geometry.tokens.kinds import KINDS

QUESTIONS = 400
PAIRS = 100_000
DRAWN = 2_000


def whole_words(head: unembed.Head) -> np.ndarray:
    """Give the ids of the tokens that are a whole word."""
    return np.flatnonzero(head.vocabulary.kinds_V == KINDS.index("whole-word"))


def forms(head: unembed.Head, change: str) -> list[tuple[str, str]]:
    """Give the words that are whole tokens in both forms."""
    found = []
    for id_ in whole_words(head).tolist():
        word = (head.vocabulary.text(id_) or "")[1:]
        if word.isascii() and word.islower() and len(word) > 3:
            other = word + "s" if change == "plural" else word.capitalize()
            if head.vocabulary.id_of(f" {other}") is not None:
                found.append((word, other))
    return found


def accuracy(head: unembed.Head, space: str, change: str) -> float:
    """Give the share of analogies that are answered right."""
    rng = np.random.default_rng(0)
    pairs = forms(head, change)
    drawn = [
        (pairs[a], pairs[b]) for a, b in rng.integers(len(pairs), size=(QUESTIONS, 2)) if a != b
    ]
    questions = [f'"{a_other}" - "{a}" + "{b}"' for (a, a_other), (b, _) in drawn]
    answers = head.nearest_each(questions, space=space, top=1)
    right = [
        answer.neighbours[0].text == f" {b_other}"
        for answer, (_, (_, b_other)) in zip(answers, drawn, strict=True)
    ]
    return float(np.mean(right))


def emoji_found(head: unembed.Head, space: str) -> tuple[int, float, float]:
    """Give how many emoji have a one-word name, and the shares found first and in the first 5."""
    asked = []
    for id_ in find_region(head, "emoji").ids_N.tolist():
        text = (head.vocabulary.text(id_) or "").strip()
        name = emoji.EMOJI_DATA[text]["en"].strip(":").replace("_", " ")
        if name.isalpha() and not (head.vocabulary.text(id_) or "").startswith(" "):
            asked.append((name, text))
    if not asked:
        return 0, float("nan"), float("nan")
    answers = head.nearest_each([name for name, _ in asked], space=space, region="emoji", top=5)
    first, five = [], []
    for answer, (_, text) in zip(answers, asked, strict=True):
        found = [(near.text or "").strip() for near in answer.neighbours]
        first.append(text in found[:1])
        five.append(text in found)
    return len(asked), float(np.mean(first)), float(np.mean(five))


def crowding(head: unembed.Head, space: str) -> tuple[float, float]:
    """Give the mean cosine of two rows, and how skewed it is who is a neighbour of how many."""
    geometry = open_space(head, space)
    rng = np.random.default_rng(0)
    known = np.flatnonzero(head.vocabulary.known_V)

    def units(ids: np.ndarray) -> np.ndarray:
        placed = geometry.place(head.rows.decode(ids))
        return (placed / np.linalg.norm(placed, axis=1, keepdims=True)).astype(np.float32)

    left, right = (units(rng.choice(known, PAIRS)) for _ in range(2))
    mean = float((left * right).sum(axis=1).mean())
    whole = whole_words(head)
    words = units(rng.choice(whole, min(20_000, len(whole)), replace=False))
    cosines = words[:DRAWN] @ words.T
    cosines[np.arange(DRAWN), np.arange(DRAWN)] = -2
    nearest = np.argpartition(-cosines, 10, axis=1)[:, :10]
    counts = np.bincount(nearest.ravel(), minlength=len(words))
    skew = float(((counts - counts.mean()) ** 3).mean() / counts.std() ** 3)
    return mean, skew


def main() -> None:
    print(
        "| head | space | mean cosine of two rows | skew of 10-neighbour counts | plurals "
        "| capitals | emoji first | in the first five |"
    )
    print("|---|---|---|---|---|---|---|---|")
    for source in sys.argv[1:] or ("demo", "demo-bytes"):
        head = unembed.open_head(source)
        for space in SPACES:
            mean, skew = crowding(head, space)
            shares = [accuracy(head, space, change) for change in ("plural", "capital")]
            count, first, five = emoji_found(head, space)
            shares += [first, five] if count > 20 else [float("nan")] * 2
            print(
                f"| `{source}` | `{space}` | {mean:.3f} | {skew:.1f} | "
                + " | ".join(f"{share:.2f}" for share in shares)
                + " |",
                flush=True,
            )


if __name__ == "__main__":
    main()
