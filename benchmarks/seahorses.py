"""Whether a model's middle layers hold concepts that have an emoji, and concepts that have none.

python benchmarks/seahorses.py [SOURCE]

It asks for twenty emoji that exist, one token each, and for twenty that do not, as the story of the
seahorse does, and looks at the last token of the prompt and at the first one that is written:

- named: in some layer of the second half but for the last, the first token is part of the name;
- held: of the forty names as the model builds them elsewhere, the name's own has the highest cosine
  with the residual, at the layer where this holds for most;
- written: the text that follows is the emoji.
"""

import sys
from collections.abc import Iterator

import numpy as np
import unembed
from unembed.geometry.concepts.pairs import emoji_pairs
from unembed.geometry.lens.lens import Lens

EXISTING = (
    *("octopus", "dolphin", "elephant", "penguin", "turtle", "snail", "butterfly", "eagle"),
    *("rabbit", "monkey", "crab", "owl", "camel", "giraffe", "gorilla", "lobster", "scorpion"),
    *("duck", "squid", "koala"),
)
MISSING = (
    *("seahorse", "swordfish", "narwhal", "opossum", "ferret", "ostrich", "vulture", "seagull"),
    *("manatee", "pelican", "walrus", "meerkat", "starfish", "stork", "armadillo", "cheetah"),
    *("hyena", "jaguar", "lemur", "coyote"),
)
PROMPT = (
    "Here is a horse emoji: 🐴\nHere is a dog emoji: 🐶\nHere is a fish emoji: 🐟\n"
    "Here is a {} emoji:"
)
LETTERS = 3  # of a token that names, at least


def named(found: Lens, name: str) -> bool:
    """Tell whether a layer of the second half, but for the last, has part of the name first."""
    return any(
        len(text := (layer.top[0].text or "").strip().lower()) >= LETTERS and text in name
        for position in found.positions[:2]
        for layer in position.layers[len(position.layers) // 2 : -1]
    )


def held(lenses: list[Lens]) -> Iterator[np.ndarray]:
    """Tell for each layer of which names the own concept has the highest cosine."""
    for layer in range(len(lenses[0].positions[0].layers)):
        cosines_NPC = np.array(
            [[position.layers[layer].cosines for position in one.positions[:2]] for one in lenses]
        )
        own_NP = cosines_NPC.argmax(axis=2) == np.arange(len(lenses))[:, None]
        yield own_NP.any(axis=1)


def main() -> None:
    head = unembed.open_head(sys.argv[1] if len(sys.argv) > 1 else "demo")
    emoji = {pair.base: pair.target for pair in emoji_pairs(head.vocabulary).pairs}
    names = (*EXISTING, *MISSING)
    lacking = [name for name in EXISTING if name not in emoji]
    if lacking:
        sys.exit(f"{head.source} has no token for {', '.join(lacking)}")
    concepts = [f'model("{name}")' for name in names]
    lenses = [
        head.lens(PROMPT.format(name), generate=2, concepts=concepts, top=1) for name in names
    ]
    held_LN = np.array(list(held(lenses)))
    layer = int(held_LN.sum(axis=1).argmax())
    named_N = np.array([named(*given) for given in zip(lenses, names, strict=True)])
    written = [(found.text or "").strip() for found in lenses]
    print(
        f"{head.source}, layers {held_LN.shape[0] // 2} to {held_LN.shape[0] - 2}; held at {layer}"
    )
    for what, part in (("existing", slice(0, 20)), ("missing", slice(20, 40))):
        both = zip(written[part], names[part], strict=True)
        right = [text == emoji.get(name) for text, name in both]
        print(
            f"{what}: named {named_N[part].mean():.2f}, held {held_LN[layer][part].mean():.2f}, "
            f"written {np.mean(right):.2f}"
        )
    for name, text, is_named, is_held in zip(names, written, named_N, held_LN[layer], strict=True):
        print(f"  {name:10} {'named' if is_named else '-':6} {'held' if is_held else '-':5} {text}")


if __name__ == "__main__":
    main()
