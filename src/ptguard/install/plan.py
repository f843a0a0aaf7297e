"""What to do to arm or disarm a clone: from what stands there to a few steps. Pure; :mod:`.actions` takes the steps."""

import os
from collections.abc import Sequence
from pathlib import Path

from ptguard.install.hookfile import HookFile, Kind, render
from ptguard.install.state import State
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


Step = Move | Write | Remove


def to_arm(state: State, python: Path, *, brought: Sequence[str] = (), refresh: bool = True) -> tuple[Step, ...]:
    """Give the steps after which the guard stands where git (or pre-commit) runs it; none if nothing is to be done.

    A hook of someone else in that place is kept and chained. ``python`` is the interpreter for the guard;
    ``brought`` the pre-commit hook types to be noted in it; without ``refresh`` a guard that can run is left alone.
    Where a manager owns the hook nothing is done.
    """
    if state.manager is not None:
        return ()
    seat = state.seat
    steps: list[Step] = []
    if seat.kind is Kind.GUARD:
        if not refresh and seat.executable and seat.python is not None and os.access(seat.python, os.X_OK):
            return ()
        brought = tuple(dict.fromkeys((*seat.brought, *brought)))
    elif seat.kind is not Kind.ABSENT:
        steps += _chain(state, seat)
    data = render(python, brought)
    if seat.data != data or not seat.executable:
        steps.append(Write(seat.path, data))
    if seat is state.pre_push and state.legacy.kind is Kind.GUARD:
        steps.append(Remove(state.legacy.path))  # left behind by pre-commit; nothing would run it
    return tuple(steps)


def _chain(state: State, hook: HookFile) -> list[Step]:
    """Keep ``hook`` as the chained one. An older chained hook, which nothing runs any more, is kept under a number."""
    old = state.chained
    aside: list[Step] = []
    if old.kind is not Kind.ABSENT and (old.data, old.executable) != (hook.data, hook.executable):
        aside.append(Move(old.path, state.spare))
    return [*aside, Move(hook.path, old.path)]


def to_disarm(state: State) -> tuple[Step, ...]:
    """Give the steps after which no guard is left and the hook that it had replaced is back, as it was."""
    guards = [hook for hook in (state.pre_push, state.legacy, state.old) if hook.kind is Kind.GUARD]
    steps: list[Step] = []
    place = state.seat if state.seat.kind in (Kind.GUARD, Kind.ABSENT) else None
    if state.chained.kind is not Kind.ABSENT and place is not None:
        steps.append(Move(state.chained.path, place.path))
        guards = [hook for hook in guards if hook is not place]
    return (*steps, *(Remove(hook.path) for hook in guards))
