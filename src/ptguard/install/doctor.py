"""What is wrong with a guarded clone, each with the command that mends it when it is run as it stands."""

import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

from ptguard.errors import PtguardError
from ptguard.gateways.process import clean_env, run
from ptguard.install import stanza
from ptguard.install.confighook import ALL_KEY, COMMAND, COMMAND_KEY, ENABLED_KEY, EVENT_KEY, MIN_GIT
from ptguard.install.hookfile import HookFile, Kind, in_pre_commit_cache, render
from ptguard.install.managers import Manager, precommit_missing
from ptguard.install.state import State
from ptguard.install.tools import DEBIAN_CHANGES, examine_tools
from ptguard.install.trouble import Trouble
from ptguard.text import sh, shown

_INSTALL = "ptguard install"


def examine(state: State, changelog: Path = DEBIAN_CHANGES) -> tuple[Trouble, ...]:
    """Give what is wrong with the clone's hooks, the guard's interpreter and the programs that the judging needs.

    ``changelog`` is where Debian says which bugs its gpg has mended. Programs are asked for their versions.
    """
    return (*examine_hooks(state), *examine_tools(changelog))


def examine_hooks(state: State) -> tuple[Trouble, ...]:
    """Give what is wrong with the clone's hooks and the guard's interpreter."""
    return (*_arming(state), *_leftovers(state), *_interpreter(state))


# ------------------------------------------------------------------------------------------------ is it armed


def _arming(state: State) -> Iterator[Trouble]:
    config = state.config
    if config.listens and config.command is None:
        ends = (
            "git ends every push because of it" if config.fatal else "git 2.54 and later end every push because of it"
        )
        yield Trouble(f"{EVENT_KEY} is set and {COMMAND_KEY} is not: {ends}", _event_away(state), grave=config.fatal)
    if state.twice:
        other = state.hooks.guard
        where = state.layout.brief(other.path) if other else f"{state.manager.name if state.manager else 'a hook'}"
        what = f"the guard is armed twice, as config hook and by {where}; it judges once all the same"
        yield Trouble(what, _INSTALL, grave=False)
    if state.called or state.guard is not None:
        return
    if (wrong := _config_hook(state)) is not None:
        yield wrong
    elif state.manager is not None:
        yield _managed(state, state.manager)
    else:
        yield from _own_folder(state)


def _event_away(state: State) -> str:
    """Give what mends an event without a command: ``install``, where it stands in the clone's own configuration."""
    scope = next(e.scope for e in reversed(state.config.entries) if e.key == EVENT_KEY and e.value)
    return _INSTALL if scope == "local" else sh("git", "config", f"--{scope}", "--unset-all", EVENT_KEY)


def _config_hook(state: State) -> Trouble | None:
    """Say what keeps a config hook that somebody has put in from guarding; None: there is none, or git is too old."""
    config = state.config
    if state.manager is None or not config.supported or not config.listens or config.command is None:
        return None
    off, path = config.switched_off, state.layout.brief(config.guard.path)
    if off is not None and off.key == ALL_KEY:
        fix = sh("git", "config", f"--{off.scope}", "--unset-all", ALL_KEY)
        return Trouble(f"{ALL_KEY} is false: git runs no config hook at a push", fix)
    if off is not None:
        return Trouble(f"the guard's config hook is switched off: {ENABLED_KEY} is false ({off.scope})", _INSTALL)
    if config.command.value != COMMAND:
        return Trouble(f"{COMMAND_KEY} is not this version's guard: {shown(config.command.value or '', 80)}", _INSTALL)
    if config.guard.kind is Kind.ABSENT:
        return Trouble(f"the guard's config hook is there, and {path}, which it runs, is gone", _INSTALL)
    return Trouble(f"{path}, which the guard's config hook runs, is not the guard, or not executable", _INSTALL)


def _managed(state: State, manager: Manager) -> Trouble:
    """Say that the manager's hook does not call the guard, and how it comes to."""
    brief, config = state.layout.brief, state.config
    where = " and ".join(brief(file) for file, _ in manager.stanzas)
    why = f"the guard is not called from {where}" if where else "no hook runs as it is"
    what = f"{manager.name} has the pre-push hook, and {why}"
    if state.bypassed is not None and state.bypassed.guard is not None:
        what += f"; core.hooksPath leads git past the guard in {brief(state.bypassed.guard.path)}"
    if config.supported:
        return Trouble(what, f"{_INSTALL}   # as config hook; {manager.name} stays as it is")
    if config.listens and config.git is not None:
        git, least = (".".join(map(str, v)) for v in (config.git, MIN_GIT))
        what += f"; there is a config hook, which git {git} ignores ({least} or later is needed)"
    if not manager.stanzas:
        return Trouble(what, _hooks_path_away(state) or manager.remedy or _INSTALL)
    return Trouble(what, stanza.command(manager) or f"{_INSTALL} --check   # shows the lines to add by hand")


def _hooks_path_away(state: State) -> str | None:
    path, hooks = state.config.hooks_path, state.layout.hooks
    if path is None or path.scope == "command" or hooks.is_dir() or not hooks.exists():
        return None
    return sh("git", "config", f"--{path.scope}", "--unset-all", "core.hooksPath") + f" && {_INSTALL}"


