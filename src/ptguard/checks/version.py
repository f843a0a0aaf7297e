"""The version that the tagged code declares is the tag's, and releases go upward."""

from collections.abc import Mapping, Sequence
from typing import Final

from ptguard import pep440
from ptguard.anew import made_anew
from ptguard.model import (
    DeclaredVersion,
    Evidence,
    Finding,
    Location,
    Policy,
    Problem,
    RuleMatch,
    Status,
    VersionEvidence,
)
from ptguard.text import sh, shown
from ptguard.value import replace

ID: Final = "version"
ORDER: Final = 50
REASONS: Final[Mapping[str, str]] = {
    "ok": "the code declares the tag's version",
    "not-applicable": "the policy names no source of the version, or the tag no commit",
    "dynamic": "the version is computed when the package is built, so it is not in the tree",
    "no-source": "the file that declares the version is missing, or declares none",
    "unreadable": "the file that declares the version cannot be read",
    "not-pep440": "the tag's version, or the one that the code declares, is no version under PEP 440",
    "conflict": "two places declare different versions",
    "mismatch": "the code declares another version than the tag's",
    "not-newer": "an earlier commit has a tag of the same rule with an equal or higher version",
    "could-not-decide": "the version was not collected or could not be read",
}


def check(evidence: Evidence, policy: Policy) -> Sequence[Finding]:
    """Judge what the code declares against the tag, and the tag against the releases before it."""
    found, match = evidence.version, evidence.match
    if evidence.commit is None:
        return [Finding(ID, Status.SKIP, "not-applicable", "the tag names no commit")]
    if found is None or match is None:
        return [Finding(ID, Status.ERROR, "could-not-decide", "the version was not collected")]
    if isinstance(found, Problem):
        return [Finding.of(ID, found)]
    tag_wrong = _tag_version(evidence, match)
    declared = _declared(evidence, policy, found, match)
    findings = [*tag_wrong, *declared, *_order(evidence, found, match)]
    refused = any(f.refuses for f in findings)
    return [f for f in findings if f.status is not Status.PASS] if refused else findings


def _tag_version(evidence: Evidence, match: RuleMatch) -> list[Finding]:
    if pep440.parse(match.version) is not None:
        return []
    version = shown(match.version, 80) or "nothing"
    return [
        _fail(
            "not-pep440",
            f"the version in {shown(evidence.name)} is none under PEP 440",
            f"{version}, by the pattern {shown(match.rule.pattern)}",
            "a version such as 2.9.0 or 2.9.0rc1",
            f"{sh('git', 'tag', '-d', evidence.name)}, then tag a version; or leave version out of the rule's checks",
        )
    ]


def _declared(evidence: Evidence, policy: Policy, found: VersionEvidence, match: RuleMatch) -> list[Finding]:
    """Judge the sources; a dynamic one does not free the others."""
    if not found.declared:
        if policy.version_sources == ("none",):
            return [Finding(ID, Status.SKIP, "not-applicable", 'the policy has sources = ["none"]')]
        add = 'name what declares it under [version] sources in .ptguard/policy.toml, or sources = ["none"]'
        return [_fail("no-source", "nothing declares the version", "no source", "at least one source", add)]
    findings = [_unread(evidence, p, match) for p in found.declared if isinstance(p, Problem)]
    known = [d for d in found.declared if isinstance(d, DeclaredVersion)]
    fixed = [d for d in known if d.value is not None]
    findings.extend(_odd(evidence, d, match) for d in fixed if pep440.parse(d.value or "") is None)
    fixed = [d for d in fixed if pep440.parse(d.value or "") is not None]
    if any(not pep440.same(d.value or "", fixed[0].value or "") for d in fixed):
        findings.append(_conflict(evidence, fixed, match))
    elif fixed and pep440.parse(match.version) is not None:
        findings.append(_compared(evidence, policy, fixed[0], match))
    findings.extend(
        Finding(ID, Status.SKIP, "dynamic", f"{_at(d.location)} computes the version when the package is built",
                location=d.location)
        for d in known if d.value is None
    )  # fmt: skip
    return findings


