"""``ptguard explain``: what a reason means and how to mend it, or the whole page of a check."""

import sys

import click

from ptguard.cli.pages import FORMATS, document, entry, failure
from ptguard.errors import ExitCode, UsageError
from ptguard.terminal import wants_color


@click.command("explain")
@click.argument("word", metavar="REASON|CHECK/REASON|CHECK")
@click.option("--format", "format_", type=click.Choice(FORMATS), default="text", help="How to print it.")
def command(word: str, format_: str) -> ExitCode:
    """Say what a reason means and how to mend it; for a check, show its whole page.

    Exit codes: 0 explained, 2 nothing is called so (the nearest names are said).
    """
    from ptguard.pages import Page, find, load
    from ptguard.pages.render import plain

    color = wants_color(sys.stdout)
    pages = load()
    try:
        found = find(pages, word)
    except UsageError as error:
        if format_ == "text":
            raise
        click.echo(failure(error), nl=False)
        return error.exit_code
    if format_ == "json":
        click.echo(document(pages, found), nl=False)
    elif isinstance(found, Page):
        click.echo(plain(found.markdown, color=color), nl=False, color=color)
    else:
        click.echo("\n".join(entry(found, color=color)), color=color)
    return ExitCode.ACCEPTED
