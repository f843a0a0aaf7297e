"""The guard in a server's repository: put in, looked at, taken out.

What stands there already is kept and runs after the guard. Gitea and Forgejo run every file of
``hooks/pre-receive.d``, GitLab (Gitaly) those of ``custom_hooks/pre-receive.d``; anywhere else git runs
``hooks/pre-receive`` itself.
"""

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Final

from ptguard.errors import PtguardError, UsageError
from ptguard.gateways.files import write_whole
from ptguard.gateways.git import Git
from ptguard.gateways.gitconfig import set_local
from ptguard.install.held import hold, holds, let_go
from ptguard.install.hookfile import filled, python_of
from ptguard.install.owner import folder_of, give_back
from ptguard.install.trouble import Trouble
from ptguard.model import BRANCH_PREFIX
from ptguard.text import sh, shown
from ptguard.value import value

PRE_RECEIVE: Final = "pre-receive"
TRANSACTION: Final = "reference-transaction"
_CHAINED: Final = ".ptguard-chained"
_MAX_HOOK: Final = 1 << 20
_FOLDER: Final = re.compile(rb"\.d[\"']?/")


class Place(StrEnum):
    """Whose folders a repository on a server has."""

    BARE = "bare"
    GITEA = "gitea"
    GITLAB = "gitlab"


@value
class Seat:
    """Where one hook goes and what stands there: ``text`` None is nothing. ``chained``: where a foreign one is kept."""

    name: str
    path: Path
    text: bytes | None
    executable: bool

    @property
    def chained(self) -> Path:
        """Where a hook of someone else is kept, and run from by the guard."""
        return self.path.with_name(self.path.name + _CHAINED)

    @property
    def guard(self) -> bool:
        """Whether the guard stands there."""
        return self.text is not None and f"# ptguard {self.name} guard".encode() in self.text[:200]

    @property
    def python(self) -> Path | None:
        """The interpreter that the guard names."""
        return python_of(self.text) if self.guard and self.text is not None else None


@value
class Server:
    """A repository on a server as it is now.

    ``branch``: the trust branch, None where none can be told; ``named``: the configuration says so. ``branches``: all
    that have a commit. ``held``: git is held to the repository's own hooks.
    """

    git_dir: Path
    place: Place
    seats: tuple[Seat, ...]
    branch: str | None
    named: bool
    branches: frozenset[str]
    held: bool

    @property
    def armed(self) -> bool:
        """Whether every push of a tag is judged here."""
        return not any(trouble.grave for trouble in self.troubles())

    def troubles(self) -> Iterator[Trouble]:
        """Give what is wrong here."""
        again = sh("ptguard", "install", "--server", os.fspath(self.git_dir))
        for seat in self.seats:
            yield from _troubles(seat, again)
        if self.place is not Place.GITLAB and not self.held:
            yield Trouble("core.hooksPath does not hold git to the repository's own hooks", again)
        if self.place is Place.GITEA and not _runs_the_folder(self.git_dir / "hooks" / PRE_RECEIVE):
            bare = sh("ptguard", "install", "--server", os.fspath(self.git_dir), "--layout", "bare")
            yield Trouble(f"hooks/{PRE_RECEIVE} is no script that runs those of {PRE_RECEIVE}.d", bare)
        if not self.named:
            yield Trouble("git config ptguard.trustBranch is not set: it follows HEAD", again, grave=False)


def _troubles(seat: Seat, again: str) -> Iterator[Trouble]:
    path, grave = shown(os.fspath(seat.path)), seat.name == PRE_RECEIVE
    if not seat.guard:
        yield Trouble(f"there is no {path}" if seat.text is None else f"{path} is not the guard", again, grave)
        return
    if not seat.executable:
        yield Trouble(f"{path} is not executable, so git skips it", sh("chmod", "+x", os.fspath(seat.path)), grave)
    if seat.name == PRE_RECEIVE and not (seat.python and os.access(seat.python, os.X_OK)):
        gone = shown(os.fspath(seat.python)) if seat.python else "(none)"
        yield Trouble(f"the guard's interpreter is gone: {gone}; tags are refused", again)
    elif seat.text != _text(seat.name, seat.python or Path("/")):
        yield Trouble(f"{path} is not this version's guard", again, grave=False)


