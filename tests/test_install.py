"""Arming real clones: every kind of clone, pushed from for real; what was judged is what the interpreter was given."""

import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from ptguard.errors import PtguardError, UsageError
from ptguard.gateways.repo import Layout, layout
from ptguard.install import State, Trouble, arm, examine, inspect, install, uninstall
from ptguard.install.hookfile import Kind, classify, read, render
from tests.guards import FakePython
from tests.support import Repo, refs, run, with_remote

pytestmark = pytest.mark.usefixtures("old_git")  # what a newer one adds is tested in tests/install

CONFIG = """\
default_install_hook_types: [pre-commit, pre-push]
repos:
- repo: local
  hooks:
  - {id: ok, name: ok, entry: 'true', language: system, always_run: true, pass_filenames: false, stages: [pre-push]}
"""


@pytest.fixture
def fake(tmp_path: Path) -> FakePython:
    return FakePython.make(tmp_path / "intérprète of mine")


@pytest.fixture
def clone(repo: Repo, tmp_path: Path) -> Repo:
    """A clone with one commit that its remote has; the remote is a path with a space."""
    return with_remote(repo, tmp_path / "the remote.git")


def hooks(repo: Repo) -> Path:
    return layout(repo.path).hooks


def snapshot(folder: Path) -> dict[str, tuple[bytes, int, int]]:
    """Give every file below a hooks folder with its bytes, mode and inode-independent size; samples too."""
    return {
        str(p.relative_to(folder)): (p.read_bytes(), stat.S_IMODE(p.lstat().st_mode), int(p.is_symlink()))
        for p in sorted(folder.rglob("*"))
        if p.is_file()
    }


def own_hook(repo: Repo, name: str = "pre-push", status: int = 0, mode: int = 0o755) -> Path:
    """Write a hook of the user's own that notes the ref lines it gets, beside the clone."""
    hook = hooks(repo) / name
    hook.parent.mkdir(parents=True, exist_ok=True)
    saw = repo.path.parent / f"{name}-saw"
    hook.write_text(f'#!/bin/sh\necho "$1" >> "{saw}"\ncat >> "{saw}"\nexit {status}\n')
    hook.chmod(mode)
    return saw


def pre_commit(repo: Repo, *args: str) -> subprocess.CompletedProcess[str]:
    return run(sys.executable, "-m", "pre_commit", *args, cwd=repo.path, env=repo.env)


def configure(repo: Repo, text: str = CONFIG) -> None:
    repo.write(".pre-commit-config.yaml", text)
    repo.commit("configure pre-commit")
    repo.git("push", "-q", "origin", "main")


def judged(repo: Repo, fake: FakePython) -> None:
    """Push tags in every shape: each is judged, once; and refused where the guard refuses."""
    start = len(fake.calls)
    repo.git("tag", "published")  # on a commit that the remote has
    repo.commit("second")
    repo.git("tag", "one")
    repo.git("tag", "two")
    fake.answer(1)
    for pushed in (["published"], ["one", "two"], ["--tags"], ["HEAD:refs/tags/x"], ["main", "one"]):
        before = remote_refs(repo)
        assert repo.try_git("push", "origin", *pushed).returncode != 0
        assert remote_refs(repo) == before
    fake.answer(0)
    assert repo.try_git("push", "origin", "one", "two", "main").returncode == 0
    assert repo.try_git("push", "origin", ":refs/tags/one").returncode == 0
    calls = fake.calls[start:]
    lines = [sorted(line.split(" ")[-2] for line in call.stdin.splitlines()) for call in calls]
    assert lines == [
        ["refs/tags/published"],
        ["refs/tags/one", "refs/tags/two"],
        ["refs/tags/one", "refs/tags/published", "refs/tags/two"],
        ["refs/tags/x"],
        ["refs/heads/main", "refs/tags/one"],
        ["refs/heads/main", "refs/tags/one", "refs/tags/two"],
        ["refs/tags/one"],
    ]
    assert {tuple(call.argv[:5]) for call in calls} == {("-I", "-m", "ptguard", "pre-push", "origin")}


def remote_refs(repo: Repo) -> dict[str, str]:
    return refs(Path(repo.git("remote", "get-url", "origin")), repo.env)


def again_changes_nothing(repo: Repo, fake: FakePython) -> None:
    before = snapshot(hooks(repo))
    again = install(layout(repo.path), fake.path)
    assert again.changes == ()
    assert arm(layout(repo.path), Path("/another/python")).changes == ()
    assert snapshot(hooks(repo)) == before


# ------------------------------------------------------------------------------------------------ kinds of clone


def test_nothing_installed(clone: Repo, fake: FakePython) -> None:
    before = snapshot(hooks(clone))
    assert not inspect(layout(clone.path)).armed
    outcome = install(layout(clone.path), fake.path)
    assert outcome.state.armed
    assert outcome.changes == ("wrote .git/hooks/pre-push",)
    judged(clone, fake)
    again_changes_nothing(clone, fake)
    uninstall(layout(clone.path))
    assert snapshot(hooks(clone)) == before


