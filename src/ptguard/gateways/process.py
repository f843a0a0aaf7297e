"""How a neighbouring program is run: without a shell, bounded in time and in what it may say, never left behind."""

import os
import selectors
import signal
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from ptguard.errors import ToolFailedError, ToolMissingError
from ptguard.text import sh, shown
from ptguard.value import value

_PACKAGES = {"gpg": "gnupg", "gpgconf": "gnupg", "ssh-keygen": "openssh-client", "git": "git"}
_FOREIGN = ("GIT_", "GPG_", "GNUPG", "SSH_")
_LOCALE = ("LC_", "LANG")
_CHUNK = 1 << 16
_LINGER = 0.05
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_RUNNING: dict[subprocess.Popen[bytes], bool] = {}
_CANCELLED: list[bool] = []
_TOGETHER: list[bool] = []


def stay_together() -> None:
    """Leave what is started from now on in the process group that we are in: whoever ends that ends it too."""
    _TOGETHER.append(True)


def in_its_own_session() -> bool:
    """Tell whether programs are started in sessions, and so groups, of their own."""
    return not _TOGETHER


class CancelledError(BaseException):
    """The work was called off (:func:`calling_off`); no Exception, so that nothing makes a finding of it."""


def go_on() -> None:
    """Raise :class:`CancelledError` where the work was called off; asked before every program and every object."""
    if _CANCELLED:
        raise CancelledError


@value
class Completed:
    """What a program answered; ``returncode`` is negative when a signal ended it."""

    returncode: int
    stdout: bytes
    stderr: bytes


