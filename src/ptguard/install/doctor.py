"""What is wrong with a guarded clone, each with the command that mends it."""

import gzip
import os
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from ptguard.errors import PtguardError
from ptguard.gateways.process import clean_env, run
from ptguard.gateways.repo import MIN_GIT
from ptguard.install.hookfile import HookFile, Kind, in_pre_commit_cache, render
from ptguard.install.managers import precommit_missing
from ptguard.install.state import State
from ptguard.text import sh, shown
from ptguard.value import value

MIN_GPG = (2, 2)
MIN_OPENSSH = (8, 2)
"""What git-config(1) asks for under ``gpg.ssh.program``: the first with all of ``ssh-keygen -Y``."""

_ARMOR_BUGS = "CVE-2025-68973"
_ARMOR_MENDED: Mapping[tuple[int, ...], tuple[int, ...]] = {(2, 2): (2, 2, 51), (2, 4): (2, 4, 9), (2, 5): (2, 5, 16)}
_DEBIAN_CHANGES = Path("/usr/share/doc/gpg/changelog.Debian.gz")
_INSTALL = "ptguard install"


@value
class Trouble:
    """Something wrong: what, and the command that mends it. ``grave`` is false where tags are judged all the same."""

    what: str
    fix: str
    grave: bool = True


def examine(state: State, changelog: Path = _DEBIAN_CHANGES) -> tuple[Trouble, ...]:
    """Give what is wrong with the clone's hooks, the guard's interpreter and the programs that the judging needs.

    ``changelog`` is where Debian says which bugs its gpg has mended. Programs are asked for their versions.
    """
    return (*_arming(state), *_leftovers(state), *_interpreter(state), *_git(), *_gpg(changelog), *_ssh())


def _arming(state: State) -> Iterator[Trouble]:
    brief = state.layout.brief
    seat, manager = state.seat, state.manager
    if state.armed:
        return
    if manager is not None:
        where = " and ".join(brief(file) for file, _ in manager.stanzas)
        why = f"the guard is not called from {where}" if where else "no hook runs as it is"
        what = f"{manager.name} has the pre-push hook, and {why}"
        yield Trouble(what, manager.remedy or f"{_INSTALL}   # it prints the lines to add")
    elif not state.runs:
        yield _not_executable(state, state.pre_push)
    elif seat.kind is Kind.GUARD:
        yield _not_executable(state, seat)
    elif seat is state.legacy and seat.kind is Kind.ABSENT:
        yield Trouble(f"the guard is lost: pre-commit has the hook, and {brief(seat.path)} is not there", _INSTALL)
    elif seat.kind is Kind.ABSENT:
        yield Trouble(f"no guard: there is no {brief(seat.path)}", _INSTALL)
    else:
        yield Trouble(f"no guard: {brief(seat.path)} is another hook", f"{_INSTALL}   # it keeps and runs that hook")


def _not_executable(state: State, hook: HookFile) -> Trouble:
    what = f"{state.layout.brief(hook.path)} is not executable, so it is skipped without a word"
    return Trouble(what, sh("chmod", "+x", os.fspath(hook.path)))


def _leftovers(state: State) -> Iterator[Trouble]:
    brief, old, chained = state.layout.brief, state.old, state.chained
    if old.kind is Kind.GUARD:
        what = f"{brief(old.path)} is the guard, renamed by another hook manager; nothing runs it"
        yield Trouble(what, sh("rm", os.fspath(old.path)) + f" && {_INSTALL}")
    elif old.kind is not Kind.ABSENT:
        what = f"{brief(old.path)} was renamed by another hook manager; nothing runs it"
        yield Trouble(what, sh("rm", os.fspath(old.path)) + "   # if it is not wanted", grave=False)
    if chained.kind is Kind.ABSENT:
        return
    if state.guard is None:
        what = f"{brief(chained.path)} is the hook that stood here before the guard; nothing runs it now"
        again = state.seat.kind in (Kind.ABSENT, Kind.GUARD)
        then = "runs it again; ptguard uninstall puts it back" if again else "runs the newer hook, keeps this one aside"
        yield Trouble(what, f"{_INSTALL}   # {then}")
    elif not chained.executable:
        what = f"{brief(chained.path)} is not executable, as it was before: it does not run"
        yield Trouble(what, sh("chmod", "+x", os.fspath(chained.path)) + "   # if it should", grave=False)


