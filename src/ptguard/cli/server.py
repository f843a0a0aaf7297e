"""``ptguard install --server`` and ``uninstall --server``: the guard of a repository on a server."""

import os
import sys
from pathlib import Path

import click

from ptguard.cli.hooks import told
from ptguard.errors import ExitCode
from ptguard.install import server
from ptguard.install.server import Place, Server
from ptguard.text import shown


def installed(path: Path, layout: str | None, branch: str | None, *, check: bool) -> ExitCode:
    """Put the guard in, or with ``check`` only say how it stands.

    Raises:
        PtguardError: it is no repository, or cannot be written to.
    """
    place = Place(layout) if layout else None
    now, changes = (server.look(path, place), ()) if check else server.install(path, _python(), branch, place)
    for line in changes:
        click.echo(line)
    _describe(now)
    return ExitCode.ACCEPTED if now.armed else ExitCode.REFUSED


def uninstalled(path: Path, layout: str | None) -> ExitCode:
    """Take the guard out.

    Raises:
        PtguardError: it is no repository, or cannot be written to.
    """
    for line in server.uninstall(path, Place(layout) if layout else None) or ("there was no guard to take away",):
        click.echo(line)
    return ExitCode.ACCEPTED


def _describe(now: Server) -> None:
    where = shown(os.fspath(now.git_dir))
    for line in told(now.troubles()):
        click.echo(line, err=True)
    if not now.armed:
        click.echo(f"not armed: tags get into {where} unjudged, or none does")
        return
    click.echo(f"armed: every push to {where} is judged by the policy on {shown(now.branch or 'its HEAD branch')}")
    if now.place is Place.GITLAB:
        click.echo("note: Gitaly runs no reference-transaction hook, so push a release branch first, then its tag")


def _python() -> Path:
    return Path(sys.executable)