def clean_env(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """Give this process's environment with nothing in it that steers git, gpg or ssh, in the C locale.

    ``extra`` is laid over it. HOME and PATH stay as they are.
    """
    env = {name: value for name, value in os.environ.items() if not name.startswith(_FOREIGN + _LOCALE)}
    return {**env, "LC_ALL": "C", **(extra or {})}


def missing(program: str) -> ToolMissingError:
    """Give the error that says that ``program`` is not installed, and how to install it (Debian's package)."""
    name = Path(program).name
    return ToolMissingError(
        f"{shown(name)} is not installed or not on PATH",
        fix=f"apt-get install {_PACKAGES.get(name, sh(name))}",
    )


def kill_group(process: subprocess.Popen[bytes], *, terminal: bool = False) -> None:
    """End ``process`` with all that it started; ``terminal`` as it was given to :func:`popen`.

    A group outlives its leader while it has members, so this also works after the leader has gone.
    """
    with suppress(ProcessLookupError, PermissionError):
        if terminal or _TOGETHER:
            process.kill()
        else:
            os.killpg(process.pid, signal.SIGKILL)


def run(
    argv: Sequence[str | os.PathLike[str]],
    *,
    stdin: bytes = b"",
    env: Mapping[str, str] | None = None,
    cwd: str | os.PathLike[str] | None = None,
    timeout: float = 30.0,
    limit: int = 1 << 24,
    terminal: bool = False,
) -> Completed:
    """Run ``argv`` to its end and give what it answered; its exit status is the caller's to judge.

    ``env`` None means :func:`clean_env`; ``timeout`` in seconds; ``limit`` in bytes, standard output and error
    together. The program gets a session of its own, without a terminal; with ``terminal`` it keeps ours (for a
    program that may have to ask for a password). It is killed, with its children, when anything goes wrong here.

    Raises:
        ToolMissingError: there is no such program.
        ToolFailedError: it could not be started, took too long or said too much.
    """
    words = [os.fspath(word) for word in argv]
    with started(words, env=clean_env() if env is None else env, cwd=cwd, terminal=terminal) as process:
        deadline = time.monotonic() + timeout
        out, err = _exchange(process, stdin, deadline, limit, words[0])
        return Completed(_status(process, deadline, words[0]), out, err)


@contextmanager
def started(
    argv: Sequence[str],
    *,
    env: Mapping[str, str],
    cwd: str | os.PathLike[str] | None = None,
    terminal: bool = False,
) -> Iterator[subprocess.Popen[bytes]]:
    """Start ``argv`` with three pipes and make sure that nothing of it is left when the block ends.

    Raises:
        ToolMissingError: there is no such program.
        ToolFailedError: it could not be started.
    """
    go_on()
    process = None
    try:
        with putting_off():
            process = popen(argv, env=env, cwd=cwd, terminal=terminal)
            _RUNNING[process] = terminal
        yield process
    except BaseException:  # also KeyboardInterrupt: whatever happens, the child must not outlive us
        if process is not None:
            kill_group(process, terminal=terminal)
        raise
    finally:
        if process is not None:
            _close(process, terminal=terminal)


def _close(process: subprocess.Popen[bytes], *, terminal: bool) -> None:
    """Close the pipes of ``process`` and make sure that it has ended."""
    for pipe in (process.stdin, process.stdout, process.stderr):
        if pipe is not None:
            with suppress(OSError):
                pipe.close()
    if process.poll() is None:
        kill_group(process, terminal=terminal)
    process.wait()
    _RUNNING.pop(process, None)


@contextmanager
def putting_off() -> Iterator[None]:
    """Let what a signal raises in Python be raised only when the block has ended.

    A program runs before :func:`popen` can give it to anybody who would end it. Blocking the signals is no way: the
    program would inherit their mask (sigprocmask(2), NOTES), but what handles them it does not.
    """
    if threading.current_thread() is not threading.main_thread():  # no signal is handled in another thread
        yield
        return
    handlers = {number: handler for number in _SIGNALS if callable(handler := signal.getsignal(number))}
    caught: list[int] = []
    try:
        for number in handlers:
            signal.signal(number, lambda number, _: caught.append(number))
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
        for late in caught:
            signal.raise_signal(late)


def kill_running() -> None:
    """End every program that :func:`started` still waits for, in whichever thread: who waits gets an error."""
    for process, terminal in tuple(_RUNNING.items()):
        kill_group(process, terminal=terminal)


@contextmanager
def calling_off() -> Iterator[None]:
    """Let no program start and no object be read until the block ends, in whichever thread."""
    _CANCELLED.append(True)
    try:
        yield
    finally:
        _CANCELLED.pop()


def popen(
    argv: Sequence[str],
    *,
    env: Mapping[str, str],
    cwd: str | os.PathLike[str] | None = None,
    terminal: bool = False,
) -> subprocess.Popen[bytes]:
    """Start ``argv`` with three pipes; the caller ends it (see :func:`started`, which does).

    Raises:
        ToolMissingError: there is no such program.
        ToolFailedError: it could not be started.
    """
    try:
        return subprocess.Popen(
            argv,
            bufsize=0,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=env,
            cwd=cwd,
            start_new_session=in_its_own_session() and not terminal,
        )
    except FileNotFoundError as error:
        if cwd is not None and not Path(cwd).is_dir():
            raise ToolFailedError(f"no folder {shown(os.fspath(cwd))} to run {shown(argv[0])} in") from error
        raise missing(argv[0]) from error
    except (OSError, ValueError) as error:  # ValueError: a NUL byte in an argument
        raise ToolFailedError(f"{shown(argv[0])} could not be started: {shown(str(error))}") from error


def _exchange(
    process: subprocess.Popen[bytes], stdin: bytes, deadline: float, limit: int, name: str
) -> tuple[bytes, bytes]:
    """Feed ``stdin`` and collect both outputs, until all pipes are closed or the program has ended."""
    assert process.stdin is not None and process.stdout is not None and process.stderr is not None  # noqa: S101, PT018
    inward, out, err = (p.fileno() for p in (process.stdin, process.stdout, process.stderr))
    answers: dict[int, list[bytes]] = {out: [], err: []}
    left, size = memoryview(stdin), 0
    with selectors.DefaultSelector() as selector:
        for descriptor in answers:
            selector.register(descriptor, selectors.EVENT_READ)
        if left:
            os.set_blocking(inward, False)
            selector.register(inward, selectors.EVENT_WRITE)
        else:
            process.stdin.close()
        while selector.get_map():
            ready = selector.select(_wait(deadline, name, linger=out not in selector.get_map()))
            if not ready and process.poll() is not None and out not in selector.get_map():
                break  # a grandchild (ssh's ControlPersist) may hold standard error open for good
            for key, _ in ready:
                if key.fd == inward:
                    left = _feed(inward, left)
                    done = not left
                else:
                    chunk = os.read(key.fd, _CHUNK)
                    answers[key.fd].append(chunk)
                    size, done = size + len(chunk), not chunk
                if done:
                    selector.unregister(key.fd)
                    if key.fd == inward:
                        process.stdin.close()
            if size > limit:
                raise ToolFailedError(f"{shown(name)} answered more than {limit} bytes")
    return b"".join(answers[out]), b"".join(answers[err])


def _feed(descriptor: int, data: memoryview) -> memoryview:
    """Write what the pipe takes of ``data`` and give the rest; nothing when the program no longer listens."""
    try:
        return data[os.write(descriptor, data[:_CHUNK]) :]
    except BlockingIOError:
        return data
    except BrokenPipeError:
        return data[:0]


def _wait(deadline: float, name: str, *, linger: bool) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise _late(name)
    return min(left, _LINGER) if linger else left


def _late(name: str) -> ToolFailedError:
    return ToolFailedError(f"{shown(name)} did not answer in time and was stopped")


def _status(process: subprocess.Popen[bytes], deadline: float, name: str) -> int:
    try:
        return process.wait(max(deadline - time.monotonic(), _LINGER))
    except subprocess.TimeoutExpired as error:
        raise _late(name) from error