def _interpreter(state: State) -> Iterator[Trouble]:
    guard = state.guard
    if (missing := precommit_missing(state.layout)) and state.manager is None:
        what = f"pre-commit's configuration is here, but it is not installed for {', '.join(map(shown, missing))}"
        yield Trouble(what, _INSTALL, grave=False)
    if guard is None:
        return
    python = guard.python
    if python is None or not os.access(python, os.X_OK):
        gone = shown(os.fspath(python)) if python else "(none)"
        yield Trouble(f"the guard's interpreter is gone: {gone}; tags are refused or left to PATH", _INSTALL)
    elif in_pre_commit_cache(python):
        what = f"the guard's interpreter lies in pre-commit's cache, which can be cleaned away: {shown(str(python))}"
        yield Trouble(what, f"pip install ptguard && {_INSTALL}", grave=False)
    elif not _importable(python):
        yield Trouble(
            f"the guard's interpreter has no ptguard: {shown(str(python))}", f"pip install ptguard && {_INSTALL}"
        )
    elif guard.data != render(python, guard.brought):
        yield Trouble(f"{state.layout.brief(guard.path)} is not this version's guard", _INSTALL, grave=False)


def _importable(python: Path) -> bool:
    if os.fspath(python) == sys.executable:
        return True
    try:
        return run([python, "-I", "-c", "import ptguard"], env=clean_env()).returncode == 0
    except PtguardError:
        return False


def _version(program: str, option: str) -> tuple[tuple[int, ...], str] | Trouble:
    """Give a program's version as numbers and as it says it, or the trouble with it."""
    try:
        done = run([program, option])
    except PtguardError as error:
        return Trouble(error.message, error.fix or sh(program, option))
    lines = (done.stdout or done.stderr).decode("utf-8", "replace").splitlines()
    match = re.search(r"(\d+)\.(\d+)(?:\.(\d+))?", lines[0] if lines else "")
    if match is None:
        return Trouble(f"{program} does not say which version it is", sh(program, option))
    return tuple(int(n) for n in match.groups() if n is not None), match[0]


def _needed(program: str, option: str, least: tuple[int, ...], package: str) -> Iterator[Trouble]:
    found = _version(program, option)
    if isinstance(found, Trouble):
        yield found
    elif found[0] < least:
        wanted = ".".join(str(n) for n in least)
        yield Trouble(f"{program} is {found[1]}; {wanted} or later is needed", f"apt-get install --upgrade {package}")


def _git() -> Iterator[Trouble]:
    return _needed("git", "--version", MIN_GIT, "git")


def _ssh() -> Iterator[Trouble]:
    keygen = _present("ssh-keygen")
    if keygen is not None:
        yield keygen
    else:
        yield from _needed("ssh", "-V", MIN_OPENSSH, "openssh-client")  # ssh-keygen itself tells no version


def _present(program: str) -> Trouble | None:
    try:
        run([program, "-?"])
    except PtguardError as error:
        return Trouble(error.message, error.fix or f"install {program}")
    return None


def _gpg(changelog: Path) -> Iterator[Trouble]:
    yield from _needed("gpg", "--version", MIN_GPG, "gnupg")
    found = _version("gpg", "--version")
    if isinstance(found, Trouble) or found[0] >= (2, 6) or found[0] >= _ARMOR_MENDED.get(found[0][:2], (2, 6)):
        return
    if not _distribution_mended(changelog):
        yield Trouble(
            f"gpg {found[1]} may have the armor bugs CVE-2025-68972 and {_ARMOR_BUGS}, unless they were mended there",
            "apt-get install --only-upgrade gpg   # upstream: 2.2.51, 2.4.9, 2.5.16 or later",
            grave=False,
        )


def _distribution_mended(changelog: Path) -> bool:
    """Whether Debian's (or Ubuntu's) list of changes to the installed gpg names the bug; read up to 4 MB."""
    try:
        with gzip.open(changelog) as file:
            return _ARMOR_BUGS.encode() in file.read(1 << 22)
    except (OSError, EOFError):
        return False
