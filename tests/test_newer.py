"""Higher versions on earlier commits: asked of git one by one or walked at once, the answer is the same."""

import random
from collections.abc import Sequence

import pytest
from packaging.version import Version

from ptguard.gateways.git import Git
from ptguard.model import Oid, Policy, RefUpdate
from ptguard.newer import NAMED, Newer, Top, walk
from ptguard.policy import match_rule, parse_policy
from tests.support import Repo

POLICY = b"""schema = 1
[[tags]]
pattern = "{package}/v{version}"
checks = ["annotated", "version"]
[[tags]]
pattern = "v*"
checks = ["annotated", "version"]
"""


@pytest.fixture
def policy() -> Policy:
    return parse_policy(
        POLICY, source="x", commit=None, read=lambda _: b"", checks=("annotated", "version"), trust_branch=None
    )


def _history(repo: Repo, size: int, seed: int, *, empty: bool = False) -> list[Oid]:
    """Make ``size`` commits with forks and merges by git fast-import (``empty``: of the empty tree); give their ids."""
    rng, lines = random.Random(seed), []
    for mark in range(1, size + 1):
        parents = rng.sample(range(1, mark), min(mark - 1, rng.choice((1, 1, 1, 2, 3)))) if mark > 1 else []
        if parents and rng.random() < 0.6:
            parents[0] = mark - 1
        lines.append(
            f"commit refs/heads/b{mark}\nmark :{mark}\ncommitter A <a@b.c> {1700000000 + mark} +0000\ndata 1\nx"
        )
        words = ["from", *["merge"] * 9]
        lines += [f"{word} :{parent}" for word, parent in zip(words, dict.fromkeys(parents), strict=False)]
        lines += [] if empty or parents else ["M 100644 inline file", "data 1", "x"]
        lines.append("")
    repo.git("fast-import", "--quiet", stdin="\n".join(lines).encode())
    commits = [repo.git("rev-parse", f"refs/heads/b{mark}") for mark in range(1, size + 1)]
    repo.git("update-ref", "--stdin", stdin=b"".join(b"delete refs/heads/b%d\n" % m for m in range(1, size)))
    return commits


def _tagged(repo: Repo, commits: Sequence[Oid], seed: int) -> list[RefUpdate]:
    rng = random.Random(seed)
    names = [f"{rng.choice(('v', 'v', 'net/v', 'ops/v'))}{rng.randrange(4)}.{at}" for at in range(len(commits))]
    rows = [(f"refs/tags/{name}", rng.choice(commits)) for name in names]
    repo.git("update-ref", "--stdin", stdin="".join(f"create {ref} {oid}\n" for ref, oid in rows).encode())
    return [RefUpdate(ref, oid, ref, None) for ref, oid in rows]


def _answers(git: Git, policy: Policy, asked: Sequence[RefUpdate], told: Sequence[RefUpdate]) -> list[tuple[str, ...]]:
    newer, found = Newer(git, policy, git.refs("refs/tags/"), told), []
    for update in asked:
        match = match_rule(policy, update.tag)
        assert match is not None and update.local_oid is not None
        found.append(newer.higher(match, update.local_oid, update.tag))
    return found


@pytest.mark.parametrize("seed", range(6))
def test_both_ways_agree(repo: Repo, policy: Policy, seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    updates = _tagged(repo, _history(repo, 60, seed, empty=seed % 2 == 0), seed)
    with Git.open(repo.path) as git:
        one_by_one = _answers(git, policy, updates, ())
        asked: list[Oid] = []
        before = Git.tags_before

        def counted(self: Git, commit: Oid) -> frozenset[str]:
            asked.append(commit)
            return before(self, commit)

        monkeypatch.setattr(Git, "tags_before", counted)
        assert _answers(git, policy, updates, updates) == one_by_one
    assert any(one_by_one) and not all(one_by_one)
    assert len(asked) <= 8
    assert max(map(len, one_by_one)) <= NAMED


def test_a_tag_that_no_ref_names_is_asked_for_by_itself(repo: Repo, policy: Policy) -> None:
    commits = _history(repo, 40, 1)
    updates = _tagged(repo, commits, 1)
    bare = [RefUpdate("x", oid, "refs/tags/v0.1", None) for oid in commits]
    with Git.open(repo.path) as git:
        assert _answers(git, policy, bare, [*updates, *bare]) == _answers(git, policy, bare, ())


def test_a_line_hands_on_what_it_knows_and_a_fork_copies_it() -> None:
    group = ("v*", None)
    tags = {c: [(group, Version(f"1.{n}"), f"v1.{n}")] for n, c in enumerate("abcde")}
    history = [("a", []), ("b", ["a"]), ("c", ["a", "a"]), ("d", ["b", "c"]), ("e", ["d"])]
    found = walk(history, lambda c: tags[c], {c: [group] for c in tags})

    def names(top: Top) -> str:
        return " ".join(name for _, name in top)

    assert [names(found[c, group]) for c in "abcde"] == ["", "v1.0", "v1.0", "v1.2 v1.1 v1.0", "v1.3 v1.2 v1.1 v1.0"]
