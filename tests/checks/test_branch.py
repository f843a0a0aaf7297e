"""The tagged commit is on a release branch of the remote; accept and refuse cases beside each other."""

from typing import Any

import pytest

from ptguard.checks.branch import REASONS, check
from ptguard.model import BranchEvidence, Finding, Problem, Status
from tests.build import COMMIT, evidence, policy

MAIN, RELEASE = "refs/heads/main", "refs/heads/release/2"


def judged(found: BranchEvidence | Problem | None, **changes: Any) -> Finding:
    (finding,) = check(evidence(branch=found, **changes), policy())
    assert finding.reason in REASONS
    return finding


def test_a_carried_commit_passes_and_another_is_refused() -> None:
    good = judged(BranchEvidence((MAIN,), MAIN))
    assert good.status is Status.PASS and good.message == "on main of origin"
    bad = judged(BranchEvidence((MAIN, RELEASE), None, local=("main",)))
    assert (bad.status, bad.reason) == (Status.FAIL, "not-on-branch")
    assert bad.fix == "git push origin main && git push origin v2.9.0"
    assert bad.expected == "reachable from main, release/*"


def test_the_mending_words_bring_the_commit_to_a_release_branch() -> None:
    def fix(*local: str, planned: bool = False) -> str | None:
        return judged(BranchEvidence((MAIN, RELEASE), None, local=local), planned=planned).fix

    tag = "git push origin v2.9.0"
    assert fix("release/2", "main") == f"git push origin main && {tag}"
    assert fix("release/2") == f"git push origin release/2 && {tag}"
    assert fix() == f"git switch main && git merge {COMMIT} && git push origin main && {tag}"
    assert fix("main", planned=True) == "git push origin main && ptguard tag v2.9.0"


def test_a_branch_that_the_push_makes_does_not_count() -> None:
    bad = judged(BranchEvidence((RELEASE,), None, (RELEASE,)))
    assert bad.reason == "not-on-branch" and "created, forced or deleted by this push" in str(bad.got)


def test_no_branch_of_such_a_name() -> None:
    assert judged(BranchEvidence((), None)).reason == "unknown-branch"


@pytest.mark.parametrize(("carrier", "status"), [(MAIN, Status.PASS), (None, Status.ERROR)])
def test_a_shallow_clone_may_say_yes_but_not_no(carrier: str | None, status: Status) -> None:
    finding = judged(BranchEvidence((MAIN,), carrier, shallow=True))
    assert finding.status is status
    if carrier is None:
        assert (finding.reason, finding.fix) == ("shallow", "git fetch --unshallow")


def test_what_was_not_collected_never_passes() -> None:
    assert judged(None).status is Status.ERROR
    assert judged(BranchEvidence((MAIN,), MAIN), match=None).status is Status.ERROR
    problem = Problem("could-not-decide", "the tip is not here", status=Status.ERROR)
    assert judged(problem).status is Status.ERROR


def test_a_tag_that_names_no_commit_is_left_to_annotated() -> None:
    assert judged(None, commit=None).status is Status.SKIP
