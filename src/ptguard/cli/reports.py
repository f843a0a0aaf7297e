"""Where the reports of a call go: standard output, files beside it, the job summary of GitHub Actions."""

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

import click

from ptguard.errors import PtguardError, ToolFailedError
from ptguard.gateways.files import append_text
from ptguard.model import Verdict
from ptguard.report import FORMATS, Format, load
from ptguard.terminal import wants_color
from ptguard.text import shown

MAX_SUMMARY_BYTES: Final = 1 << 20
"""GitHub takes that much of a step ("Workflow commands", Step isolation and limits), and nothing of a larger one."""
_CUT: Final = "\n\nThe summary ends here: it may not be larger. `ptguard verify --format json` has all of it.\n"

Document = Callable[[Format], str]


def places(context: click.Context, option: click.Parameter, given: tuple[str, ...]) -> tuple[tuple[str, Path], ...]:
    """Give each ``FORMAT=PATH`` as a pair; a click callback.

    Raises:
        click.BadParameter: one is not of that form, or names no format.
    """
    found = []
    for text in given:
        name, _, path = text.partition("=")
        if name not in FORMATS or not path:
            words = f"{shown(text, 80)} is not FORMAT=PATH, with one of {', '.join(FORMATS)}"
            raise click.BadParameter(words, context, option)
        found.append((name, Path(path)))
    return tuple(found)


def tell(format_: str, also: tuple[tuple[str, Path], ...], outcome: Verdict | PtguardError) -> None:
    """Write all reports of ``outcome``: those beside standard output first, so that a failure is not told as success.

    Raises:
        ToolFailedError: a file could not be written.
    """
    tell_beside(also, outcome)
    if format_ == "github":
        _summarize(outcome)
    sys.stdout.write(_document(load(format_), outcome, color=wants_color(sys.stdout)))


def tell_beside(also: tuple[tuple[str, Path], ...], outcome: Verdict | PtguardError) -> None:
    """Write the reports of ``outcome`` that go to files.

    Raises:
        ToolFailedError: one could not be written.
    """
    for name, path in also:
        try:
            path.write_text(_document(load(name), outcome, color=False), "utf-8", "backslashreplace")
        except OSError as error:
            raise ToolFailedError(
                f"the report {shown(str(path))} cannot be written: {error.strerror}", fix="name another path"
            ) from error


def _document(report: Format, outcome: Verdict | PtguardError, *, color: bool) -> str:
    if isinstance(outcome, PtguardError):
        return report.error(outcome, color=color)
    return report.verdict(outcome, color=color)


def _summarize(outcome: Verdict | PtguardError) -> None:
    """Add the verdict to the job summary, where there is one; what goes wrong there is said and decides nothing."""
    path = os.environ.get("GITHUB_STEP_SUMMARY")
    if not path:
        return
    text = _document(load("markdown"), outcome, color=False)
    try:
        append_text(Path(path), text + "\n", MAX_SUMMARY_BYTES, _CUT)
    except OSError as error:
        sys.stderr.write(f"ptguard: note: the job summary cannot be written: {error.strerror}\n")