def test_pre_commit_installed_before(clone: Repo, fake: FakePython) -> None:
    configure(clone)
    pre_commit(clone, "install")
    before = snapshot(hooks(clone))
    assert not inspect(layout(clone.path)).armed
    outcome = install(layout(clone.path), fake.path)
    assert outcome.changes == ("wrote .git/hooks/pre-push.legacy",)
    assert read(hooks(clone) / "pre-push").kind is Kind.PRE_COMMIT
    judged(clone, fake)
    again_changes_nothing(clone, fake)
    uninstall(layout(clone.path))
    assert snapshot(hooks(clone)) == before


def test_pre_commit_installed_after(clone: Repo, fake: FakePython) -> None:
    install(layout(clone.path), fake.path)
    configure(clone)
    pre_commit(clone, "install")
    state = inspect(layout(clone.path))
    assert state.armed
    assert state.guard == state.legacy
    judged(clone, fake)
    again_changes_nothing(clone, fake)


def test_pre_commit_uninstalled_after(clone: Repo, fake: FakePython) -> None:
    configure(clone)
    pre_commit(clone, "install")
    install(layout(clone.path), fake.path)
    pre_commit(clone, "uninstall")
    state = inspect(layout(clone.path))
    assert state.guard == state.pre_push
    judged(clone, fake)


def test_install_brings_pre_commit_and_uninstall_takes_it_away(clone: Repo, fake: FakePython) -> None:
    configure(clone)
    saw = own_hook(clone)
    before = snapshot(hooks(clone))
    outcome = install(layout(clone.path), fake.path)
    assert outcome.changes[0] == "pre-commit installed for pre-commit, pre-push"
    assert outcome.warnings == ()
    judged(clone, fake)
    assert "refs/tags/one" in saw.read_text()
    again_changes_nothing(clone, fake)
    assert uninstall(layout(clone.path)).warnings == ()
    assert snapshot(hooks(clone)) == before


def test_pre_commit_that_the_user_installed_stays(clone: Repo, fake: FakePython) -> None:
    configure(clone, CONFIG.replace("pre-commit, pre-push", "pre-commit"))
    pre_commit(clone, "install")
    install(layout(clone.path), fake.path)
    uninstall(layout(clone.path))
    assert read(hooks(clone) / "pre-commit").kind is Kind.PRE_COMMIT


def test_pre_commit_forced_over_the_guard_is_found_and_mended(clone: Repo, fake: FakePython) -> None:
    configure(clone)
    install(layout(clone.path), fake.path)
    pre_commit(clone, "install", "-f")
    state = inspect(layout(clone.path))
    assert not state.armed
    assert [t.what for t in hook_troubles(state)] == [
        "the guard is lost: pre-commit has the hook, and .git/hooks/pre-push.legacy is not there"
    ]
    arm(layout(clone.path), fake.path)
    judged(clone, fake)


@pytest.mark.parametrize("mode", [0o755, 0o700, 0o644])
def test_a_hook_of_the_users_own_is_chained(clone: Repo, fake: FakePython, mode: int) -> None:
    saw = own_hook(clone, mode=mode)
    before = snapshot(hooks(clone))
    outcome = install(layout(clone.path), fake.path)
    assert outcome.changes == (
        "moved .git/hooks/pre-push to pre-push.ptguard-chained",
        "wrote .git/hooks/pre-push",
    )
    judged(clone, fake)
    if mode & 0o100:
        assert saw.read_text().count(" refs/tags/published ") == 2
        clone.commit("third")
        clone.git("push", "-q", "origin", "main")
        assert saw.read_text().splitlines()[-1].startswith("refs/heads/main ")
    else:
        assert not saw.exists()
    again_changes_nothing(clone, fake)
    uninstall(layout(clone.path))
    assert snapshot(hooks(clone)) == before


def test_a_chained_hook_refuses_as_before(clone: Repo, fake: FakePython) -> None:
    own_hook(clone, status=5)
    install(layout(clone.path), fake.path)
    before = remote_refs(clone)
    clone.git("tag", "v1")
    assert clone.try_git("push", "origin", "v1").returncode != 0
    clone.commit("second")
    assert clone.try_git("push", "origin", "main").returncode != 0
    assert remote_refs(clone) == before
    assert len(fake.calls) == 1


def test_a_hook_that_is_a_link_is_kept_as_a_link(clone: Repo, fake: FakePython) -> None:
    saw = own_hook(clone, "team-hook")
    (hooks(clone) / "pre-push").symlink_to("team-hook")
    before = snapshot(hooks(clone))
    install(layout(clone.path), fake.path)
    judged(clone, fake)
    assert "refs/tags/one" in saw.read_text()
    uninstall(layout(clone.path))
    assert snapshot(hooks(clone)) == before
    assert (hooks(clone) / "pre-push").is_symlink()


