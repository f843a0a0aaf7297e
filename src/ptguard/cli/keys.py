"""``ptguard keys``: who may release what, and changes to that, in the policy of the work tree."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ptguard.cli.common import choice, in_folder, policy_choice
from ptguard.errors import ExitCode, PtguardError, UsageError
from ptguard.text import sh, shown

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ptguard.keys.change import Change
    from ptguard.keys.listing import Lives
    from ptguard.model import KeyStatus, OpenPgpKey


@click.group("keys")
def command() -> None:
    """Show who may release what; add a key, retire one, call one compromised.

    Changes are made to .ptguard/ of the work tree only, and count once they are on the trust branch.
    """


@command.command("list")
@click.option("--format", "format_", type=click.Choice(["text", "json"]), default="text", help="How to report.")
@policy_choice
@in_folder
def list_(*, format_: str, policy_ref: str | None, policy_file: Path | None, folder: Path) -> ExitCode:
    """Show every key of the trusted policy: whose, for what, until when; within 30 days of its end it is marked."""
    from ptguard.judging import request_now, trusted_policy
    from ptguard.keys.listing import as_json, as_text, rows
    from ptguard.model import OpenPgpKey

    request = request_now(folder, choice(policy_ref, policy_file))
    policy = trusted_policy(request)
    keys = [key for signer in policy.signers.values() for key in signer.keys if isinstance(key, OpenPgpKey)]
    found = rows(policy, _lives(keys) if keys else {}, request.now)
    click.echo(
        json.dumps({"keys": as_json(found)}, indent=2) if format_ == "json" else as_text(found), nl=format_ == "json"
    )
    return ExitCode.ACCEPTED


def _lives(keys: "Sequence[OpenPgpKey]") -> "Lives":
    from ptguard.gateways.openpgp import OpenPgp
    from ptguard.judging import temporary_home

    with temporary_home() as home:
        try:
            return OpenPgp(home, keys).lives()
        except PtguardError as error:
            click.echo(f"ptguard: {error.message}", err=True)
            return {}


@command.command("add")
@click.argument("signer")
@click.argument("key", required=False)
@click.option("--name", metavar="NAME", help="What a new signer is called.")
@click.option("--dry-run", is_flag=True, help="Show the change and write nothing.")
@in_folder
def add(*, signer: str, key: str | None, name: str | None, dry_run: bool, folder: Path) -> ExitCode:
    """Give SIGNER one more KEY (default: the one that git signs with).

    KEY is a full OpenPGP fingerprint of your keyring, an armored key file, an SSH .pub file, or its line.
    """
    from ptguard.keys.change import add as added
    from ptguard.keys.found import find
    from ptguard.model import OpenPgpKey
    from ptguard.policy import values
    from ptguard.policy.table import WrongError

    try:
        values.signer_id(signer)
    except WrongError as wrong:
        raise UsageError(
            f"{shown(signer, 80)} is no id of a signer: {wrong.may}", fix="ptguard keys add li-wei …"
        ) from wrong
    top = _top(folder)
    found = find(key, top)
    lives = _lives([OpenPgpKey(found.fingerprint, "", found.public)]) if found.kind == "openpgp" else {}
    change = added(top, signer, found, name, lives=lives, now=datetime.now(UTC))
    return _made(top, change, dry_run=dry_run)


@command.command("retire")
@click.argument("fingerprint")
@click.option("--dry-run", is_flag=True, help="Show the change and write nothing.")
@in_folder
def retire(*, fingerprint: str, dry_run: bool, folder: Path) -> ExitCode:
    """Let the key FINGERPRINT sign nothing new from now on; it keeps what it signed."""
    from ptguard.model import KeyStatus

    return _set(fingerprint, KeyStatus.RETIRED, dry_run=dry_run, folder=folder)


@command.command("compromise")
@click.argument("fingerprint")
@click.option("--dry-run", is_flag=True, help="Show the change and write nothing.")
@in_folder
def compromise(*, fingerprint: str, dry_run: bool, folder: Path) -> ExitCode:
    """Let nothing count that the key FINGERPRINT ever signed."""
    from ptguard.model import KeyStatus

    return _set(fingerprint, KeyStatus.COMPROMISED, dry_run=dry_run, folder=folder)


def _set(fingerprint: str, status: "KeyStatus", *, dry_run: bool, folder: Path) -> ExitCode:
    from ptguard.keys.change import set_status

    top = _top(folder)
    return _made(top, set_status(top, fingerprint, status, datetime.now(UTC)), dry_run=dry_run)


def _top(folder: Path) -> Path:
    from ptguard.gateways.repo import layout

    top = layout(folder).top
    if top is None:
        start = sh(str(folder.absolute()))
        raise UsageError("a bare repository has no work tree to change", fix=f"git clone {start} DIR && cd DIR")
    return top


def _made(top: Path, change: "Change", *, dry_run: bool) -> ExitCode:
    from ptguard.keys.change import write

    click.echo(change.diff(), nl=False)
    if not dry_run:
        write(top, change)
    for note in change.notes:
        click.echo(f"note: {note}")
    step = sh("git", "add", *change.files) + " && " + sh("git", "commit", "-m", "Change who may release")
    click.echo(f"{'would be' if dry_run else 'next'}: {step}   # then bring it to the trust branch")
    return ExitCode.ACCEPTED
