"""``ptguard install``: put the guard into a clone, or say whether it is there."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ptguard.cli.common import in_folder, on_server
from ptguard.cli.hooks import describe, told
from ptguard.errors import ExitCode

if TYPE_CHECKING:
    from ptguard.gateways.repo import Layout


@click.command("install")
@click.option("--check", is_flag=True, help="Change nothing; say what is armed, exit 1 if nothing is, or cannot judge.")
@on_server
@click.option("--branch", metavar="NAME", help="With --server: the branch whose policy decides.")
@in_folder
def command(*, check: bool, server: Path | None, layout: str | None, branch: str | None, folder: Path) -> ExitCode:
    """Arm this clone: every push of a tag is judged from then on.

    Where there is a .pre-commit-config.yaml, pre-commit is installed first. A pre-push hook of your own is kept and
    runs as before. With --server, arm a repository on a server: no tag gets into it unjudged. Exit codes: 0 armed,
    1 not armed.
    """
    if server is not None:
        from ptguard.cli.server import installed

        return installed(folder / server, layout, branch, check=check)
    if layout or branch:
        raise click.UsageError("--layout and --branch go with --server")
    from ptguard.gateways.repo import layout as layout_of
    from ptguard.install import actions

    place = layout_of(folder)
    if check:
        return _check(place)
    outcome = actions.install(place, Path(sys.executable))
    for warning in outcome.warnings:
        click.echo(f"ptguard: {warning}", err=True)
    for line in (*outcome.changes, *describe(outcome.state)):
        click.echo(line)
    return ExitCode.ACCEPTED if outcome.state.armed else ExitCode.REFUSED


def _check(place: "Layout") -> ExitCode:
    """Say what is armed, and what keeps an armed guard from judging."""
    from ptguard.install.doctor import examine_hooks
    from ptguard.install.state import inspect

    found = inspect(place)
    grave = [trouble for trouble in examine_hooks(found) if trouble.grave]
    for line in (*describe(found), *(told(grave) if found.armed else ())):
        click.echo(line)
    return ExitCode.REFUSED if grave or not found.armed else ExitCode.ACCEPTED
