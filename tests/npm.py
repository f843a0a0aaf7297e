"""lefthook and husky from npm, the real ones, in one folder below ``.cache/`` of the checkout; fetched on first use."""

import fcntl
import os
import subprocess
from functools import cache
from pathlib import Path

import pytest

from tests.newgit import first_on_path
from tests.support import Repo, run

LEFTHOOK, HUSKY = "lefthook@2.2.2", "husky@9.1.7"
CACHE = Path(__file__).parents[1] / ".cache"

# As it was when pytest started: npm may need the proxy and the registry that it names.
_ENVIRONMENT = dict(os.environ)


@cache
def programs() -> Path:
    """Give the folder in which the two programs lie."""
    folder = CACHE / f"{LEFTHOOK}-{HUSKY}"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder.with_suffix(".lock")).open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "ready").exists():
            # Without their scripts: lefthook's own would install hooks into the repository around it.
            done = subprocess.run(
                ["npm", "install", "--ignore-scripts", "--no-audit", "--no-fund", "--prefix", folder, LEFTHOOK, HUSKY],
                env=_ENVIRONMENT, capture_output=True, text=True, timeout=600, check=False,
            )  # fmt: skip
            assert done.returncode == 0, done.stdout + done.stderr
            (folder / "ready").touch()
    return folder / "node_modules" / ".bin"


def lefthook(repo: Repo, monkeypatch: pytest.MonkeyPatch, config: str = "") -> None:
    """Install lefthook's hooks into the clone, with ``config`` (YAML) and a pre-push command that always passes."""
    first_on_path(programs(), repo.env, monkeypatch)
    if not (repo.path / "lefthook.yml").exists():
        repo.write("lefthook.yml", config or "pre-commit:\n  commands:\n    ok:\n      run: 'true'\n")
    run("lefthook", "install", "pre-push", cwd=repo.path, env=repo.env)


def husky(repo: Repo, monkeypatch: pytest.MonkeyPatch, script: str = "") -> None:
    """Install husky into the clone, with ``script`` as its pre-push script ("": none)."""
    first_on_path(programs(), repo.env, monkeypatch)
    run("husky", cwd=repo.path, env=repo.env)
    if script:
        repo.write(".husky/pre-push", script)
