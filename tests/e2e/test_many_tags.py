"""Many tags in one push: each is judged, and no program is started for each."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.team import Team

pytestmark = pytest.mark.e2e
COUNT = 600


@pytest.fixture
def crowd(armed: Team) -> Team:
    """A clone with :data:`COUNT` tags: unsigned, one signed object under many names, lightweight, hostile."""
    head, signed = armed.repo.git("rev-parse", "HEAD"), armed.tag()
    raw = armed.repo.git("cat-file", "tag", signed)
    stream: list[str] = []
    updates: list[str] = []
    for at in range(1, COUNT):
        name = f"v{2 + at // 50}.{at % 50}.9"
        if at % 3 == 0:
            stream.append(f"tag {name}\nfrom {head}\ntagger A <a@b.c> 1763800000 +0000\ndata 1\nx\n")
        else:
            updates.append(f"create refs/tags/{name} {signed if at % 3 == 1 else head}\n")
    armed.repo.git("fast-import", "--quiet", stdin="".join(stream).encode())
    forged = armed.repo.git("hash-object", "-t", "tag", "-w", "--stdin", stdin=raw.replace("Li", "La").encode())
    updates.append(f"create refs/tags/v99.0.0 {forged}\n")
    armed.repo.git("update-ref", "--stdin", stdin="".join(updates).encode())
    return armed


def test_all_are_judged_with_few_programs(crowd: Team, tmp_path: Path) -> None:
    folder, log = tmp_path / "bin", tmp_path / "calls"
    folder.mkdir()
    for program in ("git", "gpg", "ssh-keygen"):
        script = f'#!/bin/sh\necho {program} >> "{log}"\nexec {shutil.which(program)} "$@"\n'
        (folder / program).write_text(script)
        (folder / program).chmod(0o755)
    before = crowd.remote_refs()
    lines = crowd.repo.git("for-each-ref", f"--format=%(refname) %(objectname) %(refname) {'0' * 40}", "refs/tags/")
    done = subprocess.run(
        [sys.executable, "-I", "-m", "ptguard", "pre-push", "origin", "../remote.git"],
        input=(lines + "\n").encode(), capture_output=True, cwd=crowd.repo.path, check=False,
        env={**crowd.env, "PATH": f"{folder}:{os.environ['PATH']}"},
    )  # fmt: skip
    screen = done.stderr.decode()
    assert done.returncode == 1, screen[-2000:]
    assert screen.count("  refused\n") == COUNT and screen.count("  accepted\n") == 1
    for reason in ("unsigned", "name-mismatch", "lightweight", "bad-signature"):
        assert f"{reason}:" in screen
    assert len(log.read_text().split()) < 40, "a program for each tag"
    assert crowd.remote_refs() == before


def test_the_hook_too_refuses_them_all(crowd: Team) -> None:
    done = crowd.guard("--tags").refused("unsigned", "name-mismatch", "lightweight", "bad-signature")
    assert f"and {COUNT - 5} more" in done.screen