def own_then_pre_commit_then_guard(repo: Repo, fake: FakePython) -> None:
    own_hook(repo)
    pre_commit(repo, "install")
    install(layout(repo.path), fake.path)


def own_then_guard_then_pre_commit(repo: Repo, fake: FakePython) -> None:
    own_hook(repo)
    arm(layout(repo.path), fake.path)
    pre_commit(repo, "install")


def pre_commit_then_own_over_it(repo: Repo, fake: FakePython) -> None:
    pre_commit(repo, "install")
    own_hook(repo)  # as `git lfs install --force` does
    install(layout(repo.path), fake.path)


def guard_under_pre_commit_then_own_over_it(repo: Repo, fake: FakePython) -> None:
    install(layout(repo.path), fake.path)
    own_hook(repo)
    assert not inspect(layout(repo.path)).armed
    install(layout(repo.path), fake.path)


@pytest.mark.parametrize(
    "way",
    [
        own_then_pre_commit_then_guard,
        own_then_guard_then_pre_commit,
        pre_commit_then_own_over_it,
        guard_under_pre_commit_then_own_over_it,
    ],
)
def test_guard_own_hook_and_pre_commit_in_every_order(
    clone: Repo, fake: FakePython, way: Callable[[Repo, FakePython], None]
) -> None:
    configure(clone)
    way(clone, fake)
    state = inspect(layout(clone.path))
    assert state.guard == state.legacy
    clone.git("tag", "one")
    clone.git("tag", "two")
    fake.answer(1)
    assert clone.try_git("push", "origin", "one", "two").returncode != 0
    assert len(fake.calls) == 1
    assert fake.calls[0].stdin.count(" refs/tags/") == 2
    saw = (clone.path.parent / "pre-push-saw").read_text()
    assert saw == "origin\n" + fake.calls[0].stdin
    again_changes_nothing(clone, fake)
    uninstall(layout(clone.path))
    pre_commit(clone, "uninstall")
    assert read(hooks(clone) / "pre-push").kind is Kind.FOREIGN
    assert not list(hooks(clone).glob("pre-push.*[!e]"))  # only git's own sample is left


def test_a_second_own_hook_does_not_overwrite_the_first(clone: Repo, fake: FakePython) -> None:
    own_hook(clone)
    first = (hooks(clone) / "pre-push").read_bytes()
    install(layout(clone.path), fake.path)
    own_hook(clone, status=1)
    second = (hooks(clone) / "pre-push").read_bytes()
    install(layout(clone.path), fake.path)
    assert (hooks(clone) / "pre-push.ptguard-replaced-1").read_bytes() == first
    assert (hooks(clone) / "pre-push.ptguard-chained").read_bytes() == second
    assert inspect(layout(clone.path)).armed


# ------------------------------------------------------------------------------------------------ places


@pytest.mark.parametrize("name", ["with space", "ünïcode 项目", "quote ' and \" and $HOME"])
def test_odd_paths(tmp_path: Path, env: dict[str, str], name: str) -> None:
    path = tmp_path / name / "clone"
    run("git", "init", "-q", path, env=env)
    clone = with_remote(Repo(path, env), tmp_path / name / "remote.git")
    fake = FakePython.make(tmp_path / name / "python")
    install(layout(path), fake.path)
    judged(clone, fake)


def test_a_linked_work_tree_shares_the_guard(clone: Repo, fake: FakePython, tmp_path: Path) -> None:
    clone.git("worktree", "add", "-q", "-b", "side", tmp_path / "linked tree")
    linked = Repo(tmp_path / "linked tree", clone.env)
    install(layout(linked.path), fake.path)
    assert layout(linked.path).hooks == clone.path / ".git/hooks"
    assert inspect(layout(clone.path)).armed
    linked.git("tag", "v1")
    linked.git("push", "-q", "origin", "v1")
    assert [c.git_dir for c in fake.calls] == [str(clone.path / ".git/worktrees/linked-tree")]
    judged(clone, fake)


def test_a_submodule_has_hooks_of_its_own(clone: Repo, fake: FakePython, tmp_path: Path) -> None:
    outer = tmp_path / "outer"
    run("git", "init", "-q", outer, env=clone.env)
    remote = clone.git("remote", "get-url", "origin")
    run("git", "-C", outer, "submodule", "add", "-q", remote, "inner part", env=clone.env)
    inner = Repo(outer / "inner part", clone.env)
    install(layout(inner.path), fake.path)
    assert (outer / ".git/modules/inner part/hooks/pre-push").is_file()
    assert not (outer / ".git/hooks/pre-push").exists()
    judged(inner, fake)


def test_a_separate_git_dir(tmp_path: Path, env: dict[str, str], fake: FakePython) -> None:
    run("git", "init", "-q", "--separate-git-dir", tmp_path / "elsewhere é", tmp_path / "tree", env=env)
    clone = with_remote(Repo(tmp_path / "tree", env), tmp_path / "remote.git")
    install(layout(clone.path), fake.path)
    assert (tmp_path / "elsewhere é/hooks/pre-push").is_file()
    judged(clone, fake)


