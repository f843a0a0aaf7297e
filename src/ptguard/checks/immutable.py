"""A published tag is never moved, deleted, or hidden behind a twin."""

from collections.abc import Mapping, Sequence
from typing import Final

from ptguard.model import IN_PUSH, TAG_PREFIX, Evidence, Finding, Policy, Status
from ptguard.text import sh, shown

ID: Final = "immutable"
ORDER: Final = 30
REASONS: Final[Mapping[str, str]] = {
    "ok": "the remote has no such tag yet, or has this very object",
    "not-applicable": "no remote is configured, so nothing can be moved",
    "moved": "the remote has another object under this name",
    "deleted": "the push would delete a published tag",
    "case-collision": "another tag differs from this one in upper and lower case only, or the ref is misspelled",
    "shadowed": "a branch has the same name, and git commands would take one for the other",
    "unknown": "the remote could not be asked what it has",
    "could-not-decide": "what the remote has is not known",
}


def check(evidence: Evidence, policy: Policy) -> Sequence[Finding]:
    """Judge what the push does to the name: nothing that stands on the remote may change.

    Bare git keeps no tag immutable: neither receive.denyDeletes nor denyNonFastForwards holds for tags.
    """
    del policy
    if evidence.update.deletion:
        return [_deleted(evidence)]
    found = [*name_findings(evidence), *_standing(evidence)]
    return found or [_passed(evidence)]


def name_findings(evidence: Evidence) -> list[Finding]:
    """Give what is wrong with the bare name, whatever its rule: a misspelled ref, a twin, a branch of that name."""
    found = []
    ref, name = evidence.update.remote_ref, shown(evidence.name)
    if not ref.startswith(TAG_PREFIX):
        spec = f"{evidence.update.local_ref}:{TAG_PREFIX}{evidence.name}"
        push = sh("git", "push", evidence.remote.name, spec)
        found.append(
            _fail("case-collision", "the ref is not spelled refs/tags/", shown(ref), f"{TAG_PREFIX}{name}", push)
        )
    if evidence.collisions and not evidence.update.deletion:
        twin = evidence.collisions[0]
        found.append(
            _fail(
                "case-collision",
                f"{name} differs from {shown(twin)} in upper and lower case only",
                ", ".join(shown(c) for c in evidence.collisions),
                "one spelling: file systems that ignore case keep only one of them",
                sh("git", "tag", "-d", evidence.name) + "   # the one that is not wanted",
            )
        )
    if evidence.shadowed_by is not None and not evidence.update.deletion:
        standing = not evidence.shadowed_by.endswith(IN_PUSH)
        away = ("--delete", f"refs/heads/{evidence.name}") if standing else (f"{TAG_PREFIX}{evidence.name}",)
        found.append(
            _fail(
                "shadowed",
                f"a branch has the name of the tag: {shown(evidence.shadowed_by)}",
                shown(evidence.shadowed_by),
                "no branch of that name: `git clone -b` would take the branch",
                sh("git", "push", evidence.remote.name, *away) + ("" if standing else "   # without that branch"),
            )
        )
    return found


def _deleted(evidence: Evidence) -> Finding:
    name = evidence.name
    if evidence.update.remote_oid is None and evidence.remote.tags.get(evidence.update.remote_ref) is None:
        return Finding.passed(ID, f"the remote has no {shown(name)}: nothing is deleted")
    return _fail(
        "deleted",
        f"{shown(name)} is published and would be deleted",
        f"a deletion of {evidence.update.remote_oid}",
        "published tags stay; mend a bad release with a new version",
        "leave the tag and release the next version",
    )


def _standing(evidence: Evidence) -> list[Finding]:
    """Give the findings about what the remote has under this very name."""
    remote, update = evidence.remote, evidence.update
    if remote.problem is not None:
        return [Finding.of(ID, remote.problem)]
    there = update.remote_oid or remote.tags.get(update.remote_ref)
    if there is None or there == update.local_oid:
        return []
    fetch = f"+{update.remote_ref}:{update.remote_ref}"
    return [
        _fail(
            "moved",
            f"{shown(evidence.name)} is published as another object and would be moved",
            f"{there} on {shown(remote.name)}, {update.local_oid} here",
            "published tags stay: release the next version",
            sh("git", "fetch", remote.name, fetch) + "   # takes the published tag back",
        )
    ]


def _passed(evidence: Evidence) -> Finding:
    remote = evidence.remote
    if remote.none:
        return Finding(ID, Status.SKIP, "not-applicable", "no remote is configured, so nothing can be moved")
    same = evidence.update.local_oid == (evidence.update.remote_oid or remote.tags.get(evidence.update.remote_ref))
    words = "has this very object" if same else f"has no {shown(evidence.name)} yet"
    return Finding.passed(ID, f"{shown(remote.name)} {words}")


def _fail(reason: str, message: str, got: str, expected: str, fix: str) -> Finding:
    return Finding(ID, Status.FAIL, reason, message, got, expected, fix)
