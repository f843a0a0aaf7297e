"""``ptguard init``: write a first policy from what is there."""

from pathlib import Path

import click

from ptguard.cli.common import in_folder
from ptguard.errors import ExitCode, UsageError
from ptguard.text import shown


@click.command("init")
@click.option("--trust-branch", metavar="NAME", help="The branch whose policy counts (default: the remote's own).")
@in_folder
def command(*, trust_branch: str | None, folder: Path) -> ExitCode:
    """Write a first .ptguard/policy.toml from what this repository has, and say what is still to type.

    Nothing is overwritten, and nothing is committed or pushed: a policy counts only from the remote's trust branch.
    Exit codes: 0 written, 2 nothing was written.
    """
    from ptguard.checks import discover
    from ptguard.gateways.repo import layout
    from ptguard.setup import draft, survey, write

    top = layout(folder).top
    if top is None:
        raise UsageError(
            "a bare repository has no work tree to write a policy into", fix="git clone it, and run it there"
        )
    write.check_place(top, [draft.POLICY_PATH])
    found = survey.survey(top, trust_branch)
    made = draft.draft(found, tuple(discover()))
    files, kept = write.beside(top, made.files, draft.ATTRIBUTES_PATH)
    write.write_new(top, files)
    for line in made.said:
        click.echo(f"{line.kind:<9}{line.text}")
    for text in kept:
        click.echo(f"{'kept':<9}{text}")
    click.echo(f"{'wrote':<9}{', '.join(shown(path) for path in files)}")
    where = "" if Path.cwd() == top else f", in {shown(str(top))}"
    click.echo(f"\nThe policy counts only from {_place(found.branch, found.remote)}. Still to type{where}:")
    for command_line in survey.lines_to_type(top, found, made.sources):
        click.echo(f"  {command_line}")
    return ExitCode.ACCEPTED


def _place(branch: str, remote: str | None) -> str:
    if remote is None:
        return f"the branch {shown(branch)} (no remote is configured yet)"
    return f"the branch {shown(branch)} of {shown(remote)}"
