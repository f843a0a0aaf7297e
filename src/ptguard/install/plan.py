"""What to do to arm or disarm a clone: from what stands there to a few steps. Pure; :mod:`.actions` takes the steps."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from ptguard.install.confighook import COMMAND, COMMAND_KEY, ENABLED_KEY, EVENT, EVENT_KEY, NO_BREAK, SECTION
from ptguard.install.hookfile import HookFile, Kind, render
from ptguard.install.state import Hooks, State
from ptguard.value import value


@value
class Move:
    """Rename a file; its bytes and its mode stay. What stood at ``target`` is gone."""

    source: Path
    target: Path


@value
class Write:
    """Put an executable file into place, whole or not at all."""

    path: Path
    data: bytes


@value
class Remove:
    """Take a file away."""

    path: Path


@value
class Configure:
    """Set ``key`` in the clone's own configuration; ``text`` None: take it out."""

    key: str
    text: str | None


@value
class ClearAway:
    """Take away the config hook's folder, with what was noted there, unless others use it; end ``config`` as before."""

    folder: Path
    config: Path


@value
class RemoveSection:
    """Take a section out of the clone's own configuration, in one step."""

    section: str


Step = Move | Write | Remove | Configure | RemoveSection | ClearAway


def to_arm(state: State, python: Path, *, brought: Sequence[str] = (), refresh: bool = True) -> tuple[Step, ...]:
    """Give the steps after which the guard stands at one place where git (or pre-commit) runs it; none if it does.

    A hook of someone else in that place is kept and chained. ``python`` is the interpreter for the guard;
    ``brought`` the pre-commit hook types to be noted in it; without ``refresh`` a guard that can run is left alone.
    Where a manager owns the hook it becomes a config hook, if git knows those and the manager does not call it already.
    """
    if not refresh and state.config.armed:
        return ()
    if state.called:
        return tuple(_unconfigure(state))
    if state.manager is not None:
        return tuple(_configure(state, python)) if state.config.supported else ()
    return (*_take_seat(state, python, brought, refresh=refresh), *(_unconfigure(state) if refresh else ()))


def _take_seat(state: State, python: Path, brought: Sequence[str], *, refresh: bool) -> Iterator[Step]:
    """Put the guard into the hooks folder."""
    seat = state.seat
    if seat.kind is Kind.GUARD:
        if not refresh and seat.executable and seat.python is not None and os.access(seat.python, os.X_OK):
            return
        brought = tuple(dict.fromkeys((*seat.brought, *brought)))
    elif seat.kind is not Kind.ABSENT:
        yield from _chain(state.hooks, seat)
    data = render(python, brought)
    if seat.data != data or not seat.executable:
        yield Write(seat.path, data)
    if seat is state.pre_push and state.legacy.kind is Kind.GUARD:
        yield Remove(state.legacy.path)  # left behind by pre-commit; nothing would run it


def _chain(hooks: Hooks, hook: HookFile) -> Iterator[Step]:
    """Keep ``hook`` as the chained one. An older chained hook, which nothing runs any more, is kept under a number."""
    old = hooks.chained
    if old.kind is not Kind.ABSENT and (old.data, old.executable) != (hook.data, hook.executable):
        yield Move(old.path, hooks.spare)
    yield Move(hook.path, old.path)


def _configure(state: State, python: Path) -> Iterator[Step]:
    """Make the guard a config hook, and take away those that lie where nothing runs them any more."""
    config = state.config
    guard, data = config.guard, render(python)
    if guard.data != data or not guard.executable:
        yield Write(guard.path, data)
    if not config.local and not config.ends_whole:
        yield Write(guard.path.with_name(NO_BREAK), b"")  # git adds a line break before its first line
    # The command first: git dies at every push of a hook that has an event and no command.
    if config.command is None or config.command.value != COMMAND or config.command.scope != "local":
        yield Configure(COMMAND_KEY, COMMAND)
    if not config.listens or EVENT_KEY not in config.local:
        yield Configure(EVENT_KEY, EVENT)
    off = config.switched_off
    if off is not None and off.key == ENABLED_KEY:
        # Another scope's no is answered by a yes of the clone; its own is taken back.
        elsewhere = any(e.key == off.key and e.scope != "local" and e.on is False for e in config.entries)
        yield Configure(off.key, "true" if elsewhere else None)
    yield from _give_back(state.hooks if state.bypassed is None else state.bypassed)


def _unconfigure(state: State) -> Iterator[Step]:
    """Take the config hook out of the clone's own configuration, then its file."""
    config, guard = state.config, state.config.guard
    if guard.kind is Kind.ABSENT and not {EVENT_KEY, COMMAND_KEY} & set(config.local):
        return  # a lone `enabled` is somebody's word about a hook that is not there
    if config.alone:
        yield RemoveSection(SECTION)
    else:
        yield from (Configure(key, None) for key in config.local)
    if guard.kind is not Kind.ABSENT:
        yield Remove(guard.path)
    yield ClearAway(guard.path.parent, state.layout.common_dir / "config")


def to_disarm(state: State) -> tuple[Step, ...]:
    """Give the steps after which no guard is left and the hook that it had replaced is back, as it was."""
    bypassed = _give_back(state.bypassed) if state.bypassed is not None else ()
    return (*_give_back(state.hooks), *bypassed, *_unconfigure(state))


def _give_back(hooks: Hooks) -> Iterator[Step]:
    """Take every guard out of a hooks folder and put the chained hook back."""
    guards = hooks.guards
    place = hooks.seat if hooks.seat.kind in (Kind.GUARD, Kind.ABSENT) else None
    if place is None and hooks.old.kind is Kind.GUARD:
        place = hooks.old  # lefthook has the hook: without the guard it would have renamed the other one so
    if hooks.chained.kind is not Kind.ABSENT and place is not None:
        yield Move(hooks.chained.path, place.path)
        guards = tuple(hook for hook in guards if hook is not place)
    yield from (Remove(hook.path) for hook in guards)
