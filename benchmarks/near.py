"""``unembed near`` as a whole process, against the same answer by torch and transformers.

    python benchmarks/near.py [RUNS]

In every space, warm: the two commands run in turn, so that a machine that slows down slows both;
answers are checked equal. Then the first use of a checkpoint, with an empty cache. Peak memory is
the kernel's: all resident pages, and the anonymous ones (private memory that no file backs),
sampled every 2 ms. Linux only.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from unembed import Head, open_head
from unembed.indexes.store import cache_directory

QUESTION = "sea + horse"
SPACES = ("causal", "centred", "cosine", "logit")
UNEMBED = Path(sys.executable).with_name("unembed")
TORCH = Path(__file__).with_name("torch_near.py")


@dataclass(frozen=True)
class Run:
    """One process: seconds, megabytes, and what it printed."""

    seconds: float
    resident: float
    anonymous: float
    output: str


def run(command: list[str], **variables: str) -> Run:
    with tempfile.TemporaryFile() as output:  # a pipe that is not read would fill and stop it
        start = time.perf_counter()
        process = subprocess.Popen(
            command, stdout=output, stderr=subprocess.DEVNULL, env=os.environ | variables
        )
        resident = anonymous = 0.0
        while process.poll() is None:
            fields = dict(
                line.split(":", 1)
                for line in Path(f"/proc/{process.pid}/status").read_text().splitlines()
            )
            resident = max(resident, kilobytes(fields.get("VmHWM")))
            anonymous = max(anonymous, kilobytes(fields.get("RssAnon")))
            time.sleep(0.002)
        seconds = time.perf_counter() - start
        if process.returncode:
            raise SystemExit(f"{command} failed")
        output.seek(0)
        return Run(seconds, resident / 1e3, anonymous / 1e3, output.read().decode())


def kilobytes(field: str | None) -> float:
    return float(field.split()[0]) * 1.024 if field else 0.0


def check_equal(ours: str, theirs: str) -> None:
    """The same tokens; the same order, but for scores that float32 does not tell apart."""
    near = {row["id"]: row["score"] for row in json.loads(ours)["neighbours"]}
    other = dict(json.loads(theirs))
    if set(near) != set(other) or any(abs(near[id_] - other[id_]) > 1e-4 for id_ in near):
        raise SystemExit(f"the answers differ:\n{ours}\n{theirs}")


def read_once(head: Head) -> float:
    """Milliseconds to read the rows' bytes once, warm: the limit of any exact search."""
    words = np.asarray(head.rows.codes_VD).reshape(-1).view(np.uint64)
    times = []
    for _ in range(7):
        start = time.perf_counter()
        words.max()
        times.append(time.perf_counter() - start)
    return min(times) * 1e3


def main(runs: int) -> None:
    print(f"{os.cpu_count()} cores, {runs} interleaved runs, medians; MB of 10^6 bytes")
    floor = [run([sys.executable, "-c", "import numpy, faiss"]) for _ in range(runs + 1)][1:]
    print(
        f"limit: a process that only imports numpy and faiss takes "
        f"{median(floor, 'seconds'):.3f} s and {median(floor, 'anonymous'):.0f} MB"
    )
    for name in ("demo", "demo-bytes"):
        head = open_head(name)
        size = head.rows.codes_VD.nbytes / 1e6
        limit = read_once(head)
        print(f"\n{head!r}: rows {size:.0f} MB, read once in {limit:.1f} ms")
        for space in SPACES:
            words = f"+ {QUESTION}".replace("+ ", "+").replace("- ", "-").split()
            commands = (
                [str(UNEMBED), "near", name, QUESTION, "--space", space, "--json"],
                [sys.executable, str(TORCH), str(head.path.parent), head.tensor, space, *words],
            )
            results: tuple[list[Run], list[Run]] = ([], [])
            for turn in range(runs + 1):
                for command, into in zip(commands, results, strict=True):
                    result = run(command)
                    if turn:  # the first turn warms the caches
                        into.append(result)
            for ours, theirs in zip(*results, strict=True):
                check_equal(ours.output, theirs.output)
            report(space, results, size)
        first_use(name, size)


def first_use(name: str, size: float) -> None:
    """Answer with nothing derived before; the demo itself is at hand."""
    for space in ("causal", "logit"):
        with tempfile.TemporaryDirectory() as cache:
            (Path(cache) / "unembed").mkdir()
            (Path(cache) / "unembed" / "demos").symlink_to(cache_directory() / "demos")
            command = [str(UNEMBED), "near", name, QUESTION, "--space", space, "--json"]
            first = run(command, XDG_CACHE_HOME=cache)
        print(
            f"  first use, {space}: {first.seconds:.2f} s, resident {first.resident:.0f} MB, "
            f"{first.resident / size:.2f} of the rows, private {first.anonymous:.0f} MB"
        )


def median(of: list[Run], field: str) -> float:
    return statistics.median(getattr(result, field) for result in of)


def report(space: str, results: tuple[list[Run], list[Run]], size: float) -> None:
    print(f"  {space}")
    for label, of in zip(("unembed", "torch"), results, strict=True):
        anonymous = median(of, "anonymous")
        print(
            f"    {label:8} {median(of, 'seconds'):6.3f} s   "
            f"resident {median(of, 'resident'):5.0f} MB   "
            f"private {anonymous:5.0f} MB, {anonymous / size:.2f} of the rows"
        )
    ratios = [b.seconds / a.seconds for a, b in zip(*results, strict=True)]
    memory = median(results[1], "anonymous") / median(results[0], "anonymous")
    print(
        f"    {statistics.median(ratios):.1f} times faster, {memory:.0f} times less private memory"
    )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 9)
