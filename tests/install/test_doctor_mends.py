"""Set-ups that are really broken: doctor and ``install --check`` find each, and the advice, run as it stands, mends it.

Each case begins with a clone that is well (and found to be), breaks one thing, reads the commands out of what doctor
prints, hands them to sh, and then pushes a bad tag, a good one and a branch.
"""

import re
import shutil
import stat
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pytest

from ptguard.install.hookfile import render
from tests import newgit, npm
from tests.e2e.team import Team
from tests.guards import CALL, PRE_COMMIT
from tests.support import run
from tests.test_hook_script import SHELLS

pytestmark = pytest.mark.e2e

KEPT = f"lines=$(cat)\nprintf '%s\\n' \"$lines\" | {CALL}" + '[ -z "$lines" ] || exec <<END\n$lines\nEND\n'


@dataclass(frozen=True)
class Clone:
    """What a case may touch."""

    team: Team
    monkeypatch: pytest.MonkeyPatch
    tmp: Path

    @property
    def hooks(self) -> Path:
        return self.team.repo.path / ".git/hooks"

    def git(self, *args: str | Path) -> None:
        self.team.repo.git(*args)

    def hook(self, path: str, text: str = "#!/bin/sh\nexit 0\n", mode: int = 0o755) -> None:
        self.team.repo.write(path, text).chmod(mode)

    def path(self, *folders: Path | str) -> None:
        """Make PATH these folders."""
        self.team.env["PATH"] = ":".join(map(str, folders))
        self.monkeypatch.setenv("PATH", self.team.env["PATH"])


# ------------------------------------------------------------------------------------------------ when all is well


def plain(clone: Clone) -> None:
    clone.team.arm()


def with_pre_commit(clone: Clone) -> None:
    clone.team.repo.write(".pre-commit-config.yaml", PRE_COMMIT)
    clone.team.settle("Use pre-commit")
    clone.team.arm()


def with_a_hooks_path(clone: Clone) -> None:
    clone.hook(".githooks/pre-push")
    clone.git("config", "core.hooksPath", ".githooks")
    clone.team.arm()


def with_a_call(clone: Clone) -> None:
    clone.hook(".githooks/pre-push", f"#!/bin/sh\n{CALL}")
    clone.git("config", "core.hooksPath", ".githooks")
    clone.team.arm()


def with_an_environment_of_its_own(clone: Clone) -> None:
    """The guard's interpreter is that of a virtual environment that has ptguard."""
    run(sys.executable, "-m", "venv", "--without-pip", clone.tmp / "venv")
    (packages,) = (clone.tmp / "venv/lib").glob("python3*/site-packages")
    (packages / "more.pth").write_text("".join(f"{p}\n" for p in sys.path if p and Path(p).is_dir()))
    done = run(clone.tmp / "venv/bin/python", "-I", "-m", "ptguard", "install", cwd=clone.team.repo.path)
    assert "venv/bin/python" in done.stdout


def with_a_call_on_path(clone: Clone) -> None:
    """ptguard is found on PATH in a folder that holds nothing else."""
    (clone.tmp / "tools").mkdir()
    (clone.tmp / "tools/ptguard").symlink_to(Path(sys.executable).with_name("ptguard"))
    others = [p for p in clone.team.env["PATH"].split(":") if not (Path(p) / "ptguard").exists()]
    clone.path(Path.home() / ".local/bin", clone.tmp / "tools", *others)
    with_a_call(clone)


# ------------------------------------------------------------------------------------------------ what breaks it


def forced_pre_commit(clone: Clone) -> None:
    run(sys.executable, "-m", "pre_commit", "install", "-f", cwd=clone.team.repo.path, env=clone.team.env)


def lefthook_with_hooks_of_its_own(clone: Clone) -> None:
    npm.lefthook(clone.team.repo, clone.monkeypatch, "pre-push:\n  commands:\n    ok:\n      run: 'true'\n")
    assert (clone.hooks / "pre-push.old").is_file()


def lefthook_without(clone: Clone) -> None:
    """Its hook is there, in the guard's place, and its configuration says nothing about pushes (any more)."""
    lefthook_with_hooks_of_its_own(clone)
    clone.team.repo.write("lefthook.yml", "pre-commit:\n  commands:\n    ok:\n      run: 'true'\n")
    (clone.hooks / "pre-push.old").unlink()


