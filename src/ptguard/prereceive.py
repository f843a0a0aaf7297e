"""One push on a server, from the lines on standard input to the exit code: what ``hooks/pre-receive`` runs."""

import os
import signal
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from types import FrameType
from typing import Final

from ptguard.errors import ExitCode, PtguardError, ToolFailedError, unexpected
from ptguard.judging import Unjudged
from ptguard.model import Verdict
from ptguard.prepush import read_lines, warm_up
from ptguard.report.text import error as error_text
from ptguard.report.text import parts
from ptguard.server.receive import judge_received
from ptguard.verdict import exit_code

_GITLAB: Final = "GL-HOOK-ERR: "


def receive() -> ExitCode:
    """Judge the push whose lines stand on standard input; say on standard error what is found, and why.

    Under GitLab every line of a refusal begins so that GitLab shows it to who pushes.
    """
    try:
        verdict = _judge()
    except PtguardError as error:
        _say(error_text(error).splitlines(keepends=True), refused=True)
        return error.exit_code
    except Exception as error:  # whatever breaks must refuse, in words that reach who pushes
        _say(error_text(unexpected(error)).splitlines(keepends=True), refused=True)
        return ExitCode.UNDECIDED
    if isinstance(verdict, Unjudged):
        return ExitCode.ACCEPTED
    code = exit_code(verdict)
    _say(parts(verdict), refused=code is not ExitCode.ACCEPTED)
    return code


def _judge() -> Verdict | Unjudged:
    lines = read_lines()
    warm_up()
    with _bounded() as bound:
        return judge_received(lines, datetime.now(UTC), bound)


@contextmanager
def _bounded() -> Iterator[Callable[[float], None]]:
    """Give what is told in how many seconds the block must have ended, and calls it off when they are over.

    The block has its work done in another thread (:func:`ptguard.later.apart`): the alarm is raised in this one, which
    only waits.

    Raises:
        ToolFailedError: it took longer.
    """
    told: list[float] = []

    def late(number: int, frame: FrameType | None) -> None:
        del number, frame
        raise ToolFailedError(
            f"the push took longer to judge than {told[-1]:g} s and was refused",
            fix="push fewer tags at once   # or the administrator: git config --local ptguard.timeout 10m",
        )

    def bound(seconds: float) -> None:
        told.append(seconds)
        signal.setitimer(signal.ITIMER_REAL, seconds)

    before = signal.signal(signal.SIGALRM, late)
    try:
        yield bound
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _say(lines: Iterable[str], *, refused: bool) -> None:
    prefix = _GITLAB if refused and os.environ.get("GL_REPOSITORY") else ""
    sys.stderr.writelines(prefix + line for line in lines)
