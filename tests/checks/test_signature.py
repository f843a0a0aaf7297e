"""Who signed, with which key, and when: accept and refuse cases beside each other."""

import re
from datetime import datetime, timedelta
from typing import Any

import pytest

from ptguard.checks.signature import REASONS, check
from ptguard.model import (
    Evidence,
    Finding,
    KeyStatus,
    Limits,
    Mode,
    OpenPgpKey,
    Problem,
    RefUpdate,
    SignatureBlock,
    SignatureFacts,
    Signer,
    SshKey,
    Status,
    Tagger,
)
from ptguard.resources import resource
from ptguard.value import replace
from tests.build import COMMIT, NOW, OTHER, REMOTE, RULE, TAG, evidence, policy, tag_object

REF = "refs/tags/v2.9.0"
FPR, BOT = "AB" * 20, "SHA256:botbotbot"
PGP_KEY = OpenPgpKey(FPR, "keys/li-wei.asc", b"")
SSH_KEY = SshKey(BOT, "ssh-ed25519 AAAA")
FACTS = SignatureFacts("openpgp", FPR, "SHA512", NOW)
SSH_FACTS = SignatureFacts("ssh", BOT, "SHA512", None)
BLOCK, SSH_BLOCK = SignatureBlock("openpgp", b"armor"), SignatureBlock("ssh", b"armor")
HISTORY, NOW_MODES = (Mode.PUBLISHED, Mode.AUDIT), (Mode.PUSH, Mode.VERIFY)
DAY = timedelta(days=1)
FIX = f"git tag -f -s -m v2.9.0 v2.9.0 {COMMIT}"


def judged(
    key: OpenPgpKey | SshKey = PGP_KEY,
    facts: SignatureFacts | Problem | None = FACTS,
    *,
    tagged: datetime = NOW,
    signers: tuple[str, ...] = ("li-wei",),
    limits: Limits | None = None,
    **changes: object,
) -> list[Finding]:
    block = BLOCK if isinstance(key, OpenPgpKey) else SSH_BLOCK
    tag = tag_object(signature=block, tagger=Tagger("Li Wei", "li.wei@example.com", tagged))
    base = evidence(signature=facts, tag=tag)
    assert base.match is not None
    match = replace(base.match, rule=replace(RULE, signers=signers))
    who = {"li-wei": Signer("li-wei", "Li Wei", (key,)), "eve": Signer("eve", "Eve", ())}
    return findings(replace(base, **{"match": match, **changes}), who, limits)


def findings(judge: Evidence, signers: dict[str, Signer] | None = None, limits: Limits | None = None) -> list[Finding]:
    found = list(check(judge, policy(signers=signers or {}, limits=limits or Limits())))
    assert found
    assert {f.reason for f in found} <= set(REASONS)
    assert {f.check for f in found} == {"signature"}
    return found


def reasons(found: list[Finding]) -> list[str]:
    return [f.reason for f in found]


# ---------------------------------------------------------------------------------- who


@pytest.mark.parametrize("mode", list(Mode))
@pytest.mark.parametrize(("key", "facts"), [(PGP_KEY, FACTS), (SSH_KEY, SSH_FACTS)])
def test_a_good_signature_of_a_signer_of_the_rule_passes(
    key: OpenPgpKey | SshKey, facts: SignatureFacts, mode: Mode
) -> None:
    (found,) = judged(key, facts, mode=mode)
    assert (found.status, found.reason) == (Status.PASS, "ok")
    assert (found.signer, found.fingerprint) == ("li-wei", facts.fingerprint)
    assert found.message.startswith(f"signed by li-wei ({facts.kind} {facts.fingerprint})")
    whose = "signer's" if facts.made_at else "tagger's"
    assert (f"valid by the {whose} own clock" in found.message) == mode.history


