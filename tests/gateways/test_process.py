import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from ptguard.errors import ToolFailedError, ToolMissingError
from ptguard.gateways import process
from ptguard.gateways.process import clean_env, run
from tests.loopback import until


def ends(pid: int) -> None:
    """Wait until a process has ended (a zombie counts: it only waits for the machine's init)."""

    def gone() -> bool:
        try:
            return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
        except (FileNotFoundError, ProcessLookupError):
            return True

    until(gone, f"process {pid} ends")


def hanging(script: str, pid: Path) -> None:
    """Run ``script``, which writes to ``pid`` and hangs: for longer and longer, as it may be slow to begin."""
    for timeout in (0.3, 3.0, 30.0):
        with pytest.raises(ToolFailedError, match="in time"):
            run(["sh", "-c", script], timeout=timeout)
        if pid.exists() and pid.read_text().strip():
            return
    raise AssertionError("it never began")


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


def test_a_program_that_hangs_is_stopped_with_its_children(tmp_path: Path) -> None:
    hanging(f"sleep 300 & echo $! >{tmp_path}/pid; wait", tmp_path / "pid")
    ends(int((tmp_path / "pid").read_text()))


def test_a_program_that_closes_its_outputs_and_stays_is_stopped() -> None:
    with pytest.raises(ToolFailedError, match="in time"):
        run(["sh", "-c", "exec >&- 2>&- <&-; sleep 60"], timeout=0.3)


def test_a_child_that_holds_standard_output_after_the_end_is_stopped(tmp_path: Path) -> None:
    hanging(f"sleep 300 & echo $! >{tmp_path}/pid", tmp_path / "pid")
    ends(int((tmp_path / "pid").read_text()))


def test_a_child_that_holds_only_standard_error_is_not_waited_for() -> None:
    done = run(["sh", "-c", "sleep 300 >/dev/null & echo $!; exit 0"], timeout=250)
    assert done.returncode == 0
    os.kill(int(done.stdout), signal.SIGKILL)  # there still, so it was not waited for


@pytest.mark.parametrize("stream", ["", ">&2"])
def test_a_program_that_floods_is_stopped(stream: str) -> None:
    with pytest.raises(ToolFailedError, match="more than 100000 bytes"):
        run(["sh", "-c", f"yes {stream}"], limit=100_000)


def test_an_interrupt_ends_the_program_too(tmp_path: Path) -> None:
    pid = tmp_path / "pid"

    def interrupt() -> None:
        until(lambda: pid.exists() and bool(pid.read_text().strip()), "the program begins")
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    thread.start()
    with pytest.raises(KeyboardInterrupt):
        run(["sh", "-c", f"echo $$ >{pid}; sleep 300"], timeout=250)
    thread.join()
    ends(int(pid.read_text()))


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
