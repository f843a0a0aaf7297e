"""``ptguard demo``: see the guard at work in a minute, in a folder that is gone afterwards."""

import tempfile
from pathlib import Path
from typing import Final

import click

from ptguard.demo.story import Told, play
from ptguard.demo.world import World
from ptguard.errors import ExitCode
from ptguard.text import shown

PREFIX: Final = "ptguard-demo-"
LONGEST: Final = 60
INTRODUCTION: Final = """\
A small PyTorch project, a bare remote and throwaway keys are made in a temporary folder; then tags are
really pushed. No GPU is needed: the demo's policy asks for device "cpu" and takes the operator's word for
the image, which a real policy would not do. The smoke record of each good tag is really made on this machine
by `ptguard smoke --runner local`: it runs the project's own check and the runner's throwaway key signs it.
The record that saw "another torch" is written by hand, with that same key.
"""


@click.command("demo")
@click.option("--keep", is_flag=True, help="Keep the folder and say where it is.")
def command(keep: bool) -> ExitCode:  # noqa: FBT001 - click passes flags by name
    """Push bad tags and good ones for real, in a temporary folder, and show what the guard says to each.

    Exit codes: 0 all came as it must, 1 something did not, 3 the demo could not go on.
    """
    click.echo(INTRODUCTION)
    if keep:
        folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=_short()))
        try:
            return _run(folder)
        finally:
            click.echo(f"kept in {folder}")
    with tempfile.TemporaryDirectory(prefix=PREFIX, dir=_short(), ignore_cleanup_errors=True) as name:
        return _run(Path(name))


def _short() -> str | None:
    """Give the folder to work in: gpg's agent needs a short path for its socket (unix(7): 108 bytes)."""
    return "/tmp" if len(tempfile.gettempdir()) > LONGEST else None  # noqa: S108 - mkdtemp makes the name there


def _run(folder: Path) -> ExitCode:
    told: list[Told] = []
    world = World.under(folder)
    try:
        world.build()
        for outcome in play(world):
            told.append(outcome)
            _show(len(told), outcome)
    finally:
        world.close()
    return _sum(told)


def _show(number: int, told: Told) -> None:
    click.echo(f"── {number}. {told.step.title}")
    click.echo(f"   $ git push origin {' '.join(told.step.push)}")
    for line in told.screen.splitlines():
        click.echo(f"   {shown(line)}")
    click.echo()


def _sum(told: list[Told]) -> ExitCode:
    width = max(len(outcome.step.title) for outcome in told)
    for number, outcome in enumerate(told, 1):
        word = "accepted" if outcome.step.reason is None else f"refused: {outcome.step.reason}"
        mark = word if outcome.as_expected else f"NOT AS EXPECTED ({word})"
        click.echo(f"{number}. {outcome.step.title:<{width}}  {mark}")
    wrong = sum(not outcome.as_expected for outcome in told)
    refused = sum(outcome.step.reason is not None for outcome in told if outcome.as_expected)
    click.echo(
        f"\n{refused} bad pushes refused, {len(told) - refused - wrong} good ones accepted, {wrong} not as expected"
    )
    return ExitCode.REFUSED if wrong else ExitCode.ACCEPTED
