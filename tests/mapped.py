"""A map that no head was needed for: tokens of all kinds, hostile ones among them."""

import numpy as np
from unembed import Map
from unembed.geometry.projection.clusters import Cluster
from unembed.geometry.projection.islands import Break
from unembed.geometry.projection.layout import Layout
from unembed.geometry.projection.map import Points
from unembed.geometry.projection.marks import MapPath, Mark
from unembed.geometry.projection.trust import Trust

HOSTILE = (
    "</script><script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "\u202ereversed",
    "\x00",
    "   ",
    "=1+1",
    "a" * 300,
    '"quoted", and a comma',
)
EMOJI = ("🐴", " 🐠", "🐶", "🐙", "❤️", "👩\u200d🚀", "🇯🇵", "☕")


def a_map(count: int = 200, *, dimensions: int = 2, seed: int = 0) -> Map:
    """Give a map of two clusters and an island: hostile tokens, emoji, a fragment, words."""
    rng = np.random.default_rng(seed)
    texts: list[str | None] = [*HOSTILE, *EMOJI, None]
    texts = (texts + [f" word{place}" for place in range(len(texts), count)])[:count]
    clusters_N = np.arange(count) % 2
    mapped_NC = rng.normal(size=(count, dimensions)).astype(np.float32)
    mapped_NC[clusters_N == 1, 0] += 6
    drawn_NC = mapped_NC.copy()
    places = np.arange(count)
    k = min(10, count - 1)
    near_NK = (places[:, None] + 1 + np.arange(k)) % count
    mark = Mark(
        "emoji(<b>seahorse</b>)",
        mapped=(0.5,) * dimensions,
        drawn=(0.5,) * dimensions,
        near=tuple(range(k)),
        cosines=tuple(np.linspace(0.5, 0.1, k).tolist()),
        snap=min(8, count - 1),
        gap_degrees=69.93,
        gap_logit=0.39,
    )
    return Map(
        source="./head",
        space="causal",
        title="emoji & <words>",
        groups=("emoji", "words"),
        layout=Layout(dimensions=dimensions),
        trust=Trust(0.95, 0.5, 10, count) if count >= 4 else None,
        points=Points(
            ids_N=7 * places,
            tokens=tuple(f"▁{text}" if text else "<0xE2>" for text in texts),
            texts=tuple(texts),
            kinds=tuple("fragment" if text is None else "text" for text in texts),
            scripts=tuple("Latin" if place % 3 else "Common" for place in range(count)),
            norms_N=rng.uniform(0.5, 2.0, count),
            groups_N=np.minimum(places // 16, 1),
            clusters_N=clusters_N - (places % 9 == 8),
            mapped_NC=mapped_NC,
            drawn_NC=drawn_NC,
            near_NK=near_NK,
            cosines_NK=np.full((count, k), 0.25, dtype=np.float32),
            columns={
                "use": tuple(None if place % 5 == 0 else place / 2 for place in range(count)),
                "note": tuple("</script>" if place % 2 else "plain" for place in range(count)),
            },
        ),
        clusters=(
            Cluster("sea, <fish>", ("sea", "<fish>"), count // 2, (0.0,) * dimensions),
            Cluster("dogs", ("dogs",), count // 2, (6.0,) + (0.0,) * (dimensions - 1)),
        ),
        marks=(mark,),
        paths=(MapPath("layers", (mark, mark)),),
        breaks=(
            Break(
                (0,), (-3.0,) + (0.0,) * (dimensions - 1), (0.0,) * dimensions, (2.0,) * dimensions
            ),
        ),
    )
