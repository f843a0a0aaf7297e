"""The doorway to git, against real repositories; the user's settings never reach what judges."""

import os
from pathlib import Path

import pytest

from ptguard.errors import GitError, ToolMissingError, UsageError
from ptguard.gateways.git import Git, hash_object
from tests.support import Repo, run


@pytest.fixture
def history(repo: Repo) -> Repo:
    repo.write("a.txt", "one\n")
    repo.commit("one")
    repo.git("tag", "-a", "-m", "first", "v1")
    repo.write("a.txt", "two\n")
    repo.commit("two")
    return repo


def test_reads_objects_by_id(history: Repo) -> None:
    tag = history.git("rev-parse", "v1")
    with Git.open(history.path) as git:
        found = git.info(tag)
        assert found is not None and found[:2] == (tag, "tag")
        assert git.read(tag, "tag", 10_000).startswith(b"object " + history.git("rev-parse", "v1^{commit}").encode())
        peeled = git.info(f"{tag}^{{commit}}")
        assert peeled is not None and peeled[0] == history.git("rev-parse", "v1^{commit}")
        assert git.info("0" * 40) is None
        assert git.tree_of(history.git("rev-parse", "HEAD")) == history.git("rev-parse", "HEAD^{tree}")


@pytest.mark.parametrize(("kind", "limit"), [("commit", 10_000), ("tag", 10)])
def test_refuses_another_type_and_another_size(history: Repo, kind: str, limit: int) -> None:
    tag = history.git("rev-parse", "v1")
    with Git.open(history.path) as git, pytest.raises(GitError, match="is a tag of"):
        git.read(tag, kind, limit)


def test_an_object_that_is_not_what_its_id_says_is_damaged(history: Repo) -> None:
    blob, other = history.git("hash-object", "-w", "--stdin", stdin=b"x"), "f" * 40
    source = history.path / ".git/objects" / blob[:2] / blob[2:]
    target = history.path / ".git/objects" / other[:2] / other[2:]
    target.parent.mkdir()
    target.write_bytes(source.read_bytes())
    with Git.open(history.path) as git, pytest.raises(GitError, match=r"damaged|not in this repository|answered"):
        git.read(other, "blob", 100)


def test_ancestry(history: Repo) -> None:
    one, two = history.git("rev-parse", "HEAD~"), history.git("rev-parse", "HEAD")
    history.git("checkout", "-q", "--orphan", "other")
    alone = history.commit("alone")
    with Git.open(history.path) as git:
        assert git.contained(one, [two])
        assert git.contained(two, [two])
        assert not git.contained(two, [one])
        assert git.contained(one, [alone, two])
        assert not git.contained(alone, [one, two])
        assert not git.contained(one, [])


def test_commit_dates_that_lie_do_not_make_a_no_of_a_yes(repo: Repo) -> None:
    def at(when: str, message: str) -> str:
        env = {"GIT_COMMITTER_DATE": when, "GIT_AUTHOR_DATE": when}
        assert repo.try_git("commit", "-q", "--allow-empty", "-m", message, env=env).returncode == 0
        return repo.git("rev-parse", "HEAD")

    root = at("2030-01-01T00:00:00Z", "from the future")
    for day in range(1, 20):
        tip = at(f"2001-01-{day:02}T00:00:00Z", f"old {day}")
    with Git.open(repo.path) as git:
        assert git.contained(root, [tip])


def test_tags_before_a_commit_are_its_true_ancestors(history: Repo) -> None:
    history.git("tag", "light", "HEAD~")
    history.git("tag", "-a", "-m", "same", "same", "HEAD")
    history.git("tag", "-a", "-m", "nested", "nested", "same")
    with Git.open(history.path) as git:
        assert git.tags_before(history.git("rev-parse", "HEAD")) == {"v1", "light"}
        assert git.tags_before(history.git("rev-parse", "HEAD~")) == frozenset()


