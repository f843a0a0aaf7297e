"""The hooks that pre-commit runs, with pre-commit itself: when a clone is armed by them, and what it is before that."""

import os
import pty
import shutil
import sys
from pathlib import Path

import pytest

from ptguard.gateways.repo import layout
from ptguard.install import inspect, install
from ptguard.install.hookfile import Kind, in_pre_commit_cache, read
from tests.guards import FakePython
from tests.support import Repo, refs, run

pytestmark = pytest.mark.e2e

ROOT = Path(__file__).parents[2]
LOCAL = f"""\
default_install_hook_types: [pre-commit, pre-push, post-checkout, post-merge]
repos:
- repo: local
  hooks:
  - id: ptguard
    name: ptguard
    entry: {sys.executable} -I -m ptguard pre-commit-hook
    language: system
    stages: [pre-push, pre-commit, post-checkout, post-merge, manual]
    always_run: true
    pass_filenames: false
"""


@pytest.fixture
def clone(repo: Repo, tmp_path: Path) -> Repo:
    """A clone with a pre-commit configuration that its remote has; nothing is installed."""
    run("git", "init", "-q", "--bare", tmp_path / "remote.git", env=repo.env)
    repo.write(".pre-commit-config.yaml", LOCAL)
    repo.commit("first")
    repo.git("remote", "add", "origin", "../remote.git")
    repo.git("push", "-q", "-u", "origin", "main")
    return repo


def pre_commit(repo: Repo, *args: str) -> str:
    return run(sys.executable, "-m", "pre_commit", *args, cwd=repo.path, env=repo.env).stdout


def remote(repo: Repo) -> dict[str, str]:
    return refs(repo.path.parent / "remote.git", repo.env)


def armed(repo: Repo) -> bool:
    return inspect(layout(repo.path)).armed


def refused(repo: Repo, *pushed: str) -> str:
    """Push, see that nothing reached the remote, and give the words of the refusal."""
    before = remote(repo)
    done = repo.try_git("push", "origin", *pushed)
    assert done.returncode != 0
    assert remote(repo) == before
    return done.stdout + done.stderr


def every_tag_push_is_judged(repo: Repo, tmp_path: Path) -> None:
    """Push what pre-commit itself never shows a hook: refused without a policy, then judged once each."""
    repo.git("tag", "-a", "-m", "x", "one")
    repo.git("tag", "-a", "-m", "x", "two", "HEAD~1")
    repo.git("push", "-q", "--no-verify", "origin", "HEAD~1:refs/tags/old")
    pushes = (["two"], ["one", "two"], ["--tags"], [":refs/tags/old"], ["main", "one"], ["HEAD~1:refs/tags/x"])
    for pushed in pushes:
        assert "no policy" in refused(repo, *pushed)
    fake = FakePython.make(tmp_path / "fake")
    install(layout(repo.path), fake.path)
    for pushed in pushes:
        assert repo.try_git("push", "origin", *pushed).returncode == 0
    seen = [[line.split(" ")[-2] for line in call.stdin.splitlines()] for call in fake.calls]
    assert seen == [["refs/tags/two"], ["refs/tags/one"], ["refs/tags/old"], ["refs/tags/x"]]


@pytest.mark.parametrize("event", ["commit", "checkout", "merge"])
def test_pre_commit_install_and_one_event_arm_the_clone(clone: Repo, tmp_path: Path, event: str) -> None:
    clone.git("branch", "side")
    clone.commit("second")
    pre_commit(clone, "install")
    assert not armed(clone)  # what the README says plainly: not before the first event
    if event == "commit":
        clone.commit("third")
    elif event == "checkout":
        clone.git("checkout", "-q", "-b", "other")
    else:
        clone.git("reset", "-q", "--hard", "HEAD~1")
        clone.git("branch", "newer", "HEAD@{1}")
        clone.git("merge", "-q", "newer")
    assert armed(clone)
    assert read(layout(clone.path).hooks / "pre-push.legacy").python == Path(sys.executable)
    if event == "commit":
        every_tag_push_is_judged(clone, tmp_path)
    else:
        clone.git("tag", "-a", "-m", "x", "v1", "origin/main")  # a commit that the remote has
        assert "no policy" in refused(clone, "v1")


def test_ptguard_install_leaves_no_gap(clone: Repo, tmp_path: Path) -> None:
    clone.commit("second")
    done = clone.ptguard("install")
    assert done.returncode == 0, done.stderr
    assert "pre-commit installed for pre-commit, pre-push, post-checkout, post-merge" in done.stdout
    every_tag_push_is_judged(clone, tmp_path)


