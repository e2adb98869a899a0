"""Many exact queries at once, against FAISS Flat with its best kernel and a loop over gensim.

    python benchmarks/batch.py [RUNS] [QUERIES]

On both demo heads: the twenty rows of the largest logit, or of the largest cosine in the causal
space, for 955 queries of the form a - b + c. The contenders run in turn, each in a process of its
own that holds only what it needs, so that their peaks of memory can be told apart; FAISS's has
``OPENBLAS_CORETYPE=SkylakeX`` where the processor has AVX-512, and rows that are placed in the
space already, at norm 1 for a cosine. gensim has the same rows, knows cosines only, and answers the
first fifty queries. The limits are torch's products of as many rows and queries, in eight bits and
in bfloat16, without any answer. "two" is unembed with the largest logit besides. Answers are
checked equal, but for scores that float32 does not tell apart. Linux only.
"""

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
import unembed
from unembed.geometry.space import Space, open_space
from unembed.indexes.batch import Asked, nearest_by_each
from unembed.indexes.exact import Measure

QUERIES = int(sys.argv[2]) if len(sys.argv) == 3 else 955
TOP = 20
SLOW = 50  # queries for gensim


def asked(head: unembed.Head, space: str) -> tuple[Space, np.ndarray, list[Measure]]:
    """Give queries with a fixed seed: as vectors of the space, and as measures."""
    geometry = open_space(head, space)
    known = np.flatnonzero(head.vocabulary.known_V)
    ids = np.random.default_rng(0).choice(known, (QUERIES, 3))
    placed = geometry.place(head.rows.decode(ids.ravel()))
    if geometry.kind.unit:
        placed /= np.linalg.norm(placed, axis=1, keepdims=True)
    placed = placed.reshape(QUERIES, 3, -1)
    vectors = placed[:, 0] - placed[:, 1] + placed[:, 2]
    return geometry, vectors, [geometry.measure(v, cosine=geometry.kind.unit) for v in vectors]


def unembed_answer(
    head: unembed.Head, space: str, *, two: bool = False
) -> Callable[[], np.ndarray]:
    _, _, measures = asked(head, space)
    wanted = [Asked(measures, TOP)]
    if two:
        wanted.append(Asked([Measure(each.query_D) for each in measures], 1))
    given = {"lengths_V": head.norms_V, "done": lambda *_: None}
    return lambda: nearest_by_each(head.rows, wanted, **given)[0][1]


def placed_blocks(head: unembed.Head, geometry: Space) -> Iterator[np.ndarray]:
    for start in range(0, head.rows.count, 8192):
        ids = np.arange(start, min(start + 8192, head.rows.count))
        placed = geometry.place(head.rows.decode(ids))
        if geometry.kind.unit:
            placed /= geometry.norms_V[ids, None]
        yield placed.astype(np.float32)


def faiss_answer(head: unembed.Head, space: str) -> Callable[[], np.ndarray]:
    import faiss

    geometry, vectors, _ = asked(head, space)
    flat = faiss.IndexFlatIP(head.rows.width)
    for placed in placed_blocks(head, geometry):
        flat.add(placed)
    queries = vectors.astype(np.float32)
    return lambda: flat.search(queries, TOP)[1]


def gensim_answer(head: unembed.Head, space: str) -> Callable[[], np.ndarray]:
    from gensim.models import KeyedVectors

    geometry, vectors, _ = asked(head, space)
    rows = KeyedVectors(head.rows.width, count=head.rows.count)
    start = 0
    for placed in placed_blocks(head, geometry):
        rows.vectors[start : start + len(placed)] = placed
        start += len(placed)
    rows.index_to_key = list(range(head.rows.count))
    rows.key_to_index = {id_: id_ for id_ in rows.index_to_key}
    rows.fill_norms()
    queries = vectors[:SLOW].astype(np.float32)
    return lambda: np.array(
        [[id_ for id_, _ in rows.similar_by_vector(query, topn=TOP)] for query in queries]
    )


