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


def prepare(name: str, source: str) -> None:
    """Print what is mapped, as the command takes it; nothing for all."""
    head = unembed.open_head(source)
    if name == "words":
        kinds = map(head.vocabulary.kind, range(len(head.vocabulary)))
        words = [id_ for id_, kind in enumerate(kinds) if kind == "whole-word"]
        path = Path(tempfile.gettempdir()) / f"unembed-{source}-words.txt"
        path.write_text("\n".join(map(str, words[:5000])))
        print(path, end="")
    elif name != "all":
        print(name, end="")


def forget(source: str) -> None:
    """Leave nothing of earlier maps."""
    for entry in unembed.open_head(source).store.directory.iterdir():
        if entry.name.startswith(("map-", "closest-")):
            entry.unlink()


def units_of(source: str, region: str) -> np.ndarray:
    """Give the unit vectors of what is mapped."""
    head = unembed.open_head(source)
    ids = find_region(head, region).ids_N if region else np.flatnonzero(head.vocabulary.known_V)
    return unit_rows(open_space(head), head.rows, ids).astype(np.float32)


def plain(source: str, region: str, out: str) -> None:
    """Do what a user would without unembed's maps."""
    import umap

    reducer = umap.UMAP(n_neighbors=15, min_dist=0.05, metric="cosine", random_state=SEED, n_jobs=1)
    np.save(out, reducer.fit_transform(units_of(source, region)))


def judge(source: str, region: str, out: str) -> None:
    """Print how far each of the two maps can be believed."""
    units, theirs = units_of(source, region), np.load(out)
    mapped = unembed.open_head(source).map(region=region or None)
    if len(mapped.points.ids_N) != len(units) or len(theirs) != len(units):
        raise SystemExit("the two do not map the same tokens")
    print(len(units), mapped.trust, trust_of(units, theirs, done=lambda *_: None), sep="\n")


def asked(task: str, *arguments: str) -> str:
    """Do one of these in a process of its own: a child is measured with its parent's memory."""
    return subprocess.run(
        [sys.executable, __file__, f"--{task}", *arguments],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    ).stdout


def timed(command: list[str]) -> tuple[float, float]:
    """Give seconds, and the peak of resident memory in MB."""
    start = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"{command} ended with {status}")
    return time.perf_counter() - start, usage.ru_maxrss / 1e3


def compare(name: str, source: str) -> None:
    region = asked("prepare", name, source)
    results: dict[str, list[tuple[float, float]]] = {"unembed": [], "again": [], "plain": []}
    with tempfile.TemporaryDirectory() as folder:
        places = f"{folder}/plain.npy"
        script = Path(sys.executable).with_name("unembed")
        command = [str(script), "map", source, "-o", f"{folder}/map.html"]
        command += ["--region", region] if region else []
        for _ in range(RUNS):
            asked("forget", source)
            results["unembed"].append(timed(command))
            results["again"].append(timed(command))
            own = [sys.executable, __file__, "--plain", source, region, places]
            results["plain"].append(timed(own))
        count, ours, theirs = asked("judge", source, region, places).splitlines()
    print(f"\n{name} of {source}, {int(count):,} tokens")
    for kind, trust in (("unembed", ours), ("again", ""), ("plain", theirs)):
        seconds = statistics.median(result[0] for result in results[kind])
        peak = max(result[1] for result in results[kind])
        ratio = statistics.median(
            other[0] / mine[0] for mine, other in zip(results[kind], results["plain"], strict=True)
        )
        speed = f"{seconds:7.2f} s  {ratio:6.2f} x plain  peak {peak:5.0f} MB"
        print(f"  {kind:8}{speed}  {trust}", flush=True)


if __name__ == "__main__":
    tasks = {"--prepare": prepare, "--forget": forget, "--plain": plain, "--judge": judge}
    if sys.argv[1:2] and sys.argv[1] in tasks:
        tasks[sys.argv[1]](*sys.argv[2:])
    else:
        chosen = [name for name in sys.argv[1:] if name in REGIONS] or list(REGIONS)
        for name in chosen:
            for source in REGIONS[name]:
                compare(name, source)