def lefthooks_hook_is_not_executable(clone: Clone) -> None:
    npm.lefthook(
        clone.team.repo,
        clone.monkeypatch,
        "pre-push:\n  scripts:\n    ptguard:\n      runner: sh\n      use_stdin: true\n",
    )
    clone.hook(".lefthook/pre-push/ptguard", CALL)
    (clone.hooks / "pre-push.old").unlink()
    (clone.hooks / "pre-push").chmod(0o644)


def not_executable(clone: Clone) -> None:
    (clone.hooks / "pre-push").chmod(0o644)


def pre_commits_is_not_executable(clone: Clone) -> None:
    (clone.hooks / "pre-push").chmod(0o644)


def legacy_is_not_executable(clone: Clone) -> None:
    (clone.hooks / "pre-push.legacy").chmod(0o644)


def emptied(clone: Clone) -> None:
    (clone.hooks / "pre-push").write_bytes(b"")


def overwritten(clone: Clone) -> None:
    clone.git("lfs", "install", "--local", "--force")
    assert b"git lfs pre-push" in (clone.hooks / "pre-push").read_bytes()


def removed(clone: Clone) -> None:
    (clone.hooks / "pre-push").unlink()


def a_link_to_nothing(clone: Clone) -> None:
    (clone.hooks / "pre-push").unlink()
    (clone.hooks / "pre-push").symlink_to("../../no-such-hook")


def another_version(clone: Clone) -> None:
    hook = clone.hooks / "pre-push"
    hook.write_bytes(hook.read_bytes() + b"# as an older version wrote it\n")


def another_version_as_config_hook(clone: Clone) -> None:
    hook = clone.team.repo.path / ".git/ptguard/pre-push"
    hook.write_bytes(hook.read_bytes() + b"# as an older version wrote it\n")


def an_older_git(clone: Clone) -> None:
    newgit.saying("2.53.0", clone.tmp / "older", clone.team.env, clone.monkeypatch)


def an_event_without_a_command(clone: Clone) -> None:
    clone.git("config", "--unset", "hook.ptguard.command")


def a_global_event_without_a_command(clone: Clone) -> None:
    clone.git("config", "--global", "hook.ptguard.event", "pre-push")


def another_command(clone: Clone) -> None:
    clone.git("config", "hook.ptguard.command", "true")


def no_event(clone: Clone) -> None:
    clone.git("config", "--unset", "hook.ptguard.event")


def switched_off(clone: Clone) -> None:
    clone.git("config", "hook.ptguard.enabled", "false")


def switched_off_globally(clone: Clone) -> None:
    clone.git("config", "--global", "hook.ptguard.enabled", "no")


def all_switched_off_globally(clone: Clone) -> None:
    clone.git("config", "--global", "hook.pre-push.enabled", "false")


def config_hook_without_its_file(clone: Clone) -> None:
    shutil.rmtree(clone.team.repo.path / ".git/ptguard")


def config_hook_not_executable(clone: Clone) -> None:
    (clone.team.repo.path / ".git/ptguard/pre-push").chmod(0o644)


def environment_gone(clone: Clone) -> None:
    shutil.rmtree(clone.tmp / "venv")


def environment_without_ptguard(clone: Clone) -> None:
    (pth,) = (clone.tmp / "venv/lib").glob("python3*/site-packages/more.pth")
    pth.unlink()


def off_path(clone: Clone) -> None:
    (clone.tmp / "tools/ptguard").unlink()


def a_hooks_path(clone: Clone) -> None:
    clone.hook(".githooks/pre-push", "#!/bin/sh\n# of the team\ncat >/dev/null\n")
    clone.git("config", "core.hooksPath", ".githooks")


def a_hooks_path_with_an_empty_hook(clone: Clone) -> None:
    clone.hook(".githooks/pre-push", "")
    clone.git("config", "core.hooksPath", ".githooks")