def _text(name: str, python: Path) -> bytes:
    return filled(f"hooks/{name}", python)


def look(start: Path, place: Place | None = None, command: str = "install") -> Server:
    """Look at the repository on a server that ``start`` is; ``place`` None: whose folders it has is found out.

    ``command`` is what is wanted of it, for the mending words.

    Raises:
        UsageError: it is no repository.
    """
    folder = folder_of(start, command)
    with Git.open(folder) as git:
        config, head = git.local_config(), git.head_branch()
        branches = frozenset(git.refs(BRANCH_PREFIX))
    place = place or _place_of(folder, config)
    named = config.get("ptguard.trustbranch", ("",))[-1].strip()
    return Server(
        folder,
        place,
        tuple(_seat(name, path) for name, path in _paths(folder, place).items()),
        named or (head.removeprefix(BRANCH_PREFIX) if head in branches and head else None),
        bool(named),
        frozenset(ref.removeprefix(BRANCH_PREFIX) for ref in branches),
        holds(folder, config),
    )


def _place_of(folder: Path, config: Mapping[str, tuple[str, ...]]) -> Place:
    """Tell by what the hosts leave in a repository; Gitaly's has no folder for hooks before somebody makes it.

    A guard in the place of git's own hook is an administrator's word that nothing runs those of pre-receive.d.
    """
    if (folder / "hooks" / "pre-receive.d").is_dir() and not _seat(PRE_RECEIVE, folder / "hooks" / PRE_RECEIVE).guard:
        return Place.GITEA
    gitlab = (folder / "custom_hooks").is_dir() or "gitlab.fullpath" in config or "@hashed" in folder.parts
    return Place.GITLAB if gitlab else Place.BARE


def _runs_the_folder(hook: Path) -> bool:
    """Tell whether git's own hook runs what lies in the folder of its name, as Gitea's and Forgejo's does."""
    try:
        return os.access(hook, os.X_OK) and _FOLDER.search(hook.read_bytes()[:_MAX_HOOK]) is not None
    except OSError:
        return False


def _paths(folder: Path, place: Place) -> dict[str, Path]:
    """Give where each hook goes; Gitaly runs no reference-transaction hook of others (its custom hooks page)."""
    match place:
        case Place.GITLAB:
            return {PRE_RECEIVE: folder / "custom_hooks" / "pre-receive.d" / "ptguard"}
        case Place.GITEA:
            first = folder / "hooks" / "pre-receive.d" / "ptguard"
        case _:
            first = folder / "hooks" / PRE_RECEIVE
    return {PRE_RECEIVE: first, TRANSACTION: folder / "hooks" / TRANSACTION}


def _seat(name: str, path: Path) -> Seat:
    try:
        with path.open("rb") as file:
            text: bytes | None = file.read(_MAX_HOOK)
    except FileNotFoundError:
        text = b"" if path.is_symlink() else None
    except OSError:
        text = b""
    return Seat(name, path, text, os.access(path, os.X_OK))


def install(start: Path, python: Path, branch: str | None, place: Place | None) -> tuple[Server, tuple[str, ...]]:
    """Put the guard into a repository on a server; give it as it is then, and a line for each change.

    Raises:
        UsageError: it is no repository, or has no branch yet and ``branch`` names none.
        PtguardError: it cannot be written to.
    """
    server = look(start, place)
    trust = _trust(server, branch)
    _may_put(server)
    with _said(server.git_dir):
        said = [line for seat in server.seats for line in _put(seat, python)]
        said += [line for seat in _strays(server) for line in _take(seat)]
    if branch or not server.named:
        set_local(server.git_dir, "ptguard.trustBranch", trust)
        said.append(f"the policy is that of the branch {shown(trust)}: git config ptguard.trustBranch")
    if server.place is not Place.GITLAB and not server.held:
        said += hold(server.git_dir)
    with _said(server.git_dir):
        give_back(server.git_dir)
    return look(start, place), tuple(said)


