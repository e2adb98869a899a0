"""A long audit end to end: records a second and peak memory, on both demo heads.

python benchmarks/audit.py [RECORDS]

The list has one word, a phrase of two and a made-up word in turn, so that few records are alike.
"""

import csv
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import unembed
from unembed.geometry.region import find_region


def write_list(path: Path, records: int) -> None:
    """Write a list of words of the demo head's vocabulary, with ids."""
    head = unembed.open_head("demo")
    ids_N = find_region(head, "words").ids_N[:60_000]
    words = [(head.vocabulary.text(int(id_)) or "").strip() for id_ in ids_N]
    drawn_N2 = np.random.default_rng(0).integers(len(words), size=(records, 2))
    with path.open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["id", "concept"])
        for place, (one, other) in enumerate(drawn_N2.tolist()):
            texts = (
                words[one],
                f"{words[one]} {words[other]}",
                f"{words[one]}{words[other].lower()}",
            )
            rows.writerow([place, texts[place % 3]])


def measure(source: str, listed: Path, options: list[str], records: int) -> None:
    """Run the command line once, and say how long it took and what it held."""
    with tempfile.TemporaryDirectory() as directory:
        output = Path(directory) / "found.parquet"
        command = [sys.executable, "-c", "from unembed.cli import main; main()"]
        command += ["audit", source, str(listed), "-o", str(output), *options]
        start = time.perf_counter()
        done = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        _, status, used = os.wait4(done.pid, 0)
        seconds = time.perf_counter() - start
        if status:
            raise SystemExit(f"{' '.join(command)}: {status}")
        print(
            f"{source:10}  {' '.join(options) or 'all tokens':14}  {records:9,} records  "
            f"{seconds:7.1f} s  {records / seconds:6.0f} records/s  "
            f"peak {used.ru_maxrss / 1024:6,.0f} MiB  processor {used.ru_utime:7.1f} s  "
            f"{output.stat().st_size / 2**20:6.1f} MiB out",
            flush=True,
        )


def memory(pid: int) -> tuple[int, int]:
    """Give what a process holds, and its proportional share of it, in KiB; 0 once it has ended."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except (OSError, ProcessLookupError):
        return 0, 0
    held = {line.split(":")[0]: line.split()[1] for line in lines[1:]}
    return int(held["Rss"]), int(held["Pss"])


def measure_sharing(source: str, listed: Path) -> None:
    """Run two audits at once, and compare what they hold with what it takes of the machine."""
    with tempfile.TemporaryDirectory() as directory:
        command = [sys.executable, "-c", "from unembed.cli import main; main()"]
        command += ["audit", source, str(listed), "-o"]
        both = [
            subprocess.Popen([*command, f"{directory}/{turn}.parquet"], stdout=subprocess.DEVNULL)
            for turn in range(2)
        ]
        most = (0, 0)
        while all(process.poll() is None for process in both):
            held = [memory(process.pid) for process in both]
            if all(rss for rss, _ in held):
                most = max(most, (sum(rss for rss, _ in held), sum(pss for _, pss in held)))
            time.sleep(0.2)
        if any(process.wait() for process in both):
            raise SystemExit("an audit failed")
        print(
            f"{source:10}  two at once: {most[0] / 1024:,.0f} MiB held, of which the machine gives "
            f"{most[1] / 1024:,.0f} MiB (PSS)",
            flush=True,
        )


def main() -> None:
    records = int(sys.argv[1]) if len(sys.argv) > 1 else 50_000
    with tempfile.TemporaryDirectory() as directory:
        listed = Path(directory) / "list.csv"
        write_list(listed, records)
        for source in ("demo", "demo-bytes"):
            unembed.open_head(source).audit(["sea"], region="emoji" if source == "demo" else None)
            for options in ([], ["--region", "emoji"]):
                measure(source, listed, options, records)
            measure_sharing(source, listed)
    own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(f"(the benchmark itself: {own / 1024:,.0f} MiB)")


if __name__ == "__main__":
    main()
