"""A key that the policy names for this tag signed it, and that key was good when it did."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Final, NamedTuple

from ptguard.checks.annotated import retag
from ptguard.model import (
    Evidence,
    Finding,
    KeyStatus,
    Mode,
    OpenPgpKey,
    Policy,
    Problem,
    SignatureFacts,
    Signer,
    SshKey,
    Status,
    TagObject,
    TagRule,
)
from ptguard.text import sh, shown
from ptguard.value import replace

ID: Final = "signature"
ORDER: Final = 20
REASONS: Final[Mapping[str, str]] = {
    "ok": "a good signature by a signer of the rule, with a key that was good",
    "unsigned": "the tag has no signature",
    "malformed": "the signature block, or the tag that holds it, is not well formed",
    "unsupported-kind": "the signature is of a kind that is not verified: x509 or Sigstore",
    "several-signatures": "more than one signature, in one block or in several",
    "trailing-data": "something stands after the signature, which does not cover it",
    "bad-signature": "the signature does not fit the tag",
    "wrong-namespace": "the SSH signature was made for another purpose",
    "certificate": "the SSH signature was made with a certificate",
    "unknown-signer": "the key that signed is not in the policy",
    "signer-not-allowed": "the signer is in the policy, but not for tags of this pattern",
    "compromised-key": "the policy says that the key is compromised",
    "revoked-key": "the key has been revoked",
    "expired-key": "the key has expired (in history: had expired when it signed)",
    "outside-window": "signed outside the key's window, with a retired key, or by a signature that has expired",
    "weak-digest": "the signature is made over a digest that the policy does not allow",
    "future": "the signature or the tagger's time is in the future",
    "too-old": "the signature is older than max-tag-age (a warning for a tag that the remote has already)",
    "key-unavailable": "the verifier here cannot use the policy's key that signed",
    "not-applicable": "the push deletes the tag",
    "could-not-decide": "the signature could not be verified here",
}
_KINDS = {"x509": "an x509 signature (gpgsm)", "sigstore": "a Sigstore signature (gitsign)"}


class _Case(NamedTuple):
    """One good signature with whose it is."""

    evidence: Evidence
    policy: Policy
    rule: TagRule
    tag: TagObject
    facts: SignatureFacts
    signer: Signer
    key: OpenPgpKey | SshKey

    @property
    def moments(self) -> Sequence[datetime]:
        """When it was signed, as far as anyone says: an SSH signature carries no time, so there the tagger's counts.

        In history also when a server first saw it: it was signed by then, and whoever dates it back gains nothing.
        """
        made, seen = self.facts.made_at, self.seen
        claimed = (self.tag.tagger.when,) if made is None else (made, self.tag.tagger.when)
        return claimed if seen is None else (*claimed, seen)

    @property
    def seen(self) -> datetime | None:
        return self.evidence.seen if self.evidence.mode.history else None

    @property
    def key_words(self) -> str:
        return f"{self.facts.kind} {self.facts.fingerprint}"

    def finding(
        self,
        reason: str,
        message: str,
        got: str,
        expected: str | None,
        *,
        status: Status = Status.FAIL,
        fix: str | None = None,
    ) -> Finding:
        """Give a finding that names the signer; the usual way to mend it is to sign anew."""
        fix = fix or retag(self.evidence) if status is Status.FAIL else None
        return Finding(ID, status, reason, message, got, expected, fix, None, self.signer.id, self.facts.fingerprint)


def check(evidence: Evidence, policy: Policy) -> Sequence[Finding]:
    """Judge who signed, with which key, and when.

    At a push the key must be good now; in history it must have been good when it signed, and when that was is the
    signer's own claim.
    """
    tag, facts = evidence.tag, evidence.signature
    early = _before(evidence)
    if early is not None:
        return [early]
    if evidence.match is None or not isinstance(tag, TagObject) or facts is None:
        return [_undecided("the signature was not verified")]
    rule = evidence.match.rule
    if isinstance(facts, Problem):
        return [_refused(evidence, rule, facts)]
    owner = _owner(policy, rule, facts)
    if owner is None:
        words = f"signed by {facts.kind} {facts.fingerprint}, which the policy does not know"
        return [_refused(evidence, rule, Problem("unknown-signer", words, f"{facts.kind} {facts.fingerprint}"))]
    case = _Case(evidence, policy, rule, tag, facts, *owner)
    if facts.kind == "openpgp" and facts.made_at is None:
        return [_undecided("the OpenPGP signature was given no time")]
    found = [*_who(case), *_key(case), *_when(case)]
    return found if any(f.refuses for f in found) else [_passed(case), *found]


def _undecided(message: str) -> Finding:
    return Finding(ID, Status.ERROR, "could-not-decide", message)


def _before(evidence: Evidence) -> Finding | None:
    """Give the finding where there is no signature that could have been verified."""
    tag = evidence.tag
    if evidence.update.deletion:
        return Finding(ID, Status.SKIP, "not-applicable", "the push deletes the tag")
    if evidence.object_type is None:
        return _undecided("the pushed object is not here")
    if evidence.object_type != "tag":
        return _unsigned(evidence, "a lightweight tag cannot carry a signature")
    if isinstance(tag, Problem):
        if tag.status is Status.ERROR:
            return _undecided(tag.message)
        words = "the tag object is not well formed, so no signature in it counts"
        return Finding(ID, Status.FAIL, "malformed", words, tag.message, "a well-formed signed tag", retag(evidence))
    if tag is None:
        return _undecided("the tag object was not read")
    if tag.signature is None:
        return _unsigned(evidence, "the tag is annotated but not signed: git tag -a does not sign")
    if isinstance(tag.signature, Problem):
        return Finding.of(ID, replace(tag.signature, fix=tag.signature.fix or retag(evidence)))
    words = _KINDS.get(tag.signature.kind, "")
    if words:
        message, expected = f"{words} is not verified by ptguard", "an OpenPGP or an SSH signature"
        return Finding(ID, Status.FAIL, "unsupported-kind", message, words, expected, retag(evidence))
    return None


def _unsigned(evidence: Evidence, message: str) -> Finding:
    return Finding(ID, Status.FAIL, "unsigned", message, "no signature", "a signed tag", retag(evidence))


def _refused(evidence: Evidence, rule: TagRule, problem: Problem) -> Finding:
    """Give the verifier's problem with what it lacks: who may sign, and the command that mends it."""
    expected = problem.expected
    if problem.reason == "unknown-signer":
        expected = f"a key of {_names(rule)}"
    fix = problem.fix if problem.status is Status.ERROR else problem.fix or retag(evidence)
    return Finding.of(ID, replace(problem, expected=expected, fix=fix))


