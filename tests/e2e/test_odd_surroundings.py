"""What stands around a push may be odd: streams, signals, refs and settings; the verdict and its words stay right."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ptguard.errors import ToolFailedError
from ptguard.gateways import scratch
from ptguard.judging import temporary_home
from tests.e2e.team import Team
from tests.loopback import until
from tests.support import Repo, run

pytestmark = pytest.mark.e2e
ZERO = "0" * 40


def _line(team: Team, tag: str = "v2.9.0") -> str:
    return f"refs/tags/{tag} {team.repo.git('rev-parse', tag)} refs/tags/{tag} {ZERO}\n"


def _hook(team: Team, streams: str) -> tuple[int, str]:
    """Judge the push of v2.9.0 with ``streams`` redirected as a shell does; give the exit code and the screen."""
    script = f'{{ "$1" -I -m ptguard pre-push origin ../remote.git; }} {streams}'
    done = run(
        "sh", "-c", script, "sh", sys.executable,
        cwd=team.repo.path, env=team.env, check=False, stdin=_line(team).encode(),
    )  # fmt: skip
    return done.returncode, done.stdout + done.stderr


# --------------------------------------------------------------------------------------------- streams


@pytest.mark.parametrize("streams", ["2>&-", ">&-", ">&- 2>&-"])
def test_closed_streams_change_no_verdict(team: Team, streams: str) -> None:
    team.tag()
    code, screen = _hook(team, streams)
    assert code == 0 and "Traceback" not in screen
    team.repo.git("tag", "-f", "v2.9.0", "HEAD")
    code, screen = _hook(team, streams)
    assert code == 1 and "Traceback" not in screen


@pytest.mark.parametrize("streams", ["<&-", "<&- >&- 2>&-"])
def test_closed_input_is_not_an_empty_push(team: Team, streams: str) -> None:
    team.tag()
    assert _hook(team, streams)[0] == 2


def test_words_that_do_not_get_out_accept_nothing(team: Team) -> None:
    team.tag()
    assert _hook(team, "2>/dev/full")[0] == 3
    script = '"$1" -I -m ptguard verify v2.9.0 --format json >/dev/full'
    assert run("sh", "-c", script, "sh", sys.executable, cwd=team.repo.path, env=team.env, check=False).returncode == 3
    team.repo.git("tag", "-f", "v2.9.0", "HEAD")
    assert _hook(team, "2>/dev/full")[0] == 3


# --------------------------------------------------------------------------------------------- signals


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_signals_one_after_the_other_leave_nothing_behind(armed: Team, tmp_path: Path, number: signal.Signals) -> None:
    armed.tag()
    scratch, folder, started = tmp_path / "scratch", tmp_path / "slow", tmp_path / "started"
    scratch.mkdir()
    folder.mkdir()
    (folder / "gpg").write_text(f"#!/bin/sh\necho $$ > '{started}'\nsleep 300 &\nwait\n")
    (folder / "gpg").chmod(0o755)
    env = {**armed.env, "PATH": f"{folder}:{os.environ['PATH']}", "TMPDIR": str(scratch)}
    process = subprocess.Popen(
        ["git", "push", "origin", "v2.9.0"],
        cwd=armed.repo.path, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        start_new_session=True,
    )  # fmt: skip
    try:
        until(lambda: started.exists() and bool(started.read_text().strip()), "gpg is asked")
        for _ in range(3):
            os.killpg(process.pid, number)
            time.sleep(0.02)
        _, err = process.communicate(timeout=120)
    finally:
        process.kill()
        process.wait()
    assert "Traceback" not in err and "interrupted" in err
    assert "refs/tags/v2.9.0" not in armed.remote_refs()
    until(lambda: not list(scratch.iterdir()), "the temporary folders go")
    until(lambda: not _members(int(started.read_text())), "gpg and what it started end")


def _members(group: int) -> list[str]:
    """Give the processes of the process group ``group`` that are not dead yet."""
    done = run("ps", "-eo", "pgid=,stat=,args=", check=False)
    rows = (line.split(None, 2) for line in done.stdout.splitlines())
    return [" ".join(row) for row in rows if int(row[0]) == group and not row[1].startswith("Z")]


def test_nohup_goes_on_when_the_terminal_goes(team: Team, tmp_path: Path) -> None:
    team.tag()
    started = tmp_path / "started"
    folder = tmp_path / "slow"
    folder.mkdir()
    (folder / "gpg").write_text(f'#!/bin/sh\ntouch "{started}"\nsleep 1\nexec {shutil.which("gpg")} "$@"\n')
    (folder / "gpg").chmod(0o755)
    process = subprocess.Popen(
        ["nohup", sys.executable, "-I", "-m", "ptguard", "verify", "v2.9.0"],
        cwd=team.repo.path, env={**team.env, "PATH": f"{folder}:{os.environ['PATH']}"},
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    until(started.exists, "gpg is asked")
    process.send_signal(signal.SIGHUP)
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, out + err


# --------------------------------------------------------------------------------------------- what a tag names


def test_a_tag_of_a_tree_or_a_blob_is_refused_and_not_an_error(armed: Team) -> None:
    for rev in ("HEAD^{tree}", "HEAD:net.py"):
        oid = armed.repo.git("rev-parse", rev)
        done = armed.guard(f"{oid}:refs/tags/v2.9.0").refused("lightweight")
        assert "could-not-decide" not in done.screen
        armed.repo.git("tag", "-f", "-a", "-m", "x", "v2.9.0", oid)
        done = armed.guard("v2.9.0").refused("not-a-commit")
        assert "could-not-decide" not in done.screen
        assert team_code(armed) == 1


def team_code(team: Team) -> int:
    """Give the exit code of the guard itself, which git turns into its own."""
    done = team.repo.ptguard("pre-push", "origin", "../remote.git", stdin=_line(team).encode())
    return done.returncode


# --------------------------------------------------------------------------------------------- refs and settings


def test_a_tracking_ref_that_follows_no_branch_is_no_anchor(armed: Team) -> None:
    tag, tracking = armed.tag(), "refs/remotes/origin/main"
    true = armed.repo.git("rev-parse", tracking)
    file = armed.repo.path / ".git" / tracking
    armed.repo.git("branch", "own-rules")
    for content in ("ref: refs/heads/own-rules\n", f"{tag}\n", f"{'1' * 40}\n", "rubbish\n"):
        file.write_text(content)
        done = armed.guard("v2.9.0").refused()
        assert f"git fetch origin +refs/heads/main:{tracking}" in done.screen, content
        assert team_code(armed) == 2, content
    file.write_text(f"{true}\n")
    armed.guard("v2.9.0").accepted("v2.9.0")


@pytest.mark.parametrize(
    "content",
    ["ref: refs/remotes/origin/nope", "ref: refs/heads/x", "ref: refs/tags/v2.9.0", "rubbish", "ref: ../../../x"],
)
def test_an_odd_remote_head_leaves_the_default(armed: Team, content: str) -> None:
    armed.tag()
    (armed.repo.path / ".git/refs/remotes/origin/HEAD").write_text(content + "\n")
    armed.guard("v2.9.0").accepted("v2.9.0")


def test_a_key_of_the_configuration_without_a_value_is_true(armed: Team) -> None:
    armed.repo.git("tag", "v9.9.9")
    with (armed.repo.path / ".git/config").open("a") as config:
        config.write('[remote "origin"]\n\tptguard\n')
    assert armed.repo.git("config", "--type=bool", "remote.origin.ptguard") == "true"
    armed.guard("v9.9.9").refused("lightweight")
    armed.repo.git("config", "ptguard.trustBranch", "")
    assert "ptguard.trustBranch is empty" in armed.guard("v9.9.9").refused().screen


def test_two_remotes_at_one_url_are_both_named(armed: Team) -> None:
    armed.tag()
    armed.repo.git("remote", "add", "second", "../remote.git")
    done = armed.repo.try_git("push", "../remote.git", "v2.9.0")
    assert done.returncode != 0 and "several remotes push to ../remote.git (origin, second)" in done.stderr
    assert "git push origin" in done.stderr


@pytest.mark.parametrize("left_out", ["blob:none", "tree:0"])
def test_a_partial_clone_says_how_to_get_what_it_left_out(team: Team, tmp_path: Path, left_out: str) -> None:
    team.tag()
    team.push("v2.9.0")
    for key in ("uploadpack.allowFilter", "uploadpack.allowAnySHA1InWant"):
        team.repo.git("config", "-f", str(team.remote / "config"), key, "true")
    run(
        "git", "clone", "-q", "--no-checkout", f"--filter={left_out}", f"file://{team.remote}", tmp_path / "partial",
        env=team.env,
    )  # fmt: skip
    partial = Repo(tmp_path / "partial", team.env)
    done = partial.ptguard("verify", "v2.9.0")
    assert done.returncode == 3, done.stdout + done.stderr
    (mend,) = [line.split("mend", 1)[1] for line in done.stderr.splitlines() if "mend" in line]
    assert "git archive" in mend
    run("sh", "-c", mend, cwd=partial.path, env=team.env)
    done = partial.ptguard("verify", "v2.9.0")
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("kind", ["link", "folder", "large"])
def test_a_policy_that_is_no_plain_file_is_not_to_be_made_anew(armed: Team, kind: str) -> None:
    armed.tag()
    policy = armed.repo.path / ".ptguard/policy.toml"
    if kind == "large":
        policy.write_bytes(b"#" * (1 << 20) + b"#")
    else:
        policy.unlink()
    if kind == "link":
        policy.symlink_to("../net.py")
    if kind == "folder":
        armed.repo.write(".ptguard/policy.toml/net.py", "")
    armed.repo.commit("An odd policy")
    armed.push("main")
    done = armed.guard("v2.9.0").refused()
    assert "make .ptguard/policy.toml a regular file" in done.screen and "ptguard init" not in done.screen
    assert team_code(armed) == 2


def test_a_deletion_that_no_rule_is_for_gets_words_of_its_own(armed: Team) -> None:
    armed.repo.git("tag", "stray")
    armed.push("stray")
    done = armed.guard("--delete", "stray").refused("unmatched")
    assert "add a [[tags]] rule" in done.screen and "--tags" not in done.screen


def test_an_interrupt_at_any_moment_is_one(team: Team, tmp_path: Path) -> None:
    """It had crashed the Dockerfile parser's C code, been dropped by a callback, and left a lock taken for good."""
    team.tag()
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    for at in range(16):
        process = subprocess.Popen(
            [sys.executable, "-I", "-m", "ptguard", "verify", "v2.9.0"],
            cwd=team.repo.path, env={**team.env, "TMPDIR": str(scratch)},
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        time.sleep(0.06 + at * 0.015)
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=120)
        # Done already, or signalled before our first line ran; else interrupted.
        assert process.returncode in (0, 130, -signal.SIGTERM), (process.returncode, out, err)
        assert "Traceback" not in err
        assert list(scratch.iterdir()) == []