def a_hooks_path_with_a_bare_program(clone: Clone) -> None:
    clone.hook("odd 'name' ü/pre-push", "#!/bin/sh")
    clone.git("config", "core.hooksPath", "odd 'name' ü")


def a_hooks_path_with_a_hook_in_python(clone: Clone) -> None:
    clone.hook(".githooks/pre-push", f"#!{sys.executable}\nimport sys\nopen('.git/saw', 'a').write(sys.stdin.read())\n")
    clone.git("config", "core.hooksPath", ".githooks")


def a_global_hooks_path(clone: Clone) -> None:
    clone.git("config", "--global", "core.hooksPath", clone.tmp / "all my hooks")


def hooks_nowhere(clone: Clone) -> None:
    clone.git("config", "--global", "core.hooksPath", "/dev/null")


def the_call_is_not_executable(clone: Clone) -> None:
    (clone.team.repo.path / ".githooks/pre-push").chmod(0o644)


def husky(clone: Clone) -> None:
    npm.husky(clone.team.repo, clone.monkeypatch)


def husky_with_a_script(clone: Clone) -> None:
    npm.husky(clone.team.repo, clone.monkeypatch, "cat >/dev/null\ntrue\n")


def a_second_guard(clone: Clone) -> None:
    clone.git("config", "--unset", "core.hooksPath")
    (clone.hooks / "pre-push").write_bytes(render(Path(sys.executable)))
    (clone.hooks / "pre-push").chmod(0o755)


def a_second_guard_under_pre_commit(clone: Clone) -> None:
    clone.git("config", "--unset", "core.hooksPath")
    clone.team.repo.write(".pre-commit-config.yaml", PRE_COMMIT)
    clone.team.settle("Use pre-commit")
    run(sys.executable, "-m", "pre_commit", "install", cwd=clone.team.repo.path, env=clone.team.env)
    (clone.hooks / "pre-push.legacy").write_bytes(render(Path(sys.executable)))
    (clone.hooks / "pre-push.legacy").chmod(0o755)


Git = Literal["old", "new", "any"]


@dataclass(frozen=True)
class Case:
    """``words`` are what doctor says; ``grave``: tags are not judged, so doctor and ``install --check`` end with 1."""

    well: Callable[[Clone], None]
    breaks: Callable[[Clone], None]
    words: str
    git: Git = "any"
    grave: bool = True

    def __str__(self) -> str:
        return f"{self.well.__name__}-{self.breaks.__name__}-{self.git}"


