"""The guard in a server's repository: put in, looked at, taken out.

What stands there already is kept and runs after the guard. Gitea and Forgejo run every file of
``hooks/pre-receive.d``, GitLab (Gitaly) those of ``custom_hooks/pre-receive.d``; anywhere else git runs
``hooks/pre-receive`` itself.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Final

from ptguard.errors import PtguardError, UsageError
from ptguard.gateways.files import write_whole
from ptguard.gateways.git import Git
from ptguard.gateways.gitconfig import set_local, unset_local
from ptguard.install.hookfile import filled, python_of
from ptguard.model import BRANCH_PREFIX
from ptguard.text import sh, shown
from ptguard.value import value

PRE_RECEIVE: Final = "pre-receive"
TRANSACTION: Final = "reference-transaction"
_CHAINED: Final = ".ptguard-chained"
_MAX_HOOK: Final = 1 << 20


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
class Trouble:
    """Something wrong on a server, the command that mends it; ``grave``: tags pass unjudged, or none does."""

    what: str
    fix: str
    grave: bool = True


@value
class Server:
    """A repository on a server as it is now.

    ``branch``: the trust branch, None where none can be told; ``named``: the configuration says so.
    """

    git_dir: Path
    place: Place
    seats: tuple[Seat, ...]
    branch: str | None
    named: bool
    hooks_path: str | None

    @property
    def armed(self) -> bool:
        """Whether every push of a tag is judged here."""
        return not any(trouble.grave for trouble in self.troubles())

    def troubles(self) -> Iterator[Trouble]:
        """Give what is wrong here."""
        again = sh("ptguard", "install", "--server", os.fspath(self.git_dir))
        for seat in self.seats:
            yield from _troubles(seat, again)
        if self.place is not Place.GITLAB and self.hooks_path != os.fspath(self.git_dir / "hooks"):
            yield Trouble("core.hooksPath does not hold git to the repository's own hooks", again)
        if not self.named:
            yield Trouble("git config ptguard.trustBranch is not set: it follows HEAD", again, grave=False)


def _troubles(seat: Seat, again: str) -> Iterator[Trouble]:
    path, grave = shown(os.fspath(seat.path)), seat.name == PRE_RECEIVE
    if not seat.guard:
        yield Trouble(f"{path} is not the guard", again, grave)
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


def look(start: Path, place: Place | None = None) -> Server:
    """Look at the repository on a server that ``start`` is; ``place`` None: whose folders it has is found out.

    Raises:
        UsageError: it is no repository.
    """
    with Git.open(start) as git:
        config, head, folder = git.local_config(), git.head_branch(), git.git_dir
        born = head if head is not None and head in git.refs(BRANCH_PREFIX) else None
    place = place or _place_of(folder)
    named = config.get("ptguard.trustbranch", ("",))[-1].strip()
    return Server(
        folder,
        place,
        tuple(_seat(name, path) for name, path in _paths(folder, place).items()),
        named or (born.removeprefix(BRANCH_PREFIX) if born else None),
        bool(named),
        config.get("core.hookspath", (None,))[-1],
    )


def _place_of(folder: Path) -> Place:
    if (folder / "hooks" / "pre-receive.d").is_dir():
        return Place.GITEA
    return Place.GITLAB if (folder / "custom_hooks").is_dir() else Place.BARE


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
    trust = branch or server.branch
    if trust is None:
        raise UsageError(
            "the repository has no branch yet, so it is not known whose policy is to be trusted",
            fix=sh("ptguard", "install", "--server", os.fspath(start), "--branch", "main"),
        )
    with _said(server.git_dir):
        said = [line for seat in server.seats for line in _put(seat, python)]
    if branch or not server.named:
        set_local(server.git_dir, "ptguard.trustBranch", trust)
        said.append(f"the policy is that of the branch {shown(trust)}: git config ptguard.trustBranch")
    hooks = os.fspath(server.git_dir / "hooks")
    if server.place is not Place.GITLAB and server.hooks_path != hooks:
        set_local(server.git_dir, "core.hooksPath", hooks)
        said.append(f"git is held to {shown(hooks)}: git config core.hooksPath")
    return look(start, place), tuple(said)


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
    server = look(start, place)
    with _said(server.git_dir):
        said = [line for seat in server.seats if seat.guard for line in _take(seat)]
    if server.hooks_path == os.fspath(server.git_dir / "hooks"):
        unset_local(server.git_dir, "core.hooksPath")
        said.append("removed git config core.hooksPath")
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
        raise PtguardError(
            f"the hooks of {shown(os.fspath(git_dir))} cannot be changed: {shown(error.strerror or str(error))}",
            fix=sh("ls", "-ld", os.fspath(git_dir), os.fspath(git_dir / "hooks")) + "   # they must be yours to write",
        ) from error
