"""The processes above this one, by which a hook tells what it was started for (proc(5)); without /proc none."""

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

PROC = Path("/proc")


def ancestors(most: int, pid: int | None = None, proc: Path = PROC) -> Iterator[tuple[str, str]]:
    """Give (process id, time of its start) from ``pid`` (default: this one's parent) upward, at most ``most``."""
    above = str(os.getppid() if pid is None else pid)
    with suppress(OSError, IndexError):
        for _ in range(most):
            if above == "0":
                return
            fields = (proc / above / "stat").read_text("utf-8", "replace").rpartition(")")[2].split()
            yield above, fields[19]
            above = fields[1]
