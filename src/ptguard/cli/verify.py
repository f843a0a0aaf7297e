"""``ptguard verify``: judge tags by hand or in CI, as a push would."""

from pathlib import Path

import click

from ptguard.cli.common import choice, in_folder, policy_choice
from ptguard.cli.reports import places, tell, tell_beside
from ptguard.errors import ExitCode, PtguardError, unexpected
from ptguard.judging import judge_tags, request_now
from ptguard.report import FORMATS
from ptguard.verdict import exit_code


@click.command("verify")
@click.argument("tags", nargs=-1, metavar="[TAG]...")
@click.option("--format", "format_", type=click.Choice(FORMATS), default="text", help="How to report.")
@click.option("--also", multiple=True, callback=places, metavar="FORMAT=PATH", help="Also write this report there.")
@click.option("--remote", metavar="NAME", help="The remote to hold the tags against (default: origin).")
@policy_choice
@click.option("--published", is_flag=True, help="Judge as history: the key must have been good when it signed.")
@in_folder
def command(  # noqa: PLR0917 - click passes options by name
    tags: tuple[str, ...],
    format_: str,
    also: tuple[tuple[str, Path], ...],
    remote: str | None,
    policy_ref: str | None,
    policy_file: Path | None,
    published: bool,  # noqa: FBT001 - click passes flags by name
    folder: Path,
) -> ExitCode:
    """Judge TAGs (default: every tag of HEAD's commit) as if they were pushed now.

    Results go to standard output, everything else to standard error. Exit codes: 0 accepted, 1 refused,
    2 the call or the policy is wrong, 3 could not decide.
    """
    request = request_now(folder, choice(policy_ref, policy_file))
    try:
        verdict = judge_tags(request, tags, remote, published=published)
    except Exception as error:  # whatever breaks has a document of the format that was asked for
        said = error if isinstance(error, PtguardError) else unexpected(error)
        if format_ == "text":
            tell_beside(also, said)
            raise
        tell(format_, also, said)
        return said.exit_code
    tell(format_, also, verdict)
    return exit_code(verdict)
