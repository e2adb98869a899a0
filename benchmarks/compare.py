"""Two heads beside each other, and the same by scipy and numpy: no test, run by hand.

Each in a process of its own: python benchmarks/compare.py 3
"""

import json
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from scipy.linalg import orthogonal_procrustes
from unembed import Head, open_head


def changed(name: str, place: Path) -> None:
    """Make a head of a demo's rows and some noise, in a directory of its name."""
    head = open_head(name)
    rows_VD = head.rows.decode(slice(None)).astype(np.float32)
    noise_VD = np.random.default_rng(0).standard_normal(rows_VD.shape, dtype=np.float32)
    rows_VD += 0.3 * rows_VD.std() * noise_VD
    directory = place / name
    directory.mkdir()
    save_file(
        {"model.embed_tokens.weight": torch.from_numpy(rows_VD).to(torch.bfloat16)},
        directory / "model.safetensors",
    )
    (directory / "config.json").write_text('{"tie_word_embeddings": true}')
    shutil.copy(head.vocabulary.path, directory / "tokenizer.json")


def rows_of(head: Head) -> np.ndarray:
    """Read rows as a script would."""
    if str(head.path).endswith(".safetensors"):
        return load_file(head.path)[head.tensor].float().numpy()
    raise SystemExit(f"{head.path} is no safetensors file")


def once(what: str, name: str, other: str) -> None:
    """Compare in this process; print what was found, the time and the peak of memory."""
    head, second = open_head(name), open_head(other)
    start = time.perf_counter()
    if what == "unembed":
        found = head.compare(second)
        answer = [found.alignment.residual, found.alignment.cka]
        answer.append(float(np.median(found.moves.aligned_N)))
    else:
        ids_N = np.flatnonzero(head.vocabulary.known_V)
        one_ND, other_ND = (rows_of(each)[ids_N] for each in (head, second))
        one_ND -= one_ND.mean(axis=0)
        other_ND -= other_ND.mean(axis=0)
        turn_DD, shared = orthogonal_procrustes(other_ND, one_ND)
        squares = [float(np.square(rows_ND).sum()) for rows_ND in (one_ND, other_ND)]
        cross = float(np.square(one_ND.T @ other_ND).sum())
        alike = [float(np.linalg.norm(rows_ND.T @ rows_ND)) for rows_ND in (one_ND, other_ND)]
        turned_ND = other_ND @ turn_DD
        lengths = np.linalg.norm(one_ND, axis=1) * np.linalg.norm(turned_ND, axis=1)
        cosines_N = (one_ND * turned_ND).sum(axis=1) / lengths
        answer = [1 - float(shared) ** 2 / (squares[0] * squares[1])]
        answer += [cross / (alike[0] * alike[1]), float(np.median(cosines_N))]
    took = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
    print(json.dumps({"answer": answer, "seconds": took, "peak": peak}))


def main() -> None:
    if len(sys.argv) > 3:
        what, name, given = sys.argv[1:]
        if what == "changed":
            changed(name, Path(given))
        else:
            once(what, name, given)
        return
    repeats = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    with tempfile.TemporaryDirectory() as place:
        for name in ("demo", "demo-bytes"):
            # A process begins with the peak of the one that starts it: this one must stay small.
            subprocess.run([sys.executable, __file__, "changed", name, place], check=True)
            other = str(Path(place, name))
            told: dict[str, list[dict[str, float]]] = {"unembed": [], "numpy": []}
            for turn in range(repeats + 1):
                for what, runs in told.items():
                    command = [sys.executable, __file__, what, name, other]
                    done = subprocess.run(command, capture_output=True, text=True, check=True)
                    if turn:  # the first makes what is kept
                        runs.append(json.loads(done.stdout))
            for what, runs in told.items():
                seconds = statistics.median(run["seconds"] for run in runs)
                peak = statistics.median(run["peak"] for run in runs)
                print(f"{name}: {what} {seconds:.1f} s, {peak:,.0f} MB; {runs[0]['answer']}")


if __name__ == "__main__":
    main()
