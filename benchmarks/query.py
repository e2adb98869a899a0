"""One exact query in process, against FAISS, numpy, torch and gensim with their best kernels.

    OPENBLAS_CORETYPE=SkylakeX python benchmarks/query.py [RUNS]

(The variable gives FAISS's own BLAS its best kernel on processors with AVX-512.)

On both demo heads and on a made one of 128,256 x 4,096 in bf16 (the shape of Llama 3 8B). All
answer the same question in turn: the twenty rows with the largest product, or the largest cosine in
a space. Float32 rivals hold rows that are placed in the space already, at norm 1 for a cosine,
which costs them memory but no time. Answers are checked equal. The limit is the time to read the
rows' bytes once, by all cores.
"""

import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from pathlib import Path

import faiss
import numpy as np
import torch
import unembed
from unembed.geometry.space import open_space
from unembed.indexes import exact

TOP = 20
QUESTION = "king - man + woman"
RIVALS = ("FAISS Flat", "numpy", "torch", *(("gensim",) if find_spec("gensim") else ()))
Answer = np.ndarray


def limit(codes: np.ndarray) -> Callable[[], None]:
    """Read the bytes once, in a part for each core."""
    words = codes.reshape(-1).view(np.uint64)
    parts = np.array_split(words, os.cpu_count() or 1)
    threads = ThreadPoolExecutor(len(parts))
    return lambda: (list(threads.map(np.max, parts)), None)[1]


def rivals(placed: np.ndarray, query: np.ndarray) -> dict[str, Callable[[], Answer]]:
    """Give what users would run instead, on float32 rows whose product is the score."""
    flat = faiss.IndexFlatIP(placed.shape[1])
    flat.add(placed)
    tensor, vector = torch.from_numpy(placed), torch.from_numpy(query)

    def by_numpy() -> Answer:
        scores = placed @ query
        best = np.argpartition(-scores, TOP)[:TOP]
        return best[np.argsort(-scores[best])]

    def by_torch() -> Answer:
        return (tensor @ vector).topk(TOP).indices.numpy()

    found = {
        "FAISS Flat": lambda: flat.search(query[None], TOP)[1][0],
        "numpy": by_numpy,
        "torch": by_torch,
    }
    if "gensim" not in RIVALS:
        return found
    from gensim.models import KeyedVectors

    vectors = KeyedVectors(placed.shape[1])
    vectors.index_to_key = range(len(placed))
    vectors.key_to_index = {}
    vectors.vectors = placed
    vectors.norms = np.ones(len(placed), dtype=np.float32)
    found["gensim"] = lambda: np.array(
        [key for key, _ in vectors.similar_by_vector(query, topn=TOP)]
    )
    return found


def measure(head: unembed.Head, runs: int) -> None:
    known = np.flatnonzero(head.vocabulary.known_V)
    among = None if len(known) == head.rows.count else known
    print(f"\n{head!r}, {head.rows.codes_VD.nbytes / 1e6:,.0f} MB")
    print(header())
    for space in ("logit", "cosine", "centred", "causal"):
        geometry = open_space(head, space)
        concept = head.concept(QUESTION, space=space)
        asked = geometry.measure(concept.vector_D, cosine=geometry.kind.unit)
        placed = np.empty((len(known), head.rows.width), dtype=np.float32)
        for start in range(0, len(known), 8192):
            block = geometry.place(head.rows.decode(known[start : start + 8192]))
            if geometry.kind.unit:
                block /= geometry.norms_V[known[start : start + 8192], None]
            placed[start : start + 8192] = block
        unit = (concept.vector_D / np.linalg.norm(concept.vector_D)).astype(np.float32)

        def ours(asked: exact.Measure = asked) -> Answer:
            (proposal,) = exact.propose(head.index, [asked], TOP, among_N=among)
            return exact.nearest(head.index, head.rows, asked, proposal, TOP)[1]

        contenders: dict[str, Callable[[], object]] = {
            "read once": limit(head.rows.codes_VD),
            "unembed": ours,
            "whole call": lambda c=concept, s=space: head.nearest(c, space=s, top=TOP),
            **rivals(placed, unit),
        }
        best = ours()
        for name in RIVALS:
            check(name, known[contenders[name]()], best, asked, head)
        print(line(space, interleaved(contenders, runs)), flush=True)


