"""Maps, against umap-learn alone.

    python benchmarks/map.py [RUNS] [emoji | words | all ...]

``emoji``: the whole of a cold process, ``unembed map demo --region emoji -o emoji.html``, against
a script that opens the head, places the same rows in the causal space and has umap-learn lay them
out; it draws nothing. ``words``: the first 5,000 whole words of each demo head. ``all``: all rows
of each. umap-learn has the unit vectors, its cosine, the same seed, number of neighbours and least
distance. What unembed derives of a head is there for both; earlier maps are not, but for "again".
The contenders run in turn, each in a process of its own, and their maps are judged alike. Linux
only.
"""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import unembed
from unembed.geometry.hubness import unit_rows
from unembed.geometry.projection.trust import trust_of
from unembed.geometry.region import find_region
from unembed.geometry.space import open_space

RUNS = int(sys.argv[1]) if sys.argv[1:2] and sys.argv[1].isdigit() else 3
REGIONS = {"emoji": ["demo"], "words": ["demo", "demo-bytes"], "all": ["demo", "demo-bytes"]}
SEED = 0


def region_of(name: str, source: str) -> str | None:
    """Give what is mapped, as the command and `find_region` take it."""
    if name != "words":
        return None if name == "all" else name
    head = unembed.open_head(source)
    words = [
        id_ for id_ in range(len(head.vocabulary)) if head.vocabulary.kind(id_) == "whole-word"
    ]
    path = Path(tempfile.gettempdir()) / f"unembed-{source}-words.txt"
    path.write_text("\n".join(map(str, words[:5000])))
    return str(path)


def plain(source: str, region: str, out: str) -> None:
    """Do what a user would without unembed's maps."""
    import umap

    head = unembed.open_head(source)
    ids = find_region(head, region).ids_N if region else np.flatnonzero(head.vocabulary.known_V)
    units = unit_rows(open_space(head), head.rows, ids).astype(np.float32)
    reducer = umap.UMAP(n_neighbors=15, min_dist=0.05, metric="cosine", random_state=SEED, n_jobs=1)
    np.save(out, reducer.fit_transform(units))


def ours(source: str, region: str | None, out: str) -> list[str]:
    """Give the command; nothing of an earlier map is kept."""
    head = unembed.open_head(source)
    for entry in head.store.directory.iterdir():
        if entry.name.startswith(("map-", "closest-")):
            entry.unlink()
    command = [str(Path(sys.executable).with_name("unembed")), "map", source, "-o", out]
    return command + (["--region", region] if region else [])


def timed(command: list[str]) -> tuple[float, float]:
    """Give seconds, and the peak of resident memory in MB."""
    start = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"{command} ended with {status}")
    return time.perf_counter() - start, usage.ru_maxrss / 1e3


def compare(name: str, source: str) -> None:
    region = region_of(name, source)
    head = unembed.open_head(source)
    ids = find_region(head, region).ids_N if region else np.flatnonzero(head.vocabulary.known_V)
    units = unit_rows(open_space(head), head.rows, ids).astype(np.float32)
    with tempfile.TemporaryDirectory() as folder:
        page, places = f"{folder}/map.html", f"{folder}/plain.npy"
        results: dict[str, list[tuple[float, float]]] = {"unembed": [], "again": [], "plain": []}
        for _ in range(RUNS):
            command = ours(source, region, page)
            results["unembed"].append(timed(command))
            results["again"].append(timed(command))
            script = [sys.executable, __file__, "--plain", source, region or "", places]
            results["plain"].append(timed(script))
        plain_N2 = np.load(places)
    mapped = head.map(region=region)
    if not np.array_equal(mapped.points.ids_N, ids):
        raise SystemExit("the two do not map the same tokens")
    theirs = trust_of(units, plain_N2, done=lambda *_: None)
    print(f"\n{name} of {source}, {len(ids):,} tokens")
    for kind, trust in (("unembed", mapped.trust), ("again", None), ("plain", theirs)):
        seconds = statistics.median(result[0] for result in results[kind])
        peak = max(result[1] for result in results[kind])
        ratio = statistics.median(
            other[0] / own[0] for own, other in zip(results[kind], results["plain"], strict=True)
        )
        speed = f"{seconds:7.2f} s  {ratio:6.2f} x plain  peak {peak:5.0f} MB"
        print(f"  {kind:8}{speed}  {trust or ''}", flush=True)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--plain"]:
        plain(*sys.argv[2:])
    else:
        asked = [name for name in sys.argv[1:] if name in REGIONS] or list(REGIONS)
        for name in asked:
            for source in REGIONS[name]:
                compare(name, source)