def test_from_a_subfolder_and_without_a_hooks_folder(tmp_path: Path, env: dict[str, str], fake: FakePython) -> None:
    run("git", "init", "-q", "--template=", tmp_path / "bare bones", env=env)
    clone = with_remote(Repo(tmp_path / "bare bones", env), tmp_path / "remote.git")
    (clone.path / "src/deep").mkdir(parents=True)
    assert install(layout(clone.path / "src/deep"), fake.path).changes == ("wrote .git/hooks/pre-push",)
    judged(clone, fake)


def test_a_bare_clone_that_pushes_on(clone: Repo, fake: FakePython, tmp_path: Path) -> None:
    run("git", "clone", "-q", "--bare", clone.path, tmp_path / "mirror.git", env=clone.env)
    mirror = Repo(tmp_path / "mirror.git", clone.env)
    clone.git("tag", "v1")
    mirror.git("fetch", "-q", "--tags")
    install(layout(mirror.path), fake.path)
    fake.answer(1)
    assert mirror.try_git("push", clone.git("remote", "get-url", "origin"), "v1").returncode != 0
    assert len(fake.calls) == 1


# ------------------------------------------------------------------------------------------------ hooks elsewhere


def elsewhere(repo: Repo, path: str, hook: str | None = None) -> Layout:
    repo.git("config", "core.hooksPath", path)
    if hook is not None:
        (repo.path / path).mkdir(parents=True, exist_ok=True)
        repo.write(f"{path}/pre-push", hook).chmod(0o755)
    return layout(repo.path)


HUSKY = '#!/usr/bin/env sh\n. "$(dirname "$0")/h"\n'


@pytest.mark.parametrize(
    ("path", "hook", "file"),
    [
        (".githooks", "#!/bin/sh\n", ".githooks/pre-push"),
        (".githooks", None, ".githooks/pre-push"),
        (".husky/_", HUSKY, ".husky/pre-push"),
        (".husky", HUSKY, ".husky/pre-push"),
    ],
)
def test_a_hooks_path_is_not_written_to(clone: Repo, fake: FakePython, path: str, hook: str | None, file: str) -> None:
    lines = 'ptguard pre-push "$@" || exit $?'
    kept = "lines=$(cat)\nprintf '%s\\n' \"$lines\" | " + lines + '\n[ -z "$lines" ] || exec <<END\n$lines\nEND'
    place = elsewhere(clone, path, hook)
    before = snapshot(clone.path)
    outcome = install(place, fake.path)
    assert snapshot(clone.path) == before
    assert not outcome.state.armed
    assert outcome.state.manager is not None
    new = "#!/bin/sh\n" if hook is None else ""  # git skips a new hook without a word until it is a program
    follows = path == ".husky"  # something that may read what has been read already
    assert outcome.state.manager.stanzas == ((clone.path / file, kept if follows else new + lines),)
    script = clone.write(file, f"#!/bin/sh\n{lines}\n")
    script.chmod(0o755)
    assert inspect(place).armed
    script.write_text(f"#!/bin/sh\n# {lines}\n")
    assert not inspect(place).armed
    if path != ".husky/_":
        script.write_text(f"#!/bin/sh\n{lines}\n")
        script.chmod(0o644)
        assert not inspect(place).armed


CALL = 'ptguard pre-push "$@"'


@pytest.mark.parametrize(
    ("text", "armed"),
    [
        (f"{CALL} || exit $?\nnpm test\n", True),
        (f'{CALL} || exit "$?"  # judge the tags\nnpm test\n', True),
        (f"  {CALL} || exit 1\nnpm test\n", True),
        (f"{CALL}\n\n# that is all\n", True),
        (f"npm test\nexec {CALL}\n", True),
        (f"set -eu\n{CALL}\nnpm test\n", True),
        (f"/opt/v/bin/{CALL} || exit $?\nnpm test\n", True),
        ('"/opt/my tools/ptguard" pre-push "$@" || exit $?\nnpm test\n', True),
        (f"uv run {CALL} || exit $?\nnpm test\n", True),
        (f".venv/bin/python -I -m {CALL} || exit $?\nnpm test\n", True),
        (f"in=$(cat)\nprintf '%s\\n' \"$in\" | {CALL} || exit $?\nnpm test\n", True),
        (f"{CALL}\nnpm test\n", False),  # the answer is dropped
        (f"{CALL} || true\n", False),
        (f"{CALL} || exit 0\n", False),
        (f"{CALL} &\n", False),
        (f"{CALL} </dev/null || exit $?\n", False),
        ("ptguard pre-push origin url || exit $?\n", False),
        (f"echo {CALL} || exit $?\n", False),
        (f": {CALL} || exit $?\n", False),
        (f"true || {CALL} || exit $?\n", False),
        (f'git lfs pre-push "$@"\n{CALL} || exit $?\n', False),  # has read the lines before
        (f"cat >/dev/null\n{CALL} || exit $?\n", False),
        (f"while read a b c d; do :; done\n{CALL} || exit $?\n", False),
        (f"exit 0\n{CALL} || exit $?\n", False),
        (f"exec npm test\n{CALL} || exit $?\n", False),
    ],
)
def test_only_a_call_that_judges_counts(clone: Repo, text: str, armed: bool) -> None:
    place = elsewhere(clone, ".githooks", f"#!/bin/sh\n{text}")
    assert inspect(place).armed is armed


