"""Published tags stay; accept and refuse cases beside each other."""

from typing import Any

import pytest

from ptguard.checks.immutable import REASONS, check
from ptguard.model import Finding, Problem, RefUpdate, RemoteState, Status
from ptguard.value import replace
from tests.build import OTHER, REMOTE, TAG, evidence, policy

REF = "refs/tags/v2.9.0"


def judged(**changes: Any) -> list[Finding]:
    found = list(check(evidence(**changes), policy()))
    assert found and {f.reason for f in found} <= set(REASONS)
    return found


def update(local: str | None = TAG, remote: str | None = None, ref: str = REF) -> RefUpdate:
    return RefUpdate(ref, local, ref, remote)


def test_a_new_tag_passes_and_a_moved_one_is_refused() -> None:
    (new,) = judged()
    assert (new.status, new.reason) == (Status.PASS, "ok") and "no v2.9.0 yet" in new.message
    (moved,) = judged(update=update(remote=OTHER))
    assert (moved.status, moved.reason) == (Status.FAIL, "moved")
    assert OTHER in str(moved.got) and TAG in str(moved.got)
    assert moved.fix is not None and moved.fix.startswith("git fetch origin +refs/tags/v2.9.0:refs/tags/v2.9.0")


def test_the_same_object_passes_again() -> None:
    (same,) = judged(update=update(remote=TAG))
    assert same.status is Status.PASS and "this very object" in same.message


def test_what_the_remote_was_asked_counts_as_what_the_line_says() -> None:
    asked = replace(REMOTE, tags={REF: OTHER}, asked=True)
    assert judged(remote=asked)[0].reason == "moved"
    assert judged(remote=replace(asked, tags={REF: TAG}))[0].status is Status.PASS
    assert judged(remote=replace(asked, tags={"refs/tags/v2.9.1": OTHER}))[0].status is Status.PASS


def test_a_published_tag_is_not_deleted_but_one_that_is_not_there_may_go() -> None:
    (gone,) = judged(update=update(local=None, remote=OTHER))
    assert (gone.status, gone.reason) == (Status.FAIL, "deleted")
    (never,) = judged(update=update(local=None))
    assert never.status is Status.PASS


@pytest.mark.parametrize(("twins", "reason"), [((), "ok"), (("refs/tags/V2.9.0",), "case-collision")])
def test_a_twin_in_case_is_refused(twins: tuple[str, ...], reason: str) -> None:
    assert judged(collisions=twins)[0].reason == reason


@pytest.mark.parametrize(("branch", "reason"), [(None, "ok"), ("refs/heads/v2.9.0 on origin", "shadowed")])
def test_a_branch_of_the_same_name_is_refused(branch: str | None, reason: str) -> None:
    assert judged(shadowed_by=branch)[0].reason == reason


def test_a_misspelled_ref_is_refused() -> None:
    (found,) = judged(update=update(ref="refs/Tags/v2.9.0"))
    assert (found.status, found.reason) == (Status.FAIL, "case-collision")
    assert found.expected == REF


def test_several_things_wrong_are_all_said() -> None:
    found = judged(update=update(remote=OTHER), collisions=("refs/tags/V2.9.0",), shadowed_by="refs/heads/v2.9.0")
    assert [f.reason for f in found] == ["case-collision", "shadowed", "moved"]


def test_a_remote_that_cannot_be_asked_decides_nothing() -> None:
    silent = RemoteState("origin", {}, {}, problem=Problem("unknown", "no answer", status=Status.ERROR))
    (found,) = judged(remote=silent)
    assert (found.status, found.reason) == (Status.ERROR, "unknown")


def test_without_any_remote_there_is_nothing_to_move() -> None:
    (found,) = judged(remote=RemoteState("(no remote)", {}, {}, none=True))
    assert (found.status, found.reason) == (Status.SKIP, "not-applicable")


def test_a_deletion_of_what_the_remote_says_it_has_is_one() -> None:
    """The line of the push may know of no object there; the remote that was asked does."""
    asked = replace(REMOTE, tags={REF: OTHER}, asked=True)
    (found,) = judged(update=update(local=None), remote=asked)
    assert (found.status, found.reason) == (Status.FAIL, "deleted")
    (same,) = judged(remote=replace(asked, tags={REF: TAG}))
    assert same.message == "origin has this very object"


@pytest.mark.parametrize(
    ("changes", "message", "fix"),
    [
        (
            {"update": update(ref="refs/Tags/v2.9.0")},
            "the ref is not spelled refs/tags/",
            "git push origin refs/Tags/v2.9.0:refs/tags/v2.9.0",
        ),
        (
            {"collisions": ("refs/tags/V2.9.0", "refs/tags/V2.9.O")},
            "v2.9.0 differs from refs/tags/V2.9.0 in upper and lower case only",
            "git tag -d v2.9.0   # the one that is not wanted",
        ),
        (
            {"shadowed_by": "refs/heads/v2.9.0 on origin"},
            "a branch has the name of the tag: refs/heads/v2.9.0 on origin",
            "git push origin --delete refs/heads/v2.9.0",
        ),
        (
            {"update": update(local=None, remote=OTHER)},
            "v2.9.0 is published and would be deleted",
            "leave the tag and release the next version",
        ),
        (
            {"update": update(remote=OTHER)},
            "v2.9.0 is published as another object and would be moved",
            "git fetch origin +refs/tags/v2.9.0:refs/tags/v2.9.0   # takes the published tag back",
        ),
    ],
)
def test_a_refusal_says_what_was_seen_and_how_to_mend_it(changes: dict[str, Any], message: str, fix: str) -> None:
    (found,) = judged(**changes)
    assert (found.message, found.fix) == (message, fix)


def test_every_twin_is_named() -> None:
    (found,) = judged(collisions=("refs/tags/V2.9.0", "refs/tags/v2.9.O"))
    assert found.got == "refs/tags/V2.9.0, refs/tags/v2.9.O"
