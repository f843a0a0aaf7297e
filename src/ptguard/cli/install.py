"""``ptguard install``: put the guard into a clone, or say whether it is there."""

import sys
from pathlib import Path

import click

from ptguard.cli.common import in_folder
from ptguard.cli.hooks import describe
from ptguard.errors import ExitCode


@click.command("install")
@click.option("--check", is_flag=True, help="Change nothing; say what is armed, exit 1 if nothing is.")
@in_folder
def command(check: bool, folder: Path) -> ExitCode:  # noqa: FBT001 - click passes flags by name
    """Arm this clone: every push of a tag is judged from then on.

    Where there is a .pre-commit-config.yaml, pre-commit is installed first. A pre-push hook of your own is kept and
    runs as before. Exit codes: 0 armed, 1 not armed.
    """
    from ptguard.gateways.repo import layout
    from ptguard.install import actions, state

    place = layout(folder)
    outcome = actions.Outcome(state.inspect(place)) if check else actions.install(place, Path(sys.executable))
    for warning in outcome.warnings:
        click.echo(f"ptguard: {warning}", err=True)
    for line in (*outcome.changes, *describe(outcome.state)):
        click.echo(line)
    return ExitCode.ACCEPTED if outcome.state.armed else ExitCode.REFUSED
