"""An interpreter that has real torch, for what must be tried with it; the tests' own has none.

It is the one that PTGUARD_TORCH_PYTHON names, else a virtual environment below ``.cache/`` of this checkout, made on
first use (half a minute) and kept. Workers that want it at the same time wait for the first.
"""

import fcntl
import os
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path

REQUIREMENTS = ("torch==2.13.0", "numpy")
CACHE = Path(__file__).parents[1] / ".cache"

# As it was when pytest started: the fixture `env` takes away what a test must not see.
_NAMED = os.environ.get("PTGUARD_TORCH_PYTHON")
_ENVIRONMENT = dict(os.environ)


@cache
def torch_python() -> str:
    """Give the path of a Python that can import torch and numpy."""
    if _NAMED:
        return _NAMED
    folder = CACHE / ("torch-" + REQUIREMENTS[0].rpartition("=")[2] + f"-{sys.version_info[0]}.{sys.version_info[1]}")
    python, ready = folder / "bin" / "python", folder / "ready"
    CACHE.mkdir(exist_ok=True)
    with folder.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not ready.exists():
            _run(sys.executable, "-m", "venv", "--clear", str(folder))
            _run(str(python), "-m", "pip", "install", "-q", "--disable-pip-version-check", *REQUIREMENTS)
            ready.touch()
    return str(python)


def _run(*argv: str) -> None:
    done = subprocess.run(argv, env=_ENVIRONMENT, capture_output=True, text=True, timeout=900, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{argv} ended with {done.returncode}\n{done.stdout}\n{done.stderr}")


def once(folder: Path, name: str, make: Callable[[], str]) -> str:
    """Give the text that ``make`` gives, made by the first worker that asks, for all of them.

    ``folder`` is pytest's base folder of this worker; the one above it belongs to the whole run.
    """
    shared = folder.parent if os.environ.get("PYTEST_XDIST_WORKER") else folder
    file = shared / name
    with (shared / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not file.exists():
            text = make()
            file.with_suffix(".new").write_text(text)
            file.with_suffix(".new").replace(file)
    return file.read_text()
