"""The command line. Each command is a module of its own, imported only when it is the one that was called."""

import importlib
from collections.abc import Mapping
from typing import Final

import click

from ptguard import __version__

COMMANDS: Final[Mapping[str, str]] = {
    "audit": "audit",
    "changelog-check": "changelog",
    "checks": "checks",
    "demo": "demo",
    "doctor": "doctor",
    "explain": "explain",
    "image": "image",
    "init": "init",
    "install": "install",
    "keys": "keys",
    "policy-check": "policy",
    "pre-commit-hook": "precommit",
    "pre-push": "pre_push",
    "pre-receive": "pre_receive",
    "smoke": "smoke",
    "tag": "tag",
    "uninstall": "uninstall",
    "verify": "verify",
}
"""Each command's name with its module in this package, which has it as ``command``."""


class LazyGroup(click.Group):
    """A group that imports a command's module when the command is asked for."""

    modules: Mapping[str, str] = COMMANDS

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Give the names of all commands."""
        del ctx
        return sorted(self.modules)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Give the command ``cmd_name``, or None where there is none."""
        del ctx
        module = self.modules.get(cmd_name)
        if module is None:
            return None
        command = importlib.import_module(f"{__name__}.{module}").command
        if not isinstance(command, click.Command):
            raise TypeError(f"{__name__}.{module}.command is no click command")
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Give the command that ``args`` begins with; where there is none, the error names the one that is near.

        Click looks among commands that are imported, and here none is.
        """
        if args[0] not in self.modules:
            from difflib import get_close_matches

            near = get_close_matches(args[0], self.modules, 1)
            if near:
                ctx.fail(f"No such command {args[0]!r}. Did you mean {near[0]!r}?")
        return super().resolve_command(ctx, args)


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="ptguard")
def cli() -> None:
    """Let a tag leave this clone only if it is a reproducible, signed, tested release."""