def test_husky_stops_at_the_first_failure_but_must_be_set_up(clone: Repo) -> None:
    place = elsewhere(clone, ".husky/_", HUSKY)
    clone.write(".husky/pre-push", f"{CALL}\nnpm test\n")
    assert inspect(place).armed  # husky runs it by sh -e
    (clone.path / ".husky/_/pre-push").unlink()
    (trouble,) = hook_troubles(inspect(place))
    assert trouble.fix.startswith("npx husky ")


def test_hooks_switched_off_altogether(clone: Repo, fake: FakePython) -> None:
    install(layout(clone.path), fake.path)
    place = elsewhere(clone, "/dev/null")
    state = inspect(place)
    assert not state.armed
    assert [t.fix for t in hook_troubles(state)] == ["git config --local --unset-all core.hooksPath && ptguard install"]


def test_a_hooks_path_that_is_the_clones_own_is_nobody_elses(clone: Repo, fake: FakePython) -> None:
    place = elsewhere(clone, str(clone.path / ".git/hooks"))
    assert install(place, fake.path).state.armed
    judged(clone, fake)


def test_a_global_hooks_path_counts(clone: Repo, fake: FakePython, tmp_path: Path) -> None:
    clone.git("config", "--global", "core.hooksPath", tmp_path / "all my hooks")
    outcome = install(layout(clone.path), fake.path)
    assert not outcome.state.armed
    assert not (tmp_path / "all my hooks").exists()


LEFTHOOK = '#!/bin/sh\ncall_lefthook()\n{\n  lefthook "$@"\n}\n\ncall_lefthook run "pre-push" "$@"\n'
GOOD = "pre-push:\n  scripts:\n    ptguard:\n      runner: sh\n      use_stdin: true\n"


@pytest.fixture
def lefthook(clone: Repo) -> Repo:
    hook = hooks(clone) / "pre-push"
    hook.write_text(LEFTHOOK)
    hook.chmod(0o755)
    clone.write(".lefthook/pre-push/ptguard", 'ptguard pre-push "$@" || exit $?\n')
    return clone


def test_lefthooks_place_is_not_taken(lefthook: Repo, fake: FakePython) -> None:
    lefthook.write(".pre-commit-config.yaml", CONFIG)  # pre-commit would move lefthook's hook away
    before = snapshot(lefthook.path)
    outcome = install(layout(lefthook.path), fake.path)
    assert snapshot(lefthook.path) == before
    assert outcome.warnings == ()
    assert not outcome.state.armed
    assert outcome.state.manager is not None
    assert outcome.state.manager.stanzas[0] == (lefthook.path / "lefthook.yml", GOOD)


@pytest.mark.parametrize(
    ("name", "text", "armed"),
    [
        ("lefthook.yml", GOOD, True),
        (".lefthook.yaml", "pre-push:\n  jobs:\n  - script: ptguard\n    runner: sh\n    use_stdin: true\n", True),
        ("lefthook.toml", '[pre-push.scripts.ptguard]\nrunner = "sh"\nuse_stdin = true\n', True),
        ("lefthook.json", '{"pre-push": {"scripts": {"ptguard": {"runner": "sh", "use_stdin": true}}}}', True),
        ("lefthook.yml", GOOD.replace("use_stdin: true", "use_stdin: false"), False),
        ("lefthook.yml", GOOD.replace("pre-push", "pre-commit"), False),
        ("lefthook.yml", GOOD.replace("    ptguard:", "    another:"), False),
        ("lefthook.yml", GOOD + "      skip: true\n", False),
        ("lefthook.yml", GOOD + "  skip: true\n", False),
        ("lefthook.yml", GOOD + "source_dir: elsewhere\n", False),
        # lefthook skips a command where no file has changed, which is the usual push of a tag
        ("lefthook.yml", "pre-push:\n  commands:\n    p: {run: ptguard pre-push origin url, use_stdin: true}\n", False),
        ("lefthook.yml", "", False),
        ("lefthook.yml", "a: [", False),
        ("lefthook.yml", "- 1\n", False),
        ("lefthook.toml", "=", False),
        ("lefthook.json", "[" * 100_000, False),
    ],
)  # fmt: skip
def test_lefthook_guards_only_with_a_script_that_reads(lefthook: Repo, name: str, text: str, armed: bool) -> None:
    lefthook.write(name, text)
    assert inspect(layout(lefthook.path)).armed is armed


