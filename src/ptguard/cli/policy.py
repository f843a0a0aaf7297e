"""``ptguard policy-check``: the policy of the working tree, read as it would be if it were trusted.

This is what the pre-commit hook ``ptguard-policy`` calls, so that a mistake is found before it is committed and
not when the next tag is refused. It decides nothing: a policy counts only from where it is trusted.
"""

from collections.abc import Iterator
from pathlib import Path

import click

from ptguard.checks import discover
from ptguard.errors import ExitCode, PolicyError
from ptguard.gateways.files import read_regular
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
    if path.parent.is_symlink():
        raise PolicyError(f"the policy {shown(str(path))} cannot be read: its folder is a symbolic link")
    text = read_regular(path.parent, path.name, _MAX_BYTES)
    if isinstance(text, Problem):
        fix = None if path.exists() else "ptguard init"
        raise PolicyError(f"the policy {shown(str(path))} cannot be read: {text.message}", fix=fix)
    return parse_policy(
        text,
        source=str(path),
        commit=None,
        read=lambda name: read_regular(path.parent, name, _MAX_BYTES),
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


@click.command("policy-check")
@click.argument("path", required=False, type=click.Path(path_type=Path))
def command(path: Path | None) -> ExitCode:
    """Check a policy file: PATH, or .ptguard/policy.toml below the current folder."""
    try:
        policy = check_policy(path or POLICY_PATH)
    except PolicyError as error:
        for line in error.problems or (error.message,):
            click.echo(line, err=True)
        if error.fix:
            click.echo(f"mend: {error.fix}", err=True)
        return ExitCode.USAGE
    click.echo(f"{shown(str(path or POLICY_PATH))} is fine: {summary(policy)}")
    return ExitCode.ACCEPTED
