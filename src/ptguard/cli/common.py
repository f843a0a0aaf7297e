"""What the commands share: where they stand, how the policy is named."""

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import click

from ptguard.trust import Choice

F = TypeVar("F", bound=Callable[..., object])


def in_folder(function: F) -> F:
    """Add ``-C DIR``: run as if started there."""
    option = click.option(
        "-C",
        "folder",
        type=click.Path(exists=True, file_okay=False, path_type=Path),
        default=Path(),
        metavar="DIR",
        help="Run as if started in DIR.",
    )
    return option(function)


def on_server(function: F) -> F:
    """Add ``--server PATH`` and ``--layout``: a repository on a server instead of a clone."""
    for option in (
        click.option(
            "--layout",
            type=click.Choice(["bare", "gitea", "gitlab"]),
            help="With --server: whose folders the repository has; found out where it is not given.",
        ),
        click.option(
            "--server",
            type=click.Path(exists=True, file_okay=False, path_type=Path),
            metavar="PATH",
            help="The repository on a server at PATH instead of this clone.",
        ),
    ):
        function = option(function)
    return function


def policy_choice(function: F) -> F:
    """Add ``--policy-ref`` and ``--policy-file``."""
    for option in (
        click.option("--policy-ref", metavar="REF", help="Take the policy from this ref instead of the trust branch."),
        click.option(
            "--policy-file", type=click.Path(path_type=Path), metavar="PATH", help="Take the policy from this file."
        ),
    ):
        function = option(function)
    return function


def choice(policy_ref: str | None, policy_file: Path | None) -> Choice:
    """Give the two options as one value; a relative file is meant from where the user stands."""
    return Choice(policy_file.absolute() if policy_file else None, policy_ref)
