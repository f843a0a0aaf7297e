"""``ptguard pre-receive``: what a server's hook calls; the lines of the push come on standard input."""

import click

from ptguard.errors import ExitCode


@click.command("pre-receive")
def command() -> ExitCode:
    """Judge a push on the server, before anything of it lands; called by the pre-receive hook, see githooks(5).

    The repository is the one of GIT_DIR, else the one that the call stands in. Everything is said on standard error.
    """
    from ptguard.prereceive import receive

    return receive()