# ------------------------------------------------------------------------------------------------ details


def test_a_broken_interpreter_stops_tags_only(clone: Repo, fake: FakePython, monkeypatch: pytest.MonkeyPatch) -> None:
    install(layout(clone.path), fake.path)
    fake.path.unlink()
    clone.env["PATH"] = "/usr/bin:/bin"
    clone.commit("second")
    clone.git("tag", "v1")
    assert clone.try_git("push", "origin", "main").returncode == 0
    done = clone.try_git("push", "origin", "v1")
    assert done.returncode != 0
    assert "pip install ptguard && ptguard install" in done.stderr
    assert "refs/tags/v1" not in remote_refs(clone)


def test_another_interpreter_takes_over_by_install_only(clone: Repo, fake: FakePython, tmp_path: Path) -> None:
    install(layout(clone.path), fake.path)
    other = FakePython.make(tmp_path / "other")
    assert arm(layout(clone.path), other.path).changes == ()
    assert install(layout(clone.path), other.path).changes == ("wrote .git/hooks/pre-push",)
    judged(clone, other)
    assert fake.calls == []


def test_arming_mends_a_guard_whose_interpreter_is_gone(clone: Repo, fake: FakePython, tmp_path: Path) -> None:
    install(layout(clone.path), fake.path)
    fake.path.unlink()
    other = FakePython.make(tmp_path / "other")
    assert arm(layout(clone.path), other.path).changes == ("wrote .git/hooks/pre-push",)