def test_a_signer_for_other_tags_is_refused_and_told_who_may() -> None:
    (found,) = judged(signers=("release-bot", "eve"))
    assert (found.status, found.reason) == (Status.FAIL, "signer-not-allowed")
    assert (found.got, found.expected) == ("li-wei", "release-bot or eve")
    assert (found.signer, found.fingerprint, found.fix) == ("li-wei", FPR, FIX)
    assert "nobody" in str(judged(signers=())[0].expected)


@pytest.mark.parametrize(
    "facts",
    [replace(FACTS, fingerprint="CD" * 20), replace(FACTS, fingerprint=FPR[-16:]), replace(FACTS, fingerprint="")],
)
def test_a_key_that_the_policy_does_not_know_is_refused(facts: SignatureFacts) -> None:
    (found,) = judged(facts=facts)
    assert (found.status, found.reason, found.expected, found.fix) == (
        Status.FAIL,
        "unknown-signer",
        "a key of li-wei",
        FIX,
    )
    assert reasons(findings(evidence(signature=facts, tag=tag_object(signature=BLOCK)))) == ["unknown-signer"]


def test_a_fingerprint_counts_only_with_its_kind() -> None:
    assert reasons(judged(PGP_KEY, SignatureFacts("ssh", FPR, "SHA512", None))) == ["unknown-signer"]
    assert reasons(judged(SSH_KEY, SignatureFacts("openpgp", BOT, "SHA512", NOW))) == ["unknown-signer"]
    assert reasons(judged(PGP_KEY, SignatureFacts("x509", FPR, "SHA512", NOW))) == ["unknown-signer"]


def test_a_key_that_stands_twice_counts_by_the_worse_entry() -> None:
    bad = replace(PGP_KEY, status=KeyStatus.COMPROMISED)
    who = {"li-wei": Signer("li-wei", "", (PGP_KEY,)), "eve": Signer("eve", "", (bad,))}
    judge = evidence(signature=FACTS, tag=tag_object(signature=BLOCK))
    assert "compromised-key" in reasons(findings(judge, who))
    assert "compromised-key" in reasons(findings(judge, dict(reversed(who.items()))))


# ---------------------------------------------------------------------------------- the key


@pytest.mark.parametrize("mode", list(Mode))
def test_a_compromised_key_loses_everything(mode: Mode) -> None:
    (found,) = judged(replace(PGP_KEY, status=KeyStatus.COMPROMISED), mode=mode)
    assert (found.status, found.reason) == (Status.FAIL, "compromised-key")


def test_a_retired_key_keeps_what_it_signed_in_its_window() -> None:
    retired = replace(PGP_KEY, status=KeyStatus.RETIRED, valid_until=NOW - DAY)
    old = NOW - 2 * DAY
    facts = replace(FACTS, made_at=old)
    for mode in HISTORY:
        assert reasons(judged(retired, facts, tagged=old, mode=mode)) == ["ok"]
        assert reasons(judged(retired, FACTS, mode=mode)) == ["outside-window"]
        assert reasons(judged(replace(retired, valid_until=None), FACTS, mode=mode)) == ["ok"]
    for mode in NOW_MODES:
        (found,) = judged(retired, facts, tagged=old, mode=mode)
        assert (found.reason, "retired" in found.message) == ("outside-window", True)


@pytest.mark.parametrize("mode", list(Mode))
@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        (None, None, "ok"),
        (NOW, None, "ok"),
        (NOW + timedelta(seconds=1), None, "outside-window"),
        (None, NOW, "outside-window"),
        (None, NOW + timedelta(seconds=1), "ok"),
        (NOW - DAY, NOW + DAY, "ok"),
    ],
)
def test_the_window_is_from_inclusive_until_exclusive(
    start: datetime | None, end: datetime | None, expected: str, mode: Mode
) -> None:
    assert reasons(judged(replace(PGP_KEY, valid_from=start, valid_until=end), mode=mode)) == [expected]
    ssh = replace(SSH_KEY, valid_from=start, valid_until=end)
    assert reasons(judged(ssh, SSH_FACTS, mode=mode)) == [expected]


