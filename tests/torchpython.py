"""Interpreters that have real torch, or real JAX, for what must be tried with them; the tests' own has neither.

They are those that PTGUARD_TORCH_PYTHON and PTGUARD_JAX_PYTHON name, else virtual environments below ``.cache/`` of the
checkout, made on first use (half a minute each) and kept. Workers that want one at the same time wait for the first.
"""

import fcntl
import os
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path

CACHE = Path(__file__).parents[1] / ".cache"

# As it was when pytest started: the fixture `env` takes away what a test must not see.
_ENVIRONMENT = dict(os.environ)


def torch_python() -> str:
    """Give the path of a Python that can import torch and numpy."""
    return _ENVIRONMENT.get("PTGUARD_TORCH_PYTHON") or made("torch==2.13.0", "numpy")


def jax_python() -> str:
    """Give the path of a Python that can import JAX."""
    return _ENVIRONMENT.get("PTGUARD_JAX_PYTHON") or made("jax==0.10.2")


@cache
def made(*requirements: str) -> str:
    name = requirements[0].replace("==", "-") + f"-python{sys.version_info[0]}.{sys.version_info[1]}"
    folder, python = CACHE / name, CACHE / name / "bin" / "python"
    CACHE.mkdir(exist_ok=True)
    with (CACHE / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "ready").exists():
            _run(sys.executable, "-m", "venv", "--clear", str(folder))
            _run(str(python), "-m", "pip", "install", "-q", "--disable-pip-version-check", *requirements)
            (folder / "ready").touch()
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