def test_arming_follows_pre_commits_newer_environment(
    clone: Repo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PRE_COMMIT_HOME", str(tmp_path / "cache"))
    old, new = (FakePython.make(tmp_path / "cache" / name) for name in ("old", "new"))
    arm(layout(clone.path), old.path)
    assert inspect(layout(clone.path)).seat.python == old.path
    assert arm(layout(clone.path), new.path).state.seat.python == new.path
    assert arm(layout(clone.path), new.path).changes == ()


def test_a_guard_that_is_not_executable_is_mended(clone: Repo, fake: FakePython) -> None:
    install(layout(clone.path), fake.path)
    (hooks(clone) / "pre-push").chmod(0o644)
    state = inspect(layout(clone.path))
    assert not state.armed
    assert [t.fix for t in hook_troubles(state)] == [f"chmod +x {hooks(clone) / 'pre-push'}"]
    assert install(layout(clone.path), fake.path).state.armed


def test_pre_commits_script_that_is_not_executable_guards_nothing(clone: Repo, fake: FakePython) -> None:
    configure(clone)
    install(layout(clone.path), fake.path)
    (hooks(clone) / "pre-push").chmod(0o644)
    outcome = install(layout(clone.path), fake.path)
    assert not outcome.state.armed
    assert [t.fix for t in hook_troubles(outcome.state)] == [f"chmod +x {hooks(clone) / 'pre-push'}"]


def test_uninstall_where_nothing_is(clone: Repo) -> None:
    before = snapshot(hooks(clone))
    assert uninstall(layout(clone.path)).changes == ()
    assert snapshot(hooks(clone)) == before


def test_uninstall_leaves_the_hooks_of_others(clone: Repo) -> None:
    own_hook(clone)
    before = snapshot(hooks(clone))
    uninstall(layout(clone.path))
    assert snapshot(hooks(clone)) == before


def test_uninstall_puts_back_a_chained_hook_whose_guard_was_lost(clone: Repo, fake: FakePython) -> None:
    own_hook(clone)
    before = snapshot(hooks(clone))
    install(layout(clone.path), fake.path)
    (hooks(clone) / "pre-push").unlink()
    uninstall(layout(clone.path))
    assert snapshot(hooks(clone)) == before


def test_a_pre_commit_configuration_with_mistakes_does_not_keep_the_guard_out(clone: Repo, fake: FakePython) -> None:
    configure(clone, "repos: [\n")
    assert install(layout(clone.path), fake.path).state.armed
    clone.git("tag", "v1")
    clone.git("push", "-q", "origin", "v1")
    assert len(fake.calls) == 1


def test_with_a_hooks_path_pre_commit_says_why_it_will_not(clone: Repo, fake: FakePython) -> None:
    configure(clone)
    outcome = install(elsewhere(clone, str(clone.path / ".git/hooks")), fake.path)
    assert len(outcome.warnings) == 1
    assert "core.hooksPath" in outcome.warnings[0]
    assert outcome.state.armed


def test_a_module_of_the_repository_is_not_taken_for_pre_commits(clone: Repo, fake: FakePython) -> None:
    configure(clone)
    clone.write("pre_commit/__main__.py", "raise SystemExit('hostile')")
    clone.write("yaml.py", "raise SystemExit('hostile')")
    assert install(layout(clone.path), fake.path).warnings == ()


def test_a_folder_in_the_hooks_place_is_moved_aside(clone: Repo, fake: FakePython) -> None:
    (hooks(clone) / "pre-push").mkdir()
    outcome = install(layout(clone.path), fake.path)
    assert outcome.state.armed
    assert (hooks(clone) / "pre-push.ptguard-chained").is_dir()
    judged(clone, fake)


def test_a_folder_that_cannot_be_written_is_said_so(clone: Repo, fake: FakePython) -> None:
    for sample in hooks(clone).iterdir():
        sample.unlink()
    hooks(clone).rmdir()
    hooks(clone).write_text("a file where the hooks folder should be")
    with pytest.raises(PtguardError, match="hooks folder"):
        install(layout(clone.path), fake.path)


@pytest.mark.parametrize("path", ["relative/python", "/with\nbreak/python"])
def test_an_interpreter_that_cannot_stand_in_a_script(path: str) -> None:
    with pytest.raises(UsageError, match="interpreter"):
        render(Path(path))


def test_the_interpreter_is_read_back_as_it_was_written(tmp_path: Path) -> None:
    for name in ("plain", "with space", "it's", 'a "b" $(c) `d`', "ü", os.fsdecode(b"\xff\xfe"), "back\\slash"):
        path = tmp_path / name
        hook = tmp_path / "pre-push"
        hook.write_bytes(render(path, ("pre-commit", "pre-push")))
        found = read(hook)
        assert (found.kind, found.python, found.brought) == (Kind.GUARD, path, ("pre-commit", "pre-push"))


def test_whose_hook_it_is() -> None:
    assert classify(render(Path("/python"))) is Kind.GUARD
    assert classify(LEFTHOOK.encode()) is Kind.LEFTHOOK
    assert classify(b"#!/bin/sh\necho 'the ptguard pre-push guard was here'\n") is Kind.FOREIGN
    assert classify(b"\x7fELF\0\xff") is Kind.FOREIGN
    assert classify(b"") is Kind.FOREIGN


# ------------------------------------------------------------------------------------------------ doctor

CHANGES = Path("/nonexistent/changelog.gz")


def hook_troubles(state: State) -> list[Trouble]:
    """Give the troubles that are about hooks; this machine's programs are as they are."""
    return [t for t in examine(state) if "ssh" not in t.what and "gpg" not in t.what]


def programs(folder: Path, monkeypatch: pytest.MonkeyPatch, **versions: str | None) -> None:
    """Make git, gpg and OpenSSH on PATH say these versions; None: not installed."""
    folder.mkdir()
    says = {
        "git": "git version 2.47.1",
        "gpg": "gpg (GnuPG) 2.4.9",
        "ssh": "OpenSSH_9.9p1, OpenSSL 3",
        "ssh_keygen": "",
    }
    for name, text in (says | versions).items():
        if text is not None:
            program = folder / name.replace("_", "-")
            program.write_text(f"#!/bin/sh\necho '{text}'\n")
            program.chmod(0o755)
    monkeypatch.setenv("PATH", str(folder))


@pytest.fixture
def armed(clone: Repo) -> State:
    return install(layout(clone.path), Path(sys.executable)).state


def test_doctor_finds_nothing_wrong_where_nothing_is(
    armed: State, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    programs(tmp_path / "bin", monkeypatch)
    assert examine(armed, CHANGES) == ()


@pytest.mark.parametrize(
    "case",
    [
        ({"gpg": None}, "gpg is not installed", True),
        ({"ssh_keygen": None}, "ssh-keygen is not installed", True),
        ({"git": None}, "git is not installed", True),
        ({"git": "git version 2.20.1"}, "git is 2.20.1; 2.31 or later is needed", True),
        ({"gpg": "gpg (GnuPG) 1.4.23"}, "gpg is 1.4.23", True),
        ({"ssh": "OpenSSH_7.9p1 Debian"}, "ssh is 7.9", True),
        ({"gpg": "gpg (GnuPG) 2.4.8"}, "CVE-2025-68972 and CVE-2025-68973", False),
        ({"gpg": "gpg (GnuPG) 2.2.40"}, "CVE-2025-68972 and CVE-2025-68973", False),
        ({"gpg": "gpg (GnuPG) 2.3.8"}, "CVE-2025-68972 and CVE-2025-68973", False),
        ({"gpg": "gpg (GnuPG) 2.5.13"}, "CVE-2025-68972 and CVE-2025-68973", False),
        ({"gpg": "what?"}, "gpg does not say which version it is", True),
    ],
)
def test_doctor_names_the_program(
    armed: State,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    case: tuple[dict[str, str | None], str, bool],
) -> None:
    versions, words, grave = case
    programs(tmp_path / "bin", monkeypatch, **versions)
    found = examine(armed, CHANGES)
    assert any(words in t.what and t.fix and t.grave is grave for t in found)


@pytest.mark.parametrize("version", ["2.2.51", "2.4.9", "2.5.16", "2.6.0", "3.0.1"])
def test_doctor_takes_a_mended_gpg(armed: State, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: str) -> None:
    programs(tmp_path / "bin", monkeypatch, gpg=f"gpg (GnuPG) {version}")
    assert examine(armed, CHANGES) == ()


def test_doctor_believes_the_distributions_list_of_changes(
    armed: State, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import gzip

    programs(tmp_path / "bin", monkeypatch, gpg="gpg (GnuPG) 2.2.40")
    changes = tmp_path / "changelog.Debian.gz"
    changes.write_bytes(gzip.compress(b"  * Fix CVE-2025-68973 (Closes: #1124221)\n"))
    assert examine(armed, changes) == ()
    changes.write_bytes(gzip.compress(b"  * Nothing of note\n"))
    assert len(examine(armed, changes)) == 1
    changes.write_bytes(b"no gzip")
    assert len(examine(armed, changes)) == 1


def test_doctor_names_what_lies_about(armed: State, clone: Repo) -> None:
    folder = hooks(clone)
    (folder / "pre-push").replace(folder / "pre-push.old")
    (folder / "pre-push").write_text(LEFTHOOK)
    (folder / "pre-push.ptguard-chained").write_text("#!/bin/sh\n")
    words = [t.what for t in hook_troubles(inspect(layout(clone.path)))]
    assert any("lefthook has the pre-push hook" in w for w in words)
    assert any("pre-push.old is the guard" in w for w in words)
    assert any("pre-push.ptguard-chained" in w and "nothing runs it" in w for w in words)


def test_uninstall_finds_a_guard_that_was_renamed(armed: State, clone: Repo) -> None:
    (hooks(clone) / "pre-push").replace(hooks(clone) / "pre-push.old")
    assert uninstall(layout(clone.path)).changes == ("removed .git/hooks/pre-push.old",)


def test_doctor_says_what_install_does_with_two_hooks_of_the_users(clone: Repo, fake: FakePython) -> None:
    own_hook(clone)
    install(layout(clone.path), fake.path)
    (hooks(clone) / "pre-push").unlink()
    assert hook_troubles(inspect(layout(clone.path)))[-1].fix.startswith("ptguard install   # runs it again")
    own_hook(clone)
    fix = hook_troubles(inspect(layout(clone.path)))[-1].fix
    assert fix == "ptguard install   # runs the newer hook, keeps this one aside"


def test_a_file_in_the_place_of_the_folder_is_named(clone: Repo, fake: FakePython) -> None:
    shutil.rmtree(hooks(clone))
    hooks(clone).write_text("")
    with pytest.raises(PtguardError) as refused:
        install(layout(clone.path), fake.path)
    assert refused.value.fix == f"rm {hooks(clone)} && ptguard install   # git looks for a folder there"


def test_doctor_names_a_stray_hook_of_the_users(armed: State, clone: Repo) -> None:
    own_hook(clone, "pre-push.old")
    own_hook(clone, "pre-push.ptguard-chained", mode=0o644)
    found = hook_troubles(inspect(layout(clone.path)))
    assert [t.grave for t in found] == [False, False]
    assert "pre-push.old" in found[0].what
    assert "pre-push.ptguard-chained" in found[1].what


def test_doctor_names_the_interpreter(
    clone: Repo, fake: FakePython, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(layout(clone.path), fake.path)
    assert hook_troubles(inspect(layout(clone.path))) == []
    fake.answer(0, importable=1)
    assert "has no ptguard" in hook_troubles(inspect(layout(clone.path)))[0].what
    monkeypatch.setenv("PRE_COMMIT_HOME", str(tmp_path))
    (trouble,) = hook_troubles(inspect(layout(clone.path)))
    assert "pre-commit's cache" in trouble.what
    assert not trouble.grave
    fake.path.unlink()
    assert "interpreter is gone" in hook_troubles(inspect(layout(clone.path)))[0].what


def test_doctor_names_an_older_guard_and_a_missing_pre_commit(armed: State, clone: Repo) -> None:
    hook = hooks(clone) / "pre-push"
    hook.write_bytes(hook.read_bytes() + b"# older\n")
    configure(clone)
    words = [t.what for t in hook_troubles(inspect(layout(clone.path)))]
    assert words == [
        "pre-commit's configuration is here, but it is not installed for pre-commit, pre-push",
        ".git/hooks/pre-push is not this version's guard",
    ]


@pytest.mark.parametrize(
    ("own", "words"), [(False, "there is no .git/hooks/pre-push"), (True, ".git/hooks/pre-push is another hook")]
)
def test_doctor_names_a_clone_without_guard(clone: Repo, own: bool, words: str) -> None:
    if own:
        own_hook(clone)
    (trouble,) = hook_troubles(inspect(layout(clone.path)))
    assert words in trouble.what
    assert trouble.grave
    assert trouble.fix.startswith("ptguard install")
