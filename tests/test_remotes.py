"""What a clone knows of a remote without asking it."""

import pytest

from ptguard.errors import UsageError
from ptguard.gateways.git import Git, Refs
from ptguard.model import RefUpdate, Status
from ptguard.remotes import Remote, chosen, configured, names, of_push, state_by_asking, state_from_push
from tests.support import Repo

A, B, C = "a" * 40, "b" * 40, "c" * 40
PLAIN = Remote("origin", ("+refs/heads/*:refs/remotes/origin/*",), exempt=False)
CONFIG = {
    "remote.origin.url": ("x",),
    "remote.origin.fetch": ("+refs/heads/*:refs/remotes/origin/*",),
    "remote.with.dot.url": ("y",),
    "remote.backup.url": ("z",),
    "remote.backup.ptguard": ("false",),
    "remote.pushdefault": ("origin",),
}


def test_names_keep_their_dots_and_settings_of_no_remote_are_none() -> None:
    assert names(CONFIG) == ("origin", "with.dot", "backup")


def test_only_false_exempts() -> None:
    assert [configured(CONFIG, n).exempt for n in names(CONFIG)] == [False, False, True]  # type: ignore[union-attr]
    odd = {"remote.o.url": ("x",), "remote.o.ptguard": ("fals",)}
    assert configured(odd, "o").exempt is False  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("fetch", "ref", "expected"),
    [
        (("+refs/heads/*:refs/remotes/origin/*",), "refs/heads/main", "refs/remotes/origin/main"),
        (("refs/heads/main:refs/remotes/o/main",), "refs/heads/main", "refs/remotes/o/main"),
        (("refs/heads/main:refs/remotes/o/main",), "refs/heads/dev", None),
        (("+refs/heads/rel/*:refs/x/*",), "refs/heads/main", None),
        (("+refs/heads/main",), "refs/heads/main", None),
        ((), "refs/heads/main", None),
        (("^refs/heads/main", "+refs/heads/*:refs/r/*"), "refs/heads/main", "refs/r/main"),
    ],
)
def test_tracking_follows_the_fetch_refspec(fetch: tuple[str, ...], ref: str, expected: str | None) -> None:
    assert Remote("o", fetch, exempt=False).tracking(ref) == expected


def test_the_state_of_a_push_trusts_its_lines_over_what_was_fetched() -> None:
    refs = Refs(
        {
            "refs/remotes/origin/main": A,
            "refs/remotes/origin/HEAD": A,
            "refs/remotes/origin/old": C,
            "refs/heads/main": B,
        },
        {"refs/remotes/origin/HEAD": "refs/remotes/origin/main"},
    )
    lines = (
        RefUpdate("refs/heads/main", C, "refs/heads/main", B),
        RefUpdate("refs/heads/old", C, "refs/heads/old", None),
        RefUpdate("refs/tags/v1", A, "refs/tags/v1", C),
        RefUpdate("refs/tags/v2", A, "refs/tags/v2", None),
    )
    state = state_from_push(PLAIN, "origin", refs, lines)
    assert state.branches == {"refs/heads/main": B}
    assert state.tags == {"refs/tags/v1": C}
    assert not state.asked and not state.none


def test_chosen_is_the_named_one_or_origin_or_the_only_one() -> None:
    assert chosen(CONFIG, "backup") == configured(CONFIG, "backup")
    assert chosen(CONFIG, None) == configured(CONFIG, "origin")
    assert chosen({"remote.up.url": ("x",)}, None) == configured({"remote.up.url": ("x",)}, "up")
    assert chosen({**CONFIG, "ptguard.remote": ("backup",)}, None) == configured(CONFIG, "backup")
    assert chosen({}, None) is None
    for config, wanted in ((CONFIG, "nobody"), ({"remote.a.url": ("x",), "remote.b.url": ("y",)}, None), ({}, "o")):
        with pytest.raises(UsageError, match="no remote called"):
            chosen(config, wanted)


def test_a_url_is_the_one_remote_that_pushes_there(repo: Repo) -> None:
    repo.git("remote", "add", "origin", "short:net.git")
    repo.git("config", "url.https://git.example.com/.insteadOf", "short:")
    repo.git("remote", "add", "twin-a", "/same")
    repo.git("remote", "add", "twin-b", "/same")
    with Git.open(repo.path) as git:
        config = git.local_config()
        url = "https://git.example.com/net.git"
        assert of_push(git, config, "origin", url).name == "origin"  # type: ignore[union-attr]
        assert of_push(git, config, url, url).name == "origin"  # type: ignore[union-attr]
        assert of_push(git, config, "/same", "/same") is None
        assert of_push(git, config, "/elsewhere", "/elsewhere") is None


def test_a_remote_that_cannot_be_asked_leaves_what_was_fetched_and_a_problem(repo: Repo) -> None:
    repo.git("remote", "add", "origin", "../gone.git")
    repo.commit()
    refs = Refs({"refs/remotes/origin/main": A}, {})
    with Git.open(repo.path) as git:
        state = state_by_asking(git, PLAIN, refs)
    assert state.problem is not None and state.problem.reason == "unknown" and state.problem.status is Status.ERROR
    assert state.branches == {"refs/heads/main": A} and not state.asked


def test_no_remote_at_all_means_the_local_branches(repo: Repo) -> None:
    head = repo.commit()
    with Git.open(repo.path) as git:
        state = state_by_asking(git, None, git.refs("refs/"))
    assert state.none and state.branches == {"refs/heads/main": head} and state.problem is None
