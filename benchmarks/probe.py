"""What the probe of `ptguard smoke` costs on a processor, as ratios within one run to importing torch alone.

Run it with ``.venv/bin/python benchmarks/probe.py [--rounds N] [--torch PYTHON]``. The interpreter with torch is
$PTGUARD_TORCH_PYTHON, else the one that the tests make for themselves in ``.cache/``. Everything is run in turn
(A B C A B C …), so that a machine whose speed drifts favours nobody; medians are compared. Memory is the peak of the
largest process, compilers that torch starts included (getrusage(2), RUSAGE_CHILDREN). The bounds in seconds and bytes
are those of docs/smoke.md, for two cores.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.torchpython import torch_python

from ptguard.smoke.launch import PROBE

# Runs a program with its standard input and tells seconds and peak memory; a process of its own for each, because
# RUSAGE_CHILDREN only ever grows.
_METER = """
import json, resource, subprocess, sys, time
start = time.perf_counter()
done = subprocess.run(sys.argv[2:], stdin=open(sys.argv[1], "rb"), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
seconds = time.perf_counter() - start
peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
json.dump({"seconds": seconds, "mib": peak / 1024, "exit": done.returncode, "out": done.stdout.decode()}, sys.stdout)
"""


@dataclass(frozen=True)
class Way:
    """What is run; ``seconds`` and ``mib`` are the most that it may take, None for the reference."""

    title: str
    words: tuple[str, ...]
    seconds: float | None = None
    mib: float | None = None


WAYS = (
    Way("python -c 'import torch'", ("-c", "import torch")),
    Way("the probe, quick", ("-", "n", "torch", "quick"), 15.0, 1500.0),
    Way("the probe, full", ("-", "n", "torch", "full"), 60.0, 1500.0),
)


def metered(python: str, way: Way) -> tuple[float, float]:
    """Give seconds and MiB of one run, which must end well; a probe must also pass."""
    with tempfile.TemporaryDirectory(prefix="ptguard-bench-") as folder:
        argv = [sys.executable, "-I", "-c", _METER, str(PROBE), python, *way.words]
        done = json.loads(subprocess.run(argv, cwd=folder, capture_output=True, text=True, check=True).stdout)
    failed = [c["id"] for c in json.loads(done["out"] or "{}").get("checks", []) if c["status"] == "failed"]
    if done["exit"] != 0 or failed:
        raise SystemExit(f"{way.title} ended with {done['exit']}, failed: {failed}")
    return done["seconds"], done["mib"]


def line(way: Way, runs: list[tuple[float, float]], reference: list[tuple[float, float]]) -> str:
    """Give a line with medians, and the median ratios to the reference of the same round."""
    seconds, mib = (statistics.median(column) for column in zip(*runs, strict=True))
    pairs = list(zip(runs, reference, strict=True))
    times, sizes = (statistics.median(a[i] / b[i] for a, b in pairs) for i in (0, 1))
    text = f"{way.title:<28} {seconds:7.2f} s {mib:7.0f} MiB   {times:5.1f} times, {sizes:4.1f} times the memory"
    if way.seconds is None or way.mib is None:
        return text
    within = "within" if seconds <= way.seconds and mib <= way.mib else "OVER"
    return f"{text}   ({within} {way.seconds:.0f} s, {way.mib:.0f} MiB)"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--torch", metavar="PYTHON")
    arguments = parser.parse_args()
    python = arguments.torch or torch_python()
    metered(python, WAYS[0])  # the disk's cache
    rounds = [[metered(python, way) for way in WAYS] for _ in range(arguments.rounds)]
    print(f"{os.uname().machine}, {os.cpu_count()} cores, {arguments.rounds} rounds")
    for index, way in enumerate(WAYS):
        print(line(way, [one[index] for one in rounds], [one[0] for one in rounds]))


if __name__ == "__main__":
    main()
