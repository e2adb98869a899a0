"""Runs that are killed, in children of a process of its own: python killed.py HOW DIRECTORY ENDING.

Prints a line of JSON: how many were killed and where, and what was left.
"""

import json
import os
import random
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.compute
import pyarrow.parquet
from audited import Fake, records_of
from unembed.geometry.records import chunks
from unembed.geometry.runs.run import run

CALLS = ("fsync", "mkdir", "replace", "rmdir", "unlink")
chunks.CHUNK = 10
# What children would load each for themselves is loaded before they are made: pandas, by Arrow.
pyarrow.array(["sea"])


def child(output: str, prepare: Callable[[], Any], *, records: int = 150) -> int:
    """Begin a run in a child; give the child's number."""
    process = os.fork()
    if process == 0:
        code = 1
        try:
            prepare()
            run(Fake(seconds=0.001), records_of(records), output, resume=True)
            code = 0
        finally:
            os._exit(code)
    return process


def end_of(process: int) -> bool:
    """Wait for a child; tell whether it was killed. Whatever else went wrong ends all."""
    code = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
    if code not in (0, -signal.SIGKILL):
        raise SystemExit(f"a run ended with {code}")
    return code != 0


def nothing() -> None:
    """Prepare nothing."""


def dying_at(count: int, *, after: bool) -> None:
    """Make this process die at its count-th call that changes the disk, before or after it."""
    calls = 0

    def changed(name: str) -> Callable[..., Any]:
        call = getattr(os, name)

        def counted(*given: Any, **options: Any) -> Any:
            nonlocal calls
            calls += 1
            if calls == count and not after:
                os.kill(os.getpid(), signal.SIGKILL)
            try:
                return call(*given, **options)
            finally:
                if calls == count:
                    os.kill(os.getpid(), signal.SIGKILL)

        return counted

    for name in CALLS:
        setattr(os, name, changed(name))


def everywhere(output: str) -> tuple[int, list[bytes]]:
    """Kill a run before and after each of its calls, then let another end it."""
    ends = []
    for after in (False, True):
        count = 1
        while end_of(child(output, lambda: dying_at(count, after=after), records=15)):  # noqa: B023
            end_of(child(output, nothing, records=15))
            ends.append(Path(output).read_bytes())
            Path(output).unlink()
            count += 1
    return len(ends), ends


def randomly(output: str) -> tuple[int, list[bytes]]:
    """Kill 50 runs at random moments, each begun where the last was killed."""
    chance = random.Random(5)  # noqa: S311
    started = time.monotonic()
    end_of(child(output, nothing))
    whole = time.monotonic() - started
    killed, ends = 0, []
    while killed < 50:
        Path(output).unlink(missing_ok=True)
        is_killed = True
        while is_killed:
            # A run goes on from what is kept, so it is shorter each time.
            share = chance.uniform(0, 1.1) * chance.choice((1, 0.3))
            process = child(output, nothing)
            time.sleep(share * whole)
            os.kill(process, signal.SIGKILL)
            is_killed = end_of(process)
            killed += is_killed
        ends.append(Path(output).read_bytes())
    return killed, ends


def main(how: str, directory: str, ending: str) -> None:
    """Run undisturbed, then killed; compare."""
    clean, output = f"{directory}/clean{ending}", f"{directory}/found{ending}"
    kill, records = (everywhere, 15) if how == "everywhere" else (randomly, 150)
    end_of(child(clean, nothing, records=records))
    killed, ends = kill(output)
    same = sum(end == Path(clean).read_bytes() for end in ends)
    left = sorted(path.name for path in Path(directory).iterdir())
    print(json.dumps({"killed": killed, "ended": len(ends), "same": same, "left": left}))  # noqa: T201


main(*sys.argv[1:])
