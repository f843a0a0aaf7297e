"""A release was tried on a GPU: a signed record, made in the declared image, for exactly the tagged source tree."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from ptguard.model import (
    EXECUTABLE,
    DeclaredImage,
    Evidence,
    Finding,
    Policy,
    Problem,
    SignatureFacts,
    SmokeEvidence,
    SmokePolicy,
    SmokeRecord,
    Status,
)
from ptguard.smoke_case import Case, declared_image, judged
from ptguard.smoke_mend import ID, REPORT, committed, plain, rerun, undecided
from ptguard.text import sh, shown
from ptguard.value import replace
from ptguard.vouching import key_of

ORDER: Final = 80
REASONS: Final[Mapping[str, str]] = {
    "ok": "a signed record of a passed run, in the declared image, for this very tree",
    "not-applicable": "a deletion, or a tag that names no commit, has no tree that could have been tried",
    "missing": "the tagged tree has no smoke record",
    "malformed": "the record is not as ptguard wrote it",
    "foreign-file": "something that could run or hide lies where the record does not look",
    "wrong-tree": "the record is for another source tree, or leaves out paths that the policy does not",
    "dirty": "the run was made with uncommitted changes",
    "wrong-image": "the run was made in another image than the declared one",
    "wrong-digest": "the image has another digest than the declared one",
    "weak-digest-source": "the image's digest comes from a weaker source than the policy takes",
    "version-mismatch": "what the run saw is not what the image's name declares",
    "wrong-device": "the run was made on another kind of device than the policy asks for",
    "no-gpu": "the run saw no GPU",
    "failed": "the run, or a check of it, failed",
    "skipped-check": "a check was skipped without a reason that counts, or none was run at all",
    "command-missing": "the project's own check, which the policy asks for, was not part of the run",
    "stale": "the run was too old when the tag was made",
    "future": "the run ends in the future, or after the tag was made",
    "unsigned": "the record has no signature",
    "bad-signature": "the signature is not one of these bytes, or is too weak",
    "unknown-signer": "the key that signed may not vouch for runs, or not at that time",
    "could-not-decide": "a part of the evidence could not be had",
}

_SHOWN_FOREIGN: Final = 20
_OF_A_FAILED_RUN: Final = frozenset({"failed", "skipped-check", "command-missing", "could-not-decide"})


def check(evidence: Evidence, policy: Policy) -> Sequence[Finding]:
    """Judge the smoke records of the tagged tree: the one for this tree and image must stand in every respect."""
    if evidence.update.deletion:
        return [Finding(ID, Status.SKIP, "not-applicable", "a deletion has no tree that could have been tried")]
    if evidence.commit is None:
        return [Finding(ID, Status.SKIP, "not-applicable", "the tag names no commit")]
    found, smoke = evidence.smoke, policy.smoke
    if isinstance(found, Problem):
        return [_own(found)]
    if found is None or smoke is None:
        if smoke is None:
            return [undecided("the policy has no [smoke] section", "add a [smoke] section to the policy")]
        return [undecided("the smoke records were not looked at", REPORT)]
    declared = declared_image(evidence, policy)
    if isinstance(declared, Finding):
        return [declared, *_foreign(evidence, found)]
    return [*_foreign(evidence, found), *_records(evidence, policy, smoke, found, declared)]


def _own(problem: Problem) -> Finding:
    """Give a problem of a collector as a finding; a reason that is not one of ours must not get out."""
    known = problem.reason in REASONS and problem.reason != "ok"
    refuses = problem.status in (Status.FAIL, Status.ERROR)
    reason = problem.reason if known else "could-not-decide"
    return Finding.of(ID, replace(problem, reason=reason, status=problem.status if refuses else Status.ERROR))


def _foreign(evidence: Evidence, found: SmokeEvidence) -> Iterator[Finding]:
    for path, words in found.foreign[:_SHOWN_FOREIGN]:
        yield Finding(
            ID,
            Status.FAIL,
            "foreign-file",
            f"{shown(path, 200)} must not lie under .ptguard/, which the record does not cover",
            got=words,
            expected="regular, non-executable policy.toml, keys/*.asc, records with signatures, README.md",
            fix=_cleaned(evidence, path, words),
            location=evidence.at(path),
        )
    if len(found.foreign) > _SHOWN_FOREIGN:
        rest = len(found.foreign) - _SHOWN_FOREIGN
        fix = "git ls-tree -r HEAD .ptguard   # shows them all"
        words = f"{rest} more such paths lie under .ptguard/"
        yield Finding(ID, Status.FAIL, "foreign-file", words, f"{len(found.foreign)} such paths", "none", fix)


def _cleaned(evidence: Evidence, path: str, words: str) -> str:
    """Give the commands that take ``path`` out of the tree, or the bit that makes it executable."""
    if words == EXECUTABLE:
        return plain(evidence, path)
    return committed(evidence, "Clean up", sh("git", "rm", "-r", "--cached", "--", path))


# --------------------------------------------------------------------------------------------- which record


def _records(
    evidence: Evidence, policy: Policy, smoke: SmokePolicy, found: SmokeEvidence, declared: DeclaredImage | None
) -> list[Finding]:
    """Give the findings about the record that is for this tree and image, or about the nearest one."""
    cases = [
        Case(evidence, policy, smoke, found.trees, declared, entry.record, entry.signature, found.loose)
        for entry in found.entries
        if isinstance(entry.record, SmokeRecord)
    ]
    malformed = [Finding.of(ID, e.record) for e in found.entries if isinstance(e.record, Problem)]
    ranked = sorted(((list(judged(case)), case) for case in cases), key=lambda pair: _nearness(*pair))
    if not ranked:
        return malformed or [_missing(evidence, smoke, declared)]
    findings, case = ranked[0]
    findings = findings or list(_taken_back(case, ranked[1:]))
    if findings:
        return [*findings, *malformed]
    odd = [replace(f, status=Status.WARN) for f in malformed]
    return [_passed(case), *odd]


def _taken_back(passed: Case, others: Sequence[tuple[list[Finding], Case]]) -> Iterator[Finding]:
    """Say where a run of the same tree, in the same image, on the same kind of device, failed after one had passed.

    Only a record counts that a key of ``[smoke] signers`` vouches for and that has no other fault than to have failed.
    """
    for findings, other in others:
        reasons = {f.reason for f in findings}
        later = other.record.finished >= passed.record.finished
        if not later or "failed" not in reasons or not reasons <= _OF_A_FAILED_RUN:
            continue
        for found in findings:
            words = f"{found.message}; it ended after the one that passed, {shown(passed.record.path)}"
            if found.reason == "failed":
                yield replace(found, message=words)
            elif found.status is Status.ERROR:
                yield found  # who signed the failed one is not known


def _nearness(findings: Sequence[Finding], case: Case) -> tuple[bool, bool, int, float, str]:
    """Give the sort key that puts the record for this tree and image first, then the one with least wrong."""
    reasons = {f.reason for f in findings}
    finished = case.record.finished.timestamp()
    return ("wrong-tree" in reasons, "wrong-image" in reasons, len(findings), -finished, case.record.path)


def _missing(evidence: Evidence, smoke: SmokePolicy, declared: DeclaredImage | None) -> Finding:
    image = declared.reference if declared else None
    return Finding(
        ID,
        Status.FAIL,
        "missing",
        f"there is no smoke record in {shown(smoke.directory)}/ of the tagged tree",
        got="no record",
        expected=f"a record of a run in {shown(str(image))}" if image else "a record of a run",
        fix=rerun(image, smoke, evidence),
        location=evidence.at(smoke.directory),
    )


_HOW: Final[Mapping[str, str]] = {
    "full": "passed",
    "quick": "passed the quick checks",
    "facts": "passed its command, with no framework tried,",
}


def _passed(case: Case) -> Finding:
    record, facts = case.record, case.signature
    key = key_of(case.policy, case.smoke, facts) if isinstance(facts, SignatureFacts) else None
    if key is None:  # no finding, and yet nobody who vouches: that must never pass
        return undecided("nobody vouches for the record", REPORT)
    devices = f"{record.devices} {record.device} device{'s' if record.devices != 1 else ''}"
    image = f"in {shown(str(record.image))}" if record.image else "on the bare machine"
    words = f"{_HOW[record.mode]} {image} on {devices}, {record.finished:%Y-%m-%d %H:%M} UTC, signed by {key[0]}"
    tail = f"; digest by {record.digest_source}"
    if case.declared is None:
        tail = "; the policy names no image, so none was compared"
    found = Finding.passed(ID, words + tail, case.evidence.at(record.path))
    return replace(found, signer=key[0], fingerprint=key[1].fingerprint)
