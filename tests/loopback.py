"""Programs that listen on 127.0.0.1 for a test: a free port, started and answering, ended with the test."""

import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path


@contextmanager
def reserved_port() -> Iterator[int]:
    """Give a port of 127.0.0.1 that nobody else is given before a server listens on it, nor later in the block.

    It stays bound here. Who sets SO_REUSEADDR, as servers do, may listen on it all the same (socket(7)).
    """
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # not before: two might be given the same
        yield int(held.getsockname()[1])


def answers(port: int) -> bool:
    """Tell whether somebody listens on ``port`` of 127.0.0.1."""
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True


def until(met: Callable[[], bool], what: str, seconds: float = 120) -> None:
    """Wait for ``met``, looking every few milliseconds.

    Raises:
        RuntimeError: it was not met in time; ``what`` says what should have come.
    """
    deadline = time.monotonic() + seconds
    while not met():
        if time.monotonic() > deadline:
            raise RuntimeError(f"{what}: not within {seconds} seconds")
        time.sleep(0.01)


@contextmanager
def running(
    *argv: str | Path,
    log: Path,
    ready: Callable[[], bool],
    env: Mapping[str, str] | None = None,
    patience: float = 5.0,
) -> Iterator[None]:
    """Run a program that stays in the foreground; it and what it started end with the block, or with this process.

    It is killed where it has not ended ``patience`` seconds after it was asked to.

    Raises:
        RuntimeError: it ended before it was ready; its words are in ``log`` and in the error.
    """
    words = [str(word) for word in argv]
    with log.open("ab") as out:
        # TERM by the kernel where this process dies without a word (setpriv(1), prctl(2)).
        process = subprocess.Popen(
            ["setpriv", "--pdeathsig", "TERM", "--", *words],
            stdin=subprocess.DEVNULL, stdout=out, stderr=out, env=None if env is None else dict(env),
            start_new_session=True,
        )  # fmt: skip

    def settled() -> bool:
        if process.poll() is not None:
            raise RuntimeError(f"{words[0]} ended early: {log.read_text(errors='replace')[-2000:]}")
        return ready()

    try:
        until(settled, f"{words[0]} answers")
        yield
    finally:
        _end(process, patience)


def _end(process: "subprocess.Popen[bytes]", patience: float) -> None:
    """Ask the whole group to end; whatever is slow to is killed."""
    for number, seconds in ((signal.SIGTERM, patience), (signal.SIGKILL, 30.0)):
        with suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with suppress(subprocess.TimeoutExpired):
            process.wait(seconds)
    # Workers that were not ours to wait for: init has them, and they are gone when their group is.
    until(lambda: not _group_lives(process.pid), f"the group of {process.args!r} ends")


def _group_lives(group: int) -> bool:
    """Tell whether any process of ``group`` runs (one that is only waited for by init does not)."""
    for status in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            fields = status.read_text(errors="replace").rpartition(")")[2].split()
            if int(fields[2]) == group and fields[0] not in "ZX":
                return True
    return False


def processes_of(folder: Path) -> list[str]:
    """Give id and command line of every process that has ``folder`` in its words or environment, or stands in it."""
    found = []
    wanted = os.fsencode(folder)
    for entry in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if int(entry.name) == os.getpid():
                continue
            words = (entry / "cmdline").read_bytes()
            here = os.fsencode((entry / "cwd").readlink())
            if wanted in words + (entry / "environ").read_bytes() or here.startswith(wanted):
                found.append(f"{entry.name} {words.replace(bytes(1), b' ').decode(errors='replace')}")
    return found


def end_all(folder: Path) -> None:
    """End every process of ``folder``: what a server started in sessions of their own, as sshd does."""

    def gone() -> bool:
        left = processes_of(folder)
        for line in left:
            with suppress(ProcessLookupError):
                os.kill(int(line.split()[0]), signal.SIGTERM)
        return not left

    until(gone, f"what was started in {folder} ends")


def listening() -> dict[int, set[str]]:
    """Give the ports that are listened on, each with the addresses in the kernel's hexadecimal (proc(5), net/tcp)."""
    found: dict[int, set[str]] = {}
    for table in ("tcp", "tcp6"):
        for row in Path("/proc/net", table).read_text().splitlines()[1:]:
            _, local, _, state = row.split()[:4]
            address, port = local.split(":")
            if state == "0A":
                found.setdefault(int(port, 16), set()).add(address)
    return found
