"""The commands install, uninstall, doctor and pre-commit-hook: what they say, and with which exit code."""

import os
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from ptguard.cli import COMMANDS, cli
from ptguard.cli.doctor import policy_troubles
from ptguard.errors import UsageError
from tests.support import Repo, run


@pytest.fixture
def clone(repo: Repo, monkeypatch: pytest.MonkeyPatch) -> Repo:
    repo.commit("first")
    monkeypatch.chdir(repo.path)
    return repo


def call(*args: str) -> tuple[int, str, str]:
    """Give exit code, standard output and standard error of a command of this process."""
    result: Result = CliRunner().invoke(cli, args, standalone_mode=False)
    if result.exception is not None:
        raise result.exception
    return int(result.return_value or 0), result.stdout, result.stderr


def test_every_command_here_is_found_and_has_help() -> None:
    for name in ("install", "uninstall", "doctor", "pre-commit-hook"):
        code, out, _ = call(name, "--help")
        assert code == 0
        assert out.startswith(f"Usage: cli {name}")
    assert cli.get_command(cli.make_context("ptguard", ["--help"], resilient_parsing=True), "nonsense") is None
    assert cli.list_commands(cli.make_context("ptguard", ["--help"], resilient_parsing=True)) == sorted(COMMANDS)


def test_install_check_uninstall(clone: Repo) -> None:
    code, out, err = call("install", "--check")
    assert (code, err) == (1, "")
    assert out.startswith("not armed: tags leave this clone unjudged (there is no .git/hooks/pre-push)\n")
    assert not (clone.path / ".git/hooks/pre-push").exists()

    code, out, err = call("install")
    told = f"armed: .git/hooks/pre-push\n  interpreter  {sys.executable}\n"
    assert (code, out, err) == (0, "wrote .git/hooks/pre-push\n" + told, "")
    assert call("install") == (0, told, "")
    assert call("install", "--check") == (0, told, "")

    assert call("uninstall") == (0, "removed .git/hooks/pre-push\n", "")
    assert call("uninstall") == (0, "there was no guard to take away\n", "")
    assert call("install", "--check")[0] == 1


def test_install_says_that_it_keeps_a_hook(clone: Repo) -> None:
    hook = clone.path / ".git/hooks/pre-push"
    hook.write_text("#!/bin/sh\n")
    hook.chmod(0o755)
    code, out, _ = call("install")
    assert code == 0
    assert "moved .git/hooks/pre-push to pre-push.ptguard-chained" in out
    assert "runs also    .git/hooks/pre-push.ptguard-chained, the hook that was there before" in out


def test_install_elsewhere_prints_the_lines_and_stays_red(clone: Repo) -> None:
    clone.git("config", "core.hooksPath", ".githooks")
    code, out, _ = call("install")
    assert code == 1
    assert "core.hooksPath owns the pre-push hook" in out
    new = "  write the new file .githooks/pre-push, then chmod +x .githooks/pre-push:\n"
    assert new + '      #!/bin/sh\n      ptguard pre-push "$@" || exit $?\n' in out
    hook = clone.write(".githooks/pre-push", "#!/bin/sh\n")
    assert "add to .githooks/pre-push, before anything that reads standard input:\n      ptguard" in call("install")[1]
    hook.write_text('#!/bin/sh\nptguard pre-push "$@" || exit $?\n')
    assert f"  mend: chmod +x {hook}\n" in call("install", "--check")[1]
    assert (
        f"✗ core.hooksPath has the pre-push hook, and no hook runs as it is\n  mend: chmod +x {hook}\n"
        in call("doctor")[1]
    )
    hook.chmod(0o755)
    assert call("install", "--check") == (0, "armed: core.hooksPath calls ptguard\n", "")
    code, out, err = call("uninstall")
    assert (code, err) == (1, "armed: core.hooksPath calls ptguard\n")