@pytest.mark.parametrize(("made", "tagged"), [(NOW, NOW - 3 * DAY), (NOW - 3 * DAY, NOW)])
@pytest.mark.parametrize("mode", HISTORY)
def test_both_the_signature_s_and_the_tagger_s_time_must_be_in_the_window(
    made: datetime, tagged: datetime, mode: Mode
) -> None:
    facts = replace(FACTS, made_at=made)
    assert reasons(judged(replace(PGP_KEY, valid_from=NOW - DAY), facts, tagged=tagged, mode=mode)) == [
        "outside-window"
    ]
    assert reasons(judged(replace(PGP_KEY, valid_from=NOW - 3 * DAY), facts, tagged=tagged, mode=mode)) == ["ok"]


def test_at_a_push_the_window_must_not_be_over_even_if_it_signed_before() -> None:
    key = replace(PGP_KEY, valid_until=NOW - DAY)
    facts, old = replace(FACTS, made_at=NOW - 2 * DAY), NOW - 2 * DAY
    assert reasons(judged(key, facts, tagged=old)) == ["outside-window"]
    assert reasons(judged(key, facts, tagged=old, mode=Mode.AUDIT)) == ["ok"]


@pytest.mark.parametrize(
    ("expired", "history"),
    [(NOW - DAY, "expired-key"), (NOW, "expired-key"), (NOW + timedelta(seconds=1), "ok")],
)
def test_an_expired_key_counts_only_in_history_and_before_its_end(expired: datetime, history: str) -> None:
    facts = replace(FACTS, expired_at=expired)
    for mode in HISTORY:
        assert reasons(judged(facts=facts, mode=mode)) == [history]
    for mode in NOW_MODES:
        assert reasons(judged(facts=facts, mode=mode)) == ["expired-key"]


def test_a_tagger_s_time_after_the_expiry_is_refused_too() -> None:
    facts = replace(FACTS, made_at=NOW - 3 * DAY, expired_at=NOW - DAY)
    assert reasons(judged(facts=facts, tagged=NOW, mode=Mode.AUDIT)) == ["expired-key"]
    assert reasons(judged(facts=facts, tagged=NOW - 2 * DAY, mode=Mode.AUDIT)) == ["ok"]


# ---------------------------------------------------------------------------------- digest and age


@pytest.mark.parametrize(
    ("digest", "expected"),
    [("SHA256", "ok"), ("SHA384", "ok"), ("SHA1", "weak-digest"), ("MD5", "weak-digest"), ("", "weak-digest")],
)
@pytest.mark.parametrize("mode", list(Mode))
def test_only_the_policy_s_digests_count(digest: str, expected: str, mode: Mode) -> None:
    assert reasons(judged(facts=replace(FACTS, digest=digest), mode=mode)) == [expected]


@pytest.mark.parametrize("mode", list(Mode))
def test_sha1_counts_in_history_alone_and_only_where_the_policy_says_so(mode: Mode) -> None:
    limits = Limits(digests=("SHA512", "SHA1"))
    found = judged(facts=replace(FACTS, digest="SHA1"), limits=limits, mode=mode)
    assert reasons(found) == (["ok"] if mode.history else ["weak-digest"])
    assert mode.history or found[0].expected == "SHA512"


def test_the_policy_may_ask_for_more() -> None:
    assert reasons(judged(facts=replace(FACTS, digest="SHA256"), limits=Limits(digests=("SHA512",)))) == ["weak-digest"]


@pytest.mark.parametrize("mode", list(Mode))
@pytest.mark.parametrize(("ahead", "expected"), [(timedelta(minutes=10), "ok"), (timedelta(minutes=11), "future")])
def test_the_future_is_refused_beyond_the_skew(ahead: timedelta, expected: str, mode: Mode) -> None:
    later = NOW + ahead
    assert reasons(judged(facts=replace(FACTS, made_at=later), mode=mode)) == [expected]
    assert reasons(judged(tagged=later, mode=mode)) == [expected]
    assert reasons(judged(SSH_KEY, SSH_FACTS, tagged=later, mode=mode)) == [expected]


