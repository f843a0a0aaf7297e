"""Running a program of a smoke run: fed, listened to as it speaks, bounded, in a process group of its own."""

import os
import selectors
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Final

from ptguard.errors import ToolFailedError
from ptguard.gateways.process import kill_group, started
from ptguard.text import shown
from ptguard.value import value

_TAIL: Final = 1 << 16
_TAIL_LINES: Final = 20
_CHUNK: Final = 1 << 16
_LINGER: Final = 0.2
_TICK: Final = 0.05
_PROGRESS: Final = b"probe: "

Say = Callable[[str], None]
"""Takes one line of progress, for the person who waits."""


@value
class Outcome:
    """How a program ended: ``exit`` is negative where a signal ended it; ``tail`` the last of what it printed."""

    exit: int
    answer: bytes
    tail: bytes
    seconds: float


def ended(status: int) -> str:
    """Say how a program ended, by its exit status; a negative one is the signal's."""
    if status >= 0:
        return f"ended with status {status}"
    known = {s.value: s.name for s in signal.Signals}
    why = ", out of memory?" if status == -signal.SIGKILL else ""
    return f"was killed by {known.get(-status, f'signal {-status}')}{why}"


def last_line(tail: bytes) -> str:
    """Give the last line of what was printed, for the end of a sentence."""
    lines = [line for line in tail.decode("utf-8", "backslashreplace").splitlines() if line.strip()]
    return f": {shown(lines[-1].strip(), 300)}" if lines else " and said nothing"


def tell(outcome: Outcome, say: Say) -> None:
    """Say the last lines that a program printed."""
    for line in outcome.tail.decode("utf-8", "backslashreplace").splitlines()[-_TAIL_LINES:]:
        say(f"  {shown(line)}")


class _Talk:
    """A running program: what it is fed, its answer, the end of what it prints, its lines of progress as they come."""

    def __init__(self, process: "subprocess.Popen[bytes]", stdin: bytes, say: Say, keep: int | None) -> None:
        assert process.stdin is not None and process.stdout is not None and process.stderr is not None  # noqa: S101, PT018
        self.answer = self.tail = self._line = b""
        self._left, self._say, self._keep = stdin, say, keep
        self._in, self._out = process.stdin, process.stdout
        self._pid = process.pid
        self._selector = selectors.DefaultSelector()
        os.set_blocking(self._in.fileno(), False)
        self._selector.register(self._in, selectors.EVENT_WRITE)
        self._open = {process.stdout.fileno(), process.stderr.fileno()}
        for descriptor in self._open:
            self._selector.register(descriptor, selectors.EVENT_READ)

    def to_the_end(self, deadline: float, name: str) -> None:
        """Feed and listen until the program has ended and its pipes are empty (or held open by a child of it)."""
        ended = None
        with self._selector:
            while ended is None or (self._open and time.monotonic() < ended + _LINGER):
                if ended is None and self._has_ended():
                    ended = time.monotonic()
                if ended is None and time.monotonic() > deadline:
                    fix = "ptguard smoke --timeout SECONDS …"
                    raise ToolFailedError(f"{shown(name)} did not end in time and was stopped", fix=fix)
                for key, _ in self._selector.select(_TICK):
                    self._feed() if key.fileobj is self._in else self._read(key.fd)
                if self._keep is not None and len(self.answer) > self._keep:
                    raise ToolFailedError(f"{shown(name)} answered more than {self._keep} bytes and was stopped")

    def _has_ended(self) -> bool:
        # WNOWAIT leaves the zombie, so that its group can still be killed without hitting a stranger's.
        return os.waitid(os.P_PID, self._pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None

    def _feed(self) -> None:
        try:
            self._left = self._left[os.write(self._in.fileno(), self._left[:_CHUNK]) :] if self._left else b""
        except BlockingIOError:
            return
        except BrokenPipeError:  # it does not listen
            self._left = b""
        if not self._left:
            self._selector.unregister(self._in)
            self._in.close()

    def _read(self, descriptor: int) -> None:
        chunk = os.read(descriptor, _CHUNK)
        if not chunk:
            self._selector.unregister(descriptor)
            self._open.discard(descriptor)
        elif self._keep is not None and descriptor == self._out.fileno():
            self.answer += chunk
        else:
            self.tail = (self.tail + chunk)[-_TAIL:]
            *lines, rest = (self._line + chunk).split(b"\n")
            self._line = rest[-_CHUNK:]
            for line in lines:
                if line.startswith(_PROGRESS):
                    self._say(shown(line, 200))


def converse(
    argv: Sequence[str],
    *,
    stdin: bytes,
    cwd: Path,
    timeout: float,
    say: Say,
    keep: int | None = None,
    extra: Mapping[str, str] = MappingProxyType({}),
) -> Outcome:
    """Run ``argv`` to its end; its group is killed when it has ended, at the time limit, and at any error here.

    ``keep`` is how many bytes of standard output make an answer, more is an error; with None all that is printed
    is only kept as the tail. ``timeout`` in seconds; ``extra`` goes into the program's environment.

    Raises:
        ToolMissingError: there is no such program.
        ToolFailedError: it could not be started, took too long or said too much.
    """
    begun = time.monotonic()
    # Bytecode that a run leaves in the work tree would make the next run dirty.
    with started(argv, env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1", **extra}, cwd=cwd) as process:
        talk = _Talk(process, stdin, say, keep)
        talk.to_the_end(begun + timeout, argv[0])
        seconds = time.monotonic() - begun
        kill_group(process)  # whatever it started and left behind
        return Outcome(process.wait(), talk.answer, talk.tail, seconds)
