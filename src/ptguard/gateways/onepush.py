"""Keeps a push from being judged twice, where the config hook has judged it and another hook of the push asks again.

Config hooks (git 2.54) and the hooks folder's hook are children of the one ``git push``, and all of them run. The guard
that is run as config hook hands on the process id of that push; what it said is noted in its folder, for that process
and those lines only. Whoever asks later counts as asked before only if that very process is above him, which no stale
note and no other push can be: a process is told by its id and the time at which it started (proc(5), stat). Where there
is no /proc everybody judges for himself.
"""

import hashlib
import os
from contextlib import suppress
from pathlib import Path

from ptguard.errors import ExitCode
from ptguard.gateways.ancestors import ancestors

PUSH = "PTGUARD_PUSH"
"""The environment variable by which ``hooks/pre-push`` hands on the process id of the push."""
NOTE = "judged"
"""The file beside the guard in which it is noted."""
_FOLDER = "ptguard"
_DEEP = 64


def remember(code: ExitCode, *pushed: bytes) -> None:
    """Note what was said of a push, where this is the config hook; ``pushed`` is what makes it that push."""
    push = os.environ.get(PUSH, "")
    folder = _common_dir() / _FOLDER
    if not push or not folder.is_dir():
        return
    for pid, start in ancestors(_DEEP):
        if pid == push:
            with suppress(OSError):  # a disk that is full: then it is judged twice
                (folder / NOTE).write_text(f"{pid} {start} {_digest(pushed)} {int(code)}\n", "ascii")


def said_before(*pushed: bytes) -> ExitCode | None:
    """Give what the config hook has said of this push a moment ago; None: it has not been asked."""
    if os.environ.get(PUSH):
        return None
    try:
        pid, start, digest, code = (_common_dir() / _FOLDER / NOTE).read_text("ascii").split()
        said = ExitCode(int(code))
    except (OSError, ValueError):
        return None
    return said if digest == _digest(pushed) and (pid, start) in ancestors(_DEEP) else None


def _digest(pushed: tuple[bytes, ...]) -> str:
    return hashlib.sha256(b"\0".join(pushed)).hexdigest()


def _common_dir() -> Path:
    """Give the folder that git's work trees share, as a hook finds it: no program is started for this."""
    git_dir = Path(os.environ.get("GIT_DIR") or ".git")
    with suppress(OSError, ValueError):
        if git_dir.is_file():
            git_dir = git_dir.parent / git_dir.read_text("utf-8").removeprefix("gitdir: ").removesuffix("\n")
        return git_dir / (git_dir / "commondir").read_text("utf-8").strip()
    return git_dir
