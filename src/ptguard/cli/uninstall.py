"""``ptguard uninstall``: take the guard out of a clone."""

from pathlib import Path

import click

from ptguard.cli.common import in_folder
from ptguard.cli.hooks import describe
from ptguard.errors import ExitCode


@click.command("uninstall")
@in_folder
def command(folder: Path) -> ExitCode:
    """Take the guard out of this clone and put back, as it was, the hook that it had replaced."""
    from ptguard.gateways.repo import layout
    from ptguard.install import actions

    outcome = actions.uninstall(layout(folder))
    for warning in outcome.warnings:
        click.echo(f"ptguard: {warning}", err=True)
    for line in outcome.changes or ("there was no guard to take away",):
        click.echo(line)
    if outcome.state.armed:  # a manager's own file calls ptguard: that is the user's to change
        for line in describe(outcome.state):
            click.echo(line, err=True)
        return ExitCode.REFUSED
    return ExitCode.ACCEPTED if not outcome.warnings else ExitCode.REFUSED
