"""Git's configuration and version as the user's own git tells them; asked at every commit, so without GitPython.

What judges does not ask here: :mod:`ptguard.gateways.git` reads the repository's own configuration only.
"""

import os
import re
from collections.abc import Mapping
from pathlib import Path

from ptguard.errors import GitError, ToolFailedError
from ptguard.gateways.process import Completed, run
from ptguard.text import sh, shown
from ptguard.value import value

_VERSION = re.compile(rb"git version (\d+)\.(\d+)")

HELD = "ptguard-hooks.gitconfig"
"""The file in a server's repository that sets core.hooksPath, included as long as the repository lies where it does."""

_NOT_THERE = 5
"""What ``git config --unset-all`` exits with where there is nothing to take away (git-config(1))."""


@value
class Entry:
    """One line of the configuration, in git's order; ``key`` as git spells it, ``value`` None: a key without ``=``.

    ``scope`` is git's word for where it stands: system, global, local, worktree or command.
    """

    key: str
    value: str | None
    scope: str

    @property
    def on(self) -> bool | None:
        """What git takes the value for where it wants a yes or a no (git_parse_maybe_bool); None: for neither."""
        word = "true" if self.value is None else self.value.lower()
        if word in ("true", "yes", "on"):
            return True
        if word in ("false", "no", "off", ""):
            return False
        return bool(int(word)) if re.fullmatch(r"[-+]?[0-9]{1,9}", word) else None


def entries(start: Path, pattern: str) -> tuple[Entry, ...]:
    """Give every entry whose key matches ``pattern`` (a POSIX regular expression), of every scope, in git's order.

    Raises:
        GitError: the configuration cannot be read.
        ToolMissingError: git is not installed.
    """
    done = _git(start, "config", "--null", "--show-scope", "--get-regexp", pattern)
    if done.returncode == 1:
        return ()
    if done.returncode != 0:
        raise GitError(f"git config failed: {_why(done)}")
    words = done.stdout.decode("utf-8", "surrogateescape").split("\0")[:-1]
    return tuple(_entry(scope, text) for scope, text in zip(words[::2], words[1::2], strict=True))


def _entry(scope: str, text: str) -> Entry:
    key, given, said = text.partition("\n")
    return Entry(key, said if given else None, scope)


def held_key(git_dir: Path) -> str:
    """Give the key that includes a file for the repository at ``git_dir`` as long as it lies there.

    Source: git-config(1), Conditional includes: the path is a pattern of wildmatch.
    """
    pattern = re.sub(r"[][*?\\]", r"\\\g<0>", os.fspath(git_dir.resolve()))
    return f"includeif.gitdir:{pattern}.path"


def includes_held(git_dir: Path, config: Mapping[str, tuple[str, ...]]) -> bool:
    """Tell whether ``config``, the own one of the repository at ``git_dir``, includes the file :data:`HELD` there."""
    return config.get(held_key(git_dir), ("",))[-1] == HELD and (git_dir / HELD).is_file()


def set_in_file(file: Path, key: str, text: str) -> None:
    """Make ``text`` the one value of ``key`` in the configuration file ``file``.

    Raises:
        ToolFailedError: git would not write it.
    """
    done = _git(file.parent, "config", "--file", os.fspath(file), "--replace-all", key, text)
    if done.returncode != 0:
        raise ToolFailedError(f"git config --file {shown(os.fspath(file))} {key} failed: {_why(done)}")


def set_local(start: Path, key: str, text: str) -> None:
    """Make ``text`` the one value of ``key`` in the clone's own configuration, which its work trees share.

    Raises:
        ToolFailedError: git would not write it.
    """
    _change(start, "--replace-all", key, text)


def unset_local(start: Path, key: str) -> None:
    """Take every value of ``key`` out of the clone's own configuration; one that it only includes stays.

    Raises:
        ToolFailedError: git would not write it.
    """
    _change(start, "--unset-all", key, fine=_NOT_THERE)


def unset_worktree(start: Path, key: str) -> None:
    """Take every value of ``key`` out of the configuration that the work tree at ``start`` has for itself.

    Source: git-worktree(1), CONFIGURATION FILE.

    Raises:
        ToolFailedError: git would not write it.
    """
    _change(start, "--unset-all", key, fine=_NOT_THERE, scope="--worktree")


def remove_local(start: Path, section: str) -> None:
    """Take a whole section out of the clone's own configuration, in one step.

    Raises:
        ToolFailedError: git would not write it.
    """
    _change(start, "--remove-section", section)


def version() -> tuple[int, int]:
    """Give the version of the git on PATH, the first two numbers; (0, 0) where it does not say.

    Raises:
        ToolMissingError: git is not installed.
    """
    found = _VERSION.match(run(["git", "version"]).stdout)
    return (int(found[1]), int(found[2])) if found else (0, 0)


def _change(start: Path, *args: str, fine: int = 0, scope: str = "--local") -> None:
    done = _git(start, "config", scope, *args)
    if done.returncode not in (0, fine):
        fix = sh("ls", "-ld", os.fspath(start)) + "   # it must be yours to write"
        raise ToolFailedError(f"git config {args[0]} {args[1]} failed: {_why(done)}", fix=fix)


def _git(start: Path, *args: str) -> Completed:
    env = {name: text for name, text in os.environ.items() if name != "GIT_CONFIG"}  # git config alone heeds that
    return run(["git", *args], env=env, cwd=start)


def _why(done: Completed) -> str:
    return shown((done.stderr.decode("utf-8", "backslashreplace").splitlines() or ["it said nothing"])[0])
