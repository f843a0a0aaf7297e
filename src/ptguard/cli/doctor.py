"""``ptguard doctor``: name everything that keeps tags from being judged here, each with the command that mends it."""

from pathlib import Path

import click

from ptguard.cli.common import in_folder
from ptguard.cli.hooks import describe, told
from ptguard.errors import ExitCode, PtguardError
from ptguard.install.trouble import Trouble


@click.command("doctor")
@in_folder
def command(folder: Path) -> ExitCode:
    """Look for what is wrong: hooks, interpreter, git, gpg, ssh-keygen, and the policy on the trust branch.

    Exit codes: 0 tags are judged here, 1 something keeps them from it.
    """
    from ptguard.gateways.repo import layout
    from ptguard.install import doctor, state

    found = state.inspect(layout(folder))
    troubles = (*doctor.examine(found), *policy_troubles(folder))
    for line in describe(found):
        click.echo(line)
    for line in told(troubles):
        click.echo(line)
    grave = [trouble for trouble in troubles if trouble.grave]
    if not troubles:
        click.echo("nothing is wrong")
    return ExitCode.REFUSED if grave else ExitCode.ACCEPTED


def policy_troubles(folder: Path) -> tuple[Trouble, ...]:
    """Say what is wrong with the policy that would decide at a push to the usual remote; nothing is fetched."""
    from ptguard.judging import request_now, trusted_policy

    try:
        trusted_policy(request_now(folder))
    except PtguardError as error:
        problems = getattr(error, "problems", ())
        what = "; ".join((error.message, *problems))
        return (Trouble(what, error.fix or "mend .ptguard/policy.toml on the trust branch, then: git fetch"),)
    return ()
