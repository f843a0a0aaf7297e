"""Signatures and keys that gpg itself would never make, each judged alone and among others, and by git verify-tag."""

import subprocess
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest

from ptguard.gateways.openpgp import OpenPgp
from ptguard.model import OpenPgpKey, Problem, SignatureFacts
from ptguard.parse.openpgp import primary_fingerprints
from tests.armor import armor, packet
from tests.handmade import Key, flags, moment, subpacket
from tests.support import run

DAY = 86_400
BORN = 1_700_000_000
NOW = BORN + 400 * DAY
PAYLOAD = b"object %s\ntype commit\ntag v1\ntagger A <a@b> %d +0000\n\nRelease\n" % (b"a" * 40, NOW)
KEY, SUB, OTHER = (Key(seed, BORN) for seed in (b"key", b"sub", b"other"))
MADE = subpacket(2, moment(NOW))
EARLY = subpacket(2, moment(BORN + 3 * DAY))
SHORT = subpacket(9, moment(30 * DAY))
ISSUER = subpacket(16, KEY.id)
PLAIN = KEY.public(KEY.named(b"A", flags(3)))
OTHER_TYPES = (1, 2, 0x10, 0x13, 0x18, 0x19, 0x1F, 0x20, 0x40, 0x50)
NOTE = b"\x80\0\0\0" + b"\0\x03\0\x05" + b"a@bv\n[GN"


def signed(*hashed: bytes, beside: bytes | None = None, by: Key = KEY, kind: int = 0) -> bytes:
    return by.signature(kind, PAYLOAD, *(hashed or (MADE,)), beside=beside)


def both_ways(home: Path, material: bytes, block: bytes) -> SignatureFacts | Problem:
    prints = primary_fingerprints(material)
    assert isinstance(prints, frozenset), prints
    verifier = OpenPgp(home, [OpenPgpKey(one, "keys/a.asc", material) for one in sorted(prints)])
    alone = verifier.verify(PAYLOAD, block)
    assert verifier.verify_all([(PAYLOAD, block), (b"another", block)])[0] == alone
    return alone


def git_takes(home: Path, env: dict[str, str], material: bytes, block: bytes) -> bool:
    """Whether ``git verify-tag`` calls the tag good in a keyring of the same keys."""
    keyring = home / "keyring"
    keyring.mkdir(mode=0o700)
    told = {**env, "GNUPGHOME": str(keyring)}
    run("gpg", "--batch", "--no-autostart", "--import", env=told, stdin=material)
    run("git", "init", "-q", "--bare", home / "repo", env=env)
    store = ("git", "-C", home / "repo", "hash-object", "-t", "tag", "-w", "--stdin", "--literally")
    oid = run(*store, env=env, stdin=PAYLOAD + block).stdout.strip()
    return run("git", "-C", home / "repo", "verify-tag", oid, env=told, check=False).returncode == 0


@pytest.mark.parametrize(
    ("material", "body", "made"),
    [
        (PLAIN, signed(), NOW),
        (PLAIN, KEY.old_signature(0, PAYLOAD, NOW), NOW),
        (KEY.public(KEY.named(b"A")), signed(), NOW),
        (KEY.public(KEY.named(b"A\n[GNUPG:] BADSIG 1 x\n", flags(3))), signed(), NOW),
        (KEY.public(KEY.named(b"A", flags(1)), KEY.bound(SUB, flags(2))), signed(by=SUB), NOW),
        (PLAIN + OTHER.public(OTHER.named(b"B", flags(3))), signed(), NOW),
        (PLAIN, signed(MADE, subpacket(99, b"x")), NOW),
        (PLAIN, signed(MADE, subpacket(20, NOTE)), NOW),
        (PLAIN, signed(MADE, subpacket(26, b"x\n[GNUPG:] NEWSIG\n")), NOW),
        # What anybody can add or change without the key: a time, an end, another's name, a signature of another kind.
        (PLAIN, signed(beside=ISSUER + subpacket(2, moment(BORN + 1))), NOW),
        (PLAIN, signed(beside=ISSUER + subpacket(3, moment(1))), NOW),
        (PLAIN, signed(beside=ISSUER + subpacket(33, b"\x04" + OTHER.fingerprint)), NOW),
        (PLAIN, signed(beside=ISSUER + subpacket(32, KEY.signature(0x19, KEY.hashed, MADE))), NOW),
    ],
    ids=lambda value: "x" if isinstance(value, bytes) else None,
)  # fmt: skip
def test_what_counts_here_counts_for_git_too(
    tmp_path: Path, env: dict[str, str], material: bytes, body: bytes, made: int
) -> None:
    block = armor(packet(2, body))
    found = both_ways(tmp_path, material, block)
    assert isinstance(found, SignatureFacts), found
    assert (found.fingerprint, found.expired_at) == (KEY.fingerprint.hex().upper(), None)
    assert found.made_at == datetime.fromtimestamp(made, UTC)
    assert git_takes(tmp_path, env, material, block)


