"""``ptguard audit``: which tags of a history would stand today, and why not."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ptguard.checks import discover
from ptguard.cli.common import choice, in_folder, policy_choice
from ptguard.errors import ExitCode, PtguardError, UsageError
from ptguard.report import FORMATS, load
from ptguard.terminal import wants_color
from ptguard.value import replace
from ptguard.verdict import exit_code

if TYPE_CHECKING:
    from ptguard.audit.run import Audit, Tell


@click.command("audit")
@click.option("--since", metavar="TAG", help="Leave out what was tagged before TAG.")
@click.option("--checks", metavar="NAME,…", help="Only these checks (`annotated` is always one); default: each rule's.")
@click.option("--format", "format_", type=click.Choice(FORMATS), default="text", help="How to report.")
@click.option("--jobs", type=click.IntRange(1, 256), metavar="N", help="Processes (default: one for each processor).")
@click.option("--strict", is_flag=True, help="End with 1 where a counted tag would not stand, 3 where it is undecided.")
@click.option("--offline", is_flag=True, help="Do not ask the remote which tags it has.")
@click.option("--no-cache", is_flag=True, help="Neither read nor keep what the last audit found.")
@click.option("--remote", metavar="NAME", help="The remote to hold the tags against (default: origin).")
@policy_choice
@in_folder
def command(
    *,
    since: str | None,
    checks: str | None,
    format_: str,
    jobs: int | None,
    strict: bool,
    offline: bool,
    no_cache: bool,
    remote: str | None,
    policy_ref: str | None,
    policy_file: Path | None,
    folder: Path,
) -> ExitCode:
    """Judge every tag under the rules for history and count what would not stand today.

    Exit codes: 0 whatever was found, unless --strict is given; 2 the call or the policy is wrong, 3 nothing could be
    judged.
    """
    from ptguard.audit.run import Order, audit

    now = datetime.now(UTC)
    order = Order(
        folder, choice(policy_ref, policy_file), now, remote, offline, since, _checks(checks), jobs, not no_cache
    )
    try:
        with _progress() as tell:
            found = audit(order, tell)
    except PtguardError as error:
        if format_ == "text":
            raise
        sys.stdout.write(load(format_).error(error, color=False))
        return error.exit_code
    for part in _report(found, format_):
        sys.stdout.write(part)
    return _code(found) if strict else ExitCode.ACCEPTED


def _checks(text: str | None) -> tuple[str, ...] | None:
    if text is None:
        return None
    names = tuple(name.strip() for name in text.split(","))
    unknown = [name for name in names if name not in discover()]
    if unknown:
        raise UsageError(f"--checks: there is no check {unknown[0]!r}", fix=f"--checks {','.join(discover())}")
    return names


@contextmanager
def _progress() -> Iterator["Tell"]:
    """Give what draws a bar on standard error, where that is a terminal."""
    with click.progressbar(length=0, label="tags", file=sys.stderr, hidden=not sys.stderr.isatty()) as bar:

        def tell(done: int, of: int) -> None:
            bar.length = of
            bar.update(done - bar.pos)

        yield tell


def _report(found: "Audit", format_: str) -> Iterator[str]:
    if format_ == "text":
        from ptguard.report import history

        return history.parts(found.verdict, found.uncounted, color=wants_color(sys.stdout))
    return iter((load(format_).verdict(found.verdict, color=False),))


def _code(found: "Audit") -> ExitCode:
    counted = tuple(tag for tag in found.verdict.tags if tag.ref not in found.uncounted)
    return exit_code(replace(found.verdict, tags=counted))
