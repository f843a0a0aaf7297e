"""``ptguard checks``: every check with a line that says what it wants."""

import sys

import click

from ptguard.cli.pages import FORMATS, document, listing
from ptguard.errors import ExitCode
from ptguard.terminal import wants_color


@click.command("checks")
@click.option("--format", "format_", type=click.Choice(FORMATS), default="text", help="How to print it.")
def command(format_: str) -> ExitCode:
    """List the checks, each with what is true of a tag that passes it."""
    from ptguard.pages import load

    pages = load()
    if format_ == "json":
        click.echo(document(pages, None), nl=False)
    else:
        color = wants_color(sys.stdout)
        click.echo("\n".join(listing(pages, color=color)), color=color)
    return ExitCode.ACCEPTED