def _strays(server: Server) -> tuple[Seat, ...]:
    """Give the guards that stand where the repository of another host would have them."""
    here = {seat.path for seat in server.seats}
    every = {path: name for place in Place for name, path in _paths(server.git_dir, place).items()}
    seats = (_seat(name, path) for path, name in every.items() if path not in here)
    return tuple(seat for seat in seats if seat.guard)


def _trust(server: Server, branch: str | None) -> str:
    """Give the name of the trust branch: the one that is given, that is set, or that HEAD names."""
    again, some = sh("ptguard", "install", "--server", os.fspath(server.git_dir), "--branch"), sorted(server.branches)
    if branch and some and branch not in some:
        raise UsageError(
            f"there is no branch {shown(branch)} here, so whoever pushes it first would decide; "
            f"there is: {', '.join(shown(name) for name in some[:5])}",
            fix=f"{again} {sh(some[0])}",
        )
    if (trust := branch or server.branch) is not None:
        return trust
    if some:
        what = "HEAD names no branch that has a commit"
        raise UsageError(f"{what}, so it is not known whose policy is to be trusted", fix=f"{again} {sh(some[0])}")
    raise UsageError(
        "the repository has no branch yet, so it is not known whose policy is to be trusted", fix=f"{again} main"
    )


def _may_put(server: Server) -> None:
    """Refuse where the guard would get into other repositories too, or a hook would be lost."""
    hooks = server.git_dir / "hooks"
    if server.place is not Place.GITLAB and hooks.is_symlink():
        path, copy = os.fspath(hooks), os.fspath(hooks.with_name("hooks.own"))
        raise UsageError(
            f"{shown(path)} is a link to {shown(os.fspath(hooks.resolve()))}, which other repositories may share",
            fix=f"{sh('cp', '-RL', path, copy)} && {sh('rm', path)} && {sh('mv', copy, path)}   # then again",
        )
    for seat in server.seats:
        if seat.text is not None and not seat.guard and os.path.lexists(seat.chained):
            here, kept = os.fspath(seat.path), os.fspath(seat.chained)
            raise UsageError(
                f"{shown(here)} is not the guard, and the hook that the guard runs beside it is {shown(kept)}: "
                "one of the two has to go",
                fix=f"{sh('rm', kept)}   # or: {sh('rm', here)}; then again",
            )


def _put(seat: Seat, python: Path) -> Iterator[str]:
    text, path = _text(seat.name, python), shown(os.fspath(seat.path))
    if seat.text == text and seat.executable:
        return
    seat.path.parent.mkdir(parents=True, exist_ok=True)
    if seat.text is not None and not seat.guard:
        seat.path.replace(seat.chained)
        yield f"moved {path} to {seat.chained.name}, where the guard runs it"
    write_whole(seat.path, text, 0o755)
    yield f"wrote {path}"


def uninstall(start: Path, place: Place | None = None) -> tuple[str, ...]:
    """Take the guard out again and put back the hooks that it had kept; give a line for each change.

    Its receipts stay, that a policy has stood, and ptguard.trustBranch.

    Raises:
        UsageError: it is no repository.
        PtguardError: it cannot be written to.
    """
    server = look(start, place, "uninstall")
    with _said(server.git_dir):
        said = [line for seat in (*server.seats, *_strays(server)) if seat.guard for line in _take(seat)]
    said += let_go(server.git_dir)
    with _said(server.git_dir):
        give_back(server.git_dir)
    return tuple(said)


def _take(seat: Seat) -> Iterator[str]:
    path = shown(os.fspath(seat.path))
    if seat.chained.exists() or seat.chained.is_symlink():
        seat.chained.replace(seat.path)
        yield f"put back {path}"
    else:
        seat.path.unlink()
        yield f"removed {path}"


@contextmanager
def _said(git_dir: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        hooks = os.fspath(git_dir / "hooks")
        no_folder = os.path.lexists(hooks) and not Path(hooks).is_dir()
        raise PtguardError(
            f"the hooks of {shown(os.fspath(git_dir))} cannot be changed: {shown(error.strerror or str(error))}",
            fix=f"{sh('rm', hooks)}   # git looks for a folder there; then again"
            if no_folder
            else sh("ls", "-ld", os.fspath(git_dir), hooks) + "   # they must be yours to write",
        ) from error
