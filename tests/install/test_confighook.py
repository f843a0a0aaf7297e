"""The guard as a config hook: what is written, that git runs it, and that nothing of it stays behind.

Where no git 2.54 is here, an older one runs what the configuration says (tests/newgit.py).
"""

import os
import shlex
import shutil
from pathlib import Path

import pytest

from ptguard.gateways.repo import layout
from ptguard.install import arm, inspect, install, uninstall
from ptguard.install.confighook import COMMAND, find
from tests import newgit
from tests.guards import FakePython
from tests.support import Repo, refs, run, with_remote

HUSKY = '#!/usr/bin/env sh\n. "$(dirname "$0")/h"\n'
LEFTHOOK = '#!/bin/sh\ncall_lefthook()\n{\n  cat >> "$PWD/.git/lefthook-saw"\n}\n\ncall_lefthook run "pre-push" "$@"\n'


@pytest.fixture
def fake(tmp_path: Path) -> FakePython:
    return FakePython.make(tmp_path / "intérprète of mine")


@pytest.fixture
def clone(repo: Repo, tmp_path: Path) -> Repo:
    return with_remote(repo, tmp_path / "the remote.git")


def own_hook(repo: Repo, file: str, status: int = 0) -> Path:
    """Write a hook that notes the ref lines it gets; give the file in which it does."""
    saw = repo.path.parent / "hook-saw"
    repo.write(file, f"#!/bin/sh\ncat >> {shlex.quote(str(saw))}\nexit {status}\n").chmod(0o755)
    return saw


def by_hand(repo: Repo) -> Path:
    repo.git("config", "core.hooksPath", ".githooks")
    return own_hook(repo, ".githooks/pre-push")


def by_husky(repo: Repo) -> Path:
    repo.git("config", "core.hooksPath", ".husky/_")
    return own_hook(repo, ".husky/_/pre-push")


def by_lefthook(repo: Repo) -> Path:
    (layout(repo.path).hooks / "pre-push").write_text(LEFTHOOK)
    (layout(repo.path).hooks / "pre-push").chmod(0o755)
    return repo.path / ".git/lefthook-saw"


def globally(repo: Repo) -> Path:
    folder = repo.path.parent / "all my hooks"
    repo.git("config", "--global", "core.hooksPath", folder)
    saw = own_hook(repo, "not-here")
    folder.mkdir()
    (repo.path / "not-here").replace(folder / "pre-push")
    return saw


WAYS = [by_hand, by_husky, by_lefthook, globally]
each_way = pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)


def files(folder: Path) -> dict[str, tuple[bytes, int]]:
    """Give every file below ``folder`` with its bytes and mode."""
    return {
        str(p.relative_to(folder)): (p.read_bytes(), p.lstat().st_mode)
        for p in sorted(folder.rglob("*"))
        if p.is_file()
    }


def config(repo: Repo, key: str) -> list[str]:
    return repo.git("config", "--local", "--get-all", key, check=False).splitlines()


# ------------------------------------------------------------------------------------------------ what is written


@each_way
def test_install_writes_a_config_hook_and_uninstall_takes_all_of_it_away(
    clone: Repo, fake: FakePython, new_git: bool, way: object
) -> None:
    assert callable(way)
    way(clone)
    before = files(clone.path)
    assert not inspect(layout(clone.path)).armed
    outcome = install(layout(clone.path), fake.path)
    assert outcome.changes == (
        "wrote .git/ptguard/pre-push",
        "set hook.ptguard.command",
        "set hook.ptguard.event",
    )
    assert outcome.state.armed and not outcome.state.called
    assert outcome.state.guard == outcome.state.config.guard
    changed = {name for name, file in files(clone.path).items() if before.get(name) != file}
    assert changed == {".git/config", ".git/ptguard/pre-push"}
    assert config(clone, "hook.ptguard.command") == [COMMAND]
    assert config(clone, "hook.ptguard.event") == ["pre-push"]
    text = (clone.path / ".git/config").read_text()
    assert text.index("\tcommand = ") < text.index("\tevent = ")
    again = files(clone.path)
    assert install(layout(clone.path), fake.path).changes == ()
    assert arm(layout(clone.path), Path("/another/python")).changes == ()
    assert files(clone.path) == again
    uninstall(layout(clone.path))
    assert files(clone.path) == before
    assert not (clone.path / ".git/ptguard").exists()
    assert not inspect(layout(clone.path)).armed


@pytest.mark.parametrize("end", ["", "\n", "\n\n", "\n# mine\n", "\n# mine"])
def test_however_the_configuration_ends_it_ends_so_again(
    clone: Repo, fake: FakePython, new_git: bool, end: str
) -> None:
    by_hand(clone)
    file = clone.path / ".git/config"
    file.write_text(file.read_text().rstrip("\n") + end)
    before = file.read_bytes()
    assert install(layout(clone.path), fake.path).state.armed
    uninstall(layout(clone.path))
    assert file.read_bytes() == before


