"""A repository as its user set it up: folders, configuration, remotes. For install, doctor, init and tag only.

This is the only importer of GitPython, and it imports it where it is used: that costs about 100 ms. Nothing here
judges: a verdict asks :mod:`ptguard.gateways.git`, which neither user nor repository can steer.
"""

import os
from pathlib import Path
from typing import TYPE_CHECKING

from ptguard.errors import GitError
from ptguard.gateways.process import missing, run
from ptguard.text import shown
from ptguard.value import value

if TYPE_CHECKING:
    import git

MIN_GIT = (2, 31)
"""The oldest git that answers all that is asked here (``rev-parse --path-format`` came with 2.31)."""

_LAYOUT = (
    "--path-format=absolute",
    "--git-dir",
    "--git-common-dir",
    "--git-path",
    "hooks",
    "--is-inside-work-tree",
    "--show-cdup",
)


@value
class Layout:
    """Where the parts of a clone lie; every path is absolute.

    ``hooks`` is the folder in which git looks for hooks now, ``default_hooks`` the one it uses when core.hooksPath
    is not set. ``top`` is the root of the work tree, None in a bare repository.
    """

    git_dir: Path
    common_dir: Path
    hooks: Path
    top: Path | None

    @property
    def default_hooks(self) -> Path:
        """The hooks folder that all work trees of the clone share."""
        return self.common_dir / "hooks"

    @property
    def bare(self) -> bool:
        """Whether this is a repository without a work tree of its own, as servers have them."""
        return self.top is None and self.common_dir.name != ".git"

    @property
    def hooks_elsewhere(self) -> bool:
        """Whether core.hooksPath leads git away from the clone's own hooks folder."""
        return self.hooks.resolve() != self.default_hooks.resolve()

    def brief(self, path: Path) -> str:
        """Give ``path`` as a reader knows it: from the root of the work tree where it lies there."""
        root = self.top or self.common_dir
        return shown(os.fspath(path.relative_to(root) if path.is_relative_to(root) else path))


def layout(start: Path) -> Layout:
    """Find the clone that ``start`` lies in, as git itself would (also a linked work tree or a submodule).

    Raises:
        UsageError: there is none, or git will not touch it.
        ToolMissingError: git is not installed.
    """
    # Without GitPython, which takes longer to import than a commit takes: this is asked at every commit.
    done = run(["git", "rev-parse", *_LAYOUT], env=dict(os.environ), cwd=start)
    lines = done.stdout.decode("utf-8", "surrogateescape").split("\n")
    if lines[3:4] == ["false"]:  # no work tree: the way up is empty, or not said at all
        lines = [*lines[:4], "", ""]
    if done.returncode != 0 or len(lines) != 6:
        old = f"git gave no folders (git {MIN_GIT[0]}.{MIN_GIT[1]} or later is needed)"
        why = (done.stderr.decode("utf-8", "backslashreplace").splitlines() or [old])[0]
        from ptguard.gateways.git import unreadable

        raise unreadable(why, done.stderr, "cd into the clone, or use -C DIR")
    git_dir, common_dir, hooks, inside, up, _ = lines
    top = Path(os.path.normpath(start.absolute() / up)) if inside == "true" else None
    return Layout(Path(git_dir), Path(common_dir), Path(hooks), top.resolve() if top else None)


@value
class Setting:
    """A configured value; ``scope`` is git's word for where it stands (system, global, local, worktree, command)."""

    value: str
    scope: str


@value
class RemoteInfo:
    """A configured remote: its name and the URL that it is fetched from, as git resolves it."""

    name: str
    url: str


class Repository:
    """The user's own view of a clone, through GitPython.

    Raises:
        ToolMissingError: git is not installed.
    """

    def __init__(self, start: Path) -> None:
        """Take the clone that ``start`` lies in; nothing is asked yet."""
        self._git = _gitpython(start)

    def config(self, key: str, *, path: bool = False) -> Setting | None:
        """Give the value of ``key`` that counts here, from every scope; ``path`` expands ``~/``. None: not set."""
        options = ["--null", "--show-scope", *(["--type=path"] if path else [])]
        answer = self._ask("config", *options, "--get", key)
        if answer is None:
            return None
        scope, _, value = answer.rstrip("\0").partition("\0")
        return Setting(value, scope)

    def remotes(self) -> tuple[RemoteInfo, ...]:
        """Give the configured remotes in git's order."""
        names = (self._ask("remote") or "").splitlines()
        urls = ((name, self._ask("remote", "get-url", "--", name)) for name in names)
        return tuple(RemoteInfo(name, url.strip()) for name, url in urls if url)

    def branch(self) -> str | None:
        """Give the short name of the branch that HEAD is on (also one without a commit); None when detached."""
        answer = self._ask("symbolic-ref", "--quiet", "--short", "HEAD")
        return answer.strip() if answer else None

    def default_branch(self, remote: str) -> str | None:
        """Give the short name of the remote's default branch as it was last fetched, or None."""
        answer = self._ask("symbolic-ref", "--quiet", f"refs/remotes/{remote}/HEAD")
        return answer.strip().removeprefix(f"refs/remotes/{remote}/") if answer else None

    def tracked(self, *paths: str) -> frozenset[str]:
        """Give those of ``paths`` (from the folder that this was opened in) that git follows or has been told to."""
        out = self._ask("ls-files", "-z", "--", *(f":(literal){path}" for path in paths)) if paths else None
        return frozenset((out or "").split("\0")) & frozenset(paths)

    def ignores(self, path: str) -> bool:
        """Tell whether a .gitignore keeps ``git add`` from taking ``path``."""
        return self._ask("check-ignore", "--", path) is not None

    def version(self) -> tuple[int, ...]:
        """Give git's version as numbers."""
        return tuple(self._git.version_info)

    def _ask(self, command: str, *args: str) -> str | None:
        """Give the standard output of a git command; None when it exits 1, which is git's way to say 'not there'."""
        from git.exc import GitCommandError, GitCommandNotFound

        try:
            out = self._git.execute(["git", command, *args], stdout_as_string=False, strip_newline_in_stdout=False)
        except GitCommandNotFound as error:
            raise missing("git") from error
        except GitCommandError as error:
            if error.status in (1, 2):
                return None
            said = str(error.stderr).strip().removeprefix("stderr: '").removesuffix("'")  # GitPython's own quotes
            lines = said.splitlines() or ["it said nothing"]
            raise GitError(f"git {command} failed: {shown(lines[-1])}") from error
        assert isinstance(out, bytes)  # noqa: S101 - what stdout_as_string=False promises
        return out.decode("utf-8", "surrogateescape")


def _gitpython(start: Path) -> "git.Git":
    try:
        import git
    except ImportError as error:  # GitPython refuses to be imported where there is no git
        raise missing("git") from error
    return git.Git(os.fspath(start))
