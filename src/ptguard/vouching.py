"""Whether a key, whose signature is good, may vouch for a smoke run: what the policy says of it, and when."""

from collections.abc import Iterator
from datetime import datetime
from typing import Final

from ptguard.model import KeyStatus, OpenPgpKey, Policy, Problem, SignatureFacts, SmokePolicy, SshKey

_FIX: Final = "sign with a key of one of [smoke] signers: ptguard smoke --sign KEY"


def key_of(policy: Policy, smoke: SmokePolicy, facts: SignatureFacts) -> tuple[str, OpenPgpKey | SshKey] | None:
    """Give the signer's id and the key that made the signature, those of ``[smoke] signers`` first, or None."""
    kind = OpenPgpKey if facts.kind == "openpgp" else SshKey
    order = [s for s in smoke.signers if s in policy.signers]
    for name in (*order, *(s for s in policy.signers if s not in order)):
        for key in policy.signers[name].keys:
            if isinstance(key, kind) and key.fingerprint == facts.fingerprint:
                return name, key
    return None


def objections(
    policy: Policy, smoke: SmokePolicy, facts: SignatureFacts, finished: datetime, now: datetime, *, history: bool
) -> Iterator[Problem]:
    """Give each reason why the signature does not count; none where it does.

    ``finished`` is when the run ended by its record; a key counts that was good then (and at the signature's own
    time, where it has one). A retired key keeps what it signed before ``valid-until``; at a push one without that
    date keeps nothing, for it could still be signing. With ``history`` it does. A compromised key loses everything.
    """
    shown_key = f"{facts.kind} {facts.fingerprint}"
    if not policy.limits.permits(facts.digest, history=False):
        digest = facts.digest or "an unknown digest"
        words = f"the signature is made over {digest}, which is too weak"
        yield Problem("bad-signature", words, digest, " or ".join(policy.limits.digests), _FIX)
    found = key_of(policy, smoke, facts)
    if found is None:
        words = f"the record is signed by {shown_key}, which the policy does not know"
        yield Problem("unknown-signer", words, shown_key, f"a key of {_names(smoke)}", _FIX)
        return
    name, key = found
    if name not in smoke.signers:
        words = f"the record is signed by {name}, who may not vouch for smoke runs"
        yield Problem("unknown-signer", words, f"{name} ({shown_key})", f"a key of {_names(smoke)}", _FIX)
        return
    yield from _standing(name, key, history=history)
    yield from _times(name, key, facts, finished)
    if facts.made_at is not None and facts.made_at > now + policy.limits.max_clock_skew:
        words = "the record's signature is from the future"
        yield Problem("future", words, facts.made_at.isoformat(), f"not after {now.isoformat()}", _FIX)


def _names(smoke: SmokePolicy) -> str:
    return " or ".join(smoke.signers) or "[smoke] signers, which is empty"


def _standing(name: str, key: OpenPgpKey | SshKey, *, history: bool) -> Iterator[Problem]:
    if key.status is KeyStatus.COMPROMISED:
        words = f"the record is signed by a key of {name} that the policy calls compromised"
        yield Problem("unknown-signer", words, key.fingerprint, "a key that is not compromised", _FIX)
    elif key.status is KeyStatus.RETIRED and key.valid_until is None and not history:
        words = f"the record is signed by a retired key of {name}, and the policy does not say until when it counted"
        yield Problem("unknown-signer", words, key.fingerprint, "an active key, or a valid-until for this one", _FIX)


def _times(name: str, key: OpenPgpKey | SshKey, facts: SignatureFacts, finished: datetime) -> Iterator[Problem]:
    moments = [("the run ended", finished)]
    if facts.made_at is not None:
        moments.append(("the signature was made", facts.made_at))
    for words, moment in moments:
        early = key.valid_from is not None and moment < key.valid_from
        late = key.valid_until is not None and moment >= key.valid_until
        if early or late:
            what = f"the key of {name} that signed the record did not count when {words}"
            window = f"from {_date(key.valid_from)} until {_date(key.valid_until)}"
            yield Problem("unknown-signer", what, moment.isoformat(), window, _FIX)
            return
    if facts.expired_at is not None and moments[-1][1] >= facts.expired_at:
        what = f"the key of {name} had expired when {moments[-1][0]}"
        yield Problem("unknown-signer", what, facts.expired_at.isoformat(), "a key that had not expired", _FIX)


def _date(moment: datetime | None) -> str:
    return moment.isoformat() if moment else "always"
