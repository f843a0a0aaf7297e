"""``PTGUARD_FUZZ_SECONDS=600 python -m tests.fuzz [TARGET …]``: every target in turn, anew each time, until time is up.

What fails is printed with the bytes that it fails at, made as small as can be; the exit code is then 1.
"""

import os
import secrets
import sys
import time
import traceback
from collections import Counter
from collections.abc import Sequence

import hypothesis
from hypothesis import HealthCheck, Phase, given, settings

from tests.fuzz.targets import QUICK, TARGETS

ROUND = {True: 400, False: 60}
"""How many examples of a target before the next one has its turn: of a quick one, and of one that starts programs."""


def main(names: Sequence[str], seconds: float) -> int:
    """Fuzz the targets ``names`` (none: all) for ``seconds``; give the exit code."""
    unknown = set(names) - TARGETS.keys()
    if unknown:
        sys.stderr.write(f"no such target: {', '.join(sorted(unknown))}; there are: {', '.join(TARGETS)}\n")
        return 2
    end, tried, failed = time.monotonic() + seconds, Counter[str](), Counter[str]()
    while time.monotonic() < end:
        for name in names or TARGETS:
            if time.monotonic() >= end or failed[name]:
                continue
            failed[name] += not one_round(name, tried, end)
        if failed.total() == len(names or TARGETS):
            break
    for name in names or TARGETS:
        sys.stdout.write(f"{tried[name]:>9}  {name}{'   FAILED' if failed[name] else ''}\n")
    sys.stdout.write(f"{tried.total():>9}  in {seconds:.0f} s\n")
    return 1 if failed.total() else 0


def one_round(name: str, tried: Counter[str], end: float) -> bool:
    """Try a target with fresh examples; give whether all went well."""
    start = secrets.randbits(64)

    @hypothesis.seed(start)
    @settings(
        max_examples=ROUND[name in QUICK],
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate, Phase.shrink],
        print_blob=False,
    )
    @given(TARGETS[name].examples)
    def hold(data: bytes) -> None:
        if time.monotonic() < end:
            tried[name] += 1
            TARGETS[name].check(data)

    try:
        hold()
    except Exception:  # whatever it is, it is what was looked for
        sys.stdout.write(f"{name} (seed {start}):\n{traceback.format_exc()}\n")
        return False
    return True


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], float(os.environ.get("PTGUARD_FUZZ_SECONDS", "60"))))
