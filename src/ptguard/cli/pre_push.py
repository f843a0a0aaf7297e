"""``ptguard pre-push``: what the git hook calls; the lines of the push come on standard input."""

from pathlib import Path

import click

from ptguard.cli.common import choice, in_folder, policy_choice
from ptguard.errors import ExitCode


@click.command("pre-push")
@click.argument("remote")
@click.argument("url")
@policy_choice
@in_folder
def command(remote: str, url: str, policy_ref: str | None, policy_file: Path | None, folder: Path) -> ExitCode:
    """Judge the tags of a push to REMOTE (at URL); called by the pre-push hook, see githooks(5).

    A push without tags passes unseen. Everything is said on standard error.
    """
    from ptguard.prepush import judge_stdin

    return judge_stdin(folder, remote, url, choice(policy_ref, policy_file))