def limit_answer(head: unembed.Head, _: str, *, bits: int) -> Callable[[], np.ndarray]:
    import torch

    kind, into = (torch.int8, torch.int32) if bits == 8 else (torch.bfloat16, torch.bfloat16)
    multiply = torch._int_mm if bits == 8 else torch.mm
    queries = torch.randint(-127, 127, (QUERIES, head.rows.width)).to(kind)
    rows = torch.randint(-127, 127, (head.rows.count, head.rows.width), dtype=torch.int8).to(kind)
    products = torch.empty(QUERIES * 2048, dtype=into)

    def run() -> np.ndarray:
        for start in range(0, len(rows), 2048):
            block = rows[start : start + 2048]
            out = products[: QUERIES * len(block)].view(QUERIES, len(block))
            multiply(queries, block.T, out=out)
        return np.empty((0, TOP))

    return run


MADE = {
    "limit, 8 bits": partial(limit_answer, bits=8),
    "limit, bfloat16": partial(limit_answer, bits=16),
    "unembed": unembed_answer,
    "unembed, two": partial(unembed_answer, two=True),
    "FAISS Flat": faiss_answer,
    "gensim": gensim_answer,
}


def serve(name: str, source: str, space: str) -> None:
    """Answer at each line of the input, in a process of its own."""
    run = MADE[name](unembed.open_head(source), space)
    for _ in sys.stdin:
        start = time.perf_counter()
        ids = run()
        seconds = time.perf_counter() - start
        fields = dict(
            line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines()
        )
        peak, mapped = (int(fields[key].split()[0]) / 976.6 for key in ("VmHWM", "RssFile"))
        print(json.dumps([seconds, peak, mapped, ids.tolist()]), flush=True)


def start(name: str, source: str, space: str) -> subprocess.Popen[str]:
    variables = {}
    if name == "FAISS Flat" and "avx512f" in Path("/proc/cpuinfo").read_text():
        variables["OPENBLAS_CORETYPE"] = "SkylakeX"
    return subprocess.Popen(
        [sys.executable, __file__, "--serve", name, source, space, str(QUERIES)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | variables,
    )


def turn(process: subprocess.Popen[str]) -> tuple[float, float, float, list[list[int]]]:
    if process.stdin is None or process.stdout is None:
        raise SystemExit("a contender has no pipes")
    process.stdin.write("\n")
    process.stdin.flush()
    seconds, peak, mapped, ids = json.loads(process.stdout.readline())
    return seconds, peak, mapped, ids


def check(source: str, space: str, ours: list[list[int]], theirs: list[list[int]]) -> int:
    """The same rows, but for scores that float32 does not tell apart; give how many differ."""
    head = unembed.open_head(source)
    _, _, measures = asked(head, space)
    differing = 0
    for measure, mine, other in zip(measures, ours, theirs, strict=False):
        scores = [measure.scores(head.rows, np.array(ids)) for ids in (mine, other)]
        if np.any(np.abs(scores[0] - scores[1]) > 1e-4 * np.abs(scores[0]).max()):
            raise SystemExit(f"another answers {other}, unembed {mine}")
        differing += mine != other
    return differing


def compare(source: str, space: str, runs: int) -> None:
    names = [name for name in MADE if name != "gensim" or space == "causal"]
    processes = {name: start(name, source, space) for name in names}
    for process in processes.values():  # the first answer loads and compiles
        turn(process)
    results = [{name: turn(processes[name]) for name in names} for _ in range(runs)]
    for process in processes.values():
        process.communicate()
    print(f"\n{source}, {space}")
    counts = {name: SLOW if name == "gensim" else QUERIES for name in names}
    for name in names:
        seconds = statistics.median(result[name][0] for result in results)
        peak, mapped, ids = results[-1][name][1:]
        ratio = statistics.median(
            counts[name] / result[name][0] * result["FAISS Flat"][0] / QUERIES for result in results
        )
        differing = check(source, space, results[-1]["unembed"][3], ids)
        print(
            f"  {name:15} {counts[name] / seconds:7.0f} queries/s   {ratio:5.2f} x FAISS   peak "
            f"{peak:5.0f} MB, {mapped:4.0f} MB of it mapped   {differing} in another order",
            flush=True,
        )


def main(runs: int) -> None:
    print(f"{os.cpu_count()} cores, {runs} interleaved runs, medians, {QUERIES} queries, top {TOP}")
    for source in ("demo", "demo-bytes"):
        for space in ("logit", "causal"):
            compare(source, space, runs)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--serve"]:
        QUERIES = int(sys.argv[5])
        serve(*sys.argv[2:5])
    else:
        main(int(sys.argv[1]) if len(sys.argv) > 1 else 7)
