"""The user's own view of a clone, asked of real git."""

from pathlib import Path

import pytest

from ptguard.errors import GitError, ToolMissingError, UsageError
from ptguard.gateways.repo import RemoteInfo, Repository, Setting, layout
from tests.support import Repo, run


def test_layout_of_a_plain_clone(repo: Repo) -> None:
    sub = repo.path / "a/b"
    sub.mkdir(parents=True)
    for start in (repo.path, sub):
        found = layout(start)
        assert found.git_dir == found.common_dir == repo.path / ".git"
        assert found.hooks == found.default_hooks == repo.path / ".git/hooks"
        assert found.top == repo.path
        assert not found.hooks_elsewhere


def test_layout_of_a_linked_work_tree(repo: Repo, tmp_path: Path) -> None:
    repo.commit()
    repo.git("worktree", "add", "-q", tmp_path / "linked", "-b", "side")
    found = layout(tmp_path / "linked")
    assert found.git_dir == repo.path / ".git/worktrees/linked"
    assert found.hooks == repo.path / ".git/hooks"
    assert found.top == tmp_path / "linked"


def test_layout_without_a_work_tree(repo: Repo, tmp_path: Path) -> None:
    run("git", "init", "-q", "--bare", tmp_path / "bare.git")
    assert layout(tmp_path / "bare.git").top is None
    assert layout(tmp_path / "bare.git").hooks == tmp_path / "bare.git/hooks"
    assert layout(repo.path / ".git").top is None


@pytest.mark.parametrize(
    ("value", "hooks"),
    [
        (".husky/_", "repo/.husky/_"),
        ("~/hooks", "home/hooks"),
        ("/dev/null", "/dev/null"),
    ],
)
def test_layout_follows_the_hooks_path(repo: Repo, value: str, hooks: str, monkeypatch: pytest.MonkeyPatch) -> None:
    home = repo.path.parent / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    repo.git("config", "core.hooksPath", value)
    (repo.path / "sub").mkdir()
    found = layout(repo.path / "sub")
    assert found.hooks == repo.path.parent / hooks
    assert found.hooks_elsewhere


def test_a_path_is_shown_as_the_reader_knows_it(repo: Repo) -> None:
    found = layout(repo.path)
    assert found.brief(found.hooks / "pre-push") == ".git/hooks/pre-push"
    assert found.brief(Path("/etc/hooks")) == "/etc/hooks"
    assert found.brief(repo.path / "a\x1b[31m") == "a\\x1b[31m"


def test_not_a_repository(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="not a git repository"):
        layout(tmp_path)


def test_git_is_not_installed(repo: Repo, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(ToolMissingError, match="git is not installed"):
        layout(repo.path)
    with pytest.raises(ToolMissingError, match="git is not installed"):
        Repository(repo.path).branch()


def test_an_old_git_is_named(repo: Repo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old = tmp_path / "bin/git"
    old.parent.mkdir()
    old.write_text("#!/bin/sh\necho --path-format=absolute\necho .git\n")  # what git 2.30 answers
    old.chmod(0o755)
    monkeypatch.setenv("PATH", f"{old.parent}:/usr/bin:/bin")
    with pytest.raises(UsageError, match=r"git 2\.31 or later"):
        layout(repo.path)


def test_settings_say_where_they_stand(repo: Repo) -> None:
    view = Repository(repo.path)
    assert view.config("ptguard.remote") is None
    repo.git("config", "--global", "ptguard.remote", "upstream")
    assert view.config("ptguard.remote") == Setting("upstream", "global")
    repo.git("config", "ptguard.remote", "with space\nand line")
    assert view.config("ptguard.remote") == Setting("with space\nand line", "local")
    repo.git("config", "user.signingkey", "~/key.pub")
    found = view.config("user.signingkey", path=True)
    assert found is not None
    assert found.value == f"{repo.env['HOME']}/key.pub"


def test_a_broken_configuration_is_an_error(repo: Repo) -> None:
    view = Repository(repo.path)
    (repo.path / ".git/config").write_text("[core\n")
    with pytest.raises(GitError, match="git config failed"):
        view.config("core.bare")


def test_remotes_in_git_order_after_instead_of(repo: Repo) -> None:
    view = Repository(repo.path)
    assert view.remotes() == ()
    repo.git("remote", "add", "origin", "gh:team/model.git")
    repo.git("remote", "add", "back up", "/srv/back up.git", check=False)
    repo.git("remote", "add", "backup", "/srv/back up.git")
    repo.git("config", "url.https://github.com/.insteadOf", "gh:")
    assert view.remotes() == (
        RemoteInfo("backup", "/srv/back up.git"),
        RemoteInfo("origin", "https://github.com/team/model.git"),
    )


def test_branches(repo: Repo, tmp_path: Path) -> None:
    view = Repository(repo.path)
    assert view.branch() == "main"
    commit = repo.commit()
    assert view.default_branch("origin") is None
    run("git", "clone", "-q", repo.path, tmp_path / "clone")
    copy = Repo(tmp_path / "clone", repo.env)
    assert Repository(copy.path).default_branch("origin") == "main"
    repo.git("checkout", "-q", commit)
    assert view.branch() is None


def test_version(repo: Repo) -> None:
    said = repo.git("--version").split()[2]
    assert ".".join(str(n) for n in Repository(repo.path).version()) == said
