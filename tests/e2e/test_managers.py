"""lefthook, husky (npm's own) and Git LFS in real clones: installed before the guard or after it, both hooks run.

Each of the other hooks notes the ref lines that it is given; both get all of them, and either refuses the push.
"""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from ptguard.gateways.repo import layout
from ptguard.install import inspect
from ptguard.install.hookfile import Kind
from tests import newgit, npm
from tests.e2e.team import Team
from tests.support import run

pytestmark = pytest.mark.e2e

SAW = ".git/other-saw"
NOTES = f'cat >> "{SAW}"\n[ ! -e .git/other-refuses ]\n'
OTHERS = "pre-push:\n  scripts:\n    other:\n      runner: sh\n      use_stdin: true\n"
Step = Callable[[Team, pytest.MonkeyPatch], None]


def guard(team: Team, monkeypatch: pytest.MonkeyPatch) -> None:
    """`ptguard install`; where it prints lines to add, they are added as it says."""
    done = team.repo.ptguard("install")
    if done.returncode == 0:
        return
    before = {p: p.read_bytes() for p in team.repo.path.rglob("*") if p.is_file()}
    assert team.repo.ptguard("install", "--check").returncode == 1  # red until the lines are there
    assert {p: p.read_bytes() for p in team.repo.path.rglob("*") if p.is_file()} == before
    for file, lines in re.findall(r"^  add to (\S+?)(?:, before .*)?:\n((?:      .*\n)+)", done.stdout, re.MULTILINE):
        _add(team.repo.path / file, "".join(line[6:] + "\n" for line in lines.splitlines()))


def _add(file: Path, lines: str) -> None:
    """Do what a person does who is told to add ``lines`` before anything that reads standard input."""
    old = file.read_text() if file.exists() else ""
    if file.suffix == ".yml":
        old = old.removeprefix("pre-push:\n  scripts:\n")  # one section, in which both scripts are
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(lines + old)


def husky(team: Team, monkeypatch: pytest.MonkeyPatch) -> None:
    npm.husky(team.repo, monkeypatch, NOTES)


def lefthook(team: Team, monkeypatch: pytest.MonkeyPatch) -> None:
    team.repo.write(".lefthook/pre-push/other", NOTES)
    npm.lefthook(team.repo, monkeypatch, OTHERS)


def git_lfs(team: Team, monkeypatch: pytest.MonkeyPatch) -> None:
    """git-lfs, with a program in its place on PATH that notes what its hook is given, then runs it."""
    folder = team.root.parent / "lfs"
    folder.mkdir(exist_ok=True)
    real = run("sh", "-c", "command -v git-lfs", env=team.env).stdout.strip()
    (folder / "git-lfs").write_text(
        f'#!/bin/sh\n[ "$1" = pre-push ] || exec {real} "$@"\n'
        f'tee -a {SAW} | {real} "$@" && [ ! -e .git/other-refuses ]\n'
    )
    (folder / "git-lfs").chmod(0o755)
    newgit.first_on_path(folder, team.env, monkeypatch)
    team.repo.git("lfs", "install", "--local", "--force")


def judged(team: Team) -> None:
    """Push a bad tag, a tag that only the other hook refuses, a good one and a branch."""
    saw = team.repo.path / SAW
    saw.unlink(missing_ok=True)
    team.repo.git("tag", "v2.9.0")
    team.guard("v2.9.0").refused("lightweight")
    team.tag()
    (team.repo.path / ".git/other-refuses").touch()
    done = team.guard("v2.9.0")
    assert done.code != 0 and done.after == done.before, done.screen
    team.repo.git("commit", "-q", "--allow-empty", "-m", "more")
    assert team.guard("HEAD:refs/heads/plain").code != 0  # its say about branches stands, too
    (team.repo.path / ".git/other-refuses").unlink()
    assert team.guard("v2.9.0").accepted("v2.9.0").screen.count("policy: refs/") == 1
    done = team.guard("HEAD:refs/heads/plain").accepted()
    assert "refs/heads/plain" in done.after and "policy:" not in done.screen
    lines = [line.split()[2] for line in saw.read_text().splitlines()]
    assert lines[-4:] == ["refs/tags/v2.9.0", "refs/heads/plain", "refs/tags/v2.9.0", "refs/heads/plain"]


@pytest.fixture(params=["old", "new"])
def git(request: pytest.FixtureRequest, team: Team, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    version: str = request.param
    (newgit.use_old if version == "old" else newgit.use_new)(tmp_path / f"{version} git", team.env, monkeypatch)
    return version


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("other", [husky, git_lfs], ids=lambda step: step.__name__)
def test_both_run_whoever_came_first(
    team: Team, monkeypatch: pytest.MonkeyPatch, git: str, other: Step, after: bool
) -> None:
    for step in (guard, other, guard) if after else (other, guard):
        step(team, monkeypatch)
    state = inspect(layout(team.repo.path))
    assert state.armed and not state.twice
    if other is husky:
        assert state.config.armed is (git == "new") and state.called is (git == "old")
    else:
        assert state.guard == state.hooks.pre_push and b"git lfs pre-push" in state.chained.data
    judged(team)


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_lefthook_and_the_guard_both_run(team: Team, monkeypatch: pytest.MonkeyPatch, git: str, after: bool) -> None:
    for step in (guard, lefthook, guard) if after else (lefthook, guard):
        step(team, monkeypatch)
    state = inspect(layout(team.repo.path))
    assert state.armed and not state.twice
    assert state.config.armed is (git == "new") and state.called is (git == "old")
    assert state.pre_push.kind is Kind.LEFTHOOK
    judged(team)
    run("lefthook", "install", "-f", cwd=team.repo.path, env=team.env)
    assert inspect(layout(team.repo.path)).armed


@pytest.mark.parametrize("name", ["husky", "lefthook"])
def test_what_uninstall_leaves_is_the_managers(
    team: Team, monkeypatch: pytest.MonkeyPatch, new_git: bool, name: str
) -> None:
    {"husky": husky, "lefthook": lefthook}[name](team, monkeypatch)
    before = {p: p.read_bytes() for p in team.repo.path.rglob("*") if p.is_file()}
    guard(team, monkeypatch)
    assert inspect(layout(team.repo.path)).armed
    assert team.repo.ptguard("uninstall").returncode == 0
    assert {p: p.read_bytes() for p in team.repo.path.rglob("*") if p.is_file()} == before


def test_a_folder_of_husky_that_is_not_set_up_again_is_named(
    team: Team, monkeypatch: pytest.MonkeyPatch, old_git: None
) -> None:
    """A fresh clone has .husky/pre-push, which is committed, and no .husky/_ before husky has run."""
    husky(team, monkeypatch)
    guard(team, monkeypatch)
    assert team.repo.ptguard("install", "--check").returncode == 0
    run("rm", "-r", ".husky/_", cwd=team.repo.path)
    done = team.repo.ptguard("doctor")
    assert done.returncode == 1 and "mend: npx husky" in done.stdout
    run("husky", cwd=team.repo.path, env=team.env)  # what npx finds in node_modules
    assert team.repo.ptguard("install", "--check").returncode == 0
    judged(team)