@pytest.mark.parametrize(("age", "expected"), [(7 * DAY, "ok"), (7 * DAY + timedelta(seconds=1), "too-old")])
def test_an_old_tag_is_refused_at_a_push(age: timedelta, expected: str) -> None:
    old = NOW - age
    for mode in NOW_MODES:
        assert reasons(judged(facts=replace(FACTS, made_at=old), mode=mode)) == [expected]
        assert reasons(judged(tagged=old, mode=mode)) == [expected]
        assert reasons(judged(SSH_KEY, SSH_FACTS, tagged=old, mode=mode)) == [expected]
    for mode in HISTORY:
        assert reasons(judged(tagged=old, mode=mode)) == ["ok"]


def test_an_old_tag_that_the_remote_has_is_a_warning_to_verify_only() -> None:
    here = replace(REMOTE, tags={REF: TAG})
    passed, warned = judged(tagged=NOW - 8 * DAY, mode=Mode.VERIFY, remote=here)
    assert (passed.status, passed.reason) == (Status.PASS, "ok")
    assert (warned.status, warned.reason, warned.fix) == (Status.WARN, "too-old", None)
    (other,) = judged(tagged=NOW - 8 * DAY, mode=Mode.VERIFY, remote=replace(REMOTE, tags={REF: OTHER}))
    assert other.status is Status.FAIL
    (pushed,) = judged(tagged=NOW - 8 * DAY, mode=Mode.PUSH, remote=here)
    assert pushed.status is Status.FAIL


def test_everything_that_is_wrong_is_said_at_once() -> None:
    facts = replace(FACTS, digest="SHA1", made_at=NOW - 9 * DAY, expired_at=NOW - DAY)
    key = replace(PGP_KEY, valid_until=NOW - DAY)
    found = judged(key, facts, tagged=NOW + DAY, signers=("eve",))
    assert reasons(found) == [
        "signer-not-allowed",
        "outside-window",
        "expired-key",
        "weak-digest",
        "future",
        "too-old",
    ]
    assert all(f.refuses and f.got and f.expected and f.fix for f in found)


# ---------------------------------------------------------------------------------- no signature to judge


@pytest.mark.parametrize("kind", ["commit", "tree"])
def test_a_lightweight_tag_is_unsigned(kind: str) -> None:
    (found,) = findings(evidence(object_type=kind, tag=None))
    assert (found.status, found.reason, found.fix) == (Status.FAIL, "unsigned", FIX)
    assert "lightweight" in found.message


def test_an_annotated_tag_without_signature_is_unsigned() -> None:
    (found,) = findings(evidence())
    assert (found.status, found.reason, found.fix) == (Status.FAIL, "unsigned", FIX)
    assert "git tag -a does not sign" in found.message


@pytest.mark.parametrize(("kind", "word"), [("x509", "x509"), ("sigstore", "Sigstore")])
def test_other_kinds_are_named(kind: str, word: str) -> None:
    block = SignatureBlock("x509" if kind == "x509" else "sigstore", b"armor")
    (found,) = findings(evidence(tag=tag_object(signature=block)))
    assert (found.status, found.reason) == (Status.FAIL, "unsupported-kind")
    assert word in found.message


@pytest.mark.parametrize("reason", ["several-signatures", "trailing-data", "malformed"])
def test_what_the_parser_refuses_is_passed_on(reason: str) -> None:
    (found,) = findings(evidence(tag=tag_object(signature=Problem(reason, "words"))))
    assert (found.status, found.reason, found.message, found.fix) == (Status.FAIL, reason, "words", FIX)