CASES = [
    Case(with_pre_commit, forced_pre_commit, "the guard is lost: pre-commit has the hook"),
    Case(with_pre_commit, pre_commits_is_not_executable, ".git/hooks/pre-push is not executable"),
    Case(with_pre_commit, legacy_is_not_executable, "pre-push.legacy is not executable"),
    Case(plain, lefthook_with_hooks_of_its_own, "pre-push.old is the guard, renamed", "old"),
    Case(plain, lefthook_with_hooks_of_its_own, "pre-push.old is the guard, renamed", "new"),
    Case(plain, lefthook_without, "lefthook has the pre-push hook, and the guard is not called", "old"),
    Case(plain, lefthook_without, "lefthook has the pre-push hook, and the guard is not called", "new"),
    Case(plain, lefthooks_hook_is_not_executable, "no hook runs as it is", "old"),
    Case(plain, not_executable, ".git/hooks/pre-push is not executable"),
    Case(plain, emptied, ".git/hooks/pre-push is another hook"),
    Case(plain, overwritten, ".git/hooks/pre-push is another hook"),
    Case(plain, removed, "there is no .git/hooks/pre-push"),
    Case(plain, a_link_to_nothing, ".git/hooks/pre-push is a link that leads nowhere"),
    Case(plain, another_version, "is not this version's guard", grave=False),
    Case(with_a_hooks_path, another_version_as_config_hook, "is not this version's guard", "new", grave=False),
    Case(with_a_hooks_path, an_older_git, "there is a config hook, which git 2.53 ignores", "new"),
    Case(with_a_hooks_path, an_event_without_a_command, "hook.ptguard.command is not: git ends every push", "new"),
    Case(plain, a_global_event_without_a_command, "hook.ptguard.command is not: git ends every push", "new"),
    Case(with_a_hooks_path, another_command, "hook.ptguard.command is not this version's guard: true", "new"),
    Case(with_a_hooks_path, no_event, "core.hooksPath has the pre-push hook", "new"),
    Case(with_a_hooks_path, switched_off, "hook.ptguard.enabled is false (local)", "new"),
    Case(with_a_hooks_path, switched_off_globally, "hook.ptguard.enabled is false (global)", "new"),
    Case(with_a_hooks_path, all_switched_off_globally, "hook.pre-push.enabled is false", "new"),
    Case(with_a_hooks_path, config_hook_without_its_file, ".git/ptguard/pre-push, which it runs, is gone", "new"),
    Case(with_a_hooks_path, config_hook_not_executable, "is not the guard, or not executable", "new"),
    Case(
        with_a_hooks_path, a_second_guard, "armed twice, as config hook and by .git/hooks/pre-push;", "new", grave=False
    ),
    Case(with_a_hooks_path, a_second_guard_under_pre_commit, "by .git/hooks/pre-push.legacy;", "new", grave=False),
    Case(with_an_environment_of_its_own, environment_gone, "interpreter is gone"),
    Case(with_an_environment_of_its_own, environment_without_ptguard, "interpreter has no ptguard"),
    Case(with_a_call_on_path, off_path, "ptguard, which is not on PATH", "old"),
    Case(with_a_call, the_call_is_not_executable, "no hook runs as it is", "old"),
    Case(plain, a_hooks_path, "core.hooksPath leads git past the guard in .git/hooks/pre-push", "old"),
    Case(plain, a_hooks_path, "core.hooksPath leads git past the guard in .git/hooks/pre-push", "new"),
    Case(plain, a_hooks_path_with_an_empty_hook, "the guard is not called from .githooks/pre-push", "old"),
    Case(plain, a_hooks_path_with_a_bare_program, "the guard is not called from odd 'name' ü/pre-push", "old"),
    Case(plain, a_hooks_path_with_a_hook_in_python, "the guard is not called from .githooks/pre-push", "old"),
    Case(plain, a_global_hooks_path, "core.hooksPath has the pre-push hook", "old"),
    Case(plain, a_global_hooks_path, "core.hooksPath has the pre-push hook", "new"),
    Case(plain, hooks_nowhere, "no hook runs as it is", "old"),
    Case(plain, hooks_nowhere, "no hook runs as it is", "new"),
    Case(plain, husky, "husky has the pre-push hook, and the guard is not called from .husky/pre-push", "old"),
    Case(plain, husky, "husky has the pre-push hook, and the guard is not called from .husky/pre-push", "new"),
    Case(plain, husky_with_a_script, "husky has the pre-push hook", "old"),
]


def doctor(clone: Clone) -> tuple[int, list[tuple[str, str]]]:
    """Give doctor's exit code and what it names, each with its command; what it says of gpg is this machine's own."""
    done = clone.team.repo.ptguard("doctor")
    found = re.findall(r"^[✗!] (.*)\n  mend: (.*)$", done.stdout, re.MULTILINE)
    return done.returncode, [(what, fix) for what, fix in found if "gpg" not in what]


def check(clone: Clone) -> int:
    return clone.team.repo.ptguard("install", "--check").returncode


def judged(clone: Clone) -> None:
    """Push a bad tag, a good one and a branch: refused, accepted, not looked at; each tag is judged once."""
    team = clone.team
    team.repo.git("tag", "v2.9.0")
    assert team.guard("v2.9.0").refused("lightweight").screen.count("policy: refs/") == 1
    team.tag()
    assert team.guard("v2.9.0").accepted("v2.9.0").screen.count("policy: refs/") == 1
    team.repo.git("commit", "-q", "--allow-empty", "-m", "more")
    done = team.guard("HEAD:refs/heads/plain").accepted()
    assert "refs/heads/plain" in done.after and "policy:" not in done.screen


