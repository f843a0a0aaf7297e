"""Adding up: whatever is in doubt refuses."""

from collections.abc import Sequence
from datetime import date

import pytest

from ptguard.checks import branch, discover
from ptguard.model import BranchEvidence, Evidence, Finding, Policy, RefUpdate, Status, TagVerdict, Waiver
from ptguard.value import replace
from ptguard.verdict import judge
from tests.build import COMMIT, OTHER, RULE, TAG, evidence, policy

GOOD = BranchEvidence(("refs/heads/main",), "refs/heads/main")
BAD = BranchEvidence(("refs/heads/main",), None)
ONLY = replace(RULE, checks=("annotated", "immutable", "branch"))


def judged(found: BranchEvidence = GOOD, rules: Policy | None = None, **changes: object) -> TagVerdict:
    base = evidence(branch=found)
    assert base.match is not None
    return judge(replace(base, match=replace(base.match, rule=ONLY), **changes), rules or policy())


def statuses(verdict: TagVerdict) -> dict[str, Status]:
    return {f.check: f.status for f in verdict.findings}


def test_every_check_of_the_rule_appears_and_all_must_stand() -> None:
    good = judged()
    assert good.accepted and statuses(good) == dict.fromkeys(ONLY.checks, Status.PASS)
    bad = judged(BAD)
    assert not bad.accepted and statuses(bad)["branch"] is Status.FAIL
    assert statuses(bad)["annotated"] is Status.PASS


def test_no_finding_at_all_refuses() -> None:
    assert not TagVerdict("refs/tags/v1", "v1", TAG, COMMIT, ()).accepted


def test_a_check_that_this_ptguard_does_not_have_refuses() -> None:
    base = evidence(branch=GOOD)
    assert base.match is not None
    rule = replace(ONLY, checks=(*ONLY.checks, "sbom"))
    found = judge(replace(base, match=replace(base.match, rule=rule)), policy())
    assert not found.accepted and statuses(found)["sbom"] is Status.ERROR


def test_skips_alone_refuse() -> None:
    skip = Finding("branch", Status.SKIP, "not-applicable", "-")
    assert not TagVerdict("refs/tags/v1", "v1", TAG, COMMIT, (skip,)).accepted


@pytest.mark.parametrize("broken", ["raises", "silent", "foreign"])
def test_a_check_that_breaks_refuses_and_the_others_still_speak(monkeypatch: pytest.MonkeyPatch, broken: str) -> None:
    def check(evidence: Evidence, policy: Policy) -> Sequence[Finding]:
        if broken == "raises":
            raise RuntimeError("boom")
        return [] if broken == "silent" else [Finding.passed("signature", "I say so")]

    monkeypatch.setattr(branch, "check", check)
    found = judged()
    assert not found.accepted and found.undecided
    assert statuses(found)["branch"] is Status.ERROR and statuses(found)["annotated"] is Status.PASS


def test_a_waiver_lets_its_check_pass_and_no_other() -> None:
    waiver = Waiver("v2.9.0", "branch", "the branch is gone", "li-wei", date(2026, 11, 22))
    assert judged(BAD, policy(waivers=(waiver,))).accepted
    (finding,) = (f for f in judged(BAD, policy(waivers=(waiver,))).findings if f.check == "branch")
    assert finding.status is Status.WAIVED and "not-on-branch" in str(finding.got)
    for other in (
        replace(waiver, tag="v2.9.1"),
        replace(waiver, check="smoke"),
        replace(waiver, expires=date(2026, 11, 21)),
    ):
        assert not judged(BAD, policy(waivers=(other,))).accepted


def test_an_expired_waiver_is_named() -> None:
    old = Waiver("v2.9.0", "branch", "-", "li-wei", date(2026, 1, 1))
    found = judged(BAD, policy(waivers=(old,)))
    assert [f.reason for f in found.findings if f.check == "policy"] == ["waiver-expired"]
    assert not any(f.check == "policy" for f in judged(GOOD, policy(waivers=(old,))).findings)


def test_an_undecided_check_cannot_be_waived() -> None:
    waiver = Waiver("v2.9.0", "branch", "-", "li-wei", date(2026, 12, 1))
    assert not judged(replace(BAD, shallow=True), policy(waivers=(waiver,))).accepted


@pytest.mark.parametrize(
    ("action", "accepted", "status"),
    [("refuse", False, Status.FAIL), ("warn", True, Status.WARN), ("allow", True, Status.PASS)],
)
def test_a_tag_that_no_pattern_matches(action: str, accepted: bool, status: Status) -> None:
    found = judge(evidence("stray", match=None), policy(unmatched=action))
    assert found.accepted is accepted and found.findings[0].status is status


def test_a_twin_in_case_is_refused_whatever_its_rule() -> None:
    for action in ("warn", "allow"):
        found = judge(evidence("V2.9.0", match=None, collisions=("refs/tags/v2.9.0",)), policy(unmatched=action))
        assert not found.accepted and [f.reason for f in found.findings if f.refuses] == ["case-collision"]
    base = evidence(collisions=("refs/tags/V2.9.0",))
    assert base.match is not None
    lax = replace(base, match=replace(base.match, rule=replace(RULE, checks=("annotated",))))
    assert not judge(lax, policy()).accepted
    assert judge(replace(lax, collisions=()), policy()).accepted


def test_of_a_deletion_only_immutable_is_judged() -> None:
    gone = RefUpdate("(delete)", None, "refs/tags/v2.9.0", OTHER)
    found = judged(update=gone, commit=None, tag=None)
    assert not found.accepted and found.object is None and found.commit is None
    assert statuses(found) == {"annotated": Status.SKIP, "immutable": Status.FAIL, "branch": Status.SKIP}
    base = evidence(update=gone)
    assert base.match is not None
    lax = replace(base, match=replace(base.match, rule=replace(RULE, checks=("annotated",))))
    assert judge(lax, policy()).accepted


def test_a_planned_tag_is_judged_but_for_its_object() -> None:
    found = judged(planned=True, tag=None, object_type=None)
    assert statuses(found)["annotated"] is Status.SKIP and statuses(found)["branch"] is Status.PASS
    assert found.accepted


def test_checks_are_found_in_the_order_of_reports() -> None:
    assert list(discover()) == [
        "annotated", "signature", "immutable", "branch", "version", "changelog", "image", "smoke",
    ]  # fmt: skip