def test_replace_refs_and_grafts_play_no_part(history: Repo) -> None:
    one, two = history.git("rev-parse", "HEAD~"), history.git("rev-parse", "HEAD")
    history.git("replace", one, two)
    (history.path / ".git/info").mkdir(exist_ok=True)
    (history.path / ".git/info/grafts").write_text(f"{one} {two}\n")
    with Git.open(history.path) as git:
        assert b"one" in git.read(one, "commit", 10_000)
        assert not git.contained(two, [one])


def test_nothing_of_the_users_configuration_reaches_it(history: Repo, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_CONFIG_COUNT", "1")
    monkeypatch.setenv("GIT_CONFIG_KEY_0", "ptguard.policyfile")
    monkeypatch.setenv("GIT_CONFIG_VALUE_0", "/evil")
    run("git", "config", "--global", "ptguard.trustBranch", "evil", env=dict(os.environ))
    history.git("config", "ptguard.remote", "here")
    with Git.open(history.path) as git:
        config = git.local_config()
    assert config["ptguard.remote"] == ("here",)
    assert "ptguard.policyfile" not in config and "ptguard.trustbranch" not in config


def test_sha256_repositories(tmp_path: Path, env: dict[str, str]) -> None:
    run("git", "init", "-q", "--object-format=sha256", tmp_path / "r", env=env)
    repo = Repo(tmp_path / "r", env)
    repo.write("a", "a")
    head = repo.commit()
    with Git.open(repo.path) as git:
        assert git.object_format == "sha256" and len(head) == 64
        assert git.tree_of(head) == repo.git("rev-parse", "HEAD^{tree}")


def test_ls_remote_and_its_failure(history: Repo, tmp_path: Path) -> None:
    run("git", "init", "-q", "--bare", tmp_path / "r.git", env=history.env)
    history.git("remote", "add", "origin", "../r.git")
    history.git("push", "-q", "origin", "main", "v1")
    with Git.open(history.path) as git:
        told = git.ls_remote("origin")
        assert told == {
            "refs/heads/main": history.git("rev-parse", "main"),
            "refs/tags/v1": history.git("rev-parse", "v1"),
        }
        with pytest.raises(GitError, match="could not be asked"):
            git.ls_remote("../nowhere.git")


def test_not_a_repository_and_no_git(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError, match="not a git repository"):
        Git.open(tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ToolMissingError, match="git is not installed"):
        Git.open(tmp_path)


def test_object_ids() -> None:
    assert hash_object("blob", b"", "sha1") == "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391"
    assert hash_object("blob", b"", "sha256").startswith("473a0f4c3be8a93681a267e3b1e9a7dcda1185436fe141f7749120a30372")


def test_a_tag_that_git_gives_up_at_keeps_no_other_from_being_seen(history: Repo) -> None:
    """It calls a tree a commit; git ends when it is to say what such a tag names."""
    tree, head = (history.git("rev-parse", rev) for rev in ("HEAD^{tree}", "HEAD"))
    raw = f"object {tree}\ntype commit\ntag v0\ntagger A <a@b> 1700000000 +0000\n\nx\n".encode()
    oid = history.git("hash-object", "-t", "tag", "-w", "--stdin", "--literally", stdin=raw)
    history.git("update-ref", "refs/tags/v0", oid)
    history.git("tag", "light", "HEAD~")
    history.git("tag", "at-head", "HEAD")
    fields = "--format=%(creatordate)%(*objectname)"
    assert history.try_git("for-each-ref", fields, "refs/tags/").returncode != 0
    with Git.open(history.path) as git:
        assert git.tagged_in([head]) == {head, history.git("rev-parse", "HEAD~")}
        assert git.tags_before(head) == {"v1", "light"}
        assert git.tags_at(history.git("rev-parse", "HEAD~")) == ("light", "v1")
        assert git.tag_times().keys() == {"refs/tags/v1", "refs/tags/light", "refs/tags/at-head"}
