"""``ptguard smoke``: try the source tree in its image and write the signed record of it."""

import os
import shlex
from collections.abc import Callable
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

import click

from ptguard.cli import LazyGroup
from ptguard.cli.common import choice, in_folder, policy_choice
from ptguard.errors import ExitCode, UsageError
from ptguard.smoke import RUNNERS
from ptguard.text import sh, shown

if TYPE_CHECKING:
    from ptguard.model import Policy
    from ptguard.smoke.launch import Runner
    from ptguard.smoke.run import Made


class _SmokeGroup(LazyGroup):
    modules = MappingProxyType({"show": "smoke_show", "verify": "smoke_verify"})


@click.group("smoke", cls=_SmokeGroup, invoke_without_command=True)
@click.option("--image", metavar="REF", help="The image of the run (default: the declared one; local: must be said).")
@click.option(
    "--runner",
    type=click.Choice(RUNNERS),
    default="auto",
    help="Where to run: in a container, or local: on this machine as it is. auto: an engine if one answers.",
)
@click.option("--sign", "sign_with", metavar="KEY", help="SSH key file or full OpenPGP fingerprint (default: git's).")
@click.option("--command", "try_", metavar="WORDS", help="The project's own check (default: the policy's).")
@click.option(
    "--framework",
    type=click.Choice(["auto", "torch", "jax", "tensorflow", "none"]),
    default="auto",
    help="What to try; auto: the first that is installed.",
)
@click.option(
    "--timeout", type=click.FloatRange(1, 86400), default=1800.0, metavar="SECONDS", help="For the whole run."
)
@click.option("--quick", is_flag=True, help="Fewer and smaller checks: under 20 s on a GPU.")
@click.option("--no-judge", is_flag=True, help="Run although version, changelog or image would be refused.")
@click.option("--allow-dirty", is_flag=True, help="Run with uncommitted changes; no tag passes with such a record.")
@click.option("--output", type=click.Path(path_type=Path), metavar="PATH", help="The record's file, ending in .json.")
@click.option("--python", metavar="PATH", help="The interpreter that has the framework (default: python on PATH).")
@policy_choice
@in_folder
@click.pass_context
def command(
    context: click.Context,
    *,
    image: str | None,
    runner: str,
    sign_with: str | None,
    try_: str | None,
    framework: str,
    timeout: float,
    quick: bool,
    no_judge: bool,
    allow_dirty: bool,
    output: Path | None,
    python: str | None,
    policy_ref: str | None,
    policy_file: Path | None,
    folder: Path,
) -> ExitCode:
    """Try HEAD in the declared image: facts, devices, checks, the project's own command; sign the record.

    With docker or podman the image is run by digest, without a network, with nothing mounted but, for the project's
    own command, a read-only copy of HEAD. The record is written where the policy has it; commit it and tag that
    commit.

    Exit codes: 0 passed, 1 failed (the record says so), 2 the policy would not take such a run, 3 the run did not
    come to an end.
    """
    if context.invoked_subcommand is not None:
        return ExitCode.ACCEPTED  # what the command below gives is what counts
    from ptguard.judging import request_now
    from ptguard.smoke.fit import refuse_unfit
    from ptguard.smoke.run import Order, make_record
    from ptguard.smoke.sign import choose
    from ptguard.smoke.target import find_target, reference

    root, named = _root(folder), choice(policy_ref, policy_file)
    target = find_target(root, named)
    chosen = _picked(runner, root, python, target.policy)
    order = Order(
        root, target.policy, reference(image), target.declared, choose(sign_with, _configured(root)), _words(try_),
        framework, "quick" if quick else "full", timeout, allow_dirty, output.absolute() if output else None,
    )  # fmt: skip
    if not no_judge:
        refuse_unfit(request_now(root, named), target.policy, _say)
    return _told(make_record(order, chosen, _say), root)


def _root(folder: Path) -> Path:
    """Give the root of the work tree that ``folder`` lies in."""
    from ptguard.gateways.repo import layout

    root = layout(folder).top
    if root is None:
        raise UsageError("a bare repository has no work tree that could be tried", fix="git clone …")
    return root


def _picked(name: str, root: Path, python: str | None, policy: "Policy") -> "Runner":
    """Give the runner called ``name``; where ``auto`` comes down to this machine, that is said."""
    from ptguard.smoke.launch import pick

    found = pick(name, root, python, policy.smoke.device if policy.smoke else "cpu")
    if name == "auto" and found.name == "local":
        _say("neither docker nor podman answers here, so this machine is tried as it is (local)")
    return found


def _say(line: str) -> None:
    click.echo(f"ptguard: {line}", err=True)


def _told(made: "Made", root: Path) -> ExitCode:
    """Say what was written and what to do with it."""
    inside = Path.cwd().is_relative_to(root)
    files = [os.path.relpath(path, Path.cwd() if inside else root) for path in (made.record, made.signature)]
    click.echo(f"{'passed' if made.passed else 'FAILED'}: wrote {shown(files[0])} and its signature")
    if not made.passed:
        click.echo("ptguard: no tag passes with this record: mend what fails, then run again", err=True)
        return ExitCode.REFUSED
    git = ("git",) if inside else ("git", "-C", str(root))
    add, commit = sh(*git, "add", *files), sh(*git, "commit", "-m", "Record the smoke run")
    click.echo(f"next: {add} && {commit}   # then push the branch, and: ptguard tag NAME")
    return ExitCode.ACCEPTED


def _words(text: str | None) -> tuple[str, ...] | None:
    """Give the words of ``--command`` as a POSIX shell splits them; no shell runs them."""
    if text is None:
        return None
    try:
        words = tuple(shlex.split(text))
    except ValueError as error:
        raise UsageError(f"--command cannot be split into words: {error}", fix="close the quotation") from error
    if not words:
        raise UsageError("--command is empty", fix="ptguard smoke --command 'python -m pytest -q tests/smoke'")
    return words


def _configured(root: Path) -> Callable[[str], str | None]:
    """Give how a value of git's configuration is read, as the user has it."""

    def get(name: str) -> str | None:
        from ptguard.gateways.process import run

        done = run(["git", "config", "--get", name], env=dict(os.environ), cwd=root)
        return done.stdout.decode("utf-8", "surrogateescape").removesuffix("\n") if done.returncode == 0 else None

    return get