def test_ptguard_install_in_a_clone_without_pre_commit(clone: Repo, tmp_path: Path) -> None:
    clone.git("rm", "-q", ".pre-commit-config.yaml")
    clone.commit("second")
    assert clone.ptguard("install").returncode == 0
    assert read(layout(clone.path).hooks / "pre-push").kind is Kind.GUARD
    every_tag_push_is_judged(clone, tmp_path)


def test_a_first_push_of_a_tag_arms_and_is_refused_once(clone: Repo) -> None:
    pre_commit(clone, "install", "-t", "pre-push")
    clone.commit("second")
    clone.git("tag", "v1")
    words = refused(clone, "v1")
    assert "armed now, push again" in words
    assert armed(clone)
    assert "armed now" not in refused(clone, "v1")  # now it is the guard that speaks


def test_a_push_without_tags_goes_through_and_arms(clone: Repo) -> None:
    pre_commit(clone, "install", "-t", "pre-push")
    head = clone.commit("second")
    clone.git("push", "-q", "origin", "main")
    assert remote(clone)["refs/heads/main"] == head
    assert armed(clone)


def test_a_forced_pre_commit_install_is_mended_and_said(clone: Repo) -> None:
    assert clone.ptguard("install").returncode == 0
    pre_commit(clone, "install", "-f")
    assert not armed(clone)
    shown = pre_commit(clone, "run", "--verbose", "ptguard")
    assert "armed this clone: .git/hooks/pre-push.legacy judges every tag push from now on" in shown
    assert armed(clone)
    assert "armed this clone" not in pre_commit(clone, "run", "--verbose", "ptguard")


def test_arming_is_said_on_the_terminal_though_pre_commit_shows_nothing(clone: Repo) -> None:
    pre_commit(clone, "install")
    child, terminal = pty.fork()
    if child == 0:
        os.execvpe("git", ["git", "-C", str(clone.path), "commit", "-q", "--allow-empty", "-m", "x"], clone.env)
    said = b""
    while True:
        try:
            data = os.read(terminal, 4096)
        except OSError:  # how Linux says that the other side is closed
            break
        if not data:
            break
        said += data
    os.close(terminal)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert said.count(b"ptguard: armed this clone") == 1


def test_arming_can_be_turned_off(clone: Repo) -> None:
    clone.write(".pre-commit-config.yaml", LOCAL.replace("pre-commit-hook\n", "pre-commit-hook --no-arm\n"))
    clone.commit("no arming")
    pre_commit(clone, "install")
    clone.commit("second")
    assert not armed(clone)
    clone.git("tag", "v1")
    assert "not armed; run ptguard install" in refused(clone, "v1")
    assert not armed(clone)


def test_the_guard_judges_once_and_the_hook_not_again(clone: Repo, tmp_path: Path) -> None:
    fake = FakePython.make(tmp_path / "fake")
    install(layout(clone.path), fake.path)
    clone.commit("second")
    clone.git("tag", "v1")
    clone.git("push", "-q", "origin", "v1")  # pre-commit shows this one to its hooks, too
    assert len(fake.calls) == 1
    assert read(layout(clone.path).hooks / "pre-push.legacy").python == fake.path


def hooks_repository(folder: Path, env: dict[str, str]) -> str:
    """Make a git repository of this project's shipped files, as another project would name it; give its commit."""
    for name in ("src", "hooks", "docs"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE", ".pre-commit-hooks.yaml"):
        shutil.copy(ROOT / name, folder / name)
    (folder / ".gitignore").unlink(missing_ok=True)
    run("git", "init", "-q", folder, env=env)
    return Repo(folder, env).commit("as released")


def test_the_hooks_that_this_project_offers(clone: Repo, tmp_path: Path) -> None:
    offered = tmp_path / "ptguard.git"
    offered.mkdir()
    revision = hooks_repository(offered, clone.env)
    clone.write(
        ".pre-commit-config.yaml",
        "default_install_hook_types: [pre-commit, pre-push]\n"
        f"repos:\n- repo: {offered}\n  rev: {revision}\n  hooks:\n"
        "  - id: ptguard\n  - id: ptguard-policy\n  - id: ptguard-changelog\n",
    )
    clone.commit("name the hooks")
    pre_commit(clone, "install")
    clone.write(".ptguard/policy.toml", "schema = 2\n")
    clone.git("add", "-A")
    done = clone.try_git("commit", "-q", "-m", "a broken policy")
    assert done.returncode != 0
    assert "schema" in done.stdout + done.stderr
    guard = inspect(layout(clone.path)).guard
    assert guard is not None
    assert guard.python is not None
    assert in_pre_commit_cache(guard.python)
    clone.git("tag", "v1")
    assert "no policy" in refused(clone, "v1")
    shutil.rmtree(Path(clone.env["XDG_CACHE_HOME"]) / "pre-commit")
    clone.env["PATH"] = "/usr/bin:/bin"
    assert "pip install ptguard && ptguard install" in refused(clone, "v1")
