"""Arming and disarming a clone: the plan carried out, pre-commit driven, and what was done said in words."""

import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from ptguard.errors import PtguardError, ToolFailedError, ToolMissingError
from ptguard.gateways import gitconfig, onepush
from ptguard.gateways.files import write_whole
from ptguard.gateways.process import run
from ptguard.gateways.repo import Layout
from ptguard.install.confighook import NO_BREAK
from ptguard.install.hookfile import Kind, in_pre_commit_cache, read
from ptguard.install.managers import precommit_missing
from ptguard.install.plan import ClearAway, Configure, Move, Remove, RemoveSection, Step, Write, to_arm, to_disarm
from ptguard.install.state import State, inspect
from ptguard.text import sh, shown
from ptguard.value import value

PRE_COMMIT_TIMEOUT = 120.0


@value
class Outcome:
    """What the clone is like now. ``changes``: what was done, a line each; ``warnings``: what could not be done."""

    state: State
    changes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


def arm(layout: Layout, python: Path) -> Outcome:
    """Make sure that the guard is armed; one that can run is left as it is, whoever put it there.

    Only a guard of another environment in pre-commit's cache follows to ``python``: its own is soon cleaned away.
    Nothing but the hooks folder is ever changed by this: where a manager owns the hook, ``install`` must be asked.

    Raises:
        PtguardError: the hooks folder cannot be written.
    """
    state = inspect(layout)
    if state.manager is not None:
        return Outcome(state)
    named = state.seat.python
    steps = to_arm(state, python, refresh=named is not None and in_pre_commit_cache(named))
    changes = _carry_out(layout, steps)
    return Outcome(inspect(layout), changes) if changes else Outcome(state)


def install(layout: Layout, python: Path) -> Outcome:
    """Arm the clone with the interpreter ``python``; where a pre-commit configuration is, have pre-commit in first.

    Raises:
        PtguardError: the hooks folder cannot be written.
    """
    # Where another manager has the hooks, pre-commit refuses to be installed, or would move that manager's hook away.
    missing = () if inspect(layout).manager else precommit_missing(layout)
    warnings = _pre_commit(layout, "install") if missing else ()
    brought = tuple(t for t in missing if read(layout.default_hooks / t).kind is Kind.PRE_COMMIT)
    said = (f"pre-commit installed for {', '.join(shown(t) for t in brought)}",) if brought else ()
    changes = _carry_out(layout, to_arm(inspect(layout), python, brought=brought))
    return Outcome(inspect(layout), (*said, *changes), warnings)


def uninstall(layout: Layout) -> Outcome:
    """Take the guard away and put back what it had replaced; pre-commit goes too where ``install`` had brought it.

    Raises:
        PtguardError: the hooks folder cannot be written.
    """
    state = inspect(layout)
    folders = [hooks for hooks in (state.hooks, state.bypassed) if hooks is not None]
    brought = dict.fromkeys(t for hooks in folders for hook in hooks.guards for t in hook.brought)
    changes = _carry_out(layout, to_disarm(state))
    still = [t for t in brought if read(layout.default_hooks / t).kind is Kind.PRE_COMMIT]
    warnings: tuple[str, ...] = ()
    if still:
        warnings = _pre_commit(layout, "uninstall", *(w for t in still for w in ("-t", t)))
        changes += (
            () if warnings else (f"pre-commit uninstalled for {', '.join(still)}, which `ptguard install` put in",)
        )
    return Outcome(inspect(layout), changes, warnings)


def _carry_out(layout: Layout, steps: Sequence[Step]) -> tuple[str, ...]:
    """Take the steps in their order and give a line for each."""
    try:
        return tuple(line for step in steps if (line := _take(step, layout)))
    except OSError as error:
        hooks = os.fspath(layout.hooks)
        no_folder = layout.hooks.exists() and not layout.hooks.is_dir()
        raise PtguardError(
            f"the hooks folder {layout.brief(layout.hooks)} cannot be changed: {shown(error.strerror or str(error))}",
            fix=f"{sh('rm', hooks)} && ptguard install   # git looks for a folder there"
            if no_folder
            else f"{sh('ls', '-ld', hooks)}   # it must be yours to write",
        ) from error


def _take(step: Step, layout: Layout) -> str:
    """Take one step and say so; nothing is said of what is only clearing up."""
    brief, here = layout.brief, layout.top or layout.git_dir
    match step:
        case Move(source, target):
            if source.is_dir() and not source.is_symlink():
                target.unlink(missing_ok=True)  # rename(2) puts no folder in the place of a file
            source.replace(target)
            return f"moved {brief(source)} to {target.name}"
        case Write(path, data):
            path.parent.mkdir(parents=True, exist_ok=True)
            write_whole(path, data, 0o755)
            return f"wrote {brief(path)}" if data else ""
        case Configure(key, None):
            gitconfig.unset_local(here, key)
            return f"unset {key}"
        case Configure(key, text):
            gitconfig.set_local(here, key, text or "")
            return f"set {key}"
        case RemoveSection(section):
            gitconfig.remove_local(here, section)
            return f"removed {section} from the clone's configuration"
        case ClearAway(folder, config):
            _clear_away(folder, config)
            return ""
        case Remove(path):
            path.unlink(missing_ok=True)
            return f"removed {brief(path)}"


def _clear_away(folder: Path, config: Path) -> None:
    note = folder / NO_BREAK
    if note.exists() and config.read_bytes().endswith(b"\n"):
        os.truncate(config, config.stat().st_size - 1)
    note.unlink(missing_ok=True)
    (folder / onepush.NOTE).unlink(missing_ok=True)
    with suppress(OSError):  # something else lies there, or the folder never was
        folder.rmdir()


def _pre_commit(layout: Layout, *args: str) -> tuple[str, ...]:
    """Run pre-commit of this installation in the clone; give a warning where it would not."""
    words = ["pre-commit", *args]
    try:
        # -I: a module of the repository itself must never be taken for pre-commit's.
        argv = [sys.executable, "-I", "-m", "pre_commit", *args]
        done = run(argv, env=dict(os.environ), cwd=layout.top, timeout=PRE_COMMIT_TIMEOUT)
    except (ToolMissingError, ToolFailedError) as error:
        return (f"{sh(*words)} failed: {error.message}",)
    if done.returncode == 0:
        return ()
    lines = (done.stdout + done.stderr).decode("utf-8", "replace").strip().splitlines() or ["it said nothing"]
    return (f"{sh(*words)} failed: {shown(lines[0])}",)
