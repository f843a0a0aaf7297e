"""Running the probe and the project's own check: bounded, in process groups of their own, nothing left behind."""

import json
import os
import platform
import secrets
import selectors
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final, Protocol

from ptguard.errors import ToolFailedError, UsageError
from ptguard.gateways.process import kill_group, started
from ptguard.parse import shape
from ptguard.parse.shape import Bad
from ptguard.parse.smoke import DEVICE_KINDS, FRAMEWORKS, checks_of, devices_of, environment_of
from ptguard.text import sh, shown
from ptguard.value import value

PROBE: Final = Path(__file__).with_name("probe.py")
PROBE_SCHEMA: Final = "ptguard.probe/1"
MAX_ANSWER: Final = 1 << 20
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


@value
class Report:
    """The probe's answer, in the form that a record takes but not yet believed."""

    framework: str | None
    device: str
    devices: list[Any]
    facts: dict[str, Any]
    checks: list[Any]


class Runner(Protocol):
    """Where the run happens. ``digest_source``: who tells the digest of the image that it happens in."""

    name: str
    digest_source: str
    network: str
    platform: str

    def probe(self, framework: str, timeout: float, say: Say) -> Report:
        """Run the probe for at most ``timeout`` seconds and give its answer."""
        ...

    def command(self, argv: Sequence[str], timeout: float, say: Say) -> Outcome:
        """Run the project's own check on the source tree for at most ``timeout`` seconds."""
        ...


def pick(name: str, root: Path, python: str | None) -> "LocalRunner":
    """Give the runner called ``name`` for the work tree ``root``; ``python`` None means the one on PATH.

    Raises:
        UsageError: there is no such runner here.
    """
    engine = next((e for e in ("docker", "podman") if shutil.which(e)), None)
    if name in ("docker", "podman") or (name == "auto" and engine):
        words = f"there is {engine} here, but " if name == "auto" else ""
        raise UsageError(
            f"{words}this version of ptguard starts no container yet",
            fix="ptguard smoke --runner local --image REF@sha256:…   # on a machine, or in a job, that runs the image",
        )
    wanted = python or shutil.which("python") or shutil.which("python3") or sys.executable
    found = shutil.which(wanted)
    if found is None:
        raise UsageError(f"{shown(wanted)} is no interpreter that can be run", fix="ptguard smoke --python PATH …")
    # The probe runs in an empty folder, where a path from here means nothing; links stay, a venv's python is one.
    return LocalRunner(root, str(Path(found).absolute()))


class LocalRunner:
    """Runs on this machine as it is. Which image that is can only be told by whoever calls it."""

    name = "local"
    digest_source = "operator"
    network = "host"

    def __init__(self, root: Path, python: str) -> None:
        """``root`` is the root of the work tree, ``python`` the interpreter that has the framework."""
        self.root = root
        self.python = python
        machine = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine() or "unknown")
        self.platform = f"{sys.platform}/{machine}"

    def probe(self, framework: str, timeout: float, say: Say) -> Report:
        """Run the probe in an empty folder, so that nothing of the repository is imported by it.

        Raises:
            ToolFailedError: it did not end well, said too much, or its answer is none of its own.
        """
        nonce = secrets.token_hex(16)
        with tempfile.TemporaryDirectory(prefix="ptguard-", ignore_cleanup_errors=True) as folder:
            argv = [self.python, "-", nonce, framework]
            done = converse(argv, stdin=PROBE.read_bytes(), cwd=Path(folder), timeout=timeout, say=say, keep=MAX_ANSWER)
        if done.exit != 0:
            raise ToolFailedError(f"the probe {_ended(done.exit)}{_last_line(done.tail)}", fix=_TRY.format(self.python))
        return read_report(done.answer, nonce)

    def command(self, argv: Sequence[str], timeout: float, say: Say) -> Outcome:
        """Run ``argv`` in the root of the work tree; what it prints last is said.

        Raises:
            ToolMissingError: there is no such program.
            ToolFailedError: it was killed or took too long; a status other than 0 is an outcome.
        """
        done = converse(argv, stdin=b"", cwd=self.root, timeout=timeout, say=lambda _: None)
        for line in done.tail.decode("utf-8", "backslashreplace").splitlines()[-_TAIL_LINES:]:
            say(f"  {shown(line)}")
        if done.exit < 0:
            raise ToolFailedError(f"{shown(sh(*argv), 120)} {_ended(done.exit)}")
        return done


_TRY: Final = "{} -c 'import torch; print(torch.cuda.is_available())'   # see what this machine says"


def _ended(status: int) -> str:
    if status >= 0:
        return f"ended with status {status}"
    known = {s.value: s.name for s in signal.Signals}
    why = ", out of memory?" if status == -signal.SIGKILL else ""
    return f"was killed by {known.get(-status, f'signal {-status}')}{why}"


def _last_line(tail: bytes) -> str:
    lines = [line for line in tail.decode("utf-8", "backslashreplace").splitlines() if line.strip()]
    return f": {shown(lines[-1].strip(), 300)}" if lines else " and said nothing"


# --------------------------------------------------------------------------------------------- the probe's answer


def read_report(data: bytes, nonce: str) -> Report:
    """Give the answer of the probe that was started with ``nonce``.

    Raises:
        ToolFailedError: there is none, or it is not one JSON document of the probe's own form.
    """
    if not data.strip():
        raise ToolFailedError("the probe ended without an answer", fix="run it again; see what was printed above")
    try:
        value = json.loads(data.decode("ascii"))
        keys = ("schema", "nonce", "mode", "framework", "deviceKind", "devices", "facts", "checks")
        found = shape.record(value, "the answer", keys)
        shape.one_of(found["schema"], "schema", (PROBE_SCHEMA,))
        shape.one_of(found["nonce"], "nonce", (nonce,))
        framework = found["framework"]
        devices_of(found["devices"])
        checks_of(found["checks"])
        return Report(
            None if framework is None else shape.one_of(framework, "framework", FRAMEWORKS),
            shape.one_of(found["deviceKind"], "deviceKind", DEVICE_KINDS),
            found["devices"],
            environment_of(found["facts"]),
            found["checks"],
        )
    except (ValueError, RecursionError, Bad) as error:
        what = f"{error}" if isinstance(error, Bad) else f"it begins with {shown(data, 60)!r}"
        raise ToolFailedError(
            f"something else than the probe's answer came out: {what}",
            fix="silence what prints at the start of this Python (sitecustomize, a .pth file), and run again",
        ) from None


# --------------------------------------------------------------------------------------------- talking


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
) -> Outcome:
    """Run ``argv`` to its end; its group is killed when it has ended, at the time limit, and at any error here.

    ``keep`` is how many bytes of standard output make an answer, more is an error; with None all that is printed
    is only kept as the tail. ``timeout`` in seconds.

    Raises:
        ToolMissingError: there is no such program.
        ToolFailedError: it could not be started, took too long or said too much.
    """
    begun = time.monotonic()
    # Bytecode that a run leaves in the work tree would make the next run dirty.
    with started(argv, env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}, cwd=cwd) as process:
        talk = _Talk(process, stdin, say, keep)
        talk.to_the_end(begun + timeout, argv[0])
        seconds = time.monotonic() - begun
        kill_group(process)  # whatever it started and left behind
        return Outcome(process.wait(), talk.answer, talk.tail, seconds)