def _names(rule: TagRule) -> str:
    return " or ".join(rule.signers) or "nobody: signers of the rule is empty"


def _owner(policy: Policy, rule: TagRule, facts: SignatureFacts) -> tuple[Signer, OpenPgpKey | SshKey] | None:
    """Give whose key it is; were it in the policy twice, the entry that says least for it."""
    kind = {"openpgp": OpenPgpKey, "ssh": SshKey}.get(facts.kind)
    owners = [
        (signer, key)
        for signer in policy.signers.values()
        for key in signer.keys
        if kind is not None and isinstance(key, kind) and key.fingerprint == facts.fingerprint
    ]
    order = [KeyStatus.COMPROMISED, KeyStatus.RETIRED, KeyStatus.ACTIVE]
    return min(owners, key=lambda o: (order.index(o[1].status), o[0].id in rule.signers), default=None)


def _who(case: _Case) -> Iterator[Finding]:
    if case.signer.id not in case.rule.signers:
        words = f"signed by {case.signer.id}, who may not sign tags like {case.rule.pattern}"
        yield case.finding("signer-not-allowed", words, case.signer.id, _names(case.rule))


def _key(case: _Case) -> Iterator[Finding]:
    """Judge the key by what the policy says of it, and by its own expiry."""
    key, facts, history = case.key, case.facts, case.evidence.mode.history
    whose = f"the key of {case.signer.id}"
    if key.status is KeyStatus.COMPROMISED:
        words = f"{whose} is compromised: nothing that it ever signed counts"
        yield case.finding("compromised-key", words, case.key_words, "an active key")
        return
    if key.status is KeyStatus.RETIRED and not history:
        words = f"{whose} is retired: it keeps what it signed but signs nothing new"
        yield case.finding("outside-window", words, case.key_words, "an active key")
    elif (moment := _outside(case)) is not None:
        window = f"from {_date(key.valid_from)} until {_date(key.valid_until)}"
        yield case.finding("outside-window", f"{whose} does not count at that time", moment.isoformat(), window)
    expired = facts.expired_at
    if expired is not None and not history:
        words = f"{whose} has expired, by the policy's copy of it"
        yield case.finding(
            "expired-key", words, expired.isoformat(), "a key that is good now", fix=_prolonged(key, facts)
        )
    elif expired is not None and (late := max(case.moments)) >= expired:
        when = "the server first saw the tag" if late == case.seen else "it signed"
        words = f"{whose} had expired when {when}, by the policy's copy of it"
        until = f"before {expired.isoformat()}"
        yield case.finding("expired-key", words, late.isoformat(), until, fix=_prolonged(key, facts))


