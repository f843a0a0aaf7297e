"""hooks/pre-push by itself, in every shell that is here: what it lets through, what it hands on, how it fails."""

import os
import shutil
import signal
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from ptguard.install.hookfile import render
from tests.guards import FakePython
from tests.support import run

SHELLS = [s for s in (["sh"], ["bash", "--posix"], ["bash"], ["busybox", "sh"]) if shutil.which(s[0])]
A, B, ZERO = "a" * 40, "b" * 40, "0" * 40
BRANCH = f"refs/heads/main {A} refs/heads/main {B}\n"
TAG = f"refs/tags/v1 {A} refs/tags/v1 {ZERO}\n"


@dataclass(frozen=True)
class Hook:
    """The installed script in a hooks folder, with a stand-in for its interpreter."""

    path: Path
    fake: FakePython
    shell: list[str]

    def push(self, lines: str | bytes, env: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
        stdin = lines if isinstance(lines, bytes) else lines.encode()
        shell = [shutil.which(self.shell[0]) or "sh", *self.shell[1:]]
        return run(
            *shell,
            self.path,
            "origin",
            "../remote with space.git",
            cwd=self.path.parent,
            env={**os.environ, **(env or {})},
            stdin=stdin,
            check=False,
        )

    def chain(self, status: int, reads: str = 'cat > "$0.saw"') -> Path:
        """Put a hook of someone else beside it; give the file in which it notes the lines."""
        chained = self.path.parent / "pre-push.ptguard-chained"
        chained.write_text(f'#!/bin/sh\necho "$@" > "$0.args"\n{reads}\nexit {status}\n')
        chained.chmod(0o755)
        return chained.with_name(chained.name + ".saw")


@pytest.fixture(params=SHELLS, ids=" ".join)
def hook(request: pytest.FixtureRequest, tmp_path: Path) -> Hook:
    folder = tmp_path / "hööks of 'mine' $HOME"
    folder.mkdir()
    fake = FakePython.make(tmp_path / 'it\'s a "python" $(touch no) ü')
    path = folder / "pre-push"
    path.write_bytes(render(fake.path))
    return Hook(path, fake, request.param)


@pytest.mark.parametrize(
    "lines",
    [
        "",
        BRANCH,
        f"(delete) {ZERO} refs/heads/old {A}\n",
        f"refs/tags/v1 {A} refs/heads/from-a-tag {ZERO}\n",
        f"refs/heads/x {A} refs/heads/refs/tags/v1 {ZERO}\n",
        f"refs/heads/x {A} refs/tagsy/v1 {ZERO}\n",
        f"refs/notes/x {A} refs/notes/tags/ {ZERO}\n",
        BRANCH * 2000,
    ],
)
def test_a_push_without_tags_starts_no_python(hook: Hook, lines: str) -> None:
    hook.fake.path.unlink()
    done = hook.push(lines)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize(
    "lines",
    [
        TAG,
        BRANCH + TAG,
        TAG + BRANCH,
        TAG * 3,
        f"HEAD {A} refs/tags/v66 {ZERO}\n",
        f"{A} {A} refs/tags/v66 {ZERO}\n",
        f"(delete) {ZERO} refs/tags/v1 {A}\n",
        f"HEAD@{{1 day ago}} {A} refs/tags/v1 {ZERO}\n",
        f"HEAD {A} refs/TAGS/v1 {ZERO}\n",
        f"HEAD {A} Refs/tAgs/v1 {ZERO}\n",
        f"HEAD {A} refs/tags/ümläut/🔥 {ZERO}\n",
        BRANCH * 10_000 + TAG,
    ],
)
def test_a_push_with_a_tag_is_judged_whole(hook: Hook, lines: str) -> None:
    done = hook.push(lines)
    assert (done.returncode, done.stderr) == (0, "")
    (call,) = hook.fake.calls
    assert call.argv == ["-I", "-m", "ptguard", "pre-push", "origin", "../remote with space.git"]
    assert call.stdin == lines


def test_bytes_that_are_no_text_do_not_hide_a_tag(hook: Hook) -> None:
    raw = b"refs/heads/\xff\xfe " + A.encode() + b" refs/heads/\xe0\x80 " + ZERO.encode() + b"\n" + TAG.encode()
    hook.fake.answer(1)
    assert hook.push(raw, {"LC_ALL": "C.UTF-8"}).returncode == 1
    assert (hook.fake.notes / "call-0" / "stdin").read_bytes() == raw


@pytest.mark.parametrize("status", [0, 1, 2, 3, 130])
def test_the_guards_exit_status_is_passed_on(hook: Hook, status: int) -> None:
    hook.fake.answer(status)
    assert hook.push(TAG).returncode == status


@pytest.mark.parametrize("end", ["kill -9 $$", "kill -15 $$", "kill -6 $$"])
def test_a_killed_guard_refuses(hook: Hook, end: str) -> None:
    hook.fake.answer(0, end=end)
    assert hook.push(TAG).returncode not in (0, -signal.SIGKILL)
    assert len(hook.fake.calls) == 1


def test_the_repository_that_git_names_is_left_alone(hook: Hook) -> None:
    hook.push(TAG, {"GIT_DIR": "/some/where/.git/worktrees/x"})
    assert hook.fake.calls[0].git_dir == "/some/where/.git/worktrees/x"


def path_with_ptguard(tmp_path: Path, status: int, name: str = "bin") -> str:
    """Give a PATH on which ``ptguard`` notes its arguments and exits with ``status``."""
    folder = tmp_path / name
    folder.mkdir()
    program = folder / "ptguard"
    program.write_text(f'#!/bin/sh\necho "$@" > {tmp_path}/called\ncat >> {tmp_path}/called\nexit {status}\n')
    program.chmod(0o755)
    return f"{folder}:/usr/bin:/bin"


@pytest.mark.parametrize("status", [0, 1, 2])
@pytest.mark.parametrize("how", ["gone", "without ptguard", "not executable"])
def test_without_its_interpreter_the_guard_on_path_judges(hook: Hook, tmp_path: Path, how: str, status: int) -> None:
    if how == "gone":
        hook.fake.path.unlink()
    elif how == "not executable":
        hook.fake.path.chmod(0o644)
    else:
        hook.fake.answer(1, importable=1)
    done = hook.push(TAG, {"PATH": path_with_ptguard(tmp_path, status)})
    assert done.returncode == status
    assert (tmp_path / "called").read_text() == f"pre-push origin ../remote with space.git\n{TAG}"


def test_without_any_guard_a_tag_is_refused_with_mending_words(hook: Hook) -> None:
    hook.fake.path.unlink()
    done = hook.push(TAG, {"PATH": "/usr/bin:/bin"})
    assert done.returncode == 3
    assert str(hook.fake.path) in done.stderr
    assert "nothing was pushed" in done.stderr
    assert "pip install ptguard && ptguard install" in done.stderr
    assert hook.push(BRANCH, {"PATH": "/usr/bin:/bin"}).returncode == 0


def test_a_ptguard_in_the_pushed_repository_is_never_the_guard(hook: Hook) -> None:
    hook.fake.path.unlink()
    planted = hook.path.parent / "ptguard"
    planted.write_text("#!/bin/sh\nexit 0\n")
    planted.chmod(0o755)
    assert hook.push(TAG, {"PATH": ".:/usr/bin:/bin"}).returncode == 3


@pytest.mark.parametrize("lines", [TAG, BRANCH])
def test_lines_that_cannot_be_read_are_not_taken_for_none(hook: Hook, lines: str) -> None:
    done = hook.push(lines, {"PATH": "/nonexistent"})  # no cat
    assert done.returncode == 3
    assert "nothing was pushed" in done.stderr


def test_a_closed_standard_input_is_no_push_without_tags(hook: Hook) -> None:
    shell = [shutil.which(hook.shell[0]) or "sh", *hook.shell[1:]]
    done = run("sh", "-c", 'exec "$@" <&-', "sh", *shell, hook.path, "origin", "url", check=False)
    assert done.returncode == 3  # bash would wait for itself: the pipe of $(cat) takes the free descriptor
    assert "nothing was pushed" in done.stderr


@pytest.mark.parametrize(("guard", "other", "both"), [(0, 0, 0), (1, 0, 1), (0, 7, 7), (3, 7, 3)])
def test_guard_and_chained_hook_both_run_and_either_refuses(hook: Hook, guard: int, other: int, both: int) -> None:
    hook.fake.answer(guard)
    saw = hook.chain(other)
    done = hook.push(BRANCH + TAG)
    assert done.returncode == both
    assert saw.read_text() == hook.fake.calls[0].stdin == BRANCH + TAG
    assert ("nothing was pushed" in done.stderr) is (guard != 0)


@pytest.mark.parametrize("lines", ["", BRANCH])
def test_the_chained_hook_also_sees_pushes_without_tags(hook: Hook, lines: str) -> None:
    saw = hook.chain(4)
    assert hook.push(lines).returncode == 4
    assert saw.read_text() == lines
    assert hook.fake.calls == []


def test_a_chained_hook_that_was_disabled_stays_so(hook: Hook) -> None:
    saw = hook.chain(4)
    (hook.path.parent / "pre-push.ptguard-chained").chmod(0o644)
    assert hook.push(TAG).returncode == 0
    assert not saw.exists()


def test_readers_that_leave_early_do_no_harm(hook: Hook) -> None:
    hook.chain(0, reads="exec <&-")
    done = hook.push(BRANCH * 5000 + TAG)
    assert (done.returncode, done.stderr) == (0, "")


def test_as_shipped_it_uses_path(tmp_path: Path) -> None:
    from ptguard.resources import resource

    hook = resource("hooks/pre-push")
    env = {**os.environ, "PATH": path_with_ptguard(tmp_path, 1)}
    assert run("/bin/sh", hook, "origin", "url", env=env, stdin=TAG.encode(), check=False).returncode == 1
