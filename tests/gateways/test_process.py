import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from ptguard.errors import ToolFailedError, ToolMissingError
from ptguard.gateways import process
from ptguard.gateways.process import clean_env, kill_group, run
from tests.support import gone


def test_what_a_program_answers_is_given_whole() -> None:
    done = run(["sh", "-c", "cat; echo err >&2; exit 3"], stdin=b"in\0put")
    assert (done.returncode, done.stdout, done.stderr) == (3, b"in\0put", b"err\n")


def test_large_input_and_output_do_not_lock_each_other() -> None:
    data = os.urandom(3_000_000)
    assert run(["cat"], stdin=data).stdout == data


def test_a_program_that_does_not_read_its_input_is_no_failure() -> None:
    assert run(["true"], stdin=b"x" * 1_000_000).returncode == 0


def test_arguments_never_pass_through_a_shell() -> None:
    assert run(["printf", "%s", "$(id) `id`; id"]).stdout == b"$(id) `id`; id"


@pytest.mark.parametrize(
    ("program", "package"), [("gpg", "gnupg"), ("ssh-keygen", "openssh-client"), ("git", "git"), ("a b", "'a b'")]
)
def test_a_missing_program_is_named_with_its_package(program: str, package: str, tmp_path: Path) -> None:
    with pytest.raises(ToolMissingError) as caught:
        run([program, "--version"], env={"PATH": str(tmp_path)})
    assert caught.value.message.startswith(program)
    assert caught.value.fix == f"apt-get install {package}"


def test_a_missing_folder_is_not_taken_for_a_missing_program(tmp_path: Path) -> None:
    with pytest.raises(ToolFailedError, match="no folder"):
        run(["true"], cwd=tmp_path / "absent")


@pytest.mark.parametrize("argv", [["/etc/hostname"], ["echo", "a\0b"]])
def test_a_program_that_cannot_be_started_is_an_error(argv: list[str]) -> None:
    with pytest.raises(ToolFailedError, match="could not be started"):
        run(argv)


def out_of_time(script: str, folder: Path) -> int:
    """Run ``script`` for less time than it takes, and for more where it has not written ``folder``/pid by then."""
    for timeout in (0.3, 5.0, 50.0):
        with pytest.raises(ToolFailedError, match="in time"):
            run(["sh", "-c", script], timeout=timeout)
        if (pid := (folder / "pid")).exists() and pid.read_text().endswith("\n"):
            return int(pid.read_text())
    raise AssertionError("it never began")


def test_a_program_that_hangs_is_stopped_with_its_children(tmp_path: Path) -> None:
    begun = time.monotonic()
    assert gone(out_of_time(f"sleep 600 & echo $! >{tmp_path}/pid; wait", tmp_path))
    assert time.monotonic() - begun < 300


def test_a_program_that_closes_its_outputs_and_stays_is_stopped() -> None:
    with pytest.raises(ToolFailedError, match="in time"):
        run(["sh", "-c", "exec >&- 2>&- <&-; sleep 600"], timeout=0.3)


def test_a_child_that_holds_standard_output_after_the_end_is_stopped(tmp_path: Path) -> None:
    assert gone(out_of_time(f"sleep 600 & echo $! >{tmp_path}/pid", tmp_path))


def test_a_child_that_holds_only_standard_error_is_not_waited_for() -> None:
    begun = time.monotonic()
    done = run(["sh", "-c", "sleep 600 >/dev/null & echo $!; exit 0"])
    waited = time.monotonic() - begun
    os.kill(int(done.stdout), signal.SIGKILL)
    assert done.returncode == 0 and waited < 300


@pytest.mark.parametrize("stream", ["", ">&2"])
def test_a_program_that_floods_is_stopped(stream: str) -> None:
    with pytest.raises(ToolFailedError, match="more than 100000 bytes"):
        run(["sh", "-c", f"yes {stream}"], limit=100_000)


def test_an_interrupt_ends_the_program_too(tmp_path: Path) -> None:
    pid, main = tmp_path / "pid", threading.main_thread().ident or 0
    os.mkfifo(pid)
    seen = []

    def interrupt() -> None:
        seen.append(int(pid.read_text()))  # waits until the program is there, and then until it is waited for
        while sys._current_frames()[main].f_code.co_name != "select":
            time.sleep(0.01)
        signal.pthread_kill(main, signal.SIGINT)

    thread = threading.Thread(target=interrupt, daemon=True)
    thread.start()
    with pytest.raises(KeyboardInterrupt):
        run(["sh", "-c", f"echo $$ >{pid}; sleep 600"], timeout=300)
    thread.join()
    assert gone(seen[0])


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_an_interrupt_just_as_the_program_starts_ends_it_too(monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    """The program runs before :class:`subprocess.Popen` gives it to us: nobody would know of it."""
    begun: list[subprocess.Popen[bytes]] = []
    before, real = signal.signal(number, signal.default_int_handler), subprocess.Popen

    def interrupted(*args: Any, **named: Any) -> "subprocess.Popen[bytes]":
        begun.append(real(*args, **named))
        signal.raise_signal(number)
        return begun[0]

    monkeypatch.setattr(subprocess, "Popen", interrupted)
    try:
        with pytest.raises(KeyboardInterrupt):
            run(["sh", "-c", "sleep 60 & wait"])
        assert signal.getsignal(number) is signal.default_int_handler
    finally:
        signal.signal(number, before)
        kill_group(begun[0])
    assert begun[0].returncode == -signal.SIGKILL


def test_a_program_takes_the_signals_that_we_put_off_while_it_starts() -> None:
    code = "from signal import *; print(pthread_sigmask(SIG_BLOCK, ()), getsignal(SIGTERM) is SIG_DFL)"
    assert run([sys.executable, "-c", code]).stdout == b"set() True\n"


def test_the_program_has_no_terminal_unless_asked() -> None:
    here = str(os.getsid(0)).encode()
    code = "import os; print(os.getsid(0))"
    assert run([sys.executable, "-c", code]).stdout.strip() != here
    assert run([sys.executable, "-c", code], terminal=True).stdout.strip() == here


def test_nothing_that_steers_git_gpg_or_ssh_is_handed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("GIT_DIR", "GIT_CONFIG_COUNT", "GNUPGHOME", "GPG_TTY", "SSH_AUTH_SOCK", "LC_MESSAGES", "LANGUAGE"):
        monkeypatch.setenv(name, "x")
    env = clean_env({"GIT_NO_REPLACE_OBJECTS": "1"})
    assert env["LC_ALL"] == "C"
    assert env["PATH"] == os.environ["PATH"]
    assert sorted(n for n in env if n.startswith(("GIT", "GNUPG", "GPG", "SSH", "LANG", "LC_"))) == [
        "GIT_NO_REPLACE_OBJECTS",
        "LC_ALL",
    ]
    assert run(["sh", "-c", "echo ${GIT_DIR-unset}"]).stdout == b"unset\n"


def test_a_started_program_is_gone_after_the_block() -> None:
    with process.started(["sleep", "60"], env=clean_env()) as child:
        assert child.poll() is None
    assert isinstance(child, subprocess.Popen)
    assert child.returncode == -signal.SIGKILL