def _prolonged(key: OpenPgpKey | SshKey, facts: SignatureFacts) -> str | None:
    """Give the commands that bring a key that lives on into the policy, where it is the policy's copy that is old."""
    if not isinstance(key, OpenPgpKey):
        return None
    which = [() if ending == key.fingerprint else (ending,) for ending in facts.ending or (key.fingerprint,)]
    prolong = "; ".join(sh("gpg", "--quick-set-expire", key.fingerprint, "1y", *subkey) for subkey in which)
    export = sh("gpg", "--armor", "--export", key.fingerprint)
    return f"{prolong}; {export} > {sh(f'.ptguard/{key.file}')}   # on the policy's branch; or sign with another key"


def _outside(case: _Case) -> datetime | None:
    """Give the first time that is not in the key's window; at a push the time now must be in it too."""
    now: tuple[datetime, ...] = () if case.evidence.mode.history else (case.evidence.now,)
    start, end = case.key.valid_from, case.key.valid_until
    for moment in (*case.moments, *now):
        if (start is not None and moment < start) or (end is not None and moment >= end):
            return moment
    return None


def _date(moment: datetime | None) -> str:
    return moment.isoformat() if moment else "ever"


def _when(case: _Case) -> Iterator[Finding]:
    """Judge digest and age against ``[limits]``."""
    limits, now = case.policy.limits, case.evidence.now
    history = case.evidence.mode.history
    if not limits.permits(case.facts.digest, history=history):
        digest = shown(case.facts.digest, 40) or "an unknown digest"
        words = f"the signature is made over {digest}"
        permitted = (digest for digest in limits.digests if limits.permits(digest, history=history))
        yield case.finding("weak-digest", words, digest, " or ".join(permitted))
    latest, earliest = max(case.moments), min(case.moments)
    if latest > now + limits.max_clock_skew:
        words = (
            "the signature is from the future" if latest == case.facts.made_at else "the tagger's time is in the future"
        )
        yield case.finding(
            "future", words, latest.isoformat(), f"at most {limits.max_clock_skew} after {now.isoformat()}"
        )
    if not history and now - earliest > limits.max_tag_age:
        stands = case.evidence.mode is Mode.VERIFY and _on_the_remote(case.evidence)
        words = "the tag is older than a new tag may be" + (", but the remote has it already" if stands else "")
        status = Status.WARN if stands else Status.FAIL
        yield case.finding("too-old", words, earliest.isoformat(), f"at most {limits.max_tag_age} ago", status=status)


def _on_the_remote(evidence: Evidence) -> bool:
    update = evidence.update
    return update.local_oid is not None and evidence.remote.tags.get(update.remote_ref) == update.local_oid


def _passed(case: _Case) -> Finding:
    message = f"signed by {case.signer.id} ({case.key_words})"
    if case.evidence.mode.history:
        clock = "tagger's" if case.facts.made_at is None else "signer's"
        message += f" on {case.moments[0].date().isoformat()}: valid by the {clock} own clock"
        if case.seen is not None:
            message += f"; a server has seen it since {case.seen.date().isoformat()}"
    return replace(Finding.passed(ID, message), signer=case.signer.id, fingerprint=case.facts.fingerprint)
