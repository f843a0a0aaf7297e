"""One push, from the lines on standard input to the exit code; what the hook runs, so nothing heavy is imported."""

import importlib
import os
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ptguard.errors import ExitCode, UsageError
from ptguard.gateways.git import Git
from ptguard.gateways.onepush import remember, said_before
from ptguard.later import Later, apart

if TYPE_CHECKING:
    from ptguard.judging import Unjudged
    from ptguard.model import Verdict
    from ptguard.trust import Choice

MAX_LINES_BYTES: Final = 1 << 26
WANTED_SOON: Final = ("packaging.version", "dockerfile")


def warm_up() -> None:
    """Import what the checks will want while git, gpg and ssh-keygen are waited for: 20 ms of the 180 of a push."""
    sys.setswitchinterval(0.0005)
    threading.Thread(target=_import_ahead, daemon=True).start()


def _import_ahead() -> None:
    for name in WANTED_SOON:
        with suppress(ImportError):  # who really needs it says so
            importlib.import_module(name)


def read_lines() -> bytes:
    """Give the lines that git hands to a hook on standard input.

    Raises:
        UsageError: they cannot be read, or are too many.
    """
    if sys.stdin is None:  # closed is not empty: nobody knows what is pushed
        raise UsageError("standard input is closed, so the refs of the push cannot be read", fix="git push")
    lines = sys.stdin.buffer.read(MAX_LINES_BYTES + 1)
    if len(lines) > MAX_LINES_BYTES:
        raise UsageError(f"the push has more than {MAX_LINES_BYTES} bytes of ref lines", fix="push fewer refs at once")
    return lines


def judge_stdin(start: Path, remote: str, url: str, choice: "Choice | None" = None) -> ExitCode:
    """Judge the push to ``remote`` at ``url`` whose lines stand on standard input; say all on standard error.

    ``start`` is the folder of the clone, ``choice`` names another policy.

    Raises:
        PtguardError: nothing could be judged; the push must be refused.
    """
    lines = read_lines()
    push = (os.fsencode(remote), os.fsencode(url), lines)
    as_usual = start == Path() and choice is None
    if as_usual and (said := said_before(*push)) is not None:
        if said is not ExitCode.ACCEPTED:
            sys.stderr.write("ptguard: the tags were refused, see above; nothing was pushed\n")
        return said
    code = _say(_judged(start, remote, url, choice, lines))
    if as_usual:
        remember(code, *push)
    return code


def _say(verdict: "Verdict | Unjudged") -> ExitCode:
    """Say the verdict on standard error and give the exit code."""
    from ptguard.judging import Unjudged
    from ptguard.report.text import parts
    from ptguard.terminal import wants_color
    from ptguard.verdict import exit_code

    if isinstance(verdict, Unjudged):
        if verdict.note:
            sys.stderr.write(f"ptguard: note: {verdict.note}\n")
        return ExitCode.ACCEPTED
    sys.stderr.writelines(parts(verdict, color=wants_color(sys.stderr)))
    return exit_code(verdict)


@apart
def _judged(start: Path, remote: str, url: str, choice: "Choice | None", lines: bytes) -> "Verdict | Unjudged":
    """Judge, with git at work while the rest of the guard is imported: 10 ms of the 130 of a push."""
    with _opening(start) as opened:
        from ptguard.judging import judge_push, request_now

        warm_up()
        return judge_push(request_now(start, choice), remote, url, lines, opened)


@contextmanager
def _opening(start: Path) -> Iterator[Callable[[], Git]]:
    """Begin to open the repository of ``start``; give what waits for it. Its helpers end with the block."""
    opened = Later(lambda: _open(start))
    try:
        yield opened.result
    finally:
        with suppress(BaseException):  # who asked for it has heard it
            opened.result().close()


def _open(start: Path) -> Git:
    git = Git.open(start)
    git.local_config()
    return git
