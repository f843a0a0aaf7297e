"""What is remembered of a policy that stood: also what cannot be read any more was something."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from ptguard.errors import GitError, PolicyError
from ptguard.gateways.git import Git
from ptguard.model import RefUpdate
from ptguard.server.store import Store
from ptguard.server.trunk import STOOD, Stood, Trunk, look, missing, protect, remember
from tests.support import Repo

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def seen(repo: Repo, store: Store, tip: str | None) -> Trunk:
    with Git.open(repo.path) as git:
        return look(git, store, "main", "refs/heads/main", tip)


@pytest.mark.parametrize(
    ("rubbish", "found"),
    [(b"", Stood(None)), (b"[1]", Stood(None)), (b"\xff", Stood(None)), (b'{"commit": 3}', Stood(None)),
     (b'{"commit": "' + b"a" * 40 + b'"}', Stood("a" * 40)), (b"[" * 4000, Stood(None)), (b"x" * 9000, Stood(None))],
)  # fmt: skip
def test_rubbish_is_something_that_stood(repo: Repo, tmp_path: Path, rubbish: bytes, found: Stood) -> None:
    store = Store(tmp_path / "ptguard")
    assert seen(repo, store, None).stood is None
    store.write(STOOD, rubbish)
    trunk = seen(repo, store, None)
    assert trunk.stood == found and trunk.kept
    assert missing(trunk) is not None


def test_a_policy_is_remembered_once_it_stands(repo: Repo, tmp_path: Path) -> None:
    store = Store(tmp_path / "ptguard")
    repo.write("a", "a")
    bare = repo.commit("Nothing yet")
    trunk = seen(repo, store, bare)
    assert not trunk.kept and missing(trunk) is None
    remember(store, trunk, NOW)
    assert not store.root.exists()
    repo.write(".ptguard/policy.toml", "schema = 1\n")
    policy = repo.commit("A policy")
    remember(store, seen(repo, store, policy), NOW)
    trunk = seen(repo, store, bare)
    assert trunk.stood == Stood(policy) and not trunk.policy
    error = missing(trunk)
    assert error is not None and policy in error.message


def child(repo: Repo, parent: str) -> str:
    """Give a commit with the files of ``parent``, on top of it."""
    return repo.git("commit-tree", "-p", parent, "-m", "On top", f"{parent}^{{tree}}")


def policy_again(repo: Repo, text: str) -> str:
    """Give a commit on top of HEAD that has a policy."""
    repo.write(".ptguard/policy.toml", text)
    made = repo.commit("A policy again")
    repo.git("reset", "-q", "--hard", "HEAD~1")
    return made


def test_what_may_not_be_looked_at_may_be_there(tmp_path: Path, repo: Repo, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another pusher's folder, in a repository that is not shared as git shares one."""

    def refuse(path: Path, **named: object) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "lstat", refuse)
    assert seen(repo, Store(tmp_path / "ptguard"), None).stood == Stood(None)


def test_what_a_push_may_do_to_the_trust_branch(repo: Repo, tmp_path: Path) -> None:
    store = Store(tmp_path / "ptguard")
    repo.write("a", "a")
    start = repo.commit("Nothing yet")
    repo.write(".ptguard/policy.toml", "schema = 1\n")
    policy = repo.commit("A policy")
    repo.write("a", "b")
    later = repo.commit("Later")
    repo.git("rm", "-q", "-r", ".ptguard")
    without = repo.commit("Away")

    def push(tip: str | None, new: str | None, claimed: str | None) -> None:
        with Git.open(repo.path) as git:
            line = RefUpdate("refs/heads/main", new, "refs/heads/main", tip)
            protect(git, look(git, store, "main", "refs/heads/main", tip), line, claimed)

    push(None, policy, None)
    push(start, None, start)  # no policy has stood: nothing is kept
    push(policy, later, policy)
    for tip, new, claimed, words in (
        (policy, None, policy, "delete main"),
        (policy, start, policy, "rewind main"),
        (policy, later, start, "has moved since"),
        (later, without, later, "away from main"),
    ):
        with pytest.raises(PolicyError, match=words):
            push(tip, new, claimed)
    with pytest.raises(GitError, match="bad object"):
        push(policy, "f" * 40, policy)
    push(without, policy_again(repo, "schema = 1\n"), without)
    store.write(STOOD, b"{}")
    push(without, child(repo, without), without)  # nothing is taken away that is gone already
    with pytest.raises(PolicyError, match="nobody can tell any more who may put one there"):
        push(without, policy_again(repo, "schema = 1\n"), without)
    store.write(STOOD, f'{{"commit": "{policy}"}}'.encode())
    push(without, policy_again(repo, "schema = 1\n"), without)
    push(None, later, None)
    with pytest.raises(PolicyError, match="does not go on"):
        push(None, start, None)