def header() -> str:
    """Give the head of the table, a column for each name in `line`."""
    names = ["space", "read once", "unembed", "of the limit", "whole call"]
    for name in RIVALS:
        names += [name, "faster"]
    return f"| {' | '.join(names)} |\n{'|---' * len(names)}|"


def line(space: str, times: dict[str, float]) -> str:
    """Give a space's row of the table."""
    ours, limited = times["unembed"], times["read once"]
    cells = [f"`{space}`", f"{limited:.2f} ms", f"{ours:.2f} ms", f"{ours / limited:.2f}"]
    cells.append(f"{times['whole call']:.2f} ms")
    for name in RIVALS:
        cells += [f"{times[name]:.2f} ms", f"{times[name] / ours:.1f} x"]
    return f"| {' | '.join(cells)} |"


def check(
    name: str, theirs: Answer, ours: Answer, asked: exact.Measure, head: unembed.Head
) -> None:
    """The same rows, but for scores that float32 does not tell apart."""
    scores = [asked.scores(head.rows, np.asarray(ids, dtype=np.int64)) for ids in (theirs, ours)]
    if np.abs(scores[0] - scores[1]).max() > 1e-4 * np.abs(scores[1]).max():
        raise SystemExit(f"{name} answers {theirs}, unembed {ours}")


def interleaved(contenders: dict[str, Callable[[], object]], runs: int) -> dict[str, float]:
    """Run all in turn; give medians in milliseconds."""
    times: dict[str, list[float]] = {name: [] for name in contenders}
    for turn in range(runs + 2):
        for name, run in contenders.items():
            run()  # wakes its threads, which the last contender's put to sleep
            start = time.perf_counter()
            run()
            if turn > 1:  # the first turns warm the caches
                times[name].append(time.perf_counter() - start)
    return {name: statistics.median(of) * 1e3 for name, of in times.items()}


def made_head(directory: Path) -> unembed.Head:
    """Make a head of 128,256 x 4,096 in bf16, with the demo's words on its first rows."""
    from safetensors.torch import save_file

    demo = unembed.open_head("demo")
    generator = torch.Generator().manual_seed(0)
    rows = torch.empty(128_256, 4096, dtype=torch.bfloat16)
    spectrum = torch.linspace(2.0, 0.1, 4096)
    for start in range(0, len(rows), 8192):
        part = torch.randn(min(8192, len(rows) - start), 4096, generator=generator)
        rows[start : start + 8192] = (part * spectrum + 0.3).to(torch.bfloat16)
    save_file({"lm_head.weight": rows}, directory / "model.safetensors")
    (directory / "config.json").write_text('{"tie_word_embeddings": false}')
    source = json.loads((demo.path.parent / "tokenizer.json").read_text())
    vocab = source["model"]["vocab"]
    source["model"]["vocab"] = {token: id_ for token, id_ in vocab.items() if id_ < len(rows)}
    source["model"]["merges"] = []
    source["added_tokens"] = [t for t in source["added_tokens"] if t["id"] < len(rows)]
    (directory / "tokenizer.json").write_text(json.dumps(source))
    return unembed.open_head(directory)


def main(runs: int) -> None:
    print(f"{os.cpu_count()} cores, {runs} interleaved runs, medians, top {TOP} for {QUESTION!r}")
    for source in ("demo", "demo-bytes"):
        measure(unembed.open_head(source), runs)
    with tempfile.TemporaryDirectory() as directory:
        measure(made_head(Path(directory)), runs)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 15)