@pytest.mark.parametrize("reason", ["bad-signature", "revoked-key", "wrong-namespace", "certificate", "weak-digest"])
def test_what_the_verifier_refuses_is_passed_on(reason: str) -> None:
    (found,) = judged(facts=Problem(reason, "words", "got", "expected"))
    assert (found.status, found.reason, found.got, found.expected, found.fix) == (
        Status.FAIL,
        reason,
        "got",
        "expected",
        FIX,
    )


def test_an_unknown_signer_is_told_whose_key_it_takes() -> None:
    (found,) = judged(facts=Problem("unknown-signer", "words"), signers=("li-wei", "eve"))
    assert found.expected == "a key of li-wei or eve"


@pytest.mark.parametrize("reason", ["could-not-decide", "key-unavailable"])
def test_what_could_not_be_verified_stays_undecided(reason: str) -> None:
    (found,) = judged(facts=Problem(reason, "no gpg", fix="apt-get install gnupg", status=Status.ERROR))
    assert (found.status, found.reason, found.fix) == (Status.ERROR, reason, "apt-get install gnupg")
    (found,) = judged(facts=Problem(reason, "no gpg", status=Status.ERROR))
    assert found.fix is None


@pytest.mark.parametrize(
    "changes",
    [
        {"object_type": None},
        {"tag": None},
        {"tag": Problem("could-not-decide", "git failed", status=Status.ERROR)},
        {"signature": None},
        {"signature": SignatureFacts("openpgp", FPR, "SHA512", None)},
        {"match": None},
    ],
)
def test_what_was_not_collected_is_no_pass(changes: dict[str, object]) -> None:
    (found,) = judged(**changes)  # type: ignore[arg-type]
    assert (found.status, found.reason) == (Status.ERROR, "could-not-decide")


def test_a_tag_that_is_not_well_formed_has_no_signature_that_counts() -> None:
    (found,) = judged(tag=Problem("injected-header", "a gpgsig header"))
    assert (found.status, found.reason, found.got) == (Status.FAIL, "malformed", "a gpgsig header")


def test_a_deletion_is_another_check_s() -> None:
    (found,) = judged(update=RefUpdate("(delete)", None, REF, TAG), object_type=None, tag=None)
    assert (found.status, found.reason) == (Status.SKIP, "not-applicable")


def test_the_page_lists_the_reasons() -> None:
    text = resource("docs/checks/signature.md").read_text(encoding="utf-8")
    assert re.findall(r"^\| `([a-z0-9-]+)` \|", text, re.MULTILINE) == list(REASONS)


def test_nothing_passes_by_default() -> None:
    assert all(f.refuses for f in judged(signers=()))
    assert all(f.refuses for f in findings(evidence(signature=FACTS, tag=tag_object(signature=BLOCK))))


# ---------------------------------------------------------------------------------- the words


PROLONG = f"gpg --quick-set-expire {FPR} 1y; gpg --armor --export {FPR} > .ptguard/keys/li-wei.asc"
ISO = NOW.isoformat()


