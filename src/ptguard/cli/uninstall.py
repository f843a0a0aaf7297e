"""``ptguard uninstall``: take the guard out of a clone."""

from pathlib import Path

import click

from ptguard.cli.common import in_folder, on_server
from ptguard.cli.hooks import describe
from ptguard.errors import ExitCode


@click.command("uninstall")
@on_server
@in_folder
def command(server: Path | None, layout: str | None, folder: Path) -> ExitCode:
    """Take the guard out of this clone and put back, as it was, the hook that it had replaced.

    With --server, out of a repository on a server; what the guard has kept there (receipts) stays.
    """
    if server is not None:
        from ptguard.cli.server import uninstalled

        return uninstalled(folder / server, layout)
    from ptguard.gateways.repo import layout as layout_of
    from ptguard.install import actions

    outcome = actions.uninstall(layout_of(folder))
    for warning in outcome.warnings:
        click.echo(f"ptguard: {warning}", err=True)
    for line in outcome.changes or ("there was no guard to take away",):
        click.echo(line)
    if outcome.state.armed:  # a manager's own file calls ptguard: that is the user's to change
        for line in describe(outcome.state):
            click.echo(line, err=True)
        return ExitCode.REFUSED
    return ExitCode.ACCEPTED if not outcome.warnings else ExitCode.REFUSED