def test_install_in_another_folder(clone: Repo, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir("/")
    assert call("install", "-C", str(clone.path))[0] == 0
    assert (clone.path / ".git/hooks/pre-push").is_file()


@pytest.mark.parametrize("args", [["install"], ["install", "--check"], ["uninstall"], ["doctor"], ["pre-commit-hook"]])
def test_not_a_repository(env: dict[str, str], tmp_path: Path, args: list[str]) -> None:
    done = run(sys.executable, "-I", "-m", "ptguard", *args, cwd=tmp_path, env=env, check=False)
    assert done.returncode == 2
    assert "not a git repository" in done.stderr
    assert "Traceback" not in done.stderr


def test_doctor_names_what_is_wrong_each_with_its_command(clone: Repo) -> None:
    code, out, _ = call("doctor")
    assert code == 1
    assert "✗ no guard: there is no .git/hooks/pre-push\n  mend: ptguard install\n" in out
    assert "policy" in out
    call("install")
    clone.write(".ptguard/policy.toml", 'schema = 1\n[[tags]]\npattern = "v*"\nchecks = ["annotated"]\nsigners = []\n')
    clone.commit("policy")
    code, out, _ = call("doctor")
    assert code == 0
    assert out.startswith("armed: .git/hooks/pre-push\n")
    assert "✗" not in out


def test_doctor_reads_the_policy_of_the_trust_branch_only(clone: Repo, tmp_path: Path) -> None:
    clone.write(".ptguard/policy.toml", "schema = 1\n")
    remote = tmp_path / "remote.git"
    run("git", "init", "-q", "--bare", remote)
    clone.git("remote", "add", "origin", remote)
    (trouble,) = policy_troubles(clone.path)
    assert "git fetch" in trouble.fix
    clone.git("push", "-q", "-u", "origin", "main")
    (trouble,) = policy_troubles(clone.path)
    assert "ptguard init" in trouble.fix
    assert trouble.grave


# ------------------------------------------------------------------------------------------------ pre-commit-hook


def guard(repo: Repo) -> Path:
    return repo.path / ".git/hooks/pre-push"


def test_the_hook_arms_and_says_so_once(clone: Repo) -> None:
    code, out, err = call("pre-commit-hook")
    assert (code, err) == (0, "")
    assert out == "ptguard: armed this clone: .git/hooks/pre-push judges every tag push from now on\n"
    assert guard(clone).is_file()
    assert call("pre-commit-hook") == (0, "", "")


def test_the_hook_can_be_told_not_to_arm(clone: Repo, monkeypatch: pytest.MonkeyPatch) -> None:
    assert call("pre-commit-hook", "--no-arm") == (0, "", "")
    monkeypatch.setenv("PRE_COMMIT_REMOTE_BRANCH", "refs/tags/v1")
    code, _, err = call("pre-commit-hook", "--no-arm")
    assert code == 1
    assert "refs/tags/v1 has not been judged: not armed; run ptguard install, then push again" in err
    assert not guard(clone).exists()


@pytest.mark.parametrize("ref", ["refs/tags/v1", "refs/TAGS/v1"])
def test_a_tag_shown_to_an_unarmed_clone_is_refused_once(
    clone: Repo, monkeypatch: pytest.MonkeyPatch, ref: str
) -> None:
    monkeypatch.setenv("PRE_COMMIT_REMOTE_BRANCH", ref)
    code, _, err = call("pre-commit-hook")
    assert code == 1
    assert "armed now, push again" in err
    assert guard(clone).is_file()
    assert call("pre-commit-hook") == (0, "", "")


def test_a_branch_shown_to_an_unarmed_clone_goes_through(clone: Repo, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PRE_COMMIT_REMOTE_BRANCH", "refs/heads/main")
    assert call("pre-commit-hook")[0] == 0
    assert guard(clone).is_file()


def test_where_it_cannot_arm_it_refuses_tags_and_says_so(clone: Repo, monkeypatch: pytest.MonkeyPatch) -> None:
    clone.git("config", "core.hooksPath", ".githooks")
    code, out, _ = call("pre-commit-hook")
    assert (code, out) == (0, "ptguard: this clone is not armed: run ptguard install\n")
    monkeypatch.setenv("PRE_COMMIT_REMOTE_BRANCH", "refs/tags/v1")
    code, _, err = call("pre-commit-hook")
    assert code == 1
    assert "not armed; run ptguard install" in err


def test_an_armed_clone_is_only_looked_at(clone: Repo, monkeypatch: pytest.MonkeyPatch) -> None:
    call("install")
    before = guard(clone).stat()
    monkeypatch.setenv("PRE_COMMIT_REMOTE_BRANCH", "refs/tags/v1")
    assert call("pre-commit-hook") == (0, "", "")
    assert os.path.samestat(before, guard(clone).stat())


def test_install_check_names_what_arms_the_clone(clone: Repo) -> None:
    assert call("install", "--check")[1].endswith("\n  mend: ptguard install\n")
    (clone.path / ".git/hooks/pre-push").write_text("#!/bin/sh\n")
    assert call("install", "--check")[1].endswith("is another hook)\n  mend: ptguard install\n")
    call("install")
    (clone.path / ".git/hooks/pre-push").chmod(0o644)
    assert "\n  mend: ptguard doctor   # names what is wrong" in call("install", "--check")[1]


def test_install_in_a_bare_repository_says_which_pushes_are_judged(
    clone: Repo, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An administrator on the server may take it for the guard of what comes in."""
    bare = clone.path.parent / "net.git"
    run("git", "clone", "-q", "--bare", clone.path, bare, env=clone.env)
    monkeypatch.chdir(bare)
    note = f"what is pushed from here is judged; for what is pushed to here: ptguard install --server {bare}\n"
    assert call("install")[1].endswith(note) and call("install", "--check")[1].endswith(note)
    monkeypatch.chdir(clone.path / ".git")
    assert "pushed to here" not in call("install")[1]


def test_a_folder_in_the_hooks_place_comes_back(clone: Repo) -> None:
    folder = clone.path / ".git/hooks/pre-push"
    folder.mkdir()
    (folder / "mine").write_text("x")
    assert "runs also" not in call("install")[1]
    assert call("uninstall") == (0, "moved .git/hooks/pre-push.ptguard-chained to pre-push\n", "")
    assert (folder / "mine").read_text() == "x"


def test_doctor_without_a_remote_names_commands_only(clone: Repo) -> None:
    assert (
        "  mend: ptguard init && git add .ptguard && git commit -m 'Add the release policy'   # on main\n"
        in call("doctor")[1]
    )


def test_a_repository_that_git_will_not_read(clone: Repo) -> None:
    with (clone.path / ".git/config").open("a") as file:
        file.write("[core\n")
    with pytest.raises(UsageError, match="bad config line") as error:
        call("install")
    assert error.value.fix == "mend that line of that file"


def test_a_repository_of_somebody_else(clone: Repo, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")  # git's own way to try it
    with pytest.raises(UsageError, match="dubious ownership") as error:
        call("install")
    assert error.value.fix == f"git config --global --add safe.directory {clone.path}   # if you trust whose it is"
