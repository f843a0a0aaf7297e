"""``ptguard pre-commit-hook``: what the pre-commit hook ``ptguard`` runs; it arms the clone, it judges nothing.

pre-commit shows a pre-push hook only the first ref, none whose commit the remote has, no deletion, and no standard
input (pre-commit 4.7, ``commands/hook_impl.py``); so the guard itself must stand beside it.
"""

import os
import sys
from contextlib import suppress
from pathlib import Path

import click

from ptguard.errors import ExitCode
from ptguard.text import shown


@click.command("pre-commit-hook")
@click.option("--no-arm", is_flag=True, help="Change nothing in the clone; only look.")
def command(no_arm: bool) -> ExitCode:  # noqa: FBT001 - click passes flags by name
    """Make sure that the guard is armed in this clone; called by pre-commit at any stage."""
    from ptguard.gateways.repo import layout
    from ptguard.install import actions, state

    place = layout(Path())
    before = state.inspect(place)
    outcome = actions.Outcome(before) if no_arm else actions.arm(place, Path(sys.executable))
    if outcome.changes and outcome.state.armed:
        announce(f"ptguard: armed this clone: {place.brief(outcome.state.seat.path)} judges every tag push from now on")
    elif not before.armed and not no_arm:
        announce("ptguard: this clone is not armed: run ptguard install")
    pushed = os.environ.get("PRE_COMMIT_REMOTE_BRANCH", "")
    if not before.armed and pushed.lower().startswith("refs/tags/"):
        return _refuse(pushed, armed=outcome.state.armed)
    return ExitCode.ACCEPTED


def _refuse(ref: str, *, armed: bool) -> ExitCode:
    """Refuse the push that is under way: its tags have not been judged, and this hook cannot see them all."""
    way = "armed now, push again" if armed else "not armed; run ptguard install, then push again"
    click.echo(f"ptguard: {shown(ref)} has not been judged: {way}", err=True)
    return ExitCode.REFUSED


def announce(line: str) -> None:
    """Say one line, also to the terminal: pre-commit shows what a hook says only when it fails."""
    click.echo(line)
    with suppress(OSError), open("/dev/tty", "w", encoding="utf-8", errors="backslashreplace") as terminal:  # noqa: PTH123
        terminal.write(f"\n{line}\n")
