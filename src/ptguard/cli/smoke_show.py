"""``ptguard smoke show``: what smoke records say, for a reader; nothing of it is believed."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import click

from ptguard.cli.common import choice, in_folder, policy_choice
from ptguard.errors import ExitCode, PtguardError
from ptguard.facts import cudnn_version
from ptguard.report import json as documents
from ptguard.smoke.show import Told, told
from ptguard.text import sh, shown

SCHEMA: Final = "ptguard.smoke-show/1"
_WIDTH: Final = 11
_NOT_SAID: Final = "none"


@click.command("show")
@click.argument("named", required=False, metavar="[FILE|TAG]")
@click.option("--format", "format_", type=click.Choice(["text", "json"]), default="text", help="How to report.")
@policy_choice
@in_folder
def command(
    *, named: str | None, format_: str, policy_ref: str | None, policy_file: Path | None, folder: Path
) -> ExitCode:
    """Show what the record in FILE says, or those in the tree of TAG (default: HEAD).

    It is shown, not judged: see `ptguard smoke verify` and `ptguard verify`. Who signed is said by the trusted
    policy, where there is one. Exit codes: 0 shown, 1 there is no record or one cannot be read, 2 the call or the
    policy is wrong, 3 could not decide.
    """
    from ptguard.judging import request_now

    try:
        found = told(request_now(folder, choice(policy_ref, policy_file)), named)
    except PtguardError as error:
        if format_ == "text":
            raise
        said = {"schema": SCHEMA, "error": documents.error_object(error), "records": []}
        click.echo(documents.document(said), nl=False)
        return error.exit_code
    if format_ == "json":
        click.echo(documents.document({"schema": SCHEMA, "records": [_object(one) for one in found]}), nl=False)
    else:
        for one in found:
            for line in _lines(one):
                click.echo(line)
        if found:
            click.echo("ptguard: shown as it stands there, not judged: ptguard smoke verify FILE", err=True)
    if not found:
        click.echo(f"ptguard: there is no smoke record in {shown(named or 'HEAD')}", err=True)
    return ExitCode.REFUSED if not found or any(one.problem for one in found) else ExitCode.ACCEPTED


def _object(one: Told) -> dict[str, Any]:
    signed, problem = one.signature, one.problem
    return {
        "path": one.path,
        "record": one.statement,
        "signature": signed
        and {
            "state": signed.state,
            "words": signed.words,
            "signer": signed.signer,
            "fingerprint": signed.fingerprint,
        },
        "problem": problem and {"reason": problem.reason, "message": problem.message, "fix": problem.fix},
    }


def _lines(one: Told) -> Iterator[str]:
    yield shown(one.path)
    if one.statement is None or one.signature is None:
        problem = one.problem
        yield from _row("", f"{problem.reason}: {problem.message}" if problem else "it cannot be read")
        return
    for label, words in _rows(one.statement):
        yield from _row(label, words)
    yield from _row("signature", one.signature.words)


def _row(label: str, words: str) -> Iterator[str]:
    yield f"  {label:<{_WIDTH}}{shown(words, 1000)}".rstrip()


def _rows(statement: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Give the label and the words of each line; a label that is repeated is left empty."""
    predicate, (tree, *images) = statement["predicate"], statement["subject"]
    ours = predicate["configuration"][0]["annotations"]
    source, launcher = ours["source"], ours["launcher"]
    yield "result", f"{predicate['result']}, mode {ours['mode']}, framework {_said(ours['framework'])}"
    for image in images:
        yield "image", image["uri"]
        yield "digest", f"sha256:{image['digest']['sha256']}, told by {launcher['digestSource']}"
    if not images:
        yield "image", "none: run on the bare machine"
    left_out = ", ".join(tree["annotations"]["excluded"])
    yield (
        "tree",
        f"{tree['digest']['gitTree']} ({tree['annotations']['objectFormat']}), without {left_out or 'nothing'}",
    )
    yield "commit", source["commit"] + (", with uncommitted changes" if source["dirty"] else "")
    yield "ran", f"{ours['startedOn']} to {ours['finishedOn']}"
    yield "by", f"{launcher['runner']}, platform {launcher['platform']}, network {launcher['network']}"
    yield from _devices(ours)
    yield from _environment(ours["environment"])
    if ours["command"] is None:
        yield "command", _NOT_SAID
    else:
        ran = ours["command"]
        yield "command", f"{sh(*ran['argv'])} (exit status {ran['exit']}, {_number(ran['seconds'])} s)"
    yield from _checks(ours["checks"])


def _devices(ours: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    label = "devices"
    for device in ours["devices"]:
        memory = device["memoryBytes"]
        parts = (
            f"{ours['deviceKind']}:{device['index']}",
            device["name"],
            f"capability {device['capability']}" if device["capability"] else None,
            f"{memory / 2**30:.1f} GiB" if memory is not None else None,
            device["uuid"],
        )
        yield label, ", ".join(part for part in parts if part)
        label = ""
    if not ours["devices"]:
        yield label, f"{_NOT_SAID}, of kind {ours['deviceKind']}"


def _environment(seen: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    label = "saw"
    for name, value in seen.items():
        if value is not None:
            cudnn = f" ({cudnn_version(value)})" if name == "cudnn" and isinstance(value, int) else ""
            yield label, f"{name} {value}{cudnn}"
            label = ""


def _checks(checks: list[Mapping[str, Any]]) -> Iterator[tuple[str, str]]:
    width = max((len(check["id"]) for check in checks), default=0)
    label = "checks"
    for check in checks:
        parts = [f"{check['id']:<{width}}  {check['status']}"]
        if check["value"] is not None:
            limit = f" of {_number(check['limit'])}" if check["limit"] is not None else ""
            parts.append(f"{_number(check['value'])}{limit} {check['unit'] or ''}".rstrip())
        if check["seconds"] is not None:
            parts.append(f"{_number(check['seconds'])} s")
        if check["reason"]:
            parts.append(check["reason"])
        yield label, "  ".join(parts)
        label = ""
    if not checks:
        yield label, _NOT_SAID


def _number(value: float) -> str:
    return f"{value:.4g}"


def _said(value: str | None) -> str:
    return value or _NOT_SAID
