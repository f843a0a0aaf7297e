"""``ptguard smoke verify``: what one record proves, rule by rule, as a push would judge it."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import click

from ptguard.cli.common import choice, in_folder, policy_choice
from ptguard.errors import ExitCode, PtguardError
from ptguard.model import Status
from ptguard.report import json as documents
from ptguard.report.text import finding_lines
from ptguard.smoke.examine import Examined, Ruling, examine
from ptguard.terminal import wants_color
from ptguard.text import shown

SCHEMA: Final = "ptguard.smoke-verify/1"
_MARKS: Final = {Status.PASS: "✓", Status.SKIP: "-"}
_WIDTH: Final = 11


@click.command("verify")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--format", "format_", type=click.Choice(["text", "json"]), default="text", help="How to report.")
@policy_choice
@in_folder
def command(*, file: Path, format_: str, policy_ref: str | None, policy_file: Path | None, folder: Path) -> ExitCode:
    """Say what the record in FILE proves, rule by rule, as if HEAD were tagged now with it.

    FILE may lie outside the repository; its signature lies beside it, as FILE.sig or FILE.asc. The policy is the
    trusted one. Exit codes: 0 every rule takes it, 1 one does not, 2 the call or the policy is wrong, 3 could not
    decide.
    """
    from ptguard.judging import request_now

    try:
        found = examine(request_now(folder, choice(policy_ref, policy_file)), file)
    except PtguardError as error:
        if format_ == "text":
            raise
        click.echo(documents.document(_stopped(error)), nl=False)
        return error.exit_code
    if format_ == "json":
        click.echo(documents.document(_object(found)), nl=False)
    else:
        for line in _lines(found, color=wants_color(sys.stdout)):
            click.echo(line)
    if found.undecided:
        return ExitCode.UNDECIDED
    return ExitCode.ACCEPTED if found.stands else ExitCode.REFUSED


def _lines(found: Examined, *, color: bool) -> Iterator[str]:
    yield shown(found.path)
    for ruling in found.rulings:
        if ruling.findings:
            for finding in ruling.findings:
                yield from finding_lines(finding, ruling.rule, color=color)
        else:
            yield f"  {_MARKS[ruling.status]} {ruling.rule:<{_WIDTH}}{ruling.words}"
    at = f" at {found.policy.commit[:12]}" if found.policy.commit else ""
    yield f"policy: {shown(found.policy.source)}{at}, sha256 {found.policy.sha256[:12]}"
    word = "the record stands" if found.stands else "the record does not stand"
    yield f"ptguard: {word} for HEAD ({found.commit})"


def _object(found: Examined) -> dict[str, Any]:
    return {
        "schema": SCHEMA,
        "decision": documents.decision(accepted=found.stands),
        "record": found.path,
        "commit": found.commit,
        "judged_at": documents.instant(found.judged_at),
        "policy": documents.policy_object(found.policy),
        "rules": [_rule(ruling) for ruling in found.rulings],
    }


def _rule(ruling: Ruling) -> dict[str, Any]:
    return {
        "rule": ruling.rule,
        "status": ruling.status.value,
        "words": ruling.words,
        "findings": [documents.finding_object(finding) for finding in ruling.findings],
    }


def _stopped(error: PtguardError) -> dict[str, Any]:
    refused = documents.decision(accepted=False)
    return {"schema": SCHEMA, "decision": refused, "error": documents.error_object(error), "rules": []}
