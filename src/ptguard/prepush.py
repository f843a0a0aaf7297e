"""One push, from the lines on standard input to the exit code; what the hook runs, so nothing heavy is imported."""

import importlib
import sys
import threading
from contextlib import suppress
from typing import Final

from ptguard.errors import ExitCode, UsageError
from ptguard.judging import Request, Unjudged, judge_push
from ptguard.report.text import parts
from ptguard.terminal import wants_color
from ptguard.verdict import exit_code

MAX_LINES_BYTES: Final = 1 << 26
WANTED_SOON: Final = ("gnupg", "packaging.version", "dockerfile")


def _warm_up() -> None:
    """Import what the checks will want while git, gpg and ssh-keygen are waited for: 20 ms of the 180 of a push."""
    sys.setswitchinterval(0.0005)
    threading.Thread(target=_import_ahead, daemon=True).start()


def _import_ahead() -> None:
    for name in WANTED_SOON:
        with suppress(ImportError):  # who really needs it says so
            importlib.import_module(name)


def read_lines() -> bytes:
    """Give the lines that git hands to a hook on standard input, and begin to import what judging them will want.

    Raises:
        UsageError: they cannot be read, or are too many.
    """
    if sys.stdin is None:  # closed is not empty: nobody knows what is pushed
        raise UsageError("standard input is closed, so the refs of the push cannot be read", fix="git push")
    lines = sys.stdin.buffer.read(MAX_LINES_BYTES + 1)
    if len(lines) > MAX_LINES_BYTES:
        raise UsageError(f"the push has more than {MAX_LINES_BYTES} bytes of ref lines", fix="push fewer refs at once")
    _warm_up()
    return lines


def judge_stdin(request: Request, remote: str, url: str) -> ExitCode:
    """Judge the push to ``remote`` at ``url`` whose lines stand on standard input; say all on standard error.

    Raises:
        PtguardError: nothing could be judged; the push must be refused.
    """
    verdict = judge_push(request, remote, url, read_lines())
    if isinstance(verdict, Unjudged):
        if verdict.note:
            sys.stderr.write(f"ptguard: note: {verdict.note}\n")
        return ExitCode.ACCEPTED
    sys.stderr.writelines(parts(verdict, color=wants_color(sys.stderr)))
    return exit_code(verdict)
