"""A repository on a server whose git is held to its own hooks, whatever a pusher or the system has configured.

By core.hooksPath, in a file that is included only as long as the repository lies where it does (git-config(1),
Conditional includes). After a move an absolute path set for good would lead git to no hooks at all, and a relative one
leads ``git checkout`` into whatever was pushed.
"""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from ptguard.gateways.git import Git
from ptguard.gateways.gitconfig import (
    HELD,
    entries,
    held_key,
    includes_held,
    set_in_file,
    set_local,
    unset_local,
    unset_worktree,
)
from ptguard.text import shown

_KEY = "core.hooksPath"
_PATTERN = r"^core\.hookspath$"


def holds(folder: Path, config: Mapping[str, tuple[str, ...]]) -> bool:
    """Tell whether git is held to the hooks of the repository at ``folder``, whose own configuration is ``config``."""
    if _KEY.lower() in config or not includes_held(folder, config):
        return False
    found = entries(folder, _PATTERN)  # a work tree's own configuration (config.worktree) has the last word
    said = found[-1].value if found else None
    return said is not None and Path(said).resolve() == (folder / "hooks").resolve()


def hold(folder: Path) -> Iterator[str]:
    """Hold git to the hooks of the repository at ``folder``; give a line for each change.

    Raises:
        ToolFailedError: git would not write it.
    """
    left, hooks = _left_behind(folder), os.fspath(folder / "hooks")
    yield from let_go(folder)
    for entry in entries(folder, _PATTERN):
        if entry.scope == "worktree":
            unset_worktree(folder, _KEY)
            yield f"removed git config --worktree {_KEY} = {shown(entry.value or '')}"
    set_in_file(folder / HELD, _KEY, hooks)
    set_local(folder, held_key(folder), HELD)
    if left:
        names = ", ".join(shown(os.fspath(path)) for path in left[:5])
        yield f"no longer run here: {names}   # copy into {shown(hooks)} what is wanted, then install again"
    yield f"git is held to {shown(hooks)}: core.hooksPath in {HELD}"


def let_go(folder: Path) -> Iterator[str]:
    """Take away what holds git, also where the repository lay before; give a line for each change.

    Raises:
        ToolFailedError: git would not write it.
    """
    with Git.open(folder) as git:
        config = git.local_config()
    for key, values in config.items():
        if key.startswith("includeif.gitdir:") and values[-1] == HELD:
            unset_local(folder, key)  # --remove-section does not find a name with a backslash in it
            yield f"removed git config {shown(key)}"
    if _KEY.lower() in config:
        unset_local(folder, _KEY)
        yield f"removed git config {_KEY} = {shown(config[_KEY.lower()][-1])}"
    (folder / HELD).unlink(missing_ok=True)


def _left_behind(folder: Path) -> tuple[Path, ...]:
    """Give the hooks of another folder that git runs here as things stand."""
    found = entries(folder, _PATTERN)
    said = found[-1].value if found else None
    path = folder / Path(said).expanduser() if said else folder / "hooks"
    if path.resolve() == (folder / "hooks").resolve() or not path.is_dir():
        return ()
    return tuple(sorted(p for p in path.iterdir() if not p.suffix and p.is_file() and os.access(p, os.X_OK)))