CAUGHT = """
import signal, weakref
from ptguard import __main__ as main

class Thing:
    pass

def in_a_callback(args):
    thing = Thing()
    watch = weakref.ref(thing, lambda _: signal.raise_signal(signal.SIGTERM))
    del thing
    return 0

def in_an_eval(args):
    return eval("signal.raise_signal(signal.SIGTERM)")

main._command = {where}
main.main()
"""


@pytest.mark.parametrize("where", ["in_a_callback", "in_an_eval"])
def test_an_interrupt_that_python_drops_or_keeps_to_itself_is_said_as_any_other(tmp_path: Path, where: str) -> None:
    (tmp_path / "caught.py").write_text(CAUGHT.format(where=where))
    done = subprocess.run([sys.executable, "-m", "caught"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (130, "ptguard: interrupted: refused, nothing was pushed by it\n")


@pytest.mark.parametrize("where", ["_open_streams", "_told"])
def test_an_interrupt_before_and_behind_the_work_is_one(where: str) -> None:
    code = "import signal; from ptguard import __main__ as main\n"
    code += f"main.{where} = lambda *_: signal.raise_signal(signal.SIGTERM)\nmain.run = lambda _: 0\nmain.main()"
    done = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (130, "ptguard: interrupted: refused, nothing was pushed by it\n")


def test_no_room_for_a_temporary_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(scratch, "_USUAL", (str(tmp_path / "neither"),))
    monkeypatch.setenv("TMPDIR", str(tmp_path / "gone"))
    words = r"no temporary folder can be made .*gone: No such file"
    with pytest.raises(ToolFailedError, match=words), temporary_home():
        pytest.fail("there is none")