@pytest.mark.parametrize(
    ("material", "body", "reasons"),
    [
        # types of signatures, and keys that may not sign
        *((PLAIN, signed(kind=kind), ("malformed",)) for kind in OTHER_TYPES),
        (PLAIN, KEY.old_signature(1, PAYLOAD, NOW), ("malformed",)),
        *((KEY.public(KEY.named(b"A", flags(use))), signed(), ("bad-signature",)) for use in (1, 12, 32)),
        *((PLAIN + KEY.bound(SUB, flags(use)), signed(by=SUB), ("bad-signature",)) for use in (12, 32)),
        (PLAIN + KEY.bound(SUB, flags(2), crossed=False), signed(by=SUB), ("bad-signature",)),
        (PLAIN + OTHER.bound(SUB, flags(2)), signed(by=SUB), ("unknown-signer", "key-unavailable")),
        (KEY.public(packet(13, b"A")), signed(), ("key-unavailable",)),
        (PLAIN, signed(by=OTHER), ("unknown-signer",)),
        # what a signature says of itself
        (PLAIN, signed(MADE, subpacket(99, b"x", critical=True)), ("bad-signature",)),
        (PLAIN, signed(MADE, subpacket(20, NOTE, critical=True)), ("bad-signature",)),
        (PLAIN, signed(ISSUER), ("bad-signature",)),
        (PLAIN, signed(ISSUER, beside=MADE), ("bad-signature",)),
        (PLAIN, signed(subpacket(2, moment(BORN - 9))), ("bad-signature",)),
        (PLAIN, signed(EARLY, subpacket(3, moment(9))), ("outside-window",)),
        (PLAIN, signed(beside=b""), ("unknown-signer",)),
        (PLAIN, signed(beside=subpacket(16, OTHER.id)), ("unknown-signer", "could-not-decide")),
        # keys that were revoked, whatever else has become of them
        (KEY.public(KEY.revoked(), KEY.named(b"A", flags(3))), signed(EARLY), ("revoked-key",)),
        (KEY.public(KEY.revoked(), KEY.named(b"A", flags(3), SHORT)), signed(EARLY), ("revoked-key",)),
        (PLAIN + KEY.bound(SUB, flags(2)) + KEY.revoked(SUB), signed(EARLY, by=SUB), ("revoked-key",)),
        (PLAIN + KEY.bound(SUB, flags(2), SHORT) + KEY.revoked(SUB), signed(EARLY, by=SUB), ("revoked-key",)),
        (KEY.public(KEY.named(b"A", flags(3), SHORT), KEY.bound(SUB, flags(2)), KEY.revoked(SUB)),
         signed(EARLY, by=SUB), ("revoked-key",)),
        (KEY.public(KEY.revoked(), KEY.named(b"A", flags(3)), KEY.bound(SUB, flags(2), SHORT)),
         signed(EARLY, by=SUB), ("revoked-key",)),
    ],
    ids=lambda value: "x" if isinstance(value, bytes) else value[0],
)  # fmt: skip
def test_what_does_not_count(tmp_path: Path, material: bytes, body: bytes, reasons: Sequence[str]) -> None:
    found = both_ways(tmp_path, material, armor(packet(2, body)))
    assert isinstance(found, Problem), found
    assert found.reason in reasons, found


@pytest.mark.parametrize(
    "material",
    [
        KEY.public(KEY.named(b"A", flags(3), SHORT)),
        KEY.public(KEY.named(b"A", flags(3)), KEY.named(b"B", flags(3), SHORT)),
    ],
    ids=["one name", "two names"],
)
def test_a_key_that_has_expired_is_dated_by_its_own_word(tmp_path: Path, material: bytes) -> None:
    found = both_ways(tmp_path, material, armor(packet(2, signed(EARLY))))
    assert isinstance(found, SignatureFacts)
    assert found.expired_at == datetime.fromtimestamp(BORN + 30 * DAY, UTC)


@pytest.mark.parametrize(
    "beside",
    [packet(10, b"PGP"), packet(21, b"x"), packet(60, b"x"), packet(2, b""), packet(11, b"b\0\0\0\0\0x")],
    ids=["marker", "padding", "unknown", "signature", "literal"],
)
def test_nothing_may_stand_beside_the_signature(tmp_path: Path, beside: bytes) -> None:
    for data in (packet(2, signed()) + beside, beside + packet(2, signed())):
        found = both_ways(tmp_path, PLAIN, armor(data))
        assert isinstance(found, Problem)
        assert found.reason in ("malformed", "several-signatures")


def test_the_hand_that_made_them_is_right() -> None:
    """gpg reads the key as it was meant."""
    listed = subprocess.run(
        ["gpg", "--with-colons", "--show-keys"], input=PLAIN, capture_output=True, check=True
    ).stdout.decode()
    assert f"fpr:::::::::{KEY.fingerprint.hex().upper()}:" in listed
