"""One push on a server, from the lines on standard input to the exit code: what ``hooks/pre-receive`` runs."""

import os
import signal
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from types import FrameType
from typing import Final

from ptguard.errors import ExitCode, PtguardError, TooSlowError, unexpected
from ptguard.judging import Unjudged
from ptguard.prepush import read_lines, warm_up
from ptguard.report.text import error as error_text
from ptguard.report.text import parts
from ptguard.server.receipts import Receipts
from ptguard.server.receive import judge_received
from ptguard.text import shown
from ptguard.verdict import exit_code

_GITLAB: Final = "GL-HOOK-ERR: "


def receive() -> ExitCode:
    """Judge the push whose lines stand on standard input; say on standard error what is found, and why.

    Under GitLab every line of a refusal begins so that GitLab shows it to who pushes.

    Raises:
        KeyboardInterrupt: a signal came; the push must be refused.
    """
    receipts = Receipts(datetime.now(UTC))
    try:
        return _judge(receipts)
    except PtguardError as error:
        return _refuse(error, receipts)
    except Exception as error:  # whatever breaks must refuse, in words that reach who pushes
        return _refuse(unexpected(error), receipts)
    except KeyboardInterrupt:
        _keep(receipts, "interrupted")
        raise


def _judge(receipts: Receipts) -> ExitCode:
    lines = read_lines()
    warm_up()
    with _bounded() as bound:
        verdict = judge_received(lines, receipts, bound)
    if isinstance(verdict, Unjudged):
        return ExitCode.ACCEPTED
    code = exit_code(verdict)
    _say(parts(verdict), refused=code is not ExitCode.ACCEPTED)
    return code


def _refuse(error: PtguardError, receipts: Receipts) -> ExitCode:
    """Say why nothing was judged, keep that somebody tried, and give the exit code, which no receipt can change."""
    try:
        _say(error_text(error).splitlines(keepends=True), refused=True)
    finally:
        _keep(receipts, error.kind)
    return error.exit_code


def _keep(receipts: Receipts, kind: str) -> None:
    """Keep that the push was refused; where that cannot be done, say so. Nothing hangs on it any more."""
    try:
        receipts.unjudged(kind)
    except Exception as error:
        lost = error if isinstance(error, PtguardError) else unexpected(error)
        said = [f"ptguard: note: no receipt of this push is kept: {shown(lost.message)}\n"]
        if lost.fix:
            said.append(f"  mend      {shown(lost.fix)}\n")
        with suppress(OSError):
            _say(said, refused=True)


@contextmanager
def _bounded() -> Iterator[Callable[[float], None]]:
    """Give what is told in how many seconds the block must have ended, and calls it off when they are over.

    The block has its work done in another thread (:func:`ptguard.later.apart`): the alarm is raised in this one, which
    only waits.

    Raises:
        TooSlowError: it took longer.
    """
    told: list[float] = []

    def late(number: int, frame: FrameType | None) -> None:
        del number, frame
        raise TooSlowError(
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