def _own_folder(state: State) -> Iterator[Trouble]:
    brief, seat = state.layout.brief, state.seat
    if not state.runs:
        yield _not_executable(state, state.pre_push)
    elif seat.kind is Kind.GUARD:
        yield _not_executable(state, seat)
    elif seat is state.legacy and seat.kind is Kind.ABSENT:
        yield Trouble(f"the guard is lost: pre-commit has the hook, and {brief(seat.path)} is not there", _INSTALL)
    elif seat.kind is Kind.ABSENT:
        yield Trouble(f"no guard: there is no {brief(seat.path)}", _INSTALL)
    elif seat.dangles:
        yield Trouble(f"no guard: {brief(seat.path)} is a link that leads nowhere", _INSTALL)
    else:
        yield Trouble(f"no guard: {brief(seat.path)} is another hook", f"{_INSTALL}   # it keeps and runs that hook")


def _not_executable(state: State, hook: HookFile) -> Trouble:
    what = f"{state.layout.brief(hook.path)} is not executable, so it is skipped without a word"
    return Trouble(what, sh("chmod", "+x", os.fspath(hook.path)))


# ------------------------------------------------------------------------------------------------ what lies about


def _leftovers(state: State) -> Iterator[Trouble]:
    yield from _old(state)
    yield from _chained(state)


def _old(state: State) -> Iterator[Trouble]:
    brief, old = state.layout.brief, state.old
    if old.kind is Kind.GUARD:
        what = f"{brief(old.path)} is the guard, renamed by another hook manager; nothing runs it"
        yield Trouble(what, sh("rm", "-f", os.fspath(old.path)) + f" && {_INSTALL}", grave=not state.armed)
    elif old.kind is not Kind.ABSENT:
        what = f"{brief(old.path)} was renamed by another hook manager; nothing runs it"
        yield Trouble(what, sh("rm", "-f", os.fspath(old.path)) + "   # if it is not wanted", grave=False)


def _chained(state: State) -> Iterator[Trouble]:
    brief, chained = state.layout.brief, state.chained
    if chained.kind is Kind.ABSENT:
        return
    what = f"{brief(chained.path)} is the hook that stood here before the guard; nothing runs it now"
    if state.manager is not None:
        yield Trouble(what, sh("rm", "-f", os.fspath(chained.path)) + "   # if it is not wanted", grave=False)
    elif state.hooks.guard is None:
        again = state.seat.kind in (Kind.ABSENT, Kind.GUARD)
        then = "runs it again; ptguard uninstall puts it back" if again else "runs the newer hook, keeps this one aside"
        yield Trouble(what, f"{_INSTALL}   # {then}", grave=not state.armed)
    elif chained.dangles:
        what = f"{brief(chained.path)} is a link that leads nowhere, as it was before: it does not run"
        yield Trouble(what, sh("rm", "-f", os.fspath(chained.path)) + "   # if it is not wanted", grave=False)
    elif not chained.executable:
        what = f"{brief(chained.path)} is not executable, as it was before: it does not run"
        yield Trouble(what, sh("chmod", "+x", os.fspath(chained.path)) + "   # if it should", grave=False)


# ------------------------------------------------------------------------------------------------ the interpreter


def _interpreter(state: State) -> Iterator[Trouble]:
    guard = state.guard
    if (missing := precommit_missing(state.layout)) and state.manager is None:
        what = f"pre-commit's configuration is here, but it is not installed for {', '.join(map(shown, missing))}"
        yield Trouble(what, _INSTALL, grave=False)
    if guard is None:
        if state.called and state.manager is not None and state.manager.program is not None:
            yield from _program(state.manager.name, state.manager.program)
        return
    python = guard.python
    if python is None or not os.access(python, os.X_OK):
        gone = shown(os.fspath(python)) if python else "(none)"
        yield Trouble(f"the guard's interpreter is gone: {gone}; tags are refused or left to PATH", _INSTALL)
    elif in_pre_commit_cache(python):
        what = f"the guard's interpreter lies in pre-commit's cache, which can be cleaned away: {shown(str(python))}"
        yield Trouble(what, _own_installation(), grave=False)
    elif not _importable(python):
        yield Trouble(f"the guard's interpreter has no ptguard: {shown(str(python))}", _own_installation())
    elif guard.data != render(python, guard.brought):
        yield Trouble(f"{state.layout.brief(guard.path)} is not this version's guard", _INSTALL, grave=False)


def _own_installation() -> str:
    """Give what hands the guard to an interpreter that stays: the one that runs this, unless it is pre-commit's."""
    return f"pip install ptguard && {_INSTALL}" if in_pre_commit_cache(Path(sys.executable)) else _INSTALL


def _program(manager: str, program: str) -> Iterator[Trouble]:
    """Say that what the manager's hook calls is not to be found, so that it refuses every push, also of a branch."""
    if "/" in program and "$" not in program and not os.access(program, os.X_OK):
        what = f"{manager} calls {shown(program)}, which is not there: every push is refused"
        yield Trouble(what, sh("ln", "-s", os.fspath(_here()), program))
    elif "/" not in program and shutil.which(program) is None:
        what = f"{manager} calls ptguard, which is not on PATH: every push is refused"
        yield Trouble(what, stanza.on_path(_here()) or "pipx install ptguard   # or: put it on PATH")


def _here() -> Path:
    """Give the console script of the installation that runs this."""
    return Path(sys.executable).with_name("ptguard")


def _importable(python: Path) -> bool:
    if os.fspath(python) == sys.executable:
        return True
    try:
        return run([python, "-I", "-c", "import ptguard"], env=clean_env()).returncode == 0
    except PtguardError:
        return False