@pytest.mark.parametrize(
    ("key", "facts", "changes", "message", "got", "expected"),
    [
        (
            PGP_KEY,
            FACTS,
            {"signers": ("eve",)},
            "signed by li-wei, who may not sign tags like v*",
            "li-wei",
            "eve",
        ),
        (
            replace(PGP_KEY, status=KeyStatus.COMPROMISED),
            FACTS,
            {},
            "the key of li-wei is compromised: nothing that it ever signed counts",
            f"openpgp {FPR}",
            "an active key",
        ),
        (
            replace(PGP_KEY, status=KeyStatus.RETIRED),
            FACTS,
            {},
            "the key of li-wei is retired: it keeps what it signed but signs nothing new",
            f"openpgp {FPR}",
            "an active key",
        ),
        (
            replace(PGP_KEY, valid_until=NOW),
            FACTS,
            {},
            "the key of li-wei does not count at that time",
            ISO,
            f"from ever until {ISO}",
        ),
        (
            PGP_KEY,
            replace(FACTS, expired_at=NOW),
            {},
            "the key of li-wei has expired, by the policy's copy of it",
            ISO,
            "a key that is good now",
        ),
        (
            PGP_KEY,
            replace(FACTS, expired_at=NOW),
            {"mode": Mode.AUDIT},
            "the key of li-wei had expired when it signed, by the policy's copy of it",
            ISO,
            f"before {ISO}",
        ),
        (
            PGP_KEY,
            replace(FACTS, digest="SHA1"),
            {},
            "the signature is made over SHA1",
            "SHA1",
            "SHA256 or SHA384 or SHA512",
        ),
        (
            PGP_KEY,
            replace(FACTS, made_at=NOW + DAY),
            {},
            "the signature is from the future",
            (NOW + DAY).isoformat(),
            f"at most 0:10:00 after {ISO}",
        ),
        (
            PGP_KEY,
            FACTS,
            {"tagged": NOW + DAY},
            "the tagger's time is in the future",
            (NOW + DAY).isoformat(),
            f"at most 0:10:00 after {ISO}",
        ),
        (
            PGP_KEY,
            FACTS,
            {"tagged": NOW - 8 * DAY},
            "the tag is older than a new tag may be",
            (NOW - 8 * DAY).isoformat(),
            "at most 7 days, 0:00:00 ago",
        ),
        (
            PGP_KEY,
            replace(FACTS, fingerprint="CD" * 20),
            {},
            f"signed by openpgp {'CD' * 20}, which the policy does not know",
            f"openpgp {'CD' * 20}",
            "a key of li-wei",
        ),
        (
            PGP_KEY,
            FACTS,
            {"tag": Problem("injected-header", "a gpgsig header")},
            "the tag object is not well formed, so no signature in it counts",
            "a gpgsig header",
            "a well-formed signed tag",
        ),
    ],
)
def test_a_refusal_says_what_was_seen(
    key: OpenPgpKey, facts: SignatureFacts, changes: dict[str, Any], message: str, got: str, expected: str
) -> None:
    (found,) = judged(key, facts, **changes)
    assert (found.message, found.got, found.expected) == (message, got, expected)
    fix = f"{PROLONG}   # on the policy's branch; or sign with another key" if found.reason == "expired-key" else FIX
    assert found.fix == fix


def test_an_old_tag_that_the_remote_has_says_so() -> None:
    _, warned = judged(tagged=NOW - 8 * DAY, mode=Mode.VERIFY, remote=replace(REMOTE, tags={REF: TAG}))
    assert warned.message == "the tag is older than a new tag may be, but the remote has it already"


def test_an_expired_ssh_key_would_have_no_export() -> None:
    """ssh-keygen gives no expiry; were there one, the words would be those of any other refusal."""
    (found,) = judged(SSH_KEY, replace(SSH_FACTS, expired_at=NOW - DAY))
    assert (found.reason, found.fix) == ("expired-key", FIX)


def test_of_two_signers_of_one_key_the_one_who_may_less_counts() -> None:
    who = {"li-wei": Signer("li-wei", "", (PGP_KEY,)), "eve": Signer("eve", "", (PGP_KEY,))}
    judge = evidence(signature=FACTS, tag=tag_object(signature=BLOCK))
    assert judge.match is not None
    judge = replace(judge, match=replace(judge.match, rule=replace(RULE, signers=("li-wei",))))
    for order in (who, dict(reversed(who.items()))):
        assert reasons(findings(judge, order)) == ["signer-not-allowed"]


def test_a_signature_by_nothing_known_is_not_decided_by_its_words() -> None:
    for kind, words in (("x509", "an x509 signature (gpgsm)"), ("sigstore", "a Sigstore signature (gitsign)")):
        block = SignatureBlock("x509" if kind == "x509" else "sigstore", b"armor")
        (found,) = findings(evidence(tag=tag_object(signature=block)))
        assert (found.message, found.got, found.fix) == (f"{words} is not verified by ptguard", words, FIX)
        assert found.expected == "an OpenPGP or an SSH signature"
