"""What an administrator may set, and what is said of a mistake in it."""

import shutil
import sys
from pathlib import Path

import pytest

from ptguard.errors import PolicyError
from ptguard.gateways.git import Git
from ptguard.install.server import install
from ptguard.server.settings import MAX_TAGS, read, sharing
from tests.support import Repo


def settings(repo: Repo, **config: str):  # type: ignore[no-untyped-def]
    """Give the settings that ``config`` (section__key) makes."""
    for name, text in config.items():
        repo.git("config", name.replace("__", "."), text)
    with Git.open(repo.path) as git:
        return read(git, git.local_config())


def test_nothing_set(repo: Repo) -> None:
    found = settings(repo)
    assert (found.max_tags, found.timeout, found.transaction) == (MAX_TAGS, 300.0, False)


@pytest.mark.parametrize(("text", "tags"), [("0", 0), ("25", 25), (" 7 ", 7)])
def test_a_number_of_tags(repo: Repo, text: str, tags: int) -> None:
    assert settings(repo, ptguard__maxTags=text).max_tags == tags


@pytest.mark.parametrize("text", ["", "-1", "1e3", "ten", "٣", "1" * 10, "true"])
def test_no_number_of_tags(repo: Repo, text: str) -> None:
    with pytest.raises(PolicyError, match=r"ptguard\.maxTags is .* not a whole number"):
        settings(repo, ptguard__maxTags=text)


@pytest.mark.parametrize(("text", "seconds"), [("30s", 30.0), ("2m", 120.0), ("0s", 1.0)])
def test_a_time(repo: Repo, text: str, seconds: float) -> None:
    assert settings(repo, ptguard__timeout=text).timeout == seconds


@pytest.mark.parametrize("text", ["", "30", "soon", "-1s", "1.5s", "9" * 30 + "w"])
def test_no_time(repo: Repo, text: str) -> None:
    with pytest.raises(PolicyError, match=r"ptguard\.timeout is .* not a duration"):
        settings(repo, ptguard__timeout=text)


@pytest.mark.parametrize(
    ("text", "bits"),
    [("group", 0o060), ("true", 0o060), ("1", 0o060), ("all", 0o064), ("0660", 0o060), ("0640", 0o040),
     ("660", 0o060), ("umask", 0),
     ("false", 0), ("0600", 0), ("09", 0)],
)  # fmt: skip
def test_files_are_shared_as_the_repository_is(text: str, bits: int) -> None:
    assert sharing({"core.sharedrepository": (text,)}) == bits


def test_the_second_hook_counts_only_where_git_runs_it(repo: Repo, tmp_path: Path) -> None:
    repo.write("a", "a")
    repo.commit("Start")
    install(repo.path, Path(sys.executable), None, None)
    hook = repo.path / ".git" / "hooks" / "reference-transaction"
    assert settings(repo).transaction
    hook.chmod(0o644)
    assert not settings(repo).transaction
    hook.chmod(0o755)
    shutil.copytree(hook.parent, tmp_path / "hooks")
    assert not settings(repo, core__hooksPath=str(tmp_path / "hooks")).transaction
    repo.git("config", "--unset", "core.hooksPath")
    assert settings(repo).transaction
    (repo.path / ".git" / "ptguard-hooks.gitconfig").rename(tmp_path / "away")
    assert not settings(repo).transaction
    assert settings(repo, core__hooksPath=str(hook.parent)).transaction
    hook.write_text("#!/bin/sh\nexit 0\n")
    assert not settings(repo).transaction
    hook.unlink()
    hook.mkdir()
    assert not settings(repo).transaction
