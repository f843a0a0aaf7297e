"""``ptguard tag``: make a signed tag that will stand, or none."""

import sys
from pathlib import Path

import click

from ptguard.cli.common import choice, in_folder, policy_choice
from ptguard.errors import ExitCode
from ptguard.model import Verdict
from ptguard.report import load
from ptguard.terminal import wants_color
from ptguard.text import shown
from ptguard.verdict import exit_code


@click.command("tag")
@click.argument("name")
@click.argument("commit", default="HEAD")
@click.option("-m", "messages", multiple=True, metavar="MSG", help="A paragraph of the message (default: NAME).")
@click.option("--remote", metavar="NAME", help="The remote to judge the tag for (default: origin).")
@policy_choice
@in_folder
def command(
    *,
    name: str,
    commit: str,
    messages: tuple[str, ...],
    remote: str | None,
    policy_ref: str | None,
    policy_file: Path | None,
    folder: Path,
) -> ExitCode:
    """Make the signed tag NAME on COMMIT (default: HEAD), if it would be accepted; never push it.

    All that can be judged before the tag exists is judged first; then `git tag -s` signs with a key that the policy
    allows, and the finished tag is judged again. A tag that is refused does not stay. Exit codes: 0 made, 1 refused,
    2 the call or the policy is wrong, 3 could not decide or not signed.
    """
    from ptguard.tagging import plan as tagging

    planned = tagging.plan(folder, choice(policy_ref, policy_file), tagging.Wish(name, commit, messages, remote))
    if not planned.stands:
        _report(planned.verdict)
        click.echo(f"No tag {shown(name)} was made.")
        return exit_code(planned.verdict)
    chosen = planned.chosen
    whose = (
        f"{shown(chosen.signer)}, {chosen.key.kind} {chosen.key.fingerprint}" if chosen else "git's own choice of key"
    )
    click.echo(f"ptguard: nothing stands against {shown(name)} so far; signing ({whose})", err=True)
    made = tagging.carry_out(planned)
    _report(made.verdict)
    if made.oid is None:
        click.echo(f"The tag {shown(name)} was taken back.")
        return exit_code(made.verdict)
    click.echo("Nothing was pushed. To publish it:")
    click.echo(f"  {planned.push}")
    return ExitCode.ACCEPTED


def _report(verdict: Verdict) -> None:
    sys.stdout.write(load("text").verdict(verdict, color=wants_color(sys.stdout)))
