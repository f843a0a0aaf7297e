"""How install, uninstall and doctor put the state of a clone into words."""

import os
import shlex
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from ptguard.install.confighook import COMMAND_KEY, EVENT_KEY, NAME
from ptguard.install.hookfile import Kind
from ptguard.install.managers import Manager
from ptguard.install.state import State
from ptguard.install.trouble import Trouble
from ptguard.text import sh, shown

_INSTALL: Final = "ptguard install"
_DOCTOR: Final = "ptguard doctor   # names what is wrong, each with its command"
_REPLACED: Final = (Kind.ABSENT, Kind.FOREIGN)
"""What `ptguard install` puts the guard in the place of, and keeps."""


def describe(state: State) -> Iterator[str]:
    """Give the lines that say what is armed and, where it is not, what to do."""
    brief = state.layout.brief
    guard, manager = state.guard, state.manager
    if not state.armed:
        yield f"not armed: tags leave this clone unjudged ({_why(state)})"
        if state.config.supported and manager is not None:
            yield "  mend: ptguard install   # as config hook; the manager's files stay as they are"
        elif manager is not None:
            yield from _stanzas(manager, state)
        else:
            yield f"  mend: {_INSTALL if state.seat.kind in _REPLACED else _DOCTOR}"
        return
    if guard is None:
        yield f"armed: {manager.name if manager else 'a hook'} calls ptguard"
        return
    how = ", which pre-commit runs first" if guard is state.legacy else ""
    if state.config.armed:
        how = f", as config hook {NAME} ({COMMAND_KEY}), whatever core.hooksPath says"
    yield f"armed: {brief(guard.path)}{how}"
    yield f"  interpreter  {shown(os.fspath(guard.python)) if guard.python else 'ptguard on PATH'}"
    if state.hooks.guard is not None and state.chained.path.is_file() and state.chained.executable:
        yield f"  runs also    {brief(state.chained.path)}, the hook that was there before"
    if state.layout.bare:
        here = sh("ptguard", "install", "--server", os.fspath(state.layout.common_dir))
        yield f"  note         what is pushed from here is judged; for what is pushed to here: {here}"


def told(troubles: Iterable[Trouble]) -> Iterator[str]:
    """Give the lines that name troubles, each with the command that mends it."""
    for trouble in troubles:
        yield f"{'✗' if trouble.grave else '!'} {trouble.what}"
        yield f"  mend: {trouble.fix}"


def _why(state: State) -> str:
    brief = state.layout.brief
    if state.config.fatal:
        return f"{EVENT_KEY} is set and {COMMAND_KEY} is not: git ends every push"
    if state.manager is not None:
        return f"{state.manager.name} owns the pre-push hook"
    if not state.runs:
        return f"{brief(state.pre_push.path)} is not executable"
    if state.seat.kind is Kind.GUARD:
        return f"{brief(state.seat.path)} is not executable"
    if state.seat.kind is Kind.ABSENT:
        return f"there is no {brief(state.seat.path)}"
    return f"{brief(state.seat.path)} is another hook"


def _stanzas(manager: Manager, state: State) -> Iterator[str]:
    if manager.remedy:
        yield f"  mend: {manager.remedy}"
    for file, stanza in manager.stanzas:
        yield _where(file, state.layout.brief(file), stanza)
        yield from (f"      {line}" if line else "" for line in stanza.splitlines())


def _where(file: Path, brief: str, stanza: str) -> str:
    """Say where the lines go; git skips a new hook without a word until it can be executed."""
    if stanza.startswith("#!"):
        return f"  write the new file {brief}, then chmod +x {shlex.quote(brief)}:"
    return f"  add to {brief}{', before anything that reads standard input' if file.name == 'pre-push' else ''}:"
