"""From evidence to verdict: all checks of the tag's rule, never stopping early; whatever is in doubt refuses."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from ptguard.checks import Check, discover
from ptguard.checks import immutable as immutable_check
from ptguard.errors import ExitCode
from ptguard.model import Evidence, Finding, Policy, Status, TagVerdict, Verdict, waived
from ptguard.policy import expired_waivers, waiver_for
from ptguard.text import shown

# Not a check but the policy's own word about a tag: which rule applies, whether a waiver has run out.
POLICY = "policy"
ASKED_OF_ALL = "immutable"
# What only a tag object can show.
NEED_AN_OBJECT = ("annotated", "signature")
_RULE_FOR_IT = "add a [[tags]] rule on the trust branch"


def exit_code(verdict: Verdict) -> ExitCode:
    """Give the exit code of a verdict: an error outranks a refusal (docs/reference.md)."""
    if any(tag.undecided for tag in verdict.tags):
        return ExitCode.UNDECIDED
    return ExitCode.ACCEPTED if verdict.accepted else ExitCode.REFUSED


Known = Mapping[str, Sequence[Finding]]
"""What the checks named said of this very tag under this very policy; nothing is waived in it yet."""


def judge(evidence: Evidence, policy: Policy, known: Known = MappingProxyType({})) -> TagVerdict:
    """Give the verdict on one tag under ``policy``: every check of its rule has at least one finding.

    A check in ``known``, whose evidence need not have been collected, is not run again. Only audits know anything.
    """
    return TagVerdict(
        evidence.update.remote_ref,
        evidence.name,
        evidence.update.local_oid,
        evidence.commit,
        tuple(_findings(evidence, policy, known)),
    )


def _findings(evidence: Evidence, policy: Policy, known: Known) -> list[Finding]:
    if evidence.match is None:
        return _without_rule(evidence, policy)
    asked = sorted(evidence.match.rule.checks, key=[*discover(), *evidence.match.rule.checks].index)
    if evidence.update.deletion:
        return _deletion(evidence, policy, asked)
    said = (finding for name in asked for finding in known.get(name) or run_check(name, evidence, policy))
    findings = [_in_words(evidence, policy, finding) for finding in said]
    if ASKED_OF_ALL not in asked:
        findings += _name_findings(evidence)
    return findings + _expired(evidence, policy, findings)


def _without_rule(evidence: Evidence, policy: Policy) -> list[Finding]:
    """Say what the policy wants of a tag that no pattern matches; its name is looked at all the same."""
    patterns = ", ".join(rule.pattern for rule in policy.rules)
    words = f"no [[tags]] pattern of the policy matches {shown(evidence.name)}"
    if policy.unmatched != "refuse":
        status = Status.WARN if policy.unmatched == "warn" else Status.PASS
        reason = "unmatched" if status is Status.WARN else "ok"
        return [Finding(POLICY, status, reason, f"{words}; the policy lets it through"), *_name_findings(evidence)]
    return [
        Finding(
            POLICY,
            Status.FAIL,
            "unmatched",
            words,
            got=evidence.name,
            expected=f"a name that matches one of: {patterns}",
            fix=_RULE_FOR_IT
            if evidence.update.deletion
            else f"push the wanted tag by name instead of --tags, or {_RULE_FOR_IT}",
        ),
        *_name_findings(evidence),
    ]


def _name_findings(evidence: Evidence) -> list[Finding]:
    """Give what is wrong with the bare name of a tag whose rule does not ask for `immutable`."""
    return [f for f in immutable_check.name_findings(evidence) if f.refuses]


def _deletion(evidence: Evidence, policy: Policy, asked: Sequence[str]) -> list[Finding]:
    findings: list[Finding] = []
    for name in asked:
        if name == ASKED_OF_ALL:
            findings += run_check(name, evidence, policy)
        else:
            findings.append(Finding(name, Status.SKIP, "not-applicable", "a deletion has nothing to judge here"))
    if ASKED_OF_ALL not in asked:
        rule = evidence.match.rule.pattern if evidence.match else ""
        findings.append(Finding.passed(POLICY, f"the rule {rule} does not ask for immutable: its tags may be deleted"))
    return findings


def run_check(name: str, evidence: Evidence, policy: Policy) -> Sequence[Finding]:
    """Run one check; one that raises or says nothing is one that could not decide, which refuses."""
    if name not in discover():
        return (Finding(name, Status.ERROR, "could-not-decide", "there is no such check in this ptguard"),)
    check: Check = discover()[name]
    if evidence.planned and name in NEED_AN_OBJECT:
        return (Finding(name, Status.SKIP, "not-applicable", "the tag does not exist yet"),)
    try:
        findings = tuple(check.check(evidence, policy))
    except Exception as error:  # whatever breaks in a check must refuse the tag, not end the judging
        words = f"the check itself failed: {type(error).__name__}: {error}"
        return (Finding(name, Status.ERROR, "could-not-decide", words, fix="report it with the tag's `git cat-file`"),)
    if not findings or any(f.check != name for f in findings):
        return (Finding(name, Status.ERROR, "could-not-decide", "the check gave no finding of its own"),)
    return findings


def _in_words(evidence: Evidence, policy: Policy, finding: Finding) -> Finding:
    """Give the finding, waived if the policy says so and it is a refusal that can be waived (not an error)."""
    if finding.status is not Status.FAIL:
        return finding
    waiver = waiver_for(policy, evidence.name, finding.check, evidence.now)
    return waived(finding, waiver) if waiver else finding


def _expired(evidence: Evidence, policy: Policy, findings: Sequence[Finding]) -> list[Finding]:
    """Warn of a waiver that ran out, where it would have mattered."""
    refused = {f.check for f in findings if f.status is Status.FAIL}
    return [
        Finding(
            POLICY,
            Status.WARN,
            "waiver-expired",
            f"the waiver of {w.check} by {w.by} ran out on {w.expires.isoformat()} and is ignored",
        )
        for w in expired_waivers(policy, evidence.name, evidence.now)
        if w.check in refused
    ]