@pytest.mark.parametrize("case", CASES, ids=str)
def test_doctor_finds_it_and_its_advice_mends_it(
    case: Case, team: Team, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clone = Clone(team, monkeypatch, tmp_path)
    if case.git == "new":
        newgit.use_new(tmp_path / "new git", team.env, monkeypatch)
    if case.git == "old":
        newgit.use_old(tmp_path / "old git", team.env, monkeypatch)
    case.well(clone)
    assert doctor(clone) == (0, [])
    assert check(clone) == 0

    case.breaks(clone)
    code, found = doctor(clone)
    assert any(case.words in what for what, _ in found), found
    assert code == check(clone) == (1 if case.grave else 0)

    for _ in range(2):  # what was mended may leave something behind, which is named then
        for _, fix in found:
            run("sh", "-c", fix, cwd=team.repo.path, env=team.env)
        _, found = doctor(clone)
    assert doctor(clone) == (0, [])
    assert check(clone) == 0
    judged(clone)


def test_there_are_more_than_twelve() -> None:
    assert len({case.breaks for case in CASES}) >= 12
    assert {case.git for case in CASES} == {"any", "old", "new"}


@pytest.mark.parametrize("shell", SHELLS, ids=" ".join)
@pytest.mark.parametrize("lines", ["", f"a {'1' * 40} refs/tags/v1 {'0' * 40}\n" * 3000, "$HOME `x` \\ EOF\nEND x\n"])
def test_lines_that_are_read_are_put_back(tmp_path: Path, shell: list[str], lines: str) -> None:
    """What the printed lines promise, in every shell that is here: who reads after the guard gets the same."""
    (tmp_path / "ptguard").write_text(f"#!/bin/sh\ncat > {tmp_path}/guard-saw\n")
    (tmp_path / "ptguard").chmod(0o755)
    (tmp_path / "hook").write_text(f"set -eu\n{KEPT}cat > {tmp_path}/other-saw\n")
    program = shutil.which(shell[0]) or shell[0]
    env = {"PATH": f"{tmp_path}:/usr/bin:/bin"}
    run(program, *shell[1:], tmp_path / "hook", "origin", "url", env=env, stdin=lines.encode())
    assert (tmp_path / "other-saw").read_text() == lines
    assert (tmp_path / "guard-saw").read_text() in (lines, lines or "\n")


def test_advice_that_adds_lines_keeps_the_mode_and_the_rest(team: Team, old_git: None) -> None:
    hook = team.repo.write(".githooks/pre-push", "#!/bin/bash\n# mine\ntrue\n")
    hook.chmod(0o700)
    team.repo.git("config", "core.hooksPath", ".githooks")
    (_, fix), *_ = re.findall(r"^✗ (.*)\n  mend: (.*)$", team.repo.ptguard("doctor").stdout, re.MULTILINE)
    run("sh", "-c", fix, cwd=team.repo.path, env=team.env)
    said = team.repo.ptguard("install", "--check").stdout
    assert said.startswith("armed: core.hooksPath calls ptguard")
    assert hook.read_text() == f"#!/bin/bash\n{KEPT}# mine\ntrue\n"
    assert stat.S_IMODE(hook.stat().st_mode) == 0o700
    assert [p.name for p in hook.parent.iterdir()] == ["pre-push"]


@pytest.mark.parametrize("name", ["lefthook.toml", "lefthook.json"])
def test_where_only_a_person_can_add_the_lines_the_advice_shows_them(
    team: Team, monkeypatch: pytest.MonkeyPatch, old_git: None, name: str
) -> None:
    """A configuration that is not YAML, and a local one beside it that has the section: nothing can be appended."""
    npm.lefthook(team.repo, monkeypatch, "pre-push:\n  commands:\n    ok:\n      run: 'true'\n")
    (team.repo.path / "lefthook.yml").unlink()
    team.repo.write(name, "{}" if name.endswith("json") else "")
    team.repo.write("lefthook-local.yml", "pre-push:\n  commands:\n    ok:\n      run: 'true'\n")
    (_, fix), *_ = re.findall(r"^✗ (.*)\n  mend: (.*)$", team.repo.ptguard("doctor").stdout, re.MULTILINE)
    done = run("sh", "-c", fix, cwd=team.repo.path, env=team.env, check=False)
    assert done.returncode == 1
    assert f"add to {name}:" in done.stdout and "use_stdin: true" in done.stdout
