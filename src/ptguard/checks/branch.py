"""The tagged commit is on a release branch of the remote."""

from collections.abc import Mapping, Sequence
from typing import Final

from ptguard.model import BRANCH_PREFIX, BranchEvidence, Evidence, Finding, Policy, Problem, Status
from ptguard.text import sh, shown

ID: Final = "branch"
ORDER: Final = 40
REASONS: Final[Mapping[str, str]] = {
    "ok": "a release branch of the remote contains the tagged commit",
    "not-applicable": "the tag names no commit; `annotated` refuses it",
    "not-on-branch": "no release branch of the remote contains the tagged commit",
    "unknown-branch": "no branch of the remote matches the rule's patterns",
    "shallow": "the clone is shallow, so a no cannot be trusted",
    "could-not-decide": "the tip of a release branch is not in this clone",
}


def check(evidence: Evidence, policy: Policy) -> Sequence[Finding]:
    """Judge where the tagged commit stands; only branches that the remote had before this push count.

    A branch that the push fast-forwards counts with its new tip, one that it creates, forces or deletes never.
    """
    del policy
    found, match = evidence.branch, evidence.match
    if evidence.commit is None:
        return [Finding(ID, Status.SKIP, "not-applicable", "the tag names no commit")]
    if found is None or match is None:
        return [Finding(ID, Status.ERROR, "could-not-decide", "the branches were not collected")]
    if isinstance(found, Problem):
        return [Finding.of(ID, found)]
    if found.carrier is not None:
        return [Finding.passed(ID, f"on {_short(found.carrier)} of {shown(evidence.remote.name)}")]
    return [_refusal(evidence, found, ", ".join(match.rule.branches), evidence.commit)]


def _refusal(evidence: Evidence, found: BranchEvidence, patterns: str, commit: str) -> Finding:
    remote = shown(evidence.remote.name)
    if found.shallow:
        return Finding(
            ID,
            Status.ERROR,
            "shallow",
            f"commit {commit[:12]} is on no release branch as far as this shallow clone reaches",
            "a shallow clone",
            "the whole history",
            "git fetch --unshallow",
        )
    counting = [ref for ref in found.matching if ref not in found.ineligible]
    if not counting and not found.ineligible:
        return _fail(
            "unknown-branch",
            f"no branch of {remote} matches the rule's branches",
            f"no branch like {patterns}",
            "a release branch on the remote",
            _push_first(evidence, "main", found.local),
        )
    got = f"{commit[:12]} is not in {', '.join(map(_short, counting)) or 'any of them'}"
    if found.ineligible:
        got += f"; {', '.join(map(_short, found.ineligible))} is created, forced or deleted by this push"
    first = _short(counting[0]) if counting else _short(found.ineligible[0])
    return _fail(
        "not-on-branch",
        f"the tagged commit is on no release branch of {remote}",
        got,
        f"reachable from {patterns}",
        _push_first(evidence, first, found.local),
    )


def _push_first(evidence: Evidence, branch: str, carriers: Sequence[str] = ()) -> str:
    """Give the commands that bring the commit to ``branch`` of the remote, then the tag.

    ``carriers``: local release branches that contain the commit; without one it has to be merged first.
    """
    remote = evidence.remote.name
    steps = []
    if carriers:
        branch = branch if branch in carriers else carriers[0]
    elif evidence.commit:
        steps = [sh("git", "switch", branch), sh("git", "merge", evidence.commit)]
    tag = sh("ptguard", "tag", evidence.name) if evidence.planned else sh("git", "push", remote, evidence.name)
    return " && ".join([*steps, sh("git", "push", remote, branch), tag])


def _short(ref: str) -> str:
    return shown(ref.removeprefix(BRANCH_PREFIX))


def _fail(reason: str, message: str, got: str, expected: str, fix: str) -> Finding:
    return Finding(ID, Status.FAIL, reason, message, got, expected, fix)