def test_the_command_is_set_before_the_event_and_goes_after_it(
    clone: Repo, fake: FakePython, new_git: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    by_hand(clone)
    folder = tmp_path / "noting"
    folder.mkdir()
    git, notes = shutil.which("git", path=clone.env["PATH"]), tmp_path / "notes"
    (folder / "git").write_text(f'#!/bin/sh\necho "$*" >> "{notes}"\nexec "{git}" "$@"\n')
    (folder / "git").chmod(0o755)
    newgit.first_on_path(folder, clone.env, monkeypatch)
    install(layout(clone.path), fake.path)
    uninstall(layout(clone.path))
    keys = [w for line in notes.read_text().splitlines() for w in line.split() if w.startswith("hook.")]
    changed = [line.split()[2] for line in notes.read_text().splitlines() if line.startswith("config --local")]
    assert changed == ["--replace-all", "--replace-all", "--remove-section"]
    assert keys == ["hook.ptguard.command", "hook.ptguard.event", "hook.ptguard"]
    install(layout(clone.path), fake.path)
    file = clone.path / ".git/config"
    file.write_text(file.read_text() + '\tparallel = true\n# mine\n[remote "another"]\n')
    assert uninstall(layout(clone.path)).changes[:2] == ("unset hook.ptguard.event", "unset hook.ptguard.command")
    assert file.read_text().endswith('[hook "ptguard"]\n\tparallel = true\n# mine\n[remote "another"]\n')


def test_with_an_older_git_nothing_is_written(clone: Repo, fake: FakePython, old_git: None) -> None:
    by_hand(clone)
    before = files(clone.path)
    assert not install(layout(clone.path), fake.path).state.armed
    assert files(clone.path) == before


@pytest.mark.parametrize(
    ("version", "armed"),
    [
        ("2.54.0", True),
        ("2.54.0-rc1", True),
        ("2.55.GIT", True),
        ("3.0.0", True),
        ("2.100.1 (Apple Git-200)", True),
        ("2.53.9", False),
        ("1.99.0", False),
        ("unknown", False),
    ],
)
def test_from_which_git_on(
    clone: Repo, fake: FakePython, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: str, armed: bool
) -> None:
    newgit.saying(version, tmp_path / "bin", clone.env, monkeypatch)
    by_hand(clone)
    assert install(layout(clone.path), fake.path).state.armed is armed


def test_a_manager_that_calls_the_guard_needs_no_config_hook(clone: Repo, fake: FakePython, new_git: bool) -> None:
    by_hand(clone)
    install(layout(clone.path), fake.path)
    clone.write(".githooks/pre-push", '#!/bin/sh\nptguard pre-push "$@" || exit $?\n').chmod(0o755)
    state = inspect(layout(clone.path))
    assert state.armed and state.twice
    assert install(layout(clone.path), fake.path).changes == (
        "removed hook.ptguard from the clone's configuration",
        "removed .git/ptguard/pre-push",
    )
    state = inspect(layout(clone.path))
    assert state.armed and not state.twice


def test_a_guard_that_the_hooks_path_bypasses_moves_into_the_configuration(
    clone: Repo, fake: FakePython, new_git: bool
) -> None:
    own_hook(clone, ".git/hooks/pre-push")
    before = files(clone.path / ".git/hooks")
    install(layout(clone.path), fake.path)
    by_hand(clone)
    outcome = install(layout(clone.path), fake.path)
    assert outcome.state.armed
    assert (
        files(clone.path / ".git/hooks") == before
    )  # the user's own is back in its place, should git look there again
    clone.git("config", "--unset", "core.hooksPath")
    outcome = install(layout(clone.path), fake.path)
    assert outcome.state.armed and not outcome.state.twice
    assert outcome.state.guard == outcome.state.hooks.guard
    assert config(clone, "hook.ptguard.command") == []


@pytest.mark.parametrize("scope", ["--local", "--global"])
def test_a_config_hook_that_was_switched_off_is_switched_on(
    clone: Repo, fake: FakePython, new_git: bool, scope: str
) -> None:
    by_hand(clone)
    install(layout(clone.path), fake.path)
    clone.git("config", scope, "hook.ptguard.enabled", "false")
    assert not inspect(layout(clone.path)).armed
    assert install(layout(clone.path), fake.path).state.armed
    assert config(clone, "hook.ptguard.enabled") == ([] if scope == "--local" else ["true"])
    uninstall(layout(clone.path))
    assert "ptguard" not in (clone.path / ".git/config").read_text()


@pytest.mark.parametrize(
    ("settings", "armed"),
    [
        ([], True),
        ([("hook.ptguard.enabled", "yes")], True),
        ([("hook.ptguard.enabled", "perhaps")], True),
        ([("hook.ptguard.enabled", "0")], False),
        ([("hook.ptguard.enabled", "off"), ("hook.ptguard.enabled", "on")], True),
        ([("hook.ptguard.enabled", "on"), ("hook.ptguard.enabled", "No")], False),
        ([("hook.ptguard.event", "")], False),
        ([("hook.ptguard.event", ""), ("hook.ptguard.event", "pre-push")], True),
        ([("hook.ptguard.event", "pre-commit")], True),
        ([("hook.ptguard.command", "true")], False),
        ([("hook.pre-push.enabled", "false")], False),
        ([("hook.pre-push.enabled", "false"), ("hook.pre-push.enabled", "1")], True),
        ([("hook.pre-push.enabled", "false"), ("hook.pre-push.command", "true")], True),
        ([("hook.another.enabled", "false")], True),
    ],
)
def test_what_git_makes_of_the_configuration(
    clone: Repo, fake: FakePython, new_git: bool, settings: list[tuple[str, str]], armed: bool
) -> None:
    by_hand(clone)
    install(layout(clone.path), fake.path)
    for key, text in settings:
        clone.git("config", "--local", "--add", key, text)
    assert inspect(layout(clone.path)).armed is armed
    if new_git:  # git itself is of the same mind
        clone.git("tag", "v1")
        clone.try_git("push", "origin", "v1")
        assert len(fake.calls) == armed


def test_a_worktree_of_its_own_configuration_is_armed_with_all(clone: Repo, fake: FakePython, new_git: bool) -> None:
    clone.git("worktree", "add", "-q", "-b", "side", clone.path.parent / "linked")
    linked = Repo(clone.path.parent / "linked", clone.env)
    clone.git("config", "extensions.worktreeConfig", "true")
    linked.git("config", "--worktree", "core.hooksPath", ".githooks")
    assert install(layout(linked.path), fake.path).state.armed
    assert config(clone, "hook.ptguard.event") == ["pre-push"]
    assert (clone.path / ".git/ptguard/pre-push").is_file()
    uninstall(layout(linked.path))
    assert config(clone, "hook.ptguard.event") == []


def test_a_submodule_has_a_configuration_of_its_own(
    clone: Repo, fake: FakePython, new_git: bool, tmp_path: Path
) -> None:
    inner = with_remote(repo_at(tmp_path / "inner", clone.env), tmp_path / "inner.git")
    clone.git("submodule", "add", "-q", tmp_path / "inner.git", "the part")
    by_hand(clone)
    install(layout(clone.path), fake.path)
    part = Repo(clone.path / "the part", clone.env)
    assert not inspect(layout(part.path)).armed
    by_hand(part)
    assert not inspect(layout(part.path)).armed
    assert install(layout(part.path), fake.path).state.armed
    assert (clone.path / ".git/modules/the part/ptguard/pre-push").is_file()
    assert inner.path != part.path


def repo_at(path: Path, env: dict[str, str]) -> Repo:
    run("git", "init", "-q", path, env=env)
    return Repo(path, env)


# ------------------------------------------------------------------------------------------------ git runs it


def remote_tags(repo: Repo) -> set[str]:
    there = refs(Path(repo.git("remote", "get-url", "origin")), repo.env)
    return {name.removeprefix("refs/tags/") for name in there if name.startswith("refs/tags/")}


def pushed_for_real(repo: Repo, fake: FakePython, prefix: str = "v") -> None:
    """Push a bad tag, a good tag and a branch: judged, judged, unseen; each tag push one time."""
    start = len(fake.calls)
    bad, good = f"{prefix}1", f"{prefix}2"
    repo.git("tag", bad)
    repo.git("tag", good)
    fake.answer(1)
    assert repo.try_git("push", "origin", bad).returncode != 0
    assert bad not in remote_tags(repo)
    fake.answer(0)
    assert repo.try_git("push", "origin", good).returncode == 0
    assert good in remote_tags(repo)
    repo.commit("more")
    assert repo.try_git("push", "origin", "HEAD").returncode == 0
    lines = [call.stdin for call in fake.calls[start:]]
    assert [line.split()[2] for line in lines] == [f"refs/tags/{bad}", f"refs/tags/{good}"]


@each_way
def test_git_runs_both_hooks_and_either_refuses(clone: Repo, fake: FakePython, new_git: bool, way: object) -> None:
    assert callable(way)
    saw = way(clone)
    install(layout(clone.path), fake.path)
    pushed_for_real(clone, fake)
    lines = [line.split()[2] for line in saw.read_text().splitlines()]
    assert lines == ["refs/tags/v1", "refs/tags/v2", "refs/heads/main"]
    if way is by_hand:
        own_hook(clone, ".githooks/pre-push", status=7)
        clone.git("tag", "v3")
        assert clone.try_git("push", "origin", "v3").returncode != 0
        assert "v3" not in remote_tags(clone)


@pytest.mark.parametrize("name", ["with space", "ünïcode 项目", "quote ' and \" and $HOME `x`", "semi;colon & more"])
def test_git_runs_it_in_odd_places_and_after_a_move(
    tmp_path: Path, env: dict[str, str], fake: FakePython, new_git: bool, name: str
) -> None:
    clone = with_remote(repo_at(tmp_path / name / "clone", env), tmp_path / "remote.git")
    by_hand(clone)
    install(layout(clone.path), fake.path)
    pushed_for_real(clone, fake)
    (tmp_path / name).rename(tmp_path / f"{name} moved")
    moved = Repo(tmp_path / f"{name} moved/clone", env)
    assert inspect(layout(moved.path)).armed
    pushed_for_real(moved, fake, "w")


def test_git_runs_it_in_a_linked_worktree_and_from_a_separate_folder(
    tmp_path: Path, env: dict[str, str], fake: FakePython, new_git: bool
) -> None:
    run("git", "init", "-q", "--separate-git-dir", tmp_path / "elsewhere é", tmp_path / "tree", env=env)
    clone = with_remote(Repo(tmp_path / "tree", env), tmp_path / "remote.git")
    by_hand(clone)
    clone.git("worktree", "add", "-q", "-b", "side", tmp_path / "linked tree")
    install(layout(clone.path), fake.path)
    assert (tmp_path / "elsewhere é/ptguard/pre-push").is_file()
    pushed_for_real(clone, fake)
    linked = Repo(tmp_path / "linked tree", env)
    assert inspect(layout(linked.path)).armed
    pushed_for_real(linked, fake, "w")


def test_a_submodule_does_not_inherit_it(clone: Repo, fake: FakePython, new_git: bool, tmp_path: Path) -> None:
    with_remote(repo_at(tmp_path / "inner", clone.env), tmp_path / "inner.git")
    clone.git("submodule", "add", "-q", tmp_path / "inner.git", "part")
    by_hand(clone)
    install(layout(clone.path), fake.path)
    part = Repo(clone.path / "part", clone.env)
    part.git("tag", "v1")
    part.git("push", "-q", "origin", "v1")
    assert fake.calls == []
    by_hand(part)
    install(layout(part.path), fake.path)
    pushed_for_real(part, fake, "w")


def test_hooks_switched_off_by_their_path_do_not_switch_it_off(clone: Repo, fake: FakePython, new_git: bool) -> None:
    clone.git("config", "core.hooksPath", "/dev/null")
    install(layout(clone.path), fake.path)
    pushed_for_real(clone, fake)


def test_where_the_guards_file_is_gone_tags_are_refused_and_branches_are_not(
    clone: Repo, fake: FakePython, new_git: bool
) -> None:
    by_hand(clone)
    install(layout(clone.path), fake.path)
    shutil.rmtree(clone.path / ".git/ptguard")
    assert not inspect(layout(clone.path)).armed
    clone.git("tag", "v1")
    done = clone.try_git("push", "origin", "v1", "HEAD:refs/heads/x")
    assert done.returncode != 0 and remote_tags(clone) == set()
    assert "To mend it:  ptguard install" in done.stderr
    clone.commit("more")
    assert clone.try_git("push", "origin", "main").returncode == 0
    assert clone.try_git("push", "origin", "main").returncode == 0  # up to date: no line at all
    install(layout(clone.path), fake.path)
    pushed_for_real(clone, fake, "w")


def test_git_never_dies_of_it_in_between(
    clone: Repo, fake: FakePython, new_git: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After each single write of install and uninstall a branch can be pushed."""
    by_hand(clone)
    folder, git = tmp_path / "trying", shutil.which("git", path=clone.env["PATH"])
    folder.mkdir()
    tries = tmp_path / "tries"
    (folder / "git").write_text(
        f'#!/bin/sh\n"{git}" "$@" || exit $?\ncase "$*" in "config --local"*)\n'
        f'"{git}" push -q origin main && echo ok >> "{tries}" || echo dead >> "{tries}" ;; esac\n'
    )
    (folder / "git").chmod(0o755)
    newgit.first_on_path(folder, clone.env, monkeypatch)
    install(layout(clone.path), fake.path)
    uninstall(layout(clone.path))
    assert tries.read_text().split() == ["ok"] * 3


def test_without_a_clone_nothing_is_asked(clone: Repo, new_git: bool) -> None:
    assert find(layout(clone.path), ask=False).git is None
    assert find(layout(clone.path), ask=True).git is not None
    assert os.environ["PATH"] == clone.env["PATH"]