def _unread(evidence: Evidence, problem: Problem, match: RuleMatch) -> Finding:
    """Give the finding of a source that declares nothing, with a way out."""
    finding = Finding.of(ID, problem)
    if finding.fix is not None or problem.status is not Status.FAIL or problem.location is None:
        return finding
    return replace(
        finding,
        got=problem.got or f"no file {shown(problem.location.path)}",
        expected=problem.expected or f"{shown(match.version, 80)} there",
        fix=_edit(evidence, DeclaredVersion(None, problem.location), match),
    )


def _odd(evidence: Evidence, declared: DeclaredVersion, match: RuleMatch) -> Finding:
    return _fail(
        "not-pep440",
        f"{_at(declared.location)} declares what is no version under PEP 440",
        shown(declared.value or "nothing", 80),
        shown(match.version, 80),
        _edit(evidence, declared, match),
        location=declared.location,
    )


def _conflict(evidence: Evidence, fixed: list[DeclaredVersion], match: RuleMatch) -> Finding:
    got = ", ".join(f"{shown(d.value or '', 80)} in {_at(d.location)}" for d in fixed)
    off = next((d for d in fixed if not pep440.same(d.value or "", match.version)), fixed[-1])
    return _fail(
        "conflict",
        "the sources declare different versions",
        got,
        f"{shown(match.version, 80)} in each",
        _edit(evidence, off, match),
        location=off.location,
    )


def _compared(evidence: Evidence, policy: Policy, declared: DeclaredVersion, match: RuleMatch) -> Finding:
    value, base = declared.value or "", pep440.base(match.version)
    if pep440.same(value, match.version):
        return Finding.passed(ID, f"{_at(declared.location)} declares {shown(value, 80)}", declared.location)
    if policy.candidates == "base" and base is not None and pep440.same(value, str(base)):
        words = f"{_at(declared.location)} declares {shown(value, 80)}, which {shown(evidence.name)} leads to"
        return Finding.passed(ID, words, declared.location)
    return _fail(
        "mismatch",
        f"{_at(declared.location)} declares another version than {shown(evidence.name)}",
        shown(value, 80),
        shown(match.version, 80),
        _edit(evidence, declared, match),
        location=declared.location,
    )


def _order(evidence: Evidence, found: VersionEvidence, match: RuleMatch) -> list[Finding]:
    """Refuse what goes backward; a later release of an older line, on a branch of its own, does not."""
    if not found.higher:
        return []
    some = ", ".join(shown(name, 80) for name in found.higher[:3]) + (", …" if len(found.higher) > 3 else "")
    way = "raise the version, commit and tag that; or tag a commit of a branch of its own"
    return [
        _fail(
            "not-newer",
            f"{shown(evidence.name)} is not newer than what its history already has",
            f"{some} on an earlier commit",
            f"a version above every one of {shown(match.rule.pattern)} there",
            f"{sh('git', 'tag', '-d', evidence.name)}, then {way}",
        )
    ]


def _at(location: Location) -> str:
    path = shown(location.path)
    return path if location.line is None else f"{path}:{location.line}"


def _edit(evidence: Evidence, declared: DeclaredVersion, match: RuleMatch) -> str:
    """Give the edit that makes a source say the tag's version, and the tag's next making."""
    wanted = shown(match.version.removeprefix("v"), 80)
    return f"set {wanted} in {_at(declared.location)}, commit, push the branch, then {made_anew(evidence)}"


def _fail(reason: str, message: str, got: str, *rest: str, location: Location | None = None) -> Finding:
    """Give a refusing finding; ``rest`` is what was expected and what mends it."""
    expected, fix = rest
    return Finding(ID, Status.FAIL, reason, message, got, expected, fix, location)
