"""``ptguard pre-push``: what the git hook calls; the lines of the push come on standard input."""

import sys
from pathlib import Path

import click

from ptguard.cli.common import choice, exit_code, in_folder, policy_choice
from ptguard.cli.terminal import wants_color
from ptguard.errors import ExitCode, UsageError
from ptguard.judging import Request, judge_push
from ptguard.report import load

MAX_LINES_BYTES = 1 << 26


@click.command("pre-push")
@click.argument("remote")
@click.argument("url")
@policy_choice
@in_folder
def command(remote: str, url: str, policy_ref: str | None, policy_file: Path | None, folder: Path) -> ExitCode:
    """Judge the tags of a push to REMOTE (at URL); called by the pre-push hook, see githooks(5).

    A push without tags passes unseen. Everything is said on standard error.
    """
    lines = sys.stdin.buffer.read(MAX_LINES_BYTES + 1)
    if len(lines) > MAX_LINES_BYTES:
        raise UsageError(f"the push has more than {MAX_LINES_BYTES} bytes of ref lines", fix="push fewer refs at once")
    verdict = judge_push(Request(folder, choice(policy_ref, policy_file)), remote, url, lines)
    if verdict is None:
        return ExitCode.ACCEPTED
    sys.stderr.write(load("text").verdict(verdict, color=wants_color(sys.stderr)))
    return exit_code(verdict)
