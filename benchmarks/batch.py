"""Many exact queries at once, against FAISS Flat with its best kernel.

    python benchmarks/batch.py [RUNS]

On both demo heads: the twenty rows of the largest logit, or of the largest cosine in the causal
space, for 955 queries of the form a - b + c. The contenders run in turn, each in a process of its
own that holds only what it needs, so that their peaks of memory can be told apart; FAISS's has
``OPENBLAS_CORETYPE=SkylakeX`` where the processor has AVX-512, and rows that are placed in the
space already, at norm 1 for a cosine. The limit is torch's product of the same rows and queries in
bfloat16, without any answer. Answers are checked equal, but for scores that float32 does not tell
apart. Linux only.
"""

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import unembed
from unembed.geometry.space import Space, open_space
from unembed.indexes.batch import nearest_each
from unembed.indexes.exact import Measure

QUERIES = 955
TOP = 20
CONTENDERS = ("limit", "unembed", "FAISS Flat")


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


def unembed_answer(head: unembed.Head, space: str) -> Callable[[], np.ndarray]:
    _, _, measures = asked(head, space)
    lengths = head.norms_V
    return lambda: nearest_each(head.rows, measures, TOP, lengths_V=lengths, done=lambda *_: None)[
        1
    ]


def faiss_answer(head: unembed.Head, space: str) -> Callable[[], np.ndarray]:
    import faiss

    geometry, vectors, _ = asked(head, space)
    flat = faiss.IndexFlatIP(head.rows.width)
    for start in range(0, head.rows.count, 8192):
        ids = np.arange(start, min(start + 8192, head.rows.count))
        placed = geometry.place(head.rows.decode(ids))
        if geometry.kind.unit:
            placed /= geometry.norms_V[ids, None]
        flat.add(placed.astype(np.float32))
    queries = vectors.astype(np.float32)
    return lambda: flat.search(queries, TOP)[1]


def limit_answer(head: unembed.Head, space: str) -> Callable[[], np.ndarray]:
    import torch

    _, _, measures = asked(head, space)
    queries = torch.from_numpy(np.array([m.query_D for m in measures])).to(torch.bfloat16)
    codes = torch.from_numpy(head.rows.codes_VD.copy())
    rows = codes.view(torch.bfloat16) if head.rows.dtype == "BF16" else codes.to(torch.bfloat16)

    def run() -> np.ndarray:
        for start in range(0, len(rows), 8192):
            queries @ rows[start : start + 8192].T
        return np.empty((0, TOP))

    return run


MADE = dict(zip(CONTENDERS, (limit_answer, unembed_answer, faiss_answer), strict=True))


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
        [sys.executable, __file__, "--serve", name, source, space],
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
    for measure, mine, other in zip(measures, ours, theirs, strict=True):
        scores = [measure.scores(head.rows, np.array(ids)) for ids in (mine, other)]
        if np.any(np.abs(scores[0] - scores[1]) > 1e-4 * np.abs(scores[0]).max()):
            raise SystemExit(f"FAISS answers {other}, unembed {mine}")
        differing += mine != other
    return differing


def compare(source: str, space: str, runs: int) -> None:
    processes = {name: start(name, source, space) for name in CONTENDERS}
    for process in processes.values():  # the first answer loads and compiles
        turn(process)
    results = [{name: turn(processes[name]) for name in CONTENDERS} for _ in range(runs)]
    for process in processes.values():
        process.communicate()
    differing = check(source, space, *(results[-1][name][3] for name in CONTENDERS[1:]))
    print(f"\n{source}, {space}: {differing} of {QUERIES} answers of FAISS in another order")
    for name in CONTENDERS:
        seconds = statistics.median(result[name][0] for result in results)
        peak, mapped = results[-1][name][1:3]
        ratio = statistics.median(result["FAISS Flat"][0] / result[name][0] for result in results)
        print(
            f"  {name:10} {QUERIES / seconds:7.0f} queries/s   {ratio:5.2f} x FAISS   "
            f"peak {peak:5.0f} MB, of which mapped files {mapped:4.0f} MB",
            flush=True,
        )


def main(runs: int) -> None:
    print(f"{os.cpu_count()} cores, {runs} interleaved runs, medians, top {TOP}")
    for source in ("demo", "demo-bytes"):
        for space in ("logit", "causal"):
            compare(source, space, runs)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--serve"]:
        serve(*sys.argv[2:5])
    else:
        main(int(sys.argv[1]) if len(sys.argv) > 1 else 7)
