"""``ptguard policy-check``: the policy of the working tree, read as it would be if it were trusted.

This is what the pre-commit hook ``ptguard-policy`` calls, so that a mistake is found before it is committed and
not when the next tag is refused. It decides nothing: a policy counts only from where it is trusted.
"""

import os
import stat
import sys
from collections.abc import Iterator
from pathlib import Path

import click

from ptguard.checks import discover
from ptguard.errors import ExitCode, PolicyError
from ptguard.model import Policy, Problem
from ptguard.policy import parse_policy
from ptguard.text import shown

POLICY_PATH = Path(".ptguard", "policy.toml")
_MAX_BYTES = 1 << 20


def check_policy(path: Path) -> Policy:
    """Give the policy file ``path``, with its keys from the ``keys`` folder beside it.

    Raises:
        PolicyError: it cannot be read or has mistakes, one line for each in ``problems``.
    """
    text = _read(path.parent, path.name)
    if isinstance(text, Problem):
        fix = None if path.exists() else "ptguard init"
        raise PolicyError(f"the policy {shown(str(path))} cannot be read: {text.message}", fix=fix)
    return parse_policy(
        text,
        source=str(path),
        commit=None,
        read=lambda name: _read(path.parent, name),
        checks=tuple(discover()),
        trust_branch=None,
    )


def summary(policy: Policy) -> str:
    """Say in one line who may sign what."""
    return "; ".join((*_rules(policy), f"any other tag: {policy.unmatched}"))


def _rules(policy: Policy) -> Iterator[str]:
    for rule in policy.rules:
        if "signature" not in rule.checks:
            yield f"{shown(rule.pattern)} by anyone, unsigned"
        else:
            yield f"{shown(rule.pattern)} by {', '.join(rule.signers) or 'nobody'}"


def _read(folder: Path, name: str) -> bytes | Problem:
    """Give the regular file ``name`` below ``folder``, following no link that stands in ``name``, or in its way."""
    try:
        for part in (folder, *(folder / parent for parent in Path(name).parents)):
            if not stat.S_ISDIR(part.lstat().st_mode):
                return Problem("not-a-folder", f"{part} is a link or no folder")
        descriptor = os.open(folder / name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        linked = (folder / name).is_symlink()
        return Problem("missing-file", f"{name}: {'a symbolic link' if linked else error.strerror}")
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        return Problem("not-a-file", f"{name} is no regular file")
    with os.fdopen(descriptor, "rb") as file:
        return file.read(_MAX_BYTES + 1)


@click.command("policy-check")
@click.argument("path", required=False, type=click.Path(path_type=Path))
def command(path: Path | None) -> None:
    """Check a policy file: PATH, or .ptguard/policy.toml below the current folder."""
    try:
        policy = check_policy(path or POLICY_PATH)
    except PolicyError as error:
        for line in error.problems or (error.message,):
            click.echo(line, err=True)
        if error.fix:
            click.echo(f"mend: {error.fix}", err=True)
        sys.exit(ExitCode.USAGE)
    click.echo(f"{shown(str(path or POLICY_PATH))} is fine: {summary(policy)}")
